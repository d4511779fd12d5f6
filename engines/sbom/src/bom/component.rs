//! A part of a product: what it is called, how it is known, what it is made of.

use super::{Hash, Kind, Licence, Rest};

/// A package, file, device or anything else that a bill of materials lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Component {
    /// What the document calls it: `bom-ref`, SPDX id.
    pub reference: Option<String>,
    /// What sort of thing it is.
    pub kind: Option<Kind>,
    /// Namespace of the name (Maven group, npm scope), where the format keeps it apart.
    pub group: Option<String>,
    /// Name.
    pub name: String,
    /// Version as written.
    pub version: Option<String>,
    /// A `vers` range instead of a version: external components of CycloneDX 1.7.
    pub version_range: Option<String>,
    /// Package URL as written.
    pub purl: Option<String>,
    /// CPE as written.
    pub cpe: Option<String>,
    /// Hashes of the thing itself.
    pub hashes: Vec<Hash>,
    /// Licences, declared and concluded.
    pub licences: Vec<Licence>,
    /// Who supplies it, by name.
    pub supplier: Option<String>,
    /// Copyright notice.
    pub copyright: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Where it was found: `evidence.occurrences`.
    pub locations: Vec<String>,
    /// Named values.
    pub properties: Vec<Property>,
    /// Parts within it.
    pub components: Vec<Component>,
    /// Everything else.
    pub rest: Rest,
}

/// A named value; names may stand several times, and values may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Property {
    /// Name, usually with a namespace before a colon.
    pub name: Option<String>,
    /// Value.
    pub value: Option<String>,
}

/// The source package a distribution built a binary package from. Distributions publish their
/// advisories by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePackage {
    /// Name of the source package.
    pub name: String,
    /// Its version where it differs from the binary's.
    pub version: Option<String>,
}

/// The property under which the catalogue keeps the name of the source package.
pub(crate) const SOURCE_NAME: &str = "ume:source:name";
/// And its version, where it differs from the binary's.
pub(crate) const SOURCE_VERSION: &str = "ume:source:version";

impl Component {
    /// The first value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        let one = self.properties.iter().find(|one| one.name.as_deref() == Some(name))?;
        one.value.as_deref()
    }

    /// Adds a property.
    pub fn set_property(&mut self, name: &str, value: impl Into<String>) {
        let (name, value) = (Some(name.to_owned()), Some(value.into()));
        self.properties.push(Property { name, value });
    }

    /// The source package, from our own properties or from where other makers put it: the purl
    /// qualifier `upstream`, and the properties of syft and trivy. Without any of them, nothing is
    /// known; the binary's name is no answer.
    pub fn source_package(&self) -> Option<SourcePackage> {
        let known = |name: &str, version: &str| {
            let name = self.property(name).filter(|name| !name.is_empty())?.to_owned();
            let version = self.property(version).filter(|text| !text.is_empty()).map(str::to_owned);
            Some(SourcePackage { name, version })
        };
        known(SOURCE_NAME, SOURCE_VERSION)
            .or_else(|| known("syft:metadata:source", "syft:metadata:sourceVersion"))
            .or_else(|| known("aquasecurity:trivy:SrcName", "aquasecurity:trivy:SrcVersion"))
            .or_else(|| upstream(self.purl.as_deref()?))
    }
}

/// `…?upstream=glibc%402.36` names source package and version.
fn upstream(purl: &str) -> Option<SourcePackage> {
    let (_, qualifiers) = purl.split('#').next()?.split_once('?')?;
    let value = qualifiers.split('&').find_map(|one| one.strip_prefix("upstream="))?;
    let value = unescape(value);
    // Of rpm it is the file name of the source package: NAME-VERSION-RELEASE.src.rpm.
    if let Some(file) = value.strip_suffix(".src.rpm") {
        let mut parts = file.rsplitn(3, '-');
        let (release, version) = (parts.next()?, parts.next()?);
        let name = parts.next()?.to_owned();
        return Some(SourcePackage { name, version: Some(format!("{version}-{release}")) });
    }
    let (name, version) = match value.split_once('@') {
        Some((name, version)) => (name, Some(version.to_owned())),
        None => (value.as_str(), None),
    };
    (!name.is_empty()).then(|| SourcePackage { name: name.to_owned(), version })
}

/// Percent escapes; what is none stays as it is.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let value = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (bytes[at], value) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_package_is_found_where_makers_put_it() {
        let of = |purl: &str| Component { purl: Some(purl.into()), ..Component::default() };
        let source = |name: &str, version: Option<&str>| {
            Some(SourcePackage { name: name.into(), version: version.map(str::to_owned) })
        };
        let deb = of("pkg:deb/debian/libc6@2.36-9?arch=amd64&upstream=glibc");
        assert_eq!(deb.source_package(), source("glibc", None));
        let deb = of("pkg:deb/debian/bsdutils@1%3A2.38.1?upstream=util-linux%402.38.1&arch=amd64");
        assert_eq!(deb.source_package(), source("util-linux", Some("2.38.1")));
        let rpm = of("pkg:rpm/fedora/bash-doc@5.2-1?upstream=bash-5.2-1.fc39.src.rpm");
        assert_eq!(rpm.source_package(), source("bash", Some("5.2-1.fc39")));
        assert_eq!(of("pkg:deb/debian/libc6@2.36-9").source_package(), None);
        let mut own = of("pkg:deb/debian/libc6@2.36-9?upstream=wrong");
        own.set_property(SOURCE_NAME, "glibc");
        assert_eq!(own.source_package(), source("glibc", None));
    }
}
