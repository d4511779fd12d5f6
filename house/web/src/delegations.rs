//! `/delegations`: who signs in whose place, and for how long.
//!
//! Invariants: one delegates in one's own name, signed like any decision; both names and the kinds stand
//! in it. Whoever gave or holds one, or an officer or executive, ends it by a signed rejection.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Filter, PAGE_ROWS_MAX, Row};

use crate::{
    House, Shared,
    access::{Action, allowed},
    decide::{self, About, Cast, DELEGATION, Given, Ruling, delegation},
    frame::{Answer, Cx, Refusal, User, page},
    kinds_of, people,
    route::{Access, Route},
};

const ROLES_THAT_END: [&str; 2] = ["officer", "executive"];
const DAYS_USUAL: i64 = 14;

pub(crate) fn routes() -> Vec<Route> {
    let decide = Access::Action(Action::Decide);
    let end = t("委任の終了", "End a delegation");
    let join = t("委任への連署", "Sign a delegation along");
    vec![
        Route::get("/delegations", decide, t("署名の委任", "Delegation of signatures"), list),
        Route::post("/delegations", decide, t("署名の委任", "Delegate signatures"), delegate),
        Route::post("/delegations/{id}/end", decide, end, end_one),
        Route::post("/delegations/{id}/join", decide, join, join_one),
    ]
}

struct Line {
    row: Row,
    from: String,
    to: String,
    kinds: Vec<String>,
    may_end: bool,
    /// It waits for more signatures than its giver's.
    waits: bool,
    progress: (usize, usize),
}

#[derive(Template)]
#[template(path = "delegations.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    /// Whoever signs in their own name, but for the user.
    others: Vec<String>,
    kinds: Vec<(&'static str, &'static str)>,
    days: i64,
    days_max: i64,
    sign: String,
    sign_end: String,
    sign_along: String,
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or("")
}

/// Kinds of decision that can be delegated.
fn kinds(house: &House, lang: model::Lang) -> Vec<(&'static str, &'static str)> {
    let all = house.specs().flat_map(kinds_of).filter(|k| k.table == Table::Decision);
    all.filter(|k| k.id != DELEGATION).map(|k| (k.id, k.title.get(lang))).collect()
}

fn may_end(user: &User, row: &Row) -> bool {
    let account = &user.session.account;
    let id = account.id.to_string();
    [text(row, "delegator_account"), text(row, "delegate_account")].contains(&id.as_str())
        || ROLES_THAT_END.contains(&account.role.as_str())
}

async fn list(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let filter = Filter {
        kind: Some(DELEGATION.to_owned()),
        limit: PAGE_ROWS_MAX,
        reach: user.reader().reach_in(Table::Decision),
        ..Filter::default()
    };
    let rows = house.store.list(Table::Decision, &filter).await?;
    let ended: Vec<Id> =
        rows.iter().filter(|r| r.status == "rejected").filter_map(|r| r.subject).collect();
    let kinds = kinds(&house, cx.lang);
    let title = |id: &String| {
        kinds.iter().find(|k| k.0 == id).map_or_else(|| id.clone(), |k| k.1.to_owned())
    };
    let lasting = |row: &Row| {
        row.subject.is_none() && !ended.contains(&row.id) && row.ends_at.is_some_and(|e| e > cx.now)
    };
    let line = |row: Row| Line {
        from: text(&row, "delegator").to_owned(),
        to: text(&row, "delegate").to_owned(),
        kinds: delegation::names(&row).iter().map(title).collect(),
        may_end: row.status == "approved" && may_end(&user, &row),
        waits: waits(&row),
        progress: decide::progress(&row),
        row,
    };
    let lines = rows.into_iter().filter(lasting).map(line).collect();
    let accounts = house.store.accounts().await?;
    let others = accounts.into_iter().filter(|a| {
        !a.disabled && a.id != user.session.account.id && allowed(&a.role, Action::Decide)
    });
    let body = ListPage {
        cx,
        lines,
        others: others.map(|a| a.login).collect(),
        days: DAYS_USUAL,
        days_max: delegation::DELEGATION_DAYS_MAX,
        sign: decide::part(cx, cx.t("委任に署名する", "Sign the delegation"))?,
        sign_end: decide::part(cx, cx.t("終了に署名する", "Sign its end"))?,
        sign_along: decide::part(cx, cx.t("ともに署名する", "Sign along"))?,
        kinds,
    };
    let answer = page(cx, cx.t("署名の委任", "Delegation of signatures"), &body)?;
    Ok(people::with_script(answer))
}

/// Whether it was signed, but by fewer than a rule asks for.
fn waits(row: &Row) -> bool {
    row.status == decide::PROPOSED && decide::signed_by_any(row)
}

