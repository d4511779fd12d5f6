//! From verdict to deed: of each weakness and owner one task that says what to install where, and the record that closes
//! it.
//!
//! Invariants: a task is made only where something can be done (a fixed version is known); it is closed by the record
//! `configuration.remedied` and by nothing else, and that record is written only once no asset that the task named is
//! affected or unknown under its owner any more, and no process of it holds what was replaced.

use std::collections::{BTreeMap, BTreeSet};

use model::{Id, Table, Timestamp};
use room::{Error, draft};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use store::{Condition, Filter, Key, PAGE_ROWS_MAX, Row, Store, Test};

use super::{
    REMEDIED,
    run::read,
    sentence::{due_days, severity, severity_text},
    state::{Desk, State},
    told::Touch,
};

const ACTOR: &str = "system:configuration.impact";
/// Tasks made in one run; the rest waits for the next.
const MADE_MAX: usize = 200;
const TASKS_MAX: usize = 20_000;
/// Assets that a description names.
const NAMED_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 150;
/// Who mends what has no owner.
const ROLE: &str = "administrator";
const NOTE: &str = "configuration.remedy:";
const REMIND_DAYS: i64 = 2;

/// Whose an asset is: the person or team, or nobody in particular.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Party(Id),
    Nobody,
}

impl Owner {
    /// The administrator of a host, else the owner of the row.
    pub fn of(row: &Row) -> Owner {
        let named = row.attributes.get("administrator").and_then(Json::as_str);
        let party = named.and_then(|id| id.parse().ok()).or(row.owner);
        party.map_or(Owner::Nobody, Owner::Party)
    }

    fn key(&self) -> String {
        match self {
            Owner::Party(id) => format!("party:{id}"),
            Owner::Nobody => format!("role:{ROLE}"),
        }
    }
}

/// What a run did with tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deeds {
    pub made: usize,
    pub changed: usize,
    pub closed: usize,
    /// Tasks that the next run makes.
    pub waiting: usize,
}

impl Deeds {
    pub fn changes(&self) -> usize {
        self.made + self.changed + self.closed
    }
}

/// What a weakness asks of an owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Need {
    title: String,
    score: Option<u16>,
    /// Asset to its packages and the versions that mend them.
    assets: BTreeMap<Id, Vec<(String, String)>>,
}

/// What is noted of a task, to be held against the assets later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    assets: BTreeMap<Id, Vec<(String, String)>>,
}

/// What became of an asset that a task named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    /// It is affected or unknown still.
    Still,
    Fixed,
    Decided,
    Gone,
    Moved,
}

/// Makes, changes and closes tasks until they say what is so.
pub(crate) async fn reconcile(store: &Store, desk: &Desk, rows: &[Row]) -> Result<Deeds, Error> {
    let owners: BTreeMap<Id, Owner> = rows.iter().map(|row| (row.id, Owner::of(row))).collect();
    let names: BTreeMap<Id, &str> = rows.iter().map(|row| (row.id, row.name.as_str())).collect();
    let needs = needs(&read(desk), &owners);
    let mut deeds = Deeds::default();
    let mut open: BTreeSet<(String, String)> = BTreeSet::new();
    for task in open_tasks(store).await? {
        let Some(key) = key_of(&task) else { continue };
        let note = note_of(store, task.id).await?;
        let need =
            needs.iter().find(|((weakness, owner), _)| *weakness == key.0 && owner.key() == key.1);
        match need {
            Some((_, need)) => {
                deeds.changed += usize::from(follow(store, task, need, &note, &names).await?);
            }
            None => {
                let became = became(&read(desk), &key, &note, &owners);
                if let Some(counts) = counts(&became) {
                    deeds.closed += usize::from(close(store, task, &key, counts, &note).await?);
                    continue;
                }
            }
        }
        open.insert(key);
    }
    for ((weakness, owner), need) in &needs {
        if open.contains(&(weakness.clone(), owner.key())) {
            continue;
        }
        if deeds.made >= MADE_MAX {
            deeds.waiting += 1;
            continue;
        }
        make(store, weakness, owner, need, &names).await?;
        deeds.made += 1;
    }
    Ok(deeds)
}

/// What is to be mended, by weakness and owner.
fn needs(state: &State, owners: &BTreeMap<Id, Owner>) -> BTreeMap<(String, Owner), Need> {
    let mut needs: BTreeMap<(String, Owner), Need> = BTreeMap::new();
    for (id, asset) in &state.assets {
        let Some(owner) = owners.get(id) else { continue };
        for (weakness, touch) in &asset.told.touches {
            let mends = mends(touch);
            if mends.is_empty() {
                continue;
            }
            let need = needs.entry((weakness.clone(), owner.clone())).or_default();
            need.score = need.score.max(touch.score);
            if need.title.is_empty() {
                need.title = touch.title.clone();
            }
            need.assets.insert(*id, mends);
        }
    }
    needs
}

