//! A fact: class, name, typed value, origin; and all facts of a host, sorted.
//!
//! The class says the layer, so a key is `(class, name)`. A resource (a user, a unit, a file) is one
//! fact whose value is a map of its attributes; a setting (of sshd, of the kernel) is one fact with
//! its value. Where order means nothing the parser sorts, so a reordered file is no difference.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value as Json, json};

use crate::bytes::Bytes;

/// What rebuilding does with a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Which host it is: a parameter, never copied to another.
    Identity,
    /// What the pristine root is made of.
    Base,
    /// Resources with a meaning of their own.
    Typed,
    /// What differs from the files that the packages brought.
    Files,
    /// Fingerprints of secrets, and where each lies.
    Secrets,
}

impl Layer {
    pub const ALL: [Layer; 5] =
        [Layer::Identity, Layer::Base, Layer::Typed, Layer::Files, Layer::Secrets];

    /// The name in records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Identity => "identity",
            Layer::Base => "base",
            Layer::Typed => "typed",
            Layer::Files => "files",
            Layer::Secrets => "secrets",
        }
    }
}

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident $name:literal $layer:ident,)*) => {
        /// What kind of thing a fact is about. Sorted by layer, then by the order here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Class { $($(#[$doc])* $variant,)* }

        impl Class {
            pub const ALL: &'static [Class] = &[$(Class::$variant),*];

            /// The name in records and output.
            pub fn as_str(self) -> &'static str {
                match self { $(Class::$variant => $name),* }
            }

            pub fn layer(self) -> Layer {
                match self { $(Class::$variant => Layer::$layer),* }
            }
        }
    };
}

classes! {
    /// `hostname`, `mailname`, `machine-id`: text.
    Identity "identity" Identity,
    /// Public host key of sshd by its path: text, without comment.
    HostKey "host_key" Identity,
    /// Line of `/etc/hosts` by address: sorted list of names.
    HostsEntry "hosts_entry" Identity,
    /// Address of an interface as configured or seen.
    Address "address" Identity,
    /// Hardware as DMI and the block devices say.
    Hardware "hardware" Identity,
    /// Field of os-release: text.
    Release "release" Base,
    /// `native` and each foreign one: text or true.
    Architecture "architecture" Base,
    /// `name:architecture`: `{name, architecture, version, want, state, automatic, source}`.
    Package "package" Base,
    /// `type uri suite`: `{components, options, enabled, file}`.
    AptSource "apt_source" Base,
    /// Key ring of apt by its path: SHA-256.
    AptKey "apt_key" Base,
    /// Setting of apt.conf: text or list.
    AptConfig "apt_config" Base,
    /// Pin by package and release: priority and file.
    AptPin "apt_pin" Base,
    /// Question of debconf: `{value, owners, template, flags}`.
    Debconf "debconf" Base,
    /// Path diverted: `{to, by}`.
    Diversion "diversion" Base,
    /// Path: `{owner, group, mode}`.
    StatOverride "stat_override" Base,
    /// Name of a link group: `{mode, link, value}`.
    Alternative "alternative" Base,
    /// Name: `{uid, gid, gecos, home, shell, password, scheme, locked, changed, min, max, warn, inactive, expires, …}`.
    User "user" Typed,
    /// Name: `{gid, members, admins, …}`.
    Group "group" Typed,
    /// `user file fingerprint`: `{type, options, comment, file}`.
    AuthorizedKey "authorized_key" Typed,
    /// Rule of sudoers by its place in the order of evaluation, and `Defaults`.
    Sudo "sudo" Typed,
    /// Stack of PAM by service and type: list of the modules in order, includes resolved.
    Pam "pam" Typed,
    /// `domain type item` of limits.conf: text.
    Limit "limit" Typed,
    /// Setting of login.defs, useradd: text.
    LoginDefault "login_default" Typed,
    /// Unit of systemd: `{state, file, wanted_by, aliases, drop_ins, …}`.
    Unit "unit" Typed,
    /// Setting of a configuration file of systemd, as `system.conf/Manager/X`: effective text.
    SystemdSetting "systemd_setting" Typed,
    /// `path#n`: `{schedule, user, command}`.
    Cron "cron" Typed,
    /// Kernel value that files ask for: text.
    Sysctl "sysctl" Typed,
    /// Kernel value as it is: text.
    KernelValue "kernel_value" Typed,
    /// Module: `{load, blacklisted, options, …}`.
    Module "module" Typed,
    /// Place, as fstab asks for: `{source, type, options, dump, pass}`.
    Mount "mount" Typed,
    /// Place, as it is mounted.
    Mounted "mounted" Typed,
    /// Setting of the firewall's own files.
    Firewall "firewall" Typed,
    /// Setting of resolv.conf, nsswitch.conf.
    Resolver "resolver" Typed,
    /// Time zone, time sources, measured offset.
    Time "time" Typed,
    /// Locale, keyboard, console.
    Locale "locale" Typed,
    /// Effective setting of sshd: list of texts; `match CRITERIA/keyword` in blocks.
    Sshd "sshd" Typed,
    /// Kernel command line and boot loader setting.
    Boot "boot" Typed,
    /// Variable or umask that shells set at log-in.
    Shell "shell" Typed,
    /// Socket that listens: `{uids, processes}`.
    Listener "listener" Typed,
    /// Log-in seen: user to days since the last one.
    LastLogin "last_login" Typed,
    /// Path that differs from the pristine root: `{change, kind, mode, user, group, sha256 or keyed, size, target, capabilities, acl, …}`.
    File "file" Files,
    /// Package by name: `{files, equal, content, sums, scripts}` of its files as found, `content` over all.
    PackageFiles "package_files" Files,
    /// Place of a secret: fingerprint.
    Secret "secret" Secrets,
}

