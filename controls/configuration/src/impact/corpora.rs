//! Real advisories through the shelf: RustSec and PyPA as folders, against bills with versions that they are about.

use std::{collections::HashMap, path::PathBuf, time::Instant};

use model::{Id, Timestamp};

use super::{
    document::Aliases,
    parcel,
    shelf::{self, Shelved},
    state::{State, Taken},
};

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

fn folder(name: &str) -> Option<PathBuf> {
    let corpora = std::env::var_os("UME_CORPORA")?;
    Some(PathBuf::from(corpora).join("advisories").join(name)).filter(|path| path.is_dir())
}

fn bill(purls: &[&str]) -> Taken {
    let component = |(at, purl): (usize, &&str)| {
        format!(r#"{{"type": "library", "bom-ref": "{at}", "name": "x", "purl": "{purl}"}}"#)
    };
    let components: Vec<String> = purls.iter().enumerate().map(component).collect();
    let text = format!(
        r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{}]}}"#,
        components.join(",")
    );
    let bom = sbom::parse(text.as_bytes()).expect("valid");
    Taken::new(Id::nil(), [NOW, NOW], &bom, None, &Aliases::default())
}

#[test]
fn real_advisories_touch_the_versions_that_they_name_and_no_others() {
    let mut state = State::default();
    let id = |n: u8| Id::from_parts(NOW, &[n; 10]);
    state.take(id(1), bill(&["pkg:cargo/time@0.1.43", "pkg:pypi/django@2.2.0"]));
    state.take(id(2), bill(&["pkg:cargo/time@0.2.23", "pkg:pypi/django@3.2.19"]));
    let kept = tempfile::tempdir().expect("folder");
    for name in ["rustsec", "pypa"] {
        let Some(folder) = folder(name) else {
            println!("skipped: no corpus of advisories");
            return;
        };
        let (listing, to) = (parcel::list(&folder).expect("listed"), kept.path().join(name));
        parcel::pack(&folder, &listing, &to).expect("packed");
        let start = Instant::now();
        let read = shelf::read(&to, &HashMap::new()).expect("read");
        let mut shelved = Shelved::default();
        let State { index, fleet, .. } = &mut state;
        let change = shelved.take(read, index, fleet);
        println!("{name}: {} advisories in {:?}", shelved.advisories, start.elapsed());
        assert_eq!(shelved.quarantine, [], "every real advisory is read");
        assert!(shelved.advisories > 500, "{name}: {}", shelved.advisories);
        assert_eq!(change.touched.len(), 2, "both versions of one package, and nothing else");
        state.note(change, NOW);
        let again = shelf::read(&to, &shelved.known()).expect("read");
        let State { index, fleet, .. } = &mut state;
        assert_eq!(shelved.take(again, index, fleet).changed, 0);
        state.shelf.insert(name.to_owned(), shelved);
    }
    state.judge(NOW);
    let told = |n: u8| state.tell(&state.assets[&id(n)], None, NOW);
    let (old, new) = (told(1), told(2));
    let segfault = &old.touches["CVE-2020-26235"];
    assert_eq!(segfault.state(), "affected");
    assert!(segfault.also.contains(&"RUSTSEC-2020-0071".to_owned()));
    assert!(segfault.parts[0].fixed.is_some());
    assert!(old.touches.values().any(|touch| touch.also.contains(&"PYSEC-2021-98".to_owned())));
    assert!(!new.touches.contains_key("CVE-2020-26235"));
    assert_eq!((old.uncovered, new.uncovered), (0, 0));
}
