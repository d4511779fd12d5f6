//! What programs say: kinds of lines that are new, that vanished, that come in bursts. Pure.
//!
//! Each program of a host has templates of its own. What departs is gathered for ten minutes; then the fleet of all
//! programs decides what is worth telling: how often a program departs is known from its own past, drawn towards what
//! all do as long as that is short, so that one that always says something new is not heard, and a silent one is.
//!
//! Invariants: nothing is told of a program that is known for less than two weeks; nothing is told twice of the same
//! events (`told`); at most as many findings a day as the budget says, and what is beyond waits for the next day.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use steady::{
    Anomaly, Budget, Calendar, DAY, Fleet, Layer, MINUTE, Micros, Phase, TemplateEvent,
    TemplateLimits, Templates,
};
use stream::{
    Event,
    parse::{CLASS_DNS, CLASS_HTTP, CLASS_NETWORK, Shape},
};

/// Programs of hosts that are followed; all others are one.
const PROGRAMS_MAX: usize = 1_024;
const LIMITS: TemplateLimits = TemplateLimits { templates: 64, of_leaf: 32 };
/// How long a program is learnt before anything is told of it.
pub const LEARN: Micros = 14 * DAY;
/// A program that says nothing for so long is known no more.
const FORGET: Micros = 60 * DAY;
/// What departs again within this belongs to it.
const EPISODE: Micros = DAY;
/// What departs within this is one finding.
pub const WINDOW: Micros = 10 * MINUTE;
/// A week of windows: as much weight has what all programs do.
const PRIOR: f64 = (7 * DAY / WINDOW) as f64;
/// What is missed is looked for every so many windows: it is missed for days, and comes together.
const MISSED_EVERY: i64 = 6;
/// Departures of a window, and of those that wait for the next day.
const PENDING_MAX: usize = 1_000;
/// So many days off in a row are no cause to miss anything, nor is the first day after them.
const LONG_REST_DAYS: usize = 3;
const TEXT_CHARS_MAX: usize = 500;

/// What departs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    New,
    Vanished,
    Burst,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::New, Kind::Vanished, Kind::Burst];

    pub fn name(self) -> &'static str {
        match self {
            Kind::New => "new",
            Kind::Vanished => "vanished",
            Kind::Burst => "burst",
        }
    }
}

/// A kind of line that departs from what its program says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Departure {
    pub kind: Kind,
    pub host: String,
    pub program: String,
    /// Its words, with `<*>` for what differs from line to line.
    pub text: String,
    pub time: Micros,
    /// Offset behind the line; 0 where time alone showed it.
    pub end: u64,
    /// Lines so far, of a burst those of this hour.
    pub lines: u64,
    /// Of a burst: lines of the busiest hour before.
    pub usual: f64,
    /// When it was seen last, of one that vanished.
    pub last: Micros,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Program {
    templates: Templates,
    first: Micros,
    last: Micros,
    /// Days on which it departed, by kind, since half of what is learnt.
    departed: [u32; 3],
    /// When the last of them began, and whether it was told.
    episodes: [(Micros, bool); 3],
}

/// What all programs say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Words {
    programs: BTreeMap<(String, String), Program>,
    #[serde(with = "fleet")]
    fleet: Fleet,
    window: i64,
    pending: Vec<Departure>,
    /// Selected, and waiting for the next day.
    waiting: Vec<Departure>,
    /// Day of the last findings, and how many there were.
    day: (i64, u32),
    /// Offset up to which departures are told.
    pub told: u64,
    /// Departures for which there was no room.
    pub dropped: u64,
    /// Nothing is missed before that: Ume itself was away.
    blind_until: Micros,
}

/// What a site bears, and its week.
pub struct Bearing<'a> {
    pub per_day: f64,
    pub calendar: &'a Calendar,
}

