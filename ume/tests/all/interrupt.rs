//! Ctrl-C in long work: a message, exit 130, nothing half made, and the next run works. Bars stand on
//! a terminal and in no pipe.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ume"));
    command.args(args).env("UME_LOG", "warn").env_remove("UME_DATABASE").env("LC_ALL", "C");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[track_caller]
fn good(args: &[&str]) -> Output {
    let output = command(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    output
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Sends SIGINT after a moment, or as soon as `when` holds; gives `None` if the command was quicker.
fn interrupted(mut child: Child, when: impl Fn() -> bool) -> Option<Output> {
    while !when() {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap().success();
    let from = Instant::now();
    let output = child.wait_with_output().unwrap();
    if !sent || output.status.success() {
        return None;
    }
    assert!(from.elapsed() < Duration::from_secs(9), "{:?}", from.elapsed());
    if output.status.signal() == Some(2) {
        // Before the command had begun with anything.
        return Some(output);
    }
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
    assert!(text(&output).contains("stopped"), "{}", text(&output));
    Some(output)
}

fn after(wait: Duration) -> impl Fn() -> bool {
    let from = Instant::now();
    move || from.elapsed() > wait
}

/// A folder with rows and a passphrase file.
fn house(root: &Path, rows: usize) -> (std::path::PathBuf, std::path::PathBuf) {
    let (data, secret) = (root.join("data"), root.join("secret"));
    fs::write(&secret, "correct horse battery\n").unwrap();
    good(&["setup", "--admin", "umeko", "--password-file", path(&secret), "--data", path(&data)]);
    good(&["asset", "import", "--kind", "site", path(&table(root, rows)), "--data", path(&data)]);
    good(&["ledger", "publish", "--to", path(&root.join("published")), "--data", path(&data)]);
    (data, secret)
}

fn table(root: &Path, rows: usize) -> std::path::PathBuf {
    let file = root.join(format!("{rows}.csv"));
    let rows: String = (0..rows).map(|n| format!("site {n},Tokyo {n}\n")).collect();
    fs::write(&file, format!("name,address\n{rows}")).unwrap();
    file
}

#[test]
fn a_backup_that_is_stopped_leaves_nothing_and_its_name_free() {
    let root = tempfile::tempdir().unwrap();
    let (data, secret) = house(root.path(), 200);
    let out = root.path().join("out");
    fs::create_dir(&out).unwrap();
    let file = out.join("ume.backup");
    let args =
        ["backup", "--data", path(&data), "--to", path(&file), "--passphrase-file", path(&secret)];
    let mut stopped = 0;
    for wait in [20, 150, 400, 900] {
        let child = command(&args).spawn().unwrap();
        match interrupted(child, after(Duration::from_millis(wait))) {
            Some(_) => stopped += 1,
            None => {
                for name in names(&out) {
                    fs::remove_file(out.join(name)).unwrap();
                }
            }
        }
        assert!(names(&out).is_empty(), "{:?}", names(&out));
        assert!(!data.join("backup.tmp").exists());
    }
    assert!(stopped > 0, "no run was stopped");
    good(&args);
    // The import left a record whose payload opens with the epoch key only.
    let epoch = format!("{}.epoch", path(&file));
    good(&["verify", "--from", path(&file), "--passphrase-file", path(&secret), "--epoch", &epoch]);
}

#[test]
fn a_restore_that_is_stopped_or_killed_leaves_a_folder_the_next_one_takes() {
    let root = tempfile::tempdir().unwrap();
    let (data, secret) = house(root.path(), 200);
    let (file, target) = (root.path().join("ume.backup"), root.path().join("target"));
    good(&[
        "backup",
        "--data",
        path(&data),
        "--to",
        path(&file),
        "--passphrase-file",
        path(&secret),
    ]);
    let epoch = format!("{}.epoch", path(&file));
    let args = [
        "restore",
        "--from",
        path(&file),
        "--data",
        path(&target),
        "--passphrase-file",
        path(&secret),
        "--epoch",
        &epoch,
    ];
    let staging = target.join("restore.tmp");
    let stopped = interrupted(command(&args).spawn().unwrap(), || staging.exists());
    assert!(stopped.is_some(), "the restore was quicker than the signal");
    assert!(!target.exists(), "{:?}", names(&target));
    let mut child = command(&args).spawn().unwrap();
    while !staging.join("ume.db").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the restore was quicker than the kill");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(&target), ["restore.tmp"]);
    good(&args);
    assert!(!staging.exists());
    good(&["ledger", "verify", "--data", path(&target)]);
}

#[test]
fn a_move_that_is_stopped_leaves_the_source_and_a_target_that_takes_the_next() {
    let root = tempfile::tempdir().unwrap();
    let (data, _) = house(root.path(), 5_000);
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    let (from, to) = (format!("sqlite:{}", path(&data)), format!("sqlite:{}/ume.db", path(&other)));
    let args = ["db", "move", "--from", &from, "--to", &to];
    let db = other.join("ume.db-wal");
    // Behind the schema, so among the rows.
    let begun = || fs::metadata(&db).is_ok_and(|meta| meta.len() > 400_000);
    let stopped = interrupted(command(&args).spawn().unwrap(), begun);
    if stopped.is_none() {
        eprintln!("the move was quicker than the signal");
        return;
    }
    good(&args);
    good(&["db", "check", "--from", &from, "--to", &to]);
}

#[test]
fn a_demonstration_that_is_stopped_leaves_an_empty_folder() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("demo");
    let args = ["demo", "--days", "60", "--until", "2026-11-25", "--data", path(&data)];
    let ledger = data.join("ledger/log");
    let stopped = interrupted(command(&args).spawn().unwrap(), || ledger.exists());
    assert!(stopped.is_some(), "the demonstration was quicker than the signal");
    assert!(names(&data).is_empty(), "{:?}", names(&data));
    let args = ["demo", "--days", "7", "--until", "2026-11-25", "--data", path(&data)];
    good(&args);
}

#[test]
fn an_import_that_is_stopped_saves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (data, _) = house(root.path(), 3);
    let many = table(root.path(), 8_000);
    let args = ["asset", "import", "--kind", "site", path(&many), "--data", path(&data)];
    let wal = data.join("ume.db-wal");
    let child = command(&args).spawn().unwrap();
    let stopped = interrupted(child, || fs::metadata(&wal).is_ok_and(|meta| meta.len() > 0));
    let listed = [
        "asset",
        "list",
        "--kind",
        "site",
        "--limit",
        "9000",
        "--format",
        "json",
        "--data",
        path(&data),
    ];
    let rows: serde_json::Value = serde_json::from_slice(&good(&listed).stdout).unwrap();
    let expected = if stopped.is_some() { 3 } else { 8_000 };
    assert_eq!(rows.as_array().unwrap().len(), expected);
    assert!(stopped.is_some(), "the import was quicker than the signal");
    good(&["ledger", "verify", "--data", path(&data)]);
}

#[test]
fn a_bar_stands_on_a_terminal_and_in_no_pipe() {
    let root = tempfile::tempdir().unwrap();
    let (data, secret) = house(root.path(), 3);
    let file = root.path().join("ume.backup");
    let backup =
        ["backup", "--data", path(&data), "--to", path(&file), "--passphrase-file", path(&secret)];
    let piped = good(&backup);
    assert!(piped.stderr.is_empty(), "{}", text(&piped));
    let verify = ["verify", "--from", path(&file), "--passphrase-file", path(&secret)];
    let script = "import pty,sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    let shown = Command::new("python3")
        .args(["-c", script, env!("CARGO_BIN_EXE_ume")])
        .args(verify)
        .envs([("LC_ALL", "C"), ("TERM", "xterm"), ("UME_LOG", "warn")])
        .output();
    let Ok(shown) = shown else {
        eprintln!("skipped: no python3 here");
        return;
    };
    assert!(text(&shown).contains("unpacking the backup"), "{}", text(&shown));
}
