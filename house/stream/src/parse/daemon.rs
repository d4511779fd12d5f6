//! Cron's jobs and systemd's units.

use super::{CLASS_PROCESS, Draft};

/// Sets fields by what cron or systemd says.
pub fn classify(draft: &mut Draft, message: &str, program: &str) -> bool {
    match program {
        "systemd" => unit(draft, message),
        _ => job(draft, message) || session(draft, message),
    }
}

/// `(root) CMD (command)`, `(root) RELOAD (crontabs/root)`, `(mika) REPLACE (mika)`
fn job(draft: &mut Draft, message: &str) -> bool {
    let Some((user, rest)) = message.strip_prefix('(').and_then(|m| m.split_once(") ")) else {
        return false;
    };
    let Some((action, what)) = rest.split_once(" (") else { return false };
    let what = what.strip_suffix(')').unwrap_or(what);
    draft.set("user", user);
    draft.set("action", action);
    if action == "CMD" {
        draft.set("command", what.trim());
        draft.set("CommandLine", what.trim());
        draft.class = CLASS_PROCESS;
    } else {
        draft.set("target", what);
    }
    true
}

fn session(draft: &mut Draft, message: &str) -> bool {
    let Some((_, user)) = message.split_once(" for user ") else { return false };
    draft.set("user", user.split([' ', '(']).next().unwrap_or_default());
    true
}

/// `nginx.service: Main process exited, code=exited, status=1/FAILURE`
fn unit(draft: &mut Draft, message: &str) -> bool {
    let Some((unit, said)) = message.split_once(": ").filter(|(unit, _)| is_unit(unit)) else {
        return false;
    };
    draft.set("unit", unit);
    if let Some((_, rest)) = said.split_once("status=") {
        draft.set("exit_status", rest.split([',', ' ', '.']).next().unwrap_or_default());
    }
    if let Some((_, rest)) = said.split_once("Failed with result '") {
        draft.set("result", rest.split('\'').next().unwrap_or_default());
    }
    if let Some((_, rest)) = said.split_once("restart counter is at ") {
        draft.set("restarts", rest.trim_end_matches('.'));
    }
    true
}

fn is_unit(name: &str) -> bool {
    let kinds = [
        ".service",
        ".socket",
        ".mount",
        ".timer",
        ".scope",
        ".swap",
        ".automount",
        ".path",
        ".target",
        ".slice",
    ];
    !name.contains(' ') && kinds.iter().any(|kind| name.ends_with(kind))
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_line;
    use crate::event::Format;

    #[test]
    fn cron_says_who_runs_what() {
        let e = read_line(
            "Jan  1 01:00:00 h CRON[1]: (root) CMD (  cd / && run-parts /etc/cron.hourly)",
            Format::Auto,
        );
        assert_eq!(e.fields["user"], "root");
        assert_eq!(
            (e.fields["CommandLine"].as_str(), e.class),
            ("cd / && run-parts /etc/cron.hourly", 1007)
        );
        let e = read_line("Jan  1 01:00:00 h crontab[1]: (mika) REPLACE (mika)", Format::Auto);
        assert_eq!(e.class, 0);
    }

    #[test]
    fn systemd_says_which_unit_ended_how() {
        let e = read_line(
            "Jan  1 01:00:00 h systemd[1]: nginx.service: Main process exited, code=exited, status=1/FAILURE",
            Format::Auto,
        );
        assert_eq!(
            (e.fields["unit"].as_str(), e.fields["exit_status"].as_str()),
            ("nginx.service", "1/FAILURE")
        );
        let e = read_line(
            "Jan  1 01:00:00 h systemd[1]: nginx.service: Scheduled restart job, restart counter is at 5.",
            Format::Auto,
        );
        assert_eq!(e.fields["restarts"], "5");
        let e = read_line(
            "Jan  1 01:00:00 h systemd[1]: Started nginx.service - A server: x.",
            Format::Auto,
        );
        assert!(!e.fields.contains_key("unit"));
    }
}
