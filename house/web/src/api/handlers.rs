//! The routes of the API: thin hands between HTTP and [`Desk`].

use axum::{
    Json as JsonBody,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{Id, Table, Text, Timestamp, t};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use store::{Once, RecordFilter};

use super::{
    Caller,
    desk::{BookAsked, Desk, Made, PAGE_ROWS_MAX, Page},
    problem::{self, Problem},
    records::record_json,
};
use crate::{
    Shared,
    access::Action::{Read, Write},
    book::Clash,
    route::{Access, Api, Param, Place, Route},
};

/// Table and name of its collection.
pub const COLLECTIONS: [(Table, &str); 10] = [
    (Table::Party, "parties"),
    (Table::Asset, "assets"),
    (Table::Link, "links"),
    (Table::Norm, "norms"),
    (Table::Rule, "rules"),
    (Table::Check, "checks"),
    (Table::Risk, "risks"),
    (Table::Decision, "decisions"),
    (Table::Plan, "plans"),
    (Table::Task, "tasks"),
];
/// Media types of a table that is imported.
pub const IMPORT_TYPES: [&str; 2] =
    ["text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"];
const JSON: &str = "application/json";
const KEY_BYTES_MAX: usize = 200;

/// The name of a table's collection.
pub fn collection(table: Table) -> &'static str {
    COLLECTIONS.iter().find(|(t, _)| *t == table).map_or("records", |(_, name)| name)
}

type Reply = Result<Response, Problem>;

const fn param(
    place: Place,
    name: &'static str,
    schema: &'static str,
    ja: &'static str,
    en: &'static str,
) -> Param {
    let required = matches!(place, Place::Path);
    Param { place, name, schema, required, text: t(ja, en) }
}

const ID: Param = param(Place::Path, "id", "Id", "番号", "Id");
const AFTER: Param = param(Place::Query, "after", "Cursor", "続きの位置", "Where to go on");
const LIMIT: Param = param(Place::Query, "limit", "Limit", "件数", "How many");
const SUBJECT: Param = param(Place::Query, "subject", "Id", "対象の番号", "Id of the subject");
const AS_OF: Param = param(Place::Query, "as_of", "Time", "この時点の内容", "As it stood then");
const IF_MATCH: Param = Param {
    required: true,
    ..param(Place::Header, "If-Match", "Etag", "見ていた版", "The version you saw")
};
const ONCE: Param = param(
    Place::Header,
    "Idempotency-Key",
    "Key",
    "同じキーの要求は24時間に一度だけ効きます",
    "Requests with the same key count once within 24 hours",
);

