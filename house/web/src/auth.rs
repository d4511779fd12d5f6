//! Set-up link, sign-in, second factor, sign-out, language.

use std::time::{Duration, Instant};

use askama::Template;
use axum::{
    Form,
    extract::{ConnectInfo, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use model::t;
use serde::Deserialize;

use crate::{
    House, Shared,
    frame::{Answer, Cx, Refusal, cookie_name, page},
    route::{Access, Route},
    secrets::{self, Weak},
};

const FREE_FAILURES: u32 = 5;
const WAIT_SECONDS_MAX: u64 = 900;
const FAILURE_KEYS_MAX: usize = 10_000;
const LOGIN_CHARS_MAX: usize = 100;

/// Failed attempts of one account name or address.
pub struct Failures {
    count: u32,
    until: Instant,
}

pub(crate) fn routes() -> Vec<Route> {
    use Access::{Public, SignedIn};
    vec![
        Route::get("/setup", Public, t("はじめの設定", "First set-up"), setup_page),
        Route::post("/setup", Public, t("最初のアカウント", "The first account"), setup),
        Route::get("/login", Public, t("サインイン", "Sign in"), login_page),
        Route::post("/login", Public, t("サインイン", "Sign in"), login),
        Route::get("/second-factor", SignedIn, t("二要素認証", "Second factor"), factor_page),
        Route::post("/second-factor", SignedIn, t("二要素認証", "Second factor"), factor),
        Route::post("/logout", SignedIn, t("サインアウト", "Sign out"), logout),
        Route::get("/language", Public, t("言語の切替え", "Change the language"), language),
    ]
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage<'a> {
    cx: &'a Cx,
    token: &'a str,
    login: &'a str,
    error: &'a str,
}

#[derive(Deserialize)]
struct SetupQuery {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct SetupForm {
    token: String,
    login: String,
    password: String,
    again: String,
}

fn setup_token_fits(house: &House, token: &str) -> bool {
    let guard = house.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    guard.as_deref().is_some_and(|want| {
        bool::from(subtle::ConstantTimeEq::ct_eq(want.as_bytes(), token.as_bytes()))
    })
}

async fn setup_page(
    State(house): State<Shared>,
    cx: Cx,
    Query(query): Query<SetupQuery>,
) -> Answer {
    if !setup_token_fits(&house, &query.token) {
        return Err(Refusal::NotFound);
    }
    let body = SetupPage { cx: &cx, token: &query.token, login: "", error: "" };
    page(&cx, cx.t("はじめの設定", "First set-up"), &body)
}

async fn setup(State(house): State<Shared>, cx: Cx, Form(form): Form<SetupForm>) -> Answer {
    cx.own_origin()?;
    if !setup_token_fits(&house, &form.token) {
        return Err(Refusal::NotFound);
    }
    let login = form.login.trim().to_owned();
    let error = new_account_error(&cx, &login, &form.password, Some(&form.again));
    if let Some(error) = error {
        let body = SetupPage { cx: &cx, token: &form.token, login: &login, error: &error };
        return page(&cx, cx.t("はじめの設定", "First set-up"), &body);
    }
    let password = form.password;
    let hash = tokio::task::spawn_blocking(move || secrets::hash_password(&password))
        .await
        .ok()
        .flatten()
        .ok_or_else(|| Refusal::Bad("password".to_owned()))?;
    // Taking the token is the race: whoever takes it makes the account.
    let taken = house.setup.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if taken.is_none() || house.store.account_count().await? > 0 {
        return Err(Refusal::NotFound);
    }
    let account = house.store.add_account(&login, "officer", &hash).await?;
    let token = house.store.open_session(account, "password", "setup").await?;
    tracing::info!(login, "the first account was made");
    Ok(with_session(&house, &token, "/second-factor"))
}

/// What is wrong with a new account's name or password, in the reader's language.
pub fn new_account_error(
    cx: &Cx,
    login: &str,
    password: &str,
    again: Option<&str>,
) -> Option<String> {
    if login.is_empty() || login.chars().count() > LOGIN_CHARS_MAX {
        return Some(
            cx.t(
                "名前を入力してください（100文字以内）。",
                "Enter a name of at most 100 characters.",
            )
            .to_owned(),
        );
    }
    if again.is_some_and(|again| again != password) {
        return Some(
            cx.t("二つのパスワードが一致しません。", "The two passwords differ.").to_owned(),
        );
    }
    let weak = secrets::judge_password(password, login).err()?;
    Some(
        match weak {
            Weak::Short => {
                cx.t("パスワードは12文字以上にしてください。", "Use at least 12 characters.")
            }
            Weak::Long => cx.t("パスワードが長すぎます。", "The password is too long."),
            Weak::Leaked => cx.t(
                "流出したことのあるパスワードです。別のものにしてください。",
                "This password is among leaked ones. Choose another.",
            ),
            Weak::LikeLogin => cx
                .t("名前を含むパスワードは使えません。", "The password must not contain the name."),
        }
        .to_owned(),
    )
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    cx: &'a Cx,
    back: &'a str,
    login: &'a str,
    error: &'a str,
    empty: bool,
}

#[derive(Deserialize)]
struct LoginQuery {
    #[serde(default)]
    back: String,
}

#[derive(Deserialize)]
struct LoginForm {
    login: String,
    password: String,
    #[serde(default)]
    back: String,
}

async fn login_page(
    State(house): State<Shared>,
    cx: Cx,
    Query(query): Query<LoginQuery>,
) -> Answer {
    let empty = house.store.account_count().await? == 0;
    let body = LoginPage { cx: &cx, back: &query.back, login: "", error: "", empty };
    page(&cx, cx.t("サインイン", "Sign in"), &body)
}

async fn login(
    State(house): State<Shared>,
    ConnectInfo(address): ConnectInfo<std::net::SocketAddr>,
    cx: Cx,
    Form(form): Form<LoginForm>,
) -> Answer {
    cx.own_origin()?;
    let keys = [format!("login:{}", form.login), format!("address:{}", address.ip())];
    let wait = keys.iter().filter_map(|key| waiting(&house, key)).max();
    if let Some(seconds) = wait {
        let ja = format!("試行が続いたため、{seconds}秒後にやり直してください。");
        let en = format!("Too many attempts: try again in {seconds} seconds.");
        return refuse_login(&cx, &form, cx.t(&ja, &en));
    }
    let account = house.store.account(&form.login).await?.filter(|a| !a.disabled);
    let hash = account.as_ref().map(|a| a.password.clone());
    let password = form.password.clone();
    let fits =
        tokio::task::spawn_blocking(move || secrets::verify_password(&password, hash.as_deref()))
            .await
            .unwrap_or(false);
    let (Some(account), true) = (account, fits) else {
        keys.iter().for_each(|key| failed(&house, key));
        tracing::warn!(address = %address.ip(), "sign-in refused");
        let text = cx.t("名前またはパスワードが違います。", "The name or the password is wrong.");
        return refuse_login(&cx, &form, text);
    };
    let token = house.store.open_session(account.id, "password", &address.ip().to_string()).await?;
    let to = format!("/second-factor?back={}", urlencoding::encode(safe_back(&form.back)));
    Ok(with_session(&house, &token, &to))
}

fn refuse_login(cx: &Cx, form: &LoginForm, error: &str) -> Answer {
    let body = LoginPage { cx, back: &form.back, login: &form.login, error, empty: false };
    page(cx, cx.t("サインイン", "Sign in"), &body)
}

#[derive(Template)]
#[template(path = "factor.html")]
struct FactorPage<'a> {
    cx: &'a Cx,
    /// Set while a secret is being enrolled.
    secret: &'a str,
    url: &'a str,
    back: &'a str,
    error: &'a str,
}

#[derive(Deserialize)]
struct FactorForm {
    csrf: String,
    code: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    back: String,
}

async fn factor_page(cx: Cx, Query(query): Query<LoginQuery>) -> Answer {
    let Some(session) = cx.session.clone() else { return Err(Refusal::SignIn("/".to_owned())) };
    let secret = match session.account.totp {
        Some(_) => String::new(),
        None => secrets::new_totp_secret().ok_or_else(|| Refusal::Bad("random".to_owned()))?,
    };
    show_factor(&cx, &secret, &session.account.login, &query.back, "")
}

fn show_factor(cx: &Cx, secret: &str, login: &str, back: &str, error: &str) -> Answer {
    let url = secrets::totp_url(secret, login).unwrap_or_default();
    let body = FactorPage { cx, secret, url: &url, back, error };
    page(cx, cx.t("二要素認証", "Second factor"), &body)
}

async fn factor(
    State(house): State<Shared>,
    ConnectInfo(address): ConnectInfo<std::net::SocketAddr>,
    cx: Cx,
    Form(form): Form<FactorForm>,
) -> Answer {
    cx.own_origin()?;
    let Some(session) = cx.session.clone() else { return Err(Refusal::SignIn("/".to_owned())) };
    if form.csrf != session.csrf {
        return Err(Refusal::Foreign);
    }
    let account = &session.account;
    let enrolling = account.totp.is_none();
    let secret = account.totp.clone().unwrap_or_else(|| form.secret.clone());
    let key = format!("factor:{}", account.login);
    if let Some(seconds) = waiting(&house, &key) {
        let ja = format!("試行が続いたため、{seconds}秒後にやり直してください。");
        let en = format!("Too many attempts: try again in {seconds} seconds.");
        let shown = if enrolling { &secret } else { "" };
        return show_factor(&cx, shown, &account.login, &form.back, cx.t(&ja, &en));
    }
    let seconds = (house.store.now().0 / 1_000_000).max(0) as u64;
    let step = secrets::totp_step(&secret, &account.login, &form.code, seconds);
    let fresh = match (step, enrolling) {
        (Some(step), true) => {
            house.store.set_totp(account.id, &secret, step).await?;
            true
        }
        (Some(step), false) => house.store.use_totp_step(account.id, step).await?,
        (None, _) => false,
    };
    if !fresh {
        failed(&house, &key);
        let text = cx.t("コードが違うか、使用済みです。", "The code is wrong or was used before.");
        let shown = if enrolling { secret.as_str() } else { "" };
        return show_factor(&cx, shown, &account.login, &form.back, text);
    }
    // A new token after each gain of rights: a fixed one from before is worth nothing.
    if let Some(old) = &cx.token {
        house.store.end_session(old).await?;
    }
    let token = house.store.open_session(account.id, "full", &address.ip().to_string()).await?;
    Ok(with_session(&house, &token, safe_back(&form.back)))
}

#[derive(Deserialize)]
struct CsrfForm {
    csrf: String,
}

async fn logout(State(house): State<Shared>, cx: Cx, Form(form): Form<CsrfForm>) -> Answer {
    cx.own_origin()?;
    if form.csrf != cx.csrf() {
        return Err(Refusal::Foreign);
    }
    if let Some(token) = &cx.token {
        house.store.end_session(token).await?;
    }
    let mut response = Redirect::to("/login").into_response();
    set_cookie(&mut response, &format!("{}=; Path=/; Max-Age=0", cookie_name(house.secure)));
    Ok(response)
}

#[derive(Deserialize)]
struct LanguageQuery {
    to: String,
    #[serde(default)]
    back: String,
}

async fn language(Query(query): Query<LanguageQuery>) -> Response {
    let mut response = Redirect::to(safe_back(&query.back)).into_response();
    if let Some(lang) = model::Lang::parse(&query.to) {
        let year = 365 * 24 * 3600;
        set_cookie(
            &mut response,
            &format!("ume_lang={}; Path=/; Max-Age={year}; SameSite=Lax", lang.tag()),
        );
    }
    response
}

/// Only addresses within this site.
fn safe_back(back: &str) -> &str {
    let inside = back.starts_with('/') && !back.starts_with("//") && !back.contains('\\');
    if inside && !back.chars().any(char::is_control) { back } else { "/" }
}

fn with_session(house: &House, token: &str, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    let secure = if house.secure { "; Secure" } else { "" };
    let name = cookie_name(house.secure);
    set_cookie(&mut response, &format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{secure}"));
    response
}

fn set_cookie(response: &mut Response, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn waiting(house: &House, key: &str) -> Option<u64> {
    let failures = house.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let until = failures.get(key)?.until;
    let left = until.checked_duration_since(Instant::now())?;
    Some(left.as_secs() + 1)
}

fn failed(house: &House, key: &str) {
    let mut failures = house.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = Instant::now();
    if failures.len() >= FAILURE_KEYS_MAX {
        failures.retain(|_, f| f.until + Duration::from_secs(WAIT_SECONDS_MAX) > now);
    }
    if failures.len() >= FAILURE_KEYS_MAX && !failures.contains_key(key) {
        return;
    }
    let entry = failures.entry(key.to_owned()).or_insert(Failures { count: 0, until: now });
    if entry.until + Duration::from_secs(WAIT_SECONDS_MAX) < now {
        entry.count = 0;
    }
    entry.count += 1;
    let over = entry.count.saturating_sub(FREE_FAILURES);
    let seconds =
        if over == 0 { 0 } else { 2u64.saturating_pow(over.min(20)).min(WAIT_SECONDS_MAX) };
    entry.until = now + Duration::from_secs(seconds);
}

#[cfg(test)]
mod tests {
    use super::safe_back;

    #[test]
    fn a_redirect_never_leaves_the_site() {
        for evil in ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\r\nb"] {
            assert_eq!(safe_back(evil), "/");
        }
        assert_eq!(safe_back("/rooms/monitoring?x=1"), "/rooms/monitoring?x=1");
    }
}
