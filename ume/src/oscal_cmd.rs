//! `ume oscal`: OSCAL documents as plain files, made from a data folder, and taken into one.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use isms::oscal::Model;
use oscal::{Document, Finding, Form, Limits, ReadError, check};
use serde_json::{Value as Json, json};

use crate::{
    CliError, FAILED, Format, INCOMPLETE, MISMATCH,
    door::Door,
    print,
    registers::At,
    rooms, say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

#[derive(clap::Subcommand)]
pub enum OscalCommand {
    /// Name every place that breaks a rule of OSCAL, as JSON pointer, and what to do about it
    ///
    /// References are looked up in all files given together: give the documents that one imports beside it.
    /// Exit 1 where something is wrong, 3 where references could only be looked up in a document that was
    /// not given.
    Check {
        /// OSCAL documents, JSON or YAML, versions 1.0 to 1.2
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Read each file, write it, read that again, and compare; exit 1 with the place of a difference
    ///
    /// With --to what was written stays, so this also turns JSON into YAML and back.
    Roundtrip {
        /// OSCAL documents, JSON or YAML
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How to write [default: as the file is]
        #[arg(long = "as", value_enum, value_name = "FORM")]
        form: Option<As>,
        /// Folder to write into, under the same name with .json or .yaml; no file in it is replaced
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Write the ISMS of a data folder as an OSCAL document; a server may run beside
    ///
    /// Ids derive from the ledger and stay the same in every export. What the file of the same model
    /// that was imported last says beyond Ume's own model is said again.
    Export {
        #[command(flatten)]
        data: DataFolder,
        /// What to write
        #[arg(long, value_enum)]
        model: ModelArg,
        /// File to write; it must not exist yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// How to write
        #[arg(long = "format", value_enum, value_name = "FORM", default_value = "json")]
        form: As,
        /// Language of the texts [default: that of the locale]
        #[arg(long, value_enum)]
        lang: Option<Tongue>,
        /// Not laid over the file imported last
        #[arg(long)]
        plain: bool,
    },
    /// Draft the use of controls from a catalog, profile, component definition or SSP
    ///
    /// All rows in one change, or none; the file is kept, and later exports of its model are laid over it.
    /// An SSP overrules what the register says (the history keeps it), the others fill what is empty.
    Import {
        #[command(flatten)]
        at: At,
        /// OSCAL document, JSON or YAML
        file: PathBuf,
        /// Show what would change, save nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum ModelArg {
    Catalog,
    Profile,
    ComponentDefinition,
    Ssp,
    AssessmentPlan,
    AssessmentResults,
    Poam,
}

impl From<ModelArg> for Model {
    fn from(arg: ModelArg) -> Model {
        match arg {
            ModelArg::Catalog => Model::Catalog,
            ModelArg::Profile => Model::Profile,
            ModelArg::ComponentDefinition => Model::ComponentDefinition,
            ModelArg::Ssp => Model::Statement,
            ModelArg::AssessmentPlan => Model::AssessmentPlan,
            ModelArg::AssessmentResults => Model::AssessmentResults,
            ModelArg::Poam => Model::PlanOfAction,
        }
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Tongue {
    Ja,
    En,
}

impl From<Tongue> for model::Lang {
    fn from(tongue: Tongue) -> model::Lang {
        match tongue {
            Tongue::Ja => model::Lang::Ja,
            Tongue::En => model::Lang::En,
        }
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum As {
    Json,
    Yaml,
}

pub async fn run(command: OscalCommand) -> Result<ExitCode, CliError> {
    match command {
        OscalCommand::Check { files, shown } => checked(&files, shown.format),
        OscalCommand::Roundtrip { files, form, to, shown } => {
            roundtrip(&files, form, to.as_deref(), shown.format)
        }
        OscalCommand::Export { data, model, to, form, lang, plain } => {
            let lang = lang.map_or_else(crate::lang, model::Lang::from);
            export(&data, model.into(), &to, form, lang, plain).await
        }
        OscalCommand::Import { at, file, dry_run, shown } => {
            import(at, &file, dry_run, shown.format).await
        }
    }
}

async fn export(
    data: &DataFolder,
    model: Model,
    to: &Path,
    form: As,
    lang: model::Lang,
    plain: bool,
) -> Result<ExitCode, CliError> {
    let store = Settings::load(data)?.place.open_read_only().await?;
    let board = isms::compute(&store, &rooms::ROOMS).await?;
    let document = isms::oscal::export_over(&store, &board, model, lang, plain).await;
    store.db().close().await;
    let form = if matches!(form, As::Json) { Form::Json } else { Form::Yaml };
    write_new(to, document?.write(form).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn import(at: At, file: &Path, dry_run: bool, format: Format) -> Result<ExitCode, CliError> {
    let bytes = bytes_of(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let door = if dry_run { Door::reading(at).await? } else { Door::writing(at).await? };
    let done = door.oscal(&name, bytes, dry_run).await?;
    let rows = changes(&done);
    let columns = ["control", "field", "before", "after"].map(str::to_owned);
    match format {
        Format::Json => print(&shown::one(format, &done)),
        Format::Csv => print(&shown::rows(format, &columns, &rows)),
        Format::Table => {
            let count = |name: &str| done[name].as_u64().unwrap_or(0);
            let (all, added, changed) = (count("controls"), count("added"), count("changed"));
            let saved =
                if dry_run { say("未保存", "not saved") } else { say("保存済み", "saved") };
            let ja = format!("管理策{all}件: 追加{added}件、変更{changed}件（{saved}）");
            let en = format!("{all} controls: {added} added, {changed} changed ({saved})");
            print(&shown::rows(format, &columns, &rows));
            print(&format!("{}\n", say(&ja, &en)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A row for each field that changes, and one for each note.
fn changes(done: &Json) -> Vec<Json> {
    let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
    let lines = list(&done["lines"]);
    let rows = lines.iter().flat_map(|line| {
        let control = line["control"].clone();
        let change = |c: &Json| {
            json!({"control": control, "field": c["field"], "before": c["before"], "after": c["after"]})
        };
        let note = |n: &Json| json!({"control": control, "field": "!", "before": "", "after": n});
        let changes: Vec<Json> = list(&line["changes"]).iter().map(change).collect();
        let notes: Vec<Json> = list(&line["notes"]).iter().map(note).collect();
        changes.into_iter().chain(notes)
    });
    rows.collect()
}

/// A document, or why the file is none.
fn read(path: &Path) -> Result<(Form, Result<Document, ReadError>), CliError> {
    let bytes = bytes_of(path)?;
    let form = Form::of(&bytes);
    Ok((form, Document::read_as(form, &bytes, &Limits::default())))
}

/// One byte more than the limit at most, so that the engine sees that it is passed.
fn bytes_of(path: &Path) -> Result<Vec<u8>, CliError> {
    let io = |source| CliError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(Limits::default().bytes as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

fn row(file: &Path, pointer: &str, rule: &str, ja: &str, en: &str) -> Json {
    json!({"file": file.to_string_lossy(), "pointer": pointer, "rule": rule, "what": say(ja, en)})
}

/// A file that cannot be read, as a row like the others.
fn unreadable(file: &Path, error: &ReadError) -> Json {
    let (line, column) = (error.line, error.column);
    let ja = format!("{}行{}桁: {}", line, column, error.fault.ja());
    let en = format!("line {line}, column {column}: {}", error.fault);
    row(file, &error.pointer, "unreadable", &ja, &en)
}

fn checked(files: &[PathBuf], format: Format) -> Result<ExitCode, CliError> {
    let (mut rows, mut documents) = (Vec::new(), Vec::new());
    for file in files {
        match read(file)?.1 {
            Ok(document) => documents.push((file, document)),
            Err(error) => rows.push(unreadable(file, &error)),
        }
    }
    let mut code = if rows.is_empty() { 0 } else { FAILED };
    for (at, (file, document)) in documents.iter().enumerate() {
        let others = documents.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Vec<&Document> = others.map(|(_, (_, document))| document).collect();
        let findings = check(document, &others);
        code = worse(code, &findings);
        rows.extend(findings.iter().map(|finding| {
            let rule = &finding.rule;
            row(file, &finding.pointer, rule.name(), &rule.ja(), &rule.en())
        }));
    }
    let columns = ["file", "pointer", "rule", "what"].map(str::to_owned);
    match (rows.is_empty(), format) {
        (true, Format::Table) => {
            let count = files.len();
            let ja = format!("{count}件の文書に誤りは見つかりませんでした");
            print(&format!("{}\n", say(&ja, &format!("nothing wrong found in {count} documents"))));
        }
        (false, Format::Table) => print(&lines(&rows)),
        _ => print(&shown::rows(format, &columns, &rows)),
    }
    Ok(ExitCode::from(code))
}

/// One line a finding, whole: a pointer that is cut leads nowhere.
fn lines(rows: &[Json]) -> String {
    let line = |row: &Json| {
        let part = |name: &str| shown::text(&row[name]);
        format!("{}#{}: {}\n", part("file"), part("pointer"), part("what"))
    };
    rows.iter().map(line).collect()
}

/// The exit code after more findings: unreadable before wrong, wrong before not looked up.
fn worse(code: u8, findings: &[Finding]) -> u8 {
    let wrong = findings.iter().any(|finding| !finding.rule.is_open());
    match code {
        FAILED => FAILED,
        MISMATCH => MISMATCH,
        _ if wrong => MISMATCH,
        _ if !findings.is_empty() => INCOMPLETE,
        code => code,
    }
}

fn roundtrip(
    files: &[PathBuf],
    form: Option<As>,
    to: Option<&Path>,
    format: Format,
) -> Result<ExitCode, CliError> {
    let (mut rows, mut code) = (Vec::new(), 0);
    for file in files {
        let (own, document) = read(file)?;
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                code = FAILED;
                rows.push(unreadable(file, &error));
                continue;
            }
        };
        let form = match form {
            Some(As::Json) => Form::Json,
            Some(As::Yaml) => Form::Yaml,
            None => own,
        };
        let text = document.write(form);
        if let Some(to) = to {
            write_new(&to.join(name(file, form)), text.as_bytes())?;
        }
        let again = Document::read_as(form, text.as_bytes(), &Limits::default());
        let row = match again.map(|again| document.difference(&again)) {
            Ok(None) => row(file, "", "equal", "書き戻しても同じです", "comes back equal"),
            Ok(Some(pointer)) => {
                row(file, &pointer, "differs", "書き戻すと変わります", "comes back changed")
            }
            Err(error) => unreadable(file, &error),
        };
        if row["rule"] != "equal" && code == 0 {
            code = MISMATCH;
        }
        rows.push(row);
    }
    let columns = ["file", "pointer", "rule", "what"].map(str::to_owned);
    print(&match format {
        Format::Table => lines(&rows),
        format => shown::rows(format, &columns, &rows),
    });
    Ok(ExitCode::from(code))
}

fn name(file: &Path, form: Form) -> PathBuf {
    let extension = if form == Form::Json { "json" } else { "yaml" };
    Path::new(file.file_name().unwrap_or_default()).with_extension(extension)
}

/// Writes a file that must not be there yet.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    use std::io::Write;
    let io = |source| CliError::Io { path: path.to_owned(), source };
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())).map_err(io)
}
