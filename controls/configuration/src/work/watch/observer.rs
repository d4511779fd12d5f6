//! What an agent or a server keeps of its watch between two looks at its host: the journal, when to look next, and
//! the file by whose change Ume tests whether it notices.
//!
//! Invariants: a touch stays on disk until it has been handed over; looks are as far apart as what they cost asks
//! for; the journal is personal, so it is a file that nobody else reads and goes into payloads only.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use baseline::{
    FingerprintKey,
    actor::{Journal, Touch},
};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::work::{CANARY_CHANGE, TOUCHES};

use super::{
    sources,
    thread::{Places, Seen, Status, Watch},
};

const TICK: Duration = Duration::from_millis(250);
const SAVE_EVERY: Duration = Duration::from_secs(5);
const FILE_BYTES_MAX: u64 = 64 << 20;
/// A look begins when nothing changed for so long, or so long after the first change.
const QUIET: Duration = Duration::from_secs(3);
const FIRST_MAX: Duration = Duration::from_secs(20);
/// The same while packages are being changed: half an upgrade is nobody's configuration.
const PACKAGES_QUIET: Duration = Duration::from_secs(15);
const PACKAGES_MAX: Duration = Duration::from_secs(300);
/// Between two looks lies so many times what one took, within these.
const PAUSE_TIMES: u32 = 20;
const PAUSE_MIN: Duration = Duration::from_secs(10);
const PAUSE_MAX: Duration = Duration::from_secs(40);
/// After a look that failed.
const PAUSE_FAILED: Duration = Duration::from_secs(300);
/// Looks for the sake of changes: so many at once, and another each time this has passed. A program that writes its
/// configuration every minute must not fill the ledger.
const LOOKS_MAX: u32 = 20;
const LOOK_GROWS: Duration = Duration::from_secs(300);
const CANARY_FIRST: Duration = Duration::from_secs(60);
const CANARY_EVERY: Duration = Duration::from_secs(4 * 3600);
/// What was not noticed by then was not noticed.
const CANARY_WAIT: Duration = Duration::from_secs(600);

/// Programs that change packages.
const PACKAGE_TOOLS: [&[u8]; 6] =
    [b"/dpkg", b"/apt", b"/apt-get", b"/unattended-upgrade", b"/dpkg-deb", b"/aptitude"];

/// What became of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// How long ago the change was made.
    Noticed(Duration),
    /// How long it was waited for.
    Missed(Duration),
}

/// What is handed over with a look at the host.
#[derive(Debug)]
pub struct Taken {
    pub journal: Journal,
    pub canary: Option<Canary>,
    status: Status,
}

impl Taken {
    /// The records that this makes, with their facts and payloads: the test, and what was seen. No fact names a
    /// file, a person or a program.
    pub fn records(&self) -> Vec<(&'static str, Json, Option<String>)> {
        let mut all = Vec::new();
        if !self.journal.is_empty() {
            all.push((TOUCHES, self.facts(), Some(self.journal.to_json())));
        }
        let (is_noticed, after) = match self.canary {
            Some(Canary::Noticed(after)) => (true, after),
            Some(Canary::Missed(after)) => (false, after),
            None => return all,
        };
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        all.push((CANARY_CHANGE, json!({ "noticed": is_noticed, "after_ms": after }), None));
        all
    }

