//! Key files: salt and key of every payload, the key of every file, outside the database.
//!
//! `keys/<cohort>.keys` holds one wrapped entry per payload, in slots of fixed size, one file per
//! month of expiry. Files have cohorts of their own, `files-<month>` of receipt, and in place of the
//! salt the SHA-256 of their content. `keys/epoch` holds the one key under which each of these files is wrapped.
//! Shredding writes the file anew under a new epoch key and destroys the old one: what an older copy
//! of the file holds can then be opened by nobody. So a backup may hold the `.keys` files, but
//! `epoch` belongs to where only its newest version is kept.
//!
//! A key that has a name of its own, such as that of the secret settings, stands in `epoch` as well,
//! as epoch 1 of that name.
//!
//! Every file that is replaced is overwritten before it is unlinked. On file systems that copy on
//! write, and on flash, that promises nothing about the medium: `epoch` is small, put it where it
//! does.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use model::{Id, Timestamp};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};

use crate::StoreError;

const HEAD_BYTES: usize = 64;
const ID_BYTES: usize = 16;
pub(crate) const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Id, nonce, salt and key sealed with their tag.
const SLOT_BYTES: usize = ID_BYTES + NONCE_BYTES + 64 + TAG_BYTES;

type Slot = [u8; SLOT_BYTES];

/// Salt and key of one payload, or content hash and key of one file.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) salt: [u8; 32],
    pub(crate) key: [u8; 32],
}

impl Secret {
    pub(crate) fn draw() -> Result<Secret, StoreError> {
        Ok(Secret { salt: random()?, key: random()? })
    }
}

/// What does not fit in the key files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFault {
    /// File, as `keys/none.keys`.
    pub place: String,
    /// Byte offset, where one is concerned.
    pub offset: Option<u64>,
    pub what: String,
}

/// The folder of key files.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
}

/// Epoch number and key of each cohort; two only while a file is being wrapped anew.
type Epochs = BTreeMap<(String, u64), [u8; 32]>;

pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Random)?;
    Ok(bytes)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
    move |source| StoreError::Io { path: path.to_owned(), source }
}

/// The cohort of a payload: the month in which it expires.
pub(crate) fn cohort(expires: Option<Timestamp>) -> String {
    expires.map_or_else(|| "none".to_owned(), |t| t.rfc3339().chars().take(7).collect())
}

/// The cohort of a file: the month in which it came. A shredding makes older copies of one cohort
/// useless, and few shreddings concern files of more than a month or two.
pub(crate) fn cohort_of_files(at: Timestamp) -> String {
    format!("files-{}", cohort(Some(at)))
}

fn id_bytes(id: Id) -> [u8; ID_BYTES] {
    let mut bytes = [0; ID_BYTES];
    // 32 hexadecimal digits and four hyphens, always.
    let _ = hex::decode_to_slice(id.to_string().replace('-', ""), &mut bytes);
    bytes
}

/// AES-256-GCM; the nonce is in the caller's hand.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: [u8; NONCE_BYTES],
    context: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = plain.to_vec();
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| StoreError::Random)?;
    LessSafeKey::new(key)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context),
            &mut bytes,
        )
        .map_err(|_| StoreError::LargePayload(plain.len(), crate::PAYLOAD_BYTES_MAX))?;
    Ok(bytes)
}

/// `None` where the bytes are not what was sealed.
pub(crate) fn unseal(
    key: &[u8; 32],
    nonce: [u8; NONCE_BYTES],
    context: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let mut bytes = sealed.to_vec();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let plain = key.open_in_place(nonce, Aad::from(context), &mut bytes).ok()?;
    Some(plain.to_vec())
}

fn context(cohort: &str, epoch: u64, id: &[u8]) -> Vec<u8> {
    [format!("ume/keys/v1 {cohort} {epoch}\n").as_bytes(), id].concat()
}

