//! The schema of a kind: one source for form, list columns, import mapping, API and help text.

use serde_json::{Map, Value as Json};

use crate::{Group, Lang, Rule, Text, rule, t};

/// One of the eleven subject tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    Party,
    Asset,
    Link,
    Norm,
    Rule,
    Check,
    Record,
    Risk,
    Decision,
    Plan,
    Task,
}

impl Table {
    /// All eleven.
    pub const ALL: [Table; 11] = [
        Table::Party,
        Table::Asset,
        Table::Link,
        Table::Norm,
        Table::Rule,
        Table::Check,
        Table::Record,
        Table::Risk,
        Table::Decision,
        Table::Plan,
        Table::Task,
    ];

    /// SQL and API name.
    pub fn name(self) -> &'static str {
        match self {
            Table::Party => "party",
            Table::Asset => "asset",
            Table::Link => "link",
            Table::Norm => "norm",
            Table::Rule => "rule",
            Table::Check => "check",
            Table::Record => "record",
            Table::Risk => "risk",
            Table::Decision => "decision",
            Table::Plan => "plan",
            Table::Task => "task",
        }
    }

    /// Parses [`Table::name`].
    pub fn parse(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// A kind of asset, rule, norm, plan or decision.
#[derive(Clone, Copy, Debug)]
pub struct KindSpec {
    /// snake_case, unique over all rooms.
    pub id: &'static str,
    pub table: Table,
    pub title: Text,
    pub help: Text,
    /// What people call a sheet that holds such rows, beside the title: imports know it by these.
    pub known_as: &'static [&'static str],
    pub fields: &'static [Field],
    /// Headings of the form; what no group names comes first.
    pub groups: &'static [Group],
    /// What must hold between fields.
    pub rules: &'static [Rule],
    /// What closes single rows to readers whom their role would let in.
    pub guard: Option<&'static Guard>,
    /// Version of the field list.
    pub version: u32,
    /// One step for each version after the first: makes attributes of the version before what this
    /// one wants. They stay as written in the table; whoever reads them sees the newest.
    pub upcasts: &'static [Upcast],
}

/// A field whose value closes the row, and all that is about it, to some readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// An enum field.
    pub field: &'static str,
    /// Its values from the most open to the strictest. A change to a more open one, or to none, is written only
    /// with a signed decision about the row as it is ([`Guard::loosened_by`]).
    pub order: &'static [&'static str],
    /// Kind of that decision; its `from` and `to` hold both values.
    pub loosened_by: &'static str,
    /// Values that close, and to whom; any other leaves the row open.
    pub closes: &'static [(&'static str, Closed)],
    /// A list of log-in names: with the owner of the row, those whom [`Closed::Named`] lets in.
    pub named: &'static str,
}

/// Whom a row is closed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// All who are not of the organisation.
    Outside,
    /// All who are not named. While nobody is, those who write the whole table see it, so that somebody can name.
    Unnamed,
}

/// Attributes of a row.
pub type Attributes = Map<String, Json>;

/// One step from a version of a kind to the next.
pub type Upcast = fn(&mut Attributes);

/// One attribute of a kind, or one fact of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// snake_case, unique in its kind.
    pub name: &'static str,
    pub label: Text,
    pub ty: FieldType,
    pub required: bool,
    /// Masked by role, shreddable; never allowed among the facts of a record.
    pub personal: bool,
    /// Column headers under which imports find the field, Japanese ones among them.
    pub aliases: &'static [&'static str],
}

