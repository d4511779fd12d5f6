//! `/intelligence/outlets`: the ways out with what the last probe saw of each; and one of them: what is in it, who
//! fetched it, its token, and how others are set up to fetch it.
//!
//! Invariants: a token is shown once, to whom made it; the page shows of a list its first lines only.

pub(super) mod fetch;
mod setup;

use askama::Template;
use axum::{
    Json as Document,
    extract::{Form as Posted, Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use indicators::outlet::Left;
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::Row;
use tokio::io::AsyncReadExt as _;
use web::{
    House, Shared,
    access::{Action, Reader},
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use super::broken;
use crate::work::{
    inbox,
    outlets::{self, Fetched, OUTLET, Outlet, Token, render},
    tlp::{
        self,
        probe::{self, Cell, Matrix},
    },
};
use setup::Step;

const PATH: &str = "/intelligence/outlets";
const SHOWN_BYTES_MAX: usize = 4_000;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("出口", "Outlets");
    let one = t("出口の詳細", "One outlet");
    let token = t("出口の鍵を作る", "Make the token of an outlet");
    let revoke = t("出口の鍵を取り消す", "Take the token of an outlet away");
    let api = Api {
        tag: "threat_intelligence",
        id: "threat_intelligence_outlets".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    let mut all = vec![
        Route::get(PATH, inspect, title, show),
        Route::get("/intelligence/outlets/{id}", inspect, one, show_one),
        Route::post("/intelligence/outlets/{id}/token", write, token, renew),
        Route::post("/intelligence/outlets/{id}/revoke", write, revoke, end),
        Route::get("/api/v1/threat_intelligence/outlets", inspect, title, document).api(api),
    ];
    for (deed, id, title) in [
        ("token", "threat_intelligence_outlet_token", token),
        ("revoke", "threat_intelligence_outlet_revoke", revoke),
    ] {
        let api = Api {
            tag: "threat_intelligence",
            id: id.to_owned(),
            params: vec![Param {
                place: Place::Path,
                name: "id",
                schema: "Text",
                required: true,
                text: t("出口の名前またはID", "Name or id of the outlet"),
            }],
            request: None,
            response: (200, Some(("application/json", "Document".to_owned()))),
            refusals: &[404],
        };
        let path = format!("/api/v1/threat_intelligence/outlets/{{id}}/{deed}");
        let route = match deed {
            "token" => Route::post(&path, write, title, renew_by_api),
            _ => Route::post(&path, write, title, end_by_api),
        };
        all.push(route.api(api));
    }
    all.extend(fetch::routes());
    all
}

/// Whether a reader may see what lists hold, and make tokens: who writes outlets, binds all.
fn may_keep(house: &House, reader: &Reader) -> bool {
    house.kind(Table::Rule, OUTLET).is_some_and(|(_, kind)| reader.may(Action::Write, kind))
}

struct Line {
    outlet: Outlet,
    form: &'static str,
    has_token: bool,
    fetched: Option<Fetched>,
    matrix: Option<Matrix>,
}

impl Line {
    async fn of(house: &House, cx: &Cx, outlet: Outlet) -> Result<Line, Refusal> {
        let (store, id) = (&house.store, outlet.row.id);
        Ok(Line {
            form: form_said(house, cx, &outlet),
            has_token: outlets::token(store, id).await?.is_some(),
            fetched: outlets::fetched(store, id).await?,
            matrix: probe::matrix(store, id).await?,
            outlet,
        })
    }

    fn ceiling(&self) -> &'static str {
        tlp::level(&self.outlet.row, "tlp_ceiling").as_str()
    }

    /// The cells of the matrix, from CLEAR to RED; nothing where it was not probed yet.
    fn cells(&self) -> &[Cell] {
        self.matrix.as_ref().map_or(&[], |matrix| &matrix.cells)
    }

    fn leaks(&self) -> usize {
        self.matrix.as_ref().map_or(0, Matrix::leaks)
    }

    fn is_whole(&self) -> bool {
        self.matrix.as_ref().is_some_and(|matrix| matrix.levels() == self.cells().len())
    }
}

/// The form in the reader's words.
fn form_said(house: &House, cx: &Cx, outlet: &Outlet) -> &'static str {
    let kind = house.kind(Table::Rule, OUTLET).and_then(|(_, kind)| kind.field("form"));
    let Some(model::FieldType::Enum(choices)) = kind.map(|field| field.ty) else { return "" };
    let choice = choices.iter().find(|choice| choice.value == outlet.form);
    choice.map_or("", |choice| cx.pick(&choice.label))
}

/// Class of a cell and its word.
fn cell_said(cx: &Cx, cell: &Cell) -> (&'static str, &'static str) {
    let (class, text) = match (cell.is_permitted, cell.is_shown, cell.is_probed()) {
        (false, true, _) => ("fail", t("漏れた", "leaked")),
        (true, true, _) => ("pass", t("出た", "given")),
        (false, false, true) => ("pass", t("出さない", "withheld")),
        _ => ("unknown", t("未確認", "not probed")),
    };
    (class, cx.pick(&text))
}

#[derive(Template)]
#[template(path = "intelligence_outlets.html")]
struct OutletsPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    may_keep: bool,
    levels: [&'static str; 5],
}

impl OutletsPage<'_> {
    fn leaks(&self) -> usize {
        self.lines.iter().map(Line::leaks).sum()
    }

    fn when(&self, at: &str) -> String {
        model::Timestamp::parse(at).map_or_else(|| at.to_owned(), |at| self.cx.time(&at))
    }

    fn unprobed(&self) -> usize {
        self.lines.iter().filter(|line| line.outlet.is_open() && !line.is_whole()).count()
    }

    fn said(&self, cell: &Cell) -> (&'static str, &'static str) {
        cell_said(self.cx, cell)
    }
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let mut lines = Vec::new();
    for outlet in outlets::all(&house.store).await? {
        lines.push(Line::of(&house, cx, outlet).await?);
    }
    let may_keep = may_keep(&house, user.reader());
    let levels = indicators::tlp::Level::ALL.map(|level| level.as_str());
    page(cx, cx.t("出口", "Outlets"), &OutletsPage { cx, lines, may_keep, levels })
}

