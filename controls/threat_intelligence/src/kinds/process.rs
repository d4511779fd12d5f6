//! Kinds and record types of the process around intelligence: ten threats, roles, drills, cards, decisions on actions.

use model::{Field, FieldType, Group, KindSpec, RecordSpec, Table, Writer, t};

use super::{AUDIENCE, choice, days, flag, minutes, text};

const ROLE: FieldType = FieldType::Enum(&[
    choice("triage", "簡易分析", "Triage"),
    choice("contact", "連絡", "Contact"),
    choice("decision", "判断", "Decision"),
]);

const AT_MOST_20: FieldType = FieldType::Number { unit: "", min: 1, max: 20 };

pub(super) const THREAT: KindSpec = KindSpec {
    id: "ipa10_threat",
    table: Table::Norm,
    title: t("IPA10大脅威の項目", "One of IPA's ten threats"),
    help: t(
        "年版・対象・順位ごとの脅威と、私たちの言葉で書いた対策です。",
        "A threat by edition, audience and rank, with measures in our own words.",
    ),
    fields: &[
        text("norm_id", t("識別子", "Id")).required(),
        text("key", t("年版をまたぐ名前", "Name across editions")).required(),
        Field::new(
            "edition",
            t("年版", "Edition"),
            FieldType::Number { unit: "", min: 2016, max: 2100 },
        )
        .required(),
        Field::new(
            "audience",
            t("対象", "Audience"),
            FieldType::Enum(&[
                choice("org", "組織", "Organisations"),
                choice("person", "個人", "Persons"),
            ]),
        )
        .required(),
        Field::new("number", t("番号", "Number"), AT_MOST_20),
        Field::new("rank", t("順位", "Rank"), AT_MOST_20),
        Field::new("rank_before", t("前年順位", "Rank the year before"), AT_MOST_20),
        Field::new(
            "first_year",
            t("初めて選ばれた年", "First chosen in"),
            FieldType::Number { unit: "", min: 2000, max: 2100 },
        ),
        text("published", t("公表月", "Month of publication")),
        text("title_ja", t("題名（日本語）", "Title in Japanese")),
        text("title_en", t("題名（英語）", "Title in English")),
        Field::new("about_ja", t("説明（日本語）", "About, in Japanese"), FieldType::Multiline),
        Field::new("about_en", t("説明（英語）", "About, in English"), FieldType::Multiline),
        Field::new("measures", t("対策", "Measures"), FieldType::List).aliases(&["対策"]),
        text("to_check_ja", t("確認が要る点（日本語）", "To be checked, in Japanese")),
        text("to_check_en", t("確認が要る点（英語）", "To be checked, in English")),
        text("author", t("作成", "Author")),
    ],
    groups: &[
        Group::new(
            t("位置づけ", "Place"),
            &["norm_id", "key", "edition", "audience", "number", "published"],
        ),
        Group::new(t("順位", "Rank"), &["rank", "rank_before", "first_year"]),
        Group::new(t("内容", "Content"), &["title_ja", "title_en", "about_ja", "about_en"]),
        Group::new(t("対策", "Measures"), &["measures", "to_check_ja", "to_check_en", "author"]),
    ],
    ..KindSpec::BASE
};

pub(super) const MEASURE: KindSpec = KindSpec {
    id: "threat_measure",
    table: Table::Norm,
    title: t("脅威への対策", "Measure against threats"),
    help: t(
        "10大脅威から選ぶ対策です。対応する管理策と、裏付けになる基準を持ちます。",
        "A measure to choose against the ten threats, with the controls and criteria that bear it out.",
    ),
    fields: &[
        text("norm_id", t("識別子", "Id")).required(),
        text("measure_id", t("対策の名前", "Name of the measure")).required(),
        text("text_ja", t("対策（日本語）", "Measure in Japanese")).required(),
        text("text_en", t("対策（英語）", "Measure in English")).required(),
        Field::new("maps_to", t("対応する管理策・基準", "Maps to"), FieldType::List),
    ],
    ..KindSpec::BASE
};

