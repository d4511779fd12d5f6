use proptest::prelude::*;

use super::*;

const JVNRSS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"
 xmlns:sec="http://jvn.jp/rss/mod_sec/3.0/" xmlns:status="http://jvndb.jvn.jp/myjvn/Status" xml:lang="ja">
<channel rdf:about="https://jvndb.jvn.jp/apis/myjvn"><title>JVNDB</title>
 <items><rdf:Seq><rdf:li rdf:resource="https://jvn.example/JVNDB-2026-000001.html"/></rdf:Seq></items></channel>
<item rdf:about="https://jvn.example/JVNDB-2026-000001.html">
 <title>図面管理ソフトにおける認証回避の脆弱性</title><link>https://jvn.example/JVNDB-2026-000001.html</link>
 <description>図面管理ソフトには&amp;lt;認証&amp;gt;を回避される脆弱性が存在します。</description>
 <sec:identifier>JVNDB-2026-000001</sec:identifier>
 <sec:references source="CVE" id="CVE-2026-10001" title="図面管理ソフト">https://cve.example/CVE-2026-10001</sec:references>
 <sec:references source="JVN" id="JVN#12345678">https://jvn.example/jp/JVN12345678/</sec:references>
 <sec:cpe version="2.2" vendor="架空ソフト" product="図面管理">cpe:/a:kakuu:zumen%21</sec:cpe>
 <sec:cpe version="2.3" vendor="架空ソフト" product="図面管理">cpe:2.3:a:kakuu:zumen\!:2.1:*:*:*:*:*:*:*</sec:cpe>
 <sec:cvss score="7.5" severity="High" vector="AV:N/AC:L/Au:N/C:P/I:P/A:P" version="2.0" type="Base"/>
 <sec:cvss score="9.8" severity="Critical" vector="CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" version="3.0" type="Base"/>
 <dc:date>2026-11-26T07:36:21+09:00</dc:date><dcterms:issued>2026-11-04T14:45:58+09:00</dcterms:issued>
 <dcterms:modified>2026-11-26T07:36:21+09:00</dcterms:modified>
</item>
<status:Status version="3.3" method="getVulnOverviewList" feed="hnd" lang="ja" retCd="0" retMax="50" errCd="" errMsg=""
 totalRes="120" totalResRet="50" firstRes="1"/>
</rdf:RDF>"#;

fn places(feed: &Feed) -> Vec<String> {
    feed.problems.told.iter().map(ToString::to_string).collect()
}

#[test]
fn an_overview_of_jvn_loses_nothing_that_triage_needs() {
    let feed = read(JVNRSS.as_bytes()).expect("a feed");
    assert_eq!((feed.form, feed.language.as_deref()), (Form::Rdf, Some("ja")));
    assert_eq!(places(&feed), Vec::<String>::new());
    let [entry] = &feed.entries[..] else { panic!("{:?}", feed.entries) };
    assert_eq!(entry.id, "JVNDB-2026-000001");
    assert_eq!(entry.place, Place::Line(7));
    assert_eq!(entry.text, "図面管理ソフトには<認証>を回避される脆弱性が存在します。");
    assert_eq!(entry.vulnerabilities, ["JVNDB-2026-000001", "CVE-2026-10001", "JVN#12345678"]);
    assert_eq!((entry.tenths(2), entry.tenths(3), entry.tenths(4)), (Some(75), Some(98), None));
    assert_eq!(entry.products.len(), 1, "2.2 and 2.3 name the same product");
    assert_eq!(
        (entry.products[0].vendor.as_str(), entry.products[0].name.as_str()),
        ("架空ソフト", "図面管理")
    );
    assert_eq!(entry.products[0].versions, ["2.1"]);
    assert!(entry.published < entry.updated);
}

