//! `ume indicators build`: sets from rows, and from warning lists.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::Path,
};

use clap::{Arg, ArgAction, ArgMatches, Command};
use indicators::{
    Entry, Micros, Row, Set,
    ndjson::{self, Said},
    set::{Change, Damage, Limits, Summary, build, build_delta},
    validity::{Context, State, entries, validity},
    warning,
};
use netname::Names;
use room::{Error, Outcome};

use super::input::{Faults, Lines, Maps, at, at_of, files, path, path_of, paths_of};
use intel::Map;

pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let seed = Arg::new("seed").long("seed").value_name("HEX").value_parser(seed).help(
        "32 hexadecimal digits that make the file the same again; without it a random number",
    );
    Command::new("build")
        .about(
            "Judge rows and write those that stand as a set; exit 3 where some could not be read",
        )
        .args([
            path("output", "Set to write").short('o').required(true),
            flag("delta", "Rows are what changed since: {\"gone\": ID} takes one away"),
            flag("lists", "Files are warning lists of MISP (list.json), each read whole"),
            path("warnings", "Set of warning lists to judge by"),
            path("own", "Set of own assets and what is never blocked"),
            at(),
            seed,
            files(),
        ])
}

fn seed(text: &str) -> Result<[u8; 16], &'static str> {
    let bytes = hex::decode(text).map_err(|_| "not 32 hexadecimal digits")?;
    bytes.try_into().map_err(|_| "not 32 hexadecimal digits")
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let target = path_of(matches, "output").unwrap_or(Path::new(""));
    let seed = match matches.get_one::<[u8; 16]>("seed") {
        Some(seed) => *seed,
        None => {
            let mut seed = [0; 16];
            getrandom::fill(&mut seed).map_err(Error::said)?;
            seed
        }
    };
    let told = Told::default();
    let summary = if matches.get_flag("lists") {
        let listed = read_lists(&paths_of(matches, "file"), &told)?;
        written(target, |to| Ok(build(listed, seed, &Limits::DEFAULT, to)))?
    } else {
        judged(matches, target, seed, &told)?
    };
    print(&summary, &told, out);
    Ok(if told.faults.borrow().any() { Outcome::Incomplete } else { Outcome::Good })
}

/// What is told of the rows while they go by.
#[derive(Default)]
struct Told {
    faults: RefCell<Faults>,
    states: RefCell<BTreeMap<&'static str, u64>>,
}

impl Told {
    fn count(&self, word: &'static str) {
        *self.states.borrow_mut().entry(word).or_default() += 1;
    }
}

/// Writes under a temporary name, so that whoever reads the set has the old or the new one, also
/// when the command is stopped.
fn written(
    target: &Path,
    write: impl FnOnce(
        &mut BufWriter<&mut std::fs::File>,
    ) -> Result<Result<Summary, indicators::set::BuildError>, Error>,
) -> Result<Summary, Error> {
    let failed = |source| Error::Io { path: target.to_owned(), source };
    let temporary = target.with_extension("tmp");
    let mut file = disk::File::create(&temporary).map_err(failed)?;
    let mut to = BufWriter::with_capacity(1 << 20, file.file());
    let named = |error| Error::said(format!("{}: {error}", target.display()));
    let summary = write(&mut to).and_then(|built| built.map_err(named)).inspect_err(|_| {
        let _ = disk::remove_file(&temporary);
    })?;
    to.flush().map_err(failed)?;
    drop(to);
    file.sync().map_err(failed)?;
    disk::rename(&temporary, target).map_err(failed)?;
    Ok(summary)
}

fn judged(
    matches: &ArgMatches,
    target: &Path,
    seed: [u8; 16],
    told: &Told,
) -> Result<Summary, Error> {
    let maps = |name: &str| path_of(matches, name).map(|path| Maps::open(&[path])).transpose();
    let (warnings, own) = (maps("warnings")?, maps("own")?);
    let warnings = warnings.as_ref().map(Maps::set).transpose()?;
    let own = own.as_ref().map(Maps::set).transpose()?;
    let names = Names::shipped();
    let ctx = Context { warnings: warnings.as_ref(), own: own.as_ref(), ..Context::new(&names) };
    let stop = RefCell::new(None);
    let rows = Rows {
        lines: Lines::of(matches),
        next: 0,
        ready: Vec::new(),
        ctx,
        at: at_of(matches),
        told,
        stop: &stop,
    };
    written(target, |to| {
        let built = match matches.get_flag("delta") {
            true => build_delta(rows, seed, &Limits::DEFAULT, to),
            false => build(rows.filter_map(put), seed, &Limits::DEFAULT, to),
        };
        stop.take().map_or(Ok(built), Err)
    })
}

