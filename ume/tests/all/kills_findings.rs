//! The server killed (SIGKILL) at seeded moments under RELP and HTTP, beside one that nobody disturbs and that is sent
//! the same: no acknowledged event is lost, each is in the archive once since its sender gave it an id, and both find
//! the same, as often. `UME_SOAK=1` kills 200 times.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::{
    backups::*,
    kills::Moments,
    senders::{Acknowledged, Script, TOKEN, http, relp},
};

/// The lines say they are so old: what correlations wait for late events then takes seconds and no minutes.
const AGE_US: i64 = 85_000_000;
const LATENESS_US: i64 = 120_000_000;
/// A rule may still take in what came, and the state be saved, within this.
const SETTLED_WITHIN: Duration = Duration::from_secs(90);
const LINE_EVERY: Duration = Duration::from_millis(6);

pub(crate) fn kills(few: u64) -> u64 {
    if std::env::var_os("UME_SOAK").is_some() { 200 } else { few }
}

/// A port that is free now: a server that is started again needs the same. It is none that the kernel gives to those
/// who connect, or one of the many who try again while the server is down would take it, even by meeting itself.
pub(crate) fn free() -> SocketAddr {
    let seed = now_us() as u64 ^ (u64::from(std::process::id()) << 20);
    let mut moments = Moments(seed);
    loop {
        let port = 10_000 + (moments.next(Duration::from_secs(20_000)).as_secs() as u16);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn now_us() -> i64 {
    stream::intake::now().0
}

/// A server with its folder, what it is sent, and how to ask it.
pub(crate) struct Side {
    pub data: PathBuf,
    pub pages: SocketAddr,
    relp: SocketAddr,
    pub token: String,
    pub heard: [Acknowledged; 2],
    pub server: Option<Server>,
}

impl Side {
    pub(crate) fn new(root: &Path, name: &str, more: &str) -> Side {
        let (data, secret) = (root.join(name), root.join("secret"));
        fs::create_dir(&data).unwrap();
        fs::write(&secret, "correct horse battery\n").unwrap();
        let (pages, relp, hash) = (free(), free(), hex::encode(Sha256::digest(TOKEN)));
        let toml = format!(
            "[intake]\njournal = false\nstandard_files = false\n\
             [[intake.relp]]\nlisten = \"{relp}\"\nsource = \"relp\"\n\
             [[intake.http]]\nsource = \"app\"\ntoken_sha256 = \"{hash}\"\n\
             lines_per_second = 1000000\n{more}"
        );
        fs::write(data.join("ume.toml"), toml).unwrap();
        let done = |args: &[&str]| {
            let output = ume(&[args, &["--data", path(&data), "--format", "json"]].concat());
            assert!(output.status.success(), "{}", text(&output));
            serde_json::from_slice::<Json>(&output.stdout).unwrap()
        };
        done(&["setup", "--admin", "umeko", "--password-file", path(&secret)]);
        let token = done(&["token", "add", "--login", "umeko", "--name", "test"])["token"].clone();
        let token = token.as_str().unwrap().to_owned();
        Side { data, pages, relp, token, heard: Default::default(), server: None }
    }

    pub(crate) fn start(&mut self) {
        self.server = Some(Server::on(&self.data, &self.pages.to_string(), &[]));
    }

    pub(crate) fn kill(&mut self) {
        // It is ended by SIGKILL when it is dropped.
        self.server = None;
    }

    /// Sends until the scripts are over.
    pub(crate) fn hears(&self, scripts: &[Script; 2]) -> [tokio::task::JoinHandle<()>; 2] {
        let ([lines, objects], [first, second]) = (scripts.clone(), self.heard.clone());
        let (to_relp, to_pages) = (self.relp, self.pages);
        [
            tokio::spawn(relp(to_relp, lines, first)),
            tokio::spawn(async move { http(to_pages, "app", objects, second).await }),
        ]
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Json> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let request = client.get(format!("http://{}{path}", self.pages)).bearer_auth(&self.token);
        let answer = request.send().await.ok()?;
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        answer.json().await.ok()
    }

    /// How often what rules find was met, by rule and group.
    pub(crate) async fn found(&self) -> BTreeMap<(String, String), u64> {
        let (mut found, mut before) = (BTreeMap::new(), String::new());
        loop {
            let path = format!("/api/v1/monitoring/findings{before}");
            let Some(told) = self.get(&path).await else { return BTreeMap::new() };
            for finding in told["findings"].as_array().unwrap() {
                if finding["class"] != "detection" {
                    continue;
                }
                let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
                let key = (text("title_en"), text("group"));
                let times = 1 + finding["again"].as_u64().unwrap();
                let other = found.insert(key, times);
                assert_eq!(other, None, "told twice: {finding}");
            }
            match told["next"].as_str() {
                Some(next) => before = format!("?before={next}"),
                None => return found,
            }
        }
    }
}

/// A syslog message with a number of its own; some are noise, some meet rules, some are counted by correlations.
pub(crate) fn message(n: usize, at_us: i64) -> String {
    let at = model::Timestamp(at_us).rfc3339();
    // Each host numbers its own.
    let (host, id) = (n % 7, n / 7 + 1);
    let meta = format!("[meta sequenceId=\"{id}\"]");
    match n % 25 {
        3 | 9 | 17 => format!(
            "<38>1 {at} h{host} sshd 77 - {meta} Failed password for root from 192.0.2.{} port {} ssh2",
            n % 5,
            1024 + n % 60_000
        ),
        20 => format!(
            "<3>1 {at} h{host} kernel - - {meta} blk_update_request: I/O error, dev sda, sector {n}"
        ),
        _ => format!("<30>1 {at} h{host} app {n} - {meta} request {n} was served"),
    }
}

/// What a network sensor says, as JSON.
pub(crate) fn object(n: usize, at_us: i64) -> String {
    let at = model::Timestamp(at_us).rfc3339();
    let severity = if n % 30 == 4 { 1 } else { 3 };
    serde_json::json!({
        "timestamp": at, "flow_id": n, "event_type": if n % 6 == 4 { "alert" } else { "flow" },
        "host": format!("sensor{}", n % 3), "src_ip": format!("198.51.100.{}", n % 4),
        "dest_ip": "192.0.2.9", "proto": "TCP",
        "alert": if n % 6 == 4 {
            serde_json::json!({ "signature": format!("kind {}", n % 11), "severity": severity })
        } else {
            Json::Null
        },
    })
    .to_string()
}

/// Writes both scripts until told to stop; gives the time of the newest line.
pub(crate) async fn write(scripts: [Script; 2], stop: tokio::sync::watch::Receiver<bool>) -> i64 {
    let mut n = 0;
    loop {
        let at = now_us() - AGE_US;
        scripts[0].push(message(n, at));
        scripts[1].push(object(n, at));
        n += 1;
        if *stop.borrow() {
            scripts.iter().for_each(Script::end);
            return at;
        }
        tokio::time::sleep(LINE_EVERY).await;
    }
}

/// How often each line stands in the archive, by its bytes.
pub(crate) fn archived(data: &Path) -> HashMap<String, usize> {
    let query = stream::search::Query { limit: usize::MAX, ..Default::default() };
    let found = stream::search::search(&data.join("stream/archive"), &query).unwrap();
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    let mut counts = HashMap::new();
    for event in found.events {
        *counts.entry(String::from_utf8(event.raw).unwrap()).or_default() += 1;
    }
    counts
}

/// How many lines came a second time and were known.
pub(crate) fn repeated(data: &Path) -> u64 {
    let counters = fs::read(data.join("stream/counters.json")).unwrap();
    let counters: Json = serde_json::from_slice(&counters).unwrap();
    let sources = counters["sources"].as_object().unwrap().values();
    sources.filter_map(|source| source["refused"]["repeated"].as_u64()).sum()
}

/// Each line once, and nothing else of these sources.
pub(crate) fn each_once(data: &Path, scripts: &[Script; 2]) {
    let lines: Vec<String> = scripts.iter().flat_map(Script::all).collect();
    let (from, mut counts) = (Instant::now(), archived(data));
    while counts.len() < lines.len() && from.elapsed() < SETTLED_WITHIN {
        thread::sleep(Duration::from_secs(1));
        counts = archived(data);
    }
    for line in &lines {
        assert_eq!(counts.get(line), Some(&1), "{line}");
    }
}

/// Waits until every correlation is decided, and gives what both found.
pub(crate) async fn agreed(killed: &Side, calm: &Side, newest_us: i64) -> usize {
    let decided = newest_us + LATENESS_US + 3_000_000 - now_us();
    tokio::time::sleep(Duration::from_micros(decided.max(0) as u64)).await;
    let from = Instant::now();
    let (mut one, mut other) = (killed.found().await, calm.found().await);
    while one != other && from.elapsed() < SETTLED_WITHIN {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (one, other) = (killed.found().await, calm.found().await);
    }
    assert_eq!(one, other, "killed and undisturbed");
    let titles: std::collections::BTreeSet<&str> =
        one.keys().map(|(title, _)| title.as_str()).collect();
    for wanted in [
        "Disk Reports Read or Write Errors",
        "Password Guessing Over SSH",
        "Network Sensor Saw a Serious Attack",
        "Network Sensor Sees Many Kinds of Attacks From One Source",
    ] {
        assert!(titles.contains(wanted), "{wanted} is not among {titles:?}");
    }
    // Nothing more comes of it later.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((killed.found().await, calm.found().await), (one.clone(), other));
    one.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_relp_and_http_keeps_each_event_once_and_finds_what_an_undisturbed_one_finds()
 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = tempfile::tempdir().unwrap();
    let mut killed = Side::new(root.path(), "killed", "");
    let mut calm = Side::new(root.path(), "calm", "");
    let scripts: [Script; 2] = Default::default();
    calm.start();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = tokio::spawn(write(scripts.clone(), stopped));
    let senders = [killed.hears(&scripts), calm.hears(&scripts)];
    let mut moments = Moments(0x7061_7468);
    let kills = kills(5);
    for _ in 0..kills {
        let before = [killed.heard[0].count(), killed.heard[1].count()];
        killed.start();
        while (0..2).any(|way| killed.heard[way].count() == before[way]) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(moments.next(Duration::from_millis(1_500))).await;
        killed.kill();
    }
    killed.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.send(true).unwrap();
    let newest_us = writing.await.unwrap();
    for sender in senders.into_iter().flatten() {
        sender.await.unwrap();
    }
    let found = agreed(&killed, &calm, newest_us).await;
    let data = [killed.data.clone(), calm.data.clone()];
    let lines = scripts.clone();
    tokio::task::spawn_blocking(move || data.iter().for_each(|data| each_once(data, &lines)))
        .await
        .unwrap();
    killed.kill();
    calm.kill();
    let good = ume(&["ledger", "verify", "--data", path(&killed.data)]);
    assert!(good.status.success(), "{}", text(&good));
    let lines: usize = scripts.iter().map(Script::len).sum();
    let again = repeated(&killed.data);
    println!(
        "{kills} kills, {lines} lines, {again} of them known when they came again, {found} findings"
    );
    assert_eq!(repeated(&calm.data), 0, "nobody repeated anything there");
    assert!(again > 0 || kills < 50, "no kill fell between the disk and the answer");
}
