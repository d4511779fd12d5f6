//! Record types that the platform itself writes; no room declares them.

use crate::{Field, FieldType, RecordSpec, t};

/// Records of the platform.
pub const RECORDS: &[RecordSpec] = &[
    // Every edge that loads a signed bundle of rules or indicators says so: which edge, rules of
    // which kind, and the root hash of the bundle.
    RecordSpec {
        ty: "house.rules_applied",
        title: t("ルールの適用", "Rules applied"),
        fields: &[
            Field::new("edge", t("適用先", "Edge"), FieldType::Text).required(),
            Field::new("kind", t("種類", "Kind"), FieldType::Text).required(),
            Field::new("root", t("ルートハッシュ", "Root"), FieldType::Hash).required(),
        ],
    },
    // Settings hold secrets and addresses, so only their area is named.
    RecordSpec {
        ty: "house.settings_changed",
        title: t("設定の変更", "Settings changed"),
        fields: &[Field::new("area", t("対象", "Area"), FieldType::Text).required()],
    },
    // What closes a task that asks for no other record.
    RecordSpec {
        ty: "house.task_done",
        title: t("タスクの完了", "Task done"),
        fields: &[
            Field::new("task", t("タスク", "Task"), FieldType::Text).required(),
            Field::new("held_on", t("実施日", "Done on"), FieldType::Date).required(),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::RECORDS;

    #[test]
    fn platform_records_bear_the_name_of_the_house_and_nothing_personal() {
        for record in RECORDS {
            assert!(record.ty.starts_with("house."));
            assert!(record.fields.iter().all(|f| !f.personal));
            assert!(record.texts().iter().all(|t| !t.ja.is_empty() && !t.en.is_empty()));
        }
    }
}
