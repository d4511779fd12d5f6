//! Room of control 8.12, data leakage prevention (データ漏えいの防止).
//!
//! Finds out which information must not leave, and watches and guards every way out. The room owns
//! the asset kinds `channel`, `information_class`, `mailing_list` and `content_index`, the rules of
//! inspection and approval, and the records `leakage_prevention.*`.
//!
//! Invariants: pure data, no I/O. No record holds clear text of what was found; what could not be
//! inspected never counts as clean; no mail is released in silence.

mod criteria;
mod kinds;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

/// What the room is.
pub const SPEC: RoomSpec = RoomSpec {
    id: "leakage_prevention",
    control: "8.12",
    name: t("データ漏えいの防止", "Data leakage prevention"),
    requirement: t(
        "機微な情報を扱うシステム・ネットワーク・端末に、情報が勝手に外へ出ることを防ぎ、見つける手立てを講じる。予防・検知の管理策で、機密性に関わる(箇条7.3、8.1)。",
        "Put measures on systems, networks and devices that handle sensitive information, so that it does not get out, or is noticed when it does. Preventive and detective; confidentiality; clauses 7.3 and 8.1.",
    ),
    overview: t(
        "出してはならない情報を見極め、すべての出口を見張り、守る。相手は攻撃(不正アクセス・盗聴・マルウェア)、内部不正、設定ミス、運用ミス、故障である。",
        "Find out which information must not leave, then watch and guard every way out against attack, insiders, misconfiguration, operating error and failure.",
    ),
    aim: t(
        "原因と経路の組合せを網羅し、どのマスにも動いている予防と検知があるか、なければ赤く見えるようにする。",
        "Cover every combination of cause and channel: each cell names its live prevention and detection, or is red.",
    ),
    actors: t(
        "全従業員(メール・端末・会話)、承認する上長と代理、走査と検査を動かす管理者、分析するISMS責任者。",
        "Every employee (mail, devices, talk); superiors and deputies who approve; administrators who run scanners, guard and agents; the ISMS officer who analyses.",
    ),
    examples: t(
        "個人番号、運転免許証番号、カード番号、顧客名簿、設計書、見積り、認証情報。出口はメール、Web、クラウド共有、可搬媒体、印刷、端末、会話など。",
        "Individual numbers, licence and card numbers, customer lists, designs, quotations, credentials. Ways out: mail, web, cloud share, removable media, print, devices, talk.",
    ),
    related: &["5.12", "5.13", "5.14", "6.3", "8.1", "8.16"],
    question: Question {
        text: t("どこに何があるか確かめたか", "Do we know what lies where?"),
        criterion: "8.12/ume-3",
        yes: t(
            "はい。保管場所{total}か所すべてを90日以内に走査しました。",
            "Yes: all {total} stores were searched within 90 days.",
        ),
        no: t(
            "保管場所{total}か所のうち{missing}か所は、90日以内の走査を終えていません。",
            "{missing} of {total} stores have no complete scan within 90 days.",
        ),
        unknown: t(
            "まだ分かりません。保管場所{total}か所のうち走査済みは{passed}か所です。",
            "Not known yet: {passed} of {total} stores have been searched.",
        ),
    },
    levels: [
        LevelText {
            function: t("守る情報を決め、運用で防ぐ", "Known, guarded by practice"),
            practice: t(
                "送信前に確かめ、持出しの規則を守り、教育する。",
                "Check before sending, a take-out rule, education.",
            ),
        },
        LevelText {
            function: t("検知して知らせる", "Detected, alerted"),
            practice: t(
                "経路ごとに検査し、上長が承認し、定期に棚卸しする。",
                "Checks on each channel, superiors approve, stores are inventoried.",
            ),
        },
        LevelText {
            function: t("網羅し、自動で止める", "Complete, blocking"),
            practice: t(
                "遮断・指紋・ふるまい検知を備え、精度を測る。",
                "Blocking, fingerprints and behaviour models, with measured accuracy.",
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
    emits: &[1001, 2004, 2006, 4009],
    files: &["leakage/spool", "leakage/links", "leakage/edm", "leakage/prints", "leakage/scan"],
};

/// The room at work.
pub struct LeakagePrevention;

impl Room for LeakagePrevention {
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
        assert_eq!(counts, [6, 7, 7]);
    }
}
