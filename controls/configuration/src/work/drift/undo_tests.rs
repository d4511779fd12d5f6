use super::*;
use std::process::{Command, Stdio};

fn fact(class: Class, name: &str, value: Value, origin: &str) -> Fact {
    Fact { class, name: name.into(), value, origin: Origin::parse(origin) }
}

fn delta(was: &Facts, now: &Facts, class: Class, name: &str) -> Delta {
    let side = |facts: &Facts| facts.get(class, name.as_bytes()).cloned();
    let (before, after) = (side(was), side(now));
    let origin = after.as_ref().or(before.as_ref()).unwrap().origin.clone();
    let value = |fact: Option<Fact>| fact.map(|fact| fact.value);
    Delta { class, name: name.into(), before: value(before), after: value(after), origin }
}

/// Runs a script in which the programs of a system are stood in for by `true`.
fn run(script: &str) -> bool {
    let script = script
        .replace("/usr/sbin/sshd -t -f \"$new\"", "grep -q . \"$new\"")
        .replace("systemctl reload ssh", "true")
        .replace("sysctl -p \"$file\"", "true");
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(script).stdout(Stdio::null()).stderr(Stdio::null());
    sh.status().unwrap().success()
}

#[test]
fn a_keyword_is_put_back_in_its_line_and_forth_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sshd config");
    let place = format!("{}:2", file.display());
    let sshd = |value: &str| {
        Facts::new(vec![fact(Class::Sshd, "permitrootlogin", Value::texts([value]), &place)])
    };
    let (was, now) = (sshd("no"), sshd("yes"));
    std::fs::write(&file, "Port 22\nPermitRootLogin yes\nUsePAM yes\n").unwrap();
    let deltas = [delta(&was, &now, Class::Sshd, "permitrootlogin")];
    let made = undo("web1", &deltas, &now, &was);
    assert_eq!((&made.by_hand[..], &made.checks[..]), (&[][..], &["sshd -t"][..]));
    assert!(made.script.contains("/usr/sbin/sshd -t -f"), "{}", made.script);
    assert!(run(&made.script), "{}", made.script);
    let text = || std::fs::read_to_string(&file).unwrap();
    assert_eq!(text(), "Port 22\npermitrootlogin no\nUsePAM yes\n");
    let again = undo("web1", &reversed(&deltas, &was), &was, &now);
    assert!(run(&again.script), "{}", again.script);
    assert_eq!(text(), "Port 22\npermitrootlogin yes\nUsePAM yes\n");
    // The line has moved: nothing is touched.
    std::fs::write(&file, "# new\nPort 22\nPermitRootLogin yes\n").unwrap();
    assert!(!run(&made.script));
    assert_eq!(text(), "# new\nPort 22\nPermitRootLogin yes\n");
}

#[test]
fn a_line_that_was_added_goes_and_one_that_went_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.conf");
    let place = format!("{}:1", file.display());
    let sysctl = |origin: &str, value: &str| {
        Facts::new(vec![fact(Class::Sysctl, "kernel.sysrq", Value::text(value), origin)])
    };
    let (none, some) = (Facts::new(Vec::new()), sysctl(&place, "1"));
    std::fs::write(&file, "kernel.sysrq=1\nvm.swappiness=1\n").unwrap();
    let added = [delta(&none, &some, Class::Sysctl, "kernel.sysrq")];
    assert!(run(&undo("h", &added, &some, &none).script));
    let text = || std::fs::read_to_string(&file).unwrap();
    assert_eq!(text(), "vm.swappiness=1\n");
    let gone = [delta(&some, &none, Class::Sysctl, "kernel.sysrq")];
    let back = undo("h", &gone, &none, &some);
    assert!(back.script.contains("kernel.sysrq = 1"), "{}", back.script);
}

#[test]
fn accounts_rights_and_added_files_come_from_the_steps_of_a_rebuild() {
    let user = |uid: i64| {
        let text = |text: &str| Value::text(text);
        Value::map([
            ("uid", Value::Int(uid)),
            ("gid", Value::Int(100)),
            ("gecos", text("")),
            ("home", text("/home/ann")),
            ("shell", text("/bin/bash")),
        ])
    };
    let file = |mode: u16| {
        Value::map([
            ("change", Value::text("attributes")),
            ("kind", Value::text("file")),
            ("mode", Value::Mode(mode)),
            ("user", Value::text("root")),
            ("group", Value::text("root")),
        ])
    };
    let added = Value::map([
        ("change", Value::text("added")),
        ("kind", Value::text("file")),
        ("mode", Value::Mode(0o644)),
        ("user", Value::text("root")),
        ("group", Value::text("root")),
        ("sha256", Value::text("00")),
    ]);
    let was = Facts::new(vec![
        fact(Class::User, "ann", user(1000), "/etc/passwd:2"),
        fact(Class::File, "/etc/sudoers", file(0o440), "/etc/sudoers"),
    ]);
    let now = Facts::new(vec![
        fact(Class::User, "ann", user(0), "/etc/passwd:2"),
        fact(Class::File, "/etc/sudoers", file(0o666), "/etc/sudoers"),
        fact(Class::File, "/etc/cron.d/x", added, "/etc/cron.d/x"),
    ]);
    let deltas = [
        delta(&was, &now, Class::User, "ann"),
        delta(&was, &now, Class::File, "/etc/sudoers"),
        delta(&was, &now, Class::File, "/etc/cron.d/x"),
    ];
    let made = undo("web1", &deltas, &now, &was);
    for part in ["usermod", "-u 1000", "chmod 0440 /etc/sudoers", "/etc/cron.d/x"] {
        assert!(made.script.contains(part), "{part}: {}", made.script);
    }
    assert_eq!(made.by_hand, []);
    // The bytes of a file that went are in no snapshot: that is said.
    let back = undo("web1", &reversed(&deltas, &was), &was, &now);
    let path = "file//etc/cron.d/x".to_owned();
    assert!(back.by_hand.contains(&(path, Why::Content)), "{:?}", back.by_hand);
}

#[test]
fn what_no_command_undoes_is_named() {
    let facts = |value: i64| {
        Facts::new(vec![
            fact(Class::KernelValue, "kernel.sysrq", Value::Int(value), "$ sysctl"),
            fact(Class::Pam, "sshd auth", Value::Int(value), "/etc/pam.d/sshd"),
        ])
    };
    let (was, now) = (facts(0), facts(1));
    let deltas = [
        delta(&was, &now, Class::KernelValue, "kernel.sysrq"),
        delta(&was, &now, Class::Pam, "sshd auth"),
    ];
    let made = undo("h", &deltas, &now, &was);
    let why: Vec<Why> = made.by_hand.iter().map(|(_, why)| *why).collect();
    assert_eq!(why, [Why::Runtime, Why::Unknown]);
    assert!(made.script.is_empty());
}
