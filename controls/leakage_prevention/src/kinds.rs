//! Kinds and record types of the leakage prevention room.
//!
//! Facts of records are whole numbers, flags, hashes and opaque ids: nothing personal, no floats,
//! and never the text that was found.

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

const CHANNELS: &[Choice] = &[
    choice("mail", "メール", "Mail"),
    choice("web", "Web", "Web"),
    choice("cloud_share", "クラウド共有", "Cloud share"),
    choice("file_share", "ファイル共有", "File share"),
    choice("removable_media", "可搬媒体", "Removable media"),
    choice("print", "印刷", "Print"),
    choice("device", "端末の持ち出し", "Device taken out"),
    choice("public_store", "公開領域", "Public store"),
    choice("wire", "通信路", "Wire"),
    choice("screen_photo", "画面・撮影", "Screen and photo"),
    choice("talk", "会話", "Talk"),
];

const SEVERITIES: &[Choice] = &[
    choice("low", "低", "Low"),
    choice("medium", "中", "Medium"),
    choice("high", "高", "High"),
    choice("critical", "重大", "Critical"),
];

const ACTIONS: &[Choice] = &[
    choice("allow", "許可", "Allow"),
    choice("log", "記録のみ", "Log only"),
    choice("coach", "注意を表示", "Coach"),
    choice("justify", "理由を求める", "Ask for a reason"),
    choice("self", "本人確認", "Sender checks"),
    choice("superior", "上長承認", "Superior approves"),
    choice("hold", "保留", "Hold"),
    choice("link", "リンクに置換", "Replace by link"),
    choice("block", "遮断", "Block"),
];

