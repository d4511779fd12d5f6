//! What must hold between fields of a kind, as data: one judge for form, API, import, bulk edit and
//! demonstration, and one sentence for people.
//!
//! Invariants: a rule names only fields of its kind (`KindSpec::contradictions`); it is judged only
//! where the fields it compares are well formed themselves; nothing here reads a clock.

use serde_json::{Map, Value as Json};

use crate::{Field, FieldError, FieldType, KindSpec, Lang, Text, t};

/// Fields that stand under one heading of the form, in this order.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub title: Text,
    pub fields: &'static [&'static str],
}

impl Group {
    /// A heading and the fields under it.
    pub const fn new(title: Text, fields: &'static [&'static str]) -> Group {
        Group { title, fields }
    }
}

/// What must hold between fields.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// `end` is not before `start`, where both are given: dates with dates, times with times.
    NotBefore { start: &'static str, end: &'static str },
    /// `lower` is not above `upper`, where both are given: numbers and amounts.
    AtMost { lower: &'static str, upper: &'static str },
    /// `field` is needed when `when` has one of these values (`true` and `false` for a boolean), or,
    /// where none is named, any value.
    RequiredIf { field: &'static str, when: &'static str, is: &'static [&'static str] },
    /// At least one of these is given.
    OneOf { fields: &'static [&'static str] },
}

fn given<'o>(object: &'o Map<String, Json>, name: &str) -> Option<&'o Json> {
    let empty = |v: &Json| match v {
        Json::Null => true,
        Json::String(s) => s.trim().is_empty(),
        Json::Array(list) => list.is_empty(),
        _ => false,
    };
    object.get(name).filter(|v| !empty(v))
}

/// A value as a rule names it.
fn word(value: &Json) -> Option<&str> {
    match value {
        Json::Bool(true) => Some("true"),
        Json::Bool(false) => Some("false"),
        Json::String(text) => Some(text),
        _ => None,
    }
}

fn is_before(a: &Json, b: &Json) -> bool {
    let (Some(a), Some(b)) = (a.as_str(), b.as_str()) else { return false };
    let date = |s: &str| s.parse::<jiff::civil::Date>();
    if let (Ok(a), Ok(b)) = (date(a), date(b))
        && a != b
    {
        return a < b;
    }
    let time = |s: &str| s.parse::<jiff::Timestamp>();
    matches!((time(a), time(b)), (Ok(a), Ok(b)) if a < b)
}

