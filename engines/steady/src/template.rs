//! Log lines as templates: a tree of fixed depth after Drain (He, Zhu, Zheng and Lyu 2017).
//!
//! A line goes by its number of words and its first words to a leaf, and there to the template that shares most
//! words with it; words that differ become `<*>`. Words with digits are never a branch. What is bounded: leaves,
//! templates of a leaf, templates at all; where there is no room the least used of the leaf gives way, and is
//! counted.
//!
//! Each template knows how many lines a day it has and when it was seen last, so that new, vanished and bursting
//! ones are known.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::{
    snapshot::{SnapshotError, checksum},
    time::{DAY, HOUR, Micros, TIME_MAX_US},
};

/// Words of a line that are looked at, and bytes of a word.
pub const WORDS_MAX: usize = 64;
const WORD_BYTES_MAX: usize = 48;

/// Words that lead to a leaf.
const DEPTH: usize = 2;

/// Of a template's words that are no masks, a line has at least these.
const SIMILAR: f64 = 0.6;

/// How a mask is written.
const ANY: &str = "<*>";

/// A burst has so many times the lines of the busiest hour before, and at least so many.
const BURST_TIMES: f64 = 4.0;
const BURST_MIN: u32 = 20;

/// Templates are known from so many lines on so many days.
const STEADY_LINES: u64 = 20;
const STEADY_DAYS: u16 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateLimits {
    pub templates: usize,
    pub of_leaf: usize,
}

impl Default for TemplateLimits {
    fn default() -> TemplateLimits {
        TemplateLimits { templates: 10_000, of_leaf: 100 }
    }
}

pub type TemplateId = u64;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    pub id: TemplateId,
    words: Vec<Box<str>>,
    pub lines: u64,
    pub first: Micros,
    pub last: Micros,
    /// Days on which it was seen
    pub days: u16,
    day: i64,
    hour: i64,
    in_hour: u32,
    /// Lines of the busiest hour, fading by a tenth each day seen
    busiest: f64,
    /// The longest pause between two lines so far
    pause: Micros,
    gone: bool,
}

impl Template {
    pub fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// What a line or a moment shows about templates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateEvent {
    /// Never seen before
    New { id: TemplateId, time: Micros },
    /// Was steady and has been absent longer than ever
    Vanished { id: TemplateId, last: Micros, time: Micros },
    /// Far more lines in this hour than in any
    Burst { id: TemplateId, time: Micros, lines: u32, busiest: f64 },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Templates {
    limits: TemplateLimits,
    templates: BTreeMap<TemplateId, Template>,
    leaves: HashMap<u64, Vec<TemplateId>, FxBuildHasher>,
    next: TemplateId,
    /// Templates that gave way to others
    pub evicted: u64,
    /// Since when templates are collected: in the first day everything is new
    first: Option<Micros>,
}

impl Templates {
    pub fn new(limits: TemplateLimits) -> Templates {
        Templates { limits, ..Templates::default() }
    }

    /// The template of a line, and what its arrival shows.
    pub fn observe(&mut self, time: Micros, line: &str) -> (TemplateId, Option<TemplateEvent>) {
        let time = time.clamp(-TIME_MAX_US, TIME_MAX_US);
        let first = *self.first.get_or_insert(time);
        let words = words(line);
        let leaf = leaf(&words);
        let found = self.best(leaf, &words);
        let Some(id) = found else {
            let id = self.insert(leaf, &words, time);
            let known = time.saturating_sub(first) >= DAY;
            return (id, known.then_some(TemplateEvent::New { id, time }));
        };
        let Some(template) = self.templates.get_mut(&id) else { return (id, None) };
        for (own, word) in template.words.iter_mut().zip(&words) {
            if **own != **word && **own != *ANY {
                *own = ANY.into();
            }
        }
        let burst = template.count(time).then_some(TemplateEvent::Burst {
            id,
            time,
            lines: template.in_hour,
            busiest: template.busiest,
        });
        (id, burst)
    }

    /// Templates that have been absent for more than twice their longest pause, each told once.
    pub fn vanished(&mut self, now: Micros) -> Vec<TemplateEvent> {
        let mut gone = Vec::new();
        for template in self.templates.values_mut() {
            let steady = template.lines >= STEADY_LINES && template.days >= STEADY_DAYS;
            let absent = now.saturating_sub(template.last);
            if steady && !template.gone && absent > (2 * template.pause).max(DAY) {
                template.gone = true;
                let (id, last) = (template.id, template.last);
                gone.push(TemplateEvent::Vanished { id, last, time: now });
            }
        }
        gone
    }

    pub fn get(&self, id: TemplateId) -> Option<&Template> {
        self.templates.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.templates.values()
    }

