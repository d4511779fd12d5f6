//! The hall's own kinds and record types: what belongs to no single control.

use model::{
    Choice, Expr, Field, FieldType, KindSpec, LevelText, Question, RecordSpec, RoomSpec, Table, t,
};

use crate::relations;

const NONE: LevelText = LevelText {
    function: t("全管理策に共通", "common to all controls"),
    practice: t("各管理策のレベルを参照", "see the level of each control"),
};

const NUMBER: FieldType = FieldType::Number { unit: "", min: 0, max: i64::MAX };

/// The hall.
pub const SPEC: RoomSpec = RoomSpec {
    id: "isms",
    control: "isms",
    name: t("ISMS共通", "ISMS"),
    requirement: t(
        "規格の箇条4から10。管理策の記録から、達成度と説明を導く。",
        "Clauses 4 to 10: what the controls' records say, and what follows from it.",
    ),
    overview: t(
        "人・組織、課題、利害関係者、文書、目的、監査項目と、手で入れた証拠を扱う。",
        "People, issues, interested parties, documents, objectives, audit items, and evidence handed in.",
    ),
    aim: t(
        "いつの時点でも、何をどこまで、どの証拠で行っているかを示す。",
        "Show for any day what is done, how far, and on what proof.",
    ),
    actors: t(
        "ISMS事務局、リスク所有者、経営層、監査員",
        "ISMS officer, risk owners, executives, auditors",
    ),
    examples: t(
        "情報セキュリティ方針、議事録、教育の名簿",
        "the security policy, minutes, training lists",
    ),
    related: &[],
    question: Question {
        text: t("どの管理策が梅に達しているか", "Which controls have reached 梅?"),
        criterion: "",
        yes: t("ホームを参照", "see home"),
        no: t("ホームを参照", "see home"),
        unknown: t("ホームを参照", "see home"),
    },
    levels: [NONE, NONE, NONE],
    ladder: [Expr::All(&[]), Expr::All(&[]), Expr::All(&[])],
    criteria: &[],
    kinds: KINDS,
    rules: &[],
    others: &ALL_OTHERS,
    records: RECORDS,
    mends: &[],
    consumes: &[3002],
    emits: &[2003],
    files: &["ledger"],
};

const ALL_OTHERS: [KindSpec; OTHERS.len() + relations::KINDS.len()] =
    relations::joined(OTHERS, relations::KINDS);

