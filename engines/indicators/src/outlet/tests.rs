use netname::Names;

use super::*;
use crate::normalise;

const DAY: Micros = 86_400_000_000;

struct One {
    key: Key,
    direction: Direction,
    ceiling: Ceiling,
    until: Option<Micros>,
}

fn one(kind: Kind, value: &str) -> One {
    let key = normalise(kind, value, &Names::shipped()).expect(value);
    One { key, direction: Direction::Both, ceiling: Ceiling::Block, until: None }
}

fn written(form: Form, at: Micros, rows: &[One]) -> (String, Summary) {
    let mut list = List::new(Ask::new(form, at));
    for row in rows {
        let One { direction, ceiling, until, .. } = *row;
        list.add(&Listed { direction, ceiling, until, ..Listed::key(&row.key) });
    }
    let mut text = String::new();
    let mut push = |part: &str| {
        text.push_str(part);
        Ok(())
    };
    let summary = list.write(7, &mut push).expect("written");
    (text, summary)
}

fn body(form: Form, rows: &[One]) -> Vec<String> {
    let (text, _) = written(form, 0, rows);
    let skipped = if form == Form::Rpz { 4 } else { 0 };
    text.lines().skip(skipped).map(str::to_owned).collect()
}

#[test]
fn a_zone_holds_names_wildcards_and_networks() {
    let rows = [
        one(Kind::Domain, "evil.example"),
        one(Kind::Domain, "*.worse.example"),
        one(Kind::Ip, "203.0.113.7"),
        one(Kind::Cidr, "198.51.100.0/24"),
        one(Kind::Cidr, "2001:db8::/32"),
        one(Kind::Domain, "例え.example"),
    ];
    let (text, summary) = written(Form::Rpz, 0, &rows);
    assert!(
        text.starts_with("$TTL 60\n$ORIGIN rpz.ume.\n@ SOA localhost. hostmaster.localhost. 7 ")
    );
    assert_eq!(
        body(Form::Rpz, &rows),
        [
            "*.worse.example CNAME .",
            "24.0.100.51.198.rpz-ip CNAME .",
            "32.7.113.0.203.rpz-ip CNAME .",
            "32.zz.db8.2001.rpz-ip CNAME .",
            "evil.example CNAME .",
            "worse.example CNAME .",
            "xn--r8jz45g.example CNAME .",
        ]
    );
    assert_eq!(summary.rows, 6);
}

#[test]
fn a_url_never_becomes_a_rule_over_its_host() {
    let mut shortener = one(Kind::Url, "https://short.example/a1");
    shortener.ceiling = Ceiling::UrlOnly;
    let mut whole = one(Kind::Url, "https://short.example/b");
    whole.key = whole.key.reaching(Scope::Host).expect("host");
    whole.ceiling = Ceiling::UrlOnly;
    let rows = [one(Kind::Url, "https://host.example/x"), shortener, whole];
    for form in [Form::Rpz, Form::SquidDomains, Form::SquidNetworks] {
        assert_eq!(body(form, &rows), Vec::<String>::new(), "{form:?}");
        assert_eq!(written(form, 0, &rows).1.left[&Left::Reach], 3, "{form:?}");
    }
    let urls = ["^https://host\\.example/x$", "^https://short\\.example/a1$"];
    assert_eq!(body(Form::SquidUrls, &rows), urls);
    assert_eq!(body(Form::List, &rows), ["https://host.example/x", "https://short.example/a1"]);
    // A URL that stands for its host is one, where that may be blocked.
    let mut host = one(Kind::Url, "https://evil.example/x");
    host.key = host.key.reaching(Scope::Host).expect("host");
    assert_eq!(body(Form::SquidDomains, &[host]), ["evil.example"]);
}

#[test]
fn what_is_only_told_of_over_or_of_the_other_side_is_in_no_list() {
    let mut told = one(Kind::Domain, "told.example");
    told.ceiling = Ceiling::Alert;
    let mut ended = one(Kind::Domain, "ended.example");
    ended.until = Some(DAY);
    let mut source = one(Kind::Ip, "192.0.2.1");
    source.direction = Direction::Source;
    let rows = [told, ended, source, one(Kind::Domain, "evil.example")];
    for form in [Form::List, Form::Rpz, Form::SquidDomains] {
        let (before, early) = written(form, DAY - 1, &rows);
        assert!(before.contains("ended.example") && early.next == Some(DAY), "{form:?}");
        let (text, summary) = written(form, DAY, &rows);
        assert!(text.contains("evil.example"));
        for gone in ["told.example", "ended.example", "192.0.2.1", "1.2.0.192"] {
            assert!(!text.contains(gone), "{form:?}: {gone}");
        }
        let left = &summary.left;
        let all = [Left::AlertOnly, Left::NotNow, Left::OtherDirection].map(|why| left[&why]);
        assert_eq!((all, summary.next), ([1, 1, 1], None), "{form:?}");
    }
}

