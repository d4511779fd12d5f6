//! Documents of briefs and orders, and what programs may do with them.
//!
//! Invariant: no order is signed here; only the account of an executive acknowledges.

use axum::{
    Json as Document,
    body::Bytes,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use model::{Id, Lang, Text, t};
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

use super::{super::may_judge, orders::may_close};
use crate::work::executive::{
    Horizon, ROLE,
    brief::{self, AcknowledgeError, BriefError},
    orders::{self, CloseError},
};

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let briefs = "/api/v1/threat_intelligence/briefs";
    let orders = "/api/v1/threat_intelligence/orders";
    let (list, one) = (t("脅威の要約", "Threat briefs"), t("一つの要約", "One brief"));
    let issue = t("要約の発行", "Issue a brief");
    let acknowledge = t("要約の確認", "Acknowledge a brief");
    let close = t("指示の完了", "Close an order");
    vec![
        Route::get(briefs, inspect, list, all_briefs).api(api("briefs", &[], false, &[])),
        Route::post(briefs, write, issue, issue_now).api(api(
            "issue_brief",
            &[],
            true,
            &[400, 415, 422],
        )),
        Route::get(&format!("{briefs}/{{id}}"), inspect, one, one_brief).api(api(
            "brief",
            &[ID],
            false,
            &[404],
        )),
        Route::get(&format!("{briefs}/{{id}}/pdf"), inspect, t("要約のPDF", "A brief as PDF"), pdf)
            .api(Api {
                response: (200, Some(("application/pdf", "Binary".to_owned()))),
                ..api("brief_pdf", &[ID, LANG], false, &[404])
            }),
        Route::post(
            &format!("{briefs}/{{id}}/acknowledge"),
            Access::Action(Action::Decide),
            acknowledge,
            acknowledged,
        )
        .api(api("acknowledge_brief", &[ID], false, &[404, 409])),
        Route::get(orders, inspect, t("経営層の指示", "Orders of executives"), all_orders)
            .api(api("orders", &[], false, &[])),
        Route::post(&format!("{orders}/{{id}}/close"), write, close, closed).api(api(
            "close_order",
            &[ID],
            true,
            &[400, 404, 415, 422],
        )),
    ]
}

const ID: Param =
    Param { place: Place::Path, name: "id", schema: "Id", required: true, text: t("ID", "Id") };

const LANG: Param = Param {
    place: Place::Query,
    name: "lang",
    schema: "Text",
    required: false,
    text: t("言語（ja、en）", "Language (ja, en)"),
};

fn api(id: &str, params: &[Param], has_body: bool, refusals: &'static [u16]) -> Api {
    Api {
        tag: "threat_intelligence",
        id: format!("threat_intelligence_{id}"),
        params: params.to_vec(),
        request: has_body.then(|| ("application/json", "Document".to_owned())),
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals,
    }
}

fn no(caller: &Caller, kind: &'static problem::Kind, detail: Text) -> Response {
    Problem::new(caller.cx.lang, kind, detail).into_response()
}

fn absent(caller: &Caller) -> Response {
    no(caller, problem::NOT_FOUND, t("見つかりません。", "There is no such thing."))
}

fn of_store(caller: &Caller, error: &store::StoreError) -> Response {
    Problem::of_store(caller.cx.lang, error).into_response()
}

fn failed(caller: &Caller, error: &BriefError) -> Response {
    match error {
        BriefError::Store(error) => of_store(caller, error),
        BriefError::Pdf(error) => Problem::broken(caller.cx.lang, error).into_response(),
    }
}

/// The body as JSON, or why not.
fn body_of<T: serde::de::DeserializeOwned>(caller: &Caller, body: &Bytes) -> Result<T, Problem> {
    let wrong = |error: serde_json::Error| {
        Problem::saying(caller.cx.lang, problem::BAD_REQUEST, error.to_string())
    };
    serde_json::from_slice(body).map_err(wrong)
}

async fn all_briefs(State(house): State<Shared>, caller: Caller) -> Response {
    let loaded = async {
        let acks = brief::acknowledgements(&house.store).await?;
        Ok::<_, store::StoreError>((brief::records(&house.store).await?, acks))
    };
    match loaded.await {
        Ok((records, acks)) => {
            let items: Vec<_> = records.iter().map(|r| brief::document(r, &acks)).collect();
            Document(json!({ "items": items })).into_response()
        }
        Err(error) => of_store(&caller, &error),
    }
}

async fn one_brief(State(house): State<Shared>, caller: Caller, Path(id): Path<Id>) -> Response {
    match brief::one(&house.store, id).await {
        Ok(Some(found)) => {
            let mut document = brief::document(&found.record, &found.acknowledged);
            document["snapshot"] = json!(found.snapshot);
            Document(document).into_response()
        }
        Ok(None) => absent(&caller),
        Err(error) => of_store(&caller, &error),
    }
}

#[derive(Deserialize)]
struct InLanguage {
    #[serde(default)]
    lang: String,
}