#[test]
fn pages_of_fifty_are_asked_for_until_all_is_there() {
    let mut question = jvn::Question {
        list: jvn::List::Overview,
        is_oka: false,
        since: Some(jiff::civil::date(2026, 11, 20)),
        start: 1,
    };
    let asked: Vec<String> =
        question.parameters().iter().map(|(name, value)| format!("{name}={value}")).collect();
    for wanted in [
        "maxCountItem=50",
        "rangeDatePublic=n",
        "rangeDateFirstPublished=n",
        "datePublishedStartM=11",
    ] {
        assert!(asked.iter().any(|one| one == wanted), "{wanted}: {asked:?}");
    }
    let answer = |first: u64, returned: u64| {
        let text = JVNRSS.replace("totalResRet=\"50\"", &format!("totalResRet=\"{returned}\""));
        read(text.replace("firstRes=\"1\"", &format!("firstRes=\"{first}\"")).as_bytes())
            .expect("a feed")
    };
    let mut starts = vec![question.start];
    for returned in [50, 50, 20] {
        match question.next(&answer(question.start, returned)).expect("an answer") {
            Some(next) => question = next,
            None => break,
        }
        starts.push(question.start);
    }
    assert_eq!(starts, [1, 51, 101]);
}

#[test]
fn an_error_of_jvn_comes_with_a_good_status_and_is_an_error() {
    let text = r#"<Result xmlns="http://jvndb.jvn.jp/myjvn/Results" xmlns:status="http://jvndb.jvn.jp/myjvn/Status">
        <status:Status retCd="1" errCd="E-001" errMsg="bad &lt;parameter&gt;" totalRes="0"/></Result>"#;
    let feed = read(text.as_bytes()).expect("a feed");
    let refusal = jvn::refused(&feed).expect_err("refused");
    assert_eq!(refusal.to_string(), "MyJVN refuses (E-001): bad <parameter>");
    let text = r#"{"feed": {}, "status": {"retCd": 1, "errCd": "E-2", "errMsg": "x"}}"#;
    let feed = read(text.as_bytes()).expect("a feed");
    assert!(matches!(jvn::refused(&feed), Err(jvn::Refusal::Said { .. })));
}

#[test]
fn nothing_found_is_no_entry() {
    let none = r#"<Result xmlns:status="http://jvndb.jvn.jp/myjvn/Status"><status:Status retCd="0" totalRes="0"/></Result>"#;
    let feed = read(none.as_bytes()).expect("a feed");
    assert_eq!((feed.form, feed.entries.len(), jvn::refused(&feed)), (Form::Status, 0, Ok(())));
    let dummy = r#"<feed xmlns="http://www.w3.org/2005/Atom" xmlns:status="http://jvndb.jvn.jp/myjvn/Status">
        <entry><title>該当する脆弱性対策情報はありません。</title><id>x</id></entry>
        <status:Status retCd="0" totalRes="0" totalResRet="1"/></feed>"#;
    let feed = read(dummy.as_bytes()).expect("a feed");
    assert_eq!((feed.form, feed.entries.len()), (Form::Atom, 0));
    assert_eq!(jvn::refused(&feed), Ok(()));
}

#[test]
fn alerts_of_jvn_bring_their_items() {
    let text = r#"<feed xmlns="http://www.w3.org/2005/Atom" xmlns:sec="https://jvn.jp/rss/mod_sec/3.0/" xml:lang="ja">
      <title type="text">注意警戒</title><entry><title>架空ソフトに関するセキュリティ情報</title><id>MYJVN-ALT-2026-0001</id>
      <published>2026-11-04T10:07:07+09:00</published><updated>2026-11-04T10:07:07+09:00</updated>
      <category label="重要" term="High"/><sec:items><sec:item><sec:title>架空ソフト 2.2 (CVE-2026-10001等)</sec:title>
      <sec:identifier>MYJVN-ALT-2026-0001-0001</sec:identifier><sec:link href="https://vendor.example/a?x=1&amp;y=2"/>
      <sec:cpe>cpe:/a:kakuu:zumen</sec:cpe></sec:item></sec:items></entry></feed>"#;
    let feed = read(text.as_bytes()).expect("a feed");
    let entry = &feed.entries[0];
    assert_eq!(entry.id, "MYJVN-ALT-2026-0001");
    assert_eq!(entry.categories, ["重要"]);
    assert_eq!(entry.products[0].name, "zumen");
    assert_eq!(entry.references[0].url, "https://vendor.example/a?x=1&y=2");
    assert!(entry.text.contains("CVE-2026-10001"), "{}", entry.text);
}

