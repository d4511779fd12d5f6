//! `ume sigma`: detection rules over plain files; no data folder is touched but by `import`.
//!
//! Events are read one by one and results printed as they come, so that files may be larger than memory.
//! What cannot be read is told with its place, and the rest goes on.

mod events;
mod import;
mod more;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use model::Timestamp;
use serde_json::{Value as Json, json};
use sigma::{
    Correlator, Env, FieldCensus, Limits, LogSource, Match, Matcher, RuleId, RuleSet, Settings,
    Source, load,
};

use self::events::Reading;
use crate::{CliError, Format, INCOMPLETE, MISMATCH, print, say, shown::Shown};

/// Files of rules read together, and how deep folders are walked.
const RULE_FILES_MAX: usize = 100_000;
const DEPTH_MAX: usize = 16;
/// Files are no stream: their events are sorted as a whole, as far as there is room for them.
const LATENESS_US: i64 = 100 * 365 * 86_400 * 1_000_000;
/// Characters shown of a value.
const SHOWN_CHARS: usize = 120;

#[derive(clap::Subcommand)]
pub enum SigmaCommand {
    /// Name every rule that is refused, with file, line, and what to do; exit 1 if one is
    Check {
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        shown: Shown,
    },
    /// Which events meet which rules: exit 0 none, 1 some, 3 if a rule or an event could not be read
    ///
    /// Events come as EVTX, its XML, JSON (one object, a list, or a line each), Parquet (as Ume
    /// archives events), or lines of text.
    /// Correlations are followed over all files together, by the time in each event.
    Eval {
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        events: Events,
        #[command(flatten)]
        shown: Shown,
    },
    /// What correlations find in these events over time; as `eval`, without what single events meet
    Correlate {
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        events: Events,
        #[command(flatten)]
        shown: Shown,
    },
    /// What rules meet in archived events (stream/archive of a data folder), newest first, then
    /// correlations: exit 0 nothing, 1 something, 3 if a part is missing
    Hunt {
        #[command(flatten)]
        rules: Rules,
        /// Folder with archived events
        #[arg(value_name = "DIR")]
        archive: PathBuf,
        #[command(flatten)]
        shown: Shown,
    },
    /// What is hard about rules for those who read, keep and run them; exit 1 if there is something
    Lint {
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        shown: Shown,
    },
    /// Take a pack of rules into the register, with where it comes from and its licence
    Import(Box<import::ImportArgs>),
    /// CPU that rules take on these events: reading alone, and with matching
    Bench {
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        events: Events,
        /// Rounds of which the cheapest is told
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
        rounds: u32,
        #[command(flatten)]
        shown: Shown,
    },
    /// Every test of a rule on one event, and the text that met it
    Explain {
        #[command(flatten)]
        rules: Rules,
        /// Id, name or title of the rule
        #[arg(long)]
        rule: String,
        /// Number of the event in the file, from 1
        #[arg(long, default_value_t = 1)]
        event: u64,
        #[command(flatten)]
        events: Events,
        #[command(flatten)]
        shown: Shown,
    },
    /// Which rules can fire with the fields that these events have
    Coverage {
        #[command(flatten)]
        rules: Rules,
        #[command(flatten)]
        events: Events,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(clap::Args)]
pub struct Rules {
    /// File or folder with rules, filters and correlations (.yml, .yaml); may be given more than once
    #[arg(long, required = true, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// What %NAME% in rules stands for; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    placeholder: Vec<String>,
    /// JSON file with the values of placeholders: {"NAME": ["VALUE", …]}; may be given more than once
    #[arg(long, value_name = "FILE")]
    placeholders: Vec<PathBuf>,
    /// Deprecated and unsupported rules as well
    #[arg(long)]
    with_off: bool,
}

#[derive(clap::Args)]
pub struct Events {
    /// Files with events; - reads lines from the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the events come from, where they do not say so themselves: CATEGORY/PRODUCT/SERVICE, parts
    /// may be empty, as in /linux/sshd
    #[arg(long, value_name = "SOURCE")]
    logsource: Option<String>,
}

impl Events {
    fn source(&self) -> Result<Option<LogSource>, CliError> {
        let Some(text) = &self.logsource else { return Ok(None) };
        let parts: Vec<Option<&str>> =
            text.split('/').map(|part| Some(part).filter(|part| !part.is_empty())).collect();
        match parts.as_slice() {
            [category, product, service] if parts.iter().any(Option::is_some) => {
                Ok(Some(LogSource::new(*category, *product, *service)))
            }
            _ => Err(CliError::Usage(say(
                "--logsourceはCATEGORY/PRODUCT/SERVICEの形で指定してください（例: /linux/sshd）",
                "--logsource: give CATEGORY/PRODUCT/SERVICE, such as /linux/sshd",
            ))),
        }
    }
}

struct Loaded {
    set: RuleSet,
    rejected: Vec<sigma::Rejected>,
}

impl Rules {
    fn env(&self) -> Result<Env, CliError> {
        let mut env = Env { with_off: self.with_off, ..Env::default() };
        for path in &self.placeholders {
            more::placeholders(path, &mut env)?;
        }
        for pair in &self.placeholder {
            let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty())
            else {
                return Err(CliError::Usage(say(
                    &format!("--placeholderはNAME=VALUEの形で指定してください: {pair}"),
                    &format!("--placeholder: give NAME=VALUE, not {pair}"),
                )));
            };
            env.placeholders.entry(name.to_owned()).or_default().push(value.to_owned());
        }
        Ok(env)
    }

