//! From touches to the actors of differences.
//!
//! A difference names the places that can have made it, the most telling first. The first of them that anybody
//! touched in the time in question decides: by one party, known, or by nobody. Two parties, or one that is not
//! known, leave the actor unknown, since only one of them need have done it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Doer, Journal, Source, Touch, Who};
use crate::{
    bytes::Bytes,
    classify::Actor,
    diff::Delta,
    fact::{Class, Origin},
};

/// Seconds by which clocks of records and of touches may lie apart.
const SLACK_S: i64 = 2;
const MICROSECONDS: i64 = 1_000_000;

/// What is asked.
pub struct Asked<'a> {
    pub journals: &'a [Journal],
    /// When the differences can have come about, in seconds since 1970.
    pub from: i64,
    pub to: i64,
    /// Who that is in the register; none if it is nobody.
    pub party: &'a dyn Fn(&Who) -> Option<String>,
}

/// The actors that are known, by class and name of the difference.
pub fn assign(deltas: &[Delta], asked: &Asked<'_>) -> HashMap<(Class, Bytes), Actor> {
    let index = Index::of(asked);
    let found = deltas.iter().filter_map(|delta| {
        let actor = index.actor(delta, asked)?;
        Some(((delta.class, delta.name.clone()), actor))
    });
    found.collect()
}

/// A place that can have made a difference.
enum Place {
    Exact(Vec<u8>),
    /// All below a folder, given with its slash.
    Below(&'static str),
    /// A unit's own file, its links and its drop-ins, wherever units lie.
    Unit(Vec<u8>),
}

type Seen<'a> = (&'a Touch, &'a Doer);

struct Index<'a> {
    by_path: BTreeMap<&'a [u8], Vec<Seen<'a>>>,
}

impl<'a> Index<'a> {
    fn of(asked: &Asked<'a>) -> Index<'a> {
        let from = asked.from.saturating_sub(SLACK_S).saturating_mul(MICROSECONDS);
        let to = asked.to.saturating_add(SLACK_S).saturating_mul(MICROSECONDS);
        let mut by_path: BTreeMap<&[u8], Vec<Seen<'_>>> = BTreeMap::new();
        for journal in asked.journals {
            for touch in journal.touches.iter().filter(|touch| (from..=to).contains(&touch.at)) {
                let Some(doer) = journal.doers.get(touch.doer) else { continue };
                by_path.entry(touch.path.as_slice()).or_default().push((touch, doer));
            }
        }
        Index { by_path }
    }

    fn actor(&self, delta: &Delta, asked: &Asked<'_>) -> Option<Actor> {
        for source in [Source::Fanotify, Source::Audit] {
            for places in places(delta) {
                let seen = self.seen(&places, source);
                if seen.is_empty() {
                    continue;
                }
                // Touched by somebody who is not known: a source that is asked next may know.
                if let Some(actor) = sole(&seen, asked) {
                    return Some(actor);
                }
                break;
            }
        }
        of_runs(delta, asked)
    }

    fn seen(&self, places: &[Place], source: Source) -> Vec<Seen<'a>> {
        let mut found = Vec::new();
        for place in places {
            match place {
                Place::Exact(path) => {
                    found.extend(self.by_path.get(path.as_slice()).into_iter().flatten());
                }
                Place::Below(folder) => {
                    let folder = folder.as_bytes();
                    let inside = self.by_path.range(folder..);
                    let inside = inside.take_while(|(path, _)| path.starts_with(folder));
                    found.extend(inside.flat_map(|(_, seen)| seen));
                }
                Place::Unit(name) => {
                    let of = self.by_path.iter().filter(|(path, _)| is_of_unit(path, name));
                    found.extend(of.flat_map(|(_, seen)| seen));
                }
            }
        }
        found.retain(|(_, doer)| doer.source == source);
        found
    }
}

