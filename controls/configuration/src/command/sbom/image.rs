//! A container image as a file: an OCI layout or what `docker save` writes, packed by tar.
//!
//! Files that stand at last are unpacked under numbers into a folder of their own, so no name of the
//! image is ever a path here; links and devices are not unpacked at all.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use room::Error;
use sbom::catalogue::{Catalogue, FIRST, Layers, Source};
use serde_json::Value;

/// Bytes of all layers, unpacked.
const UNPACKED_MAX: u64 = 64 << 30;
/// Bytes of a manifest.
const MANIFEST_MAX: u64 = 16 << 20;

/// An image.
pub(super) struct Image {
    file: File,
    /// Name within the archive, where its bytes begin and how many they are.
    blobs: HashMap<String, (u64, u64)>,
    layers: Vec<String>,
}

fn said(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::said(format!("{}: {what}", path.display()))
}

impl Image {
    pub(super) fn open(path: &Path) -> Result<Image, Error> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mut archive = tar::Archive::new(BufReader::new(file.try_clone().map_err(failed)?));
        let mut blobs = HashMap::new();
        for entry in archive.entries_with_seek().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.path().map_err(failed)?.to_string_lossy().into_owned();
            let name = name.trim_start_matches("./").to_owned();
            blobs.insert(name, (entry.raw_file_position(), entry.size()));
        }
        let mut image = Image { file, blobs, layers: Vec::new() };
        image.layers = image.named_layers().map_err(|what| said(path, what))?;
        Ok(image)
    }

    fn json(&mut self, name: &str) -> Result<Option<Value>, String> {
        let Some((offset, size)) = self.blobs.get(name).copied() else { return Ok(None) };
        if size > MANIFEST_MAX {
            return Err(format!("{name} has {size} bytes"));
        }
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(offset)).map_err(|error| error.to_string())?;
        (&self.file).take(size).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| format!("{name}: {error}"))
    }

    /// The layers from the bottom, by their names in the archive.
    fn named_layers(&mut self) -> Result<Vec<String>, String> {
        if let Some(manifest) = self.json("manifest.json")? {
            let layers = manifest.pointer("/0/Layers").and_then(Value::as_array);
            let names = layers.into_iter().flatten().filter_map(Value::as_str);
            return Ok(names.map(str::to_owned).collect());
        }
        let index = self.json("index.json")?.ok_or("no manifest.json and no index.json in it")?;
        let mut manifest = index;
        // An index may name another; the first image for a machine is taken.
        for _ in 0..4 {
            if let Some(layers) = manifest.get("layers").and_then(Value::as_array) {
                let digests = layers.iter().filter_map(|layer| layer.get("digest")?.as_str());
                return Ok(digests.map(blob).collect());
            }
            let list = manifest.get("manifests").and_then(Value::as_array);
            let is_image = |one: &&Value| {
                one.pointer("/platform/architecture").and_then(Value::as_str) != Some("unknown")
            };
            let next = list.into_iter().flatten().find(is_image);
            let digest = next
                .and_then(|one| one.get("digest")?.as_str())
                .ok_or("an index without an image")?;
            let name = blob(digest);
            manifest = self.json(&name)?.ok_or_else(|| format!("{name} is not in it"))?;
        }
        Err("indices name each other too deep".into())
    }

    fn layer(&mut self, name: &str) -> Result<Box<dyn Read + '_>, String> {
        let (offset, size) = self
            .blobs
            .get(name)
            .copied()
            .ok_or_else(|| format!("the layer {name} is not in it"))?;
        let failed = |error: std::io::Error| error.to_string();
        let mut head = [0; 4];
        self.file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let count = (&self.file).take(size).read(&mut head).map_err(failed)?;
        self.file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let bytes = BufReader::with_capacity(1 << 20, (&self.file).take(size));
        match &head[..count] {
            [0x1f, 0x8b, ..] => Ok(Box::new(MultiGzDecoder::new(bytes).take(UNPACKED_MAX))),
            [0x28, 0xb5, 0x2f, 0xfd] => {
                Err(format!("the layer {name} is packed by zstd, which is not read"))
            }
            _ => Ok(Box::new(bytes)),
        }
    }

    /// Offers the files that stand at last.
    pub(super) fn offer(mut self, path: &Path, catalogue: &mut Catalogue) -> Result<(), Error> {
        let names = self.layers.clone();
        let mut layers = Layers::default();
        for name in &names {
            layers.next_layer();
            self.entries(name, |entry, number| {
                let kind = entry.header().entry_type();
                let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
                let path = entry.path()?.to_string_lossy().into_owned();
                layers.entry(&path, number, kind.is_file(), executable);
                Ok(())
            })
            .map_err(|what| said(path, what))?;
        }
        let folder =
            tempfile::tempdir().map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let wanted: HashMap<(usize, usize), (String, bool)> = layers
            .files()
            .map(|(path, place)| ((place.layer, place.entry), (path.to_owned(), place.executable)))
            .collect();
        let mut files = Vec::new();
        let mut left = UNPACKED_MAX;
        for (layer, name) in names.iter().enumerate() {
            self.entries(name, |entry, number| {
                let Some((path, executable)) = wanted.get(&(layer, number)) else { return Ok(()) };
                let target = folder.path().join(files.len().to_string());
                let mut out = File::create_new(&target)?;
                let size = std::io::copy(&mut entry.take(left), &mut out)?;
                left = left.saturating_sub(size);
                files.push((path.clone(), *executable, target, size));
                if left == 0 {
                    Err(std::io::Error::other("the image is too large"))
                } else {
                    Ok(())
                }
            })
            .map_err(|what| said(path, what))?;
        }
        let first = |path: &str| {
            let is = |first: &&str| path == *first || path.starts_with(&format!("{first}/"));
            FIRST.iter().position(is).unwrap_or(FIRST.len())
        };
        files.sort_by(|a, b| first(&a.0).cmp(&first(&b.0)).then(a.0.cmp(&b.0)));
        for (path, executable, target, size) in files {
            match File::open(target) {
                Ok(file) => catalogue.look(&path, executable, &mut Unpacked { file, size }),
                Err(error) => catalogue.fail(&path, error.to_string()),
            }
        }
        Ok(())
    }

    fn entries(
        &mut self,
        name: &str,
        mut each: impl FnMut(&mut tar::Entry<'_, Box<dyn Read + '_>>, usize) -> std::io::Result<()>,
    ) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{name}: {error}");
        let mut archive = tar::Archive::new(self.layer(name)?);
        for (number, entry) in archive.entries().map_err(failed)?.enumerate() {
            each(&mut entry.map_err(failed)?, number).map_err(failed)?;
        }
        Ok(())
    }
}

/// `sha256:…` as its place in a layout.
fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

struct Unpacked {
    file: File,
    size: u64,
}

impl Source for Unpacked {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, String> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        std::os::unix::fs::FileExt::read_exact_at(&self.file, &mut bytes, offset)
            .map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}
