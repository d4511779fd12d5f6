//! What is normal of logs, learnt from every event: who speaks how often, what programs say, who meets whom, how much
//! security logs tell. What departs becomes a finding.
//!
//! It reads the spool for itself, behind an offset of its own, apart from the rules: what it keeps is large and saved
//! once a minute, its answers may take minutes, and trouble on one side must not hold up the other.
//!
//! Invariants: the state lies with the offset up to which it knows the events, and what is not in it is held in the
//! spool; a finding and the offset up to which such departures are told are one transaction, and each silence or
//! trend has a key, so a replay tells nothing twice; while nothing comes the sources are looked at and nothing else.

pub mod firsts;
mod register;
pub mod security;
pub mod sources;
mod state;
pub mod status;
mod tell;
pub mod watch;
pub mod words;

pub use register::manners;
pub use tell::span;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use steady::{Calendar, MINUTE, Micros, SECOND};
use store::Store;

use self::{
    firsts::Kind,
    register::ClassRule,
    security::{Class, Trend},
    sources::{Line, Said, Who},
    tell::Finding,
    watch::Watch,
    words::Bearing,
};
use super::{
    alerts,
    joined::{self, BURST, Half},
    saved,
    series::rules::TREND,
    week::Week,
};
use crate::findings::{FINDING, HANDLED, JOINED, Judgement, budget_per_day};

/// Name under which the spool keeps what is not read yet.
const READER: &str = "logs";
/// Setting of each stream: offsets up to which departures are told.
const TOLD: &str = "monitoring.logs_told:";
const READ_BYTES: usize = 4 << 20;
/// Sources are looked at this often.
const LOOK_EVERY: Micros = 15 * SECOND;
const SAVE_EVERY: Micros = MINUTE;
/// That Ume listens is written down this often; away for longer than twice of it, it heard nobody meanwhile.
const AWAKE_EVERY: Micros = 5 * MINUTE;
/// The register, and what was judged, are looked at this often.
const REGISTER_EVERY: Micros = MINUTE;
/// The budget is asked for again although no source of the register changed.
const BUDGET_EVERY: Micros = 60 * MINUTE;
/// What pages show is made anew this often at most, trends less often.
const SHOW_TRENDS_EVERY: Micros = 10 * MINUTE;
/// Findings of which it is known that they were told.
const KNOWN_DAYS: i64 = 90;

/// What pages show of it.
#[derive(Clone, Default)]
pub struct Shown {
    pub at: Option<Timestamp>,
    pub sources: Vec<Line>,
    /// Lines of sources beyond the limit.
    pub beyond: u64,
    pub trends: Vec<Trend>,
    /// Classes that a rule says nobody is told of.
    pub unwatched: Vec<Class>,
    /// Programs, of them still learnt, templates, departures that wait for the next day.
    pub words: [usize; 4],
}

/// What is learnt of logs, and what pages see of it.
#[derive(Default)]
pub struct Logs {
    running: tokio::sync::Mutex<Option<Running>>,
    shown: RwLock<Arc<Shown>>,
}

impl Logs {
    pub fn shown(&self) -> Arc<Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, shown: Shown) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shown);
    }
}

/// Offsets up to which departures are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    words: u64,
    firsts: [u64; 3],
}

struct Running {
    watch: Option<Box<Watch>>,
    joiner: Option<stream::Joiner>,
    week: Week,
    calendar: Arc<Calendar>,
    per_day: f64,
    classes: Vec<ClassRule>,
    /// Findings told already, by what tells them apart.
    known: HashMap<String, Id>,
    /// Silences that go on and that nobody judged yet, by finding.
    silences: HashMap<Id, Who>,
    judged_at: Timestamp,
    told: Told,
    folder: PathBuf,
    /// Name of the stream.
    stream: String,
    /// State of the register when it was read, and when that was looked at.
    register: ([(u64, Timestamp); 2], Micros),
    budget_at: Micros,
    looked_at: Micros,
    saved_at: Micros,
    awake_at: Micros,
    trends_at: Micros,
    aged_on: i64,
    /// Something is not saved yet.
    is_dirty: bool,
}

/// One round: every event that came, then what the clock decides.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    // A fictional company's sources have fallen silent by the time it is shown.
    if ctx.house.demo {
        return Ok(());
    }
    let logs = ctx.house.kept.get::<Logs>();
    let mut place = logs.running.lock().await;
    // Whatever fails leaves nothing behind: the next round starts from the saved state.
    let mut running = match place.take() {
        Some(running) => running,
        None => Running::begin(&ctx).await?,
    };
    running.catch_up(&ctx, &logs).await?;
    *place = Some(running);
    Ok(())
}

