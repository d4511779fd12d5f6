//! `/api/v1/threat_intelligence/channels` and `…/explain`: what the pages of channels and of a value say and do, for
//! programs and the command line.
//!
//! Invariants: a token is in the answer that made it and nowhere else.

use axum::{
    Json as Document,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::Row;
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    route::{Access, Api, Param, Place, Route},
};

use super::may_judge;
use crate::work::{
    channels,
    inbox::ITEM,
    peers::{probe, told},
    share::{self, Given},
};

const BASE: &str = "/api/v1/threat_intelligence/channels";
const VALUE_CHARS_MAX: usize = 2_000;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let id = Param {
        place: Place::Path,
        name: "id",
        schema: "Id",
        required: true,
        text: t("チャネルのID", "Id of the channel"),
    };
    let value = Param {
        place: Place::Query,
        name: "value",
        schema: "Text",
        required: true,
        text: t("調べる値", "The value that is asked about"),
    };
    let document = |name: &str, params: Vec<Param>| Api {
        tag: "threat_intelligence",
        id: format!("threat_intelligence_{name}"),
        params,
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[400, 404],
    };
    let given = Api {
        request: Some(("application/json", "Document".to_owned())),
        ..document("channel_give", vec![id])
    };
    let one = format!("{BASE}/{{id}}");
    let listed = t("共有チャネル", "Sharing channels");
    let shown = t("共有チャネルの詳細", "A sharing channel");
    let token = t("チャネルの鍵を作る", "Make the token of a channel");
    let ended = t("チャネルの鍵を失効させる", "End the token of a channel");
    let probed = t("疎通を確かめる", "Probe a channel");
    let give = t("脅威情報を渡す", "Give an item to a peer");
    let why = t("なぜ遮断・検知されるか", "Why a value is met");
    vec![
        Route::get(BASE, inspect, listed, list).api(document("channels", Vec::new())),
        Route::get(&one, inspect, shown, show).api(document("channel", vec![id])),
        Route::post(&format!("{one}/token"), write, token, make_token)
            .api(document("channel_token", vec![id])),
        Route::post(&format!("{one}/revoke"), write, ended, end_token)
            .api(document("channel_revoke", vec![id])),
        Route::post(&format!("{one}/probe"), write, probed, run_probe)
            .api(document("channel_probe", vec![id])),
        Route::post(&format!("{one}/give"), write, give, give_item).api(given),
        Route::get("/api/v1/threat_intelligence/explain", inspect, why, explained)
            .api(document("explain", vec![value])),
    ]
}

fn failed(caller: &Caller, error: impl std::fmt::Display) -> Response {
    Problem::saying(caller.cx.lang, problem::BAD_REQUEST, error.to_string()).into_response()
}

fn absent(caller: &Caller) -> Response {
    let detail = t("共有チャネルがありません。", "There is no such channel.");
    Problem::new(caller.cx.lang, problem::NOT_FOUND, detail).into_response()
}

fn answer(caller: &Caller, outcome: Result<Json, room::Error>) -> Response {
    match outcome {
        Ok(json) => Document(json).into_response(),
        Err(error) => failed(caller, error),
    }
}

/// The channel, for those who may judge; else the answer that refuses.
async fn found(house: &Shared, caller: &Caller, id: &str) -> Result<Row, Response> {
    let Ok(id) = id.parse::<Id>() else { return Err(absent(caller)) };
    let row = told::channel(&house.store, id).await.map_err(|error| failed(caller, error))?;
    let row = row.ok_or_else(|| absent(caller))?;
    match may_judge(house, &caller.reader) {
        true => Ok(row),
        false => {
            let detail =
                t("脅威情報を判定する役割が必要です。", "It takes a role that judges items.");
            Err(Problem::new(caller.cx.lang, problem::FORBIDDEN, detail).into_response())
        }
    }
}

async fn list(State(house): State<Shared>, caller: Caller) -> Response {
    let all = told::documents(&house.store).await.map(|all| json!({ "channels": all }));
    answer(&caller, all)
}

async fn show(State(house): State<Shared>, caller: Caller, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<Id>() else { return absent(&caller) };
    match told::channel(&house.store, id).await {
        Ok(Some(row)) => answer(&caller, told::document(&house.store, &row).await),
        Ok(None) => absent(&caller),
        Err(error) => failed(&caller, error),
    }
}

async fn make_token(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Response {
    let row = match found(&house, &caller, &id).await {
        Ok(row) => row,
        Err(refused) => return refused,
    };
    let token = channels::renew_token(&house.store, row.id, &caller.actor()).await;
    house.wake();
    let made = token.map(|token| json!({ "channel": row.id, "user": row.id, "token": token }));
    // Shown once: nobody on the way keeps it.
    ([("cache-control", "no-store")], answer(&caller, made)).into_response()
}

async fn end_token(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Response {
    let row = match found(&house, &caller, &id).await {
        Ok(row) => row,
        Err(refused) => return refused,
    };
    let ended = channels::revoke_token(&house.store, row.id, &caller.actor()).await;
    house.wake();
    answer(&caller, ended.map(|ended| json!({ "channel": row.id, "ended": ended })))
}

async fn run_probe(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Response {
    let row = match found(&house, &caller, &id).await {
        Ok(row) => row,
        Err(refused) => return refused,
    };
    let outcome = probe::probe(&house.store, &row).await;
    house.wake();
    let said = outcome.map(|outcome| {
        let passed = outcome.is_ok();
        json!({ "channel": row.id, "passed": passed, "reason": outcome.unwrap_or_else(|why| why) })
    });
    answer(&caller, said)
}

#[derive(Deserialize)]
struct Asked {
    item: Id,
}

async fn give_item(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Response {
    let row = match found(&house, &caller, &id).await {
        Ok(row) => row,
        Err(refused) => return refused,
    };
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return failed(&caller, error),
    };
    let item = match house.store.row(Table::Asset, asked.item).await {
        Ok(item) => item.filter(|row| row.kind == ITEM && !row.deleted),
        Err(error) => return failed(&caller, error),
    };
    let Some(item) = item else {
        let detail = t("脅威情報がありません。", "There is no such item.");
        return Problem::new(caller.cx.lang, problem::NOT_FOUND, detail).into_response();
    };
    let objects = match channels::objects(&house).await {
        Ok(objects) => objects,
        Err(error) => return failed(&caller, error),
    };
    let done = share::give(&house, &objects, &row, &item, &caller.actor()).await;
    house.wake();
    match done {
        Ok(Given::Laid(count)) => {
            Document(json!({ "state": "given", "objects": count })).into_response()
        }
        Ok(Given::Queued) => Document(json!({ "state": "queued" })).into_response(),
        Ok(Given::Asked) => Document(json!({ "state": "waits_for_approval" })).into_response(),
        Err(error) => failed(&caller, error),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Value {
    value: String,
}

async fn explained(
    State(house): State<Shared>,
    caller: Caller,
    Query(asked): Query<Value>,
) -> Response {
    let value: String = asked.value.trim().chars().take(VALUE_CHARS_MAX).collect();
    // What is known of attackers is for those who judge it.
    let found = match may_judge(&house, &caller.reader) && !value.is_empty() {
        true => told::why(&house.store, &house.folder().join(intel::FOLDER), &value).await,
        false => Ok(Vec::new()),
    };
    answer(&caller, found.map(|found| json!({ "value": value, "found": found })))
}
