//! Tests of a system: 試験仕様書 from its design values and checks, 成績書 from what its hosts have.
//!
//! Invariants: a test is passed only where a host was held against the value and had it; what nobody looked at is open
//! and counts as not passed; the report says of each test on which host and when it was seen.
//!
//! Limit: [`CASES_MAX`] tests of one system.

use std::collections::{BTreeMap, BTreeSet};

use model::{Assurance, Choice, Id, Lang, Text, Timestamp, t};
use reports::SheetError;
use serde_json::{Value as Json, json};
use store::{End, RecordDraft, Row, Store, StoreError, Write};

use crate::{
    design::{self, Design},
    kinds::FAMILIES,
    registers::{fact, reference},
    sheet::Finding,
    systems::CHECK,
    work::seen,
};

pub(crate) const REPORT: &str = "configuration.test_report";
pub(crate) const MAPS_TO: &str = "maps_to";
const CASES_MAX: usize = 5_000;
const OF_HOST_MAX: usize = 16;

/// What came of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    /// Nobody looked, or it could not be read.
    Open,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Open => "open",
        }
    }

    pub fn named(name: &str) -> Verdict {
        match name {
            "pass" => Verdict::Pass,
            "fail" => Verdict::Fail,
            _ => Verdict::Open,
        }
    }

    pub fn text(self) -> Text {
        match self {
            Verdict::Pass => t("合格", "passed"),
            Verdict::Fail => t("不合格", "failed"),
            Verdict::Open => t("未実施", "not done"),
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Open => "unknown",
        }
    }

    fn of(finding: Finding) -> Verdict {
        match finding {
            Finding::Equal => Verdict::Pass,
            Finding::Differs | Finding::NotSet => Verdict::Fail,
            _ => Verdict::Open,
        }
    }
}

/// One test.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub family: String,
    /// Row of the design value; none for a check of the eight considerations.
    pub baseline: Option<Id>,
    /// Row of the test specification in the life cycle, if there is one.
    pub test_spec: Option<Id>,
    pub host: Option<(Id, String)>,
    pub item: (String, String),
    pub expected: (String, String),
    pub verdict: Verdict,
    pub actual: String,
    pub evidence: String,
    pub at: Option<Timestamp>,
}

/// The tests of a system on its hosts as they were seen last; before the first host each test stands once.
pub(crate) async fn cases(
    store: &Store,
    system: Id,
    hosts: &[Row],
) -> Result<Vec<Case>, room::Error> {
    let assets: Vec<Id> = hosts.iter().map(|host| host.id).chain([system]).collect();
    let designs = design::of(store, &assets).await?;
    let specs = specs_of(store, &designs).await?;
    let ids: Vec<Id> = hosts.iter().map(|host| host.id).collect();
    let newest = seen::newest(store, &ids).await?;
    let mut cases = Vec::new();
    if hosts.is_empty() {
        let own = designs.iter().filter(|design| design.to.contains(&system));
        cases.extend(own.map(|design| planned(design, &specs, None)));
    }
    for host in hosts {
        let named = Some((host.id, host.name.clone()));
        for design in design::of_host(&designs, reference(host, "system"), host.id) {
            let mut case = planned(design, &specs, named.clone());
            if let Some(seen) = newest.get(&host.id) {
                let judged = design.held(&seen.facts);
                case.verdict = Verdict::of(judged.finding);
                (case.actual, case.evidence) = (judged.actual, judged.evidence);
                case.at = Some(seen.record.observed_to);
            }
            cases.push(case);
        }
        cases.extend(checks(store, host).await?);
    }
    cases.truncate(CASES_MAX);
    Ok(cases)
}

/// Test specifications by the design value that leads to them.
async fn specs_of(store: &Store, designs: &[Design]) -> Result<BTreeMap<Id, Id>, StoreError> {
    let ids: Vec<Id> = designs.iter().map(|design| design.row.id).collect();
    let links = store.links(&ids, MAPS_TO, End::Subject).await?;
    Ok(links.into_iter().filter_map(|link| Some((link.subject?, link.object?))).collect())
}

