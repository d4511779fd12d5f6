//! Whether a change may be worked on: who approved exactly this version, and what it authorises.
//!
//! Invariants: an approval is a signature over the present content of the row, so an edit voids it; it
//! counts only if nobody who asked for the change signed it; it authorises nothing before it was given,
//! after it ends, or after the change was closed. An emergency authorises nothing until it is approved:
//! what falls into it waits, counted as not approved. Pure.

use baseline::{ApprovedChange, Delta, Scope};
use model::{Id, Text, Timestamp, t};
use serde_json::{Value as Json, json};
use store::{Row, StoreError};
use web::decide::{Statement, signatures};

use super::scope::{ChangeScope, ScopeError};

/// The kind of the rows.
pub const CHANGE: &str = "change";
/// An emergency is over after that, whatever its row says.
pub const EMERGENCY_HOURS_MAX: i64 = 24;
/// Hours from its begin within which an emergency is approved afterwards.
pub const AFTERWARDS_HOURS_MAX: i64 = 72;
const MICROS: i64 = 1_000_000;

/// How a change came to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Standard,
    Normal,
    Emergency,
}

/// Where a change stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The scope cannot be read.
    Unreadable(ScopeError),
    /// Nobody approved it yet.
    Waiting,
    /// Another version was approved.
    Void,
    Rejected,
    /// Only who asked for it approved it.
    Own,
    /// Approved, but what was approved has ended.
    Lapsed,
    /// An emergency that was approved too late to count as approved afterwards.
    Late,
    /// Approved as a pattern, which others follow; authorises nothing itself.
    Pattern {
        at: Timestamp,
        until: Timestamp,
    },
    /// A standard change beyond the pattern it names, or whose pattern is not approved.
    BeyondPattern,
    Approved {
        at: Timestamp,
        until: Timestamp,
    },
}

impl Standing {
    /// The name in documents.
    pub fn name(&self) -> &'static str {
        match self {
            Standing::Unreadable(_) => "unreadable",
            Standing::Waiting => "waiting",
            Standing::Void => "void",
            Standing::Rejected => "rejected",
            Standing::Own => "own_approval",
            Standing::Lapsed => "lapsed",
            Standing::Late => "late",
            Standing::Pattern { .. } => "pattern",
            Standing::BeyondPattern => "beyond_pattern",
            Standing::Approved { .. } => "approved",
        }
    }

    pub fn text(&self) -> Text {
        match self {
            Standing::Unreadable(_) => t("対象が読めません", "Its scope cannot be read"),
            Standing::Waiting => t("承認待ち", "Waiting for approval"),
            Standing::Void => t(
                "承認の後に内容が変わったため、承認は無効です",
                "Changed after it was approved: the approval is void",
            ),
            Standing::Rejected => t("却下", "Rejected"),
            Standing::Own => t(
                "申請者自身の署名は承認になりません",
                "Signed by who asked for it, which approves nothing",
            ),
            Standing::Lapsed => t("承認の期限が切れました", "The approval has ended"),
            Standing::Late => t(
                "事後承認の期限（開始から72時間）を過ぎていたため、承認になりません",
                "Approved later than 72 hours after its begin, so it does not count",
            ),
            Standing::Pattern { .. } => t("承認済みの標準変更（ひな形）", "Approved pattern"),
            Standing::BeyondPattern => t(
                "もとになる標準変更の範囲外か、それが未承認です",
                "Beyond its pattern, or the pattern is not approved",
            ),
            Standing::Approved { .. } => t("承認済み", "Approved"),
        }
    }

    pub fn is_approved(&self) -> bool {
        matches!(self, Standing::Approved { .. })
    }
}

