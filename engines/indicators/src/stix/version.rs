//! Which of two versions of an object stands.

use std::cmp::Ordering;

use serde_json::Value;

use super::time;

/// How a version that comes in stands to the one that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is newer: it stands from now on.
    Newer,
    /// It is the same version with the same content.
    Same,
    /// It is an older version that came late: kept, and the known one stands.
    Older,
    /// It claims the same moment with other content: the known one stands.
    Conflict,
    /// What was revoked has no later versions.
    AfterRevocation,
    /// Another object, or another producer's: only who created an object makes versions of it.
    Foreign,
}

/// Compares by `modified`; of an observable, which has no versions, by content.
pub fn supersedes(known: &Value, incoming: &Value) -> Standing {
    let text =
        |object: &Value, key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    if text(known, "id") != text(incoming, "id") {
        return Standing::Foreign;
    }
    let same = known == incoming;
    let (before, after) = (moment(known), moment(incoming));
    let (Some(before), Some(after)) = (before, after) else {
        return match (same, before, after) {
            (true, ..) => Standing::Same,
            (_, Some(_), None) => Standing::Older,
            (_, None, Some(_)) => Standing::Newer,
            _ => Standing::Conflict,
        };
    };
    match after.cmp(&before) {
        Ordering::Equal if same => Standing::Same,
        Ordering::Equal => Standing::Conflict,
        Ordering::Less => Standing::Older,
        Ordering::Greater if text(known, "created_by_ref") != text(incoming, "created_by_ref") => {
            Standing::Foreign
        }
        Ordering::Greater if known.get("revoked") == Some(&Value::Bool(true)) => {
            Standing::AfterRevocation
        }
        Ordering::Greater => Standing::Newer,
    }
}

fn moment(object: &Value) -> Option<i64> {
    let text = object.get("modified").or_else(|| object.get("created"))?;
    time::parse(text.as_str()?)
}
