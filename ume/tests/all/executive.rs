//! What reaches executives: real rows, real signatures, real pages, from a criterion to a closed order.

use std::sync::atomic::Ordering;

use model::{Id, Lang, Status, Table};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{Record, Row};
use threat_intelligence::work::executive::{
    ACKNOWLEDGED, ESCALATION, GIVEN, Horizon, ISSUED, MET, ORDER, ORDER_CLOSED, REVIEWED, brief,
    criterion, evidence::Cache, fact, orders, reviewed, round,
};

use crate::{
    approvals::{Hand, House, everywhere},
    rooms,
    served::Browser,
};

const HOUR_MICROS: i64 = 3_600_000_000;

trait Executives {
    async fn round(&self);
    async fn of_type(&self, ty: &str) -> Vec<Record>;
    async fn enter(&self, table: Table, kind: &str, name: &str, attributes: Json) -> Row;
    async fn approve_all(&self, hand: &Hand);
    async fn strand(&self, name: &str) -> Json;
    async fn verdict(&self, id: &str) -> isms::Verdict;
    async fn read(&self, hand: &Hand, path: &str) -> String;
    fn later(&self, hours: i64);
}

impl Executives for House {
    async fn round(&self) {
        round::round(self.store(), &Cache::default()).await.unwrap();
    }

    async fn of_type(&self, ty: &str) -> Vec<Record> {
        let records = self.store().newest_records(&[ty], None, 50).await.unwrap();
        let spec = threat_intelligence::SPEC.records.iter().find(|spec| spec.ty == ty).unwrap();
        for record in &records {
            assert_eq!(spec.validate(&record.facts), [], "{ty}");
        }
        records
    }

    async fn enter(&self, table: Table, kind: &str, name: &str, attributes: Json) -> Row {
        let mut row = Row::new(table, self.store().new_id().unwrap(), kind, name);
        row.attributes = attributes.as_object().cloned().unwrap();
        row.status = "active".to_owned();
        self.put(row, "account:other").await
    }

    async fn approve_all(&self, hand: &Hand) {
        for rule in self.store().all(Table::Rule, &[ESCALATION]).await.unwrap() {
            let hash = rule.content_hash().unwrap();
            let form = [("hash", hash.as_str()), ("outcome", "approved"), ("reason", "looked at")];
            let path = format!("/row/rule/{}/decide", rule.id);
            assert_eq!(self.sign(hand, &path, &form).await.0, 303);
        }
    }

    async fn strand(&self, name: &str) -> Json {
        let all = reviewed::strands(self.store()).await.unwrap();
        all.into_iter().find(|facts| facts["strand"] == name).unwrap()
    }

    async fn verdict(&self, id: &str) -> isms::Verdict {
        let board = isms::compute(self.store(), &rooms::ROOMS).await.unwrap();
        let control = board.all().find(|c| c.spec.id == "threat_intelligence").unwrap();
        control.verdict(id).unwrap().clone()
    }