fn planned(design: &Design, specs: &BTreeMap<Id, Id>, host: Option<(Id, String)>) -> Case {
    let expected = format!("{} = {}{}", design.key(), design.value(), design.unit());
    Case {
        family: design.family().to_owned(),
        baseline: Some(design.row.id),
        test_spec: specs.get(&design.row.id).copied(),
        host,
        item: (design.key().to_owned(), design.key().to_owned()),
        expected: (expected.clone(), expected),
        verdict: Verdict::Open,
        actual: String::new(),
        evidence: String::new(),
        at: None,
    }
}

/// The newest results of the eight considerations on a host.
async fn checks(store: &Store, host: &Row) -> Result<Vec<Case>, StoreError> {
    let runs = store.newest_records(&[CHECK], Some(host.id), OF_HOST_MAX).await?;
    let mut seen = BTreeSet::new();
    let mut cases = Vec::new();
    for run in runs {
        let family = fact(&run, "family").to_owned();
        if !seen.insert(family.clone()) {
            continue;
        }
        let payload = store.payload(run.id).await?.unwrap_or_default();
        let results: Json = serde_json::from_slice(&payload).unwrap_or(Json::Null);
        for result in results.as_array().into_iter().flatten() {
            let part =
                |name: &str, lang: &str| result[name][lang].as_str().unwrap_or("").to_owned();
            let verdict = match result["outcome"].as_str() {
                Some("pass") => Verdict::Pass,
                Some("fail") => Verdict::Fail,
                _ => Verdict::Open,
            };
            let failing = result["failing"].as_array().map_or(0, Vec::len);
            cases.push(Case {
                family: family.clone(),
                baseline: None,
                test_spec: None,
                host: Some((host.id, host.name.clone())),
                item: (part("title", "ja"), part("title", "en")),
                expected: ("不適合0件".to_owned(), "nothing fails".to_owned()),
                verdict,
                actual: if verdict == Verdict::Open { String::new() } else { failing.to_string() },
                evidence: result["id"].as_str().unwrap_or_default().to_owned(),
                at: Some(run.observed_to),
            });
        }
    }
    Ok(cases)
}

/// What a consideration is called.
pub(crate) fn family_text(family: &str, lang: Lang) -> &'static str {
    let known = |choice: &&Choice| choice.value == family;
    FAMILIES.iter().find(known).map_or("", |choice| choice.label.get(lang))
}

/// 試験仕様書, or with results 成績書, as a workbook.
pub(crate) fn workbook(
    system: &str,
    cases: &[Case],
    is_report: bool,
    day: &str,
    time: &dyn Fn(Timestamp) -> String,
    lang: Lang,
) -> Result<Vec<u8>, SheetError> {
    let say = |text: Text| text.get(lang).to_owned();
    let title = match is_report {
        false => say(t("試験仕様書", "Test specification")),
        true => say(t("試験成績書", "Test report")),
    };
    let passed = cases.iter().filter(|case| case.verdict == Verdict::Pass).count();
    let mut titles = vec![title.clone(), format!("{} {system}", say(t("システム:", "System:")))];
    titles.push(format!("{} {day}", say(t("作成日:", "Made on:"))));
    if is_report {
        titles.push(format!("{} {passed} / {}", say(t("合格:", "Passed:")), cases.len()));
    }
    let mut header = vec![
        "No.".to_owned(),
        say(t("考慮事項", "Consideration")),
        say(t("ホスト", "Host")),
        say(t("項目", "Item")),
        say(t("手順", "Steps")),
        say(t("合格の条件", "Expected")),
    ];
    if is_report {
        header.extend([
            say(t("結果", "Result")),
            say(t("実機値", "Actual value")),
            say(t("根拠", "Evidence")),
            say(t("確認日時", "Seen at")),
        ]);
    }
    let line = |(number, case): (usize, &Case)| {
        let mut row = vec![
            (number + 1).to_string(),
            family_text(&case.family, lang).to_owned(),
            case.host.as_ref().map_or_else(String::new, |(_, name)| name.clone()),
            pick(&case.item, lang).to_owned(),
            steps(case, lang),
            pick(&case.expected, lang).to_owned(),
        ];
        if is_report {
            row.extend([
                say(case.verdict.text()),
                case.actual.clone(),
                case.evidence.clone(),
                case.at.map_or_else(String::new, time),
            ]);
        }
        row
    };
    let rows: Vec<Vec<String>> = cases.iter().enumerate().map(line).collect();
    reports::write_book(&title, &titles, &header, &rows)
}

