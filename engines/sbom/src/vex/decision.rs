//! Decisions of ours, and whether they still stand.

use crate::{advisory::Advisory, judge::Subject, purl::Purl};

use super::Status;

/// What was decided about an advisory and a package, whatever its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Without version.
    pub purl: Purl,
    pub advisory: String,
    /// Why; with purl and advisory the key.
    pub reason: String,
    pub status: Status,
    /// Until when it holds, in seconds since 1970.
    pub expires: Option<i64>,
    /// The facts it rests on, as they were: `modules.loaded.sctp = no`.
    pub facts: Vec<(String, String)>,
}

/// Whether a decision stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Stands,
    /// It speaks of something else.
    Elsewhere,
    Expired(i64),
    /// A fact is not what it was; nothing now where it is no longer known.
    Reopened {
        fact: String,
        then: String,
        now: Option<String>,
    },
}

impl Decision {
    /// The key under which a decision is found: it survives upgrades.
    pub fn key(&self) -> (String, &str, &str) {
        (self.purl.versionless().to_string(), &self.advisory, &self.reason)
    }
}

/// Whether a decision stands for a subject and an advisory, at a time, by the facts as they are now. A fact
/// that nobody knows any more does not hold a decision up.
pub fn standing(
    decision: &Decision,
    subject: &Subject,
    advisory: &Advisory,
    now: i64,
    fact: impl Fn(&str) -> Option<String>,
) -> Standing {
    let own = subject.purl.as_ref().map(Purl::versionless);
    let named = advisory.id == decision.advisory || advisory.aliases.contains(&decision.advisory);
    if own != Some(decision.purl.versionless()) || !named {
        return Standing::Elsewhere;
    }
    if let Some(expires) = decision.expires.filter(|e| *e <= now) {
        return Standing::Expired(expires);
    }
    for (name, then) in &decision.facts {
        let now = fact(name);
        if now.as_ref() != Some(then) {
            return Standing::Reopened { fact: name.clone(), then: then.clone(), now };
        }
    }
    Standing::Stands
}
