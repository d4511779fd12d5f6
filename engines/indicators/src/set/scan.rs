//! All rows of a set, in the order in which they were written.

use super::{
    format::{Damage, MAGIC, measured},
    lookup::Hit,
    open::Set,
};
use crate::{Kind, Scope};

impl Set<'_> {
    /// Every row on which no later file has the word. What it costs is reading the files once.
    pub fn scan<'s>(&'s self, mut visit: impl FnMut(Hit<'s>)) -> Result<(), Damage> {
        for (number, layer) in self.layers.iter().enumerate() {
            let mut at = MAGIC.len() as u64;
            while at < layer.records as u64 {
                let (record, end) = measured(&layer.body[..layer.records], at)?;
                let mut hit = layer.hit(record, Kind::Mutex, number, at as u32)?;
                hit.stored = stored(&hit);
                if self.stands(&hit) {
                    visit(hit);
                }
                at = end;
            }
        }
        Ok(())
    }
}

/// Under which kind the bytes lie: a URL's host among names or addresses.
fn stored(hit: &Hit<'_>) -> Kind {
    match (hit.kind, hit.scope) {
        (Kind::Url, Scope::Host | Scope::Subdomains) => match std::str::from_utf8(hit.bytes) {
            Ok(name) if name.contains('.') => Kind::Domain,
            _ => Kind::Ip,
        },
        (kind, _) => kind,
    }
}
