//! Lines out of a byte stream, without I/O: newline and RFC 6587 octet counting.
//!
//! Limits: at most one piece of [`MAX_LINE_BYTES`] is buffered; a longer line comes out as numbered
//! pieces. After [`MAX_PARTS`] pieces the numbers go on, and the stream refuses them.

use crate::event::MAX_LINE_BYTES;
#[cfg(doc)]
use crate::event::MAX_PARTS;

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Ends with a line feed; a carriage return before it is dropped.
    Newline,
    /// RFC 6587: a leading digit means octet counting, anything else a line; decided per message.
    Syslog,
}

/// A message or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// 0 for a whole message, else the number of the piece, from 1.
    pub part: u16,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Start,
    Line,
    Count(usize),
    Octets(usize),
}

/// State machine from bytes to messages.
#[derive(Debug)]
pub struct LineFramer {
    framing: Framing,
    state: State,
    buffer: Vec<u8>,
    part: u16,
}

/// Longest octet count that is believed: longer ones are read as a line.
const MAX_COUNT: usize = 16 * MAX_LINE_BYTES;

impl LineFramer {
    /// A framer at the start of a stream.
    pub fn new(framing: Framing) -> LineFramer {
        LineFramer { framing, state: State::Start, buffer: Vec::new(), part: 0 }
    }

    /// Takes bytes and returns the pieces they complete; empty lines are dropped.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut out = Vec::new();
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            match self.state {
                State::Start if self.framing == Framing::Syslog && matches!(first, b'1'..=b'9') => {
                    self.state = State::Count(0);
                }
                State::Start => self.state = State::Line,
                State::Count(count) => {
                    self.buffer.push(first);
                    rest = &rest[1..];
                    self.state = match first {
                        b'0'..=b'9' if count <= MAX_COUNT => {
                            State::Count(count * 10 + usize::from(first - b'0'))
                        }
                        b' ' if count <= MAX_COUNT => {
                            self.buffer.clear();
                            State::Octets(count)
                        }
                        b'\n' => {
                            self.buffer.pop();
                            self.finish(&mut out);
                            State::Start
                        }
                        _ => State::Line,
                    };
                }
                State::Octets(left) => {
                    let taken = self.take(&rest[..left.min(rest.len())], &mut out);
                    rest = &rest[taken..];
                    self.state = State::Octets(left - taken);
                    if left == taken {
                        self.finish(&mut out);
                        self.state = State::Start;
                    }
                }
                State::Line => {
                    let end = rest.iter().position(|b| *b == b'\n');
                    let line = &rest[..end.unwrap_or(rest.len())];
                    let taken = self.take(line, &mut out);
                    rest = &rest[taken..];
                    if taken == line.len() && end.is_some() {
                        rest = &rest[1..];
                        if self.buffer.last() == Some(&b'\r') {
                            self.buffer.pop();
                        }
                        self.finish(&mut out);
                        self.state = State::Start;
                    }
                }
            }
        }
        out
    }

    /// Whether a message has begun and not ended.
    pub fn within(&self) -> bool {
        !matches!(self.state, State::Start)
    }

    /// The unfinished message at the end of the stream, if there is one.
    pub fn end(&mut self) -> Option<Piece> {
        let mut out = Vec::new();
        self.finish(&mut out);
        self.state = State::Start;
        out.pop()
    }

    /// Buffers up to the limit and says how many bytes that were; a full buffer goes out as a piece.
    fn take(&mut self, bytes: &[u8], out: &mut Vec<Piece>) -> usize {
        if self.buffer.len() == MAX_LINE_BYTES && !bytes.is_empty() {
            self.part = self.part.saturating_add(1);
            out.push(Piece { bytes: std::mem::take(&mut self.buffer), part: self.part });
        }
        let taken = bytes.len().min(MAX_LINE_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        taken
    }

    fn finish(&mut self, out: &mut Vec<Piece>) {
        let part = if self.part == 0 { 0 } else { self.part.saturating_add(1) };
        self.part = 0;
        let bytes = std::mem::take(&mut self.buffer);
        if !bytes.is_empty() {
            out.push(Piece { bytes, part });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(framing: Framing, wire: &[u8], chunk: usize) -> Vec<Piece> {
        let mut framer = LineFramer::new(framing);
        let mut out: Vec<Piece> = wire.chunks(chunk.max(1)).flat_map(|c| framer.push(c)).collect();
        out.extend(framer.end());
        out
    }

    #[test]
    fn a_long_line_comes_out_in_numbered_pieces() {
        let wire = vec![b'x'; MAX_LINE_BYTES * 2 + 5];
        let pieces = run(Framing::Newline, &wire, 1000);
        let parts: Vec<_> = pieces.iter().map(|p| (p.part, p.bytes.len())).collect();
        assert_eq!(parts, [(1, MAX_LINE_BYTES), (2, MAX_LINE_BYTES), (3, 5)]);
    }

    #[test]
    fn a_lying_count_is_read_as_a_line() {
        let wire = b"99999999999999999999999 <13>x\n<13>y\n";
        let pieces = run(Framing::Syslog, wire, 7);
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[1].bytes, b"<13>y");
    }

    proptest! {
        #[test]
        fn framed_messages_come_back_whatever_the_chunks(
            messages in prop::collection::vec(("<[a-z]{1,9}>[ -~]{0,40}", any::<bool>()), 0..20),
            chunk in 1usize..50,
        ) {
            let mut wire = Vec::new();
            for (text, counted) in &messages {
                if *counted {
                    wire.extend(format!("{} {text}", text.len()).into_bytes());
                } else {
                    wire.extend(format!("{text}\n").into_bytes());
                }
            }
            let pieces = run(Framing::Syslog, &wire, chunk);
            let got: Vec<_> = pieces.iter().map(|p| String::from_utf8_lossy(&p.bytes)).collect();
            let want: Vec<_> = messages.iter().map(|(text, _)| text.as_str()).collect();
            prop_assert_eq!(got, want);
        }

        #[test]
        fn chunks_never_change_what_rubbish_is_read_as(wire: Vec<u8>, chunk in 1usize..20) {
            let whole = run(Framing::Syslog, &wire, usize::MAX);
            prop_assert_eq!(run(Framing::Syslog, &wire, chunk), whole);
        }
    }
}
