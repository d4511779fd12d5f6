//! Rules that look back: what is archived, what was told before, restarts, packs and trials.

use std::io::Write;

use model::{Id, Table};
use monitoring::work::{
    activation::ACTIVATED,
    coverage::{self, COVERAGE},
    hunts::{self, HUNT, Hunts},
    live::Live,
};
use serde_json::{Value as Json, json};
use store::{Record, Row};

use crate::findings::{DISK, Place, QUIET};

const DOOR: &str = "<13>Nov 28 09:00:00 gate door: 梅干し製造装置が始動した";
const RULE: &str = "title: Own words\nid: 8f0f9f5c-0001-4000-8000-000000000001\nlogsource:\n    category: message\ndetection:\n    keywords:\n        - 梅干し製造装置\n    condition: keywords\nlevel: medium\n";
const MANY: &str = "title: Too many\nid: 8f0f9f5c-0002-4000-8000-000000000002\nname: base\nlogsource:\n    category: message\ndetection:\n    keywords:\n        - 梅干し製造装置\n    condition: keywords\nlevel: low\n---\ntitle: Often\nid: 8f0f9f5c-0003-4000-8000-000000000003\ncorrelation:\n    type: event_count\n    rules: [base]\n    group-by: []\n    timespan: 1h\n    condition: {gte: 3}\nlevel: high\n";

impl Place {
    fn archive(&self) {
        self.served.stream.flush(self.store().now()).unwrap();
    }

    /// Rounds of the hunts until nothing is left to do.
    async fn hunt(&self) {
        for _ in 0..50 {
            hunts::round(self.ctx()).await.unwrap();
            self.later(1);
        }
    }

    async fn records(&self, ty: &str) -> Vec<Record> {
        let records = self.store().newest_records(&[ty], None, 1_000).await.unwrap();
        let spec = monitoring::SPEC.records.iter().find(|r| r.ty == ty).unwrap();
        for record in &records {
            assert_eq!(spec.validate(&record.facts), [], "{ty}");
        }
        records
    }

