//! From an entry of a feed to an item of the inbox: once, however often and by how many sources it is brought.
//!
//! Invariants: what the entry says is kept sealed as text; the same entry (its publisher's id, else its link, else its
//! words) is one item; a newer version takes the place of the original in the same item, and the history keeps the one
//! before; a verdict stays what it was.
//!
//! Limits: [`ARRIVALS_MAX`] of one delivery, the newest.

use std::collections::HashSet;

use indicators::{
    extract::{self, Labels},
    feed::Entry,
};
use model::{Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Blob, Row, Store, StoreError, Write};

use super::shelf;
use crate::work::inbox::{self, ITEM};

/// Entries of one delivery that become items.
pub const ARRIVALS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 120;
const LISTED_MAX: usize = 100;
const DAY_CHARS: usize = "2026-11-29".len();

/// An entry whose words are kept, and which waits to be entered.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Source and publisher's id: what makes it the same the next time.
    pub origin: String,
    pub link: String,
    pub title: String,
    pub language: String,
    pub blob: Blob,
    pub tlp: Option<String>,
    pub active: (Option<String>, Option<String>),
    pub vulnerabilities: Vec<String>,
    pub products: Vec<String>,
}

/// What came of arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entered {
    pub new: u64,
    pub updated: u64,
    /// Known already, word for word or under its link.
    pub known: u64,
}

/// Keeps what entries say; the newest of them, if they are too many.
pub async fn prepare(
    store: &Store,
    source: &Row,
    entries: &[Entry],
    labels: &Labels,
    actor: &str,
) -> Result<Vec<Arrival>, StoreError> {
    let mut newest: Vec<&Entry> = entries.iter().collect();
    newest.sort_by_key(|entry| std::cmp::Reverse(entry.updated.or(entry.published)));
    // Of two versions in one delivery the newest is met first, and the other is left out.
    newest.truncate(ARRIVALS_MAX);
    let mut all = Vec::with_capacity(newest.len());
    for entry in newest {
        all.push(one(store, source, entry, labels, actor).await?);
    }
    Ok(all)
}

async fn one(
    store: &Store,
    source: &Row,
    entry: &Entry,
    labels: &Labels,
    actor: &str,
) -> Result<Arrival, StoreError> {
    let mut whole = entry.whole();
    let products = shelf::products(entry);
    for product in products.iter().filter(|product| !entry.text.contains(product.as_str())) {
        whole.push('\n');
        whole.push_str(product);
    }
    let notice = extract::extract(&whole, labels);
    let mut vulnerabilities = entry.vulnerabilities.clone();
    for id in extract::ids(&whole) {
        if !vulnerabilities.contains(&id) {
            vulnerabilities.push(id);
        }
    }
    vulnerabilities.truncate(LISTED_MAX);
    let mut upload = store.upload().await?;
    upload.write(whole.as_bytes()).await?;
    let blob = store.keep(upload, "entry.txt", actor).await?;
    let day = |date: Option<jiff::civil::Date>| date.map(|date| date.to_string());
    let period = notice.period;
    Ok(Arrival {
        origin: origin(source, &entry.id),
        link: entry.link.clone(),
        title: named(&entry.title),
        language: entry.language.clone().unwrap_or_default(),
        blob,
        tlp: notice.marking.map(|marking| inbox::tlp_word(marking.level).to_owned()),
        active: (day(period.and_then(|p| p.from)), day(period.and_then(|p| p.to))),
        vulnerabilities,
        products,
    })
}

/// What makes an entry of a source the same the next time.
pub fn origin(source: &Row, id: &str) -> String {
    let short: String = id.chars().take(300).collect();
    format!("{} {short}", source.id)
}

fn named(title: &str) -> String {
    let title: String = title.replace(char::is_control, " ").chars().take(NAME_CHARS_MAX).collect();
    title.trim().to_owned()
}

