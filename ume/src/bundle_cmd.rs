//! `ume isms bundle`, `ume isms bundle-verified`, `ume verify bundle`.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use isms::bundle::{
    self, Report, Scope, Wish,
    container::{BYTES_MAX, ENTRIES_MAX},
    verdict::{self, Place as Here},
};
use model::{Id, Timestamp};
use serde_json::{Value as Json, json};

use crate::{
    CliError, Format, MISMATCH,
    door::{Door, query},
    hall_cmd::When,
    local,
    merkle_cmd::SigningKey,
    place::Place,
    print, rooms, say,
    settings::DataFolder,
    shown::{self, Shown},
};

/// What `ume isms bundle` is asked for.
#[derive(clap::Args)]
pub struct Bundle {
    #[command(flatten)]
    pub data: DataFolder,
    /// File to write; it must not exist yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The whole ledger, or what stands behind these controls: 5.7,8.9
    #[arg(long, value_name = "all|CONTROL…", default_value = "all")]
    scope: String,
    /// Nothing newer than this day or time; the statement is then the newest edition recorded by then,
    /// or, where there was none, the statement computed as of then
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// With payloads, which may hold something personal
    #[arg(long)]
    with_payloads: bool,
    #[command(flatten)]
    shown: Shown,
}

/// What `ume isms bundle-verified` is asked for.
#[derive(clap::Args)]
pub struct Verified {
    #[command(flatten)]
    pub data: DataFolder,
    /// Output of `ume verify bundle --format json`
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Id of the party that verified
    #[arg(long, value_name = "ID")]
    verifier: Option<Id>,
    #[command(flatten)]
    shown: Shown,
}

/// What `ume verify bundle` is asked for.
#[derive(clap::Args)]
pub struct Verify {
    /// The bundle: a ZIP, or the folder it was unpacked into
    file: PathBuf,
    /// Verifier key of the ledger, or a file that holds it, as it came by another way than the bundle
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Sign the verdict (JSON) with your own key: the file that `ume merkle note key` made
    #[arg(long, value_name = "FILE", requires = "name")]
    sign_with: Option<PathBuf>,
    /// Name of your key
    #[arg(long, requires = "sign_with")]
    name: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> CliError + '_ {
    move |source| CliError::Io { path: path.to_owned(), source }
}

/// Makes a bundle: in the server that holds the folder, or here.
pub async fn make(asked: Bundle) -> Result<ExitCode, CliError> {
    // Before anything is recorded: a bundle that cannot be written was not issued.
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&asked.to)
        .map_err(at(&asked.to))?;
    let made = bytes(&asked).await;
    let written = match &made {
        Ok((bytes, _)) => {
            file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&asked.to))
        }
        Err(_) => Ok(()),
    };
    if made.is_err() || written.is_err() {
        let _ = fs::remove_file(&asked.to);
    }
    let (bytes, hash) = made?;
    written?;
    let (to, size) = (asked.to.display().to_string(), bytes.len());
    let said = say(
        &format!("監査バンドル{to}を作りました（{size}バイト）\nハッシュ {hash}"),
        &format!("wrote the audit bundle {to} ({size} bytes)\nhash {hash}"),
    );
    let done = json!({"to": to, "bytes": size, "bundle_hash": hash});
    print(&shown::done(asked.shown.format, &said, &done));
    Ok(ExitCode::SUCCESS)
}

