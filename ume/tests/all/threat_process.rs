//! The process around intelligence: limits, what comes from inside, actions, drills, employees. Each criterion falls
//! when the deed is missing and recovers when it is done.

use std::collections::BTreeSet;

use model::{Assurance, Id, Status, Table};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Row};
use threat_intelligence::work::process::{actions, card, deeds, drill, internal, reports, watch};

use crate::{
    findings::Place,
    intelligence::{noticed, paste, row},
};

impl Place {
    /// How a criterion is judged now.
    pub(crate) async fn stands(&self, id: &str) -> Status {
        let board = isms::compute(self.store(), &crate::rooms::ROOMS).await.unwrap();
        board.all().find_map(|control| control.verdict(id)).unwrap().status
    }

    async fn written(&self, ty: &str) -> Vec<Record> {
        let records = self.store().newest_records(&[ty], None, 50).await.unwrap();
        let spec = threat_intelligence::SPEC.records.iter().find(|spec| spec.ty == ty).unwrap();
        for record in &records {
            assert_eq!(spec.validate(&record.facts), [], "{ty}");
        }
        records
    }

    async fn put_finding(&self, class: &str, severity: &str) -> Id {
        let facts = json!({
            "severity": severity, "class": class, "phase": "sign", "title_ja": "検知",
            "title_en": "found",
        });
        self.put_record("monitoring.finding", None, facts).await
    }

    async fn put_record(&self, ty: &str, subject: Option<Id>, facts: Json) -> Id {
        let now = self.store().now();
        let mut write = self.store().write("system:test", "", "").await.unwrap();
        let record = write
            .record(RecordDraft {
                ty: ty.to_owned(),
                subject,
                observed_from: now,
                observed_to: now,
                source: "test".to_owned(),
                assurance: Assurance::Machine,
                facts: facts.as_object().cloned().unwrap(),
                payload: None,
            })
            .await
            .unwrap();
        write.commit().await.unwrap();
        record.id
    }

    async fn discard(&self, path: &str) {
        let form = [("verdict", "discard"), ("reason", "関係なし")];
        assert_eq!(self.send("administrator", &format!("{path}/triage"), &form).await, 303);
    }

    async fn act_on(&self, path: &str, input: &str) {
        let input = format!("input-{input}");
        let act = [("verdict", "act"), ("reason", "x"), ("advice", "y"), (input.as_str(), "1")];
        assert_eq!(self.send("administrator", &format!("{path}/triage"), &act).await, 303);
    }

    async fn task_of(&self, item: Id, audience: &str) -> Row {
        let tasks = self.store().rows_about(Table::Task, &[item]).await.unwrap();
        let of = |task: &Row| task.attributes["closes_where"]["audience"] == audience;
        tasks.into_iter().find(of).expect("a task")
    }
}

const DAY: i64 = 24 * 3_600;

#[tokio::test]
async fn an_item_that_nobody_judges_in_time_is_written_down_once_and_counts_once() {
    let (place, source) = noticed().await;
    let (path, id) = paste(&place, source.id).await;
    watch::run(place.ctx()).await.unwrap();
    let triaged = "threat_intelligence.intel_triaged";
    assert!(place.written(triaged).await.is_empty(), "there is still time");
    place.later(10 * DAY);
    watch::run(place.ctx()).await.unwrap();
    watch::run(place.ctx()).await.unwrap();
    let told = place.written(triaged).await;
    assert_eq!((told.len(), &told[0].facts["verdict"]), (1, &json!("overdue")));
    assert_eq!(told[0].subject, Some(id));
    assert_eq!(place.stands("5.7/take-2").await, Status::Fail);

    // The late verdict is kept, and is no second miss.
    place.discard(&path).await;
    let told = place.written(triaged).await;
    assert_eq!(told[0].facts["origin"], "external_again");
    watch::run(place.ctx()).await.unwrap();
    assert_eq!(place.written(triaged).await.len(), 2);

    // In the next quarter everything is judged in time.
    place.later(91 * DAY);
    let mut item = row(&place, Table::Asset, id).await;
    (item.id, item.version) = (place.store().new_id().unwrap(), 0);
    item.attributes.remove("verdict");
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    let item = write.put(item).await.unwrap();
    write.commit().await.unwrap();
    place.discard(&format!("/intelligence/{}", item.id)).await;
    assert_eq!(place.stands("5.7/take-2").await, Status::Pass);
}

