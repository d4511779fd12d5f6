//! `/taxii2/`: the TAXII 2.1 server. What is answered is the engine's word (`indicators::taxii`); here stand
//! credentials, the disk, and the records of what was given and taken.
//!
//! A peer signs in by HTTP Basic: the id of its channel and the token of it. Without or with wrong credentials
//! nothing is told, not even discovery.

use std::{net::SocketAddr, time::Instant};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use indicators::{
    taxii::{self, Context, Discovery, Root},
    tlp::{Audience, Exit},
};
use model::t;
use room::Error;
use serde_json::json;
use store::Row;
use web::{
    Shared,
    api::limit::Quota,
    route::{Access, Route},
};

use crate::work::{
    channels,
    objects::{Desk, Objects},
    share,
    tlp::{
        self,
        storage::{Guarded, may_go},
    },
};

const BASE: &str = "/taxii2/";
const ROOT: &str = "ume";
const BODY_BYTES_MAX: usize = 10 << 20;
const AWAY_SECONDS: u64 = 30;
const PAGE_MAX: usize = 1_000;
const KEY: &str = "threat_intelligence.taxii_key";
/// Header of a client: more is none.
const CREDENTIALS_BYTES_MAX: usize = 1_024;

pub(super) fn routes() -> Vec<Route> {
    let title = t("TAXII 2.1による共有", "Sharing over TAXII 2.1");
    let mut all = Vec::new();
    for path in [BASE, "/taxii2/{*rest}"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let route = Route::new(method, path, Access::Sender, title, answer);
            all.push(route.body_max(BODY_BYTES_MAX));
        }
    }
    all
}

async fn answer(State(house): State<Shared>, request: Request) -> Response {
    match answered(&house, request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "TAXII request failed");
            let mut answer = refusal(StatusCode::SERVICE_UNAVAILABLE, "Not available now");
            answer.headers_mut().insert(header::RETRY_AFTER, AWAY_SECONDS.into());
            answer
        }
    }
}

/// An error as TAXII says it.
fn refusal(status: StatusCode, title: &str) -> Response {
    let body = json!({ "title": title, "http_status": status.as_str() }).to_string();
    (status, [(header::CONTENT_TYPE, taxii::MEDIA_TYPE)], body).into_response()
}

fn too_many(quota: &Quota) -> Response {
    let mut answer = refusal(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
    answer.headers_mut().insert(header::RETRY_AFTER, quota.seconds.max(1).into());
    quota.write(&mut answer);
    answer
}

/// Takes a request out of the bucket of a peer; of an address where nobody proved who asks.
fn counted(house: &Shared, address: &str, channel: Option<&Row>) -> Quota {
    match channel {
        Some(row) => house.buckets.take(&format!("taxii:{}", row.id), Instant::now()),
        None => house.buckets.take(address, Instant::now()),
    }
}

async fn answered(house: &Shared, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = format!("taxii:{}", from.map_or_else(String::new, |c| c.0.ip().to_string()));
    // Whoever failed too often from one address is not even looked up.
    let quota = house.buckets.look(&address, Instant::now());
    if !quota.granted {
        return Ok(too_many(&quota));
    }
    let channel = match credentials(&parts.headers) {
        Some((name, token)) => channels::enter(&house.store, &name, &token).await?,
        None => None,
    };
    let quota = counted(house, &address, channel.as_ref());
    if !quota.granted {
        return Ok(too_many(&quota));
    }
    let objects = channels::objects(house).await?;
    // A body of a stranger is not read.
    let read = match &channel {
        Some(_) => axum::body::to_bytes(body, BODY_BYTES_MAX).await,
        None => Ok(axum::body::Bytes::new()),
    };
    let Ok(bytes) = read else {
        return Ok(refusal(StatusCode::PAYLOAD_TOO_LARGE, "Too large"));
    };
    let context = context(house).await?;
    let text =
        |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = Asked {
        method: match parts.method {
            Method::GET => taxii::Method::Get,
            Method::POST => taxii::Method::Post,
            Method::DELETE => taxii::Method::Delete,
            _ => taxii::Method::Other,
        },
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        accept: text(header::ACCEPT),
        content_type: text(header::CONTENT_TYPE),
        body: bytes.to_vec(),
    };
    let raised = tlp::changes::raised(house).await?;
    let reply = handle(objects.clone(), channel.clone(), asked, context, (*raised).clone()).await?;
    if let Some(channel) = channel {
        channels::saw(&house.store, channel.id).await?;
        note(house, &channel, &parts.method, parts.uri.path(), &bytes, &reply, &objects).await?;
    }
    Ok(response(reply))
}

struct Asked {
    method: taxii::Method,
    path: String,
    query: String,
    accept: Option<String>,
    content_type: Option<String>,
    body: Vec<u8>,
}

async fn handle(
    objects: Objects,
    channel: Option<Row>,
    asked: Asked,
    context: Context,
    raised: std::collections::BTreeMap<String, indicators::tlp::Level>,
) -> Result<taxii::Reply, Error> {
    let runtime = tokio::runtime::Handle::current();
    room::blocking(move || {
        let collections = channel.as_ref().map(channels::collections).unwrap_or_default();
        let who = channel.as_ref().map(|row| row.id.to_string());
        // Nobody without a channel sees a collection.
        let exit = match &channel {
            Some(row) => share::exit(row),
            None => Exit::to(Audience::Public),
        };
        let inner = Desk { objects, collections, runtime };
        let mut desk = Guarded { inner, exit, raised, planted: Vec::new() };
        let request = taxii::Request {
            method: asked.method,
            path: &asked.path,
            query: &asked.query,
            accept: asked.accept.as_deref(),
            content_type: asked.content_type.as_deref(),
            body: &asked.body,
            who: who.as_deref(),
            tolerant: is_tolerant(asked.accept.as_deref()),
        };
        taxii::handle(&request, &mut desk, &context)
    })
    .await
}

/// Clients in the field that ask for anything (`application/json, text/plain, */*`) are let through.
fn is_tolerant(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.contains("*/*"))
}

