//! What a document of a feed becomes, by its content: items of the inbox, or lists of the room.
//!
//! RSS, Atom and alerts of JVN become items, each entry one. Of JVN's overview, which names every product there is, all
//! is kept in the room's list, and an item becomes only what concerns us: something that 8.9 found affected, or a word
//! of the register. Advisory documents (CSAF, OSV) become items with the products they name. KEV and
//! EPSS take the place of the list before.
//!
//! Invariant: a document that holds nothing readable changes nothing, and says why.

use std::path::Path;

use indicators::feed::{self, Entry, Feed, epss, jvn, kev};
use room::Error;
use sbom::{
    Limits,
    advisory::{self, Advisory, Package},
};
use store::{Row, Store, StoreError};

use super::{arrive, exposure::Impact, shelf};
use crate::work::{
    inbox,
    relevance::{Known, Touch},
};

pub const BYTES_MAX: u64 = 64 << 20;
const ADVISORIES_MAX: usize = 500;
const PRODUCTS_MAX: usize = 100;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Kev,
    Epss,
    /// RSS, Atom, and what MyJVN gives.
    Feed,
    Advisory,
}

/// A document that was read, and is not yet entered.
pub enum Read {
    Kev(Box<kev::Catalogue>),
    Epss(Box<epss::Scores>),
    Feed(Box<Feed>),
    Advisories(Vec<Entry>),
}

/// What of a document waits to be entered.
#[derive(Debug, Default)]
pub struct Brought {
    pub arrivals: Vec<arrive::Arrival>,
    /// Vulnerabilities that a list of the room now holds, or holds otherwise.
    pub listed: u64,
    /// Entries that could not be read.
    pub problems: u64,
}

/// What a document is by its beginning; nothing if it is a notice like any other.
pub fn sort(bytes: &[u8]) -> Option<Sort> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let head = &bytes[..bytes.len().min(4_096)];
    let head = String::from_utf8_lossy(head);
    let has = |word: &str| head.contains(word);
    if head.starts_with("#model_version") || head.starts_with("cve,epss") {
        return Some(Sort::Epss);
    }
    if head.starts_with('{') {
        let is_advisory =
            has("\"csaf_version\"") || has("\"schema_version\"") || has("\"affected\"");
        let is_kev = has("\"vulnerabilities\"") && (has("\"cveID\"") || has("\"catalogVersion\""));
        let is_feed = has("\"feed\"") && (has("MyJVN") || has("\"entry\""));
        let sorts = [(is_advisory, Sort::Advisory), (is_kev, Sort::Kev), (is_feed, Sort::Feed)];
        return sorts.into_iter().find(|(is_it, _)| *is_it).map(|(_, sort)| sort);
    }
    if !head.starts_with('<') {
        return None;
    }
    let is_feed = ["<rss", "<rdf:RDF", "<RDF", "<feed", "<VULDEF-Document", "<Result"];
    is_feed.iter().any(|root| has(root)).then_some(Sort::Feed)
}

/// Reads a document; why it cannot be read, in Japanese and English.
pub fn read(sort: Sort, bytes: &[u8]) -> Result<Read, (String, String)> {
    let told = |problem: feed::Problem| {
        let (ja, en) = problem.fault.words();
        (format!("{}: {ja}", problem.place), format!("{}: {en}", problem.place))
    };
    Ok(match sort {
        Sort::Kev => {
            let catalogue = kev::read(bytes).map_err(told)?;
            if catalogue.entries.is_empty() {
                return Err(empty());
            }
            Read::Kev(Box::new(catalogue))
        }
        Sort::Epss => {
            let scores = epss::read(bytes).map_err(told)?;
            if scores.rows.is_empty() {
                return Err(empty());
            }
            Read::Epss(Box::new(scores))
        }
        Sort::Feed => {
            let feed = feed::read(bytes).map_err(told)?;
            jvn::refused(&feed).map_err(|refusal| {
                (format!("MyJVNの応答を使えません（{refusal}）"), refusal.to_string())
            })?;
            Read::Feed(Box::new(feed))
        }
        Sort::Advisory => {
            let read = advisory::read(bytes, &Limits::DEFAULT);
            let entries: Vec<Entry> =
                read.advisories.iter().take(ADVISORIES_MAX).map(entry).collect();
            if entries.is_empty() {
                let why = read.problems.first().map(ToString::to_string).unwrap_or_default();
                return Err((
                    format!("勧告として読めません（{why}）"),
                    format!("no advisory: {why}"),
                ));
            }
            Read::Advisories(entries)
        }
    })
}

fn empty() -> (String, String) {
    (
        "1件もありません。前の内容をそのまま使います".to_owned(),
        "it holds nothing; what came before stays in use".to_owned(),
    )
}

