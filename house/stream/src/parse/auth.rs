//! Which lines are OCSF Authentication (3002), and who tried what.
//!
//! User names in these lines come from whoever knocks at the door: what follows them is therefore
//! searched from the right.

use super::{CLASS_AUTHENTICATION, Draft};

/// Sets class and fields if the message is about signing in or taking rights.
pub fn classify(draft: &mut Draft) {
    let message = draft.message.clone().unwrap_or_default();
    let known = match draft.app.as_str() {
        "sshd" | "sshd-session" => sshd(draft, &message) || pam(draft, &message),
        "sudo" => sudo(draft, &message) || pam(draft, &message),
        "su" => su(draft, &message) || pam(draft, &message),
        "login" | "systemd-logind" | "gdm-password]" | "gdm-password" => pam(draft, &message),
        _ => false,
    };
    if known {
        draft.class = CLASS_AUTHENTICATION;
    }
}

fn sshd(draft: &mut Draft, message: &str) -> bool {
    let outcome = match message.split(' ').next() {
        Some("Accepted") => "success",
        Some("Failed" | "Invalid") => "failure",
        _ => {
            return message.contains("authenticating user") || message.contains("Too many authent");
        }
    };
    draft.set("outcome", outcome);
    let Some((before, peer)) = message.rsplit_once(" from ") else { return true };
    draft.set("src_ip", peer.split(' ').next().unwrap_or_default());
    if let Some((_, port)) = peer.split_once(" port ") {
        draft.set("src_port", port.split(' ').next().unwrap_or_default());
    }
    let user = match before.strip_prefix("Invalid user ") {
        Some(user) => Some(user),
        None => before.split_once(" for ").map(|(head, user)| {
            draft.set("method", head.split(' ').nth(1).unwrap_or_default());
            user.strip_prefix("invalid user ").unwrap_or(user)
        }),
    };
    if let Some(user) = user {
        draft.set("user", user);
    }
    true
}

fn sudo(draft: &mut Draft, message: &str) -> bool {
    let Some((user, rest)) = message.split_once(" : ") else { return false };
    let Some((before, command)) = rest.split_once("COMMAND=") else { return false };
    draft.set("user", user.trim());
    draft.set("command", command);
    if let Some((_, target)) = before.rsplit_once("USER=") {
        draft.set("target_user", target.split(' ').next().unwrap_or_default());
    }
    let refused = before.contains("NOT in sudoers")
        || before.contains("command not allowed")
        || before.contains("incorrect password");
    draft.set("outcome", if refused { "failure" } else { "success" });
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
    true
}
