//! Canonical JSON (RFC 8785) for ledger leaves: members sorted by UTF-16 code units, no white
//! space, and neither floats nor NUL, so that both databases and every verifier hold equal bytes.

use serde_json::Value as Json;

const DEPTH_MAX: usize = 64;

/// Why a value has no canonical form.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    #[error("floats are not allowed in a leaf (at {0})")]
    Float(String),
    #[error("NUL is not allowed in a text (at {0})")]
    Nul(String),
    #[error("nested deeper than {DEPTH_MAX}")]
    Deep,
}

/// Writes `value` in canonical form.
pub fn to_string(value: &Json) -> Result<String, CanonicalError> {
    let mut out = String::new();
    write(value, &mut out, &mut String::new(), 0)?;
    Ok(out)
}

fn write(
    value: &Json,
    out: &mut String,
    path: &mut String,
    depth: usize,
) -> Result<(), CanonicalError> {
    if depth > DEPTH_MAX {
        return Err(CanonicalError::Deep);
    }
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Json::Number(n) if n.is_f64() => return Err(CanonicalError::Float(path.clone())),
        Json::Number(n) => out.push_str(&n.to_string()),
        Json::String(text) => write_text(text, out, path)?,
        Json::Array(list) => {
            out.push('[');
            for (i, item) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                within(path, &i.to_string(), |path| write(item, out, path, depth + 1))?;
            }
            out.push(']');
        }
        Json::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push('{');
            for (i, (name, item)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(name, out, path)?;
                out.push(':');
                within(path, name, |path| write(item, out, path, depth + 1))?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn within<T>(path: &mut String, step: &str, body: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push('/');
    path.push_str(step);
    let result = body(path);
    path.truncate(length);
    result
}

fn write_text(text: &str, out: &mut String, path: &str) -> Result<(), CanonicalError> {
    if text.contains('\0') {
        return Err(CanonicalError::Nul(path.to_owned()));
    }
    // serde_json escapes exactly what RFC 8785 section 3.2.2.2 asks: ", \ and control characters,
    // the latter in lower-case hexadecimal or as \b \t \n \f \r.
    out.push_str(&Json::String(text.to_owned()).to_string());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_sort_by_utf16_code_units() {
        // RFC 8785 section 3.2.3: U+1F600 (surrogate D83D) sorts before U+FB33.
        let value = json!({"\u{fb33}": 1, "\u{1f600}": 2, "a": 3, "1": 4});
        assert_eq!(to_string(&value).unwrap(), "{\"1\":4,\"a\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    #[test]
    fn floats_and_nul_are_refused_with_their_place() {
        let float = to_string(&json!({"a": [1, 1.5]}));
        assert_eq!(float, Err(CanonicalError::Float("/a/1".into())));
        assert_eq!(to_string(&json!({"b": "x\0"})), Err(CanonicalError::Nul("/b".into())));
    }

    #[test]
    fn order_of_insertion_does_not_matter() {
        let one = to_string(&json!({"b": 1, "a": {"d": 1, "c": 2}})).unwrap();
        let two = to_string(&json!({"a": {"c": 2, "d": 1}, "b": 1})).unwrap();
        assert_eq!(one, two);
    }
}
