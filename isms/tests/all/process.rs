//! How the ISMS itself is run, over a real store: context, planned changes, audits, reviews, the policy
//! everyone reads. Each criterion is driven to pass by what people do, and back by time or by a trick.

use isms::{
    audit::{
        self,
        findings::{self, Standing},
        run::{self, Answer, AnswerError},
    },
    changes, context,
    hall::Acceptance,
    policy,
    review::{
        self, Gathered,
        hold::{self, HoldError, Signing},
    },
};
use model::{Id, Lang, RoomSpec, Status, Table};
use serde_json::{Value as Json, json};
use store::Row;
use web::decide::{RulingError, Signer};

use crate::place::{DAY_HOURS, Place};

static ROOMS: [&RoomSpec; 11] = [
    &threat_intelligence::SPEC,
    &cloud_services::SPEC,
    &ict_readiness::SPEC,
    &physical_monitoring::SPEC,
    &configuration::SPEC,
    &information_deletion::SPEC,
    &data_masking::SPEC,
    &leakage_prevention::SPEC,
    &monitoring::SPEC,
    &web_filtering::SPEC,
    &secure_coding::SPEC,
];

impl Place {
    async fn status(&self, criterion: &str) -> Status {
        self.board().await.hall.verdict(criterion).expect("criterion").status
    }

    async fn person(&self, name: &str) -> Row {
        self.add(Table::Party, "person", name, json!({})).await
    }

    async fn edit(&self, table: Table, id: Id, name: &str, value: Json) -> Row {
        let mut row = self.store.row(table, id).await.expect("read").expect("there");
        row.attributes.insert(name.to_owned(), value);
        self.put(row).await
    }

    fn day(&self, days: i64) -> String {
        let at = self.store.now().plus_hours(days * DAY_HOURS);
        at.rfc3339().chars().take(10).collect()
    }

    async fn facts(&self, ty: &str) -> Vec<Json> {
        let records = self.store.newest_records(&[ty], None, 1_000).await.expect("records");
        let spec = isms::SPEC.records.iter().find(|r| r.ty == ty).expect("declared");
        for record in &records {
            assert_eq!(spec.validate(&record.facts), [], "{ty}");
        }
        records.into_iter().map(|r| Json::Object(r.facts)).collect()
    }

    fn validates(&self, row: &Row) {
        let all = isms::SPEC.kinds.iter().chain(isms::SPEC.rules).chain(isms::SPEC.others);
        let kind = all.into_iter().find(|k| k.table == row.table && k.id == row.kind);
        let mut attributes = row.attributes.clone();
        // No kind declares signatures, so that no form, import or API call can write them.
        attributes.shift_remove("signatures");
        assert_eq!(kind.expect("declared").validate(&attributes), [], "{}", row.kind);
    }
}

// Context (4.1 to 4.3)

#[tokio::test]
async fn a_sample_is_taken_once_and_what_nobody_looked_at_for_a_year_says_so() {
    let place = Place::over(&ROOMS).await;
    let ids: Vec<&str> = context::samples::all().iter().map(|s| s.id.as_str()).take(3).collect();
    for wanted in [3, 0] {
        let mut write = place.store.write("account:sato", "", "").await.expect("write");
        let taken = context::take(&place.store, &mut write, &ids, Lang::Ja).await.expect("taken");
        write.commit().await.expect("commit");
        assert_eq!(taken, wanted);
    }
    let drawn = context::load(&place.store).await.expect("context");
    assert_eq!(drawn.external.len(), 3);
    assert!(drawn.minds_climate() && drawn.entries().all(|e| !e.overdue));
    for entry in drawn.entries() {
        place.validates(&entry.row);
    }
    place.later(400);
    let drawn = context::load(&place.store).await.expect("context");
    assert!(drawn.entries().all(|e| e.overdue));
    let mut write = place.store.write("account:sato", "", "").await.expect("write");
    let first = drawn.external[0].row.id;
    let today = place.day(0);
    let seen = context::reviewed(&place.store, &mut write, &[first], &today).await.expect("seen");
    write.commit().await.expect("commit");
    assert_eq!(seen, 1);
    let drawn = context::load(&place.store).await.expect("context");
    assert_eq!(drawn.entries().filter(|e| e.overdue).count(), 2);
}

