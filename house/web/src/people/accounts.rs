//! The accounts pages: who may sign in, in which role.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, t};
use serde::Deserialize;
use store::{Account, AccountChange, Filter, LiveSession, PAGE_ROWS_MAX, Row};

use super::{
    actor, recently,
    rules::{self, Act},
};
use crate::{
    House, Shared,
    access::{self, Action, ROLES},
    auth::new_account_error,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
    secrets,
};

pub(super) fn routes() -> Vec<Route> {
    let administer = Access::Action(Action::Administer);
    let change_text = t("アカウントの変更", "Change an account");
    vec![
        Route::get("/people", administer, t("アカウントの一覧", "Accounts"), list),
        Route::post("/people", administer, t("アカウントの追加", "Add an account"), add),
        Route::get("/people/{id}", administer, t("アカウント", "An account"), person),
        Route::post("/people/{id}/change", administer, change_text, change),
    ]
}

impl Cx {
    /// How a role reads.
    pub fn role<'a>(&self, role: &'a str) -> &'a str {
        match access::ROLES.iter().find(|known| **known == role) {
            Some(known) => access::role_text(known).get(self.lang),
            None => role,
        }
    }
}

#[derive(Template)]
#[template(path = "people.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    /// Each with the names of the sites to which it is narrowed.
    accounts: Vec<(Account, String)>,
    roles: Vec<&'static str>,
    login: &'a str,
    error: &'a str,
    /// What each role may do, in words, action by action.
    actions: Vec<&'static str>,
    may: Vec<(&'static str, Vec<String>)>,
}

async fn list(State(house): State<Shared>, user: User) -> Answer {
    user.may(Action::Administer)?;
    show_list(&house, &user, "", "").await
}

async fn show_list(house: &House, user: &User, login: &str, error: &str) -> Answer {
    let mine = &user.session.account.role;
    let may = |role: &&str| rules::judge(mine, false, "", Act::Add(role)).is_ok();
    let sites = all_sites(house).await?;
    let names = |account: &Account| {
        let name =
            |id: &Id| sites.iter().find(|s| s.id == *id).map_or(id.to_string(), |s| s.name.clone());
        account.sites.iter().map(name).collect::<Vec<_>>().join(user.cx.t("、", ", "))
    };
    let accounts = house.store.accounts().await?;
    let accounts = accounts.into_iter().map(|a| (names(&a), a)).map(|(n, a)| (a, n)).collect();
    let roles = ROLES.into_iter().filter(may).collect();
    let lang = user.cx.lang;
    let words = |role, action| {
        let texts: Vec<&str> = access::granted(role, action).iter().map(|t| t.get(lang)).collect();
        texts.join(user.cx.t("、", "; "))
    };
    let may = ROLES
        .into_iter()
        .map(|role| (role, Action::ALL.map(|action| words(role, action)).to_vec()))
        .collect();
    let actions = Action::ALL.map(|action| access::action_text(action).get(lang)).to_vec();
    let body = ListPage { cx: &user.cx, accounts, roles, actions, may, login, error };
    page(&user.cx, user.cx.t("アカウント", "Accounts"), &body)
}

#[derive(Template)]
#[template(path = "secret.html")]
struct SecretPage<'a> {
    cx: &'a Cx,
    login: &'a str,
    password: &'a str,
    back: &'a str,
}

#[derive(Deserialize)]
struct AddForm {
    csrf: String,
    login: String,
    role: String,
}

async fn add(State(house): State<Shared>, user: User, Form(form): Form<AddForm>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    recently(&user, "/people")?;
    let cx = &user.cx;
    rules::judge(&user.session.account.role, false, "", Act::Add(&form.role))
        .map_err(|no| Refusal::Bad(cx.pick(&no.text()).to_owned()))?;
    let login = form.login.trim();
    let password = new_password()?;
    let mut error = new_account_error(cx, login, &password, None);
    if error.is_none() && house.store.account(login).await?.is_some() {
        error = Some(cx.t("この名前は使われています。", "This name is taken.").to_owned());
    }
    if let Some(error) = error {
        return show_list(&house, &user, login, &error).await;
    }
    let hash = house.people.hash(password.clone()).await?;
    let id = house.store.create_account(&actor(&user), login, &form.role, &hash, true).await?;
    house.wake();
    show_secret(cx, login, &password, &format!("/people/{id}"))
}

/// The sites of the register, by name; as many as a page shows.
async fn all_sites(house: &House) -> Result<Vec<Row>, Refusal> {
    let filter =
        Filter { kind: Some("site".to_owned()), limit: PAGE_ROWS_MAX, ..Filter::default() };
    Ok(house.store.list(Table::Asset, &filter).await?)
}

/// Refuses sites that are not in the register, unless the account has them already, and too many.
async fn known_sites(
    house: &House,
    user: &User,
    account: &Account,
    sites: &[Id],
) -> Result<(), Refusal> {
    let many = sites.len() > rules::SITES_MAX;
    let named = if many { Vec::new() } else { house.store.rows_by_id(Table::Asset, sites).await? };
    let is_site = |id: &Id| named.iter().any(|s| s.id == *id && s.kind == "site");
    if many || !sites.iter().all(|id| is_site(id) || account.sites.contains(id)) {
        let max = rules::SITES_MAX;
        let ja = format!("台帳にある拠点を{max}件まで選んでください。");
        let en = format!("Choose at most {max} sites of the register.");
        return Err(Refusal::Bad(user.cx.t(&ja, &en).to_owned()));
    }
    Ok(())
}

