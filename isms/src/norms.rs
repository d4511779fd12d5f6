//! The norms Ume ships: numbers, short titles and own summaries, read from `content/norms`.
//!
//! Invariants: what is loaded is what the files say; a summary that is not Ume's own is refused; a
//! load of known content writes nothing. Amendment 1 is the second version of the clauses it
//! replaces, so the history of the row shows both wordings.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use model::{Id, Table};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Row, Store, StoreError, Write};

const ANNEX_A: &str = include_str!("../../content/norms/iso27001-2022-annex-a.toml");
const CLAUSES: &str = include_str!("../../content/norms/iso27001-2022-clauses.toml");
const AMD_1: &str = include_str!("../../content/norms/iso27001-2022-amd1.toml");
const ANNEX_A_2013: &str = include_str!("../../content/norms/iso27001-2013-annex-a.toml");
const MAPS: &str = include_str!("../../content/norms/maps-2013-2022.toml");
const BUILDS_ON: &str = include_str!("../../content/norms/builds_on.toml");

/// Setting that holds the hash of the content last loaded.
const SETTING: &str = "norms_content";
const ACTOR: &str = "ume";
const AUTHOR: &str = "ume";
const SUMMARY_CHARS_MAX: usize = 200;
/// Raised when the same files make other rows, so that the next load looks at them again.
const ROW_SHAPE: &str = "1";

/// Why norms were not loaded.
#[derive(Debug, thiserror::Error)]
pub enum NormError {
    #[error("norm content {file}: {error}")]
    Toml { file: &'static str, error: Box<toml::de::Error> },
    #[error("norm content {file}: {what}")]
    Content { file: &'static str, what: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One file of norms.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormFile {
    pub set: String,
    pub part: String,
    pub version: String,
    pub base_version: Option<String>,
    pub published: Option<String>,
    #[serde(default)]
    pub author: String,
    pub source: String,
    pub norm: Vec<Norm>,
}

/// A clause or control.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Norm {
    pub id: String,
    pub number: String,
    pub parent: Option<String>,
    pub replaces: Option<String>,
    pub title_ja: String,
    pub title_en: String,
    pub summary_ja: Option<String>,
    pub summary_en: Option<String>,
    pub change_ja: Option<String>,
    pub change_en: Option<String>,
    pub theme: Option<String>,
    #[serde(default)]
    pub control_type: Vec<String>,
    #[serde(default)]
    pub properties: Vec<String>,
    #[serde(default)]
    pub new_in_2022: bool,
    #[serde(default)]
    pub author: String,
}

/// What became of the controls of 2013.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapFile {
    pub from_set: String,
    pub to_set: String,
    pub version: String,
    #[serde(default)]
    pub author: String,
    pub source: String,
    #[serde(default)]
    pub map: Vec<Pair>,
    #[serde(default)]
    pub builds_on: Vec<Pair>,
}

/// One pair of a map; a control that is new has no `from`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub from: Option<String>,
    pub to: String,
    #[serde(rename = "type")]
    pub ty: Option<String>,
}

/// All norm content.
#[derive(Debug)]
pub struct Norms {
    pub annex_a: NormFile,
    pub clauses: NormFile,
    pub amendment: NormFile,
    pub annex_a_2013: NormFile,
    pub maps: MapFile,
    pub builds_on: MapFile,
}

/// Reads and checks the content this build carries.
pub fn content() -> Result<Norms, NormError> {
    let norms = Norms {
        annex_a: norm_file("iso27001-2022-annex-a.toml", ANNEX_A)?,
        clauses: norm_file("iso27001-2022-clauses.toml", CLAUSES)?,
        amendment: norm_file("iso27001-2022-amd1.toml", AMD_1)?,
        annex_a_2013: norm_file("iso27001-2013-annex-a.toml", ANNEX_A_2013)?,
        maps: map_file("maps-2013-2022.toml", MAPS)?,
        builds_on: map_file("builds_on.toml", BUILDS_ON)?,
    };
    Ok(norms)
}

/// The content of this build; a test holds that it reads.
static CONTENT: LazyLock<Option<Norms>> = LazyLock::new(|| {
    content().inspect_err(|error| tracing::error!(%error, "the shipped norms do not read")).ok()
});

/// The 93 controls of Annex A in their order.
pub fn annex_a() -> &'static [Norm] {
    CONTENT.as_ref().map_or(&[], |norms| &norms.annex_a.norm)
}

/// Clauses 4 to 10 in their order, in the wording of the newest amendment.
pub fn clauses() -> Vec<&'static Norm> {
    let Some(norms) = CONTENT.as_ref() else { return Vec::new() };
    let newest = |clause: &'static Norm| {
        let replaces = |n: &&Norm| n.replaces.as_deref().unwrap_or(&n.id) == clause.id;
        norms.amendment.norm.iter().find(replaces).unwrap_or(clause)
    };
    norms.clauses.norm.iter().map(newest).collect()
}

