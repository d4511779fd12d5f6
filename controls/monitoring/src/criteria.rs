//! What 梅, 竹 and 松 demand of monitoring.

use model::{
    Check, Cond, Criterion, Expr, Level, Mend, Op, Origin, PerSubject, Predicate, Producer,
    Subjects, Value, t,
};

const DAY: u32 = 24;
const WEEK: u32 = 168;
const MONTH: u32 = 720;
const QUARTER: u32 = 2160;

const ALL: u16 = 1000;

const fn needs(field: &'static str, op: Op) -> Cond {
    Cond { field, op }
}

const fn yes(field: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Bool(true)))
}

const fn no(field: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Bool(false)))
}

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "8.16/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "対象範囲のすべての資産に、いま動いている監視ソースがある。",
            "Every asset in scope has a live source; one that falls silent raises an alarm.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["host", "network_device", "database"], only: &[] },
            must: Predicate::Record {
                types: &["monitoring.source_status"],
                only: &[],
                must: &[no("silent")],
            },
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: Some(t(
            "監視ソフトのホスト一覧(稼働状態つき)を取り込む。",
            "Import the host list of your monitoring software, with its states.",
        )),
        producer: Producer::Exists("monitoring.status"),
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.16/ume-2",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "監視するログの種類ごとに、動いているソースか、署名した対象外の判断がある。",
            "Every class of source has a live source or a signed exclusion.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts {
                field: "source_class",
                parts: &[
                    "system",
                    "authentication",
                    "network",
                    "application",
                    "security_tool",
                    "resource",
                    "hardware",
                    "database",
                    "monitoring_software",
                    "backup",
                    "camera",
                    "change",
                ],
            },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["monitoring.source_status"],
                    only: &[],
                    must: &[no("silent")],
                },
                Predicate::Decision { kind: "exclusion" },
            ]),
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: Some(t(
            "監視対象の種類の一覧を、責任者が確認して申告する。",
            "The person responsible attests the list of classes that are watched.",
        )),
        producer: Producer::Exists("monitoring.status"),
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.16/ume-3",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "中以上のアラートが担当者に届き、期限内に確認されている。毎日の疎通確認も届いている。",
            "Alerts of medium and above arrive and are acknowledged in time; a canary arrives daily.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["monitoring.finding", "monitoring.canary_run"],
                only: &[needs("severity", Op::OneOf(&["medium", "high", "critical"]))],
                within_hours: MONTH,
            },
            must: Predicate::Record {
                types: &["monitoring.alert_handled"],
                only: &[],
                must: &[
                    needs("ack_min", Op::AtMostField("due_min")),
                    needs("canary_age_h", Op::AtMost(24)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: Some(t(
            "いま使っている監視ソフトのアラート履歴を取り込む。",
            "Import the alert history of the monitoring software in use.",
        )),
        producer: Producer::Exists("monitoring.canary"),
        minutes_per_miss: 15,
    },
    Criterion {
        id: "8.16/ume-4",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "拠点ごとに、定常状態を週に一度は確認し、署名している。",
            "The steady state of each site is reviewed and signed at least weekly.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["site"], only: &[] },
            must: Predicate::Record {
                types: &["monitoring.status_review"],
                only: &[],
                must: &[yes("signed"), needs("sources_seen", Op::AtLeast(1))],
            },
            at_least_permille: ALL,
            fresh_hours: WEEK,
        }),
        by_hand: Some(t(
            "確認会の議事録を添えて申告する。",
            "Attest with the minutes of the review meeting.",
        )),
        producer: Producer::Exists("/monitoring/review/status"),
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.16/take-1",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "定常データを絶えず取り続けている(14日以上の蓄積、取得率95%以上)。",
            "The steady state is always recorded: 14 days or more of baseline, 95 % of samples.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["metric_source", "log_source"], only: &[] },
            must: Predicate::Record {
                types: &["monitoring.baseline_status"],
                only: &[],
                must: &[
                    needs("baseline_days", Op::AtLeast(14)),
                    needs("samples_permille", Op::AtLeast(950)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: None,
        producer: Producer::Exists("monitoring.steady"),
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.16/take-2",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "異常とインシデントをGAP分析で調べ、2営業日以内に対処を判断している。",
            "Anomalies and incidents get a GAP analysis and a decision within two working days.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["monitoring.finding"],
                only: &[needs("class", Op::OneOf(&["anomaly", "incident"]))],
                within_hours: QUARTER,
            },
            must: Predicate::Record {
                types: &["monitoring.gap_analysis"],
                only: &[],
                must: &[
                    needs("verdict", Op::NotEmpty),
                    needs("decision_working_days", Op::AtMost(2)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::Exists("/monitoring/gap"),
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.16/take-3",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "ホスト・データベース・回線ごとに、定常時と高負荷時の差を分析している。高負荷の時間帯がない場合は、14日分以上の計測値からそう判断している。",
            "For hosts, databases and links, steady and high load are compared; that there is no high load is concluded from 14 days of values at least.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["host", "database", "network_device"], only: &[] },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["monitoring.load_profile"],
                    only: &[],
                    must: &[
                        needs("steady_samples", Op::AtLeast(1)),
                        needs("high_samples", Op::AtLeast(1)),
                        needs("steady_permille", Op::AtMostField("high_permille")),
                    ],
                },
                Predicate::Record {
                    types: &["monitoring.load_profile"],
                    only: &[],
                    must: &[
                        needs("steady_samples", Op::AtLeast(1)),
                        needs("has_high_load", Op::Eq(Value::Bool(false))),
                        needs("days", Op::AtLeast(14)),
                    ],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::Exists("monitoring.steady"),
        minutes_per_miss: 20,
    },
    Criterion {
        id: "8.16/take-4",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "受信・保存・評価の件数が合い、消失は0.1%以下、評価待ちは10分未満である。",
            "Received, stored and evaluated add up; at most 0.1 % lost, none waits 10 minutes.",
        ),
        // Every status of the day is a subject, so it does not matter whether a status is about
        // the source or about the host it belongs to.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["monitoring.source_status"],
                only: &[],
                within_hours: DAY,
            },
            must: Predicate::Attributes(&[
                needs("stored", Op::AtMostField("received")),
                needs("refused_total", Op::AtMostField("received")),
                needs("evaluated", Op::AtMostField("stored")),
                needs("pending", Op::AtMostField("stored")),
                needs("lost_permille", Op::AtMost(1)),
                needs("lag_max_ms", Op::AtMost(599_999)),
            ]),
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: None,
        producer: Producer::Exists("monitoring.status"),
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.16/take-5",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "原因調査はインシデントごと、問題発見は毎週、予防は毎月、期日までにレビューしている。",
            "Reviews are held on time: investigation per incident, discovery weekly, prevention monthly.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["monitoring.review_due"],
                only: &[],
                within_hours: MONTH,
            },
            must: Predicate::All(&[
                Predicate::Attributes(&[needs("purposes_scheduled", Op::AtLeast(3))]),
                Predicate::Record {
                    types: &[
                        "monitoring.review_investigation",
                        "monitoring.review_discovery",
                        "monitoring.review_prevention",
                    ],
                    only: &[],
                    must: &[yes("signed"), needs("late_h", Op::AtMost(0))],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::Exists("monitoring.reviews"),
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.16/matsu-1",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "セキュリティログの傾向分析が、学習期間を終えて動いている。",
            "Trends of every class of security log are watched by a detector past its cold start.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts {
                field: "security_class",
                parts: &[
                    "login_failure",
                    "antivirus",
                    "ids",
                    "web_block",
                    "firewall_deny",
                    "dlp",
                    "admin_action",
                ],
            },
            must: Predicate::Record {
                types: &["monitoring.trend_status"],
                only: &[],
                must: &[no("cold_start")],
            },
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: None,
        producer: Producer::Exists("monitoring.trends"),
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.16/matsu-2",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "有効な検知ルールの9割以上で、判断に必要な項目が実際に届いている。",
            "At least 90 % of the enabled rules can fire: the fields they need do arrive.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["monitoring.rule_coverage"],
                only: &[yes("enabled"), yes("source_present")],
                within_hours: MONTH,
            },
            must: Predicate::Attributes(&[needs("fields_missing", Op::AtMost(0))]),
            at_least_permille: 900,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::Exists("monitoring.coverage"),
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.16/matsu-3",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "検知までの時間を演習4回以上とインシデントで測り、9割が15分以内である。",
            "Detection time, measured on incidents and at least four exercises, has a p90 of 15 minutes.",
        ),
        // One summary of the window, because a percentile and a minimum count must hold together.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "scope", parts: &["organisation"] },
            must: Predicate::Record {
                types: &["monitoring.detection_time"],
                only: &[],
                must: &[needs("p90_s", Op::AtMost(900)), needs("exercises", Op::AtLeast(4))],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::Exists("monitoring.detection_time"),
        minutes_per_miss: 120,
    },
    Criterion {
        id: "8.16/matsu-4",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "新しいルールや脅威の指標を、有効化から24時間以内に保管ログの99%以上と照合している。",
            "New rules and indicator sets are hunted within 24 hours over 99 % of the kept segments.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["monitoring.rule_activated"],
                only: &[],
                within_hours: QUARTER,
            },
            must: Predicate::Record {
                types: &["monitoring.hunt_run"],
                only: &[],
                must: &[
                    needs("delay_min", Op::AtMost(1440)),
                    needs("covered_permille", Op::AtLeast(990)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::Exists("hunts"),
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.16/matsu-5",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "誤検知と判断した件数が、拠点ごとの許容件数に収まっている。",
            "False alarms of each site, as judged by people, stay within its budget.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["site"], only: &[] },
            must: Predicate::Record {
                types: &["monitoring.false_alarms"],
                only: &[],
                must: &[
                    needs("days", Op::AtLeast(30)),
                    needs("judged_false", Op::AtMostField("budget_total")),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::Exists("monitoring.false_alarms"),
        minutes_per_miss: 60,
    },
];

pub(crate) const MENDS: &[Mend] = &[
    Mend {
        criterion: "8.16/ume-1",
        text: t(
            "「発生源 › 追加」で対象の機器を選び、表示された設定を機器に入れてください。",
            "Choose the machine under Sources › Add and put the configuration shown onto it.",
        ),
    },
    Mend {
        criterion: "8.16/ume-2",
        text: t(
            "欠けている種類の発生源を追加するか、対象外とする理由に署名してください。",
            "Add a source of the missing class, or sign why it is excluded.",
        ),
    },
    Mend {
        criterion: "8.16/ume-3",
        text: t(
            "未確認のアラートを開いて判断を記し、疎通確認が届かないときは通知ルールを直してください。",
            "Open the alerts nobody has seen and judge them; if the canary fails, mend the notification rule.",
        ),
    },
    Mend {
        criterion: "8.16/ume-4",
        text: t(
            "状態一覧を見て、拠点の「定常状態の確認」に署名してください。",
            "Look through the status board and sign the status review of the site.",
        ),
    },
    Mend {
        criterion: "8.16/take-1",
        text: t(
            "取得率の低い系列の取得先と間隔を直し、14日分がたまるのを待ってください。",
            "Mend target and interval of the series that lack samples, then let 14 days pass.",
        ),
    },
    Mend {
        criterion: "8.16/take-2",
        text: t(
            "検知の画面で「GAP分析」を行い、判断と理由を記してください。",
            "Run the GAP analysis from the finding and write down the decision with its reason.",
        ),
    },
    Mend {
        criterion: "8.16/take-3",
        text: t(
            "対象に計測値の発生源を結び、負荷の特性を算出してください。",
            "Tie a metric source to the asset and have its load profile computed.",
        ),
    },
    Mend {
        criterion: "8.16/take-4",
        text: t(
            "発生源の画面で消失の原因を確かめ、UDPからTCP・RELPへの切替えなどを行ってください。",
            "See on the source's page where events are lost, and move it from UDP to TCP or RELP, say.",
        ),
    },
    Mend {
        criterion: "8.16/take-5",
        text: t(
            "期日を過ぎたレビューを開き、欄を確かめて署名してください。",
            "Open the overdue review, go through its panels and sign it.",
        ),
    },
    Mend {
        criterion: "8.16/matsu-1",
        text: t(
            "欠けている種類のログを取り込み、傾向監視ルールを有効にしてください。",
            "Take in the missing class of log and enable a trend rule for it.",
        ),
    },
    Mend {
        criterion: "8.16/matsu-2",
        text: t(
            "届かない項目を送るよう発生源の設定を直すか、そのルールを無効にしてください。",
            "Have the source send the missing fields, or disable the rule that needs them.",
        ),
    },
    Mend {
        criterion: "8.16/matsu-3",
        text: t(
            "検知演習を4回以上予定し、遅かった事象のルールと取得間隔を見直してください。",
            "Schedule at least four exercises, and review rules and intervals of what was found late.",
        ),
    },
    Mend {
        criterion: "8.16/matsu-4",
        text: t(
            "照合の画面で止まっているものを再開し、欠けた区間を戻してください。",
            "Resume the hunts that stand still and bring missing segments back.",
        ),
    },
    Mend {
        criterion: "8.16/matsu-5",
        text: t(
            "誤検知の多いルールを調整するか、期限つきの除外を承認してください。",
            "Tune the rules that raise most false alarms, or approve a filter with an end date.",
        ),
    },
];

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("8.16/ume-1"),
        Expr::One("8.16/ume-2"),
        Expr::One("8.16/ume-3"),
        Expr::One("8.16/ume-4"),
    ]),
    Expr::All(&[
        Expr::One("8.16/take-1"),
        Expr::One("8.16/take-2"),
        Expr::One("8.16/take-3"),
        Expr::One("8.16/take-4"),
        Expr::One("8.16/take-5"),
    ]),
    Expr::All(&[
        Expr::One("8.16/matsu-1"),
        Expr::One("8.16/matsu-2"),
        Expr::One("8.16/matsu-3"),
        Expr::One("8.16/matsu-4"),
        Expr::One("8.16/matsu-5"),
    ]),
];
