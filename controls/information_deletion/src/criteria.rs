//! What 梅, 竹 and 松 demand of information deletion. Shares are counted over items, so the records
//! they rest on carry a part and a whole, never a percentage someone typed.

use model::{
    Aggregate, Bound, Check, Cond, Criterion, Expr, Level, Measure, Mend, Op, Origin, PerSubject,
    Predicate, Producer, Subjects, Text, Value, t,
};

const HOURS_30_DAYS: u32 = 720;
const HOURS_35_DAYS: u32 = 840;
const HOURS_90_DAYS: u32 = 2_160;
const HOURS_YEAR: u32 = 8_760;

const DATASETS: Subjects = Subjects::Assets { kinds: &["dataset"], only: &[] };

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

const fn filled(field: &'static str) -> Cond {
    Cond { field, op: Op::NotEmpty }
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

/// At least so many permille of the items that the records of the window count.
const fn share(
    types: &'static [&'static str],
    part: &'static str,
    whole: &'static str,
    permille: i64,
    within_hours: u32,
) -> Check {
    Check::Aggregate(Aggregate {
        types,
        only: &[],
        within_hours,
        measure: Measure::SumShare { part, whole },
        bound: Bound::AtLeast(permille),
    })
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
    Expr::All(&[Expr::One("8.10/ume-1"), Expr::One("8.10/ume-2"), Expr::One("8.10/ume-3")]),
    Expr::All(&[
        Expr::One("8.10/take-1"),
        Expr::One("8.10/take-2"),
        Expr::One("8.10/take-3"),
        Expr::One("8.10/take-4"),
    ]),
    Expr::All(&[Expr::One("8.10/matsu-1"), Expr::One("8.10/matsu-2"), Expr::One("8.10/matsu-3")]),
];

pub(crate) const CRITERIA: &[Criterion] = &[
    ume(
        "8.10/ume-1",
        Origin::Slides,
        t(
            "情報資産台帳の95％以上に、保有期間の規則・起算日となる出来事・管理責任者・機密レベルがあり、12か月以内に確認している。",
            "At least 95 % of the datasets in the register have a retention rule, a start event, an owner and a confidentiality, checked within 12 months.",
        ),
        most(
            DATASETS,
            Predicate::All(&[
                Predicate::Link { kind: "applies_to" },
                Predicate::Attributes(&[present("start_event"), present("confidentiality")]),
                record(
                    &["information_deletion.register_checked"],
                    &[yes("rule_assigned"), yes("owner_named")],
                ),
            ]),
            950,
            HOURS_YEAR,
        ),
        t(
            "保有期限と起算日のある情報資産台帳を取り込む。",
            "Import a register with periods and start events.",
        ),
        10,
    ),
    ume(
        "8.10/ume-2",
        Origin::Slides,
        t(
            "直近の締め日に期限が来ていた情報の95％以上に、削除・停止・決定による延長のいずれかの結果が12か月以内に記録されている。",
            "Of the items due at the last period's end at least 95 % have an outcome (deleted, held, or extended by decision) recorded within 12 months.",
        ),
        share(&["information_deletion.deletion_period"], "with_outcome", "due", 950, HOURS_YEAR),
        t("削除した情報の一覧を証言として提出する。", "Attest the list of what was deleted."),
        15,
    ),
    ume(
        "8.10/ume-3",
        Origin::Slides,
        t(
            "すべての情報に媒体に合った廃棄方法を定め、廃棄の記録に廃棄した日・内容・廃棄責任者がそろっている。",
            "Every dataset has a method fit for its medium, and receipts name the date, the content and the officer responsible.",
        ),
        each(
            DATASETS,
            Predicate::All(&[
                Predicate::Attributes(&[filled("medium_types"), filled("deletion_methods")]),
                // A dataset of which nothing fell due has no receipt to show.
                Predicate::Any(&[
                    record(
                        &["information_deletion.deletion_receipt"],
                        &[
                            present("disposed_on"),
                            filled("content"),
                            present("responsible"),
                            yes("method_fits_medium"),
                        ],
                    ),
                    record(&["information_deletion.deletion_period"], &[at_most("due", 0)]),
                ]),
            ]),
            HOURS_YEAR,
        ),
        t(
            "廃棄証明書を取り込むか、廃棄の記録を証言する。",
            "Import a certificate of destruction or attest the receipt.",
        ),
        15,
    ),
    above(
        "8.10/take-1",
        Level::Take,
        Origin::Slides,
        t(
            "過去90日に期限が来た情報の95％以上を、期限から30日以内に機械または取り込んだ証明書により削除している。",
            "Of the items due in the last 90 days at least 95 % were deleted within 30 days of the due date, by machine or imported receipt.",
        ),
        share(
            &["information_deletion.deletion_settled"],
            "done_30_days",
            "due",
            950,
            HOURS_90_DAYS,
        ),
        20,
    ),
    above(
        "8.10/take-2",
        Level::Take,
        Origin::Slides,
        t(
            "起算日の80％以上が手入力ではなく、35日以内に動いた業務システムの取込みから来ている。",
            "At least 80 % of the items got their start date from a feed or import of the last 35 days, not by typing.",
        ),
        share(&["information_deletion.trigger_census"], "fed", "items", 800, HOURS_35_DAYS),
        60,
    ),
    above(
        "8.10/take-3",
        Level::Take,
        Origin::Slides,
        t(
            "委託先・再委託先にある写しは、契約に削除の条項があり、期限が来た分のすべてに依頼と取り込んだ証明書がある。",
            "Copies at outsourcers and sub-outsourcers have a contract term, and all that is due was requested and certified by an imported certificate.",
        ),
        each(
            Subjects::Assets { kinds: &["copy"], only: &[is("place", "outsourcer")] },
            record(
                &["information_deletion.outsourced_check"],
                &[
                    yes("contract_term"),
                    within("due", "requested"),
                    within("due", "certified"),
                    at_most("sub_outsourcers_missing", 0),
                ],
            ),
            HOURS_90_DAYS,
        ),
        60,
    ),
    above(
        "8.10/take-4",
        Level::Take,
        Origin::Slides,
        t(
            "登録した保管先を90日以内に検査し、台帳にない個人情報が見つかれば14日以内に課題にしている。",
            "Every registered store was scanned within 90 days, and unregistered personal data got a task within 14 days.",
        ),
        each(
            Subjects::Assets { kinds: &["store"], only: &[] },
            record(
                &["information_deletion.stocktake_run"],
                &[at_most("found_without_task", 0), at_most("task_days_max", 14)],
            ),
            HOURS_90_DAYS,
        ),
        45,
    ),
    above(
        "8.10/matsu-1",
        Level::Matsu,
        Origin::Slides,
        t(
            "過去30日に期限が来た情報の95％以上を、システムが24時間以内に削除し、消えたことを確かめている。",
            "Of the items due in the last 30 days at least 95 % were deleted by the system within 24 hours and verified by its connector.",
        ),
        share(
            &["information_deletion.deletion_executed"],
            "verified_24_h",
            "due",
            950,
            HOURS_30_DAYS,
        ),
        30,
    ),
    above(
        "8.10/matsu-2",
        Level::Matsu,
        Origin::Ume,
        t(
            "削除した情報の98％以上で、すべての写しが消去済みか消える日が分かり、不明な所在がない。",
            "For at least 98 % of the deleted items every copy is cleared or dated and no location is unknown.",
        ),
        share(&["information_deletion.deletion_reach"], "settled", "deleted", 980, HOURS_30_DAYS),
        60,
    ),
    above(
        "8.10/matsu-3",
        Level::Matsu,
        Origin::Ume,
        t(
            "35日以内の抽出検査で、稼働中の保管先からも復元したバックアップからも、削除した情報の断片が一つも見つからない。",
            "A sampled re-scan within 35 days found no trace of deleted data, neither in live stores nor in a restored backup.",
        ),
        each(
            Subjects::Parts { field: "place", parts: &["live", "restored_backup"] },
            record(
                &["information_deletion.deletion_rescan"],
                &[at_least("samples", 1), at_most("hits", 0)],
            ),
            HOURS_35_DAYS,
        ),
        120,
    ),
];

