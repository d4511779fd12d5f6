//! What it costs to keep the board: `recompute DATA [CHANGES]`, on a copy of a data folder that
//! `benches/seed.py` filled. CPU time of everything judged anew, and of one changed record or asset, each
//! with the board and its Statement of Applicability; at the end the kept board must equal the computed one.
//!
//! It writes records and rows into DATA past the ledger: never run it on a folder that is in use.

use std::{path::Path, time::Instant};

use isms::{Board, Keeper, compute};
use model::{Assurance, Id, RoomSpec, Table};
use serde_json::{Map, json};
use store::{RecordDraft, Store};

const ROOMS: [&RoomSpec; 11] = [
    &threat_intelligence::SPEC,
    &cloud_services::SPEC,
    &ict_readiness::SPEC,
    &physical_monitoring::SPEC,
    &configuration::SPEC,
    &information_deletion::SPEC,
    &data_masking::SPEC,
    &leakage_prevention::SPEC,
    &monitoring::SPEC,
    &web_filtering::SPEC,
    &secure_coding::SPEC,
];

type Failed = Box<dyn std::error::Error>;

/// CPU seconds of this process so far; the kernel counts hundredths.
fn cpu() -> Result<f64, Failed> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

/// What a user sees of it: verdicts, levels, and every row of the statement.
fn shown(board: &Board) -> String {
    let verdicts: Vec<_> = board.controls.iter().map(|control| &control.verdicts).collect();
    format!("{verdicts:?} {} {:?}", board.view.soa_hash, board.view.soa)
}

async fn record(store: &Store, subject: Id, n: usize) -> Result<(), Failed> {
    let mut facts = Map::new();
    facts.insert("unread_permille".to_owned(), json!(n % 40));
    facts.insert("family_count".to_owned(), json!(16));
    let at = store.now();
    let draft = RecordDraft {
        ty: "configuration.snapshot".to_owned(),
        subject: Some(subject),
        observed_from: at,
        observed_to: at,
        source: "bench".to_owned(),
        assurance: Assurance::Machine,
        facts,
        payload: None,
    };
    let mut write = store.write("bench", "", "").await?;
    write.record(draft).await?;
    write.commit().await?;
    Ok(())
}

async fn rename(store: &Store, asset: Id, n: usize) -> Result<(), Failed> {
    let mut row = store.row(Table::Asset, asset).await?.ok_or("no such asset")?;
    row.name = format!("host {n:06} changed");
    let mut write = store.write("bench", "", "").await?;
    write.put(row).await?;
    write.commit().await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().collect();
    let folder = args.get(1).ok_or("usage: recompute DATA [CHANGES]")?;
    let changes: usize = args.get(2).map_or(Ok(100), |n| n.parse())?;
    let store = Store::open(Path::new(folder), store::system_clock()).await?;
    let hosts = store.ids(Table::Asset, &["host"], None, 1_000).await?;

    let (start, wall) = (cpu()?, Instant::now());
    let mut keeper = Keeper::open(&store, &ROOMS).await?;
    keeper.board(&store, store.now()).await?;
    let full = cpu()? - start;
    println!(
        "everything: {full:.2} s CPU, {:.2} s wall, {} judged",
        wall.elapsed().as_secs_f64(),
        keeper.judged()
    );

    for what in ["record", "asset"] {
        let (mut spent, mut judged, mut slowest) = (0.0, 0, 0.0_f64);
        for n in 0..changes {
            let host = hosts[n * 7 % hosts.len()];
            match what {
                "record" => record(&store, host, n).await?,
                _ => rename(&store, host, n).await?,
            }
            let (start, wall) = (cpu()?, Instant::now());
            keeper.refresh(&store).await?;
            keeper.board(&store, store.now()).await?;
            spent += cpu()? - start;
            slowest = slowest.max(wall.elapsed().as_secs_f64());
            judged = judged.max(keeper.judged());
        }
        let each = spent / changes as f64;
        println!(
            "one changed {what}: {:.1} ms CPU (1/{:.0} of everything), slowest {:.0} ms wall, at most {judged} judged",
            each * 1e3,
            full / each,
            slowest * 1e3,
        );
    }
    let now = store.now();
    keeper.refresh(&store).await?;
    let (kept, anew) = (keeper.board(&store, now).await?, compute(&store, &ROOMS).await?);
    if shown(&kept) != shown(&anew) {
        return Err("the kept board differs from the computed one".into());
    }
    println!("the kept board equals the computed one");
    Ok(())
}
