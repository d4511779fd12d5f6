//! Room of control 8.16, monitoring activities (監視活動).
//!
//! Collects what machines, networks, applications and security tools say, learns what is normal and
//! reports departures from it. The room owns the asset kinds `log_source`, `metric_source` and
//! `database`, the rules of detection and the records `monitoring.*`.
//!
//! Invariants: pure data, no I/O. A status counts for a class or an asset only while it is fresh
//! and not silent; nothing that a person attests lifts the room above 梅.

mod criteria;
pub mod findings;
pub mod gap;
mod kinds;
pub mod measured;
mod pages;
pub mod review;
pub mod senders;
pub mod work;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

/// What the room is.
pub const SPEC: RoomSpec = RoomSpec {
    id: "monitoring",
    control: "8.16",
    name: t("監視活動", "Monitoring activities"),
    requirement: t(
        "ネットワーク・システム・アプリケーションのふるまいを見張り、平常と違う動きを見つけて、情報セキュリティインシデントかどうかを評価する。検知・是正の管理策で、機密性・完全性・可用性のすべてに関わる(箇条8.1、9.1)。",
        "Watch how networks, systems and applications behave, notice what departs from normal and judge whether it is an information security incident. Detective and corrective; confidentiality, integrity and availability; clauses 8.1 and 9.1.",
    ),
    overview: t(
        "機器・ネットワーク・アプリケーション・セキュリティ製品のログを集め、平常を覚え(定常監視)、そこからの外れ(攻撃・故障・枯渇)を知らせる(異常検知)。",
        "Ume collects what machines, networks, applications and security tools say, learns what is normal, and reports departures: attack, failure, exhaustion.",
    ),
    aim: t(
        "兆候(起きたが気づかれていない)と予兆(まだ起きていない)を、小さな手当てで済むうちに見つける。",
        "Find signs (happened, unnoticed) and precursors (not yet happened) early enough that the answer is small.",
    ),
    actors: t(
        "システム運用担当が運用し、ISMS責任者がレビューを計画する。半分は機器と容量、半分は攻撃が相手である。",
        "System administrators run it, the ISMS officer schedules the reviews. Half of it is hardware and capacity, half is attacks.",
    ),
    examples: t(
        "システム・OSログ、認証ログ、通信量、Webアクセスログ、ウイルス対策とIDSの検知、CPU・メモリ・ディスク使用率、温度、DBの接続数、バックアップの結果、監視カメラの状態、構成変更。",
        "System and OS logs, log-ins, traffic, web access logs, antivirus and IDS hits, CPU, memory and disk use, temperature, database connections, backup results, state of cameras, configuration changes.",
    ),
    related: &["5.25", "5.26", "8.6", "8.15"],
    question: Question {
        text: t("ログが途絶えている機器はないか", "Is any machine silent?"),
        criterion: "8.16/ume-1",
        yes: t(
            "ありません。対象の{total}台すべてから24時間以内にログが届いています。",
            "None: {passed} of {total} machines in scope were heard within 24 hours.",
        ),
        no: t(
            "{total}台のうち{missing}台からログが届いていません。",
            "{missing} of {total} machines are not heard.",
        ),
        unknown: t(
            "まだ分かりません。{total}台のうちログが届いていると確かめられたのは{passed}台です。",
            "Not known yet: {passed} of {total} machines have been heard.",
        ),
    },
    levels: [
        LevelText {
            function: t("平常と異常を確かめる", "Normal and abnormal are checked"),
            practice: t(
                "監視ソフトで状態を確認し、通知を受けて対応する。",
                "Monitoring software shows the state; alerts are seen and answered.",
            ),
        },
        LevelText {
            function: t("平常との差で判断する", "Judged against normal"),
            practice: t(
                "定常データを取り続け、異常時はGAP分析で差を確かめて判断する。",
                "Steady-state data is always taken; in trouble a GAP analysis shows what differs.",
            ),
        },
        LevelText {
            function: t("傾向から早く気づく", "Seen early, from trends"),
            practice: t(
                "セキュリティログの傾向を分析し、起きる前・広がる前に気づく。",
                "Trends of security logs are analysed, to notice before it happens or spreads.",
            ),
        },
    ],
    ladder: criteria::LADDER,
    criteria: criteria::CRITERIA,
    kinds: kinds::KINDS,
    rules: kinds::RULES,
    others: kinds::OTHERS,
    records: kinds::RECORDS,
    mends: criteria::MENDS,
    consumes: &[
        0, 1001, 1007, 2003, 2004, 2005, 2006, 3001, 3002, 4001, 4002, 4003, 4009, 6003, 6005,
    ],
    emits: &[2004, 2005],
    files: &["spool", "archive", "series", "state"],
};

/// The room at work.
pub struct Monitoring;

impl Room for Monitoring {
    fn spec(&self) -> &'static RoomSpec {
        &SPEC
    }

    fn jobs(&self) -> Vec<Job> {
        work::jobs()
    }

    fn services(&self) -> Vec<Service> {
        work::services()
    }

    fn routes(&self) -> Vec<web::route::Route> {
        pages::routes()
    }

    fn commands(&self) -> Vec<Verb> {
        Vec::new()
    }

    fn demonstration(&self) -> &'static str {
        include_str!("../demonstration.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Level;

    #[test]
    fn the_spec_does_not_contradict_itself() {
        assert_eq!(SPEC.contradictions(), Vec::<String>::new());
    }

    #[test]
    fn every_row_of_the_level_table_is_a_criterion() {
        let counts = Level::RUNGS.map(|level| SPEC.rung(level).count());
        assert_eq!(counts, [4, 5, 5]);
    }
}
