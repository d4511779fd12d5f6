//! Sign-in at an OpenID Connect provider (authorization code flow with PKCE, nonce and state).
//!
//! The provider's claim decides the role anew at each sign-in. An existing local account is never
//! taken over because a provider says the same name: subjects are bound to accounts of their own.
//! The settings are written by `ume oidc set` only, by whoever has the machine: a role mapping in
//! the pages would let an administrator become officer.

use std::time::Duration;

use axum::{
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect},
};
use base64::Engine;
use model::t;
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse,
    core::{CoreAuthPrompt, CoreClient, CoreProviderMetadata, CoreResponseType},
    url::Url,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use store::{Account, AccountChange, OidcFlow, Store, StoreError};

use super::{note, origin, signins::Outcome};
use crate::{
    House, Shared,
    access::ROLES,
    auth::{safe_back, set_cookie, with_session},
    frame::{Answer, Cx, Refusal, cookie},
    route::{Access::Public, Route},
};

/// Stands where a local account has its hash; no password has it as its hash.
pub const NO_PASSWORD: &str = "!";
const SETTING: &str = "oidc";
const FLOW_COOKIE: &str = "ume_flow";
const ANSWER_BYTES_MAX: usize = 1 << 20;
const PROVIDER_SECONDS_MAX: u64 = 10;
const LOGIN_CHARS_MAX: usize = 60;
/// Sign-ins begun and not finished; each is a row for ten minutes.
const FLOWS_MAX: i64 = 5_000;

/// How to reach the provider, and what its claims mean here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub issuer: String,
    pub client_id: String,
    /// File whose first line is the client secret; the secret itself is not stored.
    pub secret_file: String,
    /// Claim of the ID token that holds a text or a list of texts.
    pub claim: String,
    /// Value of the claim and role; the first that fits counts.
    pub roles: Vec<(String, String)>,
    /// What the sign-in page calls the provider.
    pub name: String,
}

/// Why signing in at the provider failed.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error("{0} is neither https nor on this machine: the provider must be reached over TLS")]
    NotSafe(String),
    #[error("the provider {0} did not answer as OpenID Connect asks: {1}")]
    Provider(String, String),
    #[error("the file with the client secret, {0}, cannot be read: {1}")]
    Secret(String, std::io::Error),
    #[error("the ID token is refused: {0}")]
    Token(String),
    #[error("{0} is no role; the roles are {roles}", roles = ROLES.join(", "))]
    Role(String),
    #[error("the answer of the provider is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Answer(#[from] axum::http::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Settings {
    /// Reads the settings.
    pub async fn load(store: &Store) -> Result<Option<Settings>, StoreError> {
        let text = store.setting(SETTING).await?.unwrap_or_default();
        Ok(serde_json::from_str(&text).ok())
    }

    /// Checks and writes the settings.
    pub async fn save(&self, store: &Store) -> Result<(), OidcError> {
        safe(&self.issuer)?;
        if let Some((_, role)) = self.roles.iter().find(|(_, r)| !ROLES.contains(&r.as_str())) {
            return Err(OidcError::Role(role.clone()));
        }
        self.secret()?;
        let text = serde_json::to_string(self).unwrap_or_default();
        Ok(store.set_setting(SETTING, &text).await?)
    }

    /// Ends signing in at a provider.
    pub async fn remove(store: &Store) -> Result<(), StoreError> {
        store.set_setting(SETTING, "").await
    }

    fn secret(&self) -> Result<String, OidcError> {
        let text = std::fs::read_to_string(&self.secret_file)
            .map_err(|e| OidcError::Secret(self.secret_file.clone(), e))?;
        Ok(text.lines().next().unwrap_or("").trim().to_owned())
    }

    /// The role that the claims give, if any.
    pub fn role(&self, claims: &Json) -> Option<&str> {
        let claim = claims.get(&self.claim)?;
        let holds = |value: &str| match claim {
            Json::String(text) => text == value,
            Json::Array(list) => list.iter().any(|item| item.as_str() == Some(value)),
            _ => false,
        };
        self.roles.iter().find(|(value, _)| holds(value)).map(|(_, role)| role.as_str())
    }
}

