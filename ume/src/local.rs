//! The socket in the data folder: how a command works beside the server that holds the folder.
//!
//! `DATA/ume.sock` has mode 0600 from before it takes a connection, in a folder of mode 0700. Whoever
//! comes through it is the user of the server or root, which the kernel says (`SO_PEERCRED`), and
//! acts as the machine's administrator `local:NAME`. A socket left by a killed server is replaced by
//! whoever holds the lock of the folder, and by nobody else. At most [`CONNECTIONS_MAX`] at once.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, connect_info::Connected},
    middleware::Next,
    serve::IncomingStream,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use web::api::local::LocalUser;

use crate::CliError;

const NAME: &str = "ume.sock";
/// What the kernel takes as the address of a socket, without the closing zero.
const PATH_BYTES_MAX: usize = 107;
const CONNECTIONS_MAX: usize = 32;
const BACKLOG: i32 = 16;

/// Where the socket of a folder is; too long a path is named.
pub fn path(folder: &Path) -> Result<PathBuf, CliError> {
    let path = folder.join(NAME);
    let bytes = path.as_os_str().len();
    if bytes > PATH_BYTES_MAX {
        return Err(CliError::LongPath(path, bytes));
    }
    Ok(path)
}

/// Name of the user who runs this process.
pub fn user() -> LocalUser {
    LocalUser(user_name(rustix::process::geteuid().as_raw()))
}

/// The operating system's name of a user, else the number.
fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, _, id) = (parts.next()?, parts.next()?, parts.next()?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

/// The listening socket; its file goes when this is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    slots: Arc<Semaphore>,
}

impl Socket {
    /// Listens in a folder whose lock this process holds.
    pub fn bind(folder: &Path) -> Result<Socket, CliError> {
        let path = path(folder)?;
        remove_stale(&path)?;
        let listener =
            listen(&path).map_err(|source| CliError::Io { path: path.clone(), source })?;
        Ok(Socket { listener, path, slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)) })
    }

    /// Serves until it is dropped.
    pub async fn serve(self, app: Router) {
        let app = app.layer(axum::middleware::from_fn(vouch));
        let service = app.into_make_service_with_connect_info::<Peer>();
        if let Err(error) = axum::serve(self, service).await {
            tracing::error!(%error, "commands are no longer served");
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Only what is a socket is taken away: anything else was put there by somebody.
fn remove_stale(path: &Path) -> Result<(), CliError> {
    let fail = |source| CliError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fail(error)),
        Ok(meta) if meta.file_type().is_socket() => fs::remove_file(path).map_err(fail),
        Ok(_) => Err(CliError::NoSocket(path.to_owned())),
    }
}

/// Nobody can connect between `bind` and `listen`, so the mode stands before the first caller.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
}

/// Who is at the other end of the socket.
#[derive(Clone, Debug)]
pub struct Peer {
    uid: u32,
}

/// Whether a process of user `peer` may act on the data of user `own`.
fn may(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

impl axum::serve::Listener for Socket {
    type Io = Connection;
    type Addr = Peer;

    async fn accept(&mut self) -> (Connection, Peer) {
        let own = rustix::process::geteuid().as_raw();
        loop {
            let Ok(slot) = self.slots.clone().acquire_owned().await else {
                std::future::pending().await
            };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "accept on the socket failed");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            match stream.peer_cred() {
                Ok(peer) if may(peer.uid(), own) => {
                    return (Connection { stream, _slot: slot }, Peer { uid: peer.uid() });
                }
                Ok(peer) => tracing::warn!(uid = peer.uid(), "refused at the socket: another user"),
                Err(error) => tracing::warn!(%error, "refused at the socket: no credentials"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { uid: rustix::process::geteuid().as_raw() })
    }
}

impl Connected<IncomingStream<'_, Socket>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Socket>) -> Peer {
        stream.remote_addr().clone()
    }
}

/// Gives the request its user, and the address of this machine.
async fn vouch(
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> axum::response::Response {
    request.extensions_mut().insert(LocalUser(user_name(peer.uid)));
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 0))));
    next.run(request).await
}

/// A connection that gives its place back when it ends.
pub struct Connection {
    stream: UnixStream,
    _slot: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_the_same_user_and_root_may() {
        assert!(may(1000, 1000) && may(0, 1000) && may(0, 0));
        assert!(!may(1000, 0) && !may(1001, 1000));
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_named_with_its_length() {
        assert!(path(Path::new("/var/lib/ume")).is_ok());
        let fits = format!("/{}", "x".repeat(PATH_BYTES_MAX - NAME.len() - 2));
        assert_eq!(path(Path::new(&fits)).unwrap().as_os_str().len(), PATH_BYTES_MAX);
        let refused = path(Path::new(&format!("{fits}x"))).unwrap_err().to_string();
        assert!(refused.contains("108"), "{refused}");
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_what_is_no_socket_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NAME);
        drop(std::os::unix::net::UnixListener::bind(&file).unwrap());
        let socket = Socket::bind(folder.path()).unwrap();
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(socket);
        assert!(!file.exists());
        fs::write(folder.path().join("other"), "kept").unwrap();
        symlink("other", &file).unwrap();
        assert!(matches!(Socket::bind(folder.path()), Err(CliError::NoSocket(_))));
        assert_eq!(fs::read(folder.path().join("other")).unwrap(), b"kept");
    }
}
