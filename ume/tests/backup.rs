//! Backup beside a running server, restore elsewhere, and what a restore refuses.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

fn ume(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ume")).args(args).env("UME_LOG", "warn").output().unwrap()
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Ends the server however the test ends.
struct Server(Child);

impl Server {
    fn start(data: &Path) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ume"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data", path(data)])
            .env("UME_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("http://"), "{line}");
        Server(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

/// Type and facts of every record of a folder.
fn records(folder: &Path) -> Vec<(String, String)> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = store::Store::open_read_only(folder, store::system_clock()).await.unwrap();
        let rows = store.db().fetch("SELECT type, facts FROM record", &[]).await.unwrap();
        store.db().close().await;
        let text = |v: &store::Val| v.text().unwrap().to_owned();
        rows.iter().map(|r| (text(&r[0]), text(&r[1]))).collect()
    })
}

#[test]
fn a_killed_backup_leaves_no_half_file_and_the_next_one_works() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let (data, secret, out) = (at("data"), at("secret"), at("out"));
    fs::write(&secret, "correct horse battery\n").unwrap();
    fs::create_dir(&out).unwrap();
    let _server = Server::start(&data);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let args = |to: &Path| {
        ["backup", "--data", path(&data), "--to", path(to), "--passphrase-file", path(&secret)]
            .map(str::to_owned)
    };
    for n in 0..12u64 {
        let file = out.join(format!("{n}.backup"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_ume"))
            .args(args(&file))
            .env("UME_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20 + n * 70));
        child.kill().unwrap();
        child.wait().unwrap();
        // Under the final name stands a whole backup or nothing.
        if file.exists() {
            let target = at(&format!("whole{n}"));
            let restored = ume(&[
                "restore",
                "--from",
                path(&file),
                "--data",
                path(&target),
                "--passphrase-file",
                path(&secret),
            ]);
            assert!(restored.status.success(), "{}", text(&restored));
        }
    }
    let file = out.join("last.backup");
    let args = args(&file);
    let made = ume(&args.each_ref().map(String::as_str));
    assert!(made.status.success(), "{}", text(&made));
    assert!(!data.join("backup.tmp").exists());
}

#[test]
fn a_backup_of_a_running_server_restores_and_verifies() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let (data, file, secret) = (at("data"), at("ume.backup"), at("secret"));
    fs::write(&secret, "correct horse battery\n").unwrap();
    let server = Server::start(&data);
    let backup = |to: &Path| {
        ume(&[
            "backup",
            "--data",
            path(&data),
            "--to",
            path(to),
            "--passphrase-file",
            path(&secret),
        ])
    };
    // The first one falls into the busiest moment: the machine is just being registered.
    let early = at("early.backup");
    let made = backup(&early);
    assert!(made.status.success(), "{}", text(&made));
    std::thread::sleep(std::time::Duration::from_secs(3));
    let made = backup(&file);
    assert!(made.status.success(), "{}", text(&made));
    drop(server);
    assert!(!data.join("backup.tmp").exists());
    let again = backup(&file);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again));
    assert!(text(&again).contains("exists already"), "{}", text(&again));

    let restore = |from: &Path, to: &Path, secret: &Path| {
        ume(&[
            "restore",
            "--from",
            path(from),
            "--data",
            path(to),
            "--passphrase-file",
            path(secret),
        ])
    };
    for (from, to) in [(&early, at("early")), (&file, at("restored"))] {
        let restored = restore(from, &to, &secret);
        assert!(restored.status.success(), "{}", text(&restored));
        assert!(text(&restored).contains(" 0 mismatches"), "{}", text(&restored));
        let verified = ume(&["ledger", "verify", "--data", path(&to)]);
        assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
    }
    let verified = ume(&["ledger", "verify", "--data", path(&at("restored"))]);
    assert!(!text(&verified).starts_with("0 leaves"), "{}", text(&verified));
    // A server takes the restored folder up, and its events: spool, counts and archive came along.
    assert!(at("restored").join("stream/counters.json").exists());
    assert!(at("restored").join("stream/spool").is_dir());
    drop(Server::start(&at("restored")));

    // A drill leaves its record in the restored data and in those it was a drill for.
    let drill = ume(&[
        "restore",
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
