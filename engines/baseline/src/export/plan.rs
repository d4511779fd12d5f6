//! From the facts of a host to the steps that make them so, and to what no step can.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Host, MANAGED, Reason, accounts,
    step::{Content, Rights, Step},
};
use crate::{
    bytes::Bytes,
    fact::{Class, Fact, Facts, Value},
    secret::REFERENCE,
};

/// Steps of a host in their order, what they leave, and where their secrets lie.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub steps: BTreeSet<Step>,
    /// Path of the fact, and why.
    pub residuals: BTreeMap<String, Reason>,
    pub secrets: BTreeMap<String, String>,
}

/// A host beside the pristine root.
pub(super) struct View<'a> {
    pub real: &'a Facts,
    pub pristine: Option<&'a Facts>,
}

impl<'a> View<'a> {
    /// The same fact of the pristine root.
    pub fn before(&self, fact: &Fact) -> Option<&'a Fact> {
        self.pristine?.get(fact.class, fact.name.as_slice())
    }

    fn is_as_before(&self, fact: &Fact) -> bool {
        self.before(fact).is_some_and(|before| before.value == fact.value)
    }

    /// Names that the pristine root has and the host has not.
    pub fn gone(&self, class: Class) -> Vec<String> {
        let before = self.pristine.map_or(&[][..], |pristine| pristine.class(class));
        let gone = before.iter().filter(|f| self.real.get(class, f.name.as_slice()).is_none());
        gone.map(|fact| fact.name.to_string()).collect()
    }
}

impl Rights {
    pub fn root(mode: u16) -> Rights {
        Rights { user: "root".to_owned(), group: "root".to_owned(), mode }
    }

    fn of(fact: &Fact) -> Rights {
        let text = |name| fact.attribute(name).unwrap_or("root").to_owned();
        let mode = match fact.value.get("mode") {
            Some(Value::Mode(bits)) => *bits,
            _ => 0o644,
        };
        Rights { user: text("user"), group: text("group"), mode }
    }
}

impl Plan {
    fn leave(&mut self, fact: &Fact, reason: Reason) {
        self.residuals.entry(fact.path()).or_insert(reason);
    }

    /// A whole file, with the check that its program offers.
    pub fn file(&mut self, path: &str, rights: Rights, content: Content) {
        let validate = validate(path);
        self.steps.insert(Step::File { path: path.to_owned(), rights, content, validate });
    }
}

/// How a program checks a file before it counts; `%s` is where it lies.
fn validate(path: &str) -> &'static str {
    let in_folder =
        |folder: &str| path.strip_prefix(folder).is_some_and(|rest| !rest.contains('/'));
    match path {
        "/etc/ssh/sshd_config" => "/usr/sbin/sshd -t -f %s",
        "/etc/sudoers" => "/usr/sbin/visudo -cf %s",
        _ if in_folder("/etc/sudoers.d/") => "/usr/sbin/visudo -cf %s",
        _ if in_folder("/etc/ssh/sshd_config.d/") && path.ends_with(".conf") => {
            "/usr/sbin/sshd -t -f %s"
        }
        "/etc/nftables.conf" => "/usr/sbin/nft -c -f %s",
        _ => "",
    }
}

/// Facts that are there only while a system runs.
fn needs_pid1(fact: &Fact) -> bool {
    match fact.class {
        Class::KernelValue | Class::Mounted | Class::Listener => true,
        Class::Boot => fact.name.as_slice() == b"running_cmdline",
        Class::Time => {
            let name = fact.name.to_string();
            ["offset", "stratum", "synchronised", "running"].iter().any(|part| name.contains(part))
        }
        _ => matches!(&fact.origin, crate::Origin::Command(command)
            if ["systemctl", "chronyc", "timedatectl", "ss ", "cat /proc", "cat /sys"].iter().any(|c| command.starts_with(c))),
    }
}

/// Whether a value, or what it names, is a secret or holds one.
pub(super) fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::Text(bytes) => {
            memchr::memmem::find(bytes.as_slice(), REFERENCE.as_bytes()).is_some()
        }
        Value::List(list) => list.iter().any(holds_secret),
        Value::Map(map) => map.values().any(holds_secret),
        _ => false,
    }
}

