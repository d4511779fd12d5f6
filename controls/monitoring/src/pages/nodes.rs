//! `/monitoring/nodes`: other nodes that evaluate, what waits for them, and what is wrong with the way there.

use askama::Template;
use axum::{
    Json as Document,
    extract::State,
    response::{IntoResponse, Response},
};
use model::t;
use serde_json::json;
use web::{
    Shared,
    access::Action,
    api::Caller,
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Route},
};

use crate::work::spread::{Bus, Shown};

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("評価ノード", "Evaluating nodes");
    let api = Api {
        tag: "monitoring",
        id: "monitoring_nodes".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    vec![
        Route::get("/monitoring/nodes", inspect, title, show),
        Route::get("/api/v1/monitoring/nodes", inspect, title, document).api(api),
    ]
}

#[derive(Template)]
#[template(path = "nodes.html")]
struct NodesPage<'a> {
    cx: &'a Cx,
    bus: Option<Shown>,
}

impl NodesPage<'_> {
    fn waited_s(&self, shown: &Shown) -> i64 {
        shown.oldest.map_or(0, |oldest| (self.cx.now.0 - oldest.0).max(0) / 1_000_000)
    }

    fn trouble(&self, shown: &Shown) -> String {
        let Some(trouble) = &shown.trouble else { return String::new() };
        let (ja, en) = (trouble.ja(), trouble.to_string());
        self.cx.either(&ja, &en).to_owned()
    }

    fn kib(&self, shown: &Shown) -> u64 {
        shown.behind_bytes.div_ceil(1024)
    }

    /// Whether what waits does so because nobody evaluates.
    fn is_alone(&self, shown: &Shown) -> bool {
        shown.is_up && shown.nodes.is_empty()
    }
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let body = NodesPage { cx, bus: house.kept.get::<Bus>().shown() };
    page(cx, cx.t("評価ノード", "Evaluating nodes"), &body)
}

async fn document(State(house): State<Shared>, _: Caller) -> Response {
    let told = match house.kept.get::<Bus>().shown() {
        None => json!({ "configured": false }),
        Some(shown) => shown.document(),
    };
    Document(told).into_response()
}
