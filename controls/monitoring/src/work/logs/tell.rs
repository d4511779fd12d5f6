//! What is told of logs, in words: findings of silence and of what departs.

use std::collections::HashMap;

use model::{Assurance, Id, Timestamp};
use room::{Error, Shared};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use steady::{Micros, Phase, SECOND};
use store::RecordDraft;

use super::{
    firsts::{Batch, Kind as Pair},
    security::{News, Trend, What},
    sources::{Said, Who},
    words::{Departure, Kind},
};
use crate::{
    findings::{FINDING, SPOKE},
    work::{
        alerts,
        joined::{BURST, Second},
    },
};

pub const ACTOR: &str = "system:monitoring.logs";
/// How the rules begin by which this is found.
pub const RULE: &str = "steady.";

/// A finding as it is going to be written.
pub struct Finding {
    pub class: &'static str,
    pub severity: &'static str,
    pub phase: &'static str,
    pub rule: &'static str,
    pub title: (String, String),
    /// Hash of what tells it apart.
    pub key: String,
    /// Told under one of these it is the same.
    pub also: Vec<String>,
    pub subject: Option<Id>,
    pub stream: String,
    pub offset: u64,
    pub at: Micros,
    /// Host, program and what was seen.
    pub host: String,
    pub program: String,
    pub lines: Vec<String>,
    pub fields: Map<String, Json>,
}

/// What tells findings apart.
pub fn key(rule: &str, text: &str) -> String {
    hex::encode(Sha256::digest(format!("ume/{rule}/v1\n{text}")))
}

impl Finding {
    /// The same as what is told with another one.
    pub fn second(self) -> Second {
        let Finding { rule, title, key, at, .. } = self;
        Second { rule, title, group: key, series: None, onset: at }
    }

    pub fn draft(self, now: Timestamp) -> RecordDraft {
        let facts = json!({
            "severity": self.severity,
            "class": self.class,
            "phase": self.phase,
            "retro": false,
            "rule": self.rule,
            "title_ja": self.title.0,
            "title_en": self.title.1,
            "group": self.key,
            "stream": self.stream,
            "offset": self.offset,
        });
        let at = Timestamp(self.at).min(now);
        let payload = json!({
            "time": at.rfc3339(),
            "arrived": now.rfc3339(),
            "source": "",
            "host": self.host,
            "app": self.program,
            "message": "",
            "raw": self.lines.join("\n"),
            "fields": self.fields,
        });
        RecordDraft {
            ty: FINDING.to_owned(),
            subject: self.subject,
            observed_from: at,
            observed_to: at,
            source: "monitoring.logs".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: serde_json::to_vec(&payload).ok(),
        }
    }
}

/// A span as people say it.
pub fn span(micros: Micros) -> (String, String) {
    let seconds = (micros / SECOND).max(0);
    match seconds {
        0..120 => (format!("{seconds}秒"), format!("{seconds} s")),
        120..7_200 => (format!("{}分", seconds / 60), format!("{} min", seconds / 60)),
        7_200..172_800 => (format!("{}時間", seconds / 3_600), format!("{} h", seconds / 3_600)),
        _ => (format!("{}日", seconds / 86_400), format!("{} d", seconds / 86_400)),
    }
}

fn text(value: impl ToString) -> Json {
    Json::String(value.to_string())
}

fn time(micros: Micros) -> Json {
    Json::String(Timestamp(micros).rfc3339())
}

fn fields<const N: usize>(pairs: [(&str, Json); N]) -> Map<String, Json> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// With a host behind it, if there is one.
fn on(title: (String, String), host: &str) -> (String, String) {
    match host {
        "" => title,
        host => (format!("{}（{host}）", title.0), format!("{} ({host})", title.1)),
    }
}

/// What tells a silence apart.
pub fn silence_key(who: &Who, since: Micros) -> String {
    key("steady.silence", &format!("{}\n{since}", who.key()))
}

