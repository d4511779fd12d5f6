//! Where intakes go on reading: written into the frame of each line, so that the position is durable
//! exactly when the line is. Killed at any point, an intake goes on right behind the last line that
//! the spool has: none is lost, none is there twice.

use model::Timestamp;

use crate::{Ack, Stream, error::Result, event::RawLine, once::Said};

/// Most bytes of a position; its length has one byte in the frame.
const POSITION_BYTES_MAX: usize = 255;

/// A line, and where its intake goes on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    pub line: RawLine,
    /// `None` within a message of several pieces: it is read again from its start.
    pub position: Option<String>,
}

impl Marked {
    pub(crate) fn parts(&self) -> (&RawLine, Option<&str>) {
        (&self.line, self.position.as_deref())
    }
}

impl Stream {
    /// Stores lines as [`Stream::ingest`] does, together with the positions of `intake`.
    pub fn ingest_marked(
        &self,
        intake: &str,
        source: &str,
        mut lines: Vec<Marked>,
        now: Timestamp,
    ) -> Result<Ack> {
        for line in &mut lines {
            line.position.take_if(|position| position.len() > POSITION_BYTES_MAX);
        }
        self.store(intake, source, Said::Lines, lines, now)
    }

    /// Where `intake` goes on, as the spool or the saved counters say.
    pub fn mark(&self, intake: &str) -> Option<String> {
        self.state().marks.get(intake).cloned()
    }

    /// How many intakes whose name begins so have a mark.
    pub(crate) fn marks(&self, prefix: &str) -> usize {
        self.state().marks.keys().filter(|name| name.starts_with(prefix)).count()
    }

    /// Moves on without a line, for example into a file that replaced another.
    pub fn set_mark(&self, intake: &str, position: &str) -> Result<()> {
        let mut state = self.state();
        state.marks.insert(intake.to_owned(), position.to_owned());
        self.save_counters(&state)
    }

    /// Counts lost lines and moves on behind them, in one write.
    pub fn lost_to(
        &self,
        intake: &str,
        position: &str,
        source: &str,
        cause: &str,
        lines: u64,
    ) -> Result<()> {
        let mut state = self.state();
        self.check_source(&state, source)?;
        state.sources.entry(source.to_owned()).or_default().lose(cause, lines);
        state.marks.insert(intake.to_owned(), position.to_owned());
        self.save_counters(&state)
    }
}
