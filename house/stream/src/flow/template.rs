//! Templates of one exporter, and the records they explain.

use std::collections::HashMap;

use super::{
    Decoded,
    fields::{Draft, u16_at},
};

/// Most templates of an exporter; further ones are not learnt, and their records stay unread.
pub const TEMPLATES_MAX: usize = 256;
/// Most fields of a template.
pub const FIELDS_MAX: usize = 256;
/// Length of a field that says its own length.
const VARIABLE: u16 = u16::MAX;
/// Elements that an enterprise numbered itself are not told apart.
const FOREIGN: u16 = 0;

/// How sets and templates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    V9,
    Ipfix,
}

/// What a set holds.
pub(super) enum Holds {
    Templates,
    Options,
    Data,
    Nothing,
}

impl Kind {
    pub fn holds(self, id: u16) -> Holds {
        match (self, id) {
            (Kind::V9, 0) | (Kind::Ipfix, 2) => Holds::Templates,
            (Kind::V9, 1) | (Kind::Ipfix, 3) => Holds::Options,
            (_, 256..) => Holds::Data,
            _ => Holds::Nothing,
        }
    }
}

#[derive(Debug)]
struct Template {
    /// Element and length.
    fields: Vec<(u16, u16)>,
    /// Least bytes of a record; never zero.
    bytes_min: usize,
    /// Its records say something of the exporter, not of flows.
    options: bool,
}

/// The templates of an exporter.
#[derive(Debug, Default)]
pub(super) struct Templates(HashMap<u16, Template>);

impl Templates {
    /// Learns from a set of templates.
    pub fn learn(&mut self, kind: Kind, mut set: &[u8]) -> Result<(), &'static str> {
        // What is shorter than a head is padding.
        while let (Some(id @ 256..), Some(count)) = (u16_at(set, 0), u16_at(set, 2)) {
            let (fields, rest) = fields(kind, &set[4..], count.into())?;
            self.put(id, fields, false);
            set = rest;
        }
        Ok(())
    }

    /// Learns from a set of option templates: their records are read over.
    pub fn learn_options(&mut self, kind: Kind, mut set: &[u8]) -> Result<(), &'static str> {
        while let (Some(id @ 256..), Some(first)) = (u16_at(set, 0), u16_at(set, 2)) {
            // IPFIX withdraws by a head of four bytes.
            let withdrawn = kind == Kind::Ipfix && first == 0;
            let second = if withdrawn { 0 } else { u16_at(set, 4).ok_or(CUT)? };
            let count = match kind {
                // Lengths in bytes of scopes and of options, four to a field.
                Kind::V9 => usize::from(first) / 4 + usize::from(second) / 4,
                Kind::Ipfix => first.into(),
            };
            let head = if withdrawn { 4 } else { 6 };
            let (fields, rest) = fields(kind, set.get(head..).ok_or(CUT)?, count)?;
            self.put(id, fields, true);
            set = rest;
        }
        Ok(())
    }

    fn put(&mut self, id: u16, fields: Vec<(u16, u16)>, options: bool) {
        let least = |length: u16| if length == VARIABLE { 1 } else { usize::from(length) };
        let bytes_min = fields.iter().map(|(_, length)| least(*length)).sum();
        if bytes_min == 0 {
            // IPFIX takes a template back so; a record without bytes would never end.
            self.0.remove(&id);
        } else if self.0.len() < TEMPLATES_MAX || self.0.contains_key(&id) {
            self.0.insert(id, Template { fields, bytes_min, options });
        }
    }

    /// Reads the records of a data set; says how many there were, if that can be known.
    pub fn data(
        &self,
        id: u16,
        mut set: &[u8],
        boot: Option<i64>,
        out: &mut Decoded,
    ) -> Option<u32> {
        let Some(template) = self.0.get(&id) else {
            out.unread += 1;
            return None;
        };
        let mut records = 0;
        // What is shorter than a record is padding.
        while set.len() >= template.bytes_min {
            let Some((draft, rest)) = template.record(set, boot) else {
                out.unread += 1;
                return None;
            };
            records += 1;
            set = rest;
            if template.options {
                continue;
            }
            match draft.finish() {
                Some(flow) => out.flows.push(flow),
                None => out.unread += 1,
            }
        }
        Some(records)
    }
}

impl Template {
    fn record<'a>(&self, mut bytes: &'a [u8], boot: Option<i64>) -> Option<(Draft, &'a [u8])> {
        let mut draft = Draft::default();
        for (element, length) in &self.fields {
            let mut length = usize::from(*length);
            if length == usize::from(VARIABLE) {
                // One byte, or 255 and two more.
                (length, bytes) = match bytes.split_first()? {
                    (255, rest) => (u16_at(rest, 0)?.into(), rest.get(2..)?),
                    (short, rest) => (usize::from(*short), rest),
                };
            }
            let (value, rest) = bytes.split_at_checked(length)?;
            draft.take(*element, value, boot);
            bytes = rest;
        }
        Some((draft, bytes))
    }
}

const CUT: &str = "a template is cut off";

type Fields = Vec<(u16, u16)>;

/// So many fields, and what follows them.
fn fields(kind: Kind, bytes: &[u8], count: usize) -> Result<(Fields, &[u8]), &'static str> {
    if count > FIELDS_MAX {
        return Err("a template has too many fields");
    }
    let (mut fields, mut rest) = (Vec::with_capacity(count), bytes);
    for _ in 0..count {
        let (element, length) = (u16_at(rest, 0).ok_or(CUT)?, u16_at(rest, 2).ok_or(CUT)?);
        let foreign = kind == Kind::Ipfix && element & 0x8000 != 0;
        rest = rest.get(if foreign { 8 } else { 4 }..).ok_or(CUT)?;
        if kind == Kind::V9 && length == VARIABLE {
            return Err("NetFlow v9 has no fields of variable length");
        }
        fields.push((if foreign { FOREIGN } else { element }, length));
    }
    Ok((fields, rest))
}
