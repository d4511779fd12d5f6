//! What 梅, 竹 and 松 demand of the ISMS itself.
//!
//! Risks, rows of the Statement of Applicability and the log are no subjects of checks: the hall
//! counts them where they are and writes one state record of the organisation, which the checks
//! hold against the bounds of the table.

use model::{
    Check, Cond, Criterion, Expr, Level, Mend, Op, Origin, PerSubject, Predicate, Producer,
    Subjects, Value, t,
};

const DAY_H: u32 = 24;
const MONTH_H: u32 = 720;
const QUARTER_H: u32 = 2160;
const YEAR_H: u32 = 8760;

const ALL: u16 = 1000;
const ORGANISATION: Subjects = Subjects::Parts { field: "scope", parts: &["organisation"] };

/// The eleven controls that the 2022 edition added.
const CONTROLS: Subjects = Subjects::Parts {
    field: "control",
    parts: &["5.7", "5.23", "5.30", "7.4", "8.9", "8.10", "8.11", "8.12", "8.16", "8.23", "8.28"],
};

/// Number of controls in Annex A of the 2022 edition.
const ANNEX_A_CONTROLS: i64 = 93;
/// Inputs a to g of a management review (9.3.2).
const REVIEW_INPUTS: i64 = 7;

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

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("isms/ume-1"),
        Expr::One("isms/ume-2"),
        Expr::One("isms/ume-3"),
        Expr::One("isms/ume-4"),
    ]),
    Expr::All(&[
        Expr::One("isms/take-1"),
        Expr::One("isms/take-2"),
        Expr::One("isms/take-3"),
        Expr::One("isms/take-4"),
    ]),
    Expr::All(&[
        Expr::One("isms/matsu-1"),
        Expr::One("isms/matsu-2"),
        Expr::One("isms/matsu-3"),
        Expr::One("isms/matsu-4"),
    ]),
];

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "isms/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "新しい11管理策のすべてで達成度を計算し、梅に達しないものには脅威とリスク源を書いたリスクを一つ以上結び付けている",
            "The level of all eleven new controls is computed, and each one below 梅 is linked to at least one risk that names threat and risk source",
        ),
        check: Check::PerSubject(PerSubject {
            of: CONTROLS,
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["isms.gap_assessed"],
                    only: &[],
                    must: &[needs("level", Op::OneOf(&["ume", "take", "matsu"]))],
                },
                Predicate::Record {
                    types: &["isms.gap_assessed"],
                    only: &[],
                    must: &[at_least("risks_complete", 1)],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: QUARTER_H,
        }),
        by_hand: Some(t(
            "脅威の欄があり署名されたギャップ分析表を取り込む",
            "Import a signed gap sheet with its threats",
        )),
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 45,
    },
    Criterion {
        id: "isms/ume-2",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "扱い中のすべてのリスクに対応と所有者があり、残留リスクが有効な署名で受け入れられている",
            "Every open risk has a treatment and an owner, and its residual risk is accepted by a signature that has not expired",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["isms.risk_state"],
                only: &[at_least("open", 1)],
                must: &[none("untreated"), none("unowned"), none("unsigned")],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER_H,
        }),
        by_hand: Some(t(
            "リスクアセスメント表を取り込み、承認を申告する",
            "Import the risk sheet and attest the approvals",
        )),
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 30,
    },
    Criterion {
        id: "isms/ume-3",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "附属書Aの93管理策すべてとの比較に説明があり、12か月以内に承認した適用宣言書が今日の内容と同じか、違ってから30日たっていない",
            "The comparison with all 93 controls of Annex A is explained, and the Statement of Applicability, approved within 12 months, equals today's content or has differed for less than 30 days",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["isms.soa_snapshot"],
                    only: &[yes("approved")],
                    must: &[at_least("rows", ANNEX_A_CONTROLS)],
                },
                Predicate::Record {
                    types: &["isms.soa_compared"],
                    only: &[],
                    must: &[
                        at_least("explained", ANNEX_A_CONTROLS),
                        none("open_differences"),
                        at_most("difference_age_days", 29),
                    ],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "附属書Aとの比較表と適用宣言書を取り込み、承認を申告する",
            "Import the comparison and the Statement of Applicability, and attest the approval",
        )),
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 240,
    },
    Criterion {
        id: "isms/ume-4",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "12か月以内にマネジメントレビューを行い、9.3.2のa～gのインプットが揃い、指示のすべてにタスクがある",
            "A management review was held within 12 months, inputs a to g of 9.3.2 were present, and every instruction has a task",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["isms.review_pack"],
                only: &[],
                must: &[
                    at_least("inputs_present", REVIEW_INPUTS),
                    none("inputs_empty"),
                    none("instructions_without_task"),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "インプットと指示の書かれた議事録を添えて申告する",
            "Attest with minutes that show inputs and instructions",
        )),
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 240,
    },
    Criterion {
        id: "isms/take-1",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "適用宣言書で適用とした管理策の80%以上が、機械が集めたか取り込んだ新しい記録に基づいている",
            "At least 80 % of the applicable rows of the Statement of Applicability rest on fresh machine or imported records",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["isms.soa_compared"],
                only: &[at_least("applicable", 1)],
                must: &[at_least("evidenced_permille", 800)],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH_H,
        }),
        by_hand: None,
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 480,
    },
    Criterion {
        id: "isms/take-2",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "新しい11管理策を12か月、適用する管理策すべてを36か月のうちに監査し、監査員は管理策の責任者とは別の人で、所見は有効性を確かめて閉じている",
            "The eleven new controls were audited within 12 months and all applicable ones within 36, by an auditor who is not the owner, and findings were closed with a check of effectiveness",
        ),
        check: Check::PerSubject(PerSubject {
            of: CONTROLS,
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["isms.audit_sample"],
                    only: &[],
                    must: &[
                        at_least("asked", 1),
                        needs("auditor", Op::DiffersFrom("control_owner")),
                    ],
                },
                Predicate::Record {
                    types: &["isms.audit_state"],
                    only: &[],
                    must: &[
                        none("applicable_unaudited_36_months"),
                        none("findings_unverified"),
                        none("findings_overdue"),
                    ],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 120,
    },
    Criterion {
        id: "isms/take-3",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "閾値を超えるISMSの変更のすべてに、事前に署名した計画がある",
            "Every change of the ISMS above the threshold has a plan that was signed beforehand",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["isms.change_judged"],
                only: &[yes("above_threshold")],
                within_hours: YEAR_H,
            },
            must: Predicate::Attributes(&[yes("plan_signed_before")]),
            at_least_permille: ALL,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 90,
    },
    Criterion {
        id: "isms/take-4",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "従業者の95%以上が方針の現行版を確認している",
            "At least 95 % of people have acknowledged the current version of the policy",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parties { kinds: &["person"], only: &[] },
            must: Predicate::Record {
                types: &["isms.ack_given"],
                only: &[],
                must: &[yes("current")],
            },
            at_least_permille: 950,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 10,
    },
    Criterion {
        id: "isms/matsu-1",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "外部の証人かタイムスタンプ局が印を付けた最新のチェックポイントが24時間以内のものである",
            "The newest checkpoint that an outside witness or a time-stamping authority has signed is no older than 24 hours",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["isms.checkpoint_published"],
                    only: &[at_least("witnesses", 1)],
                    must: &[at_least("size", 1)],
                },
                Predicate::Record {
                    types: &["isms.checkpoint_published"],
                    only: &[yes("time_stamped")],
                    must: &[at_least("size", 1)],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::Exists("witness"),
        minutes_per_miss: 120,
    },
    Criterion {
        id: "isms/matsu-2",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "30日続けて、不明または期限切れの基準が一つもない",
            "For 30 days in a row no criterion was unknown or stale",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["isms.measured_day"],
                only: &[],
                must: &[none("unknown"), none("stale"), at_least("clean_days", 30)],
            },
            at_least_permille: ALL,
            // One record a day, and time to write the next.
            fresh_hours: 2 * DAY_H,
        }),
        by_hand: None,
        producer: Producer::Exists("isms.state"),
        minutes_per_miss: 240,
    },
    Criterion {
        id: "isms/matsu-3",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "12か月以内に、監査バンドルをサーバーの外で検証した結果を取り込み、合わない証明が一つもない",
            "Within 12 months the audit bundle was verified off the server, the verifier's output was imported, and no proof failed",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["isms.bundle_verified"],
                only: &[],
                must: &[yes("off_server"), at_least("proofs", 1), none("failed")],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::Exists("isms.bundle-verified"),
        minutes_per_miss: 120,
    },
    Criterion {
        id: "isms/matsu-4",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "レベルが下がるたびに24時間以内にタスクができ、その90%以上を期限内に終えている",
            "Each drop of a level had a task within 24 hours, and at least 90 % of these were closed in time",
        ),
        check: Check::PerSubject(PerSubject {
            of: ORGANISATION,
            must: Predicate::Record {
                types: &["isms.drops_state"],
                only: &[at_least("drops", 1)],
                must: &[none("without_task_in_24_h"), at_least("closed_in_time_permille", 900)],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER_H,
        }),
        by_hand: None,
        producer: Producer::Exists("isms.drops"),
        minutes_per_miss: 60,
    },
];

