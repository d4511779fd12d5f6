//! Kinds and record types of the monitoring room.
//!
//! Facts of records are whole numbers, flags and opaque ids: nothing personal, no floats.

use model::{Choice, Field, FieldType, Group, KindSpec, RecordSpec, Rule, Table, Writer, t};

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

/// The source classes of 8.16/ume-2; `source_class` of `source_status` holds one of these values.
pub(crate) const SOURCE_CLASSES: &[Choice] = &[
    choice("system", "システム・OSログ", "System and OS logs"),
    choice("authentication", "認証", "Authentication"),
    choice("network", "ネットワーク通信・イベント", "Network traffic and events"),
    choice("application", "アプリケーション", "Application"),
    choice("security_tool", "セキュリティ製品", "Security tools"),
    choice("resource", "リソース使用率", "Resource use"),
    choice("hardware", "ハードウェア・障害", "Hardware and faults"),
    choice("database", "データベース", "Database"),
    choice("monitoring_software", "監視ソフト", "Monitoring software"),
    choice("backup", "バックアップ", "Backup"),
    choice("camera", "監視カメラ", "Camera"),
    choice("change", "構成変更", "Configuration change"),
];

const LEVELS: &[Choice] = &[
    choice("informational", "情報", "Informational"),
    choice("low", "低", "Low"),
    choice("medium", "中", "Medium"),
    choice("high", "高", "High"),
    choice("critical", "重大", "Critical"),
];

const CRITICALITY: &[Choice] =
    &[choice("low", "低", "Low"), choice("medium", "中", "Medium"), choice("high", "高", "High")];

const PURPOSES: &[Choice] = &[
    choice("investigation", "原因調査", "Investigation"),
    choice("discovery", "問題発見", "Discovery"),
    choice("prevention", "予防", "Prevention"),
];

const VERDICTS: &[Choice] = &[
    choice("normal", "正常", "Normal"),
    choice("false_alarm", "誤検知", "False alarm"),
    choice("action", "要対応", "Action needed"),
    choice("incident", "インシデント", "Incident"),
];

pub(crate) const KINDS: &[KindSpec] = &[LOG_SOURCE, METRIC_SOURCE, DATABASE];

const LOG_SOURCE: KindSpec = KindSpec {
    id: "log_source",
    table: Table::Asset,
    title: t("ログの発生源", "Log source"),
    help: t(
        "ログやイベントを送ってくる機器・製品・サービス。どの資産のものかを必ず結び付けます。",
        "A device, product or service that sends logs or events; always tied to the asset it belongs to.",
    ),
    known_as: &["ログ一覧", "取得ログ一覧", "ログ管理台帳"],
    fields: &[
        field("source_class", "種類", "Class", FieldType::Enum(SOURCE_CLASSES))
            .required()
            .aliases(&["種類", "ログ種別", "監視種別", "class"]),
        field("asset", "対象資産", "Asset", FieldType::Reference("host")).aliases(&[
            "対象資産",
            "ホスト名",
            "対象機器",
            "host",
        ]),
        field(
            "protocol",
            "受信方式",
            "Protocol",
            FieldType::Enum(&[
                choice("syslog_udp", "syslog (UDP)", "syslog over UDP"),
                choice("syslog_tcp", "syslog (TCP)", "syslog over TCP"),
                choice("syslog_tls", "syslog (TLS)", "syslog over TLS"),
                choice("relp", "RELP", "RELP"),
                choice("journal", "systemd journal", "systemd journal"),
                choice("file", "ファイル", "File tail"),
                choice("http", "HTTP (NDJSON)", "HTTP (NDJSON)"),
                choice("otlp", "OTLP", "OTLP"),
                choice("flow", "NetFlow・IPFIX", "NetFlow or IPFIX"),
                choice("snmp_trap", "SNMPトラップ", "SNMP trap"),
                choice("webhook", "Webhook", "Webhook"),
                choice("upload", "手動アップロード", "Upload by hand"),
            ]),
        )
        .required()
        .aliases(&["受信方式", "プロトコル", "転送方式"]),
        text("parser", "解析形式", "Parser").aliases(&["解析形式", "フォーマット", "ログ形式"]),
        text("address", "送信元アドレス", "Sender address").aliases(&[
            "送信元",
            "IPアドレス",
            "IP",
            "アドレス",
        ]),
        number("cadence_s", "想定間隔", "Expected interval", "s").aliases(&[
            "想定間隔",
            "送信間隔(秒)",
            "受信間隔(秒)",
        ]),
        field("zone", "タイムゾーン", "Time zone", FieldType::Zone)
            .aliases(&["タイムゾーン", "時間帯"]),
        field(
            "encoding",
            "文字コード",
            "Encoding",
            FieldType::Enum(&[
                choice("utf-8", "UTF-8", "UTF-8"),
                choice("cp932", "CP932 (シフトJIS)", "CP932 (Shift JIS)"),
                choice("euc-jp", "EUC-JP", "EUC-JP"),
                choice("iso-2022-jp", "ISO-2022-JP", "ISO-2022-JP"),
            ]),
        )
        .aliases(&["文字コード", "エンコーディング"]),
        field("criticality", "重要度", "Criticality", FieldType::Enum(CRITICALITY))
            .aliases(&["重要度", "優先度"]),
        text("product", "製品", "Product").aliases(&["製品", "製品名", "ソフトウェア"]),
    ],
    groups: &[
        Group::new(t("対象", "Subject"), &["source_class", "asset", "product", "criticality"]),
        Group::new(
            t("取得", "How it arrives"),
            &["protocol", "address", "parser", "cadence_s", "zone", "encoding"],
        ),
    ],
    ..KindSpec::BASE
};

