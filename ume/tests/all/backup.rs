//! Backup beside a running server, restore elsewhere, and what a restore refuses.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::backups::*;

#[test]
fn a_backup_of_a_running_server_restores_and_verifies() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let (data, file, secret) = (at("data"), at("ume.backup"), at("secret"));
    fs::write(&secret, "correct horse battery\n").unwrap();
    let server = Server::start(&data);
    let backup = |to: &Path| backup(&data, to, &secret);
    // The first one falls into the busiest moment: the machine is just being registered.
    let early = at("early.backup");
    let made = backup(&early);
    assert!(made.status.success(), "{}", text(&made));
    // The second one when the first events are counted.
    for _ in 0..600 {
        if data.join("stream/counters.json").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let made = backup(&file);
    assert!(made.status.success(), "{}", text(&made));
    drop(server);
    assert!(!data.join("backup.tmp").exists());
    let again = backup(&file);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
    assert!(text(&again).contains("exists already"), "{}", text(&again));

    for (from, to) in [(&early, at("early")), (&file, at("restored"))] {
        let restored = restore(from, &to, &secret);
        assert!(restored.status.success(), "{}", text(&restored));
        assert!(text(&restored).contains(" 0 mismatches"), "{}", text(&restored));
        let verified = ume(&["ledger", "verify", "--data", path(&to)]);
        assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    }
    let verified = ume(&["ledger", "verify", "--data", path(&at("restored"))]);
    assert!(!text(&verified).starts_with("0 leaves"), "{}", text(&verified));
    // Without the epoch key everything proves, but no payload opens: checked, though not all of it.
    let nothing = at("nothing");
    let locked = restore_with(&file, &at("locked"), &secret, &nothing);
    assert_eq!(locked.status.code(), Some(3), "{}", text(&locked));
    assert!(text(&locked).contains("--epoch FILE.epoch"), "{}", text(&locked));
    // A backup is no epoch key.
    let wrong = restore_with(&file, &at("misled"), &secret, &file);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
    assert!(text(&wrong).contains("is no epoch key"), "{}", text(&wrong));
    assert!(!at("misled").exists());
    // A server takes the restored folder up, and its events: spool, counts and archive came along.
    assert!(at("restored").join("stream/counters.json").exists());
    assert!(at("restored").join("stream/spool").is_dir());
    drop(Server::start(&at("restored")));

    // A drill leaves its record in the restored data and in those it was a drill for.
    let drill = ume(&[
        "restore",
        "--epoch",
        path(&epoch_of(&file)),
        "--from",
        path(&file),
        "--data",
        path(&at("drill")),
        "--passphrase-file",
        path(&secret),
        "--drill-for",
        path(&data),
    ]);
    assert!(drill.status.success(), "{}", text(&drill));
    let sum = sha256(&fs::read(&file).unwrap());
    for folder in [&data, &at("drill")] {
        let records = records(folder);
        assert!(records.iter().any(|(ty, _)| ty == "isms.backup_made") || folder != &data);
        let restored = records.iter().find(|(ty, _)| ty == "isms.backup_restored").unwrap();
        assert!(restored.1.contains(&sum), "{restored:?}");
        assert!(restored.1.contains("\"mismatches\":0"), "{restored:?}");
    }

    // A folder with something in it is refused and left as it is.
    let full = at("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine"), "x").unwrap();
    let refused = restore(&file, &full, &secret);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused).contains("not empty"), "{}", text(&refused));
    assert_eq!(names(&full), ["mine"]);

    // A wrong passphrase leaves nothing.
    let wrong = at("wrong");
    fs::write(&wrong, "incorrect horse battery\n").unwrap();
    let refused = restore(&file, &at("none"), &wrong);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused).contains("wrong passphrase"), "{}", text(&refused));
    assert!(!at("none").exists());

    // So do a flipped bit, anywhere, and a cut; an empty folder that stood there stays.
    let empty = at("empty");
    fs::create_dir(&empty).unwrap();
    let sound = fs::read(&file).unwrap();
    let bad = at("bad");
    let places = [3, 60, sound.len() / 2, sound.len() - 1];
    let flipped = places.map(|place| {
        let mut bytes = sound.clone();
        bytes[place] ^= 1;
        bytes
    });
    let cut = [0, 100, sound.len() / 2, sound.len() - 1].map(|end| sound[..end].to_vec());
    for bytes in flipped.into_iter().chain(cut) {
        fs::write(&bad, bytes).unwrap();
        let refused = restore(&bad, &empty, &secret);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        assert!(text(&refused).contains("Nothing was restored"), "{}", text(&refused));
        assert!(names(&empty).is_empty());
    }
}

