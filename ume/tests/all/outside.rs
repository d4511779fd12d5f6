//! The ledger seen from outside, with real servers on loopback: two Umes that witness each other, one that
//! is restored from an old backup, an authority made of `openssl ts`.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use ledger::{
    WitnessDesk,
    outside::{Outside, Troubles},
};
use serde_json::{Value as Json, json};

/// Longest wait for something that comes by itself; the machine may be busy.
const WAIT: Duration = Duration::from_secs(90);

struct Ume {
    folder: tempfile::TempDir,
    server: Option<Child>,
    address: String,
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

impl Ume {
    fn new() -> Ume {
        Ume {
            folder: tempfile::tempdir().unwrap(),
            server: None,
            address: "127.0.0.1:0".to_owned(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ume"));
        command.args(args).args(["--data", self.data().to_str().unwrap()]);
        command.env("UME_LOG", "error").env_remove("UME_DATABASE").env("LC_ALL", "C");
        command
    }

    /// Starts it, at the address it had before if there was one.
    fn start(&mut self) {
        let mut child = self
            .command(&["serve", "--listen", &self.address])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap();
        assert!(port.parse::<u16>().is_ok(), "{line}");
        self.address = format!("127.0.0.1:{port}");
        self.server = Some(child);
    }

    /// As a power failure would.
    fn kill(&mut self) {
        if let Some(mut child) = self.server.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    #[track_caller]
    fn good(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Json {
        serde_json::from_str(&self.good(&[args, &["--format", "json"]].concat())).unwrap()
    }

    /// Makes the log grow, and waits for the checkpoint over it.
    fn grow(&self) {
        let before = self.size();
        let login = format!("grown-{before}");
        self.json(&["user", "add", &login, "--role", "auditor"]);
        until("the log has grown", || self.size() > before);
    }

    fn size(&self) -> u64 {
        self.json(&["ledger", "checkpoint"])["size"].as_u64().unwrap()
    }

    fn log_key(&self) -> String {
        fs::read_to_string(self.data().join("ledger/vkey")).unwrap().trim().to_owned()
    }

    fn witness_key(&self) -> String {
        self.json(&["ledger", "log", "key"])["vkey"].as_str().unwrap().to_owned()
    }

    /// Has `other` cosign our checkpoints, once a second.
    fn witnessed_by(&self, other: &Ume) {
        other.json(&["ledger", "log", "add", "--vkey", &self.log_key()]);
        let url = format!("http://{}/witness", other.address);
        let key = other.witness_key();
        self.json(&["ledger", "witness", "add", "--url", &url, "--vkey", &key, "--every", "1"]);
    }

    fn witness(&self) -> Json {
        self.json(&["ledger", "witness", "list"])[0].clone()
    }

    /// Waits until the witness has cosigned this many leaves.
    #[track_caller]
    fn until_cosigned(&self, size: u64) {
        until(&format!("{size} leaves are cosigned"), || {
            self.witness()["size"].as_u64().is_some_and(|seen| seen >= size)
        });
    }

    fn post(&self, body: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        let head = format!(
            "POST /witness/add-checkpoint HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let kind = head.lines().find_map(|l| l.strip_prefix("content-type: ")).unwrap_or("");
        (status, kind.to_owned(), body.to_owned())
    }
}

impl Drop for Ume {
    fn drop(&mut self) {
        self.kill();
    }
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + WAIT;
    while !done() {
        assert!(Instant::now() < end, "not within {WAIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if path.is_file() {
            fs::copy(&path, target).unwrap();
        }
    }
}

/// The newest cosigned checkpoint, opened with the keys of log and witness.
fn opened(of: &Ume, by: &Ume) -> merkle::OpenCheckpoint {
    let note = of.good(&["ledger", "checkpoint", "--cosigned"]);
    let log = merkle::VerifierKey::parse(&of.log_key()).unwrap();
    let witness = merkle::VerifierKey::parse(&by.witness_key()).unwrap();
    merkle::Checkpoint::open(note.as_bytes(), log.name(), &log, &[witness]).unwrap()
}

#[test]
fn two_houses_witness_each_other_over_kills_and_restarts() {
    let (mut a, mut b) = (Ume::new(), Ume::new());
    a.start();
    b.start();
    a.witnessed_by(&b);
    b.witnessed_by(&a);
    a.until_cosigned(1);
    b.until_cosigned(1);
    assert_eq!(opened(&a, &b).cosignatures.len(), 1);
    assert_eq!(opened(&b, &a).cosignatures.len(), 1);

    // B falls silent: what A has waits, and is told.
    b.kill();
    a.grow();
    a.grow();
    let size = a.size();
    until("A tells that B is silent", || a.witness()["trouble"].is_string());
    assert!(a.witness()["size"].as_u64().unwrap() < size);
    // A is killed too, with what waits.
    a.kill();
    a.start();
    b.start();
    a.until_cosigned(size);
    until("nothing is wrong any more", || a.witness()["trouble"].is_null());

    // A proof of a record is given under what the other house has cosigned.
    let record = a.json(&["record", "list", "--kind", "isms.checkpoint_published"])[0].clone();
    assert_eq!(record["facts"]["witnesses"], json!(1), "{record}");
    let first = a.json(&["record", "list"]).as_array().unwrap().last().unwrap()["id"].clone();
    let proof = a.good(&["ledger", "proof", "--record", first.as_str().unwrap()]);
    let witness = b.witness_key();
    let name = witness.split('+').next().unwrap();
    assert!(proof.contains(&format!("\n— {name} ")), "{proof}");
    // Neither grows the other for ever.
    let quiet = (a.size(), b.size());
    std::thread::sleep(Duration::from_secs(5));
    let later = (a.size(), b.size());
    assert!(later.0 <= quiet.0 + 2 && later.1 <= quiet.1 + 2, "{quiet:?} → {later:?}");

    // What strangers and broken requests get.
    let status = |body: &[u8]| a.post(body).0;
    assert_eq!(status(b"junk"), 400);
    let stranger = merkle::Signer::from_seed("stranger.example/log", &[7; 32]).unwrap();
    let note = merkle::Checkpoint::new("stranger.example/log", 1, [1; 32]).unwrap();
    let request = merkle::AddCheckpoint::new(0, Vec::new(), note.sign(&stranger).unwrap()).unwrap();
    assert_eq!(status(request.to_string().as_bytes()), 404);
    assert_eq!(status(&vec![b'x'; 200_000]), 413);
    // B's own checkpoint, but as if A had never seen it: the answer says how far A is.
    let note = b.good(&["ledger", "checkpoint", "--cosigned"]);
    let note = merkle::SignedNote::parse(note.as_bytes()).unwrap();
    let request = merkle::AddCheckpoint::new(0, Vec::new(), note).unwrap();
    let (code, kind, size) = a.post(request.to_string().as_bytes());
    assert_eq!((code, kind.as_str()), (409, merkle::SIZE_TYPE));
    assert!(size.trim_end().parse::<u64>().unwrap() >= 1);
    a.kill();
    assert_eq!(a.json(&["ledger", "verify"])["faults"], json!([]));
}

#[test]
fn a_house_restored_from_an_old_backup_writes_nothing_until_its_fork_is_decided() {
    let (mut a, mut b) = (Ume::new(), Ume::new());
    b.start();
    a.start();
    a.grow();
    a.kill();
    // The backup of a folder is from before anyone outside saw it.
    let backup = tempfile::tempdir().unwrap();
    copy(&a.data(), backup.path());
    a.start();
    a.grow();
    a.grow();
    a.witnessed_by(&b);
    let size = a.size();
    a.until_cosigned(size);
    let seen = a.witness()["size"].as_u64().unwrap();
    a.kill();
    fs::remove_dir_all(a.data()).unwrap();
    copy(backup.path(), &a.data());

    a.start();
    let before = a.size();
    assert!(before < seen);
    let (url, key) = (format!("http://{}/witness", b.address), b.witness_key());
    a.json(&["ledger", "witness", "add", "--url", &url, "--vkey", &key, "--every", "1"]);
    until("the witness knows better", || {
        a.witness()["trouble"].as_str().is_some_and(|t| t.contains("takes nothing"))
    });
    let stopped = a.size();
    a.json(&["user", "add", "waits", "--role", "auditor"]);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(a.size(), stopped, "the ledger took leaves of another future");
    let tasks = a.json(&["task", "list"]);
    let waits = tasks
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["name"].as_str().is_some_and(|name| name.contains("Fork of the ledger")));
    assert_eq!(waits.unwrap()["status"], json!("open"), "{tasks}");
    // A restart forgets nothing of it.
    a.kill();
    a.start();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(a.size(), stopped);
    a.kill();

    let decided = decide(&a.data(), seen);
    let wrong = decide(&a.data(), seen + 1);
    a.start();
    let refused = a.command(&["ledger", "accept-fork", "--decision", &wrong]).output().unwrap();
    assert!(!refused.status.success(), "{}", text(&refused));
    let done = a.json(&["ledger", "accept-fork", "--decision", &decided]);
    assert_eq!(done["fork"], json!(seen), "{done}");
    until("the ledger goes on", || a.size() > stopped);
    // The witness does not: it has seen the end that was given up.
    until("the witness still refuses", || {
        a.witness()["trouble"].as_str().is_some_and(|t| t.contains("given up"))
    });
    a.kill();
    assert_eq!(a.json(&["ledger", "verify"])["faults"], json!([]));
}

/// An approved decision of kind `fork` about this many leaves.
fn decide(data: &Path, size: u64) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = store::Store::open(data, store::system_clock()).await.unwrap();
        let id = store.new_id().unwrap();
        let mut row = store::Row::new(model::Table::Decision, id, "fork", "fork");
        row.status = "approved".to_owned();
        row.ends_at = Some(store.now().plus_hours(1));
        row.attributes.insert("published_size".to_owned(), json!(size));
        let mut write = store.write("officer", "why", "").await.unwrap();
        write.put(row).await.unwrap();
        write.commit().await.unwrap();
        store.db().close().await;
        id.to_string()
    })
}

/// `openssl ts` behind HTTP, one request after another, until dropped.
struct Authority {
    folder: tempfile::TempDir,
    url: String,
}

const CONFIG: &str = "
[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
[ca]
basicConstraints = critical,CA:TRUE
[signer]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[dn]
";

impl Authority {
    /// None, with a word, where there is no openssl.
    fn new() -> Option<Authority> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: no openssl");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_owned();
        fs::write(place.join("config"), CONFIG).unwrap();
        fs::write(place.join("serial"), "01\n").unwrap();
        let run = |args: &str| {
            let output =
                Command::new("openssl").args(args.split(' ')).current_dir(&place).output().unwrap();
            assert!(output.status.success(), "{args}: {}", text(&output));
        };
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config config";
        run(&format!(
            "req -x509 {ec} -extensions ca -days 2 -keyout ca.key -out ca.pem -subj /CN=root"
        ));
        run(&format!("req -new {ec} -keyout tsa.key -out tsa.csr -subj /CN=tsa"));
        run(
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile config -extensions signer -out tsa.pem",
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/tsa", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if !place.is_dir() {
                    return;
                }
                let _ = answer(stream, &place);
            }
        });
        Some(Authority { folder, url })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, args: &[&str]) -> Output {
        Command::new("openssl").args(args).current_dir(self.folder.path()).output().unwrap()
    }
}

