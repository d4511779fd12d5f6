//! Values that devices are asked for by SNMP (v2c, v3), as samples of `metrics` are.
//!
//! One task a device. Each round makes one sample of each series, and `up`; a round that failed is counted as one
//! lost, since how many samples it would have made nobody knows. States that the profile wants told (a UPS on
//! battery) are events of their own when they begin. After a failure the engine of v3 is looked for anew.
//!
//! Limits: [`TRIES`] sendings of a request of [`WAIT`] each, [`ROUND_MIN`] to [`ROUND_MAX`] for a round, what
//! `snmp::profile` says of rows and samples. A table whose rows do not ascend is cut there and the round fails: such
//! an agent would be walked for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::Timestamp;
use tokio::{
    net::{UdpSocket, lookup_host},
    time::{Instant, MissedTickBehavior, timeout, timeout_at},
};

use super::{Shutdown, blocking, now};
use crate::{
    Format, RawLine, Result, Stream,
    metrics::Sample,
    snmp::{
        Oid, dotted,
        message::{Kind, Pdu, Value},
        peer::{Heard, Peer, Security},
        profile::{Found, Plan, ROWS_MAX},
    },
};

const TRIES: usize = 3;
const WAIT: Duration = Duration::from_secs(2);
const ROUND_MAX: Duration = Duration::from_secs(60);
/// However short the interval is, a slow device has this long; rounds that are missed meanwhile are left out.
const ROUND_MIN: Duration = Duration::from_secs(10);
/// How often the security of v3 may ask that a request be sent again: its engine, its clock, and one change.
const LESSONS_MAX: usize = 4;
/// Single values of one request.
const SINGLES: usize = 16;
/// Rows that are asked for at once; a device whose answers would be too big is asked for fewer.
const REPETITIONS: u32 = 24;
const DATAGRAM_BYTES_MAX: usize = 65_507;
const PORT: u16 = 161;
const FAILED: &str = "poll failed";
/// `error-status` of RFC 3416.
const TOO_BIG: i64 = 1;

/// A device to ask.
#[derive(Clone)]
pub struct Poll {
    /// Name or address, perhaps with a port.
    pub target: String,
    pub source: String,
    pub every: Duration,
    /// Who we are; made anew after each failure, so that a changed password is taken up.
    pub security: Arc<Credentials>,
    pub plan: Plan,
}

/// Reads who we are, or says why that is not known.
pub type Credentials = dyn Fn() -> std::result::Result<Security, String> + Send + Sync;

impl Poll {
    /// Asks until the end.
    pub async fn run(self, stream: Stream, mut shutdown: Shutdown) -> Result<()> {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut agent = Agent::new(&self);
        let (mut states, mut trouble) = (BTreeMap::new(), String::new());
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.wait_for(|end| *end) => return Ok(()),
            }
            let time = now();
            let round = agent.round(&self.plan);
            let found = tokio::select! {
                found = timeout(self.every.clamp(ROUND_MIN, ROUND_MAX), round) => {
                    found.unwrap_or_else(|_| Err("the round took too long".to_owned()))
                }
                _ = shutdown.wait_for(|end| *end) => return Ok(()),
            };
            if let Err(reason) = &found
                && *reason != trouble
            {
                tracing::warn!(source = self.source, target = self.target, reason, "poll failed");
            }
            trouble = found.as_ref().err().cloned().unwrap_or_default();
            if !trouble.is_empty() {
                agent = Agent::new(&self);
            }
            let lines = self.lines(found.ok(), &mut states, time);
            if let Err(error) = self.store(&stream, lines, !trouble.is_empty(), time).await {
                tracing::error!(source = self.source, %error, "measurements were not stored");
            }
        }
    }

    fn lines(
        &self,
        found: Option<Found>,
        states: &mut BTreeMap<String, bool>,
        time: Timestamp,
    ) -> Vec<RawLine> {
        let up = f64::from(u8::from(found.is_some()));
        let (mut samples, told) = self.plan.samples(&found.unwrap_or_default());
        samples.push(Sample {
            name: "up".to_owned(),
            labels: Vec::new(),
            value: up,
            kind: Some("gauge"),
            time: None,
        });
        let line = |s: &Sample| RawLine::with_format(s.line(&self.target, time), Format::Json);
        let mut lines: Vec<RawLine> = samples.iter().map(line).collect();
        for (series, holds, told) in told {
            let held = states.insert(series, holds).unwrap_or(false);
            if holds && !held {
                let (app, message) = (&told.app, &told.message);
                // local1.warning. The host of the header is known by its address, without a port.
                let host = host(&self.target).0;
                let text = format!("<140>1 {} {host} {app} - - - {message}", time.rfc3339());
                lines.push(RawLine::with_format(text, Format::Syslog));
            }
        }
        lines
    }

    async fn store(
        &self,
        stream: &Stream,
        lines: Vec<RawLine>,
        failed: bool,
        time: Timestamp,
    ) -> Result<()> {
        let (stream, source) = (stream.clone(), self.source.clone());
        blocking(move || {
            if failed {
                stream.lost(&source, FAILED, 1)?;
            }
            stream.ingest(&source, lines, time).map(drop)
        })
        .await
    }
}

