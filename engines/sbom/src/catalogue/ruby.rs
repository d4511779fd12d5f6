//! Ruby: installed `*.gemspec` files, as RubyGems writes them.

use super::build::Found;
use super::purl;
use crate::bom::Licence;

/// A gem. The file is code, of which only the assignments that RubyGems itself writes are read.
pub(super) fn gemspec(path: &str, bytes: &[u8]) -> Result<Vec<Found>, String> {
    let text = String::from_utf8_lossy(bytes);
    let quoted = |line: &str| {
        let rest = line.split_once(['"', '\''])?;
        Some(rest.1.split(['"', '\'']).next().unwrap_or_default().to_owned())
    };
    let field = |name: &str| {
        let found = text.lines().map(str::trim_start).find_map(|line| {
            let (left, right) = line.split_once('=')?;
            (left.trim() == name).then(|| quoted(right)).flatten()
        });
        found.unwrap_or_default()
    };
    let (mut name, mut version) = (field("s.name"), field("s.version"));
    if name.is_empty() || version.is_empty() {
        let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".gemspec");
        let (a, b) = stem.rsplit_once('-').ok_or("a gem without name and version")?;
        (name, version) = (a.to_owned(), b.to_owned());
    }
    let made = purl::purl("gem", &[], &name, &version, &[]);
    let mut found = Found::at(path, made, &name, &version);
    found.component.description = Some(field("s.summary")).filter(|text| !text.is_empty());
    let licences = text.lines().map(str::trim_start).find_map(|line| {
        let (left, right) = line.split_once('=')?;
        (left.trim() == "s.licenses").then_some(right)
    });
    let licences = licences.unwrap_or_default().split(['"', '\'']).skip(1).step_by(2);
    found.component.licences = licences.map(Licence::declared).collect();
    Ok(vec![found])
}
