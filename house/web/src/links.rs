//! Links between rows: both ways on a row's page, the form that adds one, and names in place of ids.
//!
//! Invariants: a link made here begins at the row of the page and ends at a live row; two live links
//! of one kind never join the same two rows. A link's name never repeats the name of a person, which
//! is personal and must stay shreddable.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use model::{FieldType, Id, KindSpec, Table, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

use crate::{
    House, Shared, Titles,
    access::{Action, Reader},
    frame::{Answer, Cx, Refusal, User, page},
    registers,
    route::{Access, Route},
};

/// Links shown each way.
const SHOWN_MAX: usize = 50;
const CHOICES_MAX: usize = 20;
const NOTE_CHARS_MAX: usize = 1_000;
const NAME_CHARS_MAX: usize = 300;
/// Where the far end of a link may stand, the most likely first.
const TABLES: [Table; 9] = [
    Table::Asset,
    Table::Party,
    Table::Risk,
    Table::Norm,
    Table::Rule,
    Table::Plan,
    Table::Task,
    Table::Decision,
    Table::Check,
];

pub(crate) fn routes() -> Vec<Route> {
    let write = Access::Action(Action::Write);
    vec![Route::post("/row/{table}/{id}/link", write, t("関連の追加", "Add a link"), add)]
}

/// Live rows behind ids, to show names in place of ids, and whether the reader sees them.
#[derive(Default)]
pub(crate) struct Names(HashMap<Id, (bool, Row)>);

impl Names {
    /// Looks the ids up: one statement a table, and none once all are found.
    pub(crate) async fn load(
        store: &Store,
        reader: &Reader,
        mut ids: Vec<Id>,
    ) -> Result<Names, StoreError> {
        let mut found = HashMap::new();
        ids.sort_unstable();
        ids.dedup();
        for table in TABLES {
            ids.retain(|id| !found.contains_key(id));
            if ids.is_empty() {
                break;
            }
            let rows = store.rows_by_id(table, &ids).await?;
            let there: Vec<Id> = rows.iter().map(|row| row.id).collect();
            let seen = store.reached(table, &there, &reader.sees_of(table)).await?;
            // Of what is closed to the reader not even the name is told.
            let open = store.reached(table, &there, &reader.open()).await?;
            let rows = rows.into_iter().filter(|row| open.contains(&row.id));
            found.extend(rows.map(|row| (row.id, (seen.contains(&row.id), row))));
        }
        Ok(Names(found))
    }

    /// The rows that the reader sees.
    fn seen(self) -> impl Iterator<Item = Row> {
        self.0.into_values().filter(|(seen, _)| *seen).map(|(_, row)| row)
    }

    /// Takes in what another look found.
    pub(crate) fn add(&mut self, other: Names) {
        self.0.extend(other.0);
    }

    /// Name and address of a row; the bare id of one that is gone. One that the reader does not see
    /// has its name, which belongs to the row that names it, and no address.
    pub(crate) fn of(&self, id: Id) -> (String, String) {
        match self.0.get(&id) {
            None => (id.to_string(), String::new()),
            Some((false, row)) => (row.name.clone(), String::new()),
            Some((true, row)) => (row.name.clone(), format!("/row/{}/{id}", row.table.name())),
        }
    }
}

/// The ids that the fields of a row refer to.
pub(crate) fn references(kind: &KindSpec, row: &Row) -> Vec<Id> {
    let refers = |ty: &FieldType| matches!(ty, FieldType::Reference(_) | FieldType::Party);
    let fields = kind.fields.iter().filter(|f| refers(&f.ty));
    fields.filter_map(|f| row.attributes.get(f.name)?.as_str()?.parse().ok()).collect()
}

/// A link as the page of one of its ends shows it.
pub(crate) struct Line {
    pub id: Id,
    /// Whether it begins at this row.
    pub outgoing: bool,
    pub kind: String,
    pub name: String,
    pub href: String,
    pub note: String,
}

/// What the page of a row shows of its links.
#[derive(Default)]
pub(crate) struct Links {
    pub lines: Vec<Line>,
    /// There are more than are shown.
    pub more: bool,
    /// Ends of the row, where the row is itself a link.
    pub ends: Vec<(String, String)>,
    /// Names of what the row's fields refer to.
    pub names: Names,
}