#[test]
fn details_of_jvn_bring_versions_scores_and_cves() {
    let text = r#"<VULDEF-Document version="3.2" xmlns="http://jvn.jp/vuldef/" xml:lang="ja"><Vulinfo>
      <VulinfoID>JVNDB-2026-000001</VulinfoID><VulinfoData><Title>t</Title>
      <VulinfoDescription><Overview>概要</Overview></VulinfoDescription>
      <Affected><AffectedItem><Name>架空ソフト</Name><ProductName>図面管理</ProductName>
       <Cpe version="2.2">cpe:/a:kakuu:zumen</Cpe><VersionNumber>2.1 およびそれ以前</VersionNumber></AffectedItem></Affected>
      <Impact><Cvss version="3.0"><Severity type="Base">Critical</Severity><Base>9.8</Base><Vector>CVSS:3.0/AV:N</Vector></Cvss>
       <ImpactItem><Description>任意のコードを実行される</Description></ImpactItem></Impact>
      <Solution><SolutionItem><Description>2.2に更新する</Description></SolutionItem></Solution>
      <Related><RelatedItem type="cve"><Name>CVE</Name><VulinfoID>CVE-2026-10001</VulinfoID><URL>https://c.example</URL></RelatedItem></Related>
      <DateFirstPublished>2026-11-15T16:17:27+09:00</DateFirstPublished><DateLastUpdated>2026-11-20T12:12:04+09:00</DateLastUpdated>
      <DatePublic>2026-11-14T00:00:00+09:00</DatePublic></VulinfoData></Vulinfo></VULDEF-Document>"#;
    let feed = read(text.as_bytes()).expect("a feed");
    let entry = &feed.entries[0];
    assert_eq!(entry.vulnerabilities, ["JVNDB-2026-000001", "CVE-2026-10001"]);
    assert_eq!(entry.products[0].versions, ["2.1 およびそれ以前"]);
    assert_eq!(entry.tenths(3), Some(98));
    assert_eq!(entry.text, "概要\n任意のコードを実行される\n2.2に更新する");
    assert!(entry.link.ends_with("/2026/JVNDB-2026-000001.html"));
}

#[test]
fn the_newer_form_of_jvn_is_read_under_all_its_names() {
    let text = r#"{"$schema": "x", "feed": {"title": "JVNDB", "lang": "ja", "entry": [
      {"title": "t", "id": "JVNDB-2026-000002", "summary": "s", "link": "https://j.example",
       "modified": "2026-11-26T07:36:21+09:00", "created": "2026-11-04T14:45:58+09:00", "public": "2026-11-01T10:23:42+09:00",
       "references": [{"url": "https://c.example", "summary": "CVE-2026-10002", "source": "CVE"}],
       "products": [
         {"vname": "V", "product_id": "jvnpid:1.0::v:p", "pname": "P", "product_ids": {"cpe": "cpe:2.3:a:v:p:*:*:*:*:*:*:*:*"}},
         {"vendor": "W", "product": "Q", "version": "4.0", "product_ids": {"jvnpid": "jvnpid:1.0::w:q:4.0"}}],
       "metrics": [{"content": {"cvss_v2": {"version": "2.0", "baseScore": 10.0, "vectorString": "AV:N"},
         "cvss_v4": {"version": "4.0", "baseScore": "9.5", "vectorString": "CVSS:4.0/AV:N"}}}]},
      {"$comment": "more"}, 17, {"title": "no id"}]},
      "status:Status": {"retCd": 0, "totalRes": "6", "totalResRet": "4", "firstRes": "1"}}"#;
    let feed = read(text.as_bytes()).expect("a feed");
    assert_eq!(feed.form, Form::Oka);
    let entry = &feed.entries[0];
    assert_eq!(entry.vulnerabilities, ["JVNDB-2026-000002", "CVE-2026-10002"]);
    let products: Vec<(&str, &str)> =
        entry.products.iter().map(|p| (p.name.as_str(), p.jvnpid.as_str())).collect();
    assert_eq!(products, [("P", "jvnpid:1.0::v:p"), ("Q", "jvnpid:1.0::w:q:4.0")]);
    assert_eq!((entry.tenths(2), entry.tenths(4)), (Some(100), Some(95)));
    assert_eq!(
        places(&feed),
        ["/feed/entry/2: \"17\" is no entry", "/feed/entry/3: the id is missing"]
    );
    assert_eq!(feed.status.as_ref().map(|status| status.total), Some(6));
}

