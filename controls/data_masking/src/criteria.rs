//! What 梅, 竹 and 松 demand of data masking.

use model::{
    Check, Cond, Criterion, Expr, Level, Mend, Op, Origin, PerSubject, Predicate, Producer,
    Subjects, Value, t,
};

const DAY: u32 = 24;
const MONTH: u32 = 720;
const QUARTER: u32 = 2160;
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

const fn is(field: &'static str, value: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Text(value)))
}

/// Masking runs that wrote an output.
const RUNS: Subjects = Subjects::Records {
    types: &["data_masking.mask_run"],
    only: &[is("outcome", "done")],
    within_hours: MONTH,
};

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "8.11/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "データの用途ごとに、隠す方法と法令上の区分を決めた、署名済みの方針がある。",
            "Each use of data has a signed policy that names its methods and its law class.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Plans { kinds: &["masking_use"], only: &[] },
            must: Predicate::All(&[
                Predicate::Attributes(&[
                    needs("methods", Op::NotEmpty),
                    needs("law_class", Op::NotEmpty),
                ]),
                Predicate::Decision { kind: "approval" },
            ]),
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: Some(t(
            "既にある方針を取り込み、署名されていることを申告する。",
            "Import the policy you have and attest that it is signed.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.11/ume-2",
        level: Level::Ume,
        origin: Origin::Ume,
        text: t(
            "対象データセットの項目がすべて台帳に載り、機微さが分類されている。",
            "Every field of the datasets in scope is registered and classed.",
        ),
        // Judged per dataset, so that a dataset nobody has scanned is a miss with a name.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["dataset"], only: &[] },
            must: Predicate::Record {
                types: &["data_masking.field_scan"],
                only: &[],
                must: &[needs("fields", Op::AtLeast(1)), none("unclassified")],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: Some(t(
            "分類を記した項目一覧(表計算など)を取り込む。",
            "Import a list of fields with their classes, a spreadsheet for example.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.11/ume-3",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "本番以外の環境に、マスキングしていない本番データがない。",
            "No raw production data lies outside production.",
        ),
        // Links cannot narrow a denominator: every dataset outside production must show that it
        // is masked or clean, copied or not.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets {
                kinds: &["dataset"],
                only: &[needs("env", Op::Ne(Value::Text("production")))],
            },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["data_masking.mask_run"],
                    only: &[is("outcome", "done")],
                    must: &[yes("newer_than_copy")],
                },
                Predicate::Record {
                    types: &["data_masking.residual_scan"],
                    only: &[],
                    must: &[none("originals_found"), none("not_inspected")],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: Some(t(
            "写しごとに、データの責任者が生データのないことを申告する。",
            "For each copy the data owner attests that it holds no raw data.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 90,
    },
    Criterion {
        id: "8.11/ume-4",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "業務システムの機微な項目は、役割に応じて表示と入力を限っている。",
            "Applications limit by role which sensitive fields are shown and may be entered.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets {
                kinds: &["data_field"],
                only: &[
                    needs("application", Op::Present),
                    needs("role", Op::OneOf(&["direct", "quasi", "sensitive", "linking_code"])),
                ],
            },
            must: Predicate::Record {
                types: &["data_masking.view_probe"],
                only: &[],
                must: &[
                    needs("roles_probed", Op::AtLeast(1)),
                    none("differences"),
                    none("entries_accepted"),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: Some(t(
            "役割ごとの画面を確かめ、表示と入力が限られていることを申告する。",
            "Look at the screens of each role and attest that display and entry are limited.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.11/take-1",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "本番からの写しは、版と鍵の分かる反復可能なジョブで作られている。",
            "Copies of production come from repeatable jobs of a known rule version and key.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["data_masking.copy_seen"],
                only: &[
                    is("source_env", "production"),
                    needs("target_env", Op::Ne(Value::Text("production"))),
                ],
                within_hours: MONTH,
            },
            must: Predicate::Record {
                types: &["data_masking.mask_run"],
                only: &[],
                must: &[
                    is("outcome", "done"),
                    needs("rule_hash", Op::NotEmpty),
                    needs("key_id", Op::NotEmpty),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 90,
    },
    Criterion {
        id: "8.11/take-2",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "マスキングの後も、参照・一意性・制約・型が崩れていない。",
            "After masking nothing is broken: references, uniqueness, constraints and types hold.",
        ),
        check: Check::PerSubject(PerSubject {
            of: RUNS,
            must: Predicate::Record {
                types: &["data_masking.integrity_check"],
                only: &[],
                must: &[none("violations")],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.11/take-3",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "仮名加工・匿名加工したデータは、受渡しのたびに法定の加工基準をすべて満たしている。",
            "Pseudonymous and anonymous data meet every item of the law at each release.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["data_masking.release"],
                only: &[needs("law_class", Op::OneOf(&["pseudonymous", "anonymous"]))],
                within_hours: QUARTER,
            },
            must: Predicate::Record {
                types: &["data_masking.law_check"],
                only: &[],
                must: &[needs("items", Op::AtLeast(1)), none("items_failed")],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "8.11/take-4",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "社内外への受渡しは、渡すファイルそのものに対して、申請者と別の人が承認している。",
            "Each hand-over is approved by somebody other than the requester, for that very file.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["data_masking.release"],
                only: &[],
                within_hours: QUARTER,
            },
            // The decision binds the hash of the release, and the release holds the file's hash.
            must: Predicate::All(&[
                Predicate::Attributes(&[
                    needs("sha256", Op::NotEmpty),
                    needs("recipient", Op::NotEmpty),
                    needs("approver", Op::DiffersFrom("requester")),
                ]),
                Predicate::Decision { kind: "approval" },
            ]),
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 20,
    },
    Criterion {
        id: "8.11/take-5",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "分析用に渡すデータには、目的に挙げた項目だけが入っている。",
            "Data handed out for analysis holds only fields that its purpose names.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["data_masking.release"],
                only: &[is("use_kind", "analysis")],
                within_hours: QUARTER,
            },
            must: Predicate::Attributes(&[none("fields_beyond_purpose")]),
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.11/matsu-1",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "ジョブの前に毎回構造の変化を調べ、未分類の列があれば止まる。",
            "The schema is compared before each run, and an unclassified column stops it.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["database"], only: &[] },
            must: Predicate::Record {
                types: &["data_masking.schema_diff"],
                only: &[],
                must: &[none("unclassified"), none("runs_ungated")],
            },
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.11/matsu-2",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "機微な項目をもつ稼働中のデータベースは、役割に応じて動的にマスクされ、何も漏れない。",
            "Live databases with sensitive fields are masked by role, and probes leak nothing.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets {
                kinds: &["database"],
                only: &[is("env", "production"), yes("sensitive")],
            },
            must: Predicate::Record {
                types: &["data_masking.proxy_canary"],
                only: &[],
                must: &[needs("probes", Op::AtLeast(1)), none("leaked_bits")],
            },
            at_least_permille: ALL,
            fresh_hours: DAY,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 240,
    },
    Criterion {
        id: "8.11/matsu-3",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "社外に渡すデータは、再識別リスクを実測し、決めた上限に収まっている。",
            "For each external release the risk of re-identification is measured and within limits.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["data_masking.release"],
                only: &[yes("leaves_company")],
                within_hours: QUARTER,
            },
            must: Predicate::Record {
                types: &["data_masking.risk_report"],
                only: &[],
                must: &[
                    none("limits_exceeded"),
                    needs("k_required", Op::AtMostField("k")),
                    needs("attack_success_permille", Op::AtMostField("attack_limit_permille")),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "8.11/matsu-4",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "マスキングの鍵はデータの保管者と別の人が持ち、期限までに廃棄されている。",
            "Masking keys are held apart from the data and destroyed by their date.",
        ),
        // The keys of this control are those of its mask domains; `key` also holds others' keys.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["mask_domain"], only: &[] },
            must: Predicate::Record {
                types: &["data_masking.key_event"],
                only: &[],
                must: &[
                    needs("holder", Op::DiffersFrom("data_holder")),
                    none("destroy_overdue_days"),
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
        id: "8.11/matsu-5",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "マスキングした出力に元の値が一つも残らず、検査できなかった部分もない。",
            "No original value survives in a masked output, and no part of it went uninspected.",
        ),
        check: Check::PerSubject(PerSubject {
            of: RUNS,
            must: Predicate::Record {
                types: &["data_masking.residual_scan"],
                only: &[],
                must: &[none("originals_found"), none("not_inspected")],
            },
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
        criterion: "8.11/ume-1",
        text: t(
            "「用途」の画面で、受け取る人・方法・法令上の区分を埋め、署名してください。",
            "On the Uses page fill in receiver, methods and law class, and sign.",
        ),
    },
    Mend {
        criterion: "8.11/ume-2",
        text: t(
            "データセットの項目一覧を取り込み、未分類の項目を分類してください。",
            "Import the fields of the dataset and class those that are not.",
        ),
    },
    Mend {
        criterion: "8.11/ume-3",
        text: t(
            "その写しをマスキングし直すか、消去して結果を記録してください。",
            "Mask that copy again or delete it, and record the result.",
        ),
    },
    Mend {
        criterion: "8.11/ume-4",
        text: t(
            "項目の表示ルールを定め、業務システムの画面をそれに合わせてください。",
            "Set a field view rule and bring the application's screens in line with it.",
        ),
    },
    Mend {
        criterion: "8.11/take-1",
        text: t(
            "手作業の写しをやめ、版のあるマスキングルールのジョブで作り直してください。",
            "Replace the copy made by hand by one from a job with a versioned masking rule.",
        ),
    },
    Mend {
        criterion: "8.11/take-2",
        text: t(
            "違反の出た列のルールを直し、ジョブをやり直してください。",
            "Mend the rule of the column that breaks and run the job again.",
        ),
    },
    Mend {
        criterion: "8.11/take-3",
        text: t(
            "満たしていない基準の項目を開き、方法を変えてから渡し直してください。",
            "Open the item of the law that is not met, change the method and release again.",
        ),
    },
    Mend {
        criterion: "8.11/take-4",
        text: t(
            "「受渡し」の画面で、申請者以外の人が加工前後を見て承認か却下をしてください。",
            "On the Releases page somebody else than the requester reads before and after, and decides.",
        ),
    },
    Mend {
        criterion: "8.11/take-5",
        text: t(
            "目的にない項目を除いて渡し直すか、用途の必要項目を見直して署名してください。",
            "Release again without those fields, or revise and sign the fields the use needs.",
        ),
    },
    Mend {
        criterion: "8.11/matsu-1",
        text: t(
            "新しい列を分類し、構造の確認をジョブの前に必ず置いてください。",
            "Class the new columns and put the schema check before every job.",
        ),
    },
    Mend {
        criterion: "8.11/matsu-2",
        text: t(
            "データベースの前にマスキングの中継を置き、元の表への権限を外してください。",
            "Put the masking proxy in front of the database and take away rights on its base tables.",
        ),
    },
    Mend {
        criterion: "8.11/matsu-3",
        text: t(
            "再識別リスクを測り、上限を超えるときは一般化や抑制を強めてください。",
            "Measure the risk and, where a limit is exceeded, generalise or suppress more.",
        ),
    },
    Mend {
        criterion: "8.11/matsu-4",
        text: t(
            "「鍵」の画面で保管者を分け、期限の過ぎた鍵を廃棄してください。",
            "On the Keys page separate the holders and destroy keys past their date.",
        ),
    },
    Mend {
        criterion: "8.11/matsu-5",
        text: t(
            "残っていた場所のルールを足し、検査できない部分を除いてからやり直してください。",
            "Add a rule for the place where originals remain, remove what cannot be inspected, run again.",
        ),
    },
];

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("8.11/ume-1"),
        Expr::One("8.11/ume-2"),
        Expr::One("8.11/ume-3"),
        Expr::One("8.11/ume-4"),
    ]),
    Expr::All(&[
        Expr::One("8.11/take-1"),
        Expr::One("8.11/take-2"),
        Expr::One("8.11/take-3"),
        Expr::One("8.11/take-4"),
        Expr::One("8.11/take-5"),
    ]),
    Expr::All(&[
        Expr::One("8.11/matsu-1"),
        Expr::One("8.11/matsu-2"),
        Expr::One("8.11/matsu-3"),
        Expr::One("8.11/matsu-4"),
        Expr::One("8.11/matsu-5"),
    ]),
];
