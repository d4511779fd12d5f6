//! A host over the system's `ssh`: known hosts, jump hosts, agents and security keys as its
//! configuration says.
//!
//! Each round of questions is one connection that runs a POSIX `sh` script from its input, with `find`,
//! `base64`, `sha256sum` and `md5sum` of a Debian base; nothing is left on the host. Extended attributes
//! are read by `perl-base`; without it they are unread. Every answer is one line, or a fixed number of
//! lines, of base64, so no byte of a host's files can pretend to be an answer.
//!
//! For `--sudo` the account needs one line in sudoers: `collector ALL=(root) NOPASSWD: /bin/sh -s`. That
//! is root; whoever holds the key of that account holds the host.
//!
//! Limits: 1 GiB of answers and half an hour a round.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fmt::Write as _,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use baseline::{Ask, Bytes, Digests, ENTRIES_MAX, Entry, Fault, Got, Kind, Live, Only, Xattr};
use room::Error;

use super::Driver;

const ANSWER_BYTES_MAX: u64 = 1 << 30;
const ROUND_SECONDS_MAX: &str = "1800";
/// What `timeout` of coreutils ends with when the time was over.
const OVER: i32 = 124;

/// Connects anew for each round.
pub struct SshDriver {
    arguments: Vec<OsString>,
    sudo: bool,
    /// Folder on the host that is its root, without `/` at the end.
    root: String,
    failure: Option<String>,
}

impl SshDriver {
    /// To a host as `ssh` knows it. The root is `/` unless a folder of the host is named.
    pub fn to(host: &str, sudo: bool, root: &Path, config: Option<&Path>) -> Result<Self, Error> {
        if host.starts_with('-') || host.is_empty() {
            return Err(Error::said(format!("{host}: not the name of a host")));
        }
        let root = root.to_str().ok_or_else(|| Error::said("the root is not UTF-8"))?;
        let mut arguments: Vec<OsString> = Vec::new();
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "ConnectTimeout=20",
            "ServerAliveInterval=15",
        ] {
            arguments.extend(["-o".into(), option.into()]);
        }
        if let Some(config) = config {
            arguments.extend(["-F".into(), config.into()]);
        }
        arguments.extend(["-T".into(), "--".into(), host.into()]);
        Ok(Self { arguments, sudo, root: root.trim_end_matches('/').to_owned(), failure: None })
    }

    /// Why the host could not be asked; then all it was asked is a fault.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn run(&mut self, script: &str) -> Result<Vec<u8>, String> {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", ROUND_SECONDS_MAX, "ssh"]);
        command.args(&self.arguments).arg(if self.sudo {
            "sudo -n /bin/sh -s"
        } else {
            "/bin/sh -s"
        });
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("ssh: {error}"))?;
        let mut input = child.stdin.take().ok_or("ssh: no input")?;
        let script = script.as_bytes().to_vec();
        let writer = std::thread::spawn(move || input.write_all(&script));
        let mut errors = child.stderr.take().ok_or("ssh: no output")?;
        let listener = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What a host says on its error output is bounded, and all of it is taken.
            let _ = errors.by_ref().take(64 << 10).read_to_end(&mut text);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
            text
        });
        let mut bytes = Vec::new();
        let output = child.stdout.take().ok_or("ssh: no output")?;
        let read = output.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
        let _ = writer.join();
        let errors = listener.join().unwrap_or_default();
        let status = child.wait().map_err(|error| format!("ssh: {error}"))?;
        read.map_err(|error| format!("ssh: {error}"))?;
        if status.code() == Some(OVER) {
            return Err(format!("ssh: no end after {ROUND_SECONDS_MAX} s"));
        }
        if !status.success() {
            let errors = Bytes(errors).to_string();
            let last = errors
                .lines()
                .rev()
                .find(|line| !line.trim().is_empty())
                .unwrap_or("no reason given");
            return Err(format!("ssh: {}", last.trim()));
        }
        Ok(bytes)
    }
}

impl Driver for SshDriver {
    fn answer(&mut self, asks: &[Ask]) -> Vec<Got> {
        if self.failure.is_some() {
            return Vec::new();
        }
        let mut script = PRELUDE.to_owned();
        for ask in asks {
            put(&mut script, ask, &self.root);
        }
        script.push_str("exit 0\n");
        match self.run(&script) {
            Err(why) => {
                self.failure = Some(why);
                Vec::new()
            }
            Ok(bytes) => {
                let mut lines = bytes.split(|byte| *byte == b'\n');
                asks.iter().map(|ask| take(ask, &mut lines, &self.root)).collect()
            }
        }
    }
}

