//! Nodes that evaluate: `ume serve --roles evaluate`, and the one within the main node.

use std::{path::Path, process::ExitCode, sync::Arc};

use monitoring::work::spread::node::Sieves;
use tokio::{sync::watch, task::JoinHandle};

use crate::{CliError, config, data, serve, settings::Settings};

/// Takes part in the bus beside everything else.
/// `key` is that of the house.
pub fn beside(
    config: &config::Bus,
    folder: &Path,
    key: Option<merkle::VerifierKey>,
    shutdown: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let (tell, _) = watch::channel(None);
    let sieves = sieves(config, folder, key.into_iter().collect(), true);
    tokio::spawn(bus::node::run(config.settings.clone(), sieves, tell, shutdown))
}

/// Evaluates for a main node until stopped. The folder is held so that two nodes never bear one name by mistake.
pub async fn run(settings: &Settings) -> Result<ExitCode, CliError> {
    let Some(config) = &settings.config.bus else { return Err(CliError::NoBus) };
    let folder = &settings.place.folder;
    data::create(folder)?;
    let _lock = data::lock(folder)?;
    let (end, shutdown) = watch::channel(false);
    let (tell, _) = watch::channel(None);
    crate::print(&format!("Ume 梅  node / ノード: {}\n", config.settings.node));
    let sieves = sieves(config, folder, config.house_keys.clone(), false);
    let node = bus::node::run(config.settings.clone(), sieves, tell, shutdown);
    let node = tokio::spawn(node);
    serve::stopped().await;
    let _ = end.send(true);
    let _ = tokio::time::timeout(serve::FAREWELL, node).await;
    Ok(ExitCode::SUCCESS)
}

/// What waits to be evaluated by other nodes, and why, as the server wrote it down last.
pub fn waits(data: &std::path::Path) -> Option<String> {
    let told = monitoring::work::spread::told(data)?;
    let kib = told["behind_bytes"].as_u64()?.div_ceil(1024);
    let trouble =
        |name: &str| told[name].as_str().map(|why| format!("\n{why}")).unwrap_or_default();
    let is_well = kib == 0 && told["trouble_en"].is_null();
    (!is_well).then(|| {
        crate::say(
            &format!("他のノードの評価を待つイベント: {kib} KiB{}", trouble("trouble_ja")),
            &format!("events that wait for other nodes: {kib} KiB{}", trouble("trouble_en")),
        )
    })
}

fn sieves(
    config: &config::Bus,
    folder: &Path,
    keys: Vec<merkle::VerifierKey>,
    is_own: bool,
) -> Arc<Sieves> {
    let folder = folder.join(intel::FOLDER);
    Arc::new(Sieves::new(&config.settings.node, folder, keys, is_own))
}
