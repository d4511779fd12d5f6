//! Information deletion (8.10): how long everything is kept, that it goes in time and beyond
//! recovery, and an honest record of what was not reached.
//!
//! Owns datasets, stores, copies, keys, media and paper boxes, the rules of retention and deletion,
//! holds and receipts. Invariants: pure data, no I/O; an unknown location never counts as cleared;
//! facts of records never hold what was deleted.

mod criteria;
mod kinds;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

pub const SPEC: RoomSpec = RoomSpec {
    id: "information_deletion",
    control: "8.10",
    name: t("情報の削除", "Information deletion"),
    requirement: t(
        "予防の管理策で、機密性に関わる。情報システム・機器・媒体にある情報が不要になったら、復元できないように消すことを求める（箇条4.2、7.5、8.1）。",
        "A preventive control for confidentiality: information in systems, devices and media that is no longer needed is removed beyond recovery (clauses 4.2, 7.5, 8.1).",
    ),
    overview: t(
        "長く持つほど情報の責任者は曖昧になる。法令・契約・業務上の必要から保有期限を定め、期限が切れたものを復元できない方法で削除し、記録に残す。",
        "The longer data is kept, the less anyone owns it. Periods follow law, contract and business need; what has expired is deleted in time, beyond recovery, on record.",
    ),
    aim: t(
        "起算日となる出来事から期限を計算し、写しのある所をすべて把握したうえで、組織全体で同じ手順により削除し、消せなかった所も正直に示す。",
        "One process for the whole organisation: due dates from the event that starts them, every place with a copy known, and an honest statement of what was not reached.",
    ),
    actors: t(
        "ISMS責任者が方針を定め、各部門が情報資産台帳と承認を、管理者が保管先とバックアップを、総務が紙と媒体を、委託先・再委託先が預かった写しを受け持つ。",
        "The ISMS officer sets policy; departments keep the register and approve; administrators handle stores and backups, general affairs paper and media, outsourcers and sub-outsourcers their copies.",
    ),
    examples: t(
        "情報資産台帳、保有期間の一覧、廃棄の記録、溶解・焼却の証明書、消去ソフトの出力、委託先の証明書、棚卸しの結果。",
        "Register of information, table of periods, receipts, certificates of dissolving or incineration, wiping logs, outsourcers' certificates, stocktaking results.",
    ),
    related: &["5.31", "5.33", "5.34", "7.14", "8.13"],
    question: Question {
        text: t(
            "いつ消すかが決まっていない情報はないか",
            "Is there information without a rule for its deletion?",
        ),
        criterion: "8.10/ume-1",
        yes: t(
            "情報{total}件のうち{passed}件に期限・起算日・責任者があり、基準を満たしています。",
            "Good: {passed} of {total} datasets have a period, a start event and an owner.",
        ),
        no: t(
            "情報{total}件のうち{missing}件で、期限・起算日・責任者のいずれかが欠けています。",
            "Yes: {missing} of {total} datasets lack a period, a start event or an owner.",
        ),
        unknown: t(
            "台帳の確認がまだ足りません（情報{total}件中{passed}件）。",
            "Not known yet: {passed} of {total} datasets are confirmed.",
        ),
    },
    levels: [
        LevelText {
            function: t("期限を書き、周期で消す", "Period written, deleted periodically"),
            practice: t("台帳の期限欄と定期作業", "The register's column and a regular job"),
        },
        LevelText {
            function: t("期限が切れる都度消す", "Deleted as each item expires"),
            practice: t("一括を待たない業務手順", "A process that waits for no batch"),
        },
        LevelText {
            function: t("竹の作業をシステムが行う", "The system does what 竹 asks"),
            practice: t("期限の到来で自動削除", "Deletes by itself on the due day"),
        },
    ],
    ladder: criteria::LADDER,
    criteria: criteria::CRITERIA,
    kinds: kinds::KINDS,
    rules: kinds::RULES,
    others: kinds::OTHERS,
    records: kinds::RECORDS,
    mends: criteria::MENDS,
    // Compliance and data security findings on stores.
    consumes: &[2003, 2006],
    // File deletion, compliance finding, datastore activity.
    emits: &[1001, 2003, 6005],
    files: &["retention/items"],
};

/// The room at work.
pub struct InformationDeletion;

impl Room for InformationDeletion {
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
        assert_eq!(counts, [3, 4, 3]);
    }
}