pub(crate) fn pick(text: &(String, String), lang: Lang) -> &str {
    match lang {
        Lang::Ja => &text.0,
        Lang::En => &text.1,
    }
}

/// How a test is done.
pub(crate) fn steps(case: &Case, lang: Lang) -> String {
    match (case.baseline.is_some(), lang) {
        (true, Lang::Ja) => format!("ホストを採取し、{}の実機値を設計値と比べる。", case.item.0),
        (true, Lang::En) => {
            format!("Collect the host and hold {} against the design value.", case.item.1)
        }
        (false, Lang::Ja) => format!("機械検査 {} を実行する。", case.evidence),
        (false, Lang::En) => format!("Run the check {}.", case.evidence),
    }
}

/// Writes down what the tests came to; `extension` is the plan that asked for them.
pub(crate) async fn record(
    write: &mut Write<'_>,
    system: Id,
    cases: &[Case],
    extension: Option<Id>,
    file: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let passed = cases.iter().filter(|case| case.verdict == Verdict::Pass).count();
    let mut facts = json!({ "tests": cases.len(), "passed": passed });
    if let Some(file) = file {
        facts["file"] = json!(file);
    }
    let case = |case: &Case| {
        json!({
            "baseline": case.baseline.map(|id| id.to_string()),
            "test_spec": case.test_spec.map(|id| id.to_string()),
            "host": case.host.as_ref().map(|(id, _)| id.to_string()),
            "item": case.item.1, "verdict": case.verdict.as_str(),
            "actual": case.actual, "evidence": case.evidence,
            "at": case.at.map(Timestamp::rfc3339),
        })
    };
    let payload = json!({
        "extension": extension.map(|id| id.to_string()),
        "cases": cases.iter().map(case).collect::<Vec<_>>(),
    });
    let draft = RecordDraft {
        ty: REPORT.to_owned(),
        subject: Some(system),
        observed_from: cases.iter().filter_map(|case| case.at).min().unwrap_or(now),
        observed_to: now,
        source: "configuration.trials".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&payload).ok(),
    };
    write.record(draft).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(verdict: Verdict) -> Case {
        Case {
            family: "auto_logoff".into(),
            baseline: Some(Id::nil()),
            test_spec: None,
            host: Some((Id::nil(), "web1".into())),
            item: ("shell/TMOUT".into(), "shell/TMOUT".into()),
            expected: ("=600".into(), "=600".into()),
            verdict,
            actual: "=cmd|x".into(),
            evidence: "/etc/profile:3".into(),
            at: Some(Timestamp(0)),
        }
    }

    #[test]
    fn a_specification_has_no_results_and_a_report_counts_what_passed() {
        let cases = [case(Verdict::Pass), case(Verdict::Open), case(Verdict::Fail)];
        let time = |at: Timestamp| at.rfc3339();
        for (is_report, columns) in [(false, 6), (true, 10)] {
            let bytes = workbook("基幹", &cases, is_report, "2026-11-29", &time, Lang::Ja);
            let book = reports::read(&bytes.expect("written")).expect("read");
            let rows = &book.sheets[0].rows;
            let head = rows.iter().position(|row| row.first().is_some_and(|c| c == "No."));
            let head = head.expect("header");
            assert_eq!(rows[head].len(), columns);
            assert_eq!(rows.len(), head + 4);
            assert_eq!(rows.iter().any(|row| *row == ["合格: 1 / 3"]), is_report);
            if is_report {
                assert_eq!(rows[head + 1][7], "=cmd|x", "a value stays a text");
                assert_eq!(rows[head + 2][6], "未実施");
            }
        }
    }

    #[test]
    fn what_was_not_held_against_a_host_is_open() {
        for finding in Finding::ALL {
            let verdict = Verdict::of(finding);
            assert_eq!(verdict == Verdict::Pass, finding == Finding::Equal);
            assert_eq!(Verdict::named(verdict.as_str()), verdict);
        }
        assert_eq!(Verdict::of(Finding::Unread), Verdict::Open);
    }
}
