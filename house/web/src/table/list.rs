//! The page of a list.

use askama::Template;
use axum::extract::{Path, Query, State};
use model::{Id, KindSpec, Table, t};
use store::{ENDS, Row, STATUS};

use super::view::{Chip, Column, Op, View, instant};
use crate::{
    Shared,
    access::Action,
    frame::{Answer, Cx, User, page},
    links::{self, Names},
    registers::{kind, named, table},
    route::{Access, Route},
};

const PAGE_ROWS: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    vec![Route::get("/register/{table}/{kind}", read, t("一覧", "List"), list)]
}

struct Line {
    id: Id,
    name: String,
    cells: Vec<String>,
}

struct Head {
    label: &'static str,
    /// Address of the list sorted by it; empty where it cannot be.
    href: String,
    direction: &'static str,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    table: Table,
    kind: &'static KindSpec,
    view: &'a View,
    /// Address of the list without any state.
    here: String,
    name_head: Head,
    heads: Vec<Head>,
    lines: Vec<Line>,
    chips: Vec<Chip>,
    quick: Vec<(&'static str, Vec<(String, String)>)>,
    /// Columns a condition can be asked of, and those that bulk edit can set.
    asked: Vec<Column>,
    set: Vec<Column>,
    shown: Vec<&'static str>,
    next: String,
    first: bool,
    may_write: bool,
    may_import: bool,
    may_bulk: bool,
}

impl ListPage<'_> {
    fn ops(&self) -> Vec<(&'static str, &'static str)> {
        Op::ALL.iter().map(|op| (op.name(), op.label(self.cx.lang))).collect()
    }

    fn file(&self, ending: &str, name: &'static str, value: &str) -> String {
        let more = if name.is_empty() { vec![] } else { vec![(name, value.to_owned())] };
        self.view.file_url(ending, &more)
    }
}

/// What a cell shows.
pub(super) fn cell(
    user: &User,
    names: &Names,
    kind: &KindSpec,
    column: &Column,
    row: &Row,
) -> String {
    match (column.field, column.name) {
        (Some(field), _) => named(user, names, kind, field, row).0,
        (None, STATUS) => user.cx.status(&row.status).to_owned(),
        (None, ENDS) => instant(&user.cx, row.ends_at),
        (None, _) => instant(&user.cx, Some(row.updated_at)),
    }
}

/// Whether many rows of the kind may be changed at once.
pub(super) fn may_bulk(user: &User, kind: &KindSpec) -> bool {
    user.reader().may(Action::Write, kind) && !matches!(kind.table, Table::Link | Table::Decision)
}

async fn list(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Answer {
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    let view = View::read(&user, table, kind, &pairs)?;
    let mut rows = house.store.list(table, &view.filter(PAGE_ROWS + 1)).await?;
    let more = rows.len() > PAGE_ROWS;
    rows.truncate(PAGE_ROWS);
    let next = rows.last().filter(|_| more).map_or(String::new(), |last| view.next(last));
    let columns = view.columns();
    let ids = rows.iter().flat_map(|row| links::references(kind, row)).collect();
    let names = Names::load(&house.store, user.reader(), ids).await?;
    let lines = rows
        .iter()
        .map(|row| Line {
            id: row.id,
            name: row.name.clone(),
            cells: columns.iter().map(|c| cell(&user, &names, kind, c, row)).collect(),
        })
        .collect();
    let may_write = user.reader().may(Action::Write, kind) && table != Table::Link;
    let cx = &user.cx;
    let head = |label, by: Option<&'static str>, sortable: bool| Head {
        label,
        href: if sortable { view.sorted(by) } else { String::new() },
        direction: view.direction(by),
    };
    let body = ListPage {
        cx,
        table,
        kind,
        here: format!("/register/{}/{}", table.name(), kind.id),
        name_head: head(cx.t("名称", "Name"), None, true),
        heads: columns
            .iter()
            .map(|c| head(c.label.get(cx.lang), Some(c.name), c.sortable()))
            .collect(),
        lines,
        chips: view.chips(cx),
        quick: view.quick(cx),
        asked: view.all.iter().filter(|c| !c.ops().is_empty()).copied().collect(),
        set: view.all.iter().filter(|c| c.may_bulk()).copied().collect(),
        shown: columns.iter().map(|c| c.name).collect(),
        next,
        first: !pairs.iter().any(|(name, _)| name == "after_id"),
        may_write,
        may_import: may_write && crate::import::closed(table).is_none(),
        may_bulk: may_bulk(&user, kind),
        view: &view,
    };
    page(cx, kind.title.get(cx.lang), &body)
}
