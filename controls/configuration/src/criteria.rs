//! What 梅, 竹 and 松 demand of configuration management. Every number of a row stands as a
//! condition on a declared fact; unread, error and not-applicable never pass.

use model::{
    Aggregate, Bound, Check, Cond, Criterion, Expr, Level, Measure, Mend, Op, Origin, PerSubject,
    Predicate, Producer, Subjects, Text, Value, t,
};

const HOURS_DAY: u32 = 24;
const HOURS_WEEK: u32 = 168;
const HOURS_30_DAYS: u32 = 720;
const HOURS_90_DAYS: u32 = 2_160;
const HOURS_180_DAYS: u32 = 4_320;
const HOURS_YEAR: u32 = 8_760;
/// A check at introduction is done once; its record counts for ten years.
const HOURS_TEN_YEARS: u32 = 87_600;

const COLLECTED: Producer = Producer::Exists("configuration.collect");

/// The eight considerations, by the values of the fact `family`.
const FAMILIES: &[&str] = &[
    "privileged",
    "unused",
    "services",
    "utilities",
    "host_parameters",
    "clock",
    "default_passwords",
    "auto_logoff",
];

const SYSTEMS: Subjects = Subjects::Assets { kinds: &["system"], only: &[] };
const HOSTS: Subjects = Subjects::Assets { kinds: &["host"], only: &[] };
/// A template stands for a class of hosts.
const HOST_CLASSES: Subjects = Subjects::Rules { kinds: &["template"], only: &[] };

const fn at_least(field: &'static str, min: i64) -> Cond {
    Cond { field, op: Op::AtLeast(min) }
}

const fn at_most(field: &'static str, max: i64) -> Cond {
    Cond { field, op: Op::AtMost(max) }
}

const fn within(field: &'static str, limit: &'static str) -> Cond {
    Cond { field, op: Op::AtMostField(limit) }
}

const fn yes(field: &'static str) -> Cond {
    Cond { field, op: Op::Eq(Value::Bool(true)) }
}

const fn is(field: &'static str, text: &'static str) -> Cond {
    Cond { field, op: Op::Eq(Value::Text(text)) }
}

const fn present(field: &'static str) -> Cond {
    Cond { field, op: Op::Present }
}

const fn differs(field: &'static str, other: &'static str) -> Cond {
    Cond { field, op: Op::DiffersFrom(other) }
}

const fn record(types: &'static [&'static str], must: &'static [Cond]) -> Predicate {
    Predicate::Record { types, only: &[], must }
}

/// All subjects must pass.
const fn each(of: Subjects, must: Predicate, fresh_hours: u32) -> Check {
    most(of, must, 1_000, fresh_hours)
}

const fn most(of: Subjects, must: Predicate, at_least_permille: u16, fresh_hours: u32) -> Check {
    Check::PerSubject(PerSubject { of, must, at_least_permille, fresh_hours })
}

const fn ume(
    id: &'static str,
    origin: Origin,
    text: Text,
    check: Check,
    by_hand: Text,
    minutes_per_miss: u32,
) -> Criterion {
    let level = Level::Ume;
    let by_hand = Some(by_hand);
    Criterion {
        id,
        level,
        origin,
        text,
        check,
        by_hand,
        producer: Producer::NotYet,
        minutes_per_miss,
    }
}

const fn above(
    id: &'static str,
    level: Level,
    origin: Origin,
    text: Text,
    check: Check,
    minutes_per_miss: u32,
) -> Criterion {
    let producer = Producer::NotYet;
    Criterion { id, level, origin, text, check, by_hand: None, producer, minutes_per_miss }
}

const fn produced(criterion: Criterion) -> Criterion {
    Criterion { producer: COLLECTED, ..criterion }
}

