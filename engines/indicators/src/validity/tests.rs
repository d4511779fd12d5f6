//! The chain: who speaks first, until when, and that a set says at each time what the chain says.

use netname::Names;
use proptest::prelude::*;

use super::{Context, DAY, Decay, Finding, State, Step, entries, validity};
use crate::set::{Limits, build};
use crate::warning;
use crate::{
    Ceiling, Decision, Direction, Entry, Key, Kind, Kinds, Observable, Row, Scope, Set, normalise,
};

fn key(kind: Kind, raw: &str) -> Key {
    normalise(kind, raw, &Names::shipped()).unwrap()
}

fn file(entries: Vec<Entry>) -> Vec<u8> {
    let mut out = Vec::new();
    build(entries, [7; 16], &Limits::DEFAULT, &mut out).unwrap();
    out
}

fn row(kind: Kind, raw: &str) -> Row {
    Row::new(1, key(kind, raw), "feed", 0)
}

/// Own assets, and warning lists in MISP's own form.
fn lists() -> (Vec<u8>, Vec<u8>) {
    let own = [(Kind::Domain, "*.ume.example"), (Kind::Cidr, "203.0.113.0/24")];
    let own = own.iter().enumerate().map(|(id, (kind, raw))| Entry {
        ceiling: Ceiling::Nothing,
        ..Entry::new(id as u64, key(*kind, raw), "own assets")
    });
    let texts = [
        r#"{"name":"Public resolvers","type":"cidr","version":1,"description":"","list":["8.8.8.8","1.1.1.0/24","bad"],
            "matching_attributes":["ip-src","ip-dst","domain|ip"]}"#,
        r#"{"name":"Top sites","type":"hostname","list":["google.com",".amazonaws.com"],"matching_attributes":["domain","hostname","url"]}"#,
        r#"{"name":"URL shortener","type":"hostname","list":["bit.ly"],"matching_attributes":["domain","url"]}"#,
        r#"{"name":"Empty files","type":"string","list":["d41d8cd98f00b204e9800998ecf8427e",".static.example.org"],"matching_attributes":["md5","filename|md5","domain"]}"#,
        r#"{"name":"Contacts","type":"regex","list":["/^(security|noc)\\@.*\\..*$/i"],"matching_attributes":["email-src"]}"#,
        r#"{"name":"Sandboxes","type":"substring","list":["sandbox.example.net","9.9.9.9"],"matching_attributes":["domain","url","ip-dst"]}"#,
        r#"{"name":"Phones","type":"string","list":["123"],"matching_attributes":["phone-number"]}"#,
    ];
    let mut warned = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let read = warning::read(text.as_bytes(), number as u32, &Names::shipped()).unwrap();
        assert_eq!(read.refused_count, usize::from(number == 0), "{}", read.name);
        warned.extend(read.entries);
    }
    (file(own.collect()), file(warned))
}

