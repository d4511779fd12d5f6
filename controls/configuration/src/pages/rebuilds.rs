//! `/configuration/rebuilds`: what proofs of rebuilding gave for each class of hosts, over time; and the way in for one.
//!
//! Invariants: a proof that comes in is imported, whoever sends it; shares are computed here.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Json as Document,
    extract::State,
    response::{IntoResponse, Response},
};
use model::{Assurance, Id, Table, t};
use serde_json::{Value as Json, json};
use store::{Record, StoreError};
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Fault, Problem},
    },
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Route},
};

use crate::{
    proofs::{self, Handed, REBUILD, Refused},
    registers::number,
};

const PROOFS_MAX: usize = 300;
const BODY_BYTES_MAX: usize = 16 << 20;
const WIDTH: i64 = 1_000;
const HEIGHT: i64 = 120;
/// What the criterion asks for.
const GOOD_PERMILLE: i64 = 990;
/// Lowest share that is drawn.
const LOW_PERMILLE: i64 = 900;

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let title = t("再構築の証明", "Proofs of rebuilding");
    let listed = Api {
        tag: "configuration",
        id: "configuration_rebuilds".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    let taken = Api {
        id: "configuration_rebuild_add".to_owned(),
        request: Some(("application/json", "Document".to_owned())),
        response: (201, Some(("application/json", "Document".to_owned()))),
        refusals: &[400, 413, 415, 422],
        ..listed.clone()
    };
    let path = "/api/v1/configuration/rebuilds";
    vec![
        Route::get("/configuration/rebuilds", inspect, title, show),
        Route::get(path, inspect, title, list_api).api(listed),
        Route::post(path, write, t("再構築の証明の提出", "Hand in a proof"), take_api)
            .body_max(BODY_BYTES_MAX)
            .api(taken),
    ]
}

struct Proof {
    record: Id,
    at: String,
    share: String,
    equal: i64,
    managed: i64,
    silent: i64,
    is_current: bool,
    is_good: bool,
    residuals: String,
}

struct Class {
    id: Id,
    name: String,
    proofs: Vec<Proof>,
    line: String,
    dots: Vec<(i64, i64, &'static str, String)>,
}

#[derive(Template)]
#[template(path = "rebuilds.html")]
struct RebuildsPage<'a> {
    cx: &'a Cx,
    classes: Vec<Class>,
    good: usize,
    bar_y: i64,
}

async fn by_class(house: &Shared) -> Result<BTreeMap<Id, Vec<Record>>, StoreError> {
    let mut classes: BTreeMap<Id, Vec<Record>> = BTreeMap::new();
    for record in house.store.newest_records(&[REBUILD], None, PROOFS_MAX).await? {
        if let Some(class) = record.subject {
            classes.entry(class).or_default().push(record);
        }
    }
    Ok(classes)
}

fn is_good(record: &Record) -> bool {
    number(record, "equal_permille") >= GOOD_PERMILLE
        && number(record, "silent_losses") == 0
        && record.facts.get("base_current").and_then(Json::as_bool) == Some(true)
}

fn y(permille: i64) -> i64 {
    let part = (permille.clamp(LOW_PERMILLE, 1_000) - LOW_PERMILLE) * (HEIGHT - 20);
    HEIGHT - 10 - part / (1_000 - LOW_PERMILLE)
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let rules = house.store.all(Table::Rule, &["template"]).await?;
    let mut proofs = by_class(&house).await?;
    let class = |row: &store::Row| {
        let records = proofs.remove(&row.id).unwrap_or_default();
        class_shown(cx, row.id, row.name.clone(), &records)
    };
    let classes: Vec<Class> =
        rules.iter().filter(|row| row.status == "active").map(class).collect();
    let good =
        classes.iter().filter(|class| class.proofs.first().is_some_and(|p| p.is_good)).count();
    let body = RebuildsPage { cx, classes, good, bar_y: y(GOOD_PERMILLE) };
    page(cx, cx.t("再構築の証明", "Proofs of rebuilding"), &body)
}

