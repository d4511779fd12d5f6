//! Hosts without an agent: the server collects them over SSH, each at its own interval
//! (`[[configuration.ssh]]` of `ume.toml`).
//!
//! A host that cannot be asked keeps its last snapshot, which ages; why stands in a record
//! (`configuration.unreached`), written when the reason changes or once a day, and on the page of hosts. It is asked
//! again after half an hour.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use baseline::{Class, Facts};
use futures_util::{StreamExt, stream};
use model::{Id, Table, Timestamp};
use room::{Error, Shared, blocking, draft};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Condition, Filter, Key, Row, Store, Test};

use super::{FULL, SNAPSHOT, collect, driver::SshDriver, judge, keys, settle};

/// A host could not be asked.
pub const UNREACHED: &str = "configuration.unreached";
const ACTOR: &str = "system:configuration.ssh";
const HOSTS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 200;
const AT_ONCE: usize = 4;
const EVERY_HOURS: std::ops::RangeInclusive<i64> = 1..=168;
const AGAIN_MICROS: i64 = 30 * 60 * 1_000_000;
const SAID_CHARS_MAX: usize = 300;

/// One host as `ssh` reaches it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Keys")]
pub struct Host {
    /// What `ssh` is given: a name of its configuration, `user@host`, an address.
    pub to: String,
    /// Name of the host in the register.
    pub name: String,
    pub every_hours: i64,
    /// Read as root by `sudo -n`.
    pub sudo: bool,
    /// Configuration for `ssh` instead of the user's.
    pub config: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    to: String,
    name: Option<String>,
    #[serde(default = "daily")]
    every_hours: i64,
    #[serde(default)]
    sudo: bool,
    config: Option<PathBuf>,
}

fn daily() -> i64 {
    24
}

impl TryFrom<Keys> for Host {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Host, String> {
        let plain = |text: &str| {
            !text.is_empty()
                && text.chars().count() <= NAME_CHARS_MAX
                && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        };
        if !plain(&keys.to) || keys.to.starts_with('-') {
            return Err("to is a host as ssh takes it: a name, user@host or an address".to_owned());
        }
        let name = keys.name.unwrap_or_else(|| {
            keys.to.rsplit_once('@').map_or(keys.to.clone(), |(_, host)| host.to_owned())
        });
        if !plain(&name) {
            return Err(format!("name is 1 to {NAME_CHARS_MAX} characters without spaces"));
        }
        if !EVERY_HOURS.contains(&keys.every_hours) {
            return Err("every_hours is 1 to 168".to_owned());
        }
        if keys.config.as_ref().is_some_and(|path| path.is_relative()) {
            return Err("config is written from / on".to_owned());
        }
        let Keys { to, every_hours, sudo, config, .. } = keys;
        Ok(Host { to, name, every_hours, sudo, config })
    }
}

/// All of them; their names differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Host>")]
pub struct Hosts(pub Vec<Host>);

impl TryFrom<Vec<Host>> for Hosts {
    type Error = String;

    fn try_from(hosts: Vec<Host>) -> Result<Hosts, String> {
        if hosts.len() > HOSTS_MAX {
            return Err(format!("at most {HOSTS_MAX} hosts over SSH"));
        }
        let mut names = BTreeSet::new();
        match hosts.iter().find(|host| !names.insert(&host.name)) {
            Some(twice) => Err(format!("the host {:?} stands twice; give one a name", twice.name)),
            None => Ok(Hosts(hosts)),
        }
    }
}

/// What the server was told, and what it remembers of hosts that did not answer.
#[derive(Default)]
pub struct Reached {
    hosts: RwLock<Arc<Vec<Host>>>,
    failed: Mutex<BTreeMap<String, Timestamp>>,
}

impl Reached {
    /// Takes the settings over.
    pub fn configure(&self, hosts: &Hosts) {
        *self.hosts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(hosts.0.clone());
    }

    fn hosts(&self) -> Arc<Vec<Host>> {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn failed_at(&self, name: &str) -> Option<Timestamp> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    fn note(&self, name: &str, failed: Option<Timestamp>) {
        let mut all = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match failed {
            Some(at) => all.insert(name.to_owned(), at),
            None => all.remove(name),
        };
    }
}

/// One run: collects what is due.
pub(super) async fn run(ctx: Shared) -> Result<Json, Error> {
    let reached = ctx.house.kept.get::<Reached>();
    let hosts = reached.hosts();
    if ctx.house.demo || hosts.is_empty() {
        return Ok(json!({ "hosts": 0 }));
    }
    let store = ctx.store();
    let mut due = Vec::new();
    for host in hosts.iter() {
        let row = registered(store, &host.name).await?;
        if is_due(store, &reached, host, row.id).await? {
            due.push((host.clone(), row));
        }
    }
    let key = keys::of_house(store).await?;
    let looks = due.into_iter().map(|(host, row)| {
        let key = key.clone();
        async move {
            let started = store.now();
            let asked = host.clone();
            let facts = blocking(move || look(&asked, &key)).await.and_then(|looked| looked);
            (host, row, started, facts)
        }
    });
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    let (mut collected, mut failures) = (0, Vec::new());
    while let Some((host, row, started, facts)) = looks.next().await {
        match facts {
            Ok(facts) => {
                keep(store, row, started, &facts).await?;
                reached.note(&host.name, None);
                collected += 1;
            }
            Err(error) => {
                let why: String = error.to_string().chars().take(SAID_CHARS_MAX).collect();
                reached.note(&host.name, Some(store.now()));
                unreached(store, row.id, &why).await?;
                failures.push(json!({ "host": host.name, "reason": why }));
            }
        }
    }
    if collected > 0 {
        judge::judge(ctx.clone()).await?;
        settle(ctx.clone()).await?;
    }
    if collected + failures.len() > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "hosts": hosts.len(), "collected": collected, "failed": failures }))
}

