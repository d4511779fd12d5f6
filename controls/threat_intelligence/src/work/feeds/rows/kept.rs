//! Rows and groups as they come, and as they are kept.

use indicators::{
    Ceiling, Direction, Key, Kind, Scope,
    normalise::{normalise, residue},
    tlp::Level,
};
use netname::Names;
use sqlx::{Row as _, sqlite::SqliteRow};

/// A value of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedRow {
    pub key: Key,
    /// The group of the desk that it belongs to; empty for none.
    pub group: String,
    pub direction: Direction,
    /// What its producer allows at most.
    pub ceiling: Ceiling,
    pub valid_from: Option<i64>,
    pub valid_until: Option<i64>,
    /// When it was last seen at work, or named again.
    pub sighted: Option<i64>,
    /// 0 to 100.
    pub score: Option<u8>,
    pub revoked: bool,
    pub level: Level,
    /// Id of what said it, by which it can be revoked.
    pub said_by: String,
}

impl FeedRow {
    pub fn new(key: Key, level: Level) -> FeedRow {
        FeedRow {
            key,
            group: String::new(),
            direction: Direction::Both,
            ceiling: Ceiling::Block,
            valid_from: None,
            valid_until: None,
            sighted: None,
            score: None,
            revoked: false,
            level,
            said_by: String::new(),
        }
    }
}

/// What a feed names together: an event, a report, a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub key: String,
    pub title: String,
    pub level: Option<Level>,
    /// The original.
    pub raw: Vec<u8>,
    /// Changes with its content; empty where its producer has none.
    pub stamp: String,
}

/// A group as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptGroup {
    pub key: String,
    pub title: String,
    pub level: String,
    pub raw: String,
}

/// A row as it stands, with its number.
#[derive(Clone, Debug)]
pub struct Kept {
    pub id: i64,
    pub source: String,
    pub kind: String,
    pub scope: String,
    pub value: String,
    pub direction: String,
    pub ceiling: String,
    pub valid_from: Option<i64>,
    pub valid_until: Option<i64>,
    pub received: i64,
    pub sighted: Option<i64>,
    pub score: Option<u8>,
    pub revoked: bool,
    pub changed: i64,
    pub in_set: bool,
    pub verdict: Option<String>,
}

pub(super) const KEPT: &str = "id, source, kind, scope, value, direction, ceiling, valid_from, valid_until, received, sighted, \
                    score, revoked, changed, in_set, verdict";

impl Kept {
    pub(super) fn of(row: &SqliteRow) -> Kept {
        Kept {
            id: row.get(0),
            source: row.get(1),
            kind: row.get(2),
            scope: row.get(3),
            value: row.get(4),
            direction: row.get(5),
            ceiling: row.get(6),
            valid_from: row.get(7),
            valid_until: row.get(8),
            received: row.get(9),
            sighted: row.get(10),
            score: row.get::<Option<i64>, _>(11).and_then(|score| u8::try_from(score).ok()),
            revoked: row.get::<i64, _>(12) != 0,
            changed: row.get(13),
            in_set: row.get::<i64, _>(14) != 0,
            verdict: row.get(15),
        }
    }

    /// The value in its form; none where this Ume refuses what an older one took.
    pub fn key(&self, names: &Names) -> Option<Key> {
        key(&self.kind, &self.scope, &self.value, names)
    }
}

/// A key of its parts.
pub fn key(kind: &str, scope: &str, value: &str, names: &Names) -> Option<Key> {
    let (kind, scope) = (Kind::named(kind)?, Scope::named(scope)?);
    if matches!(scope, Scope::Pattern | Scope::Substring | Scope::Regex) {
        return residue(kind, scope, value).ok();
    }
    let key = normalise(kind, value, names).ok()?;
    if key.scope() == scope { Some(key) } else { key.reaching(scope).ok() }
}

/// How many rows of a source were judged how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub verdict: String,
    pub count: u64,
    /// One of them.
    pub value: String,
}
