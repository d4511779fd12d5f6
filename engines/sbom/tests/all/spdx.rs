//! SPDX of both versions: in and out without loss, refused where it is wrong, and to CycloneDX and back.

use sbom::bom::{EdgeKind, Kind, Place, Rule};
use sbom::{Format, parse, write};
use serde_json::{Value, json};

fn document() -> Value {
    json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": "shop", "documentNamespace": "https://example.com/shop-1",
        "comment": "two\nlines",
        "creationInfo": {
            "created": "2026-11-28T09:00:00Z", "creators": ["Tool: maker-1", "Person: Ann (ann@example.com)"],
            "licenseListVersion": "3.27"
        },
        "externalDocumentRefs": [{
            "externalDocumentId": "DocumentRef-base", "spdxDocument": "https://example.com/base",
            "checksum": {"algorithm": "SHA1", "checksumValue": "d6a770ba38583ed4bb4525bd96e50461655d2759"}
        }],
        "packages": [
            {
                "SPDXID": "SPDXRef-shop", "name": "shop", "versionInfo": "1.0",
                "downloadLocation": "https://example.com/shop.tar.gz", "filesAnalyzed": true,
                "packageVerificationCode": {
                    "packageVerificationCodeValue": "d6a770ba38583ed4bb4525bd96e50461655d2758",
                    "packageVerificationCodeExcludedFiles": ["./shop.spdx", "./x"]
                },
                "supplier": "Organization: Example (mail@example.com)", "originator": "NOASSERTION",
                "licenseConcluded": "NOASSERTION", "licenseDeclared": "MIT OR LicenseRef-own",
                "copyrightText": "Copyright 2026", "primaryPackagePurpose": "APPLICATION",
                "externalRefs": [
                    {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                     "referenceLocator": "pkg:generic/shop@1.0", "comment": "ours"},
                    {"referenceCategory": "SECURITY", "referenceType": "cpe23Type",
                     "referenceLocator": "cpe:2.3:a:example:shop:1.0:*:*:*:*:*:*:*"}
                ],
                "annotations": [{"annotationDate": "2026-11-28T10:00:00Z", "annotationType": "REVIEW",
                    "annotator": "Person: Bob", "comment": "seen"}],
                "attributionTexts": ["thanks"]
            },
            {"SPDXID": "SPDXRef-lib", "name": "lib", "downloadLocation": "NOASSERTION",
             "filesAnalyzed": false, "primaryPackagePurpose": "SOURCE", "copyrightText": "NONE"}
        ],
        "files": [{
            "SPDXID": "SPDXRef-main", "fileName": "./main.c", "fileTypes": ["SOURCE"],
            "checksums": [{"algorithm": "SHA1", "checksumValue": "d6a770ba38583ed4bb4525bd96e50461655d2758"}],
            "licenseConcluded": "MIT", "licenseInfoInFiles": ["MIT"], "copyrightText": "NOASSERTION"
        }],
        "snippets": [{
            "SPDXID": "SPDXRef-part", "snippetFromFile": "SPDXRef-main", "name": "part",
            "ranges": [{"startPointer": {"reference": "SPDXRef-main", "offset": 3},
                        "endPointer": {"reference": "SPDXRef-main", "offset": 9}}]
        }],
        "hasExtractedLicensingInfos": [
            {"licenseId": "LicenseRef-own", "extractedText": "do\nas you like", "name": "Own"}
        ],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-shop"},
            {"spdxElementId": "SPDXRef-shop", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-main"},
            {"spdxElementId": "SPDXRef-lib", "relationshipType": "DEPENDENCY_OF", "relatedSpdxElement": "SPDXRef-shop",
             "comment": "linked"},
            {"spdxElementId": "SPDXRef-shop", "relationshipType": "AMENDS", "relatedSpdxElement": "DocumentRef-base:SPDXRef-x"}
        ]
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[test]
fn json_comes_back_whole_and_the_model_says_what_it_said() {
    let bom = parse(&bytes(&document())).expect("valid");
    let written = write(&bom, Format::Spdx2Json).expect("written");
    assert_eq!(serde_json::from_str::<Value>(&written.text).expect("JSON"), document());
    assert!(written.losses.is_empty());

    let shop = bom.find("SPDXRef-shop").expect("shop");
    assert_eq!(shop.purl.as_deref(), Some("pkg:generic/shop@1.0"));
    assert_eq!(shop.supplier.as_deref(), Some("Example"));
    assert_eq!(shop.licences[0].text, "MIT OR LicenseRef-own");
    assert_eq!(bom.find("SPDXRef-main").and_then(|one| one.kind), Some(Kind::File));
    assert_eq!(bom.edges[2].kind, EdgeKind::Other("DEPENDENCY_OF".into()));
}

#[test]
fn tag_value_says_the_same() {
    let bom = parse(&bytes(&document())).expect("valid");
    let tags = write(&bom, Format::Spdx2TagValue).expect("written");
    assert!(tags.losses.is_empty(), "{:?}", tags.losses);
    let again = parse(tags.text.as_bytes()).expect("read again");
    let json = write(&again, Format::Spdx2Json).expect("written");
    assert_eq!(serde_json::from_str::<Value>(&json.text).expect("JSON"), document());
}

#[test]
fn files_after_a_package_are_in_it_and_problems_have_lines() {
    let text = "SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\nDocumentName: x\n\
        DocumentNamespace: https://example.com/x\nCreator: Tool: t\nCreated: 2026-01-01T00:00:00Z\n\n\
        PackageName: p\nSPDXID: SPDXRef-p\nPackageDownloadLocation: NONE\nPackageComment: <text>a\nb</text>\n\n\
        FileName: ./f\nSPDXID: SPDXRef-f\nFileChecksum: SHA1: d6a770ba38583ed4bb4525bd96e50461655d2758\n";
    let bom = parse(text.as_bytes()).expect("valid");
    assert_eq!(
        (bom.edges[0].from.as_str(), bom.edges[0].to[0].as_str()),
        ("SPDXRef-p", "SPDXRef-f")
    );
    let wrong = text.replace("SPDXRef-f", "SPDXRef-p");
    let problems = parse(wrong.as_bytes()).expect_err("twice");
    assert_eq!(problems[0].rule, Rule::Unique);
    assert_eq!(problems[0].place, Place::Both(15, "/files/0/SPDXID".into()));
    let problems = parse(text.replace("FileName", "FileNam").as_bytes()).expect_err("no such tag");
    assert_eq!(problems[0].place, Place::Line(15));
    let problems = parse(text.replace("b</text>", "b").as_bytes()).expect_err("no end");
    assert!(problems[0].what.contains("does not end"));
}

#[test]
fn what_is_wrong_is_refused_with_its_pointer() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, Rule); 9] = [
        (|d| d["dataLicense"] = json!("MIT"), "/dataLicense", Rule::Schema),
        (|d| d["packages"][0]["SPDXID"] = json!("shop"), "/packages/0/SPDXID", Rule::Schema),
        (
            |d| d["packages"][1]["SPDXID"] = json!("SPDXRef-shop"),
            "/packages/1/SPDXID",
            Rule::Unique,
        ),
        (
            |d| d["relationships"][1]["relatedSpdxElement"] = json!("SPDXRef-no"),
            "/relationships/1/relatedSpdxElement",
            Rule::Dangling,
        ),
        (
            |d| d["relationships"][1]["relationshipType"] = json!("LIKES"),
            "/relationships/1/relationshipType",
            Rule::Schema,
        ),
        (
            |d| d["creationInfo"]["created"] = json!("yesterday"),
            "/creationInfo/created",
            Rule::Schema,
        ),
        (|d| d["packages"][0]["colour"] = json!("plum"), "/packages/0/colour", Rule::Schema),
        (
            |d| d["files"][0]["checksums"][0]["algorithm"] = json!("SHA-1"),
            "/files/0/checksums/0/algorithm",
            Rule::Schema,
        ),
        (
            |d| d["documentNamespace"] = json!("https://example.com/#x"),
            "/documentNamespace",
            Rule::Schema,
        ),
    ];
    for (change, pointer, rule) in cases {
        let mut wrong = document();
        change(&mut wrong);
        let problems = parse(&bytes(&wrong)).expect_err(pointer);
        assert!(
            problems.iter().any(|p| p.place == Place::Pointer(pointer.into()) && p.rule == rule),
            "{pointer}: {problems:?}"
        );
    }
}

