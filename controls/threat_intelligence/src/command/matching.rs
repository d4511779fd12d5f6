//! `ume indicators match`: values of a log against a set.

use std::io::Write;

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser};
use indicators::{Direction, Hit, Kind, Micros, Observable, Set, normalise::guess};
use netname::Names;
use room::{Error, Outcome};
use serde::Deserialize;

use super::{
    input::{Faults, Lines, Maps, at, at_of, files, kind, kind_of, path, paths_of},
    shown::{Sheet, format, said, time},
};

const HEADS: &[&str] = &[
    "line",
    "kind",
    "value",
    "row",
    "row_kind",
    "scope",
    "indicator",
    "direction",
    "ceiling",
    "source",
    "from",
    "until",
];

pub(super) fn command() -> Command {
    let words = Direction::ALL.iter().map(|direction| direction.as_str());
    let direction = Arg::new("direction")
        .long("direction")
        .value_name("DIRECTION")
        .default_value("both")
        .value_parser(PossibleValuesParser::new(words))
        .help(
            "Which side of a connection the values are: source comes to us, destination is gone to",
        );
    Command::new("match")
        .about("Which values, one a line or as {\"kind\":…,\"value\":…}, a set knows; exit 1 if it knows one")
        .args([
            path("set", "Set to look into").required(true),
            path("delta", "What changed since, the oldest first").action(ArgAction::Append),
            kind(),
            direction,
            at(),
            format(),
            files(),
        ])
}

/// A value that says more of itself than the options do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    kind: Option<String>,
    value: String,
    direction: Option<String>,
    at: Option<String>,
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let mut paths = paths_of(matches, "set");
    paths.extend(paths_of(matches, "delta"));
    let maps = Maps::open(&paths)?;
    let set = maps.set()?;
    let defaults = Defaults {
        kind: kind_of(matches),
        direction: matches.get_one::<String>("direction").and_then(|word| Direction::named(word)),
        at: at_of(matches),
        names: Names::shipped(),
    };
    let (mut lines, mut faults) = (Lines::of(matches), Faults::default());
    let mut sheet = Sheet::new(matches, HEADS, out);
    let (mut hits, mut found) = (Vec::new(), false);
    while let Some(line) = lines.next()? {
        let seen = line.text.map_err(str::to_owned).and_then(|text| defaults.read(text));
        let (seen, at) = match seen {
            Ok(seen) => seen,
            Err(why) => {
                faults.tell(line.file, line.number, why);
                continue;
            }
        };
        look(&set, &seen, at, &mut hits)?;
        found |= !hits.is_empty();
        let mut read = true;
        for hit in &hits {
            read &= sheet.row(&cells(line.number, &seen, hit))?;
        }
        if !read {
            break;
        }
    }
    sheet.end()?;
    Ok(match (found, faults.any()) {
        (true, _) => Outcome::Found,
        (_, true) => Outcome::Incomplete,
        _ => Outcome::Good,
    })
}

fn look<'s>(
    set: &'s Set<'_>,
    seen: &Observable,
    at: Micros,
    hits: &mut Vec<Hit<'s>>,
) -> Result<(), Error> {
    hits.clear();
    set.lookup(seen, at, hits).map_err(Error::said)
}

struct Defaults {
    kind: Option<Kind>,
    direction: Option<Direction>,
    at: Micros,
    names: Names,
}

impl Defaults {
    fn read(&self, text: &str) -> Result<(Observable, Micros), String> {
        if !text.starts_with('{') {
            return Ok((self.seen(text, self.kind, self.direction)?, self.at));
        }
        let seen: Seen = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let kind = match &seen.kind {
            Some(word) => Some(Kind::named(word).ok_or_else(|| format!("kind: no such: {word}"))?),
            None => self.kind,
        };
        let direction = match &seen.direction {
            Some(word) => {
                Some(Direction::named(word).ok_or_else(|| format!("direction: no such: {word}"))?)
            }
            None => self.direction,
        };
        let at = match seen.at {
            Some(at) => at
                .parse::<jiff::Timestamp>()
                .map_err(|_| format!("at: no time: {at}"))?
                .as_microsecond(),
            None => self.at,
        };
        Ok((self.seen(&seen.value, kind, direction)?, at))
    }

    fn seen(
        &self,
        text: &str,
        kind: Option<Kind>,
        direction: Option<Direction>,
    ) -> Result<Observable, String> {
        let unknown = || {
            let ja = format!("{text}: 形から種類が決まりません。--kindで指定してください");
            said((ja, format!("{text}: its form tells no kind; give one by --kind")))
        };
        let kind = kind.or_else(|| guess(text, &self.names)).ok_or_else(unknown)?;
        Observable::read(kind, text, direction.unwrap_or_default(), &self.names)
            .map_err(|reject| format!("{text}: {}", said(reject.words())))
    }
}

fn cells(line: u64, seen: &Observable, hit: &Hit<'_>) -> Vec<String> {
    vec![
        line.to_string(),
        seen.kind().as_str().to_owned(),
        seen.text().to_owned(),
        hit.id.to_string(),
        hit.kind.as_str().to_owned(),
        hit.scope.as_str().to_owned(),
        hit.value(),
        hit.direction.as_str().to_owned(),
        hit.ceiling.as_str().to_owned(),
        hit.source.to_owned(),
        time(hit.from),
        time(hit.until),
    ]
}
