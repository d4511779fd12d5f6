//! `/intelligence`: what came in and waits for a verdict, and where notices are handed in.
//!
//! Invariants: what a notice says is shown to those who judge it, others see that it is there; an original that cannot
//! be decoded is kept and asked about.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Json as Document,
    extract::{Query, Request, State},
    response::{IntoResponse, Redirect, Response},
};
use indicators::extract::{self, Labels};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Blob, Row, Store};
use stream::Encoding;
use web::{
    House, Shared,
    access::{Action, Reader},
    api::{Caller, problem::Problem},
    files,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Route},
};

use super::{may_judge, refusal};
use crate::work::{
    inbox::{self, Handed, InboxError, SOURCE},
    news::{bring, group},
    relevance::{Hit, hits},
    triage::{Verdict, limit_min},
};

/// Items that the page shows, and the document holds.
const SHOWN_MAX: usize = 100;
const LISTED_MAX: usize = 1_000;
const MINUTE_MICROS: i64 = 60_000_000;
/// Fields of the form that take a file each.
const FILES: [&str; 5] = ["file", "file-2", "file-3", "file-4", "file-5"];
const PASTED_CHARS_MAX: usize = 1_000_000;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("脅威情報の受信箱", "Inbox of threat intelligence");
    let document = |id: &str| Api {
        tag: "threat_intelligence",
        id: id.to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    let items = t("脅威情報", "Items of intelligence");
    vec![
        Route::get("/intelligence", inspect, title, show),
        Route::post("/intelligence", write, t("脅威情報の受領", "Hand in intelligence"), take),
        Route::get("/api/v1/threat_intelligence/inbox", inspect, title, waiting)
            .api(document("threat_intelligence_inbox")),
        Route::get("/api/v1/threat_intelligence/items", inspect, items, items_document)
            .api(document("threat_intelligence_items")),
    ]
}

/// An item as a list shows it.
struct Line {
    row: Row,
    source: String,
    verdict: Option<Verdict>,
    waited_min: i64,
    is_late: bool,
    confirmed: usize,
    hits: Vec<Hit>,
    /// Others about the same.
    more: Vec<(Id, String)>,
}

impl Line {
    fn of(row: Row, sources: &[Row], now: model::Timestamp) -> Line {
        let text = |name: &str| row.attributes.get(name).and_then(Json::as_str);
        let source = text("source").and_then(|id| sources.iter().find(|s| s.id.to_string() == id));
        let verdict = text("verdict").and_then(Verdict::named);
        let urgent = row.attributes.get("urgent") == Some(&Json::Bool(true));
        let waited_min = (now.0 - row.created_at.0).max(0) / MINUTE_MICROS;
        let listed = row.attributes.get("indicators").and_then(Json::as_array);
        Line {
            source: source.map(|source| source.name.clone()).unwrap_or_default(),
            verdict,
            waited_min,
            is_late: verdict.is_none() && waited_min > limit_min(urgent, row.created_at),
            confirmed: listed.map_or(0, Vec::len),
            hits: hits(&row),
            more: Vec::new(),
            row,
        }
    }

    /// What it is grouped by.
    fn keys(&self) -> Vec<&str> {
        let keys = self.row.attributes.get("group").and_then(Json::as_array);
        keys.into_iter().flatten().filter_map(Json::as_str).collect()
    }

    fn tlp(&self) -> String {
        let word = self.row.attributes.get("tlp").and_then(Json::as_str).unwrap_or_default();
        format!("TLP:{}", word.to_uppercase().replace('_', "+"))
    }

    fn waited(&self, cx: &Cx) -> String {
        match (self.waited_min / 60, self.waited_min / 1_440) {
            (_, days) if days > 1 => format!("{days}{}", cx.t("日", " d")),
            (hours, _) if hours > 0 => format!("{hours}{}", cx.t("時間", " h")),
            _ => format!("{}{}", self.waited_min, cx.t("分", " min")),
        }
    }
}

#[derive(Template)]
#[template(path = "intelligence.html")]
struct InboxPage<'a> {
    cx: &'a Cx,
    waiting: Vec<Line>,
    judged: Vec<Line>,
    late: usize,
    /// Items that wait, those of a group each.
    count: usize,
    sources: Vec<Row>,
    may_judge: bool,
    /// An original that waits for its encoding.
    kept: Option<Blob>,
    kept_source: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    /// Hash of an original whose encoding is asked for.
    kept: String,
    source: String,
}