/// The one party behind all of these.
fn sole(seen: &[Seen<'_>], asked: &Asked<'_>) -> Option<Actor> {
    let parties: BTreeSet<Option<String>> =
        seen.iter().map(|(_, doer)| (asked.party)(doer.who.as_ref()?)).collect();
    let mut parties = parties.into_iter();
    let (Some(party), None) = (parties.next()?, parties.next()) else { return None };
    let (touch, doer) = seen.iter().max_by_key(|(touch, _)| touch.at)?;
    Some(Actor { party, evidence: evidence(touch, doer), at: touch.at / MICROSECONDS })
}

/// Packages: who asked apt for the run that brought them.
fn of_runs(delta: &Delta, asked: &Asked<'_>) -> Option<Actor> {
    if !matches!(delta.class, Class::Package | Class::PackageFiles) {
        return None;
    }
    let key = delta.name.as_str()?;
    let name = key.split(':').next()?;
    let from = (asked.from - SLACK_S).saturating_mul(MICROSECONDS);
    let to = (asked.to + SLACK_S).saturating_mul(MICROSECONDS);
    let runs = asked.journals.iter().flat_map(|journal| &journal.runs).filter(|run| {
        run.to >= from
            && run.from <= to
            && run
                .packages
                .iter()
                .any(|one| one == key || one == name || one.strip_suffix(":all") == Some(name))
    });
    let mut found: Option<Actor> = None;
    for run in runs {
        let account = Some(run.account.clone()).filter(|account| !account.is_empty())?;
        let who = Who { uid: run.uid, login: run.uid, account: Some(account), ..Who::default() };
        let party = (asked.party)(&who)?;
        if found.as_ref().is_some_and(|other| other.party != party) {
            return None;
        }
        let evidence = told(&[
            ("source", Some(Source::Apt.as_str().to_owned())),
            ("account", who.account.clone()),
            ("command", Some(run.command.clone()).filter(|command| !command.is_empty())),
        ]);
        found = Some(Actor { party, evidence, at: run.to / MICROSECONDS });
    }
    found
}

/// `name=value`, apart by spaces; the command stands last and runs to the end.
fn told(parts: &[(&str, Option<String>)]) -> String {
    let parts = parts.iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        let value = if *name == "command" { value.clone() } else { value.replace(' ', "\\x20") };
        Some(format!("{name}={value}"))
    });
    parts.collect::<Vec<_>>().join(" ")
}

fn evidence(touch: &Touch, doer: &Doer) -> String {
    let who = doer.who.clone().unwrap_or_default();
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let programs: Vec<String> = doer.programs.iter().map(Bytes::to_string).collect();
    told(&[
        ("source", Some(doer.source.as_str().to_owned())),
        ("program", Some(programs.join("|")).filter(|programs| !programs.is_empty())),
        ("account", who.account),
        ("uid", number(who.uid)),
        ("login", number(who.login)),
        ("session", number(who.session)),
        ("terminal", who.terminal),
        ("unit", who.unit),
        ("chain", Some(who.chain.join("<")).filter(|chain| !chain.is_empty())),
        ("how", Some(touch.how.names().join(",")).filter(|how| !how.is_empty())),
        ("file", Some(touch.path.to_string())),
        ("command", who.command),
    ])
}

/// Where a difference can have come from, the most telling first.
fn places(delta: &Delta) -> Vec<Vec<Place>> {
    let exact = |path: &str| Place::Exact(path.as_bytes().to_vec());
    let name = delta.name.as_slice();
    let of_origin = match &delta.origin {
        Origin::File(path, _) => vec![Place::Exact(path.0.clone())],
        _ => Vec::new(),
    };
    match delta.class {
        Class::File => vec![vec![Place::Exact(name.to_vec())]],
        Class::User => vec![vec![exact("/etc/passwd"), exact("/etc/shadow")]],
        Class::Group => vec![vec![exact("/etc/group"), exact("/etc/gshadow")]],
        Class::Unit => vec![vec![Place::Unit(name.to_vec())], of_origin],
        Class::Package | Class::PackageFiles => of_package(delta),
        Class::Alternative => {
            let folder = |folder: &str| Place::Exact([folder.as_bytes(), name].concat());
            vec![vec![folder("/etc/alternatives/"), folder("/var/lib/dpkg/alternatives/")]]
        }
        Class::Debconf => vec![vec![exact("/var/cache/debconf/config.dat")]],
        Class::Diversion => vec![vec![exact("/var/lib/dpkg/diversions")]],
        Class::StatOverride => vec![vec![exact("/var/lib/dpkg/statoverride")]],
        Class::Secret => {
            let path = name.split(|byte| *byte == b'#').next().unwrap_or(name);
            vec![of_origin, vec![Place::Exact(path.to_vec())]]
        }
        class => {
            let folder = fallback(class).iter().map(|folder| match folder.strip_suffix('/') {
                Some(_) => Place::Below(folder),
                None => exact(folder),
            });
            // A setting that went away has the default as its origin.
            vec![of_origin, folder.collect()]
        }
    }
}

fn of_package(delta: &Delta) -> Vec<Vec<Place>> {
    let key = delta.name.to_string();
    let name = key.split(':').next().unwrap_or_default();
    let info = |stem: &str, end: &str| {
        Place::Exact(format!("/var/lib/dpkg/info/{stem}.{end}").into_bytes())
    };
    let own = [&key[..], name].map(|stem| ["list", "md5sums"].map(|end| info(stem, end)));
    let only = |attribute: &str| {
        !delta.parts().is_empty() && delta.parts().iter().all(|(part, ..)| part == attribute)
    };
    let table = |path: &str| vec![Place::Exact(path.as_bytes().to_vec())];
    if only("automatic") {
        return vec![table("/var/lib/apt/extended_states")];
    }
    let mut places = vec![own.into_iter().flatten().collect()];
    if delta.class == Class::Package {
        places.push(table("/var/lib/dpkg/status"));
    }
    places
}

