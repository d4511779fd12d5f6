//! Asset and rule kinds of the hall.

use model::{Field, FieldType, Group, KindSpec, Rule, Table, t};

use super::fields::{choice, count, date, flag, hash, list, long, number, text};

/// Sample that a row began with: what was taken over once is not offered again.
const SHIPPED: Field = text("shipped", t("もとにした見本", "Sample it began with"));

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "context_issue",
        table: Table::Asset,
        title: t("外部・内部の課題", "Context issue"),
        help: t(
            "ISMSに影響する、組織の内外の課題です（4.1）。",
            "What inside or outside the organisation affects the ISMS (4.1).",
        ),
        known_as: &["外部内部の課題", "内部外部の課題", "課題一覧", "組織の状況"],
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
            long("sign", t("変化の兆し", "Sign that it changed")).aliases(&["兆し", "変化の兆し"]),
            SHIPPED,
        ],
        version: 2,
        // The second version only added fields.
        upcasts: &[|_| ()],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "party_need",
        table: Table::Asset,
        title: t("利害関係者の要求", "Need of an interested party"),
        help: t(
            "利害関係者が求めることと、ISMSで扱うかどうかです（4.2）。",
            "What interested parties ask, and whether the ISMS answers it (4.2).",
        ),
        known_as: &["利害関係者", "利害関係者一覧", "ニーズと期待"],
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
            flag("climate", t("気候変動に関わる", "About climate change")).aliases(&["気候変動"]),
            SHIPPED,
        ],
        version: 2,
        // The second version only added fields.
        upcasts: &[|_| ()],
        ..KindSpec::BASE
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
            date("reviewed_on", t("見直し日", "Reviewed on")).aliases(&["見直し日"]),
            SHIPPED,
        ],
        version: 2,
        // The second version only added fields.
        upcasts: &[|_| ()],
        ..KindSpec::BASE
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
        ..KindSpec::BASE
    },
    KindSpec {
        id: "document",
        table: Table::Asset,
        title: t("文書", "Document"),
        help: t("方針、規程、手順書、様式です。", "Policies, rules, procedures, forms."),
        known_as: &["文書台帳", "文書管理台帳", "文書一覧", "規程一覧"],
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
        rules: &[Rule::NotBefore { start: "approved_on", end: "review_on" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "statement_of_applicability",
        table: Table::Asset,
        title: t("適用宣言書", "Statement of Applicability"),
        help: t(
            "ある日の適用宣言書の版です。適用宣言書のページで作り、署名するとその内容に結び付きます（6.1.3 d）。",
            "An edition of the Statement of Applicability. It is drawn on its page; a signature binds exactly this content (6.1.3 d).",
        ),
        fields: &[
            hash("soa_hash", t("内容のハッシュ", "Hash of the content")).required(),
            text("snapshot", t("内容を収めた記録", "Record that holds the content")).required(),
            date("drawn_on", t("作成日", "Drawn on")).required(),
            count("rows", t("管理策", "Controls")).required(),
            count("applicable", t("適用する管理策", "Applicable")).required(),
            count("excluded", t("除外した管理策", "Excluded")).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "objective",
        table: Table::Asset,
        title: t("情報セキュリティ目的", "Objective"),
        help: t(
            "測れる目的と、その期限です（6.2）。",
            "Objectives that can be measured, with their dates (6.2).",
        ),
        known_as: &["情報セキュリティ目標", "目標一覧", "セキュリティ目的"],
        fields: &[
            text("measure", t("指標", "Measure")).required().aliases(&["指標", "測定項目"]),
            text("target", t("目標値", "Target")).required().aliases(&["目標値", "目標"]),
            date("due", t("期限", "Due")).aliases(&["期限", "達成期限"]),
            long("means", t("進め方と資源", "Means and resources")).aliases(&["実施事項", "資源"]),
            long("result", t("結果", "Result")).aliases(&["結果", "実績", "評価"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "audit_item",
        table: Table::Asset,
        title: t("監査項目", "Audit item"),
        help: t("内部監査で確かめることです（9.2）。", "What the internal audit asks (9.2)."),
        known_as: &["監査チェックリスト", "内部監査チェック"],
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
        ..KindSpec::BASE
    },
    super::process::FINDING,
];

/// What asks for a control beside risks.
const DRIVER: &[Field] = &[
    Field::new(
        "type",
        t("種類", "Kind"),
        FieldType::Enum(&[
            choice("law", "法令", "law"),
            choice("contract", "契約", "contract"),
            choice("business", "事業上の必要", "business need"),
        ]),
    )
    .required(),
    text("source", t("根拠", "Source")).required(),
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
            list(
                "consequence_controls",
                t("影響を下げる管理策", "Controls that lower consequence instead"),
            ),
            number("reassess_days", t("見直しの間隔", "Reassess every"), "d"),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "control_use",
        table: Table::Rule,
        title: t("管理策の適用", "Use of a control"),
        help: t(
            "管理策を適用するかどうか、その理由、責任者、どう実施するかです。附属書Aの93管理策のほか、組織が独自に決めた管理策も書けます（6.1.3 b～d）。",
            "Whether a control is used, why, who answers for it and how it is done: the 93 of Annex A, and those the organisation determined itself (6.1.3 b to d).",
        ),
        fields: &[
            text("control", t("管理策の番号", "Number of the control")).required().aliases(&[
                "管理策番号",
                "番号",
                "附属書A",
                "項番",
                "No",
            ]),
            Field::new(
                "applies",
                t("適用", "Applied"),
                FieldType::Enum(&[
                    choice("yes", "適用する", "applied"),
                    choice("no", "適用しない", "not applied"),
                ]),
            )
            .required()
            .aliases(&["適用", "適用要否", "要否", "適用の有無", "適用/除外"]),
            long("reason", t("適用・除外の理由", "Why it is used or left out")).aliases(&[
                "理由",
                "適用理由",
                "除外理由",
                "適用/除外の理由",
                "選択理由",
            ]),
            Field::new(
                "drivers",
                t("根拠（リスクのほか）", "What asks for it, beside risks"),
                FieldType::Table(DRIVER),
            ),
            long("statement", t("実施の内容", "How it is done")).aliases(&[
                "実施内容",
                "管理策の実施方法",
                "対応内容",
            ]),
            Field::new(
                "provision",
                t("誰が行うか", "Who does it"),
                FieldType::Enum(&[
                    choice("own", "自組織", "the organisation"),
                    choice("shared", "分担", "shared with a provider"),
                    choice("inherited", "提供者から引き継ぐ", "inherited from a provider"),
                ]),
            )
            .aliases(&["実施主体", "責任分担"]),
            Field::new("provider", t("提供者", "Provider"), FieldType::Party)
                .aliases(&["提供者", "委託先"]),
            Field::new("responsible", t("責任者", "Who answers for it"), FieldType::Party)
                .aliases(&["責任者", "管理責任者", "主管部門"]),
            list("documents", t("関連文書", "Documents")).aliases(&[
                "関連文書",
                "文書",
                "規程・手順書",
            ]),
            Field::new(
                "declared",
                t("申告した実施状況", "State as declared"),
                FieldType::Enum(&[
                    choice("done", "実施済み", "done"),
                    choice("partly", "一部実施", "partly done"),
                    choice("planned", "計画中", "planned"),
                    choice("not_done", "未実施", "not done"),
                ]),
            )
            .aliases(&["実施状況", "状況", "実施の有無"]),
            flag("confirm", t("移行後の確認待ち", "To be confirmed after a migration")),
        ],
        groups: &[
            Group::new(t("適用", "Use"), &["control", "applies", "reason", "drivers"]),
            Group::new(
                t("実施", "How it is done"),
                &[
                    "statement",
                    "responsible",
                    "provision",
                    "provider",
                    "documents",
                    "declared",
                    "confirm",
                ],
            ),
        ],
        rules: &[
            Rule::RequiredIf { field: "reason", when: "applies", is: &["no"] },
            Rule::RequiredIf { field: "provider", when: "provision", is: &["shared", "inherited"] },
        ],
        ..KindSpec::BASE
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
        ..KindSpec::BASE
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
        ..KindSpec::BASE
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
        ..KindSpec::BASE
    },
];
