//! What 梅, 竹 and 松 demand of threat intelligence.
//!
//! Three rows need a word on their form. An item is judged once: `threat_intelligence.intel_triaged`
//! is written at the verdict, or with verdict `overdue` when the limit passes without one, so an
//! item nobody looked at fails by name. Rows that set two thresholds at once (竹-3, 竹-4, 竹-5) rest on
//! a review record per part, which names what is late. 松-3 and 松-4 ask for one channel, hence a
//! threshold of one permille.

use model::{
    Aggregate, Bound, Check, Cond, Criterion, Expr, Level, Measure, Mend, Op, Origin, PerSubject,
    Predicate, Producer, Subjects, Value, t,
};

const DAY_H: u32 = 24;
const WEEK_H: u32 = 168;
const QUARTER_H: u32 = 2160;
const HALF_YEAR_H: u32 = 4380;
const YEAR_H: u32 = 8760;

/// An edition of the ten threats older than 14 months (425 days) is last year's.
const EDITION_AGE_DAYS_MAX: i64 = 425;
/// Urgent items are judged, and the CSIRT's roles answer, within four hours.
const URGENT_MIN: i64 = 240;

const fn text_is(field: &'static str, value: &'static str) -> Cond {
    Cond { field, op: Op::Eq(Value::Text(value)) }
}

const fn is_true(field: &'static str) -> Cond {
    Cond { field, op: Op::Eq(Value::Bool(true)) }
}

const fn at_least(field: &'static str, min: i64) -> Cond {
    Cond { field, op: Op::AtLeast(min) }
}

const fn at_most(field: &'static str, max: i64) -> Cond {
    Cond { field, op: Op::AtMost(max) }
}

const fn within(field: &'static str, limit: &'static str) -> Cond {
    Cond { field, op: Op::AtMostField(limit) }
}

const CHANNELS: Subjects =
    Subjects::Assets { kinds: &["sharing_channel"], only: &[is_true("active")] };

