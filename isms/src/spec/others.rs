//! Party, task, decision and norm kinds of the hall.

use model::{Choice, Field, FieldType, Group, KindSpec, Rule, Table, Text, t};

use super::fields::{choice, count, date, flag, list, long, number, text};

pub(crate) const OTHERS: &[KindSpec] = &[
    crate::welcome::ORGANISATION,
    KindSpec {
        id: "person",
        table: Table::Party,
        title: t("人", "Person"),
        help: t("従業者、管理責任者、連絡先です。", "Staff, people in charge, contacts."),
        known_as: &[
            "名簿",
            "社員名簿",
            "従業員名簿",
            "従業員一覧",
            "社員一覧",
            "職員名簿",
            "連絡網",
            "体制表",
        ],
        fields: &[
            text("department", t("部署", "Department")).aliases(&["部署", "所属", "所属部署"]),
            text("position", t("役職", "Position")).aliases(&["役職"]),
            Field::new("site", t("拠点", "Site"), FieldType::Reference("site")).aliases(&[
                "拠点",
                "勤務地",
                "事業所",
            ]),
            text("mail", t("メールアドレス", "Mail")).personal().aliases(&[
                "メール",
                "メールアドレス",
                "E-mail",
            ]),
            text("phone", t("電話", "Phone")).personal().aliases(&["電話", "電話番号"]),
            flag("key_person", t("キーパーソン", "Key person")).aliases(&["キーパーソン"]),
            text("account", t("サインイン名", "Sign-in name"))
                .personal()
                .aliases(&["サインイン名", "アカウント"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "team",
        table: Table::Party,
        title: t("部署・チーム", "Team"),
        help: t("部署、CSIRT、委員会です。", "Departments, the CSIRT, committees."),
        known_as: &["部署一覧", "組織一覧", "部門一覧"],
        fields: &[
            long("purpose", t("役割", "Purpose")).aliases(&["役割", "目的"]),
            text("contact", t("連絡先", "Contact")).aliases(&["連絡先"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "supplier",
        table: Table::Party,
        title: t("委託先・供給者", "Supplier"),
        help: t(
            "委託先、クラウド事業者、保守業者です。",
            "Outsourcers, cloud providers, maintenance firms.",
        ),
        known_as: &[
            "委託先一覧",
            "委託先台帳",
            "委託先管理台帳",
            "業務委託先",
            "供給者一覧",
            "取引先一覧",
            "外部委託先",
        ],
        fields: &[
            text("contract", t("契約", "Contract")).aliases(&[
                "契約",
                "契約番号",
                "契約書",
                "契約名",
                "委託内容",
                "委託業務",
            ]),
            date("ends_on", t("契約終了日", "Contract ends on")).aliases(&[
                "契約終了日",
                "満了日",
                "契約満了日",
                "契約期限",
                "契約期間/至",
                "契約期間(至)",
            ]),
            text("contact", t("連絡先", "Contact")).personal().aliases(&[
                "連絡先",
                "窓口",
                "先方担当者",
                "担当窓口",
            ]),
            flag("handles_personal_data", t("個人情報を扱う", "Handles personal data")).aliases(&[
                "個人情報",
                "個人情報の取扱い",
                "個人情報の有無",
                "個人情報取扱",
            ]),
        ],
        rules: &[Rule::RequiredIf { field: "ends_on", when: "contract", is: &[] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "task",
        table: Table::Task,
        title: t("タスク", "Task"),
        help: t("期限と担当のある作業です。", "Work with a due date and someone who does it."),
        known_as: &[
            "課題管理",
            "課題管理表",
            "todo",
            "タスク一覧",
            "アクション一覧",
            "是正処置一覧",
        ],
        fields: TASK_FIELDS,
        groups: &[
            Group::new(t("期限", "Due"), &["due", "clock", "zone"]),
            Group::new(t("担当", "Who"), &["assignee", "role"]),
            Group::new(t("繰り返し", "Recurrence"), &["rrule", "anchor", "business_day"]),
            Group::new(
                t("通知と完了", "Notices and closing"),
                &["remind_days", "escalation", "closes_with", "closes_where", "closed_by"],
            ),
            Group::new(t("内容", "Content"), &["description"]),
        ],
        rules: &[Rule::RequiredIf { field: "rrule", when: "anchor", is: &[] }],
        guard: None,
        version: 2,
        // The second version only added fields.
        upcasts: &[|_| ()],
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
        "confirmation",
        t("確認", "Confirmation"),
        t("ほかの決定に同意する決定です。", "Agrees with another decision."),
    ),
    decision(
        "target",
        t("目標レベル", "Target level"),
        t("管理策の目標レベルの決定です。", "Sets the target level of a control."),
    ),
    KindSpec {
        id: "delegation",
        table: Table::Decision,
        title: t("署名の委任", "Delegation of signatures"),
        help: t(
            "自分の署名を、種類と期限を決めて別の人に任せる決定です。",
            "Lets someone sign some kinds of decision in one's place for a time.",
        ),
        fields: DELEGATION_FIELDS,
        ..KindSpec::BASE
    },
    KindSpec {
        id: "risk_acceptance",
        table: Table::Decision,
        title: t("残留リスクの受容", "Acceptance of a residual risk"),
        help: t(
            "リスク所有者が、その時点で計算された残留リスクを受け入れる決定です（6.1.3 f）。リスクが上がると受け入れ直しが要ります。",
            "The risk owner accepts the residual risk as computed then (6.1.3 f). When the risk rises it has to be accepted again.",
        ),
        fields: ACCEPTANCE_FIELDS,
        ..KindSpec::BASE
    },
    KindSpec {
        id: "shred",
        table: Table::Decision,
        title: t("消去の決定", "Shredding"),
        help: t(
            "記録の付属データと、台帳の個人情報の項目を消去する決定。取り消せない。",
            "Has payloads of records and personal fields of rows shredded. It cannot be undone.",
        ),
        fields: &[
            list("records", t("記録の識別子", "Ids of records")),
            list("rows", t("台帳の行（表/識別子）", "Rows (table/id)")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "fork",
        table: Table::Decision,
        title: t("証跡の分岐の決定", "Fork of the ledger"),
        help: t(
            "古いバックアップから復元した後、公開済みの証跡の末尾を放棄する決定。",
            "Gives up the published end of the ledger after an old backup was restored.",
        ),
        fields: &[count(
            "published_size",
            t("放棄するチェックポイントの葉の数", "Leaves of the checkpoint given up"),
        )
        .required()],
        ..KindSpec::BASE
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

const NORM_GROUPS: &[Group] = &[
    Group::new(t("番号", "Number"), &["norm_id", "number", "set", "edition"]),
    Group::new(
        t("題名と要約", "Title and summary"),
        &["title_ja", "title_en", "summary_ja", "summary_en", "author"],
    ),
    Group::new(t("属性", "Attributes"), &["theme", "control_type", "properties", "new_in_2022"]),
];

const TASK_FIELDS: &[Field] = &[
    date("due", t("期限", "Due")).required().aliases(&["期限", "期日"]),
    text("clock", t("期限の時刻（空欄は一日の終わり）", "Time of day, end of day if empty"))
        .aliases(&["時刻"]),
    text("zone", t("タイムゾーン（例 Asia/Tokyo）", "Time zone, such as Asia/Tokyo"))
        .aliases(&["タイムゾーン"]),
    text("rrule", t("繰り返し（RFC 5545、例 FREQ=MONTHLY）", "Recurrence (RFC 5545)"))
        .aliases(&["繰り返し", "頻度"]),
    date("anchor", t("繰り返しの起点（空欄は期限）", "Recurrence counts from, due if empty")),
    Field::new(
        "business_day",
        t("休日に当たるとき", "When it falls on a holiday"),
        FieldType::Enum(&[
            choice("as_is", "そのまま", "Keep"),
            choice("next", "翌営業日", "Next business day"),
            choice("previous", "前営業日", "Business day before"),
        ]),
    ),
    Field::new("assignee", t("担当", "Assignee"), FieldType::Party).aliases(&["担当", "担当者"]),
    Field::new("role", t("担当する役割", "Role that does it"), ROLE).aliases(&["役割"]),
    text("closes_with", t("完了に必要な記録の種類", "Record type that closes it"))
        .aliases(&["完了の記録"]),
    number("remind_days", t("何日前に知らせるか", "Remind before"), "d"),
    list(
        "escalation",
        t(
            "上申（1行に「超過日数 役割」、例 3 officer）",
            "Escalation, a line each: days overdue, role",
        ),
    ),
    long("description", t("内容", "Description")).aliases(&["内容", "備考"]),
    Field::new(
        "closes_where",
        t("完了の記録が満たす条件", "What the closing record must say"),
        FieldType::Object,
    ),
    text("closed_by", t("完了させた記録", "Record that closed it")),
];

const ROLE: FieldType = FieldType::Enum(&[
    choice("officer", "ISMS事務局", "ISMS officer"),
    choice("administrator", "システム管理者", "Administrator"),
    choice("risk_owner", "リスク所有者", "Risk owner"),
    choice("executive", "経営層", "Executive"),
    choice("department", "部署", "Department"),
    choice("employee", "従業員", "Employee"),
    choice("auditor", "監査員", "Auditor"),
]);

const DECISION_FIELDS: &[Field] = &[
    text("signer", t("署名者", "Signer")),
    Field::new("method", t("署名方法", "Method"), METHOD),
    text("self_approval", t("自己承認を認めた例外", "Exception that admits self-approval")),
    text("subject_table", t("対象の表", "Table of the subject")),
    text("criterion", t("基準", "Criterion")),
    text("control", t("管理策", "Control")),
    text("level", t("レベル", "Level")),
    date("due", t("いつまでに", "To be reached by")),
];

/// As `web::decide` writes it; what is not by passkey only the server saw.
const METHOD: FieldType = FieldType::Enum(&[
    choice("passkey", "パスキー（強い署名）", "passkey (strong signature)"),
    choice(
        "password+totp",
        "パスワードとコード（弱い署名）",
        "password and code (weaker signature)",
    ),
    choice(
        "password+recovery",
        "パスワードと回復コード（弱い署名）",
        "password and recovery code (weaker signature)",
    ),
    choice("simulated", "模擬（デモ）", "simulated (demonstration)"),
]);

const DELEGATION_FIELDS: &[Field] = &[
    text("signer", t("署名者", "Signer")),
    Field::new("method", t("署名方法", "Method"), METHOD),
    text("delegator", t("委任した人", "Delegated by")),
    text("delegate", t("代行する人", "Delegated to")),
    list("kinds", t("決定の種類", "Kinds of decision")),
    text("delegator_account", t("委任した人のアカウント", "Account it is delegated by")),
    text("delegate_account", t("代行する人のアカウント", "Account it is delegated to")),
    text("subject_table", t("対象の表", "Table of the subject")),
];

const ACCEPTANCE_FIELDS: &[Field] = &[
    text("signer", t("署名者", "Signer")),
    Field::new("method", t("署名方法", "Method"), METHOD),
    text("self_approval", t("自己承認を認めた例外", "Exception that admits self-approval")),
    text("subject_table", t("対象の表", "Table of the subject")),
    count("residual_likelihood", t("受け入れた起こりやすさ", "Likelihood accepted")),
    count("residual_consequence", t("受け入れた影響", "Consequence accepted")),
];

const fn decision(id: &'static str, title: Text, help: Text) -> KindSpec {
    KindSpec { id, table: Table::Decision, title, help, fields: DECISION_FIELDS, ..KindSpec::BASE }
}

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
    KindSpec {
        id,
        table: Table::Norm,
        title,
        help,
        fields: NORM_FIELDS,
        groups: NORM_GROUPS,
        ..KindSpec::BASE
    }
}
