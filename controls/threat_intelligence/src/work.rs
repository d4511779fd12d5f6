//! What the room does with intelligence that arrives: receive, confirm, judge, hand out, close.

pub mod actions;
pub mod channels;
pub mod closing;
pub mod inbox;
pub mod news;
pub mod objects;
pub mod publish;
pub mod relevance;
pub mod settings;
pub mod share;
pub mod triage;

use std::time::Duration;

use model::t;
use room::{Job, Pause, Service};

/// What is confirmed is in force within two seconds: one here, one where it is met.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// A mail is in the inbox within ten seconds.
const MAIL_EVERY: Duration = Duration::from_secs(10);

const MINUTE: Duration = Duration::from_secs(60);

/// The room's jobs.
pub fn jobs() -> Vec<Job> {
    let title = t("指標の対応の完了確認", "Close what was asked about indicators");
    let looked = t("脅威情報と自組織の関係の見直し", "Look again at what items have to do with us");
    let kept = t("脆弱性の台帳の更新", "Keep the register of vulnerabilities");
    vec![
        Job::new("threat_intelligence.closing", title, closing::run).every(MINUTE),
        Job::new("threat_intelligence.look", looked, news::look::run).every(MINUTE),
        Job::new("threat_intelligence.vulnerabilities", kept, news::vulnerabilities::run)
            .every(MINUTE),
    ]
}

/// The room's services.
pub fn services() -> Vec<Service> {
    vec![
        Service::new("publication", Pause::For(PUBLISH_EVERY), publish::round),
        Service::new("mailbox", Pause::For(MAIL_EVERY), news::mailbox::round),
    ]
}
