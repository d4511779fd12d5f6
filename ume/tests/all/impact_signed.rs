//! What people sign about weaknesses and considerations, with passkeys, on both databases: "not affected" holds as long
//! as the fact it rests on, and "not applicable" counts once it is signed.

use std::{fs, sync::Arc};

use model::{Assurance, Id, Table};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row};

use crate::approvals::{Hand, House, everywhere};

const PURL: &str = "pkg:npm/left@1.0.0";
const WEAKNESS: &str = "CVE-2026-7001";

fn object(json: Json) -> serde_json::Map<String, Json> {
    json.as_object().cloned().unwrap()
}

struct Site {
    house: House,
    officer: Hand,
    host: Id,
    feed: tempfile::TempDir,
}

impl Site {
    async fn over(house: House) -> Site {
        let officer = house.hand("officer", "officer").await;
        let host = put(&house, "host", "web1", json!({"hostname": "web1", "os": "Debian"})).await;
        let feed = tempfile::tempdir().unwrap();
        let text =
            format!("[[advisories]]\nname = \"feed\"\nfrom = \"{}\"\n", feed.path().display());
        let settings = toml::from_str(&text).unwrap();
        let kept = &house.served.house.kept;
        let configured = kept.get::<configuration::impact::settings::Configured>();
        configured.configure(house.served.folder.path(), &settings);
        Site { house, officer, host: host.id, feed }
    }

    /// Runs a job of the room as the schedule does.
    async fn run(&self, name: &str) {
        let served = &self.house.served;
        let ctx =
            Arc::new(room::Ctx { house: served.house.clone(), stream: served.stream.clone() });
        let mut jobs = configuration::work::jobs();
        jobs.retain(|job| job.name == name);
        let row = jobs[0].row();
        let schedule = room::Schedule::new(ctx, jobs, format!("test {name}"));
        schedule.declare().await.unwrap();
        self.house.store().job_ask(&row).await.unwrap();
        for running in schedule.look().await.unwrap() {
            running.await.unwrap();
        }
        let done = self.house.store().job(&row).await.unwrap().unwrap();
        assert_eq!(done.last_error, None, "{name}");
    }

    async fn bill(&self) {
        let bill = json!({
            "bomFormat": "CycloneDX", "specVersion": "1.6",
            "components": [{
                "type": "library", "bom-ref": "1", "name": "left", "version": "1.0.0", "purl": PURL,
            }],
        });
        let account = self.house.store().add_account("admin", "administrator", "none fits").await;
        let token = self.house.store().add_api_token(account.unwrap(), "test", 1).await.unwrap().1;
        let path = format!("/api/v1/configuration/sboms?asset={}", self.host);
        let sent = self.house.served.with(&token, Method::POST, &path).body(bill.to_string());
        let answer = sent.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 201, "{text}");
    }

    /// The host as it is with this module loaded or not.
    async fn snapshot(&self, is_loaded: bool) {
        let fact = json!({
            "layer": "typed", "class": "sshd", "name": "Subsystem",
            "value": [if is_loaded { "left" } else { "internal-sftp" }],
            "origin": "/etc/ssh/sshd_config:1",
        });
        let document = json!({
            "format": 1, "key_id": "", "attempted": 1, "unread": [], "unstable": [], "facts": [fact],
        })
        .to_string();
        let now = self.house.store().now();
        let draft = RecordDraft {
            ty: "configuration.snapshot".to_owned(),
            subject: Some(self.host),
            observed_from: now,
            observed_to: now,
            source: "test".to_owned(),
            assurance: Assurance::Machine,
            facts: object(json!({
                "roots": {"typed": hex::encode(&document)}, "counts": {}, "unread": [],
                "unread_permille": 0, "unstable": [], "family_count": 8,
            })),
            payload: Some(document.into_bytes()),
        };
        let mut write = self.house.store().write("test", "", "").await.unwrap();
        write.record(draft).await.unwrap();
        write.commit().await.unwrap();
    }

    async fn newest(&self, ty: &str, subject: Id) -> Record {
        let records = self.house.store().newest_records(&[ty], Some(subject), 1).await.unwrap();
        records.into_iter().next().unwrap_or_else(|| panic!("no {ty}"))
    }

    async fn impact(&self) -> String {
        let verdict = self.newest("configuration.verdict", self.host).await;
        assert_eq!(verdict.facts["advisory"], WEAKNESS);
        verdict.facts["impact"].as_str().unwrap().to_owned()
    }

    async fn page(&self, path: &str) -> String {
        let request = self.house.served.request(Method::GET, path);
        let answer = request.header(header::COOKIE, &self.officer.who.cookie).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.text().await.unwrap()
    }
}