/// Evidence that another job, or a page, writes.
const fn by(producer: &'static str, criterion: Criterion) -> Criterion {
    Criterion { producer: Producer::Exists(producer), ..criterion }
}

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("8.9/ume-1"),
        Expr::One("8.9/ume-2"),
        Expr::One("8.9/ume-3"),
        Expr::One("8.9/ume-4"),
        Expr::One("8.9/ume-5"),
        Expr::One("8.9/ume-6"),
    ]),
    Expr::All(&[
        Expr::One("8.9/take-1"),
        Expr::One("8.9/take-2"),
        Expr::One("8.9/take-3"),
        Expr::One("8.9/take-4"),
        Expr::One("8.9/take-5"),
        Expr::One("8.9/take-6"),
        Expr::One("8.9/take-7"),
        Expr::One("8.9/take-8"),
    ]),
    Expr::All(&[
        Expr::One("8.9/matsu-1"),
        Expr::One("8.9/matsu-2"),
        Expr::One("8.9/matsu-3"),
        Expr::One("8.9/matsu-4"),
        Expr::One("8.9/matsu-5"),
        Expr::One("8.9/matsu-6"),
        Expr::One("8.9/matsu-7"),
        Expr::One("8.9/matsu-8"),
    ]),
];

pub(crate) const CRITERIA: &[Criterion] = &[
    produced(ume(
        "8.9/ume-1",
        Origin::Slides,
        t(
            "範囲内のハードウェア・ソフトウェア・サービス・ネットワークのすべてに、180日以内の構成・設定の記録がある。",
            "All hardware, software, services and networks in scope have a record of their build and settings from the last 180 days.",
        ),
        each(
            Subjects::Assets {
                kinds: &["host", "hardware", "software", "cloud_service", "network_device"],
                only: &[],
            },
            record(&["configuration.snapshot", "configuration.sheet"], &[]),
            HOURS_180_DAYS,
        ),
        t(
            "パラメータシートや構成台帳を取り込む。",
            "Import the parameter sheet or configuration register.",
        ),
        30,
    )),
    by(
        "configuration.systems",
        ume(
            "8.9/ume-2",
            Origin::Slides,
            t(
                "情報システムごとに八つの考慮事項のすべてへ、設計値か署名付きの「該当なし」を記入している。",
                "For every system each of the eight considerations has a design value or a signed \"not applicable\".",
            ),
            each(
                Subjects::AssetParts {
                    kinds: &["system"],
                    only: &[],
                    field: "family",
                    parts: FAMILIES,
                },
                Predicate::Any(&[
                    record(
                        &["configuration.family_design"],
                        &[is("answer", "design"), at_least("values", 1)],
                    ),
                    record(
                        &["configuration.family_design"],
                        &[is("answer", "not_applicable"), at_least("signatures", 1)],
                    ),
                ]),
                HOURS_YEAR,
            ),
            t(
                "八項目の列を記入したシートを取り込む。",
                "Import a sheet whose columns hold the eight considerations.",
            ),
            15,
        ),
    ),
    by(
        "configuration.judge",
        ume(
            "8.9/ume-3",
            Origin::Slides,
            t(
                "過去90日の構成の差異は、すべて承認済みの変更の範囲内にある。",
                "Every difference between revisions of the last 90 days lies inside an approved change.",
            ),
            each(
                Subjects::Records {
                    types: &["configuration.drift"],
                    only: &[Cond { field: "class", op: Op::Ne(Value::Text("volatile")) }],
                    within_hours: HOURS_90_DAYS,
                },
                // The second member admits the emergency change, which is approved afterwards.
                Predicate::Any(&[
                    Predicate::Attributes(&[present("change"), yes("change_approved")]),
                    record(
                        &["configuration.drift_decided"],
                        &[
                            is("outcome", "adopted"),
                            present("change"),
                            differs("approver", "requester"),
                        ],
                    ),
                ]),
                HOURS_90_DAYS,
            ),
            t("変更管理の記録を取り込む。", "Import the change log."),
            20,
        ),
    ),
    by(
        "configuration.review",
        ume(
            "8.9/ume-4",
            Origin::Slides,
            t(
                "情報システムごとに、現在の構成を12か月以内に見直し、その状態に署名している。",
                "Every system was reviewed within 12 months and its current state is signed.",
            ),
            each(
                SYSTEMS,
                Predicate::All(&[
                    Predicate::Decision { kind: "review" },
                    record(
                        &["configuration.review"],
                        &[at_least("signatures", 1), present("state")],
                    ),
                ]),
                HOURS_YEAR,
            ),
            t("見直しの議事録を取り込む。", "Import the minutes of the review."),
            45,
        ),
    ),
    by(
        "configuration.defaults",
        ume(
            "8.9/ume-5",
            Origin::Slides,
            t(
                "導入した機器・ソフトウェアは、導入から30日以内に初期値を確認している。",
                "Shipped defaults of every asset introduced were checked within 30 days of its introduction.",
            ),
            each(
                Subjects::Assets {
                    kinds: &["host", "network_device", "hardware", "software"],
                    only: &[present("introduced_on")],
                },
                record(
                    &["configuration.defaults_check"],
                    &[at_most("days_after", 30), at_least("checks", 1)],
                ),
                HOURS_TEN_YEARS,
            ),
            t(
                "導入時の確認作業の完了を証言する。",
                "Attest that the task of introduction was done.",
            ),
            30,
        ),
    ),
    by(
        "configuration.copies",
        ume(
            "8.9/ume-6",
            Origin::Ume,
            t(
                "情報システムごとに、構成の書き出しが180日以内のバックアップに含まれている。",
                "For every system an export of its configuration was found in a backup within 180 days.",
            ),
            each(
                SYSTEMS,
                record(&["configuration.recovery_copy"], &[present("export"), yes("in_backup")]),
                HOURS_180_DAYS,
            ),
            t(
                "設定の写しを保管していることを証言する。",
                "Attest that a copy of the settings is kept.",
            ),
            30,
        ),
    ),
    produced(above(
        "8.9/take-1",
        Level::Take,
        Origin::Slides,
        t(
            "ホスト・ネットワーク機器・クラウドサービスの95％以上から7日以内に設定を採取し、読めない項目は2％以下で一覧にしている。",
            "At least 95 % of hosts, network devices and cloud services were collected within 7 days, with at most 2 % unread and those listed.",
        ),
        most(
            Subjects::Assets { kinds: &["host", "network_device", "cloud_service"], only: &[] },
            record(
                &["configuration.snapshot"],
                &[at_most("unread_permille", 20), present("unread")],
            ),
            950,
            HOURS_WEEK,
        ),
        20,
    )),
    by(
        "configuration.judge",
        above(
            "8.9/take-2",
            Level::Take,
            Origin::Slides,
            t(
                "ホスト×八項目の95％以上を7日以内に機械で検査し、不適合にはすべて課題か有効な例外がある。",
                "At least 95 % of hosts times families were checked by machine within 7 days, and every failure has a task or a live exception.",
            ),
            most(
                Subjects::AssetParts {
                    kinds: &["host"],
                    only: &[],
                    field: "family",
                    parts: FAMILIES,
                },
                record(
                    &["configuration.check_run"],
                    &[yes("ran"), at_least("checks", 1), at_most("failures_open", 0)],
                ),
                950,
                HOURS_WEEK,
            ),
            15,
        ),
    ),
    by(
        "configuration.judge",
        above(
            "8.9/take-3",
            Level::Take,
            Origin::Slides,
            t(
                "過去30日の差異をすべて分類し、未承認のものは申請者と別の人が3営業日以内に決定している。",
                "All drift of the last 30 days is classified; the unauthorised was decided within 3 working days by someone other than the requester.",
            ),
            each(
                Subjects::Records {
                    types: &["configuration.drift"],
                    only: &[],
                    within_hours: HOURS_30_DAYS,
                },
                Predicate::Any(&[
                    Predicate::Attributes(&[Cond {
                        field: "class",
                        op: Op::OneOf(&["volatile", "package_managed", "authorised", "intended"]),
                    }]),
                    record(
                        &["configuration.drift_decided"],
                        &[at_most("working_days", 3), differs("approver", "requester")],
                    ),
                ]),
                HOURS_30_DAYS,
            ),
            15,
        ),
    ),
    by(
        "configuration.impact",
        above(
            "8.9/take-4",
            Level::Take,
            Origin::Slides,
            t(
                "ホストとアプリケーションごとに、7日以内の部品表と24時間以内の勧告から、ぜい弱性の影響を24時間以内に判定している。",
                "For every host and application, impact was judged within 24 hours from an SBOM of at most 7 days and advisories of at most 24 hours.",
            ),
            each(
                Subjects::Assets { kinds: &["host", "software"], only: &[] },
                record(
                    &["configuration.impact_run"],
                    &[at_most("sbom_age_h", 168), at_most("advisories_age_h", 24)],
                ),
                HOURS_DAY,
            ),
            30,
        ),
    ),
    by(
        "configuration.trace",
        above(
            "8.9/take-5",
            Level::Take,
            Origin::Slides,
            t(
                "導入・増設した情報システムは、要件から設定項目、検査、結果までが途切れず、増設では関係する検査をやり直している。",
                "For systems introduced or extended the chain from requirement to parameter, check and result is whole, and an extension re-ran its linked checks.",
            ),
            each(
                Subjects::Assets {
                    kinds: &["system"],
                    only: &[Cond { field: "stage", op: Op::OneOf(&["introduced", "extended"]) }],
                },
                record(
                    &["configuration.trace"],
                    &[
                        at_least("requirements", 1),
                        at_most("broken", 0),
                        within("checks_due", "checks_rerun"),
                    ],
                ),
                HOURS_YEAR,
            ),
            120,
        ),
    ),
    by(
        "configuration.licences",
        above(
            "8.9/take-6",
            Level::Take,
            Origin::Slides,
            t(
                "ソフトウェアとハードウェアごとに、使用数は保有ライセンス数以下で、サポート終了日が分かり、終了したものは扱いを決めている。",
                "For every software and hardware, use stays within entitlement, the end of support is known and what is past it is decided.",
            ),
            each(
                Subjects::Assets { kinds: &["software", "hardware"], only: &[] },
                record(
                    &["configuration.licence_count"],
                    &[
                        within("used", "entitled"),
                        yes("support_end_known"),
                        at_most("past_end_undecided", 0),
                    ],
                ),
                HOURS_30_DAYS,
            ),
            20,
        ),
    ),
    produced(above(
        "8.9/take-7",
        Level::Take,
        Origin::Slides,
        t(
            "24時間以内に観測したIPアドレスはすべて割当済みで、決定のない競合はない。",
            "All addresses observed within 24 hours are allocated and no conflict is undecided.",
        ),
        each(
            Subjects::Assets { kinds: &["subnet"], only: &[] },
            record(
                &["configuration.address_audit"],
                &[within("observed", "allocated"), at_most("conflicts_undecided", 0)],
            ),
            HOURS_DAY,
        ),
        10,
    )),
    by(
        "configuration.templates",
        above(
            "8.9/take-8",
            Level::Take,
            Origin::Slides,
            t(
                "情報システムごとに適用した標準テンプレートの版が90日以内に記録され、相違はすべて扱いを決めている。",
                "For every system the template edition applied was recorded within 90 days and every deviation is decided.",
            ),
            each(
                SYSTEMS,
                record(
                    &["configuration.template_applied"],
                    &[present("template"), present("edition"), at_most("deviations_open", 0)],
                ),
                HOURS_90_DAYS,
            ),
            30,
        ),
    ),
    above(
        "8.9/matsu-1",
        Level::Matsu,
        Origin::Slides,
        t(
            "ホストの99％以上で収集が自動で続き、生存信号の間隔は15分以内、試験的な変更は60秒以内に記録される。",
            "On at least 99 % of hosts collection runs itself: heartbeats at most 15 minutes apart, a canary change recorded within 60 seconds.",
        ),
        most(
            HOSTS,
            record(
                &["configuration.collector_pulse"],
                &[at_most("heartbeat_min_max", 15), at_most("canary_s", 60)],
            ),
            990,
            HOURS_DAY,
        ),
        20,
    ),
    by(
        "configuration.rebuilds",
        above(
            "8.9/matsu-2",
            Level::Matsu,
            Origin::Ume,
            t(
                "ホストの種類ごとに、土台の変更後、30日以内に実際に再構築し、一致率99％以上、申告のない欠けがないことを証明している。",
                "Each host class was rebuilt within 30 days and after its last base change, with at least 99 % of facts equal and no silent loss.",
            ),
            each(
                HOST_CLASSES,
                record(
                    &["configuration.rebuild"],
                    &[
                        at_least("managed", 1),
                        at_least("equal_permille", 990),
                        at_most("silent_losses", 0),
                        yes("base_current"),
                    ],
                ),
                HOURS_30_DAYS,
            ),
            240,
        ),
    ),
    above(
        "8.9/matsu-3",
        Level::Matsu,
        Origin::Slides,
        t(
            "ホストの種類ごとに、90日以内の訓練で承認済みの版へ自動復旧し、証拠を残している。",
            "In a drill within 90 days each host class healed to its approved revision and the evidence was kept.",
        ),
        each(
            HOST_CLASSES,
            Predicate::Record {
                types: &["configuration.recovery"],
                only: &[yes("drill")],
                must: &[yes("healed"), present("evidence")],
            },
            HOURS_90_DAYS,
        ),
        180,
    ),
    above(
        "8.9/matsu-4",
        Level::Matsu,
        Origin::Ume,
        t(
            "過去30日のパッケージ以外の差異の95％以上で変更者が分かり、残りも扱いを決めている。",
            "Of the non-package differences of 30 days at least 95 % have a known actor and the rest are decided.",
        ),
        each(
            SYSTEMS,
            record(
                &["configuration.actor_account"],
                &[at_least("known_permille", 950), at_most("unknown_undecided", 0)],
            ),
            HOURS_30_DAYS,
        ),
        20,
    ),
    by(
        "configuration.templates",
        above(
            "8.9/matsu-5",
            Level::Matsu,
            Origin::Slides,
            t(
                "導入した情報システムでは、テンプレートと要件が最初の構成採取より前にできている。",
                "For systems introduced, template and requirements are older than the first snapshot.",
            ),
            each(
                Subjects::Assets { kinds: &["system"], only: &[is("stage", "introduced")] },
                record(
                    &["configuration.designed_in"],
                    &[at_least("template_lead_h", 1), at_least("requirements_lead_h", 1)],
                ),
                HOURS_YEAR,
            ),
            120,
        ),
    ),
    above(
        "8.9/matsu-6",
        Level::Matsu,
        Origin::Slides,
        t(
            "パッケージと部品表のファイルの要約値が、署名を確かめた一覧と24時間以内に一致している。",
            "Hashes of package and SBOM files matched verified manifests within 24 hours.",
        ),
        each(
            Subjects::Assets { kinds: &["host", "software"], only: &[] },
            record(
                &["configuration.hash_check"],
                &[
                    at_least("files", 1),
                    within("files", "matched"),
                    at_most("manifests_unverified", 0),
                ],
            ),
            HOURS_DAY,
        ),
        60,
    ),
    by(
        "configuration.impact",
        above(
            "8.9/matsu-7",
            Level::Matsu,
            Origin::Slides,
            t(
                "製品ごとに影響判定が1時間以内に出て、部品表は末端まで分かるか、不足を提供元へ照会している。",
                "For every product a verdict comes within 1 hour and the SBOM is complete in depth or the gap was asked of the supplier.",
            ),
            each(
                Subjects::Assets { kinds: &["software"], only: &[] },
                Predicate::All(&[
                    record(&["configuration.impact_run"], &[at_most("verdict_min_max", 60)]),
                    Predicate::Any(&[
                        record(&["configuration.sbom"], &[yes("depth_complete")]),
                        record(&["configuration.sbom"], &[yes("supplier_asked")]),
                    ]),
                ]),
                HOURS_DAY,
            ),
            60,
        ),
    ),
    by(
        "configuration.sbom",
        above(
            "8.9/matsu-8",
            Level::Matsu,
            Origin::Slides,
            t(
                "24時間以内の部品表にある部品の98％以上を、purl・CPE・SWIDタグのいずれかで識別している。",
                "Of the components in SBOMs of the last 24 hours at least 98 % are identified by purl, CPE or SWID tag.",
            ),
            Check::Aggregate(Aggregate {
                types: &["configuration.sbom"],
                only: &[],
                within_hours: HOURS_DAY,
                measure: Measure::SumShare { part: "identified", whole: "components" },
                bound: Bound::AtLeast(980),
            }),
            30,
        ),
    ),
];

