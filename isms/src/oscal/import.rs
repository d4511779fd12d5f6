//! Foreign documents as drafts of our rows: first shown, then taken in one change.
//!
//! Invariants: all or nothing; each line names its place in the document. A statement of applicability
//! (system security plan) says how controls are used, so what it says counts, and the history keeps what
//! stood before; catalogues, profiles and component definitions only fill what is empty. What we do not
//! model stays in the file, which is kept and named by a record `isms.import_run`.

use std::collections::BTreeMap;

use model::{Assurance, FieldError, Lang, Table, Text, canonical, t};
use oscal::{
    Document, Form, Limits, ReadError, check,
    import::{self, Requirement},
};
use serde_json::{Map, Value as Json, json};
use store::{Record, RecordDraft, Row, Store, StoreError, Write};

use super::{
    Model, control_id,
    statement::{NUMBER, STATUS},
};
use crate::{
    hall::{soa::SoaStatus, text_of},
    norms,
};

/// Rows one document may draft; the largest catalogue there is has some 1,200 controls.
pub const ROWS_MAX: usize = 2_000;
const RECORD: &str = "isms.import_run";
/// Import runs looked through for the newest of a model.
const RECENT: usize = 200;
const TEXT_CHARS_MAX: usize = 10_000;
/// What our own exports write where nothing is described; it says nothing.
const UNSAID: [&str; 2] = ["説明はまだない。", "Not described yet."];

/// Why nothing is taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(
        "{0} says nothing of how controls are used: give a catalog, profile, component-definition or ssp"
    )]
    Model(&'static str),
    #[error("the document is of no known model")]
    Unknown,
    #[error("the document drafts more than {ROWS_MAX} rows")]
    Rows,
    #[error("{pointer}: {fault}")]
    Row { pointer: String, fault: FieldError },
}

impl ImportError {
    /// What a user reads.
    pub fn text(&self, lang: Lang) -> String {
        let ja = match self {
            ImportError::Store(error) => error.to_string(),
            ImportError::Read(error) => {
                format!(
                    "{}行{}桁: {} {}",
                    error.line,
                    error.column,
                    error.pointer,
                    error.fault.ja()
                )
            }
            ImportError::Model(name) => format!(
                "{name}には管理策の適用の記載がありません。catalog、profile、component-definition、sspを指定してください"
            ),
            ImportError::Unknown => "OSCALの文書の種類が分かりません".to_owned(),
            ImportError::Rows => format!("{ROWS_MAX}行を超える文書は取り込めません"),
            ImportError::Row { pointer, fault } => {
                format!("{pointer}: {}: {}", fault.field(), web::form::error_text(lang, fault))
            }
        };
        if lang == Lang::Ja { ja } else { self.to_string() }
    }
}

/// One field that would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub field: &'static str,
    pub before: Option<Json>,
    pub after: Json,
}

/// One control of the document.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it stands in the document.
    pub pointer: String,
    pub control: String,
    pub changes: Vec<Change>,
    /// What could not be taken over, and why.
    pub notes: Vec<String>,
    /// The row as it would be; an `id` of nil for a new one.
    row: Row,
}

impl Line {
    /// Whether the control has no row yet.
    pub fn is_new(&self) -> bool {
        self.row.version == 0
    }
}

/// What taking a document would do.
#[derive(Clone, Debug)]
pub struct Draft {
    pub model: Model,
    pub title: String,
    pub lines: Vec<Line>,
    /// Places of the document that break a rule of OSCAL; it is taken all the same.
    pub findings: usize,
}