const SHREDDED: &str = "MARKER-0d1f";
const KEPT: &str = "MARKER-77aa";

/// A folder with two records that have payloads, and a decision to shred the first.
#[test]
fn what_was_learnt_of_logs_is_restored() {
    use monitoring::work::logs::watch::{Watch, joiner};
    let scene = Scene::build();
    drop(Server::start(&scene.data));
    // Ten days of a source, in the file that the server keeps.
    let calendar = steady::Calendar::japan();
    let (mut watch, begin) = (Watch::begin(0), 1_775_401_200_000_000i64);
    let lines = (0..10 * 96i64).map(|n| {
        let line = stream::RawLine::new("<30>1 - db1 app - - - nightly job finished");
        let arrived = model::Timestamp(begin + n * 15 * 60_000_000);
        let zone = jiff::tz::TimeZone::UTC;
        stream::Placed { end: 1, event: stream::parse(&line, "syslog", arrived, &zone) }
    });
    for placed in lines {
        watch.at = 0;
        watch.take(&mut joiner(), vec![placed], &calendar);
    }
    watch.at = 0;
    let learnt = watch.to_bytes();
    let folder = scene.data.join("stream/logs");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("state"), &learnt).unwrap();
    fs::write(folder.join("awake"), begin.to_string()).unwrap();

    let (file, restored) = (scene.at("ume.backup"), scene.at("restored"));
    let made = backup(&scene.data, &file, &scene.secret);
    assert!(made.status.success(), "{}", text(&made));
    let done = restore(&file, &restored, &scene.secret);
    assert!(done.status.success(), "{}", text(&done));
    let bytes = fs::read(restored.join("stream/logs/state")).unwrap();
    assert_eq!(bytes, learnt);
    let found = Watch::from_bytes(&bytes).unwrap();
    let lines = found.sources.lines(&calendar);
    let known = lines.iter().find(|line| line.host == "db1").unwrap();
    assert!(known.lines == 960 && known.usual.is_some(), "{known:?}");
    assert_eq!(fs::read(restored.join("stream/logs/awake")).unwrap(), begin.to_string().as_bytes());
    drop(Server::start(&restored));
}

async fn two_payloads(data: &Path) -> [model::Id; 3] {
    let store = store::Store::open(data, store::system_clock()).await.unwrap();
    store.set_setting("ledger_origin", "example.org/ume").await.unwrap();
    store.set_secret_setting(store::SECRET_SETTINGS[0], "open sesame").await.unwrap();
    let mut ledger = ledger::Ledger::open(&data.join("ledger"), "example.org/ume").unwrap();
    let mut write = store.write("tester", "why", "").await.unwrap();
    let mut ids = Vec::new();
    for text in [SHREDDED, KEPT] {
        let draft = store::RecordDraft {
            ty: "house.note".to_owned(),
            subject: None,
            observed_from: store.now(),
            observed_to: store.now(),
            source: "test".to_owned(),
            assurance: model::Assurance::Machine,
            facts: serde_json::Map::new(),
            payload: Some(text.as_bytes().to_vec()),
        };
        ids.push(write.record(draft).await.unwrap().id);
    }
    let decision = store.new_id().unwrap();
    let mut row = store::Row::new(model::Table::Decision, decision, "shred", "shred");
    row.status = "approved".to_owned();
    row.ends_at = Some(store.now().plus_hours(1));
    row.attributes.insert("records".to_owned(), serde_json::json!([ids[0]]));
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
    while ledger::drain(&store, &mut ledger).await.unwrap() > 0 {}
    ledger.checkpoint().unwrap();
    store.db().close().await;
    [ids[0], ids[1], decision]
}