const DEVICE_KINDS: &[Choice] =
    &[choice("pc", "PC", "PC"), choice("phone", "スマートフォン", "Phone")];

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "channel",
        table: Table::Asset,
        title: t("情報の出口", "Channel"),
        help: t(
            "情報が外へ出得る経路。メールの出口、Webの出口、USB、印刷、会話など。",
            "A way by which information may leave: mail, web, removable media, print, talk and so on.",
        ),
        fields: &[
            field("type", "種別", "Type", FieldType::Enum(CHANNELS)).required().aliases(&[
                "種別",
                "経路",
                "経路種別",
            ]),
            field("scope", "対象範囲", "Scope", FieldType::Multiline).aliases(&[
                "対象範囲",
                "対象",
                "範囲",
            ]),
            field(
                "mode",
                "動作",
                "Mode",
                FieldType::Enum(&[
                    choice("none", "対策なし", "No control"),
                    choice("log", "記録のみ", "Log only"),
                    choice("coach", "注意を表示", "Coach"),
                    choice("enforce", "強制", "Enforce"),
                ]),
            )
            .required()
            .aliases(&["動作", "対策状況", "動作モード"]),
            field(
                "fail",
                "故障時の動作",
                "On failure",
                FieldType::Enum(&[
                    choice("open", "通す", "Open"),
                    choice("closed", "止める", "Closed"),
                ]),
            )
            .aliases(&["故障時の動作", "障害時動作"]),
            text("product", "製品・機能", "Product").aliases(&["製品", "製品名", "対策製品"]),
            field("host", "検査する機器", "Inspecting host", FieldType::Reference("host"))
                .aliases(&["検査する機器", "ホスト名", "サーバー名"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "information_class",
        table: Table::Asset,
        title: t("情報の区分", "Information class"),
        help: t(
            "守る情報の区分と、その見分け方・扱い。",
            "A class of information to protect, how it is recognised and handled.",
        ),
        fields: &[
            field("rank", "順位", "Rank", FieldType::Number { unit: "", min: 1, max: 9 })
                .required()
                .aliases(&["順位", "レベル", "機密レベル"]),
            field("top", "最上位の区分", "Top class", FieldType::Boolean)
                .required()
                .aliases(&["最上位", "極秘"]),
            field("personal_data", "個人情報を含む", "Holds personal data", FieldType::Boolean)
                .aliases(&["個人情報", "個人情報有無"]),
            field("detectors", "検知器", "Detectors", FieldType::List)
                .aliases(&["検知器", "検知ルール"]),
            field("examples", "例", "Examples", FieldType::Multiline).aliases(&["例", "情報の例"]),
            field("handling", "取扱い", "Handling", FieldType::Multiline).aliases(&[
                "取扱い",
                "取り扱い",
                "取扱方法",
            ]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "mailing_list",
        table: Table::Asset,
        title: t("メーリングリスト", "Mailing list"),
        help: t(
            "宛先の一覧。古い宛先が残っていないかを見直します。",
            "A list of recipients, reviewed for members who are gone.",
        ),
        fields: &[
            text("address", "アドレス", "Address").required().aliases(&[
                "アドレス",
                "メールアドレス",
                "ML",
            ]),
            field("external", "社外の宛先を含む", "Has external members", FieldType::Boolean)
                .required()
                .aliases(&["社外", "社外を含む"]),
            count("members", "宛先数", "Members").aliases(&["宛先数", "登録者数", "メンバー数"]),
            field("administrator", "管理者", "Administrator", FieldType::Party)
                .personal()
                .aliases(&["管理者", "担当者"]),
            field("reviewed_on", "見直し日", "Reviewed on", FieldType::Date).aliases(&[
                "見直し日",
                "棚卸し日",
                "最終確認日",
            ]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "content_index",
        table: Table::Asset,
        title: t("照合用索引", "Content index"),
        help: t(
            "完全一致(EDM)や文書指紋の索引。元の文字は持ちません。",
            "Index for exact data matching or document fingerprints; holds no clear text.",
        ),
        fields: &[
            field(
                "method",
                "方式",
                "Method",
                FieldType::Enum(&[
                    choice("edm", "完全一致(EDM)", "Exact data matching"),
                    choice("fingerprint", "文書指紋", "Fingerprints"),
                ]),
            )
            .required()
            .aliases(&["方式", "照合方式"]),
            field("dataset", "元のデータ", "Source dataset", FieldType::Reference("dataset"))
                .required()
                .aliases(&["元のデータ", "データセット"]),
            field(
                "class",
                "情報の区分",
                "Information class",
                FieldType::Reference("information_class"),
            )
            .aliases(&["情報の区分", "区分"]),
            count("entries", "登録数", "Entries").aliases(&["登録数", "件数"]),
            field("built_on", "作成日", "Built on", FieldType::Date).aliases(&["作成日", "更新日"]),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "inspect_profile",
        table: Table::Rule,
        title: t("検査の設定", "Inspection profile"),
        help: t(
            "どの検知器を、どの点数から、どの上限で使うか。",
            "Which detectors are used, from which score and within which limits.",
        ),
        fields: &[
            field("detectors", "検知器", "Detectors", FieldType::List).required(),
            number("score_report_milli", "報告する点数", "Score to report", "1/1000").required(),
            count("depth_max", "入れ子の上限", "Depth at most"),
            number("bytes_max", "展開の上限", "Expansion at most", "B"),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "channel_rule",
        table: Table::Rule,
        title: t("経路ごとの扱い", "Channel rule"),
        help: t(
            "情報の区分と経路の組合せごとに、許可・確認・保留・遮断を決めます。",
            "Per class and channel: allow, ask, hold or block.",
        ),
        fields: &[
            field("class", "情報の区分", "Class", FieldType::Reference("information_class"))
                .required(),
            field("channel", "経路", "Channel", FieldType::Enum(CHANNELS)).required(),
            field("action", "扱い", "Action", FieldType::Enum(ACTIONS)).required(),
            count("count_min", "件数のしきい値", "From this count"),
            number("score_min_milli", "点数のしきい値", "From this score", "1/1000"),
            number("hold_min", "保留時間", "Hold", "min"),
        ],
        rules: &[Rule::RequiredIf { field: "hold_min", when: "action", is: &["hold"] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "approval_route",
        table: Table::Rule,
        title: t("承認経路", "Approval route"),
        help: t(
            "上長・代理・期限・期限後の扱い。黙って送ることはありません。",
            "Superior, deputy, deadline and what follows; never a silent release.",
        ),
        fields: &[
            field("team", "部署", "Team", FieldType::Party).required(),
            field("superior", "上長", "Superior", FieldType::Party).required(),
            field("deputy", "代理承認者", "Deputy", FieldType::Party),
            number("deadline_min", "期限", "Deadline", "min").required(),
            field(
                "after",
                "期限後",
                "After the deadline",
                FieldType::Enum(&[
                    choice("deputy", "代理へ", "To the deputy"),
                    choice("escalate", "上位へ", "Escalate"),
                    choice("return", "差出人へ戻す", "Return to sender"),
                ]),
            )
            .required(),
        ],
        rules: &[Rule::RequiredIf { field: "deputy", when: "after", is: &["deputy"] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "recipient_rule",
        table: Table::Rule,
        title: t("宛先のルール", "Recipient rule"),
        help: t(
            "初めての宛先、紛らわしいドメイン、多数の宛先などの扱い。",
            "What to do with first-time recipients, look-alike domains, many recipients.",
        ),
        fields: &[
            text("pattern", "宛先の条件", "Recipients").required(),
            field("action", "扱い", "Action", FieldType::Enum(ACTIONS)).required(),
            field("tls_only", "暗号化通信のみ", "TLS only", FieldType::Boolean),
            count("visible_max", "見える宛先数の上限", "Visible recipients at most"),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "access_watch",
        table: Table::Rule,
        title: t("アクセスの見張り", "Access watch"),
        help: t(
            "持ち出し・書き出し・大量閲覧などのふるまいを知らせます。",
            "Reports carry-out, export and mass reading.",
        ),
        fields: &[
            field("store", "保管場所", "Store", FieldType::Reference("store")),
            field(
                "behaviour",
                "見るふるまい",
                "Behaviour",
                FieldType::Enum(&[
                    choice("volume", "量", "Volume"),
                    choice("breadth", "広さ", "Breadth"),
                    choice("first_touch", "初めての区分", "First touch of a class"),
                    choice("hours", "時間外", "Out of hours"),
                    choice("delete_after_copy", "複製後の削除", "Deleted after copying"),
                    choice("leaver", "退職前後", "Leaver window"),
                ]),
            )
            .required(),
            field("severity", "重大度", "Severity", FieldType::Enum(SEVERITIES)).required(),
            number("due_min", "対応期限", "Due within", "min").required(),
            field("receiver", "通知先", "Receiver", FieldType::Party),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "word_rule",
        table: Table::Rule,
        title: t("語句のルール", "Word rule"),
        help: t("含まれていたら扱いを変える語句。", "Words that change how content is handled."),
        fields: &[
            field("words", "語句", "Words", FieldType::List).required(),
            field("action", "扱い", "Action", FieldType::Enum(ACTIONS)).required(),
            field("channels", "経路", "Channels", FieldType::List),
            field("positive_examples", "当たる例", "Examples that match", FieldType::List),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "take_out_rule",
        table: Table::Norm,
        title: t("持出し規則", "Take-out rule"),
        help: t(
            "端末・媒体・書類を持ち出すときの決まり。",
            "What holds when devices, media or papers are taken out.",
        ),
        fields: &[
            field("devices", "対象の機器", "Devices", FieldType::List).required(),
            field("conditions", "条件", "Conditions", FieldType::Multiline).required(),
            number("days_max", "日数の上限", "Days at most", "d").required(),
            field("wipe_required", "遠隔消去を必須とする", "Wipe required", FieldType::Boolean)
                .required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "leak_education",
        table: Table::Plan,
        title: t("漏えい防止の教育計画", "Education plan"),
        help: t(
            "メール、端末、会話、画面撮影、共有サービスの教材と時期。",
            "Modules on mail, devices, talk, screens and sharing services, and when they are due.",
        ),
        fields: &[
            field("modules", "教材", "Modules", FieldType::List).required(),
            field("audience", "対象者", "Audience", FieldType::Party),
            field("due", "期限", "Due", FieldType::Date).required(),
            number("pass_percent", "合格点", "Pass mark", "%").required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "take_out_approval",
        table: Table::Decision,
        title: t("持出しの承認", "Take-out approved"),
        help: t(
            "端末や媒体を持ち出すことの、期限つきの承認。",
            "Lets a device or medium leave until a given day.",
        ),
        fields: &[
            field("device", "機器", "Device", FieldType::Reference("hardware")).required(),
            field("purpose", "目的", "Purpose", FieldType::Multiline).required(),
            text("destination", "持出し先", "Destination").required(),
            field("return_by", "返却期限", "Return by", FieldType::Date).required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "leakage_prevention.identified",
        writer: Writer::Anyone,
        title: t("守る情報の特定", "Protected information identified"),
        fields: &[
            field("class_set", "区分あり", "Class set", FieldType::Boolean).required(),
            field("owner_set", "責任者あり", "Owner set", FieldType::Boolean).required(),
            count("detectors", "検知器の数", "Detectors").required(),
            count("fingerprints", "指紋の数", "Fingerprints").required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.scan_run",
        writer: Writer::Anyone,
        title: t("保管場所の走査", "Scan run"),
        fields: &[
            field(
                "mode",
                "方法",
                "Mode",
                FieldType::Enum(&[
                    choice("sample", "標本", "Sample"),
                    choice("full", "全体", "Full"),
                    choice("delta", "差分", "Delta"),
                ]),
            )
            .required(),
            field("complete", "完了", "Complete", FieldType::Boolean).required(),
            count("objects", "対象数", "Objects").required(),
            number("bytes", "バイト数", "Bytes", "B").required(),
            count("findings", "検出", "Findings").required(),
            count("open_to_all", "誰でも読める対象", "Readable by anyone"),
            count("not_inspected_total", "検査不能の合計", "Not inspected in all").required(),
            field(
                "not_inspected",
                "検査不能の理由別件数",
                "Not inspected by reason",
                FieldType::Object,
            ),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.inventory",
        writer: Writer::Anyone,
        title: t("棚卸し", "Inventory"),
        fields: &[
            count("stale_found", "古い個人データ", "Stale personal data found").required(),
            count("stale_tasked", "タスクにした件数", "Put into tasks").required(),
            count("stale_closed", "片付いた件数", "Closed").required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.content_finding",
        writer: Writer::Anyone,
        title: t("内容の検出", "Content finding"),
        fields: &[
            text("detector", "検知器", "Detector").required(),
            field("channel", "経路", "Channel", FieldType::Enum(CHANNELS)),
            field("severity", "重大度", "Severity", FieldType::Enum(SEVERITIES)).required(),
            number("score_milli", "点数", "Score", "1/1000").required(),
            count("count", "件数", "Count").required(),
            field("keyed_hashes", "鍵付きハッシュ", "Keyed hashes", FieldType::List),
            text("container_path", "入れ子の位置", "Container, sheet, cell"),
            field("offsets", "位置", "Offsets", FieldType::Object),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.alarm_handled",
        writer: Writer::Anyone,
        title: t("持ち出し警報の対応", "Carry-out alarm handled"),
        fields: &[
            number("alarm_s", "通知までの時間", "Time to the alarm", "s").required(),
            number("handled_min", "対応までの時間", "Time to handle", "min").required(),
            number("due_min", "対応期限", "Due within", "min").required(),
            field("handler", "対応者", "Handler", FieldType::Party),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.mta_mail",
        writer: Writer::Anyone,
        title: t("送信メール(サーバー記録)", "Mail in the server's log"),
        fields: &[
            field("external", "社外宛て", "External", FieldType::Boolean).required(),
            field("message_hash", "メールのハッシュ", "Hash of the message", FieldType::Hash)
                .required(),
            count("recipients", "宛先数", "Recipients").required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.mail_verdict",
        writer: Writer::Anyone,
        title: t("メールの判定", "Mail verdict"),
        fields: &[
            field("message_hash", "メールのハッシュ", "Hash of the message", FieldType::Hash)
                .required(),
            field("action", "扱い", "Action", FieldType::Enum(ACTIONS)).required(),
            number("hold_min", "保留した時間", "Held for", "min").required(),
            number("hold_set_min", "定めた保留時間", "Hold set", "min").required(),
            count("recipients", "宛先数", "Recipients").required(),
            count("first_time", "初めての宛先", "First-time recipients"),
            count("findings", "検出", "Findings"),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.mail_transition",
        writer: Writer::Anyone,
        title: t("メールの状態変化", "Mail transition"),
        fields: &[
            field(
                "step",
                "段階",
                "Step",
                FieldType::Enum(&[
                    choice("held", "保留", "Held"),
                    choice("approved", "承認", "Approved"),
                    choice("refused", "却下", "Refused"),
                    choice("released", "送信", "Released"),
                    choice("cancelled", "取消し", "Cancelled"),
                    choice("returned", "差戻し", "Returned"),
                    choice("expired", "期限切れ", "Expired"),
                ]),
            )
            .required(),
            field("sender", "差出人", "Sender", FieldType::Party).required(),
            field("approver", "承認者", "Approver", FieldType::Party),
            field("hash_bound", "内容と一致", "Bound to the message", FieldType::Boolean),
            field("delivered", "届いた", "Delivered", FieldType::Boolean).required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.link_access",
        writer: Writer::Anyone,
        title: t("リンクの参照", "Link access"),
        fields: &[
            field("link", "リンクのハッシュ", "Hash of the link", FieldType::Hash).required(),
            field("allowed", "許可", "Allowed", FieldType::Boolean).required(),
            count("uses", "参照回数", "Uses"),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.canary_result",
        writer: Writer::Anyone,
        title: t("模擬データの検知結果", "Canary result"),
        fields: &[
            field("channel", "経路", "Channel", FieldType::Enum(CHANNELS)).required(),
            field("caught", "検知した", "Caught", FieldType::Boolean).required(),
            field("blocking", "遮断の試験", "Blocking canary", FieldType::Boolean).required(),
            field("refused", "遮断した", "Refused", FieldType::Boolean).required(),
            number("delay_s", "検知までの時間", "Delay", "s"),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.access_log_status",
        writer: Writer::Anyone,
        title: t("アクセスログの状態", "Access log status"),
        fields: &[
            field("live", "届いている", "Live", FieldType::Boolean).required(),
            count("events", "件数", "Events").required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.access_review",
        writer: Writer::Anyone,
        title: t("アクセスログの確認", "Access log review"),
        fields: &[
            field("signed", "署名済み", "Signed", FieldType::Boolean).required(),
            field("signer", "署名者", "Signer", FieldType::Party),
            count("anomalies", "気づきの件数", "Anomalies"),
            count("tasks", "作成したタスク", "Tasks created"),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.access_anomaly",
        writer: Writer::Anyone,
        title: t("アクセスの異常", "Access anomaly"),
        fields: &[
            text("behaviour", "ふるまい", "Behaviour").required(),
            field("severity", "重大度", "Severity", FieldType::Enum(SEVERITIES)).required(),
            count("observed", "観測値", "Observed").required(),
            count("expected_max", "平常の上限", "Normal at most").required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.behaviour_status",
        writer: Writer::Anyone,
        title: t("ふるまい検知の状態", "Behaviour model status"),
        fields: &[
            field("sends_mail", "メールを送る", "Sends mail", FieldType::Boolean).required(),
            field("uses_files", "ファイルを使う", "Uses files", FieldType::Boolean).required(),
            count("models_due", "必要なモデル", "Models due").required(),
            count("models_warm", "学習を終えたモデル", "Models past cold start").required(),
            count("judged_false", "誤検知", "Judged false").required(),
            count("budget_total", "許容件数", "Budget").required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.device_movement",
        writer: Writer::Anyone,
        title: t("機器の出入り", "Device movement"),
        fields: &[
            field(
                "direction",
                "向き",
                "Direction",
                FieldType::Enum(&[
                    choice("out", "持ち出し", "Out"),
                    choice("in", "持ち込み・返却", "In"),
                ]),
            )
            .required(),
            field("approved", "承認あり", "Approved", FieldType::Boolean).required(),
            field("return_by", "返却期限", "Return by", FieldType::Date),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.device_state",
        writer: Writer::Anyone,
        title: t("機器の持出し状態", "Device state"),
        fields: &[
            count("out_unapproved", "承認のない持出し", "Out without approval").required(),
            count("overdue", "返却期限超過", "Overdue").required(),
            count("overdue_tasked", "超過のうちタスクにした件数", "Overdue with a task").required(),
            field(
                "wipe_route_tested",
                "消去経路の試験済み",
                "Wipe route tested",
                FieldType::Boolean,
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.wipe",
        writer: Writer::Anyone,
        title: t("遠隔消去", "Remote wipe"),
        fields: &[
            field("device_kind", "機器の種類", "Kind of device", FieldType::Enum(DEVICE_KINDS))
                .required(),
            field("drill", "訓練", "Drill", FieldType::Boolean).required(),
            field("requested", "要求した", "Requested", FieldType::Boolean).required(),
            field("delivered", "届いた", "Delivered", FieldType::Boolean).required(),
            field("confirmed", "消去を確認した", "Confirmed", FieldType::Boolean).required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.education_result",
        writer: Writer::Anyone,
        title: t("教育の結果", "Education result"),
        fields: &[
            field("passed", "合格", "Passed", FieldType::Boolean).required(),
            field("screen_photo", "画面撮影禁止", "Module: no screen photos", FieldType::Boolean)
                .required(),
            field("careless_talk", "不用意な会話", "Module: careless talk", FieldType::Boolean)
                .required(),
            count("modules", "教材数", "Modules"),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.self_inspection",
        writer: Writer::Anyone,
        title: t("自己点検", "Self-inspection"),
        fields: &[
            count("items", "点検項目", "Items").required(),
            count("gaps", "不備", "Gaps").required(),
            count("gaps_tasked", "不備のうちタスクにした件数", "Gaps with a task").required(),
            count("devices_out", "持出し中の機器", "Devices out").required(),
            count("devices_out_unapproved", "承認のない持出し", "Devices out without approval")
                .required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.leak",
        writer: Writer::Anyone,
        title: t("漏えい", "Leak"),
        fields: &[
            field("channel", "経路", "Channel", FieldType::Enum(CHANNELS)).required(),
            text("cause", "原因の区分", "Cause").required(),
            count("subjects", "対象者数", "Persons concerned"),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.near_miss",
        writer: Writer::Anyone,
        title: t("ヒヤリハット", "Near miss"),
        fields: &[
            field("channel", "経路", "Channel", FieldType::Enum(CHANNELS)).required(),
            text("cause", "原因の区分", "Cause"),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.incident_analysis",
        writer: Writer::Anyone,
        title: t("要因分析", "Incident analysis"),
        fields: &[
            count("mshell_factors", "m-SHELLの要因", "m-SHELL factors").required(),
            count("square_factors", "スクエアの要因", "Square factors").required(),
            count("measures_tasked", "タスクにした対策", "Measures with a task").required(),
            text("primary_cause", "一次要因", "Primary cause"),
            text("failed_check", "二次要因", "Check that failed"),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.insider_step_due",
        writer: Writer::Ume,
        title: t("期日を迎えた内部不正防止の手順", "Insider-fraud step that fell due"),
        fields: &[
            field("step", "手順", "Step", FieldType::Enum(STEPS)).required(),
            field("due", "期日", "Due", FieldType::Date).required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.insider_step",
        writer: Writer::Anyone,
        title: t("内部不正防止の手順", "Insider-fraud step"),
        fields: &[
            field("step", "手順", "Step", FieldType::Enum(STEPS)).required(),
            field("closed", "完了", "Closed", FieldType::Boolean).required(),
            field("actor", "実施者", "Actor", FieldType::Party).required(),
            field("second_person", "立会者", "Second person", FieldType::Party),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.index_built",
        writer: Writer::Anyone,
        title: t("照合用索引の作成", "Index built"),
        fields: &[
            number("lag_h", "元のデータからの遅れ", "Older than its source by", "h").required(),
            count("entries", "登録数", "Entries").required(),
            field("root", "索引のハッシュ", "Hash of the index", FieldType::Hash),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.uninspected",
        writer: Writer::Anyone,
        title: t("検査できない対象", "Uninspected objects"),
        fields: &[
            text("place", "場所", "Place").required(),
            count("objects", "対象数", "Objects").required(),
            number("not_inspected_permille", "検査不能の割合", "Share not inspected", "‰")
                .required(),
            count("undecided", "判断していない対象", "Not decided").required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.detector_accuracy",
        writer: Writer::Anyone,
        title: t("検知精度", "Detector accuracy"),
        fields: &[
            count("judged", "人が判断した標本", "Judged by people").required(),
            count("canaries", "模擬データ", "Canaries").required(),
            number("precision_low_permille", "適合率の下限", "Precision, lower end", "‰")
                .required(),
            number("precision_high_permille", "適合率の上限", "Precision, upper end", "‰")
                .required(),
            number("recall_low_permille", "再現率の下限", "Recall, lower end", "‰").required(),
            number("recall_high_permille", "再現率の上限", "Recall, upper end", "‰").required(),
        ],
    },
    RecordSpec {
        ty: "leakage_prevention.cell_status",
        writer: Writer::Ume,
        title: t("原因と経路の組合せの状態", "State of a cause and channel cell"),
        fields: &[
            text("cell", "原因/経路", "Cause/channel").required(),
            count("controls_live", "動いている対策", "Live controls").required(),
            count("preventions_live", "動いている予防", "Live preventions"),
            count("detections_live", "動いている検知", "Live detections"),
        ],
    },
];

const STEPS: &[Choice] = &[
    choice("leaver_review", "退職者の確認", "Leaver review"),
    choice("bulk_export", "二人での大量書き出し", "Two-person bulk export"),
    choice("privileged_review", "特権利用の確認", "Privileged review"),
];
