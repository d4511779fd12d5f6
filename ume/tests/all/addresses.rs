//! Addresses in use, seen in a network of the test's own, held against the register by the real job.

use std::{path::Path, process::Command};

use model::{Id, Table};
use serde_json::{Value as Json, json};
use store::{Row, Store};

use crate::served::Served;

const NETWORK: &str = "
ip link add lan0 type bridge && ip link set lan0 address 02:00:00:00:00:01 && ip link set lan0 up &&
ip addr add 198.51.100.1/28 dev lan0 && ip addr add 2001:db8:1::1/64 dev lan0 nodad &&
ip neigh replace 198.51.100.2 lladdr 02:00:00:00:00:02 dev lan0 nud permanent &&
ip neigh replace 198.51.100.3 lladdr 02:00:00:00:00:33 dev lan0 nud permanent &&
ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:09 dev lan0 nud permanent &&
ip neigh replace 2001:db8:1::9 lladdr 02:00:00:00:00:09 dev lan0 nud permanent";

/// Runs a script in a network namespace of its own; nothing where the machine does not let us.
fn apart(script: &str) -> Option<String> {
    let mut shell = Command::new("unshare");
    shell.args(["--net", "--map-root-user", "bash", "-ec", script]);
    let output = shell.env("LC_ALL", "C").env("UME_LOG", "warn").output().ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Some(text(&output.stdout)),
        false => {
            eprintln!("{}", text(&output.stderr));
            None
        }
    }
}

async fn put(store: &Store, kind: &str, name: &str, attributes: Json) -> Id {
    let mut row = Row::new(Table::Asset, store.new_id().unwrap(), kind, name);
    row.attributes = attributes.as_object().cloned().unwrap();
    let mut write = store.write("test", "", "").await.unwrap();
    let id = write.put(row).await.unwrap().id;
    write.commit().await.unwrap();
    id
}

async fn audited(store: &Store, subnet: Id) -> (Json, Json) {
    let newest = store.newest_records(&["configuration.address_audit"], Some(subnet), 1).await;
    let record = newest.unwrap().pop().expect("a record");
    let payload = store.payload(record.id).await.unwrap().unwrap();
    (Json::from(record.facts), serde_json::from_slice(&payload).unwrap())
}

fn addresses(payload: &Json, name: &str) -> Vec<String> {
    let all = payload[name].as_array().unwrap();
    all.iter().map(|entry| entry["address"].as_str().unwrap().to_owned()).collect()
}

fn run(data: &Path) -> Option<String> {
    let (ume, data) = (env!("CARGO_BIN_EXE_ume"), data.to_str().unwrap());
    apart(&format!("{NETWORK} && {ume} work run configuration.addresses --data {data}"))
}

#[tokio::test]
async fn what_is_in_use_is_held_against_the_register_and_an_exception_decides_a_conflict() {
    if apart(NETWORK).is_none() {
        println!("skipped: no network namespace may be made here, or there is no ip");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
    let lan = put(&store, "subnet", "LAN", json!({"cidr": "198.51.100.0/28"})).await;
    let six = put(&store, "subnet", "LAN6", json!({"cidr": "2001:db8:1::/64"})).await;
    put(&store, "subnet", "typo", json!({"cidr": "198.51.100/28"})).await;
    let given =
        |address: &str, mac: &str| json!({"address": address, "state": "allocated", "mac": mac});
    put(&store, "address", "gw", given("198.51.100.1", "02-00-00-00-00-01")).await;
    put(&store, "address", "web", given("198.51.100.2", "0200.0000.0002")).await;
    let db = put(&store, "address", "db", given("198.51.100.3", "02:00:00:00:00:03")).await;
    put(&store, "address", "old", given("198.51.100.5", "")).await;
    store.db().close().await;
    let said = run(folder.path()).expect("the job ran");
    assert!(said.contains("typo"), "a range that is none is named: {said}");
    let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
    let (facts, payload) = audited(&store, lan).await;
    assert_eq!(facts, json!({"observed": 4, "allocated": 3, "conflicts_undecided": 1, "idle": 1}));
    assert_eq!(addresses(&payload, "unallocated"), ["198.51.100.9"]);
    assert_eq!(addresses(&payload, "conflicts"), ["198.51.100.3"]);
    assert_eq!(payload["conflicts"][0]["seen"], "02:00:00:00:00:33");
    assert_eq!(addresses(&payload, "idle"), ["198.51.100.5"]);
    let (facts, payload) = audited(&store, six).await;
    assert_eq!((&facts["observed"], &facts["allocated"]), (&json!(2), &json!(0)));
    assert_eq!(addresses(&payload, "unallocated"), ["2001:db8:1::1", "2001:db8:1::9"]);
    // An exception for the row decides.
    let mut row = Row::new(Table::Decision, store.new_id().unwrap(), "exception", "db moves");
    row.status = "approved".to_owned();
    row.subject = Some(db);
    let mut write = store.write("test", "", "").await.unwrap();
    write.put(row).await.unwrap();
    write.commit().await.unwrap();
    store.db().close().await;
    run(folder.path()).expect("the job ran again");
    let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
    assert_eq!(audited(&store, lan).await.0["conflicts_undecided"], 0);
    // Nothing changed since: nothing is written.
    let count =
        store.newest_records(&["configuration.address_audit"], None, 10).await.unwrap().len();
    store.db().close().await;
    run(folder.path()).expect("the job ran a third time");
    let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
    let after = store.newest_records(&["configuration.address_audit"], None, 10).await.unwrap();
    assert_eq!(after.len(), count);
    // The page and the document say the same, to whoever may read the register.
    // The test's server signs as another than the program did.
    std::fs::remove_dir_all(folder.path().join("ledger")).unwrap();
    let served = Served::over(store, folder, 1_000_000).await;
    let auditor = served.browser("auditor").await;
    let path = "/configuration/addresses";
    let page = served.request(reqwest::Method::GET, path);
    let page = page.header("cookie", format!("{}; ume_lang=en", auditor.cookie));
    let page = page.send().await.unwrap().text().await.unwrap();
    for text in [
        "198.51.100.9",
        "Used by another device",
        "02:00:00:00:00:33",
        "typo",
        "class=\"conflict\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let token = served.token("auditor").await;
    let told = served.with(&token, reqwest::Method::GET, &format!("/api/v1{path}"));
    let told: Json = told.send().await.unwrap().json().await.unwrap();
    assert_eq!(told["subnets"][0]["facts"]["observed"], 4);
    assert_eq!(told["subnets"][0]["conflicts"][0]["row"], "db");
}