#[test]
fn cyclonedx_keeps_edges_nesting_and_licences_and_tells_the_rest() {
    let bom = parse(&bytes(&document())).expect("valid");
    for format in [Format::CycloneDxJson(6), Format::CycloneDxXml(4)] {
        let written = write(&bom, format).expect("written");
        let again = parse(written.text.as_bytes()).expect("valid CycloneDX");
        assert_eq!(again.subject.as_ref().map(|one| one.name.as_str()), Some("shop"));
        // The reversed relation is turned round.
        assert_eq!(again.edges[0].from, "SPDXRef-shop");
        assert_eq!(again.edges[0].to, ["SPDXRef-lib"]);
        let told: Vec<String> = written.losses.iter().map(ToString::to_string).collect();
        for part in ["AMENDS", "snippets", "annotations"] {
            assert!(told.iter().any(|one| one.contains(part)), "{part}: {told:?}");
        }
    }
}

#[test]
fn containment_in_circles_ends() {
    let mut circle = document();
    circle["relationships"] = json!([
        {"spdxElementId": "SPDXRef-shop", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-lib"},
        {"spdxElementId": "SPDXRef-lib", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-shop"},
        {"spdxElementId": "SPDXRef-lib", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-lib"}
    ]);
    let bom = parse(&bytes(&circle)).expect("valid");
    let written = write(&bom, Format::CycloneDxJson(7)).expect("written");
    assert_eq!(parse(written.text.as_bytes()).expect("valid").count(), 3);
    assert_eq!(written.losses.iter().filter(|loss| loss.what.contains("itself")).count(), 2);
}

#[test]
fn version_3_comes_back_whole_as_a_set_and_is_checked() {
    let bom = parse(&bytes(&document())).expect("valid");
    let three = write(&bom, Format::Spdx3).expect("written");
    let read = parse(three.text.as_bytes()).expect("valid SPDX 3");
    let again = write(&read, Format::Spdx3).expect("written");
    let set = |text: &str| {
        let value: Value = serde_json::from_str(text).expect("JSON");
        let list = value["@graph"].as_array().expect("a graph").clone();
        // serde_json keeps the order of members, which says nothing here.
        let sorted = |one: Value| {
            let members = one.as_object().expect("an element").clone();
            members.into_iter().collect::<std::collections::BTreeMap<_, _>>()
        };
        let mut all: Vec<String> =
            list.into_iter().map(|one| format!("{:?}", sorted(one))).collect();
        all.sort();
        all
    };
    assert_eq!(set(&three.text), set(&again.text));
    let shop = read.walk().find(|one| one.name == "shop").expect("shop");
    assert_eq!(shop.version.as_deref(), Some("1.0"));
    assert_eq!(shop.licences[0].text, "MIT OR LicenseRef-own");
    assert!(read.edges.iter().any(|edge| edge.kind == EdgeKind::DependsOn));

    let mut wrong: Value = serde_json::from_str(&three.text).expect("JSON");
    let at = wrong["@graph"]
        .as_array()
        .expect("a graph")
        .iter()
        .position(|one| one["type"] == "Relationship");
    let at = at.expect("a relationship");
    wrong["@graph"][at]["to"] = json!(["urn:none"]);
    let problems = parse(&bytes(&wrong)).expect_err("dangling");
    assert_eq!(
        (problems[0].rule, problems[0].place.to_string()),
        (Rule::Dangling, format!("/@graph/{at}/to/0"))
    );
    wrong["@context"] = json!("https://spdx.org/rdf/2.0");
    assert_eq!(parse(&bytes(&wrong)).expect_err("version")[0].rule, Rule::Format);
}