/// The plan of one host.
pub(super) fn of(host: &Host<'_>) -> Plan {
    let view = View { real: host.facts, pristine: host.pristine };
    let mut plan = Plan::default();
    packages(&view, &mut plan);
    dpkg(&view, &mut plan);
    accounts::plan(&view, &mut plan);
    typed_files(&view, &mut plan);
    for fact in view.real.class(Class::File) {
        file(&view, fact, &mut plan);
    }
    gone_files(&view, &mut plan);
    units(&view, &mut plan);
    residuals(&view, &mut plan);
    packages_of_residuals(&view, &mut plan);
    plan
}

/// What is declared beforehand, whatever the steps are.
fn residuals(view: &View<'_>, plan: &mut Plan) {
    for fact in MANAGED.iter().flat_map(|layer| view.real.layer(*layer)) {
        let name_holds = memchr::memmem::find(fact.name.as_slice(), REFERENCE.as_bytes()).is_some();
        if name_holds || holds_secret(&fact.value) {
            plan.leave(fact, Reason::Secret);
        } else if needs_pid1(fact) {
            plan.leave(fact, Reason::NeedsPid1);
        } else if fact.class == Class::LastLogin
            || (fact.name.as_str().is_none() && !view.is_as_before(fact))
        {
            plan.leave(fact, Reason::Data);
        }
    }
}

/// What a package is made of says less than its files do: where one cannot come back, the sum over
/// all of them cannot either, and each of the others is still held against the twin by itself.
fn packages_of_residuals(view: &View<'_>, plan: &mut Plan) {
    for fact in view.real.class(Class::File) {
        let Some(package) = fact.attribute("package") else { continue };
        let Some(reason) = plan.residuals.get(&fact.path()).copied() else { continue };
        if let Some(files) = view.real.get(Class::PackageFiles, package.as_bytes()) {
            plan.leave(files, reason);
        }
    }
}

fn packages(view: &View<'_>, plan: &mut Plan) {
    for fact in view.real.class(Class::Architecture) {
        if !view.is_as_before(fact) {
            plan.steps.insert(Step::Architecture(fact.name.to_string()));
        }
    }
    for fact in view.real.class(Class::Package).iter().filter(|fact| !view.is_as_before(fact)) {
        package(view, fact, plan);
    }
    let before = view.pristine.map_or(&[][..], |pristine| pristine.class(Class::Package));
    for fact in before {
        if view.real.get(Class::Package, fact.name.as_slice()).is_none() {
            plan.steps.insert(Step::Purged { name: fact.name.to_string() });
        }
    }
}

fn package(view: &View<'_>, fact: &Fact, plan: &mut Plan) {
    let text = |name| fact.attribute(name).unwrap_or("");
    let name = match text("architecture") {
        "" | "all" => text("name").to_owned(),
        architecture => format!("{}:{architecture}", text("name")),
    };
    let before = view.before(fact);
    let same = |name| before.is_some_and(|b| b.value.get(name) == fact.value.get(name));
    match text("state") {
        "installed" | "triggers-pending" | "triggers-awaited" => {
            if !same("version") || !same("state") {
                plan.steps.insert(Step::Package {
                    name: name.clone(),
                    version: text("version").to_owned(),
                });
            }
            let automatic = fact.value.get("automatic").and_then(Value::as_bool) == Some(true);
            if !same("automatic") {
                plan.steps.insert(Step::Mark { name: name.clone(), automatic });
            }
        }
        "config-files" => {
            plan.steps.insert(Step::Removed { name: name.clone() });
        }
        "not-installed" => {}
        // Half of a package cannot be asked of dpkg.
        _ => plan.leave(fact, Reason::VersionUnavailable),
    }
    let usual = match text("state") {
        "config-files" => "deinstall",
        _ => "install",
    };
    if !same("want") && (text("want") != usual || before.is_some()) {
        plan.steps.insert(Step::Hold { name, want: text("want").to_owned() });
    }
}

fn dpkg(view: &View<'_>, plan: &mut Plan) {
    let changed = |class| view.real.class(class).iter().filter(|fact| !view.is_as_before(fact));
    for fact in changed(Class::Diversion) {
        let text = |name| fact.attribute(name).unwrap_or("").to_owned();
        // Of a package's own diversion its scripts take care.
        let (to, by) = (text("to"), text("by"));
        plan.steps.insert(Step::Divert { path: fact.name.to_string(), to, by });
    }
    for path in view.gone(Class::Diversion) {
        plan.steps.insert(Step::Undivert { path });
    }
    for fact in changed(Class::StatOverride) {
        let path = fact.name.to_string();
        plan.steps.insert(Step::Override { path, rights: Rights::of(fact) });
    }
    for path in view.gone(Class::StatOverride) {
        plan.steps.insert(Step::NoOverride(path));
    }
    for fact in changed(Class::Alternative) {
        let Some(value) = fact.attribute("value") else { continue };
        plan.steps.insert(Step::Alternative {
            name: fact.name.to_string(),
            link: fact.attribute("link").unwrap_or("").to_owned(),
            value: value.to_owned(),
            manual: fact.attribute("mode") == Some("manual"),
        });
    }
    for fact in changed(Class::Debconf) {
        debconf(view, fact, plan);
    }
}