const fn mend(criterion: &'static str, ja: &'static str, en: &'static str) -> Mend {
    Mend { criterion, text: t(ja, en) }
}

pub(crate) const MENDS: &[Mend] = &[
    mend(
        "8.9/ume-1",
        "ホストは採取し、ほかは構成台帳を取り込む。",
        "Collect the host, or import the sheet for what cannot be collected.",
    ),
    mend(
        "8.9/ume-2",
        "システムのページで空欄の考慮事項に設計値か「該当なし」を記入する。",
        "Fill the empty considerations on the system's page with a design value or a signed \"not applicable\".",
    ),
    mend(
        "8.9/ume-3",
        "差異を承認済みの変更に結び付けるか、元に戻す。",
        "Tie the difference to an approved change or revert it.",
    ),
    mend(
        "8.9/ume-4",
        "システムのページで現在の構成を見直し、署名する。",
        "Review the current state on the system's page and sign it.",
    ),
    mend(
        "8.9/ume-5",
        "導入した資産の初期値を確認し、結果を登録する。",
        "Check the defaults of the introduced asset and enter the result.",
    ),
    mend(
        "8.9/ume-6",
        "構成を書き出し、バックアップの対象に加える。",
        "Export the configuration and add it to a backup.",
    ),
    mend(
        "8.9/take-1",
        "採取できない資産の接続を直し、もう一度採取する。",
        "Repair the connection of the asset and collect again.",
    ),
    mend(
        "8.9/take-2",
        "不適合に課題を割り当てるか、期限つきの例外を申請する。",
        "Give the failure a task or ask for an exception with an expiry.",
    ),
    mend(
        "8.9/take-3",
        "未承認の差異を、申請者と別の人が採用・復元・例外のいずれかに決める。",
        "Have someone other than the requester adopt, revert or except the unauthorised drift.",
    ),
    mend(
        "8.9/take-4",
        "部品表を作り直し、勧告を取り込んで判定する。",
        "Renew the SBOM, fetch the advisories and judge again.",
    ),
    mend(
        "8.9/take-5",
        "途切れた要件に設定項目・検査・結果を結び付ける。",
        "Link the broken requirement to its parameter, check and result.",
    ),
    mend(
        "8.9/take-6",
        "不足するライセンスを手当てし、サポート終了日と扱いを登録する。",
        "Settle the missing licences and enter support end and decision.",
    ),
    mend(
        "8.9/take-7",
        "未割当のアドレスを台帳に登録し、競合の扱いを決める。",
        "Allocate the unknown address in the register and decide the conflict.",
    ),
    mend(
        "8.9/take-8",
        "システムにテンプレートを適用し、相違の扱いを決める。",
        "Apply a template to the system and decide its deviations.",
    ),
    mend(
        "8.9/matsu-1",
        "収集エージェントが止まったホストを調べて再開する。",
        "Find out why the host's agent is silent and restart it.",
    ),
    mend(
        "8.9/matsu-2",
        "欠けた事実を書き出しに加え、再構築をやり直す。",
        "Add the lost facts to the export and prove the rebuild again.",
    ),
    mend(
        "8.9/matsu-3",
        "復旧訓練をやり直し、証拠を保存する。",
        "Repeat the recovery drill and keep its evidence.",
    ),
    mend(
        "8.9/matsu-4",
        "変更者が不明な差異の扱いを決める。",
        "Decide the differences whose actor is unknown.",
    ),
    mend(
        "8.9/matsu-5",
        "次の導入では、先にテンプレートと要件を登録する。",
        "Register template and requirements before the next introduction.",
    ),
    mend(
        "8.9/matsu-6",
        "一致しないファイルを調べ、正規のパッケージから戻す。",
        "Investigate the differing file and restore it from its package.",
    ),
    mend(
        "8.9/matsu-7",
        "部品表の不足を提供元へ照会し、回答を登録する。",
        "Ask the supplier for the missing depth and enter the answer.",
    ),
    mend(
        "8.9/matsu-8",
        "識別できない部品に識別子の対応を登録する。",
        "Register an identity alias for the component that cannot be identified.",
    ),
];
