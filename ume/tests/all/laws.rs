//! Laws of the house: what the compiler does not hold, these tests do.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use model::{RoomSpec, Text};

use crate::rooms;

/// Latin words that are the Japanese text as well.
const JA_LATIN: &[&str] = &[
    "API",
    "CPU",
    "CSV",
    "ID",
    "IP",
    "OS",
    "SHA-256",
    "URL",
    "DNS",
    "VPN",
    "Wi-Fi",
    "HDD",
    "syslog (UDP)",
    "syslog (TCP)",
    "syslog (TLS)",
    "RPZ（DNS）",
];
/// A text written alike in both languages is taken for a name up to this length.
const NAME_CHARS_MAX: usize = 24;
/// Names that keep their Japanese writing in an English text.
const EN_NAMES: &[&str] = &["梅", "竹", "松"];
const HEADINGS: [&str; 7] = [
    "規格要求事項から見た整理",
    "概要",
    "実現したいこと",
    "具体的な対応内容",
    "情報の例示",
    "イメージ図",
    "対応レベル",
];
const UNFINISHED: [&str; 3] =
    [concat!("TO", "DO!"), concat!("to", "do!()"), concat!("unimple", "mented!(")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All files below a folder, without build output and hidden folders.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        }
        match entry.file_type().unwrap() {
            ty if ty.is_dir() => found.extend(files(&path)),
            ty if ty.is_file() => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

fn with_extension(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = files(&root().join(folder));
    found.retain(|p| p.extension().is_some_and(|e| e == extension));
    found
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

struct Crate {
    floor: &'static str,
    name: String,
    dependencies: Vec<String>,
}

/// Every crate of the house with its ordinary dependencies.
fn crates() -> Vec<Crate> {
    let mut all = Vec::new();
    for floor in ["engines", "house", "isms", "controls", "ume"] {
        for path in with_extension(floor, "toml") {
            if path.file_name().is_some_and(|n| n == "Cargo.toml") {
                all.push(read_manifest(floor, &read(&path)));
            }
        }
    }
    all
}

fn read_manifest(floor: &'static str, text: &str) -> Crate {
    let mut found = Crate { floor, name: String::new(), dependencies: Vec::new() };
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
            if let Some((table, name)) = section.rsplit_once('.')
                && ordinary(table)
            {
                found.dependencies.push(name.trim_matches('"').to_owned());
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        if line.starts_with('#') {
            continue;
        }
        let key = key.trim().split('.').next().unwrap_or_default().trim_matches('"');
        if section == "package" && key == "name" {
            found.name = value.trim().trim_matches('"').to_owned();
        } else if ordinary(&section) {
            found.dependencies.push(key.to_owned());
            if let Some((_, rest)) = value.split_once("package") {
                found.dependencies.extend(rest.split('"').nth(1).map(str::to_owned));
            }
        }
    }
    found
}

/// Whether this table holds dependencies of the program, not of its tests or build.
fn ordinary(table: &str) -> bool {
    table == "dependencies" || (table.starts_with("target.") && table.ends_with(".dependencies"))
}

#[test]
fn manifests_are_read() {
    let found = read_manifest(
        "ume",
        "[package]\nname = \"a\"\n[dependencies]\nb = \"1\"\nc.workspace = true\n\
         d = { package = \"e\" }\n[dev-dependencies]\nf = \"1\"\n[dependencies.g]\npath = \"x\"\n",
    );
    assert_eq!(found.name, "a");
    assert_eq!(found.dependencies, ["b", "c", "d", "e", "g"]);
}

#[test]
fn floors_depend_only_downwards() {
    let all = crates();
    let height = |floor: &str| match floor {
        "engines" => 0,
        "house" => 1,
        "isms" | "controls" => 2,
        _ => 3,
    };
    let mut wrong = Vec::new();
    for from in &all {
        for to in all.iter().filter(|to| from.dependencies.contains(&to.name)) {
            let within = matches!(from.floor, "engines" | "house") && from.floor == to.floor;
            if height(from.floor) <= height(to.floor) && !within {
                wrong.push(format!(
                    "{}/{} depends on {}/{}",
                    from.floor, from.name, to.floor, to.name
                ));
            }
        }
    }
    assert!(all.len() >= 15, "only {} crates were found", all.len());
    assert_none(&wrong);
}

#[test]
fn engines_do_no_io() {
    let mut wrong = Vec::new();
    for engine in crates().iter().filter(|c| c.floor == "engines") {
        for name in ["tokio", "sqlx", "axum", "reqwest"] {
            if engine.dependencies.iter().any(|d| d == name) {
                wrong.push(format!("{} depends on {name}", engine.name));
            }
        }
    }
    let sources: Vec<_> = with_extension("engines", "rs")
        .into_iter()
        .filter(|p| p.components().any(|c| c.as_os_str() == "src"))
        .collect();
    assert!(!sources.is_empty());
    for path in sources {
        for what in impure(&without_tests(&read(&path))) {
            wrong.push(format!("{}: {what}", path.display()));
        }
    }
    assert_none(&wrong);
}

/// The code without comments and without items under `#[cfg(test)]`.
fn without_tests(source: &str) -> String {
    let mut out = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            for line in lines.by_ref() {
                let own = line.starts_with(indent) && !line[indent.len()..].starts_with(' ');
                if line == end || (own && (line.ends_with(';') || line.ends_with("{}"))) {
                    break;
                }
            }
        } else if !line.trim_start().starts_with("//") {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn impure(code: &str) -> Vec<&'static str> {
    let mut found: Vec<&str> =
        ["std::fs", "std::net", "SystemTime", "Instant::now", "std::thread", "async fn"]
            .into_iter()
            .filter(|what| code.contains(what))
            .collect();
    for group in code.split("use std::{").skip(1) {
        let group = group.split(';').next().unwrap_or_default();
        let words: Vec<&str> = group.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        found.extend(["fs", "net", "thread", "Instant"].into_iter().filter(|w| words.contains(w)));
    }
    found
}

#[test]
fn impurity_is_seen() {
    let test = "fn a() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    assert!(impure(&without_tests(test)).is_empty());
    assert_eq!(impure(&without_tests(&format!("{test}use std::net::IpAddr;\n"))), ["std::net"]);
    assert_eq!(impure("use std::{\n    fmt,\n    fs::File,\n};\n"), ["fs"]);
}

#[test]
fn every_room_has_the_same_floor_plan() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(root().join("controls")).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        count += 1;
        for part in
            ["README.md", "demonstration.toml", "src/lib.rs", "src/kinds.rs", "src/criteria.rs"]
        {
            if !path.join(part).is_file() {
                wrong.push(format!("{name} lacks {part}"));
            }
        }
        let readme = fs::read_to_string(path.join("README.md")).unwrap_or_default();
        for heading in HEADINGS {
            if !readme.lines().any(|l| l.starts_with('#') && l.contains(heading)) {
                wrong.push(format!("{name}/README.md lacks the heading {heading}"));
            }
        }
        if !rooms::ROOMS.iter().any(|r| r.id == name) {
            wrong.push(format!("{name} is not among the rooms of the front door"));
        }
    }
    if count != 11 {
        wrong.push(format!("there are {count} rooms, not eleven"));
    }
    assert_none(&wrong);
}

