//! Approvals: asking for one, and what waits for one.
//!
//! Invariants: a request is a decision of status `proposed`, bound to the hash of the version it was
//! made for; while one is open a row takes no second; only a signature makes it approved or rejected, and
//! it binds what the signer was shown, not what was asked for. Decisions of other kinds that were
//! proposed through the API wait here too, and are signed on their own pages.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, t};
use serde::Deserialize;
use store::{Filter, Key, PAGE_ROWS_MAX, Row, Store, StoreError, Within};

use crate::{
    Shared, Titles,
    access::{Action, ROLES, Reader, scope},
    decide::{self, ASKED_KIND, PROPOSED, is_sealed, named},
    frame::{Answer, Cx, Refusal, User, page},
    registers,
    route::{Access, Route},
};

const REASON_CHARS_MAX: usize = 500;

pub(crate) fn routes() -> Vec<Route> {
    let (read, write) = (Access::Action(Action::Read), Access::Action(Action::Write));
    let ask_title = t("承認の依頼", "Ask for approval");
    vec![
        Route::get("/approvals", read, t("承認待ち", "Waiting for approval"), list),
        Route::post("/row/{table}/{id}/ask", write, ask_title, ask),
    ]
}

/// Something that waits for a signature.
struct Waiting {
    request: Row,
    /// What it is about; `None` if it is gone, or stands in no register.
    subject: Option<Row>,
    /// The subject is another version than the one asked about.
    edited: bool,
    /// Roles that may sign it.
    roles: Vec<&'static str>,
    /// Who signed already, how, and how many it takes.
    signatures: Vec<decide::Shown>,
    progress: (usize, usize),
}

impl Waiting {
    /// Who may sign it, in words.
    fn signers(&self, cx: &Cx) -> String {
        let roles: Vec<&str> = self.roles.iter().map(|role| cx.role(role)).collect();
        roles.join(cx.t("、", ", "))
    }
}

/// The table of what a request is about.
fn table_of(request: &Row) -> Table {
    let table = request.attributes.get("subject_table").and_then(|t| t.as_str());
    let asked = table.filter(|_| request.kind == ASKED_KIND).and_then(Table::parse);
    asked.unwrap_or(Table::Decision)
}

/// Whether the reader's role may sign what is asked for.
pub fn may_sign(reader: &Reader, request: &Row) -> bool {
    reader.decides(table_of(request))
}

/// Requests that wait, by name, after `after`; and whether there are more.
pub async fn requests(
    store: &Store,
    reader: &Reader,
    after: Option<(Key, Id)>,
    limit: usize,
) -> Result<(Vec<Row>, bool), StoreError> {
    let filter = Filter {
        status: Some(PROPOSED.to_owned()),
        after,
        limit: limit + 1,
        reach: reader.reach_in(Table::Decision),
        ..Filter::default()
    };
    let mut requests = store.list(Table::Decision, &filter).await?;
    let more = requests.len() > limit;
    requests.truncate(limit);
    Ok((requests, more))
}

/// Kinds of decision that are signed on pages of their own.
const OWN_PAGES: [(&str, &str); 2] = [("target", "/targets"), (decide::DELEGATION, "/delegations")];

/// Address at which a request is signed.
pub fn subject_href(request: &Row) -> String {
    let signed = decide::signed_by_any(request);
    if let Some((_, page)) = OWN_PAGES.iter().find(|(kind, _)| signed && *kind == request.kind) {
        return (*page).to_owned();
    }
    let table = request.attributes.get("subject_table").and_then(|t| t.as_str());
    match table.zip(request.subject).filter(|_| signed || request.kind == ASKED_KIND) {
        Some((_, id)) if request.kind == "risk_acceptance" => format!("/risks/{id}"),
        Some((table, id)) => format!("/row/{table}/{id}"),
        None => format!("/row/decision/{}", request.id),
    }
}

/// The same requests with what they are about.
async fn waiting(
    cx: &Cx,
    store: &Store,
    reader: &Reader,
    requests: Vec<Row>,
) -> Result<Vec<Waiting>, StoreError> {
    let subjects = subjects(store, reader, &requests).await?;
    let pair = |request: Row| {
        let signed = decide::signed_by_any(&request);
        let subject = request.subject.filter(|_| signed || request.kind == ASKED_KIND);
        let subject = subject.and_then(|id| subjects.get(&id).cloned());
        let hash = subject.as_ref().and_then(|row| row.content_hash().ok());
        let table = table_of(&request);
        let signs = |role: &&str| scope(role, Action::Decide, table, false).is_some();
        Waiting {
            edited: hash.is_some() && request.subject_hash != hash,
            signatures: decide::shown(cx, &request),
            progress: decide::progress(&request),
            roles: ROLES.into_iter().filter(signs).collect(),
            request,
            subject,
        }
    };
    Ok(requests.into_iter().map(pair).collect())
}

