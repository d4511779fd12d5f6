//! What only the running system answers.

use std::{
    collections::BTreeSet,
    io::Write,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, Stdio},
};

use baseline::{Fault, Live};

const PROCESSES_MAX: usize = 200_000;
const OUTPUT_BYTES_MAX: usize = 1 << 20;

pub(super) fn answer(live: Live) -> Result<Vec<u8>, Fault> {
    match live {
        Live::SocketHolders => Ok(socket_holders()),
        Live::Chrony => run("chronyc", &["-n", "-c", "tracking"]),
        Live::Timedate => run("timedatectl", &["show"]),
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<Vec<u8>, Fault> {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    // Never by PATH: the collector runs as root.
    let found =
        folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file());
    let path = found.ok_or(Fault::Absent)?;
    let mut command = Command::new(path);
    command.args(arguments).env_clear().env("LC_ALL", "C");
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::null()).output().map_err(|_| Fault::Io)?;
    if !output.status.success() {
        return Err(Fault::Unsupported);
    }
    let mut bytes = output.stdout;
    bytes.truncate(OUTPUT_BYTES_MAX);
    Ok(bytes)
}

/// Processes come and go, so one that vanishes is no fault.
fn socket_holders() -> Vec<u8> {
    let mut lines = BTreeSet::new();
    let Ok(processes) = Path::new("/proc").read_dir() else { return Vec::new() };
    for process in processes.flatten().take(PROCESSES_MAX) {
        if !process.file_name().as_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(descriptors) = process.path().join("fd").read_dir() else { continue };
        let sockets: BTreeSet<u64> =
            descriptors.flatten().take(PROCESSES_MAX).filter_map(|fd| socket(&fd.path())).collect();
        if sockets.is_empty() {
            continue;
        }
        let Ok(name) = std::fs::read(process.path().join("comm")) else { continue };
        for inode in sockets {
            lines.insert((inode, name.trim_ascii_end().to_vec()));
        }
    }
    let mut out = Vec::new();
    for (inode, name) in lines {
        // Writing into memory does not fail.
        let _ = write!(out, "{inode} ");
        out.extend(name);
        out.push(b'\n');
    }
    out
}

fn socket(descriptor: &Path) -> Option<u64> {
    let target = descriptor.read_link().ok()?;
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
