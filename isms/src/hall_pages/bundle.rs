//! The audit bundle for whoever may inspect, and the verdict that comes back.
//!
//! One bundle at a time: each is held in memory until it is sent. Payloads go along only for a reader
//! who may change records everywhere: who may change something sees it whole, and nobody else does.

use axum::{
    Extension, Form, Json,
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use model::{Id, Lang, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value, json};

use tokio::sync::Semaphore;
use web::{
    Shared,
    access::{Action, Reader},
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Refusal, User},
    route::{Access, Api, Param, Place as At, Route},
    when::{self, WhenError},
};

use crate::{
    Board,
    bundle::{
        self, BundleError, Issued, Scope, Wish,
        verdict::{self, Place, VerdictError},
    },
    shared::SharedBoard,
};

const PATH: &str = "/api/v1/isms/bundle";
static ONE: Semaphore = Semaphore::const_new(1);

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let query =
        |name, schema, text| Param { place: At::Query, name, schema, required: false, text };
    let title = t("監査バンドルの作成", "Make an audit bundle");
    let taken = t("監査バンドルの検証結果の取り込み", "Take in a verdict on a bundle");
    let document = || ("application/json", "Document".to_owned());
    vec![
        Route::post("/soa/bundle", inspect, title, page),
        Route::get(PATH, inspect, title, api).api(Api {
            tag: "isms",
            id: "bundle".to_owned(),
            params: vec![
                query("scope", "Word", t("allか管理策の番号", "all, or numbers of controls")),
                query("as_of", "Word", t("過去の日か日時", "A day or time in the past")),
                query("payloads", "Flag", t("ペイロードも含める", "With payloads")),
            ],
            request: None,
            response: (200, Some(("application/zip", "Binary".to_owned()))),
            refusals: &[409, 422],
        }),
        Route::post("/api/v1/isms/bundle-verified", Access::Action(Action::Write), taken, take)
            .body_max(verdict::BYTES_MAX)
            .api(Api {
                tag: "isms",
                id: "bundle_verified".to_owned(),
                params: Vec::new(),
                request: Some(document()),
                response: (201, Some(document())),
                refusals: &[400, 422],
            }),
    ]
}

/// What is asked for in a query or a form.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    as_of: String,
    #[serde(default)]
    payloads: String,
}

/// Whether a reader sees payloads that may hold something personal.
pub(super) fn sees_payloads(reader: &Reader) -> bool {
    reader.bounds_of_records().is_whole()
}

impl Asked {
    fn wish(&self, reader: &Reader, now: Timestamp, zone: &TimeZone) -> Result<Wish, Wrong> {
        let payloads = matches!(self.payloads.as_str(), "true" | "1" | "on");
        if payloads && !sees_payloads(reader) {
            return Err(Wrong::Payloads);
        }
        let as_of = when::moment(&self.as_of, now, zone).map_err(Wrong::Time)?;
        Ok(Wish { scope: Scope::parse(&self.scope), as_of, payloads })
    }
}

/// Why no bundle is given out.
enum Wrong {
    Payloads,
    Time(WhenError),
    Busy,
    Bundle(BundleError),
}

impl Wrong {
    fn text(&self, lang: Lang) -> String {
        let pair = match self {
            Wrong::Payloads => t(
                "ペイロードを含められるのは、記録を変更できる役割だけです。",
                "Only a role that may change records gets payloads.",
            ),
            Wrong::Time(error) => error.text(),
            Wrong::Busy => t(
                "別の監査バンドルを作成中です。少し待ってからやり直してください。",
                "Another bundle is being made. Try again in a moment.",
            ),
            Wrong::Bundle(error) => {
                return if lang == Lang::Ja { error.ja() } else { error.to_string() };
            }
        };
        pair.get(lang).to_owned()
    }

