//! What senders number themselves and what of it never came: `sequenceId` of RFC 5424 (7.3.1), sequence
//! numbers of flow exporters. Pure; time is an argument.
//!
//! A number that is left out counts as missing only after [`LATENESS_MICROS`], since datagrams overtake
//! each other. A number far behind is a sender that began anew: what was missing before stays missing,
//! and how much got lost in between nobody can say. Limits: [`SENDERS_MAX`] senders, each with
//! [`RANGES_MAX`] ranges that are waited for; the oldest beyond that counts at once.

use std::collections::{HashMap, VecDeque};

use model::Timestamp;

/// How long a left-out number is waited for.
pub const LATENESS_MICROS: i64 = 5_000_000;
const SENDERS_MAX: usize = 4096;
const RANGES_MAX: usize = 64;
/// Numbers that far behind are late or repeated; further behind is a fresh start.
const BEHIND_MAX: u64 = 10_000;
/// A larger step forwards is a fresh start too.
const AHEAD_MAX: u64 = 1_000_000;
/// As RFC 5424 bounds it.
const HOST_BYTES_MAX: usize = 255;
/// Where structured data is looked for at all.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// The numbers of many senders, each going from `first` to `last` and round again.
#[derive(Debug)]
pub struct Gaps {
    first: u64,
    last: u64,
    senders: HashMap<Vec<u8>, Sender>,
    /// Missing for good and not fetched yet.
    confirmed: u64,
}

#[derive(Debug)]
struct Sender {
    next: u64,
    missing: VecDeque<Range>,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    from: u64,
    count: u64,
    since: Timestamp,
}

impl Gaps {
    /// For RFC 5424: 1 to 2,147,483,647.
    pub fn syslog() -> Gaps {
        Gaps::between(1, (1 << 31) - 1)
    }

    /// For numbers from `first` to `last`.
    pub fn between(first: u64, last: u64) -> Gaps {
        Gaps { first, last, senders: HashMap::new(), confirmed: 0 }
    }

    /// A message of `sender` bears the numbers from `number` on, `count` of them (a flow exporter
    /// counts records, not datagrams). True if it was waited for.
    pub fn see(&mut self, sender: &[u8], number: u64, count: u64, now: Timestamp) -> bool {
        if !(self.first..=self.last).contains(&number) {
            return false;
        }
        let size = self.last - self.first + 1;
        let next = self.first + (number - self.first + count % size) % size;
        let Some(known) = self.senders.get_mut(sender) else {
            if self.senders.len() < SENDERS_MAX {
                self.senders.insert(sender.to_vec(), Sender { next, missing: VecDeque::new() });
            }
            return false;
        };
        let ahead = (number + size - known.next) % size;
        let behind = size - ahead;
        if ahead == 0 {
            known.next = next;
        } else if known.fill(number, count) {
            return true;
        } else if behind <= BEHIND_MAX && number != self.first {
            // A repetition.
        } else if ahead <= AHEAD_MAX {
            known.missing.push_back(Range { from: known.next, count: ahead, since: now });
            if known.missing.len() > RANGES_MAX {
                self.confirmed += known.missing.pop_front().map_or(0, |range| range.count);
            }
            known.next = next;
        } else {
            known.next = next;
        }
        false
    }

    /// Its next number cannot be known: whatever it is, nothing is missing before it.
    pub fn forget(&mut self, sender: &[u8]) {
        if let Some(gone) = self.senders.remove(sender) {
            self.confirmed += gone.missing.iter().map(|range| range.count).sum::<u64>();
        }
    }

    /// How many numbers have been missing for too long since the last call.
    pub fn due(&mut self, now: Timestamp) -> u64 {
        self.confirm(|range| now.0.saturating_sub(range.since.0) >= LATENESS_MICROS)
    }

    /// The same without waiting: at the end.
    pub fn all(&mut self) -> u64 {
        self.confirm(|_| true)
    }

    fn confirm(&mut self, is_due: impl Fn(&Range) -> bool) -> u64 {
        for sender in self.senders.values_mut() {
            while sender.missing.front().is_some_and(&is_due) {
                self.confirmed += sender.missing.pop_front().map_or(0, |range| range.count);
            }
        }
        std::mem::take(&mut self.confirmed)
    }
}

impl Sender {
    /// Takes numbers out of what is missing.
    fn fill(&mut self, number: u64, count: u64) -> bool {
        let found = self.missing.iter().position(|r| number >= r.from && number - r.from < r.count);
        let Some((at, range)) = found.and_then(|at| Some((at, *self.missing.get(at)?))) else {
            return false;
        };
        let before = number - range.from;
        let after = (range.count - before).saturating_sub(count);
        let left = [(range.from, before), (range.from + range.count - after, after)];
        self.missing.remove(at);
        // Both parts keep their time, so the oldest still stands first.
        for (from, count) in left.into_iter().rev().filter(|(_, count)| *count > 0) {
            self.missing.insert(at, Range { from, count, since: range.since });
        }
        true
    }
}

/// Host and `sequenceId` of an RFC 5424 message that has one.
pub fn syslog_number(message: &[u8]) -> Option<(&[u8], u64)> {
    let head = &message[..message.len().min(HEAD_BYTES_MAX)];
    let priority = head.strip_prefix(b"<")?.iter().position(|b| *b == b'>')?;
    let rest = head.get(priority + 2..)?.strip_prefix(b"1 ")?;
    let mut words = rest.splitn(6, |b| *b == b' ');
    let host = words.nth(1).filter(|host| host.len() <= HOST_BYTES_MAX)?;
    let mut data = words.nth(3)?;
    while let Some(element) = data.strip_prefix(b"[") {
        let (end, number) = element_of(element)?;
        if element.starts_with(b"meta ") && number.is_some() {
            return Some((host, number?));
        }
        data = element.get(end..)?;
    }
    None
}

