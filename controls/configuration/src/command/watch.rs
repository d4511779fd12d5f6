//! `ume baseline watch`: who changes files, one line of JSON each, without a server.

use std::{
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use room::{Error, Outcome};
use serde_json::json;

use super::key_of;
use crate::work::watch::{Places, Seen, Watch};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What waits for a reader of the output; beyond, it is a gap.
const PATHS_MAX: usize = 100;

pub fn command() -> Command {
    Command::new("watch")
        .about("Print who changes files as they are changed, one line of JSON each; needs root; exit 3 if some went by unseen")
        .arg(
            Arg::new("PATH")
                .value_parser(value_parser!(PathBuf))
                .action(ArgAction::Append)
                .help("Folders to watch; without any, what the collection reads of this host"),
        )
        .arg(
            Arg::new("root")
                .long("root")
                .value_name("DIR")
                .conflicts_with("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Folder that holds the root of a host: what the collection reads there"),
        )
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..=86_400))
                .help("Stop after this time; without it, at Ctrl-C"),
        )
        .arg(super::key())
}

fn places(matches: &ArgMatches) -> Result<Places, Error> {
    let real = |path: &PathBuf| {
        path.canonicalize().map_err(|source| Error::Io { path: path.clone(), source })
    };
    if let Some(root) = super::path(matches, "root") {
        return Ok(Places::Root(real(root)?));
    }
    let Some(paths) = matches.get_many::<PathBuf>("PATH") else { return Ok(Places::Host) };
    if paths.len() > PATHS_MAX {
        return Err(Error::said(format!("more than {PATHS_MAX} folders")));
    }
    Ok(Places::Below(paths.map(real).collect::<Result<_, _>>()?))
}

pub fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let (key, places) = (key_of(matches)?, places(matches)?);
    let until = matches.get_one::<u64>("seconds").map(|s| Instant::now() + Duration::from_secs(*s));
    let stopped = interrupted();
    let (send, seen) = channel();
    let clock = || jiff::Timestamp::now().as_microsecond();
    let watch = Watch::start(places, None, key, clock, move |seen| {
        let _ = send.send(seen);
    });
    let status = watch.status();
    if let Some(trouble) = status.trouble {
        return Err(Error::said(trouble));
    }
    for (place, reason) in &status.unwatched {
        eprintln!("ume: {}: not watched: {reason}", place.display());
    }
    let mut missed = !status.unwatched.is_empty();
    while !stopped.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until) {
        let seen = match seen.recv_timeout(LOOK_EVERY) {
            Ok(seen) => seen,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let line = match seen {
            Seen::Touch { path, how, at, doer } => {
                let at = jiff::Timestamp::from_microsecond(at).map_err(Error::said)?;
                json!({ "at": at.to_string(), "path": path, "how": how, "doer": doer })
            }
            Seen::Gap(why) => {
                missed = true;
                json!({ "gap": why })
            }
            Seen::Canary => continue,
        };
        // A closed pipe (`| head`) ends it.
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    if let Some(trouble) = watch.status().trouble {
        return Err(Error::said(trouble));
    }
    Ok(if missed { Outcome::Incomplete } else { Outcome::Good })
}

/// Becomes true at Ctrl-C; where that cannot be heard of, the signal ends the program as ever.
fn interrupted() -> Arc<AtomicBool> {
    let stopped = Arc::<AtomicBool>::default();
    let told = stopped.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        if let Ok(runtime) = runtime
            && runtime.block_on(tokio::signal::ctrl_c()).is_ok()
        {
            told.store(true, Ordering::Relaxed);
        }
    });
    stopped
}
