//! The audit bundle over a real store and ledger: what is in it, that both judges, ours and the
//! `verify.sh` that travels with it, say the same of every change, and what becomes of a verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use isms::{
    Board,
    bundle::{
        self, BundleError, Issued, Report, Scope, Wish, container,
        manifest::{Manifest, What, hash, note_text},
        verdict::{self, Place, VerdictError},
    },
    hall::draw_edition,
};
use ledger::Ledger;
use merkle::{Checkpoint, MemTree, SignedNote, Signer};
use model::{Assurance, Id, Lang, RoomSpec, Table, Timestamp, canonical};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store};
use tokio::sync::Mutex;

const ROOMS: [&RoomSpec; 2] = [&configuration::SPEC, &secure_coding::SPEC];
const ORIGIN: &str = "example.org/梅";
const VERIFY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bundle/files/verify.sh");

type Files = BTreeMap<String, Vec<u8>>;

struct Home {
    store: Store,
    ledger: Mutex<Ledger>,
    folder: tempfile::TempDir,
}

impl Home {
    /// A store whose people have personal names, with a row, an edition, and a payload.
    async fn new() -> Home {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        let personal = (Table::Party, "person".to_owned(), vec!["/name".to_owned()]);
        let store = store.with_personal([personal]);
        let ledger = Ledger::open(&folder.path().join("ledger"), ORIGIN).expect("ledger");
        let home = Home { store, ledger: Mutex::new(ledger), folder };
        let owner = home.put(Table::Party, "person", "佐藤", json!({})).await;
        let usage = json!({
            "control": "8.9", "applies": "yes", "responsible": owner.id, "statement": "構成を'毎日'集める",
        });
        home.put(Table::Rule, "control_use", "構成管理", usage).await;
        home.record("configuration.snapshot", b"").await;
        home.record("configuration.snapshot", b"secret of a person\0\n").await;
        home
    }

    async fn put(&self, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, self.store.new_id().expect("id"), kind, name);
        row.attributes = attributes.as_object().cloned().expect("object");
        let mut write = self.store.write("account:sato", "test", "").await.expect("write");
        let row = write.put(row).await.expect("put");
        write.commit().await.expect("commit");
        row
    }

    async fn record(&self, ty: &str, payload: &[u8]) -> Id {
        let now = self.store.now();
        let mut write = self.store.write("account:sato", "", "").await.expect("write");
        let draft = RecordDraft {
            ty: ty.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "test".to_owned(),
            assurance: Assurance::Machine,
            facts: json!({"commit": "a decoy", "n": 1}).as_object().cloned().expect("object"),
            payload: (!payload.is_empty()).then(|| payload.to_vec()),
        };
        let record = write.record(draft).await.expect("record");
        write.commit().await.expect("commit");
        record.id
    }

    async fn board(&self) -> Board {
        isms::compute(&self.store, &ROOMS).await.expect("board")
    }

    async fn edition(&self) {
        let board = self.board().await;
        let mut write = self.store.write("account:sato", "", "").await.expect("write");
        draw_edition(&self.store, &mut write, &board.view, "2026-11-28").await.expect("edition");
        write.commit().await.expect("commit");
    }

    async fn issue(&self, wish: &Wish) -> Result<Issued, BundleError> {
        let board = self.board().await;
        bundle::issue(&self.store, &self.ledger, &board, wish, "local:test").await
    }

    async fn all(&self) -> Issued {
        self.issue(&wish(Scope::All)).await.expect("issued")
    }

    fn key(&self) -> Signer {
        let seed = fs::read(self.folder.path().join("ledger/key")).expect("key");
        Signer::from_seed(ORIGIN, &seed.try_into().expect("32 bytes")).expect("signer")
    }
}

fn wish(scope: Scope) -> Wish {
    Wish { scope, as_of: None, payloads: false }
}

fn unpack(bytes: &[u8]) -> Files {
    let files = container::read(bytes).expect("a ZIP of ours");
    files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
}

fn write(files: &Files, folder: &Path) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("folder");
        fs::write(path, bytes).expect("written");
    }
}

fn manifest(files: &Files) -> Manifest {
    serde_json::from_slice(&files["manifest.json"]).expect("manifest")
}

/// Faults as class and place.
type Faults = BTreeSet<(String, String)>;

