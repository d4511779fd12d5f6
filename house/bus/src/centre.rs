//! The main node's side: publishes what is to be evaluated, takes the answers in the order of the spool.
//!
//! A run begins at the offset up to which everything is evaluated and known on disk or in memory, and with what each
//! partition still waits for there. Whatever is wrong with the bus ends the run; the next one publishes again from
//! where evaluation stands. So nothing on the bus is ever needed to find out what was evaluated.
//!
//! Limits: [`AHEAD_ROUNDS_MAX`] rounds are on their way; where no answer comes for [`SILENT`] the run is looked after.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use async_nats::jetstream::{consumer::DeliverPolicy, message::PublishMessage};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    BusError, Link, Result,
    lease::Table,
    message::{Answer, Frame, Work, pack, unpack},
    order::{Done, Order},
};

/// Rounds that may be on their way.
pub const AHEAD_ROUNDS_MAX: usize = 32;
/// How long no answer may come before the bus is looked at.
const SILENT: Duration = Duration::from_secs(5);
/// How long answers may take where nodes are there and hold partitions.
const STALLED: Duration = Duration::from_secs(60);
/// A node whose entry is so old is gone; clocks may differ somewhat.
const FORGOTTEN_S: i64 = 20;
const CLEAN_EVERY: Duration = Duration::from_secs(5);
/// Room that headers and framing take in a message.
const HEADERS: usize = 1 << 10;
/// Sets of rules that stay, for nodes that are behind.
const RULES_KEPT: usize = 3;

/// An answer, with its place in JetStream.
type Heard = Result<(u64, Answer)>;

