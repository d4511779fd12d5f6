//! What a change is about: which hosts, which settings, which values, whose hands.
//!
//! Invariants: what cannot be read covers nothing, and the fault names its place; a value that people
//! typed is held against what a host has as design values are, so `no` means what sshd lists as `no`.
//!
//! Limits: 500 hosts, 200 settings, 200 values, 50 people.

use baseline::{Bytes, Class, Delta, Scope, Value};
use model::{Id, Text, t};
use serde_json::{Map, Value as Json, json};

use crate::sheet::value::{Held, held, is_nothing};

pub const HOSTS_MAX: usize = 500;
pub const SETTINGS_MAX: usize = 200;
pub const EXACT_MAX: usize = 200;
pub const ACTORS_MAX: usize = 50;
const SETTING_CHARS_MAX: usize = 1_000;
/// Classes are tried in this order where a text names none.
const ANY: &str = "*";

/// On which hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    All,
    These(Vec<Id>),
}

impl Hosts {
    pub fn has(&self, host: Id) -> bool {
        match self {
            Hosts::All => true,
            Hosts::These(ids) => ids.contains(&host),
        }
    }
}

/// A setting and the value it is to have; `None`: it is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    /// `class/name`.
    pub setting: String,
    pub class: Class,
    pub name: Bytes,
    pub value: Option<String>,
}

/// The field `scope` of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeScope {
    pub hosts: Hosts,
    /// `class/pattern` as written, and what it means.
    pub settings: Vec<(String, Scope)>,
    pub exact: Vec<Exact>,
    /// Who may do it; empty means anybody.
    pub actors: Vec<Id>,
    /// The pre-approved pattern that a standard change follows.
    pub pattern: Option<Id>,
}

/// What is wrong with a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeError {
    NotAnObject,
    Unknown(String),
    NoHosts,
    Host(String),
    NoSettings,
    Setting(String),
    Value(String),
    Actor(String),
    Pattern(String),
    Many(&'static str, usize),
}

impl ScopeError {
    /// The part of the scope at fault, as forms and pointers name it.
    pub fn part(&self) -> &str {
        match self {
            ScopeError::NotAnObject | ScopeError::Unknown(_) => "",
            ScopeError::NoHosts | ScopeError::Host(_) => "hosts",
            ScopeError::NoSettings | ScopeError::Setting(_) => "settings",
            ScopeError::Value(_) => "exact",
            ScopeError::Actor(_) => "actors",
            ScopeError::Pattern(_) => "pattern",
            ScopeError::Many(part, _) => part,
        }
    }

    /// What to do about it, in both languages.
    pub fn said(&self) -> (String, String) {
        let fixed = |text: Text| (text.ja.to_owned(), text.en.to_owned());
        match self {
            ScopeError::NotAnObject => fixed(t(
                "対象は {\"hosts\": …, \"settings\": …} の形で書いてください。",
                "Write the scope as {\"hosts\": …, \"settings\": …}.",
            )),
            ScopeError::Unknown(name) => (
                format!("対象に知らない項目があります：{name}"),
                format!("The scope has an unknown member: {name}"),
            ),
            ScopeError::NoHosts => {
                fixed(t("対象のホストを一つ以上選んでください。", "Choose at least one host."))
            }
            ScopeError::Host(text) => (
                format!("ホストが分かりません：{text}"),
                format!("This is not a host of the register: {text}"),
            ),
            ScopeError::NoSettings => fixed(t(
                "対象の設定項目か、設定する値を一つ以上書いてください。",
                "Name at least one setting, or a value to be set.",
            )),
            ScopeError::Setting(text) => (
                format!(
                    "設定項目は「種類/名前」（例：sshd/permitrootlogin、file//etc/ssh/*）か、/で始まるパスで書いてください：{text}"
                ),
                format!(
                    "Write a setting as class/name (sshd/permitrootlogin, file//etc/ssh/*) or as a path that begins with /: {text}"
                ),
            ),
            ScopeError::Value(text) => (
                format!("値は「種類/名前 = 値」の形で、名前に * を使わずに書いてください：{text}"),
                format!("Write a value as class/name = value, without * in the name: {text}"),
            ),
            ScopeError::Actor(text) => (
                format!("作業者が名簿にありません：{text}"),
                format!("This actor is not among the people: {text}"),
            ),
            ScopeError::Pattern(text) => (
                format!("もとになる標準変更が分かりません：{text}"),
                format!("This is not a pre-approved pattern: {text}"),
            ),
            ScopeError::Many(part, max) => (
                format!("対象の{part}は{max}件までです。"),
                format!("The scope's {part} has at most {max} entries."),
            ),
        }
    }
}

