//! A server's answer to one request.

use serde_json::{Value, json};

use super::filter::{self, Filter};
use super::media::{self, MEDIA_TYPE};
use super::objects;
use super::status::{Outcome, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Delete,
    Other,
}

/// What came in, after the connection is authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: Method,
    pub path: &'a str,
    /// Without the question mark.
    pub query: &'a str,
    pub accept: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
    /// Who asks; none: nobody we know.
    pub who: Option<&'a str>,
    /// Whether this client is let through with headers that are not quite right.
    pub tolerant: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What a server says of itself, and what a request may cost.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where discovery lies, with slashes at both ends: `/taxii2/`.
    pub base: String,
    pub discovery: Discovery,
    pub roots: Vec<Root>,
    /// `Basic realm="…"` and others, one each.
    pub challenges: Vec<String>,
    /// For `next`.
    pub key: [u8; 32],
    pub page_max: usize,
    /// Microseconds since 1970.
    pub now: i64,
    /// For the id of a status, different for each request.
    pub fresh: [u8; 16],
}

#[derive(Clone, Debug, Default)]
pub struct Discovery {
    pub title: String,
    pub description: Option<String>,
    pub contact: Option<String>,
}

/// An API root below the base.
#[derive(Clone, Debug)]
pub struct Root {
    /// One segment of the path.
    pub name: String,
    pub title: String,
    pub description: Option<String>,
    pub max_content_length: usize,
}

/// A collection as one client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub id: String,
    pub alias: Option<String>,
    pub title: String,
    pub description: Option<String>,
    pub can_read: bool,
    pub can_write: bool,
}

/// One version of an object in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Microseconds; no two of a collection are equal, and later ones are greater.
    pub date_added: i64,
    pub id: String,
    /// Microseconds: modified, else created, else `date_added`.
    pub version: i64,
    pub spec_version: String,
    /// As it came.
    pub bytes: Vec<u8>,
}

/// Which entries of a collection.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    pub filter: &'a Filter,
    /// Only those added later.
    pub after: Option<i64>,
    pub limit: usize,
}

/// Entries in the order they were added, and whether more would follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub more: bool,
}

/// Where collections lie.
pub trait Storage {
    /// Why it cannot answer now.
    type Error: std::fmt::Display;

