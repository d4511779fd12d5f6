//! What is the same is one text; what is none of a kind is refused with its reason.

use netname::Names;
use proptest::prelude::*;

use super::{normalise, residue};
use crate::{Key, Kind, Reject, Scope};

fn key(kind: Kind, raw: &str) -> Result<Key, Reject> {
    normalise(kind, raw, &Names::shipped())
}

fn shown(kind: Kind, raw: &str) -> String {
    match key(kind, raw) {
        Ok(key) if key.scope() == Scope::Exact => key.into_text(),
        Ok(key) => format!("{} {}", key.scope().as_str(), key.text()),
        Err(reject) => format!("! {reject}"),
    }
}

fn all(kind: Kind, want: &str, forms: &[&str]) {
    for form in forms {
        assert_eq!(shown(kind, form), want, "{form}");
    }
}

#[test]
fn addresses_and_networks() {
    all(Kind::Ip, "10.0.0.1", &["10.0.0.1", "012.1", "::ffff:a00:1", "10.0.0.1/32", " 10.0.0.1 "]);
    all(Kind::Ip, "! a network of many addresses, not one", &["10.0.0.0/8", "2001:db8::/64"]);
    all(Kind::Cidr, "10.0.0.0/8", &["10.9.9.9/8", "10.0.0.0/255.0.0.0", "::ffff:10.0.0.0/104"]);
    assert_eq!(shown(Kind::Ip, "<*.*.*.*>"), "! no IP address");
    assert_eq!(shown(Kind::Ip, ""), "! empty");
}

#[test]
fn domains_say_by_their_form_how_far_they_reach() {
    all(Kind::Domain, "example.com", &["Example.COM.", "ｅｘａｍｐｌｅ．com"]);
    all(Kind::Domain, "subdomains example.com", &["*.example.com", ".example.com"]);
    let wild = "! a wildcard can stand at the left of a domain and at the end of a URL only";
    all(Kind::Domain, wild, &["*.co.jp", "*.jp", "a.*.example.com", "*", "*.*.com"]);
    assert_eq!(shown(Kind::Domain, "1.2.3.4"), "! an address, not a domain");
}

#[test]
fn urls_are_exact_prefixes_hosts_or_all_below_a_domain() {
    all(Kind::Url, "http://h.jp/a", &["HTTP://h.jp:80/a#x", "http://u:p@h.jp//a"]);
    all(Kind::Url, "prefix http://h.jp/a", &["http://h.jp/a/*"]);
    all(Kind::Url, "prefix http://h.jp", &["http://h.jp/*"]);
    all(Kind::Url, "//h.jp/a?x=1", &["h.jp/a?x=1", "//H.jp/a?x=1"]);
    all(Kind::Url, "//h.jp:8080/a", &["h.jp:8080/a"]);
    all(Kind::Url, "host h.jp", &["h.jp", "//h.jp"]);
    all(Kind::Url, "host [2001:db8::1]", &["[2001:db8::1]"]);
    all(Kind::Url, "subdomains h.jp", &["*.h.jp/*", "https://*.h.jp/", "*.h.jp"]);
    all(Kind::Url, "! a URL without a host", &["mailto:a@h.jp", "http:///"]);
    assert_eq!(shown(Kind::Url, "*.co.jp/*"), shown(Kind::Domain, "*.co.jp"));
}

#[test]
fn a_source_may_say_that_a_value_reaches_farther() {
    let url = key(Kind::Url, "https://h.jp:8443/a/b/?q").unwrap();
    let reach = |scope| url.clone().reaching(scope).map(Key::into_text);
    assert_eq!(reach(Scope::Prefix).unwrap(), "https://h.jp:8443/a/b");
    assert_eq!(reach(Scope::Host).unwrap(), "h.jp");
    assert_eq!(reach(Scope::Subdomains).unwrap(), "h.jp");
    let hash = key(Kind::Md5, &"a".repeat(32)).unwrap();
    assert!(matches!(hash.reaching(Scope::Prefix), Err(Reject::Scope { .. })));
    let wide = key(Kind::Domain, "*.h.jp").unwrap();
    assert!(wide.clone().reaching(Scope::Exact).is_err(), "never narrower than its form");
    let mail = key(Kind::Email, "a@h.jp").unwrap().reaching(Scope::Host).unwrap();
    assert_eq!(mail, key(Kind::Email, "*@h.jp").unwrap());
}

#[test]
fn mail_addresses_have_no_case_and_domains_of_names() {
    all(Kind::Email, "taro.y@example.co.jp", &["<Taro.Y@EXAMPLE.co.jp.>", "taro.y@example.co.jp"]);
    all(Kind::Email, "host @example.com", &["@example.com", "*@Example.com"]);
    all(Kind::Email, "a@[10.0.0.1]", &["a@[10.0.0.1]"]);
    all(Kind::Email, "! no mail address", &["a b@h.jp", "taro", "a@b@h.jp", "a,b@h.jp"]);
}

