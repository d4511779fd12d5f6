//! The corpora's patterns and what they are said to match.

use indicators::pattern::{Budget, Observation, Observed, Outcome, eval, parse};
use serde_json::Value;

use crate::common;

fn holds(text: &str, objects: &[Value]) -> bool {
    let observed = Observed { id: "", first: 0, last: 0, number: 1 };
    let observation = Observation::new(observed, objects.iter().collect());
    let pattern = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(parse(&pattern.to_string()).as_ref(), Ok(&pattern), "{text} does not print");
    matches!(eval(&pattern, &[observation], Budget::default()), Outcome::True(_))
}

fn objects(value: Value) -> Vec<Value> {
    match value {
        Value::Object(mut bundle) if bundle.contains_key("objects") => {
            bundle["objects"].take().as_array().cloned().unwrap_or_default()
        }
        object => vec![object],
    }
}

/// These hold a text against a number or a truth value, which the specification's table of constants says is
/// unequal; the corpus expects them to be turned into each other.
const UNLIKE: [&str; 5] = [
    "[file:extensions.'raster-image-ext'.image_height = '100']",
    "[file:extensions.'raster-image-ext'.image_width = '200']",
    "[file:extensions.'raster-image-ext'.bits_per_pixel = '24']",
    "[network-traffic:extensions.'socket-ext'.is_listening = 'true']",
    "[process:extensions.'windows-process-ext'.aslr_enabled = 'true']",
];

#[test]
fn fields_of_every_observable_are_found() {
    let Some(folder) = common::corpus("patterns/sco-fields") else { return };
    let manifest = common::json(&folder.join("manifest.json"));
    let mut judged = 0;
    for row in manifest.as_array().expect("rows") {
        let text = row["pattern"].as_str().expect("a pattern");
        let expected = row["expect"].as_bool().expect("true or false") && !UNLIKE.contains(&text);
        for file in ["sco_file", "bundle_file"] {
            let objects = objects(common::json(&folder.join(row[file].as_str().expect("a file"))));
            // Without the file that is its image a process has no name.
            let lone = file == "sco_file" && text.starts_with("[process:name");
            assert_eq!(holds(text, &objects), expected && !lone, "{text} on {file}");
        }
        judged += 1;
    }
    assert_eq!(judged, 276);
}

#[test]
fn the_specifications_examples_match_their_fixtures() {
    let Some(folder) = common::corpus("patterns") else { return };
    let mut patterns = Vec::new();
    for file in ["spec-section-9-8-level1.txt", "spec-section-9-8-level23.txt"] {
        let text = std::fs::read_to_string(folder.join(file)).expect("patterns");
        patterns.extend(text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned));
    }
    assert_eq!(patterns.len(), 26);
    let fixtures = common::files(&folder.join("eval"));
    let single = |text: &str, file: &str| {
        let path = fixtures.iter().find(|p| p.ends_with(file)).expect(file);
        holds(text, &objects(common::json(path)))
    };
    for (part, file) in [
        ("from_ref.value MATCHES", "spec-9-8-email-bundle.json"),
        ("artifact:payload_bin", "artifact-pcap-payload.json"),
        ("file:parent_directory_ref.path", "spec-9-8-file-parent-bundle.json"),
        ("magic_number_hex", "file-bmp-magic.json"),
        ("url:value", "url-example-foo.json"),
        ("x509-certificate:issuer", "x509-webmail.json"),
        ("CryptoLocker", "registry-cryptolocker.json"),
        ("sender_ref.value", "spec-9-8-email-bundle.json"),
        ("x-usb-device", "custom-usb-device.json"),
        ("dst_ref.value ISSUBSET", "spec-9-8-ipv6-network-bundle.json"),
    ] {
        let text = patterns.iter().find(|p| p.contains(part)).expect(part);
        assert!(single(text, file), "{text} on {file}");
    }
    for (part, file, why) in [
        ("sections[*].entropy", "file-with-pe-ext-embedded.json", "0.06 is not above 7"),
        ("resolves_to_refs[*]", "spec-9-8-domain-bundle.json", "/32 is not the bare address"),
        ("203.0.113.33/32", "spec-9-8-network-bundle.json", "/32 is not the bare address"),
        ("file:created = t", "file-with-ctime.json", "ctime is another property"),
    ] {
        let text = patterns.iter().find(|p| p.contains(part)).expect(part);
        assert!(!single(text, file), "{text} on {file}: {why}");
    }
}

#[test]
fn three_accounts_match_only_as_three_observations() {
    let Some(folder) = common::corpus("patterns") else { return };
    let text =
        std::fs::read_to_string(folder.join("spec-section-9-8-level23.txt")).expect("patterns");
    let users = text.lines().find(|l| l.contains("user-account")).expect("the pattern of users");
    let pattern = parse(users).unwrap();
    let objects = objects(common::json(&folder.join("eval/spec-9-8-level23-users-bundle.json")));
    let observed = Observed { id: "", first: 0, last: 0, number: 1 };
    let apart: Vec<Observation<'_>> =
        objects.iter().map(|o| Observation::new(observed, vec![o])).collect();
    let together = [Observation::new(observed, objects.iter().collect())];
    assert!(
        matches!(eval(&pattern, &apart, Budget::default()), Outcome::True(all) if all.len() == 3)
    );
    assert_eq!(eval(&pattern, &together, Budget::default()), Outcome::False);
}