impl Rule {
    /// Every field the rule speaks of.
    pub fn names(&self) -> Vec<&'static str> {
        match self {
            Rule::NotBefore { start, end } => vec![start, end],
            Rule::AtMost { lower, upper } => vec![lower, upper],
            Rule::RequiredIf { field, when, .. } => vec![field, when],
            Rule::OneOf { fields } => fields.to_vec(),
        }
    }

    /// Whether the object makes the field needed by this rule.
    pub fn needs(&self, name: &str, object: &Map<String, Json>) -> bool {
        let Rule::RequiredIf { field, when, is } = self else { return false };
        let value = given(object, when);
        *field == name
            && value.is_some_and(|v| is.is_empty() || word(v).is_some_and(|w| is.contains(&w)))
    }

    fn fault(&self, kind: &KindSpec, object: &Map<String, Json>) -> Option<FieldError> {
        let label = |name: &str| kind.field(name).map_or(t("–", "–"), |f| f.label);
        match self {
            Rule::NotBefore { start, end } => {
                let wrong = is_before(given(object, end)?, given(object, start)?);
                let (field, other) = ((*end).to_owned(), label(start));
                wrong.then_some(FieldError::Before { field, other })
            }
            Rule::AtMost { lower, upper } => {
                let (low, high) =
                    (given(object, lower)?.as_i64()?, given(object, upper)?.as_i64()?);
                let (field, other) = ((*lower).to_owned(), label(upper));
                (low > high).then_some(FieldError::Above { field, other })
            }
            Rule::RequiredIf { field, when, .. } => {
                let missing = self.needs(field, object) && given(object, field).is_none();
                let value = given(object, when).and_then(|v| value_label(kind.field(when)?, v));
                let (field, when) = ((*field).to_owned(), label(when));
                missing.then_some(FieldError::Needed { field, when, value })
            }
            Rule::OneOf { fields } => {
                let none = fields.iter().all(|name| given(object, name).is_none());
                let labels = fields.iter().map(|name| label(name)).collect();
                let field = fields.first().copied().unwrap_or_default().to_owned();
                none.then_some(FieldError::NoneOf { field, labels })
            }
        }
    }

    /// The rule as a sentence.
    pub fn text(&self, kind: &KindSpec, lang: Lang) -> String {
        let label = |name: &str| kind.field(name).map_or(name, |f| f.label.get(lang)).to_owned();
        let quoted = |name: &str| match lang {
            Lang::Ja => format!("「{}」", label(name)),
            Lang::En => format!("\u{201c}{}\u{201d}", label(name)),
        };
        match (self, lang) {
            (Rule::NotBefore { start, end }, Lang::Ja) => {
                format!("{}は{}以降にする。", quoted(end), quoted(start))
            }
            (Rule::NotBefore { start, end }, Lang::En) => {
                format!("{} is not before {}.", quoted(end), quoted(start))
            }
            (Rule::AtMost { lower, upper }, Lang::Ja) => {
                format!("{}は{}以下にする。", quoted(lower), quoted(upper))
            }
            (Rule::AtMost { lower, upper }, Lang::En) => {
                format!("{} is at most {}.", quoted(lower), quoted(upper))
            }
            (Rule::RequiredIf { field, when, is }, _) => {
                let values: Vec<String> =
                    is.iter().map(|v| choice(kind.field(when), v, lang)).collect();
                match (lang, values.is_empty()) {
                    (Lang::Ja, true) => {
                        format!("{}を入力したときは{}も必要。", quoted(when), quoted(field))
                    }
                    (Lang::Ja, false) => format!(
                        "{}が{}のときは{}が必要。",
                        quoted(when),
                        values.join("・"),
                        quoted(field)
                    ),
                    (Lang::En, true) => {
                        format!("{} is required with {}.", quoted(field), quoted(when))
                    }
                    (Lang::En, false) => format!(
                        "{} is required when {} is {}.",
                        quoted(field),
                        quoted(when),
                        values.join(" or ")
                    ),
                }
            }
            (Rule::OneOf { fields }, Lang::Ja) => {
                let all: Vec<String> = fields.iter().map(|f| quoted(f)).collect();
                format!("{}のどれかが必要。", all.join(""))
            }
            (Rule::OneOf { fields }, Lang::En) => {
                let all: Vec<String> = fields.iter().map(|f| quoted(f)).collect();
                format!("At least one of {} is required.", all.join(", "))
            }
        }
    }

    /// Faults of the declaration itself.
    pub(crate) fn contradiction(&self, kind: &KindSpec) -> Option<String> {
        let wrong = |what: String| Some(format!("kind {}: {self:?}: {what}", kind.id));
        if let Some(name) = self.names().into_iter().find(|name| kind.field(name).is_none()) {
            return wrong(format!("no field {name}"));
        }
        let ty = |name: &str| kind.field(name).map(|f| f.ty);
        match self {
            Rule::NotBefore { start, end } => {
                let same = matches!(
                    (ty(start), ty(end)),
                    (Some(FieldType::Date), Some(FieldType::Date))
                        | (Some(FieldType::Time), Some(FieldType::Time))
                );
                if same { None } else { wrong("compares two dates or two times".into()) }
            }
            Rule::AtMost { lower, upper } => {
                let number = |f: Option<FieldType>| {
                    matches!(f, Some(FieldType::Number { .. } | FieldType::Money))
                };
                let both = number(ty(lower)) && number(ty(upper));
                if both { None } else { wrong("compares two numbers".into()) }
            }
            Rule::RequiredIf { field, when, is } => {
                let known = |value: &&str| match ty(when) {
                    Some(FieldType::Enum(choices)) => choices.iter().any(|c| c.value == *value),
                    Some(FieldType::Boolean) => matches!(*value, "true" | "false"),
                    _ => false,
                };
                match is.iter().find(|value| !known(value)) {
                    Some(value) => wrong(format!("{when} is never {value}")),
                    None if kind.field(field).is_some_and(|f| f.required) => {
                        wrong(format!("{field} is required anyway"))
                    }
                    None => None,
                }
            }
            Rule::OneOf { fields } if fields.len() < 2 => wrong("names fewer than two".into()),
            Rule::OneOf { .. } => None,
        }
    }
}

/// How a value of a choice or boolean reads.
fn value_label(field: &Field, value: &Json) -> Option<Text> {
    const YES: Text = t("はい", "yes");
    const NO: Text = t("いいえ", "no");
    match (field.ty, value) {
        (FieldType::Enum(choices), Json::String(s)) => {
            choices.iter().find(|c| c.value == s).map(|c| c.label)
        }
        (FieldType::Boolean, Json::Bool(flag)) => Some(if *flag { YES } else { NO }),
        _ => None,
    }
}

