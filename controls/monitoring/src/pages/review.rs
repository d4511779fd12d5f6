//! `/monitoring/review`: the three reviews with their cells, and the look at the steady state of a site.
//!
//! Invariants: who may judge findings signs, and signs what was filled when they signed; findings and records stand
//! there by name, never with what is personal in them.

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Row, Store};
use web::{
    House, Shared, Titles,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Route},
};

use super::findings::{may_judge, person};
use crate::{
    findings::REASON_CHARS_MAX,
    gap::GapError,
    review::{
        self, Filled, Purpose, Signing, State as Cell,
        due::{self, Pending},
        status::{self, Status},
    },
    work::live::Live,
};

const LISTED_MAX: usize = 50;
/// Days to see to a cell that nothing feeds.
const TASK_DAYS: i64 = 14;

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let title = t("監視のレビュー", "Reviews of monitoring");
    let status_title = t("定常状態の確認", "Status review");
    let task_title = t("発生源を用意するタスク", "Make a task to find a source");
    let api = Route::get("/api/v1/monitoring/reviews", inspect, title, api).api(Api {
        tag: "monitoring",
        id: "monitoring_reviews".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    });
    vec![
        Route::get("/monitoring/review", inspect, title, list),
        Route::get("/monitoring/review/status", inspect, status_title, status_page),
        Route::post("/monitoring/review/status", write, status_title, status_sign),
        Route::get("/monitoring/review/{purpose}", inspect, title, one),
        Route::post(
            "/monitoring/review/{purpose}",
            write,
            t("レビューの署名", "Sign a review"),
            sign,
        ),
        Route::post("/monitoring/review/{purpose}/task", write, task_title, task),
        api,
    ]
}

/// A review that is to be held, as it is listed.
struct Line {
    purpose: Purpose,
    due: Timestamp,
    late: bool,
    about: String,
    href: String,
}

struct Held {
    id: Id,
    at: Timestamp,
    title: String,
    late_h: i64,
    without: i64,
    findings: i64,
}

#[derive(Template)]
#[template(path = "monitoring_reviews.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    held: Vec<Held>,
    sites: Vec<Row>,
}

impl ListPage<'_> {
    fn late(&self) -> usize {
        self.lines.iter().filter(|line| line.late).count()
    }
}

async fn list(State(house): State<Shared>, user: User) -> Answer {
    let (cx, store) = (&user.cx, &house.store);
    let pending = due::pending(store, &cx.local.zone).await?;
    let types: Vec<&str> =
        Purpose::ALL.iter().map(|p| p.record()).chain([status::REVIEW]).collect();
    let records = store.newest_records(&types, None, LISTED_MAX).await?;
    let titles = Titles { house: &house, lang: cx.lang };
    let held = records.iter().map(|record| {
        let number = |name: &str| record.facts.get(name).and_then(Json::as_i64).unwrap_or(0);
        Held {
            id: record.id,
            at: record.received_at,
            title: titles.of(&record.ty).to_owned(),
            late_h: number("late_h"),
            without: number("panels_without_source"),
            findings: number("findings") + number("abnormal"),
        }
    });
    let body = ListPage {
        cx,
        lines: pending.iter().map(|pending| line(cx, pending)).collect(),
        held: held.collect(),
        sites: status::sites(store).await?,
    };
    page(cx, cx.t("監視のレビュー", "Reviews of monitoring"), &body)
}

fn line(cx: &Cx, pending: &Pending) -> Line {
    let incident = pending.incident.as_ref();
    let fact = |name: &str| {
        incident.and_then(|i| i.facts.get(name)).and_then(Json::as_str).unwrap_or("").to_owned()
    };
    Line {
        purpose: pending.purpose,
        due: pending.due,
        late: pending.due < cx.now,
        about: cx.either(&fact("title_ja"), &fact("title_en")).to_owned(),
        href: href(pending),
    }
}

fn href(pending: &Pending) -> String {
    let path = format!("/monitoring/review/{}", pending.purpose.name());
    match &pending.incident {
        Some(incident) => format!("{path}?incident={}", incident.id),
        None => format!("{path}?due={}", pending.due.0),
    }
}

#[derive(Clone, Default, Deserialize)]
struct Which {
    #[serde(default)]
    incident: String,
    #[serde(default)]
    due: String,
}

