//! The ledger through the real binary, and read by Go's transparency log code, which shares nothing
//! with ours.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ledger::{Ledger, drain};
use model::{Assurance, Id, Table, Timestamp};
use serde_json::json;
use store::{Record, RecordDraft, Row, Store, system_clock};

const ORIGIN: &str = "example.org/ume";
const MARKER: &str = "MARKER-9b1d";

fn ume(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ume")).args(args).env("UME_LOG", "error").output().unwrap()
}

fn good(args: &[&str]) -> String {
    let output = ume(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and message of a command that must not succeed.
fn refused(args: &[&str]) -> (i32, String) {
    let output = ume(args);
    assert!(!output.status.success(), "{args:?} went through");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn open(folder: &Path) -> (Store, Ledger) {
    let store = Store::open(folder, system_clock()).await.unwrap();
    store.set_setting("ledger_origin", ORIGIN).await.unwrap();
    (store, Ledger::open(&folder.join("ledger"), ORIGIN).unwrap())
}

async fn records(store: &Store, count: i64, payload: Option<&str>) -> Vec<Record> {
    let mut write = store.write("tester", "why", "").await.unwrap();
    let mut out = Vec::new();
    for i in 0..count {
        let draft = RecordDraft {
            ty: "house.note".to_owned(),
            subject: None,
            observed_from: Timestamp(i),
            observed_to: Timestamp(i),
            source: "test".to_owned(),
            assurance: Assurance::Machine,
            facts: json!({"count": i, "text": "梅"}).as_object().unwrap().clone(),
            payload: payload.map(|p| p.as_bytes().to_vec()),
        };
        out.push(write.record(draft).await.unwrap());
    }
    write.commit().await.unwrap();
    out
}

async fn decision(store: &Store, kind: &str, name: &str, value: serde_json::Value) -> Id {
    let id = store.new_id().unwrap();
    let mut row = Row::new(Table::Decision, id, kind, kind);
    row.status = "approved".to_owned();
    row.ends_at = Some(store.now().plus_hours(1));
    row.attributes.insert(name.to_owned(), value);
    let mut write = store.write("officer", "why", "").await.unwrap();
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
    id
}

async fn settle(store: &Store, ledger: &mut Ledger) {
    while drain(store, ledger).await.unwrap() > 0 {}
    ledger.checkpoint().unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

fn go(ledger: &Path, rest: &[&Path]) -> Option<Output> {
    go_run(
        &[&[ledger.as_os_str()][..], &rest.iter().map(|p| p.as_os_str()).collect::<Vec<_>>()]
            .concat(),
    )
}

fn go_run(args: &[&std::ffi::OsStr]) -> Option<Output> {
    let sources = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog");
    let installed = Command::new("go").arg("version").output().is_ok() && sources.is_dir();
    if !installed {
        println!("skipped: no golang-go with golang-golang-x-mod-dev");
        return None;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golang/verify.go");
    let output = Command::new("go")
        .arg("run")
        .arg(program)
        .args(args)
        .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
        .output()
        .unwrap();
    Some(output)
}

#[tokio::test]
async fn go_verifies_our_checkpoints_tiles_bundles_and_proofs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (store, mut ledger) = open(path).await;
    let (mut all, mut older, mut files) = (Vec::new(), Vec::new(), Vec::<PathBuf>::new());
    for count in [1, 255, 1, 300, 767] {
        all.extend(records(&store, count, None).await);
        settle(&store, &mut ledger).await;
        let name = path.join(format!("checkpoint-{}", all.len()));
        fs::copy(path.join("ledger/checkpoint"), &name).unwrap();
        older.push(name);
    }
    assert_eq!(all.len(), 1_324);
    store.db().close().await;
    drop(ledger);
    for index in [0, 255, 256, 1_023, 1_323] {
        let (proof, entry) =
            (path.join(format!("{index}.proof")), path.join(format!("{index}.leaf")));
        let id = all[index].id.to_string();
        let data = text(path);
        let printed =
            good(&["ledger", "proof", "--data", data, "--record", &id, "--entry", text(&entry)]);
        fs::write(&proof, printed).unwrap();
        let vkey = path.join("ledger/vkey");
        let check = ["merkle", "check", text(&proof), "--entry", text(&entry), "--vkey"];
        assert_eq!(
            good(&[&check[..], &[text(&vkey)]].concat()),
            format!("entry {index} of 1324 in {ORIGIN}\n")
        );
        files.extend([proof, entry]);
    }
    let separator = PathBuf::from("--");
    let mut rest: Vec<&Path> = older.iter().map(PathBuf::as_path).collect();
    rest.push(&separator);
    rest.extend(files.iter().map(PathBuf::as_path));
    let Some(output) = go(&path.join("ledger"), &rest) else { return };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "1324 leaves, 5 older checkpoints, 5 proof files: all verified by Go's tlog and note\n"
    );
    // And it does refuse: another leaf for a proof, one changed byte in a bundle.
    let output = go(&path.join("ledger"), &[&separator, &files[0], &files[3]]).unwrap();
    assert!(!output.status.success());
    let bundle = path.join("ledger/tile/entries/002");
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[700] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    assert!(!go(&path.join("ledger"), &[]).unwrap().status.success());
}

#[tokio::test]
async fn go_verifies_our_cosigned_checkpoint_with_every_witness() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (store, mut ledger) = open(path).await;
    records(&store, 5, None).await;
    settle(&store, &mut ledger).await;
    let log = merkle::VerifierKey::parse(&ledger.verifier_key()).unwrap();
    let logs = [merkle::WitnessedLog { origin: ORIGIN.to_owned(), keys: vec![log.clone()] }];
    let mut keys = Vec::new();
    // As many as c2sp.org/signed-note asks readers to take.
    for number in 0..16 {
        let name = format!("witness.example/{number}");
        let mut desk = ledger::WitnessDesk::at(path.join(&name), &name);
        let key = desk.verifier_key().unwrap();
        let request = ledger.witness_request(0).unwrap();
        let answer =
            desk.add_checkpoint(&logs, request.to_string().as_bytes(), 1_795_600_000 + number);
        let line = answer.unwrap().unwrap();
        let line = merkle::cosignature_in(line.as_bytes(), request.note(), &key).unwrap();
        ledger.keep_cosignature(&key, &request, &line).unwrap();
        keys.push(key.to_string());
    }
    assert_eq!(ledger.signed_checkpoint().unwrap().lines().count(), 3 + 1 + 1 + 16);
    store.db().close().await;
    drop(ledger);
    let note = path.join("note");
    let printed = good(&["ledger", "checkpoint", "--cosigned", "--data", text(path)]);
    fs::write(&note, &printed).unwrap();
    let log = log.to_string();
    let run = |note: &Path, keys: &[String]| {
        let mut args = vec!["cosigned".as_ref(), note.as_os_str(), log.as_ref()];
        args.extend(keys.iter().map(std::ffi::OsStr::new));
        go_run(&args)
    };
    let Some(output) = run(&note, &keys) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "checkpoint of 5 leaves, signed by its log and 16 witnesses: verified by Go's note\n"
    );
    // Without one of them, and with a changed time, it does not.
    let cut = printed.lines().filter(|l| !l.contains("witness.example/7 "));
    fs::write(&note, cut.map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    assert!(!run(&note, &keys).unwrap().status.success());
    fs::write(&note, printed.replace("\n5\n", "\n6\n")).unwrap();
    assert!(!run(&note, &keys).unwrap().status.success());
}

#[tokio::test]
async fn shred_by_command_leaves_no_trace_and_a_ledger_that_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (store, mut ledger) = open(path).await;
    let record = records(&store, 1, Some(MARKER)).await.remove(0);
    let id = store.new_id().unwrap();
    // A person as the hall declares it, written before the store knew what is personal.
    let mut person = Row::new(Table::Party, id, "person", MARKER);
    person.attributes.insert("mail".to_owned(), json!(format!("{MARKER}@example.org")));
    let mut write = store.write("tester", "why", "").await.unwrap();
    write.put(person).await.unwrap();
    write.commit().await.unwrap();
    let no = decision(&store, "approval", "records", json!([record.id])).await;
    let yes = decision(&store, "shred", "records", json!([record.id])).await;
    let rows = decision(&store, "shred", "rows", json!([format!("party/{id}")])).await;
    settle(&store, &mut ledger).await;
    let data = text(path);
    let (record, row) = (record.id.to_string(), format!("party/{id}"));
    let shred = |decision: Id, what: &'static str, name: String| {
        let mut args = ["ledger", "shred", "--data", data].map(str::to_owned).to_vec();
        args.extend([what.to_owned(), name, "--decision".to_owned(), decision.to_string()]);
        args
    };
    let as_refs = |args: &[String]| args.iter().map(String::as_str).collect::<Vec<_>>().join("\0");
    let run = |args: Vec<String>, ok: bool| {
        let joined = as_refs(&args);
        let args: Vec<&str> = joined.split('\0').collect();
        if ok { good(&args) } else { refused(&args).1 }
    };
    // Another process holds the ledger.
    let message = run(shred(yes, "--record", record.clone()), false);
    assert!(message.contains("in use by another process"), "{message}");
    store.db().close().await;
    drop(ledger);
    let message = run(shred(no, "--record", record.clone()), false);
    assert!(message.contains("another kind"), "{message}");
    run(shred(yes, "--record", record), true);
    run(shred(rows, "--row", row), true);
    let hit = walk(path).into_iter().find(|file| {
        let bytes = fs::read(file).unwrap();
        [MARKER, &MARKER.to_lowercase()]
            .iter()
            .any(|m| bytes.windows(m.len()).any(|w| w == m.as_bytes()))
    });
    assert_eq!(hit, None);
    let report = good(&["ledger", "verify", "--data", data]);
    assert!(report.ends_with("0 mismatches\n2 shredded by decision\n"), "{report}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(walk(&path)) } else { out.push(path) }
    }
    out
}