impl Words {
    /// A line; in what had been kept back nothing bursts.
    pub fn line(&mut self, event: &Event, host: &str, end: u64, is_late: bool) {
        let Some(program) = program(event) else { return };
        // One wrong clock must not make a burst: lines are counted as they arrive.
        let time = event.arrived.0;
        let key = (host.to_owned(), program.to_owned());
        let is_known = self.programs.contains_key(&key);
        let (key, text) = match is_known || self.programs.len() < PROGRAMS_MAX {
            true => (key, event.message.clone()),
            // All others together; the program is a word of theirs.
            false => (Default::default(), format!("{program}: {}", event.message)),
        };
        let entry = self.programs.entry(key.clone()).or_insert_with(|| Program::new(time));
        entry.last = entry.last.max(time);
        let (id, found) = entry.templates.observe(time, &text);
        let Some(found) = found.filter(|_| end > self.told) else { return };
        let Some(template) = entry.templates.get(id) else { return };
        let (kind, lines, usual) = match found {
            TemplateEvent::Burst { lines, busiest, .. } => (Kind::Burst, u64::from(lines), busiest),
            _ => (Kind::New, 1, 0.0),
        };
        if kind == Kind::Burst && is_late {
            return;
        }
        let text = template.text().chars().take(TEXT_CHARS_MAX).collect();
        let (host, program) = key;
        self.add(Departure { kind, host, program, text, time, end, lines, usual, last: time });
    }

    fn add(&mut self, departure: Departure) {
        if self.pending.len() < PENDING_MAX {
            self.pending.push(departure);
        } else {
            self.dropped += 1;
        }
    }

    /// What is worth telling of the window that is over, most a few findings a day: each list is one finding, of one
    /// kind and host.
    pub fn close(
        &mut self,
        now: Micros,
        bearing: &Bearing<'_>,
        is_silent: &dyn Fn(&str) -> bool,
    ) -> Vec<Vec<Departure>> {
        let window = now.div_euclid(WINDOW);
        let windows = window - self.window;
        if windows <= 0 {
            return Vec::new();
        }
        let span = if self.window == 0 { WINDOW } else { windows.min(144) * WINDOW };
        self.window = window;
        self.vanished(now, bearing.calendar, is_silent);
        let pending = std::mem::take(&mut self.pending);
        let selected = self.select(now, &pending, bearing.per_day, span);
        let worth = |d: &Departure| selected.contains(&(d.host.clone(), d.program.clone(), d.kind));
        let mut told = std::mem::take(&mut self.waiting);
        told.extend(pending.into_iter().filter(worth));
        self.within_the_day(bearing.calendar.day(now), bearing.per_day, told)
    }

    /// Lines that are missed, of programs whose host speaks.
    fn vanished(&mut self, now: Micros, calendar: &Calendar, is_silent: &dyn Fn(&str) -> bool) {
        if self.window % MISSED_EVERY != 0
            || now < self.blind_until
            || is_after_long_rest(now, calendar)
        {
            return;
        }
        self.programs.retain(|_, program| now - program.last < FORGET);
        let mut gone = Vec::new();
        for ((host, program), entry) in &mut self.programs {
            // What pauses at weekends has to be learnt before anything is missed.
            if now - entry.first < LEARN || is_silent(host) {
                continue;
            }
            for event in entry.templates.vanished(now) {
                let TemplateEvent::Vanished { id, last, time } = event else { continue };
                let Some(template) = entry.templates.get(id) else { continue };
                gone.push(Departure {
                    kind: Kind::Vanished,
                    host: host.clone(),
                    program: program.clone(),
                    text: template.text().chars().take(TEXT_CHARS_MAX).collect(),
                    time,
                    end: 0,
                    lines: template.lines,
                    usual: 0.0,
                    last,
                });
            }
        }
        gone.into_iter().for_each(|departure| self.add(departure));
    }

    /// Programs and kinds that the fleet lets through.
    fn select(
        &mut self,
        now: Micros,
        pending: &[Departure],
        per_day: f64,
        span: Micros,
    ) -> BTreeSet<(String, String, Kind)> {
        let departed: BTreeSet<(String, String, Kind)> =
            pending.iter().map(|d| (d.host.clone(), d.program.clone(), d.kind)).collect();
        let usual = self.usual(now);
        let keys: Vec<&(String, String, Kind)> = departed.iter().collect();
        let (mut found, mut selected) = (Vec::new(), BTreeSet::new());
        for (at, (host, program, kind)) in keys.iter().enumerate() {
            let Some(entry) = self.programs.get(&(host.clone(), program.clone())) else { continue };
            if now - entry.first < LEARN {
                continue;
            }
            match entry.episode(*kind, now) {
                Some(true) => drop(selected.insert(keys[at].clone())),
                Some(false) => {}
                None => found.push(anomaly(at as u64, now, entry.p(*kind, now, &usual))),
            }
        }
        let tests = (self.programs.len() * Kind::ALL.len()) as u64;
        let budget = Budget { per_day, tests, span };
        let new = self.fleet.select(found, &budget);
        selected.extend(new.iter().map(|anomaly| keys[anomaly.series as usize].clone()));
        for key in &departed {
            let (host, program, kind) = key;
            if let Some(entry) = self.programs.get_mut(&(host.clone(), program.clone()))
                && now - entry.first >= LEARN / 2
                && entry.episode(*kind, now).is_none()
            {
                entry.departed[*kind as usize] += 1;
                entry.episodes[*kind as usize] = (now, selected.contains(key));
            }
        }
        selected
    }

