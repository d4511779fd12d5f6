//! What the hall does by itself: it keeps the board, and records each change of a level.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{Level, RoomSpec, t};
use room::{Error, Job, Pause, Service, Shared, draft, write};
use serde_json::{Value as Json, json};
use store::{Store, StoreError};
use tokio::{sync::Mutex, time::Instant};

use crate::{Board, Keeper, executive, pages::SharedBoard};

const JUDGE_EVERY: Duration = Duration::from_secs(30);
const REBUILD_EVERY: Duration = Duration::from_secs(3600);
const LEVELS: &str = "isms.levels";
const STATE: &str = "isms.state";

/// The hall's jobs. Without the board of a running server it is computed.
pub fn jobs(rooms: &'static [&'static RoomSpec], board: Option<SharedBoard>) -> Vec<Job> {
    let title = t("レベルの変化の記録", "Record changes of levels");
    let of_levels = board.clone();
    let run = move |ctx| levels(ctx, rooms, of_levels.clone());
    let state_title = t(
        "ギャップ・リスク・適用宣言書の状況の記録",
        "Record the state of gap, risks and statement",
    );
    let state = move |ctx| state(ctx, rooms, board.clone());
    let ten_minutes = Duration::from_secs(600);
    vec![
        Job::new(LEVELS, title, run).every(ten_minutes),
        Job::new(STATE, state_title, state).every(ten_minutes),
    ]
}

/// The hall's services: the board is brought up to date after each change and on a timer.
pub fn services(rooms: &'static [&'static RoomSpec], board: SharedBoard) -> Vec<Service> {
    let kept = Arc::new(Mutex::new(None));
    let judge = move |ctx| judge(ctx, rooms, board.clone(), kept.clone());
    vec![Service::new("board", Pause::UntilWoken(JUDGE_EVERY), judge)]
}

/// A keeper, and when it read everything.
type Kept = Arc<Mutex<Option<(Keeper, Instant)>>>;

async fn judge(
    ctx: Shared,
    rooms: &'static [&'static RoomSpec],
    board: SharedBoard,
    kept: Kept,
) -> Result<(), Error> {
    crate::welcome::refresh_local(&ctx.house).await?;
    let store = ctx.store();
    let mut kept = kept.lock().await;
    // Now and then from scratch: another process may have written. And a keeper that failed
    // half-way is not kept: the next round reads everything.
    let (keeper, read) = match kept.take().filter(|(_, read)| read.elapsed() < REBUILD_EVERY) {
        Some((mut keeper, read)) => {
            keeper.refresh(store).await?;
            (keeper, read)
        }
        None => (Keeper::open(store, rooms).await?, Instant::now()),
    };
    let fresh = keeper.board(store, store.now()).await?;
    *kept = Some((keeper, read));
    let changed = changed_levels(store, &fresh).await?;
    if board.get().is_none_or(|before| before.view.digest() != fresh.view.digest()) {
        store.job_ask(STATE).await?;
    }
    tell(&ctx.house, &fresh);
    board.put(fresh);
    if !changed.is_empty() {
        store.job_ask(LEVELS).await?;
    }
    Ok(())
}

/// Lets the rooms know how every criterion stands.
pub fn tell(house: &web::House, board: &Board) {
    let verdicts = board.all().flat_map(|control| &control.verdicts);
    let criteria = verdicts.map(|verdict| (verdict.criterion, verdict.status)).collect();
    house.kept.get::<room::Verdicts>().put(room::Judged { at: board.at, criteria });
}

/// A control whose level is not the one recorded last.
struct Changed {
    control: &'static str,
    setting: String,
    from: String,
    to: &'static str,
}

/// Holds every level of a board against the one recorded last.
async fn changed_levels(store: &Store, board: &Board) -> Result<Vec<Changed>, StoreError> {
    const PREFIX: &str = "recorded_level:";
    let recorded: BTreeMap<String, String> = store.settings(PREFIX).await?.into_iter().collect();
    let changed = board.all().filter_map(|control| {
        let (id, to) = (control.spec.control, control.level.name());
        let setting = format!("{PREFIX}{id}");
        let from = recorded.get(&setting).map_or(Level::None.name(), String::as_str).to_owned();
        (from != to).then_some(Changed { control: id, setting, from, to })
    });
    Ok(changed.collect())
}

/// Records each change of a level since the last record.
async fn levels(
    ctx: Shared,
    rooms: &'static [&'static RoomSpec],
    board: Option<SharedBoard>,
) -> Result<Json, Error> {
    let store = ctx.store();
    let board = current(store, rooms, board).await?;
    let changed = record_levels(store, &board).await?;
    let tasks = crate::drops::answer(store).await?;
    Ok(json!({ "controls": board.controls.len(), "changed": changed, "tasks": tasks }))
}

/// The board of the running server, or one made for the occasion.
async fn current(
    store: &Store,
    rooms: &'static [&'static RoomSpec],
    board: Option<SharedBoard>,
) -> Result<Arc<Board>, StoreError> {
    match board {
        Some(board) => Ok(board.wait().await),
        None => {
            let keeper = Keeper::open(store, rooms).await?;
            Ok(Arc::new(keeper.board(store, store.now()).await?))
        }
    }
}

/// Records the state of gap, risks and statement, and the approval of an edition.
async fn state(
    ctx: Shared,
    rooms: &'static [&'static RoomSpec],
    board: Option<SharedBoard>,
) -> Result<Json, Error> {
    let store = ctx.store();
    let board = current(store, rooms, board).await?;
    Ok(json!({
        "recorded": crate::hall::record_states(store, &board).await?,
        "changes": crate::changes::record(store).await?,
        "audit": crate::audit::record_states(store, &board).await?,
        "review": crate::review::record_states(store).await?,
        "policy": crate::policy::record_states(store).await?,
    }))
}

/// Records what changed since the last record; returns how many levels did.
pub async fn record_levels(store: &Store, board: &Board) -> Result<usize, StoreError> {
    let changed = changed_levels(store, board).await?;
    for Changed { control, setting, from, to } in &changed {
        let mut facts = json!({ "control": control, "from": from, "to": to });
        let fell = Level::parse(from).filter(|from| Level::parse(to).is_some_and(|to| to < *from));
        let why = match (fell, board.all().find(|c| c.spec.control == *control)) {
            (Some(from), Some(control)) => executive::why(control, from),
            _ => Vec::new(),
        };
        if let Some(first) = why.first() {
            facts["cause"] = first.criterion.as_str().into();
        }
        let mut draft = draft("isms.level_changed", None, board.at, facts);
        // Misses may bear the names of people.
        draft.payload = serde_json::to_vec(&why).ok().filter(|_| !why.is_empty());
        write(store, "system:judge", draft).await?;
        store.set_setting(setting, to).await?;
        tracing::info!(control, level = to, "level changed");
    }
    Ok(changed.len())
}
