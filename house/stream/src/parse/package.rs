//! What Debian's package tools write: dpkg.log, apt/history.log, alternatives.log.

use jiff::tz::TimeZone;

use super::{Draft, Shape, time};

/// `2025-06-24 14:36:25 upgrade libc6:amd64 1 2`; `false` if it is none.
pub fn read_dpkg(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    let Some((time, rest)) = time::local_date_time(text, zone) else { return false };
    let Some(rest) = rest.strip_prefix(' ') else { return false };
    let words: Vec<&str> = rest.split(' ').collect();
    let (package, old, new) = match words.as_slice() {
        ["status", state, package, version] => {
            draft.set("state", *state);
            (*package, None, Some(*version))
        }
        ["startup", ..] => ("", None, None),
        [
            "install" | "upgrade" | "configure" | "trigproc" | "remove" | "purge",
            package,
            old,
            new,
        ] => (*package, Some(*old), Some(*new)),
        ["conffile", file, decision] => {
            draft.set("file", *file);
            draft.set("decision", *decision);
            ("", None, None)
        }
        _ => return false,
    };
    draft.time = Some(time);
    draft.app = "dpkg".to_owned();
    draft.severity = 1;
    draft.shape = Some(Shape::Package);
    draft.set("action", words[0]);
    if !package.is_empty() {
        let (name, arch) = package.split_once(':').unwrap_or((package, ""));
        draft.set("package", name);
        draft.set("arch", arch);
    }
    for (name, version) in [("old_version", old), ("version", new)] {
        if let Some(version) = version.filter(|v| *v != "<none>") {
            draft.set(name, version);
        }
    }
    draft.message = Some(rest.to_owned());
    true
}

/// A paragraph `Start-Date: … End-Date: …`; `false` if it is none.
pub fn read_apt(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    let text = text.trim_start_matches(['\n', '\r']);
    let Some(start) = text.strip_prefix("Start-Date: ") else { return false };
    draft.time = time::local_date_time(start, zone).map(|(time, _)| time);
    draft.app = "apt".to_owned();
    draft.severity = 1;
    draft.shape = Some(Shape::Package);
    for line in text.lines() {
        if let Some((name, value)) = line.split_once(": ") {
            draft.set(&name.to_ascii_lowercase().replace('-', "_"), value);
        }
    }
    draft.message = draft.fields.get("commandline").cloned();
    true
}

/// `update-alternatives 2025-06-24 14:36:53: …`; `false` if it is none.
pub fn read_alternatives(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    let Some(rest) = text.strip_prefix("update-alternatives ") else { return false };
    let Some((time, rest)) = time::local_date_time(rest, zone) else { return false };
    let Some(message) = rest.strip_prefix(": ") else { return false };
    draft.time = Some(time);
    draft.app = "update-alternatives".to_owned();
    draft.severity = 1;
    draft.shape = Some(Shape::Package);
    draft.message = Some(message.to_owned());
    true
}
