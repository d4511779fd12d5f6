//! Passkeys (WebAuthn Level 3): registered on one's own page, used instead of the one-time code.
//!
//! User verification is required, so that a passkey proves a person and not only a device. A ceremony
//! lives in memory for five minutes, belongs to one session and is used once.

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::t;
use serde::Deserialize;
use serde_json::json;
use store::{Account, AccountChange, Session, Store};
use webauthn_rs::prelude::{
    Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
};

use super::{Me, actor, note, origin, recently, signins::Outcome, throttle::Key};
use crate::{
    House, Shared,
    auth::{safe_back, set_session},
    frame::{Answer, Cx, Refusal},
    route::{Access, Route},
};

const CEREMONY_TIME: Duration = Duration::from_secs(300);
const CEREMONIES_MAX: usize = 1_000;
const NAME_CHARS_MAX: usize = 60;
const PASSKEYS_MAX: usize = 10;

/// What the server must remember between the two halves.
pub(crate) enum Ceremony {
    Register(PasskeyRegistration),
    SignIn(PasskeyAuthentication),
    /// A decision that waits for its signature.
    Sign(Box<crate::decide::Prepared>),
}

pub(super) fn routes() -> Vec<Route> {
    use Access::{Own, Public, SignedIn};
    let file = t("パスキーのスクリプト", "Script for passkeys");
    let register = t("パスキーの登録", "Register a passkey");
    let sign_in = t("パスキーで認証", "Second factor by passkey");
    vec![
        Route::get("/assets/passkey.js", Public, file, script),
        Route::post("/people/me/passkeys/start", Own, register, register_start),
        Route::post("/people/me/passkeys/finish", Own, register, register_finish),
        Route::post("/second-factor/passkey/start", SignedIn, sign_in, sign_in_start),
        Route::post("/second-factor/passkey/finish", SignedIn, sign_in, sign_in_finish),
    ]
}

async fn script() -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (head, include_str!("../../assets/passkey.js")).into_response()
}

/// A refusal that the script shows beside its button.
fn no(cx: &Cx, ja: &str, en: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": cx.t(ja, en)}))).into_response()
}

fn no_name(cx: &Cx) -> Response {
    no(
        cx,
        "パスキーは名前のアドレス（localhostまたは公開アドレス）でのみ使えます。",
        "Passkeys work only at a name: localhost, or the public address.",
    )
}

async fn webauthn(house: &House, headers: &HeaderMap) -> Result<Option<Webauthn>, Refusal> {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("");
    let Some(origin) = origin(house, host).await? else { return Ok(None) };
    let built = Url::parse(&origin).ok().and_then(|url| {
        let name = url.domain()?.to_owned();
        WebauthnBuilder::new(&name, &url).ok()?.rp_name("Ume").build().ok()
    });
    Ok(built)
}

impl super::People {
    pub(crate) fn begin(&self, session: &str, ceremony: Ceremony) -> bool {
        let mut held = self.ceremonies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        held.retain(|_, (_, since)| now.duration_since(*since) < CEREMONY_TIME);
        if held.len() >= CEREMONIES_MAX && !held.contains_key(session) {
            return false;
        }
        held.insert(session.to_owned(), (ceremony, now));
        true
    }

    pub(crate) fn take(&self, session: &str) -> Option<Ceremony> {
        let mut held = self.ceremonies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (ceremony, since) = held.remove(session)?;
        (since.elapsed() < CEREMONY_TIME).then_some(ceremony)
    }
}

pub(crate) fn session_id(cx: &Cx) -> String {
    Store::session_id(cx.token.as_deref().unwrap_or(""))
}

async fn keys(house: &House, account: &Account) -> Result<Vec<Passkey>, Refusal> {
    let rows = house.store.passkeys(account.id).await?;
    Ok(rows.iter().filter_map(|row| serde_json::from_str(&row.credential).ok()).collect())
}

#[derive(Deserialize)]
struct Start {
    csrf: String,
}

async fn register_start(
    State(house): State<Shared>,
    headers: HeaderMap,
    me: Me,
    Json(form): Json<Start>,
) -> Answer {
    me.form(&form.csrf)?;
    let (cx, account) = (&me.0.cx, &me.0.session.account);
    if recently(&me.0, "/people/me").is_err() {
        let to = "/people/confirm?back=/people/me";
        return Ok((StatusCode::FORBIDDEN, Json(json!({"to": to}))).into_response());
    }
    let Some(webauthn) = webauthn(&house, &headers).await? else { return Ok(no_name(cx)) };
    let known = keys(&house, account).await?;
    if known.len() >= PASSKEYS_MAX {
        return Ok(no(
            cx,
            "パスキーは10個までです。使わないものを削除してください。",
            "At most 10 passkeys: remove one you do not use.",
        ));
    }
    let id: Uuid = account.id.to_string().parse().map_err(|_| Refusal::NotFound)?;
    let exclude = known.iter().map(|key| key.cred_id().clone()).collect();
    let login = &account.login;
    let begun = webauthn.start_passkey_registration(id, login, login, Some(exclude));
    let Ok((challenge, state)) = begun else { return Ok(broken(cx)) };
    if !house.people.begin(&session_id(cx), Ceremony::Register(state)) {
        return Err(Refusal::Busy);
    }
    Ok(Json(challenge).into_response())
}

