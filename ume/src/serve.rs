//! `ume serve`: opens the data folder, starts the work and the server.

use std::{
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex, RwLock},
};

use crate::{CliError, data, rooms::ROOMS, routes, work};

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(folder: &Path, listen: SocketAddr, api_rate: u32) -> Result<ExitCode, CliError> {
    data::create(folder)?;
    let _lock = data::lock(folder)?;
    let store = store::Store::open(folder, store::system_clock()).await?;
    let store = store.with_personal(crate::personal::kinds());
    let norms = isms::norms::load(&store).await?;
    if norms > 0 {
        tracing::info!(norms, "norm content loaded");
    }
    let origin = origin(&store).await?;
    let mut ledger = ledger::Ledger::open(&folder.join("ledger"), &origin)?;
    settle(&store, &mut ledger).await?;
    let listener =
        tokio::net::TcpListener::bind(listen).await.map_err(|e| CliError::Listen(listen, e))?;
    let address = listener.local_addr().map_err(|e| CliError::Listen(listen, e))?;
    let token = if store.account_count().await? == 0 { Some(random()?) } else { None };
    let board = isms::compute(&store, &ROOMS).await?;
    let house = Arc::new(web::House {
        store,
        ledger: Arc::new(tokio::sync::Mutex::new(ledger)),
        archive: folder.join("stream"),
        rooms: ROOMS.to_vec(),
        hall: &isms::SPEC,
        setup: Mutex::new(token.clone()),
        secure: false,
        changed: tokio::sync::Notify::new(),
        people: web::people::People::default(),
        buckets: web::api::limit::Buckets::new(api_rate),
        intake: RwLock::new(serde_json::Value::Null),
    });
    isms::welcome::refresh_local(&house).await?;
    let board: isms::pages::SharedBoard = Arc::new(tokio::sync::RwLock::new(board));
    let work = tokio::spawn(work::run(house.clone(), board.clone()));
    let app = web::finish(routes::table(), house.clone()).layer(axum::Extension(board));
    announce(address, token.as_deref());
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(stopped());
    let outcome = served.await.map_err(|e| CliError::Listen(listen, e));
    work.abort();
    let _ = work.await;
    let mut ledger = house.ledger.lock().await;
    settle(&house.store, &mut ledger).await?;
    house.store.db().close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Moves what waits into the ledger. After an old backup was restored it takes nothing, but the pages
/// still open: that is where an officer decides about it.
async fn settle(store: &store::Store, ledger: &mut ledger::Ledger) -> Result<(), CliError> {
    if let Some(fork) = ledger.fork() {
        let refusal = ledger::LedgerError::Fork(Box::new(fork.clone()));
        tracing::error!("{refusal}");
        return Ok(());
    }
    while ledger::drain(store, ledger).await? > 0 {}
    ledger.checkpoint()?;
    Ok(())
}

/// Name of this ledger, drawn once: two Umes must never share one.
pub async fn origin(store: &store::Store) -> Result<String, CliError> {
    if let Some(origin) = store.setting("ledger_origin").await? {
        return Ok(origin);
    }
    let origin = format!("ume.local/{}", &random()?[..16]);
    store.set_setting("ledger_origin", &origin).await?;
    Ok(origin)
}

fn random() -> Result<String, CliError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|_| CliError::Random)?;
    Ok(hex::encode(bytes))
}

fn announce(address: SocketAddr, token: Option<&str>) {
    // Passkeys refuse IP addresses, so the name is what people should bookmark.
    let host =
        if address.ip().is_loopback() { "localhost".to_owned() } else { address.ip().to_string() };
    let base = format!("http://{host}:{}", address.port());
    println!("Ume 梅  {base}");
    if let Some(token) = token {
        println!("set up here, once / 初回設定（一度だけ使えます）: {base}/setup?token={token}");
    }
}

async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
