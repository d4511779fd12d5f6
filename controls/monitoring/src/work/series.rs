//! Measurements over time: what comes in is kept in files and held against what is normal for it.
//!
//! A service reads the stream behind its own offset. Every measurement becomes a point in the files and an
//! observation of its series; what the site's budget of false alarms lets through becomes a finding of class
//! `anomaly`. Of a series there is one alert at a time: it takes in what follows until somebody has judged it.
//!
//! Invariants: a finding and how far findings reach are written in one transaction, and an episode is known by its
//! onset, so nothing is told twice after a crash; the state is saved behind the points it was made of; whatever fails
//! ends in a restart from the saved state.

mod block;
mod daily;
mod exhaustion;
mod files;
mod forecast;
mod frames;
mod host;
pub mod measure;
pub mod rules;
pub mod site;
mod state;
mod tell;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::json;
use store::Store;

pub use daily::{limit_set, profile, run as record_daily};
pub use files::{About, Folder, Point, RAW_DAYS, Row, Shape, TEN, TEN_DAYS, list, read, read_many};
pub use forecast::{Ahead, ahead, limit, rates};
pub use host::round as measure_host;
use site::{Site, Taken, Told};
use state::Head;
use tell::Alert;
pub use tell::{RULE, bare};

use super::{
    joined::{self, Half},
    live::Again,
    saved::name_of,
    week::Week,
};
use crate::findings::HANDLED;

/// Name under which the spool keeps what is not read yet, and of the folder.
const READER: &str = "series";
/// Setting of each stream: offset up to which findings are recorded.
const RECORDED: &str = "monitoring.series_recorded_to:";
pub(super) const ACTOR: &str = "system:monitoring.series";
/// Says that state was lost and made again.
pub(crate) const REBUILT: &str = "monitoring.state_rebuilt";
const NEW_NORMAL: &str = "new_normal";
const READ_BYTES: usize = 4 << 20;
const SAVE_EVERY_S: i64 = 60;
/// Many series are saved less often: so many a second.
const SAVED_A_SECOND: i64 = 20;
/// Files are looked after this often.
const TEND_EVERY_S: i64 = 600;
/// Whether somebody judged or decided is asked this often.
const ASK_EVERY_S: i64 = 15;
/// What the register says of series is looked at this often: two statements, so not in every round of an idle server.
const LOOK_EVERY_MS: i64 = 4_500;
const JUDGED_MAX: usize = 10_000;
/// Judgements that are remembered as followed.
const FOLLOWED_MAX: usize = 20_000;

/// All series at work, and what pages see of them.
#[derive(Default)]
pub struct Steady {
    running: tokio::sync::Mutex<Option<Running>>,
    site: RwLock<Option<Arc<Mutex<Site>>>>,
    again: RwLock<HashMap<Id, Again>>,
}

