//! Laws: idempotence, one text for equal names, hostile input ends in an error and never in a panic.

use netname::{Domain, Error, Host, Names, Url, ip, lookalike};
use proptest::prelude::*;

/// Texts that come near to names, so that most of them are taken.
fn near() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9_-]{1,8}",
        "(xn--|XN--)[a-z0-9-]{1,10}",
        "[あ-んア-ン亜-黑éüßσς]{1,5}",
        Just("．".to_owned()),
        Just("..".to_owned()),
        "0x[0-9a-f]{1,3}",
        "[0-9]{1,4}",
        "[\u{200b}-\u{200f}\u{202a}-\u{202e}\u{0}\u{ad}א]",
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.join("."))
}

fn url() -> impl Strategy<Value = String> {
    let scheme = prop_oneof!["https?", "HTTP", "ftp", "ldap", "[a-z]{1,5}"];
    let user = prop_oneof![Just(String::new()), "[a-z:%@]{0,5}@"];
    let port = prop_oneof![Just(String::new()), ":[0-9]{0,5}"];
    let path = "([/\\\\.]|%2e|%2E|%7[eE]|%e3%81%82|%25|%|[a-zA-Z?=&#;, |'\"<>{}`^あ]){0,20}";
    (scheme, user, near(), port, path)
        .prop_map(|(scheme, user, host, port, path)| format!("{scheme}://{user}{host}{port}{path}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_canonical_domain_is_its_own_canonical_text(text in near()) {
        if let Ok(domain) = Domain::parse(&text) {
            prop_assert_eq!(Domain::parse(domain.as_str()), Ok(domain.clone()));
            prop_assert_eq!(Domain::parse(&format!("{domain}.")), Ok(domain.clone()));
            prop_assert_eq!(Domain::parse(&domain.as_str().to_uppercase()), Ok(domain.clone()));
            prop_assert_eq!(Domain::parse(&domain.unicode()), Ok(domain));
        }
    }

    #[test]
    fn a_canonical_url_is_its_own_canonical_text(text in url()) {
        if let Ok(url) = Url::parse(&text) {
            prop_assert_eq!(Url::parse(url.as_str()), Ok(url.clone()));
            prop_assert_eq!(Url::parse(&format!("{url}#x")), Ok(url.clone()));
            prop_assert!(Host::parse(&url.host().to_string()).as_ref() == Ok(url.host()));
            for prefix in url.prefixes() {
                prop_assert!(url.as_str().starts_with(prefix));
                let row = Url::parse(prefix).unwrap();
                prop_assert_eq!(row.as_prefix(), prefix);
            }
        }
    }

    #[test]
    fn every_way_to_write_an_ipv4_address_is_that_address(address: u32) {
        let [a, b, c, d] = address.to_be_bytes();
        let want = Ok(Host::parse(&format!("{a}.{b}.{c}.{d}")).unwrap());
        let low = u32::from(c) << 8 | u32::from(d);
        let forms = [
            format!("{address}"), format!("0x{address:X}"), format!("0{address:o}"),
            format!("0{a:o}.0x{b:x}.{c}.{d}"), format!("{a}.{b}.{low}"),
            format!("[::ffff:{a}.{b}.{c}.{d}]"), format!("{a}.{b}.{c}.{d}."),
        ];
        for form in forms {
            prop_assert_eq!(Host::parse(&form), want.clone(), "{}", form);
        }
    }

    #[test]
    fn the_walk_ends_above_the_public_suffix(text in near()) {
        let names = Names::shipped();
        if let Ok(domain) = Domain::parse(&text) {
            let walk: Vec<&str> = names.walk(domain.as_str()).collect();
            prop_assert_eq!(walk[0], domain.as_str());
            let registrable = names.registrable(domain.as_str());
            prop_assert_eq!(*walk.last().unwrap(), registrable.unwrap_or(domain.as_str()));
            prop_assert!(walk.iter().skip(1).all(|name| !names.is_public(name)));
        }
    }

    #[test]
    fn the_skeleton_of_a_skeleton_is_itself(text in "\\PC{0,20}") {
        let once = lookalike::skeleton(&text);
        prop_assert_eq!(lookalike::skeleton(&once), once.clone());
        prop_assert_eq!(lookalike::skeleton(&text.to_lowercase()), once);
    }

    #[test]
    fn any_text_at_all_is_a_name_or_an_error(text in any::<String>()) {
        let _ = (Domain::parse(&text), Host::parse(&text), Url::parse(&text));
        let _ = (ip::parse(&text), ip::net(&text), lookalike::skeleton(&text));
    }
}

#[test]
fn input_of_a_megabyte_ends_in_an_error_at_once() {
    let long = "a".repeat(1 << 20);
    assert_eq!(Domain::parse(&long), Err(Error::TooLong { max: 2_048 }));
    assert_eq!(Host::parse(&long), Err(Error::TooLong { max: 2_048 }));
    assert_eq!(Url::parse(&format!("http://{long}/")), Err(Error::TooLong { max: 65_536 }));
    assert_eq!(
        Url::parse(&format!("http://{}/", &long[..60_000])),
        Err(Error::TooLong { max: 2_048 })
    );
    let dots = ".".repeat(2_000);
    assert_eq!(Domain::parse(&dots), Err(Error::TooLong { max: 253 }));
    let hostile = format!("xn--{}", "9".repeat(2_000));
    assert!(Domain::parse(&hostile).is_err());
}

#[test]
fn labels_and_names_have_the_lengths_of_dns() {
    let label = "a".repeat(63);
    assert!(Domain::parse(&format!("{label}.jp")).is_ok());
    assert_eq!(Domain::parse(&format!("a{label}.jp")), Err(Error::LongLabel));
    let name = [label.as_str(); 4].join(".");
    assert_eq!(Domain::parse(&name), Err(Error::TooLong { max: 253 }));
    assert!(Domain::parse(&name[..253]).is_ok());
}

#[test]
fn directions_nul_and_invisible_characters_make_no_second_name() {
    assert_eq!(Domain::parse("exa\u{200b}mple.jp"), Domain::parse("example.jp"));
    assert_eq!(Domain::parse("exa\u{ad}mple.jp"), Domain::parse("example.jp"));
    assert_eq!(Domain::parse("a\u{202e}b.jp"), Err(Error::Idna));
    assert_eq!(Domain::parse("אa.jp"), Err(Error::Idna));
    assert_eq!(Domain::parse("a\0b.jp"), Err(Error::Character('\0')));
    assert_eq!(Domain::parse("日本語。ＪＰ").unwrap().as_str(), "xn--wgv71a119e.jp");
    // DNS carries what is no Unicode name: it can be looked for all the same.
    assert_eq!(Domain::parse("XN--A.jp").unwrap().as_str(), "xn--a.jp");
    assert_eq!(Domain::parse("_dmarc.Example.jp").unwrap().as_str(), "_dmarc.example.jp");
}
