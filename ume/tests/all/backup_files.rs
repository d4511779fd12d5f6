//! Files of registers and records in backups: inside, beside them, shredded, and of an older Ume.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::json;
use store::{Opening, Store};

use crate::backups::*;

const MARKER: &str = "MARKER-in-a-file-51f0";

async fn open(folder: &Path) -> Store {
    Store::open(folder, store::system_clock()).await.unwrap()
}

/// A folder with a ledger, as a server leaves it.
async fn furnish(data: &Path) {
    let store = open(data).await;
    store.set_setting("ledger_origin", "example.org/ume").await.unwrap();
    store.db().close().await;
    settle(data).await;
}

async fn settle(data: &Path) {
    let store = open(data).await;
    let mut ledger = ledger::Ledger::open(&data.join("ledger"), "example.org/ume").unwrap();
    while ledger::drain(&store, &mut ledger).await.unwrap() > 0 {}
    ledger.checkpoint().unwrap();
    store.db().close().await;
}

async fn send(store: &Store, content: &[u8]) -> store::Blob {
    let mut upload = store.upload().await.unwrap();
    upload.write(content).await.unwrap();
    store.keep(upload, "規程.txt", "account:tester").await.unwrap()
}

/// Puts a document with a file into a folder that no server holds; gives the row and where the file
/// lies.
async fn document(data: &Path, content: &[u8]) -> (model::Id, PathBuf) {
    let store = open(data).await;
    let blob = send(&store, content).await;
    let id = store.new_id().unwrap();
    let mut row = store::Row::new(model::Table::Asset, id, "document", "規程");
    row.attributes.insert("content".to_owned(), blob.sha256.as_str().into());
    let mut write = store.write("tester", "", "test").await.unwrap();
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
    let path = store.blob_path(&blob).unwrap();
    store.db().close().await;
    settle(data).await;
    (id, path)
}

/// A record with a payload that names a file full of markers, and an approved decision to shred it.
async fn marked(data: &Path) -> (model::Id, model::Id, String) {
    let store = open(data).await;
    let blob = send(&store, MARKER.repeat(5_000).as_bytes()).await;
    let mut write = store.write("tester", "why", "").await.unwrap();
    let draft = store::RecordDraft {
        ty: "house.note".to_owned(),
        subject: None,
        observed_from: store.now(),
        observed_to: store.now(),
        source: "test".to_owned(),
        assurance: model::Assurance::Machine,
        facts: json!({"file": blob.sha256}).as_object().unwrap().clone(),
        payload: Some(b"statement".to_vec()),
    };
    let record = write.record(draft).await.unwrap().id;
    let decision = store.new_id().unwrap();
    let mut row = store::Row::new(model::Table::Decision, decision, "shred", "shred");
    row.status = "approved".to_owned();
    row.ends_at = Some(store.now().plus_hours(1));
    row.attributes.insert("records".to_owned(), json!([record]));
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
    store.db().close().await;
    settle(data).await;
    (record, decision, blob.sha256)
}

/// All of a file of a folder; `None` where it does not open.
fn content(folder: &Path, sha256: &str) -> Option<Vec<u8>> {
    run(async {
        let store = Store::open_read_only(folder, store::system_clock()).await.unwrap();
        let blob = store.blob(sha256).await.unwrap()?;
        let Opening::Open(mut reader) = store.open_blob(&blob).await.unwrap() else {
            return None;
        };
        let mut out = Vec::new();
        loop {
            let bytes = reader.chunk().await.unwrap();
            if bytes.is_empty() {
                store.db().close().await;
                return Some(out);
            }
            out.extend(bytes);
        }
    })
}

/// Files below a folder, and whether each holds these bytes.
fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, out) } else { out.push(path) }
    }
}

fn hits(folder: &Path, marker: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    walk(folder, &mut out);
    let holds = |bytes: &[u8]| bytes.windows(marker.len()).any(|w| w == marker.as_bytes());
    out.retain(|path| holds(&fs::read(path).unwrap()));
    out
}

/// What stands in a folder of `--files`, without its lock.
fn shelf_files(shelf: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    walk(shelf, &mut out);
    out.retain(|path| path.file_name().unwrap() != "lock");
    out.sort();
    out
}

fn good(output: std::process::Output) -> std::process::Output {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    output
}

fn backup_beside(scene: &Scene, to: &Path, files: &Path) -> std::process::Output {
    let common = ["--data", path(&scene.data), "--passphrase-file", path(&scene.secret)];
    let args = ["backup", "--to", path(to), "--files", path(files)];
    ume(&[&args[..], &common].concat())
}

