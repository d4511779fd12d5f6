//! Words about weaknesses, in both languages, for records, tasks and pages.

use sbom::{
    judge::{Reason, Subject},
    order::{Ecosystem, order},
};

/// Words of severities, the gravest first, as addresses and documents name them.
pub(crate) const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "unrated"];

/// The word for a score in tenths.
pub(crate) fn severity(score: Option<u16>) -> &'static str {
    match score.map(sbom::advisory::severity) {
        Some("CRITICAL") => "critical",
        Some("HIGH") => "high",
        Some("MEDIUM") => "medium",
        Some("LOW" | "NONE") => "low",
        _ => "unrated",
    }
}

/// The same as people read it.
pub(crate) fn severity_text(word: &str) -> model::Text {
    match word {
        "critical" => model::t("緊急", "critical"),
        "high" => model::t("重要", "high"),
        "medium" => model::t("警告", "medium"),
        "low" => model::t("注意", "low"),
        _ => model::t("評価なし", "not rated"),
    }
}

/// The class under which a page shows a severity.
pub(crate) fn severity_class(word: &str) -> &'static str {
    match word {
        "critical" | "high" => "fail",
        "medium" => "unknown",
        _ => "excluded",
    }
}

/// The class under which a page shows a state.
pub(crate) fn state_class(state: &str) -> &'static str {
    match state {
        "affected" => "fail",
        "not_affected" => "pass",
        _ => "unknown",
    }
}

/// Days within which a weakness of that severity is to be mended.
pub(crate) fn due_days(word: &str) -> i64 {
    match word {
        "critical" => 3,
        "high" => 7,
        "medium" => 30,
        _ => 90,
    }
}

/// How states read.
pub(crate) fn state_text(state: &str) -> model::Text {
    match state {
        "affected" => model::t("影響あり", "affected"),
        "not_affected" => model::t("影響なし", "not affected"),
        _ => model::t("不明", "unknown"),
    }
}

/// The version to install: where the stretch ends in which the installed one lies, else the lowest above it.
pub(crate) fn mend(subject: &Subject, reason: &Reason, fixed: &[String]) -> Option<String> {
    if let Reason::Within { until: Some(until), .. } = reason
        && fixed.contains(until)
    {
        return Some(until.clone());
    }
    let ecosystem = ecosystem(subject)?;
    let installed = subject.source_version.as_ref().unwrap_or(&subject.version);
    let above = |version: &&String| {
        order(ecosystem, installed, version).is_ok_and(std::cmp::Ordering::is_lt)
    };
    let lower =
        |a: &&String, b: &&String| order(ecosystem, a, b).unwrap_or(std::cmp::Ordering::Equal);
    fixed.iter().filter(above).min_by(lower).cloned()
}

/// In whose order the versions of a subject stand.
pub(crate) fn ecosystem(subject: &Subject) -> Option<Ecosystem> {
    subject.purl.as_ref().and_then(Ecosystem::of).or_else(|| Ecosystem::named(&subject.ecosystem))
}

/// Why nothing speaks of a weakness any more.
pub(crate) fn gone(still_listed: bool) -> (String, String) {
    match still_listed {
        true => (
            "該当する部品がなくなったか、影響のない版になりました".to_owned(),
            "the component is gone, or has a version that is not affected".to_owned(),
        ),
        false => (
            "どの情報源もこの勧告を挙げなくなりました".to_owned(),
            "no source lists the advisory any more".to_owned(),
        ),
    }
}

/// What is said of a weakness whose advisory cannot be read any more.
pub(crate) fn unreadable() -> (String, String) {
    (
        "勧告が読めなくなり、判定できません".to_owned(),
        "the advisory cannot be read any more, so it is not judged".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sbom::purl::Purl;

    #[test]
    fn the_lowest_version_above_the_installed_one_mends() {
        let subject = |purl: &str| Subject::of(&Purl::parse(purl).expect("a purl"));
        let fixed = ["1.0.10", "1.0.9", "0.9.5"].map(str::to_owned);
        let reason = Reason::Outside(String::new());
        let npm = subject("pkg:npm/a@1.0.1");
        assert_eq!(mend(&npm, &reason, &fixed).as_deref(), Some("1.0.9"));
        let within =
            Reason::Within { version: "1.0.1".into(), from: None, until: Some("1.0.10".into()) };
        assert_eq!(mend(&npm, &within, &fixed).as_deref(), Some("1.0.10"));
        assert_eq!(mend(&subject("pkg:npm/a@2.0.0"), &reason, &fixed), None);
    }
}