/// Takes one request to `openssl ts`. While the file `stale` is there, the last answer is given again.
fn answer(mut stream: TcpStream, place: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    fs::write(place.join("query"), &body)?;
    if !place.join("stale").exists() {
        let args = "ts -reply -config config -section tsa1 -queryfile query -signer tsa.pem -inkey tsa.key -out reply";
        Command::new("openssl").args(args.split(' ')).current_dir(place).output()?;
    }
    let reply = fs::read(place.join("reply"))?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reply.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&reply)
}

#[test]
fn an_authority_stamps_our_checkpoints_and_openssl_verifies_what_we_keep() {
    let Some(authority) = Authority::new() else { return };
    let mut ume = Ume::new();
    ume.start();
    let anchors = authority.path("ca.pem");
    let anchors = anchors.to_str().unwrap();
    let add = [
        "ledger",
        "tsa",
        "add",
        "local",
        "--url",
        &authority.url,
        "--anchors",
        anchors,
        "--every",
        "1",
    ];
    ume.json(&add);
    let listed = || ume.json(&["ledger", "tsa", "list"])[0].clone();
    until("a stamp is kept", || listed()["at"].is_string());
    assert!(listed()["authority"].as_str().unwrap().contains("CN=tsa"));

    let to = authority.path("export");
    ume.json(&["ledger", "tsa", "export", "local", "--to", to.to_str().unwrap()]);
    let verify =
        ["ts", "-verify", "-in", "export/token.tsr", "-data", "export/checkpoint", "-CAfile"];
    let output = authority.openssl(&[&verify[..], &["export/anchors.pem"]].concat());
    assert!(output.status.success(), "{}", text(&output));
    let note = fs::read(to.join("checkpoint")).unwrap();
    let key = merkle::VerifierKey::parse(&ume.log_key()).unwrap();
    merkle::Checkpoint::open(&note, key.name(), &key, &[]).unwrap();

    // The record from which the criterion is judged names authority and time.
    until("it is recorded", || {
        let records = ume.json(&["record", "list", "--kind", "isms.checkpoint_published"]);
        records[0]["facts"]["time_stamped"] == json!(true)
    });

    // An old answer again: its nonce is another request's, and that is told.
    fs::write(authority.path("stale"), "").unwrap();
    until("the old answer is refused", || {
        listed()["trouble"].as_str().is_some_and(|t| t.contains("nonce"))
    });
    fs::remove_file(authority.path("stale")).unwrap();
    until("it is well again", || listed()["trouble"].is_null());
    ume.json(&["ledger", "tsa", "remove", "local"]);
    assert_eq!(ume.json(&["ledger", "tsa", "list"]), json!([]));
    ume.kill();
    assert_eq!(ume.json(&["ledger", "verify"])["faults"], json!([]));
    // What is kept is verified too.
    let place = ume.data().join("ledger/timestamps/local");
    let mut kept = fs::read_dir(place).unwrap().map(|e| e.unwrap().path());
    let note = kept.find(|p| p.extension().is_some_and(|e| e == "checkpoint")).unwrap();
    fs::write(&note, fs::read_to_string(&note).unwrap().replace("ume.local", "umi.local")).unwrap();
    let output = ume.command(&["ledger", "verify"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("timestamps/local"), "{}", text(&output));
}

/// A witness in this process, whose clock and tongue the test holds.
struct Tame {
    url: String,
    silent: Arc<AtomicBool>,
}

async fn tame(desk: WitnessDesk, logs: Vec<merkle::WitnessedLog>, clock: store::Clock) -> Tame {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let silent = Arc::new(AtomicBool::new(false));
    let mute = silent.clone();
    tokio::spawn(async move {
        let mut desk = desk;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if mute.load(Ordering::SeqCst) {
                continue;
            }
            let mut bytes = Vec::new();
            // The body is a request once it parses; its client waits for the answer.
            let body = loop {
                let mut part = [0; 4_096];
                let read = stream.read(&mut part).await.unwrap();
                bytes.extend(&part[..read]);
                let at = bytes.windows(4).position(|w| w == b"\r\n\r\n");
                let body = at.map(|at| &bytes[at + 4..]).unwrap_or_default();
                if merkle::AddCheckpoint::parse(body).is_ok() || read == 0 {
                    break body.to_vec();
                }
            };
            let now = (clock().0 / 1_000_000) as u64;
            let (status, kind, text) = match desk.add_checkpoint(&logs, &body, now).unwrap() {
                Ok(line) => (200, "text/plain", line),
                Err(refusal) => {
                    let text = refusal.size().map_or(String::new(), |size| format!("{size}\n"));
                    (refusal.status(), merkle::SIZE_TYPE, text)
                }
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                text.len()
            );
            stream.write_all(format!("{head}{text}").as_bytes()).await.unwrap();
        }
    });
    Tame { url, silent }
}