/// TLS, or this machine: tokens must not cross a network in the clear.
fn safe(url: &str) -> Result<Url, OidcError> {
    let not_safe = || OidcError::NotSafe(url.to_owned());
    let parsed = Url::parse(url).map_err(|_| not_safe())?;
    let local = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let good = parsed.scheme() == "https" || (parsed.scheme() == "http" && local);
    if good { Ok(parsed) } else { Err(not_safe()) }
}

/// One request to the provider. Redirects are not followed: they would lead requests astray.
async fn request(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, OidcError> {
    safe(&request.uri().to_string())?;
    let (parts, body) = request.into_parts();
    let mut sent = client.request(parts.method, parts.uri.to_string()).headers(parts.headers);
    if !body.is_empty() {
        sent = sent.body(body);
    }
    let mut answer = sent.send().await?;
    let mut built = axum::http::Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get(header::CONTENT_TYPE) {
        built = built.header(header::CONTENT_TYPE, kind);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(OidcError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(built.body(body)?)
}

fn http_client(issuer: &Url) -> Result<reqwest::Client, OidcError> {
    // Whoever comes second finds a provider installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(PROVIDER_SECONDS_MAX));
    let builder = if issuer.scheme() == "http" { builder.no_proxy() } else { builder };
    Ok(builder.build()?)
}

/// What stands between us and the provider for one request.
struct Reached {
    metadata: CoreProviderMetadata,
    http: reqwest::Client,
}

async fn reach(settings: &Settings) -> Result<Reached, OidcError> {
    let url = safe(&settings.issuer)?;
    let http = http_client(&url)?;
    let wrong = |e: String| OidcError::Provider(settings.issuer.clone(), e);
    let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|e| wrong(e.to_string()))?;
    let client = http.clone();
    let send = move |r: HttpRequest| request(client.clone(), r);
    let metadata = CoreProviderMetadata::discover_async(issuer, &send)
        .await
        .map_err(|e| wrong(format!("{e:?}")))?;
    Ok(Reached { metadata, http })
}

pub(super) fn routes() -> Vec<Route> {
    let begin = t("認証プロバイダーでサインイン", "Sign in at the provider");
    let back = t("認証プロバイダーからの戻り", "Back from the provider");
    vec![
        Route::get("/oidc/start", Public, begin, start),
        Route::get("/oidc/callback", Public, back, callback),
    ]
}

#[derive(Deserialize)]
struct StartQuery {
    #[serde(default)]
    back: String,
    /// Asks the provider to have the person prove themselves again.
    #[serde(default)]
    fresh: String,
}

fn failed(cx: &Cx, error: &OidcError) -> Refusal {
    tracing::error!(%error, "signing in at the provider failed");
    Refusal::Bad(
        cx.t(
            "認証プロバイダーでのサインインに失敗しました。管理者に連絡してください（詳細はログにあります）。",
            "Signing in at the provider failed. Tell your administrator; the log has the details.",
        )
        .to_owned(),
    )
}

async fn redirect_url(house: &House, headers: &HeaderMap, cx: &Cx) -> Result<RedirectUrl, Refusal> {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("");
    let origin = origin(house, host).await?.ok_or_else(|| {
        Refusal::Bad(
            cx.t(
                "localhostまたは公開アドレスで開き直してください。",
                "Open this page at localhost or at the public address.",
            )
            .to_owned(),
        )
    })?;
    RedirectUrl::new(format!("{origin}/oidc/callback")).map_err(|e| Refusal::Bad(e.to_string()))
}

async fn start(
    State(house): State<Shared>,
    headers: HeaderMap,
    cx: Cx,
    Query(query): Query<StartQuery>,
) -> Answer {
    let settings = Settings::load(&house.store).await?.ok_or(Refusal::NotFound)?;
    if house.store.open_flows().await? >= FLOWS_MAX {
        return Err(Refusal::Busy);
    }
    let redirect = redirect_url(&house, &headers, &cx).await?;
    let reached = reach(&settings).await.map_err(|e| failed(&cx, &e))?;
    let client = CoreClient::from_provider_metadata(
        reached.metadata,
        ClientId::new(settings.client_id.clone()),
        None,
    )
    .set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut asked = client
        .authorize_url(
            AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scope(Scope::new("profile".to_owned()))
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge);
    if !query.fresh.is_empty() {
        asked = asked.add_prompt(CoreAuthPrompt::Login);
    }
    let (url, state, nonce) = asked.url();
    let flow = OidcFlow {
        nonce: nonce.secret().clone(),
        verifier: verifier.secret().clone(),
        back: safe_back(&query.back).to_owned(),
    };
    house.store.begin_flow(state.secret(), &flow).await?;
    let mut response = Redirect::to(url.as_str()).into_response();
    // Binds the answer to this browser: another one that is made to open it has no such cookie.
    let secure = if house.secure { "; Secure" } else { "" };
    let state = state.secret();
    set_cookie(
        &mut response,
        &format!("{FLOW_COOKIE}={state}; Path=/oidc; Max-Age=600; HttpOnly; SameSite=Lax{secure}"),
    );
    Ok(response)
}

#[derive(Deserialize)]
struct CallbackQuery {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
}

async fn callback(
    State(house): State<Shared>,
    ConnectInfo(address): ConnectInfo<std::net::SocketAddr>,
    headers: HeaderMap,
    cx: Cx,
    Query(query): Query<CallbackQuery>,
) -> Answer {
    let settings = Settings::load(&house.store).await?.ok_or(Refusal::NotFound)?;
    let kept = cookie(&headers, FLOW_COOKIE).unwrap_or_default();
    let same = subtle::ConstantTimeEq::ct_eq(kept.as_bytes(), query.state.as_bytes());
    if kept.is_empty() || !bool::from(same) {
        return Err(Refusal::Foreign);
    }
    let flow = house.store.take_flow(&query.state).await?.ok_or(Refusal::Foreign)?;
    if !query.error.is_empty() {
        note(&house, Outcome::Failure, None, address.ip(), "oidc", "provider");
        return Ok(Redirect::to("/login").into_response());
    }
    let redirect = redirect_url(&house, &headers, &cx).await?;
    let claims = match claims(&settings, redirect, query.code, &flow).await {
        Ok(claims) => claims,
        Err(error) => {
            note(&house, Outcome::Failure, None, address.ip(), "oidc", "token");
            return Err(failed(&cx, &error));
        }
    };
    let account = match account(&house, &settings, &claims).await? {
        Ok(account) => account,
        Err((account, reason)) => {
            note(&house, Outcome::Failure, account.as_ref(), address.ip(), "oidc", reason);
            return Err(Refusal::Forbidden);
        }
    };
    if let Some(old) = &cx.token {
        house.store.end_session(old).await?;
    }
    let token = house.store.sign_in(account.id, "oidc", &address.ip().to_string()).await?;
    note(&house, Outcome::Success, Some(&account), address.ip(), "oidc", "");
    Ok(with_session(&house, &token, safe_back(&flow.back)))
}

/// Exchanges the code and gives the claims of the verified ID token.
async fn claims(
    settings: &Settings,
    redirect: RedirectUrl,
    code: String,
    flow: &OidcFlow,
) -> Result<Json, OidcError> {
    let reached = reach(settings).await?;
    let client = CoreClient::from_provider_metadata(
        reached.metadata,
        ClientId::new(settings.client_id.clone()),
        Some(ClientSecret::new(settings.secret()?)),
    )
    .set_redirect_uri(redirect);
    let wrong = |e: String| OidcError::Provider(settings.issuer.clone(), e);
    let http = reached.http;
    let send = move |r: HttpRequest| request(http.clone(), r);
    let answer = client
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|e| wrong(e.to_string()))?
        .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()))
        .request_async(&send)
        .await
        .map_err(|e| wrong(e.to_string()))?;
    let token = answer.id_token().ok_or_else(|| OidcError::Token("there is none".to_owned()))?;
    let nonce = Nonce::new(flow.nonce.clone());
    token
        .claims(&client.id_token_verifier(), &nonce)
        .map_err(|e| OidcError::Token(e.to_string()))?;
    // Signature, issuer, audience, time and nonce hold; the library drops claims of one's own.
    let text = token.to_string();
    let payload = text.split('.').nth(1).unwrap_or("");
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| OidcError::Token("its claims are no JSON".to_owned()))
}

