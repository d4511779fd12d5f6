//! Asset, rule, plan and decision kinds and record types of cloud services.

use model::{
    Choice, Field, FieldType, Group, KindSpec, RecordSpec, Rule, Table, Text, Writer,
    schema::Attributes, t, table::rows_from,
};

const COUNT_MAX: i64 = 1_000_000_000_000;

const fn count(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "", min: 0, max: COUNT_MAX })
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

const fn choice(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

const MODEL: FieldType = FieldType::Enum(&[
    choice("iaas", "IaaS", "IaaS"),
    choice("paas", "PaaS", "PaaS"),
    choice("saas", "SaaS", "SaaS"),
]);

const MANAGER: FieldType = FieldType::Enum(&[
    choice("it", "情報システム部門", "IT"),
    choice("department", "利用部門", "Department"),
    choice("person", "担当者個人", "A person in charge"),
    choice("private", "個人契約", "Private"),
]);

/// The setting classes of the ministry's guideline on proper cloud settings.
const SETTING_CLASS: FieldType = FieldType::Enum(&[
    choice("1", "1 ID・アクセス管理", "1 Identity and access"),
    choice("2", "2 ログと監視", "2 Logging and monitoring"),
    choice("3", "3 データの保管場所", "3 Storage"),
    choice("4", "4 仮想マシンとネットワーク", "4 Machines and networks"),
    choice("5", "5 鍵と検知の一元管理", "5 Keys and central detection"),
    choice("6", "6 アプリ・データベース・コンテナなど", "6 Applications, databases, containers"),
    choice("7", "7 端末と資産の管理", "7 Devices and assets"),
]);

const SETTING_RESULT: FieldType = FieldType::Enum(&[
    choice("pass", "合格", "Pass"),
    choice("fail", "不合格", "Fail"),
    choice("manual", "人が確認", "Manual"),
    choice("not_applicable", "該当なし", "Not applicable"),
    choice("unknown", "分からない", "Unknown"),
]);

const EXIT_STEP: FieldType = FieldType::Enum(&[
    choice("export", "データの書き出し", "Export"),
    choice("deletion_request", "消去の依頼", "Deletion request"),
    choice("certificate", "消去証明書の受領", "Provider's certificate"),
    choice("revocation", "トークン・SSO・DNSの失効", "Tokens, SSO and DNS revoked"),
    choice("payment_stop", "支払いの停止", "Payment stopped"),
    choice("backup_lapse", "事業者側バックアップの消滅", "Provider's backups lapsed"),
    choice("silence", "通信のない期間の確認", "Silence window"),
]);

/// What an exit plan says of each step.
const EXIT_COLUMNS: &[Field] = &[
    Field::new("step", t("段階", "Step"), EXIT_STEP),
    text("what", t("内容", "What")),
    text("who", t("担当", "Who")),
    Field::new("due", t("期限", "Due"), FieldType::Date),
    Field::new("done_on", t("完了日", "Done on"), FieldType::Date),
];

/// The first version held steps without columns.
fn exit_steps_have_columns(attributes: &mut Attributes) {
    if let Some(steps) = attributes.get_mut("steps") {
        *steps = rows_from(steps, EXIT_COLUMNS, "what");
    }
}

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "cloud_service",
        table: Table::Asset,
        title: t("クラウドサービス", "Cloud service"),
        help: t(
            "組織が使う、または使っていることが分かったクラウドサービスです。",
            "A cloud service that the organisation uses, or was found to use.",
        ),
        known_as: &[
            "クラウド台帳",
            "クラウドサービス台帳",
            "クラウドサービス一覧",
            "クラウド一覧",
            "クラウド利用台帳",
            "外部サービス台帳",
            "saas一覧",
            "saas台帳",
        ],
        fields: &[
            Field::new(
                "usage_state",
                t("利用状況", "State of use"),
                FieldType::Enum(&[
                    choice("requested", "申請中", "Requested"),
                    choice("in_use", "利用中", "In use"),
                    choice("ending", "終了手続き中", "Ending"),
                    choice("ended", "利用終了", "Ended"),
                    choice("archived", "終了記録のみ保管", "Archived"),
                    choice("refused", "利用不可", "Refused"),
                ]),
            )
            .required()
            .aliases(&["利用状況", "状態", "ステータス"]),
            text("purpose", t("利用目的", "Purpose")).aliases(&["利用目的", "目的", "用途"]),
            Field::new("model", t("サービスモデル", "Service model"), MODEL).aliases(&[
                "サービスモデル",
                "種別",
                "IaaS/PaaS/SaaS",
            ]),
            Field::new("provider", t("事業者", "Provider"), FieldType::Party).aliases(&[
                "事業者",
                "提供事業者",
                "ベンダー",
                "提供元",
            ]),
            Field::new(
                "contract",
                t("契約形態", "Contract"),
                FieldType::Enum(&[
                    choice("company", "会社契約", "Company"),
                    choice("department", "部門契約", "Department"),
                    choice("person", "担当者名義", "Person in charge"),
                    choice("private", "個人契約", "Private"),
                ]),
            )
            .aliases(&["契約形態", "契約", "契約主体"]),
            Field::new(
                "payer",
                t("支払者", "Payer"),
                FieldType::Enum(&[
                    choice("company", "会社（有料）", "Company"),
                    choice("company_free", "会社（無料枠）", "Company, free tier"),
                    choice("person", "個人", "Person"),
                ]),
            )
            .aliases(&["支払者", "費用負担", "支払い"]),
            Field::new("manager", t("把握・管理する者", "Managed by"), MANAGER).aliases(&[
                "管理部門",
                "管理主体",
                "把握部署",
            ]),
            Field::new("department", t("利用部門", "Department"), FieldType::Party).aliases(&[
                "利用部門",
                "部署",
                "利用部署",
            ]),
            Field::new("data_classes", t("扱うデータの区分", "Data classes"), FieldType::List)
                .aliases(&["データ区分", "取扱情報", "情報の種類", "機密区分"]),
            Field::new("regions", t("リージョン", "Regions"), FieldType::List).aliases(&[
                "リージョン",
                "保管場所",
                "データ所在地",
            ]),
            Field::new(
                "regions_permitted",
                t("許可したリージョン", "Permitted regions"),
                FieldType::List,
            )
            .aliases(&["許可リージョン"]),
            Field::new(
                "control",
                t("層ごとの直接・間接コントロール", "Control by layer"),
                FieldType::Object,
            )
            .aliases(&["コントロール"]),
            Field::new("ismap", t("ISMAP登録", "ISMAP registration"), FieldType::Object)
                .aliases(&["ISMAP"]),
            text("catalogue_id", t("サービス一覧の番号", "Catalogue id")),
            Field::new("domains", t("利用ドメイン", "Domains"), FieldType::List).aliases(&[
                "ドメイン",
                "URL",
                "アドレス",
            ]),
            text("terms_url", t("約款の場所", "Address of the terms")).aliases(&[
                "約款",
                "利用規約",
                "規約URL",
            ]),
            count("users", t("利用者数", "Users")).aliases(&[
                "利用者数",
                "ユーザー数",
                "アカウント数",
            ]),
            Field::new("cost_year", t("年間費用", "Cost per year"), FieldType::Money).aliases(&[
                "年間費用",
                "費用",
                "金額",
            ]),
            Field::new("started", t("利用開始日", "Started"), FieldType::Date)
                .aliases(&["利用開始日", "開始日"]),
            Field::new("contract_end", t("契約満了日", "Contract end"), FieldType::Date)
                .aliases(&["契約満了日", "契約終了日", "更新日"]),
            Field::new("ended", t("利用終了日", "Ended"), FieldType::Date).aliases(&[
                "利用終了日",
                "終了日",
                "解約日",
            ]),
        ],
        groups: &[
            Group::new(
                t("利用", "Use"),
                &["usage_state", "purpose", "department", "users", "started", "ended"],
            ),
            Group::new(
                t("契約と管理", "Contract and management"),
                &[
                    "model",
                    "provider",
                    "contract",
                    "payer",
                    "manager",
                    "cost_year",
                    "contract_end",
                    "terms_url",
                ],
            ),
            Group::new(
                t("データと場所", "Data and place"),
                &["data_classes", "regions", "regions_permitted", "control"],
            ),
            Group::new(t("照合", "Matching"), &["ismap", "catalogue_id", "domains"]),
        ],
        rules: &[
            Rule::NotBefore { start: "started", end: "contract_end" },
            Rule::NotBefore { start: "started", end: "ended" },
            Rule::RequiredIf { field: "ended", when: "usage_state", is: &["ended", "archived"] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "tenant",
        table: Table::Asset,
        title: t("テナント", "Tenant"),
        help: t(
            "クラウドサービスの中の、自組織の契約単位（アカウント・組織・環境）です。",
            "The organisation's own part of a cloud service: account, organisation, environment.",
        ),
        fields: &[
            Field::new(
                "service",
                t("クラウドサービス", "Service"),
                FieldType::Reference("cloud_service"),
            )
            .required()
            .aliases(&["サービス", "クラウドサービス", "サービス名"]),
            text("account", t("アカウント番号・ホスト名", "Account or host"))
                .required()
                .aliases(&["アカウント", "アカウントID", "テナントID", "ホスト名", "サブドメイン"]),
            Field::new("auth_domain", t("認証ドメイン", "Sign-in domain"), FieldType::Text)
                .aliases(&["認証ドメイン", "ログインドメイン"]),
            Field::new(
                "environment",
                t("用途", "Environment"),
                FieldType::Enum(&[
                    choice("production", "本番", "Production"),
                    choice("test", "検証", "Test"),
                    choice("development", "開発", "Development"),
                ]),
            )
            .aliases(&["環境", "用途"]),
            flag("sso", t("シングルサインオン", "Single sign-on"))
                .aliases(&["SSO", "シングルサインオン"]),
            flag("mfa", t("多要素認証の必須化", "Multi-factor enforced"))
                .aliases(&["多要素認証", "MFA"]),
            Field::new("administrators", t("管理者", "Administrators"), FieldType::List)
                .personal()
                .aliases(&["管理者", "特権アカウント"]),
            Field::new(
                "collection",
                t("設定の取得方法", "How settings arrive"),
                FieldType::Enum(&[
                    choice("connected", "接続", "Connected"),
                    choice("export", "書き出しの取り込み", "Imported export"),
                    choice("scanner", "点検ツールの結果", "Scanner"),
                    choice("none", "なし", "None"),
                ]),
            )
            .aliases(&["取得方法"]),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "cloud_criteria",
        table: Table::Rule,
        title: t("選定基準", "Selection criteria"),
        help: t(
            "サービスを選ぶときの問いと重み、それに利用ガイドラインです。版ごとに承認します。",
            "The weighted questions for choosing a service, with the guideline for use; approved by version.",
        ),
        fields: &[
            Field::new("questions", t("問いと重み", "Weighted questions"), FieldType::Object)
                .required()
                .aliases(&["チェック項目", "要件", "基準"]),
            Field::new("knock_outs", t("必須の条件", "Knock-outs"), FieldType::List)
                .aliases(&["必須条件", "必須要件"]),
            Field::new(
                "guideline",
                t("利用ガイドライン", "Guideline"),
                FieldType::Reference("document"),
            ),
            Field::new(
                "guideline_file",
                t("ガイドラインの現行版", "Current guideline file"),
                FieldType::File,
            ),
            text("template", t("ひな形", "Template")).aliases(&["ひな形", "テンプレート"]),
            count("score_min", t("合格点", "Pass mark")).aliases(&["合格点"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "cloud_settings",
        table: Table::Rule,
        title: t("設定の点検ルール", "Setting rule"),
        help: t(
            "テナントの設定のどこを見て、どうあるべきか、外れたら何をするかです。",
            "Where to look in a tenant's settings, what must hold, and the remedy.",
        ),
        fields: &[
            Field::new("class", t("設定区分", "Setting class"), SETTING_CLASS).required(),
            text("path", t("設定の場所", "Path")).required(),
            text("predicate", t("満たすべき条件", "Predicate")).required(),
            Field::new("remedy", t("直し方", "Remedy"), FieldType::TextPair).required(),
            text("service", t("対象のサービス", "Service")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "cloud_discovery",
        table: Table::Rule,
        title: t("発見ルール", "Discovery rule"),
        help: t(
            "知らないサービスらしさの採点と、無視してよい宛先です。",
            "How unknown destinations are scored as services, and which are ignored.",
        ),
        fields: &[
            Field::new("weights", t("重み", "Weights"), FieldType::Object).required(),
            count("threshold", t("候補とする点数", "Threshold")).required(),
            Field::new("ignored", t("無視する宛先", "Ignored"), FieldType::List),
            Field::new(
                "block_strays",
                t("野良の扱い", "Treatment of strays"),
                FieldType::Enum(&[
                    choice("report", "知らせるだけ", "Report only"),
                    choice("block", "遮断する", "Block"),
                ]),
            ),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "permit",
        table: Table::Decision,
        title: t("クラウドの利用承認", "Cloud permit"),
        help: t(
            "評価した内容に対する利用の承認です。期限は長くても12か月で、台帳を変えると無効になります。",
            "Permission to use a service as assessed; at most twelve months, void when the row is edited.",
        ),
        fields: &[
            Field::new("conditions", t("条件", "Conditions"), FieldType::Multiline)
                .aliases(&["条件", "承認条件"]),
            Field::new("purpose", t("認めた目的", "Purpose permitted"), FieldType::Text)
                .aliases(&["利用目的"]),
            Field::new(
                "data_classes",
                t("認めたデータの区分", "Data classes permitted"),
                FieldType::List,
            ),
            Field::new("applicant", t("申請者", "Applicant"), FieldType::Party)
                .aliases(&["申請者", "申請部門"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "exit_completion",
        table: Table::Decision,
        title: t("利用終了の承認", "Exit completion"),
        help: t(
            "終了計画のすべての段階が済んだことの承認です。",
            "Approval that every step of an exit is done.",
        ),
        fields: &[
            text("remainder", t("残るもの", "What remains")),
            Field::new(
                "backup_lapse",
                t("事業者側バックアップの消滅日", "Provider's backups lapse on"),
                FieldType::Date,
            ),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "exit",
        table: Table::Plan,
        title: t("クラウドの終了計画", "Exit plan"),
        help: t(
            "書き出しから通信の途絶の確認まで、利用を終える手順です。",
            "The steps by which a service is left, from export to silence.",
        ),
        fields: &[
            Field::new(
                "service",
                t("クラウドサービス", "Service"),
                FieldType::Reference("cloud_service"),
            )
            .required(),
            Field::new(
                "stage",
                t("段階", "Stage"),
                FieldType::Enum(&[
                    choice("planned", "計画", "Planned"),
                    choice("running", "実施中", "Running"),
                    choice("completed", "完了", "Completed"),
                ]),
            )
            .required(),
            Field::new("steps", t("手順", "Steps"), FieldType::Table(EXIT_COLUMNS))
                .aliases(&["手順", "終了手順"]),
            Field::new(
                "successor",
                t("移行先", "Successor"),
                FieldType::Reference("cloud_service"),
            )
            .aliases(&["移行先"]),
            Field::new(
                "silence_days",
                t("通信のないことを確かめる期間", "Silence window"),
                FieldType::Number { unit: "d", min: 1, max: 365 },
            ),
        ],
        rules: &[
            Rule::RequiredIf { field: "steps", when: "stage", is: &["running", "completed"] },
            Rule::RequiredIf { field: "silence_days", when: "stage", is: &["completed"] },
        ],
        version: 2,
        upcasts: &[exit_steps_have_columns],
        ..KindSpec::BASE
    },
];

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "cloud_services.contact_day",
        writer: Writer::Anyone,
        title: t("1日の利用", "Contacts of a day"),
        fields: &[
            text("service", t("サービス", "Service")).required(),
            text("network", t("ネットワーク", "Network")).required(),
            count("users", t("利用者数", "Users")).required(),
            count("requests", t("要求数", "Requests")).required(),
            count("bytes", t("バイト数", "Bytes")),
            Field::new(
                "runs_root",
                t("日次ファイルのハッシュ", "Root of the runs"),
                FieldType::Hash,
            ),
        ],
    },
    RecordSpec {
        ty: "cloud_services.category_judged",
        writer: Writer::Ume,
        title: t("利用の分類", "Category judged"),
        fields: &[
            Field::new(
                "category",
                t("分類", "Category"),
                FieldType::Number { unit: "", min: 1, max: 4 },
            ),
            Field::new(
                "verdict",
                t("判定", "Verdict"),
                FieldType::Enum(&[
                    choice("regular", "正規", "Regular"),
                    choice("stray", "野良", "Stray"),
                    choice("undecided", "未判定", "Undecided"),
                ]),
            )
            .required(),
            text("reason", t("理由", "Reason")).required(),
            flag("by_machine", t("機械による", "By machine")).required(),
            Field::new(
                "delay_s",
                t("到着からの時間", "Time since arrival"),
                FieldType::Number { unit: "s", min: 0, max: COUNT_MAX },
            ),
        ],
    },
    RecordSpec {
        ty: "cloud_services.assessment",
        writer: Writer::Anyone,
        title: t("要件の評価", "Assessment"),
        fields: &[
            Field::new(
                "criteria_hash",
                t("選定基準の版", "Version of the criteria"),
                FieldType::Hash,
            ),
            count("questions", t("問いの数", "Questions")).required(),
            count("answered", t("答えの数（不明を含む）", "Answered, unknown included")).required(),
            count("met", t("満たす", "Met")).required(),
            count("unmet", t("満たさない", "Unmet")).required(),
            count("unclear", t("不明", "Unknown")).required(),
            count("unmet_unowned", t("担当のない不適合", "Unmet without owner")).required(),
            flag("inside", t("目的の範囲内", "Within its purpose")),
        ],
    },
    RecordSpec {
        ty: "cloud_services.guideline_acknowledged",
        writer: Writer::Anyone,
        title: t("ガイドラインの確認状況", "Guideline acknowledged"),
        fields: &[
            flag("current_version", t("現行版である", "Current version")).required(),
            count("users", t("対象者数", "Users")).required(),
            permille("acknowledged_permille", t("確認した割合", "Share acknowledged")).required(),
        ],
    },
    RecordSpec {
        ty: "cloud_services.register_reviewed",
        writer: Writer::Anyone,
        title: t("台帳の見直し", "Register reviewed"),
        fields: &[
            flag("correct", t("内容が正しい", "Correct")).required(),
            text("note", t("備考", "Note")),
        ],
    },
    RecordSpec {
        ty: "cloud_services.matrix_reviewed",
        writer: Writer::Anyone,
        title: t("責任分界の点検", "Matrix reviewed"),
        fields: &[
            Field::new("model", t("サービスモデル", "Service model"), MODEL),
            count("cells", t("欄の数", "Cells")).required(),
            count("cells_evidenced", t("根拠のある欄", "Cells with evidence")).required(),
            count("unmet", t("満たさない要件", "Unmet requirements")).required(),
            count("unmet_with_risk", t("リスクを登録した要件", "Unmet with a risk")).required(),
            count("unmet_with_control", t("追加の管理策がある要件", "Unmet with a control"))
                .required(),
        ],
    },
    RecordSpec {
        ty: "cloud_services.usage_watched",
        writer: Writer::Ume,
        title: t("利用状況の監視", "Usage watched"),
        fields: &[
            Field::new(
                "strand",
                t("対象", "Strand"),
                FieldType::Enum(&[
                    choice("networks", "ネットワーク", "Networks"),
                    choice("contacts", "利用先", "Contacts"),
                ]),
            )
            .required(),
            count("total", t("総数", "Total")).required(),
            permille(
                "covered_permille",
                t("24時間以内のログがある割合", "Share with a live source"),
            ),
            count("unjudged_after_14_d", t("14日を過ぎた未判定", "Not judged after 14 days")),
            Field::new("missing", t("足りないもの", "Missing"), FieldType::List),
        ],
    },
    RecordSpec {
        ty: "cloud_services.discovery_run",
        writer: Writer::Ume,
        title: t("自動発見の実行", "Discovery run"),
        fields: &[
            Field::new(
                "strand",
                t("対象", "Strand"),
                FieldType::Enum(&[
                    choice("contacts", "利用先", "Contacts"),
                    choice("sources", "ログ源", "Sources"),
                ]),
            )
            .required(),
            count("total", t("総数", "Total")).required(),
            permille(
                "within_1_min_permille",
                t("1分以内に分類した割合", "Share categorised in a minute"),
            ),
            count("silent", t("黙っているログ源", "Silent sources")),
        ],
    },
    RecordSpec {
        ty: "cloud_services.tenant_capture",
        writer: Writer::Anyone,
        title: t("テナント設定の取得", "Tenant captured"),
        fields: &[
            Field::new("document", t("設定のハッシュ", "Hash of the settings"), FieldType::Hash)
                .required(),
            flag("complete", t("全部を取得した", "Complete")).required(),
            count("pages", t("取得したページ数", "Pages")),
        ],
    },
    RecordSpec {
        ty: "cloud_services.setting_finding",
        writer: Writer::Anyone,
        title: t("設定の点検結果", "Setting finding"),
        fields: &[
            Field::new("class", t("設定区分", "Setting class"), SETTING_CLASS).required(),
            text("check", t("点検項目", "Check")).required(),
            Field::new("result", t("結果", "Result"), SETTING_RESULT).required(),
            text("resource", t("対象", "Resource")),
            text("finding_uid", t("結果の識別子", "Finding uid")),
        ],
    },
    RecordSpec {
        ty: "cloud_services.settings_run",
        writer: Writer::Anyone,
        title: t("設定点検の実行", "Settings run"),
        fields: &[
            count("findings", t("結果の数", "Findings")).required(),
            count("failures", t("不合格", "Failures")).required(),
            count(
                "failures_handled",
                t("作業か例外のある不合格", "Failures with task or exception"),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "cloud_services.terms_read",
        writer: Writer::Anyone,
        title: t("約款の確認", "Terms read"),
        fields: &[
            Field::new("terms_hash", t("約款のハッシュ", "Hash of the terms"), FieldType::Hash)
                .required(),
            count("differences", t("前回との違い", "Differences")),
        ],
    },
    RecordSpec {
        ty: "cloud_services.region_observed",
        writer: Writer::Anyone,
        title: t("リージョンの観測", "Region observed"),
        fields: &[
            count("regions", t("観測したリージョン数", "Regions observed")).required(),
            count("outside_permitted", t("許可外のリージョン数", "Regions not permitted"))
                .required(),
            Field::new("names", t("リージョン", "Regions"), FieldType::List),
        ],
    },
    RecordSpec {
        ty: "cloud_services.spend",
        writer: Writer::Anyone,
        title: t("費用", "Spend"),
        fields: &[
            text("month", t("月", "Month")).required(),
            Field::new("amount", t("金額", "Amount"), FieldType::Money).required(),
            text("currency", t("通貨", "Currency")),
        ],
    },
    RecordSpec {
        ty: "cloud_services.exit_step",
        writer: Writer::Anyone,
        title: t("終了手続きの段階", "Exit step"),
        fields: &[
            Field::new("step", t("段階", "Step"), EXIT_STEP).required(),
            flag("closed", t("済み", "Closed")).required(),
            count("objects", t("件数", "Objects")),
            Field::new("proof", t("証拠のハッシュ", "Hash of the proof"), FieldType::Hash),
        ],
    },
    RecordSpec {
        ty: "cloud_services.exit_verified",
        writer: Writer::Anyone,
        title: t("利用終了の機械確認", "Exit verified"),
        fields: &[
            count("contacts_in_window", t("期間内の通信", "Contacts in the window")).required(),
            flag("sources_alive_throughout", t("ログが途切れなかった", "Sources alive throughout"))
                .required(),
            flag("tokens_revoked", t("トークン失効", "Tokens revoked")).required(),
            Field::new(
                "certificate_hash",
                t("消去証明書のハッシュ", "Certificate hash"),
                FieldType::Hash,
            ),
        ],
    },
    RecordSpec {
        ty: "cloud_services.block_sampled",
        writer: Writer::Ume,
        title: t("自動遮断の抜き取り確認", "Blocking sampled"),
        fields: &[
            text("destination", t("宛先", "Destination")).required(),
            flag("decided", t("決定がある", "A decision stands")).required(),
            flag("rule_applied", t("ルールが適用された", "Rule applied")).required(),
            Field::new("rules_root", t("適用したルール集", "Root of the rules"), FieldType::Hash),
            Field::new(
                "delay_s",
                t("判定から適用までの時間", "From verdict to rule"),
                FieldType::Number { unit: "s", min: 0, max: COUNT_MAX },
            ),
        ],
    },
];