/// Files and folders of a class whose facts do not say their file.
fn fallback(class: Class) -> &'static [&'static str] {
    match class {
        Class::Sshd => &["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/"],
        Class::HostKey => &["/etc/ssh/"],
        Class::Sysctl => &["/etc/sysctl.conf", "/etc/sysctl.d/"],
        Class::Sudo => &["/etc/sudoers", "/etc/sudoers.d/"],
        Class::Pam => &["/etc/pam.d/", "/etc/pam.conf"],
        Class::Limit => &["/etc/security/limits.conf", "/etc/security/limits.d/"],
        Class::Cron => &["/etc/crontab", "/etc/cron.d/", "/var/spool/cron/"],
        Class::AptSource => &["/etc/apt/sources.list", "/etc/apt/sources.list.d/"],
        Class::AptConfig => &["/etc/apt/apt.conf", "/etc/apt/apt.conf.d/"],
        Class::AptPin => &["/etc/apt/preferences", "/etc/apt/preferences.d/"],
        Class::AptKey => &["/etc/apt/trusted.gpg", "/etc/apt/trusted.gpg.d/", "/etc/apt/keyrings/"],
        Class::Module => &["/etc/modules", "/etc/modules-load.d/", "/etc/modprobe.d/"],
        Class::SystemdSetting => &["/etc/systemd/"],
        Class::Resolver => &["/etc/resolv.conf", "/etc/nsswitch.conf"],
        Class::Time => &["/etc/localtime", "/etc/timezone", "/etc/chrony/", "/etc/systemd/"],
        Class::Locale => &["/etc/default/locale", "/etc/locale.conf", "/etc/default/keyboard"],
        Class::Mount => &["/etc/fstab"],
        Class::LoginDefault => &["/etc/login.defs", "/etc/default/useradd"],
        Class::Boot => &["/etc/default/grub", "/etc/default/grub.d/", "/boot/grub/grub.cfg"],
        Class::HostsEntry => &["/etc/hosts"],
        Class::Identity => &["/etc/hostname", "/etc/mailname", "/etc/machine-id"],
        Class::Firewall => &["/etc/nftables.conf", "/etc/iptables/", "/etc/ufw/"],
        Class::Shell => {
            &["/etc/profile", "/etc/profile.d/", "/etc/bash.bashrc", "/etc/environment"]
        }
        _ => &[],
    }
}

