//! A value in its one form, and how far it reaches.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Kind, Reject};

/// How far a value reaches.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The value itself.
    #[default]
    Exact,
    /// A URL, path or registry key and whatever lies below it.
    Prefix,
    /// A URL's or a mail address's host, whatever stands beside it.
    Host,
    /// A domain and all names below it.
    Subdomains,
    /// `*` any run of characters, `?` one, over the whole value.
    Pattern,
    /// The value anywhere within.
    Substring,
    /// An expression of the crate `regex`, anywhere within.
    Regex,
}

impl Scope {
    pub const ALL: &[Scope] = &[
        Scope::Exact,
        Scope::Prefix,
        Scope::Host,
        Scope::Subdomains,
        Scope::Pattern,
        Scope::Substring,
        Scope::Regex,
    ];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Exact => "exact",
            Scope::Prefix => "prefix",
            Scope::Host => "host",
            Scope::Subdomains => "subdomains",
            Scope::Pattern => "pattern",
            Scope::Substring => "substring",
            Scope::Regex => "regex",
        }
    }

    pub fn named(word: &str) -> Option<Scope> {
        Scope::ALL.iter().copied().find(|scope| scope.as_str() == word)
    }

    /// Whether values of the kind may reach so far.
    pub fn suits(self, kind: Kind) -> bool {
        use Kind::{Domain, Email, FileName, Mutex, Path, RegistryKey, Url, UserAgent};
        match self {
            Scope::Exact => true,
            Scope::Prefix => matches!(kind, Url | Path | RegistryKey),
            Scope::Host => matches!(kind, Url | Email),
            Scope::Subdomains => matches!(kind, Domain | Url),
            Scope::Pattern | Scope::Substring | Scope::Regex => matches!(
                kind,
                Domain | Url | Email | FileName | Path | RegistryKey | Mutex | UserAgent
            ),
        }
    }
}

/// A value in its one form: equal values of a kind have equal texts. Made by
/// [`normalise`](crate::normalise::normalise) only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(crate) kind: Kind,
    pub(crate) scope: Scope,
    pub(crate) text: String,
}

impl Key {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The canonical text.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn into_text(self) -> String {
        self.text
    }

    /// The same value, reaching as far as its source says. What a value already reaches by its
    /// form (`*.example.com`) cannot be made narrower.
    pub fn reaching(mut self, scope: Scope) -> Result<Key, Reject> {
        if scope == self.scope {
            return Ok(self);
        }
        if self.scope != Scope::Exact || !scope.suits(self.kind) {
            return Err(Reject::Scope { kind: self.kind, scope });
        }
        match (self.kind, scope) {
            (Kind::Url, Scope::Host | Scope::Subdomains) => {
                self.text = host_of(&self.text).to_owned();
            }
            (Kind::Url, Scope::Prefix) => {
                let path = self.text.split('?').next().unwrap_or_default();
                self.text = path.strip_suffix('/').unwrap_or(path).to_owned();
            }
            (Kind::Email, Scope::Host) => {
                self.text = self.text[self.text.rfind('@').unwrap_or(0)..].to_owned();
            }
            _ => {}
        }
        self.scope = scope;
        Ok(self)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The host of a canonical URL, without port.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    match authority.find(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or(authority),
    }
}
