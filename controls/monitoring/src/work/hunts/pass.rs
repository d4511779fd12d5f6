//! Looking back: rules against what is archived, newest first, in pieces that can be left and taken up again.
//!
//! The same evaluation as that of live events (`evaluate`). Rules of one event go from the newest range of the archive to the
//! oldest; correlations go over it a second time, oldest first, since their windows follow the time.
//!
//! Invariants: of a range either all or nothing is done, as far as `Progress` says; a segment is left out only if its
//! sidecar says that no rule can meet anything in it; what is missing or cannot be read is counted, never passed over.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use serde::{Deserialize, Serialize};
use sigma::{Env, LogSource, Meta, RuleId};
use stream::{
    Placed,
    scan::{self, Range},
    sidecar::{Named, Sidecar},
};

use crate::work::{
    evaluate::{Evaluator, Occurrence, Part},
    intel::{Intel, seen::Asks},
    rules::Loaded,
};

/// Events between two looks at the clock.
const EVENTS_AT_ONCE: usize = 256;
/// Texts that a segment is asked for; with more it is read.
const TEXTS_MAX: usize = 256;

/// How far a hunt came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it looks at lies before this offset.
    pub target: u64,
    /// The ranges between these offsets are done, for rules of one event.
    pub low: u64,
    pub high: u64,
    /// Ranges before it are done, for correlations.
    pub at: u64,
    pub is_begun: bool,
    /// Segments, by what became of them.
    pub scanned: u64,
    pub pruned: u64,
    pub missing: u64,
    /// Bytes of the spool of which nothing, or not all, could be read.
    pub missing_bytes: u64,
    pub events: u64,
    pub matches: u64,
    /// Bytes that were read: segments and what stands beside them.
    #[serde(default)]
    pub read_bytes: u64,
}

/// What there is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    More,
    /// The last events are in the spool still.
    Wait,
    Done,
}

/// A hunt on its way.
pub struct Hunt {
    archive: PathBuf,
    singles: Option<Pass>,
    over_time: Option<Pass>,
    pub progress: Progress,
    /// What is archived, oldest first, up to the offset that was archived when it was listed.
    ranges: Vec<Range>,
    listed_to: Option<u64>,
    open: Option<Open>,
}

/// Rules that go over the archive together.
struct Pass {
    evaluator: Box<Evaluator>,
    needs: Vec<Need>,
    /// What is asked of segments, where only values of a set are looked for.
    asks: Option<Asks>,
}

/// What a segment must have for a rule to meet something in it.
struct Need {
    source: LogSource,
    texts: Option<Vec<Vec<u8>>>,
}

/// The range that is being read.
struct Open {
    range: Range,
    events: scan::Events,
    is_over_time: bool,
    /// Places of its events: fewer than its bytes.
    place: u64,
    /// Counts when it is done.
    scanned: u64,
    pruned: u64,
    missing: u64,
}

impl Hunt {
    /// A hunt for the rules whose prints are wanted, over what came before `target`.
    pub fn new(
        archive: &Path,
        loaded: &Loaded,
        prints: &BTreeSet<String>,
        env: &Env,
        progress: Progress,
    ) -> Hunt {
        let is_wanted = |loaded: &Loaded, meta: &Meta| prints.contains(&loaded.print_of(meta));
        let pass = |wants_over_time: bool| {
            let wanted = |meta: &Meta, is_over_time: bool| {
                is_over_time == wants_over_time && is_wanted(loaded, meta)
            };
            let some = Arc::new(loaded.only(&wanted, env));
            some.findable().next()?;
            let needs = needs(&some);
            let evaluator = Box::new(Evaluator::telling(some, &wanted));
            Some(Pass { evaluator, needs, asks: None })
        };
        let (singles, over_time) = (pass(false), pass(true));
        let archive = archive.to_owned();
        Hunt {
            archive,
            singles,
            over_time,
            progress,
            ranges: Vec::new(),
            listed_to: None,
            open: None,
        }
    }

    /// A hunt for what meets these indicators: no rule goes with it. With `asks` only segments are read that may hold one
    /// of them; patterns that ask for several events go over the archive a second time, oldest first.
    pub fn of_set(
        archive: &Path,
        loaded: &Loaded,
        intel: Arc<Intel>,
        asks: Option<Asks>,
        env: &Env,
        progress: Progress,
    ) -> Hunt {
        let none = Arc::new(loaded.only(&|_: &Meta, _| false, env));
        let pass = |part, asks| {
            let mut evaluator = Box::new(Evaluator::new(none.clone()));
            evaluator.meet(intel.clone(), part);
            let needs = vec![Need { source: LogSource::new(None, None, None), texts: None }];
            Pass { evaluator, needs, asks }
        };
        let is_over_time = intel.patterns.all.iter().any(|one| one.is_over_time);
        Hunt {
            archive: archive.to_owned(),
            singles: Some(pass(Part::Single, asks)),
            over_time: is_over_time.then(|| pass(Part::OverTime, None)),
            progress,
            ranges: Vec::new(),
            listed_to: None,
            open: None,
        }
    }

