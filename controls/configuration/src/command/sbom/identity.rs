//! Names and versions: `purl` and `order`.

use std::{cmp::Ordering, io::BufRead, io::Write};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser};
use room::{Error, Outcome};
use sbom::{
    order::{Ecosystem, order},
    purl::Purl,
};

use super::{format, format_of, table};

pub(super) fn purl_command() -> Command {
    let purls = Arg::new("purl")
        .value_name("PURL")
        .action(ArgAction::Append)
        .help("Package URLs; without any they are read from standard input, one a line");
    let repair = Arg::new("repair")
        .long("repair")
        .action(ArgAction::SetTrue)
        .help("Take capitals in keys of qualifiers, which are refused for some types");
    Command::new("purl")
        .about("Canonical form of package URLs; exit 1 if one is none, with the reason")
        .args([purls, repair, format()])
}

pub(super) fn order_command() -> Command {
    let names = Ecosystem::ALL.map(Ecosystem::name);
    let ecosystem = Arg::new("ecosystem")
        .value_name("ECOSYSTEM")
        .required(true)
        .value_parser(PossibleValuesParser::new(names))
        .help("Whose order, by the type of package URLs");
    let versions = Arg::new("version").value_name("VERSION").num_args(2).help(
        "Two versions; without them pairs are read from standard input, one a line, between them a tab or a space",
    );
    Command::new("order")
        .about("Which of two versions is newer: <, = or >; exit 3 if one cannot be compared (?)")
        .args([ecosystem, versions, format()])
}

/// Lines of standard input that hold something.
pub(super) fn lines() -> impl Iterator<Item = Result<String, Error>> {
    let lines = std::io::stdin().lock().lines();
    let lines = lines.map(|l| l.map_err(|source| Error::Io { path: "-".into(), source }));
    lines.filter(|l| !matches!(l, Ok(text) if text.trim().is_empty()))
}

pub(super) fn purl(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let repair = matches.get_flag("repair");
    let given = match matches.get_many::<String>("purl") {
        Some(given) => given.cloned().collect(),
        None => lines().collect::<Result<Vec<_>, _>>()?,
    };
    let mut refused = false;
    let mut rows = Vec::new();
    for text in given {
        let read = if repair { Purl::parse_lenient(&text) } else { Purl::parse(&text) };
        rows.push(match read {
            Ok(purl) => vec![purl.to_string(), text, String::new()],
            Err(error) => {
                refused = true;
                eprintln!("ume: {text}: {error}");
                vec![String::new(), text, error.to_string()]
            }
        });
    }
    match format_of(matches) {
        // One canonical name a line, to go on with.
        "table" => {
            for row in rows.iter().filter(|r| r[2].is_empty()) {
                if writeln!(out, "{}", row[0]).is_err() {
                    break;
                }
            }
        }
        format => table(format, &["purl", "given", "problem"], &rows, out),
    }
    Ok(if refused { Outcome::Found } else { Outcome::Good })
}

pub(super) fn versions(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let name = matches.get_one::<String>("ecosystem").map(String::as_str).unwrap_or_default();
    let ecosystem =
        Ecosystem::named(name).ok_or_else(|| Error::said(format!("{name}: no order")))?;
    let given: Vec<(String, String)> = match matches.get_many::<String>("version") {
        Some(pair) => {
            let pair: Vec<&String> = pair.collect();
            vec![(pair[0].clone(), pair[1].clone())]
        }
        None => lines().map(|l| l.and_then(|l| pair(&l))).collect::<Result<_, _>>()?,
    };
    let (mut rows, mut unknown) = (Vec::new(), false);
    for (a, b) in given {
        let (sign, why) = match order(ecosystem, &a, &b) {
            Ok(Ordering::Less) => ("<", String::new()),
            Ok(Ordering::Equal) => ("=", String::new()),
            Ok(Ordering::Greater) => (">", String::new()),
            Err(error) => ("?", error.to_string()),
        };
        unknown |= sign == "?";
        rows.push(vec![a, sign.to_owned(), b, why]);
    }
    table(format_of(matches), &["a", "order", "b", "problem"], &rows, out);
    Ok(if unknown { Outcome::Incomplete } else { Outcome::Good })
}

fn pair(line: &str) -> Result<(String, String), Error> {
    let parts = line.split_once('\t').or_else(|| line.trim().split_once(char::is_whitespace));
    let (a, b) = parts.ok_or_else(|| {
        Error::said(format!(
            "{line:?}: two versions belong on a line, between them a tab or a space"
        ))
    })?;
    Ok((a.trim().to_owned(), b.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> (Outcome, String) {
        let mut out = Vec::new();
        let arguments = ["sbom"].iter().chain(arguments);
        let verb = super::super::verb();
        let matches = verb.command.try_get_matches_from(arguments).expect("arguments");
        let outcome = (verb.run)(&matches, &mut out).expect("an outcome");
        (outcome, String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn versions_are_compared_by_their_ecosystem() {
        let (outcome, text) = run(&["order", "deb", "1.0~rc1", "1.0"]);
        assert_eq!((outcome, text.trim_end()), (Outcome::Good, "1.0~rc1  <  1.0"));
        let (outcome, text) = run(&["order", "npm", "1.0", "1.0.0"]);
        assert_eq!(outcome, Outcome::Incomplete);
        assert!(text.contains('?') && text.contains("fewer than three numbers"), "{text}");
    }

    #[test]
    fn a_name_that_is_none_is_found() {
        let (outcome, text) = run(&["purl", "pkg:PYPI/Django_package@1.11.1.dev1", "pkg:swift/x"]);
        assert_eq!(
            (outcome, text.as_str()),
            (Outcome::Found, "pkg:pypi/django-package@1.11.1.dev1\n")
        );
    }
}
