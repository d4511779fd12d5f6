//! The real router on a real port over a real store, and people who use it.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::{net::SocketAddr, sync::Arc};

use reqwest::{Client, Method, RequestBuilder, Response, header};
use serde_json::Value as Json;

use crate::{intake_http, jobs_page, rooms::ROOMS, routes};

/// A server for one test.
pub struct Served {
    pub base: String,
    pub house: web::Shared,
    pub board: isms::pages::SharedBoard,
    pub stream: stream::Stream,
    pub client: Client,
    pub folder: tempfile::TempDir,
}

/// Someone's browser: cookie and form token.
#[derive(Clone)]
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
}

impl Served {
    pub async fn start(per_minute: u32) -> Served {
        let served = Served::starting(per_minute).await;
        served.board.put(isms::compute(&served.house.store, &ROOMS).await.unwrap());
        served
    }

    /// A server that has not computed its first board yet.
    pub async fn starting(per_minute: u32) -> Served {
        let folder = tempfile::tempdir().unwrap();
        let store = store::Store::open(folder.path(), store::system_clock()).await.unwrap();
        Served::over(store, folder, per_minute).await
    }

    /// A server over a store that stands already.
    pub async fn over(store: store::Store, folder: tempfile::TempDir, per_minute: u32) -> Served {
        let ledger = ledger::Ledger::open(&folder.path().join("ledger"), "ume.test/api").unwrap();
        let house = Arc::new(web::House {
            buckets: web::api::limit::Buckets::new(per_minute),
            ..web::House::new(
                store,
                ledger,
                folder.path().join("stream"),
                ROOMS.to_vec(),
                &isms::SPEC,
            )
        });
        let board = isms::pages::SharedBoard::default();
        let stream =
            stream::Stream::open(&folder.path().join("stream"), stream::Limits::default()).unwrap();
        let app = web::finish(routes::table(), house.clone())
            .layer(axum::Extension(board.clone()))
            .layer(axum::Extension(Arc::new(room::Services::default())))
            .layer(axum::Extension(jobs_page::Titles::default()))
            .layer(axum::Extension(intake_http::Http::new(stream.clone(), Default::default())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        // Another test of this process may have installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Served { base, house, board, stream, client, folder }
    }

    /// The account with this role as its name, made at its first use.
    pub async fn account(&self, role: &str) -> model::Id {
        match self.house.store.account(role).await.unwrap() {
            Some(account) => account.id,
            None => {
                self.house.store.add_account(role, role, "no password fits this").await.unwrap()
            }
        }
    }

    /// Signs a role in, both factors shown.
    pub async fn browser(&self, role: &str) -> Browser {
        let account = self.account(role).await;
        let token = self.house.store.open_session(account, "full", "test").await.unwrap();
        let session = self.house.store.session(&token, 8, 168).await.unwrap().unwrap();
        Browser { cookie: format!("ume={token}"), csrf: session.csrf }
    }

    /// A token for a role.
    pub async fn token(&self, role: &str) -> String {
        let account = self.account(role).await;
        self.house.store.add_api_token(account, "test", 1).await.unwrap().1
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .header(header::ACCEPT_LANGUAGE, "en")
    }

    pub fn with(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(token)
    }

    /// Moves the leaves into the ledger, as the server's work does each half second.
    pub async fn drain(&self) {
        let mut ledger = self.house.ledger.lock().await;
        ledger::drain(&self.house.store, &mut ledger).await.unwrap();
        ledger.checkpoint().unwrap();
    }
}

/// Status, headers and body of an answer; a refusal must be a problem document.
pub async fn read(request: RequestBuilder) -> (u16, header::HeaderMap, Json) {
    let response: Response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body: Json = serde_json::from_str(&text).unwrap_or(Json::String(text));
    if status >= 400 {
        assert_eq!(headers["content-type"], "application/problem+json", "{status} {body}");
        assert_eq!(body["status"], status, "{body}");
        assert!(body["title"].as_str().is_some_and(|t| !t.is_empty()), "{body}");
    }
    (status, headers, body)
}