/// 梅 is reached by either of two ways; 竹 and 松 demand everything.
pub(crate) const LADDER: [Expr; 3] = [
    Expr::Any(&[
        Expr::All(&[Expr::One("5.7/ume-1"), Expr::One("5.7/ume-2")]),
        Expr::One("5.7/ume-3"),
    ]),
    Expr::All(&[
        Expr::One("5.7/take-1"),
        Expr::One("5.7/take-2"),
        Expr::One("5.7/take-3"),
        Expr::One("5.7/take-4"),
        Expr::One("5.7/take-5"),
        Expr::One("5.7/take-6"),
    ]),
    Expr::All(&[
        Expr::One("5.7/matsu-1"),
        Expr::One("5.7/matsu-2"),
        Expr::One("5.7/matsu-3"),
        Expr::One("5.7/matsu-4"),
        Expr::One("5.7/matsu-5"),
    ]),
];

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "5.7/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "使うと決めた入手先の90%以上から、間隔の2倍以内に脅威情報が届いている",
            "At least 90 % of the sources in use have delivered within twice their interval",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["intel_source"], only: &[is_true("active")] },
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["threat_intelligence.intel_received"],
                    only: &[at_least("items", 1)],
                    must: &[],
                },
                Predicate::Record {
                    types: &["threat_intelligence.source_watched"],
                    only: &[],
                    must: &[within("silent_min", "limit_min")],
                },
            ]),
            at_least_permille: 900,
            fresh_hours: WEEK_H,
        }),
        by_hand: Some(t(
            "届いた通知を、日付・入手先・ファイルとともに手で登録する",
            "Enter the notices that arrived by hand, with date, source and file",
        )),
        producer: Producer::Exists("threat_intelligence.feeds"),
        minutes_per_miss: 20,
    },
    Criterion {
        id: "5.7/ume-2",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "この1年に、対応と判定した情報からIT部門の対応が記録をもって1件以上完了し、幹部が要約を1件以上確認している",
            "Within a year IT has closed at least one action by its record and executives have acknowledged at least one brief, from items judged worth acting on",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "audience", parts: &["it", "executive"] },
            must: Predicate::Record {
                types: &[
                    "threat_intelligence.action_closed",
                    "threat_intelligence.brief_acknowledged",
                ],
                only: &[Cond { field: "verdict", op: Op::OneOf(&["act", "brief"]) }],
                must: &[Cond { field: "proof", op: Op::NotEmpty }],
            },
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "実施した対応と幹部への説明を、議事録またはメールを添えて申告する",
            "Attest the action taken and the briefing of executives, with minutes or mail attached",
        )),
        producer: Producer::Exists("threat_intelligence.executive"),
        minutes_per_miss: 60,
    },
    Criterion {
        id: "5.7/ume-3",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "最新のIPA10大脅威（組織）のすべてについて対策を決め、選んだ対策が有効な点検・ルール・期限内の作業に結び付いている",
            "Measures are decided for each of IPA's ten organisation threats of the current edition, and each chosen measure is backed by a passing check, a live rule or a task in time",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Norms { prefix: "ipa10/*/org/" },
            must: Predicate::All(&[
                Predicate::Decision { kind: "threat_measures" },
                Predicate::Record {
                    types: &["threat_intelligence.ten_threat_state"],
                    only: &[],
                    must: &[
                        at_most("edition_age_days", EDITION_AGE_DAYS_MAX),
                        within("measures_chosen", "measures_backed"),
                    ],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "10大脅威の対策決定表を取り込み、選んだ対策の実施を申告する",
            "Import the decision sheet for the ten threats and attest the measures chosen",
        )),
        producer: Producer::Exists("threat_intelligence.ten_threats"),
        minutes_per_miss: 30,
    },
    Criterion {
        id: "5.7/take-1",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "CSIRTの簡易分析・連絡・判断の役割に代行者がおり、半年以内の訓練で4時間以内に応答した",
            "The CSIRT's triage, contact and decision roles have deputies and answered a drill within four hours in the last six months",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "role", parts: &["triage", "contact", "decision"] },
            must: Predicate::Record {
                types: &["threat_intelligence.csirt_drill"],
                only: &[],
                must: &[
                    is_true("holder_named"),
                    is_true("deputy_named"),
                    at_most("answered_min", URGENT_MIN),
                ],
            },
            at_least_permille: 1000,
            fresh_hours: HALF_YEAR_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.drills"),
        minutes_per_miss: 120,
    },
    Criterion {
        id: "5.7/take-2",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "90日間に受け取った外部情報の95%以上を期限内（緊急は4時間、他は2営業日）に判定している",
            "At least 95 % of the external items of the last 90 days were judged in time: urgent ones within four hours, the rest within two working days",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["threat_intelligence.intel_triaged"],
                only: &[text_is("origin", "external")],
                within_hours: QUARTER_H,
            },
            must: Predicate::All(&[
                Predicate::Attributes(&[
                    Cond { field: "verdict", op: Op::Ne(Value::Text("overdue")) },
                    within("delay_min", "limit_min"),
                ]),
                Predicate::Any(&[
                    Predicate::Attributes(&[is_true("urgent"), at_most("delay_min", URGENT_MIN)]),
                    Predicate::Attributes(&[Cond {
                        field: "urgent",
                        op: Op::Eq(Value::Bool(false)),
                    }]),
                ]),
            ]),
            at_least_permille: 950,
            fresh_hours: QUARTER_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.triage_watch"),
        minutes_per_miss: 15,
    },
    Criterion {
        id: "5.7/take-3",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "インシデント・重大度「高」以上の検知・従業員の報告をすべて脅威情報にするか判定し、新しい指標集の95%以上で過去ログを遡って調べている",
            "Every incident, finding of high severity or above and employee report was judged as intelligence or not, and at least 95 % of new indicator sets were hunted for in past logs",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts {
                field: "input",
                parts: &["incident", "finding", "employee_report", "indicator_set"],
            },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["threat_intelligence.internal_reviewed"],
                    only: &[Cond { field: "input", op: Op::Ne(Value::Text("indicator_set")) }],
                    must: &[at_least("settled_permille", 1000)],
                },
                Predicate::Record {
                    types: &["threat_intelligence.internal_reviewed"],
                    only: &[text_is("input", "indicator_set")],
                    must: &[at_least("settled_permille", 950)],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: QUARTER_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.internal"),
        minutes_per_miss: 45,
    },
    Criterion {
        id: "5.7/take-4",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "90日間の依頼の90%以上を関係部署が期限内に終え、判断のない期限超過がない",
            "Departments closed at least 90 % of the actions of the last 90 days in time, and none is overdue without a decision",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "scope", parts: &["organisation"] },
            must: Predicate::Record {
                types: &["threat_intelligence.actions_reviewed"],
                only: &[],
                must: &[
                    at_least("due", 1),
                    at_least("in_time_permille", 900),
                    at_most("overdue_undecided", 0),
                ],
            },
            at_least_permille: 1000,
            fresh_hours: QUARTER_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.actions"),
        minutes_per_miss: 60,
    },
    Criterion {
        id: "5.7/take-5",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "経営層へ上げる条件が承認され、短期の該当は期限内に届き、中長期の要約は直近のマネジメントレビューに載り、指示には担当と期限があって遅れていない",
            "The criteria for reaching executives are approved, short-term hits arrived in time, the mid- and long-term brief was in the last management review, and every order has an owner and a date and is not overdue",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts {
                field: "strand",
                parts: &["criteria", "short_term", "long_term", "orders"],
            },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["threat_intelligence.executive_reviewed"],
                    only: &[text_is("strand", "criteria")],
                    must: &[at_least("checked", 1), at_most("unapproved", 0)],
                },
                Predicate::Record {
                    types: &["threat_intelligence.executive_reviewed"],
                    only: &[text_is("strand", "short_term")],
                    must: &[at_most("late", 0)],
                },
                Predicate::Record {
                    types: &["threat_intelligence.executive_reviewed"],
                    only: &[text_is("strand", "long_term")],
                    must: &[is_true("in_last_review")],
                },
                Predicate::Record {
                    types: &["threat_intelligence.executive_reviewed"],
                    only: &[text_is("strand", "orders")],
                    must: &[at_most("unowned", 0), at_most("undated", 0), at_most("overdue", 0)],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.executive"),
        minutes_per_miss: 90,
    },
    Criterion {
        id: "5.7/take-6",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "期限切れ・取り消し・除外済みの侵害指標（IoC）がどの適用先でも使われず、最新の指標集が毎日の試験用指標を遮断している",
            "No edge enforces an indicator that is expired, revoked or excluded; each holds the current set and refuses the daily canary",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["threat_intelligence.edge_checked"],
                only: &[],
                within_hours: DAY_H,
            },
            must: Predicate::Attributes(&[
                at_most("invalid_enforced", 0),
                is_true("root_current"),
                is_true("canary_refused"),
            ]),
            at_least_permille: 1000,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.edges"),
        minutes_per_miss: 30,
    },
    Criterion {
        id: "5.7/matsu-1",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "共有チャネルに取り決め・連絡先・TLPの上限があり、毎日の疎通確認に通っている",
            "Every sharing channel has an agreement, a contact and a TLP ceiling, and passes its daily probe",
        ),
        check: Check::PerSubject(PerSubject {
            of: CHANNELS,
            must: Predicate::All(&[
                Predicate::Attributes(&[
                    Cond { field: "agreement", op: Op::NotEmpty },
                    Cond { field: "contact", op: Op::Present },
                    Cond { field: "tlp_ceiling", op: Op::Present },
                ]),
                Predicate::Record {
                    types: &["threat_intelligence.channel_probed"],
                    only: &[],
                    must: &[is_true("passed")],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.probe"),
        minutes_per_miss: 120,
    },
    Criterion {
        id: "5.7/matsu-2",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "共有チャネルで受け取った情報が、この1年に1件以上の完了した対応につながった",
            "An item received through a sharing channel led to a closed action within a year",
        ),
        check: Check::Aggregate(Aggregate {
            types: &["threat_intelligence.action_closed"],
            only: &[
                Cond { field: "channel", op: Op::NotEmpty },
                Cond { field: "proof", op: Op::NotEmpty },
            ],
            within_hours: YEAR_H,
            measure: Measure::Distinct("channel"),
            bound: Bound::AtLeast(1),
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.closing"),
        minutes_per_miss: 90,
    },
    Criterion {
        id: "5.7/matsu-3",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "自組織で作った情報を共有チャネルに渡し、この1年に相手が受け取った証拠がある",
            "An object of our own was given to a sharing channel within a year and the peer's acceptance is proved",
        ),
        check: Check::PerSubject(PerSubject {
            of: CHANNELS,
            must: Predicate::Record {
                types: &["threat_intelligence.peer_accepted"],
                only: &[is_true("own_object")],
                must: &[Cond {
                    field: "proof",
                    op: Op::OneOf(&[
                        "taxii_success",
                        "authenticated_get",
                        "misp_200",
                        "reply_token",
                    ]),
                }],
            },
            at_least_permille: 1,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.push"),
        minutes_per_miss: 120,
    },
    Criterion {
        id: "5.7/matsu-4",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "この1年に、同じ共有チャネルで自組織の情報への目撃・意見を受け、相手の情報への目撃・意見を返している",
            "On one channel, within a year, sightings or opinions came back on our objects and were sent on theirs",
        ),
        check: Check::PerSubject(PerSubject {
            of: CHANNELS,
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["threat_intelligence.sighting"],
                    only: &[text_is("direction", "received"), text_is("about", "ours")],
                    must: &[],
                },
                Predicate::Record {
                    types: &["threat_intelligence.sighting"],
                    only: &[text_is("direction", "sent"), text_is("about", "theirs")],
                    must: &[],
                },
            ]),
            at_least_permille: 1,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.receive"),
        minutes_per_miss: 60,
    },
    Criterion {
        id: "5.7/matsu-5",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "毎晩、すべての出口をTLPの5段階で試し、許された範囲を超える開示が1件もない",
            "Each night every outlet is probed at all five TLP levels and discloses nothing beyond its marking",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Rules { kinds: &["intel_outlet"], only: &[] },
            must: Predicate::Record {
                types: &["threat_intelligence.tlp_probed"],
                only: &[],
                must: &[at_least("levels_probed", 5), at_most("leaks", 0)],
            },
            at_least_permille: 1000,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::Exists("threat_intelligence.tlp"),
        minutes_per_miss: 60,
    },
];

pub(crate) const MENDS: &[Mend] = &[
    Mend {
        criterion: "5.7/ume-1",
        text: t(
            "入手先の一覧で途切れた入手先を開き、取得設定を直すか、届いた通知を手で登録します。",
            "Open the silent source in the list of sources and repair its fetch, or enter the notice that arrived by hand.",
        ),
    },
    Mend {
        criterion: "5.7/ume-2",
        text: t(
            "受信箱で「対応」と判定した情報の作業を完了記録で閉じ、要約を幹部に送って確認してもらいます。",
            "Close the task of an item judged “act” by its record, and send executives the brief to acknowledge.",
        ),
    },
    Mend {
        criterion: "5.7/ume-3",
        text: t(
            "規範の一覧で未決定の脅威を開き、対策を選んで承認し、対策に点検・ルール・作業のいずれかを結び付けます。",
            "Open the undecided threat among the norms, choose and approve measures, and link each to a check, rule or task.",
        ),
    },
    Mend {
        criterion: "5.7/take-1",
        text: t(
            "CSIRTの各役割に担当と代行者を割り当て、応答訓練を行って結果を記録します。",
            "Name a holder and a deputy for each CSIRT role, run an answering drill and record the result.",
        ),
    },
    Mend {
        criterion: "5.7/take-2",
        text: t(
            "受信箱で期限の近い順に判定し、遅れた情報は理由とともに判定します。",
            "Judge the inbox in order of due time, and give late items their verdict with a reason.",
        ),
    },
    Mend {
        criterion: "5.7/take-3",
        text: t(
            "未判定の内部情報を判定し、遡及調査が済んでいない指標集の調査を実行します。",
            "Judge the internal inputs still open and run the hunts that new indicator sets still lack.",
        ),
    },
    Mend {
        criterion: "5.7/take-4",
        text: t(
            "期限を過ぎた依頼を担当部署に確かめ、完了させるか、延期を判断として残します。",
            "Take up overdue actions with their department: close them, or record the decision to postpone.",
        ),
    },
    Mend {
        criterion: "5.7/take-5",
        text: t(
            "経営層へ上げる条件を承認し、要約をマネジメントレビューの議題に載せ、指示に担当と期限を付けます。",
            "Approve the escalation criteria, put the brief on the management review's agenda, and give each order an owner and a date.",
        ),
    },
    Mend {
        criterion: "5.7/take-6",
        text: t(
            "最新の指標集を読み込んでいない適用先を開き、再適用して試験用指標の遮断を確かめます。",
            "Open the edge that does not hold the current set, apply it again and see the canary refused.",
        ),
    },
    Mend {
        criterion: "5.7/matsu-1",
        text: t(
            "共有チャネルの台帳で取り決め・連絡先・TLPの上限を埋め、疎通確認をやり直します。",
            "Fill in agreement, contact and TLP ceiling of the channel and repeat its probe.",
        ),
    },
    Mend {
        criterion: "5.7/matsu-2",
        text: t(
            "共有チャネルから届いた情報を対応につなげ、完了記録に受領元のチャネルを残します。",
            "Turn an item received through a channel into an action, and name the channel when closing it.",
        ),
    },
    Mend {
        criterion: "5.7/matsu-3",
        text: t(
            "自組織の攻撃情報を、被害側の情報を除いて共有チャネルに渡し、受領の証拠を確かめます。",
            "Give an attack part of our own, without the victim part, to a channel and see the proof of acceptance.",
        ),
    },
    Mend {
        criterion: "5.7/matsu-4",
        text: t(
            "相手の情報を自組織で見た事実を返し、こちらの情報への目撃・意見の返信を相手に依頼します。",
            "Send back what we saw of the peer's objects, and ask the peer for sightings or opinions on ours.",
        ),
    },
    Mend {
        criterion: "5.7/matsu-5",
        text: t(
            "漏れた出口を止め、共有ルールのTLP上限を直し、確認をやり直します。",
            "Stop the outlet that leaked, correct the TLP ceiling of its sharing rule and repeat the probe.",
        ),
    },
];
