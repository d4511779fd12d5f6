//! Writing a set. Records are written as they come; in memory remain 12 bytes a row.

use core::net::IpAddr;
use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use rapidhash::v3::RapidSecrets;
use sha2::{Digest, Sha256};

use super::{
    format::{
        BLOCK, CHAINS_FROM, Footer, MAGIC, NEST_MAX, NET4, NET6, Part, Profile, Record, TablePart,
        seal,
    },
    nets::Nets,
    pack::pack,
    places::Rows,
    slots::{Filter, Out, Slots},
    table::{hash, secrets},
};
use crate::{Entry, Key, Kind, Scope};

/// Rows of one hash that have slots of their own; more of them are a chain.
const SLOTS_OF_ONE: usize = 4;

/// What a set may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rows_max: u64,
    pub bytes_max: u64,
    pub nets_max: usize,
    /// Patterns, substrings and expressions live in memory, and each costs every lookup.
    pub residue_max: usize,
    pub profiles_max: usize,
}

impl Limits {
    pub const DEFAULT: Limits = Limits {
        rows_max: 100_000_000,
        bytes_max: CHAINS_FROM as u64 - (1 << 20),
        nets_max: 4_000_000,
        residue_max: 50_000,
        profiles_max: 1_000_000,
    };
}

/// Why no set was written.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("more than {max} {what}")]
    Limit { what: &'static str, max: u64 },
    #[error("the hashes cluster; another seed is needed")]
    Seed,
    #[error("a value of kind {} cannot have the scope {}", .0.as_str(), .1.as_str())]
    Scope(Kind, Scope),
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub rows: u64,
    /// Bytes of values as they lie in the file.
    pub values: u64,
    pub bytes: u64,
    /// SHA-256 of the whole file.
    pub root: [u8; 32],
    pub by_kind: BTreeMap<Kind, u64>,
}

/// Writes a set of all rows. The seed is a random number that nobody who writes feeds knows.
pub fn build(
    rows: impl IntoIterator<Item = Entry>,
    seed: [u8; 16],
    limits: &Limits,
    out: &mut impl io::Write,
) -> Result<Summary, BuildError> {
    Builder::new(seed, limits, out).run(rows.into_iter().map(Change::Put), false)
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new, or other than it was.
    Put(Entry),
    Gone(u64),
}

/// Writes what changed since.
pub fn build_delta(
    changes: impl IntoIterator<Item = Change>,
    seed: [u8; 16],
    limits: &Limits,
    out: &mut impl io::Write,
) -> Result<Summary, BuildError> {
    Builder::new(seed, limits, out).run(changes, true)
}

struct Builder<'w, W> {
    out: Out<'w, W>,
    seed: [u8; 16],
    secrets: RapidSecrets,
    limits: Limits,
    tables: BTreeMap<Kind, Rows>,
    nets: Nets,
    residue: Vec<(Kind, u32)>,
    profiles: HashMap<Profile, u32>,
    sources: HashMap<String, u32>,
    chains: Vec<u32>,
    rows: u64,
    values: u64,
    by_kind: BTreeMap<Kind, u64>,
    record: Vec<u8>,
    packed: Vec<u8>,
}

impl<'w, W: io::Write> Builder<'w, W> {
    fn new(seed: [u8; 16], limits: &Limits, to: &'w mut W) -> Self {
        Builder {
            out: Out { to, sha: Sha256::new(), at: 0 },
            seed,
            secrets: secrets(&seed),
            limits: *limits,
            tables: BTreeMap::new(),
            nets: Nets::default(),
            residue: Vec::new(),
            profiles: HashMap::new(),
            sources: HashMap::new(),
            chains: Vec::new(),
            rows: 0,
            values: 0,
            by_kind: BTreeMap::new(),
            record: Vec::new(),
            packed: Vec::new(),
        }
    }

