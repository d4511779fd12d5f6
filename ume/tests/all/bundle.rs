//! The audit bundle through the real binary: made beside nobody and beside a running server, read by
//! Go's transparency log code, verified, and its verdict taken in.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use model::Level;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::{rooms, served::Served};

fn ume(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ume"))
        .args(args)
        .env("UME_LOG", "error")
        .env("LC_ALL", "C")
        .output()
        .unwrap()
}

fn good(args: &[&str]) -> String {
    let output = ume(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn unpack(zip: &Path, folder: &Path) {
    let bytes = fs::read(zip).unwrap();
    for (name, content) in isms::bundle::container::read(&bytes).unwrap() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn go(folder: &Path) {
    let sources = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog");
    if Command::new("go").arg("version").output().is_err() || !sources.is_dir() {
        println!("skipped: no golang-go with golang-golang-x-mod-dev");
        return;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golang/verify.go");
    let output = Command::new("go")
        .arg("run")
        .arg(program)
        .arg(folder)
        .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn folder_with_a_year() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = store::Store::open(folder.path(), store::system_clock()).await.unwrap();
    isms::norms::load(&store).await.unwrap();
    store.set_setting("ledger_origin", "example.org/ume").await.unwrap();
    store.db().close().await;
    folder
}

#[tokio::test]
async fn a_bundle_is_made_verified_elsewhere_and_its_verdict_taken_in() {
    let folder = folder_with_a_year().await;
    let data = folder.path().to_str().unwrap();
    let out = tempfile::tempdir().unwrap();
    let at = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    let zip = at("bundle.zip");
    let said = good(&["isms", "bundle", "--data", data, "--to", &zip, "--format", "json"]);
    let made: Json = serde_json::from_str(&said).unwrap();
    assert_eq!(ume(&["isms", "bundle", "--data", data, "--to", &zip]).status.code(), Some(2));

    let vkey = fs::read_to_string(folder.path().join("ledger/vkey")).unwrap();
    let said = good(&["verify", "bundle", &zip, "--key", vkey.trim()]);
    assert!(said.contains("everything holds"), "{said}");
    unpack(Path::new(&zip), &out.path().join("b"));
    go(&out.path().join("b"));
    let unpacked = at("b");
    good(&["verify", "bundle", &unpacked]);
    fs::write(out.path().join("b/leaves/000000000.json"), "{}").unwrap();
    let output = ume(&["verify", "bundle", &unpacked]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("FAULT\tfiles\tleaves/000000000.json"), "{said}");

    let (key, verdict) = (at("auditor.key"), at("verdict.json"));
    good(&["merkle", "note", "key", "--key", &key, "--name", "auditor.example/k"]);
    let sign = ["--sign-with", &key, "--name", "auditor.example/k", "--format", "json"];
    let mut text = good(&[&["verify", "bundle", &zip, "--key", vkey.trim()], &sign[..]].concat());
    fs::write(&verdict, &text).unwrap();
    let take = ["isms", "bundle-verified", "--data", data, "--from", &verdict, "--format", "json"];
    let taken: Json = serde_json::from_str(&good(&take)).unwrap();
    assert_eq!(taken["assurance"], "imported");
    assert_eq!(taken["facts"]["bundle_hash"], made["bundle_hash"]);
    // This test runs on the machine that holds the data, and that is what the record says.
    assert_eq!(taken["facts"]["off_server"], json!(false));
    assert_eq!(ume(&take).status.code(), Some(2), "taken twice");
    text = text.replace("\"failed\": 0", "\"failed\": 7");
    fs::write(&verdict, &text).unwrap();
    assert_eq!(ume(&take).status.code(), Some(2), "edited");
}

#[tokio::test]
async fn the_api_gives_bundles_to_those_who_inspect_and_payloads_to_those_who_write() {
    let served = Served::start(1_000).await;
    isms::norms::load(&served.house.store).await.unwrap();
    served.board.put(isms::compute(&served.house.store, &rooms::ROOMS).await.unwrap());
    let ask = async |role: &str, query: &str| {
        let token = served.token(role).await;
        let path = format!("/api/v1/isms/bundle{query}");
        let response = served.with(&token, Method::GET, &path).send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap())
    };
    let (status, bytes) = ask("auditor", "?scope=8.9").await;
    assert_eq!(status, 200);
    let report = isms::bundle::judge_zip(&bytes, None);
    assert_eq!(report.faults, []);
    assert_eq!(ask("auditor", "?payloads=true").await.0, 403);
    assert_eq!(ask("officer", "?payloads=true").await.0, 200);
    assert_eq!(ask("employee", "").await.0, 403);
    assert_eq!(ask("auditor", "?scope=9.9").await.0, 422);
    assert_eq!(ask("auditor", "?as_of=yesterday").await.0, 422);

    // A verdict from elsewhere lifts the criterion; an auditor's account may not hand it in.
    let own_key = served.house.ledger.lock().await.verifier_key();
    let signer = merkle::Signer::from_seed("auditor.example/k", &[7; 32]).unwrap();
    let place = isms::bundle::verdict::Place {
        host: "elsewhere".to_owned(),
        machine_id: Some("another machine".to_owned()),
        at: served.house.store.now(),
    };
    let report = isms::bundle::judge_zip(&bytes, Some(&own_key));
    let mut verdict = isms::bundle::verdict::of(&report, &place, model::Lang::En);
    isms::bundle::verdict::sign(&mut verdict, &signer).unwrap();
    let send = async |role: &str| {
        let token = served.token(role).await;
        let request = served.with(&token, Method::POST, "/api/v1/isms/bundle-verified");
        let response = request.json(&json!({"verdict": verdict})).send().await.unwrap();
        (response.status().as_u16(), response.json::<Json>().await.unwrap())
    };
    assert_eq!(send("auditor").await.0, 403);
    let (status, taken) = send("officer").await;
    assert_eq!(status, 201, "{taken}");
    if Path::new("/etc/machine-id").exists() {
        assert_eq!(taken["facts"]["off_server"], json!(true));
        let board = isms::compute(&served.house.store, &rooms::ROOMS).await.unwrap();
        let found = board.hall.verdicts.iter().find(|v| v.criterion == "isms/matsu-3").unwrap();
        assert_eq!(found.status, model::Status::Pass);
        assert_eq!(isms::SPEC.criterion("isms/matsu-3").unwrap().level, Level::Matsu);
    }
    assert_eq!(send("officer").await.0, 422, "taken twice");
}

#[tokio::test]
async fn the_page_gives_a_bundle_for_a_form_of_its_own_only() {
    let served = Served::start(1_000).await;
    served.board.put(isms::compute(&served.house.store, &rooms::ROOMS).await.unwrap());
    // A ledger without a leaf has nothing to bundle.
    isms::norms::load(&served.house.store).await.unwrap();
    served.board.put(isms::compute(&served.house.store, &rooms::ROOMS).await.unwrap());
    let browser = served.browser("auditor").await;
    let post = async |csrf: &str| {
        let form = format!("csrf={}&scope=8.9", urlencoding::encode(csrf));
        let request = served
            .request(Method::POST, "/soa/bundle")
            .header("cookie", &browser.cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        request.send().await.unwrap()
    };
    assert_eq!(post("wrong").await.status().as_u16(), 403);
    let response = post(&browser.csrf).await;
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "application/zip");
    let bytes = response.bytes().await.unwrap();
    assert_eq!(isms::bundle::judge_zip(&bytes, None).faults, []);
}
