//! A package: its two tar archives, read once from end to end. What dpkg refuses to unpack (extended
//! headers of PAX, sparse files) is refused here too.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io::Read,
};

use sha2::{Digest as _, Sha256};

use super::{
    ArchiveError, CONTROL_BYTES_MAX, DATA_BYTES_MAX, MEMBERS_MAX, PATH_BYTES_MAX, PackageManifest,
    Shipped, ar, unpack,
};
use crate::{bytes::Bytes, capture::Kind, parse, pristine::SCRIPTS};

/// A unit or a file of sysusers.d that is read as text.
const TEXT_BYTES_MAX: u64 = 256 << 10;
const WORDS_MAX: usize = 20_000;
const WORD_CHARS: std::ops::RangeInclusive<usize> = 2..=200;
const UNIT_FOLDERS: [&str; 4] = [
    "/usr/lib/systemd/system/",
    "/lib/systemd/system/",
    "/usr/lib/systemd/user/",
    "/lib/systemd/user/",
];

fn failed(member: &str, what: impl ToString) -> ArchiveError {
    let what = what.to_string();
    let what = what.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    ArchiveError::Deb { member: member.to_owned(), what }
}

/// What a package is made of. Its bytes have to be verified by whoever calls.
pub fn manifest(bytes: &[u8]) -> Result<PackageManifest, ArchiveError> {
    let members = ar::members(bytes)?;
    let named = |stem: &str| {
        let mut fitting = members.iter().filter(|(name, _)| {
            name.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let found = fitting.next().ok_or_else(|| failed(stem, "missing"))?;
        if fitting.next().is_some() {
            return Err(failed(stem, "there twice"));
        }
        Ok(found)
    };
    if members
        .first()
        .is_none_or(|(name, content)| name != "debian-binary" || !content.starts_with(b"2."))
    {
        return Err(failed("debian-binary", "not a package of format 2"));
    }
    let (name, content) = named("control.tar")?;
    let control = Control::read(name, content)?;
    let (name, content) = named("data.tar")?;
    let data = Data::read(name, content, &control)?;
    control.finish(data)
}

/// Small members of the control part, by name.
struct Control(BTreeMap<String, Vec<u8>>);

impl Control {
    fn read(name: &str, content: &[u8]) -> Result<Control, ArchiveError> {
        let stream = unpack::stream(name, content, CONTROL_BYTES_MAX)?;
        let mut archive = tar::Archive::new(stream);
        let mut found = BTreeMap::new();
        for entry in archive.entries().map_err(|error| failed(name, error))? {
            let mut entry = entry.map_err(|error| failed(name, error))?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path = path.trim_start_matches("./").to_owned();
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|error| failed(name, error))?;
            if found.insert(path, bytes).is_some() || found.len() > 1_000 {
                return Err(failed(name, "a member twice, or too many"));
            }
        }
        Ok(Control(found))
    }

    fn text(&self, name: &str) -> String {
        self.0.get(name).map(|bytes| Bytes(bytes.clone()).to_string()).unwrap_or_default()
    }

    /// Paths that dpkg treats as configuration.
    fn conffiles(&self) -> HashSet<Vec<u8>> {
        let text = self.text("conffiles");
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
        lines.map(|line| Bytes::parse(line).0).collect()
    }

    /// Paths with a sum; none: dpkg makes sums of all when it unpacks.
    fn sums(&self) -> Option<HashSet<Vec<u8>>> {
        let table = self.0.get("md5sums")?;
        let path = |(path, _): (&[u8], [u8; 16])| [b"/", path].concat();
        Some(parse::dpkg::md5sums(table).map(path).collect())
    }

    /// SHA-256 over the scripts that run as root when packages change.
    fn scripts(&self) -> String {
        let mut hash = Sha256::new();
        let mut any = false;
        for (name, bytes) in self.0.iter().filter(|(name, _)| SCRIPTS.contains(&&name[..])) {
            crate::pristine::add_script(&mut hash, name.as_bytes(), &Sha256::digest(bytes).into());
            any = true;
        }
        let root: [u8; 32] = hash.finalize().into();
        if any { hex::encode(root) } else { String::new() }
    }

    fn finish(self, data: Data) -> Result<PackageManifest, ArchiveError> {
        let text = self.text("control");
        let wanted = ["package", "version", "architecture", "replaces"];
        let mut problem = None;
        let all = parse::paragraphs(&text, &wanted, |line, what| {
            problem.get_or_insert(format!("line {line}: {what}"));
        });
        if let Some(what) = problem {
            return Err(failed("control", what));
        }
        let one = all.first().ok_or_else(|| failed("control", "empty"))?;
        if ["package", "version", "architecture"].iter().any(|name| one.get(name).is_empty()) {
            return Err(failed("control", "no Package, Version or Architecture"));
        }
        let names = one.get("replaces").split([',', '|']);
        let names = names.filter_map(|name| name.split_whitespace().next());
        let replaces = names.map(|name| name.split(':').next().unwrap_or(name).to_owned());
        let mut words = data.words;
        for script in ["preinst", "postinst", "config"] {
            gather(&self.text(script), &mut words);
        }
        let templates = parse::paragraphs(&self.text("templates"), &["template"], |_, _| {});
        let templates = templates.iter().map(|one| one.get("template").to_owned());
        Ok(PackageManifest {
            name: one.get("package").to_owned(),
            version: one.get("version").to_owned(),
            architecture: one.get("architecture").to_owned(),
            replaces: replaces.collect(),
            scripts: self.scripts(),
            sums: self.0.get("md5sums").map(|table| Sha256::digest(table).into()),
            files: data.files,
            words: words.into_iter().collect(),
            enables: data.enables,
            templates: templates.filter(|name| !name.is_empty()).collect(),
        })
    }
}

/// Words that may be names of users, units or paths.
fn gather(text: &str, words: &mut BTreeSet<String>) {
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_./-@+".contains(c)));
    for word in parts.filter(|word| WORD_CHARS.contains(&word.len())) {
        if words.len() >= WORDS_MAX {
            return;
        }
        words.insert(word.to_owned());
    }
}

#[derive(Default)]
struct Data {
    files: Vec<Shipped>,
    words: BTreeSet<String>,
    enables: Vec<(Bytes, Bytes)>,
}

impl Data {
    fn read(name: &str, content: &[u8], control: &Control) -> Result<Data, ArchiveError> {
        let (conffiles, sums) = (control.conffiles(), control.sums());
        let stream = unpack::stream(name, content, DATA_BYTES_MAX)?;
        let mut archive = tar::Archive::new(stream);
        let mut data = Data::default();
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut long = Long::default();
        // Raw: a name that is too long for its header comes before it, and is bounded here.
        for entry in archive.entries().map_err(|error| failed(name, error))?.raw(true) {
            let mut entry = entry.map_err(|error| failed(name, error))?;
            if long.take(&mut entry).map_err(|what| failed(name, what))? {
                continue;
            }
            let long = std::mem::take(&mut long);
            let own = long.name.unwrap_or_else(|| entry.path_bytes().into_owned());
            let link = long.link.or_else(|| entry.link_name_bytes().map(|link| link.into_owned()));
            let Some(path) = path(&own).map_err(|what| failed(name, what))? else { continue };
            let at = String::from_utf8_lossy(&path).into_owned();
            if data.files.len() >= MEMBERS_MAX {
                return Err(ArchiveError::Limit {
                    what: "members of a package",
                    max: MEMBERS_MAX as u64,
                });
            }
            let mut one =
                shipped(entry.header(), path, link.as_deref()).map_err(|what| failed(&at, what))?;
            match entry.header().entry_type() {
                tar::EntryType::Link => {
                    let target = self::path(&link.unwrap_or_default()).ok().flatten();
                    let target = target.unwrap_or_default();
                    let first = known.get(&target).map(|at| &data.files[*at]);
                    let first = first.filter(|first| first.kind == Kind::File);
                    let first = first.ok_or_else(|| failed(&at, "a link to nothing before it"))?;
                    one = Shipped { path: one.path, ..first.clone() };
                }
                kind if kind.is_file() => {
                    let (hash, text) =
                        digest(&mut entry, &at).map_err(|error| failed(&at, error))?;
                    one.sha256 = Some(hash);
                    data.text(&at, text.as_deref());
                }
                _ => {}
            }
            one.is_conffile = conffiles.contains(one.path.as_slice());
            one.has_sum = one.kind == Kind::File
                && (one.is_conffile
                    || sums.as_ref().is_none_or(|sums| sums.contains(one.path.as_slice())));
            if known.insert(one.path.0.clone(), data.files.len()).is_some() {
                return Err(failed(&at, "there twice"));
            }
            data.files.push(one);
        }
        Ok(data)
    }

    /// What units offer to be enabled by, and the names that sysusers.d declares.
    fn text(&mut self, path: &str, text: Option<&[u8]>) {
        let Some(text) = text.map(|text| String::from_utf8_lossy(text).into_owned()) else {
            return;
        };
        if path.contains("/sysusers.d/") {
            return gather(&text, &mut self.words);
        }
        let unit = parse::base(path);
        let folder = if path.contains("/systemd/user/") { "user" } else { "system" };
        for (section, key, value, _) in parse::ini(&text) {
            if section != "Install" {
                continue;
            }
            let suffix = match &key[..] {
                "WantedBy" => ".wants/",
                "RequiredBy" => ".requires/",
                "UpheldBy" => ".upholds/",
                "Alias" => "",
                _ => continue,
            };
            for name in value.split_whitespace().filter(|name| !name.contains('/')).take(100) {
                let link = match suffix {
                    "" => format!("/etc/systemd/{folder}/{name}"),
                    suffix => format!("/etc/systemd/{folder}/{name}{suffix}{unit}"),
                };
                self.enables.push((link.into(), path.into()));
            }
        }
    }
}

/// From the root; none for the root itself.
fn path(raw: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let raw = raw.strip_prefix(b".").filter(|rest| rest.starts_with(b"/")).unwrap_or(raw);
    let parts: Vec<&[u8]> =
        raw.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&&b".."[..]) {
        return Err("a path that leads out of the root");
    }
    if raw.len() > PATH_BYTES_MAX {
        return Err("a path that is too long");
    }
    if parts.is_empty() {
        return Ok(None);
    }
    Ok(Some(parts.iter().flat_map(|part| [&b"/"[..], part]).collect::<Vec<_>>().concat()))
}

