//! Import of one register from CSV or xlsx: the table of the file that fits its kind, judged cell by
//! cell, taken all or nothing. Whole workbooks go through [`crate::book`], whose steps this uses.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Multipart, Path, State};
use model::{KindSpec, RoomSpec, Table, t};
use sha2::{Digest, Sha256};

use crate::{
    Shared,
    access::Action,
    book::{self, Asking, Books, Clash, File, Mapping, Plan, Target},
    frame::{Answer, Cx, Refusal, User, page},
    registers,
    route::{Access, Route},
};

const PROBLEMS_SHOWN_MAX: usize = 200;

pub(crate) fn routes() -> Vec<Route> {
    let (path, write) = ("/register/{table}/{kind}/import", Access::Action(Action::Write));
    vec![
        Route::get(path, write, t("取込みの画面", "Form to import"), form),
        Route::post(path, write, t("取込み", "Import"), import)
            .body_max(reports::FILE_BYTES_MAX + 64 * 1024),
    ]
}

/// One cell or row that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Address as a spreadsheet shows it.
    pub cell: String,
    pub what: String,
}

/// What an import would do, or did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub added: usize,
    pub changed: usize,
    pub same: usize,
    pub problems: Vec<Problem>,
    /// Cells taken with something left out or converted.
    pub warnings: Vec<Problem>,
    /// Headers that belong to no field.
    pub ignored: Vec<String>,
}

/// Why a table takes no import; `None` if it does.
pub fn closed(table: Table) -> Option<model::Text> {
    match table {
        Table::Decision => Some(t(
            "決定は取り込めません。署名が必要なため、画面で決定してください。",
            "Decisions cannot be imported: they need a signature, given on the pages.",
        )),
        Table::Link => Some(t(
            "関連は取り込めません。両端の行が必要なため、行の画面かAPIで追加してください。",
            "Links cannot be imported: they need both rows. Add them on a row's page or by the API.",
        )),
        _ => None,
    }
}

/// Refuses who may not write the kind, and tables that take no import.
fn open(user: &User, kind: &KindSpec) -> Result<(), Refusal> {
    if !user.reader().may(Action::Write, kind) {
        return Err(Refusal::Forbidden);
    }
    closed(kind.table).map_or(Ok(()), |why| Err(Refusal::Bad(why.get(user.cx.lang).to_owned())))
}

/// One register out of a file: its first table that fits the kind.
pub struct One {
    pub books: Arc<Books>,
    pub mapping: Mapping,
}

/// Finds the table of a file that fits the kind; `None` if no header does.
pub fn one(kind: &'static KindSpec, file: File, lang: model::Lang) -> Option<One> {
    let targets = [Target::of(kind)];
    let files = vec![file];
    let fits = |found: &book::Found| {
        let mapping = &found.guess.mapping;
        mapping.name.is_some() && mapping.columns.iter().any(|field| !field.is_empty())
    };
    let mut found = book::find(&files, &targets, lang).into_iter().map(|mut found| {
        if let Some(guess) = book::chosen(&found, &targets, &targets[0].key(), lang) {
            found.guess = guess;
        }
        found
    });
    let found = found.find(fits)?;
    let mapping = found.guess.mapping.clone();
    Some(One { books: Arc::new(Books { files, found: vec![found] }), mapping })
}

/// What a plan comes to for one register.
pub fn outcome(one: &One, plan: &Plan) -> Outcome {
    let table = &one.books.found[0].table;
    let mut outcome = Outcome {
        added: plan.sum(|t| t.added),
        changed: plan.sum(|t| t.changed),
        same: plan.sum(|t| t.same),
        ..Outcome::default()
    };
    let said = plan.tables.iter().flat_map(|t| &t.lines).flat_map(|line| &line.says);
    let problem = |says: &book::Says| Problem { cell: says.cell.clone(), what: says.what.clone() };
    outcome.problems = said.clone().filter(|says| says.bad).map(problem).collect();
    outcome.warnings = said.filter(|says| !says.bad).map(problem).collect();
    if let Some(fault) = &plan.fault {
        outcome.problems.push(Problem { cell: String::new(), what: fault.clone() });
    }
    let unused = |at: &usize| one.mapping.columns[*at].is_empty() && one.mapping.name != Some(*at);
    outcome.ignored =
        (0..table.columns.len()).filter(unused).map(|at| table.columns[at].text()).collect();
    outcome
}