pub(super) const CSIRT_ROLE: KindSpec = KindSpec {
    id: "csirt_role",
    table: Table::Rule,
    title: t("CSIRTの役割", "Role of the CSIRT"),
    help: t(
        "簡易分析・連絡・判断を誰が担い、不在のとき誰が代わるかを決めます。訓練の知らせはこの人に届きます。",
        "Who triages, contacts and decides, and who stands in. Drills ask these people.",
    ),
    fields: &[
        Field::new("role", t("役割", "Role"), ROLE).required().aliases(&["役割"]),
        Field::new("holder", t("担当", "Holder"), FieldType::Party).required().aliases(&[
            "担当",
            "担当者",
            "氏名",
        ]),
        Field::new("deputy", t("代行者", "Deputy"), FieldType::Party).aliases(&[
            "代行者",
            "代理",
            "副担当",
        ]),
        Field::new("note", t("備考", "Note"), FieldType::Multiline).aliases(&["備考"]),
    ],
    ..KindSpec::BASE
};

pub(super) const DRILL: RecordSpec = RecordSpec {
    ty: "threat_intelligence.csirt_drill",
    writer: Writer::Anyone,
    title: t("CSIRT応答訓練", "CSIRT drill"),
    fields: &[
        Field::new("role", t("役割", "Role"), ROLE).required(),
        flag("holder_named", t("担当あり", "Holder named")).required(),
        flag("deputy_named", t("代行者あり", "Deputy named")).required(),
        // Without an answer within the limit there is none.
        minutes("answered_min", t("応答までの時間", "Time to answer")),
        text("drill", t("訓練", "Drill")),
        Field::new("asked", t("応答した人", "Who answered"), ASKED),
    ],
};

const ASKED: FieldType =
    FieldType::Enum(&[choice("holder", "担当", "Holder"), choice("deputy", "代行者", "Deputy")]);

pub(super) const DRILL_ASKED: RecordSpec = RecordSpec {
    ty: "threat_intelligence.csirt_drill_asked",
    writer: Writer::Ume,
    title: t("CSIRT応答訓練の知らせ", "CSIRT drill: asked"),
    fields: &[
        Field::new("role", t("役割", "Role"), ROLE).required(),
        text("drill", t("訓練", "Drill")).required(),
        Field::new("asked", t("知らせた人", "Who was asked"), ASKED).required(),
        flag("reached", t("知らせる先あり", "Has an account")).required(),
    ],
};

pub(super) const CARD_READ: RecordSpec = RecordSpec {
    ty: "threat_intelligence.card_read",
    writer: Writer::Ume,
    title: t("注意喚起カードの確認", "Awareness card read"),
    fields: &[
        Field::new("card", t("カードの版", "Version of the card"), FieldType::Hash).required()
    ],
};

pub(super) const ACTION_DECIDED: RecordSpec = RecordSpec {
    ty: "threat_intelligence.action_decided",
    writer: Writer::Ume,
    title: t("遅れた依頼の判断", "Decision on an overdue action"),
    fields: &[
        text("task", t("タスク", "Task")).required(),
        Field::new("audience", t("渡した先", "Audience"), AUDIENCE),
        Field::new(
            "decision",
            t("判断", "Decision"),
            FieldType::Enum(&[
                choice("extended", "延期", "Extended"),
                choice("cancelled", "取りやめ", "Cancelled"),
            ]),
        )
        .required(),
        Field::new("due", t("新しい期限", "New due date"), FieldType::Date),
        days("late_days", t("遅れ", "Late by")),
    ],
};

pub(super) const REPORT_ANSWERED: RecordSpec = RecordSpec {
    ty: "threat_intelligence.report_answered",
    writer: Writer::Ume,
    title: t("従業員の報告への回答", "Employee's report answered"),
    fields: &[
        text("of", t("報告", "Report")).required(),
        minutes("answer_min", t("回答までの時間", "Time to the answer")).required(),
    ],
};
