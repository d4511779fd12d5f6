//! The thread that waits for the kernel.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use baseline::{
    Bytes, FingerprintKey,
    actor::{
        Doer, How, Processes, Source, Who,
        connector::Life,
        counts,
        fanotify::{self, Event, Handle, Pidfd},
    },
};

use super::{
    kernel::{self, Connector, Grade, Group, Heard},
    mounts::Marked,
    proc,
};

/// Events of one read: each brings a descriptor, and a process may have 1,024 of them.
const BUFFER_BYTES: usize = 12 << 10;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const MOUNTS_EVERY: Duration = Duration::from_secs(30);
/// Folders whose paths are remembered.
const FOLDERS_MAX: usize = 8_192;
/// New programs that are looked at in a second before anybody asks; beyond, they are looked at when they change a
/// file.
const LOOKS_PER_SECOND: u32 = 400;
/// Messages of processes that are taken at once.
const HEARD_MAX: usize = 4_096;
/// The thread does little, but has to do it before a process is gone.
const NICE: i32 = -10;

/// What is watched.
#[derive(Clone, Debug)]
pub enum Places {
    /// What the collector reads of this host.
    Host,
    /// The same of a folder that holds the root of one; paths are told from there.
    Root(PathBuf),
    /// Everything below these folders.
    Below(Vec<PathBuf>),
}

impl Places {
    /// The path by which a change is told; none of one that does not count.
    fn told(&self, path: &[u8]) -> Option<Vec<u8>> {
        match self {
            Places::Host => counts(path).then(|| path.to_vec()),
            Places::Root(root) => {
                let inside = path.strip_prefix(root.as_os_str().as_bytes())?;
                counts(inside).then(|| inside.to_vec())
            }
            Places::Below(folders) => {
                let path = Path::new(OsStr::from_bytes(path));
                let is_inside = folders.iter().any(|folder| path.starts_with(folder));
                is_inside.then(|| path.as_os_str().as_bytes().to_vec())
            }
        }
    }

    fn folders(&self) -> Option<Vec<PathBuf>> {
        match self {
            Places::Host => None,
            Places::Root(root) => Some(vec![root.clone()]),
            Places::Below(folders) => Some(folders.clone()),
        }
    }
}

/// What the watch saw.
#[derive(Debug)]
pub enum Seen {
    /// `at` in microseconds since 1970.
    Touch { path: Bytes, how: How, at: i64, doer: Doer },
    /// The file that Ume itself changes to see whether it is noticed.
    Canary,
    /// Something may have gone by unseen.
    Gap(&'static str),
}

/// How it stands with the watch.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// None: it does not run.
    pub grade: Option<Grade>,
    /// Why not, or why no more.
    pub trouble: Option<String>,
    pub watched: Vec<PathBuf>,
    pub unwatched: BTreeMap<PathBuf, String>,
    /// Whether births and ends of processes are heard of.
    pub hears_processes: bool,
    /// Events that the kernel reported, and how many of them counted.
    pub events: u64,
    pub counted: u64,
}

/// A watch that runs until it is dropped.
pub struct Watch {
    stop: Arc<AtomicBool>,
    status: Arc<Mutex<Status>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins; what fails is in the status and nowhere else. `clock` is asked for microseconds since 1970.
    pub fn start(
        places: Places,
        canary: Option<PathBuf>,
        key: FingerprintKey,
        clock: impl Fn() -> i64 + Send + 'static,
        sink: impl FnMut(Seen) + Send + 'static,
    ) -> Watch {
        let (stop, status) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Status>>::default());
        let opened = Group::open();
        let group = match opened {
            Ok(group) => group,
            Err(error) => {
                lock(&status).trouble = Some(why(&error));
                return Watch { stop, status, thread: None };
            }
        };
        let mut watcher = Watcher {
            group,
            connector: Connector::open().ok(),
            places,
            canary: canary.map(|path| path.into_os_string().into_vec()),
            key,
            marked: Marked::default(),
            folders: HashMap::new(),
            processes: Processes::default(),
            looks: (Instant::now(), 0),
            empty_at: 0,
            status: status.clone(),
            clock: Box::new(clock),
            sink: Box::new(sink),
        };
        // Marked before this returns: what is changed afterwards is seen.
        watcher.prepare();
        let (stopped, noted) = (stop.clone(), status.clone());
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            // Of this thread alone; without the right it stays as it is.
            let _ = rustix::process::setpriority_process(None, NICE);
            let ended = watcher.run(&stopped);
            let mut status = lock(&noted);
            status.grade = None;
            status.trouble = ended.err().map(|error| why(&error));
        });
        match thread {
            Ok(thread) => Watch { stop, status, thread: Some(thread) },
            Err(error) => {
                lock(&status).trouble = Some(error.to_string());
                Watch { stop, status, thread: None }
            }
        }
    }

    pub fn status(&self) -> Status {
        lock(&self.status).clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "the kernel reports changes of files to root only (CAP_SYS_ADMIN)".to_owned()
        }
        io::ErrorKind::Unsupported => "this kernel does not report changes of files".to_owned(),
        _ => error.to_string(),
    }
}