/// A change with what was decided about it.
#[derive(Clone, Debug)]
pub struct Change {
    pub row: Row,
    pub kind: Kind,
    pub scope: Option<ChangeScope>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub requester: Option<Id>,
    pub standing: Standing,
    /// Logins of who approved it.
    pub approvers: Vec<String>,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

/// What a decision says of one version of a row.
pub(in crate::work) struct Signed {
    pub at: Timestamp,
    pub until: Timestamp,
    pub by: Vec<String>,
}

/// Whether one of these logins stands behind a signature, in person or through somebody else.
fn is_by(statement: &Statement, logins: &[String]) -> bool {
    let hands = statement.acting_for.iter().chain([&statement.signer]);
    hands.into_iter().any(|hand| logins.iter().any(|login| hand.login.eq_ignore_ascii_case(login)))
}

/// What the signed decisions about a row come to, leaving out those signed by `askers`.
pub(in crate::work) fn judged(
    row: &Row,
    decisions: &[Row],
    askers: &[String],
    kinds: &[&str],
) -> Result<Result<Signed, Standing>, StoreError> {
    let hash = row.content_hash()?;
    let mut of_row: Vec<&Row> = decisions
        .iter()
        .filter(|d| d.subject == Some(row.id) && kinds.contains(&d.kind.as_str()) && !d.deleted)
        .filter(|d| matches!(d.status.as_str(), "approved" | "rejected"))
        .filter(|d| !signatures(d).is_empty())
        .collect();
    of_row.sort_by_key(|d| (d.updated_at, d.id));
    let Some(newest) = of_row.last() else { return Ok(Err(Standing::Waiting)) };
    let fitting: Vec<&&Row> =
        of_row.iter().filter(|d| d.subject_hash.as_deref() == Some(hash.as_str())).collect();
    let Some(last) = fitting.last() else {
        let approved = newest.status == "approved";
        return Ok(Err(if approved { Standing::Void } else { Standing::Waiting }));
    };
    if last.status == "rejected" {
        return Ok(Err(Standing::Rejected));
    }
    let is_others = |d: &&&&Row| {
        d.status == "approved" && signatures(d).iter().all(|s| !is_by(&s.statement, askers))
    };
    // The first approval counts: a second one does not make it later.
    let Some(decision) = fitting.iter().find(is_others) else { return Ok(Err(Standing::Own)) };
    let by = signatures(decision);
    let by = by.iter().map(|s| {
        let hand = s.statement.acting_for.as_ref().unwrap_or(&s.statement.signer);
        hand.login.clone()
    });
    Ok(Ok(Signed {
        at: decision.updated_at,
        until: decision.ends_at.unwrap_or(Timestamp(i64::MAX)),
        by: by.collect(),
    }))
}

fn time(row: &Row, name: &str) -> Option<Timestamp> {
    Timestamp::parse(row.attributes.get(name)?.as_str()?)
}

impl Change {
    /// The change of a row; `askers` are the logins of who asked for it.
    pub(super) fn of(row: Row, decisions: &[Row], askers: &[String]) -> Result<Change, StoreError> {
        let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or("");
        let kind = match text("type") {
            "standard" => Kind::Standard,
            "emergency" => Kind::Emergency,
            _ => Kind::Normal,
        };
        let (scope, fault) =
            match ChangeScope::read(row.attributes.get("scope").unwrap_or(&Json::Null)) {
                Ok(scope) => (Some(scope), None),
                Err(fault) => (None, Some(fault)),
            };
        // A window that cannot be read is none.
        let from = time(&row, "from").unwrap_or(Timestamp(i64::MAX));
        let mut to = time(&row, "to").unwrap_or(Timestamp(i64::MIN));
        if kind == Kind::Emergency {
            to = to.min(from.plus_hours(EMERGENCY_HOURS_MAX));
        }
        let mut change = Change {
            kind,
            from,
            to,
            requester: text("requester").parse().ok(),
            standing: Standing::Waiting,
            approvers: Vec::new(),
            closed: None,
            scope,
            row,
        };
        change.standing = match (fault, judged(&change.row, decisions, askers, &["approval"])?) {
            (Some(fault), _) => Standing::Unreadable(fault),
            (None, Err(standing)) => standing,
            (None, Ok(signed)) => {
                change.approvers = signed.by;
                if change.is_pattern() {
                    Standing::Pattern { at: signed.at, until: signed.until }
                } else if signed.until <= change.from {
                    Standing::Lapsed
                } else if kind == Kind::Emergency
                    && signed.at > change.from.plus_hours(AFTERWARDS_HOURS_MAX)
                {
                    Standing::Late
                } else {
                    Standing::Approved { at: signed.at, until: signed.until }
                }
            }
        };
        Ok(change)
    }