impl Class {
    /// The class of that name.
    pub fn named(name: &str) -> Option<Class> {
        Class::ALL.iter().copied().find(|class| class.as_str() == name)
    }
}

/// Unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    Seconds,
    Milliseconds,
    Days,
    Bytes,
}

impl Unit {
    pub const ALL: [Unit; 4] = [Unit::Seconds, Unit::Milliseconds, Unit::Days, Unit::Bytes];

    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::Milliseconds => "ms",
            Unit::Days => "d",
            Unit::Bytes => "B",
        }
    }
}

/// HMAC-SHA-256 of a secret under the key of the house, cut to 16 bytes: tells equal from unequal
/// and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// A typed value. In JSON: null, bool, number, text, list and object as they are; the others as an
/// object with one member whose name begins with `$`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Known not to be there.
    Absent,
    Bool(bool),
    Int(i64),
    Quantity(i64, Unit),
    /// Permission bits, `7777` at most.
    Mode(u16),
    Text(Bytes),
    Secret(Fingerprint),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    pub fn text(text: impl Into<Bytes>) -> Value {
        Value::Text(text.into())
    }

    /// A map of what is given; later ones win.
    pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
        Value::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// A list of texts in the order given.
    pub fn texts<T: Into<Bytes>>(texts: impl IntoIterator<Item = T>) -> Value {
        Value::List(texts.into_iter().map(|text| Value::Text(text.into())).collect())
    }

    /// An attribute of a map.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.get(name),
            _ => None,
        }
    }

    /// The text, if it is one and UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(bytes) => bytes.as_str(),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) | Value::Quantity(number, _) => Some(*number),
            Value::Mode(bits) => Some(i64::from(*bits)),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_list(&self) -> &[Value] {
        match self {
            Value::List(list) => list,
            _ => &[],
        }
    }

    /// JSON without loss.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Absent => Json::Null,
            Value::Bool(value) => json!(value),
            Value::Int(number) => json!(number),
            Value::Quantity(number, unit) => json!({ "$quantity": [number, unit.as_str()] }),
            Value::Mode(bits) => json!({ "$mode": format!("{bits:04o}") }),
            Value::Text(bytes) => json!(bytes.to_string()),
            Value::Secret(print) => json!({ "$secret": hex::encode(print.0) }),
            Value::List(list) => list.iter().map(Value::to_json).collect(),
            Value::Map(map) => {
                Json::Object(map.iter().map(|(k, v)| (k.clone(), v.to_json())).collect())
            }
        }
    }

    /// Reads [`Value::to_json`]; none of what it cannot have written.
    pub fn from_json(json: &Json) -> Option<Value> {
        Some(match json {
            Json::Null => Value::Absent,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Int(number.as_i64()?),
            Json::String(text) => Value::Text(Bytes::parse(text)),
            Json::Array(list) => {
                Value::List(list.iter().map(Value::from_json).collect::<Option<_>>()?)
            }
            Json::Object(map) => from_object(map)?,
        })
    }

    /// What people read: one line, as short as it can be.
    pub fn shown(&self) -> String {
        match self {
            Value::Absent => "-".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Quantity(number, unit) => format!("{number} {}", unit.as_str()),
            Value::Mode(bits) => format!("{bits:04o}"),
            Value::Text(bytes) => bytes.to_string(),
            Value::Secret(print) => format!("secret:{}", hex::encode(&print.0[..4])),
            Value::List(list) => {
                let parts: Vec<String> = list.iter().map(Value::shown).collect();
                parts.join(", ")
            }
            Value::Map(map) => {
                let parts = map.iter().map(|(name, value)| format!("{name}={}", value.shown()));
                parts.collect::<Vec<_>>().join(" ")
            }
        }
    }
}