/// Type of a field. Numbers are integers in the named unit: leaves of the ledger hold no floats.
#[derive(Clone, Copy, Debug)]
pub enum FieldType {
    Text,
    Multiline,
    /// `{"ja": …, "en": …}`
    TextPair,
    /// Integer in the unit named (`%`, `GiB`, `min`, `‰`; empty for a plain count).
    Number {
        unit: &'static str,
        min: i64,
        max: i64,
    },
    /// Whole yen or the minor unit named in `currency`.
    Money,
    /// `2026-11-25`
    Date,
    /// RFC 3339 with zone.
    Time,
    /// ISO 8601 calendar period such as `P7Y`.
    Period,
    /// Name of a time zone in the IANA database: `Asia/Tokyo`.
    Zone,
    Enum(&'static [Choice]),
    Boolean,
    /// Id of an asset of this kind.
    Reference(&'static str),
    /// Id of a party.
    Party,
    /// SHA-256 of a blob, 64 hexadecimal digits.
    File,
    /// SHA-256, 64 hexadecimal digits.
    Hash,
    /// List of texts.
    List,
    /// Length of time, ISO 8601: `PT4H30M`.
    Duration,
    /// List of objects with these columns.
    Table(&'static [Field]),
    /// Object or list without further schema (for maps such as `refused {reason: count}`).
    Object,
}

/// One value of an enum field.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub value: &'static str,
    pub label: Text,
}

/// A record type: what its facts hold.
#[derive(Clone, Copy, Debug)]
pub struct RecordSpec {
    /// `<room>.<snake_case>`
    pub ty: &'static str,
    /// On whose word a record of this type may be written.
    pub writer: Writer,
    pub title: Text,
    pub fields: &'static [Field],
}

/// On whose word a record may be written. What Ume concludes or observes itself is worth nothing once
/// another can say it, so whatever comes from outside is held against this, in one place
/// (`store::Write::record_by`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    /// Whoever may write records: other programs, documents, people.
    Anyone,
    /// Ume and the agents enrolled with it.
    Agents,
    /// Ume alone: what it concludes from its own registers, and acts that it observes itself.
    Ume,
}

impl Writer {
    /// Whether this writer may write what is declared for `declared`.
    pub fn may_write(self, declared: Writer) -> bool {
        self >= declared
    }
}

/// What is wrong with one field of a submitted object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    #[error("{0}: required")]
    Missing(String),
    #[error("{0}: no such field")]
    Unknown(String),
    #[error("{field}: expected {expected}")]
    Type { field: String, expected: &'static str },
    #[error("{field}: must be between {min} and {max}")]
    Range { field: String, min: i64, max: i64 },
    #[error("{field}: must be one of {allowed}")]
    Choice { field: String, allowed: String },
    #[error("{0}: no such file, upload it first")]
    NoFile(String),
    #[error("{field}: row {row}, {}: {fault}", column.en)]
    Cell { field: String, row: usize, column: Text, fault: Box<FieldError> },
    #[error("{field}: more than {max} rows")]
    Rows { field: String, max: usize },
    #[error("{field}: before {}", other.en)]
    Before { field: String, other: Text },
    #[error("{field}: above {}", other.en)]
    Above { field: String, other: Text },
    #[error("{field}: required when {} is {}", when.en, value.map_or("given", |v| v.en))]
    Needed { field: String, when: Text, value: Option<Text> },
    #[error("{field}: one of {} is required", listed(labels, Lang::En))]
    NoneOf { field: String, labels: Vec<Text> },
    #[error("{field}: longer than {max} characters")]
    Long { field: String, max: usize },
}

impl FieldError {
    /// Name of the field at fault.
    pub fn field(&self) -> &str {
        match self {
            FieldError::Missing(field) | FieldError::Unknown(field) | FieldError::NoFile(field) => {
                field
            }
            FieldError::Type { field, .. }
            | FieldError::Range { field, .. }
            | FieldError::Choice { field, .. }
            | FieldError::Cell { field, .. }
            | FieldError::Rows { field, .. }
            | FieldError::Before { field, .. }
            | FieldError::Above { field, .. }
            | FieldError::Needed { field, .. }
            | FieldError::NoneOf { field, .. }
            | FieldError::Long { field, .. } => field,
        }
    }
}

/// A form with more fields than these has headings.
const FIELDS_UNGROUPED_MAX: usize = 8;

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

const TEXT_CHARS_MAX: usize = 4_000;
const MULTILINE_CHARS_MAX: usize = 100_000;

/// How a field ties its row to someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// Holds the id of a party: a person, a team.
    Party,
    /// Names a department in words.
    Department,
    /// Holds the id of a place: a site, or a zone that lies in one.
    Place,
    /// Closes the row by its value.
    Closes(&'static Guard),
    /// Names those whom a closed row is open to.
    Names,
}

/// Kinds of asset that are places.
const PLACES: [&str; 2] = ["site", "zone"];

/// Fields by which a person asks for something.
const ASKING: [&str; 2] = ["requester", "applicant"];

/// Labels in a row, as the language lists them.
pub fn listed(labels: &[Text], lang: Lang) -> String {
    let separator = if lang == Lang::Ja { "、" } else { ", " };
    labels.iter().map(|l| l.get(lang)).collect::<Vec<_>>().join(separator)
}

impl KindSpec {
    /// What a literal leaves out: no groups, no rules, the first version.
    pub const BASE: KindSpec = KindSpec {
        id: "",
        table: Table::Asset,
        title: t("–", "–"),
        help: t("–", "–"),
        known_as: &[],
        fields: &[],
        groups: &[],
        rules: &[],
        guard: None,
        version: 1,
        upcasts: &[],
    };

