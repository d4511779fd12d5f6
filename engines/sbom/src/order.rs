//! The order of versions, one comparison for each ecosystem and none for those that are not known.
//!
//! # Invariants
//! - What cannot be read as a version of its ecosystem has no place: [`Unordered`] says why. There is no
//!   comparison that takes anything.
//! - A [`Key`] is made once; comparing two keys allocates nothing.
//! - The order is total and transitive but for Maven, whose own comparison is not (see `maven`), and for
//!   branches of Composer, which say nothing about each other.
//!
//! # Sources
//! deb-version(7), rpm-version(7), apk-tools, Semantic Versioning 2.0.0 with node-semver, golang.org/x/mod,
//! Elixir and pub_semver, PEP 440, Maven's and Composer's published behaviour, NuGet's and RubyGems' rules,
//! R's `package_version`, the Haskell PVP.
//!
//! # Limits
//! [`VERSION_BYTES_MAX`].

mod apk;
mod composer;
mod dpkg;
mod maven;
mod nuget;
mod number;
mod numeric;
mod pep440;
mod rpm;
mod rubygems;
mod semver;

use std::{cmp::Ordering, fmt};

use crate::purl::Purl;

/// The longest version that is read.
pub const VERSION_BYTES_MAX: usize = 1024;

/// Who says what comes after what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecosystem {
    /// Debian, Ubuntu and others with dpkg.
    Dpkg,
    Rpm,
    Apk,
    Npm,
    Cargo,
    Go,
    Hex,
    /// Semantic versions of ecosystems without rules of their own.
    Semver,
    Pypi,
    Maven,
    Nuget,
    Rubygems,
    Composer,
    Cran,
    Pub,
    Hackage,
}

/// A version that has no place in an order, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{version:?} is no version of {ecosystem} that could be compared: {why}")]
pub struct Unordered {
    pub ecosystem: Ecosystem,
    pub version: String,
    pub why: &'static str,
}

/// A version that was read, ready to be compared with others of its ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(Inner);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Inner {
    Dpkg(dpkg::Key),
    Rpm(rpm::Key),
    Apk(apk::Key),
    Semver(semver::Key),
    Pep440(pep440::Key),
    Maven(Vec<maven::Item>),
    Nuget(nuget::Key),
    Rubygems(Vec<rubygems::Segment>),
    Composer(composer::Key),
    Numeric(Vec<number::Number>),
    Dart((semver::Key, Box<[semver::Identifier]>)),
}

/// Compares two versions of an ecosystem.
pub fn order(ecosystem: Ecosystem, a: &str, b: &str) -> Result<Ordering, Unordered> {
    let (a_key, b_key) = (ecosystem.key(a)?, ecosystem.key(b)?);
    a_key.compare(&b_key).ok_or_else(|| Unordered {
        ecosystem,
        version: format!("{a}, {b}"),
        why: "branches have no order",
    })
}

impl Key {
    /// How this version stands to another of the same ecosystem; nothing where that is not said.
    pub fn compare(&self, other: &Key) -> Option<Ordering> {
        use Inner::*;
        Some(match (&self.0, &other.0) {
            (Dpkg(a), Dpkg(b)) => a.cmp(b),
            (Rpm(a), Rpm(b)) => a.cmp(b),
            (Apk(a), Apk(b)) => a.cmp(b),
            (Semver(a), Semver(b)) => a.cmp(b),
            (Pep440(a), Pep440(b)) => a.cmp(b),
            (Maven(a), Maven(b)) => maven::compare(a, b),
            (Nuget(a), Nuget(b)) => a.cmp(b),
            (Rubygems(a), Rubygems(b)) => rubygems::compare(a, b),
            (Composer(composer::Key::Branch(a)), Composer(composer::Key::Branch(b))) if a != b => {
                return None;
            }
            (Composer(a), Composer(b)) => a.cmp(b),
            (Numeric(a), Numeric(b)) => a.cmp(b),
            (Dart(a), Dart(b)) => a.cmp(b),
            _ => return None,
        })
    }

    /// Whether this is a Python version from before PEP 440: it can be sorted, but no range means it.
    pub fn is_legacy(&self) -> bool {
        matches!(self.0, Inner::Pep440(pep440::Key::Legacy(_)))
    }
}

impl Ecosystem {
    /// Every ecosystem with an order.
    pub const ALL: [Ecosystem; 16] = [
        Ecosystem::Dpkg,
        Ecosystem::Rpm,
        Ecosystem::Apk,
        Ecosystem::Npm,
        Ecosystem::Cargo,
        Ecosystem::Go,
        Ecosystem::Hex,
        Ecosystem::Semver,
        Ecosystem::Pypi,
        Ecosystem::Maven,
        Ecosystem::Nuget,
        Ecosystem::Rubygems,
        Ecosystem::Composer,
        Ecosystem::Cran,
        Ecosystem::Pub,
        Ecosystem::Hackage,
    ];