/// Functions of the script. `r` gives a word for why a file is not read, or its bytes.
const PRELUDE: &str = r#"export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
b() { base64 -w0; echo; }
r() {
if [ -L "$1" ] && [ "$3" = t ]; then echo link
elif [ ! -e "$1" ]; then echo absent
elif [ ! -f "$1" ]; then echo notfile
elif [ ! -r "$1" ]; then echo denied
else printf 'ok '; head -c "$2" -- "$1" 2>/dev/null | b
fi; }
x() { if command -v perl >/dev/null; then perl -0 -e '
my $m = `uname -m`; $m =~ s{\s}{}g;
my ($l,$g,$s) = $m eq "x86_64" ? (195,192,332) : $m =~ /^(aarch64|riscv64)$/ ? (12,9,291) : die "unsupported\n";
while (my $p = <STDIN>) { chomp $p; my $z = "$p\0";
my $n = "\0" x 1024; my $c = syscall($l, $z, $n, 1024);
if ($c > 0) { for my $k (split /\0/, substr($n,0,$c)) {
next unless $k =~ /^(security\.capability|security\.selinux|system\.posix_acl_(access|default))$/;
my $kz = "$k\0"; my $v = "\0" x 65536; my $d = syscall($g, $z, $kz, $v, 65536);
print $p, "\0", $k, "\0", unpack("H*", substr($v,0,$d)), "\0" if $d >= 0; } }
my $b = "\0" x 256; if (syscall($s, -100, $z, 0x100, 0x7ff, $b) == 0) {
my $a = unpack("Q<", substr($b,8,8)); print $p, "\0immutable\0", "\0" if $a & 0x10; } }'
else echo unsupported >&2; cat >/dev/null; fi; }
"#;

/// A word of the shell, whatever its bytes: what is UTF-8 stands in quotes, line ends too; single bytes that are not
/// would not survive a text, so printf writes them by their octal numbers.
fn word(path: &[u8]) -> String {
    let mut out = String::from("''");
    for chunk in path.utf8_chunks() {
        let text = chunk.valid().replace('\'', "'\\''");
        let octal: String = chunk.invalid().iter().map(|byte| format!("\\{byte:03o}")).collect();
        // Writing into a text does not fail.
        if !text.is_empty() {
            let _ = write!(out, "'{text}'");
        }
        if !octal.is_empty() {
            let _ = write!(out, "\"$(printf '{octal}')\"");
        }
    }
    out
}

fn put(script: &mut String, ask: &Ask, root: &str) {
    let place = |path: &Bytes| word(&placed(root, path.as_slice()));
    // Writing into a text does not fail.
    let _ = match ask {
        Ask::Walk { path, prune, depth_max, only } => {
            let mut find = format!("find {} -xdev", place(path));
            if *depth_max < 10_000 {
                let _ = write!(find, " -maxdepth {depth_max}");
            }
            for pruned in prune {
                let pattern = placed(root, pruned.as_slice());
                let _ = write!(find, " -path {} -prune -o", word(&escaped(&pattern)));
            }
            let some = match only {
                Only::All => "",
                Only::Privileged => " -type f",
            };
            let format = "%y %m %U %G %s\\0%p\\0%l\\0";
            let attributes = if *depth_max > 1 {
                format!("{find} \\( -type f -o -type d \\) -print0 2>/dev/null | x 2>/dev/null | b")
            } else {
                "echo".to_owned()
            };
            writeln!(
                script,
                "{find}{some} -printf '{format}' 2>/dev/null | b\n{attributes}\n{find} -printf '' 2>&1 >/dev/null | b\ncommand -v perl >/dev/null && echo perl || echo none"
            )
        }
        Ask::Read { path, bytes_max } => {
            let kernel = path.0.starts_with(b"/proc/") || path.0.starts_with(b"/sys/");
            let strict = if kernel { 'f' } else { 't' };
            writeln!(script, "r {} {} {strict}", place(path), bytes_max + 1)
        }
        Ask::Digest { paths, md5 } => {
            let mut list = Vec::new();
            for path in paths {
                list.extend(placed(root, path.as_slice()));
                list.push(0);
            }
            let list = STANDARD.encode(list);
            let mut sum = |program: &str| {
                writeln!(
                    script,
                    "base64 -d <<'E' | xargs -0r {program} -z -- 2>/dev/null | b\n{list}\nE"
                )
            };
            let first = sum("sha256sum");
            if *md5 { first.and(sum("md5sum")) } else { first }
        }
        Ask::Live(live) if root.is_empty() => match live {
            Live::SocketHolders => writeln!(
                script,
                "{{ find /proc/[0-9]*/fd -maxdepth 1 -lname 'socket:*' -printf '%p %l\\n' 2>/dev/null; grep -H '' /proc/[0-9]*/comm 2>/dev/null; }} | b"
            ),
            Live::Chrony => writeln!(script, "chronyc -n -c tracking 2>/dev/null | b"),
            Live::Timedate => writeln!(script, "timedatectl show 2>/dev/null | b"),
        },
        Ask::Live(_) => writeln!(script, "echo"),
    };
}