impl Links {
    /// Reads the links of a row and the names that its page needs.
    pub(crate) async fn load(
        house: &House,
        user: &User,
        row: &Row,
        kind: &KindSpec,
    ) -> Result<Links, StoreError> {
        let (cx, reader) = (&user.cx, user.reader());
        let within = reader.sees_of(Table::Link);
        let mut links = house.store.links_of(row.id, &within, SHOWN_MAX + 1).await?;
        let both = [true, false].map(|out| links.iter().filter(|l| begins(l, row) == out).count());
        let more = both.into_iter().any(|count| count > SHOWN_MAX);
        let mut left = [SHOWN_MAX, SHOWN_MAX];
        links.retain(|link| {
            let left = &mut left[usize::from(begins(link, row))];
            let shown = *left > 0;
            *left = left.saturating_sub(1);
            shown
        });
        let mut ids = references(kind, row);
        ids.extend(links.iter().filter_map(|link| far(link, row)));
        if row.table == Table::Link {
            ids.extend([row.subject, row.object].into_iter().flatten());
        }
        let names = Names::load(&house.store, reader, ids).await?;
        let titles = Titles { house, lang: cx.lang };
        let line = |link: &Row| {
            let (name, href) = far(link, row).map(|id| names.of(id)).unwrap_or_default();
            let note = link.attributes.get("note").and_then(Json::as_str).unwrap_or_default();
            Line {
                id: link.id,
                outgoing: begins(link, row),
                kind: titles.kind(&Table::Link, &link.kind).to_owned(),
                name,
                href,
                note: note.to_owned(),
            }
        };
        let lines = links.iter().map(line).collect();
        let ends = match row.table {
            Table::Link => [row.subject, row.object].into_iter().flatten().collect(),
            _ => Vec::new(),
        };
        let ends = ends.into_iter().map(|id| names.of(id)).collect();
        Ok(Links { lines, more, ends, names })
    }
}

fn begins(link: &Row, row: &Row) -> bool {
    link.subject == Some(row.id)
}

fn far(link: &Row, row: &Row) -> Option<Id> {
    if begins(link, row) { link.object } else { link.subject }
}

/// Every kind of link that the user may add, with its title.
pub(crate) fn kinds(house: &House, user: &User) -> Vec<(&'static str, &'static str)> {
    let kinds = house.specs().flat_map(crate::kinds_of).filter(|k| k.table == Table::Link);
    let may = kinds.filter(|kind| user.reader().may(Action::Write, kind));
    may.map(|kind| (kind.id, kind.title.get(user.cx.lang))).collect()
}

#[derive(Deserialize)]
struct LinkForm {
    csrf: String,
    kind: String,
    /// An id, or words that the row at the far end holds.
    object: String,
    #[serde(default)]
    note: String,
}

#[derive(Template)]
#[template(path = "choose.html")]
struct ChoosePage<'a> {
    cx: &'a Cx,
    row: &'a Row,
    kind: &'static KindSpec,
    note: &'a str,
    hits: Vec<Row>,
    titles: Titles<'a>,
}

/// Adds a link from the row of the page; where the words fit several rows, asks which is meant.
async fn add(
    State(house): State<Shared>,
    user: User,
    Path((name, row_id)): Path<(String, String)>,
    Form(form): Form<LinkForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let (row, _) = registers::find(&house, &user, &name, &row_id).await?;
    let cx = &user.cx;
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    if row.deleted || row.table == Table::Link {
        return bad("この行には関連を付けられません。", "This row takes no links.");
    }
    let kind = registers::kind(&house, Table::Link, &form.kind)?;
    let note = form.note.trim();
    if note.chars().count() > NOTE_CHARS_MAX || note.contains('\0') {
        return bad("補足は1000文字以内にしてください。", "A note has at most 1,000 characters.");
    }
    let mut hits = candidates(&house, &user, &row, form.object.trim()).await?;
    if hits.is_empty() {
        return bad(
            "相手の行が見つかりません。名称の一部か識別子を入力してください。",
            "No other row fits. Give a part of its name, or its id.",
        );
    }
    if hits.len() > 1 {
        let titles = Titles { house: &house, lang: cx.lang };
        let body = ChoosePage { cx, row: &row, kind, note, hits, titles };
        return page(cx, cx.t("関連の追加", "Add a link"), &body);
    }
    let object = hits.remove(0);
    if house.store.linked(kind.id, row.id, object.id).await? {
        return bad("同じ関連がすでにあります。", "There is such a link already.");
    }
    let mut link = Row::new(Table::Link, house.store.new_id()?, kind.id, &named(&row, &object));
    link.schema_version = i64::from(kind.version);
    (link.subject, link.object) = (Some(row.id), Some(object.id));
    if !note.is_empty() {
        link.attributes.insert("note".to_owned(), note.into());
    }
    let mut write = user.write(&house, "link").await?;
    write.put(link).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/row/{}/{}", row.table.name(), row.id)).into_response())
}

/// Live rows that are meant; never the row itself.
async fn candidates(
    house: &House,
    user: &User,
    row: &Row,
    said: &str,
) -> Result<Vec<Row>, StoreError> {
    let mut hits = match said.parse::<Id>() {
        Ok(id) => Names::load(&house.store, user.reader(), vec![id]).await?.seen().collect(),
        Err(_) => {
            house.store.search(said, CHOICES_MAX + 1, |table| user.reader().reach_in(table)).await?
        }
    };
    hits.retain(|hit: &Row| hit.id != row.id);
    // A row whose name is just what was typed is meant, whatever else holds the words.
    let exact: Vec<usize> = (0..hits.len()).filter(|i| hits[*i].name == said).collect();
    if let [only] = exact[..] {
        return Ok(vec![hits.swap_remove(only)]);
    }
    hits.truncate(CHOICES_MAX);
    Ok(hits)
}

/// The name of a link: its ends, a person by id.
pub fn named(subject: &Row, object: &Row) -> String {
    format!("{} → {}", crate::decide::named(subject), crate::decide::named(object))
        .chars()
        .take(NAME_CHARS_MAX)
        .collect()
}
