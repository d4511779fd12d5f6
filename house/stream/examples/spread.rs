//! An archive of drawn events that arrived evenly over the days before a moment, for measuring what reads windows of it.
//!   spread FOLDER EVENTS DAYS [END]      END as 2026-11-28T00:00:00Z; writes below FOLDER, which must not exist

use std::path::Path;

use model::Timestamp;
use stream::{Limits, RawLine, Stream};

type Failed = Box<dyn std::error::Error>;

/// Events between two flushes: an hour or so of a busy house.
const FLUSH_EVENTS: u64 = 50_000;
const BATCH: u64 = 1_000;

/// Drawn numbers, the same each time (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn address(&mut self) -> String {
        format!(
            "{}.{}.{}.{}",
            1 + self.below(223),
            self.below(256),
            self.below(256),
            1 + self.below(254)
        )
    }
}

fn line(draw: &mut Draw, at: Timestamp) -> String {
    let (time, host) = (at.rfc3339(), draw.below(40));
    let (ip, user) = (draw.address(), draw.below(400));
    let port = 1_024 + draw.below(64_000);
    match draw.below(20) {
        0..7 => format!(
            "<134>1 {time} srv{host:02} nginx - - - {ip} - - [25/Nov/2026:10:00:00 +0900] \"GET /p{}?s={:08x} HTTP/1.1\" {} {} \"-\" \"Mozilla/5.0\"",
            draw.below(40),
            draw.below(1 << 32),
            [200, 200, 304, 404][draw.below(4) as usize],
            draw.below(90_000)
        ),
        7..12 => format!(
            "<86>1 {time} srv{host:02} sshd {port} - - {} for user{user} from {ip} port {port} ssh2",
            ["Accepted publickey", "Failed password"][draw.below(2) as usize]
        ),
        12..15 => format!(
            "<30>1 {time} srv{host:02} systemd 1 - - Started Session {port} of User user{user}."
        ),
        15..18 => format!(
            "<4>1 {time} srv{host:02} kernel - - - [UFW BLOCK] IN=eth0 OUT= SRC={ip} DST=10.0.{}.{} LEN=60 TTL=64 ID={port} PROTO=TCP SPT={port} DPT={} WINDOW=1024",
            draw.below(4),
            draw.below(255),
            [22, 23, 80, 443, 3389][draw.below(5) as usize]
        ),
        _ => format!(
            "<22>1 {time} srv{host:02} postfix/smtpd {port} - - {:011X}: client=mail{}.example.com[{ip}]",
            draw.below(1 << 44),
            draw.below(200)
        ),
    }
}

fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, events, days, rest @ ..] = args.as_slice() else {
        return Err("spread FOLDER EVENTS DAYS [END]".into());
    };
    let folder = Path::new(folder);
    if folder.exists() {
        return Err(format!("{} is there already", folder.display()).into());
    }
    let (events, days): (u64, u64) = (events.parse()?, days.parse()?);
    let end = match rest.first() {
        Some(end) => Timestamp::parse(end).ok_or("END is no time")?,
        None => Timestamp(1_795_600_000_000_000),
    };
    let span = i64::try_from(days)? * 86_400_000_000;
    let stream = Stream::open(folder, Limits::default())?;
    let mut draw = Draw(7);
    let at = |n: u64| Timestamp(end.0 - span + (span as i128 * n as i128 / events as i128) as i64);
    for first in (0..events).step_by(BATCH as usize) {
        let last = (first + BATCH).min(events);
        let lines = (first..last).map(|n| RawLine::new(line(&mut draw, at(n)))).collect();
        stream.ingest("drawn", lines, at(last - 1))?;
        if last % FLUSH_EVENTS == 0 || last == events {
            stream.flush(at(last - 1))?;
        }
    }
    println!("{events} events over {days} days before {}", end.rfc3339());
    Ok(())
}