/// The review that an address names: that of an incident, of a period, or the next.
async fn find(
    store: &Store,
    cx: &Cx,
    purpose: Purpose,
    which: &Which,
) -> Result<Option<Pending>, Refusal> {
    let all = due::pending(store, &cx.local.zone).await?;
    let is_it = |pending: &Pending| {
        pending.purpose == purpose
            && match (&pending.incident, which.incident.as_str(), which.due.as_str()) {
                (Some(incident), id, _) if !id.is_empty() => incident.id.to_string() == id,
                (None, _, due) if !due.is_empty() => pending.due.0.to_string() == due,
                (_, id, due) => id.is_empty() && due.is_empty(),
            }
    };
    Ok(all.into_iter().find(is_it))
}

async fn filled(house: &House, pending: &Pending) -> Result<Vec<Filled>, Refusal> {
    let shown = house.kept.get::<Live>().shown();
    let filled = review::fill(&house.store, &house.archive, &shown, pending).await;
    filled.map_err(|error| match error {
        GapError::Store(error) => Refusal::Store(error),
        GapError::Busy => Refusal::Busy,
        other => Refusal::Bad(other.to_string()),
    })
}

#[derive(Template)]
#[template(path = "monitoring_review.html")]
struct OnePage<'a> {
    cx: &'a Cx,
    purpose: Purpose,
    pending: Option<&'a Pending>,
    which: &'a Which,
    window: (Timestamp, Timestamp),
    panels: &'a [Filled],
    titles: Titles<'a>,
    may_sign: bool,
}

impl OnePage<'_> {
    fn title(&self, panel: &Filled) -> &'static str {
        panel.panel.title(self.cx.lang)
    }

    fn text(&self, panel: &Filled, item: &usize) -> &'static str {
        panel.panel.items.get(*item).map_or("", |item| item.text(self.cx.lang))
    }

    fn is_found(&self, panel: &Filled) -> bool {
        panel.state == Cell::Found
    }

    fn has_source(&self, panel: &Filled) -> bool {
        panel.state != Cell::NoSource
    }

    fn sources(&self, panel: &Filled) -> String {
        let names: Vec<&str> = panel.sources.iter().map(|name| self.source(name)).collect();
        names.join(self.cx.t("、", ", "))
    }

    /// Record types bear their title, classes their name, sources their own.
    fn source<'n>(&'n self, name: &'n str) -> &'n str {
        let class = crate::kinds::SOURCE_CLASSES.iter().find(|class| class.value == name);
        class.map_or_else(|| self.titles.of(name), |class| self.cx.pick(&class.label))
    }

    fn hit(&self, hit: &review::Hit) -> String {
        match &hit.ty {
            Some(ty) => format!("{} {}", self.titles.of(ty), hit.title).trim_end().to_owned(),
            None => hit.title.clone(),
        }
    }

    fn href(&self, hit: &review::Hit) -> String {
        let folder = if hit.ty.is_some() { "records" } else { "findings" };
        format!("/{folder}/{}", hit.id)
    }

    fn late(&self) -> bool {
        self.pending.is_some_and(|pending| pending.due < self.cx.now)
    }

    fn without(&self) -> usize {
        self.panels.iter().filter(|panel| panel.state == Cell::NoSource).count()
    }
}

async fn one(
    State(house): State<Shared>,
    user: User,
    Path(purpose): Path<String>,
    Query(which): Query<Which>,
) -> Answer {
    let cx = &user.cx;
    let purpose = Purpose::parse(&purpose).ok_or(Refusal::NotFound)?;
    let pending = find(&house.store, cx, purpose, &which).await?;
    let panels = match &pending {
        Some(pending) => filled(&house, pending).await?,
        None => Vec::new(),
    };
    let body = OnePage {
        cx,
        purpose,
        pending: pending.as_ref(),
        which: &which,
        window: pending.as_ref().map_or((cx.now, cx.now), |p| p.window(cx.now)),
        panels: &panels,
        titles: Titles { house: &house, lang: cx.lang },
        may_sign: may_judge(&house, &user),
    };
    page(cx, cx.pick(&purpose.text()), &body)
}

#[derive(Deserialize)]
struct SignForm {
    csrf: String,
    note: String,
    #[serde(default)]
    findings: String,
    #[serde(flatten)]
    which: Which,
}

