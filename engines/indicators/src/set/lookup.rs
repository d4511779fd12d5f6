//! Looking a value up: under its whole text, under what lies above it, under its host.

use core::net::IpAddr;

use super::{
    format::{CHAINS_FROM, Damage, Record, record},
    keys::{Ask, keys},
    nets::NetTable,
    observable::Observable,
    open::{Layer, Set},
    pack::unpack,
    table::chain,
};
use crate::{Ceiling, Direction, Key, Kind, Kinds, Micros, Scope};

/// A row that a value hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    pub id: u64,
    pub kind: Kind,
    pub scope: Scope,
    pub direction: Direction,
    pub ceiling: Ceiling,
    /// Of an indicator its source, of a warning its list.
    pub source: &'a str,
    pub from: Option<Micros>,
    pub until: Option<Micros>,
    /// Of a warning: the kinds of rows that it speaks of.
    pub kinds: Kinds,
    /// Which file of the set: 0 is the base.
    pub layer: usize,
    pub(super) stored: Kind,
    pub(super) bytes: &'a [u8],
}

impl Hit<'_> {
    /// The row's value.
    pub fn value(&self) -> String {
        unpack(self.stored, self.bytes)
    }
}

impl<'a> Set<'a> {
    /// All rows that the value hits at that time, added to `out`.
    pub fn lookup<'s>(
        &'s self,
        seen: &Observable,
        at: Micros,
        out: &mut Vec<Hit<'s>>,
    ) -> Result<(), Damage> {
        for number in 0..self.layers.len() {
            Search::new(self, number, seen, at, out).run()?;
        }
        Ok(())
    }

    /// A network of the set within the key's own, and the list it is of: what refusing a row that
    /// is broader than what must not be hit asks for.
    pub fn within(&self, key: &Key, at: Micros) -> Result<Option<Hit<'_>>, Damage> {
        let Ok(net) = key.text().parse::<ipnet::IpNet>() else { return Ok(None) };
        for (number, layer) in self.layers.iter().enumerate() {
            let (table, address) = layer.nets(net.addr());
            let Some(place) = table.within(address, net.prefix_len()) else { continue };
            let record = record(layer.body, u64::from(place))?;
            let hit = layer.hit(record, Kind::Cidr, number, place)?;
            if self.stands(&hit) && hit.valid(at) {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }

    /// Whether no later file has a word on the row.
    pub(super) fn stands(&self, hit: &Hit<'_>) -> bool {
        !self.layers[hit.layer + 1..].iter().any(|layer| layer.names(hit.id))
    }
}

impl Hit<'_> {
    fn valid(&self, at: Micros) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

impl<'a> Layer<'a> {
    fn nets(&self, ip: IpAddr) -> (&NetTable<'a>, u128) {
        match ip {
            IpAddr::V4(v4) => (&self.v4, u128::from(u32::from(v4))),
            IpAddr::V6(v6) => (&self.v6, u128::from(v6)),
        }
    }

    pub(super) fn hit(
        &self,
        record: Record<'a>,
        stored: Kind,
        layer: usize,
        place: u32,
    ) -> Result<Hit<'_>, Damage> {
        let profile = usize::try_from(record.profile).ok().and_then(|at| self.profiles.get(at));
        let profile = profile.ok_or(Damage::Record { at: u64::from(place) })?;
        Ok(Hit {
            id: record.id,
            kind: profile.kind,
            scope: record.scope,
            direction: profile.direction,
            ceiling: profile.ceiling,
            source: &self.sources[profile.source as usize],
            from: record.from,
            until: record.until,
            kinds: profile.kinds,
            layer,
            stored,
            bytes: record.key,
        })
    }
}

/// One lookup in one file.
pub(super) struct Search<'o, 's, 'a> {
    set: &'s Set<'a>,
    number: usize,
    layer: &'s Layer<'a>,
    seen: &'o Observable,
    at: Micros,
    out: &'o mut Vec<Hit<'s>>,
}