    /// The documents by their paths.
    fn texts(&self) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
        let mut paths = Vec::new();
        for path in &self.rules {
            walk(path, 0, &mut paths)?;
        }
        let limit = Limits::default().file_bytes as u64;
        let mut files = BTreeMap::new();
        for path in &paths {
            let mut bytes = Vec::new();
            // One byte more than the limit, so that the engine sees that it is passed.
            File::open(path)
                .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
                .map_err(|source| CliError::Io { path: path.clone(), source })?;
            files.insert(path.display().to_string(), bytes);
        }
        Ok(files)
    }

    fn load(&self) -> Result<Loaded, CliError> {
        let (env, files) = (self.env()?, self.texts()?);
        let sources: Vec<Source<'_>> =
            files.iter().map(|(file, bytes)| Source { file, bytes }).collect();
        let (set, rejected) = load(&sources, &env, &Limits::default());
        if set.rules().is_empty() && rejected.is_empty() {
            return Err(CliError::Usage(say(
                "ルール（.yml、.yaml）がありません。--rulesを確認してください",
                "no rule (.yml, .yaml) there; check --rules",
            )));
        }
        Ok(Loaded { set, rejected })
    }
}

/// Files with rules below `path`, in the order of their names.
fn walk(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let io = |source| CliError::Io { path: path.to_owned(), source };
    if !path.metadata().map_err(io)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in path.read_dir().map_err(io)? {
        entries.push(entry.map_err(io)?.path());
    }
    entries.sort();
    for entry in entries {
        let is_rule = entry.extension().is_some_and(|e| e == "yml" || e == "yaml");
        if is_rule || (depth < DEPTH_MAX && entry.is_dir() && !entry.is_symlink()) {
            walk(&entry, depth + 1, found)?;
        }
        if found.len() > RULE_FILES_MAX {
            return Err(CliError::Usage(say(
                &format!("ルールのファイルが{RULE_FILES_MAX}個を超えています"),
                &format!("more than {RULE_FILES_MAX} files of rules"),
            )));
        }
    }
    Ok(())
}