/// What security logs tell over weeks: findings, and the state of each class.
pub async fn trends(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let logs = ctx.house.kept.get::<Logs>();
    let mut place = logs.running.lock().await;
    let Some(running) = place.as_mut() else { return Ok(json!({ "waiting": true })) };
    let now = ctx.store().now();
    let (trends, findings) = running.news(now)?;
    let told = running.told;
    let news = running.write(&ctx, findings, told, now).await?;
    let states = tell::states(&ctx, &trends, now).await?;
    Ok(json!({ "findings": news, "states": states }))
}

impl Running {
    async fn begin(ctx: &Shared) -> Result<Running, Error> {
        let (store, now) = (ctx.store(), ctx.store().now());
        let stream = saved::name_of(&ctx.house.archive.join("rules"), store)?;
        let folder = ctx.house.archive.join("logs");
        let first = ctx.stream.start();
        // A state beyond the end is of another spool.
        let saved = state::read(&folder)?.filter(|watch| watch.at <= ctx.stream.end());
        let mut watch = saved.unwrap_or_else(|| Watch::begin(first));
        watch.at = watch.at.max(first);
        ctx.stream.hold(READER, watch.at)?;
        let told = store.setting(&format!("{TOLD}{stream}")).await?;
        let told: Told = told.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        watch.words.told_to(told.words);
        for (kind, end) in Kind::ALL.into_iter().zip(told.firsts) {
            watch.firsts.told_to(kind, end);
        }
        let awake = state::awake(&folder).unwrap_or(now.0);
        if now.0 - awake > 2 * AWAKE_EVERY {
            watch.words.was_away(awake, now.0);
            watch.sources.listening_since(now.0);
        }
        let known = known(store, now).await?;
        let finding = |(who, since)| Some((*known.get(&tell::silence_key(&who, since))?, who));
        let silences = watch.sources.silences().filter_map(finding).collect();
        let mut week = Week::default();
        let calendar = week.calendar(ctx).await?;
        Ok(Running {
            watch: Some(Box::new(watch)),
            joiner: Some(self::watch::joiner()),
            week,
            calendar,
            per_day: budget_per_day(store).await?,
            classes: register::classes(store).await?,
            known,
            silences,
            judged_at: now,
            told,
            folder,
            stream,
            register: ([(0, Timestamp(0)); 2], 0),
            budget_at: now.0,
            looked_at: 0,
            saved_at: now.0,
            awake_at: 0,
            trends_at: 0,
            aged_on: 0,
            is_dirty: true,
        })
    }

    async fn catch_up(&mut self, ctx: &Shared, logs: &Logs) -> Result<(), Error> {
        while self.at() < ctx.stream.end() {
            self.step(ctx).await?;
        }
        let now = ctx.store().now();
        if now.0 - self.looked_at >= LOOK_EVERY {
            self.looked_at = now.0;
            self.look(ctx, now).await?;
            self.show(logs, now).await?;
        }
        if self.is_dirty && now.0 - self.saved_at >= SAVE_EVERY {
            self.save(ctx, now).await?;
        }
        if now.0 - self.awake_at >= AWAKE_EVERY {
            self.awake_at = now.0;
            let folder = self.folder.clone();
            room::blocking(move || state::write_awake(&folder, now.0)).await??;
        }
        Ok(())
    }

    fn at(&self) -> u64 {
        self.watch.as_ref().map_or(u64::MAX, |watch| watch.at)
    }

    fn watch(&mut self) -> Result<&mut Watch, Error> {
        self.watch.as_deref_mut().ok_or_else(|| Error::said("the learning of logs was cut off"))
    }

    /// The next piece of the stream.
    async fn step(&mut self, ctx: &Shared) -> Result<(), Error> {
        let (Some(mut watch), Some(mut joiner)) = (self.watch.take(), self.joiner.take()) else {
            return Err(Error::said("the learning of logs was cut off"));
        };
        let (stream, calendar) = (ctx.stream.clone(), self.calendar.clone());
        let done = room::blocking(move || -> stream::Result<_> {
            let at = watch.at;
            let reading = stream.read_from(at, READ_BYTES)?;
            watch.take(&mut joiner, reading.events, &calendar);
            // Behind what cannot be read as well.
            watch.at = reading.next;
            Ok((watch, joiner, reading.next > at))
        });
        let (watch, joiner, is_on) = done.await??;
        if !is_on {
            return Err(Error::said(format!("the spool cannot be read behind {}", watch.at)));
        }
        (self.watch, self.joiner, self.is_dirty) = (Some(watch), Some(joiner), true);
        Ok(())
    }