impl Steady {
    /// The series as they stand. The lock is for a moment: the service waits for it.
    pub fn site(&self) -> Option<Arc<Mutex<Site>>> {
        self.site.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an alert took in after it was told.
    pub fn again(&self, id: Id) -> Option<Again> {
        self.again.read().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    fn show(&self, running: &Running) {
        let site = Some(running.site.clone());
        *self.site.write().unwrap_or_else(PoisonError::into_inner) = site;
        let again = running.head.again.clone();
        *self.again.write().unwrap_or_else(PoisonError::into_inner) = again;
    }
}

/// The folder of the series.
pub fn folder(house: &web::House) -> PathBuf {
    below(&house.archive)
}

/// The same within the folder of the stream.
pub fn below(stream: &Path) -> PathBuf {
    stream.join(READER)
}

pub(crate) fn lock<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Running {
    site: Arc<Mutex<Site>>,
    files: Arc<Mutex<Folder>>,
    head: Head,
    /// Offset up to which findings are recorded.
    recorded: u64,
    /// The newest alert of each series.
    alerts: HashMap<u64, Alert>,
    decisions: (u64, Timestamp),
    /// State of the scope and of the calendar; of rules, and of the machines by which they choose.
    norms: (u64, Timestamp),
    register: [(u64, Timestamp); 2],
    week: Week,
    looked_at: Timestamp,
    saved_at: Timestamp,
    tended_at: Timestamp,
    asked_at: Timestamp,
    is_dirty: bool,
    folder: PathBuf,
    /// Name of the stream.
    stream: String,
}

/// One round: everything that came, then what people said, then the files.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    let steady = ctx.house.kept.get::<Steady>();
    let mut place = steady.running.lock().await;
    let mut running = match place.take() {
        Some(running) => running,
        None => Running::begin(&ctx).await?,
    };
    running.renew(&ctx).await?;
    running.catch_up(&ctx).await?;
    steady.show(&running);
    *place = Some(running);
    Ok(())
}

impl Running {
    async fn begin(ctx: &Shared) -> Result<Running, Error> {
        let (store, now) = (ctx.store(), ctx.store().now());
        let folder = folder(&ctx.house);
        let from = folder.clone();
        let mut week = Week::default();
        let register = [
            store.stamp(Table::Rule, &rules::KINDS).await?,
            store.stamp(Table::Asset, &rules::ASSETS).await?,
        ];
        let site = Site::of(week.calendar(ctx).await?, rules::rules(store).await?);
        let found = room::blocking(move || state::take_up(&from, site, now)).await??;
        if found.rebuilt > 0 {
            let facts = json!({ "series": found.rebuilt, "whole": found.head.is_none() });
            room::write(store, ACTOR, room::draft(REBUILT, None, now, facts)).await?;
        }
        let first = ctx.stream.start();
        // A state beyond the end is of another spool.
        let head = found.head.filter(|head| head.at <= ctx.stream.end());
        let mut head = head.unwrap_or_else(|| Head { at: first, ..Head::default() });
        head.gone_bytes += first.saturating_sub(head.at);
        head.at = head.at.max(first);
        ctx.stream.hold(READER, head.at)?;
        let stream = name_of(&folder, store)?;
        let recorded = store.setting(&format!("{RECORDED}{stream}")).await?;
        let opened = folder.clone();
        let files = room::blocking(move || Folder::open(&opened)).await??;
        Ok(Running {
            site: Arc::new(Mutex::new(found.site)),
            files: Arc::new(Mutex::new(files)),
            head,
            recorded: recorded.and_then(|at| at.parse().ok()).unwrap_or(0),
            alerts: tell::alerts(store, now).await?,
            decisions: (0, Timestamp(0)),
            norms: (u64::MAX, Timestamp(0)),
            register,
            week,
            looked_at: now,
            saved_at: now,
            tended_at: Timestamp(0),
            asked_at: Timestamp(0),
            is_dirty: true,
            folder,
            stream,
        })
    }

    /// What the register says of series, where it changed. What was learnt stays.
    async fn renew(&mut self, ctx: &Shared) -> Result<(), Error> {
        let (store, now) = (ctx.store(), ctx.store().now());
        if (now.0 - self.looked_at.0).abs() < LOOK_EVERY_MS * 1_000 {
            return Ok(());
        }
        self.looked_at = now;
        let rules = store.stamp(Table::Rule, &rules::KINDS).await?;
        if rules != self.register[0] {
            self.register[0] = rules;
            self.judge_by(store).await?;
        }
        let norms = store.stamp(Table::Norm, &["monitoring_scope", super::week::KIND]).await?;
        if norms != self.norms {
            let per_day = tell::budget(store).await?;
            lock(&self.site).per_day = per_day;
            self.renew_week(ctx).await?;
            self.norms = norms;
        }
        Ok(())
    }

    async fn judge_by(&mut self, store: &Store) -> Result<(), Error> {
        let rules = rules::rules(store).await?;
        lock(&self.site).judge_by(rules);
        self.is_dirty = true;
        Ok(())
    }

    async fn renew_week(&mut self, ctx: &Shared) -> Result<(), Error> {
        if let Some(calendar) = self.week.renewed(ctx).await? {
            lock(&self.site).live_by(calendar);
            self.is_dirty = true;
        }
        Ok(())
    }

