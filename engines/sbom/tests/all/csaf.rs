//! The mandatory tests of CSAF: each fault is found by its test, and by no other.

use sbom::csaf::check::check;
use serde_json::{Value, json};

fn good() -> Value {
    serde_json::from_str(include_str!("data/csaf-vex.json")).unwrap()
}

fn tests(document: &Value) -> Vec<&'static str> {
    let mut out: Vec<&str> = check(document).iter().map(|f| f.test).collect();
    out.dedup();
    out
}

#[test]
fn a_good_document_passes() {
    assert_eq!(check(&good()), []);
}

#[test]
fn each_fault_is_found_by_its_test() {
    let score = |vector: &str, base: f64, severity: &str, more: Value| {
        let mut cvss = json!({"version": "3.1", "vectorString": vector, "baseScore": base, "baseSeverity": severity});
        for (k, v) in more.as_object().unwrap() {
            cvss[k] = v.clone();
        }
        json!([{"products": ["shop"], "cvss_v3": cvss}])
    };
    const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let twice = {
        let one = score(CRITICAL, 9.8, "CRITICAL", json!({}));
        json!([one[0], one[0]])
    };
    let history = |list: Value| ("/document/tracking/revision_history", list);
    let date = "2024-01-02T00:00:00Z";
    let cases: &[(&str, (&str, Value))] = &[
        ("6.1.1", ("/vulnerabilities/0/product_status/fixed", json!(["nobody"]))),
        ("6.1.2", ("/product_tree/relationships/0/full_product_name/product_id", json!("shop"))),
        ("6.1.3", ("/product_tree/relationships/0/product_reference", json!("EL9:openssl-fixed"))),
        ("6.1.4", ("/vulnerabilities/0/flags/0/group_ids", json!(["none"]))),
        (
            "6.1.5",
            (
                "/product_tree/product_groups",
                json!([{"group_id": "g", "product_ids": ["shop", "EL9"]}, {"group_id": "g", "product_ids": ["shop", "EL9"]}]),
            ),
        ),
        ("6.1.6", ("/vulnerabilities/0/product_status/under_investigation", json!(["shop"]))),
        ("6.1.7", ("/vulnerabilities/0/scores", twice)),
        (
            "6.1.8",
            ("/vulnerabilities/0/scores", score("CVSS:3.1/AV:N", 9.8, "CRITICAL", json!({}))),
        ),
        ("6.1.9", ("/vulnerabilities/0/scores", score(CRITICAL, 9.1, "CRITICAL", json!({})))),
        ("6.1.9", ("/vulnerabilities/0/scores", score(CRITICAL, 9.8, "LOW", json!({})))),
        (
            "6.1.10",
            (
                "/vulnerabilities/0/scores",
                score(CRITICAL, 9.8, "CRITICAL", json!({"attackVector": "LOCAL"})),
            ),
        ),
        ("6.1.11", ("/vulnerabilities/0/cwe", json!({"id": "CWE-079", "name": "x"}))),
        ("6.1.12", ("/document/lang", json!("E"))),
        (
            "6.1.13",
            (
                "/product_tree/branches/0/branches/2/product/product_identification_helper/purl",
                json!("pkg:swift/x"),
            ),
        ),
        (
            "6.1.14",
            history(
                json!([{"date": "2024-01-01T00:00:00Z", "number": "2", "summary": "s"}, {"date": date, "number": "1", "summary": "s"}]),
            ),
        ),
        ("6.1.15", ("/document/publisher/category", json!("translator"))),
        ("6.1.16", ("/document/tracking/version", json!("2"))),
        ("6.1.17", ("/document/tracking/version", json!("0"))),
        (
            "6.1.18",
            history(
                json!([{"date": "2024-01-01T00:00:00Z", "number": "0", "summary": "s"}, {"date": date, "number": "1", "summary": "s"}]),
            ),
        ),
        (
            "6.1.21",
            history(
                json!([{"date": "2024-01-01T00:00:00Z", "number": "3", "summary": "s"}, {"date": date, "number": "1", "summary": "s"}]),
            ),
        ),
        (
            "6.1.22",
            history(
                json!([{"date": date, "number": "1", "summary": "s"}, {"date": date, "number": "1", "summary": "s"}]),
            ),
        ),
        ("6.1.23", ("/vulnerabilities/1", good()["vulnerabilities"][0].clone())),
        (
            "6.1.24",
            (
                "/vulnerabilities/0/involvements",
                json!([{"party": "vendor", "status": "open"}, {"party": "vendor", "status": "disputed"}]),
            ),
        ),
        (
            "6.1.25",
            (
                "/product_tree/branches/0/branches/2/product/product_identification_helper/hashes",
                json!([{"filename": "f", "file_hashes": [{"algorithm": "sha256", "value": "a"}, {"algorithm": "sha256", "value": "b"}]}]),
            ),
        ),
        ("6.1.26", ("/document/category", json!("Security Advisory"))),
        ("6.1.27.9", ("/vulnerabilities/0/flags", json!([]))),
        ("6.1.27.10", ("/vulnerabilities/0/product_status/known_affected", json!(["EL9"]))),
        ("6.1.27.8", ("/vulnerabilities/0/cve", Value::Null)),
        ("6.1.28", ("/document/source_lang", json!("en"))),
        (
            "6.1.29",
            (
                "/vulnerabilities/0/remediations",
                json!([{"category": "workaround", "details": "d"}]),
            ),
        ),
        ("6.1.30", history(json!([{"date": date, "number": "1.0.0", "summary": "s"}]))),
        ("6.1.31", ("/product_tree/branches/0/branches/2/name", json!("prior to 2.1"))),
        ("6.1.32", ("/vulnerabilities/0/flags/1", json!({"label": "component_not_present"}))),
        (
            "6.1.33",
            (
                "/vulnerabilities/0/flags/1",
                json!({"label": "component_not_present", "product_ids": ["shop"]}),
            ),
        ),
    ];
    for (test, (pointer, value)) in cases {
        let mut document = good();
        if *test == "6.1.28" {
            document["document"]["lang"] = json!("en");
        }
        put(&mut document, pointer, value.clone());
        let found = tests(&document);
        assert!(found.contains(test), "{test} at {pointer}: {found:?}");
    }
}

fn put(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(members) if value.is_null() => {
            members.remove(name);
        }
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(list) => {
            let at: usize = name.parse().unwrap();
            if at == list.len() { list.push(value) } else { list[at] = value }
        }
        _ => panic!("{pointer}"),
    }
}

#[test]
fn nothing_panics_on_other_json() {
    for value in
        [json!(null), json!([]), json!({"document": 1, "vulnerabilities": {}, "product_tree": []})]
    {
        let _ = check(&value);
    }
}