/// Enters what is new and what changed. Entered twice, it enters nothing the second time.
pub async fn enter(
    store: &Store,
    write: &mut Write<'_>,
    source: &Row,
    arrivals: &[Arrival],
) -> Result<Entered, StoreError> {
    let mut entered = Entered::default();
    let mut seen = HashSet::new();
    for arrival in arrivals {
        let keys = [&arrival.origin, &arrival.link, &arrival.blob.sha256];
        let is_twice = keys.iter().any(|key| !key.is_empty() && seen.contains(*key));
        seen.extend(keys.into_iter().filter(|key| !key.is_empty()).cloned());
        if is_twice {
            entered.known += 1;
            continue;
        }
        match known(store, arrival).await? {
            None => {
                write.put(new(store, source, arrival)?).await?;
                entered.new += 1;
            }
            Some((row, true)) => match changed(row, arrival) {
                Some(row) => {
                    write.put(row).await?;
                    entered.updated += 1;
                }
                None => entered.known += 1,
            },
            // Another source brings the same.
            Some((_, false)) => entered.known += 1,
        }
    }
    Ok(entered)
}

/// The item that an arrival is already, and whether it is an entry of the same source.
async fn known(store: &Store, arrival: &Arrival) -> Result<Option<(Row, bool)>, StoreError> {
    if let Some(row) = with(store, "origin_id", &arrival.origin).await? {
        return Ok(Some((row, true)));
    }
    if !arrival.link.is_empty()
        && let Some(row) = with(store, "link", &arrival.link).await?
    {
        return Ok(Some((row, false)));
    }
    let Some(id) = inbox::known(store, &arrival.blob).await? else { return Ok(None) };
    Ok(store.row(Table::Asset, id).await?.map(|row| (row, false)))
}

async fn with(store: &Store, field: &str, text: &str) -> Result<Option<Row>, StoreError> {
    let Some(id) = store.row_with(Table::Asset, ITEM, field, text).await? else { return Ok(None) };
    let row: Option<Row> = row_of(store, id).await?;
    // The index folds case and width; the same is the same.
    Ok(row.filter(|row| row.attributes.get(field).and_then(Json::as_str) == Some(text)))
}

async fn row_of(store: &Store, id: Id) -> Result<Option<Row>, StoreError> {
    Ok(store.row(Table::Asset, id).await?.filter(|row| !row.deleted))
}

fn new(store: &Store, source: &Row, arrival: &Arrival) -> Result<Row, StoreError> {
    let name = if arrival.title.is_empty() { &arrival.origin } else { &arrival.title };
    let mut row = Row::new(Table::Asset, store.new_id()?, ITEM, name);
    row.status = "active".to_owned();
    let default = source.attributes.get("tlp_default").and_then(Json::as_str);
    let tlp = arrival.tlp.as_deref().or(default).unwrap_or("amber");
    let day: String = store.now().rfc3339().chars().take(DAY_CHARS).collect();
    let attributes = json!({
        "source": source.id,
        "received": day,
        "field": "technical",
        "tlp": tlp,
        "raw": arrival.blob.sha256,
        "raw_encoding": "utf-8",
        "origin_id": arrival.origin,
    });
    row.attributes = attributes.as_object().cloned().unwrap_or_default();
    describe(&mut row, arrival);
    Ok(row)
}

fn describe(row: &mut Row, arrival: &Arrival) {
    let texts = [
        ("link", Some(&arrival.link)),
        ("language", Some(&arrival.language)),
        ("active_from", arrival.active.0.as_ref()),
        ("active_to", arrival.active.1.as_ref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            row.attributes.insert(name.to_owned(), json!(text));
        }
    }
    for (name, list) in
        [("vulnerabilities", &arrival.vulnerabilities), ("products", &arrival.products)]
    {
        if !list.is_empty() {
            row.attributes.insert(name.to_owned(), json!(list));
        }
    }
}

/// The row with a newer version; nothing if it says the same.
fn changed(mut row: Row, arrival: &Arrival) -> Option<Row> {
    if row.attributes.get("raw").and_then(Json::as_str) == Some(arrival.blob.sha256.as_str()) {
        return None;
    }
    let updates = row.attributes.get("updates").and_then(Json::as_i64).unwrap_or_default();
    row.attributes.insert("updates".to_owned(), json!(updates + 1));
    row.attributes.insert("raw".to_owned(), json!(arrival.blob.sha256));
    row.attributes.insert("raw_encoding".to_owned(), json!("utf-8"));
    // What a person named otherwise keeps that name; a marking is never widened by an update.
    if let Some(tlp) = &arrival.tlp
        && is_stricter(tlp, row.attributes.get("tlp").and_then(Json::as_str).unwrap_or("clear"))
    {
        row.attributes.insert("tlp".to_owned(), json!(tlp));
    }
    describe(&mut row, arrival);
    Some(row)
}