#[tokio::test]
async fn what_comes_from_inside_is_judged_in_bulk_and_only_then_settled() {
    let (place, _) = noticed().await;
    let grave = place.put_finding("detection", "high").await;
    let incident = place.put_finding("incident", "high").await;
    place.put_finding("detection", "low").await;
    internal::run(place.ctx()).await.unwrap();
    assert_eq!(place.stands("5.7/take-3").await, Status::Pass, "there is still time");
    place.later(10 * DAY);
    internal::run(place.ctx()).await.unwrap();
    let open = place.written(internal::REVIEWED).await;
    let of = |input: &str| open.iter().find(|r| r.facts["input"] == input).unwrap().facts.clone();
    assert_eq!(of("finding")["open"], json!([grave.to_string()]));
    assert_eq!((&of("incident")["due"], &of("incident")["settled"]), (&json!(1), &json!(0)));
    assert_eq!(place.stands("5.7/take-3").await, Status::Fail);

    let (grave, incident) = (format!("is-{grave}"), format!("is-{incident}"));
    let nothing = [("judge", "discard"), ("reason", "x")];
    assert_eq!(place.send("administrator", "/intelligence/internal", &nothing).await, 400);
    let both = [
        ("judge", "take"),
        ("reason", "同じ手口"),
        (grave.as_str(), "1"),
        (incident.as_str(), "1"),
    ];
    assert_eq!(place.send("auditor", "/intelligence/internal", &both).await, 403);
    assert_eq!(place.send("administrator", "/intelligence/internal", &both).await, 303);
    internal::run(place.ctx()).await.unwrap();
    assert_eq!(place.stands("5.7/take-3").await, Status::Pass);
    let items = place.api("/api/v1/threat_intelligence/inbox").await;
    assert_eq!(items["items"].as_array().unwrap().len(), 2, "both lie in the inbox");
    place.costs_little("administrator", "/intelligence/internal").await;

    // A set that was published and never looked for.
    let set = json!({ "root": "ab".repeat(32), "added": 1, "removed": 0, "expired": 0 });
    place.put_record("threat_intelligence.set_published", None, set).await;
    place.later(2 * DAY);
    internal::run(place.ctx()).await.unwrap();
    assert_eq!(place.stands("5.7/take-3").await, Status::Fail);
    let activated = json!({ "kind": "indicators", "hash": "ab".repeat(32) });
    let activated = place.put_record("monitoring.rule_activated", None, activated).await;
    place.put_record("monitoring.hunt_run", Some(activated), json!({})).await;
    internal::run(place.ctx()).await.unwrap();
    assert_eq!(place.stands("5.7/take-3").await, Status::Pass);
}

