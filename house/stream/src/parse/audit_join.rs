//! Records of one audit event become one event, beside the records themselves.
//!
//! A rule may ask for the file of one record and the program of another: the joined event has the fields of
//! all. Records are joined by host and serial number. An event is complete at its `EOE` or `PROCTITLE`, or when
//! it has waited for [`JoinLimits::wait_us`]; if there are more than the limits allow, the oldest is let go first
//! and counted. Records that Ume's own kind of program writes alone (log-ins, accounts) wait for nobody.
//!
//! Pure: time is an argument, and memory is bounded by [`JoinLimits`].

use std::collections::{BTreeMap, VecDeque};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    CLASS_FILE, CLASS_NETWORK, CLASS_PROCESS, MAX_FIELDS, SHAPE_FIELD, Shape,
    audit::{SERIAL, is_argument},
};
use crate::event::Event;

/// How much may wait.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct JoinLimits {
    /// Events that wait for more records
    pub events: usize,
    /// Records of one event; more are counted and not joined
    pub records: usize,
    /// Raw bytes of all that wait
    pub bytes: usize,
    /// How long an event waits after its first record
    pub wait_us: i64,
}

impl Default for JoinLimits {
    fn default() -> JoinLimits {
        JoinLimits { events: 1024, records: 64, bytes: 16 << 20, wait_us: 2_000_000 }
    }
}

/// What did not go as it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinCounters {
    /// Events that came out joined
    pub joined: u64,
    /// Of them, those whose end never came
    pub timed_out: u64,
    /// Of them, those let go since too much waited
    pub evicted: u64,
    /// Records beyond [`JoinLimits::records`]
    pub dropped_records: u64,
}

/// Host, source, serial and the event's time: serials begin anew at each boot.
type Key = (String, String, u64, i64);

#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    records: Vec<Event>,
    bytes: usize,
    since: Timestamp,
}

/// Joins records. What waits can be written down and taken up again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Joiner {
    limits: JoinLimits,
    waiting: BTreeMap<Key, Waiting>,
    /// In the order of their first records
    order: VecDeque<(Timestamp, Key)>,
    bytes: usize,
    counters: JoinCounters,
}

impl Joiner {
    pub fn new(limits: JoinLimits) -> Joiner {
        Joiner { limits, ..Joiner::default() }
    }

    pub fn counters(&self) -> JoinCounters {
        self.counters
    }

    /// Whether nothing waits for more records.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes an event that arrived at `now`; puts into `out` the event itself, and after it whatever became
    /// complete. What is no audit record passes through.
    pub fn push(&mut self, event: Event, now: Timestamp, out: &mut Vec<Event>) {
        self.pass(now, out);
        let Some(key) = key_of(&event) else {
            out.push(event);
            return;
        };
        let kind = event.fields.get("type").map_or("", String::as_str);
        let ends = matches!(kind, "EOE" | "PROCTITLE");
        if stands_alone(kind) || (kind == "EOE" && !self.waiting.contains_key(&key)) {
            out.push(event);
            return;
        }
        if kind != "EOE" {
            self.keep(&key, &event, now);
        }
        out.push(event);
        if ends {
            self.release(&key, out);
        }
        while self.waiting.len() > self.limits.events || self.bytes > self.limits.bytes {
            let Some((_, oldest)) = self.order.pop_front() else { return };
            if self.release(&oldest, out) {
                self.counters.evicted += 1;
            }
        }
    }

    /// Lets go what has waited long enough.
    pub fn pass(&mut self, now: Timestamp, out: &mut Vec<Event>) {
        while let Some((since, key)) = self.order.front().cloned() {
            // A clock that was set back must not hold anything for ever.
            if (0..self.limits.wait_us).contains(&now.0.saturating_sub(since.0)) {
                return;
            }
            self.order.pop_front();
            if self.waiting.get(&key).is_some_and(|w| w.since == since) && self.release(&key, out) {
                self.counters.timed_out += 1;
            }
        }
    }