#[test]
fn what_a_feed_must_not_have_blocked_is_alert_or_nothing() {
    let names = Names::shipped();
    let (own, warned) = lists();
    let (own, warned) = (Set::open(&own, &[]).unwrap(), Set::open(&warned, &[]).unwrap());
    let ctx = Context { own: Some(&own), warnings: Some(&warned), ..Context::new(&names) };
    let said = |kind, raw: &str| {
        let verdict = validity(&row(kind, raw), &ctx, DAY).unwrap();
        (verdict.state, verdict.ceiling)
    };
    let out = (State::Excluded, Ceiling::Nothing);
    for (kind, raw) in [
        (Kind::Cidr, "0.0.0.0/0"),
        (Kind::Domain, "co.jp"),
        (Kind::Domain, "www.ume.example"),
        (Kind::Ip, "203.0.113.9"),
        (Kind::Cidr, "203.0.113.128/25"),
        (Kind::Cidr, "203.0.0.0/16"),
        (Kind::Url, "https://ume.example/a"),
        (Kind::Ip, "127.0.0.1"),
        (Kind::Url, "github.io"),
        (Kind::Url, "http://203.0.113.1/x"),
    ] {
        assert_eq!(said(kind, raw), out, "{raw}");
    }
    let alert = (State::Active, Ceiling::Alert);
    for (kind, raw) in [
        (Kind::Ip, "8.8.8.8"),
        (Kind::Ip, "1.1.1.9"),
        (Kind::Cidr, "8.8.0.0/16"),
        (Kind::Cidr, "1.1.1.0/28"),
        (Kind::Domain, "www.google.com"),
        (Kind::Domain, "x.s3.amazonaws.com"),
        (Kind::Domain, "bit.ly"),
        (Kind::Url, "bit.ly"),
        (Kind::Md5, "d41d8cd98f00b204e9800998ecf8427e"),
        (Kind::Ip, "9.9.9.9"),
        (Kind::Email, "Security@anybody.jp"),
        (Kind::Domain, "my-sandbox.example.net"),
        (Kind::Domain, "a.static.example.org"),
    ] {
        assert_eq!(said(kind, raw), alert, "{raw}");
    }
    let page = (State::Active, Ceiling::UrlOnly);
    for raw in ["https://bit.ly/evil", "https://www.google.com/evil"] {
        assert_eq!(said(Kind::Url, raw), page, "{raw}");
    }
    let block = (State::Active, Ceiling::Block);
    for (kind, raw) in [
        (Kind::Ip, "8.8.8.9"),
        (Kind::Domain, "notgoogle.com"),
        (Kind::Url, "http://evil.jp/google.com"),
        (Kind::Email, "x@security.jp"),
        (Kind::Ip, "19.9.9.9"),
        (Kind::Sha1, &"a".repeat(40)),
    ] {
        assert_eq!(said(kind, raw), block, "{raw}");
    }
}

#[test]
fn the_first_that_speaks_decides() {
    let names = Names::shipped();
    let (own, warned) = lists();
    let (own, warned) = (Set::open(&own, &[]).unwrap(), Set::open(&warned, &[]).unwrap());
    let ctx = Context { own: Some(&own), warnings: Some(&warned), ..Context::new(&names) };
    let decision = |ceiling, until| Some(Decision { ceiling, until, reason: "見た".to_owned() });

    let mut mine = row(Kind::Ip, "203.0.113.9");
    mine.decision = decision(Ceiling::Block, 9 * DAY);
    assert_eq!(validity(&mine, &ctx, DAY).unwrap().state, State::Excluded, "not even a decision");

    let mut listed = row(Kind::Domain, "google.com");
    listed.decision = decision(Ceiling::Block, 9 * DAY);
    let now = validity(&listed, &ctx, DAY).unwrap();
    assert_eq!((now.ceiling, now.until), (Ceiling::Block, Some(9 * DAY)));
    assert_eq!(validity(&listed, &ctx, 9 * DAY).unwrap().ceiling, Ceiling::Alert, "decisions end");
    listed.revoked = true;
    assert_eq!(validity(&listed, &ctx, DAY).unwrap().state, State::Revoked);

    let mut dated = row(Kind::Domain, "evil.jp");
    (dated.valid_from, dated.valid_until, dated.score) = (Some(2 * DAY), Some(5 * DAY), Some(100));
    let states = [1, 2, 4, 5].map(|day| validity(&dated, &ctx, day * DAY).unwrap().state);
    assert_eq!(states, [State::NotYet, State::Active, State::Active, State::Expired]);
    let steps = validity(&dated, &ctx, DAY).unwrap().steps;
    let spoke: Vec<&str> =
        steps.iter().filter(|s| *s.finding() != Finding::Silent).map(Step::as_str).collect();
    assert_eq!(spoke, ["valid_until"], "a producer's end leaves nothing to decay");
}