async fn bytes(asked: &Bundle) -> Result<(Vec<u8>, String), CliError> {
    let place = Place::of(&asked.data)?;
    match Door::of(&place).await? {
        Door::Server(server) => {
            let query = query(&[
                ("scope", Some(asked.scope.clone())),
                ("as_of", asked.as_of.clone()),
                ("payloads", Some(asked.with_payloads.to_string())),
            ]);
            let (headers, bytes) = server.bytes(&format!("/api/v1/isms/bundle{query}")).await?;
            let hash =
                headers.get("x-ume-bundle").and_then(|v| v.to_str().ok()).unwrap_or_default();
            Ok((bytes, hash.to_owned()))
        }
        Door::Folder(mut folder) => {
            let (store, ledger) = folder.with_ledger(&place).await?;
            let board = isms::compute(store, &rooms::ROOMS).await?;
            let as_of = When::moment(asked.as_of.as_deref(), store).await?;
            let scope = Scope::parse(&asked.scope);
            let wish = Wish { scope, as_of, payloads: asked.with_payloads };
            let actor = local::user().actor();
            let issued = bundle::issue(store, ledger, &board, &wish, &actor).await;
            folder.close().await?;
            let issued = issued?;
            Ok((issued.bytes, issued.hash))
        }
    }
}

/// Takes in what a verifier found.
pub async fn take(asked: Verified) -> Result<ExitCode, CliError> {
    let text = limited(&asked.from, verdict::BYTES_MAX)?;
    let verdict: Json = serde_json::from_slice(&text)
        .map_err(|_| CliError::Verdict(verdict::VerdictError::Form))?;
    let place = Place::of(&asked.data)?;
    let done = match Door::of(&place).await? {
        Door::Server(server) => {
            let body = json!({"verdict": verdict, "verifier": asked.verifier});
            server.post("/api/v1/isms/bundle-verified", &body).await?
        }
        Door::Folder(mut folder) => {
            let (store, ledger) = folder.with_ledger(&place).await?;
            let own_key = ledger.lock().await.verifier_key();
            let here = Here::here(store.now());
            let actor = local::user().actor();
            let taken =
                verdict::take(store, &verdict, asked.verifier, &own_key, &here, &actor).await;
            folder.close().await?;
            let record = taken?;
            json!({"id": record.id, "assurance": record.assurance.name(), "facts": record.facts})
        }
    };
    let id = shown::text(&done["id"]);
    let off = done["facts"]["off_server"] == json!(true);
    let signed = done["assurance"] == json!("imported");
    let mut said =
        say(&format!("検証結果を記録しました: {id}"), &format!("recorded the verdict: {id}"));
    if !signed {
        said += &say(
            "\n署名がないため申告として記録しました。松の基準には、検証者の鍵による署名が必要です。",
            "\nUnsigned, so recorded as attested: the criterion at 松 needs a verdict signed with the verifier's key.",
        );
    }
    if !off {
        said += &say(
            "\nこのサーバーと違うマシンで検証したとは言えません。",
            "\nIt does not show that it was verified on another machine than this.",
        );
    }
    print(&shown::done(asked.shown.format, &said, &done));
    Ok(ExitCode::SUCCESS)
}

/// Judges a bundle with nothing but the file; exit 1 where something does not hold.
pub fn verify(asked: &Verify) -> Result<ExitCode, CliError> {
    let pinned = asked.key.as_deref().map(key).transpose()?;
    let pinned = pinned.as_deref();
    let report = if asked.file.is_dir() {
        let mut files = BTreeMap::new();
        walk(&asked.file, "", &mut files)?;
        bundle::judge_files(&files, pinned)
    } else {
        bundle::judge_zip(&limited(&asked.file, BYTES_MAX)?, pinned)
    };
    let text = match asked.shown.format {
        Format::Json => {
            let now = Timestamp(jiff::Timestamp::now().as_microsecond());
            let mut verdict = verdict::of(&report, &Here::here(now), crate::lang());
            if let Some((key, name)) = asked.sign_with.clone().zip(asked.name.clone()) {
                verdict::sign(&mut verdict, &SigningKey { key, name }.signer()?)?;
            }
            format!("{}\n", serde_json::to_string_pretty(&verdict).unwrap_or_default())
        }
        format => sentences(&report, format),
    };
    print(&text);
    Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(MISMATCH) })
}