    fn facts(&self) -> Json {
        let is_unnamed = |touch: &&Touch| {
            self.journal.doers.get(touch.doer).is_none_or(|doer| doer.who.is_none())
        };
        json!({
            "watch": self.status.grade.map_or("off", super::Grade::as_str),
            "touches": self.journal.touches.len(),
            "unnamed": self.journal.touches.iter().filter(is_unnamed).count(),
            "runs": self.journal.runs.len(),
            "gaps": self.journal.gaps.len(),
            "unwatched": self.status.unwatched.len(),
        })
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Saved {
    /// Microseconds since 1970.
    saved_at: i64,
    taken_at: i64,
    journal: Json,
}

#[derive(Debug)]
enum Test {
    Next(Instant),
    Written(Instant),
    Noticed(Instant),
    Missed,
}

struct Inner {
    journal: Journal,
    taken_at: i64,
    is_dirty: bool,
    saved: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    by_packages: bool,
    not_before: Instant,
    /// Looks that are left, and when the last was added.
    looks: u32,
    grown: Instant,
    test: Test,
}

impl Inner {
    fn see(&mut self, seen: Seen, now: i64) {
        let at = Instant::now();
        match seen {
            Seen::Touch { path, how, at: time, doer } => {
                self.by_packages = doer.programs.iter().any(|program| {
                    PACKAGE_TOOLS.iter().any(|tool| program.as_slice().ends_with(tool))
                });
                self.journal.touch(path, how, time, doer);
            }
            Seen::Gap(why) => self.journal.gap(now, now, why),
            Seen::Canary => {
                if let Test::Written(written) = self.test {
                    self.test = Test::Noticed(written);
                }
                return;
            }
        }
        self.is_dirty = true;
        self.first.get_or_insert(at);
        self.last = Some(at);
    }

    fn is_due(&self, now: Instant) -> bool {
        if now < self.not_before {
            return false;
        }
        let waited = |from: Option<Instant>, time| from.is_some_and(|from| now - from >= time);
        let (quiet, most) = match self.by_packages {
            true => (PACKAGES_QUIET, PACKAGES_MAX),
            false => (QUIET, FIRST_MAX),
        };
        let is_changed = waited(self.last, quiet) || waited(self.first, most);
        matches!(self.test, Test::Noticed(_) | Test::Missed) || (is_changed && self.looks > 0)
    }

    fn grow(&mut self, now: Instant) {
        if self.looks == LOOKS_MAX {
            self.grown = now;
        } else if now - self.grown >= LOOK_GROWS {
            self.looks += 1;
            self.grown = now;
        }
    }
}

struct Shared {
    inner: Mutex<Inner>,
    due: AtomicBool,
    stop: AtomicBool,
    folder: PathBuf,
    key: FingerprintKey,
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
}

/// A watch with its journal. It ends when this is dropped.
pub struct Observer {
    shared: Arc<Shared>,
    watch: Watch,
    ticker: Option<JoinHandle<()>>,
}

impl Observer {
    /// Begins to watch this host; what it keeps lies in `folder`. Where the kernel does not let us, the status says
    /// so, and what the host writes down itself is still handed over.
    pub fn start(
        folder: &Path,
        key: FingerprintKey,
        clock: impl Fn() -> Timestamp + Send + Sync + Clone + 'static,
    ) -> std::io::Result<Observer> {
        Observer::over(Places::Host, folder, key, clock)
    }

    /// The same over other places.
    pub fn over(
        places: Places,
        folder: &Path,
        key: FingerprintKey,
        clock: impl Fn() -> Timestamp + Send + Sync + Clone + 'static,
    ) -> std::io::Result<Observer> {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        let now = clock().0;
        let (mut journal, saved) = load(&file(folder));
        if saved.saved_at > 0 {
            journal.gap(saved.saved_at, now, "start");
        }
        let started = Instant::now();
        let inner = Inner {
            journal,
            taken_at: if saved.taken_at > 0 { saved.taken_at } else { now },
            is_dirty: true,
            saved: started,
            first: None,
            last: None,
            by_packages: false,
            not_before: started,
            looks: LOOKS_MAX,
            grown: started,
            test: Test::Next(started + CANARY_FIRST),
        };
        let micros = clock.clone();
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            due: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            folder: folder.to_owned(),
            key: key.clone(),
            clock: Box::new(move || micros().0),
        });
        let noted = shared.clone();
        let time = clock.clone();
        let canary = fs::canonicalize(folder)?.join("canary");
        let watch = Watch::start(
            places,
            Some(canary),
            key,
            move || time().0,
            move |seen| {
                noted.lock().see(seen, clock().0);
            },
        );
        let ticking = shared.clone();
        let ticker =
            std::thread::Builder::new().name("watch-journal".to_owned()).spawn(move || {
                while !ticking.stop.load(Ordering::Relaxed) {
                    ticking.tick();
                    std::thread::sleep(TICK);
                }
                ticking.save();
            })?;
        let observer = Observer { shared, watch, ticker: Some(ticker) };
        if observer.watch.status().grade.is_none() {
            // A test of what does not run would be missed again and again.
            observer.shared.lock().test =
                Test::Next(started + Duration::from_secs(u32::MAX.into()));
        }
        Ok(observer)
    }

    /// Whether the host should be looked at now.
    pub fn is_due(&self) -> bool {
        self.shared.due.load(Ordering::Relaxed)
    }

    pub fn status(&self) -> Status {
        self.watch.status()
    }

    /// All that was seen since the last time; to be called after the look at the host, which took `cost`.
    pub fn take(&self, cost: Duration) -> Taken {
        let now = (self.shared.clock)();
        let mut inner = self.shared.lock();
        let mut journal = std::mem::take(&mut inner.journal);
        let from = std::mem::replace(&mut inner.taken_at, now);
        if inner.last.is_some() {
            inner.looks = inner.looks.saturating_sub(1);
        }
        (inner.first, inner.last, inner.by_packages) = (None, None, false);
        inner.is_dirty = true;
        inner.saved = Instant::now();
        inner.not_before = Instant::now() + (cost * PAUSE_TIMES).clamp(PAUSE_MIN, PAUSE_MAX);
        let canary = match inner.test {
            Test::Noticed(written) => Some(Canary::Noticed(written.elapsed())),
            Test::Missed => Some(Canary::Missed(CANARY_WAIT)),
            Test::Next(_) | Test::Written(_) => None,
        };
        if canary.is_some() {
            inner.test = Test::Next(Instant::now() + CANARY_EVERY);
        }
        // Not while the watch has to wait for it.
        drop(inner);
        sources::add(&mut journal, from, &self.shared.key);
        self.shared.due.store(false, Ordering::Relaxed);
        Taken { journal, canary, status: self.watch.status() }
    }