/// What is said where no table of a file fits.
pub fn no_header(lang: model::Lang) -> Problem {
    let what = t(
        "見出し行が見つかりません。「名称」の列と、台帳の項目の列が必要です。",
        "No header row was found. A column headed \"name\" and one of a field are needed.",
    );
    Problem { cell: "A1".to_owned(), what: what.get(lang).to_owned() }
}

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage<'a> {
    cx: &'a Cx,
    table: Table,
    kind: &'static KindSpec,
    outcome: Option<Outcome>,
    problems: Vec<Problem>,
    done: bool,
}

async fn form(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
) -> Answer {
    user.may(Action::Write)?;
    let table = registers::table(&name)?;
    let kind = registers::kind(&house, table, &kind_id)?;
    open(&user, kind)?;
    show(&user, table, kind, None, false)
}

fn show(
    user: &User,
    table: Table,
    kind: &'static KindSpec,
    outcome: Option<Outcome>,
    done: bool,
) -> Answer {
    let problems = outcome
        .as_ref()
        .map_or_else(Vec::new, |o| o.problems.iter().take(PROBLEMS_SHOWN_MAX).cloned().collect());
    let body = ImportPage { cx: &user.cx, table, kind, outcome, problems, done };
    page(&user.cx, user.cx.t("取込み", "Import"), &body)
}

async fn import(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    mut upload: Multipart,
) -> Answer {
    let (mut csrf, mut check_only, mut file) = (String::new(), false, Vec::new());
    let mut file_name = String::new();
    let bad = |e: axum::extract::multipart::MultipartError| Refusal::Bad(e.body_text());
    while let Some(part) = upload.next_field().await.map_err(bad)? {
        match part.name() {
            Some("csrf") => csrf = part.text().await.map_err(bad)?,
            Some("check") => check_only = part.text().await.map_err(bad)? == "1",
            Some("file") => {
                part.file_name().unwrap_or_default().clone_into(&mut file_name);
                file = part.bytes().await.map_err(bad)?.to_vec();
            }
            _ => {}
        }
    }
    user.form(&csrf, Action::Write)?;
    let table = registers::table(&name)?;
    let kind = registers::kind(&house, table, &kind_id)?;
    open(&user, kind)?;
    let lang = user.cx.lang;
    let sha256 = hex::encode(Sha256::digest(&file));
    let read = tokio::task::spawn_blocking(move || {
        File::read(&file_name, &sha256, &file).map(|file| one(kind, file, lang))
    });
    let one = match read.await {
        Ok(Ok(one)) => one,
        Ok(Err(error)) => return Err(Refusal::Bad(error.text(lang))),
        Err(error) => return Err(Refusal::Bad(error.to_string())),
    };
    let Some(one) = one else {
        let outcome = Outcome { problems: vec![no_header(lang)], ..Outcome::default() };
        return show(&user, table, kind, Some(outcome), false);
    };
    let specs: Vec<&'static RoomSpec> = house.specs().collect();
    let asking = Asking {
        store: &house.store,
        specs: &specs,
        reader: user.reader(),
        lang,
        zone: user.cx.local.zone.clone(),
        clash: Clash::Refuse,
    };
    let choices = vec![one.mapping.clone()];
    let plan = book::plan(&asking, one.books.clone(), choices.clone()).await?;
    let outcome = outcome(&one, &plan);
    if check_only || !outcome.problems.is_empty() {
        return show(&user, table, kind, Some(outcome), false);
    }
    let write = user.write(&house, "import").await?;
    book::commit::commit(write, plan, &one.books, &choices, false).await?;
    house.wake();
    show(&user, table, kind, Some(outcome), true)
}