fn from_object(map: &Map<String, Json>) -> Option<Value> {
    let mut members = map.iter();
    if let (Some((name, inner)), None) = (members.next(), members.next()) {
        match name.as_str() {
            "$mode" => return u16::from_str_radix(inner.as_str()?, 8).ok().map(Value::Mode),
            "$secret" => {
                let mut print = [0; 16];
                hex::decode_to_slice(inner.as_str()?, &mut print).ok()?;
                return Some(Value::Secret(Fingerprint(print)));
            }
            "$quantity" => {
                let unit = inner.get(1)?.as_str()?;
                let unit = Unit::ALL.into_iter().find(|known| known.as_str() == unit)?;
                return Some(Value::Quantity(inner.get(0)?.as_i64()?, unit));
            }
            _ => {}
        }
    }
    let entries = map.iter().map(|(name, value)| Some((name.clone(), Value::from_json(value)?)));
    Some(Value::Map(entries.collect::<Option<_>>()?))
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        Value::from_json(&json).ok_or_else(|| D::Error::custom("not the value of a fact"))
    }
}

/// Where a fact was read. Not part of what is compared: a setting that moved within its file is the
/// same setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// What the program does when nothing is said.
    Default,
    /// A file; line 0 when it is about the whole file.
    File(Bytes, u32),
    /// A command, or the kernel itself.
    Command(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, 0) => write!(f, "{path}"),
            Origin::File(path, line) => write!(f, "{path}:{line}"),
            Origin::Command(command) => write!(f, "$ {command}"),
        }
    }
}

impl Origin {
    /// Reads the text form.
    pub fn parse(text: &str) -> Origin {
        if text == "default" {
            return Origin::Default;
        }
        if let Some(command) = text.strip_prefix("$ ") {
            return Origin::Command(command.to_owned());
        }
        let line = text.rsplit_once(':').and_then(|(path, line)| {
            let digits = line.bytes().all(|byte| byte.is_ascii_digit());
            Some((path, line.parse::<u32>().ok().filter(|n| *n > 0 && digits)?))
        });
        match line {
            Some((path, line)) => Origin::File(Bytes::parse(path), line),
            None => Origin::File(Bytes::parse(text), 0),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Origin::parse(&String::deserialize(deserializer)?))
    }
}

/// One thing that is so on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub class: Class,
    pub name: Bytes,
    pub value: Value,
    pub origin: Origin,
}

impl Fact {
    pub fn layer(&self) -> Layer {
        self.class.layer()
    }

    /// What it is sorted and found by.
    pub fn key(&self) -> (Class, &[u8]) {
        (self.class, self.name.as_slice())
    }

    /// `class/name` for people.
    pub fn path(&self) -> String {
        format!("{}/{}", self.class.as_str(), self.name)
    }

    /// An attribute of the value as text.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// JSON without loss.
    pub fn to_json(&self) -> Json {
        json!({
            "layer": self.layer().as_str(),
            "class": self.class.as_str(),
            "name": self.name,
            "value": self.value,
            "origin": self.origin,
        })
    }