    /// Reads a version.
    pub fn key(self, version: &str) -> Result<Key, Unordered> {
        let inner = if version.len() > VERSION_BYTES_MAX {
            Err("it is longer than 1,024 bytes")
        } else {
            self.inner(version)
        };
        let unordered = |why| Unordered { ecosystem: self, version: shortened(version), why };
        inner.map(Key).map_err(unordered)
    }

    fn inner(self, version: &str) -> Result<Inner, &'static str> {
        let semver = |dialect| semver::key(version, dialect).map(Inner::Semver);
        match self {
            Ecosystem::Dpkg => dpkg::key(version).map(Inner::Dpkg),
            Ecosystem::Rpm => rpm::key(version).map(Inner::Rpm),
            Ecosystem::Apk => apk::key(version).map(Inner::Apk),
            Ecosystem::Npm => semver(&semver::NPM),
            Ecosystem::Cargo => semver(&semver::CARGO),
            Ecosystem::Go => semver(&semver::GO),
            Ecosystem::Hex => semver(&semver::HEX),
            Ecosystem::Semver => semver(&semver::LOOSE),
            Ecosystem::Pypi => pep440::key(version).map(Inner::Pep440),
            Ecosystem::Maven => maven::key(version).map(Inner::Maven),
            Ecosystem::Nuget => nuget::key(version).map(Inner::Nuget),
            Ecosystem::Rubygems => rubygems::key(version).map(Inner::Rubygems),
            Ecosystem::Composer => composer::key(version).map(Inner::Composer),
            Ecosystem::Cran => numeric::cran(version).map(Inner::Numeric),
            Ecosystem::Pub => semver::dart::key(version).map(Inner::Dart),
            Ecosystem::Hackage => numeric::hackage(version).map(Inner::Numeric),
        }
    }

    /// The name on the command line and in messages: the type of package URLs.
    pub fn name(self) -> &'static str {
        match self {
            Ecosystem::Dpkg => "deb",
            Ecosystem::Rpm => "rpm",
            Ecosystem::Apk => "apk",
            Ecosystem::Npm => "npm",
            Ecosystem::Cargo => "cargo",
            Ecosystem::Go => "golang",
            Ecosystem::Hex => "hex",
            Ecosystem::Semver => "semver",
            Ecosystem::Pypi => "pypi",
            Ecosystem::Maven => "maven",
            Ecosystem::Nuget => "nuget",
            Ecosystem::Rubygems => "gem",
            Ecosystem::Composer => "composer",
            Ecosystem::Cran => "cran",
            Ecosystem::Pub => "pub",
            Ecosystem::Hackage => "hackage",
        }
    }

    /// The ecosystem of a name as package URLs, OSV (`Debian:12`) or people use it.
    pub fn named(name: &str) -> Option<Ecosystem> {
        let base = name.split(':').next().unwrap_or(name).to_ascii_lowercase();
        Some(match base.as_str() {
            "deb" | "dpkg" | "debian" | "ubuntu" | "echo" => Ecosystem::Dpkg,
            "rpm" | "red hat" | "redhat" | "rocky linux" | "almalinux" | "suse" | "opensuse"
            | "mageia" | "openeuler" | "azure linux" | "fedora" | "amazon linux" => Ecosystem::Rpm,
            "apk" | "alpine" | "wolfi" | "chainguard" | "minimos" => Ecosystem::Apk,
            "npm" => Ecosystem::Npm,
            "cargo" | "crates.io" | "crates" => Ecosystem::Cargo,
            "golang" | "go" => Ecosystem::Go,
            "hex" => Ecosystem::Hex,
            "semver" | "swifturl" | "swift" | "github actions" | "githubactions" | "bitnami"
            | "julia" => Ecosystem::Semver,
            "pypi" | "python" => Ecosystem::Pypi,
            "maven" => Ecosystem::Maven,
            "nuget" => Ecosystem::Nuget,
            "gem" | "rubygems" => Ecosystem::Rubygems,
            "composer" | "packagist" => Ecosystem::Composer,
            "cran" => Ecosystem::Cran,
            "pub" => Ecosystem::Pub,
            "hackage" => Ecosystem::Hackage,
            _ => return None,
        })
    }

    /// The ecosystem of a package URL, where there is an order for it.
    pub fn of(purl: &Purl) -> Option<Ecosystem> {
        Ecosystem::named(&purl.kind)
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Foreign text in messages is short.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 100;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}
