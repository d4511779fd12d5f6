//! The public suffix list: below which names strangers register names of their own.
//!
//! The list comes as data of the crate `psl`, which follows the official one. Its private section
//! (`github.io`) counts as well: whoever registers below it is a stranger to the rest.

use std::collections::BTreeSet;

use psl::Psl;

use crate::{Domain, Error};

/// What is known of names beyond their texts: the public suffix list and an organisation's own.
#[derive(Clone, Debug, Default)]
pub struct Names {
    own: BTreeSet<String>,
}

impl Names {
    /// The list as it ships.
    pub fn shipped() -> Names {
        Names::default()
    }

    /// Further suffixes below which strangers have their names: shared hosting of a partner.
    pub fn with_suffixes<'a>(
        mut self,
        suffixes: impl IntoIterator<Item = &'a str>,
    ) -> Result<Names, Error> {
        for suffix in suffixes {
            self.own.insert(Domain::parse(suffix)?.into_string());
        }
        Ok(self)
    }

    /// The public suffix of a canonical name. The last label, where the list knows none.
    pub fn suffix<'a>(&self, name: &'a str) -> &'a str {
        if let Some(own) = self.own_suffix(name) {
            return own;
        }
        let length = psl::List.suffix(name.as_bytes()).map_or(0, |suffix| suffix.as_bytes().len());
        &name[name.len() - length.min(name.len())..]
    }

    fn own_suffix<'a>(&self, name: &'a str) -> Option<&'a str> {
        if self.own.is_empty() {
            return None;
        }
        parents(name).find(|parent| self.own.contains(*parent))
    }

    /// Whether the name is itself a public suffix.
    pub fn is_public(&self, name: &str) -> bool {
        self.suffix(name).len() == name.len()
    }

    /// Whether the list names the suffix, rather than falling back on the last label.
    pub fn is_listed(&self, name: &str) -> bool {
        self.own_suffix(name).is_some()
            || psl::List.suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known())
    }

    /// The name that somebody registered: the suffix and one label more.
    pub fn registrable<'a>(&self, name: &'a str) -> Option<&'a str> {
        let suffix = self.suffix(name).len();
        let before = name.len().checked_sub(suffix + 1)?;
        let start = name[..before].rfind('.').map_or(0, |dot| dot + 1);
        Some(&name[start..])
    }

    /// The label that somebody registered: `example` of `www.example.co.jp`.
    pub fn own_label<'a>(&self, name: &'a str) -> Option<&'a str> {
        let registrable = self.registrable(name)?;
        registrable.split('.').next()
    }

    /// The name and those above it, up to the one that was registered: never a public suffix,
    /// unless the name is one.
    pub fn walk<'a>(&self, name: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let least = self.registrable(name).map_or(name.len(), str::len);
        parents(name).take_while(move |parent| parent.len() >= least)
    }
}

/// The name, then each name above it.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, above)| above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_stops_at_what_somebody_registered() {
        let names = Names::shipped();
        let walk = |name| names.walk(name).collect::<Vec<_>>();
        assert_eq!(
            walk("a.b.example.co.jp"),
            ["a.b.example.co.jp", "b.example.co.jp", "example.co.jp"]
        );
        assert_eq!(walk("evil.github.io"), ["evil.github.io"]);
        assert_eq!(walk("co.jp"), ["co.jp"]);
        assert_eq!(walk("localhost"), ["localhost"]);
        assert_eq!(walk("host.corp.internal"), ["host.corp.internal", "corp.internal"]);
    }

    #[test]
    fn wildcards_and_exceptions_of_the_list_hold() {
        let names = Names::shipped();
        assert_eq!(names.registrable("www.city.kawasaki.jp"), Some("city.kawasaki.jp"));
        assert_eq!(names.registrable("a.b.kawasaki.jp"), Some("a.b.kawasaki.jp"));
        assert_eq!(names.registrable("b.kawasaki.jp"), None);
        assert_eq!(names.suffix("xn--wgv71a119e.xn--q9jyb4c"), "xn--q9jyb4c");
        assert!(names.is_listed("example.co.jp") && !names.is_listed("host.internal"));
    }

    #[test]
    fn an_own_suffix_stops_the_walk_as_the_list_does() {
        let names = Names::shipped().with_suffixes(["Shared.example.com"]).unwrap();
        assert_eq!(
            names.registrable("x.tenant.shared.example.com"),
            Some("tenant.shared.example.com")
        );
        assert!(names.is_public("shared.example.com"));
        assert_eq!(names.own_label("x.tenant.shared.example.com"), Some("tenant"));
        assert!(Names::shipped().with_suffixes(["a..b"]).is_err());
    }
}
