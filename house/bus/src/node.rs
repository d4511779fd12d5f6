//! An evaluating node: holds partitions, evaluates what comes in them in its order, and answers.
//!
//! Whoever takes a partition over goes on behind the last answer that was given in it, with what the partition still
//! waited for there. A node keeps nothing on disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    consumer::DeliverPolicy,
    kv::{self, Operation},
};
use futures_util::StreamExt;
use tokio::{io::AsyncReadExt, sync::watch, task::JoinHandle};

use crate::{
    BusError, Link, PARTITIONS_MAX, Result, Settings,
    centre::{not_taken, send},
    lease::{Change, RENEW_MS, Table, node_key, partition_key},
    link::PARTITIONS,
    message::{Answer, Work, pack, unpack},
};

/// Bytes that a set of rules may have.
const RULES_BYTES_MAX: u64 = 256 << 20;
/// Sets of rules in memory: the one at work and the one before.
const RULES_MAX: usize = 2;
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// A partition whose task ended is begun again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a node does with events. Everything but the rules is of one partition.
pub trait Evaluate: Send + Sync + 'static {
    type Rules: Send + Sync + 'static;
    type Place: Send + 'static;
    /// Names of files that a set of rules asks for and that are not here.
    fn wants(&self, bundle: &[u8]) -> Vec<String>;
    /// Where such a file is written, before it has its name; whether it may be of so many bytes is asked first.
    fn place(&self, name: &str, bytes: u64) -> std::result::Result<std::path::PathBuf, String>;
    /// The file of that name is written.
    fn arrived(&self, name: &str) -> std::result::Result<(), String>;
    /// Opens a set of rules that the main node gave under this hash. A file that did not come is missing here.
    fn open(&self, hash: &str, bundle: &[u8]) -> std::result::Result<Self::Rules, String>;
    /// Begins with what a partition still waits for.
    fn begin(&self, rules: &Arc<Self::Rules>, state: &[u8]) -> Self::Place;
    /// Goes on with other rules.
    fn change(&self, place: &mut Self::Place, rules: &Arc<Self::Rules>);
    /// Evaluates; gives the answer, and what the partition waits for now.
    fn take(&self, place: &mut Self::Place, work: Work) -> (Vec<u8>, Vec<u8>);
}

/// Takes part until the end, whatever becomes of the server.
pub async fn run<E: Evaluate>(
    settings: Settings,
    evaluate: Arc<E>,
    tell: watch::Sender<Option<BusError>>,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut pause = RETRY_FIRST;
    loop {
        let begun = Instant::now();
        let error = match session(&settings, &evaluate, &tell, &mut shutdown).await {
            Ok(()) => return,
            Err(error) => error,
        };
        if tell.borrow().as_ref() != Some(&error) {
            tracing::error!("{error}");
        }
        tell.send_replace(Some(error));
        pause = if begun.elapsed() > RETRY_MAX { RETRY_FIRST } else { (pause * 2).min(RETRY_MAX) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ended(&mut shutdown) => return,
        }
    }
}

async fn ended(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end too.
    let _ = shutdown.wait_for(|end| *end).await;
}

/// Partitions that are being evaluated; they end with it.
struct Held(BTreeMap<u32, JoinHandle<Result<()>>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.values().for_each(JoinHandle::abort);
    }
}

