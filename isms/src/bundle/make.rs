//! Makes a bundle: chooses leaves, opens what they commit to, and puts proofs, statement, keys and
//! verifier beside them.
//!
//! Invariants: the same ledger, tables and board give the same bytes; every commitment is held against
//! its leaf before it goes out, and the finished bundle is judged by the verifier that the receiver
//! uses; a ledger that does not fit its tables gives none. Order of reading: checkpoint and leaves
//! first, tables after, so that nothing the checkpoint covers is missing.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use ledger::Reading;
use model::{Id, Table, Timestamp};
use store::{PayloadOpening, RowOpening, Store};

use super::{
    BundleError,
    choose::{Is, Leaf, Scope, Wanted, read_leaf},
    container::{BYTES_MAX, Writer},
    judge,
    manifest::{self, FORMAT, Held, Listed, MANIFEST, Manifest, NOTE, State, Tree, What, Why},
    papers,
};
use crate::{Board, hall::SNAPSHOT};

/// Most leaves of one bundle.
pub const LEAVES_MAX: usize = 50_000;
/// Versions of rows that are read at once.
const PAGE: usize = 1_000;

const VERIFY: &str = include_str!("files/verify.sh");
const README_JA: &str = include_str!("files/README.ja.md");
const README_EN: &str = include_str!("files/README.en.md");

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub scope: Scope,
    /// A time in the past; `None` for now.
    pub as_of: Option<Timestamp>,
    /// Whether payloads go with it that may hold something personal.
    pub payloads: bool,
}

/// A bundle that lacks nothing but the signature over its manifest.
pub struct Draft {
    files: BTreeMap<String, Vec<u8>>,
    manifest: Manifest,
    text: String,
    hash: String,
}

/// Files with what the manifest says of each.
#[derive(Default)]
pub(super) struct Files {
    contents: BTreeMap<String, Vec<u8>>,
    listed: Vec<Listed>,
    held: Vec<Held>,
    bytes: usize,
}

impl Files {
    pub(super) fn add(
        &mut self,
        what: What,
        path: &str,
        content: Vec<u8>,
    ) -> Result<(), BundleError> {
        self.add_of(what, path, None, None, content)
    }

    fn add_of(
        &mut self,
        what: What,
        path: &str,
        leaf: Option<u64>,
        opens: Option<(&str, String)>,
        content: Vec<u8>,
    ) -> Result<(), BundleError> {
        self.bytes += content.len();
        if self.bytes > BYTES_MAX {
            return Err(BundleError::Bytes);
        }
        let (form, salt) = opens.map_or((None, None), |(f, salt)| (Some(f.to_owned()), Some(salt)));
        self.listed.push(Listed {
            path: path.to_owned(),
            sha256: manifest::hash(&content),
            size: content.len() as u64,
            what,
            leaf,
            form,
            salt,
        });
        self.contents.insert(path.to_owned(), content);
        Ok(())
    }

    fn hold(&mut self, leaf: u64, state: State, why: Why) {
        self.held.push(Held { leaf, state, why });
    }
}

/// Makes everything but the signature. `folder` is that of the ledger.
pub async fn draft(
    store: &Store,
    folder: &Path,
    board: &Board,
    wish: &Wish,
) -> Result<Draft, BundleError> {
    if wish.as_of.is_some_and(|as_of| as_of > board.at) {
        return Err(BundleError::Future);
    }
    let wanted = Wanted::load(store, board, &wish.scope).await?.map_err(BundleError::Control)?;
    let (reading, leaves, wanted) = read(folder.to_owned(), wanted, wish.as_of).await?;
    // The board may be a moment older than the newest leaf.
    let newest = leaves.iter().map(|leaf| leaf.at).max().unwrap_or(board.at);
    let as_of = wish.as_of.unwrap_or(newest.max(board.at));
    let mut files = Files::default();
    add_tree(&mut files, &reading)?;
    open_rows(store, &mut files, &reading, &leaves).await?;
    open_payloads(store, &mut files, &reading, &leaves, wish.payloads).await?;
    let pointed = wanted.pointed(&leaves);
    let soa = papers::add(store, &mut files, board, wish, reading.note(), &pointed).await?;
    add_rest(&mut files, folder)?;
    files.listed.sort_by(|a, b| a.path.cmp(&b.path));
    files.held.sort_by_key(|held| held.leaf);
    let checkpoint = reading.checkpoint();
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        made_at: board.at.rfc3339(),
        made_by: concat!("ume ", env!("CARGO_PKG_VERSION")).to_owned(),
        as_of: as_of.rfc3339(),
        scope: wish.scope.names(),
        origin: checkpoint.origin().to_owned(),
        checkpoint: Tree { size: checkpoint.size(), root: hex::encode(checkpoint.root()) },
        payloads: if wish.payloads { "included" } else { "withheld" }.to_owned(),
        soa,
        files: files.listed,
        held_back: files.held,
    };
    let (text, hash) = manifest.text()?;
    Ok(Draft { files: files.contents, manifest, text, hash })
}