    /// What the clock decides, and what was gathered.
    async fn look(&mut self, ctx: &Shared, now: Timestamp) -> Result<(), Error> {
        self.renew(ctx, now).await?;
        let (calendar, per_day) = (self.calendar.clone(), self.per_day);
        let (stream, told) = (self.stream.clone(), self.told);
        let mut joiner = self.joiner.take().unwrap_or_else(watch::joiner);
        let watch = self.watch()?;
        let (at, today) = (watch.at, calendar.day(now.0));
        watch.idle(&mut joiner, now, &calendar);
        let said = watch.sources.check(now.0, &calendar);
        let Watch { words, sources, firsts, .. } = watch;
        let bearing = Bearing { per_day, calendar: &calendar };
        let departed = words.close(now.0, &bearing, &|host| sources.is_silent(host));
        let first = firsts.close(now.0);
        self.joiner = Some(joiner);
        if self.aged_on != today {
            self.aged_on = today;
            self.watch()?.security.age(now.0, &calendar);
        }
        if said.is_empty() && departed.is_empty() && first.is_empty() {
            return Ok(());
        }
        self.is_dirty = true;
        let mut next = told;
        let mut findings = Vec::new();
        if !departed.is_empty() {
            next.words = at;
        }
        for group in &departed {
            findings.push(tell::departed(ctx, &stream, group, at).await?);
        }
        for (kind, batch) in &first {
            next.firsts[*kind as usize] = at;
            findings.push(tell::first(ctx, &stream, *kind, batch, at).await?);
        }
        findings.extend(tell::silent(ctx, &stream, &said, at).await?);
        self.write(ctx, findings, next, now).await?;
        self.silences.extend(said.iter().filter_map(|said| {
            let Said::Silent { who, since, .. } = said else { return None };
            Some((*self.known.get(&tell::silence_key(who, *since))?, who.clone()))
        }));
        tell::spoke(ctx, &said, &self.known, now).await
    }

    /// A silence that was judged normal or a false alarm is how the source is.
    async fn take_judgements(&mut self, ctx: &Shared, now: Timestamp) -> Result<(), Error> {
        if self.silences.is_empty() {
            return Ok(());
        }
        let since = std::mem::replace(&mut self.judged_at, now).minus_hours(1);
        for record in ctx.store().records_since(&[HANDLED], since, alerts::OPEN_MAX).await? {
            let Some(who) = record.subject.and_then(|id| self.silences.remove(&id)) else {
                continue;
            };
            let verdict = record.facts.get("verdict").and_then(Json::as_str);
            let verdict = verdict.and_then(Judgement::parse);
            if matches!(verdict, Some(Judgement::Normal | Judgement::FalseAlarm)) {
                self.is_dirty = true;
                self.watch()?.sources.new_normal(&who);
            }
        }
        Ok(())
    }

    /// Writes findings that are not known yet, and how far they reach.
    async fn write(
        &mut self,
        ctx: &Shared,
        findings: Vec<Finding>,
        next: Told,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let is_known = |key: &String| self.known.contains_key(key);
        let is_new = |f: &Finding| !is_known(&f.key) && !f.also.iter().any(is_known);
        let new: Vec<Finding> = findings.into_iter().filter(is_new).collect();
        if new.is_empty() && next == self.told {
            return Ok(0);
        }
        let mut joined = HashMap::new();
        for burst in new.iter().filter(|finding| finding.rule == BURST) {
            let volume = joined::first(ctx.store(), Half::Volume, &burst.host, burst.at).await?;
            joined.extend(volume.map(|volume| (burst.key.clone(), volume)));
        }
        let mut write = ctx.store().write(tell::ACTOR, "work", "").await?;
        let mut made = Vec::new();
        for finding in new {
            let key = finding.key.clone();
            if let Some(volume) = joined.remove(&key) {
                write.record(finding.second().draft(volume, now)).await?;
                made.push((key, volume));
                continue;
            }
            let record = write.record(finding.draft(now)).await?;
            made.push((key, record.id));
        }
        let text = serde_json::to_string(&next).map_err(Error::said)?;
        write.set_setting(&format!("{TOLD}{}", self.stream), &text).await?;
        write.commit().await?;
        let written = made.len();
        self.told = next;
        self.known.extend(made);
        ctx.house.wake();
        Ok(written)
    }

