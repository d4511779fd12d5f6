//! Parsers of what hosts are configured with; each takes texts of a capture and gives facts.
//!
//! Invariants: any bytes are accepted; what is not understood is told with its line and never
//! quoted, since it may be a secret; where order means nothing, lists are sorted.

pub(crate) mod access;
pub(crate) mod accounts;
pub(crate) mod apt;
pub(crate) mod cron;
pub(crate) mod dpkg;
pub(crate) mod live;
pub(crate) mod pam;
pub(crate) mod plain;
pub(crate) mod sshd;
pub(crate) mod sudo;
pub(crate) mod sysctl;
pub(crate) mod systemd;
pub(crate) mod units;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    bytes::Bytes,
    capture::Capture,
    fact::{Class, Fact, Fingerprint, Origin, Unread, Value},
    glob,
};

/// Problems told of one file.
const PROBLEMS_MAX: usize = 100;
/// Facts of one class: a hostile file must not fill the memory.
const FACTS_MAX: usize = 200_000;
/// Files matched by one pattern.
const MATCHES_MAX: usize = 1_000;

/// Takes facts and problems.
pub(crate) struct Sink<'a> {
    pub capture: &'a Capture,
    pub facts: Vec<Fact>,
    keys: HashSet<(Class, Bytes)>,
    counts: BTreeMap<Class, usize>,
    problems: BTreeMap<Bytes, usize>,
    pub unread: BTreeSet<Unread>,
}

/// A text of the host and its path.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// Real path, as text.
    pub path: String,
    pub text: String,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(capture: &'a Capture) -> Self {
        Self {
            capture,
            facts: Vec::new(),
            keys: HashSet::new(),
            counts: BTreeMap::new(),
            problems: BTreeMap::new(),
            unread: BTreeSet::new(),
        }
    }

    /// Adds a fact. A second one of the same name is a fact too, named `name#2`: a second root
    /// hides there.
    pub(crate) fn add(
        &mut self,
        class: Class,
        name: impl Into<Bytes>,
        value: Value,
        origin: Origin,
    ) {
        let count = self.counts.entry(class).or_default();
        *count += 1;
        if *count > FACTS_MAX {
            let reason = "too many facts of one class".to_owned();
            self.unread.insert(Unread { place: class.as_str().into(), reason });
            return;
        }
        let mut name: Bytes = name.into();
        let first = name.clone();
        let mut number = 1;
        while !self.keys.insert((class, name.clone())) {
            number += 1;
            name = Bytes([&first.0[..], format!("#{number}").as_bytes()].concat());
        }
        self.facts.push(Fact { class, name, value, origin });
    }

    /// Adds a fact or replaces it: the later one counts.
    pub(crate) fn set(&mut self, class: Class, name: &str, value: Value, origin: Origin) {
        let name = Bytes::parse(name);
        if self.keys.contains(&(class, name.clone())) {
            if let Some(fact) =
                self.facts.iter_mut().rev().find(|f| f.class == class && f.name == name)
            {
                (fact.value, fact.origin) = (value, origin);
            }
            return;
        }
        self.add(class, name, value, origin);
    }

    pub(crate) fn problem(&mut self, path: &str, line: u32, reason: &str) {
        let count = self.problems.entry(Bytes::parse(path)).or_default();
        *count += 1;
        if *count <= PROBLEMS_MAX {
            let place = if line == 0 { path.to_owned() } else { format!("{path}:{line}") };
            self.unread.insert(Unread { place: Bytes::parse(&place), reason: reason.to_owned() });
        }
    }

    pub(crate) fn secret(&mut self, name: &str, print: Fingerprint, origin: Origin) {
        self.add(Class::Secret, Bytes::parse(name), Value::Secret(print), origin);
    }

    /// The text at a path, links followed; none when it is not there or was not read.
    pub(crate) fn text(&self, path: &str) -> Option<Text> {
        text(self.capture, path)
    }

    /// Texts whose path matches a pattern, sorted by the path as written.
    pub(crate) fn matching(&self, pattern: &str) -> Vec<Text> {
        paths(self.capture, pattern).iter().filter_map(|path| self.text(path)).collect()
    }

    /// Files of one ending over several folders, strongest first: a name in an earlier folder hides
    /// the later ones. Sorted by name; an empty file or a link to `/dev/null` hides and says nothing.
    pub(crate) fn layered(&self, folders: &[&str], end: &str) -> Vec<Text> {
        let mut names: BTreeMap<String, Option<Text>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for folder in folders {
            let Ok(real) = self.capture.resolve(folder.as_bytes()) else { continue };
            if !seen.insert(real.clone()) {
                continue;
            }
            for entry in self.capture.list(&real) {
                let path = Bytes(entry.path.to_vec()).to_string();
                let name = base(&path).to_owned();
                if name.ends_with(end) && !names.contains_key(&name) {
                    let masked = entry.target.as_deref() == Some(b"/dev/null");
                    let text = if masked { None } else { self.text(&path) };
                    names.insert(name, text);
                }
            }
        }
        names.into_values().flatten().collect()
    }
}

