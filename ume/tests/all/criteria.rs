//! Drives every criterion of the eleven rooms through a real store into its verdicts.
//!
//! The evidence is generated from the declaration: for each way to meet a check the subjects and
//! proofs that meet it are written, and then once more for each single condition, with that
//! condition alone broken. A condition that never matters is an error. `criteria.expected` holds
//! the declarations themselves, so that one which is removed or loosened breaks a test too; after a
//! deliberate change, write it anew with `UME_BLESS=1 cargo test -p ume --test criteria`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use isms::{Evidence, Reason, Verdict};
use model::{
    Aggregate, Assurance, Bound, Check, Cond, Criterion, Field, FieldType, Id, KindSpec, Level,
    Measure, Op, PerSubject, Predicate, RecordSpec, RoomSpec, Status, Subjects, Table, Timestamp,
    Value, check::lookup, t,
};
use serde_json::{Map, Value as Json, json};
use store::{RecordDraft, Row, Store};

/// The eleven rooms and the hall.
const ROOMS: [&RoomSpec; 12] = [
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

/// Criteria that rest on nothing that ages, only on what the register says, so never stale.
const NEVER_STALE: &[&str] = NEWEST_OF_TYPE;

/// Criteria that ask for two records of one type, of which the snapshot holds only the newest beyond
/// the window: they fall to unknown instead of stale.
const NEWEST_OF_TYPE: &[&str] = &["5.7/matsu-4", "8.23/matsu-6"];

/// Criteria that ask only whether something exists: without it they are unknown, never failed.
const NEVER_FAIL: &[&str] =
    &["5.7/matsu-2", "5.7/matsu-4", "5.23/take-3", "5.30/matsu-1", "8.9/ume-1"];

/// Criteria of 竹 and 松 with a way that needs no record: a decision bound to the row, or the row's
/// own attributes. There the assurance of records has nothing to say.
const WITHOUT_RECORDS: &[&str] = &["7.4/matsu-3", "7.4/matsu-4", "8.12/matsu-7"];

const START: Timestamp = Timestamp(1_795_600_000_000_000);
const HALF_HOUR: i64 = 1_800_000_000;
/// Broken values tried for one condition; another way to pass may accept some of them.
const TRIES_MAX: usize = 16;
const SOLUTIONS_MAX: usize = 400;

type Facts = Map<String, Json>;

/// One demand of a way to meet a predicate.
#[derive(Clone, Debug)]
enum Leaf {
    Record { ty: &'static str, conds: Vec<Cond> },
    Attributes(Vec<Cond>),
    Decision(&'static str),
    Link(&'static str),
    Task,
}

/// The one thing that is wrong in a scene.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Condition of the denominator.
    Only(usize),
    /// Condition of a leaf.
    Cond(usize, usize),
    Gone(usize),
    Refused(usize),
    Edited(usize),
    Expired(usize),
    Overdue(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Good,
    Refused,
    Edited,
    Expired,
    Overdue,
}

type Part = Option<(&'static str, &'static str)>;

#[derive(Clone, Debug)]
enum Proof {
    Record { ty: &'static str, facts: Facts },
    Decision { kind: &'static str, state: State, part: Part },
    Link { kind: &'static str },
    Task { state: State },
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Whole,
    Row(Table, &'static str),
    Record(&'static str),
}

/// A subject with all that is known about it.
#[derive(Clone, Debug)]
struct Thing {
    of: Of,
    object: Facts,
    proofs: Vec<Proof>,
}

type Scene = Vec<Thing>;

/// A real store with a clock that the test sets.
struct Bench {
    store: Store,
    time: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn open() -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let time = Arc::new(AtomicI64::new(START.0));
        let clock = time.clone();
        let store =
            Store::open(folder.path(), Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))));
        Bench { store: store.await.expect("a store"), time, _folder: folder }
    }

    async fn clear(&self) {
        self.time.store(START.0, Ordering::SeqCst);
        let mut tx = self.store.db().begin().await.expect("begin");
        for table in [
            "asset",
            "party",
            "rule",
            "norm",
            "plan",
            "link",
            "decision",
            "task",
            "record",
            "outbox",
            "token",
            "attribute",
        ] {
            tx.execute(&format!("DELETE FROM {table}"), &[]).await.expect("clear");
        }
        tx.commit().await.expect("commit");
    }

    /// Empties the store and writes the scene as of [`START`]; decisions and tasks end at `ends`.
    async fn stage(&self, scene: &Scene, assurance: Assurance, ends: Timestamp) {
        self.clear().await;
        let mut write = self.store.write("test", "", "").await.expect("write");
        for thing in scene {
            let (subject, hash) = match thing.of {
                Of::Whole => (None, None),
                Of::Record(ty) => {
                    let record = write.record(draft(ty, None, &thing.object, assurance)).await;
                    (Some(record.expect("record").id), None)
                }
                Of::Row(table, kind) => {
                    let mut row = Row::new(table, self.store.new_id().expect("id"), kind, kind);
                    row.attributes = thing.object.clone();
                    if kind_spec(table, kind).is_some_and(|k| k.field("owner").is_none())
                        && row.attributes.remove("owner").is_some()
                    {
                        row.owner = Some(self.store.new_id().expect("id"));
                    }
                    let row = write.put(row).await.expect("put");
                    (Some(row.id), Some(row.content_hash().expect("hash")))
                }
            };
            for proof in &thing.proofs {
                let row = |table, kind: &str| {
                    let mut row = Row::new(table, self.store.new_id().expect("id"), kind, kind);
                    row.subject = subject;
                    row.ends_at = Some(ends);
                    row
                };
                match proof {
                    Proof::Record { ty, facts } => {
                        write.record(draft(ty, subject, facts, assurance)).await.expect("record");
                    }
                    Proof::Decision { kind, state, part } => {
                        let mut row = row(Table::Decision, kind);
                        row.status = "approved".to_owned();
                        row.subject_hash = hash.clone();
                        match state {
                            State::Refused => row.status = "rejected".to_owned(),
                            State::Edited => row.subject_hash = Some("0".repeat(64)),
                            State::Expired => row.ends_at = Some(START),
                            State::Good | State::Overdue => {}
                        }
                        if let Some((field, part)) = part {
                            row.attributes.insert((*field).to_owned(), json!(part));
                        }
                        write.put(row).await.expect("put");
                    }
                    Proof::Link { kind } => {
                        let mut row = row(Table::Link, kind);
                        row.object = Some(self.store.new_id().expect("id"));
                        row.ends_at = None;
                        write.put(row).await.expect("put");
                    }
                    Proof::Task { state } => {
                        let mut row = row(Table::Task, "task");
                        row.status = "closed".to_owned();
                        if *state == State::Overdue {
                            row.status = "open".to_owned();
                            row.ends_at = Some(Timestamp(START.0 - 1));
                        }
                        write.put(row).await.expect("put");
                    }
                }
            }
        }
        write.commit().await.expect("commit");
    }

    /// Adds a person's word that the criterion is met.
    async fn attest(&self, criterion: &Criterion) {
        let facts = json!({"criterion": criterion.id, "held_on": "2026-11-25"});
        let mut write = self.store.write("test", "", "").await.expect("write");
        let facts = facts.as_object().expect("object");
        let by_hand = draft("isms.attested", None, facts, Assurance::Attested);
        write.record(by_hand).await.expect("record");
        write.commit().await.expect("commit");
    }

    /// Adds a decision that takes the criterion out.
    async fn exclude(&self, criterion: &Criterion, status: &str, ends: Timestamp) {
        let id = self.store.new_id().expect("id");
        let mut row = Row::new(Table::Decision, id, "exclusion", "out");
        row.status = status.to_owned();
        row.ends_at = Some(ends);
        row.attributes.insert("criterion".to_owned(), json!(criterion.id));
        let mut write = self.store.write("test", "", "").await.expect("write");
        write.put(row).await.expect("put");
        write.commit().await.expect("commit");
    }

    async fn judge(&self, criterion: &Criterion, at: Timestamp) -> Verdict {
        self.time.store(at.0, Ordering::SeqCst);
        let now = self.store.now();
        let evidence =
            Evidence::load(self.store.present(), &[criterion], now).await.expect("evidence");
        isms::evaluate(criterion, &evidence, now)
    }
}

fn draft(ty: &str, subject: Option<Id>, facts: &Facts, assurance: Assurance) -> RecordDraft {
    RecordDraft {
        ty: ty.to_owned(),
        subject,
        observed_from: START,
        observed_to: START,
        source: "test".to_owned(),
        assurance,
        facts: facts.clone(),
        payload: None,
    }
}

fn specs() -> impl Iterator<Item = &'static RoomSpec> {
    ROOMS.into_iter()
}

fn kind_spec(table: Table, id: &str) -> Option<&'static KindSpec> {
    specs()
        .flat_map(|r| r.kinds.iter().chain(r.rules).chain(r.others))
        .find(|k| k.id == id && k.table == table)
}

fn record_spec(ty: &str) -> Option<&'static RecordSpec> {
    specs().flat_map(|r| r.records).chain(model::platform::RECORDS).find(|r| r.ty == ty)
}

// --- values that meet or break conditions -------------------------------------------------------

fn set(object: &mut Facts, path: &str, value: Json) {
    match path.split_once('/') {
        None => drop(object.insert(path.to_owned(), value)),
        Some((head, rest)) => {
            let inner = object.entry(head).or_insert_with(|| json!({}));
            if let Json::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Values worth trying for a field, without the one that is no value.
fn values(path: &str, field: Option<&Field>, conds: &[Cond]) -> Vec<Json> {
    let mut out = Vec::new();
    for cond in conds.iter().filter(|c| c.field == path) {
        match cond.op {
            Op::Eq(Value::Int(n)) | Op::Ne(Value::Int(n)) | Op::AtLeast(n) | Op::AtMost(n) => {
                out.extend([json!(n), json!(n.saturating_sub(1)), json!(n.saturating_add(1))]);
            }
            Op::Eq(Value::Text(text)) | Op::Ne(Value::Text(text)) => out.push(json!(text)),
            Op::OneOf(set) => out.extend(set.iter().map(|text| json!(text))),
            _ => {}
        }
    }
    let hex = |c: &str| json!(c.repeat(64));
    let id = |n: u8| json!(format!("00000000-0000-7000-8000-00000000000{n}"));
    match field.filter(|_| !path.contains('/')).map(|f| f.ty) {
        Some(FieldType::Boolean) => out.extend([json!(true), json!(false)]),
        Some(FieldType::Enum(choices)) => out.extend(choices.iter().map(|c| json!(c.value))),
        Some(FieldType::Number { min, max, .. }) => {
            out.extend([1, 2, 0, min, max].map(|n| json!(n)));
        }
        Some(FieldType::Money) => out.extend([1, 2, 0].map(|n| json!(n))),
        Some(FieldType::Date) => out.extend([json!("2026-11-25"), json!("2026-11-26")]),
        Some(FieldType::Time) => {
            out.extend([json!("2026-11-25T00:00:00Z"), json!("2026-11-26T00:00:00Z")]);
        }
        Some(FieldType::Zone) => out.extend([json!("Asia/Tokyo"), json!("UTC")]),
        Some(FieldType::Period) => out.extend([json!("P7Y"), json!("P1Y")]),
        Some(FieldType::Reference(_) | FieldType::Party) => out.extend([id(1), id(2)]),
        Some(FieldType::File | FieldType::Hash) => out.extend([hex("a"), hex("b")]),
        Some(FieldType::List) => out.extend([json!(["a"]), json!(["b"]), json!([])]),
        Some(FieldType::Duration) => out.extend([json!("PT1H"), json!("PT2H")]),
        Some(FieldType::Table(_)) => out.extend([json!([{"a": 1}]), json!([])]),
        Some(FieldType::Object) => out.extend([json!({"a": 1}), json!({"b": 1}), json!({})]),
        Some(FieldType::TextPair) => out.push(json!({"ja": "甲", "en": "a"})),
        Some(FieldType::Text | FieldType::Multiline) => {
            out.extend([json!("a"), json!("b"), json!("")]);
        }
        None => {
            out.extend([json!(true), json!(false), json!(1), json!(2), json!(0)]);
            out.extend([json!("a"), json!("b"), json!("")]);
        }
    }
    out
}

fn admits(field: &'static Field, value: &Json) -> bool {
    let one = RecordSpec {
        ty: "",
        writer: model::Writer::Anyone,
        title: t("", ""),
        fields: std::slice::from_ref(field),
    };
    let mut object = Facts::new();
    object.insert(field.name.to_owned(), value.clone());
    one.validate(&object).is_empty()
}

/// Objects that meet all conditions except the one at `broken`, which they break. Within the schema
/// if `strict`.
fn solve(
    schema: &'static [Field],
    conds: &[Cond],
    broken: Option<usize>,
    avoid: &[Vec<Cond>],
    strict: bool,
) -> Vec<Facts> {
    let others: Vec<Cond> = avoid.concat();
    let hints = [conds, &others[..]].concat();
    let mut paths: Vec<&str> = hints.iter().flat_map(Cond::fields).collect();
    paths.extend(schema.iter().filter(|f| f.required).map(|f| f.name));
    let mut seen = BTreeSet::new();
    // A nested field stands for its head.
    let nested: BTreeSet<&str> =
        paths.iter().filter_map(|p| p.split_once('/').map(|(head, _)| head)).collect();
    paths.retain(|p| seen.insert(*p) && !nested.contains(p));
    let binary = |c: &Cond| matches!(c.op, Op::DiffersFrom(_) | Op::AtMostField(_));
    let wide: BTreeSet<&str> = conds
        .iter()
        .enumerate()
        .filter(|(i, c)| binary(c) || Some(*i) == broken)
        .flat_map(|(_, c)| c.fields())
        .chain(others.iter().flat_map(Cond::fields))
        .collect();
    let met = |i: usize, c: &Cond, object: &Json| c.holds(object) != (Some(i) == broken);
    let mut choices: Vec<(&str, Vec<Option<Json>>)> = Vec::new();
    for path in paths {
        let head = path.split('/').next().unwrap_or(path);
        let field = schema.iter().find(|f| f.name == head);
        let mut all: Vec<Option<Json>> =
            values(path, field, &hints).into_iter().map(Some).collect();
        all.push(None);
        all.retain(|value| {
            let fits = !strict
                || match (field, value) {
                    (Some(_), Some(_)) if path.contains('/') => true,
                    (Some(field), Some(value)) => admits(field, value),
                    (Some(field), None) => !field.required,
                    (None, value) => value.is_none(),
                };
            let mut object = Facts::new();
            if let Some(value) = value {
                set(&mut object, path, value.clone());
            }
            let object = Json::Object(object);
            let mut own = conds.iter().enumerate().filter(|(_, c)| c.field == path && !binary(c));
            fits && own.all(|(i, c)| met(i, c, &object))
        });
        if !wide.contains(path) {
            all.truncate(1);
        }
        choices.push((path, all));
    }
    let mut found = Vec::new();
    let mut at = vec![0; choices.len()];
    'search: loop {
        if choices.iter().all(|(_, c)| !c.is_empty()) {
            let mut object = Facts::new();
            for ((path, values), at) in choices.iter().zip(&at) {
                if let Some(value) = &values[*at] {
                    set(&mut object, path, value.clone());
                }
            }
            let json = Json::Object(object.clone());
            let avoided = avoid.iter().all(|other| other.iter().any(|c| !c.holds(&json)));
            if avoided && conds.iter().enumerate().all(|(i, c)| met(i, c, &json)) {
                found.push(object);
            }
        }
        if found.len() >= SOLUTIONS_MAX || (broken.is_none() && !found.is_empty()) {
            return found;
        }
        for (place, (_, values)) in at.iter_mut().zip(&choices) {
            *place += 1;
            if *place < values.len() {
                continue 'search;
            }
            *place = 0;
        }
        return found;
    }
}

/// The object to write: sound ones within the schema, broken ones within it as far as that goes.
fn object(
    schema: &'static [Field],
    conds: &[Cond],
    broken: Option<usize>,
    avoid: &[Vec<Cond>],
    attempt: usize,
) -> Option<Facts> {
    // Better without what would meet another way too.
    let mut found = solve(schema, conds, broken, avoid, true);
    if broken.is_some() {
        found.extend(solve(schema, conds, broken, avoid, false));
    }
    found.extend(solve(schema, conds, broken, &[], true));
    if let Some(broken) = broken {
        found.extend(solve(schema, conds, Some(broken), &[], false));
        let mut seen = BTreeSet::new();
        found.retain(|o| {
            let o = Json::Object(o.clone());
            let values = conds[broken].fields().into_iter().map(|f| lookup(&o, f).cloned());
            seen.insert(json!(values.collect::<Vec<_>>()).to_string())
        });
    }
    found.get(attempt.min(found.len().saturating_sub(1))).cloned()
}

// --- ways to meet a predicate -------------------------------------------------------------------

fn ways(predicate: &Predicate) -> Vec<Vec<Leaf>> {
    match *predicate {
        Predicate::Record { types, only, must } => {
            types.iter().map(|ty| vec![Leaf::Record { ty, conds: [only, must].concat() }]).collect()
        }
        Predicate::Attributes(conds) => vec![vec![Leaf::Attributes(conds.to_vec())]],
        Predicate::Decision { kind } => vec![vec![Leaf::Decision(kind)]],
        Predicate::Link { kind } => vec![vec![Leaf::Link(kind)]],
        Predicate::Task => vec![vec![Leaf::Task]],
        Predicate::Any(list) => list.iter().flat_map(ways).collect(),
        Predicate::All(list) => list.iter().fold(vec![Vec::new()], |heads, member| {
            let tails = ways(member);
            heads
                .iter()
                .flat_map(|head| tails.iter().map(move |tail| [&head[..], &tail[..]].concat()))
                .collect()
        }),
    }
}

/// Only the newest record of a type counts, so demands on one type are met by one record if they
/// can be.
fn merged(way: Vec<Leaf>) -> Vec<Leaf> {
    let mut out: Vec<Leaf> = Vec::new();
    for leaf in way {
        if let Leaf::Record { ty, conds } = &leaf {
            let schema = record_spec(ty).map_or(&[][..], |r| r.fields);
            let twin = out.iter_mut().find_map(|l| match l {
                Leaf::Record { ty: other, conds: own } if other == ty => {
                    let both = [&own[..], &conds[..]].concat();
                    (!solve(schema, &both, None, &[], true).is_empty()).then_some((own, both))
                }
                _ => None,
            });
            if let Some((own, both)) = twin {
                *own = both;
                continue;
            }
        }
        out.push(leaf);
    }
    out
}

fn faults(only: &[Cond], way: &[Leaf]) -> Vec<Fault> {
    let mut out: Vec<Fault> = (0..only.len()).map(Fault::Only).collect();
    for (i, leaf) in way.iter().enumerate() {
        match leaf {
            Leaf::Record { conds, .. } => {
                out.push(Fault::Gone(i));
                out.extend((0..conds.len()).map(|c| Fault::Cond(i, c)));
            }
            Leaf::Attributes(conds) => out.extend((0..conds.len()).map(|c| Fault::Cond(i, c))),
            Leaf::Decision(_) => {
                out.extend([Fault::Gone(i), Fault::Refused(i), Fault::Edited(i), Fault::Expired(i)])
            }
            Leaf::Link(_) => out.push(Fault::Gone(i)),
            Leaf::Task => out.extend([Fault::Gone(i), Fault::Overdue(i)]),
        }
    }
    out
}

/// What the other ways ask of the same record type (`None`: of the subject itself), beyond what this
/// one asks too.
fn avoided(all: &[Vec<Leaf>], which: usize, ty: Option<&str>, own: &[Cond]) -> Vec<Vec<Cond>> {
    let own: BTreeSet<String> = own.iter().map(|c| format!("{c:?}")).collect();
    let asked = |leaf: &Leaf| match leaf {
        Leaf::Record { ty: other, conds } if Some(*other) == ty => conds.clone(),
        Leaf::Attributes(conds) if ty.is_none() => conds.clone(),
        _ => Vec::new(),
    };
    let others = all.iter().enumerate().filter(|(i, _)| *i != which).map(|(_, w)| w);
    others
        .map(|way| way.iter().flat_map(asked).collect::<Vec<Cond>>())
        .filter(|conds| conds.iter().any(|c| !own.contains(&format!("{c:?}"))))
        .collect()
}

/// The proofs of one way for one subject or part, and the conditions on the subject itself; `None`
/// if the way does not lead there.
fn proofs(
    all: &[Vec<Leaf>],
    which: usize,
    part: Part,
    fault: Option<Fault>,
    attempt: usize,
) -> Option<Vec<Proof>> {
    let mut out = Vec::new();
    for (i, leaf) in all[which].iter().enumerate() {
        if fault == Some(Fault::Gone(i)) {
            continue;
        }
        let state = match fault {
            Some(Fault::Refused(at)) if at == i => State::Refused,
            Some(Fault::Edited(at)) if at == i => State::Edited,
            Some(Fault::Expired(at)) if at == i => State::Expired,
            Some(Fault::Overdue(at)) if at == i => State::Overdue,
            _ => State::Good,
        };
        match leaf {
            Leaf::Record { ty, conds } => {
                let broken = match fault {
                    Some(Fault::Cond(at, cond)) if at == i => Some(cond),
                    _ => None,
                };
                let mut conds = conds.clone();
                conds.extend(
                    part.map(|(field, part)| Cond { field, op: Op::Eq(Value::Text(part)) }),
                );
                let avoid = avoided(all, which, Some(ty), &conds);
                match object(record_spec(ty)?.fields, &conds, broken, &avoid, attempt) {
                    Some(facts) => out.push(Proof::Record { ty, facts }),
                    // A condition on the part itself: a record that breaks it is another part's.
                    None if broken.is_some_and(|c| part.is_some_and(|p| conds[c].field == p.0)) => {
                    }
                    None => return None,
                }
            }
            Leaf::Attributes(_) => {}
            Leaf::Decision(kind) => out.push(Proof::Decision { kind, state, part }),
            Leaf::Link(kind) => out.push(Proof::Link { kind }),
            Leaf::Task => out.push(Proof::Task { state }),
        }
    }
    Some(out)
}

/// The subject's own content.
fn own_object(
    schema: &'static [Field],
    only: &[Cond],
    all: &[Vec<Leaf>],
    which: usize,
    fault: Option<Fault>,
    attempt: usize,
) -> Option<Facts> {
    let way = &all[which];
    let mut conds = only.to_vec();
    let mut broken = match fault {
        Some(Fault::Only(cond)) => Some(cond),
        _ => None,
    };
    for (i, leaf) in way.iter().enumerate() {
        if let Leaf::Attributes(own) = leaf {
            match fault {
                Some(Fault::Cond(at, cond)) if at == i => broken = Some(conds.len() + cond),
                _ => {}
            }
            conds.extend(own);
        }
    }
    object(schema, &conds, broken, &avoided(all, which, None, &conds), attempt)
}

fn kinds_of(of: &Subjects) -> (Vec<Of>, &'static [Cond]) {
    let rows = |table, kinds: &'static [&'static str]| {
        kinds.iter().map(move |k| Of::Row(table, k)).collect::<Vec<_>>()
    };
    match *of {
        Subjects::Assets { kinds, only } | Subjects::AssetParts { kinds, only, .. } => {
            (rows(Table::Asset, kinds), only)
        }
        Subjects::Parties { kinds, only } => (rows(Table::Party, kinds), only),
        Subjects::Rules { kinds, only } => (rows(Table::Rule, kinds), only),
        Subjects::Plans { kinds, only } => (rows(Table::Plan, kinds), only),
        Subjects::Norms { .. } => (vec![Of::Row(Table::Norm, "norm")], &[]),
        Subjects::Records { types, only, .. } => {
            (types.iter().map(|ty| Of::Record(ty)).collect(), only)
        }
        Subjects::Parts { .. } => (vec![Of::Whole], &[]),
    }
}

/// With every field required by its schema, the owner of a row among them.
fn schema_of(of: Of) -> Result<&'static [Field], String> {
    match of {
        Of::Whole => Ok(&[]),
        Of::Row(Table::Norm, _) => Ok(&[]),
        Of::Row(table, kind) => {
            let spec = kind_spec(table, kind)
                .ok_or_else(|| format!("{} kind {kind} is declared nowhere", table.name()))?;
            if spec.field("owner").is_some() {
                return Ok(spec.fields);
            }
            let owner = Field::new("owner", t("", ""), FieldType::Party);
            Ok(Vec::leak([spec.fields, &[owner]].concat()))
        }
        Of::Record(ty) => record_spec(ty)
            .map(|r| r.fields)
            .ok_or_else(|| format!("record type {ty} is declared nowhere")),
    }
}

/// A scene where every subject goes the way numbered `which` if it can, else the first it can.
fn scene(
    check: &PerSubject,
    all: &[Vec<Leaf>],
    which: usize,
    fault: Option<Fault>,
    attempt: usize,
) -> Result<Scene, String> {
    let (things, only) = kinds_of(&check.of);
    let mut out = Vec::new();
    let mut used = false;
    for of in things {
        let schema = schema_of(of)?;
        let order = std::iter::once(which).chain((0..all.len()).filter(|w| *w != which));
        let own_way = order
            .clone()
            .find(|w| own_object(schema, only, all, *w, None, 0).is_some())
            .ok_or_else(|| format!("no {of:?} that its schema admits meets the conditions"))?;
        let own_fault = fault.filter(|_| own_way == which);
        let mut own = own_object(schema, only, all, own_way, own_fault, attempt)
            .ok_or_else(|| format!("nothing breaks {own_fault:?}"))?;
        let mut proven = Vec::new();
        let parts: Vec<Part> = match check.of {
            Subjects::Parts { field, parts } | Subjects::AssetParts { field, parts, .. } => {
                parts.iter().map(|part| Some((field, *part))).collect()
            }
            _ => vec![None],
        };
        for part in parts {
            // Without parts the proofs have to be of the way that the subject itself goes.
            let way = if part.is_none() {
                proofs(all, own_way, part, None, 0).map(|_| own_way)
            } else {
                order.clone().find(|w| proofs(all, *w, part, None, 0).is_some())
            };
            let way = way.ok_or_else(|| format!("no record meets way {own_way} for {part:?}"))?;
            used |= way == which;
            let fault = fault.filter(|_| way == which);
            proven.extend(
                proofs(all, way, part, fault, attempt)
                    .ok_or_else(|| format!("nothing breaks {fault:?}"))?,
            );
        }
        if let Subjects::Norms { prefix } = check.of {
            own.insert("norm_id".to_owned(), json!(format!("{prefix}1")));
        }
        out.push(Thing { of, object: own, proofs: proven });
    }
    if used { Ok(out) } else { Err("a way that leads nowhere".to_owned()) }
}

/// Conditions on each record of an aggregate: those that pass, and each set that misses the bound.
fn measured(check: &Aggregate, ty: &str) -> (Vec<Vec<Cond>>, Vec<Vec<Vec<Cond>>>) {
    let int = |field, n| Cond { field, op: Op::Eq(Value::Int(n)) };
    let (bound, up) = match check.bound {
        Bound::AtLeast(n) => (n, true),
        Bound::AtMost(n) => (n, false),
    };
    let beyond = if up { bound - 1 } else { bound + 1 };
    let many = |n: i64, conds: &[Cond]| vec![conds.to_vec(); usize::try_from(n).unwrap_or(0)];
    match check.measure {
        Measure::Count => (many(bound, &[]), vec![many(beyond, &[])]),
        Measure::Share(conds) => {
            let miss: Vec<Vec<Cond>> = vec![Vec::new()];
            if up { (many(1, conds), vec![]) } else { (miss, vec![many(1, conds)]) }
        }
        Measure::SumShare { part, whole } => (
            vec![vec![int(whole, 1000), int(part, bound)]],
            vec![vec![vec![int(whole, 1000), int(part, beyond)]]],
        ),
        Measure::Sum(field) | Measure::Max(field) | Measure::Percentile(_, field) => {
            (vec![vec![int(field, bound)]], vec![vec![vec![int(field, beyond)]]])
        }
        Measure::Distinct(field) => {
            let schema = record_spec(ty).map_or(&[][..], |r| r.fields);
            let declared = schema.iter().find(|f| f.name == field);
            let mut found: Vec<Cond> = Vec::new();
            for n in 0..bound.max(beyond) {
                let value = match declared.map(|f| f.ty) {
                    Some(FieldType::Enum(choices)) => {
                        let Some(choice) = choices.get(n as usize) else { break };
                        Value::Text(choice.value)
                    }
                    Some(FieldType::Number { min, .. }) => Value::Int(min + n),
                    Some(FieldType::Reference(_) | FieldType::Party) => {
                        Value::Text(String::leak(format!("00000000-0000-7000-8000-{n:012}")))
                    }
                    Some(FieldType::File | FieldType::Hash) => {
                        Value::Text(String::leak(format!("{n:064x}")))
                    }
                    _ => Value::Text(String::leak(format!("v{n}"))),
                };
                found.push(Cond { field, op: Op::Eq(value) });
            }
            let first = |n: i64| -> Vec<Vec<Cond>> {
                found.iter().take(n.max(0) as usize).map(|c| vec![*c]).collect()
            };
            (first(bound), vec![first(beyond)])
        }
    }
}

fn aggregate_scene(
    check: &Aggregate,
    ty: &'static str,
    each: &[Vec<Cond>],
    broken: Option<usize>,
    attempt: usize,
) -> Result<Scene, String> {
    let schema = schema_of(Of::Record(ty))?;
    let mut proofs = Vec::new();
    for extra in each {
        // A condition to break on the measured field itself leaves no number to set.
        let on = broken.and_then(|c| check.only.get(c)).map(|c| c.field);
        let extra: Vec<Cond> = extra.iter().filter(|c| Some(c.field) != on).copied().collect();
        let conds = [check.only, &extra[..]].concat();
        let facts = object(schema, &conds, broken, &[], attempt)
            .ok_or_else(|| format!("no record {ty} that its schema admits fits {conds:?}"))?;
        proofs.push(Proof::Record { ty, facts });
    }
    Ok(vec![Thing { of: Of::Whole, object: Facts::new(), proofs }])
}

// --- the drive ----------------------------------------------------------------------------------

/// What a criterion was driven into.
#[derive(Default)]
struct Reached {
    statuses: BTreeSet<&'static str>,
    without_records: bool,
    wrong: Vec<String>,
}

impl Reached {
    fn note(&mut self, verdict: &Verdict) {
        self.statuses.insert(verdict.status.name());
    }

    fn expect(&mut self, verdict: &Verdict, status: Status, when: &str) {
        self.note(verdict);
        if verdict.status != status {
            self.wrong.push(format!("{when}: {} instead of {}", brief(verdict), status.name()));
        }
    }
}

fn brief(verdict: &Verdict) -> String {
    format!("{} ({:?})", verdict.status.name(), verdict.reason)
}

/// One scene that passes, and how long: it still does at `hold`, and no longer does behind `gone`.
struct Passing {
    name: String,
    scene: Scene,
    hold: Timestamp,
    gone: Timestamp,
    ages: bool,
}

fn variants(criterion: &Criterion) -> Vec<(Passing, Vec<(String, Broken<'_>)>)> {
    match &criterion.check {
        Check::PerSubject(check) => {
            let all: Vec<Vec<Leaf>> = ways(&check.must).into_iter().map(merged).collect();
            let (_, only) = kinds_of(&check.of);
            let each = all.iter().enumerate().map(|(which, way)| {
                let by_record = way.iter().any(|l| matches!(l, Leaf::Record { .. }));
                let fresh = i64::from(check.fresh_hours);
                let (hold, gone) = match check.of {
                    Subjects::Records { within_hours, .. } => {
                        let within = i64::from(within_hours);
                        (if by_record { within.min(fresh) } else { within }, within.max(fresh))
                    }
                    _ => (fresh, fresh),
                };
                let ages = by_record
                    || matches!(check.of, Subjects::Records { .. })
                    || way.iter().any(|l| matches!(l, Leaf::Decision(_)));
                // A record or a part of the whole cannot be edited.
                let fixed = matches!(check.of, Subjects::Records { .. } | Subjects::Parts { .. });
                let faults = faults(only, way).into_iter();
                let faults = faults.filter(move |f| !(fixed && matches!(f, Fault::Edited(_))));
                let broken = faults.map(|fault| {
                    let all = all.clone();
                    let build: Broken =
                        Box::new(move |attempt| scene(check, &all, which, Some(fault), attempt));
                    (format!("way {which}, {fault:?}"), build)
                });
                let name = format!("way {which} {way:?}");
                (scene(check, &all, which, None, 0), name, hold, gone, ages, broken.collect())
            });
            each.map(|(scene, name, hold, gone, ages, broken): (_, _, _, _, _, Vec<_>)| {
                let (hold, gone) = (START.plus_hours(hold), START.plus_hours(gone));
                let scene = scene.unwrap_or_else(|e| panic!("{} {name}: {e}", criterion.id));
                (Passing { name, scene, hold, gone, ages }, broken)
            })
            .collect()
        }
        Check::Aggregate(check) => check
            .types
            .iter()
            .map(|ty| {
                let (passing, missing) = measured(check, ty);
                let hold = START.plus_hours(i64::from(check.within_hours));
                let mut broken: Vec<(String, Broken)> = Vec::new();
                for each in missing {
                    let build: Broken =
                        Box::new(move |_| aggregate_scene(check, ty, &each, None, 0));
                    broken.push((format!("{ty} beyond the bound"), build));
                }
                let shares =
                    if let Measure::Share(conds) = check.measure { conds.len() } else { 0 };
                for cond in 0..check.only.len() + shares {
                    let each = passing.clone();
                    let build: Broken =
                        Box::new(move |n| aggregate_scene(check, ty, &each, Some(cond), n));
                    broken.push((format!("{ty}, condition {cond}"), build));
                }
                let scene = aggregate_scene(check, ty, &passing, None, 0)
                    .unwrap_or_else(|e| panic!("{}: {e}", criterion.id));
                let name = (*ty).to_owned();
                (Passing { name, scene, hold, gone: hold, ages: true }, broken)
            })
            .collect(),
    }
}

type Broken<'a> = Box<dyn Fn(usize) -> Result<Scene, String> + 'a>;

async fn drive_criterion(bench: &Bench, criterion: &'static Criterion) -> Reached {
    let mut reached = Reached::default();
    let mut failing: Option<Scene> = None;
    for (passing, broken) in variants(criterion) {
        let Passing { name, scene, hold, gone, ages } = passing;
        let ends = Timestamp(hold.0 + HALF_HOUR);

        bench.stage(&scene, Assurance::Machine, ends).await;
        let pass = bench.judge(criterion, START).await;
        reached.expect(&pass, Status::Pass, &name);
        if pass.reason != Reason::Met {
            reached.wrong.push(format!("{name}: passes for {:?}", pass.reason));
        }
        let still = bench.judge(criterion, hold).await;
        reached.expect(&still, Status::Pass, &format!("{name}, still fresh"));
        let after = bench.judge(criterion, gone.plus_hours(1)).await;
        let then = if ages { Status::Stale } else { Status::Pass };
        if NEWEST_OF_TYPE.contains(&criterion.id) {
            if after.status == Status::Pass {
                reached.wrong.push(format!("{name}: passes when too old"));
            }
        } else {
            reached.expect(&after, then, &format!("{name}, too old"));
        }
        match pass.valid_until {
            Some(until) => {
                let before = bench.judge(criterion, Timestamp(until.0 - 1)).await;
                reached.expect(&before, Status::Pass, &format!("{name}, just valid"));
                let behind = bench.judge(criterion, Timestamp(until.0 + 1)).await;
                if behind.status == Status::Pass {
                    reached.wrong.push(format!("{name}: passes beyond its valid_until"));
                }
            }
            None if ages => reached.wrong.push(format!("{name}: ages without a valid_until")),
            None => {}
        }

        let by_record = scene.iter().any(|thing| {
            matches!(thing.of, Of::Record(_))
                || thing.proofs.iter().any(|p| matches!(p, Proof::Record { .. }))
        });
        bench.stage(&scene, Assurance::Attested, ends).await;
        let attested = bench.judge(criterion, START).await;
        if criterion.level == Level::Ume || !by_record {
            reached.expect(&attested, Status::Pass, &format!("{name}, attested"));
            reached.without_records |= criterion.level != Level::Ume;
        } else if attested.status == Status::Pass {
            reached.wrong.push(format!("{name}: attested records lift it above 梅"));
        }

        for (fault, build) in broken {
            let mut last = None;
            for attempt in 0..TRIES_MAX {
                let scene = match build(attempt) {
                    Ok(scene) => scene,
                    Err(why) => {
                        reached.wrong.push(format!("{fault} of {name}: {why}"));
                        break;
                    }
                };
                bench.stage(&scene, Assurance::Machine, ends).await;
                let verdict = bench.judge(criterion, START).await;
                let passes = verdict.status == Status::Pass;
                if verdict.status == Status::Fail {
                    failing.get_or_insert(scene);
                }
                last = Some(verdict);
                if !passes {
                    break;
                }
            }
            match last {
                Some(verdict) if verdict.status == Status::Pass => {
                    reached.wrong.push(format!("{fault} of {name} does not matter"));
                }
                Some(verdict) => reached.note(&verdict),
                None => {}
            }
        }
    }
    rest(bench, criterion, failing.as_ref(), &mut reached).await;
    reached
}

/// Nothing known, a person's word, and a decision that takes the criterion out.
async fn rest(
    bench: &Bench,
    criterion: &'static Criterion,
    failing: Option<&Scene>,
    reached: &mut Reached,
) {
    let nothing = Scene::new();
    let ends = START.plus_hours(1);
    bench.stage(&nothing, Assurance::Machine, ends).await;
    let verdict = bench.judge(criterion, START).await;
    reached.expect(&verdict, Status::Unknown, "nothing written");

    bench.attest(criterion).await;
    let verdict = bench.judge(criterion, START).await;
    if criterion.by_hand.is_some() {
        reached.expect(&verdict, Status::Pass, "a person's word");
        if verdict.reason != Reason::MetByHand || !verdict.by_hand {
            reached.wrong.push(format!("a person's word: {}", brief(&verdict)));
        }
        let old = START.plus_hours(i64::from(criterion.check.fresh_hours()) + 1);
        let verdict = bench.judge(criterion, old).await;
        reached.expect(&verdict, Status::Unknown, "an old word");
    } else {
        reached.expect(&verdict, Status::Unknown, "a word where none counts");
    }
    if let Some(scene) = failing {
        bench.stage(scene, Assurance::Machine, START.plus_hours(10_000_000)).await;
        bench.attest(criterion).await;
        let verdict = bench.judge(criterion, START).await;
        reached.expect(&verdict, Status::Fail, "a person's word against the machine's");
    }

    bench.clear().await;
    bench.exclude(criterion, "proposed", ends).await;
    let verdict = bench.judge(criterion, START).await;
    reached.expect(&verdict, Status::Unknown, "an exclusion only proposed");
    bench.exclude(criterion, "approved", ends).await;
    let verdict = bench.judge(criterion, START).await;
    reached.expect(&verdict, Status::Excluded, "an exclusion");
    let verdict = bench.judge(criterion, ends).await;
    reached.expect(&verdict, Status::Unknown, "an exclusion that ended");
}

async fn drive(room: &'static RoomSpec) {
    let bench = Bench::open().await;
    let mut wrong = Vec::new();
    for criterion in room.criteria {
        let id = criterion.id;
        let reached = drive_criterion(&bench, criterion).await;
        wrong.extend(reached.wrong.iter().map(|w| format!("{id}: {w}")));
        let lists = [("stale", NEVER_STALE), ("fail", NEVER_FAIL)];
        for (status, never) in lists {
            if reached.statuses.contains(status) == never.contains(&id) {
                wrong.push(format!("{id}: is the list of those never {status} right?"));
            }
        }
        for status in ["pass", "unknown", "excluded"] {
            if !reached.statuses.contains(status) {
                wrong.push(format!("{id}: never {status}"));
            }
        }
        if reached.without_records != WITHOUT_RECORDS.contains(&id) {
            wrong.push(format!("{id}: is the list of those without records right?"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! driven {
    ($($room:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $room() {
            drive(&$room::SPEC).await;
        }
    )*};
}

driven!(
    threat_intelligence,
    cloud_services,
    ict_readiness,
    physical_monitoring,
    configuration,
    information_deletion,
    data_masking,
    leakage_prevention,
    monitoring,
    web_filtering,
    secure_coding,
);

// --- the declarations ---------------------------------------------------------------------------

#[test]
fn no_room_contradicts_itself() {
    let wrong: Vec<String> = ROOMS.iter().flat_map(|r| r.contradictions()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn kinds_and_record_types_have_one_owner() {
    let mut owners: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for room in specs() {
        for kind in room.kinds.iter().chain(room.rules).chain(room.others) {
            owners.entry(("kind", kind.id)).or_default().push(room.id);
        }
        for record in room.records {
            owners.entry(("record type", record.ty)).or_default().push(room.id);
        }
    }
    owners.retain(|_, rooms| rooms.len() > 1);
    assert!(owners.is_empty(), "{owners:#?}");
}

#[test]
fn what_a_check_reads_is_declared() {
    let mut wrong = BTreeSet::new();
    for criterion in ROOMS.iter().flat_map(|r| r.criteria) {
        let id = criterion.id;
        for ty in criterion.check.reads() {
            if record_spec(ty).is_none() {
                wrong.insert(format!("{id}: record type {ty} is declared nowhere"));
            }
        }
        for (ty, field) in criterion.check.fields() {
            let head = field.split('/').next().unwrap_or(field);
            if let Some(record) = record_spec(ty)
                && !record.fields.iter().any(|f| f.name == head)
            {
                wrong.insert(format!("{id}: {ty} has no field {field}"));
            }
        }
        let Check::PerSubject(check) = &criterion.check else { continue };
        let (kinds, only) = kinds_of(&check.of);
        let leaves: Vec<Leaf> = ways(&check.must).into_iter().flatten().collect();
        for of in kinds {
            let (Of::Row(..), Ok(schema)) = (of, schema_of(of)) else {
                wrong.extend(schema_of(of).err().map(|e| format!("{id}: {e}")));
                continue;
            };
            let own = leaves.iter().filter_map(|l| match l {
                Leaf::Attributes(conds) => Some(conds),
                _ => None,
            });
            for field in only.iter().chain(own.flatten()).flat_map(Cond::fields) {
                let head = field.split('/').next().unwrap_or(field);
                if !schema.iter().any(|f| f.name == head) {
                    wrong.insert(format!("{id}: {of:?} has no field {field}"));
                }
            }
        }
        for leaf in &leaves {
            if let Leaf::Decision(kind) = leaf
                && kind_spec(Table::Decision, kind).is_none()
            {
                wrong.insert(format!("{id}: decision kind {kind} is declared nowhere"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", Vec::from_iter(wrong).join("\n"));
}

/// Evaluator and generator both read the declaration, so a condition that is gone from it would be
/// missed by neither; this list holds the declarations themselves.
#[test]
fn the_declarations_are_the_expected_ones() {
    let mut now = String::new();
    for room in ROOMS {
        writeln!(now, "{} {:?}", room.control, room.ladder).expect("to a string");
        for c in room.criteria {
            let by_hand = if c.by_hand.is_some() { " by hand" } else { "" };
            let (id, level, origin, check) = (c.id, c.level.name(), c.origin, &c.check);
            writeln!(now, "{id} {level} {origin:?}{by_hand} {check:?}").expect("to a string");
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/criteria.expected");
    if std::env::var_os("UME_BLESS").is_some() {
        std::fs::write(&path, &now).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (was, is) = (lines(&expected), lines(&now));
    let gone: Vec<&String> = was.difference(&is).collect();
    let new: Vec<&String> = is.difference(&was).collect();
    assert!(gone.is_empty() && new.is_empty(), "expected: {gone:#?}\ndeclared: {new:#?}");
}