const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "document",
        table: Table::Asset,
        title: t("文書", "Document"),
        help: t("方針、規程、手順書、様式。", "Policies, rules, procedures, forms."),
        fields: &[
            Field::new("number", t("文書番号", "Number"), FieldType::Text)
                .aliases(&["文書番号", "No"]),
            Field::new("approved_on", t("承認日", "Approved on"), FieldType::Date)
                .aliases(&["承認日", "制定日"]),
            Field::new("review_on", t("次回見直し日", "Review on"), FieldType::Date)
                .aliases(&["見直し日"]),
            Field::new("place", t("保管場所", "Place"), FieldType::Text)
                .aliases(&["保管場所", "URL"]),
            Field::new("summary", t("要旨", "Summary"), FieldType::Multiline),
        ],
        version: 1,
    },
    KindSpec {
        id: "context_issue",
        table: Table::Asset,
        title: t("外部・内部の課題", "Context issue"),
        help: t(
            "ISMSに影響する組織の内外の課題（4.1）。",
            "What inside or outside affects the ISMS (4.1).",
        ),
        fields: &[
            Field::new(
                "side",
                t("区分", "Side"),
                FieldType::Enum(&[
                    Choice { value: "external", label: t("外部", "external") },
                    Choice { value: "internal", label: t("内部", "internal") },
                ]),
            )
            .required(),
            Field::new("description", t("内容", "Description"), FieldType::Multiline).required(),
            Field::new("effect", t("ISMSへの影響", "Effect on the ISMS"), FieldType::Multiline),
            Field::new("reviewed_on", t("見直し日", "Reviewed on"), FieldType::Date),
        ],
        version: 1,
    },
    KindSpec {
        id: "party_need",
        table: Table::Asset,
        title: t("利害関係者の要求", "Need of an interested party"),
        help: t("利害関係者が求めること（4.2）。", "What interested parties ask (4.2)."),
        fields: &[
            Field::new("party", t("利害関係者", "Party"), FieldType::Text).required(),
            Field::new("need", t("要求", "Need"), FieldType::Multiline).required(),
            Field::new("met_by_isms", t("ISMSで扱う", "Met by the ISMS"), FieldType::Boolean),
            Field::new("source", t("根拠", "Source"), FieldType::Text),
        ],
        version: 1,
    },
    KindSpec {
        id: "interface",
        table: Table::Asset,
        title: t("インタフェース・依存関係", "Interface or dependency"),
        help: t(
            "自組織と他組織の活動の境目（4.3）。",
            "Where own and others' activities meet (4.3).",
        ),
        fields: &[
            Field::new("own_activity", t("自組織の活動", "Own activity"), FieldType::Text)
                .required(),
            Field::new("other_party", t("相手", "Other party"), FieldType::Text).required(),
            Field::new("dependency", t("依存の内容", "Dependency"), FieldType::Multiline),
            Field::new("agreement", t("取決め", "Agreement"), FieldType::Text),
        ],
        version: 1,
    },
    KindSpec {
        id: "objective",
        table: Table::Asset,
        title: t("情報セキュリティ目的", "Objective"),
        help: t("測れる目的と期限（6.2）。", "Objectives that can be measured, with dates (6.2)."),
        fields: &[
            Field::new("measure", t("指標", "Measure"), FieldType::Text).required(),
            Field::new("target", t("目標値", "Target"), FieldType::Text).required(),
            Field::new("due", t("期限", "Due"), FieldType::Date),
            Field::new("result", t("結果", "Result"), FieldType::Multiline),
        ],
        version: 1,
    },
    KindSpec {
        id: "audit_item",
        table: Table::Asset,
        title: t("監査項目", "Audit item"),
        help: t("内部監査で確かめること（9.2）。", "What the internal audit asks (9.2)."),
        fields: &[
            Field::new("clause", t("箇条・管理策", "Clause or control"), FieldType::Text)
                .required(),
            Field::new("question", t("質問", "Question"), FieldType::Multiline).required(),
            Field::new("last_asked_on", t("前回の実施日", "Last asked on"), FieldType::Date),
            Field::new("finding", t("所見", "Finding"), FieldType::Multiline),
        ],
        version: 1,
    },
];