fn restore_beside(scene: &Scene, from: &Path, files: &Path, to: &Path) -> std::process::Output {
    restore_shelf(scene, from, files, to, &epoch_of(from))
}

fn restore_shelf(
    scene: &Scene,
    from: &Path,
    files: &Path,
    to: &Path,
    epoch: &Path,
) -> std::process::Output {
    let args = ["restore", "--from", path(from), "--data", path(to), "--files", path(files)];
    let opened = ["--passphrase-file", path(&scene.secret), "--epoch", path(epoch)];
    ume(&[&args[..], &opened].concat())
}

#[test]
fn a_backup_carries_files_and_a_verification_names_the_row_of_a_changed_one() {
    let scene = Scene::build();
    let (file, target) = (scene.at("b"), scene.at("restored"));
    run(furnish(&scene.data));
    let (id, blob) = run(document(&scene.data, "第3版".as_bytes()));
    good(backup(&scene.data, &file, &scene.secret));
    good(restore(&file, &target, &scene.secret));
    let copy = target.join(blob.strip_prefix(&scene.data).unwrap());
    assert_eq!(content(&target, &sha256("第3版".as_bytes())).unwrap(), "第3版".as_bytes());

    let verify = || ume(&["ledger", "verify", "--data", path(&target)]);
    let whole = verify();
    assert!(text(&whole).contains("1 files read back"), "{}", text(&whole));
    let sealed = fs::read(&copy).unwrap();
    for (content, what) in [(Some(vec![0; sealed.len()]), "was changed"), (None, "is missing")] {
        match content {
            Some(content) => fs::write(&copy, content).unwrap(),
            None => fs::remove_file(&copy).unwrap(),
        }
        let bad = verify();
        let text = text(&bad);
        assert!(!bad.status.success() && text.contains(what), "{text}");
        assert!(text.contains(&format!("asset/{id}/1")), "{text}");
    }
    // Without the epoch key nothing says that a file is good, nor that it is bad.
    let locked = restore_with(&file, &scene.at("locked"), &scene.secret, &scene.at("no key"));
    assert_eq!(locked.status.code(), Some(3), "{}", text(&locked));
}

#[test]
fn files_beside_backups_are_written_once_and_serve_each_of_them() {
    let scene = Scene::build();
    let (one, two, files) = (scene.at("one"), scene.at("two"), scene.at("files"));
    run(furnish(&scene.data));
    let first = "a".repeat(6_000_000);
    run(document(&scene.data, first.as_bytes()));
    good(backup_beside(&scene, &one, &files));
    let [kept] = shelf_files(&files).try_into().unwrap();
    let written = fs::metadata(&kept).unwrap().modified().unwrap();
    let name = kept.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(name.split_once('.').unwrap().1, sha256(&fs::read(&kept).unwrap()));
    run(document(&scene.data, b"second"));
    // What a killed run left half written.
    let half = kept.with_extension("tmp");
    fs::write(&half, b"half").unwrap();
    good(backup_beside(&scene, &two, &files));
    assert!(!half.exists());
    assert_eq!(shelf_files(&files).len(), 2);
    assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), written, "not written again");
    // Neither stands in the backups themselves.
    assert!(fs::metadata(&two).unwrap().len() < 6_000_000);

    for (from, second) in [(&one, false), (&two, true)] {
        let target = scene.at(&format!("of {}", path(from).rsplit('/').next().unwrap()));
        good(restore_beside(&scene, from, &files, &target));
        assert_eq!(content(&target, &sha256(first.as_bytes())).unwrap(), first.as_bytes());
        assert_eq!(content(&target, &sha256(b"second")).is_some(), second);
    }
    // Without the folder it says what is wanted, and restores nothing.
    let refused = restore(&two, &scene.at("bare"), &scene.secret);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("2 files") && text(&refused).contains("--files DIR"));
    assert!(!scene.at("bare").exists());

    let verify = || verify_with(&two, &scene.secret, Some(&epoch_of(&two)), Some(&files));
    good(verify());
    let sound = fs::read(&kept).unwrap();
    let mut changed = sound.clone();
    changed[100_000] ^= 1;
    for (content, what) in [(Some(&changed[..]), "was changed"), (None, "is missing")] {
        match content {
            Some(content) => fs::write(&kept, content).unwrap(),
            None => fs::remove_file(&kept).unwrap(),
        }
        let bad = verify();
        assert_eq!(bad.status.code(), Some(1), "{}", text(&bad));
        let fault = &json(&bad)["faults"][0];
        assert_eq!(fault["place"], path(&kept));
        assert!(fault["what"].as_str().unwrap().contains(what), "{fault}");
    }
    // One that is gone, or was cut, is written again by the next backup.
    let other = shelf_files(&files).pop().unwrap();
    fs::write(&other, b"cut").unwrap();
    good(backup_beside(&scene, &scene.at("three"), &files));
    assert_eq!(fs::read(&kept).unwrap(), sound);
    good(verify());
}

