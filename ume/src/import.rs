//! `ume import`: whole workbooks from the command line, by the same steps as the page `/import`.

use std::{path::PathBuf, process::ExitCode};

use serde_json::{Value as Json, json};
use web::{api::desk::BookAsked, book::Clash};

use crate::{
    CliError, Format, MISMATCH,
    door::Door,
    print,
    progress::Bar,
    registers::{At, read_file},
    say,
    shown::{self, Shown},
};

/// Cells printed below the tables.
const CELLS_SHOWN: usize = 50;

#[derive(clap::Args)]
pub struct ImportArgs {
    #[command(flatten)]
    at: At,
    /// Workbook (xlsx) or CSV file; - for standard input
    file: PathBuf,
    /// Kind of the first table, such as host or asset/host, instead of what is recognised
    #[arg(long = "as", value_name = "KIND")]
    to: Option<String>,
    /// Judge every row, save nothing
    #[arg(long)]
    dry_run: bool,
    /// Rows changed in Ume since the sheet was exported: refuse, keep or take
    #[arg(long, value_name = "HOW", default_value = "refuse", value_parser = ["refuse", "keep", "take"])]
    conflicts: String,
    #[command(flatten)]
    shown: Shown,
}

pub async fn run(args: ImportArgs) -> Result<ExitCode, CliError> {
    let bytes = read_file(&args.file)?;
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let asked = BookAsked {
        name: name.filter(|name| name != "-").unwrap_or_default(),
        to: args.to,
        check_only: args.dry_run,
        clash: Clash::parse(&args.conflicts).unwrap_or_default(),
    };
    let bar = Bar::open("取り込んでいます", "importing");
    let done = Door::writing(args.at).await?.import_book(asked, bytes).await?;
    drop(bar);
    match args.shown.format {
        Format::Json => print(&shown::one(Format::Json, &done)),
        format => tell(format, &done, args.dry_run),
    }
    let good = done["good"].as_bool().unwrap_or(false);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(MISMATCH) })
}

fn list<'j>(value: &'j Json, name: &str) -> &'j [Json] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn tell(format: Format, done: &Json, dry_run: bool) {
    let columns =
        ["place", "as", "confidence", "rows", "added", "changed", "same", "warned", "refused"];
    print(&shown::rows(format, &columns.map(str::to_owned), list(done, "tables")));
    if format == Format::Csv {
        return;
    }
    let cells: Vec<Json> = list(done, "tables")
        .iter()
        .flat_map(|table| list(table, "cells"))
        .take(CELLS_SHOWN)
        .map(|cell| {
            let refused = cell["refused"].as_bool().unwrap_or(false);
            let what = if refused {
                say("取込み不可", "refused")
            } else {
                say("要確認", "warning")
            };
            json!({"cell": cell["cell"], "result": what, "what": cell["what"]})
        })
        .collect();
    if !cells.is_empty() {
        print("\n");
        print(&shown::rows(format, &["cell", "result", "what"].map(str::to_owned), &cells));
    }
    let proposed = list(done, "proposed").len();
    if proposed > 0 {
        print(&format!(
            "\n{}: {proposed}\n",
            say("新しく登録する人・部署・委託先", "parties to be added")
        ));
    }
    if let Some(fault) = done["fault"].as_str() {
        print(&format!("\n{fault}\n"));
    }
    let saved = done["saved"].as_bool().unwrap_or(false);
    let good = done["good"].as_bool().unwrap_or(false);
    let end = match (saved, good, dry_run) {
        (true, ..) => say("取り込みました", "imported"),
        (_, true, true) => {
            say("取り込めます（まだ保存していません）", "it can be imported; nothing was saved")
        }
        _ => say("何も保存していません", "nothing was saved"),
    };
    print(&format!("\n{end}\n"));
}