/// Name or address, and port.
fn host(target: &str) -> (&str, u16) {
    if let Some((address, rest)) = target.strip_prefix('[').and_then(|t| t.split_once(']')) {
        let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
        return (address, port.unwrap_or(PORT));
    }
    match target.split_once(':') {
        // More than one colon is an address of version 6.
        Some((name, port)) if !port.contains(':') => (name, port.parse().unwrap_or(PORT)),
        _ => (target, PORT),
    }
}

/// The conversation with a device.
struct Agent {
    target: String,
    security: Arc<Credentials>,
    peer: Option<Peer>,
    socket: Option<UdpSocket>,
    started: Instant,
    id: i32,
    salt: u64,
    repetitions: u32,
    buffer: Vec<u8>,
}

type Said<T> = std::result::Result<T, String>;

impl Agent {
    fn new(poll: &Poll) -> Agent {
        let mut seed = [0; 16];
        // Where the system has no randomness, the clock keeps salts apart.
        if getrandom::fill(&mut seed).is_err() {
            seed = i128::from(now().0).to_le_bytes();
        }
        let [a, b] = [&seed[..8], &seed[8..]].map(|half| half.try_into().unwrap_or_default());
        Agent {
            target: poll.target.clone(),
            security: poll.security.clone(),
            peer: None,
            socket: None,
            started: Instant::now(),
            id: (u64::from_le_bytes(a) & 0x3fff_ffff) as i32,
            salt: u64::from_le_bytes(b),
            repetitions: REPETITIONS,
            buffer: vec![0; DATAGRAM_BYTES_MAX],
        }
    }

    async fn round(&mut self, plan: &Plan) -> Said<Found> {
        if self.peer.is_none() {
            let security = self.security.clone();
            // A file, and a million bytes that are hashed.
            let made = tokio::task::spawn_blocking(move || security()).await;
            self.peer = Some(Peer::new(made.map_err(|error| error.to_string())??));
        }
        let mut found = Found::new();
        for oids in plan.singles().chunks(SINGLES) {
            let pdu = self.ask(Kind::Get, oids).await?;
            found.extend(pdu.variables.into_iter().filter(|(_, value)| is_there(value)));
        }
        let mut walked = BTreeSet::new();
        while let Some(column) = plan.next(&found, &walked) {
            self.walk(&column, &mut found).await?;
            walked.insert(column);
        }
        Ok(found)
    }

    /// Reads a column to its end.
    async fn walk(&mut self, column: &Oid, found: &mut Found) -> Said<()> {
        let mut last = column.clone();
        let mut rows = 0;
        loop {
            let kind = if self.repetitions > 1 { Kind::GetBulk } else { Kind::GetNext };
            let pdu = self.ask(kind, std::slice::from_ref(&last)).await?;
            if pdu.status == TOO_BIG && self.repetitions > 1 {
                self.repetitions /= 2;
                continue;
            }
            // Version 1 manners: an error instead of an end.
            if pdu.status != 0 || pdu.variables.is_empty() {
                return Ok(());
            }
            for (oid, value) in pdu.variables {
                if matches!(value, Value::End) || !oid.starts_with(column) {
                    return Ok(());
                }
                if oid <= last {
                    return Err(format!("{}: its rows do not ascend", dotted(column)));
                }
                last.clone_from(&oid);
                rows += 1;
                if rows > ROWS_MAX {
                    tracing::warn!(target = self.target, column = dotted(column), "too many rows");
                    return Ok(());
                }
                if is_there(&value) {
                    found.insert(oid, value);
                }
            }
        }
    }

