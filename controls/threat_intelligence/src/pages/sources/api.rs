//! `/api/v1/threat_intelligence/sources`.

use std::time::Duration;

use axum::{
    Json as Document,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::{Id, Text, t};
use serde::Deserialize;
use serde_json::json;
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    route::{Access, Api, Param, Place, Route},
};

use super::{begin, may_keep};
use crate::work::feeds::{
    hold::{self, HoldError, Ruling},
    rows,
    secret::{self, Secret},
    shown,
};

/// How long an answer waits for a fetch.
const WAIT: Duration = Duration::from_secs(20);

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("入手先", "Sources of intelligence");
    let id = Param {
        place: Place::Path,
        name: "id",
        schema: "Id",
        required: true,
        text: t("入手先", "Source"),
    };
    let document = || Some(("application/json", "Document".to_owned()));
    let api = |name: &str, has_id: bool| Api {
        tag: "threat_intelligence",
        id: format!("threat_intelligence_{name}"),
        params: if has_id { vec![id] } else { Vec::new() },
        request: None,
        response: (200, document()),
        refusals: if has_id { &[404] } else { &[] },
    };
    let fetched = Api { refusals: &[404, 409], ..api("source_fetch", true) };
    let ruled = Api {
        request: document(),
        refusals: &[400, 404, 409, 415, 422],
        ..api("source_ruling", true)
    };
    let base = "/api/v1/threat_intelligence/sources";
    let one = format!("{base}/{{id}}");
    vec![
        Route::get(base, inspect, title, list).api(api("sources", false)),
        Route::get(&one, inspect, title, show).api(api("source", true)),
        Route::post(&format!("{one}/fetch"), write, t("今すぐ取得", "Fetch a source now"), fetch)
            .api(fetched),
        Route::post(
            &format!("{one}/ruling"),
            write,
            t("保留した受領の判断", "Rule on a held delivery"),
            ruling,
        )
        .api(ruled),
        Route::post(&format!("{one}/key"), write, t("入手先の鍵", "Key of a source"), key).api(
            Api { request: document(), refusals: &[400, 404, 415, 422], ..api("source_key", true) },
        ),
    ]
}

type Said = Result<Response, Problem>;

fn failed(caller: &Caller, error: &room::Error) -> Problem {
    match error {
        room::Error::Store(error) => Problem::of_store(caller.cx.lang, error),
        other => Problem::saying(caller.cx.lang, problem::BROKEN, other.to_string()),
    }
}

fn absent(caller: &Caller) -> Problem {
    let said = t("使用中の入手先ではありません。", "There is no such source in use.");
    Problem::new(caller.cx.lang, problem::NOT_FOUND, said)
}

async fn list(State(house): State<Shared>, caller: Caller) -> Said {
    let all = shown::all(&house.store).await.map_err(|error| failed(&caller, &error))?;
    let items: Vec<_> = all.iter().map(shown::Shown::document).collect();
    Ok(Document(json!({ "items": items })).into_response())
}

async fn show(State(house): State<Shared>, caller: Caller, Path(id): Path<Id>) -> Said {
    Ok(Document(document(&house, &caller, id).await?).into_response())
}

async fn document(house: &Shared, caller: &Caller, id: Id) -> Result<serde_json::Value, Problem> {
    let feeds = rows::feeds(house).await.map_err(|error| failed(caller, &error))?;
    let one = shown::one(&house.store, Some(&feeds), id).await;
    let one = one.map_err(|error| failed(caller, &error))?.ok_or_else(|| absent(caller))?;
    Ok(one.document())
}

async fn fetch(State(house): State<Shared>, caller: Caller, Path(id): Path<Id>) -> Said {
    kept(&house, &caller)?;
    document(&house, &caller, id).await?;
    match tokio::time::timeout(WAIT, begin(&house, id)).await {
        Ok(Ok(Ok(Some(_)))) => Ok(Document(document(&house, &caller, id).await?).into_response()),
        Ok(Ok(Ok(None))) => {
            let said = t("取得中です。", "It is being fetched already.");
            Err(Problem::new(caller.cx.lang, problem::CONFLICT, said))
        }
        Ok(Ok(Err(error))) => Err(failed(&caller, &error)),
        Ok(Err(error)) => Err(Problem::saying(caller.cx.lang, problem::BROKEN, error.to_string())),
        // It goes on; how it went is shown with the source.
        Err(_) => {
            let document = document(&house, &caller, id).await?;
            Ok((StatusCode::ACCEPTED, Document(document)).into_response())
        }
    }
}

fn kept(house: &Shared, caller: &Caller) -> Result<(), Problem> {
    let said: Text = t("入手先を変える権限がありません。", "Your role does not keep sources.");
    match may_keep(house, &caller.reader) {
        true => Ok(()),
        false => Err(Problem::new(caller.cx.lang, problem::FORBIDDEN, said)),
    }
}

/// Keeps what opens a source; the answer says only that it is there.
async fn key(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<Id>,
    body: axum::body::Bytes,
) -> Said {
    kept(&house, &caller)?;
    let lang = caller.cx.lang;
    document(&house, &caller, id).await?;
    // What was given is not repeated in the refusal.
    let secret: Secret = serde_json::from_slice(&body).map_err(|_| {
        let said = t(
            "user・password・key・identity（PEM）を文字列で持つJSONを送ってください。",
            "Send JSON with user, password, key or identity (PEM) as texts.",
        );
        Problem::new(lang, problem::BAD_REQUEST, said)
    })?;
    if let Err(fault) = secret.check() {
        let (ja, en) = fault.words();
        let said = if lang == model::Lang::Ja { ja } else { en };
        return Err(Problem::saying(lang, problem::INVALID, said));
    }
    let saved = secret::save(&house.store, id, &secret, &caller.actor()).await;
    saved.map_err(|error| Problem::of_store(lang, &error))?;
    Ok(Document(document(&house, &caller, id).await?).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    ruling: String,
    reason: String,
}

async fn ruling(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<Id>,
    body: axum::body::Bytes,
) -> Said {
    kept(&house, &caller)?;
    let lang = caller.cx.lang;
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| Problem::saying(lang, problem::BAD_REQUEST, error.to_string()))?;
    let ruling = Ruling::named(&asked.ruling).ok_or_else(|| {
        let said = t("rulingは confirm か reject です。", "ruling is confirm or reject.");
        Problem::new(lang, problem::INVALID, said)
    })?;
    let done = hold::rule(&house, id, ruling, &asked.reason, &caller.actor()).await;
    match done {
        Ok(()) => Ok(Document(document(&house, &caller, id).await?).into_response()),
        Err(HoldError::Source) => Err(absent(&caller)),
        Err(error) => {
            let kind = match error {
                HoldError::Reason => problem::INVALID,
                HoldError::Room(_) => problem::BROKEN,
                _ => problem::CONFLICT,
            };
            let (ja, en) = error.words();
            let said = match lang {
                model::Lang::Ja => ja,
                model::Lang::En => en,
            };
            Err(Problem::saying(lang, kind, said))
        }
    }
}