#[tokio::test]
async fn the_criterion_of_outside_proof_goes_stale_when_the_witness_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(1_795_600_000_000_000));
    let time = now.clone();
    let clock: store::Clock = Arc::new(move || model::Timestamp(time.load(Ordering::SeqCst)));
    let pass_hours = |hours: i64| now.fetch_add(hours * 3_600_000_000, Ordering::SeqCst);
    let store = store::Store::open(folder.path(), clock.clone()).await.unwrap();
    let mut ledger = ledger::Ledger::open(&folder.path().join("ledger"), "house.example").unwrap();
    let mut desk = WitnessDesk::at(folder.path().join("other"), "other.example/witness");
    let key = desk.verifier_key().unwrap();
    let log = merkle::VerifierKey::parse(&ledger.verifier_key()).unwrap();
    let log = merkle::WitnessedLog { origin: "house.example".to_owned(), keys: vec![log] };
    let witness = tame(desk, vec![log], clock).await;

    let mut write = store.write("tester", "why", "").await.unwrap();
    write
        .put(store::Row::new(model::Table::Party, store.new_id().unwrap(), "team", "x"))
        .await
        .unwrap();
    write.commit().await.unwrap();
    while ledger::drain(&store, &mut ledger).await.unwrap() > 0 {}
    let ledger = tokio::sync::Mutex::new(ledger);
    let mut rounds = ::witness::Rounds::new().unwrap();
    let status = async || {
        let board = isms::compute(&store, &[]).await.unwrap();
        board.all().find_map(|c| c.verdict("isms/matsu-1").map(|v| v.status)).unwrap()
    };
    assert_eq!(status().await, model::Status::Unknown);

    let own = ledger.lock().await.own_keys().unwrap();
    let mut outside = Outside::default();
    outside.add_witness(&witness.url, &key.to_string(), 60, &own).unwrap();
    outside.save(&store).await.unwrap();
    ::witness::round(&store, &ledger, &mut rounds).await.unwrap();
    assert_eq!(status().await, model::Status::Pass);

    // A log that does not grow stays witnessed: it is cosigned anew, under a new time.
    pass_hours(23);
    ::witness::round(&store, &ledger, &mut rounds).await.unwrap();
    pass_hours(23);
    assert_eq!(status().await, model::Status::Pass);
    ::witness::round(&store, &ledger, &mut rounds).await.unwrap();

    witness.silent.store(true, Ordering::SeqCst);
    for _ in 0..25 {
        pass_hours(1);
        ::witness::round(&store, &ledger, &mut rounds).await.unwrap();
    }
    assert_eq!(status().await, model::Status::Stale);
    let troubles = Troubles::load(&store).await.unwrap();
    let since = troubles.0["witness:other.example/witness"].since_us;
    assert_eq!((now.load(Ordering::SeqCst) - since) / 3_600_000_000, 24);

    witness.silent.store(false, Ordering::SeqCst);
    pass_hours(1);
    ::witness::round(&store, &ledger, &mut rounds).await.unwrap();
    assert_eq!(status().await, model::Status::Pass);
    assert!(Troubles::load(&store).await.unwrap().0.is_empty());
}
