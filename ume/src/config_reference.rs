//! The reference of `ume.toml`: one table, held against the structs and against
//! `docs/configuration.md`.

use std::collections::BTreeSet;

use super::*;

const fn key(
    path: &'static str,
    example: &'static str,
    default: &'static str,
    ja: &'static str,
    en: &'static str,
) -> Key {
    Key { path, example, default, ja, en }
}

const HASH: &str = "\"5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8\"";

const KEYS: &[Key] = &[
    key(
        "data",
        "\"/srv/ume\"",
        "/var/lib/ume (root), $XDG_DATA_HOME/ume",
        "データフォルダ。`--data`が優先される。フォルダ内のume.tomlには書かない",
        "Data folder; `--data` wins. Not for an ume.toml inside the data folder",
    ),
    key(
        "listen",
        "\"127.0.0.1:8620\"",
        "127.0.0.1:8620",
        "待ち受けるアドレス",
        "Address to listen on",
    ),
    key(
        "database",
        "\"postgres://ume@db.example/ume\"",
        "ume.db in the data folder",
        "PostgreSQLのアドレス。パスワードはPGPASSWORDか~/.pgpassに置く。証跡とイベントはデータフォルダに残る",
        "Address of PostgreSQL; keep the password in PGPASSWORD or ~/.pgpass. Ledger and events stay in the data folder",
    ),
    key(
        "log",
        "\"info,sqlx=warn\"",
        "info,sqlx=warn",
        "ログの詳しさ。環境変数UME_LOGが優先される",
        "What is logged; the variable UME_LOG wins",
    ),
    key(
        "files.max_mib",
        "25",
        "25",
        "添付ファイル1件の上限（MiB、1から1024）",
        "Limit of one file in MiB, 1 to 1024",
    ),
    key(
        "agent.may_follow",
        "[\"/var/log/**\", \"/srv/*/log/*.log\"]",
        "[\"/var/log/**\"]",
        "センターの収集ルールが、エージェントのこのホストで開けるファイル。`*`は名前の一部、`**`は階層を表す。ルールの署名が正しくても、これを超えるものは開かない",
        "Files of this host that the centre's collection rules may make an agent follow; `*` within a name, `**` for names. Nothing beyond is opened, however well a rule is signed",
    ),
    key(
        "intake.journal",
        "true",
        "true",
        "このマシンのジャーナルを取り込む",
        "Follow this machine's journal",
    ),
    key(
        "intake.standard_files",
        "true",
        "true",
        "/var/logの一般的なログを取り込む",
        "Follow the usual log files below /var/log",
    ),
    key(
        "intake.spool_mib",
        "1024",
        "1024",
        "スプールの上限（MiB）。満杯の間、UDPとHTTPは拒否して数え、TCPは待たせる",
        "Limit of the spool in MiB; while it is full UDP and HTTP are refused and counted, TCP waits",
    ),
    key(
        "intake.syslog_udp.listen",
        "\"0.0.0.0:5514\"",
        "",
        "syslog（UDP）を受けるアドレス",
        "Address that takes syslog over UDP",
    ),
    key(
        "intake.syslog_udp.source",
        "\"office-udp\"",
        "",
        "出所の名前。件数は出所ごとに数える",
        "Name of the source; counts are kept per source",
    ),
    key(
        "intake.syslog_tcp.listen",
        "\"0.0.0.0:5514\"",
        "",
        "syslog（TCP、RFC 6587の両方式）を受けるアドレス",
        "Address that takes syslog over TCP (both framings of RFC 6587)",
    ),
    key("intake.syslog_tcp.source", "\"office-tcp\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.files.path",
        "\"/srv/app/app.log\"",
        "",
        "取り込むログファイル",
        "Log file to follow",
    ),
    key("intake.files.source", "\"app\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.files.format",
        "\"auto\"",
        "auto",
        "auto、syslog、json、plainのどれか",
        "One of auto, syslog, json, plain",
    ),
    key(
        "intake.http.source",
        "\"web-app\"",
        "",
        "出所の名前。送り先は`POST /intake/NAME`",
        "Name of the source; it sends to `POST /intake/NAME`",
    ),
    key(
        "intake.http.token_sha256",
        HASH,
        "",
        "送信トークンのSHA-256（16進64桁）。`printf %s TOKEN | sha256sum`で求める",
        "SHA-256 of the bearer token in 64 hex digits: `printf %s TOKEN | sha256sum`",
    ),
    key(
        "intake.http.lines_per_second",
        "10000",
        "10000",
        "毎秒の行数の上限。超えると429を返す",
        "Limit of lines per second; above it the answer is 429",
    ),
];

/// Tables of the file, and whether they may stand several times.
const TABLES: &[(&str, bool)] = &[
    ("", false),
    ("files", false),
    ("agent", false),
    ("intake", false),
    ("intake.syslog_udp", true),
    ("intake.syslog_tcp", true),
    ("intake.files", true),
    ("intake.http", true),
];

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn header(table: &str, many: bool) -> String {
    match (table, many) {
        ("", _) => String::new(),
        (_, true) => format!("\n[[{table}]]\n"),
        (_, false) => format!("\n[{table}]\n"),
    }
}

