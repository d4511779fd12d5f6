//! What shadow's tools say of accounts and groups: OCSF Account Change (3001).

use super::{CLASS_ACCOUNT, Draft, pairs::pairs};

/// Reads a message of `useradd`, `usermod`, `passwd` and their kin; `false` if it is none.
pub fn classify(draft: &mut Draft, message: &str, program: &str) -> bool {
    let known = match program {
        "useradd" | "adduser" | "newusers" => added(draft, message),
        "usermod" | "userdel" | "groupmod" | "groupdel" | "groupadd" | "gpasswd" | "vigr" => {
            changed(draft, message, program)
        }
        "passwd" | "chpasswd" | "chage" => password(draft, message),
        _ => false,
    };
    if known {
        draft.class = CLASS_ACCOUNT;
    }
    known
}

/// `new user: name=x, UID=1001, GID=1001, home=/home/x, shell=/bin/bash, from=/dev/pts/0`
fn added(draft: &mut Draft, message: &str) -> bool {
    let Some((what, rest)) = message.split_once(": ") else {
        return changed(draft, message, "useradd");
    };
    let action = match what {
        "new user" => "user_created",
        "new group" => "group_created",
        "failed adding user" | "failed adding group" => "failed",
        _ => return changed(draft, message, "useradd"),
    };
    draft.set("action", action);
    for (name, value) in pairs(rest) {
        match name {
            "name" if action == "group_created" => draft.set("group", value.text),
            "name" => draft.set("target_user", value.text),
            "UID" | "GID" | "home" | "shell" => draft.set(&name.to_ascii_lowercase(), value.text),
            _ => {}
        }
    }
    true
}

/// `add 'x' to group 'sudo'`, `delete user 'x'`, `change user 'x' password`, `lock user 'x' password`
fn changed(draft: &mut Draft, message: &str, program: &str) -> bool {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    let (action, user, group) = match (message.split(' ').next(), quoted.as_slice()) {
        (Some("add"), [user, group, ..]) => ("group_member_added", Some(*user), Some(*group)),
        (Some("removed" | "delete"), [user, group, ..]) if message.contains(" from ") => {
            ("group_member_removed", Some(*user), Some(*group))
        }
        (Some("delete"), [user, ..]) if message.contains("user") => {
            ("user_deleted", Some(*user), None)
        }
        (Some("lock"), [user, ..]) => ("locked", Some(*user), None),
        (Some("unlock"), [user, ..]) => ("unlocked", Some(*user), None),
        (Some("change"), [user, ..]) => ("changed", Some(*user), None),
        _ if message.starts_with("user ")
            && message.contains(" added by ")
            && message.contains(" to group ") =>
        {
            // gpasswd: `user x added by root to group sudo`
            let words: Vec<&str> = message.split(' ').collect();
            ("group_member_added", words.get(1).copied(), words.last().copied())
        }
        _ if message.starts_with("new group: ") || message.starts_with("group added to ") => {
            let name = pairs(message).find(|(name, _)| *name == "name").map(|(_, v)| v.text);
            ("group_created", None, name)
        }
        _ if program.starts_with("group") && message.contains("removed") => {
            ("group_deleted", None, quoted.first().copied())
        }
        _ => return false,
    };
    draft.set("action", action);
    if let Some(user) = user {
        draft.set_some("target_user", user);
    }
    if let Some(group) = group {
        draft.set_some("group", group.trim_start_matches("name="));
    }
    true
}

/// `pam_unix(passwd:chauthtok): password changed for x`
fn password(draft: &mut Draft, message: &str) -> bool {
    let Some((_, user)) = message.split_once("password changed for ") else { return false };
    draft.set("action", "password_changed");
    draft.set("target_user", user.split(' ').next().unwrap_or_default());
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_line;
    use crate::event::Format;

    #[test]
    fn accounts_and_groups_change() {
        for (line, action, user, group) in [
            (
                "useradd[1]: new user: name=x, UID=1001, GID=1001, home=/home/x, shell=/bin/bash, from=/dev/pts/0",
                "user_created",
                "x",
                "",
            ),
            ("useradd[1]: add 'x' to group 'docker'", "group_member_added", "x", "docker"),
            ("usermod[1]: add 'x' to group 'sudo'", "group_member_added", "x", "sudo"),
            ("userdel[1]: delete user 'x'", "user_deleted", "x", ""),
            ("gpasswd[1]: user x added by root to group sudo", "group_member_added", "x", "sudo"),
            (
                "passwd[1]: pam_unix(passwd:chauthtok): password changed for x",
                "password_changed",
                "x",
                "",
            ),
            ("groupadd[1]: new group: name=ops, GID=2000", "group_created", "", "ops"),
        ] {
            let e = read_line(format!("Jan  1 01:00:00 h {line}"), Format::Auto);
            let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
            assert_eq!(
                (e.class, field("action"), field("target_user"), field("group")),
                (3001, action, user, group),
                "{line}"
            );
        }
        let e = read_line("Jan  1 01:00:00 h useradd[1]: something else", Format::Auto);
        assert_eq!(e.class, 0);
    }
}
