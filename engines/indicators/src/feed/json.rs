//! JSON of MyJVN (`feed=oka`): overviews and alerts.
//!
//! Names differ between its documents (`modified`, `updated`, `update`; `status`, `status:Status`): all are taken.

use serde_json::{Map, Value};

use super::{ENTRIES_MAX, Entry, Fault, Feed, Form, Place, Problem, Product, entry, jvn, short};

pub(super) fn read(text: &str) -> Result<Feed, Problem> {
    let root = |fault| Problem { place: Place::Pointer(String::new()), fault };
    let value: Value =
        serde_json::from_str(text).map_err(|error| root(Fault::Json(short(&error.to_string()))))?;
    let mut feed = Feed { form: Form::Oka, ..Feed::default() };
    let inner = value.get("feed").unwrap_or(&value);
    let status =
        [&value, inner].into_iter().flat_map(|at| [at.get("status"), at.get("status:Status")]);
    if let Some(status) = status.flatten().find(|status| status.get("retCd").is_some()) {
        feed.status = Some(jvn::Status::of(|name| scalar(status.get(name))));
    }
    let entries = inner.get("entry").and_then(Value::as_array);
    let Some(entries) = entries else {
        if feed.status.is_some() {
            feed.form = Form::Status;
            return Ok(feed);
        }
        return Err(root(Fault::Unknown));
    };
    feed.title = short(&text_of(inner, &["title"]));
    let language = text_of(inner, &["lang"]);
    feed.language = Some(language).filter(|tag| !tag.is_empty() && tag.len() < 40);
    for (at, value) in entries.iter().enumerate() {
        let place = Place::Pointer(format!("/feed/entry/{at}"));
        if at >= ENTRIES_MAX {
            feed.problems.add(place, Fault::Entries(ENTRIES_MAX));
            break;
        }
        match value.as_object() {
            // `$comment` stands where more could.
            Some(object) if object.keys().all(|key| key.starts_with('$')) => {}
            Some(object) => one(object, value, place, &mut feed),
            None => feed.problems.add(place, Fault::Value(short(&value.to_string()), "entry")),
        }
    }
    Ok(feed)
}

fn scalar(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn text_of(value: &Value, names: &[&str]) -> String {
    let texts = names.iter().map(|name| scalar(value.get(*name)));
    texts.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn one(object: &Map<String, Value>, value: &Value, place: Place, feed: &mut Feed) {
    let mut entry = Entry::at(place.clone());
    entry.language.clone_from(&feed.language);
    entry.id = entry.word(&scalar(object.get("id")));
    entry.title = entry.word(&scalar(object.get("title")));
    entry.link = entry.word(&scalar(object.get("link")));
    entry.say(&entry::plain(&scalar(object.get("summary"))));
    let id = entry.id.clone();
    entry.name(&id);
    if entry.id.is_empty() {
        entry.id.clone_from(&entry.link);
    }
    if entry.id.is_empty() {
        return feed.problems.add(place, Fault::Missing("id"));
    }
    let mut date = |names: &[&str]| {
        let text = text_of(value, names);
        let time = entry::time(&text);
        if time.is_none() && !text.is_empty() {
            let fault = Fault::Value(short(&text), "date");
            feed.problems.add(place.clone(), fault);
        }
        time
    };
    entry.published = date(&["public", "published", "created"]);
    entry.updated = date(&["modified", "updated", "update"]);
    if let Some(category) = object.get("category") {
        let word = entry.word(&text_of(category, &["label", "term"]));
        entry.add(|entry| &mut entry.categories, word);
    }
    for reference in list(value, "references") {
        entry.refer(&text_of(reference, &["summary"]), &text_of(reference, &["url"]));
    }
    for metric in list(value, "metrics").filter_map(|metric| metric.get("content")) {
        for name in ["cvss_v2", "cvss_v3", "cvss_v4"] {
            let Some(score) = metric.get(name) else { continue };
            let text = |name: &str| scalar(score.get(name));
            entry.score(&text("version"), &text("baseScore"), &text("vectorString"));
        }
    }
    let mut wrong = Vec::new();
    products(value, &mut entry, &mut wrong);
    for item in list(value, "items") {
        let (title, link) = (text_of(item, &["title"]), text_of(item, &["link"]));
        entry.say(&format!("{}\n{}", title.trim(), link.trim()));
        entry.say(&entry::plain(&text_of(item, &["summary"])));
        entry.refer(&title, &link);
        products(item, &mut entry, &mut wrong);
    }
    for name in wrong {
        feed.problems.add(place.clone(), Fault::Value(short(&name), "name of a product"));
    }
    if entry.title.is_empty() {
        entry.title.clone_from(&entry.id);
    }
    feed.entries.push(entry);
}

fn products(value: &Value, entry: &mut Entry, wrong: &mut Vec<String>) {
    for product in list(value, "products") {
        let nothing = Value::Null;
        let ids = product.get("product_ids").unwrap_or(&nothing);
        let jvnpid = match text_of(product, &["product_id"]) {
            id if id.is_empty() => text_of(ids, &["jvnpid"]),
            id => id,
        };
        let mut named = Product {
            vendor: entry.word(&text_of(product, &["vname", "vendor"])),
            name: entry.word(&text_of(product, &["pname", "product"])),
            ..Product::default()
        };
        let version = entry.word(&text_of(product, &["version"]));
        if !version.is_empty() {
            named.versions.push(version);
        }
        let cpe = text_of(ids, &["cpe"]);
        let kept = named.clone();
        let by = if cpe.is_empty() { &jvnpid } else { &cpe };
        if named == Product::default() && by.is_empty() {
            continue;
        }
        named.jvnpid = entry.word(&jvnpid);
        if entry.product(named, by).is_err() {
            wrong.push(by.clone());
            if !kept.name.is_empty() {
                let _ = entry.product(kept, "");
            }
        }
    }
}
