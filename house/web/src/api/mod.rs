//! The JSON API: rows of ten tables, records, and their proofs. Errors are problem details
//! (RFC 9457); a caller shows a token or the session of a browser.

pub mod desk;
mod handlers;
pub(crate) mod judge;
pub mod limit;
pub mod local;
pub mod problem;
pub mod records;

use std::{net::SocketAddr, time::Instant};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::{Id, Lang, t};
use store::{Account, StoreError};

pub use handlers::{COLLECTIONS, IMPORT_TYPES, collection, routes};

use crate::{
    House, Shared, access,
    frame::{AGE_HOURS_MAX, Cx, IDLE_HOURS_MAX, language},
    route::Access,
};
use desk::Desk;
use local::LocalUser;
use problem::Problem;

/// Header in which a browser's session repeats its form token.
pub const CSRF_HEADER: &str = "x-csrf-token";
const SECRET_BYTES_MAX: usize = 200;

/// Who calls: an account, by token or by the session of a browser, or the machine's administrator
/// through the socket of the data folder.
#[derive(Clone)]
pub struct Caller {
    pub cx: Cx,
    pub account: Account,
    /// What it reaches.
    pub reader: access::Reader,
    /// Set when a token was shown.
    pub token: Option<Id>,
    /// Set on the socket.
    pub local: Option<LocalUser>,
}

impl Caller {
    /// The desk at which this caller works.
    pub fn desk<'a>(&self, house: &'a House) -> Desk<'a> {
        Desk {
            store: &house.store,
            specs: house.specs().collect(),
            lang: self.cx.lang,
            actor: self.actor(),
            request: match (self.token, &self.local) {
                (Some(id), _) => format!("api token {id}"),
                (None, Some(_)) => "command line".to_owned(),
                (None, None) => "api".to_owned(),
            },
            reader: self.reader.clone(),
            zone: self.cx.local.zone.clone(),
        }
    }

    /// Whether the caller may still do it, for answers that last. Asking keeps no session alive.
    pub async fn still_may(
        &self,
        house: &House,
        action: access::Action,
    ) -> Result<bool, StoreError> {
        let store = &house.store;
        let account = match (&self.local, self.token, &self.cx.token) {
            (Some(_), ..) => return Ok(true),
            (None, Some(id), _) => store.api_token_account(id).await?,
            (None, None, Some(token)) => {
                store.session_account(token, IDLE_HOURS_MAX, AGE_HOURS_MAX).await?
            }
            (None, None, None) => None,
        };
        Ok(account.is_some_and(|a| !a.must_change && access::may(&a, action)))
    }

    /// As history and records name who acts.
    pub fn actor(&self) -> String {
        match &self.local {
            Some(user) => user.actor(),
            None => format!("account:{}", self.account.login),
        }
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    /// The guard put it there; a route outside the table has none.
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Caller, Problem> {
        let found = parts.extensions.get::<Caller>().cloned();
        found.ok_or_else(|| unauthorized(language(&parts.headers)))
    }
}

fn unauthorized(lang: Lang) -> Problem {
    let detail = t(
        "有効なトークンをAuthorization: Bearerで送ってください。トークンは ume token add で作れます。",
        "Send a valid token as Authorization: Bearer. `ume token add` makes one.",
    );
    let mut problem = Problem::new(lang, problem::UNAUTHORIZED, detail);
    problem.headers.push((header::WWW_AUTHENTICATE, "Bearer realm=\"ume\"".to_owned()));
    problem
}

/// The token of the request, if one was shown.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && secret.len() <= SECRET_BYTES_MAX)
        .then(|| secret.trim())
}

/// Lets a request of the API through: known caller, allowed, not too many.
pub(crate) async fn guard(
    house: &Shared,
    wanted: Access,
    cx: Cx,
    mut request: Request,
    next: Next,
) -> Response {
    let (lang, now) = (cx.lang, Instant::now());
    if let Some(user) = request.extensions().get::<LocalUser>().cloned() {
        let reader = access::Reader::machine(&house.store);
        return local_guard(wanted, cx, (user, reader), request, next).await;
    }
    let address = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or_else(|| "address:".to_owned(), |c| format!("address:{}", c.0.ip()));
    if wanted == Access::Public {
        let quota = house.buckets.take(&address, now);
        if !quota.granted {
            return too_many(lang, quota);
        }
        request.extensions_mut().insert(cx);
        return limited(next.run(request).await, quota);
    }
    // Whoever failed too often from one address is not even looked up.
    let quota = house.buckets.look(&address, now);
    if !quota.granted {
        return too_many(lang, quota);
    }
    let found = match caller(house, cx, request.headers()).await {
        Ok(found) => found,
        Err(problem) => return problem.into_response(),
    };
    let Some(found) = found else {
        return limited(unauthorized(lang).into_response(), house.buckets.take(&address, now));
    };
    let key = match found.token {
        Some(id) => format!("token:{id}"),
        None => format!("account:{}", found.account.id),
    };
    let quota = house.buckets.take(&key, now);
    if !quota.granted {
        return too_many(lang, quota);
    }
    if let Err(problem) = admit(wanted, &found, &request) {
        return limited(problem.into_response(), quota);
    }
    request.extensions_mut().insert(found);
    limited(next.run(request).await, quota)
}

