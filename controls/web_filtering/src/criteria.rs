//! What 梅, 竹 and 松 demand of web filtering.
//!
//! Shares over millions of requests are computed where the requests are, and arrive as one state
//! record of the whole organisation; checks hold its numbers against the bounds of the table.

use model::{
    Aggregate, Bound, Check, Cond, Criterion, Expr, Level, Measure, Mend, Op, Origin, PerSubject,
    Predicate, Producer, Subjects, Value, t,
};

const DAY_H: u32 = 24;
const WEEK_H: u32 = 168;
const MONTH_H: u32 = 720;
const TWO_MONTHS_H: u32 = 1440;
const QUARTER_H: u32 = 2160;

const ALL: u16 = 1000;
const EDGES: Subjects = Subjects::Assets { kinds: &["web_edge"], only: &[] };
const ORGANISATION: Subjects = Subjects::Parts { field: "scope", parts: &["organisation"] };

const fn needs(field: &'static str, op: Op) -> Cond {
    Cond { field, op }
}

const fn at_least(field: &'static str, bound: i64) -> Cond {
    needs(field, Op::AtLeast(bound))
}

const fn at_most(field: &'static str, bound: i64) -> Cond {
    needs(field, Op::AtMost(bound))
}

const fn none(field: &'static str) -> Cond {
    at_most(field, 0)
}

const fn yes(field: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Bool(true)))
}

const fn is(field: &'static str, value: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Text(value)))
}

/// A probe over a way round the filter got nowhere, and the filter's own outage was drilled.
const NOT_THROUGH: &[Cond] =
    &[needs("got", Op::OneOf(&["blocked", "refused", "failed"])), at_most("drill_age_days", 90)];

/// The newest probe over the way these conditions name.
const fn no_way(only: &'static [Cond]) -> Predicate {
    Predicate::Record { types: &["web_filtering.bypass_probe"], only, must: NOT_THROUGH }
}

