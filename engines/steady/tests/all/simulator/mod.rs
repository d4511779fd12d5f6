//! A site of many series that nothing happens to: working hours and holidays, nightly jobs, heavy tails,
//! counters that run over and begin anew, planned restarts, gaps. Repeatable: all chance comes from a seed.

#![allow(dead_code)]

use steady::{
    Anomaly, Budget, Calendar, DAY, Fleet, HOUR, Kind, MINUTE, Micros, PER_DAY, Series, Settings,
};

/// 2026-04-05 15:00 UTC: Monday, 00:00 in Japan. The third week on has 昭和の日, 憲法記念日 to こどもの日 and
/// 振替休日.
pub const START: Micros = 1_775_401_200_000_000;

pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        let mut chance =
            Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d | 1);
        (0..4).for_each(|_| {
            chance.uniform();
        });
        chance
    }

    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().max(1e-300).ln()).sqrt()
            * (std::f64::consts::TAU * self.uniform()).cos()
    }

    pub fn poisson(&mut self, mean: f64) -> f64 {
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0.0);
        while product > limit {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }
}

/// What a source is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Follows office hours and rests on holidays
    Office,
    /// The same every day, holidays or not
    Daily,
    Temperature,
    Latency,
    Octets,
    Errors,
    Constant,
    Disk,
    Batch,
    UpDown,
    Uptime,
    Wandering,
    Memory,
}

pub const HABITS: [Habit; 13] = [
    Habit::Office,
    Habit::Daily,
    Habit::Temperature,
    Habit::Latency,
    Habit::Octets,
    Habit::Errors,
    Habit::Constant,
    Habit::Disk,
    Habit::Batch,
    Habit::UpDown,
    Habit::Uptime,
    Habit::Wandering,
    Habit::Memory,
];

pub struct Source {
    pub habit: Habit,
    chance: Chance,
    size: f64,
    echo: f64,
    total: f64,
    started: Micros,
    /// Hour of the week of planned maintenance
    planned: i64,
}

impl Source {
    pub fn new(seed: u64, habit: Habit) -> Source {
        let mut chance = Chance::new(seed);
        let size = 10.0 * (1.0 + 9.0 * chance.uniform());
        let planned = 24 * 6 + (chance.uniform() * 6.0) as i64;
        let total = if seed.is_multiple_of(3) { 4.0e9 } else { 1e6 };
        Source { habit, chance, size, echo: 0.0, total, started: START - DAY, planned }
    }

    pub fn settings(&self) -> Settings {
        let kind = match self.habit {
            Habit::Octets => Kind::Counter,
            Habit::UpDown => Kind::State,
            Habit::Uptime => Kind::Uptime,
            _ => Kind::Gauge,
        };
        Settings::new(kind)
    }

