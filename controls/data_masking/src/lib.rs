//! Room of control 8.11, data masking (データマスキング).
//!
//! Sensitive data is shown, copied, analysed and handed out only in the form its use needs. The
//! room owns the asset kinds `data_field` and `mask_domain`, the rules of masking and the records
//! `data_masking.*`.
//!
//! Invariants: pure data, no I/O. Records hold counts, hashes and opaque ids, never a value that
//! was masked; what could not be inspected never counts as clean.

mod criteria;
mod kinds;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

/// What the room is.
pub const SPEC: RoomSpec = RoomSpec {
    id: "data_masking",
    control: "8.11",
    name: t("データマスキング", "Data masking"),
    requirement: t(
        "機微なデータを、方針・業務上の要件・法令に沿って隠したうえで使う。予防の管理策で、機密性に関わる(箇条4.2、8.1)。",
        "Hide sensitive data before use, in line with policy, business needs and law. Preventive; confidentiality; clauses 4.2 and 8.1.",
    ),
    overview: t(
        "機微なデータを、用途に必要な形でだけ見せ、写し、分析し、渡す。方針は匿名加工情報・仮名加工情報の法令を踏まえる。",
        "Sensitive data is shown, copied, analysed and handed out only in the form the use needs, under a policy that knows the law on anonymously and pseudonymously processed information.",
    ),
    aim: t(
        "活用場面ごとのリスクを量り、必要のない人には残りを隠し、本番から出るものは元に戻せないようにする。",
        "Weigh the risk of each use, hide the rest from those who do not need it, and make what leaves production unreadable backwards.",
    ),
    actors: t(
        "データの責任者とISMS責任者が用途ごとに方法を選び受渡しを承認し、管理者と開発者がジョブを動かし、試験者・分析者・委託先が受け取る。",
        "Data owner and ISMS officer choose the method per use and approve hand-over; administrators and developers run jobs; testers, analysts and contractors receive.",
    ),
    examples: t(
        "氏名、住所、生年月日、電話番号、メールアドレス、個人番号、カード番号、口座番号、給与、病歴、取引先との契約金額。",
        "Names, addresses, dates of birth, telephone numbers, mail addresses, individual numbers, card and account numbers, salaries, medical history, contract amounts.",
    ),
    related: &["5.34", "8.3", "8.33"],
    question: Question {
        text: t(
            "テスト環境に生の本番データはないか",
            "Is there raw production data outside production?",
        ),
        criterion: "8.11/ume-3",
        yes: t(
            "ありません。本番以外の{total}件すべてで、生データのないことが確かめられています。",
            "No: all {total} datasets outside production are shown to be masked or clean.",
        ),
        no: t(
            "本番以外の{total}件のうち{missing}件で、生データのないことが確かめられていません。",
            "{missing} of {total} datasets outside production are not shown to be free of it.",
        ),
        unknown: t(
            "まだ分かりません。本番以外の{total}件のうち確かめられたのは{passed}件です。",
            "Not known yet: {passed} of {total} datasets outside production have been checked.",
        ),
    },
    levels: [
        LevelText {
            function: t("方針を決め、手で隠す", "Policy set, masked by hand"),
            practice: t(
                "テストに生データを置かず、画面の表示は役割で限る。",
                "No raw data in test; screens are limited by role.",
            ),
        },
        LevelText {
            function: t("決めた手順で繰り返す", "Repeatable"),
            practice: t(
                "ジョブで加工し、法定の基準を確かめ、承認を得て渡す。",
                "Jobs do the work, the law's checklist is met, hand-over is approved.",
            ),
        },
        LevelText {
            function: t("自動で隠し、効き目を測る", "Live and measured"),
            practice: t(
                "動的にマスクし、再識別リスクを測り、鍵を分けて廃棄する。",
                "Masked live, risk of re-identification measured, keys held apart and destroyed.",
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
    consumes: &[2006, 6005],
    emits: &[2003, 2006, 6005],
    files: &["masking/keys", "masking/maps", "masking/dict", "masking/jobs"],
};

/// The room at work.
pub struct DataMasking;

impl Room for DataMasking {
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
        assert_eq!(counts, [4, 5, 5]);
    }
}