/// One of the lists of an outlet.
struct Shown {
    path: String,
    rows: u64,
    left: Vec<(&'static str, u64)>,
    withheld: Vec<(&'static str, u64)>,
    /// Its first lines.
    begin: String,
    is_cut: bool,
    sequence: u64,
}

#[derive(Template)]
#[template(path = "intelligence_outlet.html")]
struct OutletPage<'a> {
    cx: &'a Cx,
    line: Line,
    token: Option<Token>,
    lists: Vec<Shown>,
    steps: Vec<Step>,
    may_keep: bool,
    /// A token that was just made.
    made: Option<String>,
}

impl OutletPage<'_> {
    fn said(&self, cell: &Cell) -> (&'static str, &'static str) {
        cell_said(self.cx, cell)
    }

    fn when(&self, at: &str) -> String {
        model::Timestamp::parse(at).map_or_else(|| at.to_owned(), |at| self.cx.time(&at))
    }

    fn level(&self, cell: &Cell) -> &'static str {
        tlp::named(&cell.level).map_or("", |level| level.as_str())
    }

    fn how<'c>(&self, cell: &'c Cell) -> &'c str {
        match cell.how.as_str() {
            "http" => "HTTP",
            "in_process" => self.cx.t("内部の同じ処理", "the same code, in process"),
            why => why,
        }
    }
}

async fn show_one(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    headers: HeaderMap,
) -> Answer {
    shown(&house, &user, id, &headers, None).await
}

async fn shown(
    house: &Shared,
    user: &User,
    id: Id,
    headers: &HeaderMap,
    made: Option<String>,
) -> Answer {
    let cx = &user.cx;
    let row = outlet(house, id).await?;
    let may_keep = may_keep(house, user.reader());
    let one = Outlet::of(&row);
    let mut lists = Vec::new();
    if one.is_open() && may_keep {
        for (part, form) in one.parts() {
            let made = render::made(house, &one, *form).await.map_err(broken)?;
            lists.push(list(cx, &one, part, &made).await?);
        }
    }
    let steps = setup::steps(cx, &one, &base(house, headers).await?);
    let token = outlets::token(&house.store, id).await?;
    let line = Line::of(house, cx, one).await?;
    let title = row.name.clone();
    page(cx, &title, &OutletPage { cx, line, token, lists, steps, may_keep, made })
}

async fn list(cx: &Cx, outlet: &Outlet, part: &str, made: &render::Made) -> Result<Shown, Refusal> {
    let mut begin = vec![0; SHOWN_BYTES_MAX];
    let mut file = tokio::fs::File::open(&made.path).await.map_err(broken)?;
    let mut read = 0;
    while read < begin.len() {
        let more = file.read(&mut begin[read..]).await.map_err(broken)?;
        if more == 0 {
            break;
        }
        read += more;
    }
    let is_cut = file.metadata().await.map_err(broken)?.len() > read as u64;
    begin.truncate(read);
    let mut begin = String::from_utf8_lossy(&begin).into_owned();
    if is_cut && let Some(end) = begin.rfind('\n') {
        begin.truncate(end);
    }
    let level = |word: &str| tlp::named(word).map_or("", |level| level.as_str());
    Ok(Shown {
        path: path(outlet, part),
        rows: made.summary.rows,
        left: made.summary.left.iter().map(|(why, rows)| (left_said(cx, *why), *rows)).collect(),
        withheld: made.withheld.iter().map(|(word, rows)| (level(word), *rows)).collect(),
        begin,
        is_cut,
        sequence: made.sequence,
    })
}

fn left_said(cx: &Cx, left: Left) -> &'static str {
    let text = match left {
        Left::AlertOnly => t("検知のみ（遮断しない）", "told of only"),
        Left::NotNow => t("期間外", "outside its period"),
        Left::OtherDirection => t("向きが違う", "other direction"),
        Left::OtherKind => t("この形で扱わない種類", "a kind that the form does not take"),
        Left::Reach => t("この形では表せない範囲", "a reach that the form cannot say"),
        Left::Long => t("長すぎる", "too long"),
        Left::Full => t("上限を超えた", "beyond the limit"),
    };
    cx.pick(&text)
}