struct Doc {
    method: Method,
    path: String,
    id: String,
    summary: Text,
    params: Vec<Param>,
    request: Option<(&'static str, String)>,
    response: (u16, Option<(&'static str, String)>),
    refusals: &'static [u16],
}

impl Doc {
    fn route<H, T>(self, tag: &'static str, handler: H) -> Route
    where
        H: axum::handler::Handler<T, Shared>,
        T: 'static,
    {
        let action = if self.method == Method::GET { Read } else { Write };
        Route::new(self.method, &self.path, Access::Action(action), self.summary, handler).api(
            Api {
                tag,
                id: self.id,
                params: self.params,
                request: self.request,
                response: self.response,
                refusals: self.refusals,
            },
        )
    }
}

/// Every route of the API that the house answers itself.
pub fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for (table, name) in COLLECTIONS {
        routes.extend(rows(table, name));
    }
    routes.extend(record_routes());
    routes.push(book());
    routes.extend(super::local::routes());
    routes
}

/// The import of whole workbooks.
fn book() -> Route {
    let check = "trueなら確認だけ";
    let to = "種類。なければ、判断できた表をすべて取り込みます";
    let to_en = "Kind of the first table; without it every table recognised is taken";
    let doc = Doc {
        method: Method::POST,
        path: "/api/v1/import".to_owned(),
        id: "book_import".to_owned(),
        summary: t(
            "ブック（xlsx・CSV）の取込み。見つけた表と、すべての行の判定を返します",
            "Import a workbook (xlsx, CSV); answers the tables found and what becomes of every row",
        ),
        params: vec![
            param(Place::Query, "as", "Word", to, to_en),
            param(Place::Query, "check", "Flag", check, "True: judge only, save nothing"),
            param(
                Place::Query,
                "conflicts",
                "Word",
                "書き出し後に台帳も変わった行の扱い（refuse、keep、take）",
                "Rows changed here since their export: refuse, keep or take",
            ),
            param(Place::Query, "name", "Words", "ファイル名", "Name of the file"),
        ],
        request: Some((IMPORT_TYPES[0], "Text".to_owned())),
        response: (200, Some((JSON, "BookImported".to_owned()))),
        refusals: &[400, 409, 412, 413, 415, 422],
    };
    doc.route("import", import_book).body_max(reports::FILE_BYTES_MAX)
}

#[derive(Deserialize)]
struct BookQuery {
    #[serde(rename = "as")]
    to: Option<String>,
    check: Option<String>,
    conflicts: Option<String>,
    name: Option<String>,
}

async fn import_book(
    State(house): State<Shared>,
    caller: Caller,
    query: Asked<BookQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let desk = caller.desk(&house);
    let query = asked(&desk, query)?;
    is_table(&desk, &headers)?;
    let clash = match given(query.conflicts) {
        None => Clash::Refuse,
        Some(word) => Clash::parse(&word).ok_or_else(|| {
            let ja = "refuse、keep、takeのどれかにしてください。";
            desk.bad_parameter("conflicts", ja, "Must be refuse, keep or take.")
        })?,
    };
    let asked = BookAsked {
        name: given(query.name).unwrap_or_default(),
        to: given(query.to),
        check_only: is_check(&desk, query.check)?,
        clash,
    };
    let json = desk.import_book(asked, body.to_vec()).await?;
    house.wake();
    Ok(JsonBody(json).into_response())
}

fn is_table(desk: &Desk<'_>, headers: &HeaderMap) -> Result<(), Problem> {
    if IMPORT_TYPES.contains(&media_type(headers)) {
        return Ok(());
    }
    let (ja, en) = ("CSVかxlsxで送ってください。", "Send text/csv or an xlsx workbook.");
    Err(desk.refuse(problem::MEDIA, ja, en))
}

fn is_check(desk: &Desk<'_>, check: Option<String>) -> Result<bool, Problem> {
    match given(check).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => {
            let ja = "trueかfalseにしてください。";
            Err(desk.bad_parameter("check", ja, "Must be true or false."))
        }
    }
}

fn rows(table: Table, name: &'static str) -> Vec<Route> {
    let base = format!("/api/v1/{name}");
    let one = format!("{base}/{{id}}");
    let doc = |method: Method, path: &str, verb: &str, ja, en| Doc {
        method,
        path: path.to_owned(),
        id: format!("{}_{verb}", table.name()),
        summary: t(ja, en),
        params: Vec::new(),
        request: None,
        response: (200, Some((JSON, "Row".to_owned()))),
        refusals: &[400, 404],
    };
    let list_params = vec![
        AFTER,
        LIMIT,
        param(Place::Query, "kind", "Word", "種類", "Kind"),
        param(Place::Query, "q", "Words", "検索語", "Words to find"),
        SUBJECT,
        param(Place::Query, "status", "Word", "状態", "Status"),
        AS_OF,
    ];
    let list = Doc {
        params: list_params,
        response: (200, Some((JSON, "Rows".to_owned()))),
        refusals: &[400],
        ..doc(Method::GET, &base, "list", "一覧", "List")
    };
    let create = Doc {
        params: vec![ONCE],
        request: Some((JSON, format!("{}_new", table.name()))),
        response: (201, Some((JSON, "Row".to_owned()))),
        refusals: &[400, 409, 413, 415, 422],
        ..doc(Method::POST, &base, "create", "追加", "Add")
    };
    let import = Doc {
        params: vec![
            Param { required: true, ..param(Place::Query, "kind", "Word", "種類", "Kind") },
            param(
                Place::Query,
                "check",
                "Flag",
                "trueなら確認だけ",
                "True: judge only, save nothing",
            ),
        ],
        request: Some((IMPORT_TYPES[0], "Text".to_owned())),
        response: (200, Some((JSON, "Imported".to_owned()))),
        refusals: &[400, 409, 412, 413, 415, 422],
        ..doc(
            Method::POST,
            &format!("{base}/import"),
            "import",
            "表（CSV・xlsx）の取込み。すべて取り込むか、何も取り込まないかです",
            "Import a table (CSV, xlsx), all or nothing",
        )
    };
    let get = Doc { params: vec![ID, AS_OF], ..doc(Method::GET, &one, "get", "表示", "Show") };
    let change = Doc {
        params: vec![ID, IF_MATCH],
        request: Some(("application/merge-patch+json", format!("{}_change", table.name()))),
        refusals: &[400, 404, 409, 412, 413, 415, 422, 428],
        ..doc(Method::PATCH, &one, "change", "変更（RFC 7396）", "Change (RFC 7396)")
    };
    let delete = Doc {
        params: vec![ID, IF_MATCH],
        response: (204, None),
        refusals: &[400, 404, 409, 412, 428],
        ..doc(Method::DELETE, &one, "delete", "削除（履歴は残る）", "Delete; the history stays")
    };
    let history = Doc {
        params: vec![ID],
        response: (200, Some((JSON, "History".to_owned()))),
        ..doc(Method::GET, &format!("{one}/history"), "history", "履歴", "History")
    };
    vec![
        list.route(name, move |house, caller, query| list_rows(table, house, caller, query)),
        create.route(name, move |house, caller, headers, body| {
            create_row(table, house, caller, headers, body)
        }),
        import
            .route(name, move |house, caller, query, headers, body| {
                import_rows(table, house, caller, query, headers, body)
            })
            .body_max(reports::FILE_BYTES_MAX),
        get.route(name, move |house, caller, id, query| get_row(table, house, caller, id, query)),
        change.route(name, move |house, caller, id, headers, body| {
            change_row(table, house, caller, id, headers, body)
        }),
        delete.route(name, move |house, caller, id, headers| {
            delete_row(table, house, caller, id, headers)
        }),
        history.route(name, move |house, caller, id| row_history(table, house, caller, id)),
    ]
}

fn record_routes() -> Vec<Route> {
    let doc = |method: Method, path: &str, verb: &str, ja, en| Doc {
        method,
        path: format!("/api/v1/records{path}"),
        id: format!("record_{verb}"),
        summary: t(ja, en),
        params: vec![ID],
        request: None,
        response: (200, Some((JSON, "Record".to_owned()))),
        refusals: &[400, 404],
    };
    let list = Doc {
        params: vec![
            AFTER,
            LIMIT,
            param(Place::Query, "type", "Word", "記録の種類", "Record type"),
            SUBJECT,
            AS_OF,
        ],
        response: (200, Some((JSON, "Records".to_owned()))),
        refusals: &[400],
        ..doc(Method::GET, "", "list", "記録の一覧（新しい順）", "List records, newest first")
    };
    let append = Doc {
        params: vec![ONCE],
        request: Some((JSON, "record_new".to_owned())),
        response: (201, Some((JSON, "Record".to_owned()))),
        refusals: &[400, 409, 413, 415, 422],
        ..doc(Method::POST, "", "append", "記録の追加（取込み）", "Append a record (imported)")
    };
    let proof = Doc {
        response: (200, Some(("text/plain", "Text".to_owned()))),
        refusals: &[404, 409],
        ..doc(
            Method::GET,
            "/{id}/proof",
            "proof",
            "証跡に含まれることの証明（C2SP tlog-proof）",
            "Proof that the ledger holds it (C2SP tlog-proof)",
        )
    };
    vec![
        list.route("records", list_records),
        append.route("records", append_record),
        doc(Method::GET, "/{id}", "get", "記録の表示", "Show a record")
            .route("records", get_record),
        proof.route("records", record_proof),
    ]
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    after: Option<String>,
    limit: Option<String>,
    kind: Option<String>,
    q: Option<String>,
    subject: Option<String>,
    status: Option<String>,
    as_of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordsQuery {
    after: Option<String>,
    limit: Option<String>,
    #[serde(rename = "type")]
    ty: Option<String>,
    subject: Option<String>,
    as_of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GetQuery {
    as_of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    kind: Option<String>,
    check: Option<String>,
}

type Asked<T> = Result<Query<T>, QueryRejection>;

fn asked<T>(desk: &Desk<'_>, query: Asked<T>) -> Result<T, Problem> {
    query
        .map(|Query(q)| q)
        .map_err(|error| Problem::saying(desk.lang, problem::BAD_REQUEST, error.body_text()))
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

/// A text that may reach the database: PostgreSQL has no NUL.
fn word(desk: &Desk<'_>, name: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    match given(text) {
        Some(text) if text.contains('\0') => {
            Err(desk.bad_parameter(name, "NUL文字は使えません。", "NUL is not allowed."))
        }
        text => Ok(text),
    }
}

fn limit(desk: &Desk<'_>, text: Option<String>) -> Result<Option<usize>, Problem> {
    let Some(text) = given(text) else { return Ok(None) };
    let number = text.parse().ok().filter(|n| (1..=PAGE_ROWS_MAX).contains(n));
    number.map(Some).ok_or_else(|| {
        let ja = "1から100までの整数にしてください。";
        desk.bad_parameter("limit", ja, "Must be a whole number from 1 to 100.")
    })
}

fn id_of(desk: &Desk<'_>, name: &str, text: Option<String>) -> Result<Option<Id>, Problem> {
    let Some(text) = given(text) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        desk.bad_parameter(name, "番号（UUID）が必要です。", "Must be the id of a row.")
    })
}

fn time(desk: &Desk<'_>, text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = given(text) else { return Ok(None) };
    // In a query string a bare + means a blank.
    Timestamp::parse(&text.replace(' ', "+")).map(Some).ok_or_else(|| {
        let ja = "時刻はRFC 3339で書いてください。";
        desk.bad_parameter("as_of", ja, "Must be a time such as 2026-11-25T09:00:00Z.")
    })
}

async fn list_rows(
    table: Table,
    State(house): State<Shared>,
    caller: Caller,
    query: Asked<ListQuery>,
) -> Reply {
    let desk = caller.desk(&house);
    let query = asked(&desk, query)?;
    let page = Page {
        after: given(query.after),
        limit: limit(&desk, query.limit)?,
        kind: word(&desk, "kind", query.kind)?,
        q: word(&desk, "q", query.q)?,
        subject: id_of(&desk, "subject", query.subject)?,
        status: word(&desk, "status", query.status)?,
        as_of: time(&desk, query.as_of)?,
    };
    Ok(JsonBody(desk.list(table, &page).await?).into_response())
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

/// The body as one JSON object.
fn object(
    desk: &Desk<'_>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Map<String, Json>, Problem> {
    let media = media_type(headers).to_ascii_lowercase();
    if !matches!(media.as_str(), JSON | "application/merge-patch+json") {
        let (ja, en) = ("application/jsonで送ってください。", "Send application/json.");
        return Err(desk.refuse(problem::MEDIA, ja, en));
    }
    match serde_json::from_slice(body) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => {
            let fault = desk.fault("", "JSONオブジェクトが必要です。", "Must be a JSON object.");
            Err(Problem::invalid(desk.lang, vec![fault]))
        }
        Err(error) => Err(Problem::saying(desk.lang, problem::BAD_REQUEST, error.to_string())),
    }
}

/// Key and content of the request as hashes, if it is to count once.
fn once(
    desk: &Desk<'_>,
    caller: &Caller,
    what: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Option<Once>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let (ja, en) = ("1から200バイトにしてください。", "Must have 1 to 200 bytes.");
        return Err(desk.bad_parameter("Idempotency-Key", ja, en));
    }
    let hash = |parts: &[&[u8]]| {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    };
    Ok(Some(Once {
        key_hash: hash(&[caller.account.id.to_string().as_bytes(), key.as_bytes()]),
        request_hash: hash(&[what.as_bytes(), body]),
    }))
}

fn etag(version: i64) -> (HeaderName, HeaderValue) {
    let text = format!("\"{version}\"");
    (header::ETAG, HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("\"0\"")))
}

