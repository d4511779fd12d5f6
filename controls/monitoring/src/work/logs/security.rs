//! Security logs by class: which lines are of which, how many of them say that something was refused or found, by
//! day and by who contributed. Pure.
//!
//! Invariants: a day is the local day of the event; a class without a source has no counts at all, one whose source is
//! quiet has zeros; names are kept for [`NAMES_DAYS`] days, counts for two years; both have limits.

use std::collections::BTreeMap;

use model::{Text, t};
use serde::{Deserialize, Serialize};
use steady::{Calendar, DAY, DayCount, Micros, Phase, SecurityTrend, Slope, security_trend, weeks};
use stream::{
    Event,
    parse::{CLASS_ACCOUNT, CLASS_AUTHENTICATION, CLASS_FINDING, CLASS_HTTP, CLASS_NETWORK, Shape},
};

/// Days of counts, and days whose contributors are known by name.
const DAYS_MAX: usize = steady::DAYS_MAX;
pub const NAMES_DAYS: i64 = 90;
/// Contributors of a day while it is counted, and once it is over.
const NAMES_MAX: usize = 500;
const NAMES_KEPT: usize = 20;
const NAME_CHARS_MAX: usize = 120;
/// How long a class is learnt.
pub const LEARN_DAYS: i64 = 28;
/// A class whose source said nothing for so long has none.
const SOURCE_DAYS: i64 = 30;
/// Days over which a level is compared: over years a rank test would see a change a month late.
const LEVEL_DAYS: usize = NAMES_DAYS as usize;
/// A change of level longer ago is no news; its day moves a little with every day that follows it.
const NEWS_DAYS: i64 = 21;
const MOVES_DAYS: i64 = 7;
/// With so many weeks a slope is that of weeks.
const WEEKS_MIN: usize = 12;
/// A slope is told where it adds up to this share of the level, and to so many more a day.
const GROWTH_MIN: f64 = 0.5;
const GROWN_MIN: f64 = 5.0;

/// Classes of security logs, in the order of the criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    LoginFailure,
    Antivirus,
    Ids,
    WebBlock,
    FirewallDeny,
    Dlp,
    AdminAction,
}

impl Class {
    pub const ALL: [Class; 7] = [
        Class::LoginFailure,
        Class::Antivirus,
        Class::Ids,
        Class::WebBlock,
        Class::FirewallDeny,
        Class::Dlp,
        Class::AdminAction,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Class::LoginFailure => "login_failure",
            Class::Antivirus => "antivirus",
            Class::Ids => "ids",
            Class::WebBlock => "web_block",
            Class::FirewallDeny => "firewall_deny",
            Class::Dlp => "dlp",
            Class::AdminAction => "admin_action",
        }
    }

    pub const fn text(self) -> Text {
        match self {
            Class::LoginFailure => t("ログイン失敗", "Failed log-ins"),
            Class::Antivirus => t("ウイルス検知", "Antivirus hits"),
            Class::Ids => t("IDSの警報", "IDS alerts"),
            Class::WebBlock => t("Web閲覧の遮断", "Blocked web requests"),
            Class::FirewallDeny => t("ファイアウォールの拒否", "Firewall denials"),
            Class::Dlp => t("情報持出しの検知（DLP）", "DLP hits"),
            Class::AdminAction => t("管理者操作", "Administrators' actions"),
        }
    }
}

/// Who contributes.
pub const BY: [&str; 3] = ["host", "user", "address"];

/// One day of a class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    pub count: u64,
    /// By host, user, address.
    pub by: [BTreeMap<String, u64>; 3],
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// First day with a line of a source of this class, and the last.
    pub source: Option<(i64, i64)>,
    pub days: BTreeMap<i64, Day>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Security {
    classes: [Counts; 7],
}

/// What a class shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    pub class: Class,
    /// Days since its source was there first; none where it has no source now.
    pub days_learnt: Option<i64>,
    /// Local day and count, from the first to yesterday.
    pub counts: Vec<(i64, u64)>,
    /// Of the days of the last months.
    pub found: SecurityTrend,
    /// Of all weeks.
    pub weekly: SecurityTrend,
    /// Of the last week, by host, user and address, the most first.
    pub top: [Vec<(String, u64)>; 3],
}

impl Trend {
    pub fn is_learning(&self) -> bool {
        self.days_learnt.is_none_or(|days| days < LEARN_DAYS)
    }

