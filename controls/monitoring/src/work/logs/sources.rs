//! Who speaks how often, and who has fallen silent: pure.
//!
//! Each source on each host has a cadence of its own, learnt from when its lines arrived; what the register says of a
//! source (its expected interval) holds from the first day.
//!
//! Invariants: time in which Ume did not listen is nobody's silence; a silence is said once, and its end once; hosts
//! are named by whoever sends, so a flood of names is counted and displaces nobody who is known.

use std::collections::BTreeMap;

use model::Id;
use serde::{Deserialize, Serialize};
use steady::{Cadence, Calendar, DAY, MINUTE, Micros, SECOND};
use stream::Event;

/// Sources times hosts that are followed.
pub const SOURCES_MAX: usize = 4_096;
/// Whoever was heard less often may be displaced by another.
const KNOWN_LINES: u64 = 20;
/// A source that says nothing for so long is known no more.
const FORGET: Micros = 90 * DAY;
/// A source of the register is silent after so many of its intervals.
const INTERVALS: i64 = 3;
/// A pause this many times the usual one is followed by what had been kept back.
const BACKLOG_TIMES: i64 = 4;
const BACKLOG_MIN: Micros = 60 * MINUTE;

/// Source and host, as events name them.
pub type Key = (String, String);

/// A source on a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heard {
    cadence: Cadence,
    pub first: Micros,
    pub last: Micros,
    pub lines: u64,
    pub bytes: u64,
    /// When it was heard last before the silence that was noticed.
    pub silent: Option<Micros>,
    /// Who brought its last line, where that is known.
    peer: String,
    /// When it spoke again after a pause in which lines may have piled up.
    resumed: Micros,
}

/// A source of the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub id: Id,
    pub name: String,
    pub class: String,
    /// Names of its host, in small letters.
    pub hosts: Vec<String>,
    pub address: String,
    /// Seconds between two lines at most, if that is said.
    pub cadence_s: Option<i64>,
    pub severity: &'static str,
    /// Since when it stands in the register.
    pub since: Micros,
    pub asset: Option<Id>,
}

/// A rule of the register that says how long a source may be quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Name of a source or host; `*` fits anything.
    pub selector: String,
    pub quiet: Micros,
    pub severity: &'static str,
    /// On days off nobody is missed.
    pub is_for_work: bool,
}

impl Quiet {
    fn takes(&self, (source, host): &Key) -> bool {
        let selector = self.selector.to_lowercase();
        let own = source.rsplit('/').next().unwrap_or(source);
        let names = [source.as_str(), own, host.as_str()];
        names.iter().any(|name| stream::intake::wild(&selector, &name.to_lowercase()))
    }
}

/// Whose silence it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Source(Key),
    Row { id: Id, name: String, asset: Option<Id> },
}

impl Who {
    /// What silences are told apart by.
    pub fn key(&self) -> String {
        match self {
            Who::Source((source, host)) => format!("source\n{source}\n{host}"),
            Who::Row { id, .. } => format!("row\n{id}"),
        }
    }
}

/// What a look at all sources shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Silent {
        who: Who,
        since: Micros,
        normal: Micros,
        usual: Option<Micros>,
        severity: &'static str,
    },
    /// It is heard again.
    Spoke { who: Who, since: Micros, until: Micros },
}

/// A source as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub source: String,
    pub host: String,
    /// 0 where it was never heard.
    pub last: Micros,
    pub lines: u64,
    /// Half of its pauses are shorter.
    pub usual: Option<Micros>,
    /// After how long a pause there is an alarm; none while that is learnt.
    pub alarm_after: Option<Micros>,
    pub silent: Option<Micros>,
    pub bytes: u64,
    /// The row of the register, if it is one.
    pub row: Option<Id>,
    /// What the register says that it is.
    pub class: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sources {
    heard: BTreeMap<Key, Heard>,
    /// Silent rows of the register, and since when.
    silent: BTreeMap<Id, Micros>,
    /// Lines of sources for which there was no room.
    pub beyond: u64,
    #[serde(skip)]
    register: Vec<Expected>,
    #[serde(skip)]
    rules: Vec<Quiet>,
    /// Which sources are meant by each row of the register; made anew where either changed.
    #[serde(skip)]
    meant: Option<Vec<Vec<Key>>>,
    #[serde(skip)]
    up_since: Micros,
}

