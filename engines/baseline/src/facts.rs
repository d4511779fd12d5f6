//! From what was read of a host to its facts.

use std::collections::BTreeSet;

use crate::{
    bytes::Bytes,
    capture::Capture,
    fact::{Fact, Facts, Origin},
    names::Names,
    parse::{
        Sink, access, accounts, apt, cron, dpkg, live, pam, plain, sshd, sudo, sysctl, systemd,
        units,
    },
    pristine::Pristine,
};

/// All facts of a capture.
pub fn facts(capture: &Capture) -> Facts {
    let mut sink = Sink::new(capture);
    plain::facts(&mut sink);
    dpkg::facts(&mut sink);
    apt::facts(&mut sink);
    accounts::facts(&mut sink);
    access::facts(&mut sink);
    sudo::facts(&mut sink);
    pam::facts(&mut sink);
    units::facts(&mut sink);
    systemd::facts(&mut sink);
    cron::facts(&mut sink);
    sysctl::facts(&mut sink);
    sshd::facts(&mut sink);
    live::facts(&mut sink);
    let found = Pristine::of(capture).facts(capture, &Names::of(capture));
    secrets(&mut sink, &found.facts);
    let unread: BTreeSet<_> =
        sink.unread.into_iter().chain(capture.unread.iter().cloned()).collect();
    let mut all = sink.facts;
    all.extend(found.facts);
    let mut facts = Facts::new(all);
    facts.unread = unread.into_iter().collect();
    facts.unstable = capture.unstable.clone();
    facts.attempted = capture.attempted;
    facts.blobs = found.blobs;
    facts.key_id = capture.key_id.clone();
    facts
}

/// Fingerprints of what was cut from files, by path and place in the file; shadow has its own. What
/// a package brought as it is holds no secret of anybody.
fn secrets(sink: &mut Sink<'_>, files: &[Fact]) {
    let own =
        files.iter().filter(|fact| matches!(fact.attribute("change"), Some("added" | "changed")));
    let own: BTreeSet<&Bytes> = own.map(|fact| &fact.name).collect();
    for (path, content) in &sink.capture.contents {
        let shadow = path.0.starts_with(b"/etc/shadow") || path.0.starts_with(b"/etc/gshadow");
        let elsewhere = !path.0.starts_with(b"/etc/") && !path.0.starts_with(b"/usr/");
        if shadow || path.0.starts_with(b"/var/log/") || !(own.contains(path) || elsewhere) {
            continue;
        }
        for (number, (line, print)) in content.secrets.iter().enumerate() {
            let name = match (content.withheld, number) {
                (true, _) => path.to_string(),
                (false, number) => format!("{path}#{}", number + 1),
            };
            sink.secret(&name, *print, Origin::File(path.clone(), *line));
        }
    }
}