    /// The value of this instant; call it for each instant in order.
    pub fn value(&mut self, time: Micros, step: Micros, calendar: &Calendar) -> f64 {
        let hours = (time - START) as f64 / HOUR as f64;
        let of_day = hours.rem_euclid(24.0);
        let of_week = (hours as i64).rem_euclid(168);
        let planned = of_week == self.planned && hours.fract() < 0.5;
        let noise = self.chance.normal();
        self.echo = 0.7 * self.echo + 0.3 * noise;
        let (size, echo) = (self.size, self.echo);
        let bump = |from: f64, to: f64| {
            let rise = |x: f64| 1.0 / (1.0 + (-3.0 * x).exp());
            rise(of_day - from) * rise(to - of_day)
        };
        match self.habit {
            Habit::Office => {
                let works = !calendar.is_day_off(time);
                let load = if works { bump(9.0, 18.0) } else { 0.1 * bump(11.0, 15.0) };
                size * (0.3 + load) + 0.05 * size * echo + 0.02 * size * noise
            }
            Habit::Daily => size * (1.0 + 0.5 * bump(7.0, 22.0)) + 0.08 * size * echo,
            Habit::Temperature => {
                25.0 + 4.0 * (std::f64::consts::TAU * (of_day - 9.0) / 24.0).sin()
                    + 0.5 * echo
                    + (0.1 * noise * 10.0).round() / 10.0
            }
            Habit::Latency => size * (0.5 * noise + 0.3 * bump(9.0, 18.0)).exp(),
            Habit::Octets => {
                let rate = 1e4 * size * (0.2 + bump(8.0, 20.0)) * (0.3 * noise).exp();
                self.total += rate * step as f64 / 1e6 / 10.0;
                if planned && time - self.started > HOUR {
                    (self.total, self.started) = (0.0, time);
                }
                self.total %= 4_294_967_296.0;
                self.total.floor()
            }
            Habit::Errors => self.chance.poisson(0.2 * step as f64 / HOUR as f64),
            Habit::Constant => size.floor(),
            Habit::Disk => size + 0.02 * hours + 3.0 * bump(1.0, 3.0) + 0.05 * noise,
            Habit::Batch => {
                let runs = (2.0..3.0).contains(&of_day);
                if runs { 80.0 + 5.0 * noise } else { 5.0 + echo.abs() + noise.abs() }
            }
            Habit::UpDown => f64::from(u8::from(!planned)),
            Habit::Uptime => {
                if planned {
                    self.started = time - MINUTE;
                }
                (time - self.started) as f64 / 1e6
            }
            Habit::Wandering => {
                self.total = 0.999 * self.total.min(100.0) + noise;
                50.0 + 0.2 * self.total + 0.3 * noise
            }
            Habit::Memory => {
                // A cache that grows until the nightly restart.
                let since = (of_day - 4.0).rem_euclid(24.0);
                size * (1.0 + since / 24.0) + 0.1 * echo
            }
        }
    }

    /// A sample that never arrives: one in five hundred, and an outage of the collector now and then.
    pub fn is_lost(&mut self, time: Micros) -> bool {
        let hour = (time - START) / HOUR;
        let outage = (hour * 31 + self.size as i64) % 401 < 3;
        outage || self.chance.uniform() < 0.002
    }
}

/// A site and its fleet.
pub struct Site {
    pub calendar: Calendar,
    pub sources: Vec<Source>,
    pub series: Vec<Series>,
    pub fleet: Fleet,
    pub step: Micros,
}

impl Site {
    pub fn new(count: usize, step: Micros, seed: u64) -> Site {
        let habit = |n: usize| HABITS[n % HABITS.len()];
        let sources: Vec<Source> =
            (0..count).map(|n| Source::new(seed * 1_000_003 + n as u64, habit(n))).collect();
        let series =
            sources.iter().enumerate().map(|(n, s)| Series::new(n as u64, s.settings())).collect();
        Site { calendar: Calendar::japan(), sources, series, fleet: Fleet::new(), step }
    }

    /// Lets time pass; what was selected, and how much was noticed. `change` may bend a value.
    pub fn run(
        &mut self,
        from: Micros,
        until: Micros,
        mut change: impl FnMut(usize, Micros, f64) -> f64,
    ) -> (Vec<Anomaly>, usize) {
        let (mut told, mut noticed) = (Vec::new(), 0);
        let scale = self.series.len() as f64 / 2_000.0;
        for n in 0..(until - from) / self.step {
            let time = from + n * self.step;
            let mut found = Vec::new();
            for (n, (source, series)) in self.sources.iter_mut().zip(&mut self.series).enumerate() {
                let value = source.value(time, self.step, &self.calendar);
                let value = change(n, time, value);
                if !source.is_lost(time) {
                    found.extend(series.observe(time, value, &self.calendar));
                }
            }
            noticed += found.len();
            let budget = Budget {
                per_day: PER_DAY * scale,
                tests: self.series.len() as u64,
                span: self.step,
            };
            for anomaly in self.fleet.select(found, &budget) {
                self.series[anomaly.series as usize].told();
                told.push(anomaly);
            }
        }
        (told, noticed)
    }
}
