//! RELP over TCP or TLS: a message is answered when it is on the disk, and not before.
//!
//! What one read brings shares one fdatasync. While the spool is full nothing is read and nothing is
//! answered, so the sender's window fills and it waits. A sender that was cut off sends again what was
//! not answered; that is all that can be there twice.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    Shutdown,
    net::{Door, Guest},
    offer, room,
    syslog::Numbers,
};
use crate::{
    Format, RawLine, Result, Stream,
    relp::{Session, Step},
};

/// A RELP listener.
#[derive(Debug)]
pub struct Relp(Door);

impl Relp {
    /// Takes them at this door.
    pub fn at(door: Door) -> Relp {
        Relp(door)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves sessions until the end.
    pub async fn run(self, stream: Stream, shutdown: Shutdown) -> Result<()> {
        let numbers = Numbers::default();
        self.0.run(stream, shutdown, move |guest| serve(guest, numbers.clone())).await
    }
}

async fn serve(mut guest: Guest, numbers: Numbers) -> Result<()> {
    let mut session = Session::default();
    let mut buffer = vec![0; 65_536];
    let mut shutdown = guest.shutdown.clone();
    while room(&guest.stream, &mut shutdown).await {
        let Some(got) = guest.read(&mut buffer).await else { break };
        let steps = session.push(&buffer[..got]);
        let (answers, ends) = take(&mut guest, &numbers, steps).await?;
        if !send(&mut guest, &answers).await || ends {
            return Ok(());
        }
    }
    send(&mut guest, &Session::farewell()).await;
    Ok(())
}

/// Stores the messages, and only then says what to answer, and whether that is the end.
async fn take(guest: &mut Guest, numbers: &Numbers, steps: Vec<Step>) -> Result<(Vec<u8>, bool)> {
    let (mut lines, mut answers, mut ends) = (Vec::new(), Vec::new(), false);
    for step in steps {
        match step {
            Step::Answer(bytes) => answers.extend(bytes),
            Step::Message { number, bytes } => {
                let peer = Some(guest.peer.clone());
                lines.push(RawLine { bytes, format: Format::Syslog, peer, part: 0 });
                answers.extend(Session::stored(number));
            }
            Step::End { bytes, broken } => {
                if let Some(rule) = broken {
                    tracing::warn!(peer = guest.peer, rule, "a RELP session broke a rule");
                    guest.stream.turned_away(&guest.source, &guest.peer, "RELP rule broken")?;
                }
                answers.extend(bytes);
                ends = true;
            }
        }
    }
    if !offer(&guest.stream, &guest.source, &lines, &mut guest.shutdown).await? {
        return Ok((Vec::new(), true));
    }
    numbers.see(guest, &lines).await?;
    Ok((answers, ends))
}

/// Whether the other side took it.
async fn send(guest: &mut Guest, bytes: &[u8]) -> bool {
    let patience = guest.idle_max().min(Duration::from_secs(60));
    let sent = async {
        guest.wire.write_all(bytes).await?;
        guest.wire.flush().await
    };
    matches!(timeout(patience, sent).await, Ok(Ok(())))
}