    /// The slope per day that counts: of weeks where there are enough, they are calmer.
    pub fn slope(&self) -> Option<Slope> {
        if self.weekly.days < WEEKS_MIN {
            return self.found.slope;
        }
        let of_a_week = |value: f64| value / 7.0;
        self.weekly.slope.map(|slope| Slope {
            per_day: of_a_week(slope.per_day),
            low: of_a_week(slope.low),
            high: of_a_week(slope.high),
            level: of_a_week(slope.level),
        })
    }
}

/// Something to tell of a trend, and what tells it apart.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    pub class: Class,
    pub what: What,
    pub key: String,
    /// Told under one of these it is the same.
    pub also: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Risen { day: i64, before: f64, after: f64 },
    Newcomer { name: String, count: f64, share: f64 },
    Grows { per_day: f64, level: f64 },
}

impl What {
    pub fn phase(&self) -> Phase {
        match self {
            What::Grows { .. } => Phase::Precursor,
            _ => Phase::Sign,
        }
    }
}

impl Security {
    pub fn line(&mut self, event: &Event, calendar: &Calendar) {
        let (classes, hits) = classes(event);
        if classes.is_empty() {
            return;
        }
        // What lies ahead of its arrival is not believed.
        let time = event.time().min(event.arrived).0;
        let (day, today) = (calendar.day(time), calendar.day(event.arrived.0));
        if today - day >= DAYS_MAX as i64 {
            return;
        }
        for class in classes {
            let counts = &mut self.classes[class as usize];
            let (first, last) = counts.source.unwrap_or((day, day));
            counts.source = Some((first.min(day), last.max(day)));
            if hits.contains(&class) {
                counts.hit(event, day);
            }
        }
    }

    /// Lets go what is too old, once a day.
    pub fn age(&mut self, now: Micros, calendar: &Calendar) {
        let today = calendar.day(now);
        for counts in &mut self.classes {
            counts.days.retain(|day, _| today - day < DAYS_MAX as i64);
            for (day, counted) in &mut counts.days {
                match today - day {
                    ..2 => {}
                    2..NAMES_DAYS => counted.by.iter_mut().for_each(keep_most),
                    _ => counted.by = Default::default(),
                }
            }
        }
    }

    /// What each class shows up to yesterday.
    pub fn trends(&self, now: Micros, calendar: &Calendar) -> Vec<Trend> {
        let of = |class: Class| self.classes[class as usize].trend(class, now, calendar);
        Class::ALL.into_iter().map(of).collect()
    }
}

impl Counts {
    fn hit(&mut self, event: &Event, day: i64) {
        let counted = self.days.entry(day).or_default();
        counted.count += 1;
        let field = |name: &str| event.fields.get(name).map(String::as_str);
        let names = [
            Some(event.host.as_str()),
            field("user").or(field("target_user")),
            field("src_ip").or(field("peer")),
        ];
        for (names, name) in counted.by.iter_mut().zip(names) {
            let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            if names.len() < NAMES_MAX || names.contains_key(&name) {
                *names.entry(name).or_default() += 1;
            }
        }
    }

    fn trend(&self, class: Class, now: Micros, calendar: &Calendar) -> Trend {
        let today = calendar.day(now);
        let source = self.source.filter(|(_, last)| today - last <= SOURCE_DAYS);
        let first = self.source.map_or(today, |(first, _)| first.max(today - DAYS_MAX as i64));
        let none = Day::default();
        let at = |day: i64| now + (day - today) * DAY;
        let days: Vec<(i64, &Day)> =
            (first..today).map(|day| (day, self.days.get(&day).unwrap_or(&none))).collect();
        let counted = |days: &[(i64, &Day)], by: Option<usize>| -> Vec<DayCount> {
            let names = |day: &Day| match by {
                Some(at) => day.by[at].iter().map(|(n, c)| (n.clone(), *c as f64)).collect(),
                None => Vec::new(),
            };
            let one = |(day, counted): &(i64, &Day)| DayCount {
                time: at(*day),
                count: counted.count as f64,
                contributors: names(counted),
            };
            days.iter().map(one).collect()
        };
        let recent = &days[days.len().saturating_sub(LEVEL_DAYS)..];
        let mut found = security_trend(&counted(recent, Some(0)), calendar);
        for by in 1..BY.len() {
            found.newcomers.extend(security_trend(&counted(recent, Some(by)), calendar).newcomers);
        }
        // Weeks know no days off: each has both.
        let weekly = security_trend(&weeks(&counted(&days, None), calendar), &Calendar::utc());
        let week = days.len().saturating_sub(7);
        let top = std::array::from_fn(|at| {
            let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
            for (name, count) in days[week..].iter().flat_map(|(_, day)| &day.by[at]) {
                *sums.entry(name).or_default() += count;
            }
            let mut sums: Vec<(String, u64)> =
                sums.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
            sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            sums.truncate(3);
            sums
        });
        let counts = days.iter().map(|(day, counted)| (*day, counted.count)).collect();
        Trend {
            class,
            days_learnt: source.map(|(first, _)| today - first),
            counts,
            found,
            weekly,
            top,
        }
    }
}