/// Takes what was read: lists take their place, entries that concern somebody wait to be entered.
pub async fn take(
    store: &Store,
    data: &Path,
    source: &Row,
    read: Read,
    actor: &str,
) -> Result<Brought, Error> {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let data = data.to_owned();
    match read {
        Read::Kev(catalogue) => {
            let (listed, problems) =
                (count(catalogue.entries.len()), count(catalogue.problems.count));
            room::blocking(move || shelf::put_kev(&data, &catalogue)).await??;
            Ok(Brought { listed, problems, ..Brought::default() })
        }
        Read::Epss(scores) => {
            let (listed, problems) = (count(scores.rows.len()), count(scores.problems.count));
            room::blocking(move || shelf::put_epss(&data, &scores)).await??;
            Ok(Brought { listed, problems, ..Brought::default() })
        }
        Read::Feed(feed) => {
            let problems = count(feed.problems.count);
            let (notes, news): (Vec<Entry>, Vec<Entry>) =
                feed.entries.into_iter().partition(|entry| entry.id.starts_with("JVNDB-"));
            let kept = notes.clone();
            let listed = room::blocking(move || shelf::put_notes(&data, &kept)).await??;
            let mut wanted = concerning(store, notes).await?;
            wanted.extend(news);
            let arrivals = prepared(store, source, &wanted, actor).await?;
            Ok(Brought { arrivals, listed: count(listed), problems })
        }
        Read::Advisories(entries) => {
            let arrivals = prepared(store, source, &entries, actor).await?;
            Ok(Brought { arrivals, ..Brought::default() })
        }
    }
}

async fn prepared(
    store: &Store,
    source: &Row,
    entries: &[Entry],
    actor: &str,
) -> Result<Vec<arrive::Arrival>, Error> {
    let labels = inbox::labels(store).await.map_err(Error::said)?;
    Ok(arrive::prepare(store, source, entries, &labels, actor).await?)
}

/// Of JVN's entries those that concern us.
async fn concerning(store: &Store, entries: Vec<Entry>) -> Result<Vec<Entry>, Error> {
    if entries.is_empty() {
        return Ok(entries);
    }
    let impact = Impact::load(store).await?;
    let known = Known::load(store).await?;
    let ours = |entry: &Entry| {
        if entry.vulnerabilities.iter().any(|id| impact.of(id).is_some()) {
            return true;
        }
        let names: Vec<String> = shelf::products(entry);
        let said = format!("{}\n{}", entry.title, names.join("\n"));
        let reasons = known.reasons(&said, std::iter::empty());
        reasons.iter().any(|reason| {
            matches!(reason.touch, Touch::Asset | Touch::Brand | Touch::Supplier | Touch::Exposed)
        })
    };
    Ok(entries.into_iter().filter(ours).collect())
}

/// An advisory as an entry.
fn entry(advisory: &Advisory) -> Entry {
    let mut text = String::new();
    let mut seen = std::collections::BTreeSet::new();
    for affected in &advisory.affected {
        let name = match &affected.package {
            Package::Language { name, .. } | Package::Other { name, .. } => name.clone(),
            Package::Distribution { distribution, name, .. } => format!("{name} ({distribution})"),
            Package::Cpe(cpe) => cpe.product().map_or_else(String::new, |(vendor, product)| {
                format!("{vendor} {product}").replace('_', " ")
            }),
        };
        if !name.is_empty() && seen.len() < PRODUCTS_MAX && seen.insert(name.clone()) {
            text.push_str(&name);
            text.push('\n');
        }
    }
    let title = advisory.title.clone().unwrap_or_else(|| advisory.id.clone());
    let mut entry = Entry::new(&advisory.id, &title, &text);
    for id in [&advisory.id].into_iter().chain(&advisory.aliases) {
        entry.names(id);
    }
    for name in seen {
        entry.speaks_of(&name);
    }
    entry
}

/// Enters what waits and says so in a record; how many items came or changed.
pub async fn enter(
    store: &Store,
    write: &mut store::Write<'_>,
    source: &Row,
    brought: &Brought,
    bytes: u64,
) -> Result<arrive::Entered, StoreError> {
    let entered = arrive::enter(store, write, source, &brought.arrivals).await?;
    let refused = match brought.problems {
        0 => serde_json::json!({}),
        problems => serde_json::json!({ "unreadable": problems }),
    };
    let facts = serde_json::json!({
        "items": entered.new + entered.updated + brought.listed,
        "bytes": bytes,
        "refused": refused,
    });
    let draft = room::draft(inbox::RECEIVED, Some(source.id), store.now(), facts);
    write.record(draft).await?;
    Ok(entered)
}

#[cfg(test)]
mod tests {
    use model::Table;
    use serde_json::json;

    use super::*;