/// Reads the ledger off the runtime: it is a file of any length.
async fn read(
    folder: std::path::PathBuf,
    wanted: Wanted,
    as_of: Option<Timestamp>,
) -> Result<(Reading, Vec<Leaf>, Wanted), BundleError> {
    let work = move || {
        let mut leaves = Vec::new();
        let mut strange = None;
        let reading = Reading::open(&folder, |index, bytes| {
            let Some(leaf) = read_leaf(index, bytes) else {
                strange = strange.or(Some(index));
                return false;
            };
            // One too many is enough to know.
            let is_past = as_of.is_none_or(|as_of| leaf.at <= as_of);
            let takes = is_past && wanted.takes(&leaf) && leaves.len() <= LEAVES_MAX;
            if takes {
                leaves.push(leaf);
            }
            takes
        })?;
        match strange {
            Some(index) => Err(BundleError::Leaf(index)),
            None if leaves.len() > LEAVES_MAX => Err(BundleError::Leaves),
            None if leaves.is_empty() => Err(BundleError::Empty),
            None => Ok((reading, leaves, wanted)),
        }
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| BundleError::Broken(error.to_string()))?
}

fn add_tree(files: &mut Files, reading: &Reading) -> Result<(), BundleError> {
    for (index, leaf) in reading.leaves() {
        let proof = reading.proof(*index)?.to_string().into_bytes();
        files.add_of(
            What::Leaf,
            &format!("leaves/{index:09}.json"),
            Some(*index),
            None,
            leaf.clone(),
        )?;
        let path = format!("leaves/{index:09}.tlog-proof");
        files.add_of(What::Proof, &path, Some(*index), None, proof)?;
    }
    let node = |n: &merkle::Node| format!("{} {} {}\n", n.level, n.index, hex::encode(n.hash));
    let nodes: String = reading.cover()?.iter().map(node).collect();
    files.add(What::Tree, "tree.txt", nodes.into_bytes())?;
    files.add(What::Checkpoint, "checkpoint", reading.note().to_string().into_bytes())?;
    files.add(What::Key, "vkey", format!("{}\n", reading.key()).into_bytes())
}

