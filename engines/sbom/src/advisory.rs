//! Advisories of every kind as one model: who is meant, which versions, and in whose order.
//!
//! # Invariants
//! - [`read`] never refuses a file for one entry: what is malformed becomes a problem with its place, the rest
//!   stands.
//! - Texts of versions stay as they were written; the index reads them by the order of their ecosystem.
//! - What names a package of a distribution is never a package of a language, whatever its name.
//!
//! # Sources
//! OSV schema 1.7, RustSec's advisory format, the Debian security tracker's JSON, CSAF 2.0 and 2.1, Alpine's
//! secdb, JVNRSS 2 and VULDEF 3 of MyJVN.
//!
//! # Limits
//! [`Limits`] for the document; [`EVENTS_MAX`] events a range.

mod debian;
mod jvn;
mod osv;
mod release;
mod rustsec;
mod secdb;

use serde_json::Value;

use crate::{
    bom::{Problem, Rule},
    cpe::Cpe,
    csaf,
    limits::Limits,
    order::Ecosystem,
    purl::{Purl, pypi_name},
    vers::Vers,
};

pub use release::release;

/// How many events a range has at most.
pub const EVENTS_MAX: usize = 10_000;

/// One advisory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Advisory {
    pub id: String,
    /// The same weakness under other names: CVE, GHSA.
    pub aliases: Vec<String>,
    pub title: Option<String>,
    pub published: Option<String>,
    pub modified: Option<String>,
    /// When it was taken back. Nothing is affected by it any more.
    pub withdrawn: Option<String>,
    /// RustSec: no weakness, but news (`unmaintained`, `unsound`, `notice`).
    pub informational: Option<String>,
    /// Scores as written, usually CVSS vectors.
    pub severities: Vec<String>,
    pub affected: Vec<Affected>,
}

/// A package that an advisory speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Affected {
    pub package: Package,
    /// Versions by name.
    pub versions: Vec<String>,
    pub ranges: Vec<Range>,
    /// What is said of those versions.
    pub said: Said,
}

/// What an advisory says of the versions that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Affected,
    Fixed,
    NotAffected,
    /// Nobody knows yet: under investigation, undetermined.
    Open,
}

/// Who is meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Package {
    /// A package of a language's registry.
    Language { ecosystem: Ecosystem, name: String },
    /// A package of a distribution; of Debian, Ubuntu and Alpine it is the source package.
    Distribution { order: Ecosystem, distribution: String, release: Option<String>, name: String },
    /// A product by its CPE name.
    Cpe(Box<Cpe>),
    /// In a place for whose versions no order is known.
    Other { ecosystem: String, name: String },
}

/// Which versions.
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    /// From event to event, as OSV has it.
    Events(Vec<Event>),
    /// All versions but those within (RustSec).
    AllBut(Vec<Span>),
    /// One stretch.
    Span(Span),
    /// A `vers` range.
    Vers(Vers),
    /// Commits, which say nothing about versions.
    Commits,
    /// Words that could not be read as a range.
    Words(String),
}

/// A change of state along the versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `0` is before every version.
    Introduced(String),
    Fixed(String),
    LastAffected(String),
    Limit(String),
}

/// A stretch of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub low: Bound,
    pub high: Bound,
}

/// Where a stretch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    Open,
    /// The version belongs to it.
    At(String),
    /// The version does not belong to it.
    Beyond(String),
}

/// What a file held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    pub advisories: Vec<Advisory>,
    pub problems: Vec<Problem>,
}

impl Advisory {
    /// The highest base score that its vectors of CVSS 2 or 3 give, in tenths.
    pub fn score(&self) -> Option<u16> {
        let tenths = |text: &String| {
            let base = csaf::cvss::vector(text)?.base()?;
            Some((base * 10.0).round() as u16)
        };
        self.severities.iter().filter_map(tenths).max()
    }

    /// What people call the weakness: its CVE where it has one, else the advisory's own name.
    pub fn weakness(&self) -> &str {
        let names = [&self.id].into_iter().chain(&self.aliases);
        names.filter(|name| name.starts_with("CVE-")).min().unwrap_or(&self.id)
    }
}

/// The word of CVSS 3 for a score in tenths.
pub fn severity(tenths: u16) -> &'static str {
    csaf::cvss::severity(f64::from(tenths) / 10.0)
}

impl Read {
    fn take(&mut self, one: Result<Advisory, Problem>) {
        match one {
            Ok(advisory) => self.advisories.push(advisory),
            Err(problem) => self.problems.push(problem),
        }
    }
}

