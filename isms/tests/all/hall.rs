//! The hall over a real store: what a row of the Statement of Applicability says, what a risk is today,
//! what the comparison leaves open, and what a signature holds.

use isms::{
    Board,
    hall::{
        Acceptance, SNAPSHOT,
        compare::Kind,
        draw_edition,
        method::Estimate,
        record_states,
        soa::{CONTRADICTS, Lack, SoaStatus},
    },
};
use model::{Assurance, Level, RoomSpec, Table};
use serde_json::{Value as Json, json};
use store::RecordDraft;

use crate::place::Place;

static ROOMS: [&RoomSpec; 2] = [&configuration::SPEC, &secure_coding::SPEC];

const OWNER: &str = "019ac3f0-0000-7000-8000-000000000001";

fn applied() -> Json {
    json!({
        "applies": "yes", "responsible": OWNER,
        "drivers": [{"type": "law", "source": "個人情報保護法 23条"}],
    })
}

/// A place where the one who answers for controls is known.
async fn place() -> Place {
    let place = Place::over(&ROOMS).await;
    place.someone(OWNER, "佐藤").await;
    place
}

#[tokio::test]
async fn nothing_written_means_93_undecided_rows_all_open() {
    let place = place().await;
    let board = place.board().await;
    assert_eq!(board.view.soa.len(), 93);
    assert!(board.view.soa.iter().all(|r| r.status == SoaStatus::Undecided));
    assert_eq!(board.view.comparison.open(), 93);
    assert_eq!(board.view.comparison.explained, 0);
    let gap: Vec<&str> = board.view.gap.iter().map(|g| g.control.as_str()).take(3).collect();
    assert_eq!(gap, ["8.9", "8.28", "5.1"], "controls with rooms first, then the annex in order");
    assert!(!board.view.gap[0].builds_on.is_empty());
}

#[tokio::test]
async fn a_row_is_a_claim_until_owner_driver_and_fresh_evidence_are_there() {
    let place = place().await;
    let mut usage = place.usage("5.1", json!({"applies": "yes", "declared": "done"})).await;
    let row = place.soa("5.1").await;
    assert_eq!(row.status, SoaStatus::Claimed);
    assert_eq!(row.lacks, [Lack::Owner, Lack::Driver, Lack::Evidence]);
    assert_eq!(row.level, Level::None);

    usage.attributes = applied().as_object().cloned().expect("object");
    usage.attributes.insert("control".into(), "5.1".into());
    place.put(usage).await;
    assert_eq!(place.soa("5.1").await.lacks, [Lack::Evidence]);
    place.import("5.1").await;
    let row = place.soa("5.1").await;
    assert_eq!((row.status, row.level), (SoaStatus::Implemented, Level::Ume));
    assert!(row.is_evidenced());
    // Evidence of another control, and an upload's date, count for nothing.
    assert_eq!(place.soa("5.10").await.status, SoaStatus::Undecided);
    place.later(366);
    let row = place.soa("5.1").await;
    assert_eq!((row.status, row.lacks), (SoaStatus::Claimed, vec![Lack::FreshEvidence]));
}

#[tokio::test]
async fn what_is_only_attested_is_done_but_not_evidenced() {
    let place = place().await;
    place.usage("5.1", applied()).await;
    let facts = json!({"criterion": "soa/5.1", "held_on": "2026-11-25"});
    place.record("isms.attested", Assurance::Attested, facts).await;
    let row = place.soa("5.1").await;
    assert_eq!(row.status, SoaStatus::Implemented);
    assert!(!row.is_evidenced());
    assert_eq!(place.board().await.view.evidenced(), (93, 0));
}

