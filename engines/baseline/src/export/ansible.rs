//! Steps as an Ansible project: what all hosts share lies in the role, what differs in host_vars.
//!
//! Only modules of `ansible.builtin` are used, as ansible-core ships no others; what none of them does
//! goes through `shell` with a check of its own. Text of a host is marked `!unsafe`, so nothing in it is
//! taken for an expression; contents lie in files of their own. A secret is looked up below
//! `ume_secrets` by a task with `no_log`. Links of units are files here, so that enabling and masking
//! need no running system; starting is a step apart, for where one runs. Handlers come last.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Map, Value as Json, json};

use super::{
    Host, shell,
    step::{self, Content, Rights, Step},
};

const SITE: &str = include_str!("ansible/site.yml");
const TASKS: &str = include_str!("ansible/tasks.yml");
const HANDLERS: &str = include_str!("ansible/handlers.yml");
const README: &str = include_str!("ansible/README.md");

/// Lists of the role's tasks, in their order.
const LISTS: [&str; 19] = [
    "packages",
    "users_gone",
    "groups_gone",
    "groups",
    "users",
    "passwords",
    "accounts",
    "gone",
    "overrides",
    "folders",
    "files",
    "secret_files",
    "secret_texts",
    "links",
    "rights",
    "extras",
    "late_gone",
    "selections",
    "states",
];

pub(super) fn files(
    hosts: &[Host<'_>],
    shared: &[Step],
    own: &[Vec<Step>],
) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut put = |path: &str, text: String| {
        files.insert(path.to_owned(), text.into_bytes());
    };
    put("README.md", README.to_owned());
    put("site.yml", SITE.to_owned());
    put("ansible.cfg", "[defaults]\ninventory = inventory/hosts.yml\nroles_path = roles\nretry_files_enabled = false\n".to_owned());
    put("roles/ume/tasks/main.yml", TASKS.to_owned());
    put("roles/ume/handlers/main.yml", HANDLERS.to_owned());
    put("roles/ume/vars/main.yml", variables("ume_shared", shared));
    let mut inventory = String::from("all:\n  hosts:\n");
    for (host, own) in hosts.iter().zip(own) {
        let _ = writeln!(inventory, "    {}: {{}}", string(host.name));
        put(&format!("inventory/host_vars/{}.yml", host.name), variables("ume_own", own));
    }
    put("inventory/hosts.yml", inventory);
    let all = || shared.iter().chain(own.iter().flatten());
    for (name, bytes) in step::contents(all()) {
        files.insert(format!("roles/ume/files/{name}"), bytes);
    }
    for step in all() {
        if let Step::File { content: Content::Secret(parts), .. } = step {
            let (name, text) = template(parts);
            files.insert(format!("roles/ume/templates/{name}"), text.into_bytes());
        }
    }
    files
}

/// The items of each list.
fn variables(name: &str, steps: &[Step]) -> String {
    let mut lists: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    for step in steps {
        let (list, item) = item(step);
        lists.entry(list).or_default().push(item);
    }
    let mut text = format!("---\n{name}:\n");
    for list in LISTS {
        match lists.remove(list) {
            None => {
                let _ = writeln!(text, "  {list}: []");
            }
            Some(items) => {
                let _ = writeln!(text, "  {list}:");
                items.iter().for_each(|item| text.push_str(&format!("    - {}\n", flow(item))));
            }
        }
    }
    text
}

fn command(list: &'static str, step: &Step) -> (&'static str, Json) {
    let act = shell::of(step, "");
    let run = format!(
        "if {{ {}; }}; then :; else {{ {}; }} && echo ume:changed; fi",
        act.check, act.apply
    );
    (list, json!({ "name": shell::summary(step), "run": run }))
}

fn with_rights(path: &str, rights: &Rights) -> Map<String, Json> {
    let mut item = Map::new();
    item.insert("path".into(), path.into());
    item.insert("owner".into(), rights.user.as_str().into());
    item.insert("group".into(), rights.group.as_str().into());
    item.insert("mode".into(), format!("{:04o}", rights.mode).into());
    item
}