    const CSAF: &str = r#"{"document": {"category": "csaf_security_advisory", "csaf_version": "2.0", "title": "Flaw in Zumen",
        "publisher": {"category": "vendor", "name": "V", "namespace": "https://v.example"},
        "tracking": {"id": "V-2026-1", "current_release_date": "2026-11-01T00:00:00Z", "initial_release_date": "2026-11-01T00:00:00Z",
        "status": "final", "version": "1", "revision_history": []}},
        "product_tree": {"full_product_names": [{"name": "Zumen 2.1", "product_id": "P1",
        "product_identification_helper": {"cpe": "cpe:2.3:a:kakuu:zumen:2.1:*:*:*:*:*:*:*"}}]},
        "vulnerabilities": [{"cve": "CVE-2026-10001", "product_status": {"known_affected": ["P1"]}}]}"#;

    #[test]
    fn what_a_document_is_shows_in_its_beginning() {
        for (text, wanted) in [
            ("#model_version:v1,score_date:x\ncve,epss,percentile\n", Some(Sort::Epss)),
            (
                "{\"title\": \"KEV\", \"catalogVersion\": \"1\", \"vulnerabilities\": []}",
                Some(Sort::Kev),
            ),
            ("<?xml version=\"1.0\"?>\n<rss version=\"2.0\">", Some(Sort::Feed)),
            ("{\"feed\": {\"entry\": []}}", Some(Sort::Feed)),
            (CSAF, Some(Sort::Advisory)),
            ("通信先：evil[.]example", None),
            ("{\"type\": \"bundle\", \"objects\": []}", None),
            ("<html><body>", None),
        ] {
            assert_eq!(sort(text.as_bytes()), wanted, "{text}");
        }
    }

    async fn place() -> (tempfile::TempDir, Store, Row) {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        let source = put(&store, "intel_source", "s", json!({ "tlp_default": "clear" })).await;
        (folder, store, source)
    }

    async fn put(store: &Store, kind: &str, name: &str, attributes: serde_json::Value) -> Row {
        let mut row = Row::new(Table::Asset, store.new_id().expect("id"), kind, name);
        row.attributes = attributes.as_object().cloned().expect("attributes");
        let mut write = store.write("test", "", "").await.expect("write");
        let row = write.put(row).await.expect("put");
        write.commit().await.expect("commit");
        row
    }

    async fn bring(place: &(tempfile::TempDir, Store, Row), text: &str) -> (u64, u64) {
        let (folder, store, source) = place;
        let read = read(sort(text.as_bytes()).expect("a sort"), text.as_bytes())
            .unwrap_or_else(|why| panic!("{why:?}"));
        let brought = take(store, folder.path(), source, read, "test").await.expect("taken");
        let mut write = store.write("test", "", "").await.expect("write");
        let entered = enter(store, &mut write, source, &brought, 1).await.expect("entered");
        write.commit().await.expect("commit");
        (entered.new, brought.listed)
    }

    #[tokio::test]
    async fn of_jvns_overview_only_what_concerns_us_becomes_an_item() {
        let place = place().await;
        put(&place.1, "software", "図面管理", json!({})).await;
        let entry = |number: u8, product: &str| {
            format!(
                "{{\"id\": \"JVNDB-2026-00000{number}\", \"title\": \"t{number}\", \"modified\": \"2026-11-01\",
                \"references\": [{{\"summary\": \"CVE-2026-1000{number}\", \"url\": \"https://c.example/{number}\"}}],
                \"products\": [{{\"vname\": \"架空\", \"pname\": \"{product}\"}}]}}"
            )
        };
        let text = format!(
            "{{\"feed\": {{\"title\": \"MyJVN\", \"entry\": [{}, {}]}}}}",
            entry(1, "図面管理"),
            entry(2, "別のもの")
        );
        assert_eq!(bring(&place, &text).await, (1, 2));
        let items = place.1.all(Table::Asset, &[inbox::ITEM]).await.expect("items");
        assert_eq!(items[0].attributes["products"], json!(["架空 図面管理"]));
        assert_eq!(bring(&place, &text).await, (0, 0), "nothing twice");
    }

    #[tokio::test]
    async fn an_advisory_becomes_an_item_with_its_products() {
        let place = place().await;
        assert_eq!(bring(&place, CSAF).await, (1, 0));
        let item = place.1.all(Table::Asset, &[inbox::ITEM]).await.expect("items").remove(0);
        assert_eq!(item.attributes["vulnerabilities"], json!(["CVE-2026-10001"]));
        assert_eq!(item.attributes["products"], json!(["kakuu zumen"]), "{item:?}");
        let record =
            place.1.newest_records(&[inbox::RECEIVED], None, 9).await.expect("records").remove(0);
        assert_eq!(record.facts["items"], json!(1));
    }

    #[tokio::test]
    async fn an_empty_list_does_not_take_the_place_of_a_full_one() {
        let place = place().await;
        let full =
            "{\"catalogVersion\": \"1\", \"vulnerabilities\": [{\"cveID\": \"CVE-2026-10001\"}]}";
        assert_eq!(bring(&place, full).await, (0, 1));
        assert!(read(Sort::Kev, b"{\"vulnerabilities\": []}").is_err());
        assert!(read(Sort::Epss, b"cve,epss,percentile\n").is_err());
        let lists = shelf::Shelf::default().lists(place.0.path()).1;
        assert_eq!(lists.of("CVE-2026-10001").is_exploited, Some(true));
    }
}