const METRIC_SOURCE: KindSpec = KindSpec {
    id: "metric_source",
    table: Table::Asset,
    title: t("計測値の発生源", "Metric source"),
    help: t(
        "CPU・メモリ・温度・通信量など、一定間隔で測る値の取得先。",
        "Where values such as CPU, memory, temperature or traffic are measured at an interval.",
    ),
    fields: &[
        field("source_class", "種類", "Class", FieldType::Enum(SOURCE_CLASSES))
            .required()
            .aliases(&["種類", "監視種別", "class"]),
        field("asset", "対象資産", "Asset", FieldType::Reference("host")).aliases(&[
            "対象資産",
            "ホスト名",
            "対象機器",
            "host",
        ]),
        text("target", "取得先", "Target").required().aliases(&[
            "取得先",
            "監視対象",
            "URL",
            "エンドポイント",
        ]),
        field(
            "protocol",
            "取得方式",
            "Protocol",
            FieldType::Enum(&[
                choice("prometheus", "Prometheus", "Prometheus"),
                choice("snmp", "SNMP", "SNMP"),
                choice("otlp", "OTLP", "OTLP"),
                choice("smart", "S.M.A.R.T.", "S.M.A.R.T."),
                choice("probe", "プローブ", "Probe"),
            ]),
        )
        .aliases(&["取得方式", "プロトコル"]),
        number("interval_s", "取得間隔", "Interval", "s").required().aliases(&[
            "取得間隔",
            "監視間隔(秒)",
            "間隔",
        ]),
        text("unit", "単位", "Unit").aliases(&["単位"]),
        field(
            "shape",
            "値の性質",
            "Shape",
            FieldType::Enum(&[
                choice("gauge", "瞬時値", "Gauge"),
                choice("counter", "累積値", "Counter"),
                choice("state", "状態", "State"),
            ]),
        )
        .aliases(&["値の性質", "データ型"]),
        count("limit_value", "限界値", "Limit").aliases(&["限界値", "上限", "しきい値"]),
        field("criticality", "重要度", "Criticality", FieldType::Enum(CRITICALITY))
            .aliases(&["重要度", "優先度"]),
    ],
    groups: &[
        Group::new(t("対象", "Subject"), &["source_class", "asset", "target", "criticality"]),
        Group::new(
            t("測定", "Measurement"),
            &["protocol", "interval_s", "unit", "shape", "limit_value"],
        ),
    ],
    ..KindSpec::BASE
};

const DATABASE: KindSpec = KindSpec {
    id: "database",
    table: Table::Asset,
    title: t("データベース", "Database"),
    help: t(
        "監視とデータ保護の対象となるデータベース。接続数・容量・再起動を見ます。",
        "A database to watch and protect: connections, size and restarts are observed.",
    ),
    fields: &[
        field(
            "product",
            "製品",
            "Product",
            FieldType::Enum(&[
                choice("postgresql", "PostgreSQL", "PostgreSQL"),
                choice("mariadb", "MariaDB・MySQL", "MariaDB or MySQL"),
                choice("oracle", "Oracle", "Oracle"),
                choice("sqlserver", "SQL Server", "SQL Server"),
                choice("sqlite", "SQLite", "SQLite"),
                choice("other", "その他", "Other"),
            ]),
        )
        .required()
        .aliases(&["製品", "DBMS", "DB製品", "データベース製品"]),
        text("product_version", "バージョン", "Version").aliases(&["バージョン", "版", "version"]),
        field("host", "ホスト", "Host", FieldType::Reference("host")).aliases(&[
            "ホスト",
            "ホスト名",
            "サーバー名",
            "サーバ名",
        ]),
        field("port", "ポート", "Port", FieldType::Number { unit: "", min: 1, max: 65_535 })
            .aliases(&["ポート", "ポート番号"]),
        field(
            "env",
            "環境",
            "Environment",
            FieldType::Enum(&[
                choice("production", "本番", "Production"),
                choice("staging", "検証", "Staging"),
                choice("test", "テスト", "Test"),
                choice("development", "開発", "Development"),
            ]),
        )
        .required()
        .aliases(&["環境", "用途区分"]),
        field("sensitive", "機微情報あり", "Holds sensitive fields", FieldType::Boolean)
            .aliases(&["機微情報", "個人情報有無", "個人情報"]),
        count("connections_max", "最大接続数", "Connections at most")
            .aliases(&["最大接続数", "接続数上限"]),
        number("capacity_gib", "容量", "Capacity", "GiB").aliases(&[
            "容量",
            "容量(GB)",
            "ディスク",
        ]),
        field("admin", "管理者", "Administrator", FieldType::Party).personal().aliases(&[
            "管理者",
            "DBA",
            "担当者",
        ]),
        field("criticality", "重要度", "Criticality", FieldType::Enum(CRITICALITY))
            .aliases(&["重要度", "優先度"]),
    ],
    groups: &[
        Group::new(t("製品", "Product"), &["product", "product_version", "host", "port"]),
        Group::new(t("用途", "Use"), &["env", "sensitive", "criticality", "admin"]),
        Group::new(t("容量", "Capacity"), &["connections_max", "capacity_gib"]),
    ],
    ..KindSpec::BASE
};

/// How lines of a file are read.
const LINE_FORMATS: &[Choice] = &[
    choice("auto", "自動", "By themselves"),
    choice("syslog", "syslog形式", "Syslog"),
    choice("json", "JSON形式", "JSON"),
    choice("plain", "そのまま", "As they are"),
    choice("dpkg", "dpkgの形式", "dpkg"),
    choice("apt_history", "aptの履歴", "History of apt"),
];