/// Sources that fell silent.
pub async fn silent(
    ctx: &Shared,
    stream: &str,
    said: &[Said],
    offset: u64,
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for said in said {
        let Said::Silent { who, since, normal, usual, severity } = said else { continue };
        let (name, host, subject) = match who {
            Who::Row { id, name, asset } => (name.as_str(), "", asset.or(Some(*id))),
            Who::Source((source, host)) => {
                (source.as_str(), host.as_str(), alerts::host_of(ctx, source, host).await?)
            }
        };
        let mut fields = fields([
            ("silence.source", text(name)),
            ("silence.last_heard", time(*since)),
            ("silence.alarm_after", text(span(*normal).1)),
        ]);
        if let Some(usual) = usual {
            fields.insert("silence.usual_interval".to_owned(), text(span(*usual).1));
        }
        let title = (format!("ログの途絶: {name}"), format!("Silent source: {name}"));
        findings.push(Finding {
            class: "silence",
            severity,
            phase: "sign",
            rule: "steady.silence",
            title: on(title, host),
            key: silence_key(who, *since),
            also: Vec::new(),
            subject,
            stream: stream.to_owned(),
            offset,
            at: *since + *normal,
            host: host.to_owned(),
            program: String::new(),
            lines: Vec::new(),
            fields,
        });
    }
    Ok(findings)
}

/// Sources that speak again: a record about the finding of their silence, once.
pub async fn spoke(
    ctx: &Shared,
    said: &[Said],
    known: &HashMap<String, Id>,
    now: Timestamp,
) -> Result<(), Error> {
    let store = ctx.store();
    for said in said {
        let Said::Spoke { who, since, until } = said else { continue };
        let Some(finding) = known.get(&silence_key(who, *since)) else { continue };
        if !store.newest_records(&[SPOKE], Some(*finding), 1).await?.is_empty() {
            continue;
        }
        let facts = json!({ "silent_s": (until - since).max(0) / SECOND });
        let mut draft = room::draft(SPOKE, Some(*finding), Timestamp(*until).min(now), facts);
        draft.source = "monitoring.logs".to_owned();
        room::write(store, ACTOR, draft).await?;
        ctx.house.wake();
    }
    Ok(())
}

/// Kinds of lines that depart, of one kind and host.
pub async fn departed(
    ctx: &Shared,
    stream: &str,
    group: &[Departure],
    offset: u64,
) -> Result<Finding, Error> {
    let (Some(first), n) = (group.first(), group.len()) else {
        return Err(Error::said("nothing departed"));
    };
    let (rule, severity, title) = match first.kind {
        Kind::New => (
            "steady.new_lines",
            "low",
            (format!("新しい種類のログ{n}件"), format!("New kinds of log lines: {n}")),
        ),
        Kind::Vanished => (
            "steady.vanished_lines",
            "medium",
            (format!("出なくなったログ{n}件"), format!("Log lines that no longer come: {n}")),
        ),
        Kind::Burst => {
            (BURST, "medium", (format!("急に増えたログ{n}件"), format!("Bursts of log lines: {n}")))
        }
    };
    let line = |d: &Departure| match d.kind {
        Kind::New => format!("{}: {}", d.program, d.text),
        Kind::Vanished => {
            format!("{}: {}  ({} lines, last {})", d.program, d.text, d.lines, stamp(d.last))
        }
        Kind::Burst => {
            format!("{}: {}  ({} lines/h, usual ≤{:.0})", d.program, d.text, d.lines, d.usual)
        }
    };
    let told: Vec<String> =
        group.iter().map(|d| format!("{}\n{}\n{}\n{}", d.program, d.text, d.end, d.last)).collect();
    let mut programs: Vec<&str> = group.iter().map(|d| d.program.as_str()).collect();
    programs.dedup();
    Ok(Finding {
        class: "anomaly",
        severity,
        phase: "sign",
        rule,
        title: on(title, &first.host),
        key: key(rule, &format!("{}\n{}", first.host, told.join("\n"))),
        also: Vec::new(),
        subject: alerts::host_of(ctx, "", &first.host).await?,
        stream: stream.to_owned(),
        offset,
        at: first.time,
        host: first.host.clone(),
        program: if programs.len() == 1 { first.program.clone() } else { String::new() },
        lines: group.iter().map(line).collect(),
        fields: fields([("departure", text(first.kind.name())), ("count", text(n))]),
    })
}

fn stamp(micros: Micros) -> String {
    Timestamp(micros).rfc3339()
}

