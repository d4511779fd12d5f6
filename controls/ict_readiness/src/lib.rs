//! 5.30 ICT readiness: whether ICT can be brought back in time after a total outage.
//!
//! Owns the kinds `process` and `backup`, the continuity plans and drills, and the records
//! `ict_readiness.*`.
//!
//! Invariants: pure data, no I/O and no work yet; no recovery time is promised, only measured or
//! simulated from measurements; a person's health is never among the facts of a record; a restore
//! with an injected fault is a record type of its own.

mod criteria;
mod kinds;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

pub const SPEC: RoomSpec = RoomSpec {
    id: "ict_readiness",
    control: "5.30",
    name: t("事業継続のためのICTの備え", "ICT readiness for business continuity"),
    requirement: t(
        "事業継続の目標とICTに求められる継続の要件に沿って、ICTの備えを計画し、整え、保ち、試すことが求められます。是正の管理策で、可用性に関わり、箇条6.1.2・8.1とつながります。",
        "ICT readiness has to be planned, built, maintained and tested by the objectives of business continuity and what they ask of ICT. Corrective; availability; tied to clauses 6.1.2 and 8.1.",
    ),
    overview: t(
        "事業継続はICTの継続を含みます。事業影響度分析（BIA）で優先順位を決め、目標復旧時間（RTO）と目標復旧レベル（RLO）を定め、災害やサイバー攻撃による全断を出発点に、資源・手順・試験を整えます。",
        "Business continuity contains the continuity of ICT. Impact analysis sets priorities, recovery time and recovery level; resources, procedures and tests follow, starting from a total outage by disaster or cyber-attack.",
    ),
    aim: t(
        "時間を約束するのではなく、実際に復元して測り、訓練し、人を呼び集め、今日の時点で目標に届くかを言えること。",
        "No promised hours: backups are restored and measured, plans drilled, people called, and whether the target holds today can be said.",
    ),
    actors: t(
        "経営層（発動・投資）、業務の責任者（BIA）、ICTの管理責任者、システム管理者（復元）、全従業員（安否確認）。",
        "Executives (activate, fund), process owners (impact analysis), the ICT manager, administrators (restore), every employee (roll-call).",
    ),
    examples: t(
        "BIAの結果、優先順位、RTO・RLO、復旧計画と手順書、緊急連絡網、バックアップの一覧、復元の実測、訓練の報告と改善。",
        "Impact analyses, priorities, recovery objectives, plans and procedures, contact channels, backups, measured restores, drill reports and improvements.",
    ),
    related: &["5.29", "8.13", "8.14"],
    question: Question {
        text: t(
            "有事のICTの扱いが決まっていない業務はないか",
            "Is there a process whose ICT in an emergency is undecided?",
        ),
        criterion: "5.30/ume-1",
        yes: t(
            "{total}件の業務のうち{passed}件で、有事のICTの扱いが承認されています。",
            "For {passed} of {total} processes the treatment of ICT in an emergency is signed.",
        ),
        no: t(
            "{total}件の業務のうち{missing}件で、有事のICTの扱いが決まっていません。",
            "For {missing} of {total} processes the treatment of ICT in an emergency is undecided.",
        ),
        unknown: t(
            "まだ分かりません。業務の台帳を作り、支えるICTと結び付けてください。",
            "Not known yet: enter the processes and link the ICT they depend on.",
        ),
    },
    levels: [
        LevelText {
            function: t(
                "有事のICTの扱いを決め、連絡手段を持つ",
                "ICT is decided upon and people can be reached",
            ),
            practice: t(
                "既存のBCPにICTの章を加え、代わりの連絡手段を用意する。",
                "A chapter on ICT in the existing BCP, and spare channels.",
            ),
        },
        LevelText {
            function: t("全断から戻す備えがある", "Ready to come back from a total outage"),
            practice: t(
                "優先順位に沿って資源を投じ、手順を書き、点検を済ませる。",
                "Resources are committed by priority, procedures written and reviewed.",
            ),
        },
        LevelText {
            function: t("訓練で確かめ、直し続ける", "Drilled and improved"),
            practice: t(
                "手順書に従って訓練し、結果を手順と資源に戻す。",
                "Drills follow the procedure, and their results flow back.",
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
    consumes: &[2004, 2005, 1006],
    emits: &[2003, 2005],
    files: &["continuity"],
};

/// The room at work.
pub struct IctReadiness;

impl Room for IctReadiness {
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
    fn the_spec_contradicts_nothing() {
        assert_eq!(SPEC.contradictions(), Vec::<String>::new());
    }

    #[test]
    fn every_row_of_the_level_table_stands() {
        let rows = Level::RUNGS.map(|level| SPEC.rung(level).count());
        assert_eq!(rows, [2, 3, 5]);
    }
}
