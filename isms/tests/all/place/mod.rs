//! A real store with a clock that the test sets.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use isms::{
    Board,
    hall::{RiskView, soa::SoaRow},
};
use model::{Assurance, Id, RoomSpec, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store};

pub const START: i64 = 1_795_600_000_000_000;
pub const DAY_HOURS: i64 = 24;

pub struct Place {
    pub store: Store,
    pub clock: Arc<AtomicI64>,
    rooms: &'static [&'static RoomSpec],
    _folder: tempfile::TempDir,
}

impl Place {
    pub async fn over(rooms: &'static [&'static RoomSpec]) -> Place {
        let folder = tempfile::tempdir().expect("folder");
        let clock = Arc::new(AtomicI64::new(START));
        let time = clock.clone();
        let now: store::Clock = Arc::new(move || Timestamp(time.load(Ordering::SeqCst)));
        let store = Store::open(folder.path(), now).await.expect("store");
        isms::norms::load(&store).await.expect("norms");
        Place { store, clock, rooms, _folder: folder }
    }

    pub fn later(&self, days: i64) {
        self.clock.fetch_add(days * DAY_HOURS * 3_600_000_000, Ordering::SeqCst);
    }

    pub async fn put(&self, row: Row) -> Row {
        // Two changes of one moment have no order.
        self.clock.fetch_add(1_000_000, Ordering::SeqCst);
        let mut write = self.store.write("account:sato", "test", "").await.expect("write");
        let row = write.put(row).await.expect("put");
        write.commit().await.expect("commit");
        row
    }

    pub fn row(&self, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, self.store.new_id().expect("id"), kind, name);
        row.attributes = attributes.as_object().cloned().expect("object");
        row
    }

    /// A person with this id.
    pub async fn someone(&self, id: &str, name: &str) -> Row {
        self.put(Row::new(Table::Party, id.parse().expect("id"), "person", name)).await
    }

    pub async fn add(&self, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        self.put(self.row(table, kind, name, attributes)).await
    }

    pub async fn usage(&self, control: &str, attributes: Json) -> Row {
        let mut row = self.row(Table::Rule, "control_use", control, attributes);
        row.attributes.insert("control".into(), control.into());
        self.put(row).await
    }

    pub async fn decide(
        &self,
        about: &Row,
        kind: &str,
        outcome: &str,
        days: i64,
        notes: Json,
    ) -> Row {
        let mut row = self.row(Table::Decision, kind, &about.name, notes);
        row.status = outcome.to_owned();
        row.subject = Some(about.id);
        row.subject_hash = Some(about.content_hash().expect("hash"));
        row.ends_at = Some(self.store.now().plus_hours(days * DAY_HOURS));
        self.put(row).await
    }

    pub async fn record(&self, ty: &str, assurance: Assurance, facts: Json) {
        let now = self.store.now();
        let mut write = self.store.write("account:sato", "", "").await.expect("write");
        let draft = RecordDraft {
            ty: ty.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "test".to_owned(),
            assurance,
            facts: facts.as_object().cloned().expect("object"),
            payload: None,
        };
        write.record(draft).await.expect("record");
        write.commit().await.expect("commit");
    }

    pub async fn import(&self, control: &str) {
        let facts = json!({"criterion": format!("soa/{control}"), "document": "規程.pdf", "held_on": "2026-11-25"});
        self.record("isms.imported", Assurance::Imported, facts).await;
    }

    pub async fn treat(&self, from: Id, risk: &Row) {
        let mut link = self.row(Table::Link, "treats", "treats", json!({}));
        link.subject = Some(from);
        link.object = Some(risk.id);
        self.put(link).await;
    }

    pub async fn norm(&self, number: &str) -> Id {
        let norms = self.store.all(Table::Norm, &["annex_a"]).await.expect("norms");
        norms.iter().find(|n| n.attributes["number"] == number).expect("norm").id
    }

    pub async fn board(&self) -> Board {
        isms::compute(&self.store, self.rooms).await.expect("board")
    }

    pub async fn soa(&self, control: &str) -> SoaRow {
        self.board().await.view.row(control).expect("row").clone()
    }

    pub async fn risk(&self, id: Id) -> RiskView {
        let board = self.board().await;
        board.view.risks.iter().find(|r| r.id == id).expect("risk").clone()
    }

    pub async fn newest(&self, ty: &str) -> Json {
        let records = self.store.newest_records(&[ty], None, 1).await.expect("records");
        json!(records.first().map(|r| r.facts.clone()))
    }
}
