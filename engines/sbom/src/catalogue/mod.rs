//! What is installed below a root: packages of distributions and of languages, and what programs say
//! they were built from.
//!
//! The caller walks the root and offers every file by [`Catalogue::look`]; this asks for the bytes it
//! needs through [`Source`]. The databases of package managers come first ([`FIRST`]), since they say
//! whose the other files are: what lies in a file of a distribution package **is** that package and is
//! no component of its own, because the distribution answers for it (a wheel inside a deb would be
//! matched by the wrong version otherwise). Its purl is noted as `ume:holds`.
//!
//! Nothing is guessed: what cannot be read is a [`Problem`], an executable that no package owns and
//! that says nothing of itself is a component of kind file whose composition is unknown.

mod apk;
mod build;
mod cargo;
mod distribution;
mod dpkg;
mod elf;
mod golang;
mod java;
mod licence;
mod npm;
mod oci;
mod php;
mod purl;
mod python;
mod rpm;
mod ruby;
mod sqlite;

use std::collections::HashMap;

pub use oci::{Layers, Place};
pub use rpm::{QUERY as RPM_QUERY, from_query as rpm_from_query};

use crate::bom::{Bom, Component, Problem, Rule};
use build::Found;
use distribution::Distribution;

/// Where the databases of package managers are: files, or folders whose files are wanted. They are
/// to be looked at before everything else.
pub const FIRST: [&str; 9] = [
    "usr/lib/os-release",
    "etc/os-release",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d",
    "var/lib/dpkg/info",
    "lib/apk/db",
    "usr/lib/apk/db",
    "var/lib/rpm",
    "usr/lib/sysimage/rpm",
];

/// Bytes of a file that is read whole.
const FILE_MAX: u64 = 64 << 20;
/// Of a database of a package manager.
const DATABASE_MAX: u64 = 1 << 30;
/// Components that are listed.
const COMPONENTS_MAX: usize = 500_000;
/// Problems that are told.
const PROBLEMS_MAX: usize = 1_000;

/// The bytes of a file.
pub trait Source {
    /// How many there are.
    fn size(&self) -> u64;
    /// `length` bytes from `offset`, fewer at the end; an error says why.
    fn read_at(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, String>;
}

/// Bytes that are there already.
impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, String> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        Ok(self[from..from.saturating_add(length).min(self.len())].to_vec())
    }
}

/// What the caller knows of the root.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether `/bin`, `/lib` and others are links into `/usr`.
    pub merged_usr: bool,
    /// What the root is called.
    pub name: String,
    /// `urn:uuid:…`, if the document is to have one.
    pub serial: Option<String>,
    /// When it is made, RFC 3339.
    pub created: Option<String>,
    /// Whether files of packages become components with their hashes.
    pub files: bool,
}

/// Gathers.
pub struct Catalogue {
    options: Options,
    distribution: Distribution,
    found: Vec<Found>,
    /// File without leading slash, and the index of the package that owns it.
    owners: HashMap<Box<str>, u32>,
    /// dpkg packages by name and name:architecture.
    dpkg: HashMap<String, u32>,
    problems: Vec<Problem>,
}

impl Catalogue {
    /// Of an empty root.
    pub fn new(options: Options) -> Catalogue {
        Catalogue {
            options,
            distribution: Distribution::default(),
            found: Vec::new(),
            owners: HashMap::new(),
            dpkg: HashMap::new(),
            problems: Vec::new(),
        }
    }

    /// Offers a regular file; `path` has no leading slash. Those of [`FIRST`] come first.
    pub fn look(&mut self, path: &str, executable: bool, source: &mut dyn Source) {
        if self.options.files
            && let Some(owner) = self.owner(path)
        {
            match build::file(path, source) {
                Ok(mut file) => {
                    file.within = Some(owner);
                    file.parts_known = true;
                    self.add(file);
                }
                Err(what) => self.fail(path, what),
            }
        }
        if let Err(what) = self.dispatch(path, executable, source) {
            self.fail(path, what);
        }
    }

