//! Users and groups. Of a password only its state, scheme and fingerprint arrive here.

use std::collections::BTreeMap;

use super::{Sink, at, lines, sorted, val};
use crate::{
    bytes::Bytes,
    fact::{Class, Fingerprint, Unit, Value},
    secret::SHADOW_MARK,
};

/// What shadow or gshadow says of one name.
#[derive(Clone, Debug, Default)]
struct Password {
    state: &'static str,
    scheme: Option<String>,
    print: Option<Fingerprint>,
    locked: bool,
    /// Fields behind the password as they are.
    fields: Vec<String>,
    line: u32,
}

pub(crate) fn facts(sink: &mut Sink<'_>) {
    let shadow = passwords(sink, "/etc/shadow");
    let gshadow = passwords(sink, "/etc/gshadow");
    users(sink, shadow.as_ref());
    groups(sink, gshadow.as_ref());
    for (name, map) in [("shadow", shadow), ("gshadow", gshadow)] {
        for (user, password) in map.into_iter().flatten() {
            if let Some(print) = password.print {
                let origin = at(&format!("/etc/{name}"), password.line);
                sink.secret(&format!("{name}/{user}"), print, origin);
            }
        }
    }
    ranges(sink);
}

/// None when the file is not there or was not read.
fn passwords(sink: &mut Sink<'_>, path: &str) -> Option<BTreeMap<String, Password>> {
    let text = sink.text(path)?;
    let mut map = BTreeMap::new();
    for (line, entry) in lines(&text.text) {
        let mut fields = entry.split(':');
        match (fields.next(), fields.next()) {
            (Some(name), Some(field)) if !name.is_empty() => {
                let mut password = password(field);
                password.fields = fields.map(str::to_owned).collect();
                password.line = line;
                map.entry(name.to_owned()).or_insert(password);
            }
            _ if entry.trim().is_empty() => {}
            _ => sink.problem(path, line, "not an entry of shadow"),
        }
    }
    Some(map)
}

/// `!` and `*` cannot be the result of any hash, so nobody logs in with a password.
fn password(field: &str) -> Password {
    let bare = field.trim_start_matches('!');
    let locked = bare.len() < field.len();
    if let Some(rest) = bare.strip_prefix(SHADOW_MARK) {
        let (scheme, hash) = rest.split_once('$').unwrap_or((rest, ""));
        let mut print = [0; 16];
        let read = hex::decode_to_slice(hash, &mut print).is_ok();
        return Password {
            state: if locked { "locked" } else { "set" },
            scheme: Some(scheme.to_owned()),
            print: read.then_some(Fingerprint(print)),
            locked,
            ..Password::default()
        };
    }
    let state = match (bare, locked) {
        ("", false) => "empty",
        ("*" | "x", _) | ("", true) => "none",
        _ => "none",
    };
    Password { state, locked, ..Password::default() }
}

const AGEING: [&str; 6] = ["changed", "min", "max", "warn", "inactive", "expires"];

fn users(sink: &mut Sink<'_>, shadow: Option<&BTreeMap<String, Password>>) {
    let path = "/etc/passwd";
    let Some(text) = sink.text(path) else { return };
    for (line, entry) in super::settings(&text.text) {
        let fields: Vec<&str> = entry.split(':').collect();
        let [name, hash, uid, gid, gecos, home, shell] = fields[..] else {
            sink.problem(path, line, "not seven fields");
            continue;
        };
        let (Ok(uid), Ok(gid)) = (uid.parse::<u32>(), gid.parse::<u32>()) else {
            sink.problem(path, line, "uid or gid is not a number");
            continue;
        };
        let mut map = BTreeMap::from([
            ("uid".to_owned(), Value::Int(uid.into())),
            ("gid".to_owned(), Value::Int(gid.into())),
            ("gecos".to_owned(), val(gecos)),
            ("home".to_owned(), val(home)),
            ("shell".to_owned(), val(shell)),
            ("shadowed".to_owned(), Value::Bool(hash == "x")),
        ]);
        let known = match hash {
            "x" => shadow.map(|shadow| shadow.get(name).cloned()),
            // A hash in passwd itself never leaves; that one is there is what matters.
            "" => Some(Some(Password { state: "empty", ..Password::default() })),
            other => Some(Some(Password {
                state: if other.starts_with(['!', '*']) { "none" } else { "set" },
                locked: other.starts_with('!'),
                ..Password::default()
            })),
        };
        match known {
            None => {
                map.insert("password".to_owned(), val("unknown"));
            }
            Some(None) => {
                map.insert("password".to_owned(), val("none"));
            }
            Some(Some(password)) => add_password(&mut map, &password),
        }
        sink.add(Class::User, Bytes::parse(name), Value::Map(map), at(path, line));
    }
}

fn add_password(map: &mut BTreeMap<String, Value>, password: &Password) {
    map.insert("password".to_owned(), val(password.state));
    map.insert("locked".to_owned(), Value::Bool(password.locked));
    if let Some(scheme) = &password.scheme {
        map.insert("scheme".to_owned(), val(scheme));
    }
    for (name, field) in AGEING.iter().zip(&password.fields) {
        if let Ok(days) = field.parse::<i64>() {
            map.insert((*name).to_owned(), Value::Quantity(days, Unit::Days));
        }
    }
}

fn groups(sink: &mut Sink<'_>, gshadow: Option<&BTreeMap<String, Password>>) {
    let path = "/etc/group";
    let Some(text) = sink.text(path) else { return };
    for (line, entry) in super::settings(&text.text) {
        let fields: Vec<&str> = entry.split(':').collect();
        let [name, _, gid, members] = fields[..] else {
            sink.problem(path, line, "not four fields");
            continue;
        };
        let Ok(gid) = gid.parse::<u32>() else {
            sink.problem(path, line, "gid is not a number");
            continue;
        };
        let mut map = BTreeMap::from([
            ("gid".to_owned(), Value::Int(gid.into())),
            ("members".to_owned(), sorted(members.split(',').map(str::trim))),
        ]);
        if let Some(password) = gshadow.and_then(|gshadow| gshadow.get(name)) {
            map.insert("password".to_owned(), val(password.state));
            let admins = password.fields.first().map_or("", String::as_str);
            map.insert("admins".to_owned(), sorted(admins.split(',').map(str::trim)));
        }
        sink.add(Class::Group, Bytes::parse(name), Value::Map(map), at(path, line));
    }
}

/// `/etc/subuid`, `/etc/subgid`: ranges of ids that a user may hand out.
fn ranges(sink: &mut Sink<'_>) {
    for name in ["subuid", "subgid"] {
        let Some(text) = sink.text(&format!("/etc/{name}")) else { continue };
        for (line, entry) in super::settings(&text.text) {
            let Some((user, range)) = entry.split_once(':') else {
                sink.problem(&text.path, line, "not name:start:count");
                continue;
            };
            let key = format!("{name}/{user}");
            sink.add(Class::LoginDefault, Bytes::parse(&key), val(range), at(&text.path, line));
        }
    }
}
