//! The buffer that reading a fanotify group gives (fanotify(7)): events with folder, name, object and pidfd.
//!
//! Any bytes are taken: what is not as the kernel writes it ends the buffer with [`Broken`], and nothing behind it
//! is believed. Numbers are of this machine's byte order, as the kernel's are.

/// Length of `struct fanotify_event_metadata`.
const METADATA: usize = 24;
const VERSION: u8 = 3;
const FID: u8 = 1;
const DFID_NAME: u8 = 2;
const DFID: u8 = 3;
const PIDFD: u8 = 4;
/// `MAX_HANDLE_SZ`
const HANDLE_BYTES_MAX: usize = 128;

pub const ATTRIB: u64 = 0x4;
pub const CLOSE_WRITE: u64 = 0x8;
pub const MOVED_FROM: u64 = 0x40;
pub const MOVED_TO: u64 = 0x80;
pub const CREATE: u64 = 0x100;
pub const DELETE: u64 = 0x200;
pub const OPEN_EXEC: u64 = 0x1000;
pub const OVERFLOW: u64 = 0x4000;
pub const ON_DIRECTORY: u64 = 0x4000_0000;

/// What names an inode on one file system, as `open_by_handle_at` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle<'a> {
    pub file_system: [u8; 8],
    pub kind: i32,
    pub bytes: &'a [u8],
}

/// The process behind an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pidfd {
    /// This kernel reports none.
    Unsupported,
    /// It had ended, and was waited for, when the event was read.
    Gone,
    /// None could be made, for want of descriptors for example.
    Failed,
    /// Whoever reads the buffer owns it and closes it.
    Open(i32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    pub mask: u64,
    /// 0 if the process is none of this namespace.
    pub pid: u32,
    pub pidfd: Pidfd,
    pub folder: Option<Handle<'a>>,
    /// Name in the folder.
    pub name: Option<&'a [u8]>,
    /// What the event is about, where the kernel says it apart from the folder.
    pub object: Option<Handle<'a>>,
}

/// Where the buffer is not what a kernel writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of the kernel's report: {what}")]
pub struct Broken {
    pub at: usize,
    pub what: &'static str,
}

/// Events in the order in which they happened.
pub fn read(buffer: &[u8]) -> (Vec<Event<'_>>, Option<Broken>) {
    let (mut events, mut at) = (Vec::new(), 0);
    while at < buffer.len() {
        match one(&buffer[at..]) {
            Ok((event, length)) => {
                events.push(event);
                at += length;
            }
            Err((inside, what)) => return (events, Some(Broken { at: at + inside, what })),
        }
    }
    (events, None)
}

