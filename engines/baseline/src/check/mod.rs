//! The eight considerations of configuration, held against the facts of a host.
//!
//! Invariants: a check that could not read what it asks says `unknown`, never `pass`; one that finds a
//! failing fact says `fail` whatever else was unread; every failing fact is named with its origin.

mod accounts;
mod clock;
mod parameters;
mod services;
mod session;
mod utilities;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    fact::{Fact, Facts, Fingerprint},
    secret::FingerprintKey,
};

/// A text in Japanese and in English.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Says {
    pub ja: &'static str,
    pub en: &'static str,
}

const fn says(ja: &'static str, en: &'static str) -> Says {
    Says { ja, en }
}

/// The eight considerations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    Privileged,
    Unused,
    Services,
    Utilities,
    HostParameters,
    Clock,
    DefaultPasswords,
    AutoLogoff,
}

impl Family {
    pub const ALL: [Family; 8] = [
        Family::Privileged,
        Family::Unused,
        Family::Services,
        Family::Utilities,
        Family::HostParameters,
        Family::Clock,
        Family::DefaultPasswords,
        Family::AutoLogoff,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Family::Privileged => "privileged",
            Family::Unused => "unused",
            Family::Services => "services",
            Family::Utilities => "utilities",
            Family::HostParameters => "host_parameters",
            Family::Clock => "clock",
            Family::DefaultPasswords => "default_passwords",
            Family::AutoLogoff => "auto_logoff",
        }
    }

    pub fn title(self) -> Says {
        match self {
            Family::Privileged => says("特権アカウント", "privileged identities"),
            Family::Unused => says("使われていないアカウント", "unused identities"),
            Family::Services => says("不要なサービス", "unneeded services"),
            Family::Utilities => says("強力なユーティリティ", "powerful utilities"),
            Family::HostParameters => says("ホストのパラメータ", "host parameters"),
            Family::Clock => says("時刻同期", "clock"),
            Family::DefaultPasswords => says("初期パスワード", "initial passwords"),
            Family::AutoLogoff => says("自動ログオフ", "automatic log-off"),
        }
    }
}

/// What a house allows, and when it is.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// Days since 1970; none: ages are unknown.
    pub today: Option<i64>,
    /// Users who may become root.
    pub privileged: BTreeSet<String>,
    /// Users who have left.
    pub leavers: BTreeSet<String>,
    pub idle_days_max: i64,
    /// Units that may be enabled and sockets that may listen, as shell patterns. None: only what is
    /// known to be unneeded fails.
    pub units: Option<Vec<String>>,
    pub listeners: Option<Vec<String>>,
    /// Files that may be setuid or setgid beside what a Debian base has.
    pub setuid: BTreeSet<String>,
    pub idle_seconds_max: i64,
    pub offset_ms_max: i64,
    pub zone: Option<String>,
    /// Fingerprints of words that vendors ship as secrets.
    pub default_secrets: BTreeSet<Fingerprint>,
    /// Which key those were made with.
    pub key_id: String,
}

/// Secrets that vendors ship or administrators type first.
const DEFAULT_WORDS: &[&str] = &[
    "public",
    "private",
    "password",
    "passw0rd",
    "Password1",
    "password123",
    "admin",
    "administrator",
    "changeme",
    "changeit",
    "change_me",
    "default",
    "secret",
    "test",
    "guest",
    "root",
    "toor",
    "user",
    "1234",
    "12345",
    "123456",
    "12345678",
    "123456789",
    "qwerty",
    "letmein",
    "welcome",
    "cisco",
    "foobared",
    "example",
    "mysql",
    "postgres",
    "oracle",
    "tomcat",
    "manager",
    "s3cr3t",
    "raspberry",
    "ubnt",
    "alpine",
    "vagrant",
    "monitor",
    "debian",
    "system",
    "supersecret",
    "mypassword",
    "pass",
];

