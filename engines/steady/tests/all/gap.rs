//! One click: what differs between an incident and four quiet weeks.

use steady::{Context, CountPart, Facet, GapItem, HOUR, MINUTE, MetricPart, Micros, Window, gap};

use crate::simulator::Chance;

const AT: Micros = 1_777_000_000_000_000;

/// Quiet windows of many metrics and keys: the incident's hours and the four weeks before.
fn quiet(seed: u64) -> (Window, Window) {
    let mut chance = Chance::new(seed);
    let (from, until) = Window::around(AT);
    let window = |chance: &mut Chance, weeks: usize| {
        let metric = |n: usize, chance: &mut Chance| MetricPart {
            name: format!("metric{n}"),
            values: (0..weeks * 36)
                .map(|k| {
                    (from + (k % 36) as i64 * 5 * MINUTE, 50.0 + n as f64 + 3.0 * chance.normal())
                })
                .collect(),
            events: Vec::new(),
        };
        let count = |n: usize, chance: &mut Chance| {
            let facets =
                [Facet::Template, Facet::User, Facet::Process, Facet::Destination, Facet::Port];
            let mean = 300.0 / (1.0 + n as f64);
            CountPart {
                facet: facets[n % facets.len()],
                key: format!("key{n}"),
                counts: (0..weeks).map(|_| chance.poisson(mean)).collect(),
                first: from + n as i64,
                last: until - n as i64,
                events: vec![n as u128],
            }
        };
        let metrics = (0..200).map(|n| metric(n, chance)).collect();
        let counts = (0..2_000).map(|n| count(n, chance)).collect();
        Window { from, until, metrics, counts }
    };
    (window(&mut chance, 1), window(&mut chance, 4))
}

fn part(facet: Facet, key: &str, counts: &[f64], first: Micros, events: &[u128]) -> CountPart {
    let (key, counts, events) = (key.to_owned(), counts.to_vec(), events.to_vec());
    CountPart { facet, key, counts, first, last: AT, events }
}

fn place(items: &[GapItem], key: &str) -> usize {
    let named = |i: &GapItem| i.key == key || i.also.iter().any(|(_, also)| also == key);
    items.iter().position(named).unwrap_or_else(|| panic!("{key} is not in {items:#?}"))
}

#[test]
fn quiet_hours_list_nothing_or_nearly_nothing() {
    let listed: usize = (0..20)
        .map(|seed| {
            let (now, before) = quiet(seed);
            gap(&now, &before, &Context::new(AT)).len()
        })
        .sum();
    assert!(listed <= 10, "{listed} items in 20 quiet windows of 2,200 things");
}

#[test]
fn the_cause_comes_first_and_its_effects_after() {
    let (mut now, mut before) = quiet(1);
    now.counts.push(part(Facet::Change, "nginx 1.30 → 1.31", &[1.0], AT - 100 * MINUTE, &[9_001]));
    for (n, (time, value)) in now.metrics[7].values.iter_mut().enumerate() {
        // Memory climbs from 85 minutes before.
        *value += if *time >= AT - 85 * MINUTE { 2.0 * n as f64 } else { 0.0 };
    }
    let twin = now.metrics[7].clone();
    now.metrics[8].values = twin.values.iter().map(|(t, v)| (*t, v * 2.0)).collect();
    let twin = before.metrics[7].clone();
    before.metrics[8].values = twin.values.iter().map(|(t, v)| (*t, v * 2.0)).collect();
    let events: Vec<u128> = (7_000..7_040).collect();
    now.counts.push(part(
        Facet::Template,
        "out of memory: killed <*>",
        &[40.0],
        AT - 30 * MINUTE,
        &events,
    ));
    now.counts.push(part(Facet::Process, "oom_reaper", &[40.0], AT - 30 * MINUTE, &events));
    now.counts.push(part(Facet::Connections, "db:5432", &[5.0], AT - 119 * MINUTE, &[9_002]));
    before.counts.push(part(Facet::Connections, "db:5432", &[500.0, 480.0, 510.0, 505.0], 0, &[]));
    now.counts.push(part(Facet::Volume, "198.51.100.9", &[9e9], AT + 10 * MINUTE, &[9_003]));
    before.counts.push(part(Facet::Volume, "198.51.100.9", &[2e7, 1e7, 3e7, 2e7], 0, &[]));

    let items = gap(&now, &before, &Context::new(AT));
    assert!(items.len() <= 12, "{}", items.len());
    for (earlier, later) in [("metric7", "out of memory: killed <*>"), ("metric7", "198.51.100.9")]
    {
        assert!(place(&items, earlier) < place(&items, later), "{earlier} {later} {items:#?}");
    }
    let change = &items[place(&items, "nginx 1.30 → 1.31")];
    assert_eq!((change.facet, change.events.as_slice()), (Facet::Change, [9_001].as_slice()));
    assert!(items[place(&items, "db:5432")].effect < 0.0);
    assert_eq!(
        place(&items, "metric7"),
        place(&items, "metric8"),
        "metrics that move alike are one"
    );
    assert_eq!(place(&items, "oom_reaper"), place(&items, "out of memory: killed <*>"));
    let memory = &items[place(&items, "metric7")];
    assert!((memory.onset - (AT - 85 * MINUTE)).abs() <= 20 * MINUTE);
    assert!(items.windows(2).all(|w| w[0].rank >= w[1].rank));
}

#[test]
fn a_flood_of_one_key_does_not_make_all_others_rare() {
    let (mut now, before) = quiet(2);
    now.counts[0].counts = vec![1e6];
    let items = gap(&now, &before, &Context::new(AT));
    assert!(place(&items, "key0") == 0 && items.len() <= 4, "{items:#?}");
}

#[test]
fn a_volume_that_scatters_every_week_is_no_news() {
    let (mut now, mut before) = quiet(3);
    now.counts.push(part(Facet::Volume, "backup", &[6e9], AT - HOUR, &[]));
    before.counts.push(part(Facet::Volume, "backup", &[1e9, 9e9, 4e9, 0.0], 0, &[]));
    let items = gap(&now, &before, &Context::new(AT));
    assert!(items.iter().all(|i| i.key != "backup"), "{items:#?}");
}

#[test]
fn hostile_windows_end() {
    let nan = || MetricPart {
        name: "nan".to_owned(),
        values: [(Micros::MAX, f64::NAN), (Micros::MIN, f64::INFINITY), (0, 1e308)].repeat(20),
        events: Vec::new(),
    };
    let count =
        || part(Facet::User, "x", &[f64::NAN, f64::INFINITY, -1.0, 1e308], Micros::MIN, &[]);
    let window = || Window {
        from: Micros::MAX,
        until: Micros::MIN,
        metrics: vec![nan()],
        counts: vec![count()],
    };
    for weeks in [0, 1, 4] {
        let context = Context { at: 0, weeks, items: 5 };
        assert!(gap(&window(), &window(), &context).len() <= 5);
        assert!(gap(&window(), &Window::default(), &context).len() <= 5);
    }
}