#[test]
fn rss_is_read_and_a_broken_entry_costs_itself_alone() {
    let text = "<?xml version=\"1.0\"?>\n<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel>\
        <title>news</title><language>ja</language>\n\
        <item><title>A &amp; B & C</title><guid>1</guid><link>https://n.example/1</link><pubDate>Tue, 20 Jun 2023 09:00:00 +0900</pubDate>\
        <description>&lt;p&gt;C2: 192[.]0[.]2[.]1&lt;/p&gt;</description><content:encoded><![CDATA[<b>more</b>]]></content:encoded></item>\n\
        <item><title>broken <b title=></title></item>\n\
        <item></item>\n\
        <item><title>last</title><guid>3</guid><pubDate>yesterday</pubDate></item>\n</channel></rss>";
    let feed = read(text.as_bytes()).expect("a feed");
    let ids: Vec<&str> = feed.entries.iter().map(|entry| entry.id.as_str()).collect();
    assert!(ids.contains(&"1") && ids.contains(&"3"), "{ids:?}");
    assert_eq!(feed.entries[0].title, "A & B & C");
    assert_eq!(feed.entries[0].text, "C2: 192[.]0[.]2[.]1\nmore");
    assert_eq!((feed.form, feed.language.as_deref()), (Form::Rss, Some("ja")));
    let places = places(&feed);
    assert!(places.iter().any(|one| one == "line 5: the id is missing"), "{places:?}");
    assert!(places.iter().any(|one| one == "line 6: \"yesterday\" is no date"), "{places:?}");
}

#[test]
fn an_entry_that_ends_in_the_middle_is_told_with_its_line() {
    let whole = JVNRSS.replace("</item>", "</item>\n<item rdf:about=\"x\"><title>cut");
    let cut = &whole[..whole.find("cut").expect("there") + 3];
    let feed = read(cut.as_bytes()).expect("a feed");
    assert_eq!(feed.entries.len(), 1, "what came before stands");
    assert_eq!(feed.problems.count, 1, "{:?}", feed.problems);
}

#[test]
fn japanese_encodings_are_read_by_what_they_declare() {
    for (label, encoding) in [
        ("Shift_JIS", encoding_rs::SHIFT_JIS),
        ("EUC-JP", encoding_rs::EUC_JP),
        ("ISO-2022-JP", encoding_rs::ISO_2022_JP),
    ] {
        let text = format!(
            "<?xml version=\"1.0\" encoding='{label}'?><rss><channel><item><title>注意喚起</title><guid>1</guid></item></channel></rss>"
        );
        let (bytes, ..) = encoding.encode(&text);
        let feed = read(&bytes).expect(label);
        assert_eq!(feed.entries[0].title, "注意喚起", "{label}");
    }
    let wrong = b"<?xml version=\"1.0\" encoding=\"klingon\"?><rss/>";
    assert!(matches!(read(wrong).map_err(|p| p.fault), Err(Fault::UnknownEncoding(_))));
    let broken = b"<rss><channel><item><title>a\xff</title><guid>1</guid></item></channel></rss>";
    let feed = read(broken).expect("a feed");
    assert_eq!(places(&feed), ["line 1: bytes that are not UTF-8"]);
}

