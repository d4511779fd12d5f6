//! 5.23 Cloud services: choosing, using, managing and leaving them by the organisation's own rules.
//!
//! Owns the kinds `cloud_service` and `tenant`, the decision `permit`, the plan `exit`, and the
//! records `cloud_services.*`.
//!
//! Invariants: pure data, no I/O and no work yet; a permit binds the row as assessed, so an edit
//! voids it; a setting that could not be read is unknown, never a finding; facts count users and
//! name none.

mod criteria;
mod kinds;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

pub const SPEC: RoomSpec = RoomSpec {
    id: "cloud_services",
    control: "5.23",
    name: t("クラウドサービス利用", "Cloud services"),
    requirement: t(
        "クラウドサービスの選定・利用・管理・終了の進め方を、自組織の要求に沿って決めて運用することが求められます。予防の管理策で、機密性・完全性・可用性に関わり、箇条4.1～4.3・6.1.2・8.1とつながります。",
        "How cloud services are chosen, used, managed and left has to be settled by the organisation's own requirements and practised. Preventive; confidentiality, integrity and availability; tied to clauses 4.1 to 4.3, 6.1.2 and 8.1.",
    ),
    overview: t(
        "選定基準、利用ルール、責任分界、利用終了の四つを柱に、どのサービスを誰が何のために使い、誰がどこまで責任を負うかを管理します。",
        "Four pillars: selection criteria, rules of use, split of responsibility, and end of use. Who uses which service for what, and who answers for which part.",
    ),
    aim: t(
        "実際に使われているサービスをすべて把握し、直接・間接に管理できる範囲を示し、終わったことを証明できること。野良クラウドが自然に浮かび上がること。",
        "Every service really in use is known, direct and indirect control are told apart, and the end of use is proved. Stray clouds surface by themselves.",
    ),
    actors: t(
        "ISMS担当（基準・承認）、システム管理者（ログ源・テナント）、利用部門（申請）、従業員（使う前に尋ねる）、購買。",
        "ISMS officer (criteria, permits), administrators (log sources, tenants), departments (applications), employees (ask first), purchasing.",
    ),
    examples: t(
        "クラウド台帳、選定基準のチェックリスト、利用申請と承認、責任分界表、GAP一覧、約款とリージョン、設定の点検結果、終了手続きと消去証明書。",
        "Register, checklist of criteria, applications and permits, responsibility matrix, list of gaps, terms and regions, setting findings, exit steps and certificates.",
    ),
    related: &["5.19", "5.20", "5.21", "5.22", "8.9", "8.10"],
    question: Question {
        text: t(
            "承認のないまま使っているクラウドはないか",
            "Is any cloud service in use without a permit?",
        ),
        criterion: "5.23/ume-3",
        yes: t(
            "利用中の{total}件のうち{passed}件に、有効な利用承認があります。",
            "{passed} of {total} services in use have a valid permit.",
        ),
        no: t(
            "利用中の{total}件のうち{missing}件に、有効な利用承認がありません。",
            "{missing} of {total} services in use have no valid permit.",
        ),
        unknown: t(
            "まだ分かりません。クラウド台帳に利用中のサービスを登録してください。",
            "Not known yet: enter the services in use in the register.",
        ),
    },
    levels: [
        LevelText {
            function: t(
                "要件を確かめ、GAPを見えるようにする",
                "Requirements are checked and gaps shown",
            ),
            practice: t(
                "チェックリストで要件を確かめ、利用を申請と承認で管理する。",
                "A checklist for requirements; use by application and permit.",
            ),
        },
        LevelText {
            function: t(
                "責任分界と利用を管理する",
                "The split of responsibility and the use are managed",
            ),
            practice: t(
                "ログで利用状況を見て、設定を定期的に点検する。",
                "Logs show the use, and settings are checked regularly.",
            ),
        },
        LevelText {
            function: t(
                "発見から終了までを自動で回す",
                "Automatic from discovery to the end of use",
            ),
            practice: t(
                "利用先の分類、未承認の遮断、利用終了の確認を機械が行う。",
                "Machines judge what is used, block what is not permitted and verify the end.",
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
    consumes: &[4003, 4002, 4001, 4009, 3002, 6003, 5020, 2001, 2003, 2004],
    emits: &[2004, 2003],
    files: &["cloud"],
};

/// The room at work.
pub struct CloudServices;

impl Room for CloudServices {
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
        assert_eq!(rows, [5, 4, 4]);
    }
}
