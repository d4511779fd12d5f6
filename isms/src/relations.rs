//! Kinds of what relates registers to each other and to the norm: risks, checks, links.
//!
//! Any room and any page may refer to them, so the hall declares them.

use model::{Choice, Field, FieldType, Group, KindSpec, Rule, Table, Text, t};

/// Five steps of likelihood or consequence; what each step means is the organisation's own scale.
const STEPS: FieldType = FieldType::Number { unit: "", min: 1, max: 5 };

/// All of them, for the hall's declaration.
pub const KINDS: &[KindSpec] = &[
    RISK,
    CHECK,
    link(
        "depends_on",
        t("依存する", "depends on"),
        t("起点は相手がないと動かない。", "The first does not work without the other."),
    ),
    link("stores", t("保存する", "stores"), t("起点に相手が保存されている。", "Holds the other.")),
    link(
        "processes",
        t("処理する", "processes"),
        t("起点が相手を利用・加工する。", "Uses or changes the other."),
    ),
    link(
        "supplied_by",
        t("供給元", "supplied by"),
        t("起点は相手から供給されている。", "The other supplies it."),
    ),
    link(
        "located_in",
        t("所在", "located in"),
        t("起点は相手の場所にある。", "Stands at the place of the other."),
    ),
    link(
        "owns",
        t("管理する", "owns"),
        t("起点の人・組織が相手の責任を持つ。", "Answers for the other."),
    ),
    link(
        "treats",
        t("リスクに対応する", "treats"),
        t("起点の管理策・計画が相手のリスクに対応する。", "A control or plan treats a risk."),
    ),
    link(
        "maps_to",
        t("対応する", "maps to"),
        t("旧版の管理策と新版の管理策の対応。", "A control of one edition, and of the next."),
    ),
    link(
        "builds_on",
        t("土台になる", "builds on"),
        t(
            "既存の管理策が、相手の新しい管理策の土台になる。",
            "What is there already helps with a new control.",
        ),
    ),
    link(
        "applies_to",
        t("適用する", "applies to"),
        t("起点のルールを相手に適用する。", "A rule holds for the other."),
    ),
    link(
        "copies",
        t("複製する", "copies"),
        t("起点は相手の複製を作る。", "Makes copies of the other."),
    ),
    link(
        "copied_from",
        t("複製元", "copied from"),
        t("起点は相手から作られた複製である。", "Was made as a copy of the other."),
    ),
    link(
        "references",
        t("参照する", "refers to"),
        t("起点が相手を参照する。ほかの種類に当てはまらないとき。", "Where no other kind fits."),
    ),
];

/// A risk (6.1.2, 8.2): scenario, estimate before and after treatment, and who answers for it (6.1.3 f).
const RISK: KindSpec = KindSpec {
    id: "risk",
    table: Table::Risk,
    title: t("リスク", "Risk"),
    help: t(
        "起こりうる事態と、その起こりやすさ・影響（1から5）、対応、所有者（6.1）。",
        "What may happen, how likely and how grave (1 to 5), what is done and who answers for it (6.1).",
    ),
    known_as: &[
        "リスクアセスメント",
        "リスクアセスメント表",
        "リスク一覧",
        "リスク台帳",
        "リスク評価",
        "リスク分析",
        "リスク対応計画",
        "リスク管理表",
    ],
    fields: &[
        Field::new("scenario", t("シナリオ", "Scenario"), FieldType::Multiline).required().aliases(
            &[
                "リスクの内容",
                "シナリオ",
                "脅威と脆弱性",
                "リスク内容",
                "リスクシナリオ",
                "想定されるリスク",
                "リスク",
            ],
        ),
        Field::new("threat", t("脅威", "Threat"), FieldType::Multiline).aliases(&["脅威"]),
        Field::new("risk_source", t("リスク源", "Risk source"), FieldType::Multiline).aliases(&[
            "リスク源",
            "脆弱性",
            "原因",
        ]),
        Field::new(
            "shipped",
            t("もとにした見本のシナリオ", "Shipped scenario it began with"),
            FieldType::Text,
        ),
        Field::new("owner", t("リスク所有者", "Risk owner"), FieldType::Party).aliases(&[
            "リスク所有者",
            "リスクオーナー",
            "責任者",
            "担当",
            "対応責任者",
        ]),
        Field::new(
            "treatment",
            t("対応", "Treatment"),
            FieldType::Enum(&[
                choice("modify", "低減", "modify"),
                choice("retain", "保有", "retain"),
                choice("avoid", "回避", "avoid"),
                choice("share", "共有", "share"),
            ]),
        )
        .required()
        .aliases(&["リスク対応", "対応方針", "リスク対応方針", "対応区分", "選択肢"]),
        Field::new("likelihood", t("現在の起こりやすさ", "Likelihood now"), STEPS).aliases(&[
            "起こりやすさ",
            "発生可能性",
            "発生頻度",
            "頻度",
            "リスク評価/起こりやすさ",
        ]),
        Field::new("consequence", t("現在の影響", "Consequence now"), STEPS).aliases(&[
            "影響度",
            "結果",
            "影響",
            "重大性",
        ]),
        Field::new("inherent_likelihood", t("対応前の起こりやすさ", "Likelihood untreated"), STEPS),
        Field::new("inherent_consequence", t("対応前の影響", "Consequence untreated"), STEPS),
        Field::new("target_likelihood", t("目標の起こりやすさ", "Likelihood aimed at"), STEPS),
        Field::new("target_consequence", t("目標の影響", "Consequence aimed at"), STEPS),
        Field::new("measures", t("対応の内容", "What is done"), FieldType::Multiline).aliases(&[
            "管理策",
            "対策",
            "対応策",
            "対応内容",
            "実施する管理策",
        ]),
        Field::new("reviewed_on", t("見直し日", "Reviewed on"), FieldType::Date)
            .aliases(&["見直し日", "評価日"]),
    ],
    groups: &[
        Group::new(
            t("リスク", "Risk"),
            &["scenario", "threat", "risk_source", "owner", "reviewed_on", "shipped"],
        ),
        Group::new(
            t("評価", "Assessment"),
            &["inherent_likelihood", "inherent_consequence", "likelihood", "consequence"],
        ),
        Group::new(
            t("対応", "Treatment"),
            &["treatment", "measures", "target_likelihood", "target_consequence"],
        ),
    ],
    rules: &[
        Rule::AtMost { lower: "target_likelihood", upper: "likelihood" },
        Rule::AtMost { lower: "target_consequence", upper: "consequence" },
        Rule::RequiredIf { field: "measures", when: "treatment", is: &["modify"] },
    ],
    guard: None,
    version: 2,
    // The second version only added fields.
    upcasts: &[|_| ()],
};

