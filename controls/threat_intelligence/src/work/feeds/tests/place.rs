//! A house with its router, and a server of feeds that answers as it is told.

use std::{
    collections::HashMap,
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use model::{Id, Table, Timestamp};
use reqwest::{Client, Method, header};
use serde_json::Value as Json;
use store::{Record, Row, Store};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::work::{
    feeds::{self, account::Account, rows, source},
    inbox::{ITEM, SOURCE},
};

type Answers = Arc<Mutex<HashMap<String, Vec<Vec<u8>>>>>;
type Asked = Arc<Mutex<Vec<String>>>;

pub struct Place {
    pub house: web::Shared,
    pub folder: tempfile::TempDir,
    base: String,
    client: Client,
    pub feeds: String,
    answers: Answers,
    asked: Asked,
    ahead: Arc<AtomicI64>,
    stream: stream::Stream,
}

/// An answer of HTTP with its body.
pub fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut all =
        format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    all.extend_from_slice(body);
    all
}

pub fn plain(body: &str) -> Vec<u8> {
    answer("200 OK\r\ncontent-type: text/plain", body.as_bytes())
}

pub fn document(body: &Json) -> Vec<u8> {
    answer("200 OK\r\ncontent-type: application/json", body.to_string().as_bytes())
}

/// It promises more than it gives.
pub fn cut_off() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nevil.example.com\n".to_vec()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