async fn context(house: &Shared) -> Result<Context, Error> {
    let mut fresh = [0; 16];
    getrandom::fill(&mut fresh).map_err(Error::said)?;
    Ok(Context {
        base: BASE.to_owned(),
        discovery: Discovery { title: "Ume".to_owned(), ..Discovery::default() },
        roots: vec![Root {
            name: ROOT.to_owned(),
            title: "Ume".to_owned(),
            description: None,
            max_content_length: BODY_BYTES_MAX,
        }],
        challenges: vec!["Basic realm=\"ume\", charset=\"UTF-8\"".to_owned()],
        key: key(house).await?,
        page_max: PAGE_MAX,
        now: house.store.now().0,
        fresh,
    })
}

/// What signs `next`: kept, so that it survives restarts.
async fn key(house: &Shared) -> Result<[u8; 32], Error> {
    let mut key = [0; 32];
    if let Some(text) = house.store.secret_setting(KEY).await? {
        hex::decode_to_slice(&text, &mut key).map_err(Error::said)?;
        return Ok(key);
    }
    getrandom::fill(&mut key).map_err(Error::said)?;
    house.store.set_secret_setting(KEY, &hex::encode(key)).await?;
    Ok(key)
}

/// Name and token of HTTP Basic.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || rest.len() > CREDENTIALS_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (name, token) = text.split_once(':')?;
    Some((name.to_owned(), token.to_owned()))
}

/// Writes down what was taken and what the peer now has.
async fn note(
    house: &Shared,
    channel: &Row,
    method: &Method,
    path: &str,
    body: &[u8],
    reply: &taxii::Reply,
    objects: &Objects,
) -> Result<(), Error> {
    if *method == Method::POST && reply.status == 202 {
        let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let items = said["success_count"].as_u64().unwrap_or(0);
        return Ok(channels::took(house, channel, items as usize, body.len()).await?);
    }
    let added_last = reply.headers.iter().find(|(name, _)| *name == "X-TAXII-Date-Added-Last");
    let is_objects = path.trim_end_matches('/').ends_with("/objects");
    let (&Method::GET, 200, Some((_, last)), true) = (method, reply.status, added_last, is_objects)
    else {
        return Ok(());
    };
    let first = reply.headers.iter().find(|(name, _)| *name == "X-TAXII-Date-Added-First");
    let time = |text: &str| indicators::stix::time::parse(text);
    let (Some(first), Some(last)) = (first.and_then(|(_, text)| time(text)), time(last)) else {
        return Ok(());
    };
    let given = channels::collection(channel.id, true);
    let entries = objects.after(&given, first - 1, PAGE_MAX).await.map_err(Error::said)?;
    let raised = tlp::changes::raised(house).await?;
    let exit = share::exit(channel);
    let is_shown = |entry: &taxii::Entry| {
        entry.date_added <= last && may_go(&exit, &entry.bytes, raised.get(&entry.id).copied())
    };
    let shown: Vec<_> = entries.into_iter().filter(is_shown).collect();
    Ok(channels::gave(house, channel, &shown).await?)
}

fn response(reply: taxii::Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) =
            (header::HeaderName::from_bytes(name.as_bytes()), value.parse())
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_http_basic_and_nothing_else() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, text.parse().expect("header"));
            credentials(&headers)
        };
        let good = format!("Basic {}", BASE64_STANDARD.encode("id:to:ken"));
        assert_eq!(read(&good), Some(("id".to_owned(), "to:ken".to_owned())));
        let long = format!("Basic {}", BASE64_STANDARD.encode("x".repeat(2_000)));
        for bad in ["Basic", "Basic !", "Bearer eA==", "Basic eA==", long.as_str()] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
