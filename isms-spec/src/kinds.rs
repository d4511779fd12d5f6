//! Asset, rule, party, task and decision kinds and record types of the hall.

use model::{Choice, Field, FieldType, KindSpec, RecordSpec, Table, Text, t};

const COUNT_MAX: i64 = 1_000_000_000_000;

const fn number(name: &'static str, label: Text, unit: &'static str) -> Field {
    Field::new(name, label, FieldType::Number { unit, min: 0, max: COUNT_MAX })
}

const fn count(name: &'static str, label: Text) -> Field {
    number(name, label, "")
}

const fn permille(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "‰", min: 0, max: 1000 })
}

const fn flag(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Boolean)
}

const fn text(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Text)
}

const fn long(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Multiline)
}

const fn list(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::List)
}

const fn hash(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Hash)
}

const fn date(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Date)
}

const fn choice(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

/// Whose numbers a state record holds: `organisation`, the part that checks read.
const fn scope() -> Field {
    text("scope", t("範囲（organisationは全体）", "Scope (organisation is the whole)")).required()
}

const fn control() -> Field {
    text("control", t("管理策", "Control")).required()
}

const LEVEL: FieldType = FieldType::Enum(&[
    choice("none", "未達", "Below 梅"),
    choice("ume", "梅", "梅"),
    choice("take", "竹", "竹"),
    choice("matsu", "松", "松"),
]);

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "context_issue",
        table: Table::Asset,
        title: t("外部・内部の課題", "Context issue"),
        help: t(
            "ISMSに影響する、組織の内外の課題です（4.1）。",
            "What inside or outside the organisation affects the ISMS (4.1).",
        ),
        fields: &[
            Field::new(
                "side",
                t("区分", "Side"),
                FieldType::Enum(&[
                    choice("external", "外部", "External"),
                    choice("internal", "内部", "Internal"),
                ]),
            )
            .required()
            .aliases(&["区分", "外部/内部", "内外"]),
            long("description", t("内容", "Description")).required().aliases(&["内容", "課題"]),
            long("effect", t("ISMSへの影響", "Effect on the ISMS"))
                .aliases(&["影響", "ISMSへの影響"]),
            flag("climate", t("気候変動に関わる", "About climate change")).aliases(&["気候変動"]),
            date("reviewed_on", t("見直し日", "Reviewed on")).aliases(&["見直し日", "更新日"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "party_need",
        table: Table::Asset,
        title: t("利害関係者の要求", "Need of an interested party"),
        help: t(
            "利害関係者が求めることと、ISMSで扱うかどうかです（4.2）。",
            "What interested parties ask, and whether the ISMS answers it (4.2).",
        ),
        fields: &[
            text("party", t("利害関係者", "Party")).required().aliases(&[
                "利害関係者",
                "関係者",
                "ステークホルダー",
            ]),
            long("need", t("要求", "Need")).required().aliases(&["要求", "要求事項", "ニーズ"]),
            flag("met_by_isms", t("ISMSで扱う", "Met by the ISMS"))
                .aliases(&["ISMSで扱う", "対応要否"]),
            text("source", t("根拠（法令・契約など）", "Source (law, contract)")).aliases(&[
                "根拠",
                "出典",
                "法令・契約",
            ]),
            date("reviewed_on", t("見直し日", "Reviewed on")).aliases(&["見直し日"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "interface",
        table: Table::Asset,
        title: t("インタフェース・依存関係", "Interface or dependency"),
        help: t(
            "自組織の活動と、他の組織の活動の境目です（4.3）。",
            "Where own activities meet those of others (4.3).",
        ),
        fields: &[
            text("own_activity", t("自組織の活動", "Own activity"))
                .required()
                .aliases(&["自組織の活動", "自社業務"]),
            text("other_party", t("相手", "Other party")).required().aliases(&["相手", "相手先"]),
            text("other_activity", t("相手の活動", "Their activity")).aliases(&["相手の活動"]),
            long("dependency", t("依存の内容", "Dependency")).aliases(&["依存内容", "依存関係"]),
            text("agreement", t("取り決め", "Agreement")).aliases(&["取決め", "契約"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "scope_statement",
        table: Table::Asset,
        title: t("適用範囲", "Scope statement"),
        help: t(
            "ISMSの適用範囲です。署名した範囲から、資産が対象かどうかが決まります（4.3）。",
            "The scope of the ISMS; whether an asset is in scope follows from the signed text (4.3).",
        ),
        fields: &[
            long("statement", t("適用範囲の文面", "Statement"))
                .required()
                .aliases(&["適用範囲", "文面"]),
            list("sites", t("拠点", "Sites")).aliases(&["拠点", "所在地"]),
            list("departments", t("部署", "Departments")).aliases(&["部署", "組織"]),
            list("processes", t("業務", "Processes")).aliases(&["業務", "事業"]),
            list("kinds", t("資産の種類", "Kinds of asset")).aliases(&["資産の種類"]),
            long("excluded", t("含まないものと理由", "What is left out, and why"))
                .aliases(&["除外", "適用除外"]),
            date("valid_from", t("適用開始日", "Valid from")).aliases(&["適用開始日", "制定日"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "document",
        table: Table::Asset,
        title: t("文書", "Document"),
        help: t("方針、規程、手順書、様式です。", "Policies, rules, procedures, forms."),
        fields: &[
            text("number", t("文書番号", "Number")).aliases(&["文書番号", "管理番号", "No"]),
            Field::new(
                "rank",
                t("種別", "Type"),
                FieldType::Enum(&[
                    choice("policy", "方針", "Policy"),
                    choice("rule", "規程", "Rule"),
                    choice("procedure", "手順書", "Procedure"),
                    choice("form", "様式", "Form"),
                    choice("record", "記録", "Record"),
                ]),
            )
            .aliases(&["種別", "文書種別"]),
            text("edition", t("版", "Edition")).aliases(&["版", "版数", "バージョン"]),
            date("approved_on", t("承認日", "Approved on")).aliases(&[
                "承認日",
                "制定日",
                "改訂日",
            ]),
            date("review_on", t("次回見直し日", "Review on"))
                .aliases(&["見直し日", "次回見直し日"]),
            text("place", t("保管場所", "Place")).aliases(&["保管場所", "URL"]),
            Field::new("content", t("ファイル", "File"), FieldType::File),
            long("summary", t("要旨", "Summary")).aliases(&["要旨", "概要"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "objective",
        table: Table::Asset,
        title: t("情報セキュリティ目的", "Objective"),
        help: t(
            "測れる目的と、その期限です（6.2）。",
            "Objectives that can be measured, with their dates (6.2).",
        ),
        fields: &[
            text("measure", t("指標", "Measure")).required().aliases(&["指標", "測定項目"]),
            text("target", t("目標値", "Target")).required().aliases(&["目標値", "目標"]),
            date("due", t("期限", "Due")).aliases(&["期限", "達成期限"]),
            long("means", t("進め方と資源", "Means and resources")).aliases(&["実施事項", "資源"]),
            long("result", t("結果", "Result")).aliases(&["結果", "実績", "評価"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "audit_item",
        table: Table::Asset,
        title: t("監査項目", "Audit item"),
        help: t("内部監査で確かめることです（9.2）。", "What the internal audit asks (9.2)."),
        fields: &[
            text("clause", t("箇条・管理策", "Clause or control")).required().aliases(&[
                "箇条",
                "管理策",
                "要求事項",
            ]),
            long("question", t("質問", "Question")).required().aliases(&[
                "質問",
                "監査項目",
                "確認事項",
            ]),
            date("last_asked_on", t("前回の実施日", "Last asked on"))
                .aliases(&["前回実施日", "監査日"]),
            text("department", t("対象部署", "Department")).aliases(&["対象部署", "被監査部門"]),
            long("finding", t("所見", "Finding")).aliases(&["所見", "指摘事項", "監査結果"]),
        ],
        version: 1,
    },
];

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "risk_method",
        table: Table::Rule,
        title: t("リスクの評価方法", "Risk method"),
        help: t(
            "尺度、受容の基準、管理策のレベルが起こりやすさに効く度合いを決めます（6.1.2）。",
            "Scales, acceptance, and how a control's level lowers likelihood (6.1.2).",
        ),
        fields: &[
            list("likelihood_scale", t("起こりやすさの尺度", "Likelihood scale"))
                .required()
                .aliases(&["発生可能性", "起こりやすさ"]),
            list("impact_scale", t("影響の尺度", "Impact scale")).required().aliases(&["影響度"]),
            count("accept_at_most", t("受容できる大きさ", "Accepted up to"))
                .required()
                .aliases(&["受容基準", "受容レベル"]),
            Field::new(
                "level_effect",
                t("レベルごとの効き目", "Effect of each level"),
                FieldType::Object,
            )
            .required(),
            number("reassess_days", t("見直しの間隔", "Reassess every"), "d"),
        ],
        version: 1,
    },
    KindSpec {
        id: "approval_policy",
        table: Table::Rule,
        title: t("承認のルール", "Approval policy"),
        help: t(
            "どの決定に、誰の署名が何人分要り、いつまで有効かを決めます。",
            "Which decision needs whose signatures, how many, and how long it holds.",
        ),
        fields: &[
            list("decisions", t("対象の決定", "Decisions")).required().aliases(&["対象"]),
            list("roles", t("署名できる役割", "Roles that may sign"))
                .required()
                .aliases(&["承認者", "役割"]),
            count("quorum", t("必要な人数", "Signatures needed")).required().aliases(&["人数"]),
            number("valid_days", t("有効日数", "Valid for"), "d").required().aliases(&["有効期間"]),
            flag(
                "self_approval",
                t("自己承認を認める（小規模の例外）", "Self-approval, as a small organisation"),
            ),
        ],
        version: 1,
    },
    KindSpec {
        id: "change_threshold",
        table: Table::Rule,
        title: t("計画が要る変更", "Change threshold"),
        help: t(
            "どれだけの変更から、事前に署名した計画が要るかを決めます（6.3）。",
            "From what size a change needs a plan signed beforehand (6.3).",
        ),
        fields: &[
            count("rules_max", t("計画なしで変えてよいルール数", "Rules changed without a plan"))
                .required(),
            flag("scope", t("適用範囲の変更", "Changes of scope")).required(),
            flag("norm_version", t("規格の版の変更", "Changes of norm version")).required(),
            flag("method", t("評価方法の変更", "Changes of method")).required(),
            number("window_days", t("数える期間", "Counted over"), "d"),
        ],
        version: 1,
    },
    KindSpec {
        id: "schedule",
        table: Table::Rule,
        title: t("年間の予定", "Schedule"),
        help: t(
            "レビュー、監査、見直し、教育をいつ行うかを決めます。",
            "When reviews, audits, reassessments and training come round.",
        ),
        fields: &[
            Field::new(
                "activity",
                t("行うこと", "Activity"),
                FieldType::Enum(&[
                    choice("management_review", "マネジメントレビュー", "Management review"),
                    choice("internal_audit", "内部監査", "Internal audit"),
                    choice("risk_assessment", "リスクアセスメント", "Risk assessment"),
                    choice("training", "教育", "Training"),
                    choice("soa", "適用宣言書の見直し", "Statement of Applicability"),
                    choice("document", "文書の見直し", "Review of documents"),
                ]),
            )
            .required()
            .aliases(&["行事", "実施事項"]),
            Field::new("every", t("間隔", "Every"), FieldType::Period)
                .required()
                .aliases(&["頻度", "周期"]),
            date("first_on", t("初回", "First on")).required().aliases(&["開始日", "初回"]),
            number("notice_days", t("何日前に知らせるか", "Notice"), "d"),
        ],
        version: 1,
    },
];

pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "person",
        table: Table::Party,
        title: t("人", "Person"),
        help: t("従業者、管理責任者、連絡先です。", "Staff, people in charge, contacts."),
        fields: &[
            text("department", t("部署", "Department")).aliases(&["部署", "所属", "所属部署"]),
            text("position", t("役職", "Position")).aliases(&["役職"]),
            text("mail", t("メールアドレス", "Mail")).personal().aliases(&[
                "メール",
                "メールアドレス",
                "E-mail",
            ]),
            text("phone", t("電話", "Phone")).personal().aliases(&["電話", "電話番号"]),
            flag("key_person", t("キーパーソン", "Key person")).aliases(&["キーパーソン"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "team",
        table: Table::Party,
        title: t("部署・チーム", "Team"),
        help: t("部署、CSIRT、委員会です。", "Departments, the CSIRT, committees."),
        fields: &[
            long("purpose", t("役割", "Purpose")).aliases(&["役割", "目的"]),
            text("contact", t("連絡先", "Contact")).aliases(&["連絡先"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "supplier",
        table: Table::Party,
        title: t("委託先・供給者", "Supplier"),
        help: t(
            "委託先、クラウド事業者、保守業者です。",
            "Outsourcers, cloud providers, maintenance firms.",
        ),
        fields: &[
            text("contract", t("契約", "Contract")).aliases(&["契約", "契約番号"]),
            date("ends_on", t("契約終了日", "Contract ends on")).aliases(&["契約終了日", "満了日"]),
            text("contact", t("連絡先", "Contact")).personal().aliases(&["連絡先", "窓口"]),
            flag("handles_personal_data", t("個人情報を扱う", "Handles personal data"))
                .aliases(&["個人情報"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "task",
        table: Table::Task,
        title: t("タスク", "Task"),
        help: t("期限と担当のある作業です。", "Work with a due date and someone who does it."),
        fields: &[
            date("due", t("期限", "Due")).required().aliases(&["期限", "期日"]),
            text("assignee", t("担当", "Assignee")).aliases(&["担当", "担当者"]),
            long("description", t("内容", "Description")).aliases(&["内容", "備考"]),
        ],
        version: 1,
    },
    decision(
        "approval",
        t("承認", "Approval"),
        t("対象の版を承認する決定です。", "Approves one version of its subject."),
    ),
    decision(
        "exclusion",
        t("除外", "Exclusion"),
        t("基準を対象外とする決定です。期限が要ります。", "Takes a criterion out, until a date."),
    ),
    decision(
        "target",
        t("目標レベル", "Target level"),
        t("管理策の目標レベルの決定です。", "Sets the target level of a control."),
    ),
];

const DECISION_FIELDS: &[Field] = &[
    text("signer", t("署名者", "Signer")),
    text("method", t("署名方法", "Method")),
    text("subject_table", t("対象の表", "Table of the subject")),
    text("criterion", t("基準", "Criterion")),
    text("control", t("管理策", "Control")),
    text("level", t("レベル", "Level")),
];

const fn decision(id: &'static str, title: Text, help: Text) -> KindSpec {
    KindSpec { id, table: Table::Decision, title, help, fields: DECISION_FIELDS, version: 1 }
}

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "isms.attested",
        title: t("申告", "Attestation"),
        fields: &[
            text("criterion", t("基準", "Criterion")).required(),
            long("statement", t("要旨（個人名は書かない）", "Gist, naming nobody")),
            date("held_on", t("実施日", "Held on")).required(),
        ],
    },
    RecordSpec {
        ty: "isms.imported",
        title: t("文書からの取り込み", "Taken from a document"),
        fields: &[
            text("criterion", t("基準", "Criterion")).required(),
            text("document", t("文書", "Document")).required(),
            count("rows", t("行数", "Rows")),
            date("held_on", t("文書の日付", "Date of the document")),
        ],
    },
    RecordSpec {
        ty: "isms.gap_assessed",
        title: t("ギャップ分析", "Gap analysis"),
        fields: &[
            control(),
            Field::new("level", t("レベル", "Level"), LEVEL).required(),
            count("risks_linked", t("結び付けたリスク", "Risks linked")),
            count(
                "risks_complete",
                t("脅威とリスク源の両方があるリスク", "Risks with threat and risk source"),
            ),
        ],
    },
    RecordSpec {
        ty: "isms.risk_state",
        title: t("リスクの状況", "State of risks"),
        fields: &[
            scope(),
            count("open", t("扱い中のリスク", "Open risks")).required(),
            count("untreated", t("対応のないもの", "Without a treatment")).required(),
            count("unowned", t("所有者のないもの", "Without an owner")).required(),
            count(
                "unsigned",
                t("残留リスクに有効な署名がないもの", "Residual risk not signed, or expired"),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "isms.level_changed",
        title: t("レベルの変化", "Level changed"),
        fields: &[
            control(),
            Field::new("from", t("前", "From"), LEVEL).required(),
            Field::new("to", t("後", "To"), LEVEL).required(),
            text("cause", t("きっかけになった基準", "Criterion that caused it")),
        ],
    },
    RecordSpec {
        ty: "isms.drops_state",
        title: t("低下への対応", "How drops were answered"),
        fields: &[
            scope(),
            count("drops", t("低下", "Drops")).required(),
            count(
                "without_task_in_24_h",
                t("24時間以内にタスクがないもの", "Without a task within 24 hours"),
            )
            .required(),
            permille("closed_in_time_permille", t("期限内に終えた割合", "Closed in time"))
                .required(),
        ],
    },
    RecordSpec {
        ty: "isms.soa_snapshot",
        title: t("適用宣言書の版", "Statement of Applicability, signed"),
        fields: &[
            scope(),
            hash("soa_hash", t("内容のハッシュ", "Hash of the content")).required(),
            flag("approved", t("承認済み", "Approved")).required(),
            count("rows", t("管理策", "Controls")).required(),
            count("applicable", t("適用する管理策", "Applicable")),
            count("excluded", t("除外した管理策", "Excluded")),
        ],
    },
    RecordSpec {
        ty: "isms.soa_compared",
        title: t("附属書Aとの比較", "Compared with Annex A"),
        fields: &[
            scope(),
            count("explained", t("説明のある管理策", "Controls explained")).required(),
            count("open_differences", t("説明のない差", "Differences not explained")).required(),
            number(
                "difference_age_days",
                t(
                    "承認した版と違ってからの日数（同じなら0）",
                    "Days since it differs from the approved version (0 if equal)",
                ),
                "d",
            )
            .required(),
            count("applicable", t("適用する管理策", "Applicable")),
            permille(
                "evidenced_permille",
                t("新しい証拠に基づく割合", "Resting on fresh evidence"),
            ),
        ],
    },
    RecordSpec {
        ty: "isms.review_pack",
        title: t("マネジメントレビュー", "Management review"),
        fields: &[
            scope(),
            date("held_on", t("開催日", "Held on")).required(),
            count("inputs_present", t("揃ったインプット（a～g）", "Inputs present (a to g)"))
                .required(),
            count("inputs_empty", t("理由のない空のインプット", "Empty inputs without a reason"))
                .required(),
            count("instructions", t("指示", "Instructions")),
            count(
                "instructions_without_task",
                t("タスクのない指示", "Instructions without a task"),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "isms.audit_sample",
        title: t("監査の抜き取り", "Audit sample"),
        fields: &[
            control(),
            text("seed", t("乱数の種", "Seed")),
            count("asked", t("確かめた件数", "Samples")).required(),
            Field::new("auditor", t("監査員", "Auditor"), FieldType::Party).required(),
            Field::new(
                "control_owner",
                t("管理策の責任者", "Owner of the control"),
                FieldType::Party,
            )
            .required(),
            count("repeats", t("続けて同じ質問", "Same question in a row")),
        ],
    },
    RecordSpec {
        ty: "isms.audit_state",
        title: t("監査の状況", "State of the audit"),
        fields: &[
            control(),
            count(
                "applicable_unaudited_36_months",
                t(
                    "36か月監査していない適用管理策",
                    "Applicable controls not audited for 36 months",
                ),
            )
            .required(),
            count(
                "findings_unverified",
                t("有効性を確かめずに閉じた所見", "Findings closed without effectiveness check"),
            )
            .required(),
            count("findings_overdue", t("期限を過ぎた所見", "Findings overdue")).required(),
        ],
    },
    RecordSpec {
        ty: "isms.audit_finding",
        title: t("監査の所見", "Audit finding"),
        fields: &[
            control(),
            Field::new(
                "grade",
                t("区分", "Grade"),
                FieldType::Enum(&[
                    choice("major", "重大な不適合", "Major"),
                    choice("minor", "軽微な不適合", "Minor"),
                    choice("observation", "観察事項", "Observation"),
                ]),
            )
            .required(),
            flag("corrected", t("修正した", "Corrected")),
            flag("cause_found", t("原因が分かった", "Cause found")),
            count("similar_cases", t("同じような例", "Similar cases")),
            flag("effective", t("有効性を確かめた", "Effectiveness checked")),
        ],
    },
    RecordSpec {
        ty: "isms.change_judged",
        title: t("変更の判定", "Change judged"),
        fields: &[
            text("what", t("変えたもの", "What changed")).required(),
            flag("above_threshold", t("計画が要る大きさ", "Above the threshold")).required(),
            flag(
                "plan_signed_before",
                t("事前に署名した計画がある", "A plan was signed beforehand"),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "isms.training_completed",
        title: t("教育の修了", "Training completed"),
        fields: &[
            text("course", t("講座", "Course")).required(),
            permille("score_permille", t("得点率", "Score")),
            date("held_on", t("実施日", "Held on")),
        ],
    },
    RecordSpec {
        ty: "isms.ack_given",
        title: t("方針の確認", "Policy acknowledged"),
        fields: &[
            hash("document_hash", t("読んだ版のハッシュ", "Hash of the version read")).required(),
            flag("current", t("現行版", "Current version")).required(),
            text("language", t("読んだ言語", "Language")),
        ],
    },
    RecordSpec {
        ty: "isms.import_run",
        title: t("取り込み", "Import run"),
        fields: &[
            text("kind", t("種類", "Kind")).required(),
            hash("file_hash", t("ファイルのハッシュ", "Hash of the file")).required(),
            count("rows", t("行", "Rows")).required(),
            count("accepted", t("取り込んだ行", "Accepted")),
            count("refused", t("断った行", "Refused")),
        ],
    },
    RecordSpec {
        ty: "isms.export_run",
        title: t("書き出し", "Export run"),
        fields: &[
            text("format", t("形式", "Format")).required(),
            text("what", t("対象", "What")),
            hash("file_hash", t("ファイルのハッシュ", "Hash of the file")).required(),
            date("as_of", t("時点", "As of")),
        ],
    },
    RecordSpec {
        ty: "isms.bundle_verified",
        title: t("監査バンドルの検証", "Bundle verified"),
        fields: &[
            scope(),
            hash("bundle_hash", t("バンドルのハッシュ", "Hash of the bundle")).required(),
            flag("off_server", t("サーバーの外で検証した", "Verified off the server")).required(),
            count("proofs", t("確かめた証明", "Proofs checked")).required(),
            count("failed", t("合わなかった証明", "Proofs that failed")).required(),
            Field::new("verifier", t("検証した組織", "Verified by"), FieldType::Party),
        ],
    },
    RecordSpec {
        ty: "isms.checkpoint_published",
        title: t("チェックポイントの公開", "Checkpoint published"),
        fields: &[
            scope(),
            count("size", t("葉の数", "Leaves")).required(),
            hash("root", t("ルート", "Root")).required(),
            count("witnesses", t("外部の証人", "Outside witnesses")),
            flag("time_stamped", t("タイムスタンプ局の印", "Time-stamped")),
        ],
    },
    RecordSpec {
        ty: "isms.measured_day",
        title: t("一日の計測", "A day's measurement"),
        fields: &[
            scope(),
            count("criteria", t("基準", "Criteria")).required(),
            count("unknown", t("不明", "Unknown")).required(),
            count("stale", t("期限切れ", "Stale")).required(),
            number(
                "clean_days",
                t("不明も期限切れもない日の連続", "Days in a row without unknown or stale"),
                "d",
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "isms.table_change",
        title: t("台帳の変更", "Row changed"),
        fields: &[
            text("table", t("表", "Table")).required(),
            text("row", t("行", "Row")).required(),
            count("version", t("版", "Version")).required(),
            hash("commit", t("内容の約束", "Commitment")),
        ],
    },
    RecordSpec {
        ty: "isms.proof_failed",
        title: t("証明の不一致", "Proof failed"),
        fields: &[
            text("place", t("場所", "Place")).required(),
            count("index", t("葉の番号", "Leaf")),
            hash("expected", t("期待したハッシュ", "Hash expected")),
            hash("found", t("見つかったハッシュ", "Hash found")),
        ],
    },
];
