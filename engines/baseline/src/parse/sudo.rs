//! Rules of sudoers with aliases resolved and includes where they stand.
//!
//! A rule is one command for one user on one host as one target. Of two rules for the same four the
//! later one counts, as sudo reads; where different rules may overlap, `order` says which comes last.
//!
//! Limits: 1,000 files, 20,000 rules.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sink, at, base, val};
use crate::{
    bytes::Bytes,
    fact::{Class, Origin, Value},
};

const FILES_MAX: usize = 1_000;
const RULES_MAX: usize = 20_000;
const ALIAS_DEPTH_MAX: usize = 32;

/// A line with continuations joined, and where it began.
struct Line {
    text: String,
    origin: Origin,
    path: String,
    number: u32,
}

#[derive(Default)]
struct Sudoers {
    lines: Vec<Line>,
    files: BTreeSet<String>,
    problems: Vec<(String, u32, &'static str)>,
}

pub(crate) fn facts(sink: &mut Sink<'_>) {
    let mut sudoers = Sudoers::default();
    sudoers.file(sink, "/etc/sudoers", 0);
    let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in &sudoers.lines {
        let Some((kind, rest)) = alias(&line.text) else { continue };
        for one in split(rest, ':') {
            if let Some((name, members)) = one.split_once('=') {
                let members = split(members, ',').into_iter().map(str::to_owned).collect();
                aliases.insert(format!("{kind} {}", name.trim()), members);
            }
        }
    }
    let mut order = Vec::new();
    for line in &sudoers.lines {
        if alias(&line.text).is_some() {
            continue;
        }
        if line.text.starts_with("Defaults") {
            defaults(sink, line);
        } else if !rules(sink, line, &aliases, &mut order) {
            sudoers.problems.push((line.path.clone(), line.number, "not a rule of sudoers"));
        }
        if order.len() > RULES_MAX {
            sudoers.problems.push((line.path.clone(), line.number, "too many rules"));
            break;
        }
    }
    // The last place of each rule is the one that counts.
    let mut seen = BTreeSet::new();
    let mut last: Vec<&String> = order.iter().rev().filter(|name| seen.insert(*name)).collect();
    last.reverse();
    if last.len() > 1 {
        let list = Value::List(last.into_iter().map(|name| val(name)).collect());
        sink.add(Class::Sudo, "order", list, at("/etc/sudoers", 0));
    }
    for (path, line, why) in sudoers.problems {
        sink.problem(&path, line, why);
    }
}

fn alias(line: &str) -> Option<(&'static str, &str)> {
    let kinds = ["User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias"];
    kinds.iter().find_map(|kind| {
        let rest = line.strip_prefix(kind)?;
        let kind = if *kind == "Cmd_Alias" { "Cmnd_Alias" } else { kind };
        rest.starts_with(char::is_whitespace).then_some((kind, rest.trim()))
    })
}

impl Sudoers {
    fn file(&mut self, sink: &Sink<'_>, path: &str, depth: usize) {
        if depth > 128 || self.files.len() >= FILES_MAX || !self.files.insert(path.to_owned()) {
            return;
        }
        let Some(text) = sink.text(path) else { return };
        let mut joined: Option<(String, u32)> = None;
        for (number, line) in super::lines(&text.text) {
            let (mut whole, from) = joined.take().unwrap_or((String::new(), number));
            let line = if whole.is_empty() { line.trim() } else { line.trim_start() };
            if let Some(more) = line.strip_suffix('\\') {
                whole.push_str(more);
                whole.push(' ');
                joined = Some((whole, from));
                continue;
            }
            whole.push_str(line);
            self.line(sink, &text.path, from, whole.trim(), depth);
        }
    }

