//! Short forms for the fields of the hall's kinds and records.

use model::{Choice, Field, FieldType, Text, t};

const COUNT_MAX: i64 = 1_000_000_000_000;

pub(super) const fn number(name: &'static str, label: Text, unit: &'static str) -> Field {
    Field::new(name, label, FieldType::Number { unit, min: 0, max: COUNT_MAX })
}

pub(super) const fn count(name: &'static str, label: Text) -> Field {
    number(name, label, "")
}

pub(super) const fn permille(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "‰", min: 0, max: 1000 })
}

pub(super) const fn flag(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Boolean)
}

pub(super) const fn text(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Text)
}

pub(super) const fn long(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Multiline)
}

pub(super) const fn list(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::List)
}

pub(super) const fn file(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::File)
}

pub(super) const fn hash(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Hash)
}

pub(super) const fn date(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Date)
}

pub(super) const fn choice(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

/// Whose numbers a state record holds: `organisation`, the part that checks read.
pub(super) const fn scope() -> Field {
    text("scope", t("範囲（organisationは全体）", "Scope (organisation is the whole)")).required()
}

pub(super) const fn control() -> Field {
    text("control", t("管理策", "Control")).required()
}

pub(super) const LEVEL: FieldType = FieldType::Enum(&[
    choice("none", "未達", "Below 梅"),
    choice("ume", "梅", "梅"),
    choice("take", "竹", "竹"),
    choice("matsu", "松", "松"),
]);
