//! Asset, rule and decision kinds and record types of web filtering.

use model::{Choice, Field, FieldType, Group, KindSpec, RecordSpec, Rule, Table, Text, Writer, t};

const COUNT_MAX: i64 = 1_000_000_000_000;

const fn number(name: &'static str, label: Text, unit: &'static str) -> Field {
    Field::new(name, label, FieldType::Number { unit, min: 0, max: COUNT_MAX })
}

const fn count(name: &'static str, label: Text) -> Field {
    number(name, label, "")
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

const fn list(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::List)
}

const fn choice(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

const fn edge() -> Field {
    Field::new("edge", t("出口", "Edge"), FieldType::Reference("web_edge"))
}

/// Whose numbers a state record holds: `organisation` for the roll-up that checks read.
const fn scope() -> Field {
    text("scope", t("範囲（organisationは全体）", "Scope (organisation is the whole)")).required()
}

const ACTION: FieldType = FieldType::Enum(&[
    choice("allow", "許可", "Allow"),
    choice("warn", "警告して続行可", "Warn"),
    choice("block", "遮断", "Block"),
    choice("isolate", "分離して表示", "Isolate"),
    choice("isolate_readonly", "分離して閲覧のみ", "Isolate, read only"),
]);

const FAIL_MODE: FieldType = FieldType::Enum(&[
    choice("closed", "検査できなければ止める", "Closed: stop what cannot be checked"),
    choice("open", "検査できなくても通す", "Open: pass what cannot be checked"),
]);

const SOURCE_FORMAT: FieldType = FieldType::Enum(&[
    choice("domains", "ドメイン一覧", "Domains"),
    choice("hosts", "hostsファイル", "Hosts file"),
    choice("wildcard", "ワイルドカード", "Wildcards"),
    choice("urls", "URL一覧", "URLs"),
    choice("cidr", "IPアドレス範囲", "Address ranges"),
    choice("adblock", "Adblock形式", "Adblock filters"),
    choice("rpz", "RPZ（DNS）", "RPZ"),
    choice("squidguard", "squidGuardのフォルダ", "squidGuard folders"),
    choice("v2fly", "v2flyテキスト", "v2fly text"),
    choice("scores", "評価点のCSV", "Scores (CSV)"),
    choice("prefixes", "ハッシュ接頭辞", "Hash prefixes"),
]);

/// Expected and actual end of a probe.
const PROBE_RESULT: FieldType = FieldType::Enum(&[
    choice("passed", "通った", "Passed"),
    choice("blocked", "遮断された", "Blocked"),
    choice("refused", "拒否された", "Refused"),
    choice("failed", "つながらなかった", "Could not connect"),
    choice("no_answer", "応答なし", "No answer"),
]);

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "web_edge",
        table: Table::Asset,
        title: t("ウェブの出口", "Web edge"),
        help: t(
            "通信を中継・名前解決・分離する場所です。Umeの出口も、既存のプロキシやクラウドSWGも登録します。",
            "A place that proxies, resolves or isolates: Ume's own edges, and other makers' proxies and cloud gateways.",
        ),
        fields: &[
            Field::new(
                "role",
                t("役割", "Role"),
                FieldType::Enum(&[
                    choice("proxy", "プロキシ", "Proxy"),
                    choice("dns", "DNS", "DNS"),
                    choice("isolation", "ウェブ分離", "Isolation"),
                    choice("icap", "ICAP検査", "ICAP inspection"),
                ]),
            )
            .required()
            .aliases(&["役割", "種別", "方式"]),
            text("product", t("製品", "Product")).aliases(&["製品", "製品名", "ソフトウェア"]),
            text("address", t("待ち受け", "Listener")).required().aliases(&[
                "アドレス",
                "待ち受けアドレス",
                "プロキシアドレス",
                "ホスト名",
            ]),
            Field::new("site", t("拠点", "Site"), FieldType::Reference("site"))
                .aliases(&["拠点", "設置場所"]),
            list("networks", t("利用元のネットワーク", "Client networks"))
                .aliases(&["利用元ネットワーク", "対象セグメント"]),
            Field::new("fail_mode", t("検査できないとき", "When it cannot check"), FAIL_MODE)
                .aliases(&["障害時の動作"]),
            flag("enforcing", t("実際に止める", "Enforcing")).aliases(&["適用状態", "遮断の有無"]),
            Field::new("log_source", t("ログ源", "Log source"), FieldType::Reference("log_source"))
                .aliases(&["ログ源"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_source",
        table: Table::Asset,
        title: t("リストの入手先", "List source"),
        help: t(
            "購読するリスト・評価・カテゴリの入手先と、自社で手入れするリストです。",
            "Where lists, ratings and categories come from; lists kept by hand are sources too.",
        ),
        fields: &[
            Field::new(
                "origin",
                t("入手のしかた", "Origin"),
                FieldType::Enum(&[
                    choice("subscription", "購読（自動更新）", "Subscription, refreshed by itself"),
                    choice("local", "自社で手入れ", "Kept by hand"),
                ]),
            )
            .required()
            .aliases(&["入手方法", "区分"]),
            Field::new(
                "content",
                t("中身", "Content"),
                FieldType::Enum(&[
                    choice("deny", "拒否リスト", "Deny list"),
                    choice("allow", "許可リスト", "Allow list"),
                    choice("rating", "レイティング", "Rating"),
                    choice("category", "カテゴリ", "Category"),
                ]),
            )
            .required()
            .aliases(&["内容", "リスト種別"]),
            text("url", t("URL", "URL")).aliases(&["URL", "取得元URL"]),
            Field::new("format", t("形式", "Format"), SOURCE_FORMAT)
                .required()
                .aliases(&["形式", "フォーマット"]),
            text("licence", t("利用許諾", "Licence")).aliases(&["ライセンス", "利用許諾"]),
            flag("licence_accepted", t("許諾に同意済み", "Licence accepted")),
            number("refresh_h", t("更新間隔", "Refresh"), "h").aliases(&["更新間隔"]),
            Field::new("provider", t("提供者", "Provider"), FieldType::Party).aliases(&[
                "提供者",
                "提供元",
                "ベンダー",
            ]),
        ],
        rules: &[
            Rule::RequiredIf { field: "url", when: "origin", is: &["subscription"] },
            Rule::RequiredIf { field: "licence", when: "licence_accepted", is: &["true"] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_app",
        table: Table::Asset,
        title: t("ウェブアプリケーション", "Web application"),
        help: t(
            "見分けるアプリケーションと、その中の操作（送信・アップロードなど）です。",
            "An application that is told apart, and what is done in it: send, upload, post, prompt.",
        ),
        fields: &[
            list("domains", t("ドメイン", "Domains")).required().aliases(&["ドメイン"]),
            list("actions", t("見分ける操作", "Actions")).aliases(&["操作", "機能"]),
            Field::new(
                "family",
                t("分類", "Family"),
                FieldType::Enum(&[
                    choice("mail", "メール", "Mail"),
                    choice("storage", "ストレージ", "Storage"),
                    choice("sns", "SNS・掲示板", "Social media"),
                    choice("ai", "生成AI", "Generative AI"),
                    choice("chat", "チャット・会議", "Chat and meetings"),
                    choice("business", "業務", "Business"),
                    choice("other", "その他", "Other"),
                ]),
            )
            .aliases(&["分類", "カテゴリ"]),
            Field::new(
                "service",
                t("クラウドサービス", "Cloud service"),
                FieldType::Reference("cloud_service"),
            )
            .aliases(&["クラウドサービス"]),
            text("tenant_header", t("テナント制限ヘッダ", "Tenant header"))
                .aliases(&["テナント制限"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_destination",
        table: Table::Asset,
        title: t("接続先", "Destination"),
        help: t(
            "台帳に載せると決めた接続先です（すべてのログではありません）。",
            "A destination someone promoted into the register; not every line of the log.",
        ),
        fields: &[
            text("domain", t("登録ドメイン", "Registrable domain")).required().aliases(&[
                "ドメイン",
                "サイト",
                "URL",
            ]),
            Field::new(
                "standing",
                t("扱い", "Standing"),
                FieldType::Enum(&[
                    choice("allowed", "許可", "Allowed"),
                    choice("forbidden", "禁止", "Forbidden"),
                    choice("malicious", "悪性", "Malicious"),
                    choice("undecided", "未判定", "Undecided"),
                ]),
            )
            .required()
            .aliases(&["扱い", "判定", "可否"]),
            Field::new("first_seen", t("初めて見た日", "First seen"), FieldType::Date)
                .aliases(&["初回確認日"]),
            text("category", t("カテゴリ", "Category")).aliases(&["カテゴリ"]),
            Field::new(
                "app",
                t("アプリケーション", "Application"),
                FieldType::Reference("web_app"),
            ),
            Field::new("reason", t("理由", "Reason"), FieldType::Multiline)
                .aliases(&["理由", "備考"]),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "web_access",
        table: Table::Rule,
        title: t("アクセスルール", "Access rule"),
        help: t(
            "誰が、どこから、いつ、何を見るときに、どう扱うかを決めます。上から順に最初に当たったものが効きます。",
            "Who, from where, when, to what: what happens. The first rule that matches decides.",
        ),
        fields: &[
            count("order", t("順番", "Order")).required().aliases(&["順番", "No", "優先順位"]),
            list("audience", t("対象者（利用者・グループ・端末タグ）", "Audience"))
                .aliases(&["対象者", "グループ"]),
            list("sources", t("利用元（アドレス範囲・拠点・出口）", "From"))
                .aliases(&["利用元", "送信元"]),
            text("window", t("時間帯（カレンダー名）", "Window (calendar)")).aliases(&["時間帯"]),
            list("targets", t("対象（リスト・カテゴリ・評価帯・アプリ・URL・語句）", "Targets"))
                .required()
                .aliases(&["対象", "宛先", "URL"]),
            Field::new("action", t("扱い", "Action"), ACTION)
                .required()
                .aliases(&["動作", "処理", "可否"]),
            list("obligations", t("あわせて行うこと（復号・検査など）", "Obligations")),
            Field::new("fail_mode", t("検査できないとき", "When it cannot check"), FAIL_MODE),
            flag("enforce", t("実際に止める（記録だけなら否）", "Enforce, not only observe")),
        ],
        groups: &[
            Group::new(
                t("誰が、いつ", "Who and when"),
                &["order", "audience", "sources", "window"],
            ),
            Group::new(
                t("何を、どうする", "What and how"),
                &["targets", "action", "obligations", "fail_mode", "enforce"],
            ),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_list",
        table: Table::Rule,
        title: t("許可・拒否リスト", "Allow or deny list"),
        help: t(
            "リストの中身と、どの入手先から作るかを決めます。",
            "What is on a list and from which sources it is built.",
        ),
        fields: &[
            Field::new(
                "side",
                t("区分", "Side"),
                FieldType::Enum(&[
                    choice("allow", "許可", "Allow"),
                    choice("deny", "拒否", "Deny"),
                ]),
            )
            .required()
            .aliases(&["区分", "許可/拒否"]),
            list("sources", t("入手先", "Sources")).aliases(&["入手先"]),
            list("entries", t("手で加えた行", "Own entries")).aliases(&[
                "URL",
                "ドメイン",
                "エントリ",
            ]),
            Field::new("reviewed_on", t("見直し日", "Reviewed on"), FieldType::Date)
                .aliases(&["見直し日", "レビュー日"]),
            flag("mandatory", t("解除に二人の署名が要る", "Two signers to lift")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_rating",
        table: Table::Rule,
        title: t("レイティングの閾値", "Rating threshold"),
        help: t(
            "グループごとに、評価点の帯をどう扱うかを決めます。未評価の扱いも必ず決めます。",
            "What each band of the score means for a group; the unrated band must be decided too.",
        ),
        fields: &[
            list("audience", t("対象者", "Audience")).aliases(&["対象者", "グループ"]),
            Field::new(
                "source",
                t("評価の入手先", "Rating source"),
                FieldType::Reference("web_source"),
            ),
            Field::new("bands", t("帯と扱い", "Bands and actions"), FieldType::Object).required(),
            Field::new("unrated", t("未評価の扱い", "Unrated"), ACTION)
                .required()
                .aliases(&["未評価の扱い"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_category_map",
        table: Table::Rule,
        title: t("カテゴリの対応表", "Category map"),
        help: t(
            "提供者ごとのカテゴリを、自社の分類と扱いに読み替えます。",
            "Maps a provider's categories to the own taxonomy and to actions.",
        ),
        fields: &[
            Field::new("source", t("入手先", "Source"), FieldType::Reference("web_source"))
                .required(),
            Field::new("map", t("対応", "Map"), FieldType::Object).required(),
            Field::new(
                "actions",
                t("カテゴリごとの扱い", "Action per category"),
                FieldType::Object,
            )
            .required(),
            Field::new("unrated", t("分類なしの扱い", "Uncategorised"), ACTION).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_app_control",
        table: Table::Rule,
        title: t("アプリケーション制御", "Application control"),
        help: t(
            "アプリケーションの操作ごとに扱いを決めます。",
            "What happens to each action within an application.",
        ),
        fields: &[
            Field::new(
                "app",
                t("アプリケーション", "Application"),
                FieldType::Reference("web_app"),
            )
            .required(),
            list("actions", t("操作", "Actions")).required().aliases(&["操作"]),
            Field::new("action", t("扱い", "Action"), ACTION).required().aliases(&["動作"]),
            list("tenants", t("許すテナント", "Tenants allowed")).aliases(&["許可テナント"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_tls",
        table: Table::Rule,
        title: t("TLS検査", "TLS inspection"),
        help: t(
            "どの通信を復号し、どれを復号しないかを決めます。復号しない宛先には署名した例外が要ります。",
            "What is decrypted and what is not; a destination left alone needs a signed exemption.",
        ),
        fields: &[
            list("targets", t("対象", "Targets")).required().aliases(&["対象", "宛先"]),
            flag("decrypt", t("復号する", "Decrypt")).required(),
            Field::new("reason", t("理由", "Reason"), FieldType::Multiline).aliases(&["理由"]),
            Field::new("expires", t("期限", "Expires"), FieldType::Date)
                .aliases(&["期限", "有効期限"]),
            flag("learned", t("接続失敗から学んだ", "Learned from failures")),
        ],
        rules: &[Rule::RequiredIf { field: "reason", when: "decrypt", is: &["false"] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_scan",
        table: Table::Rule,
        title: t("ダウンロード検査", "Download scan"),
        help: t(
            "ウイルス対策・サンドボックスに何を渡し、判定できないときどうするかを決めます。",
            "What goes to antivirus and sandbox, and what happens when there is no verdict.",
        ),
        fields: &[
            list("types", t("対象の種類", "File types")).aliases(&["ファイル種別", "拡張子"]),
            number("bytes_max", t("大きさの上限", "Size limit"), "B").aliases(&["サイズ上限"]),
            flag("antivirus", t("ウイルス対策", "Antivirus")),
            flag("sandbox", t("サンドボックス", "Sandbox")),
            Field::new("not_inspected", t("検査できないもの", "What was not inspected"), ACTION)
                .required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_dns",
        table: Table::Rule,
        title: t("DNSでの制御", "DNS control"),
        help: t(
            "名前解決の段で止める対象と、止めたときの答え方を決めます。",
            "What is stopped when a name is resolved, and how the answer looks.",
        ),
        fields: &[
            list("targets", t("対象", "Targets")).required().aliases(&["対象", "ドメイン"]),
            Field::new(
                "answer",
                t("答え方", "Answer"),
                FieldType::Enum(&[
                    choice("nxdomain", "存在しないと答える", "NXDOMAIN"),
                    choice("page", "案内ページへ", "Address of the block page"),
                ]),
            )
            .required(),
            list("upstreams", t("上位のDNS", "Upstreams")).aliases(&["フォワーダ"]),
            flag("safe_search", t("セーフサーチを強制", "Force safe search")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_isolation",
        table: Table::Rule,
        title: t("ウェブ分離", "Isolation"),
        help: t(
            "分離して開く対象と、分離の中で許すことを決めます。",
            "What opens remotely, and what is permitted in there.",
        ),
        fields: &[
            list("targets", t("対象", "Targets")).required().aliases(&["対象"]),
            flag("clipboard", t("クリップボード", "Clipboard")),
            flag("download", t("ダウンロード", "Download")),
            flag("upload", t("アップロード", "Upload")),
            flag("print", t("印刷", "Print")),
            number("session_min_max", t("最長時間", "Longest session"), "min"),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_calendar",
        table: Table::Rule,
        title: t("時間帯", "Calendar"),
        help: t(
            "ルールで使う時間帯です。祝日も扱います。",
            "Windows of time that rules use; knows Japanese holidays.",
        ),
        fields: &[
            text("zone", t("時間帯の地域", "Time zone")).required(),
            list("windows", t("時間", "Windows")).required().aliases(&["時間", "時間帯"]),
            flag("holidays", t("日本の祝日を休みとする", "Japanese holidays are days off"))
                .aliases(&["祝日"]),
            list("extra_days", t("会社の休日", "Company holidays")).aliases(&["会社休日"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_pac",
        table: Table::Rule,
        title: t("プロキシ自動設定", "Proxy auto-configuration"),
        help: t(
            "端末へ配るプロキシ設定です。黙って直接接続に落ちないようにします。",
            "The proxy settings given to devices; never falls back to a direct connection in silence.",
        ),
        fields: &[
            list("edges", t("出口（使う順）", "Edges, in order")).required(),
            list("direct", t("直接つなぐ宛先", "Direct destinations"))
                .aliases(&["除外", "直接接続"]),
            list("networks", t("対象ネットワーク", "Networks")).aliases(&["対象ネットワーク"]),
            flag("roaming", t("社外の端末にも使う", "For roaming devices")),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const OTHERS: &[KindSpec] = &[
    KindSpec {
        id: "web_policy_approval",
        table: Table::Decision,
        title: t("フィルタ方針の承認", "Approval of the filter policy"),
        help: t(
            "方針の文面とルール一式のハッシュに対する承認です。どちらかを変えると承認は無効になります。",
            "Approves the hash of policy text and rules together; changing either voids it.",
        ),
        fields: &[
            Field::new("text_hash", t("文面のハッシュ", "Hash of the text"), FieldType::Hash)
                .required(),
            Field::new(
                "rules_root",
                t("ルール一式のハッシュ", "Root of the rules"),
                FieldType::Hash,
            )
            .required(),
            flag("notice_given", t("従業員へ周知済み", "Employees were told")),
            Field::new("replay", t("過去30日での試し", "Replay of 30 days"), FieldType::Object),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_exception",
        table: Table::Decision,
        title: t("閲覧の例外", "Access exception"),
        help: t(
            "申請に応じて、範囲と期限を切って許すものです。",
            "Lets something through on request, for a named range and time.",
        ),
        fields: &[
            list("targets", t("対象（URL・ホスト・サイト）", "Targets"))
                .required()
                .aliases(&["対象", "URL"]),
            list("audience", t("対象者", "Audience")).personal().aliases(&["対象者", "申請者"]),
            Field::new("reason", t("理由", "Reason"), FieldType::Multiline)
                .required()
                .aliases(&["理由", "申請理由"]),
            Field::new("expires", t("期限", "Expires"), FieldType::Date)
                .required()
                .aliases(&["期限", "有効期限"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "web_tls_exemption",
        table: Table::Decision,
        title: t("復号しない宛先の決定", "TLS exemption"),
        help: t(
            "復号の対象外とすることを、理由と期限を付けて決めたものです。",
            "Decides that a destination is not decrypted, with a reason and an expiry.",
        ),
        fields: &[
            list("targets", t("対象", "Targets")).required(),
            Field::new("reason", t("理由", "Reason"), FieldType::Multiline).required(),
            Field::new("expires", t("期限", "Expires"), FieldType::Date).required(),
            permille("share", t("通信に占める割合", "Share of requests")),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "web_filtering.policy_in_force",
        writer: Writer::Ume,
        title: t("施行中の方針の照合", "Policy in force compared"),
        fields: &[
            edge(),
            Field::new("root", t("出口が使うハッシュ", "Root at the edge"), FieldType::Hash),
            Field::new("approved_root", t("承認されたハッシュ", "Root approved"), FieldType::Hash),
            flag("root_matches", t("一致", "They agree")).required(),
            number("approval_age_days", t("承認からの日数", "Age of the approval"), "d").required(),
            number("lag_ms", t("適用の遅れ", "Lag"), "ms"),
            count("sequence", t("通し番号", "Sequence")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.source_refreshed",
        writer: Writer::Anyone,
        title: t("リストの更新", "Source refreshed"),
        fields: &[
            text("etag", t("ETag", "ETag")),
            number("bytes", t("大きさ", "Size"), "B"),
            count("added", t("追加", "Added")),
            count("removed", t("削除", "Removed")),
            count("rejected", t("取り込めなかった行", "Rejected")),
            Field::new("sha256", t("ハッシュ", "Hash"), FieldType::Hash),
            text("held_reason", t("保留の理由", "Why it was held")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.list_state",
        writer: Writer::Ume,
        title: t("リストの手入れの状態", "State of a list"),
        fields: &[
            number("refreshed_age_h", t("最後の更新から", "Since the last refresh"), "h"),
            number("reviewed_age_days", t("最後の見直しから", "Since the last review"), "d"),
            count("entries", t("行数", "Entries")).required(),
            count("own_entries", t("手で加えた行", "Own entries")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.probe",
        writer: Writer::Anyone,
        title: t("試験通信", "Probe"),
        fields: &[
            edge(),
            Field::new(
                "kind",
                t("種類", "Kind"),
                FieldType::Enum(&[
                    choice("deny", "拒否リスト", "Deny list"),
                    choice("allow", "許可リスト", "Allow list"),
                    choice("indicator", "侵害指標", "Indicator"),
                    choice("bad_certificate", "不正な証明書", "Bad certificate"),
                    choice("eicar", "EICAR", "EICAR"),
                    choice("action", "アプリの操作", "Action in an application"),
                ]),
            )
            .required(),
            Field::new("expected", t("期待", "Expected"), PROBE_RESULT).required(),
            Field::new("got", t("結果", "Got"), PROBE_RESULT).required(),
            number("elapsed_ms", t("所要時間", "Elapsed"), "ms"),
        ],
    },
    RecordSpec {
        // Written by the centre for every registered edge, also for one that is silent, so that a
        // dead edge stays in the denominator.
        ty: "web_filtering.edge_day",
        writer: Writer::Anyone,
        title: t("出口の一日", "An edge's day"),
        fields: &[
            edge(),
            Field::new("day", t("日", "Day"), FieldType::Date).required(),
            number("hours_due", t("稼働すべき時間", "Hours due"), "h").required(),
            number(
                "hours_proven",
                t(
                    "拒否・許可の試験が期待どおりで、受けた要求をすべて判定した時間",
                    "Hours in which deny and allow probes ended as expected and all accepted requests were decided",
                ),
                "h",
            )
            .required(),
            count("accepted", t("受けた要求", "Accepted")),
            count("decided", t("判定した要求", "Decided")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.device_seen",
        writer: Writer::Anyone,
        title: t("端末の確認", "Device seen"),
        fields: &[
            flag("at_edge", t("出口で見た", "Seen at an edge")).required(),
            flag("dns_only", t("DNSだけで見た", "Seen by DNS only")),
            list("seen_by", t("見た情報源", "Seen by")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.coverage",
        writer: Writer::Anyone,
        title: t("出口の網羅", "Coverage of an edge"),
        fields: &[
            edge(),
            count("hosts", t("端末", "Hosts")),
            count("identified", t("利用者が分かった要求", "Identified")),
            count("classified", t("分類できた閲覧", "Classified")),
            count("unrated", t("未評価の閲覧", "Unrated")),
            count("tls_eligible", t("復号の対象", "TLS eligible")),
            count("tls_decrypted", t("復号した数", "TLS decrypted")),
            Field::new("tls_exempt", t("例外ごとの数", "Exempt per rule"), FieldType::Object),
        ],
    },
    RecordSpec {
        ty: "web_filtering.rating_state",
        writer: Writer::Anyone,
        title: t("評価・カテゴリの状態", "State of rating and categories"),
        fields: &[
            scope(),
            count("navigations", t("閲覧", "Navigations")).required(),
            permille("classified_permille", t("分類できた割合", "Classified")),
            flag("third_party", t("第三者の評価を使う", "Third-party source")),
            number("source_age_h", t("入手先の古さ", "Age of the source"), "h"),
            count("categories_undecided", t("扱いのないカテゴリ", "Categories without action")),
            count("bands_undecided", t("扱いのない帯", "Bands without action")),
            flag("unrated_decided", t("未評価の扱いが決まっている", "Unrated is decided")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.control_state",
        writer: Writer::Anyone,
        title: t("制御の細かさ", "How fine the control is"),
        fields: &[
            scope(),
            count("requests", t("要求", "Requests")).required(),
            permille("identified_permille", t("利用者が分かった割合", "Identified")),
            count("groups_differing", t("扱いの違うグループ", "Groups that differ")),
            count("conditioned_rules", t("時間帯・利用元を使うルール", "Rules by time or source")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.toil_state",
        writer: Writer::Anyone,
        title: t("手間", "Toil"),
        fields: &[
            scope(),
            count("blocks", t("遮断", "Blocks")).required(),
            permille("self_refreshing_permille", t("自動更新の入手先による割合", "By self-refreshing sources")),
            count("edits_per_1000_users", t("利用者千人あたりの手直し", "Edits per 1,000 users")),
            count("edits_before", t("前の期間の手直し", "Edits in the period before")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.request_answered",
        writer: Writer::Anyone,
        title: t("申請への回答", "Request answered"),
        fields: &[
            Field::new(
                "outcome",
                t("結果", "Outcome"),
                FieldType::Enum(&[
                    choice("approved", "承認", "Approved"),
                    choice("refused", "却下", "Refused"),
                    choice("overdue", "期限までに回答なし", "No answer in time"),
                ]),
            )
            .required(),
            number("answered_min", t("回答まで", "Answered after"), "min"),
            number("due_min", t("期限", "Due after"), "min").required(),
        ],
    },
    RecordSpec {
        ty: "web_filtering.requests_state",
        writer: Writer::Ume,
        title: t("申請の状況", "State of requests"),
        fields: &[
            scope(),
            count("requests", t("期限が来た申請", "Requests due")).required(),
            permille("in_time_permille", t("期限内の割合", "In time")),
            count("expired_applied", t("効き続けた期限切れの例外", "Expired exceptions applied")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.indicator_day",
        writer: Writer::Ume,
        title: t("侵害指標の一日", "Indicators at an edge, one day"),
        fields: &[
            edge(),
            flag("set_published", t("脅威インテリジェンスが指標集を出している", "A set is published"))
                .required(),
            count("probes", t("試験の数", "Probes")).required(),
            count("missed", t("通ってしまった数", "Missed")).required(),
            number("p95_ms", t("適用まで（95パーセンタイル）", "Until enforced, p95"), "ms"),
        ],
    },
    RecordSpec {
        ty: "web_filtering.tls_state",
        writer: Writer::Anyone,
        title: t("TLS検査の状態", "State of TLS inspection"),
        fields: &[
            scope(),
            count("eligible", t("対象の要求", "Eligible requests")).required(),
            permille("decrypted_permille", t("復号した割合", "Decrypted")),
            count("exemptions_undecided", t("決定のない例外", "Exemptions without decision")),
            count("bad_certificate_probes", t("不正な証明書の試験", "Bad-certificate probes")),
            count("bad_certificate_accepted", t("そのうち通ったもの", "Of these accepted")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.scan_summary",
        writer: Writer::Anyone,
        title: t("ウイルス検査のまとめ", "Scan summary"),
        fields: &[
            scope(),
            count("objects", t("検査対象", "Scannable objects")).required(),
            number("bytes", t("大きさ", "Size"), "B"),
            count("clean", t("問題なし", "Clean")),
            count("malicious", t("有害", "Malicious")),
            Field::new("not_inspected", t("検査できなかった理由と数", "Not inspected, per reason"), FieldType::Object),
            permille("verdict_permille", t("判定できた割合", "With a verdict")),
            number("signature_age_h", t("定義ファイルの古さ", "Age of the signatures"), "h"),
            flag("eicar_plain_blocked", t("EICAR（そのまま）を遮断", "EICAR blocked, plain")),
            flag("eicar_zip_blocked", t("EICAR（zip）を遮断", "EICAR blocked, zipped")),
            flag("eicar_gzip_blocked", t("EICAR（gzip）を遮断", "EICAR blocked, gzip")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.detonation",
        writer: Writer::Anyone,
        title: t("サンドボックスの判定", "Detonation"),
        fields: &[
            Field::new("subject_hash", t("対象のハッシュ", "Hash of the object"), FieldType::Hash)
                .required(),
            list("limits", t("見ていない範囲", "Limits")),
            list("behaviours", t("ふるまい", "Behaviours")),
            Field::new(
                "verdict",
                t("判定", "Verdict"),
                FieldType::Enum(&[
                    choice("clean", "問題なし", "Clean"),
                    choice("suspicious", "疑わしい", "Suspicious"),
                    choice("malicious", "有害", "Malicious"),
                    choice("not_inspected", "検査できず", "Not inspected"),
                ]),
            )
            .required(),
            number("seconds", t("判定まで", "Seconds"), "s"),
        ],
    },
    RecordSpec {
        ty: "web_filtering.sandbox_state",
        writer: Writer::Anyone,
        title: t("サンドボックスの状態", "State of the sandbox"),
        fields: &[
            scope(),
            count("submissions", t("提出", "Submissions")).required(),
            permille("judged_in_10_min_permille", t("10分以内に判定した割合", "Judged within 10 minutes")),
            count("sample_days_missed", t("有害見本を見つけられなかった日", "Days the hostile sample was missed")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.upload_state",
        writer: Writer::Anyone,
        title: t("アップロード検査の状態", "State of upload inspection"),
        fields: &[
            scope(),
            count("uploads", t("アップロードの要求", "Upload requests")).required(),
            permille("inspected_permille", t("検査した割合", "Inspected")),
            count("action_probes", t("操作の試験", "Action probes")),
            count("action_probes_passed", t("遮断されなかった試験", "Action probes not blocked")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.isolation_session",
        writer: Writer::Anyone,
        title: t("分離の一回分", "Isolation session"),
        fields: &[
            number("seconds", t("時間", "Duration"), "s"),
            number("bytes", t("大きさ", "Size"), "B"),
            count("files", t("ファイル", "Files")),
            flag("destroyed", t("破棄した", "Destroyed")).required(),
        ],
    },
    RecordSpec {
        ty: "web_filtering.isolation_state",
        writer: Writer::Anyone,
        title: t("分離の状態", "State of isolation"),
        fields: &[
            scope(),
            count(
                "navigations",
                t("未評価・初見・紛らわしい宛先の閲覧", "Navigations to unrated, first-seen and look-alike sites"),
            )
            .required(),
            permille("covered_permille", t("分離または遮断した割合", "Isolated or blocked")),
            count("sessions", t("分離の回数", "Sessions")),
            count("undestroyed", t("破棄の記録がない回数", "Sessions without a destroy record")),
        ],
    },
    RecordSpec {
        ty: "web_filtering.bypass_probe",
        writer: Writer::Anyone,
        title: t("迂回の試験", "Bypass probe"),
        fields: &[
            Field::new(
                "kind",
                t("経路", "Way"),
                FieldType::Enum(&[
                    choice("direct_http", "直接の80番", "Direct port 80"),
                    choice("direct_https", "直接の443番", "Direct port 443"),
                    choice("udp_443", "UDP 443（QUIC）", "UDP 443 (QUIC)"),
                    choice("foreign_dns", "外部のDNS", "Foreign DNS"),
                    choice("doh", "DNS over HTTPS", "DNS over HTTPS"),
                ]),
            )
            .required(),
            Field::new("got", t("結果", "Got"), PROBE_RESULT).required(),
            number("drill_age_days", t("停止訓練に合格してから", "Since the last outage drill passed"), "d"),
            number("elapsed_ms", t("所要時間", "Elapsed"), "ms"),
        ],
    },
    RecordSpec {
        ty: "web_filtering.outage_drill",
        writer: Writer::Anyone,
        title: t("停止訓練", "Outage drill"),
        fields: &[
            edge(),
            flag("passed", t("合格", "Passed")).required(),
            Field::new("got", t("止めたときの通信", "Traffic while down"), PROBE_RESULT),
            number("elapsed_ms", t("所要時間", "Elapsed"), "ms"),
        ],
    },
    RecordSpec {
        ty: "web_filtering.ca_event",
        writer: Writer::Anyone,
        title: t("認証局の出来事", "CA event"),
        fields: &[
            Field::new(
                "event",
                t("出来事", "Event"),
                FieldType::Enum(&[
                    choice("issued", "発行", "Issued"),
                    choice("rotated", "更新", "Rotated"),
                    choice("revoked", "失効", "Revoked"),
                ]),
            )
            .required(),
            Field::new("key_hash", t("公開鍵のハッシュ", "Hash of the public key"), FieldType::Hash),
            Field::new("expires", t("期限", "Expires"), FieldType::Date),
        ],
    },
    RecordSpec {
        ty: "web_filtering.destination_day",
        writer: Writer::Anyone,
        title: t("接続先の一日", "A destination's day"),
        fields: &[
            text("domain", t("登録ドメイン", "Registrable domain")).required(),
            Field::new("app", t("アプリケーション", "Application"), FieldType::Reference("web_app")),
            count("users", t("利用者の数", "Users")),
            number("bytes_up", t("上り", "Bytes up"), "B"),
            number("bytes_down", t("下り", "Bytes down"), "B"),
            Field::new("first_seen", t("初めて見た日", "First seen"), FieldType::Date),
            flag("sign_in_seen", t("ログインを見た", "Sign-in seen")),
        ],
    },
];
