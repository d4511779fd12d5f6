//! The commands that undo a difference, and those that undo the undoing.
//!
//! Accounts, packages, links, rights and units come from the steps by which a host is built again, from
//! the host as it is to the host as it was. A keyword in a file (sshd, sysctl, login.defs, systemd) is
//! set in the line where it stands, on a copy, which the program itself checks before it counts.
//!
//! Invariants: what cannot be undone by commands is named with what is known of it, and never passed
//! over; nothing here runs anything. Pure.

use baseline::{
    Class, Delta, Fact, Facts, Origin, Value,
    export::{Host, Reason, Target, export, quoted},
};

/// What undoes differences on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// A shell script; empty where no command does it.
    pub script: String,
    /// What is left to hands, by setting, and why.
    pub by_hand: Vec<(String, Why)>,
    /// The programs that check what is written.
    pub checks: Vec<&'static str>,
}

/// Why no command undoes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The bytes of the file are in no snapshot, only their sum.
    Content,
    /// It is, or holds, a secret.
    Secret,
    /// It shows what the running system does; what it follows from is to be undone.
    Runtime,
    /// It follows from other settings.
    Unknown,
}

impl Why {
    pub fn text(self) -> model::Text {
        match self {
            Why::Content => model::t(
                "ファイルの内容はスナップショットに含まれません。バックアップか、パッケージの再導入（apt-get install --reinstall）で戻し、要約値を確かめてください。",
                "A snapshot holds the sum of a file and not its bytes: bring it back from a backup or by apt-get install --reinstall, and compare the sum.",
            ),
            Why::Secret => model::t(
                "秘密の値は記録されません。保管場所から戻してください。",
                "Secrets are not recorded: bring it back from where it is kept.",
            ),
            Why::Runtime => model::t(
                "動作中の状態です。もとになる設定を戻すか、サービスを再起動してください。",
                "It is what the running system does: undo the setting it follows from, or restart the service.",
            ),
            Why::Unknown => model::t(
                "この種類の項目を戻すコマンドはありません。左の値になるように手作業で戻してください。",
                "There is no command for this kind of setting: bring the former value back by hand.",
            ),
        }
    }
}

/// The programs that read a keyword file: how a line is written, what checks a copy, what loads it.
struct Keywords {
    check: &'static str,
    load: &'static str,
    joins: &'static str,
}

fn keywords(class: Class) -> Option<Keywords> {
    let of = |check, load, joins| Some(Keywords { check, load, joins });
    match class {
        Class::Sshd => of("/usr/sbin/sshd -t -f \"$new\"", "systemctl reload ssh", " "),
        Class::Sysctl => of("", "sysctl -p \"$file\"", " = "),
        Class::LoginDefault => of("", "", "\t"),
        Class::SystemdSetting => of("", "systemctl daemon-reload", "="),
        Class::Sudo => of("/usr/sbin/visudo -cf \"$new\"", "", " "),
        _ => None,
    }
}

/// What brings the values of `before` back, on the host as `now` shows it; `now` is `before`'s successor.
pub fn undo(name: &str, deltas: &[Delta], now: &Facts, was: &Facts) -> Undo {
    let mut out = Undo::default();
    let (settings, others): (Vec<&Delta>, Vec<&Delta>) =
        deltas.iter().partition(|delta| keywords(delta.class).is_some());
    for delta in settings {
        match keyword(delta, now, was) {
            Some((script, check)) => {
                out.script.push_str(&script);
                out.checks.extend(check);
            }
            None => out.by_hand.push((delta.path(), Why::Unknown)),
        }
    }
    resources(name, &others, now, &mut out);
    if out.script.is_empty() {
        return out;
    }
    out.checks.sort_unstable();
    out.checks.dedup();
    if !out.script.starts_with("#!") {
        out.script = format!("#!/bin/sh\nset -eu\n{}", out.script);
    }
    out
}

