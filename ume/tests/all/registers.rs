//! The registers from the command line, on the built program: with the folder alone, and through a
//! server that holds it.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value as Json;

fn ume(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ume"))
        .args(words)
        .env("UME_DATA", folder)
        .env("LC_ALL", "en_US.UTF-8")
        .output()
        .unwrap()
}

#[track_caller]
fn good(folder: &Path, words: &[&str]) -> String {
    let output = ume(folder, words);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn refused(folder: &Path, words: &[&str]) -> String {
    let output = ume(folder, words);
    assert_eq!(output.status.code(), Some(2), "{words:?} was not refused");
    String::from_utf8(output.stderr).unwrap()
}

/// A server that ends with the test.
struct Server(Child);

impl Server {
    fn start(folder: &Path) -> (Server, String) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(env!("CARGO_BIN_EXE_ume"))
            .args(["serve", "--listen", &address])
            .env("UME_DATA", folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (server, until) = (Server(child), Instant::now() + Duration::from_secs(60));
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(Instant::now() < until, "the server did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        (server, format!("http://{address}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with an account.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "plum blossoms in march\n").unwrap();
    let file = password.to_str().unwrap();
    good(folder.path(), &["setup", "--admin", "umeko", "--password-file", file]);
    folder
}

/// The same work whichever way it goes: `way` names the server, or nothing.
fn work_on_assets(folder: &Path, way: &[&str], name: &str) {
    let with = |words: &[&str]| -> Vec<String> {
        words.iter().chain(way).map(|w| (*w).to_owned()).collect()
    };
    let run = |words: &[&str]| {
        let words = with(words);
        good(folder, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let refuse = |words: &[&str]| {
        let words = with(words);
        refused(folder, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let host = format!("hostname={name}");
    let add = ["asset", "add", "--kind", "host", "--name", name, "--set", &host];
    let error = refuse(&add);
    assert!(error.contains("/attributes/os"), "{error}");
    let id = run(&[&add[..], &["--set", "os=Debian 12"]].concat()).trim().to_owned();
    let edited = run(&["asset", "edit", &id, "--set", "os=Debian 13", "--reason", "upgrade"]);
    assert_eq!(edited, format!("{id} version 2\n"));
    let error = refuse(&["asset", "edit", &id, "--set", "os=x", "--version", "1"]);
    assert!(error.contains("changed this first"), "{error}");

    let row: Json =
        serde_json::from_str(&run(&["asset", "show", &id, "--format", "json"])).unwrap();
    assert_eq!(row["attributes"]["os"], "Debian 13");
    let history: Json =
        serde_json::from_str(&run(&["asset", "history", &id, "--format", "json"])).unwrap();
    let by: Vec<&str> =
        history.as_array().unwrap().iter().filter_map(|v| v["reason"].as_str()).collect();
    assert_eq!(by, ["upgrade", ""]);
    assert!(run(&["asset", "list", "--q", name]).contains(&id));

    // What is exported comes back as it is.
    let csv = folder.join("hosts.csv");
    let csv = csv.to_str().unwrap();
    run(&["asset", "export", "--kind", "host", "--out", csv]);
    let text = std::fs::read_to_string(csv).unwrap();
    assert!(text.starts_with("id,version,name,hostname,"), "{text}");
    let done = run(&["asset", "import", "--kind", "host", csv]);
    let same = text.lines().count() - 1;
    assert!(
        done.lines().any(|l| l.starts_with("same") && l.ends_with(&same.to_string())),
        "{done}"
    );

    let record = [
        "record",
        "add",
        "--kind",
        "isms.training_completed",
        "--set",
        "source=migration",
        "--set",
        "course=2026年度の情報セキュリティ教育",
    ];
    let id = run(&record).trim().to_owned();
    let record: Json =
        serde_json::from_str(&run(&["record", "show", &id, "--format", "json"])).unwrap();
    assert_eq!(record["assurance"], "imported");
    let listed = run(&["record", "list", "--kind", "isms.training_completed", "--format", "csv"]);
    assert!(listed.contains(&id), "{listed}");
    let error = refuse(&["record", "edit", &id, "--set", "course=x"]);
    assert!(error.contains("immutable"), "{error}");
    let error = refuse(&[
        "decision",
        "add",
        "--kind",
        "exclusion",
        "--name",
        "8.11",
        "--set",
        "status=approved",
    ]);
    assert!(error.contains("signature"), "{error}");
}

#[test]
fn registers_are_worked_on_in_the_folder_and_through_its_server() {
    let folder = folder();
    let folder = folder.path();
    work_on_assets(folder, &[], "alone");

    let token = good(folder, &["token", "add", "--login", "umeko", "--name", "test"]);
    let file = folder.join("token");
    std::fs::write(&file, &token).unwrap();
    let (server, url) = Server::start(folder);
    let way = ["--server", &url, "--token-file", file.to_str().unwrap()];
    work_on_assets(folder, &way, "served");
    // Neither reading nor writing on the machine itself needs a token.
    assert!(good(folder, &["asset", "list"]).contains("served"));
    work_on_assets(folder, &[], "beside");

    let tokens: Json =
        serde_json::from_str(&good(folder, &["token", "list", "--format", "json"])).unwrap();
    assert!(tokens[0]["used_at"].is_string() && !tokens.to_string().contains(token.trim()));
    good(folder, &["token", "revoke", tokens[0]["id"].as_str().unwrap()]);
    let list = ["asset", "list", way[0], way[1], way[2], way[3]];
    assert!(refused(folder, &list).contains("401"));
    drop(server);
    assert!(refused(folder, &list).contains("Is the server running"));
    // What came in either way stands in the ledger and verifies.
    let (server, _) = Server::start(folder);
    std::thread::sleep(Duration::from_secs(2));
    drop(server);
    good(folder, &["ledger", "verify"]);
}