    fn kind(&self) -> &'static problem::Kind {
        match self {
            Wrong::Payloads => problem::FORBIDDEN,
            Wrong::Busy => problem::CONFLICT,
            Wrong::Bundle(error) if !error.is_asked_wrong() => problem::BROKEN,
            _ => problem::INVALID,
        }
    }
}

async fn make(house: &Shared, board: &Board, wish: &Wish, actor: &str) -> Result<Issued, Wrong> {
    let _turn = ONE.try_acquire().map_err(|_| Wrong::Busy)?;
    let made = bundle::issue(&house.store, &house.ledger, board, wish, actor).await;
    house.wake();
    made.map_err(Wrong::Bundle)
}

fn zip(board: &Board, issued: Issued) -> Response {
    let day: String = board.at.rfc3339().chars().take(10).collect();
    let name = format!("attachment; filename=\"ume-bundle-{day}-{}.zip\"", &issued.hash[..8]);
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::HeaderName::from_static("x-ume-bundle"), issued.hash),
    ];
    (headers, issued.bytes).into_response()
}

async fn page(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Form(asked): Form<Asked>,
) -> Answer {
    user.form(&asked.csrf, Action::Inspect)?;
    let board = shared.wait().await;
    let refuse = |wrong: Wrong| match wrong {
        Wrong::Payloads => Refusal::Forbidden,
        Wrong::Busy => Refusal::Busy,
        Wrong::Bundle(BundleError::Store(error)) => Refusal::Store(error),
        Wrong::Bundle(BundleError::Ledger(error)) => Refusal::Ledger(error),
        other => Refusal::Bad(other.text(user.cx.lang)),
    };
    let wish = asked.wish(user.reader(), house.store.now(), &user.cx.local.zone).map_err(refuse)?;
    let issued = make(&house, &board, &wish, &user.actor()).await.map_err(refuse)?;
    Ok(zip(&board, issued))
}

async fn api(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Response {
    let lang = caller.cx.lang;
    let board = match super::api_board(lang, &shared) {
        Ok(board) => board,
        Err(wait) => return *wait,
    };
    let done = async {
        let wish = asked.wish(&caller.reader, house.store.now(), &caller.cx.local.zone)?;
        make(&house, &board, &wish, &caller.actor()).await
    };
    match done.await {
        Ok(issued) => zip(&board, issued),
        Err(wrong) => Problem::saying(lang, wrong.kind(), wrong.text(lang)).into_response(),
    }
}

/// A verdict, and who verified.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Handed {
    verdict: Value,
    #[serde(default)]
    verifier: Option<Id>,
}

async fn take(
    State(house): State<Shared>,
    caller: Caller,
    Json(handed): Json<Value>,
) -> Result<Response, Problem> {
    let lang = caller.cx.lang;
    if !sees_payloads(&caller.reader) {
        let text = t(
            "検証結果を取り込めるのは、記録を書ける役割だけです。",
            "Only a role that writes records takes verdicts in.",
        );
        return Err(Problem::new(lang, problem::FORBIDDEN, text));
    }
    let handed: Handed = serde_json::from_value(handed)
        .map_err(|error| Problem::saying(lang, problem::INVALID, error.to_string()))?;
    let own_key = house.ledger.lock().await.verifier_key();
    let here = Place::here(house.store.now());
    let actor = caller.actor();
    let taken =
        verdict::take(&house.store, &handed.verdict, handed.verifier, &own_key, &here, &actor)
            .await;
    let record = taken.map_err(|error| match error {
        VerdictError::Store(error) => Problem::of_store(lang, &error),
        error if lang == Lang::Ja => Problem::saying(lang, problem::INVALID, error.ja()),
        error => Problem::saying(lang, problem::INVALID, error.to_string()),
    })?;
    house.wake();
    let status = axum::http::StatusCode::CREATED;
    let body =
        json!({"id": record.id, "assurance": record.assurance.name(), "facts": record.facts});
    Ok((status, Json(body)).into_response())
}
