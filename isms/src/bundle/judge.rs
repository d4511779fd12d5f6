//! Judges a bundle by itself: no database, no ledger, no network. It gives the verdicts that `verify.sh`
//! gives, class by class and place by place; what each class proves stands at the head of that file.
//!
//! Invariants: pure; nothing here panics on foreign bytes; what is at fault is named once where it lies
//! and not looked at again, so a changed file does not drag every other one along.

use std::collections::{BTreeMap, BTreeSet};

use merkle::{Checkpoint, Hash, Node, SignedNote, TlogProof, VerifierKey};
use model::{Text, t};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{
    container::is_name,
    manifest::{FORMAT, Listed, MANIFEST, Manifest, NOTE, State, What, hash, note_text},
};

type Files<'f> = BTreeMap<&'f str, &'f [u8]>;

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `container`, `manifest`, `key`, `files`, `checkpoint`, `leaves`, `contents`, `soa`, `outside`.
    pub class: &'static str,
    /// Path of the file.
    pub place: String,
    pub what: Text,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// SHA-256 of the manifest: the name of the bundle.
    pub bundle_hash: String,
    /// Set once the manifest could be read.
    pub manifest: Option<Manifest>,
    /// The verifier key in the bundle, and whether it was held against one given.
    pub key: String,
    pub key_compared: bool,
    /// How many were looked at, and held.
    pub files: usize,
    pub leaves: usize,
    pub contents: usize,
    pub withheld: usize,
    pub shredded: usize,
    pub pointed: usize,
    pub cosignatures: usize,
    pub timestamps: usize,
    pub faults: Vec<Fault>,
}

impl Report {
    fn fault(&mut self, class: &'static str, place: impl Into<String>, what: Text) {
        self.faults.push(Fault { class, place: place.into(), what });
    }

    /// A report of nothing but this fault.
    pub fn of(class: &'static str, place: &str, what: Text) -> Report {
        let mut report = Report::default();
        report.fault(class, place, what);
        report
    }
}

const MISSING: Text = t("ありません", "missing");

/// Judges the files of a bundle; `pinned` is the ledger's key as it came by another way.
pub fn judge(files: &Files, pinned: Option<&str>) -> Report {
    let mut report = Report::default();
    for name in [MANIFEST, NOTE].into_iter().filter(|name| !files.contains_key(name)) {
        report.fault("manifest", name, MISSING);
    }
    let (Some(text), Some(note)) = (files.get(MANIFEST), files.get(NOTE)) else { return report };
    report.bundle_hash = hash(text);
    let key = files.get("vkey").and_then(|bytes| read_key(bytes));
    report.key = key.as_ref().map(VerifierKey::to_string).unwrap_or_default();
    let signed = key.as_ref().is_some_and(|key| is_signed(note, key));
    if stated(note) != report.bundle_hash {
        let (place, what) = match signed {
            true => (MANIFEST, t("署名されたハッシュと違います", "is not what was signed")),
            false => (
                NOTE,
                t(
                    "署名が有効でなく、manifest.jsonのハッシュとも違います",
                    "the signature does not hold, nor is it about this manifest.json",
                ),
            ),
        };
        report.fault("manifest", place, what);
        return report;
    }
    let Some(manifest) = read_manifest(text) else {
        let what = t("目録の形ではありません", "has not the form of a manifest");
        report.fault("manifest", MANIFEST, what);
        return report;
    };
    let bundle = Bundle { bad: files_at_fault(files, &manifest, &mut report), files, manifest };
    if !signed && !bundle.bad.contains("vkey") {
        let what = t("署名が有効ではありません", "the signature does not hold");
        report.fault("manifest", NOTE, what);
    }
    bundle.key(pinned, &mut report);
    let checkpoint = bundle.checkpoint(key.as_ref(), &mut report);
    let bad = bundle.leaves(key.as_ref().zip(checkpoint.as_ref()), &mut report);
    bundle.contents(&bad, &mut report);
    bundle.soa(&mut report);
    bundle.outside(&mut report);
    report.manifest = Some(bundle.manifest);
    report
}

fn read_key(bytes: &[u8]) -> Option<VerifierKey> {
    let line = str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    VerifierKey::parse(line).ok().filter(|key| key.kind() == merkle::KeyKind::Ed25519)
}

