//! The rows of a list as a file: as shown, or whole for a later import.

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::header,
    response::IntoResponse,
};
use model::{Field, FieldType, KindSpec, Table, t};
use serde_json::{Map, Value as Json};
use store::{PAGE_ROWS_MAX, Row};

use super::{list::cell, view::View};
use crate::{
    House, Shared,
    access::Action,
    frame::{Answer, Refusal, User},
    links::{self, Names},
    registers::{kind, plain, table},
    route::{Access, Route},
};

/// More rows are refused rather than cut, so that no file looks whole and is not.
const EXPORT_ROWS_MAX: usize = 100_000;

pub(super) fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    let path = |ending: &str| format!("/register/{{table}}/{{kind}}/{ending}");
    vec![
        Route::get(&path("export"), read, t("CSVで書き出し", "Export as CSV"), csv),
        Route::get(&path("export.xlsx"), read, t("Excelで書き出し", "Export as xlsx"), xlsx),
        Route::get(&path("export.json"), read, t("JSONで書き出し", "Export as JSON"), json),
    ]
}

type Asked = Query<Vec<(String, String)>>;

struct Export {
    kind: &'static KindSpec,
    view: View,
    /// Exactly the columns of the list, in words; otherwise every field, as imports read it.
    as_shown: bool,
    rows: Vec<Row>,
    names: Names,
}

impl Export {
    async fn read(
        house: &House,
        user: &User,
        name: &str,
        kind_id: &str,
        pairs: &[(String, String)],
    ) -> Result<Export, Refusal> {
        let table = table(name)?;
        let kind = kind(house, table, kind_id)?;
        let view = View::read(user, table, kind, pairs)?;
        let as_shown = pairs.iter().any(|(name, value)| name == "shown" && value == "1");
        let rows = all_rows(house, user, table, &view, EXPORT_ROWS_MAX).await?;
        let ids = if as_shown {
            rows.iter().flat_map(|r| links::references(kind, r)).collect()
        } else {
            Vec::new()
        };
        let mut names = Names::default();
        for some in distinct(ids).chunks(PAGE_ROWS_MAX) {
            names.add(Names::load(&house.store, user.reader(), some.to_vec()).await?);
        }
        Ok(Export { kind, view, as_shown, rows, names })
    }

    /// Fields of the kind that the reader sees: a hidden one has no column, not even an empty one.
    fn fields<'u>(&self, user: &'u User) -> impl Iterator<Item = &'static Field> + use<'u> {
        let (kind, reader) = (self.kind, user.reader());
        kind.fields.iter().filter(move |f| reader.sees(kind, f))
    }

    fn head(&self, user: &User) -> Vec<String> {
        let lang = user.cx.lang;
        let name = user.cx.t("名称", "name").to_owned();
        let labels: Vec<&str> = match self.as_shown {
            true => self.view.columns().iter().map(|c| c.label.get(lang)).collect(),
            false => self.fields(user).map(|f| f.label.get(lang)).collect(),
        };
        std::iter::once(name).chain(labels.into_iter().map(str::to_owned)).collect()
    }

    /// The cells of a row; true for one that is a number.
    fn cells(&self, user: &User, row: &Row) -> Vec<(String, bool)> {
        let mut cells = vec![(row.name.clone(), false)];
        match self.as_shown {
            true => cells.extend(
                self.view
                    .columns()
                    .iter()
                    .map(|c| (cell(user, &self.names, self.kind, c, row), false)),
            ),
            false => cells.extend(self.fields(user).map(|f| {
                let number = matches!(f.ty, FieldType::Number { .. } | FieldType::Money);
                (plain(user, self.kind, f, row), number)
            })),
        }
        cells
    }
}

fn distinct(mut ids: Vec<model::Id>) -> Vec<model::Id> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Every row of the view, page by page.
pub(super) async fn all_rows(
    house: &House,
    user: &User,
    table: Table,
    view: &View,
    max: usize,
) -> Result<Vec<Row>, Refusal> {
    let mut rows: Vec<Row> = Vec::new();
    let mut filter = view.filter(PAGE_ROWS_MAX);
    filter.after = None;
    loop {
        let page = house.store.list(table, &filter).await?;
        let full = page.len() == PAGE_ROWS_MAX;
        rows.extend(page);
        if rows.len() > max {
            let ja = format!("該当が{max}件を超えています。条件で絞り込んでください。");
            let en = format!("More than {max} rows match. Narrow the list by conditions.");
            return Err(Refusal::Bad(user.cx.t(&ja, &en).to_owned()));
        }
        match rows.last().filter(|_| full) {
            Some(last) => filter.after = Some((view.key(last), last.id)),
            None => return Ok(rows),
        }
    }
}