    /// Fields that say to whom a row belongs.
    pub fn ties(&self) -> impl Iterator<Item = (&'static str, Tie)> {
        let guard = self.guard.into_iter();
        let guard = guard.flat_map(|g| [(g.field, Tie::Closes(g)), (g.named, Tie::Names)]);
        self.fields.iter().filter_map(|field| Some((field.name, field.tie()?))).chain(guard)
    }

    /// Whether its rows are requests that anyone may make.
    pub fn is_request(&self) -> bool {
        let asks = |f: &Field| matches!(f.ty, FieldType::Party) && ASKING.contains(&f.name);
        self.fields.iter().any(asks)
    }

    /// Holds attributes against fields and rules; returns every error, not only the first.
    pub fn validate(&self, attributes: &Map<String, Json>) -> Vec<FieldError> {
        let mut errors = validate_fields(self.fields, attributes);
        errors.extend(rule::faults(self, attributes, &errors));
        errors
    }

    /// Every rule as a sentence.
    pub fn rule_texts(&self, lang: Lang) -> Vec<String> {
        self.rules.iter().map(|rule| rule.text(self, lang)).collect()
    }

    /// The fields as a form shows them: heading of a group, where one begins, and the field.
    pub fn laid_out(&self) -> Vec<(Option<Text>, &'static Field)> {
        let grouped = |f: &Field| self.groups.iter().any(|g| g.fields.contains(&f.name));
        let mut out: Vec<_> =
            self.fields.iter().filter(|f| !grouped(f)).map(|f| (None, f)).collect();
        for group in self.groups {
            let fields = group.fields.iter().filter_map(|name| self.field(name));
            out.extend(fields.enumerate().map(|(i, f)| ((i == 0).then_some(group.title), f)));
        }
        out
    }

    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// Every user-visible text of the kind.
    pub fn texts(&self) -> Vec<Text> {
        let mut all = vec![self.title, self.help];
        all.extend(self.fields.iter().flat_map(Field::texts));
        all.extend(self.groups.iter().map(|g| g.title));
        all
    }

    /// Faults of the declaration itself, for a test to print.
    pub fn contradictions(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (i, field) in self.fields.iter().enumerate() {
            if self.fields[..i].iter().any(|f| f.name == field.name) {
                wrong.push(format!("kind {}: field {} stands twice", self.id, field.name));
            }
        }
        if self.fields.len() > FIELDS_UNGROUPED_MAX && self.groups.is_empty() {
            let n = self.fields.len();
            wrong.push(format!("kind {}: a form of {n} fields needs groups", self.id));
        }
        let mut grouped: Vec<&str> = Vec::new();
        for name in self.groups.iter().flat_map(|g| g.fields.iter().copied()) {
            if self.field(name).is_none() {
                wrong.push(format!("kind {}: a group names {name}, which is no field", self.id));
            } else if grouped.contains(&name) {
                wrong.push(format!("kind {}: {name} stands in two groups", self.id));
            }
            grouped.push(name);
        }
        wrong.extend(self.rules.iter().filter_map(|rule| rule.contradiction(self)));
        wrong.extend(self.guard.and_then(|guard| guard.contradiction(self)));
        if self.version as usize != self.upcasts.len() + 1 {
            let (id, version, steps) = (self.id, self.version, self.upcasts.len());
            wrong.push(format!("kind {id}: version {version} with {steps} upcasts"));
        }
        wrong
    }
}

impl Guard {
    /// Whether a row that had one value and has the other became more open. A row without the value was never closed.
    pub fn is_loosened(&self, from: Option<&str>, to: Option<&str>) -> bool {
        let place = |value: &str| self.order.iter().position(|known| *known == value);
        // What is no value of the field was taken for the strictest.
        let from = from.map(|value| place(value).unwrap_or(self.order.len()));
        let to = to.map(|value| place(value).unwrap_or(self.order.len()));
        from.is_some_and(|from| to.is_none_or(|to| to < from))
    }

