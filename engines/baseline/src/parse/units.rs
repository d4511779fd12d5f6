//! Units of systemd: what `systemctl list-unit-files` shows, and their effective settings.
//!
//! A unit's own file comes from the strongest folder, then drop-ins by name over all folders, for the
//! unit and for its template; lists add up, and an empty value takes back what stood before.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sink, Text, at, ini, val};
use crate::{
    bytes::Bytes,
    capture::{Entry, Kind},
    fact::{Class, Origin, Value},
};

/// Folders of unit files, strongest first; only links in the first one enable.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
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

fn is_unit(name: &str) -> bool {
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix) && name.len() > suffix.len())
}

/// The unit a folder like `multi-user.target.wants` pulls others in for.
fn wanting(folder: &str) -> Option<&str> {
    [".wants", ".requires", ".upholds"].iter().find_map(|suffix| folder.strip_suffix(suffix))
}

/// `getty@.service` for `getty@tty1.service`.
fn template(name: &str) -> Option<String> {
    let (stem, rest) = name.split_once('@')?;
    let suffix = &rest[rest.rfind('.')?..];
    (rest != suffix).then(|| format!("{stem}@{suffix}"))
}

/// What a unit file is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Masked,
    /// Another name of that unit.
    Alias(String),
    /// A link in the first folder to a unit file elsewhere.
    Linked,
    File,
    Unreadable,
}

/// What the `[Install]` section offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Install {
    Links,
    Also,
    Nothing,
}

#[derive(Default)]
struct Units {
    /// First folder wins: name, place and shape.
    files: BTreeMap<String, (String, Shape, Option<Text>)>,
    /// Unit to the units that pull it in, by links an administrator made.
    wanted_by: BTreeMap<String, BTreeSet<String>>,
    /// Unit to its other names, by links an administrator made.
    aliases: BTreeMap<String, BTreeSet<String>>,
    /// Unit to its drop-ins by name, the strongest folder first.
    drop_ins: BTreeMap<String, BTreeMap<String, Option<Text>>>,
}

pub(crate) fn facts(sink: &mut Sink<'_>) {
    let mut units = Units::default();
    let mut seen = BTreeSet::new();
    for (rank, folder) in FOLDERS.into_iter().enumerate() {
        let Ok(real) = sink.capture.resolve(folder.as_bytes()) else { continue };
        // On a merged /usr the last two folders are one.
        if !seen.insert(real.clone()) {
            continue;
        }
        for entry in sink.capture.list(&real) {
            let path = Bytes(entry.path.to_vec()).to_string();
            let name = super::base(&path).to_owned();
            if let (Some(wanting), true) = (wanting(&name), rank == 0) {
                wants(sink, entry, wanting, &mut units);
            } else if let Some(unit) =
                name.strip_suffix(".d").filter(|_| entry.kind() == Kind::Directory)
            {
                drop_ins(sink, entry, unit, &mut units);
            } else if is_unit(&name) {
                unit(sink, entry, name, rank == 0, &mut units);
            }
        }
    }
    let names: BTreeSet<String> =
        units.files.keys().chain(units.wanted_by.keys()).cloned().collect();
    for name in names {
        let (value, origin) = units.value(&name);
        sink.add(Class::Unit, Bytes::parse(&name), value, origin);
    }
    default_target(sink);
}

fn default_target(sink: &mut Sink<'_>) {
    let entry = sink.capture.entry(b"/etc/systemd/system/default.target");
    if let Some(target) = entry.and_then(|entry| entry.target.as_ref()) {
        let target = Bytes(target.to_vec()).to_string();
        let value = val(super::base(&target));
        sink.add(Class::Boot, "default.target", value, at("/etc/systemd/system/default.target", 0));
    }
}

fn wants(sink: &Sink<'_>, folder: &Entry, wanting: &str, units: &mut Units) {
    for entry in sink.capture.list(&folder.path).filter(|entry| entry.kind() == Kind::Link) {
        let path = Bytes(entry.path.to_vec()).to_string();
        let name = super::base(&path).to_owned();
        if is_unit(&name) {
            units.wanted_by.entry(name).or_default().insert(wanting.to_owned());
        }
    }
}

