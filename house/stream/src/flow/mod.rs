//! Flow records of routers and probes: NetFlow v5, v9 and IPFIX (RFC 7011), datagrams in, flows out. No
//! I/O; time is an argument.
//!
//! v9 and IPFIX describe their records by templates, sent now and then. Records that come before their
//! template cannot be read and are counted as such.
//!
//! Limits: [`EXPORTERS_MAX`] exporters, each with [`template::TEMPLATES_MAX`] templates of at most
//! [`template::FIELDS_MAX`] fields; a template that knows no two addresses makes no flows. What does not
//! fit its own lengths refuses the datagram.

mod fields;
mod template;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, net::IpAddr};

use model::Timestamp;
use serde_json::json;

use fields::{u16_at, u32_at};
use template::{Kind, Templates};

use crate::parse::CLASS_NETWORK;

/// Most exporters whose templates are kept.
pub const EXPORTERS_MAX: usize = 1024;

/// What one side sent to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub src_port: u16,
    pub dst_port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    pub bytes: u64,
    pub packets: u64,
    pub tcp_flags: u16,
    pub in_if: u32,
    pub out_if: u32,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

/// What a datagram held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// 5, 9 or 10.
    pub version: u16,
    pub flows: Vec<Flow>,
    /// Records or sets that no template explains.
    pub unread: u64,
    /// Number that the exporter gave it, for [`crate::sequence::Gaps`].
    pub sequence: u32,
    /// How far the number moves on: flows in v5, one datagram in v9, records in IPFIX. `None` if that
    /// cannot be known because of what is unread.
    pub moves: Option<u32>,
    /// Which of its counters that is.
    pub domain: u32,
}

/// Templates of all exporters.
#[derive(Debug, Default)]
pub struct Decoder {
    exporters: HashMap<(IpAddr, u16, u32), Templates>,
}

impl Decoder {
    /// Reads a datagram that `peer` sent.
    pub fn read(&mut self, peer: IpAddr, bytes: &[u8]) -> Result<Decoded, &'static str> {
        match u16_at(bytes, 0) {
            Some(5) => v5(bytes),
            Some(9) => self.v9(peer, bytes),
            Some(10) => self.ipfix(peer, bytes),
            _ => Err("neither NetFlow v5 or v9 nor IPFIX"),
        }
    }

    fn v9(&mut self, peer: IpAddr, bytes: &[u8]) -> Result<Decoded, &'static str> {
        let head = |at| u32_at(bytes, at).ok_or("the head is cut off");
        let (uptime, seconds, sequence, domain) = (head(4)?, head(8)?, head(12)?, head(16)?);
        let boot = i64::from(seconds) * 1_000_000 - i64::from(uptime) * 1000;
        let mut decoded = Decoded { version: 9, sequence, domain, ..Decoded::default() };
        decoded.moves = Some(1);
        let sets = bytes.get(20..).unwrap_or_default();
        self.sets((peer, 9, domain), Kind::V9, sets, Some(boot), &mut decoded)?;
        Ok(decoded)
    }

    fn ipfix(&mut self, peer: IpAddr, bytes: &[u8]) -> Result<Decoded, &'static str> {
        let length = u16_at(bytes, 2).ok_or("the head is cut off")?;
        let head = |at| u32_at(bytes, at).ok_or("the head is cut off");
        let (sequence, domain) = (head(8)?, head(12)?);
        let sets = bytes.get(16..usize::from(length)).ok_or("the length is wrong")?;
        let mut decoded = Decoded { version: 10, sequence, domain, ..Decoded::default() };
        decoded.moves = self.sets((peer, 10, domain), Kind::Ipfix, sets, None, &mut decoded)?;
        Ok(decoded)
    }

    /// Reads the sets of a message and says how many data records they had, if that can be known.
    fn sets(
        &mut self,
        exporter: (IpAddr, u16, u32),
        kind: Kind,
        mut rest: &[u8],
        boot: Option<i64>,
        out: &mut Decoded,
    ) -> Result<Option<u32>, &'static str> {
        let known = self.exporters.contains_key(&exporter);
        if !known && self.exporters.len() >= EXPORTERS_MAX {
            return Err("too many exporters");
        }
        let templates = self.exporters.entry(exporter).or_default();
        let mut records = Some(0);
        while rest.len() >= 4 {
            let (id, length) = (u16_at(rest, 0).unwrap_or(0), u16_at(rest, 2).unwrap_or(0));
            let set = rest.get(4..usize::from(length)).ok_or("the length of a set is wrong")?;
            rest = &rest[usize::from(length)..];
            match kind.holds(id) {
                template::Holds::Templates => templates.learn(kind, set)?,
                template::Holds::Options => templates.learn_options(kind, set)?,
                template::Holds::Data => {
                    let found = templates.data(id, set, boot, out);
                    records = records.zip(found).map(|(sum, found)| sum + found);
                }
                template::Holds::Nothing => {}
            }
        }
        Ok(records)
    }
}

