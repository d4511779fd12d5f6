//! The server and the long commands killed (SIGKILL) at seeded moments while they take events, move a
//! database and back up: nothing acknowledged is lost, nothing is in twice, and the next start is clean.
//! `UME_SOAK=1` kills 300 times each.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use sha2::{Digest, Sha256};

use crate::backups::*;

const TOKEN: &str = "a token of this test";
const BATCH: u64 = 20;
/// How long what was taken may need on its way into the archive.
const ARCHIVED_WITHIN: Duration = Duration::from_secs(120);

fn kills(few: u64) -> u64 {
    if std::env::var_os("UME_SOAK").is_some() { 300 } else { few }
}

/// The same moments in each run.
pub(crate) struct Moments(pub(crate) u64);

impl Moments {
    pub(crate) fn next(&mut self, below: Duration) -> Duration {
        let Moments(seed) = self;
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        below.mul_f64((*seed >> 33) as f64 / f64::from(1u32 << 31))
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts a command and kills it within `within`; true if it had not ended before.
fn killed(args: &[&str], within: Duration) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ume"))
        .args(args)
        .env("UME_LOG", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(within);
    let running = child.try_wait().unwrap().is_none();
    kill(child);
    running
}

/// Appends numbered lines to a log file until told to stop; `rotate` asks for a rotation.
struct Writer {
    stop: Arc<AtomicBool>,
    rotate: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
}

impl Writer {
    fn start(log: PathBuf) -> Writer {
        let (stop, rotate) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (ends, turns) = (stop.clone(), rotate.clone());
        let thread = thread::spawn(move || {
            let open = || File::options().create(true).append(true).open(&log).unwrap();
            let (mut file, mut count) = (open(), 0);
            while !ends.load(Ordering::Relaxed) {
                if turns.swap(false, Ordering::Relaxed) {
                    let (first, second) =
                        (log.with_extension("log.1"), log.with_extension("log.2"));
                    let _ = fs::rename(&first, second);
                    fs::rename(&log, first).unwrap();
                    file = open();
                }
                writeln!(file, "file line {count}").unwrap();
                count += 1;
                thread::sleep(Duration::from_millis(3));
            }
            count
        });
        Writer { stop, rotate, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Sends batches over HTTP; one that was not answered is sent again, and how often is kept.
#[derive(Default)]
struct Sender {
    acknowledged: u64,
    unanswered: HashMap<u64, usize>,
}

impl Sender {
    async fn send(&mut self, client: &Client, base: &str, sent: &AtomicU64) -> bool {
        let batch = self.acknowledged;
        let lines: String =
            (0..BATCH).map(|n| format!("{{\"message\":\"http {batch} {n}\"}}\n")).collect();
        let request = client.post(format!("{base}/intake/app")).bearer_auth(TOKEN).body(lines);
        match request.send().await {
            Ok(answer) if answer.status() == StatusCode::OK => {
                self.acknowledged += 1;
                sent.fetch_add(1, Ordering::Relaxed);
                true
            }
            // Said to be kept by the sender, so nothing of it was taken.
            Ok(answer) => {
                assert!(answer.status().is_server_error(), "{answer:?}");
                true
            }
            Err(_) => {
                *self.unanswered.entry(batch).or_default() += 1;
                false
            }
        }
    }
}

fn configured(root: &Path) -> (PathBuf, PathBuf) {
    let (data, log) = (root.join("data"), root.join("app.log"));
    fs::create_dir(&data).unwrap();
    let hash = hex::encode(Sha256::digest(TOKEN));
    let toml = format!(
        "[intake]\njournal = false\nstandard_files = false\n\
         [[intake.files]]\npath = \"{}\"\nsource = \"file\"\nformat = \"plain\"\n\
         [[intake.http]]\nsource = \"app\"\ntoken_sha256 = \"{hash}\"\nlines_per_second = 1000000\n",
        path(&log)
    );
    fs::write(data.join("ume.toml"), toml).unwrap();
    File::create(&log).unwrap();
    (data, log)
}

/// How often each message stands in the archive.
fn archived(data: &Path) -> HashMap<String, usize> {
    let query = stream::search::Query { limit: usize::MAX, ..Default::default() };
    let found = stream::search::search(&data.join("stream/archive"), &query).unwrap();
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    let mut counts = HashMap::new();
    for event in found.events {
        *counts.entry(event.message).or_default() += 1;
    }
    counts
}

#[test]
fn a_killed_server_loses_no_event_it_acknowledged_and_doubles_none() {
    let root = tempfile::tempdir().unwrap();
    let (data, log) = configured(root.path());
    let writer = Writer::start(log);
    let client = || Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (mut moments, mut sender) = (Moments(0x696e_7461_6b65), Sender::default());
    for _ in 0..kills(5) {
        let (server, base) = Server::at(&data);
        let wait = moments.next(Duration::from_millis(1_500));
        sender = run(async {
            let (client, sent) = (client(), Arc::new(AtomicU64::new(0)));
            let seen = sent.clone();
            let sending = tokio::spawn(async move {
                while sender.send(&client, &base, &seen).await {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                sender
            });
            while sent.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            writer.rotate.store(true, Ordering::Relaxed);
            tokio::time::sleep(wait).await;
            drop(server);
            sending.await.unwrap()
        });
    }
    let lines = writer.end();
    let (server, _) = Server::at(&data);
    let wanted = lines + sender.acknowledged * BATCH;
    let from = Instant::now();
    let mut counts = archived(&data);
    while (counts.len() as u64) < wanted && from.elapsed() < ARCHIVED_WITHIN {
        thread::sleep(Duration::from_secs(1));
        counts = archived(&data);
    }
    drop(server);
    for line in 0..lines {
        let times = counts.get(&format!("file line {line}")).copied();
        assert_eq!(times, Some(1), "file line {line} of {lines}");
    }
    for batch in 0..sender.acknowledged {
        let again = sender.unanswered.get(&batch).copied().unwrap_or_default();
        for line in 0..BATCH {
            let times = counts.get(&format!("http {batch} {line}")).copied().unwrap_or_default();
            assert!(
                (1..=1 + again).contains(&times),
                "http {batch} {line}: {times}, {again} again"
            );
        }
    }
    let good = ume(&["ledger", "verify", "--data", path(&data)]);
    assert!(good.status.success(), "{}", text(&good));
    println!("{lines} lines of a file, {} batches over HTTP", sender.acknowledged);
}

#[test]
fn a_killed_move_leaves_the_source_whole_and_a_target_that_takes_the_next() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let (data, secret, rows) = (at("data"), at("secret"), at("rows.csv"));
    fs::write(&secret, "correct horse battery\n").unwrap();
    let table: String = (0..800).map(|n| format!("site {n},Tokyo {n}\n")).collect();
    fs::write(&rows, format!("name,address\n{table}")).unwrap();
    let published = at("published");
    for args in [
        vec!["setup", "--admin", "umeko", "--password-file", path(&secret), "--data", path(&data)],
        vec!["asset", "import", "--kind", "site", path(&rows), "--data", path(&data)],
        vec!["ledger", "publish", "--to", path(&published), "--data", path(&data)],
    ] {
        let made = ume(&args);
        assert!(made.status.success(), "{}", text(&made));
    }
    let from = format!("sqlite:{}", path(&data));
    for target in Target::all(root.path()) {
        let moving = ["db", "move", "--from", &from, "--to", &target.url];
        target.clear();
        let begun = Instant::now();
        let first = ume(&moving);
        assert!(first.status.success(), "{}", text(&first));
        // As long as a move takes here, so that the kills fall all over it.
        let took = begun.elapsed();
        let (mut moments, mut interrupted) = (Moments(0x6d6f_7665), 0);
        for _ in 0..kills(3) {
            target.clear();
            interrupted += u64::from(killed(&moving, moments.next(took)));
            let again = ume(&moving);
            // All of it or nothing: only a move whose last step was done leaves no room for the next.
            let is_whole = text(&again).contains("already holds rows");
            assert!(again.status.success() || is_whole, "{}", text(&again));
            let equal = ume(&["db", "check", "--from", &from, "--to", &target.url]);
            assert!(equal.status.success(), "{}", text(&equal));
        }
        assert!(interrupted > 0, "no kill fell into a move to {}", target.url);
    }
    let good = ume(&["ledger", "verify", "--data", path(&data)]);
    assert!(good.status.success(), "{}", text(&good));
}

/// A database to move to.
struct Target {
    url: String,
    /// The folder of a file, or the server and the name of a database.
    place: Result<PathBuf, (String, String)>,
}

impl Target {
    fn all(root: &Path) -> Vec<Target> {
        let folder = root.join("other");
        let url = format!("sqlite:{}/ume.db", path(&folder));
        let mut all = vec![Target { url, place: Ok(folder) }];
        let Ok(server) = std::env::var("UME_TEST_POSTGRES") else {
            println!("skipped: no PostgreSQL");
            return all;
        };
        let name = format!("ume_kills_{}", std::process::id());
        let (base, query) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = base.rsplit_once('/').unwrap();
        let url = format!("{host}/{name}?{query}");
        all.push(Target { url, place: Err((server, name)) });
        all
    }

    /// Nothing in it.
    fn clear(&self) {
        match &self.place {
            Ok(folder) => {
                let _ = fs::remove_dir_all(folder);
                fs::create_dir(folder).unwrap();
            }
            Err((server, name)) => run(async {
                let admin = store::Db::postgres(server).await.unwrap();
                for sql in [
                    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
                    format!("CREATE DATABASE {name}"),
                ] {
                    admin.fetch(&sql, &[]).await.unwrap();
                }
                admin.close().await;
            }),
        }
    }
}

#[test]
fn a_killed_backup_leaves_no_half_file_and_the_next_one_works() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let (data, secret, out) = (at("data"), at("secret"), at("out"));
    fs::write(&secret, "correct horse battery\n").unwrap();
    fs::create_dir(&out).unwrap();
    let _server = Server::start(&data);
    thread::sleep(Duration::from_secs(2));
    let begun = Instant::now();
    let made = backup(&data, &out.join("first.backup"), &secret);
    assert!(made.status.success(), "{}", text(&made));
    let took = begun.elapsed();
    let (mut moments, mut interrupted) = (Moments(0x6261_636b_7570), 0);
    for n in 0..kills(4) {
        let file = out.join(format!("{n}.backup"));
        let args = ["backup", "--data", path(&data), "--to", path(&file)];
        let secret_file = ["--passphrase-file", path(&secret)];
        let args: Vec<&str> = args.into_iter().chain(secret_file).collect();
        interrupted += u64::from(killed(&args, moments.next(took)));
        // Under the final name stands a whole backup or nothing.
        if file.exists() {
            let whole =
                verify(&file, &secret, Some(&epoch_of(&file)).filter(|e| e.exists()).map(|e| &**e));
            assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
        }
    }
    assert!(interrupted > 0, "no kill fell into a backup");
    let file = out.join("last.backup");
    let made = backup(&data, &file, &secret);
    assert!(made.status.success(), "{}", text(&made));
    assert!(!data.join("backup.tmp").exists());
    let restored = restore(&file, &at("restored"), &secret);
    assert!(restored.status.success(), "{}", text(&restored));
}