/// One run.
pub struct Centre {
    link: Link,
    order: Order,
    heard: mpsc::Receiver<Heard>,
    reader: JoinHandle<()>,
    /// What each partition waits for, to be sent with its first message.
    states: BTreeMap<u32, Vec<u8>>,
    rules: String,
    /// Names of the files of the newest sets of rules.
    files: VecDeque<BTreeSet<String>>,
    /// The last message of each round that is on its way, in JetStream.
    ends: VecDeque<u64>,
    newest: u64,
    /// Up to where events and answers, by partition, are done with.
    over: (u64, BTreeMap<u32, u64>),
    cleaned_at: Instant,
    heard_at: Instant,
    looked_at: Instant,
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Centre {
    /// Begins a run. Its number is the time, and in any case higher than that of the run before.
    pub async fn begin(link: Link, now: u64, states: BTreeMap<u32, Vec<u8>>) -> Result<Centre> {
        link.prepare().await?;
        let run = link.run().await?.map_or(now, |before| now.max(before + 1));
        link.begin_run(run).await?;
        let (events, answers) = (link.events().await?, link.answers().await?);
        // What is there was asked for by a run that is over.
        events.purge().await.map_err(|e| BusError::failed("empty the events in NATS", e))?;
        let subject = link.answer_subject_all();
        let mut messages = link.read(&answers, subject, DeliverPolicy::New).await?;
        let (tell, heard) = mpsc::channel(AHEAD_ROUNDS_MAX);
        let reader = tokio::spawn(async move {
            loop {
                let heard = match messages.next().await {
                    Some(Ok(message)) => match (message.info(), unpack(&message.payload)) {
                        (Ok(info), Ok(answer)) => Ok((info.stream_sequence, answer)),
                        (Err(e), _) => Err(BusError::failed("read an answer", e)),
                        // What cannot be read was not asked for by us; what is missing then is asked again.
                        (_, Err(error)) => {
                            tracing::warn!(%error, "an answer of a node cannot be read");
                            continue;
                        }
                    },
                    Some(Err(e)) => Err(BusError::failed("read answers from NATS", e)),
                    None => Err(BusError::Gone { what: "answers".to_owned() }),
                };
                let is_over = heard.is_err();
                if tell.send(heard).await.is_err() || is_over {
                    return;
                }
            }
        });
        let now = Instant::now();
        Ok(Centre {
            order: Order::new(run, link.settings.partitions),
            link,
            heard,
            reader,
            states,
            rules: String::new(),
            files: VecDeque::new(),
            ends: VecDeque::new(),
            newest: 0,
            over: (0, BTreeMap::new()),
            cleaned_at: now,
            heard_at: now,
            looked_at: now,
        })
    }

    pub fn link(&self) -> &Link {
        &self.link
    }

    pub fn partitions(&self) -> u32 {
        self.link.settings.partitions
    }

    /// Whether another round may begin.
    pub fn has_room(&self) -> bool {
        self.order.under_way() < AHEAD_ROUNDS_MAX
    }

    pub fn under_way(&self) -> usize {
        self.order.under_way()
    }

    /// Whether a set of rules is the one that was given last.
    pub fn is_provided(&self, hash: &str) -> bool {
        self.rules == hash
    }

    /// Puts a set of rules where nodes find it; done once for each set.
    pub async fn provide(
        &mut self,
        hash: &str,
        bundle: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<()> {
        if self.rules == hash {
            return Ok(());
        }
        let rules = self.link.rules().await?;
        let failed = |e: &dyn std::fmt::Display| BusError::failed("give the rules to NATS", e);
        if rules.info(hash).await.is_err() {
            let bytes = bundle()?;
            rules.put(hash, &mut bytes.as_slice()).await.map_err(|e| failed(&e))?;
        }
        self.rules = hash.to_owned();
        let mut listed = rules.list().await.map_err(|e| failed(&e))?;
        let mut others = Vec::new();
        while let Some(Ok(object)) = listed.next().await {
            if object.name != hash {
                others.push((object.modified, object.name));
            }
        }
        others.sort();
        let gone = others.len().saturating_sub(RULES_KEPT - 1);
        for (_, name) in others.into_iter().take(gone) {
            rules.delete(&name).await.map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// Puts files where nodes find them that have the rules, each by a name that says its content, and removes those that
    /// no set of rules of late named.
    pub async fn provide_files(&mut self, files: &[(String, std::path::PathBuf)]) -> Result<()> {
        let store = self.link.files().await?;
        let failed = |e: &dyn std::fmt::Display| BusError::failed("give files to NATS", e);
        for (name, path) in files {
            if store.info(name).await.is_err() {
                let mut file = match tokio::fs::File::open(path).await {
                    Ok(file) => file,
                    Err(error) => {
                        // Nodes say that they have not got it, and work goes on.
                        tracing::warn!(%error, name, "a file for other nodes is not there");
                        continue;
                    }
                };
                store.put(name.as_str(), &mut file).await.map_err(|e| failed(&e))?;
            }
        }
        self.files.push_back(files.iter().map(|(name, _)| name.clone()).collect());
        while self.files.len() > RULES_KEPT {
            self.files.pop_front();
        }
        let mut listed = store.list().await.map_err(|e| failed(&e))?;
        let mut gone = Vec::new();
        while let Some(Ok(object)) = listed.next().await {
            if !self.files.iter().any(|kept| kept.contains(&object.name)) {
                gone.push(object.name);
            }
        }
        for name in gone {
            store.delete(&name).await.map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// Publishes a round: frames by partition, up to an offset. Returns once JetStream has all of them.
    pub async fn publish(
        &mut self,
        to: u64,
        now: Option<i64>,
        parts: BTreeMap<u32, Vec<Frame>>,
    ) -> Result<()> {
        if self.order.under_way() == 0 {
            self.heard_at = Instant::now();
        }
        let partitions: Vec<u32> = parts.keys().copied().collect();
        let numbers = self.order.begin(to, &partitions);
        let mut waiting = Vec::with_capacity(parts.len());
        for ((partition, frames), n) in parts.into_iter().zip(numbers) {
            let state = self.states.remove(&partition).filter(|_| n == 0);
            let (run, rules) = (self.order.run(), self.rules.clone());
            let work = Work { run, partition, n, to, now, rules, state, frames };
            let subject = self.link.event_subject(partition);
            waiting.push(send(&self.link, subject, work.id(), pack(&work)?).await?);
        }
        for acknowledged in waiting {
            let place = acknowledged.await.map_err(|e| not_taken("events", &e))?;
            self.newest = self.newest.max(place.sequence);
        }
        self.ends.push_back(self.newest);
        Ok(())
    }

    /// Takes answers until the oldest round is complete, at most so long.
    pub async fn done(&mut self, patience: Duration) -> Result<Option<Done>> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            if let Some(done) = self.order.done() {
                self.over.0 = self.ends.pop_front().unwrap_or(self.over.0);
                return Ok(Some(done));
            }
            if self.order.under_way() == 0 {
                return Ok(None);
            }
            let Ok(heard) = tokio::time::timeout_at(until, self.heard.recv()).await else {
                return Ok(None);
            };
            let heard = heard.ok_or_else(|| BusError::Gone { what: "answers".to_owned() })?;
            let (place, answer) = heard?;
            let partition = answer.partition;
            if self.order.take(answer) {
                self.heard_at = Instant::now();
                self.over.1.insert(partition, place);
            }
        }
    }

    /// Removes what was answered, from time to time; an answer of each partition stays, with its state.
    pub async fn clean(&mut self) -> Result<()> {
        let (events, answers) = &self.over;
        if (*events == 0 && answers.is_empty()) || self.cleaned_at.elapsed() < CLEAN_EVERY {
            return Ok(());
        }
        let failed = |e: &dyn std::fmt::Display| BusError::failed("remove what was answered", e);
        let stream = self.link.events().await?;
        stream.purge().sequence(events + 1).await.map_err(|e| failed(&e))?;
        let stream = self.link.answers().await?;
        for (partition, place) in answers {
            let subject = self.link.answer_subject(*partition);
            stream.purge().filter(subject).sequence(*place).await.map_err(|e| failed(&e))?;
        }
        self.over = (0, BTreeMap::new());
        self.cleaned_at = Instant::now();
        Ok(())
    }

    /// Where no answer comes: whether what was published is still there, and whether anyone is there to answer.
    pub async fn look_after(&mut self) -> Result<()> {
        let silent = self.heard_at.elapsed();
        if self.order.under_way() == 0 || silent < SILENT || self.looked_at.elapsed() < SILENT {
            return Ok(());
        }
        self.looked_at = Instant::now();
        let gone = |error| match error {
            BusError::Missing { what } => BusError::Gone { what },
            other => other,
        };
        let events = self.link.events().await.map_err(gone)?;
        if events.cached_info().state.last_sequence < self.newest {
            return Err(BusError::Gone { what: "events".to_owned() });
        }
        self.link.answers().await.map_err(gone)?;
        if self.link.run().await? != Some(self.order.run()) {
            return Err(BusError::Shared { name: self.link.settings.name.clone() });
        }
        if silent >= STALLED && !self.nodes().await?.is_empty() {
            return Err(BusError::failed("wait for nodes", "no answer for a minute; asking again"));
        }
        Ok(())
    }

    /// Nodes that hold partitions, and how many.
    pub async fn nodes(&self) -> Result<BTreeMap<String, u32>> {
        let store = self.link.nodes().await?;
        let failed = |e: &dyn std::fmt::Display| BusError::failed("ask who evaluates", e);
        let mut table = Table::new("", self.partitions());
        let mut watch = store.watch_with_history(">").await.map_err(|e| failed(&e))?;
        let (patience, now) = (Duration::from_secs(2), async_nats::datetime::now());
        while let Ok(Some(Ok(entry))) = tokio::time::timeout(patience, watch.next()).await {
            let is_put = entry.operation == async_nats::jetstream::kv::Operation::Put;
            let value = String::from_utf8_lossy(&entry.value).into_owned();
            let age_s = (now - entry.created).whole_seconds();
            let is_gone = entry.key.starts_with(crate::lease::NODE) && age_s > FORGOTTEN_S;
            let value = Some(&*value).filter(|_| is_put && !is_gone);
            table.see(&entry.key, value, entry.revision, 0);
            if entry.seen_current || entry.delta == 0 {
                break;
            }
        }
        let living: Vec<String> = table.living(0).into_iter().map(str::to_owned).collect();
        let mut held = table.held();
        held.retain(|node, _| living.contains(node));
        Ok(held)
    }
}

/// Sends a message that JetStream takes once, however often it is sent within its window.
pub(crate) async fn send(
    link: &Link,
    subject: String,
    id: String,
    bytes: Vec<u8>,
) -> Result<async_nats::jetstream::context::PublishAckFuture> {
    let max = link.client.server_info().max_payload;
    if bytes.len() + HEADERS > max {
        return Err(BusError::TooLarge { bytes: bytes.len(), max });
    }
    let message = PublishMessage::build().payload(Bytes::from(bytes)).message_id(id);
    let sent = link.jetstream.send_publish(subject, message).await;
    sent.map_err(|e| not_taken("messages", &e))
}

pub(crate) fn not_taken(
    what: &str,
    error: &async_nats::jetstream::context::PublishError,
) -> BusError {
    use async_nats::jetstream::context::PublishErrorKind;
    match error.kind() {
        PublishErrorKind::StreamNotFound => BusError::Gone { what: what.to_owned() },
        _ => BusError::failed("publish to NATS", error),
    }
}
