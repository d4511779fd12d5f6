//! Criteria and their checks: declarative data, evaluated by the hall (`isms`).
//!
//! A check has one of two shapes. [`PerSubject`] judges one subject at a time (so misses have
//! names); [`Aggregate`] computes one number over the records of a window. What a check reads can
//! be listed without running it ([`Check::reads`]); a test holds that list against the owners'
//! schemas.

use crate::{Level, Origin, Text};

/// One criterion of a control's level table.
#[derive(Clone, Copy, Debug)]
pub struct Criterion {
    /// `<control>/<rung>-<n>`, for example `8.16/ume-1`.
    pub id: &'static str,
    pub level: Level,
    pub origin: Origin,
    pub text: Text,
    pub check: Check,
    /// What a person may hand in instead (梅 only): the "or" of the level table. Records of type
    /// `isms.attested` or `isms.imported` that name the criterion then count within `fresh_hours`.
    pub by_hand: Option<Text>,
    /// Whether something in this build produces the evidence yet.
    pub producer: Producer,
    /// Typical effort to close one miss, in minutes; corrected by measurement later.
    pub minutes_per_miss: u32,
}

/// Says whether the machine evidence of a criterion has a producer in this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producer {
    /// The named job or intake writes the records.
    Exists(&'static str),
    /// No engine yet: the verdict stays unknown with "not collected yet" unless records arrive.
    NotYet,
}

/// The two shapes of a check.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    PerSubject(PerSubject),
    Aggregate(Aggregate),
}

/// Judges every subject on its own; passes if enough subjects pass.
#[derive(Clone, Copy, Debug)]
pub struct PerSubject {
    /// The denominator. Empty is unknown, never pass.
    pub of: Subjects,
    pub must: Predicate,
    /// Share of subjects that must pass, in permille (950 = 95 %).
    pub at_least_permille: u16,
    /// Age in hours after which a record no longer counts.
    pub fresh_hours: u32,
}

/// One number over the records of a window, held against a bound.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate {
    /// Record types counted.
    pub types: &'static [&'static str],
    /// Only records whose facts meet all of these.
    pub only: &'static [Cond],
    /// Width of the window that ends now, in hours; older records are stale.
    pub within_hours: u32,
    pub measure: Measure,
    pub bound: Bound,
}

