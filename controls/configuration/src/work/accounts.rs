//! Users, groups, and whether a password is set. No hash ever leaves this file: of a shadow entry
//! only `empty`, `locked` or `set` is kept, and a problem never quotes its line.

use super::parse::{Parsed, lines};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub(super) type Passwords = BTreeMap<String, &'static str>;

pub(super) fn shadow(text: &str) -> (Passwords, Parsed) {
    let mut passwords = Passwords::new();
    let mut parsed = Parsed::default();
    for (number, line) in lines(text) {
        let mut fields = line.split(':');
        match (fields.next(), fields.next()) {
            (Some(name), Some(field)) if !name.is_empty() => {
                passwords.entry(name.to_owned()).or_insert(password(field));
            }
            _ if line.trim().is_empty() => {}
            _ => parsed.problem(number, "not an entry of shadow"),
        }
    }
    (passwords, parsed)
}

/// `!` and `*` cannot be the result of any hash, so nobody logs in with a password.
fn password(field: &str) -> &'static str {
    match field.as_bytes().first() {
        None => "empty",
        Some(b'!' | b'*') => "locked",
        Some(_) => "set",
    }
}

/// `passwords` is none when shadow could not be read.
pub(super) fn passwd(text: &str, passwords: Option<&Passwords>) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, line) in lines(text) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(':').collect();
        let [name, hash, uid, gid, _, home, shell] = fields[..] else {
            parsed.problem(number, "not seven fields");
            continue;
        };
        let (Ok(uid), Ok(gid)) = (uid.parse::<u32>(), gid.parse::<u32>()) else {
            parsed.problem(number, "uid or gid is not a number");
            continue;
        };
        let shadowed = hash == "x";
        let state = match passwords {
            _ if !shadowed => password(hash),
            Some(known) => known.get(name).copied().unwrap_or("none"),
            None => "unknown",
        };
        let fact = json!({
            "uid": uid, "gid": gid, "home": home, "shell": shell,
            "password": state, "shadowed": shadowed,
        });
        parsed.facts.push((name.to_owned(), fact));
    }
    parsed
}

pub(super) fn group(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, line) in lines(text) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else {
            parsed.problem(number, "not four fields");
            continue;
        };
        let Ok(gid) = gid.parse::<u32>() else {
            parsed.problem(number, "gid is not a number");
            continue;
        };
        let members: BTreeSet<&str> =
            members.split(',').map(str::trim).filter(|member| !member.is_empty()).collect();
        parsed.facts.push((name.to_owned(), json!({ "gid": gid, "members": members })));
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_state_never_a_hash() {
        let (known, _) = shadow("root:*:1:\na:$6$HASH:1:\nb::1:\nc:!$6$HASH:1:\nbroken\n");
        let text = "root:x:0:0:r:/root:/bin/sh\na:x:1:1::/:/bin/sh\nb:x:2:2::/:/bin/sh\n\
            c:x:3:3::/:/bin/sh\nd:x:4:4::/:/bin/sh\ne:HASH:5:5::/:/bin/sh\n";
        let parsed = passwd(text, Some(&known));
        let states: Vec<_> = parsed.facts.iter().map(|(_, f)| f["password"].clone()).collect();
        assert_eq!(states, ["locked", "set", "empty", "locked", "none", "set"]);
        assert_eq!(parsed.facts[5].1["shadowed"], false);
        assert!(!format!("{:?}", parsed.facts).contains("HASH"));
        assert_eq!(passwd(text, None).facts[0].1["password"], "unknown");
    }

    #[test]
    fn broken_lines_are_problems() {
        let parsed = passwd("a:b\nx:x:-1:0:::\n\n", None);
        assert_eq!(parsed.problems.len(), 2);
        assert!(parsed.facts.is_empty());
        assert_eq!(group("g:x:nan:\nh:x\n").problems.len(), 2);
    }

    #[test]
    fn members_of_a_group_are_sorted() {
        assert_eq!(group("sudo:x:27:b,a,\n").facts[0].1, json!({"gid": 27, "members": ["a", "b"]}));
    }
}