impl Draft {
    /// Lines that change something.
    pub fn changed(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.changes.is_empty())
    }

    /// As the API and the command line show it.
    pub fn to_json(&self, saved: bool, file: Option<&str>) -> Json {
        let change = |c: &Change| json!({"field": c.field, "before": c.before, "after": c.after});
        let line = |l: &Line| {
            json!({
                "control": l.control, "pointer": l.pointer, "new": l.is_new(),
                "changes": l.changes.iter().map(change).collect::<Vec<Json>>(), "notes": l.notes,
            })
        };
        let changed = self.changed().count();
        let added = self.changed().filter(|l| l.is_new()).count();
        json!({
            "model": self.model.name(), "title": self.title, "file": file, "saved": saved,
            "controls": self.lines.len(), "added": added, "changed": changed - added,
            "same": self.lines.len() - changed, "findings": self.findings,
            "lines": self.lines.iter().map(line).collect::<Vec<Json>>(),
        })
    }
}

/// What a document says of one control, in our words.
#[derive(Default)]
struct Said {
    pointer: String,
    name: String,
    fields: BTreeMap<&'static str, Json>,
    notes: Vec<String>,
}

/// Drafts rows from a document, held against the rows and parties there are.
pub fn draft(
    document: &Document,
    uses: &[Row],
    parties: &[Row],
    lang: Lang,
) -> Result<Draft, ImportError> {
    let model = match document.kind() {
        Some(kind) => Model::ALL.into_iter().find(|m| m.kind() == kind),
        None => None,
    };
    let model = model.ok_or(ImportError::Unknown)?;
    let reader = Reader { uses, parties, lang };
    let (title, said) = reader.read(document, model)?;
    if said.len() > ROWS_MAX {
        return Err(ImportError::Rows);
    }
    let known: BTreeMap<&str, &Row> =
        uses.iter().filter_map(|row| Some((text_of(row, "control")?, row))).collect();
    let overrules = model == Model::Statement;
    let lines = said
        .into_iter()
        .map(|(number, said)| line(known.get(number.as_str()).copied(), number, said, overrules))
        .collect::<Result<Vec<Line>, ImportError>>()?;
    let findings = check(document, &[]).iter().filter(|f| !f.rule.is_open()).count();
    Ok(Draft { model, title, lines, findings })
}

fn line(
    known: Option<&Row>,
    number: String,
    said: Said,
    overrules: bool,
) -> Result<Line, ImportError> {
    let mut row = match known {
        Some(row) => row.clone(),
        None => Row::new(Table::Rule, model::Id::nil(), "control_use", &said.name),
    };
    let mut changes = Vec::new();
    row.attributes.insert("control".to_owned(), number.as_str().into());
    for (field, after) in said.fields {
        let before = row.attributes.get(field).cloned();
        let is_empty = before.as_ref().is_none_or(|v| v.is_null() || v == "" || v == &json!([]));
        if before.as_ref() == Some(&after) || !(overrules || is_empty) {
            continue;
        }
        row.attributes.insert(field.to_owned(), after.clone());
        changes.push(Change { field, before, after });
    }
    let kind = crate::SPEC.rules.iter().find(|kind| kind.id == "control_use");
    if let Some(fault) = kind.and_then(|kind| kind.validate(&row.attributes).into_iter().next()) {
        return Err(ImportError::Row { pointer: said.pointer, fault });
    }
    Ok(Line { pointer: said.pointer, control: number, changes, notes: said.notes, row })
}

struct Reader<'a> {
    uses: &'a [Row],
    parties: &'a [Row],
    lang: Lang,
}

type All = BTreeMap<String, Said>;

