//! apk: `lib/apk/db/installed`.

use super::build::Found;
use super::{Catalogue, purl};
use crate::bom::{Licence, SOURCE_NAME};

impl Catalogue {
    pub(super) fn apk(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let mut provided = std::collections::HashMap::new();
        let mut wanted: Vec<(usize, Vec<String>)> = Vec::new();
        for stanza in text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
            let field = |name: &str| {
                let line = stanza.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|line| line.strip_prefix(':')).unwrap_or_default()
            };
            let (name, version) = (field("P"), field("V"));
            if name.is_empty() {
                self.fail("lib/apk/db/installed", "a stanza without a package");
                continue;
            }
            let distro = self.distribution.qualifier();
            let qualifiers = [("arch", field("A")), ("distro", distro.as_str())];
            let namespace = self.distribution.namespace("alpine");
            let made = purl::purl("apk", &[namespace], name, version, &qualifiers);
            let mut component = super::component(made, name, version);
            component.description = Some(field("T").to_owned()).filter(|text| !text.is_empty());
            component.supplier = Some(field("m").to_owned()).filter(|text| !text.is_empty());
            if !field("L").is_empty() {
                component.licences.push(Licence::declared(field("L")));
            }
            let origin = if field("o").is_empty() { name } else { field("o") };
            component.set_property(SOURCE_NAME, origin);
            // The checksum is of the control segment, so it is no hash of the package.
            let found = Found { component, needs_known: true, ..Found::default() };
            let index = self.add(found);
            provided.insert(name.to_owned(), index);
            for one in field("p").split_whitespace() {
                let one = one.split(['=', '<', '>', '~']).next().unwrap_or(one);
                provided.insert(one.to_owned(), index);
            }
            let needs = field("D").split_whitespace().filter(|one| !one.starts_with('!'));
            let bare = |one: &str| one.split(['=', '<', '>', '~']).next().unwrap_or(one).to_owned();
            wanted.push((index, needs.map(bare).collect()));
            self.apk_files(stanza, index);
        }
        for (index, names) in wanted {
            let needs = names.iter().filter_map(|name| provided.get(name)).copied();
            self.found[index].needs.extend(needs.filter(|need| *need != index));
        }
    }

    /// `F:` is a folder, `R:` a file in it.
    fn apk_files(&mut self, stanza: &str, index: usize) {
        let mut folder = "";
        for line in stanza.lines() {
            match line.split_once(':') {
                Some(("F", path)) => folder = path,
                Some(("R", name)) => {
                    let path =
                        if folder.is_empty() { name.into() } else { format!("{folder}/{name}") };
                    self.own(&path, index);
                }
                _ => {}
            }
        }
    }
}
