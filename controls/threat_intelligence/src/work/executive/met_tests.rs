use std::{collections::HashMap, sync::Arc};

use super::{
    super::{
        super::relevance::Reason,
        Horizon,
        evidence::{Actor, Seen, Threat, Weak},
    },
    *,
};

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

fn id(n: u128) -> Id {
    format!("01936b3a-0000-7000-8000-{n:012x}").parse().unwrap()
}

fn ago(days: i64) -> Timestamp {
    NOW.minus_hours(24 * days)
}

fn criterion(trigger: Trigger) -> Criterion {
    Criterion {
        id: id(1),
        name: "x".to_owned(),
        trigger,
        horizon: Horizon::Short,
        due_hours: 24,
        severity_min: Severity::High,
        epss_permille_min: 500,
        times_min: 2,
        window_days: 30,
        rise_permille_min: 1_500,
    }
}

fn titles(criterion: &Criterion, evidence: &Evidence) -> Vec<String> {
    met(criterion, evidence, NOW).into_iter().map(|met| met.title_en).collect()
}

fn item(n: u128, text: &str, touch: Option<Touch>, days: i64) -> Item {
    let reason = |touch| Reason { touch, word: "x".into(), row: id(90), like: String::new() };
    Item {
        id: id(n),
        name: format!("item {n}"),
        at: ago(days),
        level: Level::Green,
        verdict: None,
        is_urgent: false,
        advice: String::new(),
        reasons: touch.map(reason).into_iter().collect(),
        text: Arc::from(text),
    }
}

fn seen(n: u128, severity: Severity, is_intelligence: bool, days: i64) -> Seen {
    let title = format!("seen {n}");
    let (title_ja, title_en) = (title.clone(), title);
    Seen { id: id(n), at: ago(days), severity, is_intelligence, title_ja, title_en }
}

fn exposed(faces_internet: bool, is_important: bool) -> Exposed {
    Exposed { id: id(90), name: "vpn".to_owned(), faces_internet, is_important }
}

fn weak(n: u128, is_exploited: bool, epss_permille: i64, assets: Vec<Exposed>) -> Weak {
    let (name, fix) = (format!("CVE-{n}"), "7.2".to_owned());
    Weak { id: id(n), name, at: ago(1), is_exploited, epss_permille, fix, assets }
}

#[test]
fn what_our_own_logs_show_counts_from_its_severity_on_if_intelligence_was_met() {
    let evidence = Evidence {
        seen: vec![
            seen(1, Severity::High, true, 1),
            seen(2, Severity::Medium, true, 1),
            seen(3, Severity::Critical, false, 1),
            seen(4, Severity::High, true, 31),
        ],
        ..Evidence::default()
    };
    let mut criterion = criterion(Trigger::OwnSighting);
    assert_eq!(titles(&criterion, &evidence), ["seen 1"]);
    criterion.severity_min = Severity::Medium;
    assert_eq!(titles(&criterion, &evidence).len(), 2);
}

#[test]
fn a_vulnerability_counts_where_it_is_used_and_an_exposed_or_important_asset_has_it() {
    let (open, important, neither) =
        (exposed(true, false), exposed(false, true), exposed(false, false));
    let evidence = Evidence {
        weak: vec![
            weak(1, true, 0, vec![open.clone(), neither.clone()]),
            weak(2, false, 500, vec![important]),
            weak(3, false, 499, vec![open]),
            weak(4, true, 900, vec![neither]),
            weak(5, true, 900, Vec::new()),
        ],
        ..Evidence::default()
    };
    let criterion = criterion(Trigger::Vulnerability);
    let all = met(&criterion, &evidence, NOW);
    let found: Vec<&str> = all.iter().map(|met| met.title_en.as_str()).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&"CVE-1 (exploited)") && found.contains(&"CVE-2 (EPSS 50.0 %)"));
    assert!(all.iter().all(|met| met.assets.len() == 1), "only what counts is named");
}