async fn pdf(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<Id>,
    Query(asked): Query<InLanguage>,
) -> Response {
    let lang = Lang::parse(&asked.lang).unwrap_or(caller.cx.lang);
    match brief::one(&house.store, id).await {
        Ok(Some(found)) => match found.pdf(lang) {
            Ok(Some(bytes)) => ([(header::CONTENT_TYPE, "application/pdf")], bytes).into_response(),
            Ok(None) => absent(&caller),
            Err(error) => failed(&caller, &error),
        },
        Ok(None) => absent(&caller),
        Err(error) => of_store(&caller, &error),
    }
}

#[derive(Deserialize)]
struct Issue {
    horizon: String,
}

async fn issue_now(State(house): State<Shared>, caller: Caller, body: Bytes) -> Response {
    let horizon = match body_of::<Issue>(&caller, &body) {
        Ok(asked) => Horizon::named(&asked.horizon),
        Err(refused) => return refused.into_response(),
    };
    let Some(horizon) = horizon else {
        let said = t(
            "horizonはshort_termかlong_termにしてください。",
            "horizon is short_term or long_term.",
        );
        return no(&caller, problem::INVALID, said);
    };
    if !may_judge(&house, &caller.reader) {
        return no(&caller, problem::FORBIDDEN, t("権限がありません。", "This is not permitted."));
    }
    match brief::issue(&house.store, horizon, &caller.actor()).await {
        Ok(record) => {
            house.wake();
            Document(brief::document(&record, &[])).into_response()
        }
        Err(error) => failed(&caller, &error),
    }
}

async fn acknowledged(State(house): State<Shared>, caller: Caller, Path(id): Path<Id>) -> Response {
    let found = match brief::one(&house.store, id).await {
        Ok(Some(found)) if found.snapshot.is_some() => found,
        Ok(_) => return absent(&caller),
        Err(error) => return of_store(&caller, &error),
    };
    if caller.local.is_some() || caller.account.role != ROLE {
        let said = t(
            "要約を確認できるのは経営層のアカウントだけです。",
            "Only the account of an executive acknowledges a brief.",
        );
        return no(&caller, problem::FORBIDDEN, said);
    }
    match brief::acknowledge(&house.store, &found, &caller.actor()).await {
        Ok(record) => {
            house.wake();
            Document(json!({ "record": record.id, "brief": id })).into_response()
        }
        Err(AcknowledgeError::Twice) => {
            let said = t("この要約は確認済みです。", "This brief was acknowledged already.");
            no(&caller, problem::CONFLICT, said)
        }
        Err(AcknowledgeError::Store(error)) => of_store(&caller, &error),
    }
}

async fn all_orders(State(house): State<Shared>, caller: Caller) -> Response {
    let zone = house.people.local().zone.clone();
    let loaded = async {
        let all = orders::all(&house.store, &zone).await?;
        let owners = orders::owners(&house.store, &all).await?;
        Ok::<_, store::StoreError>((all, owners))
    };
    match loaded.await {
        Ok((all, owners)) => {
            let now = house.store.now();
            let owner = |given: &orders::Given| given.owner.and_then(|id| owners.get(&id));
            let items: Vec<_> =
                all.iter().map(|given| orders::document(given, owner(given), now)).collect();
            Document(json!({ "items": items })).into_response()
        }
        Err(error) => of_store(&caller, &error),
    }
}

#[derive(Deserialize)]
struct Close {
    proof: String,
}

async fn closed(
    State(house): State<Shared>,
    caller: Caller,
    Path(id): Path<Id>,
    body: Bytes,
) -> Response {
    let asked = match body_of::<Close>(&caller, &body) {
        Ok(asked) => asked,
        Err(refused) => return refused.into_response(),
    };
    if !may_close(&house, &caller.reader) {
        return no(&caller, problem::FORBIDDEN, t("権限がありません。", "This is not permitted."));
    }
    let store = &house.store;
    let zone = house.people.local().zone.clone();
    let done = async {
        let all = orders::all(store, &zone).await?;
        let Some(given) = all.iter().find(|given| given.decision.id == id) else {
            return Ok(None);
        };
        let proof = orders::proof(store, given, &asked.proof).await?;
        let write = store.write(&caller.actor(), "an order is carried out", "api").await?;
        Ok::<_, CloseError>(Some(orders::close(store, write, given, &proof).await?))
    };
    match done.await {
        Ok(Some(record)) => {
            house.wake();
            let in_time = record.facts.get("in_time");
            Document(json!({ "record": record.id, "order": id, "in_time": in_time }))
                .into_response()
        }
        Ok(None) => absent(&caller),
        Err(CloseError::Store(error)) => of_store(&caller, &error),
        Err(error) => {
            let said = super::orders::close_text(&error, caller.cx.lang);
            Problem::saying(caller.cx.lang, problem::INVALID, said).into_response()
        }
    }
}
