//! What 梅, 竹 and 松 demand of secure coding.

use model::{
    Aggregate, Bound, Check, Cond, Criterion, Expr, Level, Measure, Mend, Op, Origin, PerSubject,
    Predicate, Producer, Subjects, Value, t,
};

const DAY: u32 = 24;
const WEEK: u32 = 168;
const MONTH: u32 = 720;
const QUARTER: u32 = 2160;
const YEAR: u32 = 8760;

const ALL: u16 = 1000;

const fn needs(field: &'static str, op: Op) -> Cond {
    Cond { field, op }
}

const fn yes(field: &'static str) -> Cond {
    needs(field, Op::Eq(Value::Bool(true)))
}

pub(crate) const CRITERIA: &[Criterion] = &[
    Criterion {
        id: "8.28/ume-1",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "脆弱性の11種類それぞれに、悪い例と良い例をもつ承認済みの規則があるか、署名した対象外の判断がある(12か月以内)。",
            "Each of the eleven classes has an approved rule with a bad and a good example, or a signed exclusion, no older than 12 months.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts {
                field: "class",
                parts: &[
                    "sql_injection",
                    "os_command_injection",
                    "path_traversal",
                    "session_management",
                    "cross_site_scripting",
                    "csrf",
                    "http_header_injection",
                    "mail_header_injection",
                    "clickjacking",
                    "buffer_overflow",
                    "access_control",
                ],
            },
            must: Predicate::Any(&[
                Predicate::Record {
                    types: &["secure_coding.standard_clause"],
                    only: &[],
                    must: &[
                        yes("approved"),
                        needs("bad_examples", Op::AtLeast(1)),
                        needs("good_examples", Op::AtLeast(1)),
                    ],
                },
                Predicate::Decision { kind: "code_class_exclusion" },
            ]),
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: Some(t(
            "自社の標準を取り込み、11種類を扱っていることを申告する。",
            "Import your own standard and attest that it covers the classes.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.28/ume-2",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "進行中の開発に携わる社内・委託先の全員が、公開から30日以内に、いま有効な標準の版を読んだと確認している。",
            "Everyone on an active project, staff and contractors, has acknowledged the standard in force within 30 days of its publication.",
        ),
        // The roster of the day names the newest acknowledgement and says whether it is of
        // the hash in force: an acknowledgement cannot know of the versions that follow it.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["secure_coding.project_member"],
                only: &[yes("active")],
                within_hours: DAY,
            },
            must: Predicate::Attributes(&[
                needs("ack", Op::NotEmpty),
                yes("ack_of_current_hash"),
                needs("ack_delay_days", Op::AtMost(30)),
            ]),
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: Some(t("署名のある周知の一覧を取り込む。", "Import the signed lists of readers.")),
        producer: Producer::NotYet,
        minutes_per_miss: 10,
    },
    Criterion {
        id: "8.28/ume-3",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "見つかったすべてのリポジトリが、管理者・社内か委託かの区分・承認済みのセキュリティ要件をもつプロジェクトに属している(90日以内に確認)。",
            "Every repository found belongs to a project with a manager, an in-house or contracted flag and approved security requirements, checked within 90 days.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["repository"], only: &[] },
            must: Predicate::Record {
                types: &["secure_coding.project_status"],
                only: &[],
                must: &[
                    yes("in_project"),
                    yes("has_manager"),
                    needs("sourcing", Op::OneOf(&["in_house", "contracted"])),
                    yes("requirements_approved"),
                    needs("repositories_unassigned", Op::AtMost(0)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: QUARTER,
        }),
        by_hand: Some(t(
            "プロジェクト一覧を取り込み、セキュリティ要件があることを申告する。",
            "Import the project list and attest its security requirements.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.28/ume-4",
        level: Level::Ume,
        origin: Origin::Slides,
        text: t(
            "標準にオープンソースの条項があり、すべてのリポジトリに30日以内の部品表がある。",
            "The standard has clauses on open source, and every repository has a component list no older than 30 days.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["repository"], only: &[] },
            must: Predicate::Record {
                types: &["secure_coding.component_list"],
                only: &[],
                must: &[
                    needs("components", Op::AtLeast(0)),
                    needs("standard_oss_clauses", Op::AtLeast(1)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: Some(t(
            "部品表(SBOMなど)を取り込む。",
            "Import a component list such as an SBOM.",
        )),
        producer: Producer::NotYet,
        minutes_per_miss: 20,
    },
    Criterion {
        id: "8.28/take-1",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "設計から保守までの8章をもつ標準があり、どの条項もルール・レビュー項目・署名した手作業のいずれかに結ばれ、6割以上がルールで確かめられる。",
            "The standard has its eight chapters from design to maintenance; every clause is bound to a rule, a review item or a signed “manual”, at least 60 % to a rule.",
        ),
        // The 60 % hold for the whole standard, so every chapter's record carries the same figure.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Parts {
                field: "chapter",
                parts: &[
                    "design",
                    "coding",
                    "review",
                    "oss",
                    "secrets_and_build",
                    "test",
                    "delivery",
                    "maintenance",
                ],
            },
            must: Predicate::Record {
                types: &["secure_coding.standard_chapter"],
                only: &[],
                must: &[
                    needs("clauses", Op::AtLeast(1)),
                    needs("unbound", Op::AtMost(0)),
                    needs("languages_missing", Op::AtMost(0)),
                    needs("standard_by_rule_permille", Op::AtLeast(600)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.28/take-2",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "プロジェクトごとに、データの流れ・脅威・セキュリティ機能の設計レビューがあり、いまの経路と保存先がレビュー時と変わっていない。",
            "Every project has a design review of data flow, threats and security functions, and its routes and stores are still the ones reviewed.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["dev_project"], only: &[yes("active")] },
            must: Predicate::All(&[
                Predicate::Record {
                    types: &["secure_coding.design_review"],
                    only: &[],
                    must: &[
                        yes("data_flow"),
                        needs("threats", Op::AtLeast(1)),
                        needs("security_functions", Op::AtLeast(1)),
                    ],
                },
                Predicate::Record {
                    types: &["secure_coding.design_drift"],
                    only: &[],
                    must: &[
                        needs("routes_differing", Op::AtMost(0)),
                        needs("stores_differing", Op::AtMost(0)),
                    ],
                },
            ]),
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 120,
    },
    Criterion {
        id: "8.28/take-3",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "既定ブランチを7日以内に、取り込んだ変更はすべて検査している。自社コードの95%以上の行を解析し、残りは理由つきで示している。",
            "The default branch was scanned within 7 days and every merged change was; at least 95 % of first-party lines are analysed and the rest is named.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["repository"], only: &[] },
            must: Predicate::Record {
                types: &["secure_coding.code_scan"],
                only: &[yes("default_branch")],
                must: &[
                    needs("merges_unscanned", Op::AtMost(0)),
                    needs("analysed_permille", Op::AtLeast(950)),
                    needs("lines_unnamed", Op::AtMost(0)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: WEEK,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.28/take-4",
        level: Level::Take,
        origin: Origin::Slides,
        text: t(
            "30日間のマージの95%以上に、ゲートの結果と、作成者とは別の人によるレビューがある。",
            "At least 95 % of the merges of 30 days have a gate result and a reviewer other than the author.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["secure_coding.change_review"],
                only: &[],
                within_hours: MONTH,
            },
            must: Predicate::Attributes(&[
                needs("gate_result", Op::NotEmpty),
                needs("reviewer", Op::DiffersFrom("author")),
            ]),
            at_least_permille: 950,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 15,
    },
    Criterion {
        id: "8.28/take-5",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "期限を過ぎた重大な検出が、有効な猶予なしに残っているものは一件もない。",
            "No high finding is past its deadline without an unexpired waiver.",
        ),
        // Judged per repository: a repository without open high findings passes instead of being no subject.
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["repository"], only: &[] },
            must: Predicate::Record {
                types: &["secure_coding.finding_summary"],
                only: &[],
                must: &[
                    needs("open_high", Op::AtLeast(0)),
                    needs("high_overdue_unwaived", Op::AtMost(0)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: WEEK,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 90,
    },
    Criterion {
        id: "8.28/take-6",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "委託先の納品物は、受け取ったアーカイブそのもののハッシュについて、検収の前に検査している。",
            "Every delivery of a contractor is checked, by the hash of the very archive, before it is accepted.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["secure_coding.delivery"],
                only: &[],
                within_hours: YEAR,
            },
            must: Predicate::Record {
                types: &["secure_coding.delivery_check"],
                only: &[],
                must: &[yes("archive_hash_matches"), yes("before_acceptance")],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 45,
    },
    Criterion {
        id: "8.28/take-7",
        level: Level::Take,
        origin: Origin::Ume,
        text: t(
            "同梱されたものを含むすべての部品が承認済みで、ライセンスが許され、既知の脆弱性が期限内に扱われている。",
            "Every component, vendored copies included, is approved, has an allowed licence, and its known vulnerabilities are inside their deadlines.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["secure_coding.oss_intake"],
                only: &[],
                within_hours: MONTH,
            },
            must: Predicate::Attributes(&[
                yes("approved"),
                yes("licence_allowed"),
                needs("vulnerabilities_overdue", Op::AtMost(0)),
            ]),
            at_least_permille: ALL,
            fresh_hours: MONTH,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 30,
    },
    Criterion {
        id: "8.28/matsu-1",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "対象のリリースごとに、そのコミットの静的診断と、そのコミットから作ったものの動的診断を行い、該当する種類をすべて試験している。",
            "Each release in scope has a static scan of its commit, a dynamic test of the build of that commit, and every applicable class tested.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["release"], only: &[yes("in_scope")] },
            must: Predicate::Record {
                types: &["secure_coding.release_assessment"],
                only: &[],
                must: &[
                    yes("sast_of_commit"),
                    yes("dast_of_build"),
                    yes("build_of_commit"),
                    needs("classes_tested", Op::AtLeast(1)),
                    needs("classes_applicable", Op::AtMostField("classes_tested")),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 240,
    },
    Criterion {
        id: "8.28/matsu-2",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "重大な検出は、リリースの判断より前に再試験するか、リスクを受け入れている。",
            "High findings are retested, or their risk accepted, before the release decision.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets { kinds: &["release"], only: &[yes("in_scope")] },
            must: Predicate::Record {
                types: &["secure_coding.retest"],
                only: &[],
                must: &[needs("high_unsettled", Op::AtMost(0)), yes("before_decision")],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 90,
    },
    Criterion {
        id: "8.28/matsu-3",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "試験できる種類の静的診断の検出のうち8割以上に、動的診断か試験担当の判定がある。",
            "At least 80 % of the static findings in testable classes have a verdict of a dynamic test or a tester.",
        ),
        check: Check::Aggregate(Aggregate {
            types: &["secure_coding.proof_summary"],
            only: &[],
            within_hours: YEAR,
            measure: Measure::SumShare { part: "with_verdict", whole: "testable_findings" },
            bound: Bound::AtLeast(800),
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
    Criterion {
        id: "8.28/matsu-4",
        level: Level::Matsu,
        origin: Origin::Slides,
        text: t(
            "インターネットに公開するアプリケーションごとに、範囲・独立した試験者・再試験を記した12か月以内のペネトレーションテスト報告書がある。",
            "Each internet-facing application has a penetration test report of the last 12 months with scope, independent tester and retest.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Assets {
                kinds: &["application"],
                only: &[needs("exposure", Op::Eq(Value::Text("internet")))],
            },
            must: Predicate::Record {
                types: &["secure_coding.pentest_report"],
                only: &[],
                must: &[
                    yes("scope_stated"),
                    yes("tester_independent"),
                    yes("retested"),
                    needs("test_age_days", Op::AtMost(365)),
                ],
            },
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 480,
    },
    Criterion {
        id: "8.28/matsu-5",
        level: Level::Matsu,
        origin: Origin::Ume,
        text: t(
            "自社で行う診断は毎回、コードと通信に仕込んだ目印をすべて見つけている。見つけられない診断は証拠としない。",
            "Each run of our own found the canaries planted in code and on the wire; a run that did not is no evidence.",
        ),
        check: Check::PerSubject(PerSubject {
            of: Subjects::Records {
                types: &["secure_coding.assessment_run"],
                only: &[],
                within_hours: YEAR,
            },
            must: Predicate::Attributes(&[
                needs("code_canaries", Op::AtLeast(1)),
                needs("code_canaries", Op::AtMostField("code_canaries_found")),
                needs("wire_canaries", Op::AtLeast(1)),
                needs("wire_canaries", Op::AtMostField("wire_canaries_found")),
            ]),
            at_least_permille: ALL,
            fresh_hours: YEAR,
        }),
        by_hand: None,
        producer: Producer::NotYet,
        minutes_per_miss: 60,
    },
];

pub(crate) const MENDS: &[Mend] = &[
    Mend {
        criterion: "8.28/ume-1",
        text: t(
            "「標準」の画面で欠けている種類の条項に例を添えて承認を受けるか、対象外とする理由に署名してください。",
            "Add the missing clause with examples on the standard page and have it approved, or sign why the class is excluded.",
        ),
    },
    Mend {
        criterion: "8.28/ume-2",
        text: t(
            "「標準」の画面から未確認の人に依頼を送り、委託先には一回限りのリンクを渡してください。",
            "Send the request to those who have not read it from the standard page; give contractors a one-time link.",
        ),
    },
    Mend {
        criterion: "8.28/ume-3",
        text: t(
            "「プロジェクト」の画面でリポジトリを結び、管理者と区分を入れ、要件の承認を受けてください。",
            "Tie the repository to a project, enter manager and flag, and have the requirements approved.",
        ),
    },
    Mend {
        criterion: "8.28/ume-4",
        text: t(
            "リポジトリの部品表を取り込み、標準にオープンソースの条項を加えてください。",
            "Import the component list of the repository and add clauses on open source to the standard.",
        ),
    },
    Mend {
        criterion: "8.28/take-1",
        text: t(
            "欠けている章を書き、結ばれていない条項にルールかレビュー項目を選んでください。",
            "Write the missing chapter, and choose a rule or review item for each unbound clause.",
        ),
    },
    Mend {
        criterion: "8.28/take-2",
        text: t(
            "プロジェクトの「設計レビュー」を開き、増減した経路と保存先を見直してください。",
            "Open the design review of the project and go through the routes and stores that changed.",
        ),
    },
    Mend {
        criterion: "8.28/take-3",
        text: t(
            "既定ブランチを検査し、解析できなかったファイルの理由を確かめてください。",
            "Scan the default branch and see why files could not be analysed.",
        ),
    },
    Mend {
        criterion: "8.28/take-4",
        text: t(
            "リポジトリでゲートを必須にし、別の人のレビューなしではマージできないようにしてください。",
            "Make the gate mandatory in the repository and merging impossible without another person's review.",
        ),
    },
    Mend {
        criterion: "8.28/take-5",
        text: t(
            "期限を過ぎた検出を直すか、別の人の承認を得て180日以内の猶予を記してください。",
            "Fix the overdue finding, or record a waiver of at most 180 days approved by another person.",
        ),
    },
    Mend {
        criterion: "8.28/take-6",
        text: t(
            "「納品」の画面で受け取ったアーカイブを検査してから検収してください。",
            "Check the archive received on the deliveries page, then accept it.",
        ),
    },
    Mend {
        criterion: "8.28/take-7",
        text: t(
            "部品の採用を審査し、期限を過ぎた脆弱性は版を上げて解消してください。",
            "Judge the intake of the component, and upgrade where a vulnerability is overdue.",
        ),
    },
    Mend {
        criterion: "8.28/matsu-1",
        text: t(
            "リリースの「診断」を開き、欠けている診断と試験していない種類を実施してください。",
            "Open the assessment of the release and run what is missing, untested classes included.",
        ),
    },
    Mend {
        criterion: "8.28/matsu-2",
        text: t(
            "直した検出を再試験するか、責任者のリスク受容を得てからリリースを判断してください。",
            "Retest what was fixed, or have the risk accepted, and decide on the release after that.",
        ),
    },
    Mend {
        criterion: "8.28/matsu-3",
        text: t(
            "判定のない検出を開き、証明を実行するか、試験担当の判定を記してください。",
            "Open the findings without a verdict and run the proof, or enter the tester's verdict.",
        ),
    },
    Mend {
        criterion: "8.28/matsu-4",
        text: t(
            "独立した試験者に依頼し、範囲と再試験を含む報告書を取り込んでください。",
            "Commission an independent tester and import the report with scope and retest.",
        ),
    },
    Mend {
        criterion: "8.28/matsu-5",
        text: t(
            "見逃した目印の原因を直し、診断をやり直してください。",
            "Mend why the canary was missed and repeat the run.",
        ),
    },
];

/// 松 is reached by own assessments or by penetration tests; what binds whichever ran stands in
/// both ways. The canaries of matsu-5 belong to own runs only.
pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("8.28/ume-1"),
        Expr::One("8.28/ume-2"),
        Expr::One("8.28/ume-3"),
        Expr::One("8.28/ume-4"),
    ]),
    Expr::All(&[
        Expr::One("8.28/take-1"),
        Expr::One("8.28/take-2"),
        Expr::One("8.28/take-3"),
        Expr::One("8.28/take-4"),
        Expr::One("8.28/take-5"),
        Expr::One("8.28/take-6"),
        Expr::One("8.28/take-7"),
    ]),
    Expr::Any(&[
        Expr::All(&[
            Expr::One("8.28/matsu-1"),
            Expr::One("8.28/matsu-2"),
            Expr::One("8.28/matsu-3"),
            Expr::One("8.28/matsu-5"),
        ]),
        Expr::All(&[
            Expr::One("8.28/matsu-4"),
            Expr::One("8.28/matsu-2"),
            Expr::One("8.28/matsu-3"),
        ]),
    ]),
];
