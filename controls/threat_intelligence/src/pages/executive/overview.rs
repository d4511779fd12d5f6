//! `/intelligence/overview`: how far what came in gets, what met the criteria, what was ordered.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use indicators::tlp::Level;
use model::t;
use serde_json::Value as Json;
use store::Record;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, User, page},
    route::{Access, Route},
};

use crate::work::{
    executive::{
        ACKNOWLEDGED, ISSUED, MET, brief, criterion, fact,
        hits::{self, Hit},
        orders, sheet,
    },
    inbox::RECEIVED,
    triage::{CLOSED, TRIAGED},
};

const DAYS: i64 = 90;
const RECORDS_MAX: usize = 20_000;
const HITS_SHOWN: usize = 20;
/// Width of a bar in its own units.
const WIDTH: u64 = 1_000;

pub(super) fn routes() -> Vec<Route> {
    let title = t("脅威情報の状況", "State of threat intelligence");
    vec![Route::get("/intelligence/overview", Access::Action(Action::Inspect), title, show)]
}

/// A step of the way from what came in to what is proved.
struct Step {
    name: &'static str,
    said: &'static str,
    count: u64,
    /// Of [`WIDTH`].
    width: u64,
}

struct ShownHit {
    hit: Hit,
    title: String,
    delivered: String,
    is_late: bool,
}

#[derive(Template)]
#[template(path = "intelligence_overview.html")]
struct OverviewPage<'a> {
    cx: &'a Cx,
    steps: Vec<Step>,
    hits: Vec<ShownHit>,
    all_hits: usize,
    late_hits: usize,
    open_orders: usize,
    late_orders: usize,
    /// Criteria are in force, or something came of them.
    is_watched: bool,
}

impl OverviewPage<'_> {
    fn trigger(&self, shown: &ShownHit) -> &'static str {
        self.cx.pick(&sheet::trigger_text(fact(&shown.hit.record, "trigger")))
    }
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let (cx, store, now) = (&user.cx, &house.store, house.store.now());
    let since = now.minus_hours(24 * DAYS);
    let types = [RECEIVED, TRIAGED, CLOSED, MET, ISSUED, ACKNOWLEDGED];
    let records = store.records_since(&types, since, RECORDS_MAX).await?;
    let of = |ty: &str| records.iter().filter(|r| r.ty == ty).cloned().collect::<Vec<Record>>();
    let (found, briefs, acks) = (of(MET), of(ISSUED), of(ACKNOWLEDGED));
    let zone = house.people.local().zone.clone();
    let given = orders::all(store, &zone).await?;
    let late = |hit: &Record| {
        let due = model::Timestamp::parse(fact(hit, "due"));
        due.is_some_and(|due| brief::delivered(hit, &briefs, &acks).unwrap_or(now) > due)
    };
    let is_approved =
        |ruled: &criterion::Ruled| matches!(ruled.standing, criterion::Standing::Approved(_));
    let is_watched = !found.is_empty()
        || !given.is_empty()
        || criterion::all(store).await?.iter().any(is_approved);
    let late_hits = found.iter().filter(|hit| late(hit)).count();
    let all_hits = found.len();
    let newest: Vec<Record> = found.iter().rev().take(HITS_SHOWN).cloned().collect();
    let hits = hits::with_details(store, newest).await?;
    let hits = hits.into_iter().map(|hit| {
        let seen = brief::delivered(&hit.record, &briefs, &acks);
        ShownHit {
            title: title(cx, &hit),
            delivered: seen.map_or_else(String::new, |at| cx.time(&at)),
            is_late: late(&hit.record),
            hit,
        }
    });
    let body = OverviewPage {
        cx,
        steps: steps(cx, &records),
        hits: hits.collect(),
        all_hits,
        late_hits,
        open_orders: given.iter().filter(|given| given.is_open()).count(),
        is_watched,
        late_orders: given.iter().filter(|given| given.days_late(now).is_some()).count(),
    };
    page(cx, cx.t("脅威情報の状況", "State of threat intelligence"), &body)
}

/// Whoever inspects is of the organisation; a RED was given to persons.
fn title(cx: &Cx, hit: &Hit) -> String {
    match &hit.detail {
        Some(_) if hit.level() == Level::Red => "TLP:RED".to_owned(),
        Some(detail) => cx.either(&detail.title_ja, &detail.title_en).to_owned(),
        None => cx.t("（内容は消去済み）", "(shredded)").to_owned(),
    }
}

/// Each step counts what came within the time, so a later one may count what began before it.
fn steps(cx: &Cx, records: &[Record]) -> Vec<Step> {
    let of = |ty: &'static str| records.iter().filter(move |record| record.ty == ty);
    let items = |record: &Record| record.facts.get("items").and_then(Json::as_u64).unwrap_or(0);
    let received: u64 = of(RECEIVED).map(items).sum();
    let judged = of(TRIAGED).filter(|record| fact(record, "verdict") != "overdue");
    let taken_up = judged.clone().filter(|r| matches!(fact(r, "verdict"), "act" | "brief"));
    let proved: BTreeSet<_> = of(CLOSED).filter_map(|record| record.subject).collect();
    let counts = [received, judged.count() as u64, taken_up.count() as u64, proved.len() as u64];
    let most = counts.into_iter().max().unwrap_or(0).max(1);
    let names = [
        (t("受領", "Received"), t("届いた情報", "items that came in")),
        (t("判定", "Judged"), t("判定した情報", "items that were judged")),
        (t("対応", "Acted on"), t("対応・報告と判定した情報", "judged to act on or to brief")),
        (t("証明", "Proved"), t("記録をもって完了した情報", "closed by a record of the deed")),
    ];
    let step = |((name, said), count): ((model::Text, model::Text), u64)| Step {
        name: cx.pick(&name),
        said: cx.pick(&said),
        count,
        width: count * WIDTH / most,
    };
    names.into_iter().zip(counts).map(step).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_bar_never_leaves_its_box() {
        for (count, most) in [(0u64, 1u64), (5, 5), (7, 9)] {
            assert!(count * super::WIDTH / most <= super::WIDTH);
        }
    }
}