    fn line(&mut self, sink: &Sink<'_>, path: &str, number: u32, whole: &str, depth: usize) {
        let mut words = whole.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match first {
            "@include" | "#include" => {
                let target = absolute(path, second);
                self.file(sink, &target, depth + 1);
                return;
            }
            "@includedir" | "#includedir" => {
                let folder = absolute(path, second);
                for path in
                    super::paths(sink.capture, &format!("{}/*", folder.trim_end_matches('/')))
                {
                    // sudo skips names with a dot, or a tilde at the end.
                    if !base(&path).contains('.') && !path.ends_with('~') {
                        self.file(sink, &path, depth + 1);
                    }
                }
                return;
            }
            _ => {}
        }
        let text = uncommented(whole);
        if !text.is_empty() {
            let origin = at(path, number);
            self.lines.push(Line { text, origin, path: path.to_owned(), number });
        }
    }
}

fn absolute(path: &str, target: &str) -> String {
    let target = target.trim_matches('"');
    match (target.starts_with('/'), path.rsplit_once('/')) {
        (false, Some((folder, _))) => format!("{folder}/{target}"),
        _ => target.to_owned(),
    }
}

/// Without a comment; `#` before digits is a uid, and within quotes a character.
fn uncommented(line: &str) -> String {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        let next_is_digit =
            line[at + c.len_utf8()..].starts_with(|c: char| c.is_ascii_digit() || c == '-');
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted && !next_is_digit => return line[..at].trim().to_owned(),
            _ => {}
        }
    }
    line.trim().to_owned()
}