impl Reader<'_> {
    fn say(&self, text: Text) -> String {
        text.get(self.lang).to_owned()
    }

    fn read(&self, document: &Document, model: Model) -> Result<(String, All), ImportError> {
        let mut all = All::new();
        let title = match model {
            Model::Catalog => import::catalog(document).map(|catalog| {
                for control in catalog.controls.iter().filter(|c| c.parent.is_none()) {
                    let number = self.number(&control.id, &control.label);
                    if norms::clauses().iter().all(|n| n.id != control.id) {
                        self.listed(
                            &mut all,
                            number,
                            &control.pointer,
                            &control.title,
                            &catalog.head.title,
                        );
                    }
                }
                catalog.head.title
            }),
            Model::Profile => import::profile(document).map(|profile| {
                for import in &profile.imports {
                    let ids = import.include.iter().filter(|id| !import.exclude.contains(id));
                    for id in ids.filter(|id| norms::clauses().iter().all(|n| n.id != **id)) {
                        self.listed(
                            &mut all,
                            self.number(id, id),
                            &import.pointer,
                            "",
                            &profile.head.title,
                        );
                    }
                }
                profile.head.title
            }),
            Model::ComponentDefinition => {
                import::component_definition(document).map(|components| {
                    for component in &components.components {
                        for requirement in &component.requirements {
                            self.component(&mut all, component, requirement);
                        }
                    }
                    components.head.title
                })
            }
            Model::Statement => import::system_security_plan(document).map(|plan| {
                for requirement in &plan.requirements {
                    self.requirement(&mut all, requirement);
                }
                plan.head.title
            }),
            other => return Err(ImportError::Model(other.name())),
        };
        title.map(|title| (title, all)).ok_or(ImportError::Unknown)
    }

    /// Our number of a control: that of Annex A or of a row of ours where id or label is one.
    fn number(&self, id: &str, label: &str) -> String {
        let bare = |text: &str| {
            text.trim_start_matches(['a', 'A']).trim_start_matches('.').trim().to_owned()
        };
        let known =
            |n: &&norms::Norm| n.id == id || n.number == bare(id) || n.number == bare(label);
        if let Some(norm) = norms::annex_a().iter().find(known) {
            return norm.number.clone();
        }
        let ours = self.uses.iter().filter_map(|row| text_of(row, "control"));
        let ours = ours.into_iter().find(|number| *number == label || control_id(number) == id);
        ours.unwrap_or_else(|| label.strip_prefix("own.").unwrap_or(label)).to_owned()
    }

    fn at<'s>(&self, all: &'s mut All, number: String, pointer: &str, name: &str) -> &'s mut Said {
        let norm = norms::annex_a().iter().find(|n| n.number == number);
        let title = match (norm, name) {
            (Some(norm), _) => norm.title_ja.clone(),
            (None, "") => number.clone(),
            (None, name) => name.to_owned(),
        };
        all.entry(number).or_insert_with(|| Said {
            pointer: pointer.to_owned(),
            name: title,
            ..Said::default()
        })
    }

    /// A control that a catalogue or profile lists: it applies because of that, nothing more is said.
    fn listed(&self, all: &mut All, number: String, pointer: &str, name: &str, source: &str) {
        let said = self.at(all, number, pointer, name);
        said.fields.insert("applies", "yes".into());
        let reason = match self.lang {
            Lang::Ja => format!("「{source}」が求める管理策"),
            Lang::En => format!("asked for by “{source}”"),
        };
        said.fields.insert("reason", short(&reason).into());
    }

    fn component(&self, all: &mut All, component: &import::Component, requirement: &Requirement) {
        if norms::clauses().iter().any(|n| n.id == requirement.control) {
            return;
        }
        let number = self.number(&requirement.control, &requirement.control);
        let said = self.at(all, number, &requirement.pointer, "");
        said.fields.insert("applies", "yes".into());
        let told = [component.title.as_str(), requirement.description.as_str()];
        let told: Vec<&str> = told.into_iter().filter(|text| !text.is_empty()).collect();
        let before = said.fields.get("statement").and_then(Json::as_str).unwrap_or("");
        let text = [before, &told.join(": ")].join("\n\n").trim().to_owned();
        said.fields.insert("statement", short(&text).into());
    }

    fn requirement(&self, all: &mut All, requirement: &Requirement) {
        let prop = |name: &str| {
            requirement.props.iter().find(|p| p.name == name).map(|p| p.value.as_str())
        };
        let status = requirement.status.as_deref();
        let left_out = prop("applicable").map_or(status == Some("not-applicable"), |v| v == "no")
            // Ours, meant to be left out while no signature holds.
            || prop(STATUS) == Some(SoaStatus::ExclusionOpen.name());
        let number = match prop(NUMBER) {
            Some(number) => number.to_owned(),
            None => self.number(&requirement.control, &requirement.control),
        };
        let said = self.at(all, number, &requirement.pointer, "");
        said.fields.insert("applies", if left_out { "no" } else { "yes" }.into());
        let reason = match prop("exclusion-reason") {
            // The property is one line; the remarks keep the lines of the text.
            Some(line)
                if !requirement.remarks.starts_with(line)
                    && !requirement.remarks.contains('\n') =>
            {
                line
            }
            _ => requirement.remarks.as_str(),
        };
        match (reason.trim(), left_out) {
            ("", true) => {
                let text =
                    t("取り込んだ文書に除外の理由の記載なし", "the document gives no reason");
                said.fields.insert("reason", self.say(text).into());
                said.notes
                    .push(self.say(t("除外の理由がありません", "no reason for leaving it out")));
            }
            ("", false) => {}
            (reason, _) => drop(said.fields.insert("reason", short(reason).into())),
        }
        if let Some(text) = statement(requirement) {
            said.fields.insert("statement", short(&text).into());
        }
        // A status of our own was computed, so it is not read back as one that somebody declared.
        if prop(STATUS).is_none()
            && let Some(declared) = status.and_then(declared).filter(|_| !left_out)
        {
            said.fields.insert("declared", declared.into());
        }
        let drivers: Vec<Json> = requirement
            .props
            .iter()
            .filter(|p| p.name == "driver")
            .filter_map(|p| {
                let kind =
                    p.class.as_deref().filter(|c| ["law", "contract", "business"].contains(c))?;
                Some(json!({"type": kind, "source": p.value}))
            })
            .collect();
        if !drivers.is_empty() {
            said.fields.insert("drivers", drivers.into());
        }
        self.owner(said, requirement);
        self.sharing(said, requirement, prop("sharing"));
    }

    fn owner(&self, said: &mut Said, requirement: &Requirement) {
        let Some(name) = requirement.owners.first() else { return };
        match self.party(name) {
            Some(party) => drop(said.fields.insert("responsible", party.id.to_string().into())),
            None => {
                let text = t("台帳にない責任者です", "the register has no such owner");
                said.notes.push(format!("{}: {name}", self.say(text)));
            }
        }
    }

    fn sharing(&self, said: &mut Said, requirement: &Requirement, told: Option<&str>) {
        let part =
            requirement.parts.iter().find(|p| !p.inherited.is_empty() || !p.satisfied.is_empty());
        let provision = match (told, part) {
            (Some(told), _) if ["own", "shared", "inherited"].contains(&told) => told,
            (_, Some(part)) if part.satisfied.is_empty() => "inherited",
            (_, Some(_)) => "shared",
            (_, None) => return,
        };
        if provision == "own" {
            return;
        }
        let name = part.map_or("", |part| part.title.as_str());
        match self.party(name) {
            Some(party) => {
                said.fields.insert("provision", provision.into());
                said.fields.insert("provider", party.id.to_string().into());
            }
            None => {
                let text = t(
                    "台帳にない提供者です。登録してから取り込むと引き継がれます",
                    "the register has no such provider: add it first and its share is taken over",
                );
                said.notes.push(format!("{}: {name}", self.say(text)));
            }
        }
    }

    /// The only party of this name.
    fn party(&self, name: &str) -> Option<&Row> {
        let mut named = self.parties.iter().filter(|row| row.name == name && !name.is_empty());
        let first = named.next()?;
        named.next().is_none().then_some(first)
    }
}