    fn run(
        mut self,
        changes: impl IntoIterator<Item = Change>,
        delta: bool,
    ) -> Result<Summary, BuildError> {
        // No record lies at 0: an empty slot is 0.
        self.out.write(&MAGIC)?;
        let mut named = Vec::new();
        for change in changes {
            let id = match change {
                Change::Gone(id) => id,
                Change::Put(row) => {
                    let id = row.id;
                    self.row(row)?;
                    id
                }
            };
            if delta {
                named.push(id);
            }
        }
        named.sort_unstable();
        named.dedup();
        self.finish(&named)
    }

    fn row(&mut self, row: Entry) -> Result<(), BuildError> {
        let max = self.limits.rows_max;
        self.rows += 1;
        if self.rows > max {
            return Err(BuildError::Limit { what: "rows", max });
        }
        let kind = row.key.kind();
        if !row.key.scope().suits(kind) {
            return Err(BuildError::Scope(kind, row.key.scope()));
        }
        *self.by_kind.entry(kind).or_default() += 1;
        let table = table_of(&row.key);
        let mut packed = std::mem::take(&mut self.packed);
        pack(table, row.key.text().trim_matches(['[', ']']), &mut packed);
        self.values += packed.len() as u64;
        let place = self.record(&row, &packed)?;
        self.place(&row.key, table, &packed, place)?;
        self.packed = packed;
        Ok(())
    }

    fn record(&mut self, row: &Entry, packed: &[u8]) -> Result<u32, BuildError> {
        let profile = self.profile(row)?;
        let at = self.out.at;
        let max = self.limits.bytes_max.min(Limits::DEFAULT.bytes_max);
        if at + packed.len() as u64 > max {
            return Err(BuildError::Limit { what: "bytes of records", max });
        }
        self.record.clear();
        let scope = row.key.scope();
        Record {
            scope,
            key: packed,
            profile: u64::from(profile),
            id: row.id,
            from: row.from,
            until: row.until,
        }
        .write(&mut self.record);
        self.out.write(&self.record)?;
        Ok(at as u32)
    }

    fn profile(&mut self, row: &Entry) -> Result<u32, BuildError> {
        let sources = self.sources.len() as u32;
        let source = match self.sources.get(&row.source) {
            Some(source) => *source,
            None => *self.sources.entry(row.source.clone()).or_insert(sources),
        };
        let profile = Profile {
            kind: row.key.kind(),
            direction: row.direction,
            ceiling: row.ceiling,
            source,
            kinds: row.kinds,
        };
        let next = self.profiles.len();
        let max = self.limits.profiles_max;
        let number = *self.profiles.entry(profile).or_insert(next as u32);
        if next >= max && number as usize == next {
            return Err(BuildError::Limit { what: "sources and lists", max: max as u64 });
        }
        Ok(number)
    }

    fn place(
        &mut self,
        key: &Key,
        table: Kind,
        packed: &[u8],
        place: u32,
    ) -> Result<(), BuildError> {
        if matches!(key.scope(), Scope::Pattern | Scope::Substring | Scope::Regex) {
            let max = self.limits.residue_max;
            if self.residue.len() >= max {
                return Err(BuildError::Limit { what: "patterns", max: max as u64 });
            }
            self.residue.push((key.kind(), place));
            return Ok(());
        }
        if table == Kind::Cidr {
            let max = self.limits.nets_max;
            if self.nets.len() >= max {
                return Err(BuildError::Limit { what: "networks", max: max as u64 });
            }
            self.nets.push(packed, place);
            return Ok(());
        }
        let hash = hash(packed, &self.secrets);
        let halves = ((hash >> 32) as u32, hash as u32, place);
        self.tables.entry(table).or_default().push(halves, key, packed.len());
        Ok(())
    }

