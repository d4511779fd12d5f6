//! What of a set is new since it was hunted last, and what a segment must have shown for any of that to be met in it.
//! Pure.
//!
//! Invariants: a row, or a pattern, counts as hunted only if it stands there with the same value, reach, direction and
//! period; a question to a segment never leaves out a row that could hit one of its events.

use std::{collections::BTreeSet, net::IpAddr};

use indicators::{Ceiling, Hit, Kind, Scope, set::Damage};
use intel::{Current, PatternLine};
use netname::{Host, Names, Url};
use sha2::{Digest, Sha256};

use super::seen::{self, Asks};

const MAGIC: [u8; 8] = *b"UMEHUNT\x01";
const PRINT: usize = 16;

/// What a row or pattern is known by.
pub type Print = [u8; PRINT];

/// Ids of rows, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<u64>);

impl Rows {
    pub fn of(mut ids: Vec<u64>) -> Rows {
        ids.sort_unstable();
        ids.dedup();
        Rows(ids)
    }

    pub fn has(&self, id: u64) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What was hunted for already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hunted(Vec<Print>);

impl Hunted {
    /// All rows and patterns of a set.
    pub fn of(set: &Current) -> Result<Hunted, Damage> {
        let mut all = Vec::new();
        set.set().scan(|hit| all.extend(counted(&hit).then(|| of_row(&hit))))?;
        all.extend(set.patterns().iter().map(of_pattern));
        all.sort_unstable();
        all.dedup();
        Ok(Hunted(all))
    }

    fn has(&self, print: &Print) -> bool {
        self.0.binary_search(print).is_ok()
    }

    /// What both hold: what is in force no more is looked for again when it comes back.
    #[must_use]
    pub fn and(&self, other: &Hunted) -> Hunted {
        Hunted(self.0.iter().filter(|print| other.has(print)).copied().collect())
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        self.0.iter().for_each(|print| bytes.extend(print));
        let sum = crc32c::crc32c(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    /// Reads what [`Hunted::bytes`] made; `None` if it is not whole.
    pub fn read(bytes: &[u8]) -> Option<Hunted> {
        let (front, sum) = bytes.split_last_chunk::<4>()?;
        let prints = front.strip_prefix(&MAGIC)?;
        if crc32c::crc32c(front).to_le_bytes() != *sum || prints.len() % PRINT != 0 {
            return None;
        }
        let prints = prints.chunks_exact(PRINT).filter_map(|print| print.try_into().ok());
        Some(Hunted(prints.collect()))
    }
}

/// What of a set was not hunted for.
pub struct New {
    pub rows: Rows,
    pub patterns: Vec<PatternLine>,
    /// What to ask of segments; none where something new can be in any of them.
    pub asks: Option<Asks>,
}

/// Tells what of a set is new.
pub fn new_in(set: &Current, hunted: &Hunted, names: &Names) -> Result<New, Damage> {
    let (mut rows, mut asks, mut is_open) = (BTreeSet::new(), Vec::new(), false);
    set.set().scan(|hit| {
        if !counted(&hit) || hunted.has(&of_row(&hit)) {
            return;
        }
        rows.insert(hit.id);
        match ask(&hit, names) {
            Some(hashes) => asks.extend(hashes.into_iter().map(|hash| (hash, hit.from, hit.until))),
            None => is_open = true,
        }
    })?;
    let new = set.patterns().iter().filter(|line| !hunted.has(&of_pattern(line)));
    let patterns: Vec<PatternLine> = new.cloned().collect();
    // What a pattern asks for may stand in fields that no indicator is asked of.
    is_open |= !patterns.is_empty();
    let rows = Rows(rows.into_iter().collect());
    Ok(New { rows, patterns, asks: (!is_open).then(|| Asks::new(asks)) })
}

fn counted(hit: &Hit<'_>) -> bool {
    hit.ceiling != Ceiling::Nothing
}

fn of_row(hit: &Hit<'_>) -> Print {
    let (kind, scope, direction) = (hit.kind.as_str(), hit.scope.as_str(), hit.direction.as_str());
    let (from, until) = (hit.from.unwrap_or(i64::MIN), hit.until.unwrap_or(i64::MAX));
    first_half(&format!("{kind}\n{scope}\n{direction}\n{from}\n{until}\n{}", hit.value()))
}

fn of_pattern(line: &PatternLine) -> Print {
    let (from, until) = (line.from.unwrap_or(i64::MIN), line.until.unwrap_or(i64::MAX));
    let PatternLine { id, language, pattern, .. } = line;
    first_half(&format!("pattern\n{language:?}\n{id}\n{from}\n{until}\n{pattern}"))
}

fn first_half(text: &str) -> Print {
    let digest = Sha256::digest(text);
    std::array::from_fn(|at| digest[at])
}

/// One of these has to be among the keys of an event that the row hits; `None` where nobody can say.
fn ask(hit: &Hit<'_>, names: &Names) -> Option<Vec<u64>> {
    let value = hit.value();
    let text = value.as_str();
    let registered = |name: &str| seen::domain(names.registrable(name).unwrap_or(name));
    let one = |hash| Some(vec![hash]);
    match (hit.kind, hit.scope) {
        (_, Scope::Pattern | Scope::Substring | Scope::Regex) => None,
        (Kind::Domain, Scope::Exact) => one(seen::domain(text)),
        (Kind::Domain, _) => one(registered(text)),
        (Kind::Url, Scope::Exact) => one(seen::url(&text[text.find("//")?..])),
        (Kind::Url, Scope::Prefix) => {
            let url = Url::parse(&format!("http:{}", &text[text.find("//")?..])).ok()?;
            one(match url.host() {
                Host::Domain(name) => seen::domain(name.as_str()),
                Host::Ip(ip) => seen::ip(*ip),
            })
        }
        // A host: a name without a dot lies there as an address would.
        (Kind::Url, _) => match text.parse::<IpAddr>() {
            Ok(ip) => {
                let bytes = match ip {
                    IpAddr::V4(v4) => v4.octets().to_vec(),
                    IpAddr::V6(v6) => v6.octets().to_vec(),
                };
                let name = std::str::from_utf8(&bytes).ok().map(seen::domain);
                Some(std::iter::once(seen::ip(ip)).chain(name).collect())
            }
            Err(_) if text.contains('.') => one(registered(text)),
            Err(_) => None,
        },
        (Kind::Ip, _) => one(seen::ip(text.parse().ok()?)),
        (Kind::Cidr, _) => one(seen::around(text.parse().ok()?)?),
        (Kind::Email, _) => one(seen::email(text)),
        (Kind::Path, _) => one(seen::path(text)),
        (Kind::RegistryKey, _) => one(seen::registry(text)),
        (Kind::FileName, _) => one(seen::file_name(text)),
        (kind, _) => one(seen::other(kind, text)),
    }
}
