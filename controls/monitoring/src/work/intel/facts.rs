//! An event as objects of STIX, for patterns: addresses, names, URLs, connections, files, processes, registry keys,
//! mails and accounts. Pure.
//!
//! | object | of which fields |
//! |---|---|
//! | `ipv4-addr`, `ipv6-addr`, `domain-name`, `url`, `email-addr` | whatever the set asks too (`observe`) |
//! | `network-traffic` | the two ends, ports, protocol; `http-request-ext` where there is a request |
//! | `file`, `directory` | `TargetFilename`, `Image`, `ImageLoaded`, `exe`, with the hashes |
//! | `process` | command line, number, folder, image, parent, account |
//! | `windows-registry-key` | `TargetObject`; where it names a value, also the key above with that value |
//! | `email-message` | sender, recipients, subject |
//! | `user-account` | who acts and who is acted on |
//! | `x-ume-event` | every event: `class`, `source`, `host`, `app`, `message`, `fields.…` |
//!
//! Hashes, names and IPv6 addresses stand in small letters, hives in full; everything else as the event says it.

use std::borrow::Cow;

use indicators::{Direction, Kind};
use serde_json::{Map, Value as Json, json};
use stream::Event;

use super::observe;

/// The type of the object that holds an event as it is.
pub const EVENT: &str = "x-ume-event";
const OBJECTS_MAX: usize = 64;

const HIVES: [(&str, &str); 5] = [
    ("HKLM", "HKEY_LOCAL_MACHINE"),
    ("HKCU", "HKEY_CURRENT_USER"),
    ("HKU", "HKEY_USERS"),
    ("HKCR", "HKEY_CLASSES_ROOT"),
    ("HKCC", "HKEY_CURRENT_CONFIG"),
];

/// A registry key with its hive in full.
pub fn whole_key(text: &str) -> Cow<'_, str> {
    let (hive, rest) = text.split_once('\\').unwrap_or((text, ""));
    match HIVES.iter().find(|(short, _)| short.eq_ignore_ascii_case(hive)) {
        Some((_, whole)) if rest.is_empty() => Cow::Borrowed(whole),
        Some((_, whole)) => Cow::Owned(format!("{whole}\\{rest}")),
        None => Cow::Borrowed(text),
    }
}

/// Folder and name of a file.
pub fn split_path(text: &str) -> (&str, &str) {
    let separator = if text.contains('\\') { '\\' } else { '/' };
    text.rsplit_once(separator).unwrap_or(("", text))
}

/// Shows every text that an object of the event may hold where a pattern compares it as a whole.
pub fn texts(event: &Event, mut show: impl FnMut(&str)) {
    observe::each(event, |kind, text, _| match kind {
        Kind::Domain | Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 => {
            match text.bytes().any(|b| b.is_ascii_uppercase()) {
                true => show(&text.to_ascii_lowercase()),
                false => show(text),
            }
        }
        Kind::Ip => match text.parse::<std::net::IpAddr>() {
            Ok(ip @ std::net::IpAddr::V6(_)) => show(&ip.to_string()),
            _ => show(text),
        },
        Kind::Path => {
            show(text);
            let (folder, name) = split_path(text);
            show(folder);
            show(name);
        }
        Kind::RegistryKey => {
            let whole = whole_key(text);
            show(&whole);
            show(split_path(&whole).0);
        }
        _ => show(text),
    });
    if let Some(text) = event.fields.get("ParentImage") {
        let (folder, name) = split_path(text);
        show(folder);
        show(name);
    }
}

/// Objects under construction, each with its id.
struct Objects(Vec<Json>);

impl Objects {
    fn add(&mut self, mut object: Json) -> String {
        let id = self.0.len().to_string();
        object["id"] = Json::String(id.clone());
        if self.0.len() < OBJECTS_MAX {
            self.0.push(object);
        }
        id
    }
}

