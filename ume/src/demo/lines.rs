//! Log lines as the machines of the fictional company would send them, for the real intake.

use jiff::Timestamp as Jiff;
use model::Timestamp;
use stream::{Format, RawLine};

use super::{chance::Chance, people::SERVERS};

const USERS: [&str; 8] =
    ["suzuki", "ito", "sato", "kato.taro", "yoshida", "backup", "deploy", "monitor"];

/// A line of RFC 5424; priority is facility × 8 + severity.
fn line(priority: u8, at: Timestamp, host: &str, app: &str, text: &str) -> RawLine {
    let time = Jiff::from_microsecond(at.0).map_or_else(|_| at.rfc3339(), |t| t.to_string());
    let bytes = format!("<{priority}>1 {time} {host} {app} - - - {text}");
    RawLine::with_format(bytes, Format::Syslog)
}

fn minutes(at: Timestamp, n: i64) -> Timestamp {
    Timestamp(at.0 + n * 60_000_000)
}

/// An ordinary day of a server, a shared PC or a network device, from `start` on.
pub fn ordinary(host: &str, start: Timestamp, chance: &mut Chance) -> Vec<RawLine> {
    let mut at = minutes(start, chance.below(30) as i64);
    let mut lines = Vec::new();
    for _ in 0..3 + chance.below(4) {
        at = minutes(at, 1 + chance.below(60) as i64);
        let user = chance.pick(&USERS);
        let port = 40_000 + chance.below(20_000);
        let from = 50 + chance.below(40);
        lines.push(match host.split('-').next() {
            Some("srv" | "db") if chance.happens(120) => line(
                86,
                at,
                host,
                "sshd",
                &format!("Failed password for {user} from 192.0.2.{from} port {port} ssh2"),
            ),
            Some("srv" | "db") if chance.happens(500) => line(
                86,
                at,
                host,
                "sshd",
                &format!("Accepted publickey for {user} from 192.0.2.{from} port {port} ssh2"),
            ),
            Some("srv" | "db") => {
                let jobs =
                    ["daily backup finished", "log rotation finished", "certificate is valid"];
                line(78, at, host, "cron", jobs[chance.below(jobs.len())])
            }
            Some("pc") => line(38, at, host, "logon", &format!("session opened for user {user}")),
            _ => line(
                134,
                at,
                host,
                "filter",
                &format!("accept tcp 192.0.2.{from}:{port} -> 203.0.113.{}:443", chance.below(250)),
            ),
        });
    }
    lines
}

/// Doors on one day.
pub fn doors(start: Timestamp, chance: &mut Chance) -> Vec<RawLine> {
    let portals = ["本社 正面玄関", "本社 執務室入口", "本社 サーバー室扉", "立川 設計室扉"];
    let mut at = start;
    (0..6 + chance.below(5))
        .map(|_| {
            at = minutes(at, 5 + chance.below(55) as i64);
            let badge = 1000 + chance.below(120);
            let text = format!("{} 解錠 社員証 B{badge:05}", chance.pick(&portals));
            line(110, at, "door-ome-01", "access", &text)
        })
        .collect()
}

/// What happened on the days that people remember: day, source, lines.
pub fn incident(day: i64, start: Timestamp) -> Option<(&'static str, Vec<RawLine>)> {
    Some(match day {
        190 => (
            "vpn-ome-01",
            (0..60)
                .map(|n| {
                    let text = format!(
                        "Failed password for root from 203.0.113.66 port {} ssh2",
                        50_000 + n
                    );
                    line(84, minutes(start, n), "vpn-ome-01", "sshd", &text)
                })
                .collect(),
        ),
        246 => (
            "door-ome-01",
            vec![
                line(
                    108,
                    minutes(start, 700),
                    "door-ome-01",
                    "access",
                    "本社 非常口（北） こじ開け警報",
                ),
                line(
                    110,
                    minutes(start, 708),
                    "door-ome-01",
                    "access",
                    "本社 非常口（北） 警備員が確認 異常なし",
                ),
            ],
        ),
        301 => (
            SERVERS[10],
            (0..12)
                .map(|n| {
                    let text =
                        format!("quarantined message {} from login-ume-office.example", 7_000 + n);
                    line(20, minutes(start, n * 3), SERVERS[10], "mailfilter", &text)
                })
                .collect(),
        ),
        338 => (
            SERVERS[6],
            vec![
                line(
                    27,
                    minutes(start, 30),
                    SERVERS[6],
                    "smartd",
                    "disk sdb: 24 reallocated sectors",
                ),
                line(30, minutes(start, 95), SERVERS[6], "raid", "rebuild on spare disk started"),
            ],
        ),
        _ => return None,
    })
}