#[test]
fn no_host_of_a_proxy_s_list_lies_below_another() {
    let rows = [
        one(Kind::Domain, "www.evil.example"),
        one(Kind::Domain, "evil.example"),
        one(Kind::Domain, "*.evil.example"),
        one(Kind::Domain, "*.a.evil.example"),
        one(Kind::Domain, "notevil.example"),
        one(Kind::Domain, "b.worse.example"),
        one(Kind::Domain, "worse.example"),
        one(Kind::Ip, "203.0.113.7"),
    ];
    assert_eq!(
        body(Form::SquidDomains, &rows),
        ["203.0.113.7", ".evil.example", "notevil.example", "worse.example", "b.worse.example"]
    );
    let nets = [
        one(Kind::Cidr, "10.1.0.0/16"),
        one(Kind::Ip, "10.1.2.3"),
        one(Kind::Cidr, "10.1.2.0/24"),
        one(Kind::Ip, "2001:db8::1"),
        one(Kind::Ip, "10.2.0.1"),
    ];
    assert_eq!(body(Form::SquidNetworks, &nets), ["10.1.0.0/16", "10.2.0.1", "2001:db8::1"]);
}

#[test]
fn signatures_name_hashes_of_any_size_and_the_level_that_takes_them() {
    let sha256 = "a".repeat(64);
    let rows = [
        one(Kind::Sha256, &sha256),
        one(Kind::Md5, "d41d8cd98f00b204e9800998ecf8427e"),
        one(Kind::Domain, "evil.example"),
    ];
    let expected = [
        format!("{sha256}:*:Ume.Indicator.aaaaaaaaaaaa:73"),
        "d41d8cd98f00b204e9800998ecf8427e:*:Ume.Indicator.d41d8cd98f00:73".to_owned(),
    ];
    assert_eq!(body(Form::Hsb, &rows), expected);
}

#[test]
fn prefixes_end_at_a_segment_and_letters_mean_themselves() {
    let rows = [one(Kind::Url, "https://evil.example/a+b/*"), one(Kind::Url, "evil.example/c.exe")];
    let lines = body(Form::SquidUrls, &rows);
    let means = |line: &str, url: &str| regex::Regex::new(line).unwrap().is_match(url);
    let prefix = lines.iter().find(|line| line.contains("https")).expect("prefix");
    for url in
        ["https://evil.example/a+b", "https://evil.example/a+b/x", "https://evil.example/a+b?q"]
    {
        assert!(means(prefix, url), "{prefix} {url}");
    }
    for url in ["https://evil.example/a+bc", "https://evilxexample/a+b", "https://evil.example/aab"]
    {
        assert!(!means(prefix, url), "{prefix} {url}");
    }
    let bare = lines.iter().find(|line| line.contains("exe")).expect("any scheme");
    assert!(
        means(bare, "http://evil.example/c.exe") && !means(bare, "http://x.evil.example/c.exe")
    );
}

#[test]
fn rows_in_another_order_and_twice_give_the_same_list() {
    let rows = || {
        vec![
            one(Kind::Domain, "b.example"),
            one(Kind::Domain, "a.example"),
            one(Kind::Ip, "192.0.2.9"),
            one(Kind::Domain, "a.example"),
        ]
    };
    let mut turned = rows();
    turned.reverse();
    for form in Form::ALL {
        assert_eq!(written(*form, 0, &rows()).0, written(*form, 0, &turned).0, "{form:?}");
    }
}

#[test]
fn a_name_that_the_zone_makes_too_long_is_left_out_and_counted() {
    let label = "a".repeat(60);
    let name = format!("{label}.{label}.{label}.{label}.example");
    let rows = [one(Kind::Domain, &name)];
    let (text, summary) = written(Form::Rpz, 0, &rows);
    assert!(!text.contains("aaaa"));
    assert_eq!(summary.left[&Left::Long], 1);
}

#[test]
fn a_full_list_says_so() {
    let mut list = List::new(Ask { rows_max: 1, ..Ask::new(Form::List, 0) });
    let rows = [one(Kind::Domain, "a.example"), one(Kind::Domain, "b.example")];
    rows.iter().for_each(|row| list.add(&Listed::key(&row.key)));
    assert_eq!((list.summary().rows, list.summary().left[&Left::Full]), (1, 1));
}