/// How the organisation does it, with the names of components where several say something.
fn statement(requirement: &Requirement) -> Option<String> {
    let own = requirement.parts.iter().filter(|p| p.inherited.is_empty() && p.satisfied.is_empty());
    let told: Vec<&import::Part> = own
        .filter(|p| !p.description.is_empty() && !UNSAID.contains(&p.description.as_str()))
        .collect();
    let several = told.len() > 1;
    let line = |part: &&import::Part| match (several, part.title.as_str()) {
        (true, title) if !title.is_empty() => format!("{title}: {}", part.description),
        _ => part.description.clone(),
    };
    let mut lines: Vec<String> = Vec::new();
    if !requirement.description.is_empty() {
        lines.push(requirement.description.clone());
    }
    lines.extend(told.iter().map(line));
    (!lines.is_empty()).then(|| lines.join("\n\n"))
}

fn declared(status: &str) -> Option<&'static str> {
    match status {
        "implemented" => Some("done"),
        "partial" | "alternative" => Some("partly"),
        "planned" => Some("planned"),
        _ => None,
    }
}

fn short(text: &str) -> String {
    text.trim().chars().take(TEXT_CHARS_MAX).collect()
}

/// Reads a document and drafts from it against what the store holds; nothing is written.
pub async fn read(store: &Store, bytes: &[u8], lang: Lang) -> Result<Draft, ImportError> {
    let document = Document::read_as(Form::of(bytes), bytes, &Limits::default())?;
    let uses = store.all(Table::Rule, &["control_use"]).await?;
    let parties = store.all(Table::Party, &["person", "team", "role", "supplier"]).await?;
    draft(&document, &uses, &parties, lang)
}

