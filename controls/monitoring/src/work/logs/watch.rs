//! All that is learnt of logs, in the order in which they came: pure, so that a replay sees what the first run saw.
//!
//! Invariant: an event that was taken is not taken again, whoever hands it over.

use model::Timestamp;
use serde::{Deserialize, Serialize};
use steady::Calendar;
use stream::{Event, JoinLimits, Joiner, Placed};

use super::{firsts::Firsts, security::Security, sources::Sources, words::Words};
use crate::work::canary;

/// Version of what [`Watch::to_bytes`] writes.
const VERSION: u8 = 1;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watch {
    /// Offset behind the last event that was taken.
    pub at: u64,
    pub sources: Sources,
    pub words: Words,
    pub firsts: Firsts,
    pub security: Security,
}

impl Watch {
    pub fn begin(at: u64) -> Watch {
        Watch { at, ..Watch::default() }
    }

    /// Takes events; what audit says in several records is one.
    pub fn take(&mut self, joiner: &mut Joiner, events: Vec<Placed>, calendar: &Calendar) {
        let mut parts = Vec::new();
        for Placed { end, event } in events {
            if end <= self.at || event.source == canary::SOURCE {
                continue;
            }
            self.at = end;
            let host = host_of(&event);
            let is_late = self.sources.heard(&event, host, calendar);
            self.words.line(&event, host, end, is_late);
            let arrived = event.arrived;
            joiner.push(event, arrived, &mut parts);
            self.parts(&mut parts, end, calendar);
        }
    }

    /// What audit began and did not end.
    pub fn idle(&mut self, joiner: &mut Joiner, now: Timestamp, calendar: &Calendar) {
        let mut parts = Vec::new();
        joiner.pass(now, &mut parts);
        self.parts(&mut parts, self.at, calendar);
    }

