//! The hall as data (ISMS共通): what the ISMS itself is judged by.
//!
//! The rooms do work and leave records; the hall turns them into gap analysis, risks, Statement of
//! Applicability, management review and audit. This module declares its criteria, the asset kinds
//! of context, documents and audit, the rules of method and approval, and the records `isms.*`.
//!
//! Invariants: pure data, no I/O. What a person hands in (`isms.attested`, `isms.imported`) names
//! the criterion it stands for; records hold no names of people.

mod criteria;
mod fields;
mod kinds;
mod others;
mod process;
mod records;

use model::{KindSpec, LevelText, Question, RoomSpec, t};

use crate::relations;

const PARTIES_TO_LINKS: [KindSpec; others::OTHERS.len() + relations::KINDS.len()] =
    relations::joined(others::OTHERS, relations::KINDS);
const ALL_OTHERS: [KindSpec; PARTIES_TO_LINKS.len() + process::KINDS.len()] =
    relations::joined(&PARTIES_TO_LINKS, process::KINDS);

/// What the hall is.
pub const SPEC: RoomSpec = RoomSpec {
    id: "isms",
    control: "isms",
    name: t("ISMS共通", "ISMS"),
    requirement: t(
        "規格の箇条4から10が求めること。組織の状況を捉え、リスクを評価して対応し、附属書Aと比べ、監査とレビューで直し続ける。",
        "What clauses 4 to 10 ask: know the context, assess and treat risks, compare with Annex A, and keep improving by audit and review.",
    ),
    overview: t(
        "11の部屋の記録から、ギャップ分析、リスク対応、適用宣言書、変更の計画、内部監査、マネジメントレビューを導く。",
        "From the records of the eleven rooms follow gap analysis, risk treatment, the Statement of Applicability, planned changes, internal audit and management review.",
    ),
    aim: t(
        "今日でも過去のどの日でも、何をどこまで、どの証拠で行っているか、次の段階に何が要るかを、身の丈に合わせて示す。",
        "Show for today and any past day what is done, how well, on what proof, and what lifts the organisation to the next level, at its own size.",
    ),
    actors: t(
        "ISMS事務局、リスク所有者、経営層、監査員。",
        "The ISMS officer, risk owners, executives and auditors.",
    ),
    examples: t(
        "情報セキュリティ方針、適用範囲、リスクアセスメント表、適用宣言書、監査計画と所見、レビューの議事録、教育の名簿。",
        "The policy, the scope, risk sheets, the Statement of Applicability, audit plans and findings, minutes of reviews, training lists.",
    ),
    related: &["5.7", "5.23", "5.30", "7.4", "8.9", "8.10", "8.11", "8.12", "8.16", "8.23", "8.28"],
    question: Question {
        text: t(
            "新しい11管理策のギャップはすべて捉えたか",
            "Are the gaps of all eleven new controls known?",
        ),
        criterion: "isms/ume-1",
        yes: t(
            "はい。{total}管理策のすべてで達成度を計算し、未達にはリスクを結び付けています。",
            "Yes: all {total} controls are computed, and those below 梅 are linked to risks.",
        ),
        no: t(
            "いいえ。{total}管理策のうち{missing}管理策で、達成度かリスクが足りません。",
            "No: {missing} of {total} controls lack a level or a risk.",
        ),
        unknown: t(
            "まだ分かりません。{total}管理策のうち確かめられたのは{passed}管理策です。",
            "Not known yet: {passed} of {total} controls were assessed.",
        ),
    },
    levels: [
        LevelText {
            function: t("ギャップとリスクを説明できる", "Gaps and risks can be explained"),
            practice: t(
                "ギャップを分析し、リスクに対応し、適用宣言書を承認し、マネジメントレビューを行う。",
                "Gaps are analysed, risks treated, the Statement of Applicability approved, the management review held.",
            ),
        },
        LevelText {
            function: t("証拠に基づいて運用する", "Run on evidence"),
            practice: t(
                "適用宣言書を証拠に基づかせ、独立した監査を行い、変更を計画し、周知する。",
                "The Statement of Applicability rests on evidence, audits are independent, changes are planned, people are told.",
            ),
        },
        LevelText {
            function: t("常に測り、外から確かめられる", "Always measured, verifiable from outside"),
            practice: t(
                "証跡を外部に証明してもらい、途切れず計測し、低下に自動で対応する。",
                "Evidence is witnessed outside, measurement never pauses, drops are answered automatically.",
            ),
        },
    ],
    ladder: criteria::LADDER,
    criteria: criteria::CRITERIA,
    kinds: kinds::KINDS,
    rules: kinds::RULES,
    others: &ALL_OTHERS,
    records: records::RECORDS,
    mends: criteria::MENDS,
    consumes: &[2002, 2003, 2004, 2005, 2006, 2007, 3002],
    emits: &[2003],
    files: &["ledger", "cache/verdicts"],
};

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
        assert_eq!(counts, [4, 4, 4]);
    }

    #[test]
    fn facts_of_records_hold_nothing_personal() {
        let personal = SPEC.records.iter().flat_map(|r| r.fields).filter(|f| f.personal);
        assert_eq!(personal.count(), 0);
    }
}