async fn show(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let (waiting, judged) = lines(&house.store, user.reader(), LISTED_MAX).await?;
    let (count, late) = (waiting.len(), waiting.iter().filter(|line| line.is_late).count());
    let mut waiting = grouped(waiting);
    waiting.truncate(SHOWN_MAX);
    let judged: Vec<Line> = judged.into_iter().take(SHOWN_MAX).collect();
    let sources = sources(&house.store).await?;
    let may_judge = may_judge(&house, user.reader());
    let kept = match may_judge && !asked.kept.is_empty() {
        true => own(&house, &user, &asked.kept).await?,
        false => None,
    };
    let body = InboxPage {
        cx,
        late,
        count,
        waiting,
        judged,
        sources,
        may_judge,
        kept,
        kept_source: asked.source,
    };
    page(cx, cx.t("脅威情報の受信箱", "Inbox of threat intelligence"), &body)
}

/// A file that this user sent.
async fn own(house: &House, user: &User, sha256: &str) -> Result<Option<Blob>, Refusal> {
    if !store::is_sha256(sha256) {
        return Ok(None);
    }
    let blob = house.store.blob(sha256).await?;
    Ok(blob.filter(|blob| blob.uploaded_by == user.actor()))
}

/// Items about the same as one line, under the one that came first; what executives should hear goes first.
fn grouped(lines: Vec<Line>) -> Vec<Line> {
    let keys: Vec<Vec<&str>> = lines.iter().map(Line::keys).collect();
    let first = group::groups(&keys);
    let mut place = std::collections::HashMap::new();
    let mut all: Vec<Line> = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        match place.get(&first[at]) {
            None => {
                place.insert(first[at], all.len());
                all.push(line);
            }
            Some(place) => {
                let leader: &mut Line = &mut all[*place];
                leader.more.push((line.row.id, line.row.name.clone()));
                leader.hits.extend(line.hits);
                leader.hits.sort_unstable();
                leader.hits.dedup();
                leader.is_late |= line.is_late;
            }
        }
    }
    // Stable: within each the oldest stays first.
    all.sort_by_key(|line| line.hits.is_empty());
    all
}

/// What waits, the oldest first, and what was judged, the newest first.
async fn lines(
    store: &Store,
    reader: &Reader,
    limit: usize,
) -> Result<(Vec<Line>, Vec<Line>), store::StoreError> {
    let now = store.now();
    let rows = store.all(Table::Asset, &[inbox::ITEM, SOURCE]).await?;
    let (items, sources): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| row.kind == inbox::ITEM);
    let items = reader.seen(store, Table::Asset, items).await?;
    let all = items.into_iter().map(|row| Line::of(row, &sources, now));
    let (mut waiting, mut judged): (Vec<Line>, Vec<Line>) =
        all.partition(|line| line.verdict.is_none());
    waiting.sort_by_key(|line| (line.row.created_at, line.row.id));
    judged.sort_by_key(|line| std::cmp::Reverse((line.row.updated_at, line.row.id)));
    waiting.truncate(limit);
    judged.truncate(limit);
    Ok((waiting, judged))
}