/// Reads a file of advisories; which format it is is seen from its content.
pub fn read(bytes: &[u8], limits: &Limits) -> Read {
    let mut out = Read::default();
    if let Err(problem) = read_into(bytes, limits, &mut out) {
        out.problems.push(problem);
    }
    out
}

fn read_into(bytes: &[u8], limits: &Limits, out: &mut Read) -> Result<(), Problem> {
    if bytes.len() > limits.bytes_max {
        let what = format!("the file is longer than {} bytes", limits.bytes_max);
        return Err(Problem::line(1, Rule::Limit, what));
    }
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if start.starts_with(b"```") {
        out.take(rustsec::read(start));
    } else if start.starts_with(b"<") {
        jvn::read(bytes, limits, out)?;
    } else if start.starts_with(b"{") || start.starts_with(b"[") {
        json(crate::json::read(bytes, limits)?, out)?;
    } else {
        json(crate::yaml::read(bytes, limits)?, out)?;
    }
    Ok(())
}

fn json(value: Value, out: &mut Read) -> Result<(), Problem> {
    let is = |pointer: &str| value.pointer(pointer).is_some();
    if let Value::Array(list) = &value {
        for (at, one) in list.iter().enumerate() {
            out.take(osv::read(one, &format!("/{at}")));
        }
    } else if is("/document/csaf_version") || is("/document/tracking") {
        csaf::advisories(&value, out);
    } else if is("/packages") && (is("/distroversion") || is("/reponame")) {
        secdb::read(&value, out);
    } else if is("/id") || is("/affected") || is("/schema_version") {
        out.take(osv::read(&value, ""));
    } else if value.as_object().is_some_and(|o| !o.is_empty() && o.values().all(debian::is_package))
    {
        debian::read(&value, out);
    } else {
        let what = "neither OSV, RustSec, CSAF, secdb, JVN nor data of Debian's security tracker";
        return Err(Problem::at("", Rule::Format, what));
    }
    Ok(())
}

impl Package {
    /// The package that an ecosystem's name and a name in it mean, as OSV writes them.
    pub fn named(ecosystem: &str, name: &str) -> Package {
        let (base, rest) = ecosystem.split_once(':').unwrap_or((ecosystem, ""));
        match (release::distribution(base), Ecosystem::named(ecosystem)) {
            (Some((distribution, order)), _) => Package::Distribution {
                order,
                distribution: distribution.to_owned(),
                release: (!rest.is_empty()).then(|| release(distribution, rest)),
                name: name.to_owned(),
            },
            (None, Some(ecosystem)) => {
                Package::Language { ecosystem, name: language_name(ecosystem, name) }
            }
            (None, None) => {
                Package::Other { ecosystem: ecosystem.to_owned(), name: name.to_owned() }
            }
        }
    }

    /// The package of a package URL.
    pub fn of(purl: &Purl) -> Package {
        let vendor = purl.namespace.as_deref().unwrap_or_default();
        if matches!(purl.kind.as_str(), "deb" | "rpm" | "apk")
            && let Some((distribution, order)) = release::distribution(vendor)
        {
            let distro = purl.qualifier("distro").map(|d| release(distribution, d));
            let name = purl.name.clone();
            let distribution = distribution.to_owned();
            return Package::Distribution { order, distribution, release: distro, name };
        }
        match Ecosystem::of(purl) {
            Some(ecosystem) if !matches!(purl.kind.as_str(), "deb" | "rpm" | "apk") => {
                Package::Language { ecosystem, name: full_name(purl) }
            }
            _ => Package::Other { ecosystem: purl.kind.clone(), name: full_name(purl) },
        }
    }
}

/// The name in the form by which its registry compares it.
pub fn language_name(ecosystem: Ecosystem, name: &str) -> String {
    match ecosystem {
        Ecosystem::Pypi => pypi_name(name),
        Ecosystem::Nuget
        | Ecosystem::Composer
        | Ecosystem::Go
        | Ecosystem::Npm
        | Ecosystem::Hex => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// Name with namespace, as the registry writes them together.
pub fn full_name(purl: &Purl) -> String {
    let joined = match (&purl.namespace, purl.kind.as_str()) {
        (Some(group), "maven") => format!("{group}:{}", purl.name),
        (Some(namespace), _) => format!("{namespace}/{}", purl.name),
        (None, _) => purl.name.clone(),
    };
    Ecosystem::of(purl).map_or(joined.clone(), |e| language_name(e, &joined))
}

pub(crate) fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub(crate) fn texts(value: &Value, name: &str) -> Vec<String> {
    let list = value.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
