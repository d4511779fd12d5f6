//! `ume ti …`: threat intelligence of a data folder, also while a server holds it.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value as Json, json};
use store::Store;
use threat_intelligence::work::ten::{
    ask::{self, AskError, Proposal},
    content::{Audience, BYTES_MAX},
    editions::{Editions, Moved, Threat, diff},
    standing::{Decided, Decisions},
};

use crate::{
    CliError, ExitCode,
    door::Door,
    local,
    place::Place,
    print, rooms, say,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

#[derive(Subcommand)]
pub enum TiCommand {
    /// The ten threats: editions, what changed, measures
    Ten {
        #[command(subcommand)]
        command: TenCommand,
    },
}

#[derive(Subcommand)]
pub enum TenCommand {
    /// Threats of the newest edition with what was decided; exit 1 if one is undecided
    Show {
        /// The list for persons
        #[arg(long)]
        persons: bool,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// What is new, gone or moved from one edition to the newest; exit 1 if something is
    Diff {
        /// Year of the older edition; the one before if not given
        #[arg(long, value_name = "YEAR")]
        from: Option<i64>,
        /// The lists for persons
        #[arg(long)]
        persons: bool,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Propose measures against a threat; the decision is signed on its page
    Decide {
        /// Id such as ipa10/2026/org/1, or the key in the newest edition
        threat: String,
        /// Id of a measure; repeat it, or leave it out to propose none
        #[arg(long, value_name = "ID")]
        measure: Vec<String>,
        /// Why these measures, or why none
        #[arg(long)]
        reason: String,
        /// What the threat would find here
        #[arg(long, default_value = "")]
        exposure: String,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Import an edition from a TOML file; each fault is named with its line
    Import {
        file: PathBuf,
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: TiCommand) -> Result<ExitCode, CliError> {
    let TiCommand::Ten { command } = command;
    match command {
        TenCommand::Show { persons, data, shown } => {
            let store = Settings::load(&data)?.place.open_read_only().await?;
            let answer = list(&store, whom(persons), &shown).await;
            store.db().close().await;
            answer
        }
        TenCommand::Diff { from, persons, data, shown } => {
            let store = Settings::load(&data)?.place.open_read_only().await?;
            let answer = changes(&store, whom(persons), from, &shown).await;
            store.db().close().await;
            answer
        }
        TenCommand::Decide { threat, measure, reason, exposure, data, shown } => {
            let proposal = Proposal { threat, measures: measure, exposure, reason };
            propose(&data, &proposal, &shown).await
        }
        TenCommand::Import { file, data, shown } => import(&data, &file, &shown).await,
    }
}

fn whom(persons: bool) -> Audience {
    if persons { Audience::Person } else { Audience::Org }
}

fn title(threat: &Threat) -> String {
    say(&threat.title.0, &threat.title.1)
}

async fn list(store: &Store, audience: Audience, shown: &Shown) -> Result<ExitCode, CliError> {
    let editions = Editions::load(store).await?;
    let decisions = Decisions::load(store).await?;
    let now = store.now();
    let mut undecided = 0;
    let mut rows = Vec::new();
    for threat in editions.newest(audience) {
        let signed = decisions.signed(threat.row.id);
        let holds = signed.is_some_and(|signed| signed.holds(threat, now));
        undecided += usize::from(!holds);
        let measures = |decided: &Decided| decided.measures.join(", ");
        rows.push(json!({
            "id": threat.norm_id(),
            "key": threat.key,
            "rank": threat.rank,
            "before": threat.rank_before,
            "title": title(threat),
            "holds": holds,
            "measures": signed.map(measures),
            "proposed": decisions.proposed(threat.row.id).map(measures),
        }));
    }
    let columns = ["id", "rank", "before", "title", "holds", "measures", "proposed"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    Ok(code(audience == Audience::Org && undecided > 0))
}

fn code(found: bool) -> ExitCode {
    if found { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

async fn changes(
    store: &Store,
    audience: Audience,
    from: Option<i64>,
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    let editions = Editions::load(store).await?;
    let years = editions.years(audience);
    let from = from.or_else(|| years.get(1).copied()).filter(|year| years.contains(year));
    let from = from.ok_or_else(|| {
        CliError::Usage(say(
            "比べる年版がありません。`--from` に登録済みの年を入れてください。",
            "there is no such edition to compare with: give --from a year that is registered",
        ))
    })?;
    let (older, newest) = (editions.of(audience, from), editions.newest(audience));
    let all = diff(&older, &newest);
    let rank = |threat: Option<&Threat>| threat.and_then(|threat| threat.rank);
    let rows: Vec<Json> = all
        .iter()
        .map(|change| {
            json!({
                "change": word(change.moved),
                "from": rank(change.before),
                "to": rank(change.after),
                "title": change.after.or(change.before).map(title),
            })
        })
        .collect();
    let columns = ["change", "from", "to", "title"];
    print(&shown::rows(shown.format, &columns.map(str::to_owned), &rows));
    Ok(code(all.iter().any(|change| !matches!(change.moved, Moved::Same | Moved::Unranked))))
}

fn word(moved: Moved) -> &'static str {
    match moved {
        Moved::New => "new",
        Moved::Gone => "gone",
        Moved::Up => "up",
        Moved::Down => "down",
        Moved::Same => "same",
        Moved::Unranked => "unranked",
    }
}

fn refused(error: AskError) -> CliError {
    match error {
        AskError::Store(error) => error.into(),
        other => {
            let all = other.words().into_iter().map(|(ja, en)| say(&ja, &en));
            CliError::Usage(all.collect::<Vec<_>>().join("\n"))
        }
    }
}

async fn propose(
    data: &DataFolder,
    proposal: &Proposal,
    shown: &Shown,
) -> Result<ExitCode, CliError> {
    let done = match Door::of(&Place::of(data)?).await? {
        Door::Server(server) => {
            let body = json!(proposal);
            server.post("/api/v1/threat_intelligence/ten-threats/proposals", &body).await?
        }
        Door::Folder(folder) => {
            let row = ask::propose(folder.store(), &local::user().actor(), proposal).await;
            folder.close().await?;
            let row = row.map_err(refused)?;
            json!({ "id": row.id, "status": row.status })
        }
    };
    let said = say(
        "提案しました。10大脅威のページで署名すると決定になります。",
        "proposed: it is decided once signed on the page of the ten threats",
    );
    print(&shown::done(shown.format, &said, &done));
    Ok(ExitCode::SUCCESS)
}

async fn import(data: &DataFolder, file: &Path, shown: &Shown) -> Result<ExitCode, CliError> {
    let io = |source| CliError::Io { path: file.to_owned(), source };
    let length = std::fs::metadata(file).map_err(io)?.len();
    if length > BYTES_MAX as u64 {
        return Err(CliError::Usage(say(
            &format!("{}: {BYTES_MAX}バイトを超えるため読みません", file.display()),
            &format!("{}: larger than the {BYTES_MAX} bytes that are read", file.display()),
        )));
    }
    let text = std::fs::read_to_string(file).map_err(io)?;
    let done = match Door::of(&Place::of(data)?).await? {
        Door::Server(server) => {
            let body = json!({ "text": text });
            server.post("/api/v1/threat_intelligence/ten-threats/editions", &body).await?
        }
        Door::Folder(folder) => {
            let rooms = rooms::ROOMS.into_iter();
            let loaded = ask::import(folder.store(), rooms, &local::user().actor(), &text).await;
            folder.close().await?;
            let loaded = loaded.map_err(|error| match refused(error) {
                CliError::Usage(why) => CliError::Usage(format!("{}: {why}", file.display())),
                other => other,
            })?;
            json!({ "threats": loaded.threats, "written": loaded.written })
        }
    };
    let (threats, written) = (&done["threats"], &done["written"]);
    let said = say(
        &format!("脅威{threats}件の年版を取り込みました（変わった行：{written}）。"),
        &format!("imported an edition of {threats} threats, {written} rows changed"),
    );
    print(&shown::done(shown.format, &said, &done));
    Ok(ExitCode::SUCCESS)
}
