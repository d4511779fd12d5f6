//! What 梅, 竹 and 松 demand of ICT readiness for business continuity.
//!
//! 竹-2 judges priority processes: each must have *all* ICT assets under it reached by a plan, which
//! at 100 % is the same as all assets reached, and names the process. 松-3 judges backups marked
//! `priority`, since priority is inherited from processes; datasets without any backup are 竹-3's.

use model::{
    Aggregate, Bound, Check, Cond, Criterion, Expr, Level, Measure, Mend, Op, Origin, PerSubject,
    Predicate, Producer, Subjects, Value, t,
};

const DAY_H: u32 = 24;
const FIVE_WEEKS_H: u32 = 840;
const HALF_YEAR_H: u32 = 4320;
const YEAR_H: u32 = 8760;

/// 発動, 業務再開, 業務回復, 全面復旧.
const PHASES: i64 = 4;

const fn text_is(field: &'static str, value: &'static str) -> Cond {
    Cond { field, op: Op::Eq(Value::Text(value)) }
}

const fn is_true(field: &'static str) -> Cond {
    Cond { field, op: Op::Eq(Value::Bool(true)) }
}

const fn filled(field: &'static str) -> Cond {
    Cond { field, op: Op::NotEmpty }
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

const PROCESSES: Subjects = Subjects::Assets { kinds: &["process"], only: &[] };

const PRIORITY_PROCESSES: Subjects =
    Subjects::Assets { kinds: &["process"], only: &[is_true("priority")] };

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[Expr::One("5.30/ume-1"), Expr::One("5.30/ume-2")]),
    Expr::All(&[Expr::One("5.30/take-1"), Expr::One("5.30/take-2"), Expr::One("5.30/take-3")]),
    Expr::All(&[
        Expr::One("5.30/matsu-1"),
        Expr::One("5.30/matsu-2"),
        Expr::One("5.30/matsu-3"),
        Expr::One("5.30/matsu-4"),
        Expr::One("5.30/matsu-5"),
    ]),
];

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "5.30/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "対象のすべての業務がICTと結び付き、責任者がいて、既存のBCPの中に有事のICTの扱いを決めて承認し、1年以内に見直している",
            "Every process in scope is linked to its ICT, has an owner, and the BCP holds a signed decision on how its ICT is treated in an emergency, reviewed within a year",
        ),
        check: Check::PerSubject(PerSubject {
            of: PROCESSES,
            must: Predicate::All(&[
                Predicate::Link { kind: "depends_on" },
                Predicate::Attributes(&[
                    Cond { field: "owner", op: Op::Present },
                    filled("ict_treatment"),
                ]),
                Predicate::Decision { kind: "approval" },
                Predicate::Record {
                    types: &["ict_readiness.treatment_reviewed"],
                    only: &[],
                    must: &[is_true("still_valid")],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "BCPの文書を取り込み、有事のICTの扱いを申告する",
            "Import the BCP document and attest the treatment of ICT",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "5.30/ume-2",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "要員の90%以上が独立した二つ以上の連絡手段を持ち、半年以内の連絡訓練でそれぞれに応答している",
            "At least 90 % of key people have two or more independent channels and answered on each of them in a roll-call within half a year",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parties { kinds: &["person"], only: &[is_true("key_person")] },
            must: Predicate::Record {
                types: &["ict_readiness.rollcall_reach"],
                only: &[],
                must: &[
                    at_least("independent_channels", 2),
                    within("channels", "channels_answered"),
                ],
            },
            at_least_permille: 900,
            fresh_hours: HALF_YEAR_H,
        }),
        by_hand: Some(t(
            "連絡訓練の一覧を取り込み、応答があったことを申告する",
            "Import the contact drill's list and attest the answers",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 15,
    },
    Criterion {
        id: "5.30/take-1",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "すべての業務に1年以内の事業影響度分析があり、優先順位・目標復旧時間（RTO）・目標復旧レベル（RLO）が決まり、依存先と矛盾しないか、矛盾を決定で受け入れている",
            "Every process has an impact analysis of the last year, a priority, a recovery time and a recovery level, which do not contradict what it depends on unless a decision accepts it",
        ),
        check: Check::PerSubject(PerSubject {
            of: PROCESSES,
            must: Predicate::All(&[
                Predicate::Attributes(&[
                    filled("impact_curve"),
                    filled("objective"),
                    Cond { field: "rank", op: Op::Present },
                    Cond { field: "rto_min", op: Op::Present },
                    Cond { field: "rlo", op: Op::Present },
                ]),
                Predicate::Record { types: &["ict_readiness.bia_answered"], only: &[], must: &[] },
                Predicate::Any(&[
                    Predicate::Record {
                        types: &["ict_readiness.objectives_checked"],
                        only: &[],
                        must: &[at_most("contradictions", 0)],
                    },
                    Predicate::Decision { kind: "exception" },
                ]),
            ]),
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "5.30/take-2",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "優先業務を支えるすべてのICT資産に全断からの復旧計画が届き、どの手順も実行でき（人に連絡がつき、資産があり、代わりがいて、鍵が預けてある）、現行版に二人が署名している",
            "A plan from total outage reaches every ICT asset under the priority processes, each of its steps can be carried out (person reachable, asset there, substitute named, key in escrow), and two people signed this version",
        ),
        check: Check::PerSubject(PerSubject {
            of: PRIORITY_PROCESSES,
            must: Predicate::Record {
                types: &["ict_readiness.plan_resolved"],
                only: &[],
                must: &[
                    at_least("assets", 1),
                    within("assets", "assets_reached"),
                    at_least("steps", 1),
                    within("steps", "steps_resolved"),
                    is_true("current_version"),
                    at_least("distinct_signatures", 2),
                ],
            },
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 240,
    },
    Criterion {
        id: "5.30/take-3",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "対象データの95%以上で、機械が確かめた最新の復元可能な時点が目標復旧時点（RPO）以内である（毎日）",
            "For at least 95 % of the datasets in scope the newest restorable point seen by machine lies within the recovery point objective, every day",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["dataset"], only: &[] },
            must: Predicate::Record {
                types: &["ict_readiness.backup_watched"],
                only: &[],
                must: &[is_true("restorable"), within("newest_age_min", "rpo_min")],
            },
            at_least_permille: 950,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "5.30/matsu-1",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "1年以内に、手順書に従って発動から全面復旧まで四段階を通す訓練を行い、サイバー攻撃の想定を含んでいる",
            "Within a year a drill followed the procedure through all four phases, from activation to full restoration, with a cyber-attack among the scenarios",
        ),
        check: Check::Aggregate(Aggregate {
            types: &["ict_readiness.drill_run"],
            only: &[
                at_least("phases_completed", PHASES),
                is_true("by_procedure"),
                text_is("scenario", "cyber"),
            ],
            within_hours: YEAR_H,
            measure: Measure::Count,
            bound: Bound::AtLeast(1),
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 480,
    },
    Criterion {
        id: "5.30/matsu-2",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "訓練で見つかった食い違いの90%以上に作業があって完了し、後の訓練で同じ手順がうまくいっている",
            "At least 90 % of the deviations found in drills have a task that is closed, and the step succeeded in a later drill",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["ict_readiness.deviation_found"],
                only: &[],
                within_hours: YEAR_H,
            },
            must: Predicate::All(&[
                Predicate::Task,
                Predicate::Record {
                    types: &["ict_readiness.step_retested"],
                    only: &[],
                    must: &[is_true("task_closed"), is_true("passed"), is_true("later_drill")],
                },
            ]),
            at_least_permille: 900,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "5.30/matsu-3",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "優先データの95%以上で、35日以内に全体を実際に復元し、測った復旧時間（RTA）と復旧時点（RPA）が目標以内である",
            "For at least 95 % of priority datasets a full restore of the last 35 days measured recovery time and recovery point within their objectives",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["backup"], only: &[is_true("priority")] },
            must: Predicate::Record {
                types: &["ict_readiness.restore_run"],
                only: &[text_is("extent", "full")],
                must: &[
                    is_true("usable"),
                    at_most("mismatches", 0),
                    within("rta_s", "rto_s"),
                    within("rpa_s", "rpo_s"),
                ],
            },
            at_least_permille: 950,
            fresh_hours: FIVE_WEEKS_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 180,
    },
    Criterion {
        id: "5.30/matsu-4",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "すべての復元ジョブが、35日以内にわざと入れた故障を失敗として検知している",
            "Every restore job saw a deliberately injected failure fail within the last 35 days",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Rules { kinds: &["restore_job"], only: &[] },
            must: Predicate::Record {
                types: &["ict_readiness.fault_run"],
                only: &[],
                must: &[is_true("failed")],
            },
            at_least_permille: 1000,
            fresh_hours: FIVE_WEEKS_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "5.30/matsu-5",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "すべての優先業務で、実測した所要時間によるシミュレーションの目標復旧時間の達成確率が90%以上である（35日以内）",
            "For every priority process the simulated probability of meeting its recovery time, with durations from measurements, is at least 90 %, no older than 35 days",
        ),
        check: Check::PerSubject(PerSubject {
            of: PRIORITY_PROCESSES,
            must: Predicate::Record {
                types: &["ict_readiness.simulation_run"],
                only: &[],
                must: &[at_least("met_permille", 900), at_most("steps_unmeasured", 0)],
            },
            at_least_permille: 1000,
            fresh_hours: FIVE_WEEKS_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 240,
    },
];

pub(crate) const MENDS: &[Mend] = &[
    Mend {
        criterion: "5.30/ume-1",
        text: t(
            "業務の台帳で責任者と有事のICTの扱いを埋め、支えるICTへの依存を結び、承認を受けます。",
            "In the register of processes fill in owner and treatment, link the ICT it depends on, and have it approved.",
        ),
    },
    Mend {
        criterion: "5.30/ume-2",
        text: t(
            "応答のなかった要員の連絡手段を二つ以上登録し、連絡訓練をもう一度行います。",
            "Enter two or more channels for the key people who did not answer, and repeat the roll-call.",
        ),
    },
    Mend {
        criterion: "5.30/take-1",
        text: t(
            "業務の影響度分析に答え、矛盾する目標を改めるか、受け入れる例外を承認してもらいます。",
            "Answer the process's impact analysis; correct contradicting objectives or have an exception approved.",
        ),
    },
    Mend {
        criterion: "5.30/take-2",
        text: t(
            "復旧計画に足りない資産と実行できない手順を直し、二人の署名を受けます。",
            "Add the missing assets to the plan, repair the steps that cannot be carried out, and have two people sign.",
        ),
    },
    Mend {
        criterion: "5.30/take-3",
        text: t(
            "データのバックアップを取り直すか、実態に合わせて間隔または目標復旧時点を見直します。",
            "Back the dataset up again, or review interval and recovery point objective.",
        ),
    },
    Mend {
        criterion: "5.30/matsu-1",
        text: t(
            "サイバー攻撃を想定した訓練を計画し、手順書に従って四段階を通し、結果を記録します。",
            "Plan a drill for a cyber-attack, go through the four phases by the procedure and record it.",
        ),
    },
    Mend {
        criterion: "5.30/matsu-2",
        text: t(
            "食い違いに作業を起こして終わらせ、次の訓練で同じ手順を確かめます。",
            "Raise and close a task for the deviation and try the step again in the next drill.",
        ),
    },
    Mend {
        criterion: "5.30/matsu-3",
        text: t(
            "優先データの全体を復元して時間を測り、目標に届かなければ手段か目標を見直します。",
            "Restore the priority dataset in full and measure it; if it misses, review means or objective.",
        ),
    },
    Mend {
        criterion: "5.30/matsu-4",
        text: t(
            "復元ジョブに故障を入れて実行し、失敗にならなければ判定の仕方を直します。",
            "Run the restore job with a fault injected; if it does not fail, repair how it judges.",
        ),
    },
    Mend {
        criterion: "5.30/matsu-5",
        text: t(
            "所要時間を測っていない手順を訓練や復元で測り、時間のかかる手順に人手や代替手段を加えます。",
            "Measure the unmeasured steps in drills and restores, and give the slow ones people or alternatives.",
        ),
    },
];
