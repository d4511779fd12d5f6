//! Every reader of foreign bytes, each as a function of bytes: for the fuzz targets beside this file, and for the
//! test `tests/fuzz.rs`, which runs them on a stable compiler.

use indicators::{
    Direction, Kind, Observable, Set,
    extract::{Labels, extract, mail},
    misp, ndjson, normalise,
    pattern::{self, Budget},
    set, stix,
    taxii::{self, Context, Discovery, Memory, Method, Root},
};
use netname::Names;

type Reader = fn(&[u8]);

pub const ALL: [(&str, Reader); 8] = [
    ("normalise", normalised),
    ("extract", extracted),
    ("set", opened),
    ("pattern", parsed),
    ("stix", validated),
    ("misp", event),
    ("taxii", request),
    ("ndjson", line),
];

/// What is normalised is normal.
pub fn normalised(bytes: &[u8]) {
    let names = Names::shipped();
    let Some((first, rest)) = bytes.split_first() else { return };
    let kind = Kind::ALL[usize::from(*first) % Kind::ALL.len()];
    let text = String::from_utf8_lossy(rest);
    let Ok(key) = normalise(kind, &text, &names) else { return };
    if key.scope() == indicators::Scope::Exact {
        let again = normalise(kind, key.text(), &names).expect("a canonical text is one");
        assert_eq!(again.text(), key.text(), "{kind:?} {text:?}");
    }
}

/// Ranges lie in the text, at characters.
pub fn extracted(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for span in extract(&text, Labels::shipped()).spans {
        assert!(text.get(span.start..span.end).is_some(), "{span:?}");
    }
    let _ = mail::read(bytes);
}

/// A file that is no set, or one that answers.
pub fn opened(bytes: &[u8]) {
    let _ = set::verify(bytes);
    let Ok(set) = Set::open(bytes, &[]) else { return };
    let names = Names::shipped();
    let mut hits = Vec::new();
    for kind in [Kind::Domain, Kind::Url, Kind::Ip, Kind::Md5] {
        let raw = [
            "a.evil.example",
            "http://evil.example/a",
            "192.0.2.7",
            "00112233445566778899aabbccddeeff",
        ];
        for raw in raw {
            if let Ok(seen) = Observable::read(kind, raw, Direction::Both, &names) {
                let _ = set.lookup(&seen, 0, &mut hits);
                let _ = set.lookup_all(&[seen], 0, &mut Vec::new());
            }
        }
    }
    let _ = set.scan(|hit| drop(hit.value()));
}

/// What is parsed is printed so that it is parsed as the same.
pub fn parsed(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match pattern::parse(&text) {
        Ok(read) => {
            let shown = read.to_string();
            let again = pattern::parse(&shown).expect("what was printed is a pattern");
            assert_eq!(again.to_string(), shown);
            let _ = pattern::eval(&read, &[], Budget::default());
            let _ = pattern::plan(&read);
        }
        Err(error) => assert!(error.offset <= text.len()),
    }
}

pub fn validated(bytes: &[u8]) {
    let Ok(read) = stix::parse(bytes, &stix::Limits::default()) else { return };
    let _ = stix::validate(&read);
    let objects: Vec<_> = read.objects.into_iter().map(|object| object.value).collect();
    let _ = pattern::observations(&objects);
}

/// An event is written as it came.
pub fn event(bytes: &[u8]) {
    let limits = misp::Limits::default();
    let _ = misp::read_response(bytes, &limits);
    let Ok(read) = misp::read_event(bytes, &limits) else { return };
    let written = misp::write_event(&read);
    let again = misp::read_event(written.to_string().as_bytes(), &limits)
        .expect("what was written is an event");
    assert_eq!(misp::write_event(&again), written);
}

/// A line names the request, the rest is its body; the server answers whatever it is.
pub fn request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (line, body) = text.split_once('\n').unwrap_or((&text, ""));
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut memory = Memory::default();
    let collection = taxii::Collection {
        id: "c".to_owned(),
        alias: None,
        title: "c".to_owned(),
        description: None,
        can_read: true,
        can_write: true,
    };
    memory.collections.insert("r".to_owned(), vec![collection]);
    let root = Root {
        name: "r".to_owned(),
        title: "r".to_owned(),
        description: None,
        max_content_length: 1 << 20,
    };
    let context = Context {
        base: "/taxii2/".to_owned(),
        discovery: Discovery::default(),
        roots: vec![root],
        challenges: Vec::new(),
        key: [7; 32],
        page_max: 100,
        now: 1_767_225_600_000_000,
        fresh: [1; 16],
    };
    let request = taxii::Request {
        method: match method {
            "POST" => Method::Post,
            "DELETE" => Method::Delete,
            "GET" => Method::Get,
            _ => Method::Other,
        },
        path,
        query,
        accept: Some(taxii::MEDIA_TYPE),
        content_type: Some(taxii::MEDIA_TYPE),
        body: body.as_bytes(),
        who: Some("peer"),
        tolerant: true,
    };
    let reply = taxii::handle(&request, &mut memory, &context);
    assert!((200..600).contains(&reply.status));
}

pub fn line(bytes: &[u8]) {
    let names = Names::shipped();
    for (id, text) in (0..).zip(String::from_utf8_lossy(bytes).lines()) {
        let _ = ndjson::read(text, id, 0, &names);
    }
}