const LOG_FILES: &[Field] = &[
    text("source", "発生源名", "Source").required(),
    text("path", "パス", "Path").required(),
    field("format", "形式", "Format", FieldType::Enum(LINE_FORMATS)),
];

/// A bound or a limit; temperatures may lie below zero.
const BOUND: FieldType = FieldType::Number { unit: "", min: -(1 << 53), max: 1 << 53 };
const AMOUNT: FieldType = FieldType::Number { unit: "", min: 0, max: 1 << 53 };

/// Rows hold whole numbers, series do not.
const SCALES: &[Choice] = &[
    choice("measured", "計測値のまま", "As measured"),
    choice("percent", "百分率（90は0.9）", "Per cent (90 is 0.9)"),
    choice("permille", "千分率（900は0.9）", "Per mille (900 is 0.9)"),
];

const WATCHED_ASSETS: &[Choice] = &[
    choice("host", "ホスト", "Host"),
    choice("database", "データベース", "Database"),
    choice("network_device", "ネットワーク機器", "Network device"),
];

const EXCLUDED_HOURS: &[Field] = &[
    field(
        "days",
        "曜日",
        "Days",
        FieldType::Enum(&[
            choice("every", "毎日", "Every day"),
            choice("working", "業務日", "Working days"),
            choice("off", "休日", "Days off"),
            choice("mon", "月", "Monday"),
            choice("tue", "火", "Tuesday"),
            choice("wed", "水", "Wednesday"),
            choice("thu", "木", "Thursday"),
            choice("fri", "金", "Friday"),
            choice("sat", "土", "Saturday"),
            choice("sun", "日", "Sunday"),
        ]),
    )
    .required(),
    field("from_h", "開始", "From", FieldType::Number { unit: "h", min: 0, max: 23 }).required(),
    field("until_h", "終了", "Until", FieldType::Number { unit: "h", min: 1, max: 24 }).required(),
];

const MAINTENANCE: &[Field] = &[
    field("from", "開始", "From", FieldType::Time).required(),
    field("hours", "長さ", "For", FieldType::Number { unit: "h", min: 1, max: 720 }).required(),
];

const CLOSING_DAYS: &[Field] = &[
    text("name", "名称", "Name"),
    field("from", "最初の日", "First day", FieldType::Date).required(),
    field("to", "最後の日", "Last day", FieldType::Date),
    field("is_yearly", "毎年", "Every year", FieldType::Boolean),
];

