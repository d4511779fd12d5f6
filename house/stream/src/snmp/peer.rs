//! A conversation with one agent of SNMP, as a machine: what to send, and what an answer means. Pure: the clock
//! and the salt are arguments.
//!
//! With v3 the engine is found first (RFC 3414, 4): its name comes unauthenticated, its clock only ever out of an
//! authenticated message. Nothing that is not authenticated changes what is known, except that an engine which says
//! that it is another is asked anew. An answer counts if it is of the request that is under way, of the engine and
//! user, at least as secure as the request, and not older than [`WINDOW_S`] seconds.

use super::{
    ber::{OCTETS, SEQUENCE, element, put, put_integer, whole},
    message::{Kind, Pdu, of_community, with_community},
    usm::{Clock, Keys, User},
};

/// How far the clock of a message may lie back.
pub const WINDOW_S: u64 = 150;
/// What an engine may call itself, in bytes.
const ENGINE_BYTES: std::ops::RangeInclusive<usize> = 5..=32;
const VERSION_3: i64 = 3;
const USM: i64 = 3;
/// Largest message we take.
const MESSAGE_BYTES_MAX: i64 = 65_507;
const AUTH: u8 = 1;
const PRIVATE: u8 = 2;
const REPORTABLE: u8 = 4;
/// Where the statistics of the security stand that reports name.
const STATISTICS: [u32; 9] = [1, 3, 6, 1, 6, 3, 15, 1, 1];

/// Who we are to the agent.
#[derive(Clone)]
pub enum Security {
    /// Of v2c.
    Community(Vec<u8>),
    /// Of v3.
    User(Box<User>),
}

/// What came.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Answer(Pdu),
    /// Something was learnt that the request needs: send it again.
    Again,
    /// It answers something else; wait on.
    Stale,
}

/// What the agent will not do, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the agent does not know this user")]
    User,
    #[error(
        "the agent does not let this user in with this authentication or privacy (security level)"
    )]
    Level,
    #[error("authentication failed: the password or the hash is another than the agent's")]
    Digest,
    #[error(
        "the agent could not decrypt: the privacy password, the cipher or key_extension is another"
    )]
    Decryption,
    #[error("the agent reports a fault that is not known here")]
    Other,
}

/// The agent, as far as it is known.
pub struct Peer {
    security: Security,
    engine: Option<Engine>,
    /// Number of the request under way.
    asked: i32,
}

struct Engine {
    id: Vec<u8>,
    keys: Keys,
    /// The newest clock that an authenticated message told, and when that was.
    clock: Option<(Clock, u64)>,
    /// Whether it ever answered a request.
    answered: bool,
}

impl Engine {
    /// What its clock shows now.
    fn clock(&self, now_s: u64) -> Clock {
        let Some((clock, at)) = self.clock else { return Clock::default() };
        let passed = u32::try_from(now_s.saturating_sub(at)).unwrap_or(u32::MAX);
        Clock { time: clock.time.saturating_add(passed), ..clock }
    }

    fn is_timely(&self, said: Clock, now_s: u64) -> bool {
        let known = self.clock(now_s);
        let oldest = u64::from(known.time).saturating_sub(WINDOW_S);
        said.boots > known.boots || (said.boots == known.boots && u64::from(said.time) >= oldest)
    }

    fn learn(&mut self, said: Clock, now_s: u64) {
        let newer = |(clock, _): &(Clock, u64)| (said.boots, said.time) > (clock.boots, clock.time);
        if self.clock.as_ref().is_none_or(newer) {
            self.clock = Some((said, now_s));
        }
    }
}

impl Peer {
    pub fn new(security: Security) -> Peer {
        Peer { security, engine: None, asked: 0 }
    }

    /// Forgets the engine: after a failure it may be another one.
    pub fn forget(&mut self) {
        self.engine = None;
    }