#[tokio::test]
async fn a_scope_is_approved_only_as_it_stands() {
    let place = Place::over(&ROOMS).await;
    let scope = place.add(Table::Asset, "scope_statement", "範囲", json!({"statement": "s"})).await;
    let approved = async || {
        let context = context::load(&place.store).await.expect("context");
        context.scope[0].approved.is_some()
    };
    assert!(!approved().await);
    place.decide(&scope, "approval", "approved", 365, json!({})).await;
    assert!(approved().await);
    place.edit(Table::Asset, scope.id, "statement", json!("t")).await;
    assert!(!approved().await);
}

// Changes (6.3)

async fn approved_scope(place: &Place) -> Row {
    let scope = place.add(Table::Asset, "scope_statement", "範囲", json!({"statement": "s"})).await;
    place.decide(&scope, "approval", "approved", 700, json!({})).await;
    scope
}

fn plan(place: &Place, what: &str) -> Row {
    let attributes = json!({
        "purpose": "p", "consequences": "c", "resources": "r", "responsibilities": "s",
        what: true, "starts_on": place.day(-1), "ends_on": place.day(30),
    });
    place.row(Table::Plan, "isms_change", "変更", attributes)
}

async fn judged(place: &Place) -> Vec<(String, bool, bool)> {
    changes::record(&place.store).await.expect("judged");
    let facts = place.facts(changes::JUDGED).await;
    let one = |f: &Json| {
        let what = f["what"].as_str().unwrap_or("").to_owned();
        (what, f["above_threshold"] == true, f["plan_signed_before"] == true)
    };
    facts.iter().map(one).collect()
}

fn scope_change(planned: bool) -> (String, bool, bool) {
    ("scope".to_owned(), true, planned)
}

#[tokio::test]
async fn nothing_changes_an_isms_that_is_still_being_set_up() {
    let place = Place::over(&ROOMS).await;
    let scope = place.add(Table::Asset, "scope_statement", "範囲", json!({"statement": "s"})).await;
    place.edit(Table::Asset, scope.id, "statement", json!("t")).await;
    assert_eq!(judged(&place).await, []);
    assert_eq!(place.status("isms/take-3").await, Status::Unknown);
}

#[tokio::test]
async fn a_change_without_a_plan_is_a_finding_judged_once_and_it_ages_away() {
    let place = Place::over(&ROOMS).await;
    let scope = approved_scope(&place).await;
    assert_eq!(judged(&place).await, [], "the approval itself changes nothing");
    place.edit(Table::Asset, scope.id, "statement", json!("t")).await;
    assert_eq!(judged(&place).await, [scope_change(false)]);
    assert_eq!(judged(&place).await, [scope_change(false)], "once");
    assert_eq!(place.status("isms/take-3").await, Status::Fail);
    // A plan signed now mends nothing.
    let late = place.put(plan(&place, "scope")).await;
    place.decide(&late, "approval", "approved", 300, json!({})).await;
    assert_eq!(judged(&place).await, [scope_change(false)]);
    assert_eq!(changes::overview(&place.store).await.expect("seen").findings().count(), 1);
    // The next change is planned: it passes, and the old one still fails.
    place.edit(Table::Asset, scope.id, "statement", json!("u")).await;
    assert_eq!(judged(&place).await, [scope_change(true), scope_change(false)]);
    assert_eq!(place.status("isms/take-3").await, Status::Fail);
    place.later(366);
    assert_ne!(place.status("isms/take-3").await, Status::Fail);
    assert_eq!(changes::overview(&place.store).await.expect("seen").findings().count(), 0);
}

#[tokio::test]
async fn a_planned_change_passes_until_the_year_is_over() {
    let place = Place::over(&ROOMS).await;
    let scope = approved_scope(&place).await;
    let plan = place.put(plan(&place, "scope")).await;
    place.validates(&plan);
    place.decide(&plan, "approval", "approved", 300, json!({})).await;
    place.edit(Table::Asset, scope.id, "statement", json!("t")).await;
    // What becomes of the plan later is no matter.
    place.edit(Table::Plan, plan.id, "outcome", json!("o")).await;
    assert_eq!(judged(&place).await, [scope_change(true)]);
    assert_eq!(place.status("isms/take-3").await, Status::Pass);
    place.later(366);
    assert_ne!(place.status("isms/take-3").await, Status::Pass);
}

#[tokio::test]
async fn a_plan_edited_after_its_signature_and_one_of_something_else_do_not_count() {
    let place = Place::over(&ROOMS).await;
    let scope = approved_scope(&place).await;
    let edited = place.put(plan(&place, "scope")).await;
    place.decide(&edited, "approval", "approved", 300, json!({})).await;
    place.edit(Table::Plan, edited.id, "purpose", json!("other")).await;
    let other = place.put(plan(&place, "method")).await;
    place.decide(&other, "approval", "approved", 300, json!({})).await;
    place.edit(Table::Asset, scope.id, "statement", json!("t")).await;
    assert_eq!(judged(&place).await, [scope_change(false)]);
}

