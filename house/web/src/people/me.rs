//! One's own account: password, authenticator, recovery codes, passkeys, sessions.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    response::{IntoResponse, Redirect},
};
use model::t;
use serde::Deserialize;
use store::{AccountChange, LiveSession, PasskeyRow, Store};

use super::{Me, Proof, actor, new_recovery_codes, prove, recently, with_script};
use crate::{
    House, Shared,
    auth::{new_account_error, safe_back, with_session},
    frame::{Answer, Cx, Refusal, page},
    route::{Access::Own, Route},
    secrets,
};

pub(super) fn routes() -> Vec<Route> {
    let word = t("パスワードの変更", "Change one's password");
    let app = t("認証アプリの登録", "Register an authenticator");
    let confirm_text = t("本人の確認", "Confirm who one is");
    let (codes, session) = (
        t("リカバリーコードの再発行", "New recovery codes"),
        t("セッションの終了", "End one of one's sessions"),
    );
    let remove = t("パスキーの削除", "Remove a passkey");
    vec![
        Route::get("/people/me", Own, t("自分のアカウント", "One's own account"), me),
        Route::get("/people/me/password", Own, word, password_page),
        Route::post("/people/me/password", Own, word, password),
        Route::post("/people/me/recovery", Own, codes, recovery),
        Route::get("/people/me/authenticator", Own, app, authenticator_page),
        Route::post("/people/me/authenticator", Own, app, authenticator),
        Route::post("/people/me/sessions", Own, session, end_session),
        Route::post("/people/me/passkeys/remove", Own, remove, remove_passkey),
        Route::get("/people/confirm", Own, confirm_text, confirm_page),
        Route::post("/people/confirm", Own, confirm_text, confirm),
    ]
}

#[derive(Template)]
#[template(path = "me.html")]
struct MePage<'a> {
    cx: &'a Cx,
    login: &'a str,
    role: &'a str,
    method: &'a str,
    codes: i64,
    passkeys: Vec<PasskeyRow>,
    sessions: Vec<LiveSession>,
    this: String,
    /// Signed in at a provider: there is no password here.
    foreign: bool,
}

async fn me(State(house): State<Shared>, Me(user): Me) -> Answer {
    let account = &user.session.account;
    let body = MePage {
        cx: &user.cx,
        login: &account.login,
        role: &account.role,
        method: &user.session.method,
        codes: house.store.recovery_codes_left(account.id).await?,
        passkeys: house.store.passkeys(account.id).await?,
        sessions: house.store.sessions_of(account.id).await?,
        this: Store::session_id(user.cx.token.as_deref().unwrap_or("")),
        foreign: account.password == super::oidc::NO_PASSWORD,
    };
    page(&user.cx, user.cx.t("自分のアカウント", "My account"), &body).map(with_script)
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    cx: &'a Cx,
    login: &'a str,
    must: bool,
    error: &'a str,
}

async fn password_page(Me(user): Me) -> Answer {
    show_password(&user.cx, &user.session.account, "")
}

fn show_password(cx: &Cx, account: &store::Account, error: &str) -> Answer {
    let body = PasswordPage { cx, login: &account.login, must: account.must_change, error };
    page(cx, cx.t("パスワードの変更", "Change password"), &body)
}

#[derive(Deserialize)]
struct PasswordForm {
    csrf: String,
    password: String,
    #[serde(default)]
    code: String,
    new: String,
    again: String,
}

/// Ends every session of the account and opens a new one for whoever has just proved themselves.
async fn password(
    State(house): State<Shared>,
    axum::extract::ConnectInfo(address): axum::extract::ConnectInfo<std::net::SocketAddr>,
    me: Me,
    Form(form): Form<PasswordForm>,
) -> Answer {
    me.form(&form.csrf)?;
    let (cx, account) = (&me.0.cx, &me.0.session.account);
    if let Some(error) = new_account_error(cx, &account.login, &form.new, Some(&form.again)) {
        return show_password(cx, account, &error);
    }
    if form.new == form.password {
        let text = cx.t("今と同じパスワードです。", "This is the password you have.");
        return show_password(cx, account, text);
    }
    match prove(&house, account, form.password, &form.code).await? {
        Proof::Good(_) => {}
        Proof::Wrong => return show_password(cx, account, wrong(cx)),
        Proof::Wait(seconds) => return show_password(cx, account, &cx.wait(seconds)),
    }
    let hash = house.people.hash(form.new).await?;
    let change = AccountChange::Password { hash: &hash, must_change: false };
    house.store.change_account(&actor(&me.0), account, change).await?;
    let token = house.store.sign_in(account.id, "password+totp", &address.ip().to_string()).await?;
    Ok(with_session(&house, &token, if account.must_change { "/" } else { "/people/me" }))
}

fn wrong(cx: &Cx) -> &str {
    cx.t(
        "パスワードまたはコードが違うか、コードが使用済みです。次のコードを待って入力してください。",
        "The password or the code is wrong, or the code was used. Wait for the next code.",
    )
}

#[derive(Template)]
#[template(path = "codes.html")]
struct CodesPage<'a> {
    cx: &'a Cx,
    codes: &'a [String],
    back: &'a str,
}