fn wrap(
    cohort: &str,
    epoch: u64,
    key: &[u8; 32],
    id: &[u8],
    secret: &Secret,
) -> Result<Slot, StoreError> {
    let nonce = random()?;
    let plain = [secret.salt, secret.key].concat();
    let sealed = seal(key, nonce, &context(cohort, epoch, id), &plain)?;
    let mut slot = [0; SLOT_BYTES];
    slot[..ID_BYTES].copy_from_slice(id);
    slot[ID_BYTES..ID_BYTES + NONCE_BYTES].copy_from_slice(&nonce);
    slot[ID_BYTES + NONCE_BYTES..].copy_from_slice(&sealed);
    Ok(slot)
}

fn unwrap(cohort: &str, epoch: u64, key: &[u8; 32], slot: &[u8]) -> Option<Secret> {
    let (id, rest) = slot.split_at(ID_BYTES);
    let (nonce, sealed) = rest.split_at(NONCE_BYTES);
    let plain = unseal(key, nonce.try_into().ok()?, &context(cohort, epoch, id), sealed)?;
    let (salt, key) = plain.split_at_checked(32)?;
    Some(Secret { salt: salt.try_into().ok()?, key: key.try_into().ok()? })
}

/// A power failure may leave one half of a slot that was overwritten in place.
fn is_destroyed(slot: &[u8]) -> bool {
    let zero = |bytes: &[u8]| bytes.iter().all(|b| *b == 0);
    zero(&slot[..ID_BYTES]) || zero(&slot[SLOT_BYTES - TAG_BYTES..])
}

fn head(cohort: &str, epoch: u64) -> Vec<u8> {
    format!("{:<63}\n", format!("ume/keys/v1 {cohort} {epoch}")).into_bytes()
}

/// A key file that is open for reading.
struct CohortFile {
    file: File,
    cohort: String,
    epoch: u64,
    slots: u64,
    /// Bytes behind the last whole slot: what a crash left, never acknowledged.
    torn: u64,
}

impl CohortFile {
    fn read_slot(&self, slot: u64, path: &Path) -> Result<Option<Slot>, StoreError> {
        if slot >= self.slots {
            return Ok(None);
        }
        let mut bytes = [0; SLOT_BYTES];
        self.file.read_exact_at(&mut bytes, offset(slot)).map_err(io(path))?;
        Ok(Some(bytes))
    }
}

fn offset(slot: u64) -> u64 {
    HEAD_BYTES as u64 + slot * SLOT_BYTES as u64
}

/// Keys of the payloads of one page, read with the files opened once.
pub(crate) struct Reader<'k> {
    keys: &'k Keys,
    epochs: Epochs,
    open: BTreeMap<String, Option<CohortFile>>,
    _lock: Option<File>,
}

impl Reader<'_> {
    /// Salt and key of a payload; `None` where they are gone or are not what was written.
    pub(crate) fn read(
        &mut self,
        cohort: &str,
        slot: u64,
        id: Id,
    ) -> Result<Option<Secret>, StoreError> {
        if !self.open.contains_key(cohort) {
            // A damaged head is named by `faults`; here its keys simply cannot be read.
            let file = match self.keys.open_cohort(cohort) {
                Ok(file) => file,
                Err(StoreError::Keys(..)) => None,
                Err(error) => return Err(error),
            };
            self.open.insert(cohort.to_owned(), file);
        }
        let Some(Some(file)) = self.open.get(cohort) else { return Ok(None) };
        let Some(key) = self.epochs.get(&(cohort.to_owned(), file.epoch)) else { return Ok(None) };
        let bytes = file.read_slot(slot, &self.keys.path(cohort))?;
        Ok(bytes
            .filter(|bytes| bytes[..ID_BYTES] == id_bytes(id))
            .and_then(|bytes| unwrap(cohort, file.epoch, key, &bytes)))
    }
}

impl Keys {
    /// The key files in `folder`; nothing is created before the first payload.
    pub fn new(folder: &Path) -> Keys {
        Keys { folder: folder.to_owned() }
    }

    fn path(&self, cohort: &str) -> PathBuf {
        self.folder.join(format!("{cohort}.keys"))
    }

