//! MISP: what comes goes out as it came; what is enforced is only what may be.

use indicators::Kind;
use indicators::misp::{
    Draft, DraftAttribute, Event, Limits, MispError, Search, hashes, is_known, manifest,
    read_event, read_response, rows, split, write_event,
};
use indicators::pattern::Side;
use indicators::tlp::{Level, Marking};
use proptest::prelude::*;
use serde_json::{Value, json};

const UUID: &str = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";

fn event(attributes: Value) -> Event {
    event_with(json!({}), attributes)
}

fn event_with(mut members: Value, attributes: Value) -> Event {
    members["uuid"] = UUID.into();
    members["info"] = "x".into();
    members["Attribute"] = attributes;
    read_event(json!({ "Event": members }).to_string().as_bytes(), &Limits::default()).unwrap()
}

fn levels(event: &Event) -> Vec<Level> {
    rows(event, &Marking::level(Level::Green)).rows.iter().map(|r| r.ceiling.level).collect()
}

#[test]
fn all_types_are_known_and_composites_are_split() {
    let text = include_str!("../../src/misp/types.txt");
    assert_eq!(text.lines().filter(|name| is_known(name)).count(), 194);
    let of = |name: &str, value: &str| -> Vec<(Kind, String)> {
        split(name, value).into_iter().map(|p| (p.kind, p.value)).collect()
    };
    assert_eq!(
        of("filename|sha256", "a.exe|00ff"),
        [(Kind::FileName, "a.exe".into()), (Kind::Sha256, "00ff".into())]
    );
    assert_eq!(
        of("malware-sample", "a.exe|00"),
        [(Kind::FileName, "a.exe".into()), (Kind::Md5, "00".into())]
    );
    assert_eq!(
        of("domain|ip", "a.example|192.0.2.1"),
        [(Kind::Domain, "a.example".into()), (Kind::Ip, "192.0.2.1".into())]
    );
    assert_eq!(of("ip-dst|port", "192.0.2.1|443"), [(Kind::Ip, "192.0.2.1".into())]);
    assert_eq!(split("ip-src", "192.0.2.0/24")[0].side, Some(Side::Source));
    assert_eq!(of("ip-src", "192.0.2.0/24"), [(Kind::Cidr, "192.0.2.0/24".into())]);
    assert_eq!(of("filename|sha256", "without"), []);
    for victim in ["target-email", "whois-registrant-email", "btc", "text"] {
        assert_eq!(of(victim, "a@b.example"), [], "{victim}");
    }
}

#[test]
fn what_may_not_be_enforced_is_not() {
    let event = event(json!([
        {"type": "domain", "value": "a.example", "to_ids": true, "uuid": UUID},
        {"type": "domain", "value": "b.example", "to_ids": "1"},
        {"type": "domain", "value": "c.example", "to_ids": false},
        {"type": "domain", "value": "d.example", "to_ids": true, "deleted": true},
        {"type": "domain", "value": "e.example"},
        {"type": "domain", "to_ids": true},
        {"value": "f.example"},
        {"type": "novel", "value": "g"},
    ]));
    let out = rows(&event, &Marking::level(Level::Green));
    let enforced: Vec<_> =
        out.rows.iter().filter(|r| r.enforce).map(|r| r.value.as_str()).collect();
    assert_eq!(enforced, ["a.example", "b.example"]);
    let left: Vec<_> = out.left.iter().map(|(at, why)| (at.as_str(), *why)).collect();
    assert_eq!(
        left,
        [
            ("/Attribute/5", "it has no value"),
            ("/Attribute/6", "it has no type"),
            ("/Attribute/7", "a type that is not known")
        ]
    );
}

#[test]
fn objects_hand_down_what_limits_them() {
    let object = json!([{"name": "file", "deleted": true, "Attribute": [{"type": "md5", "value": "0", "to_ids": true}]},
        {"name": "file", "distribution": "0", "Attribute": [{"type": "md5", "value": "1", "to_ids": true, "distribution": 5}]}]);
    let event = event_with(json!({"Object": object, "distribution": 3}), json!([]));
    let out = rows(&event, &Marking::level(Level::Red));
    assert_eq!(
        out.rows.iter().map(|r| (r.enforce, r.ceiling.level)).collect::<Vec<_>>(),
        [(false, Level::Clear), (true, Level::AmberStrict)]
    );
    assert_eq!(out.rows[1].pointer, "/Object/1/Attribute/0");
}

#[test]
fn distribution_and_tags_set_the_ceiling_and_the_stricter_holds() {
    for (distribution, tag, level) in [
        (json!(null), None, Level::Green),
        (json!("0"), None, Level::AmberStrict),
        (json!(1), None, Level::Amber),
        (json!("2"), None, Level::Green),
        (json!("3"), Some("tlp:amber"), Level::Amber),
        (json!("0"), Some("tlp:white"), Level::AmberStrict),
        (json!("4"), None, Level::AmberStrict),
        (json!("5"), Some("TLP:RED"), Level::Red),
        (json!("9"), None, Level::Red),
        (json!("3"), Some("tlp:unclear"), Level::Red),
        (json!(null), Some("type:OSINT"), Level::Green),
    ] {
        let tags: Vec<Value> = tag.iter().map(|name| json!({ "name": name })).collect();
        let event = event_with(
            json!({"distribution": distribution, "Tag": tags}),
            json!([{"type": "domain", "value": "a"}]),
        );
        assert_eq!(levels(&event), [level], "{distribution} {tag:?}");
    }
}

