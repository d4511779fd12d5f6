//! Kinds and record types of the secure coding room.
//!
//! Facts of records are whole numbers, flags, hashes and opaque ids: nothing personal, no floats.

use model::{Choice, Field, FieldType, KindSpec, RecordSpec, Rule, Table, Writer, t};

const fn count(name: &'static str, ja: &'static str, en: &'static str) -> Field {
    number(name, ja, en, "")
}

const fn number(
    name: &'static str,
    ja: &'static str,
    en: &'static str,
    unit: &'static str,
) -> Field {
    Field::new(name, t(ja, en), FieldType::Number { unit, min: 0, max: i64::MAX })
}

const fn text(name: &'static str, ja: &'static str, en: &'static str) -> Field {
    Field::new(name, t(ja, en), FieldType::Text)
}

const fn field(name: &'static str, ja: &'static str, en: &'static str, ty: FieldType) -> Field {
    Field::new(name, t(ja, en), ty)
}

const fn choice(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

/// The classes of 8.28/ume-1.
const CLASSES: &[Choice] = &[
    choice("sql_injection", "SQLインジェクション", "SQL injection"),
    choice("os_command_injection", "OSコマンド・インジェクション", "OS command injection"),
    choice("path_traversal", "ディレクトリ・トラバーサル", "Path traversal"),
    choice("session_management", "セッション管理の不備", "Session management"),
    choice("cross_site_scripting", "クロスサイト・スクリプティング", "Cross-site scripting"),
    choice("csrf", "CSRF", "CSRF"),
    choice("http_header_injection", "HTTPヘッダ・インジェクション", "HTTP header injection"),
    choice("mail_header_injection", "メールヘッダ・インジェクション", "Mail header injection"),
    choice("clickjacking", "クリックジャッキング", "Clickjacking"),
    choice("buffer_overflow", "バッファオーバーフロー", "Buffer overflow"),
    choice("access_control", "アクセス制御・認可の欠落", "Missing access control"),
];

const SEVERITIES: &[Choice] =
    &[choice("low", "低", "Low"), choice("medium", "中", "Medium"), choice("high", "高", "High")];

const SOURCING: &[Choice] =
    &[choice("in_house", "社内", "In-house"), choice("contracted", "委託", "Contracted")];

const EXPOSURE: &[Choice] = &[
    choice("internet", "インターネット公開", "Internet"),
    choice("partner", "取引先向け", "Partners"),
    choice("internal", "社内", "Internal"),
];

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "dev_project",
        table: Table::Asset,
        title: t("開発プロジェクト", "Development project"),
        help: t(
            "同じ管理者と要件の下で進める開発の単位。",
            "A unit of development under one manager and one set of requirements.",
        ),
        known_as: &["開発案件一覧", "プロジェクト一覧"],
        fields: &[
            field("manager", "プロジェクト管理者", "Project manager", FieldType::Party)
                .required()
                .aliases(&["管理者", "PM", "責任者"]),
            field(
                "sourcing",
                "社内・委託の区分",
                "In-house or contracted",
                FieldType::Enum(SOURCING),
            )
            .required()
            .aliases(&["区分", "開発形態"]),
            field("contractor", "委託先", "Contractor", FieldType::Party)
                .aliases(&["委託先", "外注先"]),
            field("active", "進行中", "Active", FieldType::Boolean)
                .required()
                .aliases(&["進行中", "状態"]),
            text("requirement_set", "セキュリティ要件", "Requirement set")
                .aliases(&["要件書", "セキュリティ要件"]),
            field("languages", "開発言語", "Languages", FieldType::List)
                .aliases(&["言語", "開発言語"]),
            field("ends", "終了予定日", "Ends", FieldType::Date).aliases(&["終了日", "納期"]),
        ],
        rules: &[Rule::RequiredIf { field: "contractor", when: "sourcing", is: &["contracted"] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "repository",
        table: Table::Asset,
        title: t("リポジトリ", "Repository"),
        help: t(
            "ソースコードを版管理する場所。",
            "Where source code is kept under version control.",
        ),
        known_as: &["リポジトリ一覧"],
        fields: &[
            field("project", "プロジェクト", "Project", FieldType::Reference("dev_project"))
                .aliases(&["プロジェクト", "案件"]),
            text("url", "URL", "URL").required().aliases(&["URL", "リポジトリURL"]),
            text("default_branch", "既定ブランチ", "Default branch")
                .aliases(&["ブランチ", "既定ブランチ"]),
            text("vcs_host", "版管理サーバ", "VCS host").aliases(&["ホスト名", "Gitサーバ"]),
            field("languages", "開発言語", "Languages", FieldType::List)
                .aliases(&["言語", "開発言語"]),
            field("archived", "凍結済み", "Archived", FieldType::Boolean)
                .aliases(&["アーカイブ", "凍結"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "application",
        table: Table::Asset,
        title: t("アプリケーション", "Application"),
        help: t("利用者に届く、動いているソフトウェア。", "Running software that reaches users."),
        known_as: &["アプリ一覧", "アプリケーション一覧"],
        fields: &[
            field("urls", "URL", "URLs", FieldType::List).aliases(&["URL", "アドレス"]),
            field("exposure", "公開範囲", "Exposure", FieldType::Enum(EXPOSURE))
                .required()
                .aliases(&["公開範囲", "公開区分"]),
            field("project", "プロジェクト", "Project", FieldType::Reference("dev_project"))
                .aliases(&["プロジェクト", "案件"]),
            field("system", "システム", "System", FieldType::Reference("system"))
                .aliases(&["システム", "システム名"]),
            text("framework", "フレームワーク", "Framework").aliases(&["フレームワーク"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "release",
        table: Table::Asset,
        title: t("リリース", "Release"),
        help: t(
            "あるコミットから作り、世に出す版。",
            "A version built from one commit and shipped.",
        ),
        fields: &[
            field(
                "application",
                "アプリケーション",
                "Application",
                FieldType::Reference("application"),
            )
            .required()
            .aliases(&["アプリケーション", "アプリ"]),
            field("repository", "リポジトリ", "Repository", FieldType::Reference("repository"))
                .aliases(&["リポジトリ"]),
            text("version", "版", "Version").required().aliases(&["バージョン", "版"]),
            text("commit", "コミット", "Commit").required().aliases(&["コミット"]),
            field("build_hash", "ビルドのハッシュ", "Build hash", FieldType::Hash)
                .aliases(&["ハッシュ"]),
            field("released", "リリース日", "Released", FieldType::Date)
                .aliases(&["リリース日", "公開日"]),
            field("in_scope", "診断の対象", "In scope of assessment", FieldType::Boolean)
                .required()
                .aliases(&["診断対象"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "route",
        table: Table::Asset,
        title: t("経路", "Route"),
        help: t(
            "外から呼べる入口(URLと操作)。",
            "An entry that can be called from outside: method and path.",
        ),
        fields: &[
            field(
                "application",
                "アプリケーション",
                "Application",
                FieldType::Reference("application"),
            )
            .required()
            .aliases(&["アプリケーション"]),
            text("method", "メソッド", "Method").required().aliases(&["メソッド"]),
            text("path", "パス", "Path").required().aliases(&["パス", "URL"]),
            text("guard", "認可の確認", "Guard").aliases(&["認可", "アクセス制御"]),
            field("parameters", "パラメータ", "Parameters", FieldType::List)
                .aliases(&["パラメータ", "引数"]),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "code_rule",
        table: Table::Rule,
        title: t("コード規則", "Code rule"),
        help: t(
            "コードの欠陥を見つける規則。悪い例と良い例を必ず持ちます。",
            "Finds a flaw in code; always with bad and good examples.",
        ),
        fields: &[
            field("source", "規則の本文", "Rule text", FieldType::Multiline).required(),
            field("class", "種類", "Class", FieldType::Enum(CLASSES)),
            text("cwe", "CWE番号", "CWE").required(),
            field("severity", "重大度", "Severity", FieldType::Enum(SEVERITIES)).required(),
            field("fix", "直し方", "Fix", FieldType::Multiline),
            field("bad_examples", "悪い例", "Bad examples", FieldType::List).required(),
            field("good_examples", "良い例", "Good examples", FieldType::List).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "taint_model",
        table: Table::Rule,
        title: t("汚染モデル", "Taint model"),
        help: t(
            "フレームワークのどこから入り、どこで無害になり、どこへ出るか。",
            "Where a framework takes input, cleans it and puts it out.",
        ),
        fields: &[
            field("source", "モデル本文", "Model text", FieldType::Multiline).required(),
            text("language", "言語", "Language").required(),
            text("framework", "フレームワーク", "Framework"),
            text("licence", "ライセンス", "Licence"),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "gate",
        table: Table::Rule,
        title: t("ゲート", "Gate"),
        help: t("マージを止める条件。", "What stops a merge."),
        fields: &[
            field("repositories", "対象リポジトリ", "Repositories", FieldType::List).required(),
            field("fail_on", "止める重大度", "Fails on", FieldType::Enum(SEVERITIES)).required(),
            count("reviewers_min", "必要なレビュー人数", "Reviewers needed").required(),
            number("due_days", "是正期限", "Fix within", "d").required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "oss_policy",
        table: Table::Rule,
        title: t("OSS採用方針", "OSS policy"),
        help: t(
            "採用してよいライセンスと、脆弱性を直す期限。",
            "Allowed licences and deadlines for vulnerabilities.",
        ),
        fields: &[
            field("licences_allowed", "許可するライセンス", "Licences allowed", FieldType::List)
                .required(),
            field("licences_refused", "許可しないライセンス", "Licences refused", FieldType::List),
            number("high_due_days", "高の是正期限", "High due within", "d").required(),
            number("other_due_days", "その他の是正期限", "Others due within", "d").required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "assessment_scope",
        table: Table::Rule,
        title: t("診断の範囲", "Assessment scope"),
        help: t(
            "診断してよい相手・時間帯・速さ。二人の署名と期限が必要です。",
            "What may be tested, when and how fast; needs two signers and an end.",
        ),
        fields: &[
            field("targets", "対象(URL・アドレス)", "Targets", FieldType::List).required(),
            field("forbidden_paths", "禁止するパス", "Forbidden paths", FieldType::List),
            text("window", "実施時間帯", "Time window").required(),
            number("rate_per_s", "毎秒の上限", "Requests per second", "/s").required(),
            field("mutate", "変更を伴う試験", "May change data", FieldType::Boolean),
            text("ownership_proof", "所有の証明", "Proof of ownership").required(),
            field("expires", "期限", "Expires", FieldType::Date).required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "coding_standard",
        table: Table::Norm,
        title: t("コーディング標準", "Coding standard"),
        help: t(
            "書く人が守る規則と、その理由と例。",
            "The rules people code by, with reasons and examples.",
        ),
        fields: &[
            text("chapter", "章", "Chapter").required(),
            field("class", "種類", "Class", FieldType::Enum(CLASSES)),
            field("clause", "条項", "Clause", FieldType::Multiline).required(),
            field("rationale", "理由", "Rationale", FieldType::Multiline).required(),
            field("bad_example", "悪い例", "Bad example", FieldType::Multiline),
            field("good_example", "良い例", "Good example", FieldType::Multiline),
            text("bound_rule", "結ばれた規則", "Bound rule"),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "requirement_set",
        table: Table::Norm,
        title: t("セキュリティ要件", "Requirement set"),
        help: t("プロジェクトごとのセキュリティ要件。", "Security requirements of a project."),
        fields: &[
            field("project", "プロジェクト", "Project", FieldType::Reference("dev_project"))
                .required(),
            field("requirements", "要件", "Requirements", FieldType::List).required(),
            text("source", "根拠", "Source"),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "contract_clause",
        table: Table::Norm,
        title: t("委託契約の条項", "Contract clause"),
        help: t("委託先に求めるセキュリティの条項。", "What a contract asks of a contractor."),
        fields: &[
            field("supplier", "委託先", "Contractor", FieldType::Party).required(),
            field("clause", "条項", "Clause", FieldType::Multiline).required(),
            field("signed", "締結日", "Signed", FieldType::Date),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "code_class_exclusion",
        table: Table::Decision,
        title: t("種類の対象外", "Class excluded"),
        help: t(
            "脆弱性の種類を対象外とする、期限つきの署名した判断。",
            "A signed decision, until a date, that a class of flaw does not apply.",
        ),
        fields: &[
            field("class", "種類", "Class", FieldType::Enum(CLASSES)).required(),
            field("reason", "理由", "Reason", FieldType::Multiline).required(),
            text("signer", "署名者", "Signer").required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "code_waiver",
        table: Table::Decision,
        title: t("是正の猶予", "Waiver"),
        help: t(
            "検出を期限つきで残す判断。180日が上限です。",
            "Leaves a finding for a time, 180 days at most.",
        ),
        fields: &[
            field("fingerprint", "検出の指紋", "Fingerprint", FieldType::Hash).required(),
            field("finding_hash", "検出のハッシュ", "Finding hash", FieldType::Hash).required(),
            field("reason", "理由", "Reason", FieldType::Multiline).required(),
            field("requester", "申請者", "Requester", FieldType::Party).required(),
            field("approver", "承認者", "Approver", FieldType::Party).required(),
            field("expires", "期限", "Expires", FieldType::Date).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "code_false_positive",
        table: Table::Decision,
        title: t("誤検知の判断", "False positive"),
        help: t(
            "検出が誤りだとする判断。回帰試験に加えます。",
            "Judges a finding wrong; it becomes a regression case.",
        ),
        fields: &[
            field("fingerprint", "検出の指紋", "Fingerprint", FieldType::Hash).required(),
            field("finding_hash", "検出のハッシュ", "Finding hash", FieldType::Hash).required(),
            field("reason", "理由", "Reason", FieldType::Multiline).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "release_approval",
        table: Table::Decision,
        title: t("リリースの判断", "Release decision"),
        help: t(
            "診断の結果を見て、出すかどうかを決める。",
            "Decides on shipping, given what the tests say.",
        ),
        fields: &[
            field("release", "リリース", "Release", FieldType::Reference("release")).required(),
            field("accepted_risk", "受け入れるリスク", "Risk accepted", FieldType::Multiline),
            field("reason", "理由", "Reason", FieldType::Multiline).required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "secure_coding.standard_clause",
        writer: Writer::Anyone,
        title: t("標準の条項", "Standard clause"),
        fields: &[
            field("class", "種類", "Class", FieldType::Enum(CLASSES)).required(),
            field("approved", "承認済み", "Approved", FieldType::Boolean).required(),
            count("bad_examples", "悪い例", "Bad examples").required(),
            count("good_examples", "良い例", "Good examples").required(),
            field("norm_hash", "標準のハッシュ", "Hash of the standard", FieldType::Hash),
        ],
    },
    RecordSpec {
        ty: "secure_coding.standard_chapter",
        writer: Writer::Anyone,
        title: t("標準の章", "Standard chapter"),
        fields: &[
            text("chapter", "章", "Chapter").required(),
            count("clauses", "条項数", "Clauses").required(),
            count("unbound", "結ばれていない条項", "Clauses unbound").required(),
            count("languages_missing", "規則のない言語", "Languages without rules").required(),
            number(
                "standard_by_rule_permille",
                "標準全体のルール化率",
                "Share of the standard checked by rule",
                "‰",
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.standard_ack",
        writer: Writer::Anyone,
        title: t("標準の確認", "Acknowledgement of the standard"),
        fields: &[
            field("norm_hash", "標準のハッシュ", "Hash of the standard", FieldType::Hash)
                .required(),
            number("delay_days", "公開からの日数", "Days since publication", "d").required(),
            text("language", "言語", "Language"),
        ],
    },
    RecordSpec {
        ty: "secure_coding.project_member",
        writer: Writer::Anyone,
        title: t("プロジェクトの要員", "Project member"),
        fields: &[
            field("active", "進行中の開発に従事", "On an active project", FieldType::Boolean)
                .required(),
            field("contractor", "委託先", "Contractor", FieldType::Boolean),
            text("ack", "確認の記録(識別子)", "Acknowledgement (opaque id)"),
            field(
                "ack_of_current_hash",
                "有効な版を確認済み",
                "Acknowledged the version in force",
                FieldType::Boolean,
            )
            .required(),
            number(
                "ack_delay_days",
                "公開から確認までの日数",
                "Days from publication to acknowledgement",
                "d",
            ),
        ],
    },
    RecordSpec {
        ty: "secure_coding.project_status",
        writer: Writer::Anyone,
        title: t("プロジェクトの状態", "Project status"),
        fields: &[
            field("in_project", "プロジェクトに属する", "Belongs to a project", FieldType::Boolean)
                .required(),
            field("has_manager", "管理者がいる", "Has a manager", FieldType::Boolean).required(),
            field("sourcing", "社内・委託", "In-house or contracted", FieldType::Enum(SOURCING))
                .required(),
            field(
                "requirements_approved",
                "要件が承認済み",
                "Requirements approved",
                FieldType::Boolean,
            )
            .required(),
            count(
                "repositories_unassigned",
                "未登録のリポジトリ",
                "Repositories found without a project",
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.component_list",
        writer: Writer::Anyone,
        title: t("部品表", "Component list"),
        fields: &[
            count("components", "部品数", "Components").required(),
            count("vendored", "同梱数", "Vendored copies"),
            count("standard_oss_clauses", "標準のOSS条項", "OSS clauses of the standard")
                .required(),
            field("list_hash", "部品表のハッシュ", "Hash of the list", FieldType::Hash),
        ],
    },
    RecordSpec {
        ty: "secure_coding.design_review",
        writer: Writer::Anyone,
        title: t("設計レビュー", "Design review"),
        fields: &[
            field("data_flow", "データの流れを確認", "Data flow reviewed", FieldType::Boolean)
                .required(),
            count("threats", "脅威", "Threats").required(),
            count("security_functions", "セキュリティ機能", "Security functions").required(),
            text("reviewer", "レビュー担当", "Reviewer"),
        ],
    },
    RecordSpec {
        ty: "secure_coding.design_drift",
        writer: Writer::Anyone,
        title: t("設計との差", "Drift from the design"),
        fields: &[
            count("routes_differing", "異なる経路", "Routes differing").required(),
            count("stores_differing", "異なる保存先", "Stores differing").required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.code_scan",
        writer: Writer::Anyone,
        title: t("コードの検査", "Code scan"),
        fields: &[
            text("commit", "コミット", "Commit").required(),
            field("default_branch", "既定ブランチ", "Default branch", FieldType::Boolean)
                .required(),
            field("engine_hash", "エンジンのハッシュ", "Engine hash", FieldType::Hash),
            field("rule_hash", "ルールのハッシュ", "Rule hash", FieldType::Hash),
            count("files", "ファイル数", "Files"),
            count("lines", "自社コードの行数", "First-party lines").required(),
            count("functions", "関数数", "Functions"),
            count("coarse", "粗い解析", "Analysed coarsely"),
            count("failed", "失敗", "Failed"),
            count("lines_unnamed", "理由のない未解析行", "Lines unanalysed without a reason")
                .required(),
            number("analysed_permille", "解析率", "Share analysed", "‰").required(),
            count("merges_unscanned", "未検査のマージ", "Merges unscanned").required(),
            number("cpu_ms", "CPU時間", "CPU time", "ms"),
        ],
    },
    RecordSpec {
        ty: "secure_coding.finding_change",
        writer: Writer::Anyone,
        title: t("検出の変化", "Finding change"),
        fields: &[
            field("fingerprint", "指紋", "Fingerprint", FieldType::Hash).required(),
            text("from", "前の状態", "From").required(),
            text("to", "後の状態", "To").required(),
            text("cause", "原因", "Cause").required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.finding_summary",
        writer: Writer::Anyone,
        title: t("検出の集計", "Finding summary"),
        fields: &[
            count("open_high", "未解決の高", "Open high findings").required(),
            count(
                "high_overdue_unwaived",
                "猶予なく期限を過ぎた高",
                "High findings overdue without waiver",
            )
            .required(),
            count("waivers_expired", "期限切れの猶予", "Waivers expired"),
        ],
    },
    RecordSpec {
        ty: "secure_coding.change_review",
        writer: Writer::Anyone,
        title: t("変更のレビュー", "Change review"),
        fields: &[
            text("commit", "コミット", "Commit").required(),
            text("gate_result", "ゲートの結果", "Gate result"),
            text("author", "作成者(識別子)", "Author (opaque id)").required(),
            text("reviewer", "レビュー担当(識別子)", "Reviewer (opaque id)"),
        ],
    },
    RecordSpec {
        ty: "secure_coding.delivery",
        writer: Writer::Anyone,
        title: t("納品", "Delivery"),
        fields: &[
            field("archive_hash", "アーカイブのハッシュ", "Archive hash", FieldType::Hash)
                .required(),
            number("bytes", "バイト数", "Bytes", "B"),
        ],
    },
    RecordSpec {
        ty: "secure_coding.delivery_check",
        writer: Writer::Anyone,
        title: t("納品物の検査", "Delivery check"),
        fields: &[
            field("archive_hash", "アーカイブのハッシュ", "Archive hash", FieldType::Hash)
                .required(),
            field(
                "archive_hash_matches",
                "ハッシュが一致",
                "Hash matches the delivery",
                FieldType::Boolean,
            )
            .required(),
            field(
                "before_acceptance",
                "検収前に検査",
                "Checked before acceptance",
                FieldType::Boolean,
            )
            .required(),
            count("findings_high", "高の検出", "High findings"),
        ],
    },
    RecordSpec {
        ty: "secure_coding.oss_intake",
        writer: Writer::Anyone,
        title: t("部品の採用", "OSS intake"),
        fields: &[
            text("component", "部品", "Component").required(),
            text("version", "版", "Version").required(),
            field("vendored", "同梱", "Vendored", FieldType::Boolean),
            field("approved", "承認済み", "Approved", FieldType::Boolean).required(),
            text("licence", "ライセンス", "Licence"),
            field("licence_allowed", "許可されたライセンス", "Licence allowed", FieldType::Boolean)
                .required(),
            count("vulnerabilities_overdue", "期限超過の脆弱性", "Vulnerabilities overdue")
                .required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.assessment_run",
        writer: Writer::Anyone,
        title: t("診断の実行", "Assessment run"),
        fields: &[
            field("scope_hash", "範囲のハッシュ", "Scope hash", FieldType::Hash).required(),
            count("requests", "要求数", "Requests").required(),
            field("classes", "試験した種類", "Classes tested", FieldType::List),
            count("code_canaries", "コードの目印", "Canaries in code").required(),
            count("code_canaries_found", "見つけたコードの目印", "Code canaries found").required(),
            count("wire_canaries", "通信の目印", "Canaries on the wire").required(),
            count("wire_canaries_found", "見つけた通信の目印", "Wire canaries found").required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.proof",
        writer: Writer::Anyone,
        title: t("証明", "Proof"),
        fields: &[
            field("fingerprint", "指紋", "Fingerprint", FieldType::Hash).required(),
            field("transcript_hash", "やりとりのハッシュ", "Transcript hash", FieldType::Hash)
                .required(),
            text("marker", "目印", "Marker"),
            text("verdict", "判定", "Verdict").required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.proof_summary",
        writer: Writer::Anyone,
        title: t("判定の集計", "Verdict summary"),
        fields: &[
            count("testable_findings", "試験できる検出", "Findings in testable classes").required(),
            count("with_verdict", "判定のある検出", "Findings with a verdict").required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.pentest_report",
        writer: Writer::Anyone,
        title: t("ペネトレーションテスト報告書", "Penetration test report"),
        fields: &[
            field("report_hash", "報告書のハッシュ", "Report hash", FieldType::Hash).required(),
            field("scope_stated", "範囲の記載", "Scope stated", FieldType::Boolean).required(),
            field("tester_independent", "独立した試験者", "Independent tester", FieldType::Boolean)
                .required(),
            field("retested", "再試験済み", "Retested", FieldType::Boolean).required(),
            number(
                "test_age_days",
                "試験からの日数(取込み時)",
                "Days since the test, at import",
                "d",
            )
            .required(),
            count("findings_high", "高の検出", "High findings"),
        ],
    },
    RecordSpec {
        ty: "secure_coding.retest",
        writer: Writer::Anyone,
        title: t("再試験", "Retest"),
        fields: &[
            count("high_findings", "高の検出", "High findings").required(),
            count("retested", "再試験済み", "Retested").required(),
            count("risk_accepted", "リスク受容", "Risk accepted").required(),
            count("high_unsettled", "未決の高", "High findings unsettled").required(),
            field("before_decision", "判断の前", "Before the release decision", FieldType::Boolean)
                .required(),
        ],
    },
    RecordSpec {
        ty: "secure_coding.release_assessment",
        writer: Writer::Anyone,
        title: t("リリースの診断", "Release assessment"),
        fields: &[
            text("commit", "コミット", "Commit").required(),
            field("build_hash", "ビルドのハッシュ", "Build hash", FieldType::Hash),
            field(
                "sast_of_commit",
                "このコミットの静的診断",
                "Static scan of this commit",
                FieldType::Boolean,
            )
            .required(),
            field(
                "dast_of_build",
                "このビルドの動的診断",
                "Dynamic test of this build",
                FieldType::Boolean,
            )
            .required(),
            field(
                "build_of_commit",
                "ビルドがコミットと一致",
                "Build is of the commit",
                FieldType::Boolean,
            )
            .required(),
            count("classes_applicable", "該当する種類", "Classes applicable").required(),
            count("classes_tested", "試験した該当種類", "Applicable classes tested").required(),
        ],
    },
];
