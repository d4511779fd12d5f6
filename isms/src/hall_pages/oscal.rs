//! `/api/v1/isms/oscal/…`: the ISMS as OSCAL documents, and OSCAL documents as drafts of our rows.

use ::oscal::Form;
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use model::{Lang, t};
use serde::Deserialize;
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    route::{Access, Api, Param, Place, Route},
};

use super::api_board;
use crate::{
    oscal::{self, ExportError, ImportError, Model},
    shared::SharedBoard,
};

/// Largest document taken; the largest known catalogue has some 10 MiB.
const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;

pub(super) fn routes() -> Vec<Route> {
    let param = |place, name, schema, ja, en| Param {
        place,
        name,
        schema,
        required: place == Place::Path,
        text: t(ja, en),
    };
    let lang = param(Place::Query, "lang", "Word", "ja または en", "ja or en");
    let export = Route::get(
        "/api/v1/isms/oscal/{model}",
        Access::Action(Action::Inspect),
        t("OSCALの文書としての書き出し", "Export as an OSCAL document"),
        export,
    )
    .api(Api {
        tag: "isms",
        id: "oscal_export".to_owned(),
        params: vec![
            param(
                Place::Path,
                "model",
                "Word",
                "catalog、profile、component-definition、ssp、assessment-plan、assessment-results、poam",
                "catalog, profile, component-definition, ssp, assessment-plan, assessment-results, poam",
            ),
            param(Place::Query, "format", "Word", "json または yaml", "json or yaml"),
            lang,
            param(
                Place::Query,
                "plain",
                "Flag",
                "trueなら、取り込んだファイルに重ねない",
                "True: not laid over the file imported last",
            ),
        ],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[404, 409],
    });
    let import = Route::post(
        "/api/v1/isms/oscal",
        Access::Action(Action::Write),
        t(
            "OSCALの文書の取込み。すべて取り込むか、何も取り込まないかです",
            "Import an OSCAL document, all or nothing",
        ),
        import,
    )
    .body_max(BODY_BYTES_MAX)
    .api(Api {
        tag: "isms",
        id: "oscal_import".to_owned(),
        params: vec![
            param(
                Place::Query,
                "check",
                "Flag",
                "trueなら確認だけ",
                "True: judge only, save nothing",
            ),
            param(Place::Query, "name", "Text", "ファイル名", "Name of the file"),
        ],
        request: Some(("application/octet-stream", "Binary".to_owned())),
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[400, 409, 412, 413, 422],
    });
    vec![export, import]
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    format: String,
    #[serde(default)]
    lang: String,
    #[serde(default)]
    plain: bool,
}

async fn export(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    caller: Caller,
    Path(model): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let lang = caller.cx.lang;
    let unknown = t("この種類の文書はありません。", "There is no such model.");
    let model =
        Model::parse(&model).ok_or_else(|| Problem::new(lang, problem::NOT_FOUND, unknown))?;
    let board = match api_board(lang, &shared) {
        Ok(board) => board,
        Err(wait) => return Ok(*wait),
    };
    let told = Lang::parse(&wanted.lang).unwrap_or(lang);
    let document = oscal::export_over(&house.store, &board, model, told, wanted.plain).await;
    let document = document.map_err(|error| export_problem(lang, error))?;
    let (form, media) = match wanted.format.as_str() {
        "yaml" => (Form::Yaml, "application/yaml; charset=utf-8"),
        _ => (Form::Json, "application/json"),
    };
    Ok(([(header::CONTENT_TYPE, media)], document.write(form)).into_response())
}

fn export_problem(lang: Lang, error: ExportError) -> Problem {
    match error {
        ExportError::Store(error) => Problem::of_store(lang, &error),
        error => Problem::saying(lang, problem::CONFLICT, error.text(lang)),
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    check: bool,
    #[serde(default)]
    name: String,
}

async fn import(
    State(house): State<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let lang = caller.cx.lang;
    let bad = |error| import_problem(lang, error);
    let draft = oscal::read(&house.store, &bytes, lang).await.map_err(bad)?;
    if asked.check {
        return Ok(Json(draft.to_json(false, None)).into_response());
    }
    let name = if asked.name.is_empty() { "oscal.json" } else { &asked.name };
    let file = oscal::keep(&house.store, name, &bytes, &caller.actor()).await.map_err(bad)?;
    let write = caller.desk(&house).write("OSCAL import").await?;
    oscal::take(&house.store, &draft, &file, write).await.map_err(bad)?;
    house.wake();
    Ok(Json(draft.to_json(true, Some(&file))).into_response())
}

fn import_problem(lang: Lang, error: ImportError) -> Problem {
    match error {
        ImportError::Store(error) => Problem::of_store(lang, &error),
        error => Problem::saying(lang, problem::INVALID, error.text(lang)),
    }
}
