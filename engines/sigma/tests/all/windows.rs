//! What the reference of `correlation.rs` does not cover: aliases, Ume's own, limits, snapshots, large windows.

use sigma::{
    Arena, Correlator, Env, Finding, Limits, Match, Matcher, RuleSet, Settings, SnapshotError,
    Source, load,
};

const SECOND: i64 = 1_000_000;

fn set(correlation: &str) -> RuleSet {
    let rule = |name: &str| {
        format!(
            "title: {name}\nname: {name}\nlogsource: {{}}\ndetection:\n  s: {{k: {name}}}\n  condition: s\n---\n"
        )
    };
    let text = rule("a")
        + &rule("b")
        + &format!(
            "title: c\ncorrelation:\n{}",
            correlation.lines().map(|l| format!("  {l}\n")).collect::<String>()
        );
    let (set, rejected) =
        load(&[Source { file: "f", bytes: text.as_bytes() }], &Env::default(), &Limits::default());
    assert_eq!(rejected, []);
    set
}

struct Run {
    matcher: Matcher,
    correlator: Correlator,
    arena: Arena,
    found: Vec<Finding>,
    next: u128,
}

impl Run {
    fn new(set: &RuleSet, settings: Settings) -> Run {
        Run {
            matcher: Matcher::new(set),
            correlator: Correlator::new(set, settings),
            arena: Arena::new(),
            found: Vec::new(),
            next: 0,
        }
    }

    fn of(correlation: &str) -> Run {
        Run::new(&set(correlation), Settings { lateness_us: 0, ..Settings::default() })
    }

    /// An event at a second, its fields as `k=a u=x`.
    fn push(&mut self, second: i64, fields: &str) -> &mut Run {
        self.arena.clear();
        for (name, value) in fields.split(' ').filter_map(|f| f.split_once('=')) {
            self.arena.push(name, value);
        }
        let mut matches: Vec<Match> = Vec::new();
        self.matcher.eval(&self.arena, &mut matches);
        self.correlator.push(&matches, &self.arena, second * SECOND, self.next, &mut self.found);
        self.next += 1;
        self
    }

    fn end(&mut self) -> Vec<(i64, f64)> {
        self.correlator.watermark(i64::MAX / 4, &mut self.found);
        self.found.iter().map(|f| (f.time / SECOND, f.value)).collect()
    }
}

#[test]
fn a_finding_is_made_where_the_condition_begins_to_hold() {
    let mut run =
        Run::of("type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {gte: 2}");
    for second in [0, 5, 6, 30, 39, 49] {
        run.push(second, "k=a u=x");
    }
    assert_eq!(run.end(), [(5, 2.0), (39, 2.0)], "at 49 the event of 39 has just left");
    let finding = &run.found[0];
    assert_eq!(finding.group, [("u".to_owned(), "x".to_owned())]);
    assert_eq!(finding.evidence, [0, 1]);
}

#[test]
fn aliases_join_different_fields() {
    let mut run = Run::of(
        "type: temporal\nrules: [a, b]\naliases:\n  ip: {a: src, b: dst}\ngroup-by: [ip]\ntimespan: 10s",
    );
    run.push(0, "k=a src=1.1.1.1 dst=9.9.9.9")
        .push(1, "k=b src=1.1.1.1 dst=2.2.2.2")
        .push(2, "k=b src=3.3.3.3 dst=1.1.1.1");
    assert_eq!(run.end(), [(2, 2.0)]);
    assert_eq!(run.found[0].group, [("ip".to_owned(), "1.1.1.1".to_owned())]);
}

#[test]
fn several_fields_are_counted_together() {
    let mut run = Run::of(
        "type: value_count\nrules: [a]\ngroup-by: []\ntimespan: 10s\ncondition: {gte: 3, field: [x, y]}",
    );
    run.push(0, "k=a x=1 y=1")
        .push(1, "k=a x=1 y=1")
        .push(2, "k=a x=1 y=2")
        .push(3, "k=a x=1")
        .push(4, "k=a x=11 y=2");
    assert_eq!(run.end(), [(4, 3.0)]);
    assert_eq!(run.correlator.counters().no_value, 1);
}

