//! Long work: how far it is, at a terminal, and how it ends at Ctrl-C.
//!
//! A bar stands on standard error where that is a terminal, and nowhere else. At the first Ctrl-C or
//! SIGTERM every piece of work that asks [`going`] ends with an error and takes away what it began;
//! what does not ask is dropped after [`GRACE`], which rolls its transaction back. A second one ends
//! the process at once.

use std::{
    future::Future,
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::CliError;

const GRACE: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_millis(120);
/// Exit code of a command that SIGINT ended, as shells count it.
pub const STOPPED: u8 = 130;

static STOP: AtomicBool = AtomicBool::new(false);

/// An error once the user asked to stop.
pub fn going() -> io::Result<()> {
    if STOP.load(Ordering::Relaxed) {
        return Err(io::Error::other("stopped"));
    }
    Ok(())
}

/// Does the work of a command, until its end or Ctrl-C.
pub async fn until_stopped<T: Send + 'static>(
    work: impl Future<Output = Result<T, CliError>> + Send + 'static,
) -> Result<T, CliError> {
    let mut work = tokio::spawn(work);
    let ended = |joined: Result<Result<T, CliError>, tokio::task::JoinError>| match joined {
        Ok(done) => done,
        Err(error) => Err(CliError::Worker(error.to_string())),
    };
    tokio::select! {
        joined = &mut work => return ended(joined),
        () = crate::serve::stopped() => STOP.store(true, Ordering::Relaxed),
    }
    tokio::select! {
        // What was finished all the same is finished.
        joined = &mut work => return ended(joined).map_err(|_| CliError::Stopped),
        () = tokio::time::sleep(GRACE) => {}
        () = crate::serve::stopped() => std::process::exit(i32::from(STOPPED)),
    }
    work.abort();
    let _ = tokio::time::timeout(GRACE, work).await;
    Err(CliError::Stopped)
}

/// A bar, taken away when it is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// Work of so many bytes.
    pub fn bytes(ja: &str, en: &str, total: u64) -> Bar {
        let shape = "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}";
        Bar::with(ProgressBar::new(total), shape, ja, en)
    }

    /// Work of so many steps.
    pub fn steps(ja: &str, en: &str, total: u64) -> Bar {
        Bar::with(ProgressBar::new(total), "{msg} [{bar:30}] {pos}/{len} {eta}", ja, en)
    }

    /// Work whose size nobody knows before its end; counts bytes where there are some.
    pub fn open(ja: &str, en: &str) -> Bar {
        Bar::with(ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}", ja, en)
    }

    fn with(bar: ProgressBar, shape: &str, ja: &str, en: &str) -> Bar {
        if let Ok(style) = ProgressStyle::with_template(shape) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(crate::say(ja, en));
        // Draws nothing where standard error is no terminal.
        bar.enable_steady_tick(TICK);
        Bar(bar)
    }

    /// So much more is done.
    pub fn add(&self, n: u64) {
        self.0.inc(n);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_ends_by_itself_keeps_its_result() {
        assert!(matches!(until_stopped(async { Ok(7) }).await, Ok(7)));
        let failed = until_stopped::<u8>(async { Err(CliError::SetUp) }).await;
        assert!(matches!(failed, Err(CliError::SetUp)));
    }
}
