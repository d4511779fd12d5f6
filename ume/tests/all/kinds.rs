//! What kinds declare between their fields holds whichever way a row comes, and is shown.

use reqwest::{Method, header};
use serde_json::json;

use crate::{
    rooms,
    served::{Browser, Served, read},
};

async fn send(served: &Served, who: &Browser, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    let mut all = vec![("csrf", who.csrf.as_str())];
    all.extend_from_slice(form);
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", urlencoding::encode(value));
    let body = all.iter().map(pair).collect::<Vec<_>>().join("&");
    let request = served.request(Method::POST, path).header(header::COOKIE, &who.cookie);
    let kind = "application/x-www-form-urlencoded";
    let response = request.header(header::CONTENT_TYPE, kind).body(body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[test]
fn every_room_and_the_hall_declare_rules_and_every_long_form_has_headings() {
    let specs: Vec<_> = rooms::ROOMS.into_iter().chain([&isms::SPEC]).collect();
    let mut all = 0;
    for spec in &specs {
        let rules: usize = web::kinds_of(spec).map(|kind| kind.rules.len()).sum();
        assert!(rules > 0, "{} declares no rule", spec.id);
        all += rules;
        let long = web::kinds_of(spec).filter(|kind| kind.fields.len() > 8);
        for kind in long {
            assert!(!kind.groups.is_empty(), "{}", kind.id);
            assert_eq!(kind.laid_out().len(), kind.fields.len(), "{}", kind.id);
        }
        for kind in web::kinds_of(spec) {
            assert_eq!(kind.contradictions(), Vec::<String>::new());
            for lang in [model::Lang::Ja, model::Lang::En] {
                assert!(kind.rule_texts(lang).iter().all(|text| text.chars().count() > 8));
            }
        }
    }
    assert!(all >= 25, "only {all} rules");
}

#[tokio::test]
async fn a_rule_is_judged_by_form_api_import_and_bulk_edit_alike() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let token = served.token("officer").await;

    // API: the pointer names the field, the text the other one.
    let row = |attributes: serde_json::Value| {
        let body = json!({"kind": "cloud_service", "name": "サービス", "attributes": attributes});
        served.with(&token, Method::POST, "/api/v1/assets").json(&body)
    };
    let (status, _, problem) = read(row(json!({"usage_state": "ended"}))).await;
    assert_eq!(status, 422);
    assert_eq!(problem["errors"][0]["pointer"], "/attributes/ended", "{problem}");
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert_eq!(detail, "Required when “State of use” is Ended.");
    let early =
        json!({"usage_state": "in_use", "started": "2026-04-02", "contract_end": "2026-04-01"});
    let (status, _, problem) = read(row(early)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/attributes/contract_end"))
    );
    let good = json!({"usage_state": "ended", "started": "2026-04-01", "ended": "2026-04-01"});
    let (status, _, made) = read(row(good)).await;
    assert_eq!(status, 201, "{made}");

    // Form: headings, conditions as text and for the script, the fault beside its field.
    let path = "/register/asset/cloud_service/new";
    let request = served.request(Method::GET, path).header(header::COOKIE, &officer.cookie);
    let html = request.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("<h2>Contract and management</h2>"), "{html}");
    // Two rules speak of the end, so the script leaves it where it is.
    assert!(html.contains("“Ended” is required when “State of use” is Ended or Archived."));
    let request = served.request(Method::GET, "/register/asset/backup/new");
    let request = request.header(header::COOKIE, &officer.cookie);
    let page = request.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("data-when=\"f_encrypted\" data-is=\"true\""), "{page}");
    let sent = [("name", "x"), ("f_usage_state", "archived")];
    let (status, html) = send(&served, &officer, path, &sent).await;
    assert_eq!(status, 200);
    assert!(html.contains("Required when “State of use” is Archived."), "{html}");

    // Import: the cell.
    let csv = "name,usage_state,started,contract_end\r\na,in_use,2026-04-02,2026-04-01\r\n";
    let path = "/api/v1/assets/import?kind=cloud_service";
    let request = served.with(&token, Method::POST, path).header("content-type", "text/csv");
    let (status, _, problem) = read(request.body(csv)).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("D2")), "{problem}");

    // Bulk edit: the preview names it, and nothing is saved.
    let id = made["id"].as_str().unwrap();
    let chosen = [("id", id), ("set", "ended"), ("to", "2026-03-31")];
    let (_, html) = send(&served, &officer, "/register/asset/cloud_service/bulk", &chosen).await;
    assert!(html.contains("Must not be before “Started”."), "{html}");
    let row = format!("{id} 1");
    let save = [
        ("row", row.as_str()),
        ("set", "ended"),
        ("to", "2026-03-31"),
        ("step", "save"),
        ("reason", "test"),
    ];
    let (status, _) = send(&served, &officer, "/register/asset/cloud_service/bulk", &save).await;
    assert_eq!(status, 400);

    // The API's document shows them.
    let document: serde_json::Value =
        served.request(Method::GET, "/openapi.json").send().await.unwrap().json().await.unwrap();
    let rules = &document["components"]["schemas"]["asset.cloud_service"]["x-rules"];
    assert_eq!(rules[0]["rule"], "not_before");
    assert_eq!(rules[2]["is"], json!(["ended", "archived"]));
}