    /// Asks until it is answered.
    async fn ask(&mut self, kind: Kind, oids: &[Oid]) -> Said<Pdu> {
        let mut lessons = 0;
        let mut tries = 0;
        while tries < TRIES && lessons <= LESSONS_MAX {
            // A number of its own each time: an answer that comes late fits nothing.
            self.id = self.id.wrapping_add(1) & i32::MAX;
            self.salt = self.salt.wrapping_add(1);
            let pdu = Pdu::request(kind, self.id, oids, self.repetitions);
            let salt = self.salt.to_be_bytes();
            let now_s = self.started.elapsed().as_secs();
            let Some(peer) = &mut self.peer else { return Err("no credentials".to_owned()) };
            let bytes = peer.ask(&pdu, now_s, salt);
            match self.exchange(&bytes).await? {
                Some(Heard::Answer(pdu)) => return Ok(pdu),
                Some(_) => lessons += 1,
                None => tries += 1,
            }
        }
        let silent = self.peer.as_ref().is_some_and(Peer::is_silent_in_private);
        Err(if tries == TRIES && silent {
            "authentication succeeded, but encrypted requests are not answered: the privacy password, the cipher or \
             key_extension is another than the agent's"
        } else if tries == TRIES {
            "no answer: address, port, firewall, or a community or user that it does not know"
        } else {
            "the agent's clock or engine changes with every message"
        }
        .to_owned())
    }

    /// Sends, and waits for what belongs to it.
    async fn exchange(&mut self, bytes: &[u8]) -> Said<Option<Heard>> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(&self.target).await?,
        };
        let socket = self.socket.insert(socket);
        let until = Instant::now() + WAIT;
        if socket.send(bytes).await.is_err() {
            // A refusal of an earlier datagram; this one was not sent.
            tokio::time::sleep_until(until.min(Instant::now() + WAIT / 4)).await;
            return Ok(None);
        }
        loop {
            let Ok(came) = timeout_at(until, socket.recv(&mut self.buffer)).await else {
                return Ok(None);
            };
            let Ok(size) = came else {
                tokio::time::sleep_until(until.min(Instant::now() + WAIT / 4)).await;
                return Ok(None);
            };
            let now_s = self.started.elapsed().as_secs();
            let heard = self.peer.as_mut().map(|peer| peer.hear(&self.buffer[..size], now_s));
            match heard.transpose().map_err(|refusal| refusal.to_string())? {
                None | Some(Heard::Stale) => {}
                heard => return Ok(heard),
            }
        }
    }
}

fn is_there(value: &Value) -> bool {
    !matches!(value, Value::Absent | Value::End | Value::Other(_))
}