#[test]
fn pruning_removes_what_no_backup_that_stays_names_and_nothing_else() {
    let scene = Scene::build();
    let (one, two, files) = (scene.at("one"), scene.at("two"), scene.at("files"));
    run(furnish(&scene.data));
    run(document(&scene.data, b"first"));
    good(backup_beside(&scene, &one, &files));
    let before = shelf_files(&files);
    run(document(&scene.data, b"second"));
    good(backup_beside(&scene, &two, &files));
    let all = shelf_files(&files);
    fs::write(files.join("mine"), b"not Ume's").unwrap();
    let prune = |keep: &[&Path], more: &[&str]| {
        let mut args = vec!["prune", "--files", path(&files)];
        args.extend(["--passphrase-file", path(&scene.secret)]);
        args.extend(keep.iter().flat_map(|file| ["--keep", path(file)]));
        ume(&[&args[..], more].concat())
    };
    good(prune(&[&one, &two], &[]));
    assert_eq!(shelf_files(&files).len(), all.len() + 1);
    let said = good(prune(&[&one], &["--dry-run", "--format", "json"]));
    let said = json(&said);
    assert_eq!((&said["removed"], &said["kept"]), (&1.into(), &1.into()), "{said}");
    assert_eq!(shelf_files(&files).len(), all.len() + 1);
    // A backup that does not open stops it before anything goes.
    let damaged = scene.at("damaged");
    fs::write(&damaged, &fs::read(&two).unwrap()[..300]).unwrap();
    let refused = prune(&[&one, &damaged], &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert_eq!(shelf_files(&files).len(), all.len() + 1);
    good(prune(&[&one], &[]));
    let left = shelf_files(&files);
    assert!(left.contains(&before[0]) && left.contains(&files.join("mine")), "{left:?}");
    assert_eq!(left.len(), 2);
    good(restore_beside(&scene, &one, &files, &scene.at("restored")));
    // One that holds its files itself names none.
    let inside = scene.at("inside");
    good(backup(&scene.data, &inside, &scene.secret));
    good(prune(&[&inside], &[]));
    assert_eq!(shelf_files(&files), [files.join("mine")]);
    // A folder that is not there is not made.
    let args = ["prune", "--files", "none/there", "--keep", path(&one), "--passphrase-file"];
    assert_eq!(ume(&[&args[..], &[path(&scene.secret)]].concat()).status.code(), Some(2));
    assert!(!Path::new("none").exists());
}

#[test]
fn an_older_backup_with_the_newest_epoch_key_holds_nothing_of_a_shredded_file() {
    let scene = Scene::build();
    let (inside, beside, files) = (scene.at("inside"), scene.at("beside"), scene.at("files"));
    run(furnish(&scene.data));
    let (record, decision, sha) = run(marked(&scene.data));
    good(backup(&scene.data, &inside, &scene.secret));
    good(backup_beside(&scene, &beside, &files));
    let (record, decision) = (record.to_string(), decision.to_string());
    let shred = ["ledger", "shred", "--data", path(&scene.data), "--record", &record];
    good(ume(&[&shred[..], &["--decision", &decision]].concat()));
    assert_eq!(content(&scene.data, &sha), None);
    assert_eq!(hits(&scene.data, MARKER), Vec::<PathBuf>::new());
    let after = scene.at("after");
    good(backup_beside(&scene, &after, &files));

    // With the epoch key of its day an older one opens the file: so it is the key that counts below.
    good(restore_beside(&scene, &beside, &files, &scene.at("whole")));
    let found = content(&scene.at("whole"), &sha).unwrap();
    assert_eq!(found, MARKER.repeat(5_000).as_bytes());
    let (old, old_beside) = (scene.at("old"), scene.at("old beside"));
    let newest = epoch_of(&after);
    let restored = [
        (restore_with(&inside, &old, &scene.secret, &newest), &old),
        (restore_shelf(&scene, &beside, &files, &old_beside, &newest), &old_beside),
    ];
    for (output, folder) in restored {
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("its epoch key is missing"), "{}", text(&output));
        assert_eq!(content(folder, &sha), None);
        assert_eq!(hits(folder, MARKER), Vec::<PathBuf>::new());
    }
    assert_eq!(hits(&files, MARKER), Vec::<PathBuf>::new());
    good(restore_beside(&scene, &after, &files, &scene.at("new")));
}

