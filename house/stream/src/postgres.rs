//! What looks at a PostgreSQL tell: samples, and events where something begins. Pure: the looks come from outside.
//!
//! An event is told when its state begins, and again only after the state ended; counters tell what they grew by.
//! What was before the first look is not known, so nothing is told of it.
//!
//! Limit: [`NAMED_MAX`] databases, standbys and slots each.

use std::collections::BTreeMap;

use model::Timestamp;
use serde_json::json;

use crate::{Format, RawLine, metrics::Sample};

/// Most databases, standbys and slots of a look.
pub const NAMED_MAX: usize = 100;
/// The program that the events are said by.
pub const APP: &str = "postgresql_probe";
/// Connections are short from this share of those that ordinary users may take, until below the second.
const CONNECTIONS: (f64, f64) = (0.9, 0.8);
/// A wait for a lock, and a transaction, that is told of, in seconds.
const LOCK_S: f64 = 60.0;
const TRANSACTION_S: f64 = 3600.0;
/// Transactions after which a database must be vacuumed soon; at 2^31 it stops.
const AGE: f64 = 1.5e9;

/// One look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// When the server was started, in seconds of the epoch.
    pub started_s: f64,
    pub version: String,
    pub is_standby: bool,
    pub connections_max: f64,
    /// Of these, what only administrators may take.
    pub connections_reserved: f64,
    /// Connections by state.
    pub connections: BTreeMap<String, f64>,
    pub databases: Vec<Database>,
    pub locks_waiting: f64,
    pub longest_lock_wait_s: f64,
    pub oldest_transaction_s: f64,
    /// Of a standby: how far it is behind.
    pub replay_lag_s: Option<f64>,
    /// Of a primary: the bytes that each standby has not replayed.
    pub standbys: Vec<(String, f64)>,
    /// Bytes that each replication slot keeps from being removed.
    pub slots: Vec<(String, f64)>,
}

/// One database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Database {
    pub name: String,
    /// Absent where the user may not see it.
    pub bytes: Option<f64>,
    pub age: f64,
    pub commits: f64,
    pub rollbacks: f64,
    pub blocks_hit: f64,
    pub blocks_read: f64,
    pub deadlocks: f64,
    pub temporary_bytes: f64,
    pub checksum_failures: f64,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    last: Option<Look>,
    /// Whether the last look failed; not known at first.
    failed: Option<bool>,
    /// States that hold.
    held: BTreeMap<String, bool>,
}

/// Something that began.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// A word for rules: `restarted`, `unreachable`, `reachable`, `connections`, `lock_wait`, `transaction`,
    /// `deadlock`, `checksum`, `wraparound`.
    pub event: &'static str,
    pub severity: &'static str,
    pub message: String,
}

impl Told {
    /// As a line of JSON.
    pub fn line(&self, source: &str, host: &str, time: Timestamp) -> RawLine {
        let line = json!({
            "time": time.rfc3339(), "app": APP, "host": host, "level": self.severity, "message": self.message,
            "event": self.event, "instance": source,
        });
        RawLine::with_format(line.to_string(), Format::Json)
    }
}

impl Seen {
    /// Takes in a look.
    pub fn look(&mut self, look: Look) -> (Vec<Sample>, Vec<Told>) {
        let mut told = Vec::new();
        if self.failed.replace(false) == Some(true) {
            let message = "PostgreSQL answers again".to_owned();
            told.push(Told { event: "reachable", severity: "notice", message });
        }
        if let Some(last) = &self.last {
            // The start is told in microseconds; the clock of the server may have been set meanwhile.
            if (look.started_s - last.started_s).abs() > 1.0 {
                let at = |s: f64| Timestamp((s * 1e6) as i64).rfc3339();
                let (since, before) = (at(look.started_s), at(last.started_s));
                let message = format!(
                    "PostgreSQL was restarted: runs since {since}, before that since {before}"
                );
                told.push(Told { event: "restarted", severity: "warning", message });
            }
        }
        let samples = self.samples(&look);
        self.states(&look, &mut told);
        self.growth(&look, &mut told);
        self.last = Some(look);
        (samples, told)
    }