/// The third line of the note, whatever it is worth.
fn stated(note: &[u8]) -> String {
    let line = note.split(|b| *b == b'\n').nth(2).unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

fn is_signed(note: &[u8], key: &VerifierKey) -> bool {
    let opened = SignedNote::open(note, std::slice::from_ref(key));
    opened.is_ok_and(|(opened, _)| opened.text() == note_text(key.name(), &stated(note)))
}

fn read_manifest(text: &[u8]) -> Option<Manifest> {
    let manifest: Manifest = serde_json::from_slice(text).ok()?;
    let (canonical, _) = manifest.text().ok()?;
    let mut paths = BTreeSet::new();
    let sound = |f: &Listed| {
        is_name(&f.path) && ![MANIFEST, NOTE].contains(&f.path.as_str()) && f.sha256.len() == 64
    };
    let once = manifest.files.iter().all(|f| sound(f) && paths.insert(f.path.as_str()));
    (manifest.format == FORMAT && canonical.as_bytes() == text && once).then_some(manifest)
}

/// Missing, added and changed files; the names of those that were listed.
fn files_at_fault(files: &Files, manifest: &Manifest, report: &mut Report) -> BTreeSet<String> {
    let mut bad = BTreeSet::new();
    for listed in &manifest.files {
        let what = match files.get(listed.path.as_str()) {
            None => MISSING,
            Some(bytes) if hash(bytes) != listed.sha256 || bytes.len() as u64 != listed.size => {
                t("内容が目録と違います", "is not what the manifest lists")
            }
            Some(_) => continue,
        };
        report.fault("files", &listed.path, what);
        bad.insert(listed.path.clone());
    }
    let listed: BTreeSet<&str> =
        manifest.files.iter().map(|f| f.path.as_str()).chain([MANIFEST, NOTE]).collect();
    for name in files.keys().filter(|name| !listed.contains(*name)) {
        report.fault("files", *name, t("目録にありません", "not in the manifest"));
    }
    report.files = manifest.files.len() - bad.len();
    bad
}

/// `SHA-256("ume/commit/<form>\n" ‖ salt ‖ content)` in hex; `None` for what is no form or salt.
pub fn commitment(form: &str, salt: &str, content: &[u8]) -> Option<String> {
    let salt = hex::decode(salt).ok().filter(|s| s.len() == 32 && hex::encode(s) == salt)?;
    if !["v1", "v2"].contains(&form) {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(format!("ume/commit/{form}\n"));
    hash.update(salt);
    hash.update(content);
    Some(hex::encode(hash.finalize()))
}

/// What a leaf commits to: the first member `commit` that holds a hash or null, which in canonical JSON
/// is the leaf's own, since what stands before it are texts. Read as the shell reads it, and `None`
/// where there is none.
fn member_commit(leaf: &[u8]) -> Option<Option<String>> {
    const NAME: &[u8] = b"\"commit\":";
    let mut rest = leaf;
    while let Some(at) = rest.windows(NAME.len()).position(|window| window == NAME) {
        rest = &rest[at + NAME.len()..];
        if rest.starts_with(b"null") {
            return Some(None);
        }
        let Some(text) = rest.strip_prefix(b"\"") else { continue };
        let end =
            text.iter().take_while(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b)).count();
        if text.get(end) == Some(&b'"') {
            return Some(Some(String::from_utf8_lossy(&text[..end]).into_owned()));
        }
    }
    None
}

/// The hash a leaf commits to, if to any.
pub fn commit_of(leaf: &[u8]) -> Option<String> {
    member_commit(leaf).flatten()
}

struct Bundle<'f> {
    files: &'f Files<'f>,
    manifest: Manifest,
    /// Listed files that are missing or changed.
    bad: BTreeSet<String>,
}

