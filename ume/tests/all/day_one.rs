//! Day one of configuration management: a workbook is held against a host that was really collected, filled, recorded
//! and made the design; a template stands before the first host; proofs of rebuilding come in.

use std::{io::Read as _, path::Path, process::Command};

use model::{Id, Table};
use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row};

use crate::served::{Browser, Served, read};

/// What `ume baseline gather` says of a root of the test's own.
fn gathered(folder: &Path) -> Vec<u8> {
    let root = folder.join("root");
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n");
    put("etc/hostname", "web1\n");
    put("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    put("etc/shadow", "root:!:1::\n");
    put("etc/group", "root:x:0:\n");
    put("etc/login.defs", "PASS_MAX_DAYS 365\nUMASK 022\n");
    put("etc/ssh/sshd_config", "PermitRootLogin yes\nX11Forwarding no\n");
    put(
        "var/lib/dpkg/status",
        "Package: nginx-light\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n",
    );
    let (root, key) = (root.to_str().unwrap(), folder.join("key"));
    let mut gather = Command::new(env!("CARGO_BIN_EXE_ume"));
    gather
        .args(["baseline", "gather", "--root", root, "--format", "json", "--quick", "--key"])
        .arg(key);
    let output = gather.output().unwrap();
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

struct House {
    served: Served,
    officer: Browser,
    system: Id,
    host: Id,
}

impl House {
    async fn start() -> House {
        let served = Served::start(1_000_000).await;
        let officer = served.browser("officer").await;
        let system = json!({"purpose": "受注", "stage": "extended", "extended_on": "2026-01-05"});
        let system = put(&served, Table::Asset, "system", "受注システム", system).await;
        let host = json!({"hostname": "web1", "os": "Debian", "system": system.to_string()});
        let host = put(&served, Table::Asset, "host", "web1", host).await;
        House { served, officer, system, host }
    }

    async fn collect(&self) {
        let document = gathered(self.served.folder.path());
        let store = &self.served.house.store;
        let facts = json!({
            "roots": {"base": "00"}, "counts": {}, "unread": [], "unread_permille": 0,
            "unstable": [], "family_count": 8,
        });
        let mut draft: RecordDraft =
            room::draft("configuration.snapshot", Some(self.host), store.now(), facts);
        draft.payload = Some(document);
        room::write(store, "test", draft).await.unwrap();
    }

    async fn page(&self, path: &str) -> String {
        let request = self.served.request(Method::GET, path);
        let cookie = format!("{}; ume_lang=en", self.officer.cookie);
        let response = request.header(header::COOKIE, cookie).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        text
    }

    async fn bytes(&self, path: &str) -> Vec<u8> {
        let request =
            self.served.request(Method::GET, path).header(header::COOKIE, &self.officer.cookie);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}");
        response.bytes().await.unwrap().to_vec()
    }

    /// Status and where it leads, or what it says.
    async fn form(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let mut all = vec![("csrf", self.officer.csrf.as_str())];
        all.extend_from_slice(form);
        let pair = |(name, value): &(&str, &str)| {
            format!("{}={}", urlencoding::encode(name), urlencoding::encode(value))
        };
        let body = all.iter().map(pair).collect::<Vec<_>>().join("&");
        let request =
            self.served.request(Method::POST, path).header(header::COOKIE, &self.officer.cookie);
        let kind = "application/x-www-form-urlencoded";
        answer(request.header(header::CONTENT_TYPE, kind).body(body)).await
    }

    async fn send(&self, name: &str, bytes: &[u8]) -> (u16, String) {
        let mut body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{}\r\n--x\r\nContent-Disposition: form-data; \
             name=\"file\"; filename=\"{name}\"\r\n\r\n",
            self.officer.csrf
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let request = self.served.request(Method::POST, "/configuration/sheets");
        let request =
            request.header(header::COOKIE, format!("{}; ume_lang=en", self.officer.cookie));
        answer(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x").body(body))
            .await
    }

    async fn rules(&self, kind: &str) -> Vec<Row> {
        self.served.house.store.all(Table::Rule, &[kind]).await.unwrap()
    }

    async fn newest(&self, ty: &str, subject: Id) -> Option<store::Record> {
        let store = &self.served.house.store;
        store.newest_records(&[ty], Some(subject), 1).await.unwrap().pop()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    match response.headers().get(header::LOCATION) {
        Some(to) => (status, to.to_str().unwrap().to_owned()),
        None => (status, response.text().await.unwrap()),
    }
}

async fn put(served: &Served, table: Table, kind: &str, name: &str, attributes: Json) -> Id {
    let store = &served.house.store;
    let mut row = Row::new(table, store.new_id().unwrap(), kind, name);
    row.attributes = attributes.as_object().cloned().unwrap();
    let mut write = store.write("test", "", "").await.unwrap();
    let id = write.put(row).await.unwrap().id;
    write.commit().await.unwrap();
    id
}

fn workbook(header: [&str; 4]) -> Vec<u8> {
    let text = |row: [&str; 4]| row.map(str::to_owned).to_vec();
    let rows = [
        ["SSH", "PermitRootLogin", "no", "監査の指摘"],
        ["", "X11Forwarding", "no", ""],
        ["パスワード", "PASS_MAX_DAYS", "365", ""],
        ["運用", "保管場所", "金庫", ""],
    ];
    let at = |wanted: &str| header.iter().position(|h| *h == wanted).unwrap();
    let order = [at("大項目"), at("項目"), at("設定値"), at("備考")];
    let placed = |row: [&'static str; 4]| {
        let mut out = vec![String::new(); 4];
        for (from, to) in order.iter().enumerate() {
            out[*to] = row[from].to_owned();
        }
        out
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(placed).collect();
    reports::write_xlsx("web1", &text(header), &rows, reports::Hidden(0)).unwrap()
}

const HEADER: [&str; 4] = ["大項目", "項目", "設定値", "備考"];

#[tokio::test]
async fn a_workbook_is_confirmed_compared_filled_recorded_and_made_the_design() {
    let house = House::start().await;
    house.collect().await;
    let book = workbook(HEADER);
    let (status, to) = house.send("設計書.xlsx", &book).await;
    assert_eq!(status, 303, "{to}");
    let page = house.page(&to).await;
    assert!(page.contains("Where columns go") && page.contains("PermitRootLogin"), "{page}");
    assert!(house.rules("sheet_map").await.is_empty());

    let roles = [
        ("role.0.0", "group"),
        ("role.0.1", "item"),
        ("role.0.2", "design"),
        ("sheet_host.0", "web1"),
    ];
    let (status, grid) = house.form(&to, &roles).await;
    assert_eq!(status, 303, "{grid}");
    assert_eq!(house.rules("sheet_map").await.len(), 1);
    let page = house.page(&grid).await;
    for text in ["sshd/permitrootlogin", "differs", "item not known", "designed no"] {
        assert!(page.contains(text), "{text}: {page}");
    }

    let filled = house.bytes(&format!("{grid}/filled")).await;
    let sheet = &reports::read(&filled).unwrap().sheets[0];
    let actual = sheet.rows[0].iter().position(|cell| cell == "実機値").expect("a new column");
    assert_eq!(sheet.rows[1][actual], "yes");
    assert!(sheet.rows[1].iter().any(|cell| cell == "不一致"));
    assert_eq!(others(&filled), others(&book), "other parts of the file stay as they were");

    let (status, done) = house.form(&format!("{grid}/record"), &[]).await;
    assert_eq!((status, done.ends_with("?done=1")), (303, true), "{done}");
    let record = house.newest("configuration.sheet", house.host).await.expect("recorded");
    assert_eq!((&record.facts["rows"], &record.facts["matched"]), (&json!(4), &json!(2)));
    let answer = house.newest("configuration.family_design", house.system).await.expect("answered");
    assert_eq!(answer.facts["answer"], "design");

    assert!(house.page(&format!("{grid}/design")).await.contains("sshd/permitrootlogin"));
    assert!(house.rules("baseline").await.is_empty(), "a preview writes nothing");
    assert_eq!(house.form(&format!("{grid}/design"), &[]).await.0, 303);
    assert_eq!(house.rules("baseline").await.len(), 3);
    assert_eq!(house.form(&format!("{grid}/design"), &[]).await.0, 303);
    assert_eq!(house.rules("baseline").await.len(), 3, "what is the same is not written again");

    // The system's page and its papers.
    let here = format!("/configuration/system/{}", house.system);
    assert!(house.page(&here).await.contains("sshd/x11forwarding"));
    assert!(house.page("/configuration/systems").await.contains("受注システム"));
    let report = house.bytes(&format!("{here}/tests.xlsx?kind=report")).await;
    let text = format!("{:?}", reports::read(&report).unwrap().sheets[0].rows);
    assert!(text.contains("failed") && text.contains("passed"), "{text}");
    assert_eq!(house.form(&format!("{here}/report"), &[("family", "")]).await.0, 303);
    let report = house.newest("configuration.test_report", house.system).await.expect("recorded");
    assert_eq!((&report.facts["tests"], &report.facts["passed"]), (&json!(3), &json!(2)));

    // The same form needs no asking again, and the document says what the page says.
    let (_, to) = house.send("設計書2.xlsx", &book).await;
    assert!(house.page(&to).await.contains("Actual value"));
    let token = house.served.token("administrator").await;
    let path = "/api/v1/configuration/sheets";
    let told = house.served.with(&token, Method::POST, path).body(book);
    let (status, _, told) = read(told).await;
    assert_eq!(
        (status, &told["known"], &told["counts"]["differs"]),
        (200, &json!(true), &json!(1))
    );
}

/// The parts of a workbook but the one sheet, packed as they are.
fn others(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut out = Vec::new();
    for at in 0..archive.len() {
        let mut part = archive.by_index_raw(at).unwrap();
        let name = part.name().unwrap().to_string();
        let mut packed = Vec::new();
        part.read_to_end(&mut packed).unwrap();
        if !name.contains("worksheets/") {
            out.push((name, packed));
        }
    }
    out
}

#[tokio::test]
async fn what_cannot_be_read_or_was_moved_is_refused_by_name_and_nothing_is_written() {
    let house = House::start().await;
    house.collect().await;
    let ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".repeat(100);
    let (_, old) = house.send("古い.xls", &ole).await;
    assert!(old.contains("role=\"alert\"") || old.contains("not what its name says"), "{old}");
    let (_, none) = house.send("x.csv", b"a,b\r\n1,2\r\n").await;
    assert!(none.contains("No table with items and design values"), "{none}");

    let (_, to) = house.send("設計書.xlsx", &workbook(HEADER)).await;
    let roles = [
        ("role.0.0", "group"),
        ("role.0.1", "item"),
        ("role.0.2", "design"),
        ("sheet_host.0", "web1"),
    ];
    assert_eq!(house.form(&to, &roles).await.0, 303);
    let moved = workbook(["大項目", "項目", "備考", "設定値"]);
    let (_, to) = house.send("設計書.xlsx", &moved).await;
    let page = house.page(&to).await;
    assert!(page.contains("web1!C1") && page.contains("columns were moved"), "{page}");
    let token = house.served.token("administrator").await;
    let post = |path: &str| house.served.with(&token, Method::POST, path).body(moved.clone());
    let (status, _, problem) = read(post("/api/v1/configuration/sheets?record=true")).await;
    assert_eq!(status, 422);
    assert!(problem["detail"].as_str().unwrap().contains("web1!C1"), "{problem}");
    assert!(house.newest("configuration.sheet", house.host).await.is_none());
    let (status, _, told) = read(post("/api/v1/configuration/sheets?anew=true&record=true")).await;
    assert_eq!((status, &told["recorded"]), (200, &json!(1)), "{told}");

    // Without an item nothing is confirmed.
    let (status, page) = house.form(&to, &[("role.0.3", "design")]).await;
    assert_eq!(status, 200);
    assert!(page.contains("no column holds the item"), "{page}");
}

#[tokio::test]
async fn a_template_brings_design_and_tests_before_the_first_host_and_its_chain_ends_in_results() {
    let house = House::start().await;
    let path = "/configuration/templates/web";
    let (status, page) = house.form(path, &[("name", ""), ("purpose", "")]).await;
    assert!(status == 200 && page.contains("role=\"alert\""), "{page}");
    let (status, to) = house.form(path, &[("name", "新サイト"), ("purpose", "会社案内")]).await;
    assert_eq!(status, 303, "{to}");
    let page = house.page(&format!("{to}/tests")).await;
    assert!(
        page.contains("There is no host yet") && page.contains("unit/nginx.service/state"),
        "{page}"
    );
    let system: Id = to.rsplit('/').next().unwrap().parse().unwrap();
    let (_, again) = house.form(path, &[("system", system.to_string().as_str())]).await;
    assert!(again.contains("already"), "{again}");
    let applied = house.newest("configuration.template_applied", system).await.expect("recorded");
    assert_eq!(
        (&applied.facts["edition"], &applied.facts["deviations_open"]),
        (&json!("1"), &json!(0))
    );

    // The host comes, and what it is held against is what was designed.
    let store = &house.served.house.store;
    let mut host = store.row(Table::Asset, house.host).await.unwrap().unwrap();
    host.attributes.insert("system".into(), system.to_string().into());
    let mut write = store.write("test", "", "").await.unwrap();
    write.put(host).await.unwrap();
    write.commit().await.unwrap();
    house.collect().await;
    let token = house.served.token("auditor").await;
    let path = format!("/api/v1/configuration/traces/{system}");
    let trace = async || read(house.served.with(&token, Method::GET, &path)).await.2;
    let before = trace().await;
    assert_eq!(before["broken"], before["chains"].as_array().unwrap().len());
    assert_eq!(house.form(&format!("{to}/report"), &[("family", "")]).await.0, 303);
    let after = trace().await;
    let verdicts = after.to_string();
    assert!(verdicts.contains("\"pass\"") && verdicts.contains("\"fail\""), "{verdicts}");
    let page = house.page(&to).await;
    assert!(page.contains("undecided") && page.contains("<svg class=\"graph\""), "{page}");

    // An extension asks for the tests of its requirement, and for no others.
    let requirement = "新サイト access";
    let plan = json!({"system": system.to_string(), "requirements": [requirement], "planned_on": "2026-01-05"});
    put(&house.served, Table::Plan, "extension", "二号機", plan).await;
    let due = trace().await["extensions"][0].clone();
    assert_eq!(
        (due["due"].as_u64(), due["open"].as_array().map(Vec::len)),
        (Some(4), Some(4)),
        "{due}"
    );
    assert_eq!(house.form(&format!("{to}/report"), &[("family", "")]).await.0, 303);
    let open = trace().await["extensions"][0]["open"].as_array().unwrap().len();
    assert!(open < 4, "tests that could be read were done again: {open}");
}

#[tokio::test]
async fn a_proof_comes_in_with_shares_computed_here_and_licences_are_counted_from_packages() {
    let house = House::start().await;
    let (_, to) = house
        .form("/configuration/templates/web", &[("system", house.system.to_string().as_str())])
        .await;
    assert!(to.starts_with("/configuration/system/"), "{to}");
    house.collect().await;
    let token = house.served.token("administrator").await;
    let path = "/api/v1/configuration/rebuilds";
    let post = |body: &Json| house.served.with(&token, Method::POST, path).json(body);
    let residual = json!({"host": "web1", "fact": "user/root/password", "reason": "secret"});
    let mut proof = json!({
        "class": "web", "changes": [12, 0], "holds": true,
        "rebuild": {"equal": 1914, "managed": 1915, "residuals": [residual], "silent": []},
    });
    let (status, _, told) = read(post(&proof)).await;
    assert_eq!(
        (status, &told["facts"]["equal_permille"], &told["holds"]),
        (201, &json!(999), &json!(true)),
        "{told}"
    );
    assert_eq!(told["facts"]["base_current"], true);
    proof["proved_at"] = json!("2020-01-01T00:00:00Z");
    let (_, _, told) = read(post(&proof)).await;
    assert_eq!(told["facts"]["base_current"], false, "the base is younger than this proof");
    proof["rebuild"]["equal"] = json!(1900);
    let (status, _, problem) = read(post(&proof)).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/rebuild/residuals")));
    proof["class"] = json!("mainframe");
    proof["rebuild"]["equal"] = json!(1914);
    assert_eq!(read(post(&proof)).await.2["errors"][0]["pointer"], "/class");
    assert!(house.page("/configuration/rebuilds").await.contains("99.9 %"));

    let licence = json!({"metric": "device", "quantity": 0});
    let licence = put(&house.served, Table::Asset, "licence", "L", licence).await;
    let software = json!({
        "type": "middleware", "version": "1", "purl": "pkg:deb/debian/nginx-light",
        "licence": licence.to_string(), "support_end": "2020-01-01",
    });
    put(&house.served, Table::Asset, "software", "nginx", software).await;
    let told =
        read(house.served.with(&token, Method::GET, "/api/v1/configuration/licences")).await.2;
    let line = &told["lines"][0];
    assert_eq!(
        (&line["used"], &line["entitled"], &line["past_end_undecided"]),
        (&json!(1), &json!(0), &json!(1)),
        "{told}"
    );
    assert!(house.page("/configuration/licences").await.contains("nginx"));
}
