//! The kept board equals the board computed from scratch, whatever happened and whenever one looks.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use isms::{Keeper, compute};
use model::{
    Assurance, Check, Cond, Criterion, FieldType, Id, Op, Predicate, RoomSpec, Status, Subjects,
    Table, Timestamp, Value,
};
use serde_json::{Map, Value as Json, json};
use store::{RecordDraft, Row, Store};

const ROOMS: [&RoomSpec; 4] =
    [&configuration::SPEC, &monitoring::SPEC, &ict_readiness::SPEC, &leakage_prevention::SPEC];
const START: i64 = 1_795_600_000_000_000;
const HOUR: i64 = 3_600_000_000;

/// A small seeded generator (SplitMix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        if list.is_empty() { None } else { list.get(self.below(list.len())) }
    }
}

struct World {
    store: Store,
    clock: Arc<AtomicI64>,
    random: Random,
    rows: Vec<(Table, Id)>,
    records: Vec<Id>,
    criteria: Vec<&'static Criterion>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(seed: u64) -> World {
        let folder = tempfile::tempdir().expect("folder");
        let clock = Arc::new(AtomicI64::new(START));
        let time = clock.clone();
        let now: store::Clock = Arc::new(move || Timestamp(time.load(Ordering::SeqCst)));
        let store = Store::open(folder.path(), now).await.expect("store");
        let criteria = ROOMS.iter().flat_map(|room| room.criteria).collect();
        let random = Random(seed);
        World { store, clock, random, rows: vec![], records: vec![], criteria, _folder: folder }
    }

    /// A value that a check may or may not like.
    fn value(&mut self, ty: FieldType) -> Option<Json> {
        Some(match ty {
            FieldType::Number { min, max, .. } => {
                let n = [0, 1, 2, 10, 100, 900, 1000, 1_000_000][self.random.below(8)];
                json!(min.max(n).min(max))
            }
            FieldType::Boolean => json!(self.random.below(3) > 0),
            FieldType::Enum(choices) => json!(self.random.pick(choices)?.value),
            FieldType::List => json!(["a", "b"]),
            FieldType::Text | FieldType::Multiline => {
                json!(["system", "database", "a", "b"][self.random.below(4)])
            }
            FieldType::Object => json!({"n": 1}),
            _ => return None,
        })
    }

    fn attributes(&mut self, fields: &'static [model::Field]) -> Map<String, Json> {
        let mut out = Map::new();
        for field in fields {
            if self.random.below(5) > 0
                && let Some(value) = self.value(field.ty)
            {
                out.insert(field.name.to_owned(), value);
            }
        }
        out
    }

    async fn step(&mut self) {
        match self.random.below(14) {
            0 | 1 => self.add_row().await,
            2 => self.change_row().await,
            3 => self.add_about(Table::Decision).await,
            4 => self.add_about(Table::Task).await,
            5 => self.add_link().await,
            6 => self.hand_in().await,
            7..=9 => self.add_record().await,
            12 => self.add_statement().await,
            13 => self.add_place().await,
            _ => {
                let hours = [1, 5, 24, 24 * 8, 24 * 40, 24 * 200][self.random.below(6)];
                self.clock
                    .fetch_add(hours * HOUR + self.random.below(1_000) as i64, Ordering::SeqCst);
            }
        }
    }

    async fn put(&mut self, row: Row) -> Id {
        let mut write = self.store.write("test", "", "").await.expect("write");
        let row = write.put(row).await.expect("put");
        write.commit().await.expect("commit");
        row.id
    }

    async fn add_row(&mut self) {
        let criterion = self.criteria[self.random.below(self.criteria.len())];
        let Check::PerSubject(check) = &criterion.check else { return };
        let (table, kinds) = match check.of {
            Subjects::Assets { kinds, .. } | Subjects::AssetParts { kinds, .. } => {
                (Table::Asset, kinds)
            }
            Subjects::Parties { kinds, .. } => (Table::Party, kinds),
            Subjects::Rules { kinds, .. } => (Table::Rule, kinds),
            Subjects::Plans { kinds, .. } => (Table::Plan, kinds),
            _ => return,
        };
        let Some(kind) = self.random.pick(kinds).copied() else { return };
        let name = format!("{kind} {}", self.random.below(1_000));
        let mut row = Row::new(table, self.store.new_id().expect("id"), kind, &name);
        let fields = ROOMS.iter().flat_map(|r| r.kinds.iter().chain(r.rules).chain(r.others));
        if let Some(spec) = fields.into_iter().find(|k| k.id == kind) {
            row.attributes = self.attributes(spec.fields);
        }
        let id = self.put(row).await;
        self.rows.push((table, id));
    }

    async fn change_row(&mut self) {
        let Some((table, id)) = self.random.pick(&self.rows).copied() else { return };
        let Some(mut row) = self.store.row(table, id).await.expect("row") else { return };
        match self.random.below(4) {
            0 => row.name.push('x'),
            1 => row.status = if row.status == "active" { "archived" } else { "active" }.to_owned(),
            2 => row.deleted = !row.deleted,
            _ => drop(row.attributes.pop_last_member()),
        }
        self.put(row).await;
    }

    async fn add_about(&mut self, table: Table) {
        let Some((of, id)) = self.random.pick(&self.rows).copied() else { return };
        let Some(subject) = self.store.row(of, id).await.expect("row") else { return };
        let kind = ["approval", "exception", "review", "exclusion"][self.random.below(4)];
        let kind = if table == Table::Task { "task" } else { kind };
        let mut row = Row::new(table, self.store.new_id().expect("id"), kind, "about");
        row.subject = Some(id);
        let hours = [1, 30, 24 * 100][self.random.below(3)];
        row.ends_at = Some(self.store.now().plus_hours(hours));
        if table == Table::Task {
            row.status = ["open", "closed"][self.random.below(2)].to_owned();
        } else {
            row.status = ["approved", "approved", "rejected"][self.random.below(3)].to_owned();
            row.subject_hash = Some(subject.content_hash().expect("hash"));
        }
        if kind == "exclusion" {
            let criterion = self.criteria[self.random.below(self.criteria.len())];
            row.attributes.insert("criterion".into(), json!(criterion.id));
        }
        self.put(row).await;
    }

    async fn add_link(&mut self) {
        let kind = ["depends_on", "stores", "owns", "located_in", "copies", "treats"]
            [self.random.below(6)];
        let (Some(from), Some(to)) =
            (self.random.pick(&self.rows).copied(), self.random.pick(&self.rows).copied())
        else {
            return;
        };
        let mut link = Row::new(Table::Link, self.store.new_id().expect("id"), kind, kind);
        link.subject = Some(from.1);
        link.object = Some(to.1);
        let hour = self.random.below(100) as i64 - 20;
        link.starts_at = (self.random.below(2) == 0).then(|| self.store.now().plus_hours(hour));
        link.ends_at = (self.random.below(2) == 0).then(|| self.store.now().plus_hours(hour + 50));
        self.put(link).await;
    }

    /// A statement of scope that is mostly approved, for a while.
    async fn add_statement(&mut self) {
        let id = self.store.new_id().expect("id");
        let mut row = Row::new(Table::Asset, id, "scope_statement", "scope");
        let selector = match self.random.below(4) {
            0 => json!({"sites": ["tokyo"]}),
            1 => json!({"departments": ["sales"]}),
            2 => json!({"kinds": ["host", "log_source", "database", "process", "channel"]}),
            _ => json!({"sites": ["osaka"], "departments": ["sales"]}),
        };
        row.attributes = selector.as_object().cloned().expect("object");
        let id = self.put(row).await;
        self.rows.push((Table::Asset, id));
        if self.random.below(4) > 0 {
            self.approve(id).await;
        }
    }

    async fn approve(&mut self, id: Id) {
        let Some(subject) = self.store.row(Table::Asset, id).await.expect("row") else { return };
        let mut row =
            Row::new(Table::Decision, self.store.new_id().expect("id"), "approval", "scope");
        row.subject = Some(id);
        row.ends_at = Some(self.store.now().plus_hours([20, 24 * 60][self.random.below(2)]));
        row.status = "approved".to_owned();
        row.subject_hash = Some(subject.content_hash().expect("hash"));
        self.put(row).await;
    }

    /// A site or a team, and something that is there or belongs to it.
    async fn add_place(&mut self) {
        let assets: Vec<Id> =
            self.rows.iter().filter(|(t, _)| *t == Table::Asset).map(|(_, id)| *id).collect();
        let Some(asset) = self.random.pick(&assets).copied() else { return };
        let here = self.random.below(2) == 0;
        let (table, kind, names, link) = if here {
            (Table::Asset, "site", ["tokyo", "osaka"], "located_in")
        } else {
            (Table::Party, "team", ["sales", "works"], "owns")
        };
        let name = names[self.random.below(2)];
        let place = self.put(Row::new(table, self.store.new_id().expect("id"), kind, name)).await;
        self.rows.push((table, place));
        let mut row = Row::new(Table::Link, self.store.new_id().expect("id"), link, link);
        let (from, to) = if here { (asset, place) } else { (place, asset) };
        (row.subject, row.object) = (Some(from), Some(to));
        let hours = self.random.below(60) as i64;
        row.ends_at = (self.random.below(3) == 0).then(|| self.store.now().plus_hours(hours));
        self.put(row).await;
    }

    async fn hand_in(&mut self) {
        let criterion = self.criteria[self.random.below(self.criteria.len())];
        let whole = self.random.below(2) == 0;
        let subject = if whole { None } else { self.random.pick(&self.rows).map(|(_, id)| *id) };
        let facts = json!({"criterion": criterion.id, "held_on": "2026-11-01"});
        let ty = ["isms.attested", "isms.imported"][self.random.below(2)];
        self.append(ty, subject, facts, Assurance::Attested).await;
    }

    async fn add_record(&mut self) {
        let criterion = self.criteria[self.random.below(self.criteria.len())];
        let Some(ty) = self.random.pick(&criterion.check.reads()).copied() else { return };
        let spec = ROOMS.iter().flat_map(|r| r.records).find(|r| r.ty == ty);
        let mut facts = spec.map(|s| self.attributes(s.fields)).unwrap_or_default();
        if self.random.below(3) > 0 {
            please(criterion, &mut facts);
        }
        let subject = match self.random.below(5) {
            0 => None,
            1 => self.random.pick(&self.records).copied(),
            _ => self.random.pick(&self.rows).map(|(_, id)| *id),
        };
        let assurance =
            [Assurance::Machine, Assurance::Imported, Assurance::Attested][self.random.below(3)];
        self.append(ty, subject, Json::Object(facts), assurance).await;
    }

    async fn append(&mut self, ty: &str, subject: Option<Id>, facts: Json, assurance: Assurance) {
        let hours = [-300, -30, -1, 0, 0, 0, 20][self.random.below(7)];
        let at = self.store.now().plus_hours(hours);
        let draft = RecordDraft {
            ty: ty.to_owned(),
            subject,
            observed_from: at,
            observed_to: at,
            source: "test".to_owned(),
            assurance,
            facts: facts.as_object().cloned().expect("object"),
            payload: None,
        };
        let mut write = self.store.write("test", "", "").await.expect("write");
        self.records.push(write.record(draft).await.expect("record").id);
        write.commit().await.expect("commit");
    }
}