#[tokio::test]
async fn a_late_action_waits_for_a_decision_and_departments_are_measured() {
    let (place, source) = noticed().await;
    let (path, id) = paste(&place, source.id).await;
    place.act_on(&path, "sector").await;
    let task = place.task_of(id, "csirt").await;
    place.later(10 * DAY);
    actions::run(place.ctx()).await.unwrap();
    let told = place.written(actions::REVIEWED).await;
    assert_eq!(told[0].facts["overdue_undecided"], 1);
    assert_eq!(told[0].facts["late"], json!([task.id.to_string()]));
    assert_eq!(place.stands("5.7/take-4").await, Status::Fail);
    let page = place.page("administrator", "/intelligence/actions").await;
    assert!(page.contains("overdue") && page.contains("Check whether it could happen here"));
    place.costs_little("administrator", "/intelligence/actions").await;

    let decide = format!("/intelligence/actions/{}/decide", task.id);
    let ahead = |days: i64| {
        let at = place.store().now().plus_hours(24 * days);
        at.rfc3339().chars().take(10).collect::<String>()
    };
    let (past, far, soon) = (ahead(-1), ahead(200), ahead(20));
    for wrong in [&past, &far] {
        let form = [("decision", "extend"), ("due", wrong.as_str()), ("reason", "人手不足")];
        assert_eq!(place.send("administrator", &decide, &form).await, 400, "{wrong}");
    }
    let form = [("decision", "extend"), ("due", soon.as_str()), ("reason", "人手不足")];
    assert_eq!(place.send("administrator", &decide, &form).await, 303);
    let decided = place.written(actions::DECIDED).await;
    assert_eq!((decided.len(), &decided[0].facts["decision"]), (1, &json!("extended")));

    let (task_id, form_path) = (task.id.to_string(), format!("{path}/done"));
    let done = [("task", task_id.as_str()), ("proof", "確認会 議事録 12")];
    assert_eq!(place.send("administrator", &form_path, &done).await, 303);
    actions::run(place.ctx()).await.unwrap();
    let told = place.written(actions::REVIEWED).await;
    assert_eq!(
        (&told[0].facts["due"], &told[0].facts["in_time_permille"]),
        (&json!(1), &json!(1000))
    );
    assert_eq!(place.stands("5.7/take-4").await, Status::Pass);
}

#[tokio::test]
async fn an_action_closes_by_the_record_of_the_deed_and_by_no_word() {
    let (place, source) = noticed().await;
    let (path, id) = paste(&place, source.id).await;
    let peer = json!({ "active": true, "protocol": "taxii" });
    let peer = place.put_row(Table::Asset, "sharing_channel", peer).await;
    let mut item = row(&place, Table::Asset, id).await;
    item.attributes.insert("channel".into(), json!(peer.id));
    let mut write = place.store().write("account:test", "", "").await.unwrap();
    write.put(item).await.unwrap();
    write.commit().await.unwrap();
    place.act_on(&path, "method").await;
    let (it, staff) = (place.task_of(id, "it").await, place.task_of(id, "staff").await);
    let it_id = it.id.to_string();
    let word = [("task", it_id.as_str()), ("proof", "やりました")];
    assert_eq!(place.send("administrator", &format!("{path}/done"), &word).await, 400);

    place.later(60);
    deeds::run(place.ctx()).await.unwrap();
    assert_eq!(row(&place, Table::Task, it.id).await.status, "open");
    let loaded = json!({ "accepted": 1, "rejected_total": 0, "hash": "ab".repeat(32) });
    place.put_record("monitoring.ruleset_loaded", None, loaded).await;
    deeds::run(place.ctx()).await.unwrap();
    assert_eq!(row(&place, Table::Task, it.id).await.status, "open", "no rule is new in it");
    let activated = json!({ "kind": "detection", "hash": "cd".repeat(32) });
    place.put_record("monitoring.rule_activated", None, activated).await;
    deeds::run(place.ctx()).await.unwrap();
    let closed = row(&place, Table::Task, it.id).await;
    assert_eq!(closed.status, "closed");
    let by = place.written("threat_intelligence.action_closed").await.remove(0);
    assert!(by.facts["proof"].as_str().unwrap().contains("monitoring.rule_activated"));
    assert_eq!(by.facts["channel"], json!(peer.id), "what came by a channel counts for it");

    // The card: read by everybody who has an account, but not by those who audit.
    assert_eq!(row(&place, Table::Task, staff.id).await.status, "open");
    let people = ["administrator", "employee"];
    for who in people {
        let page = place.page(who, "/intelligence/card").await;
        assert!(page.contains("I have read it"), "{who}");
        let (_, rest) = page.split_once("name=\"version\" value=\"").unwrap();
        let version = rest.split_once('"').unwrap().0;
        let form = [("version", version)];
        deeds::run(place.ctx()).await.unwrap();
        assert_eq!(row(&place, Table::Task, staff.id).await.status, "open", "{who}");
        let wrong = [("version", "ab")];
        assert_eq!(place.send(who, "/intelligence/card", &wrong).await, 400);
        assert_eq!(place.send(who, "/intelligence/card", &form).await, 303);
        assert!(!place.page(who, "/intelligence/card").await.contains("I have read it"));
    }
    assert_eq!(place.written(card::READ).await.len(), 2);
    deeds::run(place.ctx()).await.unwrap();
    assert_eq!(row(&place, Table::Task, staff.id).await.status, "closed");
}