#[tokio::test]
async fn method_norm_version_deletion_and_many_rules_are_changes_too() {
    let place = Place::over(&ROOMS).await;
    let scope = approved_scope(&place).await;
    let method = json!({"likelihood_scale": ["a"], "impact_scale": ["b"], "accept_at_most": 4, "level_effect": {}});
    place.add(Table::Rule, "risk_method", "方法", method).await;
    assert_eq!(judged(&place).await, [("method".to_owned(), true, false)]);

    let norm = place.norm("5.1").await;
    place.edit(Table::Norm, norm, "edition", json!("2028")).await;
    let other = place.norm("5.2").await;
    place.edit(Table::Norm, other, "edition", json!("2028")).await;
    assert_eq!(judged(&place).await[0], ("norm_version".to_owned(), true, false));
    assert_eq!(judged(&place).await.len(), 2, "one for the edition, however many norms");

    let threshold = json!({
        "rules_max": 2, "scope": false, "norm_version": true, "method": true, "window_days": 30,
    });
    let threshold = place.add(Table::Rule, "change_threshold", "閾値", threshold).await;
    place.validates(&threshold);
    for name in ["a", "b"] {
        place.add(Table::Rule, "schedule", name, json!({})).await;
    }
    assert_eq!(judged(&place).await.len(), 2, "two may change");
    // Uses of controls have the statement's signature.
    place.usage("5.1", json!({"applies": "yes"})).await;
    assert_eq!(judged(&place).await.len(), 2);
    place.add(Table::Rule, "schedule", "c", json!({})).await;
    assert_eq!(judged(&place).await[0], ("rules".to_owned(), true, false));
    place.add(Table::Rule, "schedule", "d", json!({})).await;
    assert_eq!(judged(&place).await.len(), 3, "what was counted is not counted again");

    // By this threshold the scope may change without a plan; that it did is noted all the same.
    place.clock.fetch_add(1_000_000, std::sync::atomic::Ordering::SeqCst);
    let mut write = place.store.write("account:sato", "gone", "").await.expect("write");
    write.delete(scope).await.expect("deleted");
    write.commit().await.expect("commit");
    assert_eq!(judged(&place).await[0], ("scope".to_owned(), false, false));
}

// Internal audit (9.2, 10.2)

/// Every control is used, owned by the first, and there is a programme for the clauses.
async fn owned(place: &Place) -> (Row, Row) {
    let owner = place.person("責任者").await;
    let auditor = place.person("監査員").await;
    for norm in isms::norms::annex_a() {
        place.usage(&norm.number, json!({"applies": "yes", "responsible": owner.id})).await;
    }
    let programme = json!({
        "objective": "o", "starts_on": place.day(0), "ends_on": place.day(365),
        "lead": auditor.id, "isms_owner": owner.id,
    });
    let programme = place.add(Table::Plan, "audit_programme", "計画", programme).await;
    place.validates(&programme);
    (owner, auditor)
}

async fn draw(place: &Place, seed: &str, count: usize, auditor: Id) -> Row {
    let board = place.board().await;
    let loaded = audit::load(&place.store, &board).await.expect("state");
    let samples = audit::draw(&loaded.state, seed, count, auditor);
    let id = place.store.new_id().expect("id");
    let row = run::row(id, "監査", seed, auditor, board.at, &samples);
    place.validates(&row);
    place.put(row).await
}

async fn say(
    place: &Place,
    audit_row: Row,
    at: usize,
    result: &str,
    by: Id,
) -> Result<Row, AnswerError> {
    let board = place.board().await;
    let loaded = audit::load(&place.store, &board).await.expect("state");
    say_of(place, &loaded, audit_row, at, result, by).await
}

async fn say_of(
    place: &Place,
    loaded: &audit::Loaded,
    audit_row: Row,
    at: usize,
    result: &str,
    by: Id,
) -> Result<Row, AnswerError> {
    place.clock.fetch_add(1_000_000, std::sync::atomic::Ordering::SeqCst);
    let number = run::samples(&audit_row)[at]["item"].as_str().expect("item").to_owned();
    let item = loaded.state.items.iter().find(|i| i.number == number).expect("item");
    let mut write = place.store.write("account:kansa", "audit", "").await.expect("write");
    let answer = Answer { sample: at, result, note: "記録を見た", by };
    let row = run::answer(&place.store, &mut write, audit_row, item, &answer).await?;
    write.commit().await.expect("commit");
    Ok(row)
}

