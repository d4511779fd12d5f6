//! Rows as a person, a program or a spreadsheet reads them.

use serde_json::Value as Json;

use crate::Format;

/// How a result is printed.
#[derive(clap::Args)]
pub struct Shown {
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

const CELL_WIDTH_MAX: usize = 48;

/// Rows in the format asked for; a column is a member, or `attributes.x`.
pub fn rows(format: Format, columns: &[String], rows: &[Json]) -> String {
    match format {
        Format::Json => {
            format!("{}\n", serde_json::to_string_pretty(rows).unwrap_or_default())
        }
        Format::Csv => csv(columns, rows),
        Format::Table => table(columns, rows),
    }
}

/// One row: its members below each other, or as JSON.
pub fn one(format: Format, row: &Json) -> String {
    let Some(members) = row.as_object().filter(|_| format != Format::Json) else {
        return format!("{}\n", serde_json::to_string_pretty(row).unwrap_or_default());
    };
    let mut pairs: Vec<Json> = Vec::new();
    for (name, value) in members.iter().filter(|(_, v)| !v.is_null()) {
        let nested = ["attributes", "facts"].contains(&name.as_str());
        match value.as_object().filter(|_| nested) {
            Some(inner) => pairs.extend(inner.iter().map(|(inner, value)| {
                serde_json::json!({"member": format!("{name}.{inner}"), "value": value})
            })),
            None => pairs.push(serde_json::json!({"member": name, "value": value})),
        }
    }
    rows(format, &["member".to_owned(), "value".to_owned()], &pairs)
}

/// What a command did: a sentence for people, its members for programs.
pub fn done(format: Format, sentence: &str, members: &Json) -> String {
    if format == Format::Table { format!("{sentence}\n") } else { one(format, members) }
}

/// The text of a cell.
pub fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(list) if list.iter().all(Json::is_string) => {
            list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

fn cell(row: &Json, column: &str) -> String {
    let value = match column.split_once('.') {
        Some((outer, inner)) => row.get(outer).and_then(|v| v.get(inner)),
        None => row.get(column),
    };
    value.map(text).unwrap_or_default()
}

fn csv(columns: &[String], rows: &[Json]) -> String {
    let line = |cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|c| web::csv_cell(c)).collect();
        format!("{}\r\n", cells.join(","))
    };
    let mut out = line(columns.to_vec());
    for row in rows {
        out.push_str(&line(columns.iter().map(|c| cell(row, c)).collect()));
    }
    out
}

/// Columns a terminal needs for a text: East Asian characters take two.
fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{20000}'..='\u{3ffff}' => 2,
        _ => 1,
    }
}

/// One line, without what would move a terminal's cursor, and cut with a mark.
fn on_one_line(text: &str) -> String {
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        used += char_width(c);
        if used > CELL_WIDTH_MAX {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

fn table(columns: &[String], rows: &[Json]) -> String {
    let lines: Vec<Vec<String>> = std::iter::once(columns.to_vec())
        .chain(
            rows.iter()
                .map(|row| columns.iter().map(|column| on_one_line(&cell(row, column))).collect()),
        )
        .collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| lines.iter().map(|line| width(&line[at])).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(text, want)| format!("{text}{}", " ".repeat(want - width(text))))
            .collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up_with_japanese_and_csv_arms_formulas() {
        let columns = ["name".to_owned(), "attributes.os".to_owned()];
        let found = [
            json!({"name": "梅", "attributes": {"os": "Debian"}}),
            json!({"name": "=1+1\u{1b}[2J", "attributes": {}}),
        ];
        let lines = rows(Format::Table, &columns, &found);
        assert_eq!(lines, "name      attributes.os\n梅        Debian\n=1+1 [2J\n");
        let csv = rows(Format::Csv, &columns, &found[..1]);
        assert_eq!(csv, "name,attributes.os\r\n梅,Debian\r\n");
        assert!(rows(Format::Csv, &columns, &found[1..]).contains("'=1+1"));
    }
}