fn path(outlet: &Outlet, part: &str) -> String {
    let name = urlencode(&outlet.row.name);
    match part.is_empty() {
        true => format!("/outlets/{name}"),
        false => format!("/outlets/{name}?part={part}"),
    }
}

/// A name as one segment of an address.
fn urlencode(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Where others reach this server: the public address, else that by which the reader came.
async fn base(house: &House, headers: &HeaderMap) -> Result<String, Refusal> {
    if let Some(origin) = house.store.setting("public_origin").await? {
        return Ok(origin.trim_end_matches('/').to_owned());
    }
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost:8620");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '[' | ']');
    let host = if host.chars().all(is_plain) { host } else { "localhost:8620" };
    Ok(format!("{}://{host}", if house.secure { "https" } else { "http" }))
}

async fn outlet(house: &House, id: Id) -> Result<Row, Refusal> {
    let row = house.store.row(Table::Rule, id).await?;
    row.filter(|row| row.kind == OUTLET && !row.deleted).ok_or(Refusal::NotFound)
}

#[derive(Deserialize)]
struct TokenForm {
    csrf: String,
}

async fn renew(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    headers: HeaderMap,
    Posted(form): Posted<TokenForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let row = outlet(&house, id).await?;
    if !may_keep(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    let token = outlets::renew_token(&house.store, &row, &user.actor()).await.map_err(broken)?;
    house.wake();
    let answer = shown(&house, &user, id, &headers, Some(token)).await?;
    // Shown once: neither browser nor proxy keeps it.
    Ok(([("cache-control", "no-store")], answer).into_response())
}

async fn end(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Posted(form): Posted<TokenForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let row = outlet(&house, id).await?;
    if !may_keep(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    outlets::revoke_token(&house.store, &row, &user.actor()).await.map_err(broken)?;
    house.wake();
    Ok(Redirect::to(&format!("{PATH}/{id}")).into_response())
}

async fn document(State(house): State<Shared>, caller: Caller) -> Response {
    match listed(&house).await {
        Ok(all) => Document(all).into_response(),
        Err(error) => Problem::of_store(caller.cx.lang, &error).into_response(),
    }
}

/// The outlet that a caller may keep, by name or id.
async fn kept(
    house: &House,
    caller: &Caller,
    name: &str,
) -> Result<Option<Row>, store::StoreError> {
    if !may_keep(house, &caller.reader) {
        return Ok(None);
    }
    let all = outlets::all(&house.store).await?;
    let mut found =
        all.into_iter().filter(|one| one.row.name == name || one.row.id.to_string() == name);
    Ok(match (found.next(), found.next()) {
        (Some(outlet), None) => Some(outlet.row),
        _ => None,
    })
}

fn none(caller: &Caller) -> Response {
    let what = t("この出口はありません。", "There is no such outlet.");
    Problem::new(caller.cx.lang, problem::NOT_FOUND, what).into_response()
}

async fn renew_by_api(
    State(house): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
) -> Response {
    let row = match kept(&house, &caller, &name).await {
        Ok(Some(row)) => row,
        Ok(None) => return none(&caller),
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    match outlets::renew_token(&house.store, &row, &caller.actor()).await {
        Ok(token) => {
            house.wake();
            let body = json!({ "outlet": row.id, "token": token });
            ([("cache-control", "no-store")], Document(body)).into_response()
        }
        Err(error) => Problem::broken(caller.cx.lang, &error).into_response(),
    }
}

async fn end_by_api(
    State(house): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
) -> Response {
    let row = match kept(&house, &caller, &name).await {
        Ok(Some(row)) => row,
        Ok(None) => return none(&caller),
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    match outlets::revoke_token(&house.store, &row, &caller.actor()).await {
        Ok(()) => {
            house.wake();
            Document(json!({ "outlet": row.id })).into_response()
        }
        Err(error) => Problem::broken(caller.cx.lang, &error).into_response(),
    }
}

async fn listed(house: &House) -> Result<Json, store::StoreError> {
    let mut all = Vec::new();
    for outlet in outlets::all(&house.store).await? {
        let id = outlet.row.id;
        all.push(json!({
            "id": id,
            "name": outlet.row.name,
            "form": outlet.form,
            "tlp_ceiling": inbox::tlp_word(tlp::level(&outlet.row, "tlp_ceiling")),
            "is_open": outlet.is_open(),
            "paths": outlet.parts().iter().map(|(part, _)| path(&outlet, part)).collect::<Vec<_>>(),
            "has_token": outlets::token(&house.store, id).await?.is_some(),
            "fetched": outlets::fetched(&house.store, id).await?,
            "probed": probe::matrix(&house.store, id).await?,
        }));
    }
    Ok(json!({ "outlets": all }))
}
