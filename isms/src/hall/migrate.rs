//! From one edition of the standard to the next: the answers given for the old controls, carried to the
//! new ones (isms.md, migration).
//!
//! Invariants: [`migrate`] is pure and loses nothing: every answer is carried or named as one without a
//! successor, with the text it had. What is carried waits to be confirmed, and where several answers
//! become one the weakest counts. Nothing there is overwritten, nothing old is deleted; the whole is one
//! change, and can be taken back until something it made was signed.

use std::collections::{BTreeMap, BTreeSet};

use model::{Assurance, Id, Lang, Table, Timestamp, canonical, t};
use serde_json::{Map, Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};

use super::{scenarios, text_of};
use crate::norms::{self, Norm, NormFile, Pair};

const RECORD: &str = "isms.migrated";
/// How long the tasks of a migration have.
const TASK_DAYS: i64 = 90;
const TEXT_CHARS_MAX: usize = 20_000;
/// Answers as declared, the weakest first; what says nothing is weaker than all.
const DECLARED: [&str; 4] = ["not_done", "planned", "partly", "done"];

/// An answer of the old edition.
#[derive(Clone, Debug)]
pub struct Source {
    pub row: Id,
    pub version: i64,
    /// Number as the old edition has it.
    pub control: String,
    /// Records about the answer, which stay linked to it.
    pub records: Vec<Id>,
}

/// A control of the new edition and the answers that become its own.
#[derive(Clone, Debug)]
pub struct Carried {
    pub control: String,
    pub name: String,
    /// `same`, `merged` or `split`
    pub kind: String,
    pub sources: Vec<Source>,
    /// The answer that is there already; only what it leaves empty is filled.
    pub existing: Option<Row>,
    pub attributes: Map<String, Json>,
    /// Fields in which the answers differ, so that somebody has to choose.
    pub differ: Vec<&'static str>,
}

/// A control of the new edition that no answer reaches.
#[derive(Clone, Debug)]
pub struct Gap {
    pub control: String,
    pub title_ja: String,
    pub title_en: String,
    /// Nothing came before it.
    pub is_new: bool,
    /// Old controls it builds on, of which there is an answer.
    pub builds_on: Vec<String>,
}

/// What a migration would do.
#[derive(Clone, Debug)]
pub struct Draft {
    pub from: String,
    pub to: String,
    /// Answers of the old edition.
    pub answers: usize,
    pub carried: Vec<Carried>,
    /// Answers that have no successor, and what they said.
    pub unmapped: Vec<(Source, Map<String, Json>)>,
    pub gaps: Vec<Gap>,
}

/// Why there is nothing to carry.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no edition {0}: give 2013 or 2022")]
    Edition(String),
    #[error("there is no mapping from {0} to {1}")]
    Mapping(String, String),
    #[error("no migration was done that could be taken back")]
    NothingDone,
    #[error("{0} was signed since, so the migration stays; change what is wrong in the registers")]
    Signed(String),
    #[error("{0} was changed since the migration, so it cannot be taken back as a whole")]
    Changed(String),
}

impl MigrateError {
    /// What a user reads.
    pub fn text(&self, lang: Lang) -> String {
        let ja = match self {
            MigrateError::Store(error) => error.to_string(),
            MigrateError::Edition(name) => {
                format!("{name}という版はありません。2013か2022を指定してください")
            }
            MigrateError::Mapping(from, to) => format!("{from}から{to}への対応表がありません"),
            MigrateError::NothingDone => "取り消せる移行はありません".to_owned(),
            MigrateError::Signed(name) => format!(
                "「{name}」が移行後に署名されたため、移行は取り消せません。誤りは台帳で直してください"
            ),
            MigrateError::Changed(name) => {
                format!("「{name}」が移行後に変更されたため、まとめて取り消せません")
            }
        };
        if lang == Lang::Ja { ja } else { self.to_string() }
    }
}

/// The norm of a set that a number in a register means: `A.12.6.1`, `12.6.1` or its id.
fn norm_of<'n>(set: &'n [Norm], number: &str) -> Option<&'n Norm> {
    let bare =
        |text: &str| text.trim().trim_start_matches(['A', 'a']).trim_start_matches('.').to_owned();
    set.iter().find(|n| n.id == number || bare(&n.number) == bare(number))
}

