//! The async edge: files, journal, syslog and RELP into one [`Stream`]. The only clock of the crate is here.
//!
//! An intake that can wait (file, journal, TCP) waits while the spool is full; UDP cannot, and its lines
//! are then refused and counted. File and journal write their position into the frame of each line (see
//! `marks`), so a crash reads none twice and none never.

mod allow;
mod file;
mod flow;
mod journal;
mod net;
mod otlp;
mod poll;
mod relp;
mod syslog;
mod traps;
mod udp;
mod upload;

use std::time::Duration;

use model::Timestamp;
use tokio::sync::watch;

pub use allow::{Allow, Denied, wild};
pub use file::FileTail;
pub use flow::{Flows, MaySend};
pub use journal::JournalFollow;
pub use net::{Admit, Door, Guest, Secure, TcpLimits, Wire};
pub use otlp::{Otlp, Taken};
pub use poll::{Credentials, Poll};
pub use relp::Relp;
pub use syslog::{SyslogTcp, SyslogUdp};
pub use traps::{Knows, Traps};
pub use upload::{Upload, Uploads};

use crate::{Ack, Error, RawLine, Result, Stream, notices};

/// Becomes `true` when the intakes shall end; they also end when the sender is dropped.
pub type Shutdown = watch::Receiver<bool>;

/// Free spool an intake wants to see before it reads on.
const ROOM_BYTES: u64 = 4 << 20;

/// The wall clock.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
}

async fn ingest(stream: &Stream, source: &str, lines: Vec<RawLine>) -> Result<Ack> {
    let (stream, source) = (stream.clone(), source.to_owned());
    blocking(move || {
        let notices = notices::found(lines.iter());
        let ack = stream.ingest(&source, lines, now())?;
        notices::count(&stream, &source, notices)?;
        Ok(ack)
    })
    .await
}

/// Stores lines of a sender that waits for our word, however long the spool is full; `false` if the
/// end came first, and then nothing was stored.
async fn offer(
    stream: &Stream,
    source: &str,
    lines: &[RawLine],
    shutdown: &mut Shutdown,
) -> Result<bool> {
    if lines.is_empty() {
        return Ok(true);
    }
    loop {
        let (handle, name, batch) = (stream.clone(), source.to_owned(), lines.to_vec());
        let stored = blocking(move || {
            handle.offer(&name, &batch, now())?;
            notices::count(&handle, &name, notices::found(batch.iter()))
        });
        match stored.await {
            Err(Error::SpoolFull { .. }) => {}
            stored => return stored.map(|()| true),
        }
        if !pause(Duration::from_millis(500), shutdown).await {
            return Ok(false);
        }
    }
}

/// Stores lines of senders that may send them again; `true` if they are on the disk.
async fn offer_once(stream: &Stream, source: &str, lines: Vec<RawLine>) -> bool {
    match ingest(stream, source, lines).await {
        Ok(ack) => ack.refused.is_empty(),
        Err(error) => {
            tracing::error!(source, %error, "lines not stored");
            false
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Worker(e.to_string()))?
}

/// Waits until the spool takes more; `false` if the end came first.
async fn room(stream: &Stream, shutdown: &mut Shutdown) -> bool {
    while stream.free() < ROOM_BYTES {
        if !pause(Duration::from_millis(500), shutdown).await {
            return false;
        }
    }
    !*shutdown.borrow()
}

/// Sleeps; `false` if the end came first.
async fn pause(time: Duration, shutdown: &mut Shutdown) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => !*shutdown.borrow(),
        () = ended(shutdown) => false,
    }
}

async fn ended(shutdown: &mut Shutdown) {
    // An error means that the sender is gone, which is an end too.
    let _ = shutdown.wait_for(|end| *end).await;
}
