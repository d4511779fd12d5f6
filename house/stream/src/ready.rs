//! A batch on its way into the spool: lines as frames, and what of them is refused and why. Pure.

use std::collections::{BTreeMap, HashMap};

use model::Timestamp;

use crate::{
    entry::{Tag, encode},
    event::{MAX_LINE_BYTES, MAX_PARTS, RawLine},
    once::{self, LineId, Once, REPEATED, Said},
};

/// Lines as they go into the spool, and those that do not.
pub(crate) struct Ready {
    pub(crate) payloads: Vec<Payload>,
    pub(crate) refused: BTreeMap<String, u64>,
}

/// A frame of the spool, with what its line counts.
pub(crate) struct Payload {
    pub(crate) frame: Vec<u8>,
    pub(crate) bytes: u64,
    pub(crate) id: Option<LineId>,
}

impl Ready {
    pub(crate) fn of<'a>(
        intake: &str,
        source: &str,
        said: Said<'_>,
        lines: impl ExactSizeIterator<Item = (&'a RawLine, Option<&'a str>)> + Clone,
        now: Timestamp,
    ) -> Ready {
        let batch = match said {
            Said::Lines => None,
            Said::Key(key) => Some(once::of_batch(key, lines.clone().map(|(line, _)| line))),
        };
        let (payloads, refused) = (Vec::with_capacity(lines.len()), BTreeMap::new());
        let mut ready = Ready { payloads, refused };
        for (line, position) in lines {
            if line.bytes.is_empty() {
                ready.refuse("empty", 1);
            }
            let own = if batch.is_none() { once::of_message(line) } else { None };
            let pieces = pieces(line);
            let last = pieces.len().saturating_sub(1);
            for (at, piece) in pieces.into_iter().enumerate() {
                if piece.part > MAX_PARTS {
                    ready.refuse("line too long", 1);
                    continue;
                }
                let place = if batch.is_some() { ready.payloads.len() } else { at };
                let id = batch.or(own).map(|of| LineId { of, at: place as u32 });
                let mark = || Tag::mark(intake, position.filter(|_| at == last));
                let frame = encode(&piece, source, now, &id.map_or_else(mark, Tag::Id));
                ready.payloads.push(Payload { frame, bytes: piece.bytes.len() as u64, id });
            }
        }
        ready
    }

    fn refuse(&mut self, reason: &str, lines: u64) {
        *self.refused.entry(reason.to_owned()).or_default() += lines;
    }

    pub(crate) fn refuse_all(&mut self, reason: &str) {
        let lines = std::mem::take(&mut self.payloads).len() as u64;
        if lines > 0 {
            self.refuse(reason, lines);
        }
    }

    /// Leaves out what is stored already, or stands twice in the batch.
    pub(crate) fn refuse_known(&mut self, once: &Once, source: &str) {
        let before = self.payloads.len();
        let mut fresh: HashMap<u128, u32> = HashMap::new();
        self.payloads.retain(|payload| {
            let Some(LineId { of, at }) = payload.id else { return true };
            let taken = fresh.entry(of).or_insert_with(|| once.taken(source, of));
            let is_new = at >= *taken;
            *taken = at.saturating_add(1).max(*taken);
            is_new
        });
        let known = (before - self.payloads.len()) as u64;
        if known > 0 {
            self.refuse(REPEATED, known);
        }
    }
}

/// A line as pieces of at most [`MAX_LINE_BYTES`], numbered from 1 if there are several; one piece
/// above [`MAX_PARTS`] stands for all the rest.
fn pieces(line: &RawLine) -> Vec<RawLine> {
    if line.bytes.len() <= MAX_LINE_BYTES {
        return if line.bytes.is_empty() { Vec::new() } else { vec![line.clone()] };
    }
    let chunks = line.bytes.chunks(MAX_LINE_BYTES).take(usize::from(MAX_PARTS) + 1);
    let numbered = (line.part.max(1)..=u16::MAX).zip(chunks);
    numbered.map(|(part, bytes)| RawLine { bytes: bytes.to_vec(), part, ..line.clone() }).collect()
}
