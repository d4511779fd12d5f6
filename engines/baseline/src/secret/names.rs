//! What a file holds, as far as its path and mode say.

/// What to do with the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Keep a keyed digest only.
    Secret,
    /// Fields of shadow, of gshadow.
    Shadow,
    Gshadow,
    /// Answers of debconf.
    Debconf,
    /// Text whose keywords speak of passwords without holding one.
    Directives,
    /// Any other text.
    Text,
}

const SECRET_NAMES: &[&str] = &[
    "secret",
    "password",
    "passwd",
    "credential",
    "htpasswd",
    "pgpass",
    "netrc",
    "token",
    "keytab",
    "opasswd",
    "authinfo",
    ".p12",
    ".pfx",
    ".jks",
    ".kdbx",
    ".gpg-key",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "_key",
    "private",
    ".key",
    ".keys",
    "auth.conf",
    "my.cnf",
    "debian.cnf",
    "wpa_supplicant",
    "smbpasswd",
    "passdb.tdb",
    "vault",
];

/// Formats whose words after a keyword are settings.
const DIRECTIVES: &[&str] = &[
    "/etc/ssh/sshd_config",
    "/etc/ssh/ssh_config",
    "/etc/pam.",
    "/etc/nsswitch.conf",
    "/etc/login.defs",
    "/etc/sudoers",
    "/etc/passwd",
    "/etc/group",
    "/etc/subuid",
    "/etc/subgid",
    "/etc/default/useradd",
    "/etc/security/",
    "/etc/deluser.conf",
    "/etc/adduser.conf",
    "/etc/services",
    "/etc/audit/",
    "/etc/apparmor.d/",
    "/var/lib/dpkg/",
    "/var/lib/apt/extended_states",
    "/usr/lib/systemd/",
    "/lib/systemd/",
    "/usr/lib/sysctl.d/",
];

/// Folders and files that others may not read though nothing in them is one secret as a whole.
const KNOWN: &[&str] = &[
    "/etc/sudoers",
    "/etc/cron",
    "/var/spool/cron/",
    "/etc/at.",
    "/etc/ssh/sshd_config",
    "/etc/audit",
    "/etc/nftables",
    "/etc/iptables",
    "/etc/ufw/",
    "/etc/polkit-1/",
    "/etc/.pwd.lock",
    "/etc/grub.d/",
    "/etc/default/",
    "/boot/grub/grub.cfg",
    "/etc/systemd/",
    "/etc/apparmor.d/",
    "/etc/fstab",
    "/etc/crypttab",
    "/etc/security/",
    "/etc/modprobe.d/",
    "/etc/sysctl",
    "/etc/chrony/chrony.conf",
    "/etc/login.defs",
    "/etc/pam.d/",
    "/etc/ssh/ssh_config",
    "/etc/subuid",
    "/etc/subgid",
    "/etc/profile",
    "/etc/environment",
];

fn starts(path: &[u8], list: &[&str]) -> bool {
    list.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
}

/// Whether `path`, with these permission bits, is a secret as a whole or a text.
pub(crate) fn holds(path: &[u8], mode: u32) -> Holds {
    match path {
        b"/etc/shadow" | b"/etc/shadow-" => return Holds::Shadow,
        b"/etc/gshadow" | b"/etc/gshadow-" => return Holds::Gshadow,
        _ => {}
    }
    let directives = starts(path, DIRECTIVES);
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let public = name.ends_with(".pub") || name.contains("authorized_keys");
    let named = SECRET_NAMES.iter().any(|part| name.contains(part));
    let in_private = memchr::memmem::find(path, b"/private/").is_some();
    if in_private || (named && !directives && !public && !starts(path, &["/etc/apt/trusted"])) {
        return Holds::Secret;
    }
    if mode & 0o004 == 0 && !starts(path, KNOWN) && !public && !directives {
        return Holds::Secret;
    }
    if directives { Holds::Directives } else { Holds::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_may_not_read_is_a_secret_unless_it_is_known() {
        assert_eq!(holds(b"/etc/app/app.conf", 0o640), Holds::Secret);
        assert_eq!(holds(b"/etc/app/app.conf", 0o644), Holds::Text);
        assert_eq!(holds(b"/etc/sudoers.d/x", 0o440), Holds::Directives);
        assert_eq!(holds(b"/etc/ssh/ssh_host_ed25519_key", 0o644), Holds::Secret);
        assert_eq!(holds(b"/etc/ssh/ssh_host_ed25519_key.pub", 0o644), Holds::Text);
        assert_eq!(holds(b"/etc/pam.d/passwd", 0o644), Holds::Directives);
        assert_eq!(holds(b"/etc/passwd", 0o644), Holds::Directives);
        assert_eq!(holds(b"/root/.ssh/authorized_keys", 0o600), Holds::Text);
        assert_eq!(holds(b"/etc/ppp/chap-secrets", 0o644), Holds::Secret);
        assert_eq!(holds(b"/etc/shadow-", 0o600), Holds::Shadow);
    }
}