fn debconf(view: &View<'_>, fact: &Fact, plan: &mut Plan) {
    let list = |name| fact.value.get(name).map_or(&[][..], Value::as_list);
    let owner = list("owners").first().map(Value::shown);
    let (Some(owner), false) = (owner, holds_secret(&fact.value)) else {
        plan.leave(fact, Reason::Data);
        return;
    };
    let same = |name| view.before(fact).is_some_and(|b| b.value.get(name) == fact.value.get(name));
    // Owners and templates come and go with packages.
    if same("value") && same("flags") {
        return;
    }
    plan.steps.insert(Step::Debconf {
        question: fact.name.to_string(),
        owner,
        value: fact.attribute("value").unwrap_or("").to_owned(),
        seen: list("flags").iter().any(|flag| flag.as_str() == Some("seen")),
    });
}

/// Files that are facts of their own: written anew from those.
fn typed_files(view: &View<'_>, plan: &mut Plan) {
    let changed = |class: Class, mine: &dyn Fn(&str) -> bool| {
        let of = |facts: &Facts| -> Vec<(Bytes, Value)> {
            let all = facts.class(class).iter().filter(|fact| mine(&fact.name.to_string()));
            all.map(|fact| (fact.name.clone(), fact.value.clone())).collect()
        };
        view.pristine.is_none_or(|pristine| of(pristine) != of(view.real))
    };
    let is_there = |path: &str| view.real.get(Class::File, path.as_bytes()).is_some();
    let in_fstab = |name: &str| !name.starts_with("crypttab/");
    if is_there("/etc/fstab") && changed(Class::Mount, &in_fstab) {
        plan.file("/etc/fstab", Rights::root(0o644), Content::Plain(fstab(view.real)));
    }
    let of_resolver = |fact: &&Fact| fact.origin.to_string().starts_with("/etc/resolv.conf");
    let in_resolv = |name: &str| {
        [Some(view.real), view.pristine]
            .into_iter()
            .flatten()
            .any(|facts| facts.get(Class::Resolver, name.as_bytes()).filter(of_resolver).is_some())
    };
    if changed(Class::Resolver, &in_resolv) && is_plain(view, "/etc/resolv.conf") {
        let mut text = String::new();
        for fact in view.real.class(Class::Resolver).iter().filter(of_resolver) {
            resolver(&fact.name.to_string(), &fact.value, &mut text);
        }
        plan.file("/etc/resolv.conf", Rights::root(0o644), Content::Plain(text.into_bytes()));
    }
    let zone = view.real.get(Class::Time, b"timezone");
    if let Some(zone) = zone.filter(|zone| !view.is_as_before(zone)) {
        let text = format!("{}\n", zone.value.shown());
        plan.file("/etc/timezone", Rights::root(0o644), Content::Plain(text.into_bytes()));
    }
}

/// Whether a path is a regular file on the host, as far as its facts say.
fn is_plain(view: &View<'_>, path: &str) -> bool {
    let fact = view.real.get(Class::File, path.as_bytes());
    fact.is_some_and(|fact| fact.attribute("kind") != Some("link"))
}

fn resolver(key: &str, value: &Value, text: &mut String) {
    match (key, value) {
        ("search" | "domain" | "options" | "sortlist", Value::List(list)) => {
            let words: Vec<String> = list.iter().map(Value::shown).collect();
            text.push_str(&format!("{key} {}\n", words.join(" ")));
        }
        (_, Value::List(list)) => {
            list.iter().for_each(|one| text.push_str(&format!("{key} {}\n", one.shown())));
        }
        _ => text.push_str(&format!("{key} {}\n", value.shown())),
    }
}