/// What the payload of a record says, if it can be read.
fn payload(folder: &Path, id: model::Id) -> Option<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = store::Store::open_read_only(folder, store::system_clock()).await.unwrap();
        // One that does not open is an error of the store.
        let bytes = store.payload(id).await.ok().flatten();
        store.db().close().await;
        bytes.map(|bytes| String::from_utf8(bytes).unwrap())
    })
}

/// The secret setting of a folder, if it can be opened.
fn secret_setting(folder: &Path) -> Option<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = store::Store::open_read_only(folder, store::system_clock()).await.unwrap();
        let found = store.secret_setting(store::SECRET_SETTINGS[0]).await.ok().flatten();
        store.db().close().await;
        found
    })
}

#[test]
fn a_restore_has_the_same_head_and_an_older_backup_cannot_open_what_was_shredded_since() {
    let scene = Scene::build();
    let at = |name: &str| scene.at(name);
    let (data, secret) = (scene.data.clone(), scene.secret.clone());
    let [shredded, kept, decision] = run(two_payloads(&data));
    let sink = at("sink");
    let published = ume(&["ledger", "publish", "--data", path(&data), "--to", path(&sink)]);
    assert!(published.status.success(), "{}", text(&published));
    let (before, after) = (at("before"), at("after"));
    let made = backup(&data, &before, &secret);
    assert!(made.status.success(), "{}", text(&made));
    let head = fs::read(data.join("ledger/checkpoint")).unwrap();
    let (record, decision) = (shredded.to_string(), decision.to_string());
    let shred = ["ledger", "shred", "--data", path(&data), "--record", &record];
    let done = ume(&[&shred[..], &["--decision", &decision]].concat());
    assert!(done.status.success(), "{}", text(&done));
    let made = backup(&data, &after, &secret);
    assert!(made.status.success(), "{}", text(&made));

    // With the epoch key of its own day the older one opens everything, and its head is the old one.
    let whole = restore(&before, &at("whole"), &secret);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    let verified = ume(&["ledger", "verify", "--data", path(&at("whole"))]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    assert_eq!(fs::read(at("whole").join("ledger/checkpoint")).unwrap(), head);
    for name in ["published", "sinks"] {
        let restored = fs::read(at("whole").join("ledger").join(name)).unwrap();
        assert_eq!(restored, fs::read(data.join("ledger").join(name)).unwrap(), "{name}");
    }
    assert_eq!(payload(&at("whole"), shredded).as_deref(), Some(SHREDDED));
    // With the newest, the only one that is kept, what was shredded stays shut, and that is said.
    let old = restore_with(&before, &at("old"), &secret, &epoch_of(&after));
    assert_eq!(old.status.code(), Some(1), "{}", text(&old));
    assert!(text(&old).contains("its epoch key is missing"), "{}", text(&old));
    assert_eq!(payload(&at("old"), shredded), None);
    // The newest backup with its key is whole, without what was shredded.
    let new = restore(&after, &at("new"), &secret);
    assert_eq!(new.status.code(), Some(0), "{}", text(&new));
    assert_eq!(payload(&at("new"), kept).as_deref(), Some(KEPT));
    assert_eq!(payload(&at("new"), shredded), None);
    // The key of the secret settings travels with the epoch key, and with nothing else.
    for name in ["whole", "old", "new"] {
        assert_eq!(secret_setting(&at(name)).as_deref(), Some("open sesame"), "{name}");
    }
    let arguments = ["restore", "--from", path(&after), "--passphrase-file", path(&secret)];
    let bare = at("bare");
    ume(&[&arguments[..], &["--data", path(&bare)]].concat());
    assert!(bare.join("ume.db").exists());
    assert_eq!(secret_setting(&bare), None);
}

#[test]
fn a_backup_is_verified_whole_without_a_trace_and_a_flipped_byte_is_located() {
    let scene = Scene::build();
    let at = |name: &str| scene.at(name);
    let (data, file, secret) = (scene.data.clone(), at("ume.backup"), scene.secret.clone());
    run(two_payloads(&data));
    let made = backup(&data, &file, &secret);
    assert!(made.status.success(), "{}", text(&made));
    let epoch = epoch_of(&file);
    let before = names(scene.root.path());

    let whole = verify(&file, &secret, Some(&epoch));
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    let found = json(&whole);
    assert_eq!((&found["mismatches"], &found["unreadable"]), (&0.into(), &0.into()), "{found}");
    assert!(found["leaves"].as_u64() >= Some(3) && found["rows"].as_u64() >= Some(3), "{found}");
    assert_eq!(found["sha256"], sha256(&fs::read(&file).unwrap()));
    let locked = verify(&file, &secret, None);
    assert_eq!(locked.status.code(), Some(3), "{}", text(&locked));
    assert_eq!(json(&locked)["unreadable"], 2);
    assert_eq!(names(scene.root.path()), before, "nothing beside the backup");

    let sound = fs::read(&file).unwrap();
    let bad = at("bad");
    for place in [2, 400, sound.len() / 2, sound.len() - 1] {
        let mut bytes = sound.clone();
        bytes[place] ^= 1;
        fs::write(&bad, &bytes).unwrap();
        let found = verify(&bad, &secret, Some(&epoch));
        assert_eq!(found.status.code(), Some(1), "{place}: {}", text(&found));
        let fault = &json(&found)["faults"][0];
        assert_eq!(fault["place"], path(&bad));
        // The format authenticates pieces of 64 KiB: the place is the end of the piece.
        let offset = fault["offset"].as_u64().unwrap() as usize;
        assert!((place..=place + (65 << 10)).contains(&offset), "{place}: {fault}");
    }
    let mut bytes = fs::read(&epoch).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&bad, &bytes).unwrap();
    let found = verify(&file, &secret, Some(&bad));
    assert_eq!(found.status.code(), Some(1), "{}", text(&found));
    assert_eq!(json(&found)["faults"][0]["place"], path(&bad));
    let wrong = at("wrong");
    fs::write(&wrong, "incorrect horse battery\n").unwrap();
    assert_eq!(verify(&file, &wrong, None).status.code(), Some(2));
}

