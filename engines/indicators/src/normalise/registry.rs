//! Registry keys: one name for each hive, no case, users without their ids.

use super::{
    path::with_backslashes,
    text::{folded, no_control},
};
use crate::{Reject, Scope};

/// Long names and how the registry itself calls them.
const HIVES: [(&str, &str); 12] = [
    ("hkey_local_machine", "hklm"),
    ("hklm", "hklm"),
    ("hkey_current_user", "hkcu"),
    ("hkcu", "hkcu"),
    ("hkey_users", "hku"),
    ("hku", "hku"),
    ("hkey_classes_root", "hkcr"),
    ("hkcr", "hkcr"),
    ("hkey_current_config", "hkcc"),
    ("hkcc", "hkcc"),
    ("hkey_performance_data", "hkpd"),
    ("hkpd", "hkpd"),
];

/// A key, or a key and the name of a value, with the hive's short name.
///
/// What is the same to a program is one text: the numbered control sets are the current one, and a
/// user's hive is `hkcu`, whoever the user is.
pub(super) fn key(raw: &str) -> Result<(Scope, String), Reject> {
    no_control(raw)?;
    let text = with_backslashes(folded(raw));
    let mut parts: Vec<&str> = text.split('\\').filter(|part| !part.is_empty()).collect();
    if parts.first() == Some(&"computer") {
        parts.remove(0);
    }
    let mut path = hive(&mut parts)?;
    users(&mut path, &mut parts);
    for part in &mut parts {
        if is_control_set(part) {
            *part = "currentcontrolset";
        }
    }
    let prefix = parts.last() == Some(&"*");
    if prefix {
        parts.pop();
    }
    for part in &parts {
        path.push('\\');
        path.push_str(part);
    }
    let scope = match (prefix, path.contains(['*', '?'])) {
        (_, true) => Scope::Pattern,
        (true, false) => Scope::Prefix,
        (false, false) => Scope::Exact,
    };
    if prefix && scope == Scope::Pattern {
        path.push_str("\\*");
    }
    Ok((scope, path))
}

fn hive(parts: &mut Vec<&str>) -> Result<String, Reject> {
    let head = parts.first().ok_or(Reject::Empty)?.trim_end_matches(':');
    // As the kernel names them: \REGISTRY\MACHINE, \REGISTRY\USER.
    if head == "registry" {
        let hive = match parts.get(1) {
            Some(&"machine") => "hklm",
            Some(&"user") => "hku",
            _ => return Err(Reject::Hive),
        };
        parts.drain(..2);
        return Ok(hive.to_owned());
    }
    let (_, short) = HIVES.iter().find(|(name, _)| *name == head).ok_or(Reject::Hive)?;
    parts.remove(0);
    Ok((*short).to_owned())
}

/// `hku\S-1-5-21-…` is the hive of a person, and `…_classes` its classes.
fn users(path: &mut String, parts: &mut Vec<&str>) {
    if path != "hku" {
        return;
    }
    let Some(sid) = parts.first().filter(|part| part.starts_with("s-1-5-21-")) else { return };
    let classes = sid.ends_with("_classes");
    parts.remove(0);
    *path = if classes { "hkcu\\software\\classes" } else { "hkcu" }.to_owned();
}

fn is_control_set(part: &str) -> bool {
    part.strip_prefix("controlset")
        .is_some_and(|rest| rest.len() == 3 && rest.bytes().all(|b| b.is_ascii_digit()))
}
