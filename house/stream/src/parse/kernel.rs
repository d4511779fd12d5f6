//! What the kernel says: packets that netfilter logged, memory, disks, file systems, heat, faults of programs.
//!
//! The field `fault` names what went wrong; `device`, `process`, `sector` and the like say where.

use super::{CLASS_NETWORK, Draft, Shape, audit, pairs::pairs};

/// `[12345.678901] message`, as `dmesg` prints it; `false` if it is none.
pub fn read_ring(draft: &mut Draft, text: &str) -> bool {
    let Some(message) = without_clock(text) else { return false };
    draft.app = "kernel".to_owned();
    draft.shape = Some(Shape::Ring);
    draft.message = Some(message.to_owned());
    true
}

/// What follows the seconds since boot.
fn without_clock(text: &str) -> Option<&str> {
    let (clock, message) = text.strip_prefix('[')?.split_once(']')?;
    let (seconds, part) = clock.trim().split_once('.')?;
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    (digits(seconds) && digits(part)).then(|| message.trim_start())
}

/// Sets class and fields by what the message says.
pub fn classify(draft: &mut Draft, message: &str) -> bool {
    let message = match without_clock(message) {
        Some(rest) => {
            draft.message = Some(rest.to_owned());
            rest
        }
        None => message,
    };
    if audit::read_kernel(draft, message) || netfilter(draft, message) {
        return true;
    }
    let Some(fault) = fault(message) else { return false };
    draft.set("fault", fault);
    place(draft, message, fault);
    true
}

/// A line of the targets LOG of iptables and nftables: `prefix IN=eth0 OUT= … SRC=… DST=… PROTO=TCP SPT=… DPT=…`
fn netfilter(draft: &mut Draft, message: &str) -> bool {
    let Some(at) =
        message.find("IN=").filter(|_| message.contains(" SRC=") && message.contains(" DST="))
    else {
        return false;
    };
    let prefix = message[..at].trim().trim_end_matches(':');
    draft.set_some("prefix", prefix);
    for (name, value) in pairs(&message[at..]) {
        let own = match name {
            "SRC" => "src_ip",
            "DST" => "dst_ip",
            "SPT" => "src_port",
            "DPT" => "dst_port",
            "PROTO" => "protocol",
            "IN" | "OUT" | "MAC" | "TYPE" | "CODE" | "LEN" | "TTL" | "ID" => "",
            // Behind it stands the packet that an ICMP error is about.
            _ if name.starts_with('[') => break,
            _ => continue,
        };
        draft.set_some(name, value.text);
        if !own.is_empty() {
            draft.set_some(own, value.text);
        }
    }
    if let Some(action) = action(prefix) {
        draft.set("action", action);
        draft.set("blocked", if action == "accept" { "false" } else { "true" });
    }
    draft.class = CLASS_NETWORK;
    draft.shape = Some(Shape::Netfilter);
    true
}

/// What the author of a rule set wrote into its prefix.
fn action(prefix: &str) -> Option<&'static str> {
    let prefix = prefix.to_ascii_lowercase();
    let words = [
        ("drop", "drop"),
        ("block", "block"),
        ("reject", "reject"),
        ("deny", "deny"),
        ("denied", "deny"),
        ("accept", "accept"),
        ("allow", "accept"),
    ];
    words.iter().find(|(word, _)| prefix.contains(word)).map(|(_, action)| *action)
}