    /// Lets everything go, at the end of a file.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        while let Some((_, key)) = self.order.pop_front() {
            self.release(&key, out);
        }
    }

    fn keep(&mut self, key: &Key, event: &Event, now: Timestamp) {
        if !self.waiting.contains_key(key) {
            let fresh = Waiting { records: Vec::new(), bytes: 0, since: now };
            self.waiting.insert(key.clone(), fresh);
            self.order.push_back((now, key.clone()));
        }
        let Some(waiting) = self.waiting.get_mut(key) else { return };
        if waiting.records.len() >= self.limits.records {
            self.counters.dropped_records += 1;
            return;
        }
        waiting.bytes += event.raw.len();
        self.bytes += event.raw.len();
        waiting.records.push(event.clone());
    }

    /// Whether there was something to let go. A lone record is no second event.
    fn release(&mut self, key: &Key, out: &mut Vec<Event>) -> bool {
        let Some(waiting) = self.waiting.remove(key) else { return false };
        self.bytes -= waiting.bytes;
        // Most events end before they are old; their places go with them, so that the queue stays short.
        if self.order.len() > self.waiting.len() * 2 + 16 {
            let kept = &self.waiting;
            self.order.retain(|(since, key)| kept.get(key).is_some_and(|w| w.since == *since));
        }
        if waiting.records.len() < 2 {
            return false;
        }
        self.counters.joined += 1;
        out.push(joined(&waiting.records));
        true
    }
}

fn key_of(event: &Event) -> Option<Key> {
    if Shape::of(event) != Some(Shape::Audit) {
        return None;
    }
    let serial = event.fields.get(SERIAL)?.parse().ok()?;
    let time = event.event_time.map_or(0, |t| t.0);
    Some((event.host.clone(), event.source.clone(), serial, time))
}

/// Records of programs, each an event of its own.
fn stands_alone(kind: &str) -> bool {
    let of_program = ["USER_", "CRED_", "SERVICE_", "ADD_", "DEL_", "GRP_", "ROLE_", "DAEMON_"];
    of_program.iter().any(|begin| kind.starts_with(begin))
        || matches!(kind, "LOGIN" | "SYSTEM_BOOT")
}

/// One event with the fields of all records. A name with several values has them as `name`, `name#2`, ….
fn joined(records: &[Event]) -> Event {
    let last = &records[records.len() - 1];
    let mut event = Event {
        raw: Vec::new(),
        event_time: records[0].event_time,
        class: 0,
        severity: 0,
        message: String::new(),
        fields: BTreeMap::new(),
        ..last.clone()
    };
    for record in records {
        if !event.raw.is_empty() {
            event.raw.push(b'\n');
        }
        event.raw.extend(&record.raw);
        event.severity = event.severity.max(record.severity);
    }
    let mut dropped = 0usize;
    for (name, values) in values(records) {
        for (at, value) in values.into_iter().enumerate() {
            let name = if at == 0 { name.to_owned() } else { format!("{name}#{}", at + 1) };
            if event.fields.len() < MAX_FIELDS {
                event.fields.insert(name, value);
            } else {
                dropped += 1;
            }
        }
    }
    for (name, value) in whole(records) {
        event.fields.insert(name.to_owned(), value);
    }
    if dropped > 0 {
        event.fields.insert("fields_dropped".to_owned(), dropped.to_string());
    }
    event.fields.insert(SHAPE_FIELD.to_owned(), Shape::AuditJoined.name().to_owned());
    let has = |kind: &str| records.iter().any(|r| r.fields.get("type").is_some_and(|t| t == kind));
    event.class = match () {
        () if has("EXECVE") => CLASS_PROCESS,
        () if has("SOCKADDR") => CLASS_NETWORK,
        () if has("PATH") => CLASS_FILE,
        () => records.iter().map(|r| r.class).max().unwrap_or_default(),
    };
    let said = ["CommandLine", "TargetFilename", "proctitle", "exe"];
    let message = said.iter().find_map(|name| event.fields.get(*name)).cloned();
    event.message = message.unwrap_or_else(|| records[0].message.clone());
    event
}

/// Each name with its different values, in the order of the records; arguments are put together separately.
fn values(records: &[Event]) -> BTreeMap<&str, Vec<String>> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for record in records {
        let is_execve = record.fields.get("type").is_some_and(|t| t == "EXECVE");
        for (name, value) in &record.fields {
            if name == SHAPE_FIELD || (is_execve && (is_argument(name) || name == "CommandLine")) {
                continue;
            }
            let values = found.entry(name).or_default();
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
    }
    // Program arguments are what rules mean by a0, a1, …; the registers of the call come after them.
    for (name, text) in arguments(records) {
        let values = found.entry(name).or_default();
        values.retain(|v| *v != text);
        values.insert(0, text);
    }
    found
}

