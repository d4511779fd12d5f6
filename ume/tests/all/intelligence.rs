//! From a notice that somebody pastes to a closed action: real server, real extraction, real records.

use model::{Id, Table};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::Row;

use crate::findings::Place;

const NOTICE: &str = "取扱注意（AMBER） 自組織限定\n\n件名：製造業を狙う標的型メール <script>alert(1)</script>\n\n\
    ■期間\n2023.06.14~07.23\n■メールの件名\n【至急】図面のご確認\n■通信先\nhxxps://cdn[.]evil-parts[.]example/gate?x=1\n\
    203[.]0[.]113[.]77\n■攻撃元\n198[.]51[.]100[.]9\n■ハッシュ値（SHA-256）\n\
    CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB\n■対策\nファームウェアを 7.2.4.1 以降に更新してください。\n\
    参考：https://www.notice.example.jp/2023/0612.html\n";

pub(crate) async fn noticed() -> (Place, Row) {
    let place = Place::over(tempfile::tempdir().unwrap()).await;
    let source = json!({
        "active": true, "format": "hand", "interval_min": 1440, "tlp_default": "green",
    });
    let source = place.put_row(Table::Asset, "intel_source", source).await;
    let profile = json!({ "sector": "製造業（精密工作機械）", "exposed_services": ["VPN"] });
    place.put_row(Table::Asset, "org_profile", profile).await;
    (place, source)
}

/// Hands something in as the page does; gives status and where to.
async fn hand_in(
    place: &Place,
    role: &str,
    parts: &[(&str, Option<&str>, &[u8])],
) -> (u16, String) {
    let who = place.served.browser(role).await;
    let mut body = Vec::new();
    let mut add = |name: &str, file: Option<&str>, bytes: &[u8]| {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
        let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    };
    add("csrf", None, who.csrf.as_bytes());
    for (name, file, bytes) in parts {
        add(name, *file, bytes);
    }
    body.extend_from_slice(b"--b--\r\n");
    let request = place.served.request(Method::POST, "/intelligence");
    let request = request.header(header::COOKIE, &who.cookie);
    let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    let answer = request.body(body).send().await.unwrap();
    let to = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), to.unwrap_or_default())
}

pub(crate) async fn paste(place: &Place, source: Id) -> (String, Id) {
    let source = source.to_string();
    let parts = [("source", None, source.as_bytes()), ("text", None, NOTICE.as_bytes())];
    let (status, to) = hand_in(place, "administrator", &parts).await;
    assert_eq!(status, 303, "{to}");
    let id = to.rsplit('/').next().unwrap().parse().unwrap();
    (to, id)
}

/// The fields of the form that confirms, as a browser would send them.
pub(crate) fn fields(page: &str) -> Vec<(String, String)> {
    let value = |from: &str| {
        let (_, rest) = from.split_once("value=\"").unwrap();
        let text = rest.split_once('"').unwrap().0;
        text.replace("&#38;", "&").replace("&amp;", "&").replace("&#60;", "<").replace("&#62;", ">")
    };
    let mut all = Vec::new();
    for row in page.split("<tr><td><input type=\"checkbox\" name=\"keep-").skip(1) {
        let row = row.split_once("</tr>").unwrap().0;
        let number = row.split_once('"').unwrap().0;
        if !row.split_once("aria-label").unwrap().0.contains("checked") {
            continue;
        }
        all.push((format!("keep-{number}"), "1".to_owned()));
        for name in ["kind", "value", "days"] {
            let (_, from) = row.split_once(&format!("name=\"{name}-{number}\"")).unwrap();
            all.push((format!("{name}-{number}"), value(from)));
        }
        let direction = row.split("<option value=\"").find(|option| option.contains(" selected"));
        let direction = direction.map_or("", |option| option.split_once('"').unwrap().0);
        all.push((format!("direction-{number}"), direction.to_owned()));
    }
    all
}

pub(crate) async fn row(place: &Place, table: Table, id: Id) -> Row {
    place.store().row(table, id).await.unwrap().expect("a row")
}

