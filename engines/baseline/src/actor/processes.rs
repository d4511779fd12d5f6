//! Which program a process number stood for when a file was changed, though the process may be gone.
//!
//! Two sources are put together. Openings for execution come in the same queue as changes of files, so their order
//! is certain; births and ends come over the connector, whose order to the queue is not. So a number that was given
//! anew while events may still wait for its last bearer stands for nobody until the queue was seen empty.
//!
//! Invariants: what is uncertain gives several programs or none, never one that was not it. Bounded by
//! [`PROCESSES_MAX`].

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::Who;
use crate::bytes::Bytes;

/// Processes that are known at once.
pub const PROCESSES_MAX: usize = 65_536;
/// Programs that one process ran, of which the last are kept.
const PROGRAMS_MAX: usize = 8;
/// Parents that are asked for what a process inherited.
const PARENTS_MAX: usize = 4;

#[derive(Debug, Default)]
struct Process {
    parent: u32,
    /// What the parent had opened to execute when it was born, as far as the queue had told.
    openings_of_parent: u32,
    /// What it may have run when it was born.
    inherited: Vec<Arc<Bytes>>,
    /// What it opened to execute, and whether that surely succeeded.
    opened: Vec<(Arc<Bytes>, bool)>,
    openings: u32,
    executions: u32,
    who: Option<Arc<Who>>,
    has_ended: bool,
    /// The number may still mean its last bearer.
    is_doubtful: bool,
}

/// The processes of a host.
#[derive(Debug, Default)]
pub struct Processes {
    all: HashMap<u32, Process>,
    ended: BTreeSet<u32>,
    doubtful: BTreeSet<u32>,
    /// Who became another program since the queue was last seen empty.
    unsettled: BTreeSet<u32>,
}

impl Processes {
    /// A process that was there before, with its program.
    pub fn seed(&mut self, pid: u32, parent: u32, program: Bytes) {
        let inherited = vec![Arc::new(program)];
        self.put(pid, Process { parent, inherited, ..Process::default() });
    }

    pub fn forked(&mut self, parent: u32, child: u32) {
        let is_doubtful = self.all.contains_key(&child);
        let inherited = self.programs_of(parent, 0);
        let who =
            self.all.get(&parent).and_then(|process| process.who.as_ref().map(Who::inherited));
        let process = Process { parent, inherited, who, is_doubtful, ..Process::default() };
        self.ended.remove(&child);
        if is_doubtful {
            self.doubtful.insert(child);
        }
        self.put(child, process);
    }

    fn put(&mut self, pid: u32, process: Process) {
        if self.all.len() < PROCESSES_MAX || self.all.contains_key(&pid) {
            self.all.insert(pid, process);
        }
    }

    /// The kernel says that the process now runs another program.
    pub fn executed(&mut self, pid: u32) {
        if let Some(process) = self.all.get_mut(&pid) {
            process.executions += 1;
            self.unsettled.insert(pid);
        }
    }

    pub fn ended(&mut self, pid: u32) {
        if let Some(process) = self.all.get_mut(&pid) {
            process.has_ended = true;
            self.ended.insert(pid);
        }
    }

    /// A file that the process opened to execute it: the program, or what it needs to be run.
    pub fn opened(&mut self, pid: u32, path: Bytes) {
        if self.all.len() >= PROCESSES_MAX && !self.all.contains_key(&pid) {
            return;
        }
        let process = self.all.entry(pid).or_default();
        if is_loader(path.as_slice()) {
            // The kernel opens the loader only after it has read a program that needs it.
            if let Some(last) = process.opened.last_mut() {
                last.1 = true;
            }
            return;
        }
        process.openings += 1;
        if process.opened.len() == PROGRAMS_MAX {
            process.opened.remove(0);
        }
        process.opened.push((Arc::new(path), false));
    }

    /// Whose work it is, as read while the process or its parent was there.
    pub fn know(&mut self, pid: u32, who: Arc<Who>) {
        if let Some(process) = self.all.get_mut(&pid) {
            process.who = Some(who);
        } else {
            self.put(pid, Process { who: Some(who), ..Process::default() });
        }
    }

