use model::Table;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

fn id(n: u8) -> Id {
    Id::from_parts(NOW, &[0, n, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn row(table: Table, n: u8, kind: &str, name: &str, attributes: Json) -> Row {
    let mut row = Row::new(table, id(n), kind, name);
    row.attributes = attributes.as_object().cloned().unwrap();
    row
}

fn asset(n: u8, kind: &str, name: &str, attributes: Json) -> Row {
    row(Table::Asset, n, kind, name, attributes)
}

fn link(n: u8, kind: &str, from: u8, to: u8) -> Row {
    let mut link = row(Table::Link, n, kind, kind, json!({}));
    link.subject = Some(id(from));
    link.object = Some(id(to));
    link
}

fn decision(n: u8, kind: &str, about: &Row) -> Row {
    let mut decision = row(Table::Decision, n, kind, &about.name, json!({}));
    decision.status = "approved".to_owned();
    decision.subject = Some(about.id);
    decision.subject_hash = about.content_hash().ok();
    decision.ends_at = Some(NOW.plus_hours(1));
    decision
}

fn statement(selector: Json) -> Row {
    asset(1, "scope_statement", "全社", selector)
}

fn judged(assets: &[Row], parties: &[Row], links: &[Row], decisions: &[Row]) -> Scope {
    let own = <[Row]>::to_vec;
    let (assets, parties, links) = (own(assets), own(parties), own(links));
    Scope::new(&Register { assets, parties, links, decisions: own(decisions) }, NOW)
}

/// The hosts among the assets that are in scope.
fn inside(scope: &Scope, assets: &[Row]) -> Vec<String> {
    let hosts = assets.iter().filter(|a| a.kind == "host" && scope.holds(a.id));
    hosts.map(|a| a.name.clone()).collect()
}

fn hosts() -> Vec<Row> {
    vec![
        asset(10, "site", "東京本社", json!({})),
        asset(11, "zone", "サーバー室", json!({"site": id(10).to_string()})),
        asset(12, "site", "大阪支社", json!({})),
        asset(20, "host", "tokyo", json!({})),
        asset(21, "host", "osaka", json!({})),
        asset(22, "host", "nowhere", json!({})),
    ]
}

fn places() -> Vec<Row> {
    vec![link(30, "located_in", 20, 11), link(31, "located_in", 21, 12)]
}

#[test]
fn without_an_approved_statement_everything_active_is_in_scope() {
    let mut assets = hosts();
    assets.push(statement(json!({"statement": "x", "kinds": ["site"]})));
    let scope = judged(&assets, &[], &places(), &[]);
    assert_eq!(inside(&scope, &assets), ["tokyo", "osaka", "nowhere"]);
    assert_eq!(scope.extent_of(6), None);
}

#[test]
fn an_approved_selector_takes_out_what_is_known_to_lie_elsewhere_only() {
    let mut assets = hosts();
    let text = statement(json!({"statement": "x", "sites": ["東京本社"]}));
    let approval = decision(2, "approval", &text);
    assets.push(text);
    let scope = judged(&assets, &[], &places(), &[approval]);
    assert_eq!(inside(&scope, &assets), ["tokyo", "nowhere"], "through the zone, and the unknown");
    let extent = scope.extent_of(6).unwrap();
    assert_eq!((extent.inside, extent.outside), (4, 2), "the other site and its host");
}

#[test]
fn an_edited_or_expired_or_refused_approval_selects_nothing() {
    let text = statement(json!({"statement": "x", "kinds": ["site"]}));
    let good = decision(2, "approval", &text);
    let mut expired = good.clone();
    expired.ends_at = Some(NOW);
    let mut refused = good.clone();
    refused.status = "rejected".to_owned();
    let mut edited = good.clone();
    edited.subject_hash = Some("0".repeat(64));
    for (approval, left) in [(good, 0), (expired, 3), (refused, 3), (edited, 3)] {
        let mut assets = hosts();
        assets.push(text.clone());
        let scope = judged(&assets, &[], &[], &[approval]);
        assert_eq!(inside(&scope, &assets).len(), left);
    }
}

#[test]
fn what_is_only_asked_for_takes_no_approval_away() {
    let text = statement(json!({"statement": "x", "kinds": ["site"]}));
    let good = decision(2, "approval", &text);
    let mut asked = decision(3, "approval", &text);
    asked.status = web::decide::PROPOSED.to_owned();
    asked.updated_at = NOW;
    let mut assets = hosts();
    assets.push(text);
    let scope = judged(&assets, &[], &[], &[good, asked]);
    assert_eq!(inside(&scope, &assets).len(), 0);
}

#[test]
fn departments_come_from_the_asset_its_owner_and_its_team() {
    let mut own = asset(20, "host", "own", json!({"department": "営業部"}));
    own.owner = None;
    let mut person = asset(21, "host", "person", json!({}));
    person.owner = Some(id(40));
    let team = asset(22, "host", "team", json!({}));
    let other = asset(23, "host", "other", json!({"department": "総務部"}));
    let parties = [
        row(Table::Party, 40, "person", "佐藤", json!({"department": "営業部"})),
        row(Table::Party, 41, "team", "営業部", json!({})),
    ];
    let text = statement(json!({"statement": "x", "departments": ["営業部"]}));
    let approval = decision(2, "approval", &text);
    let assets = [own, person, team, other, text];
    let scope = judged(&assets, &parties, &[link(30, "owns", 41, 22)], &[approval]);
    assert_eq!(inside(&scope, &assets), ["own", "person", "team"]);
}

#[test]
fn a_loop_of_places_ends() {
    let assets = hosts();
    let text = statement(json!({"statement": "x", "sites": ["大阪支社"]}));
    let approval = decision(2, "approval", &text);
    let links = [link(30, "located_in", 20, 11), link(31, "located_in", 11, 20)];
    let mut all = assets.clone();
    all.push(text);
    let scope = judged(&all, &[], &links, &[approval]);
    assert!(!scope.holds(id(20)), "the zone's site is another");
}

proptest! {
    /// More in the selector never means less in scope, and no selector means all.
    #[test]
    fn scope_grows_with_its_selector(
        kinds in proptest::collection::vec(0usize..4, 1..4),
        more in 0usize..4,
        of in proptest::collection::vec(0usize..4, 1..30),
    ) {
        const KINDS: [&str; 4] = ["host", "site", "dataset", "software"];
        let mut assets: Vec<Row> = of
            .iter()
            .enumerate()
            .map(|(n, k)| asset(50 + n as u8, KINDS[*k], "a", json!({})))
            .collect();
        let small: Vec<&str> = kinds.iter().map(|k| KINDS[*k]).collect();
        let mut large = small.clone();
        large.push(KINDS[more]);
        let held = |kinds: &[&str], assets: &mut Vec<Row>| -> BTreeSet<Id> {
            let text = statement(json!({"statement": "x", "kinds": kinds}));
            let approval = decision(2, "approval", &text);
            assets.push(text);
            let scope = judged(assets, &[], &[], &[approval]);
            assets.pop();
            assets.iter().map(|a| a.id).filter(|id| scope.holds(*id)).collect()
        };
        let (few, many) = (held(&small, &mut assets), held(&large, &mut assets));
        prop_assert!(few.is_subset(&many));
        prop_assert!(assets.iter().all(|a| few.contains(&a.id) == small.contains(&a.kind.as_str())));
        prop_assert_eq!(held(&[], &mut assets).len(), assets.len());
    }
}
