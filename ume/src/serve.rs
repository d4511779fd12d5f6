//! `ume serve`: opens the data folder, starts the work and the server.

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, RwLock},
    time::Duration,
};

use room::{Ctx, Schedule, Services};

use crate::{
    CliError,
    agents::{self, EdgeOptions},
    config, data, intake,
    jobs_page::Titles,
    local::Socket,
    rooms::ROOMS,
    routes,
    settings::Settings,
    work,
};

/// Longest wait for requests under way at the end: Ctrl-C is done within two seconds.
pub(crate) const FAREWELL: Duration = Duration::from_millis(800);

/// What stands in a data folder, opened for writing.
pub struct Opened {
    pub store: store::Store,
    pub ledger: ledger::Ledger,
    /// The right to write the ledger of the database.
    pub lock: store::WriterLock,
    pub stream: stream::Stream,
}

/// Opens database, ledger and stream of a folder that is locked by this process.
pub async fn open(settings: &Settings) -> Result<Opened, CliError> {
    let place = &settings.place;
    let store = place.open().await?.with_file_max(settings.config.files.max_mib.bytes());
    let mut lock = store::WriterLock::new(store.db());
    if !lock.hold().await? {
        return Err(CliError::LedgerHeld);
    }
    let origin = origin(&store).await?;
    let mut ledger = ledger::Ledger::open(&place.folder.join("ledger"), &origin)?;
    settle(&store, &mut ledger).await?;
    // Who holds folder and ledger lock is the only one: a lease left over is of a killed process.
    store.jobs_abandon().await?;
    let stream = intake::open(&place.folder, &settings.config.intake).await?;
    Ok(Opened { store, ledger, lock, stream })
}

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(
    settings: &Settings,
    listen: Option<SocketAddr>,
    api_rate: u32,
    options: &EdgeOptions,
) -> Result<ExitCode, CliError> {
    let folder = &settings.place.folder;
    let default = || config::LISTEN.parse().ok();
    let listen = listen.or(settings.config.listen).or_else(default);
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8620)));
    // Ports and folder first: what is taken must not be found after something was written.
    let listener =
        tokio::net::TcpListener::bind(listen).await.map_err(|e| CliError::Listen(listen, e))?;
    let ports = intake::bind(&settings.config.intake).await?;
    data::create(folder)?;
    let _lock = data::lock(folder)?;
    let Opened { store, ledger, lock, stream } = open(settings).await?;
    let demo = web::demo::is_demo(&store).await?;
    let norms = isms::norms::load(&store).await?;
    if norms > 0 {
        tracing::info!(norms, "norm content loaded");
    }
    threat_intelligence::work::load_content(&store).await?;
    let address = listener.local_addr().map_err(|e| CliError::Listen(listen, e))?;
    let token = if store.account_count().await? == 0 { Some(random()?) } else { None };
    let at_rest =
        web::House::new(store, ledger, folder.join("stream"), ROOMS.to_vec(), &isms::SPEC);
    let house = Arc::new(web::House {
        setup: Mutex::new(token.clone()),
        secure: options.tls_local_ca || options.tls_cert.is_some(),
        demo,
        buckets: web::api::limit::Buckets::new(api_rate),
        intake: RwLock::new(serde_json::to_value(stream.counters()).unwrap_or_default()),
        ..at_rest
    });
    if let Some(changes) = settings.config.watch.changes {
        house.kept.get::<configuration::work::here::Here>().configure(changes);
    }
    house.kept.get::<web::Listening>().at(address);
    isms::welcome::refresh_local(&house).await?;
    // Before the first line is read.
    stream.take_manners(monitoring::work::logs::manners(&house.store).await?);
    // Drawn before anyone asks, so that peers can be told at once.
    house.desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner).verifier_key()?;
    // The first board comes from the service that keeps it; nobody waits for it here.
    let board = isms::pages::SharedBoard::default();
    let ctx = Arc::new(Ctx { house: house.clone(), stream: stream.clone() });
    let (end, shutdown) = tokio::sync::watch::channel(false);
    // A demonstration never reads the machine it is shown on.
    let mut followers = match demo {
        true => Vec::new(),
        false => {
            let bound = ports.secured(&settings.config.intake, Some(&folder.join("ca")))?;
            intake::follow(&stream, &settings.config.intake, bound, &shutdown)
        }
    };
    if let Some(bus) = settings.config.bus.as_ref().filter(|_| !demo) {
        house.kept.get::<monitoring::work::spread::Bus>().configure(bus.settings.clone());
        if bus.evaluate {
            let key = house.ledger.lock().await.verifier_key();
            let key = merkle::VerifierKey::parse(&key).ok();
            followers.push(crate::evaluate::beside(bus, folder, key, shutdown.clone()));
        }
    }
    if !demo {
        let packages = settings.config.packages.clone();
        house
            .kept
            .get::<configuration::work::manifests::Archives>()
            .configure(packages, folder.clone());
    }
    let advisories = house.kept.get::<configuration::impact::settings::Configured>();
    advisories.configure(folder, &settings.config.configuration);
    let reached = house.kept.get::<configuration::work::reached::Reached>();
    reached.configure(&settings.config.configuration.ssh);
    let feeds = house.kept.get::<threat_intelligence::work::settings::Configured>();
    feeds.configure(&settings.config.threat_intelligence);
    let intakes = followers.len();
    followers.push(tokio::spawn(crate::people::watch(house.clone(), stream.clone())));
    let edges = agents::start(folder, options, &house).await?;
    let delivering = agents::watch(house.clone(), stream.clone(), edges.centre.clone());
    followers.push(tokio::spawn(delivering));
    let transport = edge::transport::Transport {
        trusted: options.trusted_proxy.clone(),
        tls: edges.config.is_some(),
        hsts: options.tls_cert.is_some(),
    };
    let jobs = work::jobs(Some(board.clone()));
    let (titles, states) = (Titles::of(&jobs), Arc::new(Services::default()));
    let schedule = tokio::spawn(Schedule::new(ctx.clone(), jobs, random()?).run());
    let services = work::services(lock, board.clone()).into_iter();
    let services: Vec<_> =
        services.map(|service| tokio::spawn(service.run(ctx.clone(), states.clone()))).collect();
    let app = web::finish(routes::table(), house.clone())
        .layer(axum::Extension(board))
        .layer(axum::Extension(edges.about.clone()))
        .layer(axum::Extension(states))
        .layer(axum::Extension(titles))
        .layer(axum::Extension(intake::http(stream, &settings.config.intake)));
    let commands = commands(folder, &app)?;
    let app = edge::transport::behind(app, transport);
    announce(address, token.as_deref(), edges.config.is_some());
    let served = serve(listener, app, edges.config.clone(), &house.closing).await;
    let outcome = served.map_err(|e| CliError::Listen(listen, e));
    drop(edges);
    let _ = end.send(true);
    // Intakes store what they hold and count what they lost.
    let _ = tokio::time::timeout(FAREWELL / 2, ended(&followers[..intakes])).await;
    for task in followers.into_iter().chain([schedule]).chain(services).chain(commands) {
        task.abort();
        let _ = task.await;
    }
    // Within a moment, if the database is there; the outbox keeps what is left.
    let _ = tokio::time::timeout(FAREWELL, farewell(&house)).await;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn ended(tasks: &[tokio::task::JoinHandle<()>]) {
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Serves commands of this machine through the socket in the folder. Too long a path costs that way
/// only: the pages are served all the same.
fn commands(
    folder: &std::path::Path,
    app: &axum::Router,
) -> Result<Option<tokio::task::JoinHandle<()>>, CliError> {
    match Socket::bind(folder) {
        Ok(socket) => Ok(Some(tokio::spawn(socket.serve(app.clone())))),
        Err(error @ CliError::LongPath(..)) => {
            tracing::warn!("commands that write cannot work beside this server: {error}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn farewell(house: &web::House) {
    let mut ledger = house.ledger.lock().await;
    if let Err(error) = settle(&house.store, &mut ledger).await {
        tracing::error!(%error, "no last checkpoint was written");
    }
    house.store.db().close().await;
}

/// Serves until the signal, and then for a moment those who are still being served.
async fn serve(
    listener: tokio::net::TcpListener,
    app: axum::Router,
    tls: Option<Arc<rustls::ServerConfig>>,
    closing: &tokio::sync::watch::Sender<bool>,
) -> std::io::Result<()> {
    let (told, mut tell) = (closing.clone(), closing.subscribe());
    let stop = async move {
        stopped().await;
        told.send_replace(true);
    };
    let limits = edge::listen::Limits::default();
    let listener = edge::listen::BoundedListener::new(listener, tls, Arc::default(), limits)?;
    tokio::select! {
        () = listener.serve(app, stop) => Ok(()),
        () = async {
            let _ = tell.wait_for(|told| *told).await;
            tokio::time::sleep(FAREWELL).await;
        } => Ok(()),
    }
}

/// Moves what waits into the ledger. After an old backup was restored it takes nothing, but the pages
/// still open: that is where an officer decides about it.
pub async fn settle(store: &store::Store, ledger: &mut ledger::Ledger) -> Result<(), CliError> {
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
pub(crate) async fn origin(store: &store::Store) -> Result<String, CliError> {
    if let Some(origin) = store.setting("ledger_origin").await? {
        return Ok(origin);
    }
    let origin = format!("ume.local/{}", &random()?[..16]);
    store.set_setting("ledger_origin", &origin).await?;
    Ok(origin)
}

pub fn random() -> Result<String, CliError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|_| CliError::Random)?;
    Ok(hex::encode(bytes))
}

fn announce(address: SocketAddr, token: Option<&str>, tls: bool) {
    // Passkeys refuse IP addresses, so the name is what people should bookmark.
    let host =
        if address.ip().is_loopback() { "localhost".to_owned() } else { address.ip().to_string() };
    let scheme = if tls { "https" } else { "http" };
    let base = format!("{scheme}://{host}:{}", address.port());
    let mut text = format!("Ume 梅  {base}\n");
    if let Some(token) = token {
        let link = format!("{base}/setup?token={token}");
        text.push_str(&format!("set up here, once / 初回設定（一度だけ使えます）: {link}\n"));
    }
    // Whoever started it may have closed the pipe; that ends no server.
    crate::print(&text);
}

pub async fn stopped() {
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
