//! RELP, the protocol by which rsyslog hands over messages reliably, from the server's side: bytes in,
//! steps out, no I/O.
//!
//! A frame is `number SP command SP length [SP data] LF`. A session begins with `open` (offers in,
//! offers out), then come `syslog` frames, each answered under its number, and at last `close`. The
//! machine never answers a message by itself: [`Session::stored`] makes the answer, and who calls it
//! says that the message is on the disk.
//!
//! Limits: a number and a length have 9 digits, a command 32 letters, offers 4 KiB; of a message
//! [`MESSAGE_BYTES_MAX`] bytes are kept, the rest is read over, so that no sender is stuck with it.
//! Numbers rise by one from frame to frame and go on with 1 after 999,999,999. What breaks a rule ends
//! the session; whole frames before it count.

use crate::event::{MAX_LINE_BYTES, MAX_PARTS};

const NUMBER_DIGITS_MAX: usize = 9;
const NUMBER_MAX: u32 = 999_999_999;
const COMMAND_BYTES_MAX: usize = 32;
const OFFERS_BYTES_MAX: usize = 4096;
/// One byte more than is stored of a line, so that what is cut is also counted.
pub const MESSAGE_BYTES_MAX: usize = MAX_LINE_BYTES * MAX_PARTS as usize + 1;
const OFFERS: &str =
    concat!("relp_version=0\nrelp_software=ume,", env!("CARGO_PKG_VERSION"), "\ncommands=syslog");

/// What a session tells its server to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes.
    Answer(Vec<u8>),
    /// Store this message and send [`Session::stored`] of its number.
    Message { number: u32, bytes: Vec<u8> },
    /// Send these bytes and hang up: the client closed, or broke the rule that is named.
    End { bytes: Vec<u8>, broken: Option<&'static str> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Unopened,
    Open,
    Ended,
}

/// Where in a frame the next byte belongs.
#[derive(Debug)]
enum At {
    Number,
    Command,
    Length,
    Data { left: usize },
    Trailer,
}

/// A session with one client.
#[derive(Debug)]
pub struct Session {
    stage: Stage,
    at: At,
    /// Number that the next frame must bear; `None` before the first.
    due: Option<u32>,
    digits: usize,
    number: u32,
    length: usize,
    command: Vec<u8>,
    data: Vec<u8>,
}

impl Default for Session {
    fn default() -> Session {
        Session {
            stage: Stage::Unopened,
            at: At::Number,
            due: None,
            digits: 0,
            number: 0,
            length: 0,
            command: Vec::new(),
            data: Vec::new(),
        }
    }
}

impl Session {
    /// Takes bytes and says what they ask for. After an [`Step::End`] there are no more steps.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Step> {
        let (mut steps, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() && self.stage != Stage::Ended {
            match self.advance(rest) {
                Ok((taken, step)) => {
                    rest = &rest[taken..];
                    steps.extend(step);
                }
                Err(broken) => steps.push(self.end(Vec::new(), Some(broken))),
            }
        }
        steps
    }

    /// The answer for a message that is on the disk.
    pub fn stored(number: u32) -> Vec<u8> {
        answer(number, "200 OK")
    }

    /// What to send before hanging up unasked.
    pub fn farewell() -> Vec<u8> {
        b"0 serverclose 0\n".to_vec()
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<(usize, Option<Step>), &'static str> {
        let byte = bytes[0];
        match self.at {
            At::Number => match byte {
                b'0'..=b'9' if self.digits < NUMBER_DIGITS_MAX => {
                    self.number = self.number * 10 + u32::from(byte - b'0');
                    self.digits += 1;
                }
                b' ' if self.digits > 0 => (self.at, self.digits) = (At::Command, 0),
                _ => return Err("a frame begins with a number of at most nine digits"),
            },
            At::Command => match byte {
                b'a'..=b'z' | b'A'..=b'Z' if self.command.len() < COMMAND_BYTES_MAX => {
                    self.command.push(byte);
                }
                b' ' if !self.command.is_empty() => self.at = At::Length,
                _ => return Err("a command has 1 to 32 letters"),
            },
            At::Length => match byte {
                b'0'..=b'9' if self.digits < NUMBER_DIGITS_MAX => {
                    self.length = self.length * 10 + usize::from(byte - b'0');
                    self.digits += 1;
                }
                b' ' if self.digits > 0 => self.at = self.data_or_trailer()?,
                b'\n' if self.digits > 0 && self.length == 0 => return Ok((1, self.finish()?)),
                _ => return Err("the length is a number of at most nine digits"),
            },
            At::Data { left } => {
                let taken = left.min(bytes.len());
                let kept = taken.min(MESSAGE_BYTES_MAX - self.data.len());
                self.data.extend_from_slice(&bytes[..kept]);
                self.at = if taken == left { At::Trailer } else { At::Data { left: left - taken } };
                return Ok((taken, None));
            }
            At::Trailer => match byte {
                b'\n' => return Ok((1, self.finish()?)),
                _ => return Err("a frame ends with a line feed behind its data"),
            },
        }
        Ok((1, None))
    }