async fn connect(target: &str) -> Said<UdpSocket> {
    let said = |error: std::io::Error| error.to_string();
    let address = lookup_host(host(target)).await.map_err(said)?.next();
    let address = address.ok_or("the name has no address")?;
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.map_err(said)?;
    // Only the agent's own datagrams arrive.
    socket.connect(address).await.map_err(said)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::{
        Limits,
        snmp::{
            ber::{NULL, OCTETS, SEQUENCE, element, put, put_identifier, put_integer, whole},
            parse_oid,
        },
    };

    /// An agent of v2c over a table of values; `circles` never comes to an end.
    async fn agent(table: Vec<(&'static str, Vec<u8>)>, circles: bool) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let table: BTreeMap<Oid, Vec<u8>> =
            table.into_iter().map(|(oid, value)| (parse_oid(oid).unwrap(), value)).collect();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((size, peer)) = socket.recv_from(&mut buffer).await {
                let (message, _) = element(&buffer[..size], SEQUENCE).unwrap();
                let (_, rest) = whole(message).unwrap();
                let (community, pdu) = element(rest, OCTETS).unwrap();
                let request = Pdu::read(pdu).unwrap();
                let mut list = Vec::new();
                for (oid, _) in &request.variables {
                    let one = |oid: &Oid, value: &[u8]| {
                        put(SEQUENCE, &[put_identifier(oid), value.to_vec()].concat())
                    };
                    if request.kind == Kind::Get {
                        let nothing = put(0x81, &[]);
                        list.extend(one(oid, table.get(oid).unwrap_or(&nothing)));
                    } else if circles {
                        let (first, value) = table.iter().next().unwrap();
                        list.extend(one(first, value));
                    } else {
                        let next = table.range(oid.clone()..).filter(|(at, _)| *at != oid);
                        let next: Vec<_> = next.take(request.index.max(1) as usize).collect();
                        next.iter().for_each(|(oid, value)| list.extend(one(oid, value)));
                        if next.is_empty() {
                            list.extend(one(oid, &put(0x82, &[])));
                        }
                    }
                }
                let numbers = [request.id.into(), 0, 0].map(put_integer).concat();
                let pdu = put(0xa2, &[numbers, put(SEQUENCE, &list)].concat());
                let answer = [put_integer(1), put(OCTETS, community), pdu].concat();
                // What comes first belongs to nobody.
                socket.send_to(b"noise", peer).await.unwrap();
                socket.send_to(&put(SEQUENCE, &answer), peer).await.unwrap();
            }
        });
        address
    }

    fn poll(target: String, profiles: &[&str]) -> Poll {
        let profiles: Vec<String> = profiles.iter().map(ToString::to_string).collect();
        Poll {
            target,
            source: "devices".to_owned(),
            every: Duration::from_secs(1),
            security: Arc::new(|| Ok(Security::Community(b"public".to_vec()))),
            plan: Plan::new(&profiles, Vec::new()).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_device_is_polled_and_what_begins_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let stream = Stream::open(folder.path(), Limits::default()).unwrap();
        let table = vec![
            ("1.3.6.1.2.1.1.3.0", put(0x43, &[1, 0])),
            ("1.3.6.1.2.1.2.2.1.2.1", put(OCTETS, b"eth0")),
            ("1.3.6.1.2.1.2.2.1.10.1", put(0x41, &[9])),
            ("1.3.6.1.2.1.33.1.4.1.0", put_integer(5)),
            ("1.3.6.1.2.1.33.1.2.4.0", put(NULL, &[])),
        ];
        let target = agent(table, false).await;
        let (end, shutdown) = watch::channel(false);
        let mut poll = poll(target, &["interfaces", "ups"]);
        poll.every = Duration::from_millis(300);
        let task = tokio::spawn(poll.run(stream.clone(), shutdown));
        tokio::time::sleep(Duration::from_millis(1000)).await;
        end.send(true).unwrap();
        task.await.unwrap().unwrap();
        stream.flush(now()).unwrap();
        let found =
            crate::search(&folder.path().join("archive"), &crate::Query::default()).unwrap();
        let count = |text: &str| found.events.iter().filter(|e| e.message == text).count();
        assert!(count("snmp_uptime_seconds 2.56") >= 2, "{:#?}", found.events);
        assert!(count("if_received_bytes_total{interface=\"eth0\"} 9") >= 2);
        assert!(count("up 1") >= 2 && count("up 0") == 0);
        assert_eq!(count("UPS on battery: the power is out"), 1);
        let told = found.events.iter().find(|e| e.app == "snmp-ups").unwrap();
        assert_eq!(told.host, "127.0.0.1");
    }

    #[tokio::test]
    async fn an_agent_that_goes_in_circles_fails_the_round() {
        let table = vec![("1.3.6.1.2.1.2.2.1.10.1", put(0x41, &[9]))];
        let poll = poll(agent(table, true).await, &["interfaces"]);
        let trouble = Agent::new(&poll).round(&poll.plan).await.unwrap_err();
        // The table of 64-bit counters ends at once; that of 32 bits never does.
        assert_eq!(trouble, "1.3.6.1.2.1.2.2.1.10: its rows do not ascend");
    }

    #[test]
    fn targets_have_a_port_or_the_usual_one() {
        for (target, wanted) in [
            ("sw1", ("sw1", 161)),
            ("sw1:1161", ("sw1", 1161)),
            ("::1", ("::1", 161)),
            ("[::1]:99", ("::1", 99)),
            ("[::1]", ("::1", 161)),
        ] {
            assert_eq!(host(target), wanted, "{target}");
        }
    }
}
