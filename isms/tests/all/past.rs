//! A past day computed now: what was known by then counts, and nothing that came later.

use isms::{
    PastError, compute_as_of,
    hall::{paper::Head, soa::SoaStatus},
};
use model::{Assurance, Lang, Level, RoomSpec, Table, Timestamp};
use place::Place;
use serde_json::json;
use store::RecordDraft;

use crate::place;

const ROOMS: &[&RoomSpec] = &[&configuration::SPEC];

#[tokio::test]
async fn a_record_observed_before_and_received_later_does_not_count_for_the_past_day() {
    let place = Place::over(ROOMS).await;
    let facts = json!({"criterion": "soa/5.1", "document": "d", "held_on": "2026-11-25"});
    place.later(10);
    let day = place.store.now();
    place.later(1);
    let draft = RecordDraft {
        ty: "isms.imported".to_owned(),
        subject: None,
        observed_from: day.minus_hours(48),
        observed_to: day.minus_hours(48),
        source: "test".to_owned(),
        assurance: Assurance::Imported,
        facts: facts.as_object().cloned().expect("object"),
        payload: None,
    };
    let mut write = place.store.write("account:sato", "", "").await.expect("write");
    write.record(draft).await.expect("record");
    write.commit().await.expect("commit");
    let evidence = async |at: Timestamp| {
        let board = compute_as_of(&place.store, ROOMS, at).await.expect("past");
        board.view.row("5.1").expect("row").evidence.count
    };
    assert_eq!(evidence(day).await, 0, "nobody knew of it that day");
    assert_eq!(evidence(place.store.now()).await, 1);
}

#[tokio::test]
async fn what_the_registers_and_decisions_said_then_is_what_the_past_says() {
    let place = Place::over(ROOMS).await;
    let mut usage =
        place.usage("8.28", json!({"applies": "no", "reason": "開発を行っていない"})).await;
    place.decide(&usage, "exclusion", "approved", 30, json!({})).await;
    isms::set_targets(&place.store, "test", ROOMS, Level::Ume).await.expect("target");
    let risk = place
        .add(
            Table::Risk,
            "risk",
            "漏えい",
            json!({"inherent_likelihood": 4, "inherent_consequence": 3}),
        )
        .await;
    let excluded = place.store.now();
    place.later(40);
    let expired = place.store.now();
    place.later(1);
    isms::set_targets(&place.store, "test", ROOMS, Level::Matsu).await.expect("target");
    usage.attributes.insert("applies".into(), "yes".into());
    place.put(usage).await;
    let mut write = place.store.write("account:sato", "", "").await.expect("write");
    write.delete(risk).await.expect("deleted");
    write.commit().await.expect("commit");

    let at = async |at| {
        let board = compute_as_of(&place.store, ROOMS, at).await.expect("past");
        let status = board.view.row("8.28").expect("row").status;
        (status, board.controls[0].target, board.view.risks.len(), board.at == at)
    };
    assert_eq!(at(excluded).await, (SoaStatus::Excluded, Level::Ume, 1, true));
    assert_eq!(at(expired).await, (SoaStatus::ExclusionOpen, Level::Ume, 1, true));
    assert_eq!(at(place.store.now()).await, (SoaStatus::Claimed, Level::Matsu, 0, true));
}

#[tokio::test]
async fn a_day_ahead_or_before_the_first_entry_is_refused_by_name() {
    let place = Place::over(ROOMS).await;
    let ahead = place.store.now().plus_hours(1);
    let refused = compute_as_of(&place.store, ROOMS, ahead).await;
    assert!(matches!(refused, Err(PastError::Ahead(at)) if at == ahead));
    let before = Timestamp(place::START - 1);
    let refused = compute_as_of(&place.store, ROOMS, before).await;
    let Err(PastError::Before { asked, first }) = refused else { panic!("{refused:?}") };
    assert_eq!((asked, first), (before, Timestamp(place::START)));
}

#[tokio::test]
async fn a_shared_board_keeps_the_past_it_computed_and_forgets_it_in_time() {
    let place = Place::over(ROOMS).await;
    let day = place.store.now();
    place.later(1);
    let shared = isms::pages::SharedBoard::default();
    let get = async || shared.as_of(&place.store, ROOMS, day).await.expect("past");
    let first = get().await;
    assert!(std::sync::Arc::ptr_eq(&first, &get().await), "kept");
    for hours in 0..12 {
        shared.as_of(&place.store, ROOMS, day.plus_hours(hours)).await.expect("past");
    }
    let again = get().await;
    assert!(!std::sync::Arc::ptr_eq(&first, &again), "eight are kept");
    place.later(1);
    assert!(!std::sync::Arc::ptr_eq(&again, &get().await), "none for longer than an hour");
}

#[tokio::test]
async fn a_paper_shows_its_day_with_what_stood_then_and_says_when_it_was_made() {
    let place = Place::over(ROOMS).await;
    let party = json!({"time_zone": "Asia/Tokyo"});
    let organisation = place.add(Table::Party, "organisation", "旧社名", party).await;
    place.store.set_setting("organisation", &organisation.id.to_string()).await.expect("setting");
    let scope = json!({"statement": "本社"});
    let scope = place.add(Table::Asset, "scope_statement", "適用範囲", scope).await;
    let day = place.store.now();
    place.later(20);
    let mut renamed = organisation;
    renamed.name = "新社名".to_owned();
    place.put(renamed).await;
    let mut wider = scope;
    wider.attributes.insert("statement".into(), "本社と倉庫".into());
    place.put(wider).await;
    let paper = async |at: Timestamp| {
        let board = compute_as_of(&place.store, ROOMS, at).await.expect("past");
        let head = Head::load(&place.store, &board.view, None).await.expect("head");
        board.view.soa_paper(&head, Lang::Ja)
    };
    let fact = |paper: &reports::pdf::Paper, name: &str| {
        paper.facts.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).expect("fact")
    };
    let local = |at: Timestamp| at.plus_hours(9).rfc3339()[..10].to_owned();
    let (then, now) = (paper(day).await, paper(place.store.now()).await);
    assert_eq!((then.heading.as_str(), now.heading.as_str()), ("旧社名", "新社名"));
    assert_eq!(
        (then.notes[0].as_str(), now.notes[0].as_str()),
        ("適用範囲: 本社", "適用範囲: 本社と倉庫")
    );
    assert_eq!(fact(&then, "時点"), local(day));
    assert_eq!(fact(&then, "作成日"), local(place.store.now()));
    let file = reports::pdf::write_pdf(&then).expect("pdf");
    assert!(file.starts_with(b"%PDF-"));
}
