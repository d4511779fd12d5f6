//! `/configuration/changes/new`: a change is asked for, by choosing hosts and settings, or what is there now.
//!
//! Invariants: who asks is the person of the account; every fault is shown beside its field and nothing is
//! saved; what is searched or picked loses nothing that was typed.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    Form,
    extract::{Path, State as Axum},
    response::{IntoResponse, Redirect},
};
use model::{Id, Table};
use serde_json::{Map, Value as Json, json};
use store::{Row, Store, StoreError};
use web::{
    House, Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
};

use super::{
    change_typed::{Typed, time},
    drift::person_of,
};
use crate::{
    kinds::CHANGE_TYPES,
    work::{
        changes::{
            CHANGE, Change, Kind, all, one,
            scope::{ChangeScope, Hosts, ScopeError, typed},
            standing::EMERGENCY_HOURS_MAX,
        },
        drift::{plan::request, settle::snapshot},
    },
};

const NAME_CHARS_MAX: usize = 300;
const TEXT_CHARS_MAX: usize = 10_000;
const FOUND_MAX: usize = 60;
const WINDOW_DAYS_MAX: i64 = 366;

/// A fact that may be picked.
struct Found {
    path: String,
    value: String,
}

#[derive(Template)]
#[template(path = "configuration_change_form.html")]
struct FormPage<'a> {
    cx: &'a Cx,
    action: String,
    typed: &'a Typed,
    kinds: Vec<(&'static str, &'static str)>,
    hosts: Vec<(String, String)>,
    people: Vec<(String, String)>,
    patterns: Vec<(String, String)>,
    errors: Vec<(&'static str, String)>,
    found: Vec<Found>,
    searched: bool,
}

impl FormPage<'_> {
    /// The faults of a field.
    fn fault(&self, field: &str) -> String {
        let own = self.errors.iter().filter(|(name, _)| *name == field);
        own.map(|(_, said)| said.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn has(&self, set: &BTreeSet<String>, id: &str) -> bool {
        set.contains(id)
    }
}

type Errors = Vec<(&'static str, String)>;

/// The attributes that the form says, or its faults.
fn attributes(
    cx: &Cx,
    typed: &Typed,
    requester: Id,
    known: &Known,
) -> Result<Map<String, Json>, Errors> {
    let mut errors: Errors = Vec::new();
    let mut say = |field: &'static str, ja: &str, en: &str| {
        errors.push((field, cx.either(ja, en).to_owned()));
    };
    if typed.name.is_empty() || typed.name.chars().count() > NAME_CHARS_MAX {
        say(
            "name",
            "件名を300文字以内で入力してください。",
            "Give a title of at most 300 characters.",
        );
    }
    for (field, text) in [("reason", &typed.reason), ("undo", &typed.undo)] {
        if text.is_empty() {
            say(field, "入力してください。", "This is needed.");
        }
    }
    let long = [&typed.reason, &typed.undo, &typed.tests];
    if long.iter().any(|text| text.chars().count() > TEXT_CHARS_MAX || text.contains('\0')) {
        say("reason", "1万文字以内で入力してください。", "At most 10,000 characters a text.");
    }
    if !CHANGE_TYPES.iter().any(|choice| choice.value == typed.kind) {
        say("type", "区分を選んでください。", "Choose a type.");
    }
    let zone = &cx.local.zone;
    let (from, to) = (time(&typed.from, zone), time(&typed.to, zone));
    match (from, to) {
        (None, _) => say("from", "開始の日時を入力してください。", "Give the begin."),
        (_, None) => say("to", "終了の日時を入力してください。", "Give the end."),
        (Some(from), Some(to)) if to <= from => {
            say("to", "終了は開始より後にしてください。", "The end must be behind the begin.");
        }
        (Some(from), Some(to)) if to.hours_since(from) > 24 * WINDOW_DAYS_MAX => {
            say("to", "時間帯は1年以内にしてください。", "A window is a year at most.");
        }
        (Some(from), Some(to)) if typed.kind == "emergency" => {
            if to.hours_since(from) >= EMERGENCY_HOURS_MAX
                && to > from.plus_hours(EMERGENCY_HOURS_MAX)
            {
                say("to", "緊急変更は24時間以内です。", "An emergency lasts 24 hours at most.");
            }
        }
        (Some(_), Some(_)) => {}
    }
    let scope = match typed.scope() {
        Ok(scope) => {
            for fault in known.faults(&scope) {
                let (ja, en) = fault.said();
                say(place(&fault), &ja, &en);
            }
            scope.to_json()
        }
        Err(fault) => {
            let (ja, en) = fault.said();
            say(place(&fault), &ja, &en);
            Json::Null
        }
    };
    let (Some(from), Some(to), true) = (from, to, errors.is_empty()) else { return Err(errors) };
    let mut attributes = Map::from_iter([
        ("type".to_owned(), json!(typed.kind)),
        ("reason".to_owned(), json!(typed.reason)),
        ("scope".to_owned(), scope),
        ("requester".to_owned(), json!(requester)),
        ("from".to_owned(), json!(from.rfc3339())),
        ("to".to_owned(), json!(to.rfc3339())),
        ("undo".to_owned(), json!(typed.undo)),
    ]);
    if !typed.tests.is_empty() {
        attributes.insert("tests".to_owned(), json!(typed.tests));
    }
    Ok(attributes)
}

/// The field of the form at which a fault of the scope is shown.
fn place(fault: &ScopeError) -> &'static str {
    match fault.part() {
        "hosts" => "hosts",
        "exact" => "exact",
        "actors" => "actors",
        "pattern" => "pattern",
        _ => "settings",
    }
}

