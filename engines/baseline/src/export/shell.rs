//! Steps as a POSIX shell script, and that script inside cloud-init's user data.
//!
//! Each step looks first and acts only where something differs, then says so; the script ends in the
//! number of changes. Secrets lie as files below `$UME_SECRETS`; where one is missing its step fails.

use std::{collections::BTreeMap, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Host,
    step::{self, Content, Rights, Step},
};

/// A step as two lines of shell: whether it holds, and what makes it hold.
pub(super) struct Act {
    pub check: String,
    pub apply: String,
}

/// A word that the shell takes as it is.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%^".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

fn act(check: impl Into<String>, apply: impl Into<String>) -> Act {
    Act { check: check.into(), apply: apply.into() }
}

fn rights_check(path: &str, rights: &Rights) -> String {
    // Names or numbers: stat shows both.
    let wanted = format!("{:o}", rights.mode);
    let by = |format: &str, value: &str| {
        format!("[ \"$(stat -c {format} {path})\" = {} ]", quoted(value))
    };
    let user =
        if is_number(&rights.user) { by("%u", &rights.user) } else { by("%U", &rights.user) };
    let group =
        if is_number(&rights.group) { by("%g", &rights.group) } else { by("%G", &rights.group) };
    format!("{user} && {group} && {}", by("%a", &wanted))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn rights_apply(path: &str, rights: &Rights) -> String {
    let (user, group) = (quoted(&rights.user), quoted(&rights.group));
    // In this order: changing the owner takes set-user-id away. `--` and no following of links.
    format!("chown {user}:{group} {path} && chmod {:04o} {path}", rights.mode)
}

/// The commands of a step. `files` is where the contents of the project lie.
pub(super) fn of(step: &Step, files: &str) -> Act {
    match step {
        Step::Architecture(name) => act(
            format!(
                "dpkg --print-architecture --print-foreign-architectures | grep -qx {0} || [ \"$(dpkg --print-architecture)\" = {0} ] || dpkg --print-foreign-architectures | grep -qx {0}",
                quoted(name)
            ),
            format!("dpkg --add-architecture {}", quoted(name)),
        ),
        Step::Divert { path, to, by } => divert(path, to, by),
        Step::Undivert { path } => {
            let path = quoted(path);
            act(
                format!("[ -z \"$(dpkg-divert --list {path})\" ]"),
                format!("dpkg-divert --no-rename --remove {path}"),
            )
        }
        Step::Package { name, version } => {
            let (name, version) = (quoted(name), quoted(version));
            act(
                format!(
                    "[ \"$(dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {name} 2>/dev/null)\" = installed\\ {version} ]"
                ),
                format!(
                    "DEBIAN_FRONTEND=noninteractive apt-get -y -q --allow-downgrades --allow-change-held-packages --no-install-recommends -o Dpkg::Options::=--force-confold install {name}={version}"
                ),
            )
        }
        Step::Removed { name } => {
            let name = quoted(name);
            act(
                format!(
                    "[ \"$(dpkg-query -W -f '${{db:Status-Status}}' {name} 2>/dev/null)\" = config-files ]"
                ),
                format!(
                    "DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends install {name} && DEBIAN_FRONTEND=noninteractive apt-get -y -q remove {name}"
                ),
            )
        }
        Step::Purged { name } => {
            let name = quoted(name.strip_suffix(":all").unwrap_or(name));
            act(
                format!(
                    "! dpkg-query -W -f '${{db:Status-Status}}' {name} 2>/dev/null | grep -qx -e installed -e config-files"
                ),
                format!("DEBIAN_FRONTEND=noninteractive dpkg --purge {name}"),
            )
        }
        Step::Debconf { question, owner, value, seen } => debconf(question, owner, value, *seen),
        Step::Mark { name, automatic } => {
            let mark = if *automatic { "auto" } else { "manual" };
            let bare = quoted(name);
            act(
                format!("apt-mark show{mark} {bare} | grep -q ."),
                format!("apt-mark {mark} {bare}"),
            )
        }
        Step::Alternative { name, link, value, manual } => alternative(name, link, value, *manual),
        Step::Override { path, rights } => {
            let words = format!(
                "{} {} {:04o} {}",
                quoted(&rights.user),
                quoted(&rights.group),
                rights.mode,
                quoted(path)
            );
            let listed = format!("{} {} {:o} {path}", rights.user, rights.group, rights.mode);
            act(
                format!(
                    "[ \"$(dpkg-statoverride --list {})\" = {} ]",
                    quoted(path),
                    quoted(&listed)
                ),
                format!(
                    "{{ dpkg-statoverride --quiet --remove {0} 2>/dev/null; dpkg-statoverride --add {words}; }}",
                    quoted(path)
                ),
            )
        }
        Step::NoOverride(path) => {
            let path = quoted(path);
            act(
                format!("! dpkg-statoverride --list {path} >/dev/null"),
                format!("dpkg-statoverride --remove {path}"),
            )
        }
        Step::Hold { name, want } => act(
            format!(
                "[ \"$(dpkg --get-selections {0} 2>/dev/null | awk '{{print $2}}')\" = {1} ]",
                quoted(name),
                quoted(want)
            ),
            format!("echo {} | dpkg --set-selections", quoted(&format!("{name} {want}"))),
        ),
        Step::Started { unit, on } => {
            let unit = quoted(unit);
            let runs = "[ ! -d /run/systemd/system ]";
            match on {
                true => act(
                    format!("{runs} || systemctl is-active -q {unit}"),
                    format!("systemctl start {unit}"),
                ),
                false => act(
                    format!("{runs} || ! systemctl is-active -q {unit}"),
                    format!("systemctl stop {unit}"),
                ),
            }
        }
        other => {
            account(other).or_else(|| files_of(other, files)).unwrap_or_else(|| act("true", "true"))
        }
    }
}

fn divert(path: &str, to: &str, by: &str) -> Act {
    let who =
        if by == "local" { "--local".to_owned() } else { format!("--package {}", quoted(by)) };
    let (path, to) = (quoted(path), quoted(to));
    act(
        format!("[ \"$(dpkg-divert --truename {path})\" = {to} ]"),
        format!("dpkg-divert --no-rename {who} --divert {to} --add {path}"),
    )
}

fn debconf(question: &str, owner: &str, value: &str, seen: bool) -> Act {
    let ask = |line: String| {
        format!("echo {} | debconf-communicate {} 2>/dev/null", quoted(&line), quoted(owner))
    };
    let wanted = if seen { "true" } else { "false" };
    let mut sets =
        [ask(format!("SET {question} {value}")), ask(format!("FSET {question} seen {wanted}"))];
    sets.iter_mut().for_each(|line| line.push_str(" >/dev/null"));
    let is = |answer: String, wanted: &str| {
        format!("[ \"$({answer})\" = {} ]", quoted(&format!("0 {wanted}")))
    };
    act(
        format!(
            "{} && {}",
            is(ask(format!("GET {question}")), value),
            is(ask(format!("FGET {question} seen")), wanted)
        ),
        sets.join(" && "),
    )
}

fn alternative(name: &str, link: &str, value: &str, manual: bool) -> Act {
    let (name, link, value) = (quoted(name), quoted(link), quoted(value));
    let mode = if manual { "manual" } else { "auto" };
    let query = format!("update-alternatives --query {name} 2>/dev/null");
    let known = format!("{query} | grep -qx -e Alternative:\\ {value}");
    let install =
        format!("{{ {known} || update-alternatives --install {link} {name} {value} 50; }}");
    let choose = match manual {
        true => format!("update-alternatives --set {name} {value}"),
        false => format!("update-alternatives --auto {name}"),
    };
    act(
        format!(
            "[ \"$(readlink /etc/alternatives/{name})\" = {value} ] && {query} | grep -qx 'Status: {mode}'"
        ),
        format!("{install} && {choose}"),
    )
}

fn account(step: &Step) -> Option<Act> {
    let field = |table: &str, name: &str, from: u8, to: u8| {
        format!("\"$(getent {table} {} | cut -d: -f{from}-{to})\"", quoted(name))
    };
    Some(match step {
        Step::UserGone(name) => act(
            format!("! getent passwd {0} >/dev/null", quoted(name)),
            format!("userdel -f {} || [ $? -eq 6 ]", quoted(name)),
        ),
        Step::GroupGone(name) => act(
            format!("! getent group {0} >/dev/null", quoted(name)),
            format!("groupdel -f {}", quoted(name)),
        ),
        Step::Group { name, gid } => {
            let name = quoted(name);
            act(
                format!("[ \"$(getent group {name} | cut -d: -f3)\" = {gid} ]"),
                format!(
                    "if getent group {name} >/dev/null; then groupmod -o -g {gid} {name}; else groupadd -o -g {gid} {name}; fi"
                ),
            )
        }
        Step::User { name, uid, gid, gecos, home, shell } => {
            let wanted = format!("{uid}:{gid}:{gecos}:{home}:{shell}");
            let options = format!(
                "-o -u {uid} -g {gid} -c {} -d {} -s {}",
                quoted(gecos),
                quoted(home),
                quoted(shell)
            );
            let bare = quoted(name);
            // useradd knows no empty shell.
            let fix = match shell.is_empty() {
                true => format!(" && usermod -s '' {bare}"),
                false => String::new(),
            };
            act(
                format!("[ {} = {} ]", field("passwd", name, 3, 7), quoted(&wanted)),
                format!(
                    "if getent passwd {bare} >/dev/null; then usermod {options} {bare}; else useradd -M -N {options} {bare}; fi{fix}"
                ),
            )
        }
        Step::Password { user, fixed, secret, locked } => {
            password(user, fixed, secret.as_deref(), *locked)
        }
        Step::NoShadow(name) => {
            let pattern = quoted(&format!("/^{name}:/d"));
            act(
                format!("! grep -q {} /etc/shadow", quoted(&format!("^{name}:"))),
                format!("sed -i {pattern} /etc/shadow"),
            )
        }
        Step::Ageing { user, days } => {
            let shown = days.map(|day| day.map_or(String::new(), |day| day.to_string())).join(":");
            let option = |letter: &str, at: usize| format!("-{letter} {}", days[at].unwrap_or(-1));
            let options =
                ["d", "m", "M", "W", "I", "E"].iter().enumerate().map(|(at, l)| option(l, at));
            act(
                format!("[ {} = {} ]", field("shadow", user, 3, 8), quoted(&shown)),
                format!("chage {} {}", options.collect::<Vec<_>>().join(" "), quoted(user)),
            )
        }
        Step::Members { group, members, admins } => {
            let sorted = |table: &str, at: u8| {
                format!(
                    "\"$(getent {table} {} | cut -d: -f{at} | tr , '\\n' | sort | paste -sd,)\"",
                    quoted(group)
                )
            };
            let line = |list: &[String]| {
                let mut list = list.to_vec();
                list.sort();
                list.join(",")
            };
            let (m, a) = (line(members), line(admins));
            act(
                format!(
                    "[ {} = {} ] && [ {} = {} ]",
                    sorted("group", 4),
                    quoted(&m),
                    sorted("gshadow", 3),
                    quoted(&a)
                ),
                format!(
                    "gpasswd -M {} {group} && gpasswd -A {} {group}",
                    quoted(&m),
                    quoted(&a),
                    group = quoted(group)
                ),
            )
        }
        _ => return None,
    })
}

fn password(user: &str, fixed: &str, secret: Option<&str>, locked: bool) -> Act {
    let bare = quoted(user);
    let now = format!("\"$(getent shadow {bare} | cut -d: -f2)\"");
    match secret {
        None => act(
            format!("[ {now} = {} ]", quoted(fixed)),
            format!("usermod -p {} {bare}", quoted(fixed)),
        ),
        Some(place) => {
            let mark = if locked { "!" } else { "" };
            let wanted = format!("\"{mark}$(cat \"$UME_SECRETS\"/{})\"", quoted(place));
            act(format!("[ {now} = {wanted} ]"), format!("usermod -p {wanted} {bare}"))
        }
    }
}

fn files_of(step: &Step, files: &str) -> Option<Act> {
    Some(match step {
        Step::Gone(path) | Step::LateGone(path) => {
            let path = quoted(path);
            act(format!("[ ! -e {path} ] && [ ! -L {path} ]"), format!("rm -rf {path}"))
        }
        Step::Folder { path, rights } => {
            let path = quoted(path);
            act(
                format!("[ -d {path} ] && [ ! -L {path} ] && {}", rights_check(&path, rights)),
                format!("mkdir -p {path} && {}", rights_apply(&path, rights)),
            )
        }
        Step::Link { path, target } => {
            let (path, target) = (quoted(path), quoted(target));
            act(
                format!("[ \"$(readlink {path})\" = {target} ]"),
                format!("mkdir -p \"$(dirname {path})\" && ln -sfn {target} {path}"),
            )
        }
        Step::Attributes { path, rights, must_be } => {
            let path = quoted(path);
            let make = if *must_be {
                format!("{{ [ -e {path} ] || : > {path}; }} && ")
            } else {
                String::new()
            };
            // What another step may not have left is no fault here: a comparison will say so.
            let there = if *must_be { String::new() } else { format!("[ ! -e {path} ] || ") };
            act(
                format!("{there}{{ {}; }} 2>/dev/null", rights_check(&path, rights)),
                format!("{make}{}", rights_apply(&path, rights)),
            )
        }
        Step::Extra { path, capabilities, acl, default_acl } => {
            extra(path, capabilities, acl, default_acl)
        }
        Step::Immutable { path, on } => {
            let (path, sign) = (quoted(path), if *on { '+' } else { '-' });
            let has = format!("lsattr -d {path} | cut -d' ' -f1 | grep -q i");
            let check = if *on { has } else { format!("! {has}") };
            act(check, format!("chattr {sign}i {path}"))
        }
        Step::File { path, rights, content, validate } => {
            file(path, rights, content, validate, files)
        }
        _ => return None,
    })
}

fn extra(path: &str, capabilities: &str, acl: &str, default_acl: &str) -> Act {
    let path = quoted(path);
    let has = format!("\"$(getcap {path} | sed 's/^[^ ]* //')\"");
    let mut applies = Vec::new();
    match capabilities {
        "" => applies.push(format!("{{ [ -z {has} ] || setcap -r {path}; }}")),
        caps => applies.push(format!("setcap {} {path}", quoted(caps))),
    }
    let mut checks = vec![format!("[ {has} = {} ]", quoted(capabilities))];
    for (option, access) in [("", acl), ("-d", default_acl)] {
        if access.is_empty() {
            continue;
        }
        let wanted = quoted(access);
        checks.push(format!("[ \"$(getfacl -cp{} {path} | grep -v -e '^$' -e ^default: | sort | paste -sd,)\" = \"$(echo {wanted} | tr , '\\n' | sort | paste -sd,)\" ]", if option.is_empty() { "a" } else { "d" }));
        applies.push(format!("setfacl {option} --set {wanted} {path}"));
    }
    act(checks.join(" && "), applies.join(" && "))
}

fn file(path: &str, rights: &Rights, content: &Content, validate: &str, files: &str) -> Act {
    let made = "\"$ume_new\"";
    let write = match content {
        Content::Plain(bytes) => format!("cat {files}/{} > {made}", step::name(bytes)),
        Content::Whole(place) => format!("cat \"$UME_SECRETS\"/{} > {made}", quoted(place)),
        Content::Secret(parts) => {
            let parts = parts.iter().map(|(text, place)| {
                let text = format!("printf %s {}", quoted(text));
                match place {
                    Some(place) => {
                        format!("{text} && printf %s \"$(cat \"$UME_SECRETS\"/{})\"", quoted(place))
                    }
                    None => text,
                }
            });
            format!("{{ {}; }} > {made}", parts.collect::<Vec<_>>().join(" && "))
        }
    };
    let bare = quoted(path);
    let test = match validate {
        "" => String::new(),
        test => format!(" && {}", test.replace("%s", made)),
    };
    // Beside its place, so that the last step is one rename; the new file has its rights before it counts.
    act(
        format!(
            "ume_new=$(mktemp) && {write} && [ ! -L {bare} ] && cmp -s {made} {bare} && {}",
            rights_check(&bare, rights)
        ),
        format!(
            "mkdir -p \"$(dirname {bare})\" && {write}{test} && install -m 0600 {made} {bare}.ume-new && {} && mv -fT {bare}.ume-new {bare}",
            rights_apply(&format!("{bare}.ume-new"), rights)
        ),
    )
}

/// The script of a host.
fn script(steps: &[&Step], files: &str) -> String {
    let mut text = String::from(
        "#!/bin/sh\n# Builds a host again; a second run changes nothing. UME_SECRETS: folder of the secrets.\nset -eu\n: \"${UME_SECRETS:=/run/ume-secrets}\"\nume_new=\nume_count=0\numask 022\n",
    );
    if files.contains('$') {
        text.push_str("ume_files=$(dirname \"$0\")/files\n");
    }
    for step in steps {
        let Act { check, apply } = of(step, files);
        let what = quoted(&summary(step));
        let _ = write!(
            text,
            "if {{ {check}; }}; then :; else {{ {apply}; }} || {{ echo failed: {what} >&2; exit 1; }}; ume_count=$((ume_count + 1)); echo changed: {what}; fi\nrm -f \"$ume_new\"\n"
        );
    }
    text.push_str("echo \"changed=$ume_count\"\n");
    text
}

/// What a step is about, in a few words, without any value of it.
pub(super) fn summary(step: &Step) -> String {
    let text = match step {
        Step::Architecture(name) => format!("architecture {name}"),
        Step::Divert { path, .. } | Step::Undivert { path } => format!("diversion {path}"),
        Step::Package { name, version } => format!("package {name} {version}"),
        Step::Removed { name } | Step::Purged { name } => format!("package {name} removed"),
        Step::Debconf { question, .. } => format!("debconf {question}"),
        Step::Mark { name, .. } => format!("mark {name}"),
        Step::Alternative { name, .. } => format!("alternative {name}"),
        Step::UserGone(name) => format!("user {name} removed"),
        Step::GroupGone(name) => format!("group {name} removed"),
        Step::Group { name, .. } => format!("group {name}"),
        Step::User { name, .. } => format!("user {name}"),
        Step::Password { user, .. } => format!("password {user}"),
        Step::NoShadow(user) => format!("shadow {user}"),
        Step::Ageing { user, .. } => format!("ageing {user}"),
        Step::Members { group, .. } => format!("members {group}"),
        Step::Override { path, .. } | Step::NoOverride(path) => format!("override {path}"),
        Step::Gone(path) | Step::LateGone(path) => format!("absent {path}"),
        Step::Folder { path, .. } => format!("folder {path}"),
        Step::File { path, .. } => format!("file {path}"),
        Step::Link { path, .. } => format!("link {path}"),
        Step::Attributes { path, .. } => format!("rights {path}"),
        Step::Extra { path, .. } => format!("capabilities {path}"),
        Step::Immutable { path, .. } => format!("immutable {path}"),
        Step::Hold { name, want } => format!("selection {name} {want}"),
        Step::Started { unit, .. } => format!("state {unit}"),
    };
    text.replace('\n', " ")
}

pub(super) fn files(
    hosts: &[Host<'_>],
    shared: &[Step],
    own: &[Vec<Step>],
) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (host, own) in hosts.iter().zip(own) {
        let mut steps: Vec<&Step> = shared.iter().chain(own).collect();
        steps.sort();
        files.insert(format!("{}.sh", host.name), script(&steps, "\"$ume_files\"").into_bytes());
    }
    let all = shared.iter().chain(own.iter().flatten());
    files.extend(
        step::contents(all).into_iter().map(|(name, bytes)| (format!("files/{name}"), bytes)),
    );
    files
}

/// User data: the contents, the script, and the command that runs it at the first boot.
pub(super) fn cloud_init(
    hosts: &[Host<'_>],
    shared: &[Step],
    own: &[Vec<Step>],
) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (host, own) in hosts.iter().zip(own) {
        let mut steps: Vec<&Step> = shared.iter().chain(own).collect();
        steps.sort();
        let folder = "/var/lib/ume-build";
        let entry = |path: String, mode: &str, bytes: &[u8]| {
            format!(
                "  - path: {}\n    permissions: \"{mode}\"\n    encoding: b64\n    content: {}\n",
                serde_json::Value::from(path),
                STANDARD.encode(bytes)
            )
        };
        let mut text = String::from("#cloud-config\npreserve_hostname: false\nwrite_files:\n");
        for (name, bytes) in step::contents(steps.iter().copied()) {
            text.push_str(&entry(format!("{folder}/files/{name}"), "0600", &bytes));
        }
        let script = script(&steps, "\"$ume_files\"");
        text.push_str(&entry(format!("{folder}/build.sh"), "0700", script.as_bytes()));
        text.push_str(&format!("runcmd:\n  - [ sh, {folder}/build.sh ]\n"));
        files.insert(format!("{}.user-data", host.name), text.into_bytes());
    }
    files
}
