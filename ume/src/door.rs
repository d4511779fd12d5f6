//! Two ways to the data: the folder itself, or the API of the server that holds it.
//!
//! A command that reads opens the folder read-only. One that writes takes a free folder; where a
//! server holds it, it goes through the socket in the folder ([`crate::local`]), or to the server
//! that `--server` names. All ways end in [`Desk`] and [`Hand`].

use std::{path::Path, time::Duration};

use isms::hall::migrate;
use ledger::Ledger;
use model::Table;
use reqwest::{Client, Method, RequestBuilder, header};
use serde_json::{Map, Value as Json};
use store::{RecordFilter, WriterLock};
use tokio::sync::Mutex;
use web::api::{
    IMPORT_TYPES, collection,
    desk::{BookAsked, Desk, PAGE_ROWS_MAX, Page},
    local::{self as acts, Act, Hand},
    problem::Problem,
};

use crate::{
    CliError, local,
    place::Place,
    registers::{At, record, time},
    serve,
    settings::DataFolder,
};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// What the server does for the machine's administrator may take longer than it gives the network.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(1_800);
/// How long a command waits for another one, or for a server that is just starting.
const BUSY_WAIT: Duration = Duration::from_secs(10);
const BUSY_LOOK: Duration = Duration::from_millis(100);

/// The way taken.
pub enum Door {
    Folder(Box<Folder>),
    Server(Server),
}

/// The folder, with its lock while something is written.
pub struct Folder {
    store: store::Store,
    ledger: Option<Mutex<Ledger>>,
    _lock: Option<std::fs::File>,
    _writer: Option<WriterLock>,
}

/// A server's API.
pub struct Server {
    client: Client,
    base: String,
    /// None on the socket, where the kernel says who calls.
    token: Option<String>,
}

impl Door {
    /// For looking only: beside a running server too.
    pub async fn reading(at: At) -> Result<Door, CliError> {
        if at.server.is_some() {
            return Server::open(at).map(Door::Server);
        }
        let store = Place::of(&at.data)?.open_read_only().await?;
        Ok(Door::Folder(Box::new(Folder { store, ledger: None, _lock: None, _writer: None })))
    }

    /// For changing: the folder where it is free, else the server that holds it.
    pub async fn writing(at: At) -> Result<Door, CliError> {
        if at.server.is_some() {
            return Server::open(at).map(Door::Server);
        }
        Door::of(&Place::of(&at.data)?).await
    }

    /// The same for a place that is known.
    pub async fn of(place: &Place) -> Result<Door, CliError> {
        let end = tokio::time::Instant::now() + BUSY_WAIT;
        loop {
            let held = match place.hold().await {
                Ok((lock, store)) => {
                    let folder = Folder { store, ledger: None, _lock: Some(lock), _writer: None };
                    return Ok(Door::Folder(Box::new(folder)));
                }
                Err(CliError::InUse(folder)) => folder,
                Err(error) => return Err(error),
            };
            if let Some(server) = Server::beside(&held).await? {
                return Ok(Door::Server(server));
            }
            if tokio::time::Instant::now() > end {
                return Err(CliError::Held(held));
            }
            tokio::time::sleep(BUSY_LOOK).await;
        }
    }

    /// Does what only the machine's administrator does, here or in the server.
    pub async fn act(data: &DataFolder, act: Act) -> Result<Json, CliError> {
        let place = Place::of(data)?;
        match Door::of(&place).await? {
            Door::Server(server) => {
                let request = server.client.post(format!("{}{}", server.base, acts::PATH));
                server
                    .send(request.header(header::ACCEPT_LANGUAGE, crate::lang().tag()).json(&act))
                    .await
            }
            Door::Folder(folder) => folder.act(&place, act).await,
        }
    }

