//! A statement in a process of its own, so that nothing it does can take the one that answers others with it.
//!
//! The process is this program again, with the verb [`VERB`]. Before it reads anything of the archive it gives up what
//! it does not need: memory beyond a limit, time of the processor, files that grow, its place in the queue of the
//! scheduler. It has no environment, no arguments, and no handle but its pipes. What a memory pool does not count ends
//! there too, and costs that one statement.
//!
//! Limits: [`AT_ONCE`] processes; an answer that is read up to what [`crate::Limits`] say.

use std::{
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::{Answer, Ask, BUILT, Kind, Limits, Trouble};

/// The verb that this program is started with.
pub const VERB: &str = "sql-worker";
/// Statements at the same time.
pub const AT_ONCE: usize = 2;
/// What the process needs beside what a statement may hold: the program, its threads, batches under way.
const BESIDE_BYTES: usize = 384 << 20;
/// Time that it has to say why it did not end.
const GRACE: Duration = Duration::from_secs(2);
/// JSON takes room beside the texts in it.
const ROOM: usize = 4;
/// Of a process that goes out of memory.
const ABORTED: i32 = 6;

static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// The program to start; for a caller that is not `ume` itself, as tests are. Else the one that runs, even if another
/// lies at its place by now.
pub static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// A place among those that run, given back at the end.
struct Place;

impl Place {
    fn take() -> Option<Place> {
        let free = |running: usize| (running < AT_ONCE).then_some(running + 1);
        RUNNING.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free).ok().map(|_| Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Serialize, Deserialize)]
struct Order {
    folder: PathBuf,
    ask: Ask,
}

/// Answers in a process of its own. Blocks until it ended, at most a little longer than its time.
pub fn apart(folder: &Path, ask: &Ask) -> Result<Answer, Trouble> {
    if !BUILT {
        return Err(Trouble::new(Kind::NotBuilt, ""));
    }
    let _place = Place::take().ok_or_else(|| Trouble::new(Kind::Busy, ""))?;
    let failed = |error: std::io::Error| Trouble::new(Kind::Failed, error);
    let program = PROGRAM.get().map_or(Path::new("/proc/self/exe"), PathBuf::as_path);
    let mut child = Command::new(program)
        .arg(VERB)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let order = Order { folder: folder.to_owned(), ask: ask.clone() };
    let order = serde_json::to_vec(&order).map_err(|error| Trouble::new(Kind::Failed, error))?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let child = Arc::new(Mutex::new(child));
    let (ended, wait) = mpsc::channel::<()>();
    let (guarded, time) = (child.clone(), Duration::from_secs(ask.limits.seconds_max) + GRACE);
    let guard = std::thread::spawn(move || {
        let late = wait.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            // It may have ended by itself meanwhile.
            let _ = guarded.lock().unwrap_or_else(PoisonError::into_inner).kill();
        }
        late
    });
    // A process that ended early does not read; what it says of that is read all the same.
    let _ = input.map(|mut input| input.write_all(&order));
    let most = (ask.limits.bytes_max * ROOM + (1 << 20)) as u64;
    let mut said = Vec::new();
    let read = output.map(|output| output.take(most).read_to_end(&mut said));
    drop(ended);
    let late = guard.join().unwrap_or(false);
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // Its pipe is closed, so it ends, or has more to say than it may.
    let _ = child.kill();
    let status = child.wait().map_err(failed)?;
    read.transpose().map_err(failed)?;
    match serde_json::from_slice(&said) {
        Ok(answer) => answer,
        Err(_) if late => Err(Trouble::new(Kind::Time, "")),
        Err(_) if status.signal() == Some(ABORTED) => Err(Trouble::new(Kind::Memory, "")),
        Err(_) => Err(Trouble::new(Kind::Failed, status)),
    }
}

/// What the process does: one order on its input, one answer on its output.
pub fn work() -> std::io::Result<()> {
    let mut order = Vec::new();
    std::io::stdin().take(1 << 20).read_to_end(&mut order)?;
    let order: Order = serde_json::from_slice(&order)?;
    give_up(&order.ask.limits)?;
    let answer = crate::run(&order.folder, &order.ask);
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &answer)?;
    out.flush()
}

fn give_up(limits: &Limits) -> std::io::Result<()> {
    let most = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Data, most((limits.memory_bytes_max + BESIDE_BYTES) as u64))?;
    setrlimit(Resource::Cpu, most(limits.seconds_max * 4 + 10))?;
    setrlimit(Resource::Fsize, most(0))?;
    setrlimit(Resource::Core, most(0))?;
    rustix::process::nice(10)?;
    Ok(())
}
