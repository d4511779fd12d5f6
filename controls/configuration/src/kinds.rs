//! What the room keeps in the register: machines, software, licences, addresses, the rules that say
//! how they should be, and the facts of its records.

use model::{Choice, Field, FieldType, Group, KindSpec, RecordSpec, Rule, Table, Writer, t};

use crate::impact;
use FieldType::{
    Boolean, Date, Enum, File, Hash, List, Money, Multiline, Object, Party, Reference, Time,
};

const TEXT: FieldType = FieldType::Text;

const fn f(name: &'static str, ja: &'static str, en: &'static str, ty: FieldType) -> Field {
    Field::new(name, t(ja, en), ty)
}

const fn c(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

/// A whole number from zero up.
const fn n(unit: &'static str) -> FieldType {
    FieldType::Number { unit, min: 0, max: 1_000_000_000_000 }
}

const PERMILLE: FieldType = FieldType::Number { unit: "‰", min: 0, max: 1_000 };

/// The eight considerations; `criteria` lists the same values as parts.
pub(crate) const FAMILIES: &[Choice] = &[
    c("privileged", "特権アカウント", "Privileged identities"),
    c("unused", "使われていないアカウント", "Unused identities"),
    c("services", "不要なサービス・既定の機能", "Unneeded services and default modules"),
    c("utilities", "強力なユーティリティ", "Powerful utilities"),
    c("host_parameters", "ホストのパラメータ", "Host parameters"),
    c("clock", "時刻同期", "Clock"),
    c("default_passwords", "初期パスワード・既定値", "Initial passwords and defaults"),
    c("auto_logoff", "自動ログオフ", "Automatic log-off"),
];

const STAGES: &[Choice] = &[
    c("planned", "計画中", "Planned"),
    c("introduced", "導入", "Introduced"),
    c("extended", "増設・更改", "Extended"),
    c("operating", "運用中（台帳以前から）", "Operating since before the register"),
    c("retired", "廃止", "Retired"),
];

const ENVIRONMENTS: &[Choice] = &[
    c("production", "本番", "Production"),
    c("staging", "検証", "Staging"),
    c("development", "開発", "Development"),
    c("office", "事務用", "Office"),
];

const HOST_TYPES: &[Choice] = &[
    c("physical", "物理サーバー", "Physical server"),
    c("virtual", "仮想マシン", "Virtual machine"),
    c("container_host", "コンテナ基盤", "Container host"),
    c("pc", "業務用PC", "Business PC"),
    c("mobile", "スマートフォン・タブレット", "Mobile device"),
];

const DEVICE_TYPES: &[Choice] = &[
    c("router", "ルーター", "Router"),
    c("switch", "スイッチ", "Switch"),
    c("firewall", "ファイアウォール", "Firewall"),
    c("wireless", "無線アクセスポイント", "Wireless access point"),
    c("load_balancer", "負荷分散装置", "Load balancer"),
    c("vpn", "VPN装置", "VPN gateway"),
    c("other", "その他", "Other"),
];

const HARDWARE_TYPES: &[Choice] = &[
    c("server", "サーバー", "Server"),
    c("pc", "PC", "PC"),
    c("phone", "スマートフォン", "Phone"),
    c("storage", "ストレージ", "Storage"),
    c("network", "ネットワーク機器", "Network device"),
    c("printer", "プリンター・複合機", "Printer"),
    c("ups", "無停電電源装置", "UPS"),
    c("part", "部品・予備品", "Part or spare"),
];

const SOFTWARE_TYPES: &[Choice] = &[
    c("application", "業務アプリケーション", "Application"),
    c("middleware", "ミドルウェア", "Middleware"),
    c("os", "OS", "Operating system"),
    c("library", "ライブラリ", "Library"),
    c("firmware", "ファームウェア", "Firmware"),
    c("own_product", "自社製品", "Own product"),
];

const METRICS: &[Choice] = &[
    c("user", "利用者数", "Per user"),
    c("device", "台数", "Per device"),
    c("core", "コア数", "Per core"),
    c("subscription", "サブスクリプション", "Subscription"),
    c("site", "サイト", "Site"),
    c("open_source", "オープンソース", "Open source"),
];

const ADDRESS_STATES: &[Choice] = &[
    c("allocated", "割当済み", "Allocated"),
    c("reserved", "予約", "Reserved"),
    c("dynamic", "動的割当（DHCP）", "Dynamic"),
    c("free", "空き", "Free"),
];

pub(crate) const DRIFT_CLASSES: &[Choice] = &[
    c("volatile", "揮発（見直し済みの除外）", "Volatile, by reviewed mask"),
    c("package_managed", "パッケージ管理による差異", "Package-managed"),
    c("authorised", "承認済みの変更", "Authorised"),
    c("intended", "設計値どおり", "Intended"),
    c("unauthorised", "未承認", "Unauthorised"),
];

const OUTCOMES: &[Choice] = &[
    c("adopted", "採用", "Adopted"),
    c("reverted", "復元", "Reverted"),
    c("excepted", "例外として許可", "Excepted"),
];

const APPLIES: &[Choice] =
    &[c("these", "対象のホスト", "These hosts"), c("everywhere", "すべてのホスト", "All hosts")];

pub(crate) const CHANGE_TYPES: &[Choice] = &[
    c("standard", "標準", "Standard"),
    c("normal", "通常", "Normal"),
    c("emergency", "緊急", "Emergency"),
];

const MODES: &[Choice] = &[
    c("record", "記録のみ", "Record"),
    c("alert", "通知", "Alert"),
    c("propose", "提案", "Propose"),
    c("auto", "自動", "Automatic"),
];

const TEMPLATES: &[Choice] = &[
    c("web", "Webサーバー", "Web"),
    c("database", "データベース", "Database"),
    c("directory", "ディレクトリ", "Directory"),
    c("mail", "メール", "Mail"),
    c("bastion", "踏み台", "Bastion"),
    c("router", "ルーター", "Router"),
    c("pc", "業務用PC", "Business PC"),
    c("other", "その他", "Other"),
];

const DESIGN_ANSWERS: &[Choice] =
    &[c("design", "設計値あり", "Design value"), c("not_applicable", "該当なし", "Not applicable")];

const IMPACTS: &[Choice] = &[
    c("affected", "影響あり", "Affected"),
    c("not_affected", "影響なし", "Not affected"),
    c("unknown", "不明", "Unknown"),
];

/// Asset kinds the room owns.
pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "system",
        table: Table::Asset,
        title: t("情報システム", "System"),
        help: t("ひとまとまりで設計・運用する情報システム。", "What is designed and run as one."),
        known_as: &["システム台帳", "情報システム台帳", "システム一覧"],
        fields: &[
            f("purpose", "用途", "Purpose", Multiline).required().aliases(&[
                "用途",
                "システム概要",
                "概要",
            ]),
            f("stage", "段階", "Stage", Enum(STAGES)).required().aliases(&[
                "段階",
                "ライフサイクル",
                "状態",
            ]),
            f("environment", "環境", "Environment", Enum(ENVIRONMENTS))
                .aliases(&["環境", "環境区分"]),
            f("administrator", "管理者", "Administrator", Party)
                .personal()
                .aliases(&["管理者", "システム管理者"]),
            f("introduced_on", "導入日", "Introduced on", Date).aliases(&["導入日", "稼働開始日"]),
            f("extended_on", "増設・更改日", "Extended on", Date).aliases(&["増設日", "更改日"]),
            f("exposure", "公開範囲", "Exposure", TEXT).aliases(&["公開範囲"]),
            f("importance", "重要度", "Importance", n("")).aliases(&["重要度"]),
            f("design_document", "設計書", "Design document", File)
                .aliases(&["設計書", "パラメータシート"]),
        ],
        groups: &[
            Group::new(
                t("用途", "Use"),
                &["purpose", "stage", "environment", "exposure", "importance"],
            ),
            Group::new(
                t("管理", "Management"),
                &["administrator", "introduced_on", "extended_on", "design_document"],
            ),
        ],
        rules: &[
            Rule::NotBefore { start: "introduced_on", end: "extended_on" },
            Rule::RequiredIf { field: "extended_on", when: "stage", is: &["extended"] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "host",
        table: Table::Asset,
        title: t("ホスト", "Host"),
        help: t(
            "OSが動くサーバー、仮想マシン、業務用PC。",
            "Server, virtual machine or PC with an operating system.",
        ),
        known_as: &["サーバ台帳", "サーバー一覧", "サーバ一覧", "ホスト台帳", "ホスト一覧"],
        fields: &[
            f("hostname", "ホスト名", "Host name", TEXT).required().aliases(&[
                "ホスト名",
                "サーバー名",
                "コンピュータ名",
                "マシン名",
            ]),
            f("type", "種別", "Type", Enum(HOST_TYPES)).aliases(&["種別", "機器種別"]),
            f("os", "OS", "Operating system", TEXT).required().aliases(&["OS", "OS名"]),
            f("os_version", "OSの版", "OS version", TEXT).aliases(&["OSバージョン", "バージョン"]),
            f("addresses", "IPアドレス", "IP addresses", List).aliases(&["IPアドレス", "IP"]),
            f("environment", "環境", "Environment", Enum(ENVIRONMENTS))
                .aliases(&["環境", "環境区分"]),
            f("system", "情報システム", "System", Reference("system"))
                .aliases(&["システム名", "所属システム"]),
            f("administrator", "管理者", "Administrator", Party)
                .personal()
                .aliases(&["管理者", "管理担当"]),
            f("hardware", "ハードウェア", "Hardware", Reference("hardware"))
                .aliases(&["筐体", "ハードウェア"]),
            f("cpu", "CPUコア数", "CPU cores", n("")).aliases(&["CPU", "CPUコア数"]),
            f("memory_mib", "メモリ", "Memory", n("MiB")).aliases(&["メモリ", "メモリ容量"]),
            f("location", "設置場所", "Location", TEXT).aliases(&["設置場所", "ロケーション"]),
            f("collect", "収集方法", "Collected by", TEXT).aliases(&["収集方法"]),
            f("introduced_on", "導入日", "Introduced on", Date).aliases(&["導入日"]),
            f("support_end", "サポート終了日", "End of support", Date)
                .aliases(&["サポート終了日", "EOL"]),
        ],
        groups: &[
            Group::new(
                t("基本", "Basics"),
                &["hostname", "type", "environment", "system", "administrator", "location"],
            ),
            Group::new(
                t("構成", "Configuration"),
                &["os", "os_version", "addresses", "hardware", "cpu", "memory_mib", "collect"],
            ),
            Group::new(t("期間", "Life"), &["introduced_on", "support_end"]),
        ],
        rules: &[Rule::NotBefore { start: "introduced_on", end: "support_end" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "network_device",
        table: Table::Asset,
        title: t("ネットワーク機器", "Network device"),
        help: t(
            "ルーター、スイッチ、ファイアウォールなど。",
            "Router, switch, firewall and the like.",
        ),
        known_as: &["ネットワーク機器台帳", "nw機器", "ネットワーク機器一覧", "通信機器"],
        fields: &[
            f("type", "種別", "Type", Enum(DEVICE_TYPES)).required().aliases(&["種別", "機器種別"]),
            f("vendor", "メーカー", "Vendor", TEXT).required().aliases(&["メーカー", "ベンダー"]),
            f("model", "型番", "Model", TEXT).aliases(&["型番", "機種"]),
            f("firmware", "ファームウェア版", "Firmware", TEXT)
                .aliases(&["ファームウェア", "ファームウェアバージョン"]),
            f("serial", "製造番号", "Serial number", TEXT).aliases(&["製造番号", "シリアル番号"]),
            f("management_address", "管理用アドレス", "Management address", TEXT)
                .aliases(&["管理IP", "管理用IPアドレス"]),
            f("driver", "設定の読み方", "Driver", TEXT).aliases(&["ドライバ"]),
            f("administrator", "管理者", "Administrator", Party).personal().aliases(&["管理者"]),
            f("location", "設置場所", "Location", TEXT).aliases(&["設置場所"]),
            f("introduced_on", "導入日", "Introduced on", Date).aliases(&["導入日"]),
            f("support_end", "サポート終了日", "End of support", Date)
                .aliases(&["サポート終了日", "保守期限"]),
        ],
        groups: &[
            Group::new(
                t("製品", "Product"),
                &["type", "vendor", "model", "firmware", "serial", "driver"],
            ),
            Group::new(
                t("管理", "Management"),
                &[
                    "management_address",
                    "administrator",
                    "location",
                    "introduced_on",
                    "support_end",
                ],
            ),
        ],
        rules: &[Rule::NotBefore { start: "introduced_on", end: "support_end" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "hardware",
        table: Table::Asset,
        title: t("ハードウェア", "Hardware"),
        help: t("筐体、端末、部品、予備品。", "Chassis, terminal, part or spare."),
        known_as: &[
            "機器台帳",
            "機器一覧",
            "pc台帳",
            "pc一覧",
            "端末台帳",
            "端末一覧",
            "ハードウェア台帳",
            "ハード一覧",
            "資産管理台帳",
            "固定資産",
            "機器管理台帳",
        ],
        fields: &[
            f("type", "種別", "Type", Enum(HARDWARE_TYPES))
                .required()
                .aliases(&["種別", "機器種別"]),
            f("vendor", "メーカー", "Vendor", TEXT).aliases(&["メーカー"]),
            f("model", "型番", "Model", TEXT).required().aliases(&[
                "型番",
                "機種名",
                "モデル",
                "型式",
                "機種",
            ]),
            f("serial", "製造番号", "Serial number", TEXT).required().aliases(&[
                "製造番号",
                "シリアル番号",
                "S/N",
            ]),
            f("asset_number", "資産番号", "Asset number", TEXT).aliases(&["資産番号", "管理番号"]),
            f("firmware", "ファームウェア版", "Firmware", TEXT)
                .aliases(&["ファームウェア", "BIOS"]),
            f("spare", "予備品", "Spare", Boolean).aliases(&["予備", "予備品"]),
            f("user", "使用者", "User", Party).personal().aliases(&[
                "使用者",
                "利用者",
                "貸与者",
                "管理者",
            ]),
            f("location", "設置場所", "Location", TEXT).aliases(&["設置場所", "保管場所"]),
            f("introduced_on", "導入日", "Introduced on", Date).aliases(&["購入日", "導入日"]),
            f("maintenance_end", "保守期限", "Maintenance ends", Date)
                .aliases(&["保守期限", "保証期限"]),
        ],
        groups: &[
            Group::new(t("製品", "Product"), &["type", "vendor", "model", "serial", "firmware"]),
            Group::new(
                t("管理", "Management"),
                &["asset_number", "spare", "user", "location", "introduced_on", "maintenance_end"],
            ),
        ],
        rules: &[Rule::NotBefore { start: "introduced_on", end: "maintenance_end" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "software",
        table: Table::Asset,
        title: t("ソフトウェア", "Software"),
        help: t(
            "製品、ミドルウェア、自社製品。部品表（SBOM）を持つ。",
            "Product, middleware or own product; has a bill of materials.",
        ),
        known_as: &[
            "ソフト台帳",
            "ソフトウェア台帳",
            "ソフト一覧",
            "ソフトウェア一覧",
            "ソフトウェア管理台帳",
        ],
        fields: &[
            f("type", "種別", "Type", Enum(SOFTWARE_TYPES)).required().aliases(&["種別", "分類"]),
            f("vendor", "提供元", "Vendor", TEXT).aliases(&["メーカー", "提供元", "ベンダー"]),
            f("version", "版", "Version", TEXT).required().aliases(&["バージョン", "版"]),
            f("cpe", "CPE", "CPE", TEXT).aliases(&["CPE"]),
            f("purl", "purl", "purl", TEXT).aliases(&["purl", "パッケージURL"]),
            f("licence", "ライセンス", "Licence", Reference("licence")).aliases(&["ライセンス"]),
            f("introduced_on", "導入日", "Introduced on", Date).aliases(&["導入日"]),
            f("support_end", "サポート終了日", "End of support", Date)
                .aliases(&["サポート終了日", "EOL"]),
            f("approved", "利用承認済み", "Approved for use", Boolean)
                .aliases(&["利用許可", "承認"]),
        ],
        groups: &[
            Group::new(t("製品", "Product"), &["type", "vendor", "version", "cpe", "purl"]),
            Group::new(
                t("管理", "Management"),
                &["licence", "approved", "introduced_on", "support_end"],
            ),
        ],
        rules: &[Rule::NotBefore { start: "introduced_on", end: "support_end" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "licence",
        table: Table::Asset,
        title: t("ライセンス", "Licence"),
        help: t(
            "使用許諾の数え方、数量、期限。",
            "How a right of use is counted, how many, until when.",
        ),
        known_as: &["ライセンス台帳", "ライセンス一覧", "ライセンス管理台帳"],
        fields: &[
            f("metric", "数え方", "Metric", Enum(METRICS))
                .required()
                .aliases(&["ライセンス形態", "課金単位"]),
            f("quantity", "保有数", "Quantity", n("")).required().aliases(&[
                "保有数",
                "ライセンス数",
                "数量",
            ]),
            f("expires_on", "有効期限", "Expires on", Date).aliases(&["有効期限", "契約終了日"]),
            f("spdx", "SPDX式", "SPDX expression", TEXT).aliases(&["SPDX"]),
            f("contract_number", "契約番号", "Contract number", TEXT).aliases(&["契約番号"]),
            f("annual_cost", "年額", "Cost per year", Money).aliases(&["年額", "費用"]),
            f("certificate", "証書", "Certificate", File).aliases(&["ライセンス証書"]),
        ],
        rules: &[
            Rule::RequiredIf { field: "expires_on", when: "metric", is: &["subscription"] },
            Rule::RequiredIf { field: "spdx", when: "metric", is: &["open_source"] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "subnet",
        table: Table::Asset,
        title: t("サブネット", "Subnet"),
        help: t("IPアドレスを割り当てる範囲。", "Range from which addresses are allocated."),
        known_as: &["サブネット一覧", "ipアドレス設計", "セグメント一覧"],
        fields: &[
            f("cidr", "範囲（CIDR）", "Range (CIDR)", TEXT).required().aliases(&[
                "ネットワーク",
                "CIDR",
                "セグメント",
            ]),
            f("vlan", "VLAN番号", "VLAN", n("")).aliases(&["VLAN", "VLAN ID"]),
            f("gateway", "ゲートウェイ", "Gateway", TEXT)
                .aliases(&["ゲートウェイ", "デフォルトゲートウェイ"]),
            f("dhcp", "DHCPあり", "DHCP", Boolean).aliases(&["DHCP"]),
            f("purpose", "用途", "Purpose", TEXT).aliases(&["用途"]),
            f("location", "設置場所", "Location", TEXT).aliases(&["拠点", "設置場所"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "address",
        table: Table::Asset,
        title: t("IPアドレス", "IP address"),
        help: t(
            "割り当てたアドレス。割当の履歴はリンクの有効期間で残る。",
            "An allocated address; link validity keeps its history.",
        ),
        known_as: &["ipアドレス管理", "ipアドレス台帳", "ipアドレス一覧"],
        fields: &[
            f("address", "アドレス", "Address", TEXT)
                .required()
                .aliases(&["IPアドレス", "アドレス"]),
            f("subnet", "サブネット", "Subnet", Reference("subnet"))
                .aliases(&["サブネット", "セグメント"]),
            f("state", "状態", "State", Enum(ADDRESS_STATES))
                .required()
                .aliases(&["状態", "割当状況"]),
            f("host", "割当先", "Host", Reference("host")).aliases(&["割当先", "ホスト名"]),
            f("mac", "MACアドレス", "MAC address", TEXT).aliases(&["MACアドレス"]),
            f("dns_name", "DNS名", "DNS name", TEXT).aliases(&["DNS名", "FQDN"]),
        ],
        rules: &[Rule::RequiredIf { field: "host", when: "state", is: &["allocated"] }],
        ..KindSpec::BASE
    },
];

/// Rule kinds the room owns.
pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "baseline",
        table: Table::Rule,
        title: t("設計値", "Baseline"),
        help: t("設定項目ごとの、あるべき値。", "The value each setting should have."),
        fields: &[
            f("family", "考慮事項", "Family", Enum(FAMILIES)).aliases(&["考慮事項", "分類"]),
            f("key", "設定項目", "Setting", TEXT).required().aliases(&[
                "項目",
                "設定項目",
                "パラメータ",
            ]),
            f("value", "設計値", "Design value", TEXT).required().aliases(&["設計値", "設定値"]),
            f("unit", "単位", "Unit", TEXT).aliases(&["単位"]),
            f("reason", "根拠", "Reason", Multiline).aliases(&["根拠", "備考"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "template",
        table: Table::Rule,
        title: t("標準テンプレート", "Template"),
        help: t(
            "同じ役割のホストに共通する設計値の組。ホストの種類を表す。",
            "Design values shared by hosts of one role: a host class.",
        ),
        fields: &[
            f("role", "役割", "Role", Enum(TEMPLATES)).required().aliases(&["役割", "用途"]),
            f("edition", "版", "Edition", TEXT).required().aliases(&["版", "版数"]),
            f("baselines", "含む設計値", "Baselines", List),
            f("packages", "入れるパッケージ", "Packages", List).aliases(&["パッケージ"]),
            f("listening", "開けるポート", "Listening ports", List).aliases(&["ポート"]),
            f("base_image", "元のイメージ", "Base image", TEXT).aliases(&["ベースイメージ"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "volatile",
        table: Table::Rule,
        title: t("揮発する項目", "Volatile item"),
        help: t(
            "差異として扱わない項目。期限つきで見直す。",
            "What is not counted as drift; reviewed, with an expiry.",
        ),
        fields: &[
            f("mask", "対象", "Mask", TEXT).required().aliases(&["対象", "パス"]),
            f("reason", "理由", "Reason", TEXT).required().aliases(&["理由"]),
            f("expires_on", "期限", "Expires on", Date).required().aliases(&["期限"]),
            f("limit_per_day", "一日の上限", "Changes per day at most", n("")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "recovery_policy",
        table: Table::Rule,
        title: t("復旧の方針", "Recovery policy"),
        help: t(
            "差異を記録・通知・提案・自動復旧のどれで扱うか。",
            "Whether drift is recorded, alerted, proposed or healed.",
        ),
        fields: &[
            f("resource_class", "対象の種類", "Resource class", TEXT).required().aliases(&["対象"]),
            f("mode", "扱い", "Mode", Enum(MODES)).required().aliases(&["扱い"]),
            f("hosts_per_hour", "一時間あたりの台数", "Hosts per hour", n("")),
            f(
                "corrections_per_hour",
                "項目ごとの一時間の上限",
                "Corrections per key and hour",
                n(""),
            ),
            f("guard_s", "取り消しまでの秒数", "Undo after", n("s")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "sheet_map",
        table: Table::Rule,
        title: t("パラメータシートの対応付け", "Sheet map"),
        help: t("表計算ファイルの列と設定項目の対応。", "Which column of a workbook holds what."),
        fields: &[
            f("sheet", "シート名", "Sheet", TEXT).required().aliases(&["シート名"]),
            f("header_row", "見出しの行", "Header row", n("")).required(),
            f("columns", "列の対応", "Columns", Object).required(),
            f("per_host", "ホストごとに一枚", "One sheet per host", Boolean),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "device_driver",
        table: Table::Rule,
        title: t("機器ドライバ", "Device driver"),
        help: t("ネットワーク機器の対話の読み方。", "How to talk to a network device."),
        fields: &[
            f("vendor", "メーカー", "Vendor", TEXT).required(),
            f("prompt", "プロンプト", "Prompt", TEXT).required(),
            f("commands", "設定を読むコマンド", "Commands", List).required(),
            f("charset", "文字コード", "Character set", TEXT),
            f("redact", "伏せる行", "Lines redacted", List),
            f("syntax", "構文", "Syntax", TEXT),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "licence_policy",
        table: Table::Rule,
        title: t("ライセンスの方針", "Licence policy"),
        help: t(
            "使ってよいライセンスと数え方。",
            "Which licences may be used and how they are counted.",
        ),
        fields: &[
            f("allowed", "許可", "Allowed", List).required().aliases(&["許可"]),
            f("refused", "不可", "Refused", List).aliases(&["不可"]),
            f("warn_days", "期限の予告", "Warn before expiry", n("d")),
            f("scope", "対象", "Scope", TEXT),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "identity_alias",
        table: Table::Rule,
        title: t("識別子の対応", "Identity alias"),
        help: t("purlとCPEの対応。", "Which purl and CPE name the same thing."),
        fields: &[
            f("purl", "purl", "purl", TEXT).required(),
            f("cpe", "CPE", "CPE", TEXT).required(),
            f("source", "出典", "Source", TEXT),
            f("confirmed", "確認済み", "Confirmed", Boolean),
        ],
        ..KindSpec::BASE
    },
];

/// Norm, plan and decision kinds the room adds.
pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "requirement",
        table: Table::Norm,
        title: t("要件", "Requirement"),
        help: t(
            "システムへの要件。仕様と試験へつながる。",
            "What a system must do; leads to specification and test.",
        ),
        fields: &[
            f("text", "要件", "Requirement", Multiline).required().aliases(&["要件", "要求事項"]),
            f("source", "出どころ", "Source", TEXT).aliases(&["出典", "RFP"]),
            f("system", "情報システム", "System", Reference("system")).aliases(&["システム名"]),
            f("priority", "優先度", "Priority", n("")).aliases(&["優先度"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "specification",
        table: Table::Norm,
        title: t("仕様", "Specification"),
        help: t("要件を満たす設定項目。", "The settings that meet a requirement."),
        fields: &[
            f("text", "仕様", "Specification", Multiline).required().aliases(&["仕様"]),
            f("keys", "設定項目", "Settings", List).aliases(&["設定項目"]),
            f("system", "情報システム", "System", Reference("system")).aliases(&["システム名"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "test_spec",
        table: Table::Norm,
        title: t("試験仕様", "Test specification"),
        help: t("仕様どおりであることの試し方。", "How to see that a specification holds."),
        fields: &[
            f("steps", "手順", "Steps", Multiline).required().aliases(&["試験手順"]),
            f("expected", "合格の条件", "Expected", Multiline)
                .required()
                .aliases(&["合格基準", "期待結果"]),
            f("check", "機械検査", "Machine check", TEXT),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "change",
        table: Table::Plan,
        title: t("変更", "Change"),
        help: t(
            "変更申請。対象、時間帯、作業者、戻し方を決めてから承認する。",
            "A change request: scope, window, actors and undo, then approval.",
        ),
        fields: &[
            f("type", "区分", "Type", Enum(CHANGE_TYPES)).required().aliases(&["変更区分", "区分"]),
            f("reason", "理由", "Reason", Multiline).required().aliases(&["変更理由", "目的"]),
            f("scope", "対象と項目", "Scope", Object).required(),
            f("requester", "申請者", "Requester", Party).required().personal().aliases(&["申請者"]),
            f("from", "開始", "From", Time).required().aliases(&["作業開始", "開始日時"]),
            f("to", "終了", "To", Time).required().aliases(&["作業終了", "終了日時"]),
            f("undo", "戻し方", "Undo", Multiline).required().aliases(&["切戻し手順", "戻し方"]),
            f("tests", "確認方法", "Tests", Multiline).aliases(&["試験", "確認方法"]),
        ],
        rules: &[Rule::NotBefore { start: "from", end: "to" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "extension",
        table: Table::Plan,
        title: t("増設工事", "Extension"),
        help: t(
            "システムの増設。関係する試験をやり直す。",
            "Extension of a system; re-runs the linked tests.",
        ),
        fields: &[
            f("system", "情報システム", "System", Reference("system"))
                .required()
                .aliases(&["システム名"]),
            f("requirements", "関係する要件", "Requirements", List).required(),
            f("planned_on", "実施予定日", "Planned on", Date).aliases(&["実施予定日"]),
            f("supplier", "施工業者", "Supplier", Party).aliases(&["施工業者"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "recovery",
        table: Table::Plan,
        title: t("復旧計画", "Recovery"),
        help: t("承認済みの状態へ戻す手順。", "Steps back to the approved revision."),
        fields: &[
            f("target", "戻す先の版", "Target revision", Hash).required(),
            f("actions", "手順", "Actions", Object).required(),
            f("guard_s", "取り消しまでの秒数", "Undo after", n("s")),
            f("canary", "先行するホスト", "Canary", Reference("host")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "drift_plan",
        table: Table::Plan,
        title: t("差異の扱い", "Plan for drift"),
        help: t(
            "差異や不適合をどう扱うかの申請。採用・復元・例外のどれかで、別の人の署名が要る。",
            "What is to become of drift or of a failing check: adopt, revert or except; takes another's signature.",
        ),
        fields: &[
            f("outcome", "扱い", "Outcome", Enum(OUTCOMES)).required(),
            f("reason", "理由", "Reason", Multiline).required(),
            f("proposer", "提案者", "Proposed by", Party).required().personal(),
            f("drifts", "対象の差異（記録番号）", "Drift (record ids)", List),
            f("expires_on", "例外の期限", "Exception ends on", Date),
            f("applies", "設計値の及ぶ範囲", "Design value for", Enum(APPLIES)),
            f("change", "関係する変更", "Change", TEXT),
            f("host", "検査のホスト", "Host of the check", Reference("host")),
            f("check", "検査", "Check", TEXT),
        ],
        groups: &[
            Group::new(
                t("扱い", "Outcome"),
                &["outcome", "reason", "proposer", "expires_on", "applies"],
            ),
            Group::new(t("対象", "Subject"), &["drifts", "change", "host", "check"]),
        ],
        rules: &[
            Rule::RequiredIf { field: "expires_on", when: "outcome", is: &["excepted"] },
            Rule::RequiredIf { field: "host", when: "check", is: &[] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "adopted_delta",
        table: Table::Decision,
        title: t("差異の採用", "Adopted delta"),
        help: t(
            "見つかった差異を、承認して新しい設計値とする決定。",
            "Decision to make a found difference the design value.",
        ),
        fields: &[
            f("key", "設定項目", "Setting", TEXT).required().aliases(&["項目"]),
            f("after", "採用する値", "Adopted value", TEXT).required(),
            f("change", "関係する変更", "Change", TEXT),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "family_excluded",
        table: Table::Decision,
        title: t("考慮事項の該当なし", "Consideration does not apply"),
        help: t(
            "八つの考慮事項の一つがこのシステムに当てはまらないという決定。",
            "Says that one of the eight considerations does not apply to a system.",
        ),
        fields: &[f("family", "考慮事項", "Family", Enum(FAMILIES)).required()],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "vex_statement",
        table: Table::Decision,
        title: t("影響判定（VEX）", "VEX statement"),
        help: t(
            "ぜい弱性の影響の有無と、その理由。",
            "Whether a vulnerability affects us, and why.",
        ),
        fields: &[
            f("advisory", "勧告番号", "Advisory", TEXT).required().aliases(&["CVE", "勧告番号"]),
            f("purl", "対象", "Component", TEXT).required().aliases(&["対象"]),
            f("status", "判定", "Status", Enum(IMPACTS)).required().aliases(&["判定"]),
            f("fact", "根拠となる事実", "Fact it rests on", TEXT).required().aliases(&["根拠"]),
            f("justification", "理由の区分", "Justification", TEXT),
        ],
        ..KindSpec::BASE
    },
];

/// Record types of the room.
pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "configuration.snapshot",
        writer: Writer::Agents,
        title: t("構成の採取", "Snapshot"),
        fields: &[
            f("roots", "層ごとの要約値", "Root per layer", Object).required(),
            f("counts", "層ごとの件数", "Facts per layer", Object).required(),
            f("unread", "読めなかったもの", "Unread", List).required(),
            f("unread_permille", "読めなかった割合", "Share unread", PERMILLE).required(),
            f("unstable", "読む間に変わったもの", "Unstable", List).required(),
            f("family_count", "読めた考慮事項の数", "Families read", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "configuration.touches",
        writer: Writer::Agents,
        title: t("観測した変更", "Changes seen"),
        fields: &[
            f("watch", "監視の程度", "Extent of the watch", TEXT).required(),
            f("touches", "変更されたファイル", "Files changed", n("")).required(),
            f("unnamed", "変更者を読めなかったもの", "Of these unnamed", n("")).required(),
            f("runs", "パッケージ操作", "Runs of the package manager", n("")),
            f("gaps", "観測できなかった時間帯", "Gaps", n("")).required(),
            f("unwatched", "監視できない領域", "File systems not watched", n("")),
        ],
    },
    RecordSpec {
        ty: "configuration.canary_change",
        writer: Writer::Agents,
        title: t("試験変更", "Canary change"),
        fields: &[
            f("noticed", "気付いた", "Noticed", Boolean).required(),
            f("after_ms", "変更からの経過", "After the change", n("ms")).required(),
        ],
    },
    RecordSpec {
        ty: "configuration.unreached",
        writer: Writer::Ume,
        title: t("採取できないホスト", "Host not reached"),
        fields: &[f("reason", "理由", "Reason", TEXT).required()],
    },
    RecordSpec {
        ty: "configuration.sheet",
        writer: Writer::Anyone,
        title: t("パラメータシート", "Parameter sheet"),
        fields: &[
            f("file", "ファイル", "File", File).required(),
            f("rows", "項目数", "Rows", n("")).required(),
            f("matched", "実機と一致した項目", "Rows equal to the machine", n("")),
        ],
    },
    RecordSpec {
        ty: "configuration.family_design",
        writer: Writer::Anyone,
        title: t("考慮事項への回答", "Family answered"),
        fields: &[
            f("family", "考慮事項", "Family", Enum(FAMILIES)).required(),
            f("answer", "回答", "Answer", Enum(DESIGN_ANSWERS)).required(),
            f("values", "設計値の数", "Design values", n("")),
            f("signatures", "署名数", "Signatures", n("")),
        ],
    },
    RecordSpec {
        ty: "configuration.drift",
        writer: Writer::Ume,
        title: t("差異", "Drift"),
        fields: &[
            f("key", "設定項目", "Setting", TEXT).required(),
            f("before", "前の値の要約値", "Digest before", Hash),
            f("after", "後の値の要約値", "Digest after", Hash),
            f("class", "判定", "Class", Enum(DRIFT_CLASSES)).required(),
            f("actor_known", "変更者が分かる", "Actor known", Boolean).required(),
            f("change", "変更の番号", "Change", TEXT),
            f("change_approved", "承認済みの変更の範囲内", "Inside an approved change", Boolean)
                .required(),
        ],
    },
    RecordSpec {
        ty: "configuration.drift_decided",
        writer: Writer::Anyone,
        title: t("差異の決定", "Drift decided"),
        fields: &[
            f("outcome", "決定", "Outcome", Enum(OUTCOMES)).required(),
            f("working_days", "決定までの営業日数", "Working days taken", n("")).required(),
            f("requester", "申請者", "Requester", Party).required(),
            f("approver", "承認者", "Approver", Party).required(),
            f("change", "変更の番号", "Change", TEXT),
        ],
    },
    RecordSpec {
        ty: "configuration.check_run",
        writer: Writer::Anyone,
        title: t("機械検査", "Check run"),
        fields: &[
            f("family", "考慮事項", "Family", Enum(FAMILIES)).required(),
            f("ran", "最後まで検査できた", "Ran to the end", Boolean).required(),
            f("checks", "検査数", "Checks", n("")).required(),
            f("failures", "不適合", "Failures", n("")).required(),
            f(
                "failures_open",
                "課題も例外もない不適合",
                "Failures without task or exception",
                n(""),
            )
            .required(),
            f("unknown", "判定できない検査", "Unknown", n("")),
        ],
    },
    RecordSpec {
        ty: "configuration.defaults_check",
        writer: Writer::Anyone,
        title: t("初期値の確認", "Defaults checked"),
        fields: &[
            f("days_after", "導入からの日数", "Days after introduction", n("d")).required(),
            f("checks", "検査数", "Checks", n("")).required(),
            f("failures_open", "残った不適合", "Failures left", n("")),
        ],
    },
    RecordSpec {
        ty: "configuration.change_verified",
        writer: Writer::Anyone,
        title: t("変更の結果確認", "Change verified"),
        fields: &[
            f("approved_seen", "承認どおり", "Approved and seen", n("")).required(),
            f("approved_unseen", "承認したが見えない", "Approved, not seen", n("")).required(),
            f("seen_unapproved", "見えたが承認がない", "Seen, not approved", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "configuration.change_closed",
        writer: Writer::Ume,
        title: t("変更の完了", "Change closed"),
        fields: &[
            f("approved_seen", "承認どおり", "Approved and seen", n("")).required(),
            f("unseen_decided", "見えないまま不要とした", "Not seen, decided", n("")).required(),
            f("unapproved_decided", "承認外で決定した", "Not approved, decided", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "configuration.review",
        writer: Writer::Anyone,
        title: t("構成の見直し", "Review"),
        fields: &[
            f("signatures", "署名数", "Signatures", n("")).required(),
            f("state", "見直した状態の要約値", "Digest of the reviewed state", Hash).required(),
            f("findings", "指摘数", "Findings", n("")),
        ],
    },
    RecordSpec {
        ty: "configuration.recovery_copy",
        writer: Writer::Anyone,
        title: t("復旧用の写し", "Recoverable copy"),
        fields: &[
            f("export", "書き出しの要約値", "Digest of the export", Hash).required(),
            f("in_backup", "バックアップに含まれる", "Found in a backup", Boolean).required(),
            f("file", "書き出し", "Export", File),
        ],
    },
    RecordSpec {
        ty: "configuration.trace",
        writer: Writer::Anyone,
        title: t("要件から試験までの追跡", "Life cycle traced"),
        fields: &[
            f("requirements", "要件数", "Requirements", n("")).required(),
            f("broken", "途切れた要件", "Broken chains", n("")).required(),
            f("checks_due", "増設で必要な再試験", "Checks an extension asks for", n("")).required(),
            f("checks_rerun", "行った再試験", "Checks re-run", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "configuration.test_report",
        writer: Writer::Anyone,
        title: t("試験成績", "Test report"),
        fields: &[
            f("tests", "試験数", "Tests", n("")).required(),
            f("passed", "合格", "Passed", n("")).required(),
            f("file", "成績書", "Report", File),
        ],
    },
    RecordSpec {
        ty: "configuration.template_applied",
        writer: Writer::Anyone,
        title: t("テンプレートの適用", "Template applied"),
        fields: &[
            f("template", "テンプレート", "Template", TEXT).required(),
            f("edition", "版", "Edition", TEXT).required(),
            f("deviations", "相違", "Deviations", n("")).required(),
            f("deviations_open", "決定のない相違", "Deviations undecided", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "configuration.designed_in",
        writer: Writer::Ume,
        title: t("設計段階からの組込み", "Designed in"),
        fields: &[
            f(
                "template_lead_h",
                "テンプレートが先行した時間",
                "Template older than first snapshot by",
                n("h"),
            )
            .required(),
            f(
                "requirements_lead_h",
                "要件が先行した時間",
                "Requirements older than first snapshot by",
                n("h"),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "configuration.collector_pulse",
        writer: Writer::Ume,
        title: t("収集の脈拍", "Collector pulse"),
        fields: &[
            f("heartbeat_min_max", "生存信号の最大間隔", "Longest gap of heartbeats", n("min"))
                .required(),
            f("canary_s", "試験変更が記録されるまで", "Canary change recorded after", n("s"))
                .required(),
        ],
    },
    RecordSpec {
        ty: "configuration.rebuild",
        writer: Writer::Ume,
        title: t("再構築の証明", "Rebuild proved"),
        fields: &[
            f("equal", "一致した事実", "Equal facts", n("")).required(),
            f("managed", "管理する事実", "Managed facts", n("")).required(),
            f("equal_permille", "一致率", "Share equal", PERMILLE).required(),
            f("residuals", "申告した残り", "Residuals declared", List),
            f("silent_losses", "申告のない欠け", "Silent losses", n("")).required(),
            f("base_current", "土台の変更後に行った", "Newer than the last base change", Boolean)
                .required(),
        ],
    },
    RecordSpec {
        ty: "configuration.recovery",
        writer: Writer::Anyone,
        title: t("自動復旧", "Recovery"),
        fields: &[
            f("drill", "訓練", "Drill", Boolean).required(),
            f("healed", "承認済みの版へ戻った", "Healed to the approved revision", Boolean)
                .required(),
            f("plan_hash", "計画の要約値", "Digest of the plan", Hash),
            f("evidence", "改ざん前の証拠", "Evidence kept", Hash),
        ],
    },
    RecordSpec {
        ty: "configuration.actor_account",
        writer: Writer::Anyone,
        title: t("変更者の特定（30日）", "Actors of 30 days"),
        fields: &[
            f("deltas", "パッケージ以外の差異", "Non-package deltas", n("")).required(),
            f("known_permille", "変更者が分かる割合", "Share with actor", PERMILLE).required(),
            f("unknown_undecided", "不明のまま決定のない差異", "Unknown and undecided", n(""))
                .required(),
        ],
    },
    RecordSpec {
        ty: "configuration.licence_count",
        writer: Writer::Anyone,
        title: t("ライセンスと保守の照合", "Licences and maintenance counted"),
        fields: &[
            f("used", "使用数", "Used", n("")).required(),
            f("entitled", "保有数", "Entitled", n("")).required(),
            f("support_end_known", "サポート終了日が分かる", "Support end known", Boolean)
                .required(),
            f("past_end_undecided", "終了後で決定のないもの", "Past support end, undecided", n(""))
                .required(),
        ],
    },
    RecordSpec {
        ty: "configuration.address_audit",
        writer: Writer::Anyone,
        title: t("アドレスの突合", "Addresses reconciled"),
        fields: &[
            f("observed", "観測したアドレス", "Observed", n("")).required(),
            f("allocated", "うち割当済み", "Of these allocated", n("")).required(),
            f("conflicts_undecided", "決定のない競合", "Conflicts undecided", n("")).required(),
            f("idle", "使われない割当", "Idle allocations", n("")),
        ],
    },
    RecordSpec {
        ty: "configuration.sbom",
        writer: Writer::Anyone,
        title: t("部品表（SBOM）", "Bill of materials"),
        fields: &[
            f("format", "形式", "Format", TEXT).required(),
            f("components", "部品数", "Components", n("")).required(),
            f(
                "identified",
                "purl・CPE・SWIDで識別できた部品",
                "Identified by purl, CPE or SWID",
                n(""),
            )
            .required(),
            f("depth_complete", "末端まで分かる", "Depth complete", Boolean).required(),
            f("supplier_asked", "提供元へ照会済み", "Asked of the supplier", Boolean).required(),
            f("file", "ファイル", "File", File),
        ],
    },
    RecordSpec {
        ty: "configuration.impact_run",
        writer: Writer::Anyone,
        title: t("影響判定の実行", "Impact judged"),
        fields: &[
            f("sbom_age_h", "部品表の古さ", "Age of the SBOM", n("h")).required(),
            f("advisories_age_h", "勧告の古さ", "Age of the advisories", n("h")).required(),
            f("verdict_min_max", "判定までの最長時間", "Longest time to a verdict", n("min"))
                .required(),
            f("affected", "影響あり", "Affected", n("")).required(),
            f("unknown", "不明", "Unknown", n("")).required(),
            f("uncovered", "勧告のない種類の部品", "Components no advisory speaks of", n("")),
        ],
    },
    RecordSpec {
        ty: "configuration.verdict",
        writer: Writer::Anyone,
        title: t("ぜい弱性の影響", "Verdict"),
        fields: &[
            f("advisory", "勧告番号", "Advisory", TEXT).required(),
            f("impact", "影響", "Impact", Enum(IMPACTS)).required(),
            f("reason", "理由", "Reason", TEXT).required(),
            f("package", "部品", "Component", TEXT),
            f("version", "版", "Version", TEXT),
            f("fixed", "修正版", "Fixed version", TEXT),
        ],
    },
    impact::ASKED,
    impact::READ,
    impact::REMEDIED,
    impact::STATEMENTS,
    RecordSpec {
        ty: "configuration.hash_check",
        writer: Writer::Anyone,
        title: t("完全性の確認", "Integrity checked"),
        fields: &[
            f("files", "対象ファイル数", "Files", n("")).required(),
            f("matched", "一致したファイル数", "Files matched", n("")).required(),
            f("manifests_unverified", "署名を確かめられない一覧", "Manifests unverified", n(""))
                .required(),
        ],
    },
];