#[test]
fn items_count_by_how_they_touch_us_and_not_once_somebody_discarded_them() {
    let mut gone = item(4, "", Some(Touch::Brand), 1);
    gone.verdict = Some(Verdict::Discard);
    let evidence = Evidence {
        items: vec![
            item(1, "", Some(Touch::Brand), 1),
            item(2, "", Some(Touch::Supplier), 1),
            item(3, "", Some(Touch::Lookalike), 1),
            gone,
            item(5, "", Some(Touch::Brand), 40),
            item(6, "", None, 1),
        ],
        assets: HashMap::from([(id(90), exposed(true, false))]),
        ..Evidence::default()
    };
    assert_eq!(titles(&criterion(Trigger::NamesUs), &evidence), ["item 1"]);
    assert_eq!(titles(&criterion(Trigger::SupplierAttacked), &evidence), ["item 2"]);
    assert_eq!(titles(&criterion(Trigger::FakeSite), &evidence), ["item 3"]);
}

#[test]
fn an_actor_counts_when_named_often_enough_within_the_window() {
    let actor = |aims_at_sector| Actor {
        id: id(80),
        name: "APT-X".to_owned(),
        words: vec!["apt-x".to_owned(), "雷獣".to_owned()],
        aims_at_sector,
    };
    let mut evidence = Evidence {
        items: vec![item(1, "by apt-x", None, 1), item(2, "雷獣による", None, 20)],
        actors: vec![actor(true)],
        ..Evidence::default()
    };
    let criterion = criterion(Trigger::ActorInSector);
    assert_eq!(titles(&criterion, &evidence), ["APT-X (2 in 30 days)"]);
    evidence.items.push(item(3, "apt-x again", None, 2));
    let again = met(&criterion, &evidence, NOW);
    assert_eq!(again.len(), 1, "one actor is one hit");
    evidence.items.truncate(1);
    evidence.items.push(item(4, "apt-xy is another", None, 1));
    assert!(titles(&criterion, &evidence).is_empty(), "another name is another actor");
    evidence.actors = vec![actor(false)];
    evidence.items.push(item(5, "apt-x", None, 1));
    assert!(titles(&criterion, &evidence).is_empty(), "not our sector");
}

#[test]
fn a_threat_is_new_if_the_edition_before_lacks_it() {
    let threat = |n, name: &str, edition, was_ranked| Threat {
        id: id(n),
        name: name.to_owned(),
        at: ago(2),
        edition,
        was_ranked,
    };
    let mut evidence = Evidence {
        threats: vec![threat(1, "ransom", 2026, false), threat(2, "AI", 2026, false)],
        ..Evidence::default()
    };
    let criterion = criterion(Trigger::NewMethod);
    assert!(titles(&criterion, &evidence).is_empty(), "nothing to compare with");
    evidence.threats.push(threat(3, "ransom", 2023, false));
    assert_eq!(titles(&criterion, &evidence), ["AI (edition 2026)"]);
    evidence.threats[1].was_ranked = true;
    assert!(titles(&criterion, &evidence).is_empty(), "it was ranked the year before");
}

#[test]
fn a_trend_needs_a_window_before_and_growth_from_it() {
    let with = |now: u128, then: u128| Evidence {
        seen: (0..now)
            .map(|n| seen(n, Severity::High, false, 2))
            .chain((0..then).map(|n| seen(100 + n, Severity::High, false, 40)))
            .collect(),
        ..Evidence::default()
    };
    let criterion = criterion(Trigger::OwnTrend);
    assert_eq!(titles(&criterion, &with(3, 2)).len(), 1);
    assert!(titles(&criterion, &with(2, 2)).is_empty(), "no growth");
    assert!(titles(&criterion, &with(9, 0)).is_empty(), "nothing to have grown from");
    assert!(titles(&criterion, &with(1, 0)).is_empty(), "too few");
}

#[test]
fn the_same_has_the_same_key_and_other_criteria_have_others() {
    let evidence =
        Evidence { items: vec![item(1, "", Some(Touch::Brand), 1)], ..Evidence::default() };
    let one = criterion(Trigger::NamesUs);
    let other = Criterion { id: id(2), ..one.clone() };
    let key = |criterion: &Criterion, now| met(criterion, &evidence, now)[0].key.clone();
    assert_eq!(key(&one, NOW), key(&one, NOW.plus_hours(5)));
    assert_ne!(key(&one, NOW), key(&other, NOW));
}
