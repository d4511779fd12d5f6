//! Which setting of a host a row of a sheet asks for.
//!
//! A row names its setting by a path (`sshd/port`), by a name of the catalogue (`content/parameters`),
//! by its keyword under a section or file that says which program (`/etc/ssh/sshd_config`, `SSH`), or by
//! a keyword that only one class of facts has. Anything else is not known, and said to be so.

use std::{collections::HashMap, sync::OnceLock};

use baseline::{Class, Fact, Facts, Value};
use reports::{fold, fold_header};
use serde::Deserialize;

const LINUX: &str = include_str!("../../../../content/parameters/linux.toml");

/// A setting with the names it goes by.
#[derive(Debug, Deserialize)]
pub struct Setting {
    pub at: String,
    #[serde(default)]
    pub family: String,
    /// What a number without unit means.
    #[serde(default)]
    pub unit: String,
    names: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    setting: Vec<Setting>,
}

/// All names.
pub struct Catalogue {
    settings: Vec<Setting>,
    by_name: HashMap<String, usize>,
    by_path: HashMap<String, usize>,
}

/// What a row asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub class: Class,
    pub name: String,
    /// An attribute of a resource; empty for a setting.
    pub attribute: String,
    pub unit: &'static str,
    pub family: &'static str,
}

/// Sections and files, and the class of the keywords below them.
const SECTIONS: [(&str, Class); 22] = [
    ("/etc/ssh/sshd_config", Class::Sshd),
    ("sshd", Class::Sshd),
    ("ssh", Class::Sshd),
    ("openssh", Class::Sshd),
    ("/etc/login.defs", Class::LoginDefault),
    ("login.defs", Class::LoginDefault),
    ("/etc/sysctl", Class::Sysctl),
    ("sysctl", Class::Sysctl),
    ("カーネルパラメータ", Class::Sysctl),
    ("kernel parameter", Class::Sysctl),
    ("サービス", Class::Unit),
    ("service", Class::Unit),
    ("systemd", Class::Unit),
    ("パッケージ", Class::Package),
    ("package", Class::Package),
    ("グループ", Class::Group),
    ("ユーザー", Class::User),
    ("ユーザ", Class::User),
    ("アカウント", Class::User),
    ("user", Class::User),
    ("モジュール", Class::Module),
    ("マウント", Class::Mount),
];

/// Classes whose names are keywords of files, in which a keyword alone may be looked for.
const KEYWORDS: [Class; 9] = [
    Class::Sshd,
    Class::LoginDefault,
    Class::Sysctl,
    Class::Shell,
    Class::Time,
    Class::Locale,
    Class::Resolver,
    Class::SystemdSetting,
    Class::Release,
];

impl Catalogue {
    /// The names that ship with Ume.
    pub fn shipped() -> &'static Catalogue {
        static SHIPPED: OnceLock<Catalogue> = OnceLock::new();
        SHIPPED
            .get_or_init(|| Catalogue::parse(LINUX).unwrap_or_else(|_| Catalogue::of(Vec::new())))
    }

    /// Reads a file of names.
    pub fn parse(text: &str) -> Result<Catalogue, toml::de::Error> {
        toml::from_str::<File>(text).map(|file| Catalogue::of(file.setting))
    }

    fn of(settings: Vec<Setting>) -> Catalogue {
        let (mut by_name, mut by_path) = (HashMap::new(), HashMap::new());
        for (index, setting) in settings.iter().enumerate() {
            by_path.insert(setting.at.to_lowercase(), index);
            for name in &setting.names {
                by_name.entry(fold_header(name)).or_insert(index);
            }
        }
        Catalogue { settings, by_name, by_path }
    }

    /// What a row asks for: `groups` are its sections, the outermost first, files among them.
    pub fn asked(&'static self, groups: &[&str], item: &str, facts: &Facts) -> Option<Asked> {
        let item = item.trim();
        if let Some(asked) = path(item, facts) {
            return Some(self.told(asked));
        }
        // A keyword below a section that names its program goes before a name of that wording.
        let section = groups.iter().rev().find_map(|group| section(group));
        if let Some(asked) = section.and_then(|class| keyword(class, item, facts)) {
            return Some(self.told(asked));
        }
        let names =
            (0..=groups.len()).rev().map(|from| [&groups[from..], &[item]].concat().concat());
        let named = names.map(|name| fold_header(&name)).find_map(|name| self.by_name.get(&name));
        if let Some(setting) = named.and_then(|index| self.settings.get(*index)) {
            return path(&setting.at, facts).map(|asked| self.told(asked));
        }
        if let Some(asked) = shaped(item, facts) {
            return Some(self.told(asked));
        }
        let mut found = KEYWORDS.iter().filter_map(|class| known_keyword(*class, item, facts));
        let first = found.next()?;
        // A keyword that two programs know is nobody's.
        found.next().is_none().then(|| self.told(first))
    }

    /// Unit and family, where the catalogue knows the path.
    fn told(&'static self, mut asked: Asked) -> Asked {
        let mut path = format!("{}/{}", asked.class.as_str(), asked.name);
        if !asked.attribute.is_empty() {
            path = format!("{path}/{}", asked.attribute);
        }
        let known = self.by_path.get(&path.to_lowercase()).and_then(|i| self.settings.get(*i));
        if let Some(setting) = known {
            (asked.unit, asked.family) = (&setting.unit, &setting.family);
        }
        asked
    }
}

