//! RSS, Atom and VULDEF: from events to a small tree for each entry, from the tree to the entry.
//!
//! After a fault within an entry reading goes on at the next one, so a stray sign costs one entry. Prefixes keep their
//! meaning over that, since every declaration counts for the whole document.

use std::collections::HashMap;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{
    DEPTH_MAX, ELEMENTS_MAX, ENTRIES_MAX, Entry, Fault, Feed, Form, Place, Problem, Product,
    TEXT_BYTES_MAX, entry, jvn, short,
};

/// Whose words an element's name is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Space {
    /// RSS, RDF, Atom, VULDEF: told apart by where they stand.
    #[default]
    Core,
    Dc,
    Terms,
    Content,
    Sec,
    Status,
    Other,
}

fn space(uri: &str) -> Space {
    let rest = uri.trim().split_once("://").map_or(uri, |(_, rest)| rest);
    match rest.trim_end_matches('/') {
        "purl.org/rss/1.0"
        | "my.netscape.com/rdf/simple/0.9"
        | "www.w3.org/1999/02/22-rdf-syntax-ns#"
        | "www.w3.org/2005/Atom"
        | "jvn.jp/vuldef"
        | "jvndb.jvn.jp/myjvn/Results" => Space::Core,
        "purl.org/dc/elements/1.1" => Space::Dc,
        "purl.org/dc/terms" => Space::Terms,
        "purl.org/rss/1.0/modules/content" => Space::Content,
        "jvndb.jvn.jp/myjvn/Status" => Space::Status,
        // mod_sec 2 and 3; its own documentation writes http and https.
        rest if rest.starts_with("jvn.jp/rss/mod_sec") => Space::Sec,
        _ => Space::Other,
    }
}

#[derive(Debug)]
enum Part {
    Text(String),
    Node(Node),
}

#[derive(Debug, Default)]
struct Node {
    space: Space,
    name: String,
    attributes: Vec<(String, String)>,
    parts: Vec<Part>,
}

impl Node {
    fn children(&self) -> impl Iterator<Item = &Node> {
        self.parts.iter().filter_map(|part| match part {
            Part::Node(node) => Some(node),
            Part::Text(_) => None,
        })
    }

    fn named<'n>(&'n self, space: Space, name: &'n str) -> impl Iterator<Item = &'n Node> {
        self.children().filter(move |node| node.space == space && node.name == name)
    }

    fn child(&self, space: Space, name: &str) -> Option<&Node> {
        self.children().find(|node| node.space == space && node.name == name)
    }

    fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// All text below, in order.
    fn text(&self) -> String {
        let mut all = String::new();
        self.collect(&mut all);
        all
    }

    fn collect(&self, all: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) => all.push_str(text),
                Part::Node(node) => {
                    node.collect(all);
                    all.push(' ');
                }
            }
        }
    }

    fn say(&self, space: Space, name: &str) -> String {
        self.child(space, name).map(Node::text).unwrap_or_default()
    }
}

struct Reading<'t> {
    text: &'t str,
    /// What prefixes mean, in the whole document.
    spaces: HashMap<String, Space>,
    feed: Feed,
    /// Lines up to a byte, so that none is counted twice.
    counted: (usize, usize),
    root: Option<String>,
}

pub(super) fn read(text: &str) -> Result<Feed, Problem> {
    let spaces = HashMap::new();
    let feed = Feed::default();
    let mut reading = Reading { text, spaces, feed, counted: (0, 1), root: None };
    let mut from = 0;
    while let Some(next) = reading.run(from)? {
        from = next;
    }
    let first = Problem { place: Place::Line(1), fault: Fault::Unknown };
    let Some(root) = reading.root else { return Err(first) };
    let form = match root.as_str() {
        "rss" => Form::Rss,
        "RDF" => Form::Rdf,
        "feed" => Form::Atom,
        "VULDEF-Document" => Form::Vuldef,
        // MyJVN says so where it found nothing or refuses.
        "Result" => Form::Status,
        _ => return Err(first),
    };
    reading.feed.form = form;
    Ok(reading.feed)
}

