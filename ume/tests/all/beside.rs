//! Commands with a server and without one: each writes either way, and says who did it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream,
        process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value as Json;

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ume"));
    command.args(args).env("UME_LOG", "warn").env_remove("UME_DATABASE").env("LC_ALL", "C");
    command
}

struct Ume {
    root: tempfile::TempDir,
    server: Option<Child>,
}

impl Ume {
    fn new() -> Ume {
        Ume { root: tempfile::tempdir().unwrap(), server: None }
    }

    fn data(&self) -> std::path::PathBuf {
        self.root.path().join("data")
    }

    fn start(&mut self) {
        let data = self.data();
        let mut child =
            command(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("http"), "{line}");
        self.server = Some(child);
    }

    fn signal(&mut self, name: &str) -> std::process::ExitStatus {
        let mut child = self.server.take().unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        child.wait().unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        let data = self.data();
        command(&[args, &["--data", data.to_str().unwrap()]].concat()).output().unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Json {
        let output = self.run(&[args, &["--format", "json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)))
    }

    #[track_caller]
    fn fails(&self, args: &[&str], word: &str) {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(word), "{args:?}: {}", text(&output));
    }

    fn socket(&self) -> std::path::PathBuf {
        self.data().join("ume.sock")
    }
}

impl Drop for Ume {
    fn drop(&mut self) {
        if let Some(child) = &mut self.server {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

fn uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid()
}

/// Every writing command, as it must work with a server and without one.
fn every_command_that_writes(ume: &Ume, round: &str) {
    let login = format!("hana-{round}");
    let made = ume.json(&["user", "add", &login, "--role", "auditor"]);
    assert_eq!(made["role"], "auditor");
    assert!(made["password"].as_str().unwrap().len() > 12);
    ume.fails(&["user", "add", &login], "exists already");
    ume.fails(&["user", "disable", "nobody"], "no account nobody");
    for act in [&["user", "disable", &login][..], &["user", "enable", &login]] {
        assert_eq!(ume.json(act)["changed"], true, "{act:?}");
    }
    ume.json(&["user", "role", &login, "officer"]);
    ume.json(&["user", "reset-password", &login, "--second-factor"]);
    assert_eq!(ume.json(&["user", "recovery", &login])["codes"].as_array().unwrap().len(), 10);
    let token = ume.json(&["token", "add", "--login", &login, "--name", "test"]);
    ume.json(&["token", "revoke", token["id"].as_str().unwrap()]);
    ume.fails(&["token", "revoke", token["id"].as_str().unwrap()], "no token");
    let agent = ume.json(&["agent", "token", "--name", "web-1"]);
    assert!(agent["token"].as_str().unwrap().len() > 40, "{agent}");
    ume.fails(&["agent", "revoke", "nobody"], "no active agent");

    let secret = ume.root.path().join("secret");
    fs::write(&secret, "a client secret\n").unwrap();
    let issuer = ["oidc", "set", "--issuer", "https://id.example.com", "--client-id", "ume"];
    let rest = ["--client-secret-file", secret.to_str().unwrap(), "--role", "staff=employee"];
    ume.json(&[&issuer[..], &rest].concat());
    assert_eq!(ume.json(&["oidc", "show"])["issuer"], "https://id.example.com");
    ume.json(&["oidc", "off"]);

    let name = format!("web-{round}");
    let row =
        ume.json(&["asset", "add", "--kind", "site", "--name", &name, "--set", "address=Tokyo"]);
    let id = row["id"].as_str().unwrap();
    let edited = ume.json(&["asset", "edit", id, "--name", &format!("{name}-2")]);
    assert_eq!(edited["version"], 2);
    let table = ume.root.path().join("sites.csv");
    fs::write(&table, format!("name,address\n{name}-3,Osaka\n{name}-4,Kyoto\n")).unwrap();
    let done = ume.json(&["asset", "import", "--kind", "site", table.to_str().unwrap()]);
    assert_eq!(done["added"], 2, "{done}");
    let history = ume.json(&["asset", "history", id]);
    let actor = history[0]["updated_by"].as_str().unwrap();
    assert!(actor.starts_with("local:"), "{history}");
    assert_eq!(history[0]["request"], "command line");

    let out = ume.root.path().join(format!("published-{round}"));
    let published = ume.json(&["ledger", "publish", "--to", out.to_str().unwrap()]);
    assert!(published["size"].as_u64().unwrap() > 10 && out.exists(), "{published}");
    let no_decision = "01936b3a-0000-7000-8000-000000000000";
    ume.fails(
        &["ledger", "shred", "--row", &format!("asset/{id}"), "--decision", no_decision],
        "does not exist",
    );
    assert!(ume.json(&["ledger", "accept-fork", "--decision", no_decision])["fork"].is_null());
    assert!(ume.json(&["db", "reindex"])["rows"].as_u64().unwrap() > 3);
    let ran = ume.run(&["work", "run", "configuration.collect"]);
    assert!(ran.status.success(), "{}", text(&ran));
}

#[test]
fn every_command_that_writes_works_beside_a_server_and_without_one() {
    let mut ume = Ume::new();
    ume.start();
    every_command_that_writes(&ume, "beside");
    // The act is evidence like one in the pages, and the local administrator is its actor.
    let records = ume.json(&["record", "list", "--kind", "isms.account_changed"]);
    let actors: Vec<&str> =
        records.as_array().unwrap().iter().filter_map(|r| r["actor"].as_str()).collect();
    assert!(actors.len() >= 6, "{records}");
    assert!(actors.iter().all(|a| a.starts_with("local:")), "{actors:?}");
    assert!(ume.signal("-INT").success());
    assert!(!ume.socket().exists(), "the socket goes with the server");
    every_command_that_writes(&ume, "alone");
    let verified = ume.run(&["ledger", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
}

#[test]
fn the_socket_is_private_replaced_after_a_kill_and_not_opened_by_what_is_no_socket() {
    let mut ume = Ume::new();
    ume.start();
    let meta = fs::metadata(ume.socket()).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    ume.signal("-KILL");
    assert!(ume.socket().exists(), "a killed server leaves it");
    // With nobody behind it the folder is free, so the command takes the folder.
    ume.json(&["user", "add", "a"]);
    ume.start();
    ume.json(&["user", "add", "b"]);
    ume.signal("-TERM");
    fs::write(ume.socket(), "mine").unwrap();
    ume.fails(&["serve", "--listen", "127.0.0.1:0"], "no socket of Ume");
    assert_eq!(fs::read(ume.socket()).unwrap(), b"mine");
}

/// Sends one request by hand and gives the status line.
fn by_hand(socket: &Path, request: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn another_user_is_refused_even_where_the_mode_would_let_them() {
    let mut ume = Ume::new();
    ume.start();
    let request = "GET /api/v1/assets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(by_hand(&ume.socket(), request).unwrap().contains("200"));
    if uid() != 0 {
        eprintln!("skipped: only root can try as another user");
        return;
    }
    for (path, mode) in
        [(ume.root.path().to_owned(), 0o755), (ume.data(), 0o755), (ume.socket(), 0o666)]
    {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.settimeout(20)\n\
                  s.connect(sys.argv[1])\ns.sendall(sys.argv[2].encode())\n\
                  sys.stdout.write(repr(s.recv(100)))";
    let other = Command::new("python3")
        .args(["-c", script, ume.socket().to_str().unwrap(), request])
        .uid(65534)
        .gid(65534)
        .output();
    let Ok(other) = other else {
        eprintln!("skipped: no python3 here");
        return;
    };
    let said = text(&other);
    assert!(!said.contains("HTTP/1.1"), "{said}");
    assert!(
        said.contains("b''") || said.contains("Connection") || said.contains("BrokenPipe"),
        "{said}"
    );
    // The server is none the worse.
    assert!(by_hand(&ume.socket(), request).unwrap().contains("200"));
}

#[test]
fn the_socket_has_its_own_act_and_the_network_does_not() {
    let mut ume = Ume::new();
    ume.start();
    let body = r#"{"act":"account_add","login":"mallory","role":"officer","password_hash":"x"}"#;
    let request = format!(
        "POST /api/v1/local HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    assert!(by_hand(&ume.socket(), &request).unwrap().contains("200"));
    // A page is no part of it: whoever comes through the socket is not signed in there.
    let page = "GET /assets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(!by_hand(&ume.socket(), page).unwrap().contains("200"));
}

#[test]
fn many_commands_at_once_all_get_through_a_server_that_stops_between() {
    let mut ume = Ume::new();
    ume.start();
    std::thread::scope(|scope| {
        let ume = &ume;
        let all: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || ume.run(&["user", "add", &format!("user-{n}")])))
            .collect();
        for one in all {
            let output = one.join().unwrap();
            assert!(output.status.success(), "{}", text(&output));
        }
    });
    assert!(ume.signal("-INT").success());
    // Without a server they wait for each other.
    std::thread::scope(|scope| {
        let ume = &ume;
        let all: Vec<_> = (8..12)
            .map(|n| scope.spawn(move || ume.run(&["user", "add", &format!("user-{n}")])))
            .collect();
        for one in all {
            let output = one.join().unwrap();
            assert!(output.status.success(), "{}", text(&output));
        }
    });
    assert_eq!(ume.json(&["user", "list"]).as_array().unwrap().len(), 12);
}

#[test]
fn a_path_too_long_for_a_socket_is_said_and_the_pages_are_served_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let long = root.path().join("x".repeat(110));
    let data = long.to_str().unwrap();
    let mut child = command(&["serve", "--listen", "127.0.0.1:0", "--data", data])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let refused = command(&["user", "add", "a", "--data", data]).output().unwrap();
    let said = text(&refused);
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("too long for a socket") && said.contains("107"), "{said}");
    // The way the message names: a link.
    let link = root.path().join("ume");
    std::os::unix::fs::symlink(&long, &link).unwrap();
    let done = command(&["user", "add", "a", "--data", link.to_str().unwrap()]).output().unwrap();
    assert!(done.status.success(), "{}", text(&done));
}

#[test]
fn a_folder_held_by_something_that_has_no_socket_is_said_after_a_wait() {
    let mut ume = Ume::new();
    ume.start();
    ume.signal("-INT");
    let lock = fs::OpenOptions::new().write(true).open(ume.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let from = Instant::now();
    ume.fails(&["user", "add", "a"], "in use by another command");
    assert!(from.elapsed() > Duration::from_secs(8));
    drop(lock);
    ume.json(&["user", "add", "a"]);
}

#[test]
fn texts_follow_the_locale_and_results_the_format() {
    let ume = Ume::new();
    let data = ume.data();
    let said = |locale: &str, args: &[&str]| {
        let output = command(&[args, &["--data", data.to_str().unwrap()]].concat())
            .env("LC_ALL", locale)
            .output()
            .unwrap();
        text(&output)
    };
    assert!(said("ja_JP.UTF-8", &["user", "list"]).contains("Umeのデータがありません"));
    assert!(said("C", &["user", "list"]).contains("no Ume data here"));
    let password = ume.root.path().join("password");
    fs::write(&password, "plum blossoms in march\n").unwrap();
    ume.json(&["setup", "--admin", "うめ\"子\",x", "--password-file", password.to_str().unwrap()]);
    assert!(said("ja_JP.UTF-8", &["user", "add", "b"]).contains("仮のパスワード"));
    assert!(said("ja_JP.UTF-8", &["user", "add", "b"]).contains("既にあります"));
    assert!(said("ja_JP.UTF-8", &["record", "edit", "x"]).contains("変更できません"));
    let csv = said("C", &["user", "list", "--format", "csv"]);
    assert!(csv.contains("\r\n\"うめ\"\"子\"\",x\",officer,active,"), "{csv}");
    for command in [&["status"][..], &["status", "--producers"], &["work", "list"]] {
        let json = ume.json(command);
        assert!(json.is_array() || json["controls"].is_array(), "{command:?}: {json}");
        let csv = said("C", &[command, &["--format", "csv"]].concat());
        let columns = csv.lines().next().unwrap_or_default().split(',').count();
        assert!(columns >= 2, "{command:?}: {csv}");
    }
}