    /// Tells of something that could not be read.
    pub fn fail(&mut self, path: &str, what: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            let mut pointer = String::new();
            path.split('/').for_each(|step| crate::json::push(&mut pointer, step));
            self.problems.push(Problem::at(pointer, Rule::Format, what));
        }
    }

    fn dispatch(
        &mut self,
        path: &str,
        executable: bool,
        source: &mut dyn Source,
    ) -> Result<(), String> {
        if let Some(done) = self.database(path, source) {
            return done;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let whole = |source: &mut dyn Source| whole(source, FILE_MAX);
        match name {
            "os-release" if path == "etc/os-release" => {
                self.distribution.read(&whole(source)?);
            }
            "METADATA" if path.contains(".dist-info/") => {
                let made = python::metadata(path, &whole(source)?)?;
                self.add_all(path, made);
            }
            "PKG-INFO" if path.contains(".egg-info/") => {
                let made = python::metadata(path, &whole(source)?)?;
                self.add_all(path, made);
            }
            "package.json" if path.contains("node_modules/") => {
                let made = npm::package(path, &whole(source)?)?;
                self.add_all(path, made);
            }
            "package-lock.json" | "npm-shrinkwrap.json" | ".package-lock.json"
                if !path.ends_with("node_modules/.package-lock.json") =>
            {
                let made = npm::lock(path, &whole(source)?)?;
                self.add_all(path, made);
            }
            "Cargo.lock" => {
                let made = cargo::lock(path, &whole(source)?)?;
                self.add_all(path, made);
            }
            "composer.lock" | "installed.json" if php::is_one(path) => {
                let made = php::packages(path, &whole(source)?)?;
                self.add_all(path, made);
            }
            _ if name.ends_with(".egg-info") => {
                let made = python::metadata(path, &whole(source)?)?;
                self.add_all(path, made);
            }
            _ if name.ends_with(".gemspec") && path.contains("specifications/") => {
                let made = ruby::gemspec(path, &whole(source)?)?;
                self.add_all(path, made);
            }
            _ if java::is_one(name) => {
                let made = java::archive(path, source)?;
                self.add_all(path, made);
            }
            "copyright" if path.starts_with("usr/share/doc/") => self.copyright(path, source)?,
            _ if executable || name.contains(".so") => self.program(path, source)?,
            _ => {}
        }
        Ok(())
    }

    /// The databases of package managers; `None` of everything else.
    fn database(&mut self, path: &str, source: &mut dyn Source) -> Option<Result<(), String>> {
        let whole = |source: &mut dyn Source| whole(source, DATABASE_MAX);
        if path == "usr/lib/os-release" {
            return Some(whole(source).map(|bytes| self.distribution.read(&bytes)));
        }
        if let Some(rest) = path.strip_prefix("var/lib/dpkg/") {
            return Some(match rest.split_once('/') {
                None if rest == "status" => whole(source).map(|bytes| self.dpkg_status(&bytes)),
                Some(("status.d", name)) => {
                    whole(source).map(|bytes| self.dpkg_status_d(name, &bytes))
                }
                Some(("info", name)) if name.ends_with(".list") => {
                    whole(source).map(|bytes| self.dpkg_list(name, &bytes))
                }
                _ => Ok(()),
            });
        }
        match path {
            "lib/apk/db/installed" | "usr/lib/apk/db/installed" => {
                Some(whole(source).map(|bytes| self.apk(&bytes)))
            }
            "var/lib/rpm/rpmdb.sqlite" | "usr/lib/sysimage/rpm/rpmdb.sqlite" => {
                Some(whole(source).and_then(|bytes| self.rpm(&bytes)))
            }
            "var/lib/rpm/Packages" | "var/lib/rpm/Packages.db" => {
                let what = "this form of the rpm database is not read; give the output of rpm -qa";
                Some(Err(what.into()))
            }
            _ => None,
        }
    }

    /// Which package owns a file.
    fn owner(&self, path: &str) -> Option<usize> {
        let owner = self.owners.get(self.key(path)).or_else(|| self.owners.get(path))?;
        Some(*owner as usize)
    }

    /// Files are known by their path without leading slash, and without `usr/` where the folders of
    /// the root are links into it: lists of packages name either.
    fn key<'a>(&self, path: &'a str) -> &'a str {
        let path = path.trim_start_matches('/');
        if !self.options.merged_usr {
            return path;
        }
        let inner = path.strip_prefix("usr/").unwrap_or(path);
        let linked = ["bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/"];
        if linked.iter().any(|folder| inner.starts_with(folder)) { inner } else { path }
    }

    fn own(&mut self, path: &str, owner: usize) {
        let key: Box<str> = self.key(path).into();
        self.owners.insert(key, u32::try_from(owner).unwrap_or(u32::MAX));
    }

    fn add(&mut self, found: Found) -> usize {
        if self.found.len() < COMPONENTS_MAX {
            self.found.push(found);
        } else if self.found.len() == COMPONENTS_MAX {
            self.fail("", "more components than are listed");
        }
        self.found.len() - 1
    }

    /// Adds what was found in a file, or notes it at the package that owns the file.
    fn add_all(&mut self, path: &str, made: Vec<Found>) {
        match self.owner(path) {
            Some(owner) => {
                let held = made.into_iter().filter_map(|one| one.component.purl);
                self.found[owner].holds.extend(held);
            }
            None => {
                let base = self.found.len();
                for mut one in made {
                    // Indices of what a file says are those within it.
                    one.needs.iter_mut().for_each(|need| *need += base);
                    one.within = one.within.map(|within| within + base);
                    self.add(one);
                }
            }
        }
    }

    /// A program, or a library of one: what it was built from, if it says so.
    fn program(&mut self, path: &str, source: &mut dyn Source) -> Result<(), String> {
        // What a distribution built it knows; only foreign programs are asked.
        if self.owner(path).is_some() {
            return Ok(());
        }
        let Some(elf) = elf::Elf::read(source)? else { return Ok(()) };
        let mut made = cargo::auditable(path, &elf, source)?;
        if made.is_empty() {
            made = golang::build_info(path, &elf, source)?;
        }
        if made.is_empty() {
            made = vec![build::file(path, source)?];
        }
        self.add_all(path, made);
        Ok(())
    }

    fn copyright(&mut self, path: &str, source: &mut dyn Source) -> Result<(), String> {
        let package = path.split('/').nth(3).unwrap_or_default();
        let Some(index) = self.dpkg.get(package).copied() else { return Ok(()) };
        let bytes = whole(source, 4 << 20)?;
        let found = &mut self.found[index as usize];
        if found.component.licences.is_empty() {
            found.component.licences = licence::debian(&String::from_utf8_lossy(&bytes));
        }
        Ok(())
    }

    /// The bill of materials, and what could not be read.
    pub fn finish(mut self) -> (Bom, Vec<Problem>) {
        self.dpkg_edges();
        let problems = std::mem::take(&mut self.problems);
        let bom = build::bom(self.options, &self.distribution, self.found, !problems.is_empty());
        (bom, problems)
    }
}

/// All bytes, if they are not too many.
fn whole(source: &mut dyn Source, max: u64) -> Result<Vec<u8>, String> {
    let size = source.size();
    if size > max {
        return Err(format!("{size} bytes are more than the {max} that are read"));
    }
    source.read_at(0, usize::try_from(size).unwrap_or(usize::MAX))
}

/// A component by the parts every ecosystem has.
fn component(purl: String, name: &str, version: &str) -> Component {
    Component {
        kind: Some(crate::bom::Kind::Library),
        name: name.to_owned(),
        version: Some(version.to_owned()).filter(|version| !version.is_empty()),
        purl: Some(purl).filter(|purl| !purl.is_empty()),
        ..Component::default()
    }
}

/// Base64 as hexadecimal digits.
fn hex_of_base64(text: &str) -> Option<String> {
    let value = |byte: u8| {
        Some(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        })
    };
    let (mut bits, mut count, mut out) = (0u32, 0, String::new());
    for byte in text.trim_end_matches('=').bytes() {
        bits = (bits << 6) | u32::from(value(byte)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push_str(&format!("{:02x}", (bits >> count) & 0xff));
        }
    }
    Some(out)
}
