//! What a source of advisories gave, as one file: a zip, a tar (plain, gzip or zstd), or a single document, plain or
//! gzip. A folder becomes such a file too, so that its advisories stay when it goes.
//!
//! Limits: [`DOCUMENT_BYTES_MAX`] of a document, [`DOCUMENTS_MAX`] of them, [`INFLATED_MAX`] of all. A document that is
//! too large or does not unpack is handed on as such; a container that ends early is refused whole.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use sha2::{Digest, Sha256};

/// A document; the largest known is the data of Debian's tracker.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 256 << 20;
pub(crate) const DOCUMENTS_MAX: usize = 1_000_000;
pub(crate) const INFLATED_MAX: u64 = 16 << 30;
const DEPTH_MAX: usize = 32;
const LEVEL: i32 = 3;
/// How files of advisories end.
const ENDS: [&str; 6] = [".json", ".yaml", ".yml", ".md", ".xml", ".rdf"];

/// A document, or why there is none.
pub(crate) type Content = Result<Vec<u8>, String>;

/// Whether a name in a folder or container may be that of an advisory.
fn is_wanted(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let hidden = path.split('/').any(|step| step.starts_with('.') && step.len() > 1);
    !hidden && !name.starts_with("readme") && ENDS.iter().any(|end| name.ends_with(end))
}

/// Hands every document of a parcel on.
pub(crate) fn each(path: &Path, take: &mut dyn FnMut(&str, Content)) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let mut file = File::open(path).map_err(failed)?;
    let mut head = [0; 262];
    let read = read_up_to(&mut file, &mut head).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let head = &head[..read];
    let reader = BufReader::new(file);
    let mut all = All { take, documents: 0, bytes: 0 };
    match head {
        [b'P', b'K', 3 | 5, ..] => all.zip(reader),
        [0x1f, 0x8b, ..] => all.inner(BufReader::new(flate2::bufread::MultiGzDecoder::new(reader))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::Decoder::with_buffer(reader).map_err(failed)?;
            all.inner(BufReader::new(decoder))
        }
        [] => Err("the file is empty".to_owned()),
        _ => all.inner(reader),
    }
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < buffer.len() {
        match reader.read(&mut buffer[at..])? {
            0 => break,
            count => at += count,
        }
    }
    Ok(at)
}

struct All<'t> {
    take: &'t mut dyn FnMut(&str, Content),
    documents: usize,
    bytes: u64,
}

impl All<'_> {
    fn one(&mut self, name: &str, mut reader: impl Read) -> Result<(), String> {
        self.documents += 1;
        if self.documents > DOCUMENTS_MAX {
            return Err(format!("more than {DOCUMENTS_MAX} documents"));
        }
        let mut bytes = Vec::new();
        let read = (&mut reader).take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes);
        self.bytes += bytes.len() as u64;
        if self.bytes > INFLATED_MAX {
            return Err(format!("more than {INFLATED_MAX} bytes in all"));
        }
        let content = match read {
            Err(error) => Err(error.to_string()),
            Ok(_) if bytes.len() as u64 > DOCUMENT_BYTES_MAX => {
                Err(format!("more than {DOCUMENT_BYTES_MAX} bytes"))
            }
            Ok(_) => Ok(bytes),
        };
        (self.take)(name, content);
        Ok(())
    }

    fn zip(&mut self, reader: impl Read + Seek) -> Result<(), String> {
        let mut archive = zip::ZipArchive::new(reader).map_err(|error| error.to_string())?;
        for at in 0..archive.len() {
            let entry = archive.by_index(at).map_err(|error| error.to_string())?;
            let name = entry.name().map_err(|error| error.to_string())?.into_owned();
            if entry.is_file() && is_wanted(&name) {
                self.one(&name, entry)?;
            }
        }
        Ok(())
    }

    /// A tar or one document; which, is seen from its first bytes.
    fn inner(&mut self, mut reader: impl Read) -> Result<(), String> {
        let mut head = vec![0; 512];
        let read = read_up_to(&mut reader, &mut head).map_err(|error| error.to_string())?;
        head.truncate(read);
        let is_tar = head.get(257..262) == Some(b"ustar".as_slice());
        let reader = io::Cursor::new(head).chain(reader);
        if is_tar { self.tar(reader) } else { self.whole(reader) }
    }

    /// A document that does not unpack whole is none: this is all there is.
    fn whole(&mut self, reader: impl Read) -> Result<(), String> {
        let mut failed = None;
        let mut content = None;
        let mut keep = |_: &str, got: Content| match got {
            Ok(bytes) => content = Some(bytes),
            Err(error) => failed = Some(error),
        };
        let mut inner = All { take: &mut keep, documents: 0, bytes: 0 };
        inner.one("", reader)?;
        match (content, failed) {
            (Some(bytes), _) => {
                (self.take)("document", Ok(bytes));
                Ok(())
            }
            (None, failed) => Err(failed.unwrap_or_else(|| "nothing was read".to_owned())),
        }
    }

    fn tar(&mut self, reader: impl Read) -> Result<(), String> {
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries().map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if entry.header().entry_type().is_file() && is_wanted(&name) {
                self.one(&name, entry)?;
            }
        }
        Ok(())
    }
}

/// The files of a folder that may be advisories.
pub(crate) struct Listing {
    files: Vec<PathBuf>,
    /// Changes with names, sizes and times.
    pub stamp: String,
    /// The newest time of anything in it, in seconds since 1970: when its mirror was last at work.
    pub newest_s: i64,
    pub bytes: u64,
}

