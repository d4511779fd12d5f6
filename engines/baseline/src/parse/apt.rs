//! Package sources, keys, pins and settings of apt.
//!
//! A key written into a source is kept as its SHA-256. User parts of addresses were cut before.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Sink, Text, at, lines, paragraphs, settings, sorted, val};
use crate::{
    bytes::Bytes,
    capture::Digest,
    fact::{Class, Value},
};

const SOURCES_MAX: usize = 2_000;

const OPTIONS: [&str; 9] = [
    "signed-by",
    "trusted",
    "architectures",
    "languages",
    "allow-insecure",
    "allow-weak",
    "allow-downgrade-to-insecure",
    "check-valid-until",
    "date-max-future",
];

struct Source<'a> {
    kind: &'a str,
    uri: &'a str,
    suite: &'a str,
    components: Vec<&'a str>,
    options: BTreeMap<String, Value>,
    enabled: bool,
}

pub(crate) fn facts(sink: &mut Sink<'_>) {
    let mut texts: Vec<Text> = sink.text("/etc/apt/sources.list").into_iter().collect();
    texts.extend(sink.matching("/etc/apt/sources.list.d/*.list"));
    for text in texts {
        one_line(sink, &text);
    }
    for text in sink.matching("/etc/apt/sources.list.d/*.sources") {
        deb822(sink, &text);
    }
    keys(sink);
    let mut texts: Vec<Text> = sink.text("/etc/apt/preferences").into_iter().collect();
    texts.extend(sink.matching("/etc/apt/preferences.d/*"));
    for text in texts {
        pins(sink, &text);
    }
    let mut texts = sink.matching("/etc/apt/apt.conf.d/*");
    texts.extend(sink.text("/etc/apt/apt.conf"));
    let mut values = BTreeMap::new();
    for text in texts {
        config(&text, &mut values);
    }
    for (name, (list, origin)) in values {
        let value = match &list[..] {
            [one] => val(one),
            many => Value::List(many.iter().map(|one| val(one)).collect()),
        };
        sink.add(Class::AptConfig, Bytes::parse(&name), value, origin);
    }
}

fn add(sink: &mut Sink<'_>, source: &Source<'_>, text: &Text, line: u32) {
    let key = format!("{} {} {}", source.kind, source.uri, source.suite);
    let value = Value::map([
        ("components", sorted(source.components.iter().copied())),
        ("options", Value::Map(source.options.clone())),
        ("enabled", Value::Bool(source.enabled)),
        ("file", val(&text.path)),
    ]);
    sink.add(Class::AptSource, Bytes::parse(&key), value, at(&text.path, line));
}

fn one_line(sink: &mut Sink<'_>, text: &Text) {
    for (number, line) in lines(&text.text) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match one_source(line) {
            Some(source) => add(sink, &source, text, number),
            None => sink.problem(&text.path, number, "not a package source"),
        }
    }
}

fn one_source(line: &str) -> Option<Source<'_>> {
    let (kind, mut rest) = line.split_once(char::is_whitespace)?;
    if !matches!(kind, "deb" | "deb-src") {
        return None;
    }
    let mut options = BTreeMap::new();
    rest = rest.trim_start();
    if let Some(opened) = rest.strip_prefix('[') {
        let (inside, after) = opened.split_once(']')?;
        for option in inside.split_whitespace() {
            let (name, value) = option.split_once('=')?;
            options.insert(name.to_ascii_lowercase(), val(value));
        }
        rest = after;
    }
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    Some(Source { kind, uri, suite, components: words.collect(), options, enabled: true })
}

fn deb822(sink: &mut Sink<'_>, text: &Text) {
    let mut wanted = vec!["types", "uris", "suites", "components", "enabled"];
    wanted.extend(OPTIONS);
    let mut problems = Vec::new();
    let all = paragraphs(&text.text, &wanted, |line, why| problems.push((line, why.to_owned())));
    for (line, why) in problems {
        sink.problem(&text.path, line, &why);
    }
    let mut count = 0;
    for paragraph in &all {
        let options: BTreeMap<String, Value> = OPTIONS
            .iter()
            .filter(|name| !paragraph.get(name).is_empty())
            .map(|name| ((*name).to_owned(), option(paragraph.get(name))))
            .collect();
        let enabled = !matches!(
            paragraph.get("enabled").to_ascii_lowercase().as_str(),
            "no" | "false" | "0" | "off" | "without"
        );
        let before = count;
        for kind in paragraph.get("types").split_whitespace() {
            for uri in paragraph.get("uris").split_whitespace() {
                for suite in paragraph.get("suites").split_whitespace() {
                    let components = paragraph.get("components").split_whitespace().collect();
                    let options = options.clone();
                    let source = Source { kind, uri, suite, components, options, enabled };
                    add(sink, &source, text, paragraph.line);
                    count += 1;
                    // Three lists multiply; a hostile file must not fill the memory.
                    if count >= SOURCES_MAX {
                        sink.problem(&text.path, paragraph.line, "too many package sources");
                        return;
                    }
                }
            }
        }
        if count == before {
            sink.problem(&text.path, paragraph.line, "source without types, addresses or suites");
        }
    }
}