/// The text at a path, links followed.
pub(crate) fn text(capture: &Capture, path: &str) -> Option<Text> {
    let raw = Bytes::parse(path);
    let real = capture.resolve(raw.as_slice()).unwrap_or_else(|_| raw.0.clone());
    let content = capture.contents.get(&real[..])?;
    if content.withheld {
        return None;
    }
    Some(Text { path: Bytes(real).to_string(), text: Bytes(content.bytes.clone()).to_string() })
}

/// Paths that match a shell pattern, sorted; a pattern without wildcards is the path itself.
pub(crate) fn paths(capture: &Capture, pattern: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for step in pattern.split('/').filter(|step| !step.is_empty() && *step != ".") {
        if !glob::is_pattern(step.as_bytes()) {
            found.iter_mut().for_each(|path| {
                path.push('/');
                path.push_str(step);
            });
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let Ok(real) = capture.resolve(Bytes::parse(folder).as_slice()) else { continue };
            let names = capture.list(&real).map(|entry| Bytes(entry.path.to_vec()).to_string());
            let names = names.map(|path| base(&path).to_owned());
            let fitting = names.filter(|name| glob::name(step.as_bytes(), name.as_bytes()));
            next.extend(fitting.map(|name| format!("{folder}/{name}")));
        }
        next.truncate(MATCHES_MAX);
        found = next;
    }
    found.retain(|path| capture.resolve(Bytes::parse(path).as_slice()).is_ok());
    found
}

/// The last component.
pub(crate) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Lines with their numbers from 1.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (1..).zip(text.lines())
}

/// Lines that are neither empty nor a comment, trimmed.
pub(crate) fn settings(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let trimmed = lines(text).map(|(number, line)| (number, line.trim()));
    trimmed.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// A line of a file.
pub(crate) fn at(path: &str, line: u32) -> Origin {
    Origin::File(Bytes::parse(path), line)
}

/// A text value of the text form.
pub(crate) fn val(text: &str) -> Value {
    Value::Text(Bytes::parse(text))
}

/// A sorted list of texts.
pub(crate) fn sorted<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    let set: BTreeSet<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    Value::List(set.into_iter().map(val).collect())
}

/// Without the quotes around it, as a shell reads an assignment.
pub(crate) fn unquote(value: &str) -> String {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

/// A paragraph of a deb822 file: first line and fields with lower-case names.
pub(crate) struct Paragraph {
    pub line: u32,
    pub fields: BTreeMap<String, String>,
}

impl Paragraph {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// Paragraphs of a deb822 file, with the fields in `wanted`; lines that are none go to `problem`.
pub(crate) fn paragraphs(
    text: &str,
    wanted: &[&str],
    mut problem: impl FnMut(u32, &str),
) -> Vec<Paragraph> {
    let mut done = Vec::new();
    let mut open: Option<Paragraph> = None;
    let mut last: Option<String> = None;
    for (number, line) in lines(text) {
        if line.trim().is_empty() {
            done.extend(open.take());
            last = None;
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let paragraph =
            open.get_or_insert_with(|| Paragraph { line: number, fields: BTreeMap::new() });
        if line.starts_with([' ', '\t']) {
            if let Some(value) = last.as_ref().and_then(|name| paragraph.fields.get_mut(name)) {
                value.push('\n');
                value.push_str(line.trim());
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            problem(number, "not Field: value");
            last = None;
            continue;
        };
        let name = name.trim();
        let kept = wanted.iter().find(|wanted| wanted.eq_ignore_ascii_case(name));
        last = kept.map(|name| (*name).to_owned());
        if let Some(name) = kept {
            if paragraph.fields.insert((*name).to_owned(), value.trim().to_owned()).is_some() {
                problem(number, "field given twice");
            }
        }
    }
    done.extend(open);
    done
}

/// A file of `key = value` in sections: section, key, value, line.
pub(crate) fn ini(text: &str) -> Vec<(String, String, String, u32)> {
    let mut section = String::new();
    let mut found = Vec::new();
    let mut joined: Option<(String, u32)> = None;
    for (number, line) in lines(text) {
        let trimmed = line.trim();
        if joined.is_none() && (trimmed.is_empty() || trimmed.starts_with(['#', ';'])) {
            continue;
        }
        let (mut whole, from) = joined.take().unwrap_or((String::new(), number));
        // A comment within a continued line is skipped.
        if !whole.is_empty() && trimmed.starts_with(['#', ';']) {
            joined = Some((whole, from));
            continue;
        }
        if let Some(more) = trimmed.strip_suffix('\\') {
            whole.push_str(more);
            whole.push(' ');
            joined = Some((whole, from));
            continue;
        }
        whole.push_str(trimmed);
        if let Some(name) = whole.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = whole.split_once('=') {
            found.push((section.clone(), key.trim().to_owned(), value.trim().to_owned(), from));
        }
    }
    found
}
