//! What 梅, 竹 and 松 demand of physical security monitoring. Every number of a row stands as a
//! condition on a declared fact, so a record alone never passes.

use model::{
    Aggregate, Bound, Check, Cond, Criterion, Expr, Level, Measure, Mend, Op, Origin, PerSubject,
    Predicate, Producer, Subjects, Text, Value, t,
};

const HOURS_DAY: u32 = 24;
const HOURS_WEEK: u32 = 168;
const HOURS_30_DAYS: u32 = 720;
const HOURS_45_DAYS: u32 = 1_080;
const HOURS_90_DAYS: u32 = 2_160;
const HOURS_YEAR: u32 = 8_760;

const ZONES: Subjects = Subjects::Assets { kinds: &["zone"], only: &[] };
const SITES: Subjects = Subjects::Assets { kinds: &["site"], only: &[] };

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

const fn record(types: &'static [&'static str], must: &'static [Cond]) -> Predicate {
    Predicate::Record { types, only: &[], must }
}

/// All subjects must pass.
const fn each(of: Subjects, must: Predicate, fresh_hours: u32) -> Check {
    Check::PerSubject(PerSubject { of, must, at_least_permille: 1_000, fresh_hours })
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

pub(crate) const LADDER: [Expr; 3] = [
    Expr::All(&[
        Expr::One("7.4/ume-1"),
        Expr::One("7.4/ume-2"),
        Expr::One("7.4/ume-3"),
        Expr::One("7.4/ume-4"),
        Expr::One("7.4/ume-5"),
        Expr::One("7.4/ume-6"),
    ]),
    Expr::All(&[
        Expr::One("7.4/take-1"),
        Expr::One("7.4/take-2"),
        Expr::One("7.4/take-3"),
        Expr::One("7.4/take-4"),
        Expr::One("7.4/take-5"),
        Expr::One("7.4/take-6"),
    ]),
    Expr::All(&[
        Expr::One("7.4/matsu-1"),
        Expr::One("7.4/matsu-2"),
        Expr::One("7.4/matsu-3"),
        Expr::One("7.4/matsu-4"),
        Expr::One("7.4/matsu-5"),
        Expr::One("7.4/matsu-6"),
    ]),
];

pub(crate) const CRITERIA: &[Criterion] = &[
    ume(
        "7.4/ume-1",
        Origin::Slides,
        t(
            "承認済みの共通ルールが区画等級1〜4ごとに必要な守り方と見張り方を定め、各区画の等級がそこに置く情報資産の最高等級以上である。",
            "An approved common rule sets, for zone grades 1 to 4, the protecting and watching measures, and no zone is graded below the highest asset in it.",
        ),
        each(
            ZONES,
            record(
                &["physical_monitoring.zone_assessed"],
                &[
                    yes("rule_approved"),
                    at_least("grades_mapped", 4),
                    at_least("protecting", 1),
                    at_least("watching", 1),
                    within("asset_grade_max", "grade"),
                ],
            ),
            HOURS_YEAR,
        ),
        t("署名済みの規程文書を取り込む。", "Import the signed rule document."),
        30,
    ),
    ume(
        "7.4/ume-2",
        Origin::Slides,
        t(
            "すべての区画について、扉・窓・非常口・天井裏・床下・共有壁など十一種の境界を一つ残らず確認し、出入口を台帳に載せている。",
            "For every zone all eleven boundary types, from doors and windows to ceiling voids and shared walls, are answered and their portals registered.",
        ),
        each(
            Subjects::AssetParts {
                kinds: &["zone"],
                only: &[],
                field: "boundary",
                parts: &[
                    "door",
                    "shutter",
                    "dock",
                    "window",
                    "skylight",
                    "emergency_exit",
                    "roof_hatch",
                    "ceiling_void",
                    "raised_floor_void",
                    "duct",
                    "shared_wall",
                ],
            },
            Predicate::Any(&[
                record(
                    &["physical_monitoring.boundary_answered"],
                    &[Cond { field: "answer", op: Op::OneOf(&["none", "sealed"]) }],
                ),
                record(
                    &["physical_monitoring.boundary_answered"],
                    &[is("answer", "portals"), at_least("portals", 1)],
                ),
            ]),
            HOURS_YEAR,
        ),
        t(
            "出入口の一覧表を取り込むか、現地確認を証言する。",
            "Import the portal sheet or attest the walk-round.",
        ),
        10,
    ),
    ume(
        "7.4/ume-3",
        Origin::Slides,
        t(
            "等級2以上の区画には入退室の記録元（電子・紙・来訪者簿）があり、7日以内の記録がある。使わない区画は閉鎖と宣言している。",
            "Every zone of grade 2 or more has an entry source, electronic, paper or visitor book, with records of the last 7 days, or is declared closed.",
        ),
        each(
            Subjects::Assets { kinds: &["zone"], only: &[at_least("grade", 2)] },
            Predicate::Any(&[
                Predicate::Attributes(&[yes("declared_closed")]),
                record(&["physical_monitoring.access_day"], &[present("source"), present("root")]),
            ]),
            HOURS_WEEK,
        ),
        t(
            "紙の入退室簿を取り込むか、記入を証言する。",
            "Import the paper book or attest that it is kept.",
        ),
        20,
    ),
    ume(
        "7.4/ume-4",
        Origin::Slides,
        t(
            "過去30日に予定した巡回・施錠確認の地点の95％以上を、決めた時間内に確認している。",
            "In the last 30 days at least 95 % of the scheduled checkpoints of rounds and lock checks were scanned within their window.",
        ),
        Check::Aggregate(Aggregate {
            types: &["physical_monitoring.round_run"],
            only: &[],
            within_hours: HOURS_30_DAYS,
            measure: Measure::SumShare { part: "in_window", whole: "scheduled" },
            bound: Bound::AtLeast(950),
        }),
        t("巡回表を証言として提出する。", "Attest the round sheets."),
        15,
    ),
    ume(
        "7.4/ume-5",
        Origin::Ume,
        t(
            "入退室・警報・未退館の来訪者を45日以内に見直し、署名している。",
            "Entries, alarms and visitors not checked out were reviewed and signed within the last 45 days.",
        ),
        each(
            SITES,
            record(
                &["physical_monitoring.review"],
                &[
                    yes("entries_reviewed"),
                    yes("alarms_reviewed"),
                    yes("open_visitors_reviewed"),
                    at_least("signatures", 1),
                ],
            ),
            HOURS_45_DAYS,
        ),
        t("レビューの議事録を証言として提出する。", "Attest the minutes of the review."),
        45,
    ),
    ume(
        "7.4/ume-6",
        Origin::Slides,
        t(
            "共通ルールからの逸脱はすべてリスクとして登録し、対応を決めている。",
            "Every deviation from the common rule has a risk with a treatment.",
        ),
        each(
            ZONES,
            record(
                &["physical_monitoring.deviation_review"],
                &[within("deviations", "with_risk"), within("deviations", "with_treatment")],
            ),
            HOURS_YEAR,
        ),
        t("リスク評価表を取り込む。", "Import the risk sheet."),
        60,
    ),
    above(
        "7.4/take-1",
        Level::Take,
        Origin::Slides,
        t(
            "等級2以上の正規の出入口はすべて電子的に見張り、カード読取りの99％以上が人と結び付いている。",
            "Every regular portal of grade 2 or more is watched by a live adapter and at least 99 % of its badge reads join a person.",
        ),
        each(
            Subjects::Assets {
                kinds: &["portal"],
                only: &[is("class", "regular"), at_least("grade", 2)],
            },
            record(
                &["physical_monitoring.portal_watched"],
                &[yes("live"), at_least("joined_permille", 990)],
            ),
            HOURS_DAY,
        ),
        120,
    ),
    above(
        "7.4/take-2",
        Level::Take,
        Origin::Slides,
        t(
            "非正規の出入口はすべて、生きている開閉・人感・ガラス破壊センサーかカメラで見張り、見張り範囲を計算で証明している。",
            "Every non-regular portal has a live contact, motion or glass-break sensor or camera, and a coverage proof.",
        ),
        each(
            Subjects::Assets { kinds: &["portal"], only: &[is("class", "non_regular")] },
            record(
                &["physical_monitoring.portal_watched"],
                &[at_least("sensors_live", 1), yes("covered"), present("proof")],
            ),
            HOURS_DAY,
        ),
        180,
    ),
    above(
        "7.4/take-3",
        Level::Take,
        Origin::Slides,
        t(
            "過去30日に保存すべき監視カメラ映像の99.5％以上を保有し、毎月の取り出し試験で再生できている。",
            "Of the footage minutes owed in 30 days at least 99.5 % are held, and a monthly retrieval test played.",
        ),
        each(
            SITES,
            Predicate::All(&[
                record(
                    &["physical_monitoring.footage_minute_map"],
                    &[at_least("owed_min", 1), at_least("held_permille", 995)],
                ),
                record(&["physical_monitoring.retrieval_test"], &[yes("decoded")]),
            ]),
            HOURS_30_DAYS,
        ),
        90,
    ),
    above(
        "7.4/take-4",
        Level::Take,
        Origin::Slides,
        t(
            "過去30日の警報は95％点で目標時間内に確認し、すべて原因を付けて終結している。",
            "Alarms of the last 30 days were acknowledged within the target (95th percentile) and all closed with a cause.",
        ),
        each(
            SITES,
            record(
                &["physical_monitoring.alarm_response"],
                &[
                    within("acknowledged_p95_s", "target_s"),
                    at_most("closed_without_cause", 0),
                    at_most("overdue", 0),
                ],
            ),
            HOURS_30_DAYS,
        ),
        30,
    ),
    above(
        "7.4/take-5",
        Level::Take,
        Origin::Ume,
        t(
            "監視機器はすべて90日以内に実際に試し、機械がそれを検知している。",
            "Every sensor was walk-tested within 90 days and the machine saw it.",
        ),
        each(
            Subjects::Assets { kinds: &["sensor"], only: &[] },
            record(
                &["physical_monitoring.walk_test"],
                &[yes("seen_by_machine"), present("seen_at")],
            ),
            HOURS_90_DAYS,
        ),
        10,
    ),
    above(
        "7.4/take-6",
        Level::Take,
        Origin::Ume,
        t(
            "映像の閲覧を記録し、図面を秘密に保ち、時計のずれは2秒以内、出荷時の鍵のままの機器はない。",
            "Footage access is logged, plans are confidential, clocks are within 2 seconds and no device uses its default key.",
        ),
        each(
            SITES,
            record(
                &["physical_monitoring.protection_check"],
                &[
                    yes("footage_access_logged"),
                    yes("plans_confidential"),
                    at_most("clock_offset_ms_max", 2_000),
                    at_most("default_keys", 0),
                ],
            ),
            HOURS_30_DAYS,
        ),
        60,
    ),
    above(
        "7.4/matsu-1",
        Level::Matsu,
        Origin::Ume,
        t(
            "等級4の区画では共連れ検知とアンチパスバックの両方が働き、在室数を毎日照合している。",
            "In grade 4 zones tailgating detection and anti-passback are both active and occupancy is reconciled daily.",
        ),
        each(
            Subjects::Assets { kinds: &["zone"], only: &[at_least("grade", 4)] },
            record(
                &["physical_monitoring.area_day"],
                &[
                    yes("tailgating_active"),
                    Cond { field: "anti_passback", op: Op::OneOf(&["soft", "hard"]) },
                    yes("reconciled"),
                ],
            ),
            HOURS_DAY,
        ),
        240,
    ),
    above(
        "7.4/matsu-2",
        Level::Matsu,
        Origin::Ume,
        t(
            "入退室とログインなどを突合する六つの規則を、30日以内に試験事象を注入して証明している。",
            "All six rules that correlate presence with sign-ins were proven by injected test events within 30 days.",
        ),
        each(
            Subjects::Parts {
                field: "pattern",
                parts: &[
                    "login_without_presence",
                    "vpn_while_inside",
                    "session_after_exit",
                    "entry_without_change",
                    "first_access_grade_4",
                    "moved_without_permit",
                ],
            },
            record(
                &["physical_monitoring.correlation_test"],
                &[at_least("injected", 1), within("injected", "detected")],
            ),
            HOURS_30_DAYS,
        ),
        60,
    ),
    above(
        "7.4/matsu-3",
        Level::Matsu,
        Origin::Slides,
        t(
            "重量センサーの校正が有効で、入室の99％以上を計量し、既知のおもりで警報が出ている。不要な区画は署名付きで不要と判断している。",
            "Scales are in calibration, at least 99 % of visits are weighed and a known mass raised an alarm; or the zone is signed as assessed, not required.",
        ),
        each(
            ZONES,
            Predicate::Any(&[
                Predicate::Decision { kind: "exclusion" },
                record(
                    &["physical_monitoring.weighing_check"],
                    &[
                        yes("calibration_valid"),
                        at_least("weighed_permille", 990),
                        at_least("known_mass_g", 1),
                        yes("known_mass_alarmed"),
                    ],
                ),
            ]),
            HOURS_30_DAYS,
        ),
        240,
    ),
    above(
        "7.4/matsu-4",
        Level::Matsu,
        Origin::Slides,
        t(
            "漏洩電磁波対策の検査を測定器の出力ファイルとともに12か月以内に行い、目標を満たしている。不要な区画は署名付きで不要と判断している。",
            "Emanation shielding was inspected within 12 months with the instrument's file and met its targets; or the zone is signed as assessed, not required.",
        ),
        each(
            ZONES,
            Predicate::Any(&[
                Predicate::Decision { kind: "exclusion" },
                record(
                    &["physical_monitoring.shield_inspection"],
                    &[
                        present("instrument_file"),
                        at_least("points", 1),
                        at_most("points_below_target", 0),
                        within("earth_mohm", "earth_target_mohm"),
                    ],
                ),
            ]),
            HOURS_YEAR,
        ),
        480,
    ),
    above(
        "7.4/matsu-5",
        Level::Matsu,
        Origin::Ume,
        t(
            "拠点ごとに12か月以内に抜き打ちの侵入訓練を行い、目標時間内に機械が検知している。",
            "Each site held an unannounced intrusion exercise within 12 months and a machine detected it within the target.",
        ),
        each(
            SITES,
            record(
                &["physical_monitoring.exercise"],
                &[
                    yes("unannounced"),
                    yes("detected_by_machine"),
                    within("detection_s", "target_s"),
                ],
            ),
            HOURS_YEAR,
        ),
        480,
    ),
    above(
        "7.4/matsu-6",
        Level::Matsu,
        Origin::Ume,
        t(
            "監視機器が生きていた時間が99.5％以上で、停電と回線断の訓練を12か月以内に行っている。",
            "Sensors were live for at least 99.5 % of their minutes, and power and network failure were drilled within 12 months.",
        ),
        each(
            SITES,
            record(
                &["physical_monitoring.continuity"],
                &[
                    at_least("live_permille", 995),
                    at_most("power_drill_days", 365),
                    at_most("network_drill_days", 365),
                ],
            ),
            HOURS_30_DAYS,
        ),
        240,
    ),
];

const fn mend(criterion: &'static str, ja: &'static str, en: &'static str) -> Mend {
    Mend { criterion, text: t(ja, en) }
}

pub(crate) const MENDS: &[Mend] = &[
    mend(
        "7.4/ume-1",
        "区画台帳で等級を見直し、共通ルールを承認に回す。",
        "Correct the grade in the zone register and submit the common rule for approval.",
    ),
    mend(
        "7.4/ume-2",
        "区画のページで未回答の境界を現地で確かめ、出入口を登録する。",
        "Walk the unanswered boundaries of the zone and register their portals on the zone's page.",
    ),
    mend(
        "7.4/ume-3",
        "入退室簿を取り込むか、使わない区画を閉鎖と登録する。",
        "Import the entry book, or mark an unused zone as closed in the register.",
    ),
    mend(
        "7.4/ume-4",
        "漏れた巡回地点を担当者に割り当て、巡回の記録を登録する。",
        "Assign the missed checkpoints and enter the record of the round.",
    ),
    mend(
        "7.4/ume-5",
        "拠点のページで入退室・警報・未退館者を確認し、署名する。",
        "Review entries, alarms and open visitors on the site's page and sign.",
    ),
    mend(
        "7.4/ume-6",
        "逸脱ごとにリスクを登録し、対応方法を決める。",
        "Register a risk for each deviation and choose its treatment.",
    ),
    mend(
        "7.4/take-1",
        "出入口に取込みを設定し、人と結び付かないカード番号を台帳で直す。",
        "Connect the portal's reader and correct unmatched badge numbers in the badge register.",
    ),
    mend(
        "7.4/take-2",
        "見張りのない出入口にセンサーを付け、台帳で出入口と結び付ける。",
        "Fit a sensor to the bare portal and link both in the register.",
    ),
    mend(
        "7.4/take-3",
        "録画が欠けたカメラを直し、原因を記録して取り出し試験をやり直す。",
        "Repair the camera with gaps, record the cause and repeat the retrieval test.",
    ),
    mend(
        "7.4/take-4",
        "未終結の警報を確認し、原因を付けて閉じる。",
        "Acknowledge the open alarms and close them with a cause.",
    ),
    mend(
        "7.4/take-5",
        "機器の前で実際に動作させ、点検の記録が検知済みになるまで試す。",
        "Trigger the sensor on the spot until its walk-test shows that the machine saw it.",
    ),
    mend(
        "7.4/take-6",
        "初期の鍵を替え、時刻同期を直し、図面を秘密扱いにする。",
        "Replace default keys, fix time synchronisation and mark the plans confidential.",
    ),
    mend(
        "7.4/matsu-1",
        "区画に在室の規則を設定し、在室数の差を調べる。",
        "Set an area rule for the zone and investigate differences of occupancy.",
    ),
    mend(
        "7.4/matsu-2",
        "検知できなかった突合規則を直し、試験事象を注入し直す。",
        "Correct the rule that missed and inject its test event again.",
    ),
    mend(
        "7.4/matsu-3",
        "重量計を校正しておもりで試すか、不要の判断に署名する。",
        "Calibrate the scale and test it with a known mass, or sign that the zone needs none.",
    ),
    mend(
        "7.4/matsu-4",
        "シールドを検査して測定ファイルを取り込むか、不要の判断に署名する。",
        "Inspect the shielding and import the instrument's file, or sign that the zone needs none.",
    ),
    mend(
        "7.4/matsu-5",
        "侵入訓練を計画し、結果を記録する。",
        "Plan an intrusion exercise and record its result.",
    ),
    mend(
        "7.4/matsu-6",
        "止まった機器を直し、停電と回線断の訓練を行う。",
        "Repair the silent sensors and drill the loss of power and of network.",
    ),
];