/// Controls of an edition: `2013`, `2022`, or the full name of the set.
pub fn set(name: &str) -> Option<&'static NormFile> {
    let norms = CONTENT.as_ref()?;
    let files = [&norms.annex_a, &norms.annex_a_2013];
    files.into_iter().find(|file| file.set == name || file.version == name)
}

/// What became of the controls of one set in another, and what the new ones build on.
pub fn mapping(from: &NormFile, to: &NormFile) -> Option<(&'static [Pair], &'static [Pair])> {
    let norms = CONTENT.as_ref()?;
    let is_ours = |file: &MapFile| file.from_set == from.set && file.to_set == to.set;
    let pairs = is_ours(&norms.maps).then_some(norms.maps.map.as_slice())?;
    let builds_on =
        if is_ours(&norms.builds_on) { norms.builds_on.builds_on.as_slice() } else { &[] };
    Some((pairs, builds_on))
}

/// Controls of 2013 that a new one builds on: number, title in Japanese, title in English.
pub fn builds_on(number: &str) -> Vec<(String, String, String)> {
    let Some(norms) = CONTENT.as_ref() else { return Vec::new() };
    let Some(to) = norms.annex_a.norm.iter().find(|n| n.number == number) else {
        return Vec::new();
    };
    let pairs = norms.builds_on.builds_on.iter().filter(|pair| pair.to == to.id);
    let old = |pair: &Pair| {
        let from = pair.from.as_deref()?;
        let norm = norms.annex_a_2013.norm.iter().find(|n| n.id == from)?;
        Some((norm.number.clone(), norm.title_ja.clone(), norm.title_en.clone()))
    };
    pairs.filter_map(old).collect()
}

fn read<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<T, NormError> {
    toml::from_str(text).map_err(|error| NormError::Toml { file, error: Box::new(error) })
}

fn norm_file(file: &'static str, text: &str) -> Result<NormFile, NormError> {
    let refuse = |what: String| Err(NormError::Content { file, what });
    let content: NormFile = read(file, text)?;
    if content.author != AUTHOR {
        return refuse("the author of the file must be ume".to_owned());
    }
    let mut seen = HashSet::new();
    for norm in &content.norm {
        if norm.author != AUTHOR {
            return refuse(format!("{}: the author must be ume", norm.id));
        }
        let summaries = [&norm.summary_ja, &norm.summary_en];
        for summary in summaries.into_iter().flatten() {
            if summary.chars().count() > SUMMARY_CHARS_MAX {
                return refuse(format!("{}: a summary is longer than allowed", norm.id));
            }
        }
        if !seen.insert(norm.id.as_str()) {
            return refuse(format!("{} stands twice", norm.id));
        }
    }
    Ok(content)
}

fn map_file(file: &'static str, text: &str) -> Result<MapFile, NormError> {
    let content: MapFile = read(file, text)?;
    if content.author != AUTHOR {
        let what = "the author of the file must be ume".to_owned();
        return Err(NormError::Content { file, what });
    }
    Ok(content)
}

/// Hash of everything that decides what the rows say.
fn content_hash() -> String {
    let mut hash = Sha256::new();
    for text in [ROW_SHAPE, ANNEX_A, CLAUSES, AMD_1, ANNEX_A_2013, MAPS, BUILDS_ON] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hex::encode(hash.finalize())
}

/// Puts the norms and the links between them into the store. Returns the number of row versions
/// written: 0 when the store has this content already.
pub async fn load(store: &Store) -> Result<usize, NormError> {
    let hash = content_hash();
    if store.setting(SETTING).await?.as_deref() == Some(hash.as_str()) {
        return Ok(0);
    }
    let norms = content()?;
    // On SQLite the open write keeps a second load out until this one is through.
    let write = store.write(ACTOR, "norm content", "").await?;
    let mut loader = Loader { store, write, norms: HashMap::new(), written: 0 };
    loader.run(&norms).await?;
    let Loader { write, written, .. } = loader;
    if written > 0 {
        write.commit().await?;
    } else {
        drop(write);
    }
    store.set_setting(SETTING, &hash).await?;
    Ok(written)
}

struct Loader<'s> {
    store: &'s Store,
    write: Write<'s>,
    /// Norm rows by set and norm id.
    norms: HashMap<(String, String), Row>,
    written: usize,
}

