//! Layers of container images: which file of which layer stands at last.
//!
//! `.wh.NAME` removes what lower layers have under that name, `.wh..wh..opq` all that they have in its
//! folder (OCI image layer specification). A file in place of a folder hides what was below it.

use std::collections::BTreeMap;

/// The merged tree: a path without leading slash, and which entry of which layer it is.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    files: BTreeMap<String, Place>,
    /// How many layers have begun.
    begun: usize,
}

/// Where a file of the merged tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the layer, from 0 at the bottom.
    pub layer: usize,
    /// Number of the entry within it.
    pub entry: usize,
    /// Whether somebody may run it.
    pub executable: bool,
}

/// `./a//b/../c` as a path below the root; `None` of one that leaves it.
fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

impl Layers {
    /// Begins the next layer; the lowest comes first.
    pub fn next_layer(&mut self) {
        self.begun += 1;
    }

    /// An entry of the layer. `regular` is false of folders, links and devices.
    pub fn entry(&mut self, path: &str, entry: usize, regular: bool, executable: bool) {
        let Some(path) = clean(path) else { return };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name == ".wh..wh..opq" {
            self.remove_below(folder);
        } else if let Some(name) = name.strip_prefix(".wh.") {
            let gone = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            self.remove(&gone);
            self.remove_below(&gone);
        } else {
            if regular {
                self.remove_below(&path);
            }
            // What is no regular file takes the place of one.
            self.files.remove(&path);
            if regular {
                self.files.insert(path, Place { layer: self.layer(), entry, executable });
            }
        }
    }

    fn layer(&self) -> usize {
        self.begun.saturating_sub(1)
    }

    fn remove(&mut self, path: &str) {
        if self.files.get(path).is_some_and(|one| one.layer < self.layer()) {
            self.files.remove(path);
        }
    }

    /// Everything in a folder that lower layers have.
    fn remove_below(&mut self, folder: &str) {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let layer = self.layer();
        let gone: Vec<String> = self
            .files
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .filter(|(_, place)| place.layer < layer)
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.files.remove(&path);
        }
    }

    /// The files that stand at last.
    pub fn files(&self) -> impl Iterator<Item = (&str, Place)> {
        self.files.iter().map(|(path, place)| (path.as_str(), *place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whiteouts_remove_what_lower_layers_have_and_nothing_of_their_own() {
        let mut layers = Layers::default();
        layers.next_layer();
        for (at, path) in ["a/one", "a/two", "b/x/deep", "c", "./d/e"].into_iter().enumerate() {
            layers.entry(path, at, true, false);
        }
        layers.next_layer();
        layers.entry("a/three", 0, true, false);
        layers.entry("a/.wh..wh..opq", 1, true, false);
        layers.entry(".wh.b", 2, true, false);
        layers.entry("c", 3, true, true);
        layers.entry("../escape", 4, true, false);
        layers.entry("d", 5, true, false);
        let files: Vec<(&str, usize)> = layers.files().map(|(path, at)| (path, at.layer)).collect();
        assert_eq!(files, [("a/three", 1), ("c", 1), ("d", 1)]);
    }
}