    /// The collections of a root as somebody sees them.
    fn collections(&self, root: &str, who: &str) -> Result<Vec<Collection>, Self::Error>;
    fn page(&self, collection: &str, window: &Window<'_>) -> Result<Page, Self::Error>;
    /// Whether any version of an object is there.
    fn has(&self, collection: &str, id: &str) -> Result<bool, Self::Error>;
    /// Stores all in one transaction, with the status it returns the outcomes of.
    fn add(
        &mut self,
        collection: &str,
        objects: Vec<Entry>,
        now: i64,
    ) -> Result<Vec<Outcome>, Self::Error>;
    fn delete(&mut self, collection: &str, filter: &Filter) -> Result<(), Self::Error>;
    fn keep_status(&mut self, root: &str, status: Status) -> Result<(), Self::Error>;
    fn status(&self, root: &str, id: &str) -> Result<Option<Status>, Self::Error>;
}

/// Answers a request.
pub fn handle<S: Storage>(request: &Request<'_>, storage: &mut S, context: &Context) -> Reply {
    match answer(request, storage, context) {
        Ok(reply) => reply,
        Err(refusal) => refusal.reply(context),
    }
}

/// Why a request gets nothing.
pub(crate) struct Refusal {
    pub status: u16,
    pub title: &'static str,
    pub description: String,
}

pub(crate) type Answered<T> = Result<T, Refusal>;

pub(crate) fn refuse<T>(
    status: u16,
    title: &'static str,
    description: impl Into<String>,
) -> Answered<T> {
    Err(Refusal { status, title, description: description.into() })
}

pub(crate) fn stored<T, E: std::fmt::Display>(result: Result<T, E>) -> Answered<T> {
    result.or_else(|error| refuse(503, "Not available now", error.to_string()))
}

impl Refusal {
    fn reply(self, context: &Context) -> Reply {
        let body = json!({
            "title": self.title, "description": self.description, "http_status": self.status.to_string(),
            "error_id": uuid::Builder::from_random_bytes(context.fresh).into_uuid().to_string(),
        });
        let mut reply = json_reply(self.status, &body);
        if self.status == 401 {
            let challenges = context.challenges.iter().map(|c| ("WWW-Authenticate", c.clone()));
            reply.headers.extend(challenges);
        }
        if self.status == 503 {
            reply.headers.push(("Retry-After", "30".to_owned()));
        }
        reply
    }
}

pub(crate) fn json_reply(status: u16, body: &Value) -> Reply {
    raw_reply(status, body.to_string().into_bytes())
}

pub(crate) fn raw_reply(status: u16, body: Vec<u8>) -> Reply {
    Reply { status, headers: vec![("Content-Type", MEDIA_TYPE.to_owned())], body }
}

fn answer<S: Storage>(
    request: &Request<'_>,
    storage: &mut S,
    context: &Context,
) -> Answered<Reply> {
    let Some(who) = request.who else {
        return refuse(401, "Unauthorised", "credentials are missing or wrong");
    };
    if !media::accepts(request.accept, request.tolerant) {
        return refuse(406, "Not acceptable", format!("answers are {MEDIA_TYPE}"));
    }
    let Some(below) = request.path.strip_prefix(&context.base) else { return not_found("path") };
    let below = match below.strip_suffix('/') {
        Some(below) => below,
        None if below.is_empty() => "",
        None if request.tolerant => below,
        None => return refuse(404, "Not found", "paths end with a slash"),
    };
    let segments: Vec<&str> = below.split('/').filter(|segment| !segment.is_empty()).collect();
    let Some((root, rest)) = segments.split_first() else {
        only(request, &[Method::Get])?;
        return Ok(json_reply(200, &discovery(context)));
    };
    let Some(root) = context.roots.iter().find(|known| known.name == *root) else {
        return not_found("API root");
    };
    in_root(request, storage, context, root, rest, who)
}

fn in_root<S: Storage>(
    request: &Request<'_>,
    storage: &mut S,
    context: &Context,
    root: &Root,
    rest: &[&str],
    who: &str,
) -> Answered<Reply> {
    match rest {
        [] => {
            only(request, &[Method::Get])?;
            Ok(json_reply(200, &root_json(root)))
        }
        ["status", id] => {
            only(request, &[Method::Get])?;
            let status = stored(storage.status(&root.name, id))?;
            match status.filter(|status| status.poster == who) {
                Some(status) => Ok(json_reply(200, &status.json())),
                None => not_found("status"),
            }
        }
        ["collections"] => {
            only(request, &[Method::Get])?;
            let mut all = stored(storage.collections(&root.name, who))?;
            all.sort_by(|a, b| a.id.cmp(&b.id));
            let all: Vec<Value> = all.iter().map(collection_json).collect();
            let body = if all.is_empty() { json!({}) } else { json!({ "collections": all }) };
            Ok(json_reply(200, &body))
        }
        ["collections", name, below @ ..] => {
            let all = stored(storage.collections(&root.name, who))?;
            let found = all.iter().find(|c| c.id == *name || c.alias.as_deref() == Some(name));
            let Some(collection) = found else { return not_found("collection") };
            if below.is_empty() {
                only(request, &[Method::Get])?;
                return Ok(json_reply(200, &collection_json(collection)));
            }
            let query =
                filter::read(request.query).or_else(|what| refuse(400, "Bad query", what))?;
            let at = objects::At { request, context, root, collection, query, who };
            at.answer(storage, below)
        }
        _ => not_found("path"),
    }
}

pub(crate) fn not_found<T>(what: &str) -> Answered<T> {
    refuse(404, "Not found", format!("no such {what}"))
}

pub(crate) fn only(request: &Request<'_>, methods: &[Method]) -> Answered<()> {
    match methods.contains(&request.method) {
        true => Ok(()),
        false => refuse(405, "Method not allowed", "not for this resource"),
    }
}

fn discovery(context: &Context) -> Value {
    let roots: Vec<String> =
        context.roots.iter().map(|root| format!("{}{}/", context.base, root.name)).collect();
    let mut json = json!({ "title": context.discovery.title });
    put(&mut json, "description", context.discovery.description.as_deref());
    put(&mut json, "contact", context.discovery.contact.as_deref());
    if let Some(first) = roots.first() {
        json["default"] = first.as_str().into();
        json["api_roots"] = roots.into();
    }
    json
}

fn put(json: &mut Value, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        json[key] = value.into();
    }
}

fn root_json(root: &Root) -> Value {
    let mut json = json!({
        "title": root.title, "versions": [MEDIA_TYPE], "max_content_length": root.max_content_length,
    });
    put(&mut json, "description", root.description.as_deref());
    json
}

fn collection_json(collection: &Collection) -> Value {
    let mut json = json!({
        "id": collection.id, "title": collection.title, "can_read": collection.can_read,
        "can_write": collection.can_write, "media_types": [media::STIX_TYPE],
    });
    put(&mut json, "description", collection.description.as_deref());
    put(&mut json, "alias", collection.alias.as_deref());
    json
}