fn ours(files: &Files) -> Faults {
    let report = bundle::judge_files(files, None);
    report.faults.iter().map(|f| (f.class.to_owned(), f.place.clone())).collect()
}

fn shell(shell: &[&str], folder: &Path, more: &[&str]) -> (i32, Faults, String) {
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .arg(VERIFY)
        .args(more)
        .arg(folder)
        .env("LANG", "C")
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{errors}\n{said}");
    let faults = said.lines().filter_map(|line| {
        let mut parts = line.strip_prefix("FAULT\t")?.split('\t');
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    });
    (output.status.code().expect("ended"), faults.collect(), said)
}

/// What both judges say; they must agree.
#[track_caller]
fn both(files: &Files) -> Faults {
    let folder = tempfile::tempdir().expect("folder");
    write(files, folder.path());
    let (code, theirs, said) = shell(&["sh"], folder.path(), &[]);
    let ours = ours(files);
    assert_eq!(ours, theirs, "{said}");
    assert_eq!(code, i32::from(!ours.is_empty()), "{said}");
    ours
}

fn places(faults: &Faults) -> BTreeSet<&str> {
    faults.iter().map(|(_, place)| place.as_str()).collect()
}

fn shells() -> Vec<Vec<&'static str>> {
    let all = [vec!["sh"], vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "sh"]];
    all.into_iter().filter(|s| Command::new(s[0]).arg("--help").output().is_ok()).collect()
}

/// Signs a manifest anew, as only the holder of the ledger's key can.
fn resign(files: &mut Files, key: &Signer, mut manifest: Manifest) {
    for listed in &mut manifest.files {
        if let Some(bytes) = files.get(&listed.path) {
            (listed.sha256, listed.size) = (hash(bytes), bytes.len() as u64);
        }
    }
    manifest.files.retain(|listed| files.contains_key(&listed.path));
    let (text, hash) = manifest.text().expect("text");
    let mut note = SignedNote::new(&note_text(key.name(), &hash)).expect("note");
    note.sign(key).expect("signed");
    files.insert("manifest.json".to_owned(), text.into_bytes());
    files.insert("manifest.note".to_owned(), note.to_string().into_bytes());
}

#[tokio::test]
async fn a_bundle_holds_everything_and_every_shell_agrees() {
    let home = Home::new().await;
    home.edition().await;
    let issued = home.all().await;
    let files = unpack(&issued.bytes);
    let manifest = manifest(&files);
    assert_eq!(hash(&files["manifest.json"]), issued.hash);
    let size = manifest.checkpoint.size;
    assert_eq!(issued.leaves as u64, size, "every leaf of the ledger");
    assert!(files["tree.txt"].is_empty(), "all leaves need no node beside them");
    let report = bundle::judge_zip(&issued.bytes, None);
    assert_eq!(report.faults, [], "ours");
    assert_eq!(report.leaves as u64, size);
    assert!(report.contents >= 4 && report.pointed > 0, "{report:?}");
    assert_eq!((report.withheld, report.shredded), (1, 0));
    let folder = tempfile::tempdir().expect("folder");
    write(&files, folder.path());
    let vkey = String::from_utf8(files["vkey"].clone()).expect("text");
    for program in shells() {
        let (code, faults, said) = shell(&program, folder.path(), &["--key", vkey.trim()]);
        assert_eq!((code, faults.len()), (0, 0), "{program:?}: {said}");
        assert!(said.contains("the one given by --key"), "{said}");
    }
    // What is personal is in no file: neither the name nor the payload.
    for (name, bytes) in &files {
        let has = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(!has("佐藤") && !has("secret of a person"), "{name}");
    }
    let soa: Json = serde_json::from_slice(&files["soa/soa.json"]).expect("json");
    let row = soa["rows"].as_array().expect("rows").iter().find(|r| r["control"] == "8.9");
    assert!(row.expect("8.9")["leaves"].as_array().expect("leaves").len() >= 2);
    papers(&files, size);
    // The record of its issue is not in it: it came after the checkpoint.
    let records = home.store.newest_records(&[bundle::ISSUED], None, 10).await.expect("records");
    assert_eq!(records[0].facts["file_hash"], json!(issued.hash));
}

