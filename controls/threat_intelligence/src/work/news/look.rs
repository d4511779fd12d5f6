//! Goes over the items again when something they may touch has changed: what they name, whom they belong with, which of
//! our assets they concern, and whether executives should hear of them at once.
//!
//! Invariants: the row of an item holds what is so now (`hits`, `reasons`, `affected`), the record `hits_found` when
//! that began; a record names neither persons nor who was attacked, so of reasons it holds words, counts and our own
//! assets; the words of an item are read again only if they or the register changed.
//!
//! Limits: the newest [`ITEMS_MAX`] items of the last [`DAYS`] days that are not discarded.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Mutex,
};

use indicators::{
    Kind,
    extract::{self, Labels, Notice, What},
};
use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Row, Store, StoreError};
use stream::Encoding;

use super::{
    exposure::{Exposure, Impact, RUN},
    group,
    shelf::{Lists, Shelf, Stamp},
};
use crate::work::{
    inbox::{self, ITEM, InboxError},
    relevance::{Hit, Known, Reason, Touch, hits},
};

/// An item reaches executives at once, by these reasons.
pub const FOUND: &str = "threat_intelligence.hits_found";
const ACTOR: &str = "system:threat_intelligence.look";
const FINDING: &str = "monitoring.finding";
pub const ITEMS_MAX: usize = 2_000;
pub const DAYS: i64 = 90;
const FINDINGS_MAX: usize = 2_000;
const REASONS_MAX: usize = 20;
const ASSETS_MAX: usize = 50;
const ROWS_PER_WRITE: usize = 100;
/// What makes words say something else.
const REGISTER: [&str; 11] = [
    "org_profile",
    "brand",
    "software",
    "network_device",
    "cloud_service",
    "system",
    "host",
    "application",
    "hardware",
    "vulnerability",
    "subnet",
];

/// What the last run saw.
#[derive(Default)]
pub struct Looked(Mutex<Last>);

#[derive(Default)]
struct Last {
    seen: Option<Seen>,
    /// What was read of each original, by its hash, under one state of the register.
    read: HashMap<(String, String), Read>,
    register: Option<Register>,
}

type Register = Vec<(u64, Timestamp)>;

#[derive(Clone, PartialEq, Eq)]
struct Seen {
    lists: Stamp,
    register: Register,
    items: (u64, Timestamp),
    run: Option<Id>,
    finding: Option<Id>,
}

/// What an original says to us.
#[derive(Clone, Debug, Default)]
struct Read {
    reasons: Vec<Reason>,
    vulnerabilities: Vec<String>,
    keys: Vec<String>,
}

/// One run.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    let (data, shelf) = (ctx.house.folder().to_owned(), ctx.house.kept.get::<Shelf>());
    let (stamp, lists) = room::blocking(move || shelf.lists(&data)).await?;
    let newest = |ty: &'static str| async move {
        let records = store.newest_records(&[ty], None, 1).await?;
        Ok::<_, StoreError>(records.first().map(|record| record.id))
    };
    let register = vec![
        store.stamp(Table::Asset, &REGISTER).await?,
        store.stamp(Table::Party, &["supplier"]).await?,
        store.stamp(Table::Rule, &[inbox::EXTRACTION]).await?,
    ];
    let seen = Seen {
        lists: stamp,
        register: register.clone(),
        items: store.stamp(Table::Asset, &[ITEM]).await?,
        run: newest(RUN).await?,
        finding: newest(FINDING).await?,
    };
    let looked = ctx.house.kept.get::<Looked>();
    let poisoned = || Error::said("looking at items failed before");
    let mut read = {
        let mut last = looked.0.lock().map_err(|_| poisoned())?;
        if last.seen.as_ref() == Some(&seen) {
            return Ok(json!({ "unchanged": true }));
        }
        match last.register.as_ref() == Some(&register) {
            true => std::mem::take(&mut last.read),
            false => HashMap::new(),
        }
    };
    let outcome = look(store, &lists, &mut read).await?;
    if outcome.changed > 0 {
        ctx.house.wake();
    }
    let mut last = looked.0.lock().map_err(|_| poisoned())?;
    // What this run wrote is seen the next time, which then finds nothing to do.
    *last = Last { seen: Some(seen), read, register: Some(register) };
    Ok(
        json!({ "items": outcome.items, "changed": outcome.changed, "hits": outcome.hits, "unread": outcome.unread }),
    )
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub items: usize,
    pub changed: usize,
    /// Items with a hit that they did not have before.
    pub hits: usize,
    /// Originals that do not open.
    pub unread: usize,
}