#[test]
fn times_come_with_offsets_or_as_seconds() {
    let event = event(json!([{"type": "domain", "value": "a",
        "first_seen": "2026-01-01T09:00:00.000001+09:00", "last_seen": "1767225600"}]));
    let row = &rows(&event, &Marking::level(Level::Red)).rows[0];
    assert_eq!(
        (row.first_seen, row.last_seen),
        (Some(1_767_225_600_000_001), Some(1_767_225_600_000_000))
    );
}

#[test]
fn our_own_events_are_read_back() {
    let draft = Draft {
        uuid: UUID.into(),
        info: "標的型メール".into(),
        at: 1_767_225_600_000_000,
        org: ("Umeda".into(), UUID.into()),
        level: Level::AmberStrict,
        attributes: vec![DraftAttribute {
            uuid: UUID.into(),
            kind: Kind::Ip,
            value: "192.0.2.1".into(),
            side: Some(Side::Source),
            first_seen: Some(1_767_225_600_000_000),
            last_seen: None,
            to_ids: true,
        }],
    };
    let made = Event::from(&draft);
    let again = read_event(write_event(&made).to_string().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(made, again);
    let row = &rows(&again, &Marking::level(Level::Clear)).rows[0];
    assert_eq!(
        (row.kind, row.side, row.enforce, row.ceiling.level),
        (Kind::Ip, Some(Side::Source), true, Level::AmberStrict)
    );
    assert_eq!(row.first_seen, Some(1_767_225_600_000_000));
    let manifest = manifest([&again]);
    assert_eq!(manifest[UUID]["Tag"][0]["name"], "tlp:amber+strict");
    assert_eq!(manifest[UUID]["timestamp"], 1_767_225_600);
    assert_eq!(manifest[UUID]["Tag"][0]["local"], false);
    assert_eq!(hashes(&again).csv(), format!("d0f88d6c87767262ba8e93d6acccd784,{UUID}\n"));
}

#[test]
fn hashes_are_of_each_part_of_a_value() {
    let event = event(
        json!([{"type": "filename|md5", "value": "a|b"}, {"type": "text", "value": "x|y"}, {"type": "AS", "value": 5}]),
    );
    let md5: Vec<String> = hashes(&event).0.into_iter().map(|(hash, _)| hash).collect();
    assert_eq!(
        md5,
        [
            "0cc175b9c0f1b6a831c399e269772661",
            "92eb5ffee6ae2fec3ad71c777531578f",
            "8ee0942e8c69bc44598c3c6dbb1bd409",
            "e4da3b7fbbce2345d7772b0674a318d5"
        ]
    );
}

#[test]
fn what_is_no_event_is_refused_and_answers_keep_the_rest() {
    let limits = Limits { bytes: 1000, attributes: 1 };
    let of = |text: &str| read_event(text.as_bytes(), &limits);
    assert!(matches!(of("{"), Err(MispError::Json(_))));
    assert_eq!(of("[]"), Err(MispError::Shape("no object")));
    assert_eq!(of("{\"Event\": 5}"), Err(MispError::Shape("Event is no object")));
    assert_eq!(of("{\"Event\": {\"uuid\": \"x\"}}"), Err(MispError::Shape("uuid is none")));
    assert_eq!(of(&" ".repeat(1001)), Err(MispError::Bytes(1000)));
    let two = json!({"uuid": UUID, "Attribute": [{}], "Object": [{"Attribute": [{}]}]}).to_string();
    assert_eq!(of(&two), Err(MispError::Attributes(1)));
    let answer = json!({"response": [{"Event": {"uuid": UUID}}, {"Event": 5}]}).to_string();
    let read = read_response(answer.as_bytes(), &limits).unwrap();
    assert!(read[0].is_ok() && read[1].is_err());
    let body = Search { published_since: Some(5), page: 0, limit: 0, tags: vec![] }.body();
    assert_eq!(
        (&body["page"], &body["limit"], &body["publish_timestamp"]),
        (&json!(1), &json!(1), &json!(5))
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                prop_oneof![
                    Just("Attribute".to_owned()),
                    Just("Object".to_owned()),
                    Just("Tag".to_owned()),
                    Just("type".to_owned()),
                    Just("value".to_owned()),
                    "[a-z]{1,4}"
                ],
                inner,
                0..5
            )
            .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_stands_in_an_event_is_kept_and_makes_nothing_fall(mut members in any_json()) {
        prop_assume!(members.is_object() && members.get("Event").is_none());
        members["uuid"] = UUID.into();
        let value = json!({ "Event": members });
        let event = read_event(value.to_string().as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(write_event(&event), value);
        rows(&event, &Marking::level(Level::Red));
        hashes(&event);
        manifest([&event]);
    }
}