fn keep_most(names: &mut BTreeMap<String, u64>) {
    if names.len() <= NAMES_KEPT {
        return;
    }
    let mut all: Vec<(u64, String)> =
        std::mem::take(names).into_iter().map(|(name, count)| (count, name)).collect();
    all.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    names.extend(all.into_iter().take(NAMES_KEPT).map(|(count, name)| (name, count)));
}

/// What of the trends is worth telling.
pub fn news(trends: &[Trend], now: Micros, calendar: &Calendar) -> Vec<News> {
    let mut all = Vec::new();
    for trend in trends.iter().filter(|trend| !trend.is_learning()) {
        let (class, name) = (trend.class, trend.class.name());
        if let Some(change) = trend.found.change.filter(|c| c.after > c.before)
            && now - change.time <= NEWS_DAYS * DAY
        {
            let day = calendar.day(change.time);
            let what = What::Risen { day, before: change.before, after: change.after };
            let key = |day: i64| format!("risen\n{name}\n{}", day.div_euclid(NEWS_DAYS));
            let also = vec![key(day - MOVES_DAYS), key(day + MOVES_DAYS)];
            all.push(News { class, what, key: key(day), also });
        }
        for newcomer in &trend.found.newcomers {
            let (name_of, count, share) = (&newcomer.name, newcomer.count, newcomer.share);
            let what = What::Newcomer { name: name_of.clone(), count, share };
            let key = format!("newcomer\n{name}\n{name_of}");
            all.push(News { class, what, key, also: Vec::new() });
        }
        if let Some(slope) = trend.slope().filter(|slope| slope.low > 0.0) {
            let days = trend.counts.len().min(LEVEL_DAYS) as f64;
            let grown = slope.per_day * days;
            if grown >= GROWTH_MIN * slope.level && grown >= GROWN_MIN {
                let month = calendar.day(now).div_euclid(LEARN_DAYS);
                let what = What::Grows { per_day: slope.per_day, level: slope.level };
                let key = |month: i64| format!("grows\n{name}\n{month}");
                all.push(News { class, what, key: key(month), also: vec![key(month - 1)] });
            }
        }
    }
    all
}

/// The classes whose source this line is of, and those of which it is a hit.
pub fn classes(event: &Event) -> (Vec<Class>, Vec<Class>) {
    let field = |name: &str| event.fields.get(name).map_or("", String::as_str);
    let (shape, class) = (Shape::of(event), event.class);
    let (mut of, mut hits) = (Vec::new(), Vec::new());
    let mut add = |class: Class, is_hit: bool| {
        of.push(class);
        if is_hit {
            hits.push(class);
        }
    };
    if is_dlp(event) {
        add(Class::Dlp, class == CLASS_FINDING || is_refused(event) || event.severity >= 3);
        return (of, hits);
    }
    if class == CLASS_AUTHENTICATION {
        add(Class::LoginFailure, field("outcome") == "failure");
    }
    if is_antivirus(event, shape) {
        add(Class::Antivirus, class == CLASS_FINDING);
    } else if matches!(shape, Some(Shape::Eve | Shape::Snort | Shape::Zeek)) {
        add(Class::Ids, class == CLASS_FINDING && field("event_type") != "anomaly");
    } else if class == CLASS_FINDING
        && matches!(shape, Some(Shape::Fortigate | Shape::Cef | Shape::Leef))
    {
        // What such a device finds is of its sensors, but for its web filter.
        let is_web = field("subtype") == "webfilter";
        add(if is_web { Class::WebBlock } else { Class::Ids }, !is_web || is_refused(event));
    }
    if shape == Some(Shape::Proxy) || (class == CLASS_HTTP && !field("blocked").is_empty()) {
        add(Class::WebBlock, is_refused(event));
    } else if class == CLASS_NETWORK && !field("blocked").is_empty() {
        add(Class::FirewallDeny, is_refused(event));
    }
    let is_admin = class == CLASS_ACCOUNT || is_privileged(event);
    if is_admin || class == CLASS_AUTHENTICATION {
        add(Class::AdminAction, is_admin);
    }
    (of, hits)
}

