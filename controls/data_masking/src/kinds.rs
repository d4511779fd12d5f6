//! Kinds and record types of the data masking room.
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

const LAW_CLASSES: &[Choice] = &[
    choice("personal", "個人データ", "Personal data"),
    choice("pseudonymous", "仮名加工情報", "Pseudonymously processed information"),
    choice("anonymous", "匿名加工情報", "Anonymously processed information"),
    choice("statistics", "統計情報", "Statistics"),
    choice("none", "個人に関しない", "Not about persons"),
];

const METHODS: &[Choice] = &[
    choice("replace_all", "全置換", "Replace all"),
    choice("partial", "一部置換", "Partial"),
    choice("delete", "削除・NULL", "Delete or NULL"),
    choice("redact", "文中の黒塗り", "Redact in text"),
    choice("shuffle", "シャッフル", "Shuffle"),
    choice("encrypt", "暗号化", "Encrypt"),
    choice("pseudonymise", "仮名化", "Pseudonymise"),
    choice("generalise", "一般化", "Generalise"),
    choice("date_shift", "日付の移動", "Date shift"),
    choice("noise", "ノイズ・ミクロ集約", "Noise or microaggregation"),
    choice("dictionary", "辞書による疑似値", "Dictionary fake"),
    choice("constant", "固定値", "Constant"),
];

const USE_KINDS: &[Choice] = &[
    choice("test", "テスト・テスト移行", "Test and test migration"),
    choice("analysis", "分析", "Analysis"),
    choice("internal", "社内共有", "Internal sharing"),
    choice("external", "外部共有", "External sharing"),
    choice("screen", "画面表示・入力", "Display and entry on screens"),
];

