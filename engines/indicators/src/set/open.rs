//! Opening files: everything that the footer says is held against the bytes before it is used.

use rapidhash::v3::RapidSecrets;
use sha2::{Digest, Sha256};

use super::{
    format::{
        Damage, FOOTER_BYTES_MAX, Footer, MAGIC, Part, Profile, SEAL, TRAILER, VERSION, seal,
    },
    keys::Ask,
    nets::NetTable,
    residue::Residue,
    table::{Table, secrets, slice},
};
use crate::{Kind, Scope};

/// Files of one set: each costs every lookup.
pub const LAYERS_MAX: usize = 64;

/// A base and what was added and taken away since, borrowed from where the files lie.
#[derive(Debug)]
pub struct Set<'a> {
    pub(super) layers: Vec<Layer<'a>>,
}

/// One file.
#[derive(Debug)]
pub(super) struct Layer<'a> {
    pub body: &'a [u8],
    pub secrets: RapidSecrets,
    pub tables: Vec<Option<Table<'a>>>,
    pub chains: &'a [u8],
    pub v4: NetTable<'a>,
    pub v6: NetTable<'a>,
    pub residue: Vec<Residue>,
    pub named: &'a [u8],
    pub profiles: Vec<Profile>,
    pub sources: Vec<String>,
    pub rows: u64,
    /// Where the records end.
    pub records: usize,
}

impl<'a> Set<'a> {
    /// The base, then deltas from the oldest on. The content is not read: [`verify`] does that, once
    /// for each file that arrives.
    pub fn open(base: &'a [u8], deltas: &[&'a [u8]]) -> Result<Set<'a>, Damage> {
        if deltas.len() >= LAYERS_MAX {
            return Err(Damage::Layers { max: LAYERS_MAX });
        }
        let files = std::iter::once(base).chain(deltas.iter().copied());
        Ok(Set { layers: files.map(Layer::open).collect::<Result<_, _>>()? })
    }

    /// Rows of all files, those that later ones replace included.
    pub fn rows(&self) -> u64 {
        self.layers.iter().map(|layer| layer.rows).sum()
    }
}

/// Whether a file holds what was written, to the byte.
pub fn verify(file: &[u8]) -> Result<(), Damage> {
    let footer = footer(file)?;
    let body = body(file, &footer)?;
    let digest: [u8; 32] = Sha256::digest(body).into();
    if digest == footer.digest { Ok(()) } else { Err(Damage::Digest) }
}

fn footer(file: &[u8]) -> Result<Footer, Damage> {
    let trailer = file.len().checked_sub(TRAILER).ok_or(Damage::Cut)?;
    let (front, trailer) = file.split_at(trailer);
    let (sealed, trailer) = trailer.split_at(SEAL);
    let (length, magic) = trailer.split_at(4);
    let (name, version) = magic.split_at(MAGIC.len() - 1);
    if name != &MAGIC[..MAGIC.len() - 1] || !front.starts_with(magic) {
        return Err(Damage::Cut);
    }
    if version != [VERSION] {
        return Err(Damage::Version { found: version[0] });
    }
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
    let start = front.len().checked_sub(length).ok_or(Damage::Footer)?;
    if length > FOOTER_BYTES_MAX || sealed != seal(&front[start..]) {
        return Err(Damage::Footer);
    }
    match postcard::take_from_bytes::<Footer>(&front[start..]) {
        Ok((footer, [])) if footer.body == start as u64 => Ok(footer),
        _ => Err(Damage::Footer),
    }
}

fn body<'a>(file: &'a [u8], footer: &Footer) -> Result<&'a [u8], Damage> {
    let end = usize::try_from(footer.body).map_err(|_| Damage::Footer)?;
    file.get(..end).ok_or(Damage::Footer)
}

impl<'a> Layer<'a> {
    fn open(file: &'a [u8]) -> Result<Layer<'a>, Damage> {
        let footer = footer(file)?;
        let body = body(file, &footer)?;
        let part = |part: Part, size: usize, name: &'static str| {
            slice(body, part.at, part.count, size).ok_or(Damage::Part { part: name })
        };
        let records = usize::try_from(footer.records).ok();
        let records = records.filter(|end| *end <= body.len() && *end >= MAGIC.len());
        let mut tables: Vec<Option<Table<'a>>> = Kind::ALL.iter().map(|_| None).collect();
        for one in &footer.tables {
            tables[one.kind as usize] = Some(Table::open(body, one)?);
        }
        let sources = footer.sources.len();
        if footer.profiles.iter().any(|profile| profile.source as usize >= sources) {
            return Err(Damage::Footer);
        }
        Ok(Layer {
            body,
            secrets: secrets(&footer.seed),
            tables,
            chains: part(footer.chains, 4, "the chains")?,
            v4: NetTable::open(body, footer.v4.at, footer.v4.count, 4)?,
            v6: NetTable::open(body, footer.v6.at, footer.v6.count, 16)?,
            residue: Residue::open(body, &footer.residue)?,
            named: part(footer.named, 8, "the rows that are replaced")?,
            profiles: footer.profiles,
            sources: footer.sources,
            rows: footer.rows,
            records: records.ok_or(Damage::Part { part: "the records" })?,
        })
    }

    /// Whether the file has a word on the row.
    pub(super) fn names(&self, id: u64) -> bool {
        let count = self.named.len() / 8;
        let at = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.named[at * 8..at * 8 + 8]);
            u64::from_le_bytes(bytes)
        };
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            match at(middle).cmp(&id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return true,
            }
        }
        false
    }

    /// The hash under which the key lies here, if rows of its kind, reach and length do.
    #[inline]
    pub(super) fn hash(&self, ask: Ask<'_>) -> Option<u64> {
        self.table(ask.kind, ask.scopes)?.hash(ask.key, &self.secrets)
    }

    #[inline]
    pub(super) fn table(&self, kind: Kind, scopes: &[Scope]) -> Option<&Table<'a>> {
        let table = self.tables[kind as usize].as_ref()?;
        let any = scopes.iter().any(|scope| table.scopes & 1 << *scope as u8 != 0);
        any.then_some(table)
    }
}