    /// How often a program departs in a window, over all of them, by kind.
    fn usual(&self, now: Micros) -> [f64; 3] {
        let windows: f64 = self.programs.values().map(|program| program.windows(now)).sum();
        Kind::ALL.map(|kind| {
            let departed: u32 = self.programs.values().map(|p| p.departed[kind as usize]).sum();
            (f64::from(departed) + 0.5) / (windows + 1.0)
        })
    }

    /// As much of it as the day bears.
    fn within_the_day(
        &mut self,
        today: i64,
        per_day: f64,
        told: Vec<Departure>,
    ) -> Vec<Vec<Departure>> {
        if self.day.0 != today {
            self.day = (today, 0);
        }
        let mut findings: BTreeMap<(Kind, String), Vec<Departure>> = BTreeMap::new();
        for departure in told {
            findings.entry((departure.kind, departure.host.clone())).or_default().push(departure);
        }
        let mut now = Vec::new();
        for (_, finding) in findings {
            if f64::from(self.day.1) < per_day.max(1.0) {
                self.day.1 += 1;
                now.push(finding);
            } else {
                let room = PENDING_MAX.saturating_sub(self.waiting.len());
                self.dropped += finding.len().saturating_sub(room) as u64;
                self.waiting.extend(finding.into_iter().take(room));
            }
        }
        now
    }

    /// Ume did not listen for a while: what it missed meanwhile gets time to come again.
    pub fn was_away(&mut self, from: Micros, to: Micros) {
        self.blind_until = self.blind_until.max(to + (to - from).clamp(DAY, LEARN));
    }

    /// Departures up to here are told.
    pub fn told_to(&mut self, end: u64) {
        self.told = self.told.max(end);
        let told = self.told;
        // What time alone showed has no place in the stream.
        self.pending.retain(|departure| departure.end == 0 || departure.end > told);
    }

    /// Programs that are followed, of them still learnt; templates; departures that wait.
    pub fn counts(&self, now: Micros) -> [usize; 4] {
        let learning = self.programs.values().filter(|p| now - p.first < LEARN).count();
        let templates = self.programs.values().map(|p| p.templates.len()).sum();
        [self.programs.len(), learning, templates, self.waiting.len()]
    }
}

impl Program {
    fn new(time: Micros) -> Program {
        Program {
            templates: Templates::new(LIMITS),
            first: time,
            last: time,
            departed: [0; 3],
            episodes: [(0, false); 3],
        }
    }

    /// Windows in which departures were counted.
    fn windows(&self, now: Micros) -> f64 {
        ((now - self.first - LEARN / 2).max(0) / WINDOW) as f64
    }

    /// Whether the departure that goes on was told; none where this is a new one.
    fn episode(&self, kind: Kind, now: Micros) -> Option<bool> {
        let (begun, is_told) = self.episodes[kind as usize];
        (now - begun < EPISODE).then_some(is_told)
    }

    /// How often it departs like this, by what it and all others did before.
    fn p(&self, kind: Kind, now: Micros, usual: &[f64; 3]) -> f64 {
        let own = f64::from(self.departed[kind as usize]);
        ((own + usual[kind as usize] * PRIOR) / (self.windows(now) + PRIOR)).min(1.0)
    }
}

