//! What goes out and comes in: OSCAL of the whole ISMS, and answers of an earlier edition of the standard.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use isms::{
    Board,
    hall::migrate::{self, MigrateError},
    norms,
    oscal::{self as interchange, Draft, ExportError, ImportError, Model, Source},
};
use model::{Lang, RoomSpec, Table, Timestamp};
use oscal::{Document, Form, check};
use serde_json::{Value as Json, json};
use store::{Row, Store};

const ROOMS: [&RoomSpec; 11] = [
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

struct Place {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new(origin: &str) -> Place {
        let folder = tempfile::tempdir().expect("folder");
        let clock = Arc::new(AtomicI64::new(1_795_600_000_000_000));
        // Two changes of one moment have no order.
        let now: store::Clock =
            Arc::new(move || Timestamp(clock.fetch_add(1_000, Ordering::SeqCst)));
        let store = Store::open(folder.path(), now).await.expect("store");
        norms::load(&store).await.expect("norms");
        store.set_setting("ledger_origin", origin).await.expect("origin");
        Place { store, _folder: folder }
    }

    async fn put(&self, row: Row) -> Row {
        let mut write = self.store.write("account:sato", "test", "").await.expect("write");
        let row = write.put(row).await.expect("put");
        write.commit().await.expect("commit");
        row
    }

    async fn add(&self, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, self.store.new_id().expect("id"), kind, name);
        row.attributes = attributes.as_object().cloned().expect("object");
        self.put(row).await
    }

    async fn usage(&self, control: &str, attributes: Json) -> Row {
        let mut attributes = attributes;
        attributes["control"] = control.into();
        self.add(Table::Rule, "control_use", control, attributes).await
    }

    async fn board(&self) -> Board {
        isms::compute(&self.store, &ROOMS).await.expect("board")
    }

    async fn export(&self, model: Model, lang: Lang) -> Document {
        let board = self.board().await;
        interchange::export_over(&self.store, &board, model, lang, false).await.expect("export")
    }

    /// Imports as command line and API do.
    async fn import(&self, bytes: &[u8]) -> Result<Draft, ImportError> {
        let draft = interchange::read(&self.store, bytes, Lang::Ja).await?;
        let file = interchange::keep(&self.store, "file.json", bytes, "account:sato").await?;
        let write = self.store.write("account:sato", "import", "").await?;
        interchange::take(&self.store, &draft, &file, write).await?;
        Ok(draft)
    }

    async fn uses(&self) -> BTreeMap<String, Row> {
        let rows = self.store.all(Table::Rule, &["control_use"]).await.expect("uses");
        rows.into_iter()
            .map(|r| (r.attributes["control"].as_str().unwrap().to_owned(), r))
            .collect()
    }
}

/// A register with something of everything.
async fn company() -> Place {
    let place = Place::new("ume.local/company").await;
    let sato = place.add(Table::Party, "person", "佐藤 花", json!({})).await;
    let cloud = place.add(Table::Party, "supplier", "雲井クラウド", json!({})).await;
    for (at, norm) in norms::annex_a().iter().enumerate() {
        let mut attributes = json!({
            "applies": "yes", "statement": format!("{}を手順どおりに行う。", norm.title_ja),
            "reason": "方針により適用", "responsible": sato.id, "documents": ["情報管理規程"],
            "drivers": [{"type": "law", "source": "個人情報保護法 第23条"}],
        });
        if norm.number == "8.30" {
            attributes = json!({"applies": "no", "reason": "開発を委託しない。\n毎年見直す。"});
        } else if at % 10 == 0 {
            attributes["provision"] = if at % 20 == 0 { "inherited" } else { "shared" }.into();
            attributes["provider"] = cloud.id.to_string().into();
        }
        place.usage(&norm.number, attributes).await;
    }
    place.usage("独自 1", json!({"applies": "yes", "statement": "端末を\"封印\"する。"})).await;
    let risk = json!({
        "scenario": "持出し端末の紛失", "threat": "紛失", "treatment": "modify", "measures": "暗号化",
        "inherent_likelihood": 4, "inherent_consequence": 3, "owner": sato.id,
    });
    let risk = place.add(Table::Risk, "risk", "端末の紛失", risk).await;
    let mut task = Row::new(Table::Task, place.store.new_id().unwrap(), "task", "暗号化を確かめる");
    task.subject = Some(risk.id);
    let due = json!({"due": "2027-01-31", "assignee": sato.id});
    task.attributes = due.as_object().cloned().unwrap();
    place.put(task).await;
    place
}