#[tokio::test]
async fn a_takedown_closes_what_is_about_its_domain_and_a_weakness_closes_by_a_record_that_is_named()
 {
    let (place, source) = noticed().await;
    let (path, id) = paste(&place, source.id).await;
    let act = [
        ("verdict", "act"),
        ("reason", "x"),
        ("advice", "y"),
        ("input-brand", "1"),
        ("input-vulnerability", "1"),
    ];
    assert_eq!(place.send("administrator", &format!("{path}/triage"), &act).await, 303);
    place.later(60);
    let (brand, weak) =
        (place.task_of(id, "public_relations").await, place.task_of(id, "it").await);
    let asked = |domain: &str| json!({ "domain": domain, "likeness": "word" });
    place.put_record("threat_intelligence.takedown_requested", None, asked("other.example")).await;
    deeds::run(place.ctx()).await.unwrap();
    assert_eq!(row(&place, Table::Task, brand.id).await.status, "open", "of another domain");
    place
        .put_record("threat_intelligence.takedown_requested", None, asked("evil-parts.example"))
        .await;
    deeds::run(place.ctx()).await.unwrap();
    assert_eq!(row(&place, Table::Task, brand.id).await.status, "closed");
    assert_eq!(row(&place, Table::Task, weak.id).await.status, "open");
    let weak_id = weak.id.to_string();
    let none = place.store().new_id().unwrap().to_string();
    let absent = [("task", weak_id.as_str()), ("proof", none.as_str())];
    assert_eq!(place.send("administrator", &format!("{path}/done"), &absent).await, 400);
    let shown = place.put_record("configuration.impact_run", None, json!({})).await;
    let proof = format!("該当なし {shown}");
    let named = [("task", weak_id.as_str()), ("proof", proof.as_str())];
    assert_eq!(place.send("administrator", &format!("{path}/done"), &named).await, 303);
    assert_eq!(row(&place, Table::Task, weak.id).await.status, "closed");
}

async fn person(place: &Place, login: &str) -> Id {
    place.served.account(login).await;
    place.put_row(Table::Party, "person", json!({ "account": login })).await.id
}