async fn record_states(place: &Place) -> u64 {
    let board = place.board().await;
    audit::record_states(&place.store, &board).await.expect("recorded")
}

#[tokio::test]
async fn the_same_seed_and_state_give_the_same_samples_until_one_is_answered() {
    let place = Place::over(&ROOMS).await;
    let (_, auditor) = owned(&place).await;
    let first = draw(&place, "2026", 6, auditor.id).await;
    let again = draw(&place, "2026", 6, auditor.id).await;
    assert_eq!(run::samples(&first), run::samples(&again));
    assert_eq!(run::samples(&first).len(), 6);
    let other = draw(&place, "2027", 6, auditor.id).await;
    assert_ne!(run::samples(&first), run::samples(&other));
    let asked = run::samples(&first)[0].clone();
    let first = say(&place, first, 0, "conform", auditor.id).await.expect("taken");
    assert!(matches!(
        say(&place, first, 0, "conform", auditor.id).await,
        Err(AnswerError::Answered)
    ));
    // Whatever the seed, that question does not come again before the others.
    let board = place.board().await;
    let loaded = audit::load(&place.store, &board).await.expect("state");
    let item = loaded.state.items.iter().find(|i| asked["item"] == i.number.as_str());
    let item = item.expect("item");
    assert_eq!(item.asked.len(), 1);
    if item.questions.len() > 1 {
        for seed in 0..20 {
            let samples = audit::draw(&loaded.state, &seed.to_string(), 60, auditor.id);
            let drawn = samples.iter().find(|s| s.item == item.number);
            assert!(drawn.is_none_or(|s| asked["question"]["id"] != s.question.id.as_str()));
        }
    }
}

#[tokio::test]
async fn nobody_audits_what_they_own_not_even_if_they_came_to_own_it_since() {
    let place = Place::over(&ROOMS).await;
    let (owner, auditor) = owned(&place).await;
    let board = place.board().await;
    let loaded = audit::load(&place.store, &board).await.expect("state");
    assert_eq!(audit::draw(&loaded.state, "s", 60, owner.id), []);
    let row = draw(&place, "s", 3, auditor.id).await;
    assert!(matches!(
        say(&place, row.clone(), 0, "conform", owner.id).await,
        Err(AnswerError::NotTheAuditor)
    ));
    let number =
        run::samples(&row).iter().position(|s| !s["item"].as_str().unwrap().starts_with("c."));
    let at = number.expect("a control");
    let number = run::samples(&row)[at]["item"].as_str().unwrap().to_owned();
    let uses = place.store.all(Table::Rule, &["control_use"]).await.expect("uses");
    let usage = uses.iter().find(|u| u.attributes["control"] == number.as_str()).expect("use");
    place.edit(Table::Rule, usage.id, "responsible", json!(auditor.id)).await;
    assert!(matches!(
        say(&place, row.clone(), at, "conform", auditor.id).await,
        Err(AnswerError::Own)
    ));
    let mut ownerless = usage.clone();
    ownerless = place.store.row(Table::Rule, ownerless.id).await.expect("read").expect("there");
    ownerless.attributes.remove("responsible");
    place.put(ownerless).await;
    assert!(matches!(say(&place, row, at, "conform", auditor.id).await, Err(AnswerError::Unowned)));
    assert_eq!(place.facts(audit::SAMPLED).await.len(), 0, "nothing was recorded");
}

#[tokio::test]
async fn the_same_question_by_the_same_auditor_three_times_running_is_flagged() {
    let place = Place::over(&ROOMS).await;
    let owner = place.person("責任者").await;
    let auditor = place.person("監査員").await;
    // One control with one question.
    place.usage("5.1", json!({"applies": "yes", "responsible": owner.id})).await;
    for turn in 1..=3 {
        let row = draw(&place, &turn.to_string(), 1, auditor.id).await;
        assert_eq!(run::samples(&row)[0]["item"], "5.1");
        assert_eq!(row.attributes["flags"], if turn < 3 { json!([]) } else { json!(["5.1"]) });
        say(&place, row, 0, "conform", auditor.id).await.expect("taken");
        assert_eq!(place.facts(audit::SAMPLED).await[0]["repeats"], turn);
        place.later(30);
    }
    let board = place.board().await;
    let loaded = audit::load(&place.store, &board).await.expect("state");
    let coverage = audit::coverage(&loaded.state);
    assert_eq!(
        (coverage.same_question, coverage.same_auditor),
        (vec!["5.1".to_owned()], vec!["5.1".to_owned()])
    );
    // A question of one's own breaks the row.
    let own = json!({"clause": "5.1", "question": "誰に聞いたか"});
    place.add(Table::Asset, "audit_item", "独自", own).await;
    let row = draw(&place, "4", 1, auditor.id).await;
    assert_eq!(run::samples(&row)[0]["question"]["ja"], "誰に聞いたか");
    assert_eq!(run::samples(&row)[0]["question_in_a_row"], 1);
}