/// Lets the machine's administrator through: the socket bounds how many at once, nothing else counts.
async fn local_guard(
    wanted: Access,
    cx: Cx,
    (user, reader): (LocalUser, access::Reader),
    mut request: Request,
    next: Next,
) -> Response {
    let account = user.account();
    let found = Caller { cx, account, reader, token: None, local: Some(user) };
    if let Err(problem) = admit(wanted, &found, &request) {
        return problem.into_response();
    }
    request.extensions_mut().insert(found.cx.clone());
    request.extensions_mut().insert(found);
    next.run(request).await
}

fn limited(mut response: Response, quota: limit::Quota) -> Response {
    quota.write(&mut response);
    response
}

fn too_many(lang: Lang, quota: limit::Quota) -> Response {
    let detail = t("少し待ってからやり直してください。", "Wait as long as Retry-After says.");
    let mut problem = Problem::new(lang, problem::TOO_MANY, detail);
    problem.headers.push((header::RETRY_AFTER, quota.seconds.max(1).to_string()));
    limited(problem.into_response(), quota)
}

/// Who shows the token, else whose browser this is. A wrong token is never overlooked.
async fn caller(house: &House, cx: Cx, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    if headers.contains_key(header::AUTHORIZATION) {
        let Some(secret) = bearer(headers) else { return Ok(None) };
        let found = house.store.use_api_token(secret).await;
        let found = found.map_err(|error| Problem::of_store(cx.lang, &error))?;
        let Some((id, account)) = found else { return Ok(None) };
        let reader = access::Reader::of(&house.store, &account).await;
        let reader = reader.map_err(|error| Problem::of_store(cx.lang, &error))?;
        return Ok(Some(Caller { cx, account, reader, token: Some(id), local: None }));
    }
    let whole = |s: &store::Session| s.state == "full" && !s.account.must_change;
    let Some(session) = cx.session.clone().filter(whole) else { return Ok(None) };
    let reader = cx.reader.clone();
    Ok(Some(Caller { cx, account: session.account, reader, token: None, local: None }))
}

fn admit(wanted: Access, caller: &Caller, request: &Request) -> Result<(), Problem> {
    let lang = caller.cx.lang;
    let refuse = |detail| Err(Problem::new(lang, problem::FORBIDDEN, detail));
    if let Access::Action(action) = wanted
        && !access::may(&caller.account, action)
    {
        return refuse(t("権限は管理者が付与します。", "An administrator can grant it."));
    }
    if wanted == Access::Local && caller.local.is_none() {
        return refuse(t(
            "サーバー機でumeコマンドを実行してください。",
            "Run the command `ume` on the machine of the server.",
        ));
    }
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if safe || caller.token.is_some() || caller.local.is_some() {
        return Ok(());
    }
    // A browser sends its cookie by itself, so a change needs the form token as well.
    let sent = request.headers().get(CSRF_HEADER).map_or(&b""[..], |v| v.as_bytes());
    let same = subtle::ConstantTimeEq::ct_eq(sent, caller.cx.csrf().as_bytes());
    if caller.cx.own_origin().is_err() || !bool::from(same) {
        return refuse(t(
            "送信元を確認できませんでした。X-CSRF-Tokenが必要です。",
            "The origin could not be confirmed: X-CSRF-Token is needed.",
        ));
    }
    Ok(())
}

/// Whether the address belongs to the API.
fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/") || path == "/openapi.json"
}

/// Gives every refusal of the API its problem document: also those of layers and extractors, which
/// know neither language nor form.
pub(crate) async fn problems(request: Request, next: Next) -> Response {
    if !is_api(request.uri().path()) {
        return next.run(request).await;
    }
    let lang = language(request.headers());
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if status.as_u16() < 400 || kind.is_some_and(|k| k == problem::MEDIA_TYPE) {
        return response;
    }
    let mut ours = Problem::of_status(lang, status).into_response();
    for name in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name) {
            ours.headers_mut().insert(name, value.clone());
        }
    }
    for name in ["ratelimit", "ratelimit-policy"].map(HeaderName::from_static) {
        if let Some(value) = response.headers().get(&name) {
            ours.headers_mut().insert(name, value.clone());
        }
    }
    ours
}

/// Answer of a method that an address does not have; the layer above gives it its form.
pub(crate) async fn no_such_method() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}