fn placed(root: &str, path: &[u8]) -> Vec<u8> {
    match (root.is_empty(), path) {
        (true, _) => path.to_vec(),
        (false, b"/") => root.as_bytes().to_vec(),
        (false, _) => [root.as_bytes(), path].concat(),
    }
}

/// `find -path` takes a pattern.
fn escaped(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in path {
        if b"*?[\\".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

/// Without the root in front.
fn stripped(root: &str, path: &[u8]) -> Box<[u8]> {
    match path.strip_prefix(root.as_bytes()) {
        Some(b"") => b"/"[..].into(),
        Some(rest) => rest.into(),
        None => path.into(),
    }
}

fn take<'a>(ask: &Ask, lines: &mut impl Iterator<Item = &'a [u8]>, root: &str) -> Got {
    let mut block = || STANDARD.decode(lines.next().unwrap_or_default()).unwrap_or_default();
    match ask {
        Ask::Walk { only, depth_max, .. } => {
            let (found, attributes, errors) = (block(), block(), block());
            let perl = lines.next() == Some(b"perl");
            let mut faults = faults(&errors, root);
            if !perl && *depth_max > 1 {
                faults.push((Bytes::from("xattr"), Fault::Unsupported));
            }
            let mut entries = entries(&found, &attributes, root);
            if *only == Only::Privileged {
                entries.retain(|entry| entry.mode & 0o6000 != 0 || !entry.xattrs.is_empty());
            }
            if entries.len() >= ENTRIES_MAX {
                faults.push((Bytes::from("/"), Fault::Many));
                entries.truncate(ENTRIES_MAX);
            }
            Got::Walk { entries, faults }
        }
        Ask::Read { bytes_max, .. } => {
            Got::Read(file(lines.next().unwrap_or_default(), *bytes_max))
        }
        Ask::Digest { paths, md5 } => {
            let strong = sums::<32>(&block(), root);
            let weak = if *md5 { sums::<16>(&block(), root) } else { HashMap::new() };
            let one = |path: &Bytes| match strong.get(path.as_slice()) {
                None => Err(Fault::Absent),
                Some(sha256) => {
                    let md5 = md5.then(|| weak.get(path.as_slice()).copied());
                    match md5 {
                        Some(None) => Err(Fault::Changed),
                        other => Ok(Digests { md5: other.flatten(), sha256: *sha256 }),
                    }
                }
            };
            Got::Digest(paths.iter().map(one).collect())
        }
        Ask::Live(Live::SocketHolders) => {
            let bytes = block();
            Got::Live(if bytes.is_empty() { Err(Fault::Unsupported) } else { Ok(holders(&bytes)) })
        }
        Ask::Live(_) => {
            let bytes = block();
            Got::Live(if bytes.is_empty() { Err(Fault::Absent) } else { Ok(bytes) })
        }
    }
}

fn file(line: &[u8], bytes_max: u64) -> Result<Vec<u8>, Fault> {
    match line {
        b"absent" => Err(Fault::Absent),
        b"link" => Err(Fault::Link),
        b"notfile" => Err(Fault::NotFile),
        b"denied" => Err(Fault::Denied),
        _ => {
            let text = line.strip_prefix(b"ok ").ok_or(Fault::Io)?;
            let bytes = STANDARD.decode(text).map_err(|_| Fault::Io)?;
            if bytes.len() as u64 > bytes_max { Err(Fault::Large(bytes_max)) } else { Ok(bytes) }
        }
    }
}

fn entries(found: &[u8], attributes: &[u8], root: &str) -> Vec<Entry> {
    let mut xattrs: HashMap<&[u8], (Vec<Xattr>, bool)> = HashMap::new();
    let parts: Vec<&[u8]> = attributes.split(|byte| *byte == 0).collect();
    for three in parts.chunks_exact(3) {
        let entry = xattrs.entry(three[0]).or_default();
        match three[1] {
            b"immutable" => entry.1 = true,
            name => {
                let value = hex_bytes(three[2]).unwrap_or_default();
                entry.0.push((name.into(), value.into_boxed_slice()));
            }
        }
    }
    let parts: Vec<&[u8]> = found.split(|byte| *byte == 0).collect();
    let mut entries = Vec::new();
    for three in parts.chunks_exact(3) {
        let Some((mode, uid, gid, size)) = numbers(three[0]) else { continue };
        let (mut own, immutable) = xattrs.remove(three[1]).unwrap_or_default();
        own.sort();
        let kind = Kind::of(mode);
        entries.push(Entry {
            path: stripped(root, three[1]),
            mode,
            uid,
            gid,
            size: if kind == Kind::File { size } else { 0 },
            target: (kind == Kind::Link).then(|| three[2].into()),
            xattrs: own,
            immutable,
        });
    }
    entries
}

/// `TYPE MODE UID GID SIZE`.
fn numbers(text: &[u8]) -> Option<(u32, u32, u32, u64)> {
    let text = std::str::from_utf8(text).ok()?;
    let words: Vec<&str> = text.split(' ').collect();
    let [kind, mode, uid, gid, size] = words[..] else { return None };
    let kind = match kind {
        "f" => 0o100_000,
        "d" => 0o040_000,
        "l" => 0o120_000,
        "p" => 0o010_000,
        "s" => 0o140_000,
        "b" => 0o060_000,
        "c" => 0o020_000,
        _ => return None,
    };
    let bits = u32::from_str_radix(mode, 8).ok()?;
    Some((kind | bits, uid.parse().ok()?, gid.parse().ok()?, size.parse().ok()?))
}

/// Lines `find: 'PATH': REASON`.
fn faults(errors: &[u8], root: &str) -> Vec<(Bytes, Fault)> {
    let mut found = BTreeMap::new();
    for line in errors.split(|byte| *byte == b'\n') {
        let Some(rest) = line.strip_prefix(b"find: '") else { continue };
        let Some(at) = rest.windows(3).rposition(|three| three == b"': ") else { continue };
        let fault = match &rest[at + 3..] {
            b"Permission denied" => Fault::Denied,
            b"No such file or directory" => Fault::Absent,
            _ => Fault::Io,
        };
        found.insert(Bytes(stripped(root, &rest[..at]).into_vec()), fault);
    }
    found.into_iter().collect()
}

fn hex_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.chunks_exact(2);
    pairs.map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

/// `HEX  PATH\0` of `sha256sum -z`.
fn sums<const N: usize>(bytes: &[u8], root: &str) -> HashMap<Vec<u8>, [u8; N]> {
    let lines = bytes.split(|byte| *byte == 0);
    let one = |line: &[u8]| {
        let sum: [u8; N] = hex_bytes(line.get(..2 * N)?)?.try_into().ok()?;
        Some((stripped(root, line.get(2 * N + 2..)?).into_vec(), sum))
    };
    lines.filter_map(one).collect()
}

/// From `/proc/1/fd/3 socket:[5]` and `/proc/1/comm:NAME` to `5 NAME`.
fn holders(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let process = |path: &str| path.strip_prefix("/proc/")?.split('/').next().map(str::to_owned);
    let mut names = HashMap::new();
    for line in text.lines() {
        if let Some((path, name)) = line.split_once("/comm:") {
            names.extend(process(path).map(|id| (id, name.to_owned())));
        }
    }
    let mut found = std::collections::BTreeSet::new();
    for line in text.lines() {
        let Some((path, inode)) = line.split_once(" socket:[") else { continue };
        let inode = inode.trim_end_matches(']').parse::<u64>();
        if let (Ok(inode), Some(name)) = (inode, process(path).and_then(|id| names.get(&id))) {
            found.insert((inode, name));
        }
    }
    let lines: Vec<String> =
        found.into_iter().map(|(inode, name)| format!("{inode} {name}\n")).collect();
    lines.concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_one_word() {
        for path in [&b"/a b"[..], b"/it's", b"/new\nline\n", b"/\xff$(x)`y`", b"/-n"] {
            let script = format!("printf '%s' {}", word(path));
            let output = Command::new("sh").arg("-c").arg(script).output().expect("sh");
            assert_eq!(output.stdout, path);
        }
        assert!(SshDriver::to("-oProxyCommand=x", false, Path::new("/"), None).is_err());
    }
}
