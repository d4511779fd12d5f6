//! Which files count: what the collector reads and makes facts of. Everything else is somebody's data, and that it
//! was changed is nobody's business here.

use crate::pristine::is_generated;

/// Folders whose files are configuration or programs.
const FOLDERS: &[&str] = &[
    "/bin/",
    "/boot/",
    "/etc/",
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/libx32/",
    "/opt/",
    "/root/.ssh/",
    "/sbin/",
    "/srv/",
    "/usr/",
    "/var/cache/debconf/",
    "/var/lib/dpkg/",
    "/var/lib/systemd/deb-systemd-helper-enabled/",
    "/var/lib/systemd/deb-systemd-helper-masked/",
    "/var/spool/cron/",
];

const FILES: &[&str] = &["/var/lib/apt/extended_states"];

/// Below these nothing is read.
const NOT: &[&str] = &[
    "/var/lib/dpkg/lock",
    "/var/lib/dpkg/triggers/",
    "/var/lib/dpkg/tmp.ci/",
    "/var/lib/dpkg/updates/",
    "/etc/.pwd.lock",
];

/// Whether a change of this file can make a difference of facts.
pub fn counts(path: &[u8]) -> bool {
    if NOT.iter().any(|not| path.starts_with(not.as_bytes())) || is_generated(path) {
        return false;
    }
    FOLDERS.iter().any(|folder| path.starts_with(folder.as_bytes()))
        || FILES.iter().any(|file| file.as_bytes() == path)
        || is_of_a_home(path)
}

/// Keys with which one may log in, wherever homes lie.
fn is_of_a_home(path: &[u8]) -> bool {
    [&b"/.ssh/authorized_keys"[..], b"/.ssh/authorized_keys2"].iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_counts_and_data_does_not() {
        for path in [
            "/etc/ssh/sshd_config",
            "/usr/bin/x",
            "/home/ann/.ssh/authorized_keys",
            "/var/spool/cron/crontabs/root",
            "/var/lib/dpkg/status",
            "/boot/grub/grub.cfg",
        ] {
            assert!(counts(path.as_bytes()), "{path}");
        }
        for path in [
            "/var/log/syslog",
            "/var/cache/apt/x",
            "/home/ann/notes",
            "/tmp/x",
            "/usr/lib/python3/__pycache__/x.pyc",
            "/etc/.pwd.lock",
            "/var/lib/dpkg/lock-frontend",
            "/var/lib/mysql/x",
            "/etcetera",
            "",
        ] {
            assert!(!counts(path.as_bytes()), "{path}");
        }
    }
}
