//! `ume indicators explain`: why a row stands or does not, step by step.

use std::io::Write;

use clap::{Arg, ArgMatches, Command};
use indicators::{
    Row,
    ndjson::{self, Said},
    validity::{Context, Finding, State, validity},
};
use netname::Names;
use room::{Error, Outcome};

use super::{
    build::judging,
    input::{Faults, Lines, Maps, at, at_of, files, kind, kind_of, path, path_of},
    normalise::read,
    shown::{Sheet, format, said, time},
};

const HEADS: &[&str] =
    &["row", "source", "value", "scope", "state", "ceiling", "until", "step", "spoke", "finding"];

pub(super) fn command() -> Command {
    let value = Arg::new("value").value_name("VALUE").required(true).help("The value to explain");
    Command::new("explain")
        .about("Each step that decides on the rows of a value, in files as build reads them; exit 1 if one stands")
        .args([
            value,
            kind(),
            path("warnings", "Set of warning lists to judge by"),
            path("own", "Set of own assets and what is never blocked"),
            at(),
            format(),
            files(),
        ])
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let names = Names::shipped();
    let raw = matches.get_one::<String>("value").map_or("", String::as_str);
    let key =
        read(raw, kind_of(matches), &names).map_err(|why| Error::said(format!("{raw}: {why}")))?;
    let maps = |name: &str| path_of(matches, name).map(|path| Maps::open(&[path])).transpose();
    let (warnings, own) = (maps("warnings")?, maps("own")?);
    let warnings = warnings.as_ref().map(Maps::set).transpose()?;
    let own = own.as_ref().map(Maps::set).transpose()?;
    let ctx = judging(&names, warnings.as_ref(), own.as_ref());
    let (mut lines, mut faults) = (Lines::of(matches), Faults::default());
    let mut sheet = Sheet::new(matches, HEADS, out);
    let (mut number, mut stands) = (0, false);
    while let Some(line) = lines.next()? {
        number += 1;
        let said = line.text.map_err(str::to_owned).and_then(|text| {
            ndjson::read(text, number, at_of(matches), &names).map_err(|why| why.to_string())
        });
        match said {
            Ok(Said::Row(row)) if row.key.kind() == key.kind() && row.key.text() == key.text() => {
                stands |= explain(&row, &ctx, at_of(matches), &mut sheet)?;
            }
            Ok(_) => {}
            Err(why) => faults.tell(line.file, line.number, why),
        }
    }
    sheet.end()?;
    Ok(match (stands, faults.any()) {
        (true, _) => Outcome::Found,
        (_, true) => Outcome::Incomplete,
        _ => Outcome::Good,
    })
}

fn explain(row: &Row, ctx: &Context<'_>, at: i64, sheet: &mut Sheet<'_>) -> Result<bool, Error> {
    let verdict = validity(row, ctx, at).map_err(Error::said)?;
    for step in &verdict.steps {
        let (ja, en) = step.title();
        let spoke = if *step.finding() == Finding::Silent { "" } else { "*" };
        let cells = [
            row.id.to_string(),
            row.source.clone(),
            row.key.text().to_owned(),
            row.key.scope().as_str().to_owned(),
            verdict.state.as_str().to_owned(),
            verdict.ceiling.as_str().to_owned(),
            time(verdict.until),
            said((ja.to_owned(), en.to_owned())),
            spoke.to_owned(),
            said(step.words()),
        ];
        if !sheet.row(&cells)? {
            break;
        }
    }
    Ok(verdict.state == State::Active)
}
