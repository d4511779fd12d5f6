//! What the tests of backups share.
#![allow(dead_code)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

pub fn ume(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ume")).args(args).env("UME_LOG", "warn").output().unwrap()
}

pub fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Restores with the epoch key that lies beside a backup, if one does.
pub fn restore(from: &Path, to: &Path, secret: &Path) -> Output {
    restore_with(from, to, secret, &epoch_of(from))
}

pub fn restore_with(from: &Path, to: &Path, secret: &Path, epoch: &Path) -> Output {
    let common = ["--from", path(from), "--data", path(to), "--passphrase-file", path(secret)];
    let mut args = vec!["restore"];
    args.extend(common);
    if epoch.exists() {
        args.extend(["--epoch", path(epoch)]);
    }
    ume(&args)
}

pub fn epoch_of(backup: &Path) -> PathBuf {
    PathBuf::from(format!("{}.epoch", path(backup)))
}

pub fn backup(data: &Path, to: &Path, secret: &Path) -> Output {
    ume(&["backup", "--data", path(data), "--to", path(to), "--passphrase-file", path(secret)])
}

/// Ends the server however the test ends.
pub struct Server(Child);

impl Server {
    pub fn start(data: &Path) -> Server {
        Server::at(data).0
    }

    /// A server and its address.
    pub fn at(data: &Path) -> (Server, String) {
        Server::begin(data, "127.0.0.1:0", &[])
    }

    /// A server at an address that is known, with more arguments.
    pub fn on(data: &Path, address: &str, more: &[&str]) -> Server {
        Server::begin(data, address, more).0
    }

    fn begin(data: &Path, address: &str, more: &[&str]) -> (Server, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ume"))
            .args(["serve", "--listen", address, "--data", path(data)])
            .args(more)
            .env("UME_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find(|word| word.starts_with("http://"));
        let address = address.unwrap_or_else(|| panic!("no address: {line}")).to_owned();
        (Server(child), address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

/// Type and facts of every record of a folder.
pub fn records(folder: &Path) -> Vec<(String, String)> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = store::Store::open_read_only(folder, store::system_clock()).await.unwrap();
        let rows = store.db().fetch("SELECT type, facts FROM record", &[]).await.unwrap();
        store.db().close().await;
        let text = |v: &store::Val| v.text().unwrap().to_owned();
        rows.iter().map(|r| (text(&r[0]), text(&r[1]))).collect()
    })
}

/// `ume verify` with a temporary folder of its own, which must be empty afterwards.
pub fn verify(from: &Path, secret: &Path, epoch: Option<&Path>) -> Output {
    verify_with(from, secret, epoch, None)
}

pub fn verify_with(
    from: &Path,
    secret: &Path,
    epoch: Option<&Path>,
    files: Option<&Path>,
) -> Output {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ume"));
    command
        .args(["verify", "--from", path(from), "--passphrase-file", path(secret)])
        .args(["--format", "json"])
        .envs([("UME_LOG", "warn"), ("LC_ALL", "C"), ("TMPDIR", path(temporary.path()))]);
    for (option, value) in [("--epoch", epoch), ("--files", files)] {
        command.args(value.iter().flat_map(|value| [option, path(value)]));
    }
    let output = command.output().unwrap();
    assert!(names(temporary.path()).is_empty(), "{:?}", names(temporary.path()));
    output
}

pub fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(output)))
}

/// A folder for everything of one test, with the passphrase in it.
pub struct Scene {
    pub root: tempfile::TempDir,
    pub data: PathBuf,
    pub secret: PathBuf,
}

impl Scene {
    pub fn build() -> Scene {
        let root = tempfile::tempdir().unwrap();
        let (data, secret) = (root.path().join("data"), root.path().join("secret"));
        fs::write(&secret, "correct horse battery\n").unwrap();
        fs::create_dir(&data).unwrap();
        Scene { root, data, secret }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}

pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}