async fn session<E: Evaluate>(
    settings: &Settings,
    evaluate: &Arc<E>,
    tell: &watch::Sender<Option<BusError>>,
    shutdown: &mut watch::Receiver<bool>,
) -> Result<()> {
    let link = Link::connect(settings).await?;
    let store = link.nodes().await?;
    let failed = |e: &dyn std::fmt::Display| BusError::failed("take part in the bus", e);
    let mut seen = store.watch_with_history(">").await.map_err(|e| failed(&e))?;
    let clock = Instant::now();
    let now_ms = || clock.elapsed().as_millis() as i64;
    let partitions = partitions(&store).await?;
    let mut table = Table::new(&settings.node, partitions);
    let mut tick = tokio::time::interval(Duration::from_millis(RENEW_MS as u64));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let rules = Arc::new(Shelf::<E>::default());
    let mut held = Held(BTreeMap::new());
    tracing::info!(node = settings.node, "takes part in the bus");
    if tell.borrow().is_some() {
        tell.send_replace(None);
    }
    loop {
        tokio::select! {
            entry = seen.next() => {
                let entry = entry.ok_or_else(|| failed(&"the watch ended"))?.map_err(|e| failed(&e))?;
                let value = String::from_utf8_lossy(&entry.value).into_owned();
                if entry.key == PARTITIONS && value.parse() != Ok(partitions) {
                    return Err(failed(&"the main node made other partitions"));
                }
                let value = Some(&*value).filter(|_| entry.operation == Operation::Put);
                table.see(&entry.key, value, entry.revision, now_ms());
            }
            _ = tick.tick() => {
                let key = node_key(&settings.node);
                store.put(&key, "here".into()).await.map_err(|e| failed(&e))?;
                for change in table.changes(now_ms()) {
                    held.0.retain(|partition, task| {
                        let stays = !matches!(&change, Change::Release { partition: p, .. } if p == partition);
                        if !stays {
                            task.abort();
                        }
                        stays
                    });
                    apply(&store, &mut table, &settings.node, change, now_ms()).await?;
                }
            }
            () = ended(shutdown) => {
                drop(held);
                return leave(&store, &table, &settings.node).await;
            }
        }
        let mine = table.mine();
        held.0.retain(|partition, task| {
            let stays = mine.contains(partition) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for partition in mine {
            held.0.entry(partition).or_insert_with(|| {
                let (link, evaluate, rules) = (link.clone(), evaluate.clone(), rules.clone());
                tokio::spawn(async move {
                    let ended = serve(&link, &evaluate, &rules, partition).await;
                    if let Err(error) = &ended {
                        tracing::warn!(partition, "{error}");
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                    ended
                })
            });
        }
    }
}

/// How many partitions there are, as the main node says.
async fn partitions(store: &kv::Store) -> Result<u32> {
    let missing = || BusError::Missing { what: PARTITIONS.to_owned() };
    let told = store.get(PARTITIONS).await;
    let told = told.map_err(|e| BusError::failed("ask for the partitions", e))?;
    let told = told.ok_or_else(missing)?;
    let number = std::str::from_utf8(&told).ok().and_then(|text| text.parse().ok());
    number.filter(|n| (1..=PARTITIONS_MAX).contains(n)).ok_or_else(missing)
}

/// Writes a change if nobody wrote another meanwhile.
async fn apply(
    store: &kv::Store,
    table: &mut Table,
    me: &str,
    change: Change,
    now_ms: i64,
) -> Result<()> {
    let (partition, owner, revision) = match change {
        Change::Take { partition, revision } => (partition, me, revision),
        Change::Release { partition, revision } => (partition, "", Some(revision)),
    };
    let (key, value) = (partition_key(partition), owner.to_owned().into());
    let written = match revision {
        Some(revision) => store
            .update(&key, value, revision)
            .await
            .map_err(|e| (e.kind() == kv::UpdateErrorKind::WrongLastRevision, e.to_string())),
        None => store
            .create(&key, value)
            .await
            .map_err(|e| (e.kind() == kv::CreateErrorKind::AlreadyExists, e.to_string())),
    };
    match written {
        Ok(revision) => table.see(&key, Some(owner), revision, now_ms),
        // Another was faster; the watch tells who.
        Err((true, _)) => {}
        Err((false, reason)) => return Err(BusError::failed("take a partition", reason)),
    }
    Ok(())
}

/// Lets go of everything, so that others need not wait.
async fn leave(store: &kv::Store, table: &Table, me: &str) -> Result<()> {
    let _ = store.delete(node_key(me)).await;
    for partition in table.mine() {
        let _ = store.put(partition_key(partition), "".into()).await;
    }
    Ok(())
}

/// Sets of rules by hash, with when each was asked for.
type Sets<R> = HashMap<String, (u64, Arc<R>)>;

/// Sets of rules that were opened, for all partitions.
struct Shelf<E: Evaluate>(tokio::sync::Mutex<Sets<E::Rules>>);

impl<E: Evaluate> Default for Shelf<E> {
    fn default() -> Self {
        Shelf(tokio::sync::Mutex::default())
    }
}

impl<E: Evaluate> Shelf<E> {
    async fn get(&self, link: &Link, evaluate: &Arc<E>, hash: &str) -> Result<Arc<E::Rules>> {
        let mut sets = self.0.lock().await;
        let newest = sets.values().map(|(at, _)| *at).max().unwrap_or(0) + 1;
        if let Some((at, rules)) = sets.get_mut(hash) {
            *at = newest;
            return Ok(rules.clone());
        }
        let failed = |e: &dyn std::fmt::Display| BusError::failed("get the rules from NATS", e);
        let object = link.rules().await?.get(hash).await.map_err(|e| failed(&e))?;
        let mut bundle = Vec::new();
        let mut limited = object.take(RULES_BYTES_MAX + 1);
        limited.read_to_end(&mut bundle).await.map_err(|e| failed(&e))?;
        if bundle.len() as u64 > RULES_BYTES_MAX {
            return Err(failed(&format!("more than {RULES_BYTES_MAX} bytes")));
        }
        for name in evaluate.wants(&bundle) {
            // Without it the rest still works, and the answer says what is missing.
            if let Err(error) = fetch(link, evaluate, &name).await {
                tracing::warn!(name, "{error}");
            }
        }
        let (evaluate, name) = (evaluate.clone(), hash.to_owned());
        let opened = tokio::task::spawn_blocking(move || evaluate.open(&name, &bundle)).await;
        let rules = Arc::new(opened.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?);
        while sets.len() >= RULES_MAX {
            let oldest = sets.iter().min_by_key(|(_, (at, _))| *at).map(|(hash, _)| hash.clone());
            oldest.and_then(|hash| sets.remove(&hash));
        }
        sets.insert(hash.to_owned(), (newest, rules.clone()));
        Ok(rules)
    }
}

/// Brings a file that a set of rules names.
async fn fetch<E: Evaluate>(link: &Link, evaluate: &Arc<E>, name: &str) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| BusError::failed("get a file from NATS", e);
    let mut object = link.files().await?.get(name).await.map_err(|e| failed(&e))?;
    let bytes = object.info.size as u64;
    let place = evaluate.place(name, bytes).map_err(|e| failed(&e))?;
    let mut file = tokio::fs::File::create(&place).await.map_err(|e| failed(&e))?;
    let mut limited = (&mut object).take(bytes + 1);
    tokio::io::copy(&mut limited, &mut file).await.map_err(|e| failed(&e))?;
    file.sync_all().await.map_err(|e| failed(&e))?;
    drop(file);
    evaluate.arrived(name).map_err(|e| failed(&e))
}

/// Where a partition stands.
struct Stand<E: Evaluate> {
    /// When the stream of events was made that the places are of.
    made: i128,
    run: u64,
    /// Number of the next message.
    n: u64,
    state: Vec<u8>,
    place: Option<(String, E::Place)>,
}

/// Evaluates a partition until something fails.
async fn serve<E: Evaluate>(
    link: &Link,
    evaluate: &Arc<E>,
    rules: &Shelf<E>,
    partition: u32,
) -> Result<()> {
    let answers = link.answers().await?;
    let last = match answers.direct_get_last_for_subject(link.answer_subject(partition)).await {
        Ok(message) => Some(unpack::<Answer>(&message.payload)?),
        Err(e) if is_none(&e) => None,
        Err(e) => return Err(BusError::failed("look where the partition stands", e)),
    };
    let events = link.events().await?;
    let made = events.cached_info().created.unix_timestamp_nanos();
    // Places of a stream that is gone say nothing of the one that took its place.
    let is_of_this = |last: &&Answer| last.made == made;
    let from = last.as_ref().filter(is_of_this).map_or(1, |last| last.after + 1);
    let mut stand: Stand<E> = match last {
        Some(Answer { run, n, state, .. }) => Stand { made, run, n: n + 1, state, place: None },
        None => Stand { made, run: 0, n: 0, state: Vec::new(), place: None },
    };
    let policy = DeliverPolicy::ByStartSequence { start_sequence: from };
    let mut messages = link.read(&events, link.event_subject(partition), policy).await?;
    while let Some(message) = messages.next().await {
        let message = message.map_err(|e| BusError::failed("read events from NATS", e))?;
        let after =
            message.info().map_err(|e| BusError::failed("read an event", e))?.stream_sequence;
        let work: Work = unpack(&message.payload)?;
        if work.run < stand.run || (work.run == stand.run && work.n < stand.n) {
            continue;
        }
        if work.run == stand.run && work.n > stand.n {
            return Err(BusError::failed("read events from NATS", "one is missing"));
        }
        if work.run > stand.run {
            let state = work.state.clone().unwrap_or_default();
            stand = Stand { made, run: work.run, n: work.n, state, place: None };
        }
        answer(link, evaluate, rules, &mut stand, work, after).await?;
    }
    Err(BusError::Gone { what: "events".to_owned() })
}

fn is_none(error: &async_nats::jetstream::stream::DirectGetError) -> bool {
    use async_nats::jetstream::stream::DirectGetErrorKind;
    matches!(error.kind(), DirectGetErrorKind::NotFound)
}

/// Evaluates one message and publishes what is said of it.
async fn answer<E: Evaluate>(
    link: &Link,
    evaluate: &Arc<E>,
    rules: &Shelf<E>,
    stand: &mut Stand<E>,
    work: Work,
    after: u64,
) -> Result<()> {
    let (run, partition, n) = (work.run, work.partition, work.n);
    let set = rules.get(link, evaluate, &work.rules).await?;
    let mut place = match stand.place.take() {
        Some((hash, place)) if hash == work.rules => place,
        Some((_, mut place)) => {
            evaluate.change(&mut place, &set);
            place
        }
        None => evaluate.begin(&set, &stand.state),
    };
    let (evaluate, hash) = (evaluate.clone(), work.rules.clone());
    let done = tokio::task::spawn_blocking(move || {
        let (body, state) = evaluate.take(&mut place, work);
        (place, body, state)
    });
    let (place, body, state) = done.await.map_err(|e| BusError::failed("evaluate events", e))?;
    let answer = Answer { run, partition, n, made: stand.made, after, state, body };
    let sent = send(link, link.answer_subject(partition), answer.id(), pack(&answer)?).await?;
    sent.await.map_err(|e| not_taken("answers", &e))?;
    (stand.n, stand.place) = (n + 1, Some((hash, place)));
    Ok(())
}