/// Names that did not fit into the header that follows.
#[derive(Default)]
struct Long {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Long {
    /// Whether the entry is such a name.
    fn take<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>) -> Result<bool, String> {
        let kind = entry.header().entry_type();
        let place = match kind {
            tar::EntryType::GNULongName => &mut self.name,
            tar::EntryType::GNULongLink => &mut self.link,
            _ => return Ok(false),
        };
        if entry.size() > PATH_BYTES_MAX as u64 + 1 {
            return Err("a name that is too long".to_owned());
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        bytes.truncate(end);
        *place = Some(bytes);
        Ok(true)
    }
}

fn shipped(header: &tar::Header, path: Vec<u8>, link: Option<&[u8]>) -> Result<Shipped, String> {
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::Link => Kind::File,
        tar::EntryType::Directory => Kind::Directory,
        tar::EntryType::Symlink => Kind::Link,
        tar::EntryType::Fifo => Kind::Fifo,
        tar::EntryType::Block => Kind::Block,
        tar::EntryType::Char => Kind::Character,
        other => return Err(format!("a member of kind {:?}", char::from(other.as_byte()))),
    };
    let mode = header.mode().map_err(|error| error.to_string())?;
    let name = |text: Option<&[u8]>, number: std::io::Result<u64>| -> Result<String, String> {
        let text = text.map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        if !text.is_empty() {
            return Ok(text);
        }
        match number.map_err(|error| error.to_string())? {
            0 => Ok("root".to_owned()),
            number => Ok(number.to_string()),
        }
    };
    let target = link.filter(|_| kind == Kind::Link);
    if kind == Kind::Link && target.is_none_or(|target| target.is_empty()) {
        return Err("a link without a target".to_owned());
    }
    Ok(Shipped {
        path: Bytes(path),
        kind,
        mode: (mode & 0o7777) as u16,
        user: name(header.username_bytes(), header.uid())?,
        group: name(header.groupname_bytes(), header.gid())?,
        target: target.map(Bytes::from),
        sha256: None,
        has_sum: false,
        is_conffile: false,
    })
}

/// SHA-256 of a member, and its bytes if their meaning is wanted.
fn digest(entry: &mut impl Read, path: &str) -> std::io::Result<([u8; 32], Option<Vec<u8>>)> {
    let is_unit = UNIT_FOLDERS
        .iter()
        .any(|folder| path.strip_prefix(folder).is_some_and(|name| !name.contains('/')));
    let wanted = is_unit || path.starts_with("/usr/lib/sysusers.d/");
    let mut text = Vec::new();
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = entry.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        if wanted && text.len() as u64 <= TEXT_BYTES_MAX {
            text.extend_from_slice(&buffer[..count]);
        }
    }
    let whole = wanted && text.len() as u64 <= TEXT_BYTES_MAX;
    Ok((hash.finalize().into(), whole.then_some(text)))
}