fn file(user: &User, kind: &KindSpec, ending: &str, ty: &str, body: impl Into<Bytes>) -> Answer {
    let day = user.cx.date(&user.cx.now);
    let headers = [
        (header::CONTENT_TYPE, ty.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}-{day}.{ending}\"", kind.id),
        ),
    ];
    Ok((headers, body.into()).into_response())
}

async fn csv(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    Query(pairs): Asked,
) -> Answer {
    let export = Export::read(&house, &user, &name, &kind_id, &pairs).await?;
    // Excel takes a file without the mark for one in the code page of the machine.
    let bare = pairs.iter().any(|(name, value)| name == "bom" && value == "0");
    let mut out = String::from(if bare { "" } else { "\u{feff}" });
    let with_id = !export.as_shown;
    if with_id {
        out.push_str("ume_id,version,");
    }
    let head: Vec<String> = export.head(&user).iter().map(|h| reports::csv_cell(h)).collect();
    out.push_str(&head.join(","));
    out.push_str("\r\n");
    for row in &export.rows {
        if with_id {
            out.push_str(&format!("{},{},", row.id, row.version));
        }
        let cells: Vec<String> = export
            .cells(&user, row)
            .into_iter()
            .map(|(text, number)| if number { text } else { reports::csv_cell(&text) })
            .collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    file(&user, export.kind, "csv", "text/csv; charset=utf-8", out)
}

async fn xlsx(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    Query(pairs): Asked,
) -> Answer {
    let export = Export::read(&house, &user, &name, &kind_id, &pairs).await?;
    let (mut head, mut hidden) = (export.head(&user), reports::Hidden(0));
    if !export.as_shown {
        // What an import finds the row by, and sees whether it was changed here meanwhile.
        head.splice(0..0, ["ume_id".to_owned(), "version".to_owned()]);
        hidden = reports::Hidden(2);
    }
    let cells: Vec<Vec<String>> = export
        .rows
        .iter()
        .map(|row| {
            let named = (!export.as_shown).then(|| [row.id.to_string(), row.version.to_string()]);
            let cells = export.cells(&user, row).into_iter().map(|(text, _)| text);
            named.into_iter().flatten().chain(cells).collect()
        })
        .collect();
    let title = export.kind.title.get(user.cx.lang);
    let written =
        tokio::task::spawn_blocking(move || reports::write_xlsx(title, &head, &cells, hidden));
    let bytes = match written.await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(Refusal::Bad(error.to_string())),
        Err(error) => return Err(Refusal::Bad(error.to_string())),
    };
    let ty = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    file(&user, export.kind, "xlsx", ty, bytes)
}

async fn json(
    State(house): State<Shared>,
    user: User,
    Path((name, kind_id)): Path<(String, String)>,
    Query(pairs): Asked,
) -> Answer {
    let export = Export::read(&house, &user, &name, &kind_id, &pairs).await?;
    let items: Vec<Json> = export
        .rows
        .iter()
        .map(|row| {
            let attributes: Map<String, Json> = match export.as_shown {
                true => export
                    .view
                    .columns()
                    .iter()
                    .filter_map(|c| Some((c.name.to_owned(), row.attributes.get(c.name)?.clone())))
                    .collect(),
                false => export
                    .fields(&user)
                    .filter_map(|f| Some((f.name.to_owned(), row.attributes.get(f.name)?.clone())))
                    .collect(),
            };
            serde_json::json!({
                "id": row.id, "version": row.version, "name": row.name, "status": row.status,
                "ends_at": row.ends_at, "updated_at": row.updated_at, "attributes": attributes,
            })
        })
        .collect();
    let body = serde_json::to_vec_pretty(&items).map_err(|e| Refusal::Bad(e.to_string()))?;
    file(&user, export.kind, "json", "application/json", body)
}