fn choice(field: Option<&Field>, value: &str, lang: Lang) -> String {
    let json = match value {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        other => Json::from(other),
    };
    let label = field.and_then(|f| value_label(f, &json));
    label.map_or_else(|| value.to_owned(), |text| text.get(lang).to_owned())
}

/// Every rule that the object breaks, where the fields it speaks of are well formed.
pub(crate) fn faults(
    kind: &KindSpec,
    object: &Map<String, Json>,
    malformed: &[FieldError],
) -> Vec<FieldError> {
    let well = |rule: &&Rule| {
        rule.names().iter().all(|name| !malformed.iter().any(|error| error.field() == *name))
    };
    kind.rules.iter().filter(well).filter_map(|rule| rule.fault(kind, object)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Choice, Table};

    const STATES: FieldType = FieldType::Enum(&[
        Choice { value: "in_use", label: t("利用中", "In use") },
        Choice { value: "ended", label: t("利用終了", "Ended") },
    ]);

    const KIND: KindSpec = KindSpec {
        id: "sample",
        table: Table::Asset,
        title: t("見本", "Sample"),
        help: t("試験用", "for tests"),
        fields: &[
            Field::new("state", t("状態", "State"), STATES).required(),
            Field::new("start", t("開始日", "Start"), FieldType::Date),
            Field::new("end", t("終了日", "End"), FieldType::Date),
            Field::new("low", t("下限", "Low"), FieldType::Number { unit: "", min: 0, max: 99 }),
            Field::new("high", t("上限", "High"), FieldType::Number { unit: "", min: 0, max: 99 }),
            Field::new("url", t("場所", "Place"), FieldType::Text),
            Field::new("paper", t("保管棚", "Shelf"), FieldType::Text),
        ],
        rules: &[
            Rule::NotBefore { start: "start", end: "end" },
            Rule::AtMost { lower: "low", upper: "high" },
            Rule::RequiredIf { field: "end", when: "state", is: &["ended"] },
            Rule::OneOf { fields: &["url", "paper"] },
        ],
        ..KindSpec::BASE
    };

    fn wrong(value: Json) -> Vec<String> {
        let errors = KIND.validate(value.as_object().expect("object"));
        errors.iter().map(|e| e.to_string()).collect()
    }

    #[test]
    fn each_rule_is_judged_and_names_its_fields() {
        assert_eq!(
            wrong(json!({"state": "ended", "low": 9, "high": 3})),
            [
                "low: above High",
                "end: required when State is Ended",
                "url: one of Place, Shelf is required",
            ]
        );
        let early =
            json!({"state": "ended", "start": "2026-05-02", "end": "2026-05-01", "url": "x"});
        assert_eq!(wrong(early), ["end: before Start"]);
        let good = json!({"state": "in_use", "start": "2026-05-01", "end": "2026-05-01",
                          "low": 3, "high": 3, "paper": "x"});
        assert_eq!(wrong(good), Vec::<String>::new());
    }

    #[test]
    fn a_malformed_field_is_named_once_and_not_compared() {
        let value = json!({"state": "in_use", "start": "soon", "end": "2026-05-01", "url": "x"});
        assert_eq!(wrong(value).len(), 1);
    }

    #[test]
    fn a_rule_that_names_no_field_or_cannot_hold_is_a_contradiction() {
        assert_eq!(KIND.contradictions(), Vec::<String>::new());
        let rules: &[Rule] = &[
            Rule::NotBefore { start: "start", end: "nowhere" },
            Rule::NotBefore { start: "start", end: "low" },
            Rule::AtMost { lower: "low", upper: "url" },
            Rule::RequiredIf { field: "end", when: "state", is: &["gone"] },
            Rule::RequiredIf { field: "state", when: "url", is: &[] },
            Rule::OneOf { fields: &["url"] },
        ];
        for rule in rules {
            assert!(rule.contradiction(&KIND).is_some(), "{rule:?}");
        }
        const GROUPS: &[Group] =
            &[Group::new(t("甲", "A"), &["state", "gone"]), Group::new(t("乙", "B"), &["state"])];
        assert_eq!(KindSpec { groups: GROUPS, ..KIND }.contradictions().len(), 2);
    }

    #[test]
    fn a_rule_reads_as_a_sentence_in_both_languages() {
        let texts: Vec<String> = KIND.rules.iter().map(|r| r.text(&KIND, Lang::Ja)).collect();
        assert_eq!(texts[0], "「終了日」は「開始日」以降にする。");
        assert_eq!(texts[2], "「状態」が利用終了のときは「終了日」が必要。");
        let text = KIND.rules[3].text(&KIND, Lang::En);
        assert_eq!(text, "At least one of “Place”, “Shelf” is required.");
    }
}