impl Bundle<'_> {
    /// Listed files of a sort that are as they should be.
    fn good(&self, what: What) -> impl Iterator<Item = (&Listed, &[u8])> {
        let of = move |f: &&Listed| f.what == what && !self.bad.contains(&f.path);
        self.manifest
            .files
            .iter()
            .filter(of)
            .filter_map(|f| Some((f, *self.files.get(f.path.as_str())?)))
    }

    fn key(&self, pinned: Option<&str>, report: &mut Report) {
        let Some(pinned) = pinned else { return };
        report.key_compared = true;
        if pinned.trim() != report.key && !self.bad.contains("vkey") {
            let what = t("--keyの検証鍵ではありません", "is not the key given by --key");
            report.fault("key", "vkey", what);
        }
    }

    /// The signed checkpoint; `None` where it, or the key, is at fault.
    fn checkpoint(&self, key: Option<&VerifierKey>, report: &mut Report) -> Option<Checkpoint> {
        let key = key.filter(|_| !self.bad.contains("vkey"))?;
        let (_, bytes) = self.good(What::Checkpoint).next()?;
        let open = Checkpoint::open(bytes, key.name(), key, &[]).ok();
        let tree = &self.manifest.checkpoint;
        let fits = |c: &Checkpoint| c.size() == tree.size && hex::encode(c.root()) == tree.root;
        let checkpoint = open.map(|open| open.checkpoint).filter(fits);
        if checkpoint.is_none() {
            let what = t(
                "署名が有効でないか、目録と違います",
                "the signature does not hold, or the manifest says otherwise",
            );
            report.fault("checkpoint", "checkpoint", what);
        }
        checkpoint
    }

    /// Leaves and their proofs; returns the leaves that have not the form of one.
    fn leaves(
        &self,
        signed: Option<(&VerifierKey, &Checkpoint)>,
        report: &mut Report,
    ) -> BTreeSet<String> {
        let mut odd = BTreeSet::new();
        let mut hashes: BTreeMap<u64, Hash> = BTreeMap::new();
        for (listed, bytes) in self.good(What::Leaf) {
            // One line of canonical JSON holds neither.
            if bytes.contains(&b'\n') || bytes.contains(&0) {
                let what = t("葉の形ではありません", "has not the form of a leaf");
                report.fault("leaves", &listed.path, what);
                odd.insert(listed.path.clone());
            } else if let Some(index) = listed.leaf {
                hashes.insert(index, merkle::leaf_hash(bytes));
            }
        }
        let Some((key, checkpoint)) = signed else { return odd };
        report.leaves = hashes.len();
        let all =
            self.manifest.files.iter().filter(|f| f.what == What::Leaf).count() == hashes.len();
        let whole = all && self.climbs(&hashes, checkpoint);
        let mut wrong = 0;
        for (index, leaf) in &hashes {
            let path = format!("leaves/{index:09}.tlog-proof");
            if self.bad.contains(&path) {
                continue;
            }
            let proof =
                self.files.get(path.as_str()).is_some_and(|b| self.proves(b, *index, leaf, key));
            if proof {
                continue;
            }
            wrong += 1;
            // Where all leaves together lead to the root, it is the proof that is wrong.
            let (place, what) = match whole {
                true => (path, t("この葉の証明ではありません", "is not the proof of this leaf")),
                false => (
                    format!("leaves/{index:09}.json"),
                    t("署名されたルートに届きません", "does not lead to the signed root"),
                ),
            };
            report.fault("leaves", place, what);
        }
        if all && !whole && wrong == 0 && !hashes.is_empty() && !self.bad.contains("tree.txt") {
            let what = t("署名されたルートに届きません", "does not lead to the signed root");
            report.fault("leaves", "tree.txt", what);
        }
        odd
    }

    /// Whether the leaves and the nodes in `tree.txt` lead to the root.
    fn climbs(&self, hashes: &BTreeMap<u64, Hash>, checkpoint: &Checkpoint) -> bool {
        let nodes = self.good(What::Tree).next().and_then(|(_, bytes)| read_nodes(bytes));
        nodes.is_some_and(|nodes| {
            let root = merkle::root_from_cover(hashes, checkpoint.size(), &nodes);
            root.is_ok_and(|root| root == *checkpoint.root())
        })
    }

    /// Whether this is the proof of the leaf, under the checkpoint of the bundle.
    fn proves(&self, bytes: &[u8], index: u64, leaf: &Hash, key: &VerifierKey) -> bool {
        let Ok(proof) = TlogProof::parse(bytes) else { return false };
        let checkpoint = self.files.get("checkpoint").copied().unwrap_or_default();
        proof.extra().is_empty()
            && proof.index() == index
            && proof.checkpoint().to_string().as_bytes() == checkpoint
            && proof.verify(leaf, key.name(), key, &[]).is_ok()
    }

    fn contents(&self, odd: &BTreeSet<String>, report: &mut Report) {
        let mut commits: BTreeMap<u64, Option<String>> = BTreeMap::new();
        for (listed, bytes) in self.good(What::Leaf).filter(|(f, _)| !odd.contains(&f.path)) {
            if let Some((index, commit)) = listed.leaf.zip(member_commit(bytes)) {
                commits.insert(index, commit);
            }
        }
        for (listed, bytes) in self.good(What::Content) {
            let Some(commit) = listed.leaf.and_then(|leaf| commits.get(&leaf)) else { continue };
            let (form, salt) = (listed.form.as_deref(), listed.salt.as_deref());
            let found = form.zip(salt).and_then(|(form, salt)| commitment(form, salt, bytes));
            if found.is_some() && found == *commit {
                report.contents += 1;
                continue;
            }
            let what = t("葉が約束した内容ではありません", "is not what its leaf committed to");
            report.fault("contents", &listed.path, what);
        }
        let mut named: BTreeMap<u64, usize> = BTreeMap::new();
        let contents = self.manifest.files.iter().filter(|f| f.what == What::Content);
        for leaf in
            contents.filter_map(|f| f.leaf).chain(self.manifest.held_back.iter().map(|h| h.leaf))
        {
            *named.entry(leaf).or_default() += 1;
        }
        for (index, commit) in &commits {
            if named.get(index).copied().unwrap_or(0) != usize::from(commit.is_some()) {
                let what = t(
                    "内容がなく、非開示の一覧にもないか、二重です",
                    "its content is neither here nor listed as held back, or is listed twice",
                );
                report.fault("contents", format!("leaves/{index:09}.json"), what);
            }
        }
        let held = |state| self.manifest.held_back.iter().filter(|h| h.state == state).count();
        (report.withheld, report.shredded) = (held(State::Withheld), held(State::Shredded));
    }

    /// The statement points to nothing that is not here.
    fn soa(&self, report: &mut Report) {
        let leaves: BTreeSet<u64> = self
            .manifest
            .files
            .iter()
            .filter(|f| f.what == What::Leaf)
            .filter_map(|f| f.leaf)
            .collect();
        let mut pointed = BTreeSet::new();
        for (listed, bytes) in self.good(What::Soa).filter(|(f, _)| f.path == "soa/soa.json") {
            if let Ok(json) = serde_json::from_slice::<Json>(bytes) {
                point(&json, &mut pointed);
            }
            for _ in pointed.iter().filter(|leaf| !leaves.contains(*leaf)) {
                let what =
                    t("束にない葉を指しています", "points to a leaf that is not in the bundle");
                report.fault("soa", &listed.path, what);
            }
        }
        report.pointed = pointed.len();
    }

    /// Cosignatures hold for the checkpoints beside them. Time stamps are only carried along.
    fn outside(&self, report: &mut Report) {
        report.timestamps =
            self.manifest.files.iter().filter(|f| f.what == What::Timestamp).count();
        let cosignatures: Vec<(&Listed, &[u8])> = self.good(What::Cosignature).collect();
        for (listed, bytes) in cosignatures {
            if is_cosigned(bytes) {
                report.cosignatures += 1;
            } else {
                let what =
                    t("立会人の署名が有効ではありません", "the witness's signature does not hold");
                report.fault("outside", &listed.path, what);
            }
        }
    }
}

