//! `ume asset|party|rule|norm|task|decision|record …`: registers from the command line.
//!
//! Reads look into the data folder, beside a running server or without one. Writes take the folder;
//! where a server holds it they go through it ([`crate::door`]).

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use model::Table;
use serde_json::{Map, Value as Json, json};
use web::api::{collection, desk::Page, records::record_json};

use crate::{
    CliError, Format,
    door::Door,
    print,
    progress::Bar,
    settings::DataFolder,
    shown::{self, Shown},
};

const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// Where the registers are.
#[derive(clap::Args)]
pub struct At {
    #[command(flatten)]
    pub data: DataFolder,
    /// Work through the API of this server instead
    #[arg(long, value_name = "URL", requires = "token_file")]
    pub server: Option<String>,
    /// File whose first line is the token for the server (made by `ume token add`)
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Filter {
    /// Only this kind (of a record: its type)
    #[arg(long)]
    kind: Option<String>,
    /// Only rows with these words
    #[arg(long, value_name = "WORDS")]
    q: Option<String>,
    /// Only what is about the row with this id
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only this status
    #[arg(long)]
    status: Option<String>,
    /// As it stood at this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

/// What a new row or a change says.
#[derive(clap::Args)]
pub struct Content {
    /// Name of the row
    #[arg(long)]
    name: Option<String>,
    /// A field: NAME=TEXT, or NAME:=JSON for numbers, lists, true and false; repeat it
    #[arg(long = "set", value_name = "FIELD")]
    fields: Vec<String>,
    /// The whole content as JSON, from a file or - for standard input
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Why, for the history
    #[arg(long)]
    reason: Option<String>,
}

#[derive(clap::Subcommand)]
pub enum RegisterCommand {
    /// List rows
    List {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        filter: Filter,
        /// Most rows to show
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Show one row
    Show {
        #[command(flatten)]
        at: At,
        id: String,
        /// As it stood at this time (RFC 3339)
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Add a row; prints its id
    Add {
        #[command(flatten)]
        at: At,
        /// Kind of the row (of a record: its type)
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        content: Content,
        #[command(flatten)]
        shown: Shown,
    },
    /// Change a row
    Edit {
        #[command(flatten)]
        at: At,
        id: String,
        #[command(flatten)]
        content: Content,
        /// The version you saw; without it, the newest
        #[arg(long)]
        version: Option<i64>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show every version of a row
    History {
        #[command(flatten)]
        at: At,
        id: String,
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Write all rows of a kind, in a form that import reads back
    Export {
        #[command(flatten)]
        at: At,
        /// Kind of the rows (of a record: its type)
        #[arg(long)]
        kind: String,
        /// File to write; standard output without it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[arg(long, value_enum, default_value = "csv")]
        format: Format,
    },
    /// Take a CSV or xlsx table, all rows or none
    Import {
        #[command(flatten)]
        at: At,
        /// Kind of the rows
        #[arg(long)]
        kind: String,
        file: PathBuf,
        /// Judge only, save nothing
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(table: Table, command: RegisterCommand) -> Result<ExitCode, CliError> {
    use RegisterCommand::{Add, Edit, Export, History, Import, List, Show};
    match command {
        List { at, filter, limit, format } => list(table, at, filter, limit, format).await?,
        Show { at, id, as_of, format } => {
            let row = Door::reading(at).await?.row(table, &id, as_of.as_deref()).await?;
            print(&shown::one(format, &row));
        }
        Add { at, kind, content, shown } => {
            let kind_member = if table == Table::Record { "type" } else { "kind" };
            let mut body = body(table, content)?;
            if let Some(kind) = kind {
                body.insert(kind_member.to_owned(), kind.into());
            }
            let row = Door::writing(at).await?.create(table, body).await?;
            print(&shown::done(shown.format, &shown::text(&row["id"]), &row));
        }
        Edit { at, id, content, version, shown } => {
            refuse_records(
                table,
                "記録は変更できません。新しい記録を追加してください",
                "a record is never edited: a record is immutable. Add a new one",
            )?;
            let body = body(table, content)?;
            let row = Door::writing(at).await?.change(table, &id, version, body).await?;
            let said = format!("{} version {}", shown::text(&row["id"]), row["version"]);
            print(&shown::done(shown.format, &said, &row));
        }
        History { at, id, format } => {
            refuse_records(
                table,
                "記録は変更されないため、履歴はありません。showを使ってください",
                "a record is never changed, so it has no history. Use show",
            )?;
            let versions = Door::reading(at).await?.history(table, &id).await?;
            let columns = ["version", "updated_at", "updated_by", "reason", "name", "deleted"];
            print(&shown::rows(format, &columns.map(str::to_owned), &versions));
        }
        Export { at, kind, out, format } => {
            export(table, at, &kind, out.as_deref(), format).await?
        }
        Import { at, kind, file, check, shown } => {
            refuse_records(
                table,
                "記録は表として取り込めません。addを使ってください",
                "a record is never imported as a table. Use add",
            )?;
            let bytes = read_file(&file)?;
            let bar = Bar::open("取り込んでいます", "importing");
            let done = Door::writing(at).await?.import(table, &kind, bytes, check).await?;
            drop(bar);
            print(&shown::one(shown.format, &done));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A fault of the command line in the reader's language.
fn usage(ja: &str, en: &str) -> CliError {
    CliError::Usage(crate::say(ja, en))
}

fn refuse_records(table: Table, ja: &str, en: &str) -> Result<(), CliError> {
    if table == Table::Record {
        return Err(usage(ja, en));
    }
    Ok(())
}

fn columns(table: Table) -> Vec<String> {
    let names: &[&str] = if table == Table::Record {
        &["id", "type", "observed_to", "assurance", "source", "leaf_index"]
    } else {
        &["id", "kind", "name", "status", "version", "updated_at"]
    };
    names.iter().map(|n| (*n).to_owned()).collect()
}

async fn list(
    table: Table,
    at: At,
    filter: Filter,
    limit: usize,
    format: Format,
) -> Result<(), CliError> {
    let door = Door::reading(at).await?;
    let rows = door.list(table, query(filter)?, limit).await?;
    print(&shown::rows(format, &columns(table), &rows));
    Ok(())
}

fn query(filter: Filter) -> Result<Page, CliError> {
    let subject = match filter.subject {
        None => None,
        Some(id) => Some(id.parse().map_err(|_| {
            usage(
                &format!("--subject: {id:?}は番号（ID）ではありません"),
                &format!("--subject: {id:?} is no id"),
            )
        })?),
    };
    Ok(Page {
        after: None,
        limit: None,
        kind: filter.kind,
        q: filter.q,
        subject,
        status: filter.status,
        as_of: filter.as_of.as_deref().map(time).transpose()?,
    })
}

/// A time of the command line.
pub fn time(text: &str) -> Result<model::Timestamp, CliError> {
    model::Timestamp::parse(text).ok_or_else(|| {
        usage(
            &format!("--as-of: {text:?}は日時ではありません。例: 2026-11-25T09:00:00+09:00"),
            &format!("--as-of: {text:?} is no time such as 2026-11-25T09:00:00+09:00"),
        )
    })
}

async fn export(
    table: Table,
    at: At,
    kind: &str,
    out: Option<&Path>,
    format: Format,
) -> Result<(), CliError> {
    let door = Door::reading(at).await?;
    let page = Page { kind: Some(kind.to_owned()), ..Page::default() };
    let rows = door.list(table, page, usize::MAX).await?;
    let text = match format {
        Format::Json | Format::Table => shown::rows(format, &columns(table), &rows),
        Format::Csv => {
            // The header loses the prefix, so that an import finds the fields by their names.
            let text = shown::rows(format, &exported(table, kind)?, &rows);
            let (header, lines) = text.split_once("\r\n").unwrap_or((&text, ""));
            format!("{}\r\n{lines}", header.replace("attributes.", ""))
        }
    };
    let Some(path) = out else {
        print(&text);
        return Ok(());
    };
    let written = std::fs::File::create(path).and_then(|mut f| f.write_all(text.as_bytes()));
    written.map_err(|source| CliError::Io { path: path.to_owned(), source })?;
    eprintln!("{} rows of {kind} in {}", rows.len(), path.display());
    Ok(())
}

/// Every column of a kind, under names that an import knows.
fn exported(table: Table, kind: &str) -> Result<Vec<String>, CliError> {
    let specs = crate::rooms::ROOMS.iter().copied().chain([&isms::SPEC]);
    let unknown = || {
        usage(
            &format!("{}に{kind:?}という種類はありません", collection(table)),
            &format!("{} has no kind {kind:?}", collection(table)),
        )
    };
    if table == Table::Record {
        let mut records = specs.flat_map(|room| room.records);
        let spec = records.find(|r| r.ty == kind).ok_or_else(unknown)?;
        let facts = spec.fields.iter().map(|f| format!("facts.{}", f.name));
        return Ok(columns(table).into_iter().chain(facts).collect());
    }
    let mut kinds = specs.flat_map(web::kinds_of);
    let spec = kinds.find(|k| k.table == table && k.id == kind).ok_or_else(unknown)?;
    let fields = spec.fields.iter().map(|f| format!("attributes.{}", f.name));
    Ok(["id", "version", "name"].map(str::to_owned).into_iter().chain(fields).collect())
}

/// A file, or standard input for `-`, within the limit.
pub fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    let fail = |source| CliError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(fail)?)
    };
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let path = path.display();
        return Err(usage(
            &format!("{path}: {FILE_BYTES_MAX}バイトを超えています"),
            &format!("{path}: larger than {FILE_BYTES_MAX} bytes"),
        ));
    }
    Ok(bytes)
}

/// The body that the API would take.
fn body(table: Table, content: Content) -> Result<Map<String, Json>, CliError> {
    let mut body = match &content.json {
        None => Map::new(),
        Some(path) => match serde_json::from_slice(&read_file(path)?) {
            Ok(Json::Object(object)) => object,
            Ok(_) => {
                return Err(usage(
                    "--json: JSONオブジェクトではありません",
                    "--json: not a JSON object",
                ));
            }
            Err(error) => return Err(CliError::Usage(format!("--json: {error}"))),
        },
    };
    if let Some(name) = content.name {
        body.insert("name".to_owned(), name.into());
    }
    if let Some(reason) = content.reason {
        body.insert("reason".to_owned(), reason.into());
    }
    let own: &[&str] = if table == Table::Record {
        &["subject", "observed_from", "observed_to", "source"]
    } else {
        &["owner", "status", "subject", "object", "starts_at", "ends_at"]
    };
    let inner = if table == Table::Record { "facts" } else { "attributes" };
    for field in &content.fields {
        let (name, value) = assignment(field)?;
        if own.contains(&name) {
            body.insert(name.to_owned(), value);
            continue;
        }
        let inner = body.entry(inner).or_insert_with(|| json!({}));
        let Some(object) = inner.as_object_mut() else {
            return Err(usage(
                "--json: attributesがオブジェクトではありません",
                "--json: attributes is not an object",
            ));
        };
        object.insert(name.to_owned(), value);
    }
    Ok(body)
}

/// `name=text` or `name:=json`.
fn assignment(text: &str) -> Result<(&str, Json), CliError> {
    let wrong = || {
        usage(
            &format!("--set {text:?}: 名前=文字列 または 名前:=JSON と書いてください"),
            &format!("--set {text:?}: write NAME=TEXT or NAME:=JSON"),
        )
    };
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    match name.strip_suffix(':') {
        Some(name) => serde_json::from_str(value)
            .map(|value| (name, value))
            .map_err(|error| CliError::Usage(format!("--set {text:?}: {error}"))),
        None if name.is_empty() => Err(wrong()),
        None => Ok((name, value.into())),
    }
}

/// A record as the list shows it.
pub fn record(record: &store::Record) -> Json {
    record_json(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_text_unless_it_says_json() {
        assert_eq!(assignment("os=Debian=12").unwrap(), ("os", json!("Debian=12")));
        assert_eq!(assignment("cpu:=64").unwrap(), ("cpu", json!(64)));
        assert_eq!(assignment("cpu:=").map(drop).is_err(), assignment("=x").map(drop).is_err());
        assert!(assignment("cpu:=many").is_err() && assignment("cpu").is_err());
    }
}
