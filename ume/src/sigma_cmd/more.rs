//! `ume sigma lint`, `hunt` and `bench`: what rules look like, what they meet in an archive, and what they cost.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use monitoring::work::{
    hunts::pass::{Hunt, Next, Progress},
    rules::Loaded,
};
use serde_json::json;
use sigma::{Env, Matcher, Meta, RuleSet, TrafficProfile};

use super::{Events, Rows, Rules, events::Reading, reason, tell_refused};
use crate::{CliError, Format, INCOMPLETE, MISMATCH, progress, say};

/// Characters of a title that lists and mails show whole.
const TITLE_CHARS_MAX: usize = 110;
/// How long a hunt goes on between two looks at Ctrl-C.
const SLICE: Duration = Duration::from_millis(200);

/// Names what is refused, and what makes rules hard to use: exit 1 if there is something.
pub fn lint(rules: &Rules, format: Format) -> Result<ExitCode, CliError> {
    let loaded = rules.load()?;
    let mut out = Rows::new(format, &["file", "line", "title", "fault", "what"]);
    for refused in &loaded.rejected {
        out.row(&json!({
            "file": refused.file, "line": refused.line, "title": refused.title,
            "fault": refused.reason.code(), "what": reason(refused),
        }))?;
    }
    let mut count = 0;
    let set = &loaded.set;
    let slow: BTreeSet<&str> = set.unwitnessed().map(|rule| rule.meta.file.as_str()).collect();
    let rules = set.rules().iter().map(|rule| &rule.meta);
    for meta in rules.chain(set.correlations().iter().map(|c| &c.meta)) {
        let mut faults = faults(meta);
        if slow.contains(meta.file.as_str()) {
            faults.push((
                "slow",
                say(
                    "どのイベントにも試されます。決まった語を含む条件を加えてください",
                    "is tried on every event; add a condition that asks for a fixed text",
                ),
            ));
        }
        for (fault, what) in faults {
            count += 1;
            out.row(&json!({
                "file": meta.file, "line": meta.line, "title": meta.title, "fault": fault, "what": what,
            }))?;
        }
    }
    out.end()?;
    let (all, refused) = (set.rules().len() + set.correlations().len(), loaded.rejected.len());
    eprintln!(
        "{}",
        say(
            &format!("ルール{all}件: 指摘{count}件、拒否{refused}件"),
            &format!("{all} rules: {count} remarks, {refused} refused"),
        )
    );
    Ok(if count + refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(MISMATCH) })
}

/// What the people who meet a rule miss in it.
fn faults(meta: &Meta) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut check = |is_fault: bool, name: &'static str, ja: &str, en: &str| {
        if is_fault {
            found.push((name, say(ja, en)));
        }
    };
    let id = meta.id.as_deref();
    check(id.is_none(), "no-id", "idがありません。UUIDを付けてください", "no id; give it a UUID");
    check(
        id.is_some_and(|id| !is_uuid(id)),
        "id-form",
        "idがUUIDではありません",
        "the id is no UUID",
    );
    check(
        meta.title.chars().count() > TITLE_CHARS_MAX,
        "title-long",
        "titleが110文字を超えています",
        "a title of more than 110 characters",
    );
    check(
        meta.title.ends_with(['.', '。']),
        "title-dot",
        "titleの末尾の句点は不要です",
        "a title that ends with a full stop",
    );
    check(meta.level.is_none(), "no-level", "levelがありません", "no level");
    check(meta.status.is_none(), "no-status", "statusがありません", "no status");
    check(
        meta.description.as_deref().is_none_or(|text| text.trim().is_empty()),
        "no-description",
        "descriptionがありません。何を見つけるのかを書いてください",
        "no description; say what it finds",
    );
    check(meta.author.is_none(), "no-author", "authorがありません", "no author");
    check(meta.date.is_none(), "no-date", "dateがありません", "no date");
    check(
        meta.falsepositives.is_empty(),
        "no-falsepositives",
        "falsepositivesがありません。誤検知になる場合を書いてください",
        "no falsepositives; say when it is wrong",
    );
    check(meta.tags.is_empty(), "no-tags", "tagsがありません", "no tags");
    let mut seen = BTreeSet::new();
    check(
        meta.tags.iter().any(|tag| !seen.insert(tag)),
        "tag-twice",
        "同じtagが二度あります",
        "a tag that stands there twice",
    );
    found
}

