//! `GET /outlets/{name}`: a list as an edge fetches it.
//!
//! A token opens it, as bearer or as the password of HTTP Basic; without one only an outlet that wants none, and from
//! this machine alone. Who fails often waits. A list is sent from disk, plain or as gzip; its entity tag is what its
//! lines say, so an unchanged list costs 304.

use std::{net::SocketAddr, path::Path as FilePath, time::Instant};

use axum::{
    body::Body,
    extract::{ConnectInfo, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use indicators::outlet::Form;
use model::t;
use room::Error;
use serde::Deserialize;
use store::StoreError;
use tokio::io::AsyncReadExt as _;
use web::{
    House, Shared,
    people::throttle::Key,
    route::{Access, Route},
};

use crate::work::{
    outlets::{self, Fetched, Outlet, render},
    tlp::probe,
};

const CREDENTIALS_BYTES_MAX: usize = 1_024;
const CHUNK_BYTES: usize = 64 * 1024;
/// Seconds for which an edge need not ask again, unless the list ends by itself before.
const AGE_SECONDS_MAX: i64 = 300;
/// A fetch is written down as often as this at most, where nothing else of it changed.
const NOTED_EVERY_SECONDS: i64 = 60;

pub(in crate::pages) fn routes() -> Vec<Route> {
    let title = t("出口の一覧の取得", "Fetch a list of an outlet");
    vec![Route::get("/outlets/{name}", Access::Sender, title, answer)]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    /// Of an outlet with several lists.
    part: String,
}

async fn answer(
    State(house): State<Shared>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let from = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    match answered(&house, from, &name, &asked.part, &parts.headers).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a list was not given");
            let retry = [(header::RETRY_AFTER, "60")];
            (StatusCode::SERVICE_UNAVAILABLE, retry, "the list cannot be made just now\n")
                .into_response()
        }
    }
}

async fn answered(
    house: &Shared,
    from: Option<SocketAddr>,
    name: &str,
    part: &str,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    if let Some(text) = probe::given(house, name, part, headers).await? {
        return Ok(text.into_response());
    }
    let found = outlets::named(&house.store, name).await?;
    let by = match admitted(house, from, name, found.as_ref(), headers).await? {
        Entrance::Open(by) => by,
        Entrance::Wait(seconds) => {
            let retry = [(header::RETRY_AFTER, seconds.to_string())];
            return Ok((StatusCode::TOO_MANY_REQUESTS, retry).into_response());
        }
        Entrance::Closed => return Ok(closed()),
    };
    let Some(outlet) = found else { return Ok(closed()) };
    let Some(form) = outlet.parts().iter().find(|(known, _)| *known == part).map(|(_, form)| *form)
    else {
        return Ok((StatusCode::NOT_FOUND, "this outlet has no such list\n").into_response());
    };
    let made = render::made(house, &outlet, form).await?;
    let is_zipped = takes_gzip(headers);
    let tag = if is_zipped { format!("\"{}-gz\"", made.tag) } else { format!("\"{}\"", made.tag) };
    let is_unchanged = matches(headers, &tag);
    let fetched = Fetched {
        at: house.store.now().rfc3339(),
        from: from.map(|address| address.ip().to_string()).unwrap_or_default(),
        by,
        is_unchanged,
    };
    note(house, &outlet, &fetched).await?;
    let mut response = match is_unchanged {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file(if is_zipped { &made.zipped } else { &made.path }, is_zipped).await?,
    };
    let left = made.next().map_or(AGE_SECONDS_MAX, |next| (next - house.store.now().0) / 1_000_000);
    let age = format!("private, max-age={}", left.clamp(0, AGE_SECONDS_MAX));
    let kind = match form {
        Form::Csv => "text/csv; charset=utf-8",
        Form::Rpz => "text/dns; charset=us-ascii",
        _ => "text/plain; charset=utf-8",
    };
    for (name, value) in [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, age),
        (header::VARY, "Accept-Encoding, Authorization".to_owned()),
        (header::CONTENT_TYPE, kind.to_owned()),
    ] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// The same for a stranger, for a wrong token and for a name that there is not.
