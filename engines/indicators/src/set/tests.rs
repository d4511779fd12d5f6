//! Nothing lost and nothing false against a scan of all rows, whatever is asked of whatever set;
//! torn and hostile files are errors.

use core::net::IpAddr;

use ipnet::IpNet;
use netname::{Names, Url};
use proptest::prelude::*;

use super::format::{SEAL, TRAILER, seal};
use super::{
    BuildError, Change, Damage, LAYERS_MAX, Limits, Observable, Set, build, build_delta, verify,
};
use crate::{Ceiling, Direction, Entry, Key, Kind, Micros, Scope, normalise, normalise::residue};

/// Random numbers for rows and questions from one seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

fn host(dice: &mut Dice) -> String {
    let suffix = dice.of(&["com", "co.jp", "github.io", "kawasaki.jp", "internal"]);
    let labels = 1 + dice.below(3);
    let mut name = suffix.to_owned();
    for _ in 0..labels {
        name = format!("{}.{name}", dice.of(&["a", "b", "evil", "www"]));
    }
    name
}

fn ip(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!("2001:db8::{:x}", dice.below(8)),
        _ => format!("10.0.{}.{}", dice.below(2), dice.below(8)),
    }
}

fn url(dice: &mut Dice) -> String {
    let host = match dice.below(4) {
        0 => "10.0.0.1".to_owned(),
        1 => "[2001:db8::1]:8080".to_owned(),
        _ => host(dice),
    };
    let mut path = String::from("/");
    for _ in 0..dice.below(4) {
        path += dice.of(&["a", "b", "a/", "b/", "x.exe"]);
        if dice.below(2) == 0 {
            path += "/";
        }
    }
    path += dice.of(&["", "", "?q=1", "?a/b"]);
    format!("{}://{host}{path}", dice.of(&["http", "https"]))
}

fn path(dice: &mut Dice) -> String {
    let root = dice.of(&[
        "C:\\Windows",
        "%APPDATA%",
        "C:\\Users\\taro\\AppData\\Roaming",
        "\\\\srv\\share",
        "/usr",
        "/home/x",
    ]);
    let separator = if root.starts_with('/') { "/" } else { "\\" };
    let mut path = root.to_owned();
    for _ in 0..1 + dice.below(3) {
        path = format!("{path}{separator}{}", dice.of(&["a", "B", "evil.exe", "Temp"]));
    }
    path
}

/// A value of a kind as it stands in a log.
fn raw(kind: Kind, dice: &mut Dice) -> String {
    match kind {
        Kind::Ip => ip(dice),
        Kind::Cidr if dice.below(4) == 0 => format!("2001:db8::/{}", 112 + dice.below(17)),
        Kind::Cidr => format!("10.0.{}.{}/{}", dice.below(2), dice.below(8), 20 + dice.below(13)),
        Kind::Domain => host(dice),
        Kind::Url => url(dice),
        Kind::Email => format!("{}@{}", dice.of(&["a", "b"]), host(dice)),
        Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 => {
            let length = [32, 40, 64, 128][kind as usize - Kind::Md5 as usize];
            dice.of(&["0", "1", "a", "f"]).repeat(length)
        }
        Kind::Ssdeep => format!("{}:{}:b", dice.of(&["3", "6"]), dice.of(&["a", "b"])),
        Kind::FileName => dice.of(&["a", "evil.exe", "Evil.EXE", "b"]).to_owned(),
        Kind::Path => path(dice),
        Kind::RegistryKey => {
            format!("HKLM\\Software{}", dice.of(&["", "\\Run", "\\Run\\evil", "\\x"]))
        }
        Kind::Mutex => dice.of(&["Global\\m1", "m1", "m2"]).to_owned(),
        Kind::UserAgent => dice.of(&["Mozilla/4.0 evil", "curl/8", "evil"]).to_owned(),
        Kind::Asn => format!("AS{}", 64_500 + dice.below(4)),
    }
}

/// A row's key: a value of the kind, reaching as far as one may.
fn key(kind: Kind, dice: &mut Dice) -> Key {
    let names = Names::shipped();
    if dice.below(8) == 0 && Scope::Pattern.suits(kind) {
        let (scope, text) = match dice.below(3) {
            0 => (Scope::Substring, "evil"),
            1 => (Scope::Pattern, "*evil*e*"),
            _ => (Scope::Regex, "(?i)evil.?(com|exe|$)"),
        };
        return residue(kind, scope, text).unwrap();
    }
    let mut value = raw(kind, dice);
    if kind == Kind::Url && dice.below(4) == 0 {
        value = value.split_once(':').unwrap().1.to_owned();
    }
    let key = normalise(kind, &value, &names).unwrap();
    let scope = Scope::ALL[dice.below(4)];
    key.clone().reaching(scope).unwrap_or(key)
}