fn example() -> String {
    let mut out = String::new();
    for (table, many) in TABLES {
        out.push_str(&header(table, *many));
        for key in KEYS.iter().filter(|k| split(k.path).0 == *table) {
            out.push_str(&format!("{} = {}\n", split(key.path).1, key.example));
        }
    }
    out
}

fn reference() -> String {
    let mut out = String::from(
        "# ume.toml\n\n\
         <!-- Made from ume/src/config_reference.rs by `UME_BLESS=1 cargo test -p ume reference`. -->\n\n\
         `ume serve --config FILE`、指定がなければデータフォルダの`ume.toml`を読みます。知らないキーや型の違いがあれば、場所と近いキーを示して起動しません。コマンドラインの指定が優先されます。\n\n\
         Read from `--config FILE`, else `ume.toml` in the data folder if there is one. An unknown key or a wrong type is shown with its place and the nearest valid key, and Ume does not start. The command line wins.\n\n\
         | key | default | 意味 | meaning |\n|---|---|---|---|\n",
    );
    for key in KEYS {
        let default = if key.default.is_empty() { "–" } else { key.default };
        let (ja, en) = (key.ja.replace('|', "\\|"), key.en.replace('|', "\\|"));
        out.push_str(&format!("| `{}` | {default} | {ja} | {en} |\n", key.path));
    }
    let example = example();
    out.push_str(&format!("\nすべてのキーの例 / every key once:\n\n```toml\n{example}```\n"));
    out
}

/// Compares with a checked-in file; `UME_BLESS=1` rewrites it.
pub(crate) fn same_as_file(name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs").join(name);
    if std::env::var_os("UME_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/{name} is not what the code says: UME_BLESS=1 rewrites it");
}

#[test]
fn the_reference_is_the_checked_in_one_and_its_example_is_read() {
    same_as_file("configuration.md", &reference());
    // The two listeners of the example share a port number on purpose: UDP and TCP differ.
    let config = parse("ume.toml", &example()).unwrap();
    assert_eq!(config.intake.http.len(), 1);
    assert_eq!(config.listen.unwrap().to_string(), LISTEN);
}

#[test]
fn the_reference_names_every_key_of_every_table_and_no_other() {
    for (table, many) in TABLES {
        let text = format!("{}zzzzzzzzzz = 1\n", header(table, *many));
        let wrong = parse("x", &text).unwrap_err();
        let valid: BTreeSet<&str> = names(&wrong.what)[1..].iter().copied().collect();
        let mut listed: BTreeSet<&str> =
            KEYS.iter().filter(|k| split(k.path).0 == *table).map(|k| split(k.path).1).collect();
        let inner = TABLES.iter().filter(|(t, _)| !t.is_empty() && split(t).0 == *table);
        listed.extend(inner.map(|(t, _)| split(t).1));
        assert_eq!(valid, listed, "{table}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_one() {
    let text =
        "log = \"info\"\n\n[[intake.syslog_udp]]\nlisten = \"127.0.0.1:514\"\nsorce = \"a\"\n";
    let wrong = parse("etc/ume.toml", text).unwrap_err();
    assert_eq!(wrong.place, "etc/ume.toml:5:1");
    assert_eq!(wrong.help.as_deref(), Some("did you mean `source`?"));
    let far = parse("x", "colour = 1\n").unwrap_err();
    assert!(far.help.unwrap().contains("listen"));
}

#[test]
fn a_wrong_type_and_a_bad_value_are_named_with_their_place() {
    for (text, place, words) in [
        ("log = \"info\"\nlisten = 5\n", "f:2:10", "invalid type"),
        ("listen = \"nowhere\"\n", "f:1:10", "address"),
        ("log = \"loud\"\n", "f:1:7", "a level is"),
        ("database = \"mysql://x\"\n", "f:1:12", "postgres://"),
        ("[intake]\njournal = \"yes\"\n", "f:2:11", "invalid type"),
        (
            "[intake]\n[[intake.http]]\nsource = \"A b\"\ntoken_sha256 = \"\"\n",
            "f:3:10",
            "a source",
        ),
        ("[[intake.http]]\nsource = \"a\"\ntoken_sha256 = \"ab\"\n", "f:3:16", "sha256sum"),
        ("[intake]\nspool_mib = 1\n", "f:2:13", "the spool has"),
        ("[files]\nmax_mib = 0\n", "f:2:11", "a file has"),
        ("listen = \n", "f:1:10", ""),
    ] {
        let wrong = parse("f", text).unwrap_err();
        assert_eq!(wrong.place, place, "{text}: {wrong}");
        assert!(wrong.what.contains(words), "{text}: {wrong}");
    }
}

#[test]
fn a_source_stands_once() {
    let text = "[[intake.syslog_udp]]\nlisten = \"127.0.0.1:1\"\nsource = \"a\"\n\
                [[intake.syslog_tcp]]\nlisten = \"127.0.0.1:1\"\nsource = \"a\"\n";
    let wrong = parse("f", text).unwrap_err();
    assert_eq!(wrong.place, "f:6:10");
}

#[test]
fn the_password_of_a_database_is_never_shown() {
    let text = "database = \"postgres://ume:geheim@h/d\"\nlisten = 5\n";
    let shown = format!("{:?}", miette::Report::new(*parse("f", text).unwrap_err()));
    assert!(shown.contains("listen") && !shown.contains("geheim"), "{shown}");
}