    /// What is known of the process, which it may have inherited.
    pub fn who(&self, pid: u32) -> Option<Arc<Who>> {
        self.all.get(&pid).filter(|process| !process.is_doubtful)?.who.clone()
    }

    pub fn parent(&self, pid: u32) -> Option<u32> {
        let process = self.all.get(&pid).filter(|process| !process.is_doubtful)?;
        Some(process.parent).filter(|parent| *parent > 1)
    }

    /// Whether the process is known to be there.
    pub fn is_running(&self, pid: u32) -> bool {
        self.all.get(&pid).is_some_and(|process| !process.has_ended && !process.is_doubtful)
    }

    /// Whether the number surely stands for one process.
    pub fn is_certain(&self, pid: u32) -> bool {
        self.all.get(&pid).is_none_or(|process| !process.is_doubtful)
    }

    /// The program of the process as of the last event that was taken; several where it is uncertain which of
    /// them; none where nothing is known. `live` is what it runs at this moment, if it is there.
    pub fn programs(&self, pid: u32, live: Option<Bytes>) -> Vec<Arc<Bytes>> {
        if !self.is_certain(pid) {
            return Vec::new();
        }
        let mut told = self.programs_of(pid, 0);
        // What it runs now says what it ran then only if it did not change meanwhile.
        let live = live.filter(|_| !self.unsettled.contains(&pid));
        match (told.len(), live) {
            (0, Some(live)) => vec![Arc::new(live)],
            (2.., Some(live)) => {
                if let Some(at) = told.iter().position(|program| **program == live) {
                    told = vec![told.swap_remove(at)];
                }
                told
            }
            _ => told,
        }
    }

    fn programs_of(&self, pid: u32, depth: usize) -> Vec<Arc<Bytes>> {
        let Some(process) = self.all.get(&pid) else { return Vec::new() };
        let Some((last, is_sure)) = process.opened.last() else {
            if process.executions > 0 {
                // Another program whose opening was not told yet, or never will be.
                return Vec::new();
            }
            let mut found = process.inherited.clone();
            if let Some(parent) = self.all.get(&process.parent).filter(|_| depth < PARENTS_MAX) {
                // Told since the birth, so it may have been before or after it.
                let since = parent.openings.saturating_sub(process.openings_of_parent) as usize;
                let from = parent.opened.len().saturating_sub(since);
                for (path, _) in &parent.opened[from..] {
                    if !found.contains(path) {
                        found.push(path.clone());
                    }
                }
            }
            return found;
        };
        if *is_sure || process.executions >= process.openings {
            return vec![last.clone()];
        }
        let before = process.opened.len().checked_sub(2).map(|at| process.opened[at].0.clone());
        let mut found: Vec<_> = before.into_iter().chain(process.inherited.clone()).collect();
        found.push(last.clone());
        found.dedup();
        found
    }

    /// Nothing waits in the queue of events: who has ended needs no place any more.
    pub fn queue_was_empty(&mut self) {
        self.unsettled.clear();
        for pid in std::mem::take(&mut self.ended) {
            self.all.remove(&pid);
        }
        for pid in std::mem::take(&mut self.doubtful) {
            if let Some(process) = self.all.get_mut(&pid) {
                process.is_doubtful = false;
            }
        }
    }