fn entry(id: u64, dice: &mut Dice) -> Entry {
    let kind = Kind::ALL[dice.below(Kind::ALL.len())];
    let mut entry = Entry::new(id, key(kind, dice), dice.of(&["feed a", "feed b"]));
    entry.direction = Direction::ALL[dice.below(3)];
    entry.ceiling = Ceiling::ALL[dice.below(4)];
    entry.from = (dice.below(2) == 0).then(|| dice.below(10) as Micros * 1_000_000);
    entry.until = (dice.below(2) == 0).then(|| dice.below(20) as Micros * 999_999);
    entry
}

/// A question, taken apart without the set's help.
struct Asked {
    kind: Kind,
    text: String,
    direction: Direction,
    at: Micros,
    url: Option<Url>,
    ip: Option<IpAddr>,
    /// The name, and how short one above it may be.
    host: Option<(String, usize)>,
    net: Option<IpNet>,
    file: Option<String>,
}

impl Asked {
    fn new(kind: Kind, text: &str, direction: Direction, at: Micros) -> Asked {
        let url = (kind == Kind::Url).then(|| Url::parse(text).unwrap());
        let host = match &url {
            Some(url) => url.host().domain().map(|domain| domain.as_str().to_owned()),
            None => (kind == Kind::Domain).then(|| text.to_owned()),
        };
        let least = |name: &str| Names::shipped().registrable(name).map_or(name.len(), str::len);
        let path = kind == Kind::Path && text.contains(['\\', '/']);
        Asked {
            kind,
            direction,
            at,
            ip: url.as_ref().map_or_else(|| text.parse().ok(), |url| url.host().ip()),
            url,
            host: host.map(|name| (name.clone(), least(&name))),
            net: text.parse().ok().filter(|_| kind == Kind::Cidr),
            file: path.then(|| text.rsplit(['\\', '/']).next().unwrap().to_lowercase()),
            text: text.to_owned(),
        }
    }

    /// Whether a row is hit, by the words of its scope and nothing of the file's making.
    fn hits(&self, row: &Entry) -> bool {
        let at = self.at;
        let period = row.from.is_none_or(|from| from <= at) && row.until.is_none_or(|end| at < end);
        let sides = row.direction == self.direction
            || row.direction == Direction::Both
            || self.direction == Direction::Both;
        period && sides && self.says(&row.key)
    }

    fn says(&self, row: &Key) -> bool {
        if matches!(row.scope(), Scope::Pattern | Scope::Substring | Scope::Regex) {
            return self.says_in_part(row);
        }
        if self.says_of_host(row) || self.says_of_address(row) || self.says_of_file(row) {
            return true;
        }
        if row.kind() != self.kind || matches!(row.kind(), Kind::Ip | Kind::Cidr | Kind::Domain) {
            return false;
        }
        match (row.kind(), row.scope()) {
            (Kind::Url, scope) => self.says_of_page(row.text(), scope),
            (Kind::Email, Scope::Host) => self.text.ends_with(row.text()),
            (_, Scope::Prefix) => below(row.text(), &self.text),
            _ => row.text() == self.text,
        }
    }

    fn says_in_part(&self, row: &Key) -> bool {
        let text = match (self.kind, row.kind()) {
            (Kind::Url, Kind::Domain) => self.host.as_ref().map(|host| &host.0),
            (Kind::Path, Kind::FileName) => self.file.as_ref(),
            (one, other) => (one == other).then_some(&self.text),
        };
        let Some(text) = text else { return false };
        // The three that `key` makes.
        match row.scope() {
            Scope::Substring => text.contains("evil"),
            Scope::Pattern => text.find("evil").is_some_and(|at| text[at + 4..].contains('e')),
            _ => {
                let lower = text.to_lowercase();
                lower.match_indices("evil").any(|(at, _)| {
                    let rest = &lower[at + 4..];
                    let next = rest.chars().next().map_or("", |ch| &rest[ch.len_utf8()..]);
                    [rest, next].iter().any(|rest| {
                        rest.is_empty() || rest.starts_with("com") || rest.starts_with("exe")
                    })
                })
            }
        }
    }

