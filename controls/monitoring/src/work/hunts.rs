//! Rules that came into force look back over the archive; rules that are not yet in force are tried on it.
//!
//! Invariants: below live work, a share of one core; a finding is told once, since what was told is in the records before the
//! progress says so, and is looked up when a hunt goes on; findings keep the time of their events and are marked;
//! a hunt ends with a record about the activation that began it; a trial writes nothing but what the page shows.

pub mod hunted;
pub mod pass;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sigma::Env;
use store::{Record, RecordDraft, Row, Store};

use self::pass::{Hunt, Next, Progress, by_rule};
use super::{
    activation::{ACTIVATED, INDICATORS},
    alerts,
    evaluate::Occurrence,
    intel::{Intel, wanted::New},
    live::{ACTOR, Live, draft},
    packs,
    rules::{self, Loaded},
};
use crate::findings::FINDING;

pub const HUNT: &str = "monitoring.hunt_run";
/// Work in one round; the pause behind it is longer.
const SLICE: Duration = Duration::from_millis(200);
/// Live events that wait go first.
const BEHIND_BYTES_MAX: u64 = 1 << 20;
const SAVE_EVERY_S: i64 = 5;
/// An activation that is older is no longer asked for.
pub const ASKED_DAYS: i64 = 90;
const ACTIVATIONS_MAX: usize = 500;
/// Findings of one hunt, and of one rule in it; what is met beyond them is counted.
const FINDINGS_MAX: usize = 500;
const FINDINGS_OF_RULE_MAX: usize = 50;
/// Findings that are looked up so that no event is told again.
const KNOWN_MAX: usize = 20_000;
const KNOWN_DAYS: i64 = 400;
/// Trials that wait, and those whose results are shown.
const TRIALS_MAX: usize = 20;
/// Sets that may come into force while one is hunted for; with more what was hunted for is not kept.
const CAME_MAX: usize = 64;
/// Rules shown of one hunt.
const RULES_SHOWN: usize = 20;

/// What pages show of a hunt, on its way or a trial that ended.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The activation, or the row that is tried.
    pub id: Id,
    pub is_trial: bool,
    pub rules: usize,
    pub began: Timestamp,
    pub ended: Option<Timestamp>,
    pub permille: u64,
    pub progress: Progress,
    pub findings: usize,
    /// The rules that were met most, with how often.
    pub by_rule: Vec<(String, u64)>,
    /// Why nothing can be tried.
    pub trouble: Option<String>,
}

/// The hunts of this process.
#[derive(Default)]
pub struct Hunts {
    desk: tokio::sync::Mutex<Desk>,
    shown: RwLock<Vec<Shown>>,
    trials: Mutex<VecDeque<Id>>,
    is_called: AtomicBool,
    /// Sets that came into force since the hunt for one that is on its way began.
    came: Mutex<Vec<Arc<::intel::Current>>>,
}

#[derive(Default)]
struct Desk {
    is_begun: bool,
    waiting: VecDeque<Record>,
    running: Option<Box<Running>>,
}

struct Running {
    task: Task,
    /// Other activations that the same looking back answers.
    with: Vec<Record>,
    hunt: Option<Box<Hunt>>,
    /// The set that is looked for, whole.
    set: Option<Arc<Intel>>,
    rules: usize,
    began: Timestamp,
    saved_at: Timestamp,
    told: HashSet<String>,
    told_of_rule: HashMap<String, usize>,
    /// Events that were told before: what they were told as, and when they happened.
    known: HashSet<(String, i64)>,
    counts: BTreeMap<String, u64>,
}

enum Task {
    Activation(Box<Record>),
    Trial(Id),
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    progress: Progress,
    counts: BTreeMap<String, u64>,
    /// Name of the file with the windows.
    windows: Option<String>,
    /// Root of the set that was looked for: another one begins anew.
    #[serde(default)]
    root: Option<String>,
}

impl Hunts {
    pub fn shown(&self) -> Vec<Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something came into force.
    pub(super) fn call(&self) {
        self.is_called.store(true, Ordering::Release);
    }

    /// Asks for a trial of a row's rules; false if too many wait.
    pub fn try_row(&self, row: Id) -> bool {
        let mut trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        if !trials.contains(&row) {
            if trials.len() >= TRIALS_MAX {
                return false;
            }
            trials.push_back(row);
        }
        self.call();
        true
    }