async fn is_due(store: &Store, reached: &Reached, host: &Host, id: Id) -> Result<bool, Error> {
    let now = store.now();
    if reached.failed_at(&host.name).is_some_and(|at| at > Timestamp(now.0 - AGAIN_MICROS)) {
        return Ok(false);
    }
    let newest = store.newest_records(&[SNAPSHOT], Some(id), 1).await?;
    Ok(newest.first().is_none_or(|old| old.observed_to <= now.minus_hours(host.every_hours)))
}

fn look(host: &Host, key: &baseline::FingerprintKey) -> Result<Facts, Error> {
    let mut driver = SshDriver::to(&host.to, host.sudo, Path::new("/"), host.config.as_deref())?;
    let facts = collect::collect_by(&mut driver, true, FULL, key);
    driver.failure().map_or(Ok(facts), |failure| Err(Error::said(failure)))
}

/// The host of that name; who is not in the register yet enters it.
async fn registered(store: &Store, name: &str) -> Result<Row, Error> {
    let filter = Filter {
        kind: Some("host".to_owned()),
        conditions: vec![Condition {
            name: "hostname".to_owned(),
            test: Test::Is(Key::text(name)),
        }],
        limit: 2,
        ..Filter::default()
    };
    if let Some(row) = store.list(Table::Asset, &filter).await?.into_iter().next() {
        return Ok(row);
    }
    let mut row = Row::new(Table::Asset, store.new_id()?, "host", name);
    row.attributes.insert("hostname".to_owned(), name.into());
    row.attributes.insert("os".to_owned(), OS_UNKNOWN.into());
    let mut write = store.write(ACTOR, "work", "").await?;
    let row = write.put(row).await?;
    write.commit().await?;
    Ok(row)
}

/// Until the host was read.
const OS_UNKNOWN: &str = "?";

async fn keep(store: &Store, mut row: Row, started: Timestamp, facts: &Facts) -> Result<(), Error> {
    let payload = facts.to_document().to_string().into_bytes();
    let mut snapshot = draft(SNAPSHOT, Some(row.id), store.now(), collect::summary(facts));
    snapshot.observed_from = started;
    snapshot.payload = Some(payload);
    let mut write = store.write(ACTOR, "work", "").await?;
    let is_new = row.attributes.get("os").and_then(Json::as_str) == Some(OS_UNKNOWN);
    let release = facts.get(Class::Release, b"PRETTY_NAME").map(|fact| fact.value.shown());
    if let (true, Some(os)) = (is_new, release) {
        row.attributes.insert("os".to_owned(), os.into());
        write.put(row).await?;
    }
    write.record(snapshot).await?;
    write.commit().await?;
    Ok(())
}

async fn unreached(store: &Store, id: Id, why: &str) -> Result<(), Error> {
    let before = store.newest_records(&[UNREACHED], Some(id), 1).await?;
    let is_said = before.first().is_some_and(|old| {
        old.facts.get("reason").and_then(Json::as_str) == Some(why)
            && old.observed_to > store.now().minus_hours(24)
    });
    if is_said {
        return Ok(());
    }
    let mut write = store.write(ACTOR, "work", "").await?;
    write.record(draft(UNREACHED, Some(id), store.now(), json!({ "reason": why }))).await?;
    write.commit().await?;
    Ok(())
}

/// Hosts that did not answer since their newest snapshot, and why, newest first.
pub(crate) async fn silent(
    store: &Store,
) -> Result<Vec<(Id, String, Timestamp)>, store::StoreError> {
    let failed = store.latest_per_subject(&[UNREACHED]).await?;
    if failed.is_empty() {
        return Ok(Vec::new());
    }
    let seen: BTreeMap<Id, Timestamp> = store
        .latest_per_subject(&[SNAPSHOT])
        .await?
        .into_iter()
        .filter_map(|record| Some((record.subject?, record.observed_to)))
        .collect();
    let mut silent: Vec<(Id, String, Timestamp)> = failed
        .into_iter()
        .filter_map(|record| {
            let id = record.subject?;
            let reason = record.facts.get("reason").and_then(Json::as_str)?.to_owned();
            let is_older = seen.get(&id).is_none_or(|at| *at < record.observed_to);
            is_older.then_some((id, reason, record.observed_to))
        })
        .collect();
    silent.sort_by_key(|(.., at)| std::cmp::Reverse(*at));
    Ok(silent)
}

#[cfg(test)]
#[path = "reached_tests.rs"]
mod tests;