/// `class/pattern`, or a path, whose files are meant; `*/pattern` for any class.
pub fn setting(text: &str) -> Option<Scope> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > SETTING_CHARS_MAX {
        return None;
    }
    if text.starts_with('/') {
        return Some(Scope { class: Some(Class::File), pattern: Bytes::parse(text) });
    }
    let (class, pattern) = text.split_once('/')?;
    let class = match class {
        ANY => None,
        named => Some(Class::named(named)?),
    };
    (!pattern.is_empty()).then(|| Scope { class, pattern: Bytes::parse(pattern) })
}

/// The class and name of one setting, no pattern.
pub fn named(text: &str) -> Option<(Class, Bytes)> {
    let scope = setting(text)?;
    let has_wildcard = scope.pattern.as_slice().iter().any(|byte| b"*?[".contains(byte));
    Some((scope.class?, scope.pattern)).filter(|(class, _)| !has_wildcard || *class == Class::Sudo)
}

/// Whether a value, as people type it, is what is there; `None`: nothing is there.
pub fn fits(text: &str, unit: &str, there: Option<&Value>) -> bool {
    let Some(value) = there else { return is_nothing(text) };
    let exact = serde_json::from_str::<Json>(text).ok().and_then(|json| Value::from_json(&json));
    exact.as_ref() == Some(value) || held(text, value, unit) == Held::Equal
}

/// A value as [`fits`] reads it back: what people would type, else its JSON.
pub fn typed(value: Option<&Value>) -> String {
    let Some(value) = value else { return "none".to_owned() };
    let shown = value.shown();
    if fits(&shown, "", Some(value)) { shown } else { value.to_json().to_string() }
}

impl ChangeScope {
    /// Reads the field; says what is wrong with it.
    pub fn read(json: &Json) -> Result<ChangeScope, ScopeError> {
        let object = json.as_object().ok_or(ScopeError::NotAnObject)?;
        const KNOWN: [&str; 5] = ["hosts", "settings", "exact", "actors", "pattern"];
        if let Some(name) = object.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(ScopeError::Unknown(name.clone()));
        }
        let scope = ChangeScope {
            hosts: hosts(&object.get("hosts").cloned().unwrap_or(Json::Null))?,
            settings: list(object, "settings", SETTINGS_MAX)?
                .iter()
                .map(|one| {
                    let text = one.as_str().unwrap_or_default().trim().to_owned();
                    let read =
                        setting(&text).ok_or_else(|| ScopeError::Setting(one.to_string()))?;
                    Ok((text, read))
                })
                .collect::<Result<_, _>>()?,
            exact: list(object, "exact", EXACT_MAX)?.iter().map(exact).collect::<Result<_, _>>()?,
            actors: list(object, "actors", ACTORS_MAX)?
                .iter()
                .map(|one| id(one).ok_or_else(|| ScopeError::Actor(one.to_string())))
                .collect::<Result<_, _>>()?,
            pattern: match object.get("pattern") {
                None | Some(Json::Null) => None,
                Some(one) => Some(id(one).ok_or_else(|| ScopeError::Pattern(one.to_string()))?),
            },
        };
        if scope.settings.is_empty() && scope.exact.is_empty() {
            return Err(ScopeError::NoSettings);
        }
        Ok(scope)
    }

    /// The field as it is stored.
    pub fn to_json(&self) -> Json {
        let mut object = Map::new();
        let hosts = match &self.hosts {
            Hosts::All => json!("all"),
            Hosts::These(ids) => json!(ids),
        };
        object.insert("hosts".to_owned(), hosts);
        let settings: Vec<&String> = self.settings.iter().map(|(text, _)| text).collect();
        object.insert("settings".to_owned(), json!(settings));
        let exact: Vec<Json> = self
            .exact
            .iter()
            .map(|one| json!({ "setting": one.setting, "value": one.value }))
            .collect();
        object.insert("exact".to_owned(), json!(exact));
        object.insert("actors".to_owned(), json!(self.actors));
        if let Some(pattern) = self.pattern {
            object.insert("pattern".to_owned(), json!(pattern));
        }
        Json::Object(object)
    }

    /// Whether it covers this difference on this host.
    pub fn covers(&self, host: Id, delta: &Delta) -> bool {
        self.hosts.has(host)
            && (self.settings.iter().any(|(_, scope)| scope.has(delta.class, &delta.name))
                || self.exact.iter().any(|exact| exact.is(delta)))
    }

    /// Whether everything that this one covers is covered by `wider`. Only what can be shown counts.
    pub fn lies_within(&self, wider: &ChangeScope) -> bool {
        let hosts = match (&self.hosts, &wider.hosts) {
            (_, Hosts::All) => true,
            (Hosts::All, Hosts::These(_)) => false,
            (Hosts::These(own), Hosts::These(theirs)) => own.iter().all(|id| theirs.contains(id)),
        };
        let setting = |own: &(String, Scope)| {
            wider.settings.iter().any(|(text, scope)| {
                // `*` in the wider one swallows any wildcard of this one; its other wildcards do not.
                let plain = !text.contains(['?', '[']);
                *text == own.0
                    || (own.1.class.is_some() && is_literal(&own.0) && scope_has(scope, &own.1))
                    || (plain && own.1.class.is_some() && scope_has(scope, &own.1))
            })
        };
        let exact = |own: &Exact| {
            wider.settings.iter().any(|(_, scope)| scope.has(own.class, &own.name))
                || wider.exact.contains(own)
        };
        let actors = wider.actors.is_empty()
            || (!self.actors.is_empty() && self.actors.iter().all(|a| wider.actors.contains(a)));
        hosts && actors && self.settings.iter().all(setting) && self.exact.iter().all(exact)
    }
}

