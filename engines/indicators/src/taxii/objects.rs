//! What lies below a collection: objects, manifest, versions.

use serde_json::{Value, json};

use super::filter::{Query, Versions};
use super::handle::{
    Answered, Collection, Context, Entry, Method, Page, Reply, Request, Root, Storage, Window,
    json_reply, not_found, only, raw_reply, refuse, stored,
};
use super::media;
use super::next;
use super::status::{Outcome, Status};
use crate::stix::{self, time};

/// A request at a collection.
pub(crate) struct At<'a> {
    pub request: &'a Request<'a>,
    pub context: &'a Context,
    pub root: &'a Root,
    pub collection: &'a Collection,
    pub query: Query,
    pub who: &'a str,
}

impl At<'_> {
    pub fn answer<S: Storage>(mut self, storage: &mut S, below: &[&str]) -> Answered<Reply> {
        let Collection { can_read, can_write, .. } = *self.collection;
        if !can_read && !can_write {
            return not_found("collection");
        }
        match (below, self.request.method) {
            (["objects"], Method::Post) => {
                self.allowed(can_write)?;
                self.post(storage)
            }
            (["objects", id], Method::Delete) => {
                self.allowed(can_read && can_write)?;
                self.delete(storage, id)
            }
            (["objects"], _) => {
                only(self.request, &[Method::Get])?;
                self.allowed(can_read)?;
                self.objects(storage)
            }
            (["objects", id], _) => {
                only(self.request, &[Method::Get])?;
                self.allowed(can_read)?;
                self.known(storage, id)?;
                self.objects(storage)
            }
            (["objects", id, "versions"], _) => {
                only(self.request, &[Method::Get])?;
                self.allowed(can_read)?;
                self.known(storage, id)?;
                self.versions(storage)
            }
            (["manifest"], _) => {
                only(self.request, &[Method::Get])?;
                self.allowed(can_read)?;
                self.manifest(storage)
            }
            _ => not_found("path"),
        }
    }

    fn allowed(&self, right: bool) -> Answered<()> {
        match right {
            true => Ok(()),
            false => refuse(403, "Forbidden", "this collection does not allow it"),
        }
    }

    /// Narrows to one object, which must be there.
    fn known<S: Storage>(&mut self, storage: &S, id: &str) -> Answered<()> {
        if !stored(storage.has(&self.collection.id, id))? {
            return not_found("object");
        }
        self.query.filter.ids = vec![id.to_owned()];
        self.query.canonical.push_str(id);
        Ok(())
    }

    fn page<S: Storage>(&self, storage: &S, after: Option<i64>) -> Answered<Page> {
        let limit = self.query.limit.unwrap_or(usize::MAX).min(self.context.page_max);
        let window = Window { filter: &self.query.filter, after, limit };
        stored(storage.page(&self.collection.id, &window))
    }

    fn objects<S: Storage>(&self, storage: &S) -> Answered<Reply> {
        let (key, collection) = (&self.context.key, &self.collection.id);
        let after = match &self.query.next {
            None => self.query.added_after,
            Some(signed) => match next::open(key, collection, &self.query.canonical, signed) {
                Some(place) => Some(place),
                None => return refuse(400, "Bad query", "next is not of this server and filter"),
            },
        };
        let page = self.page(storage, after)?;
        let mut body = format!("{{\"more\":{}", page.more).into_bytes();
        if let Some(last) = page.entries.last().filter(|_| page.more) {
            let signed = next::sign(key, collection, &self.query.canonical, last.date_added);
            body.extend(format!(",\"next\":\"{signed}\"").into_bytes());
        }
        if !page.entries.is_empty() {
            body.extend(b",\"objects\":[");
            for (at, entry) in page.entries.iter().enumerate() {
                if at > 0 {
                    body.push(b',');
                }
                body.extend(&entry.bytes);
            }
            body.push(b']');
        }
        body.push(b'}');
        Ok(dated(raw_reply(200, body), &page))
    }

    fn manifest<S: Storage>(&self, storage: &S) -> Answered<Reply> {
        let page = self.page(storage, self.query.added_after)?;
        let records: Vec<Value> = page.entries.iter().map(record).collect();
        Ok(dated(json_reply(200, &list("objects", records, page.more)), &page))
    }

    fn versions<S: Storage>(&mut self, storage: &S) -> Answered<Reply> {
        if !self.query.names_versions {
            self.query.filter.versions = Versions::All;
        }
        let page = self.page(storage, self.query.added_after)?;
        let versions = page.entries.iter().map(|entry| version(entry).into()).collect();
        Ok(dated(json_reply(200, &list("versions", versions, page.more)), &page))
    }

    fn delete<S: Storage>(&mut self, storage: &mut S, id: &str) -> Answered<Reply> {
        self.known(storage, id)?;
        if !self.query.names_versions {
            self.query.filter.versions = Versions::All;
        }
        stored(storage.delete(&self.collection.id, &self.query.filter))?;
        Ok(raw_reply(200, Vec::new()))
    }

    fn post<S: Storage>(&self, storage: &mut S) -> Answered<Reply> {
        if !media::is_taxii(self.request.content_type, self.request.tolerant) {
            return refuse(415, "Unsupported media type", format!("send {}", media::MEDIA_TYPE));
        }
        if self.request.body.len() > self.root.max_content_length {
            let most = self.root.max_content_length;
            return refuse(413, "Too large", format!("more than {most} bytes"));
        }
        let objects = envelope(self.request.body)?;
        let mut outcomes = Vec::new();
        let mut entries = Vec::new();
        for bytes in &objects {
            match entry(bytes) {
                Ok(entry) => entries.push(entry),
                Err(outcome) => outcomes.push(outcome),
            }
        }
        outcomes.extend(stored(storage.add(&self.collection.id, entries, self.context.now))?);
        let status = Status {
            id: uuid::Builder::from_random_bytes(self.context.fresh).into_uuid().to_string(),
            poster: self.who.to_owned(),
            at: self.context.now,
            outcomes,
        };
        let body = status.json();
        stored(storage.keep_status(&self.root.name, status))?;
        Ok(json_reply(202, &body))
    }
}

