//! Editions get into the register: the shipped ones at the start, others from a file.
//!
//! Invariants: a load of known content writes nothing; a newer edition supersedes the older one of its audience and
//! never the other way round; what a person imported is not written over by what ships.

use std::collections::BTreeMap;

use model::Table;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Row, Store, StoreError, Write};

use super::{
    content::{self, Edition, SHIPPED_MEASURES},
    editions::{MEASURE, SUPERSEDED, THREAT},
};

/// Setting that holds the hash of the content last loaded.
const SETTING: &str = "threats_content";
const ACTOR: &str = "ume";
/// Raised when the same files make other rows.
const ROW_SHAPE: &str = "1";

/// What an import changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub written: usize,
    pub threats: usize,
}

/// Puts the shipped editions into the store; gives the number of row versions written.
pub async fn load(store: &Store) -> Result<usize, StoreError> {
    let mut hash = Sha256::new();
    for text in content::shipped_texts().chain([ROW_SHAPE]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let hash = hex::encode(hash.finalize());
    if store.setting(SETTING).await?.as_deref() == Some(hash.as_str()) {
        return Ok(0);
    }
    let mut write = store.write(ACTOR, "threat content", "").await?;
    let mut rows = Rows::load(store).await?;
    rows.measures(store, &mut write, &SHIPPED_MEASURES).await?;
    for edition in content::shipped() {
        rows.edition(store, &mut write, &edition, "ume").await?;
    }
    rows.supersede(&mut write).await?;
    if rows.written > 0 {
        write.commit().await?;
    } else {
        drop(write);
    }
    store.set_setting(SETTING, &hash).await?;
    Ok(rows.written)
}

/// Puts an edition that was handed in into the store.
pub async fn import(store: &Store, actor: &str, edition: &Edition) -> Result<Loaded, StoreError> {
    let mut write = store.write(actor, "an edition of the ten threats", "").await?;
    let mut rows = Rows::load(store).await?;
    rows.measures(store, &mut write, &edition.measure).await?;
    rows.edition(store, &mut write, edition, "import").await?;
    rows.supersede(&mut write).await?;
    if rows.written > 0 {
        write.commit().await?;
    }
    Ok(Loaded { written: rows.written, threats: edition.threat.len() })
}

/// Rows by their norm id.
struct Rows {
    known: BTreeMap<String, Row>,
    written: usize,
}

impl Rows {
    async fn load(store: &Store) -> Result<Rows, StoreError> {
        let rows = store.all(Table::Norm, &[THREAT, MEASURE]).await?;
        let id =
            |row: &Row| row.attributes.get("norm_id").and_then(Json::as_str).map(str::to_owned);
        let known = rows.into_iter().filter_map(|row| Some((id(&row)?, row))).collect();
        Ok(Rows { known, written: 0 })
    }

    async fn put(
        &mut self,
        store: &Store,
        write: &mut Write<'_>,
        kind: &str,
        name: &str,
        attributes: Map<String, Json>,
    ) -> Result<(), StoreError> {
        let id = attributes.get("norm_id").and_then(Json::as_str).unwrap_or_default().to_owned();
        let old = self.known.get(&id);
        let by =
            |map: &Map<String, Json>| map.get("author").and_then(Json::as_str) == Some("import");
        if old.is_some_and(|old| by(&old.attributes)) && !by(&attributes) {
            return Ok(());
        }
        let mut row = match old {
            Some(row) => row.clone(),
            None => Row::new(Table::Norm, store.new_id()?, kind, name),
        };
        row.name = name.to_owned();
        row.attributes = attributes;
        if old != Some(&row) {
            let row = write.put(row).await?;
            self.known.insert(id, row);
            self.written += 1;
        }
        Ok(())
    }

    async fn measures(
        &mut self,
        store: &Store,
        write: &mut Write<'_>,
        measures: &[content::Measure],
    ) -> Result<(), StoreError> {
        for measure in measures {
            let id = measure.id.get_ref();
            let maps_to: Vec<&str> =
                measure.maps_to.iter().map(|id| id.get_ref().as_str()).collect();
            let attributes = json!({
                "norm_id": format!("ipa10/measure/{id}"),
                "measure_id": id,
                "text_ja": measure.text_ja.get_ref(),
                "text_en": measure.text_en.get_ref(),
                "maps_to": maps_to,
            });
            let attributes = attributes.as_object().cloned().unwrap_or_default();
            self.put(store, write, MEASURE, measure.text_ja.get_ref(), attributes).await?;
        }
        Ok(())
    }

    async fn edition(
        &mut self,
        store: &Store,
        write: &mut Write<'_>,
        edition: &Edition,
        author: &str,
    ) -> Result<(), StoreError> {
        let (year, audience) = (*edition.edition.get_ref(), edition.audience.as_str());
        for threat in &edition.threat {
            let number = *threat.number.get_ref();
            let measures: Vec<&str> =
                threat.measures.iter().map(|id| id.get_ref().as_str()).collect();
            let mut attributes = json!({
                "norm_id": format!("ipa10/{year}/{audience}/{number}"),
                "key": threat.key.get_ref(),
                "edition": year,
                "audience": audience,
                "number": number,
                "published": edition.published.get_ref(),
                "title_ja": threat.title_ja.get_ref(),
                "title_en": threat.title_en.get_ref(),
                "about_ja": threat.about_ja.get_ref(),
                "about_en": threat.about_en.get_ref(),
                "measures": measures,
                "author": author,
            });
            for (name, value) in [
                ("rank", threat.rank.map(Json::from)),
                ("rank_before", threat.rank_before.map(Json::from)),
                ("first_year", threat.first_year.map(Json::from)),
                ("to_check_ja", edition.to_check_ja.clone().map(Json::from)),
                ("to_check_en", edition.to_check_en.clone().map(Json::from)),
            ] {
                if let Some(value) = value {
                    attributes[name] = value;
                }
            }
            let attributes = attributes.as_object().cloned().unwrap_or_default();
            self.put(store, write, THREAT, threat.title_ja.get_ref(), attributes).await?;
        }
        Ok(())
    }

    /// Of each audience only the newest edition stays in use.
    async fn supersede(&mut self, write: &mut Write<'_>) -> Result<(), StoreError> {
        let year = |row: &Row| row.attributes.get("edition").and_then(Json::as_i64);
        let whom = |row: &Row| {
            let text = row.attributes.get("audience").and_then(Json::as_str);
            text.unwrap_or_default().to_owned()
        };
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for row in self.known.values().filter(|row| row.kind == THREAT) {
            let top = newest.entry(whom(row)).or_default();
            *top = year(row).unwrap_or_default().max(*top);
        }
        for row in self.known.values_mut().filter(|row| row.kind == THREAT) {
            let is_newest = year(row) == newest.get(&whom(row)).copied();
            let status = if is_newest { "active" } else { SUPERSEDED };
            if row.status != status {
                status.clone_into(&mut row.status);
                *row = write.put(row.clone()).await?;
                self.written += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::content::Known, *};

    #[tokio::test]
    async fn what_ships_is_loaded_once_and_a_newer_edition_takes_its_place() {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        let first = load(&store).await.expect("loaded");
        assert!(first >= 38 + SHIPPED_MEASURES.len(), "{first}");
        assert_eq!(load(&store).await.expect("again"), 0);
        store.set_setting(SETTING, "").await.expect("setting");
        assert_eq!(load(&store).await.expect("known rows"), 0, "known rows are not written again");

        let rows = store.all(Table::Norm, &[THREAT, MEASURE]).await.expect("rows");
        let kind = |id: &str| crate::SPEC.others.iter().find(|kind| kind.id == id).expect("kind");
        for row in &rows {
            assert_eq!(kind(&row.kind).validate(&row.attributes), [], "{}", row.name);
        }
        let used = |rows: &[Row], year: i64, audience: &str| {
            let of = |row: &&Row| {
                row.status == "active"
                    && row.attributes.get("edition") == Some(&json!(year))
                    && row.attributes.get("audience") == Some(&json!(audience))
            };
            rows.iter().filter(of).count()
        };
        assert_eq!((used(&rows, 2026, "org"), used(&rows, 2023, "org")), (10, 0));

        let text = "edition = 2027\naudience = \"org\"\npublished = \"2027-01\"\nauthor = \"x\"\nsource = \"x\"\n\
            [[threat]]\nkey = \"bec\"\nnumber = 1\nrank = 1\ntitle_ja = \"題\"\ntitle_en = \"t\"\nabout_ja = \"説\"\n\
            about_en = \"a\"\nmeasures = [\"pay-twice\"]\n";
        let known = Known { criteria: BTreeSet::new(), controls: BTreeSet::new() };
        let edition = content::read(text, &known).expect("edition");
        let loaded = import(&store, "local:test", &edition).await.expect("imported");
        assert_eq!((loaded.threats, loaded.written), (1, 11), "one new, ten superseded");
        assert_eq!(import(&store, "local:test", &edition).await.expect("again").written, 0);
        store.set_setting(SETTING, "").await.expect("setting");
        load(&store).await.expect("shipped again");
        let rows = store.all(Table::Norm, &[THREAT]).await.expect("rows");
        assert_eq!((used(&rows, 2027, "org"), used(&rows, 2026, "org")), (1, 0));
        assert_eq!(used(&rows, 2026, "person"), 8, "the other list stays");
    }
}
