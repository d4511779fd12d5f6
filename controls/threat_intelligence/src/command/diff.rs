//! `ume indicators diff`: what one set holds and another does not.

use std::{collections::BTreeMap, io::Write, path::PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use indicators::{Hit, Set};
use room::{Error, Outcome};

use super::{
    input::{Maps, path_of},
    shown::{Sheet, format, time},
};

/// Rows of both sets that are held side by side.
const ROWS_MAX: u64 = 5_000_000;
const HEADS: &[&str] =
    &["change", "kind", "value", "scope", "direction", "source", "ceiling", "from", "until"];

pub(super) fn command() -> Command {
    let set = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .value_name("SET")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help(help)
    };
    Command::new("diff")
        .about("What differs between two sets, whatever their seeds; exit 1 where something does")
        .args([set("before", "Set as it was"), set("after", "Set as it is"), format()])
}

/// What a row is, and what is said of it. A value of one source may stand there several times.
type Rows = BTreeMap<[String; 5], Vec<[String; 3]>>;

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let maps =
        |name: &str| Maps::open(&[path_of(matches, name).unwrap_or(std::path::Path::new(""))]);
    let (before, after) = (maps("before")?, maps("after")?);
    let (mut before, mut after) = (rows(&before.set()?)?, rows(&after.set()?)?);
    before.retain(|what, said| match after.get(what) {
        Some(other) if other == said => {
            after.remove(what);
            false
        }
        _ => true,
    });
    let found = !before.is_empty() || !after.is_empty();
    let mut sheet = Sheet::new(matches, HEADS, out);
    for (change, rows) in [("removed", &before), ("added", &after)] {
        for (what, said) in rows.iter().flat_map(|(what, all)| all.iter().map(move |s| (what, s))) {
            let mut cells = vec![change.to_owned()];
            cells.extend_from_slice(what);
            cells.extend_from_slice(said);
            sheet.row(&cells)?;
        }
    }
    sheet.end()?;
    Ok(if found { Outcome::Found } else { Outcome::Good })
}

fn rows(set: &Set<'_>) -> Result<Rows, Error> {
    if set.rows() > ROWS_MAX {
        return Err(Error::said(format!("{} rows; {ROWS_MAX} are compared", set.rows())));
    }
    let mut rows = Rows::new();
    set.scan(|hit| rows.entry(what(&hit)).or_default().push(said(&hit))).map_err(Error::said)?;
    for said in rows.values_mut() {
        said.sort_unstable();
    }
    Ok(rows)
}

fn what(hit: &Hit<'_>) -> [String; 5] {
    [
        hit.kind.as_str().to_owned(),
        hit.value(),
        hit.scope.as_str().to_owned(),
        hit.direction.as_str().to_owned(),
        hit.source.to_owned(),
    ]
}

fn said(hit: &Hit<'_>) -> [String; 3] {
    [hit.ceiling.as_str().to_owned(), time(hit.from), time(hit.until)]
}
