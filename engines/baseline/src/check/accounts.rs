//! Privileged and unused identities, initial passwords.

use std::collections::BTreeSet;

use super::{Check, Family, Found, View, failing, says};
use crate::fact::{Class, Fact, Value};

const ACCOUNTS: &[&str] = &["/etc/passwd", "/etc/group"];
const SHADOW: &[&str] = &["/etc/passwd", "/etc/shadow"];
const SUDO: &[&str] = &["/etc/sudoers", "/etc/sudoers.d", "/etc/passwd", "/etc/group"];

/// Groups whose members can become root by a step or two.
const ROOT_GROUPS: &[&str] = &[
    "root",
    "sudo",
    "wheel",
    "admin",
    "docker",
    "lxd",
    "incus-admin",
    "disk",
    "shadow",
    "libvirt",
    "kmem",
];

/// Names that images bring.
const IMAGE_USERS: &[&str] = &[
    "pi", "vagrant", "ubuntu", "debian", "test", "guest", "admin", "user", "demo", "oem",
    "ec2-user",
];

/// Fingerprints of keys whose private half is published: the one of Vagrant.
const PUBLISHED_KEYS: &[&str] = &["SHA256:1M4RzhMyWuFS/86uPY/ce2prh/dVTHW7iD2RhpquOZA"];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "privileged.uid0",
        family: Family::Privileged,
        title: says("root以外にuid 0のアカウントがない", "No account but root has uid 0"),
        remedy: says(
            "uid 0のアカウントを消すか、別のuidにする。",
            "Remove the account or give it another uid.",
        ),
        needs: &["/etc/passwd"],
        run: uid0,
    },
    Check {
        id: "privileged.closure",
        family: Family::Privileged,
        title: says("rootになれる利用者は承認した人だけ", "Only approved users can become root"),
        remedy: says(
            "グループやsudoersから外すか、特権を持つ人として承認する。",
            "Take the user out of the group or of sudoers, or approve the privilege.",
        ),
        needs: SUDO,
        run: closure,
    },
    Check {
        id: "privileged.nopasswd",
        family: Family::Privileged,
        title: says("sudoはパスワードを求める", "sudo asks for a password"),
        remedy: says(
            "NOPASSWDと!authenticateをsudoersから消す。",
            "Remove NOPASSWD and !authenticate from sudoers.",
        ),
        needs: SUDO,
        run: nopasswd,
    },
    Check {
        id: "privileged.root_keys",
        family: Family::Privileged,
        title: says("rootに直接入れる公開鍵がない", "No key opens root directly"),
        remedy: says(
            "個人のアカウントへ移し、rootの鍵を消す。",
            "Move the key to a person's account and remove it from root.",
        ),
        needs: &["/root/.ssh/authorized_keys"],
        run: root_keys,
    },
    Check {
        id: "privileged.ssh_root",
        family: Family::Privileged,
        title: says(
            "SSHでrootにパスワードで入れない",
            "Root cannot log in over SSH with a password",
        ),
        remedy: says(
            "PermitRootLogin no とし、Matchの中も見直す。",
            "Set PermitRootLogin no, in Match blocks too.",
        ),
        needs: &["/etc/ssh"],
        run: ssh_root,
    },
    Check {
        id: "unused.idle",
        family: Family::Unused,
        title: says("長く使われていないアカウントがない", "No account lies idle"),
        remedy: says(
            "使わないアカウントを止める（usermod --expiredate 1）。",
            "Disable the account (usermod --expiredate 1).",
        ),
        needs: SHADOW,
        run: idle,
    },
    Check {
        id: "unused.leavers",
        family: Family::Unused,
        title: says(
            "退職・異動した人のアカウントは止まっている",
            "Accounts of people who left are disabled",
        ),
        remedy: says(
            "アカウントを止め、鍵と予定（cron）を消す。",
            "Disable the account; remove its keys and schedules.",
        ),
        needs: SHADOW,
        run: leavers,
    },
    Check {
        id: "unused.service_shell",
        family: Family::Unused,
        title: says(
            "サービス用アカウントはログインできない",
            "Service accounts have no log-in shell",
        ),
        remedy: says("シェルを/usr/sbin/nologinにする。", "Set the shell to /usr/sbin/nologin."),
        needs: &["/etc/passwd"],
        run: service_shell,
    },
    Check {
        id: "default_passwords.empty",
        family: Family::DefaultPasswords,
        title: says("空のパスワードがない", "No password is empty"),
        remedy: says(
            "パスワードを設定するかロックする（passwd -l）。",
            "Set a password or lock the account (passwd -l).",
        ),
        needs: SHADOW,
        run: empty,
    },
    Check {
        id: "default_passwords.weak_hash",
        family: Family::DefaultPasswords,
        title: says("弱い方式のパスワードがない", "No password is kept by a weak scheme"),
        remedy: says(
            "パスワードを付け直し、yescryptかSHA-512で保存する。",
            "Set the password anew so that it is kept by yescrypt or SHA-512.",
        ),
        needs: SHADOW,
        run: weak_hash,
    },
    Check {
        id: "default_passwords.image_accounts",
        family: Family::DefaultPasswords,
        title: says(
            "イメージ付属のアカウントでログインできない",
            "Accounts that images bring cannot log in",
        ),
        remedy: says(
            "使わなければ消し、使うなら個人名に替える。",
            "Remove the account or replace it by a person's.",
        ),
        needs: SHADOW,
        run: image_accounts,
    },
    Check {
        id: "default_passwords.known",
        family: Family::DefaultPasswords,
        title: says(
            "出荷時や有名な秘密が設定に残っていない",
            "No shipped or well-known secret is in use",
        ),
        remedy: says("推測できない値に替える。", "Replace it by a value nobody can guess."),
        needs: &["/etc"],
        run: known_secrets,
    },
    Check {
        id: "default_passwords.factory_keys",
        family: Family::DefaultPasswords,
        title: says(
            "秘密鍵が公開されている鍵を受け入れない",
            "No key whose private half is published is accepted",
        ),
        remedy: says("その公開鍵を消す。", "Remove the key."),
        needs: &["/etc/passwd"],
        run: factory_keys,
    },
];

