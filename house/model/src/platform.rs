//! Record types that the platform itself writes; no room declares them.

use crate::{Choice, Field, FieldType, RecordSpec, Writer, t};

/// Records of the platform.
pub const RECORDS: &[RecordSpec] = &[
    // Every edge that loads a signed bundle of rules or indicators says so: which edge, rules of
    // which kind, and the root hash of the bundle.
    RecordSpec {
        ty: "house.rules_applied",
        writer: Writer::Ume,
        title: t("ルールの適用", "Rules applied"),
        fields: &[
            Field::new("edge", t("適用先", "Edge"), FieldType::Text).required(),
            Field::new("kind", t("種類", "Kind"), FieldType::Text).required(),
            Field::new("root", t("ルートハッシュ", "Root"), FieldType::Hash).required(),
            Field::new("serial", t("版", "Serial"), COUNT),
            // What the edge's own host does not permit.
            Field::new("denied", t("適用先が拒んだ項目", "Refused by the edge"), COUNT),
        ],
    },
    RecordSpec {
        ty: "house.agent_changed",
        writer: Writer::Ume,
        title: t("エージェントの変化", "Agent changed"),
        fields: &[
            Field::new("name", t("ホスト名", "Name of the host"), FieldType::Text).required(),
            Field::new("change", t("変化", "Change"), FieldType::Enum(AGENT_CHANGES)).required(),
            // There is no agent yet when its token is made.
            Field::new("agent_id", t("エージェントID", "Agent id"), FieldType::Text),
            Field::new("certificate", t("証明書の指紋", "Fingerprint"), FieldType::Hash),
            Field::new("clock_ahead", t("時計の進み", "Clock ahead"), SECONDS),
        ],
    },
    // Settings hold secrets and addresses, so only their area is named.
    RecordSpec {
        ty: "house.settings_changed",
        writer: Writer::Ume,
        title: t("設定の変更", "Settings changed"),
        fields: &[Field::new("area", t("対象", "Area"), FieldType::Text).required()],
    },
    // Who sees our ledger from outside, and whose we see, decides what its proofs are worth.
    RecordSpec {
        ty: "house.outside_changed",
        writer: Writer::Ume,
        title: t("証人・タイムスタンプ局の変更", "Witness or authority changed"),
        fields: &[
            Field::new("change", t("変更", "Change"), FieldType::Enum(OUTSIDE_CHANGES)).required(),
            Field::new("name", t("名前", "Name"), FieldType::Text).required(),
        ],
    },
    // What closes a task that asks for no other record.
    RecordSpec {
        ty: "house.task_done",
        writer: Writer::Anyone,
        title: t("タスクの完了", "Task done"),
        fields: &[
            Field::new("task", t("タスク", "Task"), FieldType::Text).required(),
            Field::new("held_on", t("実施日", "Done on"), FieldType::Date).required(),
        ],
    },
];

const COUNT: FieldType = FieldType::Number { unit: "", min: 0, max: 1 << 40 };
const SECONDS: FieldType = FieldType::Number { unit: "s", min: -(1 << 40), max: 1 << 40 };

const fn change(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

const OUTSIDE_CHANGES: &[Choice] = &[
    change("witness_add", "証人の追加", "Witness added"),
    change("witness_remove", "証人の削除", "Witness removed"),
    change("authority_add", "タイムスタンプ局の追加", "Authority added"),
    change("authority_remove", "タイムスタンプ局の削除", "Authority removed"),
    change("log_add", "連署するログの追加", "Log to cosign added"),
    change("log_remove", "連署するログの削除", "Log to cosign removed"),
];

const AGENT_CHANGES: &[Choice] = &[
    change("token_made", "登録トークンの発行", "Enrolment token made"),
    change("enrolled", "登録", "Enrolled"),
    change("enrolled_again", "再登録（証明書の再発行）", "Enrolled again, new certificate"),
    change("renewed", "証明書の更新", "Certificate renewed"),
    change("revoked", "失効", "Revoked"),
    change("silent", "連絡が途絶えた", "Fell silent"),
    change("returned", "連絡が戻った", "Came back"),
    change("clock_off", "時計のずれ", "Clock is off"),
    change("clock_right", "時計のずれの解消", "Clock is right again"),
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