fn is_literal(text: &str) -> bool {
    !text.contains(['*', '?', '['])
}

fn scope_has(wider: &Scope, own: &Scope) -> bool {
    own.class.is_some_and(|class| wider.has(class, &own.pattern))
}

impl Exact {
    /// Whether this difference brought exactly that.
    pub fn is(&self, delta: &Delta) -> bool {
        self.class == delta.class && self.name == delta.name && self.is_value(delta.after.as_ref())
    }

    pub fn is_value(&self, there: Option<&Value>) -> bool {
        match &self.value {
            None => there.is_none(),
            Some(text) => there.is_some() && fits(text, "", there),
        }
    }
}

fn id(json: &Json) -> Option<Id> {
    json.as_str()?.parse().ok()
}

fn hosts(json: &Json) -> Result<Hosts, ScopeError> {
    if json == "all" {
        return Ok(Hosts::All);
    }
    let Some(list) = json.as_array().filter(|list| !list.is_empty()) else {
        return Err(ScopeError::NoHosts);
    };
    if list.len() > HOSTS_MAX {
        return Err(ScopeError::Many("hosts", HOSTS_MAX));
    }
    let ids = list.iter().map(|one| id(one).ok_or_else(|| ScopeError::Host(one.to_string())));
    Ok(Hosts::These(ids.collect::<Result<_, _>>()?))
}

fn list<'o>(
    object: &'o Map<String, Json>,
    name: &'static str,
    max: usize,
) -> Result<&'o [Json], ScopeError> {
    match object.get(name) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(list)) if list.len() > max => Err(ScopeError::Many(name, max)),
        Some(Json::Array(list)) => Ok(list),
        Some(other) if name == "exact" => Err(ScopeError::Value(other.to_string())),
        Some(other) if name == "actors" => Err(ScopeError::Actor(other.to_string())),
        Some(other) => Err(ScopeError::Setting(other.to_string())),
    }
}