fn users<'a>(view: &'a View<'_>) -> &'a [Fact] {
    view.facts.class(Class::User)
}

fn int(fact: &Fact, name: &str) -> Option<i64> {
    fact.value.get(name).and_then(Value::as_int)
}

fn bare(fact: &Fact) -> String {
    let name = fact.name.to_string();
    name.split('#').next().unwrap_or_default().to_owned()
}

/// Facts that fail; unknown where the host has no users at all.
fn those<'a>(view: &'a View<'_>, fails: impl Fn(&Fact) -> Option<String>) -> Found {
    let users = users(view);
    if users.is_empty() {
        return Found::Unknown("no accounts were read");
    }
    Found::Failing(users.iter().filter_map(|fact| Some(failing(fact, fails(fact)?))).collect())
}

fn uid0(view: &View<'_>) -> Found {
    those(view, |fact| {
        (int(fact, "uid") == Some(0) && fact.name.as_slice() != b"root").then(|| "uid 0".to_owned())
    })
}

/// Names that rules of sudo give every command as root.
fn sudo_all(view: &View<'_>) -> BTreeSet<String> {
    let rules = view.facts.class(Class::Sudo).iter();
    let all = rules.filter(|rule| {
        rule.attribute("command") == Some("ALL")
            && rule.attribute("runas").is_some_and(|runas| {
                runas.split([',', ':']).any(|one| matches!(one, "ALL" | "root" | "#0"))
            })
    });
    all.filter_map(|rule| rule.attribute("user").map(str::to_owned)).collect()
}

