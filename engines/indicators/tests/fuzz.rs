//! The readers that the fuzz targets feed, on seeds changed at random: seconds of it in each run, more with
//! `UME_FUZZ_CASES` (changed seeds of each reader).

#[path = "../fuzz/readers.rs"]
mod readers;

use indicators::{Entry, Kind, normalise, set};
use netname::Names;

const CASES: u64 = 100;

/// Random numbers from one seed (SplitMix64).
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
        (self.next() % end.max(1) as u64) as usize
    }
}

fn seeds(reader: &str) -> Vec<Vec<u8>> {
    let texts: &[&str] = match reader {
        "normalise" => &[
            "\u{0}192.0.2.7",
            "\u{3}HTTPS://Evil.example:443/a/../b",
            "\u{b}C:\\Users\\taro\\AppData\\x.exe",
            "\u{c}HKLM\\Software\\Run",
        ],
        "extract" => &[
            "■通信先\nhxxp://cdn[.]evil[.]example/x（内→外）\n期間: 2026.01.02～01.05",
            "From: a@b.example\nSubject: =?ISO-2022-JP?B?GyRCJCIbKEI=?=\n\nIP: 192[.]0[.]2[.]7",
        ],
        "pattern" => &[
            "[file:name = 'a'] FOLLOWEDBY ([a:b.c[*] IN (1, 2)] AND [x:y LIKE 'a%']) WITHIN 5 SECONDS",
            "[a:b NOT MATCHES '^x+$' AND a:c < h'00ff'] REPEATS 3 TIMES",
        ],
        "stix" => &[
            r#"{"type":"bundle","id":"bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","objects":[{"type":"indicator","spec_version":"2.1","id":"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","pattern":"[a:b = 1]"}]}"#,
        ],
        "misp" => &[
            r#"{"Event":{"uuid":"8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","info":"x","date":"2026-01-01","Attribute":[{"uuid":"8e2e2d2b-17d4-4cbf-938f-98ee46b3cd40","type":"filename|sha256","value":"a|b","to_ids":true}]}}"#,
        ],
        "taxii" => &[
            "GET /taxii2/r/collections/c/objects/?limit=2&match[type]=indicator&added_after=2026-01-01T00:00:00Z",
            "POST /taxii2/r/collections/c/objects/\n{\"objects\":[{\"type\":\"note\",\"id\":\"note--1\"}]}",
        ],
        "ndjson" => &[
            r#"{"kind":"domain","value":"evil.example","source":"feed","valid_until":"2026-01-01T00:00:00Z"}"#,
        ],
        _ => return vec![file()],
    };
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn file() -> Vec<u8> {
    let names = Names::shipped();
    let values = [
        (Kind::Domain, "evil.example"),
        (Kind::Url, "http://evil.example/a"),
        (Kind::Ip, "192.0.2.7"),
        (Kind::Cidr, "192.0.2.0/24"),
        (Kind::FileName, "*evil*.exe"),
    ];
    let rows = (0..).zip(values).map(|(id, (kind, value))| {
        Entry::new(id, normalise(kind, value, &names).expect("a value"), "feed")
    });
    let mut out = Vec::new();
    set::build(rows, [3; 16], &set::Limits::DEFAULT, &mut out).expect("a set");
    out
}

/// A few bytes changed, gone, doubled or set in.
fn changed(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(bytes.len());
        let to = (at + dice.below(12)).min(bytes.len());
        match dice.below(5) {
            0 => drop(bytes.drain(at..to)),
            1 => drop(bytes.splice(at..at, bytes[at..to].to_vec().repeat(1 + dice.below(40)))),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, dice.next() as u8),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = b"\0\xff[]{}()'\"\\/:.,*0-"[dice.below(18)];
                }
            }
        }
    }
    bytes
}

#[test]
fn no_reader_panics_on_changed_seeds() {
    let cases = std::env::var_os("UME_FUZZ_CASES");
    let cases = cases.and_then(|text| text.to_str()?.parse().ok());
    for (name, reader) in readers::ALL {
        let mut dice = Dice(7);
        for seed in seeds(name) {
            reader(&seed);
            for _ in 0..cases.unwrap_or(CASES) {
                reader(&changed(&seed, &mut dice));
            }
        }
    }
}