fn v5(bytes: &[u8]) -> Result<Decoded, &'static str> {
    const HEAD: usize = 24;
    const RECORD: usize = 48;
    let head = |at| u32_at(bytes, at).ok_or("the head is cut off");
    let count = u16_at(bytes, 2).ok_or("the head is cut off")?;
    let (uptime, seconds, nanos, sequence) = (head(4)?, head(8)?, head(12)?, head(16)?);
    let domain = u32::from(u16_at(bytes, 20).ok_or("the head is cut off")?);
    let records = bytes.get(HEAD..).unwrap_or_default();
    if usize::from(count) * RECORD != records.len() {
        return Err("the number of records does not fit the length");
    }
    let sent = i64::from(seconds) * 1_000_000 + i64::from(nanos / 1000);
    let boot = sent - i64::from(uptime) * 1000;
    let flows = records.chunks_exact(RECORD).map(|record| v5_record(record, boot)).collect();
    let moves = Some(u32::from(count));
    Ok(Decoded { version: 5, flows, unread: 0, sequence, moves, domain })
}

fn v5_record(record: &[u8], boot: i64) -> Flow {
    let word = |at| u32_at(record, at).unwrap_or(0);
    let half = |at| u16_at(record, at).unwrap_or(0);
    let time = |at| Some(Timestamp(boot + i64::from(word(at)) * 1000));
    Flow {
        src: IpAddr::from(word(0).to_be_bytes()),
        dst: IpAddr::from(word(4).to_be_bytes()),
        src_port: half(32),
        dst_port: half(34),
        protocol: record[38],
        bytes: word(20).into(),
        packets: word(16).into(),
        tcp_flags: record[37].into(),
        in_if: half(12).into(),
        out_if: half(14).into(),
        start: time(24),
        end: time(28),
    }
}

impl Flow {
    /// The flow as a line of JSON, as [`crate::parse()`] reads it.
    pub fn line(&self, version: u16) -> Vec<u8> {
        let (src, dst) = (ported(self.src, self.src_port), ported(self.dst, self.dst_port));
        let (name, bytes, packets) = (protocol(self.protocol), self.bytes, self.packets);
        let mut line = json!({
            "class_uid": CLASS_NETWORK,
            "app": if version == 10 { "ipfix".to_owned() } else { format!("netflow{version}") },
            "message": format!("{src} > {dst} {name} {bytes} bytes {packets} packets"),
            "src_ip": self.src.to_string(),
            "src_port": self.src_port,
            "dst_ip": self.dst.to_string(),
            "dst_port": self.dst_port,
            "protocol": name,
            "bytes": bytes,
            "packets": packets,
        });
        let numbers = [
            ("tcp_flags", u32::from(self.tcp_flags)),
            ("in_if", self.in_if),
            ("out_if", self.out_if),
        ];
        for (name, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
            line[name] = number.into();
        }
        for (name, time) in [("start_time", self.start), ("time", self.end)] {
            if let Some(time) = time {
                line[name] = time.rfc3339().into();
            }
        }
        line.to_string().into_bytes()
    }
}

fn ported(address: IpAddr, port: u16) -> String {
    if port == 0 {
        address.to_string()
    } else {
        std::net::SocketAddr::new(address, port).to_string()
    }
}

fn protocol(number: u8) -> String {
    let name = match number {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        47 => "gre",
        50 => "esp",
        58 => "icmpv6",
        132 => "sctp",
        other => return other.to_string(),
    };
    name.to_owned()
}