impl Sources {
    /// An event of this host arrived; whether it may be one that had been kept back.
    pub fn heard(&mut self, event: &Event, host: &str, calendar: &Calendar) -> bool {
        let (time, peer) = (event.arrived.0, event.fields.get("peer"));
        let key = (event.source.clone(), host.to_owned());
        if !self.heard.contains_key(&key) && !self.has_room() {
            self.beyond += 1;
            return false;
        }
        let meant = &mut self.meant;
        let heard = self.heard.entry(key).or_insert_with(|| {
            *meant = None;
            Heard::new(time)
        });
        if heard.peer.is_empty()
            && let Some(peer) = peer
        {
            heard.peer.clone_from(peer);
            self.meant = None;
        }
        heard.bytes += event.raw.len() as u64;
        heard.line(time, calendar)
    }

    /// Whether another source can be followed, if need be in the place of one hardly heard.
    fn has_room(&mut self) -> bool {
        if self.heard.len() < SOURCES_MAX {
            return true;
        }
        let rare = self.heard.iter().filter(|(_, heard)| heard.lines < KNOWN_LINES);
        let Some(oldest) = rare.min_by_key(|(_, heard)| heard.last).map(|(key, _)| key.clone())
        else {
            return false;
        };
        self.meant = None;
        self.heard.remove(&oldest).is_some()
    }

    /// What the register says of sources.
    pub fn expect(&mut self, register: Vec<Expected>) {
        if self.register != register {
            self.silent.retain(|id, _| register.iter().any(|row| row.id == *id));
            (self.register, self.meant) = (register, None);
        }
    }

    /// What rules say of silences: they take the place of what is learnt.
    pub fn rule(&mut self, rules: Vec<Quiet>) {
        self.rules = rules;
    }

    /// Ume listens since `time`; before that it heard nobody.
    pub fn listening_since(&mut self, time: Micros) {
        self.up_since = time;
        for heard in self.heard.values_mut().filter(|heard| heard.silent.is_none()) {
            heard.cadence.deaf_until(time);
        }
    }

    /// Who is silent, and since when.
    pub fn silences(&self) -> impl Iterator<Item = (Who, Micros)> {
        let silent = self.heard.iter().filter_map(|(key, heard)| Some((key, heard.silent?)));
        silent.map(|(key, since)| (Who::Source(key.clone()), since))
    }

    /// Somebody judged a silence to be usual: the cadence of that source is learnt anew.
    pub fn new_normal(&mut self, who: &Who) {
        match who {
            Who::Source(key) => {
                if let Some(heard) = self.heard.get_mut(key) {
                    heard.cadence.new_normal();
                    heard.silent = None;
                }
            }
            // What the register expects is changed in the register.
            Who::Row { .. } => {}
        }
    }

    /// Whether something of this host is known to be silent.
    pub fn is_silent(&self, host: &str) -> bool {
        self.heard.iter().any(|((_, own), heard)| own == host && heard.silent.is_some())
    }

