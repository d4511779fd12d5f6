//! Values, and the ways in which people write them.

pub const STYLES: [&str; 6] = ["plain", "square", "hxxp", "round", "wide", "spaced"];

const IPS: [&str; 16] = [
    "192.0.2.17",
    "198.51.100.4",
    "203.0.113.99",
    "192.0.2.200",
    "198.51.100.250",
    "203.0.113.8",
    "192.0.2.33",
    "198.51.100.71",
    "203.0.113.142",
    "192.0.2.64",
    "198.51.100.119",
    "203.0.113.201",
    "192.0.2.5",
    "198.51.100.36",
    "203.0.113.57",
    "2001:db8:52::19",
];
const CIDRS: [&str; 5] =
    ["192.0.2.0/24", "198.51.100.64/26", "203.0.113.0/28", "198.51.100.128/25", "2001:db8:9::/48"];
const DOMAINS: [&str; 14] = [
    "update-check.example.net",
    "cdn-static7.example",
    "login.example.co.jp",
    "kessai-kakunin.example.com",
    "a1.b2.c3.example.org",
    "mail-secure.test",
    "xn--q9jyb4c.example",
    "panel_x.example.info",
    "sync.example.xyz",
    "d8f3kq.example",
    "portal.support.example.jp",
    "api-gw.example.top",
    "img.example.cloud",
    "files.example.zip",
];
const URLS: [&str; 12] = [
    "http://update-check.example.net/gate.php",
    "https://cdn-static7.example/a/b/c.js?id=77&x=1",
    "https://login.example.co.jp/auth/",
    "http://192.0.2.44:8080/panel/index.html",
    "https://sync.example.xyz/d/_v2/x",
    "https://portal.support.example.jp/login?next=%2Fhome",
    "http://files.example.com/inv-2024.zip",
    "https://a.example.org:8443/api/v1/beacon",
    "http://203.0.113.61/x86/run.sh",
    "https://d8f3kq.example",
    "https://img.example.cloud/p.png?u=user@example.org",
    "http://mail-secure.test/~kato/reset",
];
const EMAILS: [&str; 7] = [
    "invoice@update-check.example.net",
    "soumu-bu@login.example.co.jp",
    "no-reply@mail-secure.test",
    "k.sato@portal.support.example.jp",
    "billing+7@sync.example.xyz",
    "info@kessai-kakunin.example.com",
    "hr_team@example.org",
];
const MD5S: [&str; 4] = [
    "0cc175b9c0f1b6a831c399e269772661",
    "92eb5ffee6ae2fec3ad71c777531578f",
    "4a8a08f09d37b73795649038408b5f33",
    "8277e0910d750195b448797616e091ad",
];
const SHA1S: [&str; 3] = [
    "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
    "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98",
    "84a516841ba77a5b4648de2cd0dfcb30ea46dbb4",
];
const SHA256S: [&str; 5] = [
    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
    "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
    "18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4",
    "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea",
];
const SHA512S: [&str; 1] = [
    "1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f5302860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75",
];
const SSDEEPS: [&str; 2] = [
    "96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO:sF1LjEtHHlZDrJzrhuyZvHYm8tKp",
    "384:abcDEFghiJKL123:abcDEFgh45",
];
const FILES: [&str; 10] = [
    "invoice_0612.pdf.exe",
    "請求書_202306.zip",
    "setup-v2.msi",
    "お見積書 最新版.docm",
    "DHL_label.iso",
    "update.dll",
    "配送状況.lnk",
    "payroll.xlsm",
    "svc32.exe",
    "report.vbs",
];
const PROGRAMS: [&str; 4] = ["svc32.exe", "WinUpdt.exe", "msedge_helper.exe", "k2.scr"];
const PATHS: [&str; 8] = [
    r"C:\ProgramData\Svc\svc32.exe",
    r"%APPDATA%\Microsoft\Sync\update.dll",
    r"C:\Users\Public\Music\run.vbs",
    r"C:\Program Files (x86)\Helper Tool\helper.exe",
    r"%TEMP%\~k2.tmp",
    "/tmp/.cache/agentd",
    "/var/lib/.x/loader.so",
    r"C:\Windows\Tasks\at9.job",
];
const KEYS: [&str; 4] = [
    r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run\SyncHelper",
    r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\Shell",
    r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\svc32",
    r"HKEY_CURRENT_USER\Software\Svc",
];
const MUTEXES: [&str; 3] = [r"Global\{7f3a-svc}", "kq_lock_77", r"Local\SyncHelperMtx"];
const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (Windows NT 6.1; rv:52.0) Gecko/20100101 svc/2.1",
    "python-requests/2.31.0",
    "zgrab/0.x",
];
const ASNS: [&str; 3] = ["AS64500", "AS64511", "AS65550"];

fn pool(kind: &str) -> &'static [&'static str] {
    match kind {
        "ip" => &IPS,
        "cidr" => &CIDRS,
        "domain" => &DOMAINS,
        "url" => &URLS,
        "email" => &EMAILS,
        "md5" => &MD5S,
        "sha1" => &SHA1S,
        "sha256" => &SHA256S,
        "sha512" => &SHA512S,
        "ssdeep" => &SSDEEPS,
        "file_name" => &FILES,
        "program" => &PROGRAMS,
        "path" => &PATHS,
        "registry_key" => &KEYS,
        "mutex" => &MUTEXES,
        "user_agent" => &AGENTS,
        "asn" => &ASNS,
        other => panic!("no pool of {other}"),
    }
}

/// A value of a pool; another for each number, as far as the pool goes.
pub fn draw(kind: &str, number: usize) -> String {
    let pool = pool(kind);
    pool[number % pool.len()].to_owned()
}

/// How a person writes it. What is put before a port stays without brackets where IPv6 would be unreadable.
pub fn written(kind: &str, value: &str, style: &str, _before: &str, after: &str) -> String {
    let has_port = after.starts_with(':') || after.starts_with('：');
    if kind == "ip" && value.contains(':') && has_port {
        return format!("[{value}]");
    }
    match kind {
        "md5" | "sha1" | "sha256" | "sha512" if matches!(style, "square" | "wide") => {
            value.to_uppercase()
        }
        "ip" | "cidr" | "domain" | "url" | "email" => network(value, style),
        _ => value.to_owned(),
    }
}

fn network(value: &str, style: &str) -> String {
    let (scheme, rest) =
        value.split_once("://").map_or(("", value), |(scheme, rest)| (scheme, rest));
    let cut = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(cut);
    let opened = |dot: &str, at: &str| host.replace('.', dot).replace('@', at);
    let joined = |scheme: &str, host: String| {
        if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
    };
    match style {
        "square" => joined(scheme, opened("[.]", "[@]")),
        "hxxp" => joined(&scheme.replace("tt", "xx"), opened("[.]", "@")),
        "round" => joined(&scheme.replace("tt", "xx"), opened("(.)", "(at)")),
        // Full-width signs, as Japanese input methods leave them.
        "wide" => {
            let whole = joined(scheme, host.to_owned());
            whole
                .chars()
                .map(|sign| if ".:/@".contains(sign) { wide(sign) } else { sign })
                .collect()
        }
        "spaced" => joined(&scheme.replace("tt", "xx"), opened(" [.] ", " [@] ")),
        _ => value.to_owned(),
    }
}

fn wide(sign: char) -> char {
    char::from_u32(u32::from(sign) + 0xfee0).unwrap_or(sign)
}
