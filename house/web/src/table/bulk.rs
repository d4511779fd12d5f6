//! Many rows, one field: chosen in the list, shown before and after, then saved in one change.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use model::{FieldType, Id, KindSpec, Table, t};
use store::Row;

use super::{export::all_rows, list::may_bulk, view::View};
use crate::{
    House, Shared,
    access::Action,
    form::{error_text, settle, typed},
    frame::{Answer, Cx, Refusal, User, page},
    links::Names,
    registers::{kind, named, table},
    route::{Access, Route},
};

const ROWS_MAX: usize = 500;

pub(super) fn routes() -> Vec<Route> {
    let write = Access::Action(Action::Write);
    let path = "/register/{table}/{kind}/bulk";
    vec![Route::post(path, write, t("まとめて変更", "Change many"), bulk)]
}

/// The form by name, in the order sent.
struct Sent(Vec<(String, String)>);

impl Sent {
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }

    fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

struct Line {
    id: Id,
    version: i64,
    name: String,
    before: String,
    after: String,
    error: String,
    same: bool,
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage<'a> {
    cx: &'a Cx,
    table: Table,
    kind: &'static KindSpec,
    field: &'static model::Field,
    label: &'static str,
    value: &'a str,
    lines: Vec<Line>,
    changes: usize,
    wrong: usize,
    back: String,
}

async fn bulk(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let sent = Sent(form);
    user.form(sent.get("csrf"), Action::Write)?;
    let table = table(&name)?;
    let kind = kind(&house, table, &kind_id)?;
    if !may_bulk(&user, kind) {
        return Err(Refusal::Forbidden);
    }
    let view = View::read(&user, table, kind, &sent.0)?;
    let set = kind
        .field(sent.get("set"))
        .filter(|f| !matches!(f.ty, FieldType::File | FieldType::Table(_)));
    let field = set.ok_or_else(|| {
        Refusal::Bad(
            user.cx.t("変更する項目を選んでください。", "Choose the field to change.").to_owned(),
        )
    })?;
    if sent.get("step") == "save" {
        return save(&house, &user, table, kind, field, &sent, &view).await;
    }
    let rows = chosen(&house, &user, table, kind, &sent, &view).await?;
    let lines = lines(&house, &user, kind, field, sent.get("to"), &rows).await?;
    let body = BulkPage {
        cx: &user.cx,
        table,
        kind,
        field,
        label: field.label.get(user.cx.lang),
        value: sent.get("to"),
        changes: lines.iter().filter(|l| !l.same && l.error.is_empty()).count(),
        wrong: lines.iter().filter(|l| !l.error.is_empty()).count(),
        lines,
        back: view.url(),
    };
    page(&user.cx, user.cx.t("まとめて変更", "Change many"), &body)
}

async fn chosen(
    house: &House,
    user: &User,
    table: Table,
    kind: &'static KindSpec,
    sent: &Sent,
    view: &View,
) -> Result<Vec<Row>, Refusal> {
    if sent.get("rows") == "all" {
        return all_rows(house, user, table, view, ROWS_MAX).await;
    }
    let ids: Vec<Id> = sent.every("id").take(ROWS_MAX).filter_map(|id| id.parse().ok()).collect();
    let mut rows = house.store.rows_by_id(table, &ids).await?;
    let seen = house.store.reached(table, &ids, &user.reader().within(Action::Read, kind)).await?;
    rows.retain(|row| row.kind == kind.id && !row.deleted && seen.contains(&row.id));
    if rows.is_empty() {
        let text = user.cx.t("変更する行を選んでください。", "Choose the rows to change.");
        return Err(Refusal::Bad(text.to_owned()));
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
    Ok(rows)
}

/// The row with the field set as the form says; an empty value takes it away.
fn changed(kind: &KindSpec, field: &model::Field, value: &str, row: &Row) -> Row {
    let form = [(format!("f_{}", field.name), value.to_owned())].into();
    let mut row = row.clone();
    match typed(kind, &form).remove(field.name) {
        Some(value) => drop(row.attributes.insert(field.name.to_owned(), value)),
        None => drop(row.attributes.remove(field.name)),
    }
    row.schema_version = i64::from(kind.version);
    settle(&mut row);
    row
}

/// What the schema says against the row as it would be.
fn fault(user: &User, kind: &KindSpec, row: &Row) -> String {
    let errors = kind.validate(&row.attributes);
    errors.first().map_or(String::new(), |e| {
        let label = kind.field(e.field()).map_or(e.field(), |f| f.label.get(user.cx.lang));
        format!("{label}: {}", error_text(user.cx.lang, e))
    })
}

async fn lines(
    house: &House,
    user: &User,
    kind: &KindSpec,
    field: &model::Field,
    value: &str,
    rows: &[Row],
) -> Result<Vec<Line>, Refusal> {
    let mut ids: Vec<Id> = Vec::new();
    if matches!(field.ty, FieldType::Reference(_) | FieldType::Party) {
        let of = |row: &Row| row.attributes.get(field.name)?.as_str()?.parse::<Id>().ok();
        ids.extend(rows.iter().filter_map(of));
        ids.extend(value.parse::<Id>().ok());
    }
    let names = Names::load(&house.store, user.reader(), ids).await?;
    let line = |row: &Row| {
        let new = changed(kind, field, value, row);
        Line {
            id: row.id,
            version: row.version,
            name: row.name.clone(),
            before: named(user, &names, kind, field, row).0,
            after: named(user, &names, kind, field, &new).0,
            error: fault(user, kind, &new),
            same: new.attributes == row.attributes,
        }
    };
    Ok(rows.iter().map(line).collect())
}

/// Saves exactly the versions that were shown: one changed since stops the whole.
async fn save(
    house: &House,
    user: &User,
    table: Table,
    kind: &'static KindSpec,
    field: &'static model::Field,
    sent: &Sent,
    view: &View,
) -> Answer {
    let reason = sent.get("reason").trim();
    if reason.is_empty() {
        return Err(Refusal::Bad(
            user.cx.t("理由を入力してください。", "Give a reason.").to_owned(),
        ));
    }
    let shown: Vec<(Id, i64)> = sent
        .every("row")
        .take(ROWS_MAX)
        .filter_map(|text| {
            let (id, version) = text.split_once(' ')?;
            Some((id.parse().ok()?, version.parse().ok()?))
        })
        .collect();
    let ids: Vec<Id> = shown.iter().map(|(id, _)| *id).collect();
    let rows = house.store.rows_by_id(table, &ids).await?;
    let mut write = user.write(house, reason).await?;
    for (id, version) in shown {
        let row = rows.iter().find(|r| r.id == id && r.kind == kind.id).ok_or(Refusal::NotFound)?;
        let mut new = changed(kind, field, sent.get("to"), row);
        let error = fault(user, kind, &new);
        if !error.is_empty() {
            return Err(Refusal::Bad(format!("{}: {error}", row.name)));
        }
        if new.attributes == row.attributes {
            continue;
        }
        new.version = version;
        write.put(new).await?;
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&view.url()).into_response())
}
