//! Import of whole workbooks, on books as Japanese offices keep them, through API and pages.

use std::collections::BTreeMap;

use model::{FieldType, KindSpec, Table};
use reqwest::{Method, header};
use rust_xlsxwriter::{Format, Formula, Workbook, Worksheet};
use serde_json::{Map, Value as Json, json};
use store::Row;

use crate::{
    rooms,
    served::{Browser, Served, read},
};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const MANY: u32 = 1_000_000;

/// Writes texts from a cell on; an empty text leaves the cell alone.
fn put(sheet: &mut Worksheet, row: u32, column: u16, rows: &[&[&str]]) {
    for (r, cells) in (row..).zip(rows) {
        for (c, text) in (column..).zip(*cells) {
            if !text.is_empty() {
                sheet.write_string(r, c, *text).unwrap();
            }
        }
    }
}

fn merge(sheet: &mut Worksheet, area: (u32, u16, u32, u16), text: &str) {
    sheet.merge_range(area.0, area.1, area.2, area.3, text, &Format::new()).unwrap();
}

/// Name of a sheet, and what fills it.
type Page<'p> = (&'p str, &'p dyn Fn(&mut Worksheet));

fn book(sheets: &[Page<'_>]) -> Vec<u8> {
    let mut book = Workbook::new();
    for (name, fill) in sheets {
        let sheet = book.add_worksheet();
        sheet.set_name(*name).unwrap();
        fill(sheet);
    }
    book.save_to_buffer().unwrap()
}

struct House {
    served: Served,
    token: String,
}

impl House {
    async fn start() -> House {
        let served = Served::start(MANY).await;
        isms::norms::load(&served.house.store).await.unwrap();
        let token = served.token("officer").await;
        House { served, token }
    }

    async fn ask(&self, query: &str, media: &str, file: &[u8]) -> (u16, Json) {
        let path = format!("/api/v1/import?{query}");
        let request = self.served.with(&self.token, Method::POST, &path);
        let (status, _, json) =
            read(request.header(header::CONTENT_TYPE, media).body(file.to_vec())).await;
        (status, json)
    }

    async fn import(&self, query: &str, file: &[u8]) -> Json {
        let (status, json) = self.ask(query, XLSX, file).await;
        assert_eq!(status, 200, "{json}");
        json
    }

    async fn csv(&self, name: &str, file: &[u8]) -> Json {
        let query = format!("name={}", urlencoding::encode(name));
        let (status, json) = self.ask(&query, "text/csv", file).await;
        assert_eq!(status, 200, "{json}");
        json
    }

    async fn rows(&self, table: Table, kind: &str) -> BTreeMap<String, Row> {
        let rows = self.served.house.store.all(table, &[kind]).await.unwrap();
        rows.into_iter().map(|row| (row.name.clone(), row)).collect()
    }

    /// All versions there are: what changed at all shows here.
    async fn versions(&self) -> i64 {
        let mut sum = 0;
        for table in Table::ALL.into_iter().filter(|t| *t != Table::Record) {
            for row in self.served.house.store.all(table, &[]).await.unwrap() {
                sum += row.version;
            }
        }
        sum
    }
}

/// `[as, added, changed, same, refused]` of each table.
fn came_to(done: &Json) -> Vec<(String, [i64; 4])> {
    let count = |table: &Json, name: &str| table[name].as_i64().unwrap();
    done["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            let counts = ["added", "changed", "same", "refused"].map(|name| count(t, name));
            (t["as"].as_str().unwrap_or("–").to_owned(), counts)
        })
        .collect()
}

fn cells(done: &Json) -> Vec<(String, bool)> {
    let tables = done["tables"].as_array().unwrap().iter();
    tables
        .flat_map(|t| t["cells"].as_array().unwrap())
        .map(|c| (c["cell"].as_str().unwrap().to_owned(), c["refused"].as_bool().unwrap()))
        .collect()
}

fn only(kind: &str, counts: [i64; 4]) -> Vec<(String, [i64; 4])> {
    vec![(kind.to_owned(), counts)]
}