/// The content of each row version whose leaf is here.
async fn open_rows(
    store: &Store,
    files: &mut Files,
    reading: &Reading,
    leaves: &[Leaf],
) -> Result<(), BundleError> {
    let mut waiting: HashMap<(Table, Id, i64), u64> = HashMap::new();
    for leaf in leaves {
        if let Is::Row { table, id, version } = leaf.is {
            waiting.insert((table, id, version), leaf.index);
        }
    }
    let tables: HashSet<Table> = waiting.keys().map(|(table, ..)| *table).collect();
    for table in Table::ALL.into_iter().filter(|table| tables.contains(table)) {
        let mut after = None;
        loop {
            let page = store.versions(table, after, PAGE).await?;
            for row in &page {
                let Some(index) = waiting.remove(&(table, row.id, row.version)) else { continue };
                // What the leaf says must follow from the row as it stands.
                let leaf = reading.leaves().get(&index).map(Vec::as_slice);
                if leaf != Some(store::row_leaf(row)?.as_bytes()) {
                    return Err(BundleError::Leaf(index));
                }
                match store.row_opening(row)? {
                    RowOpening::Shown { form, salt, content } => files.add_of(
                        What::Content,
                        &format!("contents/{index:09}.json"),
                        Some(index),
                        Some((form, salt)),
                        content.into_bytes(),
                    )?,
                    RowOpening::Personal => files.hold(index, State::Withheld, Why::Personal),
                    RowOpening::Shredded => files.hold(index, State::Shredded, Why::Decision),
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some((last.id, last.version)),
                _ => break,
            }
        }
    }
    match waiting.values().min() {
        Some(index) => Err(BundleError::Leaf(*index)),
        None => Ok(()),
    }
}

/// The payload of each record whose leaf is here. The statement as it was signed holds nothing
/// personal by its form, and without it an approval would be about nothing: it always goes along.
async fn open_payloads(
    store: &Store,
    files: &mut Files,
    reading: &Reading,
    leaves: &[Leaf],
    all: bool,
) -> Result<(), BundleError> {
    let there: HashSet<Id> = store.payload_ids().await?.into_iter().collect();
    for leaf in leaves {
        let Is::Record { id, ty, has_payload: true, .. } = &leaf.is else { continue };
        if !there.contains(id) {
            files.hold(leaf.index, State::Shredded, Why::Decision);
            continue;
        }
        if !all && ty != SNAPSHOT {
            files.hold(leaf.index, State::Withheld, Why::Personal);
            continue;
        }
        match store.payload_opening(*id).await? {
            PayloadOpening::Gone => files.hold(leaf.index, State::Shredded, Why::Decision),
            PayloadOpening::Sealed => files.hold(leaf.index, State::Withheld, Why::Key),
            PayloadOpening::Shown { salt, payload } => {
                let bytes = reading.leaves().get(&leaf.index).map_or(&[][..], Vec::as_slice);
                let commit = judge::commitment("v1", &salt, &payload);
                if commit.is_none() || commit != judge::commit_of(bytes) {
                    return Err(BundleError::Leaf(leaf.index));
                }
                let path = format!("contents/{:09}.bin", leaf.index);
                files.add_of(
                    What::Content,
                    &path,
                    Some(leaf.index),
                    Some(("v1", salt)),
                    payload,
                )?;
            }
        }
    }
    Ok(())
}

/// What outsiders signed, the verifier, and how to use it.
fn add_rest(files: &mut Files, folder: &Path) -> Result<(), BundleError> {
    for (name, content) in ledger::signed_outside(folder)? {
        let cosigned = name.starts_with("cosignatures/");
        let what = if cosigned { What::Cosignature } else { What::Timestamp };
        files.add(what, &format!("outside/{name}"), content)?;
    }
    files.add(What::Verifier, "verify.sh", VERIFY.as_bytes().to_vec())?;
    files.add(What::Readme, "README.ja.md", README_JA.as_bytes().to_vec())?;
    files.add(What::Readme, "README.en.md", README_EN.as_bytes().to_vec())
}

impl Draft {
    /// The hash of the bundle: of its manifest.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What the ledger signs.
    pub fn note_text(&self) -> String {
        manifest::note_text(&self.manifest.origin, &self.hash)
    }

    /// The bundle with its signature, judged as the receiver will.
    pub fn finish(mut self, note: &str) -> Result<Vec<u8>, BundleError> {
        self.files.insert(MANIFEST.to_owned(), self.text.into_bytes());
        self.files.insert(NOTE.to_owned(), note.as_bytes().to_vec());
        let read: BTreeMap<&str, &[u8]> =
            self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        if let Some(fault) = judge::judge(&read, None).faults.first() {
            let what = format!("{}: {}", fault.place, fault.what.en);
            return Err(BundleError::Broken(what));
        }
        let mut writer = Writer::default();
        for (name, content) in &self.files {
            writer.add(name, content)?;
        }
        Ok(writer.finish())
    }
}
