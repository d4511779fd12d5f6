//! `/api/v1/configuration/sheets`: a workbook held against hosts, recorded and filled, as the page does it.
//!
//! Invariant: a layout that departs from a confirmed one is refused with its cell, unless the caller asks for a new
//! mapping.

use std::sync::Arc;

use axum::{
    Json as Document,
    body::Bytes,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Id, Lang, Table, t};
use serde::Deserialize;
use serde_json::json;
use web::{
    House, Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    route::{Access, Api, Param, Place, Route},
};

use super::sheets::{book_response, today, within};
use crate::sheets::{self, Fault, Held, Proposed};

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let text = |name, schema, ja, en| Param {
        place: Place::Query,
        name,
        schema,
        required: false,
        text: t(ja, en),
    };
    let params = || {
        vec![
            text("name", "Text", "ファイル名", "Name of the file"),
            text(
                "host",
                "Text",
                "シートにホスト名がないときのホストのID",
                "Id of the host meant where a sheet names none",
            ),
            text(
                "anew",
                "Flag",
                "確認済みの対応付けとずれていても、見出しから対応付けをやり直す",
                "Map by the headers, though columns were moved since the mapping was confirmed",
            ),
        ]
    };
    let octets = || Some(("application/octet-stream", "Binary".to_owned()));
    let held = Api {
        tag: "configuration",
        id: "configuration_sheet_compare".to_owned(),
        params: [params(), vec![text("record", "Flag", "記録も残す", "Record it as well")]]
            .concat(),
        request: octets(),
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[400, 413, 415, 422],
    };
    let filled = Api {
        id: "configuration_sheet_fill".to_owned(),
        params: params(),
        response: (200, octets()),
        ..held.clone()
    };
    let listed = Api {
        id: "configuration_sheets".to_owned(),
        params: Vec::new(),
        request: None,
        refusals: &[],
        ..held.clone()
    };
    let path = "/api/v1/configuration/sheets";
    vec![
        Route::get(path, inspect, t("パラメータシートの記録", "Sheets recorded"), list_api)
            .api(listed),
        Route::post(
            path,
            write,
            t("シートと実機の照合", "Hold a sheet against hosts"),
            compare_api,
        )
        .body_max(reports::FILE_BYTES_MAX)
        .api(held),
        Route::post(
            "/api/v1/configuration/sheets/filled",
            write,
            t("シートへの記入", "Fill a sheet"),
            fill_api,
        )
        .body_max(reports::FILE_BYTES_MAX)
        .api(filled),
    ]
}

async fn list_api(State(house): State<Shared>, caller: Caller) -> Response {
    let lang = caller.cx.lang;
    let listed = async {
        let records = house.store.newest_records(&[sheets::RECORD], None, 100).await?;
        let ids: Vec<Id> = records.iter().filter_map(|record| record.subject).collect();
        let seen = house.store.reached(Table::Asset, &ids, &within(&caller.reader)).await?;
        let one = |record: &store::Record| {
            json!({
                "record": record.id.to_string(), "host": record.subject.map(|id| id.to_string()),
                "observed_to": record.observed_to.rfc3339(), "facts": record.facts,
            })
        };
        let mine = |record: &&store::Record| record.subject.is_some_and(|id| seen.contains(&id));
        Ok::<_, store::StoreError>(records.iter().filter(mine).map(one).collect::<Vec<_>>())
    };
    match listed.await {
        Ok(listed) => Document(json!({ "sheets": listed })).into_response(),
        Err(error) => Problem::of_store(lang, &error).into_response(),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    name: String,
    host: String,
    anew: bool,
    record: bool,
}

fn problem_of(lang: Lang, fault: &Fault) -> Problem {
    match fault {
        Fault::Store(error) => Problem::of_store(lang, error),
        Fault::Read(reports::SheetError::Large(_)) => {
            Problem::saying(lang, problem::LARGE, fault.text(lang))
        }
        other => Problem::saying(lang, problem::INVALID, other.text(lang)),
    }
}

/// The workbook of a request held against hosts, as the page does it; a layout that departs from a confirmed one is
/// refused unless the caller asks for a new mapping.
async fn held_for(
    house: &House,
    caller: &Caller,
    asked: &Asked,
    bytes: Arc<Vec<u8>>,
) -> Result<(Proposed, Held), Fault> {
    let book = Arc::new(sheets::read(bytes).await?);
    let reach = within(&caller.reader);
    let mut proposed = sheets::proposed(&house.store, &book, &reach).await?;
    if !asked.anew && !proposed.shifted.is_empty() {
        return Err(Fault::Shifted(proposed.shifted.remove(0)));
    }
    let maps = Arc::new(proposed.maps.clone());
    let held = sheets::hold(&house.store, book, maps, asked.host.parse().ok(), &reach).await?;
    Ok((proposed, held))
}

async fn compare_api(
    State(house): State<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
    body: Bytes,
) -> Response {
    let lang = caller.cx.lang;
    let bytes = Arc::new(body.to_vec());
    let (proposed, held) = match held_for(&house, &caller, &asked, bytes.clone()).await {
        Ok(held) => held,
        Err(fault) => return problem_of(lang, &fault).into_response(),
    };
    let mut document = sheets::document(&proposed, &held, lang);
    if asked.record {
        match record_for(&house, &caller, &asked, &bytes, &held).await {
            Ok(recorded) => document["recorded"] = json!(recorded),
            Err(error) => return Problem::of_store(lang, &error).into_response(),
        }
    }
    Document(document).into_response()
}

async fn record_for(
    house: &House,
    caller: &Caller,
    asked: &Asked,
    bytes: &[u8],
    held: &Held,
) -> Result<usize, store::StoreError> {
    let store = &house.store;
    let mut upload = store.upload().await?;
    upload.write(bytes).await?;
    let name = if asked.name.is_empty() { "sheet.xlsx" } else { &asked.name };
    let blob = store.keep(upload, name, &caller.actor()).await?;
    let write = store.write(&caller.actor(), "parameter sheet", "api").await?;
    let mut write = write.bounded(caller.reader.bounds(house.specs()));
    let recorded = sheets::keep(&mut write, held, &blob.sha256, store.now()).await?;
    write.commit().await?;
    house.wake();
    Ok(recorded)
}

async fn fill_api(
    State(house): State<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
    body: Bytes,
) -> Response {
    let bytes = Arc::new(body.to_vec());
    let filled = async {
        let (proposed, held) = held_for(&house, &caller, &asked, bytes.clone()).await?;
        sheets::filled(bytes, &proposed.maps, &held.lines, &today(&caller.cx)).await
    };
    match filled.await {
        Ok(filled) => book_response(&asked.name, filled.bytes),
        Err(fault) => problem_of(caller.cx.lang, &fault).into_response(),
    }
}
