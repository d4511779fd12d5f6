//! Package URLs of what a root holds, by the rules of their types.

use crate::purl::{Parts, Purl};

/// The package URL of these parts; empty for what is none, such as a name that the type does not allow: a component
/// without identity is counted as such, and one with a false identity would be matched with others.
pub(super) fn purl(
    kind: &str,
    namespace: &[&str],
    name: &str,
    version: &str,
    qualifiers: &[(&str, &str)],
) -> String {
    let namespace: Vec<&str> = namespace.iter().copied().filter(|part| !part.is_empty()).collect();
    let namespace = namespace.join("/");
    let built = Purl::build(&Parts {
        kind,
        namespace: Some(namespace.as_str()).filter(|namespace| !namespace.is_empty()),
        name,
        version: Some(version).filter(|version| !version.is_empty()),
        qualifiers: qualifiers.to_vec(),
        subpath: None,
    });
    built.map(|purl| purl.to_string()).unwrap_or_default()
}