/// Keeps the file, which has to be there before anything names it; returns its SHA-256.
pub async fn keep(
    store: &Store,
    name: &str,
    bytes: &[u8],
    actor: &str,
) -> Result<String, ImportError> {
    let mut upload = store.upload().await?;
    upload.write(bytes).await?;
    Ok(store.keep(upload, name, actor).await?.sha256)
}

/// Writes rows and record in one change, bounded as its caller may write.
pub async fn take(
    store: &Store,
    draft: &Draft,
    file: &str,
    mut write: Write<'_>,
) -> Result<(), ImportError> {
    for line in draft.changed() {
        let mut row = line.row.clone();
        if line.is_new() {
            row.id = store.new_id()?;
        }
        write.put(row).await?;
    }
    write.record(record(draft, file, store.now())).await?;
    Ok(write.commit().await?)
}

fn record(draft: &Draft, file: &str, now: model::Timestamp) -> RecordDraft {
    let facts = json!({
        "kind": format!("oscal/{}", draft.model.name()), "file_hash": file, "file": file,
        "rows": draft.lines.len(), "accepted": draft.changed().count(), "refused": 0,
    });
    // The places of the document, so that each row can be traced to where it came from.
    let places: Map<String, Json> =
        draft.lines.iter().map(|l| (l.control.clone(), l.pointer.as_str().into())).collect();
    RecordDraft {
        ty: RECORD.to_owned(),
        subject: None,
        observed_from: now,
        observed_to: now,
        source: "oscal".to_owned(),
        assurance: Assurance::Imported,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: canonical::to_string(&Json::Object(places)).ok().map(String::into_bytes),
    }
}

/// The document of this model that was imported last.
pub(super) async fn earlier(
    store: &Store,
    model: Model,
) -> Result<Option<Document>, super::ExportError> {
    let kind = format!("oscal/{}", model.name());
    let records = store.newest_records(&[RECORD], None, RECENT).await?;
    let of_model = |r: &&Record| r.facts.get("kind").and_then(Json::as_str) == Some(&kind);
    let file =
        records.iter().find(of_model).and_then(|r| r.facts.get("file")).and_then(Json::as_str);
    let Some(file) = file else { return Ok(None) };
    // What was deleted since has no claim to come back.
    let Some(bytes) = store.blob_bytes(file).await? else { return Ok(None) };
    let document = Document::read_as(Form::of(&bytes), &bytes, &Limits::default());
    document.map(Some).map_err(|error| super::ExportError::Earlier(error.to_string()))
}