#[tokio::test]
async fn a_restored_older_backup_takes_nothing_until_its_fork_is_decided() {
    let (folder, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, sink) = (folder.path(), away.path().join("checkpoint"));
    let data = text(path);
    let (store, mut ledger) = open(path).await;
    records(&store, 3, None).await;
    settle(&store, &mut ledger).await;
    store.db().close().await;
    drop(ledger);
    // Known to publish, then copied: a backup from before the leaves that follow.
    good(&["ledger", "publish", "--data", data, "--to", text(&sink)]);
    let backup = tempfile::tempdir().unwrap();
    copy(path, backup.path());
    let (store, mut ledger) = open(path).await;
    records(&store, 2, None).await;
    settle(&store, &mut ledger).await;
    store.db().close().await;
    drop(ledger);
    let printed = good(&["ledger", "publish", "--data", data, "--to", text(&sink)]);
    assert!(printed.ends_with("checkpoint of 5 leaves\n"), "{printed}");

    fs::remove_dir_all(path).unwrap();
    copy(backup.path(), path);
    let (code, message) = refused(&["ledger", "publish", "--data", data, "--to", text(&sink)]);
    assert_eq!(code, 2);
    assert!(message.contains("accept-fork") && message.contains("size 5"), "{message}");
    let published = fs::read(&sink).unwrap();
    // The pages still open, so that an officer can decide.
    let (store, mut ledger) = open(path).await;
    let wrong = decision(&store, "fork", "published_size", json!(4)).await;
    let right = decision(&store, "fork", "published_size", json!(5)).await;
    assert!(drain(&store, &mut ledger).await.is_err());
    assert_eq!(ledger.size(), 3);
    store.db().close().await;
    drop(ledger);
    let accept = |id: Id| {
        let id = id.to_string();
        ume(&["ledger", "accept-fork", "--data", data, "--decision", &id])
    };
    assert!(!accept(wrong).status.success());
    assert_eq!(fs::read(&sink).unwrap(), published);
    let output = accept(right);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Two decisions and the record of the fork stand in the log now.
    let printed = good(&["ledger", "publish", "--data", data, "--to", text(&sink)]);
    assert!(printed.ends_with("checkpoint of 6 leaves\n"), "{printed}");
    let report = good(&["ledger", "verify", "--data", data]);
    assert!(report.starts_with("6 leaves, 6 rows, 0 pending: 0 mismatches"), "{report}");
}