/// What a scope may name.
struct Known {
    hosts: Vec<(String, String)>,
    people: Vec<(String, String)>,
    patterns: Vec<(String, String)>,
}

impl Known {
    async fn load(house: &House, user: &User) -> Result<Known, StoreError> {
        let store = &house.store;
        let rows = store.all(Table::Asset, &["host"]).await?;
        let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
        let within = user.reader().sees_of(Table::Asset);
        let seen = store.reached(Table::Asset, &ids, &within).await?;
        let pair = |row: Row| (row.id.to_string(), row.name);
        let people = store.all(Table::Party, &["person"]).await?;
        let patterns = all(store).await?.into_iter().filter(Change::is_pattern);
        Ok(Known {
            hosts: rows.into_iter().filter(|row| seen.contains(&row.id)).map(pair).collect(),
            people: people.into_iter().map(pair).collect(),
            patterns: patterns.map(|change| pair(change.row)).collect(),
        })
    }

    fn faults(&self, scope: &ChangeScope) -> Vec<ScopeError> {
        let has = |list: &[(String, String)], id: &Id| {
            let id = id.to_string();
            list.iter().any(|(known, _)| *known == id)
        };
        let mut faults = Vec::new();
        if let Hosts::These(ids) = &scope.hosts {
            let unknown = ids.iter().find(|id| !has(&self.hosts, id));
            faults.extend(unknown.map(|id| ScopeError::Host(id.to_string())));
        }
        let unknown = scope.actors.iter().find(|id| !has(&self.people, id));
        faults.extend(unknown.map(|id| ScopeError::Actor(id.to_string())));
        let unknown = scope.pattern.iter().find(|id| !has(&self.patterns, id));
        faults.extend(unknown.map(|id| ScopeError::Pattern(id.to_string())));
        faults
    }
}

/// Facts of a host that hold all words, in their name or value.
async fn search(store: &Store, typed: &Typed) -> Result<Vec<Found>, StoreError> {
    let Ok(host) = typed.find_host.parse::<Id>() else { return Ok(Vec::new()) };
    let Some((_, facts)) = snapshot(store, host).await? else { return Ok(Vec::new()) };
    let words: Vec<String> = typed.find.split_whitespace().map(str::to_lowercase).collect();
    let holds = |path: &str| {
        let path = path.to_lowercase();
        words.iter().all(|word| path.contains(word))
    };
    let found = facts.iter().filter(|fact| !words.is_empty() && holds(&fact.path()));
    let found = found
        .take(FOUND_MAX)
        .map(|fact| Found { path: fact.path(), value: super::words::short(&typed_value(fact)) });
    Ok(found.collect())
}

fn typed_value(fact: &baseline::Fact) -> String {
    typed(Some(&fact.value))
}

async fn draw(
    house: &House,
    user: &User,
    action: String,
    typed_: &Typed,
    errors: Errors,
    searched: bool,
) -> Answer {
    let cx = &user.cx;
    let known = Known::load(house, user).await?;
    let sees = known.hosts.iter().any(|(id, _)| *id == typed_.find_host);
    let found = if searched && sees { search(&house.store, typed_).await? } else { Vec::new() };
    let body = FormPage {
        cx,
        action,
        typed: typed_,
        kinds: CHANGE_TYPES.iter().map(|c| (c.value, cx.pick(&c.label))).collect(),
        hosts: known.hosts,
        people: known.people,
        patterns: known.patterns,
        errors,
        found,
        searched,
    };
    page(cx, cx.t("変更申請", "Ask for a change"), &body)
}