/// Work, routes, verbs and demonstration of a room bear its own names, so that two rooms never meet.
#[test]
fn what_a_room_does_is_named_after_it() {
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for (room, spec) in rooms::AT_WORK.iter().zip(rooms::ROOMS) {
        let id = room.spec().id;
        if id != spec.id {
            wrong.push(format!("{id} works in the place of {}", spec.id));
        }
        for job in room.jobs() {
            if !job.name.starts_with(&format!("{id}.")) {
                wrong.push(format!("job {} of {id}", job.name));
            }
        }
        let jobs = room.jobs().into_iter().map(|job| job.name.to_owned());
        let services = room.services().into_iter().map(|service| service.name.to_owned());
        let routes = room.routes().into_iter().map(|r| format!("{} {}", r.method, r.path));
        let verbs = room.commands().into_iter().map(|verb| verb.command.get_name().to_owned());
        for name in jobs.chain(services).chain(routes).chain(verbs) {
            if !names.insert(name.clone()) {
                wrong.push(format!("{id}: {name} stands twice"));
            }
        }
        let part: toml::Table = room.demonstration().parse().unwrap();
        for kind in part["kinds"].as_array().unwrap() {
            let kind = kind["kind"].as_str().unwrap();
            if !spec.kinds.iter().chain(spec.rules).chain(spec.others).any(|k| k.id == kind) {
                wrong.push(format!("{id} demonstrates {kind}, which it does not own"));
            }
        }
    }
    assert_none(&wrong);
}

