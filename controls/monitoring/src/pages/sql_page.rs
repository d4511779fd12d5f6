//! SQL over the archived events: a page and its document. In a build without SQL both say so.
//!
//! The statement stands in the address of the page, so that it can be kept and sent on. Who may judge findings may ask:
//! they see events whole, and of what a statement makes of them nothing could be masked.

use askama::Template;
use axum::{
    Json as Document,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Lang, Text, Timestamp, t};
use serde::Deserialize;
use serde_json::Value as Json;
use sql::{Answer, Ask, Kind, Limits, Trouble, apart};
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{self, Cx, User},
    route::{Access, Api, Route},
};

use super::findings::{may_judge, may_judge_by};

/// Rows of the page.
const ROWS_SHOWN_MAX: usize = 200;
/// Hours that are looked at unless somebody says otherwise.
const HOURS: i64 = 24;
const EXAMPLE: &str =
    "SELECT source, app, count(*) AS events FROM events GROUP BY source, app ORDER BY events DESC";

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("イベントのSQL検索", "Search events by SQL");
    let api = Route::post("/api/v1/search/sql", inspect, title, answer).api(Api {
        tag: "monitoring",
        id: "search_sql".to_owned(),
        params: Vec::new(),
        request: Some(("application/json", "Document".to_owned())),
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[400, 409, 422],
    });
    vec![Route::get("/events/sql", inspect, title, show), api]
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    sql: String,
    #[serde(default)]
    hours: Option<i64>,
}

#[derive(Template)]
#[template(path = "sql.html")]
struct SqlPage<'a> {
    cx: &'a Cx,
    sql: &'a str,
    hours: i64,
    built: bool,
    trouble: String,
    answer: Option<Answer>,
}

impl SqlPage<'_> {
    fn cell(&self, value: &Json) -> String {
        match value {
            Json::Null => "–".to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

async fn show(
    State(house): State<Shared>,
    user: User,
    Query(asked): Query<Asked>,
) -> frame::Answer {
    let hours = asked.hours.unwrap_or(HOURS).clamp(1, 24 * 366 * 10);
    let (mut trouble, mut answer) = (String::new(), None);
    let is_asked = sql::BUILT && !asked.sql.trim().is_empty();
    if is_asked && !may_judge(&house, &user) {
        trouble = user.cx.pick(&for_judges()).to_owned();
    } else if is_asked {
        let ask = Ask {
            sql: asked.sql.clone(),
            from: Some(house.store.now().minus_hours(hours).0),
            limits: Limits { rows_max: ROWS_SHOWN_MAX, ..Limits::default() },
            ..Ask::default()
        };
        match ran(&house, ask).await {
            Ok(found) => answer = Some(found),
            Err(wrong) => trouble = text(user.cx.lang, &wrong),
        }
    }
    let sql = if asked.sql.is_empty() { EXAMPLE } else { &asked.sql };
    let body = SqlPage { cx: &user.cx, sql, hours, built: sql::BUILT, trouble, answer };
    frame::page(&user.cx, user.cx.t("イベントのSQL検索", "Search events by SQL"), &body)
}

/// A statement could say of people whatever it likes: nothing of it could be masked.
fn for_judges() -> Text {
    t("SQLでの検索は、検知を判断する役割に限ります。", "SQL is for roles that judge findings.")
}

async fn ran(house: &Shared, ask: Ask) -> Result<Answer, Trouble> {
    let folder = house.archive.join("archive");
    let done = tokio::task::spawn_blocking(move || apart::apart(&folder, &ask)).await;
    done.unwrap_or_else(|error| Err(Trouble::new(Kind::Failed, error)))
}

fn text(lang: Lang, trouble: &Trouble) -> String {
    let (ja, en) = trouble.texts();
    if lang == Lang::Ja { ja } else { en }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    sql: String,
    from: Option<String>,
    to: Option<String>,
    source: Option<String>,
}

async fn answer(State(house): State<Shared>, caller: Caller, body: axum::body::Bytes) -> Response {
    let lang = caller.cx.lang;
    let refuse = |kind, said: String| Problem::saying(lang, kind, said).into_response();
    let asked: Request = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return refuse(problem::BAD_REQUEST, error.to_string()),
    };
    if !may_judge_by(&house, &caller) {
        return Problem::new(lang, problem::FORBIDDEN, for_judges()).into_response();
    }
    let moment = |name: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => Timestamp::parse(text).map(|time| Some(time.0)).ok_or(name.to_owned()),
    };
    let span = moment("from", &asked.from).and_then(|from| Ok((from, moment("to", &asked.to)?)));
    let (from, to) = match span {
        Ok(span) => span,
        Err(name) => {
            return refuse(problem::BAD_REQUEST, format!("{name}: 2026-11-28T09:00:00+09:00"));
        }
    };
    let ask = Ask { sql: asked.sql, from, to, source: asked.source, limits: Limits::default() };
    match ran(&house, ask).await {
        Ok(answer) => Document(answer).into_response(),
        Err(trouble) => {
            let kind = match trouble.kind {
                Kind::Busy | Kind::NotBuilt => problem::CONFLICT,
                Kind::Failed => problem::BROKEN,
                _ => problem::INVALID,
            };
            refuse(kind, text(lang, &trouble))
        }
    }
}
