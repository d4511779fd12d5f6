//! Which assets are shown to the Internet or important, and which a vulnerability affects by the records of 8.9.
//!
//! Rooms meet in registers and records: systems, hosts and applications are read as rows; what a vulnerability affects
//! as the newest `configuration.impact_run` of each asset. A payload that does not open says nothing, and is counted.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io::Read,
};

use model::{Id, Table};
use room::Error;
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

/// The record of 8.9 whose payload says what touches an asset.
pub const RUN: &str = "configuration.impact_run";
/// Kinds of assets that are looked at, and what says which services are exposed.
pub const KINDS: [&str; 6] =
    ["system", "host", "application", "network_device", "cloud_service", "org_profile"];
/// What a payload may unpack to.
const UNPACKED_MAX: u64 = 64 << 20;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Importance 1 is the highest.
const IMPORTANT: i64 = 1;
const PAYLOADS_AT_ONCE: usize = 50;

/// What the register says of the reach of assets.
#[derive(Default)]
pub struct Exposure {
    exposed: HashSet<Id>,
    important: HashSet<Id>,
    pub names: HashMap<Id, String>,
}

impl Exposure {
    pub async fn load(store: &Store) -> Result<Exposure, StoreError> {
        let rows = store.all(Table::Asset, &KINDS).await?;
        let (profiles, rows): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.kind == "org_profile");
        Ok(Exposure::of(&rows, &profiles))
    }

    fn of(rows: &[Row], profiles: &[Row]) -> Exposure {
        let mut all = Exposure::default();
        let text = |row: &Row, name: &str| {
            row.attributes.get(name).and_then(Json::as_str).unwrap_or_default().to_lowercase()
        };
        let listed = profiles.iter().flat_map(|row| {
            let names = row.attributes.get("exposed_services").and_then(Json::as_array);
            names.into_iter().flatten().filter_map(Json::as_str)
        });
        let named: BTreeSet<String> = listed.map(str::to_lowercase).collect();
        let rows: Vec<&Row> = rows.iter().filter(|row| !row.deleted).collect();
        for row in &rows {
            all.names.insert(row.id, row.name.clone());
            let is_named = named.contains(&row.name.to_lowercase());
            if is_named || is_internet(&text(row, "exposure")) {
                all.exposed.insert(row.id);
            }
            let importance = row.attributes.get("importance").and_then(Json::as_i64);
            if importance.is_some_and(|importance| (1..=IMPORTANT).contains(&importance)) {
                all.important.insert(row.id);
            }
        }
        // An application shows its system; a system shows and needs its hosts.
        let system_of = |row: &Row| text(row, "system").parse::<Id>().ok();
        for row in rows.iter().filter(|row| row.kind == "application") {
            if let (true, Some(system)) = (all.exposed.contains(&row.id), system_of(row)) {
                all.exposed.insert(system);
            }
        }
        for row in rows.iter().filter(|row| row.kind != "application") {
            let Some(system) = system_of(row) else { continue };
            if all.exposed.contains(&system) {
                all.exposed.insert(row.id);
            }
            if all.important.contains(&system) {
                all.important.insert(row.id);
            }
        }
        all
    }

    pub fn is_exposed(&self, asset: Id) -> bool {
        self.exposed.contains(&asset)
    }

    pub fn is_important(&self, asset: Id) -> bool {
        self.important.contains(&asset)
    }

    /// Shown to the Internet, or important.
    pub fn matters(&self, asset: Id) -> bool {
        self.is_exposed(asset) || self.is_important(asset)
    }
}

/// The register's own words for what is open to the Internet.
fn is_internet(text: &str) -> bool {
    let text = text.trim();
    let says_no = text.contains("非公開") || text.contains("not ") || text.contains("no ");
    !says_no
        && ["internet", "インターネット", "dmz", "外部公開"].iter().any(|word| text.contains(word))
}

/// What touches an asset, as far as it is asked for here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    touches: BTreeMap<String, Touch>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Touch {
    also: Vec<String>,
    title: String,
    score: Option<u16>,
    informational: Option<String>,
    parts: Vec<Part>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Part {
    name: String,
    version: String,
    state: String,
    fixed: Option<String>,
}

/// An asset that a vulnerability affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    pub asset: Id,
    /// Component and version.
    pub component: String,
    pub fixed: Option<String>,
}

/// A vulnerability that affects something of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weakness {
    pub title: String,
    /// CVSS base score in tenths, by the advisory.
    pub score: Option<u16>,
    pub assets: Vec<Affected>,
}

/// What 8.9's records say, by CVE.
#[derive(Default)]
pub struct Impact {
    by_cve: BTreeMap<String, Weakness>,
    /// Payloads that did not open.
    pub unread: usize,
}

