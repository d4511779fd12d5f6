//! The Traffic Light Protocol at every way out: who stands behind it, what something is marked with, and the one
//! question whether it may leave ([`may_leave`]).
//!
//! Invariants: the engine decides (`indicators::tlp::permits`), nothing here does; what says nothing is RED; of who
//! looks from inside the house the same is asked in SQL (`store::Within::Open`), and a test holds both against
//! each other.

pub mod changes;
#[cfg(test)]
mod laws;
pub mod marks;
pub mod probe;
pub mod storage;

use indicators::tlp::{self, Audience, Exit, Level, Marking, Permit};
use model::{Id, Timestamp};
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row};

use super::inbox;

pub const REFUSED: &str = "threat_intelligence.tlp_refused";

/// A level by its word in the register; none for what is no word of one.
pub fn named(word: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| inbox::tlp_word(*level) == word)
}

/// The level that a field of a row says; what says nothing goes to nobody.
pub fn level(row: &Row, field: &str) -> Level {
    row.attributes.get(field).and_then(Json::as_str).and_then(named).unwrap_or(Level::Red)
}

/// The marking of an item: its level, and of RED those whom it names.
pub fn marking(item: &Row) -> Marking {
    let listed = item.attributes.get("named").and_then(Json::as_array);
    let listed = listed.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
    let persons = listed.chain(item.owner.map(|owner| owner.to_string())).collect();
    Marking { persons, ..Marking::level(level(item, "tlp")) }
}

/// How far a ceiling lets a way out reach.
pub fn reach(ceiling: Level) -> Audience {
    match ceiling {
        Level::Clear => Audience::Public,
        Level::Green => Audience::Community,
        Level::Amber => Audience::Clients,
        Level::AmberStrict => Audience::Organisation,
        Level::Red => Audience::Persons,
    }
}

/// A way out to an audience, for markings up to a ceiling: as wide as the wider of both, so that the stricter of both
/// holds.
pub fn exit(audience: Audience, ceiling: Level) -> Exit {
    Exit::to(audience.max(reach(ceiling)))
}

/// Whether something marked so may leave.
pub fn may_leave(exit: &Exit, marking: &Marking) -> bool {
    tlp::permits(exit, marking) == Permit::Allow
}

/// What stands for an item in texts that go to people by mail or into findings, where nobody is asked who reads: its
/// name, but of one that is for named persons or for the organisation alone its id.
pub fn label(item: &Row) -> String {
    match may_leave(&Exit::to(Audience::Clients), &marking(item)) {
        true => item.name.clone(),
        false => item.id.to_string(),
    }
}

/// The record that something did not leave.
pub fn refused(outlet: Id, subject: Option<Id>, level: Level, at: Timestamp) -> RecordDraft {
    let facts = json!({ "outlet": outlet, "tlp": inbox::tlp_word(level) });
    room::draft(REFUSED, subject, at, facts)
}

#[cfg(test)]
mod tests {
    use model::{Closed, Table};

    use super::*;

    #[test]
    fn pages_close_what_the_protocol_does_not_permit() {
        let kind = crate::kinds::KINDS.iter().find(|kind| kind.id == inbox::ITEM).expect("item");
        let guard = kind.guard.expect("guard");
        assert_eq!(guard.order, Level::ALL.map(inbox::tlp_word));
        for level in Level::ALL {
            let word = inbox::tlp_word(level);
            let closed = guard.closes.iter().find(|(value, _)| *value == word).map(|(_, to)| *to);
            let inside = may_leave(&Exit::to(Audience::Organisation), &Marking::level(level));
            // Who looks from outside on what is shown to them is a client.
            let outside = may_leave(&Exit::to(Audience::Clients), &Marking::level(level));
            let expected = match (inside, outside) {
                (true, true) => None,
                (true, false) => Some(Closed::Outside),
                (false, _) => Some(Closed::Unnamed),
            };
            assert_eq!(closed, expected, "{level:?}");
        }
        let mut item = Row::new(Table::Asset, Id::nil(), inbox::ITEM, "秘密の件");
        item.attributes.insert("tlp".into(), json!("red"));
        item.attributes.insert("named".into(), json!(["hanako"]));
        let to = |person: &str| Exit { audience: Audience::Persons, persons: vec![person.into()] };
        assert!(may_leave(&to("hanako"), &marking(&item)));
        assert!(!may_leave(&to("taro"), &marking(&item)));
        assert_eq!(label(&item), Id::nil().to_string());
        item.attributes.insert("tlp".into(), json!("amber"));
        assert_eq!(label(&item), "秘密の件");
        item.attributes.insert("tlp".into(), json!("yellow"));
        assert_eq!(level(&item, "tlp"), Level::Red, "what cannot be read is red");
    }

    #[test]
    fn of_audience_and_ceiling_the_stricter_holds() {
        let allowed = |audience, ceiling| {
            let exit = exit(audience, ceiling);
            Level::ALL.map(|level| may_leave(&exit, &Marking::level(level)))
        };
        let all = [true, true, true, true, false];
        assert_eq!(allowed(Audience::Organisation, Level::AmberStrict), all);
        assert_eq!(allowed(Audience::Organisation, Level::Red), all, "red names nobody");
        assert_eq!(
            allowed(Audience::Organisation, Level::Green),
            [true, true, false, false, false]
        );
        assert_eq!(allowed(Audience::Public, Level::Amber), [true, false, false, false, false]);
        assert_eq!(
            allowed(Audience::Clients, Level::AmberStrict),
            [true, true, true, false, false]
        );
    }
}
