//! `ume demo`: a fictional company and one simulated year of work, in a data folder of its own.
//!
//! Invariants: everything is written through the ways that pages and intakes use, with the clock of
//! the store simulated; machine evidence comes only from engines that exist; a folder is either a
//! demonstration or real, and the two never mix. Names, dates, facts and levels are the same for the
//! same seed and dates; keys, salts and the ids of records and
//! accounts are not.

mod chance;
mod habits;
mod hall;
mod lines;
mod management;
mod people;
mod registers;
mod time;
mod year;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use jiff::civil::Date;

use crate::{
    CliError, Format, data, print,
    progress::{self, Bar},
    rooms::ROOMS,
    shown::{self, Shown},
};

/// Set when the year is over: a folder without it was cut off and is of no use.
const BUILT: &str = "demo_built";
const DAYS_MAX: i64 = 365;

/// Why there is no demonstration.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("{0} holds real data. Name an empty or new folder with --data")]
    RealData(PathBuf),
    #[error("{0} is not empty and holds no Ume data. Name an empty or new folder with --data")]
    NotEmpty(PathBuf),
    #[error("{0} holds a demonstration that was cut off. Remove the folder and run this again")]
    CutOff(PathBuf),
    #[error("--until {0} lies in the future. Name today or an earlier day")]
    Future(Date),
    #[error("the company file of the demonstration is wrong: {0}")]
    Company(String),
    #[error("evidence of the demonstration was refused: {0}")]
    HandIn(#[from] isms::hand_in::HandInError),
    #[error("a decision of the demonstration was refused: {0}")]
    Ruling(#[from] web::decide::RulingError),
}

#[derive(clap::Args)]
pub struct DemoArgs {
    /// Data folder of its own, empty or of an earlier demonstration
    #[arg(long, value_name = "DIR", env = "UME_DATA")]
    data: Option<std::path::PathBuf>,
    /// Another number makes another year
    #[arg(long, default_value_t = 8620)]
    seed: u64,
    /// Day on which the simulated time ends, for example 2026-11-25 [default: today]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// Length of the simulated time in days
    #[arg(long, default_value_t = DAYS_MAX, value_parser = clap::value_parser!(i64).range(7..=DAYS_MAX))]
    days: i64,
    #[command(flatten)]
    shown: Shown,
}

/// Builds the demonstration, or makes new links for one that is there.
pub async fn run(args: DemoArgs) -> Result<ExitCode, CliError> {
    let folder = data::folder(args.data);
    if folder.join("ume.db").exists() {
        return links_again(&folder, args.shown.format).await;
    }
    let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::system()).date();
    let until = args.until.unwrap_or(today);
    if until > today {
        return Err(DemoError::Future(until).into());
    }
    if std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(DemoError::NotEmpty(folder).into());
    }
    data::create(&folder)?;
    let _lock = data::lock(&folder)?;
    let begun = Begun(&folder);
    let first = until.checked_sub(jiff::Span::new().days(args.days)).unwrap_or(until);
    let calendar = time::Calendar::new(first);
    let clock = time::SimClock::new(calendar.at(0, 7, 0));
    let house = house(&folder, &clock).await?;
    let mut year = year::Year::begin(&house, calendar, clock, args.seed).await?;
    let bar = Bar::steps(
        "デモを作っています（日）",
        "building the demonstration (days)",
        args.days as u64,
    );
    for day in 0..args.days {
        progress::going().map_err(|_| CliError::Stopped)?;
        year.day(day).await?;
        bar.add(1);
    }
    drop(bar);
    year.end(args.days - 1).await?;
    house.store.set_setting(BUILT, "1").await?;
    std::mem::forget(begun);
    let links = links(&house.store).await?;
    house.store.db().close().await;
    print(&shown_links(&folder, &links, args.shown.format));
    Ok(ExitCode::SUCCESS)
}

/// Empties the folder, which was empty before, unless the year came to its end.
struct Begun<'p>(&'p Path);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.0).into_iter().flatten().flatten() {
            let path = entry.path();
            let _ = match entry.file_type() {
                Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(path),
                _ => std::fs::remove_file(path),
            };
        }
    }
}

async fn links_again(folder: &Path, format: Format) -> Result<ExitCode, CliError> {
    // Looked at before anything is touched: opening to write would migrate a real folder.
    let store = store::Store::open_read_only(folder, store::system_clock()).await?;
    let (demo, built) = (web::demo::is_demo(&store).await?, store.setting(BUILT).await?);
    store.db().close().await;
    if !demo {
        return Err(DemoError::RealData(folder.to_owned()).into());
    }
    if built.is_none() {
        return Err(DemoError::CutOff(folder.to_owned()).into());
    }
    let _lock = data::lock(folder)?;
    let store = store::Store::open(folder, store::system_clock()).await?;
    let store = crate::declared::settled(store).await?;
    let links = links(&store).await?;
    store.db().close().await;
    print(&shown_links(folder, &links, format));
    Ok(ExitCode::SUCCESS)
}

async fn house(folder: &Path, clock: &time::SimClock) -> Result<web::Shared, CliError> {
    let store = store::Store::open(folder, clock.clock()).await?;
    let store = crate::declared::settled(store).await?;
    store.set_setting(web::demo::SETTING, "1").await?;
    let origin = crate::serve::origin(&store).await?;
    let ledger = ledger::Ledger::open(&folder.join("ledger"), &origin)?;
    let archive = folder.join("stream");
    let house = web::House::new(store, ledger, archive, ROOMS.to_vec(), &isms::SPEC);
    Ok(Arc::new(web::House { demo: true, ..house }))
}

/// A new one-time link for each role.
async fn links(store: &store::Store) -> Result<Vec<serde_json::Value>, CliError> {
    let mut links = Vec::new();
    for (login, role, ..) in people::ACCOUNTS {
        let token = web::demo::new_token(store, login).await?;
        let link = format!("http://localhost:8620/demo-sign-in?token={token}");
        links.push(serde_json::json!({"role": role, "login": login, "link": link}));
    }
    Ok(links)
}

fn shown_links(folder: &Path, links: &[serde_json::Value], format: Format) -> String {
    if format != Format::Table {
        return shown::rows(format, &["role", "login", "link"].map(str::to_owned), links);
    }
    let mut out = format!(
        "デモ（架空の会社）/ demonstration (fictional company): {0}\n\
         start it / 起動: ume serve --data {0}\n\
         sign in, each link once / サインイン（各リンク一度だけ。使い切ったら ume demo をもう一度）:\n",
        folder.display()
    );
    for link in links {
        let text = |name: &str| shown::text(&link[name]);
        out.push_str(&format!("{:<14} {}\n", text("role"), text("link")));
    }
    out
}