/// The program of a line whose words mean something; what comes as fields has no words to learn.
fn program(event: &Event) -> Option<&str> {
    let is_text = matches!(
        Shape::of(event),
        Some(
            Shape::Syslog
                | Shape::Journal
                | Shape::Ring
                | Shape::Json
                | Shape::Postgresql
                | Shape::Mariadb
                | Shape::Clamav
                | Shape::Cisco
                | Shape::Yamaha
        )
    );
    let has_words = is_text && !event.message.is_empty() && !event.message.starts_with('{');
    let is_traffic = [CLASS_NETWORK, CLASS_HTTP, CLASS_DNS].contains(&event.class);
    (has_words && !is_traffic).then_some(event.app.as_str())
}

/// Whether this is a day of a long rest, or the first one after it.
fn is_after_long_rest(now: Micros, calendar: &Calendar) -> bool {
    let is_off = |days: usize| calendar.is_day_off(now - days as Micros * DAY);
    let begin = usize::from(!is_off(0));
    (begin..).take_while(|days| *days < 30 && is_off(*days)).count() >= LONG_REST_DAYS
}

/// The same as the fleet takes it.
fn anomaly(series: u64, time: Micros, p: f64) -> Anomaly {
    Anomaly {
        series,
        layer: Layer::State,
        phase: Phase::Sign,
        time,
        onset: time,
        observed: 1.0,
        expected: 0.0,
        low: 0.0,
        high: 0.0,
        p,
    }
}

/// The fleet as bytes.
mod fleet {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
    use steady::Fleet;

    pub fn serialize<S: Serializer>(fleet: &Fleet, to: S) -> Result<S::Ok, S::Error> {
        fleet.snapshot().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Fleet, D::Error> {
        Fleet::restore(&Vec::<u8>::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use model::Timestamp;
    use steady::HOUR;
    use stream::RawLine;

    use super::*;

    const START: Micros = 1_775_401_200_000_000;

    fn event(line: &str, time: Micros) -> Event {
        let line = RawLine::new(line);
        stream::parse(&line, "t", Timestamp(time), &TimeZone::UTC)
    }

    #[test]
    fn a_flood_of_hosts_is_one_program_and_traffic_is_none() {
        let mut words = Words::default();
        for n in 0..2 * PROGRAMS_MAX {
            let line = format!("Jan  1 00:00:10 h{n} app[7]: job number {n} is done");
            words.line(&event(&line, START), &format!("h{n}"), n as u64 + 1, false);
        }
        assert_eq!(words.counts(START)[0], PROGRAMS_MAX + 1);
        let traffic = [
            r#"10.0.0.9 - - [01/Jan/2026:00:12:00 +0000] "GET / HTTP/1.1" 200 5123 "-" "x""#,
            "Jan  1 01:00:00 h kernel: [UFW BLOCK] IN=eth0 OUT= SRC=192.0.2.7 DST=10.0.0.1 PROTO=TCP SPT=1 DPT=23",
        ];
        assert!(traffic.iter().all(|line| program(&event(line, START)).is_none()));
    }

    #[test]
    fn what_is_beyond_the_budget_waits_for_the_next_day() {
        let mut words = Words::default();
        let departure = |host: usize| Departure {
            kind: Kind::Burst,
            host: format!("h{host}"),
            program: "app".to_owned(),
            text: "x".to_owned(),
            time: START,
            end: 1,
            lines: 1,
            usual: 0.0,
            last: START,
        };
        let told = words.within_the_day(1, 3.0, (0..5).map(departure).collect());
        assert_eq!((told.len(), words.waiting.len()), (3, 2));
        let waiting = std::mem::take(&mut words.waiting);
        assert_eq!(words.within_the_day(1, 3.0, waiting).len(), 0, "the same day");
        let waiting = std::mem::take(&mut words.waiting);
        assert_eq!(words.within_the_day(2, 3.0, waiting).len(), 2);
    }

    #[test]
    fn golden_week_and_the_day_after_are_no_cause_to_miss_anything() {
        let japan = Calendar::japan();
        let noon = |day: i64| START + day * DAY + 12 * HOUR;
        // 2026-04-06 is a Monday; 2 to 6 May are days off.
        assert!(!is_after_long_rest(noon(5), &japan), "a weekend");
        assert!(!is_after_long_rest(noon(7), &japan), "the Monday after it");
        assert!(is_after_long_rest(noon(28), &japan) && is_after_long_rest(noon(31), &japan));
        assert!(!is_after_long_rest(noon(32), &japan));
    }
}