#[tokio::test]
async fn a_failing_ume_criterion_makes_a_rooms_row_fail_whatever_is_said() {
    let place = place().await;
    place.usage("8.9", applied()).await;
    place
        .record(
            "isms.imported",
            Assurance::Imported,
            json!({"criterion": "8.9/ume-1", "document": "d", "held_on": "2026-11-25"}),
        )
        .await;
    let passing = place.soa("8.9").await;
    assert_ne!(passing.status, SoaStatus::Failing);
    // Failing of itself: a host whose configuration was collected and lacks what the criterion asks.
    let ume_fails = |board: &Board| {
        let control = &board.controls[0];
        control.verdicts.iter().any(|v| {
            v.status == model::Status::Fail
                && control.spec.criterion(v.criterion).is_some_and(|c| c.level == Level::Ume)
        })
    };
    let mut board = place.board().await;
    assert!(!ume_fails(&board));
    let verdict = board.controls[0].verdicts.iter_mut().find(|v| v.criterion == "8.9/ume-1");
    verdict.expect("criterion").status = model::Status::Fail;
    let register =
        isms::hall::Register::load(place.store.present(), board.at).await.expect("register");
    let hall = isms::hall::draw(&register, &board.controls, board.at).expect("drawn");
    assert_eq!(hall.row("8.9").expect("row").status, SoaStatus::Failing);
}

#[tokio::test]
async fn an_exclusion_needs_a_signature_that_holds_and_nothing_against_it() {
    let place = place().await;
    let none = json!({"applies": "no", "reason": "開発を行っていない"});
    let usage = place.usage("8.28", none).await;
    let row = place.soa("8.28").await;
    assert_eq!((row.status, row.lacks), (SoaStatus::ExclusionOpen, vec![Lack::Signature]));

    place.decide(&usage, "exclusion", "rejected", 365, json!({})).await;
    assert_eq!(
        place.soa("8.28").await.status,
        SoaStatus::ExclusionOpen,
        "a refusal excludes nothing"
    );
    place.decide(&usage, "exclusion", "approved", 365, json!({})).await;
    let row = place.soa("8.28").await;
    assert_eq!(row.status, SoaStatus::Excluded);
    assert!(!row.is_applicable());
    let lines = place.board().await.view.comparison.lines.clone();
    assert!(!lines.iter().any(|l| l.control == "8.28"), "explained by the signature");

    // A repository stands in the register: the exclusion does not hold any more, and says so.
    let repository = place.add(Table::Asset, "repository", "web", json!({})).await;
    let row = place.soa("8.28").await;
    assert_eq!((row.status, row.lacks), (SoaStatus::ExclusionOpen, vec![Lack::Contradicted]));
    let board = place.board().await;
    let open: Vec<Kind> = board
        .view
        .comparison
        .lines
        .iter()
        .filter(|l| l.control == "8.28")
        .map(|l| l.kind)
        .collect();
    assert_eq!(open, [Kind::ExcludedAgainstRegister]);
    let mut write = place.store.write("account:sato", "gone", "").await.expect("write");
    write.delete(repository).await.expect("deleted");
    write.commit().await.expect("commit");
    assert_eq!(place.soa("8.28").await.status, SoaStatus::Excluded);

    // An edit voids it; so does time.
    place.later(366);
    assert_eq!(place.soa("8.28").await.status, SoaStatus::ExclusionOpen);
    place.decide(&usage, "exclusion", "approved", 365, json!({})).await;
    let mut edited = place.store.row(Table::Rule, usage.id).await.expect("row").expect("there");
    edited.attributes.insert("reason".into(), "別の理由".into());
    place.put(edited).await;
    assert_eq!(place.soa("8.28").await.lacks, [Lack::Signature]);
}

#[tokio::test]
async fn the_comparison_names_all_four_differences() {
    let place = place().await;
    let risk = place
        .add(Table::Risk, "risk", "漏えい", json!({"scenario": "s", "treatment": "modify"}))
        .await;
    place.treat(place.norm("5.1").await, &risk).await;
    place.usage("5.1", json!({"applies": "yes"})).await;
    place.usage("5.2", applied()).await;
    place.usage("5.3", json!({"applies": "yes"})).await;
    let own = place.usage("X-1", json!({"applies": "yes", "reason": "親会社の指示"})).await;
    let out = place.usage("8.9", json!({"applies": "no", "reason": "r"})).await;
    place.decide(&out, "exclusion", "approved", 365, json!({})).await;
    place.treat(out.id, &risk).await;
    let board = place.board().await;
    let of = |control: &str| -> Vec<(Kind, bool)> {
        let lines = board.view.comparison.lines.iter().filter(|l| l.control == control);
        lines.map(|l| (l.kind, l.is_open())).collect()
    };
    assert_eq!(of("5.1"), [], "reached by a risk");
    assert_eq!(of("5.2"), [(Kind::Unreached, false)], "asked for by law");
    assert_eq!(of("5.3"), [(Kind::Unreached, true)]);
    assert_eq!(of("X-1"), [(Kind::Outside, false)]);
    assert_eq!(of("8.9"), [(Kind::ExcludedYetReached, true)]);
    assert_eq!(board.view.comparison.explained, 2);
    assert_eq!(board.view.soa.last().map(|r| r.control.as_str()), Some("X-1"));
    assert_eq!(board.view.row("X-1").and_then(|r| r.usage), Some(own.id));
}

