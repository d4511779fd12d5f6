//! Names of system calls that rules ask for, by number: x86-64 and the table common to arm64 and riscv64.

const X86_64: &str = "c000003e";
const AARCH64: &str = "c00000b7";

/// name, number on x86-64, number on arm64
const CALLS: &[(&str, u32, Option<u32>)] = &[
    ("open", 2, None),
    ("socket", 41, Some(198)),
    ("connect", 42, Some(203)),
    ("accept", 43, Some(202)),
    ("sendto", 44, Some(206)),
    ("bind", 49, Some(200)),
    ("listen", 50, Some(201)),
    ("clone", 56, Some(220)),
    ("fork", 57, None),
    ("vfork", 58, None),
    ("execve", 59, Some(221)),
    ("kill", 62, Some(129)),
    ("rename", 82, None),
    ("mkdir", 83, None),
    ("rmdir", 84, None),
    ("creat", 85, None),
    ("link", 86, None),
    ("unlink", 87, None),
    ("symlink", 88, None),
    ("chmod", 90, None),
    ("fchmod", 91, Some(52)),
    ("chown", 92, None),
    ("fchown", 93, Some(55)),
    ("lchown", 94, None),
    ("sysinfo", 99, Some(179)),
    ("ptrace", 101, Some(117)),
    ("syslog", 103, Some(116)),
    ("setuid", 105, Some(146)),
    ("setgid", 106, Some(144)),
    ("setreuid", 113, Some(145)),
    ("setregid", 114, Some(143)),
    ("setresuid", 117, Some(147)),
    ("setresgid", 119, Some(149)),
    ("mknod", 133, None),
    ("personality", 135, Some(92)),
    ("chroot", 161, Some(51)),
    ("mount", 165, Some(40)),
    ("umount2", 166, Some(39)),
    ("sethostname", 170, Some(161)),
    ("init_module", 175, Some(105)),
    ("delete_module", 176, Some(106)),
    ("setxattr", 188, Some(5)),
    ("time", 201, None),
    ("adjtimex", 159, Some(171)),
    ("settimeofday", 164, Some(170)),
    ("clock_settime", 227, Some(112)),
    ("openat", 257, Some(56)),
    ("mkdirat", 258, Some(34)),
    ("mknodat", 259, Some(33)),
    ("fchownat", 260, Some(54)),
    ("unlinkat", 263, Some(35)),
    ("renameat", 264, Some(38)),
    ("linkat", 265, Some(37)),
    ("symlinkat", 266, Some(36)),
    ("fchmodat", 268, Some(53)),
    ("clock_adjtime", 305, Some(266)),
    ("finit_module", 313, Some(273)),
    ("renameat2", 316, Some(276)),
    ("memfd_create", 319, Some(279)),
    ("kexec_file_load", 320, Some(294)),
    ("bpf", 321, Some(280)),
    ("execveat", 322, Some(281)),
    ("process_vm_writev", 311, Some(271)),
    ("openat2", 437, Some(437)),
];

/// The name of call `number` on `arch`, as audit writes both.
pub fn name(arch: Option<&str>, number: Option<&str>) -> Option<&'static str> {
    let number: u32 = number?.parse().ok()?;
    let meets = |call: &&(&str, u32, Option<u32>)| match arch {
        Some(X86_64) => call.1 == number,
        Some(AARCH64) => call.2 == Some(number),
        _ => false,
    };
    CALLS.iter().find(meets).map(|call| call.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_the_machine() {
        assert_eq!(name(Some(X86_64), Some("59")), Some("execve"));
        assert_eq!(name(Some(AARCH64), Some("221")), Some("execve"));
        assert_eq!(name(Some("40000003"), Some("11")), None);
        assert_eq!(name(None, Some("59")), None);
    }
}