#[test]
fn shares_name_their_text() {
    let mut run = Run::of(
        "type: value_percentile\nrules: [a]\ngroup-by: []\ntimespan: 100s\ncondition: {lte: 10, field: image}",
    );
    for second in 0..19 {
        run.push(second, if second == 4 { "k=a image=rare" } else { "k=a image=usual" });
    }
    run.end();
    let rare: Vec<_> = run.found.iter().filter(|f| f.subject.as_deref() == Some("rare")).collect();
    assert_eq!(rare.len(), 1);
    assert_eq!(rare[0].time, 104 * SECOND, "when its window closes");
}

#[test]
fn what_does_not_count_is_counted() {
    let set =
        set("type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {gte: 100}");
    let settings =
        Settings { lateness_us: 5 * SECOND, groups: 2, window_events: 3, ..Settings::default() };
    let mut run = Run::new(&set, settings);
    run.push(10, "k=a u=x")
        .push(4, "k=a u=x")
        .push(6, "k=a u=x")
        .push(7, "k=a")
        .push(10, "k=a u=y")
        .push(10, "k=a u=z");
    run.push(11, "k=a u=x").push(12, "k=a u=x").push(12, "k=b u=x");
    run.end();
    let counters = run.correlator.counters();
    assert_eq!(
        (counters.taken, counters.late, counters.no_group, counters.no_room, counters.evicted),
        (8, 1, 1, 1, 1)
    );
    assert_eq!(run.correlator.groups(), 0);
}

#[test]
fn a_full_waiting_room_lets_the_oldest_through() {
    let set =
        set("type: event_count\nrules: [a]\ngroup-by: []\ntimespan: 100s\ncondition: {gte: 3}");
    let mut run =
        Run::new(&set, Settings { lateness_us: 1_000 * SECOND, waiting: 3, ..Settings::default() });
    for second in 0..10 {
        run.push(second, "k=a");
    }
    assert_eq!(run.found.len(), 1, "found before anything was late");
}

#[test]
fn a_pause_ends_a_session() {
    let mut run = Run::of(
        "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 1h\ncondition: {gte: 3}\nume: {session: 10s}",
    );
    for second in [0, 8, 19, 25, 30, 45] {
        run.push(second, "k=a u=x");
    }
    assert_eq!(run.end(), [(30, 3.0)]);
    assert_eq!(run.found[0].evidence, [2, 3, 4]);
}

#[test]
fn beacons_are_regular() {
    let own = "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 1d\ncondition: {gte: 5}\nume: {periodic: {events: 5, jitter_permille: 50}}";
    let mut run = Run::of(own);
    for second in [0, 60, 121, 180, 240] {
        run.push(second, "k=a u=beacon");
    }
    for second in [250, 310, 430, 440, 700] {
        run.push(second, "k=a u=person");
    }
    run.end();
    let groups: Vec<&str> = run.found.iter().map(|f| f.group[0].1.as_str()).collect();
    assert_eq!(groups, ["beacon"]);
}

#[test]
fn a_correlation_may_keep_fewer_groups() {
    let mut run = Run::of(
        "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 1h\ncondition: {gte: 2}\nume: {groups: 1}",
    );
    run.push(0, "k=a u=x").push(1, "k=a u=y").push(2, "k=a u=x");
    assert_eq!(run.end(), [(2, 2.0)]);
    assert_eq!(run.correlator.counters().no_room, 1);
}

#[test]
fn snapshots_that_do_not_fit_leave_the_state() {
    let one = set("type: event_count\nrules: [a]\ngroup-by: []\ntimespan: 1h\ncondition: {gte: 2}");
    let settings = Settings { lateness_us: 0, ..Settings::default() };
    let mut run = Run::new(&one, settings);
    run.push(0, "k=a");
    let snapshot = run.correlator.snapshot();
    for at in 0..snapshot.len() {
        let mut damaged = snapshot.clone();
        damaged[at] ^= 1;
        assert_eq!(run.correlator.restore(&damaged), Err(SnapshotError::Damaged));
        assert_eq!(run.correlator.restore(&snapshot[..at]), Err(SnapshotError::Damaged));
    }
    run.push(1, "k=a");
    assert_eq!(run.end(), [(1, 2.0)], "what was there is there still");
}