fn mends(touch: &Touch) -> Vec<(String, String)> {
    if touch.informational.is_some() || touch.state() != "affected" {
        return Vec::new();
    }
    let all: BTreeSet<(String, String)> =
        touch.mends().map(|(name, version)| (name.to_owned(), version.to_owned())).collect();
    all.into_iter().collect()
}

async fn open_tasks(store: &Store) -> Result<Vec<Row>, Error> {
    let is = |name: &str, value: &str| Condition {
        name: name.to_owned(),
        test: Test::Is(Key::text(value)),
    };
    let mut filter = Filter {
        kind: Some("task".to_owned()),
        status: Some("open".to_owned()),
        conditions: vec![is("closes_with", REMEDIED.ty)],
        limit: PAGE_ROWS_MAX,
        ..Filter::default()
    };
    let mut all: Vec<Row> = Vec::new();
    loop {
        let page = store.list(Table::Task, &filter).await?;
        let Some(last) = page.last() else { return Ok(all) };
        filter.after = Some((Key::text(&last.name), last.id));
        let is_last = page.len() < PAGE_ROWS_MAX;
        all.extend(page);
        if is_last || all.len() >= TASKS_MAX {
            return Ok(all);
        }
    }
}

/// Weakness and owner of a task of ours.
fn key_of(task: &Row) -> Option<(String, String)> {
    let wanted = task.attributes.get("closes_where")?.as_object()?;
    let text = |name: &str| wanted.get(name).and_then(Json::as_str).map(str::to_owned);
    Some((text("advisory")?, text("owner")?))
}

async fn note_of(store: &Store, task: Id) -> Result<Note, Error> {
    let text = store.setting(&format!("{NOTE}{task}")).await?.unwrap_or_default();
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// What became of each asset that a task named.
fn became(
    state: &State,
    (weakness, owner): &(String, String),
    note: &Note,
    owners: &BTreeMap<Id, Owner>,
) -> Vec<Became> {
    let one = |(id, packages): (&Id, &Vec<(String, String)>)| {
        let (Some(asset), Some(now)) = (state.assets.get(id), owners.get(id)) else {
            return Became::Gone;
        };
        let touch = asset.told.touches.get(weakness);
        let state_now = touch.map_or("not_affected", Touch::state);
        let holds = |(package, _): &(String, String)| asset.told.restart.contains(package);
        match () {
            () if state_now != "not_affected" && now.key() != *owner => Became::Moved,
            () if state_now != "not_affected" => Became::Still,
            () if touch.is_some() => Became::Decided,
            // What runs is what was there before.
            () if packages.iter().any(holds) => Became::Still,
            () if state.index.find(weakness).all(|one| one.withdrawn.is_some()) => Became::Gone,
            () => Became::Fixed,
        }
    };
    note.assets.iter().map(one).collect()
}

/// Fixed, decided, gone and moved, unless one is as it was.
fn counts(became: &[Became]) -> Option<[usize; 4]> {
    let count = |wanted: Became| became.iter().filter(|one| **one == wanted).count();
    let is_done = count(Became::Still) == 0;
    is_done.then(|| [Became::Fixed, Became::Decided, Became::Gone, Became::Moved].map(count))
}

/// Writes that it is done and closes the task by that. A task whose record is there already is only closed.
async fn close(
    store: &Store,
    task: Row,
    (weakness, owner): &(String, String),
    [fixed, decided, gone, moved]: [usize; 4],
    note: &Note,
) -> Result<bool, Error> {
    let id = task.id;
    let written = store.newest_records(&[REMEDIED.ty], None, 50).await?;
    let known = written
        .into_iter()
        .find(|record| record.facts.get("task").and_then(Json::as_str) == Some(&id.to_string()));
    let record = match known {
        Some(record) => record,
        None => {
            let facts = json!({
                "advisory": weakness, "owner": owner, "task": id.to_string(),
                "fixed": fixed, "decided": decided, "gone": gone, "moved": moved,
            });
            let mut draft = draft(REMEDIED.ty, None, store.now(), facts);
            draft.payload = serde_json::to_vec(note).ok();
            let mut write = store.write(ACTOR, "work", "").await?;
            let record = write.record(draft).await?;
            write.commit().await?;
            record
        }
    };
    match tasks::close(store, task, &record, ACTOR).await {
        Ok(_) => {
            store.take_setting(&format!("{NOTE}{id}")).await?;
            Ok(true)
        }
        // Somebody changed it meanwhile: the next run looks again.
        Err(tasks::NotClosed::Store(error)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, task = %id, "a task about a vulnerability stays open");
            Ok(false)
        }
    }
}

