//! Room of control 8.23, web filtering (ウェブフィルタリング).
//!
//! Keeps browsers and programs away from places that infect or deceive, on every path out, with a
//! reason for each block and a way to ask for an exception. The room owns the asset kinds
//! `web_edge`, `web_source`, `web_app` and `web_destination`, the rules `web_*` and the records
//! `web_filtering.*`; its certificate authority is a `key`.
//!
//! Invariants: pure data, no I/O. What was not inspected is never "clean"; the unrated has an
//! action of its own; an exception without an end does not exist.

mod criteria;
mod kinds;

use model::{LevelText, Question, RoomSpec, t};
use room::{Job, Room, Service, Verb};

/// What the room is.
pub const SPEC: RoomSpec = RoomSpec {
    id: "web_filtering",
    control: "8.23",
    name: t("ウェブフィルタリング", "Web filtering"),
    requirement: t(
        "外部のウェブサイトへの接続を管理し、有害な内容に触れる機会を減らすことが求められる。予防の管理策で、機密性・完全性・可用性に関わる（箇条7.3、8.1）。",
        "Access to outside websites has to be governed, so that people and programs meet less that is harmful. Preventive; confidentiality, integrity and availability; clauses 7.3 and 8.1.",
    ),
    overview: t(
        "従業員のブラウザやプログラムを、マルウェアやスパイウェアに感染させるサイト、情報や認証情報をだまし取るサイトから遠ざける。",
        "Keeps employees' browsers and programs away from sites that infect them, or steal information and credentials.",
    ),
    aim: t(
        "外へ出るすべての経路で、URLとIPアドレスの両方を見て機械が止める。止めた理由は誰にでも読め、例外は申請できる。",
        "Machines do the blocking, on every path out, by URL and by address; everyone can read why, and can ask for an exception.",
    ),
    actors: t(
        "OA系を担う情報システム部門が運用し、ISMS担当が方針を持つ。従業員が申請し、承認者が決め、復号しない宛先のリスクは経営層が受け入れる。",
        "IT staff in charge of office systems run it; the ISMS officer owns the policy. Employees ask, an approver decides, executives accept the risk of exemptions.",
    ),
    examples: t(
        "許可リストと拒否リスト、レイティングとカテゴリ、閲覧の例外申請、遮断ログ、紛らわしいドメイン、ウイルス検査の結果、分離した閲覧の記録。",
        "Allow and deny lists, ratings and categories, requests for exceptions, block logs, look-alike domains, scan results, records of isolated browsing.",
    ),
    related: &["5.10", "8.7", "8.20", "8.22"],
    question: Question {
        text: t("フィルタを通っていない端末はないか", "Does every device go through the filter?"),
        criterion: "8.23/ume-3",
        yes: t(
            "業務で使う{total}台のうち{passed}台がフィルタを通っています（残り{missing}台）。",
            "{passed} of {total} devices in office use go through the filter ({missing} do not).",
        ),
        no: t(
            "{total}台のうち{missing}台がフィルタを通っていません。",
            "{missing} of {total} devices do not go through the filter.",
        ),
        unknown: t(
            "まだ分かりません。{total}台のうち通っていると確かめられたのは{passed}台です。",
            "Not known yet: {passed} of {total} devices were seen at an edge.",
        ),
    },
    levels: [
        LevelText {
            function: t("方針どおりに制御する", "Control by policy"),
            practice: t(
                "許可または拒否のリストで、見てよい先と見てはいけない先を分ける。",
                "An allow or deny list tells what may be visited from what may not.",
            ),
        },
        LevelText {
            function: t("細かく、手間は少なく", "Finer, with less toil"),
            practice: t(
                "レイティングとカテゴリを使い、人や時間に応じて扱いを変える。",
                "Ratings and categories; the answer depends on who asks and when.",
            ),
        },
        LevelText {
            function: t("ウェブからの攻撃も防ぐ", "Attacks from the web are stopped too"),
            practice: t(
                "SWGまたはウェブ分離で中身まで検査し、迂回の道を塞ぐ。",
                "A secure web gateway or isolation looks at the content, and no way leads round it.",
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
    consumes: &[3002, 4004],
    emits: &[2004, 2006, 3002, 4001, 4002, 4003, 6002],
    files: &["web/index", "web/deltas", "web/leaves", "web/quarantine"],
};

/// The room at work.
pub struct WebFiltering;

impl Room for WebFiltering {
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
        assert_eq!(counts, [4, 5, 6]);
    }

    #[test]
    fn isolation_can_stand_in_for_the_gateway_but_nothing_for_the_missing_way_round() {
        let with = |passing: &'static [&'static str]| {
            SPEC.ladder[2].holds(&|id: &str| passing.contains(&id))
        };
        assert!(with(&["8.23/matsu-5", "8.23/matsu-6"]));
        assert!(!with(&["8.23/matsu-5"]));
        assert!(!with(&["8.23/matsu-1", "8.23/matsu-2", "8.23/matsu-6"]));
    }
}