    async fn read(&self, hand: &Hand, path: &str) -> String {
        let request = self.served.request(Method::GET, path);
        let answer = request.header(header::COOKIE, &hand.who.cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let cost = answer.headers()["server-timing"].to_str().unwrap().to_owned();
        let statements = cost.split(['"', ' ']).find_map(|word| word.parse::<u64>().ok());
        assert!(statements.unwrap() <= 8, "{path}: {cost}");
        answer.text().await.unwrap()
    }

    fn later(&self, hours: i64) {
        self.ahead.fetch_add(hours * HOUR_MICROS, Ordering::SeqCst);
    }
}

/// A house with a brand, whose criteria are offered and approved.
async fn watched(name: &str) -> (House, Hand) {
    let house = everywhere(name).await.remove(0);
    let chief = house.hand("chief", "executive").await;
    let brand = json!({"words": ["oumeseiki"], "domains": ["oumeseiki.example"]});
    house.enter(Table::Asset, "brand", "青梅精機", brand).await;
    house.round().await;
    house.approve_all(&chief).await;
    (house, chief)
}

async fn notice(house: &House, name: &str, tlp: &str) -> Row {
    let attributes = json!({
        "received": "2026-11-01", "field": "technical", "tlp": tlp, "advice": "利用者へ知らせる",
    });
    house.enter(Table::Asset, "intel_item", name, attributes).await
}

#[tokio::test]
async fn criteria_are_offered_once_and_work_only_as_they_were_approved() {
    let house = everywhere("criteria").await.remove(0);
    let chief = house.hand("chief", "executive").await;
    let brand = json!({"words": ["oumeseiki"], "domains": ["oumeseiki.example"]});
    house.enter(Table::Asset, "brand", "青梅精機", brand).await;
    notice(&house, "青梅精機の名前が攻撃者のサイトに掲載", "green").await;
    house.round().await;
    house.round().await;
    let rules = house.store().all(Table::Rule, &[ESCALATION]).await.unwrap();
    assert_eq!(rules.len(), 8);
    assert!(rules.iter().all(|rule| rule.status == "draft"));
    assert!(house.of_type(MET).await.is_empty(), "a draft watches nothing");
    assert_eq!(house.strand("criteria").await["unapproved"], 8);
    assert_eq!(house.strand("short_term").await.get("late"), None, "nothing is watched");
    assert!(house.read(&chief, "/intelligence/criteria").await.contains("0</strong> / 8"));

    house.approve_all(&chief).await;
    assert_eq!(house.strand("criteria").await["unapproved"], 0);
    house.round().await;
    let met = house.of_type(MET).await;
    assert_eq!((met.len(), fact(&met[0], "trigger")), (1, "names_us"));
    house.round().await;
    assert_eq!(house.of_type(MET).await.len(), 1, "told once");

    // Who changes a criterion takes its approval away, and it watches no more.
    let mut rule = rules.iter().find(|r| r.attributes["trigger"] == "names_us").unwrap().clone();
    rule.attributes.insert("due_hours".to_owned(), json!(4));
    house.put(rule, "account:other").await;
    let all = criterion::all(house.store()).await.unwrap();
    let void = |r: &&criterion::Ruled| r.standing == criterion::Standing::Void;
    assert_eq!(all.iter().filter(void).count(), 1);
    notice(&house, "青梅精機をかたる電話", "green").await;
    house.round().await;
    assert_eq!(house.of_type(MET).await.len(), 1, "void");
    assert_eq!(house.strand("criteria").await["unapproved"], 1);
    house.approve_all(&chief).await;
    house.round().await;
    assert_eq!(house.of_type(MET).await.len(), 2);

    // Whoever deletes them is not given them again.
    let mut write = house.store().write("account:other", "", "").await.unwrap();
    for rule in house.store().all(Table::Rule, &[ESCALATION]).await.unwrap() {
        write.delete(rule).await.unwrap();
    }
    write.commit().await.unwrap();
    house.round().await;
    assert!(house.store().all(Table::Rule, &[ESCALATION]).await.unwrap().is_empty());
    assert_eq!(house.strand("criteria").await["checked"], 0);
}

#[tokio::test]
async fn a_hit_becomes_a_brief_that_an_executive_acknowledges_once_and_in_time() {
    let (house, mut chief) = watched("hit").await;
    let mut officer = house.hand("officer", "officer").await;
    notice(&house, "青梅精機の名前が攻撃者のサイトに掲載 <b>x</b>", "amber").await;
    let red = notice(&house, "青梅精機の役員を狙う脅迫", "red").await;
    house.round().await;
    let issued = house.of_type(ISSUED).await;
    assert_eq!(issued.len(), 1, "of itself");
    assert_eq!((fact(&issued[0], "tlp"), &issued[0].facts["left_out"]), ("amber", &json!(1)));
    assert!(!Json::Object(issued[0].facts.clone()).to_string().contains("掲載"), "no names");
    let refused = house.of_type("threat_intelligence.tlp_refused").await;
    assert_eq!((refused.len(), refused[0].subject), (1, Some(red.id)));
    let tasks = house.store().open_tasks(50).await.unwrap();
    let look = tasks.iter().find(|t| t.attributes["closes_with"] == ACKNOWLEDGED).unwrap();
    assert_eq!(look.attributes["role"], "executive");
    let all = isms::SPEC.others.iter().find(|k| k.id == "task").unwrap();
    assert_eq!(all.validate(&look.attributes), []);

    let page = house.read(&chief, "/intelligence/brief").await;
    assert!(page.contains("攻撃者のサイトに掲載") && page.contains("TLP:AMBER"));
    assert!(!page.contains("<b>x</b>") && !page.contains("脅迫"), "RED is left out");
    assert!(page.contains(fact(&issued[0], "snapshot_hash")));
    let path = format!("/intelligence/brief/{}", issued[0].id);
    let acknowledge = format!("{path}/acknowledge");
    assert_eq!(house.send(&officer.who, &acknowledge, &[]).await.0, 400, "executives only");
    assert!(house.of_type(ACKNOWLEDGED).await.is_empty());
    let request = house.served.request(Method::POST, &acknowledge);
    let request = request.header(header::COOKIE, &chief.who.cookie).body("csrf=0");
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(request.send().await.unwrap().status(), 403);
    assert_eq!(house.send(&chief.who, &acknowledge, &[]).await.0, 303);
    assert_eq!(house.send(&chief.who, &acknowledge, &[]).await.0, 400, "once");
    let acks = house.of_type(ACKNOWLEDGED).await;
    assert_eq!((acks.len(), acks[0].actor.as_str()), (1, "account:chief"));
    assert_eq!(fact(&acks[0], "verdict"), "brief");
    let look = house.store().row(Table::Task, look.id).await.unwrap().unwrap();
    assert_eq!(look.status, "closed");
    assert_eq!(house.strand("short_term").await["late"], 0);

    // What nobody reads for a day is late, and stays so.
    notice(&house, "青梅精機の見積書を装うメール", "green").await;
    house.later(2);
    house.round().await;
    assert_eq!(house.of_type(ISSUED).await.len(), 2);
    house.later(21);
    assert_eq!(house.strand("short_term").await["late"], 0);
    house.later(2);
    assert_eq!(house.strand("short_term").await["late"], 1);
    // A day later people sign in again.
    for hand in [&mut chief, &mut officer] {
        let token = house.store().open_session(hand.account, "full", "test").await.unwrap();
        let session = house.store().session(&token, 8, 168).await.unwrap().unwrap();
        hand.who = Browser { cookie: format!("ume={token}"), csrf: session.csrf };
    }
    let newest = house.of_type(ISSUED).await.remove(0);
    let page = house.read(&chief, &format!("/intelligence/brief/{}", newest.id)).await;
    assert!(page.contains("見積書") && !page.contains("サイトに掲載"), "only what is not seen yet");
    let acknowledge = format!("/intelligence/brief/{}/acknowledge", newest.id);
    assert_eq!(house.send(&chief.who, &acknowledge, &[]).await.0, 303);
    assert_eq!(house.strand("short_term").await["late"], 1, "late is late");
    let overview = house.read(&officer, "/intelligence/overview").await;
    assert!(overview.contains("見積書") && !overview.contains("脅迫"));
}

#[tokio::test]
async fn the_page_is_made_again_from_what_was_kept_byte_by_byte_and_is_one_page() {
    let (house, chief) = watched("page").await;
    for (at, count) in [(0, 0usize), (1, 1), (2, 60)] {
        for n in 0..count {
            let long = "長い件名".repeat(if n % 7 == 0 { 25 } else { 1 });
            notice(&house, &format!("青梅精機 {at}-{n} {long}"), "green").await;
        }
        house.later(2);
        house.round().await;
        if count == 0 {
            brief::issue(house.store(), Horizon::Short, "account:other").await.unwrap();
        }
        let record = house.of_type(ISSUED).await.remove(0);
        assert_eq!(record.facts["hits"], json!(if at == 2 { 61 } else { count }));
        let found = brief::one(house.store(), record.id).await.unwrap().unwrap();
        for (lang, word) in [(Lang::Ja, "該当した脅威"), (Lang::En, "What meets the criteria")]
        {
            let bytes = found.pdf(lang).unwrap().unwrap();
            assert!(found.is_as_issued(&bytes, lang), "{at} {lang:?}");
            assert_eq!(bytes, found.pdf(lang).unwrap().unwrap());
            let file = house.served.folder.path().join("brief.pdf");
            std::fs::write(&file, &bytes).unwrap();
            let mut program = std::process::Command::new("pdftotext");
            let Ok(read) = program.arg("-raw").arg(&file).arg("-").output() else {
                println!("skipped: no pdftotext");
                continue;
            };
            let text = String::from_utf8_lossy(&read.stdout).into_owned();
            assert_eq!(text.matches('\u{c}').count(), 1, "one page");
            let text: String = text.split_whitespace().collect();
            let said = |word: &str| text.contains(&word.replace(' ', ""));
            assert!(said(word) && said(fact(&record, "snapshot_hash")), "{text}");
            assert!(!said("ほか60件") && !said("60 more"), "more than one is shown: {text}");
            assert_eq!(text.contains("ほか") || text.contains("more"), at == 2, "{text}");
        }
    }
    let path = format!("/intelligence/brief/{}/pdf?lang=en", house.of_type(ISSUED).await[0].id);
    let request = house.served.request(Method::GET, &path);
    let answer = request.header(header::COOKIE, &chief.who.cookie).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/pdf");
    assert_eq!(answer.headers()["ume-as-issued"], "true");
}

#[tokio::test]
async fn an_order_is_a_signed_decision_with_a_task_that_only_its_proof_closes() {
    let (house, chief) = watched("order").await;
    let officer = house.hand("officer", "officer").await;
    let owner = Row::new(Table::Party, house.store().new_id().unwrap(), "person", "担当者");
    let owner = house.put(owner, "another").await.id.to_string();
    let risk = json!({"scenario": "s", "treatment": "retain"});
    let risk = house.enter(Table::Risk, "risk", "偽サイト", risk).await;
    let risk_id = risk.id.to_string();
    notice(&house, "青梅精機をかたる電話", "green").await;
    house.round().await;
    let issued = house.of_type(ISSUED).await[0].id.to_string();
    let order = [
        ("brief", issued.as_str()),
        ("horizon", "short_term"),
        ("order", "顧客に注意を呼びかける"),
        ("owner", owner.as_str()),
        ("due", "2099-01-31"),
        ("risk", risk_id.as_str()),
        ("reason", "放置できない"),
    ];
    let path = "/intelligence/orders";
    assert_eq!(house.sign(&officer, path, &order).await.0, 400, "executives only");
    for (at, wrong) in [(2, " "), (3, "nobody"), (4, "2001-01-01"), (5, "nothing"), (6, " ")] {
        let mut form = order;
        form[at].1 = wrong;
        assert_eq!(house.sign(&chief, path, &form).await.0, 400, "{wrong}");
    }
    assert!(house.of_type(GIVEN).await.is_empty(), "nothing half done");
    assert_eq!(house.sign(&chief, path, &order).await.0, 303);
    assert_eq!(house.sign(&chief, path, &order).await.0, 400, "once");
    let decision = house.store().all(Table::Decision, &[ORDER]).await.unwrap().remove(0);
    assert_eq!(web::decide::flaws(&decision, |_| None), []);
    let kind = threat_intelligence::SPEC.others.iter().find(|kind| kind.id == ORDER).unwrap();
    let unknown = kind.validate(&decision.attributes);
    assert!(unknown.iter().all(|fault| fault.field() == "signatures"), "{unknown:?}");
    let given = house.of_type(GIVEN).await;
    assert_eq!((given.len(), given[0].subject), (1, Some(decision.id)));
    let task = house.store().rows_about(Table::Task, &[decision.id]).await.unwrap().remove(0);
    assert_eq!(task.attributes["assignee"], owner.as_str());
    let links = house.store().rows_about(Table::Link, &[risk.id]).await.unwrap();
    assert_eq!((links.len(), links[0].object), (1, Some(decision.id)));
    assert_eq!(house.strand("orders").await["overdue"], 0);
    let page = house.read(&chief, path).await;
    assert!(page.contains("顧客に注意を呼びかける") && page.contains("担当者"));

    // The next brief shows it, overdue once its day has passed.
    house.later(24 * 365 * 80);
    assert_eq!(house.strand("orders").await["overdue"], 1);
    let made = brief::make(house.store(), Horizon::Short).await.unwrap().snapshot;
    assert!(made.orders[0].days_late.unwrap() > 365 && made.asked[0].ja.contains("顧客に注意"));
    house.later(-24 * 365 * 80);

    let close = format!("{path}/{}/close", decision.id);
    let own = decision.id.to_string();
    let old = house.of_type(ISSUED).await[0].id.to_string();
    for wrong in ["", "x", own.as_str(), old.as_str(), "01936b3a-0000-7000-8000-000000000000"] {
        assert_eq!(house.send(&officer.who, &close, &[("proof", wrong)]).await.0, 400, "{wrong}");
    }
    let deed = house.enter(Table::Asset, "intel_item", "x", json!({"tlp": "green"})).await;
    let mut write = house.store().write("account:other", "", "").await.unwrap();
    let facts = json!({"item": deed.id, "verdict": "act", "audience": "it", "proof": "mail"});
    let now = house.store().now();
    let draft = room::draft("threat_intelligence.action_closed", Some(deed.id), now, facts);
    let deed = write.record(draft).await.unwrap();
    write.commit().await.unwrap();
    let proof = deed.id.to_string();
    let proof = [("proof", proof.as_str())];
    assert_eq!(house.send(&chief.who, &close, &proof).await.0, 403, "who orders does not close");
    assert_eq!(house.send(&officer.who, &close, &proof).await.0, 303);
    assert_eq!(house.send(&officer.who, &close, &proof).await.0, 400, "once");
    let closed = house.of_type(ORDER_CLOSED).await;
    assert_eq!((closed.len(), &closed[0].facts["in_time"]), (1, &json!(true)));
    let task = house.store().row(Table::Task, task.id).await.unwrap().unwrap();
    assert_eq!(task.status, "closed");
    let zone = jiff::tz::TimeZone::UTC;
    assert!(!orders::all(house.store(), &zone).await.unwrap()[0].is_open());
}

/// A review whose inputs name a record, held today.
async fn hold(house: &House, brief: Option<Id>) {
    let lines: Vec<Json> = brief
        .iter()
        .map(|id| json!({"ja": "x", "en": "x", "href": format!("/records/{id}")}))
        .collect();
    let today: String = house.store().now().rfc3339().chars().take(10).collect();
    let section = json!({"source": "long_term_threats", "lines": lines, "more": 0});
    let inputs = json!([{"letter": "b", "sections": [section], "reason": ""}]);
    let review = json!({"held_on": today, "drawn_at": today, "inputs": inputs});
    let review = house.enter(Table::Plan, "management_review", "x", review).await;
    let id = house.store().new_id().unwrap();
    let mut held = Row::new(Table::Decision, id, "review_held", "x");
    (held.subject, held.status) = (Some(review.id), "approved".to_owned());
    house.put(held, "account:chief").await;
    let facts = json!({
        "scope": "organisation", "held_on": today, "inputs_present": 7, "inputs_empty": 0,
        "instructions_without_task": 0, "review": review.id,
    });
    let draft = room::draft("isms.review_pack", None, house.store().now(), facts);
    room::write(house.store(), "system:test", draft).await.unwrap();
}

#[tokio::test]
async fn each_strand_of_the_promise_falls_without_its_evidence() {
    let (house, chief) = watched("strands").await;
    reviewed::record(house.store()).await.unwrap();
    let missing = |verdict: &isms::Verdict| verdict.total - verdict.passed;
    assert_eq!(missing(&house.verdict("5.7/take-5").await), 1, "no review had the brief");

    // Two weeks before the review the brief for it is issued, once.
    let day = |hours: i64| -> String {
        let at = house.store().now().plus_hours(hours);
        at.rfc3339().chars().take(10).collect()
    };
    let schedule =
        json!({"activity": "management_review", "every": "P1Y", "first_on": day(24 * 20)});
    house.enter(Table::Rule, "schedule", "x", schedule).await;
    house.round().await;
    assert!(house.of_type(ISSUED).await.is_empty(), "three weeks are left");
    house.later(24 * 7);
    house.round().await;
    house.round().await;
    let issued = house.of_type(ISSUED).await;
    assert_eq!((issued.len(), fact(&issued[0], "horizon")), (1, "long_term"));
    hold(&house, None).await;
    assert_eq!(house.strand("long_term").await["in_last_review"], false, "it was left out");
    house.later(1);
    hold(&house, Some(issued[0].id)).await;
    house.round().await;
    let verdict = house.verdict("5.7/take-5").await;
    assert_eq!(verdict.status, Status::Pass, "{verdict:?}");

    // Late hits, an order without its task, a changed criterion: each alone takes it away.
    notice(&house, "青梅精機の名前が攻撃者のサイトに掲載", "green").await;
    house.later(1);
    house.round().await;
    house.later(30);
    house.round().await;
    let verdict = house.verdict("5.7/take-5").await;
    assert_eq!((verdict.status, missing(&verdict)), (Status::Fail, 1), "a hit was late");

    let order = json!({"order": "x", "due": day(24), "horizon": "short_term"});
    let mut order = house.enter(Table::Decision, ORDER, "x", order).await;
    house.round().await;
    assert_eq!(missing(&house.verdict("5.7/take-5").await), 2, "nobody owns it");
    order.attributes.insert("due".to_owned(), json!(day(-48)));
    house.put(order, "account:other").await;
    assert_eq!(house.strand("orders").await["overdue"], 1);

    let mut rule = house.store().all(Table::Rule, &[ESCALATION]).await.unwrap().remove(0);
    rule.attributes.insert("examples".to_owned(), json!("another"));
    house.put(rule, "account:other").await;
    house.round().await;
    assert_eq!(missing(&house.verdict("5.7/take-5").await), 3);
    let written = house.of_type(REVIEWED).await.len();
    house.round().await;
    assert_eq!(house.of_type(REVIEWED).await.len(), written, "what did not change is not told");

    // A year later the review is last year's.
    house.approve_all(&chief).await;
    house.later(24 * 366);
    assert_eq!(house.strand("long_term").await["in_last_review"], false);
}

#[tokio::test]
async fn it_and_executives_use_it_only_with_both_records() {
    let (house, chief) = watched("use").await;
    let item = notice(&house, "青梅精機の名前が攻撃者のサイトに掲載", "green").await;
    house.round().await;
    assert_ne!(house.verdict("5.7/ume-2").await.status, Status::Pass);
    let issued = house.of_type(ISSUED).await.remove(0);
    let acknowledge = format!("/intelligence/brief/{}/acknowledge", issued.id);
    assert_eq!(house.send(&chief.who, &acknowledge, &[]).await.0, 303);
    assert_ne!(house.verdict("5.7/ume-2").await.status, Status::Pass, "IT did nothing yet");
    let facts = json!({"item": item.id, "verdict": "act", "audience": "it", "proof": "mail"});
    let now = house.store().now();
    let draft = room::draft("threat_intelligence.action_closed", Some(item.id), now, facts);
    room::write(house.store(), "account:other", draft).await.unwrap();
    assert_eq!(house.verdict("5.7/ume-2").await.status, Status::Pass);
    house.later(24 * 366);
    assert_ne!(house.verdict("5.7/ume-2").await.status, Status::Pass, "it aged");
}