/// Bends facts towards what the criterion asks, so that verdicts pass often enough to matter.
fn please(criterion: &Criterion, facts: &mut Map<String, Json>) {
    let mut conds = Vec::new();
    match &criterion.check {
        Check::PerSubject(check) => predicate_conds(&check.must, &mut conds),
        Check::Aggregate(check) => conds.extend(check.only),
    }
    for cond in conds {
        let value = match cond.op {
            Op::Eq(Value::Text(text)) => json!(text),
            Op::Eq(Value::Int(n)) | Op::AtLeast(n) | Op::AtMost(n) => json!(n),
            Op::Eq(Value::Bool(flag)) => json!(flag),
            Op::OneOf(set) => json!(set.first()),
            Op::NotEmpty | Op::Present => json!("x"),
            _ => continue,
        };
        facts.insert(cond.field.to_owned(), value);
    }
}

fn predicate_conds<'a>(predicate: &'a Predicate, out: &mut Vec<&'a Cond>) {
    match predicate {
        Predicate::Record { only, must, .. } => out.extend(only.iter().chain(must.iter())),
        Predicate::All(list) | Predicate::Any(list) => {
            list.iter().for_each(|p| predicate_conds(p, out));
        }
        _ => {}
    }
}

trait PopLast {
    fn pop_last_member(&mut self) -> Option<Json>;
}