    /// Before the data, so that no stranger makes us read much that is no message.
    fn data_or_trailer(&self) -> Result<At, &'static str> {
        if self.command != b"syslog" && self.length > OFFERS_BYTES_MAX {
            return Err("only messages are that long");
        }
        if self.stage == Stage::Unopened && self.command != b"open" {
            return Err("a session begins with open");
        }
        Ok(if self.length == 0 { At::Trailer } else { At::Data { left: self.length } })
    }

    /// A frame is whole.
    fn finish(&mut self) -> Result<Option<Step>, &'static str> {
        let (number, command) = (self.number, std::mem::take(&mut self.command));
        let data = std::mem::take(&mut self.data);
        (self.at, self.digits, self.number, self.length) = (At::Number, 0, 0, 0);
        let first = self.due.is_none() && number != 0;
        if !first && self.due != Some(number) {
            return Err("numbers rise by one");
        }
        self.due = Some(if number == NUMBER_MAX { 1 } else { number + 1 });
        match (self.stage, command.as_slice()) {
            (Stage::Unopened, b"open") => self.open(number, &data).map(Some),
            (Stage::Unopened, _) => Err("a session begins with open"),
            (Stage::Open, b"syslog") => Ok(Some(Step::Message { number, bytes: data })),
            (Stage::Open, b"close") => {
                let mut bytes = answer(number, "");
                bytes.extend(Session::farewell());
                Ok(Some(self.end(bytes, None)))
            }
            (Stage::Open, b"open") => Err("a session is opened once"),
            (Stage::Open, b"rsp") => Err("nothing was asked"),
            _ => Ok(Some(Step::Answer(answer(number, "500 no such command")))),
        }
    }

    fn open(&mut self, number: u32, offers: &[u8]) -> Result<Step, &'static str> {
        let offers = std::str::from_utf8(offers).map_err(|_| "offers are text")?;
        let offer = |name: &str| {
            offers.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix('='))
        };
        let commands = offer("commands").unwrap_or_default();
        if offer("relp_version").and_then(|v| v.trim().parse::<u32>().ok()).is_none() {
            return Ok(self.refuse(number, "500 the offers name no version"));
        }
        if !commands.split(',').any(|c| c.trim() == "syslog") {
            return Ok(self.refuse(number, "500 only the command syslog is served here"));
        }
        self.stage = Stage::Open;
        Ok(Step::Answer(answer(number, &format!("200 OK\n{OFFERS}"))))
    }

    fn refuse(&mut self, number: u32, text: &str) -> Step {
        self.end(answer(number, text), Some("offers that do not fit"))
    }

    fn end(&mut self, mut bytes: Vec<u8>, broken: Option<&'static str>) -> Step {
        self.stage = Stage::Ended;
        if broken.is_some() {
            bytes.extend(Session::farewell());
        }
        Step::End { bytes, broken }
    }
}