impl Loader<'_> {
    async fn run(&mut self, content: &Norms) -> Result<(), NormError> {
        for row in self.store.all(Table::Norm, &["annex_a", "clause", "annex_a_2013"]).await? {
            let text = |name| row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
            let key = (text("set").to_owned(), text("norm_id").to_owned());
            self.norms.insert(key, row);
        }
        self.put_file("annex_a", &content.annex_a, &[]).await?;
        // A clause that is stored already must not go back to the wording before the amendment.
        let amended: Vec<&str> = content
            .amendment
            .norm
            .iter()
            .map(|n| n.replaces.as_deref().unwrap_or(n.id.as_str()))
            .filter(|id| self.id_of(&content.clauses.set, id).is_some())
            .collect();
        self.put_file("clause", &content.clauses, &amended).await?;
        self.put_file("clause", &content.amendment, &[]).await?;
        self.put_file("annex_a_2013", &content.annex_a_2013, &[]).await?;
        self.links("maps_to", "maps-2013-2022.toml", &content.maps, &content.maps.map).await?;
        let builds_on = &content.builds_on;
        self.links("builds_on", "builds_on.toml", builds_on, &builds_on.builds_on).await
    }

    async fn put_file(
        &mut self,
        kind: &str,
        file: &NormFile,
        but: &[&str],
    ) -> Result<(), NormError> {
        for norm in file.norm.iter().filter(|n| !but.contains(&n.id.as_str())) {
            let name = format!("{} {}", norm.number, norm.title_ja);
            let key = (file.set.clone(), norm.id.clone());
            let mut row = match self.norms.get(&key) {
                Some(row) => row.clone(),
                None => Row::new(Table::Norm, self.store.new_id()?, kind, &name),
            };
            row.name = name;
            row.subject = norm.parent.as_ref().and_then(|id| self.id_of(&file.set, id));
            row.attributes = attributes(file, norm);
            if self.norms.get(&key) != Some(&row) {
                let row = self.write.put(row).await?;
                self.norms.insert(key, row);
                self.written += 1;
            }
        }
        Ok(())
    }

    async fn links(
        &mut self,
        kind: &str,
        file: &'static str,
        sets: &MapFile,
        pairs: &[Pair],
    ) -> Result<(), NormError> {
        let mut known: HashMap<(Id, Id), Row> = HashMap::new();
        for row in self.store.all(Table::Link, &[kind]).await? {
            if let (Some(from), Some(to)) = (row.subject, row.object) {
                known.insert((from, to), row);
            }
        }
        // What is new has no predecessor, so no link: `new_in_2022` says it.
        for (from, pair) in pairs.iter().filter_map(|p| Some((p.from.as_ref()?, p))) {
            let from = self.norm(file, &sets.from_set, from)?;
            let to = self.norm(file, &sets.to_set, &pair.to)?;
            let (ends, name) = ((from.id, to.id), format!("{} → {}", number(from), number(to)));
            let old = known.remove(&ends);
            let mut row = match &old {
                Some(row) => row.clone(),
                None => Row::new(Table::Link, self.store.new_id()?, kind, &name),
            };
            row.name = name;
            (row.subject, row.object) = (Some(ends.0), Some(ends.1));
            let ty = pair.ty.as_deref().unwrap_or(kind);
            row.attributes = Map::from_iter([("type".to_owned(), json!(ty))]);
            if old.as_ref() != Some(&row) {
                self.write.put(row).await?;
                self.written += 1;
            }
        }
        // Links the content no longer has; those a person made stay.
        for row in known.into_values().filter(|row| row.updated_by == ACTOR) {
            self.write.delete(row).await?;
            self.written += 1;
        }
        Ok(())
    }

    fn id_of(&self, set: &str, id: &str) -> Option<Id> {
        self.norms.get(&(set.to_owned(), id.to_owned())).map(|row| row.id)
    }

    fn norm(&self, file: &'static str, set: &str, id: &str) -> Result<&Row, NormError> {
        let unknown = || NormError::Content { file, what: format!("{id} is no norm of {set}") };
        self.norms.get(&(set.to_owned(), id.to_owned())).ok_or_else(unknown)
    }
}

fn number(row: &Row) -> &str {
    row.attributes.get("number").and_then(Json::as_str).unwrap_or_default()
}

