//! HTTP server, sessions, roles, page frame and the generic registers.
//!
//! Invariants: every page works as plain links and forms; no inline script or style; every state
//! change passes [`frame::User::form`], which checks origin and token, and [`access::allowed`];
//! secrets are never logged.

pub mod access;
pub mod api;
pub mod approvals;
mod auth;
pub mod book;
mod cells;
pub mod decide;
mod delegations;
pub mod demo;
pub mod files;
pub mod form;
pub mod frame;
mod graph;
mod growth;
mod help;
pub mod import;
mod ledger_pages;
pub mod links;
pub mod openapi;
pub mod outside;
pub mod people;
pub mod registers;
pub mod route;
pub mod secrets;
mod table;
pub mod task_rules;
pub mod when;
mod words;

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{KindSpec, RecordSpec, RoomSpec, Table, t};
use store::Store;
use tower_http::catch_panic::CatchPanicLayer;

use route::{Access, Route};

pub(crate) const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
const REQUEST_SECONDS_MAX: u64 = 30;
/// A shredding or a new index of a large house takes its time, and its caller waits at a terminal.
const LOCAL_SECONDS_MAX: u64 = 1_800;

/// What every handler works on.
pub struct House {
    pub store: Store,
    pub ledger: Arc<tokio::sync::Mutex<ledger::Ledger>>,
    /// Cosigns the checkpoints of others.
    pub desk: Arc<Mutex<ledger::WitnessDesk>>,
    /// Where collected events are archived, for the search.
    pub archive: std::path::PathBuf,
    /// The ordered rooms.
    pub rooms: Vec<&'static RoomSpec>,
    /// The hall's own declaration: documents, context, evidence handed in.
    pub hall: &'static RoomSpec,
    /// One-time set-up token while there is no account.
    pub setup: Mutex<Option<String>>,
    /// True behind TLS: cookies get the `__Host-` prefix.
    pub secure: bool,
    /// True for a folder that `ume demo` made: a fictional company, one-time sign-in links.
    pub demo: bool,
    /// Woken after each change, so that leaves and levels follow at once.
    pub changed: tokio::sync::Notify,
    /// What the pages about people hold in memory.
    pub people: people::People,
    /// How many requests of the API each caller has left.
    pub buckets: api::limit::Buckets,
    /// Counts of the intake, published by the work loop for the events page.
    pub intake: RwLock<serde_json::Value>,
    /// What services keep in memory for the pages of their room.
    pub kept: Kept,
    /// True once the server ends: answers that last end too.
    pub closing: tokio::sync::watch::Sender<bool>,
}

/// Where this process answers HTTP, once it does.
#[derive(Default)]
pub struct Listening(std::sync::OnceLock<std::net::SocketAddr>);

impl Listening {
    /// Notes where; the first word counts.
    pub fn at(&self, address: std::net::SocketAddr) {
        self.0.get_or_init(|| address);
    }

    /// The address by which this machine reaches itself there.
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        let mut address = *self.0.get()?;
        if address.ip().is_unspecified() {
            let here: std::net::IpAddr = match address.is_ipv4() {
                true => std::net::Ipv4Addr::LOCALHOST.into(),
                false => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            address.set_ip(here);
        }
        Some(address)
    }
}

/// One value of each type: who makes a type names it here.
#[derive(Default)]
pub struct Kept(RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Kept {
    /// The value of this type; made at its first use.
    pub fn get<T: Any + Send + Sync + Default>(&self) -> Arc<T> {
        let there = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = there.get(&TypeId::of::<T>()).cloned().and_then(|v| v.downcast().ok())
        {
            return value;
        }
        drop(there);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let value = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone();
        value.downcast().unwrap_or_default()
    }
}

/// Shared handle.
pub type Shared = Arc<House>;

impl House {
    /// The data folder.
    pub fn folder(&self) -> &std::path::Path {
        self.archive.parent().unwrap_or(&self.archive)
    }

    /// A house over what is open: plain HTTP, no set-up link, nothing taken in yet.
    pub fn new(
        store: Store,
        ledger: ledger::Ledger,
        archive: std::path::PathBuf,
        rooms: Vec<&'static RoomSpec>,
        hall: &'static RoomSpec,
    ) -> House {
        House {
            store,
            desk: Arc::new(Mutex::new(ledger::WitnessDesk::beside(&ledger))),
            ledger: Arc::new(tokio::sync::Mutex::new(ledger)),
            archive,
            rooms,
            hall,
            setup: Mutex::new(None),
            secure: false,
            demo: false,
            changed: tokio::sync::Notify::new(),
            people: people::People::default(),
            buckets: api::limit::Buckets::new(api::limit::PER_MINUTE),
            intake: RwLock::new(serde_json::Value::Null),
            kept: Kept::default(),
            closing: tokio::sync::watch::Sender::new(false),
        }
    }

    /// The declarations of rooms and hall.
    pub fn specs(&self) -> impl Iterator<Item = &'static RoomSpec> + '_ {
        self.rooms.iter().copied().chain([self.hall])
    }

    /// The kind with this id in this table, and the room that owns it.
    pub fn kind(&self, table: Table, id: &str) -> Option<(&'static RoomSpec, &'static KindSpec)> {
        self.specs().find_map(|room| {
            kinds_of(room).find(|k| k.table == table && k.id == id).map(|kind| (room, kind))
        })
    }

    /// The declaration of a record type.
    pub fn record_spec(&self, ty: &str) -> Option<&'static RecordSpec> {
        let platform = model::platform::RECORDS.iter();
        self.specs().flat_map(|room| room.records).chain(platform).find(|r| r.ty == ty)
    }

    /// Signs what the ledger holds, if it may sign, and gives its folder for a reader. What is written while that
    /// one reads is no fault to it, so nothing waits for it.
    pub async fn checkpointed(&self) -> Result<std::path::PathBuf, ledger::LedgerError> {
        let mut ledger = self.ledger.lock().await;
        if ledger.fork().is_none() {
            ledger.checkpoint()?;
        }
        Ok(ledger.folder().to_owned())
    }

    /// Tells the work loop that something changed.
    pub fn wake(&self) {
        self.changed.notify_one();
    }
}