fn exact(json: &Json) -> Result<Exact, ScopeError> {
    let wrong = || ScopeError::Value(json.to_string());
    let setting = json["setting"].as_str().ok_or_else(wrong)?.trim().to_owned();
    let (class, name) = named(&setting).ok_or_else(wrong)?;
    let value = match &json["value"] {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Ok(Exact { setting, class, name, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use baseline::Origin;

    fn delta(class: Class, name: &str, after: Option<Value>) -> Delta {
        Delta { class, name: name.into(), before: None, after, origin: Origin::Default }
    }

    fn host(n: u8) -> Id {
        Id::from_parts(model::Timestamp(0), &[n; 10])
    }

    fn scope(json: Json) -> ChangeScope {
        ChangeScope::read(&json).unwrap()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_part() {
        let one = host(1);
        for (json, part) in [
            (json!([]), ""),
            (json!({"host": [one]}), ""),
            (json!({"settings": ["sshd/port"]}), "hosts"),
            (json!({"hosts": [], "settings": ["sshd/port"]}), "hosts"),
            (json!({"hosts": ["web1"], "settings": ["sshd/port"]}), "hosts"),
            (json!({"hosts": [one]}), "settings"),
            (json!({"hosts": [one], "settings": ["port"]}), "settings"),
            (json!({"hosts": [one], "settings": ["ssh/port"]}), "settings"),
            (json!({"hosts": [one], "settings": ["sshd/"]}), "settings"),
            (json!({"hosts": [one], "settings": "sshd/port"}), "settings"),
            (json!({"hosts": [one], "exact": [{"setting": "sshd/*", "value": "1"}]}), "exact"),
            (json!({"hosts": [one], "settings": ["sshd/*"], "actors": ["root"]}), "actors"),
            (json!({"hosts": [one], "settings": ["sshd/*"], "pattern": 3}), "pattern"),
            (json!({"hosts": vec![one; 501], "settings": ["sshd/*"]}), "hosts"),
        ] {
            let error = ChangeScope::read(&json).unwrap_err();
            assert_eq!(error.part(), part, "{json}");
            let (ja, en) = error.said();
            assert!(!ja.is_ascii() && en.is_ascii() || en.contains('…'), "{ja} {en}");
        }
    }

    #[test]
    fn it_covers_its_hosts_and_settings_and_values_only() {
        let some = scope(json!({
            "hosts": [host(1)], "settings": ["/etc/ssh/*"],
            "exact": [{"setting": "sshd/port", "value": "2222"}, {"setting": "user/eve", "value": null}],
        }));
        assert_eq!(scope(some.to_json()), some);
        let port = |port: &str| delta(Class::Sshd, "port", Some(Value::texts([port])));
        assert!(some.covers(host(1), &port("2222")));
        assert!(!some.covers(host(1), &port("22")) && !some.covers(host(2), &port("2222")));
        assert!(some.covers(host(1), &delta(Class::User, "eve", None)));
        assert!(!some.covers(host(1), &delta(Class::User, "eve", Some(Value::Int(1)))));
        assert!(some.covers(host(1), &delta(Class::File, "/etc/ssh/a/b", None)));
        assert!(!some.covers(host(1), &delta(Class::File, "/etc/sudoers", None)));
    }

    #[test]
    fn a_standard_change_goes_no_further_than_its_pattern() {
        let wide = scope(
            json!({"hosts": [host(1), host(2)], "settings": ["package/nginx*", "sshd/p?rt"]}),
        );
        let within = |hosts: Json, settings: Json| {
            scope(json!({"hosts": hosts, "settings": settings})).lies_within(&wide)
        };
        assert!(within(json!([host(1)]), json!(["package/nginx:amd64"])));
        assert!(within(json!([host(1)]), json!(["package/nginx-*"])));
        assert!(within(json!([host(2)]), json!(["sshd/port"])));
        assert!(!within(json!([host(2)]), json!(["sshd/p*rt"])), "? holds one letter");
        assert!(!within(json!([host(3)]), json!(["package/nginx:amd64"])));
        assert!(!within(json!("all"), json!(["package/nginx:amd64"])));
        assert!(!within(json!([host(1)]), json!(["*/nginx:amd64"])));
        assert!(!within(json!([host(1)]), json!(["package/*"])));
    }

    #[test]
    fn a_value_comes_back_as_people_type_it() {
        for value in [
            Value::texts(["no"]),
            Value::text("0"),
            Value::Mode(0o644),
            Value::Bool(true),
            Value::map([("uid", Value::Int(3)), ("home", Value::text("/x"))]),
            Value::texts(["a b", "c"]),
        ] {
            assert!(fits(&typed(Some(&value)), "", Some(&value)), "{value:?}");
            assert!(!fits(&typed(Some(&value)), "", None), "{value:?}");
        }
        assert_eq!(typed(Some(&Value::texts(["no"]))), "no");
        assert!(fits(&typed(None), "", None) && fits("なし", "", None));
    }
}