impl RuleSet {
    /// What holds where a house has said nothing.
    pub fn standard(today: Option<i64>, key: &FingerprintKey) -> RuleSet {
        RuleSet {
            today,
            privileged: BTreeSet::from(["root".to_owned()]),
            leavers: BTreeSet::new(),
            idle_days_max: 90,
            units: None,
            listeners: None,
            setuid: BTreeSet::new(),
            idle_seconds_max: 900,
            offset_ms_max: 1_000,
            zone: None,
            default_secrets: DEFAULT_WORDS
                .iter()
                .map(|word| key.print(b"value", word.as_bytes()))
                .collect(),
            key_id: key.id(),
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pass,
    Fail,
    /// What it asks was not read, or cannot be known here.
    Unknown,
    /// The host has nothing that it is about.
    NotApplicable,
}

/// A fact that fails, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// `class/name`.
    pub key: String,
    /// What it is, in short.
    pub value: String,
    pub origin: String,
}

/// What came out of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    pub id: &'static str,
    pub family: Family,
    pub outcome: Outcome,
    pub title: Says,
    /// What to do about it.
    pub remedy: Says,
    /// Why it is unknown; empty otherwise.
    pub reason: String,
    pub failing: Vec<Failing>,
}

/// What a check sees.
struct View<'a> {
    facts: &'a Facts,
    rules: &'a RuleSet,
}