const DIRECT_HTTP: &[Cond] = &[is("kind", "direct_http")];
const DIRECT_HTTPS: &[Cond] = &[is("kind", "direct_https")];
const UDP_443: &[Cond] = &[is("kind", "udp_443")];
const FOREIGN_DNS: &[Cond] = &[is("kind", "foreign_dns")];
const DOH: &[Cond] = &[is("kind", "doh")];

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("8.23/ume-1"),
        Expr::One("8.23/ume-2"),
        Expr::One("8.23/ume-3"),
        Expr::One("8.23/ume-4"),
    ]),
    Expr::All(&[
        Expr::One("8.23/take-1"),
        Expr::One("8.23/take-2"),
        Expr::One("8.23/take-3"),
        Expr::One("8.23/take-4"),
        Expr::One("8.23/take-5"),
    ]),
    // No way round, and either a secure web gateway with its four parts or isolation.
    Expr::All(&[
        Expr::One("8.23/matsu-6"),
        Expr::Any(&[
            Expr::All(&[
                Expr::One("8.23/matsu-1"),
                Expr::One("8.23/matsu-2"),
                Expr::One("8.23/matsu-3"),
                Expr::One("8.23/matsu-4"),
            ]),
            Expr::One("8.23/matsu-5"),
        ]),
    ]),
];

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "8.23/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "方針の文面とルール一式がこの1年以内に承認され、すべての出口がその承認された版を施行している",
            "Policy text and rules were approved within a year, and every edge enforces exactly the approved version",
        ),
        check: Check::PerSubject(PerSubject {
            of: EDGES,
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["house.rules_applied"],
                    only: &[is("kind", "web_policy")],
                    must: &[needs("root", Op::Present)],
                },
                Predicate::Record {
                    types: &["web_filtering.policy_in_force"],
                    only: &[],
                    must: &[yes("root_matches"), at_most("approval_age_days", 365)],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: DAY_H,
        }),
        by_hand: Some(t(
            "承認した方針を申告し、既存製品のポリシー設定の書き出しを取り込む",
            "Attest the approval and import the policy export of the gateway in use",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.23/ume-2",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "出口の稼働時間の95%以上で、拒否リストの試験通信が遮断され、許可リストの試験通信が通り、受けた要求をすべて判定している",
            "In at least 95 % of edge-hours the deny probe was blocked, the allow probe passed, and every accepted request was decided",
        ),
        check: Check::Aggregate(Aggregate {
            types: &["web_filtering.edge_day"],
            only: &[],
            within_hours: WEEK_H,
            measure: Measure::SumShare { part: "hours_proven", whole: "hours_due" },
            bound: Bound::AtLeast(950),
        }),
        by_hand: Some(t(
            "既存ゲートウェイの遮断ログを取り込むか、試験通信の結果を申告する",
            "Import the block log of the gateway in use, or attest a probe made by hand",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.23/ume-3",
        level: Level::Ume,
        origin: Origin::Ume,
        text: t(
            "業務で使う端末の90%以上がこの1週間に出口を通っており、通っていない端末の名前が分かる",
            "At least 90 % of the devices in office use went through an edge within the week, and those that did not have names",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets {
                kinds: &["host"],
                only: &[needs("type", Op::OneOf(&["pc", "mobile"]))],
            },
            must: Predicate::Record {
                types: &["web_filtering.device_seen"],
                only: &[],
                must: &[yes("at_edge")],
            },
            at_least_permille: 900,
            fresh_hours: WEEK_H,
        }),
        by_hand: Some(t(
            "ゲートウェイを通る端末の一覧を取り込む",
            "Import the list of devices that use the gateway",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 15,
    },
    Criterion {
        id: "8.23/ume-4",
        level: Level::Ume,
        origin: Origin::Ume,
        text: t(
            "購読するリストは7日以内に更新され、手で加えた行は180日以内に見直されている",
            "Subscribed lists were refreshed within 7 days, and entries added by hand were reviewed within 180 days",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["web_source"], only: &[] },
            must: Predicate::Any(&[
                Predicate::All(&[
                    Predicate::Attributes(&[is("origin", "subscription")]),
                    Predicate::Record {
                        types: &["web_filtering.list_state"],
                        only: &[],
                        must: &[at_most("refreshed_age_h", 168)],
                    },
                ]),
                Predicate::All(&[
                    Predicate::Attributes(&[is("origin", "local")]),
                    Predicate::Record {
                        types: &["web_filtering.list_state"],
                        only: &[],
                        must: &[at_most("reviewed_age_days", 180)],
                    },
                ]),
            ]),
            at_least_permille: ALL,
            fresh_hours: WEEK_H,
        }),
        by_hand: Some(t(
            "リストの見直しを行った日と結果を申告する",
            "Attest the review of the lists, with its date and outcome",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.23/take-1",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "48時間以内に更新された第三者のレイティングまたはカテゴリを使い、どのカテゴリ・評価帯・未評価にも扱いが決まっており、閲覧の90%以上を分類できている",
            "A third-party rating or category source no older than 48 hours is in force, each category, each band and the unrated have an action, and at least 90 % of navigations are classified",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.rating_state"],
                only: &[at_least("navigations", 1)],
                must: &[
                    yes("third_party"),
                    at_most("source_age_h", 48),
                    none("categories_undecided"),
                    none("bands_undecided"),
                    yes("unrated_decided"),
                    at_least("classified_permille", 900),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: WEEK_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 240,
    },
    Criterion {
        id: "8.23/take-2",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "扱いの違うグループが2つ以上あり、時間帯か利用元の条件を使い、要求の95%以上で利用者が分かる",
            "At least two groups are treated differently, a time or source condition is used, and at least 95 % of requests are identified",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.control_state"],
                only: &[at_least("requests", 1)],
                must: &[
                    at_least("groups_differing", 2),
                    at_least("conditioned_rules", 1),
                    at_least("identified_permille", 950),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 240,
    },
    Criterion {
        id: "8.23/take-3",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "遮断の90%以上が自動更新の入手先によるもので、利用者あたりの手直しが増えていない",
            "At least 90 % of blocks come from sources that refresh themselves, and edits per user are not rising",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.toil_state"],
                only: &[at_least("blocks", 1)],
                must: &[
                    at_least("self_refreshing_permille", 900),
                    needs("edits_per_1000_users", Op::AtMostField("edits_before")),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: TWO_MONTHS_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "8.23/take-4",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "90日間の申請の95%以上に期限内に回答し、期限の切れた例外が効き続けていない",
            "At least 95 % of the requests of 90 days were answered in time, and no expired exception is still applied",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.requests_state"],
                only: &[at_least("requests", 1)],
                must: &[at_least("in_time_permille", 950), none("expired_applied")],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 20,
    },
    Criterion {
        id: "8.23/take-5",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "脅威インテリジェンスが指標集を出している日は、どの出口でも試験用の侵害指標が遮断され、適用まで95パーセンタイルで1秒以内である",
            "On every day on which threat intelligence publishes a set, each edge refused the test indicator, enforced within one second at the 95th percentile",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["web_filtering.indicator_day"],
                only: &[yes("set_published")],
                within_hours: WEEK_H,
            },
            must: Predicate::Attributes(&[
                at_least("probes", 1),
                none("missed"),
                at_most("p95_ms", 1000),
            ]),
            at_least_permille: ALL,
            fresh_hours: WEEK_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.23/matsu-1",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "対象の要求の90%以上を復号して検査し、復号しない宛先はすべて決定に基づき、不正な証明書の試験はすべて拒否された",
            "At least 90 % of eligible requests are decrypted, every exemption is decided, and every bad-certificate probe was refused",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.tls_state"],
                only: &[at_least("eligible", 1)],
                must: &[
                    at_least("decrypted_permille", 900),
                    none("exemptions_undecided"),
                    at_least("bad_certificate_probes", 1),
                    none("bad_certificate_accepted"),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: WEEK_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 480,
    },
    Criterion {
        id: "8.23/matsu-2",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "検査できるファイルの99%以上に判定があり、定義ファイルは24時間以内のもので、EICARはそのままでも、zip・gzipでも遮断される",
            "At least 99 % of scannable objects have a verdict, signatures are no older than 24 hours, and EICAR is blocked plain, zipped and gzipped",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.scan_summary"],
                only: &[at_least("objects", 1)],
                must: &[
                    at_least("verdict_permille", 990),
                    at_most("signature_age_h", 24),
                    yes("eicar_plain_blocked"),
                    yes("eicar_zip_blocked"),
                    yes("eicar_gzip_blocked"),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 240,
    },
    Criterion {
        id: "8.23/matsu-3",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "サンドボックスに送ったものの95%以上を10分以内に判定し、毎日の有害見本を見つけている",
            "At least 95 % of submissions were judged within 10 minutes, and the daily hostile sample was found every day",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.sandbox_state"],
                only: &[at_least("submissions", 1)],
                must: &[at_least("judged_in_10_min_permille", 950), none("sample_days_missed")],
            },
            at_least_permille: ALL,
            fresh_hours: WEEK_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 480,
    },
    Criterion {
        id: "8.23/matsu-4",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "アップロードの要求の95%以上を検査し、アプリの操作の試験がすべて遮断される",
            "At least 95 % of upload requests are inspected, and every probe of a forbidden action is blocked",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.upload_state"],
                only: &[at_least("uploads", 1)],
                must: &[
                    at_least("inspected_permille", 950),
                    at_least("action_probes", 1),
                    none("action_probes_passed"),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: WEEK_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 480,
    },
    Criterion {
        id: "8.23/matsu-5",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "未評価・初見・紛らわしい宛先の閲覧の95%以上を分離または遮断し、分離のたびに破棄の記録がある",
            "At least 95 % of navigations to unrated, first-seen or look-alike sites are isolated or blocked, and every session has its destroy record",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["web_filtering.isolation_state"],
                only: &[at_least("navigations", 1)],
                must: &[at_least("covered_permille", 950), none("undestroyed")],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 960,
    },
    Criterion {
        id: "8.23/matsu-6",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "セグメントの90%以上で、直接の80・443番、UDP 443、外部のDNS、DoHのどれでも迂回できず、90日以内の停止訓練に合格している",
            "In at least 90 % of segments direct 80 and 443, UDP 443, foreign DNS and DoH all fail, and an outage drill was passed within 90 days",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["subnet"], only: &[] },
            must: Predicate::All(&[
                no_way(DIRECT_HTTP),
                no_way(DIRECT_HTTPS),
                no_way(UDP_443),
                no_way(FOREIGN_DNS),
                no_way(DOH),
            ]),
            at_least_permille: 900,
            fresh_hours: WEEK_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
];

pub(crate) const MENDS: &[Mend] = &[
    Mend {
        criterion: "8.23/ume-1",
        text: t(
            "部屋のページで方針とルールを承認し、版の違う出口を起動し直します。",
            "Approve policy and rules on the room's page, and restart the edges that hold another version.",
        ),
    },
    Mend {
        criterion: "8.23/ume-2",
        text: t(
            "出口の台帳で止まっている出口を確かめ、既存製品なら遮断ログを取り込みます。",
            "Look in the register of edges for one that stands still; for another maker's gateway import its block log.",
        ),
    },
    Mend {
        criterion: "8.23/ume-3",
        text: t(
            "名前の挙がった端末にプロキシまたはDNSの設定を配ります。",
            "Give the devices named here their proxy or DNS settings.",
        ),
    },
    Mend {
        criterion: "8.23/ume-4",
        text: t(
            "入手先の台帳で更新の止まったリストを直し、手で加えた行を見直して日付を残します。",
            "Repair the lists that stopped refreshing, and review own entries, in the register of list sources.",
        ),
    },
    Mend {
        criterion: "8.23/take-1",
        text: t(
            "評価またはカテゴリの入手先を購読し、未評価を含むすべての区分の扱いを決めます。",
            "Subscribe to a rating or category source and decide an action for every class, the unrated included.",
        ),
    },
    Mend {
        criterion: "8.23/take-2",
        text: t(
            "アクセスルールにグループと時間帯を加え、利用者の認証を設定します。",
            "Add groups and windows to the access rules, and set up how users are identified.",
        ),
    },
    Mend {
        criterion: "8.23/take-3",
        text: t(
            "手で増やしている行を、自動更新の入手先に置き換えます。",
            "Replace entries that are added by hand with a source that refreshes itself.",
        ),
    },
    Mend {
        criterion: "8.23/take-4",
        text: t(
            "待っている申請に回答し、期限の切れた例外を取り消します。",
            "Answer the requests that wait, and withdraw exceptions whose time is over.",
        ),
    },
    Mend {
        criterion: "8.23/take-5",
        text: t(
            "指標を受け取れていない出口の接続を直し、試験をもう一度走らせます。",
            "Reconnect the edges that do not receive indicators, and run the probe again.",
        ),
    },
    Mend {
        criterion: "8.23/matsu-1",
        text: t(
            "端末に認証局を配り、復号しない宛先を決定にするか復号に戻します。",
            "Give devices the CA, and either decide each exemption or decrypt it again.",
        ),
    },
    Mend {
        criterion: "8.23/matsu-2",
        text: t(
            "ウイルス対策の定義ファイルを更新し、EICARの試験で遮断を確かめます。",
            "Update the antivirus signatures and confirm with EICAR that it is blocked.",
        ),
    },
    Mend {
        criterion: "8.23/matsu-3",
        text: t(
            "サンドボックスの待ち行列を確かめ、見本を見逃した原因を直します。",
            "Look at the sandbox queue, and mend why the sample was missed.",
        ),
    },
    Mend {
        criterion: "8.23/matsu-4",
        text: t(
            "アプリケーション制御に操作を加え、アップロードの検査を有効にします。",
            "Add the action to application control and switch upload inspection on.",
        ),
    },
    Mend {
        criterion: "8.23/matsu-5",
        text: t(
            "未評価・初見の宛先を分離にするルールを作り、破棄されていない分離を終わらせます。",
            "Make a rule that isolates unrated and first-seen sites, and end sessions that were not destroyed.",
        ),
    },
    Mend {
        criterion: "8.23/matsu-6",
        text: t(
            "通り抜けたセグメントのファイアウォールで経路を閉じ、停止訓練を行います。",
            "Close the way at the firewall of the segment that let it through, and hold the outage drill.",
        ),
    },
];