fn fstab(facts: &Facts) -> Vec<u8> {
    let mut text = String::new();
    for fact in facts.class(Class::Mount) {
        let name = fact.name.to_string();
        if name.starts_with("crypttab/") {
            continue;
        }
        let shown = |attribute: &str| {
            let value = fact.value.get(attribute);
            match value {
                Some(Value::List(list)) => {
                    list.iter().map(Value::shown).collect::<Vec<_>>().join(",")
                }
                Some(value) => value.shown(),
                None => "0".to_owned(),
            }
        };
        let place = name.replace(' ', "\\040");
        let fields = ["source", "type", "options", "dump", "pass"].map(shown);
        let [source, kind, options, dump, pass] = fields;
        text.push_str(&format!("{source} {place} {kind} {options} {dump} {pass}\n"));
    }
    text.into_bytes()
}

/// Whose meaning lies in other facts: only rights count here.
const TYPED: [&str; 10] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/subuid",
    "/etc/subgid",
    "/etc/hostname",
    "/etc/machine-id",
    "/etc/hosts",
    "/etc/mailname",
];
const REWRITTEN: [&str; 4] = ["/etc/fstab", "/etc/resolv.conf", "/etc/timezone", "/etc/mtab"];
/// Copies that tools for accounts leave behind.
const BACKUPS: [&str; 6] = [
    "/etc/passwd-",
    "/etc/group-",
    "/etc/shadow-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
];

fn file(view: &View<'_>, fact: &Fact, plan: &mut Plan) {
    let Some(path) = fact.name.as_str() else { return };
    let before = view.before(fact);
    if view.is_as_before(fact) && !BACKUPS.contains(&path) {
        return;
    }
    let kind = fact.attribute("kind").unwrap_or("");
    let rights = Rights::of(fact);
    let path = path.to_owned();
    match (fact.attribute("change").unwrap_or(""), kind) {
        ("removed", _) => {
            plan.steps.insert(Step::Gone(path));
            return;
        }
        ("generated", _) => {
            if before.is_none() && view.pristine.is_some() {
                plan.leave(fact, Reason::Data);
            }
            return;
        }
        (_, "tree") => {
            plan.leave(fact, Reason::Data);
            return;
        }
        (_, "link") => {
            let target = fact.attribute("target").unwrap_or("").to_owned();
            plan.steps.insert(Step::Link { path, target });
            return;
        }
        ("added", "directory") => {
            plan.steps.insert(Step::Folder { path: path.clone(), rights });
        }
        ("attributes", _) => {
            plan.steps.insert(Step::Attributes { path: path.clone(), rights, must_be: false });
        }
        ("added" | "changed", "file") => regular(view, fact, &path, rights, plan),
        _ => {
            plan.leave(fact, Reason::Data);
            return;
        }
    }
    extra(before, fact, path, plan);
}

fn regular(view: &View<'_>, fact: &Fact, path: &str, rights: Rights, plan: &mut Plan) {
    let is_typed = TYPED.contains(&path) || REWRITTEN.contains(&path) || BACKUPS.contains(&path);
    if is_typed || path.starts_with("/etc/ssh/ssh_host_") {
        // Keys of a host say which one it is: a twin has its own.
        if path.starts_with("/etc/ssh/ssh_host_") && path.ends_with(".pub") {
            plan.leave(fact, Reason::Data);
        }
        plan.steps.insert(Step::Attributes { path: path.to_owned(), rights, must_be: is_typed });
        return;
    }
    let same_content = view.before(fact).is_some_and(|before| {
        ["content", "sha256", "keyed"].iter().all(|a| before.value.get(a) == fact.value.get(a))
    });
    let hash = fact.attribute("content").and_then(|hex| {
        let mut hash = [0; 32];
        hex::decode_to_slice(hex, &mut hash).ok()?;
        view.real.blobs.get(&hash)
    });
    let keyed = fact.value.get("keyed").is_some();
    match hash {
        Some(bytes) if keyed => {
            let content = with_secrets(path, bytes, plan);
            plan.file(path, rights, content);
        }
        Some(bytes) => plan.file(path, rights, Content::Plain(bytes.clone())),
        None if keyed => {
            let place = format!("files{path}");
            plan.secrets.insert(place.clone(), "file".to_owned());
            plan.file(path, rights, Content::Whole(place));
        }
        None if same_content => {
            plan.steps.insert(Step::Attributes { path: path.to_owned(), rights, must_be: false });
        }
        None => plan.leave(fact, Reason::Data),
    }
}

