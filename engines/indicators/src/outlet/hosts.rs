//! Hosts for `dstdomain`. Squid refuses to start over a name that another one of the list covers, so none is written.
//!
//! A line in memory is the name from its last label on, each label closed by a mark that sorts before any letter:
//! what lies below a name then follows it at once.

use core::net::Ipv4Addr;

use super::{Left, Listed, lines::Lines};
use crate::{Kind, Scope};

const MARK: char = '\u{1}';
/// Closes a name that means itself alone.
const ALONE: char = '\u{2}';

pub(super) fn add(row: &Listed<'_>, lines: &mut Lines) -> Result<(), Left> {
    let with_below = match (row.kind, row.scope) {
        (Kind::Domain | Kind::Ip, Scope::Exact) | (Kind::Url, Scope::Host) => false,
        (Kind::Domain | Kind::Url, Scope::Subdomains) => true,
        _ => return Err(Left::Reach),
    };
    let alone = ALONE.to_string();
    if row.text.parse::<Ipv4Addr>().is_ok() {
        lines.add(&[row.text, &MARK.to_string(), &alone]);
        return Ok(());
    }
    // An address of the sixth version is no name; `dst` takes it.
    if row.text.contains([':', '[']) {
        return Err(Left::Reach);
    }
    let mut key = String::with_capacity(row.text.len() + 2);
    for label in row.text.rsplit('.') {
        key.push_str(label);
        key.push(MARK);
    }
    lines.add(&[&key, if with_below { "" } else { &alone }]);
    Ok(())
}

pub(super) fn write(
    lines: &Lines,
    out: &mut dyn FnMut(&str) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut cover: Option<String> = None;
    lines.each(&mut |key| {
        if cover.as_deref().is_some_and(|cover| key.starts_with(cover)) {
            return Ok(());
        }
        let name = key.trim_end_matches(ALONE);
        let is_alone = name.len() != key.len();
        let labels: Vec<&str> = name.trim_end_matches(MARK).split(MARK).rev().collect();
        let name = labels.join(".");
        if is_alone {
            return out(&format!("{name}\n"));
        }
        cover = Some(key.to_owned());
        out(&format!(".{name}\n"))
    })
}
