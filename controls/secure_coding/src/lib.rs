//! Room of control 8.28, secure coding (セキュリティに配慮したコーディング).
//!
//! Holds the rules by which software is written, ordered and adopted, who knows them, and what
//! scans, reviews and tests say about each repository and release. The room owns the asset kinds
//! `dev_project`, `repository`, `application`, `release` and `route`, the rules of code analysis
//! and the records `secure_coding.*`.
//!
//! Invariants: pure data, no I/O. An acknowledgement counts for the standard in force only; an
//! assessment counts for the very commit and build it names; nothing that a person attests lifts
//! the room above 梅.

mod criteria;
mod kinds;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

/// What the room is.
pub const SPEC: RoomSpec = RoomSpec {
    id: "secure_coding",
    control: "8.28",
    name: t("セキュリティに配慮したコーディング", "Secure coding"),
    requirement: t(
        "ソフトウェアに脆弱性を作り込まないための原則を決め、開発に適用する。予防の管理策で、機密性・完全性・可用性のすべてに関わる(箇条7.2、8.1)。",
        "Settle principles that keep vulnerabilities out of software, and apply them to development. Preventive; confidentiality, integrity and availability; clauses 7.2 and 8.1.",
    ),
    overview: t(
        "書き始める前に、守る原則を決める。自社で書くもの、委託先に書いてもらうもの、採用するオープンソースのすべてに当てはめる。",
        "Decide before coding which principles hold, and apply them to all that is written, ordered or adopted as open source.",
    ),
    aim: t(
        "規則を皆が知り、コーディングとレビューでは機械が確かめ、試験で裏付ける。欠陥を突いた盗聴・改ざん・マルウェア感染を想定する。",
        "People know the rules, a machine checks them at coding and review, tests confirm them. Assumed attacks: eavesdropping, tampering and malware infection through defects.",
    ),
    actors: t(
        "ISMS責任者と開発責任者が標準を定め、プロジェクト管理者が社内と委託先に適用する。開発者とレビュー担当が守り、試験担当が確かめ、残るリスクは経営者が受け入れる。",
        "ISMS officer and development lead publish the standard; project managers apply it to staff and contractors; developers and reviewers work by it; testers verify; management accepts what remains.",
    ),
    examples: t(
        "コーディング標準、周知の記録、要件書、ソースコードの検査結果、レビュー記録、部品表、納品物の検査、脆弱性診断とペネトレーションテストの報告書。",
        "Coding standard, acknowledgements, requirement sets, code scans, review records, component lists, checks of deliveries, reports of assessments and penetration tests.",
    ),
    related: &["8.4", "8.25", "8.26", "8.29", "8.30"],
    question: Question {
        text: t("検査していないコードはないか", "Is any code unscanned?"),
        criterion: "8.28/take-3",
        yes: t(
            "ありません。{total}件のリポジトリのうち{passed}件を7日以内に検査しました。",
            "None: {passed} of {total} repositories were scanned within 7 days.",
        ),
        no: t(
            "{total}件のリポジトリのうち{missing}件が検査の条件を満たしていません。",
            "{missing} of {total} repositories are not scanned as required.",
        ),
        unknown: t(
            "まだ分かりません。{total}件のうち検査が確かめられたのは{passed}件です。",
            "Not known yet: {passed} of {total} repositories are known to be scanned.",
        ),
    },
    levels: [
        LevelText {
            function: t("要件を決めて知らせる", "Requirements are defined and made known"),
            practice: t(
                "SQLインジェクションやXSSなどを防ぐ規則を定め、開発する人全員に知らせる。",
                "Rules against SQL injection, XSS and the like are set and told to all who develop.",
            ),
        },
        LevelText {
            function: t("総合的な標準で進める", "Work follows a comprehensive standard"),
            practice: t(
                "個々の脆弱性に限らず、設計から保守までの開発標準を定めて運用する。",
                "Beyond single flaws, a standard from design to maintenance is kept and used.",
            ),
        },
        LevelText {
            function: t("試験で確かめる", "Verified by test"),
            practice: t(
                "脆弱性診断やペネトレーションテストで、実装が守られていることを確かめる。",
                "Vulnerability assessments or penetration tests confirm what was built.",
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
    consumes: &[2002, 2007],
    emits: &[2003, 2007, 6007],
    files: &["units", "findings", "transcripts"],
};

/// The room at work.
pub struct SecureCoding;

impl Room for SecureCoding {
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
    use super::*;
    use model::Level;

    #[test]
    fn the_spec_does_not_contradict_itself() {
        assert_eq!(SPEC.contradictions(), Vec::<String>::new());
    }

    #[test]
    fn every_row_of_the_level_table_is_a_criterion() {
        let counts = Level::RUNGS.map(|level| SPEC.rung(level).count());
        assert_eq!(counts, [4, 7, 5]);
    }
}
