//! VEX as documents: our decisions for others (`/configuration/vex?form=`), statements of suppliers for us.

use askama::Template;
use axum::{
    Json as Document,
    body::Bytes,
    extract::{Multipart, Query, State, multipart::MultipartError},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Record, StoreError, Write};
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Fault, Problem},
        records::record_json,
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use super::sbom::attachment;
use crate::impact::vex::{
    self, DOCUMENT_BYTES_MAX, FORMS, House, RECORD, Refused, Rulings, justification_text,
};

const RECEIVED_SHOWN: usize = 50;
const OWN_SHOWN: usize = 200;
/// Who makes the statements, where nothing else says so.
const AUTHOR: &str = "Ume";

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let (all, add) = (
        t("影響の有無の決定と声明（VEX）", "Decisions and statements (VEX)"),
        t("VEXの取込み", "Take in a VEX document"),
    );
    let param =
        |name, schema, text| Param { place: Place::Query, name, schema, required: false, text };
    let api = |id: &str, params, request, status, refusals| Api {
        tag: "configuration",
        id: id.to_owned(),
        params,
        request,
        response: (status, Some(("application/json", "Document".to_owned()))),
        refusals,
    };
    let form = param(
        "form",
        "Text",
        t("形式：openvex、cyclonedx、csaf-2.0、csaf-2.1", "openvex, cyclonedx, csaf-2.0, csaf-2.1"),
    );
    let asset = param("asset", "Id", t("対象のソフトウェア", "Software it is about"));
    let body = Some(("application/octet-stream", "Binary".to_owned()));
    vec![
        Route::get("/configuration/vex", inspect, all, show),
        Route::post("/configuration/vex", write, add, receive)
            .body_max(DOCUMENT_BYTES_MAX + 64 * 1024),
        Route::get("/api/v1/configuration/vex", inspect, all, export_api).api(api(
            "configuration_vex",
            vec![form],
            None,
            200,
            &[422],
        )),
        Route::post("/api/v1/configuration/vex", write, add, receive_api)
            .body_max(DOCUMENT_BYTES_MAX)
            .api(api("configuration_vex_add", vec![asset], body, 201, &[404, 413, 422])),
    ]
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    form: String,
    #[serde(default)]
    asset: String,
}

/// Our decisions as a document of that form.
async fn written(house: &Shared, form: &str) -> Result<Option<(String, String)>, room::Error> {
    let form = if form.is_empty() { "openvex" } else { form };
    let Some((name, form)) = FORMS.iter().find(|(name, _)| *name == form) else { return Ok(None) };
    let rulings = Rulings::load(&house.store).await?;
    let origin = house.store.setting("ledger_origin").await?.unwrap_or_default();
    let namespace = format!("https://{}", if origin.is_empty() { "ume.local" } else { &origin });
    let made = House { author: AUTHOR, namespace: &namespace, now: house.store.now() };
    let text = serde_json::to_string_pretty(&vex::export(&rulings, *form, &made));
    Ok(Some((text.unwrap_or_default(), format!("vex.{name}.json"))))
}

struct Own {
    id: Id,
    advisory: String,
    purl: String,
    status: &'static str,
    why: String,
    fact: String,
    by: String,
    until: String,
}

#[derive(Template)]
#[template(path = "vex.html")]
struct VexPage<'a> {
    cx: &'a Cx,
    own: Vec<Own>,
    received: Vec<(Id, String, i64, String)>,
    forms: Vec<&'static str>,
    may_write: bool,
    problems: Vec<String>,
}

async fn body<'a>(
    house: &Shared,
    cx: &'a Cx,
    problems: Vec<String>,
) -> Result<VexPage<'a>, Refusal> {
    let rulings =
        Rulings::load(&house.store).await.map_err(|error| Refusal::Bad(error.to_string()))?;
    let one = |own: &&vex::Own| Own {
        id: own.id,
        advisory: own.decision.advisory.clone(),
        purl: own.decision.purl.to_string(),
        status: cx.pick(&crate::impact::sentence::state_text(own.decision.status.state().name())),
        why: own
            .justification
            .as_deref()
            .map_or_else(|| own.words.clone(), |word| justification_text(word, cx.lang)),
        fact: own.fact.clone(),
        by: own.by.clone(),
        until: cx.opt_time(&own.ends),
    };
    let received = house.store.newest_records(&[RECORD], None, RECEIVED_SHOWN).await?;
    let line = |record: &Record| {
        let author = record.facts.get("author").and_then(Json::as_str).unwrap_or_default();
        let count = record.facts.get("statements").and_then(Json::as_i64).unwrap_or(0);
        (record.id, author.to_owned(), count, cx.time(&record.observed_to))
    };
    Ok(VexPage {
        cx,
        own: rulings.own().iter().take(OWN_SHOWN).map(one).collect(),
        received: received.iter().map(line).collect(),
        forms: FORMS.iter().map(|(name, _)| *name).collect(),
        may_write: cx.may_write(),
        problems,
    })
}

