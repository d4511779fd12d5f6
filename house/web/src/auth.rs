//! Set-up link, sign-in, second factor, sign-out, language.

use std::time::Instant;

use askama::Template;
use axum::{
    Form,
    extract::{ConnectInfo, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use model::t;
use serde::Deserialize;
use store::AccountChange;

use crate::{
    House, Shared,
    frame::{Answer, Cx, Refusal, cookie_name, page},
    people::{note, oidc, signins::Outcome, throttle::Key, use_code},
    route::{Access, Route},
    secrets::{self, Weak},
};

const LOGIN_CHARS_MAX: usize = 100;

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
    let hash = house.people.hash(form.password).await?;
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
    /// Name of the provider where one can sign in instead; empty for none.
    provider: &'a str,
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
    show_login(&house, &cx, &query.back, "", "").await
}

async fn show_login(house: &House, cx: &Cx, back: &str, login: &str, error: &str) -> Answer {
    let empty = house.store.account_count().await? == 0;
    let provider = oidc::Settings::load(&house.store).await?.map(|s| s.name).unwrap_or_default();
    let body = LoginPage { cx, back, login, error, empty, provider: &provider };
    page(cx, cx.t("サインイン", "Sign in"), &body)
}

async fn login(
    State(house): State<Shared>,
    ConnectInfo(address): ConnectInfo<std::net::SocketAddr>,
    cx: Cx,
    Form(form): Form<LoginForm>,
) -> Answer {
    cx.own_origin()?;
    let (login, ip) = (form.login.trim(), address.ip());
    if login.chars().count() > LOGIN_CHARS_MAX {
        return Err(Refusal::Bad("login".to_owned()));
    }
    let account = house.store.account(login).await?;
    let keys = [Key::Pair(login, ip), Key::Login(login), Key::Address(ip)];
    if let Some(seconds) = house.people.throttle.attempt(&keys, Instant::now()) {
        note(&house, Outcome::Failure, account.as_ref(), ip, "password", "throttled");
        return show_login(&house, &cx, &form.back, login, &cx.wait(seconds)).await;
    }
    let hash = account.as_ref().filter(|a| !a.disabled).map(|a| a.password.clone());
    let fits = house.people.password_fits(form.password.clone(), hash).await?;
    let (Some(account), true) = (&account, fits) else {
        let disabled = account.as_ref().is_some_and(|a| a.disabled);
        let reason = if disabled { "disabled" } else { "password" };
        note(&house, Outcome::Failure, account.as_ref(), ip, "password", reason);
        let text = cx.t("名前またはパスワードが違います。", "The name or the password is wrong.");
        return show_login(&house, &cx, &form.back, login, text).await;
    };
    house.people.throttle.succeeded(&keys, Instant::now());
    let token = house.store.open_session(account.id, "password", &ip.to_string()).await?;
    let to = format!("/second-factor?back={}", urlencoding::encode(safe_back(&form.back)));
    Ok(with_session(&house, &token, &to))
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
    passkeys: usize,
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

async fn factor_page(
    State(house): State<Shared>,
    cx: Cx,
    Query(query): Query<LoginQuery>,
) -> Answer {
    let Some(session) = cx.session.clone() else { return Err(Refusal::SignIn("/".to_owned())) };
    let secret = match session.account.totp {
        Some(_) => String::new(),
        None => secrets::new_totp_secret().ok_or_else(|| Refusal::Bad("random".to_owned()))?,
    };
    show_factor(&house, &cx, &session.account, &secret, &query.back, "").await
}

async fn show_factor(
    house: &House,
    cx: &Cx,
    account: &store::Account,
    secret: &str,
    back: &str,
    error: &str,
) -> Answer {
    let url = secrets::totp_url(secret, &account.login).unwrap_or_default();
    let passkeys = house.store.passkeys(account.id).await?.len();
    let body = FactorPage { cx, secret, url: &url, back, error, passkeys };
    page(cx, cx.t("二要素認証", "Second factor"), &body).map(crate::people::with_script)
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
    let (account, ip) = (&session.account, address.ip());
    let enrolling = account.totp.is_none();
    let id = account.id.to_string();
    let key = [Key::Factor(&id)];
    let shown = if enrolling { form.secret.as_str() } else { "" };
    if let Some(seconds) = house.people.throttle.attempt(&key, Instant::now()) {
        note(&house, Outcome::Failure, Some(account), ip, "code", "throttled");
        let text = cx.wait(seconds);
        return show_factor(&house, &cx, account, shown, &form.back, &text).await;
    }
    let method = match enrolling {
        true => enrol(&house, account, &form.secret, &form.code).await?,
        false => use_code(&house, account, &form.code).await?,
    };
    let Some(method) = method else {
        note(&house, Outcome::Failure, Some(account), ip, "code", "code");
        let text = cx.t("コードが違うか、使用済みです。", "The code is wrong or was used before.");
        return show_factor(&house, &cx, account, shown, &form.back, text).await;
    };
    house.people.throttle.succeeded(&key, Instant::now());
    // A new token after each gain of rights: a fixed one from before is worth nothing.
    if let Some(old) = &cx.token {
        house.store.end_session(old).await?;
    }
    let token = house.store.sign_in(account.id, method, &ip.to_string()).await?;
    note(&house, Outcome::Success, Some(account), ip, method, "");
    let back = safe_back(&form.back);
    if !enrolling {
        return Ok(with_session(&house, &token, back));
    }
    let mut response = crate::people::show_new_codes(&house, &cx, account, back).await?;
    set_session(&house, &mut response, &token);
    Ok(response)
}

/// Takes a first authenticator whose code fits.
async fn enrol(
    house: &House,
    account: &store::Account,
    secret: &str,
    code: &str,
) -> Result<Option<&'static str>, Refusal> {
    let seconds = (house.store.now().0 / 1_000_000).max(0) as u64;
    let Some(step) = secrets::totp_step(secret, &account.login, code, seconds) else {
        return Ok(None);
    };
    let change = AccountChange::Totp { secret, step };
    house.store.change_account(&format!("account:{}", account.id), account, change).await?;
    Ok(Some("password+totp"))
}

#[derive(Deserialize)]
struct CsrfForm {
    csrf: String,
}

async fn logout(
    State(house): State<Shared>,
    ConnectInfo(address): ConnectInfo<std::net::SocketAddr>,
    cx: Cx,
    Form(form): Form<CsrfForm>,
) -> Answer {
    cx.own_origin()?;
    if form.csrf != cx.csrf() {
        return Err(Refusal::Foreign);
    }
    if let Some(token) = &cx.token {
        house.store.end_session(token).await?;
        let account = cx.session.as_ref().map(|s| &s.account);
        note(&house, Outcome::Logout, account, address.ip(), "", "");
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
pub(crate) fn safe_back(back: &str) -> &str {
    let inside = back.starts_with('/') && !back.starts_with("//") && !back.contains('\\');
    if inside && !back.chars().any(char::is_control) { back } else { "/" }
}

pub(crate) fn with_session(house: &House, token: &str, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    set_session(house, &mut response, token);
    response
}

/// Hands the browser its session.
pub(crate) fn set_session(house: &House, response: &mut Response, token: &str) {
    let secure = if house.secure { "; Secure" } else { "" };
    let name = cookie_name(house.secure);
    set_cookie(response, &format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax{secure}"));
}

pub(crate) fn set_cookie(response: &mut Response, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
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
