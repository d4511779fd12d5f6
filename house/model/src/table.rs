//! Fields that hold a small table: a list of objects with declared columns.

use serde_json::{Map, Value as Json, json};

use crate::Field;

/// Most rows of one field.
pub const TABLE_ROWS_MAX: usize = 500;

/// Makes rows of what stood there before the columns were declared: an object's members, a list's
/// items. What fits a column goes there, the rest, as text, into the column named.
pub fn rows_from(value: &Json, columns: &[Field], into: &str) -> Json {
    let items: Vec<Json> = match value {
        Json::Array(items) => items.clone(),
        Json::Object(members) => {
            members.iter().map(|(name, v)| format!("{name}: {}", words(v)).into()).collect()
        }
        Json::Null => Vec::new(),
        other => vec![words(other).into()],
    };
    items.iter().map(|item| row_from(item, columns, into)).collect()
}

fn row_from(item: &Json, columns: &[Field], into: &str) -> Json {
    let Json::Object(members) = item else { return json!({ into: words(item) }) };
    let (mut row, mut rest) = (Map::new(), Vec::new());
    for (name, value) in members {
        let fits = columns.iter().any(|c| c.name == name && c.check(value).is_ok());
        match fits {
            true => drop(row.insert(name.clone(), value.clone())),
            false => rest.push(format!("{name}: {}", words(value))),
        }
    }
    if !rest.is_empty() {
        let before = row.get(into).and_then(Json::as_str).map(str::to_owned);
        let text = before.into_iter().chain(rest).collect::<Vec<_>>().join(", ");
        row.insert(into.to_owned(), text.into());
    }
    Json::Object(row)
}

fn words(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FieldType, KindSpec, t};

    const COLUMNS: &[Field] = &[
        Field::new("what", t("内容", "What"), FieldType::Text).required(),
        Field::new("takes", t("所要", "Takes"), FieldType::Duration),
    ];

    const KIND: KindSpec = KindSpec {
        id: "sample",
        fields: &[Field::new("steps", t("手順", "Steps"), FieldType::Table(COLUMNS))],
        ..KindSpec::BASE
    };

    fn wrong(steps: Json) -> Vec<String> {
        let object = json!({ "steps": steps });
        KIND.validate(object.as_object().expect("object")).iter().map(|e| e.to_string()).collect()
    }

    #[test]
    fn each_row_is_held_against_the_columns_and_the_fault_names_both() {
        assert_eq!(wrong(json!([{"what": "stop"}, {"what": "go", "takes": "PT1H"}])), [""; 0]);
        let bad = json!([{"what": "stop"}, {"takes": "PT1H"}, {"what": "x", "takes": "soon"}]);
        let found = wrong(bad);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("steps: row 2, What: "), "{found:?}");
        assert!(found[1].starts_with("steps: row 3, Takes: "), "{found:?}");
        assert_eq!(wrong(json!("x")).len(), 1);
        assert_eq!(wrong(json!([{"what": "x", "colour": "red"}])).len(), 1);
        let many: Vec<Json> = (0..=TABLE_ROWS_MAX).map(|_| json!({"what": "x"})).collect();
        assert_eq!(wrong(json!(many)).len(), 1);
    }

    #[test]
    fn what_had_no_columns_becomes_rows_and_nothing_is_lost() {
        let rows = |value: Json| rows_from(&value, COLUMNS, "what");
        assert_eq!(rows(json!(["a", "b"])), json!([{"what": "a"}, {"what": "b"}]));
        assert_eq!(rows(json!({"1": "stop"})), json!([{"what": "1: stop"}]));
        let mixed = json!([{"what": "a", "takes": "PT1H", "who": "x"}, {"takes": 5}]);
        assert_eq!(
            rows(mixed),
            json!([{"what": "a, who: x", "takes": "PT1H"}, {"what": "takes: 5"}])
        );
    }
}
