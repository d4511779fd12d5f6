//! `/intelligence/sources`: how each source stands, what of it was refused and why, what waits for a person; sources are
//! added and fetched here.
//!
//! Invariants: what opens a source goes in and never comes out; a state change is asked for by a form, allowed, recorded.

mod api;

use std::{collections::HashMap, time::Duration};

use askama::Template;
use axum::{
    extract::{Form, Path, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, Timestamp, t};
use serde_json::{Value as Json, json};
use store::Row;
use web::{
    House, Shared,
    access::{Action, Reader},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use crate::work::{
    feed_set,
    feeds::{
        self,
        account::Account,
        hold::{self, HoldError, Ruling},
        rows,
        secret::{self, Secret},
        shown::{self, Shown},
    },
    inbox::SOURCE,
    lists,
};

const PATH: &str = "/intelligence/sources";
const SAMPLES_MAX: usize = 10;
const TEXT_CHARS_MAX: usize = 2_000;
/// How long a page waits for a fetch.
const FETCH_WAIT: Duration = Duration::from_secs(5);

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("入手先", "Sources of intelligence");
    let one = "/intelligence/sources/{id}";
    let mut all = vec![
        Route::get(PATH, inspect, title, show),
        Route::post(PATH, write, t("入手先を登録する", "Enter a source"), add),
        Route::get(one, inspect, title, show_one),
        Route::post(&format!("{one}/fetch"), write, t("今すぐ取得", "Fetch a source now"), fetch),
        Route::post(
            &format!("{one}/ruling"),
            write,
            t("保留した受領の判断", "Rule on a held delivery"),
            ruling,
        ),
        Route::post(
            &format!("{one}/use"),
            write,
            t("値の使い方の変更", "Change the use of a source"),
            change_use,
        ),
        Route::post(
            &format!("{one}/secret"),
            write,
            t("入手先の鍵", "Key of a source"),
            keep_secret,
        ),
    ];
    all.extend(api::routes());
    all
}

/// Who may write sources fetches them and rules on them.
fn may_keep(house: &House, reader: &Reader) -> bool {
    house.kind(Table::Asset, SOURCE).is_some_and(|(_, kind)| reader.may(Action::Write, kind))
}

fn age(cx: &Cx, minutes: i64) -> String {
    match (minutes / 60, minutes / 1_440) {
        (_, days) if days > 1 => format!("{days}{}", cx.t("日前", " d ago")),
        (hours, _) if hours > 0 => format!("{hours}{}", cx.t("時間前", " h ago")),
        _ => format!("{minutes}{}", cx.t("分前", " min ago")),
    }
}

fn span(cx: &Cx, minutes: i64) -> String {
    match minutes {
        minutes if minutes % 1_440 == 0 => format!("{}{}", minutes / 1_440, cx.t("日", " d")),
        minutes if minutes % 60 == 0 => format!("{}{}", minutes / 60, cx.t("時間", " h")),
        _ => format!("{minutes}{}", cx.t("分", " min")),
    }
}

#[derive(Template)]
#[template(path = "intelligence_sources.html")]
struct SourcesPage<'a> {
    cx: &'a Cx,
    sources: Vec<Shown>,
    lists: lists::Account,
    may_keep: bool,
    /// What was wrong with the form, and what was in it.
    error: Option<String>,
    given: HashMap<String, String>,
}

impl SourcesPage<'_> {
    fn good(&self) -> usize {
        self.sources.iter().filter(|one| one.state == shown::State::Good).count()
    }

    /// Sources that give by themselves.
    fn fetched(&self) -> usize {
        self.sources.iter().filter(|one| one.state != shown::State::ByHand).count()
    }

    fn age(&self, one: &Shown) -> String {
        one.age_min()
            .map_or_else(|| self.cx.t("まだ", "never").to_owned(), |age_min| age(self.cx, age_min))
    }

    fn every(&self, one: &Shown) -> String {
        span(self.cx, one.interval_min)
    }

    fn given(&self, name: &str) -> &str {
        self.given.get(name).map(String::as_str).unwrap_or_default()
    }

    fn is_chosen(&self, name: &str, value: &str) -> bool {
        self.given(name) == value
    }

    fn lists_age(&self) -> String {
        self.cx.time(&Timestamp(self.lists.newest_at))
    }
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    listed(&house, &user, None, HashMap::new()).await
}