    /// Takes in that there was no answer.
    pub fn failed(&mut self, reason: &str) -> (Vec<Sample>, Vec<Told>) {
        let message = format!("PostgreSQL does not answer: {reason}");
        let told = Told { event: "unreachable", severity: "error", message };
        let is_new = self.failed.replace(true) != Some(true);
        (vec![sample("pg_up", &[], 0.0, "state")], if is_new { vec![told] } else { Vec::new() })
    }

    fn samples(&self, look: &Look) -> Vec<Sample> {
        let gauge = |name: &str, value: f64| sample(name, &[], value, "gauge");
        let used: f64 = look.connections.values().sum();
        let mut all = vec![
            sample("pg_up", &[], 1.0, "state"),
            gauge("pg_postmaster_start_time_seconds", look.started_s),
            gauge("pg_connections", used),
            gauge("pg_connections_used_ratio", used / look.connections_max.max(1.0)),
            gauge("pg_locks_waiting", look.locks_waiting),
            gauge("pg_lock_wait_seconds", look.longest_lock_wait_s),
            gauge("pg_oldest_transaction_seconds", look.oldest_transaction_s),
            sample("pg_in_recovery", &[], f64::from(u8::from(look.is_standby)), "state"),
        ];
        for (state, count) in &look.connections {
            all.push(sample("pg_connections_state", &[("state", state)], *count, "gauge"));
        }
        all.extend(look.replay_lag_s.map(|lag| gauge("pg_replay_lag_seconds", lag)));
        for (name, bytes) in &look.standbys {
            all.push(sample("pg_standby_behind_bytes", &[("standby", name)], *bytes, "gauge"));
        }
        for (name, bytes) in &look.slots {
            all.push(sample("pg_slot_retained_bytes", &[("slot", name)], *bytes, "gauge"));
        }
        for database in &look.databases {
            self.of_database(database, &mut all);
        }
        all
    }

    fn of_database(&self, now: &Database, all: &mut Vec<Sample>) {
        let label = [("database", now.name.as_str())];
        let mut put = |name: &str, value: f64, kind| all.push(sample(name, &label, value, kind));
        if let Some(bytes) = now.bytes {
            put("pg_database_size_bytes", bytes, "gauge");
        }
        put("pg_database_age_transactions", now.age, "gauge");
        for (name, value) in [
            ("pg_commits_total", now.commits),
            ("pg_rollbacks_total", now.rollbacks),
            ("pg_blocks_read_total", now.blocks_read),
            ("pg_deadlocks_total", now.deadlocks),
            ("pg_temporary_bytes_total", now.temporary_bytes),
        ] {
            put(name, value, "counter");
        }
        // Of what was read since the look before; all of the past would hide today.
        if let Some(before) = self.before(&now.name) {
            let (hit, read) =
                (now.blocks_hit - before.blocks_hit, now.blocks_read - before.blocks_read);
            if hit >= 0.0 && read >= 0.0 && hit + read > 0.0 {
                put("pg_cache_hit_ratio", hit / (hit + read), "gauge");
            }
        }
    }

    fn before(&self, name: &str) -> Option<&Database> {
        self.last.as_ref()?.databases.iter().find(|database| database.name == name)
    }

    fn states(&mut self, look: &Look, told: &mut Vec<Told>) {
        let used: f64 = look.connections.values().sum();
        let open = (look.connections_max - look.connections_reserved).max(1.0);
        let short = if self.holds("connections") { CONNECTIONS.1 } else { CONNECTIONS.0 };
        let mut tell = |key: &str, holds: bool, event, severity, message: String| {
            if self.held.insert(key.to_owned(), holds) != Some(true) && holds {
                told.push(Told { event, severity, message });
            }
        };
        let message = format!("PostgreSQL connections are nearly used up: {used} of {open}");
        tell("connections", used >= short * open, "connections", "error", message);
        let wait = look.longest_lock_wait_s;
        let message = format!(
            "PostgreSQL statements wait for locks: {} waiting, the longest for {wait:.0} s",
            look.locks_waiting
        );
        tell("lock_wait", wait >= LOCK_S, "lock_wait", "warning", message);
        let age = look.oldest_transaction_s;
        let message = format!("A PostgreSQL transaction is open for {age:.0} s");
        tell("transaction", age >= TRANSACTION_S, "transaction", "warning", message);
        for database in &look.databases {
            let key = format!("wraparound {}", database.name);
            let message = format!(
                "PostgreSQL database {} must be vacuumed before its transaction numbers run out: {:.0} used",
                database.name, database.age
            );
            tell(&key, database.age >= AGE, "wraparound", "error", message);
        }
    }