/// Makes a new set of recovery codes and shows it, once.
pub(crate) async fn show_new_codes(
    house: &House,
    cx: &Cx,
    account: &store::Account,
    back: &str,
) -> Answer {
    let codes = new_recovery_codes().ok_or_else(|| Refusal::Bad("random".to_owned()))?;
    let change = AccountChange::RecoveryCodes(&codes);
    house.store.change_account(&format!("account:{}", account.id), account, change).await?;
    let body = CodesPage { cx, codes: &codes, back };
    page(cx, cx.t("回復コード", "Recovery codes"), &body)
}

#[derive(Deserialize)]
struct CsrfForm {
    csrf: String,
}

async fn recovery(State(house): State<Shared>, me: Me, Form(form): Form<CsrfForm>) -> Answer {
    me.form(&form.csrf)?;
    recently(&me.0, "/people/me")?;
    show_new_codes(&house, &me.0.cx, &me.0.session.account, "/people/me").await
}

#[derive(Template)]
#[template(path = "authenticator.html")]
struct AuthenticatorPage<'a> {
    cx: &'a Cx,
    secret: &'a str,
    url: &'a str,
    error: &'a str,
}

async fn authenticator_page(Me(user): Me) -> Answer {
    recently(&user, "/people/me/authenticator")?;
    let secret = secrets::new_totp_secret().ok_or_else(|| Refusal::Bad("random".to_owned()))?;
    show_authenticator(&user.cx, &secret, &user.session.account.login, "")
}

fn show_authenticator(cx: &Cx, secret: &str, login: &str, error: &str) -> Answer {
    let url = secrets::totp_url(secret, login).unwrap_or_default();
    let body = AuthenticatorPage { cx, secret, url: &url, error };
    page(cx, cx.t("認証アプリの交換", "Replace the authenticator"), &body)
}

#[derive(Deserialize)]
struct AuthenticatorForm {
    csrf: String,
    secret: String,
    code: String,
}

async fn authenticator(
    State(house): State<Shared>,
    me: Me,
    Form(form): Form<AuthenticatorForm>,
) -> Answer {
    me.form(&form.csrf)?;
    recently(&me.0, "/people/me/authenticator")?;
    let (cx, account) = (&me.0.cx, &me.0.session.account);
    let seconds = (house.store.now().0 / 1_000_000).max(0) as u64;
    let Some(step) = secrets::totp_step(&form.secret, &account.login, &form.code, seconds) else {
        let text = cx.t("コードが違います。", "The code is wrong.");
        return show_authenticator(cx, &form.secret, &account.login, text);
    };
    let change = AccountChange::Totp { secret: &form.secret, step };
    house.store.change_account(&actor(&me.0), account, change).await?;
    Ok(Redirect::to("/people/me").into_response())
}

#[derive(Deserialize)]
struct IdForm {
    csrf: String,
    id: String,
}

async fn end_session(State(house): State<Shared>, me: Me, Form(form): Form<IdForm>) -> Answer {
    me.form(&form.csrf)?;
    if !house.store.revoke_session(me.0.session.account.id, &form.id).await? {
        return Err(Refusal::NotFound);
    }
    Ok(Redirect::to("/people/me").into_response())
}

async fn remove_passkey(State(house): State<Shared>, me: Me, Form(form): Form<IdForm>) -> Answer {
    me.form(&form.csrf)?;
    recently(&me.0, "/people/me")?;
    let change = AccountChange::PasskeyRemoved { id: &form.id };
    if !house.store.change_account(&actor(&me.0), &me.0.session.account, change).await? {
        return Err(Refusal::NotFound);
    }
    Ok(Redirect::to("/people/me").into_response())
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage<'a> {
    cx: &'a Cx,
    back: &'a str,
    error: &'a str,
    foreign: bool,
}

#[derive(Deserialize)]
struct BackQuery {
    #[serde(default)]
    back: String,
}

async fn confirm_page(Me(user): Me, Query(query): Query<BackQuery>) -> Answer {
    show_confirm(&user, safe_back(&query.back), "")
}

fn show_confirm(user: &crate::frame::User, back: &str, error: &str) -> Answer {
    let foreign = user.session.account.password == super::oidc::NO_PASSWORD;
    let body = ConfirmPage { cx: &user.cx, back, error, foreign };
    page(&user.cx, user.cx.t("本人の確認", "Confirm it is you"), &body)
}

#[derive(Deserialize)]
struct ConfirmForm {
    csrf: String,
    password: String,
    code: String,
    #[serde(default)]
    back: String,
}

async fn confirm(State(house): State<Shared>, me: Me, Form(form): Form<ConfirmForm>) -> Answer {
    me.form(&form.csrf)?;
    let back = safe_back(&form.back);
    match prove(&house, &me.0.session.account, form.password, &form.code).await? {
        Proof::Good(_) => {}
        Proof::Wrong => return show_confirm(&me.0, back, wrong(&me.0.cx)),
        Proof::Wait(seconds) => return show_confirm(&me.0, back, &me.0.cx.wait(seconds)),
    }
    if let Some(token) = &me.0.cx.token {
        house.store.confirm_session(token).await?;
    }
    Ok(Redirect::to(back).into_response())
}
