//! `ume sigma import`: a pack of rules into the register, judged before anything is written.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use model::Table;
use monitoring::work::{
    packs::{self, Contents},
    rules::Loaded,
};
use serde_json::json;
use sigma::Env;

use super::name_refused;
use crate::{
    CliError, INCOMPLETE,
    door::Door,
    registers::{At, read_file},
    say,
    shown::Shown,
};

#[derive(clap::Args)]
pub struct ImportArgs {
    #[command(flatten)]
    at: At,
    /// zip, tar.gz, folder, or a single .yml
    #[arg(value_name = "PATH")]
    from: PathBuf,
    /// Name of the pack [default: that of the file]
    #[arg(long)]
    name: Option<String>,
    /// Where the rules come from, such as the address of their project
    #[arg(long)]
    origin: String,
    /// Their licence, such as "DRL 1.1"
    #[arg(long)]
    licence: String,
    /// Who wrote them
    #[arg(long)]
    author: Option<String>,
    /// Put the pack into force at once; otherwise it waits as a draft, to be looked at and tried
    #[arg(long)]
    active: bool,
    /// Judge every rule, save nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    shown: Shown,
}

/// Exit 0: all rules can be used, 3: some are refused; the pack is kept all the same.
pub async fn run(args: ImportArgs) -> Result<ExitCode, CliError> {
    let stem = args.from.file_name().map_or("rules".into(), |name| name.to_string_lossy());
    let (file, bytes) = if args.from.is_dir() {
        (format!("{stem}.tar.gz"), folder(&args.from)?)
    } else {
        (stem.clone().into_owned(), read_file(&args.from)?)
    };
    let contents = packs::unpack(&bytes, &file).map_err(|error| {
        CliError::Usage(format!("{}: {}", args.from.display(), say(&error.ja(), &error.en())))
    })?;
    let refused = judge(&contents, &args)?;
    if !args.dry_run {
        let door = Door::writing(args.at).await?;
        let sha256 = door.upload(&file, bytes).await?;
        let mut attributes = json!({
            "file": sha256, "origin": args.origin, "licence": args.licence,
        });
        if let Some(author) = &args.author {
            attributes["author"] = json!(author);
        }
        let row = json!({
            "kind": packs::KIND,
            "name": args.name.as_deref().unwrap_or(&stem),
            "status": if args.active { "active" } else { "draft" },
            "attributes": attributes,
        });
        let row = door.create(Table::Rule, row.as_object().cloned().unwrap_or_default()).await?;
        let id = row["id"].as_str().unwrap_or_default();
        eprintln!(
            "{}",
            say(
                &format!("登録しました: /detections/packs/{id}"),
                &format!("kept: /detections/packs/{id}")
            )
        );
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

/// The documents of a folder as a pack, under their paths in it.
fn folder(path: &std::path::Path) -> Result<Vec<u8>, CliError> {
    let mut paths = Vec::new();
    super::walk(path, 0, &mut paths)?;
    let mut documents = BTreeMap::new();
    for file in paths {
        let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
        documents.insert(name, read_file(&file)?);
    }
    packs::packed(&documents).map_err(|source| CliError::Io { path: path.to_owned(), source })
}

/// Names every rule that is refused.
fn judge(contents: &Contents, args: &ImportArgs) -> Result<usize, CliError> {
    let loaded = Loaded::of(contents.documents.clone(), &Env::default());
    name_refused(&loaded.rejected, args.shown.format)?;
    let (set, refused, left_out) = (&loaded.set, loaded.rejected.len(), contents.left_out);
    let (rules, over_time) = (set.rules().len(), set.correlations().len());
    eprintln!(
        "{}",
        say(
            &format!(
                "ルール{rules}件、相関{over_time}件。拒否{refused}件、ルール以外のファイル{left_out}個"
            ),
            &format!(
                "{rules} rules, {over_time} correlations; {refused} refused, {left_out} files that are no rules"
            ),
        )
    );
    Ok(refused)
}