fn broken(cx: &Cx) -> Response {
    no(
        cx,
        "パスキーを確認できませんでした。もう一度お試しください。",
        "The passkey could not be verified. Try again.",
    )
}

#[derive(Deserialize)]
struct RegisterFinish {
    csrf: String,
    name: String,
    credential: RegisterPublicKeyCredential,
}

async fn register_finish(
    State(house): State<Shared>,
    headers: HeaderMap,
    me: Me,
    Json(form): Json<RegisterFinish>,
) -> Answer {
    me.form(&form.csrf)?;
    let (cx, account) = (&me.0.cx, &me.0.session.account);
    let Some(webauthn) = webauthn(&house, &headers).await? else { return Ok(no_name(cx)) };
    let Some(Ceremony::Register(state)) = house.people.take(&session_id(cx)) else {
        return Ok(broken(cx));
    };
    let key = match webauthn.finish_passkey_registration(&form.credential, &state) {
        Ok(key) => key,
        Err(error) => {
            tracing::warn!(%error, "a passkey was not registered");
            return Ok(broken(cx));
        }
    };
    let Ok(credential) = serde_json::to_string(&key) else { return Ok(broken(cx)) };
    let name: String = form.name.trim().chars().take(NAME_CHARS_MAX).collect();
    let name = if name.is_empty() { cx.t("パスキー", "passkey").to_owned() } else { name };
    let id = hex::encode(key.cred_id());
    let change = AccountChange::PasskeyAdded { id: &id, name: &name, credential: &credential };
    house.store.change_account(&actor(&me.0), account, change).await?;
    Ok(Json(json!({"to": "/people/me"})).into_response())
}

/// The session of someone who gave the password and owes the second factor.
fn half(cx: &Cx, csrf: &str) -> Result<Session, Refusal> {
    cx.own_origin()?;
    let session = cx.session.clone().ok_or_else(|| Refusal::SignIn("/".to_owned()))?;
    let same = subtle::ConstantTimeEq::ct_eq(csrf.as_bytes(), session.csrf.as_bytes());
    if bool::from(same) { Ok(session) } else { Err(Refusal::Foreign) }
}

async fn sign_in_start(
    State(house): State<Shared>,
    headers: HeaderMap,
    cx: Cx,
    Json(form): Json<Start>,
) -> Answer {
    let session = half(&cx, &form.csrf)?;
    let Some(webauthn) = webauthn(&house, &headers).await? else { return Ok(no_name(&cx)) };
    let keys = keys(&house, &session.account).await?;
    let Ok((challenge, state)) = webauthn.start_passkey_authentication(&keys) else {
        return Ok(broken(&cx));
    };
    if !house.people.begin(&session_id(&cx), Ceremony::SignIn(state)) {
        return Err(Refusal::Busy);
    }
    Ok(Json(challenge).into_response())
}

#[derive(Deserialize)]
struct SignInFinish {
    csrf: String,
    credential: PublicKeyCredential,
    #[serde(default)]
    back: String,
}

async fn sign_in_finish(
    State(house): State<Shared>,
    ConnectInfo(address): ConnectInfo<std::net::SocketAddr>,
    headers: HeaderMap,
    cx: Cx,
    Json(form): Json<SignInFinish>,
) -> Answer {
    let session = half(&cx, &form.csrf)?;
    let account = &session.account;
    let id = account.id.to_string();
    if let Some(seconds) = house.people.throttle.attempt(&[Key::Factor(&id)], Instant::now()) {
        return Ok((StatusCode::TOO_MANY_REQUESTS, Json(json!({"error": cx.wait(seconds)})))
            .into_response());
    }
    let Some(webauthn) = webauthn(&house, &headers).await? else { return Ok(no_name(&cx)) };
    let Some(Ceremony::SignIn(state)) = house.people.take(&session_id(&cx)) else {
        return Ok(broken(&cx));
    };
    let verified = webauthn.finish_passkey_authentication(&form.credential, &state);
    let result = match verified {
        Ok(result) => result,
        Err(error) => {
            tracing::warn!(%error, "a passkey was refused");
            note(&house, Outcome::Failure, Some(account), address.ip(), "passkey", "passkey");
            return Ok(broken(&cx));
        }
    };
    let row = hex::encode(result.cred_id());
    let rows = house.store.passkeys(account.id).await?;
    // Removed while the ceremony ran: it counts no more.
    let Some(kept) = rows.iter().find(|r| r.id == row) else { return Ok(broken(&cx)) };
    let Ok(mut key) = serde_json::from_str::<Passkey>(&kept.credential) else {
        return Ok(broken(&cx));
    };
    key.update_credential(&result);
    if let Ok(credential) = serde_json::to_string(&key) {
        house.store.used_passkey(&row, &credential).await?;
    }
    house.people.throttle.succeeded(&[Key::Factor(&id)], Instant::now());
    if let Some(old) = &cx.token {
        house.store.end_session(old).await?;
    }
    let method = "password+passkey";
    let token = house.store.sign_in(account.id, method, &address.ip().to_string()).await?;
    note(&house, Outcome::Success, Some(account), address.ip(), method, "");
    let mut response = Json(json!({"to": safe_back(&form.back)})).into_response();
    set_session(&house, &mut response, &token);
    Ok(response)
}