type Found = Result<Account, (Option<Account>, &'static str)>;

/// The account bound to this subject, made at its first sign-in, with the role its claims give.
async fn account(house: &House, settings: &Settings, claims: &Json) -> Result<Found, Refusal> {
    let subject = claims.get("sub").and_then(Json::as_str).unwrap_or("");
    let known = house.store.account_of(&settings.issuer, subject).await?;
    let Some(role) = settings.role(claims) else { return Ok(Err((known, "role"))) };
    let Some(account) = known else {
        return new_account(house, settings, claims, subject, role).await;
    };
    if account.disabled {
        return Ok(Err((Some(account), "disabled")));
    }
    if account.role != role {
        let change = AccountChange::Role(role);
        match house.store.change_account("system:oidc", &account, change).await {
            // The last officer stays one, whatever the provider says.
            Ok(_) | Err(StoreError::LastOfficer) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let fresh = house.store.account_by_id(account.id).await?;
    Ok(fresh.ok_or((None, "disabled")))
}

async fn new_account(
    house: &House,
    settings: &Settings,
    claims: &Json,
    subject: &str,
    role: &str,
) -> Result<Found, Refusal> {
    let named = ["preferred_username", "email"]
        .iter()
        .filter_map(|name| claims.get(*name)?.as_str())
        .find(|text| !text.trim().is_empty());
    let name: String = named.unwrap_or(subject).trim().chars().take(LOGIN_CHARS_MAX).collect();
    let host = Url::parse(&settings.issuer).ok();
    let host = host.as_ref().and_then(Url::host_str).unwrap_or("oidc");
    let mut login = name.clone();
    if login.is_empty() || house.store.account(&login).await?.is_some() {
        login = format!("{name}@{host}");
    }
    if house.store.account(&login).await?.is_some() {
        return Ok(Err((None, "name")));
    }
    let id = house.store.create_account("system:oidc", &login, role, NO_PASSWORD, false).await?;
    let account = house.store.account_by_id(id).await?.ok_or(Refusal::NotFound)?;
    let link = AccountChange::Linked { issuer: &settings.issuer, subject };
    house.store.change_account("system:oidc", &account, link).await?;
    Ok(Ok(account))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_provider_is_reached_over_tls_or_on_this_machine() {
        for good in ["https://id.example.com", "http://localhost:3000", "http://127.0.0.1:1/x"] {
            assert!(safe(good).is_ok(), "{good}");
        }
        for bad in ["http://id.example.com", "http://127.0.0.1.evil.example", "ftp://localhost", ""]
        {
            assert!(matches!(safe(bad), Err(OidcError::NotSafe(_))), "{bad}");
        }
    }

    #[test]
    fn the_first_fitting_value_gives_the_role_and_no_value_gives_none() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let settings = Settings {
            issuer: String::new(),
            client_id: String::new(),
            secret_file: String::new(),
            claim: "groups".to_owned(),
            roles: vec![pair("isms", "officer"), pair("staff", "employee")],
            name: String::new(),
        };
        assert_eq!(settings.role(&json!({"groups": ["staff", "isms"]})), Some("officer"));
        assert_eq!(settings.role(&json!({"groups": "staff"})), Some("employee"));
        assert_eq!(settings.role(&json!({"groups": ["isms-readers"]})), None);
        assert_eq!(settings.role(&json!({"groups": {"isms": true}})), None);
        assert_eq!(settings.role(&json!({})), None);
    }
}