/// A key as it stands, or the file that holds it.
fn key(text: &str) -> Result<String, CliError> {
    let path = Path::new(text);
    if !path.is_file() {
        return Ok(text.to_owned());
    }
    let bytes = limited(path, 4_096)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn limited(path: &Path, bytes_max: usize) -> Result<Vec<u8>, CliError> {
    let length = fs::metadata(path).map_err(at(path))?.len();
    if length > bytes_max as u64 {
        return Err(CliError::Usage(say(
            &format!("{}: {bytes_max}バイトを超えるため読みません", path.display()),
            &format!("{}: larger than the {bytes_max} bytes that are read", path.display()),
        )));
    }
    fs::read(path).map_err(at(path))
}

/// Every file below a folder. What is neither file nor folder is kept as an empty file of an own name,
/// which no manifest lists.
fn walk(folder: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), CliError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(at(folder))?);
        let part = entry.file_name().to_string_lossy().into_owned();
        let name = if name.is_empty() { part } else { format!("{name}/{part}") };
        if kind.is_dir() {
            walk(&path, &name, files)?;
        } else if kind.is_file() {
            let content = limited(&path, BYTES_MAX)?;
            files.insert(name, content);
        } else {
            files.insert(format!("{name} (no file)"), Vec::new());
        }
        if files.len() > ENTRIES_MAX {
            return Err(CliError::Usage(say(
                &format!("ファイルが{ENTRIES_MAX}個を超えます"),
                &format!("more than {ENTRIES_MAX} files"),
            )));
        }
    }
    Ok(())
}

fn sentences(report: &Report, format: Format) -> String {
    let lang = crate::lang();
    if format == Format::Csv {
        let rows: Vec<Json> = report
            .faults
            .iter()
            .map(|f| json!({"class": f.class, "place": f.place, "what": f.what.get(lang)}))
            .collect();
        return shown::rows(format, &["class", "place", "what"].map(str::to_owned), &rows);
    }
    let mut out = String::new();
    let mut line = |ja: String, en: String| out.push_str(&format!("{}\n", say(&ja, &en)));
    let (key, files, leaves) = (&report.key, report.files, report.leaves);
    let (contents, withheld, shredded) = (report.contents, report.withheld, report.shredded);
    if !report.bundle_hash.is_empty() {
        let hash = &report.bundle_hash;
        line(format!("監査バンドル {hash}"), format!("audit bundle {hash}"));
        line(format!("目録どおりのファイル{files}件"), format!("{files} files as listed"));
        match report.key_compared {
            true => line(format!("検証鍵 {key}"), format!("key {key}")),
            false => line(
                format!(
                    "検証鍵は照合していません。組織から別の経路で受け取った鍵と比べてください: {key}"
                ),
                format!(
                    "key not compared; hold it against the one you have from the organisation: {key}"
                ),
            ),
        }
        line(
            format!(
                "葉{leaves}件の証明、内容{contents}件を照合（非開示{withheld}件、消去済み{shredded}件）"
            ),
            format!(
                "{leaves} leaves proved, {contents} contents opened ({withheld} withheld, {shredded} shredded)"
            ),
        );
        let (pointed, cosigned, stamps) = (report.pointed, report.cosignatures, report.timestamps);
        line(
            format!(
                "適用宣言書が指す葉{pointed}件、立会人の署名{cosigned}件、タイムスタンプのファイル{stamps}件（未検証）"
            ),
            format!(
                "{pointed} leaves behind the statement, {cosigned} cosignatures, {stamps} files of time stamps (not judged)"
            ),
        );
    }
    for fault in &report.faults {
        out.push_str(&format!(
            "FAULT\t{}\t{}\t{}\n",
            fault.class,
            fault.place,
            fault.what.get(lang)
        ));
    }
    let n = report.faults.len();
    out.push_str(&match n {
        0 => format!("{}\n", say("不一致はありません", "everything holds")),
        n => format!("{}\n", say(&format!("不一致 {n}件"), &format!("{n} mismatches"))),
    });
    out
}