/// What a check found.
enum Found {
    /// Facts that fail; none is a pass.
    Failing(Vec<Failing>),
    Unknown(&'static str),
    NotApplicable,
}

struct Check {
    id: &'static str,
    family: Family,
    title: Says,
    remedy: Says,
    /// Paths without which nothing can be said.
    needs: &'static [&'static str],
    run: fn(&View<'_>) -> Found,
}

fn checks() -> impl Iterator<Item = &'static Check> {
    [
        accounts::CHECKS,
        services::CHECKS,
        utilities::CHECKS,
        parameters::CHECKS,
        clock::CHECKS,
        session::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Runs all checks, in the order of the families.
pub fn check(facts: &Facts, rules: &RuleSet) -> Vec<CheckResult> {
    let view = View { facts, rules };
    let mut results: Vec<CheckResult> = checks().map(|check| result(check, &view)).collect();
    results.sort_by_key(|result| result.family);
    results
}

fn result(check: &Check, view: &View<'_>) -> CheckResult {
    let missing = check.needs.iter().find(|path| view.is_unread(path));
    let (mut outcome, mut reason, mut failing) = (Outcome::Pass, String::new(), Vec::new());
    match (check.run)(view) {
        Found::Failing(found) if !found.is_empty() => (outcome, failing) = (Outcome::Fail, found),
        Found::Unknown(why) => (outcome, reason) = (Outcome::Unknown, why.to_owned()),
        _ if missing.is_some() => {
            outcome = Outcome::Unknown;
            reason = format!("unread: {}", missing.copied().unwrap_or_default());
        }
        Found::NotApplicable => outcome = Outcome::NotApplicable,
        Found::Failing(_) => {}
    }
    let (id, family, title, remedy) = (check.id, check.family, check.title, check.remedy);
    CheckResult { id, family, outcome, title, remedy, reason, failing }
}

/// Outcomes of a family by number: pass, fail, unknown, not applicable.
pub fn tally(results: &[CheckResult], family: Family) -> [usize; 4] {
    let of =
        |outcome| results.iter().filter(|r| r.family == family && r.outcome == outcome).count();
    [Outcome::Pass, Outcome::Fail, Outcome::Unknown, Outcome::NotApplicable].map(of)
}

impl View<'_> {
    /// Whether a path, what is in it or a folder above it was not read.
    fn is_unread(&self, path: &str) -> bool {
        self.facts.unread.iter().any(|unread| {
            let place = unread.place.to_string();
            let place = place.split(':').next().unwrap_or_default();
            let inside = |outer: &str, inner: &str| {
                inner
                    .strip_prefix(outer)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            inside(path, place) || inside(place, path)
        })
    }
}

fn failing(fact: &Fact, value: impl Into<String>) -> Failing {
    Failing { key: fact.path(), value: value.into(), origin: fact.origin.to_string() }
}

fn any_glob(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| crate::glob::loose(pattern.as_bytes(), text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use std::collections::HashSet;

    fn rules() -> RuleSet {
        RuleSet::standard(Some(20_000), &FingerprintKey::new([5; 32]))
    }

    fn outcome(results: &[CheckResult], id: &str) -> (Outcome, Vec<String>) {
        let result = results.iter().find(|result| result.id == id).expect("a check of that name");
        (result.outcome, result.failing.iter().map(|f| f.key.clone()).collect())
    }

    #[test]
    fn ids_are_unique_and_texts_are_there() {
        let mut ids = HashSet::new();
        for check in checks() {
            assert!(ids.insert(check.id), "{}", check.id);
            for text in [check.title, check.remedy] {
                assert!(!text.ja.is_empty() && !text.en.is_empty());
                assert!(!text.ja.is_ascii(), "{}", text.ja);
            }
        }
        for family in Family::ALL {
            assert!(checks().any(|check| check.family == family));
        }
    }

    #[test]
    fn an_empty_host_passes_nothing_that_needs_its_files() {
        let results = check(&testing::facts(&[]), &rules());
        for id in ["privileged.uid0", "default_passwords.empty", "unused.idle", "clock.offset"] {
            assert_eq!(outcome(&results, id).0, Outcome::Unknown, "{id}");
        }
    }

    #[test]
    fn each_family_names_the_facts_that_fail() {
        let facts = crate::facts(&testing::host(&[
            ("/etc/passwd", 0o644, b"root:x:0:0::/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\nann:x:1000:1000::/home/ann:/bin/bash\nbob:x:1001:27::/home/bob:/bin/bash\nwww:x:33:33::/:/bin/sh\nempty:x:1002:1002::/:/bin/sh\n"),
            ("/etc/shadow", 0o640, b"root:*:1::::::\ntoor:$6$x$y:1::::::\nann:$1$x$y:1::::::\nbob:!:1::::::\nwww:*:1::::::\nempty::1::::::\n"),
            ("/etc/group", 0o644, b"root:x:0:\nsudo:x:27:\ndocker:x:99:ann\n"),
            ("/etc/sudoers", 0o440, b"root ALL=(ALL) ALL\n%sudo ALL=(ALL) ALL\neve ALL=(root) NOPASSWD: /usr/bin/vim\n"),
            ("/root/.ssh/authorized_keys", 0o600, b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGs= a\n"),
            ("/etc/ssh/sshd_config", 0o644, b"PermitRootLogin no\nClientAliveInterval 300\nMatch User git\nPermitRootLogin yes\n"),
            ("/etc/profile", 0o644, b"TMOUT=3600\n"),
            ("/etc/sysctl.d/x.conf", 0o644, b"kernel.kptr_restrict=0\n"),
            ("/etc/world", 0o666, b"x\n"),
            ("/etc/snmp/snmpd.conf", 0o644, b"rocommunity public\n"),
            ("/usr/bin/evil", 0o4755, b"\x7fELF"),
            ("/var/lib/dpkg/status", 0o644, b"Package: tcpdump\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\nPackage: telnetd\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"),
        ]));
        let results = check(&facts, &rules());
        for (id, key) in [
            ("privileged.uid0", "user/toor"),
            ("privileged.closure", "user/ann"),
            ("privileged.closure", "user/bob"),
            ("privileged.nopasswd", "sudo/eve on ALL as root: /usr/bin/vim"),
            ("privileged.root_keys", "authorized_key/root SHA256:"),
            ("privileged.ssh_root", "sshd/match user git/permitrootlogin"),
            ("unused.service_shell", "user/www"),
            ("services.legacy", "package/telnetd:all"),
            ("utilities.setuid", "file//usr/bin/evil"),
            ("utilities.tools", "package/tcpdump:amd64"),
            ("utilities.shell_escape", "sudo/eve on ALL as root: /usr/bin/vim"),
            ("host_parameters.kernel", "sysctl/kernel.kptr_restrict"),
            ("host_parameters.write_etc", "file//etc/world"),
            ("default_passwords.empty", "user/empty"),
            ("default_passwords.weak_hash", "user/ann"),
            ("default_passwords.known", "secret//etc/snmp/snmpd.conf#1"),
            ("auto_logoff.shell", "shell/TMOUT"),
        ] {
            let (outcome, keys) = outcome(&results, id);
            assert_eq!(outcome, Outcome::Fail, "{id}");
            assert!(keys.iter().any(|found| found.starts_with(key)), "{id}: {keys:?}");
        }
        assert_eq!(outcome(&results, "auto_logoff.ssh").0, Outcome::Pass);
    }

    #[test]
    fn what_was_not_read_is_unknown_and_never_a_pass() {
        let mut facts = testing::facts(&[
            ("/etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
            ("/etc/group", "root:x:0:\n"),
        ]);
        let pass = check(&facts, &rules());
        assert_eq!(outcome(&pass, "privileged.uid0").0, Outcome::Pass);
        facts.unread.push(crate::Unread {
            place: "/etc/passwd:3".into(),
            reason: "not seven fields".into(),
        });
        assert_eq!(outcome(&check(&facts, &rules()), "privileged.uid0").0, Outcome::Unknown);
    }
}