#[tokio::test]
async fn an_acceptance_holds_until_time_an_edit_or_a_falling_level_reopens_it() {
    let place = place().await;
    let usage = place.usage("5.1", applied()).await;
    place.import("5.1").await;
    let attributes = json!({
        "scenario": "s", "treatment": "modify", "inherent_likelihood": 3, "inherent_consequence": 4,
    });
    let risk = place.add(Table::Risk, "risk", "漏えい", attributes).await;
    assert_eq!(place.risk(risk.id).await.acceptance, Acceptance::Never);
    place.treat(usage.id, &risk).await;
    let view = place.risk(risk.id).await;
    assert_eq!(view.current, Some(Estimate { likelihood: 2, consequence: 4 }));
    assert!(view.is_treated());

    // A general approval of the row accepts no residual risk.
    place.decide(&risk, "approval", "approved", 900, json!({})).await;
    assert_eq!(place.risk(risk.id).await.acceptance, Acceptance::Never);
    let accepted = json!({"residual_likelihood": 2, "residual_consequence": 4});
    place.decide(&risk, "risk_acceptance", "approved", 900, accepted.clone()).await;
    assert!(place.risk(risk.id).await.acceptance.holds());

    // The evidence of the control grows old, its level falls, the risk rises.
    place.later(366);
    let view = place.risk(risk.id).await;
    assert_eq!(view.current, Some(Estimate { likelihood: 3, consequence: 4 }));
    assert_eq!(view.acceptance, Acceptance::Risen);
    place.import("5.1").await;
    assert!(place.risk(risk.id).await.acceptance.holds(), "risen only as long as it is");

    let mut edited = risk.clone();
    edited.attributes.insert("measures".into(), "m".into());
    let edited = place.put(edited).await;
    assert_eq!(place.risk(risk.id).await.acceptance, Acceptance::Edited);
    place.decide(&edited, "risk_acceptance", "approved", 10, accepted.clone()).await;
    assert!(place.risk(risk.id).await.acceptance.holds());
    place.later(11);
    assert_eq!(place.risk(risk.id).await.acceptance, Acceptance::Expired);
    place.decide(&edited, "risk_acceptance", "rejected", 10, accepted).await;
    assert_eq!(place.risk(risk.id).await.acceptance, Acceptance::Rejected);
}

