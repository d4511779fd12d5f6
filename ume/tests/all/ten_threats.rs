//! The ten threats: what ships maps to what there is; decisions hold as long as what bears them out.

use std::collections::BTreeSet;

use model::{Status, Table};
use serde_json::json;
use store::Record;
use threat_intelligence::work::{
    load_content,
    process::drill,
    ten::{
        content::{Audience, SHIPPED_MEASURES},
        editions::{Editions, THREAT, Threat},
        standing::{self, DECISION, Decisions, Facts},
        state,
    },
};
use web::decide::{PASSWORD, Ruling, Signer};

use crate::{findings::Place, rooms::ROOMS};

#[test]
fn every_id_that_a_measure_maps_to_is_there() {
    let criteria: BTreeSet<&str> =
        ROOMS.iter().flat_map(|room| room.criteria).map(|criterion| criterion.id).collect();
    let controls: BTreeSet<&str> = isms::norms::annex_a().iter().map(|n| n.id.as_str()).collect();
    assert_eq!(controls.len(), 93);
    let mut named = 0;
    for measure in SHIPPED_MEASURES.iter() {
        for id in &measure.maps_to {
            let id = id.get_ref().as_str();
            named += 1;
            assert!(criteria.contains(id) || controls.contains(id), "{id}");
            assert_ne!(id, "5.7/ume-3", "it would bear itself out");
        }
    }
    assert!(named > 100, "{named}");
}

impl Place {
    async fn with_threats() -> (Place, Editions) {
        let place = Place::over(tempfile::tempdir().unwrap()).await;
        assert!(load_content(place.store()).await.unwrap() > 80);
        assert_eq!(load_content(place.store()).await.unwrap(), 0);
        // As if published this month: the test is about what bears measures out, not about the date of the day.
        let month: String = place.store().now().rfc3339().chars().take(7).collect();
        let mut write = place.store().write("ume", "", "").await.unwrap();
        for mut row in place.store().all(Table::Norm, &[THREAT]).await.unwrap() {
            row.attributes.insert("published".into(), json!(month));
            write.put(row).await.unwrap();
        }
        write.commit().await.unwrap();
        let editions = Editions::load(place.store()).await.unwrap();
        (place, editions)
    }

    /// Signs as the page does.
    async fn sign_for(&self, threat: &Threat, measures: &[&str]) {
        let ruling = Ruling {
            hash: &threat.row.content_hash().unwrap(),
            outcome: "approved",
            reason: "自社に当てはまるため",
            hours: web::decide::months(14),
            kind: DECISION,
            notes: vec![
                ("measures", json!(measures)),
                ("reason", json!("自社に当てはまるため")),
                ("exposure", json!("")),
            ],
        };
        let mut write = self.store().write("account:officer", "signed", "").await.unwrap();
        let signer = Signer { login: "officer", method: PASSWORD };
        ruling.sign(self.store(), &mut write, &threat.row, &signer).await.unwrap();
        write.commit().await.unwrap();
    }

    /// The hall judges, and the room writes down how measures stand.
    async fn hall_judged(&self) {
        let board = isms::compute(self.store(), &ROOMS).await.unwrap();
        isms::work::tell(&self.served.house, &board);
        state::run(self.ctx()).await.unwrap();
    }

    async fn drilled(&self, answered_min: i64) {
        for role in drill::Role::ALL {
            let facts = json!({
                "role": role.as_str(), "holder_named": true, "deputy_named": true,
                "answered_min": answered_min,
            });
            let now = self.store().now();
            let draft = room::draft(drill::DRILL, None, now, facts);
            room::write(self.store(), "system:test", draft).await.unwrap();
        }
        self.later(1);
    }
}

async fn told(place: &Place) -> Vec<Record> {
    place.store().newest_records(&[state::STATE], None, 50).await.unwrap()
}