/// Goes over the items once, with nothing remembered.
pub async fn once(store: &Store, lists: &Lists) -> Result<Outcome, Error> {
    look(store, lists, &mut HashMap::new()).await
}

async fn look(
    store: &Store,
    lists: &Lists,
    read: &mut HashMap<(String, String), Read>,
) -> Result<Outcome, Error> {
    let items = items(store).await?;
    let surroundings = Surroundings {
        known: Known::load(store).await?,
        exposure: Exposure::load(store).await?,
        impact: Impact::load(store).await?,
        sighted: sighted(store).await?,
        labels: inbox::labels(store).await.map_err(Error::said)?,
    };
    let mut outcome = Outcome { items: items.len(), ..Outcome::default() };
    let mut wanted = Vec::new();
    let mut kept = HashSet::new();
    for item in items {
        let key = original(&item);
        if !key.0.is_empty() && !read.contains_key(&key) {
            match surroundings.read(store, &item).await {
                Ok(one) => drop(read.insert(key.clone(), one)),
                Err(InboxError::Store(error)) => return Err(error.into()),
                Err(_) => outcome.unread += 1,
            }
        }
        let lines = inbox::confirmed(store, &item).await.unwrap_or_default().unwrap_or_default();
        let said = read.get(&key).cloned().unwrap_or_default();
        kept.insert(key);
        if let Some((row, found)) = surroundings.judge(item, &said, &lines, lists) {
            outcome.changed += 1;
            outcome.hits += usize::from(found.is_some());
            wanted.push((row, found));
        }
    }
    read.retain(|key, _| kept.contains(key));
    while !wanted.is_empty() {
        let rest = wanted.split_off(wanted.len().min(ROWS_PER_WRITE));
        write(store, std::mem::replace(&mut wanted, rest)).await?;
    }
    Ok(outcome)
}

async fn write(store: &Store, wanted: Vec<(Row, Option<Json>)>) -> Result<(), Error> {
    let mut write = store.write(ACTOR, "work", "").await?;
    for (row, found) in wanted {
        // Read behind the beginning of the change: somebody may have judged it meanwhile.
        let Some(mut now) = store.row(Table::Asset, row.id).await? else { continue };
        if now.deleted {
            continue;
        }
        for name in FIELDS {
            match row.attributes.get(name) {
                Some(value) => drop(now.attributes.insert(name.to_owned(), value.clone())),
                None => drop(now.attributes.remove(name)),
            }
        }
        let row = write.put(now).await?;
        if let Some(facts) = found {
            write.record(room::draft(FOUND, Some(row.id), store.now(), facts)).await?;
        }
    }
    write.commit().await?;
    Ok(())
}

/// What this job writes into a row, and nothing else.
const FIELDS: [&str; 5] = ["hits", "reasons", "affected", "vulnerabilities", "group"];