#[tokio::test]
async fn a_pasted_notice_becomes_indicators_a_verdict_a_task_and_its_closing_record() {
    let (place, source) = noticed().await;
    let (path, id) = paste(&place, source.id).await;
    let item = row(&place, Table::Asset, id).await;
    assert_eq!(item.attributes["tlp"], "amber_strict");
    assert_eq!(item.attributes["active_from"], "2023-06-14");
    assert_eq!(item.attributes["active_to"], "2023-07-23");
    let received = "threat_intelligence.intel_received";
    let record = place.store().newest_records(&[received], Some(source.id), 9).await.unwrap();
    assert_eq!((record.len(), &record[0].facts["items"]), (1, &json!(1)));

    let page = place.page("administrator", &path).await;
    assert!(!page.contains("<script>alert"), "what a notice says is text");
    assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"));
    assert!(page.contains("TLP:AMBER+STRICT") || page.contains("AMBER+STRICT"), "marking is shown");
    assert!(page.contains("製造業"), "relevance names the sector");

    let fields = fields(&page);
    let named = |name: &str| -> Vec<&str> {
        let of = fields.iter().filter(|(field, _)| field.starts_with(name));
        of.map(|(_, value)| value.as_str()).collect()
    };
    let values = named("value-");
    assert!(values.contains(&"https://cdn.evil-parts.example/gate?x=1"), "{values:?}");
    assert!(values.contains(&"203.0.113.77") && values.contains(&"198.51.100.9"), "{values:?}");
    assert!(!values.iter().any(|value| value.contains("notice.example.jp") || *value == "7.2.4.1"));
    let sent: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(place.send("administrator", &format!("{path}/confirm"), &sent).await, 303);

    let all = place.api("/api/v1/threat_intelligence/indicators").await;
    let all = all["indicators"].as_array().unwrap().clone();
    let of = |value: &str| all.iter().find(|line| line["value"] == value).unwrap_or(&Json::Null);
    assert_eq!(of("203.0.113.77")["direction"], "destination");
    assert_eq!(of("198.51.100.9")["direction"], "source");
    assert_eq!(of("203.0.113.77")["valid_from"], "2023-06-14T00:00:00Z");
    let hash = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    assert_eq!(of(hash)["kind"], "sha256");
    assert_eq!(of(hash)["tlp"], "amber_strict");

    let act = [
        ("verdict", "act"),
        ("reason", "同業を狙うため"),
        ("advice", "遮断して過去ログを調べる"),
        ("input-indicator", "1"),
        ("urgent", "1"),
    ];
    assert_eq!(place.send("administrator", &format!("{path}/triage"), &act).await, 303);
    let triaged = "threat_intelligence.intel_triaged";
    let records = place.store().newest_records(&[triaged], Some(id), 9).await.unwrap();
    let facts = &records[0].facts;
    assert_eq!((&facts["verdict"], &facts["limit_min"]), (&json!("act"), &json!(240)));
    assert_eq!(facts["reasons"], json!(["sector"]), "the words of the notice, no names");
    assert_ne!(place.send("administrator", &format!("{path}/triage"), &act).await, 303, "once");

    let mut tasks = place.store().rows_about(Table::Task, &[id]).await.unwrap();
    let task = tasks.pop().expect("a task");
    assert!(tasks.is_empty());
    assert_eq!(task.attributes["closes_with"], "threat_intelligence.action_closed");
    let (task_id, proof) = (task.id.to_string(), "house.rules_applied 2026-11-29");
    let done = [("task", task_id.as_str()), ("proof", proof)];
    assert_eq!(place.send("administrator", &format!("{path}/done"), &done).await, 303);
    let task = row(&place, Table::Task, task.id).await;
    assert_eq!(task.status, "closed");
    let closed = place.store().newest_records(&["threat_intelligence.action_closed"], Some(id), 9);
    let closed = closed.await.unwrap();
    assert_eq!(closed.len(), 1);
    assert_eq!(task.attributes["closed_by"], json!(closed[0].id.to_string()));
    assert_eq!(
        (&closed[0].facts["audience"], &closed[0].facts["proof"]),
        (&json!("it"), &json!(proof))
    );
    assert_ne!(
        place.send("administrator", &format!("{path}/done"), &done).await,
        303,
        "closed once"
    );
    place.costs_little("administrator", "/intelligence").await;
}

#[tokio::test]
async fn the_same_original_is_one_item() {
    let (place, source) = noticed().await;
    let first = paste(&place, source.id).await;
    let second = paste(&place, source.id).await;
    assert_eq!(first, second);
    let received = place.store().newest_records(&["threat_intelligence.intel_received"], None, 9);
    assert_eq!(received.await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_original_of_unknown_encoding_is_kept_and_asked_about() {
    let (place, source) = noticed().await;
    let source = source.id.to_string();
    // Shift_JIS, but for one byte.
    let bytes: &[u8] = b"\x92\xca\x90M\x90\xe6: 203[.]0[.]113[.]5 \xff\xff\x81";
    let parts = [("source", None, source.as_bytes()), ("file", Some("notice.txt"), bytes)];
    let (status, to) = hand_in(&place, "administrator", &parts).await;
    assert_eq!(status, 303);
    assert!(to.starts_with("/intelligence?kept="), "{to}");
    let page = place.page("administrator", &to).await;
    assert!(page.contains("name=\"kept\"") && page.contains("notice.txt"));
    let items = place.api("/api/v1/threat_intelligence/items").await;
    assert_eq!(items["items"], json!([]), "nothing is guessed");
}

#[tokio::test]
async fn what_a_notice_says_is_shown_to_those_who_judge_and_a_foreign_form_is_refused() {
    let (place, source) = noticed().await;
    let (path, _) = paste(&place, source.id).await;
    // The notice is for the own organisation only, and an auditor comes from outside.
    let outside = place.served.browser("auditor").await;
    let request = place.served.request(Method::GET, &path);
    let answer = request.header(header::COOKIE, &outside.cookie).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    let said = answer.text().await.unwrap();
    assert!(!said.contains("203[.]0[.]113[.]77") && !said.contains("203.0.113.77"));
    let parts = [("source", None, &b"x"[..]), ("text", None, NOTICE.as_bytes())];
    assert_eq!(hand_in(&place, "auditor", &parts).await.0, 403, "the role writes nothing");
    let who = place.served.browser("administrator").await;
    let request = place.served.request(Method::POST, &format!("{path}/triage"));
    let request =
        request.header(header::COOKIE, &who.cookie).header("origin", "https://evil.example");
    let body = format!("csrf={}&verdict=discard&reason=x", who.csrf);
    let request =
        request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn a_value_that_is_none_of_its_kind_is_refused_by_name() {
    let (place, source) = noticed().await;
    let (path, id) = paste(&place, source.id).await;
    let wrong =
        [("keep-0", "1"), ("kind-0", "ip"), ("value-0", "203.0.113.999"), ("direction-0", "")];
    let status = place.send("administrator", &format!("{path}/confirm"), &wrong).await;
    assert_eq!(status, 400);
    let item = row(&place, Table::Asset, id).await;
    assert!(!item.attributes.contains_key("indicator_rows"));
}
