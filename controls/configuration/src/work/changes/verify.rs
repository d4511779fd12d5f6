//! What became of a change: approved and seen, approved and not seen, seen and not approved.
//!
//! Invariants: nothing is said to be unseen before a snapshot taken behind the window was there to show
//! it, a host that stays away for a week apart; a change closes when nothing of the last two lists is
//! left, or all of it is decided.

use std::collections::{BTreeMap, HashMap};

use model::{Id, Table, Timestamp};
use room::draft;
use serde_json::{Value as Json, json};
use store::{Record, Store, StoreError};

use super::{CLOSED, Change, Kind, scope::Hosts};
use crate::work::drift::{DRIFT, Drift, SNAPSHOT, UNAUTHORISED, with_all};

pub const VERIFIED: &str = "configuration.change_verified";
/// A host that was not seen for so long behind the window does not keep a change open.
const WAIT_HOURS: i64 = 7 * 24;
const RECORDS_MAX: usize = 20_000;

/// What a host was to get and what of it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub host: Id,
    /// `class/pattern`.
    pub setting: String,
    /// The value approved, where one was.
    pub value: Option<String>,
}

impl Wanted {
    fn document(&self) -> Json {
        json!({ "host": self.host, "setting": self.setting, "value": self.value })
    }
}

/// The three lists.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Records of drift within the change.
    pub seen: Vec<Drift>,
    pub unseen: Vec<Wanted>,
    /// Drift on its hosts in its window that nothing approved.
    pub unapproved: Vec<Drift>,
    /// Hosts of which no snapshot behind the window is there yet.
    pub waiting: Vec<Id>,
}

impl Found {
    pub fn undecided(&self) -> usize {
        self.unapproved.iter().filter(|drift| drift.decided.is_none()).count()
    }

    /// Whether the lists are final.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The lists as documents tell them.
    pub fn document(&self) -> Json {
        let ids = |drifts: &[Drift]| drifts.iter().map(|d| d.record.id).collect::<Vec<Id>>();
        json!({
            "complete": self.is_complete(),
            "waiting": self.waiting,
            "approved_seen": ids(&self.seen),
            "approved_unseen": self.unseen.iter().map(Wanted::document).collect::<Vec<_>>(),
            "seen_unapproved": ids(&self.unapproved),
            "undecided": self.undecided(),
        })
    }

    fn facts(&self) -> Json {
        json!({
            "approved_seen": self.seen.len(),
            "approved_unseen": self.unseen.len(),
            "seen_unapproved": self.unapproved.len(),
        })
    }
}

/// The hosts a change is about.
pub fn hosts_of(change: &Change, known: &[Id]) -> Vec<Id> {
    match change.scope.as_ref().map(|scope| &scope.hosts) {
        Some(Hosts::These(ids)) => ids.clone(),
        Some(Hosts::All) => known.to_vec(),
        None => Vec::new(),
    }
}

/// Holds what was seen on its hosts against a change. `seen_at` is the newest snapshot of each host.
pub fn hold(
    change: &Change,
    hosts: &[Id],
    seen_at: &HashMap<Id, Timestamp>,
    drifts: &[Drift],
    now: Timestamp,
) -> Found {
    let (Some(scope), Some((from, to))) = (&change.scope, change.window()) else {
        return Found::default();
    };
    let id = change.row.id.to_string();
    let is_over = |host: &Id| seen_at.get(host).is_some_and(|at| *at >= to);
    let mut found = Found::default();
    let mut covered: Vec<(Id, usize, bool)> = Vec::new();
    for drift in drifts.iter().filter(|d| d.host().is_some_and(|h| hosts.contains(&h))) {
        let host = drift.host().unwrap_or(Id::nil());
        let is_own = drift.fact("change") == id;
        let is_approved = is_own
            && (!drift.is_unauthorised()
                || (change.standing.is_approved() && change.kind == Kind::Emergency));
        if is_approved {
            covered.extend(drift.items.iter().flat_map(|item| {
                let settings = scope.settings.iter().enumerate();
                let settings = settings
                    .filter(|(_, (_, s))| s.has(item.delta.class, &item.delta.name))
                    .map(|(n, _)| (host, n, false));
                let exact = scope.exact.iter().enumerate();
                let exact = exact.filter(|(_, e)| e.is(&item.delta)).map(|(n, _)| (host, n, true));
                settings.chain(exact).collect::<Vec<_>>()
            }));
            found.seen.push(drift.clone());
            continue;
        }
        let touches = drift.record.observed_from <= to && drift.record.observed_to >= from;
        if touches && drift.is_unauthorised() {
            found.unapproved.push(drift.clone());
        }
    }
    for host in hosts {
        let settings = scope.settings.iter().map(|(text, _)| (text, None, false));
        let exact = scope.exact.iter().map(|e| {
            (&e.setting, Some(e.value.clone().unwrap_or_else(|| "none".to_owned())), true)
        });
        for (n, (setting, value, is_exact)) in settings.enumerate().chain(exact.enumerate()) {
            if !covered.contains(&(*host, n, is_exact)) {
                found.unseen.push(Wanted { host: *host, setting: setting.clone(), value });
            }
        }
    }
    let all_seen = found.unseen.is_empty() && scope.settings.is_empty();
    if !all_seen && now < to.plus_hours(WAIT_HOURS) {
        found.waiting = hosts.iter().filter(|host| !is_over(host)).copied().collect();
    }
    found
}