/// The line of a keyword as it was, put where it stands now or stood then.
fn keyword(delta: &Delta, now: &Facts, was: &Facts) -> Option<(String, Option<&'static str>)> {
    let how = keywords(delta.class)?;
    let name = delta.name.as_str()?;
    // A line of sudoers may hold several rules, and a rule does not say its line.
    let shares = |fact: &Fact| fact.origin == delta.origin && fact.name != delta.name;
    if delta.class == Class::Sudo
        && (delta.before.is_some() || now.class(Class::Sudo).iter().any(shares))
    {
        return None;
    }
    // In a block, or in a file of its own: where exactly is for people to see.
    let key = match delta.class {
        Class::Sshd if name.contains(' ') => return None,
        Class::SystemdSetting => name.rsplit('/').next()?,
        _ => name,
    };
    let wanted = match &delta.before {
        None => None,
        Some(Value::List(list)) if list.len() == 1 => Some(list.first()?.shown()),
        Some(Value::List(_) | Value::Map(_) | Value::Secret(_)) => return None,
        Some(value) => Some(value.shown()),
    };
    let before = was.get(delta.class, delta.name.as_slice()).map(|fact| &fact.origin);
    let line = wanted.as_ref().map(|value| format!("{key}{}{value}", how.joins));
    if line.as_ref().is_some_and(|line| line.contains(['\n', '\r'])) {
        return None;
    }
    let (file, edit) = match (&delta.origin, before) {
        (Origin::File(path, number), old) if *number > 0 => {
            let was_default = matches!(old, None | Some(Origin::Default));
            let edit = match (&line, was_default) {
                (Some(line), false) => format!("{number}c\\\n{line}"),
                _ => format!("{number}d"),
            };
            (path.as_str()?, edit)
        }
        (_, Some(Origin::File(path, number))) if *number > 0 => {
            // `i` puts it before the line that took its place, `$a` where the file became shorter.
            (path.as_str()?, format!("{number}i\\\n{}", line?))
        }
        _ => return None,
    };
    let file = quoted(file);
    let edit = quoted(&edit);
    let (check, load) = (how.check, how.load);
    let title = delta.path().replace(['\n', '\r'], " ");
    let mut script = format!("# {title}\nfile={file}\nnew=$file.ume-new\n");
    if let (Some(line), true) = (line_of(&delta.origin), delta.class != Class::Sudo) {
        let word = quoted(key);
        script.push_str(&format!(
            "sed -n {line}p \"$file\" | grep -qiF -- {word} || {{ echo \"$file:{line} has moved\" >&2; exit 1; }}\n"
        ));
    }
    script.push_str("cp -p -- \"$file\" \"$file.ume-before\"\n");
    script.push_str(&format!("sed -e {edit} -- \"$file\" >\"$new\"\n"));
    script
        .push_str("chown --reference=\"$file\" \"$new\" && chmod --reference=\"$file\" \"$new\"\n");
    if !check.is_empty() {
        script.push_str(&format!("{check} || {{ rm -f \"$new\"; exit 1; }}\n"));
    }
    script.push_str("mv -fT \"$new\" \"$file\"\n");
    if !load.is_empty() {
        script.push_str(&format!("{load}\n"));
    }
    let said = match delta.class {
        Class::Sshd => Some("sshd -t"),
        Class::Sudo => Some("visudo -c"),
        _ => None,
    };
    Some((script, said))
}

/// The line that an origin names.
fn line_of(origin: &Origin) -> Option<u32> {
    match origin {
        Origin::File(_, line) if *line > 0 => Some(*line),
        _ => None,
    }
}

/// What the steps of a rebuild do, from the host as it is to the host without these differences.
fn resources(name: &str, deltas: &[&Delta], now: &Facts, out: &mut Undo) {
    if deltas.is_empty() {
        return;
    }
    let target = without(now, deltas);
    let host = Host { name: "undo", facts: &target, pristine: Some(now) };
    let project = export(&[host], Target::Shell);
    let script =
        project.files.get("undo.sh").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let is_work = |line: &&str| line.starts_with("if {");
    let script = script.filter(|text| text.lines().any(|line| is_work(&line)));
    // What the head of a rebuild says of itself is not so here.
    let script = script.map(|text| {
        let lines = text.lines().filter(|line| !line.starts_with("# Builds"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    });
    for delta in deltas {
        let path = delta.path();
        let left = project.residuals.iter().find(|residual| residual.fact == path);
        let why = match left.map(|residual| residual.reason) {
            Some(Reason::Secret) => Some(Why::Secret),
            Some(Reason::NeedsPid1) => Some(Why::Runtime),
            Some(_) => Some(Why::Content),
            None if is_runtime(delta.class) => Some(Why::Runtime),
            None if script.is_none() || !is_of_steps(delta) => Some(Why::Unknown),
            None => None,
        };
        out.by_hand.extend(why.map(|why| (path, why)));
    }
    let Some(script) = script else { return };
    let note = format!("# {}: {} → {}\n", name.replace('\n', " "), "now", "before");
    match out.script.is_empty() {
        true => out.script = script,
        false => {
            let body = script.split_once('\n').map_or("", |(_, body)| body);
            out.script = format!("#!/bin/sh\nset -eu\n{}{note}{body}", out.script);
        }
    }
}

fn is_runtime(class: Class) -> bool {
    matches!(class, Class::KernelValue | Class::Mounted | Class::Listener | Class::LastLogin)
}

/// Classes that steps of a rebuild make; of a file they make all but its bytes.
fn is_of_steps(delta: &Delta) -> bool {
    matches!(
        delta.class,
        Class::User
            | Class::Group
            | Class::Package
            | Class::Unit
            | Class::File
            | Class::Alternative
            | Class::Diversion
            | Class::StatOverride
            | Class::Debconf
            | Class::Architecture
            | Class::Mount
            | Class::Resolver
    )
}

/// The facts with what these differences replaced.
fn without(now: &Facts, deltas: &[&Delta]) -> Facts {
    let is_changed =
        |fact: &Fact| deltas.iter().any(|d| d.class == fact.class && d.name == fact.name);
    let mut facts: Vec<Fact> = now.iter().filter(|fact| !is_changed(fact)).cloned().collect();
    facts.extend(deltas.iter().filter_map(|delta| {
        let (class, name, value) = (delta.class, delta.name.clone(), delta.before.clone()?);
        Some(Fact { class, name, value, origin: delta.origin.clone() })
    }));
    let mut target = Facts::new(facts);
    target.key_id.clone_from(&now.key_id);
    target
}

/// The same differences the other way round: what brings back what was undone.
pub fn reversed(deltas: &[Delta], was: &Facts) -> Vec<Delta> {
    let reverse = |delta: &Delta| {
        let origin = was.get(delta.class, delta.name.as_slice()).map(|fact| fact.origin.clone());
        Delta {
            before: delta.after.clone(),
            after: delta.before.clone(),
            origin: origin.unwrap_or_else(|| delta.origin.clone()),
            ..delta.clone()
        }
    };
    deltas.iter().map(reverse).collect()
}

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
