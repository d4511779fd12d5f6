//! The connection, and what there is in JetStream: events to evaluate, answers, who is there, rules.
//!
//! Names begin with the name of the bus. The events hold what is under way and no more: the main node publishes so far
//! ahead as [`crate::centre`] allows and removes what was answered.

use std::time::Duration;

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, pull},
        kv, object_store,
        stream::{Config, DiscardPolicy, StorageType, Stream},
    },
};

use crate::{BusError, Result, Settings};

const CONNECT: Duration = Duration::from_secs(5);
const ASK: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(15);
/// A repetition within this time is known to JetStream itself.
const DUPLICATES: Duration = Duration::from_secs(120);
const EVENTS_BYTES_MAX: i64 = 512 << 20;
const CREDENTIALS_BYTES_MAX: u64 = 64 << 10;
/// A reader that is not heard for so long is forgotten by the server.
const READER_IDLE: Duration = Duration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(10);
const PULL: Duration = Duration::from_secs(30);

/// Key under which the main node says how many partitions there are.
pub(crate) const PARTITIONS: &str = "partitions";

/// Key under which the run of the main node stands.
const RUN: &str = "run";

/// A connection to the bus.
#[derive(Clone, Debug)]
pub struct Link {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) settings: Settings,
}

impl Link {
    /// Connects; what goes wrong is said, and who asked tries again.
    pub async fn connect(settings: &Settings) -> Result<Link> {
        let options = ConnectOptions::new()
            .name(format!("ume {}", settings.node))
            .connection_timeout(CONNECT)
            .request_timeout(Some(ASK))
            .ping_interval(PING)
            .reconnect_delay_callback(|tries| {
                Duration::from_millis((tries as u64 * 100).min(1_000))
            });
        let options = secured(options, settings);
        let options = let_in(options, settings).await?;
        let url = || shown(&settings.url);
        let client =
            options.connect(addresses(&settings.url)?).await.map_err(|error| {
                match error.kind() {
                    ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                        BusError::Refused { url: url() }
                    }
                    ConnectErrorKind::Tls => {
                        BusError::Tls { url: url(), reason: error.to_string() }
                    }
                    _ => BusError::Away { url: url(), reason: error.to_string() },
                }
            })?;
        if !client.server_info().jetstream {
            return Err(BusError::NoJetStream { url: url() });
        }
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(ASK)
            .ack_timeout(ASK)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Link { client, jetstream, settings: settings.clone() })
    }

    /// Whether the server is there now.
    pub fn is_up(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    pub(crate) fn event_subject(&self, partition: u32) -> String {
        format!("{}.events.{partition}", self.settings.name)
    }

    pub(crate) fn answer_subject(&self, partition: u32) -> String {
        format!("{}.answers.{partition}", self.settings.name)
    }

    pub(crate) fn answer_subject_all(&self) -> String {
        format!("{}.answers.*", self.settings.name)
    }

    fn named(&self, what: &str) -> String {
        format!("{}_{what}", self.settings.name)
    }

    /// Makes what is not there.
    pub(crate) async fn prepare(&self) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| BusError::failed("make a stream in NATS", e);
        for what in ["events", "answers"] {
            let config = Config {
                name: self.named(what),
                subjects: vec![format!("{}.{what}.*", self.settings.name)],
                max_bytes: EVENTS_BYTES_MAX,
                discard: DiscardPolicy::New,
                storage: StorageType::File,
                num_replicas: self.settings.replicas,
                duplicate_window: DUPLICATES,
                allow_direct: true,
                ..Config::default()
            };
            self.jetstream.create_or_update_stream(config).await.map_err(|e| failed(&e))?;
        }
        let bucket = kv::Config {
            bucket: self.named("nodes"),
            history: 1,
            num_replicas: self.settings.replicas,
            ..kv::Config::default()
        };
        self.jetstream.create_or_update_key_value(bucket).await.map_err(|e| failed(&e))?;
        let partitions = self.settings.partitions.to_string();
        let nodes = self.nodes().await?;
        let told = nodes.get(PARTITIONS).await.map_err(|e| failed(&e))?;
        if told.as_deref() != Some(partitions.as_bytes()) {
            nodes.put(PARTITIONS, partitions.into()).await.map_err(|e| failed(&e))?;
        }
        if self.rules().await.is_err() {
            let bucket = object_store::Config {
                bucket: self.named("rules"),
                num_replicas: self.settings.replicas,
                ..object_store::Config::default()
            };
            self.jetstream.create_object_store(bucket).await.map_err(|e| failed(&e))?;
        }
        if self.files().await.is_err() {
            let bucket = object_store::Config {
                bucket: self.named("files"),
                num_replicas: self.settings.replicas,
                ..object_store::Config::default()
            };
            self.jetstream.create_object_store(bucket).await.map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// The run that began last.
    pub(crate) async fn run(&self) -> Result<Option<u64>> {
        let told = self.nodes().await?.get(RUN).await;
        let told = told.map_err(|e| BusError::failed("ask NATS for the last run", e))?;
        Ok(told.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()))
    }

    pub(crate) async fn begin_run(&self, run: u64) -> Result<()> {
        let told = self.nodes().await?.put(RUN, run.to_string().into()).await;
        told.map(drop).map_err(|e| BusError::failed("begin a run in NATS", e))
    }

    pub(crate) async fn events(&self) -> Result<Stream> {
        self.stream("events").await
    }

    pub(crate) async fn answers(&self) -> Result<Stream> {
        self.stream("answers").await
    }

    async fn stream(&self, what: &str) -> Result<Stream> {
        let name = self.named(what);
        self.jetstream.get_stream(&name).await.map_err(|error| match error.kind() {
            jetstream::context::GetStreamErrorKind::JetStream(_) => {
                BusError::Missing { what: name }
            }
            _ => BusError::failed("ask NATS for a stream", error),
        })
    }

    pub(crate) async fn nodes(&self) -> Result<kv::Store> {
        let name = self.named("nodes");
        let asked = self.jetstream.get_key_value(&name).await;
        asked.map_err(|_| BusError::Missing { what: name })
    }

    /// Files that sets of rules name.
    pub(crate) async fn files(&self) -> Result<object_store::ObjectStore> {
        let name = self.named("files");
        let asked = self.jetstream.get_object_store(&name).await;
        asked.map_err(|_| BusError::Missing { what: name })
    }

    pub(crate) async fn rules(&self) -> Result<object_store::ObjectStore> {
        let name = self.named("rules");
        let asked = self.jetstream.get_object_store(&name).await;
        asked.map_err(|_| BusError::Missing { what: name })
    }

    /// The messages of a subject from a place on.
    pub(crate) async fn read(
        &self,
        stream: &Stream,
        subject: String,
        deliver_policy: DeliverPolicy,
    ) -> Result<pull::Stream> {
        let failed = |e: &dyn std::fmt::Display| BusError::failed("read from NATS", e);
        let config = pull::Config {
            deliver_policy,
            ack_policy: AckPolicy::None,
            filter_subject: subject,
            inactive_threshold: READER_IDLE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|e| failed(&e))?;
        let messages =
            consumer.stream().max_messages_per_batch(32).heartbeat(HEARTBEAT).expires(PULL);
        messages.messages().await.map_err(|e| failed(&e))
    }
}