#[tokio::test]
async fn the_audit_criterion_follows_coverage_findings_and_time() {
    let place = Place::over(&ROOMS).await;
    let (owner, auditor) = owned(&place).await;
    record_states(&place).await;
    assert_ne!(place.status("isms/take-2").await, Status::Pass);
    let mut left = vec![93];
    while left.last() != Some(&0) {
        assert!(left.len() < 10, "never-sampled controls come first: {left:?}");
        let mut row = draw(&place, &left.len().to_string(), 60, auditor.id).await;
        let board = place.board().await;
        let loaded = audit::load(&place.store, &board).await.expect("state");
        for at in 0..run::samples(&row).len() {
            let said = say_of(&place, &loaded, row, at, "conform", auditor.id).await;
            row = said.expect("taken");
        }
        let loaded = audit::load(&place.store, &place.board().await).await.expect("state");
        left.push(audit::coverage(&loaded.state).unaudited.len());
    }
    assert!(left.len() <= 5, "{left:?}");
    assert!(record_states(&place).await > 0);
    assert_eq!(record_states(&place).await, 0, "nothing new");
    place.facts("isms.audit_state").await;
    assert_eq!(place.status("isms/take-2").await, Status::Pass);

    // A finding: in time first, overdue then, closed without a look at whether it helped, then with.
    let row = draw(&place, "f", 1, auditor.id).await;
    let row = say(&place, row, 0, "minor", auditor.id).await.expect("taken");
    let finding = run::samples(&row)[0]["finding"].as_str().expect("finding").parse().expect("id");
    let found = place.store.row(Table::Asset, finding).await.expect("read").expect("there");
    place.validates(&found);
    let tasks = place.store.rows_about(Table::Task, &[finding]).await.expect("tasks");
    assert_eq!(tasks.len(), 1);
    place.validates(&tasks[0]);
    record_states(&place).await;
    assert_eq!(place.status("isms/take-2").await, Status::Pass);
    place.later(32);
    record_states(&place).await;
    assert_eq!(place.status("isms/take-2").await, Status::Fail, "overdue");
    for (name, value) in [("correction", "c"), ("cause", "w"), ("similar", "s")] {
        place.edit(Table::Asset, finding, name, json!(value)).await;
    }
    place.edit(Table::Asset, finding, "closed_on", json!(place.day(0))).await;
    record_states(&place).await;
    assert_eq!(place.status("isms/take-2").await, Status::Fail, "not verified");
    place.edit(Table::Asset, finding, "effectiveness", json!("e")).await;
    place.edit(Table::Asset, finding, "effective_on", json!(place.day(0))).await;
    place.edit(Table::Asset, finding, "verified_by", json!(owner.id)).await;
    record_states(&place).await;
    assert_eq!(place.status("isms/take-2").await, Status::Fail, "by the responsible");
    let found = place.edit(Table::Asset, finding, "verified_by", json!(auditor.id)).await;
    place.validates(&found);
    assert_eq!(findings::standing(&found, place.store.now()), Standing::Verified);
    record_states(&place).await;
    assert_eq!(place.facts("isms.audit_finding").await[0]["effective"], true);
    assert_eq!(place.status("isms/take-2").await, Status::Pass);

    place.later(366);
    record_states(&place).await;
    assert_ne!(place.status("isms/take-2").await, Status::Pass, "a year without an audit");
}

// Management review (9.3)

async fn prepared(place: &Place, held_on: &str) -> Row {
    let board = place.board().await;
    let gathered = Gathered::load(&place.store, &board).await.expect("gathered");
    let inputs = review::draw(&gathered, place.store.now());
    let mut row = place.row(Table::Plan, review::REVIEW_KIND, "レビュー", json!({}));
    row.attributes.insert("held_on".into(), json!(held_on));
    row.attributes.insert("drawn_at".into(), json!(place.store.now().rfc3339()));
    row.attributes.insert("inputs".into(), json!(inputs));
    row.attributes.insert("instructions".into(), json!([]));
    place.validates(&row);
    place.put(row).await
}

