//! `ume indicators normalise`: values in their one form.

use std::io::Write;

use clap::{ArgMatches, Command};
use indicators::{Key, Kind, Reject, normalise, normalise::guess};
use netname::Names;
use room::{Error, Outcome};

use super::{
    input::{Faults, Lines, files, kind, kind_of},
    shown::{Sheet, format, said},
};

pub(super) fn command() -> Command {
    Command::new("normalise")
        .about("The one form of values, one a line; exit 3 where some are none, with the reason")
        .args([kind(), format(), files()])
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let names = Names::shipped();
    let (mut lines, mut faults) = (Lines::of(matches), Faults::default());
    let mut sheet = Sheet::new(matches, &["kind", "value", "scope"], out);
    while let Some(line) = lines.next()? {
        let key = line.text.map_err(str::to_owned).and_then(|text| {
            read(text, kind_of(matches), &names).map_err(|why| format!("{text}: {why}"))
        });
        match key {
            Ok(key) => {
                let cells = [key.kind().as_str(), key.text(), key.scope().as_str()];
                if !sheet.row(&cells.map(str::to_owned))? {
                    break;
                }
            }
            Err(why) => faults.tell(line.file, line.number, why),
        }
    }
    sheet.end()?;
    Ok(if faults.any() { Outcome::Incomplete } else { Outcome::Good })
}

/// A value of the kind that was given, or that its form tells.
pub(super) fn read(text: &str, kind: Option<Kind>, names: &Names) -> Result<Key, String> {
    let unknown = || {
        let ja = "形から種類が決まりません。--kindで指定してください".to_owned();
        said((ja, "its form tells no kind; give one by --kind".to_owned()))
    };
    let kind = kind.or_else(|| guess(text, names)).ok_or_else(unknown)?;
    normalise(kind, text, names).map_err(|reject: Reject| said(reject.words()))
}