    fn contradiction(&self, kind: &KindSpec) -> Option<String> {
        let FieldType::Enum(choices) = kind.field(self.field)?.ty else {
            return Some(format!("kind {}: {} closes rows and is no enum", kind.id, self.field));
        };
        let is_list = |f: &Field| matches!(f.ty, FieldType::List);
        if !kind.field(self.named).is_some_and(is_list) {
            return Some(format!("kind {}: {} names readers and is no list", kind.id, self.named));
        }
        let values: Vec<&str> = choices.iter().map(|choice| choice.value).collect();
        if values != self.order {
            return Some(format!("kind {}: {} has no order", kind.id, self.field));
        }
        let strange = self.closes.iter().find(|(value, _)| !values.contains(value));
        strange.map(|(value, _)| format!("kind {}: {value} closes rows and is no value", kind.id))
    }
}

impl RecordSpec {
    /// Holds facts against the schema.
    pub fn validate(&self, facts: &Map<String, Json>) -> Vec<FieldError> {
        validate_fields(self.fields, facts)
    }

    /// Every user-visible text of the record type.
    pub fn texts(&self) -> Vec<Text> {
        let mut all = vec![self.title];
        all.extend(self.fields.iter().flat_map(Field::texts));
        all
    }
}

impl Field {
    /// A field with no aliases that may be empty; the usual start of a literal in a room.
    pub const fn new(name: &'static str, label: Text, ty: FieldType) -> Field {
        Field { name, label, ty, required: false, personal: false, aliases: &[] }
    }

    /// The same field, required.
    pub const fn required(self) -> Field {
        Field { required: true, ..self }
    }

    /// The same field, marked personal.
    pub const fn personal(self) -> Field {
        Field { personal: true, ..self }
    }

    /// The same field with import headers.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Field {
        Field { aliases, ..self }
    }

    /// How the field ties its row to someone, if it does.
    pub fn tie(&self) -> Option<Tie> {
        match self.ty {
            FieldType::Party => Some(Tie::Party),
            FieldType::Text if self.name == "department" => Some(Tie::Department),
            FieldType::Reference(kind) if PLACES.contains(&kind) => Some(Tie::Place),
            _ => None,
        }
    }

    fn texts(&self) -> Vec<Text> {
        let mut all = vec![self.label];
        match self.ty {
            FieldType::Enum(choices) => all.extend(choices.iter().map(|c| c.label)),
            FieldType::Table(columns) => all.extend(columns.iter().flat_map(Field::texts)),
            _ => {}
        }
        all
    }

    pub(crate) fn check(&self, value: &Json) -> Result<(), FieldError> {
        let field = || self.name.to_owned();
        let expect = |ok: bool, expected: &'static str| {
            if ok { Ok(()) } else { Err(FieldError::Type { field: field(), expected }) }
        };
        let text = value.as_str();
        match self.ty {
            FieldType::Text => self.check_length(text, TEXT_CHARS_MAX),
            FieldType::Multiline => self.check_length(text, MULTILINE_CHARS_MAX),
            FieldType::TextPair => expect(
                value.get("ja").is_some_and(Json::is_string)
                    && value.get("en").is_some_and(Json::is_string),
                "a text in ja and en",
            ),
            FieldType::Number { min, max, .. } => match value.as_i64() {
                None => expect(false, "a whole number"),
                Some(n) if (min..=max).contains(&n) => Ok(()),
                Some(_) => Err(FieldError::Range { field: field(), min, max }),
            },
            FieldType::Money => expect(value.as_i64().is_some(), "a whole amount"),
            FieldType::Date => expect(
                text.is_some_and(|s| s.parse::<jiff::civil::Date>().is_ok()),
                "a date such as 2026-11-25",
            ),
            FieldType::Time => expect(
                text.is_some_and(|s| s.parse::<jiff::Timestamp>().is_ok()),
                "a time such as 2026-11-25T09:00:00+09:00",
            ),
            FieldType::Period => expect(
                text.is_some_and(|s| s.parse::<jiff::Span>().is_ok()),
                "a period such as P7Y",
            ),
            FieldType::Zone => expect(
                text.is_some_and(|s| jiff::tz::TimeZone::get(s).is_ok()),
                "a time zone such as Asia/Tokyo",
            ),
            FieldType::Enum(choices) => {
                if text.is_some_and(|s| choices.iter().any(|c| c.value == s)) {
                    return Ok(());
                }
                let allowed: Vec<_> = choices.iter().map(|c| c.value).collect();
                Err(FieldError::Choice { field: field(), allowed: allowed.join(", ") })
            }
            FieldType::Boolean => expect(value.is_boolean(), "yes or no"),
            FieldType::Reference(_) | FieldType::Party => expect(
                text.is_some_and(|s| s.parse::<crate::Id>().is_ok()),
                "the id of an existing row",
            ),
            FieldType::Hash => expect(
                text.is_some_and(|s| s.len() == 64 && s.bytes().all(|b| b.is_ascii_hexdigit())),
                "a SHA-256 in 64 hexadecimal digits",
            ),
            // A blob is found by exactly this name.
            FieldType::File => expect(
                text.is_some_and(|s| s.len() == 64 && s.bytes().all(is_lower_hex)),
                "a SHA-256 in 64 hexadecimal digits, lower case",
            ),
            FieldType::List => expect(
                value.as_array().is_some_and(|l| l.iter().all(Json::is_string)),
                "a list of texts",
            ),
            FieldType::Duration => expect(
                text.is_some_and(|s| crate::duration::seconds(s).is_some()),
                "a length of time such as PT4H30M",
            ),
            FieldType::Table(columns) => {
                check_rows(self, columns, value).into_iter().next().map_or(Ok(()), Err)
            }
            FieldType::Object => {
                expect(value.is_object() || value.is_array(), "an object or a list")
            }
        }
    }

    fn check_length(&self, text: Option<&str>, max: usize) -> Result<(), FieldError> {
        let Some(text) = text else {
            return Err(FieldError::Type { field: self.name.to_owned(), expected: "a text" });
        };
        if text.chars().count() > max {
            return Err(FieldError::Long { field: self.name.to_owned(), max });
        }
        Ok(())
    }
}

