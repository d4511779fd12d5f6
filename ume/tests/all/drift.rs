//! From snapshots to closed changes and decided drift, by the real jobs, pages and signatures, on both
//! databases: what is authorised, what an edit voids, who may decide, and when a revert is over.

use std::sync::{Arc, atomic::Ordering};

use configuration::work::{drift::DECIDED, judge, settle};
use model::{Assurance, Id, Status, Table, Timestamp};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row};

use crate::{
    approvals::{Hand, House, everywhere},
    served::Browser,
};

const HOUR: i64 = 3_600_000_000;

/// People, a host, and where they are.
struct Site {
    house: House,
    administrator: Hand,
    officer: Hand,
    executive: Hand,
    people: [Id; 3],
    host: Id,
}

impl Site {
    async fn over(house: House) -> Site {
        let administrator = house.hand("admin", "administrator").await;
        let officer = house.hand("officer", "officer").await;
        let executive = house.hand("boss", "executive").await;
        let mut people = Vec::new();
        for login in ["admin", "officer", "boss"] {
            let id = house.store().new_id().unwrap();
            let mut row = Row::new(Table::Party, id, "person", login);
            row.attributes = object(json!({"account": login}));
            people.push(house.put(row, "test").await.id);
        }
        let id = house.store().new_id().unwrap();
        let mut host = Row::new(Table::Asset, id, "host", "web1");
        host.attributes = object(json!({"hostname": "web1", "os": "Debian"}));
        let host = house.put(host, "test").await.id;
        let people = people.try_into().unwrap();
        Site { house, administrator, officer, executive, people, host }
    }

    fn now(&self) -> Timestamp {
        self.house.store().now()
    }

    /// Time passes, and people sign in again.
    async fn later(&mut self, hours: i64) {
        self.house.ahead.fetch_add(hours * HOUR, Ordering::SeqCst);
        let store = self.house.served.house.store.clone();
        for hand in [&mut self.administrator, &mut self.officer, &mut self.executive] {
            let token = store.open_session(hand.account, "full", "test").await.unwrap();
            let session = store.session(&token, 8, 168).await.unwrap().unwrap();
            hand.who = Browser { cookie: format!("ume={token}"), csrf: session.csrf };
        }
    }

    fn ctx(&self) -> room::Shared {
        let served = &self.house.served;
        Arc::new(room::Ctx { house: served.house.clone(), stream: served.stream.clone() })
    }

    /// A snapshot of the host with these settings of sshd, an hour behind the last; and its judgement.
    async fn collect(&mut self, sshd: &[(&str, &str)], users: &[(&str, i64)]) {
        self.later(1).await;
        let fact = |class: &str, name: &str, value: Json, origin: &str| json!({"layer": "typed", "class": class, "name": name, "value": value, "origin": origin});
        let mut facts: Vec<Json> = sshd
            .iter()
            .zip(1..)
            .map(|((name, value), line)| {
                fact("sshd", name, json!([value]), &format!("/etc/ssh/sshd_config:{line}"))
            })
            .collect();
        facts.extend(users.iter().map(|(name, uid)| {
            let value = json!({"uid": uid, "gid": 0, "gecos": "", "home": "/", "shell": "/bin/sh"});
            fact("user", name, value, "/etc/passwd:1")
        }));
        let document = json!({
            "format": 1, "key_id": "", "attempted": 10, "unread": [], "unstable": [], "facts": facts,
        });
        let roots = json!({"typed": hex::encode(document.to_string())});
        let draft = RecordDraft {
            ty: "configuration.snapshot".to_owned(),
            subject: Some(self.host),
            observed_from: self.now(),
            observed_to: self.now(),
            source: "test".to_owned(),
            assurance: Assurance::Machine,
            facts: object(json!({
                "roots": roots, "counts": {}, "unread": [], "unread_permille": 0, "unstable": [],
                "family_count": 8,
            })),
            payload: Some(document.to_string().into_bytes()),
        };
        let mut write = self.house.store().write("test", "", "").await.unwrap();
        write.record(draft).await.unwrap();
        write.commit().await.unwrap();
        judge::judge(self.ctx()).await.unwrap();
        settle(self.ctx()).await.unwrap();
    }

