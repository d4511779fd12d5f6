//! What the kernel tells of processes over the process connector (`NETLINK_CONNECTOR`): born, running another
//! program, ended. Threads are left out: files are changed by processes.

/// `nlmsghdr`, `cn_msg`, and the head of `proc_event`.
const NETLINK: usize = 16;
const MESSAGE: usize = 20;
const HEAD: usize = 16;
/// `CN_IDX_PROC`
const INDEX: u32 = 1;

/// Something that became of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Forked { parent: u32, child: u32 },
    Executed(u32),
    Ended(u32),
}

/// Reads one datagram. None of what is not about processes.
pub fn read(datagram: &[u8]) -> Option<Life> {
    let number = |at: usize| Some(u32::from_ne_bytes(*datagram.get(at..)?.first_chunk()?));
    if number(NETLINK)? != INDEX {
        return None;
    }
    let event = NETLINK + MESSAGE;
    let data = event + HEAD;
    let (first, second) = (number(data)?, number(data + 4)?);
    match number(event)? {
        // Thread, process of the parent; thread, process of the child.
        0x1 => {
            let (thread, child) = (number(data + 8)?, number(data + 12)?);
            (thread == child).then_some(Life::Forked { parent: second, child })
        }
        0x2 => Some(Life::Executed(second)),
        0x8000_0000 => (first == second).then_some(Life::Ended(second)),
        _ => None,
    }
}

/// The datagram that asks for them (`PROC_CN_MCAST_LISTEN`).
pub fn subscription() -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.extend(40_u32.to_ne_bytes());
    // NLMSG_DONE
    out.extend(3_u16.to_ne_bytes());
    out.extend([0; 10]);
    for number in [INDEX, 1, 0, 0] {
        out.extend(number.to_ne_bytes());
    }
    out.extend(4_u16.to_ne_bytes());
    out.extend([0; 2]);
    out.extend(1_u32.to_ne_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(what: u32, data: &[u32]) -> Vec<u8> {
        let mut out = vec![0; NETLINK];
        out.extend(INDEX.to_ne_bytes());
        out.extend([0; MESSAGE - 4]);
        out.extend(what.to_ne_bytes());
        out.extend([0; HEAD - 4]);
        data.iter().for_each(|number| out.extend(number.to_ne_bytes()));
        out
    }

    #[test]
    fn processes_are_told_and_threads_are_not() {
        assert_eq!(read(&datagram(1, &[5, 5, 9, 9])), Some(Life::Forked { parent: 5, child: 9 }));
        assert_eq!(read(&datagram(1, &[5, 5, 10, 9])), None);
        assert_eq!(read(&datagram(2, &[9, 9])), Some(Life::Executed(9)));
        assert_eq!(read(&datagram(0x8000_0000, &[9, 9, 0, 17])), Some(Life::Ended(9)));
        assert_eq!(read(&datagram(0x8000_0000, &[10, 9, 0, 17])), None);
        assert_eq!(read(&datagram(0x200, &[9, 9])), None);
        assert_eq!(subscription().len(), 40);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