#[tokio::test]
async fn a_table_and_a_length_of_time_go_through_form_api_export_and_import() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let token = served.token("officer").await;
    let path = "/register/plan/continuity_plan/new";
    let form = [
        ("name", "復旧計画"),
        ("f_scenario", "cyber"),
        ("f_steps.0.what", "切り離す | 止める"),
        ("f_steps.0.takes", "90分"),
        ("f_steps.1.what", ""),
        ("f_steps.2.what", "戻す"),
        ("f_steps.2.who", "情シス"),
    ];
    let (status, html) = send(&served, &officer, path, &form).await;
    assert_eq!(status, 303, "{html}");
    let wanted = json!([
        {"what": "切り離す | 止める", "takes": "PT1H30M"},
        {"what": "戻す", "who": "情シス"},
    ]);
    let rows = served.house.store.all(model::Table::Plan, &["continuity_plan"]).await.unwrap();
    assert_eq!(rows[0].attributes["steps"], wanted);

    let here = format!("/row/plan/{}", rows[0].id);
    for (path, text) in [(here.clone(), "1 h 30 min"), (format!("{here}/edit"), "f_steps.4.what")] {
        let request = served.request(Method::GET, &path).header(header::COOKIE, &officer.cookie);
        let html = request.send().await.unwrap().text().await.unwrap();
        assert!(html.contains(text), "{path}: {html}");
    }
    let wrong = [("name", "x"), ("f_scenario", "cyber"), ("f_steps.0.takes", "soon")];
    let (_, html) = send(&served, &officer, path, &wrong).await;
    assert!(html.contains("Row 1, “What”: Please fill this in."), "{html}");

    // What is exported is taken in again as it was.
    let path = "/register/plan/continuity_plan/export";
    let request = served.request(Method::GET, path).header(header::COOKIE, &officer.cookie);
    let csv = request.send().await.unwrap().text().await.unwrap();
    let path = "/api/v1/plans/import?kind=continuity_plan";
    let request = served.with(&token, Method::POST, path).header("content-type", "text/csv");
    let (status, _, done) = read(request.body(csv)).await;
    assert_eq!((status, &done["same"], &done["changed"]), (200, &json!(1), &json!(0)), "{done}");

    let body = json!({"kind": "continuity_plan", "name": "x", "attributes": {
        "scenario": "cyber", "steps": [{"what": "a"}, {"what": "b", "takes": "PT1X"}]}});
    let (status, _, problem) =
        read(served.with(&token, Method::POST, "/api/v1/plans").json(&body)).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/attributes/steps")));
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("Row 2, “Takes”"), "{problem}");
}
