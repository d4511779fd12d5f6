use super::*;
use baseline::{Class, Origin, Value};
use model::Table;
use serde_json::Map;
use web::decide::{Hand, Item, Signature};

const HOUR: i64 = 3_600_000_000;

fn id(n: u8) -> Id {
    Id::from_parts(Timestamp(0), &[n; 10])
}

fn at(hour: i64) -> Timestamp {
    Timestamp(1_795_600_000_000_000 + hour * HOUR)
}

fn row(ty: &str, scope: Json) -> Row {
    let mut row = Row::new(Table::Plan, id(1), CHANGE, "port");
    row.attributes = json!({
        "type": ty, "reason": "r", "requester": id(9), "undo": "u", "scope": scope,
        "from": at(0).rfc3339(), "to": at(2).rfc3339(),
    })
    .as_object()
    .cloned()
    .unwrap();
    (row.version, row.created_at, row.updated_at) = (1, at(-9), at(-9));
    row
}

fn scope() -> Json {
    json!({"hosts": [id(5)], "settings": ["sshd/*"], "actors": [id(8)]})
}

fn signed(about: &Row, by: &str, hour: i64, outcome: &str) -> Row {
    let mut decision = Row::new(Table::Decision, id(hour as u8 ^ 0x55), "approval", &about.name);
    let hand = Hand { account: by.to_owned(), login: by.to_owned(), role: "officer".to_owned() };
    let item = Item {
        id: decision.id.to_string(),
        kind: "approval".to_owned(),
        name: about.name.clone(),
        subject: Some(about.id.to_string()),
        subject_table: Some("plan".to_owned()),
        subject_hash: about.content_hash().ok(),
        valid_until: at(99).rfc3339(),
        notes: json!({}),
        quorum: 1,
        policies: Vec::new(),
        self_approval: None,
    };
    let signature = Signature {
        statement: Statement {
            r#type: "ume/decision/v1".to_owned(),
            at: at(hour).rfc3339(),
            signer: hand,
            acting_for: None,
            delegation: None,
            outcome: outcome.to_owned(),
            reason: "r".to_owned(),
            decisions: vec![item],
        },
        nonce: String::new(),
        hash: String::new(),
        method: "simulated".to_owned(),
        assertion: None,
    };
    decision.status = outcome.to_owned();
    decision.subject = Some(about.id);
    decision.subject_hash = about.content_hash().ok();
    decision.updated_at = at(hour);
    decision.ends_at = Some(at(99));
    decision.attributes.insert("signatures".to_owned(), json!([signature]));
    decision
}

fn change(row: Row, decisions: &[Row]) -> Change {
    Change::of(row, decisions, &["asker".to_owned()]).unwrap()
}

#[test]
fn an_edit_voids_the_approval() {
    let row = row("normal", scope());
    let approval = signed(&row, "officer", -1, "approved");
    let approved = change(row.clone(), std::slice::from_ref(&approval));
    assert!(approved.standing.is_approved());
    let mut edited = row;
    edited.attributes.insert("scope".to_owned(), json!({"hosts": "all", "settings": ["*/*"]}));
    let edited = change(edited, &[approval]);
    assert_eq!(edited.standing, Standing::Void);
    assert!(edited.window().is_none() && edited.for_engine(id(5), &[]).is_empty());
}

#[test]
fn who_asked_approves_nothing_in_person_or_through_another() {
    let row = row("normal", scope());
    let own = signed(&row, "Asker", -1, "approved");
    assert_eq!(change(row.clone(), std::slice::from_ref(&own)).standing, Standing::Own);
    let mut through = signed(&row, "officer", -1, "approved");
    let mut kept = through.attributes["signatures"].clone();
    kept[0]["statement"]["acting_for"] =
        json!({"account": "x", "login": "asker", "role": "officer"});
    through.attributes.insert("signatures".to_owned(), kept);
    assert_eq!(change(row.clone(), &[through]).standing, Standing::Own);
    // Beside one that does not count, another's does.
    let both = [own, signed(&row, "officer", -2, "approved")];
    assert!(change(row.clone(), &both).standing.is_approved());
    let mut unsigned = signed(&row, "officer", -1, "approved");
    unsigned.attributes = Map::new();
    assert_eq!(change(row.clone(), &[unsigned]).standing, Standing::Waiting);
    let no = [signed(&row, "officer", -1, "rejected")];
    assert_eq!(change(row, &no).standing, Standing::Rejected);
}

#[test]
fn nothing_is_authorised_before_the_approval_nor_after_the_change_was_closed() {
    let row = row("normal", scope());
    let late = [signed(&row, "officer", 1, "approved")];
    let mut late = change(row, &late);
    assert_eq!(late.window(), Some((at(1), at(2))));
    late.closed = Some(Timestamp(at(1).0 + HOUR / 2));
    assert_eq!(late.window(), Some((at(1), Timestamp(at(1).0 + HOUR / 2))));
    late.closed = Some(at(0));
    assert_eq!(late.window(), None);
}