fn may_write(house: &House, user: &User) -> Result<(), Refusal> {
    let kind = house.kind(Table::Plan, CHANGE);
    match kind.is_some_and(|(_, kind)| user.reader().may(Action::Write, kind)) {
        true => Ok(()),
        false => Err(Refusal::Forbidden),
    }
}

pub(super) async fn new(Axum(house): Axum<Shared>, user: User) -> Answer {
    may_write(&house, &user)?;
    let typed = Typed::fresh(user.cx.now, &user.cx.local.zone);
    draw(&house, &user, "/configuration/changes/new".to_owned(), &typed, Vec::new(), false).await
}

pub(super) async fn edit(Axum(house): Axum<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let change = found(&house, &id).await?;
    may_write(&house, &user)?;
    let typed = Typed::of_change(&change, &user.cx.local.zone);
    let action = format!("/configuration/changes/{}/edit", change.row.id);
    draw(&house, &user, action, &typed, Vec::new(), false).await
}

async fn found(house: &House, id: &str) -> Result<Change, Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    one(&house.store, id).await?.ok_or(Refusal::NotFound)
}

pub(super) async fn create(
    Axum(house): Axum<Shared>,
    user: User,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Answer {
    save(&house, &user, None, &pairs).await
}

pub(super) async fn change(
    Axum(house): Axum<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Answer {
    let before = found(&house, &id).await?;
    save(&house, &user, Some(before), &pairs).await
}

async fn save(
    house: &House,
    user: &User,
    before: Option<Change>,
    pairs: &[(String, String)],
) -> Answer {
    let csrf = pairs.iter().find(|(n, _)| n == "csrf").map_or("", |(_, v)| v.as_str());
    user.form(csrf, Action::Write)?;
    may_write(house, user)?;
    let cx = &user.cx;
    let typed = Typed::of_pairs(pairs);
    let action = before.as_ref().map_or_else(
        || "/configuration/changes/new".to_owned(),
        |change| format!("/configuration/changes/{}/edit", change.row.id),
    );
    if pairs.iter().any(|(name, value)| name == "step" && value == "find") {
        return draw(house, user, action, &typed, Vec::new(), true).await;
    }
    let own = match before.as_ref().and_then(|change| change.requester) {
        Some(requester) => Ok(requester),
        None => person_of(house, cx, &user.session.account.login).await,
    };
    let requester = match own {
        Ok(requester) => requester,
        Err(said) => return draw(house, user, action, &typed, vec![("name", said)], false).await,
    };
    let known = Known::load(house, user).await?;
    let attributes = match attributes(cx, &typed, requester, &known) {
        Ok(attributes) => attributes,
        Err(errors) => return draw(house, user, action, &typed, errors, false).await,
    };
    let is_new = before.is_none();
    let mut row = match before {
        Some(change) => change.row,
        None => Row::new(Table::Plan, house.store.new_id()?, CHANGE, &typed.name),
    };
    if !is_new {
        // A save names the version it saw, so that it overwrites nobody's.
        row.version = typed.version;
    }
    (row.name, row.attributes) = (typed.name.clone(), attributes);
    let mut write = user.write(house, cx.t("変更申請", "asked for a change")).await?;
    let row = write.put(row).await?;
    // A standard change that follows a pattern needs no signature of its own.
    let follows = typed.kind == "standard" && !typed.pattern.is_empty();
    // Who may not ask by role leaves that to others, as with any other request.
    let asks = house.kind(Table::Decision, "approval");
    let may_ask = asks.is_some_and(|(_, kind)| user.reader().may(Action::Write, kind));
    if is_new && !follows && may_ask {
        write.put(request(&house.store, &row)?).await?;
    }
    write.commit().await?;
    house.wake();
    let to = match web::access::may(&user.session.account, Action::Inspect) {
        true => format!("/configuration/changes/{}", row.id),
        false => format!("/row/plan/{}", row.id),
    };
    Ok(Redirect::to(&to).into_response())
}

/// How a type reads.
pub(super) fn kind_said(cx: &Cx, kind: Kind) -> &'static str {
    let name = match kind {
        Kind::Standard => "standard",
        Kind::Normal => "normal",
        Kind::Emergency => "emergency",
    };
    let choice = CHANGE_TYPES.iter().find(|choice| choice.value == name);
    choice.map_or("", |choice| cx.pick(&choice.label))
}
