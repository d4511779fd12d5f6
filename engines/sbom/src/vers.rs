//! `vers` ranges: `vers:npm/>=1.0.0|<2.0.0`, read, written in canonical form, and asked whether a version lies
//! within.
//!
//! # Invariants
//! - Constraints are held in the order of their versions, each version once; what is printed is read back equal.
//! - A range of a scheme without order answers for versions it names (`=`, `!=`) and for nothing else.
//!
//! # Source
//! The VERS specification (version range specifier).
//!
//! # Limits
//! [`CONSTRAINTS_MAX`] constraints.

use std::{cmp::Ordering, fmt};

use crate::order::{Ecosystem, Key, Unordered};

/// How many constraints a range has at most.
pub const CONSTRAINTS_MAX: usize = 4096;

/// How a version must stand to that of the constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparator {
    Equal,
    Not,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A range of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vers {
    pub scheme: String,
    ecosystem: Ecosystem,
    /// None: every version (`*`).
    constraints: Option<Vec<Constraint>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Constraint {
    comparator: Comparator,
    version: String,
    key: Key,
}

/// Why something is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersError {
    #[error("does not begin with vers:SCHEME/")]
    Scheme,
    #[error("no order is known for the scheme {0:?}")]
    Unknown(String),
    #[error("has no constraints")]
    Empty,
    #[error("has more than {CONSTRAINTS_MAX} constraints")]
    TooMany,
    #[error("* stands beside other constraints")]
    Star,
    #[error("version {0:?} stands twice")]
    Twice(String),
    #[error("{0:?} is not percent-encoded UTF-8")]
    Encoding(String),
    #[error(transparent)]
    Unordered(#[from] Unordered),
}

impl Vers {
    /// Reads a range.
    pub fn parse(text: &str) -> Result<Vers, VersError> {
        let (scheme, constraints) = text
            .trim()
            .strip_prefix("vers:")
            .and_then(|t| t.split_once('/'))
            .ok_or(VersError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let ecosystem =
            Ecosystem::named(&scheme).ok_or_else(|| VersError::Unknown(scheme.clone()))?;
        let text: String = constraints.chars().filter(|c| !c.is_whitespace()).collect();
        let text = text.trim_matches('|');
        if text == "*" {
            return Ok(Vers { scheme, ecosystem, constraints: None });
        }
        let mut list = Vec::new();
        for constraint in text.split('|').filter(|c| !c.is_empty()) {
            if list.len() == CONSTRAINTS_MAX {
                return Err(VersError::TooMany);
            }
            list.push(Constraint::parse(ecosystem, constraint)?);
        }
        if list.is_empty() {
            return Err(VersError::Empty);
        }
        list.sort_by(|a, b| a.key.compare(&b.key).unwrap_or(Ordering::Equal));
        if let Some(pair) = list.windows(2).find(|p| p[0].key == p[1].key) {
            return Err(VersError::Twice(pair[1].version.clone()));
        }
        Ok(Vers { scheme, ecosystem, constraints: Some(list) })
    }

    /// Whose order the range is stated in.
    pub fn ecosystem(&self) -> Ecosystem {
        self.ecosystem
    }

    /// Whether a version lies within.
    pub fn contains(&self, version: &str) -> Result<bool, Unordered> {
        Ok(self.holds(&self.ecosystem.key(version)?))
    }

    /// Whether a version that was read lies within.
    pub fn holds(&self, key: &Key) -> bool {
        let Some(constraints) = &self.constraints else { return true };
        let equal = |c: &&Constraint| c.key.compare(key) == Some(Ordering::Equal);
        if let Some(constraint) = constraints.iter().find(equal) {
            return matches!(
                constraint.comparator,
                Comparator::Equal | Comparator::LessOrEqual | Comparator::GreaterOrEqual
            );
        }
        let bounds: Vec<&Constraint> = constraints.iter().filter(|c| c.is_bound()).collect();
        if bounds.is_empty() {
            // Only versions that are not meant: all others are.
            return constraints.iter().all(|c| c.comparator == Comparator::Not);
        }
        // Between which two bounds the version lies decides.
        let above = bounds.partition_point(|c| c.key.compare(key) == Some(Ordering::Less));
        let after_lower = above.checked_sub(1).map(|at| bounds[at].opens());
        let before_upper = bounds.get(above).map(|c| !c.opens());
        match (after_lower, before_upper) {
            (Some(lower), Some(upper)) => lower && upper,
            (Some(lower), None) => lower,
            (None, Some(upper)) => upper,
            (None, None) => false,
        }
    }
}

impl Constraint {
    fn parse(ecosystem: Ecosystem, text: &str) -> Result<Constraint, VersError> {
        const SIGNS: [(&str, Comparator); 6] = [
            (">=", Comparator::GreaterOrEqual),
            ("<=", Comparator::LessOrEqual),
            ("!=", Comparator::Not),
            ("<", Comparator::Less),
            (">", Comparator::Greater),
            ("=", Comparator::Equal),
        ];
        let found = SIGNS.iter().find_map(|(s, c)| text.strip_prefix(s).map(|rest| (*c, rest)));
        let (comparator, version) = found.unwrap_or((Comparator::Equal, text));
        if version == "*" {
            return Err(VersError::Star);
        }
        let version =
            crate::purl::decode(version).map_err(|_| VersError::Encoding(version.to_owned()))?;
        let key = ecosystem.key(&version)?;
        Ok(Constraint { comparator, version, key })
    }

    fn is_bound(&self) -> bool {
        !matches!(self.comparator, Comparator::Equal | Comparator::Not)
    }

    /// Whether versions above it are meant.
    fn opens(&self) -> bool {
        matches!(self.comparator, Comparator::Greater | Comparator::GreaterOrEqual)
    }
}

impl fmt::Display for Vers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vers:{}/", self.scheme)?;
        let Some(constraints) = &self.constraints else { return f.write_str("*") };
        for (at, constraint) in constraints.iter().enumerate() {
            let sign = match constraint.comparator {
                Comparator::Equal => "",
                Comparator::Not => "!=",
                Comparator::Less => "<",
                Comparator::LessOrEqual => "<=",
                Comparator::Greater => ">",
                Comparator::GreaterOrEqual => ">=",
            };
            let mut version = String::new();
            crate::purl::encode(&constraint.version, &mut version);
            write!(f, "{}{sign}{version}", if at == 0 { "" } else { "|" })?;
        }
        Ok(())
    }
}
