//! The next occurrence of a recurring task.

use model::{Id, Table, Timestamp};
use store::{Row, Store, StoreError, Write, derived_id};

/// Most closed tasks that one run looks at, the newest first.
const CLOSED_LOOKED_AT_MAX: usize = 1_000;

/// The id of the occurrence that follows this task.
pub fn next_id(task: &Row) -> Id {
    derived_id(task.created_at, &format!("ume/next/{}", task.id))
}

/// The occurrence that follows a task closed at `closed_at`; `None` if there is none.
pub fn next(task: &Row, closed_at: Timestamp) -> Option<Row> {
    let attributes = web::task_rules::next(&task.attributes, closed_at)
        .inspect_err(|error| tracing::error!(task = %task.id, %error, "the task does not recur"))
        .ok()??;
    let mut next = Row::new(Table::Task, next_id(task), &task.kind, &task.name);
    next.status = "open".to_owned();
    next.owner = task.owner;
    next.subject = task.subject;
    next.object = task.object;
    next.schema_version = task.schema_version;
    next.ends_at = web::task_rules::due_at(&attributes);
    next.attributes = attributes;
    Some(next)
}

/// Puts the next occurrence into the same change, unless it is there already.
pub async fn put_next(
    store: &Store,
    write: &mut Write<'_>,
    task: &Row,
    closed_at: Timestamp,
) -> Result<Option<Row>, StoreError> {
    let Some(next) = next(task, closed_at) else { return Ok(None) };
    if store.row(Table::Task, next.id).await?.is_some() {
        return Ok(None);
    }
    write.put(next).await.map(Some)
}

/// Makes every occurrence that is missing; returns how many it made.
pub async fn materialise(store: &Store) -> Result<usize, StoreError> {
    let mut made = 0;
    for task in store.closed_tasks(CLOSED_LOOKED_AT_MAX).await? {
        if next(&task, task.updated_at).is_none()
            || store.row(Table::Task, next_id(&task)).await?.is_some()
        {
            continue;
        }
        let mut write = store.write("system:tasks.recur", "next occurrence", "").await?;
        made += usize::from(put_next(store, &mut write, &task, task.updated_at).await?.is_some());
        write.commit().await?;
    }
    Ok(made)
}