fn is_uuid(id: &str) -> bool {
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && id.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// Holds rules against an archive, newest first, as the server does when they come into force.
pub fn hunt(rules: &Rules, archive: &Path, format: Format) -> Result<ExitCode, CliError> {
    let loaded = Loaded::of(rules.texts()?, &rules.env()?);
    for refused in &loaded.rejected {
        eprintln!("{}:{}:{}: {}", refused.file, refused.line, refused.column, reason(refused));
    }
    let prints = loaded.findable().map(|(meta, _)| loaded.print_of(meta)).collect();
    // Everything there is.
    let progress = Progress { target: u64::MAX, ..Progress::default() };
    let mut hunt = Hunt::new(archive, &loaded, &prints, &rules.env()?, progress);
    let mut out = Rows::new(format, &["time", "level", "rule", "source", "host", "message"]);
    let (mut found, mut counts) = (Vec::new(), BTreeMap::<String, u64>::new());
    loop {
        progress::going().map_err(|_| CliError::Stopped)?;
        let next =
            hunt.slice(Instant::now() + SLICE, u64::MAX, &mut found).map_err(room::Error::from)?;
        if next == Next::Done {
            hunt.finish(store::system_clock()(), &mut found);
        }
        for met in found.drain(..) {
            *counts.entry(met.about.title_en.clone()).or_default() += 1;
            out.row(&json!({
                "time": met.time.rfc3339(), "level": met.about.severity, "rule": met.about.title_en,
                "id": met.about.id, "source": met.event.source, "host": met.event.host,
                "message": met.event.message, "group": met.group, "value": met.value,
            }))?;
        }
        if next != Next::More {
            break;
        }
    }
    out.end()?;
    let (p, refused) = (&hunt.progress, loaded.rejected.len());
    let (events, matches, scanned, pruned, missing) =
        (p.events, p.matches, p.scanned, p.pruned, p.missing);
    eprintln!(
        "{}",
        say(
            &format!(
                "イベント{events}件を読み、一致{matches}件。区画: 読んだ{scanned}、読まずに判断{pruned}、欠け{missing}。拒否したルール{refused}件"
            ),
            &format!(
                "{events} events read, {matches} matches; segments: {scanned} read, {pruned} ruled out unread, {missing} missing; {refused} rules refused"
            ),
        )
    );
    Ok(match () {
        () if missing > 0 || refused > 0 => ExitCode::from(INCOMPLETE),
        () if matches > 0 => ExitCode::from(MISMATCH),
        () => ExitCode::SUCCESS,
    })
}

/// What rules cost on these events: CPU of reading alone, and of reading and matching.
pub fn bench(
    rules: &Rules,
    events: &Events,
    rounds: u32,
    format: Format,
) -> Result<ExitCode, CliError> {
    let begun = cpu()?;
    let loaded = rules.load()?;
    let load = cpu()? - begun;
    tell_refused(&loaded);
    let mut profile = TrafficProfile::default();
    run(events, &mut |arena| profile.observe(arena))?;
    let tuned = loaded.set.tuned(&profile);
    let mut out =
        Rows::new(format, &["what", "events", "cpu_us", "ns_per_event", "events_per_s", "matches"]);
    let mut row = |what: &str, (count, spent, matches): (u64, Duration, u64)| {
        let each = spent.as_nanos() as u64 / count.max(1);
        out.row(&json!({
            "what": what, "events": count, "cpu_us": spent.as_micros() as u64, "ns_per_event": each,
            "events_per_s": 1_000_000_000 / each.max(1), "matches": matches,
        }))
    };
    row("load", (loaded.set.rules().len() as u64, load, 0))?;
    let reading = least(rounds, &mut || run(events, &mut |_| ()).map(|(n, spent)| (n, spent, 0)))?;
    row("read", reading)?;
    row("read+match", least(rounds, &mut || matching(&loaded.set, events))?)?;
    row("read+match tuned", least(rounds, &mut || matching(&tuned, events))?)?;
    out.end()?;
    Ok(ExitCode::SUCCESS)
}

type Spent = (u64, Duration, u64);

/// The round that cost least: what others did meanwhile is no cost of ours.
fn least(rounds: u32, run: &mut dyn FnMut() -> Result<Spent, CliError>) -> Result<Spent, CliError> {
    let mut best = run()?;
    for _ in 1..rounds {
        let next = run()?;
        if next.1 < best.1 {
            best = next;
        }
    }
    Ok(best)
}

fn matching(set: &RuleSet, events: &Events) -> Result<Spent, CliError> {
    let (mut matcher, mut found, mut matches) = (Matcher::new(set), Vec::new(), 0);
    let (count, spent) = run(events, &mut |arena| {
        found.clear();
        matcher.eval(arena, &mut found);
        matches += found.len() as u64;
    })?;
    Ok((count, spent, matches))
}

fn run(events: &Events, each: &mut dyn FnMut(&sigma::Arena)) -> Result<(u64, Duration), CliError> {
    let (mut reading, mut count) = (Reading::begin(events.source()?), 0);
    let begun = cpu()?;
    for path in &events.files {
        reading.each(path, &mut |event| {
            count += 1;
            each(event.arena);
            Ok(())
        })?;
    }
    Ok((count, cpu()? - begun))
}

/// CPU that this thread took so far.
fn cpu() -> Result<Duration, CliError> {
    let path = Path::new("/proc/thread-self/schedstat");
    let io = |source| CliError::Io { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
    Ok(Duration::from_nanos(ns))
}

/// Values of placeholders from a JSON file: a value, or a list of values, by name.
pub fn placeholders(path: &Path, env: &mut Env) -> Result<(), CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CliError::Io { path: path.to_owned(), source })?;
    let bad = |why: String| {
        CliError::Usage(say(
            &format!("--placeholders {}: {why}", path.display()),
            &format!("--placeholders {}: {why}", path.display()),
        ))
    };
    let said: serde_json::Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let object = said.as_object().ok_or_else(|| {
        bad(say("{\"NAME\": [\"値\"]}の形にしてください", "give {\"NAME\": [\"value\"]}"))
    })?;
    for (name, value) in object {
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let values = env.placeholders.entry(name.clone()).or_default();
        for value in list {
            match value {
                serde_json::Value::String(text) => values.push(text.clone()),
                serde_json::Value::Number(number) => values.push(number.to_string()),
                _ => return Err(bad(format!("{name}: {value}"))),
            }
        }
    }
    Ok(())
}
