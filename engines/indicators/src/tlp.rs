//! The Traffic Light Protocol: what a mark means, which mark something has, and whether it may leave by an exit.
//!
//! - The marks of TLP 1 and 2.0 are known by their fixed ids and by nothing else: an object that only claims to be
//!   one, under another id or through another extension, is a mark that cannot be read.
//! - What cannot be read counts as RED.
//! - What leaves with an object is all that its references reach. The strictest mark among it, granular ones
//!   included, is the mark of the whole.

mod closure;
mod definition;

pub use closure::{Effective, effective, release};
pub use definition::{Edition, TLP_2_0_EXTENSION, definition, definition_id, read_definition};

use std::fmt;

/// How far something may go, strictest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// To everyone; WHITE in TLP 1.
    Clear,
    /// Within the community.
    Green,
    /// Within the organisation and its clients.
    Amber,
    /// Within the organisation.
    AmberStrict,
    /// To the persons it was given to.
    Red,
}

impl Level {
    pub const ALL: [Level; 5] =
        [Level::Clear, Level::Green, Level::Amber, Level::AmberStrict, Level::Red];

    /// As FIRST writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Clear => "TLP:CLEAR",
            Level::Green => "TLP:GREEN",
            Level::Amber => "TLP:AMBER",
            Level::AmberStrict => "TLP:AMBER+STRICT",
            Level::Red => "TLP:RED",
        }
    }

    /// Reads `TLP:AMBER+STRICT`, `tlp:white`, `amber`; none if it is none of them.
    pub fn parse(text: &str) -> Option<Level> {
        let plain: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| match c {
                // Full-width forms, as Japanese mail writes them.
                '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
                c => c,
            })
            .collect::<String>()
            .to_ascii_lowercase();
        let word = plain.strip_prefix("tlp:").unwrap_or(&plain);
        Some(match word {
            "clear" | "white" => Level::Clear,
            "green" => Level::Green,
            "amber" => Level::Amber,
            "amber+strict" => Level::AmberStrict,
            "red" => Level::Red,
            _ => return None,
        })
    }

    /// The widest audience it allows.
    fn audience(self) -> Audience {
        match self {
            Level::Clear => Audience::Public,
            Level::Green => Audience::Community,
            Level::Amber => Audience::Clients,
            Level::AmberStrict => Audience::Organisation,
            Level::Red => Audience::Persons,
        }
    }
}

/// Who hears of something, widest last: each includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Persons named one by one.
    Persons,
    Organisation,
    /// The organisation and companies of its group, 関連組織.
    GroupCompanies,
    Clients,
    Community,
    Public,
}

impl Audience {
    pub fn as_str(self) -> &'static str {
        match self {
            Audience::Persons => "named persons",
            Audience::Organisation => "the organisation",
            Audience::GroupCompanies => "group companies",
            Audience::Clients => "clients",
            Audience::Community => "the community",
            Audience::Public => "everyone",
        }
    }
}

/// What limits something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marking {
    pub level: Level,
    /// A narrower audience than the level's own, such as group companies for an AMBER that says so.
    pub audience: Option<Audience>,
    /// Whom a RED was given to.
    pub persons: Vec<String>,
}

impl Marking {
    pub fn level(level: Level) -> Marking {
        Marking { level, audience: None, persons: Vec::new() }
    }

    /// The widest audience: what is said beside a level narrows it and never widens it.
    fn widest(&self) -> Audience {
        let own = self.level.audience();
        self.audience.map_or(own, |audience| audience.min(own))
    }
}

/// A way out of the program: a TAXII collection, an outlet, a mail, a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    pub audience: Audience,
    /// Who stands behind an exit to persons.
    pub persons: Vec<String>,
}