    /// Holds the folder against other writers until dropped.
    fn lock(&self) -> Result<File, StoreError> {
        crate::blobs::create(&self.folder)?;
        let path = self.folder.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io(&path))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|e| io(&path)(e.into()))?;
        Ok(file)
    }

    pub(crate) fn reader(&self) -> Result<Reader<'_>, StoreError> {
        let path = self.folder.join("lock");
        // On a medium that cannot be written nobody else writes either.
        let lock = File::open(&path).ok();
        if let Some(file) = &lock {
            rustix::fs::flock(file, FlockOperation::LockShared).map_err(|e| io(&path)(e.into()))?;
        }
        let epochs = self.epochs().or_else(|error| match error {
            StoreError::Keys(..) => Ok(Epochs::new()),
            other => Err(other),
        })?;
        Ok(Reader { keys: self, epochs, open: BTreeMap::new(), _lock: lock })
    }

    /// Appends entries to a cohort, synced on return; gives the cohort they went into and the slot of
    /// the first.
    pub(crate) fn append(
        &self,
        cohort: &str,
        entries: &[(Id, Secret)],
    ) -> Result<(String, u64), StoreError> {
        let _lock = self.lock()?;
        self.not_locked()?;
        let mut epochs = self.epochs()?;
        let cohort = &self.open_one_of(cohort, &epochs)?;
        let path = self.path(cohort);
        let found = self.open_cohort(cohort)?;
        let (epoch, slots) = found.as_ref().map_or((1, 0), |f| (f.epoch, f.slots));
        let name = (cohort.to_owned(), epoch);
        if found.is_none() && !epochs.contains_key(&name) {
            epochs.insert(name.clone(), random()?);
            self.write_epochs(&epochs)?;
        }
        let key = epochs.get(&name).ok_or_else(|| {
            StoreError::Keys(self.folder.join("epoch"), format!("has no key for {cohort} {epoch}"))
        })?;
        let mut bytes = Vec::with_capacity(entries.len() * SLOT_BYTES);
        for (id, secret) in entries {
            bytes.extend(wrap(cohort, epoch, key, &id_bytes(*id), secret)?);
        }
        if found.is_none() {
            replace(&path, &[head(cohort, epoch), bytes].concat())?;
            return Ok((name.0, 0));
        }
        let mut file = disk::File::append(&path).map_err(io(&path))?;
        if found.is_some_and(|f| f.torn > 0) {
            file.set_len(offset(slots)).map_err(io(&path))?;
        }
        file.write_all(&bytes).and_then(|()| file.sync()).map_err(io(&path))?;
        Ok((name.0, slots))
    }

    /// The cohort, or the first of its substitutes (`none.2`) whose file is new or opens. An older backup
    /// restored with the newest epoch file has cohorts that nothing opens any more: what is written from
    /// then on must not be held up by them.
    fn open_one_of(&self, cohort: &str, epochs: &Epochs) -> Result<String, StoreError> {
        for number in 1..SUBSTITUTES_MAX {
            let name = if number == 1 { cohort.to_owned() } else { format!("{cohort}.{number}") };
            match self.open_cohort(&name)? {
                Some(file) if !epochs.contains_key(&(name.clone(), file.epoch)) => {}
                _ => return Ok(name),
            }
        }
        let what = format!("has no key for {cohort}");
        Err(StoreError::Keys(self.folder.join("epoch"), what))
    }

    /// Overwrites one entry in place. Older copies of the file keep it: what must not be opened from
    /// those either is for [`Keys::destroy`].
    pub(crate) fn forget(&self, cohort: &str, slot: u64, id: Id) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let path = self.path(cohort);
        let Some(found) = self.open_cohort(cohort)? else { return Ok(()) };
        let there = found.read_slot(slot, &path)?;
        if there.is_none_or(|bytes| bytes[..ID_BYTES] != id_bytes(id)) {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).open(&path).map_err(io(&path))?;
        file.write_all_at(&[0; SLOT_BYTES], offset(slot)).map_err(io(&path))?;
        file.sync_data().map_err(io(&path))
    }

    /// A new epoch file would stand in the way of the one that opens what is here.
    fn not_locked(&self) -> Result<(), StoreError> {
        if self.locked()? {
            let what = "is not here: restore the backup with its epoch key, or put the file back";
            return Err(StoreError::Keys(self.folder.join("epoch"), what.to_owned()));
        }
        Ok(())
    }

    /// The key of this name, if there is one.
    pub(crate) fn named_key(&self, name: &str) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self.epochs()?.get(&(name.to_owned(), 1)).copied())
    }

    /// The key of this name, drawn at its first use and synced on return.
    pub(crate) fn make_named_key(&self, name: &str) -> Result<[u8; 32], StoreError> {
        let _lock = self.lock()?;
        self.not_locked()?;
        let mut epochs = self.epochs()?;
        if let Some(key) = epochs.get(&(name.to_owned(), 1)) {
            return Ok(*key);
        }
        let key = random()?;
        epochs.insert((name.to_owned(), 1), key);
        self.write_epochs(&epochs)?;
        Ok(key)
    }

    /// Epoch under which a cohort is wrapped now.
    pub(crate) fn epoch(&self, cohort: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.open_cohort(cohort)?.map(|f| f.epoch))
    }

    /// Wraps a cohort anew without these payloads and destroys the epoch key that could open them.
    /// Whatever a crash interrupts is finished by calling it again.
    pub(crate) fn destroy(&self, cohort: &str, gone: &HashSet<Id>) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let path = self.path(cohort);
        let Some(file) = self.open_cohort(cohort)? else { return Ok(()) };
        let gone: HashSet<[u8; ID_BYTES]> = gone.iter().map(|id| id_bytes(*id)).collect();
        let mut slots = Vec::with_capacity(file.slots as usize);
        for slot in 0..file.slots {
            slots.extend(file.read_slot(slot, &path)?);
        }
        let is_gone = |slot: &Slot| {
            <[u8; ID_BYTES]>::try_from(&slot[..ID_BYTES]).is_ok_and(|id| gone.contains(&id))
        };
        let mut epochs = self.epochs()?;
        let mut epoch = file.epoch;
        if slots.iter().any(is_gone) {
            let old = *epochs.get(&(cohort.to_owned(), epoch)).ok_or_else(|| {
                StoreError::Keys(self.folder.join("epoch"), format!("has no key for {cohort}"))
            })?;
            epoch += 1;
            let key = random()?;
            epochs.insert((cohort.to_owned(), epoch), key);
            self.write_epochs(&epochs)?;
            for slot in slots.iter_mut().filter(|slot| !is_destroyed(&slot[..])) {
                if is_gone(slot) {
                    *slot = [0; SLOT_BYTES];
                } else if let Some(secret) = unwrap(cohort, epoch - 1, &old, &slot[..]) {
                    *slot = wrap(cohort, epoch, &key, &slot[..ID_BYTES], &secret)?;
                }
                // A damaged entry stays as it is: the verifier names it before and after.
            }
            replace(&path, &[head(cohort, epoch), slots.concat()].concat())?;
        }
        if epochs.keys().any(|(name, number)| name == cohort && *number != epoch) {
            epochs.retain(|(name, number), _| name != cohort || *number == epoch);
            self.write_epochs(&epochs)?;
        }
        Ok(())
    }

    /// Destroys what a crash left of files that were being replaced.
    pub(crate) fn clean(&self) -> Result<(), StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(StoreError::Io { path: self.folder.clone(), source }),
        };
        let _lock = self.lock()?;
        for entry in entries {
            let path = entry.map_err(io(&self.folder))?.path();
            if path.extension().is_some_and(|e| e == "old" || e == "tmp") {
                wipe(&path)?;
            }
        }
        Ok(())
    }

    fn open_cohort(&self, cohort: &str) -> Result<Option<CohortFile>, StoreError> {
        let path = self.path(cohort);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        let mut bytes = [0; HEAD_BYTES];
        let damaged = || StoreError::Keys(path.clone(), "damaged head".to_owned());
        file.read_exact(&mut bytes).map_err(|_| damaged())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
        let epoch = text
            .trim_end()
            .strip_prefix(&format!("ume/keys/v1 {cohort} "))
            .and_then(|n| n.parse().ok())
            .filter(|epoch| head(cohort, *epoch) == bytes)
            .ok_or_else(damaged)?;
        let length = file.metadata().map_err(io(&path))?.len() - HEAD_BYTES as u64;
        let (slots, torn) = (length / SLOT_BYTES as u64, length % SLOT_BYTES as u64);
        Ok(Some(CohortFile { file, cohort: cohort.to_owned(), epoch, slots, torn }))
    }

    fn epochs(&self) -> Result<Epochs, StoreError> {
        let path = self.folder.join("epoch");
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Epochs::new()),
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        let epochs: Epochs = text.lines().filter_map(parse_epoch).collect();
        if epochs_text(&epochs) != text {
            return Err(StoreError::Keys(path, "damaged: its checksum does not fit".to_owned()));
        }
        Ok(epochs)
    }

    fn write_epochs(&self, epochs: &Epochs) -> Result<(), StoreError> {
        replace(&self.folder.join("epoch"), epochs_text(epochs).as_bytes())
    }

    /// Whether key files are here, but no epoch file that could open them: so stands a restored
    /// backup before its epoch key was given to it.
    pub fn locked(&self) -> Result<bool, StoreError> {
        let absent = !self.folder.join("epoch").try_exists().map_err(io(&self.folder))?;
        Ok(absent && !self.cohorts()?.is_empty())
    }

    /// Copies the key files into a new folder while nobody writes them, and gives the epoch file that
    /// opens them, which belongs elsewhere; `None` before the first payload or secret setting.
    pub fn copy_to(&self, folder: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        if self.cohorts()?.is_empty() && !self.folder.join("epoch").exists() {
            return Ok(None);
        }
        let _lock = self.lock()?;
        fs::DirBuilder::new().mode(0o700).create(folder).map_err(io(folder))?;
        for cohort in self.cohorts()? {
            let (from, to) = (self.path(&cohort), folder.join(format!("{cohort}.keys")));
            fs::copy(&from, &to).map_err(io(&from))?;
        }
        let path = self.folder.join("epoch");
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// Everything in the key files that is not as Ume writes it.
    pub fn faults(&self) -> Result<Vec<KeyFault>, StoreError> {
        let mut faults = Vec::new();
        let mut say = |name: &str, offset, what: &str| {
            let place = format!("keys/{name}");
            faults.push(KeyFault { place, offset, what: what.to_owned() });
        };
        let epochs = match self.epochs() {
            Ok(epochs) => epochs,
            Err(StoreError::Keys(_, what)) => {
                say("epoch", None, &what);
                return Ok(faults);
            }
            Err(error) => return Err(error),
        };
        for cohort in self.cohorts()? {
            let name = format!("{cohort}.keys");
            let file = match self.open_cohort(&cohort) {
                Ok(Some(file)) => file,
                Ok(None) => continue,
                Err(StoreError::Keys(_, what)) => {
                    say(&name, Some(0), &what);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(key) = epochs.get(&(cohort.clone(), file.epoch)) else {
                say(&name, None, "its epoch key is missing: nothing in it can be opened");
                continue;
            };
            for slot in 0..file.slots {
                let bytes = file.read_slot(slot, &self.path(&cohort))?.unwrap_or([0; SLOT_BYTES]);
                if !is_destroyed(&bytes) && unwrap(&file.cohort, file.epoch, key, &bytes).is_none()
                {
                    say(&name, Some(offset(slot)), "entry is damaged");
                }
            }
            if file.torn > 0 {
                say(&name, Some(offset(file.slots)), "not a whole entry");
            }
        }
        Ok(faults)
    }

    /// Cohorts that have a key file.
    pub(crate) fn cohorts(&self) -> Result<Vec<String>, StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::Io { path: self.folder.clone(), source }),
        };
        let mut cohorts = Vec::new();
        for entry in entries {
            let name = entry.map_err(io(&self.folder))?.file_name();
            cohorts.extend(name.to_string_lossy().strip_suffix(".keys").map(str::to_owned));
        }
        cohorts.sort();
        Ok(cohorts)
    }

    /// Cuts off entries that a crash left unfinished behind the last sound one. They were never
    /// acknowledged: the commit of their payloads comes after their sync.
    pub(crate) fn cut_torn_tails(&self) -> Result<(), StoreError> {
        let cohorts = self.cohorts()?;
        if cohorts.is_empty() {
            return Ok(());
        }
        let _lock = self.lock()?;
        let epochs = self.epochs()?;
        for cohort in cohorts {
            let path = self.path(&cohort);
            let Some(file) = self.open_cohort(&cohort)? else { continue };
            let Some(key) = epochs.get(&(cohort.clone(), file.epoch)) else { continue };
            let mut end = file.slots;
            while end > 0 {
                let Some(bytes) = file.read_slot(end - 1, &path)? else { break };
                if is_destroyed(&bytes) || unwrap(&cohort, file.epoch, key, &bytes).is_some() {
                    break;
                }
                end -= 1;
            }
            // More than one group of entries is not what a crash leaves: that stays for the verifier.
            if (end < file.slots && file.slots - end <= TORN_SLOTS_MAX) || file.torn > 0 {
                let writer = OpenOptions::new().write(true).open(&path).map_err(io(&path))?;
                writer.set_len(offset(end)).map_err(io(&path))?;
                writer.sync_data().map_err(io(&path))?;
            }
        }
        Ok(())
    }
}

