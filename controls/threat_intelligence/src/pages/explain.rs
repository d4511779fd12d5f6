//! `/intelligence/explain?value=`: why a value is met or not, step by step, who said it, and what takes it out.
//!
//! Invariants: a false positive has a reason and an end; it is a rule of the register with a record, and the next set
//! lacks the value.

use askama::Template;
use axum::{
    extract::{Form, Query, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, Text, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::Row;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{broken, may_judge};
use crate::work::explain::{self, Excluded, Explained};

const VALUE_CHARS_MAX: usize = 2_000;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("なぜ遮断・検知されるか", "Why a value is met");
    let exclude = t("誤検知として外す", "Take out a false positive");
    vec![
        Route::get("/intelligence/explain", inspect, title, show),
        Route::post("/intelligence/explain", write, exclude, take_out),
    ]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    value: String,
}

#[derive(Template)]
#[template(path = "intelligence_explain.html")]
struct ExplainPage<'a> {
    cx: &'a Cx,
    value: String,
    /// What stands about the value; none before one is asked for.
    found: Option<Vec<Explained>>,
    may_judge: bool,
}

impl ExplainPage<'_> {
    fn title(&self, pair: (&'static str, &'static str)) -> &'static str {
        self.cx.t(pair.0, pair.1)
    }

    fn words(&self, pair: (String, String)) -> String {
        self.cx.t(&pair.0, &pair.1).to_owned()
    }

    fn state(&self, one: &Explained) -> &'static str {
        let text: Text = match one.judged.verdict.state.as_str() {
            "active" => t("有効", "in force"),
            "not_yet" => t("まだ有効でない", "not yet in force"),
            "expired" => t("期限切れ", "expired"),
            "revoked" => t("取り消し済み", "revoked"),
            _ => t("除外", "excluded"),
        };
        self.cx.pick(&text)
    }

    fn kind(&self, one: &Explained) -> &'static str {
        super::confirm::kind_text(self.cx, one.judged.row.key.kind())
    }

    fn tlp(&self, item: &Row) -> String {
        let word = item.attributes.get("tlp").and_then(Json::as_str).unwrap_or_default();
        format!("TLP:{}", word.to_uppercase().replace('_', "+"))
    }

    fn is_met(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.iter().any(Explained::is_in_force))
    }
}

async fn show(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let may_judge = may_judge(&house, user.reader());
    let value: String = asked.value.trim().chars().take(VALUE_CHARS_MAX).collect();
    // What is known of attackers is for those who judge it.
    let found = match !value.is_empty() && may_judge {
        true => Some(
            explain::explain(&house.store, &house.folder().join(intel::FOLDER), &value)
                .await
                .map_err(broken)?,
        ),
        false => None,
    };
    let body = ExplainPage { cx, value, found, may_judge };
    page(cx, cx.t("なぜ遮断・検知されるか", "Why a value is met"), &body)
}

#[derive(Deserialize)]
struct OutForm {
    csrf: String,
    value: String,
    reason: String,
    expires: String,
}

async fn take_out(State(house): State<Shared>, user: User, Form(form): Form<OutForm>) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let cx = &user.cx;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let out = Excluded { value: &form.value, reason: &form.reason, expires: &form.expires };
    if let Err(fault) = out.check(house.store.now()) {
        return Err(Refusal::Bad(cx.pick(&fault).to_owned()));
    }
    let mut write = user.write(&house, cx.t("誤検知として除外", "false positive")).await?;
    let _rule: Id = explain::exclude(&house.store, &mut write, &out).await.map_err(broken)?;
    write.commit().await?;
    house.wake();
    let query = form_urlencoded(&form.value);
    Ok(Redirect::to(&format!("/intelligence/explain?value={query}")).into_response())
}

fn form_urlencoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
