//! `/configuration/licences`: use against entitlement as bars, and until when everything is maintained.
//!
//! Invariants: numbers are counted as the page is drawn, by the function that the job records with; what could not be
//! counted is shown as such and as no bar; who reaches only some assets sees only those.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{
    Json as Document,
    extract::State,
    response::{IntoResponse, Response},
};
use jiff::{ToSpan, civil::Date};
use model::{Id, Table, t};
use serde_json::{Value as Json, json};
use web::{
    Shared,
    access::{Action, Reader},
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Route},
};

use crate::licences::{
    count::Uncounted,
    load::{self, Licences, Line, Span},
    policy::Said,
};

/// Width of bars and of the time line in their own units.
const WIDTH: i64 = 1_000;
const SPANS_SHOWN: usize = 120;
const LINES_SHOWN: usize = 300;
/// The time line reaches from a year ago to three years ahead.
const DAYS_BACK: i64 = 365;
const DAYS_AHEAD: i64 = 1_095;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("ライセンスと保守", "Licences and maintenance");
    let api = Api {
        tag: "configuration",
        id: "configuration_licences".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    vec![
        Route::get("/configuration/licences", inspect, title, show),
        Route::get("/api/v1/configuration/licences", inspect, title, document).api(api),
    ]
}

async fn read(house: &Shared, reader: &Reader, today: &str) -> Result<Licences, room::Error> {
    let mut all = load::load(&house.store, today).await?;
    let lines = all.lines.iter().map(|line| line.row.id);
    let ids: Vec<Id> = lines.chain(all.spans.iter().map(|span| span.row.id)).collect();
    let within = reader.sees_of(Table::Asset);
    let seen = house.store.reached(Table::Asset, &ids, &within).await?;
    all.lines.retain(|line| seen.contains(&line.row.id));
    all.spans.retain(|span| seen.contains(&span.row.id));
    Ok(all)
}

/// A product as the page shows it.
struct Shown {
    id: Id,
    name: String,
    licence: Option<(Id, String)>,
    said: Option<(&'static str, &'static str, String)>,
    used: String,
    entitled: String,
    /// Width of what is used, and place of what is entitled, in a bar of [`WIDTH`].
    bar: Option<(i64, i64)>,
    class: &'static str,
    why: &'static str,
    support: String,
    support_class: &'static str,
}

/// A line of the time line.
struct Bar {
    id: Id,
    name: String,
    contract: String,
    from: String,
    to: String,
    x: i64,
    width: i64,
    class: &'static str,
    said: &'static str,
}

#[derive(Template)]
#[template(path = "licences.html")]
struct LicencesPage<'a> {
    cx: &'a Cx,
    lines: Vec<Shown>,
    over: usize,
    uncounted: usize,
    past: usize,
    bars: Vec<Bar>,
    now_x: i64,
    years: Vec<(i64, String)>,
    is_cut: bool,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let today = cx.date(&cx.now);
    let all = read(&house, user.reader(), &today).await.map_err(|error| match error {
        room::Error::Store(error) => Refusal::Store(error),
        other => Refusal::Bad(other.to_string()),
    })?;
    let axis = Axis::around(&today);
    let counted = |line: &&Line| line.count.as_ref().is_ok_and(|c| c.used > c.entitled);
    let past = |line: &&Line| line.count.as_ref().is_ok_and(|c| c.past_end_undecided > 0);
    let software: Vec<&Line> = all.lines.iter().filter(|l| l.row.kind == "software").collect();
    let body = LicencesPage {
        cx,
        over: software.iter().copied().filter(|line| counted(line)).count(),
        uncounted: software.iter().filter(|line| line.count.is_err()).count(),
        past: all.lines.iter().filter(past).count(),
        lines: software.iter().take(LINES_SHOWN).map(|line| shown(cx, line, &today)).collect(),
        bars: all
            .spans
            .iter()
            .take(SPANS_SHOWN)
            .map(|span| bar(cx, span, &axis, &today, all.warn_days))
            .collect(),
        now_x: axis.x(&today),
        years: axis.years(),
        is_cut: all.spans.len() > SPANS_SHOWN || software.len() > LINES_SHOWN,
    };
    page(cx, cx.t("ライセンスと保守", "Licences and maintenance"), &body)
}