/// Carries answers from one set of norms to another. `records` are the records about each answer.
pub fn migrate(
    (from, to): (&NormFile, &NormFile),
    (mapping, builds_on): (&[Pair], &[Pair]),
    uses: &[Row],
    records: &BTreeMap<Id, Vec<Id>>,
) -> Draft {
    let active = || uses.iter().filter(|row| row.status != "retired");
    let control = |row: &Row| text_of(row, "control").unwrap_or("").to_owned();
    // A number that both editions know belongs to the new one.
    let existing: BTreeMap<&str, &Row> = active()
        .filter_map(|row| Some((norm_of(&to.norm, &control(row))?.id.as_str(), row)))
        .collect();
    let answers: Vec<(&Norm, &Row)> = active()
        .filter(|row| norm_of(&to.norm, &control(row)).is_none())
        .filter_map(|row| Some((norm_of(&from.norm, &control(row))?, row)))
        .collect();
    let source = |norm: &Norm, row: &Row| Source {
        row: row.id,
        version: row.version,
        control: norm.number.clone(),
        records: records.get(&row.id).cloned().unwrap_or_default(),
    };
    let mut draft = Draft {
        from: from.set.clone(),
        to: to.set.clone(),
        answers: answers.len(),
        carried: Vec::new(),
        unmapped: Vec::new(),
        gaps: Vec::new(),
    };
    for norm in &to.norm {
        let pairs: Vec<&Pair> = mapping.iter().filter(|p| p.to == norm.id).collect();
        let reach =
            |(old, _): &&(&Norm, &Row)| pairs.iter().any(|p| p.from.as_ref() == Some(&old.id));
        let reaching: Vec<&(&Norm, &Row)> = answers.iter().filter(reach).collect();
        let existing = existing.get(norm.id.as_str()).copied();
        if reaching.is_empty() {
            if existing.is_none() {
                draft.gaps.push(gap(norm, &pairs, builds_on, &answers));
            }
            continue;
        }
        let sources = reaching.iter().map(|(old, row)| source(old, row)).collect();
        let (attributes, differ) = merged(&norm.number, &reaching, existing);
        let kind = pairs.iter().find_map(|p| p.ty.clone()).unwrap_or_else(|| "same".to_owned());
        draft.carried.push(Carried {
            control: norm.number.clone(),
            name: norm.title_ja.clone(),
            kind,
            sources,
            existing: existing.cloned(),
            attributes,
            differ,
        });
    }
    let carried: BTreeSet<Id> =
        draft.carried.iter().flat_map(|c| c.sources.iter().map(|s| s.row)).collect();
    let left = answers.iter().filter(|(_, row)| !carried.contains(&row.id));
    draft.unmapped = left.map(|(norm, row)| (source(norm, row), row.attributes.clone())).collect();
    draft
}

fn gap(norm: &Norm, pairs: &[&Pair], builds_on: &[Pair], answers: &[(&Norm, &Row)]) -> Gap {
    let below = builds_on.iter().filter(|p| p.to == norm.id).filter_map(|p| p.from.as_ref());
    let answered = below.filter_map(|id| answers.iter().find(|(old, _)| &old.id == id));
    Gap {
        control: norm.number.clone(),
        title_ja: norm.title_ja.clone(),
        title_en: norm.title_en.clone(),
        is_new: pairs.iter().all(|p| p.from.is_none()),
        builds_on: answered.map(|(old, _)| old.number.clone()).collect(),
    }
}