    async fn catch_up(&mut self, ctx: &Shared) -> Result<(), Error> {
        while ctx.stream.end() > self.head.at {
            self.step(ctx).await?;
        }
        let now = ctx.store().now();
        let mut taken = Taken::default();
        lock(&self.site).pass(now, self.head.at, &mut taken);
        self.record(ctx, taken.told, self.head.at).await?;
        if now.0 - self.asked_at.0 >= ASK_EVERY_S * 1_000_000 {
            self.listen(ctx, now).await?;
            self.asked_at = now;
        }
        if now.0 - self.tended_at.0 >= TEND_EVERY_S * 1_000_000 {
            self.tend(now).await?;
            self.tended_at = now;
        }
        let (count, is_settled) = {
            let site = lock(&self.site);
            (site.known.len() as i64, site.is_settled())
        };
        let every = SAVE_EVERY_S.max(count / SAVED_A_SECOND);
        if self.is_dirty && is_settled && now.0 - self.saved_at.0 >= every * 1_000_000 {
            self.save(ctx, now).await?;
        }
        Ok(())
    }

    /// The next piece of the stream.
    async fn step(&mut self, ctx: &Shared) -> Result<(), Error> {
        let (stream, at) = (ctx.stream.clone(), self.head.at);
        let (site, files) = (self.site.clone(), self.files.clone());
        let done = room::blocking(move || -> Result<_, Error> {
            let reading = stream.read_from(at, READ_BYTES)?;
            let mut taken = Taken::default();
            lock(&site).take(&reading.events, &mut taken);
            let mut files = lock(&files);
            // A point without a name could not be found again.
            if !taken.new.is_empty() {
                files.name(&taken.new)?;
            }
            files.append(&taken.points)?;
            Ok((reading.next, reading.gone_bytes, taken))
        });
        let (next, gone, taken) = done.await??;
        if next <= at {
            return Err(Error::said(format!("the spool cannot be read behind {at}")));
        }
        self.is_dirty = true;
        self.head.gone_bytes += gone;
        self.record(ctx, taken.told, next).await?;
        self.head.at = next;
        Ok(())
    }

    /// Writes new alerts, and counts what belongs to one that is there.
    async fn record(&mut self, ctx: &Shared, told: Vec<Told>, next: u64) -> Result<(), Error> {
        let (mut first, mut made): (Vec<Told>, HashMap<u64, Alert>) = Default::default();
        for told in told {
            let id = told.about.id;
            match self.alerts.get(&id) {
                // After a crash episodes come a second time, and so do thresholds.
                Some(alert) if alert.onset == told.anomaly.onset && told.end <= self.recorded => {}
                _ if told.grave.is_some() && told.end <= self.recorded => {}
                // One finding of a series at a time, in what comes together as well.
                _ if first.iter().any(|f| f.about.id == id && f.rank() >= told.rank()) => {}
                // What becomes critical is told although something is open.
                Some(alert) if alert.rank < told.rank() => first.push(told),
                Some(alert) if alert.is_open || alert.onset == told.anomaly.onset => {
                    let again = self.head.again.entry(alert.id).or_default();
                    again.count += 1;
                    again.last = again.last.max(told.anomaly.time);
                }
                _ => first.push(told),
            }
        }
        if first.is_empty() {
            return Ok(());
        }
        let (store, now) = (ctx.store(), ctx.store().now());
        let mut joined: HashMap<u64, Id> = HashMap::new();
        for told in first.iter().filter(|told| tell::is_more_lines(told)) {
            let (host, onset) = (&told.about.host, told.anomaly.onset);
            let burst = joined::first(store, Half::Burst, host, onset).await?;
            joined.extend(burst.map(|burst| (told.about.id, burst)));
        }
        let mut write = store.write(ACTOR, "work", "").await?;
        for told in &first {
            if let Some(alert) = joined.remove(&told.about.id) {
                write.record(tell::second(told).draft(alert, now)).await?;
                let (onset, p, rank) = (told.anomaly.onset, told.anomaly.p, told.rank());
                made.insert(told.about.id, Alert { id: alert, onset, p, rank, is_open: true });
                continue;
            }
            let host = tell::host(ctx, &told.about).await?;
            let record = write.record(tell::draft(told, host, now, &self.stream)).await?;
            let (onset, p, rank) = (told.anomaly.onset, told.anomaly.p, told.rank());
            made.insert(told.about.id, Alert { id: record.id, onset, p, rank, is_open: true });
        }
        write.set_setting(&format!("{RECORDED}{}", self.stream), &next.to_string()).await?;
        write.commit().await?;
        self.recorded = next;
        self.alerts.extend(made);
        ctx.house.wake();
        Ok(())
    }

