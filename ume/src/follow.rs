//! What rules of the centre make an agent follow.
//!
//! Invariants: a rule opens nothing beyond the patterns of this host's own configuration, whoever
//! signed it; what the host follows by itself is neither followed twice nor ended by a rule; a file
//! that a rule no longer names is no longer followed, and goes on where it stopped if it is named again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use edge::agent::{Applied, Apply};
use monitoring::work::collection::{FILES_MAX, LogFile, Set};
use serde_json::Value as Json;
use stream::{
    Format, Stream,
    intake::{Allow, FileTail, Shutdown},
};
use tokio::task::JoinHandle;

const BACKLOG_BYTES_MAX: u64 = 64 << 20;

/// The files that rules make this host follow.
pub struct Followers {
    stream: Stream,
    shutdown: Shutdown,
    allow: Allow,
    /// Followed by the configuration already, with the names their lines go by.
    own: HashMap<PathBuf, String>,
    running: Mutex<BTreeMap<LogFile, JoinHandle<()>>>,
}

impl Drop for Followers {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        running.values().for_each(JoinHandle::abort);
    }
}

impl Followers {
    /// `own` is what the host follows without any rule.
    pub fn new(
        stream: Stream,
        shutdown: Shutdown,
        allow: Allow,
        own: impl IntoIterator<Item = (String, PathBuf)>,
    ) -> Followers {
        let own = own.into_iter().map(|(name, path)| (path, name)).collect();
        Followers { stream, shutdown, allow, own, running: Mutex::default() }
    }

    /// As the agent calls it.
    pub fn into_apply(self) -> Apply {
        let followers = Arc::new(self);
        Arc::new(move |rules| followers.apply(rules))
    }

    /// Follows what the rules name and this host permits, and nothing else; may be called at any time.
    fn apply(&self, rules: &Json) -> Applied {
        let Ok(set) = serde_json::from_value::<Set>(rules.clone()) else {
            // A newer centre: what is at work stays, and the page says that something is refused.
            return Applied { denied: denied("*", "unknown"), ..Applied::default() };
        };
        let mut applied = Applied::default();
        let hours = set.configuration_h.and_then(|h| u64::try_from(h).ok()).filter(|h| *h > 0);
        applied.collect_every = hours.map(|h| Duration::from_secs(h * 3_600));
        let mut wanted: BTreeSet<LogFile> = BTreeSet::new();
        let mut sources: BTreeSet<String> = self.own.values().cloned().collect();
        for file in set.files.into_iter().take(FILES_MAX) {
            match self.judge(&file, &mut sources) {
                Ok(true) => drop(wanted.insert(file)),
                Ok(false) => {}
                Err(reason) => applied.denied.extend(denied(&file.path, reason)),
            }
        }
        self.settle(wanted, &mut applied);
        applied
    }

    /// Whether to follow it here; false where the host does so by itself.
    fn judge(&self, file: &LogFile, sources: &mut BTreeSet<String>) -> Result<bool, &'static str> {
        let path = Path::new(&file.path);
        self.allow.judge(path).map_err(stream::intake::Denied::name)?;
        if format_of(&file.format).is_none() {
            return Err("format");
        }
        if self.own.contains_key(path) {
            return Ok(false);
        }
        // Counts and marks go by the source: two files must not share one.
        if edge::check_name(&file.source).is_err() || !sources.insert(file.source.clone()) {
            return Err("source");
        }
        Ok(true)
    }

    fn settle(&self, wanted: BTreeSet<LogFile>, applied: &mut Applied) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|file, task| {
            let stays = wanted.contains(file) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for file in wanted {
            if running.contains_key(&file) {
                continue;
            }
            match self.start(&file) {
                Ok(task) => drop(running.insert(file, task)),
                Err(error) => {
                    tracing::error!(%error, path = file.path, "the log file is not followed");
                    applied.denied.extend(denied(&file.path, "failed"));
                }
            }
        }
    }

    fn start(&self, file: &LogFile) -> stream::Result<JoinHandle<()>> {
        let (format, path) =
            (format_of(&file.format).unwrap_or(Format::Auto), Path::new(&file.path));
        let tail = FileTail::open(&self.stream, &file.source, path, format, BACKLOG_BYTES_MAX)?;
        let tail = tail.only(self.allow.clone());
        let (stream, shutdown, path) =
            (self.stream.clone(), self.shutdown.clone(), file.path.clone());
        tracing::info!(path, source = file.source, "follows a log file by rule");
        Ok(tokio::spawn(async move {
            if let Err(error) = tail.run(stream, shutdown).await {
                tracing::error!(%error, path, "the log file is no longer followed");
            }
        }))
    }
}

fn denied(path: &str, reason: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(path.to_owned(), reason.to_owned())])
}

fn format_of(name: &str) -> Option<Format> {
    Some(match name {
        "auto" => Format::Auto,
        "syslog" => Format::Syslog,
        "json" => Format::Json,
        "plain" => Format::Plain,
        "dpkg" => Format::Dpkg,
        "apt_history" => Format::AptHistory,
        _ => return None,
    })
}
