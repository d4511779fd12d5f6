//! `Packages`: which files of an archive hold which versions.

use std::collections::BTreeSet;

use super::{ArchiveError, DEB_BYTES_MAX};

/// Name, version and architecture of packages that are looked for.
pub type Wanted = BTreeSet<(String, String, String)>;

/// What an index says of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub version: String,
    pub architecture: String,
    /// Below the root of the archive.
    pub filename: String,
    pub size: u64,
    pub sha256: [u8; 32],
}

/// Those of the wanted packages that an index names. `path` is its name in errors.
pub fn listed(path: &str, text: &[u8], wanted: &Wanted) -> Result<Vec<Listed>, ArchiveError> {
    let mut found = Vec::new();
    let (mut line, mut first) = (0, 1);
    let mut open = Paragraph::default();
    for bytes in text.split(|byte| *byte == b'\n').chain([&b""[..]]) {
        line += 1;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            let done = std::mem::take(&mut open);
            found.extend(done.listed(wanted).map_err(|what| ArchiveError::Index {
                path: path.to_owned(),
                line: first,
                what,
            })?);
            first = line + 1;
            continue;
        }
        open.take(bytes);
    }
    Ok(found)
}

/// Fields of one package, as they stand.
#[derive(Default)]
struct Paragraph<'a> {
    name: &'a [u8],
    version: &'a [u8],
    architecture: &'a [u8],
    filename: &'a [u8],
    size: &'a [u8],
    sha256: &'a [u8],
}

impl<'a> Paragraph<'a> {
    fn take(&mut self, line: &'a [u8]) {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { return };
        let value = line[at + 1..].trim_ascii();
        match &line[..at] {
            b"Package" => self.name = value,
            b"Version" => self.version = value,
            b"Architecture" => self.architecture = value,
            b"Filename" => self.filename = value,
            b"Size" => self.size = value,
            b"SHA256" => self.sha256 = value,
            _ => {}
        }
    }

    fn listed(self, wanted: &Wanted) -> Result<Option<Listed>, &'static str> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let key = (text(self.name), text(self.version), text(self.architecture));
        if !wanted.contains(&key) {
            return Ok(None);
        }
        let (name, version, architecture) = key;
        let filename =
            std::str::from_utf8(self.filename).map_err(|_| "a Filename that is no text")?;
        let filename = filename.strip_prefix("./").unwrap_or(filename);
        let inside = !filename.is_empty()
            && !filename.starts_with('/')
            && filename.split('/').all(|part| !matches!(part, ".." | "." | ""));
        if !inside {
            return Err("a Filename that leads out of the archive");
        }
        let size = std::str::from_utf8(self.size).ok().and_then(|size| size.parse().ok());
        let size = size.ok_or("no Size")?;
        if size > DEB_BYTES_MAX {
            return Err("a Size beyond the limit");
        }
        let mut sha256 = [0; 32];
        hex::decode_to_slice(self.sha256, &mut sha256).map_err(|_| "no SHA256")?;
        let filename = filename.to_owned();
        Ok(Some(Listed { name, version, architecture, filename, size, sha256 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_versions_are_found_and_a_bad_entry_is_named_by_its_line() {
        let hash = "ab".repeat(32);
        let entry = |version: &str, file: &str| {
            format!(
                "Package: a\nVersion: {version}\nArchitecture: amd64\nFilename: {file}\nSize: 9\nDescription: x\n more: y\nSHA256: {hash}\n\n"
            )
        };
        let text = entry("1", "pool/a_1.deb") + &entry("2", "./a_2.deb");
        let wanted = Wanted::from([("a".into(), "2".into(), "amd64".into())]);
        let found = listed("Packages", text.as_bytes(), &wanted).expect("index");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0].filename[..], found[0].size, found[0].sha256),
            ("a_2.deb", 9, [0xab; 32])
        );
        for file in ["../a.deb", "/a.deb", "pool/../../a.deb", ""] {
            let text = entry("1", "pool/a_1.deb") + &entry("2", file);
            let error = listed("Packages", text.as_bytes(), &wanted).expect_err("refused");
            assert_eq!(
                error.to_string(),
                "Packages line 10: a Filename that leads out of the archive"
            );
        }
    }
}