/// Phrases by what they tell; the first that holds decides.
const FAULTS: &[(&str, &[&str])] = &[
    ("oom", &["Out of memory: Kill", "Memory cgroup out of memory: Kill", "oom-kill:"]),
    (
        "read_only",
        &[
            "Remounting filesystem read-only",
            "remounting filesystem read-only",
            "Remounting file system read-only",
        ],
    ),
    (
        "disk_failure",
        &[
            "Disk failure on",
            "rejecting I/O to offline device",
            "Device offlined",
            "Removing from controller after reset failed",
        ],
    ),
    ("raid_degraded", &["Operation continuing on", "raid array is not clean", "active with "]),
    (
        "fs_error",
        &[
            "EXT4-fs error",
            "XFS (",
            "BTRFS error",
            "BTRFS critical",
            "EXT4-fs warning",
            "JBD2: Error",
        ],
    ),
    (
        "io_error",
        &[
            "I/O error",
            "Medium Error",
            "critical medium error",
            "Unrecovered read error",
            "critical target error",
            "failed command: READ",
            "failed command: WRITE",
            "timeout, aborting",
            "Buffer I/O",
        ],
    ),
    (
        "overheat",
        &[
            "critical temperature reached",
            "temperature above threshold",
            "Package temperature above threshold",
        ],
    ),
    ("mce", &["[Hardware Error]", "Machine check", "mce: CPU", "Uncorrected error", "EDAC MC"]),
    ("pcie_error", &["PCIe Bus Error", "AER: "]),
    (
        "hung",
        &[
            "blocked for more than",
            "soft lockup",
            "hard LOCKUP",
            "rcu_sched detected stalls",
            "self-detected stall",
        ],
    ),
    ("panic", &["Kernel panic", "Oops:", "BUG: unable to handle", "kernel BUG at"]),
    ("segfault", &["segfault at", "general protection fault", "traps: ", "trap invalid opcode"]),
    ("link_down", &["Link is Down", "link down", "Link is down", "NIC Link is Down"]),
    ("link_up", &["Link is Up", "link becomes ready", "NIC Link is Up", "link up"]),
    ("conntrack_full", &["table full, dropping packet"]),
    ("syn_flood", &["Possible SYN flooding"]),
    ("audit_lost", &["audit_lost=", "audit: backlog limit exceeded", "audit: rate limit exceeded"]),
    ("usb_attached", &["New USB device found", "USB Mass Storage device detected"]),
    ("module_tainted", &["module verification failed", "loading out-of-tree module taints kernel"]),
    ("promiscuous", &["entered promiscuous mode"]),
    ("time_jump", &["clocksource: Marking clocksource", "time jumped"]),
];

fn fault(message: &str) -> Option<&'static str> {
    let holds = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    let (fault, _) = FAULTS.iter().find(|(_, phrases)| holds(phrases))?;
    // XFS and md say good things in the same form.
    let good = match *fault {
        "fs_error" if message.starts_with("XFS (") => {
            !["orruption", "error", "Shutting down", "shutting down"]
                .iter()
                .any(|w| message.contains(w))
        }
        "raid_degraded" if message.contains("active with ") => whole_array(message),
        // A port without a disk says so at each start.
        "link_down" | "link_up" => message.contains("SATA link"),
        _ => false,
    };
    (!good).then_some(fault)
}

/// `md/raid1:md0: active with 2 out of 2 mirrors`
fn whole_array(message: &str) -> bool {
    let Some((_, rest)) = message.split_once("active with ") else { return true };
    let mut numbers = rest.split(' ').filter_map(|word| word.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(working), Some(all)) => working >= all,
        _ => true,
    }
}

/// Which device or program the fault is about.
fn place(draft: &mut Draft, message: &str, fault: &str) {
    match fault {
        "oom" => {
            if let Some((_, rest)) = message.split_once("rocess ")
                && let Some((pid, rest)) = rest.split_once(" (")
                && let Some((name, _)) = rest.split_once(')')
            {
                draft.set("process", name);
                draft.set("process_id", pid);
            }
        }
        "segfault" => {
            let begin = message.strip_prefix("traps: ").unwrap_or(message);
            if let Some((name, rest)) = begin.split_once('[')
                && let Some((pid, _)) = rest.split_once(']')
            {
                draft.set("process", name);
                draft.set("process_id", pid);
            }
        }
        "hung" => {
            if let Some((_, rest)) = message.split_once("task ")
                && let Some((name, _)) = rest.split_once(':')
            {
                draft.set("process", name);
            }
        }
        "link_down" | "link_up" => {
            // `e1000e 0000:00:19.0 eth0: NIC Link is Down`, `IPv6: ADDRCONF(NETDEV_UP): eth0: link is not ready`
            let before = message.to_ascii_lowercase().find("link").map_or("", |at| &message[..at]);
            let before = before
                .trim_end_matches(" NIC ")
                .trim_end_matches("NIC ")
                .trim_end_matches([' ', ':']);
            draft.set_some("device", before.rsplit([' ', ':']).next().unwrap_or_default());
        }
        "promiscuous" => {
            draft.set_some("device", word_after(message, "device ").unwrap_or_default());
        }
        "usb_attached" => {
            for (name, value) in pairs(message) {
                if matches!(name, "idVendor" | "idProduct") {
                    draft.set(name, value.text);
                }
            }
        }
        _ => device(draft, message),
    }
}

