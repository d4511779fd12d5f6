use std::sync::Arc;

use bus::{Frame, node::Evaluate as _};
use indicators::{Entry, Kind};
use model::Timestamp;
use netname::Names;
use stream::{Home, Limits, RawLine, Stream};

use super::{
    node::{Sieves, bundle, name},
    sieve::Sifted,
};
use crate::work::{
    intel::over_set::{publish, signer},
    rules::shipped,
};

const NOW: Timestamp = Timestamp(1_795_600_000_000_000);
const QUIET: &str = r#"{"app":"dns","query":"good.example"}"#;
const EVIL: &str = r#"{"app":"dns","query":"evil.example"}"#;

fn home() -> Home {
    Home { zone: jiff::tz::TimeZone::UTC, host: None, manners: Arc::default() }
}

fn row(text: &str) -> Entry {
    let key = indicators::normalise(Kind::Domain, text, &Names::shipped()).unwrap();
    Entry::new(1, key, "list")
}

/// What a node that holds rules and a set says of two lines.
fn said(sieves: &Sieves, signed: Option<&[u8]>) -> Sifted {
    let (loaded, home) = (shipped(), home());
    let hash = name(&loaded, &home, signed);
    let given = sieves.open(&hash, &bundle(&loaded, &home, signed).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stream = Stream::open(folder.path(), Limits::default()).unwrap();
    let lines = [QUIET, EVIL].map(RawLine::new).to_vec();
    stream.ingest("app", lines, NOW).unwrap();
    let frames = stream.frames_from(0, usize::MAX).unwrap().frames;
    let frames: Vec<Frame> =
        frames.into_iter().map(|f| Frame { end: f.end, bytes: f.bytes }).collect();
    let mut place = sieves.begin(&Arc::new(given), &[]);
    place.take(&frames, stream.end(), None)
}

#[test]
fn a_node_names_what_only_an_indicator_meets_and_says_which_set_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let first = publish(folder.path(), 1, &[row("evil.example")], &[]);
    let keys = || vec![signer().verifier_key()];
    let sieves = Sieves::new("a", folder.path().to_owned(), keys(), false);
    let told = said(&sieves, None);
    assert_eq!((told.met.len(), told.held.root), (0, None), "no set was asked for");
    let told = said(&sieves, Some(first.signed()));
    assert_eq!(told.met.len(), 1);
    assert_eq!((told.held.root, told.held.trouble), (Some(first.manifest().root()), None));
    assert_eq!(told.held.node, "a");

    // Another set of which a file is torn: the one before stays.
    let second = publish(folder.path(), 2, &[row("good.example")], &[]);
    let file = folder.path().join(&second.manifest().files[0].name);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    let told = said(&sieves, Some(second.signed()));
    assert_eq!((told.met.len(), told.held.root), (1, Some(first.manifest().root())));
    assert!(told.held.trouble.unwrap().contains("base-"));
    std::fs::write(&file, &whole).unwrap();
    let told = said(&sieves, Some(second.signed()));
    assert_eq!(told.held.root, Some(second.manifest().root()));

    // What it held is in force again when it begins anew.
    let again = Sieves::new("a", folder.path().to_owned(), keys(), false);
    assert_eq!(said(&again, Some(&b"{"[..])).held.root, Some(second.manifest().root()));
}

#[test]
fn a_set_of_a_stranger_or_without_a_key_is_not_used() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let set = publish(theirs.path(), 1, &[row("evil.example")], &[]);
    let other = merkle::Signer::from_seed("other.example", &[9; 32]).unwrap();
    for keys in [vec![other.verifier_key()], Vec::new()] {
        let sieves = Sieves::new("a", ours.path().to_owned(), keys, false);
        let wanted = sieves.wants(&bundle(&shipped(), &home(), Some(set.signed())).unwrap());
        assert_eq!(wanted, [set.manifest().files[0].name.clone()]);
        for name in wanted {
            let place = sieves.place(&name, 9).unwrap();
            std::fs::copy(theirs.path().join(&name), place).unwrap();
            sieves.arrived(&name).unwrap();
        }
        let told = said(&sieves, Some(set.signed()));
        assert_eq!((told.met.len(), told.held.root), (0, None));
        assert!(told.held.trouble.is_some());
        assert!(!ours.path().join("set.json").exists(), "nothing of it is in force");
        std::fs::remove_file(ours.path().join(&set.manifest().files[0].name)).unwrap();
    }
    let sieves = Sieves::new("a", ours.path().to_owned(), Vec::new(), false);
    assert!(sieves.place("base-0.uix", u64::MAX).is_err(), "too large");
}