    /// Another set is in force: what it does not hold was not looked for from now on.
    pub(super) fn set_came(&self, set: Arc<::intel::Current>) {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        if came.len() < CAME_MAX {
            came.push(set);
        }
    }

    fn next_trial(&self) -> Option<Id> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn show(&self, one: Shown) {
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        shown.retain(|other| other.id != one.id);
        // An activation that ended is in the records.
        if one.is_trial || one.ended.is_none() {
            shown.insert(0, one);
        }
        shown.truncate(TRIALS_MAX);
    }
}

/// One round: a slice of the hunt that is on its way, or the beginning of the next.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    let hunts = ctx.house.kept.get::<Hunts>();
    let mut desk = hunts.desk.lock().await;
    let is_called = hunts.is_called.swap(false, Ordering::AcqRel);
    if desk.is_begun && !is_called && desk.running.is_none() {
        return Ok(());
    }
    let live = ctx.house.kept.get::<Live>();
    let Some(loaded) = live.shown().loaded else {
        // The rules are not read yet.
        hunts.is_called.store(is_called, Ordering::Release);
        return Ok(());
    };
    if desk.running.is_none() {
        desk.waiting = waiting(ctx.store()).await?.into();
        desk.is_begun = true;
    }
    if live.behind(ctx.stream.end()) > BEHIND_BYTES_MAX {
        hunts.call();
        return Ok(());
    }
    let done = go_on(&ctx, &hunts, &live, &mut desk, loaded).await;
    if done.is_err() {
        // It failed and left nothing behind: the next round starts from what was saved.
        hunts.call();
    }
    done
}

async fn go_on(
    ctx: &Shared,
    hunts: &Hunts,
    live: &Live,
    desk: &mut Desk,
    loaded: Arc<Loaded>,
) -> Result<(), Error> {
    let mut running = match desk.running.take() {
        Some(running) => running,
        None => match begin(ctx, hunts, desk, loaded).await? {
            Some(running) => running,
            None => return Ok(()),
        },
    };
    if running.slice(ctx, hunts, live).await? {
        // Whatever waits comes next.
        hunts.call();
    } else {
        desk.running = Some(running);
    }
    Ok(())
}

/// Another set of indicators is in force from now on.
pub(super) async fn set_came(
    ctx: &Shared,
    stream: &str,
    set: Arc<::intel::Current>,
) -> Result<(), Error> {
    ctx.house.kept.get::<Hunts>().set_came(set.clone());
    let place = hunted::path(ctx, stream);
    room::blocking(move || hunted::cut(&place, &set)).await?
}

/// Activations that no hunt has ended for, oldest first.
async fn waiting(store: &Store) -> Result<Vec<Record>, Error> {
    let since = store.now().minus_hours(24 * ASKED_DAYS);
    let mut all = store.records_since(&[ACTIVATED], since, ACTIVATIONS_MAX).await?;
    let ids: Vec<Id> = all.iter().map(|record| record.id).collect();
    let done = store.present().records_about(HUNT, &ids, since).await?;
    all.retain(|record| !done.iter().any(|hunt| hunt.subject == Some(record.id)));
    Ok(all)
}