    /// Who fell silent and who speaks again.
    pub fn check(&mut self, now: Micros, calendar: &Calendar) -> Vec<Said> {
        let mut said = Vec::new();
        let known = self.heard.len();
        self.heard.retain(|_, heard| now - heard.last.max(self.up_since) < FORGET);
        if self.heard.len() < known {
            self.meant = None;
        }
        let meant = self.meant.take().unwrap_or_else(|| self.matched());
        for (row, keys) in self.register.iter().zip(&meant) {
            let last = keys.iter().filter_map(|key| Some(self.heard.get(key)?.last)).max();
            said.extend(row_says(row, last, self.up_since, now, &mut self.silent));
        }
        // A source that is all that a row means is judged by what the register says of it.
        let judged: Vec<&Key> = self
            .register
            .iter()
            .zip(&meant)
            .filter(|(row, keys)| row.limit().is_some() && keys.len() == 1)
            .filter_map(|(_, keys)| keys.first())
            .collect();
        let named = self.register.iter().zip(&meant);
        let severities: BTreeMap<&Key, &'static str> =
            named.flat_map(|(row, keys)| keys.iter().map(|key| (key, row.severity))).collect();
        for (key, heard) in &mut self.heard {
            if let Some(rule) = self.rules.iter().find(|rule| rule.takes(key)) {
                said.extend(heard.ruled(key, now, self.up_since, calendar, rule));
                continue;
            }
            let severity = severities.get(key).copied().unwrap_or("medium");
            let is_judged = judged.contains(&key);
            said.extend(heard.says(key, now, calendar, severity).filter(|_| !is_judged));
        }
        self.meant = Some(meant);
        said
    }

    /// For each row of the register the sources it means.
    fn matched(&self) -> Vec<Vec<Key>> {
        let of = |row: &Expected| {
            let by_name = self.heard.keys().filter(|key| row.names(key)).cloned();
            let by_name: Vec<Key> = by_name.collect();
            if !by_name.is_empty() {
                return by_name;
            }
            let at_host = self.heard.iter().filter(|(key, heard)| row.is_at(key, heard));
            at_host.map(|(key, _)| key.clone()).collect()
        };
        self.register.iter().map(of).collect()
    }

    /// All sources and rows, silent ones first.
    pub fn lines(&self, calendar: &Calendar) -> Vec<Line> {
        let meant = self.meant.clone().unwrap_or_else(|| self.matched());
        // What a silent row means has not been heard since either.
        let missed: BTreeMap<&Key, Micros> = self
            .register
            .iter()
            .zip(&meant)
            .filter_map(|(row, keys)| Some((self.silent.get(&row.id)?, keys)))
            .flat_map(|(since, keys)| keys.iter().map(|key| (key, *since)))
            .collect();
        let learnt = self.heard.iter().map(|(key, heard)| Line {
            source: key.0.clone(),
            host: key.1.clone(),
            last: heard.last,
            lines: heard.lines,
            usual: heard.cadence.quantile(0.5),
            alarm_after: self.alarm_after(key, heard, calendar),
            silent: heard
                .silent
                .or_else(|| missed.get(key).copied().filter(|since| heard.last <= *since)),
            bytes: heard.bytes,
            row: None,
            class: String::new(),
        });
        let rows = self.register.iter().zip(&meant).map(|(row, keys)| {
            let heard: Vec<&Heard> = keys.iter().filter_map(|key| self.heard.get(key)).collect();
            Line {
                source: row.name.clone(),
                host: row.hosts.first().cloned().unwrap_or_else(|| row.address.clone()),
                last: heard.iter().map(|heard| heard.last).max().unwrap_or(0),
                lines: heard.iter().map(|heard| heard.lines).sum(),
                usual: row.cadence_s.map(|s| s * SECOND),
                alarm_after: row.limit(),
                silent: self.silent.get(&row.id).copied().or_else(|| {
                    // Without an interval of its own a row is silent where everything it means is.
                    let all = heard.iter().map(|heard| heard.silent).collect::<Option<Vec<_>>>()?;
                    all.into_iter().max().filter(|_| row.limit().is_none())
                }),
                bytes: heard.iter().map(|heard| heard.bytes).sum(),
                row: Some(row.id),
                class: row.class.clone(),
            }
        });
        let mut lines: Vec<Line> = rows.chain(learnt).collect();
        lines.sort_by_key(|line| line.silent.is_none());
        lines
    }

