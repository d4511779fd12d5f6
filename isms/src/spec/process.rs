//! Kinds by which the ISMS itself is run: planned changes (6.3), audits (9.2), reviews (9.3).

use model::{Field, FieldType, Group, KindSpec, Rule, Table, t};

use super::fields::{count, date, flag, list, long, text};

/// What a review asked for, line by line.
const INSTRUCTIONS: &[Field] = &[
    text("text", t("指示", "Instruction")).required(),
    Field::new("owner", t("担当", "Owner"), FieldType::Party).required(),
    date("due", t("期限", "Due")).required(),
    text("output", t("結果の種類", "Kind of result")),
    Field::new("risk", t("リスク", "Risk"), FieldType::Reference("risk")),
];

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "isms_change",
        table: Table::Plan,
        title: t("ISMSの変更計画", "Planned change of the ISMS"),
        help: t(
            "適用範囲、規格の版、評価方法、多数のルールを変える前に書き、署名をもらう計画です（6.3）。署名の後の変更だけが計画された変更になります。",
            "Written and signed before scope, norm version, method or many rules change (6.3). Only what changes after the signature is a planned change.",
        ),
        fields: &[
            long("purpose", t("目的", "Purpose")).required().aliases(&["目的", "変更の目的"]),
            long("consequences", t("起こり得る結果", "Consequences")).required().aliases(&[
                "結果",
                "影響",
                "起こり得る結果",
            ]),
            long("resources", t("資源", "Resources")).required().aliases(&["資源", "必要な資源"]),
            long("responsibilities", t("責任と権限", "Responsibilities")).required().aliases(&[
                "責任",
                "責任と権限",
                "担当",
            ]),
            flag("scope", t("適用範囲を変える", "Changes the scope")),
            flag("norm_version", t("規格の版を変える", "Changes the norm version")),
            flag("method", t("リスクの評価方法を変える", "Changes the risk method")),
            flag("rules", t("多数のルールを変える", "Changes many rules")),
            date("starts_on", t("開始日", "Starts on")).required().aliases(&["開始日"]),
            date("ends_on", t("終了日", "Ends on")).required().aliases(&["終了日", "完了予定日"]),
            Field::new("responsible", t("責任者", "Who answers for it"), FieldType::Party)
                .aliases(&["責任者"]),
            long("outcome", t("結果の確認", "How it turned out")).aliases(&["結果の確認"]),
        ],
        groups: &[
            Group::new(
                t("計画", "Plan"),
                &["purpose", "consequences", "resources", "responsibilities", "responsible"],
            ),
            Group::new(
                t("変えるもの", "What changes"),
                &["scope", "norm_version", "method", "rules"],
            ),
            Group::new(
                t("時期と結果", "When, and how it went"),
                &["starts_on", "ends_on", "outcome"],
            ),
        ],
        rules: &[
            Rule::NotBefore { start: "starts_on", end: "ends_on" },
            Rule::OneOf { fields: &["scope", "norm_version", "method", "rules"] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "management_review",
        table: Table::Plan,
        title: t("マネジメントレビュー", "Management review"),
        help: t(
            "一回のマネジメントレビューです。レビューのページで、記録からインプットを埋めて作ります（9.3）。",
            "One management review. Its page fills the inputs from the records (9.3).",
        ),
        fields: &[
            date("held_on", t("開催日", "Held on")).required().aliases(&["開催日"]),
            text("drawn_at", t("インプットを作成した時刻", "When the inputs were drawn"))
                .required(),
            Field::new("inputs", t("インプット（a～g）", "Inputs a to g"), FieldType::Object)
                .required(),
            Field::new("instructions", t("指示", "Instructions"), FieldType::Table(INSTRUCTIONS)),
            long("conclusion", t("結論", "Conclusion")).aliases(&["結論", "総括"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "review_held",
        table: Table::Decision,
        title: t("マネジメントレビューの実施", "Management review held"),
        help: t(
            "経営層が、レビューのインプットと指示の全体に署名した決定です（9.3）。",
            "An executive's signature over the inputs and instructions of a review (9.3).",
        ),
        fields: &[
            text("signer", t("署名者", "Signer")),
            text("method", t("本人確認の方法", "How the signer was identified")),
            text("subject_table", t("対象の表", "Table of the subject")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "review_instruction",
        table: Table::Decision,
        title: t("レビューの指示", "Instruction of a review"),
        help: t(
            "経営層が、マネジメントレビューで、またはレベルの低下や短期の脅威について署名した指示です。タスクになり、次のレビューで報告されます（9.3.3）。",
            "What executives instructed by their signature, in a management review or about a dropped level or a threat that does not wait. It has a task and is reported back at the next review (9.3.3).",
        ),
        fields: &[
            long("order", t("指示", "Instruction")).required(),
            Field::new("assignee", t("担当", "Owner"), FieldType::Party).required(),
            date("due", t("期限", "Due")).required(),
            text("task", t("タスク", "Task")).required(),
            Field::new("risk", t("リスク", "Risk"), FieldType::Reference("risk")),
            text("signer", t("署名者", "Signer")),
            text("method", t("本人確認の方法", "How the signer was identified")),
            text("subject_table", t("対象の表", "Table of the subject")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "audit_programme",
        table: Table::Plan,
        title: t("内部監査の計画", "Audit programme"),
        help: t(
            "内部監査の頻度、方法、責任を定めます（9.2.2）。",
            "How often, how and by whom the ISMS is audited (9.2.2).",
        ),
        fields: &[
            long("objective", t("目的と基準", "Objective and criteria")).required().aliases(&[
                "目的",
                "監査目的",
                "監査基準",
            ]),
            date("starts_on", t("開始日", "Starts on")).required().aliases(&["開始日"]),
            date("ends_on", t("終了日", "Ends on")).required().aliases(&["終了日"]),
            long("methods", t("方法", "Methods")).aliases(&["方法", "監査方法"]),
            Field::new("lead", t("監査責任者", "Lead auditor"), FieldType::Party)
                .required()
                .aliases(&["監査責任者"]),
            Field::new(
                "isms_owner",
                t("箇条4～10の責任者（事務局）", "Who answers for clauses 4 to 10"),
                FieldType::Party,
            )
            .aliases(&["ISMS責任者", "事務局責任者"]),
        ],
        rules: &[Rule::NotBefore { start: "starts_on", end: "ends_on" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "internal_audit",
        table: Table::Plan,
        title: t("内部監査", "Internal audit"),
        help: t(
            "一回の内部監査です。監査のページで、種から抜き取りを引いて作ります。同じ種と状態からは同じ抜き取りになります（9.2）。",
            "One internal audit. Its page draws the samples from a seed: the same seed and state give the same samples (9.2).",
        ),
        fields: &[
            text("seed", t("乱数の種", "Seed")).required(),
            Field::new("auditor", t("監査員", "Auditor"), FieldType::Party).required(),
            text("drawn_at", t("抜き取った時刻", "When it was drawn")).required(),
            Field::new("samples", t("抜き取り", "Samples"), FieldType::Object).required(),
            list("flags", t("注意", "Flags")),
            long("conclusion", t("結論", "Conclusion")),
        ],
        ..KindSpec::BASE
    },
];

/// A nonconformity or remark of an audit, and what became of it (10.2).
pub(crate) const FINDING: KindSpec = KindSpec {
    id: "audit_finding",
    table: Table::Asset,
    title: t("監査の所見", "Audit finding"),
    help: t(
        "不適合や観察事項と、修正、原因、同じような例、有効性の確認です（10.2）。有効性は担当者以外が確かめます。",
        "A nonconformity or remark with correction, cause, similar cases and the check of effectiveness (10.2), which somebody other than the responsible makes.",
    ),
    fields: &[
        text("control", t("管理策・箇条", "Control or clause"))
            .required()
            .aliases(&["管理策", "箇条"]),
        Field::new("grade", t("区分", "Grade"), FieldType::Enum(super::records::GRADES))
            .required()
            .aliases(&["区分", "重大度"]),
        long("description", t("所見", "Finding")).required().aliases(&["所見", "指摘事項"]),
        text("question", t("質問", "Question")),
        date("found_on", t("発見日", "Found on")).required().aliases(&["発見日", "監査日"]),
        date("due", t("是正の期限", "Due")).required().aliases(&["期限", "是正期限"]),
        Field::new("responsible", t("是正の担当", "Responsible"), FieldType::Party)
            .required()
            .aliases(&["担当", "是正担当"]),
        Field::new("auditor", t("監査員", "Auditor"), FieldType::Party).aliases(&["監査員"]),
        long("correction", t("修正", "Correction")).aliases(&["修正", "修正処置"]),
        long("cause", t("原因", "Cause")).aliases(&["原因"]),
        long("similar", t("同じような例の調査", "Similar cases looked for"))
            .aliases(&["類似の不適合", "水平展開"]),
        count("similar_cases", t("同じような例の数", "Similar cases found")),
        long("action", t("是正処置", "Corrective action")).aliases(&["是正処置", "再発防止策"]),
        date("closed_on", t("完了日", "Closed on")).aliases(&["完了日"]),
        long("effectiveness", t("有効性の確認", "Check of effectiveness"))
            .aliases(&["有効性", "有効性の確認"]),
        date("effective_on", t("有効性を確かめた日", "Effectiveness checked on")),
        Field::new("verified_by", t("確かめた人", "Checked by"), FieldType::Party),
    ],
    groups: &[
        Group::new(
            t("所見", "Finding"),
            &["control", "grade", "description", "question", "found_on", "auditor"],
        ),
        Group::new(
            t("是正", "Correction"),
            &[
                "responsible",
                "due",
                "correction",
                "cause",
                "similar",
                "similar_cases",
                "action",
                "closed_on",
            ],
        ),
        Group::new(t("有効性", "Effectiveness"), &["effectiveness", "effective_on", "verified_by"]),
    ],
    rules: &[
        Rule::NotBefore { start: "found_on", end: "closed_on" },
        Rule::RequiredIf { field: "correction", when: "closed_on", is: &[] },
        Rule::RequiredIf { field: "cause", when: "closed_on", is: &[] },
        Rule::RequiredIf { field: "similar", when: "closed_on", is: &[] },
        Rule::RequiredIf { field: "verified_by", when: "effectiveness", is: &[] },
        Rule::RequiredIf { field: "effective_on", when: "effectiveness", is: &[] },
    ],
    ..KindSpec::BASE
};
