//! Tables within a field, as lines of a text: for exports, imports and pages. Cells stand in the order
//! of the columns, `|` between them; a `|` or `\` of a cell has a `\` before it.

use model::{Field, FieldType, Lang, duration};
use serde_json::{Map, Value as Json};

/// A cell as text; a choice by its label where people read it, by its value where it is read back.
fn cell(column: &Field, value: Option<&Json>, lang: Option<Lang>) -> String {
    match (value, column.ty, lang) {
        (None | Some(Json::Null), ..) => String::new(),
        (Some(Json::String(s)), FieldType::Enum(choices), Some(lang)) => {
            let choice = choices.iter().find(|c| c.value == s);
            choice.map_or_else(|| s.clone(), |c| c.label.get(lang).to_owned())
        }
        (Some(Json::String(s)), FieldType::Duration, Some(lang)) => duration::show(s, lang),
        (Some(Json::String(s)), ..) => s.clone(),
        (Some(other), ..) => other.to_string(),
    }
}

/// The rows as lines.
pub(crate) fn lines(columns: &[Field], value: &Json, lang: Option<Lang>) -> Vec<String> {
    let escaped = |text: String| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ");
    let line = |row: &Json| {
        let cells = columns.iter().map(|c| escaped(cell(c, row.get(c.name), lang)));
        cells.collect::<Vec<_>>().join(" | ").trim_end_matches([' ', '|']).to_owned()
    };
    value.as_array().into_iter().flatten().map(line).collect()
}

/// Reads what [`lines`] wrote; `typed` makes a cell's text its JSON.
pub(crate) fn rows(columns: &[Field], text: &str, typed: impl Fn(&Field, &str) -> Json) -> Json {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut row = Map::new();
            for (i, cell) in split(line).iter().map(|c| c.trim()).enumerate() {
                // A cell too many must not vanish: no column has this name, so it is a fault.
                let name =
                    columns.get(i).map_or_else(|| format!("{}", i + 1), |c| c.name.to_owned());
                if !cell.is_empty() {
                    let value = columns.get(i).map_or(Json::from(cell), |c| typed(c, cell));
                    row.insert(name, value);
                }
            }
            Json::Object(row)
        })
        .collect()
}

fn split(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut chars) = (Vec::new(), String::new(), line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => cell.extend(chars.next()),
            '|' => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::t;
    use serde_json::json;

    #[test]
    fn rows_come_back_from_their_lines_whatever_their_cells_hold() {
        let columns = [
            Field::new("what", t("内容", "What"), FieldType::Text),
            Field::new("who", t("担当", "Who"), FieldType::Text),
        ];
        let value = json!([{"what": "a|b\\c", "who": "x"}, {"who": "y"}, {"what": "z"}]);
        let text = lines(&columns, &value, None).join("\n");
        assert_eq!(text, "a\\|b\\\\c | x\n | y\nz");
        assert_eq!(rows(&columns, &text, |_, cell| Json::from(cell)), value);
        let over = rows(&columns, "a | b | c", |_, cell| Json::from(cell));
        assert_eq!(over, json!([{"what": "a", "who": "b", "3": "c"}]));
    }
}
