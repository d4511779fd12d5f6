//! What 梅, 竹 and 松 demand of leakage prevention.

use model::{
    Check, Cond, Criterion, Expr, Level, Mend, Op, Origin, PerSubject, Predicate, Producer,
    Subjects, Value, t,
};

const DAY: u32 = 24;
const WEEK: u32 = 168;
const MONTH: u32 = 720;
const QUARTER: u32 = 2160;
const HALF_YEAR: u32 = 4320;
const YEAR: u32 = 8760;

const ALL: u16 = 1000;

const fn needs(field: &'static str, op: Op) -> Cond {
    Cond { field, op }
}

const fn none(field: &'static str) -> Cond {
    needs(field, Op::AtMost(0))
}

const fn yes(field: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Bool(true)))
}

const fn no(field: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Bool(false)))
}

const fn is(field: &'static str, value: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Text(value)))
}

/// Every cause times every channel, written out so that nothing can be forgotten in silence.
const CELLS: &[&str] = &[
    "intrusion/mail",
    "intrusion/web",
    "intrusion/cloud_share",
    "intrusion/file_share",
    "intrusion/removable_media",
    "intrusion/print",
    "intrusion/device",
    "intrusion/public_store",
    "intrusion/wire",
    "intrusion/screen_photo",
    "intrusion/talk",
    "eavesdropping/mail",
    "eavesdropping/web",
    "eavesdropping/cloud_share",
    "eavesdropping/file_share",
    "eavesdropping/removable_media",
    "eavesdropping/print",
    "eavesdropping/device",
    "eavesdropping/public_store",
    "eavesdropping/wire",
    "eavesdropping/screen_photo",
    "eavesdropping/talk",
    "malware/mail",
    "malware/web",
    "malware/cloud_share",
    "malware/file_share",
    "malware/removable_media",
    "malware/print",
    "malware/device",
    "malware/public_store",
    "malware/wire",
    "malware/screen_photo",
    "malware/talk",
    "insider/mail",
    "insider/web",
    "insider/cloud_share",
    "insider/file_share",
    "insider/removable_media",
    "insider/print",
    "insider/device",
    "insider/public_store",
    "insider/wire",
    "insider/screen_photo",
    "insider/talk",
    "misconfiguration/mail",
    "misconfiguration/web",
    "misconfiguration/cloud_share",
    "misconfiguration/file_share",
    "misconfiguration/removable_media",
    "misconfiguration/print",
    "misconfiguration/device",
    "misconfiguration/public_store",
    "misconfiguration/wire",
    "misconfiguration/screen_photo",
    "misconfiguration/talk",
    "operating_error/mail",
    "operating_error/web",
    "operating_error/cloud_share",
    "operating_error/file_share",
    "operating_error/removable_media",
    "operating_error/print",
    "operating_error/device",
    "operating_error/public_store",
    "operating_error/wire",
    "operating_error/screen_photo",
    "operating_error/talk",
    "failure/mail",
    "failure/web",
    "failure/cloud_share",
    "failure/file_share",
    "failure/removable_media",
    "failure/print",
    "failure/device",
    "failure/public_store",
    "failure/wire",
    "failure/screen_photo",
    "failure/talk",
];

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "8.12/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "守るべき情報を特定し、区分・責任者・見分け方(検知器か指紋)を決めている。",
            "Protected information is identified: class, owner, and a detector or fingerprint.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["dataset", "store"], only: &[] },
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["leakage_prevention.identified"],
                    only: &[],
                    must: &[yes("class_set"), yes("owner_set")],
                },
                Predicate::Any(&[
                    Predicate::Record {
                        types: &["leakage_prevention.identified"],
                        only: &[],
                        must: &[needs("detectors", Op::AtLeast(1))],
                    },
                    Predicate::Record {
                        types: &["leakage_prevention.identified"],
                        only: &[],
                        must: &[needs("fingerprints", Op::AtLeast(1))],
                    },
                ]),
            ]),
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: Some(t(
            "情報資産台帳を取り込み、責任者が申告する。",
            "Import the register of information; the owner attests.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.12/ume-2",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "社外へのメールは、送る前に確認され、決めた時間だけ保留される。",
            "External mail is checked before it leaves and held for the set minutes.",
        ),
        // The denominator is the mail server's own log, so a mail that went round the guard is a
        // miss.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["leakage_prevention.mta_mail"],
                only: &[yes("external")],
                within_hours: DAY,
            },
            must: Predicate::Record {
                types: &["leakage_prevention.mail_verdict"],
                only: &[],
                must: &[needs("hold_set_min", Op::AtMostField("hold_min"))],
            },
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: Some(t(
            "メール製品の保留記録を取り込むか、送信前の確認表の使用を申告する。",
            "Import the gateway's hold log, or attest the checklist used before sending.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 20,
    },
    Criterion {
        id: "8.12/ume-3",
        level: Level::Ume,
        origin: Origin::Ume,
        text: t(
            "保管場所を90日以内に走査し、何がどこにあるかを確かめている。",
            "Every store has been scanned completely within 90 days.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["store"], only: &[] },
            must: Predicate::Record {
                types: &["leakage_prevention.scan_run"],
                only: &[],
                must: &[yes("complete")],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: Some(t(
            "責任者が自分で探し、結果を申告する。",
            "The owner searches the store and attests the result.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.12/ume-4",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "全員が、画面撮影の禁止と不用意な会話を含む教育に合格している。",
            "Everyone has passed education, screen photos and careless talk included.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parties { kinds: &["person"], only: &[] },
            must: Predicate::Record {
                types: &["leakage_prevention.education_result"],
                only: &[],
                must: &[yes("passed"), yes("screen_photo"), yes("careless_talk")],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: Some(t(
            "研修の出席者名簿を取り込む。",
            "Import the attendance list of a training.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.12/ume-5",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "承認のない機器の持出しがなく、部署ごとの自己点検で見つかった不備がタスクになっている。",
            "No device is out without approval; each team inspects itself and tasks its gaps.",
        ),
        // Devices are judged with the team that holds them: one check has one denominator.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parties { kinds: &["team"], only: &[] },
            must: Predicate::Record {
                types: &["leakage_prevention.self_inspection"],
                only: &[],
                must: &[
                    needs("items", Op::AtLeast(1)),
                    needs("gaps", Op::AtMostField("gaps_tasked")),
                    none("devices_out_unapproved"),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: Some(t(
            "紙の持出し簿と自己点検表を確かめて申告する。",
            "Attest with the paper take-out book and inspection sheets.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.12/ume-6",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "守るべき情報の保管場所で、アクセスログが取れていて、確認されている。",
            "Access to stores of protected information is logged, and the log is reviewed.",
        ),
        // Whether a store is protected is decided by 8.12/ume-1, so every store in scope counts
        // here.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["store"], only: &[] },
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["leakage_prevention.access_log_status"],
                    only: &[],
                    must: &[yes("live")],
                },
                Predicate::Record {
                    types: &["leakage_prevention.access_review"],
                    only: &[],
                    must: &[yes("signed")],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: Some(t(
            "アクセスログを確認した会議の議事録を申告する。",
            "Attest with the minutes of the log review.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.12/take-1",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "ルールが選んだメールは、差出人以外の上長が、その内容そのものに対して承認か却下をしている。",
            "Mail the rule selects is decided by a superior other than the sender, for that very message.",
        ),
        // A mail that was cancelled or returned undelivered needs no decision.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["leakage_prevention.mail_verdict"],
                only: &[is("action", "superior")],
                within_hours: MONTH,
            },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["leakage_prevention.mail_transition"],
                    only: &[needs("step", Op::OneOf(&["approved", "refused"]))],
                    must: &[needs("approver", Op::DiffersFrom("sender")), yes("hash_bound")],
                },
                Predicate::Record {
                    types: &["leakage_prevention.mail_transition"],
                    only: &[needs("step", Op::OneOf(&["cancelled", "returned"]))],
                    must: &[no("delivered")],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 15,
    },
    Criterion {
        id: "8.12/take-2",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "メール・Web・可搬媒体・共有・印刷のすべてで内容を検査し、毎日の模擬データを検知している。",
            "Content is checked on mail, web, removable media, share and print: the daily canary is caught.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts {
                field: "channel",
                parts: &["mail", "web", "removable_media", "file_share", "print"],
            },
            must: Predicate::Record {
                types: &["leakage_prevention.canary_result"],
                only: &[],
                must: &[yes("caught")],
            },
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "8.12/take-3",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "持ち出し・書き出しを5分以内に管理者へ知らせ、期限内に対応している。",
            "Carry-out raises an alarm within five minutes and is handled in due time.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["leakage_prevention.content_finding"],
                only: &[needs("severity", Op::OneOf(&["high", "critical"]))],
                within_hours: MONTH,
            },
            must: Predicate::Record {
                types: &["leakage_prevention.alarm_handled"],
                only: &[],
                must: &[
                    needs("alarm_s", Op::AtMost(300)),
                    needs("handled_min", Op::AtMostField("due_min")),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.12/take-4",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "保管場所を定期に棚卸しし、古い個人データを片付けている。",
            "Stores are inventoried regularly; stale personal data is tasked and closed.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["store"], only: &[] },
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["leakage_prevention.scan_run"],
                    only: &[is("mode", "delta")],
                    must: &[yes("complete")],
                },
                Predicate::Record {
                    types: &["leakage_prevention.inventory"],
                    only: &[],
                    must: &[
                        needs("stale_found", Op::AtMostField("stale_tasked")),
                        needs("stale_found", Op::AtMostField("stale_closed")),
                    ],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.12/take-5",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "持ち出す端末は、承認・返却・遠隔消去の備えがそろっている。",
            "Devices that go out are approved, come back, and can be wiped.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets {
                kinds: &["hardware"],
                only: &[needs("type", Op::OneOf(&["pc", "phone"]))],
            },
            must: Predicate::Record {
                types: &["leakage_prevention.device_state"],
                only: &[],
                must: &[
                    none("out_unapproved"),
                    needs("overdue", Op::AtMostField("overdue_tasked")),
                    yes("wipe_route_tested"),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 20,
    },
    Criterion {
        id: "8.12/take-6",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "漏えいとヒヤリハットを、m-SHELLとスクエアで分析し、対策をタスクにしている。",
            "Leaks and near misses are analysed by m-SHELL and the square, with a measure tasked.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["leakage_prevention.leak", "leakage_prevention.near_miss"],
                only: &[],
                within_hours: QUARTER,
            },
            must: Predicate::Record {
                types: &["leakage_prevention.incident_analysis"],
                only: &[],
                must: &[
                    needs("mshell_factors", Op::AtLeast(1)),
                    needs("square_factors", Op::AtLeast(1)),
                    needs("measures_tasked", Op::AtLeast(1)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 90,
    },
    Criterion {
        id: "8.12/take-7",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "退職者の確認、二人での大量書き出し、特権利用の確認を、期日までに終えている。",
            "Leaver reviews, two-person bulk exports and privileged reviews are closed when due.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["leakage_prevention.insider_step_due"],
                only: &[],
                within_hours: QUARTER,
            },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["leakage_prevention.insider_step"],
                    only: &[needs("step", Op::OneOf(&["leaver_review", "privileged_review"]))],
                    must: &[yes("closed")],
                },
                Predicate::Record {
                    types: &["leakage_prevention.insider_step"],
                    only: &[is("step", "bulk_export")],
                    must: &[yes("closed"), needs("second_person", Op::DiffersFrom("actor"))],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.12/matsu-1",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "端末とネットワークの出口で、持ち出しをその場で止めている。",
            "Endpoints and the ways out of the network block carry-out inline.",
        ),
        // One condition serves both kinds: hosts that are endpoints, channels that leave the
        // network.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets {
                kinds: &["host", "channel"],
                only: &[needs(
                    "type",
                    Op::OneOf(&[
                        "pc",
                        "mobile",
                        "mail",
                        "web",
                        "cloud_share",
                        "public_store",
                        "wire",
                    ]),
                )],
            },
            must: Predicate::Record {
                types: &["leakage_prevention.canary_result"],
                only: &[yes("blocking")],
                must: &[yes("refused")],
            },
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "8.12/matsu-2",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "最上位の情報は、元のデータから7日以内に更新された完全一致・指紋の索引で照合している。",
            "Top-class data is matched by an exact or fingerprint index at most seven days behind.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["dataset"], only: &[is("confidentiality", "strict")] },
            must: Predicate::Record {
                types: &["leakage_prevention.index_built"],
                only: &[],
                must: &[needs("lag_h", Op::AtMost(168))],
            },
            at_least_permille: ALL,
            fresh_hours: WEEK,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.12/matsu-3",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "差出人とファイル利用者のふるまい検知が学習を終え、誤検知は許容件数に収まっている。",
            "Behaviour models of senders and file users are past cold start and within their alarm budget.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parties { kinds: &["person"], only: &[] },
            must: Predicate::Record {
                types: &["leakage_prevention.behaviour_status"],
                only: &[],
                must: &[
                    needs("models_due", Op::AtMostField("models_warm")),
                    needs("judged_false", Op::AtMostField("budget_total")),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.12/matsu-4",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "検査できない対象は1件ずつ判断され、全体の2%以下である。",
            "Each object that cannot be inspected is decided upon, and they are at most 2 %.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "place", parts: &["stores", "mail", "web", "endpoints"] },
            must: Predicate::Record {
                types: &["leakage_prevention.uninspected"],
                only: &[],
                must: &[
                    needs("objects", Op::AtLeast(1)),
                    needs("not_inspected_permille", Op::AtMost(20)),
                    none("undecided"),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.12/matsu-5",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "検知器ごとに、人が判断した標本と模擬データで精度を測り、区間を示している。",
            "The accuracy of each detector is measured on judged samples and canaries, with its interval.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Rules { kinds: &["inspect_profile", "word_rule"], only: &[] },
            must: Predicate::Record {
                types: &["leakage_prevention.detector_accuracy"],
                only: &[],
                must: &[
                    needs("judged", Op::AtLeast(1)),
                    needs("canaries", Op::AtLeast(1)),
                    needs("precision_low_permille", Op::AtMostField("precision_high_permille")),
                    needs("recall_low_permille", Op::AtMostField("recall_high_permille")),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.12/matsu-6",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "端末の種類ごとに、訓練で遠隔消去の完了を確かめている。",
            "For each kind of device a drill has confirmed the remote wipe.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "device_kind", parts: &["pc", "phone"] },
            must: Predicate::Record {
                types: &["leakage_prevention.wipe"],
                only: &[yes("drill")],
                must: &[yes("confirmed")],
            },
            at_least_permille: ALL,
            fresh_hours: HALF_YEAR,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "8.12/matsu-7",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "原因と経路のすべての組合せに、動いている対策か、期限内の判断がある。",
            "Every cell of cause and channel has a live control or an unexpired decision.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts { field: "cell", parts: CELLS },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["leakage_prevention.cell_status"],
                    only: &[],
                    must: &[needs("controls_live", Op::AtLeast(1))],
                },
                Predicate::Decision { kind: "exception" },
            ]),
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
];

pub(crate) const MENDS: &[Mend] = &[
    Mend {
        criterion: "8.12/ume-1",
        text: t(
            "データセットと保管場所に区分・責任者・検知器を付けてください。",
            "Give the dataset or store its class, its owner and a detector.",
        ),
    },
    Mend {
        criterion: "8.12/ume-2",
        text: t(
            "判定を通らずに出たメールの経路を調べ、社外メールを誤送信防止に通してください。",
            "Find how that mail went round the guard, and route external mail through it.",
        ),
    },
    Mend {
        criterion: "8.12/ume-3",
        text: t(
            "その保管場所を走査の対象に加え、最後まで走らせてください。",
            "Add the store to the scanner and let the scan run to its end.",
        ),
    },
    Mend {
        criterion: "8.12/ume-4",
        text: t(
            "未受講の人に教材を割り当て、期限を知らせてください。",
            "Assign the modules to whoever has not passed and tell them the date.",
        ),
    },
    Mend {
        criterion: "8.12/ume-5",
        text: t(
            "部署の自己点検を行い、不備をタスクにし、未承認の持出しを承認か返却にしてください。",
            "Hold the team's self-inspection, task its gaps, and approve or call back devices that are out.",
        ),
    },
    Mend {
        criterion: "8.12/ume-6",
        text: t(
            "保管場所のアクセスログを取り込み、月ごとの確認に署名してください。",
            "Take in the store's access log and sign its monthly review.",
        ),
    },
    Mend {
        criterion: "8.12/take-1",
        text: t(
            "「承認」の画面で待っているメールを開き、承認か却下をしてください。",
            "Open the mail that waits on the Approvals page and decide.",
        ),
    },
    Mend {
        criterion: "8.12/take-2",
        text: t(
            "検知できなかった経路の検査を有効にし、模擬データを流し直してください。",
            "Enable inspection on the channel that missed it and run the canary again.",
        ),
    },
    Mend {
        criterion: "8.12/take-3",
        text: t(
            "対応していない警報を開いて判断を記し、遅い通知は経路を直してください。",
            "Open and judge the alarms not handled; mend the route of those that came late.",
        ),
    },
    Mend {
        criterion: "8.12/take-4",
        text: t(
            "棚卸しの一覧を開き、古い個人データの削除タスクを閉じてください。",
            "Open the inventory and close the deletion tasks of stale personal data.",
        ),
    },
    Mend {
        criterion: "8.12/take-5",
        text: t(
            "端末の承認と返却を記録し、遠隔消去の経路を試してください。",
            "Record approval and return of the device and test its wipe route.",
        ),
    },
    Mend {
        criterion: "8.12/take-6",
        text: t(
            "「要因分析」を開き、要因を選び、対策をタスクにしてください。",
            "Open the analysis, choose the factors and make the measure a task.",
        ),
    },
    Mend {
        criterion: "8.12/take-7",
        text: t(
            "期日を過ぎた手順を開き、必要なら二人で実施して完了にしてください。",
            "Open the overdue step, carry it out, by two people where asked, and close it.",
        ),
    },
    Mend {
        criterion: "8.12/matsu-1",
        text: t(
            "遮断できなかった端末・出口で、ルールを記録のみから強制へ切り替えてください。",
            "On the endpoint or way out that let it pass, move the rule from log to enforce.",
        ),
    },
    Mend {
        criterion: "8.12/matsu-2",
        text: t(
            "そのデータの索引を作り直し、毎週の更新を予定してください。",
            "Build the index of that dataset again and schedule it weekly.",
        ),
    },
    Mend {
        criterion: "8.12/matsu-3",
        text: t(
            "学習に必要なログを取り込み、誤検知を判断して感度を調整してください。",
            "Take in the logs the model needs, judge its alarms and tune it.",
        ),
    },
    Mend {
        criterion: "8.12/matsu-4",
        text: t(
            "「検査不能」の一覧で、通す・止める・開けるようにするを決めてください。",
            "On the list of uninspected objects decide: pass, stop or make readable.",
        ),
    },
    Mend {
        criterion: "8.12/matsu-5",
        text: t(
            "検知器の標本を人が判断し、模擬データを流して精度を測ってください。",
            "Judge a sample of the detector's findings, run canaries and measure.",
        ),
    },
    Mend {
        criterion: "8.12/matsu-6",
        text: t(
            "試験用の端末で遠隔消去を行い、消去の確認が返るまで見届けてください。",
            "Wipe a test device remotely and wait until the confirmation is back.",
        ),
    },
    Mend {
        criterion: "8.12/matsu-7",
        text: t(
            "赤い組合せを開き、対策を結び付けるか、受け入れる判断に署名してください。",
            "Open the red cell and tie a control to it, or sign the decision to accept it.",
        ),
    },
];

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("8.12/ume-1"),
        Expr::One("8.12/ume-2"),
        Expr::One("8.12/ume-3"),
        Expr::One("8.12/ume-4"),
        Expr::One("8.12/ume-5"),
        Expr::One("8.12/ume-6"),
    ]),
    Expr::All(&[
        Expr::One("8.12/take-1"),
        Expr::One("8.12/take-2"),
        Expr::One("8.12/take-3"),
        Expr::One("8.12/take-4"),
        Expr::One("8.12/take-5"),
        Expr::One("8.12/take-6"),
        Expr::One("8.12/take-7"),
    ]),
    Expr::All(&[
        Expr::One("8.12/matsu-1"),
        Expr::One("8.12/matsu-2"),
        Expr::One("8.12/matsu-3"),
        Expr::One("8.12/matsu-4"),
        Expr::One("8.12/matsu-5"),
        Expr::One("8.12/matsu-6"),
        Expr::One("8.12/matsu-7"),
    ]),
];