#[test]
fn bombs_are_named() {
    let entities = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><rss><item><title>&b;</title></item></rss>";
    assert_eq!(read(entities.as_bytes()).map_err(|p| p.fault), Err(Fault::Entities));
    let deep = format!("<rss><item><guid>1</guid>{}</item></rss>", "<a>".repeat(1_000));
    let feed = read(deep.as_bytes()).expect("a feed");
    assert_eq!(feed.problems.told[0].fault, Fault::Depth(DEPTH_MAX));
    let wide = format!(
        "<rss><item><guid>1</guid>{}</item><item><guid>2</guid></item></rss>",
        "<a/>".repeat(ELEMENTS_MAX + 1)
    );
    let feed = read(wide.as_bytes()).expect("a feed");
    assert_eq!(feed.problems.told[0].fault, Fault::Elements(ELEMENTS_MAX));
    assert_eq!(feed.entries.last().map(|entry| entry.id.as_str()), Some("2"), "the next is read");
    let long = format!(
        "<rss><item><guid>1</guid><description>{}</description></item></rss>",
        "あ".repeat(TEXT_BYTES_MAX)
    );
    let feed = read(long.as_bytes()).expect("a feed");
    assert!(feed.entries[0].is_cut && feed.entries[0].text.len() <= TEXT_BYTES_MAX);
    let json = format!("{{\"feed\": {}", "[".repeat(100_000));
    assert!(matches!(read(json.as_bytes()).map_err(|p| p.fault), Err(Fault::Json(_))));
}

#[test]
fn what_is_no_feed_is_refused() {
    for text in ["", "hello", "<html><body>503</body></html>", "{\"a\": 1}", "<a/>"] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn every_fault_has_words_in_both_languages() {
    for fault in [
        Fault::Large(1),
        Fault::Depth(1),
        Fault::Entities,
        Fault::Unknown,
        Fault::Missing("id"),
        Fault::Count { said: 2, found: 1 },
    ] {
        let (ja, en) = fault.words();
        assert!(!ja.is_ascii() && en.is_ascii(), "{ja} {en}");
    }
}

fn markup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<item>".to_owned()),
        Just("</item>".to_owned()),
        Just("<entry>".to_owned()),
        Just("<sec:cpe>".to_owned()),
        Just("</title>".to_owned()),
        Just("<title>".to_owned()),
        Just("<guid>x</guid>".to_owned()),
        Just("&amp;".to_owned()),
        Just("&#x3042;".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]>".to_owned()),
        Just("<!--".to_owned()),
        Just("<a b='".to_owned()),
        "[ -~あ-ん]{0,12}",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn markup_of_any_kind_ends_and_never_panics(body in markup()) {
        let _ = read(format!("<rss>{body}</rss>").as_bytes());
        let _ = read(body.as_bytes());
    }

    #[test]
    fn bytes_of_any_kind_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = kev::read(&bytes);
    }

    /// What stands before and behind a broken entry is read whatever the breakage.
    #[test]
    fn neighbours_of_a_broken_entry_stand(noise in "[a-z <>&\"'=/!]{0,40}") {
        prop_assume!(!noise.contains("<!") && !noise.contains("item") && !noise.contains("entry"));
        let text = format!(
            "<rss><channel><item><guid>first</guid></item><item><title>{noise}</item>\n<item><guid>last</guid></item></channel></rss>"
        );
        let feed = read(text.as_bytes()).expect("a feed");
        let ids: Vec<&str> = feed.entries.iter().map(|entry| entry.id.as_str()).collect();
        prop_assert!(ids.contains(&"first"), "{ids:?}");
    }
}