async fn put(house: &House, kind: &str, name: &str, attributes: Json) -> Row {
    let mut row = Row::new(Table::Asset, house.store().new_id().unwrap(), kind, name);
    row.attributes = object(attributes);
    house.put(row, "test").await
}

#[tokio::test]
async fn not_affected_is_signed_and_falls_with_the_fact_it_rests_on() {
    for house in everywhere("impact").await {
        let site = Site::over(house).await;
        let advisory = json!({
            "id": WEAKNESS, "modified": "2026-01-01T00:00:00Z", "summary": "A flaw in left",
            "affected": [{
                "package": {"ecosystem": "npm", "name": "left"},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.0.1"}]}],
            }],
        });
        fs::write(site.feed.path().join("a.json"), advisory.to_string()).unwrap();
        site.bill().await;
        site.run("configuration.advisories").await;
        site.run("configuration.impact").await;
        assert_eq!(site.impact().await, "affected");

        let path = format!("/configuration/advisory/{WEAKNESS}/vex");
        let fields = |fact| {
            [
                ("package", "pkg:npm/left"),
                ("status", "not_affected"),
                ("justification", "vulnerable_code_not_in_execute_path"),
                ("fact", fact),
                ("reason", "the part is never started"),
                ("months", "6"),
            ]
        };
        // Before the host was collected nothing can rest on its facts.
        let (status, text) = site.house.sign(&site.officer, &path, &fields("sshd/Subsystem")).await;
        assert_eq!(status, 400, "{text}");
        site.snapshot(false).await;
        // Not affected needs a reason that others can read.
        let mut without = fields("sshd/Subsystem");
        without[2].1 = "because";
        assert_eq!(site.house.sign(&site.officer, &path, &without).await.0, 400);
        let (status, text) = site.house.sign(&site.officer, &path, &fields("sshd/Subsystem")).await;
        assert_eq!(status, 303, "{text}");
        site.run("configuration.impact").await;
        assert_eq!(site.impact().await, "not_affected");
        let shown = site.page(&format!("/configuration/advisory/{WEAKNESS}")).await;
        assert!(shown.contains("sshd/Subsystem"), "what it rests on: {shown}");

        site.snapshot(true).await;
        site.run("configuration.impact").await;
        assert_eq!(site.impact().await, "affected", "the fact it rested on is another");
    }
}

#[tokio::test]
async fn not_applicable_counts_once_it_is_signed() {
    for house in everywhere("families").await {
        let site = Site::over(house).await;
        let system = put(&site.house, "system", "shop", json!({})).await;
        let path = format!("/configuration/system/{}/exclude", system.id);
        let (hash, other) = (system.content_hash().unwrap(), "0".repeat(64));
        let fields = |hash| {
            [("family", "auto_logoff"), ("hash", hash), ("reason", "nobody logs in to this system")]
        };
        let (status, text) = site.house.sign(&site.officer, &path, &fields(other.as_str())).await;
        assert!(status == 400 && text.contains("changed after you opened it"), "{text}");
        let (status, text) = site.house.sign(&site.officer, &path, &fields(&hash)).await;
        assert_eq!(status, 303, "{text}");
        let answer = site.newest("configuration.family_design", system.id).await;
        assert_eq!(
            (&answer.facts["answer"], &answer.facts["signatures"]),
            (&json!("not_applicable"), &json!(1))
        );
        let decisions = site.house.store().rows_about(Table::Decision, &[system.id]).await.unwrap();
        let [decision] = decisions.as_slice() else { panic!("{decisions:?}") };
        let (wanted, content) = (system.content_hash().unwrap(), system.content().unwrap());
        let subject = |asked: &str| (asked == wanted).then_some(content.as_str());
        assert_eq!(web::decide::flaws(decision, subject), []);
    }
}
