//! The room's own pages and their documents: the board, events, findings, rules, trends and sources, GAP analysis, reviews, what
//! was measured.

mod add_source;
mod attack;
mod board;
mod chart;
mod detections;
mod events;
mod findings;
mod findings_stream;
mod gap;
mod hunts;
mod in_force;
mod measured;
mod nodes;
mod one_series;
mod packs;
mod report;
mod review;
mod rule_list;
mod series;
mod sql_page;
mod trends;

use model::t;
use web::{frame::Cx, route::Route};

/// How grave something can be, the gravest first.
const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "informational"];

fn rank(severity: &str) -> Option<usize> {
    SEVERITIES.iter().position(|known| *known == severity)
}

/// How grave something is, in the reader's words.
fn severity<'a>(cx: &Cx, name: &'a str) -> &'a str {
    let text = match name {
        "critical" => t("重大", "critical"),
        "high" => t("高", "high"),
        "medium" => t("中", "medium"),
        "low" => t("低", "low"),
        "informational" => t("情報", "informational"),
        other => return other,
    };
    cx.pick(&text)
}

/// Seconds as people say them.
fn lasted(cx: &Cx, seconds: i64) -> String {
    let (value, unit) = match seconds {
        s if s < 120 => (s, "s"),
        s if s < 2 * 3_600 => (s / 60, "min"),
        s if s < 48 * 3_600 => (s / 3_600, "h"),
        s => (s / 86_400, "d"),
    };
    format!("{value} {}", cx.unit(unit))
}

/// The same of what may not have been measured yet.
fn measured_s(cx: &Cx, seconds: Option<i64>) -> String {
    let none = || cx.t("まだ測れません", "not measured yet").to_owned();
    seconds.map_or_else(none, |seconds| lasted(cx, seconds))
}

/// The room's routes.
pub fn routes() -> Vec<Route> {
    let all = [
        add_source::routes(),
        board::routes(),
        events::routes(),
        sql_page::routes(),
        findings::routes(),
        findings_stream::routes(),
        detections::routes(),
        gap::routes(),
        review::routes(),
        measured::routes(),
        nodes::routes(),
        trends::routes(),
        hunts::routes(),
        series::routes(),
        report::routes(),
        packs::routes(),
    ];
    all.into_iter().flatten().collect()
}