/// 1. 情報資産台帳: title, two-row merged header, departments merged down, 同上, notes.
fn information_assets() -> Vec<u8> {
    book(&[("情報資産台帳", &|sheet| {
        merge(sheet, (0, 0, 0, 7), "情報資産管理台帳（2026年度）");
        put(sheet, 1, 5, &[&["作成：情報システム課", "令和8年4月1日"]]);
        for (column, text) in [(0, "No."), (1, "部門"), (2, "情報資産名"), (3, "情報の種類")]
        {
            merge(sheet, (3, column, 4, column), text);
        }
        merge(sheet, (3, 4, 3, 5), "管理区分");
        put(sheet, 4, 4, &[&["機密性", "個人情報の有無"]]);
        merge(sheet, (3, 6, 4, 6), "保存期間");
        merge(sheet, (3, 7, 4, 7), "件数");
        merge(sheet, (5, 1, 7, 1), "営業部");
        put(
            sheet,
            5,
            2,
            &[
                &["顧客名簿", "顧客情報", "極秘", "○", "7年", "約１，２００件"],
                &["見積書控", "同上", "〃", "×", "同上", "350"],
                &["商談メモ", "営業情報", "社外秘", "－", "3年", "-"],
            ],
        );
        put(sheet, 5, 0, &[&["1"], &["2"], &["3"], &["4"]]);
        put(sheet, 8, 1, &[&["総務部", "就業規則", "社内規程", "社外秘", "無", "永年", "１"]]);
        put(sheet, 9, 0, &[&["計", "", "4件"]]);
        put(sheet, 11, 0, &[&["※ 年1回、各部門で見直すこと。"]]);
    })])
}

/// 2. PC and software registers and suppliers, several on one sheet, one beside another.
fn devices() -> Vec<u8> {
    book(&[
        ("機器・ソフト", &|sheet| {
            put(sheet, 0, 0, &[&["１．機器台帳"]]);
            put(
                sheet,
                1,
                0,
                &[
                    &[
                        "管理番号",
                        "機器名",
                        "種別",
                        "メーカー",
                        "型番",
                        "製造番号",
                        "使用者",
                        "購入日",
                        "保守期限",
                    ],
                    &[
                        "PC-001",
                        "ノートPC 営業1",
                        "業務用PC",
                        "梅電機",
                        "U-100",
                        "S0001",
                        "梅田　花子",
                        "R5.4.1",
                        "令和10年3月31日",
                    ],
                    &[
                        "PC-002",
                        "ノートPC 営業2",
                        "同上",
                        "〃",
                        "〃",
                        "S0002",
                        "竹内 太郎",
                        "2023年10月1日",
                        "2028/09/30",
                    ],
                    &[
                        "PC-003",
                        "ノートPC 総務1",
                        "〃",
                        "〃",
                        "U-200",
                        "S0003",
                        "梅田 花子",
                        "45017",
                        "平成40年3月31日",
                    ],
                ],
            );
            put(sheet, 7, 0, &[&["２．ソフトウェア台帳"]]);
            put(
                sheet,
                8,
                0,
                &[
                    &["ソフト名", "分類", "ベンダー", "バージョン", "ＥＯＬ"],
                    &["表計算ソフト", "業務アプリケーション", "竹ソフト", "２０２４", "2029.10.9"],
                ],
            );
        }),
        ("メモ", &|sheet| put(sheet, 0, 0, &[&["このブックは情報システム課が管理します。"]])),
    ])
}

/// 3. リスクアセスメント表 with groups above its columns and no name of its own.
fn risks() -> Vec<u8> {
    book(&[("リスクアセスメント", &|sheet| {
        merge(sheet, (0, 0, 0, 6), "リスクアセスメント表");
        for (column, text) in [(0, "項番"), (1, "想定されるリスク"), (6, "リスク所有者")]
        {
            merge(sheet, (2, column, 3, column), text);
        }
        merge(sheet, (2, 2, 2, 3), "リスク評価");
        merge(sheet, (2, 4, 2, 5), "リスク対応");
        put(sheet, 3, 2, &[&["起こりやすさ", "影響度", "対応方針", "対応内容"]]);
        put(
            sheet,
            4,
            0,
            &[
                &[
                    "1",
                    "標的型メールによるウイルス感染",
                    "４",
                    "５",
                    "低減",
                    "訓練とEDRの導入",
                    "情報システム課長",
                ],
                &["2", "ノートPCの紛失", "3", "4", "低減", "ディスクの暗号化", "同上"],
                &["3", "大規模地震による停止", "2", "5", "保有", "", "総務部長"],
            ],
        );
    })])
}

/// 4. An old 適用宣言書.
fn soa() -> Vec<u8> {
    book(&[("適用宣言書", &|sheet| {
        put(sheet, 0, 0, &[&["適用宣言書（JIS Q 27001:2023）第3版"]]);
        put(
            sheet,
            2,
            0,
            &[
                &["管理策番号", "管理策", "適用要否", "適用・除外の理由", "実施状況"],
                &["A.5.7", "脅威インテリジェンス", "適用", "標的型攻撃への備え", "一部実施"],
                &["Ａ．５．２３", "クラウドサービス", "○", "業務で利用", "実施済"],
                &["7.4", "物理的セキュリティの監視", "適用", "", "未実施"],
                &["8.28", "セキュリティに配慮したコーディング", "除外", "開発を行っていない", "－"],
            ],
        );
    })])
}