impl Exit {
    pub fn to(audience: Audience) -> Exit {
        Exit { audience, persons: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    Allow,
    Refuse(Refusal),
}

/// Why something may not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The exit reaches further than the mark.
    TooWide { level: Level, allowed: Audience, exit: Audience },
    /// Somebody behind the exit was not given it.
    NotNamed { person: String },
    /// An exit to persons that names none.
    NobodyNamed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooWide { level, allowed, exit } => {
                let (level, allowed, exit) = (level.as_str(), allowed.as_str(), exit.as_str());
                write!(f, "{level} goes as far as {allowed}; this exit reaches {exit}")
            }
            Refusal::NotNamed { person } => {
                write!(f, "TLP:RED was not given to {person}")
            }
            Refusal::NobodyNamed => f.write_str("the exit names nobody"),
        }
    }
}

/// Whether something marked so may leave by an exit.
pub fn permits(exit: &Exit, marking: &Marking) -> Permit {
    let allowed = marking.widest();
    if exit.audience > allowed {
        let level = marking.level;
        return Permit::Refuse(Refusal::TooWide { level, allowed, exit: exit.audience });
    }
    // Persons of the organisation may have what the organisation may have.
    if allowed > Audience::Persons {
        return Permit::Allow;
    }
    if exit.persons.is_empty() {
        return Permit::Refuse(Refusal::NobodyNamed);
    }
    match exit.persons.iter().find(|person| !marking.persons.contains(person)) {
        Some(person) => Permit::Refuse(Refusal::NotNamed { person: person.clone() }),
        None => Permit::Allow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_goes_as_far_as_its_audience() {
        use Audience::{Clients, Community, GroupCompanies, Organisation, Public};
        let widest = [
            (Level::Clear, Some(Public)),
            (Level::Green, Some(Community)),
            (Level::Amber, Some(Clients)),
            (Level::AmberStrict, Some(Organisation)),
            (Level::Red, None),
        ];
        for (level, widest) in widest {
            for audience in [Organisation, GroupCompanies, Clients, Community, Public] {
                let allowed = permits(&Exit::to(audience), &Marking::level(level)) == Permit::Allow;
                assert_eq!(allowed, Some(audience) <= widest, "{level:?} to {audience:?}");
            }
        }
    }

    #[test]
    fn an_audience_beside_the_level_narrows_and_never_widens() {
        let mut marking = Marking::level(Level::Amber);
        marking.audience = Some(Audience::GroupCompanies);
        let to =
            |audience, marking: &Marking| permits(&Exit::to(audience), marking) == Permit::Allow;
        assert!(to(Audience::GroupCompanies, &marking) && !to(Audience::Clients, &marking));
        marking.level = Level::AmberStrict;
        assert!(!to(Audience::GroupCompanies, &marking) && to(Audience::Organisation, &marking));
    }

    #[test]
    fn red_goes_to_those_it_was_given_to_and_to_nobody_unnamed() {
        let marking =
            Marking { persons: vec!["a".into(), "b".into()], ..Marking::level(Level::Red) };
        let to = |persons: &[&str]| {
            let persons = persons.iter().map(|p| (*p).to_owned()).collect();
            permits(&Exit { audience: Audience::Persons, persons }, &marking)
        };
        assert_eq!(to(&["b"]), Permit::Allow);
        assert_eq!(to(&["a", "c"]), Permit::Refuse(Refusal::NotNamed { person: "c".into() }));
        assert_eq!(to(&[]), Permit::Refuse(Refusal::NobodyNamed));
    }

    #[test]
    fn levels_are_read_as_they_are_written() {
        for (text, level) in [
            ("TLP:AMBER+STRICT", Some(Level::AmberStrict)),
            ("tlp:white", Some(Level::Clear)),
            ("ＴＬＰ：ＡＭＢＥＲ", Some(Level::Amber)),
            ("TLP: RED", Some(Level::Red)),
            ("amber strict", None),
            ("tlp:yellow", None),
            ("", None),
        ] {
            assert_eq!(Level::parse(text), level, "{text}");
        }
        for level in Level::ALL {
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
    }
}
