//! `ume indicators pattern`: a STIX pattern checked, planned, held against what was observed.

use std::io::Write;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicators::pattern::{
    self, Budget, Observation, Outcome as Matched, Pattern, Plan, Side, Trigger,
};
use indicators::stix;
use room::{Error, Outcome};
use serde_json::Value;

use super::documents::{plain, read, words};

pub(super) fn command() -> Command {
    Command::new("pattern")
        .about(
            "Check STIX patterns and hold them against observed-data; exit 1 if one matches, 3 if one is undecided",
        )
        .arg(
            Arg::new("pattern")
                .value_name("PATTERN")
                .num_args(1..)
                .required(true)
                .help("Patterns; each is printed in its one form"),
        )
        .arg(
            Arg::new("observed")
                .long("observed")
                .value_name("FILE")
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .help("STIX bundle with observed-data to hold them against; - is the input"),
        )
        .arg(
            Arg::new("plan")
                .long("plan")
                .action(ArgAction::SetTrue)
                .help("Print what an index would look for"),
        )
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let patterns = patterns(matches)?;
    let objects = observed(matches)?;
    let seen = pattern::observations(&objects).map_err(Error::said)?;
    let held = matches.contains_id("observed");
    let mut outcome = Outcome::Good;
    for pattern in &patterns {
        if held {
            match told(pattern, &seen, out)? {
                Matched::True(_) if outcome == Outcome::Good => outcome = Outcome::Found,
                Matched::Undecided => outcome = Outcome::Incomplete,
                _ => {}
            }
        } else {
            writeln!(out, "{}", plain(&pattern.to_string())).map_err(Error::said)?;
        }
        if matches.get_flag("plan") {
            planned(pattern, out)?;
        }
    }
    Ok(outcome)
}

fn patterns(matches: &ArgMatches) -> Result<Vec<Pattern>, Error> {
    let texts = matches.get_many::<String>("pattern").into_iter().flatten();
    let read = |text: &String| {
        pattern::parse(text).map_err(|error| {
            let (ja, en) = error.words();
            Error::said(words(ja, en))
        })
    };
    texts.map(read).collect()
}

fn observed(matches: &ArgMatches) -> Result<Vec<Value>, Error> {
    let mut objects = Vec::new();
    for path in matches.get_many::<PathBuf>("observed").into_iter().flatten() {
        let bytes = read(path)?;
        let said = |what: String| Error::said(format!("{}: {what}", path.display()));
        let parsed =
            stix::parse(&bytes, &stix::Limits::default()).map_err(|e| said(e.to_string()))?;
        if let Some(wrong) = parsed.diagnostics.first() {
            return Err(said(words(
                format!("{}: {}", wrong.pointer, wrong.ja()),
                wrong.to_string(),
            )));
        }
        objects.extend(parsed.objects.into_iter().map(|object| object.value));
    }
    Ok(objects)
}

fn told(
    pattern: &Pattern,
    seen: &[Observation<'_>],
    out: &mut dyn Write,
) -> Result<Matched, Error> {
    let matched = pattern::eval(pattern, seen, Budget::default());
    let said = match &matched {
        Matched::True(found) => {
            let ids: Vec<String> = found.iter().map(|at| plain(seen[*at].observed.id)).collect();
            words(format!("一致  {}", ids.join(" ")), format!("match  {}", ids.join(" ")))
        }
        Matched::False => words("不一致".into(), "no match".into()),
        Matched::Undecided => words(
            "未判定（手数の上限に達しました）".into(),
            "undecided (the budget is spent)".into(),
        ),
    };
    writeln!(out, "{said}").map_err(Error::said)?;
    Ok(matched)
}

fn planned(pattern: &Pattern, out: &mut dyn Write) -> Result<(), Error> {
    let (head, lines) = match pattern::plan(pattern) {
        Plan::Values(values) => (
            words("索引だけで判定:".into(), "decided by an index:".into()),
            values.iter().map(value).collect(),
        ),
        Plan::Triggers(values) => (
            words("次の値があれば評価:".into(), "evaluated where one of these is:".into()),
            values.iter().map(value).collect(),
        ),
        Plan::Types(types) => (
            words("次の型ごとに評価:".into(), "evaluated on every object of these types:".into()),
            types,
        ),
    };
    writeln!(out, "{head}").map_err(Error::said)?;
    for line in lines {
        writeln!(out, "  {}", plain(&line)).map_err(Error::said)?;
    }
    Ok(())
}

fn value(trigger: &Trigger) -> String {
    let side = match trigger.side {
        Some(Side::Source) => "  source",
        Some(Side::Destination) => "  destination",
        None => "",
    };
    format!("{}  {}{side}", trigger.kind.as_str(), trigger.value)
}