    fn finish(mut self, named: &[u64]) -> Result<Summary, BuildError> {
        let records = self.out.at;
        let mut tables = Vec::new();
        for (kind, rows) in std::mem::take(&mut self.tables) {
            tables.push(self.table(kind, rows)?);
        }
        let chains = self.part(self.chains.len(), |this| {
            let bytes: Vec<u8> = this.chains.iter().flat_map(|word| word.to_le_bytes()).collect();
            this.out.write(&bytes)
        })?;
        let nested = BuildError::Limit { what: "networks in each other", max: NEST_MAX as u64 };
        let (v4, v6) = std::mem::take(&mut self.nets).written().ok_or(nested)?;
        let v4 = self.part(v4.len() / NET4, |this| this.out.write(&v4))?;
        let v6 = self.part(v6.len() / NET6, |this| this.out.write(&v6))?;
        let named = self.part(named.len(), |this| {
            let bytes: Vec<u8> = named.iter().flat_map(|id| id.to_le_bytes()).collect();
            this.out.write(&bytes)
        })?;
        let footer = Footer {
            seed: self.seed,
            records,
            body: self.out.at,
            digest: self.out.sha.clone().finalize().into(),
            rows: self.rows,
            tables,
            chains,
            v4,
            v6,
            residue: std::mem::take(&mut self.residue),
            named,
            profiles: in_order(std::mem::take(&mut self.profiles)),
            sources: in_order(std::mem::take(&mut self.sources)),
        };
        let footer = postcard::to_stdvec(&footer).map_err(io::Error::other)?;
        self.out.write(&footer)?;
        self.out.write(&seal(&footer))?;
        self.out.write(&(footer.len() as u32).to_le_bytes())?;
        self.out.write(&MAGIC)?;
        self.out.to.flush()?;
        Ok(Summary {
            rows: self.rows,
            values: self.values,
            bytes: self.out.at,
            root: self.out.sha.finalize().into(),
            by_kind: self.by_kind,
        })
    }

    fn part(
        &mut self,
        count: usize,
        write: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> Result<Part, BuildError> {
        let at = self.out.at;
        write(self)?;
        Ok(Part { at, count: count as u64 })
    }

    fn table(&mut self, kind: Kind, rows: Rows) -> Result<TablePart, BuildError> {
        let (scopes, schemeless, count) = (rows.scopes, rows.schemeless, rows.count);
        let (length_min, length_max) = rows.lengths.unwrap_or_default();
        let mut slots = Slots::new(count);
        let mut filter = Filter::new(count);
        self.out.align()?;
        let at = self.out.at;
        let (out, chains) = (&mut self.out, &mut self.chains);
        rows.groups(|hash, places| {
            filter.push(hash);
            if places.len() <= SLOTS_OF_ONE {
                places.iter().try_for_each(|place| slots.push(hash, *place, out))?;
            } else {
                slots.push(hash, CHAINS_FROM + chains.len() as u32, out)?;
                chains.push(places.len() as u32);
                chains.extend_from_slice(places);
            }
            Ok(())
        })?;
        let (total, homes) = slots.finish(out)?;
        let blocks = filter.bytes();
        let filter = Part { at: out.at, count: (blocks.len() / BLOCK) as u64 };
        out.write(blocks)?;
        Ok(TablePart {
            kind,
            rows: count,
            buckets: Part { at, count: total },
            homes,
            filter,
            scopes,
            schemeless,
            length_min,
            length_max,
        })
    }
}

/// A URL's host is looked for where hosts are.
pub(super) fn table_of(key: &Key) -> Kind {
    match (key.kind(), key.scope()) {
        (Kind::Url, Scope::Host | Scope::Subdomains) => {
            let host = key.text().trim_matches(['[', ']']);
            if host.parse::<IpAddr>().is_ok() { Kind::Ip } else { Kind::Domain }
        }
        (kind, _) => kind,
    }
}

fn in_order<T: Clone>(numbered: HashMap<T, u32>) -> Vec<T> {
    let mut all: Vec<(T, u32)> = numbered.into_iter().collect();
    all.sort_unstable_by_key(|(_, number)| *number);
    all.into_iter().map(|(one, _)| one).collect()
}
