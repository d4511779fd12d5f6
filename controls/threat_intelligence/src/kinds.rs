//! Asset, rule, norm and decision kinds and record types of threat intelligence.

mod process;

use model::{
    Choice, Closed, Field, FieldType, Group, Guard, KindSpec, RecordSpec, Rule, Table, Text,
    Writer, t,
};

const COUNT_MAX: i64 = 1_000_000_000_000;

const fn count(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "", min: 0, max: COUNT_MAX })
}

const fn minutes(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "min", min: 0, max: COUNT_MAX })
}

const fn days(name: &'static str, label: Text) -> Field {
    Field::new(name, label, FieldType::Number { unit: "d", min: 0, max: 36_500 })
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

const TLP: FieldType = FieldType::Enum(&[
    choice("clear", "TLP:CLEAR（制限なし）", "TLP:CLEAR"),
    choice("green", "TLP:GREEN（コミュニティ内）", "TLP:GREEN"),
    choice("amber", "TLP:AMBER（自組織と関係者）", "TLP:AMBER"),
    choice("amber_strict", "TLP:AMBER+STRICT（自組織のみ）", "TLP:AMBER+STRICT"),
    choice("red", "TLP:RED（名指しされた人のみ）", "TLP:RED"),
]);

/// Whom an item is closed to by its marking: RED to all but the named, AMBER+STRICT to who looks from outside.
const MARKED: Guard = Guard {
    field: "tlp",
    order: &["clear", "green", "amber", "amber_strict", "red"],
    loosened_by: "marking_downgrade",
    closes: &[("amber_strict", Closed::Outside), ("red", Closed::Unnamed)],
    named: "named",
};

const VERDICT: FieldType = FieldType::Enum(&[
    choice("discard", "対象外", "Discard"),
    choice("watch", "様子見", "Watch"),
    choice("act", "対応", "Act"),
    choice("brief", "幹部へ報告", "Brief"),
]);

const FORMAT: FieldType = FieldType::Enum(&[
    choice("hand", "手入力・メール", "By hand or mail"),
    choice("taxii", "TAXII 2.1", "TAXII 2.1"),
    choice("misp", "MISP", "MISP"),
    choice("stix", "STIX ファイル", "STIX file"),
    choice("csv", "CSV", "CSV"),
    choice("list", "一覧（1行に1件）", "List, one value a line"),
    choice("rss", "RSS・Atom", "RSS or Atom"),
    choice("jvn", "JVN（MyJVN）", "JVN (MyJVN)"),
    choice("kev", "KEV", "KEV"),
    choice("epss", "EPSS", "EPSS"),
    choice("advisory", "勧告文書（CSAF・OSVなど）", "Advisory documents (CSAF, OSV and others)"),
]);

const ROWS_USE: FieldType = FieldType::Enum(&[
    choice("inbox", "受信箱で判定する", "Judged in the inbox"),
    choice("alert", "すぐに検知に使う（遮断しない）", "Met at once, never blocked"),
    choice("enforce", "すぐに検知と遮断に使う", "Met at once, may be blocked"),
]);

const VALUE_KIND: FieldType = FieldType::Enum(&[
    choice("ip", "IPアドレス・ネットワーク", "Addresses and networks"),
    choice("domain", "ドメイン", "Domains"),
    choice("url", "URL", "URLs"),
    choice("email", "メールアドレス", "Mail addresses"),
    choice("md5", "MD5", "MD5"),
    choice("sha1", "SHA-1", "SHA-1"),
    choice("sha256", "SHA-256", "SHA-256"),
    choice("file_name", "ファイル名", "File names"),
]);

const ENCODING: FieldType = FieldType::Enum(&[
    choice("utf-8", "UTF-8", "UTF-8"),
    choice("cp932", "Shift_JIS（CP932）", "Shift_JIS (CP932)"),
    choice("euc-jp", "EUC-JP", "EUC-JP"),
]);
/// Until version 2 the audience stood in free words. What is none of today's is taken for the widest: it gets the least.
fn audience_in_words(attributes: &mut serde_json::Map<String, serde_json::Value>) {
    let words = ["organisation", "group", "clients", "community", "public"];
    let known = attributes.get("audience").and_then(serde_json::Value::as_str);
    if !known.is_some_and(|word| words.contains(&word)) {
        attributes.insert("audience".to_owned(), "public".into());
    }
}

const AUDIENCE: FieldType = FieldType::Enum(&[
    choice("it", "IT部門", "IT"),
    choice("executive", "幹部", "Executives"),
    choice("csirt", "CSIRT", "CSIRT"),
    choice("staff", "従業員", "Staff"),
    choice("public_relations", "広報", "Public relations"),
]);

const HORIZON: FieldType = FieldType::Enum(&[
    choice("short_term", "短期（すぐに）", "Short term (at once)"),
    choice("long_term", "中長期（レビューで）", "Mid and long term (in review)"),
]);

const TRIGGER: FieldType = FieldType::Enum(&[
    choice("own_sighting", "自組織での目撃", "Seen in our own logs"),
    choice("vulnerability", "悪用される脆弱性", "Exploited vulnerability"),
    choice("names_us", "当組織の名指し", "Notice naming us"),
    choice("supplier_attacked", "取引先の被害", "Supplier attacked"),
    choice("fake_site", "偽サイト", "Fake site"),
    choice("actor_in_sector", "同業を狙う攻撃主体", "Actor active in our sector"),
    choice("new_method", "10大脅威の新しい手口", "New among IPA's ten"),
    choice("own_trend", "自組織での増加", "Trend of our own"),
]);

const SEVERITY: FieldType = FieldType::Enum(&[
    choice("low", "低", "Low"),
    choice("medium", "中", "Medium"),
    choice("high", "高", "High"),
    choice("critical", "緊急", "Critical"),
]);

pub(crate) const KINDS: &[KindSpec] = &[
    KindSpec {
        id: "intel_source",
        table: Table::Asset,
        title: t("脅威情報の入手先", "Intelligence source"),
        help: t(
            "通知・フィード・会員組織など、脅威情報が届く経路です。",
            "A way by which intelligence arrives: notices, feeds, communities.",
        ),
        known_as: &["情報源一覧", "脅威情報源"],
        fields: &[
            flag("active", t("使用中", "In use")).required().aliases(&["使用中", "利用", "有効"]),
            Field::new("format", t("形式", "Format"), FORMAT).required().aliases(&[
                "形式",
                "方式",
                "フォーマット",
            ]),
            text("url", t("取得先アドレス", "Address")).aliases(&[
                "URL",
                "取得先",
                "アドレス",
                "ホームページ",
            ]),
            text("publisher", t("提供元", "Publisher")).aliases(&[
                "提供元",
                "発行元",
                "提供組織",
                "情報源",
            ]),
            minutes("interval_min", t("届くはずの間隔", "Expected interval"))
                .required()
                .aliases(&["間隔", "頻度", "取得間隔（分）"]),
            Field::new(
                "reliability",
                t("信頼性", "Reliability"),
                FieldType::Enum(&[
                    choice("a", "A 完全に信頼できる", "A completely reliable"),
                    choice("b", "B おおむね信頼できる", "B usually reliable"),
                    choice("c", "C かなり信頼できる", "C fairly reliable"),
                    choice("d", "D あまり信頼できない", "D not usually reliable"),
                    choice("e", "E 信頼できない", "E unreliable"),
                    choice("f", "F 判断できない", "F cannot be judged"),
                ]),
            )
            .aliases(&["信頼性", "信頼度"]),
            Field::new("tlp_default", t("表示がないときのTLP", "TLP when unmarked"), TLP)
                .aliases(&["TLP", "取扱区分"]),
            Field::new("rows_use", t("値の使い方", "Use of its values"), ROWS_USE)
                .aliases(&["使い方", "利用方法"]),
            Field::new(
                "use_reason",
                t("そう使う理由", "Why they are used so"),
                FieldType::Multiline,
            )
            .aliases(&["利用の理由"]),
            Field::new("value_kind", t("値の種類", "Kind of values"), VALUE_KIND)
                .aliases(&["値の種類"]),
            Field::new(
                "columns",
                t("列の割り当て（列=役割）", "Columns (column=role)"),
                FieldType::List,
            )
            .aliases(&["列"]),
            Field::new("encoding", t("文字コード", "Encoding"), ENCODING).aliases(&["文字コード"]),
            text("collection", t("コレクション（TAXII）", "Collection (TAXII)"))
                .aliases(&["コレクション"]),
            Field::new("contract_end", t("契約・会員の期限", "Contract end"), FieldType::Date)
                .aliases(&["契約期限", "会員期限"]),
            Field::new("note", t("備考", "Note"), FieldType::Multiline).aliases(&["備考", "メモ"]),
            Field::new(
                "channel",
                t("共有チャネル", "Sharing channel"),
                FieldType::Reference("sharing_channel"),
            ),
        ],
        groups: &[
            Group::new(
                t("取得", "How it arrives"),
                &[
                    "active",
                    "format",
                    "url",
                    "interval_min",
                    "publisher",
                    "collection",
                    "value_kind",
                    "columns",
                    "encoding",
                    "channel",
                ],
            ),
            Group::new(
                t("扱い", "Handling"),
                &["rows_use", "use_reason", "reliability", "tlp_default", "contract_end", "note"],
            ),
        ],
        rules: &[
            Rule::RequiredIf { field: "url", when: "format", is: &["taxii", "misp", "rss"] },
            // A standing verdict has its reason.
            Rule::RequiredIf { field: "use_reason", when: "rows_use", is: &["alert", "enforce"] },
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "intel_item",
        table: Table::Asset,
        title: t("脅威情報", "Intelligence item"),
        help: t(
            "届いた情報1件です。攻撃側の情報と被害側の情報を分けて持ちます。",
            "One item of intelligence; its attack part and its victim part are kept apart.",
        ),
        known_as: &["脅威情報一覧", "脅威情報台帳"],
        fields: &[
            Field::new("source", t("入手先", "Source"), FieldType::Reference("intel_source"))
                .required()
                .aliases(&["入手先", "情報源"]),
            Field::new("received", t("受領日", "Received on"), FieldType::Date)
                .required()
                .aliases(&["受領日", "受信日", "入手日", "日付"]),
            Field::new(
                "field",
                t("分野", "Field"),
                FieldType::Enum(&[
                    choice("human", "人的", "Human"),
                    choice("organisational", "組織的", "Organisational"),
                    choice("physical", "物理的", "Physical"),
                    choice("technical", "技術的", "Technical"),
                ]),
            )
            .required()
            .aliases(&["分野", "区分"]),
            Field::new("tlp", t("TLP", "TLP"), TLP).required().aliases(&["TLP", "取扱区分"]),
            Field::new(
                "named",
                t("名指しされた人（ログイン名）", "Named persons (log-in names)"),
                FieldType::List,
            )
            .personal()
            .aliases(&["名指しされた人", "開示先"]),
            Field::new("verdict", t("判定", "Verdict"), VERDICT).aliases(&["判定", "要否"]),
            flag("urgent", t("緊急", "Urgent")).aliases(&["緊急", "至急"]),
            Field::new(
                "credibility",
                t("確度", "Credibility"),
                FieldType::Number { unit: "", min: 1, max: 6 },
            )
            .aliases(&["確度", "情報の確度"]),
            Field::new("attack_method", t("攻撃手法", "Method"), FieldType::Multiline)
                .aliases(&["攻撃手法", "手口"]),
            Field::new("identification", t("識別方法", "How to identify"), FieldType::Multiline)
                .aliases(&["識別方法", "検知方法", "見分け方"]),
            Field::new("impact", t("影響", "Impact"), FieldType::Multiline).aliases(&[
                "影響",
                "想定される影響",
                "影響範囲",
            ]),
            Field::new("advice", t("助言", "Advice"), FieldType::Multiline).aliases(&[
                "助言",
                "対策",
                "推奨対応",
            ]),
            Field::new(
                "conditions",
                t("環境・条件", "Environment and conditions"),
                FieldType::Multiline,
            )
            .aliases(&["環境・条件", "対象環境", "前提条件"]),
            Field::new("attack_targets", t("攻撃対象", "Targets"), FieldType::List)
                .aliases(&["攻撃対象", "標的"]),
            Field::new(
                "indicators",
                t("侵害指標（IoC）", "Indicators of compromise"),
                FieldType::List,
            )
            .aliases(&["IoC", "通信先", "侵害指標"]),
            Field::new(
                "patterns",
                t(
                    "検知パターン（STIX・Sigma、---で区切る）",
                    "Patterns (STIX, Sigma; --- between)",
                ),
                FieldType::Multiline,
            )
            .aliases(&["検知パターン", "STIXパターン"]),
            Field::new("active_from", t("活動確認の始まり", "Active from"), FieldType::Date)
                .aliases(&["活動開始", "期間開始"]),
            Field::new("active_to", t("活動確認の終わり", "Active to"), FieldType::Date)
                .aliases(&["活動終了", "期間終了"]),
            text("victim_organisation", t("被害組織名", "Victim organisation"))
                .personal()
                .aliases(&["組織名", "被害組織"]),
            text("victim_sector", t("被害組織の業種・規模", "Victim's sector and size"))
                .aliases(&["業種／規模", "業種", "被害組織の業種"]),
            Field::new("victim_damage", t("被害内容", "Damage"), FieldType::Multiline)
                .personal()
                .aliases(&["被害内容"]),
            Field::new("timeline", t("タイムライン", "Timeline"), FieldType::Multiline)
                .aliases(&["タイムライン", "対応経過"]),
            Field::new("raw", t("原本", "Original"), FieldType::File).aliases(&["原本", "添付"]),
            text("internal_of", t("もとの検知・報告", "Finding or report it came of")),
            text("raw_encoding", t("原本の文字コード", "Encoding of the original")),
            text("link", t("公開ページ", "Published at")).aliases(&["URL", "リンク"]),
            text("origin_id", t("発行元の番号", "Publisher's id")),
            text("sender", t("送信者", "Sender")).personal().aliases(&["送信者", "差出人"]),
            Field::new("attachments", t("添付ファイル", "Attachments"), FieldType::List),
            text("language", t("言語", "Language")),
            count("updates", t("更新の回数", "Updates")),
            Field::new("vulnerabilities", t("脆弱性", "Vulnerabilities"), FieldType::List)
                .aliases(&["CVE", "脆弱性番号"]),
            Field::new("products", t("影響を受ける製品", "Affected products"), FieldType::List)
                .aliases(&["影響製品", "対象製品"]),
            Field::new("affected", t("該当する資産", "Affected assets"), FieldType::List),
            Field::new("group", t("まとまりの手がかり", "What it is grouped by"), FieldType::List),
            Field::new("hits", t("経営層へ上げる理由", "Reasons to escalate"), FieldType::List),
            Field::new(
                "reasons",
                t("当組織との関係", "What it has to do with us"),
                FieldType::List,
            ),
            Field::new(
                "indicator_rows",
                t("確認した指標（NDJSON）", "Confirmed indicators (NDJSON)"),
                FieldType::File,
            ),
            text("feed_group", t("フィードでの識別子", "Id within its feed")),
            Field::new(
                "channel",
                t("受領元の共有チャネル", "Channel it came by"),
                FieldType::Reference("sharing_channel"),
            ),
        ],
        groups: &[
            Group::new(
                t("入手", "Receipt"),
                &[
                    "source",
                    "channel",
                    "received",
                    "field",
                    "tlp",
                    "raw",
                    "raw_encoding",
                    "feed_group",
                    "link",
                    "origin_id",
                    "sender",
                    "attachments",
                    "language",
                    "updates",
                    "internal_of",
                    "named",
                ],
            ),
            Group::new(t("判断", "Judgement"), &["verdict", "urgent", "credibility", "advice"]),
            Group::new(
                t("関係", "Relevance"),
                &["hits", "reasons", "vulnerabilities", "products", "affected", "group"],
            ),
            Group::new(
                t("攻撃", "Attack"),
                &[
                    "attack_method",
                    "identification",
                    "impact",
                    "conditions",
                    "attack_targets",
                    "indicators",
                    "patterns",
                    "indicator_rows",
                    "active_from",
                    "active_to",
                ],
            ),
            Group::new(
                t("被害組織", "Victim"),
                &["victim_organisation", "victim_sector", "victim_damage", "timeline"],
            ),
        ],
        rules: &[
            Rule::NotBefore { start: "active_from", end: "active_to" },
            Rule::RequiredIf { field: "advice", when: "verdict", is: &["act"] },
        ],
        guard: Some(&MARKED),
        ..KindSpec::BASE
    },
    KindSpec {
        id: "threat_actor",
        table: Table::Asset,
        title: t("攻撃主体", "Threat actor"),
        help: t(
            "攻撃グループなどの動機・標的・手口です。",
            "Motive, targets and methods of a group of attackers.",
        ),
        fields: &[
            Field::new("aliases", t("別名", "Also known as"), FieldType::List)
                .aliases(&["別名", "呼称"]),
            text("motive", t("動機", "Motive")).aliases(&["動機", "目的"]),
            Field::new("target_sectors", t("狙う業種", "Target sectors"), FieldType::List)
                .aliases(&["標的", "標的業種", "狙う業種"]),
            Field::new("target_regions", t("狙う地域", "Target regions"), FieldType::List)
                .aliases(&["標的地域", "狙う地域"]),
            Field::new("methods", t("攻撃手法", "Methods"), FieldType::List).aliases(&[
                "攻撃手法",
                "手口",
                "TTP",
            ]),
            Field::new("last_seen", t("最終確認日", "Last seen"), FieldType::Date)
                .aliases(&["最終確認日", "最終確認"]),
            flag("aims_at_us", t("当組織を狙う", "Aims at us")).aliases(&["自組織を標的"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "vulnerability",
        table: Table::Asset,
        title: t("脆弱性", "Vulnerability"),
        help: t(
            "公表された脆弱性と、悪用の事実や見込みです。",
            "A published vulnerability with what is known of its exploitation.",
        ),
        known_as: &["脆弱性管理台帳", "脆弱性一覧", "脆弱性対応"],
        fields: &[
            text("cve", t("CVE番号", "CVE id")).aliases(&["CVE", "CVE番号", "CVE ID"]),
            text("jvndb", t("JVNDB番号", "JVNDB id")).aliases(&["JVNDB", "JVN番号", "JVN iPedia"]),
            Field::new("cvss2", t("CVSS v2（×10）", "CVSS v2 (×10)"), CVSS_TENTHS)
                .aliases(&["CVSSv2"]),
            Field::new("cvss3", t("CVSS v3（×10）", "CVSS v3 (×10)"), CVSS_TENTHS).aliases(&[
                "CVSSv3",
                "CVSS",
                "深刻度スコア",
            ]),
            Field::new("cvss4", t("CVSS v4（×10）", "CVSS v4 (×10)"), CVSS_TENTHS)
                .aliases(&["CVSSv4"]),
            text("cvss_vector", t("CVSSベクトル", "CVSS vector")).aliases(&["CVSSベクトル"]),
            flag("exploited", t("悪用を確認（KEV）", "Exploited (KEV)")).aliases(&[
                "KEV",
                "悪用確認",
                "悪用",
            ]),
            permille("epss_permille", t("悪用見込み（EPSS）", "Exploit probability (EPSS)"))
                .aliases(&["EPSS"]),
            Field::new("products", t("影響を受ける製品", "Affected products"), FieldType::List)
                .aliases(&["影響製品", "製品名", "対象製品"]),
            Field::new("published", t("公表日", "Published"), FieldType::Date)
                .aliases(&["公表日", "公開日"]),
            text("fix", t("対策", "Fix")).aliases(&["対策", "修正版", "修正バージョン"]),
            Field::new("affected", t("該当する資産", "Affected assets"), FieldType::List),
            flag("on_exposed", t("公開・重要な資産に該当", "On an exposed or important asset")),
        ],
        groups: &[
            Group::new(t("識別", "Identity"), &["cve", "jvndb", "products", "published"]),
            Group::new(
                t("深刻さ", "Severity"),
                &["cvss2", "cvss3", "cvss4", "cvss_vector", "exploited", "epss_permille"],
            ),
            Group::new(t("対処", "Remedy"), &["fix", "affected", "on_exposed"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "brand",
        table: Table::Asset,
        title: t("ブランド", "Brand"),
        help: t(
            "偽サイトやなりすましから守る名称とドメインです。",
            "A name and its domains, watched for fake sites and impersonation.",
        ),
        fields: &[
            Field::new("words", t("名称・表記", "Words"), FieldType::List).required().aliases(&[
                "名称",
                "ブランド名",
                "商標",
            ]),
            Field::new("domains", t("正規のドメイン", "Genuine domains"), FieldType::List)
                .required()
                .aliases(&["ドメイン", "正規ドメイン"]),
            Field::new("accounts", t("公式アカウント", "Official accounts"), FieldType::List)
                .aliases(&["公式アカウント", "SNS"]),
            text("takedown_contact", t("削除依頼先", "Takedown contact"))
                .aliases(&["削除依頼先", "通報先"]),
            flag("watched", t("監視中", "Watched")).aliases(&["監視", "監視中"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "sharing_channel",
        table: Table::Asset,
        title: t("共有チャネル", "Sharing channel"),
        help: t(
            "ISACや取引先など、脅威情報を渡し合う相手との経路です。",
            "A channel to a peer, such as an ISAC, to give and take intelligence.",
        ),
        fields: &[
            flag("active", t("使用中", "In use")).required().aliases(&["使用中", "有効"]),
            Field::new("peer", t("相手", "Peer"), FieldType::Party).aliases(&["相手先", "共有先"]),
            Field::new("contact", t("連絡先", "Contact"), FieldType::Party).aliases(&[
                "連絡先",
                "窓口",
                "担当者",
            ]),
            text("agreement", t("取り決め", "Agreement")).aliases(&[
                "取り決め",
                "契約書",
                "NDA",
                "規約",
            ]),
            Field::new("agreement_end", t("取り決めの期限", "Agreement ends"), FieldType::Date)
                .aliases(&["契約期限", "有効期限"]),
            Field::new("tlp_ceiling", t("渡せるTLPの上限", "TLP ceiling"), TLP)
                .aliases(&["TLP上限", "取扱上限"]),
            Field::new(
                "protocol",
                t("方式", "Protocol"),
                FieldType::Enum(&[
                    choice("taxii", "TAXII 2.1", "TAXII 2.1"),
                    choice("misp", "MISP", "MISP"),
                    choice("mail", "メール", "Mail"),
                    choice("portal", "会員サイト", "Member portal"),
                ]),
            )
            .required()
            .aliases(&["方式", "共有方法"]),
            text("address", t("接続先", "Address")).aliases(&["接続先", "URL", "メールアドレス"]),
        ],
        rules: &[Rule::RequiredIf { field: "agreement_end", when: "agreement", is: &[] }],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "org_profile",
        table: Table::Asset,
        title: t("組織の特徴", "Organisation profile"),
        help: t(
            "届いた情報が自組織に関係するかを判断する材料です。",
            "What decides whether an item concerns the organisation.",
        ),
        fields: &[
            text("sector", t("業種", "Sector")).required().aliases(&["業種"]),
            count("employees", t("従業員数", "Employees")).aliases(&["従業員数", "社員数", "規模"]),
            Field::new("regions", t("活動地域", "Regions"), FieldType::List).aliases(&[
                "地域",
                "所在地",
                "活動地域",
            ]),
            Field::new("exposed_services", t("公開サービス", "Exposed services"), FieldType::List)
                .aliases(&["公開サービス", "公開サーバー"]),
            Field::new("key_suppliers", t("重要な取引先", "Key suppliers"), FieldType::List)
                .aliases(&["取引先", "委託先", "重要な取引先"]),
            Field::new(
                "crown_jewels",
                t("狙われやすい情報", "Coveted information"),
                FieldType::List,
            )
            .aliases(&["重要情報", "機密情報"]),
        ],
        ..KindSpec::BASE
    },
];

/// CVSS scores in tenths, since facts and leaves hold no floats.
const CVSS_TENTHS: FieldType = FieldType::Number { unit: "1/10", min: 0, max: 100 };

pub(crate) const RULES: &[KindSpec] = &[
    KindSpec {
        id: "intel_source_rule",
        table: Table::Rule,
        title: t("取得ルール", "Fetch rule"),
        help: t(
            "入手先から何をどの間隔で取り、急な減少をどう扱うかを決めます。",
            "What is fetched from a source, how often, and when a sudden drop is held back.",
        ),
        fields: &[
            Field::new("source", t("入手先", "Source"), FieldType::Reference("intel_source"))
                .required(),
            minutes("interval_min", t("取得間隔", "Interval")).required(),
            permille("hold_on_drop_permille", t("保留する減少の割合", "Drop that is held")),
            count("bytes_max", t("最大サイズ（バイト）", "Largest size in bytes")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "intel_extraction",
        table: Table::Rule,
        title: t("抽出ルール", "Extraction rule"),
        help: t(
            "通知文から指標や期間を読み取る見出し語です。",
            "Labels by which indicators and periods are read out of a notice.",
        ),
        fields: &[
            Field::new("labels", t("見出し語", "Labels"), FieldType::List).required(),
            text("indicator_type", t("指標の種類", "Indicator type")).required(),
            text("direction", t("通信の向き", "Direction")),
            permille("confidence_permille", t("確からしさ", "Confidence")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "intel_escalation",
        table: Table::Rule,
        title: t("経営層へ上げる条件", "Escalation criterion"),
        help: t(
            "どの情報を、いつまでに経営層へ届けるかの条件です。承認して使います。",
            "Which items reach executives and by when; in use once approved.",
        ),
        fields: &[
            Field::new("horizon", t("短期・中長期", "Horizon"), HORIZON).required(),
            Field::new("trigger", t("判定", "Test"), TRIGGER).required().aliases(&["判定"]),
            Field::new("condition", t("条件", "Condition"), FieldType::Multiline)
                .required()
                .aliases(&["条件", "報告基準"]),
            Field::new("examples", t("例", "Examples"), FieldType::Multiline).aliases(&["例"]),
            Field::new(
                "due_hours",
                t("期限（短期は24時間まで）", "Due (short term: within 24 hours)"),
                FieldType::Number { unit: "h", min: 0, max: 8760 },
            )
            .required()
            .aliases(&["期限", "タイミング"]),
            Field::new("severity_min", t("重大度（以上）", "Severity at least"), SEVERITY),
            permille("epss_permille_min", t("悪用見込み（以上）", "EPSS at least")),
            count("times_min", t("件数（以上）", "Times at least")),
            days("window_days", t("数える期間", "Counted over")),
            Field::new(
                "rise_permille_min",
                t("前の期間に対する割合（以上）", "Against the time before, at least"),
                FieldType::Number { unit: "‰", min: 0, max: 100_000 },
            ),
        ],
        groups: &[
            Group::new(
                t("条件", "Criterion"),
                &["horizon", "trigger", "condition", "examples", "due_hours"],
            ),
            Group::new(
                t("しきい値", "Thresholds"),
                &[
                    "severity_min",
                    "epss_permille_min",
                    "times_min",
                    "window_days",
                    "rise_permille_min",
                ],
            ),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "intel_routing",
        table: Table::Rule,
        title: t("展開ルール", "Routing rule"),
        help: t(
            "情報の種類ごとに、誰に何を期待し、どの記録で完了とするかを決めます。",
            "Who is expected to do what with an input, and which record closes it.",
        ),
        fields: &[
            Field::new(
                "input",
                t("情報の種類", "Input"),
                FieldType::Enum(&[
                    choice("method", "攻撃手法", "Method"),
                    choice("vulnerability", "脆弱性", "Vulnerability"),
                    choice("indicator", "侵害指標（IoC）", "Indicator"),
                    choice("sector", "同業種の事例", "Case in our sector"),
                    choice("brand", "偽サイト・なりすまし", "Brand abuse"),
                    choice("actor", "攻撃主体", "Actor"),
                ]),
            )
            .required(),
            Field::new("audience", t("渡す先", "Audience"), AUDIENCE)
                .required()
                .aliases(&["対象者", "展開先"]),
            Field::new("expected", t("期待する行動", "Expected action"), FieldType::Multiline)
                .required()
                .aliases(&["期待する行動", "対応内容"]),
            text("closing_record", t("完了を示す記録", "Closing record")).required(),
            Field::new(
                "due_hours",
                t("期限", "Due"),
                FieldType::Number { unit: "h", min: 0, max: 8760 },
            ),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "indicator_decay",
        table: Table::Rule,
        title: t("指標の減衰", "Indicator decay"),
        help: t(
            "時間とともに指標の確からしさを下げ、使うのをやめる値を決めます。",
            "How an indicator loses weight with time and when it is no longer used.",
        ),
        fields: &[
            text("indicator_type", t("指標の種類", "Indicator type")).required(),
            days("lifetime_days", t("寿命", "Lifetime")).required(),
            permille("delta_permille", t("減り方（δ）", "Shape (δ)")),
            permille("threshold_permille", t("使うのをやめる値", "Threshold")).required(),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "indicator_exclusion",
        table: Table::Rule,
        title: t("指標の除外", "Indicator exclusion"),
        help: t(
            "誤検知などの指標を、理由と期限を付けて外します。",
            "Takes an indicator out, with a reason and an expiry.",
        ),
        fields: &[
            text("value", t("対象の値", "Value")).required().aliases(&["値", "除外対象"]),
            Field::new("reason", t("理由", "Reason"), FieldType::Multiline)
                .required()
                .aliases(&["理由"]),
            Field::new("expires", t("期限", "Expires"), FieldType::Date)
                .required()
                .aliases(&["期限", "有効期限"]),
            flag("own_asset", t("自組織の資産", "Own asset")),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "intel_outlet",
        table: Table::Rule,
        title: t("出口", "Outlet"),
        help: t(
            "指標や情報を外へ出す口と、そこに許すTLPの上限です。",
            "A way out for indicators and items, with the TLP ceiling it allows.",
        ),
        fields: &[
            Field::new(
                "form",
                t("形", "Form"),
                FieldType::Enum(&[
                    choice("taxii", "TAXII", "TAXII"),
                    choice("misp", "MISP", "MISP"),
                    choice("list", "一覧（1行に1件）", "List, a value a line"),
                    choice("csv", "CSV", "CSV"),
                    choice("rpz", "DNS RPZ（BIND）", "DNS RPZ (BIND)"),
                    choice("squid", "Squid", "Squid"),
                    choice("hsb", "ClamAV（.hsb）", "ClamAV (.hsb)"),
                    choice("mail", "メール", "Mail"),
                    choice("pdf", "PDF", "PDF"),
                    choice("search", "検索・API", "Search and API"),
                    choice("log", "ログ", "Log"),
                ]),
            )
            .required(),
            Field::new("tlp_ceiling", t("TLPの上限", "TLP ceiling"), TLP).required(),
            Field::new(
                "audience",
                t("見る人の範囲", "Audience"),
                FieldType::Enum(&[
                    choice("organisation", "自組織", "Own organisation"),
                    choice("group", "自組織と関連組織", "With group companies"),
                    choice("clients", "自組織と顧客・委託先", "With clients"),
                    choice("community", "コミュニティ", "Community"),
                    choice("public", "誰でも", "Everyone"),
                ]),
            )
            .required(),
            flag("token_required", t("トークン必須", "Token required")),
            Field::new(
                "direction",
                t("通信の向き", "Direction"),
                FieldType::Enum(&[
                    choice("destination", "内→外（宛先）", "Inside → outside (destinations)"),
                    choice("source", "外→内（送信元）", "Outside → inside (sources)"),
                    choice("both", "両方", "Both"),
                ]),
            ),
            Field::new(
                "kinds",
                t(
                    "出す種類（ip、domainなど。空欄はすべて）",
                    "Kinds (ip, domain, …; all if empty)",
                ),
                FieldType::List,
            ),
            text("zone", t("RPZのゾーン名", "Zone of the RPZ")),
        ],
        version: 2,
        upcasts: &[audience_in_words],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "intel_sharing",
        table: Table::Rule,
        title: t("共有ルール", "Sharing rule"),
        help: t(
            "どの部分をどのチャネルに渡してよいかを決めます。",
            "Which part may be given to which channel.",
        ),
        fields: &[
            Field::new(
                "channel",
                t("チャネル", "Channel"),
                FieldType::Reference("sharing_channel"),
            )
            .required(),
            Field::new(
                "part",
                t("渡す部分", "Part"),
                FieldType::Enum(&[
                    choice("attack", "攻撃側の情報のみ", "Attack part only"),
                    choice("whole", "全体", "Whole item"),
                ]),
            )
            .required(),
            Field::new("tlp_ceiling", t("TLPの上限", "TLP ceiling"), TLP).required(),
            flag("needs_approval", t("承認が必要", "Needs approval")),
        ],
        ..KindSpec::BASE
    },
    process::CSIRT_ROLE,
];

pub(crate) const OTHERS: &[KindSpec] = &[
    process::THREAT,
    process::MEASURE,
    KindSpec {
        id: "threat_measures",
        table: Table::Decision,
        title: t("脅威への対策の決定", "Decision on a threat's measures"),
        help: t(
            "10大脅威の一つに対して選んだ対策、または選ばない理由です。",
            "The measures chosen against one of the ten threats, or why none.",
        ),
        fields: &[
            Field::new("measures", t("選んだ対策", "Measures chosen"), FieldType::List)
                .aliases(&["対策", "選択した対策"]),
            Field::new("reason", t("理由", "Reason"), FieldType::Multiline)
                .required()
                .aliases(&["理由", "判断理由"]),
            text("exposure", t("自組織への影響", "Exposure")).aliases(&["影響", "該当有無"]),
            Field::new("rules", t("裏付ける検知ルール", "Rules that back them"), FieldType::List),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "executive_order",
        table: Table::Decision,
        title: t("経営層の指示", "Executive order"),
        help: t(
            "要約を受けて経営層が出した指示です。担当と期限を付けます。",
            "What executives ordered upon a brief, with owner and date.",
        ),
        fields: &[
            Field::new("order", t("指示内容", "Order"), FieldType::Multiline)
                .required()
                .aliases(&["指示", "指示内容"]),
            Field::new("assignee", t("担当", "Assignee"), FieldType::Party)
                .required()
                .aliases(&["担当", "担当者"]),
            Field::new("due", t("期限", "Due"), FieldType::Date).required().aliases(&["期限"]),
            Field::new("horizon", t("短期・中長期", "Horizon"), HORIZON),
            text("brief", t("もとにした要約", "Brief it was given upon")),
            text("task", t("タスク", "Task")),
            Field::new("risk", t("リスク", "Risk"), FieldType::Reference("risk")),
            text("signer", t("署名者", "Signer")),
            text("method", t("本人確認の方法", "How the signer was identified")),
        ],
        groups: &[
            Group::new(t("指示", "Order"), &["order", "assignee", "due", "horizon", "risk"]),
            Group::new(t("署名", "Signature"), &["brief", "task", "signer", "method"]),
        ],
        ..KindSpec::BASE
    },
    KindSpec {
        id: "marking_downgrade",
        table: Table::Decision,
        title: t("TLPの引き下げ", "Downgrade of a marking"),
        help: t(
            "発信元の了解を得てTLPを下げる決定です。",
            "The decision to lower a marking, with the originator's consent.",
        ),
        fields: &[
            Field::new("from", t("元のTLP", "From"), TLP).required(),
            Field::new("to", t("新しいTLP", "To"), TLP).required(),
            text("consent", t("発信元の了解", "Originator's consent")).required(),
        ],
        ..KindSpec::BASE
    },
];

pub(crate) const RECORDS: &[RecordSpec] = &[
    RecordSpec {
        ty: "threat_intelligence.intel_received",
        writer: Writer::Anyone,
        title: t("脅威情報の受領", "Intelligence received"),
        fields: &[
            count("items", t("件数", "Items")).required(),
            count("bytes", t("バイト数", "Bytes")),
            Field::new("refused", t("理由別の拒否数", "Refused by reason"), FieldType::Object),
            text("cursor", t("続きの位置", "Cursor")),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.source_watched",
        writer: Writer::Ume,
        title: t("入手先の見張り", "Source watched"),
        fields: &[
            minutes("silent_min", t("最後の受領からの時間", "Time since last received")).required(),
            minutes("limit_min", t("許容（間隔の2倍）", "Limit: two intervals")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.source_key_kept",
        writer: Writer::Ume,
        title: t("入手先の鍵の変更", "Key of a source changed"),
        fields: &[Field::new(
            "way",
            t("認証の方法", "Way"),
            FieldType::Enum(&[
                choice("none", "なし", "None"),
                choice("basic", "利用者名とパスワード", "User and password"),
                choice("header", "鍵", "Key"),
                choice("certificate", "クライアント証明書", "Client certificate"),
            ]),
        )
        .required()],
    },
    RecordSpec {
        ty: "threat_intelligence.feed_ruled",
        writer: Writer::Ume,
        title: t("保留した受領の判断", "Held delivery ruled on"),
        fields: &[
            Field::new(
                "ruling",
                t("判断", "Ruling"),
                FieldType::Enum(&[
                    choice("confirm", "受け入れる", "Confirm"),
                    choice("reject", "前の内容を残す", "Reject"),
                ]),
            )
            .required(),
            count("had", t("前の行数", "Rows before")).required(),
            count("have", t("届いた行数", "Rows that came")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.intel_triaged",
        writer: Writer::Anyone,
        title: t("脅威情報の判定", "Intelligence triaged"),
        fields: &[
            Field::new("item", t("脅威情報", "Item"), FieldType::Reference("intel_item")),
            Field::new(
                "origin",
                t("外部・内部", "Origin"),
                FieldType::Enum(&[
                    choice("external", "外部", "External"),
                    // It was judged, or missed, before: counted once.
                    choice("external_again", "外部（再判定）", "External, judged again"),
                    choice("internal", "内部", "Internal"),
                ]),
            )
            .required(),
            Field::new(
                "verdict",
                t("判定", "Verdict"),
                FieldType::Enum(&[
                    choice("discard", "対象外", "Discard"),
                    choice("watch", "様子見", "Watch"),
                    choice("act", "対応", "Act"),
                    choice("brief", "幹部へ報告", "Brief"),
                    choice("overdue", "期限までに判定なし", "No verdict in time"),
                ]),
            )
            .required(),
            Field::new("reasons", t("理由", "Reasons"), FieldType::List),
            Field::new("hits", t("経営層へ上げる理由", "Reasons to escalate"), FieldType::List),
            flag("urgent", t("緊急", "Urgent")).required(),
            minutes("delay_min", t("判定までの時間", "Time to verdict")).required(),
            minutes("limit_min", t("期限", "Limit")).required(),
            text("of", t("もとの検知・報告", "Finding or report it came of")),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.hits_found",
        writer: Writer::Ume,
        title: t("経営層へ上げる理由の発生", "Reason to escalate found"),
        fields: &[
            Field::new("item", t("脅威情報", "Item"), FieldType::Reference("intel_item"))
                .required(),
            Field::new("hits", t("経営層へ上げる理由", "Reasons to escalate"), FieldType::List)
                .required(),
            Field::new("assets", t("関係する資産", "Assets concerned"), FieldType::List).required(),
            Field::new("vulnerabilities", t("脆弱性", "Vulnerabilities"), FieldType::List),
            Field::new("tlp", t("TLP", "TLP"), TLP),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.takedown_requested",
        writer: Writer::Anyone,
        title: t("偽サイトの削除依頼", "Takedown requested"),
        fields: &[
            text("domain", t("ドメイン", "Domain")).required(),
            Field::new(
                "likeness",
                t("似ている理由", "Likeness"),
                FieldType::Enum(&[
                    choice("other_suffix", "同じ名前で別の末尾", "Same name, other suffix"),
                    choice("confusable", "見た目が同じ", "Looks the same"),
                    choice("typo", "文字違い", "Letters differ"),
                    choice("word", "名称を含む", "Holds the word"),
                ]),
            )
            .required(),
            text("word", t("ブランドの名称", "Word of the brand")),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.vulnerability_changed",
        writer: Writer::Ume,
        title: t("悪用状況の変化", "Exploitation changed"),
        fields: &[
            text("cve", t("CVE番号", "CVE id")).required(),
            flag("exploited", t("悪用を確認（KEV）", "Exploited (KEV)")).required(),
            permille("epss_permille", t("悪用見込み（EPSS）", "Exploit probability (EPSS)")),
            count("assets", t("該当する資産", "Affected assets")).required(),
            count("exposed_or_important", t("うち公開・重要", "Of these exposed or important"))
                .required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.set_published",
        writer: Writer::Ume,
        title: t("指標集の公開", "Indicator set published"),
        fields: &[
            Field::new("root", t("指標集のハッシュ", "Root"), FieldType::Hash).required(),
            count("added", t("追加", "Added")).required(),
            count("removed", t("削除", "Removed")).required(),
            count("expired", t("期限切れ", "Expired")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.validity_decided",
        writer: Writer::Anyone,
        title: t("指標の有効性の判断", "Validity decided"),
        fields: &[
            Field::new(
                "state",
                t("状態", "State"),
                FieldType::Enum(&[
                    choice("enforce", "遮断", "Enforce"),
                    choice("alert", "検知のみ", "Alert only"),
                    choice("excluded", "除外", "Excluded"),
                    choice("revoked", "取り消し", "Revoked"),
                    choice("expired", "期限切れ", "Expired"),
                ]),
            )
            .required(),
            text("step", t("決め手となった段階", "Deciding step")).required(),
            Field::new("expires", t("期限", "Expires"), FieldType::Time),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.edge_checked",
        writer: Writer::Ume,
        title: t("適用先の確認", "Edge checked"),
        fields: &[
            text("edge", t("適用先", "Edge")).required(),
            Field::new("root", t("読み込んだ指標集", "Root loaded"), FieldType::Hash),
            flag("root_current", t("最新である", "Root is current")).required(),
            count("invalid_enforced", t("無効なのに適用中の指標", "Invalid but enforced"))
                .required(),
            flag("canary_refused", t("試験用指標を遮断した", "Canary refused")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.action_closed",
        writer: Writer::Anyone,
        title: t("対応の完了", "Action closed"),
        fields: &[
            Field::new("item", t("脅威情報", "Item"), FieldType::Reference("intel_item")),
            Field::new("verdict", t("判定", "Verdict"), VERDICT).required(),
            Field::new("audience", t("対応した部署", "Audience"), AUDIENCE).required(),
            text("proof", t("完了を示す記録", "Closing record")).required(),
            text("input", t("何の情報か", "What it is about")),
            text("wanted", t("求めた記録", "Record that was asked for")),
            text("channel", t("受領元の共有チャネル", "Channel it came from")),
            minutes("delay_min", t("完了までの時間", "Time to close")),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.brief_issued",
        writer: Writer::Ume,
        title: t("要約の発行", "Brief issued"),
        fields: &[
            Field::new("horizon", t("短期・中長期", "Horizon"), HORIZON).required(),
            Field::new("criteria", t("該当した条件", "Criteria met"), FieldType::List),
            Field::new("pdf_hash", t("PDFのハッシュ", "PDF hash"), FieldType::Hash).required(),
            Field::new(
                "pdf_hash_en",
                t("英語版PDFのハッシュ", "Hash of the English PDF"),
                FieldType::Hash,
            ),
            Field::new("snapshot_hash", t("控えのハッシュ", "Snapshot hash"), FieldType::Hash),
            Field::new("tlp", t("TLP", "TLP"), TLP),
            Field::new("verdict", t("元の判定", "Verdict"), VERDICT),
            count("hits", t("該当数", "Hits")),
            count("left_out", t("記載しない情報（RED）", "Left out (RED)")),
            Field::new("covers_from", t("対象の始まり", "Covers from"), FieldType::Time),
            Field::new("covers_to", t("対象の終わり", "Covers to"), FieldType::Time),
            Field::new("review_on", t("対象のレビュー", "For the review on"), FieldType::Date),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.criterion_met",
        writer: Writer::Ume,
        title: t("経営層へ上げる条件の該当", "Criterion met"),
        fields: &[
            text("criterion", t("条件", "Criterion")).required(),
            Field::new("trigger", t("判定", "Test"), TRIGGER).required(),
            Field::new("horizon", t("短期・中長期", "Horizon"), HORIZON).required(),
            Field::new("key", t("該当の識別", "What tells it apart"), FieldType::Hash).required(),
            Field::new("due", t("期限", "Due"), FieldType::Time),
            Field::new("tlp", t("TLP", "TLP"), TLP).required(),
            count("exposed", t("公開中・重要な資産", "Exposed or important assets")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.brief_acknowledged",
        writer: Writer::Ume,
        title: t("要約の確認", "Brief acknowledged"),
        fields: &[
            Field::new(
                "audience",
                t("確認した人", "Audience"),
                FieldType::Enum(&[choice("executive", "幹部", "Executives")]),
            )
            .required(),
            Field::new("verdict", t("元の判定", "Verdict"), VERDICT).required(),
            text("proof", t("確認した要約", "Brief acknowledged")).required(),
            minutes("delay_min", t("確認までの時間", "Time to acknowledge")),
            Field::new("horizon", t("短期・中長期", "Horizon"), HORIZON),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.order_given",
        writer: Writer::Anyone,
        title: t("指示", "Order given"),
        fields: &[
            Field::new("due", t("期限", "Due"), FieldType::Date).required(),
            Field::new("horizon", t("短期・中長期", "Horizon"), HORIZON),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.order_closed",
        writer: Writer::Anyone,
        title: t("指示の完了", "Order closed"),
        fields: &[
            flag("in_time", t("期限内", "In time")).required(),
            text("proof", t("完了を示す記録", "Closing record")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.internal_reviewed",
        writer: Writer::Ume,
        title: t("内部情報の点検", "Internal intelligence reviewed"),
        // Nothing due is written as due 0 and 1000 ‰: somebody looked.
        fields: &[
            Field::new(
                "input",
                t("種類", "Input"),
                FieldType::Enum(&[
                    choice("incident", "インシデント", "Incidents"),
                    choice("finding", "重大度「高」以上の検知", "Findings of high severity"),
                    choice("employee_report", "従業員の報告", "Employee reports"),
                    choice("indicator_set", "新しい指標集の遡及調査", "Hunts for new sets"),
                ]),
            )
            .required(),
            count("due", t("対象", "Due")).required(),
            count("settled", t("済み", "Settled")).required(),
            permille("settled_permille", t("済みの割合", "Share settled")).required(),
            Field::new("open", t("残り", "Open"), FieldType::List),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.actions_reviewed",
        writer: Writer::Ume,
        title: t("依頼の点検", "Actions reviewed"),
        fields: &[
            Field::new(
                "scope",
                t("範囲", "Scope"),
                FieldType::Enum(&[choice("organisation", "組織全体", "Whole organisation")]),
            )
            .required(),
            count("due", t("期限の来た依頼", "Actions due")).required(),
            permille("in_time_permille", t("期限内の割合", "Share in time")).required(),
            count("overdue_undecided", t("判断のない期限超過", "Overdue without decision"))
                .required(),
            Field::new("late", t("遅れている依頼", "Late actions"), FieldType::List),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.executive_reviewed",
        writer: Writer::Ume,
        title: t("経営層への伝達の点検", "Executive input reviewed"),
        fields: &[
            Field::new(
                "strand",
                t("対象", "Strand"),
                FieldType::Enum(&[
                    choice("criteria", "上げる条件", "Criteria"),
                    choice("short_term", "短期の該当", "Short-term hits"),
                    choice("long_term", "中長期の要約", "Mid- and long-term brief"),
                    choice("orders", "指示", "Orders"),
                ]),
            )
            .required(),
            count("checked", t("点検数", "Checked")).required(),
            count("unapproved", t("未承認の条件", "Criteria not approved")),
            count("late", t("遅れて届いた該当", "Hits delivered late")),
            flag("in_last_review", t("直近のレビューに載った", "In the last review")),
            count("unowned", t("担当のない指示", "Orders without owner")),
            count("undated", t("期限のない指示", "Orders without date")),
            count("overdue", t("遅れている指示", "Orders overdue")),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.ten_threat_state",
        writer: Writer::Ume,
        title: t("10大脅威の対策の状態", "State of a threat's measures"),
        fields: &[
            days("edition_age_days", t("年版の経過日数", "Age of the edition")).required(),
            count("measures_chosen", t("選んだ対策", "Measures chosen")).required(),
            count("measures_backed", t("裏付けのある対策", "Measures backed")).required(),
        ],
    },
    process::DRILL,
    process::DRILL_ASKED,
    process::CARD_READ,
    process::ACTION_DECIDED,
    process::REPORT_ANSWERED,
    RecordSpec {
        ty: "threat_intelligence.channel_probed",
        writer: Writer::Ume,
        title: t("共有チャネルの疎通確認", "Channel probed"),
        fields: &[
            flag("passed", t("通った", "Passed")).required(),
            text("reason", t("理由", "Reason")),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.channel_token_made",
        writer: Writer::Ume,
        title: t("チャネルの鍵の作成", "Token of a channel made"),
        fields: &[text("channel", t("チャネル", "Channel")).required()],
    },
    RecordSpec {
        ty: "threat_intelligence.channel_token_ended",
        writer: Writer::Ume,
        title: t("チャネルの鍵の失効", "Token of a channel ended"),
        fields: &[text("channel", t("チャネル", "Channel")).required()],
    },
    RecordSpec {
        ty: "threat_intelligence.channel_login_changed",
        writer: Writer::Ume,
        title: t("相手側ログインの変更", "Login at a peer changed"),
        fields: &[text("channel", t("チャネル", "Channel")).required()],
    },
    RecordSpec {
        ty: "threat_intelligence.share_asked",
        writer: Writer::Ume,
        title: t("提供の承認依頼", "Approval of sharing asked for"),
        fields: &[
            text("channel", t("チャネル", "Channel")).required(),
            text("item", t("脅威情報", "Item")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.push_expired",
        writer: Writer::Ume,
        title: t("送信の打ち切り", "Sending given up"),
        fields: &[
            text("channel", t("チャネル", "Channel")).required(),
            text("item", t("脅威情報", "Item")).required(),
            count("tries", t("試行回数", "Tries")).required(),
            text("reason", t("理由", "Reason")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.shared",
        writer: Writer::Ume,
        title: t("情報の提供", "Shared"),
        fields: &[
            text("channel", t("チャネル", "Channel")).required(),
            text("object", t("情報の識別子", "Object")).required(),
            text("version", t("版", "Version")),
            Field::new("tlp", t("TLP", "TLP"), TLP).required(),
            Field::new(
                "redaction",
                t("伏せた範囲", "Redaction"),
                FieldType::Enum(&[
                    choice("none", "なし", "None"),
                    choice("victim_part", "被害側の情報", "Victim part"),
                ]),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.peer_accepted",
        writer: Writer::Ume,
        title: t("相手の受領", "Accepted by the peer"),
        fields: &[
            text("channel", t("チャネル", "Channel")).required(),
            text("object", t("情報の識別子", "Object")).required(),
            flag("own_object", t("自組織で作った情報", "Own object")).required(),
            Field::new(
                "proof",
                t("受領の証拠", "Proof"),
                FieldType::Enum(&[
                    choice("taxii_success", "TAXIIの成功応答", "TAXII success"),
                    choice("authenticated_get", "相手の認証済み取得", "Peer's authenticated GET"),
                    choice("misp_200", "MISPの成功応答", "MISP 200"),
                    choice("reply_token", "返信の合い言葉", "Reply token"),
                ]),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.sighting",
        writer: Writer::Anyone,
        title: t("目撃・意見", "Sighting or opinion"),
        fields: &[
            text("channel", t("チャネル", "Channel")),
            text("object", t("情報の識別子", "Object")).required(),
            Field::new(
                "direction",
                t("向き", "Direction"),
                FieldType::Enum(&[
                    choice("received", "受け取った", "Received"),
                    choice("sent", "送った", "Sent"),
                    choice("own", "自組織内", "Within our own"),
                ]),
            )
            .required(),
            Field::new(
                "about",
                t("対象", "About"),
                FieldType::Enum(&[
                    choice("ours", "自組織の情報", "Our object"),
                    choice("theirs", "相手の情報", "Their object"),
                ]),
            )
            .required(),
            Field::new(
                "form",
                t("種類", "Form"),
                FieldType::Enum(&[
                    choice("sighting", "目撃", "Sighting"),
                    choice("opinion", "意見", "Opinion"),
                ]),
            ),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.tlp_refused",
        writer: Writer::Ume,
        title: t("TLPによる拒否", "Refused by marking"),
        fields: &[
            text("outlet", t("出口", "Outlet")).required(),
            Field::new("tlp", t("TLP", "TLP"), TLP).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.outlet_token_changed",
        writer: Writer::Ume,
        title: t("出口の鍵の変更", "Token of an outlet changed"),
        fields: &[
            text("outlet", t("出口", "Outlet")).required(),
            Field::new(
                "change",
                t("変更", "Change"),
                FieldType::Enum(&[
                    choice("made", "作成", "Made"),
                    choice("revoked", "取り消し", "Revoked"),
                ]),
            )
            .required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.tlp_probed",
        writer: Writer::Ume,
        title: t("TLPの確認", "Markings probed"),
        fields: &[
            Field::new(
                "levels_probed",
                t("試したTLPの段階数", "TLP levels probed"),
                FieldType::Number { unit: "", min: 0, max: 5 },
            )
            .required(),
            count("leaks", t("範囲を超えた開示", "Disclosures beyond marking")).required(),
        ],
    },
    RecordSpec {
        ty: "threat_intelligence.marking_changed",
        writer: Writer::Ume,
        title: t("TLPの変更", "Marking changed"),
        fields: &[
            Field::new("from", t("元のTLP", "From"), TLP).required(),
            Field::new("to", t("新しいTLP", "To"), TLP).required(),
        ],
    },
];