pub async fn run(command: SigmaCommand) -> Result<ExitCode, CliError> {
    match command {
        SigmaCommand::Import(args) => import::run(*args).await,
        SigmaCommand::Check { rules, shown } => check(&rules, shown.format),
        SigmaCommand::Eval { rules, events, shown } => eval(&rules, &events, shown.format, true),
        SigmaCommand::Correlate { rules, events, shown } => {
            eval(&rules, &events, shown.format, false)
        }
        SigmaCommand::Hunt { rules, archive, shown } => more::hunt(&rules, &archive, shown.format),
        SigmaCommand::Lint { rules, shown } => more::lint(&rules, shown.format),
        SigmaCommand::Bench { rules, events, rounds, shown } => {
            more::bench(&rules, &events, rounds, shown.format)
        }
        SigmaCommand::Explain { rules, rule, event, events, shown } => {
            explain(&rules, &rule, event, &events, shown.format)
        }
        SigmaCommand::Coverage { rules, events, shown } => coverage(&rules, &events, shown.format),
    }
}

fn reason(refused: &sigma::Rejected) -> String {
    say(&refused.reason.ja(), &refused.reason.en())
}

/// Names every rule that is refused.
fn name_refused(rejected: &[sigma::Rejected], format: Format) -> Result<(), CliError> {
    let mut out = Rows::new(format, &["file", "line", "column", "title", "reason"]);
    for refused in rejected {
        out.row(&json!({
            "file": refused.file, "line": refused.line, "column": refused.column,
            "title": refused.title, "id": refused.id, "reason": reason(refused),
        }))?;
    }
    out.end()
}

fn check(rules: &Rules, format: Format) -> Result<ExitCode, CliError> {
    let loaded = rules.load()?;
    name_refused(&loaded.rejected, format)?;
    let (set, refused) = (&loaded.set, loaded.rejected.len());
    let (all, follow, off) = (set.rules().len(), set.correlations().len(), set.off().len());
    eprintln!(
        "{}",
        say(
            &format!(
                "ルール{all}件、相関{follow}件を使えます。拒否{refused}件、無効（deprecated、unsupported）{off}件"
            ),
            &format!(
                "{all} rules and {follow} correlations loaded; {refused} refused, {off} off (deprecated, unsupported)"
            ),
        )
    );
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(MISMATCH) })
}

fn shortened(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN_CHARS).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

fn rfc3339(time: Option<i64>) -> Option<String> {
    time.map(|time| Timestamp(time).rfc3339())
}