async fn speak(mut stream: TcpStream, answers: Answers, asked: Asked) {
    let (mut head, mut buffer) = (Vec::new(), vec![0; 65_536]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let end = text.find("\r\n\r\n").unwrap_or(text.len());
    let length = text[..end].lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    while head.len() < end + 4 + length {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let bare = path.split('?').next().unwrap_or_default().to_owned();
    asked.lock().expect("asked").push(text);
    let next = {
        let mut all = answers.lock().expect("answers");
        let place = all.get_mut(&path).filter(|place| !place.is_empty());
        let found = place.map(|place| place.remove(0));
        found.or_else(|| {
            let place = all.get_mut(&bare)?;
            (!place.is_empty()).then(|| place.remove(0))
        })
    };
    match next {
        Some(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        // Who has nothing to say says nothing.
        None => tokio::time::sleep(std::time::Duration::from_secs(30)).await,
    }
}

impl Place {
    pub async fn new() -> Place {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("folder");
        let ahead = Arc::<AtomicI64>::default();
        let (time, system) = (ahead.clone(), store::system_clock());
        let clock: store::Clock =
            Arc::new(move || Timestamp(system().0 + time.load(Ordering::SeqCst)));
        let store = Store::open(folder.path(), clock).await.expect("store");
        let ledger = ledger::Ledger::open(&folder.path().join("ledger"), "ume.test/feeds");
        let data = folder.path().join("stream");
        let stream = stream::Stream::open(&data, stream::Limits::default()).expect("stream");
        let house =
            web::House::new(store, ledger.expect("ledger"), data, vec![&crate::SPEC], &crate::SPEC);
        let house = Arc::new(house);
        let mut routes = web::routes();
        routes.extend(crate::pages::routes());
        let app = web::finish(routes, house.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.expect("served") });
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let (answers, asked) = (Answers::default(), Asked::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let feeds = format!("http://{}", listener.local_addr().expect("bound"));
        let (to, heard) = (answers.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(speak(stream, to.clone(), heard.clone()));
            }
        });
        std::fs::create_dir_all(folder.path().join(intel::FOLDER)).expect("made");
        Place {
            house,
            folder,
            base,
            client: client.expect("client"),
            feeds,
            answers,
            asked,
            ahead,
            stream,
        }
    }

    /// What is answered at a path from now on, one after the other; nothing behind them.
    pub fn serve(&self, path: &str, answers: Vec<Vec<u8>>) {
        self.answers.lock().expect("answers").insert(path.to_owned(), answers);
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("asked").clone()
    }

    pub fn later(&self, seconds: i64) {
        self.ahead.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub async fn put(&self, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let store = &self.house.store;
        let mut row = Row::new(table, store.new_id().expect("id"), kind, name);
        row.attributes = attributes.as_object().cloned().expect("an object");
        row.status = "active".to_owned();
        let mut write = store.write("account:test", "", "").await.expect("begun");
        let row = write.put(row).await.expect("put");
        write.commit().await.expect("committed");
        row
    }

    pub async fn source(&self, format: &str, path: &str, more: Json) -> Id {
        self.source_at(format, &format!("{}{path}", self.feeds), more).await
    }

    pub async fn source_at(&self, format: &str, url: &str, more: Json) -> Id {
        let mut facts = serde_json::json!({
            "active": true, "format": format, "url": url, "interval_min": 60,
            "rows_use": "enforce", "use_reason": "test",
        });
        for (name, value) in more.as_object().cloned().unwrap_or_default() {
            facts[name] = value;
        }
        self.put(Table::Asset, SOURCE, "feed", facts).await.id
    }

    pub async fn rule(&self, source: Id, mut facts: Json) {
        facts["source"] = serde_json::json!(source);
        self.put(Table::Rule, source::RULE, "rule", facts).await;
    }

    pub async fn fetch(&self, source: Id) -> Account {
        feeds::one(&self.house, source).await.expect("fetched").expect("a source")
    }

    pub fn ctx(&self) -> room::Shared {
        Arc::new(room::Ctx { house: self.house.clone(), stream: self.stream.clone() })
    }

    pub async fn round(&self) {
        feeds::round(self.ctx()).await.expect("a round");
    }

    pub async fn rows(&self, source: Id) -> u64 {
        let feeds = rows::feeds(&self.house).await.expect("feeds");
        feeds.count(source).await.expect("counted")
    }

    pub async fn of_type(&self, ty: &str) -> Vec<Record> {
        let records = self.house.store.newest_records(&[ty], None, 100).await.expect("records");
        let spec = crate::SPEC.records.iter().find(|spec| spec.ty == ty).expect(ty);
        for record in &records {
            assert_eq!(spec.validate(&record.facts), [], "{ty}: {:?}", record.facts);
        }
        records
    }

    pub async fn items(&self) -> Vec<Row> {
        let mut items = self.house.store.all(Table::Asset, &[ITEM]).await.expect("items");
        let kind = crate::SPEC.kinds.iter().find(|kind| kind.id == ITEM).expect("a kind");
        for item in &items {
            assert_eq!(kind.validate(&item.attributes), []);
        }
        items.sort_by_key(|item| item.created_at);
        items
    }

    pub async fn judge(&self, item: &Row, verdict: &str) {
        let mut item = item.clone();
        item.attributes.insert("verdict".to_owned(), serde_json::json!(verdict));
        item.attributes.insert("advice".to_owned(), serde_json::json!("x"));
        let mut write = self.house.store.write("account:test", "", "").await.expect("begun");
        write.put(item).await.expect("put");
        write.commit().await.expect("committed");
    }

    async fn browser(&self, role: &str) -> (String, String) {
        let store = &self.house.store;
        let account = match store.account(role).await.expect("read") {
            Some(account) => account.id,
            None => store.add_account(role, role, "no password fits").await.expect("made"),
        };
        let token = store.open_session(account, "full", "test").await.expect("session");
        let session = store.session(&token, 8, 168).await.expect("read").expect("a session");
        (format!("ume={token}"), session.csrf)
    }

    pub async fn page(&self, role: &str, path: &str) -> String {
        let (cookie, _) = self.browser(role).await;
        let request = self.client.get(format!("{}{path}", self.base));
        let request = request.header(header::COOKIE, cookie).header("accept-language", "en");
        let answer = request.send().await.expect("answered");
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.text().await.expect("text")
    }

    pub async fn send(&self, role: &str, path: &str, fields: &[(&str, &str)]) -> u16 {
        let (cookie, csrf) = self.browser(role).await;
        let mut form: Vec<(&str, &str)> = fields.to_vec();
        form.push(("csrf", &csrf));
        let encode =
            |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let body: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = self.client.request(Method::POST, format!("{}{path}", self.base));
        let request = request
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(body.join("&")).send().await.expect("answered").status().as_u16()
    }
}