/// The statement as people and programs read it: the PDF says which ledger proves it and names nobody, OSCAL
/// is sound and says of each row what the JSON says.
fn papers(files: &Files, size: u64) {
    let soa: Json = serde_json::from_slice(&files["soa/soa.json"]).expect("json");
    let controls = soa["rows"].as_array().expect("rows").len();
    assert_eq!(controls, 93);
    for (lang, title) in [("ja", "適用宣言書（案）"), ("en", "Statement of Applicability (draft)")]
    {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("soa.pdf");
        fs::write(&path, &files[&format!("soa/soa.{lang}.pdf")]).expect("written");
        let said = std::process::Command::new("pdftotext").arg(&path).arg("-").output();
        let Ok(said) = said else {
            println!("skipped: no pdftotext (apt package poppler-utils)");
            continue;
        };
        let text = String::from_utf8(said.stdout).expect("text");
        assert!(text.contains(title), "{text}");
        assert!(!text.contains("佐藤"), "{text}");
        assert!(text.contains(&format!(" {size}")), "the size of the tree: {text}");
        let hash = soa["soa_hash"].as_str().expect("hash");
        assert!(text.replace('\n', "").contains(hash), "{text}");
    }
    for name in ["catalog", "profile", "ssp"] {
        let bytes = &files[&format!("soa/{name}.json")];
        let document = oscal::Document::read(bytes).expect("read");
        assert_eq!(oscal::check(&document, &[]), [], "{name}");
    }
    let ssp: Json = serde_json::from_slice(&files["soa/ssp.json"]).expect("json");
    let told = &ssp["system-security-plan"]["control-implementation"]["implemented-requirements"];
    assert_eq!(told.as_array().expect("rows").len(), controls);
}

