//! dpkg: `status`, `status.d` of images without dpkg, lists of files.
//!
//! A package counts while its files are there: held ones, and those that are only unpacked or half
//! configured, too. One of which only the configuration is left does not.

use std::collections::HashMap;

use super::build::Found;
use super::{Catalogue, purl};
use crate::bom::{Component, Kind, SOURCE_NAME, SOURCE_VERSION};

/// The fields of one stanza; a field that goes on keeps its first line only.
fn fields(stanza: &str) -> HashMap<&str, &str> {
    let lines = stanza.lines().filter(|line| !line.starts_with([' ', '\t', '#']));
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect()
}

impl Catalogue {
    pub(super) fn dpkg_status(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for stanza in text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
            let fields = fields(stanza);
            let state = fields.get("Status").and_then(|status| status.split(' ').nth(2));
            // Without a state (images) it is installed.
            if !matches!(state, Some("not-installed" | "config-files")) {
                self.dpkg_package(&fields);
            }
        }
    }

    /// An image without dpkg: a stanza a file, and beside it its MD5 sums.
    pub(super) fn dpkg_status_d(&mut self, name: &str, bytes: &[u8]) {
        match name.strip_suffix(".md5sums") {
            Some(package) => {
                let owner = self.dpkg.get(package).copied();
                let text = String::from_utf8_lossy(bytes);
                let files = text.lines().filter_map(|line| line.split_once("  "));
                for (_, path) in files {
                    if let Some(owner) = owner {
                        self.own(path, owner as usize);
                    }
                }
            }
            None => self.dpkg_status(bytes),
        }
    }

    fn dpkg_package(&mut self, fields: &HashMap<&str, &str>) {
        let get = |name: &str| fields.get(name).copied().unwrap_or_default();
        let (name, version, architecture) = (get("Package"), get("Version"), get("Architecture"));
        if name.is_empty() {
            return self.fail("var/lib/dpkg/status", "a stanza without a package");
        }
        let distro = self.distribution.qualifier();
        let qualifiers = [("arch", architecture), ("distro", distro.as_str())];
        let namespace = self.distribution.namespace("debian");
        let made = purl::purl("deb", &[namespace], name, version, &qualifiers);
        let mut component = super::component(made, name, version);
        component.supplier = Some(get("Maintainer").to_owned()).filter(|name| !name.is_empty());
        component.description = Some(get("Description").to_owned()).filter(|text| !text.is_empty());
        source(&mut component, get("Source"), name, version);
        if get("Section").ends_with("kernel") && name.starts_with("linux-image") {
            component.kind = Some(Kind::OperatingSystem);
        }
        let depends = [get("Pre-Depends"), get("Depends")].join(",");
        let provides = get("Provides").to_owned();
        let needs_known = true;
        let found = Found { component, depends, provides, needs_known, ..Found::default() };
        let index = u32::try_from(self.add(found)).unwrap_or(u32::MAX);
        self.dpkg.insert(format!("{name}:{architecture}"), index);
        self.dpkg.insert(name.to_owned(), index);
    }

    /// `info/NAME[:ARCH].list`.
    pub(super) fn dpkg_list(&mut self, name: &str, bytes: &[u8]) {
        let package = name.strip_suffix(".list").unwrap_or(name);
        let Some(owner) = self.dpkg.get(package).copied() else { return };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| line.len() > 1) {
            // Folders stand there as well and are in nobody's way.
            self.own(&String::from_utf8_lossy(line), owner as usize);
        }
    }

    /// Edges between packages, when all of them are known. Of alternatives, those that are there.
    pub(super) fn dpkg_edges(&mut self) {
        let mut providers: HashMap<String, Vec<usize>> = HashMap::new();
        for (name, index) in &self.dpkg {
            if !name.contains(':') {
                providers.entry(name.clone()).or_default().push(*index as usize);
            }
        }
        for index in 0..self.found.len() {
            for name in names(&self.found[index].provides).flatten() {
                providers.entry(name.to_owned()).or_default().push(index);
            }
        }
        for index in 0..self.found.len() {
            let depends = std::mem::take(&mut self.found[index].depends);
            let mut needs = Vec::new();
            for alternatives in names(&depends) {
                let there = alternatives.filter_map(|name| providers.get(name));
                needs.extend(there.flatten().copied().filter(|need| *need != index));
            }
            self.found[index].needs.extend(needs);
        }
    }
}

/// `a (>= 1), b | c:any` as names: groups of alternatives.
fn names(list: &str) -> impl Iterator<Item = impl Iterator<Item = &str>> {
    list.split(',').map(|group| {
        group.split('|').filter_map(|one| {
            let name = one.trim().split([' ', '(', '[', ':']).next()?;
            (!name.is_empty()).then_some(name)
        })
    })
}

/// `Source: NAME (VERSION)`; without it the source is called like the package.
fn source(component: &mut Component, source: &str, name: &str, version: &str) {
    let (source, of) = match source.split_once(" (") {
        Some((source, of)) => (source, of.trim_end_matches(')')),
        None => (source, ""),
    };
    component.set_property(SOURCE_NAME, if source.is_empty() { name } else { source });
    if !of.is_empty() && of != version {
        component.set_property(SOURCE_VERSION, of);
    }
}