fn why(cx: &Cx, uncounted: Uncounted) -> &'static str {
    match uncounted {
        Uncounted::Metric => cx.t("数え方が分からない", "metric not known"),
        Uncounted::Cores => {
            cx.t("ホストのコア数が台帳にない", "cores of a host are not registered")
        }
        Uncounted::Places => {
            cx.t("ホストの設置場所が台帳にない", "place of a host is not registered")
        }
        Uncounted::People => cx.t("利用者との関連がない", "no link says who uses it"),
        Uncounted::Policy => {
            cx.t("ライセンスの可否を決めていない", "the policy says nothing of its licence")
        }
    }
}

fn said(cx: &Cx, said: &Said) -> (&'static str, &'static str, String) {
    let (class, text, which) = match said {
        Said::Allowed => ("pass", cx.t("許可", "allowed"), Vec::new()),
        Said::Refused(which) => ("fail", cx.t("不可", "refused"), which.clone()),
        Said::Open(which) => ("unknown", cx.t("未決定", "undecided"), which.clone()),
        Said::Unreadable(why) => {
            ("unknown", cx.t("SPDX式ではない", "no SPDX expression"), vec![why.clone()])
        }
    };
    (class, text, which.join(", "))
}

fn shown(cx: &Cx, line: &Line, today: &str) -> Shown {
    let end = crate::registers::text(&line.row, "support_end").to_owned();
    let support_class = match end.as_str() {
        "" => "unknown",
        end if end < today => "fail",
        _ => "pass",
    };
    let mut shown = Shown {
        id: line.row.id,
        name: line.row.name.clone(),
        licence: line.licence.as_ref().map(|row| (row.id, row.name.clone())),
        said: line.said.as_ref().map(|one| said(cx, one)),
        used: line.hosts.to_string(),
        entitled: "–".to_owned(),
        bar: None,
        class: "unknown",
        why: "",
        support: end,
        support_class,
    };
    match &line.count {
        Err(uncounted) => shown.why = why(cx, *uncounted),
        Ok(count) => {
            let most = count.used.max(count.entitled).max(1);
            let part = |n: u64| i64::try_from(n * WIDTH as u64 / most).unwrap_or(WIDTH);
            (shown.used, shown.entitled) = (count.used.to_string(), count.entitled.to_string());
            shown.bar = Some((part(count.used), part(count.entitled)));
            shown.class = if count.used > count.entitled { "fail" } else { "pass" };
        }
    }
    shown
}

/// Days on a line of [`WIDTH`].
struct Axis {
    from: Date,
    days: i64,
}

impl Axis {
    fn around(today: &str) -> Axis {
        let today: Date = today.parse().unwrap_or(Date::constant(2000, 1, 1));
        let from = today.checked_sub(DAYS_BACK.days()).unwrap_or(today);
        Axis { from, days: DAYS_BACK + DAYS_AHEAD }
    }

    fn x(&self, day: &str) -> i64 {
        let Ok(day) = day.parse::<Date>() else { return 0 };
        let days = self.from.until(day).map_or(0, |span| i64::from(span.get_days()));
        (days * WIDTH / self.days).clamp(0, WIDTH)
    }

    /// Where years begin.
    fn years(&self) -> Vec<(i64, String)> {
        let first = i32::from(self.from.year()) + 1;
        (first..first + 5)
            .map(|year| (self.x(&format!("{year}-01-01")), year.to_string()))
            .filter(|(x, _)| *x > 0 && *x < WIDTH)
            .collect()
    }
}

