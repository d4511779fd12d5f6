//! The catalogue of known exploited vulnerabilities (KEV), as JSON.

use serde_json::Value;

use super::{BYTES_MAX, Fault, Place, Problem, Problems, entry, short};
use crate::Micros;

/// Entries of the catalogue; it has some 1,500.
pub const ENTRIES_MAX: usize = 100_000;
const TEXT_CHARS_MAX: usize = 4_000;

/// The catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    pub version: String,
    pub released: Option<Micros>,
    pub entries: Vec<Known>,
    pub problems: Problems,
}

/// A vulnerability that is exploited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub cve: String,
    pub vendor: String,
    pub product: String,
    pub name: String,
    pub text: String,
    pub action: String,
    pub added: Option<Micros>,
    pub due: Option<Micros>,
    pub is_ransomware: bool,
}

/// Reads the catalogue. An entry without a CVE costs itself; of one named twice the first stands.
pub fn read(bytes: &[u8]) -> Result<Catalogue, Problem> {
    let root = |fault| Problem { place: Place::Pointer(String::new()), fault };
    if bytes.len() > BYTES_MAX {
        return Err(root(Fault::Large(BYTES_MAX)));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| root(Fault::Json(short(&error.to_string()))))?;
    let Some(listed) = value.get("vulnerabilities").and_then(Value::as_array) else {
        let place = Place::Pointer("/vulnerabilities".to_owned());
        return Err(Problem { place, fault: Fault::Missing("vulnerabilities") });
    };
    let mut catalogue = Catalogue {
        version: text(&value, "catalogVersion"),
        released: entry::time(&text(&value, "dateReleased")),
        ..Catalogue::default()
    };
    let mut known = std::collections::HashSet::new();
    for (at, one) in listed.iter().enumerate() {
        let place = |name: &str| Place::Pointer(format!("/vulnerabilities/{at}{name}"));
        if at >= ENTRIES_MAX {
            catalogue.problems.add(place(""), Fault::Entries(ENTRIES_MAX));
            break;
        }
        let id = text(one, "cveID");
        let Some(cve) = entry::vulnerability(&id).filter(|id| id.starts_with("CVE-")) else {
            let fault = match id.is_empty() {
                true => Fault::Missing("cveID"),
                false => Fault::Value(short(&id), "CVE"),
            };
            catalogue.problems.add(place("/cveID"), fault);
            continue;
        };
        if !known.insert(cve.clone()) {
            catalogue.problems.add(place("/cveID"), Fault::Twice(cve));
            continue;
        }
        catalogue.entries.push(Known {
            cve,
            vendor: text(one, "vendorProject"),
            product: text(one, "product"),
            name: text(one, "vulnerabilityName"),
            text: text(one, "shortDescription"),
            action: text(one, "requiredAction"),
            added: entry::time(&text(one, "dateAdded")),
            due: entry::time(&text(one, "dueDate")),
            is_ransomware: text(one, "knownRansomwareCampaignUse").eq_ignore_ascii_case("known"),
        });
    }
    let found = u64::try_from(listed.len()).unwrap_or(u64::MAX);
    if let Some(said) = value.get("count").and_then(Value::as_u64).filter(|said| *said != found) {
        let place = Place::Pointer("/count".to_owned());
        catalogue.problems.add(place, Fault::Count { said, found });
    }
    Ok(catalogue)
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    text.replace(char::is_control, " ").chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_entry_costs_itself_alone() {
        let catalogue = read(
            br#"{"catalogVersion": "2026.11.01", "dateReleased": "2026-11-01T10:00:00.0000Z", "count": 5,
            "vulnerabilities": [
              {"cveID": "CVE-2024-3400", "vendorProject": "A", "product": "B", "vulnerabilityName": "n",
               "dateAdded": "2024-04-12", "dueDate": "2024-04-19", "knownRansomwareCampaignUse": "Known"},
              {"cveID": "CVE-24"}, {"product": "x"}, {"cveID": "CVE-2024-3400"}]}"#,
        )
        .expect("a catalogue");
        assert_eq!(catalogue.version, "2026.11.01");
        assert!(catalogue.released.is_some());
        let known = &catalogue.entries;
        assert_eq!(known.len(), 1);
        assert!(known[0].is_ransomware && known[0].added < known[0].due);
        let places: Vec<String> =
            catalogue.problems.told.iter().map(|problem| problem.place.to_string()).collect();
        assert_eq!(
            places,
            [
                "/vulnerabilities/1/cveID",
                "/vulnerabilities/2/cveID",
                "/vulnerabilities/3/cveID",
                "/count"
            ]
        );
    }

    #[test]
    fn what_is_no_catalogue_is_refused() {
        assert!(matches!(read(b"<html>").map_err(|p| p.fault), Err(Fault::Json(_))));
        assert!(matches!(read(b"{}").map_err(|p| p.fault), Err(Fault::Missing(_))));
    }
}
