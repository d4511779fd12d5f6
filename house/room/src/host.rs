//! This machine as a row of the register.

use model::{Id, Table};
use store::{Filter, Row, StoreError};

use crate::{Shared, host_name};

/// Jobs of this machine start together, and only one may make its row.
static REGISTERING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// This machine's row in the register; made at the first run.
pub async fn this_host(ctx: &Shared) -> Result<Id, StoreError> {
    let _one = REGISTERING.lock().await;
    let store = ctx.store();
    let name = host_name();
    let setting = format!("this_host:{name}");
    if let Some(id) = store.setting(&setting).await?.and_then(|id| id.parse().ok()) {
        return Ok(id);
    }
    let known = Filter { kind: Some("host".to_owned()), limit: 200, ..Filter::default() };
    let existing = store.list(Table::Asset, &known).await?.into_iter().find(|h| h.name == name);
    let id = match existing {
        Some(row) => row.id,
        None => {
            let mut row = Row::new(Table::Asset, store.new_id()?, "host", &name);
            // What the kind requires, so that the row can be changed and imported like any other.
            row.attributes.insert("hostname".to_owned(), name.as_str().into());
            row.attributes.insert("os".to_owned(), this_os().into());
            let mut write = store.write("system:serve", "this machine", "").await?;
            let row = write.put(row).await?;
            write.commit().await?;
            row.id
        }
    };
    store.set_setting(&setting, &id.to_string()).await?;
    Ok(id)
}

/// What this machine's system calls itself (os-release(5)).
fn this_os() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}