#[test]
fn hashes_are_of_their_length_or_nothing() {
    all(Kind::Md5, &"ab".repeat(16), &[&"AB".repeat(16)]);
    all(Kind::Sha256, "! not 64 hexadecimal digits", &[&"ab".repeat(16), &"g".repeat(64)]);
    let fuzzy = "96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO:sF1LF6tXwcX4uEL8";
    all(Kind::Ssdeep, fuzzy, &[fuzzy, &format!("{fuzzy},\"a.exe\"")]);
    all(
        Kind::Ssdeep,
        "! not of the form block:digest:digest",
        &["7:a:b", "3:a", "3:a:b:c", "3:-:b"],
    );
}

#[test]
fn windows_paths_are_the_same_for_every_user() {
    let roaming = [
        "%APPDATA%\\Evil\\x.exe",
        "C:\\Users\\taro\\AppData\\Roaming\\Evil\\x.exe",
        "c:/users/花子/appdata/roaming/evil/./y/../x.exe",
        "\\\\?\\C:\\Users\\a\\AppData\\Roaming\\EVIL\\x.exe",
        "C:\\Users\\*\\AppData\\Roaming\\Evil\\x.exe",
        "\"%userprofile%\\AppData\\Roaming\\Evil\\x.exe\"",
        "C:\\Documents and Settings\\a\\Application Data\\evil\\x.exe. ",
        "%AppData%\\\\Evil\\x.exe",
    ];
    all(Kind::Path, "%appdata%\\evil\\x.exe", &roaming);
    all(
        Kind::Path,
        "%temp%\\a.tmp",
        &[
            "%TMP%\\a.tmp",
            "%LOCALAPPDATA%\\Temp\\a.tmp",
            "C:\\Users\\a\\AppData\\Local\\Temp\\a.tmp",
        ],
    );
    all(
        Kind::Path,
        "c:\\windows\\system32\\a.dll",
        &[
            "%SystemRoot%\\System32\\a.dll",
            "\\SystemRoot\\System32\\a.dll",
            "%windir%/system32/a.dll",
            "C:\\WINDOWS\\system32\\..\\System32\\a.dll",
        ],
    );
    all(Kind::Path, "c:\\users\\public\\a.exe", &["%PUBLIC%\\a.exe", "C:\\Users\\Public\\a.exe"]);
    all(
        Kind::Path,
        "\\\\server\\share\\a.exe",
        &["\\\\Server\\Share\\a.exe", "\\\\?\\UNC\\server\\share\\a.exe"],
    );
    all(Kind::Path, "pattern c:\\evil\\*.exe", &["C:\\Evil\\*.exe"]);
    all(Kind::Path, "prefix c:\\evil", &["C:\\Evil\\*"]);
    let broad = "! fewer than 4 characters that are no wildcard: it would be found everywhere";
    all(Kind::Path, broad, &["C:\\*.*", "c:\\?\\*.ex"]);
}

#[test]
fn other_paths_keep_their_case() {
    all(Kind::Path, "/usr/bin/X", &["/usr//bin/./X/", "/usr/lib/../bin/X"]);
    all(
        Kind::Path,
        "~/.ssh/key",
        &["/home/taro/.ssh/key", "/root/.ssh/key", "$HOME/.ssh/key", "~/.ssh/key"],
    );
    all(
        Kind::Path,
        "! not absolute: begins neither with a drive, a share, a variable nor /",
        &["a/b", "a", "b\\c"],
    );
    assert_eq!(shown(Kind::Path, "/a\0b"), "! holds NUL or another control character");
}

#[test]
fn names_of_files_are_no_paths() {
    all(Kind::FileName, "請求書.xlsm", &["請求書.XLSM", "請求書.xlsm. "]);
    all(Kind::FileName, "pattern invoice*.exe", &["Invoice*.exe"]);
    assert_eq!(shown(Kind::FileName, "a\\b.exe"), "! holds a separator: a path, not a file's name");
    // One letter written in two ways.
    assert_eq!(shown(Kind::FileName, "か\u{3099}.exe"), shown(Kind::FileName, "が.exe"));
}

#[test]
fn registry_keys_have_one_hive_and_no_user() {
    all(
        Kind::RegistryKey,
        "hklm\\software\\evil",
        &[
            "HKEY_LOCAL_MACHINE\\Software\\Evil\\",
            "HKLM:\\SOFTWARE\\Evil",
            "\\REGISTRY\\MACHINE\\SOFTWARE\\Evil",
            "Computer\\HKEY_LOCAL_MACHINE\\Software\\Evil",
        ],
    );
    all(
        Kind::RegistryKey,
        "hkcu\\software\\run",
        &[
            "HKCU\\Software\\Run",
            "HKU\\S-1-5-21-1-2-3-1001\\Software\\Run",
            "\\Registry\\User\\S-1-5-21-1-2-3-1001\\Software\\Run",
        ],
    );
    all(Kind::RegistryKey, "hkcu\\software\\classes\\x", &["HKU\\S-1-5-21-1-2-3-1001_Classes\\x"]);
    all(
        Kind::RegistryKey,
        "hklm\\system\\currentcontrolset\\services\\x",
        &["HKLM\\System\\ControlSet001\\Services\\x"],
    );
    all(Kind::RegistryKey, "prefix hklm\\software\\evil", &["HKLM\\Software\\Evil\\*"]);
    all(
        Kind::RegistryKey,
        "! no registry key that begins with a hive",
        &["Software\\Run", "\\Registry\\X"],
    );
}

