//! Against the real kernel, as root; where the kernel does not let us, each test says so and ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use baseline::{FingerprintKey, actor::Doer};
use model::Timestamp;

use super::{Canary, Observer, Places, Seen, Watch};

const WAIT: Duration = Duration::from_secs(60);

fn key() -> FingerprintKey {
    FingerprintKey::new([1; 32])
}

/// The queue of a group is as long as this number says when the group is made.
static QUEUE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn watch(places: Places, slow: Duration) -> Option<(Watch, Receiver<Seen>)> {
    let (send, receive) = channel();
    let watch = Watch::start(
        places,
        None,
        key(),
        || 7,
        move |seen| {
            std::thread::sleep(slow);
            let _ = send.send(seen);
        },
    );
    match watch.status().trouble {
        None => Some((watch, receive)),
        Some(trouble) => {
            eprintln!("skipped: {trouble}");
            None
        }
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().canonicalize().expect("path");
    (folder, path)
}

/// What was seen, by path below the folder, until the file `end` is.
fn until_end(
    seen: &Receiver<Seen>,
    folder: &Path,
) -> (BTreeMap<String, Vec<Doer>>, BTreeSet<&'static str>) {
    let (mut found, mut gaps) = (BTreeMap::<String, Vec<Doer>>::new(), BTreeSet::new());
    let started = Instant::now();
    assert!(Command::new("touch").arg(folder.join("end")).status().expect("touch").success());
    while started.elapsed() < WAIT {
        match seen.recv_timeout(Duration::from_secs(1)) {
            Ok(Seen::Touch { path, doer, .. }) => {
                let path = PathBuf::from(path.to_string());
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                if name == "end" {
                    return (found, gaps);
                }
                found.entry(name).or_default().push(doer);
            }
            Ok(Seen::Gap(why)) => {
                gaps.insert(why);
            }
            Ok(Seen::Canary) | Err(_) => {}
        }
    }
    panic!("the end was not seen");
}

fn program(name: &str) -> String {
    let path = fs::canonicalize(name).expect("a program");
    path.display().to_string()
}

#[test]
fn of_a_thousand_processes_that_are_gone_at_once_nearly_all_are_named_and_none_wrongly() {
    let _queue = QUEUE.lock();
    let (_keep, folder) = folder();
    let Some((_watch, seen)) = watch(Places::Below(vec![folder.clone()]), Duration::ZERO) else {
        return;
    };
    let (sh, tee, touch) = (program("/bin/sh"), program("/usr/bin/tee"), program("/usr/bin/touch"));
    let mut expected = BTreeMap::new();
    let mut running = Vec::new();
    for number in 0..1_000 {
        let (name, file) = (number.to_string(), folder.join(number.to_string()));
        let file = file.display();
        let (script, program) = match number % 4 {
            0 => (format!("echo x > {file}"), &sh),
            // A redirection of the shell, then another program in the same process.
            1 => (format!("exec touch {file}"), &touch),
            2 => (format!("echo x | tee {file} > /dev/null"), &tee),
            // A process that executes nothing of its own.
            _ => (format!("(echo x > {file}) & wait"), &sh),
        };
        expected.insert(name, program.clone());
        running.push(Command::new("sh").args(["-c", &script]).spawn().expect("sh"));
        if running.len() == 8 {
            running.drain(..).for_each(|mut child| assert!(child.wait().expect("ended").success()));
        }
    }
    running.drain(..).for_each(|mut child| assert!(child.wait().expect("ended").success()));
    let (found, gaps) = until_end(&seen, &folder);
    let (mut right, mut wrong, mut known) = (0, Vec::new(), 0);
    for (name, program) in &expected {
        let doers = found.get(name).map_or(&[][..], Vec::as_slice);
        let named = |doer: &&Doer| doer.programs.iter().any(|one| one.to_string() == *program);
        let sole = |doer: &&Doer| doer.programs.len() == 1;
        right += usize::from(doers.iter().any(|doer| named(&doer) && sole(&doer)));
        wrong.extend(doers.iter().filter(|doer| !doer.programs.is_empty() && !named(doer)));
        known += usize::from(doers.iter().any(|doer| doer.who.is_some()));
    }
    eprintln!("right {right}, who known {known}, wrong {}, gaps {gaps:?}", wrong.len());
    assert!(wrong.is_empty(), "{:?}", wrong.first());
    assert!(right >= 950, "{right} of 1000, gaps {gaps:?}");
}

#[test]
fn who_logged_in_is_told_beyond_a_change_of_user_and_secrets_are_cut() {
    let _queue = QUEUE.lock();
    let (_keep, folder) = folder();
    let Some((_watch, seen)) = watch(Places::Below(vec![folder.clone()]), Duration::ZERO) else {
        return;
    };
    let file = folder.join("file");
    let script = format!(
        "echo 4242 > /proc/self/loginuid || exit 7; sh -c 'echo \"$1\" > {}; sleep 0.3' x --password=geheim12; true",
        file.display()
    );
    let status = Command::new("sh").args(["-c", &script]).status().expect("sh");
    if status.code() == Some(7) {
        eprintln!("skipped: loginuid cannot be set here");
        return;
    }
    let (found, _) = until_end(&seen, &folder);
    let who = found["file"].iter().rev().find_map(|doer| doer.who.clone()).expect("who");
    assert_eq!(who.login, Some(4242));
    assert!(who.session.is_some() && who.uid.is_some());
    assert_eq!(who.chain.first().map(String::as_str), Some("sh"));
    let command = who.command.expect("a command line");
    assert!(command.starts_with("sh -c") && !command.contains("geheim12"), "{command}");
}

#[test]
fn paths_follow_a_folder_that_was_moved_and_what_does_not_count_is_not_told() {
    let _queue = QUEUE.lock();
    let (_keep, root) = folder();
    fs::create_dir_all(root.join("etc/old")).expect("folder");
    fs::create_dir_all(root.join("var/log")).expect("folder");
    let Some((_watch, seen)) = watch(Places::Root(root.clone()), Duration::ZERO) else { return };
    let script = "echo 1 > etc/old/a; mv etc/old etc/new; echo 2 > etc/new/b; echo x > var/log/c; \
                  chmod 600 etc/new/b; rm etc/new/a; touch etc/end";
    let status = Command::new("sh").args(["-c", script]).current_dir(&root).status().expect("sh");
    assert!(status.success());
    let mut found = BTreeMap::<String, BTreeSet<&str>>::new();
    let started = Instant::now();
    while !found.contains_key("/etc/end") && started.elapsed() < WAIT {
        if let Ok(Seen::Touch { path, how, .. }) = seen.recv_timeout(Duration::from_secs(1)) {
            found.entry(path.to_string()).or_default().extend(how.names());
        }
    }
    assert!(found["/etc/old/a"].contains("write"), "{found:?}");
    assert!(found["/etc/old"].contains("move_out") && found["/etc/new"].contains("move_in"));
    assert!(found["/etc/new/b"].is_superset(&BTreeSet::from(["create", "write", "attributes"])));
    assert!(found["/etc/new/a"].contains("delete"));
    assert!(found.keys().all(|path| path.starts_with("/etc/")), "{found:?}");
}

/// The number in a file of the kernel, as it was before once this ends.
struct Kernel(&'static str, String);

impl Kernel {
    fn set(path: &'static str, number: &str) -> Option<Kernel> {
        let before = fs::read_to_string(path).ok()?;
        fs::write(path, number).ok()?;
        Some(Kernel(path, before))
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let _ = fs::write(self.0, &self.1);
    }
}

#[test]
fn what_does_not_fit_into_the_queue_is_a_gap() {
    let _queue = QUEUE.lock();
    let (_keep, folder) = folder();
    let Some(queue) = Kernel::set("/proc/sys/fs/fanotify/max_queued_events", "16") else {
        eprintln!("skipped: the length of the queue cannot be set here");
        return;
    };
    let Some((_watch, seen)) =
        watch(Places::Below(vec![folder.clone()]), Duration::from_millis(20))
    else {
        return;
    };
    drop(queue);
    let script =
        format!("i=0; while [ $i -lt 500 ]; do echo x > {}/$i; i=$((i+1)); done", folder.display());
    assert!(Command::new("sh").args(["-c", &script]).status().expect("sh").success());
    let started = Instant::now();
    let mut gap = None;
    while gap.is_none() && started.elapsed() < WAIT {
        if let Ok(Seen::Gap(why)) = seen.recv_timeout(Duration::from_secs(1)) {
            gap = Some(why);
        }
    }
    assert_eq!(gap, Some("queue_overflow"));
}

#[test]
fn a_test_change_is_noticed_and_what_was_seen_outlives_the_process() {
    let _queue = QUEUE.lock();
    let (_keep, root) = folder();
    fs::create_dir_all(root.join("etc")).expect("folder");
    let state = root.join("state");
    let clock = || Timestamp(jiff::Timestamp::now().as_microsecond());
    let start =
        || Observer::over(Places::Root(root.clone()), &state, key(), clock).expect("started");
    let observer = start();
    if let Some(trouble) = observer.status().trouble {
        eprintln!("skipped: {trouble}");
        return;
    }
    let wait_until_due = |observer: &Observer| {
        let started = Instant::now();
        while !observer.is_due() {
            assert!(started.elapsed() < WAIT, "never due");
            std::thread::sleep(Duration::from_millis(50));
        }
        started.elapsed()
    };
    observer.test_now();
    wait_until_due(&observer);
    let taken = observer.take(Duration::ZERO);
    assert!(
        matches!(taken.canary, Some(Canary::Noticed(after)) if after < Duration::from_secs(30))
    );
    assert!(taken.records().iter().any(|(ty, ..)| *ty == super::super::CANARY_CHANGE));
    let change = root.join("etc/hostname");
    let script = format!("echo x > {}", change.display());
    assert!(Command::new("sh").args(["-c", &script]).status().expect("sh").success());
    // Looks are apart, so this is not due at once, but within a minute.
    wait_until_due(&observer);
    drop(observer);
    let observer = start();
    let taken = observer.take(Duration::ZERO);
    let paths: Vec<String> = taken.journal.touches.iter().map(|t| t.path.to_string()).collect();
    assert_eq!(paths, ["/etc/hostname"]);
    assert!(taken.journal.gaps.iter().any(|gap| gap.why == "start"));
    let (_, facts, payload) = &taken.records()[0];
    assert_eq!((facts["touches"].as_u64(), facts["watch"].as_str()), (Some(1), Some("full")));
    assert!(payload.as_ref().is_some_and(|text| text.contains("/etc/hostname")));
    observer.give_back(taken);
    assert_eq!(observer.take(Duration::ZERO).journal.touches.len(), 1);
}