impl PopLast for Map<String, Json> {
    fn pop_last_member(&mut self) -> Option<Json> {
        let name = self.keys().next_back()?.clone();
        self.remove(&name)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kept_board_equals_the_computed_one_after_every_step() {
    let (mut passes, mut known, mut scoped, mut outside) = (0, 0, 0, 0);
    for seed in 1..=4 {
        let mut world = World::new(seed).await;
        let mut keeper = Keeper::open(&world.store, &ROOMS).await.expect("keeper");
        for step in 0..110 {
            world.step().await;
            keeper.refresh(&world.store).await.expect("refresh");
            let now = world.store.now();
            let kept = keeper.board(&world.store, now).await.expect("board");
            let computed = compute(&world.store, &ROOMS).await.expect("computed");
            assert_eq!(kept.scope, computed.scope, "seed {seed}, step {step}");
            let hall =
                |b: &isms::Board| json!([b.view.soa, b.view.risks, b.view.gap, b.view.comparison]);
            assert_eq!(hall(&kept), hall(&computed), "seed {seed}, step {step}");
            scoped += usize::from(kept.scope.is_some());
            outside += kept.scope.as_ref().map_or(0, |s| s.outside);
            for (kept, computed) in kept.all().zip(computed.all()) {
                for (kept, computed) in kept.verdicts.iter().zip(&computed.verdicts) {
                    assert_eq!(kept, computed, "seed {seed}, step {step}");
                }
                assert_eq!(kept.level, computed.level);
                let count = |status| kept.verdicts.iter().filter(|v| v.status == status).count();
                passes += count(Status::Pass);
                known += kept.verdicts.len() - count(Status::Unknown);
            }
        }
    }
    let rich = passes > 50 && known > 500 && scoped > 50 && outside > 100;
    assert!(
        rich,
        "too poor to test anything: {passes} passes, {known} known, {scoped} scoped, {outside} outside"
    );
}

/// Everything that a board says.
fn said(board: &isms::Board) -> Json {
    let verdicts: Vec<_> = board.all().map(|c| &c.verdicts).collect();
    let levels: Vec<_> = board.all().map(|c| (c.level, c.target, c.valid_until)).collect();
    let view = &board.view;
    let hall = json!([view.soa, view.soa_hash, view.risks, view.gap, view.comparison]);
    json!([board.at, verdicts, format!("{levels:?} {:?}", board.scope), hall])
}

/// Half the records observed before now, so that what came late would show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_computed_later_equals_the_board_that_was_live_then() {
    let (mut differ, mut late) = (0, 0);
    for seed in 11..=13 {
        let mut world = World::new(seed).await;
        let mut seen = Vec::new();
        for step in 0..100 {
            world.step().await;
            if world.random.below(4) == 0 {
                let room = ROOMS[world.random.below(ROOMS.len())];
                let level = [model::Level::Ume, model::Level::Take][world.random.below(2)];
                isms::set_targets(&world.store, "test", &[room], level).await.expect("target");
            }
            if world.random.below(8) == 0 {
                let name = format!("risk {step}");
                let id = world.store.new_id().expect("id");
                let mut risk = Row::new(Table::Risk, id, "risk", &name);
                risk.attributes = json!({"inherent_likelihood": 4, "inherent_consequence": 3})
                    .as_object()
                    .cloned()
                    .expect("object");
                let id = world.put(risk).await;
                world.rows.push((Table::Risk, id));
            }
            if step % 9 == 8 {
                let live = compute(&world.store, &ROOMS).await.expect("live");
                seen.push((world.store.now(), said(&live)));
            }
            // What happens at the moment that was looked at belongs to it.
            world.clock.fetch_add(1, Ordering::SeqCst);
        }
        for (at, live) in &seen {
            let past = isms::compute_as_of(&world.store, &ROOMS, *at).await.expect("past");
            assert_eq!(said(&past), *live, "seed {seed}, {at:?}");
        }
        differ +=
            seen.windows(2).filter(|w| w[0].1[1] != w[1].1[1] && w[0].1[3] != w[1].1[3]).count();
        let records = world.store.records_after(None, 10_000).await.expect("records");
        late += records.iter().filter(|r| r.received_at.0 - r.observed_to.0 > 12 * HOUR).count();
    }
    assert!(differ > 10 && late > 10, "too poor to test anything: {differ} differ, {late} late");
}

#[tokio::test]
async fn one_record_judges_no_more_than_ten_subjects_again() {
    let mut world = World::new(1).await;
    let mut write = world.store.write("test", "", "").await.expect("write");
    let mut hosts = Vec::new();
    for n in 0..300 {
        let row =
            Row::new(Table::Asset, world.store.new_id().expect("id"), "host", &format!("h{n}"));
        hosts.push(write.put(row).await.expect("put").id);
    }
    write.commit().await.expect("commit");
    let mut keeper = Keeper::open(&world.store, &ROOMS).await.expect("keeper");
    assert!(keeper.judged() > 1_000);
    // A source status also feeds the criterion over the twelve source classes, judged as a whole.
    for (ty, most) in [("configuration.snapshot", 10), ("monitoring.source_status", 10 + 12)] {
        world.append(ty, Some(hosts[7]), json!({"silent": false}), Assurance::Machine).await;
        keeper.refresh(&world.store).await.expect("refresh");
        assert!((1..=most).contains(&keeper.judged()), "{ty}: {} judged", keeper.judged());
    }
}