#[test]
fn an_emergency_waits_until_it_is_approved_in_time() {
    let mut row = row("emergency", scope());
    row.attributes.insert("to".to_owned(), json!(at(500).rfc3339()));
    row.created_at = at(1);
    let pending = change(row.clone(), &[]);
    assert!(pending.is_pending());
    // It was declared an hour late, and ends after a day whatever was written.
    assert_eq!(pending.window(), Some((at(1), at(24))));
    let approved = change(row.clone(), &[signed(&row, "officer", 70, "approved")]);
    assert!(approved.standing.is_approved() && !approved.is_pending());
    assert_eq!(approved.window(), Some((at(1), at(24))));
    let late = change(row.clone(), &[signed(&row, "officer", 73, "approved")]);
    assert_eq!((late.standing.clone(), late.window()), (Standing::Late, None));
}

#[test]
fn a_standard_change_is_approved_by_its_pattern_and_goes_no_further() {
    let mut pattern = row("standard", json!({"hosts": "all", "settings": ["sshd/*"]}));
    pattern.id = id(2);
    let approval = [signed(&pattern, "officer", -5, "approved")];
    let pattern = change(pattern, &approval);
    assert!(matches!(pattern.standing, Standing::Pattern { .. }));
    assert!(pattern.window().is_none(), "a pattern authorises nothing itself");
    let follow = |settings: &str, askers: &str| {
        let scope = json!({"hosts": [id(5)], "settings": [settings], "pattern": id(2)});
        let mut follower = change(row("standard", scope), &[]);
        follower.follow(std::slice::from_ref(&pattern), &[askers.to_owned()]);
        follower
    };
    assert!(follow("sshd/port", "asker").standing.is_approved());
    assert_eq!(follow("sudo/*", "asker").standing, Standing::BeyondPattern);
    assert_eq!(follow("sshd/port", "officer").standing, Standing::BeyondPattern);
    let mut longer =
        row("standard", json!({"hosts": [id(5)], "settings": ["sshd/port"], "pattern": id(2)}));
    longer.attributes.insert("to".to_owned(), json!(at(3).rfc3339()));
    let mut longer = change(longer, &[]);
    longer.follow(std::slice::from_ref(&pattern), &[]);
    assert_eq!(longer.standing, Standing::BeyondPattern);
}

#[test]
fn only_what_lies_in_scope_window_and_hands_is_authorised() {
    use baseline::{Actor, Context, DriftClass, classify};
    let scope = json!({
        "hosts": [id(5)], "settings": ["sshd/port"], "actors": [id(8)],
        "exact": [{"setting": "sysctl/kernel.sysrq", "value": "0"}],
    });
    let row = row("normal", scope);
    let approval = [signed(&row, "officer", -1, "approved")];
    let approved = change(row, &approval);
    let delta = |class, name: &str, after: &str| Delta {
        class,
        name: name.into(),
        before: None,
        after: Some(Value::text(after)),
        origin: Origin::Default,
    };
    let deltas = [
        delta(Class::Sshd, "port", "2222"),
        delta(Class::Sshd, "banner", "x"),
        delta(Class::Sysctl, "kernel.sysrq", "0"),
    ];
    let judge = |host: Id, seen: (i64, i64), by: Option<(Id, i64)>, deltas: &[Delta]| {
        let second = |hour: i64| at(hour).0 / 1_000_000;
        let actor = by.map(|(party, hour)| Actor {
            party: party.to_string(),
            evidence: String::new(),
            at: second(hour),
        });
        let context = Context {
            changes: approved.for_engine(host, deltas),
            seen_from: second(seen.0),
            seen_to: second(seen.1),
            actors: actor
                .map(|a| deltas.iter().map(|d| ((d.class, d.name.clone()), a.clone())).collect())
                .unwrap_or_default(),
            ..Context::default()
        };
        let is = |v: &baseline::Verdict| v.class == DriftClass::Authorised;
        classify(deltas, &context).iter().map(is).collect::<Vec<bool>>()
    };
    assert_eq!(judge(id(5), (0, 1), None, &deltas), [true, false, true]);
    assert_eq!(judge(id(6), (0, 1), None, &deltas), [false, false, false], "another host");
    assert_eq!(judge(id(5), (3, 4), None, &deltas), [false, false, false], "behind the window");
    assert_eq!(judge(id(5), (-2, -1), None, &deltas), [false, false, false], "before it");
    assert_eq!(judge(id(5), (0, 4), Some((id(8), 1)), &deltas), [true, false, true]);
    assert_eq!(
        judge(id(5), (0, 4), Some((id(7), 1)), &deltas),
        [false, false, false],
        "other hands"
    );
    assert_eq!(judge(id(5), (0, 4), Some((id(8), 3)), &deltas), [false, false, false]);
    let other = [delta(Class::Sysctl, "kernel.sysrq", "1")];
    assert_eq!(judge(id(5), (0, 1), None, &other), [false], "another value than the approved");
}