fn bare(class: Class, name: &str, attribute: &str) -> Asked {
    Asked { class, name: name.to_owned(), attribute: attribute.to_owned(), unit: "", family: "" }
}

/// `class/name` or `class/name/attribute`; names may hold slashes, so the facts say which it is.
fn path(text: &str, facts: &Facts) -> Option<Asked> {
    let (class, name) = text.split_once('/')?;
    let class = Class::named(class.trim())?;
    if find(facts, class, name).is_some() {
        return Some(bare(class, name, attribute_of(class)));
    }
    match name.rsplit_once('/') {
        Some((resource, attribute)) if is_attribute(class, facts, attribute) => {
            Some(bare(class, resource, attribute))
        }
        _ => Some(bare(class, name, attribute_of(class))),
    }
}

/// The attribute that a row means which names a resource only.
fn attribute_of(class: Class) -> &'static str {
    match class {
        Class::Unit => "state",
        Class::Package => "version",
        Class::Mount => "options",
        Class::File => "mode",
        _ => "",
    }
}

fn is_attribute(class: Class, facts: &Facts, attribute: &str) -> bool {
    attribute == attribute_of(class)
        || facts.class(class).iter().any(|fact| fact.value.get(attribute).is_some())
}

fn section(group: &str) -> Option<Class> {
    let folded = fold(group);
    let hit = |word: &str| match word.starts_with('/') {
        true => folded.contains(word),
        false => folded == fold(word) || folded.trim_end_matches(['設', '定']) == fold(word),
    };
    SECTIONS.iter().find(|(word, _)| hit(word)).map(|(_, class)| *class)
}

/// An item of a class that its section named: it is asked for even where the host lacks it, if it reads
/// like a keyword at all.
fn keyword(class: Class, item: &str, facts: &Facts) -> Option<Asked> {
    if let Some(asked) = known_keyword(class, item, facts) {
        return Some(asked);
    }
    let word = |c: char| c.is_ascii_alphanumeric() || "._-@:+".contains(c);
    let reads_so = item.len() > 1 && item.chars().all(word);
    let name = match class {
        Class::Sshd => item.to_ascii_lowercase(),
        Class::Unit if !item.contains('.') => format!("{item}.service"),
        _ => item.to_owned(),
    };
    reads_so.then(|| bare(class, &name, attribute_of(class)))
}

/// An item that the host's facts of this class have, whatever its case.
fn known_keyword(class: Class, item: &str, facts: &Facts) -> Option<Asked> {
    let fact = find(facts, class, item).or_else(|| {
        let near = match class {
            Class::Unit => format!("{item}.service"),
            Class::SystemdSetting => format!("/{item}"),
            Class::Package => format!("{item}:"),
            _ => return None,
        };
        let fits = |fact: &&Fact| match class {
            Class::SystemdSetting => {
                fact.name.to_string().to_lowercase().ends_with(&near.to_lowercase())
            }
            Class::Package => fact.name.to_string().starts_with(&near),
            _ => fact.name.to_string() == near,
        };
        facts.class(class).iter().find(fits)
    })?;
    Some(bare(class, &bare_name(class, &fact.name.to_string()), attribute_of(class)))
}

fn find<'f>(facts: &'f Facts, class: Class, name: &str) -> Option<&'f Fact> {
    facts.get(class, name.as_bytes()).or_else(|| {
        let wanted = fold(name);
        let is_it = |fact: &&Fact| fold(&bare_name(class, &fact.name.to_string())) == wanted;
        facts.class(class).iter().find(is_it)
    })
}

/// The name of a fact as people write it: settings of login.defs without their file.
fn bare_name(class: Class, name: &str) -> String {
    match class {
        Class::LoginDefault => name.strip_prefix("login.defs/").unwrap_or(name).to_owned(),
        _ => name.to_owned(),
    }
}

/// Items whose shape says what they are: `net.ipv4.ip_forward`, `nginx.service`, `/etc/shadow`.
fn shaped(item: &str, facts: &Facts) -> Option<Asked> {
    let ends = [".service", ".timer", ".socket", ".target", ".mount", ".path"];
    if ends.iter().any(|end| item.ends_with(end)) && !item.contains(char::is_whitespace) {
        return Some(bare(Class::Unit, item, "state"));
    }
    if item.starts_with('/') && !item.contains(char::is_whitespace) {
        let is_mount = find(facts, Class::Mount, item).is_some();
        return Some(if is_mount {
            bare(Class::Mount, item, "options")
        } else {
            bare(Class::File, item, "mode")
        });
    }
    let tree = ["net.", "kernel.", "vm.", "fs.", "dev.", "user."];
    let of_kernel = tree.iter().any(|start| item.starts_with(start));
    of_kernel.then(|| bare(Class::Sysctl, item, ""))
}

