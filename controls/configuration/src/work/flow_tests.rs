//! From snapshots to closed changes and decided drift, over a store and without pages.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use model::{Assurance, Id, Table, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::{Record, RecordDraft, Row, Store};
use web::decide::{Ruling, Signer};

use super::{
    changes::{self, Standing, verify},
    drift::{self, DECIDED, DRIFT, Outcome, days::Clock, plan},
    handled::{self, Mend},
    judge, review, settle,
};

const HOUR: i64 = 3_600_000_000;

struct Site {
    ctx: room::Shared,
    ahead: Arc<AtomicI64>,
    host: Id,
    asker: Id,
    boss: Id,
    _folder: tempfile::TempDir,
}

fn object(json: Json) -> Map<String, Json> {
    json.as_object().cloned().unwrap()
}

impl Site {
    async fn new() -> Site {
        let (folder, ahead) = (tempfile::tempdir().unwrap(), Arc::<AtomicI64>::default());
        let (time, system) = (ahead.clone(), store::system_clock());
        let clock: store::Clock =
            Arc::new(move || Timestamp(system().0 + time.load(Ordering::SeqCst)));
        let store = Store::open(folder.path(), clock).await.unwrap();
        let ledger = ledger::Ledger::open(&folder.path().join("ledger"), "ume.test/drift").unwrap();
        let events = folder.path().join("stream");
        let stream = stream::Stream::open(&events, stream::Limits::default()).unwrap();
        let house = web::House::new(store, ledger, events, vec![&crate::SPEC], &crate::SPEC);
        let ctx = Arc::new(room::Ctx { house: Arc::new(house), stream });
        let (asker, boss) = (Id::nil(), Id::nil());
        let mut site = Site { ctx, ahead, host: Id::nil(), asker, boss, _folder: folder };
        let person =
            |login: &str| (Table::Party, "person", login.to_owned(), json!({"account": login}));
        site.asker = site.put(person("asker")).await.id;
        site.boss = site.put(person("boss")).await.id;
        let host = json!({"hostname": "web1", "os": "Debian"});
        site.host = site.put((Table::Asset, "host", "web1".to_owned(), host)).await.id;
        site
    }

    fn store(&self) -> &Store {
        self.ctx.store()
    }

    fn now(&self) -> Timestamp {
        self.store().now()
    }

    fn later(&self, hours: i64) {
        self.ahead.fetch_add(hours * HOUR, Ordering::SeqCst);
    }

    async fn put(&self, (table, kind, name, attributes): (Table, &str, String, Json)) -> Row {
        let mut row = Row::new(table, self.store().new_id().unwrap(), kind, &name);
        row.attributes = object(attributes);
        self.save(row).await
    }