fn is_refused(event: &Event) -> bool {
    let field = |name: &str| event.fields.get(name).map(|value| value.to_ascii_lowercase());
    const WORDS: [&str; 7] = ["deny", "denied", "block", "blocked", "drop", "dropped", "reject"];
    field("blocked").is_some_and(|blocked| blocked == "true")
        || field("action").is_some_and(|action| WORDS.contains(&action.as_str()))
}

fn is_antivirus(event: &Event, shape: Option<Shape>) -> bool {
    let field = |name: &str| event.fields.get(name).map_or("", String::as_str);
    shape == Some(Shape::Clamav)
        || field("Channel").contains("Windows Defender")
        || field("subtype") == "virus"
        || (matches!(shape, Some(Shape::Cef | Shape::Leef))
            && has_word(event, &["virus", "malware"]))
}

fn is_dlp(event: &Event) -> bool {
    let field = |name: &str| event.fields.get(name).map_or("", String::as_str);
    field("subtype") == "dlp"
        || event.app.eq_ignore_ascii_case("dlp")
        || (matches!(Shape::of(event), Some(Shape::Cef | Shape::Leef | Shape::Json))
            && has_word(event, &["dlp", "data loss", "data leak", "情報漏えい", "持出し"]))
}

/// Whether product, program or name of the event say so.
fn has_word(event: &Event, words: &[&str]) -> bool {
    let told = ["product", "vendor", "event_name", "category"];
    let told = told.iter().filter_map(|name| event.fields.get(*name)).chain([&event.app]);
    told.map(|text| text.to_lowercase()).any(|text| words.iter().any(|word| text.contains(word)))
}