    /// What security logs show now, and what of it is to be told.
    fn news(&mut self, now: Timestamp) -> Result<(Vec<Trend>, Vec<Finding>), Error> {
        let (calendar, stream) = (self.calendar.clone(), self.stream.clone());
        let watch = self.watch()?;
        let (trends, at) = (watch.security.trends(now.0, &calendar), watch.at);
        let mut news = security::news(&trends, now.0, &calendar);
        news.retain(|news| register::is_told(&self.classes, news));
        let trends = trends.into_iter().filter(|t| register::is_watched(&self.classes, t.class));
        let trends: Vec<Trend> = trends.collect();
        let findings = news.iter().map(|news| tell::trend(&stream, news, at, now.0)).collect();
        Ok((trends, findings))
    }

    /// The register and the budget, where they changed.
    async fn renew(&mut self, ctx: &Shared, now: Timestamp) -> Result<(), Error> {
        let (store, (stamp, at)) = (ctx.store(), self.register);
        if now.0 - at < REGISTER_EVERY {
            return Ok(());
        }
        self.register.1 = now.0;
        self.take_judgements(ctx, now).await?;
        if let Some(calendar) = self.week.renewed(ctx).await? {
            self.calendar = calendar;
        }
        let rows = store.stamp(Table::Asset, &["log_source", "host"]).await?;
        let rules = store.stamp(Table::Rule, &["silence", TREND]).await?;
        if [rows, rules] != stamp {
            let (expected, quiet) =
                (register::expected(store).await?, register::quiet(store).await?);
            let sources = &mut self.watch()?.sources;
            sources.expect(expected);
            sources.rule(quiet);
            self.classes = register::classes(store).await?;
            ctx.stream.take_manners(register::manners(store).await?);
            self.trends_at = 0;
            self.register.0 = [rows, rules];
        }
        if now.0 - self.budget_at >= BUDGET_EVERY {
            self.budget_at = now.0;
            self.per_day = budget_per_day(store).await?;
        }
        Ok(())
    }

    /// What pages see.
    async fn show(&mut self, logs: &Logs, now: Timestamp) -> Result<(), Error> {
        let calendar = self.calendar.clone();
        let before = logs.shown();
        let is_stale = now.0 - self.trends_at >= SHOW_TRENDS_EVERY;
        let off = |class: &Class| !register::is_watched(&self.classes, *class);
        let unwatched = Class::ALL.into_iter().filter(off).collect();
        let watch = self.watch()?;
        let trends = match is_stale {
            true => watch.security.trends(now.0, &calendar),
            false => before.trends.clone(),
        };
        logs.show(Shown {
            at: Some(now),
            sources: watch.sources.lines(&calendar),
            beyond: watch.sources.beyond,
            trends,
            unwatched,
            words: watch.words.counts(now.0),
        });
        if is_stale {
            self.trends_at = now.0;
        }
        Ok(())
    }

    async fn save(&mut self, ctx: &Shared, now: Timestamp) -> Result<(), Error> {
        let folder = self.folder.clone();
        let watch = self.watch()?;
        let (bytes, at) = (watch.to_bytes(), watch.at);
        room::blocking(move || state::write(&folder, &bytes)).await??;
        ctx.stream.hold(READER, at)?;
        (self.saved_at, self.is_dirty) = (now.0, false);
        Ok(())
    }
}

/// What was told of late, by what tells it apart.
async fn known(store: &Store, now: Timestamp) -> Result<HashMap<String, Id>, Error> {
    let since = now.minus_hours(24 * KNOWN_DAYS);
    let told = store.newest_records(&[FINDING, JOINED], None, alerts::OPEN_MAX).await?;
    let key = |record: &store::Record| {
        let fact = |name: &str| record.facts.get(name).and_then(Json::as_str);
        fact("rule").filter(|rule| rule.starts_with(tell::RULE))?;
        // Told with another finding it is that one.
        let id = record.subject.filter(|_| record.ty == JOINED).unwrap_or(record.id);
        Some((fact("group")?.to_owned(), id))
    };
    let recent = told.iter().filter(|record| record.observed_to >= since);
    Ok(recent.filter_map(key).collect())
}