/// `tells_events`: whether what single events meet is told beside what happens over time.
fn eval(
    rules: &Rules,
    events: &Events,
    format: Format,
    tells_events: bool,
) -> Result<ExitCode, CliError> {
    let loaded = rules.load()?;
    tell_refused(&loaded);
    let set = &loaded.set;
    let (mut matcher, mut found) = (Matcher::new(set), Vec::<Match>::new());
    let mut correlator =
        Correlator::new(set, Settings { lateness_us: LATENESS_US, ..Settings::default() });
    let mut over_time = Vec::new();
    let mut reading = Reading::begin(events.source()?);
    let mut out = Rows::new(format, &["file", "event", "time", "level", "rule", "hits"]);
    let (mut count, mut matched, mut timeless, mut id) = (0u64, 0u64, 0u64, 0u128);
    let mut places: BTreeMap<u128, String> = BTreeMap::new();
    for path in &events.files {
        reading.each(path, &mut |event| {
            count += 1;
            id += 1;
            found.clear();
            matcher.eval(event.arena, &mut found);
            if !set.correlations().is_empty() && !found.is_empty() {
                match event.time {
                    Some(time) => {
                        places.insert(id, format!("{}:{}", event.file, event.number));
                        correlator.push(&found, event.arena, time, id, &mut over_time);
                    }
                    None => timeless += 1,
                }
            }
            for m in found.iter().filter(|_| tells_events) {
                let Some(rule) = set.rule(m.rule).filter(|rule| rule.standalone) else { continue };
                matched += 1;
                let hits: Vec<String> = matcher
                    .hits(event.arena, m.rule)
                    .iter()
                    .map(|hit| format!("{}={}", hit.field, shortened(hit.value)))
                    .collect();
                out.row(&json!({
                    "file": event.file, "event": event.number, "time": rfc3339(event.time),
                    "level": rule.meta.level.map(|level| level.word()), "rule": rule.meta.title,
                    "id": rule.meta.id, "tags": rule.meta.tags, "hits": hits,
                }))?;
            }
            Ok(())
        })?;
    }
    correlator.watermark(i64::MAX, &mut over_time);
    for finding in &over_time {
        let Some(rule) = set.correlations().get(finding.correlation).filter(|c| c.standalone)
        else {
            continue;
        };
        matched += 1;
        let group: Vec<String> =
            finding.group.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let evidence: Vec<&String> =
            finding.evidence.iter().filter_map(|id| places.get(id)).collect();
        out.row(&json!({
            "file": "", "event": null, "time": rfc3339(Some(finding.time)),
            "level": rule.meta.level.map(|level| level.word()), "rule": rule.meta.title,
            "id": rule.meta.id, "tags": rule.meta.tags, "hits": group, "value": finding.value,
            "evidence": evidence,
        }))?;
    }
    out.end()?;
    let counted = correlator.counters();
    let lost = counted.late + counted.no_room + counted.evicted + timeless;
    if lost > 0 {
        eprintln!(
            "{}",
            say(
                &format!(
                    "相関で数えられなかったイベント{lost}件（うち時刻のないもの{timeless}件）"
                ),
                &format!(
                    "{lost} events could not be followed over time, {timeless} of them without a time"
                ),
            )
        );
    }
    let (rules, refused, bad) = (set.rules().len(), loaded.rejected.len(), reading.bad);
    eprintln!(
        "{}",
        say(
            &format!(
                "イベント{count}件、ルール{rules}件: 検知{matched}件。読めないイベント{bad}件、拒否したルール{refused}件"
            ),
            &format!(
                "{count} events, {rules} rules: {matched} matches; {bad} events unreadable, {refused} rules refused"
            ),
        )
    );
    Ok(match () {
        () if bad > 0 || refused > 0 || lost > 0 => ExitCode::from(INCOMPLETE),
        () if matched > 0 => ExitCode::from(MISMATCH),
        () => ExitCode::SUCCESS,
    })
}

fn tell_refused(loaded: &Loaded) {
    for refused in &loaded.rejected {
        eprintln!("{}:{}:{}: {}", refused.file, refused.line, refused.column, reason(refused));
    }
}

fn find(set: &RuleSet, name: &str) -> Result<RuleId, CliError> {
    let titled = || set.rules().iter().position(|rule| rule.meta.title == name);
    let found = set.find(name).or_else(|| titled().map(|at| RuleId(at as u32)));
    found.ok_or_else(|| {
        CliError::Usage(say(
            &format!(
                "{name}というルールはありません（拒否されたルールはume sigma checkで分かります）"
            ),
            &format!("no rule {name}; `ume sigma check` names those that are refused"),
        ))
    })
}

fn explain(
    rules: &Rules,
    name: &str,
    number: u64,
    events: &Events,
    format: Format,
) -> Result<ExitCode, CliError> {
    let loaded = rules.load()?;
    let rule = find(&loaded.set, name)?;
    let mut reading = Reading::begin(events.source()?);
    let mut out = Rows::new(format, &["part", "selection", "holds", "field", "test", "met"]);
    let (mut seen, mut matched) = (false, false);
    for path in &events.files {
        reading.each(path, &mut |event| {
            if event.number != number || seen {
                return Ok(());
            }
            seen = true;
            let Some(said) = loaded.set.explain(event.arena, rule) else { return Ok(()) };
            matched = said.matched;
            if !said.concerned {
                eprintln!("{}", say("このイベントはルールのログソースのものではありません", "the event is not of the rule's log source"));
            }
            for clause in &said.clauses {
                out.row(&json!({"part": clause.title, "selection": "", "holds": clause.holds, "field": "", "test": clause.condition, "met": ""}))?;
                for selection in &clause.selections {
                    for test in &selection.tests {
                        let met = test.hit.map(|hit| {
                            let part = hit.value.get(hit.from..hit.to).unwrap_or(hit.value);
                            format!("{}: {}", hit.field, shortened(part))
                        });
                        out.row(&json!({
                            "part": clause.title, "selection": selection.name, "holds": test.holds,
                            "field": test.field, "test": test.test, "negated": test.negated, "met": met,
                        }))?;
                    }
                }
            }
            Ok(())
        })?;
    }
    out.end()?;
    if !seen {
        return Err(CliError::Usage(say(
            &format!("{number}件目のイベントはありません"),
            &format!("there is no event {number}"),
        )));
    }
    Ok(if matched { ExitCode::from(MISMATCH) } else { ExitCode::SUCCESS })
}

