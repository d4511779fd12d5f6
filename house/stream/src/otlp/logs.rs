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
    /// Reads a line that [`read`] made; of one that was cut, what stands in it.
    pub fn of_line(line: &str) -> Option<Record> {
        let whole = serde_json::from_str(line).ok();
        let whole =
            whole.or_else(|| closed(line).iter().find_map(|l| serde_json::from_str(l).ok()));
        let Some(Value::Object(mut object)) = whole else { return None };
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
        let line = record.map(|mut record| {
            // The longest comes last: of a line in pieces the first then has everything else.
            if let Some(object) = record.as_object_mut()
                && let Some(body) = object.shift_remove("body")
            {
                object.insert("body".to_owned(), body);
            }
            let (resource, scope) = (&origin.resource, &origin.scope);
            format!(r#"{{"resource":{resource},"scope":{scope},"logRecord":{record}}}"#).into()
        });
        batch.take(line)
    })?;
    Ok(batch)
}

/// Levels that are closed; deeper ones are none of a record's.
const LEVELS_MAX: usize = 128;

/// What a JSON text may have been that was cut off: with its last text closed, or without its last member.
fn closed(cut: &str) -> Vec<String> {
    let (mut open, mut comma): (Vec<char>, Option<(usize, Vec<char>)>) = Default::default();
    let (mut in_text, mut is_escaped, mut escape) = (false, false, cut.len());
    for (at, c) in cut.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_text => (is_escaped, escape) = (true, at),
            '"' => in_text = !in_text,
            _ if in_text => {}
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => drop(open.pop()),
            ',' if open.len() <= LEVELS_MAX => comma = Some((at, open.clone())),
            _ => {}
        }
    }
    let close = |text: &str, end: &str, open: &[char]| {
        let open: String = open.iter().rev().collect();
        format!("{text}{end}{open}")
    };
    // The last escape may be half.
    let texts = [cut, &cut[..escape]].into_iter().filter(|_| in_text);
    let texts = texts.map(|text| close(text, "\"", &open));
    let member = comma.map(|(at, open)| close(&cut[..at], "", &open));
    texts.chain(member).collect()
}