/// The answers as one. Texts stand below each other under their old numbers; of a state the weakest
/// counts; where a choice differs the first stands, and the field is named.
fn merged(
    number: &str,
    answers: &[&(&Norm, &Row)],
    existing: Option<&Row>,
) -> (Map<String, Json>, Vec<&'static str>) {
    let mut out = existing.map(|row| row.attributes.clone()).unwrap_or_default();
    let mut differ = Vec::new();
    let said = |name: &str| -> Vec<(&str, &Json)> {
        answers
            .iter()
            .filter_map(|(norm, row)| Some((norm.number.as_str(), row.attributes.get(name)?)))
            .filter(|(_, v)| !(v.is_null() || *v == "" || *v == &json!([])))
            .collect()
    };
    let mut put = |name: &str, value: Json| {
        let is_empty = out.get(name).is_none_or(|v| v.is_null() || v == "" || v == &json!([]));
        if is_empty {
            out.insert(name.to_owned(), value);
        }
    };
    put("control", number.into());
    // What one of them needs applies; it is left out only where all were.
    let applies = said("applies");
    let no = !applies.is_empty() && applies.iter().all(|(_, v)| *v == "no");
    if applies.iter().any(|(_, v)| *v == "no") && !no {
        differ.push("applies");
    }
    put("applies", if no { "no" } else { "yes" }.into());
    for name in ["reason", "statement"] {
        let texts = said(name);
        let one = |(number, v): &(&str, &Json)| match (texts.len(), v.as_str().unwrap_or("")) {
            (1, text) if answers.len() == 1 => text.to_owned(),
            (_, text) => format!("{number}: {text}"),
        };
        let text = texts.iter().map(one).collect::<Vec<String>>().join("\n");
        if !text.is_empty() {
            put(name, text.chars().take(TEXT_CHARS_MAX).collect::<String>().into());
        }
    }
    for name in ["provision", "provider", "responsible"] {
        let values = said(name);
        if values.iter().any(|(_, v)| *v != values[0].1) {
            differ.push(name);
        }
        if let Some((_, first)) = values.first() {
            put(name, (*first).clone());
        }
    }
    for name in ["drivers", "documents"] {
        let mut all: Vec<Json> = Vec::new();
        for (_, list) in said(name) {
            let new = list.as_array().into_iter().flatten().filter(|v| !all.contains(v));
            let new: Vec<Json> = new.cloned().collect();
            all.extend(new);
        }
        if !all.is_empty() {
            put(name, all.into());
        }
    }
    let declared = said("declared");
    let rank = |v: &Json| DECLARED.iter().position(|d| v == d);
    if declared.len() < answers.len() && !declared.is_empty() {
        differ.push("declared");
    }
    if declared.len() == answers.len()
        && let Some((_, weakest)) = declared.iter().min_by_key(|(_, v)| rank(v))
    {
        if declared.iter().any(|(_, v)| v != weakest) {
            differ.push("declared");
        }
        put("declared", (*weakest).clone());
    }
    out.insert("confirm".to_owned(), true.into());
    (out, differ)
}

impl Draft {
    /// Whether there is anything to do.
    pub fn is_empty(&self) -> bool {
        self.carried.is_empty() && self.unmapped.is_empty() && self.gaps.is_empty()
    }

    /// As API, command line and page show it.
    pub fn to_json(&self, saved: bool) -> Json {
        let source =
            |s: &Source| json!({"row": s.row, "control": s.control, "records": s.records.len()});
        let carried = self.carried.iter().map(|c| {
            json!({
                "control": c.control, "name": c.name, "kind": c.kind, "differ": c.differ,
                "existing": c.existing.as_ref().map(|r| r.id), "confirm": true,
                "sources": c.sources.iter().map(source).collect::<Vec<Json>>(),
                "attributes": c.attributes,
            })
        });
        let unmapped = self.unmapped.iter().map(|(s, attributes)| {
            json!({"row": s.row, "control": s.control, "records": s.records.len(), "attributes": attributes})
        });
        let gaps = self.gaps.iter().map(|g| {
            json!({
                "control": g.control, "title_ja": g.title_ja, "title_en": g.title_en,
                "new": g.is_new, "builds_on": g.builds_on,
            })
        });
        json!({
            "from": self.from, "to": self.to, "saved": saved, "answers": self.answers,
            "carried": carried.collect::<Vec<Json>>(),
            "unmapped": unmapped.collect::<Vec<Json>>(), "gaps": gaps.collect::<Vec<Json>>(),
        })
    }
}