    async fn pack(&self, files: &[(&str, &str)], status: &str) -> Row {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in files {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        let mut upload = self.store().upload().await.unwrap();
        upload.write(&writer.finish().unwrap().into_inner()).await.unwrap();
        let blob = self.store().keep(upload, "pack.zip", "account:test").await.unwrap();
        let mut row = Row::new(Table::Rule, self.store().new_id().unwrap(), "rule_pack", "a pack");
        let attributes =
            json!({"file": blob.sha256, "origin": "https://example.jp", "licence": "DRL 1.1"});
        row.attributes = attributes.as_object().cloned().unwrap();
        row.status = status.to_owned();
        self.keep(row).await
    }

    async fn keep(&self, row: Row) -> Row {
        let mut write = self.store().write("account:test", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }
}

#[tokio::test]
async fn a_new_rule_finds_what_came_before_it_once_and_at_its_own_time() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.round().await;
    place.hunt().await;
    let first = place.records(HUNT).await;
    assert_eq!(first.len(), 1, "the rules that Ume ships look back over nothing");
    assert_eq!(first[0].facts["covered_permille"], 1_000);
    for line in [QUIET, DOOR, QUIET, DOOR, DISK] {
        place.come(&[line]);
        place.archive();
    }
    place.round().await;
    assert_eq!(place.found().await.len(), 1, "the disk");
    place.put("detection", json!({"source": RULE, "level": "medium"})).await;
    place.round().await;
    let activated = place.records(ACTIVATED).await;
    assert_eq!((activated.len(), &activated[0].facts["rules"]), (2, &json!(1)));
    place.hunt().await;
    let found = place.found().await;
    assert_eq!(found.len(), 2, "{found:?}");
    let retro = found.iter().find(|f| f.facts["retro"] == true).unwrap();
    assert_eq!(retro.facts["title_en"], "Own words");
    let minute = retro.observed_to.rfc3339();
    assert!(minute.contains("T09:00:00"), "{minute}");
    let hunt = place.records(HUNT).await.remove(0);
    assert_eq!(hunt.subject, Some(activated[0].id));
    assert_eq!(
        (hunt.facts["matches"].as_u64(), hunt.facts["findings"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!((hunt.facts["scanned"].as_u64(), hunt.facts["pruned"].as_u64()), (Some(2), Some(3)));
    assert_eq!(hunt.facts["missing"], 0);

    // What comes now belongs to the alert that is there; a hunt of the same rules finds nothing new.
    place.come(&[DOOR]);
    place.round().await;
    assert_eq!((place.found().await.len(), place.again(retro.id)), (2, 1));
    let place = place.restarted().await;
    place.round().await;
    place.hunt().await;
    assert_eq!((place.found().await.len(), place.records(HUNT).await.len()), (2, 2));

    let page = place.page("auditor", "/monitoring/hunts").await;
    assert!(page.contains("100.0 %") && page.contains(&activated[0].id.to_string()), "{page}");
    let told = place.api("/api/v1/monitoring/hunts").await;
    assert_eq!(told["hunts"][0]["done"]["facts"]["matches"], 2);
}

#[tokio::test]
async fn a_hunt_that_is_cut_off_goes_on_and_correlations_follow_the_time() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.round().await;
    for _ in 0..4 {
        // A clock that is an hour ahead would close the window.
        place.come(&[DOOR, "<30>Nov 28 08:59:00 db1 systemd[1]: Started a."]);
        place.archive();
    }
    // In the spool still when the rules come into force.
    place.come(&[DOOR]);
    place.round().await;
    // What is not saved is evaluated again after a restart, with the new rules.
    place.later(60);
    place.round().await;
    place.put("correlation", json!({"source": MANY, "level": "high", "timespan_s": 3600})).await;
    place.round().await;
    // Waits for the last events.
    place.hunt().await;
    assert_eq!(place.records(HUNT).await.len(), 1, "its last events are not archived");
    let told = place.found().await.len();
    let place = place.restarted().await;
    place.round().await;
    place.hunt().await;
    assert_eq!(place.records(HUNT).await.len(), 2);
    let found = place.found().await;
    let titles: Vec<&Json> = found.iter().map(|f| &f.facts["title_en"]).collect();
    assert_eq!(titles, [&json!("Often")], "told before the restart: {told}");
    assert_eq!(found[0].facts["retro"], true);
}

#[tokio::test]
async fn a_pack_is_tried_comes_into_force_and_a_rule_of_it_is_switched_off() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.come(&[DOOR, QUIET]);
    place.archive();
    place.round().await;
    place.hunt().await;
    let broken = "title: Broken\nlogsource:\n    product: linux\ndetection:\n    a:\n        b|nonsense: c\n    condition: a\n";
    let files = [("rules/own.yml", RULE), ("rules/broken.yml", broken), ("LICENSE", "DRL")];
    let pack = place.pack(&files, "draft").await;
    place.round().await;
    let shown = || place.served.house.kept.get::<Live>().shown().loaded.unwrap();
    let is_loaded = |id: Id| shown().texts.keys().any(|file| file.contains(&id.to_string()));
    assert!(!is_loaded(pack.id), "a draft is not at work");
    let path = format!("/monitoring/hunts/{}/try", pack.id);
    assert_eq!(place.send("auditor", &path, &[]).await, 403);
    assert_eq!(place.send("administrator", &path, &[]).await, 303);
    place.hunt().await;
    let trial = place.served.house.kept.get::<Hunts>().shown().remove(0);
    assert!(trial.ended.is_some() && trial.is_trial && trial.trouble.is_none(), "{trial:?}");
    assert_eq!((trial.rules, trial.progress.matches), (1, 1));
    assert_eq!(trial.by_rule, [("Own words".to_owned(), 1)]);
    assert!(place.found().await.is_empty(), "a trial finds nothing");

    let page = format!("/detections/packs/{}", pack.id);
    let shown_page = place.page("auditor", &page).await;
    assert!(shown_page.contains("rules/broken.yml:6") && shown_page.contains("Own words"));
    assert!(!shown_page.contains(&format!("{page}/state")), "an auditor changes nothing");
    let state = format!("{page}/state");
    assert_eq!(place.send("auditor", &state, &[("to", "active")]).await, 403);
    assert_eq!(place.send("administrator", &state, &[("to", "deleted")]).await, 400);
    assert_eq!(place.send("administrator", &state, &[("to", "active")]).await, 303);
    place.round().await;
    place.hunt().await;
    assert!(is_loaded(pack.id));
    assert_eq!(shown().rejected.len(), 1);
    assert_eq!(place.found().await.len(), 1);
    let all = place.page("administrator", "/detections").await;
    assert!(all.contains(&format!("pack/{}/rules/broken.yml:6", pack.id)), "{all}");
    let one = place.page("administrator", "/detections?q=own+words&level=medium").await;
    assert!(one.contains("Own words") && !one.contains("Disk Reports"), "{one}");

    let off = [("rule", "rules/own.yml"), ("to", "off"), ("reason", "誤検知が多い")];
    let switch = format!("{page}/switch");
    assert_eq!(place.send("auditor", &switch, &off).await, 403);
    assert_eq!(place.send("administrator", &switch, &[off[0], off[1], ("reason", " ")]).await, 400);
    let other = [("rule", "LICENSE"), off[1], off[2]];
    assert_eq!(place.send("administrator", &switch, &other).await, 404);
    assert_eq!(place.send("administrator", &switch, &off).await, 303);
    let row = place.store().row(Table::Rule, pack.id).await.unwrap().unwrap();
    assert_eq!(row.attributes["disabled"], json!(["8f0f9f5c-0001-4000-8000-000000000001"]));
    place.round().await;
    let texts = shown().texts.clone();
    let is_there = texts.keys().any(|file| file.ends_with("/own.yml"));
    assert!(!is_there, "{:?}", texts.keys().filter(|k| k.starts_with("pack")).collect::<Vec<_>>());
    let whole = place.page("administrator", &format!("{page}?rule=rules/own.yml")).await;
    assert!(whole.contains("switched off") && whole.contains("梅干し"), "{whole}");
    let on = [off[0], ("to", "on"), off[2]];
    assert_eq!(place.send("administrator", &switch, &on).await, 303);
    place.round().await;
    assert!(shown().texts.keys().any(|file| file.ends_with("own.yml")));

    // Which rules can fire is on record once, until it changes.
    let lines = [QUIET; 120];
    place.come(&lines);
    place.round().await;
    place.later(30);
    place.round().await;
    coverage::run(place.ctx()).await.unwrap();
    let written = place.records(COVERAGE).await.len();
    assert!(written > 0);
    coverage::run(place.ctx()).await.unwrap();
    assert_eq!(place.records(COVERAGE).await.len(), written);
}