/// A check by which the organisation sees whether a rule is kept (9.1).
const CHECK: KindSpec = KindSpec {
    id: "check",
    table: Table::Check,
    title: t("点検", "Check"),
    help: t(
        "ルールが守られているかを確かめる方法、頻度、担当（9.1）。結果は記録に残る。",
        "How, how often and by whom it is seen that a rule is kept (9.1). Results are records.",
    ),
    fields: &[
        Field::new("question", t("確かめること", "Question"), FieldType::Multiline).required(),
        Field::new(
            "method",
            t("方法", "Method"),
            FieldType::Enum(&[
                choice("machine", "機械による照合", "by machine"),
                choice("walkthrough", "現場の確認", "walk-through"),
                choice("sampling", "抜取り", "sampling"),
                choice("interview", "聞取り", "interview"),
                choice("review", "記録の閲覧", "review of records"),
            ]),
        )
        .required(),
        Field::new("every", t("頻度（期間）", "Every"), FieldType::Period).aliases(&["頻度"]),
        Field::new("performer", t("担当", "By whom"), FieldType::Party).aliases(&["担当者"]),
        Field::new("criterion", t("基準・箇条", "Criterion or clause"), FieldType::Text),
        Field::new(
            "control",
            t("証拠となる管理策の番号", "Control it is evidence for"),
            FieldType::Text,
        )
        .aliases(&["管理策", "管理策番号"]),
        Field::new(
            "record_type",
            t("証拠となる記録の種類", "Type of record that is the evidence"),
            FieldType::Text,
        ),
        Field::new(
            "max_age_days",
            t("証拠の有効日数", "Evidence holds for"),
            FieldType::Number { unit: "d", min: 1, max: 1100 },
        ),
        Field::new("procedure", t("手順", "Procedure"), FieldType::Multiline),
    ],
    groups: &[
        Group::new(t("点検", "Check"), &["question", "method", "every", "performer", "criterion"]),
        Group::new(
            t("管理策の証拠", "As evidence for a control"),
            &["control", "record_type", "max_age_days"],
        ),
        Group::new(t("手順", "Procedure"), &["procedure"]),
    ],
    rules: &[
        Rule::RequiredIf { field: "record_type", when: "control", is: &[] },
        Rule::RequiredIf { field: "max_age_days", when: "control", is: &[] },
    ],
    ..KindSpec::BASE
};

const LINK_FIELDS: &[Field] = &[
    Field::new("type", t("対応の型", "Type of mapping"), FieldType::Text),
    Field::new("note", t("補足", "Note"), FieldType::Multiline),
];

const fn link(id: &'static str, title: Text, help: Text) -> KindSpec {
    KindSpec { id, table: Table::Link, title, help, fields: LINK_FIELDS, ..KindSpec::BASE }
}

const fn choice(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

/// Two lists of kinds as one; `N` is the length of both.
pub const fn joined<const N: usize>(first: &[KindSpec], second: &[KindSpec]) -> [KindSpec; N] {
    let mut all = [RISK; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}