/// Brings a task to what is so now; says whether it had to be changed.
async fn follow(
    store: &Store,
    mut task: Row,
    need: &Need,
    note: &Note,
    names: &BTreeMap<Id, &str>,
) -> Result<bool, Error> {
    // What was named once stays named: a host that is mended is part of the record at the end.
    let mut assets = note.assets.clone();
    assets.extend(need.assets.clone());
    let text = description(&key_of(&task).unwrap_or_default().0, need, names);
    let same_text = task.attributes.get("description").and_then(Json::as_str) == Some(&text);
    if same_text && assets == note.assets {
        return Ok(false);
    }
    task.attributes.insert("description".to_owned(), text.into());
    let id = task.id;
    let mut write = store.write(ACTOR, "what is affected changed", "").await?;
    write.put(task).await?;
    write.set_setting(&format!("{NOTE}{id}"), &json!(Note { assets }).to_string()).await?;
    write.commit().await?;
    Ok(true)
}

async fn make(
    store: &Store,
    weakness: &str,
    owner: &Owner,
    need: &Need,
    names: &BTreeMap<Id, &str>,
) -> Result<(), Error> {
    let id = store.new_id()?;
    let task = task(id, weakness, owner, need, names, store.now());
    let note = Note { assets: need.assets.clone() };
    let mut write = store.write(ACTOR, "an advisory affects assets", "").await?;
    write.put(task).await?;
    write.set_setting(&format!("{NOTE}{id}"), &json!(note).to_string()).await?;
    write.commit().await?;
    Ok(())
}

fn task(
    id: Id,
    weakness: &str,
    owner: &Owner,
    need: &Need,
    names: &BTreeMap<Id, &str>,
    now: Timestamp,
) -> Row {
    let actions: BTreeSet<&(String, String)> = need.assets.values().flatten().collect();
    let actions: Vec<String> =
        actions.iter().map(|(package, version)| format!("{package} → {version}")).collect();
    let name: String = format!("{weakness}: {}", actions.join(", "));
    let mut task = Row::new(Table::Task, id, "task", &cut(&name, NAME_CHARS_MAX));
    let due = now.plus_hours(24 * due_days(severity(need.score)));
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.ends_at = Some(due);
    let mut attributes = json!({
        "due": due.rfc3339().chars().take(10).collect::<String>(),
        "zone": "UTC",
        "description": description(weakness, need, names),
        "remind_days": REMIND_DAYS,
        "closes_with": REMEDIED.ty,
        "closes_where": { "advisory": weakness, "owner": owner.key() },
    });
    match owner {
        Owner::Party(party) => attributes["assignee"] = party.to_string().into(),
        Owner::Nobody => attributes["role"] = ROLE.into(),
    }
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    task
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What to do, in both languages.
fn description(weakness: &str, need: &Need, names: &BTreeMap<Id, &str>) -> String {
    let line = |(id, mends): (&Id, &Vec<(String, String)>)| {
        let name = names.get(id).map_or_else(|| id.to_string(), |name| (*name).to_owned());
        let mends: Vec<String> =
            mends.iter().map(|(package, version)| format!("{package} → {version}")).collect();
        format!("{name}: {}", mends.join(", "))
    };
    let mut lines: Vec<String> = need.assets.iter().map(line).collect();
    lines.sort();
    let more = lines.len().saturating_sub(NAMED_MAX);
    lines.truncate(NAMED_MAX);
    let grave = severity_text(severity(need.score));
    let count = need.assets.len();
    let (mut ja, mut en) = (
        format!(
            "{weakness}（{}）の影響を受ける資産：{count}件。次の版以上に更新してください。更新後の部品表かVEXの決定で自動的に完了します。",
            grave.ja
        ),
        format!(
            "{weakness} ({}) affects {count} assets. Update to these versions or later; the task closes by itself once a bill of materials shows them, or a VEX decision holds.",
            grave.en
        ),
    );
    if more > 0 {
        ja.push_str(&format!("ほか{more}件は勧告のページにあります。"));
        en.push_str(&format!(" {more} more stand on the page of the advisory."));
    }
    let title = if need.title.is_empty() { String::new() } else { format!("{}\n", need.title) };
    let path = format!("/configuration/advisory/{}", urlencoding::encode(weakness));
    format!("{title}{ja}\n{en}\n\n{}\n\n{path}", lines.join("\n"))
}

#[cfg(test)]
#[path = "deeds_tests.rs"]
mod tests;