/// What somebody wrote, neither empty nor too long.
fn note_of(cx: &Cx, note: &str) -> Result<String, Refusal> {
    let note = note.trim();
    if note.is_empty() || note.chars().count() > REASON_CHARS_MAX {
        let said = cx.t(
            "所見を2000文字以内で入力してください。",
            "Write what you saw, in at most 2,000 characters.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    Ok(note.to_owned())
}

async fn sign(
    State(house): State<Shared>,
    user: User,
    Path(purpose): Path<String>,
    Form(form): Form<SignForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_judge(&house, &user) {
        return Err(Refusal::Forbidden);
    }
    let (cx, store) = (&user.cx, &house.store);
    let purpose = Purpose::parse(&purpose).ok_or(Refusal::NotFound)?;
    let note = note_of(cx, &form.note)?;
    let pending = find(store, cx, purpose, &form.which).await?.ok_or(Refusal::NotFound)?;
    let panels = filled(&house, &pending).await?;
    let signer = person(store, &user.session.account.login).await?;
    let tasks = open_tasks(store, &panels).await?;
    let findings = form.findings.trim().parse().unwrap_or(0).clamp(0, 10_000);
    let signing = Signing { note: &note, findings, tasks, signer };
    let mut write = user.write(&house, cx.t("レビューの署名", "signed a review")).await?;
    // Read behind the beginning of the change: another may have signed it meanwhile.
    let pending = find(store, cx, purpose, &form.which).await?.ok_or(Refusal::NotFound)?;
    review::sign(&mut write, &pending, &panels, &signing, store.now()).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to("/monitoring/review").into_response())
}

/// Tasks that are open for cells without a source.
async fn open_tasks(store: &Store, panels: &[Filled]) -> Result<i64, store::StoreError> {
    let mut open = 0;
    for panel in panels.iter().filter(|panel| panel.state == Cell::NoSource) {
        let task = store.row(Table::Task, task_id(&panel.panel.row, panel.panel.purpose)).await?;
        open += i64::from(task.is_some_and(|task| task.status == "open" && !task.deleted));
    }
    Ok(open)
}

/// Of a cell there is one task.
fn task_id(row: &str, purpose: Purpose) -> Id {
    store::derived_id(Timestamp(0), &format!("ume/review-source/{row}/{}", purpose.name()))
}

#[derive(Deserialize)]
struct TaskForm {
    csrf: String,
    row: String,
}

async fn task(
    State(house): State<Shared>,
    user: User,
    Path(purpose): Path<String>,
    Form(form): Form<TaskForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_judge(&house, &user) {
        return Err(Refusal::Forbidden);
    }
    let cx = &user.cx;
    let purpose = Purpose::parse(&purpose).ok_or(Refusal::NotFound)?;
    let is_it = |p: &&review::Panel| p.row == form.row && p.purpose == purpose;
    let panel = review::PANELS.iter().find(is_it).ok_or(Refusal::NotFound)?;
    let id = task_id(&panel.row, purpose);
    let back = format!("/row/task/{id}");
    if house.store.row(Table::Task, id).await?.is_some() {
        return Ok(Redirect::to(&back).into_response());
    }
    let name = format!("発生源を用意する / Find a source: {} / {}", panel.title_ja, panel.title_en);
    let mut task = Row::new(Table::Task, id, "task", &name);
    let due = house.store.now().plus_hours(24 * TASK_DAYS);
    (task.status, task.schema_version, task.ends_at) = ("open".to_owned(), 2, Some(due));
    let attributes = json!({
        "due": due.rfc3339().chars().take("2026-01-31".len()).collect::<String>(),
        "zone": "UTC",
        "description": format!("/monitoring/review/{}", purpose.name()),
        "remind_days": 3,
        "role": "administrator",
    });
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    let mut write =
        user.write(&house, cx.t("レビューの欄に発生源がない", "a cell has no source")).await?;
    write.put(task).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&back).into_response())
}

#[derive(Default, Deserialize)]
struct Site {
    #[serde(default)]
    site: String,
}

#[derive(Template)]
#[template(path = "status_review.html")]
struct StatusPage<'a> {
    cx: &'a Cx,
    sites: &'a [Row],
    site: Option<&'a Row>,
    status: Status,
    assets: Vec<(Id, String, bool, Timestamp)>,
    last: Option<(Id, Timestamp)>,
    may_sign: bool,
}