/// Every fault of every row.
fn check_rows(field: &Field, columns: &[Field], value: &Json) -> Vec<FieldError> {
    let name = || field.name.to_owned();
    let wrong = |expected| FieldError::Type { field: name(), expected };
    let Some(rows) = value.as_array() else { return vec![wrong("a list of rows")] };
    if rows.len() > crate::table::TABLE_ROWS_MAX {
        return vec![FieldError::Rows { field: name(), max: crate::table::TABLE_ROWS_MAX }];
    }
    let mut errors = Vec::new();
    for (row, value) in (1..).zip(rows) {
        let Some(object) = value.as_object() else {
            errors.push(wrong("a list of rows"));
            continue;
        };
        for fault in validate_fields(columns, object) {
            let column = columns.iter().find(|c| c.name == fault.field());
            let column = column.map_or(t("–", "–"), |c| c.label);
            errors.push(FieldError::Cell { field: name(), row, column, fault: Box::new(fault) });
        }
    }
    errors
}

fn validate_fields(fields: &[Field], object: &Map<String, Json>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in fields {
        let empty = |v: &Json| v.is_null() || v.as_str().is_some_and(|s| s.trim().is_empty());
        match object.get(field.name) {
            Some(value) if !empty(value) => match field.ty {
                FieldType::Table(columns) => errors.extend(check_rows(field, columns, value)),
                _ => errors.extend(field.check(value).err()),
            },
            _ if field.required => errors.push(FieldError::Missing(field.name.to_owned())),
            _ => {}
        }
    }
    for name in object.keys() {
        if !fields.iter().any(|f| f.name == name) {
            errors.push(FieldError::Unknown(name.clone()));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KIND: KindSpec = KindSpec {
        id: "sample",
        table: Table::Asset,
        title: t("見本", "Sample"),
        help: t("試験用", "for tests"),
        fields: &[
            Field::new("name", t("名称", "Name"), FieldType::Text).required(),
            Field::new("cpu", t("CPU", "CPUs"), FieldType::Number { unit: "", min: 1, max: 64 }),
            Field::new("end", t("期限", "End"), FieldType::Date),
        ],
        ..KindSpec::BASE
    };

    fn errors(value: Json) -> Vec<FieldError> {
        KIND.validate(value.as_object().expect("object"))
    }

    #[test]
    fn every_error_is_named_not_only_the_first() {
        let found = errors(json!({"cpu": 65, "end": "2026-13-01", "colour": "red"}));
        let fields: Vec<_> = found.iter().map(FieldError::field).collect();
        assert_eq!(fields, ["name", "cpu", "end", "colour"]);
    }

    #[test]
    fn a_whole_object_passes() {
        assert_eq!(errors(json!({"name": "db1", "cpu": 64, "end": "2026-11-25"})), []);
    }
}