fn list<'d>(document: &'d Document, pointer: &str) -> &'d [oscal::Node] {
    match document.at(pointer) {
        Some(oscal::Node::List(items)) => items,
        _ => &[],
    }
}

#[tokio::test]
async fn all_seven_documents_are_sound_together_and_their_ids_stay() {
    let place = company().await;
    for lang in [Lang::Ja, Lang::En] {
        let mut all = Vec::new();
        for model in Model::ALL {
            all.push(place.export(model, lang).await);
        }
        for (at, document) in all.iter().enumerate() {
            let others: Vec<&Document> =
                all.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, d)| d).collect();
            let wrong: Vec<String> = check(document, &others)
                .iter()
                .filter(|f| !f.rule.is_open())
                .map(|f| format!("{} {}", f.pointer, f.rule.en()))
                .collect();
            assert_eq!(wrong, Vec::<String>::new(), "{:?}", document.kind());
        }
    }
    let (first, second) = (
        place.export(Model::Statement, Lang::Ja).await,
        place.export(Model::Statement, Lang::Ja).await,
    );
    let uuid = |d: &Document, n: usize| {
        let at = format!(
            "/system-security-plan/control-implementation/implemented-requirements/{n}/uuid"
        );
        d.at(&at).and_then(|v| v.text()).unwrap().to_owned()
    };
    for n in 0..94 {
        assert_eq!(uuid(&first, n), uuid(&second, n));
    }
    place.store.set_setting("ledger_origin", "ume.local/other").await.unwrap();
    let other = place.export(Model::Statement, Lang::Ja).await;
    assert_ne!(uuid(&first, 0), uuid(&other, 0));
}

#[tokio::test]
async fn nothing_of_the_isms_is_missing_from_its_documents() {
    let place = company().await;
    let board = place.board().await;
    let ssp = place.export(Model::Statement, Lang::Ja).await;
    let rows = list(&ssp, "/system-security-plan/control-implementation/implemented-requirements");
    assert_eq!(rows.len(), 93 + 1);
    let catalog = place.export(Model::Catalog, Lang::Ja).await;
    let groups = list(&catalog, "/catalog/groups");
    let controls: usize = groups.iter().map(|g| g.items_of("controls").len()).sum();
    assert_eq!(controls, 93 + 1 + norms::clauses().iter().filter(|n| n.parent.is_some()).count());
    let components = place.export(Model::ComponentDefinition, Lang::En).await;
    assert_eq!(list(&components, "/component-definition/components").len(), 11 + 1);
    let results = place.export(Model::AssessmentResults, Lang::Ja).await;
    let observations = list(&results, "/assessment-results/results/0/observations");
    assert_eq!(observations.len(), board.all().map(|c| c.verdicts.len()).sum::<usize>());
    let poam = place.export(Model::PlanOfAction, Lang::Ja).await;
    let milestone = "/plan-of-action-and-milestones/risks/0/remediations/0/tasks/0/title";
    assert_eq!(poam.at(milestone).and_then(|v| v.text()), Some("暗号化を確かめる"));
    let plan = place.export(Model::AssessmentPlan, Lang::Ja).await;
    let activities = list(&plan, "/assessment-plan/local-definitions/activities");
    assert_eq!(activities.len(), board.all().map(|c| c.spec.criteria.len()).sum::<usize>());
}

