//! What a version of a package is made of, and its form on disk.

use serde_json::{Value as Json, json};

use crate::{bytes::Bytes, capture::Kind};

/// Version of the document.
const FORMAT: u64 = 1;

/// One member of the data of a package, as it is shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// From the root, no link followed: `/bin/ls` where the package says so.
    pub path: Bytes,
    pub kind: Kind,
    pub mode: u16,
    pub user: String,
    pub group: String,
    pub target: Option<Bytes>,
    pub sha256: Option<[u8; 32]>,
    /// dpkg keeps an MD5 sum of it.
    pub has_sum: bool,
    pub is_conffile: bool,
}

/// What a version of a package is made of, verified from the signed index to the archive's member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageManifest {
    pub name: String,
    pub version: String,
    pub architecture: String,
    /// Packages whose files it takes over.
    pub replaces: Vec<String>,
    /// In the order of the archive.
    pub files: Vec<Shipped>,
    /// Over the maintainer scripts; empty without any.
    pub scripts: String,
    /// SHA-256 of the table of sums, where the package brings one.
    pub sums: Option<[u8; 32]>,
    /// Words of the maintainer scripts and of sysusers.d: names and paths they speak of. Sorted.
    pub words: Vec<String>,
    /// Links that enabling its units makes: path and unit.
    pub enables: Vec<(Bytes, Bytes)>,
    /// Templates of debconf that it brings.
    pub templates: Vec<String>,
}

impl PackageManifest {
    /// `name:architecture`, as facts name packages.
    pub fn key(&self) -> String {
        format!("{}:{}", self.name, self.architecture)
    }

    /// Whether its scripts speak of it.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.words.binary_search_by(|known| known.as_str().cmp(word)).is_ok()
    }

    /// The document; equal manifests give equal documents.
    pub fn to_document(&self) -> Json {
        let file = |one: &Shipped| {
            json!([
                one.path,
                one.kind.as_str(),
                format!("{:04o}", one.mode),
                one.user,
                one.group,
                one.target,
                one.sha256.map(hex::encode),
                one.has_sum,
                one.is_conffile,
            ])
        };
        json!({
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "architecture": self.architecture,
            "replaces": self.replaces,
            "scripts": self.scripts,
            "sums": self.sums.map(hex::encode),
            "words": self.words,
            "enables": self.enables,
            "templates": self.templates,
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }

    /// Reads [`PackageManifest::to_document`]; none of what it cannot have written.
    pub fn from_document(json: &Json) -> Option<PackageManifest> {
        if json["format"] != FORMAT {
            return None;
        }
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let texts = |name: &str| {
            let list = json[name].as_array()?.iter();
            list.map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        let pair =
            |one: &Json| Some((Bytes::parse(one[0].as_str()?), Bytes::parse(one[1].as_str()?)));
        let mut words = texts("words")?;
        words.sort_unstable();
        Some(PackageManifest {
            name: text("name")?,
            version: text("version")?,
            architecture: text("architecture")?,
            replaces: texts("replaces")?,
            files: json["files"].as_array()?.iter().map(shipped).collect::<Option<_>>()?,
            scripts: text("scripts")?,
            sums: optional(&json["sums"], hash)?,
            words,
            enables: json["enables"].as_array()?.iter().map(pair).collect::<Option<_>>()?,
            templates: texts("templates")?,
        })
    }
}

fn shipped(one: &Json) -> Option<Shipped> {
    let kind = one[1].as_str()?;
    let kinds = [Kind::File, Kind::Directory, Kind::Link, Kind::Fifo, Kind::Block, Kind::Character];
    Some(Shipped {
        path: Bytes::parse(one[0].as_str()?),
        kind: kinds.into_iter().find(|known| known.as_str() == kind)?,
        mode: u16::from_str_radix(one[2].as_str()?, 8).ok()?,
        user: one[3].as_str()?.to_owned(),
        group: one[4].as_str()?.to_owned(),
        target: optional(&one[5], |text| Some(Bytes::parse(text)))?,
        sha256: optional(&one[6], hash)?,
        has_sum: one[7].as_bool()?,
        is_conffile: one[8].as_bool()?,
    })
}

/// Null is none; anything else has to be readable.
fn optional<T>(json: &Json, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match json {
        Json::Null => Some(None),
        json => read(json.as_str()?).map(Some),
    }
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
}
