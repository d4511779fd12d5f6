//! State as bytes: one list of fields for both directions, a version before, a checksum behind.

/// Why a snapshot was not taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error("the snapshot is damaged; rebuild the state from the archive")]
    Damaged,
    #[error("the snapshot is of another version; rebuild the state from the archive")]
    OtherVersion,
}

impl SnapshotError {
    /// The same in Japanese.
    pub fn ja(&self) -> &'static str {
        match self {
            SnapshotError::Damaged => {
                "スナップショットが壊れています。アーカイブから状態を作り直してください"
            }
            SnapshotError::OtherVersion => {
                "別の版のスナップショットです。アーカイブから状態を作り直してください"
            }
        }
    }
}

/// Something whose fields can be walked, to write them or to fill them.
pub(crate) trait Fields {
    fn fields(&mut self, pass: &mut dyn Pass);
}

/// One pass over the fields: writes each, or reads each.
pub(crate) trait Pass {
    fn bytes(&mut self, bytes: &mut [u8]);
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Fields for $type {
            fn fields(&mut self, pass: &mut dyn Pass) {
                let mut bytes = self.to_le_bytes();
                pass.bytes(&mut bytes);
                *self = <$type>::from_le_bytes(bytes);
            }
        }
    )*};
}
numbers!(f32, f64, i64, u64, i32, u32, i16, u16, i8, u8);

impl<T: Fields, const N: usize> Fields for [T; N] {
    fn fields(&mut self, pass: &mut dyn Pass) {
        self.iter_mut().for_each(|field| field.fields(pass));
    }
}

/// Walks several fields in order.
pub(crate) fn walk(pass: &mut dyn Pass, fields: &mut [&mut dyn Fields]) {
    fields.iter_mut().for_each(|field| field.fields(pass));
}

struct Writer(Vec<u8>);

impl Pass for Writer {
    fn bytes(&mut self, bytes: &mut [u8]) {
        self.0.extend_from_slice(bytes);
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    short: bool,
}

impl Pass for Reader<'_> {
    fn bytes(&mut self, bytes: &mut [u8]) {
        match self.rest.split_at_checked(bytes.len()) {
            Some((read, rest)) => {
                bytes.copy_from_slice(read);
                self.rest = rest;
            }
            None => self.short = true,
        }
    }
}

pub(crate) fn write(version: u8, state: &mut dyn Fields) -> Vec<u8> {
    let mut writer = Writer(vec![version]);
    state.fields(&mut writer);
    seal(writer.0)
}

pub(crate) fn read(version: u8, bytes: &[u8], state: &mut dyn Fields) -> Result<(), SnapshotError> {
    let mut reader = Reader { rest: open(version, bytes)?, short: false };
    state.fields(&mut reader);
    let whole = !reader.short && reader.rest.is_empty();
    whole.then_some(()).ok_or(SnapshotError::Damaged)
}

/// Puts a checksum behind bytes that begin with a version.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes
}

/// What [`seal`] closed, without the version.
pub(crate) fn open(version: u8, bytes: &[u8]) -> Result<&[u8], SnapshotError> {
    let (body, sum) = bytes.split_last_chunk::<8>().ok_or(SnapshotError::Damaged)?;
    if checksum(body).to_le_bytes() != *sum {
        return Err(SnapshotError::Damaged);
    }
    match body.split_first() {
        Some((found, body)) if *found == version => Ok(body),
        _ => Err(SnapshotError::OtherVersion),
    }
}

/// FNV-1a (Fowler, Noll, Vo): finds damage, not intent.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Version of what [`pack`] writes.
const PACKED: u8 = 1;

/// State without a fixed size as bytes.
pub(crate) fn pack<T: serde::Serialize>(state: &T) -> Vec<u8> {
    let mut bytes = vec![PACKED];
    bytes.extend(postcard::to_stdvec(state).unwrap_or_default());
    seal(bytes)
}

pub(crate) fn unpack<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, SnapshotError> {
    postcard::from_bytes(open(PACKED, bytes)?).map_err(|_| SnapshotError::Damaged)
}
