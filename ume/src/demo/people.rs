//! The 120 people, the machines and the badges of the fictional company, made from short lists.

use serde_json::json;

use super::{chance::Chance, registers::Seed};

/// Login, role, name and department of who signs in.
pub const ACCOUNTS: [(&str, &str, &str, &str); 7] = [
    ("sato", "officer", "佐藤 美咲", "情報セキュリティ室"),
    ("suzuki", "administrator", "鈴木 健一", "情報システム部"),
    ("takahashi", "risk_owner", "高橋 隆", "経営企画部"),
    ("tanaka", "executive", "田中 恵子", "経営企画部"),
    ("ito", "department", "伊藤 誠", "設計部"),
    ("watanabe", "employee", "渡辺 彩", "営業部"),
    ("yamamoto", "auditor", "山本 武", "経理部"),
];
pub const PERSONS: usize = 120;
pub const SERVERS: [&str; 26] = [
    "srv-erp-01",
    "srv-erp-02",
    "srv-cad-01",
    "srv-cad-02",
    "srv-db-01",
    "srv-db-02",
    "srv-file-01",
    "srv-file-02",
    "srv-ad-01",
    "srv-ad-02",
    "srv-mail-01",
    "srv-web-01",
    "srv-web-02",
    "srv-dns-01",
    "srv-dns-02",
    "srv-proxy-01",
    "srv-backup-01",
    "srv-log-01",
    "srv-mon-01",
    "srv-git-01",
    "srv-build-01",
    "srv-test-01",
    "srv-mes-01",
    "srv-mes-02",
    "srv-print-01",
    "srv-vpn-01",
];
const FAMILY: [(&str, &str); 24] = [
    ("小林", "kobayashi"),
    ("加藤", "kato"),
    ("吉田", "yoshida"),
    ("山田", "yamada"),
    ("佐々木", "sasaki"),
    ("山口", "yamaguchi"),
    ("松本", "matsumoto"),
    ("井上", "inoue"),
    ("木村", "kimura"),
    ("林", "hayashi"),
    ("斎藤", "saito"),
    ("清水", "shimizu"),
    ("山崎", "yamazaki"),
    ("森", "mori"),
    ("池田", "ikeda"),
    ("橋本", "hashimoto"),
    ("阿部", "abe"),
    ("石川", "ishikawa"),
    ("前田", "maeda"),
    ("藤田", "fujita"),
    ("小川", "ogawa"),
    ("岡田", "okada"),
    ("後藤", "goto"),
    ("長谷川", "hasegawa"),
];
const GIVEN: [(&str, &str); 20] = [
    ("太郎", "taro"),
    ("花子", "hanako"),
    ("大輔", "daisuke"),
    ("陽子", "yoko"),
    ("翔太", "shota"),
    ("由美", "yumi"),
    ("直樹", "naoki"),
    ("真由美", "mayumi"),
    ("健太", "kenta"),
    ("明美", "akemi"),
    ("達也", "tatsuya"),
    ("裕子", "yuko"),
    ("浩", "hiroshi"),
    ("久美子", "kumiko"),
    ("悠斗", "yuto"),
    ("葵", "aoi"),
    ("蓮", "ren"),
    ("結衣", "yui"),
    ("修", "osamu"),
    ("千夏", "chinatsu"),
];
const DEPARTMENTS: [(&str, usize); 12] = [
    ("製造部", 34),
    ("設計部", 20),
    ("営業部", 17),
    ("品質保証部", 10),
    ("購買部", 7),
    ("研究開発部", 7),
    ("総務部", 5),
    ("人事部", 4),
    ("経理部", 4),
    ("情報システム部", 3),
    ("経営企画部", 1),
    ("情報セキュリティ室", 1),
];

fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Everyone: those with accounts first, then the rest by department.
pub fn persons(chance: &mut Chance) -> Vec<Seed> {
    let mut seeds = Vec::with_capacity(PERSONS);
    for (login, role, name, department) in ACCOUNTS {
        let key = matches!(role, "officer" | "administrator" | "executive");
        let attributes = json!({
            "department": department, "position": position(role), "key_person": key,
            "mail": format!("{login}@ome-seiki.example"), "phone": phone(chance),
            "account": login,
        });
        seeds.push(Seed::new("person", name, 1, object(attributes)));
    }
    let mut n = 0;
    for (department, count) in DEPARTMENTS {
        for i in 0..count {
            // 24 and 20 share a factor of 4; the shift makes all pairs differ.
            let family = FAMILY[n % FAMILY.len()];
            let given = GIVEN[(n + n / FAMILY.len() * 3) % GIVEN.len()];
            n += 1;
            let attributes = json!({
                "department": department,
                "position": if i == 0 { "部長" } else if i % 6 == 1 { "課長" } else { "担当" },
                "key_person": i == 0,
                "mail": format!("{}.{}@ome-seiki.example", given.1, family.1),
                "phone": phone(chance),
            });
            let name = format!("{} {}", family.0, given.0);
            // Most were there at the start; a few joined during the year.
            let day = if chance.happens(60) { 30 + chance.below(300) as i64 } else { 1 };
            seeds.push(Seed::new("person", &name, day, object(attributes)));
        }
    }
    seeds
}

fn position(role: &str) -> &'static str {
    match role {
        "officer" => "室長",
        "executive" => "取締役",
        "risk_owner" => "部長",
        "auditor" => "内部監査員",
        _ => "担当",
    }
}

/// Numbers of 090-0000-xxxx are given to nobody.
fn phone(chance: &mut Chance) -> String {
    format!("090-0000-{:04}", chance.below(10_000))
}

/// Servers and shared machines with their hardware.
pub fn machines(chance: &mut Chance) -> Vec<Seed> {
    let mut seeds = Vec::new();
    let pcs = (1..=22).map(|n| format!("pc-ome-{n:03}"));
    for (i, name) in SERVERS.iter().map(|s| (*s).to_owned()).chain(pcs).enumerate() {
        let server = name.starts_with("srv");
        let system = match name.split('-').nth(1) {
            Some("erp" | "mes" | "db") => "@基幹システム（販売・生産）",
            Some("cad") => "@図面管理システム",
            Some("web") => "@部品発注サイト",
            _ => "@社内インフラ",
        };
        let mut attributes = object(json!({
            "hostname": name,
            "type": if !server { "pc" } else if i % 3 == 0 { "physical" } else { "virtual" },
            "os": if server { "Debian GNU/Linux" } else { "Windows 11" },
            "os_version": if server { *chance.pick(&["12", "12", "13"]) } else { "24H2" },
            "addresses": [format!("192.0.2.{}", 50 + i)],
            "environment": if name.contains("test") { "staging" } else { "production" },
            "cpu": *chance.pick(&[2, 4, 8, 16]),
            "memory_mib": *chance.pick(&[8192, 16384, 32768, 65536]),
            "location": if server { "本社 サーバー室" } else { *chance.pick(&["本社 執務室", "立川 設計室", "大阪 執務室"]) },
            "administrator": "@鈴木 健一",
        }));
        if server {
            attributes.insert("system".into(), system.into());
        }
        let mut seed = Seed::new("host", &name, 9, attributes);
        seed.owner = Some("@鈴木 健一".to_owned());
        seeds.push(seed);
        if i % 3 == 0 {
            let serial = format!("OM{:06}", chance.below(1_000_000));
            let attributes = json!({
                "type": if server { "server" } else { "pc" }, "vendor": "多摩電算（架空）",
                "model": if server { "TD-R2" } else { "TD-N14" }, "serial": serial,
                "maintenance_end": "D+700", "spare": false,
            });
            seeds.push(Seed::new("hardware", &format!("筐体 {serial}"), 9, object(attributes)));
        }
    }
    for n in 0..PERSONS + 10 {
        let state =
            if n < PERSONS { "active" } else { *chance.pick(&["spare", "lost", "revoked"]) };
        let number = format!("B{:05}", 1000 + n);
        let attributes = json!({"number": number, "state": state, "visitor": false});
        seeds.push(Seed::new("badge", &format!("社員証 {number}"), 33, object(attributes)));
    }
    seeds
}