#[tokio::test]
async fn an_information_asset_register_is_taken_with_all_its_merged_cells() {
    let house = House::start().await;
    let file = information_assets();
    let done = house.import("", &file).await;
    assert_eq!(came_to(&done), only("asset/dataset", [4, 0, 0, 0]), "{done:#}");
    assert_eq!(done["tables"][0]["confidence"], "certain");
    assert_eq!((&done["saved"], &done["tables"][0]["notes"]), (&json!(true), &json!(2)));
    let rows = house.rows(Table::Asset, "dataset").await;
    let of = |name: &str| &rows[name].attributes;
    assert_eq!(of("見積書控")["class"], "顧客情報");
    assert_eq!(of("見積書控")["confidentiality"], of("顧客名簿")["confidentiality"]);
    assert_eq!(of("顧客名簿")["volume"], 1_200);
    assert_eq!(
        (&of("顧客名簿")["personal_data"], &of("見積書控")["personal_data"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(of("見積書控")["retention_text"], "7年");
    assert!(of("商談メモ").get("volume").is_none());

    // Again: nothing changes. One cell changed: one update.
    let before = house.versions().await;
    let again = house.import("", &file).await;
    assert_eq!(came_to(&again), only("asset/dataset", [0, 0, 4, 0]));
    assert_eq!(house.versions().await, before);
}

#[tokio::test]
async fn several_registers_in_one_book_are_told_apart_and_people_are_proposed() {
    let house = House::start().await;
    let dry = house.import("check=true", &devices()).await;
    assert_eq!(dry["saved"], false);
    assert!(house.rows(Table::Asset, "hardware").await.is_empty());
    let done = house.import("", &devices()).await;
    let wanted =
        [("asset/hardware".to_owned(), [3, 0, 0, 0]), ("asset/software".to_owned(), [1, 0, 0, 0])];
    assert_eq!(came_to(&done)[..2], wanted, "{done:#}");
    // `梅田　花子` and `梅田 花子` are one person.
    let people = house.rows(Table::Party, "person").await;
    assert_eq!(people.len(), 2, "{people:?}");
    let rows = house.rows(Table::Asset, "hardware").await;
    let (first, third) = (&rows["ノートPC 営業1"].attributes, &rows["ノートPC 総務1"].attributes);
    assert_eq!(first["user"], third["user"]);
    assert_eq!(
        (&first["introduced_on"], &first["maintenance_end"]),
        (&json!("2023-04-01"), &json!("2028-03-31"))
    );
    assert_eq!(
        (&third["introduced_on"], &third["maintenance_end"]),
        (&json!("2023-04-01"), &json!("2028-03-31"))
    );
    let warned = cells(&done);
    assert!(warned.contains(&("機器・ソフト!I5".to_owned(), false)), "{warned:?}");
    let software = house.rows(Table::Asset, "software").await;
    assert_eq!(software["表計算ソフト"].attributes["version"], "２０２４");
    assert_eq!(software["表計算ソフト"].attributes["support_end"], "2029-10-09");
}

#[tokio::test]
async fn a_risk_sheet_without_names_is_named_by_its_scenario() {
    let house = House::start().await;
    let done = house.import("", &risks()).await;
    assert_eq!(came_to(&done), only("risk/risk", [3, 0, 0, 0]), "{done:#}");
    let rows = house.rows(Table::Risk, "risk").await;
    let row = &rows["標的型メールによるウイルス感染"].attributes;
    assert_eq!((&row["likelihood"], &row["consequence"]), (&json!(4), &json!(5)));
    assert_eq!(
        (&row["treatment"], &row["measures"]),
        (&json!("modify"), &json!("訓練とEDRの導入"))
    );
    assert_eq!(row["owner"], rows["ノートPCの紛失"].attributes["owner"]);
}

#[tokio::test]
async fn an_old_statement_of_applicability_becomes_imported_answers_that_fail_nothing() {
    let house = House::start().await;
    let store = &house.served.house.store;
    let before = isms::compute(store, &rooms::ROOMS).await.unwrap();
    let done = house.import("", &soa()).await;
    assert_eq!(came_to(&done), only("record/isms.soa_imported", [4, 0, 0, 0]), "{done:#}");
    let records = store.latest_per_subject(&["isms.soa_imported"]).await.unwrap();
    let of = |control: &str| records.iter().find(|r| r.facts["control"] == control).unwrap();
    assert!(records.iter().all(|r| r.assurance == model::Assurance::Imported));
    assert_eq!(
        (&of("5.7").facts["applicable"], &of("5.7").facts["status"]),
        (&json!(true), &json!("partial"))
    );
    assert_eq!(
        (&of("8.28").facts["applicable"], &of("7.4").facts["status"]),
        (&json!(false), &json!("not_implemented"))
    );
    let reason = store.payload(of("8.28").id).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(reason).unwrap(), "開発を行っていない");
    let norm = store.row(Table::Norm, of("5.7").subject.unwrap()).await.unwrap().unwrap();
    assert_eq!(norm.attributes["number"], "5.7");
    let again = house.import("", &soa()).await;
    assert_eq!(came_to(&again), only("record/isms.soa_imported", [0, 0, 4, 0]));

    let after = isms::compute(store, &rooms::ROOMS).await.unwrap();
    let states = |board: &isms::Board| -> BTreeMap<String, String> {
        let verdicts = board.controls.iter().chain([&board.hall]).flat_map(|c| &c.verdicts);
        verdicts.map(|v| (v.criterion.to_owned(), format!("{:?}", v.status))).collect()
    };
    assert_eq!(states(&before), states(&after), "what a document claims moves no criterion");
}

#[tokio::test]
async fn every_bad_cell_is_named_and_nothing_is_saved() {
    let house = House::start().await;
    let file = book(&[
        ("委託先一覧", &|sheet| {
            put(
                sheet,
                0,
                0,
                &[
                    &["委託先名", "契約番号", "契約満了日", "個人情報の取扱い"],
                    &["梅運輸株式会社", "K-1", "令和9年3月31日", "有"],
                    &["竹清掃株式会社", "K-2", "27/3/31", "無"],
                    &["松警備株式会社", "K-3", "慶応3年1月1日", "△"],
                    &["", "K-4", "2027/3/31", "無"],
                    &["梅運輸 株式会社", "K-5", "2027/3/31", "無"],
                ],
            );
        }),
        ("名簿", &|sheet| {
            put(
                sheet,
                1,
                1,
                &[
                    &["氏名", "所属部署", "E-mail", "役職"],
                    &["梅田 花子", "総務部", "umeda@example.jp", "課長"],
                    &["竹内 太郎", "同上", "takeuchi@example.jp", "〃"],
                ],
            );
        }),
    ]);
    let done = house.import("", &file).await;
    let wanted = vec![
        ("party/supplier".to_owned(), [1, 0, 0, 4]),
        ("party/person".to_owned(), [2, 0, 0, 0]),
    ];
    assert_eq!(came_to(&done), wanted, "{done:#}");
    assert_eq!((&done["good"], &done["saved"]), (&json!(false), &json!(false)));
    let bad: Vec<String> = cells(&done).into_iter().filter(|c| c.1).map(|c| c.0).collect();
    assert_eq!(
        bad,
        ["委託先一覧!C3", "委託先一覧!C4", "委託先一覧!D4", "委託先一覧!A5", "委託先一覧!A6"]
    );
    assert!(house.rows(Table::Party, "person").await.is_empty(), "all or nothing");
}

#[tokio::test]
async fn names_are_resolved_between_tables_whatever_their_order() {
    let house = House::start().await;
    // The cloud names its provider and department, which stand in later sheets.
    let file = book(&[
        ("クラウド台帳", &|sheet| {
            put(
                sheet,
                0,
                0,
                &[
                    &[
                        "サービス名",
                        "利用状況",
                        "利用目的",
                        "提供事業者",
                        "利用部門",
                        "利用者数",
                        "年間費用",
                        "契約満了日",
                    ],
                    &[
                        "梅ストレージ",
                        "利用中",
                        "ファイル共有",
                        "梅クラウド株式会社",
                        "営業部",
                        "45人",
                        "1,200千円",
                        "R9.3.31",
                    ],
                ],
            );
        }),
        ("委託先", &|sheet| {
            put(
                sheet,
                0,
                0,
                &[
                    &["委託先一覧"],
                    &["会社名", "契約", "契約終了日"],
                    &["梅クラウド株式会社", "C-1", "2027/3/31"],
                ],
            );
        }),
        ("部署一覧", &|sheet| {
            put(sheet, 0, 0, &[&["名称", "役割", "連絡先"], &["営業部", "販売", "内線100"]]);
        }),
    ]);
    let done = house.import("", &file).await;
    assert_eq!(done["saved"], true, "{done:#}");
    assert_eq!(done["proposed"], json!([]));
    let cloud = &house.rows(Table::Asset, "cloud_service").await["梅ストレージ"].attributes;
    let supplier = &house.rows(Table::Party, "supplier").await["梅クラウド株式会社"];
    let team = &house.rows(Table::Party, "team").await["営業部"];
    assert_eq!((&cloud["provider"], &cloud["department"]), (&json!(supplier.id), &json!(team.id)));
    assert_eq!((&cloud["users"], &cloud["cost_year"]), (&json!(45), &json!(1_200_000)));
}

#[tokio::test]
async fn csv_in_every_encoding_and_with_semicolons_is_taken() {
    let house = House::start().await;
    let text = "氏名,所属,メール\r\n梅田花子,総務部,umeda@example.jp\r\n";
    let sjis = encoding_rs::SHIFT_JIS.encode(text).0.into_owned();
    let euc = encoding_rs::EUC_JP.encode(text).0.into_owned();
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let first = house.csv("社員名簿.csv", &sjis).await;
    assert_eq!(came_to(&first), only("party/person", [1, 0, 0, 0]), "{first:#}");
    for file in
        [euc, utf16, text.replace(',', "\t").into_bytes(), format!("\u{feff}{text}").into_bytes()]
    {
        let done = house.csv("社員名簿.csv", &file).await;
        assert_eq!(came_to(&done), only("party/person", [0, 0, 1, 0]), "{done:#}");
    }
}

#[tokio::test]
async fn serial_dates_formulas_and_hidden_rows_are_read_and_a_bomb_is_refused_by_name() {
    let house = House::start().await;
    let file = book(&[("サーバ一覧", &|sheet| {
        let date = Format::new().set_num_format("yyyy/m/d");
        put(
            sheet,
            0,
            0,
            &[&["ホスト名", "OS名", "OSバージョン", "導入日", "メモリ", "IPアドレス"]],
        );
        for (row, name) in (1..).zip(["mail01", "web01", "db01"]) {
            sheet.write_string(row, 0, name).unwrap();
            sheet.write_string(row, 1, "Debian").unwrap();
            sheet.write_number(row, 2, 12.0).unwrap();
            sheet.write_number_with_format(row, 3, 45_017.0, &date).unwrap();
            sheet.write_formula(row, 4, Formula::new("=16*1024").set_result("16384")).unwrap();
            sheet.write_string(row, 5, "192.0.2.1、192.0.2.2").unwrap();
        }
        sheet.set_row_hidden(3).unwrap();
        sheet.write_string(4, 0, "=cmd|' /C calc'!A0").unwrap();
        sheet.write_string(4, 1, "OS").unwrap();
    })]);
    let done = house.import("", &file).await;
    assert_eq!(came_to(&done), only("asset/host", [4, 0, 0, 0]), "{done:#}");
    assert_eq!(cells(&done), [("A4".to_owned(), false)], "the hidden row is named");
    let rows = house.rows(Table::Asset, "host").await;
    let row = &rows["web01"].attributes;
    assert_eq!((&row["introduced_on"], &row["memory_mib"]), (&json!("2023-04-01"), &json!(16_384)));
    assert_eq!(
        (&row["os_version"], &row["addresses"]),
        (&json!("12"), &json!(["192.0.2.1", "192.0.2.2"]))
    );
    assert!(rows.contains_key("=cmd|' /C calc'!A0"), "a text stays a text");

    let wide = format!("名称{}\n", ",".repeat(1_000_000));
    let (status, problem) = house.ask("", "text/csv", wide.as_bytes()).await;
    assert!(status == 422 && problem["detail"].as_str().unwrap().contains("columns"), "{problem}");
    let (status, _) = house.ask("", XLSX, b"PK\x03\x04nonsense").await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn a_row_changed_on_both_sides_is_a_conflict_until_someone_decides() {
    let house = House::start().await;
    let store = &house.served.house.store;
    let csv = "名称,ホスト名,OS,設置場所\nweb1,web1,Debian 12,本社\nweb2,web2,Debian 12,本社\n";
    house.csv("host.csv", csv.as_bytes()).await;
    let officer = house.served.browser("officer").await;
    let export = |path: &'static str| {
        let request =
            house.served.request(Method::GET, path).header(header::COOKIE, &officer.cookie);
        async move { request.send().await.unwrap().bytes().await.unwrap().to_vec() }
    };
    let exported = String::from_utf8(export("/register/asset/host/export").await).unwrap();
    // Here web1 moves and web2 gets another OS; in the sheet both OS and place of web1 change.
    let change = async |name: &str, field: &str, value: &str| {
        let mut row = house.rows(Table::Asset, "host").await.remove(name).unwrap();
        row.attributes.insert(field.to_owned(), value.into());
        let mut write = store.write("test", "", "").await.unwrap();
        write.put(row).await.unwrap();
        write.commit().await.unwrap();
    };
    change("web1", "location", "大阪支社").await;
    change("web2", "os", "Debian 13").await;
    let lines: Vec<String> = exported
        .lines()
        .map(|line| match line.contains(",web1,") {
            true => line.replace("Debian 12", "Ubuntu").replace("本社", "名古屋支社"),
            false => line.to_owned(),
        })
        .collect();
    let sheet = lines.join("\r\n");
    let (_, refused) = house.ask("", "text/csv", sheet.as_bytes()).await;
    assert_eq!(refused["tables"][0]["conflicts"], 1, "{refused:#}");
    let said = refused["tables"][0]["cells"].to_string();
    assert!(
        said.contains("本社") && said.contains("大阪支社") && said.contains("名古屋支社"),
        "{said}"
    );
    assert_eq!(refused["saved"], false);

    let (_, kept) = house.ask("conflicts=keep", "text/csv", sheet.as_bytes()).await;
    assert_eq!(kept["saved"], true, "{kept:#}");
    let rows = house.rows(Table::Asset, "host").await;
    let (one, two) = (&rows["web1"].attributes, &rows["web2"].attributes);
    assert_eq!((&one["location"], &one["os"]), (&json!("大阪支社"), &json!("Ubuntu")));
    assert_eq!(two["os"], "Debian 13", "what only changed here stays");
    let (_, taken) = house.ask("conflicts=take", "text/csv", sheet.as_bytes()).await;
    assert_eq!(taken["saved"], true, "{taken:#}");
    assert_eq!(house.rows(Table::Asset, "host").await["web1"].attributes["location"], "名古屋支社");
}

/// Values that a careless export would spoil.
fn awkward(kind: &KindSpec, seed: usize) -> Map<String, Json> {
    const TEXTS: [&str; 8] = [
        "=1+1",
        "+81-3-0000",
        "-",
        "同上",
        "1,234",
        "令和5年4月1日",
        "改行\nあり|縦棒",
        "'引用' \"二重\"、読点;",
    ];
    let text = |at: usize| TEXTS[(seed + at) % TEXTS.len()];
    let mut out = Map::new();
    for (at, field) in kind.fields.iter().enumerate() {
        let value = match field.ty {
            FieldType::Text | FieldType::Multiline => json!(text(at)),
            FieldType::Number { min, max, .. } => json!(min.max(seed as i64).min(max)),
            FieldType::Money => json!(1_234_567),
            FieldType::Date => json!("2026-11-25"),
            FieldType::Time => json!("2026-11-25T09:30:00+09:00"),
            FieldType::Period => json!("P7Y6M"),
            FieldType::Zone => json!("Asia/Tokyo"),
            FieldType::Duration => json!("PT4H30M"),
            FieldType::Enum(choices) => json!(choices[seed % choices.len()].value),
            FieldType::Boolean => json!(seed.is_multiple_of(2)),
            FieldType::List => json!([text(at), "b, c; d、e"].map(|t| t.replace('\n', " "))),
            FieldType::Object => json!({"a": [1, "二"]}),
            FieldType::TextPair => json!({"ja": "梅", "en": "ume"}),
            FieldType::Reference(_) | FieldType::Party => json!(model::Id::nil()),
            FieldType::Hash => json!("ab".repeat(32)),
            FieldType::File | FieldType::Table(_) => continue,
        };
        out.insert(field.name.to_owned(), value);
    }
    out
}

/// What comes out of an export of each kind goes in again without a change: straight, and through
/// LibreOffice where it is installed.
#[tokio::test]
async fn every_register_comes_back_from_its_own_export_without_a_change() {
    let house = House::start().await;
    let store = &house.served.house.store;
    let officer = house.served.browser("officer").await;
    let specs = rooms::ROOMS.iter().copied().chain([&isms::SPEC]);
    let kinds: Vec<&'static KindSpec> = specs
        .flat_map(web::kinds_of)
        .filter(|kind| web::import::closed(kind.table).is_none() && kind.table != Table::Task)
        .collect();
    let (folder, mut files) = (tempfile::tempdir().unwrap(), Vec::new());
    for kind in &kinds {
        let mut write = store.write("test", "", "").await.unwrap();
        for seed in 0..4 {
            let name = format!("{} {seed}\u{3000}=梅", kind.id);
            let mut row = Row::new(kind.table, store.new_id().unwrap(), kind.id, &name);
            row.attributes = awkward(kind, seed);
            row.schema_version = i64::from(kind.version);
            write.put(row).await.unwrap();
        }
        write.commit().await.unwrap();
    }
    let before = house.versions().await;
    for kind in &kinds {
        for (ending, media) in [("export", "text/csv"), ("export.xlsx", XLSX)] {
            let path = format!("/register/{}/{}/{ending}", kind.table.name(), kind.id);
            let request = house.served.request(Method::GET, &path);
            let request = request.header(header::COOKIE, &officer.cookie);
            let file = request.send().await.unwrap().bytes().await.unwrap().to_vec();
            check_same(&house, kind, media, &file, ending).await;
            if ending == "export.xlsx" {
                let path = folder.path().join(format!("{}-{}.xlsx", kind.table.name(), kind.id));
                std::fs::write(&path, file).unwrap();
                files.push((*kind, path));
            }
        }
    }
    let out = folder.path().join("out");
    let mut office = std::process::Command::new("soffice");
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.path().display());
    office.args([
        &profile,
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
        "--outdir",
    ]);
    office.arg(&out).args(files.iter().map(|(_, path)| path));
    match office.output() {
        Err(_) => println!("skipped: no LibreOffice"),
        Ok(done) => {
            assert!(done.status.success(), "{done:?}");
            for (kind, path) in files {
                let file = std::fs::read(out.join(path.file_name().unwrap())).unwrap();
                check_same(&house, kind, XLSX, &file, "LibreOffice").await;
            }
        }
    }
    assert_eq!(house.versions().await, before);
}

async fn check_same(house: &House, kind: &KindSpec, media: &str, file: &[u8], way: &str) {
    let query = format!("as={}/{}", kind.table.name(), kind.id);
    let (status, done) = house.ask(&query, media, file).await;
    assert_eq!(status, 200, "{way} {} {done}", kind.id);
    let table = &done["tables"][0];
    let counts = ["added", "changed", "refused"].map(|name| table[name].as_i64().unwrap());
    assert_eq!(counts, [0, 0, 0], "{way} {} {:#}", kind.id, table["cells"]);
    assert!(table["same"].as_i64().unwrap() >= 4, "{way} {} {table}", kind.id);
}

impl Served {
    async fn page(&self, who: &Browser, path: &str) -> (u16, String, String) {
        let request = self.request(Method::GET, path).header(header::COOKIE, &who.cookie);
        let response = request.send().await.unwrap();
        let cost = response.headers().get("server-timing").map_or("", |v| v.to_str().unwrap());
        let (status, cost) = (response.status().as_u16(), cost.to_owned());
        (status, response.text().await.unwrap(), cost)
    }

    async fn form(&self, who: &Browser, path: &str, fields: &[(String, String)]) -> (u16, String) {
        let mut fields = fields.to_vec();
        fields.push(("csrf".to_owned(), who.csrf.clone()));
        let pair = |(n, v): &(String, String)| {
            format!("{}={}", urlencoding::encode(n), urlencoding::encode(v))
        };
        let body = fields.iter().map(pair).collect::<Vec<_>>().join("&");
        let request = self.request(Method::POST, path).header(header::COOKIE, &who.cookie);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = request.body(body).send().await.unwrap();
        let to = response.headers().get(header::LOCATION).map_or("", |v| v.to_str().unwrap());
        (response.status().as_u16(), to.to_owned())
    }

    /// Sends files as the browser does.
    async fn send_files(&self, who: &Browser, files: &[(&str, &[u8])]) -> (u16, String) {
        let mut body =
            format!("--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{}\r\n", who.csrf)
                .into_bytes();
        for (name, file) in files {
            body.extend(format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n").into_bytes());
            body.extend_from_slice(file);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--x--\r\n");
        let request = self.request(Method::POST, "/import").header(header::COOKIE, &who.cookie);
        let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        let response = request.body(body).send().await.unwrap();
        let to = response.headers().get(header::LOCATION).map_or("", |v| v.to_str().unwrap());
        (response.status().as_u16(), to.to_owned())
    }
}

/// The choices of a form as the page shows them: what the browser would send untouched.
fn selected(page: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for part in page.split("<select name=\"").skip(1) {
        let name = part.split('"').next().unwrap();
        let list = part.split("</select>").next().unwrap();
        let options: Vec<&str> = list.split("<option value=\"").skip(1).collect();
        let chosen = options.iter().find(|o| o.contains("\" selected>")).or(options.first());
        let value = chosen.map_or("", |o| o.split('"').next().unwrap());
        out.push((name.to_owned(), value.to_owned()));
    }
    out
}

#[tokio::test]
async fn the_wizard_goes_from_files_to_rows_by_plain_forms_and_remembers_the_columns() {
    let house = House::start().await;
    let (served, officer) = (&house.served, house.served.browser("officer").await);
    let store = &served.house.store;
    let devices = devices();
    let (status, at) =
        served.send_files(&officer, &[("books.xlsx", &devices), ("soa.xlsx", &soa())]).await;
    assert_eq!((status, at.starts_with("/import/")), (303, true), "{at}");
    let (status, page, cost) = served.page(&officer, &at).await;
    assert_eq!(status, 200);
    assert!(page.contains("機器・ソフト!A2") && page.contains("適用宣言書!A3"), "{page}");
    assert!(statements(&cost) <= 8, "{cost}");
    // Nobody else sees it.
    let other = served.browser("administrator").await;
    assert_eq!(served.page(&other, &at).await.0, 404);

    // The software table is left out by hand, and the page remembers.
    let mut fields = selected(&page);
    let software = fields.iter_mut().find(|(_, v)| v == "asset/software").unwrap();
    software.1.clear();
    fields.push(("step".to_owned(), "check".to_owned()));
    let (status, to) = served.form(&officer, &at, &fields).await;
    assert_eq!((status, to.as_str()), (303, format!("{at}/check").as_str()));
    let (_, page, cost) = served.page(&officer, &to).await;
    assert!(page.contains("Every row can be imported"), "{page}");
    assert!(statements(&cost) <= 8, "{cost}");
    assert!(page.contains("機器・ソフト!B3") && page.contains("Parties to be added"), "{page}");
    assert_eq!(house.rows(Table::Asset, "hardware").await.len(), 0);

    let (status, _) = served.form(&officer, &format!("{at}/commit"), &[]).await;
    assert_eq!(status, 303);
    let (_, page, _) = served.page(&officer, &at).await;
    assert!(page.contains("Imported.") && page.contains("added 7"), "{page}");
    assert_eq!(house.rows(Table::Asset, "hardware").await.len(), 3);
    assert!(house.rows(Table::Asset, "software").await.is_empty());
    // Pressed twice, it is done once.
    served.form(&officer, &format!("{at}/commit"), &[]).await;
    assert_eq!(house.rows(Table::Asset, "hardware").await.len(), 3);

    let runs = store.newest_records(&["isms.import_run"], None, 10).await;
    let runs = runs.unwrap();
    assert_eq!(runs.len(), 2);
    let run = runs.iter().find(|r| r.facts["kind"] == "asset/hardware").unwrap();
    assert_eq!((&run.facts["rows"], &run.facts["refused"]), (&json!(3), &json!(0)));
    let file = run.facts["file"].as_str().unwrap();
    assert_eq!(store.blob_bytes(file).await.unwrap().unwrap(), devices);

    let (_, at) = served.send_files(&officer, &[("books.xlsx", &devices)]).await;
    let (_, page, _) = served.page(&officer, &at).await;
    assert!(page.contains("as last time"), "{page}");
    let chosen: Vec<String> =
        selected(&page).into_iter().filter(|(n, _)| n.ends_with(".to")).map(|(_, v)| v).collect();
    assert_eq!(chosen, ["asset/hardware", ""]);
}

#[tokio::test]
async fn words_that_are_no_choice_get_a_meaning_once_and_for_all() {
    let house = House::start().await;
    let (served, officer) = (&house.served, house.served.browser("officer").await);
    let file = |name: &str| {
        let name = name.to_owned();
        book(&[("情報資産一覧", &|sheet| {
            put(
                sheet,
                0,
                0,
                &[
                    &["情報資産名", "情報分類", "機密区分", "保存期間"],
                    &[&name, "顧客情報", "ランクＡ", "7年"],
                    &["社内報", "広報", "公開", "1年"],
                ],
            );
        })])
    };
    let (_, at) = served.send_files(&officer, &[("a.xlsx", &file("顧客名簿"))]).await;
    let (_, page, _) = served.page(&officer, &at).await;
    let mut fields = selected(&page);
    let word = fields.iter_mut().find(|(n, _)| n == "t0.w.confidentiality.ランクa").expect("word");
    word.1 = "strict".to_owned();
    fields.push(("step".to_owned(), "check".to_owned()));
    served.form(&officer, &at, &fields).await;
    served.form(&officer, &format!("{at}/commit"), &[]).await;
    let rows = house.rows(Table::Asset, "dataset").await;
    assert_eq!(rows["顧客名簿"].attributes["confidentiality"], "strict");
    // The next book of this kind needs no more telling, on the command line neither.
    let done = house.import("", &file("取引先名簿")).await;
    assert_eq!(came_to(&done), only("asset/dataset", [1, 0, 1, 0]), "{done:#}");
}

#[tokio::test]
async fn a_required_field_without_a_column_takes_one_value_for_all_rows() {
    let house = House::start().await;
    let (served, officer) = (&house.served, house.served.browser("officer").await);
    let file = book(&[("クラウド一覧", &|sheet| {
        put(
            sheet,
            0,
            0,
            &[&["サービス名", "利用目的", "利用部門"], &["梅メール", "メール", "全社"]],
        );
    })]);
    let (_, at) = served.send_files(&officer, &[("cloud.xlsx", &file)]).await;
    let (_, page, _) = served.page(&officer, &at).await;
    assert!(page.contains("Required, but without a column"), "{page}");
    let mut fields = selected(&page);
    let state = fields.iter_mut().find(|(n, _)| n == "t0.f.usage_state").unwrap();
    state.1 = "in_use".to_owned();
    fields.push(("step".to_owned(), "check".to_owned()));
    served.form(&officer, &at, &fields).await;
    served.form(&officer, &format!("{at}/commit"), &[]).await;
    let row = &house.rows(Table::Asset, "cloud_service").await["梅メール"];
    assert_eq!(row.attributes["usage_state"], "in_use");
}

fn statements(cost: &str) -> usize {
    let digits: String =
        cost.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