/// Names what rows and records are, for templates.
pub struct Titles<'a> {
    pub house: &'a House,
    pub lang: model::Lang,
}

impl Titles<'_> {
    /// The title of a record type.
    pub fn of<'b>(&self, ty: &'b str) -> &'b str {
        self.house.record_spec(ty).map_or(ty, |spec| spec.title.get(self.lang))
    }

    /// The title of a kind.
    pub fn kind<'b>(&self, table: &Table, id: &'b str) -> &'b str {
        self.house.kind(*table, id).map_or(id, |(_, kind)| kind.title.get(self.lang))
    }
}

pub use reports::csv_cell;

/// All kinds a room declares.
pub fn kinds_of(room: &'static RoomSpec) -> impl Iterator<Item = &'static KindSpec> {
    room.kinds.iter().chain(room.rules).chain(room.others)
}

/// The platform's own routes. The hall and the rooms add theirs before [`finish`].
pub fn routes() -> Vec<Route> {
    let public = |path, summary| (path, Access::Public, summary);
    let (health, style, script, document) = (
        public("/healthz", t("稼働確認", "Whether Ume is alive")),
        public("/assets/ume.css", t("スタイルシート", "Style sheet")),
        public("/assets/ume.js", t("操作の補助", "Help for the hand")),
        public("/openapi.json", t("このAPIの説明（OpenAPI 3.1）", "This document (OpenAPI 3.1)")),
    );
    let mut routes = vec![
        Route::get(health.0, health.1, health.2, healthz),
        Route::get(style.0, style.1, style.2, stylesheet),
        Route::get(script.0, script.1, script.2, helper),
        Route::get(document.0, document.1, document.2, openapi::serve).api(route::Api {
            tag: "house",
            id: "openapi".to_owned(),
            params: Vec::new(),
            request: None,
            response: (200, Some(("application/json", "Document".to_owned()))),
            refusals: &[],
        }),
    ];
    routes.extend(auth::routes());
    routes.extend(demo::routes());
    routes.extend(people::routes());
    routes.extend(registers::routes());
    routes.extend(files::routes());
    routes.extend(form::routes());
    routes.extend(links::routes());
    routes.extend(table::routes());
    routes.extend(import::routes());
    routes.extend(book::pages::routes());
    routes.extend(ledger_pages::routes());
    routes.extend(outside::routes());
    routes.extend(help::routes());
    routes.extend(approvals::routes());
    routes.extend(delegations::routes());
    routes.extend(api::routes());
    routes
}

/// Makes the router of the whole table, with the layers that every route stands behind.
pub fn finish(routes: Vec<Route>, house: Shared) -> Router {
    let specs: Vec<&'static RoomSpec> = house.specs().collect();
    let document = openapi::Document(openapi::document(&routes, &specs).into());
    route::router(routes, &house)
        .fallback(frame::not_found)
        .method_not_allowed_fallback(api::no_such_method)
        .layer(axum::Extension(document))
        .layer(axum::middleware::from_fn_with_state(house.clone(), demo::mark))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(in_time))
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn(api::problems))
        .layer(axum::middleware::from_fn(safe_headers))
        .with_state(house)
}

async fn in_time(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let local = request.extensions().get::<api::local::LocalUser>().is_some();
    let seconds = if local { LOCAL_SECONDS_MAX } else { REQUEST_SECONDS_MAX };
    match tokio::time::timeout(Duration::from_secs(seconds), next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

async fn healthz(axum::extract::State(house): axum::extract::State<Shared>) -> Response {
    match house.store.db().fetch("SELECT 1", &[]).await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(_) => {
            let retry = [(header::RETRY_AFTER, "5")];
            (StatusCode::SERVICE_UNAVAILABLE, retry, "the database does not answer\n")
                .into_response()
        }
    }
}

async fn stylesheet() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("../assets/ume.css")).into_response()
}

async fn helper() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("../assets/ume.js")).into_response()
}

async fn safe_headers(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let is_asset = request.uri().path().starts_with("/assets/ume.");
    let meter = store::Meter::default();
    let mut response = meter.measure(next.run(request)).await;
    let cost = format!("db;desc=\"{} statements, {} rows\"", meter.statements(), meter.rows());
    if let Ok(cost) = HeaderValue::from_str(&cost) {
        response.headers_mut().insert(HeaderName::from_static("server-timing"), cost);
    }
    let mut set = |name: HeaderName, value: &'static str| {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    );
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::CACHE_CONTROL, if is_asset { "no-cache" } else { "no-store" });
    response
}