async fn show(State(house): State<Shared>, user: User, Query(wanted): Query<Wanted>) -> Answer {
    let cx = &user.cx;
    if wanted.form.is_empty() {
        return page(cx, "VEX", &body(&house, cx, Vec::new()).await?);
    }
    let written =
        written(&house, &wanted.form).await.map_err(|error| Refusal::Bad(error.to_string()))?;
    let (text, name) = written.ok_or(Refusal::NotFound)?;
    Ok(attachment(text, &name, "application/json"))
}

async fn export_api(
    State(house): State<Shared>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Response {
    let lang = caller.cx.lang;
    match written(&house, &wanted.form).await {
        Ok(Some((text, name))) => attachment(text, &name, "application/json"),
        Ok(None) => {
            let what = t(
                "formはopenvex、cyclonedx、csaf-2.0、csaf-2.1のいずれかです。",
                "form is openvex, cyclonedx, csaf-2.0 or csaf-2.1.",
            );
            Problem::new(lang, problem::INVALID, what).into_response()
        }
        Err(error) => Problem::broken(lang, &error).into_response(),
    }
}

enum Failed {
    Refused(Refused),
    Store(StoreError),
}

async fn take(
    house: &Shared,
    mut write: Write<'_>,
    document: Vec<u8>,
    asset: Option<Id>,
    source: &'static str,
) -> Result<Record, Failed> {
    let now = house.store.now();
    let read =
        tokio::task::spawn_blocking(move || vex::received(&document, asset, source, now)).await;
    let draft = read
        .map_err(|error| Failed::Refused(Refused(vec![error.to_string()])))?
        .map_err(Failed::Refused)?;
    let record = write.record(draft).await.map_err(Failed::Store)?;
    write.commit().await.map_err(Failed::Store)?;
    house.wake();
    Ok(record)
}

async fn receive(State(house): State<Shared>, user: User, mut upload: Multipart) -> Answer {
    let bad = |error: MultipartError| Refusal::Bad(error.body_text());
    let (mut csrf, mut file) = (String::new(), Vec::new());
    while let Some(part) = upload.next_field().await.map_err(bad)? {
        match part.name() {
            Some("csrf") => csrf = part.text().await.map_err(bad)?,
            Some("file") => file = part.bytes().await.map_err(bad)?.to_vec(),
            _ => {}
        }
    }
    user.form(&csrf, Action::Write)?;
    let cx = &user.cx;
    let write = user.write(&house, "statements of a supplier").await?;
    match take(&house, write, file, None, "web").await {
        Ok(_) => Ok(Redirect::to("/configuration/vex").into_response()),
        Err(Failed::Refused(Refused(problems))) => {
            let answer = page(cx, "VEX", &body(&house, cx, problems).await?)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, answer).into_response())
        }
        Err(Failed::Store(error)) => Err(error.into()),
    }
}

async fn receive_api(
    State(house): State<Shared>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
    bytes: Bytes,
) -> Response {
    let lang = caller.cx.lang;
    let absent = || {
        let what = t("この資産はありません。", "There is no such asset.");
        Problem::new(lang, problem::NOT_FOUND, what).into_response()
    };
    let asset = match wanted.asset.as_str() {
        "" => None,
        id => match id.parse::<Id>() {
            Ok(id) => Some(id),
            Err(_) => return absent(),
        },
    };
    if let Some(id) = asset {
        match house.store.rows_by_id(Table::Asset, &[id]).await {
            Ok(rows) if rows.is_empty() => return absent(),
            Ok(_) => {}
            Err(error) => return Problem::of_store(lang, &error).into_response(),
        }
    }
    let write = match house.store.write(&caller.actor(), "statements of a supplier", "api").await {
        Ok(write) => write.bounded(caller.reader.bounds(house.specs())),
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    };
    match take(&house, write, bytes.to_vec(), asset, "api").await {
        Ok(record) => (StatusCode::CREATED, Document(record_json(&record))).into_response(),
        Err(Failed::Refused(Refused(problems))) => {
            let fault = |what: &String| Fault { pointer: String::new(), detail: what.clone() };
            Problem::invalid(lang, problems.iter().take(100).map(fault).collect()).into_response()
        }
        Err(Failed::Store(error)) => Problem::of_store(lang, &error).into_response(),
    }
}