/// The rows that decisions are about: one statement for each table that they name. Who is limited to
/// some rows of a table sees the request alone.
async fn subjects(
    store: &Store,
    reader: &Reader,
    requests: &[Row],
) -> Result<HashMap<Id, Row>, StoreError> {
    let mut by_table: HashMap<Table, Vec<Id>> = HashMap::new();
    for request in requests {
        let table = request.attributes.get("subject_table").and_then(|t| t.as_str());
        let seen = |t: &Table| *t != Table::Record && *reader.sees_of(*t).anywhere() == Within::All;
        let table = table.and_then(Table::parse).filter(seen);
        if let Some((table, id)) = table.zip(request.subject) {
            by_table.entry(table).or_default().push(id);
        }
    }
    let mut found = HashMap::new();
    for (table, mut ids) in by_table {
        let within = reader.sees_of(table);
        if within != Within::All {
            let reached = store.reached(table, &ids, &within).await?;
            ids.retain(|id| reached.contains(id));
        }
        found.extend(store.rows_by_id(table, &ids).await?.into_iter().map(|row| (row.id, row)));
    }
    Ok(found)
}

#[derive(Deserialize)]
struct ListQuery {
    after: Option<String>,
    after_id: Option<Id>,
}

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage<'a> {
    cx: &'a Cx,
    may_decide: bool,
    waiting: Vec<Waiting>,
    next: Option<String>,
    titles: Titles<'a>,
}

async fn list(State(house): State<Shared>, user: User, Query(query): Query<ListQuery>) -> Answer {
    let after = query.after.map(Key::Text).zip(query.after_id);
    let (requests, more) = requests(&house.store, user.reader(), after, PAGE_ROWS_MAX - 1).await?;
    let waiting = waiting(&user.cx, &house.store, user.reader(), requests).await?;
    let last = waiting.last().filter(|_| more).map(|last| &last.request);
    let next = last.map(|row| {
        format!("/approvals?after={}&after_id={}", urlencoding::encode(&row.name), row.id)
    });
    let body = ApprovalsPage {
        cx: &user.cx,
        may_decide: waiting.iter().any(|w| may_sign(user.reader(), &w.request)),
        waiting,
        next,
        titles: Titles { house: &house, lang: user.cx.lang },
    };
    page(&user.cx, user.cx.t("承認待ち", "Waiting for approval"), &body)
}

#[derive(Deserialize)]
struct Ask {
    csrf: String,
    /// Hash of the version that was shown.
    hash: String,
    reason: String,
}

/// Asks those who may decide for an approval of the version that was shown.
async fn ask(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
    Form(form): Form<Ask>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let (row, _) = registers::find(&house, &user, &name, &row_id).await?;
    let cx = &user.cx;
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    let reason = form.reason.trim();
    if row.deleted || is_sealed(&row) {
        return bad("この行の承認は依頼できません。", "No approval can be asked for here.");
    }
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return bad(
            "依頼の理由を500文字以内で入力してください。",
            "Give a reason of at most 500 characters.",
        );
    }
    if row.content_hash()? != form.hash {
        return bad(
            "画面を開いた後に内容が変わりました。最新の内容を確認してください。",
            "The row changed after you opened it. Look at the newest version.",
        );
    }
    let mut request = Row::new(Table::Decision, house.store.new_id()?, ASKED_KIND, &named(&row));
    request.status = PROPOSED.to_owned();
    request.subject = Some(row.id);
    request.subject_hash = Some(form.hash);
    request.attributes.insert("subject_table".into(), row.table.name().into());
    let mut write = user.write(&house, reason).await?;
    if let Err(error) = write.put(request).await {
        return match error {
            StoreError::AskedAlready(_) => {
                bad("承認はすでに依頼されています。", "An approval has been asked for already.")
            }
            error => Err(error.into()),
        };
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/row/{}/{}", row.table.name(), row.id)).into_response())
}

/// The open request for an approval of a row, if there is one.
pub(crate) async fn open(store: &Store, about: Id) -> Result<Option<Row>, StoreError> {
    let filter = Filter {
        kind: Some(ASKED_KIND.to_owned()),
        subject: Some(about),
        status: Some(PROPOSED.to_owned()),
        limit: 1,
        ..Filter::default()
    };
    Ok(store.list(Table::Decision, &filter).await?.pop())
}