/// The text cut at its references; each secret lies under its fingerprint.
fn with_secrets(path: &str, bytes: &[u8], plan: &mut Plan) -> Content {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let place = format!("files{path}");
        plan.secrets.insert(place.clone(), "file".to_owned());
        return Content::Whole(place);
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(REFERENCE) {
        let (head, tail) = rest.split_at(at);
        let Some((print, after)) = tail[REFERENCE.len()..].split_once("}}") else { break };
        let place = format!("values/{print}");
        plan.secrets.insert(place.clone(), "value".to_owned());
        parts.push((head.to_owned(), Some(place)));
        rest = after;
    }
    parts.push((rest.to_owned(), None));
    Content::Secret(parts)
}

fn extra(before: Option<&Fact>, fact: &Fact, path: String, plan: &mut Plan) {
    let text = |fact: &Fact, name| fact.attribute(name).unwrap_or("").to_owned();
    let names = ["capabilities", "acl", "default_acl"];
    let now = names.map(|name| text(fact, name));
    let then = before.map_or_else(Default::default, |before| names.map(|name| text(before, name)));
    // Writing a file, or giving it to another owner, takes its capabilities away.
    if now != then || now.iter().any(|text| !text.is_empty()) {
        let [capabilities, acl, default_acl] = now;
        plan.steps.insert(Step::Extra { path: path.clone(), capabilities, acl, default_acl });
    }
    let is_immutable = |fact: &Fact| fact.value.get("immutable").is_some();
    if is_immutable(fact) || before.is_some_and(is_immutable) {
        plan.steps.insert(Step::Immutable { path, on: is_immutable(fact) });
    }
    let other = |fact: &Fact| match &fact.value {
        Value::Map(map) => map.keys().any(|name| name.starts_with("xattr ")),
        _ => false,
    };
    if other(fact) {
        plan.leave(fact, Reason::Data);
    }
}

/// What the pristine root has beyond its packages, or otherwise than usual, and the host has not.
fn gone_files(view: &View<'_>, plan: &mut Plan) {
    let before = view.pristine.map_or(&[][..], |pristine| pristine.class(Class::File));
    for fact in before {
        if view.real.get(Class::File, fact.name.as_slice()).is_some() {
            continue;
        }
        let Some(path) = fact.name.as_str() else { continue };
        let path = path.to_owned();
        match (fact.attribute("change").unwrap_or(""), fact.attribute("kind").unwrap_or("")) {
            ("added", _) if BACKUPS.contains(&path.as_str()) => {
                plan.steps.insert(Step::LateGone(path));
            }
            ("added", _) => {
                plan.steps.insert(Step::Gone(path));
            }
            ("attributes", kind) => {
                // On the host it is as files of packages usually are.
                let program = crate::pristine::is_program(fact.name.as_slice());
                let mode = if kind == "directory" || program { 0o755 } else { 0o644 };
                let rights = Rights::root(mode);
                plan.steps.insert(Step::Attributes { path: path.clone(), rights, must_be: false });
                if fact.attribute("capabilities").or(fact.attribute("acl")).is_some() {
                    let none = String::new;
                    let (capabilities, acl, default_acl) = (none(), none(), none());
                    plan.steps.insert(Step::Extra { path, capabilities, acl, default_acl });
                }
            }
            _ => {}
        }
    }
}

/// Where a system runs, what is enabled is started too; links of units are files.
fn units(view: &View<'_>, plan: &mut Plan) {
    for fact in view.real.class(Class::Unit).iter().filter(|fact| !view.is_as_before(fact)) {
        let unit = fact.name.to_string();
        let startable = [".service", ".socket", ".timer", ".path"];
        if unit.contains('@') || !startable.iter().any(|end| unit.ends_with(end)) {
            continue;
        }
        match fact.attribute("state") {
            Some("enabled") => plan.steps.insert(Step::Started { unit, on: true }),
            Some("masked" | "disabled") => plan.steps.insert(Step::Started { unit, on: false }),
            _ => false,
        };
    }
}

/// Steps that all hosts share, and those of each alone, in their order.
pub(super) fn split(plans: &[Plan]) -> (Vec<Step>, Vec<Vec<Step>>) {
    let shared: BTreeSet<Step> = match plans {
        [first, rest @ ..] if !rest.is_empty() => {
            let everywhere = |step: &&Step| rest.iter().all(|plan| plan.steps.contains(*step));
            first.steps.iter().filter(everywhere).cloned().collect()
        }
        _ => BTreeSet::new(),
    };
    let own = |plan: &Plan| plan.steps.iter().filter(|s| !shared.contains(*s)).cloned().collect();
    let own = plans.iter().map(own).collect();
    (shared.into_iter().collect(), own)
}