#[test]
fn merkle_commands_work_on_plain_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (lines, key, vkey, entry, proof) =
        (path("lines"), path("key"), path("vkey"), path("entry"), path("proof"));
    fs::write(&lines, "a\nb\nc\n").unwrap();
    let expected = merkle::root_of(&[b"a", b"b", b"c"].map(|e| merkle::leaf_hash(e)));
    let root = good(&["merkle", "root", "--lines", text(&lines)]);
    assert_eq!(root, format!("3 {}\n", hex::encode(expected)));
    // RFC 6962: the tree over one empty entry.
    fs::write(&entry, "").unwrap();
    assert_eq!(
        good(&["merkle", "root", text(&entry)]),
        "1 6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d\n"
    );
    let key_args = ["--key", text(&key), "--name", "example.org/log"];
    let public = good(&[&["merkle", "note", "key"][..], &key_args].concat());
    fs::write(&vkey, public).unwrap();
    assert_eq!(refused(&[&["merkle", "note", "key"][..], &key_args].concat()).0, 2);
    let prove = ["merkle", "prove", "--lines", text(&lines), "--index", "1"];
    fs::write(&proof, good(&[&prove[..], &key_args].concat())).unwrap();
    let check = ["merkle", "check", text(&proof), "--entry", text(&entry), "--vkey", text(&vkey)];
    assert_eq!(refused(&check).0, 1);
    fs::write(&entry, "b").unwrap();
    assert_eq!(good(&check), "entry 1 of 3 in example.org/log\n");

    witness_decides_on_plain_files(&path);
    let note = path("note");
    fs::write(&note, good(&[&["merkle", "note", "sign", text(&lines)][..], &key_args].concat()))
        .unwrap();
    let verify = ["merkle", "note", "verify", text(&note), "--vkey", text(&vkey)];
    assert_eq!(good(&verify), "a\nb\nc\n");
    fs::write(&note, fs::read_to_string(&note).unwrap().replace("b\n", "x\n")).unwrap();
    assert_eq!(refused(&verify).0, 1);
}

