//! `ume serve` on PostgreSQL: one ledger writer, and a database that goes away and comes back.
//! Runs where UME_TEST_POSTGRES names a server whose binaries are at hand.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// A PostgreSQL of this test alone, since it is stopped and started.
struct Postgres {
    marker: PathBuf,
    url: String,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/postgres.sh")
}

impl Postgres {
    fn start(folder: &Path) -> Postgres {
        let marker = folder.join("marker");
        let started = Command::new(script())
            .arg("start")
            .env("UME_TEST_POSTGRES_MARKER", &marker)
            .output()
            .unwrap();
        let url = String::from_utf8(started.stdout).unwrap().trim().to_owned();
        assert!(url.starts_with("postgres://"), "{}", String::from_utf8_lossy(&started.stderr));
        Postgres { marker, url }
    }

    fn script(&self, what: &str) {
        let status = Command::new(script())
            .arg(what)
            .env("UME_TEST_POSTGRES_MARKER", &self.marker)
            .status()
            .unwrap();
        assert!(status.success(), "{what}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = Command::new(script())
            .arg("stop")
            .env("UME_TEST_POSTGRES_MARKER", &self.marker)
            .status();
    }
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(data: &Path, url: &str) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ume"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
            .args(["--database", url])
            .env("UME_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap_or_default().to_owned();
        Server { child, address: format!("127.0.0.1:{port}") }
    }

    fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A session cookie makes every page ask the database.
        let cookie = "Cookie: ume=0000\r\nConnection: close";
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\n{cookie}\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ume(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ume")).args(args).env("UME_LOG", "warn").output().unwrap()
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

fn wait_for(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < end, "{what} did not happen within {seconds} s");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_server_on_postgresql_has_one_ledger_writer_and_outlives_its_database() {
    if std::env::var_os("UME_TEST_POSTGRES").is_none() {
        eprintln!("skipped: UME_TEST_POSTGRES is not set");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(root.path());
    let (data, other) = (root.path().join("data"), root.path().join("other"));
    let (data_, url) = (data.to_str().unwrap(), postgres.url.as_str());
    let server = Server::start(&data, url);
    assert!(!data.join("ume.db").exists());
    let listen = ["--listen", "127.0.0.1:0"];
    let second =
        ume(&["serve", listen[0], listen[1], "--data", other.to_str().unwrap(), "--database", url]);
    assert_eq!(second.status.code(), Some(2), "{}", text(&second));
    assert!(text(&second).contains("another server writes the ledger"), "{}", text(&second));
    let job = ["work", "run", "configuration.collect", "--data", data_, "--database", url];
    assert!(ume(&job).status.success());
    let status = ume(&["status", "--data", data_, "--database", url]);
    assert_eq!(text(&status).lines().count(), 12, "{}", text(&status));

    // Away: a clean 503 that says when to come again.
    postgres.script("pause");
    let asked = Instant::now();
    for page in ["/", "/healthz"] {
        let answer = server.get(page);
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.to_lowercase().contains("retry-after: 5"), "{answer}");
    }
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
    let away = ume(&["status", "--data", data_, "--database", url]);
    assert_eq!(away.status.code(), Some(2));
    assert!(text(&away).contains("does not answer"), "{}", text(&away));

    // Back by itself, and the ledger grows again.
    postgres.script("resume");
    wait_for("an answer", 30, || server.get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(ume(&job).status.success());
    let verify = ["ledger", "verify", "--data", data_, "--database", url, "--format", "json"];
    wait_for("a ledger without pending leaves", 30, || {
        let report: serde_json::Value = serde_json::from_slice(&ume(&verify).stdout).unwrap();
        report["pending"] == 0
    });
    drop(server);
    let verified = ume(&verify);
    assert!(verified.status.success(), "{}", text(&verified));

    // A backup of it restores onto SQLite.
    let (secret, file) = (root.path().join("secret"), root.path().join("b"));
    std::fs::write(&secret, "correct horse battery\n").unwrap();
    let (secret, file) = (secret.to_str().unwrap(), file.to_str().unwrap());
    let made = ume(&[
        "backup",
        "--data",
        data_,
        "--database",
        url,
        "--to",
        file,
        "--passphrase-file",
        secret,
    ]);
    assert!(made.status.success(), "{}", text(&made));
    let target = root.path().join("restored");
    let restore = [
        "restore",
        "--from",
        file,
        "--data",
        target.to_str().unwrap(),
        "--passphrase-file",
        secret,
        "--epoch",
        &format!("{file}.epoch"),
    ];
    let restored = ume(&restore);
    assert!(restored.status.success(), "{}", text(&restored));
}