#[tokio::test]
async fn a_statement_comes_back_into_its_own_and_into_a_new_register_as_it_was() {
    let place = company().await;
    let text = place.export(Model::Statement, Lang::Ja).await.write(Form::Yaml);
    let same = interchange::read(&place.store, text.as_bytes(), Lang::Ja).await.unwrap();
    let changed: Vec<String> =
        same.changed().map(|l| format!("{} {:?}", l.control, l.changes)).collect();
    assert_eq!(changed, Vec::<String>::new());

    let new = Place::new("ume.local/new").await;
    new.add(Table::Party, "person", "佐藤 花", json!({})).await;
    new.add(Table::Party, "supplier", "雲井クラウド", json!({})).await;
    let before = new.store.all(Table::Rule, &["control_use"]).await.unwrap().len();
    let draft = interchange::read(&new.store, text.as_bytes(), Lang::Ja).await.unwrap();
    assert_eq!(draft.changed().filter(|l| l.is_new()).count(), 94);
    assert_eq!(new.store.all(Table::Rule, &["control_use"]).await.unwrap().len(), before, "dry");
    new.import(text.as_bytes()).await.unwrap();
    let (then, now) = (place.uses().await, new.uses().await);
    for (control, row) in &then {
        let said = |row: &Row, name: &str| row.attributes.get(name).cloned();
        let there = &now[control];
        for field in ["applies", "reason", "statement", "provision", "drivers"] {
            assert_eq!(said(row, field), said(there, field), "{control} {field}");
        }
        let is_led = |row: &Row| row.attributes.contains_key("responsible");
        assert_eq!(is_led(row), is_led(there), "{control}");
    }
    let record = &new.store.newest_records(&["isms.import_run"], None, 1).await.unwrap()[0];
    assert_eq!(record.facts["kind"], "oscal/ssp");
    let file = record.facts["file"].as_str().unwrap();
    let kept = new.store.blob_bytes(file).await.unwrap().unwrap();
    assert_eq!(kept, text.as_bytes());
}

#[tokio::test]
async fn what_a_foreign_plan_says_beyond_our_model_is_said_again() {
    let place = company().await;
    let text = place.export(Model::Statement, Lang::En).await.write(Form::Json);
    let mut json: Json = serde_json::from_str(&text).unwrap();
    let plan = &mut json["system-security-plan"];
    plan["system-characteristics"]["security-sensitivity-level"] = "moderate".into();
    plan["control-implementation"]["implemented-requirements"][3]["remarks"] = "外部の備考".into();
    plan["x-vendor"] = json!({"keep": [1, 2.50, null]});
    place.import(json.to_string().as_bytes()).await.unwrap();
    let again = place.export(Model::Statement, Lang::En).await;
    let at = |pointer: &str| again.at(&format!("/system-security-plan{pointer}")).cloned();
    assert_eq!(
        at("/system-characteristics/security-sensitivity-level").unwrap().text(),
        Some("moderate")
    );
    assert!(at("/x-vendor/keep/1").is_some());
    assert_eq!(place.uses().await["5.4"].attributes["reason"], "外部の備考");
    let plain = {
        let board = place.board().await;
        interchange::export_over(&place.store, &board, Model::Statement, Lang::En, true).await
    };
    assert!(plain.unwrap().at("/system-security-plan/x-vendor").is_none());
}

