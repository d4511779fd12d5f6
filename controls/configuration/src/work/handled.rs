//! Failing checks that somebody took up: an open task, or an exception that has not ended.
//!
//! Invariants: of a check on a host there is one task, opened again if it fails again; it is closed by
//! the run that shows the check in order, and by no click.

use std::collections::BTreeSet;

use baseline::{CheckResult, Outcome};
use model::{Id, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Record, Row, Store, StoreError, Write, derived_id};

use super::drift::plan;

/// Days within which a failing check is mended.
const TASK_DAYS: i64 = 14;
const CLOSES_WITH: &str = "configuration.check_run";
const NAME_CHARS_MAX: usize = 150;

/// What was taken up on a host.
#[derive(Clone, Debug, Default)]
pub struct Handled {
    /// Ids of checks with an open task.
    pub tasks: BTreeSet<String>,
    /// Ids of checks with an exception.
    pub excepted: BTreeSet<String>,
}

impl Handled {
    pub fn has(&self, check: &str) -> bool {
        self.tasks.contains(check) || self.excepted.contains(check)
    }
}

/// The task of a check on a host: it exists once.
pub fn task_id(host: Id, check: &str) -> Id {
    derived_id(Timestamp(0), &format!("ume/configuration/check/{host}/{check}"))
}

/// What was taken up of these checks on a host.
pub async fn of<'c>(
    store: &Store,
    host: Id,
    checks: impl Iterator<Item = &'c str>,
) -> Result<Handled, StoreError> {
    let checks: Vec<(Id, &str)> = checks.map(|check| (task_id(host, check), check)).collect();
    let ids: Vec<Id> = checks.iter().map(|(id, _)| *id).collect();
    let rows = store.rows_by_id(Table::Task, &ids).await?;
    let is_open = |id: &Id| rows.iter().any(|row| row.id == *id && row.status != "closed");
    let tasks = checks.iter().filter(|(id, _)| is_open(id)).map(|(_, check)| (*check).to_owned());
    let now = store.now();
    let plans = plan::all(store).await?;
    let excepted = plans.iter().filter(|plan| plan.excepts(now));
    let excepted = excepted.filter_map(|plan| plan.check.as_ref());
    Ok(Handled {
        tasks: tasks.collect(),
        excepted: excepted.filter(|(of, _)| *of == host).map(|(_, check)| check.clone()).collect(),
    })
}

/// A task to mend a failing check.
pub struct Mend<'a> {
    pub host: Id,
    pub check: &'a str,
    /// `title: host`, in the language of who made it.
    pub name: &'a str,
    pub remedy: &'a str,
    pub assignee: Option<Id>,
}

/// Makes the task of a failing check, or opens it again. None if it is open already.
pub async fn take_up(
    store: &Store,
    write: &mut Write<'_>,
    mend: &Mend<'_>,
) -> Result<Option<Row>, StoreError> {
    let id = task_id(mend.host, mend.check);
    let existing = store.row(Table::Task, id).await?;
    if existing.as_ref().is_some_and(|row| !row.deleted && row.status != "closed") {
        return Ok(None);
    }
    let due = store.now().plus_hours(24 * TASK_DAYS);
    let name: String = mend.name.chars().take(NAME_CHARS_MAX).collect();
    let mut task = existing.unwrap_or_else(|| Row::new(Table::Task, id, "task", &name));
    (task.name, task.status, task.deleted) = (name, "open".to_owned(), false);
    task.schema_version = 2;
    task.subject = Some(mend.host);
    task.ends_at = Some(due);
    let mut attributes = json!({
        "due": due.rfc3339().chars().take(10).collect::<String>(),
        "zone": "UTC",
        "description": format!("{}\n/configuration/host/{}", mend.remedy, mend.host),
        "remind_days": 1,
        "closes_with": CLOSES_WITH,
        // No run says so by itself: the one that shows this check in order closes it.
        "closes_where": { "check": mend.check },
    });
    match mend.assignee {
        Some(party) => attributes["assignee"] = json!(party),
        None => attributes["role"] = json!("administrator"),
    }
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    write.put(task).await.map(Some)
}

/// Closes the tasks of checks that a run shows in order.
pub async fn close(
    store: &Store,
    write: &mut Write<'_>,
    host: Id,
    run: &Record,
    results: &[CheckResult],
) -> Result<(), StoreError> {
    let family = run.facts.get("family").and_then(Json::as_str).unwrap_or("");
    let passed = results.iter().filter(|r| r.outcome == Outcome::Pass);
    let ids: Vec<Id> = passed
        .filter(|result| result.family.as_str() == family)
        .map(|result| task_id(host, result.id))
        .collect();
    for mut task in store.rows_by_id(Table::Task, &ids).await? {
        if task.status == "closed" {
            continue;
        }
        task.status = "closed".to_owned();
        task.attributes.insert("closed_by".to_owned(), json!(run.id));
        write.put(task).await?;
    }
    Ok(())
}
