//! Which lines are OCSF Authentication (3002), and who tried what.
//!
//! User names in these lines come from whoever knocks at the door: what follows them is therefore
//! searched from the right.

use super::{CLASS_AUTHENTICATION, Draft, pairs::pairs};

/// Programs whose PAM lines are somebody's log-in. Others (cron above all) open sessions without anybody.
const DOORS: [&str; 13] = [
    "login",
    "systemd-logind",
    "gdm-password]",
    "gdm-password",
    "lightdm",
    "sddm",
    "xrdp-sesman",
    "dovecot",
    "vsftpd",
    "proftpd",
    "pkexec",
    "polkitd",
    "samba",
];

/// Sets class and fields if the message is about signing in or taking rights.
pub fn classify(draft: &mut Draft, message: &str) -> bool {
    let known = match draft.app.as_str() {
        "sshd" | "sshd-session" => sshd(draft, message) || pam(draft, message),
        "sudo" => sudo(draft, message) || pam(draft, message),
        "su" | "su-l" => su(draft, message) || pam(draft, message),
        "saslauthd" | "auth" => pam(draft, message),
        app if DOORS.contains(&app) => pkexec(draft, message) || pam(draft, message),
        _ => false,
    };
    if known {
        draft.class = CLASS_AUTHENTICATION;
    }
    known
}

fn sshd(draft: &mut Draft, message: &str) -> bool {
    let first = message.split(' ').next();
    let outcome = match first {
        Some("Accepted") => "success",
        Some("Failed" | "Invalid") => "failure",
        // A question that was left half-way by a user who does not exist is asked again by PAM.
        Some("Postponed") => "postponed",
        Some("User") if message.contains(" not allowed because ") => {
            return refused(draft, message);
        }
        Some("ROOT") if message.starts_with("ROOT LOGIN REFUSED FROM ") => {
            draft.set("user", "root");
            draft.set("outcome", "failure");
            peer(draft, &message["ROOT LOGIN REFUSED FROM ".len()..]);
            return true;
        }
        _ => return left(draft, message),
    };
    draft.set("outcome", outcome);
    let Some((before, address)) = message.rsplit_once(" from ") else { return true };
    peer(draft, address);
    if let Some((_, key)) = address.split_once(" ssh2: ") {
        draft.set("key_fingerprint", key);
    }
    let user = match before.strip_prefix("Invalid user ") {
        Some(user) => {
            draft.set("invalid_user", "true");
            Some(user)
        }
        None => before.split_once(" for ").map(|(head, user)| {
            draft.set("method", head.split(' ').nth(1).unwrap_or_default());
            match user.strip_prefix("invalid user ") {
                Some(user) => {
                    draft.set("invalid_user", "true");
                    user
                }
                None => user,
            }
        }),
    };
    if let Some(user) = user {
        draft.set("user", user);
    }
    true
}

/// `192.0.2.7 port 22 …`
fn peer(draft: &mut Draft, text: &str) {
    draft.set("src_ip", text.split(' ').next().unwrap_or_default());
    if let Some((_, port)) = text.split_once(" port ") {
        draft.set("src_port", port.split(' ').next().unwrap_or_default());
    }
}

/// `User mika from 192.0.2.7 not allowed because not listed in AllowUsers`
fn refused(draft: &mut Draft, message: &str) -> bool {
    draft.set("outcome", "failure");
    let Some((who, why)) = message.rsplit_once(" not allowed because ") else { return true };
    draft.set("reason", why);
    if let Some((user, address)) = who["User ".len()..].rsplit_once(" from ") {
        draft.set("user", user);
        peer(draft, address);
    }
    true
}

/// Lines about somebody who went away before being let in.
fn left(draft: &mut Draft, message: &str) -> bool {
    let known = message.contains("authenticating user")
        || message.contains("Too many authent")
        || message.contains("maximum authentication attempts exceeded");
    if message.contains("maximum authentication attempts exceeded")
        || message.contains("Too many authent")
    {
        draft.set("outcome", "failure");
    }
    let marks = ["authenticating user ", "invalid user ", "attempts exceeded for "];
    if known && let Some((mark, at)) = marks.iter().find_map(|m| Some((m, message.find(m)?))) {
        let rest = &message[at + mark.len()..];
        let rest = rest.strip_prefix("invalid user ").unwrap_or(rest);
        let words: Vec<&str> = rest.rsplitn(4, ' ').collect();
        // `USER ADDRESS port N [preauth]` and `USER from ADDRESS port N ssh2`
        if let [.., before] = words.as_slice()
            && let Some((head, port)) = rest.rsplit_once(" port ")
        {
            let (user, address) = head.rsplit_once(' ').unwrap_or((*before, ""));
            draft.set("user", user.strip_suffix(" from").unwrap_or(user));
            draft.set_some("src_ip", address);
            draft.set("src_port", port.split(' ').next().unwrap_or_default());
        }
    }
    known
}

fn sudo(draft: &mut Draft, message: &str) -> bool {
    let Some((user, rest)) = message.split_once(" : ") else { return false };
    let Some((before, command)) = rest.split_once("COMMAND=") else { return false };
    draft.set("user", user.trim());
    draft.set("command", command);
    draft.set("COMMAND", command);
    for part in before.split(" ; ") {
        if let Some((name @ ("TTY" | "PWD" | "USER" | "GROUP" | "ENV"), value)) =
            part.split_once('=')
        {
            draft.set(name, value);
        }
    }
    if let Some((_, target)) = before.rsplit_once("USER=") {
        let target = target.split(' ').next().unwrap_or_default();
        draft.set("target_user", target);
        draft.set("USER", target);
    }
    let reasons =
        ["NOT in sudoers", "command not allowed", "incorrect password", "a password is required"];
    let refused = reasons.iter().find(|reason| before.contains(**reason));
    if let Some(reason) = refused {
        draft.set("reason", *reason);
    }
    draft.set("outcome", if refused.is_some() { "failure" } else { "success" });
    true
}

