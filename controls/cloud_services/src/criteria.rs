//! What 梅, 竹 and 松 demand of the use of cloud services.
//!
//! Rows that hold two coverages with thresholds of their own (竹-2, 松-1) rest on one record per
//! strand, each judged by its own threshold. An ended service keeps the state `ended` until its
//! exit is completed by decision and a year has passed; then it is `archived`, so evidence of an
//! old exit does not have to be renewed for ever.

use model::{
    Check, Cond, Criterion, Expr, Level, Mend, Op, Origin, PerSubject, Predicate, Producer,
    Subjects, Value, t,
};

const DAY_H: u32 = 24;
const MONTH_H: u32 = 720;
const QUARTER_H: u32 = 2160;
const YEAR_H: u32 = 8760;

/// A matrix has a cell for each of the seven layers at least.
const LAYERS: i64 = 7;
/// From stray verdict to the rule at work in the web filter.
const BLOCK_S_MAX: i64 = 60;

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

const IN_USE: Subjects =
    Subjects::Assets { kinds: &["cloud_service"], only: &[text_is("usage_state", "in_use")] };

const TENANTS: Subjects = Subjects::Assets { kinds: &["tenant"], only: &[] };

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("5.23/ume-1"),
        Expr::One("5.23/ume-2"),
        Expr::One("5.23/ume-3"),
        Expr::One("5.23/ume-4"),
        Expr::One("5.23/ume-5"),
    ]),
    Expr::All(&[
        Expr::One("5.23/take-1"),
        Expr::One("5.23/take-2"),
        Expr::One("5.23/take-3"),
        Expr::One("5.23/take-4"),
    ]),
    Expr::All(&[
        Expr::One("5.23/matsu-1"),
        Expr::One("5.23/matsu-2"),
        Expr::One("5.23/matsu-3"),
        Expr::One("5.23/matsu-4"),
    ]),
];

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "5.23/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "選定基準と利用ガイドラインの現行版が承認され、利用者の90%以上が確認している",
            "The current selection criteria and guideline for use are approved, and at least 90 % of users have acknowledged them",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Rules { kinds: &["cloud_criteria"], only: &[] },
            must: Predicate::All(&[
                Predicate::Attributes(&[filled("questions"), filled("guideline_file")]),
                Predicate::Decision { kind: "approval" },
                Predicate::Record {
                    types: &["cloud_services.guideline_acknowledged"],
                    only: &[],
                    must: &[is_true("current_version"), at_least("acknowledged_permille", 900)],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "承認済みの利用ガイドラインを取り込み、周知の確認一覧を申告する",
            "Import the approved guideline and attest the sign-off list",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 240,
    },
    Criterion {
        id: "5.23/ume-2",
        level: Level::Ume,
        origin: Origin::Ume,
        text: t(
            "利用中のサービスの95%以上で、管理責任者・目的・サービスモデル・契約形態・支払者・リージョン・扱うデータの区分が台帳にあり、1年以内に見直されている",
            "For at least 95 % of the services in use the register holds owner, purpose, service model, contract type, payer, region and data classes, reviewed within a year",
        ),
        check: Check::PerSubject(PerSubject {
            of: IN_USE,
            must: Predicate::All(&[
                Predicate::Attributes(&[
                    Cond { field: "owner", op: Op::Present },
                    filled("purpose"),
                    filled("model"),
                    filled("contract"),
                    filled("payer"),
                    filled("regions"),
                    filled("data_classes"),
                ]),
                Predicate::Record {
                    types: &["cloud_services.register_reviewed"],
                    only: &[],
                    must: &[is_true("correct")],
                },
            ]),
            at_least_permille: 950,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "クラウド台帳の表を取り込み、管理責任者が内容を申告する",
            "Import the sheet of cloud services; its owner attests it",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 15,
    },
    Criterion {
        id: "5.23/ume-3",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "利用中のすべてのサービスに、評価した内容に対する有効期限内の利用承認がある",
            "Every service in use has an unexpired permit for exactly what was assessed",
        ),
        check: Check::PerSubject(PerSubject {
            of: IN_USE,
            must: Predicate::All(&[
                Predicate::Record { types: &["cloud_services.assessment"], only: &[], must: &[] },
                Predicate::Decision { kind: "permit" },
            ]),
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "紙やワークフローの利用承認を取り込む",
            "Import permits given on paper or in a workflow",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "5.23/ume-4",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "利用を終えたすべてのサービスで、終了手続きの各段階が完了している",
            "For every service whose use ended, each step of the exit is closed",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::AssetParts {
                kinds: &["cloud_service"],
                only: &[text_is("usage_state", "ended")],
                field: "step",
                parts: &[
                    "export",
                    "deletion_request",
                    "certificate",
                    "revocation",
                    "payment_stop",
                    "backup_lapse",
                    "silence",
                ],
            },
            must: Predicate::Record {
                types: &["cloud_services.exit_step"],
                only: &[],
                must: &[is_true("closed")],
            },
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "終了手続きの各段階が済んだことを管理責任者が申告する",
            "The owner attests that the steps of the exit are done",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "5.23/ume-5",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "利用中のサービスの95%以上で、要件ごとに満たす・満たさない・不明を確かめ、満たさない要件に担当を置いている（利用の観点のGAP一覧）",
            "For at least 95 % of the services in use each requirement is judged met, unmet or unknown, and each unmet one has an owner: the simple list of gaps",
        ),
        check: Check::PerSubject(PerSubject {
            of: IN_USE,
            must: Predicate::Record {
                types: &["cloud_services.assessment"],
                only: &[],
                must: &[
                    at_least("questions", 1),
                    within("questions", "answered"),
                    at_most("unmet_unowned", 0),
                ],
            },
            at_least_permille: 950,
            fresh_hours: YEAR_H,
        }),
        by_hand: Some(t(
            "記入済みの要件チェックリストを取り込む",
            "Import the completed checklist of requirements",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "5.23/take-1",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "利用中のすべてのサービスに責任分界表があり、各欄が事業者の証拠または点検結果に基づき、満たさない要件にはリスクと追加の管理策がある",
            "Every service in use has a responsibility matrix whose cells rest on provider evidence or findings, and each unmet requirement has a risk and an additional control",
        ),
        check: Check::PerSubject(PerSubject {
            of: IN_USE,
            must: Predicate::Record {
                types: &["cloud_services.matrix_reviewed"],
                only: &[],
                must: &[
                    at_least("cells", LAYERS),
                    within("cells", "cells_evidenced"),
                    within("unmet", "unmet_with_risk"),
                    within("unmet", "unmet_with_control"),
                ],
            },
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "5.23/take-2",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "利用者側ネットワークの90%以上を24時間以内のログで見ており、見つかった利用先はすべて14日以内に判定している",
            "Logs no older than 24 hours cover at least 90 % of client networks, and every service contacted is judged within 14 days",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "strand", parts: &["networks", "contacts"] },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["cloud_services.usage_watched"],
                    only: &[text_is("strand", "networks")],
                    must: &[at_least("total", 1), at_least("covered_permille", 900)],
                },
                Predicate::Record {
                    types: &["cloud_services.usage_watched"],
                    only: &[text_is("strand", "contacts")],
                    must: &[at_most("unjudged_after_14_d", 0)],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 90,
    },
    Criterion {
        id: "5.23/take-3",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "テナントごとに該当する設定区分の90%以上に、30日以内の点検結果（機械または取り込み）がある",
            "At least 90 % of the setting classes that apply to the tenants have a machine or imported finding of the last 30 days",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::AssetParts {
                kinds: &["tenant"],
                only: &[],
                field: "class",
                parts: &["1", "2", "3", "4", "5", "6", "7"],
            },
            must: Predicate::Record {
                types: &["cloud_services.setting_finding"],
                // "unknown" (no access, throttled) is no finding; "not_applicable" is one.
                only: &[Cond {
                    field: "result",
                    op: Op::OneOf(&["pass", "fail", "not_applicable"]),
                }],
                must: &[],
            },
            at_least_permille: 900,
            fresh_hours: MONTH_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "5.23/take-4",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "利用中のすべてのサービスで、約款を90日以内に読み直し、観測したリージョンが許可どおりである",
            "For every service in use the terms were read again within 90 days and the regions observed are the permitted ones",
        ),
        check: Check::PerSubject(PerSubject {
            of: IN_USE,
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["cloud_services.terms_read"],
                    only: &[],
                    must: &[Cond { field: "terms_hash", op: Op::Present }],
                },
                Predicate::Record {
                    types: &["cloud_services.region_observed"],
                    only: &[],
                    must: &[at_least("regions", 1), at_most("outside_permitted", 0)],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: QUARTER_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "5.23/matsu-1",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "見つかった利用先の95%以上を到着から1分以内に機械が分類し、黙っているログ源がない",
            "At least 95 % of the services contacted are categorised by machine within a minute of arrival, and no log source is silent",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "strand", parts: &["contacts", "sources"] },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["cloud_services.discovery_run"],
                    only: &[text_is("strand", "contacts")],
                    must: &[at_least("within_1_min_permille", 950)],
                },
                Predicate::Record {
                    types: &["cloud_services.discovery_run"],
                    only: &[text_is("strand", "sources")],
                    must: &[at_least("total", 1), at_most("silent", 0)],
                },
            ]),
            at_least_permille: 1000,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "5.23/matsu-2",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "すべてのテナントの設定を24時間以内に点検し、不合格のそれぞれに作業または有効期限内の例外がある",
            "Every tenant's settings were checked within 24 hours, and each failure has a task or an unexpired exception",
        ),
        check: Check::PerSubject(PerSubject {
            of: TENANTS,
            must: Predicate::Record {
                types: &["cloud_services.settings_run"],
                only: &[],
                must: &[at_least("findings", 1), within("failures", "failures_handled")],
            },
            at_least_permille: 1000,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "5.23/matsu-3",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "終えたすべての利用で、通信が途絶えたこと・トークンの失効・事業者の消去証明書のハッシュを機械が確かめている",
            "For every completed exit the machine has verified that traffic ended, that tokens are revoked and the hash of the provider's certificate",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Plans { kinds: &["exit"], only: &[text_is("stage", "completed")] },
            must: Predicate::Record {
                types: &["cloud_services.exit_verified"],
                only: &[],
                must: &[
                    at_most("contacts_in_window", 0),
                    is_true("sources_alive_throughout"),
                    is_true("tokens_revoked"),
                    Cond { field: "certificate_hash", op: Op::Present },
                ],
            },
            at_least_permille: 1000,
            fresh_hours: YEAR_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 90,
    },
    Criterion {
        id: "5.23/matsu-4",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "野良と判定したクラウドが、決定に基づき60秒以内にウェブフィルタで遮断されることを毎日の抜き取りで確かめている",
            "A daily sample shows that a cloud judged stray is blocked by the web filter within 60 seconds, on the strength of a decision",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["cloud_services.block_sampled"],
                only: &[],
                within_hours: DAY_H,
            },
            must: Predicate::Attributes(&[
                is_true("decided"),
                is_true("rule_applied"),
                at_most("delay_s", BLOCK_S_MAX),
            ]),
            at_least_permille: 1000,
            fresh_hours: DAY_H,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
];

pub(crate) const MENDS: &[Mend] = &[
    Mend {
        criterion: "5.23/ume-1",
        text: t(
            "選定基準のルールにガイドラインを添えて承認を受け、利用者に確認を依頼します。",
            "Attach the guideline to the criteria, have them approved and ask users to acknowledge.",
        ),
    },
    Mend {
        criterion: "5.23/ume-2",
        text: t(
            "クラウド台帳で空欄のあるサービスを開いて埋め、見直しを記録します。",
            "Open the services with empty fields in the register, fill them and record the review.",
        ),
    },
    Mend {
        criterion: "5.23/ume-3",
        text: t(
            "承認のないサービスを評価して利用承認を申請するか、利用を止めて終了手続きに移します。",
            "Assess the service and apply for a permit, or stop using it and start its exit.",
        ),
    },
    Mend {
        criterion: "5.23/ume-4",
        text: t(
            "終了したサービスの終了計画を開き、残っている段階を済ませて記録します。",
            "Open the exit plan of the ended service, finish the open steps and record them.",
        ),
    },
    Mend {
        criterion: "5.23/ume-5",
        text: t(
            "サービスの要件チェックリストに答え、満たさない要件に担当を割り当てます。",
            "Answer the service's checklist and give each unmet requirement an owner.",
        ),
    },
    Mend {
        criterion: "5.23/take-1",
        text: t(
            "責任分界表の根拠のない欄に証拠を結び付け、満たさない要件にリスクと追加の管理策を登録します。",
            "Link evidence to the bare cells of the matrix, and enter a risk and a control for each unmet requirement.",
        ),
    },
    Mend {
        criterion: "5.23/take-2",
        text: t(
            "ログの届かないネットワークにDNSまたはプロキシのログをつなぎ、未判定の利用先を判定します。",
            "Connect DNS or proxy logs for the networks not covered and judge the contacts still open.",
        ),
    },
    Mend {
        criterion: "5.23/take-3",
        text: t(
            "テナントの接続を直すか、設定点検ツールの結果を取り込みます。",
            "Repair the tenant's connection, or import a scanner's findings.",
        ),
    },
    Mend {
        criterion: "5.23/take-4",
        text: t(
            "約款の現行版を読み直して記録し、許可外のリージョンを止めるか許可を改めます。",
            "Read the current terms and record it; leave the region that is not permitted, or amend the permit.",
        ),
    },
    Mend {
        criterion: "5.23/matsu-1",
        text: t(
            "黙っているログ源を直し、分類できなかった利用先をサービス一覧に加えます。",
            "Repair the silent source and add the services that could not be categorised to the catalogue.",
        ),
    },
    Mend {
        criterion: "5.23/matsu-2",
        text: t(
            "不合格の設定に作業を起こすか、期限付きの例外を承認してもらいます。",
            "Raise a task for the failed setting, or have an exception with an expiry approved.",
        ),
    },
    Mend {
        criterion: "5.23/matsu-3",
        text: t(
            "終了計画を開き、通信の途絶・トークンの失効・消去証明書のうち欠けているものをそろえます。",
            "Open the exit plan and supply what is missing: silence of traffic, revoked tokens, or the certificate.",
        ),
    },
    Mend {
        criterion: "5.23/matsu-4",
        text: t(
            "野良クラウドへの対応の決定を確かめ、ウェブフィルタの適用先が最新のルールを読み込むようにします。",
            "See that a decision on stray clouds stands and that every edge of the web filter loads the current rules.",
        ),
    },
];
