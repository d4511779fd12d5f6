//! SNMP: notifications of v2c (traps and informs) out of a datagram, here; what asks devices for values
//! (v2c, and v3 with its security) in the modules below. Pure.
//!
//! Limits: [`VARIABLES_MAX`] variables of a notification, an object identifier of [`ARCS_MAX`] numbers. What
//! does not fit its lengths refuses the datagram.
//!
//! | module | holds |
//! |---|---|
//! | `ber` | the part of BER that SNMP uses |
//! | `message` | requests and answers |
//! | `usm` | the security of v3: keys, authentication, privacy, clocks (RFC 3414, 3826, 7860) |
//! | `peer` | a conversation with one agent, as a machine |
//! | `profile` | what is asked of devices, and the samples that answers make |

pub(crate) mod ber;
pub mod message;
pub mod peer;
pub mod profile;
pub mod usm;

use serde_json::json;

pub use self::ber::{ARCS_MAX, Oid, dotted, parse_oid};
use self::ber::{CUT, any_element, element, identifier, integer, unsigned};
use crate::decode::decode;

/// Most variables of a notification.
pub const VARIABLES_MAX: usize = 128;
const VERSION_2C: i64 = 1;
const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
const TRAP: &str = "1.3.6.1.6.3.1.1.4.1.0";
const INFORM: u8 = 0xa6;
const RESPONSE: u8 = 0xa2;
const NOTIFICATION: u8 = 0xa7;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub community: Vec<u8>,
    /// What happened, as an object identifier.
    pub trap: String,
    /// Hundredths of a second since the device started.
    pub uptime: Option<u64>,
    /// Object identifiers and values.
    pub variables: Vec<(String, String)>,
    /// What an inform wants to hear; a trap wants nothing.
    pub answer: Option<Vec<u8>>,
}

/// Reads a datagram.
pub fn read(datagram: &[u8]) -> Result<Notification, &'static str> {
    let (message, rest) = element(datagram, 0x30)?;
    if !rest.is_empty() {
        return Err("bytes follow the message");
    }
    let (version, rest) = element(message, 0x02)?;
    if integer(version) != Some(VERSION_2C) {
        return Err("the version is not 2c");
    }
    let (community, pdu) = element(rest, 0x04)?;
    let kind = *pdu.first().ok_or(CUT)?;
    if kind != NOTIFICATION && kind != INFORM {
        return Err("neither a trap nor an inform");
    }
    let (body, _) = element(pdu, kind)?;
    let (_, rest) = element(body, 0x02)?;
    let (_, rest) = element(rest, 0x02)?;
    let (_, rest) = element(rest, 0x02)?;
    let (mut list, _) = element(rest, 0x30)?;
    let (mut trap, mut uptime, mut variables) = (String::new(), None, Vec::new());
    while !list.is_empty() {
        let (pair, rest) = element(list, 0x30)?;
        list = rest;
        let (name, value) = element(pair, 0x06)?;
        let (name, value) = (dotted(&identifier(name)?), value_of(value)?);
        match name.as_str() {
            UPTIME => uptime = value.parse().ok(),
            TRAP => trap = value,
            _ if variables.len() == VARIABLES_MAX => return Err("too many variables"),
            _ => variables.push((name, value)),
        }
    }
    if trap.is_empty() {
        return Err("it does not say what happened");
    }
    // The answer is the message itself under another name.
    let answer = (kind == INFORM).then(|| {
        let mut answer = datagram.to_vec();
        answer[datagram.len() - pdu.len()] = RESPONSE;
        answer
    });
    Ok(Notification { community: community.to_vec(), trap, uptime, variables, answer })
}

fn value_of(bytes: &[u8]) -> Result<String, &'static str> {
    let (tag, content, _) = any_element(bytes)?;
    let wrong = "a number is too long";
    Ok(match tag {
        0x02 => integer(content).ok_or(wrong)?.to_string(),
        0x04 => text(content),
        0x06 => dotted(&identifier(content)?),
        0x40 => <[u8; 4]>::try_from(content)
            .map(|address| std::net::Ipv4Addr::from(address).to_string())
            .map_err(|_| "an address has four bytes")?,
        // Counters, gauges, ticks.
        0x41..=0x43 | 0x46 => unsigned(content).ok_or(wrong)?.to_string(),
        0x05 | 0x80..=0x82 => String::new(),
        _ => hexed(content),
    })
}

/// Text where it is text: a string of SNMP may as well be an address of a network card.
pub(crate) fn text(content: &[u8]) -> String {
    let text = decode(content).0;
    let plain = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    if plain && !text.contains('\u{fffd}') { text } else { hexed(content) }
}