const fn mend(criterion: &'static str, ja: &'static str, en: &'static str) -> Mend {
    Mend { criterion, text: t(ja, en) }
}

pub(crate) const MENDS: &[Mend] = &[
    mend(
        "8.10/ume-1",
        "情報資産台帳で、期間・起算日・責任者・機密レベルの空欄を埋めて確認する。",
        "Fill period, start event, owner and confidentiality in the register and confirm the row.",
    ),
    mend(
        "8.10/ume-2",
        "期限が来た情報を削除するか、停止・延長を決めて結果を登録する。",
        "Delete what is due, or decide to hold or extend it, and enter the outcome.",
    ),
    mend(
        "8.10/ume-3",
        "情報に廃棄方法を定め、廃棄の記録の不足を補う。",
        "Set a method for the dataset and complete its receipts.",
    ),
    mend(
        "8.10/take-1",
        "期限を過ぎた情報を削除し、証明書を取り込む。",
        "Delete the overdue items and import their certificates.",
    ),
    mend(
        "8.10/take-2",
        "人事・契約・会計の記録から起算日の取込みを設定する。",
        "Set up a feed of start dates from HR, contracts or accounting.",
    ),
    mend(
        "8.10/take-3",
        "委託先に削除を依頼し、再委託先を含む証明書を取り込む。",
        "Ask the outsourcer to delete and import its certificate, sub-outsourcers included.",
    ),
    mend(
        "8.10/take-4",
        "保管先を検査し、台帳にない個人情報を課題にする。",
        "Scan the store and open tasks for unregistered personal data.",
    ),
    mend(
        "8.10/matsu-1",
        "失敗した削除の原因を調べ、接続を直して実行し直す。",
        "Find why the deletion failed, repair the connector and run again.",
    ),
    mend(
        "8.10/matsu-2",
        "不明な所在を調べ、写しとして登録する。",
        "Find out about the unknown location and register it as a copy.",
    ),
    mend(
        "8.10/matsu-3",
        "見つかった断片を削除し、再検査する。",
        "Delete what the re-scan found and scan again.",
    ),
];