type FolderKey = ([u8; 8], i32, Vec<u8>);

struct Watcher {
    group: Group,
    connector: Option<Connector>,
    places: Places,
    canary: Option<Vec<u8>>,
    key: FingerprintKey,
    marked: Marked,
    /// Paths of folders by their handles; none for what cannot be opened.
    folders: HashMap<FolderKey, Option<Arc<[u8]>>>,
    processes: Processes,
    /// Second and number of looks in it.
    looks: (Instant, u32),
    /// When the queue was last seen empty, in ticks of the machine.
    empty_at: u64,
    status: Arc<Mutex<Status>>,
    clock: Box<dyn Fn() -> i64 + Send>,
    sink: Box<dyn FnMut(Seen) + Send>,
}

impl Watcher {
    fn prepare(&mut self) {
        self.seed();
        self.mark();
        let mut status = lock(&self.status);
        status.grade = Some(self.group.grade);
        status.hears_processes = self.connector.is_some();
    }

    fn seed(&mut self) {
        for (pid, parent, program) in proc::all() {
            self.processes.seed(pid, parent, program);
        }
    }

    fn mark(&mut self) {
        let canary =
            self.canary.as_ref().map(|path| PathBuf::from(OsString::from_vec(path.clone())));
        let beside: Vec<PathBuf> =
            canary.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
        let folders = self.places.folders();
        self.marked.renew(&self.group, folders.as_deref(), &beside);
        let mut status = lock(&self.status);
        status.watched = self.marked.folders.values().map(|(place, _)| place.clone()).collect();
        status.unwatched = self.marked.unwatched.clone();
    }