    /// Whether the agent knows our authentication and is silent all the same: many drop what they cannot decrypt.
    pub fn is_silent_in_private(&self) -> bool {
        let silent = |e: &Engine| e.clock.is_some() && e.keys.privacy.is_some() && !e.answered;
        self.engine.as_ref().is_some_and(silent)
    }

    /// The bytes that ask; with v3 they may first ask who the engine is. `salt` never comes twice.
    pub fn ask(&mut self, pdu: &Pdu, now_s: u64, salt: [u8; 8]) -> Vec<u8> {
        self.asked = pdu.id;
        let user = match &self.security {
            Security::Community(community) => return with_community(community, pdu),
            Security::User(user) => user,
        };
        let Some(engine) = &self.engine else { return discovery(pdu.id) };
        let keys = &engine.keys;
        let empty = Pdu::request(Kind::Get, pdu.id, &[], 0);
        let pdu = if engine.clock.is_some() { pdu } else { &empty };
        let scoped = [put(OCTETS, &engine.id), put(OCTETS, &user.context), pdu.write()];
        let scoped = put(SEQUENCE, &scoped.concat());
        let clock = engine.clock(now_s);
        // An engine whose clock is not known yet is asked nothing but that, and need not decrypt it.
        let sealed = engine.clock.and_then(|_| keys.seal(clock, salt, &scoped));
        let mut flags = REPORTABLE;
        flags |= if keys.auth.is_some() { AUTH } else { 0 };
        flags |= if sealed.is_some() { PRIVATE } else { 0 };
        let salt = if sealed.is_some() { &salt[..] } else { &[] };
        let data = sealed.map_or(scoped, |sealed| put(OCTETS, &sealed));
        let message = |code: &[u8]| {
            let said = [
                put(OCTETS, &engine.id),
                put_integer(clock.boots.into()),
                put_integer(clock.time.into()),
                put(OCTETS, &user.name),
                put(OCTETS, code),
                put(OCTETS, salt),
            ];
            wrapped(pdu.id, flags, &said.concat(), &data)
        };
        match &keys.auth {
            None => message(&[]),
            Some((hash, key)) => {
                let blank = message(&vec![0; hash.code_bytes()]);
                message(&hash.code(key, &blank))
            }
        }
    }

    /// What a datagram from the agent means. What cannot be read says nothing: it may be of anybody.
    pub fn hear(&mut self, datagram: &[u8], now_s: u64) -> Result<Heard, Refusal> {
        match &self.security {
            Security::Community(community) => {
                let answer = of_community(datagram, community).ok();
                let of_ours =
                    answer.filter(|pdu| pdu.kind == Kind::Response && pdu.id == self.asked);
                Ok(of_ours.map_or(Heard::Stale, Heard::Answer))
            }
            Security::User(_) => self.hear_secured(datagram, now_s),
        }
    }