#[tokio::test]
async fn a_signed_edition_holds_until_the_rows_say_something_else() {
    let place = place().await;
    place.usage("5.1", applied()).await;
    place.import("5.1").await;
    let before = place.board().await;
    assert!(record_states(&place.store, &before).await.expect("recorded") > 0);
    let compared = place.newest("isms.soa_compared").await;
    assert_eq!(compared["difference_age_days"], 0);
    assert_eq!(compared["explained"], 1);

    let mut write = place.store.write("account:sato", "edition", "").await.expect("write");
    let edition = draw_edition(&place.store, &mut write, &before.view, "2026-11-28").await;
    let edition = edition.expect("edition");
    write.commit().await.expect("commit");
    let kind = isms::SPEC.kinds.iter().find(|k| k.id == edition.kind).expect("declared");
    assert_eq!(kind.validate(&edition.attributes), []);
    assert!(!place.board().await.view.is_approved(), "drawn is not signed");
    place.decide(&edition, "approval", "approved", 365, json!({})).await;
    let board = place.board().await;
    record_states(&place.store, &board).await.expect("recorded");
    let snapshot = place.newest(SNAPSHOT).await;
    assert_eq!(
        (&snapshot["approved"], &snapshot["rows"], &snapshot["soa_hash"]),
        (&json!(true), &json!(93), &json!(board.view.soa_hash))
    );
    let spec = isms::SPEC.records.iter().find(|r| r.ty == SNAPSHOT).expect("declared");
    assert_eq!(spec.validate(snapshot.as_object().expect("facts")), []);
    let board = place.board().await;
    assert!(board.view.is_approved());
    assert!(board.view.soa.iter().all(|r| r.difference.is_none()));
    assert_eq!(record_states(&place.store, &board).await.expect("recorded"), 0, "nothing new");

    // Two rows change: it says which members, and since when.
    place.usage("5.2", json!({"applies": "yes"})).await;
    let board = place.board().await;
    assert!(!board.view.is_approved());
    let differing: Vec<(&str, &Vec<&'static str>)> = board
        .view
        .soa
        .iter()
        .filter_map(|r| Some((r.control.as_str(), &r.difference.as_ref()?.members)))
        .collect();
    assert_eq!(differing, [("5.2", &vec!["applies", "status"])]);
    record_states(&place.store, &board).await.expect("recorded");
    place.later(31);
    let board = place.board().await;
    record_states(&place.store, &board).await.expect("recorded");
    assert_eq!(place.newest("isms.soa_compared").await["difference_age_days"], 31);
}

#[tokio::test]
async fn who_is_gone_answers_for_nothing() {
    let place = place().await;
    place.usage("5.1", applied()).await;
    place.import("5.1").await;
    let attributes = json!({"scenario": "s", "treatment": "retain", "owner": OWNER});
    let risk = place.add(Table::Risk, "risk", "漏えい", attributes).await;
    assert_eq!(place.soa("5.1").await.status, SoaStatus::Implemented);
    assert!(place.risk(risk.id).await.owner.is_some());
    let id = OWNER.parse().expect("id");
    let person = place.store.row(Table::Party, id).await.expect("row").expect("there");
    let mut write = place.store.write("account:sato", "left", "").await.expect("write");
    write.delete(person).await.expect("deleted");
    write.commit().await.expect("commit");
    let row = place.soa("5.1").await;
    assert_eq!((row.status, row.lacks), (SoaStatus::Claimed, vec![Lack::Owner]));
    assert_eq!(place.risk(risk.id).await.owner, None);
}

#[tokio::test]
async fn what_others_wrote_approves_no_edition() {
    let place = place().await;
    place.usage("5.1", applied()).await;
    let board = place.board().await;
    let facts = json!({
        "scope": "organisation", "soa_hash": board.view.soa_hash, "approved": true, "rows": 93,
    });
    // A record of the right type and hash, as the API takes it; and one that claims to be Ume's own
    // but holds other content.
    place.record(SNAPSHOT, Assurance::Imported, facts.clone()).await;
    place.record(SNAPSHOT, Assurance::Machine, facts).await;
    assert!(place.board().await.view.approved.is_none());

    // An edition whose row was made to name another content: signed, and still no approval.
    let mut write = place.store.write("account:sato", "edition", "").await.expect("write");
    let drawn = draw_edition(&place.store, &mut write, &board.view, "2026-11-28").await;
    let mut edition = drawn.expect("edition");
    write.commit().await.expect("commit");
    edition.attributes.insert("soa_hash".into(), "0".repeat(64).into());
    let edition = place.put(edition).await;
    place.decide(&edition, "approval", "approved", 365, json!({})).await;
    let board = place.board().await;
    record_states(&place.store, &board).await.expect("recorded");
    assert!(place.board().await.view.approved.is_none());
}

#[tokio::test]
async fn a_document_counts_once_among_the_evidence_of_a_room() {
    let place = place().await;
    let facts = json!({"criterion": "8.9/ume-1", "document": "d", "held_on": "2026-11-25"});
    place.record("isms.imported", Assurance::Imported, facts).await;
    assert!(place.board().await.controls[0].verdicts.iter().any(|v| v.by_hand));
    assert_eq!(place.soa("8.9").await.evidence.count, 1);
}

#[test]
fn every_kind_that_contradicts_an_exclusion_is_declared() {
    let rooms: [&RoomSpec; 12] = [
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
        &isms::SPEC,
    ];
    let kinds = rooms.iter().flat_map(|r| r.kinds.iter().chain(r.rules).chain(r.others));
    let known: Vec<String> = kinds.map(|k| format!("{}/{}", k.table.name(), k.id)).collect();
    for (control, kinds) in CONTRADICTS {
        for kind in *kinds {
            assert!(known.iter().any(|k| k == kind), "{control}: {kind}");
        }
    }
}

#[tokio::test]
async fn a_check_binds_machine_records_to_a_control_without_a_room() {
    let place = place().await;
    place.usage("8.13", applied()).await;
    let attributes = json!({
        "question": "バックアップは取れているか", "method": "machine", "control": "8.13",
        "record_type": "isms.backup_made", "max_age_days": 7,
    });
    place.add(Table::Check, "check", "バックアップ", attributes).await;
    assert_eq!(place.soa("8.13").await.lacks, [Lack::Evidence]);
    place.record("isms.backup_made", Assurance::Machine, json!({})).await;
    let row = place.soa("8.13").await;
    assert_eq!(row.status, SoaStatus::Implemented);
    assert!(row.is_evidenced());
    place.later(8);
    assert_eq!(place.soa("8.13").await.lacks, [Lack::FreshEvidence]);
}

#[tokio::test]
async fn an_imported_statement_fills_the_first_rows_and_stays_a_claim() {
    let place = place().await;
    let now = place.store.now();
    let answers = [
        ("5.1", true, "implemented", "方針を定めている"),
        ("8.28", false, "not_implemented", "開発なし"),
    ];
    let mut write = place.store.write("account:sato", "", "").await.expect("write");
    for (control, applicable, status, reason) in answers {
        let facts = json!({"control": control, "applicable": applicable, "status": status});
        let draft = RecordDraft {
            ty: "isms.soa_imported".to_owned(),
            subject: Some(place.norm(control).await),
            observed_from: now,
            observed_to: now,
            source: "test".to_owned(),
            assurance: Assurance::Imported,
            facts: facts.as_object().cloned().expect("object"),
            payload: Some(reason.as_bytes().to_vec()),
        };
        write.record(draft).await.expect("record");
    }
    write.commit().await.expect("commit");
    let rows = isms::hall::first_uses(&place.store).await.expect("rows");
    assert_eq!(rows.len(), 93);
    let kind = isms::SPEC.rules.iter().find(|k| k.id == "control_use").expect("declared");
    for row in rows {
        assert_eq!(kind.validate(&row.attributes), [], "{}", row.name);
        place.put(row).await;
    }
    assert!(isms::hall::first_uses(&place.store).await.expect("rows").is_empty(), "once");
    let row = place.soa("5.1").await;
    assert_eq!((row.status, row.reason.as_str()), (SoaStatus::Claimed, "方針を定めている"));
    let row = place.soa("8.28").await;
    assert_eq!((row.applies, row.status), (Some(false), SoaStatus::ExclusionOpen));
    assert_eq!(place.soa("5.2").await.reason, "");
}

#[tokio::test]
async fn clean_days_count_only_days_that_were_measured() {
    let place = place().await;
    let measured = async |unknown: bool| {
        let mut board = place.board().await;
        for verdict in board.controls.iter_mut().flat_map(|c| &mut c.verdicts) {
            verdict.status = model::Status::Pass;
        }
        if unknown {
            board.controls[0].verdicts[0].status = model::Status::Unknown;
        }
        record_states(&place.store, &board).await.expect("recorded");
        place.newest("isms.measured_day").await["clean_days"].as_i64()
    };
    assert_eq!(measured(false).await, Some(1));
    place.later(1);
    assert_eq!(measured(false).await, Some(2));
    assert_eq!(measured(false).await, Some(2), "once a day");
    place.later(3);
    assert_eq!(measured(false).await, Some(1), "two days nobody looked");
    place.later(1);
    assert_eq!(measured(true).await, Some(0));
}