/// The objects of an event.
pub fn objects(event: &Event) -> Vec<Json> {
    let mut all = Objects(Vec::new());
    let field = |name: &str| event.fields.get(name).map(String::as_str).filter(|v| *v != "-");
    let first = |names: &[&str]| names.iter().find_map(|name| field(name));
    let (mut from, mut to, mut named) = (None, None, None);
    let (mut senders, mut recipients, mut hashes) = (Vec::new(), Vec::new(), Map::new());
    let (mut paths, mut agent) = (Vec::new(), None);
    observe::each(event, |kind, text, direction| match kind {
        Kind::Ip => {
            let id = address(text, &mut all);
            match direction {
                Direction::Source => from = from.take().or(id),
                _ => to = to.take().or(id),
            }
        }
        Kind::Domain => {
            let value = text.to_ascii_lowercase();
            let id = all.add(json!({ "type": "domain-name", "value": value }));
            named = named.take().or(Some(id));
        }
        Kind::Url => drop(all.add(json!({ "type": "url", "value": text }))),
        Kind::Email => {
            let id = all.add(json!({ "type": "email-addr", "value": text }));
            match direction {
                Direction::Source => senders.push(id),
                _ => recipients.push(id),
            }
        }
        Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 => {
            let name = match kind {
                Kind::Md5 => "MD5",
                Kind::Sha1 => "SHA-1",
                Kind::Sha256 => "SHA-256",
                _ => "SHA-512",
            };
            hashes.insert(name.to_owned(), text.to_ascii_lowercase().into());
        }
        Kind::Path => paths.push(text.to_owned()),
        Kind::RegistryKey => registry(text, field("Details"), &mut all),
        Kind::UserAgent => agent = Some(text.to_owned()),
        _ => {}
    });
    let image = first(&["Image", "exe"]);
    let mut image_id = None;
    paths.dedup();
    for path in &paths {
        let id = file(path, &hashes, &mut all);
        if image == Some(path.as_str()) {
            image_id = Some(id);
        }
    }
    if paths.is_empty() && !hashes.is_empty() {
        all.add(json!({ "type": "file", "hashes": hashes }));
    }
    let users = ["user", "User", "target_user", "TargetUserName", "SubjectUserName"];
    let accounts: Vec<(&str, String)> = users
        .into_iter()
        .filter_map(|name| Some((name, field(name)?)))
        .map(|(name, text)| (name, account(text, event, &mut all)))
        .collect();
    traffic(event, from.as_deref(), to.or(named).as_deref(), agent.as_deref(), &mut all);
    process(event, image_id, accounts.first().map(|(_, id)| id.as_str()), &mut all);
    if !senders.is_empty() || !recipients.is_empty() {
        let mut mail = json!({ "type": "email-message", "is_multipart": false });
        if let Some(sender) = senders.first() {
            mail["from_ref"] = json!(sender);
        }
        if !recipients.is_empty() {
            mail["to_refs"] = json!(recipients);
        }
        if let Some(subject) = first(&["subject", "Subject"]) {
            mail["subject"] = json!(subject);
        }
        all.add(mail);
    }
    all.add(json!({
        "type": EVENT,
        "class": event.class,
        "source": event.source,
        "host": event.host,
        "app": event.app,
        "message": event.message,
        "fields": event.fields,
    }));
    all.0
}

fn address(text: &str, all: &mut Objects) -> Option<String> {
    let ip = text.parse::<std::net::IpAddr>().ok()?;
    let ty = if ip.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
    Some(all.add(json!({ "type": ty, "value": ip.to_string() })))
}

fn registry(text: &str, data: Option<&str>, all: &mut Objects) {
    let whole = whole_key(text);
    all.add(json!({ "type": "windows-registry-key", "key": whole }));
    let (key, name) = split_path(&whole);
    if let Some(data) = data.filter(|_| !key.is_empty()) {
        let values = json!([{ "name": name, "data": data }]);
        all.add(json!({ "type": "windows-registry-key", "key": key, "values": values }));
    }
}