    /// Windows of correlations, to be taken up later.
    pub fn windows(&self) -> Option<Vec<u8>> {
        Some(self.over_time.as_ref()?.evaluator.windows())
    }

    /// Goes on with windows; with none of these rules everything over time begins anew.
    pub fn restore(&mut self, windows: Option<&[u8]>) {
        let Some(pass) = &mut self.over_time else { return };
        if windows.is_none_or(|windows| pass.evaluator.restore(windows).is_err()) {
            self.progress.at = 0;
        }
    }

    /// Whether nothing is half done, so that the progress says everything.
    pub fn is_between(&self) -> bool {
        self.open.is_none()
    }

    /// How much is done, of a thousand.
    pub fn permille(&self) -> u64 {
        let (progress, first) = (&self.progress, self.ranges.first().map_or(0, |range| range.from));
        let passes = u64::from(self.singles.is_some()) + u64::from(self.over_time.is_some());
        let whole = progress.target.saturating_sub(first) * passes;
        let once = self.singles.as_ref().map_or(0, |_| progress.high - progress.low);
        let twice = self.over_time.as_ref().map_or(0, |_| progress.at.saturating_sub(first));
        ((once + twice) * 1_000).checked_div(whole).unwrap_or(1_000).min(1_000)
    }

    /// How much of what is kept was looked at, of a thousand.
    pub fn covered_permille(&self) -> u64 {
        let first = self.ranges.first().map_or(self.progress.target, |range| range.from);
        let whole = self.progress.target.saturating_sub(first);
        let seen = whole.saturating_sub(self.progress.missing_bytes);
        (seen * 1_000).checked_div(whole).unwrap_or(1_000)
    }

    /// Goes on until the time is over, with what is archived up to an offset.
    pub fn slice(
        &mut self,
        until: Instant,
        archived: u64,
        found: &mut Vec<Occurrence>,
    ) -> stream::Result<Next> {
        loop {
            if self.open.is_none() {
                self.list(archived)?;
                match self.next_range(archived) {
                    Ok((range, is_over_time)) => self.begin(range, is_over_time),
                    Err(next) => return Ok(next),
                }
            }
            self.go_on(found);
            if Instant::now() >= until {
                return Ok(Next::More);
            }
        }
    }

    /// Lists the archive, again if something came that belongs to the hunt.
    fn list(&mut self, archived: u64) -> stream::Result<()> {
        let wanted = archived.min(self.progress.target);
        if self.listed_to.is_some_and(|to| to >= wanted) {
            return Ok(());
        }
        self.ranges = scan::ranges(&self.archive)?;
        self.ranges.retain(|range| range.from < self.progress.target);
        self.listed_to = Some(wanted);
        if !self.progress.is_begun {
            self.progress.is_begun = true;
            let newest = self.ranges.last().map_or(0, |range| range.to);
            (self.progress.low, self.progress.high) = (newest, newest);
        }
        Ok(())
    }

    fn next_range(&mut self, archived: u64) -> Result<(Range, bool), Next> {
        let progress = &self.progress;
        if self.singles.is_some() {
            let newer = self.ranges.iter().find(|range| range.from >= progress.high);
            let older = || self.ranges.iter().rev().find(|range| range.to <= progress.low);
            if let Some(range) = newer.or_else(older) {
                return Ok((range.clone(), false));
            }
        }
        if self.over_time.is_some()
            && let Some(range) = self.ranges.iter().find(|range| range.from >= progress.at)
        {
            return Ok((range.clone(), true));
        }
        Err(if archived < progress.target { Next::Wait } else { Next::Done })
    }

    fn begin(&mut self, range: Range, is_over_time: bool) {
        let pass = if is_over_time { &self.over_time } else { &self.singles };
        let needs = pass.as_ref().map_or(&[][..], |pass| pass.needs.as_slice());
        let asks = pass.as_ref().and_then(|pass| pass.asks.as_ref());
        let (mut segments, mut pruned, mut read) = (Vec::new(), 0, 0);
        for path in &range.segments {
            let may = match asks {
                Some(asks) => {
                    let (may, bytes) = asks.may_meet(path);
                    read += bytes;
                    may
                }
                None => may_meet(path, needs),
            };
            match may {
                true => {
                    read += std::fs::metadata(path).map_or(0, |meta| meta.len());
                    segments.push(path.clone());
                }
                false => pruned += 1,
            }
        }
        self.progress.read_bytes += read;
        let (scanned, events) = (segments.len() as u64, scan::events(&segments));
        let place = range.from;
        self.open = Some(Open { range, events, is_over_time, place, scanned, pruned, missing: 0 });
    }