    fn hear_secured(&mut self, datagram: &[u8], now_s: u64) -> Result<Heard, Refusal> {
        let Ok(message) = Message::read(datagram) else { return Ok(Heard::Stale) };
        let Security::User(user) = &self.security else { return Ok(Heard::Stale) };
        if message.id != i64::from(self.asked) {
            return Ok(Heard::Stale);
        }
        let Some(engine) = &mut self.engine else {
            return match message.plain().and_then(|pdu| statistic(&pdu)) {
                Some(4) if ENGINE_BYTES.contains(&message.engine.len()) => {
                    let id = message.engine.to_vec();
                    let keys = user.keys(&id);
                    // Without authentication a clock means nothing, and none is waited for.
                    let clock = keys.auth.is_none().then_some((Clock::default(), now_s));
                    self.engine = Some(Engine { id, keys, clock, answered: false });
                    Ok(Heard::Again)
                }
                _ => Ok(Heard::Stale),
            };
        };
        let authentic = message.is_authentic(datagram, &engine.keys, &engine.id, &user.name);
        let Some(pdu) = message.opened(&engine.keys) else { return Ok(Heard::Stale) };
        match (pdu.kind, statistic(&pdu)) {
            (Kind::Report, Some(2)) if authentic => {
                engine.clock = Some((message.clock, now_s));
                Ok(Heard::Again)
            }
            // What is not authenticated could be anybody's word; it ends this request and changes nothing.
            (Kind::Report, Some(4)) if message.engine != engine.id => {
                self.engine = None;
                Ok(Heard::Again)
            }
            (Kind::Report, Some(1)) => Err(Refusal::Level),
            (Kind::Report, Some(3)) => Err(Refusal::User),
            (Kind::Report, Some(5)) => Err(Refusal::Digest),
            (Kind::Report, Some(6)) => Err(Refusal::Decryption),
            (Kind::Report, Some(2)) => Ok(Heard::Stale),
            (Kind::Report, _) => Err(Refusal::Other),
            (Kind::Response, _) => {
                let secured = engine.keys.auth.is_none()
                    || (authentic && engine.is_timely(message.clock, now_s));
                let private = engine.keys.privacy.is_none() || message.flags & PRIVATE != 0;
                let of_ours = message.engine == engine.id && pdu.id == self.asked;
                if !secured || !private || !of_ours {
                    return Ok(Heard::Stale);
                }
                if engine.keys.auth.is_some() {
                    engine.learn(message.clock, now_s);
                }
                engine.answered = true;
                Ok(Heard::Answer(pdu))
            }
            _ => Ok(Heard::Stale),
        }
    }
}

/// Asks who the engine is: nobody asks nothing of no one.
fn discovery(id: i32) -> Vec<u8> {
    let nobody = [put(OCTETS, &[]), put_integer(0), put_integer(0)].concat();
    let said = [nobody, put(OCTETS, &[]), put(OCTETS, &[]), put(OCTETS, &[])].concat();
    let nothing = Pdu::request(Kind::Get, id, &[], 0).write();
    let scoped = [put(OCTETS, &[]), put(OCTETS, &[]), nothing].concat();
    wrapped(id, REPORTABLE, &said, &put(SEQUENCE, &scoped))
}

fn wrapped(id: i32, flags: u8, said: &[u8], data: &[u8]) -> Vec<u8> {
    let head = [
        put_integer(id.into()),
        put_integer(MESSAGE_BYTES_MAX),
        put(OCTETS, &[flags]),
        put_integer(USM),
    ];
    let parts = [
        put_integer(VERSION_3),
        put(SEQUENCE, &head.concat()),
        put(OCTETS, &put(SEQUENCE, said)),
        data.to_vec(),
    ];
    put(SEQUENCE, &parts.concat())
}

/// Which statistic of the security a report names.
fn statistic(pdu: &Pdu) -> Option<u32> {
    let (oid, _) = pdu.variables.first()?;
    (pdu.kind == Kind::Report).then_some(())?;
    oid.strip_prefix(&STATISTICS[..])?.first().copied()
}