    fn alarm_after(&self, key: &Key, heard: &Heard, calendar: &Calendar) -> Option<Micros> {
        let ruled = self.rules.iter().find(|rule| rule.takes(key));
        ruled.map(|rule| rule.quiet).or_else(|| heard.cadence.normal(calendar))
    }

    pub fn len(&self) -> usize {
        self.heard.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }
}

impl Heard {
    fn new(time: Micros) -> Heard {
        Heard {
            cadence: Cadence::new(),
            first: time,
            last: time,
            lines: 0,
            bytes: 0,
            silent: None,
            peer: String::new(),
            resumed: 0,
        }
    }

    fn line(&mut self, time: Micros, calendar: &Calendar) -> bool {
        let pause = time - self.last;
        if pause > BACKLOG_MIN
            && self.cadence.quantile(0.5).is_none_or(|usual| pause > BACKLOG_TIMES * usual)
        {
            self.resumed = time;
        }
        self.cadence.heard(time, calendar);
        self.last = self.last.max(time);
        self.lines += 1;
        self.resumed > 0 && time - self.resumed < BACKLOG_MIN
    }

    fn says(
        &mut self,
        key: &Key,
        now: Micros,
        calendar: &Calendar,
        severity: &'static str,
    ) -> impl Iterator<Item = Said> {
        let spoke = self.spoke(key);
        let silent = self.cadence.check(now, calendar).filter(|_| self.silent.is_none());
        let silent = silent.map(|found| {
            self.silent = Some(self.last);
            let (normal, usual) = (found.normal, Some(found.usual));
            let who = Who::Source(key.clone());
            Said::Silent { who, since: self.last, normal, usual, severity }
        });
        spoke.into_iter().chain(silent)
    }

    /// What a rule says of it, whatever was learnt.
    fn ruled(
        &mut self,
        key: &Key,
        now: Micros,
        up_since: Micros,
        calendar: &Calendar,
        rule: &Quiet,
    ) -> Option<Said> {
        if self.silent.is_some() {
            return self.spoke(key);
        }
        let is_missed = !rule.is_for_work || !calendar.is_day_off(now);
        if !is_missed || now - self.last.max(up_since) <= rule.quiet {
            return None;
        }
        self.silent = Some(self.last);
        let (who, usual) = (Who::Source(key.clone()), self.cadence.quantile(0.5));
        let (since, normal) = (self.last, rule.quiet);
        Some(Said::Silent { who, since, normal, usual, severity: rule.severity })
    }

    fn spoke(&mut self, key: &Key) -> Option<Said> {
        let since = self.silent.filter(|since| self.last > *since)?;
        self.silent = None;
        Some(Said::Spoke { who: Who::Source(key.clone()), since, until: self.last })
    }
}

impl Default for Expected {
    fn default() -> Expected {
        Expected {
            id: Id::nil(),
            name: String::new(),
            class: String::new(),
            hosts: Vec::new(),
            address: String::new(),
            cadence_s: None,
            severity: "medium",
            since: 0,
            asset: None,
        }
    }
}

impl Expected {
    /// After how long it is silent.
    pub fn limit(&self) -> Option<Micros> {
        let seconds = self.cadence_s.filter(|s| *s > 0)?;
        Some(seconds.saturating_mul(INTERVALS * SECOND).max(MINUTE))
    }

    fn names(&self, (source, _): &Key) -> bool {
        let own = source.rsplit('/').next().unwrap_or(source);
        self.name.eq_ignore_ascii_case(source) || self.name.eq_ignore_ascii_case(own)
    }