/// Gives every empty input a reason.
async fn explained(place: &Place, row: Row) -> Row {
    let mut inputs = review::gather::inputs(&row);
    for input in inputs.iter_mut().filter(|i| !i.has_content()) {
        input.reason = "初回のため".to_owned();
    }
    place.edit(Table::Plan, row.id, "inputs", json!(inputs)).await
}

async fn sign(place: &Place, row: &Row, actor: &str) -> Result<Row, HoldError> {
    place.clock.fetch_add(1_000_000, std::sync::atomic::Ordering::SeqCst);
    let hash = row.content_hash().expect("hash");
    let signer = Signer { login: "keiei", method: "test" };
    let signing = Signing { hash: &hash, reason: "確認した", signer };
    let mut write = place.store.write(actor, "review", "").await.expect("write");
    let decision = hold::sign(&place.store, &mut write, row, &signing).await?;
    write.commit().await.expect("commit");
    Ok(decision)
}

#[tokio::test]
async fn a_review_with_an_unexplained_empty_input_or_a_vague_instruction_is_not_signed() {
    let place = Place::over(&ROOMS).await;
    let row = prepared(&place, &place.day(0)).await;
    let open = hold::unsettled(&review::gather::inputs(&row));
    assert!(open.contains(&"a") && open.contains(&"b"), "{open:?}");
    assert!(!open.contains(&"f") && !open.contains(&"d"), "{open:?}");
    assert!(matches!(sign(&place, &row, "account:keiei").await, Err(HoldError::Unsettled(_))));
    let mut row = explained(&place, row).await;
    let person = place.person("担当").await;
    let vague = [
        json!({"text": "直す", "due": place.day(30)}),
        json!({"text": "直す", "owner": person.id}),
        json!({"text": " ", "owner": person.id, "due": place.day(30)}),
        json!({"text": "直す", "owner": person.id, "due": place.day(-30)}),
    ];
    for instruction in vague {
        row = place.edit(Table::Plan, row.id, "instructions", json!([instruction])).await;
        let refused = sign(&place, &row, "account:keiei").await;
        assert!(matches!(refused, Err(HoldError::Instruction(1))), "{refused:?}");
    }
    row = place.edit(Table::Plan, row.id, "instructions", json!([])).await;
    // Who prepared it does not sign it; what is held tomorrow is not signed today.
    assert!(matches!(
        sign(&place, &row, "account:sato").await,
        Err(HoldError::Ruling(RulingError::Own))
    ));
    let early = place.edit(Table::Plan, row.id, "held_on", json!(place.day(2))).await;
    assert!(matches!(sign(&place, &early, "account:keiei").await, Err(HoldError::Day)));
    // An input that was taken out of the row is as missing as an empty one.
    let row = place.edit(Table::Plan, row.id, "held_on", json!(place.day(0))).await;
    let mut inputs = review::gather::inputs(&row);
    inputs.retain(|i| i.letter != "c");
    let row = place.edit(Table::Plan, row.id, "inputs", json!(inputs)).await;
    assert!(
        matches!(sign(&place, &row, "account:keiei").await, Err(HoldError::Unsettled(l)) if l == "c")
    );
    assert_eq!(place.facts(review::PACK).await.len(), 0);
    assert_eq!(place.store.all(Table::Task, &[]).await.expect("tasks").len(), 0);
}

