//! What the room does with intelligence that arrives: receive, confirm, judge, hand out, close.

pub mod actions;
pub mod channels;
pub mod closing;
pub mod edges;
pub mod executive;
pub mod explain;
pub(crate) mod feed_set;
pub mod feeds;
pub mod inbox;
pub mod lists;
pub mod misp;
pub mod news;
pub mod objects;
pub mod outlets;
pub mod past;
pub mod peers;
pub mod process;
pub mod publish;
pub mod publish_patterns;
pub mod relevance;
pub mod settings;
pub mod share;
pub mod ten;
pub mod tlp;
pub mod triage;

use std::time::Duration;

use model::t;
use room::{Job, Pause, Service};

/// What is confirmed is in force within two seconds: one here, one where it is met.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// How often the intervals of sources are looked at.
const FEEDS_EVERY: Duration = Duration::from_secs(20);
/// How often a folder of warning lists is looked at.
const LISTS_EVERY: Duration = Duration::from_secs(300);
/// A mail is in the inbox within ten seconds.
const MAIL_EVERY: Duration = Duration::from_secs(10);
/// Short-term hits are due within hours.
const EXECUTIVE_EVERY: Duration = Duration::from_secs(300);
/// Often enough that one outcome a day is certain.
const PROBE_EVERY: Duration = Duration::from_secs(6 * 3_600);
const HALF_DAY: Duration = Duration::from_secs(43_200);
const MINUTE: Duration = Duration::from_secs(60);

/// The room's jobs.
pub fn jobs() -> Vec<Job> {
    let title = t("指標の対応の完了確認", "Close what was asked about indicators");
    let looked = t("脅威情報と自組織の関係の見直し", "Look again at what items have to do with us");
    let kept = t("脆弱性の台帳の更新", "Keep the register of vulnerabilities");
    let executive = t("経営層への伝達", "What reaches executives");
    let mut all = vec![
        Job::new("threat_intelligence.closing", title, closing::run).every(MINUTE),
        Job::new("threat_intelligence.look", looked, news::look::run).every(MINUTE),
        Job::new("threat_intelligence.vulnerabilities", kept, news::vulnerabilities::run)
            .every(MINUTE),
        Job::new("threat_intelligence.executive", executive, executive::round::run)
            .every(EXECUTIVE_EVERY),
        Job::new("threat_intelligence.tlp", tlp::probe::TITLE, tlp::probe::run).every(HALF_DAY),
        ten::state::job(),
    ];
    all.extend(process::jobs());
    all.extend(sharing());
    all
}

/// Jobs of what is shared with peers, and of the edges.
fn sharing() -> [Job; 4] {
    let edges = t("適用先の確認", "Check of the edges");
    let probe = t("共有チャネルの疎通確認", "Probe of the channels");
    let push = t("相手への送信", "Send to peers");
    let receive = t("相手からの受領", "Take in what peers posted");
    [
        Job::new("threat_intelligence.edges", edges, edges::run).every(5 * MINUTE),
        Job::new("threat_intelligence.probe", probe, peers::probe::run).every(PROBE_EVERY),
        Job::new("threat_intelligence.push", push, peers::push::run).every(MINUTE),
        Job::new("threat_intelligence.receive", receive, peers::receive::run).every(MINUTE),
    ]
}

/// The room's services.
pub fn services() -> Vec<Service> {
    vec![
        Service::new("publication", Pause::For(PUBLISH_EVERY), publish::round),
        Service::new("markings", Pause::For(PUBLISH_EVERY), tlp::changes::round),
        Service::new("warning_lists", Pause::For(LISTS_EVERY), lists::round),
        Service::new("feeds", Pause::For(FEEDS_EVERY), feeds::round),
        Service::new("mailbox", Pause::For(MAIL_EVERY), news::mailbox::round),
    ]
}

/// What the room brings with it gets into the register: threats, measures, routes. Gives how many rows were written.
pub async fn load_content(store: &store::Store) -> Result<usize, store::StoreError> {
    Ok(ten::load::load(store).await? + process::routing::seed(store).await?)
}