/// Parts between a sign, which may be escaped, quoted or within parentheses.
fn split(text: &str, sign: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut quoted, mut escaped, mut depth) = (0, false, false, 0i32);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            c if c == sign && !quoted && depth <= 0 => {
                parts.push(text[from..at].trim());
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// `Defaults[scope] name=value, !name, name+=value`.
fn defaults(sink: &mut Sink<'_>, line: &Line) {
    let rest = &line.text["Defaults".len()..];
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (mut scope, mut rest) = (rest[..end].to_owned(), rest[end..].trim());
    // `Defaults:a, b x` may have blanks in its list.
    while scope.ends_with(',') {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        scope.push_str(&rest[..end]);
        rest = rest[end..].trim();
    }
    for one in split(rest, ',') {
        let (name, value) = match one.find(['=', '+', '-']) {
            Some(at) if one[at..].starts_with('=') => (&one[..at], one[at + 1..].trim()),
            Some(at) if one[at..].get(1..2) == Some("=") => (&one[..at], &one[at..]),
            _ => match one.strip_prefix('!') {
                Some(name) => (name, "false"),
                None => (one, "true"),
            },
        };
        let key = format!("Defaults{scope} {}", name.trim());
        let value = super::unquote(value);
        if value.starts_with("+=") || value.starts_with("-=") {
            sink.add(Class::Sudo, Bytes::parse(&key), val(&value), line.origin.clone());
        } else {
            sink.set(Class::Sudo, &key, val(&value), line.origin.clone());
        }
    }
}

type Aliases = BTreeMap<String, Vec<String>>;

/// Members of a list with its aliases resolved.
fn members(list: &str, kind: &str, aliases: &Aliases) -> Vec<String> {
    let mut out = Vec::new();
    for one in split(list, ',') {
        resolve(one, kind, aliases, 0, &mut out);
    }
    out
}

fn resolve(one: &str, kind: &str, aliases: &Aliases, depth: usize, out: &mut Vec<String>) {
    let bare = one.trim_start_matches(['!', ' ']);
    let negated = (one.len() - bare.len()) % 2 == 1 && one.starts_with('!');
    match aliases.get(&format!("{kind} {bare}")) {
        Some(list) if depth < ALIAS_DEPTH_MAX && out.len() < RULES_MAX => {
            let from = out.len();
            list.iter().for_each(|one| resolve(one, kind, aliases, depth + 1, out));
            if negated {
                out[from..].iter_mut().for_each(|one| *one = format!("!{one}"));
            }
        }
        _ => out.push(one.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// `users hosts = [(runas)] [TAG:] command, … [: hosts = …]`.
fn rules(sink: &mut Sink<'_>, line: &Line, aliases: &Aliases, order: &mut Vec<String>) -> bool {
    let Some((head, _)) = line.text.split_once('=') else { return false };
    let Some((users, _)) = users_and_host(head) else { return false };
    let users_list = members(users, "User_Alias", aliases);
    let rest = line.text[users.len()..].trim();
    let mut any = false;
    for spec in split_specs(rest) {
        let Some((hosts, commands)) = spec.split_once('=') else { return false };
        let hosts = members(hosts, "Host_Alias", aliases);
        let mut runas = "root".to_owned();
        let mut tags: BTreeMap<String, bool> = BTreeMap::new();
        let mut options: BTreeMap<String, Value> = BTreeMap::new();
        for command in split(commands, ',') {
            let mut text = command;
            if let Some(rest) = text.strip_prefix('(') {
                let Some((inside, after)) = rest.split_once(')') else { return false };
                runas = runas_text(inside, aliases);
                text = after.trim();
            }
            text = take_options(text, &mut options);
            text = take_tags(text, &mut tags);
            for command in members(text, "Cmnd_Alias", aliases) {
                for user in &users_list {
                    for host in &hosts {
                        any = true;
                        if order.len() > RULES_MAX {
                            return true;
                        }
                        let name = format!("{user} on {host} as {runas}: {command}");
                        let mut map = BTreeMap::from([
                            ("user".to_owned(), val(user)),
                            ("host".to_owned(), val(host)),
                            ("runas".to_owned(), val(&runas)),
                            ("command".to_owned(), val(&command)),
                            (
                                "nopasswd".to_owned(),
                                Value::Bool(tags.get("PASSWD") == Some(&false)),
                            ),
                        ]);
                        for (tag, on) in tags.iter().filter(|(tag, _)| *tag != "PASSWD") {
                            map.insert(tag.to_ascii_lowercase(), Value::Bool(*on));
                        }
                        map.extend(options.clone());
                        sink.set(Class::Sudo, &name, Value::Map(map), line.origin.clone());
                        order.push(name);
                    }
                }
            }
        }
    }
    any
}

/// What stands before the first host: a list, in which blanks may follow commas.
fn users_and_host(head: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let mut last = ',';
    for (at, c) in head.char_indices() {
        if c == '"' {
            quoted = !quoted;
        }
        if c.is_whitespace() && !quoted {
            let rest = head[at..].trim_start();
            if last != ',' && last != '!' && last != '\\' && !rest.starts_with(',') {
                return (!rest.is_empty()).then_some((&head[..at], rest));
            }
        } else {
            last = c;
        }
    }
    None
}

/// Specs of hosts, parted by `:` where an `=` with a list of hosts follows; tags end in `:` too.
fn split_specs(text: &str) -> Vec<&str> {
    let parts = split(text, ':');
    let mut specs: Vec<&str> = Vec::new();
    let start = text.as_ptr() as usize;
    for part in parts {
        let at = part.as_ptr() as usize - start;
        let hosts = part.split_once('=').map(|(hosts, _)| hosts.trim());
        let is_spec = hosts.is_some_and(|hosts| {
            !hosts.is_empty()
                && !hosts.contains(['/', '('])
                && !hosts.split(',').any(|h| h.trim().contains(' '))
        });
        match specs.last_mut() {
            Some(last) if !is_spec => {
                let from = last.as_ptr() as usize - start;
                *last = &text[from..at + part.len()];
            }
            _ => specs.push(part),
        }
    }
    specs
}

fn runas_text(inside: &str, aliases: &Aliases) -> String {
    let (users, groups) = inside.split_once(':').map_or((inside, ""), |(u, g)| (u, g));
    let users = members(users, "Runas_Alias", aliases).join(",");
    let groups = members(groups, "Runas_Alias", aliases).join(",");
    if groups.is_empty() { users } else { format!("{users}:{groups}") }
}

const TAGS: [&str; 8] =
    ["PASSWD", "EXEC", "SETENV", "LOG_INPUT", "LOG_OUTPUT", "MAIL", "FOLLOW", "INTERCEPT"];

/// Tags last to the end of the list.
fn take_tags<'a>(mut text: &'a str, tags: &mut BTreeMap<String, bool>) -> &'a str {
    while let Some((word, rest)) = text.split_once(':') {
        let word = word.trim();
        let (name, on) = word.strip_prefix("NO").map_or((word, true), |name| (name, false));
        if !TAGS.contains(&name) {
            break;
        }
        tags.insert(name.to_owned(), on);
        text = rest.trim();
    }
    text
}

/// `CWD=…`, `CHROOT=…`, `TIMEOUT=…`, `ROLE=…`, `NOTBEFORE=…` before a command.
fn take_options<'a>(mut text: &'a str, options: &mut BTreeMap<String, Value>) -> &'a str {
    while let Some((name, rest)) = text.split_once('=') {
        let known = [
            "CWD",
            "CHROOT",
            "TIMEOUT",
            "ROLE",
            "TYPE",
            "NOTBEFORE",
            "NOTAFTER",
            "PRIVS",
            "LIMITPRIVS",
        ];
        if !known.contains(&name.trim()) {
            break;
        }
        let (value, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        options.insert(name.trim().to_ascii_lowercase(), val(value));
        text = after.trim();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Capture;

    fn read(texts: &[(&str, &str)]) -> Vec<crate::Fact> {
        let capture = crate::testing::capture(texts);
        let mut sink = Sink::new(&capture);
        facts(&mut sink);
        assert!(sink.unread.is_empty(), "{:?}", sink.unread);
        sink.facts
    }

    fn nopasswd(facts: &[crate::Fact], name: &str) -> Option<bool> {
        let fact = facts.iter().find(|fact| fact.name.to_string() == name)?;
        fact.value.get("nopasswd").and_then(Value::as_bool)
    }

    #[test]
    fn aliases_tags_and_includes_are_resolved() {
        let facts = read(&[
            (
                "/etc/sudoers",
                "Defaults env_reset, timestamp_timeout=5\nDefaults:ann !authenticate\n\
                 User_Alias OPS = ann, bob\nCmnd_Alias SVC = /bin/systemctl restart a, \\\n /bin/ls\n\
                 OPS ALL = (root) NOPASSWD: SVC, PASSWD: /bin/cat\n%sudo ALL=(ALL:ALL) ALL # c\n\
                 eve h1, h2 = /bin/x : h3 = (www) /bin/y\n@includedir /etc/sudoers.d\n",
            ),
            ("/etc/sudoers.d/x", "%sudo ALL=(ALL:ALL) NOPASSWD: ALL\n"),
            ("/etc/sudoers.d/y.bak", "broken\n"),
        ]);
        assert_eq!(nopasswd(&facts, "bob on ALL as root: /bin/systemctl restart a"), Some(true));
        assert_eq!(nopasswd(&facts, "ann on ALL as root: /bin/cat"), Some(false));
        // The last rule for the same counts.
        assert_eq!(nopasswd(&facts, "%sudo on ALL as ALL:ALL: ALL"), Some(true));
        assert_eq!(nopasswd(&facts, "eve on h2 as root: /bin/x"), Some(false));
        assert_eq!(nopasswd(&facts, "eve on h3 as www: /bin/y"), Some(false));
        let value =
            |name: &str| facts.iter().find(|f| f.name.to_string() == name).map(|f| f.value.shown());
        assert_eq!(value("Defaults timestamp_timeout").as_deref(), Some("5"));
        assert_eq!(value("Defaults:ann authenticate").as_deref(), Some("false"));
    }

    #[test]
    fn any_text_is_taken() {
        for text in
            ["a", "=", "a b =", "a b = (", "Defaults", "User_Alias A = A\nA ALL = A", ": : =", "\\"]
        {
            let capture: Capture = crate::testing::capture(&[("/etc/sudoers", text)]);
            facts(&mut Sink::new(&capture));
        }
    }
}
