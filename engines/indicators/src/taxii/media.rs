//! Content negotiation.

pub const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";
/// Of the objects within.
pub(crate) const STIX_TYPE: &str = "application/stix+json;version=2.1";

/// Whether an answer of TAXII 2.1 is what somebody accepts. Tolerant: also what clients in the field send that
/// ask for JSON or anything.
pub(crate) fn accepts(header: Option<&str>, tolerant: bool) -> bool {
    let Some(header) = header else { return tolerant };
    header.split(',').map(kind).any(|kind| match kind.name.as_str() {
        "application/taxii+json" => kind.version.is_none_or(|version| version == "2.1"),
        "application/json" | "text/plain" | "*/*" | "application/*" => tolerant,
        _ => false,
    })
}

/// Whether a body is of TAXII 2.1.
pub(crate) fn is_taxii(header: Option<&str>, tolerant: bool) -> bool {
    let Some(kind) = header.map(kind) else { return false };
    match kind.name.as_str() {
        "application/taxii+json" => kind.version.is_none_or(|version| version == "2.1"),
        "application/json" => tolerant,
        _ => false,
    }
}

struct Kind {
    name: String,
    version: Option<String>,
}

fn kind(text: &str) -> Kind {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let version = parts
        .filter_map(|part| part.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case("version"))
        .map(|(_, value)| value.trim().trim_matches('"').to_owned());
    Kind { name, version }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versionless_form_is_accepted_and_others_only_of_the_tolerated() {
        for (header, strict, tolerant) in [
            (Some("application/taxii+json;version=2.1"), true, true),
            (Some("application/taxii+json; version=\"2.1\""), true, true),
            (Some("Application/TAXII+json"), true, true),
            (Some("text/html, application/taxii+json;version=2.1;q=0.5"), true, true),
            (Some("application/taxii+json;version=2.0"), false, false),
            (Some("application/json, text/plain, */*"), false, true),
            (Some("application/vnd.oasis.taxii+json"), false, false),
            (None, false, true),
        ] {
            assert_eq!(
                (accepts(header, false), accepts(header, true)),
                (strict, tolerant),
                "{header:?}"
            );
        }
        assert!(is_taxii(Some("application/taxii+json;version=2.1"), false));
        assert!(!is_taxii(Some("application/json"), false) && !is_taxii(None, true));
    }
}