async fn status_of(house: &House, site: Option<&Row>) -> Result<Status, store::StoreError> {
    let intake = house.intake.read().map(|intake| intake.clone()).unwrap_or_default();
    let status = Status::load(&house.store, &intake, house.store.now()).await?;
    let Some(site) = site else { return Ok(status) };
    let places = status::places(&house.store, &status).await?;
    Ok(status.at(site.id, &places))
}

async fn status_page(State(house): State<Shared>, user: User, Query(asked): Query<Site>) -> Answer {
    let (cx, store) = (&user.cx, &house.store);
    let sites = status::sites(store).await?;
    let site = match asked.site.as_str() {
        "" => sites.first(),
        id => Some(sites.iter().find(|s| s.id.to_string() == id).ok_or(Refusal::NotFound)?),
    };
    let status = status_of(&house, site).await?;
    let ids: Vec<Id> = status.assets.iter().map(|(id, ..)| *id).collect();
    let rows = store.rows_by_id(Table::Asset, &ids).await?;
    let name =
        |id: &Id| rows.iter().find(|r| r.id == *id).map_or(String::new(), |r| r.name.clone());
    let mut assets: Vec<_> =
        status.assets.iter().map(|(id, s, at)| (*id, name(id), *s, *at)).collect();
    // What is silent comes first.
    assets.sort_by(|a, b| (!a.2, &a.1).cmp(&(!b.2, &b.1)));
    let last = match site {
        Some(site) => store.newest_records(&[status::REVIEW], Some(site.id), 1).await?.pop(),
        None => None,
    };
    let body = StatusPage {
        cx,
        sites: &sites,
        site,
        assets,
        status,
        last: last.map(|record| (record.id, record.received_at)),
        may_sign: may_judge(&house, &user),
    };
    page(cx, cx.t("定常状態の確認", "Status review"), &body)
}

#[derive(Deserialize)]
struct StatusForm {
    csrf: String,
    site: Id,
    note: String,
}

async fn status_sign(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<StatusForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_judge(&house, &user) {
        return Err(Refusal::Forbidden);
    }
    let (cx, store) = (&user.cx, &house.store);
    let note = note_of(cx, &form.note)?;
    let sites = status::sites(store).await?;
    let site = sites.iter().find(|row| row.id == form.site).ok_or(Refusal::NotFound)?;
    let status = status_of(&house, Some(site)).await?;
    if status.seen() == 0 {
        let said = cx.t(
            "この拠点には、まだ発生源がありません。発生源を追加してから確認してください。",
            "There is no source at this site yet: add one, then look at it.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    let signer = person(store, &user.session.account.login).await?;
    let mut write =
        user.write(&house, cx.t("定常状態の確認", "looked at the steady state")).await?;
    let record =
        status::sign(&mut write, site.id, &status, (&note, signer, 0), store.now()).await?;
    write.commit().await?;
    close_task(store, site.id, &record, &user.actor()).await?;
    house.wake();
    Ok(Redirect::to(&format!("/monitoring/review/status?site={}", site.id)).into_response())
}

/// Closes the weekly task that this look answers, whereupon the next one comes.
async fn close_task(
    store: &Store,
    site: Id,
    record: &store::Record,
    actor: &str,
) -> Result<(), store::StoreError> {
    let all = store.rows_about(Table::Task, &[site]).await?;
    let is_it = |task: &Row| tasks::closing_type(task) == status::REVIEW && task.status == "open";
    let Some(task) = all.into_iter().find(is_it) else { return Ok(()) };
    let id = task.id;
    match tasks::close(store, task, record, actor).await {
        Err(tasks::NotClosed::Store(error)) => Err(error),
        // It stays open, and whoever looks after tasks sees why.
        Err(error) => {
            tracing::warn!(task = %id, %error, "weekly task not closed");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

async fn api(State(house): State<Shared>, caller: Caller) -> Response {
    let pending = match due::pending(&house.store, &caller.cx.local.zone).await {
        Ok(pending) => pending,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let now = house.store.now();
    let one = |pending: &Pending| {
        json!({
            "purpose": pending.purpose.name(),
            "due": pending.due.rfc3339(),
            "late": pending.due < now,
            "incident": pending.incident.as_ref().map(|incident| incident.id),
            "due_record": pending.record,
        })
    };
    Document(json!({ "reviews": pending.iter().map(one).collect::<Vec<_>>() })).into_response()
}