fn coverage(rules: &Rules, events: &Events, format: Format) -> Result<ExitCode, CliError> {
    let loaded = rules.load()?;
    tell_refused(&loaded);
    let mut census = FieldCensus::default();
    let mut reading = Reading::begin(events.source()?);
    for path in &events.files {
        reading.each(path, &mut |event| {
            census.observe(event.arena);
            Ok(())
        })?;
    }
    let mut out = Rows::new(format, &["rule", "events", "can_fire", "missing"]);
    let (mut can, mut present) = (0u64, 0u64);
    for covered in loaded.set.coverage(&census) {
        let Some(rule) = loaded.set.rule(covered.rule).filter(|_| covered.events > 0) else {
            continue;
        };
        present += 1;
        can += u64::from(covered.can_fire);
        out.row(&json!({
            "rule": rule.meta.title, "id": rule.meta.id, "events": covered.events,
            "can_fire": covered.can_fire, "missing": covered.missing,
        }))?;
    }
    out.end()?;
    eprintln!(
        "{}",
        say(
            &format!("ログソースのあるルール{present}件のうち、発火できるもの{can}件"),
            &format!("{can} of {present} rules whose log source is there can fire"),
        )
    );
    Ok(if reading.bad > 0 { ExitCode::from(INCOMPLETE) } else { ExitCode::SUCCESS })
}

/// Rows printed as they come.
struct Rows {
    format: Format,
    columns: Vec<String>,
    any: bool,
}

impl Rows {
    fn new(format: Format, columns: &[&str]) -> Rows {
        Rows { format, columns: columns.iter().map(|c| (*c).to_owned()).collect(), any: false }
    }

    fn row(&mut self, row: &Json) -> Result<(), CliError> {
        let text = match self.format {
            Format::Json => format!("{}{row}", if self.any { ",\n" } else { "[\n" }),
            Format::Csv => {
                let text =
                    crate::shown::rows(Format::Csv, &self.columns, std::slice::from_ref(row));
                let head = text.find('\n').map_or(0, |end| end + 1);
                text[if self.any { head } else { 0 }..].to_owned()
            }
            Format::Table => {
                let cells = self.columns.iter().map(|column| match &row[column] {
                    Json::Array(list) => {
                        list.iter().map(crate::shown::text).collect::<Vec<_>>().join("  ")
                    }
                    value => crate::shown::text(value),
                });
                format!(
                    "{}\n",
                    cells
                        .map(|c| c.replace(['\t', '\n', '\r'], " "))
                        .collect::<Vec<_>>()
                        .join("\t")
                )
            }
        };
        self.any = true;
        // Who reads us may stop: that ends the work, and is no fault.
        std::io::stdout().write_all(text.as_bytes()).map_err(|_| CliError::Stopped)
    }

    fn end(&mut self) -> Result<(), CliError> {
        match (self.format, self.any) {
            (Format::Json, true) => print("\n]\n"),
            (Format::Json, false) => print("[]\n"),
            (Format::Csv, false) => print(&crate::shown::rows(Format::Csv, &self.columns, &[])),
            _ => {}
        }
        Ok(())
    }
}