    async fn save(&self, row: Row) -> Row {
        let mut write = self.store().write("system:test", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }

    /// A snapshot an hour behind the last, judged and settled.
    async fn collect(&self, sshd: &[(&str, &str)], users: &[(&str, i64)]) {
        self.later(1);
        let fact = |class: &str, name: &str, value: Json, origin: &str| json!({"layer": "typed", "class": class, "name": name, "value": value, "origin": origin});
        let sshd = sshd.iter().zip(1..).map(|((name, value), line)| {
            fact("sshd", name, json!([value]), &format!("/etc/ssh/sshd_config:{line}"))
        });
        let users = users.iter().map(|(name, uid)| {
            let value = json!({"uid": uid, "gid": 0, "gecos": "", "home": "/", "shell": "/bin/sh"});
            fact("user", name, value, "/etc/passwd:1")
        });
        let document = json!({
            "format": 1, "key_id": "", "attempted": 10, "unread": [], "unstable": [],
            "facts": sshd.chain(users).collect::<Vec<_>>(),
        });
        let draft = RecordDraft {
            ty: "configuration.snapshot".to_owned(),
            subject: Some(self.host),
            observed_from: self.now(),
            observed_to: self.now(),
            source: "test".to_owned(),
            assurance: Assurance::Machine,
            facts: object(json!({"roots": {"typed": hex::encode(document.to_string())}})),
            payload: Some(document.to_string().into_bytes()),
        };
        let mut write = self.store().write("system:test", "", "").await.unwrap();
        write.record(draft).await.unwrap();
        write.commit().await.unwrap();
        judge::judge(self.ctx.clone()).await.unwrap();
        settle(self.ctx.clone()).await.unwrap();
    }

    async fn records(&self, ty: &str) -> Vec<Record> {
        let spec = crate::SPEC.records.iter().find(|r| r.ty == ty).unwrap();
        let records = self.store().newest_records(&[ty], None, 100).await.unwrap();
        for record in &records {
            assert_eq!(spec.validate(&record.facts), [], "{ty}");
        }
        records
    }

    async fn drift(&self, key: &str) -> Record {
        let all = self.records(DRIFT).await;
        all.into_iter().find(|r| r.facts["key"] == key).expect("drift of that key")
    }

    /// A change of these settings from now on for two hours.
    async fn ask(&self, ty: &str, settings: &str) -> Row {
        let scope = json!({"hosts": [self.host], "settings": [settings]});
        let attributes = json!({
            "type": ty, "reason": "ticket", "scope": scope, "requester": self.asker, "undo": "back",
            "from": self.now().rfc3339(), "to": self.now().plus_hours(2).rfc3339(),
        });
        self.put((Table::Plan, "change", "open the port".to_owned(), attributes)).await
    }

    async fn sign(&self, login: &str, row: &Row, kind: &str) {
        let hash = row.content_hash().unwrap();
        let ruling = Ruling {
            hash: &hash,
            outcome: "approved",
            reason: "looked at",
            hours: 24 * 60,
            kind,
            notes: Vec::new(),
        };
        let actor = format!("account:{login}");
        let mut write = self.store().write(&actor, "", "").await.unwrap();
        let signer = Signer { login, method: "simulated" };
        ruling.sign(self.store(), &mut write, row, &signer).await.unwrap();
        write.commit().await.unwrap();
    }

    async fn standing(&self, change: &Row) -> Standing {
        changes::one(self.store(), change.id).await.unwrap().unwrap().standing
    }

    async fn propose(&self, record: &Record, outcome: Outcome) -> Result<Row, plan::ProposeError> {
        let store = self.store();
        let drifts = drift::by_ids(store, &[record.id]).await.unwrap();
        let zone = jiff::tz::TimeZone::UTC;
        let plans = plan::all(store).await.unwrap();
        let states = drift::states(&drifts, &plans, &Clock::at(self.now(), &zone));
        let proposal = plan::Proposal {
            outcome,
            drifts: &drifts,
            check: None,
            reason: "agreed",
            proposer: self.asker,
            expires_on: "",
            everywhere: false,
            change: "",
        };
        let mut write = store.write("system:test", "", "").await.unwrap();
        let row = plan::propose(store, &mut write, &proposal, &states).await?;
        write.commit().await.unwrap();
        Ok(row)
    }

    async fn decided(&self, drift: &Record) -> Option<Record> {
        settle(self.ctx.clone()).await.unwrap();
        self.records(DECIDED).await.into_iter().find(|record| record.subject == Some(drift.id))
    }
}

#[tokio::test]
async fn a_change_authorises_what_lies_in_it_and_closes_when_the_rest_is_decided() {
    let site = Site::new().await;
    site.collect(&[("port", "22"), ("banner", "none")], &[]).await;
    let change = site.ask("normal", "sshd/port").await;
    site.sign("asker", &change, "approval").await;
    assert_eq!(site.standing(&change).await, Standing::Own);
    site.sign("boss", &change, "approval").await;
    assert!(site.standing(&change).await.is_approved());
    site.collect(&[("port", "2222"), ("banner", "/etc/issue")], &[]).await;
    let (port, banner) = (site.drift("sshd/port").await, site.drift("sshd/banner").await);
    assert_eq!(
        (&port.facts["class"], &port.facts["change"]),
        (&json!("authorised"), &json!(change.id))
    );
    assert_eq!(banner.facts["class"], "unauthorised");
    assert!(site.records(verify::VERIFIED).await.is_empty(), "the window is open");
    site.later(2);
    site.collect(&[("port", "2222"), ("banner", "/etc/issue")], &[]).await;
    let verified = site.records(verify::VERIFIED).await;
    let numbers = ["approved_seen", "approved_unseen", "seen_unapproved"];
    assert_eq!(numbers.map(|n| verified[0].facts[n].as_i64().unwrap()), [1, 0, 1]);
    assert!(site.records(changes::CLOSED).await.is_empty());

    let plan = site.propose(&banner, Outcome::Adopted).await.unwrap();
    assert!(site.propose(&banner, Outcome::Reverted).await.is_err(), "one plan at a time");
    site.sign("asker", &plan, "adopted_delta").await;
    assert!(site.decided(&banner).await.is_none(), "who proposed decides nothing");
    site.sign("boss", &plan, "adopted_delta").await;
    let decided = site.decided(&banner).await.expect("decided");
    assert_eq!(decided.facts["requester"], json!(site.asker));
    assert_eq!(decided.facts["approver"], json!(site.boss));
    let design = site.store().all(Table::Rule, &["baseline"]).await.unwrap();
    assert_eq!(design[0].attributes["value"], "/etc/issue");
    assert_eq!(site.records(changes::CLOSED).await.len(), 1);
    site.collect(&[("port", "2222"), ("banner", "none")], &[]).await;
    site.collect(&[("port", "2222"), ("banner", "/etc/issue")], &[]).await;
    assert_eq!(site.drift("sshd/banner").await.facts["class"], "intended");
}

#[tokio::test]
async fn an_edit_voids_and_a_design_made_of_what_was_found_designs_nothing() {
    let site = Site::new().await;
    site.collect(&[("port", "22")], &[]).await;
    let change = site.ask("normal", "sshd/port").await;
    site.sign("boss", &change, "approval").await;
    let mut edited = change.clone();
    edited.attributes["scope"]["settings"] = json!(["*/*"]);
    let edited = site.save(edited).await;
    assert_eq!(site.standing(&edited).await, Standing::Void);
    site.later(1);
    // Somebody writes the value down as design behind the fact.
    let rule = json!({"key": "sshd/port", "value": "2222"});
    site.put((Table::Rule, "baseline", "port".to_owned(), rule)).await;
    site.collect(&[("port", "2222")], &[]).await;
    assert_eq!(site.drift("sshd/port").await.facts["class"], "unauthorised");
    site.collect(&[("port", "22")], &[]).await;
    site.collect(&[("port", "2222")], &[]).await;
    assert_eq!(site.drift("sshd/port").await.facts["class"], "intended", "it is older now");
}

#[tokio::test]
async fn a_revert_is_over_when_a_snapshot_shows_the_old_value() {
    let site = Site::new().await;
    site.collect(&[("permitrootlogin", "no")], &[]).await;
    site.collect(&[("permitrootlogin", "yes")], &[]).await;
    let drift = site.drift("sshd/permitrootlogin").await;
    let plan = site.propose(&drift, Outcome::Reverted).await.unwrap();
    site.sign("boss", &plan, "approval").await;
    assert!(site.decided(&drift).await.is_none());
    site.collect(&[("permitrootlogin", "yes")], &[]).await;
    assert!(site.decided(&drift).await.is_none(), "the host still has the new value");
    site.collect(&[("permitrootlogin", "no")], &[]).await;
    assert_eq!(site.decided(&drift).await.unwrap().facts["outcome"], "reverted");
    let back = site.drift("sshd/permitrootlogin").await;
    assert_eq!(back.facts["class"], "intended", "bringing it back was agreed on");
}

#[tokio::test]
async fn an_emergency_is_unauthorised_until_it_is_approved_afterwards() {
    let site = Site::new().await;
    site.collect(&[("port", "22")], &[]).await;
    let change = site.ask("emergency", "sshd/*").await;
    site.collect(&[("port", "2222")], &[]).await;
    let drift = site.drift("sshd/port").await;
    assert_eq!(
        (&drift.facts["class"], &drift.facts["change"]),
        (&json!("unauthorised"), &json!(change.id))
    );
    assert_eq!(drift.facts["change_approved"], false);
    site.later(5);
    site.collect(&[("port", "2222")], &[]).await;
    assert!(site.records(changes::CLOSED).await.is_empty());
    site.sign("boss", &change, "approval").await;
    let decided = site.decided(&drift).await.expect("approved afterwards");
    assert_eq!(decided.facts["change"], json!(change.id));
    assert_eq!(site.records(changes::CLOSED).await.len(), 1);
}

#[tokio::test]
async fn a_task_takes_a_failure_up_and_ends_with_it_and_a_review_is_of_one_state() {
    let site = Site::new().await;
    let open = async || {
        let runs = site.records("configuration.check_run").await;
        let run = runs.iter().find(|r| r.facts["family"] == "privileged").unwrap();
        (run.facts["failures"].as_i64().unwrap(), run.facts["failures_open"].as_i64().unwrap())
    };
    site.collect(&[], &[("root", 0), ("toor", 0)]).await;
    let (failures, before) = open().await;
    assert!(failures > 0 && failures == before);
    let mend = Mend {
        host: site.host,
        check: "privileged.uid0",
        name: "uid 0",
        remedy: "remove it",
        assignee: None,
    };
    let take_up = async || {
        let mut write = site.store().write("account:asker", "", "").await.unwrap();
        let made = handled::take_up(site.store(), &mut write, &mend).await.unwrap();
        write.commit().await.unwrap();
        made.is_some()
    };
    assert!(take_up().await && !take_up().await, "there is one task");
    site.collect(&[], &[("root", 0), ("toor", 0)]).await;
    assert_eq!(open().await, (failures, failures - 1));
    site.collect(&[], &[("root", 0)]).await;
    let task = site.store().row(Table::Task, handled::task_id(site.host, "privileged.uid0")).await;
    assert_eq!(task.unwrap().unwrap().status, "closed");
    site.collect(&[], &[("root", 0), ("toor", 0)]).await;
    assert_eq!(open().await, (failures, failures), "a closed task takes nothing up");

    let system = json!({"purpose": "shop", "stage": "operating"});
    let system = site.put((Table::Asset, "system", "shop".to_owned(), system)).await;
    let mut host = site.store().row(Table::Asset, site.host).await.unwrap().unwrap();
    host.attributes.insert("system".to_owned(), json!(system.id));
    site.save(host).await;
    let state = review::of(site.store(), system.id).await.unwrap().unwrap();
    assert_eq!((state.hosts.len(), state.is_reviewed()), (1, false));
    let mut write = site.store().write("account:boss", "", "").await.unwrap();
    write.record(review::reviewed(&state, 1, site.now())).await.unwrap();
    write.commit().await.unwrap();
    assert!(review::of(site.store(), system.id).await.unwrap().unwrap().is_reviewed());
    site.collect(&[("port", "22")], &[("root", 0)]).await;
    let state = review::of(site.store(), system.id).await.unwrap().unwrap();
    assert!(!state.is_reviewed() && state.findings() > 0);
}
