//! ClamAV: what was found, under the names of Sigma's category `antivirus`.

use jiff::tz::TimeZone;

use super::{CLASS_FINDING, Draft, Shape, time};

/// `/path: Signature FOUND` of `clamscan`, or behind a time as clamd's own log has it; `false` if it is none.
pub fn read_clamd(draft: &mut Draft, text: &str, zone: &TimeZone) -> bool {
    if let Some((stamp, message)) = text.split_once(" -> ")
        && let Some(when) = time::weekday(stamp, zone)
    {
        draft.time = Some(when);
        draft.app = "clamd".to_owned();
        draft.message = Some(message.to_owned());
        clamav(draft, message);
        draft.shape = Some(Shape::Clamav);
        return true;
    }
    if text.starts_with('/') && found(draft, text) {
        draft.app = "clamscan".to_owned();
        return true;
    }
    false
}

/// What a program of ClamAV says.
pub fn clamav(draft: &mut Draft, message: &str) -> bool {
    draft.shape = Some(Shape::Clamav);
    let (level, rest) = match message {
        m if m.starts_with("ERROR: ") || m.contains(" ERROR: ") => (4, m),
        m if m.starts_with("WARNING: ") || m.contains(" WARNING: ") => (3, m),
        m => (0, m),
    };
    draft.severity = draft.severity.max(level);
    found(draft, rest);
    true
}

fn found(draft: &mut Draft, message: &str) -> bool {
    let Some(rest) = message.strip_suffix(" FOUND") else { return false };
    let Some((path, signature)) = rest.rsplit_once(": ") else { return false };
    // `Name(digest:size)` where the digest is logged as well
    let name = signature.split_once('(').map_or(signature, |(name, _)| name);
    draft.set("Signature", name);
    draft.set("Filename", path);
    draft.class = CLASS_FINDING;
    draft.severity = draft.severity.max(4);
    draft.shape = Some(Shape::Clamav);
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, read_line};
    use crate::event::Format;

    #[test]
    fn what_was_found_and_where() {
        for line in [
            "/srv/a b: c.exe: Win.Test.EICAR_HDB-1 FOUND",
            "Thu Jan  1 10:00:00 2026 -> /srv/a b: c.exe: Win.Test.EICAR_HDB-1(44d88612:68) FOUND",
            "Jan  1 10:00:00 h clamd[7]: /srv/a b: c.exe: Win.Test.EICAR_HDB-1 FOUND",
        ] {
            let e = read_line(line, Format::Auto);
            assert_eq!(
                e.fields.get("Signature").map(String::as_str),
                Some("Win.Test.EICAR_HDB-1"),
                "{line}"
            );
            assert_eq!((e.fields["Filename"].as_str(), e.class), ("/srv/a b: c.exe", 2004));
        }
        let e = read_line(
            "Thu Jan  1 10:00:00 2026 -> WARNING: Your ClamAV installation is OUTDATED!",
            Format::Auto,
        );
        assert_eq!((e.event_time, e.severity, e.class), (Some(at("2026-01-01T01:00:00Z")), 3, 0));
    }
}