fn closure(view: &View<'_>) -> Found {
    if view.facts.class(Class::Group).is_empty() {
        return Found::Unknown("no groups were read");
    }
    let all = sudo_all(view);
    let sudo_groups: BTreeSet<&str> = all.iter().filter_map(|who| who.strip_prefix('%')).collect();
    let strong = |group: &str| ROOT_GROUPS.contains(&group) || sudo_groups.contains(group);
    those(view, |fact| {
        let name = bare(fact);
        if view.rules.privileged.contains(&name)
            || int(fact, "uid") == Some(0)
            || !can_log_in(view, fact)
        {
            return None;
        }
        if all.contains(&name) || (all.contains("ALL") && int(fact, "uid") >= Some(1000)) {
            return Some("sudo ALL".to_owned());
        }
        let gid = int(fact, "gid");
        let groups = view.facts.class(Class::Group).iter();
        let mut of = groups.filter(|group| {
            let member = group
                .value
                .get("members")
                .is_some_and(|m| m.as_list().iter().any(|one| one.as_str() == Some(&name)));
            strong(&bare(group)) && (member || int(group, "gid") == gid)
        });
        of.next().map(|group| format!("group {}", group.name))
    })
}

/// With a password, a key or a shell that somebody could be given by `su`.
fn can_log_in(view: &View<'_>, fact: &Fact) -> bool {
    let shell = fact.attribute("shell").unwrap_or_default();
    !is_no_shell(shell) || has_key(view, fact)
}

fn has_key(view: &View<'_>, fact: &Fact) -> bool {
    let name = bare(fact);
    view.facts.class(Class::AuthorizedKey).iter().any(|key| key.attribute("user") == Some(&name))
}

fn is_no_shell(shell: &str) -> bool {
    let base = shell.rsplit('/').next().unwrap_or(shell);
    matches!(base, "nologin" | "false" | "true" | "sync" | "shutdown" | "halt" | "git-shell")
        || shell == "/dev/null"
}

fn nopasswd(view: &View<'_>) -> Found {
    let rules = view.facts.class(Class::Sudo).iter().filter_map(|rule| {
        let name = rule.name.to_string();
        if rule.value.get("nopasswd").and_then(Value::as_bool) == Some(true) {
            return Some(failing(rule, "NOPASSWD"));
        }
        let off = name.ends_with(" authenticate") && rule.value.as_str() == Some("false");
        off.then(|| failing(rule, "!authenticate"))
    });
    Found::Failing(rules.collect())
}

fn root_keys(view: &View<'_>) -> Found {
    let roots: BTreeSet<String> =
        users(view).iter().filter(|user| int(user, "uid") == Some(0)).map(bare).collect();
    if roots.is_empty() {
        return Found::Unknown("no accounts were read");
    }
    let keys = view.facts.class(Class::AuthorizedKey).iter();
    let of_root = keys.filter(|key| key.attribute("user").is_some_and(|user| roots.contains(user)));
    Found::Failing(
        of_root.map(|key| failing(key, key.attribute("comment").unwrap_or_default())).collect(),
    )
}

fn ssh_root(view: &View<'_>) -> Found {
    let settings = view.facts.class(Class::Sshd);
    if settings.is_empty() {
        return Found::NotApplicable;
    }
    let fails = settings.iter().filter(|fact| {
        let name = fact.name.to_string();
        let is_it = name == "permitrootlogin" || name.ends_with("/permitrootlogin");
        is_it
            && fact
                .value
                .as_list()
                .first()
                .and_then(Value::as_str)
                .is_some_and(|v| v.eq_ignore_ascii_case("yes"))
    });
    Found::Failing(fails.map(|fact| failing(fact, "yes")).collect())
}

fn is_open(view: &View<'_>, fact: &Fact) -> bool {
    let expired = match (int(fact, "expires"), view.rules.today) {
        (Some(day), Some(today)) => day <= today,
        _ => false,
    };
    let password = fact.attribute("password");
    !expired
        && can_log_in(view, fact)
        && (matches!(password, Some("set" | "empty")) || has_key(view, fact))
}