fn is_of_unit(path: &[u8], name: &[u8]) -> bool {
    let folders = [&b"/etc/systemd/"[..], b"/usr/lib/systemd/", b"/usr/local/lib/systemd/"];
    if !folders.iter().any(|folder| path.starts_with(folder)) {
        return false;
    }
    let drop_ins = [name, b".d"].concat();
    let mut parts = path.rsplit(|byte| *byte == b'/');
    parts.next() == Some(name) || parts.next() == Some(&drop_ins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::{How, Run, fanotify};
    use crate::fact::Value;

    fn delta(class: Class, name: &str, origin: &str) -> Delta {
        let origin = Origin::parse(origin);
        Delta { class, name: name.into(), before: None, after: Some(Value::Int(1)), origin }
    }

    fn who(login: Option<u32>) -> Who {
        Who { login, command: Some("vim x".into()), chain: vec!["sudo".into()], ..Who::default() }
    }

    fn journal(touches: &[(&str, Source, Option<Option<u32>>, i64)]) -> Journal {
        let mut journal = Journal::default();
        for (path, source, login, at) in touches {
            let programs = vec!["/usr/bin/vim".into()];
            let doer = Doer { source: *source, pid: 7, programs, who: login.map(who) };
            let how = How::of_mask(fanotify::CLOSE_WRITE);
            journal.touch((*path).into(), how, at * MICROSECONDS, doer);
        }
        journal
    }

    fn parties(deltas: &[Delta], journal: Journal) -> Vec<Option<String>> {
        let party = |who: &Who| who.login.map(|login| format!("P-{login}"));
        let asked = Asked { journals: &[journal], from: 100, to: 200, party: &party };
        let found = assign(deltas, &asked);
        let of = |delta: &Delta| found.get(&(delta.class, delta.name.clone()));
        deltas.iter().map(|delta| of(delta).map(|actor| actor.party.clone())).collect()
    }

    fn some(party: &str) -> Option<String> {
        Some(party.to_owned())
    }

    #[test]
    fn each_class_finds_the_files_it_is_made_of() {
        let f = Source::Fanotify;
        let found = parties(
            &[
                delta(Class::Sshd, "banner", "/etc/ssh/sshd_config:7"),
                delta(Class::Sshd, "port", "default"),
                delta(Class::User, "eve", "/etc/passwd:3"),
                delta(Class::Unit, "x.service", "/usr/lib/systemd/system/x.service"),
                delta(Class::Unit, "y.service", "/usr/lib/systemd/system/y.service"),
                delta(Class::Package, "bash:amd64", "$ dpkg"),
                delta(Class::File, "/usr/bin/x", "/usr/bin/x"),
                delta(Class::KernelValue, "kernel.sysrq", "$ sysctl"),
            ],
            journal(&[
                ("/etc/ssh/sshd_config", f, Some(Some(1)), 150),
                ("/etc/shadow", f, Some(Some(2)), 150),
                ("/etc/systemd/system/multi-user.target.wants/x.service", f, Some(Some(3)), 150),
                ("/etc/systemd/system/y.service.d/a.conf", f, Some(Some(4)), 150),
                ("/var/lib/dpkg/info/bash.list", f, Some(Some(5)), 150),
                ("/var/lib/dpkg/status", f, Some(Some(6)), 150),
                ("/usr/bin/x", f, Some(Some(7)), 150),
            ]),
        );
        let expected = ["P-1", "P-1", "P-2", "P-3", "P-4", "P-5", "P-7"].map(some);
        assert_eq!(found[..7], expected);
        assert_eq!(found[7], None);
    }

    #[test]
    fn two_parties_or_an_unknown_one_leave_the_actor_unknown() {
        let f = Source::Fanotify;
        let sshd = [delta(Class::Sshd, "banner", "/etc/ssh/sshd_config:7")];
        let path = "/etc/ssh/sshd_config";
        let one = (path, f, Some(Some(1)), 150);
        assert_eq!(parties(&sshd, journal(&[one])), [some("P-1")]);
        for other in
            [(path, f, Some(Some(2)), 120), (path, f, Some(None), 120), (path, f, None, 120)]
        {
            assert_eq!(parties(&sshd, journal(&[one, other])), [None], "{other:?}");
        }
        // What was outside the time in question is nobody's.
        assert_eq!(parties(&sshd, journal(&[(path, f, Some(Some(1)), 90)])), [None]);
        assert_eq!(parties(&sshd, journal(&[(path, f, Some(Some(1)), 210)])), [None]);
    }

    #[test]
    fn audit_speaks_where_the_kernels_report_does_not_know() {
        let sshd = [delta(Class::Sshd, "banner", "/etc/ssh/sshd_config:7")];
        let path = "/etc/ssh/sshd_config";
        let audit = (path, Source::Audit, Some(Some(2)), 150);
        let gone = (path, Source::Fanotify, None, 150);
        assert_eq!(parties(&sshd, journal(&[audit, gone])), [some("P-2")]);
        let known = (path, Source::Fanotify, Some(Some(1)), 150);
        assert_eq!(parties(&sshd, journal(&[audit, known])), [some("P-1")]);
    }

    #[test]
    fn apt_names_who_asked_and_two_who_asked_are_nobody() {
        let run = |account: &str, uid| Run {
            from: 150 * MICROSECONDS,
            to: 151 * MICROSECONDS,
            command: "apt install x".into(),
            account: account.into(),
            uid: Some(uid),
            packages: vec!["x:amd64".into()],
        };
        let of = |runs: Vec<Run>| {
            let mut journal = Journal::default();
            journal.ran(runs);
            let other = delta(Class::Package, "y:amd64", "$ dpkg");
            parties(&[delta(Class::Package, "x:amd64", "$ dpkg"), other], journal)
        };
        assert_eq!(of(vec![run("ann", 1)]), [some("P-1"), None]);
        assert_eq!(of(vec![run("ann", 1), run("bob", 2)]), [None, None]);
        assert_eq!(of(vec![run("ann", 1), run("", 2)]), [None, None]);
    }

    #[test]
    fn evidence_says_program_session_and_command_in_one_line() {
        let journal = journal(&[("/etc/a b", Source::Fanotify, Some(Some(1)), 150)]);
        let party = |_: &Who| some("P");
        let asked = Asked { journals: &[journal], from: 100, to: 200, party: &party };
        let file = delta(Class::File, "/etc/a b", "/etc/a b");
        let found = assign(std::slice::from_ref(&file), &asked);
        assert_eq!(
            found[&(Class::File, file.name)].evidence,
            "source=fanotify program=/usr/bin/vim login=1 chain=sudo how=write \
             file=/etc/a\\x20b command=vim x"
        );
    }
}
