//! Who meets whom for the first time: user and host, parent and process, process and destination. Pure.
//!
//! Invariants: nothing is told in the first two weeks; one finding a day and kind lists all that came, so that a new
//! colleague is one finding and not forty; whoever always has new ones is not told.

use serde::{Deserialize, Serialize};
use steady::{DAY, HOUR, Micros, Pairs};
use stream::{Event, parse::CLASS_AUTHENTICATION};

pub const LEARN: Micros = 14 * DAY;
/// Pairs of a kind that are known.
const ROOM: usize = 20_000;
/// How seldom the left side has a new pair for it to be told.
const SELDOM: f64 = 0.02;
/// What comes within this is told together; the next finding of the kind comes a day later.
const GATHER: Micros = HOUR;
const LISTED_MAX: usize = 200;
const NAME_CHARS_MAX: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    UserHost,
    ParentProcess,
    ProcessDestination,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::UserHost, Kind::ParentProcess, Kind::ProcessDestination];

    pub fn name(self) -> &'static str {
        match self {
            Kind::UserHost => "user_host",
            Kind::ParentProcess => "parent_process",
            Kind::ProcessDestination => "process_destination",
        }
    }
}

/// A pair seen first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct First {
    pub left: String,
    pub right: String,
    /// Where it was seen.
    pub host: String,
    pub time: Micros,
    pub end: u64,
    /// Pairs that the left side had before.
    pub known: u32,
}

/// New pairs that are told together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub listed: Vec<First>,
    pub count: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    pairs: Pairs,
    batch: Batch,
    told_at: Micros,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Firsts {
    kinds: [Known; 3],
    /// Offset up to which pairs are told, by kind.
    pub told: [u64; 3],
}

impl Default for Firsts {
    fn default() -> Firsts {
        let known = || Known {
            pairs: Pairs::new(ROOM, LEARN),
            batch: Batch::default(),
            told_at: Micros::MIN / 2,
        };
        Firsts { kinds: [known(), known(), known()], told: [0; 3] }
    }
}

impl Firsts {
    pub fn line(&mut self, event: &Event, time: Micros, end: u64) {
        for kind in Kind::ALL {
            let Some((left, right)) = pair(event, kind) else { continue };
            let known = &mut self.kinds[kind as usize];
            let Some(first) = known.pairs.observe(time, left, right) else { continue };
            if first.p > SELDOM || end <= self.told[kind as usize] {
                continue;
            }
            known.batch.count += 1;
            if known.batch.listed.len() < LISTED_MAX {
                let cut = |text: &str| text.chars().take(NAME_CHARS_MAX).collect();
                known.batch.listed.push(First {
                    left: cut(left),
                    right: cut(right),
                    host: event.host.clone(),
                    time,
                    end,
                    known: first.pairs,
                });
            }
        }
    }

    /// What is to be told now, of each kind.
    pub fn close(&mut self, now: Micros) -> Vec<(Kind, Batch)> {
        let mut due = Vec::new();
        for kind in Kind::ALL {
            let known = &mut self.kinds[kind as usize];
            let Some(first) = known.batch.listed.first() else { continue };
            if now - first.time >= GATHER && now - known.told_at >= DAY {
                known.told_at = now;
                due.push((kind, std::mem::take(&mut known.batch)));
            }
        }
        due
    }

    /// Pairs of a kind are told up to here.
    pub fn told_to(&mut self, kind: Kind, end: u64) {
        let told = &mut self.told[kind as usize];
        *told = end.max(*told);
        let batch = &mut self.kinds[kind as usize].batch;
        let listed = batch.listed.len();
        batch.listed.retain(|first| first.end > *told);
        // What was told was told as a whole, also what was not listed.
        if batch.listed.len() < listed {
            batch.count = batch.listed.len() as u64;
        }
    }
}

fn pair(event: &Event, kind: Kind) -> Option<(&str, &str)> {
    let field = |name: &str| event.fields.get(name).map(String::as_str).filter(|v| !v.is_empty());
    match kind {
        Kind::UserHost => {
            let is_in = event.class == CLASS_AUTHENTICATION && field("outcome") == Some("success");
            let user = field("user").filter(|_| is_in && !event.host.is_empty())?;
            Some((user, event.host.as_str()))
        }
        Kind::ParentProcess => Some((field("ParentImage")?, field("Image")?)),
        Kind::ProcessDestination => {
            let to = field("DestinationHostname").or(field("DestinationIp"));
            Some((field("Image")?, to?))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use model::Timestamp;
    use stream::RawLine;

    use super::*;

    const START: Micros = 1_775_401_200_000_000;

    fn log_in(user: &str, host: &str, time: Micros) -> Event {
        let line = format!(
            "Jan  1 01:00:00 {host} sshd[9]: Accepted publickey for {user} from 10.0.0.9 port 22 ssh2"
        );
        stream::parse(&RawLine::new(line), "t", Timestamp(time), &TimeZone::UTC)
    }

    #[test]
    fn a_user_on_a_host_that_is_new_to_them_is_one_finding_with_the_rest_of_the_hour() {
        let (mut firsts, mut end) = (Firsts::default(), 0);
        for n in 0..20 * 24 {
            end += 1;
            let time = START + n * HOUR;
            firsts.line(&log_in("mika", "db1", time), time, end);
            assert_eq!(firsts.close(time), []);
        }
        let time = START + 20 * DAY;
        for (n, host) in ["web1", "web2", "web3"].iter().enumerate() {
            end += 1;
            firsts.line(&log_in("mika", host, time), time + n as Micros, end);
        }
        assert_eq!(firsts.close(time + GATHER - 1), []);
        let told = firsts.close(time + GATHER);
        assert_eq!((told.len(), told[0].0, told[0].1.count), (1, Kind::UserHost, 3));
        assert_eq!(
            (told[0].1.listed[0].left.as_str(), told[0].1.listed[2].right.as_str()),
            ("mika", "web3")
        );
        // More of the same day waits for the next.
        firsts.line(&log_in("mika", "web4", time + 2 * HOUR), time + 2 * HOUR, end + 1);
        assert_eq!(firsts.close(time + 5 * HOUR), []);
        assert_eq!(firsts.close(time + GATHER + DAY).len(), 1);
    }

    #[test]
    fn whoever_always_has_new_ones_is_not_told() {
        let mut firsts = Firsts::default();
        for n in 0..30 * 24 {
            let time = START + n * HOUR;
            firsts.line(&log_in("deploy", &format!("node{n}"), time), time, n as u64 + 1);
            assert_eq!(firsts.close(time), []);
        }
    }

    #[test]
    fn what_was_told_before_a_crash_is_not_told_by_the_replay() {
        let mut firsts = Firsts::default();
        for n in 0..20 * 24 {
            let time = START + n * HOUR;
            firsts.line(&log_in("mika", "db1", time), time, n as u64 + 1);
        }
        let mut again = firsts.clone();
        let time = START + 20 * DAY;
        firsts.line(&log_in("mika", "web1", time), time, 1_000);
        assert_eq!(firsts.close(time + DAY).len(), 1);
        again.told_to(Kind::UserHost, 1_000);
        again.line(&log_in("mika", "web1", time), time, 1_000);
        assert_eq!(again.close(time + DAY), []);
    }
}