impl Reading<'_> {
    fn line(&mut self, at: usize) -> Place {
        let (from, line) = self.counted;
        let at = at.min(self.text.len());
        let bytes = self.text.as_bytes();
        let count =
            |from: usize, to: usize| bytes[from..to].iter().filter(|b| **b == b'\n').count();
        let line = if at >= from { line + count(from, at) } else { count(0, at) + 1 };
        self.counted = (at, line);
        Place::Line(line)
    }

    /// Reads from a byte on; gives where to go on after a fault.
    fn run(&mut self, from: usize) -> Result<Option<usize>, Problem> {
        let text = self.text;
        let mut reader = Reader::from_str(text.get(from..).unwrap_or_default());
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        config.allow_unmatched_ends = true;
        let mut open: Vec<Node> = Vec::new();
        // Where the entry that is being read begins.
        let (mut entry_at, mut elements, mut depth) = (None::<usize>, 0, 0_usize);
        loop {
            let at = from + usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    return self.fault(at, entry_at, Fault::Xml(short(&error.to_string())));
                }
            };
            match event {
                Event::Eof => {
                    if let Some(begin) = entry_at {
                        let place = self.line(begin);
                        let what = Fault::Xml("the document ends within an entry".to_owned());
                        self.feed.problems.add(place, what);
                    }
                    return Ok(None);
                }
                Event::DocType(kind) => {
                    let kind: &str = kind.as_ref();
                    if kind.contains('[') {
                        let place = self.line(at);
                        return Err(Problem { place, fault: Fault::Entities });
                    }
                }
                Event::Start(start) => {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return self.fault(at, entry_at, Fault::Depth(DEPTH_MAX));
                    }
                    let node = self.node(&start);
                    if self.root.is_none() {
                        self.feed.language = language(&node).or(self.feed.language.take());
                        self.root = Some(node.name.clone());
                    }
                    let is_entry = open.is_empty() && is_entry(&node);
                    if is_entry {
                        entry_at = Some(at);
                        elements = 0;
                    }
                    elements += 1;
                    if elements > ELEMENTS_MAX {
                        return self.fault(at, entry_at, Fault::Elements(ELEMENTS_MAX));
                    }
                    if is_entry || !open.is_empty() || is_head(&node) {
                        open.push(node);
                    }
                }
                Event::End(_) => {
                    depth = depth.saturating_sub(1);
                    let Some(node) = open.pop() else { continue };
                    if let Some(parent) = open.last_mut() {
                        parent.parts.push(Part::Node(node));
                    } else if let Some(begin) = entry_at.take() {
                        if self.feed.entries.len() >= ENTRIES_MAX {
                            let place = self.line(begin);
                            self.feed.problems.add(place, Fault::Entries(ENTRIES_MAX));
                            return Ok(None);
                        }
                        self.take(&node, begin);
                    } else {
                        self.head(&node);
                    }
                }
                Event::Text(text) => push(&mut open, &text),
                Event::CData(text) => push(&mut open, &text),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(sign)) => sign.to_string(),
                        _ => named(&reference),
                    };
                    push(&mut open, &resolved);
                }
                _ => {}
            }
        }
    }

    /// Notes a fault and finds the next entry behind it.
    fn fault(
        &mut self,
        at: usize,
        entry_at: Option<usize>,
        fault: Fault,
    ) -> Result<Option<usize>, Problem> {
        let place = self.line(at);
        if self.root.is_none() {
            return Err(Problem { place, fault });
        }
        self.feed.problems.add(place, fault);
        // Never back: each round begins behind the one before.
        let behind = at.max(entry_at.map_or(0, |begin| begin + 1)) + 1;
        Ok(next_entry(self.text, behind))
    }

    fn node(&mut self, start: &BytesStart<'_>) -> Node {
        let mut attributes = Vec::new();
        for attribute in start.attributes().with_checks(false).flatten() {
            let key: &str = attribute.key.as_ref();
            let raw: &str = attribute.value.as_ref();
            let value = unescape(raw);
            if let Some(prefix) = key.strip_prefix("xmlns") {
                let prefix = prefix.trim_start_matches(':').to_owned();
                if self.spaces.len() < 1_000 {
                    self.spaces.entry(prefix).or_insert_with(|| space(&value));
                }
            } else if attributes.len() < 100 {
                attributes.push((key.to_owned(), value));
            }
        }
        let name = start.name();
        let name: &str = name.as_ref();
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let known = self.spaces.get(prefix).copied();
        let space = known.unwrap_or(if prefix.is_empty() { Space::Core } else { Space::Other });
        Node { space, name: local.to_owned(), attributes, parts: Vec::new() }
    }

    /// What stands beside the entries.
    fn head(&mut self, node: &Node) {
        match (node.space, node.name.as_str()) {
            (Space::Status, _) => {
                self.feed.status = Some(jvn::Status::of(|name| node.attribute(name)))
            }
            (Space::Core, "title") if self.feed.title.is_empty() => {
                self.feed.title = short(node.text().trim());
            }
            (Space::Core | Space::Dc, "language") => {
                let text = node.text().trim().to_owned();
                if self.feed.language.is_none() && !text.is_empty() && text.len() < 40 {
                    self.feed.language = Some(text);
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, node: &Node, begin: usize) {
        let place = self.line(begin);
        let mut entry = Entry::at(place.clone());
        entry.language = language(node).or_else(|| self.feed.language.clone());
        let problems = &mut self.feed.problems;
        let mut wrong = |fault| problems.add(place.clone(), fault);
        match node.name.as_str() {
            "entry" => atom(node, &mut entry, &mut wrong),
            "Vulinfo" => vuldef(node, &mut entry, &mut wrong),
            _ => rss(node, &mut entry, &mut wrong),
        }
        if entry.id.is_empty() {
            entry.id.clone_from(&entry.link);
        }
        if entry.id.is_empty() && entry.title.is_empty() && entry.text.is_empty() {
            return wrong(Fault::Missing("id"));
        }
        if entry.title.is_empty() {
            let line = entry.text.lines().next().unwrap_or(&entry.id).to_owned();
            entry.title = line.chars().take(120).collect();
        }
        self.feed.entries.push(entry);
    }
}

fn push(open: &mut [Node], text: &str) {
    let Some(node) = open.last_mut() else { return };
    // Parts of one text come one by one; their sum has its limit, too.
    if let Some(Part::Text(last)) = node.parts.last_mut() {
        if last.len() < 4 * TEXT_BYTES_MAX {
            last.push_str(text);
        }
    } else {
        node.parts.push(Part::Text(text.to_owned()));
    }
}

fn named(name: &str) -> String {
    let sign = match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        // HTML's, which feeds write though XML does not know it.
        "nbsp" => " ",
        _ => return format!("&{name};"),
    };
    sign.to_owned()
}

/// References of an attribute's value; unknown ones stay as they are.
fn unescape(raw: &str) -> String {
    if !raw.contains('&') {
        return raw.to_owned();
    }
    match quick_xml::escape::unescape(raw) {
        Ok(text) => text.into_owned(),
        Err(_) => raw.replace("&amp;", "&"),
    }
}

fn is_entry(node: &Node) -> bool {
    node.space == Space::Core && matches!(node.name.as_str(), "item" | "entry" | "Vulinfo")
}

/// Of what stands beside the entries a few things are kept.
fn is_head(node: &Node) -> bool {
    match node.space {
        Space::Status => true,
        Space::Core => matches!(node.name.as_str(), "title" | "language"),
        Space::Dc => node.name == "language",
        _ => false,
    }
}

fn language(node: &Node) -> Option<String> {
    let tag = node.attribute("xml:lang").trim();
    (!tag.is_empty() && tag.len() < 40).then(|| tag.to_owned())
}

/// Where the next element that may be an entry begins.
fn next_entry(text: &str, from: usize) -> Option<usize> {
    let mut at = text.ceil_char_boundary(from);
    while let Some(found) = text.get(at..)?.find('<') {
        at += found;
        let name = text[at + 1..].split(|sign: char| !is_name(sign)).next().unwrap_or_default();
        let local = name.split_once(':').map_or(name, |(_, local)| local);
        if matches!(local, "item" | "entry" | "Vulinfo") {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn is_name(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, ':' | '_' | '-' | '.')
}

type Wrong<'w> = dyn FnMut(Fault) + 'w;

fn date(text: &str, wrong: &mut Wrong<'_>) -> Option<crate::Micros> {
    let text = text.trim();
    let time = entry::time(text);
    if time.is_none() && !text.is_empty() {
        wrong(Fault::Value(short(text), "date"));
    }
    time
}

fn rss(node: &Node, entry: &mut Entry, wrong: &mut Wrong<'_>) {
    let say = |name: &str| node.say(Space::Core, name);
    entry.title = entry.word(&entry::plain(&say("title")));
    let about = node.attribute("rdf:about").to_owned();
    let link = if say("link").trim().is_empty() { about.clone() } else { say("link") };
    entry.link = entry.word(&link);
    let guid = if say("guid").trim().is_empty() { about } else { say("guid") };
    entry.id = entry.word(&guid);
    if entry.link.is_empty() && entry.id.starts_with("http") {
        entry.link.clone_from(&entry.id);
    }
    let author = [node.say(Space::Dc, "creator"), say("author")];
    entry.author =
        entry.word(author.iter().find(|text| !text.trim().is_empty()).map_or("", |text| text));
    entry.say(&entry::plain(&say("description")));
    entry.say(&entry::plain(&node.say(Space::Content, "encoded")));
    let first = |texts: [String; 3]| texts.into_iter().find(|text| !text.trim().is_empty());
    let (dc, issued) = (node.say(Space::Dc, "date"), node.say(Space::Terms, "issued"));
    entry.published =
        first([say("pubDate"), issued, dc.clone()]).and_then(|text| date(&text, wrong));
    entry.updated = first([node.say(Space::Terms, "modified"), dc, String::new()])
        .and_then(|text| date(&text, wrong));
    for (space, name) in [(Space::Core, "category"), (Space::Dc, "subject")] {
        for category in node.named(space, name) {
            let word = entry.word(&category.text());
            entry.add(|entry| &mut entry.categories, word);
        }
    }
    sec(node, entry, wrong);
}

/// What mod_sec says of an entry.
fn sec(node: &Node, entry: &mut Entry, wrong: &mut Wrong<'_>) {
    if let Some(id) = node.child(Space::Sec, "identifier") {
        let id = entry.word(&id.text());
        entry.name(&id);
        // Its number stays where its page moves.
        if !id.is_empty() {
            entry.id = id;
        }
    }
    for reference in node.named(Space::Sec, "references") {
        entry.name(reference.attribute("id"));
        let title = match reference.attribute("title") {
            "" => reference.attribute("id"),
            title => title,
        };
        entry.refer(title, &reference.text());
    }
    for cpe in node.named(Space::Sec, "cpe") {
        let product = Product {
            vendor: entry.word(cpe.attribute("vendor")),
            name: entry.word(cpe.attribute("product")),
            ..Product::default()
        };
        named_product(entry, product, &cpe.text(), wrong);
    }
    for score in node.named(Space::Sec, "cvss") {
        entry.score(
            score.attribute("version"),
            score.attribute("score"),
            score.attribute("vector"),
        );
    }
    for item in node.named(Space::Sec, "items").flat_map(|items| items.named(Space::Sec, "item")) {
        let title = item.say(Space::Sec, "title");
        let link = item.child(Space::Sec, "link").map_or("", |link| link.attribute("href"));
        entry.say(&format!("{}\n{}", title.trim(), link.trim()));
        entry.say(&entry::plain(&item.say(Space::Sec, "summary")));
        entry.refer(&title, link);
        for cpe in item.named(Space::Sec, "cpe") {
            named_product(entry, Product::default(), &cpe.text(), wrong);
        }
    }
}

fn named_product(entry: &mut Entry, product: Product, cpe: &str, wrong: &mut Wrong<'_>) {
    if product == Product::default() && cpe.trim().is_empty() {
        return;
    }
    let kept = product.clone();
    if entry.product(product, cpe).is_err() {
        wrong(Fault::Value(short(cpe), "name of a product"));
        // The words beside it still say who is meant.
        if !kept.name.is_empty() {
            let _ = entry.product(kept, "");
        }
    }
}

fn atom(node: &Node, entry: &mut Entry, wrong: &mut Wrong<'_>) {
    let say = |name: &str| node.say(Space::Core, name);
    entry.title = entry.word(&entry::plain(&say("title")));
    entry.id = entry.word(&say("id"));
    let links: Vec<&Node> = node.named(Space::Core, "link").collect();
    let best = links.iter().find(|link| matches!(link.attribute("rel"), "" | "alternate"));
    entry.link = entry.word(best.or(links.first()).map_or("", |link| link.attribute("href")));
    for link in links.iter().filter(|link| link.attribute("rel") == "related") {
        entry.refer(link.attribute("title"), link.attribute("href"));
    }
    let author = node.child(Space::Core, "author").map(|author| author.say(Space::Core, "name"));
    entry.author = entry.word(&author.unwrap_or_default());
    for name in ["summary", "content"] {
        if let Some(text) = node.child(Space::Core, name) {
            let is_markup = text.attribute("type") == "html";
            let said = text.text();
            entry.say(&if is_markup { entry::plain(&said) } else { said.trim().to_owned() });
        }
    }
    entry.published = date(&say("published"), wrong);
    entry.updated = date(&say("updated"), wrong);
    for category in node.named(Space::Core, "category") {
        let word = match category.attribute("label") {
            "" => entry.word(category.attribute("term")),
            label => entry.word(label),
        };
        if !word.is_empty() {
            entry.add(|entry| &mut entry.categories, word);
        }
    }
    let id = entry.id.clone();
    sec(node, entry, wrong);
    entry.id = id;
}

fn vuldef(node: &Node, entry: &mut Entry, wrong: &mut Wrong<'_>) {
    let core = Space::Core;
    entry.id = entry.word(&node.say(core, "VulinfoID"));
    let id = entry.id.clone();
    entry.name(&id);
    let Some(data) = node.child(core, "VulinfoData") else {
        return wrong(Fault::Missing("VulinfoData"));
    };
    entry.title = entry.word(&data.say(core, "Title"));
    let overview = data.child(core, "VulinfoDescription").map(|d| d.say(core, "Overview"));
    entry.say(&overview.unwrap_or_default());
    for item in data.child(core, "Affected").into_iter().flat_map(|a| a.named(core, "AffectedItem"))
    {
        let versions = item.named(core, "VersionNumber").map(|version| version.text());
        let versions: Vec<String> = versions.map(|version| entry.word(&version)).collect();
        let product = Product {
            vendor: entry.word(&item.say(core, "Name")),
            name: entry.word(&item.say(core, "ProductName")),
            versions: versions.into_iter().filter(|version| !version.is_empty()).collect(),
            ..Product::default()
        };
        named_product(entry, product, &item.say(core, "Cpe"), wrong);
    }
    if let Some(impact) = data.child(core, "Impact") {
        for score in impact.named(core, "Cvss") {
            let (base, vector) = (score.say(core, "Base"), score.say(core, "Vector"));
            entry.score(score.attribute("version"), &base, &vector);
        }
        for item in impact.named(core, "ImpactItem") {
            entry.say(&item.say(core, "Description"));
        }
    }
    for item in data.child(core, "Solution").into_iter().flat_map(|s| s.named(core, "SolutionItem"))
    {
        entry.say(&item.say(core, "Description"));
    }
    for item in data.child(core, "Related").into_iter().flat_map(|r| r.named(core, "RelatedItem")) {
        entry.refer(&item.say(core, "VulinfoID"), &item.say(core, "URL"));
    }
    let public = data.say(core, "DatePublic");
    let first = data.say(core, "DateFirstPublished");
    entry.published = date(if public.trim().is_empty() { &first } else { &public }, wrong);
    entry.updated = date(&data.say(core, "DateLastUpdated"), wrong);
    let Some(year) = jvn::year_of(&entry.id) else { return };
    entry.link = format!("https://jvndb.jvn.jp/ja/contents/{year}/{}.html", entry.id);
}