/// Arguments of a program over several EXECVE records; one that was split goes on in the next.
fn arguments(records: &[Event]) -> BTreeMap<&str, String> {
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    for record in records.iter().filter(|r| r.fields.get("type").is_some_and(|t| t == "EXECVE")) {
        for (name, value) in record.fields.iter().filter(|(name, _)| is_argument(name)) {
            found.entry(name).or_default().push_str(value);
        }
    }
    found
}

/// What rules on processes, files and connections ask for.
fn whole(records: &[Event]) -> Vec<(&'static str, String)> {
    let first = |name: &str| records.iter().find_map(|r| r.fields.get(name)).cloned();
    let mut found = Vec::new();
    let arguments = arguments(records);
    if !arguments.is_empty() {
        let mut numbered: Vec<(usize, &String)> = arguments
            .iter()
            .filter_map(|(name, value)| Some((name[1..].parse().ok()?, value)))
            .collect();
        numbered.sort_unstable();
        let line: Vec<&str> = numbered.iter().map(|(_, value)| value.as_str()).collect();
        let split = records.iter().filter_map(|r| r.fields.get("CommandLine")).count() > 1;
        // One record has every argument in its own line, also those beyond the limit of fields.
        let line = if split { line.join(" ") } else { first("CommandLine").unwrap_or_default() };
        found.push(("CommandLine", line));
    }
    let names = [
        ("Image", "exe"),
        ("CurrentDirectory", "cwd"),
        ("ProcessId", "pid"),
        ("ParentProcessId", "ppid"),
        ("LogonId", "ses"),
        ("DestinationIp", "dst_ip"),
        ("DestinationPort", "dst_port"),
    ];
    found.extend(names.iter().filter_map(|(sigma, own)| Some((*sigma, first(own)?))));
    found.extend(first("UID").or_else(|| first("uid")).map(|user| ("User", user)));
    if let Some(made) = created(records, first("cwd").as_deref()) {
        found.push(("TargetFilename", made));
    }
    if first("SYSCALL").as_deref() == Some("connect") {
        found.push(("Initiated", "true".to_owned()));
    }
    found
}

/// The file that was made, with its whole path.
fn created(records: &[Event], folder: Option<&str>) -> Option<String> {
    let is = |r: &Event, name: &str, value: &str| r.fields.get(name).is_some_and(|v| v == value);
    let made = records.iter().find(|r| is(r, "type", "PATH") && is(r, "nametype", "CREATE"))?;
    let name = made.fields.get("name")?;
    match folder {
        Some(folder) if !name.starts_with('/') => {
            Some(format!("{}/{name}", folder.trim_end_matches('/')))
        }
        _ => Some(name.clone()),
    }
}