/// Commands under another name, changes of a configuration.
fn is_privileged(event: &Event) -> bool {
    let field = |name: &str| event.fields.get(name).map_or("", String::as_str);
    let program = event.app.rsplit('/').next().unwrap_or_default();
    let is_command = ["sudo", "su", "su-l", "pkexec", "doas"].contains(&program)
        && !field("target_user").is_empty()
        && field("outcome") == "success";
    is_command
        || !field("cfgpath").is_empty()
        || (field("Channel") == "Security" && field("EventID") == "4672")
        || event.message.contains("SYS-5-CONFIG_I")
        || field("cisco.mnemonic") == "CONFIG_I"
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use model::Timestamp;
    use stream::RawLine;

    use super::*;

    const START: Micros = 1_775_401_200_000_000;

    fn event(line: &str, time: Micros) -> Event {
        stream::parse(&RawLine::new(line), "t", Timestamp(time), &TimeZone::UTC)
    }

    #[test]
    fn lines_are_of_the_classes_they_speak_of() {
        for (line, of, hits) in [
            (
                "Jan  1 01:00:00 h sshd[1]: Failed password for root from 192.0.2.7 port 22 ssh2",
                &["login_failure", "admin_action"][..],
                &["login_failure"][..],
            ),
            (
                "Jan  1 01:00:00 h sudo:     mika : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/apt update",
                &["login_failure", "admin_action"],
                &["admin_action"],
            ),
            ("Jan  1 01:00:00 h clamd[7]: /x: Sig FOUND", &["antivirus"], &["antivirus"]),
            ("Jan  1 01:00:00 h clamd[7]: SelfCheck: Database status OK.", &["antivirus"], &[]),
            (
                "Jan  1 01:00:00 h kernel: [UFW BLOCK] IN=eth0 OUT= SRC=192.0.2.7 DST=10.0.0.1 PROTO=TCP SPT=1 DPT=23",
                &["firewall_deny"],
                &["firewall_deny"],
            ),
            (
                "<166>Jan  1 01:00:00 fw : %ASA-4-106023: Deny tcp src a:192.0.2.7/5 dst b:10.0.0.1/22 by x",
                &["firewall_deny"],
                &["firewall_deny"],
            ),
            (
                "1767225602.123 0 10.0.0.9 TCP_DENIED/403 3900 GET http://x.example/ mika HIER_NONE/- text/html",
                &["web_block"],
                &["web_block"],
            ),
            (
                "1767225602.123 0 10.0.0.9 TCP_MISS/200 3900 GET http://x.example/ mika HIER_DIRECT/192.0.2.1 text/html",
                &["web_block"],
                &[],
            ),
            (
                "Jan  1 00:00:00 h snort[1]: [1:2003:8] x [Classification: y] [Priority: 1] {ICMP} 192.0.2.7 -> 10.0.0.1",
                &["ids"],
                &["ids"],
            ),
            (
                "<134>Jan  1 10:00:00 h CEF:0|Some|Endpoint DLP|1|100|File blocked|8|src=10.0.0.9 suser=mika act=blocked",
                &["dlp"],
                &["dlp"],
            ),
            (
                "Jan  1 00:02:08 h usermod[3]: add 'mika' to group 'sudo'",
                &["admin_action"],
                &["admin_action"],
            ),
            ("Jan  1 00:00:10 h systemd[1]: Started x.service.", &[], &[]),
        ] {
            let event = event(line, START);
            let (own_of, own_hits) = classes(&event);
            let names = |all: Vec<Class>| all.into_iter().map(Class::name).collect::<Vec<_>>();
            assert_eq!((names(own_of), names(own_hits)), (of.to_vec(), hits.to_vec()), "{line}");
        }
    }

    /// Days of failed log-ins, so many a day.
    fn days(
        security: &mut Security,
        from: i64,
        counts: impl Iterator<Item = usize>,
        address: &str,
    ) {
        let japan = Calendar::japan();
        for (day, count) in counts.enumerate() {
            for n in 0..count {
                let time = START + (from + day as i64) * DAY + n as i64 * 1_000_000;
                let line = format!(
                    "sshd[1]: Failed password for user{} from {address} port 22 ssh2",
                    n % 5
                );
                let mut event = event(&format!("Jan  1 01:00:00 h {line}"), time);
                event.event_time = None;
                security.line(&event, &japan);
            }
        }
    }

    #[test]
    fn a_level_that_rises_and_a_newcomer_are_news_once() {
        let (mut security, japan) = (Security::default(), Calendar::japan());
        let usual = [4, 6, 5, 7, 5, 3, 4];
        days(&mut security, 0, (0..40).map(|n| usual[n % 7]), "10.0.0.9");
        let now = START + 40 * DAY;
        let trends = security.trends(now, &japan);
        assert_eq!((trends[0].days_learnt, trends[0].counts.len()), (Some(40), 40));
        assert_eq!(news(&trends, now, &japan), [], "ordinary days");
        assert!(trends[1].days_learnt.is_none() && trends[1].is_learning(), "no antivirus at all");

        days(&mut security, 40, (0..13).map(|n| usual[n % 7] + 30), "192.0.2.66");
        let week = START + 44 * DAY;
        let told = news(&security.trends(week, &japan), week, &japan);
        let is_new =
            |n: &News| matches!(&n.what, What::Newcomer { name, .. } if name == "192.0.2.66");
        assert!(told.iter().any(is_new), "{told:?}");
        let now = START + 53 * DAY;
        let told = news(&security.trends(now, &japan), now, &japan);
        let risen = told.iter().find(|n| matches!(n.what, What::Risen { .. })).expect("risen");
        assert_eq!(risen.class, Class::LoginFailure);
        let next = now + DAY;
        let again = news(&security.trends(next, &japan), next, &japan);
        let risen_again = again.iter().find(|n| matches!(n.what, What::Risen { .. })).unwrap();
        assert!(risen_again.key == risen.key || risen_again.also.contains(&risen.key));
    }

    #[test]
    fn nothing_is_told_while_a_class_is_learnt() {
        let (mut security, japan) = (Security::default(), Calendar::japan());
        days(&mut security, 0, (0..20).map(|n| if n < 10 { 2 } else { 90 }), "10.0.0.9");
        let now = START + 20 * DAY;
        let trends = security.trends(now, &japan);
        assert!(trends[0].is_learning());
        assert_eq!(news(&trends, now, &japan), []);
    }

    #[test]
    fn names_are_bounded_and_forgotten_before_counts() {
        let (mut security, japan) = (Security::default(), Calendar::japan());
        for n in 0..2 * NAMES_MAX {
            let line = format!(
                "Jan  1 01:00:00 h sshd[1]: Failed password for u{n} from 10.0.0.9 port 22 ssh2"
            );
            let mut event = event(&line, START);
            event.event_time = None;
            security.line(&event, &japan);
        }
        let day = japan.day(START);
        let counted = |s: &Security| s.classes[0].days.get(&day).map(|d| (d.count, d.by[1].len()));
        assert_eq!(counted(&security), Some((2 * NAMES_MAX as u64, NAMES_MAX)));
        security.age(START + 3 * DAY, &japan);
        assert_eq!(counted(&security), Some((2 * NAMES_MAX as u64, NAMES_KEPT)));
        security.age(START + (NAMES_DAYS + 1) * DAY, &japan);
        assert_eq!(counted(&security), Some((2 * NAMES_MAX as u64, 0)));
        security.age(START + 800 * DAY, &japan);
        assert_eq!(counted(&security), None);
    }
}