fn answer(number: u32, text: &str) -> Vec<u8> {
    let space = if text.is_empty() { "" } else { " " };
    format!("{number} rsp {}{space}{text}\n", text.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPEN: &str = "1 open 39 relp_version=0\ncommands=syslog,starttls\n";

    fn run(wire: &[u8], chunk: usize) -> Vec<Step> {
        let mut session = Session::default();
        wire.chunks(chunk.max(1)).flat_map(|bytes| session.push(bytes)).collect()
    }

    fn broken(wire: &[u8]) -> &'static str {
        match run(wire, 7).last() {
            Some(Step::End { broken: Some(rule), .. }) => rule,
            other => panic!("{wire:?}: {other:?}"),
        }
    }

    fn message(number: u32, text: &str) -> Step {
        Step::Message { number, bytes: text.into() }
    }

    #[test]
    fn a_session_opens_takes_messages_and_closes() {
        let wire = format!(
            "{OPEN}2 syslog 9 <13>a\nb\0c\n3 syslog 0\n4 syslog 0 \n5 other 1 x\n6 close 0\n"
        );
        for chunk in [1, 2, 5, 1000] {
            let steps = run(wire.as_bytes(), chunk);
            let Step::Answer(opened) = &steps[0] else { panic!("{steps:?}") };
            let opened = std::str::from_utf8(opened).unwrap();
            assert!(opened.starts_with("1 rsp ") && opened.contains(" 200 OK\nrelp_version=0\n"));
            assert!(opened.ends_with("\ncommands=syslog\n"));
            let length: usize = opened.split(' ').nth(2).unwrap().parse().unwrap();
            assert_eq!(opened.len(), format!("1 rsp {length} ").len() + length + 1);
            assert_eq!(steps[1], message(2, "<13>a\nb\0c"));
            assert_eq!(steps[2..4], [message(3, ""), message(4, "")]);
            assert_eq!(steps[4], Step::Answer(b"5 rsp 19 500 no such command\n".to_vec()));
            let bytes = b"6 rsp 0\n0 serverclose 0\n".to_vec();
            assert_eq!(steps[5..], [Step::End { bytes, broken: None }]);
        }
        assert_eq!(Session::stored(7), b"7 rsp 6 200 OK\n");
    }

    #[test]
    fn whatever_breaks_a_rule_ends_the_session_and_messages_before_it_count() {
        for (wire, rule) in [
            ("2 syslog 1 x\n".to_owned(), "begins with open"),
            ("2 syslog 999999999 x".to_owned(), "begins with open"),
            ("1234567890 open 0\n".to_owned(), "nine digits"),
            ("x".to_owned(), "nine digits"),
            (" ".to_owned(), "nine digits"),
            ("0 open 0\n".to_owned(), "rise by one"),
            (format!("1 {} 0\n", "a".repeat(33)), "32 letters"),
            ("1 op3n 0\n".to_owned(), "32 letters"),
            ("1  0\n".to_owned(), "32 letters"),
            ("1 open 4097 x".to_owned(), "that long"),
            ("1 open 1234567890 x".to_owned(), "nine digits"),
            ("1 open -1 x".to_owned(), "nine digits"),
            ("1 open 5\n".to_owned(), "nine digits"),
            ("1 open 3 abcd\n".to_owned(), "line feed"),
            ("1 open 1 x\n".to_owned(), "do not fit"),
            ("1 open 29 relp_version=0\ncommands=tls,x\n".to_owned(), "do not fit"),
            (format!("{OPEN}3 syslog 1 x\n"), "rise by one"),
            (format!("{OPEN}2 syslog 1 x\n2 syslog 1 x\n"), "rise by one"),
            (format!("{OPEN}2 open 0\n"), "opened once"),
            (format!("{OPEN}2 rsp 0\n"), "nothing was asked"),
            (format!("{OPEN}2 close 5000 x"), "that long"),
        ] {
            let found = broken(wire.as_bytes());
            assert!(found.contains(rule), "{wire:?}: {found}");
        }
        assert_eq!(broken(b"1 open 3 \xff\xffa\n"), "offers are text");
        let steps = run(format!("{OPEN}2 syslog 1 x\n!2 syslog 1 y\n").as_bytes(), 1000);
        assert_eq!(steps[1], message(2, "x"));
        assert!(matches!(steps[2..], [Step::End { broken: Some(_), .. }]));
    }

    #[test]
    fn numbers_go_round_and_an_overlong_message_is_cut_without_losing_step() {
        let open = OPEN.replacen('1', "999999999", 1);
        let long = "y".repeat(MESSAGE_BYTES_MAX + 5);
        let wire = format!("{open}1 syslog {} {long}\n2 syslog 1 z\n", long.len());
        let steps = run(wire.as_bytes(), 65_536);
        let Step::Message { number: 1, bytes } = &steps[1] else { panic!() };
        assert_eq!(bytes.len(), MESSAGE_BYTES_MAX);
        assert_eq!(steps[2], message(2, "z"));
    }

    proptest! {
        #[test]
        fn chunks_never_change_what_bytes_mean(
            mut wire in prop::collection::vec(any::<u8>(), 0..200),
            opened: bool,
            cut in 0usize..40,
            chunk in 1usize..20,
        ) {
            if opened {
                let good = b"2 syslog 3 abc\n3 syslog 2 de\n4 close 0\n";
                wire = [OPEN.as_bytes(), &good[..cut.min(good.len())], &wire].concat();
            }
            let whole = run(&wire, usize::MAX);
            let ends = whole.iter().filter(|s| matches!(s, Step::End { .. })).count();
            prop_assert!(ends <= 1);
            prop_assert_eq!(run(&wire, chunk), whole);
        }
    }
}