    fn go_on(&mut self, found: &mut Vec<Occurrence>) {
        let Some(open) = &mut self.open else { return };
        let pass = if open.is_over_time { &mut self.over_time } else { &mut self.singles };
        let Some(pass) = pass else { return };
        let mut placed = Vec::with_capacity(EVENTS_AT_ONCE);
        let mut is_over = false;
        while placed.len() < EVENTS_AT_ONCE {
            match open.events.next() {
                Some(Ok(event)) => {
                    open.place += 1;
                    placed.push(Placed { end: open.place, event });
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "a segment cannot be read");
                    open.missing += 1;
                }
                None => {
                    is_over = true;
                    break;
                }
            }
        }
        let before = found.len();
        self.progress.events += placed.len() as u64;
        pass.evaluator.take(placed, found);
        if is_over && !open.is_over_time {
            pass.evaluator.part(open.range.to, found);
        }
        self.progress.matches += (found.len() - before) as u64;
        if is_over {
            self.close();
        }
    }

    /// Counts what was done, and what is missing between it and what was done before.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let (progress, range) = (&mut self.progress, &open.range);
        progress.scanned += open.scanned - open.missing.min(open.scanned);
        progress.pruned += open.pruned;
        progress.missing += open.missing;
        if open.missing > 0 {
            progress.missing_bytes += range.to - range.from;
        }
        let gap = match open.is_over_time {
            false if range.from >= progress.high => {
                // Before the first there is nothing to be missing.
                let is_first = progress.high == progress.low;
                let gap = range.from - progress.high;
                progress.high = range.to;
                if is_first { 0 } else { gap }
            }
            false => {
                let gap = progress.low - range.to;
                progress.low = range.from;
                gap
            }
            true => {
                let is_first = progress.at == 0;
                let gap = range.from - progress.at;
                progress.at = range.to;
                // What retention removed lies before the first; where both went, the first pass counted.
                if is_first || self.singles.is_some() { 0 } else { gap }
            }
        };
        if gap > 0 {
            progress.missing += 1;
            progress.missing_bytes += gap;
        }
    }

    /// What only the end decides: windows that are still open.
    pub fn finish(&mut self, now: model::Timestamp, found: &mut Vec<Occurrence>) {
        let before = found.len();
        if let Some(pass) = &mut self.over_time {
            pass.evaluator.idle(now, self.progress.target, found);
        }
        self.progress.matches += (found.len() - before) as u64;
    }
}

fn needs(loaded: &Loaded) -> Vec<Need> {
    let rules = loaded.set.rules().iter().enumerate();
    rules
        .map(|(at, rule)| Need {
            source: rule.logsource.clone(),
            texts: loaded.set.necessary(RuleId(at as u32)),
        })
        .collect()
}

/// Whether a rule may meet something in a segment. Without a sidecar nobody knows.
fn may_meet(segment: &Path, needs: &[Need]) -> bool {
    let Some(mut sidecar) = Sidecar::open(segment) else { return true };
    let Some(sources) = sidecar.logsources().cloned() else { return true };
    // What several audit records say together stands in none of them.
    let is_joined = sources.iter().any(|(_, _, service)| service.as_deref() == Some("auditd"));
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for need in needs.iter().filter(|need| sources.iter().any(|s| may_be_of(&need.source, s))) {
        match &need.texts {
            Some(found) if !is_joined && texts.len() + found.len() <= TEXTS_MAX => {
                texts.extend_from_slice(found);
            }
            _ => return true,
        }
    }
    texts.sort_unstable();
    texts.dedup();
    sidecar.may_hold_one(&texts)
}

/// Whether events of this source, or what the engine makes of them, may be of the source that a rule names.
fn may_be_of(asked: &LogSource, (category, product, service): &Named) -> bool {
    let is_product = |name: &str| {
        product.as_deref() == Some(name) && asked.product.as_deref().is_none_or(|p| p == name)
    };
    let is_audit = service.as_deref() == Some("auditd") && is_product("linux");
    let has = LogSource::new(category.as_deref(), product.as_deref(), service.as_deref());
    asked.holds_for(&has) || is_product("windows") || is_audit
}

/// How often each rule was met, by its title.
pub fn by_rule(found: &[Occurrence], counts: &mut BTreeMap<String, u64>) {
    for occurrence in found {
        *counts.entry(occurrence.about.title_en.clone()).or_default() += 1;
    }
}
