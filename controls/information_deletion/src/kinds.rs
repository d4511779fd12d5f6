//! What the room keeps in the register: data, the places and media that hold it, the keys it hangs
//! on, the rules of keeping and deleting, and the facts of its records.

use model::{Choice, Field, FieldType, Group, KindSpec, RecordSpec, Rule, Table, Writer, t};

use FieldType::{
    Boolean, Date, Enum, File, Hash, List, Multiline, Object, Party, Period, Reference, Time,
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

const CONFIDENTIALITY: &[Choice] = &[
    c("public", "公開", "Public"),
    c("internal", "社外秘", "Internal"),
    c("confidential", "秘", "Confidential"),
    c("strict", "極秘", "Strictly confidential"),
];

const ENVIRONMENTS: &[Choice] = &[
    c("production", "本番", "Production"),
    c("test", "試験", "Test"),
    c("analysis", "分析", "Analysis"),
    c("external", "社外", "External"),
];

const START_EVENTS: &[Choice] = &[
    c("created", "作成", "Created"),
    c("contract_end", "契約終了", "Contract ended"),
    c("leaving", "退職", "Employee left"),
    c("fiscal_year_end", "事業年度終了", "Fiscal year ended"),
    c("books_closed", "帳簿閉鎖", "Books closed"),
    c("purpose_fulfilled", "利用目的の達成", "Purpose fulfilled"),
    c("last_use", "最終利用", "Last used"),
    c("other", "その他", "Other"),
];

const STORE_TYPES: &[Choice] = &[
    c("share", "共有フォルダ", "File share"),
    c("bucket", "オブジェクトストレージ", "Bucket"),
    c("mailbox", "メールボックス", "Mailbox"),
    c("folder", "フォルダ", "Folder"),
    c("archive", "アーカイブ", "Archive"),
];

const PLACES: &[Choice] = &[
    c("primary", "原本", "Primary"),
    c("replica", "複製", "Replica"),
    c("log", "ログ・WAL", "Log or WAL"),
    c("index", "検索索引", "Search index"),
    c("cache", "キャッシュ", "Cache"),
    c("export", "書き出し", "Export"),
    c("backup", "バックアップ", "Backup"),
    c("cloud", "クラウド", "Cloud"),
    c("outsourcer", "委託先", "Outsourcer"),
    c("paper", "紙", "Paper"),
];

const MEDIUM_TYPES: &[Choice] = &[
    c("hdd", "HDD", "Hard disk"),
    c("ssd", "SSD", "SSD"),
    c("tape", "テープ", "Tape"),
    c("usb", "USBメモリ", "USB stick"),
    c("optical", "光学媒体", "Optical disc"),
    c("phone", "スマートフォン", "Phone"),
    c("other", "その他", "Other"),
];

const METHODS: &[Choice] = &[
    c("shred", "シュレッダー", "Shredding"),
    c("incinerate", "焼却", "Incineration"),
    c("dissolve", "溶解", "Dissolving"),
    c("overwrite", "消去ソフトによる上書き", "Overwriting by tool"),
    c("block_erase", "媒体の消去命令", "Erase command of the medium"),
    c("degauss", "磁気消去", "Degaussing"),
    c("crush", "物理破壊", "Physical destruction"),
    c("crypto_erase", "暗号鍵の破棄", "Destruction of the key"),
    c("record_delete", "データベース等での削除と確認", "Deletion in the data store, verified"),
    c("cloud_delete", "クラウドの削除機能", "Deletion by the cloud service"),
];

const CLASSES: &[Choice] = &[
    c("clear", "消去（Clear）", "Clear"),
    c("purge", "除去（Purge）", "Purge"),
    c("destroy", "破壊（Destroy）", "Destroy"),
];

const SIDES: &[Choice] = &[
    c("floor", "これより前に消さない", "Keep at least"),
    c("ceiling", "これより後まで持たない", "Keep at most"),
];

const STARTS: &[Choice] = &[
    c("event", "起算日当日から", "On the day of the event"),
    c("day_after", "起算日の翌日から", "On the day after"),
    c("fiscal_year_end_plus", "事業年度末から所定の月数後", "Months after the fiscal year end"),
    c("next", "次の所定の日から", "On the next given day"),
];

const FEED_TYPES: &[Choice] = &[
    c("hr", "人事", "Human resources"),
    c("contract", "契約管理", "Contracts"),
    c("accounting", "会計", "Accounting"),
    c("csv", "CSV", "CSV"),
    c("api", "API", "API"),
];

const RESCAN_PLACES: &[Choice] = &[
    c("live", "稼働中の保管先", "Live stores"),
    c("restored_backup", "復元したバックアップ", "A restored backup"),
];

const KEY_STATES: &[Choice] = &[
    c("active", "使用中", "Active"),
    c("retired", "退役", "Retired"),
    c("destroy_due", "破棄予定", "Destruction due"),
    c("destroyed", "破棄済み", "Destroyed"),
];

/// Asset kinds the room owns.
pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "dataset",
        table: Table::Asset,
        title: t("情報・データ", "Dataset"),
        help: t(
            "情報資産台帳の一行。紙も電子も含む。",
            "A row of the register of information, paper or electronic.",
        ),
        known_as: &[
            "情報資産台帳",
            "情報資産",
            "情報資産一覧",
            "情報資産管理台帳",
            "個人情報台帳",
            "個人情報管理台帳",
            "個人データ取扱台帳",
        ],
        fields: &[
            f("class", "情報の種類", "Class", TEXT).required().aliases(&[
                "情報の種類",
                "分類",
                "情報分類",
                "情報区分",
                "業務分類",
            ]),
            f("confidentiality", "機密レベル", "Confidentiality", Enum(CONFIDENTIALITY))
                .aliases(&["機密性", "機密レベル", "機密区分"]),
            f("start_event", "起算日となる出来事", "Start event", Enum(START_EVENTS))
                .aliases(&["起算日", "起算事由"]),
            f("retention_text", "保有期限（台帳の記載）", "Period as written", TEXT).aliases(&[
                "保有期限",
                "保存期間",
                "保管期間",
            ]),
            f("medium_types", "媒体の種類", "Media", List).aliases(&["媒体", "保管形態"]),
            f("deletion_methods", "媒体ごとの廃棄方法", "Deletion method per medium", List)
                .aliases(&["廃棄方法", "削除方法"]),
            f("subjects", "本人の種類", "Kinds of data subjects", List)
                .aliases(&["本人の種類", "対象者"]),
            f("personal_data", "個人情報を含む", "Holds personal data", Boolean)
                .aliases(&["個人情報", "個人情報の有無"]),
            f("volume", "件数", "Volume", n("")).aliases(&["件数", "保有件数"]),
            f("env", "環境", "Environment", Enum(ENVIRONMENTS)).aliases(&["環境"]),
            f("purpose", "利用目的", "Purpose", TEXT).aliases(&["利用目的", "用途"]),
            f("disposer", "廃棄責任者", "Disposal officer", Party)
                .personal()
                .aliases(&["廃棄責任者"]),
        ],
        groups: &[
            Group::new(
                t("区分", "Class"),
                &["class", "confidentiality", "personal_data", "subjects", "env", "purpose"],
            ),
            Group::new(
                t("保存と廃棄", "Keeping and disposal"),
                &[
                    "start_event",
                    "retention_text",
                    "medium_types",
                    "deletion_methods",
                    "disposer",
                    "volume",
                ],
            ),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "store",
        table: Table::Asset,
        title: t("保管先", "Store"),
        help: t(
            "情報を置く共有フォルダ、バケット、メールボックスなど。",
            "Share, bucket, mailbox or folder that holds information.",
        ),
        fields: &[
            f("type", "種類", "Type", Enum(STORE_TYPES))
                .required()
                .aliases(&["種類", "保管先種別"]),
            f("location", "場所", "Location", TEXT).required().aliases(&[
                "パス",
                "場所",
                "保管場所",
            ]),
            f("versioned", "版を残す設定", "Keeps versions", Boolean).aliases(&["バージョニング"]),
            f("locked_until", "削除禁止の期限", "Locked until", Date).aliases(&["削除禁止期限"]),
            f("connector", "削除の接続方式", "Deletion connector", TEXT).aliases(&["接続方式"]),
            f("personal_data", "個人情報を含む", "Holds personal data", Boolean)
                .aliases(&["個人情報"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "copy",
        table: Table::Asset,
        title: t("写し", "Copy"),
        help: t(
            "複製、索引、書き出し、バックアップ、委託先にある写し。",
            "Replica, index, export, backup or a copy at an outsourcer.",
        ),
        fields: &[
            f("dataset", "元の情報", "Dataset", Reference("dataset"))
                .required()
                .aliases(&["元データ"]),
            f("place", "所在の種類", "Place", Enum(PLACES)).required().aliases(&["所在", "種類"]),
            f("location", "場所", "Location", TEXT).aliases(&["場所", "保管先"]),
            f("clears_after_days", "自然に消えるまでの日数", "Clears by itself after", n("d"))
                .aliases(&["保持日数"]),
            f("supplier", "委託先", "Outsourcer", Party).aliases(&["委託先"]),
            f("sub_supplier", "再委託先", "Sub-outsourcer", Party).aliases(&["再委託先"]),
            f("contract_term", "契約上の削除条項", "Contract term on deletion", TEXT)
                .aliases(&["契約条項"]),
        ],
        rules: &[Rule::RequiredIf { field: "supplier", when: "place", is: &["outsourcer"] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "key",
        table: Table::Asset,
        title: t("暗号鍵", "Key"),
        help: t(
            "破棄すれば写しが読めなくなる鍵。鍵そのものは置かない。",
            "A key whose destruction makes copies unreadable; never the key itself.",
        ),
        known_as: &["鍵管理台帳", "暗号鍵台帳"],
        fields: &[
            f("algorithm", "方式", "Algorithm", TEXT)
                .required()
                .aliases(&["暗号方式", "アルゴリズム"]),
            f("fingerprint", "指紋", "Fingerprint", TEXT)
                .required()
                .aliases(&["フィンガープリント"]),
            f("scope", "使いみち", "Used for", TEXT).aliases(&["用途", "対象"]),
            f("state", "状態", "State", Enum(KEY_STATES)).required().aliases(&["状態"]),
            f("expiry_year", "対象の期限年", "Expiry year covered", n("")).aliases(&["期限年"]),
            f("kept_at", "保管場所", "Kept at", TEXT).aliases(&["保管場所"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "medium",
        table: Table::Asset,
        title: t("記録媒体", "Medium"),
        help: t(
            "廃棄や再利用の前に消す、ディスク、テープ、USBメモリなど。",
            "Disk, tape or stick that is wiped before disposal or reuse.",
        ),
        known_as: &[
            "媒体台帳",
            "記録媒体台帳",
            "媒体管理台帳",
            "usbメモリ台帳",
            "外部記憶媒体",
            "持出し台帳",
            "持ち出し台帳",
            "持出台帳",
            "媒体持出し",
        ],
        fields: &[
            f("type", "種類", "Type", Enum(MEDIUM_TYPES)).required().aliases(&["種類", "媒体種別"]),
            f("serial", "製造番号", "Serial number", TEXT)
                .required()
                .aliases(&["製造番号", "シリアル番号"]),
            f("capacity_gib", "容量", "Capacity", n("GiB")).aliases(&["容量"]),
            f("encrypted", "暗号化済み", "Encrypted", Boolean).aliases(&["暗号化"]),
            f("kept_at", "保管場所", "Kept at", TEXT).aliases(&["保管場所"]),
            f("disposed_on", "廃棄日", "Disposed on", Date).aliases(&["廃棄日", "廃棄した日"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "paper_box",
        table: Table::Asset,
        title: t("文書箱", "Paper box"),
        help: t(
            "保存文書の箱。ラベルを読み取って廃棄を記録する。",
            "Box of paper; its label is scanned at disposal.",
        ),
        known_as: &["文書箱台帳", "保存文書", "書庫台帳", "保管箱"],
        fields: &[
            f("label", "箱番号", "Label", TEXT).required().aliases(&["箱番号", "ラベル"]),
            f("dataset", "中身の情報", "Dataset", Reference("dataset"))
                .aliases(&["内容", "文書名"]),
            f("kept_at", "保管場所", "Kept at", TEXT).required().aliases(&["保管場所", "倉庫"]),
            f("from", "文書の始まり", "Papers from", Date).aliases(&["対象期間（自）"]),
            f("to", "文書の終わり", "Papers to", Date).aliases(&["対象期間（至）"]),
            f("dispose_on", "廃棄予定日", "Dispose on", Date).aliases(&["廃棄予定日"]),
        ],
        rules: &[
            Rule::NotBefore { start: "from", end: "to" },
            Rule::NotBefore { start: "to", end: "dispose_on" },
        ],
        ..KindSpec::BASE
    },
];

/// Rule kinds the room owns.
pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "retention",
        table: Table::Rule,
        title: t("保有期間の規則", "Retention rule"),
        help: t(
            "どの情報を、何を起点に、いつまで保つか。",
            "Which data is kept, from what event, for how long.",
        ),
        fields: &[
            f("period", "期間（永久なら空欄）", "Period; empty for permanent", Period)
                .aliases(&["保有期間", "保存期間"]),
            f("permanent", "永久", "Permanent", Boolean).aliases(&["永久保存"]),
            f("side", "下限・上限", "Side", Enum(SIDES)).required().aliases(&["下限・上限"]),
            f("event", "起算日となる出来事", "Start event", Enum(START_EVENTS))
                .required()
                .aliases(&["起算日", "起算事由"]),
            f("start", "数え始め", "Counted from", Enum(STARTS)).required().aliases(&["数え始め"]),
            f("months", "事業年度末からの月数", "Months after the fiscal year end", n("")),
            f("cite", "根拠", "Citation", TEXT).required().aliases(&["根拠", "根拠法令"]),
            f("valid_from", "適用開始", "Valid from", Date),
            f("valid_to", "適用終了", "Valid to", Date),
        ],
        groups: &[
            Group::new(
                t("期間", "Period"),
                &["period", "permanent", "side", "event", "start", "months"],
            ),
            Group::new(t("根拠と適用", "Source and validity"), &["cite", "valid_from", "valid_to"]),
        ],
        rules: &[
            Rule::OneOf { fields: &["period", "permanent"] },
            Rule::NotBefore { start: "valid_from", end: "valid_to" },
            Rule::RequiredIf { field: "months", when: "start", is: &["fiscal_year_end_plus"] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "hold",
        table: Table::Rule,
        title: t("削除の停止", "Hold"),
        help: t("訴訟や調査のために削除を止める。", "Stops deletion for a lawsuit or inquiry."),
        fields: &[
            f("reason", "理由", "Reason", Multiline).required().aliases(&["理由"]),
            f("matter", "案件番号", "Matter", TEXT).aliases(&["案件番号"]),
            f("set_on", "開始日", "Set on", Date).required().aliases(&["開始日"]),
            f("review_on", "見直し日", "Review on", Date).aliases(&["見直し日"]),
        ],
        rules: &[Rule::NotBefore { start: "set_on", end: "review_on" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "deletion_method",
        table: Table::Rule,
        title: t("廃棄方法", "Deletion method"),
        help: t("媒体ごとに認める廃棄方法と証拠。", "Method and evidence accepted for a medium."),
        fields: &[
            f("medium", "媒体", "Medium", Enum(MEDIUM_TYPES)).aliases(&["媒体"]),
            f("method", "方法", "Method", Enum(METHODS)).required().aliases(&["方法", "廃棄方法"]),
            f("class", "強さ", "Class", Enum(CLASSES)).required().aliases(&["強さ"]),
            f("evidence", "必要な証拠", "Evidence required", TEXT)
                .required()
                .aliases(&["証拠", "証明書"]),
            f("tool", "道具", "Tool", TEXT).aliases(&["消去ソフト", "道具"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "deletion_connector",
        table: Table::Rule,
        title: t("削除の接続", "Deletion connector"),
        help: t(
            "保管先から消して読み返す接続。秘密情報は置かない。",
            "How a store is reached to delete and read back; holds no secret.",
        ),
        fields: &[
            f("type", "種類", "Type", TEXT).required(),
            f("target", "接続先", "Target", TEXT).required(),
            f("credential", "認証情報の名前", "Name of the credential", TEXT),
            f("share_percent_max", "一度に消してよい割合", "Share deleted at once at most", n("%")),
            f("verify", "読み返しの方法", "How it is read back", TEXT),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "trigger_feed",
        table: Table::Rule,
        title: t("起算日の取込み", "Trigger feed"),
        help: t(
            "退職日や契約終了日を業務の記録から取り込む。",
            "Brings leaving dates, contract ends and the like from business records.",
        ),
        fields: &[
            f("type", "取込み元", "Source", Enum(FEED_TYPES)).required().aliases(&["取込み元"]),
            f("event", "出来事", "Event", Enum(START_EVENTS)).required().aliases(&["起算事由"]),
            f("columns", "列の対応", "Columns", Object),
            f("every_days", "間隔", "Every", n("d")).required().aliases(&["間隔"]),
        ],
        ..KindSpec::BASE
    },
];

/// Norm, plan and decision kinds the room adds.
pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "retention_law",
        table: Table::Norm,
        title: t("保存期間を定める条文", "Law on retention"),
        help: t(
            "条文、文書の種類、期間、起算日を自分の言葉でまとめた行。法律上の助言ではない。",
            "Article, class of document, period and start in our own words; not legal advice.",
        ),
        fields: &[
            f("article", "条文", "Article", TEXT).required().aliases(&["条文", "根拠条文"]),
            f("document_class", "文書の種類", "Class of document", TEXT)
                .required()
                .aliases(&["文書の種類"]),
            f("period", "期間", "Period", Period).aliases(&["期間", "保存期間"]),
            f("side", "下限・上限", "Side", Enum(SIDES)).required(),
            f("start", "起算", "Start", TEXT).required().aliases(&["起算日"]),
            f("first_day_counts", "初日を数える", "First day counts", Boolean),
            f("transitional", "経過措置", "Transitional clause", Multiline),
            f("valid_from", "適用開始", "Valid from", Date),
            f("valid_to", "適用終了", "Valid to", Date),
            f("reviewed_on", "確認日", "Reviewed on", Date),
        ],
        groups: &[
            Group::new(t("条文", "Article"), &["article", "document_class", "reviewed_on"]),
            Group::new(
                t("期間", "Period"),
                &["period", "side", "start", "first_day_counts", "transitional"],
            ),
            Group::new(t("適用", "In force"), &["valid_from", "valid_to"]),
        ],
        rules: &[Rule::NotBefore { start: "valid_from", end: "valid_to" }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "deletion_run",
        table: Table::Plan,
        title: t("削除の実行計画", "Deletion run"),
        help: t(
            "対象、方法、保管先ごとの手順。承認されてから動く。",
            "Items, method and steps per store; runs once permitted.",
        ),
        fields: &[
            f("planned_on", "実行予定日", "Planned on", Date).required().aliases(&["実行予定日"]),
            f("items", "対象件数", "Items", n("")).required(),
            f("selector", "対象", "Selector", TEXT).required(),
            f("steps", "手順", "Steps", Object),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "deletion_permit",
        table: Table::Decision,
        title: t("削除の承認", "Deletion permit"),
        help: t(
            "規則全体への継続承認、または一回ごとの承認。",
            "Standing permit for a rule, or one for a single batch.",
        ),
        fields: &[
            f("standing", "継続承認", "Standing", Boolean).required(),
            f("rule", "規則", "Rule", TEXT),
            f("items_max", "上限件数", "Items at most", n("")),
            f("valid_to", "期限", "Valid to", Date),
        ],
        ..KindSpec::BASE
    },
];

/// Record types of the room. What was deleted stands there as salted ids, never as content.
pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "information_deletion.register_checked",
        writer: Writer::Ume,
        title: t("台帳の確認", "Register row checked"),
        fields: &[
            f("rule_assigned", "保有期間の規則がある", "Retention rule assigned", Boolean)
                .required(),
            f("owner_named", "管理責任者がいる", "Owner named", Boolean).required(),
        ],
    },
    RecordSpec {
        ty: "information_deletion.retention_trigger",
        writer: Writer::Anyone,
        title: t("起算日の到来", "Trigger arrived"),
        fields: &[
            f("event", "出来事", "Event", Enum(START_EVENTS)).required(),
            f("items", "対象件数", "Items", n("")).required(),
            f("feed", "取込み元", "Feed", TEXT),
        ],
    },
    RecordSpec {
        ty: "information_deletion.trigger_census",
        writer: Writer::Ume,
        title: t("起算日の出どころの集計", "Where triggers came from"),
        fields: &[
            f("items", "対象件数", "Items", n("")).required(),
            f(
                "fed",
                "35日以内の取込みによる件数",
                "From a feed or import of the last 35 days",
                n(""),
            )
            .required(),
            f("typed", "手入力の件数", "Typed", n("")),
            f("waiting", "起算日待ちの件数", "Waiting for a trigger", n("")),
        ],
    },
    RecordSpec {
        ty: "information_deletion.retention_due",
        writer: Writer::Ume,
        title: t("期限の計算", "Due dates computed"),
        fields: &[
            f("due", "期限が来た件数", "Due", n("")).required(),
            f("overdue", "期限を過ぎた件数", "Overdue", n("")).required(),
            f("held", "停止中の件数", "Held", n("")).required(),
            f("conflict", "下限と上限が矛盾する件数", "In conflict", n("")).required(),
            f("root", "一覧の要約値", "Digest of the list", Hash),
        ],
    },
    RecordSpec {
        ty: "information_deletion.deletion_period",
        writer: Writer::Anyone,
        title: t("定期削除の締め", "Deletion period closed"),
        fields: &[
            f("period_end", "締め日", "Period end", Date).required(),
            f("due", "期限が来た件数", "Due", n("")).required(),
            f("deleted", "削除した件数", "Deleted", n("")).required(),
            f("held", "停止中の件数", "Held", n("")).required(),
            f("extended", "決定により延長した件数", "Extended by decision", n("")).required(),
            f("with_outcome", "結果のある件数", "With an outcome", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "information_deletion.deletion_settled",
        writer: Writer::Ume,
        title: t("期限ごとの削除の結果", "Due items settled"),
        fields: &[
            f("due_on", "期限日", "Due on", Date).required(),
            f("due", "期限が来た件数", "Due", n("")).required(),
            f(
                "done_30_days",
                "30日以内に機械か取り込んだ証明で削除した件数",
                "Done in 30 days by machine or imported receipt",
                n(""),
            )
            .required(),
            f("held", "停止中の件数", "Held", n("")),
        ],
    },
    RecordSpec {
        ty: "information_deletion.deletion_executed",
        writer: Writer::Anyone,
        title: t("自動削除の実行", "Deletion executed by the system"),
        fields: &[
            f("due", "期限が来た件数", "Due", n("")).required(),
            f(
                "verified_24_h",
                "24時間以内に実行し確認した件数",
                "Executed and verified within 24 hours",
                n(""),
            )
            .required(),
            f("failed", "失敗した件数", "Failed", n("")),
        ],
    },
    RecordSpec {
        ty: "information_deletion.deletion_step",
        writer: Writer::Anyone,
        title: t("削除の手順", "Deletion step"),
        fields: &[
            f("location", "場所", "Location", TEXT).required(),
            f("items", "件数", "Items", n("")).required(),
            f("holds_read", "直前に停止の有無を確かめた", "Holds re-read just before", Boolean)
                .required(),
            f("verified", "読み返して確かめた", "Read back", Boolean).required(),
        ],
    },
    RecordSpec {
        ty: "information_deletion.deletion_receipt",
        writer: Writer::Anyone,
        title: t("廃棄の記録", "Deletion receipt"),
        fields: &[
            f("disposed_on", "廃棄した日", "Disposed on", Date).required(),
            f("content", "廃棄した内容", "Content, in general words", TEXT).required(),
            f("items", "件数", "Items", n("")).required(),
            f("responsible", "廃棄責任者", "Disposal officer", Party).required(),
            f("method", "方法", "Method", Enum(METHODS)).required(),
            f("method_fits_medium", "媒体に合った方法", "Method fits the medium", Boolean)
                .required(),
            f("class", "強さ", "Class", Enum(CLASSES)),
            f("tool", "道具と版", "Tool and version", TEXT),
            f("passes", "上書き回数", "Passes", n("")),
            f("verified", "確認した", "Verified", Boolean),
            f("not_reached", "消せなかった場所", "Not reached", List),
            f("effectively_gone_on", "すべて消える日", "Effectively gone on", Date),
        ],
    },
    RecordSpec {
        ty: "information_deletion.deletion_reach",
        writer: Writer::Ume,
        title: t("写しの消滅の集計", "Copies of deleted items"),
        fields: &[
            f("deleted", "削除した件数", "Deleted items", n("")).required(),
            f(
                "settled",
                "全所在が消去済みか消える日が分かる件数",
                "All locations cleared or dated",
                n(""),
            )
            .required(),
            f("unknown", "不明な所在の残る件数", "With an unknown location", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "information_deletion.deletion_rescan",
        writer: Writer::Anyone,
        title: t("削除後の再検査", "Re-scan after deletion"),
        fields: &[
            f("place", "検査した所", "Place", Enum(RESCAN_PLACES)).required(),
            f("samples", "抽出した件数", "Samples", n("")).required(),
            f("hits", "見つかった断片", "Fingerprints found", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "information_deletion.hold_set",
        writer: Writer::Ume,
        title: t("削除の停止の開始", "Hold set"),
        fields: &[
            f("matter", "案件番号", "Matter", TEXT),
            f("items", "対象件数", "Items", n("")).required(),
            f("acknowledged_at", "確認時刻", "Acknowledged at", Time),
        ],
    },
    RecordSpec {
        ty: "information_deletion.hold_lifted",
        writer: Writer::Ume,
        title: t("削除の停止の解除", "Hold lifted"),
        fields: &[
            f("matter", "案件番号", "Matter", TEXT),
            f("items", "対象件数", "Items", n("")).required(),
            f("reason", "理由", "Reason", TEXT),
        ],
    },
    RecordSpec {
        ty: "information_deletion.key_destroy_due",
        writer: Writer::Ume,
        title: t("鍵の破棄の期限", "Key destruction due"),
        fields: &[
            f("fingerprint", "指紋", "Fingerprint", TEXT).required(),
            f("due_on", "破棄の期限", "Due on", Date).required(),
            f("other_uses", "ほかの使いみち", "Other uses", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "information_deletion.outsourcer_certificate",
        writer: Writer::Anyone,
        title: t("委託先の証明書", "Outsourcer's certificate"),
        fields: &[
            f("certificate", "証明書", "Certificate", File).required(),
            f("disposed_on", "廃棄した日", "Disposed on", Date).required(),
            f("method", "方法", "Method", Enum(METHODS)),
            f("sub_outsourcers", "再委託先の数", "Sub-outsourcers", n("")).required(),
        ],
    },
    RecordSpec {
        ty: "information_deletion.outsourced_check",
        writer: Writer::Ume,
        title: t("委託先の写しの照合", "Outsourced copy checked"),
        fields: &[
            f("contract_term", "契約に削除の条項がある", "Contract has a deletion term", Boolean)
                .required(),
            f("due", "期限が来た件数", "Due", n("")).required(),
            f("requested", "依頼した件数", "Requested", n("")).required(),
            f("certified", "証明書を取り込んだ件数", "With imported certificate", n("")).required(),
            f(
                "sub_outsourcers_missing",
                "証明書のない再委託先",
                "Sub-outsourcers without certificate",
                n(""),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "information_deletion.stocktake_run",
        writer: Writer::Anyone,
        title: t("棚卸し", "Stocktaking"),
        fields: &[
            f("scanned", "検査した件数", "Scanned", n("")).required(),
            f(
                "found_unregistered",
                "台帳にない個人情報",
                "Unregistered personal data found",
                n(""),
            )
            .required(),
            f("found_without_task", "課題のないもの", "Without a task", n("")).required(),
            f("task_days_max", "課題にするまでの最長日数", "Longest time to a task", n("d"))
                .required(),
        ],
    },
];
