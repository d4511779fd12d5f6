//! OpenTelemetry's protocol: requests of logs and metrics into lines, and what is answered. Pure.
//!
//! Both encodings become OTLP/JSON first (`schema`), one record or point at a time, so that a request never
//! stands in memory as a tree. A log record becomes a line that holds it whole, with its resource and its
//! scope, and is read by [`crate::parse()`]; a point of a metric becomes samples like those of Prometheus,
//! named as OpenTelemetry's own rules for Prometheus name them.
//!
//! A request that cannot be read is refused whole; a record that can be read and not kept is refused alone.
//!
//! Limits: [`REQUEST_BYTES_MAX`] of a request, [`UNZIPPED_BYTES_MAX`] of what was in it, [`LINES_BYTES_MAX`] and
//! [`LINES_MAX`] of what it becomes; of a record [`schema::VALUES_MAX`] values, [`schema::DEPTH_MAX`] levels and
//! the length of a line.

mod answer;
mod exponential;
mod grpc;
mod json;
pub mod logs;
mod metrics;
mod names;
mod schema;
#[cfg(test)]
mod tests;
mod totals;
mod walk;
mod wire;

use std::{collections::BTreeMap, io::Read};

pub use answer::{Answer, Problem};
pub use grpc::{frame, unframe};
pub(crate) use json::{attribute, attributes, int, plain, plain_text, text, time};
use model::Timestamp;
pub use totals::Totals;

use crate::event::{MAX_LINE_BYTES, MAX_PARTS};

/// Most bytes of a request as it comes.
pub const REQUEST_BYTES_MAX: usize = 8 << 20;
/// Most bytes of a request once it is unpacked.
pub const UNZIPPED_BYTES_MAX: usize = 8 << 20;
/// Most bytes of the lines of a request: each repeats its resource.
pub const LINES_BYTES_MAX: usize = 32 << 20;
/// Most lines of a request.
pub const LINES_MAX: usize = 100_000;
/// Longest line of a record.
const LINE_BYTES_MAX: usize = MAX_LINE_BYTES * MAX_PARTS as usize;

/// What a request is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Logs,
    Metrics,
}

impl Signal {
    /// By the path of HTTP.
    pub fn of_path(path: &str) -> Option<Signal> {
        match path {
            "/v1/logs" => Some(Signal::Logs),
            "/v1/metrics" => Some(Signal::Metrics),
            _ => None,
        }
    }

    /// By the method of gRPC.
    pub fn of_method(path: &str) -> Option<Signal> {
        match path {
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => {
                Some(Signal::Metrics)
            }
            _ => None,
        }
    }
}

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Protobuf,
    Json,
}

impl Coding {
    /// By its media type.
    pub fn of(content_type: &str) -> Option<Coding> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Some(Coding::Protobuf),
            "application/json" => Some(Coding::Json),
            _ => None,
        }
    }

    /// Its media type.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Protobuf => "application/x-protobuf",
            Coding::Json => "application/json",
        }
    }
}

/// Why something is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request cannot be read.
    Broken(&'static str),
    /// The request would become more than a request may.
    TooMuch,
    /// A record alone is refused.
    Refused(&'static str),
}

/// What a request becomes.
#[derive(Debug, Default)]
pub struct Batch {
    pub lines: Vec<Vec<u8>>,
    /// Records and points that are not kept, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, line: Vec<u8>) -> Result<(), Fault> {
        if line.len() > LINE_BYTES_MAX {
            self.refuse("line too long", 1);
            return Ok(());
        }
        self.bytes += line.len();
        if self.bytes > LINES_BYTES_MAX || self.lines.len() >= LINES_MAX {
            return Err(Fault::TooMuch);
        }
        self.lines.push(line);
        Ok(())
    }

    fn refuse(&mut self, reason: &'static str, count: u64) {
        *self.refused.entry(reason).or_default() += count;
    }

    /// Takes what a record became, or counts why it is not kept.
    fn take(&mut self, line: Result<Vec<u8>, Fault>) -> Result<(), Fault> {
        match line {
            Ok(line) => self.push(line),
            Err(Fault::Refused(reason)) => {
                self.refuse(reason, 1);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }
}

/// Reads a request. Of metrics, `peer` is whose they are if they do not say so, and `totals` must be kept
/// only if the lines are.
pub fn read(
    signal: Signal,
    coding: Coding,
    request: &[u8],
    peer: &str,
    arrived: Timestamp,
    totals: &mut Totals,
) -> Result<Batch, Fault> {
    match signal {
        Signal::Logs => logs::read(coding, request),
        Signal::Metrics => metrics::read(coding, request, peer, arrived, totals),
    }
}

/// Unpacks gzip, never more than [`UNZIPPED_BYTES_MAX`].
pub fn unzip(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let limit = UNZIPPED_BYTES_MAX as u64 + 1;
    let read = flate2::read::MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut out);
    match read {
        Ok(_) if out.len() > UNZIPPED_BYTES_MAX => Err(Fault::TooMuch),
        Ok(_) => Ok(out),
        Err(_) => Err(Fault::Broken("the body is no gzip")),
    }
}