#[tokio::test]
async fn all_ten_are_decided_and_the_criterion_falls_with_what_bears_a_measure_out() {
    let (place, editions) = Place::with_threats().await;
    let ten = editions.newest(Audience::Org);
    assert_eq!((ten.len(), ten[0].edition), (10, 2026));
    state::run(place.ctx()).await.unwrap();
    assert!(told(&place).await.is_empty(), "before the first judgement nothing is said");
    assert_eq!(place.stands("5.7/ume-3").await, Status::Unknown);

    place.drilled(10).await;
    for threat in &ten {
        place.sign_for(threat, &["csirt"]).await;
    }
    place.hall_judged().await;
    let records = told(&place).await;
    assert_eq!(records.len(), 10);
    let spec = threat_intelligence::SPEC.records.iter().find(|s| s.ty == state::STATE).unwrap();
    assert_eq!(spec.validate(&records[0].facts), []);
    assert_eq!(
        (&records[0].facts["measures_chosen"], &records[0].facts["measures_backed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(place.stands("5.7/ume-3").await, Status::Pass);
    place.hall_judged().await;
    assert_eq!(told(&place).await.len(), 10, "what is the same is not told again");

    // The criterion behind the measure falls, and so does the decision's backing.
    place.drilled(999).await;
    place.hall_judged().await;
    assert_eq!(place.stands("5.7/ume-3").await, Status::Fail);

    // A task in time bears it out instead, until it is late.
    let measure = &editions.measures["csirt"];
    let today = jiff::Timestamp::from_microsecond(place.store().now().0).unwrap();
    let due = today.to_zoned_datetime(jiff::tz::TimeZone::UTC).date().tomorrow().unwrap();
    let mut write = place.store().write("account:officer", "", "").await.unwrap();
    for threat in &ten {
        standing::task(place.store(), &mut write, threat, measure, due).await.unwrap();
    }
    write.commit().await.unwrap();
    place.hall_judged().await;
    assert_eq!(place.stands("5.7/ume-3").await, Status::Pass);
    place.later(3 * 24 * 3_600);
    place.hall_judged().await;
    assert_eq!(place.stands("5.7/ume-3").await, Status::Fail);
    place.drilled(10).await;
    place.hall_judged().await;
    assert_eq!(place.stands("5.7/ume-3").await, Status::Pass);
    place.costs_little("officer", "/intelligence/ten-threats").await;
    let document = place.api("/api/v1/threat_intelligence/ten-threats").await;
    assert_eq!(document["threats"][0]["measures_backed"], 1);
}

#[tokio::test]
async fn the_wizard_shows_slopes_and_carries_last_years_decision_over() {
    let (place, editions) = Place::with_threats().await;
    let old = editions.of(Audience::Org, 2023).into_iter().find(|t| t.key == "bec").unwrap();
    place.sign_for(old, &["pay-twice"]).await;
    let decisions = Decisions::load(place.store()).await.unwrap();
    let new = editions.named("bec").unwrap();
    let (begin, year) = decisions.begin_with(&editions, new).unwrap();
    assert_eq!((begin.measures.as_slice(), year), (&["pay-twice".to_owned()][..], Some(2023)));

    let list = place.page("officer", "/intelligence/ten-threats").await;
    assert!(list.contains("<svg") && list.contains("M435") && list.contains("DDoS attacks"));
    assert!(list.contains(">gone<") && list.contains(">new<"));
    let one = place.page("officer", &format!("/intelligence/ten-threats/{}", new.row.id)).await;
    assert!(one.contains("2023") && one.contains("what was decided then is proposed again"));
    let choice = one.split("name=\"measure-pay-twice\"").nth(1).unwrap();
    assert!(choice.split_once('>').unwrap().0.contains("checked"));
    assert!(one.contains("being judged"), "how proofs stand is not known before a judgement");
    let auditor = place.page("auditor", &format!("/intelligence/ten-threats/{}", new.row.id)).await;
    assert!(!auditor.contains("name=\"password\""));

    let risk = format!("/intelligence/ten-threats/{}/risk", new.row.id);
    assert_eq!(place.send("auditor", &risk, &[]).await, 403);
    for _ in 0..2 {
        assert_eq!(place.send("officer", &risk, &[]).await, 303);
    }
    let risks = place.store().all(Table::Risk, &["risk"]).await.unwrap();
    assert_eq!(risks.len(), 1, "opened once");
    let (_, kind) = place.served.house.kind(Table::Risk, "risk").unwrap();
    assert_eq!(kind.validate(&risks[0].attributes), []);
    // A word alone bears nothing out.
    let facts = Facts::load(&place.served.house, &[new.row.id]).await.unwrap();
    assert!(facts.proofs(new.row.id, &editions.measures["pay-twice"], &[]).is_empty());
}