fn item(step: &Step) -> (&'static str, Json) {
    match step {
        Step::Architecture(_)
        | Step::Divert { .. }
        | Step::Undivert { .. }
        | Step::Package { .. }
        | Step::Removed { .. }
        | Step::Purged { .. }
        | Step::Debconf { .. }
        | Step::Mark { .. } => command("packages", step),
        Step::UserGone(name) => ("users_gone", json!({ "name": name })),
        Step::GroupGone(name) => ("groups_gone", json!({ "name": name })),
        Step::Group { name, gid } => ("groups", json!({ "name": name, "gid": gid })),
        Step::User { shell, .. } if shell.is_empty() => command("accounts", step),
        Step::User { name, uid, gid, gecos, home, shell } => (
            "users",
            json!({ "name": name, "uid": uid, "group": gid.to_string(), "comment": gecos, "home": home, "shell": shell }),
        ),
        Step::Password { user, secret: Some(place), locked, .. } => {
            ("passwords", json!({ "name": user, "secret": place, "locked": locked }))
        }
        Step::Password { .. } | Step::NoShadow(_) | Step::Ageing { .. } | Step::Members { .. } => {
            command("accounts", step)
        }
        Step::Gone(path) => ("gone", json!({ "path": path })),
        Step::LateGone(path) => ("late_gone", json!({ "path": path })),
        Step::Override { .. } | Step::NoOverride(_) => command("overrides", step),
        Step::Folder { path, rights } => ("folders", Json::Object(with_rights(path, rights))),
        Step::File { path, rights, content, validate } => {
            let mut item = with_rights(path, rights);
            if !validate.is_empty() {
                item.insert("validate".into(), (*validate).into());
            }
            let (list, source) = match content {
                Content::Plain(bytes) => ("files", step::name(bytes)),
                Content::Whole(place) => ("secret_files", place.clone()),
                Content::Secret(parts) => ("secret_texts", template(parts).0),
            };
            item.insert("src".into(), source.into());
            (list, Json::Object(item))
        }
        Step::Link { path, target } => ("links", json!({ "path": path, "src": target })),
        Step::Attributes { path, rights, must_be: false } => {
            ("rights", Json::Object(with_rights(path, rights)))
        }
        Step::Attributes { .. }
        | Step::Extra { .. }
        | Step::Alternative { .. }
        | Step::Immutable { .. } => command("extras", step),
        Step::Hold { name, want } => ("selections", json!({ "name": name, "want": want })),
        Step::Started { unit, on } => {
            ("states", json!({ "name": unit, "state": if *on { "started" } else { "stopped" } }))
        }
    }
}

/// A template whose only expressions are look-ups; its marks are no marks of the usual kind, so that the
/// text may hold those.
fn template(parts: &[(String, Option<String>)]) -> (String, String) {
    let mut text = String::from(
        "#jinja2: variable_start_string:'[%%ume', variable_end_string:'ume%%]', block_start_string:'[%%block', block_end_string:'block%%]', comment_start_string:'[%%note', comment_end_string:'note%%]', trim_blocks:False\n",
    );
    for (part, place) in parts {
        text.push_str(part);
        if let Some(place) = place {
            let _ = write!(
                text,
                "[%%ume lookup('ansible.builtin.file', ume_secrets ~ '/{place}') ume%%]"
            );
        }
    }
    (format!("{}.j2", step::name(text.as_bytes())), text)
}

/// JSON as YAML in flow style, texts that look like expressions marked.
fn flow(json: &Json) -> String {
    match json {
        Json::String(text) => string(text),
        Json::Array(list) => format!("[{}]", list.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let members = map.iter().map(|(name, value)| format!("{name}: {}", flow(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
        out.push_str("!unsafe ");
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // What YAML does not print.
            '\0'..='\x1f'
            | '\x7f'..='\u{a0}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_host_becomes_an_expression_or_leaves_its_quotes() {
        assert_eq!(string("a\"b\\c\u{7f}"), r#""a\"b\\c\u007F""#);
        assert_eq!(string("{{ lookup('pipe', 'id') }}"), "!unsafe \"{{ lookup('pipe', 'id') }}\"");
        assert_eq!(flow(&json!({"a": [1, "x: y"], "b": true})), r#"{a: [1, "x: y"], b: true}"#);
    }
}