async fn items(store: &Store) -> Result<Vec<Row>, StoreError> {
    let since = store.now().minus_hours(24 * DAYS);
    let mut items = store.all(Table::Asset, &[ITEM]).await?;
    items.retain(|item| {
        let is_discarded = item.attributes.get("verdict").and_then(Json::as_str) == Some("discard");
        !item.deleted && item.created_at >= since && !is_discarded
    });
    items.sort_by_key(|item| std::cmp::Reverse((item.created_at, item.id)));
    items.truncate(ITEMS_MAX);
    Ok(items)
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn listed(row: &Row, name: &str) -> Vec<String> {
    let all = row.attributes.get(name).and_then(Json::as_array).into_iter().flatten();
    all.filter_map(Json::as_str).map(str::to_owned).collect()
}

fn original(item: &Row) -> (String, String) {
    (text(item, "raw").to_owned(), text(item, "raw_encoding").to_owned())
}

/// Ids under which monitoring tells that an indicator was met, with the severity; high and above only.
async fn sighted(store: &Store) -> Result<BTreeSet<String>, StoreError> {
    let findings = store.newest_records(&[FINDING], None, FINDINGS_MAX).await?;
    let fact = |record: &store::Record, name: &str| {
        record.facts.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let grave =
        findings.iter().filter(|r| matches!(fact(r, "severity").as_str(), "high" | "critical"));
    Ok(grave
        .map(|record| fact(record, "rule"))
        .filter(|rule| rule.starts_with("indicator:"))
        .collect())
}

/// The id of the rule that an indicator is to monitoring.
fn rule_of(line: &inbox::Line) -> String {
    let digest = Sha256::digest(format!("{}\n{}", line.kind, line.value));
    format!("indicator:{}", hex::encode(&digest[..16]))
}

/// What items are held against.
struct Surroundings {
    known: Known,
    exposure: Exposure,
    impact: Impact,
    sighted: BTreeSet<String>,
    labels: Labels,
}

impl Surroundings {
    async fn read(&self, store: &Store, item: &Row) -> Result<Read, InboxError> {
        let Some(blob) = store.blob(text(item, "raw")).await? else { return Err(InboxError::Gone) };
        let told = Encoding::named(text(item, "raw_encoding"));
        let original = inbox::original(store, &blob, told).await?;
        let whole = original.whole();
        let notice = extract::extract(&whole, &self.labels);
        let vulnerabilities = extract::ids(&whole);
        let keys = group::keys(&vulnerabilities, &notice);
        let reasons = self.known.reasons(&whole, hosts(&notice).iter().map(String::as_str));
        Ok(Read { reasons, vulnerabilities, keys })
    }

    /// The row as it should be, with the facts of a hit that is new; nothing if it is so already.
    fn judge(
        &self,
        mut item: Row,
        said: &Read,
        lines: &[inbox::Line],
        lists: &Lists,
    ) -> Option<(Row, Option<Json>)> {
        let before: BTreeMap<&str, Option<Json>> =
            FIELDS.iter().map(|name| (*name, item.attributes.get(*name).cloned())).collect();
        let had: BTreeSet<Hit> = hits(&item).into_iter().collect();
        let mut vulnerabilities = listed(&item, "vulnerabilities");
        for id in &said.vulnerabilities {
            if !vulnerabilities.contains(id) {
                vulnerabilities.push(id.clone());
            }
        }
        vulnerabilities.truncate(100);
        let mut found = Found::default();
        self.by_words(&said.reasons, &mut found);
        self.by_vulnerabilities(&vulnerabilities, said, lists, &mut found);
        for line in lines {
            if self.sighted.contains(&rule_of(line)) {
                found.hit(Hit::OwnSighting, &line.value);
            }
        }
        let mut keys = said.keys.clone();
        keys.extend(
            lines.iter().map(|line| format!("{}:{}", line.kind, line.value.to_lowercase())),
        );
        let mut known = HashSet::new();
        keys.retain(|key| known.insert(key.clone()));
        keys.truncate(group::KEYS_MAX);
        let names: Vec<&String> =
            found.assets.iter().filter_map(|id| self.exposure.names.get(id)).collect();
        let words: Vec<&str> = found.hits.iter().map(|hit| hit.as_str()).collect();
        for (name, value) in [
            ("hits", json!(words)),
            ("reasons", json!(found.reasons)),
            ("affected", json!(names)),
            ("vulnerabilities", json!(vulnerabilities)),
            ("group", json!(keys)),
        ] {
            match value.as_array().is_some_and(Vec::is_empty) {
                true => drop(item.attributes.remove(name)),
                false => drop(item.attributes.insert(name.to_owned(), value)),
            }
        }
        let is_same = FIELDS.iter().all(|name| before[name].as_ref() == item.attributes.get(*name));
        if is_same {
            return None;
        }
        let is_new = found.hits.iter().any(|hit| !had.contains(hit));
        let assets: Vec<Id> = found.assets.iter().copied().take(ASSETS_MAX).collect();
        let facts = is_new.then(|| {
            json!({
                "item": item.id,
                "hits": words,
                "assets": assets,
                "vulnerabilities": found.pressing,
                "tlp": text(&item, "tlp"),
            })
        });
        Some((item, facts))
    }

    fn by_words(&self, reasons: &[Reason], found: &mut Found) {
        for reason in reasons {
            match reason.touch {
                Touch::Brand => found.hit(Hit::NamesUs, &reason.word),
                Touch::Supplier => found.hit(Hit::Supplier, &reason.word),
                Touch::Lookalike => {
                    found.hit(Hit::FakeSite, &format!("{} ≈ {}", reason.word, reason.like));
                }
                Touch::Asset => {
                    found.assets.insert(reason.row);
                    found.reason(reason.touch.as_str(), &reason.word);
                }
                touch => found.reason(touch.as_str(), &reason.word),
            }
        }
    }

    fn by_vulnerabilities(&self, ids: &[String], said: &Read, lists: &Lists, found: &mut Found) {
        // What is named by words counts as concerned, if that is exposed or important.
        let by_words = said.reasons.iter().find(|reason| match reason.touch {
            Touch::Exposed => true,
            Touch::Asset => self.exposure.matters(reason.row),
            _ => false,
        });
        for cve in ids.iter().filter(|id| id.starts_with("CVE-")) {
            let affected: Vec<Id> = self
                .impact
                .of(cve)
                .into_iter()
                .flat_map(|weakness| weakness.assets.iter().map(|affected| affected.asset))
                .collect();
            found.assets.extend(affected.iter().copied());
            let facts = lists.of(cve);
            if !facts.is_pressing() {
                if let Some(asset) = affected.first() {
                    found.reason("affected", &self.on(cve, *asset));
                }
                continue;
            }
            let asset = affected.iter().find(|asset| self.exposure.matters(**asset));
            match (asset, by_words) {
                (Some(asset), _) => found.press(cve, &self.on(cve, *asset)),
                (None, Some(reason)) => found.press(cve, &format!("{cve} → {}", reason.word)),
                (None, None) => found.reason("exploited", cve),
            }
        }
    }

    fn on(&self, cve: &str, asset: Id) -> String {
        let name = self.exposure.names.get(&asset).map_or("", String::as_str);
        format!("{cve} → {name}")
    }
}

/// What was found of an item.
#[derive(Default)]
struct Found {
    hits: BTreeSet<Hit>,
    reasons: Vec<String>,
    assets: BTreeSet<Id>,
    pressing: Vec<String>,
}

impl Found {
    fn hit(&mut self, hit: Hit, what: &str) {
        self.hits.insert(hit);
        self.reason(hit.as_str(), what);
    }

    fn press(&mut self, cve: &str, what: &str) {
        self.pressing.push(cve.to_owned());
        self.hit(Hit::KevExposed, what);
    }

    fn reason(&mut self, word: &str, what: &str) {
        let reason = format!("{word}: {what}");
        if self.reasons.len() < REASONS_MAX && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

/// Domains of a notice, those of its URLs among them.
pub fn hosts(notice: &Notice) -> Vec<String> {
    let domains = notice.values(What::Indicator(Kind::Domain)).into_iter().map(str::to_owned);
    let urls = notice.values(What::Indicator(Kind::Url)).into_iter().filter_map(|url| {
        let rest = url.split_once("://")?.1;
        rest.split(['/', ':', '?', '#']).next().map(str::to_owned)
    });
    domains.chain(urls).collect()
}

#[cfg(test)]
mod tests {
    use indicators::feed::kev;
    use store::RecordDraft;

    use super::*;

    async fn put(store: &Store, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, store.new_id().expect("id"), kind, name);
        row.attributes = attributes.as_object().cloned().expect("attributes");
        let mut write = store.write("test", "", "").await.expect("write");
        let row = write.put(row).await.expect("put");
        write.commit().await.expect("commit");
        row
    }

    async fn item(store: &Store, words: &str) -> Row {
        let mut upload = store.upload().await.expect("upload");
        upload.write(words.as_bytes()).await.expect("written");
        let blob = store.keep(upload, "x.txt", "test").await.expect("kept");
        put(
            store,
            Table::Asset,
            ITEM,
            "x",
            json!({ "raw": blob.sha256, "raw_encoding": "utf-8", "tlp": "green" }),
        )
        .await
    }

    async fn now(store: &Store, item: &Row) -> Row {
        store.row(Table::Asset, item.id).await.expect("read").expect("there")
    }

    async fn record(
        store: &Store,
        ty: &str,
        subject: Option<Id>,
        facts: Json,
        payload: Option<Json>,
    ) {
        let mut write = store.write("test", "", "").await.expect("write");
        let draft = room::draft(ty, subject, store.now(), facts);
        let payload = payload.and_then(|payload| serde_json::to_vec(&payload).ok());
        write.record(RecordDraft { payload, ..draft }).await.expect("recorded");
        write.commit().await.expect("commit");
    }

    #[tokio::test]
    async fn every_reason_to_escalate_is_found_with_what_it_rests_on() {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        let profile = json!({ "sector": "製造業", "exposed_services": ["VPN"] });
        put(&store, Table::Asset, "org_profile", "青梅精機", profile).await;
        let brand = json!({ "words": ["oumeseiki"], "domains": ["oumeseiki.example"] });
        put(&store, Table::Asset, "brand", "Oumeseiki", brand).await;
        put(&store, Table::Party, "supplier", "多摩鋳造", json!({})).await;
        let shop =
            put(&store, Table::Asset, "system", "shop", json!({ "exposure": "internet" })).await;
        let web = put(&store, Table::Asset, "host", "web1", json!({ "system": shop.id })).await;
        let pc = put(&store, Table::Asset, "host", "pc1", json!({})).await;
        let part = |cve: &str| json!({ "touches": { cve: { "parts": [{ "name": "a", "state": "affected" }] } } });
        record(&store, RUN, Some(web.id), json!({}), Some(part("CVE-2026-10001"))).await;
        record(&store, RUN, Some(pc.id), json!({}), Some(part("CVE-2026-10002"))).await;
        let cases = [
            ("多摩鋳造で被害", vec![Hit::Supplier]),
            ("青梅精機を名指しした投稿", vec![Hit::NamesUs]),
            ("偽サイト 0umeseiki-login[.]test", vec![Hit::FakeSite]),
            ("CVE-2026-10001 が悪用されている", vec![Hit::KevExposed]),
            ("VPN装置の CVE-2026-10003", vec![Hit::KevExposed]),
            ("CVE-2026-10002 は社内の端末だけ", vec![]),
            ("製造業を狙う攻撃", vec![]),
        ];
        let mut items = Vec::new();
        for (words, _) in &cases {
            items.push(item(&store, words).await);
        }
        let catalogue = br#"{"vulnerabilities": [{"cveID": "CVE-2026-10001"}, {"cveID": "CVE-2026-10002"}, {"cveID": "CVE-2026-10003"}]}"#;
        super::super::shelf::put_kev(folder.path(), &kev::read(catalogue).expect("kev"))
            .expect("put");
        let lists = Shelf::default().lists(folder.path()).1;
        let outcome = once(&store, &lists).await.expect("looked");
        assert_eq!((outcome.items, outcome.hits, outcome.unread), (cases.len(), 5, 0));
        for ((words, wanted), item) in cases.iter().zip(&items) {
            assert_eq!(hits(&now(&store, item).await), *wanted, "{words}");
        }
        let one = now(&store, &items[3]).await;
        assert_eq!(one.attributes["affected"], json!(["web1"]));
        assert_eq!(one.attributes["reasons"], json!(["kev_exposed: CVE-2026-10001 → web1"]));
        let records = store.newest_records(&[FOUND], Some(one.id), 9).await.expect("records");
        assert_eq!(records[0].facts["hits"], json!(["kev_exposed"]));
        assert_eq!(records[0].facts["assets"], json!([web.id]));
        let spec = crate::SPEC.records.iter().find(|spec| spec.ty == FOUND).expect("declared");
        assert_eq!(spec.validate(&records[0].facts), []);
        let again = once(&store, &lists).await.expect("looked");
        assert_eq!((again.changed, again.hits), (0, 0), "nothing twice");
    }

    #[tokio::test]
    async fn an_indicator_met_in_our_own_events_is_a_hit_if_it_was_grave() {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        let mut items = Vec::new();
        for (value, severity) in [("a.example", "high"), ("b.example", "medium")] {
            let row = item(&store, "x").await;
            let line = inbox::Line {
                kind: "domain".to_owned(),
                value: value.to_owned(),
                ..inbox::Line::default()
            };
            let blob =
                inbox::keep(&store, std::slice::from_ref(&line), "test").await.expect("kept");
            let mut row = now(&store, &row).await;
            inbox::put_into(&mut row, std::slice::from_ref(&line), &blob);
            let mut write = store.write("test", "", "").await.expect("write");
            items.push(write.put(row).await.expect("put"));
            write.commit().await.expect("commit");
            let facts =
                json!({ "severity": severity, "class": "detection", "rule": rule_of(&line) });
            record(&store, FINDING, None, facts, None).await;
        }
        once(&store, &Shelf::default().lists(folder.path()).1).await.expect("looked");
        assert_eq!(hits(&now(&store, &items[0]).await), [Hit::OwnSighting]);
        assert_eq!(hits(&now(&store, &items[1]).await), []);
    }
}