fn new_password() -> Result<String, Refusal> {
    secrets::random_words::<15>().ok_or_else(|| Refusal::Bad("random".to_owned()))
}

fn show_secret(cx: &Cx, login: &str, password: &str, back: &str) -> Answer {
    let body = SecretPage { cx, login, password, back };
    page(cx, cx.t("仮のパスワード", "First password"), &body)
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage<'a> {
    cx: &'a Cx,
    account: &'a Account,
    sessions: Vec<LiveSession>,
    passkeys: usize,
    codes: i64,
    own: bool,
    may: bool,
    roles: Vec<&'static str>,
    /// Id and name of each site, and whether the account is narrowed to it.
    sites: Vec<(Id, String, bool)>,
    may_narrow: bool,
}

async fn find(house: &House, id: &str) -> Result<Account, Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    house.store.account_by_id(id).await?.ok_or(Refusal::NotFound)
}

async fn person(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    user.may(Action::Administer)?;
    let account = find(&house, &id).await?;
    let mine = &user.session.account;
    let own = mine.id == account.id;
    let allowed = |act| rules::judge(&mine.role, own, &account.role, act).is_ok();
    let mut sites: Vec<(Id, String, bool)> = all_sites(&house)
        .await?
        .into_iter()
        .map(|s| (s.id, s.name, account.sites.contains(&s.id)))
        .collect();
    // A site that is gone from the register narrows still, and must be seen to be taken away.
    let gone = account.sites.iter().filter(|id| sites.iter().all(|(known, ..)| known != *id));
    let gone: Vec<_> = gone.map(|id| (*id, id.to_string(), true)).collect();
    sites.extend(gone);
    let body = PersonPage {
        cx: &user.cx,
        sessions: house.store.sessions_of(account.id).await?,
        passkeys: house.store.passkeys(account.id).await?.len(),
        codes: house.store.recovery_codes_left(account.id).await?,
        own,
        may: allowed(Act::EndSessions),
        roles: ROLES.into_iter().filter(|role| allowed(Act::Role(role))).collect(),
        may_narrow: allowed(Act::Sites),
        sites,
        account: &account,
    };
    page(&user.cx, &account.login, &body)
}

#[derive(Default)]
struct ChangeForm {
    csrf: String,
    change: String,
    role: String,
    sites: Vec<Id>,
}

impl ChangeForm {
    /// Each ticked site is a field `site` of its own.
    fn of(fields: Vec<(String, String)>) -> Result<ChangeForm, Refusal> {
        let mut form = ChangeForm::default();
        for (name, value) in fields {
            match name.as_str() {
                "csrf" => form.csrf = value,
                "change" => form.change = value,
                "role" => form.role = value,
                "site" => form.sites.push(value.parse().map_err(|_| Refusal::NotFound)?),
                _ => {}
            }
        }
        Ok(form)
    }
}

async fn change(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer {
    let form = ChangeForm::of(fields)?;
    user.form(&form.csrf, Action::Administer)?;
    let account = find(&house, &id).await?;
    let back = format!("/people/{}", account.id);
    let act = match form.change.as_str() {
        "role" => Act::Role(&form.role),
        "disable" => Act::Disable,
        "enable" => Act::Enable,
        "reset-password" => Act::ResetPassword,
        "reset-factor" => Act::ResetFactor,
        "end-sessions" => Act::EndSessions,
        "sites" => Act::Sites,
        _ => return Err(Refusal::NotFound),
    };
    let own = user.session.account.id == account.id;
    rules::judge(&user.session.account.role, own, &account.role, act)
        .map_err(|no| Refusal::Bad(user.cx.pick(&no.text()).to_owned()))?;
    if act == Act::Sites {
        known_sites(&house, &user, &account, &form.sites).await?;
    }
    recently(&user, &back)?;
    let password = if act == Act::ResetPassword { new_password()? } else { String::new() };
    let hash = match act {
        Act::ResetPassword => house.people.hash(password.clone()).await?,
        _ => String::new(),
    };
    let change = match act {
        Act::Role(role) | Act::Add(role) => AccountChange::Role(role),
        Act::Disable => AccountChange::Disable,
        Act::Enable => AccountChange::Enable,
        Act::ResetPassword => AccountChange::Password { hash: &hash, must_change: true },
        Act::ResetFactor => AccountChange::ResetFactor,
        Act::EndSessions => AccountChange::EndSessions,
        Act::Sites => AccountChange::Sites(&form.sites),
    };
    house.store.change_account(&actor(&user), &account, change).await?;
    house.wake();
    tracing::info!(account = %account.id, change = change.name(), "account changed");
    if act == Act::ResetPassword {
        return show_secret(&user.cx, &account.login, &password, &back);
    }
    Ok(Redirect::to(&back).into_response())
}