fn put(change: Change) -> Option<Entry> {
    match change {
        Change::Put(entry) => Some(entry),
        Change::Gone(_) => None,
    }
}

/// Rows of the input as they are judged.
struct Rows<'c> {
    lines: Lines,
    next: u64,
    ready: Vec<Change>,
    ctx: Context<'c>,
    at: Micros,
    told: &'c Told,
    /// What ended the input before its end.
    stop: &'c RefCell<Option<Error>>,
}

impl Iterator for Rows<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.ready.pop() {
                return Some(change);
            }
            match self.read() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.stop.replace(Some(error));
                    return None;
                }
            }
        }
    }
}

impl Rows<'_> {
    fn read(&mut self) -> Result<bool, Error> {
        let Some(line) = self.lines.next()? else { return Ok(false) };
        self.next += 1;
        let mut faults = self.told.faults.borrow_mut();
        let text = match line.text {
            Ok(text) => text,
            Err(why) => {
                faults.tell(line.file, line.number, why);
                return Ok(true);
            }
        };
        match ndjson::read(text, self.next, self.at, self.ctx.names) {
            Ok(Said::Gone(id)) => self.ready.push(Change::Gone(id)),
            Ok(Said::Row(row)) => self.ready = changes(&row, &self.ctx, self.at, self.told)?,
            Err(why) => faults.tell(line.file, line.number, why),
        }
        Ok(true)
    }
}

fn changes(row: &Row, ctx: &Context<'_>, at: Micros, told: &Told) -> Result<Vec<Change>, Error> {
    let damaged = |damage: Damage| Error::said(format!("the sets to judge by: {damage}"));
    let verdict = validity(row, ctx, at).map_err(damaged)?;
    told.count(verdict.state.as_str());
    if verdict.state == State::Active {
        told.count(verdict.ceiling.as_str());
    }
    let entries = entries(row, ctx, at).map_err(damaged)?;
    // Whatever an earlier file held of the row is over.
    if entries.is_empty() {
        return Ok(vec![Change::Gone(row.id)]);
    }
    Ok(entries.into_iter().map(Change::Put).collect())
}

fn read_lists(files: &[&Path], told: &Told) -> Result<Vec<Entry>, Error> {
    let names = Names::shipped();
    let mut all = Vec::new();
    for (number, path) in files.iter().enumerate() {
        let failed = |source| Error::Io { path: path.to_path_buf(), source };
        let json = Map::open(path).map_err(failed)?;
        let name = path.display().to_string();
        let number = u32::try_from(number).map_err(Error::said)?;
        let mut faults = told.faults.borrow_mut();
        match warning::read(&json, number, &names) {
            Ok(read) => {
                for (value, reject) in &read.refused {
                    faults.tell(&name, 0, format!("{value}: {reject}"));
                }
                all.extend(read.entries);
            }
            Err(why) => faults.tell(&name, 0, why),
        }
    }
    Ok(all)
}

fn print(summary: &Summary, told: &Told, out: &mut dyn Write) {
    // A closed pipe is no error.
    let mut line = |head: &str, value: String| {
        let _ = writeln!(out, "{head}  {value}");
    };
    line("root", hex::encode(summary.root));
    line("rows", summary.rows.to_string());
    line("bytes", summary.bytes.to_string());
    for (kind, count) in &summary.by_kind {
        line(kind.as_str(), count.to_string());
    }
    for (word, count) in told.states.borrow().iter() {
        line(word, count.to_string());
    }
    line("refused", told.faults.borrow().count().to_string());
}

/// What a set is judged with when it is explained.
pub(super) fn judging<'s>(
    names: &'s Names,
    warnings: Option<&'s Set<'s>>,
    own: Option<&'s Set<'s>>,
) -> Context<'s> {
    Context { warnings, own, ..Context::new(names) }
}