/// Fields of a form of which some come several times.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn one(&self, name: &str) -> String {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
    }

    fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn given(&self) -> Given {
        Given {
            password: self.one("password"),
            code: self.one("code"),
            assertion: self.one("assertion"),
            step: self.one("step"),
            acting_for: self.one("acting_for"),
        }
    }
}

async fn delegate(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let form = Fields(form);
    user.form(&form.one("csrf"), Action::Decide)?;
    let cx = &user.cx;
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.t(ja, en).to_owned());
    let known = kinds(&house, cx.lang);
    let chosen: Vec<&str> =
        known.iter().map(|k| k.0).filter(|k| form.all("kinds").any(|c| c == *k)).collect();
    if chosen.is_empty() {
        return Err(bad("委任する決定の種類を選んでください。", "Choose what is delegated."));
    }
    let days = form.one("days").parse::<i64>().ok();
    let days = days.filter(|d| (1..=delegation::DELEGATION_DAYS_MAX).contains(d));
    let days = days.ok_or_else(|| bad("期間は1〜366日です。", "The time is 1 to 366 days."))?;
    let account = &user.session.account;
    let to = house.store.account(&form.one("delegate")).await?;
    let to = to.filter(|a| !a.disabled && a.id != account.id && allowed(&a.role, Action::Decide));
    let to = to.ok_or_else(|| {
        bad(
            "委任できるのは、承認権限を持つ別の人です。",
            "Delegate to someone else whose role decides.",
        )
    })?;
    let reason = form.one("reason");
    let ruling = Ruling {
        hash: "",
        outcome: "approved",
        reason: &reason,
        hours: days * 24,
        kind: DELEGATION,
        notes: vec![
            ("delegator", account.login.as_str().into()),
            ("delegator_account", account.id.to_string().into()),
            ("delegate", to.login.as_str().into()),
            ("delegate_account", to.id.to_string().into()),
            ("kinds", chosen.into()),
        ],
    };
    let name = format!("{} → {}", account.login, to.login);
    let given = form.given();
    let standing = decide::standing(&house, &user, &given.acting_for, &[DELEGATION]).await?;
    let rulings = [(ruling, About::Named(&name))];
    match decide::cast(&house, &user, &headers, &standing, &rulings, given).await? {
        Cast::Asked(answer) => Ok(answer),
        Cast::Signed(_) => Ok(Redirect::to("/delegations").into_response()),
    }
}

#[derive(Deserialize)]
struct End {
    csrf: String,
    reason: String,
    #[serde(flatten)]
    given: Given,
}

async fn end_one(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<End>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let row = house.store.row(Table::Decision, id).await?;
    let row = row.filter(|r| r.kind == DELEGATION && r.status == "approved" && !r.deleted);
    let row = row.ok_or(Refusal::NotFound)?;
    if !may_end(&user, &row) {
        return Err(Refusal::Forbidden);
    }
    let hash = row.content_hash()?;
    let ruling = Ruling {
        hash: &hash,
        outcome: "rejected",
        reason: form.reason.trim(),
        hours: decide::months(12),
        kind: DELEGATION,
        notes: Vec::new(),
    };
    let standing = decide::standing(&house, &user, &form.given.acting_for, &[DELEGATION]).await?;
    let rulings = [(ruling, About::Row(&row))];
    match decide::cast(&house, &user, &headers, &standing, &rulings, form.given).await? {
        Cast::Asked(answer) => Ok(answer),
        Cast::Signed(_) => Ok(Redirect::to("/delegations").into_response()),
    }
}

#[derive(Deserialize)]
struct Join {
    csrf: String,
    outcome: String,
    reason: String,
    #[serde(flatten)]
    given: Given,
}

/// What a delegation says beside its name, as its signers were shown it.
const NOTED: [&str; 5] =
    ["delegator", "delegator_account", "delegate", "delegate_account", "kinds"];

/// Where a rule asks for more than one signature, others sign what its giver signed.
async fn join_one(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Join>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let row = house.store.row(Table::Decision, id).await?;
    let row = row.filter(|r| r.kind == DELEGATION && waits(r) && !r.deleted);
    let row = row.ok_or(Refusal::NotFound)?;
    let left = row.ends_at.map_or(0, |end| end.hours_since(house.store.now()));
    let noted = |name: &'static str| Some((name, row.attributes.get(name)?.clone()));
    let ruling = Ruling {
        hash: "",
        outcome: &form.outcome,
        reason: form.reason.trim(),
        hours: left,
        kind: DELEGATION,
        notes: NOTED.into_iter().filter_map(noted).collect(),
    };
    let standing = decide::standing(&house, &user, &form.given.acting_for, &[DELEGATION]).await?;
    let rulings = [(ruling, About::Named(&row.name))];
    match decide::cast(&house, &user, &headers, &standing, &rulings, form.given).await? {
        Cast::Asked(answer) => Ok(answer),
        Cast::Signed(_) => Ok(Redirect::to("/delegations").into_response()),
    }
}
