//! Users and groups: steps from what a host has and the pristine root has not.

use std::collections::BTreeMap;

use super::{
    plan::{Plan, View},
    step::{Content, Rights, Step},
};
use crate::fact::{Class, Fact, Value};

const AGEING: [&str; 6] = ["changed", "min", "max", "warn", "inactive", "expires"];

pub(super) fn plan(view: &View<'_>, plan: &mut Plan) {
    let gone = view.gone(Class::User);
    groups(view, &gone, plan);
    let mut made = false;
    for fact in view.real.class(Class::User) {
        made |= user(view, fact, plan);
    }
    for name in gone {
        plan.steps.insert(Step::UserGone(name));
    }
    ranges(view, plan, made);
    keys(view, plan);
}

fn text(fact: &Fact, name: &str) -> String {
    fact.attribute(name).unwrap_or("").to_owned()
}

fn number(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_int).unwrap_or(0)
}

/// Whether the account itself has to be made or changed.
fn user(view: &View<'_>, fact: &Fact, plan: &mut Plan) -> bool {
    let name = fact.name.to_string();
    let before = view.before(fact);
    let same = |attributes: &[&str]| {
        before.is_some_and(|b| attributes.iter().all(|a| b.value.get(a) == fact.value.get(a)))
    };
    let made = !same(&["uid", "gid", "gecos", "home", "shell"]);
    if made {
        plan.steps.insert(Step::User {
            name: name.clone(),
            uid: number(&fact.value, "uid"),
            gid: number(&fact.value, "gid"),
            gecos: text(fact, "gecos"),
            home: text(fact, "home"),
            shell: text(fact, "shell"),
        });
    }
    let state = text(fact, "password");
    let locked = fact.value.get("locked").and_then(Value::as_bool);
    let Some(locked) = locked else {
        // Without a line in shadow, or shadow was not read.
        if state == "none" && (made || !same(&["password", "locked"])) {
            plan.steps.insert(Step::NoShadow(name));
        }
        return made;
    };
    let is_secret = matches!(state.as_str(), "set" | "locked");
    let fixed = match (state.as_str(), locked) {
        ("empty", _) => "",
        (_, true) => "!",
        (_, false) => "*",
    };
    let secret = is_secret.then(|| format!("shadow/{name}"));
    let password = made || is_secret || !same(&["password", "locked"]);
    if password {
        if let Some(place) = &secret {
            plan.secrets.insert(place.clone(), format!("crypt:{}", text(fact, "scheme")));
        }
        let fixed = fixed.to_owned();
        plan.steps.insert(Step::Password { user: name.clone(), fixed, secret, locked });
    }
    if password || !same(&AGEING) {
        let days = AGEING.map(|field| fact.value.get(field).and_then(Value::as_int));
        plan.steps.insert(Step::Ageing { user: name, days });
    }
    made
}

fn groups(view: &View<'_>, gone: &[String], plan: &mut Plan) {
    for fact in view.real.class(Class::Group) {
        let name = fact.name.to_string();
        let before = view.before(fact);
        let same = |attribute: &str| {
            before.is_some_and(|b| b.value.get(attribute) == fact.value.get(attribute))
        };
        // userdel(8) takes the group of that name with it.
        let taken = gone.contains(&name);
        if !same("gid") || taken {
            plan.steps.insert(Step::Group { name: name.clone(), gid: number(&fact.value, "gid") });
        }
        if !same("members") || !same("admins") || !same("gid") || taken {
            let list = |attribute: &str| {
                let list = fact.value.get(attribute).map_or(&[][..], Value::as_list);
                list.iter().map(Value::shown).collect::<Vec<_>>()
            };
            let (members, admins) = (list("members"), list("admins"));
            plan.steps.insert(Step::Members { group: name, members, admins });
        }
    }
    for name in view.gone(Class::Group) {
        plan.steps.insert(Step::GroupGone(name));
    }
}

/// subuid(5) and subgid(5), which making accounts writes into: whole files.
fn ranges(view: &View<'_>, plan: &mut Plan, made: bool) {
    for file in ["subuid", "subgid"] {
        let path = format!("/etc/{file}");
        if view.real.get(Class::File, path.as_bytes()).is_none() {
            continue;
        }
        let prefix = format!("{file}/");
        let lines = |facts: &crate::Facts| -> BTreeMap<String, String> {
            let all = facts.class(Class::LoginDefault).iter();
            let named = all.filter_map(|fact| {
                Some((fact.name.to_string().strip_prefix(&prefix)?.to_owned(), fact.value.shown()))
            });
            named.collect()
        };
        let wanted = lines(view.real);
        if made || view.pristine.is_none_or(|pristine| lines(pristine) != wanted) {
            let text: String =
                wanted.iter().map(|(user, range)| format!("{user}:{range}\n")).collect();
            plan.file(&path, Rights::root(0o644), Content::Plain(text.into_bytes()));
        }
    }
}

/// Keys that open a log-in: one file each, as sshd(8) reads it.
fn keys(view: &View<'_>, plan: &mut Plan) {
    let mut files: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for fact in view.real.class(Class::AuthorizedKey) {
        let words = ["options", "type", "key", "comment"].map(|name| text(fact, name));
        let line: Vec<&str> = words.iter().map(String::as_str).filter(|w| !w.is_empty()).collect();
        files.entry((text(fact, "file"), text(fact, "user"))).or_default().push(line.join(" "));
    }
    for ((path, user), lines) in files {
        // Recorded as a file of its own where it does not lie in a home.
        if path.is_empty() || view.real.get(Class::File, path.as_bytes()).is_some() {
            continue;
        }
        let gid =
            view.real.get(Class::User, user.as_bytes()).map_or(0, |f| number(&f.value, "gid"));
        let rights = |mode| Rights { user: user.clone(), group: gid.to_string(), mode };
        if let Some((folder, _)) = path.rsplit_once('/') {
            plan.steps.insert(Step::Folder { path: folder.to_owned(), rights: rights(0o700) });
        }
        let text = lines.join("\n") + "\n";
        plan.file(&path, rights(0o600), Content::Plain(text.into_bytes()));
    }
}

/// A hash that opens nothing, of a form that looks like its scheme: what a twin gets in place of one.
pub fn placeholder(kind: &str, name: &str) -> String {
    let hex = super::step::name(format!("ume twin {name}").as_bytes());
    let long: String = hex.chars().cycle().take(86).collect();
    match kind.strip_prefix("crypt:") {
        Some("yescrypt") => format!("$y$j9T${}${}", &hex[..22], &long[..43]),
        Some("gost-yescrypt") => format!("$gy$j9T${}${}", &hex[..22], &long[..43]),
        Some("scrypt") => format!("$7$CU..../....{}${}", &hex[..22], &long[..43]),
        Some("sha512") => format!("$6${}${long}", &hex[..16]),
        Some("sha256") => format!("$5${}${}", &hex[..16], &long[..43]),
        Some("bcrypt") => format!("$2b$12${}", &long[..53]),
        Some("md5") => format!("$1${}${}", &hex[..8], &long[..22]),
        Some("nthash") => format!("$3$${}", &hex[..32]),
        Some("bsdi") => format!("_{}", &hex[..19]),
        Some("des") => hex[..13].to_owned(),
        Some(_) => format!("$x${}", &hex[..32]),
        None => hex,
    }
}