async fn begin(
    ctx: &Shared,
    hunts: &Hunts,
    desk: &mut Desk,
    loaded: Arc<Loaded>,
) -> Result<Option<Box<Running>>, Error> {
    let store = ctx.store();
    if let Some(row) = hunts.next_trial() {
        return begin_trial(ctx, hunts, row, loaded).await;
    }
    let Some(activation) = desk.waiting.pop_front() else { return Ok(None) };
    if is_of_set(&activation) {
        return begin_set(ctx, desk, activation, loaded).await;
    }
    let payload = store.payload(activation.id).await?.unwrap_or_default();
    let prints: BTreeSet<String> = serde_json::from_slice(&payload).unwrap_or_default();
    let saved = read(&folder(ctx), activation.id);
    let stream = ctx.house.kept.get::<Live>().shown().stream;
    let fact = |name: &str| activation.facts.get(name);
    let is_of_this = fact("stream").and_then(Json::as_str) == Some(stream.as_str());
    // Of another stream everything here is older.
    let offset = fact("offset").and_then(Json::as_u64).filter(|_| is_of_this);
    let target = offset.unwrap_or_else(|| ctx.stream.archived());
    let (archive, rules) = (ctx.stream.archive_folder(), loaded.clone());
    let windows =
        saved.as_ref().and_then(|s| std::fs::read(folder(ctx).join(s.windows.as_ref()?)).ok());
    let saved = saved.unwrap_or_default();
    let progress = Progress { target, ..saved.progress };
    let wanted = prints.len();
    let hunt = room::blocking(move || {
        let mut hunt = Hunt::new(&archive, &rules, &prints, &Env::default(), progress);
        hunt.restore(windows.as_deref());
        hunt
    });
    let mut running =
        Running::of(Task::Activation(Box::new(activation)), hunt.await?, wanted, store.now());
    running.counts = saved.counts;
    running.look_up(store).await?;
    Ok(Some(Box::new(running)))
}

fn is_of_set(activation: &Record) -> bool {
    activation.facts.get("kind").and_then(Json::as_str) == Some(INDICATORS)
}

/// Looks back for the set in force, which answers every set before it.
async fn begin_set(
    ctx: &Shared,
    desk: &mut Desk,
    activation: Record,
    loaded: Arc<Loaded>,
) -> Result<Option<Box<Running>>, Error> {
    let shown = ctx.house.kept.get::<Live>().shown();
    let Some(intel) = shown.intel else {
        // It is asked for again once the set is there.
        return Ok(None);
    };
    let (with, rest): (VecDeque<Record>, VecDeque<Record>) =
        std::mem::take(&mut desk.waiting).into_iter().partition(is_of_set);
    desk.waiting = rest;
    let all = std::iter::once(&activation).chain(&with);
    let newest = all.max_by_key(|record| record.received_at.0).unwrap_or(&activation);
    let fact = |name: &str| newest.facts.get(name);
    let is_of_this = fact("stream").and_then(Json::as_str) == Some(shown.stream.as_str());
    let offset = fact("offset").and_then(Json::as_u64).filter(|_| is_of_this);
    let target = offset.unwrap_or_else(|| ctx.stream.archived());
    let root = intel.set.manifest().root();
    let saved = read(&folder(ctx), activation.id).filter(|s| s.root.as_ref() == Some(&root));
    let windows =
        saved.as_ref().and_then(|s| std::fs::read(folder(ctx).join(s.windows.as_ref()?)).ok());
    let saved = saved.unwrap_or_default();
    let progress = Progress { target, ..saved.progress };
    let rows = intel.set.manifest().rows as usize;
    let (archive, place) = (ctx.stream.archive_folder(), hunted::path(ctx, &shown.stream));
    ctx.house.kept.get::<Hunts>().came.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let whole = intel.clone();
    let hunt = room::blocking(move || {
        let before = hunted::read(&place);
        let New { rows, patterns, asks } = hunted::new_in(&intel, &before)?;
        let new = Arc::new(intel.only(Arc::new(rows), &patterns));
        let mut hunt = Hunt::of_set(&archive, &loaded, new, asks, &Env::default(), progress);
        hunt.restore(windows.as_deref());
        Ok::<_, Error>(hunt)
    });
    let task = Task::Activation(Box::new(activation));
    let mut running = Running::of(task, hunt.await??, rows, ctx.store().now());
    running.with = with.into();
    running.set = Some(whole);
    running.counts = saved.counts;
    running.look_up(ctx.store()).await?;
    Ok(Some(Box::new(running)))
}

