//! 5.7 Threat intelligence: what is known about attackers, judged and turned into defence.
//!
//! Owns the kinds `intel_source`, `intel_item`, `threat_actor`, `vulnerability`, `brand`,
//! `sharing_channel` and `org_profile`, and the records `threat_intelligence.*`.
//!
//! Invariants: the facts of a record name no person and no
//! victim; scores are integers (tenths, permille); nothing here matches or blocks, since edges load
//! a signed set and never this room.

mod command;
mod criteria;
mod kinds;
mod pages;
pub mod work;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

pub const SPEC: RoomSpec = RoomSpec {
    id: "threat_intelligence",
    control: "5.7",
    name: t("脅威インテリジェンス", "Threat intelligence"),
    requirement: t(
        "脅威についての情報を集めて分析し、自組織の判断と守りに役立てることが求められます。予防・検知・是正の管理策で、機密性・完全性・可用性のいずれにも関わり、箇条4.1・6.1.2・9.3とつながります。",
        "Information on threats has to be collected, analysed and made to serve the organisation's decisions and defences. Preventive, detective and corrective; confidentiality, integrity and availability; tied to clauses 4.1, 6.1.2 and 9.3.",
    ),
    overview: t(
        "攻撃者の動機・標的・攻撃手法を内外から集め、自組織に関係するかを判定し、意思決定と防御につなげます。人的・組織的・物理的な脅威も記録と周知の対象で、機械で扱うのはサイバー分野です。",
        "Motives, targets and methods of attackers are gathered from outside and inside, judged for relevance, and turned into decisions and defences. Human, organisational and physical threats can be recorded and briefed; machines serve the cyber field.",
    ),
    aim: t(
        "経営層には戦略とリスクの判断材料が、専門担当には守りの材料が間に合うように届き、取り上げた情報が必ず証拠のある対応で終わること。フィードの購読は目的ではありません。",
        "Executives get what they need for strategy and risk, specialists what they need for defence, in time; and whatever is taken up ends in an action with proof. Subscribing to feeds is not the aim.",
    ),
    actors: t(
        "既存の担当者による簡易分析（新しい部署は不要）、システム管理者、竹からはCSIRT（チームの担当範囲）。経営層は報告を受けて指示します。",
        "Existing staff as a small triage function (no new department), system administrators, from 竹 a CSIRT as a team's scope; executives receive and order.",
    ),
    examples: t(
        "攻撃手法、識別方法、影響、助言、環境・条件。侵害指標（IPアドレス、ドメイン、URL、ハッシュ、パス、レジストリ、ファイル名）、脆弱性、マルウェア、IPA10大脅威。",
        "Method, identification, impact, advice, environment and conditions; indicators (addresses, domains, URLs, hashes, paths, registry keys, file names), vulnerabilities, malware, IPA's ten threats.",
    ),
    related: &["5.5", "5.6", "8.8", "8.16", "8.23"],
    question: Question {
        text: t(
            "脅威情報が途切れている入手先はないか",
            "Has any source of intelligence gone quiet?",
        ),
        criterion: "5.7/ume-1",
        yes: t(
            "使用中の入手先{total}件のうち{passed}件から、間隔どおりに届いています。",
            "{passed} of {total} sources in use have delivered on time.",
        ),
        no: t(
            "使用中の入手先{total}件のうち{missing}件が途切れています。",
            "{missing} of {total} sources in use have gone quiet.",
        ),
        unknown: t(
            "まだ分かりません。入手先を登録し、届いた情報を記録してください。",
            "Not known yet: register the sources and record what arrives.",
        ),
    },
    levels: [
        LevelText {
            function: t(
                "脅威情報を得て守りに使う",
                "Intelligence is obtained and used for defence",
            ),
            practice: t(
                "梅1: 情報をIT部門と幹部へ届ける。梅2: IPA10大脅威から自組織の対策を選ぶ。",
                "Way 1: it reaches IT and executives. Way 2: measures are chosen from IPA's ten threats.",
            ),
        },
        LevelText {
            function: t(
                "内外の情報を回す仕組みがある",
                "External and internal intelligence runs as a process",
            ),
            practice: t(
                "CSIRTが収集し、判断し、関係部署と経営層へ展開する。",
                "A CSIRT gathers, judges and spreads it to departments and executives.",
            ),
        },
        LevelText {
            function: t("外部と情報を使い合う", "Intelligence is used both ways with others"),
            practice: t(
                "共有の経路を保ち、自組織の情報を渡し、相手の情報を受けて活かす。",
                "A kept channel carries what we give and what we take, and both are used.",
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
    consumes: &[4001, 4002, 4003, 4009, 1001, 1007, 201_001, 201_002, 3002, 2002, 2004],
    emits: &[2005],
    files: &["indicators"],
};

/// The room at work.
pub struct ThreatIntelligence;

impl Room for ThreatIntelligence {
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
        vec![command::verb()]
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
        assert_eq!(rows, [3, 6, 5]);
    }

    #[test]
    fn either_way_reaches_ume() {
        let ume = &SPEC.ladder[0];
        assert!(ume.holds(&|id| id == "5.7/ume-3"));
        assert!(ume.holds(&|id| id != "5.7/ume-3"));
        assert!(!ume.holds(&|id| id == "5.7/ume-1"));
    }
}