fn class_shown(cx: &Cx, id: Id, name: String, records: &[Record]) -> Class {
    let first = records.iter().map(|record| record.observed_to.0).min().unwrap_or(0);
    let whole = (cx.now.0 - first).max(1);
    let x = |at: i64| {
        let part = i128::from(at - first) * i128::from(WIDTH - 20) / i128::from(whole);
        10 + i64::try_from(part).unwrap_or(0)
    };
    let mut line = String::new();
    let mut dots = Vec::new();
    for record in records.iter().rev() {
        let share = number(record, "equal_permille");
        let at = (x(record.observed_to.0), y(share));
        line.push_str(&format!("{}{} {}", if line.is_empty() { "M" } else { "L" }, at.0, at.1));
        let class = if is_good(record) { "pass" } else { "fail" };
        dots.push((
            at.0,
            at.1,
            class,
            format!("{} {}", cx.time(&record.observed_to), percent(share)),
        ));
    }
    let proof = |record: &Record| Proof {
        record: record.id,
        at: cx.time(&record.observed_to),
        share: percent(number(record, "equal_permille")),
        equal: number(record, "equal"),
        managed: number(record, "managed"),
        silent: number(record, "silent_losses"),
        is_current: record.facts.get("base_current").and_then(Json::as_bool) == Some(true),
        is_good: is_good(record),
        residuals: record
            .facts
            .get("residuals")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    };
    Class { id, name, proofs: records.iter().take(20).map(proof).collect(), line, dots }
}

fn percent(permille: i64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

async fn list_api(State(house): State<Shared>, caller: Caller) -> Response {
    let classes = match by_class(&house).await {
        Ok(classes) => classes,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let proof = |record: &Record| {
        json!({
            "record": record.id.to_string(), "observed_to": record.observed_to.rfc3339(),
            "facts": record.facts, "holds": is_good(record),
        })
    };
    let classes: Vec<Json> = classes
        .iter()
        .map(|(class, records)| {
            json!({
                "class": class.to_string(),
                "proofs": records.iter().map(proof).collect::<Vec<_>>(),
            })
        })
        .collect();
    Document(json!({ "classes": classes })).into_response()
}

async fn take_api(
    State(house): State<Shared>,
    caller: Caller,
    Document(handed): Document<Handed>,
) -> Response {
    let lang = caller.cx.lang;
    let taken = async {
        let write = house.store.write(&caller.actor(), "proof of rebuilding", "api").await?;
        let mut write = write.bounded(caller.reader.bounds(house.specs()));
        let record =
            proofs::hand_in(&house.store, &mut write, &handed, Assurance::Imported).await?;
        write.commit().await?;
        Ok::<_, Refused>(record)
    };
    match taken.await {
        Ok(record) => {
            house.wake();
            let told = json!({
                "record": record.id.to_string(), "facts": record.facts, "holds": is_good(&record),
            });
            (axum::http::StatusCode::CREATED, Document(told)).into_response()
        }
        Err(Refused::Store(error)) => Problem::of_store(lang, &error).into_response(),
        Err(refused) => match refused.fault(lang) {
            Some((pointer, detail)) => {
                let fault = Fault { pointer: pointer.to_owned(), detail: detail.to_owned() };
                Problem::invalid(lang, vec![fault]).into_response()
            }
            None => Problem::saying(lang, problem::INVALID, refused.to_string()).into_response(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_proof_stands_at_the_top_and_a_poor_one_at_the_bottom() {
        assert_eq!((y(1_000), y(LOW_PERMILLE), y(0)), (10, HEIGHT - 10, HEIGHT - 10));
        assert!(y(GOOD_PERMILLE) > y(1_000) && y(GOOD_PERMILLE) < y(980));
        assert_eq!(percent(998), "99.8 %");
    }
}