fn is_japanese(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

fn faults(text: Text) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    if text.ja.trim().is_empty() || text.en.trim().is_empty() {
        wrong.push("a language is missing");
    }
    // A name such as TAXII 2.1 is written alike in both languages; brackets differ in width only.
    let latin = text.ja.replace('（', " (").replace('）', ")");
    let is_name = latin == text.en && latin.chars().count() <= NAME_CHARS_MAX;
    if !text.ja.contains(is_japanese) && !JA_LATIN.contains(&text.ja) && !is_name {
        wrong.push("the Japanese is not Japanese");
    }
    let english = EN_NAMES.iter().fold(text.en.to_owned(), |en, name| en.replace(name, ""));
    if english.contains(is_japanese) {
        wrong.push("the English holds Japanese");
    }
    wrong
}

#[test]
fn every_text_stands_in_both_languages() {
    let mut wrong = Vec::new();
    let specs: Vec<&RoomSpec> = rooms::ROOMS.iter().copied().chain([&isms::SPEC]).collect();
    for spec in specs {
        for text in spec.texts() {
            for fault in faults(text) {
                wrong.push(format!("{}: {fault}: {text:?}", spec.id));
            }
        }
    }
    assert_none(&wrong);
}

fn templates() -> Vec<PathBuf> {
    let found: Vec<_> = [
        "house/web/templates",
        "house/tasks/templates",
        "house/notices/templates",
        "isms/templates",
        "ume/templates",
    ]
    .into_iter()
    .flat_map(|folder| with_extension(folder, "html"))
    .collect();
    assert!(found.len() > 10, "only {} templates were found", found.len());
    found
}

/// What a strict content security policy would refuse.
fn inline(html: &str) -> Vec<String> {
    let html = html.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, _) in html.match_indices("<script") {
        let (tag, rest) = html[at..].split_once('>').unwrap_or((&html[at..], ""));
        if !tag.contains(" src=") || !rest.starts_with("</script>") {
            found.push("inline script".to_owned());
        }
    }
    if html.contains("<style") {
        found.push("inline style".to_owned());
    }
    for (at, _) in html.match_indices('=') {
        let head = html[..at].trim_end();
        let name: String = head.chars().rev().take_while(char::is_ascii_alphabetic).collect();
        let name: String = name.chars().rev().collect();
        let before = head[..head.len() - name.len()].chars().next_back();
        let attribute = before.is_some_and(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '/'));
        if attribute && (name == "style" || (name.len() > 2 && name.starts_with("on"))) {
            found.push(format!("attribute {name}"));
        }
    }
    found
}

/// The text of the string literal at the start, and what follows it.
fn literal(code: &str) -> Option<(String, &str)> {
    let body = code.trim_start().strip_prefix('"')?;
    let mut text = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &body[at + 1..])),
            '\\' => text.extend(chars.next().map(|(_, c)| c)),
            c => text.push(c),
        }
    }
    None
}

/// Whether what follows `cx.t(` is two texts and the end of the call.
fn is_pair(call: &str) -> bool {
    let pair = || {
        let (ja, rest) = literal(call)?;
        let (en, rest) = literal(rest.trim_start().strip_prefix(',')?)?;
        let rest = rest.trim_start();
        let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        (rest.starts_with(')') && !ja.trim().is_empty() && !en.trim().is_empty()).then_some(())
    };
    pair().is_some()
}

#[test]
fn templates_hold_nothing_inline_and_both_languages() {
    let mut wrong = Vec::new();
    for path in templates() {
        let html = read(&path);
        wrong.extend(inline(&html).iter().map(|what| format!("{}: {what}", path.display())));
        for (at, _) in html.match_indices("cx.t(") {
            if !is_pair(&html[at + "cx.t(".len()..]) {
                let call: String = html[at..].chars().take(60).collect();
                wrong.push(format!("{}: not two texts: {call}", path.display()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn template_faults_are_seen() {
    assert_eq!(inline("<a href=\"/x?on=1\">{% if a == b %}</a><p class=\"on\">"), [""; 0]);
    assert_eq!(inline("<script src=\"/a.js\"></script>"), [""; 0]);
    assert_eq!(inline("<script>a()</script><p style=\"x\">").len(), 2);
    assert_eq!(inline("<p\nonclick = \"a()\">"), ["attribute onclick"]);
    assert!(is_pair("\"語\", \"a \\\"word\\\"\")"));
    assert!(!is_pair("\"語\", \" \")") && !is_pair("\"語\")") && !is_pair("ja, en)"));
}

#[test]
fn nothing_is_left_unfinished() {
    let mut wrong = Vec::new();
    for path in files(&root()) {
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for word in UNFINISHED.iter().filter(|word| text.contains(**word)) {
            wrong.push(format!("{}: {word}", path.display()));
        }
    }
    assert_none(&wrong);
}