    async fn records(&self, ty: &str) -> Vec<Record> {
        let records = self.house.store().newest_records(&[ty], None, 100).await.unwrap();
        let spec = configuration::SPEC.records.iter().find(|r| r.ty == ty).unwrap();
        for record in &records {
            assert_eq!(spec.validate(&record.facts), [], "{ty}");
        }
        records
    }

    /// The newest drift of a setting.
    async fn drift(&self, key: &str) -> Record {
        let all = self.records("configuration.drift").await;
        all.into_iter()
            .find(|r| r.facts["key"] == key)
            .unwrap_or_else(|| panic!("no drift of {key}"))
    }

    async fn page(&self, hand: &Hand, path: &str) -> String {
        let request = self.house.served.request(Method::GET, path);
        let answer = request.header(header::COOKIE, &hand.who.cookie).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path} {text}");
        text
    }

    async fn api(&self, path: &str) -> Json {
        let account = self.house.store().account("officer").await.unwrap().unwrap().id;
        let token = self.house.store().add_api_token(account, "test", 1).await.unwrap().1;
        let answer = self.house.served.with(&token, Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Asks for a change of these settings from now on for two hours; its row.
    async fn ask(&self, kind: &str, settings: &str) -> Row {
        let (from, to) = (self.now().rfc3339(), self.now().plus_hours(2).rfc3339());
        let host = self.host.to_string();
        let fields = [
            ("name", "open the port"),
            ("type", kind),
            ("reason", "ticket"),
            ("host", host.as_str()),
            ("settings", settings),
            ("from", &from),
            ("to", &to),
            ("undo", "put it back"),
        ];
        let path = "/configuration/changes/new";
        let (status, text) = self.house.send(&self.administrator.who, path, &fields).await;
        assert_eq!(status, 303, "{text}");
        let rows = self.house.store().all(Table::Plan, &["change"]).await.unwrap();
        rows.into_iter().max_by_key(|row| row.created_at).unwrap()
    }

    async fn sign(&self, hand: &Hand, path: &str, row: &Row) -> (u16, String) {
        let hash = row.content_hash().unwrap();
        let fields = [("hash", hash.as_str()), ("outcome", "approved"), ("reason", "looked at")];
        self.house.sign(hand, path, &fields).await
    }

    async fn approve(&self, hand: &Hand, change: &Row) {
        let path = format!("/configuration/changes/{}/sign", change.id);
        let (status, text) = self.sign(hand, &path, change).await;
        assert_eq!(status, 303, "{text}");
    }

    /// Proposes what becomes of drift; the plan.
    async fn propose(&self, hand: &Hand, drift: &Record, outcome: &str) -> Row {
        let id = drift.id.to_string();
        let until = self.now().plus_hours(24 * 30).rfc3339();
        let fields = [
            ("drift", id.as_str()),
            ("outcome", outcome),
            ("reason", "agreed in the meeting"),
            ("expires_on", &until[..10]),
        ];
        let path = "/configuration/drift/propose";
        let (status, text) = self.house.send(&hand.who, path, &fields).await;
        assert_eq!(status, 303, "{text}");
        let rows = self.house.store().all(Table::Plan, &["drift_plan"]).await.unwrap();
        rows.into_iter().max_by_key(|row| row.created_at).unwrap()
    }

    async fn sign_plan(&self, hand: &Hand, plan: &Row) -> u16 {
        self.sign(hand, &format!("/configuration/plan/{}/sign", plan.id), plan).await.0
    }

    async fn decided(&self, drift: &Record) -> Option<Record> {
        self.records(DECIDED).await.into_iter().find(|record| record.subject == Some(drift.id))
    }

    async fn verdict(&self, id: &str) -> isms::Verdict {
        let board = isms::compute(self.house.store(), &crate::rooms::ROOMS).await.unwrap();
        let control = board.all().find(|control| control.spec.id == "configuration").unwrap();
        control.verdict(id).unwrap().clone()
    }
}

fn object(json: Json) -> serde_json::Map<String, Json> {
    json.as_object().cloned().unwrap()
}

#[tokio::test]
async fn a_change_authorises_what_lies_in_it_and_closes_when_the_rest_is_decided() {
    for house in everywhere("change").await {
        let mut site = Site::over(house).await;
        site.collect(&[("port", "22"), ("banner", "none")], &[]).await;
        // What is not right is shown beside its field, and nothing is saved.
        let fields = [
            ("name", "x"),
            ("type", "normal"),
            ("all_hosts", "true"),
            ("settings", "port"),
            ("from", "soon"),
        ];
        let path = "/configuration/changes/new";
        let (status, text) = site.house.send(&site.administrator.who, path, &fields).await;
        assert_eq!(status, 200);
        for said in ["Write a setting as class/name", "Give the begin.", "This is needed."] {
            assert!(text.contains(said), "{said}: {text}");
        }
        let find = [("step", "find"), ("find", "banner"), ("find_host", &site.host.to_string())];
        let (_, text) = site.house.send(&site.administrator.who, path, &find).await;
        assert!(text.contains("value=\"sshd/banner\""), "{text}");

        let change = site.ask("normal", "sshd/port").await;
        let listed = site.page(&site.officer, "/configuration/changes").await;
        assert!(listed.contains("open the port") && listed.contains("Waiting for approval"));
        assert!(site.page(&site.officer, "/approvals").await.contains("open the port"));
        // Who asked has no role to decide; and where they had, it would not count.
        let own = format!("/configuration/changes/{}/sign", change.id);
        assert_eq!(site.sign(&site.administrator, &own, &change).await.0, 403);
        site.approve(&site.officer, &change).await;
        let told = site.api(&format!("/api/v1/configuration/changes/{}", change.id)).await;
        assert_eq!(
            (&told["standing"], &told["verified"]["complete"]),
            (&json!("approved"), &json!(false))
        );

        site.collect(&[("port", "2222"), ("banner", "/etc/issue")], &[]).await;
        let (port, banner) = (site.drift("sshd/port").await, site.drift("sshd/banner").await);
        assert_eq!(port.facts["class"], "authorised");
        assert_eq!(port.facts["change"], change.id.to_string());
        assert_eq!(
            (&banner.facts["class"], banner.facts.get("change")),
            (&json!("unauthorised"), None)
        );
        assert!(site.records("configuration.change_verified").await.is_empty(), "it still goes on");
        assert_ne!(site.verdict("8.9/take-3").await.status, Status::Pass);

        site.later(2).await;
        site.collect(&[("port", "2222"), ("banner", "/etc/issue")], &[]).await;
        let verified = site.records("configuration.change_verified").await;
        assert_eq!(verified.len(), 1);
        let numbers = ["approved_seen", "approved_unseen", "seen_unapproved"];
        assert_eq!(numbers.map(|n| verified[0].facts[n].as_i64().unwrap()), [1, 0, 1]);
        let page = site.page(&site.officer, &format!("/configuration/changes/{}", change.id)).await;
        assert!(
            page.contains("Seen, not approved</h3>") || page.contains("Seen, not approved"),
            "{page}"
        );

        // Adopted by another than who proposed it, it is the design value from now on.
        let plan = site.propose(&site.officer, &banner, "adopted").await;
        let refused =
            site.sign(&site.officer, &format!("/configuration/plan/{}/sign", plan.id), &plan).await;
        assert!(refused.0 == 400 && refused.1.contains("somebody else"), "{refused:?}");
        assert!(site.decided(&banner).await.is_none());
        assert_eq!(site.sign_plan(&site.executive, &plan).await, 303);
        let decided = site.decided(&banner).await.expect("decided");
        assert_eq!(decided.facts["outcome"], "adopted");
        assert_eq!(decided.facts["requester"], site.people[1].to_string());
        assert_eq!(decided.facts["approver"], site.people[2].to_string());
        let decisions = site.house.store().rows_about(Table::Decision, &[plan.id]).await.unwrap();
        let kinds: Vec<&str> = decisions.iter().map(|d| d.kind.as_str()).collect();
        assert_eq!(kinds, ["adopted_delta"], "the request is answered");
        assert_eq!(decisions[0].attributes["key"], "sshd/banner");
        let design = site.house.store().all(Table::Rule, &["baseline"]).await.unwrap();
        assert_eq!((design.len(), &design[0].attributes["value"]), (1, &json!("/etc/issue")));
        assert_eq!(design[0].subject, Some(site.host));
        let closed = site.records("configuration.change_closed").await;
        assert_eq!((closed.len(), closed[0].subject), (1, Some(change.id)));
        assert_eq!(site.verdict("8.9/take-3").await.status, Status::Pass);
        // It comes back by itself later: it is what was designed.
        site.collect(&[("port", "2222"), ("banner", "none")], &[]).await;
        site.collect(&[("port", "2222"), ("banner", "/etc/issue")], &[]).await;
        assert_eq!(site.drift("sshd/banner").await.facts["class"], "intended");
        let list = site.page(&site.officer, "/configuration/drift?state=all").await;
        assert!(list.contains("sshd/port") && list.contains("class=\"band\""), "{list}");
    }
}

#[tokio::test]
async fn an_edited_change_loses_its_approval_and_another_hour_is_not_approved() {
    for house in everywhere("edited").await {
        let mut site = Site::over(house).await;
        site.collect(&[("port", "22")], &[]).await;
        let change = site.ask("normal", "sshd/port").await;
        site.approve(&site.officer, &change).await;
        let version = change.version.to_string();
        let (from, to) = (site.now().rfc3339(), site.now().plus_hours(9).rfc3339());
        let fields = [
            ("name", "open everything"),
            ("type", "normal"),
            ("reason", "ticket"),
            ("all_hosts", "true"),
            ("settings", "*/*"),
            ("from", &from),
            ("to", &to),
            ("undo", "put it back"),
            ("version", &version),
        ];
        let path = format!("/configuration/changes/{}/edit", change.id);
        let (status, text) = site.house.send(&site.administrator.who, &path, &fields).await;
        assert_eq!(status, 303, "{text}");
        site.collect(&[("port", "2222")], &[]).await;
        assert_eq!(site.drift("sshd/port").await.facts["class"], "unauthorised");
        let page = site.page(&site.officer, &format!("/configuration/changes/{}", change.id)).await;
        assert!(page.contains("the approval is void"), "{page}");

        // Approved again it holds for what comes behind the approval, within its window only.
        let change = site.house.store().row(Table::Plan, change.id).await.unwrap().unwrap();
        site.approve(&site.officer, &change).await;
        site.collect(&[("port", "2223")], &[]).await;
        assert_eq!(site.drift("sshd/port").await.facts["class"], "authorised");
        site.later(9).await;
        site.collect(&[("port", "2223")], &[]).await;
        site.collect(&[("port", "2224")], &[]).await;
        let late = site.drift("sshd/port").await;
        assert_eq!(late.facts["class"], "unauthorised");
        let page = site.page(&site.officer, &format!("/configuration/drift/{}", late.id)).await;
        assert!(
            page.contains("but not at that time") || page.contains("No approved change"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn a_revert_is_over_when_a_snapshot_shows_the_old_value_and_not_before() {
    for house in everywhere("revert").await {
        let mut site = Site::over(house).await;
        site.collect(&[("permitrootlogin", "no")], &[]).await;
        site.collect(&[("permitrootlogin", "yes")], &[]).await;
        let drift = site.drift("sshd/permitrootlogin").await;
        let told = site.api(&format!("/api/v1/configuration/drift/{}", drift.id)).await;
        let script = told["undo"]["script"].as_str().unwrap();
        assert!(script.contains("permitrootlogin no") && script.contains("sshd -t -f"), "{script}");
        assert!(told["undo_of_undo"]["script"].as_str().unwrap().contains("permitrootlogin yes"));
        let page = site.page(&site.officer, &format!("/configuration/drift/{}", drift.id)).await;
        assert!(page.contains("unknown, and not guessed") && page.contains("sshd -t"), "{page}");

        let plan = site.propose(&site.administrator, &drift, "reverted").await;
        // While one plan waits there is no second.
        let again = [("drift", &*drift.id.to_string()), ("outcome", "adopted"), ("reason", "x")];
        let path = "/configuration/drift/propose";
        assert_eq!(site.house.send(&site.officer.who, path, &again).await.0, 400);
        assert_eq!(site.sign_plan(&site.officer, &plan).await, 303);
        settle(site.ctx()).await.unwrap();
        site.collect(&[("permitrootlogin", "yes")], &[]).await;
        assert!(site.decided(&drift).await.is_none(), "the host still has the new value");
        let state = site.api(&format!("/api/v1/configuration/drift/{}", drift.id)).await;
        assert_eq!(state["state"], "reverting");
        site.collect(&[("permitrootlogin", "no")], &[]).await;
        let decided = site.decided(&drift).await.expect("the old value was seen");
        assert_eq!(decided.facts["outcome"], "reverted");
        // Bringing it back was agreed on, so it is no drift to decide.
        assert_eq!(site.drift("sshd/permitrootlogin").await.facts["class"], "intended");
        assert_eq!(site.verdict("8.9/take-3").await.status, Status::Pass);
    }
}

#[tokio::test]
async fn an_emergency_counts_as_unapproved_until_somebody_else_approves_it() {
    for house in everywhere("emergency").await {
        let mut site = Site::over(house).await;
        site.collect(&[("port", "22")], &[]).await;
        let change = site.ask("emergency", "sshd/*").await;
        site.collect(&[("port", "2222")], &[]).await;
        let drift = site.drift("sshd/port").await;
        assert_eq!(drift.facts["class"], "unauthorised");
        assert_eq!(drift.facts["change"], change.id.to_string());
        assert_eq!(drift.facts["change_approved"], false);
        assert_ne!(site.verdict("8.9/ume-3").await.status, Status::Pass);
        site.later(4).await;
        site.approve(&site.officer, &change).await;
        let decided = site.decided(&drift).await.expect("approved afterwards");
        assert_eq!(decided.facts["change"], change.id.to_string());
        assert_eq!(decided.facts["approver"], site.people[1].to_string());
        assert_eq!(site.verdict("8.9/ume-3").await.status, Status::Pass);
        site.collect(&[("port", "2222")], &[]).await;
        assert_eq!(site.records("configuration.change_closed").await.len(), 1);
    }
}

/// Failures of the newest run about privileged identities, and those nobody took up.
async fn open(site: &Site) -> (i64, i64) {
    let runs = site.records("configuration.check_run").await;
    let run = runs.iter().find(|r| r.facts["family"] == "privileged").unwrap();
    (run.facts["failures"].as_i64().unwrap(), run.facts["failures_open"].as_i64().unwrap())
}

#[tokio::test]
async fn a_failing_check_is_open_until_somebody_takes_it_up_and_its_task_ends_with_the_failure() {
    for house in everywhere("checks").await {
        let mut site = Site::over(house).await;
        site.collect(&[], &[("root", 0), ("toor", 0)]).await;
        let (failures, before) = open(&site).await;
        assert!(failures > 0 && before == failures);
        let path = format!("/configuration/host/{}/check", site.host);
        let task = [("check", "privileged.uid0"), ("what", "task")];
        assert_eq!(site.house.send(&site.executive.who, &path, &task).await.0, 403);
        let absent = [("check", "clock.offset"), ("what", "task")];
        assert_eq!(site.house.send(&site.administrator.who, &path, &absent).await.0, 400);
        assert_eq!(site.house.send(&site.administrator.who, &path, &task).await.0, 303);
        let page = site.page(&site.officer, &format!("/configuration/host/{}", site.host)).await;
        assert!(page.contains("task open"), "{page}");
        site.collect(&[], &[("root", 0), ("toor", 0)]).await;
        assert_eq!(open(&site).await, (failures, failures - 1));
        site.collect(&[], &[("root", 0)]).await;
        let tasks = site.house.store().all(Table::Task, &["task"]).await.unwrap();
        assert_eq!((tasks.len(), tasks[0].status.as_str()), (1, "closed"));
        let by: Id = tasks[0].attributes["closed_by"].as_str().unwrap().parse().unwrap();
        let by = site.house.store().record(by).await.unwrap().unwrap();
        assert_eq!(by.ty, "configuration.check_run");

        // It fails again: the task is closed, so it is open, until another signs an exception.
        site.collect(&[], &[("root", 0), ("toor", 0)]).await;
        assert_eq!(open(&site).await, (failures, failures));
        let until = site.now().plus_hours(24 * 10).rfc3339();
        let wish = [
            ("check", "privileged.uid0"),
            ("what", "exception"),
            ("reason", "until the migration"),
            ("expires_on", &until[..10]),
        ];
        assert_eq!(site.house.send(&site.officer.who, &path, &wish).await.0, 303);
        let plans = site.house.store().all(Table::Plan, &["drift_plan"]).await.unwrap();
        assert_eq!(site.sign_plan(&site.officer, &plans[0]).await, 400);
        assert_eq!(site.sign_plan(&site.executive, &plans[0]).await, 303);
        site.collect(&[], &[("root", 0), ("toor", 0)]).await;
        assert_eq!(open(&site).await, (failures, failures - 1));
        site.later(24 * 11).await;
        site.collect(&[], &[("root", 0), ("toor", 0)]).await;
        assert_eq!(open(&site).await, (failures, failures), "the exception has ended");
    }
}

/// The state that the page of a review shows.
async fn state(site: &Site, path: &str) -> String {
    let page = site.page(&site.officer, path).await;
    let (_, rest) = page.split_once("name=\"state\" value=\"").expect("a form to sign");
    rest[..64].to_owned()
}

#[tokio::test]
async fn a_review_signs_the_state_that_was_shown() {
    for house in everywhere("review").await {
        let mut site = Site::over(house).await;
        let store = site.house.store().clone();
        let id = store.new_id().unwrap();
        let mut system = Row::new(Table::Asset, id, "system", "shop");
        system.attributes = object(json!({"purpose": "shop", "stage": "operating"}));
        let system = site.house.put(system, "test").await;
        let mut host = store.row(Table::Asset, site.host).await.unwrap().unwrap();
        host.attributes.insert("system".to_owned(), json!(system.id));
        site.house.put(host, "test").await;
        site.collect(&[("port", "22")], &[]).await;
        let path = format!("/configuration/review/{}", system.id);
        let (sign, hash) = (format!("{path}/sign"), system.content_hash().unwrap());
        let fields = |state: &str| {
            [("hash", hash.clone()), ("state", state.to_owned()), ("reason", "in order".to_owned())]
        };
        let first = state(&site, &path).await;
        site.collect(&[("port", "2222")], &[]).await;
        let second = state(&site, &path).await;
        assert_ne!(first, second);
        for (hand, state, expected) in [
            (&site.officer, &first, 400),
            (&site.administrator, &second, 403),
            (&site.officer, &second, 303),
        ] {
            let fields = fields(state);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
            assert_eq!(site.house.sign(hand, &sign, &fields).await.0, expected);
        }
        let reviews = site.records("configuration.review").await;
        assert_eq!((reviews.len(), &reviews[0].facts["state"]), (1, &json!(second)));
        assert_eq!(reviews[0].facts["findings"], 1, "what nobody authorised is a finding");
        assert_eq!(site.verdict("8.9/ume-4").await.status, Status::Pass);
        assert!(site.page(&site.officer, "/configuration/reviews").await.contains("shop"));
    }
}
