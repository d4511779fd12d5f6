//! What became of objects that were posted.

use serde_json::{Value, json};

use crate::stix::time;

/// A status resource, which only its poster sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub id: String,
    pub poster: String,
    /// Microseconds since 1970.
    pub at: i64,
    pub outcomes: Vec<Outcome>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub id: String,
    pub version: String,
    /// Why it failed; none: it is stored.
    pub failure: Option<String>,
}

impl Status {
    pub(crate) fn json(&self) -> Value {
        let (failures, successes): (Vec<_>, Vec<_>) =
            self.outcomes.iter().partition(|outcome| outcome.failure.is_some());
        let details =
            |outcomes: &[&Outcome]| -> Vec<Value> { outcomes.iter().map(|o| detail(o)).collect() };
        let mut json = json!({
            "id": self.id, "status": "complete", "request_timestamp": time::print_micros(self.at),
            "total_count": self.outcomes.len(), "success_count": successes.len(),
            "failure_count": failures.len(), "pending_count": 0,
        });
        for (key, outcomes) in [("successes", &successes), ("failures", &failures)] {
            if !outcomes.is_empty() {
                json[key] = details(outcomes).into();
            }
        }
        json
    }
}

fn detail(outcome: &Outcome) -> Value {
    let mut json = json!({ "id": outcome.id, "version": outcome.version });
    if let Some(message) = &outcome.failure {
        json["message"] = message.as_str().into();
    }
    json
}