async fn begin_trial(
    ctx: &Shared,
    hunts: &Hunts,
    id: Id,
    loaded: Arc<Loaded>,
) -> Result<Option<Box<Running>>, Error> {
    let store = ctx.store();
    hunts.call();
    let Some(row) = store.row(Table::Rule, id).await? else { return Ok(None) };
    let now = store.now();
    let texts = match trial_texts(store, row).await? {
        Ok(texts) => texts,
        Err(trouble) => {
            hunts.show(Shown {
                trouble: Some(trouble),
                ended: Some(now),
                ..Shown::of(id, true, now)
            });
            return Ok(None);
        }
    };
    let (archive, target) = (ctx.stream.archive_folder(), ctx.stream.archived());
    let made = room::blocking(move || {
        let mut all = loaded.texts.clone();
        let ids: BTreeSet<&str> =
            texts.values().filter_map(|text| rules::id_of_bytes(text)).collect();
        all.retain(|_, text| rules::id_of_bytes(text).is_none_or(|id| !ids.contains(id)));
        let files: BTreeSet<String> = texts.keys().cloned().collect();
        all.extend(texts);
        let loaded = Loaded::of(all, &Env::default());
        let wanted = loaded.findable().filter(|(meta, _)| files.contains(&meta.file));
        let prints: BTreeSet<String> = wanted.map(|(meta, _)| loaded.print_of(meta)).collect();
        let refused = loaded.rejected.iter().filter(|r| files.contains(&r.file)).count();
        let progress = Progress { target, ..Progress::default() };
        let hunt = Hunt::new(&archive, &loaded, &prints, &Env::default(), progress);
        (hunt, prints.len(), refused)
    });
    let (hunt, rules, refused) = made.await?;
    let running = Running::of(Task::Trial(id), hunt, rules, now);
    if rules == 0 {
        let trouble = format!("{refused} rules refused, none to try");
        hunts.show(Shown { trouble: Some(trouble), ended: Some(now), ..running.shown() });
        return Ok(None);
    }
    Ok(Some(Box::new(running)))
}

/// The documents of a row, whatever its state.
async fn trial_texts(
    store: &Store,
    row: Row,
) -> Result<Result<BTreeMap<String, Vec<u8>>, String>, Error> {
    if row.kind == packs::KIND {
        let pack = packs::open(store, row).await?;
        return Ok(match &pack.contents {
            Ok(_) => Ok(pack.texts().map(|(name, text)| (name, text.clone())).collect()),
            Err(error) => Err(error.en()),
        });
    }
    let text = row.attributes.get("source").and_then(Json::as_str).unwrap_or("");
    Ok(Ok([(format!("rule/{}", row.id), text.as_bytes().to_vec())].into()))
}

impl Shown {
    fn of(id: Id, is_trial: bool, began: Timestamp) -> Shown {
        Shown {
            id,
            is_trial,
            rules: 0,
            began,
            ended: None,
            permille: 0,
            progress: Progress::default(),
            findings: 0,
            by_rule: Vec::new(),
            trouble: None,
        }
    }
}

impl Running {
    fn of(task: Task, hunt: Hunt, rules: usize, now: Timestamp) -> Running {
        Running {
            task,
            with: Vec::new(),
            hunt: Some(Box::new(hunt)),
            set: None,
            rules,
            began: now,
            saved_at: now,
            told: HashSet::new(),
            told_of_rule: HashMap::new(),
            known: HashSet::new(),
            counts: BTreeMap::new(),
        }
    }

    fn activation(&self) -> Option<Id> {
        match &self.task {
            Task::Activation(record) => Some(record.id),
            Task::Trial(_) => None,
        }
    }

    /// What was told already: by this hunt before it was cut off, and by whomever of the same events.
    async fn look_up(&mut self, store: &Store) -> Result<(), Error> {
        let since = store.now().minus_hours(24 * KNOWN_DAYS);
        let own = self.activation().map(|id| id.to_string());
        for finding in store.records_since(&[FINDING], since, KNOWN_MAX).await? {
            let fact = |name: &str| finding.facts.get(name).and_then(Json::as_str);
            let Some(group) = fact("group") else { continue };
            if fact("hunt").is_some() && fact("hunt") == own.as_deref() {
                self.told.insert(group.to_owned());
                let rule = fact("rule").unwrap_or_default().to_owned();
                *self.told_of_rule.entry(rule).or_default() += 1;
            }
            self.known.insert((group.to_owned(), finding.observed_to.0));
        }
        Ok(())
    }