    /// Rows, at most `most`, page by page.
    pub async fn list(&self, table: Table, page: Page, most: usize) -> Result<Vec<Json>, CliError> {
        let (mut rows, mut after) = (Vec::new(), page.after.clone());
        while rows.len() < most {
            let limit = (most - rows.len()).min(PAGE_ROWS_MAX);
            let page = Page { after, limit: Some(limit), ..page.clone() };
            let mut answer = match self {
                Door::Folder(folder) => folder.list(table, &page).await?,
                Door::Server(server) => server.list(table, &page).await?,
            };
            after = answer["next"].as_str().map(str::to_owned);
            match answer["items"].take() {
                Json::Array(items) => rows.extend(items),
                _ => return Err(CliError::Answer("a list without items".to_owned())),
            }
            if after.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    /// One row or record.
    pub async fn row(&self, table: Table, id: &str, as_of: Option<&str>) -> Result<Json, CliError> {
        match self {
            Door::Folder(folder) => {
                let desk = folder.desk();
                if table == Table::Record {
                    return Ok(record(&desk.record(id).await?));
                }
                Ok(desk.json(&desk.row(table, id, as_of.map(time).transpose()?).await?))
            }
            Door::Server(server) => {
                let query = query(&[("as_of", as_of.map(str::to_owned))]);
                let path = format!("/{}{query}", encoded(id));
                server.send(server.request(Method::GET, table, &path)).await
            }
        }
    }

    /// Every version.
    pub async fn history(&self, table: Table, id: &str) -> Result<Vec<Json>, CliError> {
        let mut answer = match self {
            Door::Folder(folder) => folder.desk().history(table, id).await?,
            Door::Server(server) => {
                let path = format!("/{}/history", encoded(id));
                server.send(server.request(Method::GET, table, &path)).await?
            }
        };
        match answer["items"].take() {
            Json::Array(items) => Ok(items),
            _ => Err(CliError::Answer("a history without items".to_owned())),
        }
    }

    /// A new row or record.
    pub async fn create(&self, table: Table, body: Map<String, Json>) -> Result<Json, CliError> {
        match self {
            Door::Folder(folder) if table == Table::Record => {
                Ok(folder.desk().append(&body, None).await?.json)
            }
            Door::Folder(folder) => Ok(folder.desk().create(table, &body, None).await?.json),
            Door::Server(server) => {
                server.send(server.request(Method::POST, table, "").json(&body)).await
            }
        }
    }

    /// A change of the version named, else of the newest.
    pub async fn change(
        &self,
        table: Table,
        id: &str,
        version: Option<i64>,
        body: Map<String, Json>,
    ) -> Result<Json, CliError> {
        let saw = match version {
            Some(version) => version,
            None => self.row(table, id, None).await?["version"].as_i64().unwrap_or(0),
        };
        match self {
            Door::Folder(folder) => {
                let desk = folder.desk();
                Ok(desk.json(&desk.change(table, id, saw, &body).await?))
            }
            Door::Server(server) => {
                let request = server
                    .request(Method::PATCH, table, &format!("/{}", encoded(id)))
                    .header(header::IF_MATCH, format!("\"{saw}\""));
                server.send(request.json(&body)).await
            }
        }
    }

    /// A table of rows.
    pub async fn import(
        &self,
        table: Table,
        kind: &str,
        file: Vec<u8>,
        check: bool,
    ) -> Result<Json, CliError> {
        match self {
            Door::Folder(folder) => Ok(folder.desk().import(table, kind, file, check).await?),
            Door::Server(server) => {
                let media = IMPORT_TYPES[usize::from(file.starts_with(b"PK\x03\x04"))];
                let query =
                    query(&[("kind", Some(kind.to_owned())), ("check", Some(check.to_string()))]);
                let request = server
                    .request(Method::POST, table, &format!("/import{query}"))
                    .header(header::CONTENT_TYPE, media);
                server.send(request.body(file)).await
            }
        }
    }
}

impl Door {
    /// A whole workbook.
    pub async fn import_book(&self, asked: BookAsked, file: Vec<u8>) -> Result<Json, CliError> {
        match self {
            Door::Folder(folder) => Ok(folder.desk().import_book(asked, file).await?),
            Door::Server(server) => {
                let media = IMPORT_TYPES[usize::from(file.starts_with(b"PK\x03\x04"))];
                let query = query(&[
                    ("as", asked.to),
                    ("check", Some(asked.check_only.to_string())),
                    ("conflicts", Some(asked.clash.name().to_owned())),
                    ("name", Some(asked.name)),
                ]);
                let url = format!("{}/api/v1/import{query}", server.base);
                let request = server.asking(server.client.post(url));
                server.send(request.header(header::CONTENT_TYPE, media).body(file)).await
            }
        }
    }

    /// Asks the server to do something; none where the folder is free and this process does it itself.
    pub async fn post(&self, path: &str, body: &Json) -> Result<Option<Json>, CliError> {
        match self {
            Door::Folder(_) => Ok(None),
            Door::Server(server) => {
                server.send(server.plain(Method::POST, path).json(body)).await.map(Some)
            }
        }
    }

    /// The tables, where the folder is ours.
    pub fn store(&self) -> Option<&store::Store> {
        match self {
            Door::Folder(folder) => Some(&folder.store),
            Door::Server(_) => None,
        }
    }

    /// A file, which goes after a day unless a row names it; gives its SHA-256.
    pub async fn upload(&self, name: &str, file: Vec<u8>) -> Result<String, CliError> {
        match self {
            Door::Folder(folder) => {
                let mut upload = folder.store.upload().await?;
                upload.write(&file).await?;
                Ok(folder.store.keep(upload, name, &folder.desk().actor).await?.sha256)
            }
            Door::Server(server) => {
                let query = query(&[("name", Some(name.to_owned()))]);
                let request = server
                    .plain(Method::POST, &format!("/api/v1/blobs{query}"))
                    .header(header::CONTENT_TYPE, "application/octet-stream");
                let answer = server.send(request.body(file)).await?;
                let sha256 = answer["sha256"].as_str().map(str::to_owned);
                sha256.ok_or_else(|| CliError::Answer("a file without sha256".to_owned()))
            }
        }
    }

    /// An OSCAL document as a draft of rows; with `check` nothing is saved.
    pub async fn oscal(&self, name: &str, file: Vec<u8>, check: bool) -> Result<Json, CliError> {
        match self {
            Door::Folder(folder) => folder.oscal(name, &file, check).await,
            Door::Server(server) => {
                let query =
                    query(&[("check", Some(check.to_string())), ("name", Some(name.to_owned()))]);
                let request = server
                    .plain(Method::POST, &format!("/api/v1/isms/oscal{query}"))
                    .header(header::CONTENT_TYPE, "application/octet-stream");
                server.send(request.body(file)).await
            }
        }
    }

    /// Asks the server's API; nothing where the folder itself is open.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Json>,
    ) -> Result<Option<Json>, CliError> {
        let Door::Server(server) = self else { return Ok(None) };
        let request = server.plain(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        server.send(request).await.map(Some)
    }

    /// Carries answers from one edition of the standard to another; with `check` nothing is saved.
    pub async fn migrate(&self, from: &str, to: &str, check: bool) -> Result<Json, CliError> {
        match self {
            Door::Folder(folder) => folder.migrate(from, to, check).await,
            Door::Server(server) => {
                let query = query(&[
                    ("from", Some(from.to_owned())),
                    ("to", Some(to.to_owned())),
                    ("check", Some(check.to_string())),
                ]);
                server
                    .send(server.plain(Method::POST, &format!("/api/v1/isms/migration{query}")))
                    .await
            }
        }
    }

    /// Takes the last such migration back.
    pub async fn migrate_back(&self) -> Result<Json, CliError> {
        match self {
            Door::Folder(folder) => {
                let undo = migrate::read_undo(&folder.store).await?;
                let write = folder.desk().write("migration taken back").await?;
                Ok(migrate::take_back(&folder.store, undo, write).await?)
            }
            Door::Server(server) => {
                server.send(server.plain(Method::POST, "/api/v1/isms/migration?undo=true")).await
            }
        }
    }
}

impl Folder {
    /// Opens the ledger, if no other server writes it.
    pub async fn with_ledger(
        &mut self,
        place: &Place,
    ) -> Result<(&store::Store, &Mutex<Ledger>), CliError> {
        let mut writer = WriterLock::new(self.store.db());
        if !writer.hold().await? {
            return Err(CliError::LedgerHeld);
        }
        self._writer = Some(writer);
        let origin = serve::origin(&self.store).await?;
        let ledger = Ledger::open(&place.folder.join("ledger"), &origin)?;
        Ok((&self.store, self.ledger.insert(Mutex::new(ledger))))
    }

    /// The tables.
    pub fn store(&self) -> &store::Store {
        &self.store
    }

    /// Settles what was written, and closes.
    pub async fn close(self) -> Result<(), CliError> {
        if let Some(ledger) = &self.ledger {
            serve::settle(&self.store, &mut *ledger.lock().await).await?;
        }
        self.store.db().close().await;
        Ok(())
    }

    async fn migrate(&self, from: &str, to: &str, check: bool) -> Result<Json, CliError> {
        let draft = migrate::read(&self.store, from, to).await?;
        if !check {
            let write = self.desk().write("migration of the standard").await?;
            migrate::take(&self.store, &draft, write, crate::lang()).await?;
        }
        Ok(draft.to_json(!check))
    }

    async fn oscal(&self, name: &str, file: &[u8], check: bool) -> Result<Json, CliError> {
        let lang = crate::lang();
        let draft = isms::oscal::read(&self.store, file, lang).await?;
        if check {
            return Ok(draft.to_json(false, None));
        }
        let desk = self.desk();
        let kept = isms::oscal::keep(&self.store, name, file, &desk.actor).await?;
        let write = desk.write("OSCAL import").await?;
        isms::oscal::take(&self.store, &draft, &kept, write).await?;
        Ok(draft.to_json(true, Some(&kept)))
    }

    async fn act(mut self, place: &Place, act: Act) -> Result<Json, CliError> {
        if act.needs_ledger() {
            self.with_ledger(place).await?;
        }
        let hand = Hand {
            store: &self.store,
            ledger: self.ledger.as_ref(),
            lang: crate::lang(),
            actor: local::user().actor(),
        };
        let done = hand.act(act).await;
        self.close().await?;
        Ok(done?)
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            store: &self.store,
            specs: crate::rooms::ROOMS.iter().copied().chain([&isms::SPEC]).collect(),
            lang: crate::lang(),
            actor: local::user().actor(),
            request: "command line".to_owned(),
            // Whoever may open the folder reads the database as well; what names its readers is not shown all the same.
            reader: web::access::Reader::machine(&self.store),
            zone: jiff::tz::TimeZone::system(),
        }
    }

    async fn list(&self, table: Table, page: &Page) -> Result<Json, Problem> {
        let desk = self.desk();
        if table != Table::Record {
            return desk.list(table, page).await;
        }
        let filter = RecordFilter {
            ty: page.kind.clone(),
            subject: page.subject,
            as_of: page.as_of,
            ..RecordFilter::default()
        };
        desk.list_records(page.after.as_deref(), page.limit, filter).await
    }
}

fn encoded(id: &str) -> String {
    id.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// `?a=b&c=d` of what is there.
pub fn query(pairs: &[(&str, Option<String>)]) -> String {
    let there = pairs.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let parts: Vec<String> = there.map(|(name, v)| format!("{name}={}", encoded(v))).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

impl Server {
    fn open(at: At) -> Result<Server, CliError> {
        let (Some(base), Some(path)) = (at.server, at.token_file) else {
            return Err(CliError::Usage(crate::say(
                "--serverには--token-fileも指定してください",
                "--server needs --token-file",
            )));
        };
        let text =
            std::fs::read_to_string(&path).map_err(|source| CliError::Io { path, source })?;
        let token = text.lines().next().unwrap_or("").trim().to_owned();
        // Installed once for the process; a second time changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| CliError::Server(base.clone(), error))?;
        Ok(Server { client, base: base.trim_end_matches('/').to_owned(), token: Some(token) })
    }

    /// The server that holds the folder, if it answers at the socket.
    async fn beside(folder: &Path) -> Result<Option<Server>, CliError> {
        let path = local::path(folder)?;
        if tokio::net::UnixStream::connect(&path).await.is_err() {
            return Ok(None);
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = "http://localhost".to_owned();
        let client = Client::builder()
            .unix_socket(path)
            .no_proxy()
            .timeout(LOCAL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| CliError::Server(base.clone(), error))?;
        Ok(Some(Server { client, base, token: None }))
    }

    fn request(&self, method: Method, table: Table, path: &str) -> RequestBuilder {
        self.plain(method, &format!("/api/v1/{}{path}", collection(table)))
    }

    /// The same request in the reader's language, from whom it is.
    fn asking(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header(header::ACCEPT_LANGUAGE, crate::lang().tag());
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn list(&self, table: Table, page: &Page) -> Result<Json, CliError> {
        let kind = if table == Table::Record { "type" } else { "kind" };
        let query = query(&[
            ("after", page.after.clone()),
            ("limit", page.limit.map(|n| n.to_string())),
            (kind, page.kind.clone()),
            ("q", page.q.clone()),
            ("subject", page.subject.map(|id| id.to_string())),
            ("status", page.status.clone()),
            ("as_of", page.as_of.map(model::Timestamp::rfc3339)),
        ]);
        self.send(self.request(Method::GET, table, &query)).await
    }

    /// A document of another form than JSON, with its headers.
    pub async fn bytes(&self, path: &str) -> Result<(header::HeaderMap, Vec<u8>), CliError> {
        let fail = |error| CliError::Server(self.base.clone(), error);
        let response = self.plain(Method::GET, path).send().await.map_err(fail)?;
        if !response.status().is_success() {
            return Err(self.answer(response).await.err().unwrap_or(CliError::Stopped));
        }
        let headers = response.headers().clone();
        Ok((headers, response.bytes().await.map_err(fail)?.to_vec()))
    }

    /// Sends a document, and reads the answer.
    pub async fn post(&self, path: &str, body: &Json) -> Result<Json, CliError> {
        self.send(self.plain(Method::POST, path).json(body)).await
    }

    fn plain(&self, method: Method, path: &str) -> RequestBuilder {
        self.asking(self.client.request(method, format!("{}{path}", self.base)))
    }

    /// Sends, and turns a problem document into an error that says the same.
    async fn send(&self, request: RequestBuilder) -> Result<Json, CliError> {
        let fail = |error| CliError::Server(self.base.clone(), error);
        self.answer(request.send().await.map_err(fail)?).await
    }

    async fn answer(&self, response: reqwest::Response) -> Result<Json, CliError> {
        let fail = |error| CliError::Server(self.base.clone(), error);
        let status = response.status();
        let text = response.text().await.map_err(fail)?;
        let json: Json = serde_json::from_str(&text)
            .map_err(|_| CliError::Answer(format!("{status}, and no JSON")))?;
        if status.is_success() {
            return Ok(json);
        }
        let text = |value: &Json| value.as_str().unwrap_or("").to_owned();
        let mut what = format!("{} ({status})", text(&json["title"]));
        if let Some(detail) = json["detail"].as_str() {
            what.push_str(&format!(": {detail}"));
        }
        for fault in json["errors"].as_array().into_iter().flatten() {
            let (place, detail) = (text(&fault["pointer"]), text(&fault["detail"]));
            what.push_str(&format!("\n  {place}: {detail}"));
        }
        Err(CliError::Refused(what))
    }
}