/// Pairs that were never seen before.
pub async fn first(
    ctx: &Shared,
    stream: &str,
    kind: Pair,
    batch: &Batch,
    offset: u64,
) -> Result<Finding, Error> {
    let Some(first) = batch.listed.first() else {
        return Err(Error::said("no pair was seen"));
    };
    let n = batch.count;
    let (rule, title) = match kind {
        Pair::UserHost => (
            "steady.first_user_host",
            (
                format!("初めてのホストへのログイン{n}件"),
                format!("Log-ins to hosts new to the user: {n}"),
            ),
        ),
        Pair::ParentProcess => (
            "steady.first_parent_process",
            (
                format!("初めての親子プロセス{n}件"),
                format!("Processes started by a new parent: {n}"),
            ),
        ),
        Pair::ProcessDestination => (
            "steady.first_process_destination",
            (
                format!("プロセスの初めての接続先{n}件"),
                format!("Destinations new to a process: {n}"),
            ),
        ),
    };
    let line = |first: &super::firsts::First| {
        format!("{}  {} → {}  ({})", stamp(first.time), first.left, first.right, first.host)
    };
    let is_one_host = batch.listed.iter().all(|other| other.host == first.host);
    let host = if is_one_host { first.host.clone() } else { String::new() };
    let subject = match is_one_host {
        true => alerts::host_of(ctx, "", &first.host).await?,
        false => None,
    };
    Ok(Finding {
        class: "anomaly",
        severity: "low",
        phase: "precursor",
        rule,
        title,
        key: key(rule, &format!("{}\n{}\n{}", first.left, first.right, first.end)),
        also: Vec::new(),
        subject,
        stream: stream.to_owned(),
        offset,
        at: first.time,
        host,
        program: String::new(),
        lines: batch.listed.iter().map(line).collect(),
        fields: fields([("pairs", text(kind.name())), ("count", text(n))]),
    })
}

/// What a trend of security logs shows.
pub fn trend(stream: &str, news: &News, offset: u64, now: Micros) -> Finding {
    let class = news.class.text();
    let (severity, title, fields) = match &news.what {
        What::Risen { before, after, .. } => (
            "medium",
            (format!("{}が増えた", class.ja), format!("{}: a higher level", class.en)),
            fields([("trend.before", text(before)), ("trend.after", text(after))]),
        ),
        What::Newcomer { name, count, share } => (
            "medium",
            (
                format!("{}に新しい主な発生元", class.ja),
                format!("{}: a new main contributor", class.en),
            ),
            fields([
                ("trend.contributor", text(name)),
                ("trend.count", text(count)),
                ("trend.share_percent", text((share * 100.0).round())),
            ]),
        ),
        What::Grows { per_day, level } => (
            "low",
            (format!("{}が増え続けている", class.ja), format!("{}: growing steadily", class.en)),
            fields([
                ("trend.more_per_day", text((per_day * 100.0).round() / 100.0)),
                ("trend.level", text((level * 10.0).round() / 10.0)),
            ]),
        ),
    };
    Finding {
        class: "anomaly",
        severity,
        phase: if news.what.phase() == Phase::Precursor { "precursor" } else { "sign" },
        rule: "steady.trend",
        title,
        key: key("steady.trend", &news.key),
        also: news.also.iter().map(|text| key("steady.trend", text)).collect(),
        subject: None,
        stream: stream.to_owned(),
        offset,
        at: now,
        host: String::new(),
        program: String::new(),
        lines: Vec::new(),
        fields,
    }
}

const TREND: &str = "monitoring.trend_status";
/// The state of a class is recorded so often, and when it changes.
const STATE_EVERY_H: i64 = 12;

/// Records how far each class that has a source is; how many records it wrote.
pub async fn states(ctx: &Shared, trends: &[Trend], now: Timestamp) -> Result<usize, Error> {
    let newest = ctx.store().newest_records(&[TREND], None, 100).await?;
    let mut drafts = Vec::new();
    for trend in trends {
        let Some(days) = trend.days_learnt else { continue };
        let facts = json!({
            "security_class": trend.class.name(),
            "cold_start": trend.is_learning(),
            "days_learnt": days,
            "change_points": u64::from(trend.found.change.is_some()),
        });
        let is_of =
            |r: &&store::Record| r.facts.get("security_class") == facts.get("security_class");
        let is_due = newest.iter().find(is_of).is_none_or(|record| {
            now.hours_since(record.observed_to) >= STATE_EVERY_H
                || record.facts.get("cold_start") != facts.get("cold_start")
        });
        if is_due {
            drafts.push(room::draft(TREND, None, now, facts));
        }
    }
    if drafts.is_empty() {
        return Ok(0);
    }
    let (written, mut write) = (drafts.len(), ctx.store().write(ACTOR, "work", "").await?);
    for draft in drafts {
        write.record(draft).await?;
    }
    write.commit().await?;
    ctx.house.wake();
    Ok(written)
}