    fn holds(&self, key: &str) -> bool {
        self.held.get(key).copied().unwrap_or(false)
    }

    fn growth(&self, look: &Look, told: &mut Vec<Told>) {
        for now in &look.databases {
            let Some(before) = self.before(&now.name) else { continue };
            let deadlocks = now.deadlocks - before.deadlocks;
            if deadlocks > 0.0 {
                let message = format!("PostgreSQL database {}: {deadlocks} deadlocks", now.name);
                told.push(Told { event: "deadlock", severity: "warning", message });
            }
            let broken = now.checksum_failures - before.checksum_failures;
            if broken > 0.0 {
                let message = format!(
                    "PostgreSQL database {}: {broken} pages with a wrong checksum",
                    now.name
                );
                told.push(Told { event: "checksum", severity: "critical", message });
            }
        }
    }
}

fn sample(name: &str, labels: &[(&str, &str)], value: f64, kind: &'static str) -> Sample {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sample { name: name.to_owned(), labels: labels.collect(), value, kind: Some(kind), time: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(active: f64) -> Look {
        Look {
            started_s: 1_795_600_000.0,
            connections_max: 100.0,
            connections_reserved: 3.0,
            connections: [("active".to_owned(), active)].into(),
            databases: vec![Database {
                name: "shop".to_owned(),
                bytes: Some(1024.0),
                blocks_hit: 100.0,
                blocks_read: 10.0,
                ..Database::default()
            }],
            ..Look::default()
        }
    }

    fn events(told: &[Told]) -> Vec<&str> {
        told.iter().map(|told| told.event).collect()
    }

    #[test]
    fn what_begins_is_told_once_and_again_after_it_ended() {
        let mut seen = Seen::default();
        let mut after = |active| events(&seen.look(look(active)).1).join(" ");
        let states: Vec<_> =
            [10.0, 90.0, 85.0, 95.0, 70.0, 88.0].into_iter().map(&mut after).collect();
        assert_eq!(states, ["", "connections", "", "", "", "connections"]);
    }

    #[test]
    fn a_restart_and_a_silence_are_told() {
        let mut seen = Seen::default();
        assert_eq!(events(&seen.look(look(1.0)).1), [""; 0]);
        assert_eq!(events(&seen.failed("refused").1), ["unreachable"]);
        assert_eq!(events(&seen.failed("refused").1), [""; 0]);
        let (samples, told) = seen.look(Look { started_s: 1_795_600_100.5, ..look(1.0) });
        assert_eq!(events(&told), ["reachable", "restarted"]);
        assert!(told[1].message.contains("2026-11-25T"), "{}", told[1].message);
        assert!(samples.iter().any(|s| s.to_string() == "pg_connections_used_ratio 0.01"));
        let line = told[1].line("db1", "db1:5432", Timestamp(0));
        let event = crate::parse(&line, "db1", Timestamp(0), &jiff::tz::TimeZone::UTC);
        assert_eq!((event.app.as_str(), &*event.fields["event"]), (APP, "restarted"));
    }

    #[test]
    fn growth_is_told_and_hits_are_those_since_the_look_before() {
        let mut seen = Seen::default();
        let first = seen.look(look(1.0)).0;
        assert!(!first.iter().any(|sample| sample.name == "pg_cache_hit_ratio"));
        let mut next = look(1.0);
        let database = &mut next.databases[0];
        (database.blocks_hit, database.blocks_read) = (130.0, 20.0);
        (database.deadlocks, database.checksum_failures, database.age) = (2.0, 1.0, 1.6e9);
        next.longest_lock_wait_s = 61.0;
        next.oldest_transaction_s = 4000.0;
        let (samples, told) = seen.look(next.clone());
        assert_eq!(
            events(&told),
            ["lock_wait", "transaction", "wraparound", "deadlock", "checksum"]
        );
        let ratio = samples.iter().find(|sample| sample.name == "pg_cache_hit_ratio").unwrap();
        assert_eq!(ratio.value, 0.75);
        // Statistics that were reset shrink; nothing is told of that.
        next.databases[0].deadlocks = 0.0;
        assert_eq!(events(&seen.look(next).1), [""; 0]);
    }
}