async fn listed(
    house: &Shared,
    user: &User,
    error: Option<String>,
    given: HashMap<String, String>,
) -> Answer {
    let cx = &user.cx;
    let body = SourcesPage {
        cx,
        sources: shown::all(&house.store).await.map_err(broken)?,
        lists: lists::account(&house.store).await?,
        may_keep: may_keep(house, user.reader()),
        error,
        given,
    };
    page(cx, cx.t("脅威情報の入手先", "Sources of intelligence"), &body)
}

pub(super) fn broken(error: room::Error) -> Refusal {
    match error {
        room::Error::Store(error) => Refusal::Store(error),
        other => Refusal::Bad(other.to_string()),
    }
}

#[derive(Template)]
#[template(path = "intelligence_source.html")]
struct SourcePage<'a> {
    cx: &'a Cx,
    one: Shown,
    may_keep: bool,
}

impl SourcePage<'_> {
    fn time(&self, at: &Option<i64>) -> String {
        at.map_or_else(|| self.cx.t("まだ", "never").to_owned(), |at| self.cx.time(&Timestamp(at)))
    }

    /// Refused values with the reason in the reader's language.
    fn samples(&self) -> Vec<(&str, &str)> {
        let samples = self.one.account.samples.iter().take(SAMPLES_MAX);
        samples.map(|one| (one.value.as_str(), self.cx.t(&one.ja, &one.en))).collect()
    }

    /// Why values are not used: words, the list that says so, how many, one of them.
    fn judged(&self) -> Vec<(&'static str, &str, u64, &str)> {
        let all = self.one.judged.iter().map(|judged| {
            let list = judged.verdict.strip_prefix("warning:").unwrap_or_default();
            let text = self.cx.pick(&feed_set::words(&judged.verdict));
            (text, list, judged.count, judged.value.as_str())
        });
        all.collect()
    }

    fn trouble(&self) -> Option<(&str, String)> {
        let trouble = self.one.trouble()?;
        Some((self.cx.t(&trouble.ja, &trouble.en), self.cx.time(&Timestamp(trouble.at))))
    }

    fn every(&self) -> String {
        span(self.cx, self.one.interval_min)
    }
}

async fn show_one(State(house): State<Shared>, user: User, Path(id): Path<Id>) -> Answer {
    one_page(&house, &user, id).await
}

async fn one_page(house: &Shared, user: &User, id: Id) -> Answer {
    let cx = &user.cx;
    let feeds = rows::feeds(house).await.map_err(broken)?;
    let one = shown::one(&house.store, Some(&feeds), id).await.map_err(broken)?;
    let one = one.ok_or(Refusal::NotFound)?;
    let name = one.row.name.clone();
    let body = SourcePage { cx, one, may_keep: may_keep(house, user.reader()) };
    page(cx, &name, &body)
}

type Fields = HashMap<String, String>;

fn text<'f>(form: &'f Fields, name: &str) -> &'f str {
    form.get(name).map(|text| text.trim()).unwrap_or_default()
}

/// A form of somebody who may keep sources.
fn kept(house: &House, user: &User, form: &Fields) -> Result<(), Refusal> {
    user.form(text(form, "csrf"), Action::Write)?;
    if may_keep(house, user.reader()) { Ok(()) } else { Err(Refusal::NotFound) }
}

async fn add(State(house): State<Shared>, user: User, Form(form): Form<Fields>) -> Answer {
    kept(&house, &user, &form)?;
    let cx = &user.cx;
    match checked(&house, cx, &form) {
        Ok(row) => {
            let id = row.id;
            let mut write = user.write(&house, cx.t("入手先の登録", "entered a source")).await?;
            write.put(row).await?;
            write.commit().await?;
            house.wake();
            Ok(Redirect::to(&format!("{PATH}/{id}")).into_response())
        }
        Err(error) => listed(&house, &user, Some(error), form).await,
    }
}