fn list(key: &str, items: Vec<Value>, more: bool) -> Value {
    let mut json = json!({ "more": more });
    if !items.is_empty() {
        json[key] = items.into();
    }
    json
}

fn dated(mut reply: Reply, page: &Page) -> Reply {
    let ends = [
        ("X-TAXII-Date-Added-First", page.entries.first()),
        ("X-TAXII-Date-Added-Last", page.entries.last()),
    ];
    for (header, entry) in ends {
        if let Some(entry) = entry {
            reply.headers.push((header, time::print_micros(entry.date_added)));
        }
    }
    reply
}

fn record(entry: &Entry) -> Value {
    json!({
        "id": entry.id, "date_added": time::print_micros(entry.date_added), "version": version(entry),
        "media_type": format!("application/stix+json;version={}", entry.spec_version),
    })
}

fn version(entry: &Entry) -> String {
    time::print_millis(entry.version)
}

/// The objects of an envelope as they came.
fn envelope(body: &[u8]) -> Answered<Vec<Vec<u8>>> {
    let unusable = |what: String| refuse(422, "Unusable", what);
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return unusable(error.to_string()),
    };
    let Some(list) = value.get("objects").filter(|objects| objects.is_array()) else {
        return unusable("an envelope with a list of objects is expected".to_owned());
    };
    let items = list.as_array().map_or(0, Vec::len);
    match stix::slices(body, "objects") {
        Some(slices) if slices.len() == items && items > 0 => {
            Ok(slices.into_iter().map(<[u8]>::to_vec).collect())
        }
        _ => unusable("an envelope with at least one object is expected".to_owned()),
    }
}

/// An entry, whose `date_added` the storage gives.
fn entry(bytes: &[u8]) -> Result<Entry, Outcome> {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let id = text("id").unwrap_or_default().to_owned();
    let said = text("modified").or(text("created"));
    let fail = |what: &str| Outcome {
        id: id.clone(),
        version: said.unwrap_or_default().to_owned(),
        failure: Some(what.to_owned()),
    };
    let of_type =
        text("type").is_some_and(|name| id.strip_prefix(name).is_some_and(|r| r.starts_with("--")));
    if !of_type {
        return Err(fail("id and type do not fit each other"));
    }
    let version = match said {
        None => i64::MIN,
        Some(text) => time::parse(text).ok_or_else(|| fail("its version is no timestamp"))?,
    };
    let spec_version = match (text("spec_version"), said) {
        (Some(known @ ("2.0" | "2.1")), _) => known,
        (Some(_), _) => return Err(fail("a spec_version that is not known here")),
        // Observables may leave it out.
        (None, None) => "2.1",
        (None, Some(_)) => "2.0",
    };
    let spec_version = spec_version.to_owned();
    Ok(Entry { date_added: 0, id, version, spec_version, bytes: bytes.to_vec() })
}
