//! A bill of materials as a record keeps it: packed as payload, counted in the facts.
//!
//! A payload is the document as it came, as zstd, or as zstd in base64 (agents send text); an import by the API of
//! records may hold any of them. Limits: [`UNPACKED_MAX`] bytes of a document, [`PACKED_MAX`] of a payload.

use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use sbom::{
    Bom, Component, Limits,
    bom::{Aggregate, Kind},
    cpe::Cpe,
    judge::Subject,
    purl::Purl,
};
use serde_json::{Map, Value as Json, json};

/// Type of the record.
pub(crate) const RECORD: &str = "configuration.sbom";
/// What a document may hold.
pub(crate) const UNPACKED_MAX: usize = Limits::DEFAULT.bytes_max;
/// What an agent can deliver, in base64, and a payload take.
pub(crate) const PACKED_MAX: usize = 8 << 20;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How base64 of zstd begins.
const ZSTD_TEXT: &[u8] = b"KLUv/";
const LEVEL: i32 = 9;

/// Packs a document.
pub(crate) fn pack(document: &[u8]) -> Result<Vec<u8>, String> {
    let packed = zstd::bulk::compress(document, LEVEL).map_err(|error| error.to_string())?;
    match packed.len() <= PACKED_MAX {
        true => Ok(packed),
        false => Err(format!("{} bytes when packed; {PACKED_MAX} are kept", packed.len())),
    }
}

/// The same as text, for an agent.
pub(crate) fn pack_text(packed: &[u8]) -> String {
    STANDARD.encode(packed)
}

/// The document of a payload.
pub(crate) fn unpack(payload: &[u8]) -> Result<Vec<u8>, String> {
    if payload.starts_with(ZSTD_TEXT) {
        let bytes = STANDARD.decode(payload.trim_ascii()).map_err(|error| error.to_string())?;
        return inflate(&bytes);
    }
    if payload.starts_with(&ZSTD) {
        return inflate(payload);
    }
    Ok(payload.to_vec())
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let reader = zstd::Decoder::new(bytes).map_err(|error| error.to_string())?;
    let mut document = Vec::new();
    let read = reader.take(UNPACKED_MAX as u64 + 1).read_to_end(&mut document);
    read.map_err(|error| error.to_string())?;
    match document.len() <= UNPACKED_MAX {
        true => Ok(document),
        false => Err(format!("more than {UNPACKED_MAX} bytes when unpacked")),
    }
}

/// A document of a payload, read.
pub(crate) fn open(payload: &[u8]) -> Result<Bom, String> {
    let document = unpack(payload)?;
    sbom::parse(&document).map_err(|problems| {
        problems.first().map_or_else(|| "unreadable".to_owned(), ToString::to_string)
    })
}

/// Which CPE names a component that says only its package URL, or only its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Aliases(Vec<(Purl, Cpe)>);

impl Aliases {
    /// From pairs of purl and CPE; what is neither is left out and counted by the caller's register.
    pub(crate) fn new<'t>(pairs: impl IntoIterator<Item = (&'t str, &'t str)>) -> Aliases {
        let read = |(purl, cpe): (&str, &str)| {
            let purl = Purl::parse_lenient(purl.trim()).ok()?;
            Some((purl.versionless(), Cpe::parse(cpe.trim()).ok()?))
        };
        Aliases(pairs.into_iter().filter_map(read).collect())
    }

    fn of(&self, component: &Component, purl: Option<&Purl>) -> Option<&Cpe> {
        let own = purl.map(Purl::versionless);
        let names = |alias: &Purl| match &own {
            Some(own) => own == alias,
            // Of a component without package URL only its name is there to go by.
            None => alias.kind == "generic" && alias.name == component.name,
        };
        self.0.iter().find(|(alias, _)| names(alias)).map(|(_, cpe)| cpe)
    }
}

fn purl_of(component: &Component) -> Option<Purl> {
    component.purl.as_deref().and_then(|purl| Purl::parse_lenient(purl).ok())
}

fn is_identified(component: &Component, aliases: &Aliases) -> bool {
    let purl = purl_of(component);
    purl.is_some()
        || component.cpe.as_deref().is_some_and(|cpe| Cpe::parse(cpe).is_ok())
        || component.rest.contains_key("swid")
        || aliases.of(component, None).is_some()
}

/// The components, without what the document is about.
pub(crate) fn parts(bom: &Bom) -> impl Iterator<Item = &Component> {
    let subject = bom.subject.as_ref();
    bom.walk().filter(move |one| !subject.is_some_and(|subject| std::ptr::eq(subject, *one)))
}

