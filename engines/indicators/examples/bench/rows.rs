//! Rows and events that are like those of feeds and logs, each made from its number.

use indicators::{Direction, Entry, Kind, Micros, Scope, normalise};
use netname::Names;

pub const SEED: [u8; 16] = [7; 16];
pub const NOW: Micros = 1_775_000_000_000_000;

/// Random numbers from one seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[(self.next() % all.len() as u64) as usize]
    }

    fn word(&mut self) -> String {
        let length = 5 + self.next() % 9;
        (0..length).map(|_| char::from(b'a' + (self.next() % 26) as u8)).collect()
    }

    fn host(&mut self) -> String {
        let suffix = self.of(&["com", "net", "co.jp", "jp", "ru", "top", "xyz", "github.io"]);
        format!("{}.{}.{suffix}", self.of(&["www", "cdn", "mail", "a1"]), self.word())
    }

    fn url(&mut self) -> String {
        let host = self.host();
        format!(
            "https://{host}/{}/{}/{}.php?id={}",
            self.word(),
            self.word(),
            self.word(),
            self.next() % 10_000
        )
    }

    fn ip(&mut self) -> String {
        let n = self.next();
        format!("{}.{}.{}.{}", 11 + n % 180, n >> 8 & 255, n >> 16 & 255, n >> 24 & 255)
    }

    fn hash(&mut self, bytes: usize) -> String {
        (0..bytes).map(|_| format!("{:02x}", self.next() & 255)).collect()
    }

    fn path(&mut self) -> String {
        format!(
            "C:\\Users\\{}\\AppData\\Roaming\\{}\\{}.exe",
            self.word(),
            self.word(),
            self.word()
        )
    }
}

/// 32 bytes of a number.
pub fn digest(id: u64) -> [u8; 32] {
    let mut dice = Dice(id.wrapping_mul(0xd134_2543_de82_ef95));
    let mut out = [0; 32];
    for eight in out.chunks_mut(8) {
        eight.copy_from_slice(&dice.next().to_le_bytes());
    }
    out
}

fn value(kind: Kind, dice: &mut Dice) -> String {
    match kind {
        Kind::Ip => dice.ip(),
        Kind::Cidr => format!("{}/{}", dice.ip(), 20 + dice.next() % 10),
        Kind::Domain => dice.host(),
        Kind::Url => dice.url(),
        Kind::Md5 => dice.hash(16),
        Kind::Sha256 => dice.hash(32),
        Kind::Email => format!("{}@{}", dice.word(), dice.host()),
        _ => dice.path(),
    }
}

/// Shares as feeds have them: of a hundred rows so many of each kind.
const SHARES: [(Kind, u64); 8] = [
    (Kind::Url, 30),
    (Kind::Domain, 25),
    (Kind::Ip, 18),
    (Kind::Sha256, 15),
    (Kind::Md5, 8),
    (Kind::Email, 2),
    (Kind::Path, 1),
    (Kind::Cidr, 1),
];

/// A row with a period to the microsecond, of one of twenty sources.
pub fn mixed(id: u64, names: &Names) -> Entry {
    let mut left = id % 100;
    let kind = SHARES.iter().find(|(_, share)| match left.checked_sub(*share) {
        None => true,
        Some(rest) => {
            left = rest;
            false
        }
    });
    let kind = kind.map_or(Kind::Url, |(kind, _)| *kind);
    let mut dice = Dice(id);
    let mut key = normalise(kind, &value(kind, &mut dice), names).expect("a value");
    if kind == Kind::Domain && id.is_multiple_of(3) {
        key = key.reaching(Scope::Subdomains).expect("a scope");
    }
    let mut entry = Entry::new(id, key, &format!("feed {}", id % 20));
    entry.direction = Direction::ALL[(id % 3) as usize];
    entry.from = Some(NOW - (dice.next() % 30_000_000_000_000) as i64);
    entry.until = Some(NOW + (dice.next() % 30_000_000_000_000) as i64);
    entry
}

pub type Fields = Vec<(Kind, Direction, String)>;

/// An event and its nine fields: every hundredth has a field of a row.
pub fn event(number: u64) -> (String, Fields) {
    let mut dice = Dice(number << 32 | 0xeeee);
    let mut row = Dice(number * 100);
    let url = if number.is_multiple_of(100) { row.url() } else { dice.url() };
    let (from, to, host, mail) =
        (dice.ip(), dice.ip(), dice.host(), format!("{}@{}", dice.word(), dice.host()));
    let (sha, md5, path) = (dice.hash(32), dice.hash(16), dice.path());
    let key = format!("HKLM\\Software\\{}\\{}", dice.word(), dice.word());
    let json = serde_json::json!({
        "class_uid": 4002, "activity_id": 1, "category_uid": 4, "severity_id": 1, "time": NOW / 1_000, "type_uid": 400_201,
        "metadata": {"version": "1.8.0", "product": {"name": "proxy", "vendor_name": "example"}, "uid": dice.hash(16),
            "log_name": "access", "original_time": "2026-04-01T00:00:00Z"},
        "src_endpoint": {"ip": from, "port": 50_000 + number % 10_000, "hostname": "pc-0123"},
        "dst_endpoint": {"ip": to, "port": 443, "hostname": host},
        "http_request": {"http_method": "GET", "url": {"url_string": url, "scheme": "https", "port": 443},
            "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"},
        "http_response": {"code": 200, "length": number, "latency": 12},
        "actor": {"user": {"name": "taro", "uid": "S-1-5-21-1-2-3-1001", "email_addr": mail}, "process": {"pid": 4_242,
            "file": {"path": path, "hashes": [{"algorithm_id": 3, "value": sha}, {"algorithm_id": 1, "value": md5}]}}},
        "registry": {"key": key}, "status_id": 1, "status": "Success",
    });
    let fields = vec![
        (Kind::Ip, Direction::Source, from),
        (Kind::Ip, Direction::Destination, to),
        (Kind::Domain, Direction::Destination, host),
        (Kind::Url, Direction::Destination, url),
        (Kind::Email, Direction::Both, mail),
        (Kind::Path, Direction::Both, path),
        (Kind::Sha256, Direction::Both, sha),
        (Kind::Md5, Direction::Both, md5),
        (Kind::RegistryKey, Direction::Both, key),
    ];
    (json.to_string(), fields)
}