/// A message of v3, taken apart.
struct Message<'a> {
    id: i64,
    flags: u8,
    engine: &'a [u8],
    clock: Clock,
    user: &'a [u8],
    code: &'a [u8],
    salt: &'a [u8],
    /// The scoped PDU, or what hides it.
    data: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(bytes: &'a [u8]) -> Result<Message<'a>, &'static str> {
        let (message, _) = element(bytes, SEQUENCE)?;
        let (version, rest) = whole(message)?;
        let (head, rest) = element(rest, SEQUENCE)?;
        let (id, head) = whole(head)?;
        let (_, head) = whole(head)?;
        let (flags, head) = element(head, OCTETS)?;
        let (model, _) = whole(head)?;
        if version != VERSION_3 || model != USM {
            return Err("no message of version 3 with its user-based security");
        }
        let (said, data) = element(rest, OCTETS)?;
        let (said, _) = element(said, SEQUENCE)?;
        let (engine, said) = element(said, OCTETS)?;
        let (boots, said) = whole(said)?;
        let (time, said) = whole(said)?;
        let (user, said) = element(said, OCTETS)?;
        let (code, said) = element(said, OCTETS)?;
        let (salt, _) = element(said, OCTETS)?;
        let number = |n: i64| u32::try_from(n).map_err(|_| "a clock is a number");
        let clock = Clock { boots: number(boots)?, time: number(time)? };
        let flags = *flags.first().ok_or("no flags")?;
        Ok(Message { id, flags, engine, clock, user, code, salt, data })
    }

    /// What it says if it hides nothing.
    fn plain(&self) -> Option<Pdu> {
        (self.flags & PRIVATE == 0).then(|| scoped(self.data)).flatten()
    }

    fn opened(&self, keys: &Keys) -> Option<Pdu> {
        if self.flags & PRIVATE == 0 {
            return self.plain();
        }
        let (sealed, _) = element(self.data, OCTETS).ok()?;
        scoped(&keys.open(self.clock, self.salt, sealed)?)
    }

    /// Whether engine and user sent exactly this.
    fn is_authentic(&self, whole: &[u8], keys: &Keys, engine: &[u8], user: &[u8]) -> bool {
        let Some((hash, key)) = &keys.auth else { return false };
        if self.flags & AUTH == 0 || self.engine != engine || self.user != user {
            return false;
        }
        // The code was made over a message with zeros in its place.
        let at = self.code.as_ptr() as usize - whole.as_ptr() as usize;
        let blank = vec![0; self.code.len()];
        let parts = [&whole[..at], &blank, &whole[at + self.code.len()..]];
        hash.holds(key, &parts, self.code)
    }
}