fn file(path: &str, hashes: &Map<String, Json>, all: &mut Objects) -> String {
    let (folder, name) = split_path(path);
    let mut file = json!({ "type": "file", "name": name });
    if !folder.is_empty() {
        let folder = all.add(json!({ "type": "directory", "path": folder }));
        file["parent_directory_ref"] = json!(folder);
    }
    if !hashes.is_empty() {
        file["hashes"] = Json::Object(hashes.clone());
    }
    all.add(file)
}

/// `DOMAIN\name` is somebody's name too.
fn account(text: &str, event: &Event, all: &mut Objects) -> String {
    let login = text.rsplit('\\').next().unwrap_or(text);
    let mut account = json!({ "type": "user-account", "user_id": text, "account_login": login });
    // Whether a log-in went well, which STIX has no property for.
    if let Some(outcome) = event.fields.get("outcome") {
        account["x_ume_outcome"] = json!(outcome);
    }
    all.add(account)
}

fn traffic(
    event: &Event,
    from: Option<&str>,
    to: Option<&str>,
    agent: Option<&str>,
    all: &mut Objects,
) {
    let field = |names: &[&str]| names.iter().find_map(|name| event.fields.get(*name));
    let port = |names: &[&str]| field(names).and_then(|text| text.parse::<u16>().ok());
    if from.is_none() && to.is_none() {
        return;
    }
    let mut traffic = json!({ "type": "network-traffic" });
    let mut protocols: Vec<String> = Vec::new();
    if let Some(protocol) = field(&["protocol", "Protocol", "proto", "PROTO"]) {
        protocols.push(protocol.to_ascii_lowercase());
    }
    for (name, end) in [("src_ref", from), ("dst_ref", to)] {
        if let Some(end) = end {
            traffic[name] = json!(end);
        }
    }
    for (name, port) in [
        ("src_port", port(&["src_port", "SourcePort", "c-port"])),
        ("dst_port", port(&["dst_port", "DestinationPort", "r-port"])),
    ] {
        if let Some(port) = port {
            traffic[name] = json!(port);
        }
    }
    let method = field(&["cs-method", "method"]);
    let target = field(&["cs-uri", "c-uri", "cs-uri-stem", "url"]);
    if let (Some(method), Some(target)) = (method, target) {
        protocols.push("http".to_owned());
        let mut request = json!({ "request_method": method, "request_value": target });
        let mut headers = Map::new();
        if let Some(agent) = agent {
            headers.insert("User-Agent".to_owned(), json!(agent));
        }
        if let Some(host) = event.fields.get("cs-host") {
            headers.insert("Host".to_owned(), json!(host));
        }
        if !headers.is_empty() {
            request["request_header"] = Json::Object(headers);
        }
        traffic["extensions"] = json!({ "http-request-ext": request });
    }
    traffic["protocols"] = json!(protocols);
    all.add(traffic);
}

fn process(event: &Event, image: Option<String>, account: Option<&str>, all: &mut Objects) {
    let field = |names: &[&str]| names.iter().find_map(|name| event.fields.get(*name));
    let command = field(&["CommandLine"]);
    let number = field(&["ProcessId", "process_id", "pid"]).and_then(|n| n.parse::<u64>().ok());
    if command.is_none() && image.is_none() {
        return;
    }
    let mut process = json!({ "type": "process" });
    if let Some(number) = number {
        process["pid"] = json!(number);
    }
    for (name, text) in [("command_line", command), ("cwd", field(&["CurrentDirectory", "cwd"]))] {
        if let Some(text) = text {
            process[name] = json!(text);
        }
    }
    for (name, id) in [("image_ref", image.as_deref()), ("creator_user_ref", account)] {
        if let Some(id) = id {
            process[name] = json!(id);
        }
    }
    if let Some(parent) = field(&["ParentImage"]) {
        let image = file(parent, &Map::new(), all);
        let mut above = json!({ "type": "process", "image_ref": image });
        if let Some(command) = field(&["ParentCommandLine"]) {
            above["command_line"] = json!(command);
        }
        process["parent_ref"] = json!(all.add(above));
    }
    all.add(process);
}