    fn is_at(&self, (source, host): &Key, heard: &Heard) -> bool {
        let agent = source.split_once('/').map(|(agent, _)| agent);
        let short = host.split('.').next();
        let called = [Some(host.as_str()), short, agent];
        let by_name = |name: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name));
        called.into_iter().flatten().any(|name| !name.is_empty() && by_name(name))
            || (!self.address.is_empty() && (self.address == *host || self.address == heard.peer))
    }
}

/// What the interval of a row says.
fn row_says(
    row: &Expected,
    last: Option<Micros>,
    up_since: Micros,
    now: Micros,
    silent: &mut BTreeMap<Id, Micros>,
) -> Option<Said> {
    let limit = row.limit()?;
    let who = || Who::Row { id: row.id, name: row.name.clone(), asset: row.asset };
    let heard = last.unwrap_or(row.since);
    if let Some(since) = silent.get(&row.id).copied() {
        return (heard > since).then(|| {
            silent.remove(&row.id);
            Said::Spoke { who: who(), since, until: heard }
        });
    }
    if now - heard.max(up_since) <= limit {
        return None;
    }
    silent.insert(row.id, heard);
    let usual = row.cadence_s.map(|s| s * SECOND);
    Some(Said::Silent { who: who(), since: heard, normal: limit, usual, severity: row.severity })
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use jiff::tz::TimeZone;
    use model::Timestamp;
    use steady::HOUR;
    use stream::RawLine;

    use super::*;

    const START: Micros = 1_775_401_200_000_000;
    static JAPAN: LazyLock<Calendar> = LazyLock::new(Calendar::japan);

    fn said(sources: &mut Sources, source: &str, host: &str, time: Micros) {
        let line = RawLine::new("x");
        let event = stream::parse(&line, source, Timestamp(time), &TimeZone::UTC);
        sources.heard(&event, host, &JAPAN);
    }

    fn hear(sources: &mut Sources, from: Micros, to: Micros, step: Micros) {
        for time in (from..to).step_by(step as usize) {
            said(sources, "syslog", "db1", time);
        }
    }

    #[test]
    fn one_source_of_a_host_falls_silent_and_speaks_again() {
        let mut sources = Sources::default();
        for minute in 0..10 * 1_440 {
            let time = START + minute * MINUTE;
            said(&mut sources, "syslog", "db1", time);
            said(&mut sources, "journal", "db1", time);
        }
        let end = START + 10 * DAY - MINUTE;
        for n in 1..60 {
            said(&mut sources, "journal", "db1", end + n * MINUTE);
        }
        let told = sources.check(end + HOUR, &JAPAN);
        let who = Who::Source(("syslog".into(), "db1".into()));
        assert!(
            matches!(&told[..], [Said::Silent { who: own, since, .. }] if *own == who && *since == end),
            "{told:?}"
        );
        assert!(sources.is_silent("db1") && sources.check(end + 2 * HOUR, &JAPAN).len() == 1);
        said(&mut sources, "syslog", "db1", end + 3 * HOUR);
        let told = sources.check(end + 3 * HOUR, &JAPAN);
        assert!(told.contains(&Said::Spoke { who, since: end, until: end + 3 * HOUR }), "{told:?}");
    }

    #[test]
    fn what_the_register_expects_is_missed_on_the_first_day() {
        let mut sources = Sources::default();
        let row = Expected {
            name: "core".into(),
            hosts: vec!["db1".into()],
            cadence_s: Some(60),
            severity: "high",
            since: START,
            ..Expected::default()
        };
        sources.expect(vec![row]);
        assert_eq!(sources.check(START + 2 * MINUTE, &JAPAN), []);
        hear(&mut sources, START, START + 10 * MINUTE, MINUTE);
        assert_eq!(sources.check(START + 11 * MINUTE, &JAPAN), []);
        let told = sources.check(START + 13 * MINUTE, &JAPAN);
        assert!(
            matches!(&told[..], [Said::Silent { severity: "high", normal, .. }] if *normal == 3 * MINUTE),
            "{told:?}"
        );
        assert_eq!(sources.check(START + 20 * MINUTE, &JAPAN), [], "said once");
        hear(&mut sources, START + 30 * MINUTE, START + 31 * MINUTE, MINUTE);
        assert!(matches!(&sources.check(START + 31 * MINUTE, &JAPAN)[..], [Said::Spoke { .. }]));
    }

    #[test]
    fn a_row_that_is_never_heard_is_silent_since_it_was_registered() {
        let mut sources = Sources::default();
        let row = |cadence_s| Expected { since: START, cadence_s, ..Expected::default() };
        sources.expect(vec![row(None)]);
        assert_eq!(sources.check(START + DAY, &JAPAN), [], "nothing is expected of it");
        sources.expect(vec![row(Some(600))]);
        assert_eq!(sources.check(START + DAY, &JAPAN).len(), 1);
    }

    #[test]
    fn while_ume_was_off_nobody_was_silent() {
        let mut sources = Sources::default();
        hear(&mut sources, START, START + 10 * DAY, MINUTE);
        sources.expect(vec![Expected {
            name: "syslog".into(),
            cadence_s: Some(60),
            since: START,
            ..Expected::default()
        }]);
        let up = START + 12 * DAY;
        sources.listening_since(up);
        assert_eq!(sources.check(up + MINUTE, &JAPAN), []);
        assert_eq!(sources.check(up + HOUR, &JAPAN).len(), 1, "by the row alone");
    }

    #[test]
    fn a_silence_that_was_judged_usual_is_learnt_anew() {
        let mut sources = Sources::default();
        hear(&mut sources, START, START + 10 * DAY, MINUTE);
        let told = sources.check(START + 10 * DAY + HOUR, &JAPAN);
        let [Said::Silent { who, .. }] = &told[..] else { panic!("{told:?}") };
        sources.new_normal(who);
        assert!(!sources.is_silent("db1"));
        assert_eq!(sources.check(START + 10 * DAY + 5 * HOUR, &JAPAN), []);
        hear(&mut sources, START + 11 * DAY, START + 14 * DAY - HOUR, 2 * HOUR);
        assert_eq!(sources.check(START + 14 * DAY, &JAPAN), []);
    }

    #[test]
    fn a_rule_says_how_long_a_source_may_be_quiet() {
        let mut sources = Sources::default();
        let rule = |is_for_work| Quiet {
            selector: "db*".into(),
            quiet: 10 * MINUTE,
            severity: "critical",
            is_for_work,
        };
        sources.rule(vec![rule(true)]);
        said(&mut sources, "syslog", "DB1", START);
        assert_eq!(sources.check(START + 10 * MINUTE, &JAPAN), []);
        let told = sources.check(START + 11 * MINUTE, &JAPAN);
        assert!(matches!(told[..], [Said::Silent { severity: "critical", .. }]), "{told:?}");
        assert_eq!(sources.check(START + HOUR, &JAPAN), [], "said once");
        let saturday = START + 5 * DAY;
        said(&mut sources, "syslog", "DB1", saturday);
        assert!(matches!(sources.check(saturday, &JAPAN)[..], [Said::Spoke { .. }]));
        assert_eq!(sources.check(saturday + HOUR, &JAPAN), [], "a day off");
        sources.rule(vec![rule(false)]);
        assert_eq!(sources.check(saturday + HOUR, &JAPAN).len(), 1);
    }

    #[test]
    fn a_flood_of_names_displaces_nobody_who_is_known() {
        let mut sources = Sources::default();
        hear(&mut sources, START, START + HOUR, MINUTE);
        for n in 0..2 * SOURCES_MAX as i64 {
            said(&mut sources, "syslog", &format!("x{n}"), START + HOUR + n);
        }
        assert_eq!(sources.len(), SOURCES_MAX);
        assert!(sources.lines(&JAPAN).iter().any(|line| line.host == "db1" && line.lines == 60));
    }
}