fn hexed(content: &[u8]) -> String {
    content.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

impl Notification {
    /// The notification as a line of JSON, as [`crate::parse()`] reads it.
    pub fn line(&self) -> Vec<u8> {
        let said: Vec<String> = self.variables.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let name = name(&self.trap).unwrap_or(&self.trap);
        let mut line = json!({
            "app": "snmp",
            "message": format!("{name} {}", said.join(" ")).trim_end(),
            "trap": self.trap,
        });
        if let Some(uptime) = self.uptime {
            line["uptime_centiseconds"] = uptime.into();
        }
        for (name, value) in &self.variables {
            line[name.as_str()] = value.as_str().into();
        }
        line.to_string().into_bytes()
    }
}

/// Those that every device may send (RFC 3418).
fn name(trap: &str) -> Option<&'static str> {
    Some(match trap.strip_prefix("1.3.6.1.6.3.1.1.5.")? {
        "1" => "coldStart",
        "2" => "warmStart",
        "3" => "linkDown",
        "4" => "linkUp",
        "5" => "authenticationFailure",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head = match length {
            0..=127 => vec![tag, length as u8],
            _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        };
        [head, content.to_vec()].concat()
    }

    fn oid(arcs: &[u8]) -> Vec<u8> {
        put(0x06, arcs)
    }

    fn pair(name: &[u8], value: Vec<u8>) -> Vec<u8> {
        put(0x30, &[oid(name), value].concat())
    }

    const UPTIME_OID: [u8; 8] = [0x2b, 6, 1, 2, 1, 1, 3, 0];
    const TRAP_OID: [u8; 10] = [0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0];
    const LINK_DOWN: [u8; 9] = [0x2b, 6, 1, 6, 3, 1, 1, 5, 3];

    fn message(kind: u8, more: &[Vec<u8>]) -> Vec<u8> {
        let uptime = pair(&UPTIME_OID, put(0x43, &[0, 0xff, 0xff, 0xff, 0xff]));
        let mut list = [uptime, pair(&TRAP_OID, oid(&LINK_DOWN))].concat();
        list.extend(more.concat());
        let numbers = [put(2, &[7]), put(2, &[0]), put(2, &[0])].concat();
        let body = [numbers, put(0x30, &list)].concat();
        put(0x30, &[put(2, &[1]), put(4, b"secret"), put(kind, &body)].concat())
    }

    #[test]
    fn every_kind_of_value_is_read_and_an_inform_has_its_answer() {
        let name = [0x2b, 6, 1, 4, 1, 0x82, 0x37, 1];
        let values = [
            put(0x02, &[0xff, 0x7f]),
            put(0x04, "温度".as_bytes()),
            put(0x04, &[0, 1, 0xfe]),
            put(0x40, &[192, 0, 2, 1]),
            put(0x46, &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            put(0x06, &name),
            put(0x05, &[]),
            put(0x44, &[1]),
            put(0x04, &[b'x'; 300]),
        ];
        let more: Vec<_> = values.into_iter().map(|value| pair(&name, value)).collect();
        let trap = read(&message(NOTIFICATION, &more)).unwrap();
        let long = "x".repeat(300);
        let wanted = [
            "-129",
            "温度",
            "00:01:fe",
            "192.0.2.1",
            "18446744073709551615",
            "1.3.6.1.4.1.311.1",
            "",
            "01",
            &long,
        ];
        assert_eq!(trap.variables.iter().map(|(_, v)| v.as_str()).collect::<Vec<_>>(), wanted);
        assert_eq!((trap.variables[0].0.as_str(), trap.uptime), (wanted[5], Some(4_294_967_295)));
        assert_eq!((trap.community.as_slice(), &trap.answer), (&b"secret"[..], &None));
        let inform = message(INFORM, &more);
        let answer = read(&inform).unwrap().answer.unwrap();
        let changed: Vec<_> = (0..inform.len()).filter(|at| inform[*at] != answer[*at]).collect();
        assert_eq!((changed.len(), answer[changed[0]]), (1, RESPONSE));
        let line = crate::RawLine::with_format(trap.line(), crate::Format::Json);
        let event = crate::parse(&line, "s", model::Timestamp(0), &jiff::tz::TimeZone::UTC);
        assert!(event.message.starts_with("linkDown 1.3.6.1.4.1.311.1=-129 "), "{}", event.message);
        assert_eq!((event.app.as_str(), &*event.fields["trap"]), ("snmp", "1.3.6.1.6.3.1.1.5.3"));
    }

    #[test]
    fn what_is_no_notification_is_refused() {
        let good = message(NOTIFICATION, &[]);
        for cut in 0..good.len() {
            assert!(read(&good[..cut]).is_err(), "{cut}");
        }
        let name = [0x2b, 6, 1];
        let pairs = |value: Vec<u8>| message(NOTIFICATION, &[pair(&name, value)]);
        let flood: Vec<_> = (0..=VARIABLES_MAX).map(|_| pair(&name, put(5, &[]))).collect();
        let version = put(0x30, &[put(2, &[3]), put(4, b"x")].concat());
        for (wrong, rule) in [
            ([&good[..], &[0]].concat(), "follow"),
            (version, "version"),
            (message(0xa0, &[]), "neither"),
            (pairs(put(0x40, &[1])), "four bytes"),
            (pairs(put(0x02, &[1; 9])), "too long"),
            (pairs(put(0x46, &[1; 9])), "too long"),
            (pairs(put(0x06, &[0x2b, 0x80])), "cut off"),
            (pairs(put(0x06, &[0x2b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), "too large"),
            (pairs(put(0x06, &[1; 200])), "too long"),
            (pairs(vec![4, 0x80]), "definite"),
            (pairs(vec![4, 0x84, 0xff, 0xff, 0xff, 0xff]), "cut off"),
            (message(NOTIFICATION, &flood), "too many"),
        ] {
            let found = read(&wrong).unwrap_err();
            assert!(found.contains(rule), "{rule}: {found}");
        }
        let silent = put(
            0x30,
            &[
                put(2, &[1]),
                put(4, b""),
                put(0xa7, &[put(2, &[1]), put(2, &[0]), put(2, &[0]), put(0x30, &[])].concat()),
            ]
            .concat(),
        );
        assert!(read(&silent).unwrap_err().contains("what happened"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            at in 0usize..120,
            value: u8,
            noise: Vec<u8>,
        ) {
            let _ = read(&noise);
            let mut wire = message(INFORM, &[pair(&[0x2b, 6], put(4, &noise))]);
            let at = at % wire.len();
            wire[at] = value;
            let _ = read(&wire);
        }
    }
}
