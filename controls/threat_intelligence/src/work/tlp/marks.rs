//! Which marking a row of the signed set has: that of the item that says it, or of the source whose feed does.
//!
//! Two items that say the same each let it out by their own marking: what CLEAR gave is no disclosure of what RED gave
//! too. A source speaks only where no item does. A row of which nobody is known to say it is RED.
//!
//! Values are known here by 16 bytes of their hash, so a million of them are some 30 MiB and none is kept twice.

use std::collections::HashMap;

use indicators::{
    Kind, Scope,
    tlp::{Level, Marking},
};
use model::Table;
use room::Error;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use store::{Row, Store};

use crate::work::inbox::{self, ITEM, SOURCE};

type Short = [u8; 16];

/// Markings of what the set in force holds.
#[derive(Default)]
pub struct Marks {
    values: HashMap<Short, Level>,
    /// By name and by id of a source.
    sources: HashMap<String, Level>,
}

impl Marks {
    /// Reads what is confirmed of items judged "act", and what sources give without a mark.
    pub async fn load(store: &Store) -> Result<Marks, Error> {
        let (mut marks, names) = (Marks::default(), netname::Names::shipped());
        for item in store.all(Table::Asset, &[ITEM]).await?.iter().filter(|item| is_used(item)) {
            let level = super::level(item, "tlp");
            let lines = inbox::confirmed(store, item).await.map_err(Error::said)?;
            for line in lines.unwrap_or_default() {
                marks.add(&line, level, &names);
            }
        }
        for source in store.all(Table::Asset, &[SOURCE]).await?.iter().filter(|row| !row.deleted) {
            let said = source.attributes.get("tlp_default").and_then(Json::as_str);
            // As in the inbox: unmarked, and nothing said, goes to those who need it.
            let level = said.map_or(Level::Amber, |word| super::named(word).unwrap_or(Level::Red));
            for name in [source.name.clone(), source.id.to_string()] {
                let strictest = marks.sources.entry(name).or_insert(level);
                *strictest = level.max(*strictest);
            }
        }
        Ok(marks)
    }

    fn add(&mut self, line: &inbox::Line, level: Level, names: &netname::Names) {
        let Some(kind) = Kind::named(&line.kind) else { return };
        let scope = line.scope.as_deref().and_then(Scope::named).unwrap_or_default();
        let key = indicators::normalise(kind, &line.value, names).ok();
        let key = key.and_then(|key| match key.scope() == scope {
            true => Some(key),
            false => key.reaching(scope).ok(),
        });
        if let Some(key) = key {
            self.put(key.kind(), key.scope(), key.text(), level);
        }
    }

    /// Notes that somebody who marks it so says the value.
    pub fn put(&mut self, kind: Kind, scope: Scope, text: &str, level: Level) {
        let most_open = self.values.entry(short(kind, scope, text)).or_insert(level);
        *most_open = level.min(*most_open);
    }

    /// The marking of a row with this value from this source.
    pub fn of(&self, kind: Kind, scope: Scope, text: &str, source: &str) -> Marking {
        let by_item = self.values.get(&short(kind, scope, text)).copied();
        let by_source = self.sources.get(source).copied();
        Marking::level(by_item.or(by_source).unwrap_or(Level::Red))
    }
}

fn is_used(item: &Row) -> bool {
    !item.deleted
        && item.status == "active"
        && item.attributes.get("verdict").and_then(Json::as_str) == Some("act")
}

fn short(kind: Kind, scope: Scope, text: &str) -> Short {
    let hash = Sha256::digest(format!("{}\n{}\n{text}", kind.as_str(), scope.as_str()));
    let mut short = Short::default();
    short.copy_from_slice(&hash[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_it_lets_it_out_and_what_nobody_says_is_red() {
        let mut marks = Marks::default();
        let of = |marks: &Marks, value: &str, source: &str| {
            marks.of(Kind::Domain, Scope::Exact, value, source).level
        };
        marks.put(Kind::Domain, Scope::Exact, "a.example", Level::Red);
        assert_eq!(of(&marks, "a.example", "x"), Level::Red);
        marks.put(Kind::Domain, Scope::Exact, "a.example", Level::Green);
        assert_eq!(of(&marks, "a.example", "x"), Level::Green);
        assert_eq!(of(&marks, "b.example", "x"), Level::Red);
        marks.sources.insert("feed".into(), Level::Amber);
        assert_eq!(of(&marks, "b.example", "feed"), Level::Amber);
        assert_eq!(marks.of(Kind::Url, Scope::Exact, "a.example", "x").level, Level::Red);
    }
}