    pub fn len(&self) -> usize {
        self.templates.len()
    }

    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The state as bytes, for [`Templates::restore`].
    pub fn snapshot(&self) -> Vec<u8> {
        crate::snapshot::pack(self)
    }

    pub fn restore(bytes: &[u8]) -> Result<Templates, SnapshotError> {
        crate::snapshot::unpack(bytes)
    }

    fn best(&self, leaf: u64, words: &[Box<str>]) -> Option<TemplateId> {
        let ids = self.leaves.get(&leaf)?;
        let templates = ids.iter().filter_map(|id| self.templates.get(id));
        let scored = templates.filter_map(|t| Some((similarity(&t.words, words)?, t)));
        // Of equals the one with fewer masks: it says more.
        let best = scored.max_by(|(a, t), (b, u)| {
            a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)).then(u.id.cmp(&t.id))
        })?;
        (best.0.0 >= SIMILAR).then_some(best.1.id)
    }

    fn insert(&mut self, leaf: u64, words: &[Box<str>], time: Micros) -> TemplateId {
        let ids = self.leaves.entry(leaf).or_default();
        if ids.len() >= self.limits.of_leaf.max(1) {
            let least = ids
                .iter()
                .enumerate()
                .min_by_key(|(_, id)| self.templates.get(id).map_or((0, 0), |t| (t.lines, t.last)));
            if let Some((place, id)) = least.map(|(place, id)| (place, *id)) {
                ids.swap_remove(place);
                self.templates.remove(&id);
                self.evicted += 1;
            }
        }
        if self.templates.len() >= self.limits.templates.max(1) {
            self.make_room();
        }
        let id = self.next;
        self.next += 1;
        self.leaves.entry(leaf).or_default().push(id);
        self.templates.insert(id, Template::new(id, words.to_vec(), time));
        id
    }

    /// Lets the tenth of all templates go that has the fewest lines, oldest first.
    fn make_room(&mut self) {
        let mut all: Vec<_> = self.templates.values().map(|t| (t.lines, t.last, t.id)).collect();
        all.sort_unstable();
        all.truncate((all.len() / 10).max(1));
        self.evicted += all.len() as u64;
        for (_, _, id) in all {
            self.templates.remove(&id);
        }
        let templates = &self.templates;
        self.leaves.retain(|_, ids| {
            ids.retain(|id| templates.contains_key(id));
            !ids.is_empty()
        });
    }
}

impl Template {
    fn new(id: TemplateId, words: Vec<Box<str>>, time: Micros) -> Template {
        Template {
            id,
            words,
            lines: 1,
            first: time,
            last: time,
            days: 1,
            day: time.div_euclid(DAY),
            hour: time.div_euclid(HOUR),
            in_hour: 1,
            busiest: 0.0,
            pause: 0,
            gone: false,
        }
    }

    /// Counts a line; true where this hour begins to burst.
    fn count(&mut self, time: Micros) -> bool {
        let (day, hour) = (time.div_euclid(DAY), time.div_euclid(HOUR));
        self.lines += 1;
        if !self.gone {
            self.pause = self.pause.max(time.saturating_sub(self.last));
        }
        (self.last, self.gone) = (self.last.max(time), false);
        if hour > self.hour {
            // A burst is remembered in part only, so that the next is one too.
            let limit = if self.busiest > 0.0 { BURST_TIMES * self.busiest } else { f64::INFINITY };
            self.busiest = self.busiest.max(f64::from(self.in_hour).min(limit));
            (self.hour, self.in_hour) = (hour, 0);
        }
        if day > self.day {
            (self.day, self.days) = (day, self.days.saturating_add(1));
            self.busiest *= 0.9;
        }
        let limit = (BURST_TIMES * self.busiest).max(f64::from(BURST_MIN));
        let before = f64::from(self.in_hour);
        self.in_hour = self.in_hour.saturating_add(1);
        self.days >= STEADY_DAYS && before < limit && f64::from(self.in_hour) >= limit
    }
}

fn words(line: &str) -> Vec<Box<str>> {
    let words = line.split_whitespace().take(WORDS_MAX);
    words.map(|word| if is_variable(word) { ANY.into() } else { cut(word).into() }).collect()
}

/// Addresses, numbers, identifiers: a digit, unless the word is a name such as `sha256` or `eth0`.
fn is_variable(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    digits > 0 && (digits >= letters || word.len() > 12)
}