fn drop_ins(sink: &Sink<'_>, folder: &Entry, unit: &str, units: &mut Units) {
    let known = units.drop_ins.entry(unit.to_owned()).or_default();
    for entry in sink.capture.list(&folder.path) {
        let path = Bytes(entry.path.to_vec()).to_string();
        let name = super::base(&path).to_owned();
        if name.ends_with(".conf") {
            let masked = entry.target.as_deref() == Some(b"/dev/null");
            known.entry(name).or_insert_with(|| if masked { None } else { sink.text(&path) });
        }
    }
}

fn unit(sink: &Sink<'_>, entry: &Entry, name: String, local: bool, units: &mut Units) {
    if units.files.contains_key(&name) {
        return;
    }
    let path = Bytes(entry.path.to_vec()).to_string();
    let text = sink.text(&path);
    let target = entry.target.as_ref().map(|target| Bytes(target.to_vec()).to_string());
    let shape = match target.as_deref() {
        Some("/dev/null") => Shape::Masked,
        Some(target) if super::base(target) != name && is_unit(super::base(target)) => {
            let target = super::base(target).to_owned();
            if local {
                units.aliases.entry(target.clone()).or_default().insert(name.clone());
            }
            Shape::Alias(target)
        }
        Some(_) if local => Shape::Linked,
        _ => match &text {
            None => Shape::Unreadable,
            Some(text) if text.text.is_empty() => Shape::Masked,
            Some(_) => Shape::File,
        },
    };
    units.files.insert(name, (path, shape, text));
}

/// Section and key to the values in force.
type Settings = BTreeMap<String, Vec<String>>;

impl Units {
    fn value(&self, name: &str) -> (Value, Origin) {
        let file = self.files.get(name);
        let list = |map: &BTreeMap<String, BTreeSet<String>>| {
            super::sorted(map.get(name).into_iter().flatten().map(String::as_str))
        };
        let (settings, drop_ins) = self.settings(name);
        let mut map = BTreeMap::from([
            ("state".to_owned(), val(self.state(name, &settings))),
            ("wanted_by".to_owned(), list(&self.wanted_by)),
            ("aliases".to_owned(), list(&self.aliases)),
        ]);
        if let Some((path, shape, _)) = file {
            map.insert("file".to_owned(), val(path));
            if let Shape::Alias(target) = shape {
                map.insert("alias_of".to_owned(), val(target));
            }
        }
        if !drop_ins.is_empty() {
            map.insert(
                "drop_ins".to_owned(),
                Value::List(drop_ins.iter().map(|path| val(path)).collect()),
            );
        }
        let kept = |key: &str| {
            !key.starts_with("Unit/Description") && !key.starts_with("Unit/Documentation")
        };
        let settings: BTreeMap<String, Value> = settings
            .into_iter()
            .filter(|(key, _)| kept(key))
            .map(|(key, values)| {
                let value = match &values[..] {
                    [one] => val(one),
                    many => Value::List(many.iter().map(|one| val(one)).collect()),
                };
                (key, value)
            })
            .collect();
        if !settings.is_empty() {
            map.insert("settings".to_owned(), Value::Map(settings));
        }
        let origin = match file {
            Some((path, ..)) => at(path, 0),
            None => at("/etc/systemd/system", 0),
        };
        (Value::Map(map), origin)
    }