    /// What people said of alerts and series since they were asked last.
    async fn listen(&mut self, ctx: &Shared, now: Timestamp) -> Result<(), Error> {
        let store = ctx.store();
        let assets = store.stamp(Table::Asset, &rules::ASSETS).await?;
        if assets != self.register[1] {
            self.register[1] = assets;
            self.judge_by(store).await?;
        }
        // The zone of the organisation is no row.
        self.renew_week(ctx).await?;
        self.judgements(store, now).await?;
        let decisions = store.stamp(Table::Decision, &[NEW_NORMAL]).await?;
        if decisions != self.decisions {
            self.decided(store).await?;
            self.decisions = decisions;
        }
        Ok(())
    }

    async fn judgements(&mut self, store: &Store, now: Timestamp) -> Result<(), Error> {
        if self.alerts.is_empty() {
            self.head.looked_at = now.0;
            return Ok(());
        }
        let since = Timestamp(self.head.looked_at).minus_hours(1);
        let judged = store.records_since(&[HANDLED], since, JUDGED_MAX).await?;
        for record in judged {
            let alert = self.alerts.iter_mut().find(|(_, alert)| Some(alert.id) == record.subject);
            let Some((series, alert)) = alert else { continue };
            if !self.head.followed.insert(record.id) {
                continue;
            }
            alert.is_open = false;
            self.head.again.remove(&alert.id);
            self.is_dirty = true;
            let verdict = record.facts.get("verdict").and_then(|verdict| verdict.as_str());
            if let Some(wrong) = match verdict {
                Some("false_alarm") => Some(true),
                Some("normal") => Some(false),
                // It goes on until the series is as it was, or somebody says that it is the new normal.
                _ => None,
            } {
                lock(&self.site).happens(*series, alert.p, wrong);
            }
        }
        self.head.looked_at = now.0;
        while self.head.followed.len() > FOLLOWED_MAX {
            self.head.followed.pop_first();
        }
        Ok(())
    }

    /// Decisions that what a series does now is normal.
    async fn decided(&mut self, store: &Store) -> Result<(), Error> {
        for row in store.all(Table::Decision, &[NEW_NORMAL]).await? {
            if row.status != "approved" || self.head.followed.contains(&row.id) {
                continue;
            }
            let said = row.attributes.get("series").and_then(|text| text.as_str()).unwrap_or("");
            let mut site = lock(&self.site);
            let Some(id) = tell::named(&site, said) else { continue };
            site.new_normal(id);
            self.head.followed.insert(row.id);
            self.is_dirty = true;
        }
        Ok(())
    }

    /// Closes days, removes what is old, lets go of series that ended.
    async fn tend(&mut self, now: Timestamp) -> Result<(), Error> {
        let (site, files, folder) = (self.site.clone(), self.files.clone(), self.folder.clone());
        room::blocking(move || -> Result<(), Error> {
            let mut files = lock(&files);
            files.tend(now)?;
            let mut site = lock(&site);
            if site.forget(now) > 0 {
                let mut names = list(&folder)?;
                names.retain(|about| site.known.contains_key(&about.id));
                files.rename(&names)?;
            }
            Ok(())
        })
        .await?
    }

    async fn save(&mut self, ctx: &Shared, now: Timestamp) -> Result<(), Error> {
        let (site, files) = (self.site.clone(), self.files.clone());
        let (folder, head) = (self.folder.clone(), self.head.clone());
        room::blocking(move || -> Result<(), Error> {
            lock(&files).sync()?;
            state::write(&folder, &head, &lock(&site))
        })
        .await??;
        ctx.stream.hold(READER, self.head.at)?;
        (self.saved_at, self.is_dirty) = (now, false);
        Ok(())
    }
}