/// The name of a field of a joined event without the number of its value.
pub fn plain_name(name: &str) -> &str {
    match name.rsplit_once('#') {
        Some((base, number)) if number.bytes().all(|b| b.is_ascii_digit()) => base,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{super::tests::read_line, *};
    use crate::event::Format;

    fn record(serial: u64, text: &str) -> Event {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        read_line(format!("type={kind} msg=audit(1700000000.123:{serial}): {rest}"), Format::Auto)
    }

    const EXECVE: [&str; 6] = [
        "SYSCALL arch=c000003e syscall=59 success=yes a0=55d ppid=10 pid=11 uid=0 ses=3 exe=\"/usr/bin/cat\" key=\"k\"",
        "EXECVE argc=2 a0=\"cat\" a1=\"/etc/shadow\"",
        "CWD cwd=\"/root\"",
        "PATH item=0 name=\"/usr/bin/cat\" nametype=NORMAL",
        "PATH item=1 name=\"new\" nametype=CREATE",
        "PROCTITLE proctitle=\"cat\"",
    ];

    #[test]
    fn each_record_and_the_joined_event_come_out() {
        let (mut joiner, mut out) = (Joiner::default(), Vec::new());
        for (at, text) in EXECVE.iter().enumerate() {
            joiner.push(record(7, text), Timestamp(at as i64), &mut out);
            // Records of another event in between do not matter.
            joiner.push(record(8, EXECVE[at]), Timestamp(at as i64), &mut out);
        }
        assert_eq!(out.len(), 14);
        let whole = &out[11];
        assert_eq!((whole.class, whole.message.as_str()), (1007, "cat /etc/shadow"));
        let field = |name: &str| whole.fields[name].as_str();
        assert_eq!(
            (field("Image"), field("User"), field("CurrentDirectory")),
            ("/usr/bin/cat", "0", "/root")
        );
        assert_eq!(
            (field("TargetFilename"), field("a0"), field("a0#2")),
            ("/root/new", "cat", "55d")
        );
        assert_eq!(values_of(whole, "type").len(), 5);
        assert_eq!(values_of(whole, "name"), ["/usr/bin/cat", "new"].into());
        assert_eq!(whole.raw.iter().filter(|b| **b == b'\n').count(), 5);
        assert_eq!(joiner.counters().joined, 2);
    }

    #[test]
    fn what_never_ends_is_let_go_and_what_stands_alone_does_not_wait() {
        let (mut joiner, mut out) = (Joiner::default(), Vec::new());
        joiner.push(record(7, EXECVE[0]), Timestamp(0), &mut out);
        joiner.push(record(7, EXECVE[2]), Timestamp(1), &mut out);
        joiner.push(record(9, "USER_LOGIN acct=\"root\" res=failed"), Timestamp(2), &mut out);
        assert_eq!(out.len(), 3);
        joiner.pass(Timestamp(1_999_999), &mut out);
        assert_eq!(out.len(), 3);
        joiner.pass(Timestamp(2_000_000), &mut out);
        assert_eq!(out.len(), 4);
        assert_eq!(joiner.counters().timed_out, 1);
        joiner.push(record(7, "EOE"), Timestamp(2_000_001), &mut out);
        joiner.finish(&mut out);
        assert_eq!(out.len(), 5, "a lone record is not joined");
    }

    #[test]
    fn a_split_argument_goes_on_in_the_next_record() {
        let (mut joiner, mut out) = (Joiner::default(), Vec::new());
        for text in [
            EXECVE[0],
            "EXECVE argc=3 a0=\"sh\" a1_len=8 a1[0]=\"abcd\"",
            "EXECVE a1[1]=\"efgh\" a2=\"z\"",
            EXECVE[5],
        ] {
            joiner.push(record(7, text), Timestamp(0), &mut out);
        }
        assert_eq!(out.last().unwrap().fields["CommandLine"], "sh abcdefgh z");
    }

    #[test]
    fn memory_is_bounded() {
        let limits = JoinLimits { events: 10, records: 3, ..JoinLimits::default() };
        let (mut joiner, mut out) = (Joiner::new(limits), Vec::new());
        for serial in 0..1000 {
            for _ in 0..5 {
                joiner.push(record(serial, EXECVE[3]), Timestamp(0), &mut out);
            }
        }
        assert!(joiner.waiting.len() <= 10 && joiner.order.len() <= 37);
        assert_eq!(joiner.counters().evicted, 990);
        assert_eq!(joiner.counters().dropped_records, 2000);
        let bytes: usize = joiner.waiting.values().map(|w| w.bytes).sum();
        assert_eq!(bytes, joiner.bytes);
    }

    fn values_of<'a>(event: &'a Event, name: &str) -> BTreeSet<&'a str> {
        let named = event.fields.iter().filter(|(n, _)| plain_name(n) == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    proptest! {
        #[test]
        fn every_record_comes_out_once_and_nothing_waits_at_the_end(
            steps in prop::collection::vec((0u64..6, 0usize..6, 0i64..3_000_000), 0..60),
        ) {
            let limits = JoinLimits { events: 3, records: 4, ..JoinLimits::default() };
            let (mut joiner, mut out, mut now) = (Joiner::new(limits), Vec::new(), 0);
            for (serial, at, step) in &steps {
                now += step - 500_000;
                joiner.push(record(*serial, EXECVE[*at]), Timestamp(now), &mut out);
            }
            joiner.finish(&mut out);
            let records = out.iter().filter(|e| Shape::of(e) == Some(Shape::Audit)).count();
            prop_assert_eq!(records, steps.len());
            prop_assert!(joiner.waiting.is_empty() && joiner.bytes == 0);
        }
    }
}