#[tokio::test]
async fn equal_contents_give_equal_bytes() {
    let home = Home::new().await;
    let board = home.board().await;
    let (mut texts, mut bytes) = (Vec::new(), Vec::new());
    home.all().await;
    let folder = home.folder.path().join("ledger");
    for _ in 0..2 {
        let draft =
            bundle::draft(&home.store, &folder, &board, &wish(Scope::All)).await.expect("draft");
        texts.push(draft.hash().to_owned());
        let note = home.ledger.lock().await.sign(&draft.note_text()).expect("note");
        bytes.push(draft.finish(&note).expect("whole"));
        // A workbook that held the time would differ now.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(bytes[0], bytes[1]);
}

#[tokio::test]
async fn a_bundle_of_one_control_has_its_leaves_only_and_still_leads_to_the_root() {
    let home = Home::new().await;
    for i in 0..20 {
        home.put(Table::Asset, "site", &format!("site {i}"), json!({})).await;
    }
    let whole = home.all().await;
    let scope = Scope::parse("8.9");
    let part = home.issue(&wish(scope)).await.expect("issued");
    assert!(part.leaves < whole.leaves && part.leaves >= 3, "{} {}", part.leaves, whole.leaves);
    let files = unpack(&part.bytes);
    assert!(!files["tree.txt"].is_empty());
    assert_eq!(both(&files), Faults::new());
    assert_eq!(manifest(&files).scope, ["8.9"]);
    let unknown = home.issue(&wish(Scope::parse("9.9"))).await;
    assert!(matches!(unknown, Err(BundleError::Control(c)) if c == "9.9"));
}

#[tokio::test]
async fn a_past_day_gives_the_edition_recorded_by_then_and_nothing_newer() {
    let home = Home::new().await;
    let before = home.store.now();
    let ask = |as_of| Wish { as_of: Some(as_of), ..wish(Scope::All) };
    let computed = unpack(&home.issue(&ask(before)).await.expect("issued").bytes);
    assert_eq!(manifest(&computed).soa.basis, "computed");
    assert_eq!(both(&computed), Faults::new());
    home.edition().await;
    let again = unpack(&home.issue(&ask(before)).await.expect("issued").bytes);
    assert_eq!(again["soa/soa.json"], computed["soa/soa.json"], "the past stays as it was");
    let then = home.store.now();
    home.put(Table::Asset, "site", "later", json!({})).await;
    let issued = home.issue(&ask(then)).await.expect("issued");
    let files = unpack(&issued.bytes);
    let manifest = manifest(&files);
    assert!(files.contains_key("soa/edition.json") && !computed.contains_key("soa/edition.json"));
    let edition: Json = serde_json::from_slice(&files["soa/edition.json"]).expect("json");
    assert_eq!(edition["soa_hash"], json!(manifest.soa.hash), "nothing changed since it was drawn");
    assert!((issued.leaves as u64) < manifest.checkpoint.size);
    assert_eq!(both(&files), Faults::new());
    assert!(!files.values().any(|b| b.windows(7).any(|w| w == b"\"later\"")));
    let future = home.store.now().plus_hours(1);
    assert!(matches!(home.issue(&ask(future)).await, Err(BundleError::Future)));
}

#[tokio::test]
async fn payloads_go_along_when_asked_for_and_shredded_ones_are_listed() {
    let home = Home::new().await;
    let gone = home.record("configuration.snapshot", b"gone").await;
    let wish = Wish { payloads: true, ..wish(Scope::All) };
    let files = unpack(&home.issue(&wish).await.expect("issued").bytes);
    assert_eq!(both(&files), Faults::new());
    assert!(files.values().any(|b| b == b"secret of a person\0\n"));
    let names = |file: &str| String::from_utf8_lossy(&files[file]).contains("佐藤");
    assert!(names("soa/soa.ja.csv") && names("soa/ssp.json"), "with payloads people have names");
    let decision = Some(home.store.new_id().expect("id"));
    let what = store::Shredding { records: vec![gone], rows: Vec::new(), decision };
    home.store.shred(&what, "local:test").await.expect("shredded");
    let files = unpack(&home.issue(&wish).await.expect("issued").bytes);
    assert_eq!(both(&files), Faults::new());
    assert_eq!(bundle::judge_files(&files, None).shredded, 1);
    assert!(!files.values().any(|b| b == b"gone"));
}

#[tokio::test]
async fn a_table_that_was_edited_under_the_ledger_gives_no_bundle() {
    let home = Home::new().await;
    let sql = "UPDATE rule SET name = 'other'";
    let mut tx = home.store.db().begin().await.expect("begun");
    tx.execute(sql, &[]).await.expect("edited");
    tx.commit().await.expect("edited");
    assert!(matches!(home.issue(&wish(Scope::All)).await, Err(BundleError::Leaf(_))));
}

#[tokio::test]
async fn a_bundle_under_another_key_fails_against_the_right_one() {
    let home = Home::new().await;
    let files = unpack(&home.all().await.bytes);
    let vkey = String::from_utf8(files["vkey"].clone()).expect("text");
    let forger = Signer::from_seed(ORIGIN, &[9; 32]).expect("signer");
    // The key alone: nothing fits it any more, and the manifest says which file is not the one.
    let mut only_key = files.clone();
    only_key.insert("vkey".to_owned(), format!("{}\n", forger.verifier_key()).into_bytes());
    assert_eq!(both(&only_key), Faults::from([("files".to_owned(), "vkey".to_owned())]));
    // Everything signed anew with it: sound in itself, and found only by who has the right key.
    let mut forged = only_key;
    let note = SignedNote::parse(&forged["checkpoint"]).expect("note");
    let checkpoint = Checkpoint::parse(note.text()).expect("checkpoint");
    let signed = checkpoint.sign(&forger).expect("signed").to_string();
    let old = forged["checkpoint"].clone();
    for (name, bytes) in &mut forged {
        if name == "checkpoint" {
            *bytes = signed.clone().into_bytes();
        } else if name.ends_with(".tlog-proof") {
            bytes.truncate(bytes.len() - old.len());
            bytes.extend(signed.as_bytes());
        }
    }
    let list = manifest(&forged);
    resign(&mut forged, &forger, list);
    assert_eq!(both(&forged), Faults::new());
    let report = bundle::judge_files(&forged, Some(vkey.trim()));
    assert_eq!(report.faults.len(), 1);
    assert_eq!((report.faults[0].class, report.faults[0].place.as_str()), ("key", "vkey"));
    let folder = tempfile::tempdir().expect("folder");
    write(&forged, folder.path());
    let (code, faults, _) = shell(&["sh"], folder.path(), &["--key", vkey.trim()]);
    assert_eq!(code, 1);
    assert_eq!(faults, Faults::from([("key".to_owned(), "vkey".to_owned())]));
}

/// What the holder of the key cannot do either: each class of verdict has its forgery.
#[tokio::test]
async fn what_was_forged_and_signed_anew_is_named_by_class() {
    let home = Home::new().await;
    for i in 0..6 {
        home.put(Table::Asset, "site", &format!("site {i}"), json!({})).await;
    }
    let key = home.key();
    let part = home.issue(&wish(Scope::parse("8.9"))).await.expect("issued");
    for good in [unpack(&home.all().await.bytes), unpack(&part.bytes)] {
        let listed = manifest(&good);
        let first = |what| listed.files.iter().find(|f| f.what == what).expect("one").clone();
        let content = first(What::Content);
        let (leaf, proof) = (first(What::Leaf), first(What::Proof));
        let forge = |change: &dyn Fn(&mut Files, &mut Manifest)| {
            let (mut files, mut list) = (good.clone(), listed.clone());
            change(&mut files, &mut list);
            resign(&mut files, &key, list);
            both(&files)
        };
        let one = |class: &str, place: &str| Faults::from([(class.to_owned(), place.to_owned())]);
        let flip = |files: &mut Files, path: &str, at: usize| files.get_mut(path).unwrap()[at] ^= 1;

        let found = forge(&|files, _| flip(files, &content.path, 5));
        assert_eq!(found, one("contents", &content.path));
        let found = forge(&|_, list| {
            let listed = list.files.iter_mut().find(|f| f.path == content.path).unwrap();
            listed.salt = Some("00".repeat(32));
        });
        assert_eq!(found, one("contents", &content.path));
        let found = forge(&|files, _| drop(files.remove(&content.path)));
        let leaf_of_content = format!("leaves/{:09}.json", content.leaf.unwrap());
        assert_eq!(found, one("contents", &leaf_of_content));
        let found = forge(&|files, _| {
            // Inside a string near the end, so that it stays JSON.
            let at = files[&leaf.path].len() - 3;
            files.get_mut(&leaf.path).unwrap()[at] ^= 1;
        });
        assert!(found.contains(&("leaves".to_owned(), leaf.path.clone())), "{found:?}");
        let found = forge(&|files, _| files.get_mut(&leaf.path).unwrap().push(b'\n'));
        assert!(found.contains(&("leaves".to_owned(), leaf.path.clone())), "{found:?}");
        let found = forge(&|files, _| {
            let text = String::from_utf8(files[&proof.path].clone()).unwrap();
            files.insert(proof.path.clone(), text.replacen("index ", "index 1", 1).into_bytes());
        });
        assert_eq!(found, one("leaves", &proof.path));
        let found = forge(&|files, _| {
            files.get_mut("tree.txt").unwrap().extend(format!("9 9 {}\n", "0".repeat(64)).bytes());
        });
        assert_eq!(found, one("leaves", "tree.txt"));
        let found = forge(&|files, _| {
            let text = String::from_utf8(files["soa/soa.json"].clone()).unwrap();
            let text = text.replacen("\"leaves\":[", "\"leaves\":[999999,", 1).replace(",]", "]");
            files.insert("soa/soa.json".to_owned(), text.into_bytes());
        });
        assert_eq!(found, one("soa", "soa/soa.json"));
        let found = forge(&|_, list| list.checkpoint.size += 1);
        assert_eq!(found, one("checkpoint", "checkpoint"));
    }
}

#[tokio::test]
async fn a_witness_is_believed_only_as_far_as_its_signature_goes() {
    let home = Home::new().await;
    home.all().await;
    let witness = Signer::from_seed("witness.example/w", &[3; 32]).expect("signer");
    let ledger = home.folder.path().join("ledger");
    let mut note = SignedNote::parse(&fs::read(ledger.join("checkpoint")).unwrap()).unwrap();
    note.cosign(&witness, 1_795_000_000).expect("cosigned");
    fs::create_dir(ledger.join("cosignatures")).unwrap();
    let kept = format!("{}\n\n{note}", witness.cosigner_key());
    fs::write(ledger.join("cosignatures/0a1b2c3d"), kept).unwrap();
    fs::create_dir_all(ledger.join("timestamps/tsa")).unwrap();
    fs::write(ledger.join("timestamps/tsa/5-1.tsr"), b"0\x03\x02").unwrap();
    let files = unpack(&home.all().await.bytes);
    assert_eq!(both(&files), Faults::new());
    let report = bundle::judge_files(&files, None);
    assert_eq!((report.cosignatures, report.timestamps), (1, 1));
    let mut forged = files.clone();
    let path = "outside/cosignatures/0a1b2c3d".to_owned();
    let text = String::from_utf8(files[&path].clone()).unwrap();
    let size = note.text().lines().nth(1).unwrap();
    let text = text.replacen(&format!("\n{size}\n"), "\n77\n", 1);
    forged.insert(path.clone(), text.into_bytes());
    let list = manifest(&forged);
    resign(&mut forged, &home.key(), list);
    assert_eq!(both(&forged), Faults::from([("outside".to_owned(), path)]));
}

#[tokio::test]
async fn missing_added_renamed_cut_and_swapped_files_are_named() {
    let home = Home::new().await;
    let good = unpack(&home.all().await.bytes);
    let names: Vec<&String> = good.keys().collect();
    for name in &names {
        let mut less = good.clone();
        less.remove(*name);
        assert!(places(&both(&less)).contains(name.as_str()), "{name} removed");
    }
    let some: Vec<&String> = names.iter().step_by(3).copied().collect();
    for name in some {
        let mut renamed = good.clone();
        let bytes = renamed.remove(name).unwrap();
        renamed.insert("other".to_owned(), bytes);
        let found = both(&renamed);
        let special = name.starts_with("manifest.");
        assert!(places(&found).contains(name.as_str()), "{name}");
        assert!(special || places(&found).contains("other"), "{name}");
        let mut cut = good.clone();
        if cut.get_mut(name).unwrap().pop().is_some() {
            assert!(places(&both(&cut)).contains(name.as_str()), "{name} cut");
        }
    }
    let mut more = good.clone();
    more.insert("leaves/999999999.json".to_owned(), b"{}".to_vec());
    more.insert("x y/z".to_owned(), Vec::new());
    assert_eq!(places(&both(&more)), BTreeSet::from(["leaves/999999999.json", "x y/z"]));
    let leaves: Vec<&String> =
        names.iter().filter(|n| n.ends_with(".tlog-proof")).copied().collect();
    let mut swapped = good.clone();
    swapped.insert(leaves[0].clone(), good[leaves[1]].clone());
    swapped.insert(leaves[1].clone(), good[leaves[0]].clone());
    let found = both(&swapped);
    assert_eq!(places(&found), BTreeSet::from([leaves[0].as_str(), leaves[1].as_str()]));
}

/// Every byte of every file by our own judge; by the shell a sample, and with `UME_SOAK` every byte of
/// the files it reads by form.
#[tokio::test]
async fn every_flipped_byte_is_named() {
    let home = Home::new().await;
    let issued = home.all().await;
    let good = unpack(&issued.bytes);
    for (name, bytes) in &good {
        let formed = name.ends_with(".note") || ["vkey", "checkpoint"].contains(&name.as_str());
        let step = if formed { 1 } else { (bytes.len() / 40).max(1) };
        let mut bad = good.clone();
        for at in (0..bytes.len()).step_by(step) {
            bad.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            let found = ours(&bad);
            assert_eq!(places(&found), BTreeSet::from([name.as_str()]), "byte {at}");
            bad.get_mut(name).unwrap()[at] = bytes[at];
        }
    }
    let soak = std::env::var_os("UME_SOAK").is_some();
    for name in ["manifest.json", "manifest.note", "vkey", "checkpoint", "tree.txt", "soa/soa.json"]
    {
        let length = good[name].len();
        let step = if soak { 1 } else { (length / 3).max(1) };
        for at in (0..length.min(2_000)).step_by(step) {
            let mut bad = good.clone();
            bad.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            assert_eq!(places(&both(&bad)), BTreeSet::from([name]), "byte {at}");
        }
    }
    // In the ZIP: whatever byte it is, something is named.
    let step = if soak { 1 } else { (issued.bytes.len() / 800).max(1) };
    let mut bad = issued.bytes.clone();
    for at in (0..issued.bytes.len()).step_by(step) {
        bad[at] ^= 1 << (at % 8);
        assert!(!bundle::judge_zip(&bad, None).faults.is_empty(), "byte {at}");
        bad[at] = issued.bytes[at];
    }
}

/// One change of a bundle.
#[derive(Clone, Debug)]
enum Change {
    Flip(prop::sample::Index, prop::sample::Index, u8),
    Cut(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Copy(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), at(), 0..8_u8).prop_map(|(f, b, bit)| Change::Flip(f, b, bit)),
        (at(), at()).prop_map(|(f, b)| Change::Cut(f, b)),
        (at(), at(), any::<u8>()).prop_map(|(f, b, byte)| Change::Insert(f, b, byte)),
        at().prop_map(Change::Remove),
        (at(), at()).prop_map(|(f, to)| Change::Copy(f, to)),
    ]
}