/// `ume merkle witness`: the log's first checkpoint, its growth, and a fork of it.
fn witness_decides_on_plain_files(path: &impl Fn(&str) -> PathBuf) {
    let log = merkle::Signer::from_seed("example.org/l", &[5; 32]).unwrap();
    let request = |old: u64, leaves: &[&str]| {
        let tree: merkle::MemTree =
            leaves.iter().map(|leaf| merkle::leaf_hash(leaf.as_bytes())).collect();
        let note = merkle::Checkpoint::new("example.org/l", tree.size(), tree.root());
        let proof = match old {
            0 => Vec::new(),
            old => merkle::consistency_proof(old, tree.size(), &tree).unwrap(),
        };
        let note = note.unwrap().sign(&log).unwrap();
        merkle::AddCheckpoint::new(old, proof, note).unwrap().to_string()
    };
    let (key, file, state) = (path("witness-key"), path("request"), path("state"));
    let vkey = log.verifier_key().to_string();
    good(&["merkle", "note", "key", "--key", text(&key), "--name", "w.example"]);
    let args = [
        "merkle",
        "witness",
        text(&file),
        "--vkey",
        &vkey,
        "--state",
        text(&state),
        "--time",
        "1795600000",
        "--key",
        text(&key),
        "--name",
        "w.example",
    ];
    fs::write(&file, request(0, &["a", "b"])).unwrap();
    assert!(good(&args).starts_with("— w.example "));
    let kept = fs::read(&state).unwrap();
    for (body, status) in [
        (request(0, &["a", "b", "c"]), "(409)"),
        (request(2, &["a", "x", "c"]), "(422)"),
        ("junk".to_owned(), "(400)"),
        (request(0, &["a"]).replace("example.org/l\n1", "example.org/m\n1"), "(404)"),
        (request(2, &["a", "b", "c"]).replace("\n3\n", "\n4\n"), "(403)"),
    ] {
        fs::write(&file, body).unwrap();
        let (code, message) = refused(&args);
        assert!(code == 1 && message.contains(status), "{message}");
        assert_eq!(fs::read(&state).unwrap(), kept);
    }
    fs::write(&file, request(2, &["a", "b", "c"])).unwrap();
    good(&args);
    assert_ne!(fs::read(&state).unwrap(), kept);
}