/// Lists a folder. Links are not followed.
pub(crate) fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing { files: Vec::new(), stamp: String::new(), newest_s: 0, bytes: 0 };
    let mut digest = Sha256::new();
    listing.newest_s = seconds(&fs::metadata(folder)?);
    // A checked-out repository that had nothing new was looked at all the same.
    if let Ok(fetched) = fs::metadata(folder.join(".git/FETCH_HEAD")) {
        listing.newest_s = listing.newest_s.max(seconds(&fetched));
    }
    descend(folder, folder, 0, &mut listing, &mut digest)?;
    listing.stamp = hex::encode(&digest.finalize()[..16]);
    Ok(listing)
}

fn seconds(about: &fs::Metadata) -> i64 {
    let since = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn descend(
    top: &Path,
    folder: &Path,
    depth: usize,
    out: &mut Listing,
    digest: &mut Sha256,
) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let about = entry.metadata()?;
        out.newest_s = out.newest_s.max(seconds(&about));
        if kind.is_dir() {
            if depth >= DEPTH_MAX {
                return Err(io::Error::other(format!("{}: folders nest too deep", path.display())));
            }
            descend(top, &path, depth + 1, out, digest)?;
        } else if kind.is_file() && is_wanted(&name.to_string_lossy()) {
            if out.files.len() >= DOCUMENTS_MAX {
                return Err(io::Error::other(format!("more than {DOCUMENTS_MAX} files")));
            }
            let place = path.strip_prefix(top).unwrap_or(&path);
            digest.update(place.as_os_str().as_encoded_bytes());
            let modified = about.modified().ok();
            let since = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let nanos = since.map_or(0, |since| since.as_nanos());
            digest.update(format!("\0{} {nanos}\n", about.len()));
            out.bytes += about.len();
            out.files.push(path);
        }
    }
    Ok(())
}

/// Writes the files of a folder as one parcel. A file that vanished since is left out.
pub(crate) fn pack(folder: &Path, listing: &Listing, to: &Path) -> io::Result<()> {
    let encoder = zstd::Encoder::new(File::create(to)?, LEVEL)?;
    let mut archive = tar::Builder::new(encoder);
    for path in &listing.files {
        let mut file = match open_plain(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
            }
        };
        let size = file.metadata()?.len();
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        let place = path.strip_prefix(folder).unwrap_or(path);
        // One that grows meanwhile is read as long as it was, and looked at again the next time.
        archive.append_data(&mut header, place, (&mut file).take(size))?;
    }
    let file = archive.into_inner()?.finish()?;
    file.sync_all()
}

/// A link or pipe that took the place of a file since the listing is neither followed nor waited for.
fn open_plain(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(path: &Path) -> Result<Vec<(String, Content)>, String> {
        let mut all = Vec::new();
        each(path, &mut |name, content| all.push((name.to_owned(), content)))?;
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("folder");
        fs::create_dir_all(folder.path().join("in/.git")).expect("made");
        for (name, text) in [
            ("a.json", "{}"),
            ("in/b.YAML", "id: b"),
            ("README.md", "no"),
            ("in/.git/c.json", "no"),
            ("notes.txt", "no"),
        ] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.json")).expect("linked");
        folder
    }

    #[test]
    fn a_folder_becomes_a_parcel_with_its_advisories_only() {
        let folder = folder();
        let listing = list(folder.path()).expect("listed");
        let to = folder.path().join("parcel");
        pack(folder.path(), &listing, &to).expect("packed");
        let all = read(&to).expect("read");
        let wanted = [("a.json", "{}"), ("in/b.YAML", "id: b")]
            .map(|(name, text)| (name.to_owned(), Ok(text.as_bytes().to_vec())));
        assert_eq!(all, wanted);
    }

    #[test]
    fn the_stamp_of_a_folder_changes_with_its_files() {
        let folder = folder();
        let before = list(folder.path()).expect("listed").stamp;
        assert_eq!(list(folder.path()).expect("listed").stamp, before);
        fs::write(folder.path().join("a.json"), "{ }").expect("written");
        assert_ne!(list(folder.path()).expect("listed").stamp, before);
    }

    #[test]
    fn every_container_is_told_by_its_first_bytes() {
        let folder = tempfile::tempdir().expect("folder");
        let place = |name: &str| folder.path().join(name);
        let mut zip = zip::ZipWriter::new(File::create(place("zip")).expect("made"));
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file("x/a.json", options).expect("begun");
        zip.write_all(b"{}").expect("written");
        zip.finish().expect("ended");
        let gzip = File::create(place("gz")).expect("made");
        let mut gzip = flate2::write::GzEncoder::new(gzip, flate2::Compression::fast());
        gzip.write_all(b"{\"a\": 1}").expect("written");
        gzip.finish().expect("ended");
        fs::write(place("plain"), b"[]").expect("written");
        for (name, document, text) in [
            ("zip", "x/a.json", "{}"),
            ("gz", "document", "{\"a\": 1}"),
            ("plain", "document", "[]"),
        ] {
            let all = read(&place(name)).expect(name);
            assert_eq!(all, [(document.to_owned(), Ok(text.as_bytes().to_vec()))]);
        }
    }

    #[test]
    fn what_ends_early_is_refused_whole() {
        let folder = folder();
        let to = folder.path().join("parcel");
        pack(folder.path(), &list(folder.path()).expect("listed"), &to).expect("packed");
        let bytes = fs::read(&to).expect("read");
        fs::write(&to, &bytes[..bytes.len() / 2]).expect("cut");
        assert!(read(&to).is_err());
        fs::write(&to, b"").expect("emptied");
        assert!(read(&to).is_err());
        fs::write(&to, b"PK\x03\x04 no zip").expect("written");
        assert!(read(&to).is_err());
    }
}