pub(crate) const MENDS: &[Mend] = &[
    Mend {
        criterion: "isms/ume-1",
        text: t(
            "ギャップのページで未達の管理策に、脅威とリスク源を書いたリスクを結び付けます。",
            "On the gap page link each control below 梅 to a risk with threat and risk source.",
        ),
    },
    Mend {
        criterion: "isms/ume-2",
        text: t(
            "リスクの台帳で対応と所有者を埋め、所有者に残留リスクの署名を依頼します。",
            "Complete treatment and owner in the register of risks, and have the owner sign the residual risk.",
        ),
    },
    Mend {
        criterion: "isms/ume-3",
        text: t(
            "附属書Aとの比較で説明のない行に理由を書き、適用宣言書を承認します。",
            "Explain the open rows of the comparison with Annex A, and approve the Statement of Applicability.",
        ),
    },
    Mend {
        criterion: "isms/ume-4",
        text: t(
            "マネジメントレビューを開き、空のインプットに理由を書き、指示をタスクにします。",
            "Hold the management review, give a reason for empty inputs, and turn instructions into tasks.",
        ),
    },
    Mend {
        criterion: "isms/take-1",
        text: t(
            "「自己申告のみ」の管理策に、記録を集める情報源をつなぐか文書を取り込みます。",
            "Connect a source, or import documents, for the controls that are only claimed.",
        ),
    },
    Mend {
        criterion: "isms/take-2",
        text: t(
            "まだ監査していない管理策に、責任者ではない監査員を割り当てます。",
            "Give the controls not yet audited an auditor who does not own them.",
        ),
    },
    Mend {
        criterion: "isms/take-3",
        text: t(
            "変更の前に、目的・影響・資源・責任を書いた計画に署名をもらいます。",
            "Before a change have a plan signed that names purpose, consequences, resources and responsibilities.",
        ),
    },
    Mend {
        criterion: "isms/take-4",
        text: t(
            "まだ確認していない人に、方針の現行版の確認を依頼します。",
            "Ask those who are missing to acknowledge the current policy.",
        ),
    },
    Mend {
        criterion: "isms/matsu-1",
        text: t(
            "証人かタイムスタンプ局への送り先を設定し、届いたことを確かめます。",
            "Set a witness or a time-stamping authority, and see that the checkpoint arrives.",
        ),
    },
    Mend {
        criterion: "isms/matsu-2",
        text: t(
            "不明と期限切れの基準を一つずつ開き、情報源の止まった理由を直します。",
            "Open the criteria that are unknown or stale one by one, and mend why their source stopped.",
        ),
    },
    Mend {
        criterion: "isms/matsu-3",
        text: t(
            "監査バンドルを第三者に渡し、その人の鍵で署名した検証結果を ume isms bundle-verified で取り込みます。",
            "Hand the audit bundle to a third party, and take in the verdict signed with their key (ume isms bundle-verified).",
        ),
    },
    Mend {
        criterion: "isms/matsu-4",
        text: t(
            "低下したのにタスクのない管理策にタスクを作り、遅れているものを終えます。",
            "Make a task for each drop that has none, and close those that are late.",
        ),
    },
];
