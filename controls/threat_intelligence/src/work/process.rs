//! The process around intelligence: limits that pass, what comes from inside, actions, drills, the awareness card.

pub mod actions;
pub mod card;
pub mod deeds;
pub mod drill;
pub mod internal;
pub mod reports;
pub mod routing;
pub mod watch;

use std::time::Duration;

use model::t;
use room::Job;

const MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// The jobs of the process.
pub(super) fn jobs() -> Vec<Job> {
    let watch = t("判定の期限切れの記録", "Items not judged in time");
    let internal = t("内部情報の点検", "Review of internal intelligence");
    let actions = t("依頼の点検", "Review of actions");
    let deeds = t("依頼の完了確認", "Close actions by their records");
    let drills = t("CSIRT応答訓練", "CSIRT drills");
    let reports = t("従業員の報告の受け取り", "Take in employees' reports");
    vec![
        Job::new("threat_intelligence.triage_watch", watch, watch::run).every(MINUTE),
        Job::new("threat_intelligence.internal", internal, internal::run).every(TEN_MINUTES),
        Job::new("threat_intelligence.actions", actions, actions::run).every(TEN_MINUTES),
        Job::new("threat_intelligence.deeds", deeds, deeds::run).every(MINUTE),
        Job::new("threat_intelligence.drills", drills, drill::run).every(MINUTE),
        Job::new("threat_intelligence.reports", reports, reports::run).every(MINUTE),
    ]
}