/// Offset behind the closing bracket, and the `sequenceId` on the way.
fn element_of(element: &[u8]) -> Option<(usize, Option<u64>)> {
    const NAME: &[u8] = b" sequenceId=\"";
    let (mut at, mut number, mut quoted) = (0, None, false);
    while let Some(&byte) = element.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some((at + 1, number)),
            b' ' if !quoted => {
                if let Some(digits) = element[at..].strip_prefix(NAME) {
                    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
                    let fits = digits[end] == b'"' && (1..=10).contains(&end);
                    let text = std::str::from_utf8(&digits[..end]).ok()?;
                    number = text.parse().ok().filter(|_| fits);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn later(micros: i64) -> Timestamp {
        Timestamp(NOW.0 + micros)
    }

    #[test]
    fn the_number_is_read_from_meta_and_from_nowhere_else() {
        let line = |data: &str| format!("<13>1 2026-01-01T00:00:00Z h app 1 id {data} text");
        let number =
            |data: &str| syslog_number(line(data).as_bytes()).map(|(host, n)| (host.to_vec(), n));
        assert_eq!(number("[meta sequenceId=\"29\"]"), Some((b"h".to_vec(), 29)));
        assert_eq!(
            number("[a x=\"]\\\"\"][meta lang=\"ja\" sequenceId=\"7\" x=\"y\"]").unwrap().1,
            7
        );
        for none in [
            "-",
            "[metaX sequenceId=\"1\"]",
            "[a b=\"[meta sequenceId=\\\"1\\\"]\"]",
            "[meta sequenceId=\"\"]",
            "[meta sequenceId=\"12345678901\"]",
            "[meta sequenceId=\"1x\"]",
            "[meta sequenceId=\"1",
            "- [meta sequenceId=\"1\"]",
        ] {
            assert_eq!(number(none), None, "{none}");
        }
        let long = format!("<13>1 - {} a - - [meta sequenceId=\"1\"]", "h".repeat(256));
        assert_eq!(syslog_number(long.as_bytes()), None);
        assert_eq!(syslog_number(b"<13>Jan  1 00:00:00 h [meta sequenceId=\"1\"]"), None);
    }

    #[test]
    fn what_comes_late_is_not_missing_and_what_never_comes_is_counted_once() {
        let mut gaps = Gaps::syslog();
        for n in [10, 11, 15, 13, 16, 13] {
            gaps.see(b"a", n, 1, NOW);
        }
        assert_eq!(gaps.due(later(LATENESS_MICROS - 1)), 0);
        assert!(gaps.see(b"a", 12, 1, later(1)));
        assert_eq!((gaps.due(later(LATENESS_MICROS)), gaps.due(later(LATENESS_MICROS))), (1, 0));
        assert!(!gaps.see(b"b", 500, 1, NOW), "the first of a sender says nothing");
        assert_eq!(gaps.all(), 0);
    }

    #[test]
    fn numbers_go_round_and_a_fresh_start_is_no_gap() {
        let mut gaps = Gaps::syslog();
        let last = (1 << 31) - 1;
        for n in [last - 1, last, 1, 2] {
            gaps.see(b"a", n, 1, NOW);
        }
        assert_eq!(gaps.all(), 0);
        for n in [900_000, 1, 2, 4] {
            gaps.see(b"b", n, 1, NOW);
        }
        assert_eq!(gaps.all(), 1);
        assert!(!gaps.see(b"b", 0, 1, NOW) && !gaps.see(b"b", u64::MAX, 1, NOW));
        let mut flows = Gaps::between(0, u32::MAX.into());
        for (n, records) in [(u64::from(u32::MAX) - 4, 10), (5, 30), (45, 1)] {
            flows.see(b"x", n, records, NOW);
        }
        assert_eq!(flows.all(), 10);
    }

    #[test]
    fn floods_of_senders_and_of_holes_stay_small() {
        let mut gaps = Gaps::syslog();
        for sender in 0..10_000u32 {
            gaps.see(&sender.to_le_bytes(), 1, 1, NOW);
        }
        assert_eq!(gaps.senders.len(), SENDERS_MAX);
        for n in (1..2_001).step_by(2) {
            gaps.see(&0u32.to_le_bytes(), n, 1, NOW);
        }
        assert!(gaps.senders[&0u32.to_le_bytes()[..]].missing.len() <= RANGES_MAX);
        assert_eq!(gaps.all(), 999);
    }

    proptest! {
        #[test]
        fn shuffled_within_reach_the_missing_are_exactly_those_left_out(
            left_out in prop::collection::hash_set(2u64..199, 0..40),
            swaps in prop::collection::vec((0usize..190, 1usize..8), 0..60),
        ) {
            let mut sent: Vec<u64> = (2..199).filter(|n| !left_out.contains(n)).collect();
            for (at, by) in swaps {
                if at + by < sent.len() {
                    sent.swap(at, at + by);
                }
            }
            let mut gaps = Gaps::syslog();
            for n in [1].into_iter().chain(sent).chain([199]) {
                gaps.see(b"a", n, 1, NOW);
            }
            prop_assert_eq!(gaps.all(), left_out.len() as u64);
        }

        #[test]
        fn no_bytes_make_it_panic(head in "(<1>1 - h a - - )?(\\[meta sequenceId=\")?", tail: Vec<u8>) {
            let mut bytes = head.into_bytes();
            bytes.extend(tail);
            syslog_number(&bytes);
        }
    }
}
