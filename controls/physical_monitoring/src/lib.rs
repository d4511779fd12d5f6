//! Physical security monitoring (7.4): who may be where, who is, and whether anyone is watching.
//!
//! Owns sites, zones, portals, sensors, controllers, badges, physical keys and shielded rooms, the
//! rules over them and the records of watching. Invariants: pure data, no I/O; silence of a sensor
//! is unknown and never quiet; facts of records name no person.

mod criteria;
mod kinds;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

pub const SPEC: RoomSpec = RoomSpec {
    id: "physical_monitoring",
    control: "7.4",
    name: t("物理的セキュリティの監視", "Physical security monitoring"),
    requirement: t(
        "予防・検知の管理策で、機密性・完全性・可用性のすべてに関わる。許可のない立入りに気付けるよう、守る場所への出入りを途切れなく見張ることを求める（箇条6.1.2、8.1）。",
        "A preventive and detective control for confidentiality, integrity and availability: physical access to protected places is watched without a break, so that what is not authorised is noticed (clauses 6.1.2, 8.1).",
    ),
    overview: t(
        "人（巡回、受付、施錠確認）とシステム（電子錠、センサー、カメラ）の両方で、守る区画への出入りを見張る。",
        "People (rounds, reception, lock checks) and systems (electronic locks, sensors, cameras) watch the access to protected zones together.",
    ),
    aim: t(
        "内外からの窃盗・破壊・干渉を防ぎ、見張りが一度も途切れなかったことを示せるようにする。",
        "Prevent theft, destruction and interference from outside and inside, and be able to show that the watching never slept.",
    ),
    actors: t(
        "ISMS責任者と総務・施設担当が情報資産のレベルに応じた共通ルールを定め、警備・受付・管理者が見張って対応し、従業員は入退室の記録、持出・持込の申請、来訪者の付添を行う。",
        "The ISMS officer and facilities set one common rule by asset level; guards, reception and administrators watch and respond; employees badge, declare what they carry and escort visitors.",
    ),
    examples: t(
        "入退室の記録、来訪者簿、巡回表、警報と対応の記録、監視カメラの映像、機器の点検記録、区画の平面図。",
        "Entry logs, visitor book, round sheets, alarms and responses, camera footage, walk-tests, plans of the zones.",
    ),
    related: &["7.1", "7.2", "7.3", "8.16"],
    question: Question {
        text: t("出入口の見落としはないか", "Is any boundary of a zone still unanswered?"),
        criterion: "7.4/ume-2",
        yes: t(
            "区画の境界{total}件をすべて確認済みです。",
            "No: all {total} boundaries of the zones are answered.",
        ),
        no: t(
            "境界{total}件のうち{missing}件が未確認です。",
            "Yes: {missing} of {total} boundaries are unanswered.",
        ),
        unknown: t(
            "区画の境界の確認がまだ足りません（{total}件中{passed}件）。",
            "Not known yet: {passed} of {total} boundaries are answered.",
        ),
    },
    levels: [
        LevelText {
            function: t("共通ルールと人の目で見張る", "A common rule and human eyes"),
            practice: t("入退室簿、巡回、施錠確認", "Entry book, rounds, lock checks"),
        },
        LevelText {
            function: t("システムで見張る", "Systems watch"),
            practice: t(
                "電子錠、センサー、カメラを使い、警報に対応する",
                "Readers, sensors and cameras, with a response to their alarms",
            ),
        },
        LevelText {
            function: t("高度に検知し、突き合わせる", "Advanced detection and correlation"),
            practice: t(
                "共連れの検知、重量センサー、漏洩電磁波対策",
                "Tailgating detection, weight sensors, protection against emanations",
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
    // Account change, authentication, tunnel activity.
    consumes: &[3001, 3002, 4014],
    // OCSF has no physical class yet: observations go out as base events, findings as detections.
    emits: &[0, 2004],
    files: &["portal/snapshots", "portal/minutes", "portal/segments"],
};

/// The room at work.
pub struct PhysicalMonitoring;

impl Room for PhysicalMonitoring {
    fn spec(&self) -> &'static RoomSpec {
        &SPEC
    }

    fn jobs(&self) -> Vec<Job> {
        Vec::new()
    }

    fn services(&self) -> Vec<Service> {
        Vec::new()
    }

    fn routes(&self) -> Vec<web::route::Route> {
        Vec::new()
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
    use super::SPEC;
    use model::Level;

    #[test]
    fn the_room_contradicts_itself_nowhere() {
        assert_eq!(SPEC.contradictions(), Vec::<String>::new());
    }

    #[test]
    fn every_row_of_the_level_table_is_here() {
        let counts = Level::RUNGS.map(|level| SPEC.rung(level).count());
        assert_eq!(counts, [6, 6, 6]);
    }
}