fn apply(files: &mut Files, change: &Change) {
    let names: Vec<String> = files.keys().cloned().collect();
    let name = |index: &prop::sample::Index| names[index.index(names.len())].clone();
    match change {
        Change::Flip(file, at, bit) => {
            let bytes = files.get_mut(&name(file)).unwrap();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
        }
        Change::Cut(file, at) => {
            let bytes = files.get_mut(&name(file)).unwrap();
            bytes.truncate(at.index(bytes.len() + 1));
        }
        Change::Insert(file, at, byte) => {
            let bytes = files.get_mut(&name(file)).unwrap();
            bytes.insert(at.index(bytes.len() + 1), *byte);
        }
        Change::Remove(file) => drop(files.remove(&name(file))),
        Change::Copy(file, to) => drop(files.insert(name(to), files[&name(file)].clone())),
    }
}

#[test]
fn both_judges_say_the_same_of_random_damage() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let good = runtime.block_on(async { unpack(&Home::new().await.all().await.bytes) });
    let cases = if std::env::var_os("UME_SOAK").is_some() { 2_000 } else { 24 };
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let tested = runner.run(&prop::collection::vec(change(), 1..4), |changes| {
        let mut bad = good.clone();
        changes.iter().for_each(|change| apply(&mut bad, change));
        let found = both(&bad);
        prop_assert_eq!(found.is_empty(), bad == good);
        Ok(())
    });
    tested.unwrap();
}