    /// The host was not looked at after all: what was taken waits for the next time.
    pub fn give_back(&self, taken: Taken) {
        let mut inner = self.shared.lock();
        let fresh = std::mem::replace(&mut inner.journal, taken.journal);
        for touch in fresh.touches {
            if let Some(doer) = fresh.doers.get(touch.doer) {
                inner.journal.touch(touch.path, touch.how, touch.at, doer.clone());
            }
        }
        fresh.gaps.iter().for_each(|gap| inner.journal.gap(gap.from, gap.to, &gap.why));
        inner.is_dirty = true;
    }

    /// The host could not be looked at: it is tried again later, and not at once.
    pub fn failed(&self) {
        self.shared.lock().not_before = Instant::now() + PAUSE_FAILED;
        self.shared.due.store(false, Ordering::Relaxed);
    }

    /// Changes the test file now, instead of when it is time.
    pub fn test_now(&self) {
        self.shared.lock().test = Test::Next(Instant::now());
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            let _ = ticker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        let now = Instant::now();
        let (writes, saves) = {
            let mut inner = self.lock();
            inner.grow(now);
            let writes = matches!(inner.test, Test::Next(at) if now >= at);
            match inner.test {
                // Before it is written: it may be noticed before the writing returns.
                Test::Next(at) if now >= at => inner.test = Test::Written(now),
                Test::Written(at) if now - at >= CANARY_WAIT => inner.test = Test::Missed,
                _ => {}
            }
            self.due.store(inner.is_due(now), Ordering::Relaxed);
            (writes, inner.is_dirty && now - inner.saved >= SAVE_EVERY)
        };
        if writes
            && let Err(error) =
                fs::write(self.folder.join("canary"), format!("{}\n", (self.clock)()))
        {
            tracing::error!(%error, "the test file of the watch was not written");
        }
        if saves {
            self.save();
        }
    }

    fn save(&self) {
        let saved = {
            let mut inner = self.lock();
            (inner.is_dirty, inner.saved) = (false, Instant::now());
            let journal = serde_json::to_value(&inner.journal).unwrap_or_default();
            Saved { saved_at: (self.clock)(), taken_at: inner.taken_at, journal }
        };
        let path = file(&self.folder);
        let bytes = serde_json::to_vec(&saved).unwrap_or_default();
        if let Err(error) = disk::replace(&path, &bytes) {
            tracing::error!(%error, path = %path.display(), "the journal of changes was not kept");
        }
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("touches.json")
}

/// What was kept; a file that is damaged is a journal with nothing in it, and said so.
fn load(path: &Path) -> (Journal, Saved) {
    let read = || -> Option<(Journal, Saved)> {
        if fs::metadata(path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let saved: Saved = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let journal = Journal::parse(saved.journal.to_string().as_bytes()).ok()?;
        Some((journal, saved))
    };
    match read() {
        Some(found) => found,
        None => {
            if path.exists() {
                tracing::error!(path = %path.display(), "the journal of changes is damaged");
            }
            Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baseline::{
        Bytes,
        actor::{Doer, How, Source},
    };

    fn inner(at: Instant) -> Inner {
        Inner {
            journal: Journal::default(),
            taken_at: 0,
            is_dirty: false,
            saved: at,
            first: None,
            last: None,
            by_packages: false,
            not_before: at,
            looks: LOOKS_MAX,
            grown: at,
            test: Test::Next(at + CANARY_EVERY),
        }
    }

    fn change(program: &str) -> Seen {
        let programs = vec![Bytes::from(program)];
        let doer = Doer { source: Source::Fanotify, pid: 7, programs, who: None };
        let how = How::named("write").unwrap_or_default();
        Seen::Touch { path: "/etc/x".into(), how, at: 1, doer }
    }

    #[test]
    fn a_look_waits_for_quiet_but_not_for_ever_and_longer_while_packages_change() {
        let mut inner = inner(Instant::now());
        assert!(!inner.is_due(Instant::now()));
        inner.see(change("/usr/bin/vim"), 1);
        let at = Instant::now();
        assert!(!inner.is_due(at) && inner.is_due(at + QUIET));
        // Changes go on.
        inner.last = Some(at + FIRST_MAX);
        assert!(!inner.is_due(at + FIRST_MAX - QUIET) && inner.is_due(at + FIRST_MAX));
        inner.see(change("/usr/bin/dpkg"), 1);
        assert!(!inner.is_due(Instant::now() + QUIET));
        assert!(inner.is_due(Instant::now() + PACKAGES_QUIET));
        inner.not_before = Instant::now() + PAUSE_FAILED;
        assert!(!inner.is_due(Instant::now() + PACKAGES_QUIET));
    }

    #[test]
    fn looks_for_changes_are_bounded_and_a_test_is_never_held_up() {
        let at = Instant::now();
        let mut inner = inner(at);
        inner.see(change("/usr/bin/vim"), 1);
        inner.looks = 0;
        let later = Instant::now() + FIRST_MAX;
        assert!(!inner.is_due(later));
        inner.test = Test::Noticed(at);
        assert!(inner.is_due(later));
        inner.test = Test::Next(at + CANARY_EVERY);
        inner.grow(at + LOOK_GROWS);
        assert!(inner.looks == 1 && inner.is_due(later));
    }
}
