//! The register's rows of vulnerabilities: those that an item names, and those that affect something of ours.
//!
//! Invariants: lists are never copied as a whole; what is not known is left as it is, never set to "no"; a change of
//! `exploited` is recorded in the transaction that makes it; what nobody needs any more stays, with its history.
//!
//! Limits: [`NEEDED_MAX`] vulnerabilities, [`ROWS_PER_WRITE`] of them in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use model::{Id, Table, Timestamp};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{Row, Store};

use super::{
    arrive, exposure,
    exposure::{Exposure, Impact, RUN, Weakness},
    shelf::{Known, Lists, Shelf, Stamp},
};
use crate::work::inbox::ITEM;

pub const KIND: &str = "vulnerability";
/// A vulnerability is exploited now, or is no longer said to be.
pub const CHANGED: &str = "threat_intelligence.vulnerability_changed";
const ACTOR: &str = "system:threat_intelligence.vulnerabilities";
pub const NEEDED_MAX: usize = 50_000;
const ROWS_PER_WRITE: usize = 200;
const PRODUCTS_MAX: usize = 50;
const ASSETS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 160;

/// What the last run saw.
#[derive(Default)]
pub struct Keeper(Mutex<Option<Seen>>);

#[derive(Clone, PartialEq, Eq)]
struct Seen {
    lists: Stamp,
    rows: (u64, Timestamp),
    assets: (u64, Timestamp),
    run: Option<Id>,
}

/// One run: brings the rows up to date where something they say has changed.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    if ctx.house.demo {
        return Ok(json!({ "skipped": "demonstration" }));
    }
    let store = ctx.store();
    let (data, shelf) = (ctx.house.folder().to_owned(), ctx.house.kept.get::<Shelf>());
    let (stamp, lists) = room::blocking(move || shelf.lists(&data)).await?;
    let newest = store.newest_records(&[RUN], None, 1).await?;
    let seen = Seen {
        lists: stamp,
        rows: store.stamp(Table::Asset, &[ITEM]).await?,
        assets: store.stamp(Table::Asset, &exposure::KINDS).await?,
        run: newest.first().map(|record| record.id),
    };
    let keeper = ctx.house.kept.get::<Keeper>();
    let poisoned = || Error::said("the keeper of vulnerabilities failed before");
    if keeper.0.lock().map_err(|_| poisoned())?.as_ref() == Some(&seen) {
        return Ok(json!({ "unchanged": true }));
    }
    let outcome = bring(store, &lists).await?;
    if outcome.changed() > 0 {
        ctx.house.wake();
    }
    *keeper.0.lock().map_err(|_| poisoned())? = Some(seen);
    Ok(json!({
        "needed": outcome.needed,
        "new": outcome.new,
        "updated": outcome.updated,
        "turned": outcome.turned,
        "unread": outcome.unread,
        "damaged": lists.damaged,
    }))
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub needed: usize,
    pub new: usize,
    pub updated: usize,
    /// Of which `exploited` changed.
    pub turned: usize,
    pub unread: usize,
}

impl Outcome {
    fn changed(&self) -> usize {
        self.new + self.updated
    }
}

/// Brings the rows up to date with lists, items and records.
pub async fn bring(store: &Store, lists: &Lists) -> Result<Outcome, Error> {
    let impact = Impact::load(store).await?;
    let exposure = Exposure::load(store).await?;
    let needed = needed(store, &impact).await?;
    let mut outcome = Outcome { needed: needed.len(), unread: impact.unread, ..Outcome::default() };
    let mut rows = known(store).await?;
    let needed: Vec<String> = needed.into_iter().take(NEEDED_MAX).collect();
    for chunk in needed.chunks(ROWS_PER_WRITE) {
        let mut wanted = Vec::new();
        for cve in chunk {
            let facts = lists.of(cve);
            let row = rows.remove(cve);
            let is_new = row.is_none();
            let row = match row {
                Some(row) => row,
                None => Row::new(Table::Asset, store.new_id()?, KIND, cve),
            };
            if let Some(change) = change(row, is_new, cve, &facts, &impact, &exposure) {
                wanted.push(change);
            }
        }
        if wanted.is_empty() {
            continue;
        }
        let mut write = store.write(ACTOR, "work", "").await?;
        for change in wanted {
            match change.is_new {
                true => outcome.new += 1,
                false => outcome.updated += 1,
            }
            let row = write.put(change.row).await?;
            if change.turned {
                outcome.turned += 1;
                let facts = turned(&row, &impact, &exposure);
                write.record(room::draft(CHANGED, Some(row.id), store.now(), facts)).await?;
            }
        }
        write.commit().await?;
    }
    Ok(outcome)
}