/// Five thousand leaves, by the shell; the time is printed. The bar is seconds, not minutes.
#[test]
fn the_shell_verifies_five_thousand_leaves_in_seconds() {
    let key = Signer::from_seed(ORIGIN, &[5; 32]).unwrap();
    let count: u64 = if std::env::var_os("UME_SOAK").is_some() { 5_000 } else { 300 };
    let leaves: Vec<Vec<u8>> = (0..count)
        .map(|i| {
            format!(
                "{{\"actor\":\"a\",\"commit\":null,\"id\":{i},\"pad\":\"{}\"}}",
                "梅".repeat(100)
            )
        })
        .map(String::into_bytes)
        .collect();
    let tree: MemTree = leaves.iter().map(|leaf| merkle::leaf_hash(leaf)).collect();
    let note = Checkpoint::new(ORIGIN, count, tree.root()).unwrap().sign(&key).unwrap();
    let mut files = Files::new();
    let mut list = Vec::new();
    let mut add = |what: &str, path: String, leaf: Option<u64>, bytes: Vec<u8>| {
        let mut entry =
            json!({"path": path, "sha256": hash(&bytes), "size": bytes.len(), "what": what});
        if let Some(leaf) = leaf {
            entry["leaf"] = leaf.into();
        }
        list.push(entry);
        files.insert(path, bytes);
    };
    for (i, leaf) in (0..count).zip(&leaves) {
        add("leaf", format!("leaves/{i:09}.json"), Some(i), leaf.clone());
        let proof = merkle::inclusion_proof(i, count, &tree).unwrap();
        let proof = merkle::TlogProof::new(Vec::new(), i, proof, note.clone()).unwrap();
        add("proof", format!("leaves/{i:09}.tlog-proof"), Some(i), proof.to_string().into_bytes());
    }
    add("tree", "tree.txt".to_owned(), None, Vec::new());
    add("checkpoint", "checkpoint".to_owned(), None, note.to_string().into_bytes());
    add("key", "vkey".to_owned(), None, format!("{}\n", key.verifier_key()).into_bytes());
    list.sort_by_key(|entry| entry["path"].as_str().unwrap().to_owned());
    let manifest: Manifest = serde_json::from_value(json!({
        "format": "ume.audit-bundle/v1", "made_at": "", "made_by": "", "as_of": "", "scope": ["all"],
        "origin": ORIGIN, "checkpoint": {"size": count, "root": hex::encode(tree.root())},
        "payloads": "withheld", "soa": {"basis": "computed", "hash": ""}, "files": list, "held_back": [],
    }))
    .unwrap();
    resign(&mut files, &key, manifest);
    let start = std::time::Instant::now();
    assert_eq!(ours(&files), Faults::new());
    let rust = start.elapsed();
    let start = std::time::Instant::now();
    assert_eq!(both(&files), Faults::new());
    println!(
        "{count} leaves: ume {rust:?}, verify.sh {:?} (with writing the files)",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_verdict_counts_as_what_it_shows() {
    let home = Home::new().await;
    let issued = home.all().await;
    let own_key = home.key().verifier_key().to_string();
    let place = |id: &str| Place {
        host: "auditor-pc".to_owned(),
        machine_id: Some(id.to_owned()),
        at: home.store.now(),
    };
    let here = place("this machine");
    let report = bundle::judge_zip(&issued.bytes, Some(&own_key));
    let auditor = Signer::from_seed("auditor.example/k", &[7; 32]).unwrap();
    let take = async |verdict: &Json| {
        verdict::take(&home.store, verdict, None, &own_key, &here, "local:test").await
    };
    let signed = |report: &Report, place: &Place, signer: &Signer| {
        let mut verdict = verdict::of(report, place, Lang::En);
        verdict::sign(&mut verdict, signer).unwrap();
        verdict
    };

    let unsigned = verdict::of(&report, &place("elsewhere"), Lang::En);
    let record = take(&unsigned).await.expect("taken");
    assert_eq!(record.assurance, Assurance::Attested, "anyone could have typed it");

    let good = signed(&report, &place("elsewhere"), &auditor);
    // As it comes back from a file.
    let good: Json = serde_json::from_str(&serde_json::to_string_pretty(&good).unwrap()).unwrap();
    let record = take(&good).await.expect("taken");
    assert_eq!(record.assurance, Assurance::Imported);
    let fact = |name: &str| record.facts[name].clone();
    assert_eq!((fact("off_server"), fact("failed")), (json!(true), json!(0)));
    assert_eq!(fact("proofs"), json!(issued.leaves));
    let spec = isms::SPEC.records.iter().find(|r| r.ty == verdict::VERIFIED).unwrap();
    assert!(spec.validate(&record.facts).is_empty());
    // Host and machine are not in the leaf.
    assert!(!store::record_leaf(&record).unwrap().contains("auditor-pc"));
    assert!(matches!(take(&good).await, Err(VerdictError::Known)));

    let same = signed(&report, &place("this machine"), &auditor);
    assert_eq!(take(&same).await.expect("taken").facts["off_server"], json!(false));
    let mut nowhere = place("");
    nowhere.machine_id = None;
    let record = take(&signed(&report, &nowhere, &auditor)).await.expect("taken");
    assert_eq!(record.facts["off_server"], json!(false));

    let mut edited = good.clone();
    edited["checked"]["leaves"] = json!(1_000_000);
    assert!(matches!(take(&edited).await, Err(VerdictError::Signature)));
    let own = signed(&report, &place("elsewhere"), &home.key());
    assert!(matches!(take(&own).await, Err(VerdictError::OwnKey)));
    let mut foreign = report.clone();
    foreign.bundle_hash = "0".repeat(64);
    let foreign = signed(&foreign, &place("elsewhere"), &auditor);
    assert!(matches!(take(&foreign).await, Err(VerdictError::NotIssued)));
    let mut late = place("elsewhere");
    late.at = Timestamp(0);
    assert!(matches!(take(&signed(&report, &late, &auditor)).await, Err(VerdictError::Time)));
    assert!(matches!(take(&json!({})).await, Err(VerdictError::Form)));
    // One that found faults is recorded with them.
    let mut files = unpack(&issued.bytes);
    files.get_mut("soa/soa.json").unwrap()[9] ^= 1;
    let faulty = bundle::judge_files(&files, Some(&own_key));
    let record = take(&signed(&faulty, &place("elsewhere"), &auditor)).await.expect("taken");
    assert_eq!(record.facts["failed"], json!(1));
    assert!(canonical::to_string(&Json::Object(record.facts)).is_ok());
}

#[test]
fn the_verifier_speaks_japanese_and_says_what_it_lacks() {
    let run = |args: &[&str], lang: &str| {
        let output =
            Command::new("sh").arg(VERIFY).args(args).env("LC_ALL", lang).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let nowhere = PathBuf::from("/nonexistent/bundle");
    let (code, said) = run(&[nowhere.to_str().unwrap()], "ja_JP.UTF-8");
    assert_eq!(code, Some(2));
    assert!(said.contains("開けません"), "{said}");
    let (code, said) = run(&["--what"], "C");
    assert_eq!(code, Some(2));
    assert!(said.contains("usage"), "{said}");
}
