//! Requests of OpenTelemetry into the spool: taken whole when they are on the disk, or not at all.
//!
//! OTLP has no number of a request, so one that was stored and whose answer was lost is there twice; only
//! increases of metrics know their time and are not added again. Requests of metrics of one source are read one
//! after the other, as their totals are one state; it follows the disk and never goes ahead of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{blocking, now};
use crate::{
    Error, Format, RawLine, Result, Stream, notices,
    otlp::{self, Coding, Fault, Signal, Totals},
};

/// Why a request is refused that cannot be read. How many records it had nobody knows, so it counts one.
const UNREADABLE: &str = "request not readable";
const TOO_LARGE: &str = "request too large";

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// On the disk, but for these.
    Stored(BTreeMap<&'static str, u64>),
    Unreadable(&'static str),
    TooLarge,
    /// Nothing was stored or counted: the sender keeps it.
    Full,
}

/// Takes requests for a source; clones share it.
#[derive(Clone, Debug)]
pub struct Otlp {
    stream: Stream,
    source: Arc<str>,
    totals: Arc<Mutex<Totals>>,
}

impl Otlp {
    pub fn new(stream: Stream, source: &str) -> Otlp {
        Otlp { stream, source: source.into(), totals: Arc::default() }
    }

    /// Counts a request that was not let in.
    pub fn turned_away(&self, peer: &str, reason: &str) -> Result<()> {
        self.stream.turned_away(&self.source, peer, reason)
    }

    /// Counts a request that is too large to be read.
    pub async fn too_large(&self) -> Result<Taken> {
        let here = self.clone();
        blocking(move || here.refuse(TOO_LARGE, Taken::TooLarge)).await
    }

    /// Counts a request that is not written as it says.
    pub async fn unreadable(&self, why: &'static str) -> Result<Taken> {
        let here = self.clone();
        blocking(move || here.refuse(UNREADABLE, Taken::Unreadable(why))).await
    }

    /// Takes the body of a request.
    pub async fn take(
        &self,
        signal: Signal,
        coding: Coding,
        body: Vec<u8>,
        is_zipped: bool,
        peer: &str,
    ) -> Result<Taken> {
        let (here, peer) = (self.clone(), peer.to_owned());
        blocking(move || here.store(signal, coding, body, is_zipped, &peer)).await
    }

    fn store(
        &self,
        signal: Signal,
        coding: Coding,
        body: Vec<u8>,
        is_zipped: bool,
        peer: &str,
    ) -> Result<Taken> {
        let body = match is_zipped.then(|| otlp::unzip(&body)) {
            None => body,
            Some(Ok(body)) => body,
            Some(Err(fault)) => return self.fault(fault),
        };
        match signal {
            Signal::Logs => self.keep(signal, coding, &body, peer, &mut Totals::default()),
            Signal::Metrics => {
                let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
                self.keep(signal, coding, &body, peer, &mut totals)
            }
        }
    }

    fn keep(
        &self,
        signal: Signal,
        coding: Coding,
        body: &[u8],
        peer: &str,
        totals: &mut Totals,
    ) -> Result<Taken> {
        let time = now();
        // Behind the name of a certificate.
        let address = peer.rsplit('@').next().unwrap_or(peer);
        let batch = match otlp::read(signal, coding, body, address, time, totals) {
            Ok(batch) => batch,
            Err(fault) => return self.fault(fault),
        };
        let format = if signal == Signal::Logs { Format::Otlp } else { Format::Json };
        let line = |bytes| RawLine { bytes, format, peer: Some(peer.to_owned()), part: 0 };
        let lines: Vec<RawLine> = batch.lines.into_iter().map(line).collect();
        if !lines.is_empty() {
            match self.stream.offer(&self.source, &lines, time) {
                // What never fits must not be sent again and again.
                Err(Error::SpoolFull { need, max, .. }) if need > max => {
                    return self.fault(Fault::TooMuch);
                }
                Err(Error::SpoolFull { .. }) => return Ok(Taken::Full),
                stored => drop(stored?),
            }
            totals.keep();
            notices::count(&self.stream, &self.source, notices::found(lines.iter()))?;
        }
        for (reason, count) in &batch.refused {
            self.stream.refused(&self.source, reason, *count)?;
        }
        Ok(Taken::Stored(batch.refused))
    }

    fn fault(&self, fault: Fault) -> Result<Taken> {
        match fault {
            Fault::Broken(why) | Fault::Refused(why) => {
                self.refuse(UNREADABLE, Taken::Unreadable(why))
            }
            Fault::TooMuch => self.refuse(TOO_LARGE, Taken::TooLarge),
        }
    }

    fn refuse(&self, reason: &'static str, taken: Taken) -> Result<Taken> {
        self.stream.refused(&self.source, reason, 1)?;
        Ok(taken)
    }
}