/// CVEs that somebody needs.
async fn needed(store: &Store, impact: &Impact) -> Result<BTreeSet<String>, Error> {
    let mut all: BTreeSet<String> = impact.cves().cloned().collect();
    for item in store.all(Table::Asset, &[ITEM]).await? {
        let is_discarded = item.attributes.get("verdict").and_then(Json::as_str) == Some("discard");
        if item.deleted || is_discarded {
            continue;
        }
        let named = item.attributes.get("vulnerabilities").and_then(Json::as_array);
        let named = named.into_iter().flatten().filter_map(Json::as_str);
        all.extend(named.filter(|id| id.starts_with("CVE-")).map(str::to_owned));
    }
    Ok(all)
}

async fn known(store: &Store) -> Result<BTreeMap<String, Row>, Error> {
    let mut all = BTreeMap::new();
    for row in store.all(Table::Asset, &[KIND]).await? {
        let cve = row.attributes.get("cve").and_then(Json::as_str).unwrap_or_default();
        let cve = cve.trim().to_uppercase();
        if !row.deleted && !cve.is_empty() {
            all.entry(cve).or_insert(row);
        }
    }
    Ok(all)
}

struct Change {
    row: Row,
    is_new: bool,
    turned: bool,
}

/// The row as it should be; nothing if it is so already.
fn change(
    mut row: Row,
    is_new: bool,
    cve: &str,
    facts: &Known,
    impact: &Impact,
    exposure: &Exposure,
) -> Option<Change> {
    let before = row.attributes.clone();
    let mut set = |name: &str, value: Json| drop(row.attributes.insert(name.to_owned(), value));
    set("cve", json!(cve));
    let was = before.get("exploited").and_then(Json::as_bool);
    if let Some(is_exploited) = facts.is_exploited {
        set("exploited", json!(is_exploited));
    }
    if let Some(permille) = facts.epss_permille {
        set("epss_permille", json!(permille));
    }
    if let Some(exploited) = &facts.exploited
        && !before.contains_key("fix")
    {
        set("fix", json!(exploited.action));
    }
    let weakness = impact.of(cve);
    if let Some(note) = &facts.note {
        let scores = [("cvss2", note.cvss2), ("cvss3", note.cvss3), ("cvss4", note.cvss4)];
        for (name, tenths) in scores {
            if let Some(tenths) = tenths {
                set(name, json!(tenths));
            }
        }
        for (name, text) in [("jvndb", &note.jvndb), ("cvss_vector", &note.vector)] {
            if !text.is_empty() {
                set(name, json!(text));
            }
        }
        if !note.products.is_empty() {
            set("products", json!(note.products));
        }
        if let Some(published) = note.published {
            set("published", json!(arrive::day(Some(published))));
        }
    } else if let Some(score) = weakness.and_then(|weakness| weakness.score) {
        set("cvss3", json!(score.min(100)));
    }
    if !row.attributes.contains_key("products")
        && let Some(weakness) = weakness
    {
        let components: BTreeSet<&str> =
            weakness.assets.iter().map(|asset| asset.component.as_str()).collect();
        let components: Vec<&str> = components.into_iter().take(PRODUCTS_MAX).collect();
        row.attributes.insert("products".to_owned(), json!(components));
    }
    concerned(&mut row, weakness, exposure);
    if is_new {
        row.status = "active".to_owned();
        row.name = name(cve, facts, weakness.map_or("", |weakness| weakness.title.as_str()));
    }
    // A new row that is exploited is as much news as one that turns.
    let is = row.attributes.get("exploited").and_then(Json::as_bool);
    let turned = is != was && (is == Some(true) || was == Some(true));
    (is_new || row.attributes != before).then_some(Change { row, is_new, turned })
}

/// Which of our assets it affects, and whether one of them is exposed or important.
fn concerned(row: &mut Row, weakness: Option<&Weakness>, exposure: &Exposure) {
    let assets: BTreeSet<Id> =
        weakness.into_iter().flat_map(|w| w.assets.iter().map(|one| one.asset)).collect();
    let names: BTreeSet<&String> =
        assets.iter().filter_map(|asset| exposure.names.get(asset)).take(ASSETS_MAX).collect();
    match names.is_empty() {
        true => drop(row.attributes.remove("affected")),
        false => drop(row.attributes.insert("affected".to_owned(), json!(names))),
    }
    let matters = assets.iter().any(|asset| exposure.matters(*asset));
    // Where nothing was ever said of it, nothing is said now.
    if matters || row.attributes.contains_key("on_exposed") || !assets.is_empty() {
        row.attributes.insert("on_exposed".to_owned(), json!(matters));
    }
}

fn name(cve: &str, facts: &Known, title: &str) -> String {
    let note = facts.note.as_ref().map_or("", |note| note.title.as_str());
    let listed = facts.exploited.as_ref().map_or("", |exploited| exploited.name.as_str());
    let title = [note, listed, title].into_iter().find(|title| !title.is_empty());
    let name = title.map_or_else(|| cve.to_owned(), |title| format!("{cve} {title}"));
    name.chars().take(NAME_CHARS_MAX).collect()
}