fn scoped(bytes: &[u8]) -> Option<Pdu> {
    let (scoped, _) = element(bytes, SEQUENCE).ok()?;
    let (_, rest) = element(scoped, OCTETS).ok()?;
    let (_, pdu) = element(rest, OCTETS).ok()?;
    Pdu::read(pdu).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snmp::{
        ber::{NULL, put_identifier},
        message::Value,
        usm::{Auth, Extension, Privacy},
    };

    const ENGINE: &[u8] = b"\x80\0\x1f\x88\x04test";
    const WORD: &[u8] = b"maplesyrup";
    const UPTIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];

    fn user(auth: Option<Auth>, privacy: Option<Privacy>) -> User {
        let (auth, privacy) = (auth.map(|a| (a, WORD)), privacy.map(|p| (p, WORD)));
        User::new("ume", auth, privacy, Extension::Blumenthal).unwrap()
    }

    /// An agent that keeps to the rules, as far as these tests ask.
    struct Agent {
        user: User,
        clock: Clock,
    }

    impl Agent {
        fn report(&self, id: i64, number: u32, authentic: bool) -> Vec<u8> {
            let oid: Vec<u32> = STATISTICS.into_iter().chain([number, 0]).collect();
            let pair = put(SEQUENCE, &[put_identifier(&oid), put(NULL, &[])].concat());
            let body = [put_integer(0), put_integer(0), put_integer(0), put(SEQUENCE, &pair)];
            self.send(id, &put(0xa8, &body.concat()), authentic, false, ENGINE)
        }

        fn send(
            &self,
            id: i64,
            pdu: &[u8],
            authentic: bool,
            private: bool,
            engine: &[u8],
        ) -> Vec<u8> {
            let keys = self.user.keys(engine);
            let scoped = [put(OCTETS, engine), put(OCTETS, &[]), pdu.to_vec()].concat();
            let scoped = put(SEQUENCE, &scoped);
            let salt = [7; 8];
            let data = match private {
                true => put(OCTETS, &keys.seal(self.clock, salt, &scoped).unwrap()),
                false => scoped,
            };
            let flags = (u8::from(authentic) * AUTH) | (u8::from(private) * PRIVATE);
            let message = |code: &[u8]| {
                let said = [
                    put(OCTETS, engine),
                    put_integer(self.clock.boots.into()),
                    put_integer(self.clock.time.into()),
                    put(OCTETS, b"ume"),
                    put(OCTETS, code),
                    put(OCTETS, if private { &salt } else { &[] }),
                ];
                wrapped(id as i32, flags, &said.concat(), &data)
            };
            let Some((hash, key)) = keys.auth.filter(|_| authentic) else { return message(&[]) };
            message(&hash.code(&key, &message(&vec![0; hash.code_bytes()])))
        }

        /// What it answers to a datagram.
        fn answer(&self, datagram: &[u8]) -> Vec<u8> {
            let message = Message::read(datagram).unwrap();
            if message.engine.is_empty() {
                return self.report(message.id, 4, false);
            }
            let keys = self.user.keys(ENGINE);
            if keys.auth.is_some() {
                if !message.is_authentic(datagram, &keys, ENGINE, b"ume") {
                    return self.report(message.id, 5, false);
                }
                if message.clock.boots != self.clock.boots {
                    return self.report(message.id, 2, true);
                }
            }
            let Some(pdu) = message.opened(&keys) else {
                return self.report(message.id, 6, false);
            };
            let pair = [put_identifier(&pdu.variables[0].0), put(0x43, &[0, 200])].concat();
            let list = put(SEQUENCE, &put(SEQUENCE, &pair));
            let numbers = [put_integer(pdu.id.into()), put_integer(0), put_integer(0)].concat();
            let pdu = put(0xa2, &[numbers, list].concat());
            self.send(message.id, &pdu, keys.auth.is_some(), keys.privacy.is_some(), ENGINE)
        }
    }

    fn get(id: i32) -> Pdu {
        Pdu::request(Kind::Get, id, &[UPTIME.to_vec()], 0)
    }

    /// Asks until there is an answer; says how often it had to.
    fn talk(peer: &mut Peer, agent: &Agent, id: i32, now: u64) -> Result<(Pdu, usize), Refusal> {
        for times in 1..5 {
            let sent = peer.ask(&get(id), now, [id as u8; 8]);
            match peer.hear(&agent.answer(&sent), now)? {
                Heard::Answer(pdu) => return Ok((pdu, times)),
                Heard::Again => {}
                Heard::Stale => panic!("the agent's word was not taken"),
            }
        }
        panic!("no answer")
    }

    const CLOCK: Clock = Clock { boots: 3, time: 1000 };

    #[test]
    fn every_level_finds_the_engine_and_is_answered() {
        let hashes = [Auth::Sha1, Auth::Sha224, Auth::Sha256, Auth::Sha384, Auth::Sha512];
        let ciphers = [None, Some(Privacy::Aes128), Some(Privacy::Aes192), Some(Privacy::Aes256)];
        let all = hashes.into_iter().flat_map(|hash| ciphers.map(|cipher| (Some(hash), cipher)));
        for (hash, cipher) in all.chain([(None, None)]) {
            let user = user(hash, cipher);
            let agent = Agent { user: user.clone(), clock: CLOCK };
            let mut peer = Peer::new(Security::User(Box::new(user)));
            let (pdu, times) = talk(&mut peer, &agent, 9, 50).unwrap();
            assert_eq!(pdu.variables, [(UPTIME.to_vec(), Value::Unsigned(200))]);
            // Engine, clock, answer; without authentication there is no clock.
            assert_eq!(times, if hash.is_some() { 3 } else { 2 }, "{hash:?} {cipher:?}");
            assert_eq!(talk(&mut peer, &agent, 10, 51).unwrap().1, 1);
            if let (Some(_), Some(_)) = (hash, cipher) {
                let sent = peer.ask(&get(11), 52, [1; 8]);
                assert!(!sent.windows(8).any(|w| *w == put_identifier(&UPTIME)[2..]), "in clear");
            }
        }
    }

    #[test]
    fn a_device_that_was_started_again_is_heard_again() {
        let user = user(Some(Auth::Sha256), Some(Privacy::Aes128));
        let mut agent = Agent { user: user.clone(), clock: CLOCK };
        let mut peer = Peer::new(Security::User(Box::new(user)));
        talk(&mut peer, &agent, 1, 50).unwrap();
        assert!(!peer.is_silent_in_private());
        agent.clock = Clock { boots: 4, time: 2 };
        assert_eq!(talk(&mut peer, &agent, 2, 60).unwrap().1, 2);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let right = user(Some(Auth::Sha256), Some(Privacy::Aes128));
        let agent = Agent { user: right, clock: CLOCK };
        let mut peer = Peer::new(Security::User(Box::new(user(Some(Auth::Sha1), None))));
        assert_eq!(talk(&mut peer, &agent, 1, 50).unwrap_err(), Refusal::Digest);
        for (number, refusal) in [(1, Refusal::Level), (3, Refusal::User), (6, Refusal::Decryption)]
        {
            peer.ask(&get(5), 50, [0; 8]);
            assert_eq!(peer.hear(&agent.report(5, number, false), 50).unwrap_err(), refusal);
        }
    }

    #[test]
    fn forged_old_and_open_answers_are_not_taken() {
        let user = user(Some(Auth::Sha256), Some(Privacy::Aes128));
        let agent = Agent { user: user.clone(), clock: CLOCK };
        let mut peer = Peer::new(Security::User(Box::new(user)));
        talk(&mut peer, &agent, 1, 50).unwrap();
        let sent = peer.ask(&get(2), 50, [2; 8]);
        let answer = agent.answer(&sent);
        let stale = |peer: &mut Peer, bytes: &[u8], now| {
            assert_eq!(peer.hear(bytes, now), Ok(Heard::Stale));
        };
        for at in 0..answer.len() {
            let mut forged = answer.clone();
            forged[at] ^= 1;
            assert!(!matches!(peer.hear(&forged, 50), Ok(Heard::Answer(_))), "byte {at}");
        }
        stale(&mut peer, &answer, 50 + WINDOW_S + 1);
        // Not hidden though it was asked to be; a clock that nobody vouches for.
        let open = put(
            0xa2,
            &[put_integer(2), put_integer(0), put_integer(0), put(SEQUENCE, &[])].concat(),
        );
        stale(&mut peer, &agent.send(2, &open, true, false, ENGINE), 50);
        let late = Agent { clock: Clock { boots: 9, time: 1 }, user: agent.user.clone() };
        stale(&mut peer, &late.report(2, 2, false), 50);
        // And none of it changed what is known.
        assert!(matches!(peer.hear(&answer, 50), Ok(Heard::Answer(_))));
        // The answer to an earlier request.
        peer.ask(&get(3), 51, [3; 8]);
        stale(&mut peer, &answer, 51);
    }

    #[test]
    fn a_community_answers_its_own_requests_only() {
        let mut peer = Peer::new(Security::Community(b"c".to_vec()));
        let sent = peer.ask(&get(7), 0, [0; 8]);
        assert_eq!(peer.hear(&sent, 0), Ok(Heard::Stale));
        let answer =
            |id, community| with_community(community, &Pdu { kind: Kind::Response, ..get(id) });
        assert_eq!(peer.hear(&answer(8, b"c"), 0), Ok(Heard::Stale));
        assert_eq!(peer.hear(&answer(7, b"d"), 0), Ok(Heard::Stale));
        assert!(matches!(peer.hear(&answer(7, b"c"), 0), Ok(Heard::Answer(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(noise: Vec<u8>, at in 0usize..200, value: u8) {
            let user = user(Some(Auth::Sha1), None);
            let agent = Agent { user: user.clone(), clock: CLOCK };
            let mut peer = Peer::new(Security::User(Box::new(user)));
            let sent = peer.ask(&get(1), 0, [0; 8]);
            let _ = peer.hear(&noise, 0);
            let mut answer = agent.answer(&sent);
            let at = at % answer.len();
            answer[at] = value;
            let _ = peer.hear(&answer, 0);
            let sent = peer.ask(&get(2), 0, [0; 8]);
            if peer.engine.is_some() {
                let mut answer = sent;
                let at = at % answer.len();
                answer[at] = value;
                let _ = peer.hear(&answer, 0);
            }
        }
    }
}