impl Impact {
    pub async fn load(store: &Store) -> Result<Impact, Error> {
        let runs = store.latest_per_subject(&[RUN]).await?;
        let mut impact = Impact::default();
        for chunk in runs.chunks(PAYLOADS_AT_ONCE) {
            let ids: Vec<Id> = chunk.iter().map(|run| run.id).collect();
            let payloads = store.payloads(&ids).await?;
            for run in chunk {
                let (Some(asset), Some(payload)) = (run.subject, payloads.get(&run.id)) else {
                    continue;
                };
                match open(payload) {
                    Some(told) => impact.take(asset, told),
                    None => impact.unread += 1,
                }
            }
        }
        Ok(impact)
    }

    fn take(&mut self, asset: Id, told: Told) {
        for (weakness, touch) in told.touches {
            let part = touch.parts.iter().find(|part| part.state == "affected");
            let Some(part) = part.filter(|_| touch.informational.is_none()) else { continue };
            let names = [&weakness].into_iter().chain(&touch.also);
            for cve in names.filter(|name| name.starts_with("CVE-")).collect::<BTreeSet<_>>() {
                let known = self.by_cve.entry(cve.clone()).or_default();
                if known.title.is_empty() {
                    known.title.clone_from(&touch.title);
                }
                known.score = known.score.max(touch.score);
                known.assets.push(Affected {
                    asset,
                    component: format!("{} {}", part.name, part.version).trim().to_owned(),
                    fixed: part.fixed.clone(),
                });
            }
        }
    }

    pub fn of(&self, cve: &str) -> Option<&Weakness> {
        self.by_cve.get(cve)
    }

    pub fn cves(&self) -> impl Iterator<Item = &String> {
        self.by_cve.keys()
    }
}

fn open(payload: &[u8]) -> Option<Told> {
    let bytes = match payload.starts_with(&ZSTD) {
        true => {
            let mut bytes = Vec::new();
            let reader = zstd::Decoder::new(payload).ok()?;
            reader.take(UNPACKED_MAX + 1).read_to_end(&mut bytes).ok()?;
            bytes
        }
        false => payload.to_vec(),
    };
    (bytes.len() as u64 <= UNPACKED_MAX).then(|| serde_json::from_slice(&bytes).ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(number: u8, kind: &str, name: &str, attributes: Json) -> Row {
        let id: Id = format!("00000000-0000-7000-8000-0000000000{number:02x}").parse().expect("id");
        let mut row = Row::new(Table::Asset, id, kind, name);
        row.attributes = attributes.as_object().cloned().unwrap_or_default();
        row
    }

    #[test]
    fn a_host_is_as_exposed_and_important_as_its_system() {
        let shop =
            row(1, "system", "shop", json!({ "exposure": "インターネット", "importance": 2 }));
        let erp = row(2, "system", "erp", json!({ "exposure": "社内", "importance": 1 }));
        let site = row(3, "system", "site", json!({ "exposure": "非公開" }));
        let rows = [
            row(4, "host", "web1", json!({ "system": shop.id })),
            row(5, "host", "db1", json!({ "system": erp.id })),
            row(6, "host", "pc1", json!({})),
            row(7, "host", "cms1", json!({ "system": site.id })),
            row(8, "application", "cms", json!({ "exposure": "internet", "system": site.id })),
            row(9, "network_device", "VPN", json!({})),
            shop,
            erp,
            site,
        ];
        let profile = row(10, "org_profile", "us", json!({ "exposed_services": ["vpn"] }));
        let all = Exposure::of(&rows, &[profile]);
        let reach = |at: usize| (all.is_exposed(rows[at].id), all.is_important(rows[at].id));
        assert_eq!(reach(0), (true, false), "web1");
        assert_eq!(reach(1), (false, true), "db1");
        assert_eq!(reach(2), (false, false), "pc1");
        assert_eq!(reach(3), (true, false), "its application is open");
        assert_eq!(reach(5), (true, false), "the profile names it");
    }

    #[test]
    fn only_what_is_affected_counts_under_every_name_that_is_a_cve() {
        let told = json!({ "touches": {
            "CVE-2026-10001": { "title": "t", "score": 98, "parts": [
                { "name": "zlib", "version": "1.2", "state": "affected", "fixed": "1.3" }] },
            "GHSA-x": { "also": ["CVE-2026-10002"], "parts": [{ "name": "y", "state": "affected" }] },
            "CVE-2026-10003": { "parts": [{ "name": "z", "state": "unknown" }] },
            "CVE-2026-10004": { "informational": "unmaintained", "parts": [{ "state": "affected" }] },
        } });
        let bytes = serde_json::to_vec(&told).expect("json");
        let packed = zstd::bulk::compress(&bytes, 3).expect("packed");
        for payload in [&bytes, &packed] {
            let mut impact = Impact::default();
            impact.take(Id::nil(), open(payload).expect("opens"));
            assert_eq!(impact.cves().collect::<Vec<_>>(), ["CVE-2026-10001", "CVE-2026-10002"]);
            let one = impact.of("CVE-2026-10001").expect("known");
            assert_eq!((one.score, one.assets[0].component.as_str()), (Some(98), "zlib 1.2"));
        }
        assert!(open(b"\x28\xb5\x2f\xfdnonsense").is_none());
    }
}