    /// Goes on for a while; whether it has ended.
    async fn slice(&mut self, ctx: &Shared, hunts: &Hunts, live: &Live) -> Result<bool, Error> {
        let Some(mut hunt) = self.hunt.take() else {
            return Err(Error::said("the hunt was cut off"));
        };
        let (archived, now) = (ctx.stream.archived(), ctx.store().now());
        let done = room::blocking(move || -> stream::Result<_> {
            let mut found = Vec::new();
            let next = hunt.slice(Instant::now() + SLICE, archived, &mut found)?;
            if next == Next::Done {
                hunt.finish(now, &mut found);
            }
            Ok((hunt, next, found))
        });
        let (hunt, next, found) = done.await??;
        by_rule(&found, &mut self.counts);
        self.hunt = Some(hunt);
        if self.activation().is_some() {
            self.tell(ctx, live, found).await?;
        }
        let is_over = next == Next::Done;
        if is_over {
            self.end(ctx).await?;
        } else {
            self.save(ctx).await?;
        }
        let ended = is_over.then(|| ctx.store().now());
        hunts.show(Shown { ended, ..self.shown() });
        Ok(is_over)
    }

    /// Writes what nobody told yet.
    async fn tell(
        &mut self,
        ctx: &Shared,
        live: &Live,
        found: Vec<Occurrence>,
    ) -> Result<(), Error> {
        let Some(activation) = self.activation().filter(|_| !found.is_empty()) else {
            return Ok(());
        };
        let (store, open) = (ctx.store(), live.open_keys().await);
        let mut new: BTreeMap<String, Occurrence> = BTreeMap::new();
        for occurrence in found {
            let (key, time) = (&occurrence.key, occurrence.time.0);
            let of_rule = self.told_of_rule.get(&occurrence.about.id).copied().unwrap_or(0);
            let is_told = occurrence.about.is_canary
                || self.told.contains(key)
                || open.contains(key)
                || self.known.contains(&(key.clone(), time))
                || of_rule >= FINDINGS_OF_RULE_MAX
                || self.told.len() >= FINDINGS_MAX;
            if !is_told {
                self.told.insert(key.clone());
                *self.told_of_rule.entry(occurrence.about.id.clone()).or_default() += 1;
                new.insert(key.clone(), occurrence);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let mut hosts = Vec::with_capacity(new.len());
        for occurrence in new.values() {
            hosts.push(
                alerts::host_of(ctx, &occurrence.event.source, &occurrence.event.host).await?,
            );
        }
        let (mut write, mut alerts) = (store.write(ACTOR, "work", "").await?, Vec::new());
        let mut sightings = Vec::new();
        for ((key, occurrence), host) in new.into_iter().zip(hosts) {
            let mut draft = draft(&occurrence, host, store.now(), "");
            draft.facts.insert("retro".to_owned(), json!(true));
            draft.facts.insert("hunt".to_owned(), json!(activation));
            // Its place in the archive is none of the spool.
            draft.facts.remove("stream");
            draft.facts.remove("offset");
            draft.facts.remove(alerts::ONCE);
            let record = write.record(draft).await?;
            let why = occurrence.why.as_deref();
            sightings.extend(why.and_then(|why| why.sighting(occurrence.time)));
            alerts.push((key, record.id, occurrence.about.id.clone()));
        }
        write.commit().await?;
        live.sight(sightings).await;
        live.adopt(alerts).await;
        ctx.house.wake();
        Ok(())
    }

    async fn save(&mut self, ctx: &Shared) -> Result<(), Error> {
        let now = ctx.store().now();
        let is_due = now.0 - self.saved_at.0 >= SAVE_EVERY_S * 1_000_000;
        let (Some(id), Some(hunt)) = (self.activation(), &self.hunt) else { return Ok(()) };
        if !is_due || !hunt.is_between() {
            return Ok(());
        }
        self.saved_at = now;
        let windows = hunt.windows();
        let name = windows.as_ref().map(|_| format!("{id}-{:020}.windows", hunt.progress.at));
        let saved = Saved {
            progress: hunt.progress.clone(),
            counts: self.counts.clone(),
            windows: name,
            root: self.set.as_ref().map(|intel| intel.set.manifest().root()),
        };
        let folder = folder(ctx);
        room::blocking(move || write(&folder, id, &saved, windows.as_deref())).await?
    }

    async fn end(&mut self, ctx: &Shared) -> Result<(), Error> {
        let store = ctx.store();
        let Some((id, drafts)) = self.ends(store.now()) else { return Ok(()) };
        let mut write = store.write(ACTOR, "work", "").await?;
        for draft in drafts {
            write.record(draft).await?;
        }
        write.commit().await?;
        ctx.house.wake();
        self.remember(ctx).await?;
        let folder = folder(ctx);
        room::blocking(move || remove(&folder, id, "")).await?
    }

    /// Keeps what was hunted for, if all of what is kept was looked at: the next set asks only for what is new in it.
    async fn remember(&mut self, ctx: &Shared) -> Result<(), Error> {
        let is_whole = self.hunt.as_ref().is_some_and(|hunt| hunt.progress.missing == 0);
        let Some(set) = self.set.take().filter(|_| is_whole) else { return Ok(()) };
        let hunts = ctx.house.kept.get::<Hunts>();
        let came = std::mem::take(&mut *hunts.came.lock().unwrap_or_else(PoisonError::into_inner));
        if came.len() >= CAME_MAX {
            return Ok(());
        }
        let stream = ctx.house.kept.get::<Live>().shown().stream;
        let place = hunted::path(ctx, &stream);
        room::blocking(move || hunted::write(&place, &set.set, &came)).await?
    }

    /// What is recorded of an activation's hunt when it ends: one record for each activation that it answers.
    fn ends(&self, now: Timestamp) -> Option<(Id, Vec<RecordDraft>)> {
        let (Task::Activation(activation), Some(hunt)) = (&self.task, &self.hunt) else {
            return None;
        };
        let progress = &hunt.progress;
        let facts = |activation: &Record| {
            json!({
                "delay_min": (now.0 - activation.received_at.0).max(0) / 60_000_000,
                "covered_permille": hunt.covered_permille(),
                "scanned": progress.scanned,
                "pruned": progress.pruned,
                "missing": progress.missing,
                "shredded": 0,
                "matches": progress.matches,
                "events": progress.events,
                "findings": self.told.len(),
                "rules": self.rules,
            })
        };
        let all = std::iter::once(&**activation).chain(&self.with);
        let drafts = all.map(|one| room::draft(HUNT, Some(one.id), now, facts(one))).collect();
        Some((activation.id, drafts))
    }

    fn shown(&self) -> Shown {
        let (id, is_trial) = match &self.task {
            Task::Activation(record) => (record.id, false),
            Task::Trial(id) => (*id, true),
        };
        let mut by_rule: Vec<(String, u64)> =
            self.counts.iter().map(|(title, n)| (title.clone(), *n)).collect();
        by_rule.sort_by_key(|(title, n)| (std::cmp::Reverse(*n), title.clone()));
        by_rule.truncate(RULES_SHOWN);
        let hunt = self.hunt.as_ref();
        Shown {
            rules: self.rules,
            permille: hunt.map_or(0, |hunt| hunt.permille()),
            progress: hunt.map(|hunt| hunt.progress.clone()).unwrap_or_default(),
            findings: self.told.len(),
            by_rule,
            ..Shown::of(id, is_trial, self.began)
        }
    }
}

fn folder(ctx: &Shared) -> PathBuf {
    ctx.house.archive.join("hunts")
}

fn read(folder: &std::path::Path, id: Id) -> Option<Saved> {
    serde_json::from_slice(&std::fs::read(folder.join(format!("{id}.json"))).ok()?).ok()
}

/// The windows first, then the file that names them, then the windows before.
fn write(
    folder: &std::path::Path,
    id: Id,
    saved: &Saved,
    windows: Option<&[u8]>,
) -> Result<(), Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    if let (Some(name), Some(bytes)) = (&saved.windows, windows) {
        disk::replace(&folder.join(name), bytes).map_err(io)?;
    }
    let text = serde_json::to_vec(saved).map_err(Error::said)?;
    disk::replace(&folder.join(format!("{id}.json")), &text).map_err(io)?;
    match &saved.windows {
        Some(name) => remove(folder, id, name),
        None => Ok(()),
    }
}

/// Removes what a hunt saved, except the windows of this name and the file that names them.
fn remove(folder: &std::path::Path, id: Id, except: &str) -> Result<(), Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_named = name == except || (!except.is_empty() && name.ends_with(".json"));
        if name.starts_with(&id.to_string()) && !is_named {
            std::fs::remove_file(&path).map_err(io)?;
        }
    }
    Ok(())
}
