//! Log records: each a line that holds it whole, and the line read again. Pure.

use serde_json::Value;

use super::{
    Batch, Coding, Fault, schema,
    walk::{Levels, walk},
};

const LEVELS: Levels =
    Levels { groups: "resourceLogs", scopes: "scopeLogs", records: "logRecords" };

/// A record as its line holds it.
#[derive(Debug)]
pub struct Record {
    pub resource: Value,
    pub scope: Value,
    pub record: Value,
}

impl Record {
    /// Reads a line that [`read`] made.
    pub fn of_line(line: &str) -> Option<Record> {
        let Ok(Value::Object(mut object)) = serde_json::from_str(line) else { return None };
        let record = object.remove("logRecord")?;
        let mut take = |name: &str| object.remove(name).unwrap_or_default();
        Some(Record { resource: take("resource"), scope: take("scope"), record })
    }
}

/// The lines of a request: `{"resource":…,"scope":…,"logRecord":…}`, each as OTLP/JSON.
pub fn read(coding: Coding, request: &[u8]) -> Result<Batch, Fault> {
    let mut batch = Batch::default();
    walk(coding, request, &LEVELS, |origin, raw| {
        let record = raw.read(&schema::LOG_RECORD);
        let line = record.map(|record| {
            let (resource, scope) = (&origin.resource, &origin.scope);
            format!(r#"{{"resource":{resource},"scope":{scope},"logRecord":{record}}}"#).into()
        });
        batch.take(line)
    })?;
    Ok(batch)
}
