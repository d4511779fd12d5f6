//! Which systemd units start by themselves: the state that `systemctl list-unit-files` shows.

use super::parse::lines;
use std::collections::{BTreeMap, BTreeSet};

/// Folders of unit files, strongest first; only links in the first one enable.
pub(super) const FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

const SUFFIXES: [&str; 9] = [
    ".service",
    ".socket",
    ".timer",
    ".target",
    ".path",
    ".mount",
    ".automount",
    ".swap",
    ".slice",
];

pub(super) fn is_unit(name: &str) -> bool {
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix) && name.len() > suffix.len())
}

/// The unit a folder like `multi-user.target.wants` pulls others in for.
pub(super) fn wanting(folder: &str) -> Option<&str> {
    [".wants", ".requires", ".upholds"].iter().find_map(|suffix| folder.strip_suffix(suffix))
}

/// `getty@.service` for `getty@tty1.service`.
pub(super) fn template(name: &str) -> Option<String> {
    let (stem, rest) = name.split_once('@')?;
    let suffix = &rest[rest.rfind('.')?..];
    (rest != suffix).then(|| format!("{stem}@{suffix}"))
}

/// What the `[Install]` section offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Install {
    /// It can be enabled.
    Links,
    /// Only others with it.
    Also,
    Nothing,
}

pub(super) fn install(text: &str) -> Install {
    let mut inside = false;
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    for (_, line) in lines(text) {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[Install]";
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            // An empty value takes back what stood before.
            found.insert(key.trim(), !value.trim().is_empty());
        }
    }
    let has = |key: &str| found.get(key).copied().unwrap_or(false);
    if ["WantedBy", "RequiredBy", "UpheldBy", "Alias"].iter().any(|key| has(key)) {
        Install::Links
    } else if has("Also") {
        Install::Also
    } else {
        Install::Nothing
    }
}

/// What a unit file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Masked,
    Alias,
    /// A link in the first folder to a unit file elsewhere.
    Linked,
    File(Install),
    Unreadable,
}

#[derive(Debug, Default)]
pub(super) struct Units {
    /// First folder wins: name, place and shape.
    pub files: BTreeMap<String, (String, Shape)>,
    /// Unit to the units that pull it in, by links an administrator made.
    pub wanted_by: BTreeMap<String, BTreeSet<String>>,
    /// Unit to its other names, by links an administrator made.
    pub aliases: BTreeMap<String, BTreeSet<String>>,
}

impl Units {
    /// All names: files, and links to units that have none.
    pub(super) fn names(&self) -> BTreeSet<&String> {
        self.files.keys().chain(self.wanted_by.keys()).collect()
    }

    pub(super) fn state(&self, name: &str) -> &'static str {
        let linked = self.wanted_by.contains_key(name)
            || self.aliases.contains_key(name)
            || self.instance_wanted(name);
        match self.files.get(name).map(|(_, shape)| shape) {
            Some(Shape::Masked) => "masked",
            Some(Shape::Alias) => "alias",
            _ if linked => "enabled",
            Some(Shape::File(Install::Links)) => "disabled",
            Some(Shape::File(Install::Also)) => "indirect",
            Some(Shape::File(Install::Nothing)) => "static",
            Some(Shape::Linked) => "linked",
            Some(Shape::Unreadable) | None => "unknown",
        }
    }

    fn instance_wanted(&self, name: &str) -> bool {
        let Some(at) = name.find("@.") else { return false };
        let from = name[..=at].to_owned();
        let instances = self.wanted_by.range(from.clone()..);
        instances
            .take_while(|(wanted, _)| wanted.starts_with(&from))
            .any(|(wanted, _)| template(wanted).as_deref() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_sections_are_told_apart() {
        assert_eq!(install("[Unit]\nWantedBy=x\n[Install]\nWantedBy=m\n"), Install::Links);
        assert_eq!(install("[Install]\nAlso=x.socket\n"), Install::Also);
        assert_eq!(install("[Install]\nWantedBy=m\nWantedBy=\n"), Install::Nothing);
        assert_eq!(install("[Service]\n"), Install::Nothing);
    }

    #[test]
    fn an_instance_belongs_to_its_template() {
        assert_eq!(template("getty@tty1.service").as_deref(), Some("getty@.service"));
        assert_eq!(template("getty@.service"), None);
        assert_eq!(template("a@b"), None);
        assert!(is_unit("a.timer") && !is_unit(".timer") && !is_unit("a.conf"));
        assert_eq!(wanting("x.target.wants"), Some("x.target"));
    }

    #[test]
    fn a_link_enables_and_a_mask_is_stronger() {
        let mut units = Units::default();
        let file = |install| (String::from("/f"), Shape::File(install));
        units.files.insert("a.service".into(), file(Install::Links));
        units.files.insert("b.service".into(), ("/f".into(), Shape::Masked));
        units.files.insert("g@.service".into(), file(Install::Links));
        units.files.insert("c.service".into(), file(Install::Links));
        for name in ["a.service", "b.service", "g@1.service"] {
            units.wanted_by.insert(name.into(), BTreeSet::from(["m.target".into()]));
        }
        let names = ["a.service", "b.service", "c.service", "g@.service", "g@1.service"];
        let states = names.map(|name| units.state(name));
        assert_eq!(states, ["enabled", "masked", "disabled", "enabled", "enabled"]);
    }
}
