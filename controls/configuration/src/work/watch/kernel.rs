//! The seam to the kernel: fanotify, handles, pidfds, the process connector. All that is unsafe in this room is here.
//!
//! Invariants: only the notification class, which never makes anybody wait; the queue is the kernel's bounded one;
//! every descriptor is owned and closed.
#![allow(unsafe_code)]

use std::{
    ffi::CString,
    io,
    mem::{offset_of, size_of},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    time::Duration,
};

use baseline::actor::{connector, fanotify};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// What is reported of a file system with files that count.
pub const CHANGES: u64 = fanotify::ATTRIB
    | fanotify::CLOSE_WRITE
    | fanotify::MOVED_FROM
    | fanotify::MOVED_TO
    | fanotify::CREATE
    | fanotify::DELETE
    | fanotify::OPEN_EXEC
    | fanotify::ON_DIRECTORY;
/// `MAX_HANDLE_SZ`
const HANDLE_BYTES_MAX: usize = 128;
/// `CN_IDX_PROC`
const PROCESSES: u32 = 1;

/// How much this kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Folder, name, object and process (since 5.17).
    Full,
    /// Folder, name and process (since 5.15).
    Named,
    /// Folder and name (since 5.9); the process by its number alone.
    Bare,
}

impl Grade {
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::Full => "full",
            Grade::Named => "named",
            Grade::Bare => "bare",
        }
    }
}

/// A notification group.
pub struct Group {
    fd: OwnedFd,
    pub grade: Grade,
}

impl Group {
    /// The best group that this kernel and these rights allow.
    pub fn open() -> io::Result<Group> {
        let base = libc::FAN_CLASS_NOTIF | libc::FAN_CLOEXEC | libc::FAN_NONBLOCK;
        let named = libc::FAN_REPORT_DFID_NAME | libc::FAN_REPORT_FID;
        let target = libc::FAN_REPORT_DFID_NAME_TARGET | libc::FAN_REPORT_PIDFD;
        let mut last = io::Error::from_raw_os_error(libc::ENOSYS);
        for (flags, grade) in [
            (target, Grade::Full),
            (named | libc::FAN_REPORT_PIDFD, Grade::Named),
            (named, Grade::Bare),
        ] {
            let events = (libc::O_RDONLY | libc::O_LARGEFILE | libc::O_CLOEXEC).cast_unsigned();
            // SAFETY: takes two numbers and touches no memory of ours.
            let fd = unsafe { libc::fanotify_init(base | flags, events) };
            if fd >= 0 {
                // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
                return Ok(Group { fd: unsafe { OwnedFd::from_raw_fd(fd) }, grade });
            }
            last = io::Error::last_os_error();
            // Only an unknown flag may be mended by asking for less.
            if last.raw_os_error() != Some(libc::EINVAL) {
                break;
            }
        }
        Err(last)
    }

    /// Reports these events of the whole file system that `place` lies on, beside those that it reports already.
    pub fn mark(&self, place: &Path, mask: u64) -> io::Result<()> {
        let path = CString::new(place.as_os_str().as_bytes())?;
        let how = libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM;
        // SAFETY: the path is a string with its end that lives until the call returns.
        let done = unsafe {
            libc::fanotify_mark(self.fd.as_raw_fd(), how, mask, libc::AT_FDCWD, path.as_ptr())
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// What waits, as much as fits; 0 if nothing does.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match rustix::io::read(&self.fd, buffer) {
            Err(rustix::io::Errno::AGAIN) => Ok(0),
            other => Ok(other?),
        }
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `struct file_handle` with room for the longest.
#[repr(C)]
struct FileHandle {
    bytes: u32,
    kind: i32,
    own: [u8; HANDLE_BYTES_MAX],
}

const _: () = assert!(offset_of!(FileHandle, own) == 8 && size_of::<FileHandle>() == 136);

/// Opens, for its path alone, what a handle names on the file system of `mount`.
pub fn open_by_handle(mount: BorrowedFd<'_>, handle: &fanotify::Handle<'_>) -> io::Result<OwnedFd> {
    let mut own = FileHandle {
        bytes: u32::try_from(handle.bytes.len()).unwrap_or(u32::MAX),
        kind: handle.kind,
        own: [0; HANDLE_BYTES_MAX],
    };
    let place = own.own.get_mut(..handle.bytes.len());
    place.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?.copy_from_slice(handle.bytes);
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // SAFETY: `own` has the layout of `struct file_handle` and says no more bytes than it has; the kernel reads it
    // during the call only.
    let fd = unsafe {
        libc::open_by_handle_at(
            mount.as_raw_fd(),
            (&raw mut own).cast::<libc::file_handle>(),
            flags,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes over a descriptor that came with an event of a buffer, each once.
pub fn owned(event: &fanotify::Event<'_>) -> Option<OwnedFd> {
    match event.pidfd {
        // SAFETY: whoever reads the buffer owns the descriptors in it, and the caller asks once for each event.
        fanotify::Pidfd::Open(fd) => Some(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => None,
    }
}

/// Whether the process still bears its number: it lives, or ended and was not waited for yet.
pub fn bears_its_number(pidfd: BorrowedFd<'_>) -> bool {
    // SAFETY: signal 0 does nothing; no memory of ours is touched.
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            0,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    done == 0
}

/// Waits until one of these can be read.
pub fn wait(fds: &[BorrowedFd<'_>], time: Duration) -> io::Result<()> {
    let mut all: Vec<libc::pollfd> = fds
        .iter()
        .map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    let time = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the pointer and the count are those of one vector that outlives the call.
    let done = unsafe { libc::poll(all.as_mut_ptr(), all.len() as libc::nfds_t, time) };
    match done {
        -1 => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        },
        _ => Ok(()),
    }
}

/// The kernel's word of births, executions and ends.
pub struct Connector(OwnedFd);

/// What a read of the connector gave.
pub enum Heard {
    Life(connector::Life),
    /// Something that is not about processes, or not from the kernel.
    Other,
    /// Some were lost.
    Lost,
    Nothing,
}

impl Connector {
    /// Subscribes; needs the right to administer networks, in the first namespaces of the machine.
    pub fn open() -> io::Result<Connector> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::CONNECTOR);
        let fd = net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
        let _ = net::sockopt::set_socket_recv_buffer_size_force(&fd, 4 << 20);
        net::bind(&fd, &netlink::SocketAddrNetlink::new(0, PROCESSES))?;
        net::send(&fd, &connector::subscription(), SendFlags::empty())?;
        Ok(Connector(fd))
    }

    pub fn hear(&self) -> Heard {
        let mut buffer = [0_u8; 1024];
        match net::recvfrom(&self.0, &mut buffer[..], RecvFlags::empty()) {
            Ok((_, count, from)) => {
                let kernel = from.and_then(|from| netlink::SocketAddrNetlink::try_from(from).ok());
                // Any process with the right may send here; only the kernel is believed.
                match kernel.is_some_and(|from| from.pid() == 0) {
                    true => connector::read(&buffer[..count]).map_or(Heard::Other, Heard::Life),
                    false => Heard::Other,
                }
            }
            Err(rustix::io::Errno::NOBUFS) => Heard::Lost,
            Err(_) => Heard::Nothing,
        }
    }
}

impl AsFd for Connector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
