//! Evaluation by other nodes over a real NATS server: every part of it killed, and what users see when it is gone.
//! `UME_TEST_NATS` names the server (`tests/nats.sh` installs one); without it these tests are skipped.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use monitoring::work::spread::Bus;
use reqwest::{Method, header};
use serde_json::Value as Json;

use crate::{
    backups::*,
    findings::{DISK, Place},
    kills::Moments,
    kills_findings::{Side, agreed, each_once, free, kills, write},
    senders::Script,
};

const WITHIN: Duration = Duration::from_secs(60);
/// Longer than a lease: the other node takes over.
const TAKEN_OVER: Duration = Duration::from_secs(9);

/// A NATS server with its folder.
struct Nats {
    program: PathBuf,
    address: SocketAddr,
    folder: PathBuf,
    more: Vec<String>,
    child: Option<Child>,
}

impl Nats {
    fn new(root: &Path) -> Option<Nats> {
        let Some(program) = std::env::var_os("UME_TEST_NATS").map(PathBuf::from) else {
            println!("skipped: no NATS server; UME_TEST_NATS=$(tests/nats.sh) names one");
            return None;
        };
        let (address, folder) = (free(), root.join("nats"));
        Some(Nats { program, address, folder, more: Vec::new(), child: None })
    }

    fn start(&mut self) {
        let port = self.address.port().to_string();
        let child = Command::new(&self.program)
            .args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd", path(&self.folder)])
            .args(&self.more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(begun.elapsed() < WITHIN, "NATS does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Deletes a stream, as an administrator may.
    fn delete(&self, stream: &str) {
        let mut socket = TcpStream::connect(self.address).unwrap();
        let command = format!(
            "CONNECT {{\"verbose\":false}}\r\nPUB $JS.API.STREAM.DELETE.{stream} 0\r\n\r\nPING\r\n"
        );
        socket.write_all(command.as_bytes()).unwrap();
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        while !said.contains("PONG") {
            let got = socket.read(&mut buffer).unwrap();
            assert!(got > 0, "{said}");
            said.push_str(&String::from_utf8_lossy(&buffer[..got]));
        }
    }

    fn keys(&self, node: &str, evaluate: bool) -> String {
        format!(
            "[bus]\nnats = \"nats://{}\"\nnode = \"{node}\"\npartitions = 4\nevaluate = {evaluate}\n",
            self.address
        )
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A node that evaluates and nothing else.
struct Node {
    data: PathBuf,
    child: Option<Child>,
}

impl Node {
    fn start(root: &Path, nats: &Nats, name: &str) -> Node {
        let data = root.join(name);
        fs::create_dir(&data).unwrap();
        fs::write(data.join("ume.toml"), nats.keys(name, true)).unwrap();
        let mut node = Node { data, child: None };
        node.again();
        node
    }

    fn again(&mut self) {
        let child = Command::new(env!("CARGO_BIN_EXE_ume"))
            .args(["serve", "--roles", "evaluate", "--data", path(&self.data)])
            .env("UME_LOG", "warn")
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until the main node says so of its nodes.
async fn until(side: &Side, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
    let begun = Instant::now();
    let mut told = Json::Null;
    while begun.elapsed() < WITHIN {
        if let Some(answer) = side.get("/api/v1/monitoring/nodes").await {
            told = answer;
            if is_so(&told) {
                return told;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{what}: {told}");
}

fn is_caught_up(told: &Json) -> bool {
    told["behind_bytes"] == 0 && told["trouble_en"].is_null() && told["connected"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_two_nodes_find_what_a_server_alone_finds() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = tempfile::tempdir().unwrap();
    let Some(mut nats) = Nats::new(root.path()) else { return };
    nats.start();
    let mut main = Side::new(root.path(), "main", &nats.keys("main", false));
    let mut calm = Side::new(root.path(), "calm", "");
    main.start();
    calm.start();
    let mut nodes = [Node::start(root.path(), &nats, "a"), Node::start(root.path(), &nats, "b")];
    let scripts: [Script; 2] = Default::default();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = tokio::spawn(write(scripts.clone(), stopped));
    let senders = [main.hears(&scripts), calm.hears(&scripts)];
    until(&main, "both nodes hold partitions", |told| {
        told["nodes"]["a"] == 2 && told["nodes"]["b"] == 2
    })
    .await;
    let mut moments = Moments(0x6e61_7473);
    let kills = kills(5);
    for round in 0..kills {
        tokio::time::sleep(moments.next(Duration::from_millis(1_500))).await;
        match round % 5 {
            0 => {
                main.kill();
                main.start();
            }
            1 => {
                nodes[0].kill();
                // Long enough that the other holds everything for a while.
                tokio::time::sleep(TAKEN_OVER).await;
                nodes[0].again();
            }
            2 => {
                nats.kill();
                tokio::time::sleep(moments.next(Duration::from_millis(1_500))).await;
                nats.start();
            }
            3 => {
                nodes[1].kill();
                nodes[1].again();
            }
            _ => {
                nodes.iter_mut().for_each(Node::kill);
                main.kill();
                nodes.iter_mut().for_each(Node::again);
                main.start();
            }
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.send(true).unwrap();
    let newest_us = writing.await.unwrap();
    for sender in senders.into_iter().flatten() {
        sender.await.unwrap();
    }
    until(&main, "everything is evaluated", is_caught_up).await;
    let found = agreed(&main, &calm, newest_us).await;
    let data = [main.data.clone(), calm.data.clone()];
    let lines = scripts.clone();
    tokio::task::spawn_blocking(move || data.iter().for_each(|data| each_once(data, &lines)))
        .await
        .unwrap();
    main.kill();
    let good = ume(&["ledger", "verify", "--data", path(&main.data)]);
    assert!(good.status.success(), "{}", text(&good));
    let lines: usize = scripts.iter().map(Script::len).sum();
    println!("{kills} kills, {lines} lines, {found} findings");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_is_gone_or_emptied_or_closed_costs_nothing_but_time_and_says_what_to_do() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = tempfile::tempdir().unwrap();
    let Some(mut nats) = Nats::new(root.path()) else { return };
    let mut main = Side::new(root.path(), "main", &nats.keys("main", true));
    let scripts: [Script; 2] = Default::default();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = tokio::spawn(write(scripts.clone(), stopped));
    main.start();
    let senders = main.hears(&scripts);
    let says = |words: &'static str| {
        move |told: &Json| {
            let said = told["trouble_en"].as_str().is_some_and(|text| text.contains(words));
            said && told["trouble_ja"].is_string() && told["behind_bytes"].as_u64() > Some(0)
        }
    };
    // Not there at the start: events are taken, and wait.
    let told = until(&main, "what is wrong is said", says("cannot be reached")).await;
    assert!(told["oldest"].is_string() && told["since"].is_string(), "{told}");
    let heard = main.heard[0].count();
    nats.start();
    until(&main, "caught up after the start", is_caught_up).await;
    assert!(main.heard[0].count() > heard, "intake went on");
    // Gone in the middle, and its disk with it.
    nats.kill();
    until(&main, "what is wrong is said again", says("cannot be reached")).await;
    let begun = Instant::now();
    loop {
        let status = text(&ume(&["status", "--data", path(&main.data)]));
        if status.contains("wait for other nodes") && status.contains("cannot be reached") {
            break;
        }
        assert!(begun.elapsed() < WITHIN, "{status}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    fs::remove_dir_all(&nats.folder).unwrap();
    nats.start();
    until(&main, "caught up with an empty server", is_caught_up).await;
    for stream in ["ume_events", "ume_answers"] {
        nats.delete(stream);
        tokio::time::sleep(Duration::from_secs(1)).await;
        until(&main, "caught up after a stream was deleted", is_caught_up).await;
        // More comes, so that a stream that is missing would be noticed.
        tokio::time::sleep(Duration::from_secs(1)).await;
        until(&main, "and it stays so", is_caught_up).await;
    }
    // Closed to those without a password.
    nats.kill();
    nats.more = ["--user", "ume", "--pass", "secret"].map(str::to_owned).to_vec();
    nats.start();
    until(&main, "who is not let in is told", says("does not let this node in")).await;
    stop.send(true).unwrap();
    writing.await.unwrap();
    for sender in senders {
        sender.await.unwrap();
    }
    main.kill();
    fs::write(root.path().join("nats.password"), "ume:secret\n").unwrap();
    let file = main.data.join("ume.toml");
    let keys = fs::read_to_string(&file).unwrap();
    let credentials = format!("credentials = \"{}\"\n", path(&root.path().join("nats.password")));
    fs::write(&file, format!("{keys}{credentials}")).unwrap();
    main.start();
    until(&main, "caught up with a password", is_caught_up).await;
    let lines = scripts.iter().flat_map(Script::all);
    let disks = lines.filter(|line| line.contains("I/O error")).count() as u64;
    let found = main.found().await;
    let met = found.iter().filter(|((title, _), _)| title.starts_with("Disk Reports"));
    assert_eq!(met.map(|(_, times)| times).sum::<u64>(), disks, "each event once");
    let data = main.data.clone();
    tokio::task::spawn_blocking(move || each_once(&data, &scripts)).await.unwrap();
}

/// A certificate for this machine that is its own authority, and its key.
fn certificate(root: &Path, name: &str) -> [PathBuf; 2] {
    let names = vec!["127.0.0.1".to_owned(), name.to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let [certificate, key] = ["pem", "key"].map(|end| root.join(name).with_extension(end));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    [certificate, key]
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_who_shows_no_certificate_is_not_let_in_and_who_does_evaluates() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = tempfile::tempdir().unwrap();
    let Some(mut nats) = Nats::new(root.path()) else { return };
    let [server, server_key] = certificate(root.path(), "server");
    let [client, client_key] = certificate(root.path(), "client");
    nats.more = ["--tlsverify", "--tlscert", path(&server), "--tlskey", path(&server_key)]
        .into_iter()
        .chain(["--tlscacert", path(&client)])
        .map(str::to_owned)
        .collect();
    nats.start();
    let keys = nats.keys("main", true).replace("nats://", "tls://");
    let mut main = Side::new(root.path(), "main", &format!("{keys}ca = \"{}\"\n", path(&server)));
    main.start();
    let shown = |told: &Json| {
        let said = told["trouble_en"].as_str().unwrap_or_default().to_lowercase();
        said.contains("tls") || said.contains("certificate")
    };
    until(&main, "a certificate is asked for", shown).await;
    main.kill();
    let file = main.data.join("ume.toml");
    let before = fs::read_to_string(&file).unwrap();
    let identity =
        format!("certificate = \"{}\"\nkey = \"{}\"\n", path(&client), path(&client_key));
    fs::write(&file, format!("{before}{identity}")).unwrap();
    main.start();
    until(&main, "it takes part", |told| is_caught_up(told) && told["nodes"]["main"] == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_an_indicator_meets_is_seen_by_a_node_that_knows_the_key_and_by_none_that_does_not()
 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = tempfile::tempdir().unwrap();
    let Some(mut nats) = Nats::new(root.path()) else { return };
    nats.start();
    let mut main = Side::new(root.path(), "main", &nats.keys("main", false));
    main.start();
    let key = fs::read_to_string(main.data.join("ledger/vkey")).unwrap();
    let mut node = Node::start(root.path(), &nats, "a");
    until(&main, "the node holds all", |told| told["nodes"]["a"] == 4).await;
    let name = "c2.evil-parts.example";
    let first = main.item("First", &format!("[domain-name:value = '{name}']")).await;
    let set_of = |told: &Json| told["sets"]["a"].clone();
    // It does not know the key: the main node looks for itself, and says so.
    main.holds(1).await;
    main.say(name).await;
    let told = until(&main, "it is told", |told| set_of(told)["trouble"].is_string()).await;
    assert!(set_of(&told)["root"].is_null(), "{told}");
    main.finds(&format!("pattern:{first}")).await;
    // It knows the key: what is published is met within moments.
    node.kill();
    let toml = format!("{}house_key = \"{}\"\n", nats.keys("a", true), key.trim());
    fs::write(node.data.join("ume.toml"), toml).unwrap();
    node.again();
    until(&main, "it is back", |told| told["nodes"]["a"] == 4).await;
    let other = "drop.evil-parts.example";
    let second = main.item("Second", &format!("[domain-name:value = '{other}']")).await;
    main.holds(2).await;
    main.say("nothing.example").await;
    let told = until(&main, "it holds the set", |told| set_of(told)["root"].is_string()).await;
    assert!(set_of(&told)["trouble"].is_null(), "{told}");
    main.say(other).await;
    let begun = Instant::now();
    main.finds(&format!("pattern:{second}")).await;
    println!("met after {:?}", begun.elapsed());
    assert!(node.data.join("indicators/set.json").exists(), "it is kept for a restart");
    let applied = main.get("/api/v1/records?type=house.rules_applied").await.unwrap();
    assert!(applied.to_string().contains("monitoring/a"), "{applied}");
}

impl Side {
    /// An item that is to be acted on, as another program enters it; gives the id of its pattern.
    async fn item(&self, name: &str, pattern: &str) -> String {
        let source = serde_json::json!({"kind": "intel_source", "name": name, "attributes": {
            "active": true, "format": "hand", "interval_min": 1440,
        }});
        let source = self.enter(source).await;
        let today: String = stream::intake::now().rfc3339().chars().take(10).collect();
        self.enter(serde_json::json!({"kind": "intel_item", "name": name, "attributes": {
            "source": source, "received": today, "field": "technical", "tlp": "amber",
            "verdict": "act", "advice": "x", "patterns": pattern,
        }}))
        .await;
        use sha2::{Digest, Sha256};
        format!("pattern--{}", hex::encode(&Sha256::digest(pattern)[..16]))
    }

    /// Waits until the main node has a set with so many patterns.
    async fn holds(&self, patterns: u64) {
        let begun = Instant::now();
        while begun.elapsed() < WITHIN {
            let told = self.get("/api/v1/monitoring/board").await.unwrap_or_default();
            if told["indicators"]["patterns"] == patterns {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no set with {patterns} patterns");
    }

    async fn enter(&self, body: Json) -> String {
        let client = reqwest::Client::new();
        let request = client.post(format!("http://{}/api/v1/assets", self.pages));
        let answer = request.bearer_auth(&self.token).json(&body).send().await.unwrap();
        let (status, said) = (answer.status(), answer.json::<Json>().await.unwrap());
        assert_eq!(status.as_u16(), 201, "{said}");
        said["id"].as_str().unwrap().to_owned()
    }

    /// A name is asked for.
    async fn say(&self, name: &str) {
        let line = serde_json::json!({"query": name, "app": "dns"}).to_string();
        let client = reqwest::Client::new();
        let request = client.post(format!("http://{}/intake/app", self.pages));
        let answer = request.bearer_auth(crate::senders::TOKEN).body(line).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    async fn finds(&self, rule: &str) {
        let begun = Instant::now();
        while begun.elapsed() < WITHIN {
            let told = self.get("/api/v1/monitoring/findings").await.unwrap_or_default();
            let all = told["findings"].as_array().cloned().unwrap_or_default();
            if all.iter().any(|finding| finding["rule"] == rule) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{rule} was not found");
    }
}

#[tokio::test]
async fn the_page_says_in_both_languages_what_waits_and_what_to_do() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let alone = place.page("auditor", "/monitoring/nodes").await;
    assert!(alone.contains("this server holds every event against the rules"), "{alone}");
    place.served.house.kept.get::<Bus>().configure(bus::Settings {
        url: format!("nats://{}", free()),
        credentials: None,
        ca: None,
        identity: None,
        name: "ume".to_owned(),
        replicas: 1,
        partitions: 4,
        node: "main".to_owned(),
    });
    place.come(&[DISK]);
    place.round().await;
    let page = place.page("auditor", "/monitoring/nodes").await;
    for words in ["Evaluation stands still", "cannot be reached", "not connected", "1 KiB"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let who = place.served.browser("auditor").await;
    let request = place.served.request(Method::GET, "/monitoring/nodes");
    let request = request.header(header::COOKIE, format!("{}; ume_lang=ja", who.cookie));
    let page = request.send().await.unwrap().text().await.unwrap();
    for words in ["評価が止まっています", "に接続できません", "接続していません"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(place.found().await.is_empty(), "nothing is evaluated, and nothing is lost");
    assert!(place.page("auditor", "/detections").await.contains("/monitoring/nodes"));
}