fn addresses(url: &str) -> Result<Vec<async_nats::ServerAddr>> {
    let one = |text: &str| {
        text.trim()
            .parse()
            .map_err(|e: std::io::Error| BusError::Away { url: shown(url), reason: e.to_string() })
    };
    url.split(',').map(one).collect()
}

/// The address without what lies before an `@`.
fn shown(url: &str) -> String {
    let one = |text: &str| match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => text.trim().to_owned(),
    };
    url.split(',').map(one).collect::<Vec<_>>().join(",")
}

fn secured(options: ConnectOptions, settings: &Settings) -> ConnectOptions {
    let mut options = options.require_tls(settings.url.starts_with("tls://"));
    if let Some(ca) = &settings.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((certificate, key)) = &settings.identity {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    options
}

/// The three kinds of files are told apart by what they hold.
async fn let_in(options: ConnectOptions, settings: &Settings) -> Result<ConnectOptions> {
    let Some(path) = &settings.credentials else { return Ok(options) };
    let wrong = |reason: String| BusError::Credentials { path: path.clone(), reason };
    let file = tokio::fs::metadata(path).await.map_err(|e| wrong(e.to_string()))?;
    if file.len() > CREDENTIALS_BYTES_MAX {
        return Err(wrong(format!("more than {CREDENTIALS_BYTES_MAX} bytes")));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(|e| wrong(e.to_string()))?;
    if text.contains("-----BEGIN") {
        return options.credentials(&text).map_err(|e| wrong(e.to_string()));
    }
    let line = text.lines().next().unwrap_or_default().trim();
    Ok(match line.split_once(':') {
        _ if line.is_empty() => return Err(wrong("nothing in it".to_owned())),
        Some((user, password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        None => options.token(line.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_an_address_is_shown() {
        assert_eq!(shown("nats://u:secret@a:1, tls://b:2"), "nats://a:1,tls://b:2");
    }
}