#[tokio::test]
async fn an_instruction_about_a_risk_stands_among_its_measures_and_reopens_its_acceptance() {
    let place = Place::over(&ROOMS).await;
    let person = place.person("担当").await;
    let attributes = json!({
        "scenario": "s", "treatment": "modify", "measures": "手順書",
        "inherent_likelihood": 3, "inherent_consequence": 4,
    });
    let risk = place.put(place.row(Table::Risk, "risk", "漏えい", attributes)).await;
    let accepted = json!({"residual_likelihood": 3, "residual_consequence": 4});
    place.decide(&risk, "risk_acceptance", "approved", 900, accepted).await;
    assert!(place.risk(risk.id).await.acceptance.holds());

    let row = explained(&place, prepared(&place, &place.day(0)).await).await;
    let order = |text: &str| json!({"text": text, "owner": person.id, "due": place.day(30), "risk": risk.id});
    let orders = json!([order("持ち出しを申請制にする"), order("暗号化する")]);
    let row = place.edit(Table::Plan, row.id, "instructions", orders).await;
    place.validates(&row);
    assert!(place.risk(risk.id).await.acceptance.holds(), "nothing is signed yet");
    sign(&place, &row, "account:keiei").await.expect("signed");

    let changed = place.store.row(Table::Risk, risk.id).await.expect("read").expect("there");
    place.validates(&changed);
    let measures = changed.attributes["measures"].as_str().expect("text");
    let lines: Vec<&str> = measures.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "手順書"), "{measures}");
    assert!(lines[1].contains("持ち出しを申請制にする") && lines[2].contains("暗号化する"));
    assert_eq!(place.risk(risk.id).await.acceptance, Acceptance::Edited);
    let given = place.store.all(Table::Decision, &[review::INSTRUCTION_KIND]).await.expect("given");
    given.iter().for_each(|decision| place.validates(decision));
    let tasks = place.store.rows_about(Table::Task, &[risk.id]).await.expect("tasks");
    assert_eq!(tasks.len(), 2, "both are treatment of the risk");
    // The next review tells them among the tasks of the treatment plan.
    let next = prepared(&place, &place.day(0)).await;
    let all = review::gather::inputs(&next);
    let told = all.iter().flat_map(|i| &i.sections).flat_map(|s| &s.lines);
    assert!(told.clone().any(|l| l.ja.contains("暗号化する")));
}

#[tokio::test]
async fn a_signed_review_passes_until_a_task_goes_or_the_year_is_over_and_is_reported_back() {
    let place = Place::over(&ROOMS).await;
    assert_eq!(place.status("isms/ume-4").await, Status::Unknown);
    let person = place.person("担当").await;
    let row = prepared(&place, &place.day(0)).await;
    let row = explained(&place, row).await;
    let order = json!([{"text": "入退室の記録を見直す", "owner": person.id, "due": place.day(30)}]);
    let row = place.edit(Table::Plan, row.id, "instructions", order).await;
    place.validates(&row);
    let decision = sign(&place, &row, "account:keiei").await.expect("signed");
    assert!(matches!(sign(&place, &row, "account:keiei").await, Err(HoldError::Signed)));
    place.validates(&decision);
    let facts = place.facts(review::PACK).await;
    assert_eq!((&facts[0]["inputs_present"], &facts[0]["instructions"]), (&json!(7), &json!(1)));
    assert_eq!(facts[0]["instructions_without_task"], 0);
    assert_eq!(place.status("isms/ume-4").await, Status::Pass);
    assert_eq!(review::record_states(&place.store).await.expect("recorded"), 0);

    let held = review::gather::one(&place.store, row.id).await.expect("read").expect("there");
    let task = held.instructions[0].task.expect("task");
    let task = place.store.row(Table::Task, task).await.expect("read").expect("there");
    place.validates(&task);
    let given = place.store.all(Table::Decision, &[review::INSTRUCTION_KIND]).await.expect("given");
    place.validates(&given[0]);
    // The trick: the task goes once the auditor has left.
    let mut write = place.store.write("account:sato", "gone", "").await.expect("write");
    let gone = write.delete(task).await.expect("deleted");
    write.commit().await.expect("commit");
    assert_eq!(review::record_states(&place.store).await.expect("recorded"), 1);
    assert_eq!(place.status("isms/ume-4").await, Status::Fail);
    let mut back = gone;
    back.deleted = false;
    place.put(back).await;
    assert_eq!(review::record_states(&place.store).await.expect("recorded"), 1);
    assert_eq!(place.status("isms/ume-4").await, Status::Pass);

    // Reported back at the next review, late by then.
    place.later(60);
    let next = prepared(&place, &place.day(0)).await;
    let a = review::gather::inputs(&next).remove(0);
    assert_eq!(a.letter, "a");
    let said = &a.sections[0].lines[0].ja;
    assert!(said.contains("入退室の記録を見直す") && said.contains("日遅れ"), "{said}");
    place.later(310);
    review::record_states(&place.store).await.expect("recorded");
    assert_ne!(
        place.status("isms/ume-4").await,
        Status::Pass,
        "a later record makes it no fresher"
    );
}