fn option(value: &str) -> Value {
    if value.contains("BEGIN PGP") {
        return val(&format!("sha256:{}", hex::encode(Sha256::digest(value.as_bytes()))));
    }
    val(value)
}

/// Rings that apt trusts: by path, with the digest of the file.
fn keys(sink: &mut Sink<'_>) {
    let mut paths = vec!["/etc/apt/trusted.gpg".to_owned()];
    for pattern in ["/etc/apt/trusted.gpg.d/*", "/etc/apt/keyrings/*"] {
        paths.extend(super::paths(sink.capture, pattern));
    }
    for path in paths {
        let Ok(real) = sink.capture.resolve(Bytes::parse(&path).as_slice()) else { continue };
        let Some(content) = sink.capture.contents.get(&real[..]) else { continue };
        let value = match content.digest {
            Digest::Plain(hash) => val(&hex::encode(hash)),
            Digest::Keyed(print) => Value::Secret(print),
        };
        sink.add(Class::AptKey, Bytes::parse(&path), value, at(&path, 0));
    }
}

fn pins(sink: &mut Sink<'_>, text: &Text) {
    let wanted = ["package", "pin", "pin-priority", "explanation"];
    let mut problems = Vec::new();
    let all = paragraphs(&text.text, &wanted, |line, why| problems.push((line, why.to_owned())));
    for (line, why) in problems {
        sink.problem(&text.path, line, &why);
    }
    for pin in all {
        let Ok(priority) = pin.get("pin-priority").parse::<i64>() else {
            sink.problem(&text.path, pin.line, "pin without priority");
            continue;
        };
        let key = format!("{} {}", pin.get("package"), pin.get("pin"));
        let value = Value::map([("priority", Value::Int(priority)), ("file", val(&text.path))]);
        sink.add(Class::AptPin, Bytes::parse(&key), value, at(&text.path, pin.line));
    }
}

type Values = BTreeMap<String, (Vec<String>, crate::fact::Origin)>;

/// apt.conf(5): `A::B "x";`, `A { B "x"; };`, lists `A:: "x";` or values alone in braces.
fn config(text: &Text, values: &mut Values) {
    let mut scopes: Vec<String> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for (number, line) in settings(&text.text) {
        let line = if line.starts_with("//") { "" } else { line };
        let mut chars = line.chars().peekable();
        let mut word = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    let mut quoted = String::from("\"");
                    quoted.extend(chars.by_ref().take_while(|c| *c != '"'));
                    words.push(quoted);
                }
                '{' => {
                    flush(&mut word, &mut words);
                    scopes.push(words.drain(..).collect::<Vec<_>>().join("::"));
                    if scopes.len() > 64 {
                        return;
                    }
                }
                '}' => {
                    flush(&mut word, &mut words);
                    words.clear();
                    scopes.pop();
                    if chars.peek() == Some(&';') {
                        chars.next();
                    }
                }
                ';' => {
                    flush(&mut word, &mut words);
                    assign(&scopes, &words, at(&text.path, number), values);
                    words.clear();
                }
                c if c.is_whitespace() => flush(&mut word, &mut words),
                c => word.push(c),
            }
        }
        flush(&mut word, &mut words);
    }
}

fn flush(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn assign(scopes: &[String], words: &[String], origin: crate::fact::Origin, values: &mut Values) {
    let (name, value) = match words {
        [value] if value.starts_with('"') => ("::", value),
        [name, value] => (name.as_str(), value),
        _ => return,
    };
    let value = value.trim_start_matches('"').to_owned();
    let mut parts: Vec<&str> =
        scopes.iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
    let is_list = name.ends_with("::");
    let name = name.trim_end_matches("::");
    if !name.is_empty() {
        parts.push(name);
    }
    let key = parts.join("::");
    let entry = values.entry(key).or_insert_with(|| (Vec::new(), origin.clone()));
    if !is_list {
        entry.0.clear();
        entry.1 = origin;
    }
    entry.0.push(value);
}
