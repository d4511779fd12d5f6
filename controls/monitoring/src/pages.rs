//! The room's own pages and their documents: events, findings, rules.

mod chart;
mod detections;
mod events;
mod findings;
mod one_series;
mod series;

use model::t;
use web::{frame::Cx, route::Route};

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

/// The room's routes.
pub fn routes() -> Vec<Route> {
    let all = [events::routes(), findings::routes(), detections::routes(), series::routes()];
    all.into_iter().flatten().collect()
}