/// Whether the document knows everything below a component.
pub(crate) fn is_blind(bom: &Bom, component: &Component) -> bool {
    let Some(reference) = component.reference.as_deref() else { return true };
    let whole = |aggregate: Aggregate| aggregate == Aggregate::Complete;
    let depends = bom
        .compositions
        .iter()
        .any(|one| whole(one.aggregate) && one.dependencies.iter().any(|part| part == reference));
    bom.unknown_below(reference) && !depends
}

/// What is missing in a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub components: usize,
    pub identified: usize,
    pub blind: usize,
}

/// Counts the components of a document.
pub(crate) fn count(bom: &Bom, aliases: &Aliases) -> Counts {
    let mut counts = Counts::default();
    for component in parts(bom) {
        counts.components += 1;
        counts.identified += usize::from(is_identified(component, aliases));
        counts.blind += usize::from(is_blind(bom, component));
    }
    // What the document is about has parts as well.
    counts.blind += usize::from(bom.subject.as_ref().is_some_and(|subject| is_blind(bom, subject)));
    counts
}

/// The facts of a record.
pub(crate) fn facts(bom: &Bom, aliases: &Aliases, asked: bool) -> Map<String, Json> {
    let counts = count(bom, aliases);
    let format = match bom.source {
        sbom::bom::Source::Made => "cyclonedx 1.7".to_owned(),
        sbom::bom::Source::CycloneDx(minor) => format!("cyclonedx 1.{minor}"),
        sbom::bom::Source::Spdx2(minor) => format!("spdx 2.{minor}"),
        sbom::bom::Source::Spdx3 => "spdx 3.0.1".to_owned(),
    };
    let facts = json!({
        "format": format,
        "components": counts.components,
        "identified": counts.identified,
        "depth_complete": counts.blind == 0 && counts.components > 0,
        "supplier_asked": asked,
    });
    facts.as_object().cloned().unwrap_or_default()
}

/// What of a document can be judged.
pub(crate) fn subjects(bom: &Bom, aliases: &Aliases) -> Vec<Subject> {
    let packages = bom.walk().filter(|one| one.kind != Some(Kind::File) || one.purl.is_some());
    let subject = |component: &Component| {
        let mut subject = Subject::from(component);
        if subject.cpes.is_empty() {
            subject.cpes.extend(aliases.of(component, subject.purl.as_ref()).cloned());
        }
        let is_known = subject.purl.is_some() || !subject.cpes.is_empty();
        is_known.then_some(subject)
    };
    packages.filter_map(subject).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &[u8] = br#"{"bomFormat": "CycloneDX", "specVersion": "1.6",
        "metadata": {"component": {"type": "application", "bom-ref": "app", "name": "app"}},
        "components": [
            {"type": "library", "bom-ref": "a", "name": "a", "version": "1", "purl": "pkg:npm/a@1"},
            {"type": "library", "bom-ref": "b", "name": "b", "version": "2"}],
        "compositions": [{"aggregate": "complete", "assemblies": ["app", "a"]}]}"#;

    #[test]
    fn a_document_comes_back_in_each_form_it_is_kept_in() {
        let packed = pack(DOCUMENT).expect("small");
        for payload in [packed.as_slice(), pack_text(&packed).as_bytes(), DOCUMENT] {
            assert_eq!(unpack(payload).as_deref(), Ok(DOCUMENT));
        }
        assert!(unpack(&[0x28, 0xb5, 0x2f, 0xfd, 9, 9, 9, 9]).is_err());
        assert!(unpack(b"KLUv/!").is_err());
    }

    #[test]
    fn a_payload_that_unpacks_to_too_much_is_refused() {
        let bomb = zstd::bulk::compress(&vec![b' '; UNPACKED_MAX + 1], 1).expect("packed");
        assert!(bomb.len() < 1 << 20);
        assert!(unpack(&bomb).is_err_and(|error| error.contains("more than")));
    }

    #[test]
    fn what_is_not_said_to_be_complete_is_unknown_below() {
        let bom = open(DOCUMENT).expect("valid");
        let counts = count(&bom, &Aliases::default());
        assert_eq!(counts, Counts { components: 2, identified: 1, blind: 1 });
        assert_eq!(facts(&bom, &Aliases::default(), false)["depth_complete"], false);
    }

    #[test]
    fn an_alias_identifies_what_has_a_name_only() {
        let bom = open(DOCUMENT).expect("valid");
        let aliases = Aliases::new([("pkg:generic/b", "cpe:2.3:a:acme:b:*:*:*:*:*:*:*:*")]);
        assert_eq!(count(&bom, &aliases).identified, 2);
        let subjects = subjects(&bom, &aliases);
        let b = subjects.iter().find(|one| one.name == "b").expect("judged");
        assert_eq!((b.cpes.len(), b.version.as_str()), (1, "2"));
    }
}
