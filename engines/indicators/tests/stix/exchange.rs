//! Items from one format to the other and back.

use indicators::Kind;
use indicators::exchange::{Item, from_misp, from_stix, to_misp, to_stix};
use indicators::misp::{Limits, read_event, write_event};
use indicators::pattern::Side;
use indicators::stix::{self, Severity};
use indicators::tlp::Level;
use serde_json::{Value, json};

const AT: i64 = 1_767_225_600_000_000;

fn items() -> Vec<Item> {
    let values = [
        (Kind::Ip, "192.0.2.1", Some(Side::Destination)),
        (Kind::Ip, "2001:db8::1", None),
        (Kind::Cidr, "192.0.2.0/24", Some(Side::Source)),
        (Kind::Domain, "a.example", None),
        (Kind::Url, "https://a.example/x'y", None),
        (Kind::Email, "a@b.example", None),
        (Kind::Md5, "79054025255fb1a26e4bc422aef54eb4", None),
        (Kind::Sha256, "00", None),
        (Kind::FileName, "請求書.exe", None),
        (Kind::RegistryKey, r"HKEY_LOCAL_MACHINE\x", None),
        (Kind::Mutex, "m", None),
        (Kind::UserAgent, "x/1", None),
        (Kind::Asn, "64500", None),
        (Kind::Path, r"C:\x", None),
    ];
    values
        .into_iter()
        .map(|(kind, value, side)| Item {
            kind,
            value: value.into(),
            side,
            from: Some(AT),
            until: None,
            enforce: true,
            level: Level::Amber,
            by: String::new(),
        })
        .collect()
}

fn without_source(items: Vec<Item>) -> Vec<Item> {
    items.into_iter().map(|item| Item { by: String::new(), ..item }).collect()
}

#[test]
fn stix_says_the_same_and_says_it_soundly() {
    let bundle = to_stix(&items(), AT);
    let bytes = bundle.to_string();
    let parsed = stix::parse(bytes.as_bytes(), &stix::Limits::default()).unwrap();
    let errors: Vec<_> =
        stix::validate(&parsed).into_iter().filter(|d| d.severity() == Severity::Error).collect();
    assert_eq!(errors, []);
    let objects: Vec<&Value> = parsed.objects.iter().map(|o| &o.value).collect();
    let back = from_stix(&objects, Level::Red);
    assert_eq!((without_source(back.items), back.left), (items(), vec![]));
    assert_eq!(bundle, to_stix(&items(), AT), "the same twice is the same");
}

#[test]
fn misp_says_the_same() {
    let event =
        to_misp(&items(), "x", ("Ume".into(), "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f".into()), AT);
    let event = read_event(write_event(&event).to_string().as_bytes(), &Limits::default()).unwrap();
    let back = from_misp(&event, Level::Clear);
    let mut expected = items();
    // There is no type for a lone folder, nor a side for a network without one.
    expected[13].kind = Kind::FileName;
    expected[1].side = Some(Side::Destination);
    assert_eq!((without_source(back.items), back.left), (expected, vec![]));
}

#[test]
fn what_says_more_than_one_value_is_left_with_its_reason() {
    let indicator = |pattern: &str, extra: Value| {
        let mut object = json!({"type": "indicator", "id": format!("indicator--{}", pattern.len()), "pattern": pattern, "pattern_type": "stix"});
        for (key, value) in extra.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    };
    let objects = [
        indicator("[file:name = 'a' AND file:size = 5]", json!({})),
        indicator("[file:name = 'a'", json!({})),
        indicator("[file:name = 'b'] ", json!({"revoked": true})),
        indicator("rule x {}  ", json!({"pattern_type": "yara"})),
        indicator("[file:name = 'benign']", json!({"indicator_types": ["benign"]})),
    ];
    let out = from_stix(&objects.iter().collect::<Vec<_>>(), Level::Green);
    let why: Vec<_> = out.left.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(why[0], "its pattern asks for more than one value");
    assert!(why[1].starts_with("pattern, line 1"), "{why:?}");
    assert_eq!(why[2..], ["revoked", "a pattern of yara"]);
    assert_eq!(
        out.items.iter().map(|i| (i.value.as_str(), i.enforce, i.level)).collect::<Vec<_>>(),
        [("benign", false, Level::Green)]
    );
}