/// The row of a form, or what is wrong with it.
fn checked(house: &House, cx: &Cx, form: &Fields) -> Result<Row, String> {
    let said = |ja: &str, en: &str| cx.t(ja, en).to_owned();
    let name = text(form, "name");
    if name.is_empty() || name.chars().count() > 120 {
        return Err(said(
            "名前を120文字以内で入れてください。",
            "Give a name of at most 120 characters.",
        ));
    }
    let format = text(form, "format");
    if feeds::reader(format).is_none() {
        return Err(said("形式を選んでください。", "Choose a format."));
    }
    if let Err(fault) = fetch::address(text(form, "url")) {
        let (ja, en) = fault.words();
        return Err(said(&ja, &en));
    }
    let every: i64 = text(form, "interval_min").parse().unwrap_or(0);
    if !(1..=129_600).contains(&every) {
        return Err(said(
            "間隔は1分から90日（129600分）までです。",
            "The interval is 1 minute to 90 days (129,600 minutes).",
        ));
    }
    let id = house.store.new_id().map_err(|error| error.to_string())?;
    let mut row = Row::new(Table::Asset, id, SOURCE, name);
    row.status = "active".to_owned();
    let mut facts = json!({ "active": true, "format": format, "url": text(form, "url"), "interval_min": every });
    for name in ["rows_use", "use_reason", "tlp_default", "value_kind", "collection"] {
        let given: String = text(form, name).chars().take(TEXT_CHARS_MAX).collect();
        if !given.is_empty() {
            facts[name] = Json::String(given);
        }
    }
    row.attributes = facts.as_object().cloned().unwrap_or_default();
    let kind = house.kind(Table::Asset, SOURCE).map(|(_, kind)| kind);
    let errors = kind.map(|kind| kind.validate(&row.attributes)).unwrap_or_default();
    match errors.first() {
        None => Ok(row),
        Some(error) => {
            let label =
                kind.and_then(|kind| kind.fields.iter().find(|field| field.name == error.field()));
            let label = label.map_or(error.field(), |field| cx.pick(&field.label));
            Err(format!("{label}: {}", web::form::error_text(cx.lang, error)))
        }
    }
}

/// Begins a fetch; it goes on if nobody waits for it.
pub(super) fn begin(
    house: &Shared,
    id: Id,
) -> tokio::task::JoinHandle<Result<Option<Account>, room::Error>> {
    let house = house.clone();
    tokio::spawn(async move { feeds::one(&house, id).await })
}

async fn fetch(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Fields>,
) -> Answer {
    kept(&house, &user, &form)?;
    shown::one(&house.store, None, id).await.map_err(broken)?.ok_or(Refusal::NotFound)?;
    // Most are there at once; the page shows the rest when it is looked at again.
    let _ = tokio::time::timeout(FETCH_WAIT, begin(&house, id)).await;
    Ok(Redirect::to(&format!("{PATH}/{id}")).into_response())
}

async fn ruling(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Fields>,
) -> Answer {
    kept(&house, &user, &form)?;
    let cx = &user.cx;
    let ruling = Ruling::named(text(&form, "ruling")).ok_or(Refusal::NotFound)?;
    let done = hold::rule(&house, id, ruling, text(&form, "reason"), &user.actor()).await;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("{PATH}/{id}")).into_response()),
        Err(HoldError::Source) => Err(Refusal::NotFound),
        Err(error) => {
            let (ja, en) = error.words();
            Err(Refusal::Bad(cx.t(&ja, &en).to_owned()))
        }
    }
}

async fn change_use(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Fields>,
) -> Answer {
    kept(&house, &user, &form)?;
    let cx = &user.cx;
    let one = shown::one(&house.store, None, id).await.map_err(broken)?;
    let mut row = one.ok_or(Refusal::NotFound)?.row;
    let (usage, reason) = (text(&form, "rows_use"), text(&form, "use_reason"));
    if !["inbox", "alert", "enforce"].contains(&usage)
        || reason.is_empty()
        || reason.chars().count() > TEXT_CHARS_MAX
    {
        let said = cx.t(
            "使い方を選び、理由を2000文字以内で入れてください。",
            "Choose the use and give a reason of at most 2,000 characters.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    row.attributes.insert("rows_use".to_owned(), json!(usage));
    row.attributes.insert("use_reason".to_owned(), json!(reason));
    let mut write = user.write(&house, reason).await?;
    write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("{PATH}/{id}")).into_response())
}

async fn keep_secret(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Fields>,
) -> Answer {
    kept(&house, &user, &form)?;
    let cx = &user.cx;
    let one = shown::one(&house.store, None, id).await.map_err(broken)?;
    one.ok_or(Refusal::NotFound)?;
    let given = |name: &str| text(&form, name).to_owned();
    let secret = Secret {
        user: given("user"),
        password: given("password"),
        key: given("key"),
        identity: given("identity"),
    };
    if let Err(fault) = secret.check() {
        let (ja, en) = fault.words();
        return Err(Refusal::Bad(cx.t(&ja, &en).to_owned()));
    }
    secret::save(&house.store, id, &secret, &user.actor()).await?;
    Ok(Redirect::to(&format!("{PATH}/{id}")).into_response())
}