fn created(house: &Shared, at: &str, made: Made) -> Response {
    if !made.repeated {
        house.wake();
    }
    let location = [(header::LOCATION, format!("/api/v1/{at}/{}", made.id))];
    let mut response = (StatusCode::CREATED, location, JsonBody(made.json)).into_response();
    if at != "records" {
        let (name, value) = etag(made.version);
        response.headers_mut().insert(name, value);
    }
    if made.repeated {
        let name = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}

async fn create_row(
    table: Table,
    State(house): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let desk = caller.desk(&house);
    let object = object(&desk, &headers, &body)?;
    let once = once(&desk, &caller, table.name(), &headers, &body)?;
    let made = desk.create(table, &object, once).await?;
    Ok(created(&house, collection(table), made))
}

async fn import_rows(
    table: Table,
    State(house): State<Shared>,
    caller: Caller,
    query: Asked<ImportQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let desk = caller.desk(&house);
    let query = asked(&desk, query)?;
    is_table(&desk, &headers)?;
    let check_only = is_check(&desk, query.check)?;
    let kind = given(query.kind).unwrap_or_default();
    let json = desk.import(table, &kind, body.to_vec(), check_only).await?;
    house.wake();
    Ok(JsonBody(json).into_response())
}

async fn get_row(
    table: Table,
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    query: Asked<GetQuery>,
) -> Reply {
    let desk = caller.desk(&house);
    let as_of = time(&desk, asked(&desk, query)?.as_of)?;
    let row = desk.row(table, &id, as_of).await?;
    Ok(([etag(row.version)], JsonBody(desk.json(&row))).into_response())
}

/// The version in `If-Match`: what the caller saw.
fn saw(desk: &Desk<'_>, headers: &HeaderMap) -> Result<i64, Problem> {
    let needed = || {
        desk.refuse(
            problem::VERSION,
            "読んだときのETagをIf-Matchに入れてください。*は使えません。",
            "Put the ETag you read into If-Match; * is not taken.",
        )
    };
    let value = headers.get(header::IF_MATCH).ok_or_else(needed)?;
    let text = value.to_str().unwrap_or("").trim();
    if text.is_empty() || text == "*" {
        return Err(needed());
    }
    let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    // Any other tag is well formed but none of ours, so it cannot match.
    Ok(bare.and_then(|t| t.parse().ok()).unwrap_or(-1))
}

async fn change_row(
    table: Table,
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let desk = caller.desk(&house);
    let saw = saw(&desk, &headers)?;
    let object = object(&desk, &headers, &body)?;
    let row = desk.change(table, &id, saw, &object).await?;
    house.wake();
    Ok(([etag(row.version)], JsonBody(desk.json(&row))).into_response())
}

async fn delete_row(
    table: Table,
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Reply {
    let desk = caller.desk(&house);
    desk.delete(table, &id, saw(&desk, &headers)?).await?;
    house.wake();
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn row_history(
    table: Table,
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    Ok(JsonBody(caller.desk(&house).history(table, &id).await?).into_response())
}

async fn list_records(
    State(house): State<Shared>,
    caller: Caller,
    query: Asked<RecordsQuery>,
) -> Reply {
    let desk = caller.desk(&house);
    let query = asked(&desk, query)?;
    let filter = RecordFilter {
        ty: word(&desk, "type", query.ty)?,
        subject: id_of(&desk, "subject", query.subject)?,
        as_of: time(&desk, query.as_of)?,
        ..RecordFilter::default()
    };
    let limit = limit(&desk, query.limit)?;
    let json = desk.list_records(given(query.after).as_deref(), limit, filter).await?;
    Ok(JsonBody(json).into_response())
}

async fn append_record(
    State(house): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let desk = caller.desk(&house);
    let object = object(&desk, &headers, &body)?;
    let once = once(&desk, &caller, "record", &headers, &body)?;
    Ok(created(&house, "records", desk.append(&object, once).await?))
}

async fn get_record(State(house): State<Shared>, caller: Caller, Path(id): Path<String>) -> Reply {
    let record = caller.desk(&house).record(&id).await?;
    Ok(JsonBody(record_json(&record)).into_response())
}

async fn record_proof(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    let desk = caller.desk(&house);
    let record = desk.record(&id).await?;
    let Some(index) = record.leaf_index else {
        let mut problem = desk.refuse(
            problem::CONFLICT,
            "まだ証跡に入っていません。1秒ほど待ってください。",
            "It is not in the ledger yet. Wait a second.",
        );
        problem.headers.push((header::RETRY_AFTER, "1".to_owned()));
        return Err(problem);
    };
    let proof = house.ledger.lock().await.proof(index);
    let proof = proof.map_err(|error| Problem::broken(desk.lang, &error))?;
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, proof.to_string()).into_response())
}