fn bar(cx: &Cx, span: &Span, axis: &Axis, today: &str, warn_days: i64) -> Bar {
    let end = span.to.as_deref().unwrap_or("");
    let soon: String = today
        .parse::<Date>()
        .ok()
        .and_then(|day| day.checked_add(warn_days.days()).ok())
        .map_or_else(String::new, |day| day.to_string());
    let (class, said) = match () {
        () if end.is_empty() => ("unknown", cx.t("期限なし・不明", "no end, or not known")),
        () if end < today && span.is_decided => {
            ("stale", cx.t("終了（決定済み）", "ended, decided"))
        }
        () if end < today => ("fail", cx.t("終了", "ended")),
        () if end <= soon.as_str() => ("stale", cx.t("まもなく終了", "ends soon")),
        () => ("pass", cx.t("有効", "in force")),
    };
    let x = span.from.as_deref().map_or(0, |day| axis.x(day));
    let until = if end.is_empty() { WIDTH } else { axis.x(end) };
    let contract = span.contract.as_ref().map_or_else(String::new, |(supplier, note)| {
        if note.is_empty() { supplier.clone() } else { format!("{supplier} {note}") }
    });
    Bar {
        id: span.row.id,
        name: span.row.name.clone(),
        contract,
        from: span.from.clone().unwrap_or_default(),
        to: end.to_owned(),
        x,
        width: (until - x).max(2),
        class,
        said,
    }
}

async fn document(State(house): State<Shared>, caller: Caller) -> Response {
    let cx = &caller.cx;
    let all = match read(&house, &caller.reader, &cx.date(&cx.now)).await {
        Ok(all) => all,
        Err(room::Error::Store(error)) => {
            return Problem::of_store(cx.lang, &error).into_response();
        }
        Err(other) => return Problem::broken(cx.lang, &other).into_response(),
    };
    let line = |line: &Line| {
        let mut told = json!({
            "id": line.row.id.to_string(), "kind": line.row.kind, "name": line.row.name,
            "licence": line.licence.as_ref().map(|row| row.id.to_string()),
            "policy": line.said.as_ref().map(Said::as_str), "hosts": line.hosts,
        });
        match &line.count {
            Ok(count) => {
                told["used"] = json!(count.used);
                told["entitled"] = json!(count.entitled);
                told["support_end_known"] = json!(count.support_end_known);
                told["past_end_undecided"] = json!(count.past_end_undecided);
            }
            Err(why) => told["uncounted"] = json!(why.as_str()),
        }
        told
    };
    let span = |span: &Span| {
        json!({
            "id": span.row.id.to_string(), "kind": span.row.kind, "name": span.row.name,
            "from": span.from, "to": span.to, "decided": span.is_decided,
            "supplier": span.contract.as_ref().map(|(supplier, _)| supplier),
        })
    };
    let policy: BTreeMap<&str, usize> = all
        .lines
        .iter()
        .filter_map(|line| line.said.as_ref())
        .fold(BTreeMap::new(), |mut counts, said| {
            *counts.entry(said.as_str()).or_default() += 1;
            counts
        });
    let products: BTreeSet<Id> = all.lines.iter().map(|line| line.row.id).collect();
    let lines: Vec<Json> = all.lines.iter().map(line).collect();
    let spans: Vec<Json> = all.spans.iter().map(span).collect();
    Document(json!({
        "products": products.len(), "policy": policy, "lines": lines, "maintenance": spans,
    }))
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_lie_on_the_line_where_they_belong_and_never_beside_it() {
        let axis = Axis::around("2026-11-29");
        assert_eq!(axis.x("2025-11-29"), 0);
        assert_eq!(axis.x("2026-11-29"), 250);
        assert_eq!(axis.x("2035-01-01"), WIDTH);
        assert_eq!(axis.x("1999-01-01"), 0);
        let years: Vec<String> = axis.years().into_iter().map(|(_, year)| year).collect();
        assert_eq!(years, ["2026", "2027", "2028", "2029"]);
    }
}
