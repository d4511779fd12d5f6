//! Collection rules: which log files agents follow, and how often they collect. Pure.
//!
//! A rule selects hosts by name, and by one attribute if it names one. What several rules say adds up:
//! a file is followed if any of them names it, the first by name says as what, and the shortest
//! interval counts. What an agent in fact opens is for its own host to decide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use store::Row;

/// The kind of rule.
pub const KIND: &str = "collection";
/// Files that one agent is told to follow; what goes beyond is left out.
pub const FILES_MAX: usize = 100;
/// Shortest and longest interval of a collector, in hours.
pub const HOURS: (i64, i64) = (1, 168);

/// What an agent is told to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Hours between two snapshots of the configuration; none for the agent's own habit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_h: Option<i64>,
    #[serde(default)]
    pub files: Vec<LogFile>,
}

/// A log file to follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogFile {
    pub path: String,
    /// The agent's name for it; its lines come as `host/source`.
    pub source: String,
    /// How its lines are read: a value of the kind's field.
    pub format: String,
}

/// What these rules tell the agent of this host.
pub fn set(rules: &[Row], host: &Row) -> Set {
    let mut set = Set::default();
    let mut files: BTreeMap<String, LogFile> = BTreeMap::new();
    for rule in rules.iter().filter(|r| r.status == "active" && !r.deleted && takes(r, host)) {
        let hours = rule.attributes.get("configuration_h").and_then(Json::as_i64);
        let hours = hours.map(|h| h.clamp(HOURS.0, HOURS.1));
        set.configuration_h = set.configuration_h.into_iter().chain(hours).min();
        let named = rule.attributes.get("files").and_then(Json::as_array);
        for file in named.into_iter().flatten().filter_map(log_file) {
            if files.len() < FILES_MAX {
                files.entry(file.path.clone()).or_insert(file);
            }
        }
    }
    set.files = files.into_values().collect();
    set
}

/// The same as an edge signs it.
pub fn signed(rules: &[Row], host: &Row) -> Json {
    serde_json::to_value(set(rules, host)).unwrap_or_default()
}

fn log_file(line: &Json) -> Option<LogFile> {
    let text = |name: &str| Some(line.get(name)?.as_str()?.trim().to_owned());
    let format = text("format").unwrap_or_else(|| "auto".to_owned());
    Some(LogFile { path: text("path")?, source: text("source")?, format })
}

/// Whether the rule is for this host.
fn takes(rule: &Row, host: &Row) -> bool {
    let of = |row: &Row, name: &str| row.attributes.get(name).cloned().unwrap_or_default();
    let names: Vec<String> = [host.name.as_str(), of(host, "hostname").as_str().unwrap_or("")]
        .map(str::to_lowercase)
        .into();
    let hosts = of(rule, "hosts");
    let wanted: Vec<&str> =
        hosts.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let named = |pattern: &&str| {
        let pattern = pattern.trim().to_lowercase();
        names.iter().any(|name| !name.is_empty() && stream::intake::wild(&pattern, name))
    };
    if !wanted.is_empty() && !wanted.iter().any(named) {
        return false;
    }
    let attribute = of(rule, "attribute");
    match attribute.as_str().map(str::trim).filter(|name| !name.is_empty()) {
        None => true,
        Some(name) => {
            said(&of(host, name)) == of(rule, "value").as_str().map(str::trim).map(str::to_owned)
        }
    }
}

/// A value as a rule writes it.
fn said(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.trim().to_owned()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{Id, Table};
    use serde_json::json;

    use super::*;

    fn row(table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, Id::nil(), kind, name);
        row.attributes = attributes.as_object().cloned().unwrap_or_default();
        row
    }

    fn rule(attributes: Json) -> Row {
        row(Table::Rule, KIND, "rule", attributes)
    }

    fn file(path: &str) -> Json {
        json!([{"path": path, "source": "app", "format": "plain"}])
    }

    #[test]
    fn a_rule_is_for_the_hosts_that_it_names_and_for_all_if_it_names_none() {
        let host =
            row(Table::Asset, "host", "web-1", json!({"environment": "production", "cpu": 4}));
        for (attributes, good) in [
            (json!({}), true),
            (json!({"hosts": []}), true),
            (json!({"hosts": ["db-1", "WEB-*"]}), true),
            (json!({"hosts": ["web"]}), false),
            (json!({"attribute": "environment", "value": "production"}), true),
            (json!({"attribute": "environment", "value": "test"}), false),
            (json!({"attribute": "cpu", "value": "4"}), true),
            (json!({"attribute": "none", "value": "x"}), false),
            (json!({"attribute": "environment"}), false),
            (json!({"hosts": ["db-1"], "attribute": "environment", "value": "production"}), false),
        ] {
            assert_eq!(takes(&rule(attributes.clone()), &host), good, "{attributes}");
        }
    }

    #[test]
    fn what_rules_say_adds_up_and_is_the_same_in_any_register() {
        let host = row(Table::Asset, "host", "web-1", json!({}));
        let mut all = vec![
            rule(json!({"files": file("/var/log/b"), "configuration_h": 12})),
            rule(json!({"files": file("/var/log/a"), "configuration_h": 3})),
            rule(json!({"files": [{"path": "/var/log/b", "source": "other"}, {"path": 1}]})),
            rule(json!({"hosts": ["elsewhere"], "files": file("/var/log/c")})),
        ];
        let found = set(&all, &host);
        let paths: Vec<&str> = found.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["/var/log/a", "/var/log/b"]);
        assert_eq!((found.files[1].source.as_str(), found.configuration_h), ("app", Some(3)));
        all[1].status = "draft".to_owned();
        assert_eq!(set(&all, &host).configuration_h, Some(12));
        assert_eq!(serde_json::from_value::<Set>(signed(&all, &host)).unwrap(), set(&all, &host));
        let many: Vec<Row> =
            (0..150).map(|i| rule(json!({"files": file(&format!("/{i}"))}))).collect();
        assert_eq!(set(&many, &host).files.len(), FILES_MAX);
    }
}
