//! The demonstration: one-time sign-in links and the banner on every page.
//!
//! Invariant: a link opens a session only in a folder that `ume demo` flagged, and only once; the
//! store keeps hashes of the links, never the links.

use axum::{
    extract::{ConnectInfo, Query, Request, State},
    middleware::Next,
    response::Response,
};
use model::t;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use store::{Store, StoreError};

use crate::{
    Shared, auth,
    frame::{Answer, Refusal},
    people::{note, signins::Outcome},
    route::{Access, Route},
};

/// Setting that flags a data folder as a demonstration.
pub const SETTING: &str = "demo";
const TOKEN_BYTES: usize = 24;
/// How a sign-in by link reads in its record.
const METHOD: &str = "demonstration link";

tokio::task_local! {
    static IS_DEMO: bool;
}

pub(crate) fn routes() -> Vec<Route> {
    let what = t("デモのサインイン（一度だけ）", "Sign in to the demonstration, once");
    vec![Route::get("/demo-sign-in", Access::Public, what, sign_in)]
}

/// Whether the page being made belongs to a demonstration. Pages of refusal know neither house nor
/// reader, hence the request's own scope.
pub(crate) fn shown() -> bool {
    IS_DEMO.try_with(|demo| *demo).unwrap_or(false)
}

pub(crate) async fn mark(State(house): State<Shared>, request: Request, next: Next) -> Response {
    IS_DEMO.scope(house.demo, next.run(request)).await
}

/// Whether the folder is a demonstration.
pub async fn is_demo(store: &Store) -> Result<bool, StoreError> {
    Ok(store.setting(SETTING).await?.as_deref() == Some("1"))
}

/// Makes a link's token for an account. Only its hash is stored.
pub async fn new_token(store: &Store, login: &str) -> Result<String, StoreError> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Random)?;
    let token = hex::encode(bytes);
    store.set_setting(&setting_of(&token), login).await?;
    Ok(token)
}

fn setting_of(token: &str) -> String {
    format!("demo_link/{}", hex::encode(Sha256::digest(token)))
}

#[derive(Deserialize)]
struct LinkQuery {
    #[serde(default)]
    token: String,
}

async fn sign_in(
    State(house): State<Shared>,
    ConnectInfo(address): ConnectInfo<std::net::SocketAddr>,
    Query(query): Query<LinkQuery>,
) -> Answer {
    if !house.demo {
        return Err(Refusal::NotFound);
    }
    let login = house.store.take_setting(&setting_of(&query.token)).await?;
    let Some(login) = login else { return Err(Refusal::NotFound) };
    let account = house.store.account(&login).await?.filter(|a| !a.disabled);
    let account = account.ok_or(Refusal::NotFound)?;
    let token = house.store.sign_in(account.id, METHOD, &address.ip().to_string()).await?;
    note(&house, Outcome::Success, Some(&account), address.ip(), METHOD, "");
    Ok(auth::with_session(&house, &token, "/"))
}