fn closed() -> Response {
    let mut response =
        (StatusCode::UNAUTHORIZED, "a token of this outlet opens it\n").into_response();
    for challenge in
        ["Basic realm=\"ume outlet\", charset=\"UTF-8\"", "Bearer realm=\"ume outlet\""]
    {
        if let Ok(value) = challenge.parse() {
            response.headers_mut().append(header::WWW_AUTHENTICATE, value);
        }
    }
    response
}

enum Entrance {
    Open(String),
    Closed,
    /// Seconds.
    Wait(u64),
}

async fn admitted(
    house: &House,
    from: Option<SocketAddr>,
    name: &str,
    outlet: Option<&Outlet>,
    headers: &HeaderMap,
) -> Result<Entrance, StoreError> {
    let is_here = from.is_some_and(|address| address.ip().to_canonical().is_loopback());
    let Some(secret) = secret(headers) else {
        let is_open = outlet.is_some_and(|outlet| !outlet.needs_token) && is_here;
        return Ok(if is_open { Entrance::Open("loopback".to_owned()) } else { Entrance::Closed });
    };
    let label = format!("outlet {name}");
    let keys: Vec<Key<'_>> = match from {
        Some(address) => vec![Key::Pair(&label, address.ip()), Key::Address(address.ip())],
        None => Vec::new(),
    };
    let throttle = &house.people.throttle;
    if let Some(seconds) = throttle.attempt(&keys, Instant::now()) {
        return Ok(Entrance::Wait(seconds));
    }
    let Some(outlet) = outlet else { return Ok(Entrance::Closed) };
    if !outlets::opens(&house.store, outlet, &secret).await? {
        return Ok(Entrance::Closed);
    }
    throttle.succeeded(&keys, Instant::now());
    let known = outlets::token(&house.store, outlet.row.id).await?;
    let begin = known.map(|token| token.hash.chars().take(8).collect::<String>());
    Ok(Entrance::Open(format!("token {}", begin.unwrap_or_default())))
}

/// The token of a request: bearer, or password of HTTP Basic.
pub(in crate::pages) fn secret(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if rest.len() > CREDENTIALS_BYTES_MAX {
        return None;
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|part| {
        let mut parts = part.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_gzip && !parts.any(|param| matches!(param, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// Whether the sender has this already (RFC 9110, 13.1.2).
fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let known = known.filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}

async fn file(path: &FilePath, is_zipped: bool) -> Result<Response, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = tokio::fs::File::open(path).await.map_err(io)?;
    let length = file.metadata().await.map_err(io)?.len();
    let chunks = futures_util::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then_some((chunk, file)))
    });
    let mut response = Body::from_stream(chunks).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    if is_zipped && let Ok(value) = "gzip".parse() {
        response.headers_mut().insert(header::CONTENT_ENCODING, value);
    }
    Ok(response)
}

/// Writes down who fetched, once a minute where nothing else changed.
async fn note(house: &House, outlet: &Outlet, fetched: &Fetched) -> Result<(), StoreError> {
    let before = outlets::fetched(&house.store, outlet.row.id).await?;
    let is_same = before.is_some_and(|before| {
        let age = model::Timestamp::parse(&before.at)
            .map_or(i64::MAX, |at| (house.store.now().0 - at.0) / 1_000_000);
        let rest = Fetched { at: fetched.at.clone(), ..before };
        rest == *fetched && (0..NOTED_EVERY_SECONDS).contains(&age)
    });
    match is_same {
        true => Ok(()),
        false => outlets::note_fetch(&house.store, outlet.row.id, fetched).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("header"));
        headers
    }

    #[test]
    fn a_token_comes_as_bearer_or_as_a_password() {
        let read = |value: &str| secret(&headers(header::AUTHORIZATION, value));
        assert_eq!(read("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(
            read(&format!("Basic {}", BASE64_STANDARD.encode("ume:a:b"))),
            Some("a:b".into())
        );
        let long = format!("Bearer {}", "x".repeat(2_000));
        for bad in ["abc", "Basic !", "Digest x", long.as_str()] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_somebody_has_is_known_by_its_tag() {
        for (value, is_known) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(
                matches(&headers(header::IF_NONE_MATCH, value), "\"a\""),
                is_known,
                "{value}"
            );
        }
        for (value, takes) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false)]
        {
            assert_eq!(takes_gzip(&headers(header::ACCEPT_ENCODING, value)), takes, "{value}");
        }
    }
}
