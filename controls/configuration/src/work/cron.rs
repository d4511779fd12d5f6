//! Tables of cron. Values of variables are kept only for the ones that steer cron itself; commands
//! lose what looks like a secret.

use super::parse::{Parsed, cut_secrets, lines};
use serde_json::{Value, json};

const STEERING: [&str; 6] = ["PATH", "SHELL", "HOME", "MAILTO", "MAILFROM", "CRON_TZ"];

/// Entries in order, each `{schedule, user, command}` or `{variable, value}`. A table of a user has
/// no user column.
pub(super) fn table(text: &str, owner: Option<&str>) -> (Vec<Value>, Parsed) {
    let mut entries = Vec::new();
    let mut parsed = Parsed::default();
    for (number, line) in lines(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match variable(line).or_else(|| entry(line, owner)) {
            Some(fact) => entries.push(fact),
            None => parsed.problem(number, "not an entry of cron"),
        }
    }
    (entries, parsed)
}

fn variable(line: &str) -> Option<Value> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim().trim_matches(['"', '\'']);
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(named) {
        return None;
    }
    let shown = if STEERING.contains(&name) { value.trim() } else { "[cut]" };
    Some(json!({ "variable": name, "value": shown }))
}

fn entry(line: &str, owner: Option<&str>) -> Option<Value> {
    let columns = if line.starts_with('@') { 1 } else { 5 };
    let mut schedule = Vec::new();
    let mut rest = line;
    for _ in 0..columns {
        schedule.push(word(&mut rest)?);
    }
    let user = match owner {
        Some(owner) => owner,
        None => word(&mut rest)?,
    };
    let command = rest.trim();
    if command.is_empty() {
        return None;
    }
    let schedule = schedule.join(" ");
    Some(json!({ "schedule": schedule, "user": user, "command": cut_secrets(command) }))
}

fn word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let trimmed = rest.trim_start();
    let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
    let (word, after) = trimmed.split_at(end);
    *rest = after;
    (!word.is_empty()).then_some(word)
}

/// Debian's cron and run-parts skip names with other characters, such as `x.dpkg-old`.
pub(super) fn runs(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_entries_and_variables() {
        let text = "SHELL=/bin/sh\nDB_PASS=x\n# c\n5 4 * * *\troot  run --token abc\n\
            @reboot root x=1 y\n1 2 3\n";
        let (entries, parsed) = table(text, None);
        assert_eq!(entries[0], json!({"variable": "SHELL", "value": "/bin/sh"}));
        assert_eq!(entries[1]["value"], "[cut]");
        assert_eq!(entries[2]["schedule"], "5 4 * * *");
        assert_eq!(entries[2]["command"], "run --token [cut]");
        assert_eq!(entries[3]["command"], "x=1 y");
        assert_eq!(parsed.problems.len(), 1);
    }

    #[test]
    fn a_table_of_a_user_has_no_user_column() {
        let (entries, _) = table("0 0 * * 0 backup all\n", Some("eve"));
        assert_eq!(entries[0]["user"], "eve");
        assert_eq!(entries[0]["command"], "backup all");
    }

    #[test]
    fn names_with_a_dot_do_not_run() {
        assert!(runs("e2scrub_all") && !runs("x.dpkg-old") && !runs(""));
    }
}