const OTHERS: &[KindSpec] = &[
    crate::welcome::ORGANISATION,
    KindSpec {
        id: "person",
        table: Table::Party,
        title: t("人", "Person"),
        help: t("従業者、管理責任者、連絡先。", "Staff, people in charge, contacts."),
        fields: &[
            Field::new("department", t("部署", "Department"), FieldType::Text)
                .aliases(&["部署", "所属"]),
            Field::new("position", t("役職", "Position"), FieldType::Text).aliases(&["役職"]),
            Field::new("mail", t("メールアドレス", "Mail"), FieldType::Text)
                .personal()
                .aliases(&["メール", "E-mail"]),
            Field::new("phone", t("電話", "Phone"), FieldType::Text)
                .personal()
                .aliases(&["電話番号"]),
            Field::new("key_person", t("キーパーソン", "Key person"), FieldType::Boolean),
            Field::new("account", t("サインイン名", "Sign-in name"), FieldType::Text)
                .personal()
                .aliases(&["サインイン名", "アカウント"]),
        ],
        version: 1,
    },
    KindSpec {
        id: "team",
        table: Table::Party,
        title: t("部署・チーム", "Team"),
        help: t("部署、CSIRT、委員会。", "Departments, the CSIRT, committees."),
        fields: &[
            Field::new("purpose", t("役割", "Purpose"), FieldType::Multiline),
            Field::new("contact", t("連絡先", "Contact"), FieldType::Text),
        ],
        version: 1,
    },
    KindSpec {
        id: "supplier",
        table: Table::Party,
        title: t("委託先・供給者", "Supplier"),
        help: t(
            "委託先、クラウド事業者、保守業者。",
            "Outsourcers, cloud providers, maintenance firms.",
        ),
        fields: &[
            Field::new("contract", t("契約", "Contract"), FieldType::Text).aliases(&["契約番号"]),
            Field::new("ends_on", t("契約終了日", "Contract ends on"), FieldType::Date)
                .aliases(&["契約終了日"]),
            Field::new("contact", t("連絡先", "Contact"), FieldType::Text),
            Field::new(
                "handles_personal_data",
                t("個人情報を扱う", "Handles personal data"),
                FieldType::Boolean,
            ),
        ],
        version: 1,
    },
    KindSpec {
        id: "task",
        table: Table::Task,
        title: t("タスク", "Task"),
        help: t("期限と担当のある作業。", "Work with a due date and someone who does it."),
        fields: &[
            Field::new("due", t("期限", "Due"), FieldType::Date).required(),
            Field::new("assignee", t("担当", "Assignee"), FieldType::Text),
            Field::new("description", t("内容", "Description"), FieldType::Multiline),
        ],
        version: 1,
    },
    decision(
        "approval",
        t("承認", "Approval"),
        t("対象の版を承認する決定。", "Approves one version of its subject."),
    ),
    decision(
        "exclusion",
        t("除外", "Exclusion"),
        t("基準を対象外とする決定。期限が要る。", "Takes a criterion out, until a date."),
    ),
    decision(
        "exception",
        t("例外", "Exception"),
        t("対象について例外を認める決定。", "Admits an exception for its subject."),
    ),
    decision(
        "review",
        t("見直し", "Review"),
        t("対象の版を見直した決定。", "Says that this version of its subject was reviewed."),
    ),
    decision(
        "target",
        t("目標レベル", "Target level"),
        t("管理策の目標レベルの決定。", "Sets the target level of a control."),
    ),
    KindSpec {
        id: "shred",
        table: Table::Decision,
        title: t("消去の決定", "Shredding"),
        help: t(
            "記録の付属データと、台帳の個人情報の項目を消去する決定。取り消せない。",
            "Has payloads of records and personal fields of rows shredded. It cannot be undone.",
        ),
        fields: &[
            Field::new("records", t("記録の識別子", "Ids of records"), FieldType::List),
            Field::new("rows", t("台帳の行（表/識別子）", "Rows (table/id)"), FieldType::List),
        ],
        version: 1,
    },
    KindSpec {
        id: "fork",
        table: Table::Decision,
        title: t("証跡の分岐の決定", "Fork of the ledger"),
        help: t(
            "古いバックアップから復元した後、公開済みの証跡の末尾を放棄する決定。",
            "Gives up the published end of the ledger after an old backup was restored.",
        ),
        fields: &[Field::new(
            "published_size",
            t("放棄するチェックポイントの葉の数", "Leaves of the checkpoint given up"),
            NUMBER,
        )
        .required()],
        version: 1,
    },
    norm(
        "annex_a",
        t("附属書Aの管理策", "Annex A control"),
        t("2022年版の附属書Aの管理策。", "Controls in Annex A of 2022."),
    ),
    norm(
        "clause",
        t("箇条", "Clause"),
        t("本文の箇条4から10。", "Clauses 4 to 10 of the standard."),
    ),
    norm(
        "annex_a_2013",
        t("附属書Aの管理策（2013年版）", "Annex A control of 2013"),
        t("2013年版の附属書A。移行時に使う。", "Annex A of 2013, for the move to 2022."),
    ),
];

const NORM_FIELDS: &[Field] = &[
    Field::new("norm_id", t("識別子", "Id"), FieldType::Text).required(),
    Field::new("number", t("番号", "Number"), FieldType::Text).required(),
    Field::new("set", t("規格", "Standard"), FieldType::Text).required(),
    Field::new("edition", t("版", "Edition"), FieldType::Text).required(),
    Field::new("title_ja", t("題名（日本語）", "Title in Japanese"), FieldType::Text).required(),
    Field::new("title_en", t("題名（英語）", "Title in English"), FieldType::Text).required(),
    Field::new("summary_ja", t("要約（日本語）", "Summary in Japanese"), FieldType::Multiline),
    Field::new("summary_en", t("要約（英語）", "Summary in English"), FieldType::Multiline),
    Field::new(
        "theme",
        t("テーマ", "Theme"),
        FieldType::Enum(&[
            Choice { value: "organizational", label: t("組織的", "organizational") },
            Choice { value: "people", label: t("人的", "people") },
            Choice { value: "physical", label: t("物理的", "physical") },
            Choice { value: "technological", label: t("技術的", "technological") },
        ]),
    ),
    Field::new("control_type", t("管理策タイプ", "Control type"), FieldType::List),
    Field::new("properties", t("情報セキュリティ特性", "Security properties"), FieldType::List),
    Field::new("new_in_2022", t("2022年版で新規", "New in 2022"), FieldType::Boolean),
    Field::new("author", t("要約の作成者", "Author of the summary"), FieldType::Text).required(),
];

