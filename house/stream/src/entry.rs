//! A line as it lies in the spool: bytes with what must be durable together with them. Pure.

use model::Timestamp;

use crate::{
    event::{Format, RawLine},
    once::LineId,
};

pub(crate) struct Frame {
    pub(crate) line: RawLine,
    pub(crate) source: String,
    pub(crate) arrived: Timestamp,
    pub(crate) tag: Tag,
}

/// What a frame says beside its line: durable exactly when the line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    None,
    /// Who numbered the line, and its number.
    Number(String, u64),
    /// Which intake read the line, and where it goes on after it.
    Mark(String, String),
    /// By what a repetition of it is known.
    Id(LineId),
}

impl Tag {
    pub(crate) fn mark(intake: &str, position: Option<&str>) -> Tag {
        position.map_or(Tag::None, |position| Tag::Mark(intake.to_owned(), position.to_owned()))
    }
}

/// `1 | format | part u16 | arrived i64 | source len u8, source | peer len u8, peer | bytes`; with a
/// number it begins with 2, and `origin len u8, origin | sequence u64` stands before the bytes; with a
/// mark it begins with 3, and `intake len u8, intake | position len u8, position` stands there; with an
/// id it begins with 4, and `id u128 | place u32` stands there.
pub(crate) fn encode(line: &RawLine, source: &str, now: Timestamp, tag: &Tag) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.bytes.len() + source.len() + 64);
    let format = Format::ALL.iter().position(|f| *f == line.format).unwrap_or(0);
    let (version, tags): (u8, &[&str]) = match tag {
        Tag::None => (1, &[]),
        Tag::Number(origin, _) => (2, &[origin]),
        Tag::Mark(intake, position) => (3, &[intake, position]),
        Tag::Id(_) => (4, &[]),
    };
    out.extend([version, format as u8]);
    out.extend(line.part.to_le_bytes());
    out.extend(now.0.to_le_bytes());
    let texts = [source, line.peer.as_deref().unwrap_or_default()];
    for text in texts.iter().chain(tags) {
        let bytes = &text.as_bytes()[..text.floor_char_boundary(255)];
        out.push(bytes.len() as u8);
        out.extend(bytes);
    }
    match tag {
        Tag::Number(_, sequence) => out.extend(sequence.to_le_bytes()),
        Tag::Id(LineId { of, at }) => {
            out.extend(of.to_le_bytes());
            out.extend(at.to_le_bytes());
        }
        Tag::None | Tag::Mark(..) => {}
    }
    out.extend(&line.bytes);
    out
}

pub(crate) fn decode(payload: &[u8]) -> Option<Frame> {
    let ([version, format], rest) = payload.split_first_chunk::<2>()?;
    let (part, rest) = rest.split_first_chunk::<2>()?;
    let (arrived, rest) = rest.split_first_chunk::<8>()?;
    let (source, rest) = short_text(rest)?;
    let (peer, rest) = short_text(rest)?;
    let (tag, rest) = match version {
        1 => (Tag::None, rest),
        2 => {
            let (origin, rest) = short_text(rest)?;
            let (sequence, rest) = rest.split_first_chunk::<8>()?;
            (Tag::Number(origin, u64::from_le_bytes(*sequence)), rest)
        }
        3 => {
            let (intake, rest) = short_text(rest)?;
            let (position, rest) = short_text(rest)?;
            (Tag::Mark(intake, position), rest)
        }
        4 => {
            let (of, rest) = rest.split_first_chunk::<16>()?;
            let (at, rest) = rest.split_first_chunk::<4>()?;
            let id = LineId { of: u128::from_le_bytes(*of), at: u32::from_le_bytes(*at) };
            (Tag::Id(id), rest)
        }
        _ => return None,
    };
    let line = RawLine {
        bytes: rest.to_vec(),
        format: *Format::ALL.get(usize::from(*format))?,
        peer: (!peer.is_empty()).then_some(peer),
        part: u16::from_le_bytes(*part),
    };
    let arrived = Timestamp(i64::from_le_bytes(*arrived));
    Some(Frame { line, source, arrived, tag })
}

fn short_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (len, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((std::str::from_utf8(text).ok()?.to_owned(), rest))
}
