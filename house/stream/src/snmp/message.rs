//! Requests and answers of SNMP, and the envelope of v2c. Pure.
//!
//! Limit: [`VARIABLES_MAX`] variables of an answer.

use super::ber::{
    IDENTIFIER, INTEGER, NULL, OCTETS, Oid, SEQUENCE, any_element, element, identifier, integer,
    put, put_identifier, put_integer, unsigned, whole,
};

/// Most variables that an answer may hold.
pub const VARIABLES_MAX: usize = 4096;
/// Version number of v2c on the wire.
const VERSION_2C: i64 = 1;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Get,
    GetNext,
    GetBulk,
    Response,
    Report,
}

impl Kind {
    const ALL: [(Kind, u8); 5] = [
        (Kind::Get, 0xa0),
        (Kind::GetNext, 0xa1),
        (Kind::Response, 0xa2),
        (Kind::GetBulk, 0xa5),
        (Kind::Report, 0xa8),
    ];

    fn tag(self) -> u8 {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, tag)| *tag)
    }
}

/// A value as a device gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Integer(i64),
    /// Counters, gauges, ticks.
    Unsigned(u64),
    /// A float in the manner of Net-SNMP.
    Float(f32),
    Text(Vec<u8>),
    Name(Oid),
    Address([u8; 4]),
    /// Nothing stands there.
    Absent,
    /// Nothing follows.
    End,
    Other(u8),
}

impl Value {
    /// As a number, where it is one; a text of digits is one, as many devices give it.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Integer(number) => Some(*number as f64),
            Value::Unsigned(number) => Some(*number as f64),
            Value::Float(number) => Some(f64::from(*number)),
            Value::Text(bytes) => std::str::from_utf8(bytes).ok()?.trim().parse().ok(),
            _ => None,
        }
        .filter(|number: &f64| number.is_finite())
    }

    /// As a label.
    pub fn text(&self) -> Option<String> {
        match self {
            Value::Text(bytes) => Some(super::text(bytes.strip_suffix(&[0]).unwrap_or(bytes))),
            Value::Integer(number) => Some(number.to_string()),
            Value::Unsigned(number) => Some(number.to_string()),
            Value::Name(oid) => Some(super::dotted(oid)),
            Value::Address(bytes) => Some(std::net::Ipv4Addr::from(*bytes).to_string()),
            _ => None,
        }
    }

    fn read(bytes: &[u8]) -> Result<Value, &'static str> {
        let (tag, content, _) = any_element(bytes)?;
        let wrong = "a number is too long";
        Ok(match tag {
            INTEGER => Value::Integer(integer(content).ok_or(wrong)?),
            OCTETS => Value::Text(content.to_vec()),
            IDENTIFIER => Value::Name(identifier(content)?),
            0x40 => Value::Address(content.try_into().map_err(|_| "an address has four bytes")?),
            0x41..=0x43 | 0x46 => Value::Unsigned(unsigned(content).ok_or(wrong)?),
            0x44 => match content {
                [0x9f, 0x78, 4, a, b, c, d] => Value::Float(f32::from_be_bytes([*a, *b, *c, *d])),
                _ => Value::Other(tag),
            },
            NULL | 0x80 | 0x81 => Value::Absent,
            0x82 => Value::End,
            _ => Value::Other(tag),
        })
    }
}

/// A request or an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Pdu {
    pub kind: Kind,
    pub id: i32,
    /// What went wrong; of GetBulk, how many variables are not repeated.
    pub status: i64,
    /// Which variable it was; of GetBulk, how often the others are repeated.
    pub index: i64,
    pub variables: Vec<(Oid, Value)>,
}

impl Pdu {
    /// A request for values.
    pub fn request(kind: Kind, id: i32, oids: &[Oid], repetitions: u32) -> Pdu {
        let index = if kind == Kind::GetBulk { repetitions.into() } else { 0 };
        let variables = oids.iter().map(|oid| (oid.clone(), Value::Absent)).collect();
        Pdu { kind, id, status: 0, index, variables }
    }

    /// As bytes; of a request, whose values are empty.
    pub(crate) fn write(&self) -> Vec<u8> {
        let pair = |oid: &Oid| put(SEQUENCE, &[put_identifier(oid), put(NULL, &[])].concat());
        let list: Vec<u8> = self.variables.iter().flat_map(|(oid, _)| pair(oid)).collect();
        let numbers = [self.id.into(), self.status, self.index].map(put_integer).concat();
        put(self.kind.tag(), &[numbers, put(SEQUENCE, &list)].concat())
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Pdu, &'static str> {
        let (tag, body, _) = any_element(bytes)?;
        let kind = Kind::ALL.iter().find(|(_, known)| *known == tag);
        let (kind, _) = kind.ok_or("neither an answer nor a report")?;
        let (id, rest) = whole(body)?;
        let (status, rest) = whole(rest)?;
        let (index, rest) = whole(rest)?;
        let (mut list, _) = element(rest, SEQUENCE)?;
        let mut variables = Vec::new();
        while !list.is_empty() {
            let (pair, rest) = element(list, SEQUENCE)?;
            list = rest;
            let (name, value) = element(pair, IDENTIFIER)?;
            if variables.len() == VARIABLES_MAX {
                return Err("too many variables");
            }
            variables.push((identifier(name)?, Value::read(value)?));
        }
        let id = i32::try_from(id).map_err(|_| "the number of the request is too large")?;
        Ok(Pdu { kind: *kind, id, status, index, variables })
    }
}

/// A message of v2c.
pub(crate) fn with_community(community: &[u8], pdu: &Pdu) -> Vec<u8> {
    let parts = [put_integer(VERSION_2C), put(OCTETS, community), pdu.write()];
    put(SEQUENCE, &parts.concat())
}

/// What a message of v2c holds, if it is one of this community.
pub(crate) fn of_community(bytes: &[u8], community: &[u8]) -> Result<Pdu, &'static str> {
    let (message, _) = element(bytes, SEQUENCE)?;
    let (version, rest) = whole(message)?;
    if version != VERSION_2C {
        return Err("the version is not 2c");
    }
    let (said, pdu) = element(rest, OCTETS)?;
    if said != community {
        return Err("the community is another");
    }
    Pdu::read(pdu)
}
