//! 内→外 and its relatives.

use super::Direction;

const INSIDE: [&str; 8] = ["内部", "社内", "内側", "内", "LAN", "inside", "internal", "in"];
const OUTSIDE: [&str; 9] =
    ["外部", "社外", "外側", "外", "WAN", "インターネット", "outside", "external", "out"];
const ARROWS: [(&str, bool); 12] = [
    ("<->", true),
    ("<=>", true),
    ("⇄", true),
    ("⇔", true),
    ("↔", true),
    ("⇆", true),
    ("→", false),
    ("⇒", false),
    ("->", false),
    ("=>", false),
    ("➡", false),
    ("から", false),
];

/// The first direction that an arrow between inside and outside says.
pub(super) fn find(text: &str) -> Option<Direction> {
    all(text).next()
}

/// Whether a text has no two such arrows.
pub(super) fn is_one(text: &str) -> bool {
    all(text).take(2).count() < 2
}

fn all(text: &str) -> impl Iterator<Item = Direction> {
    let places = text.char_indices().filter(|(_, sign)| "<⇄⇔↔⇆→⇒-=➡か".contains(*sign));
    places.filter_map(|(at, _)| {
        let rest = &text[at..];
        let (arrow, is_both) = ARROWS.into_iter().find(|(arrow, _)| rest.starts_with(arrow))?;
        let left = text[..at].trim_end_matches([' ', '\u{3000}', 'へ']);
        let right = rest[arrow.len()..].trim_start_matches([' ', '\u{3000}']);
        let from_inside = INSIDE.iter().any(|word| ends(left, word));
        let from_outside = OUTSIDE.iter().any(|word| ends(left, word));
        let to_inside = INSIDE.iter().any(|word| begins(right, word));
        let to_outside = OUTSIDE.iter().any(|word| begins(right, word));
        match (from_inside && to_outside, from_outside && to_inside) {
            (false, false) => None,
            _ if is_both => Some(Direction::Both),
            (true, _) => Some(Direction::Destination),
            (false, true) => Some(Direction::Source),
        }
    })
}

fn ends(text: &str, word: &str) -> bool {
    let at = text.len().checked_sub(word.len());
    let Some(at) = at.filter(|at| text.is_char_boundary(*at)) else { return false };
    let is_whole =
        !word.is_ascii() || !text[..at].ends_with(|sign: char| sign.is_ascii_alphanumeric());
    text[at..].eq_ignore_ascii_case(word) && is_whole
}

fn begins(text: &str, word: &str) -> bool {
    let Some(found) = text.get(..word.len()) else { return false };
    let is_whole = !word.is_ascii()
        || !text[word.len()..].starts_with(|sign: char| sign.is_ascii_alphanumeric());
    found.eq_ignore_ascii_case(word) && is_whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_between_inside_and_outside_are_read() {
        for (text, direction) in [
            ("内→外", Direction::Destination),
            ("内 → 外", Direction::Destination),
            ("社内から社外", Direction::Destination),
            ("LAN -> WAN", Direction::Destination),
            ("外→内", Direction::Source),
            ("outside => inside", Direction::Source),
            ("内⇄外", Direction::Both),
            ("内⇔外", Direction::Both),
            ("外 <-> 内", Direction::Both),
        ] {
            assert_eq!(find(text), Some(direction), "{text}");
        }
        for text in ["192.0.2.1 → うちのVPN", "国内から海外", "a->b", "=>", "から"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