    /// Reads [`Fact::to_json`].
    pub fn from_json(json: &Json) -> Option<Fact> {
        Some(Fact {
            class: Class::named(json["class"].as_str()?)?,
            name: Bytes::parse(json["name"].as_str()?),
            value: Value::from_json(&json["value"])?,
            origin: Origin::parse(json["origin"].as_str()?),
        })
    }
}

/// Something that was not read, or a line that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    /// Path, `path:line`, or the name of a table.
    pub place: Bytes,
    /// Why, without parts that change from run to run.
    pub reason: String,
}

/// All facts of a host at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Sorted by [`Fact::key`], each key once.
    facts: Vec<Fact>,
    /// Sorted, each once.
    pub unread: Vec<Unread>,
    /// Paths that changed while they were read, sorted.
    pub unstable: Vec<Bytes>,
    /// Files, folders and tables that were there, or had to be.
    pub attempted: u64,
    /// Content of files in layer 4, by SHA-256, secrets cut.
    pub blobs: BTreeMap<[u8; 32], Vec<u8>>,
    /// Which key the fingerprints were made with.
    pub key_id: String,
}

impl Facts {
    /// Sorts; of facts with one key the first given stays.
    pub fn new(mut facts: Vec<Fact>) -> Facts {
        facts.sort_by(|a, b| a.key().cmp(&b.key()));
        facts.dedup_by(|a, b| a.key() == b.key());
        Facts { facts, ..Facts::default() }
    }

    pub fn len(&self) -> usize {
        self.facts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// In the order of the keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.facts.iter()
    }

    /// The sorted facts.
    pub fn as_slice(&self) -> &[Fact] {
        &self.facts
    }

    pub fn get(&self, class: Class, name: &[u8]) -> Option<&Fact> {
        let at = self.facts.binary_search_by(|fact| fact.key().cmp(&(class, name))).ok()?;
        self.facts.get(at)
    }

    /// The facts of a class.
    pub fn class(&self, class: Class) -> &[Fact] {
        let from = self.facts.partition_point(|fact| fact.class < class);
        let to = self.facts.partition_point(|fact| fact.class <= class);
        &self.facts[from..to]
    }

    /// The facts of a layer.
    pub fn layer(&self, layer: Layer) -> &[Fact] {
        let from = self.facts.partition_point(|fact| fact.layer() < layer);
        let to = self.facts.partition_point(|fact| fact.layer() <= layer);
        &self.facts[from..to]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_sorted_by_layer() {
        assert!(Class::ALL.is_sorted_by_key(|class| class.layer()));
        for class in Class::ALL {
            assert_eq!(Class::named(class.as_str()), Some(*class));
        }
    }

    #[test]
    fn a_fact_comes_back_from_json() {
        let value = Value::map([
            ("absent", Value::Absent),
            ("bytes", Value::text(&b"\xff\\x41"[..])),
            ("list", Value::List(vec![Value::Int(-3), Value::Bool(true)])),
            ("mode", Value::Mode(0o4755)),
            ("warn", Value::Quantity(7, Unit::Days)),
            ("hash", Value::Secret(Fingerprint([7; 16]))),
        ]);
        for origin in [
            Origin::Default,
            Origin::File("/etc/a:b".into(), 3),
            Origin::File("/etc/x".into(), 0),
            Origin::Command("uname -r".into()),
        ] {
            let fact = Fact { class: Class::File, name: "x".into(), value: value.clone(), origin };
            assert_eq!(Fact::from_json(&fact.to_json()), Some(fact));
        }
        assert_eq!(Value::from_json(&json!(1.5)), None);
        assert_eq!(Value::from_json(&json!({ "$mode": "9" })), None);
    }

    #[test]
    fn facts_are_found_by_key_class_and_layer() {
        let fact = |class, name: &str| Fact {
            class,
            name: name.into(),
            value: Value::Absent,
            origin: Origin::Default,
        };
        let facts = Facts::new(vec![
            fact(Class::File, "/b"),
            fact(Class::User, "b"),
            fact(Class::User, "a"),
            fact(Class::Package, "p"),
        ]);
        assert_eq!(facts.class(Class::User).len(), 2);
        assert_eq!(facts.layer(Layer::Files).len(), 1);
        assert!(facts.get(Class::User, b"a").is_some() && facts.get(Class::User, b"c").is_none());
    }
}