fn idle(view: &View<'_>) -> Found {
    let Some(today) = view.rules.today else { return Found::Unknown("the day is not known") };
    let log_ins = view.facts.class(Class::LastLogin);
    let open: Vec<&Fact> = users(view).iter().filter(|fact| is_open(view, fact)).collect();
    if users(view).is_empty() {
        return Found::Unknown("no accounts were read");
    }
    if open.is_empty() {
        return Found::Failing(Vec::new());
    }
    // Without any table of log-ins nobody can be called idle, nor not idle.
    if log_ins.is_empty() {
        return Found::Unknown("no log-ins are recorded on this host");
    }
    let fails = open.into_iter().filter_map(|fact| {
        let last =
            view.facts.get(Class::LastLogin, bare(fact).as_bytes()).and_then(|l| l.value.as_int());
        match last {
            Some(day) if today - day <= view.rules.idle_days_max => None,
            Some(day) => Some(failing(fact, format!("{} d", today - day))),
            // Never seen: idle since its password was set.
            None => {
                let since = today - int(fact, "changed").unwrap_or(0);
                (since > view.rules.idle_days_max).then(|| failing(fact, "never"))
            }
        }
    });
    Found::Failing(fails.collect())
}

fn leavers(view: &View<'_>) -> Found {
    if view.rules.leavers.is_empty() {
        return Found::NotApplicable;
    }
    those(view, |fact| {
        let left = view.rules.leavers.contains(&bare(fact));
        (left && is_open(view, fact)).then(|| "active".to_owned())
    })
}

fn service_shell(view: &View<'_>) -> Found {
    those(view, |fact| {
        let uid = int(fact, "uid")?;
        let service = (1..1000).contains(&uid) || uid == 65_534;
        let shell = fact.attribute("shell").unwrap_or_default();
        // An empty shell is /bin/sh.
        (service && !is_no_shell(shell))
            .then(|| if shell.is_empty() { "/bin/sh".to_owned() } else { shell.to_owned() })
    })
}

fn passwords(view: &View<'_>, fails: impl Fn(&Fact) -> Option<String>) -> Found {
    let unknown = users(view).iter().any(|fact| fact.attribute("password") == Some("unknown"));
    match those(view, fails) {
        Found::Failing(found) if found.is_empty() && unknown => {
            Found::Unknown("shadow was not read")
        }
        found => found,
    }
}

fn empty(view: &View<'_>) -> Found {
    passwords(view, |fact| {
        (fact.attribute("password") == Some("empty")).then(|| "empty".to_owned())
    })
}

fn weak_hash(view: &View<'_>) -> Found {
    passwords(view, |fact| {
        let scheme = fact.attribute("scheme")?;
        matches!(scheme, "des" | "bsdi" | "md5" | "nthash" | "unknown").then(|| scheme.to_owned())
    })
}

fn image_accounts(view: &View<'_>) -> Found {
    passwords(view, |fact| {
        let name = bare(fact);
        let known = IMAGE_USERS.contains(&name.as_str()) && !view.rules.privileged.contains(&name);
        (known && fact.attribute("password") == Some("set") && can_log_in(view, fact))
            .then(|| "can log in".to_owned())
    })
}

fn known_secrets(view: &View<'_>) -> Found {
    let secrets = view.facts.class(Class::Secret);
    if view.rules.key_id != view.facts.key_id {
        return Found::Unknown("fingerprints were made under another key");
    }
    let known = secrets.iter().filter(|fact| {
        matches!(&fact.value, Value::Secret(print) if view.rules.default_secrets.contains(print))
    });
    Found::Failing(known.map(|fact| failing(fact, "well-known")).collect())
}

fn factory_keys(view: &View<'_>) -> Found {
    let keys = view.facts.class(Class::AuthorizedKey).iter();
    let known = keys.filter(|key| {
        let name = key.name.to_string();
        PUBLISHED_KEYS.iter().any(|print| name.ends_with(print))
    });
    Found::Failing(known.map(|key| failing(key, "published")).collect())
}
