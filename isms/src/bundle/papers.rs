//! The Statement of Applicability as a bundle carries it: for people (PDF, workbook, CSV) and for programs
//! (JSON with the leaves each row rests on, OSCAL), all of the same moment and out of the same rows.
//!
//! Invariant: without payloads no person's name is in any of them; whoever answers for something is named
//! by the id, as in the leaves.

use std::{collections::BTreeMap, sync::Arc};

use merkle::SignedNote;
use model::{Lang, canonical};
use serde_json::{Value as Json, json};
use store::{RecordFilter, Store};

use super::{
    BundleError,
    make::{Files, Wish},
    manifest::{Statement, What},
};
use crate::{
    Board,
    hall::{
        Hall, SNAPSHOT,
        paper::{Checkpoint, Head},
    },
    oscal::{self, Model, Source},
    past,
};

/// The OSCAL documents of a bundle: the statement, and those it refers to.
const OSCAL: [Model; 3] = [Model::Catalog, Model::Profile, Model::Statement];

/// Adds the statement of the time asked for, and the edition that was recorded last by then.
pub(super) async fn add(
    store: &Store,
    files: &mut Files,
    board: &Board,
    wish: &Wish,
    note: &SignedNote,
    pointed: &BTreeMap<String, Vec<u64>>,
) -> Result<Statement, BundleError> {
    let mut then = match wish.as_of {
        None => board.clone(),
        Some(as_of) => {
            let rooms: Vec<_> = board.controls.iter().map(|control| control.spec).collect();
            past::compute_as_of(store, &rooms, as_of).await?
        }
    };
    let checkpoint = Checkpoint::parse(&note.to_string());
    let origin = checkpoint.as_ref().map_or(String::new(), |c| c.origin.clone());
    let mut head = Head::load(store, &then.view, checkpoint).await?;
    // The same contents give the same bytes, whenever they are asked for.
    head.made_at = board.at;
    let mut source = Source::of(store, &then, &origin).await?;
    let hall = Arc::make_mut(&mut then.view);
    hall.soa.retain(|row| wish.scope.has(&row.control));
    if !wish.payloads {
        hall.forget_names();
        head.forget_names();
        source.forget_names();
    }
    let mut document = then.view.soa_json();
    point(&mut document, pointed);
    files.add(What::Soa, "soa/soa.json", canonical::to_string(&document)?.into_bytes())?;
    add_edition(store, files, wish).await?;
    for (lang, tag) in [(Lang::Ja, "ja"), (Lang::En, "en")] {
        add_papers(files, &then.view, &head, lang, tag).await?;
    }
    for model in OSCAL {
        let made = oscal::export(&then, &source, model, Lang::Ja).map_err(broken)?;
        files.add(
            What::Soa,
            &format!("soa/{}.json", model.name()),
            made.write(::oscal::Form::Json).into_bytes(),
        )?;
    }
    Ok(Statement { basis: "computed".to_owned(), hash: then.view.soa_hash.clone() })
}

async fn add_papers(
    files: &mut Files,
    hall: &Hall,
    head: &Head,
    lang: Lang,
    tag: &str,
) -> Result<(), BundleError> {
    let paper = hall.soa_paper(head, lang);
    // Some hundred milliseconds, so not where others wait.
    let paper = tokio::task::spawn_blocking(move || reports::pdf::write_pdf(&paper)).await;
    let paper = paper.map_err(broken)?.map_err(broken)?;
    files.add(What::Soa, &format!("soa/soa.{tag}.pdf"), paper)?;
    let (columns, rows) = hall.soa_table(lang);
    let sheet = model::t("適用宣言書", "Applicability").get(lang);
    let book = reports::write_book(sheet, &hall.soa_titles(head, lang), &columns, &rows);
    files.add(What::Soa, &format!("soa/soa.{tag}.xlsx"), book.map_err(broken)?)?;
    let csv: String = std::iter::once(&columns).chain(&rows).map(|line| csv_line(line)).collect();
    // With a mark, or Excel reads Japanese as another encoding.
    files.add(What::Soa, &format!("soa/soa.{tag}.csv"), format!("\u{feff}{csv}").into_bytes())
}

/// The newest edition recorded by then, if there is one that can still be read: what was stated, beside
/// what follows from the records.
async fn add_edition(store: &Store, files: &mut Files, wish: &Wish) -> Result<(), BundleError> {
    let filter = RecordFilter {
        ty: Some(SNAPSHOT.to_owned()),
        as_of: wish.as_of,
        limit: 1,
        ..RecordFilter::default()
    };
    let found = store.list_records(&filter).await?;
    let Some(record) = found.first() else { return Ok(()) };
    let Some(payload) = store.payload(record.id).await? else { return Ok(()) };
    let rows: Json = serde_json::from_slice(&payload)
        .map_err(|error| BundleError::Broken(format!("edition {}: {error}", record.id)))?;
    let in_scope = |row: &&Json| row["control"].as_str().is_some_and(|c| wish.scope.has(c));
    let rows: Vec<&Json> = rows.as_array().into_iter().flatten().filter(in_scope).collect();
    let document = json!({
        "record": record.id, "at": record.observed_to.rfc3339(),
        "soa_hash": record.facts.get("soa_hash"), "approved": record.facts.get("approved"),
        "rows": rows,
    });
    files.add(What::Soa, "soa/edition.json", canonical::to_string(&document)?.into_bytes())
}

fn point(document: &mut Json, pointed: &BTreeMap<String, Vec<u64>>) {
    for row in document["rows"].as_array_mut().into_iter().flatten() {
        let control = row["control"].as_str().unwrap_or_default();
        row["leaves"] = json!(pointed.get(control).map_or(&[][..], Vec::as_slice));
    }
}

fn csv_line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| reports::csv_cell(cell)).collect();
    format!("{}\r\n", cells.join(","))
}

fn broken(error: impl std::fmt::Display) -> BundleError {
    BundleError::Broken(error.to_string())
}