fn attributes(file: &NormFile, norm: &Norm) -> Map<String, Json> {
    let mut all = Map::new();
    let mut put = |name: &str, value: Json| drop(all.insert(name.to_owned(), value));
    put("norm_id", json!(norm.id));
    put("number", json!(norm.number));
    put("set", json!(file.set));
    put("edition", json!(file.version));
    put("title_ja", json!(norm.title_ja));
    put("title_en", json!(norm.title_en));
    let optional = [
        ("summary_ja", &norm.summary_ja),
        ("summary_en", &norm.summary_en),
        ("theme", &norm.theme),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    put("control_type", json!(norm.control_type));
    put("properties", json!(norm.properties));
    put("new_in_2022", json!(norm.new_in_2022));
    put("author", json!(norm.author));
    all
}

#[cfg(test)]
mod tests {
    use model::KindSpec;

    use super::*;

    #[test]
    fn counts() {
        let norms = content().unwrap();
        let themes = ["organizational", "people", "physical", "technological"];
        let of = |theme: &str| {
            norms.annex_a.norm.iter().filter(|n| n.theme.as_deref() == Some(theme)).count()
        };
        assert_eq!(themes.map(of), [37, 8, 14, 34]);
        assert_eq!(norms.annex_a.norm.len(), 93);
        assert_eq!(norms.annex_a.norm.iter().filter(|n| n.new_in_2022).count(), 11);
        assert_eq!(norms.clauses.norm.len(), 48);
        assert_eq!(norms.amendment.norm.len(), 2);
        assert_eq!(norms.annex_a_2013.norm.len(), 114);
        assert_eq!(norms.maps.map.len(), 126);
        let new = |p: &&Pair| p.from.is_none() && p.ty.as_deref() == Some("new");
        assert_eq!(norms.maps.map.iter().filter(new).count(), 11);
        assert_eq!(norms.builds_on.builds_on.len(), 33);
    }

    #[test]
    fn summaries_are_there_short_and_our_own() {
        let norms = content().unwrap();
        let files = [&norms.annex_a, &norms.clauses, &norms.amendment, &norms.annex_a_2013];
        for norm in files.iter().flat_map(|f| &f.norm) {
            assert_eq!(norm.author, "ume", "{}", norm.id);
            for summary in [&norm.summary_ja, &norm.summary_en] {
                let summary = summary.as_deref().unwrap_or_default();
                assert!(!summary.trim().is_empty(), "{} lacks a summary", norm.id);
                assert!(summary.chars().count() <= 200, "{} is too long", norm.id);
            }
        }
    }

    #[test]
    fn a_summary_without_author_is_refused() {
        let good = "set = 's'\npart = 'p'\nversion = '1'\nauthor = 'ume'\nsource = 's'\n\
                    [[norm]]\nid = 'a'\nnumber = '1'\ntitle_ja = 'あ'\ntitle_en = 'a'\n\
                    summary_ja = 'あ'\nsummary_en = 'a'\n";
        assert!(norm_file("test", &format!("{good}author = 'ume'\n")).is_ok());
        for bad in [good.to_owned(), format!("{good}author = 'iso'\n")] {
            let refused = norm_file("test", &bad);
            assert!(matches!(refused, Err(NormError::Content { .. })), "{refused:?}");
        }
        let long = good.replace("summary_en = 'a'", &format!("summary_en = '{}'", "a".repeat(201)));
        assert!(norm_file("test", &format!("{long}author = 'ume'\n")).is_err());
    }

    #[tokio::test]
    async fn loads_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
        let (rows, links) = (93 + 48 + 114, 126 - 11 + 33);
        assert_eq!(load(&store).await.unwrap(), rows + 2 + links);
        assert_eq!(load(&store).await.unwrap(), 0);
        // Even when the setting is lost, known rows are not written again.
        store.set_setting(SETTING, "").await.unwrap();
        assert_eq!(load(&store).await.unwrap(), 0);

        let all = store.all(Table::Norm, &[]).await.unwrap();
        assert_eq!(all.len(), rows);
        assert_eq!(store.all(Table::Link, &[]).await.unwrap().len(), links);
        let kind = |id: &str| -> &KindSpec {
            crate::SPEC.others.iter().find(|k| k.id == id && k.table == Table::Norm).unwrap()
        };
        for row in &all {
            assert_eq!(kind(&row.kind).validate(&row.attributes), [], "{}", row.name);
        }
        let clause = all.iter().find(|r| number(r) == "4.1").unwrap();
        assert_eq!(clause.attributes["edition"], "2022-amd1-2024");
        let parent = all.iter().find(|r| r.kind == "clause" && number(r) == "4").unwrap();
        assert_eq!(clause.subject, Some(parent.id));
        let history = store.history(Table::Norm, clause.id).await.unwrap();
        assert_eq!(history.last().unwrap().attributes["edition"], "2022");

        // A changed row, and only it, is put right.
        let mut write = store.write("someone", "test", "").await.unwrap();
        let mut changed = clause.clone();
        changed.name = "other".to_owned();
        write.put(changed).await.unwrap();
        write.commit().await.unwrap();
        store.set_setting(SETTING, "").await.unwrap();
        assert_eq!(load(&store).await.unwrap(), 1);
    }
}