    fn run(mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut marked = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let own = self.group.as_fd();
            match &self.connector {
                Some(connector) => kernel::wait(&[own, connector.as_fd()], LOOK_EVERY)?,
                None => kernel::wait(&[own], LOOK_EVERY)?,
            }
            if marked.elapsed() >= MOUNTS_EVERY {
                self.mark();
                marked = Instant::now();
            }
            self.round(&mut buffer, stop)?;
        }
        Ok(())
    }

    /// Takes all that waits.
    fn round(&mut self, buffer: &mut [u8], stop: &AtomicBool) -> io::Result<()> {
        loop {
            let is_bare = self.group.grade == Grade::Bare;
            let before = is_bare.then(proc::ticks_now).flatten();
            let count = self.group.read(buffer)?;
            if count == 0 {
                // Before more is heard: of who ends from now on, events may come that were not there yet.
                self.processes.queue_was_empty();
                self.empty_at = before.unwrap_or(0);
                self.hear();
                return Ok(());
            }
            self.hear();
            let (events, broken) = fanotify::read(&buffer[..count]);
            for event in &events {
                self.take(event);
            }
            if let Some(broken) = broken {
                return Err(io::Error::other(broken.to_string()));
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn hear(&mut self) {
        for _ in 0..HEARD_MAX {
            let Some(connector) = &self.connector else { return };
            match connector.hear() {
                Heard::Life(Life::Forked { parent, child }) => self.processes.forked(parent, child),
                Heard::Life(Life::Executed(pid)) => {
                    self.processes.executed(pid);
                    self.look(pid);
                }
                Heard::Life(Life::Ended(pid)) => self.processes.ended(pid),
                Heard::Other => {}
                Heard::Lost => {
                    self.processes.forget();
                    self.seed();
                    (self.sink)(Seen::Gap("process_events_lost"));
                }
                Heard::Nothing => return,
            }
        }
    }

    /// Looks at a process that just became another program: it may be gone when it has changed something.
    fn look(&mut self, pid: u32) {
        if self.looks.0.elapsed() >= Duration::from_secs(1) {
            self.looks = (Instant::now(), 0);
        }
        if self.looks.1 >= LOOKS_PER_SECOND || pid == std::process::id() {
            return;
        }
        self.looks.1 += 1;
        if let Some(live) = proc::read(pid, &self.key) {
            self.processes.know(pid, Arc::new(live.who));
        }
    }

    fn take(&mut self, event: &Event<'_>) {
        let pidfd = kernel::owned(event);
        lock(&self.status).events += 1;
        if event.mask & fanotify::OVERFLOW != 0 {
            return (self.sink)(Seen::Gap("queue_overflow"));
        }
        let is_folder = event.mask & fanotify::ON_DIRECTORY != 0;
        let path = self.path(event);
        if is_folder && event.mask & (fanotify::MOVED_FROM | fanotify::MOVED_TO) != 0 {
            // Every path below it is another now.
            self.folders.clear();
        }
        let Some(path) = path else { return };
        if event.mask & fanotify::OPEN_EXEC != 0 && event.pid != 0 {
            self.processes.opened(event.pid, Bytes(path.clone()));
        }
        let how = How::of_mask(event.mask);
        if how.is_none() {
            return;
        }
        if self.canary.as_ref() == Some(&path) {
            return (self.sink)(Seen::Canary);
        }
        let Some(path) = self.places.told(&path).filter(|_| event.pid != std::process::id()) else {
            return;
        };
        let doer = self.doer(event, pidfd);
        lock(&self.status).counted += 1;
        let at = (self.clock)();
        (self.sink)(Seen::Touch { path: Bytes(path), how, at, doer });
    }

    fn path(&mut self, event: &Event<'_>) -> Option<Vec<u8>> {
        let folder = self.folder(event.folder.as_ref()?)?;
        let Some(name) = event.name else { return Some(folder.to_vec()) };
        let mut path = folder.to_vec();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Some(path)
    }

    fn folder(&mut self, handle: &Handle<'_>) -> Option<Arc<[u8]>> {
        let key = (handle.file_system, handle.kind, handle.bytes.to_vec());
        if let Some(known) = self.folders.get(&key) {
            return known.clone();
        }
        if self.folders.len() >= FOLDERS_MAX {
            self.folders.clear();
        }
        let found: Option<Arc<[u8]>> = self.open(handle).and_then(|fd| path_of(&fd)).map(Arc::from);
        self.folders.insert(key, found.clone());
        found
    }

    fn open(&self, handle: &Handle<'_>) -> Option<OwnedFd> {
        match self.marked.folders.get(&handle.file_system) {
            Some((_, mount)) => kernel::open_by_handle(mount.as_fd(), handle).ok(),
            // Some file systems name themselves in another way in events.
            None => {
                let mut mounts = self.marked.folders.values();
                mounts.find_map(|(_, mount)| kernel::open_by_handle(mount.as_fd(), handle).ok())
            }
        }
    }

    /// Who it was, as far as it can be known for certain.
    fn doer(&mut self, event: &Event<'_>, pidfd: Option<OwnedFd>) -> Doer {
        let pid = event.pid;
        let source = Source::Fanotify;
        if pid == 0 || !self.processes.is_certain(pid) {
            return Doer { source, pid, programs: Vec::new(), who: None };
        }
        let known =
            self.processes.who(pid).filter(|who| who.login.is_some() && who.command.is_some());
        let told = self.processes.programs(pid, None);
        let live = match known.is_some() && told.len() == 1 {
            // Looked at already: a run of dpkg changes thousands of files.
            true => None,
            false => self.live(event, pidfd.as_ref()),
        };
        let programs = match &live {
            Some(live) => self.processes.programs(pid, live.program.clone()),
            None => told,
        };
        let who = match live {
            Some(mut live) => {
                // One that has ended has no arguments any more.
                let before = || self.processes.who(pid)?.command.clone();
                live.who.command = live.who.command.or_else(before);
                let who = Arc::new(live.who);
                self.processes.know(pid, who.clone());
                Some(who)
            }
            None => known.or_else(|| self.processes.who(pid)).or_else(|| self.of_parent(pid)),
        };
        let programs = programs.iter().map(|path| Bytes::clone(path)).collect();
        Doer { source, pid, programs, who: who.map(|who| Who::clone(&who)) }
    }

    /// Reads the process, if it surely is the one of the event.
    fn live(&self, event: &Event<'_>, pidfd: Option<&OwnedFd>) -> Option<proc::Live> {
        let live = proc::read(event.pid, &self.key)?;
        match (event.pidfd, pidfd) {
            // After it was read, so that all of it is of this process.
            (_, Some(pidfd)) => kernel::bears_its_number(pidfd.as_fd()).then_some(live),
            // Born before the queue was last empty, so before the event.
            (Pidfd::Unsupported, None) => (live.start < self.empty_at).then_some(live),
            _ => None,
        }
    }

    /// What a process that is gone had from its parent, if that is still there.
    fn of_parent(&mut self, pid: u32) -> Option<Arc<Who>> {
        let parent = self.processes.parent(pid)?;
        if let Some(who) = self.processes.who(parent) {
            return Some(Arc::new(Who { command: None, ..Who::clone(&who) }));
        }
        let live = proc::read(parent, &self.key)?;
        self.hear();
        let is_it = self.processes.is_running(parent) && self.processes.parent(pid) == Some(parent);
        if !is_it {
            return None;
        }
        let who = Arc::new(live.who);
        self.processes.know(parent, who.clone());
        Some(Arc::new(Who { command: None, ..Who::clone(&who) }))
    }
}

/// The path of an open folder; none of one that was removed.
fn path_of(fd: &OwnedFd) -> Option<Vec<u8>> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    let path = link.into_os_string().into_vec();
    (path.first() == Some(&b'/') && !path.ends_with(b" (deleted)")).then_some(path)
}
