//! Laws over arbitrary and hostile input.

use std::sync::LazyLock;

use proptest::prelude::*;
use steady::{
    Anomaly, Budget, Cadence, Calendar, DAY, DayCount, Direction, Fleet, HOUR, Kind, Limit, MINUTE,
    Micros, Pairs, Point, Series, Settings, TemplateLimits, Templates, exhaustion, load_profile,
    security_trend,
};

/// Made once: it goes through 78 years.
static JAPAN: LazyLock<Calendar> = LazyLock::new(Calendar::japan);

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e3..1e3f64,
        2 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => Just(f64::MIN_POSITIVE / 4.0),
        1 => Just(1.8e19),
        1 => Just(-1e17),
        1 => Just(4_294_967_295.0),
    ]
}

/// Steps of time: mostly ahead, also back, none, and to the ends.
fn step() -> impl Strategy<Value = Micros> {
    prop_oneof![
        10 => 1..2 * HOUR,
        2 => 1..40 * DAY,
        1 => -DAY..1i64,
        1 => Just(0i64),
        1 => any::<i64>(),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let kinds = [Kind::Gauge, Kind::Counter, Kind::State, Kind::Uptime];
    let directions = [Direction::Both, Direction::Up, Direction::Down];
    (0..4usize, 0..3usize, 0..400u16, any::<bool>()).prop_map(
        move |(kind, direction, cold, high)| Settings {
            direction: directions[direction],
            cold_start_hours: cold,
            high: high.then_some(10.0),
            ..Settings::new(kinds[kind])
        },
    )
}

fn is_whole(anomaly: &Anomaly, born: Micros) -> bool {
    anomaly.p > -1.0
        && (0.0..=1.0).contains(&anomaly.p)
        && anomaly.observed.is_finite()
        && born <= anomaly.onset
        && anomaly.onset <= anomaly.time
        && anomaly.low.partial_cmp(&anomaly.high) != Some(std::cmp::Ordering::Greater)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_comes_in_a_series_stands(
        settings in settings(),
        input in prop::collection::vec((step(), value()), 1..400),
        cut in 0..400usize,
        told in any::<bool>(),
    ) {
        let calendar = &*JAPAN;
        let mut series = Series::new(1, settings);
        let (mut time, mut born) = (0i64, Micros::MAX);
        let mut other: Option<Series> = None;
        for (n, (step, value)) in input.into_iter().enumerate() {
            time = time.saturating_add(step);
            if n == cut {
                let bytes = series.snapshot();
                prop_assert!(bytes.len() <= steady::STATE_BYTES_MAX);
                other = Some(Series::restore(&bytes).unwrap());
            }
            let before = series.refused();
            let found = series.observe(time, value, calendar);
            if series.refused().no_number == before.no_number && series.refused().no_order == before.no_order {
                born = born.min(time);
            } else {
                prop_assert!(found.is_none());
            }
            if let Some(other) = &mut other {
                let same = other.observe(time, value, calendar);
                prop_assert_eq!(format!("{:?}", same), format!("{:?}", found));
            }
            if let Some(found) = found {
                prop_assert!(is_whole(&found, born), "{:?}", found);
                if told {
                    series.told();
                    other.iter_mut().for_each(Series::told);
                }
            }
        }
        series.maintenance(true);
        series.maintenance(false);
        series.new_normal(calendar);
        series.false_alarm();
        prop_assert!(Series::restore(&series.snapshot()).is_ok());
    }

    #[test]
    fn constant_and_sparse_series_tell_nothing(
        value in -1e17..1e17f64,
        kind in 0..3usize,
        minutes in 1..3_000i64,
        pauses in prop::collection::vec(1..20 * DAY, 60),
        bad in prop::collection::vec(any::<bool>(), 60),
    ) {
        let calendar = &*JAPAN;
        let kind = [Kind::Gauge, Kind::Counter, Kind::State][kind];
        let mut dense = Series::new(1, Settings { cold_start_hours: 24, ..Settings::new(kind) });
        for n in 0..1_000 {
            prop_assert!(dense.observe(n * minutes * MINUTE, value, calendar).is_none());
        }
        let mut sparse = Series::new(2, Settings { cold_start_hours: 24, ..Settings::new(kind) });
        let mut time = 0;
        for (pause, bad) in pauses.into_iter().zip(bad) {
            time += pause;
            let value = if bad { f64::NAN } else { value };
            prop_assert!(sparse.observe(time, value, calendar).is_none());
        }
    }

    #[test]
    fn bytes_that_are_no_snapshot_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..1_200)) {
        prop_assert!(Series::restore(&bytes).is_err());
        prop_assert!(Fleet::restore(&bytes).is_err());
        prop_assert!(Templates::restore(&bytes).is_err());
        prop_assert!(Pairs::restore(&bytes).is_err());
        prop_assert!(Cadence::restore(&bytes).is_err());
    }

    #[test]
    fn a_fleet_selects_the_rarest_and_never_more_than_it_got(
        ps in prop::collection::vec((0..20u64, value()), 0..50),
        per_day in value(), tests in any::<u64>(), span in any::<i64>(),
    ) {
        let calendar = &*JAPAN;
        let mut template = None;
        let mut series = Series::new(0, Settings { cold_start_hours: 24, ..Settings::new(Kind::Gauge) });
        for n in 0..600i64 {
            let value = if n == 599 { 1e6 } else { (n % 7) as f64 };
            template = series.observe(n * HOUR, value, calendar).or(template);
        }
        let template = template.unwrap();
        let found: Vec<Anomaly> =
            ps.iter().map(|(series, p)| Anomaly { series: *series, p: *p, ..template }).collect();
        let mut fleet = Fleet::new();
        let told = fleet.select(found.clone(), &Budget { per_day, tests, span });
        prop_assert!(told.len() <= found.len());
        prop_assert!(told.windows(2).all(|w| w[0].p <= w[1].p));
        prop_assert!(Fleet::restore(&fleet.snapshot()).is_ok());
    }

    #[test]
    fn whatever_the_points_a_forecast_ends(
        points in prop::collection::vec((any::<i64>(), value()), 0..600),
        limit in value(),
    ) {
        let calendar = &*JAPAN;
        let all: Vec<Point> = points.iter().map(|(time, value)| Point { time: *time, value: *value }).collect();
        let _ = exhaustion(&all, Limit::AtMost(limit));
        let _ = exhaustion(&all, Limit::AtLeast(limit));
        let _ = load_profile(&points, calendar);
        let day = |(time, count): &(i64, f64)| DayCount {
            time: *time,
            count: *count,
            contributors: vec![("x".to_owned(), *count)],
        };
        let days: Vec<DayCount> = points.iter().map(day).collect();
        let _ = security_trend(&days, calendar);
        let _ = steady::weeks(&days, calendar);
    }

    #[test]
    fn whatever_is_heard_logs_and_cadences_stand(
        lines in prop::collection::vec((any::<i64>(), ".{0,80}"), 0..200),
    ) {
        let calendar = &*JAPAN;
        let mut templates = Templates::new(TemplateLimits { templates: 20, of_leaf: 4 });
        let (mut pairs, mut cadence) = (Pairs::new(30, 0), Cadence::new());
        for (time, line) in &lines {
            templates.observe(*time, line);
            templates.vanished(*time);
            pairs.observe(*time, line, "x");
            cadence.heard(*time, calendar);
            cadence.check(time.saturating_add(HOUR), calendar);
            prop_assert!(templates.len() <= 20 && pairs.len() <= 31);
        }
        prop_assert_eq!(Templates::restore(&templates.snapshot()), Ok(templates));
        prop_assert_eq!(Cadence::restore(&cadence.snapshot()), Ok(cadence));
    }
}
