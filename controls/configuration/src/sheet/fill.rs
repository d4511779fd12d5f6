//! Which cells of a workbook get which value.

use std::collections::BTreeMap;

use reports::{Page, Put};

use super::{
    Finding,
    compare::Line,
    map::{Place, Role, SheetMap},
};
use model::Lang;

/// The values for the table of a map, headers of new columns among them. Rows that could not be judged
/// keep what people wrote, but for the verdict of those whose source was not read.
pub fn page(map: &SheetMap, lines: &[Line], checked_on: &str) -> Page {
    let japanese = map.columns.iter().any(|place| !place.header.is_ascii());
    let mut puts: BTreeMap<(usize, usize), Put> = BTreeMap::new();
    let header = map.header_row.saturating_sub(1);
    for line in lines.iter().filter(|line| line.sheet == map.sheet) {
        let host = line.column_host.as_deref();
        let design = map.place(Role::Design, host);
        for (role, text) in cells(line, japanese, checked_on) {
            let Some(place) = map.place(role, host) else { continue };
            let like = design.map(|design| (line.row, design.at));
            let put = Put { row: line.row, column: place.at, text, like };
            puts.insert((line.row, place.at), put);
            if place.new {
                puts.entry((header, place.at)).or_insert_with(|| head(header, place, design));
            }
        }
    }
    Page { sheet: map.sheet.clone(), puts: puts.into_values().collect() }
}

fn head(row: usize, place: &Place, design: Option<&Place>) -> Put {
    let like = design.map(|design| (row, design.at));
    Put { row, column: place.at, text: place.header.clone(), like }
}

fn cells(line: &Line, japanese: bool, checked_on: &str) -> Vec<(Role, String)> {
    let lang = if japanese { Lang::Ja } else { Lang::En };
    let verdict = (Role::Verdict, line.finding.text().get(lang).to_owned());
    let date = (Role::CheckedOn, checked_on.to_owned());
    match line.finding {
        Finding::UnknownItem => Vec::new(),
        Finding::NoDesign if line.actual.is_empty() => Vec::new(),
        Finding::Unread => vec![verdict, date],
        _ => vec![
            (Role::Actual, line.actual.clone()),
            (Role::Difference, line.difference(japanese)),
            verdict,
            date,
            (Role::Evidence, line.evidence.clone()),
        ],
    }
}
