//! Looking a value up: under its whole text, under what lies above it, under its host.

use core::net::IpAddr;

use super::{
    format::{CHAINS_FROM, Damage, Record, record},
    nets::NetTable,
    observable::Observable,
    open::{Layer, Set},
    pack::{is_hash, unpack},
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

const WHOLE: &[Scope] = &[Scope::Exact];
const WHOLE_OR_BELOW: &[Scope] = &[Scope::Exact, Scope::Prefix];
const BELOW: &[Scope] = &[Scope::Prefix];
const HOST: &[Scope] = &[Scope::Exact, Scope::Subdomains, Scope::Host];
const ABOVE_HOST: &[Scope] = &[Scope::Subdomains];
/// Below an address lies nothing, whatever its source says.
const ADDRESS: &[Scope] = &[Scope::Exact, Scope::Subdomains, Scope::Host];
const MAIL_HOST: &[Scope] = &[Scope::Host];

impl<'a> Set<'a> {
    /// All rows that the value hits at that time, added to `out`.
    pub fn lookup<'s>(
        &'s self,
        seen: &Observable,
        at: Micros,
        out: &mut Vec<Hit<'s>>,
    ) -> Result<(), Damage> {
        for number in 0..self.layers.len() {
            Search { set: self, number, layer: &self.layers[number], seen, at, out }.run()?;
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
struct Search<'o, 's, 'a> {
    set: &'s Set<'a>,
    number: usize,
    layer: &'s Layer<'a>,
    seen: &'o Observable,
    at: Micros,
    out: &'o mut Vec<Hit<'s>>,
}

impl<'s> Search<'_, 's, '_> {
    fn run(&mut self) -> Result<(), Damage> {
        let seen = self.seen;
        let text = seen.text.as_str();
        match seen.kind {
            Kind::Domain => self.domain(text)?,
            Kind::Ip => self.address(seen.ip)?,
            Kind::Cidr => self.net(text)?,
            Kind::Url => self.url()?,
            Kind::Email => self.email(text)?,
            Kind::Path => self.path(text)?,
            Kind::RegistryKey => self.folders(Kind::RegistryKey, text, "\\")?,
            kind if is_hash(kind) => self.key(kind, &seen.packed, WHOLE)?,
            kind => self.text(kind, text, WHOLE)?,
        }
        self.residue(seen.kind, text)
    }

    fn text(&mut self, kind: Kind, text: &str, scopes: &[Scope]) -> Result<(), Damage> {
        self.key(kind, text.as_bytes(), scopes)
    }

    fn key(&mut self, kind: Kind, key: &[u8], scopes: &[Scope]) -> Result<(), Damage> {
        let layer = self.layer;
        let Some(table) = layer.table(kind, scopes) else { return Ok(()) };
        table.find(key, &layer.secrets, |place| {
            if place < CHAINS_FROM {
                return self.record(kind, key, scopes, place);
            }
            for place in chain(layer.chains, place)? {
                self.record(kind, key, scopes, place)?;
            }
            Ok(())
        })
    }

    /// The one place where a hit comes to be: the same bytes, far enough, in direction and period,
    /// and no later file says otherwise.
    fn record(
        &mut self,
        kind: Kind,
        key: &[u8],
        scopes: &[Scope],
        place: u32,
    ) -> Result<(), Damage> {
        let record = record(self.layer.body, u64::from(place))?;
        if record.key != key || !scopes.contains(&record.scope) {
            return Ok(());
        }
        self.add(record, kind, place)
    }

    fn add(&mut self, record: Record<'s>, stored: Kind, place: u32) -> Result<(), Damage> {
        let hit = self.layer.hit(record, stored, self.number, place)?;
        let stands = hit.direction.meets(self.seen.direction) && hit.valid(self.at);
        if stands && self.set.stands(&hit) {
            self.out.push(hit);
        }
        Ok(())
    }

    fn domain(&mut self, name: &str) -> Result<(), Damage> {
        self.text(Kind::Domain, name, HOST)?;
        if self.layer.table(Kind::Domain, ABOVE_HOST).is_none() {
            return Ok(());
        }
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            if above.len() < self.seen.least {
                break;
            }
            self.text(Kind::Domain, above, ABOVE_HOST)?;
            rest = above;
        }
        Ok(())
    }

    fn address(&mut self, ip: Option<IpAddr>) -> Result<(), Damage> {
        let Some(ip) = ip else { return Ok(()) };
        match ip {
            IpAddr::V4(v4) => self.key(Kind::Ip, &v4.octets(), ADDRESS)?,
            IpAddr::V6(v6) => self.key(Kind::Ip, &v6.octets(), ADDRESS)?,
        }
        self.around(ip, u8::MAX)
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

    fn url(&mut self) -> Result<(), Damage> {
        let seen = self.seen;
        let scheme = seen.text.find("//").unwrap_or(0);
        let schemes = match self.layer.table(Kind::Url, WHOLE_OR_BELOW) {
            None => 0,
            Some(table) if table.schemeless => 2,
            Some(_) => 1,
        };
        for start in [0, scheme].into_iter().take(schemes) {
            self.url_text(start)?;
        }
        match seen.ip {
            Some(ip) => self.address(Some(ip))?,
            None => self.domain(seen.host())?,
        }
        self.residue(Kind::Domain, seen.host())
    }

    fn url_text(&mut self, start: usize) -> Result<(), Damage> {
        let seen = self.seen;
        let text = &seen.text[start..];
        self.text(Kind::Url, text, WHOLE_OR_BELOW)?;
        if self.layer.table(Kind::Url, BELOW).is_none() {
            return Ok(());
        }
        let path = &seen.text[start..seen.path.1];
        let longest = path.strip_suffix('/').unwrap_or(path);
        if longest.len() < text.len() {
            self.text(Kind::Url, longest, BELOW)?;
        }
        let mut rest = longest;
        while let Some(cut) = rest.rfind('/').filter(|cut| start + cut >= seen.path.0) {
            rest = &rest[..cut];
            self.text(Kind::Url, rest, BELOW)?;
        }
        Ok(())
    }

    fn email(&mut self, text: &str) -> Result<(), Damage> {
        self.text(Kind::Email, text, WHOLE)?;
        match text.rfind('@') {
            Some(at) => self.text(Kind::Email, &text[at..], MAIL_HOST),
            None => Ok(()),
        }
    }

    /// A path, the folders around it, and the file's name by itself.
    fn path(&mut self, text: &str) -> Result<(), Damage> {
        let separator = if text.contains('\\') { "\\" } else { "/" };
        self.folders(Kind::Path, text, separator)?;
        let Some((_, name)) = text.rsplit_once(separator) else { return Ok(()) };
        // Names have no case; paths elsewhere than on Windows do.
        match crate::normalise::file_name(name) {
            Some(name) => {
                self.text(Kind::FileName, &name, WHOLE)?;
                self.residue(Kind::FileName, &name)
            }
            None => Ok(()),
        }
    }

    fn folders(&mut self, kind: Kind, text: &str, separator: &str) -> Result<(), Damage> {
        self.text(kind, text, WHOLE_OR_BELOW)?;
        if self.layer.table(kind, BELOW).is_none() {
            return Ok(());
        }
        let mut rest = text;
        while let Some((folder, _)) = rest.rsplit_once(separator) {
            self.text(kind, folder, BELOW)?;
            rest = folder;
        }
        Ok(())
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
