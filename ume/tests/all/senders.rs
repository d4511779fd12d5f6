//! Senders that keep every line until it is acknowledged, over RELP and HTTP, and say what they know of each.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

pub const TOKEN: &str = "a token of this test";
/// As librelp has it, roughly.
const WINDOW: usize = 64;
const BATCH: usize = 20;

/// What is sent, growing: several servers are sent the same.
#[derive(Clone, Default)]
pub struct Script {
    lines: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
}

impl Script {
    pub fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    pub fn len(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn line(&self, at: usize) -> Option<String> {
        self.lines.lock().unwrap().get(at).cloned()
    }

    fn is_done(&self, at: usize) -> bool {
        self.is_over.load(Ordering::SeqCst) && at >= self.len()
    }
}

/// How many lines of a script were acknowledged.
#[derive(Clone, Default)]
pub struct Acknowledged(Arc<AtomicUsize>);

impl Acknowledged {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn more(&self, lines: usize) {
        self.0.fetch_add(lines, Ordering::SeqCst);
    }
}

/// Sends a script over RELP; whenever it is cut off it sends again what was not answered, in the same order.
pub async fn relp(address: SocketAddr, script: Script, done: Acknowledged) {
    while !script.is_done(done.count()) {
        if session(address, &script, &done).await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// One connection; `None` if it broke.
async fn session(address: SocketAddr, script: &Script, done: &Acknowledged) -> Option<()> {
    let mut socket = TcpStream::connect(address).await.ok()?;
    socket.set_nodelay(true).ok()?;
    socket.write_all(b"1 open 30 relp_version=0\ncommands=syslog\n").await.ok()?;
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"commands=syslog\n") {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    bytes.clear();
    let (mut number, mut next) = (1u32, done.count());
    let mut waiting: VecDeque<u32> = VecDeque::new();
    while !script.is_done(done.count()) {
        while waiting.len() < WINDOW
            && let Some(line) = script.line(next)
        {
            (number, next) = (number + 1, next + 1);
            let frame = format!("{number} syslog {} {line}\n", line.len());
            socket.write_all(frame.as_bytes()).await.ok()?;
            waiting.push_back(number);
        }
        match timeout(Duration::from_millis(20), socket.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return None,
            Err(_) => continue,
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let answer: Vec<u8> = bytes.drain(..=end).collect();
            let answer = String::from_utf8(answer).unwrap();
            let mut words = answer.split_whitespace();
            let (answered, word) = (words.next().unwrap(), words.next().unwrap());
            if word == "serverclose" {
                return None;
            }
            assert!(answer.contains(" 200 OK"), "{answer}");
            assert_eq!(answered.parse().ok(), waiting.pop_front(), "answers come in order");
            done.more(1);
        }
    }
    Some(())
}

/// Sends a script over HTTP in batches, each with a key of its own; what was not answered is sent again as it was.
pub async fn http(address: SocketAddr, source: &str, script: Script, done: Acknowledged) {
    let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    while !script.is_done(done.count()) {
        let from = done.count();
        let batch: Vec<String> = (from..from + BATCH).map_while(|at| script.line(at)).collect();
        if batch.is_empty() {
            sleep(Duration::from_millis(5)).await;
            continue;
        }
        let body: String = batch.iter().map(|line| format!("{line}\n")).collect();
        // The same body again until it is answered, whatever came meanwhile.
        loop {
            let request = client.post(format!("http://{address}/intake/{source}"));
            let request =
                request.bearer_auth(TOKEN).header("Idempotency-Key", format!("from {from}"));
            match request.body(body.clone()).send().await {
                Ok(answer) if answer.status() == StatusCode::OK => break,
                Ok(answer) => assert!(answer.status().is_server_error(), "{answer:?}"),
                Err(_) => {}
            }
            sleep(Duration::from_millis(20)).await;
        }
        done.more(batch.len());
    }
}
