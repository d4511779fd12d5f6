//! From documents of news and vulnerability services to one line of the inbox, a row of the register, and a fake site
//! whose removal was asked for: real server, real pages, real jobs.

use model::Table;
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::RecordDraft;
use threat_intelligence::work::{
    news::{exposure, look, vulnerabilities},
    relevance::{Hit, hits},
};

use crate::{findings::Place, intelligence::noticed};

const NEWS: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>news</title><language>ja</language>
<item><guid>n1</guid><title>VPN装置の脆弱性</title><link>https://n.example/1</link><description>CVE-2026-10001 が悪用されています。</description></item>
<item><guid>n2</guid><title>続報</title><link>https://n.example/2</link><description>CVE-2026-10001 &lt;script&gt;alert(1)&lt;/script&gt; 通信先：oumeseiki-login[.]test</description></item>
<item><guid>n3</guid><title>別の話題</title><link>https://n.example/3</link><description>何も起きていません。</description></item>
</channel></rss>"#;
const KEV: &str = r#"{"title": "KEV", "catalogVersion": "2026.11.29", "count": 1, "vulnerabilities": [
    {"cveID": "CVE-2026-10001", "vendorProject": "A", "product": "VPN", "vulnerabilityName": "VPN flaw", "requiredAction": "Update it"}]}"#;
const EPSS: &str = "#model_version:v1,score_date:2026-11-28T00:00:00+0000\ncve,epss,percentile\nCVE-2026-10001,0.73,0.99\n";

/// Hands files in as the page does; gives status and where to.
async fn upload(place: &Place, source: &str, files: &[&str]) -> (u16, String) {
    let who = place.served.browser("administrator").await;
    let mut body = String::new();
    for (name, value) in [("csrf", who.csrf.as_str()), ("source", source)] {
        body +=
            &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    for (at, file) in files.iter().enumerate() {
        let name = if at == 0 { "file".to_owned() } else { format!("file-{}", at + 1) };
        body += &format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x{at}\"\r\n\r\n{file}\r\n"
        );
    }
    body += "--b--\r\n";
    let request = place.served.request(Method::POST, "/intelligence");
    let request = request.header(header::COOKIE, &who.cookie);
    let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    let answer = request.body(body).send().await.unwrap();
    let to = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), to.unwrap_or_default())
}

#[tokio::test]
async fn news_and_lists_become_one_line_a_row_and_a_reason_to_escalate() {
    let (place, source) = noticed().await;
    let source = source.id.to_string();
    let host = place.put_row(Table::Asset, "host", json!({ "hostname": "vpn1" })).await;
    let told = json!({ "touches": { "CVE-2026-10001": { "parts": [{ "name": "vpn", "state": "affected" }] } } });
    let mut write = place.store().write("test", "", "").await.unwrap();
    let draft = room::draft(
        exposure::RUN,
        Some(host.id),
        place.store().now(),
        json!({
            "sbom_age_h": 1, "advisories_age_h": 1, "verdict_min_max": 1, "affected": 1, "unknown": 0,
        }),
    );
    write.record(RecordDraft { payload: serde_json::to_vec(&told).ok(), ..draft }).await.unwrap();
    write.commit().await.unwrap();

    let (status, to) = upload(&place, &source, &[NEWS, KEV, EPSS]).await;
    assert_eq!((status, to.as_str()), (303, "/intelligence"), "several at once");
    let items = place.store().all(Table::Asset, &["intel_item"]).await.unwrap();
    assert_eq!(items.len(), 3, "one for each entry, none for the lists");
    assert_eq!(upload(&place, &source, &[NEWS]).await.0, 303);
    let again = place.store().all(Table::Asset, &["intel_item"]).await.unwrap();
    assert_eq!(again.len(), 3, "nothing twice");

    look::run(place.ctx()).await.unwrap();
    vulnerabilities::run(place.ctx()).await.unwrap();
    let items = place.store().all(Table::Asset, &["intel_item"]).await.unwrap();
    let named = |name: &str| items.iter().find(|item| item.name == name).unwrap();
    assert_eq!(hits(named("VPN装置の脆弱性")), [Hit::KevExposed]);
    assert_eq!(hits(named("別の話題")), []);
    let page = place.page("administrator", "/intelligence").await;
    assert!(page.contains("<summary>+1</summary>"), "two about the same are one line");
    assert!(!page.contains("<script>alert"), "what news say is text");
    let path = format!("/intelligence/{}", named("続報").id);
    assert!(!place.page("administrator", &path).await.contains("<script>alert"));

    let all = place.api("/api/v1/threat_intelligence/vulnerabilities").await;
    let one = &all["vulnerabilities"][0];
    assert_eq!(
        (&one["cve"], &one["exploited"], &one["epss_permille"]),
        (&json!("CVE-2026-10001"), &json!(true), &json!(730))
    );
    assert_eq!(
        (&one["affected"], one["items"].as_array().map(Vec::len)),
        (&json!(["own"]), Some(2))
    );
    let page = place.page("administrator", "/intelligence/vulnerabilities?q=10001").await;
    assert!(page.contains("CVE-2026-10001") && page.contains("73.0 %"), "{page}");
    let page = place.page("auditor", "/intelligence/vulnerabilities?q=nothing").await;
    assert!(!page.contains("CVE-2026-10001"));
}

#[tokio::test]
async fn a_fake_site_is_told_with_its_reason_and_its_removal_is_asked_for_once() {
    let (place, source) = noticed().await;
    let brand = json!({ "words": ["oumeseiki"], "domains": ["oumeseiki.example"], "takedown_contact": "abuse@r.example" });
    let brand = place.put_row(Table::Asset, "brand", brand).await;
    let (status, _) = upload(&place, &source.id.to_string(), &[NEWS]).await;
    assert_eq!(status, 303);
    look::run(place.ctx()).await.unwrap();
    let page = place.page("administrator", "/intelligence/brands").await;
    assert!(page.contains("oumeseiki-login.test"), "{page}");
    let brand_id = brand.id.to_string();
    let ask = |domain: &str| {
        [
            ("brand", brand_id.clone()),
            ("domain", domain.to_owned()),
            ("note", "registrar, by mail".to_owned()),
        ]
    };
    let send = async |domain: &str| {
        let fields = ask(domain);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        place.send("administrator", "/intelligence/brands/takedown", &fields).await
    };
    assert_ne!(send("innocent.test").await, 303, "it looks like nothing of ours");
    assert_ne!(send("www.oumeseiki.example").await, 303, "it is ours");
    assert_eq!(send("oumeseiki-login.test").await, 303);
    let ty = "threat_intelligence.takedown_requested";
    let records = place.store().newest_records(&[ty], Some(brand.id), 9).await.unwrap();
    assert_eq!((records.len(), &records[0].facts["likeness"]), (1, &json!("word")));
    let facts = Json::Object(records[0].facts.clone()).to_string();
    assert!(!facts.contains("registrar"), "whom one asked lies in the payload");
    let all = place.api("/api/v1/threat_intelligence/brands").await;
    assert!(all["domains"][0]["asked_at"].is_string(), "{all}");
}