const fn norm(id: &'static str, title: model::Text, help: model::Text) -> KindSpec {
    KindSpec { id, table: Table::Norm, title, help, fields: NORM_FIELDS, version: 1 }
}

const DECISION_FIELDS: &[Field] = &[
    Field::new("signer", t("署名者", "Signer"), FieldType::Text),
    Field::new("method", t("署名方法", "Method"), FieldType::Text),
    Field::new("subject_table", t("対象の表", "Table of the subject"), FieldType::Text),
    Field::new("criterion", t("基準", "Criterion"), FieldType::Text),
    Field::new("control", t("管理策", "Control"), FieldType::Text),
    Field::new("level", t("レベル", "Level"), FieldType::Text),
];

const fn decision(id: &'static str, title: model::Text, help: model::Text) -> KindSpec {
    KindSpec { id, table: Table::Decision, title, help, fields: DECISION_FIELDS, version: 1 }
}

const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "isms.attested",
        title: t("申告", "Attestation"),
        fields: &[
            Field::new("criterion", t("基準", "Criterion"), FieldType::Text).required(),
            Field::new("held_on", t("実施日", "Held on"), FieldType::Date).required(),
        ],
    },
    RecordSpec {
        ty: "isms.imported",
        title: t("文書からの取込み", "Taken from a document"),
        fields: &[
            Field::new("criterion", t("基準", "Criterion"), FieldType::Text).required(),
            Field::new("held_on", t("文書の日付", "Date of the document"), FieldType::Date)
                .required(),
            Field::new("document", t("文書", "Document"), FieldType::Text).required(),
            Field::new("rows", t("行数", "Rows"), NUMBER),
        ],
    },
    RecordSpec {
        ty: "isms.shredded",
        title: t("消去", "Shredding"),
        fields: &[
            Field::new("records", t("記録", "Records"), FieldType::List),
            Field::new("rows", t("台帳の行", "Rows"), FieldType::List),
            Field::new("decision", t("決定", "Decision"), FieldType::Text).required(),
            Field::new("cohort", t("期限の区分", "Expiry cohort"), FieldType::Text),
            Field::new("epoch", t("破棄した鍵の世代", "Epoch of the destroyed key"), NUMBER),
        ],
    },
    RecordSpec {
        ty: "isms.ledger_forked",
        title: t("証跡の分岐", "Fork of the ledger"),
        fields: &[
            Field::new("decision", t("決定", "Decision"), FieldType::Text).required(),
            Field::new("published_size", t("公開済みの葉の数", "Published leaves"), NUMBER)
                .required(),
            Field::new("published_root", t("公開済みのルート", "Published root"), FieldType::Hash)
                .required(),
            Field::new("size", t("残った葉の数", "Leaves left"), NUMBER).required(),
        ],
    },
    RecordSpec {
        ty: "isms.level_changed",
        title: t("レベルの変化", "Level change"),
        fields: &[
            Field::new("control", t("管理策", "Control"), FieldType::Text).required(),
            Field::new("from", t("前", "From"), FieldType::Text).required(),
            Field::new("to", t("後", "To"), FieldType::Text).required(),
        ],
    },
    RecordSpec {
        ty: "isms.account_changed",
        title: t("アカウントの変更", "Account changed"),
        fields: &[
            ACCOUNT_ID,
            Field::new("change", t("変更", "Change"), FieldType::Text).required(),
            Field::new("role", t("役割", "Role"), FieldType::Text).required(),
        ],
    },
    RecordSpec {
        ty: "isms.signed_in",
        title: t("サインイン", "Sign-in"),
        fields: &[
            ACCOUNT_ID,
            Field::new("method", t("方法", "Method"), FieldType::Text).required(),
        ],
    },
    RecordSpec {
        ty: "isms.sign_in_refused",
        title: t("サインインの拒否", "Refused sign-ins"),
        fields: &[
            ACCOUNT_ID,
            Field::new("count", t("件数", "Count"), NUMBER).required(),
            Field::new("throttled", t("うち待機による拒否", "Of which made to wait"), NUMBER)
                .required(),
        ],
    },
];

/// Accounts are named by id only; `unknown` stands for names that no account has.
const ACCOUNT_ID: Field =
    Field::new("account_id", t("アカウントID", "Account id"), FieldType::Text).required();