    /// Births or ends were lost: what is known of numbers is worth nothing any more.
    pub fn forget(&mut self) {
        *self = Processes::default();
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// The dynamic loader: what runs is the program before it.
fn is_loader(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let starts = [&b"ld-linux"[..], b"ld-musl", b"ld64.so", b"ld.so", b"ld-2."];
    starts.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(processes: &Processes, pid: u32) -> Vec<String> {
        processes.programs(pid, None).iter().map(|path| path.to_string()).collect()
    }

    #[test]
    fn a_short_lived_process_keeps_its_program_until_its_events_were_read() {
        let mut processes = Processes::default();
        processes.seed(10, 1, "/usr/bin/bash".into());
        processes.forked(10, 20);
        assert_eq!(names(&processes, 20), ["/usr/bin/bash"]);
        processes.opened(20, "/usr/bin/tee".into());
        processes.opened(20, "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2".into());
        processes.ended(20);
        assert_eq!(names(&processes, 20), ["/usr/bin/tee"]);
        processes.queue_was_empty();
        assert_eq!(names(&processes, 20), [""; 0]);
        // A loader alone says nothing of what it loads.
        processes.opened(20, "/usr/lib/ld-linux.so.2".into());
        assert_eq!(names(&processes, 20), [""; 0]);
    }

    #[test]
    fn a_number_given_anew_while_events_wait_is_nobody() {
        let mut processes = Processes::default();
        processes.seed(20, 1, "/usr/bin/old".into());
        processes.ended(20);
        processes.forked(1, 20);
        processes.opened(20, "/usr/bin/new".into());
        processes.executed(20);
        assert!(!processes.is_certain(20));
        assert_eq!(names(&processes, 20), [""; 0]);
        processes.queue_was_empty();
        assert_eq!(names(&processes, 20), ["/usr/bin/new"]);
    }

    #[test]
    fn a_program_that_may_not_have_started_is_one_of_several() {
        let mut processes = Processes::default();
        processes.seed(10, 1, "/bin/sh".into());
        // A text without interpreter: the shell reads it itself.
        processes.opened(10, "/opt/script".into());
        assert_eq!(names(&processes, 10), ["/bin/sh", "/opt/script"]);
        processes.executed(10);
        assert_eq!(names(&processes, 10), ["/opt/script"]);
    }

    #[test]
    fn a_child_of_a_parent_that_became_another_program_is_one_of_both() {
        let mut processes = Processes::default();
        processes.seed(10, 1, "/bin/sh".into());
        processes.forked(10, 11);
        processes.opened(10, "/usr/bin/make".into());
        processes.executed(10);
        assert_eq!(names(&processes, 11), ["/bin/sh", "/usr/bin/make"]);
    }

    #[test]
    fn what_a_process_runs_now_counts_only_if_it_did_not_just_become_it() {
        let mut processes = Processes::default();
        processes.seed(10, 1, "/bin/sh".into());
        processes.forked(10, 11);
        // The redirection of the shell was reported before what it then executed.
        processes.executed(11);
        assert_eq!(processes.programs(11, Some("/usr/bin/cat".into())), []);
        processes.queue_was_empty();
        let now = processes.programs(11, Some("/run/x".into()));
        assert_eq!(now.iter().map(|path| path.to_string()).collect::<Vec<_>>(), ["/run/x"]);
    }

    #[test]
    fn a_child_of_a_newborn_program_does_not_inherit_what_was_before_it() {
        let mut processes = Processes::default();
        processes.seed(1, 0, "/sbin/init".into());
        processes.forked(1, 10);
        processes.executed(10);
        processes.forked(10, 11);
        processes.opened(10, "/bin/sh".into());
        assert_eq!(names(&processes, 11), ["/bin/sh"]);
    }

    proptest! {
        #[test]
        fn whatever_happens_a_sole_program_was_opened_or_seeded_for_it_or_its_parents(
            steps in proptest::collection::vec((0_u8..6, 1_u32..6, 1_u32..6), 0..80)
        ) {
            let mut processes = Processes::default();
            processes.seed(1, 0, "/seed".into());
            for (step, a, b) in steps {
                match step {
                    0 => processes.forked(a, b),
                    1 => processes.executed(a),
                    2 => processes.ended(a),
                    3 => processes.opened(a, format!("/{a}-{b}").as_str().into()),
                    4 => processes.opened(a, "/lib/ld-linux.so.2".into()),
                    _ => processes.queue_was_empty(),
                }
                for pid in 1..6 {
                    for name in names(&processes, pid) {
                        prop_assert!(name.starts_with('/'));
                    }
                    prop_assert!(processes.is_certain(pid) || names(&processes, pid).is_empty());
                }
            }
        }
    }
}
