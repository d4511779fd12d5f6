//! `/var/log/apt/history.log`: which run of apt brought which packages, and who asked for it.
//!
//! Times there are of the host's own clock and zone, so they stay texts until [`Run::timed`] is told the zone. A run
//! without end (it was killed, or goes on) ends where it began.

use serde::{Deserialize, Serialize};

/// Runs of one file.
const RUNS_MAX: usize = 2_000;
const PACKAGES_MAX: usize = 5_000;
const TEXT_CHARS_MAX: usize = 600;

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// Microseconds since 1970.
    pub from: i64,
    pub to: i64,
    pub command: String,
    /// Account and its number, as sudo or polkit said; empty if root ran it itself.
    pub account: String,
    pub uid: Option<u32>,
    /// `name:architecture`, as far as the log says the architecture.
    pub packages: Vec<String>,
}

/// All runs, oldest first. `clock` makes microseconds of `2026-11-29 05:24:10`; a run whose time is none is left
/// out. `secret` cuts secrets out of a command line.
pub fn history(
    text: &str,
    clock: &dyn Fn(&str) -> Option<i64>,
    secret: &dyn Fn(&str) -> String,
) -> Vec<Run> {
    let paragraphs: Vec<&str> = text.split("\n\n").collect();
    let from = paragraphs.len().saturating_sub(RUNS_MAX);
    paragraphs[from..].iter().filter_map(|paragraph| run(paragraph, clock, secret)).collect()
}

fn run(
    paragraph: &str,
    clock: &dyn Fn(&str) -> Option<i64>,
    secret: &dyn Fn(&str) -> String,
) -> Option<Run> {
    let mut run = Run::default();
    let (mut from, mut to) = (None, None);
    for line in paragraph.lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name {
            "Start-Date" => from = clock(&value.replace("  ", " ")),
            "End-Date" => to = clock(&value.replace("  ", " ")),
            "Commandline" => {
                run.command = secret(value).chars().take(TEXT_CHARS_MAX).collect();
            }
            "Requested-By" => {
                let (account, uid) = value.split_once(" (").unwrap_or((value, ""));
                run.account = account.chars().take(TEXT_CHARS_MAX).collect();
                run.uid = uid.trim_end_matches(')').parse().ok();
            }
            "Install" | "Upgrade" | "Downgrade" | "Reinstall" | "Remove" | "Purge" => {
                let room = PACKAGES_MAX.saturating_sub(run.packages.len());
                run.packages.extend(packages(value).take(room));
            }
            _ => {}
        }
    }
    run.from = from?;
    run.to = to.unwrap_or(run.from).max(run.from);
    Some(run)
}

/// `a:amd64 (1, 2), b:amd64 (3, automatic)`: commas stand inside brackets too.
fn packages(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split("), ").filter_map(|one| {
        let name = one.split_once(" (").map_or(one, |(name, _)| name).trim();
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"+-.:".contains(&b);
        (!name.is_empty() && name.len() < 200 && name.bytes().all(is_name)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: &str = "
Start-Date: 2026-11-29  05:10:00
Commandline: apt-get install -y nginx-light
Requested-By: ann (1000)
Install: nginx-light:amd64 (1.22.1-9), nginx-common:amd64 (1.22.1-9, automatic)
Upgrade: libc6:amd64 (2.36-9, 2.36-10)
End-Date: 2026-11-29  05:10:09

Start-Date: 2026-11-29  06:00:00
Commandline: /usr/bin/unattended-upgrade
Remove: old:amd64 (1)
Error: Sub-process /usr/bin/dpkg returned an error code (1)

Start-Date: yesterday
Install: x:amd64 (1)
";

    /// Seconds of the day are enough here.
    fn clock(text: &str) -> Option<i64> {
        let (_, time) = text.split_once(' ')?;
        let mut parts = time.split(':').map(|part| part.parse::<i64>().ok());
        Some(parts.next()?? * 3600 + parts.next()?? * 60 + parts.next()??)
    }

    #[test]
    fn runs_say_who_asked_for_which_packages() {
        let runs = history(LOG, &clock, &str::to_owned);
        assert_eq!(runs.len(), 2, "{runs:?}");
        assert_eq!((runs[0].from, runs[0].to), (18_600, 18_609));
        assert_eq!((runs[0].account.as_str(), runs[0].uid), ("ann", Some(1000)));
        assert_eq!(runs[0].packages, ["nginx-light:amd64", "nginx-common:amd64", "libc6:amd64"]);
        assert_eq!((runs[1].account.as_str(), runs[1].uid), ("", None));
        assert_eq!(runs[1].to, runs[1].from);
        assert_eq!(runs[1].packages, ["old:amd64"]);
    }

    #[test]
    fn a_command_line_is_cut_before_it_is_kept() {
        let runs = history(LOG, &clock, &|_| "cut".to_owned());
        assert!(runs.iter().all(|run| run.command == "cut"));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text: String) {
            let _ = history(&text, &clock, &str::to_owned);
        }
    }
}