/// Everything that holding takes, of these changes at once.
pub struct Evidence {
    pub hosts: Vec<Id>,
    pub seen_at: HashMap<Id, Timestamp>,
    pub drifts: Vec<Drift>,
    /// There is more than was read, so nothing can be said to be unseen.
    pub is_cut: bool,
}

impl Evidence {
    pub async fn load(store: &Store, since: Timestamp) -> Result<Evidence, StoreError> {
        let records = store.present().records_since(&[DRIFT], since, RECORDS_MAX).await?;
        let is_cut = records.len() == RECORDS_MAX;
        // What the machine judged by itself says nothing of any change.
        let of_change = |record: &Record| {
            let class = record.facts.get("class").and_then(Json::as_str);
            record.facts.contains_key("change") || class == Some(UNAUTHORISED)
        };
        let drifts = with_all(store, records.into_iter().filter(of_change).collect()).await?;
        let snapshots = store.latest_per_subject(&[SNAPSHOT]).await?;
        let seen_at: HashMap<Id, Timestamp> =
            snapshots.iter().filter_map(|r| Some((r.subject?, r.observed_to))).collect();
        let ids: Vec<Id> = seen_at.keys().copied().collect();
        let rows = store.rows_by_id(Table::Asset, &ids).await?;
        let hosts = rows.into_iter().filter(|row| row.kind == "host").map(|row| row.id).collect();
        Ok(Evidence { hosts, seen_at, drifts, is_cut })
    }

    pub fn hold(&self, change: &Change, now: Timestamp) -> Found {
        let hosts = hosts_of(change, &self.hosts);
        let mut found = hold(change, &hosts, &self.seen_at, &self.drifts, now);
        if self.is_cut {
            found.waiting = hosts;
        }
        found
    }
}

/// What was seen of one change until now; none where it has not begun or is a pattern.
pub async fn now(store: &Store, change: &Change) -> Result<Option<Found>, StoreError> {
    let now = store.now();
    let begun = change.window().filter(|(from, _)| *from <= now && !change.is_pattern());
    let Some((since, _)) = begun else { return Ok(None) };
    Ok(Some(Evidence::load(store, since).await?.hold(change, now)))
}

/// Whether a change is to be held against what was seen.
pub fn is_due(change: &Change, now: Timestamp) -> bool {
    let begun = change.window().is_some_and(|(from, _)| from <= now);
    change.closed.is_none() && begun
}

/// Verifies all changes that are due; how many were verified and closed.
pub(in crate::work) async fn all(
    store: &Store,
    now: Timestamp,
) -> Result<(usize, usize), StoreError> {
    let changes = super::all(store).await?;
    let due: Vec<&Change> = changes.iter().filter(|change| is_due(change, now)).collect();
    let Some(since) = due.iter().filter_map(|c| Some(c.window()?.0)).min() else {
        return Ok((0, 0));
    };
    let evidence = Evidence::load(store, since).await?;
    let ids: Vec<Id> = due.iter().map(|change| change.row.id).collect();
    let told = store.present().records_about(VERIFIED, &ids, Timestamp(i64::MAX)).await?;
    let told: BTreeMap<Id, Record> =
        told.into_iter().filter_map(|record| Some((record.subject?, record))).collect();
    let (mut verified, mut closed) = (0, 0);
    for change in due {
        let found = evidence.hold(change, now);
        if !found.is_complete() {
            continue;
        }
        let facts = found.facts();
        let is_told =
            told.get(&change.row.id).is_some_and(|r| Json::Object(r.facts.clone()) == facts);
        // An emergency that still waits for its approval stays open whatever was seen.
        let closes = found.unseen.is_empty() && found.undecided() == 0 && !change.is_pending();
        if is_told && !closes {
            continue;
        }
        let mut write = store.write("system:configuration.settle", "work", "").await?;
        if !is_told {
            write.record(verified_draft(change, &found, now)).await?;
            verified += 1;
        }
        if closes {
            write.record(closed_draft(change, &found, now, "")).await?;
            closed += 1;
        }
        write.commit().await?;
    }
    Ok((verified, closed))
}

fn verified_draft(change: &Change, found: &Found, now: Timestamp) -> store::RecordDraft {
    let mut draft = draft(VERIFIED, Some(change.row.id), now, found.facts());
    draft.source = "configuration.settle".to_owned();
    draft.payload = serde_json::to_vec(&found.document()).ok();
    draft
}

/// The record that closes a change; a reason where somebody decided that what was not seen is not needed.
pub fn closed_draft(
    change: &Change,
    found: &Found,
    now: Timestamp,
    reason: &str,
) -> store::RecordDraft {
    let facts = json!({
        "approved_seen": found.seen.len(),
        "unseen_decided": found.unseen.len(),
        "unapproved_decided": found.unapproved.len(),
    });
    let mut draft = draft(CLOSED, Some(change.row.id), now, facts);
    draft.source = "configuration.settle".to_owned();
    draft.payload =
        (!reason.is_empty()).then(|| json!({ "reason": reason }).to_string().into_bytes());
    draft
}
