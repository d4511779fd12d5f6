use proptest::prelude::*;

use super::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn join(words: &[&[u8]]) -> Vec<u8> {
    words.concat()
}

fn halves(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

fn set(id: u16, body: &[u8]) -> Vec<u8> {
    join(&[&halves(&[id, body.len() as u16 + 4]), body])
}

fn v9(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    // 10 s after the start, at 2026-01-01.
    let head = words(&[10_000, 1_767_225_600, sequence, 7]);
    join(&[&halves(&[9, sets.len() as u16]), &head, &sets.concat()])
}

fn ipfix(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let body = sets.concat();
    let head = halves(&[10, body.len() as u16 + 16]);
    join(&[&head, &words(&[1_767_225_600, sequence, 7]), &body])
}

/// Source, destination, ports, protocol, bytes, packets, end.
const FIELDS: [u16; 16] = [8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 4, 2, 4, 21, 4];

fn template(id: u16) -> Vec<u8> {
    halves(&[&[id, 8][..], &FIELDS].concat())
}

fn record(port: u16) -> Vec<u8> {
    let (ends, ports) = (words(&[0x0a00_0001, 0x0a00_0002]), halves(&[port, 443]));
    join(&[&ends, &ports, &[6], &words(&[1500, 3, 9_000])])
}

#[test]
fn v5_is_read_and_must_fit_its_length() {
    let mut record = join(&[&words(&[0xc000_0201, 0xc000_0202, 0]), &halves(&[1, 2])]);
    record.extend(words(&[5, 700, 1_000, 2_000]));
    record.extend(halves(&[5353, 53]));
    record.extend([0, 0x12, 17, 0]);
    record.extend([0; 8]);
    let head = join(&[&halves(&[5, 2]), &words(&[3_000, 1_767_225_600, 0, 41]), &[1, 2, 0, 0]]);
    let wire = join(&[&head, &record, &record]);
    let decoded = Decoder::default().read(PEER, &wire).unwrap();
    assert_eq!((decoded.sequence, decoded.moves, decoded.domain), (41, Some(2), 0x102));
    let flow = &decoded.flows[1];
    assert_eq!((flow.bytes, flow.packets, flow.src_port, flow.protocol), (700, 5, 5353, 17));
    assert_eq!(flow.end, Some(Timestamp(1_767_225_599_000_000)));
    for cut in 0..wire.len() {
        assert!(Decoder::default().read(PEER, &wire[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn v9_and_ipfix_learn_templates_and_a_flow_becomes_an_event() {
    for (kind, id) in [(9, 0), (10, 2)] {
        let message = |n, sets: &[Vec<u8>]| if kind == 9 { v9(n, sets) } else { ipfix(n, sets) };
        let data = set(300, &join(&[&record(1000), &record(1001), &[0, 0]]));
        let mut decoder = Decoder::default();
        let early = decoder.read(PEER, &message(5, std::slice::from_ref(&data))).unwrap();
        assert_eq!((early.flows.len(), early.unread), (0, 1));
        assert_eq!(early.moves, (kind == 9).then_some(1));
        let decoded = decoder.read(PEER, &message(6, &[set(id, &template(300)), data])).unwrap();
        assert_eq!((decoded.flows.len(), decoded.unread), (2, 0));
        assert_eq!(decoded.moves, Some(if kind == 9 { 1 } else { 2 }));
        let flow = &decoded.flows[1];
        assert_eq!((flow.src_port, flow.dst_port, flow.bytes, flow.packets), (1001, 443, 1500, 3));
        // IPFIX does not say when the exporter started.
        let end = (kind == 9).then_some(Timestamp(1_767_225_599_000_000));
        assert_eq!(flow.end, end);
        // Another exporter has templates of its own.
        let other = "192.0.2.2".parse().unwrap();
        let stranger = decoder.read(other, &message(7, &[set(300, &record(1))])).unwrap();
        assert_eq!((stranger.flows.len(), stranger.unread), (0, 1));
        let line = crate::RawLine::with_format(flow.line(kind), crate::Format::Json);
        let now = Timestamp(1_767_225_600_000_000);
        let event = crate::parse(&line, "f", now, &jiff::tz::TimeZone::UTC);
        assert_eq!((event.class, event.fields["dst_port"].as_str()), (4001, "443"));
        assert_eq!(event.message, "10.0.0.1:1001 > 10.0.0.2:443 tcp 1500 bytes 3 packets");
        assert_eq!(event.event_time, end);
    }
}

#[test]
fn ipfix_has_foreign_and_variable_fields_options_and_takes_templates_back() {
    let fields = join(&[
        &halves(&[400, 4, 27, 16, 28, 16, 0x8001, 65_535]),
        &words(&[29_305]),
        &halves(&[152, 8]),
    ]);
    let long = [7; 300];
    let record = |foreign: &[u8]| {
        let time = 1_767_225_600_123_u64.to_be_bytes();
        join(&[&[0x20; 16], &[0x21; 16], foreign, &time])
    };
    let foreign = join(&[&[255], &halves(&[300]), &long]);
    let data = join(&[&record(&[3, 1, 2, 3]), &record(&foreign)]);
    let options = join(&[&halves(&[401, 2, 1, 149, 4, 160, 8]), &[0; 2]]);
    let options_data = set(401, &join(&[&words(&[1]), &words(&[2, 3])]));
    let sets = [set(2, &fields), set(400, &data), set(3, &options), options_data];
    let mut decoder = Decoder::default();
    let decoded = decoder.read(PEER, &ipfix(1, &sets)).unwrap();
    assert_eq!((decoded.flows.len(), decoded.unread, decoded.moves), (2, 0, Some(3)));
    assert_eq!(decoded.flows[1].start, Some(Timestamp(1_767_225_600_123_000)));
    assert!(decoded.flows[0].src.is_ipv6());
    let taken_back = [set(2, &halves(&[400, 0])), set(400, &data)];
    assert_eq!(decoder.read(PEER, &ipfix(1, &taken_back)).unwrap().unread, 1);
}

#[test]
fn floods_and_bombs_stay_small() {
    let mut decoder = Decoder::default();
    for id in 256..2000 {
        decoder.read(PEER, &v9(1, &[set(0, &template(id))])).unwrap();
    }
    let full = decoder.read(PEER, &v9(1, &[set(1999, &record(1))])).unwrap();
    assert_eq!((full.flows.len(), full.unread), (0, 1));
    let kept = decoder.read(PEER, &v9(1, &[set(256, &record(1))])).unwrap();
    assert_eq!(kept.flows.len(), 1);
    // A record without bytes would never end.
    decoder.read(PEER, &v9(1, &[set(0, &halves(&[256, 1, 8, 0])), set(256, &[1; 40])])).unwrap();
    for wrong in [
        v9(1, &[set(0, &halves(&[256, 257, 8, 4]))]),
        v9(1, &[set(0, &halves(&[256, 2, 8, 4]))]),
        v9(1, &[set(0, &halves(&[256, 1, 8, 65_535]))]),
        v9(1, &[halves(&[256, 3, 0, 0])]),
        v9(1, &[halves(&[256, 0, 0, 0])]),
        v9(1, &[halves(&[256, 9_000, 0, 0])]),
        ipfix(1, &[])[..12].to_vec(),
        halves(&[10, 4_000, 1, 2, 3, 4, 5, 6]),
        halves(&[8, 1]),
        Vec::new(),
    ] {
        assert!(decoder.read(PEER, &wrong).is_err(), "{wrong:?}");
    }
    let address = |n: u32| IpAddr::from(n.to_be_bytes());
    for n in 0..EXPORTERS_MAX as u32 + 10 {
        let _ = decoder.read(address(n), &v9(1, &[]));
    }
    assert_eq!(decoder.exporters.len(), EXPORTERS_MAX);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_flood(
        version in prop::sample::select(vec![5u16, 9, 10]),
        sets in prop::collection::vec(
            (prop::sample::select(vec![0u16, 1, 2, 3, 256, 300]), any::<Vec<u8>>()),
            0..5,
        ),
        tail: Vec<u8>,
    ) {
        let sets: Vec<Vec<u8>> = sets.iter().map(|(id, body)| set(*id, body)).collect();
        let mut wire = if version == 10 { ipfix(1, &sets) } else { v9(1, &sets) };
        wire[..2].copy_from_slice(&version.to_be_bytes());
        let mut decoder = Decoder::default();
        let _ = decoder.read(PEER, &v9(1, &[set(0, &template(256))]));
        let _ = decoder.read(PEER, &ipfix(1, &[set(2, &template(256))]));
        wire.extend(tail);
        if let Ok(decoded) = decoder.read(PEER, &wire) {
            prop_assert!(decoded.flows.len() <= wire.len() / 8);
        }
    }
}