/// Drafts from what the store holds; nothing is written.
pub async fn read(store: &Store, from: &str, to: &str) -> Result<Draft, MigrateError> {
    let set = |name: &str| norms::set(name).ok_or_else(|| MigrateError::Edition(name.to_owned()));
    let (from, to) = (set(from)?, set(to)?);
    let missing = || MigrateError::Mapping(from.version.clone(), to.version.clone());
    let maps = norms::mapping(from, to).ok_or_else(missing)?;
    let uses = store.all(Table::Rule, &["control_use"]).await?;
    let ids: BTreeSet<Id> = uses.iter().map(|row| row.id).collect();
    let mut about: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    let evidence =
        store.newest_records(&crate::evidence::BY_HAND, None, super::EVIDENCE_MAX).await?;
    for record in evidence {
        if let Some(subject) = record.subject.filter(|id| ids.contains(id)) {
            about.entry(subject).or_default().push(record.id);
        }
    }
    Ok(migrate((from, to), maps, &uses, &about))
}

/// Rows that a run wrote, for taking it back.
#[derive(Default)]
struct Made {
    created: Vec<(Table, Id, i64)>,
    /// With what it was: attributes of a row that was filled, status of one that stepped back.
    changed: Vec<(Table, Id, i64, Json)>,
}

impl Made {
    fn payload(&self) -> Option<Vec<u8>> {
        let created: Vec<Json> =
            self.created.iter().map(|(t, id, v)| json!([t.name(), id, v])).collect();
        let changed: Vec<Json> =
            self.changed.iter().map(|(t, id, v, b)| json!([t.name(), id, v, b])).collect();
        let text = canonical::to_string(&json!({"created": created, "changed": changed}));
        text.ok().map(String::into_bytes)
    }
}

/// Carries out a draft in one change, bounded as its caller may write.
pub async fn take(
    store: &Store,
    draft: &Draft,
    mut write: Write<'_>,
    lang: Lang,
) -> Result<(), MigrateError> {
    let now = store.now();
    let mut made = Made::default();
    let mut taken_over: BTreeSet<Id> = BTreeSet::new();
    for carried in &draft.carried {
        let row = put_carried(store, &mut write, carried, &mut made).await?;
        for source in &carried.sources {
            let name = format!("{} → {}", source.control, carried.control);
            let mut link = Row::new(Table::Link, store.new_id()?, "builds_on", &name);
            (link.subject, link.object) = (Some(source.row), Some(row.id));
            link.attributes.insert("type".to_owned(), carried.kind.as_str().into());
            let note =
                t("移行で引き継いだ回答。確認待ち", "carried over by a migration, to be confirmed");
            link.attributes.insert("note".to_owned(), note.get(lang).into());
            let link = write.put(link).await?;
            made.created.push((Table::Link, link.id, link.version));
            taken_over.insert(source.row);
        }
    }
    retire(store, &mut write, &taken_over, &mut made).await?;
    for (source, _) in &draft.unmapped {
        let text = t(
            "移行先に対応する管理策がありません。続けるなら独自の管理策として残し、やめるなら理由を書いてください。",
            "No control of the new edition corresponds. Keep it as a control of your own, or say why it ends.",
        );
        let name = format!(
            "{}: {}",
            source.control,
            t("移行先のない管理策の扱いを決める", "Decide what becomes of it").get(lang)
        );
        put_task(store, &mut write, &name, text.get(lang), Some(source.row), now, &mut made)
            .await?;
    }
    put_gaps(store, &mut write, draft, (now, lang), &mut made).await?;
    let facts = facts(draft, false);
    write.record(record(facts, now, made.payload())).await?;
    Ok(write.commit().await?)
}

async fn put_carried(
    store: &Store,
    write: &mut Write<'_>,
    carried: &Carried,
    made: &mut Made,
) -> Result<Row, StoreError> {
    let mut row = match &carried.existing {
        Some(row) => row.clone(),
        None => Row::new(Table::Rule, store.new_id()?, "control_use", &carried.name),
    };
    let before = Json::Object(row.attributes.clone());
    let is_new = carried.existing.is_none();
    row.attributes = carried.attributes.clone();
    let row = write.put(row).await?;
    match is_new {
        true => made.created.push((Table::Rule, row.id, row.version)),
        false => made.changed.push((Table::Rule, row.id, row.version, before)),
    }
    Ok(row)
}

