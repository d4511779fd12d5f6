//! What single types ask of a package URL, from the published type definitions.
//!
//! A type that is not in the table is held to the general rules only: new types appear more often than we do.

use super::{Purl, PurlError};

/// Whether a type has namespaces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Namespace {
    Needed,
    Free,
    None,
}

use Namespace::{Free, Needed, None as Without};

/// How letters of a part are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Lower,
}

use Case::{Kept, Lower};

struct Rule {
    kind: &'static str,
    namespace: Namespace,
    namespace_case: Case,
    name_case: Case,
    version_case: Case,
    /// A qualifier without which the package is not identified.
    needs: Option<&'static str>,
    /// Keys of qualifiers are refused, not lowered, when they are not in lower case.
    strict_keys: bool,
}

const fn rule(
    kind: &'static str,
    namespace: Namespace,
    namespace_case: Case,
    name_case: Case,
) -> Rule {
    Rule {
        kind,
        namespace,
        namespace_case,
        name_case,
        version_case: Kept,
        needs: None,
        strict_keys: false,
    }
}

#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule("alpm", Needed, Lower, Lower),
    rule("apk", Needed, Lower, Lower),
    rule("bazel", Without, Kept, Kept),
    rule("bitbucket", Needed, Lower, Lower),
    rule("bitnami", Without, Kept, Lower),
    rule("brew", Free, Lower, Lower),
    rule("cargo", Without, Kept, Kept),
    rule("chrome-extension", Without, Kept, Lower),
    rule("cocoapods", Without, Kept, Kept),
    rule("composer", Free, Lower, Lower),
    rule("conan", Free, Kept, Kept),
    rule("conda", Without, Kept, Kept),
    rule("cpan", Free, Kept, Kept),
    rule("cran", Without, Kept, Kept),
    rule("deb", Free, Lower, Lower),
    rule("docker", Free, Kept, Kept),
    Rule { strict_keys: true, ..rule("gem", Without, Kept, Kept) },
    rule("generic", Free, Kept, Kept),
    rule("git", Needed, Kept, Kept),
    rule("github", Needed, Lower, Lower),
    rule("golang", Free, Lower, Lower),
    rule("hackage", Without, Kept, Kept),
    rule("hex", Free, Lower, Lower),
    Rule { version_case: Lower, ..rule("huggingface", Free, Kept, Kept) },
    Rule { needs: Some("uuid"), ..rule("julia", Without, Kept, Kept) },
    rule("luarocks", Free, Lower, Lower),
    rule("maven", Needed, Kept, Kept),
    rule("mlflow", Without, Kept, Kept),
    rule("npm", Free, Lower, Lower),
    rule("nuget", Without, Kept, Kept),
    rule("oci", Without, Kept, Lower),
    rule("opam", Without, Kept, Kept),
    rule("otp", Without, Kept, Lower),
    rule("pub", Without, Kept, Lower),
    rule("pypi", Without, Kept, Lower),
    rule("qpkg", Needed, Lower, Kept),
    Rule { strict_keys: true, ..rule("rpm", Free, Lower, Kept) },
    Rule { needs: Some("tag_id"), ..rule("swid", Free, Kept, Kept) },
    rule("swift", Needed, Kept, Kept),
    rule("vcpkg", Without, Kept, Lower),
    Rule { version_case: Lower, ..rule("vscode-extension", Needed, Lower, Lower) },
    rule("yocto", Free, Lower, Kept),
];

fn of(kind: &str) -> Option<&'static Rule> {
    RULES.binary_search_by(|r| r.kind.cmp(kind)).ok().map(|at| &RULES[at])
}

/// Whether keys of qualifiers of this type must be written in lower case.
pub(super) fn strict_keys(kind: &str) -> bool {
    of(kind).is_some_and(|r| r.strict_keys)
}

/// Gives the parts the form their type asks for.
pub(super) fn normalise(purl: &mut Purl) {
    if let Some(rule) = of(&purl.kind) {
        lower(rule.namespace_case, purl.namespace.as_mut());
        lower(rule.name_case, Some(&mut purl.name));
        lower(rule.version_case, purl.version.as_mut());
    }
    match purl.kind.as_str() {
        "pypi" => purl.name = pypi_name(&purl.name),
        "pub" => purl.name = purl.name.replace('-', "_"),
        // Databricks folds the names of models, Azure does not: the server decides.
        "mlflow" if qualifier(purl, "repository_url").is_some_and(|u| u.contains("databricks")) => {
            purl.name = purl.name.to_lowercase();
        }
        // Hosts that fold names themselves.
        "git" if purl.namespace.as_deref().is_some_and(|n| n.starts_with("github")) => {
            purl.namespace = purl.namespace.take().map(|n| n.to_lowercase());
            purl.name = purl.name.to_lowercase();
        }
        _ => {}
    }
}

/// The name of a Python project as the index compares it: lower case, runs of `-_.` as one dash.
pub fn pypi_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// Whether the parts are what their type allows.
pub(super) fn check(purl: &Purl) -> Result<(), PurlError> {
    let wrong =
        |what: &str| Err(PurlError::Type { kind: purl.kind.clone(), what: what.to_owned() });
    if let Some(rule) = of(&purl.kind) {
        match (rule.namespace, &purl.namespace) {
            (Needed, None) => return wrong("needs a namespace"),
            (Without, Some(_)) => return wrong("has no namespaces"),
            _ => {}
        }
        if let Some(key) = rule.needs
            && qualifier(purl, key).is_none()
        {
            return wrong(&format!("needs the qualifier {key}"));
        }
    }
    match purl.kind.as_str() {
        "cpan" if purl.name.contains("::") => wrong("names distributions, not modules (no ::)"),
        "chrome-extension" => chrome(purl).map_or(Ok(()), wrong),
        "pub" if !purl.name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) => {
            wrong("has names of a-z, 0-9 and _ only")
        }
        _ => Ok(()),
    }
}

fn chrome(purl: &Purl) -> Option<&'static str> {
    let id = purl.name.len() == 32 && purl.name.bytes().all(|b| (b'a'..=b'p').contains(&b));
    if !id {
        return Some("has names of 32 letters from a to p");
    }
    let version = purl.version.as_deref()?;
    let number = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
    let good = version.split('.').count() <= 4 && version.split('.').all(number);
    (!good).then_some("has versions of one to four numbers")
}

fn qualifier<'a>(purl: &'a Purl, key: &str) -> Option<&'a str> {
    purl.qualifiers.get(key).map(String::as_str)
}

fn lower(case: Case, part: Option<&mut String>) {
    if let (Lower, Some(part)) = (case, part)
        && part.chars().any(char::is_uppercase)
    {
        *part = part.to_lowercase();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(RULES.is_sorted_by(|a, b| a.kind < b.kind));
    }
}
