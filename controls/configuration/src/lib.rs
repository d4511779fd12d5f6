//! Configuration management (8.9): how everything is built and set, who changed it, and whether it
//! can be built again.
//!
//! Owns systems, hosts, network devices, hardware, software, licences, subnets and addresses, the
//! design values over them, changes, and the records of snapshots and drift. Invariants: the spec is
//! pure data; unread, error and not-applicable never pass; facts of records name no person but by id.

pub mod archive;
mod command;
mod criteria;
mod design;
pub mod impact;
mod kinds;
mod licences;
mod pages;
mod proofs;
mod registers;
pub mod sheet;
mod sheets;
mod systems;
mod templates;
mod trace;
mod trials;
pub mod work;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

pub const SPEC: RoomSpec = RoomSpec {
    id: "configuration",
    control: "8.9",
    name: t("構成管理", "Configuration management"),
    requirement: t(
        "予防の管理策で、機密性・完全性・可用性のすべてに関わる。ハードウェア・ソフトウェア・サービス・ネットワークの構成とセキュリティ設定を定め、文書にし、実施し、監視し、見直すことを求める（箇条6.3、8.1）。",
        "A preventive control for confidentiality, integrity and availability: configurations of hardware, software, services and networks, security settings included, are set, written down, carried out, watched and reviewed (clauses 6.3, 8.1).",
    ),
    overview: t(
        "構成と設定を導入から運用まで再構築可能な形で記録し、定めた値を守らせ、変化を見張り、見直す。",
        "Build and settings are recorded from introduction on, in a form from which they can be built again; they are enforced, watched and reviewed.",
    ),
    aim: t(
        "設定漏れをなくし、ぜい弱性の影響をすぐに判定し、不正な変更に気付き、壊れた機器を元に戻せるようにする。",
        "Forget no security setting, know at once whether a vulnerability touches us, notice illicit change, and rebuild what is damaged.",
    ),
    actors: t(
        "システム管理者と運用管理者が記録と変更を行い、ISMS責任者が承認と見直しを行い、供給者が試験成績書と部品表を納める。",
        "System and operations administrators record and change; the ISMS officer approves and reviews; suppliers deliver test results and bills of materials.",
    ),
    examples: t(
        "パラメータシート、構成図、変更申請書、試験仕様書と成績書、部品表、ライセンス台帳、IPアドレス管理表。",
        "Parameter sheets, diagrams, change requests, test specifications and reports, bills of materials, licence register, address plan.",
    ),
    related: &["5.9", "8.8", "8.19", "8.32"],
    question: Question {
        text: t(
            "構成の記録がない資産はないか",
            "Is any asset without a record of its configuration?",
        ),
        criterion: "8.9/ume-1",
        yes: t(
            "資産{total}件すべてに構成の記録があります。",
            "No: all {total} assets have a current record of their configuration.",
        ),
        no: t(
            "資産{total}件のうち{missing}件に構成の記録がないか、古くなっています。",
            "Yes: {missing} of {total} assets have no record or an old one.",
        ),
        unknown: t(
            "構成の記録がまだ足りません（資産{total}件中{passed}件）。",
            "Not known yet: {passed} of {total} assets have a record.",
        ),
    },
    levels: [
        LevelText {
            function: t("構成と設定を書き残す", "Build and settings are written down"),
            practice: t("表計算の台帳で管理する", "A register in spreadsheets"),
        },
        LevelText {
            function: t("道具で集めて管理する", "Tools collect and keep them"),
            practice: t("データベースに集めて照合する", "A database that collects and compares"),
        },
        LevelText {
            function: t("自動で集め、自動で戻す", "Collected and recovered by itself"),
            practice: t("設計の初めから組み込む", "Designed in from the start"),
        },
    ],
    ladder: criteria::LADDER,
    criteria: criteria::CRITERIA,
    kinds: kinds::KINDS,
    rules: kinds::RULES,
    others: kinds::OTHERS,
    records: kinds::RECORDS,
    mends: criteria::MENDS,
    // File system activity, process activity, authentication, DHCP activity.
    consumes: &[1001, 1007, 3002, 4004],
    emits: &[2002, 2003, 5001, 5019, 5020, 6002, 7001],
    files: &["captures", "facts", "pool", "manifests", "advisories", "twins", "journal"],
};

/// The room at work.
pub struct Configuration;

impl Room for Configuration {
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
        vec![command::verb(), command::sbom::verb()]
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
        assert_eq!(counts, [6, 8, 8]);
    }
}