#[tokio::test]
async fn a_review_reports_what_the_registers_and_records_say() {
    let place = Place::over(&ROOMS).await;
    let day = place.day(-3);
    place
        .add(
            Table::Asset,
            "context_issue",
            "新しい課題",
            json!({"side": "external", "description": "d"}),
        )
        .await;
    place.add(Table::Asset, "party_need", "顧客の要求", json!({"party": "p", "need": "n"})).await;
    place
        .add(Table::Asset, "objective", "目的", json!({"measure": "m", "target": "t", "due": day}))
        .await;
    for horizon in ["long_term", "short_term"] {
        let facts = json!({"horizon": horizon, "pdf_hash": "0".repeat(64)});
        place.record("threat_intelligence.brief_issued", model::Assurance::Machine, facts).await;
    }
    let inputs = review::gather::inputs(&prepared(&place, &place.day(0)).await);
    let said = |letter: &str| -> String {
        let input = inputs.iter().find(|i| i.letter == letter).expect("input");
        let lines = input.sections.iter().flat_map(|s| &s.lines);
        lines.map(|l| format!("{}\n{}\n", l.ja, l.en)).collect()
    };
    for (letter, text) in [
        ("b", "新しい課題"),
        ("b", "中長期の脅威"),
        ("b", "Short-term threat, told on"),
        ("c", "顧客の要求"),
        ("d", "目的"),
        ("f", "扱い中のリスク 0件"),
        ("g", "8.28"),
    ] {
        assert!(said(letter).contains(text), "{letter} {text}: {}", said(letter));
    }
}

// The policy everyone has read

async fn policy_in_force(place: &Place) -> Row {
    let document = json!({"rank": "policy", "edition": "1", "summary": "s"});
    let row = place.add(Table::Asset, "document", "方針", document).await;
    place.validates(&row);
    place.decide(&row, "approval", "approved", 700, json!({})).await;
    row
}

async fn read(place: &Place, person: &Row) {
    place.clock.fetch_add(1_000_000, std::sync::atomic::Ordering::SeqCst);
    let current = policy::current(&place.store).await.expect("read").expect("in force");
    let mut write = place.store.write("account:shain", "", "").await.expect("write");
    policy::read(&place.store, &mut write, person.id, &current, "ja").await.expect("recorded");
    write.commit().await.expect("commit");
}

#[tokio::test]
async fn reading_counts_for_the_version_in_force_and_for_a_year() {
    let place = Place::over(&ROOMS).await;
    let people = [place.person("一").await, place.person("二").await];
    let row = policy_in_force(&place).await;
    assert_ne!(place.status("isms/take-4").await, Status::Pass);
    for person in &people {
        read(&place, person).await;
        read(&place, person).await;
    }
    assert_eq!(place.facts(policy::READ).await.len(), 2, "once each");
    assert_eq!(policy::record_states(&place.store).await.expect("recorded"), 0);
    assert_eq!(place.status("isms/take-4").await, Status::Pass);

    // An edit puts no other version in force before it is signed; then nobody has read it.
    let edited = place.edit(Table::Asset, row.id, "edition", json!("2")).await;
    assert!(policy::current(&place.store).await.expect("read").is_none());
    assert_eq!(policy::record_states(&place.store).await.expect("recorded"), 0);
    place.decide(&edited, "approval", "approved", 700, json!({})).await;
    assert_eq!(policy::record_states(&place.store).await.expect("recorded"), 2);
    assert_eq!(policy::record_states(&place.store).await.expect("recorded"), 0);
    assert_eq!(place.status("isms/take-4").await, Status::Fail);
    read(&place, &people[0]).await;
    let current = policy::current(&place.store).await.expect("read").expect("in force");
    let coverage = policy::coverage(&place.store, current).await.expect("coverage");
    assert_eq!((coverage.current(), coverage.missing().count()), (1, 1));

    for wanted in [1, 0] {
        place.clock.fetch_add(1_000_000, std::sync::atomic::Ordering::SeqCst);
        let mut write = place.store.write("account:sato", "", "").await.expect("write");
        let made = policy::remind(&place.store, &mut write, &coverage).await.expect("made");
        write.commit().await.expect("commit");
        assert_eq!(made, wanted, "one reminder each");
    }
    let tasks = place.store.all(Table::Task, &["task"]).await.expect("tasks");
    assert_eq!(tasks.len(), 1);
    place.validates(&tasks[0]);
    read(&place, &people[1]).await;
    assert_eq!(place.status("isms/take-4").await, Status::Pass);
    // The reading is what the reminder asks for.
    let records = place.store.newest_records(&[policy::READ], Some(people[1].id), 1).await;
    let record = records.expect("records").remove(0);
    let closed = tasks::close(&place.store, tasks[0].clone(), &record, "account:shain").await;
    assert_eq!(closed.expect("closed").task.status, "closed");
    place.later(366);
    assert_ne!(place.status("isms/take-4").await, Status::Pass);
}