/// The witness's key, a blank line, the note.
fn is_cosigned(bytes: &[u8]) -> bool {
    let Some((key, note)) = str::from_utf8(bytes).ok().and_then(|text| text.split_once("\n\n"))
    else {
        return false;
    };
    let Ok(key) = VerifierKey::parse(key) else { return false };
    key.kind() == merkle::KeyKind::CosignatureV1
        && SignedNote::open(note.as_bytes(), &[key]).is_ok()
}

fn read_nodes(bytes: &[u8]) -> Option<Vec<Node>> {
    let text = str::from_utf8(bytes).ok()?;
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    text.lines()
        .map(|line| {
            let mut parts = line.split(' ');
            let (level, index, text) = (parts.next()?, parts.next()?, parts.next()?);
            let hash: Hash = hex::decode(text).ok()?.try_into().ok()?;
            let exact = parts.next().is_none() && hex::encode(hash) == text;
            let level = number(level).and_then(|n: u64| u32::try_from(n).ok())?;
            exact.then_some(Node { level, index: number(index)?, hash })
        })
        .collect()
}

/// Every number in a member `leaves`.
fn point(json: &Json, into: &mut BTreeSet<u64>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| point(item, into)),
        Json::Object(members) => {
            for (name, value) in members {
                match value.as_array().filter(|_| name == "leaves") {
                    Some(numbers) => into.extend(numbers.iter().filter_map(Json::as_u64)),
                    None => point(value, into),
                }
            }
        }
        _ => {}
    }
}