/// What the host has of it, and where that was read.
pub fn look<'f>(asked: &Asked, facts: &'f Facts) -> Option<(&'f Value, &'f Fact)> {
    let fact = find(facts, asked.class, &asked.name)?;
    if asked.attribute.is_empty() {
        return Some((&fact.value, fact));
    }
    match &fact.value {
        Value::Map(map) => map.get(&asked.attribute).map(|value| (value, fact)),
        value => Some((value, fact)),
    }
}

impl Asked {
    /// Its path, as a row may name it.
    pub fn path(&self) -> String {
        match self.attribute.is_empty() {
            true => format!("{}/{}", self.class.as_str(), self.name),
            false => format!("{}/{}/{}", self.class.as_str(), self.name, self.attribute),
        }
    }

    /// Files without which its absence says nothing.
    pub fn sources(&self) -> &'static [&'static str] {
        match self.class {
            Class::Sshd => &["/etc/ssh/sshd_config"],
            Class::LoginDefault => &["/etc/login.defs"],
            Class::User => &["/etc/passwd", "/etc/shadow"],
            Class::Group => &["/etc/group", "/etc/gshadow"],
            Class::Sudo => &["/etc/sudoers"],
            Class::Sysctl => &["/etc/sysctl"],
            Class::Package => &["/var/lib/dpkg/status"],
            Class::Mount => &["/etc/fstab"],
            Class::Pam => &["/etc/pam.d"],
            Class::Unit => &["/etc/systemd", "/usr/lib/systemd", "/lib/systemd"],
            Class::Time => &["/etc/chrony", "/etc/localtime", "/etc/timezone"],
            _ => &[],
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use baseline::Origin;

    use super::*;

    pub fn fact(class: Class, name: &str, value: Value) -> Fact {
        Fact { class, name: name.into(), value, origin: Origin::File("/etc/x".into(), 3) }
    }

    fn host() -> Facts {
        Facts::new(vec![
            fact(Class::Sshd, "permitrootlogin", Value::texts(["no"])),
            fact(Class::LoginDefault, "login.defs/PASS_MAX_DAYS", Value::text("90")),
            fact(Class::Sysctl, "net.ipv4.ip_forward", Value::text("0")),
            fact(Class::Unit, "ssh.service", Value::map([("state", Value::text("enabled"))])),
            fact(
                Class::Package,
                "openssh-server:amd64",
                Value::map([("version", Value::text("1:9"))]),
            ),
            fact(Class::User, "root", Value::map([("locked", Value::Bool(true))])),
        ])
    }

    fn path_of(groups: &[&str], item: &str) -> Option<String> {
        Catalogue::shipped().asked(groups, item, &host()).map(|asked| asked.path())
    }

    #[test]
    fn every_line_of_the_catalogue_names_a_class_and_no_name_twice() {
        let catalogue = Catalogue::parse(LINUX).expect("catalogue");
        let mut names = std::collections::HashSet::new();
        for setting in &catalogue.settings {
            let class = setting.at.split('/').next().and_then(Class::named);
            assert!(class.is_some(), "{}", setting.at);
            for name in setting
                .names
                .iter()
                .map(|name| fold_header(name))
                .collect::<std::collections::HashSet<_>>()
            {
                assert!(names.insert(name.clone()), "{name}");
            }
        }
    }

    #[test]
    fn a_row_finds_its_setting_by_path_name_section_or_shape() {
        for (groups, item, path) in [
            (&[][..], "sshd/permitrootlogin", "sshd/permitrootlogin"),
            (&["SSH設定"], "PermitRootLogin", "sshd/permitrootlogin"),
            (&["/etc/ssh/sshd_config"], "MaxSessions", "sshd/maxsessions"),
            (&[], "ＰｅｒｍｉｔＲｏｏｔＬｏｇｉｎ", "sshd/permitrootlogin"),
            (&["ssh"], "rootログイン", "sshd/permitrootlogin"),
            (&[], "パスワード有効期間", "login_default/PASS_MAX_DAYS"),
            (&[], "PASS_MAX_DAYS", "login_default/PASS_MAX_DAYS"),
            (&["カーネルパラメータ"], "net.ipv4.ip_forward", "sysctl/net.ipv4.ip_forward"),
            (&[], "net.ipv4.tcp_syncookies", "sysctl/net.ipv4.tcp_syncookies"),
            (&["サービス"], "ssh", "unit/ssh.service/state"),
            (&["パッケージ"], "openssh-server", "package/openssh-server:amd64/version"),
            (&[], "user/root/locked", "user/root/locked"),
            (&[], "/etc/shadow", "file//etc/shadow/mode"),
        ] {
            assert_eq!(path_of(groups, item).as_deref(), Some(path), "{item}");
        }
        assert_eq!(path_of(&["運用"], "バックアップの担当"), None);
        assert_eq!(path_of(&[], ""), None);
        let unit = Catalogue::shipped().asked(&[], "自動ログオフ", &host()).expect("known");
        assert_eq!((unit.unit, unit.family), ("s", "auto_logoff"));
    }
}