/// Files of one cohort that nothing opens before another one is refused.
const SUBSTITUTES_MAX: u32 = 100;

/// Most payloads of one commit.
pub(crate) const TORN_SLOTS_MAX: u64 = 10_000;

fn parse_epoch(line: &str) -> Option<((String, u64), [u8; 32])> {
    let mut words = line.split(' ');
    let (cohort, epoch) = (words.next()?, words.next()?.parse().ok()?);
    let key = hex::decode(words.next()?).ok()?.try_into().ok()?;
    Some(((cohort.to_owned(), epoch), key))
}

fn epochs_text(epochs: &Epochs) -> String {
    let mut text = "ume/epoch/v1\n".to_owned();
    for ((cohort, epoch), key) in epochs {
        text.push_str(&format!("{cohort} {epoch} {}\n", hex::encode(key)));
    }
    let sum = hex::encode(Sha256::digest(&text));
    text + &format!("sha256 {sum}\n")
}

/// Writes, syncs, renames, syncs the folder, and destroys what stood there before.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let (temporary, old) = (path.with_extension("tmp"), path.with_extension("old"));
    let mut file = disk::File::create(&temporary).map_err(io(&temporary))?;
    file.write_all(bytes).and_then(|()| file.sync()).map_err(io(&temporary))?;
    // A second name, so that a crash behind the rename still finds what it has to destroy.
    if old.exists() {
        wipe(&old)?;
    }
    if path.exists() {
        fs::hard_link(path, &old).map_err(io(&old))?;
    }
    disk::rename(&temporary, path).map_err(io(path))?;
    disk::sync_folder(folder).map_err(io(folder))?;
    if old.exists() { wipe(&old) } else { Ok(()) }
}

/// Overwrites a file that has no other name, syncs and unlinks it.
fn wipe(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = OpenOptions::new().write(true).open(path).map_err(io(path))?;
    let found = file.metadata().map_err(io(path))?;
    // A crash before the rename leaves the second name of a file that still counts.
    if found.nlink() == 1 {
        let zeros = vec![0; found.len() as usize];
        file.write_all_at(&zeros, 0).and_then(|()| file.sync_all()).map_err(io(path))?;
    }
    fs::remove_file(path).map_err(io(path))?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(io(folder))
}