const DOMAIN_KINDS: &[Choice] = &[
    choice("my_number", "個人番号", "Individual number"),
    choice("corporate_number", "法人番号", "Corporate number"),
    choice("licence", "運転免許証番号", "Driving licence number"),
    choice("card", "カード番号", "Card number"),
    choice("account", "口座番号", "Account number"),
    choice("phone", "電話番号", "Telephone number"),
    choice("mail", "メールアドレス", "Mail address"),
    choice("name", "氏名", "Name"),
    choice("address", "住所", "Address"),
    choice("date", "日付", "Date"),
    choice("customer_id", "顧客番号など社内の番号", "Customer and other own numbers"),
    choice("other", "その他", "Other"),
];

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "data_field",
        table: Table::Asset,
        title: t("データ項目", "Data field"),
        help: t(
            "データセットの列や項目と、その機微さ。何を隠すべきかの台帳になります。",
            "A column or field of a dataset and how sensitive it is: the register of what to hide.",
        ),
        fields: &[
            field("dataset", "データセット", "Dataset", FieldType::Reference("dataset"))
                .required()
                .aliases(&["データセット", "テーブル", "テーブル名", "表名"]),
            text("path", "項目の場所", "Path").required().aliases(&[
                "項目名",
                "列名",
                "カラム名",
                "カラム",
                "パス",
            ]),
            text("value_type", "型", "Type").aliases(&["型", "データ型"]),
            field("unique", "一意", "Unique", FieldType::Boolean).aliases(&[
                "一意",
                "ユニーク",
                "重複不可",
            ]),
            field(
                "field_class",
                "分類",
                "Class",
                FieldType::Enum(&[
                    choice("public", "公開", "Public"),
                    choice("internal", "社内", "Internal"),
                    choice("personal", "個人情報", "Personal"),
                    choice("special_care", "要配慮個人情報", "Special-care personal"),
                    choice("secret", "営業秘密・機密", "Trade secret"),
                ]),
            )
            .aliases(&["分類", "区分", "機密区分", "情報区分"]),
            field(
                "role",
                "識別の役割",
                "Role",
                FieldType::Enum(&[
                    choice("direct", "直接識別子", "Direct identifier"),
                    choice("quasi", "準識別子", "Quasi-identifier"),
                    choice("sensitive", "機微属性", "Sensitive attribute"),
                    choice("linking_code", "連結符号", "Linking code"),
                    choice("other", "その他", "Other"),
                ]),
            )
            .required()
            .aliases(&["識別の役割", "識別子区分", "役割"]),
            text("identifier_code", "個人識別符号の種類", "Kind of individual identification code")
                .aliases(&["個人識別符号", "個人識別符号の種類"]),
            field(
                "application",
                "表示する業務システム",
                "Shown in",
                FieldType::Reference("system"),
            )
            .aliases(&["業務システム", "アプリケーション", "システム名"]),
            field("domain", "仮名の領域", "Mask domain", FieldType::Reference("mask_domain"))
                .aliases(&["仮名の領域", "マスク領域"]),
        ],
        groups: &[
            Group::new(
                t("場所", "Place"),
                &["dataset", "path", "value_type", "unique", "application"],
            ),
            Group::new(t("区分", "Class"), &["field_class", "role", "identifier_code", "domain"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "mask_domain",
        table: Table::Asset,
        title: t("仮名の領域", "Mask domain"),
        help: t(
            "同じ値をどこでも同じ仮名に置き換える範囲と、その鍵。",
            "The range within which equal values get equal pseudonyms, and its key.",
        ),
        fields: &[
            field("domain_kind", "種類", "Kind", FieldType::Enum(DOMAIN_KINDS))
                .required()
                .aliases(&["種類", "値の種類"]),
            count("size", "値の総数", "Size").required().aliases(&[
                "値の総数",
                "件数",
                "領域の大きさ",
            ]),
            field("key", "鍵", "Key", FieldType::Reference("key")).aliases(&[
                "鍵",
                "鍵ID",
                "鍵番号",
            ]),
            text("recipient", "渡す先", "Recipient").aliases(&["渡す先", "提供先", "受領者"]),
            field("key_holder", "鍵の保管者", "Key holder", FieldType::Party)
                .personal()
                .aliases(&["鍵の保管者", "鍵管理者"]),
            field("destroy_by", "鍵の廃棄期限", "Destroy key by", FieldType::Date).aliases(&[
                "鍵の廃棄期限",
                "廃棄予定日",
                "廃棄期限",
            ]),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "masking",
        table: Table::Rule,
        title: t("マスキングルール", "Masking rule"),
        help: t("どの項目をどの方法で隠すか。", "Which fields are hidden, and how."),
        fields: &[
            text("selector", "対象項目", "Fields").required(),
            field("method", "方法", "Method", FieldType::Enum(METHODS)).required(),
            field("domain", "仮名の領域", "Mask domain", FieldType::Reference("mask_domain")),
            count("keep_last", "末尾に残す桁数", "Characters kept at the end"),
            count("keep_first", "先頭に残す桁数", "Characters kept at the start"),
            field("reversible", "戻せる", "Reversible", FieldType::Boolean).required(),
            field(
                "out_of_domain",
                "領域外の値",
                "Value outside its domain",
                FieldType::Enum(&[
                    choice("stop", "停止", "Stop"),
                    choice("null", "NULLにする", "NULL"),
                    choice("redact", "黒塗り", "Redact"),
                ]),
            )
            .required(),
        ],
        rules: &[Rule::RequiredIf {
            field: "domain",
            when: "method",
            is: &["pseudonymise", "encrypt"],
        }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "field_view",
        table: Table::Rule,
        title: t("項目の表示ルール", "Field view rule"),
        help: t(
            "役割ごとに、項目を見せる・一部見せる・隠す、入力を許すかを決めます。",
            "Says per role whether a field is shown, shown in part or hidden, and whether it may be entered.",
        ),
        fields: &[
            text("role", "役割", "Role").required(),
            text("selector", "対象項目", "Fields").required(),
            field(
                "show",
                "表示",
                "Display",
                FieldType::Enum(&[
                    choice("show", "見せる", "Show"),
                    choice("partial", "一部見せる", "Partial"),
                    choice("hide", "隠す", "Hide"),
                ]),
            )
            .required(),
            field("editable", "入力を許す", "May be entered", FieldType::Boolean).required(),
            field("application", "業務システム", "Application", FieldType::Reference("system")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "mask_subset",
        table: Table::Rule,
        title: t("抽出ルール", "Subset rule"),
        help: t(
            "本番から、つながりを保ったまま一部だけを取り出す条件。",
            "What part of production is taken, with its references kept whole.",
        ),
        fields: &[
            text("seed_table", "起点の表", "Seed table").required(),
            text("condition", "条件", "Condition").required(),
            count("rows_max", "行数の上限", "Rows at most").required(),
            field(
                "orphans",
                "親のない行",
                "Rows without a parent",
                FieldType::Enum(&[choice("keep", "残す", "Keep"), choice("drop", "除く", "Drop")]),
            )
            .required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "privacy_model",
        table: Table::Rule,
        title: t("プライバシーモデル", "Privacy model"),
        help: t(
            "外に出すデータが守るべき再識別リスクの上限。",
            "The limits of re-identification risk that released data must keep.",
        ),
        fields: &[
            count("k", "k(最小グループ)", "k: smallest group").required(),
            count("l", "l(多様性)", "l: diversity"),
            number("t_permille", "t(近さ)", "t: closeness", "‰"),
            number("suppress_permille", "抑制の上限", "Suppression at most", "‰").required(),
            number("attack_limit_permille", "攻撃成功率の上限", "Attack success at most", "‰")
                .required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "mask_hierarchy",
        table: Table::Rule,
        title: t("一般化の階層", "Generalisation hierarchy"),
        help: t("値を段階的に粗くする表。", "The table that makes values coarser step by step."),
        fields: &[
            text("column", "対象列", "Column").required(),
            count("height", "段数", "Height").required(),
            count("leaves", "葉の数", "Leaves"),
            field("file", "階層ファイル", "Hierarchy file", FieldType::File).required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "masking_use",
        table: Table::Plan,
        title: t("データの用途", "Use of data"),
        help: t(
            "データを使う場面ごとに、誰が受け取り、何と突き合わされ得るか、どの方法で隠すかを決めます。",
            "Per use: who receives, what it could be linked with, and by which methods it is hidden.",
        ),
        fields: &[
            field("use_kind", "用途", "Use", FieldType::Enum(USE_KINDS)).required(),
            text("purpose", "目的", "Purpose").required(),
            field("receiver", "受け取る人", "Receiver", FieldType::Party),
            field("leaves_company", "社外に出る", "Leaves the company", FieldType::Boolean)
                .required(),
            field(
                "linkable_with",
                "突合され得る情報",
                "Could be linked with",
                FieldType::Multiline,
            ),
            field("law_class", "法令上の区分", "Law class", FieldType::Enum(LAW_CLASSES)),
            field("methods", "方法", "Methods", FieldType::List),
            field("fields_needed", "必要な項目", "Fields needed", FieldType::List),
            field("until", "使用期限", "Until", FieldType::Date).required(),
        ],
        groups: &[
            Group::new(
                t("用途", "Use"),
                &["use_kind", "purpose", "receiver", "leaves_company", "until"],
            ),
            Group::new(
                t("隠し方", "Masking"),
                &["linkable_with", "law_class", "methods", "fields_needed"],
            ),
        ],
        rules: &[Rule::RequiredIf { field: "receiver", when: "leaves_company", is: &["true"] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "masking_policy",
        table: Table::Norm,
        title: t("マスキング方針", "Masking policy"),
        help: t(
            "項目の分類ごとの標準的な隠し方と、例外の決め方。",
            "The usual method per class of field, and how exceptions are decided.",
        ),
        fields: &[
            field("scope", "対象範囲", "Scope", FieldType::Multiline).required(),
            field("class_methods", "分類ごとの方法", "Methods per class", FieldType::Object)
                .required(),
            field(
                "test_data_rule",
                "テストデータの扱い",
                "Rule for test data",
                FieldType::Multiline,
            )
            .required(),
            field("law_class", "法令上の区分", "Law class", FieldType::Enum(LAW_CLASSES)),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "unmask_approval",
        table: Table::Decision,
        title: t("マスク解除の承認", "Unmasking approved"),
        help: t(
            "1件の元の値を、限られた時間だけ見ることの承認。",
            "Lets one person see one original value for a limited time.",
        ),
        fields: &[
            field("data_field", "項目", "Field", FieldType::Reference("data_field")).required(),
            field("why", "理由", "Reason", FieldType::Multiline).required(),
            number("minutes", "見てよい時間", "Minutes allowed", "min").required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "data_masking.field_scan",
        writer: Writer::Anyone,
        title: t("項目の走査", "Field scan"),
        fields: &[
            count("fields", "項目数", "Fields").required(),
            count("classed", "分類済み", "Classed").required(),
            count("unclassified", "未分類", "Unclassified").required(),
            count("sensitive", "機微な項目", "Sensitive fields"),
            count("rows_sampled", "標本の行数", "Rows sampled"),
        ],
    },
    RecordSpec {
        ty: "data_masking.schema_diff",
        writer: Writer::Anyone,
        title: t("構造の変化", "Schema difference"),
        fields: &[
            count("added", "追加", "Added").required(),
            count("changed", "変更", "Changed").required(),
            count("removed", "削除", "Removed").required(),
            count("unclassified", "未分類の列", "Unclassified columns").required(),
            count("runs_ungated", "確認なしに走ったジョブ", "Runs without a check before")
                .required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.copy_seen",
        writer: Writer::Anyone,
        title: t("データの写し", "Copy seen"),
        fields: &[
            text("source_env", "元の環境", "Environment copied from").required(),
            text("target_env", "先の環境", "Environment copied to").required(),
            count("rows", "行数", "Rows"),
            field("copied_at", "写した時刻", "Copied at", FieldType::Time).required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.mask_run",
        writer: Writer::Anyone,
        title: t("マスキングの実行", "Masking run"),
        fields: &[
            field("rule_hash", "ルールの版", "Rule version", FieldType::Hash).required(),
            text("key_id", "鍵の番号", "Key id").required(),
            text("snapshot", "スナップショット", "Snapshot"),
            field("newer_than_copy", "写しより新しい", "Newer than the copy", FieldType::Boolean)
                .required(),
            count("tables", "表の数", "Tables").required(),
            count("rows_in", "入力行数", "Rows in").required(),
            count("rows_out", "出力行数", "Rows out").required(),
            number("bytes", "バイト数", "Bytes", "B"),
            field("sha256", "出力のハッシュ", "Hash of the output", FieldType::Hash),
            number("rss_max_bytes", "最大メモリ", "Memory at most", "B"),
            field(
                "outcome",
                "結果",
                "Outcome",
                FieldType::Enum(&[
                    choice("done", "完了", "Done"),
                    choice("stopped", "停止", "Stopped"),
                    choice("failed", "失敗", "Failed"),
                ]),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.integrity_check",
        writer: Writer::Anyone,
        title: t("整合性の確認", "Integrity check"),
        fields: &[
            count("fks", "外部キー", "Foreign keys").required(),
            count("uniques", "一意制約", "Unique constraints").required(),
            count("checks", "検査制約", "Check constraints").required(),
            count("types", "型", "Types").required(),
            count("violations", "違反", "Violations").required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.residual_scan",
        writer: Writer::Anyone,
        title: t("残存の検査", "Residual scan"),
        fields: &[
            count("objects", "検査した対象", "Objects").required(),
            count("originals_found", "残っていた元の値", "Originals found").required(),
            count("not_inspected", "検査できなかった対象", "Not inspected").required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.risk_report",
        writer: Writer::Anyone,
        title: t("再識別リスク", "Risk report"),
        fields: &[
            count("k", "最小グループ", "Smallest group").required(),
            count("k_required", "求める最小グループ", "Smallest group required").required(),
            count("l", "多様性", "Diversity"),
            number("t_permille", "近さ", "Closeness", "‰"),
            count("uniques", "一意な行", "Unique rows").required(),
            number("attack_success_permille", "攻撃成功率の最大", "Highest attack success", "‰")
                .required(),
            number("attack_limit_permille", "攻撃成功率の上限", "Attack success at most", "‰")
                .required(),
            count("limits_exceeded", "超えた上限の数", "Limits exceeded").required(),
            field("attacks", "攻撃別の結果", "Results by attack", FieldType::Object),
        ],
    },
    RecordSpec {
        ty: "data_masking.law_check",
        writer: Writer::Anyone,
        title: t("加工基準の確認", "Law check"),
        fields: &[
            field("law_class", "法令上の区分", "Law class", FieldType::Enum(LAW_CLASSES))
                .required(),
            count("items", "項目数", "Items").required(),
            count("items_failed", "満たさない項目", "Items not met").required(),
            field("verdicts", "項目ごとの判定", "Verdict per item", FieldType::Object),
        ],
    },
    RecordSpec {
        ty: "data_masking.release",
        writer: Writer::Anyone,
        title: t("データの受渡し", "Release"),
        fields: &[
            field("sha256", "ファイルのハッシュ", "Hash of the file", FieldType::Hash).required(),
            field("use_kind", "用途", "Use", FieldType::Enum(USE_KINDS)).required(),
            field("law_class", "法令上の区分", "Law class", FieldType::Enum(LAW_CLASSES))
                .required(),
            field("leaves_company", "社外に出る", "Leaves the company", FieldType::Boolean)
                .required(),
            field("recipient", "受け取る人", "Recipient", FieldType::Party).required(),
            field("requester", "申請者", "Requester", FieldType::Party).required(),
            field("approver", "承認者", "Approver", FieldType::Party),
            text("purpose", "目的", "Purpose").required(),
            count("fields", "渡した項目", "Fields delivered").required(),
            count("fields_beyond_purpose", "目的にない項目", "Fields the purpose does not name")
                .required(),
            field("expires", "使用期限", "Expires", FieldType::Date).required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.view_probe",
        writer: Writer::Anyone,
        title: t("表示の確認", "View probe"),
        fields: &[
            count("roles_probed", "確かめた役割", "Roles probed").required(),
            count("differences", "ルールとの違い", "Differences from the rule").required(),
            count("entries_accepted", "受け付けた不許可の入力", "Forbidden entries accepted")
                .required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.proxy_canary",
        writer: Writer::Anyone,
        title: t("動的マスクの確認", "Proxy canary"),
        fields: &[
            count("probes", "試行", "Probes").required(),
            number("leaked_bits", "漏れた量", "Leaked", "bit").required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.unmask",
        writer: Writer::Anyone,
        title: t("マスク解除", "Unmask"),
        fields: &[
            field("data_field", "項目", "Field", FieldType::Reference("data_field")).required(),
            field(
                "subject_hash",
                "対象の鍵付きハッシュ",
                "Keyed hash of the subject",
                FieldType::Hash,
            )
            .required(),
            text("reason_code", "理由の区分", "Reason code").required(),
            number("minutes", "見た時間", "Minutes", "min").required(),
        ],
    },
    RecordSpec {
        ty: "data_masking.key_event",
        writer: Writer::Anyone,
        title: t("鍵の出来事", "Key event"),
        fields: &[
            text("key_id", "鍵の番号", "Key id").required(),
            field(
                "event",
                "出来事",
                "Event",
                FieldType::Enum(&[
                    choice("created", "作成", "Created"),
                    choice("checked", "点検", "Checked"),
                    choice("used", "使用", "Used"),
                    choice("destroyed", "廃棄", "Destroyed"),
                ]),
            )
            .required(),
            field("holder", "鍵の保管者", "Key holder", FieldType::Party).required(),
            field("data_holder", "データの保管者", "Data holder", FieldType::Party).required(),
            number("destroy_overdue_days", "廃棄期限の超過", "Days past the destruction date", "d")
                .required(),
        ],
    },
];