/// The old answers step back; they keep their history, their records and their links.
async fn retire(
    store: &Store,
    write: &mut Write<'_>,
    rows: &BTreeSet<Id>,
    made: &mut Made,
) -> Result<(), StoreError> {
    let ids: Vec<Id> = rows.iter().copied().collect();
    for mut row in store.rows_by_id(Table::Rule, &ids).await? {
        let before = std::mem::replace(&mut row.status, "retired".to_owned());
        let row = write.put(row).await?;
        made.changed.push((Table::Rule, row.id, row.version, before.into()));
    }
    Ok(())
}

/// A risk and a task for each control that no answer reaches and no risk names yet (6.1.2).
async fn put_gaps(
    store: &Store,
    write: &mut Write<'_>,
    draft: &Draft,
    (now, lang): (Timestamp, Lang),
    made: &mut Made,
) -> Result<(), StoreError> {
    let norms = store.all(Table::Norm, &["annex_a", "annex_a_2013"]).await?;
    let treated: BTreeSet<Id> =
        store.all(Table::Link, &["treats"]).await?.iter().filter_map(|l| l.subject).collect();
    for gap in &draft.gaps {
        let is_norm = |n: &&Row| {
            text_of(n, "set") == Some(draft.to.as_str())
                && text_of(n, "number") == Some(gap.control.as_str())
        };
        let norm = norms.iter().find(is_norm).map(|n| n.id);
        if norm.is_some_and(|id| treated.contains(&id)) {
            continue;
        }
        let risk = write.put(gap.risk(store.new_id()?, lang)).await?;
        made.created.push((Table::Risk, risk.id, risk.version));
        if let Some(norm) = norm {
            let link = scenarios::treats(store.new_id()?, norm, &gap.control, &risk);
            let link = write.put(link).await?;
            made.created.push((Table::Link, link.id, link.version));
        }
        let name = match lang {
            Lang::Ja => format!("{} {}の適用を決める", gap.control, gap.title_ja),
            Lang::En => format!("Decide on {} {}", gap.control, gap.title_en),
        };
        put_task(store, write, &name, &gap.advice(lang), Some(risk.id), now, made).await?;
    }
    Ok(())
}

impl Gap {
    fn risk(&self, id: Id, lang: Lang) -> Row {
        let (name, scenario, source, measures) = match lang {
            Lang::Ja => (
                format!("{} {}への備えが分からない", self.control, self.title_ja),
                format!(
                    "「{}」が守るはずの情報が、備えの有無を確かめないまま使われ、被害に気付くのが遅れる。",
                    self.title_ja
                ),
                "移行元の版に対応する回答がなく、何が行われているか確かめていない。".to_owned(),
                format!("管理策{}の適用を決め、実施する。", self.control),
            ),
            Lang::En => (
                format!("Unknown what is done about {} {}", self.control, self.title_en),
                format!(
                    "Information that “{}” is to protect is used without anyone having looked, and harm is noticed late.",
                    self.title_en
                ),
                "No answer to the earlier edition corresponds; nobody looked at what is done."
                    .to_owned(),
                format!("Decide on control {} and carry it out.", self.control),
            ),
        };
        let mut risk = Row::new(Table::Risk, id, "risk", &name);
        let attributes = json!({
            "scenario": scenario, "risk_source": source, "treatment": "modify", "measures": measures,
        });
        risk.attributes = attributes.as_object().cloned().unwrap_or_default();
        risk
    }

    fn advice(&self, lang: Lang) -> String {
        let first = t(
            "すでに行っていることを書き、足りないものを決めてください。",
            "Write down what is done already and decide what is missing.",
        );
        if self.builds_on.is_empty() {
            return first.get(lang).to_owned();
        }
        let label = t("土台になる従来の管理策", "Controls it builds on");
        format!("{} {}: {}", first.get(lang), label.get(lang), self.builds_on.join(", "))
    }
}

async fn put_task(
    store: &Store,
    write: &mut Write<'_>,
    name: &str,
    description: &str,
    subject: Option<Id>,
    now: Timestamp,
    made: &mut Made,
) -> Result<(), StoreError> {
    let due: String = now.plus_hours(24 * TASK_DAYS).rfc3339().chars().take(10).collect();
    let mut task = Row::new(Table::Task, store.new_id()?, "task", name);
    task.subject = subject;
    let attributes = json!({"due": due, "description": description, "role": "officer"});
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    let task = write.put(task).await?;
    made.created.push((Table::Task, task.id, task.version));
    Ok(())
}