fn su(draft: &mut Draft, message: &str) -> bool {
    let failed = message.starts_with("FAILED SU") || message.contains("failed");
    let Some((_, rest)) = message.split_once("(to ") else { return failed };
    let Some((target, rest)) = rest.split_once(") ") else { return false };
    draft.set("target_user", target);
    draft.set("user", rest.rsplit_once(" on ").map_or(rest, |(user, _)| user));
    draft.set("outcome", if failed { "failure" } else { "success" });
    true
}

/// `mika: Executing command [USER=root] [TTY=…] [CWD=…] [COMMAND=…]`
fn pkexec(draft: &mut Draft, message: &str) -> bool {
    let Some((user, rest)) = message.split_once(": ") else { return false };
    if draft.app != "pkexec" || !rest.contains("[USER=") {
        return false;
    }
    draft.set("user", user);
    for part in rest.split(['[', ']']) {
        match part.split_once('=') {
            Some(("USER", target)) => draft.set("target_user", target),
            Some(("COMMAND", command)) => draft.set("command", command),
            _ => {}
        }
    }
    draft.set("outcome", if rest.starts_with("Executing") { "success" } else { "failure" });
    true
}

fn pam(draft: &mut Draft, message: &str) -> bool {
    let (outcome, mark) = if message.contains("session opened for user ") {
        ("success", "session opened for user ")
    } else if message.contains("session closed for user ") {
        ("closed", "session closed for user ")
    } else if message.contains("New session ") && message.contains(" of user ") {
        ("success", " of user ")
    } else if message.contains("authentication failure") {
        ("failure", " user=")
    } else {
        return false;
    };
    draft.set("outcome", outcome);
    if let Some((_, rest)) = message.rsplit_once(mark) {
        let user = rest.split([' ', '(']).next().unwrap_or_default();
        draft.set("user", user.trim_end_matches('.'));
    }
    if outcome == "failure" {
        for (name, value) in pairs(message) {
            match name {
                "rhost" => draft.set_some("src_ip", value.text),
                "tty" => draft.set_some("tty", value.text),
                "ruser" => draft.set_some("ruser", value.text),
                _ => {}
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_line;
    use crate::event::{Event, Format};

    fn said(app: &str, message: &str) -> Event {
        read_line(format!("Jan  1 01:00:00 h {app}[9]: {message}"), Format::Auto)
    }

    fn fields<const N: usize>(e: &Event, names: [&str; N]) -> [String; N] {
        names.map(|n| e.fields.get(n).cloned().unwrap_or_default())
    }

    const WHO: [&str; 4] = ["user", "src_ip", "src_port", "outcome"];

    #[test]
    fn sshd_says_who_from_where_by_what() {
        let e = said(
            "sshd",
            "Accepted publickey for mika from 2001:db8::7 port 5022 ssh2: ED25519 SHA256:abc",
        );
        assert_eq!(fields(&e, WHO), ["mika", "2001:db8::7", "5022", "success"]);
        assert_eq!(fields(&e, ["method", "key_fingerprint"]), ["publickey", "ED25519 SHA256:abc"]);
        let e = said("sshd", "Invalid user admin from 192.0.2.7 port 4711");
        assert_eq!(fields(&e, WHO), ["admin", "192.0.2.7", "4711", "failure"]);
        assert_eq!(e.fields["invalid_user"], "true");
        let e =
            said("sshd", "User mika from 192.0.2.7 not allowed because not listed in AllowUsers");
        assert_eq!(fields(&e, WHO), ["mika", "192.0.2.7", "", "failure"]);
        let e = said(
            "sshd",
            "error: maximum authentication attempts exceeded for root from 192.0.2.7 port 22 ssh2 [preauth]",
        );
        assert_eq!(fields(&e, WHO), ["root", "192.0.2.7", "22", "failure"]);
        let e = said(
            "sshd",
            "Connection closed by authenticating user root 192.0.2.7 port 22 [preauth]",
        );
        assert_eq!(fields(&e, WHO), ["root", "192.0.2.7", "22", ""]);
        assert_eq!(e.class, 3002);
        assert_eq!(said("sshd", "Server listening on 0.0.0.0 port 22.").class, 0);
    }

    #[test]
    fn a_name_cannot_pretend_to_be_what_follows_it() {
        let e = said(
            "sshd",
            "Failed password for invalid user x from 10.0.0.1 port 1 ssh2 from 192.0.2.7 port 22 ssh2",
        );
        assert_eq!(fields(&e, ["src_ip"]), ["192.0.2.7"]);
    }

    #[test]
    fn sudo_says_what_and_why_not() {
        let e = said(
            "sudo",
            "  mika : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/mika ; USER=root ; COMMAND=/bin/sh",
        );
        assert_eq!(
            fields(&e, ["user", "USER", "PWD", "reason", "outcome"]),
            ["mika", "root", "/home/mika", "NOT in sudoers", "failure"]
        );
    }

    #[test]
    fn pam_names_the_far_host() {
        let e = said(
            "sshd",
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root",
        );
        assert_eq!(fields(&e, ["user", "src_ip", "outcome"]), ["root", "192.0.2.7", "failure"]);
    }
}
