//! Correlations against a reference that looks at the whole window again for everything that happens.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, test_runner::Config};
use sigma::{
    Arena, Correlator, Env, Finding, Limits, Match, Matcher, RuleSet, Settings, Source, load,
};

const SECOND: i64 = 1_000_000;

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    EventCount,
    ValueCount,
    Temporal,
    /// `a and not b` and the like, over the inputs
    Boolean(&'static str),
    Ordered,
    Sum,
    Avg,
    Percentile(i64),
    Median,
    /// Of texts
    Share,
}

#[derive(Clone, Debug)]
struct Spec {
    kind: Kind,
    /// Rules by number, or the correlation before
    inputs: Vec<Option<usize>>,
    grouped: bool,
    span: i64,
    bounds: Vec<(&'static str, i64)>,
}

#[derive(Clone, Debug)]
struct Event {
    time: i64,
    /// Seconds later than others it is pushed
    delay: i64,
    rules: Vec<usize>,
    group: Option<u8>,
    value: Option<i64>,
}

const RULES: usize = 3;

fn yaml(specs: &[Spec]) -> String {
    let mut text = String::new();
    for rule in 0..RULES {
        text += &format!(
            "title: r{rule}\nname: r{rule}\nlogsource: {{}}\ndetection:\n  s:\n    r{rule}: 1\n  condition: s\n---\n"
        );
    }
    for (at, spec) in specs.iter().enumerate() {
        let name = match &spec.kind {
            Kind::EventCount => "event_count",
            Kind::ValueCount => "value_count",
            Kind::Temporal | Kind::Boolean(_) => "temporal",
            Kind::Ordered => "temporal_ordered",
            Kind::Sum => "value_sum",
            Kind::Avg => "value_avg",
            Kind::Percentile(_) | Kind::Share => "value_percentile",
            Kind::Median => "value_median",
        };
        let rules: Vec<String> = spec
            .inputs
            .iter()
            .map(|i| i.map_or(format!("c{}", at.wrapping_sub(1)), |r| format!("r{r}")))
            .collect();
        let by = if spec.grouped { "[g]" } else { "[]" };
        text += &format!(
            "title: c{at}\nname: c{at}\ncorrelation:\n  type: {name}\n  rules: [{}]\n  group-by: {by}\n  timespan: {}s\n  generate: true\n",
            rules.join(", "),
            spec.span
        );
        if let Kind::Boolean(expr) = spec.kind {
            text += &format!("  condition: {expr}\n");
        } else if !spec.bounds.is_empty() {
            text += "  condition:\n";
            for (op, number) in &spec.bounds {
                text += &format!("    {op}: {number}\n");
            }
            match spec.kind {
                Kind::EventCount | Kind::Temporal | Kind::Ordered => {}
                Kind::Share => text += "    field: t\n",
                _ => text += "    field: v\n",
            }
            if let Kind::Percentile(p) = spec.kind {
                text += &format!("    percentile: {p}\n");
            }
        }
        text += "---\n";
    }
    text
}

/// Something that arrives at a correlation, with what orders it.
#[derive(Clone, Debug)]
struct Item {
    time: i64,
    phase: u8,
    order: u64,
    inputs: Vec<usize>,
    id: u128,
    group: Option<String>,
    value: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fired {
    correlation: usize,
    time: i64,
    group: Option<String>,
    evidence: Vec<u128>,
}

#[derive(Clone, Debug)]
struct Arrival {
    time: i64,
    phase: u8,
    order: u64,
    input: usize,
    id: u128,
    value: i64,
    group: Option<String>,
}

fn compare(op: &str, left: i128, right: i128) -> bool {
    match op {
        "gt" => left > right,
        "gte" => left >= right,
        "lt" => left < right,
        "lte" => left <= right,
        "eq" => left == right,
        _ => left != right,
    }
}

/// The longest chain of inputs in their order, each event once.
fn longest(window: &[Arrival]) -> usize {
    let mut best = vec![1; window.len()];
    for i in 0..window.len() {
        for j in 0..i {
            if window[j].input < window[i].input && window[j].id != window[i].id {
                best[i] = best[i].max(best[j] + 1);
            }
        }
    }
    best.into_iter().max().unwrap_or(0)
}

fn holds(spec: &Spec, window: &[Arrival], subject: Option<i64>) -> bool {
    if window.is_empty() {
        return false;
    }
    let seen: BTreeSet<usize> = window.iter().map(|a| a.input).collect();
    // left/parts against the bound
    let (left, parts): (i128, i128) = match &spec.kind {
        Kind::EventCount => (window.len() as i128, 1),
        Kind::ValueCount => {
            (window.iter().map(|a| a.value).collect::<BTreeSet<_>>().len() as i128, 1)
        }
        Kind::Temporal => (seen.len() as i128, 1),
        Kind::Ordered => (longest(window) as i128, 1),
        Kind::Boolean(expr) => {
            let has = |n: usize| seen.contains(&n);
            return match *expr {
                "r0 and not r1" => has(0) && !has(1),
                "r0 or r1" => has(0) || has(1),
                "r0 and (r1 or r2)" => has(0) && (has(1) || has(2)),
                other => panic!("{other}"),
            };
        }
        Kind::Sum => (window.iter().map(|a| i128::from(a.value)).sum(), 1),
        Kind::Avg => (window.iter().map(|a| i128::from(a.value)).sum(), window.len() as i128),
        Kind::Percentile(_) | Kind::Median => {
            let p = if let Kind::Percentile(p) = spec.kind { p } else { 50 };
            let mut values: Vec<i128> = window.iter().map(|a| i128::from(a.value)).collect();
            values.sort_unstable();
            let rank = i128::from(p) * (values.len() as i128 - 1);
            let (low, share) = ((rank / 100) as usize, rank % 100);
            let high = values[(low + 1).min(values.len() - 1)];
            (values[low] * (100 - share) + high * share, 100)
        }
        Kind::Share => {
            let count = window.iter().filter(|a| Some(a.value) == subject).count();
            (count as i128 * 100, window.len() as i128)
        }
    };
    let default = [("gte", spec.inputs.len() as i64)];
    let bounds = if spec.bounds.is_empty() { &default[..] } else { &spec.bounds[..] };
    bounds.iter().all(|(op, bound)| compare(op, left, i128::from(*bound) * parts))
}

fn at_close(spec: &Spec) -> bool {
    matches!(spec.kind, Kind::Boolean(e) if e.contains("not"))
        || spec.bounds.iter().any(|(op, _)| !op.starts_with('g'))
}

/// Everything a correlation finds, with what a correlation above gets.
fn reference(at: usize, spec: &Spec, items: &[Item]) -> (Vec<Fired>, Vec<Item>) {
    let mut groups: BTreeMap<Option<String>, Vec<Arrival>> = BTreeMap::new();
    let temporal = matches!(spec.kind, Kind::Temporal | Kind::Boolean(_) | Kind::Ordered);
    let valued =
        !matches!(spec.kind, Kind::EventCount | Kind::Temporal | Kind::Boolean(_) | Kind::Ordered);
    let mut sorted = items.to_vec();
    sorted.sort_by_key(|i| (i.time, i.phase, i.order));
    for item in &sorted {
        if (spec.grouped && item.group.is_none()) || (valued && item.value.is_none()) {
            continue;
        }
        let key = item.group.clone().filter(|_| spec.grouped);
        let mut inputs = item.inputs.clone();
        inputs.sort_unstable_by(|a, b| b.cmp(a));
        if !temporal {
            inputs.truncate(1);
        }
        for input in inputs {
            let Item { time, phase, order, id, .. } = *item;
            let arrival = Arrival {
                time,
                phase,
                order,
                input,
                id,
                value: item.value.unwrap_or(0),
                group: item.group.clone(),
            };
            groups.entry(key.clone()).or_default().push(arrival);
        }
    }
    let span = spec.span * SECOND;
    let (mut fired, mut above) = (Vec::new(), Vec::new());
    for (key, arrivals) in groups {
        // Moments: events leave (phase 0), event number n arrives.
        let mut moments: Vec<(i64, u8, u64, Option<usize>)> = arrivals
            .iter()
            .map(|a| a.time + span)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(|t| (t, 0, 0, None))
            .collect();
        moments.extend(
            arrivals.iter().enumerate().map(|(n, a)| (a.time, 1 + a.phase, n as u64, Some(n))),
        );
        moments.sort_unstable();
        let mut held = false;
        let mut held_shares: BTreeSet<i64> = BTreeSet::new();
        for (now, _, _, arrives) in moments {
            let until =
                arrives.map_or_else(|| arrivals.iter().filter(|a| a.time < now).count(), |n| n + 1);
            let within = |from: i64| -> Vec<Arrival> {
                arrivals[..until].iter().filter(|a| a.time >= from).cloned().collect()
            };
            let full = within(now - span);
            let window = within(now - span + 1);
            let mut fire = |window: &[Arrival], arrives: Option<usize>| {
                let evidence: Vec<u128> = window.iter().map(|a| a.id).collect();
                fired.push(Fired {
                    correlation: at,
                    time: now,
                    group: key.clone(),
                    evidence: evidence.clone(),
                });
                let last = &arrivals[until - 1];
                let (phase, order) =
                    arrives.map_or((0, 0), |n| (arrivals[n].phase, arrivals[n].order));
                let phase = if arrives.is_some() { phase } else { 0 };
                let id = 1_000_000 + above.len() as u128;
                above.push(Item {
                    time: now,
                    phase,
                    order,
                    inputs: vec![0],
                    id,
                    group: last.group.clone().or(key.clone()),
                    value: Some(last.value),
                });
            };
            if spec.kind == Kind::Share {
                let subjects: Vec<i64> = match (at_close(spec), arrives) {
                    (true, None) => {
                        full.iter().filter(|a| a.time == now - span).map(|a| a.value).collect()
                    }
                    (false, Some(n)) => vec![arrivals[n].value],
                    _ => vec![],
                };
                let judged = if at_close(spec) { &full } else { &window };
                for subject in subjects {
                    held_shares.retain(|v| holds(spec, judged, Some(*v)));
                    if holds(spec, judged, Some(subject)) && held_shares.insert(subject) {
                        fire(judged, arrives);
                    }
                }
                held_shares.retain(|v| window.iter().any(|a| a.value == *v));
                continue;
            }
            match (at_close(spec), arrives) {
                (true, None) => {
                    let now_holds = holds(spec, &full, None);
                    if now_holds && !held {
                        fire(&full, None);
                    }
                    held = now_holds && !window.is_empty();
                }
                (true, Some(_)) => {}
                (false, _) => {
                    let now_holds = holds(spec, &window, None);
                    if now_holds && !held {
                        fire(&window, arrives);
                    }
                    held = now_holds;
                }
            }
        }
    }
    (fired, above)
}

fn set_of(specs: &[Spec]) -> RuleSet {
    loaded(&yaml(specs), specs.len())
}

/// The same among others, in other places and with other fields to follow.
fn wider(specs: &[Spec]) -> RuleSet {
    let other = "title: other\nname: other\nlogsource: {}\ndetection: {s: {never: 1}, condition: s}\n---\n\
                 title: more\ncorrelation: {type: value_count, rules: [other], group-by: [h, v], timespan: 1h, \
                 condition: {gte: 2, field: t}}\n---\n";
    loaded(&format!("{other}{}", yaml(specs)), specs.len() + 1)
}

fn loaded(text: &str, correlations: usize) -> RuleSet {
    let (set, rejected) = load(
        &[Source { file: "c.yml", bytes: text.as_bytes() }],
        &Env::default(),
        &Limits::default(),
    );
    assert!(rejected.is_empty(), "{rejected:?}\n{text}");
    assert_eq!(set.correlations().len(), correlations);
    set
}

/// What the correlator finds, with a snapshot taken up again in the middle, and other rules beside for a third of the
/// time; and how many were late.
fn run(specs: &[Spec], set: &RuleSet, events: &[Event], lateness: i64) -> (Vec<Finding>, u64) {
    let settings = Settings { lateness_us: lateness * SECOND, ..Settings::default() };
    let wide = wider(specs);
    let mut matcher = Matcher::new(set);
    let mut correlator = Correlator::new(set, settings);
    let mut arena = Arena::new();
    let mut found = Vec::new();
    let mut beside = Vec::new();
    for (n, event) in events.iter().enumerate() {
        let is_beside = n >= events.len() / 3 && n < events.len() * 2 / 3;
        if n == events.len() / 3 && is_beside {
            matcher = Matcher::new(&wide);
            correlator = correlator.follow(&wide);
        }
        if n == events.len() * 2 / 3 {
            matcher = Matcher::new(set);
            correlator = correlator.follow(set);
        }
        arena.clear();
        event.rules.iter().for_each(|r| arena.push(&format!("r{r}"), "1"));
        if let Some(group) = event.group {
            arena.push("g", &format!("g{group}"));
        }
        if let Some(value) = event.value {
            arena.push("v", &value.to_string());
            arena.push("t", &format!("t{value}"));
        }
        let mut matches: Vec<Match> = Vec::new();
        matcher.eval(&arena, &mut matches);
        let found = if is_beside { &mut beside } else { &mut found };
        correlator.push(&matches, &arena, event.time * SECOND, n as u128, found);
        if n == events.len() / 2 {
            let snapshot = correlator.snapshot();
            correlator = Correlator::new(if is_beside { &wide } else { set }, settings);
            correlator.restore(&snapshot).unwrap();
        }
    }
    let place = |finding: Finding| {
        let title = &wide.correlations()[finding.correlation].meta.title;
        let correlation = set.correlations().iter().position(|c| c.meta.title == *title)?;
        Some(Finding { correlation, ..finding })
    };
    found.extend(beside.into_iter().filter_map(place));
    correlator.watermark(i64::MAX / 4, &mut found);
    assert_eq!(correlator.groups(), 0, "everything has left");
    (found, correlator.counters().late)
}

fn check(specs: &[Spec], events: &[Event], lateness: i64) -> usize {
    let set = set_of(specs);
    // The order in which the set keeps them: inner ones first.
    let place =
        |title: &str| set.correlations().iter().position(|c| c.meta.title == title).unwrap();
    let (found, late) = run(specs, &set, events, lateness);
    let mut newest = i64::MIN / 2;
    let mut items: Vec<Item> = Vec::new();
    let mut late_want = 0;
    for (n, event) in events.iter().enumerate() {
        let used: BTreeSet<usize> =
            specs.iter().flat_map(|s| s.inputs.iter().flatten().copied()).collect();
        let rules: Vec<usize> = event.rules.iter().copied().filter(|r| used.contains(r)).collect();
        if !rules.is_empty() && event.time < newest - lateness {
            late_want += rules.len() as u64;
            continue;
        }
        newest = newest.max(event.time);
        let group = event.group.map(|g| format!("g{g}"));
        items.push(Item {
            time: event.time * SECOND,
            phase: 1,
            order: n as u64,
            inputs: rules,
            id: n as u128,
            group,
            value: event.value,
        });
    }
    assert_eq!(late, late_want);
    let mut below: Vec<Item> = Vec::new();
    let mut total = 0;
    for (at, spec) in specs.iter().enumerate() {
        let mut inputs = Vec::new();
        for item in &items {
            let places: Vec<usize> = (0..spec.inputs.len())
                .filter(|i| spec.inputs[*i].is_some_and(|r| item.inputs.contains(&r)))
                .collect();
            if !places.is_empty() {
                inputs.push(Item { inputs: places, ..item.clone() });
            }
        }
        if let Some(inner) = spec.inputs.iter().position(Option::is_none) {
            // An inner finding of an event comes with that event; later places go first.
            inputs.extend(below.iter().map(|i| Item { inputs: vec![inner], ..i.clone() }));
            inputs.sort_by_key(|i| (i.time, i.phase, i.order, std::cmp::Reverse(i.inputs[0])));
        }
        let (mut want, above) = reference(at, spec, &inputs);
        below = above;
        let chained = spec.inputs.contains(&None);
        let ordered = spec.kind == Kind::Ordered;
        let mut got: Vec<Fired> = found
            .iter()
            .filter(|f| f.correlation == place(&format!("c{at}")))
            .map(|f| Fired {
                correlation: at,
                time: f.time,
                group: f.group.first().map(|g| g.1.clone()),
                evidence: f.evidence.clone(),
            })
            .collect();
        if ordered && !chained {
            for fired in &got {
                let chain: Vec<&Item> = fired
                    .evidence
                    .iter()
                    .map(|id| inputs.iter().find(|i| i.id == *id).unwrap())
                    .collect();
                assert!(
                    chain.windows(2).all(|w| (w[0].time, w[0].order) < (w[1].time, w[1].order)),
                    "{chain:?}"
                );
            }
        }
        if ordered || chained {
            want.iter_mut().chain(&mut got).for_each(|f| f.evidence.clear());
        }
        want.sort();
        got.sort();
        assert_eq!(got, want, "correlation {at}\n{specs:?}\n{events:#?}");
        total += got.len();
    }
    let ids: BTreeSet<u128> = found.iter().map(|f| f.id).collect();
    assert_eq!(ids.len(), found.len(), "ids of findings are different");
    // A replay finds the same under the same ids.
    let (again, _) = run(specs, &set, events, lateness);
    assert_eq!(again, found);
    total
}

fn bounds() -> impl Strategy<Value = Vec<(&'static str, i64)>> {
    prop_oneof![
        3 => (1i64..5).prop_map(|n| vec![("gte", n)]),
        1 => (0i64..4).prop_map(|n| vec![("gt", n)]),
        1 => (1i64..5).prop_map(|n| vec![("lt", n)]),
        1 => (1i64..4).prop_map(|n| vec![("lte", n)]),
        1 => (1i64..4).prop_map(|n| vec![("eq", n)]),
        1 => (1i64..4).prop_map(|n| vec![("neq", n)]),
        1 => (1i64..3, 1i64..3).prop_map(|(a, b)| vec![("gt", a), ("lte", a + b)]),
    ]
}

fn spec() -> impl Strategy<Value = Spec> {
    let kind = prop_oneof![
        3 => Just(Kind::EventCount),
        3 => Just(Kind::ValueCount),
        2 => Just(Kind::Temporal),
        2 => prop_oneof![Just("r0 and not r1"), Just("r0 or r1"), Just("r0 and (r1 or r2)")].prop_map(Kind::Boolean),
        3 => Just(Kind::Ordered),
        2 => Just(Kind::Sum),
        2 => Just(Kind::Avg),
        2 => prop_oneof![Just(0), Just(25), Just(90), Just(100)].prop_map(Kind::Percentile),
        1 => Just(Kind::Median),
        2 => Just(Kind::Share),
    ];
    (kind, 1usize..=RULES, any::<bool>(), 1i64..40, bounds(), any::<bool>()).prop_map(
        |(kind, count, grouped, span, bounds, plain)| {
            let (count, bounds) = match &kind {
                Kind::Boolean(_) => (3, vec![]),
                Kind::Temporal | Kind::Ordered if plain => (count, vec![]),
                Kind::Share => (count, bounds.into_iter().map(|(op, n)| (op, n * 20)).collect()),
                _ => (count, bounds),
            };
            Spec { kind, inputs: (0..count).map(Some).collect(), grouped, span, bounds }
        },
    )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let rules =
        prop::collection::btree_set(0..RULES, 1..=RULES).prop_map(|s| s.into_iter().collect());
    let event = (
        0i64..120,
        0i64..12,
        rules,
        prop::option::weighted(0.9, 0u8..2),
        prop::option::weighted(0.9, -2i64..5),
    );
    let event = event.prop_map(|(time, delay, rules, group, value)| Event {
        time,
        delay,
        rules,
        group,
        value,
    });
    prop::collection::vec(event, 1..40).prop_map(|mut events| {
        events.sort_by_key(|e| e.time + e.delay);
        events
    })
}

/// With `UME_SOAK` set, twenty times as many.
fn cases(count: u32) -> Config {
    let cases = if std::env::var_os("UME_SOAK").is_some() { count * 20 } else { count };
    Config { cases, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn every_type_finds_what_the_reference_finds(spec in spec(), events in events(), lateness in 0i64..12) {
        check(&[spec], &events, lateness);
    }

    #[test]
    fn chains_find_what_the_reference_finds(inner in spec(), outer in spec(), events in events(), lateness in 6i64..12) {
        let mut outer = outer;
        outer.inputs = match outer.kind {
            Kind::Boolean(_) => return Ok(()),
            // What a finding's value is, the reference need not know.
            Kind::ValueCount | Kind::Sum | Kind::Avg | Kind::Percentile(_) | Kind::Median | Kind::Share => return Ok(()),
            _ => vec![None, Some(2)],
        };
        check(&[inner, outer], &events, lateness);
    }
}