    /// Effective settings, and the drop-ins that took part in the order of their names.
    fn settings(&self, name: &str) -> (Settings, Vec<String>) {
        let mut settings = Settings::new();
        let own = self.files.get(name).or_else(|| self.files.get(&template(name)?));
        let Some((_, shape, text)) = own else { return (settings, Vec::new()) };
        if matches!(shape, Shape::Masked | Shape::Alias(_)) {
            return (settings, Vec::new());
        }
        text.iter().for_each(|text| merge(&text.text, &mut settings));
        let mut drop_ins: BTreeMap<&String, &Option<Text>> = BTreeMap::new();
        // A drop-in of the instance hides one of its template by name; of the type (`service.d`) last.
        let kind = name.rsplit('.').next().unwrap_or_default().to_owned();
        for unit in [Some(name.to_owned()), template(name), Some(kind)].into_iter().flatten() {
            for (file, text) in self.drop_ins.get(&unit).into_iter().flatten() {
                drop_ins.entry(file).or_insert(text);
            }
        }
        let mut paths = Vec::new();
        for text in drop_ins.into_values().flatten() {
            merge(&text.text, &mut settings);
            paths.push(text.path.clone());
        }
        (settings, paths)
    }

    fn state(&self, name: &str, settings: &Settings) -> &'static str {
        let linked = self.wanted_by.contains_key(name)
            || self.aliases.contains_key(name)
            || self.instance_wanted(name);
        match self.files.get(name).map(|(_, shape, _)| shape) {
            Some(Shape::Masked) => "masked",
            Some(Shape::Alias(_)) => "alias",
            _ if linked => "enabled",
            Some(Shape::File) => match install(settings) {
                Install::Links => "disabled",
                Install::Also => "indirect",
                Install::Nothing => "static",
            },
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

fn merge(text: &str, settings: &mut Settings) {
    for (section, key, value, _) in ini(text) {
        let name = format!("{section}/{key}");
        if value.is_empty() {
            settings.remove(&name);
            continue;
        }
        let values = settings.entry(name).or_default();
        if !adds_up(&key) {
            values.clear();
        }
        values.push(value);
    }
}

/// Keys whose values add up: systemd.unit(5), systemd.exec(5), systemd.timer(5), systemd.socket(5).
fn adds_up(key: &str) -> bool {
    const LISTS: [&str; 20] = [
        "After",
        "Before",
        "Wants",
        "Requires",
        "Conflicts",
        "BindsTo",
        "PartOf",
        "WantedBy",
        "RequiredBy",
        "Alias",
        "Also",
        "Environment",
        "EnvironmentFile",
        "SupplementaryGroups",
        "ReadWritePaths",
        "ReadOnlyPaths",
        "InaccessiblePaths",
        "SystemCallFilter",
        "BindPaths",
        "BindReadOnlyPaths",
    ];
    LISTS.contains(&key)
        || key.starts_with("Exec")
        || key.starts_with("Listen")
        || key.starts_with("Condition")
        || key.starts_with("Assert")
        || (key.starts_with("On") && key != "OnFailureJobMode")
}

fn install(settings: &Settings) -> Install {
    let has = |key: &str| settings.contains_key(&format!("Install/{key}"));
    if ["WantedBy", "RequiredBy", "UpheldBy", "Alias"].iter().any(|key| has(key)) {
        Install::Links
    } else if has("Also") {
        Install::Also
    } else {
        Install::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_takes_back_and_lists_add_up() {
        let mut settings = Settings::new();
        merge("[Service]\nExecStart=/a\nUser=x\nEnvironment=A=1\n", &mut settings);
        merge("[Service]\nExecStart=\nExecStart=/b\nUser=y\nEnvironment=B=2\n", &mut settings);
        assert_eq!(settings["Service/ExecStart"], ["/b"]);
        assert_eq!(settings["Service/User"], ["y"]);
        assert_eq!(settings["Service/Environment"], ["A=1", "B=2"]);
    }

    #[test]
    fn an_instance_belongs_to_its_template() {
        assert_eq!(template("getty@tty1.service").as_deref(), Some("getty@.service"));
        assert_eq!(template("getty@.service"), None);
        assert_eq!(template("a@b"), None);
        assert!(is_unit("a.timer") && !is_unit(".timer") && !is_unit("a.conf"));
        assert_eq!(wanting("x.target.wants"), Some("x.target"));
    }
}