    fn says_of_host(&self, row: &Key) -> bool {
        let Some((name, least)) = &self.host else { return false };
        match (row.kind(), row.scope()) {
            (Kind::Domain, Scope::Exact) | (Kind::Url, Scope::Host) => row.text() == name,
            (Kind::Domain | Kind::Url, Scope::Subdomains) => {
                let rest = name.strip_suffix(row.text());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    && (row.text().len() >= *least || row.text() == name)
            }
            _ => false,
        }
    }

    fn says_of_address(&self, row: &Key) -> bool {
        if row.kind() == Kind::Cidr {
            let net: IpNet = row.text().parse().unwrap();
            return self.ip.is_some_and(|ip| net.contains(&ip))
                || self.net.is_some_and(|inner| net.contains(&inner));
        }
        let Some(ip) = self.ip else { return false };
        match (row.kind(), row.scope()) {
            (Kind::Ip, _) | (Kind::Url, Scope::Host | Scope::Subdomains) => {
                row.text().trim_matches(['[', ']']).parse() == Ok(ip)
            }
            _ => false,
        }
    }

    fn says_of_file(&self, row: &Key) -> bool {
        row.kind() == Kind::FileName && self.file.as_deref() == Some(row.text())
    }

    fn says_of_page(&self, row: &str, scope: Scope) -> bool {
        let schemeless = row.starts_with("//");
        let text = self.url.as_ref().unwrap().as_str();
        let text = if schemeless { text.split_once(':').unwrap().1 } else { text };
        match scope {
            Scope::Exact => row == text,
            Scope::Prefix => below(row, text.split('?').next().unwrap()),
            _ => false,
        }
    }
}

fn below(above: &str, text: &str) -> bool {
    let rest = text.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['\\', '/']))
}

fn changes(rows: &[Entry], gone: impl IntoIterator<Item = u64>) -> Vec<Change> {
    let put = rows.iter().cloned().map(Change::Put);
    put.chain(gone.into_iter().map(Change::Gone)).collect()
}

fn written(rows: &[Entry], seed: [u8; 16]) -> Vec<u8> {
    let mut out = Vec::new();
    let summary = build(rows.to_vec(), seed, &Limits::DEFAULT, &mut out).unwrap();
    assert_eq!(summary.bytes, out.len() as u64);
    out
}

/// The seal of a footer anew, as far as there is one.
fn reseal(file: &mut [u8]) {
    let end = file.len() - TRAILER;
    let length = file[end + SEAL..end + SEAL + 4].try_into().map(u32::from_le_bytes).unwrap();
    let Some(start) = end.checked_sub(length as usize) else { return };
    let sealed = seal(&file[start..end]);
    file[end..end + SEAL].copy_from_slice(&sealed);
}

fn ids(set: &Set<'_>, seen: &Observable, at: Micros) -> Vec<u64> {
    let mut hits = Vec::new();
    set.lookup(seen, at, &mut hits).unwrap();
    let mut ids: Vec<u64> = hits.iter().map(|hit| hit.id).collect();
    ids.sort_unstable();
    ids
}

/// Asks a set and a scan the same questions.
fn agree(
    set: &Set<'_>,
    rows: &[Entry],
    dice: &mut Dice,
    questions: usize,
) -> Result<usize, TestCaseError> {
    let names = Names::shipped();
    let mut found = 0;
    let mut together = Vec::new();
    for _ in 0..questions {
        let kind = Kind::ALL[dice.below(Kind::ALL.len())];
        let raw = raw(kind, dice);
        let direction = Direction::ALL[dice.below(3)];
        let at = dice.below(21) as Micros * 999_999;
        let seen = Observable::read(kind, &raw, direction, &names).unwrap();
        let asked = Asked::new(kind, seen.text(), direction, at);
        let mut want: Vec<u64> =
            rows.iter().filter(|row| asked.hits(row)).map(|row| row.id).collect();
        want.sort_unstable();
        found += want.len();
        together.push(seen.clone());
        if together.len() == 9 {
            all_as_one_by_one(set, &together, at)?;
            together.clear();
        }
        prop_assert_eq!(
            ids(set, &seen, at),
            want,
            "{:?} {:?} {:?} at {}",
            kind,
            raw,
            direction,
            at
        );
    }
    Ok(found)
}

