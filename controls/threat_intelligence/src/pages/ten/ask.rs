//! An edition from a file and a proposal for a decision, over the API.

use axum::{
    Json as Document,
    extract::State,
    response::{IntoResponse, Response},
};
use model::{Table, t};
use serde::Deserialize;
use serde_json::json;
use web::{
    House, Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Fault, Problem},
    },
    route::{Access, Api, Route},
};

use crate::work::ten::{
    ask::{self, AskError, Proposal},
    editions::THREAT,
    standing::DECISION,
};

pub(super) fn routes() -> Vec<Route> {
    let write = Access::Action(Action::Write);
    let api = |id: &str| Api {
        tag: "threat_intelligence",
        id: id.to_owned(),
        params: Vec::new(),
        request: Some(("application/json", "Document".to_owned())),
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[400, 403, 404, 415, 422],
    };
    let edition = t("10大脅威の年版の取り込み", "Import an edition of the ten threats");
    let proposal = t("脅威への対策の提案", "Propose measures against a threat");
    vec![
        Route::post("/api/v1/threat_intelligence/ten-threats/editions", write, edition, import)
            .api(api("threat_intelligence_ten_threats_import")),
        Route::post("/api/v1/threat_intelligence/ten-threats/proposals", write, proposal, propose)
            .api(api("threat_intelligence_ten_threats_propose")),
    ]
}

fn may(house: &House, caller: &Caller, table: Table, kind: &str) -> bool {
    house.kind(table, kind).is_some_and(|(_, kind)| caller.reader.may(Action::Write, kind))
}

fn refused(caller: &Caller, error: &AskError) -> Response {
    let lang = caller.cx.lang;
    if let AskError::Store(error) = error {
        return Problem::of_store(lang, error).into_response();
    }
    let fault = |(ja, en): (String, String)| Fault {
        pointer: "/text".to_owned(),
        detail: caller.cx.either(&ja, &en).to_owned(),
    };
    let faults = error.words().into_iter().map(fault).collect();
    Problem::invalid(lang, faults).into_response()
}

fn forbidden(caller: &Caller) -> Response {
    let detail = t(
        "この操作には、規範や決定を書く役割が必要です。",
        "This is for roles that write norms and decisions.",
    );
    Problem::new(caller.cx.lang, problem::FORBIDDEN, detail).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edition {
    text: String,
}

async fn import(
    State(house): State<Shared>,
    caller: Caller,
    Document(edition): Document<Edition>,
) -> Response {
    if !may(&house, &caller, Table::Norm, THREAT) {
        return forbidden(&caller);
    }
    match ask::import(&house.store, house.specs(), &caller.actor(), &edition.text).await {
        Ok(loaded) => {
            house.wake();
            Document(json!({ "threats": loaded.threats, "written": loaded.written }))
                .into_response()
        }
        Err(error) => refused(&caller, &error),
    }
}

async fn propose(
    State(house): State<Shared>,
    caller: Caller,
    Document(proposal): Document<Proposal>,
) -> Response {
    if !may(&house, &caller, Table::Decision, DECISION) {
        return forbidden(&caller);
    }
    match ask::propose(&house.store, &caller.actor(), &proposal).await {
        Ok(row) => {
            house.wake();
            Document(json!({ "id": row.id, "status": row.status })).into_response()
        }
        Err(error) => refused(&caller, &error),
    }
}