#[test]
fn other_rules_leave_the_windows_of_those_that_read_as_before() {
    let same = "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 1h\ncondition: {gte: 3}";
    let settings = Settings { lateness_us: 10 * SECOND, ..Settings::default() };
    let go = |then: &RuleSet| {
        let mut run = Run::new(&set(same), settings);
        run.push(0, "k=a u=x").push(60, "k=a u=x");
        let kept = run.correlator.snapshot();
        let mut restored = Run::new(then, settings);
        restored.correlator.restore(&kept).unwrap();
        run.correlator = run.correlator.follow(then);
        run.matcher = Matcher::new(then);
        let ends = [run, restored].map(|mut run| run.push(120, "k=a u=x").end());
        assert_eq!(ends[0], ends[1], "a snapshot goes on as the correlator does");
        ends[0].clone()
    };
    assert_eq!(go(&set(same)), [(120, 3.0)], "one in the window, one waiting to be sorted");
    let edited = same.replace("1h", "2h");
    assert_eq!(go(&set(&edited)), [], "an edited correlation begins anew");
}

#[test]
fn percentiles_of_large_windows_are_wrong_by_one_per_cent_at_most() {
    let mut run = Run::of(
        "type: value_percentile\nrules: [a]\ngroup-by: []\ntimespan: 7d\ncondition: {gt: 0, field: v, percentile: 90}",
    );
    // 10,000 values, all different, in an order that is not theirs; the 90th percentile is 9,000.1.
    run.push(0, "k=a v=-1");
    for n in 0..9_999i64 {
        run.push(n + 1, &format!("k=a v={}", (n * 7_919) % 9_999 + 1));
    }
    run.end();
    assert_eq!(run.found.len(), 1, "it held from the second event on");
    let mut over = Run::of(
        "type: value_percentile\nrules: [a]\ngroup-by: []\ntimespan: 7d\ncondition: {gt: 8900, field: v, percentile: 90}",
    );
    let mut under = Run::of(
        "type: value_percentile\nrules: [a]\ngroup-by: []\ntimespan: 7d\ncondition: {gt: 9100, field: v, percentile: 90}",
    );
    // Small ones first, so that the percentile only grows.
    for n in 1..=10_000i64 {
        over.push(n, &format!("k=a v={n}"));
        under.push(n, &format!("k=a v={n}"));
    }
    over.correlator.watermark(10_000 * SECOND, &mut over.found);
    under.correlator.watermark(10_000 * SECOND, &mut under.found);
    assert_eq!((over.found.len(), under.found.len()), (1, 0));
}

#[test]
fn sums_are_exact() {
    let mut run = Run::of(
        "type: value_sum\nrules: [a]\ngroup-by: []\ntimespan: 100s\ncondition: {gte: 1, field: v}",
    );
    for second in 0..10 {
        run.push(second, "k=a v=0.1");
    }
    assert_eq!(run.end(), [(9, 1.0)], "ten tenths are one");
}

#[test]
fn times_at_the_ends_of_the_clock_are_times_like_others() {
    let own = ["ume: {session: 10s}", "ume: {periodic: {events: 3, jitter_permille: 10}}"];
    let kinds = [
        "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {gte: 2}",
        "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {lt: 2}",
        "type: value_count\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {gte: 2, field: v}",
        "type: temporal\nrules: [a, b]\ngroup-by: [u]\ntimespan: 10s",
        "type: temporal_ordered\nrules: [a, b]\ngroup-by: [u]\ntimespan: 10s",
        "type: value_sum\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {gte: 2, field: v}",
        "type: value_percentile\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {gte: 2, field: v}",
    ];
    let mut all: Vec<String> = kinds.map(str::to_owned).to_vec();
    all.extend(own.map(|own| format!("{}\n{own}", kinds[0])));
    for correlation in all {
        for lateness_us in [0, i64::MAX] {
            let settings = Settings { lateness_us, ..Settings::default() };
            let mut run = Run::new(&set(&correlation), settings);
            for time in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
                for name in ["a", "b"] {
                    run.arena.clear();
                    for (field, value) in [("k", name), ("u", "x"), ("v", "1")] {
                        run.arena.push(field, value);
                    }
                    let mut matches: Vec<Match> = Vec::new();
                    run.matcher.eval(&run.arena, &mut matches);
                    run.correlator.push(&matches, &run.arena, time, run.next, &mut run.found);
                    run.next += 1;
                }
            }
            run.correlator.watermark(i64::MAX, &mut run.found);
            let counters = run.correlator.counters();
            assert_eq!(counters.late, 0, "{correlation}: {counters:?}");
        }
    }
}