fn is_stricter(new: &str, old: &str) -> bool {
    const ORDER: [&str; 5] = ["clear", "green", "amber", "amber_strict", "red"];
    let rank = |word: &str| ORDER.iter().position(|known| *known == word);
    rank(new) > rank(old)
}

/// When an entry is from, for lists.
pub fn day(at: Option<i64>) -> String {
    at.map(|at| Timestamp(at).rfc3339().chars().take(DAY_CHARS).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use indicators::feed;

    use super::*;

    async fn place() -> (tempfile::TempDir, Store, Row) {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        let mut source =
            Row::new(Table::Asset, store.new_id().expect("id"), "intel_source", "news");
        source.attributes.insert("tlp_default".to_owned(), json!("green"));
        let mut write = store.write("test", "", "").await.expect("write");
        let source = write.put(source).await.expect("put");
        write.commit().await.expect("commit");
        (folder, store, source)
    }

    async fn bring(store: &Store, source: &Row, text: &str) -> Entered {
        let feed = feed::read(text.as_bytes()).expect("a feed");
        let arrivals = prepare(store, source, &feed.entries, Labels::shipped(), "test")
            .await
            .expect("prepared");
        let mut write = store.write("test", "", "").await.expect("write");
        let entered = enter(store, &mut write, source, &arrivals).await.expect("entered");
        write.commit().await.expect("commit");
        entered
    }

    fn rss(items: &[(&str, &str, &str)]) -> String {
        let item = |(id, link, text): &(&str, &str, &str)| {
            format!(
                "<item><guid>{id}</guid><title>t {id}</title><link>{link}</link><description>{text}</description></item>"
            )
        };
        format!("<rss><channel>{}</channel></rss>", items.iter().map(item).collect::<String>())
    }

    #[tokio::test]
    async fn an_entry_is_one_item_and_its_update_changes_that_item() {
        let (_folder, store, source) = place().await;
        let first = rss(&[("1", "https://n.example/1", "CVE-2026-10001 TLP:AMBER")]);
        let counts = |new, updated, known| Entered { new, updated, known };
        assert_eq!(bring(&store, &source, &first).await, counts(1, 0, 0));
        assert_eq!(bring(&store, &source, &first).await, counts(0, 0, 1), "the same again");
        let newer = rss(&[("1", "https://n.example/1", "CVE-2026-10001 CVE-2026-10002")]);
        assert_eq!(bring(&store, &source, &newer).await, counts(0, 1, 0));
        let items = store.all(Table::Asset, &[ITEM]).await.expect("items");
        let [item] = &items[..] else { panic!("{items:?}") };
        assert_eq!(item.attributes["vulnerabilities"], json!(["CVE-2026-10001", "CVE-2026-10002"]));
        assert_eq!(item.attributes["tlp"], "amber", "an update never widens");
        assert_eq!(
            (&item.attributes["updates"], &item.attributes["link"]),
            (&json!(1), &json!("https://n.example/1"))
        );
        let history = store.history(Table::Asset, item.id).await.expect("history");
        assert_ne!(
            history.first().map(|row| row.attributes["raw"].clone()),
            history.last().map(|row| row.attributes["raw"].clone())
        );
    }

    #[tokio::test]
    async fn the_same_link_or_words_from_another_source_are_no_second_item() {
        let (_folder, store, source) = place().await;
        let mut other = source.clone();
        other.id = store.new_id().expect("id");
        let one =
            rss(&[("1", "https://n.example/1", "text"), ("1", "https://n.example/9", "twice")]);
        assert_eq!(bring(&store, &source, &one).await.new, 1, "one delivery names it twice");
        let by_link = rss(&[("x", "https://n.example/1", "other words")]);
        assert_eq!(bring(&store, &other, &by_link).await.known, 1);
        let items = store.all(Table::Asset, &[ITEM]).await.expect("items");
        assert_eq!(
            (items.len(), &items[0].attributes["tlp"]),
            (1, &json!("green")),
            "the source's"
        );
    }
}