/// The classes of security logs of which trends are watched.
const SECURITY_CLASSES: &[Choice] = &{
    let all = crate::work::logs::security::Class::ALL;
    let mut choices = [choice("", "–", "–"); 7];
    let mut n = 0;
    while n < all.len() {
        choices[n] = Choice { value: all[n].name(), label: all[n].text() };
        n += 1;
    }
    choices
};

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: crate::work::collection::KIND,
        table: Table::Rule,
        title: t("収集ルール", "Collection rule"),
        help: t(
            "エージェントが追うログファイルと構成の収集間隔。署名して届け、エージェントは自身の設定で許すパス（既定は/var/log以下）だけを開きます。",
            "Which log files agents follow and how often they collect the configuration. Delivered signed; an agent opens only what its own host permits, by default what lies below /var/log.",
        ),
        fields: &[
            field(
                "hosts",
                "対象ホスト（*が使えます。空欄はすべて）",
                "Hosts (* fits anything; all if empty)",
                FieldType::List,
            )
            .aliases(&["対象ホスト", "ホスト"]),
            text("attribute", "ホストの項目", "Field of the host").aliases(&["項目"]),
            text("value", "その値", "Its value").aliases(&["値"]),
            field("files", "ログファイル", "Log files", FieldType::Table(LOG_FILES))
                .aliases(&["ログファイル", "ファイル"]),
            Field::new(
                "configuration_h",
                t("構成の収集間隔", "Configuration every"),
                FieldType::Number { unit: "h", min: 1, max: 168 },
            )
            .aliases(&["収集間隔"]),
        ],
        rules: &[Rule::RequiredIf { field: "value", when: "attribute", is: &[] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "detection",
        table: Table::Rule,
        title: t("検知ルール", "Detection rule"),
        help: t(
            "1件のイベントを見て判断するSigma形式のルール。",
            "A Sigma rule that judges one event.",
        ),
        fields: &[
            field("source", "ルール本文", "Rule text", FieldType::Multiline).required(),
            field("level", "重大度", "Level", FieldType::Enum(LEVELS)).required(),
            text("logsource", "対象ログ", "Log source"),
            field("tags", "タグ", "Tags", FieldType::List),
            text("licence", "ライセンス", "Licence"),
            field(
                "phase",
                "兆候・予兆",
                "Sign or precursor",
                FieldType::Enum(&[
                    choice("sign", "兆候", "Sign"),
                    choice("precursor", "予兆", "Precursor"),
                ]),
            ),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "correlation",
        table: Table::Rule,
        title: t("相関ルール", "Correlation rule"),
        help: t(
            "複数の検知を時間の窓で組み合わせるルール。",
            "Combines several matches within a window of time.",
        ),
        fields: &[
            field("source", "ルール本文", "Rule text", FieldType::Multiline).required(),
            field("level", "重大度", "Level", FieldType::Enum(LEVELS)).required(),
            number("timespan_s", "時間の窓", "Window", "s").required(),
            field("group_by", "まとめる項目", "Group by", FieldType::List),
            field("rules", "もとの検知", "Rules combined", FieldType::List),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "detection_filter",
        table: Table::Rule,
        title: t("除外フィルター", "Detection filter"),
        help: t(
            "検知から外す条件。責任者・範囲・期限を必ず持ちます。",
            "What is taken out of detections; always with an owner, a scope and an end.",
        ),
        fields: &[
            field("source", "条件", "Condition", FieldType::Multiline).required(),
            field("rules", "対象ルール", "Rules it applies to", FieldType::List).required(),
            field("reason", "理由", "Reason", FieldType::Multiline).required(),
            field("expires", "期限", "Expires", FieldType::Date).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: crate::work::packs::KIND,
        table: Table::Rule,
        title: t("ルールパック", "Rule pack"),
        help: t(
            "他の人が作ったSigma形式のルール集（zip、tar.gz、または1件のyml）。有効にすると中のルールが使われます。出典とライセンスの表示を保ってください。",
            "Sigma rules that others wrote (zip, tar.gz or a single yml). Once active its rules are at work. Keep the attribution and the licence.",
        ),
        fields: &[
            field("file", "ファイル", "File", FieldType::File).required(),
            text("origin", "出典", "Where it comes from").required().aliases(&["入手元", "URL"]),
            text("author", "作者", "Author").aliases(&["著作者"]),
            text("licence", "ライセンス", "Licence").required(),
            field(
                "disabled",
                "使わないルール（IDかパス）",
                "Rules that are switched off (id or path)",
                FieldType::List,
            ),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: crate::work::series::rules::STEADY,
        table: Table::Rule,
        title: t("定常監視ルール", "Steady-state rule"),
        help: t(
            "系列ごとの判断の仕方。平常からの外れの感度と向き、固定のしきい値（学習なしで初日から有効）、学習も判断もしない時間を決めます。複数のルールが当てはまる系列には、条件の多いルールが使われます。",
            "How series are judged: how sensitive and in which direction departures from normal are told, fixed thresholds that hold from the first day, and hours in which nothing is learnt or judged. Of several rules that fit a series the one with more conditions holds.",
        ),
        fields: &[
            text(
                "series",
                "対象系列（名前かID。*が使えます）",
                "Series (name or id; * fits anything)",
            )
            .required()
            .aliases(&["対象系列", "メトリック", "項目"]),
            text("source", "出所（*が使えます）", "Source (* fits anything)").aliases(&["出所"]),
            field("hosts", "ホスト（*が使えます）", "Hosts (* fits anything)", FieldType::List)
                .aliases(&["ホスト", "対象ホスト"]),
            field("asset_kind", "資産の種類", "Kind of asset", FieldType::Enum(WATCHED_ASSETS)),
            field("asset", "対象資産", "Asset", FieldType::Reference("host"))
                .aliases(&["対象資産"]),
            field(
                "judged_by",
                "判断の基準",
                "Judged by",
                FieldType::Enum(&[
                    choice("both", "平常からの外れとしきい値", "Normal and thresholds"),
                    choice("normal", "平常からの外れのみ", "Normal alone"),
                    choice("thresholds", "しきい値のみ", "Thresholds alone"),
                ]),
            ),
            field("sensitivity", "感度", "Sensitivity", FieldType::Enum(CRITICALITY)).required(),
            field(
                "direction",
                "向き",
                "Direction",
                FieldType::Enum(&[
                    choice("both", "両方", "Both"),
                    choice("up", "増加", "Up"),
                    choice("down", "減少", "Down"),
                ]),
            ),
            field("least_size", "無視してよい差", "Differences that mean nothing", AMOUNT),
            field("scale", "数値の単位", "Numbers are given in", FieldType::Enum(SCALES)),
            field("warn_above", "警告（以上）", "Warning at or above", BOUND),
            field("critical_above", "重大（以上）", "Critical at or above", BOUND),
            field("warn_below", "警告（以下）", "Warning at or below", BOUND),
            field("critical_below", "重大（以下）", "Critical at or below", BOUND),
            field(
                "hold_s",
                "継続時間",
                "Holds for",
                FieldType::Number { unit: "s", min: 0, max: 7 * 86_400 },
            )
            .aliases(&["継続時間"]),
            field(
                "excluded",
                "判断しない時間帯",
                "Hours that are left out",
                FieldType::Table(EXCLUDED_HOURS),
            ),
            field("maintenance", "作業予定", "Maintenance", FieldType::Table(MAINTENANCE)),
        ],
        groups: &[
            Group::new(t("対象", "Subject"), &["series", "source", "hosts", "asset_kind", "asset"]),
            Group::new(
                t("平常からの外れ", "Departures from normal"),
                &["judged_by", "sensitivity", "direction", "least_size", "scale"],
            ),
            Group::new(
                t("しきい値", "Thresholds"),
                &["warn_above", "critical_above", "warn_below", "critical_below", "hold_s"],
            ),
            Group::new(t("判断しない時間", "Left out"), &["excluded", "maintenance"]),
        ],
        rules: &[
            Rule::AtMost { lower: "warn_above", upper: "critical_above" },
            Rule::AtMost { lower: "critical_below", upper: "warn_below" },
            Rule::AtMost { lower: "warn_below", upper: "warn_above" },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "silence",
        table: Table::Rule,
        title: t("沈黙検知ルール", "Silence rule"),
        help: t(
            "届くはずのログが届かないことを知らせます。",
            "Reports that expected logs do not arrive.",
        ),
        fields: &[
            text("source_selector", "対象の発生源", "Sources").required(),
            number("quiet_s", "沈黙とみなす時間", "Quiet for", "s").required(),
            field("level", "重大度", "Level", FieldType::Enum(LEVELS)).required(),
            field("calendar", "業務時間のみ", "Working hours only", FieldType::Boolean),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: crate::work::series::rules::TREND,
        table: Table::Rule,
        title: t("傾向監視ルール", "Trend rule"),
        help: t(
            "系列が限界に達するまでの日数、またはセキュリティログの種類ごとの傾向を見ます。",
            "Watches in how many days a series meets its limit, or how a class of security logs develops.",
        ),
        fields: &[
            text(
                "series",
                "対象系列（名前かID。*が使えます）",
                "Series (name or id; * fits anything)",
            )
            .aliases(&["対象系列"]),
            field("hosts", "ホスト（*が使えます）", "Hosts (* fits anything)", FieldType::List)
                .aliases(&["ホスト", "対象ホスト"]),
            field(
                "step",
                "きざみ",
                "Step",
                FieldType::Enum(&[choice("day", "日", "Day"), choice("week", "週", "Week")]),
            )
            .required(),
            field("limit_value", "限界値", "Limit", BOUND),
            field(
                "limit_side",
                "限界の種類",
                "Kind of limit",
                FieldType::Enum(&[
                    choice("above", "上限", "Upper limit"),
                    choice("below", "下限", "Lower limit"),
                ]),
            ),
            field("scale", "数値の単位", "Numbers are given in", FieldType::Enum(SCALES)),
            field(
                "warn_days",
                "枯渇前の通知日数",
                "Warn before exhaustion",
                FieldType::Number { unit: "d", min: 1, max: 3_650 },
            ),
            field(
                "security_class",
                "セキュリティログの種類",
                "Class of security log",
                FieldType::Enum(SECURITY_CLASSES),
            ),
            field("is_watched", "知らせる", "Told", FieldType::Boolean),
            field(
                "least_per_day",
                "この件数に満たない日平均は知らせない",
                "Daily counts below this are not told",
                FieldType::Number { unit: "/d", min: 0, max: 1 << 40 },
            ),
            field(
                "least_rise",
                "この割合に満たない増加は知らせない",
                "Rises below this are not told",
                FieldType::Number { unit: "%", min: 0, max: 100_000 },
            ),
        ],
        groups: &[
            Group::new(
                t("系列の限界", "Limit of a series"),
                &["series", "hosts", "limit_value", "limit_side", "scale", "warn_days"],
            ),
            Group::new(
                t("セキュリティログの傾向", "Trend of security logs"),
                &["security_class", "is_watched", "least_per_day", "least_rise"],
            ),
        ],
        rules: &[
            Rule::OneOf { fields: &["series", "security_class"] },
            Rule::RequiredIf { field: "limit_value", when: "series", is: &[] },
            Rule::RequiredIf { field: "warn_days", when: "limit_value", is: &[] },
            Rule::RequiredIf { field: "is_watched", when: "security_class", is: &[] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "notification",
        table: Table::Rule,
        title: t("通知ルール", "Notification rule"),
        help: t(
            "誰に、どの経路で、いつまでに知らせ、応答がなければ誰に上げるか。",
            "Whom to tell, how, by when, and to whom it escalates without an answer.",
        ),
        fields: &[
            field("level", "この重大度以上", "From level", FieldType::Enum(LEVELS)).required(),
            field(
                "channel",
                "経路",
                "Channel",
                FieldType::Enum(&[
                    choice("mail", "メール", "Mail"),
                    choice("webhook", "Webhook", "Webhook"),
                    choice("page", "画面", "Page"),
                ]),
            )
            .required(),
            field("receiver", "受け手", "Receiver", FieldType::Party).required(),
            number("due_min", "確認期限", "Due within", "min").required(),
            field("escalate_to", "上申先", "Escalates to", FieldType::Party),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "detection_exercise",
        table: Table::Rule,
        title: t("検知演習", "Detection exercise"),
        help: t(
            "検知できることを確かめるために安全に起こす模擬事象。",
            "A harmless staged event that shows whether detection works.",
        ),
        fields: &[
            field("scenario", "内容", "Scenario", FieldType::Multiline).required(),
            field("expects", "期待する検知", "Rules expected to fire", FieldType::List).required(),
            number("period_d", "実施間隔", "Every", "d").required(),
            number("target_min", "検知目標", "Detection target", "min").required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "monitoring_scope",
        table: Table::Norm,
        title: t("監視の範囲と目標", "Monitoring scope and targets"),
        help: t(
            "見る対象、誤検知の許容件数、対応期限を決めた文書の要点。",
            "What is watched, the false-alarm budget and the due times.",
        ),
        fields: &[
            field("scope", "対象範囲", "Scope", FieldType::Multiline).required(),
            number("false_alarms_day", "誤検知の許容件数", "False alarms allowed", "/d").required(),
            number("due_min", "確認期限", "Alerts due within", "min").required(),
            number("detect_target_min", "検知目標", "Detection target", "min").required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "alert_playbook",
        table: Table::Plan,
        title: t("アラート対応手順", "Alert playbook"),
        help: t("アラートを受けた人が取る手順。", "The steps of the person who gets the alert."),
        fields: &[
            text("trigger", "きっかけ", "Trigger").required(),
            field("steps", "手順", "Steps", FieldType::List).required(),
            field("first_responder", "一次対応者", "First responder", FieldType::Party),
            number("target_min", "目標時間", "Target time", "min"),
        ],
        rules: &[Rule::RequiredIf { field: "target_min", when: "first_responder", is: &[] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: crate::work::week::KIND,
        table: Table::Norm,
        title: t("業務カレンダー", "Working calendar"),
        help: t(
            "平常を判断するときの休日。国の祝日と会社の休業日を決めます。有効なものがなければ日本の祝日だけを使います。変えても学習した内容は残ります。",
            "Days off by which the steady state is judged: holidays of the country and closing days of the company. Without an active one the holidays of Japan hold. Changing it loses nothing that was learnt.",
        ),
        fields: &[
            field(
                "country",
                "祝日",
                "Holidays",
                FieldType::Enum(&[
                    choice("japan", "日本の祝日", "Holidays of Japan"),
                    choice("none", "祝日なし", "No holidays"),
                ]),
            )
            .required(),
            field("closing_days", "休業日", "Closing days", FieldType::Table(CLOSING_DAYS)),
            field(
                "zone",
                "タイムゾーン（空欄は組織のもの）",
                "Time zone (the organisation's if empty)",
                FieldType::Zone,
            )
            .aliases(&["タイムゾーン"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "new_normal",
        table: Table::Decision,
        title: t("新しい平常の承認", "New normal approved"),
        help: t(
            "変わった状態を今後の平常とみなす判断。",
            "The decision to take a changed state as the new normal.",
        ),
        fields: &[
            text("series", "対象系列", "Series").required(),
            field("since", "いつから", "Since", FieldType::Date).required(),
            field("cause", "変化の理由", "Cause", FieldType::Multiline).required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "monitoring.source_status",
        writer: Writer::Ume,
        title: t("発生源の状態", "Source status"),
        fields: &[
            text("source_class", "種類", "Class").required(),
            count("received", "受信", "Received").required(),
            count("stored", "保存", "Stored").required(),
            count("refused_total", "拒否の合計", "Refused in all").required(),
            count("lost_total", "消失の合計", "Lost in all").required(),
            count("evaluated", "評価済み", "Evaluated").required(),
            count("pending", "評価待ち", "Pending").required(),
            count("before_rules", "ルール以前の保存", "Stored before there were rules"),
            number("bytes", "バイト数", "Bytes", "B").required(),
            field("refused", "拒否の理由別件数", "Refused by reason", FieldType::Object),
            field("lost", "消失の原因別件数", "Lost by cause", FieldType::Object),
            number("lag_max_ms", "評価までの最大遅れ", "Longest wait for evaluation", "ms")
                .required(),
            number("lost_permille", "消失率", "Share lost", "‰").required(),
            field("silent", "沈黙している", "Silent", FieldType::Boolean).required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.ruleset_loaded",
        writer: Writer::Ume,
        title: t("ルールセットの読込み", "Rule set loaded"),
        fields: &[
            count("accepted", "採用", "Accepted").required(),
            count("rejected_total", "却下の合計", "Rejected in all").required(),
            field("rejected", "却下の理由別件数", "Rejected by reason", FieldType::Object),
            field("hash", "ルールセットのハッシュ", "Hash of the set", FieldType::Hash).required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.rule_activated",
        writer: Writer::Ume,
        title: t("ルール・指標の有効化", "Rule or indicator set activated"),
        fields: &[
            field(
                "kind",
                "種類",
                "Kind",
                FieldType::Enum(&[
                    choice("detection", "検知ルール", "Detection rule"),
                    choice("correlation", "相関ルール", "Correlation rule"),
                    choice("indicators", "脅威情報の指標", "Indicator set"),
                ]),
            )
            .required(),
            field("hash", "版のハッシュ", "Hash of the version", FieldType::Hash).required(),
            count("rules", "ルールの数", "Rules"),
            text("stream", "ストリーム", "Stream"),
            count("offset", "ストリーム中の位置", "Place in the stream"),
        ],
    },
    RecordSpec {
        ty: "monitoring.rule_coverage",
        writer: Writer::Ume,
        title: t("ルールの成立可否", "Whether a rule can fire"),
        fields: &[
            field("enabled", "有効", "Enabled", FieldType::Boolean).required(),
            field("source_present", "対象ログあり", "Its source is present", FieldType::Boolean)
                .required(),
            count("fields_needed", "必要な項目数", "Fields needed").required(),
            count("fields_missing", "届かない項目数", "Fields that never arrive").required(),
            field("missing", "届かない項目", "Missing fields", FieldType::List),
            text("rule", "ルールのID", "Id of the rule"),
            field("rule_hash", "ルールの版", "Rule version", FieldType::Hash),
        ],
    },
    RecordSpec {
        ty: "monitoring.finding",
        writer: Writer::Anyone,
        title: t("検知", "Finding"),
        fields: &[
            field("severity", "重大度", "Severity", FieldType::Enum(LEVELS)).required(),
            field(
                "class",
                "区分",
                "Class",
                FieldType::Enum(&[
                    choice("detection", "ルール検知", "Detection"),
                    choice("anomaly", "異常", "Anomaly"),
                    choice("silence", "沈黙", "Silence"),
                    choice("incident", "インシデント", "Incident"),
                    choice("report", "従業員からの報告", "Reported by a person"),
                ]),
            )
            .required(),
            field(
                "phase",
                "兆候・予兆",
                "Sign or precursor",
                FieldType::Enum(&[
                    choice("sign", "兆候", "Sign"),
                    choice("precursor", "予兆", "Precursor"),
                ]),
            )
            .required(),
            field("retro", "過去照合による", "From a retro-hunt", FieldType::Boolean),
            text("hunt", "過去照合のID", "Id of what the retro-hunt was for"),
            text("rule", "ルールのID", "Id of the rule"),
            text("title_ja", "ルールの名前", "Name of the rule in Japanese"),
            text("title_en", "ルールの名前（英語）", "Name of the rule"),
            field("group", "まとめのハッシュ", "Hash of what it is told apart by", FieldType::Hash),
            text("stream", "ストリーム", "Stream"),
            count("offset", "ストリーム中の位置", "Place in the stream"),
            text("occurrence", "検知の識別ハッシュ", "Hash it is known by"),
            text("series", "系列のID", "Id of the series"),
            count("onset_us", "始まり（µs）", "Onset, µs"),
            count("rarity", "まれさ（10の負のべき）", "Rarity, a negative power of ten"),
            field("rule_hash", "ルールの版", "Rule version", FieldType::Hash),
            field("segment_root", "イベント区間のルート", "Root of the segment", FieldType::Hash),
            text("indicator_kind", "脅威の指標の種類", "Kind of the threat indicator"),
            text("indicator", "脅威の指標", "Threat indicator"),
            text("indicator_source", "指標の入手先", "What the indicator came with"),
            text("indicator_items", "指標の脅威情報のID", "Ids of the items of the indicator"),
            text("of", "もとの検知", "Finding it came of"),
            number("detected_s", "検知までの時間", "Time to detect", "s"),
        ],
    },
    RecordSpec {
        ty: "monitoring.silence_ended",
        writer: Writer::Ume,
        title: t("ログの再開", "Silence ended"),
        fields: &[number("silent_s", "途絶えていた時間", "Silent for", "s").required()],
    },
    RecordSpec {
        ty: "monitoring.finding_joined",
        writer: Writer::Ume,
        title: t("同じ出来事の別の検知", "Finding joined"),
        fields: &[
            text("rule", "ルールのID", "Id of the rule").required(),
            text("title_ja", "検知の内容", "What was found, in Japanese").required(),
            text("title_en", "検知の内容（英語）", "What was found").required(),
            field("group", "まとめのハッシュ", "Hash of what it is told apart by", FieldType::Hash)
                .required(),
            text("series", "系列のID", "Id of the series"),
            count("onset_us", "始まり（µs）", "Onset, µs").required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.alert_handled",
        writer: Writer::Anyone,
        title: t("アラートの対応", "Alert handled"),
        fields: &[
            number("ack_min", "確認までの時間", "Time to acknowledge", "min").required(),
            number("due_min", "確認期限", "Due within", "min").required(),
            number("canary_age_h", "直近の疎通確認からの時間", "Age of the newest canary", "h")
                .required(),
            field("verdict", "判断", "Verdict", FieldType::Enum(VERDICTS)).required(),
            field("handler", "対応者", "Handler", FieldType::Party),
        ],
    },
    RecordSpec {
        ty: "monitoring.canary_run",
        writer: Writer::Anyone,
        title: t("通知の疎通確認", "Canary run"),
        fields: &[
            field("severity", "重大度", "Severity", FieldType::Enum(LEVELS)).required(),
            field("arrived", "届いた", "Arrived", FieldType::Boolean).required(),
            number("delay_s", "届くまでの時間", "Delay", "s"),
        ],
    },
    RecordSpec {
        ty: "monitoring.indicator_canary",
        writer: Writer::Ume,
        title: t("試験用指標の一致", "Canary indicator met"),
        fields: &[
            field("root", "指標集", "Set", FieldType::Hash).required(),
            field("name", "試験用の名前", "Name", FieldType::Text).required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.baseline_status",
        writer: Writer::Ume,
        title: t("定常データの取得状況", "Steady-state data status"),
        fields: &[
            number("baseline_days", "蓄積日数", "Days of baseline", "d").required(),
            number("samples_permille", "取得率", "Samples taken", "‰").required(),
            count("samples", "取得数", "Samples").required(),
            count("samples_due", "取得予定数", "Samples due").required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.state_rebuilt",
        writer: Writer::Ume,
        title: t("学習状態の再構築", "What series learnt was made again"),
        fields: &[
            count("series", "再構築した系列", "Series made again").required(),
            field("whole", "全体", "All of them", FieldType::Boolean).required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.gap_analysis",
        writer: Writer::Ume,
        title: t("GAP分析", "GAP analysis"),
        fields: &[
            field("verdict", "判断", "Verdict", FieldType::Enum(VERDICTS)).required(),
            number("decision_working_days", "判断までの営業日数", "Working days to decide", "d")
                .required(),
            count("items", "差の項目数", "Items that differ").required(),
            count("steady_weeks", "比べた週の数", "Weeks it was held against"),
            field("steady_root", "平常区間のルート", "Root of the steady window", FieldType::Hash),
            field(
                "incident_root",
                "対象区間のルート",
                "Root of the window judged",
                FieldType::Hash,
            ),
        ],
    },
    RecordSpec {
        ty: "monitoring.load_profile",
        writer: Writer::Ume,
        title: t("負荷の特性", "Load profile"),
        fields: &[
            count("steady_samples", "定常時の標本数", "Samples at steady load").required(),
            count("high_samples", "高負荷時の標本数", "Samples at high load").required(),
            number("steady_permille", "定常時の使用率", "Use at steady load", "‰").required(),
            number("high_permille", "高負荷時の使用率", "Use at high load", "‰").required(),
            number("high_hours", "高負荷の合計時間", "Hours of high load", "h"),
            number("peak_permille", "最大の使用率", "Highest use", "‰"),
            field(
                "has_high_load",
                "高負荷の時間帯がある",
                "There is a high load of its own",
                FieldType::Boolean,
            ),
            number("days", "計測値のある日数", "Days with values", "d"),
        ],
    },
    RecordSpec {
        ty: "monitoring.capacity_forecast",
        writer: Writer::Ume,
        title: t("枯渇予測", "Capacity forecast"),
        fields: &[
            text("resource", "資源", "Resource").required(),
            number("eta_days", "枯渇までの日数", "Days to exhaustion", "d").required(),
            number("low_days", "早い場合", "At the earliest", "d"),
            number("high_days", "遅い場合", "At the latest", "d"),
        ],
    },
    RecordSpec {
        ty: "monitoring.status_review",
        writer: Writer::Anyone,
        title: t("定常状態の確認", "Status review"),
        fields: &[
            field("signed", "署名済み", "Signed", FieldType::Boolean).required(),
            field("signer", "署名者", "Signer", FieldType::Party),
            count("sources_seen", "確認した発生源", "Sources looked at").required(),
            count("abnormal", "異常の件数", "Abnormal items").required(),
            count("tasks", "作成したタスク", "Tasks created"),
        ],
    },
    RecordSpec {
        ty: "monitoring.review_due",
        writer: Writer::Ume,
        title: t("期日を迎えたレビュー", "Review that fell due"),
        fields: &[
            field("purpose", "目的", "Purpose", FieldType::Enum(PURPOSES)).required(),
            count("purposes_scheduled", "予定のある目的の数", "Purposes with a schedule")
                .required(),
            field("due", "期日", "Due", FieldType::Date).required(),
        ],
    },
    review("monitoring.review_investigation", "原因調査レビュー", "Investigation review"),
    review("monitoring.review_discovery", "問題発見レビュー", "Discovery review"),
    review("monitoring.review_prevention", "予防レビュー", "Prevention review"),
    RecordSpec {
        ty: "monitoring.footage_review",
        writer: Writer::Anyone,
        title: t("映像の確認", "Footage review"),
        fields: &[
            count("clips", "対象の映像数", "Clips").required(),
            count("seen", "見た映像数", "Clips seen").required(),
            field("reviewer", "確認者", "Reviewer", FieldType::Party).required(),
            count("findings", "気づきの件数", "Findings"),
        ],
    },
    RecordSpec {
        ty: "monitoring.trend_status",
        writer: Writer::Ume,
        title: t("ログ傾向分析の状態", "Trend detector status"),
        fields: &[
            text("security_class", "セキュリティログの種類", "Class of security log").required(),
            field("cold_start", "学習中", "Still learning", FieldType::Boolean).required(),
            number("days_learnt", "学習日数", "Days learnt", "d").required(),
            count("change_points", "変化点の数", "Change points"),
        ],
    },
    RecordSpec {
        ty: "monitoring.detection_time",
        writer: Writer::Ume,
        title: t("検知時間の集計", "Detection time"),
        fields: &[
            text("scope", "集計の範囲", "Scope").required(),
            number("p90_s", "90パーセンタイル", "90th percentile", "s").required(),
            number("median_s", "中央値", "Median", "s"),
            count("incidents", "インシデント数", "Incidents").required(),
            count("exercises", "演習数", "Exercises").required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.exercise_run",
        writer: Writer::Ume,
        title: t("検知演習の実施", "Detection exercise run"),
        fields: &[
            field("staged_at", "模擬事象の時刻", "Staged at", FieldType::Time).required(),
            count("expected", "期待したルール", "Rules expected").required(),
            count("detected", "検知したルール", "Rules that fired").required(),
            number("detected_s", "検知までの時間", "Time to detect", "s"),
            number("target_min", "検知目標", "Detection target", "min").required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.hunt_run",
        writer: Writer::Ume,
        title: t("過去ログの照合", "Retro-hunt"),
        fields: &[
            number("delay_min", "有効化からの時間", "Time since activation", "min").required(),
            number("covered_permille", "照合できた割合", "Share of segments covered", "‰")
                .required(),
            count("scanned", "読んだ区間", "Segments scanned").required(),
            count("pruned", "読まずに判断した区間", "Segments pruned").required(),
            count("missing", "欠けた区間", "Segments missing").required(),
            count("shredded", "消去済みの区間", "Segments shredded").required(),
            count("matches", "一致", "Matches"),
            count("events", "読んだイベント", "Events read"),
            count("findings", "新しい検知", "New findings"),
            count("rules", "ルールの数", "Rules"),
        ],
    },
    RecordSpec {
        ty: "monitoring.false_alarms",
        writer: Writer::Ume,
        title: t("誤検知の集計", "False alarms"),
        fields: &[
            number("days", "集計日数", "Days counted", "d").required(),
            count("judged", "判断済み", "Judged").required(),
            count("unjudged", "未判断", "Not judged yet").required(),
            count("judged_false", "誤検知", "Judged false").required(),
            count("budget_total", "許容件数", "Budget for these days").required(),
        ],
    },
    RecordSpec {
        ty: "monitoring.segment_root",
        writer: Writer::Ume,
        title: t("イベント区間のルート", "Root of an event segment"),
        fields: &[
            field("root", "ルート", "Root", FieldType::Hash).required(),
            count("events", "イベント数", "Events").required(),
            number("bytes", "バイト数", "Bytes", "B"),
        ],
    },
];

const fn review(ty: &'static str, ja: &'static str, en: &'static str) -> RecordSpec {
    RecordSpec { ty, writer: Writer::Ume, title: t(ja, en), fields: REVIEW_FIELDS }
}

const REVIEW_FIELDS: &[Field] = &[
    field("signed", "署名済み", "Signed", FieldType::Boolean).required(),
    field("signer", "署名者", "Signer", FieldType::Party),
    number("late_h", "期日からの遅れ", "Hours after the due time", "h").required(),
    count("panels", "確認欄の数", "Panels"),
    count("panels_without_source", "発生源のない欄", "Panels without a source"),
    count("findings", "気づきの件数", "Findings"),
    count("tasks", "作成したタスク", "Tasks created"),
];