#[test]
fn a_score_decays_by_its_formula_and_a_sighting_renews_it() {
    let decay = Decay::NETWORK;
    // 100 · (1 − (30/120)^(1/2)) = 50
    assert!((decay.score(100, 30 * DAY) - 50.0).abs() < 1e-9);
    let life = decay.life(80);
    assert!(decay.score(80, life - DAY) > 30.0 && decay.score(80, life + DAY) < 30.0);
    assert_eq!(decay.life(30), 0);
    let names = Names::shipped();
    let ctx = Context::new(&names);
    let mut row = row(Kind::Ip, "192.0.2.1");
    row.score = Some(80);
    assert_eq!(validity(&row, &ctx, 60 * DAY).unwrap().state, State::Expired);
    row.sighted = Some(50 * DAY);
    assert_eq!(validity(&row, &ctx, 60 * DAY).unwrap().state, State::Active);
    // A hash does not move to somebody else.
    let mut hash = super::tests::row(Kind::Md5, &"a".repeat(32));
    hash.score = Some(80);
    assert_eq!(validity(&hash, &ctx, 300 * DAY).unwrap().state, State::Active);
}

#[test]
fn every_step_has_words_in_both_languages() {
    let names = Names::shipped();
    let verdict = validity(&row(Kind::Ip, "192.0.2.1"), &Context::new(&names), DAY).unwrap();
    assert_eq!(verdict.steps.len(), 7);
    for step in &verdict.steps {
        let (ja, en) = step.words();
        assert!(ja.chars().any(|ch| ch as u32 > 0x3000) && en.is_ascii(), "{ja} {en}");
    }
    let last = verdict.steps.last().unwrap().words();
    assert_eq!(last.1, "180 days; valid until 1970-06-30T00:00:00Z");
    assert_eq!(last.0, "寿命180日。1970-06-30T00:00:00Zまで有効");
}

#[test]
fn what_a_list_of_lists_says_is_read_or_named() {
    let names = Names::shipped();
    let bad = warning::read(br#"{"name":"x","type":"soundex","list":[]}"#, 0, &names);
    assert_eq!(
        bad.unwrap_err().to_string(),
        "type \"soundex\" is none of cidr, hostname, string, substring, regex"
    );
    assert!(warning::read(b"[]", 0, &names).is_err());
    let read = warning::read(
        br#"{"name":"x","type":"regex","list":["/(a/","/a(?=b)/"],"matching_attributes":["url"]}"#,
        0,
        &names,
    )
    .unwrap();
    assert_eq!((read.entries.len(), read.refused_count), (0, 2));
    let kinds = Kinds::NONE.with(Kind::Url);
    assert!(kinds.has(Kind::Url) && !kinds.has(Kind::Ip));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_set_says_at_each_time_what_the_chain_says(
        from in prop::option::of(-5..30i64), until in prop::option::of(0..40i64), sighted in prop::option::of(0..20i64),
        revoked in prop::bool::weighted(0.1), score in prop::option::of(0..=100u8), built in 0..10i64,
        decision in prop::option::of((0..4usize, 0..30i64)), ages in prop::collection::vec(0..500i64, 12),
    ) {
        let names = Names::shipped();
        let ctx = Context::new(&names);
        let mut row = row(Kind::Domain, "evil.jp");
        row.valid_from = from.map(|day| day * DAY);
        row.valid_until = until.map(|day| day * DAY);
        row.sighted = sighted.map(|day| day * DAY);
        (row.revoked, row.score) = (revoked, score);
        row.decision = decision.map(|(ceiling, day)| Decision {
            ceiling: Ceiling::ALL[ceiling], until: day * DAY, reason: String::new(),
        });
        let entries = entries(&row, &ctx, built * DAY).unwrap();
        let file = file(entries);
        let set = Set::open(&file, &[]).unwrap();
        let seen = Observable::of(&row.key, Direction::Both, &names);
        for age in ages {
            let at = (built + age) * DAY;
            let want = validity(&row, &ctx, at).unwrap();
            let mut hits = Vec::new();
            set.lookup(&seen, at, &mut hits).unwrap();
            let got: Vec<Ceiling> = hits.iter().map(|hit| hit.ceiling).collect();
            let not_yet = want.from.is_some_and(|from| at < from);
            let active = want.state == State::Active && !not_yet;
            let want = if active { vec![want.ceiling] } else { Vec::new() };
            prop_assert_eq!(got, want, "day {}", age);
        }
        prop_assert!(Scope::Exact.suits(Kind::Domain));
    }
}