#[tokio::test]
async fn a_drill_is_answered_by_who_is_asked_and_a_silent_one_goes_to_the_deputy() {
    let (place, _) = noticed().await;
    let holder = person(&place, "employee").await;
    let deputy = person(&place, "department").await;
    for role in ["triage", "contact", "decision"] {
        let held = json!({ "role": role, "holder": holder, "deputy": deputy });
        place.put_row(Table::Rule, drill::ROLE, held).await;
    }
    assert_eq!(place.send("administrator", drill::PATH, &[]).await, 303);
    assert_eq!(place.send("administrator", drill::PATH, &[]).await, 400, "one at a time");
    let account = place.served.account("employee").await;
    let notices = place.store().notices_of(account, 50).await.unwrap();
    assert_eq!(notices.iter().filter(|notice| notice.kind == "csirt_drill").count(), 3);

    let answers = |page: &str| -> BTreeSet<String> {
        let all = page.split("action=\"/intelligence/drill/").skip(1);
        all.map(|rest| format!("/intelligence/drill/{}", rest.split_once('"').unwrap().0)).collect()
    };
    let mine = answers(&place.page("employee", drill::PATH).await);
    assert_eq!(mine.len(), 3);
    assert!(answers(&place.page("department", drill::PATH).await).is_empty());
    let first = mine.first().unwrap().clone();
    assert_eq!(place.send("department", &first, &[]).await, 404, "the deputy was not asked");
    place.later(600);
    for path in &mine {
        assert_eq!(place.send("employee", path, &[]).await, 303);
    }
    assert_eq!(place.send("employee", &first, &[]).await, 400, "once");
    let told = place.written(drill::DRILL).await;
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|r| r.facts["answered_min"] == 10 && r.facts["asked"] == "holder"));
    assert_eq!(place.stands("5.7/take-1").await, Status::Pass);

    // The next one: nobody answers within four hours, and the deputy is asked.
    place.later(DAY);
    drill::start(place.store(), "account:test").await.unwrap().unwrap();
    place.later(5 * 3_600);
    drill::run(place.ctx()).await.unwrap();
    drill::run(place.ctx()).await.unwrap();
    let told = place.written(drill::DRILL).await;
    assert_eq!(told.len(), 6, "written once a role");
    assert!(!told[0].facts.contains_key("answered_min"));
    assert_eq!(place.stands("5.7/take-1").await, Status::Fail);
    let theirs = answers(&place.page("department", drill::PATH).await);
    assert_eq!(theirs.len(), 3);
    assert_eq!(place.send("department", theirs.first().unwrap(), &[]).await, 303);
    let told = place.written(drill::DRILL).await;
    assert_eq!(
        (&told[0].facts["asked"], &told[0].facts["answered_min"]),
        (&json!("deputy"), &json!(300))
    );
    assert_eq!(place.stands("5.7/take-1").await, Status::Fail, "five hours are more than four");
    place.later(200 * DAY);
    assert_ne!(place.stands("5.7/take-1").await, Status::Pass, "half a year is over");
}

#[tokio::test]
async fn an_employees_report_lies_in_the_inbox_and_its_answer_reaches_them_alone() {
    let (place, _) = noticed().await;
    let words = "件名：【至急】請求書 hxxp://pay[.]evil-bill[.]example/x を開くように言われた";
    let form = [("what", words), ("about", "mail")];
    assert_eq!(place.send("employee", "/monitoring/report", &form).await, 200);
    let other = [("what", "扉が開いていた"), ("about", "")];
    assert_eq!(place.send("employee", "/monitoring/report", &other).await, 200);
    reports::run(place.ctx()).await.unwrap();
    reports::run(place.ctx()).await.unwrap();
    let items = place.api("/api/v1/threat_intelligence/inbox").await;
    let items = items["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 1, "the mail is one item, the door none");
    let id = items[0]["item"]["id"].as_str().unwrap().to_owned();
    let path = format!("/intelligence/{id}");
    let page = place.page("administrator", &path).await;
    assert!(page.contains("pay.evil-bill.example"), "its text is read");
    assert!(place.page("employee", "/intelligence/my-reports").await.contains("being looked at"));

    let answer = [("answer", "届けてくれて助かりました。開かずに消してください。")];
    assert_eq!(place.send("administrator", &format!("{path}/answer"), &answer).await, 303);
    place.discard(&path).await;
    let mine = place.page("employee", "/intelligence/my-reports").await;
    assert!(mine.contains("開かずに消してください") && mine.contains("no threat"));
    let others = place.page("department", "/intelligence/my-reports").await;
    assert!(!others.contains("開かずに消してください") && !others.contains("evil-bill"));
    place.later(10 * DAY);
    internal::run(place.ctx()).await.unwrap();
    let told = place.written(internal::REVIEWED).await;
    let facts = &told.iter().find(|r| r.facts["input"] == "employee_report").unwrap().facts;
    assert_eq!((&facts["due"], &facts["settled"]), (&json!(2), &json!(1)), "the door still waits");
}