#[test]
fn mutexes_agents_and_numbers() {
    all(
        Kind::Mutex,
        "Evil-1",
        &["Global\\Evil-1", "\\Sessions\\1\\BaseNamedObjects\\Evil-1", "Evil-1"],
    );
    all(Kind::UserAgent, "Mozilla/4.0 (compatible)", &["  Mozilla/4.0   (compatible) "]);
    all(Kind::Asn, "AS65546", &["AS65546", "65546", "asn65546", "1.10", "AS 65546"]);
    all(
        Kind::Asn,
        "! no autonomous system number from 1 to 4294967295",
        &["0", "AS", "4294967296", "1.65536", "x"],
    );
}

#[test]
fn half_a_value_is_a_residue_of_its_kind() {
    let half = residue(Kind::Domain, Scope::Substring, "Evil-C2").unwrap();
    assert_eq!((half.text(), half.scope()), ("evil-c2", Scope::Substring));
    assert!(residue(Kind::Md5, Scope::Substring, "abcd").is_err());
    assert_eq!(residue(Kind::Url, Scope::Pattern, "*a?*"), Err(Reject::Broad { min: 4 }));
}

#[test]
fn every_refusal_has_words_in_both_languages() {
    let bad = [
        (Kind::Ip, "x"),
        (Kind::Url, "x"),
        (Kind::Asn, "x"),
        (Kind::Path, "x"),
        (Kind::Domain, ""),
    ];
    for (kind, raw) in bad {
        let (ja, en) = key(kind, raw).unwrap_err().words();
        assert!(!en.is_empty() && ja.chars().any(|ch| ch as u32 > 0x3000), "{ja} {en}");
    }
}

#[test]
fn a_form_tells_the_kind_or_nothing_does() {
    let guess = |raw: &str| super::guess(raw, &Names::shipped());
    for (raw, kind) in [
        ("10.0.0.1", Kind::Ip),
        ("10.0.0.0/8", Kind::Cidr),
        ("evil.co.jp", Kind::Domain),
        ("*.evil.com", Kind::Domain),
        ("https://h.jp/", Kind::Url),
        ("h.jp/a.exe", Kind::Url),
        ("a@h.jp", Kind::Email),
        ("AS64500", Kind::Asn),
        ("HKLM\\x", Kind::RegistryKey),
        ("C:\\a", Kind::Path),
        ("/etc/x", Kind::Path),
        ("%TEMP%\\x", Kind::Path),
        ("3:a:b", Kind::Ssdeep),
        (&"a".repeat(32), Kind::Md5),
        (&"0".repeat(64), Kind::Sha256),
        ("2001:db8::1", Kind::Ip),
    ] {
        assert_eq!(guess(raw), Some(kind), "{raw}");
    }
    for raw in ["", "x", "12345", "invoice.xlsm", "Mozilla/4.0 (x)", "梅"] {
        assert_eq!(guess(raw), None, "{raw}");
    }
}

fn near() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9]{1,4}",
        "[\\\\/.:@*?%~ $\"]{1,2}",
        Just("%APPDATA%".to_owned()),
        Just("C:\\Users\\".to_owned()),
        Just("HKU\\S-1-5-21-1".to_owned()),
        Just("HKLM".to_owned()),
        Just("ControlSet001".to_owned()),
        Just("Global\\".to_owned()),
        Just("https://".to_owned()),
        Just("Temp".to_owned()),
        Just("AppData\\Local".to_owned()),
        "[あ-おİßΣｱ]{1,3}",
        "か\u{3099}",
        Just("/home/".to_owned()),
        Just("\\\\?\\UNC\\".to_owned()),
        Just("..\\".to_owned()),
        Just("progra~1".to_owned()),
        Just("\\??\\".to_owned()),
        Just("%userprofile%".to_owned()),
    ];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_normalised_value_is_its_own_form(raw in near()) {
        for kind in Kind::ALL {
            let Ok(first) = key(*kind, &raw) else { continue };
            // A scope that the text no longer shows is told beside it.
            let again = key(*kind, first.text()).and_then(|key| key.reaching(first.scope()));
            prop_assert_eq!(again, Ok(first), "{:?} {:?}", kind, raw);
        }
    }

    #[test]
    fn any_text_at_all_is_a_value_or_a_reason(raw in any::<String>()) {
        for kind in Kind::ALL {
            let _ = key(*kind, &raw);
        }
    }
}