    /// As documents tell it.
    pub fn document(&self) -> Json {
        let window = |(from, to): (Timestamp, Timestamp)| json!({ "from": from.rfc3339(), "to": to.rfc3339() });
        json!({
            "id": self.row.id,
            "name": self.row.name,
            "type": super::text(&self.row, "type"),
            "from": self.from.rfc3339(),
            "to": self.to.rfc3339(),
            "standing": self.standing.name(),
            "authorises": self.window().map(window),
            "scope": self.scope.as_ref().map(ChangeScope::to_json),
            "requester": self.requester,
            "closed_at": self.closed.map(Timestamp::rfc3339),
            "version": self.row.version,
        })
    }

    /// A standard change that names no pattern is one.
    pub fn is_pattern(&self) -> bool {
        self.kind == Kind::Standard && self.scope.as_ref().is_some_and(|s| s.pattern.is_none())
    }

    /// Settles a standard change by the pattern it follows.
    pub(super) fn follow(&mut self, patterns: &[Change], askers: &[String]) {
        let Some((scope, wanted)) = self.scope.as_ref().and_then(|s| Some((s, s.pattern?))) else {
            return;
        };
        if self.kind != Kind::Standard || matches!(self.standing, Standing::Unreadable(_)) {
            return;
        }
        let pattern = patterns.iter().find(|p| p.row.id == wanted && p.closed.is_none());
        let found = pattern.and_then(|pattern| match (&pattern.standing, &pattern.scope) {
            (Standing::Pattern { at, until }, Some(wider)) => {
                let inside = self.from >= pattern.from && self.to <= pattern.to;
                let by_asker =
                    |login: &String| askers.iter().any(|asker| asker.eq_ignore_ascii_case(login));
                let by_others = !pattern.approvers.iter().any(by_asker);
                (inside && by_others && scope.lies_within(wider))
                    .then(|| (*at, (*until).min(pattern.to), pattern.approvers.clone()))
            }
            _ => None,
        });
        // Its own signature counts as well, where somebody gave one.
        match found {
            Some((at, until, by)) => {
                self.approvers = by;
                // It is in the register from then on: nothing is authorised backwards.
                let at = at.max(self.row.updated_at);
                self.standing = Standing::Approved { at, until };
            }
            None if !self.standing.is_approved() => self.standing = Standing::BeyondPattern,
            None => {}
        }
    }

    /// An emergency that is not approved, within the time in which it may be.
    pub fn is_pending(&self) -> bool {
        self.kind == Kind::Emergency && self.standing == Standing::Waiting && self.scope.is_some()
    }

    /// From when until when it authorises, in microseconds; an emergency from when it was declared.
    pub fn window(&self) -> Option<(Timestamp, Timestamp)> {
        let (from, to) = match self.standing {
            Standing::Approved { at, until } => match self.kind {
                Kind::Emergency => (self.from.max(self.row.created_at), self.to),
                _ => (self.from.max(at), self.to.min(until)),
            },
            _ if self.is_pending() => (self.from.max(self.row.created_at), self.to),
            _ => return None,
        };
        let to = self.closed.map_or(to, |closed| to.min(closed));
        (from <= to).then_some((from, to))
    }

    /// What the engine takes of it for a host: settings and values apart, since values exclude settings.
    pub fn for_engine(&self, host: Id, deltas: &[Delta]) -> Vec<ApprovedChange> {
        let (Some(scope), Some((from, to))) = (&self.scope, self.window()) else {
            return Vec::new();
        };
        if !scope.hosts.has(host) {
            return Vec::new();
        }
        let part = |scopes: Vec<Scope>, exact| ApprovedChange {
            id: self.row.id.to_string(),
            scopes,
            exact,
            from: from.0.div_euclid(MICROS),
            to: to.0.div_euclid(MICROS),
            actors: scope.actors.iter().map(Id::to_string).collect(),
        };
        let exact: Vec<_> = deltas
            .iter()
            .filter(|delta| scope.exact.iter().any(|exact| exact.is(delta)))
            .map(|delta| (delta.class, delta.name.clone(), delta.after.clone()))
            .collect();
        let mut parts = Vec::new();
        if !scope.settings.is_empty() {
            parts.push(part(scope.settings.iter().map(|(_, s)| s.clone()).collect(), Vec::new()));
        }
        if !exact.is_empty() {
            parts.push(part(Vec::new(), exact));
        }
        parts
    }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