/// Undoes in a folder what this Ume does to files: as the one before left them, in the clear.
async fn as_before(data: &Path, sha256: &str, content: &str) {
    let store = open(data).await;
    let blob = store.blob(sha256).await.unwrap().unwrap();
    fs::remove_file(store.blob_path(&blob).unwrap()).unwrap();
    let mut tx = store.db().begin().await.unwrap();
    for sql in [
        "DROP INDEX blob_by_file",
        "ALTER TABLE blob DROP COLUMN file",
        "ALTER TABLE blob DROP COLUMN cohort",
        "ALTER TABLE blob DROP COLUMN slot",
        "DELETE FROM migration WHERE number = 14",
    ] {
        tx.execute(sql, &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
    store.scrub().await.unwrap();
    store.db().close().await;
    let clear = data.join("blobs").join(&sha256[..2]).join(sha256);
    fs::create_dir_all(clear.parent().unwrap()).unwrap();
    fs::write(clear, content).unwrap();
}

/// Packs a folder as the Ume before this one did, format 1.
fn pack_as_before(scene: &Scene, to: &Path) {
    let secret = fs::read_to_string(&scene.secret).unwrap().trim().to_owned();
    let encryptor = || {
        let mut recipient = age::scrypt::Recipient::new(secret.clone().into());
        recipient.set_work_factor(10);
        age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap()
    };
    let mut all = Vec::new();
    walk(&scene.data, &mut all);
    let mut tar =
        tar::Builder::new(encryptor().wrap_output(fs::File::create(to).unwrap()).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    let mut sums = serde_json::Map::new();
    for file in all {
        let name = path(file.strip_prefix(&scene.data).unwrap()).to_owned();
        let known = ["ledger/", "blobs/"].iter().any(|folder| name.starts_with(folder));
        let key = name.starts_with("keys/") && name.ends_with(".keys");
        if name.ends_with("lock") || !(known || key || name == "ume.db") {
            continue;
        }
        let bytes = fs::read(&file).unwrap();
        add(&name, &bytes);
        sums.insert(name, json!({"bytes": bytes.len(), "sha256": sha256(&bytes)}));
    }
    let manifest = json!({"format": 1, "ume": "0.1.0", "made_at": "2026-11-27", "files": sums});
    add("manifest.json", &serde_json::to_vec(&manifest).unwrap());
    tar.into_inner().unwrap().finish().unwrap();
    let mut epoch = encryptor().wrap_output(fs::File::create(epoch_of(to)).unwrap()).unwrap();
    epoch.write_all(&fs::read(scene.data.join("keys/epoch")).unwrap()).unwrap();
    epoch.finish().unwrap();
}

#[test]
fn a_backup_from_before_files_were_sealed_restores_and_they_are_sealed_there() {
    let scene = Scene::build();
    let (old, target) = (scene.at("old"), scene.at("restored"));
    run(furnish(&scene.data));
    let text_ = MARKER.repeat(5_000);
    run(document(&scene.data, text_.as_bytes()));
    let sha = sha256(text_.as_bytes());
    run(as_before(&scene.data, &sha, &text_));
    assert_eq!(hits(&scene.data, MARKER).len(), 1);
    pack_as_before(&scene, &old);
    let whole = verify(&old, &scene.secret, Some(&epoch_of(&old)));
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    good(restore(&old, &target, &scene.secret));
    assert_eq!(content(&target, &sha).unwrap(), text_.as_bytes());
    assert_eq!(hits(&target, MARKER), Vec::<PathBuf>::new());
    good(ume(&["ledger", "verify", "--data", path(&target)]));
    // Without its key nothing can be sealed: they wait as they are until it is back.
    let bare = scene.at("bare");
    let locked = restore_with(&old, &bare, &scene.secret, &scene.at("no key"));
    assert!(bare.join("ume.db").exists(), "{}", text(&locked));
    fs::copy(scene.data.join("keys/epoch"), bare.join("keys/epoch")).unwrap();
    run(async { open(&bare).await.db().close().await });
    assert_eq!(content(&bare, &sha).unwrap(), text_.as_bytes());
    assert_eq!(hits(&bare, MARKER), Vec::<PathBuf>::new());
}

#[test]
fn an_empty_or_cut_file_is_said_to_be_one() {
    let scene = Scene::build();
    let file = scene.at("b");
    for (bytes, what) in [(&b""[..], "the file is empty"), (b"age-enc", "it ends within its head")]
    {
        fs::write(&file, bytes).unwrap();
        let found = verify(&file, &scene.secret, None);
        assert_eq!(found.status.code(), Some(1), "{}", text(&found));
        assert_eq!(json(&found)["faults"][0]["what"], what);
    }
}