#[test]
fn a_killed_backup_blocks_no_name_and_takes_no_epoch_key_that_is_not_its_own() {
    let scene = Scene::build();
    let at = |name: &str| scene.at(name);
    let (data, file, secret) = (scene.data.clone(), at("ume.backup"), scene.secret.clone());
    run(two_payloads(&data));
    let start = |to: &Path| {
        Command::new(env!("CARGO_BIN_EXE_ume"))
            .args(["backup", "--data", path(&data), "--to", path(to)])
            .args(["--passphrase-file", path(&secret)])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    // Killed in the moment between the epoch key and the backup, which the second scrypt makes long.
    let mut left = false;
    for n in 0..5 {
        let file = at(&format!("{n}.backup"));
        let mut child = start(&file);
        while !epoch_of(&file).exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        left = !file.exists() && epoch_of(&file).exists();
        if left {
            let again = backup(&data, &file, &secret);
            assert!(again.status.success(), "{}", text(&again));
            let whole = verify(&file, &secret, Some(&epoch_of(&file)));
            assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
            break;
        }
    }
    assert!(left, "no kill fell between the two files");
    assert!(
        !names(scene.root.path()).iter().any(|n| n.ends_with(".tmp")),
        "{:?}",
        names(scene.root.path())
    );
    assert!(!data.join("backup.begun").exists());
    // An epoch key that no killed run of this folder left stays, and keeps its name taken.
    fs::write(epoch_of(&file), "another's").unwrap();
    let refused = backup(&data, &file, &secret);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert_eq!(fs::read(epoch_of(&file)).unwrap(), b"another's");
}
