//! Rows as lines of JSON: how they are kept, and how they come in by hand.
//!
//! ```json
//! {"id":7,"kind":"domain","value":"*.evil.example","direction":"destination","source":"notice",
//!  "received":"2026-04-01T00:00:00Z","score":80}
//! ```

use netname::Names;
use serde::{Deserialize, Serialize};

use crate::{
    Ceiling, Decision, Direction, Kind, Micros, Reject, Row, Scope, normalise, normalise::residue,
};

/// A line: beyond it no value is.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// A row as it stands in a line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    pub kind: String,
    pub value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    #[serde(default)]
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sighted: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionLine>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionLine {
    pub ceiling: String,
    pub until: String,
    #[serde(default)]
    pub reason: String,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Row(Box<Row>),
    /// The row is no more.
    Gone(u64),
}

/// Why a line is no row. The message names the field.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{field}: {value:?} is not one of {words}")]
    Word { field: &'static str, value: String, words: String },
    #[error("{field}: {value:?} is no time as in 2026-04-01T09:00:00Z")]
    Time { field: &'static str, value: String },
    #[error("score: {0} is not from 0 to 100")]
    Score(u8),
    #[error("value {value:?}: {reject}")]
    Value { value: String, reject: Reject },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gone {
    gone: u64,
}

/// Reads a line. What it leaves out is `id` and `now`.
pub fn read(line: &str, id: u64, now: Micros, names: &Names) -> Result<Said, LineError> {
    if line.len() > LINE_BYTES_MAX {
        return Err(LineError::TooLong);
    }
    if let Ok(Gone { gone }) = serde_json::from_str(line) {
        return Ok(Said::Gone(gone));
    }
    let line: Line = serde_json::from_str(line)?;
    row(line, id, now, names).map(|row| Said::Row(Box::new(row)))
}

/// The row that a line says.
pub fn row(line: Line, id: u64, now: Micros, names: &Names) -> Result<Row, LineError> {
    let all = |words: &mut dyn Iterator<Item = &'static str>| words.collect::<Vec<_>>().join(", ");
    let kind = word("kind", &line.kind, Kind::named, || {
        all(&mut Kind::ALL.iter().map(|kind| kind.as_str()))
    })?;
    let scope = line.scope.as_deref().map(|scope| {
        word("scope", scope, Scope::named, || all(&mut Scope::ALL.iter().map(|s| s.as_str())))
    });
    let key = match scope.transpose()? {
        None => normalise(kind, &line.value, names),
        Some(scope @ (Scope::Pattern | Scope::Substring | Scope::Regex)) => {
            residue(kind, scope, &line.value)
        }
        Some(scope) => normalise(kind, &line.value, names).and_then(|key| key.reaching(scope)),
    };
    let key = key.map_err(|reject| LineError::Value { value: short(&line.value), reject })?;
    let ceilings = || all(&mut Ceiling::ALL.iter().map(|ceiling| ceiling.as_str()));
    let received = time("received", line.received)?.unwrap_or(now);
    let mut row = Row::new(line.id.unwrap_or(id), key, &line.source, received);
    if let Some(direction) = line.direction {
        row.direction = word("direction", &direction, Direction::named, || {
            all(&mut Direction::ALL.iter().map(|direction| direction.as_str()))
        })?;
    }
    if let Some(ceiling) = line.ceiling {
        row.ceiling = word("ceiling", &ceiling, Ceiling::named, ceilings)?;
    }
    row.valid_from = time("valid_from", line.valid_from)?;
    row.valid_until = time("valid_until", line.valid_until)?;
    row.sighted = time("sighted", line.sighted)?;
    row.revoked = line.revoked;
    row.score = match line.score {
        Some(score) if score > 100 => return Err(LineError::Score(score)),
        score => score,
    };
    if let Some(decision) = line.decision {
        row.decision = Some(Decision {
            ceiling: word("decision.ceiling", &decision.ceiling, Ceiling::named, ceilings)?,
            until: at("decision.until", decision.until)?,
            reason: decision.reason,
        });
    }
    Ok(row)
}

fn word<T>(
    field: &'static str,
    value: &str,
    named: impl Fn(&str) -> Option<T>,
    words: impl Fn() -> String,
) -> Result<T, LineError> {
    named(value).ok_or_else(|| LineError::Word { field, value: short(value), words: words() })
}

fn time(field: &'static str, value: Option<String>) -> Result<Option<Micros>, LineError> {
    value.map(|value| at(field, value)).transpose()
}

fn at(field: &'static str, value: String) -> Result<Micros, LineError> {
    match value.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(time.as_microsecond()),
        Err(_) => Err(LineError::Time { field, value: short(&value) }),
    }
}

/// What is shown of a foreign value.
fn short(value: &str) -> String {
    value.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Result<Said, String> {
        read(line, 3, 9, &Names::shipped()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_says_a_row_or_that_one_is_gone() {
        let line = r#"{"kind":"url","value":"https://h.jp/a/b","scope":"prefix","direction":"destination",
            "source":"n","valid_until":"2026-04-01T00:00:00Z","score":80,"ceiling":"alert",
            "decision":{"ceiling":"nothing","until":"2026-05-01T00:00:00.5Z","reason":"x"}}"#;
        let Ok(Said::Row(row)) = said(line) else { panic!("a row") };
        assert_eq!((row.id, row.received, row.key.text()), (3, 9, "https://h.jp/a/b"));
        assert_eq!((row.direction, row.ceiling), (Direction::Destination, Ceiling::Alert));
        assert_eq!(row.valid_until, Some(1_775_001_600_000_000));
        assert_eq!(row.decision.unwrap().until, 1_777_593_600_500_000);
        assert_eq!(said(r#"{"gone":7}"#), Ok(Said::Gone(7)));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field() {
        for (line, want) in [
            (r#"{"kind":"ip","value":"x"}"#, "value \"x\": no IP address"),
            (r#"{"kind":"ipv4","value":"1.1.1.1"}"#, "kind: \"ipv4\" is not one of ip, cidr"),
            (
                r#"{"kind":"ip","value":"1.1.1.1","scope":"prefix"}"#,
                "a ip cannot have the scope prefix",
            ),
            (
                r#"{"kind":"ip","value":"1.1.1.1","received":"yesterday"}"#,
                "received: \"yesterday\" is no time",
            ),
            (r#"{"kind":"ip","value":"1.1.1.1","score":101}"#, "score: 101 is not from 0 to 100"),
            (r#"{"kind":"ip","value":"1.1.1.1","colour":1}"#, "unknown field `colour`"),
            (r#"{"kind":"ip""#, "EOF while parsing"),
        ] {
            let error = said(line).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }
}