#[tokio::test]
async fn a_catalogue_only_fills_what_is_empty_and_hostile_files_change_nothing() {
    let place = company().await;
    let mut other = place.export(Model::Catalog, Lang::Ja).await.write(Form::Json);
    other = other.replacen("\"a.5.7\"", "\"xx-1\"", 1).replacen(
        "\"value\": \"5.7\"",
        "\"value\": \"XX-1\"",
        1,
    );
    let draft = interchange::read(&place.store, other.as_bytes(), Lang::Ja).await.unwrap();
    let fields = |l: &interchange::Line| l.changes.iter().map(|c| c.field).collect::<Vec<_>>();
    let changed: Vec<_> = draft.changed().map(|l| (l.control.as_str(), fields(l))).collect();
    // The own control had everything but a reason.
    assert_eq!(changed, [("XX-1", vec!["applies", "reason"]), ("独自 1", vec!["reason"])]);
    let before = place.uses().await.len();
    let deep = format!("{{\"catalog\": {}", "[".repeat(5_000));
    for bad in [deep.as_str(), "{}", "{\"assessment-plan\": {}}", "\u{0}", "[1,2]"] {
        assert!(place.import(bad.as_bytes()).await.is_err(), "{bad:.20}");
    }
    assert_eq!(place.uses().await.len(), before);
    assert!(place.store.newest_records(&["isms.import_run"], None, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_ledger_without_a_name_makes_no_ids() {
    let place = Place::new("x").await;
    place.store.take_setting("ledger_origin").await.unwrap();
    let board = place.board().await;
    let source = Source::load(&place.store, &board).await;
    assert!(matches!(source, Err(ExportError::NoOrigin)));
}

/// Every control of 2013 answered, some of them twice as strong as the next.
async fn old_answers(place: &Place) -> Vec<Row> {
    let set = norms::set("2013").unwrap();
    let mut rows = Vec::new();
    for (at, norm) in set.norm.iter().enumerate() {
        let declared = ["done", "partly", "done", "not_done", "done"][at % 5];
        let number = if at % 2 == 0 { norm.number.clone() } else { norm.number.replace("A.", "") };
        let attributes = json!({
            "applies": if at % 40 == 7 { "no" } else { "yes" }, "declared": declared,
            "reason": format!("理由{at}番"), "statement": format!("内容{at}番"),
            "documents": [format!("規程{at}番")],
        });
        rows.push(place.usage(&number, attributes).await);
    }
    rows
}

#[tokio::test]
async fn every_answer_of_2013_is_in_the_draft_with_what_it_said() {
    let place = Place::new("ume.local/old").await;
    let rows = old_answers(&place).await;
    let draft = migrate::read(&place.store, "2013", "2022").await.unwrap();
    assert_eq!((rows.len(), draft.answers), (114, 114));
    let carried: BTreeSet<_> =
        draft.carried.iter().flat_map(|c| c.sources.iter().map(|s| s.row)).collect();
    let unmapped: BTreeSet<_> = draft.unmapped.iter().map(|(s, _)| s.row).collect();
    assert!(carried.is_disjoint(&unmapped));
    assert_eq!(carried.len() + unmapped.len(), 114);
    let all: String = draft
        .carried
        .iter()
        .map(|c| json!(c.attributes).to_string())
        .chain(draft.unmapped.iter().map(|(_, attributes)| json!(attributes).to_string()))
        .collect();
    for at in 0..114 {
        for text in [format!("理由{at}番"), format!("内容{at}番"), format!("規程{at}番")] {
            assert!(all.contains(&text), "{text}");
        }
    }
    assert_eq!(draft.carried.len() + draft.gaps.len(), 93);
    assert_eq!(draft.gaps.iter().filter(|g| g.is_new).count(), 11);
    assert!(draft.carried.iter().all(|c| c.attributes["confirm"] == true));
}

#[tokio::test]
async fn where_answers_become_one_the_weakest_counts_and_what_applies_once_applies() {
    let place = Place::new("ume.local/old").await;
    // All of these became 5.17.
    for (number, declared, applies) in
        [("A.9.2.4", "done", "no"), ("A.9.3.1", "planned", "yes"), ("A.9.4.3", "partly", "yes")]
    {
        let attributes = json!({"declared": declared, "applies": applies, "statement": number});
        place.usage(number, attributes).await;
    }
    let draft = migrate::read(&place.store, "2013", "2022").await.unwrap();
    let merged = draft.carried.iter().find(|c| c.control == "5.17").unwrap();
    assert_eq!((merged.sources.len(), merged.kind.as_str()), (3, "merged"));
    assert_eq!(merged.attributes["declared"], "planned");
    assert_eq!(merged.attributes["applies"], "yes");
    assert_eq!(merged.differ, ["applies", "declared"]);
    let text = merged.attributes["statement"].as_str().unwrap();
    assert_eq!(text, "A.9.2.4: A.9.2.4\nA.9.3.1: A.9.3.1\nA.9.4.3: A.9.4.3");
}

async fn carry(place: &Place) -> Result<(), MigrateError> {
    let draft = migrate::read(&place.store, "2013", "2022").await?;
    let write = place.store.write("account:sato", "migration", "").await?;
    migrate::take(&place.store, &draft, write, Lang::Ja).await
}

async fn take_back(place: &Place) -> Result<Json, MigrateError> {
    let undo = migrate::read_undo(&place.store).await?;
    let write = place.store.write("account:sato", "back", "").await?;
    migrate::take_back(&place.store, undo, write).await
}

#[tokio::test]
async fn a_migration_waits_to_be_confirmed_is_done_once_and_can_be_taken_back() {
    let place = Place::new("ume.local/old").await;
    let old = old_answers(&place).await;
    let there = json!({"applies": "yes", "statement": "先に書いた内容"});
    let kept = place.usage("5.15", there.clone()).await;
    carry(&place).await.unwrap();
    let board = place.board().await;
    let row = board.view.row("5.2").unwrap();
    assert!(row.lacks.contains(&isms::hall::soa::Lack::Unconfirmed), "{:?}", row.lacks);
    assert!(
        board.view.soa.iter().all(|r| r.norm.is_some()),
        "old answers are out of the statement"
    );
    let uses = place.uses().await;
    assert_eq!(uses["5.15"].attributes["statement"], "先に書いた内容");
    let links = place.store.rows_about(Table::Link, &[old[0].id]).await.unwrap();
    assert_eq!(links.len(), 1);
    assert_eq!(place.store.all(Table::Risk, &[]).await.unwrap().len(), 11);
    assert_eq!(place.store.all(Table::Task, &[]).await.unwrap().len(), 11);
    // Nothing is left to carry, and nothing is made twice.
    let again = migrate::read(&place.store, "2013", "2022").await.unwrap();
    assert_eq!((again.answers, again.carried.len()), (0, 0));
    carry(&place).await.unwrap();
    assert_eq!(place.store.all(Table::Risk, &[]).await.unwrap().len(), 11);
    // The second run made nothing, and is taken back first.
    take_back(&place).await.unwrap();
    assert!(matches!(take_back(&place).await, Err(MigrateError::NothingDone)));
    assert_eq!(kept.attributes["statement"], "先に書いた内容");
}

#[tokio::test]
async fn taken_back_the_register_is_as_it_was_and_a_signature_keeps_the_migration() {
    let place = Place::new("ume.local/old").await;
    old_answers(&place).await;
    let said = |uses: &BTreeMap<String, Row>| -> Vec<(String, String, Json)> {
        uses.iter().map(|(c, r)| (c.clone(), r.status.clone(), json!(r.attributes))).collect()
    };
    let before = said(&place.uses().await);
    carry(&place).await.unwrap();
    take_back(&place).await.unwrap();
    assert_eq!(said(&place.uses().await), before);
    assert!(place.store.all(Table::Risk, &[]).await.unwrap().is_empty());

    carry(&place).await.unwrap();
    let row = place.uses().await["5.2"].clone();
    let id = place.store.new_id().unwrap();
    let mut decision = Row::new(Table::Decision, id, "approval", "5.2を承認");
    decision.status = "approved".to_owned();
    decision.subject = Some(row.id);
    decision.subject_hash = Some(row.content_hash().unwrap());
    place.put(decision).await;
    assert!(matches!(take_back(&place).await, Err(MigrateError::Signed(_))));
}

#[tokio::test]
async fn a_row_edited_since_keeps_the_migration_and_unknown_editions_are_named() {
    let place = Place::new("ume.local/old").await;
    old_answers(&place).await;
    carry(&place).await.unwrap();
    let mut row = place.uses().await["5.2"].clone();
    row.attributes.insert("confirm".into(), false.into());
    place.put(row).await;
    assert!(matches!(take_back(&place).await, Err(MigrateError::Changed(_))));
    let edition = migrate::read(&place.store, "2005", "2022").await;
    assert!(matches!(edition, Err(MigrateError::Edition(name)) if name == "2005"));
    let mapping = migrate::read(&place.store, "2022", "2013").await;
    assert!(matches!(mapping, Err(MigrateError::Mapping(..))));
}