fn cut(word: &str) -> &str {
    let mut end = word.len().min(WORD_BYTES_MAX);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

fn leaf(words: &[Box<str>]) -> u64 {
    let lead = words.iter().take(DEPTH).flat_map(|word| {
        let plain = !word.bytes().any(|b| b.is_ascii_digit());
        let word: &str = if plain { word } else { ANY };
        word.bytes().chain([0])
    });
    let bytes: Vec<u8> = (words.len() as u64).to_le_bytes().into_iter().chain(lead).collect();
    checksum(&bytes)
}

/// The share of equal words, and how many are masks.
fn similarity(template: &[Box<str>], words: &[Box<str>]) -> Option<(f64, usize)> {
    if template.len() != words.len() {
        return None;
    }
    let masks = template.iter().filter(|word| ***word == *ANY).count();
    let plain = template.iter().zip(words).filter(|(own, _)| ***own != *ANY);
    let same = plain.filter(|(own, word)| own == word).count();
    let share = if masks == words.len() { 1.0 } else { same as f64 / (words.len() - masks) as f64 };
    Some((share, masks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MINUTE;

    #[test]
    fn lines_of_one_statement_share_a_template() {
        let mut templates = Templates::new(TemplateLimits::default());
        let lines = [
            "Failed password for root from 192.0.2.1 port 4711 ssh2",
            "Failed password for ume from 192.0.2.9 port 22 ssh2",
            "Failed password for take from 198.51.100.7 port 50000 ssh2",
            "Accepted publickey for ume from 192.0.2.9 port 22 ssh2",
        ];
        let ids: Vec<_> = lines.iter().map(|line| templates.observe(0, line).0).collect();
        assert_eq!(ids, [0, 0, 0, 1]);
        let text = templates.get(0).unwrap().text();
        assert_eq!(text, "Failed password for <*> from <*> port <*> ssh2");
        assert_eq!(templates.get(0).unwrap().lines, 3);
    }

    #[test]
    fn japanese_lines_have_templates_too() {
        let mut templates = Templates::new(TemplateLimits::default());
        let one = templates.observe(0, "バックアップ ジョブ 17 失敗 容量不足").0;
        assert_eq!(templates.observe(1, "バックアップ ジョブ 18 失敗 容量不足").0, one);
        assert_ne!(templates.observe(2, "バックアップ ジョブ 18 正常に終了 しました").0, one);
    }

    #[test]
    fn new_vanished_and_burst_are_told_once() {
        let mut templates = Templates::new(TemplateLimits::default());
        let mut told = Vec::new();
        for n in 0..10 * 24 * 6 {
            told.extend(templates.observe(n * 10 * MINUTE, "heartbeat of node 5 arrived").1);
        }
        assert!(told.is_empty() && templates.vanished(10 * DAY).is_empty());
        let new = templates.observe(10 * DAY, "kernel panic at the disco");
        assert_eq!(new.1, Some(TemplateEvent::New { id: 1, time: 10 * DAY }));
        for n in 0..500 {
            let found = templates.observe(10 * DAY + n * 1000, "heartbeat of node 5 arrived");
            told.extend(found.1);
        }
        assert!(matches!(told[..], [TemplateEvent::Burst { id: 0, lines: 22, .. }]), "{told:?}");
        let gone = templates.vanished(12 * DAY);
        assert!(matches!(gone[..], [TemplateEvent::Vanished { id: 0, .. }]), "{gone:?}");
        assert!(templates.vanished(13 * DAY).is_empty());
    }

    #[test]
    fn a_monthly_template_is_not_missed_after_a_day() {
        let mut templates = Templates::new(TemplateLimits::default());
        for month in 0..6 {
            for n in 0..10 {
                templates.observe(month * 30 * DAY + n, "monthly report written");
            }
        }
        assert!(templates.vanished(5 * 30 * DAY + 40 * DAY).is_empty());
        assert_eq!(templates.vanished(5 * 30 * DAY + 61 * DAY).len(), 1);
    }

    #[test]
    fn hostile_lines_are_bounded() {
        let limits = TemplateLimits { templates: 50, of_leaf: 5 };
        let mut templates = Templates::new(limits);
        let letter = |n: u64| char::from(b'a' + (n % 26) as u8);
        for n in 0..5_000u64 {
            let word: String = (0..9).map(|k| letter(n.wrapping_mul(7_919) >> k)).collect();
            templates.observe(n as i64, &format!("{word} {word} {}", "x".repeat(n as usize % 7)));
        }
        assert!(templates.len() <= 50 && templates.evicted > 0);
        assert_eq!(templates.leaves.values().map(Vec::len).sum::<usize>(), templates.len());
        templates.observe(Micros::MAX, &"y ".repeat(100_000));
        templates.observe(Micros::MIN, "");
        templates.observe(0, &"漢".repeat(1_000));
    }

    #[test]
    fn a_snapshot_goes_on() {
        let mut templates = Templates::new(TemplateLimits::default());
        for n in 0..100 {
            templates.observe(n * HOUR, &format!("job {n} done in room"));
        }
        let bytes = templates.snapshot();
        assert_eq!(Templates::restore(&bytes), Ok(templates));
        assert_eq!(Templates::restore(&bytes[1..]), Err(SnapshotError::Damaged));
    }
}