fn all_as_one_by_one(set: &Set<'_>, seen: &[Observable], at: Micros) -> Result<(), TestCaseError> {
    let mut all = Vec::new();
    set.lookup_all(seen, at, &mut all).unwrap();
    for (of, seen) in seen.iter().enumerate() {
        let mut mine: Vec<u64> =
            all.iter().filter(|(whose, _)| *whose == of).map(|(_, hit)| hit.id).collect();
        mine.sort_unstable();
        prop_assert_eq!(mine, ids(set, seen, at));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_set_finds_what_a_scan_finds(seed: u64, count in 0..700usize) {
        let mut dice = Dice(seed);
        let rows: Vec<Entry> = (0..count as u64).map(|id| entry(id, &mut dice)).collect();
        let file = written(&rows, [dice.next() as u8; 16]);
        verify(&file).unwrap();
        let set = Set::open(&file, &[]).unwrap();
        let found = agree(&set, &rows, &mut dice, 250)?;
        prop_assert!(count < 200 || found > 0, "a scan that finds nothing shows nothing");
    }

    #[test]
    fn a_later_file_has_the_last_word_on_each_row_it_names(seed: u64, deltas in 1..6usize) {
        let mut dice = Dice(seed);
        let mut rows: Vec<Entry> = (0..200).map(|id| entry(id, &mut dice)).collect();
        let base = written(&rows, [1; 16]);
        let mut files = Vec::new();
        for delta in 0..deltas {
            let changed: Vec<Entry> = (0..30)
                .map(|n| entry(if n < 15 { dice.next() % 200 } else { 1_000 + delta as u64 * 100 + n }, &mut dice))
                .collect();
            let gone: Vec<u64> = (0..20).map(|_| dice.next() % 200).collect();
            rows.retain(|row| !gone.contains(&row.id) && !changed.iter().any(|one| one.id == row.id));
            rows.extend(changed.iter().cloned());
            let mut out = Vec::new();
            build_delta(changes(&changed, gone), [delta as u8; 16], &Limits::DEFAULT, &mut out).unwrap();
            files.push(out);
        }
        let later: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        let set = Set::open(&base, &later).unwrap();
        agree(&set, &rows, &mut dice, 200)?;
        // The same rows in one new file answer the same: a rebuild changes nothing.
        let rebuilt = written(&rows, [9; 16]);
        agree(&Set::open(&rebuilt, &[]).unwrap(), &rows, &mut dice, 50)?;
    }

    #[test]
    fn a_damaged_file_is_an_error_or_answers_and_never_a_panic(seed: u64) {
        let mut dice = Dice(seed);
        let rows: Vec<Entry> = (0..120).map(|id| entry(id, &mut dice)).collect();
        let file = written(&rows, [3; 16]);
        let names = Names::shipped();
        let seen: Vec<Observable> = (0..60)
            .map(|n| {
                let kind = Kind::ALL[n % Kind::ALL.len()];
                Observable::read(kind, &raw(kind, &mut dice), Direction::Both, &names).unwrap()
            })
            .collect();
        for _ in 0..25 {
            let mut torn = file.clone();
            for _ in 0..1 + dice.below(4) {
                // The footer is where lies would lead astray.
                let from = if dice.below(2) == 0 { torn.len() - torn.len().min(1_200) } else { 0 };
                let at = from + dice.below(torn.len() - from);
                match dice.below(3) {
                    0 => torn[at] = dice.next() as u8,
                    1 => torn[at] = [0, 0xff, 0x7f, 0x80][dice.below(4)],
                    _ => torn[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
                }
            }
            if torn != file {
                prop_assert!(verify(&torn).is_err(), "damage is seen");
            }
            // Whoever means harm seals what he made.
            reseal(&mut torn);
            let Ok(set) = Set::open(&torn, &[&file]) else { continue };
            let mut out = Vec::new();
            for seen in &seen {
                let _ = set.lookup(seen, 0, &mut out);
            }
            let _ = set.lookup_all(&seen, 0, &mut Vec::new());
            let _: Vec<String> = out.iter().map(super::Hit::value).collect();
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let mut dice = Dice(1);
    let rows: Vec<Entry> = (0..50).map(|id| entry(id, &mut dice)).collect();
    let file = written(&rows, [3; 16]);
    for end in 0..file.len() {
        assert!(Set::open(&file[..end], &[]).is_err(), "{end}");
    }
    assert_eq!(Set::open(b"", &[]).unwrap_err(), Damage::Cut);
    let mut older = file.clone();
    let end = older.len() - 1;
    (older[7], older[end]) = (1, 1);
    assert_eq!(Set::open(&older, &[]).unwrap_err(), Damage::Version { found: 1 });
    let many = vec![file.as_slice(); LAYERS_MAX];
    assert_eq!(Set::open(&file, &many).unwrap_err(), Damage::Layers { max: LAYERS_MAX });
}

#[test]
fn many_rows_of_one_value_are_all_found_and_make_no_cluster() {
    let names = Names::shipped();
    let same = normalise(Kind::Domain, "evil.com", &names).unwrap();
    let mut rows: Vec<Entry> = (0..5_000).map(|id| Entry::new(id, same.clone(), "feed")).collect();
    let others = (0..5_000).map(|n| {
        let key = normalise(Kind::Domain, &format!("n{n}.com"), &names).unwrap();
        Entry::new(10_000 + n, key, "feed")
    });
    rows.extend(others);
    let file = written(&rows, [5; 16]);
    let set = Set::open(&file, &[]).unwrap();
    let seen = Observable::of(&same, Direction::Both, &names);
    assert_eq!(ids(&set, &seen, 0), (0..5_000).collect::<Vec<_>>());
    for row in &rows[5_000..] {
        assert_eq!(ids(&set, &Observable::of(&row.key, Direction::Both, &names), 0), [row.id]);
    }
}

#[test]
fn the_seed_decides_where_rows_lie_and_not_what_is_found() {
    let mut dice = Dice(2);
    let rows: Vec<Entry> = (0..300).map(|id| entry(id, &mut dice)).collect();
    let (one, other) = (written(&rows, [1; 16]), written(&rows, [2; 16]));
    assert_ne!(one, other);
    assert_eq!(one, written(&rows, [1; 16]), "the same rows and seed are the same file");
    let (one, other) = (Set::open(&one, &[]).unwrap(), Set::open(&other, &[]).unwrap());
    let names = Names::shipped();
    for row in &rows {
        let seen = Observable::of(&row.key, Direction::Both, &names);
        assert_eq!(ids(&one, &seen, 0), ids(&other, &seen, 0));
    }
}

#[test]
fn a_scan_tells_every_row_that_stands() {
    let mut dice = Dice(6);
    let rows: Vec<Entry> = (0..300).map(|id| entry(id, &mut dice)).collect();
    let base = written(&rows, [1; 16]);
    let mut delta = Vec::new();
    build_delta(changes(&rows[..5], 5..10), [2; 16], &Limits::DEFAULT, &mut delta).unwrap();
    let set = Set::open(&base, &[&delta]).unwrap();
    let mut told = Vec::new();
    set.scan(|hit| told.push((hit.id, hit.kind, hit.scope, hit.value(), hit.from, hit.until)))
        .unwrap();
    told.sort_unstable_by_key(|row| row.0);
    let want: Vec<_> = rows
        .iter()
        .filter(|row| !(5..10).contains(&row.id))
        .map(|row| {
            let host = row.key.kind() == Kind::Url
                && matches!(row.key.scope(), Scope::Host | Scope::Subdomains);
            let text = if host { row.key.text().trim_matches(['[', ']']) } else { row.key.text() };
            (row.id, row.key.kind(), row.key.scope(), text.to_owned(), row.from, row.until)
        })
        .collect();
    assert_eq!(told, want);
}

#[test]
fn limits_are_named() {
    let mut dice = Dice(4);
    let rows: Vec<Entry> = (0..200).map(|id| entry(id, &mut dice)).collect();
    let limited = |limits: Limits| {
        let error = build(rows.clone(), [0; 16], &limits, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, BuildError::Limit { .. }));
        error.to_string()
    };
    assert_eq!(limited(Limits { rows_max: 9, ..Limits::DEFAULT }), "more than 9 rows");
    assert_eq!(
        limited(Limits { bytes_max: 99, ..Limits::DEFAULT }),
        "more than 99 bytes of records"
    );
    assert_eq!(limited(Limits { nets_max: 1, ..Limits::DEFAULT }), "more than 1 networks");
    assert_eq!(limited(Limits { residue_max: 1, ..Limits::DEFAULT }), "more than 1 patterns");
    assert_eq!(
        limited(Limits { profiles_max: 3, ..Limits::DEFAULT }),
        "more than 3 sources and lists"
    );
}