/// What an [`Aggregate`] computes.
#[derive(Clone, Copy, Debug)]
pub enum Measure {
    /// Number of records.
    Count,
    /// Records that meet the conditions, in permille of all counted.
    Share(&'static [Cond]),
    /// Sum of one integer field in permille of the sum of another.
    SumShare { part: &'static str, whole: &'static str },
    /// Sum of an integer field.
    Sum(&'static str),
    /// Largest value of an integer field.
    Max(&'static str),
    /// Percentile (0–100, nearest rank) of an integer field.
    Percentile(u8, &'static str),
    /// Number of distinct values of a field.
    Distinct(&'static str),
}

/// Bound of an [`Aggregate`], inclusive.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    AtLeast(i64),
    AtMost(i64),
}

/// The denominator of a [`PerSubject`] check.
#[derive(Clone, Copy, Debug)]
pub enum Subjects {
    /// Assets in scope of one of these kinds, whose attributes meet the conditions.
    Assets { kinds: &'static [&'static str], only: &'static [Cond] },
    /// Parties of one of these kinds (`person`, `team`, `role`, `supplier`).
    Parties { kinds: &'static [&'static str], only: &'static [Cond] },
    /// Live rules of one of these kinds.
    Rules { kinds: &'static [&'static str], only: &'static [Cond] },
    /// Norm rows whose id starts with the prefix.
    Norms { prefix: &'static str },
    /// Plans of one of these kinds.
    Plans { kinds: &'static [&'static str], only: &'static [Cond] },
    /// Each record of these types observed within the hours is a subject of its own.
    Records { types: &'static [&'static str], only: &'static [Cond], within_hours: u32 },
    /// A fixed list of named parts of the whole organisation; a record belongs to part `p` if its
    /// fact `field` equals `p`.
    Parts { field: &'static str, parts: &'static [&'static str] },
    /// Every asset of the kinds times every part.
    AssetParts {
        kinds: &'static [&'static str],
        only: &'static [Cond],
        field: &'static str,
        parts: &'static [&'static str],
    },
}

/// What must hold for one subject.
#[derive(Clone, Copy, Debug)]
pub enum Predicate {
    /// The newest record of one of these types about the subject (that meets `only`) is fresh and
    /// meets `must`. No record: unknown. Too old: stale. `must` unmet: fail.
    Record { types: &'static [&'static str], only: &'static [Cond], must: &'static [Cond] },
    /// The subject's own attributes (for a record subject: its facts) meet all conditions, else fail.
    Attributes(&'static [Cond]),
    /// A currently valid link of this kind leaves from or arrives at the subject, else fail.
    Link { kind: &'static str },
    /// An unexpired decision of this kind with outcome `approved` binds the subject's *current*
    /// hash. None: unknown. Expired or the subject was edited since: stale. Other outcome: fail.
    Decision { kind: &'static str },
    /// A task about the subject exists and is closed by its record, or open and not overdue.
    Task,
    /// All must hold; the worst member decides (fail, stale, unknown, pass).
    All(&'static [Predicate]),
    /// One must hold; the best member decides.
    Any(&'static [Predicate]),
}

/// A condition on one field of facts or attributes.
#[derive(Clone, Copy, Debug)]
pub struct Cond {
    /// Field name; nested members with `/` between.
    pub field: &'static str,
    pub op: Op,
}

/// Comparison of a [`Cond`]. A missing field meets only [`Op::Absent`].
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Present,
    Absent,
    Eq(Value),
    Ne(Value),
    AtLeast(i64),
    AtMost(i64),
    OneOf(&'static [&'static str]),
    /// The field's list or text is not empty.
    NotEmpty,
    /// Two fields of the same object differ (four eyes: approver and requester).
    DiffersFrom(&'static str),
    /// The integer field is at most the integer in the other field.
    AtMostField(&'static str),
}

/// Constant a [`Cond`] compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Text(&'static str),
    Int(i64),
    Bool(bool),
}

/// What a rung of the ladder demands.
#[derive(Clone, Copy, Debug)]
pub enum Expr {
    One(&'static str),
    All(&'static [Expr]),
    Any(&'static [Expr]),
}

impl Check {
    /// Record types the check reads, for the incremental evaluation and the schema test.
    pub fn reads(&self) -> Vec<&'static str> {
        let mut types = Vec::new();
        match self {
            Check::Aggregate(a) => types.extend_from_slice(a.types),
            Check::PerSubject(p) => {
                if let Subjects::Records { types: of, .. } = p.of {
                    types.extend_from_slice(of);
                }
                p.must.reads_into(&mut types);
            }
        }
        types.sort_unstable();
        types.dedup();
        types
    }

    /// How long a record counts, in hours.
    pub fn fresh_hours(&self) -> u32 {
        match self {
            Check::PerSubject(p) => p.fresh_hours,
            Check::Aggregate(a) => a.within_hours,
        }
    }

    /// Every `(record type, field)` the check looks at.
    pub fn fields(&self) -> Vec<(&'static str, &'static str)> {
        let mut out = Vec::new();
        match self {
            Check::Aggregate(a) => {
                let mut fields: Vec<&'static str> = a.only.iter().flat_map(Cond::fields).collect();
                match a.measure {
                    Measure::Count => {}
                    Measure::Share(conds) => fields.extend(conds.iter().flat_map(Cond::fields)),
                    Measure::SumShare { part, whole } => fields.extend([part, whole]),
                    Measure::Sum(f)
                    | Measure::Max(f)
                    | Measure::Percentile(_, f)
                    | Measure::Distinct(f) => fields.push(f),
                }
                for ty in a.types {
                    out.extend(fields.iter().map(|f| (*ty, *f)));
                }
            }
            Check::PerSubject(p) => {
                let mut part_field = None;
                match p.of {
                    Subjects::Records { types, only, .. } => {
                        for ty in types {
                            out.extend(only.iter().flat_map(Cond::fields).map(|f| (*ty, f)));
                            if let Predicate::Attributes(conds) = p.must {
                                out.extend(conds.iter().flat_map(Cond::fields).map(|f| (*ty, f)));
                            }
                        }
                    }
                    Subjects::Parts { field, .. } | Subjects::AssetParts { field, .. } => {
                        part_field = Some(field);
                    }
                    _ => {}
                }
                p.must.fields_into(part_field, &mut out);
            }
        }
        out
    }
}

impl Cond {
    /// Fields the condition looks at.
    pub fn fields(&self) -> Vec<&'static str> {
        match self.op {
            Op::DiffersFrom(other) | Op::AtMostField(other) => vec![self.field, other],
            _ => vec![self.field],
        }
    }

    /// Whether `object` meets the condition.
    pub fn holds(&self, object: &serde_json::Value) -> bool {
        let value = lookup(object, self.field);
        let missing = value.is_none_or(serde_json::Value::is_null);
        match self.op {
            Op::Absent => missing,
            _ if missing => false,
            Op::Present => true,
            Op::Eq(want) => value.is_some_and(|v| want.equals(v)),
            Op::Ne(want) => value.is_some_and(|v| !want.equals(v)),
            Op::AtLeast(min) => value.and_then(serde_json::Value::as_i64).is_some_and(|v| v >= min),
            Op::AtMost(max) => value.and_then(serde_json::Value::as_i64).is_some_and(|v| v <= max),
            Op::OneOf(set) => value.and_then(|v| v.as_str()).is_some_and(|v| set.contains(&v)),
            Op::NotEmpty => match value {
                Some(serde_json::Value::Array(list)) => !list.is_empty(),
                Some(serde_json::Value::Object(map)) => !map.is_empty(),
                Some(serde_json::Value::String(text)) => !text.trim().is_empty(),
                other => other.is_some(),
            },
            Op::DiffersFrom(other) => {
                lookup(object, other).is_some_and(|o| !o.is_null() && Some(o) != value)
            }
            Op::AtMostField(other) => {
                let limit = lookup(object, other).and_then(serde_json::Value::as_i64);
                let value = value.and_then(serde_json::Value::as_i64);
                matches!((value, limit), (Some(v), Some(l)) if v <= l)
            }
        }
    }
}

impl Value {
    fn equals(self, json: &serde_json::Value) -> bool {
        match self {
            Value::Text(text) => json.as_str() == Some(text),
            Value::Int(int) => json.as_i64() == Some(int),
            Value::Bool(flag) => json.as_bool() == Some(flag),
        }
    }
}

/// Looks a `/`-separated field up in nested objects.
pub fn lookup<'a>(object: &'a serde_json::Value, path: &str) -> Option<&'a serde_json::Value> {
    path.split('/').try_fold(object, |at, key| at.get(key))
}

impl Predicate {
    fn reads_into(&self, out: &mut Vec<&'static str>) {
        match self {
            Predicate::Record { types, .. } => out.extend_from_slice(types),
            Predicate::All(list) | Predicate::Any(list) => {
                list.iter().for_each(|p| p.reads_into(out));
            }
            _ => {}
        }
    }

    fn fields_into(&self, part: Option<&'static str>, out: &mut Vec<(&'static str, &'static str)>) {
        match self {
            Predicate::Record { types, only, must } => {
                for ty in *types {
                    let conds = only.iter().chain(must.iter()).flat_map(Cond::fields);
                    out.extend(conds.chain(part).map(|f| (*ty, f)));
                }
            }
            Predicate::All(list) | Predicate::Any(list) => {
                list.iter().for_each(|p| p.fields_into(part, out));
            }
            _ => {}
        }
    }
}

impl Expr {
    /// Whether the expression holds when `passes` tells which criteria pass.
    pub fn holds(&self, passes: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Expr::One(id) => passes(id),
            Expr::All(list) => list.iter().all(|e| e.holds(passes)),
            Expr::Any(list) => list.iter().any(|e| e.holds(passes)),
        }
    }

    /// Ids the expression names, in order.
    pub fn ids(&self) -> Vec<&'static str> {
        match self {
            Expr::One(id) => vec![id],
            Expr::All(list) | Expr::Any(list) => list.iter().flat_map(Expr::ids).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missing_field_meets_only_absent() {
        let object = json!({"a": null});
        let ops = [
            Op::Present,
            Op::Eq(Value::Int(0)),
            Op::Ne(Value::Int(1)),
            Op::AtMost(9),
            Op::NotEmpty,
        ];
        for op in ops {
            assert!(!Cond { field: "a", op }.holds(&object));
            assert!(!Cond { field: "b", op }.holds(&object));
        }
        assert!(Cond { field: "b", op: Op::Absent }.holds(&object));
    }

    #[test]
    fn four_eyes_needs_two_present_and_different_names() {
        let four = Cond { field: "approver", op: Op::DiffersFrom("requester") };
        assert!(four.holds(&json!({"approver": "a", "requester": "b"})));
        assert!(!four.holds(&json!({"approver": "a", "requester": "a"})));
        assert!(!four.holds(&json!({"approver": "a"})));
    }

    #[test]
    fn nested_fields_are_found_by_slashes() {
        let cond = Cond { field: "lost/udp", op: Op::AtMost(3) };
        assert!(cond.holds(&json!({"lost": {"udp": 3}})));
        assert!(!cond.holds(&json!({"lost": {"udp": 4}})));
    }
}