impl<'o, 's, 'a> Search<'o, 's, 'a> {
    pub(super) fn new(
        set: &'s Set<'a>,
        number: usize,
        seen: &'o Observable,
        at: Micros,
        out: &'o mut Vec<Hit<'s>>,
    ) -> Self {
        Search { set, number, layer: &set.layers[number], seen, at, out }
    }

    fn run(&mut self) -> Result<(), Damage> {
        let (layer, seen) = (self.layer, self.seen);
        let mut damage = Ok(());
        keys(layer, seen, |ask| {
            if let Some(hash) = layer.hash(ask)
                && layer.tables[ask.kind as usize].as_ref().is_some_and(|t| t.passes(hash))
                && damage.is_ok()
            {
                damage = self.found(ask, hash);
            }
        });
        damage?;
        self.beside_keys()
    }

    /// What is found by no key: networks around an address, patterns.
    pub(super) fn beside_keys(&mut self) -> Result<(), Damage> {
        let (layer, seen) = (self.layer, self.seen);
        match seen.kind {
            Kind::Ip | Kind::Url => {
                if let Some(ip) = seen.ip {
                    self.around(ip, u8::MAX)?;
                }
            }
            Kind::Cidr => self.net(&seen.text)?,
            _ => {}
        }
        if layer.residue.is_empty() {
            return Ok(());
        }
        self.residue(seen.kind, &seen.text)?;
        match (seen.kind, &seen.file) {
            (Kind::Url, _) => self.residue(Kind::Domain, seen.host()),
            (Kind::Path, Some(name)) => self.residue(Kind::FileName, name),
            _ => Ok(()),
        }
    }

    /// What lies under a hash that the filter lets through.
    #[inline(never)]
    fn found(&mut self, ask: Ask<'_>, hash: u64) -> Result<(), Damage> {
        let layer = self.layer;
        let Some(table) = &layer.tables[ask.kind as usize] else { return Ok(()) };
        table.find(hash, |place| self.candidate(ask, place))
    }

    /// A place that a table names: a record, or a chain of them.
    pub(super) fn candidate(&mut self, ask: Ask<'_>, place: u32) -> Result<(), Damage> {
        if place < CHAINS_FROM {
            return self.record(ask, place);
        }
        for place in chain(self.layer.chains, place)? {
            self.record(ask, place)?;
        }
        Ok(())
    }

    /// The one place where a hit comes to be: the same bytes, far enough, in direction and period,
    /// and no later file says otherwise.
    fn record(&mut self, ask: Ask<'_>, place: u32) -> Result<(), Damage> {
        let record = record(self.layer.body, u64::from(place))?;
        if record.key != ask.key || !ask.scopes.contains(&record.scope) {
            return Ok(());
        }
        self.add(record, ask.kind, place)
    }

    fn add(&mut self, record: Record<'s>, stored: Kind, place: u32) -> Result<(), Damage> {
        let hit = self.layer.hit(record, stored, self.number, place)?;
        let stands = hit.direction.meets(self.seen.direction) && hit.valid(self.at);
        if stands && self.set.stands(&hit) {
            self.out.push(hit);
        }
        Ok(())
    }

    fn net(&mut self, text: &str) -> Result<(), Damage> {
        match text.parse::<ipnet::IpNet>() {
            Ok(net) => self.around(net.addr(), net.prefix_len()),
            Err(_) => Ok(()),
        }
    }

    fn around(&mut self, ip: IpAddr, bits: u8) -> Result<(), Damage> {
        let layer = self.layer;
        let (table, address) = layer.nets(ip);
        table.around(address, bits, |place| {
            let record = record(layer.body, u64::from(place))?;
            self.add(record, Kind::Cidr, place)
        })
    }

    fn residue(&mut self, kind: Kind, text: &str) -> Result<(), Damage> {
        let layer = self.layer;
        for residue in layer.residue.iter().filter(|residue| residue.kind() == kind) {
            residue.find(text, |place| {
                let record = record(layer.body, u64::from(place))?;
                self.add(record, kind, place)
            })?;
        }
        Ok(())
    }
}