fn facts(draft: &Draft, undone: bool) -> Json {
    json!({
        "from": draft.from, "to": draft.to, "answers": draft.answers, "undone": undone,
        "carried": draft.carried.len(), "unmapped": draft.unmapped.len(), "gaps": draft.gaps.len(),
    })
}

fn record(facts: Json, now: Timestamp, payload: Option<Vec<u8>>) -> RecordDraft {
    RecordDraft {
        ty: RECORD.to_owned(),
        subject: None,
        observed_from: now,
        observed_to: now,
        source: "isms.migrate".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload,
    }
}

/// The migration that could be taken back now: the newest run, if it stands.
pub async fn standing(store: &Store) -> Result<Option<Record>, StoreError> {
    let newest = store.newest_records(&[RECORD], None, 1).await?.into_iter().next();
    Ok(newest.filter(|r| r.facts.get("undone") == Some(&Json::Bool(false))))
}

/// What a standing migration would give back: rows to delete, and rows as they were.
pub struct Undo {
    record: Record,
    deleted: Vec<Row>,
    restored: Vec<Row>,
}

/// Reads what the newest migration made and sees that nobody built on it.
pub async fn read_undo(store: &Store) -> Result<Undo, MigrateError> {
    let record = standing(store).await?.ok_or(MigrateError::NothingDone)?;
    let payload = store.payload(record.id).await?.unwrap_or_default();
    let made: Json = serde_json::from_slice(&payload).unwrap_or(Json::Null);
    let list = |name: &str| made[name].as_array().cloned().unwrap_or_default();
    let mut undo = Undo { record, deleted: Vec::new(), restored: Vec::new() };
    for entry in list("created") {
        if let Some(row) = unchanged(store, &entry).await? {
            undo.deleted.push(row);
        }
    }
    for entry in list("changed") {
        let Some(mut row) = unchanged(store, &entry).await? else { continue };
        match &entry[3] {
            Json::Object(before) => row.attributes = before.clone(),
            before => row.status = before.as_str().unwrap_or("active").to_owned(),
        }
        undo.restored.push(row);
    }
    let ids: Vec<Id> = undo.deleted.iter().chain(&undo.restored).map(|row| row.id).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let since = undo.record.observed_to;
    let signed = |d: &&Row| web::decide::is_signed(d) && d.updated_at >= since;
    if let Some(decision) = decisions.iter().find(signed) {
        return Err(MigrateError::Signed(decision.name.clone()));
    }
    let editions = store.newest_records(&[super::SNAPSHOT], None, 200).await?;
    let approved =
        |r: &&Record| r.facts.get("approved") == Some(&Json::Bool(true)) && r.observed_to >= since;
    if editions.iter().any(|r| approved(&r)) {
        let name = t("適用宣言書", "Statement of Applicability");
        return Err(MigrateError::Signed(format!("{} / {}", name.ja, name.en)));
    }
    Ok(undo)
}

/// The row of an entry, if it stands as the migration left it; one that is gone needs nothing.
async fn unchanged(store: &Store, entry: &Json) -> Result<Option<Row>, MigrateError> {
    let table = entry[0].as_str().and_then(Table::parse);
    let id = entry[1].as_str().and_then(|id| id.parse::<Id>().ok());
    let (Some(table), Some(id)) = (table, id) else { return Ok(None) };
    let Some(row) = store.row(table, id).await? else { return Ok(None) };
    if Some(row.version) != entry[2].as_i64() {
        return Err(MigrateError::Changed(row.name));
    }
    Ok(Some(row))
}

/// Takes the newest migration back in one change; the history keeps what it made.
pub async fn take_back(
    store: &Store,
    undo: Undo,
    mut write: Write<'_>,
) -> Result<Json, MigrateError> {
    let (deleted, restored) = (undo.deleted.len(), undo.restored.len());
    for row in undo.deleted {
        write.delete(row).await?;
    }
    for row in undo.restored {
        write.put(row).await?;
    }
    let mut facts = undo.record.facts.clone();
    facts.insert("undone".to_owned(), true.into());
    write.record(record(Json::Object(facts), store.now(), None)).await?;
    write.commit().await?;
    Ok(json!({"undone": true, "deleted": deleted, "restored": restored}))
}
