//! The outer form of a package: ar(5) as deb(5) narrows it, short names only.

use super::ArchiveError;

const MAGIC: &[u8] = b"!<arch>\n";
const HEADER: usize = 60;
/// A package has three members; some carry a signature or two beside.
const MEMBERS_MAX: usize = 16;

/// Names and contents in their order.
pub(super) fn members(bytes: &[u8]) -> Result<Vec<(String, &[u8])>, ArchiveError> {
    let failed = |what: &str| ArchiveError::Deb { member: "ar".into(), what: what.to_owned() };
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(|| failed("not an ar archive"))?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (header, after) = rest.split_at_checked(HEADER).ok_or_else(|| failed("cut off"))?;
        if &header[58..] != b"`\n" {
            return Err(failed("a header without its end"));
        }
        let text = |range: std::ops::Range<usize>| {
            std::str::from_utf8(&header[range]).map(str::trim_end).unwrap_or_default()
        };
        let name = text(0..16).trim_end_matches('/').to_owned();
        let size: usize = text(48..58).parse().map_err(|_| failed("a size that is none"))?;
        let (content, after) = after.split_at_checked(size).ok_or_else(|| failed("cut off"))?;
        found.push((name, content));
        if found.len() > MEMBERS_MAX {
            return Err(ArchiveError::Limit { what: "members of ar", max: MEMBERS_MAX as u64 });
        }
        rest = if size % 2 == 1 { after.get(1..).unwrap_or_default() } else { after };
    }
    Ok(found)
}