async fn sources(store: &Store) -> Result<Vec<Row>, store::StoreError> {
    let mut sources = store.all(Table::Asset, &[SOURCE]).await?;
    sources.retain(|row| row.attributes.get("active") == Some(&Json::Bool(true)));
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

async fn take(State(house): State<Shared>, user: User, request: Request) -> Answer {
    let cx = &user.cx;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let is_file = |name: &str| FILES.contains(&name);
    let form = files::read_form(&house, &user, Action::Write, request, is_file).await?;
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    let no_source = || {
        let said = cx.t("入手先を選んでください。", "Choose where it came from.");
        Refusal::Bad(said.to_owned())
    };
    let id = text("source").parse::<Id>().map_err(|_| no_source())?;
    let source = house.store.row(Table::Asset, id).await?;
    let source = source.filter(|row| row.kind == SOURCE && !row.deleted).ok_or_else(no_source)?;
    let blobs = handed(&house, &user, &form).await?;
    let told = Encoding::named(text("encoding"));
    let labels = inbox::labels(&house.store).await.map_err(|error| refusal(cx, error))?;
    let mut to = "/intelligence".to_owned();
    for blob in &blobs {
        to = one(&house, &user, &source, blob, (told, &labels)).await?;
    }
    // Of several, each waits in the list; what asks for its encoding is asked about first.
    let is_asked = to.contains("?kept=");
    let to = if blobs.len() == 1 || is_asked { to } else { "/intelligence".to_owned() };
    Ok(Redirect::to(&to).into_response())
}

/// Enters one original; where to look next.
async fn one(
    house: &House,
    user: &User,
    source: &Row,
    blob: &Blob,
    (told, labels): (Option<Encoding>, &Labels),
) -> Result<String, Refusal> {
    let cx = &user.cx;
    if let Some(id) = inbox::known(&house.store, blob).await? {
        return Ok(format!("/intelligence/{id}"));
    }
    if blob.bytes <= bring::BYTES_MAX
        && let Some(bytes) = house.store.whole_blob(blob).await?
        && let Some(sort) = bring::sort(&bytes)
    {
        return document(house, user, source, sort, bytes).await;
    }
    let original = match inbox::original(&house.store, blob, told).await {
        Ok(original) => original,
        // The original is kept; the page asks.
        Err(InboxError::Encoding) => {
            return Ok(format!("/intelligence?kept={}&source={}", blob.sha256, source.id));
        }
        Err(error) => return Err(refusal(cx, error)),
    };
    let notice = extract::extract(&original.whole(), labels);
    let handed = Handed { source, blob, original: &original, notice: &notice };
    let mut write = user.write(house, cx.t("脅威情報の受領", "received intelligence")).await?;
    let id = inbox::receive(&house.store, &mut write, &handed).await?;
    write.commit().await?;
    house.wake();
    Ok(format!("/intelligence/{id}"))
}

/// Enters what a document of a feed says.
async fn document(
    house: &House,
    user: &User,
    source: &Row,
    sort: bring::Sort,
    bytes: Vec<u8>,
) -> Result<String, Refusal> {
    let cx = &user.cx;
    let length = bytes.len() as u64;
    let broken = |error: String| {
        tracing::warn!(error, "a document of a feed was not taken");
        Refusal::Bad(error)
    };
    let read = tokio::task::spawn_blocking(move || bring::read(sort, &bytes));
    let read = read.await.map_err(|error| broken(error.to_string()))?;
    let read = read.map_err(|(ja, en)| Refusal::Bad(cx.either(&ja, &en).to_owned()))?;
    let taken = bring::take(&house.store, house.folder(), source, read, &user.actor()).await;
    let brought = taken.map_err(|error| broken(error.to_string()))?;
    let mut write = user.write(house, cx.t("フィードの取り込み", "took in a feed")).await?;
    bring::enter(&house.store, &mut write, source, &brought, length).await?;
    write.commit().await?;
    house.wake();
    let is_list = matches!(sort, bring::Sort::Kev | bring::Sort::Epss);
    Ok(if is_list { "/intelligence/vulnerabilities" } else { "/intelligence" }.to_owned())
}

/// The originals of a form: files, one that was kept before, or a pasted text.
async fn handed(
    house: &House,
    user: &User,
    form: &HashMap<String, String>,
) -> Result<Vec<Blob>, Refusal> {
    let cx = &user.cx;
    let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let mut blobs = Vec::new();
    for name in FILES.iter().chain(&["kept"]).filter(|name| !text(name).is_empty()) {
        blobs.push(own(house, user, text(name)).await?.ok_or(Refusal::NotFound)?);
    }
    if !blobs.is_empty() {
        return Ok(blobs);
    }
    let pasted = text("text");
    if pasted.trim().is_empty() {
        return Err(refusal(cx, InboxError::Empty));
    }
    if pasted.chars().count() > PASTED_CHARS_MAX {
        return Err(refusal(cx, InboxError::Large(pasted.len() as u64)));
    }
    let mut upload = house.store.upload().await?;
    upload.write(pasted.as_bytes()).await?;
    Ok(vec![house.store.keep(upload, "notice.txt", &user.actor()).await?])
}

async fn waiting(State(house): State<Shared>, caller: Caller) -> Response {
    listed(&house, &caller, true).await
}

async fn items_document(State(house): State<Shared>, caller: Caller) -> Response {
    listed(&house, &caller, false).await
}

async fn listed(house: &House, caller: &Caller, only_waiting: bool) -> Response {
    let (waiting, judged) = match lines(&house.store, &caller.reader, LISTED_MAX).await {
        Ok(lines) => lines,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let kind = house.kind(Table::Asset, inbox::ITEM).map(|(_, kind)| kind);
    let one = |line: &Line| {
        json!({
            "item": caller.reader.json(kind, &line.row),
            "source": line.source,
            "received_at": line.row.created_at.rfc3339(),
            "verdict": line.verdict.map(Verdict::as_str),
            "waited_min": line.waited_min,
            "is_late": line.is_late,
        })
    };
    let judged = judged.iter().filter(|_| !only_waiting);
    let all: Vec<Json> = waiting.iter().chain(judged).map(one).collect();
    Document(json!({ "items": all })).into_response()
}