    fn parts(&mut self, parts: &mut Vec<Event>, end: u64, calendar: &Calendar) {
        for part in parts.drain(..) {
            self.firsts.line(&part, part.arrived.0, end);
            self.security.line(&part, calendar);
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Watch> {
        postcard::from_bytes(bytes.strip_prefix(&[VERSION])?).ok()
    }
}

/// Joins what audit says in several records.
pub fn joiner() -> Joiner {
    Joiner::new(JoinLimits::default())
}

/// The host an event names, else the agent that sent it.
fn host_of(event: &Event) -> &str {
    match event.source.split_once('/') {
        Some((agent, _)) if event.host.is_empty() => agent,
        _ => &event.host,
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use steady::{DAY, HOUR, MINUTE, Micros};
    use stream::RawLine;

    use super::*;
    use crate::work::logs::{
        sources::{Said, Who},
        words::{Bearing, Departure, Kind, LEARN, WINDOW},
    };

    const START: Micros = 1_775_401_200_000_000;
    /// Each line of the ordinary day comes once a day.
    const STEP: Micros = 5 * MINUTE;

    /// A site on which the ordinary day of `content/detections` happens over and over.
    struct Site {
        watch: Watch,
        joiner: Joiner,
        calendar: Calendar,
        lines: Vec<String>,
        now: Micros,
        end: u64,
        departed: Vec<Departure>,
        said: Vec<Said>,
        firsts: usize,
    }

    impl Site {
        fn new() -> Site {
            let path =
                concat!(env!("CARGO_MANIFEST_DIR"), "/../../content/detections/tests/everyday.log");
            let text = std::fs::read_to_string(path).unwrap();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            assert!(lines.len() > 250 && lines.len() as i64 * STEP < DAY);
            Site {
                watch: Watch::default(),
                joiner: joiner(),
                calendar: Calendar::japan(),
                lines,
                now: START,
                end: 0,
                departed: Vec::new(),
                said: Vec::new(),
                firsts: 0,
            }
        }

        fn come(&mut self, line: &str) {
            self.end += 1;
            let line = RawLine::new(line);
            let event = stream::parse(&line, "syslog", Timestamp(self.now), &TimeZone::UTC);
            let placed = Placed { end: self.end, event };
            self.watch.take(&mut self.joiner, vec![placed], &self.calendar);
        }

        fn look(&mut self, time: Micros) {
            while self.now < time {
                self.now += MINUTE;
                self.said.extend(self.watch.sources.check(self.now, &self.calendar));
                if self.now % WINDOW == 0 {
                    let Watch { words, sources, .. } = &mut self.watch;
                    let bearing = Bearing { per_day: 3.0, calendar: &self.calendar };
                    let told = words.close(self.now, &bearing, &|host| sources.is_silent(host));
                    self.departed.extend(told.into_iter().flatten());
                    self.firsts += self.watch.firsts.close(self.now).len();
                }
            }
        }

        /// Ordinary days without the lines that `but` names.
        fn days(&mut self, days: i64, but: &str) {
            for _ in 0..days {
                let day = self.now;
                for (n, line) in self.lines.clone().iter().enumerate() {
                    self.look(day + n as i64 * STEP);
                    if but.is_empty() || !line.contains(but) {
                        // Numbers of processes and ports are others every day.
                        let tomorrow = line.replace("[2001]", &format!("[{}]", self.end));
                        self.come(&tomorrow);
                    }
                }
                self.look(day + DAY);
            }
        }

        fn kinds(&self) -> Vec<(Kind, &str)> {
            self.departed.iter().map(|d| (d.kind, d.program.as_str())).collect()
        }
    }

    #[test]
    fn weeks_of_ordinary_days_tell_nothing_and_what_is_injected_is_told() {
        let mut site = Site::new();
        site.days(28, "");
        assert_eq!((site.kinds(), site.firsts), (vec![], 0));
        assert_eq!(site.said, []);

        // A kind of line that was never there.
        site.come(
            "Jan  1 00:00:10 srv1 sshd[77]: fatal: privsep_preauth: cannot open the gate at noon",
        );
        site.days(1, "");
        assert_eq!(site.kinds(), [(Kind::New, "sshd")]);
        assert!(site.departed[0].text.contains("cannot open the gate"), "{:?}", site.departed);

        // One that comes far more often than in any hour.
        site.departed.clear();
        for n in 0..200 {
            site.look(site.now + MINUTE / 4);
            site.come(&format!("Jan  1 00:09:0{} srv1 restic[800]: no errors were found", n % 10));
        }
        site.days(1, "");
        assert_eq!(site.kinds(), [(Kind::Burst, "restic")]);

        // A job that does not come any more.
        site.departed.clear();
        site.days(4, "borg[801]");
        assert!(site.kinds().iter().all(|k| *k == (Kind::Vanished, "borg")), "{:?}", site.departed);
        assert_eq!(site.departed.len(), 2, "its two lines: {:?}", site.departed);
        assert_eq!(site.said, []);

        // And nobody says anything.
        site.departed.clear();
        site.look(site.now + 6 * HOUR);
        let who = Who::Source(("syslog".into(), "srv1".into()));
        let is_it = |said: &Said| matches!(said, Said::Silent { who: own, .. } if *own == who);
        assert_eq!(site.said.iter().filter(|said| is_it(said)).count(), 1, "{:?}", site.said);
        assert_eq!(site.kinds(), [], "what a silent host does not say is not told again");
    }

    #[test]
    fn what_came_while_ume_was_off_is_not_missed() {
        let mut site = Site::new();
        site.days(20, "");
        let from = site.now;
        site.now += 4 * DAY;
        site.watch.words.was_away(from, site.now);
        site.watch.sources.listening_since(site.now);
        site.days(3, "");
        assert_eq!((site.kinds(), site.said.len()), (vec![], 0), "{:?}", site.said);
    }

    #[test]
    fn nothing_is_told_while_it_is_learnt() {
        let mut site = Site::new();
        site.days(10, "");
        site.come(
            "Jan  1 00:00:10 srv1 sshd[77]: fatal: privsep_preauth: cannot open the gate at noon",
        );
        site.days(1, "borg[801]");
        assert!(site.now - START < LEARN && site.departed.is_empty());
    }

    #[test]
    fn a_replay_from_a_saved_state_sees_what_the_first_run_saw() {
        let mut site = Site::new();
        site.days(15, "");
        let saved = site.watch.to_bytes();
        let restored = Watch::from_bytes(&saved).unwrap();
        assert_eq!(restored.at, site.watch.at);
        assert!(Watch::from_bytes(&saved[..saved.len() / 2]).is_none());
        assert!(Watch::from_bytes(&[]).is_none());
        let (now, end) = (site.now, site.end);
        site.days(2, "");
        let first = site.watch.to_bytes();
        (site.watch, site.now, site.end) = (restored, now, end);
        // What it knows already changes nothing.
        site.end -= 1;
        let known = |site: &Site| {
            (site.watch.words.counts(site.now), site.watch.sources.lines(&site.calendar))
        };
        let before = known(&site);
        site.come("Jan  1 00:00:10 srv1 sshd[77]: something else");
        assert!(known(&site) == before);
        site.days(2, "");
        // Maps of the engine have no order: what they say is compared, not their bytes.
        let again = known(&site);
        site.watch = Watch::from_bytes(&first).unwrap();
        assert!(known(&site) == again);
    }
}
