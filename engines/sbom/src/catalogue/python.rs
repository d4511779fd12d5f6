//! Python: `METADATA` of installed wheels, `PKG-INFO` of eggs.

use super::build::Found;
use super::purl;
use crate::bom::Licence;

/// The headers end at the first empty line; what follows is prose.
pub(super) fn metadata(path: &str, bytes: &[u8]) -> Result<Vec<Found>, String> {
    let text = String::from_utf8_lossy(bytes);
    let head = || text.lines().take_while(|line| !line.is_empty());
    let field = |name: &str| {
        head()
            .filter_map(|line| line.split_once(':'))
            .find(|(one, _)| one.eq_ignore_ascii_case(name))
    };
    let value = |name: &str| field(name).map_or("", |(_, value)| value.trim());
    let (name, version) = (value("Name"), value("Version"));
    if name.is_empty() || version.is_empty() {
        return Err("metadata without name or version".into());
    }
    let made = purl::purl("pypi", &[], name, version, &[]);
    let mut found = Found::at(path, made, name, version);
    found.component.description = Some(value("Summary").to_owned()).filter(|text| !text.is_empty());
    let expression = value("License-Expression");
    let licence = if expression.is_empty() { value("License") } else { expression };
    if !licence.is_empty() && licence != "UNKNOWN" && licence.len() < 200 {
        found.component.licences.push(Licence::declared(licence));
    }
    Ok(vec![found])
}
