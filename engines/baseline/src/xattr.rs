//! Extended attributes that give rights, in words: capabilities as `getcap` and access lists as
//! `getfacl` write them.

use std::fmt::Write;

use crate::names::Names;

/// capabilities(7), by number.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// Name and text of an attribute; what is not understood is shown as bytes.
pub(crate) fn shown(name: &[u8], value: &[u8], names: &Names) -> (String, String) {
    let raw = || hex::encode(value);
    match name {
        b"security.capability" => ("capabilities".into(), capabilities(value).unwrap_or_else(raw)),
        b"system.posix_acl_access" => ("acl".into(), acl(value, names).unwrap_or_else(raw)),
        b"system.posix_acl_default" => {
            ("default_acl".into(), acl(value, names).unwrap_or_else(raw))
        }
        _ => (format!("xattr {}", String::from_utf8_lossy(name)), raw()),
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// `struct vfs_cap_data`, revisions 1 to 3: `cap_net_raw=ep`, sets that are alike together.
fn capabilities(value: &[u8]) -> Option<String> {
    let magic = word(value, 0)?;
    let effective = magic & 1 == 1;
    let pairs = match magic >> 24 {
        1 => 1,
        2 | 3 => 2,
        _ => return None,
    };
    let mut kinds: Vec<(String, Vec<String>)> = Vec::new();
    for number in 0..pairs * 32 {
        let base = 4 + (number / 32) * 8;
        let bit = 1 << (number % 32);
        let permitted = word(value, base)? & bit != 0;
        let inheritable = word(value, base + 4)? & bit != 0;
        if !permitted && !inheritable {
            continue;
        }
        let mut flags = String::new();
        flags.push_str(if effective { "e" } else { "" });
        flags.push_str(if inheritable { "i" } else { "" });
        flags.push_str(if permitted { "p" } else { "" });
        let name =
            CAPABILITIES.get(number).map_or_else(|| number.to_string(), |n| format!("cap_{n}"));
        match kinds.iter_mut().find(|(known, _)| *known == flags) {
            Some((_, list)) => list.push(name),
            None => kinds.push((flags, vec![name])),
        }
    }
    let mut parts: Vec<String> =
        kinds.into_iter().map(|(flags, list)| format!("{}={flags}", list.join(","))).collect();
    if magic >> 24 == 3 {
        parts.push(format!("[rootid={}]", word(value, 20)?));
    }
    Some(parts.join(" "))
}

/// `posix_acl_xattr`: version 2, then entries of tag, permissions and id.
fn acl(value: &[u8], names: &Names) -> Option<String> {
    if word(value, 0)? != 2 {
        return None;
    }
    let mut out = String::new();
    for entry in value[4..].chunks(8) {
        let (tag, bits) = (word(entry, 0)? & 0xffff, word(entry, 0)? >> 16);
        let id = word(entry, 4)?;
        let who = match tag {
            0x01 => "u:".to_owned(),
            0x02 => format!("u:{}", names.user(id)),
            0x04 => "g:".to_owned(),
            0x08 => format!("g:{}", names.group(id)),
            0x10 => "m:".to_owned(),
            0x20 => "o:".to_owned(),
            _ => return None,
        };
        let flag = |bit, name| if bits & bit != 0 { name } else { '-' };
        let comma = if out.is_empty() { "" } else { "," };
        let _ = write!(out, "{comma}{who}:{}{}{}", flag(4, 'r'), flag(2, 'w'), flag(1, 'x'));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_read_as_getcap_writes_them() {
        let mut bytes = 0x0200_0001u32.to_le_bytes().to_vec();
        for word in [1u32 << 13 | 1 << 10, 0, 0, 0] {
            bytes.extend(word.to_le_bytes());
        }
        let (name, text) = shown(b"security.capability", &bytes, &Names::default());
        assert_eq!(
            (name.as_str(), text.as_str()),
            ("capabilities", "cap_net_bind_service,cap_net_raw=ep")
        );
        assert_eq!(shown(b"security.capability", b"\x01", &Names::default()).1, "01");
    }

    #[test]
    fn access_lists_read_as_getfacl_writes_them() {
        let mut bytes = 2u32.to_le_bytes().to_vec();
        for (tag, bits, id) in [(1u16, 6u16, u32::MAX), (2, 7, 1000), (0x20, 4, u32::MAX)] {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(bits.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        let (_, text) = shown(b"system.posix_acl_access", &bytes, &Names::default());
        assert_eq!(text, "u::rw-,u:1000:rwx,o::r--");
    }
}
