//! The watch over the server's own host, and looks at hosts as soon as something changed: its own through the job
//! that collects, those of agents as soon as their snapshots are here.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use model::Id;
use room::{Error, Pause, Service, Shared, blocking, host_name};

use super::{COLLECT, FULL, JUDGE, SNAPSHOT, driver::DigestCache, keys, watch::Observer};

const WATCH_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// What the process keeps of the watch.
pub struct Here {
    wanted: AtomicBool,
    observer: Mutex<Option<Arc<Observer>>>,
    /// A look was asked for and has not begun.
    asked: AtomicBool,
    pub(super) digests: Arc<Mutex<DigestCache>>,
    judged: Mutex<Option<Id>>,
}

impl Default for Here {
    fn default() -> Here {
        Here {
            // Builds for debugging run many at once, and each would look at every program that anybody starts.
            wanted: AtomicBool::new(FULL),
            observer: Mutex::default(),
            asked: AtomicBool::default(),
            digests: Arc::default(),
            judged: Mutex::default(),
        }
    }
}

impl Here {
    /// Says whether changes are watched; before the services begin.
    pub fn configure(&self, is_wanted: bool) {
        self.wanted.store(is_wanted, Ordering::Relaxed);
    }

    /// The watch, if it was begun. Whoever takes it looks at the host now.
    pub(super) fn look(&self) -> Option<Arc<Observer>> {
        self.asked.store(false, Ordering::Relaxed);
        self.observer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) fn services() -> Vec<Service> {
    vec![
        Service::new("configuration.watch", Pause::For(WATCH_EVERY), watch),
        Service::new("configuration.judge_soon", Pause::For(LOOK_EVERY), judge_soon),
    ]
}

async fn watch(ctx: Shared) -> Result<(), Error> {
    let here = ctx.house.kept.get::<Here>();
    // A demonstration never reads the machine it is shown on.
    if ctx.house.demo || !here.wanted.load(Ordering::Relaxed) {
        return Ok(());
    }
    let begun = here.observer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let observer = match begun {
        Some(observer) => observer,
        None => begin(&ctx, &here).await?,
    };
    if observer.is_due() && !here.asked.swap(true, Ordering::Relaxed) {
        ctx.store().job_ask(&format!("{COLLECT}@{}", host_name())).await?;
    }
    match observer.status().trouble {
        Some(trouble) => {
            Err(Error::said(format!("who changes this host stays unknown: {trouble}")))
        }
        None => Ok(()),
    }
}

async fn begin(ctx: &Shared, here: &Here) -> Result<Arc<Observer>, Error> {
    let key = keys::of_house(ctx.store()).await?;
    let folder = ctx.house.archive.parent().unwrap_or(&ctx.house.archive).join("journal");
    let house = ctx.house.clone();
    let clock = move || house.store.now();
    let path = folder.clone();
    let observer = blocking(move || Observer::start(&path, key, clock)).await?;
    let observer = Arc::new(observer.map_err(|source| Error::Io { path: folder, source })?);
    *here.observer.lock().unwrap_or_else(PoisonError::into_inner) = Some(observer.clone());
    Ok(observer)
}

/// A new snapshot is judged within seconds, whoever sent it.
async fn judge_soon(ctx: Shared) -> Result<(), Error> {
    let newest = ctx.store().newest_records(&[SNAPSHOT], None, 1).await?;
    let Some(newest) = newest.first().map(|record| record.id) else { return Ok(()) };
    let here = ctx.house.kept.get::<Here>();
    let before = here.judged.lock().unwrap_or_else(PoisonError::into_inner).replace(newest);
    if before != Some(newest) {
        ctx.store().job_ask(JUDGE).await?;
    }
    Ok(())
}