fn device(draft: &mut Draft, message: &str) {
    let marks =
        ["dev ", "(device ", "EXT4-fs (", "XFS (", "Disk failure on ", "md/raid", "device "];
    let found = marks.iter().find_map(|mark| word_after(message, mark));
    if let Some(name) = found.map(|name| name.split(':').next_back().unwrap_or(name)) {
        draft.set_some("device", name);
    }
    if let Some(sector) = word_after(message, "sector ") {
        draft.set("sector", sector);
    }
    if let Some((_, rest)) = message.split_once(":(")
        && let Some((operation, _)) = rest.split_once(')')
    {
        draft.set("operation", operation);
    }
}

fn word_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(mark)?;
    let word = rest.split([' ', ',', ')', ';']).next()?;
    let word = word.trim_end_matches(':');
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_line;
    use crate::event::{Event, Format};

    fn said(message: &str) -> Event {
        read_line(format!("Jan  1 01:00:00 h kernel: {message}"), Format::Auto)
    }

    #[test]
    fn logged_packets_have_addresses_ports_and_what_became_of_them() {
        let e = said(
            "[12345.678901] [UFW BLOCK] IN=eth0 OUT= MAC=00:01 SRC=192.0.2.7 DST=198.51.100.1 LEN=40 TOS=0x00 \
             PREC=0x00 TTL=50 ID=1 PROTO=TCP SPT=51000 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0",
        );
        let field = |name: &str| e.fields[name].as_str();
        assert_eq!(
            (
                field("src_ip"),
                field("dst_ip"),
                field("src_port"),
                field("dst_port"),
                field("action")
            ),
            ("192.0.2.7", "198.51.100.1", "51000", "23", "block")
        );
        assert_eq!(
            (e.class, field("IN"), field("protocol"), field("blocked")),
            (4001, "eth0", "TCP", "true")
        );
        assert!(!e.fields.contains_key("OUT"));
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (message, fault, name, value) in [
            (
                "Out of memory: Killed process 4242 (java) total-vm:1kB, anon-rss:2kB",
                "oom",
                "process",
                "java",
            ),
            (
                "blk_update_request: I/O error, dev sda, sector 123456 op 0x0:(READ) flags 0x0",
                "io_error",
                "device",
                "sda",
            ),
            (
                "EXT4-fs error (device sda1): ext4_lookup:1: inode #2: comm ls: deleted inode",
                "fs_error",
                "device",
                "sda1",
            ),
            ("EXT4-fs (sda1): Remounting filesystem read-only", "read_only", "device", "sda1"),
            (
                "md/raid1:md0: Disk failure on sdb1, disabling device.",
                "disk_failure",
                "device",
                "sdb1",
            ),
            ("md/raid1:md0: Operation continuing on 1 devices.", "raid_degraded", "device", "md0"),
            (
                "nginx[99]: segfault at 0 ip 0000 sp 0000 error 4 in libc.so.6",
                "segfault",
                "process",
                "nginx",
            ),
            ("traps: app[7] general protection fault ip:0 sp:0", "segfault", "process", "app"),
            (
                "INFO: task jbd2/sda1-8:200 blocked for more than 120 seconds.",
                "hung",
                "process",
                "jbd2/sda1-8",
            ),
            ("e1000e 0000:00:19.0 eth0: NIC Link is Down", "link_down", "device", "eth0"),
            (
                "thermal thermal_zone0: acpitz: critical temperature reached, shutting down",
                "overheat",
                "fault",
                "overheat",
            ),
            ("mce: [Hardware Error]: Machine check events logged", "mce", "fault", "mce"),
            (
                "CPU3: Core temperature above threshold, cpu clock throttled (total events = 9)",
                "overheat",
                "fault",
                "overheat",
            ),
            (
                "XFS (dm-0): Corruption detected. Unmount and run xfs_repair",
                "fs_error",
                "device",
                "dm-0",
            ),
        ] {
            let e = said(message);
            assert_eq!(e.fields.get("fault").map(String::as_str), Some(fault), "{message}");
            assert_eq!(e.fields.get(name).map(String::as_str), Some(value), "{message}");
        }
        for message in [
            "XFS (dm-0): Mounting V5 Filesystem",
            "md/raid1:md0: active with 2 out of 2 mirrors",
            "EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none.",
        ] {
            assert!(!said(message).fields.contains_key("fault"), "{message}");
        }
    }
}
