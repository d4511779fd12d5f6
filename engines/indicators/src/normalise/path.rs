//! Paths of files. Windows: no case, one separator, variables for what differs from machine to
//! machine, users without their names. Elsewhere: case counts, `~` for anybody's home.

use super::text::{folded, nfc, no_control};
use crate::{Reject, Scope};

/// Components that stand for a machine's own folders.
const MACHINE: [(&str, &str); 8] = [
    ("%systemroot%", "c:\\windows"),
    ("%windir%", "c:\\windows"),
    ("%systemdrive%", "c:"),
    ("%programfiles%", "c:\\program files"),
    ("%programfiles(x86)%", "c:\\program files (x86)"),
    ("%programdata%", "c:\\programdata"),
    ("%allusersprofile%", "c:\\programdata"),
    ("%public%", "c:\\users\\public"),
];
/// Below a user's folder, and the variable that names it; the longest first.
const USER: [(&str, &str); 8] = [
    ("%userprofile%\\appdata\\local\\temp", "%temp%"),
    ("%userprofile%\\local settings\\temp", "%temp%"),
    ("%localappdata%\\temp", "%temp%"),
    ("%tmp%", "%temp%"),
    ("%userprofile%\\appdata\\roaming", "%appdata%"),
    ("%userprofile%\\appdata\\local", "%localappdata%"),
    ("%userprofile%\\local settings\\application data", "%localappdata%"),
    ("%userprofile%\\application data", "%appdata%"),
];
/// Folders beside those of users.
const NO_USERS: [&str; 4] = ["public", "default", "default user", "all users"];

pub(super) fn path(raw: &str) -> Result<(Scope, String), Reject> {
    no_control(raw)?;
    let unquoted = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
    let text = if is_windows(unquoted) { windows(unquoted)? } else { posix(unquoted)? };
    Ok(scoped(text))
}

/// `…\*` at the end is a folder's whole content.
fn scoped(text: String) -> (Scope, String) {
    let folder = text.strip_suffix("\\*").or_else(|| text.strip_suffix("/*"));
    match folder {
        Some(folder) if !folder.contains(['*', '?']) && !folder.is_empty() => {
            (Scope::Prefix, folder.to_owned())
        }
        _ if text.contains(['*', '?']) => (Scope::Pattern, text),
        _ => (Scope::Exact, text),
    }
}

fn is_windows(text: &str) -> bool {
    text.get(..2).is_some_and(drive) || text.starts_with('%') || text.contains('\\')
}

/// Either slash separates on Windows.
pub(super) fn with_backslashes(text: String) -> String {
    if text.contains('/') { text.replace('/', "\\") } else { text }
}

fn windows(raw: &str) -> Result<String, Reject> {
    let text = with_backslashes(folded(raw));
    let (text, share) = bare(&text);
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('\\') {
        match part {
            "" | "." => {}
            // A share, a drive or a variable is where the way up ends.
            ".." if parts.len() > 1 => {
                parts.pop();
            }
            ".." => {}
            part => parts.push(part.trim_end_matches([' ', '.'])),
        }
    }
    parts.retain(|part| !part.is_empty());
    let first = *parts.first().ok_or(Reject::Relative)?;
    if share {
        return Ok(format!("\\\\{}", parts.join("\\")));
    }
    let rooted = text.starts_with('\\') || drive(first) || variable(first);
    if !rooted {
        return Err(Reject::Relative);
    }
    Ok(with_variables(rooted_at(first, &parts, text.starts_with('\\'))))
}

fn rooted_at(first: &str, parts: &[&str], from_root: bool) -> String {
    let rest = parts[1..].join("\\");
    let head = match first {
        "systemroot" if from_root => "c:\\windows",
        _ => MACHINE.iter().find(|(name, _)| *name == first).map_or(first, |(_, full)| full),
    };
    let root = if from_root && head == first { "\\" } else { "" };
    if rest.is_empty() { format!("{root}{head}") } else { format!("{root}{head}\\{rest}") }
}

/// Without the marks that lift limits of names; whether it is a share's path.
fn bare(text: &str) -> (&str, bool) {
    if let Some(rest) = text.strip_prefix("\\\\?\\unc\\") {
        return (rest, true);
    }
    let marks = ["\\\\?\\", "\\??\\", "\\\\.\\"];
    if let Some(rest) = marks.iter().find_map(|mark| text.strip_prefix(mark)) {
        return (rest, false);
    }
    (text, text.starts_with("\\\\"))
}

fn drive(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
}

fn variable(part: &str) -> bool {
    part.len() > 2 && part.starts_with('%') && part.ends_with('%')
}

/// A user's folder by its variable, whoever the user is: `c:\users\taro\appdata\roaming\x.exe` is
/// `%appdata%\x.exe`.
fn with_variables(text: String) -> String {
    let text = if text.contains('~') { with_long_names(text) } else { text };
    let text = of_user(&text).unwrap_or(text);
    for (long, short) in USER {
        if let Some(rest) = text.strip_prefix(long)
            && (rest.is_empty() || rest.starts_with('\\'))
        {
            return format!("{short}{rest}");
        }
    }
    text
}

/// Folders by their whole names.
fn with_long_names(text: String) -> String {
    let text = text.replace("\\progra~1\\", "\\program files\\");
    let text = text.replace("\\progra~2\\", "\\program files (x86)\\");
    text.replace("c:\\docume~1\\", "c:\\documents and settings\\")
}

fn of_user(text: &str) -> Option<String> {
    let homes = ["c:\\users\\", "c:\\documents and settings\\"];
    let rest = homes.iter().find_map(|home| text.strip_prefix(home))?;
    let (user, below) = rest.split_once('\\')?;
    if NO_USERS.contains(&user) {
        return None;
    }
    Some(format!("%userprofile%\\{below}"))
}

fn posix(raw: &str) -> Result<String, Reject> {
    let raw = raw.strip_prefix("file://").unwrap_or(raw);
    let raw = match raw.strip_prefix("$HOME").or_else(|| raw.strip_prefix("${HOME}")) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
        _ => raw.to_owned(),
    };
    let home = raw == "~" || raw.starts_with("~/");
    if !home && !raw.starts_with('/') {
        return Err(Reject::Relative);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in raw[usize::from(home)..].split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let text = match parts.as_slice() {
        _ if home => format!("~/{}", parts.join("/")),
        ["home" | "Users", user, below @ ..] if !below.is_empty() && *user != "Shared" => {
            format!("~/{}", below.join("/"))
        }
        ["root", below @ ..] if !below.is_empty() => format!("~/{}", below.join("/")),
        _ => format!("/{}", parts.join("/")),
    };
    Ok(nfc(&text))
}
