//! A published set of indicators reaches live evaluation and looks back; a bad one leaves the old in force.

use std::path::Path;

use indicators::{
    Direction, Entry, Kind,
    set::{Limits, build},
};
use intel::Manifest;
use monitoring::work::{
    activation::ACTIVATED,
    hunts::{self, HUNT},
    live::Live,
};
use store::Record;

use crate::findings::Place;

const TO_EVIL: &str = "<30>Nov 28 09:00:00 gw squid: 1795600000.123 345 10.0.0.9 TCP_MISS/200 1234 GET http://evil.example/a mika HIER_DIRECT/203.0.113.7 text/html";
const TO_OTHER: &str = "<30>Nov 28 09:00:01 gw squid: 1795600001.123 345 10.0.0.9 TCP_MISS/200 1234 GET http://good.example/ mika HIER_DIRECT/198.51.100.7 text/html";

impl Place {
    fn sets(&self) -> std::path::PathBuf {
        self.served.house.folder().join(intel::FOLDER)
    }

    /// Signs and publishes domains, as the room of threat intelligence does.
    async fn publish(&self, sequence: u64, domains: &[&str]) -> Manifest {
        let names = netname::Names::shipped();
        let rows = domains.iter().enumerate().map(|(id, domain)| {
            let key = indicators::normalise(Kind::Domain, domain, &names).unwrap();
            Entry { direction: Direction::Both, ..Entry::new(id as u64, key, "JPCERT") }
        });
        let mut bytes = Vec::new();
        build(rows, [1; 16], &Limits::DEFAULT, &mut bytes).unwrap();
        let folder = self.sets();
        let files = vec![intel::add_file(&folder, "base", &bytes).unwrap()];
        let (made_at, rows) = (self.store().now().0, domains.len() as u64);
        let manifest = Manifest { sequence, made_at, rows, files };
        let note = self.served.house.ledger.lock().await.sign(&manifest.text()).unwrap();
        intel::put(&folder, &manifest, &note).unwrap();
        manifest
    }

    async fn all(&self, ty: &str) -> Vec<Record> {
        self.store().newest_records(&[ty], None, 100).await.unwrap()
    }

    async fn indicator_findings(&self) -> Vec<Record> {
        let mut found = self.found().await;
        found
            .retain(|f| f.facts["rule"].as_str().is_some_and(|rule| rule.starts_with("indicator")));
        found
    }

    async fn look_back(&self) {
        for _ in 0..30 {
            hunts::round(self.ctx()).await.unwrap();
            self.later(1);
        }
    }
}

fn tear(folder: &Path, manifest: &Manifest) {
    let path = folder.join(&manifest.files[0].name);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
}

#[tokio::test]
async fn a_published_set_is_met_live_and_by_what_came_before_it() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    place.come(&[TO_EVIL, TO_OTHER]);
    place.round().await;
    place.served.stream.flush(place.store().now()).unwrap();
    place.look_back().await;
    assert!(place.indicator_findings().await.is_empty());

    let set = place.publish(1, &["evil.example"]).await;
    place.round().await;
    let applied = place.all("house.rules_applied").await;
    assert_eq!(applied[0].facts["root"], set.root());
    assert_eq!(
        (&applied[0].facts["edge"], &applied[0].facts["kind"]),
        (&"monitoring".into(), &"indicators".into())
    );
    let activated = place.all(ACTIVATED).await.remove(0);
    assert_eq!(activated.facts["kind"], "indicators");
    place.look_back().await;
    let found = place.indicator_findings().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0].facts["retro"], &found[0].facts["rule_hash"]),
        (&true.into(), &set.root().into())
    );
    assert!(found[0].facts["title_en"].as_str().unwrap().contains("evil.example"));
    let hunt = place.all(HUNT).await.into_iter().find(|h| h.subject == Some(activated.id)).unwrap();
    assert_eq!((&hunt.facts["matches"], &hunt.facts["missing"]), (&1.into(), &0.into()));

    // The next set in force is met by what comes from then on, and known ones stay one alert.
    place.publish(2, &["evil.example", "good.example"]).await;
    place.round().await;
    place.come(&[TO_EVIL, TO_OTHER]);
    place.round().await;
    let found = place.indicator_findings().await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|f| f.facts["retro"] == false));
}

#[tokio::test]
async fn a_torn_or_foreign_set_is_told_and_the_old_one_stays_in_force() {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let first = place.publish(1, &["evil.example"]).await;
    place.round().await;
    let second = place.publish(2, &["good.example", "x.example"]).await;
    tear(&place.sets(), &second);
    place.round().await;
    let refused = |found: Vec<Record>| {
        found.into_iter().filter(|f| f.facts["rule"] == "indicators:refused").count()
    };
    assert_eq!(refused(place.found().await), 1);
    let shown = place.served.house.kept.get::<Live>().shown();
    assert_eq!(shown.intel.unwrap().set.manifest().root(), first.root());
    assert!(shown.intel_refused.unwrap().contains("base-"));
    place.come(&[TO_EVIL, TO_OTHER]);
    place.round().await;
    assert_eq!(
        place
            .indicator_findings()
            .await
            .iter()
            .filter(|f| f.facts["rule"] != "indicators:refused")
            .count(),
        1
    );

    let text = std::fs::read_to_string(place.sets().join(intel::MANIFEST)).unwrap();
    std::fs::write(place.sets().join(intel::MANIFEST), text.replace("\"rows\": 2", "\"rows\": 3"))
        .unwrap();
    place.round().await;
    assert_eq!(refused(place.found().await), 2, "another reason is another alert");
}