type Fault = (usize, &'static str);

fn one(bytes: &[u8]) -> Result<(Event<'_>, usize), Fault> {
    let short = (0, "the event is cut off");
    let length = u32_at(bytes, 0).ok_or(short)? as usize;
    let head = u16_at(bytes, 6).ok_or(short)? as usize;
    if bytes.get(4) != Some(&VERSION) {
        return Err((4, "a version of the report that is not known"));
    }
    if head < METADATA || length < head || length > bytes.len() {
        return Err((0, "a length that cannot be"));
    }
    let pid = u32_at(bytes, 20).ok_or(short)?;
    let mut event = Event {
        mask: u64_at(bytes, 8).ok_or(short)?,
        pid: i32::try_from(pid).map_or(0, i32::unsigned_abs),
        pidfd: Pidfd::Unsupported,
        folder: None,
        name: None,
        object: None,
    };
    let mut at = head;
    while at < length {
        let rest = &bytes[at..length];
        let (kind, size) = match (rest.first(), u16_at(rest, 2)) {
            (Some(kind), Some(size)) => (*kind, size as usize),
            _ => return Err((at, "a part without head")),
        };
        if size < 4 || size > rest.len() {
            return Err((at, "a part whose length cannot be"));
        }
        part(&mut event, kind, &rest[4..size]).map_err(|what| (at, what))?;
        at += size;
    }
    Ok((event, length))
}

fn part<'a>(event: &mut Event<'a>, kind: u8, bytes: &'a [u8]) -> Result<(), &'static str> {
    match kind {
        PIDFD => {
            event.pidfd = match u32_at(bytes, 0).ok_or("a pidfd that is cut off")?.cast_signed() {
                -1 => Pidfd::Gone,
                number if number < 0 => Pidfd::Failed,
                number => Pidfd::Open(number),
            };
        }
        FID | DFID => {
            let (handle, _) = handle(bytes)?;
            *(if kind == FID { &mut event.object } else { &mut event.folder }) = Some(handle);
        }
        DFID_NAME => {
            let (handle, rest) = handle(bytes)?;
            let end = rest.iter().position(|byte| *byte == 0).ok_or("a name without end")?;
            let name = &rest[..end];
            if name.contains(&b'/') {
                return Err("a name with a slash");
            }
            event.folder = Some(handle);
            // `.` stands for the folder itself.
            event.name = Some(name).filter(|name| !name.is_empty() && *name != b".");
        }
        // Later kernels may say more.
        _ => {}
    }
    Ok(())
}

fn handle(bytes: &[u8]) -> Result<(Handle<'_>, &[u8]), &'static str> {
    let cut = "a handle that is cut off";
    let file_system = bytes.first_chunk().ok_or(cut)?;
    let length = u32_at(bytes, 8).ok_or(cut)? as usize;
    let kind = u32_at(bytes, 12).ok_or(cut)?.cast_signed();
    if length > HANDLE_BYTES_MAX {
        return Err("a handle that is too long");
    }
    let rest = &bytes[16..];
    let own = rest.get(..length).ok_or(cut)?;
    Ok((Handle { file_system: *file_system, kind, bytes: own }, &rest[length..]))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn info(kind: u8, body: &[u8]) -> Vec<u8> {
        let padded = (4 + body.len()).next_multiple_of(4);
        let mut out = vec![kind, 0];
        out.extend((padded as u16).to_ne_bytes());
        out.extend(body);
        out.resize(padded, 0);
        out
    }

    fn fid(handle: &[u8], name: &[u8]) -> Vec<u8> {
        let mut out = vec![7; 8];
        out.extend((handle.len() as u32).to_ne_bytes());
        out.extend(1_i32.to_ne_bytes());
        out.extend(handle);
        out.extend(name);
        out
    }

    fn event(mask: u64, pid: i32, infos: &[Vec<u8>]) -> Vec<u8> {
        let body: Vec<u8> = infos.concat();
        let mut out = ((METADATA + body.len()) as u32).to_ne_bytes().to_vec();
        out.extend([VERSION, 0]);
        out.extend((METADATA as u16).to_ne_bytes());
        out.extend(mask.to_ne_bytes());
        out.extend((-1_i32).to_ne_bytes());
        out.extend(pid.to_ne_bytes());
        out.extend(body);
        out
    }

    #[test]
    fn events_come_with_folder_name_and_process_in_their_order() {
        let named = info(DFID_NAME, &fid(&[1, 2, 3, 4], b"passwd\0"));
        let mut buffer = event(CLOSE_WRITE, 42, &[named, info(PIDFD, &9_i32.to_ne_bytes())]);
        buffer.extend(event(OVERFLOW, 0, &[]));
        let own = info(DFID_NAME, &fid(&[5; 8], b".\0"));
        buffer.extend(event(ATTRIB, 43, &[own, info(PIDFD, &(-1_i32).to_ne_bytes())]));
        let (events, broken) = read(&buffer);
        assert_eq!(broken, None);
        let told: Vec<_> = events.iter().map(|e| (e.mask, e.pid, e.name, e.pidfd)).collect();
        assert_eq!(
            told,
            [
                (CLOSE_WRITE, 42, Some(&b"passwd"[..]), Pidfd::Open(9)),
                (OVERFLOW, 0, None, Pidfd::Unsupported),
                (ATTRIB, 43, None, Pidfd::Gone),
            ]
        );
        assert_eq!(events[0].folder.expect("folder").bytes, [1, 2, 3, 4]);
    }

    #[test]
    fn what_no_kernel_writes_ends_the_buffer_and_names_the_place() {
        let good = event(CREATE, 1, &[]);
        for (what, bad) in [
            ("a length that cannot be", {
                let mut bad = event(CREATE, 1, &[]);
                bad[0] = 200;
                bad
            }),
            ("a version of the report that is not known", {
                let mut bad = event(CREATE, 1, &[]);
                bad[4] = 9;
                bad
            }),
            ("a name with a slash", event(CREATE, 1, &[info(DFID_NAME, &fid(&[], b"a/b\0"))])),
            ("a name without end", event(CREATE, 1, &[info(DFID_NAME, &fid(&[], b"abcd"))])),
            ("a handle that is too long", event(CREATE, 1, &[info(FID, &fid(&[0; 200], b""))])),
        ] {
            let buffer = [&good[..], &bad].concat();
            let (events, broken) = read(&buffer);
            assert_eq!(events.len(), 1, "{what}");
            let broken = broken.expect(what);
            assert_eq!(broken.what, what);
            assert!(broken.at >= good.len());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_report_with_changed_bytes_is_taken(
            at in 0_usize..120, byte: u8, pid in 0_i32..i32::MAX
        ) {
            let named = info(DFID_NAME, &fid(&[1; 12], b"name\0"));
            let object = info(FID, &fid(&[2; 12], b""));
            let mut buffer = event(CREATE, pid, &[named, object, info(PIDFD, &[1, 0, 0, 0])]);
            let length = buffer.len();
            buffer[at % length] = byte;
            for event in read(&buffer).0 {
                prop_assert!(event.name.is_none_or(|name| !name.contains(&b'/')));
            }
        }
    }
}