fn turned(row: &Row, impact: &Impact, exposure: &Exposure) -> Json {
    let cve = row.attributes.get("cve").and_then(Json::as_str).unwrap_or_default();
    let assets: BTreeSet<Id> = impact
        .of(cve)
        .into_iter()
        .flat_map(|weakness| weakness.assets.iter().map(|affected| affected.asset))
        .collect();
    let is = |name: &str| row.attributes.get(name).cloned().unwrap_or_default();
    let mut facts = json!({
        "cve": cve,
        "exploited": is("exploited"),
        "assets": assets.len(),
        "exposed_or_important": assets.iter().filter(|asset| exposure.matters(**asset)).count(),
    });
    if let Some(permille) = row.attributes.get("epss_permille") {
        facts["epss_permille"] = permille.clone();
    }
    facts
}

#[cfg(test)]
mod tests {
    use indicators::feed::{epss, kev};
    use store::RecordDraft;

    use super::*;

    async fn put(store: &Store, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(Table::Asset, store.new_id().expect("id"), kind, name);
        row.attributes = attributes.as_object().cloned().expect("attributes");
        let mut write = store.write("test", "", "").await.expect("write");
        let row = write.put(row).await.expect("put");
        write.commit().await.expect("commit");
        row
    }

    async fn vulnerability(store: &Store, cve: &str) -> Option<Row> {
        let id = store.row_with(Table::Asset, KIND, "cve", cve).await.expect("asked")?;
        store.row(Table::Asset, id).await.expect("read")
    }

    #[tokio::test]
    async fn only_what_somebody_needs_becomes_a_row_and_kev_flips_it_once() {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        let host = put(&store, "host", "web1", json!({ "hostname": "web1" })).await;
        put(
            &store,
            ITEM,
            "notice",
            json!({ "vulnerabilities": ["CVE-2026-10001", "JVNDB-2026-000001"] }),
        )
        .await;
        put(
            &store,
            ITEM,
            "no",
            json!({ "vulnerabilities": ["CVE-2026-10009"], "verdict": "discard" }),
        )
        .await;
        let told = json!({ "touches": { "CVE-2026-10002": { "title": "zlib", "score": 75, "parts": [
            { "name": "zlib", "version": "1.2", "state": "affected" }] } } });
        let mut write = store.write("test", "", "").await.expect("write");
        let draft = room::draft(RUN, Some(host.id), store.now(), json!({}));
        let draft = RecordDraft { payload: serde_json::to_vec(&told).ok(), ..draft };
        write.record(draft).await.expect("recorded");
        write.commit().await.expect("commit");

        let shelf = Shelf::default();
        let lists = || shelf.lists(folder.path()).1;
        let outcome = bring(&store, &lists()).await.expect("brought");
        assert_eq!((outcome.needed, outcome.new, outcome.turned), (2, 2, 0));
        let row = vulnerability(&store, "CVE-2026-10002").await.expect("a row");
        assert_eq!(
            (&row.attributes["cvss3"], row.name.as_str()),
            (&json!(75), "CVE-2026-10002 zlib")
        );
        assert!(!row.attributes.contains_key("exploited"), "nobody knows yet");
        assert_eq!(
            (&row.attributes["affected"], &row.attributes["on_exposed"]),
            (&json!(["web1"]), &json!(false))
        );
        assert!(vulnerability(&store, "CVE-2026-10009").await.is_none(), "it was discarded");

        let catalogue =
            br#"{"vulnerabilities": [{"cveID": "CVE-2026-10002", "requiredAction": "update"},
            {"cveID": "CVE-2026-77777"}]}"#;
        super::super::shelf::put_kev(folder.path(), &kev::read(catalogue).expect("kev"))
            .expect("put");
        let scores = epss::read(b"cve,epss,percentile\nCVE-2026-10002,0.61,0.9\n").expect("epss");
        super::super::shelf::put_epss(folder.path(), &scores).expect("put");
        let outcome = bring(&store, &lists()).await.expect("brought");
        assert_eq!((outcome.new, outcome.updated, outcome.turned), (0, 2, 1));
        let row = vulnerability(&store, "CVE-2026-10002").await.expect("a row");
        assert_eq!(
            (&row.attributes["exploited"], &row.attributes["epss_permille"]),
            (&json!(true), &json!(610))
        );
        let records = store.newest_records(&[CHANGED], Some(row.id), 9).await.expect("records");
        assert_eq!((records.len(), &records[0].facts["assets"]), (1, &json!(1)));
        assert!(vulnerability(&store, "CVE-2026-77777").await.is_none(), "nobody needs it");
        let spec = crate::SPEC.records.iter().find(|spec| spec.ty == CHANGED).expect("declared");
        assert_eq!(spec.validate(&records[0].facts), []);

        let outcome = bring(&store, &lists()).await.expect("brought");
        assert_eq!((outcome.new, outcome.updated, outcome.turned), (0, 0, 0), "nothing twice");
    }
}
