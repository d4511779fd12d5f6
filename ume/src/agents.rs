//! Agents: wiring of `ume serve --agents`, `ume serve --roles agent` and `ume agent`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Subcommand;
use edge::{ca::HouseCa, centre::SharedCentre, listen, pages, tls, token::Token};
use serde_json::json;
use web::{House, Shared, api::local::Act};

use crate::{
    CliError, Format, agent_host, data,
    door::Door,
    follow::Followers,
    intake,
    place::Place,
    print,
    settings::{DataFolder, Settings},
    shown::{self, Shown},
};

/// Record types that agents may write.
const ACCEPTS: &[&str] = &[
    "configuration.snapshot",
    "configuration.sbom",
    configuration::work::TOUCHES,
    configuration::work::CANARY_CHANGE,
];
const STATUS_EVERY_HOURS: i64 = 1;
const STATUS_LOOK: std::time::Duration = std::time::Duration::from_secs(15);
/// What agents work by.
pub const RULES: edge::rules::RuleKind = edge::rules::RuleKind {
    kind: monitoring::work::collection::KIND,
    of: monitoring::work::collection::signed,
};
const BACKLOG_BYTES_MAX: u64 = 64 << 20;

#[derive(Subcommand)]
pub enum AgentCommand {
    /// Make a one-time token with which a machine enrols; prints it once
    Token {
        #[command(flatten)]
        data: DataFolder,
        /// Name of the machine, as it shall stand in the register
        #[arg(long)]
        name: String,
        /// How long the token is good
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=336))]
        hours: i64,
        #[command(flatten)]
        shown: Shown,
    },
    /// List agents
    List {
        #[command(flatten)]
        data: DataFolder,
        #[command(flatten)]
        shown: Shown,
    },
    /// Refuse an agent from now on; its open connections are cut within a second
    Revoke {
        #[command(flatten)]
        data: DataFolder,
        /// Name or id
        agent: String,
        #[command(flatten)]
        shown: Shown,
    },
}

pub async fn run(command: AgentCommand) -> Result<ExitCode, CliError> {
    let text = match command {
        AgentCommand::Token { data, name, hours, shown } => {
            edge::check_name(&name)?;
            let place = Place::of(&data)?;
            data::existing_place(&place)?;
            let now = (store::system_clock())();
            let ca = HouseCa::open(&place.folder.join("ca"), &hostname(), now)?;
            let token = Token::draw(&ca.fingerprint())?;
            let secret = token.secret().to_owned();
            let act = Act::AgentToken { name, secret: secret.clone(), hours };
            let mut done = Door::act(&data, act).await?;
            done["token"] = secret.as_str().into();
            shown::done(shown.format, &secret, &done)
        }
        AgentCommand::List { data, shown } => list(&Place::of(&data)?, shown.format).await?,
        AgentCommand::Revoke { data, agent, shown } => {
            let done = Door::act(&data, Act::AgentRevoke { agent }).await?;
            let count = shown::text(&done["revoked"]);
            let said =
                crate::say(&format!("{count}台を失効させました"), &format!("{count} revoked"));
            shown::done(shown.format, &said, &done)
        }
    };
    print(&text);
    Ok(ExitCode::SUCCESS)
}

async fn list(place: &Place, format: Format) -> Result<String, CliError> {
    let store = place.open_read_only().await?;
    let state = |agent: &store::Agent| match pages::standing(agent, store.now()) {
        pages::Standing::Delivering => "delivering",
        pages::Standing::Silent => "silent",
        pages::Standing::Revoked => "revoked",
    };
    let agents: Vec<serde_json::Value> = store
        .agents()
        .await?
        .iter()
        .map(|a| {
            json!({
                "id": a.id, "name": a.name, "asset": a.asset, "state": state(a),
                "last_seen": a.last_seen.map(model::Timestamp::rfc3339),
                "expires_at": a.expires_at.rfc3339(), "fingerprint": a.fingerprint,
            })
        })
        .collect();
    let columns = ["name", "state", "last_seen", "expires_at", "id"];
    Ok(shown::rows(format, &columns.map(str::to_owned), &agents))
}

/// This machine's name as the kernel knows it.
pub fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

/// Options of `ume serve` that concern TLS and agents.
#[derive(clap::Args)]
pub struct EdgeOptions {
    /// Also listen for agents here, for example 0.0.0.0:8621
    #[arg(long, value_name = "ADDR")]
    pub agents: Option<SocketAddr>,
    /// Certificate chain of one's own for the pages, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls_local_ca")]
    pub tls_cert: Option<PathBuf>,
    /// Key of that certificate, PEM, mode 0600
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve the pages over TLS with a certificate of the house CA, made at the first start
    #[arg(long)]
    pub tls_local_ca: bool,
    /// Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxy: Vec<edge::transport::Network>,
    /// What this process is
    #[arg(long, value_enum, default_value = "all")]
    pub roles: Roles,
    /// Agent: address of the centre, https://host:port
    #[arg(long, value_name = "URL", required_if_eq("roles", "agent"))]
    pub join: Option<String>,
    /// Agent: file with the enrolment token; needed once
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Agent: log file to follow beside the usual ones
    #[arg(long, value_name = "NAME=FILE", value_parser = name_and_file)]
    pub follow: Vec<(String, PathBuf)>,
    /// Agent: room for lines while the centre is away, MiB; when it is full, files and journal wait
    #[arg(long, value_name = "N", default_value_t = 1024,
          value_parser = clap::value_parser!(u32).range(8..=65_536))]
    pub spool_mib: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Roles {
    /// The centre with everything
    All,
    /// Collects here and delivers to a centre
    Agent,
    /// Holds events against rules for a main node, over the bus that ume.toml names
    Evaluate,
}

fn name_and_file(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write NAME=FILE")?;
    edge::check_name(name).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), PathBuf::from(file)))
}

/// Runs as an agent until stopped or revoked.
pub async fn run_agent(settings: &Settings, options: EdgeOptions) -> Result<ExitCode, CliError> {
    let folder = &settings.place.folder;
    data::create(folder)?;
    let _lock = data::lock(folder)?;
    let spool = folder.join("spool");
    let mut limits = stream::Limits::default();
    limits.spool.max_bytes = u64::from(options.spool_mib) << 20;
    limits.spool.segment_bytes = limits.spool.segment_bytes.min(limits.spool.max_bytes / 4);
    let opened = tokio::task::spawn_blocking(move || stream::Stream::open(&spool, limits));
    let stream = opened.await.map_err(|e| stream::Error::Worker(e.to_string()))??;
    let (_end, shutdown) = tokio::sync::watch::channel(false);
    let config = &settings.config.intake;
    let bound = intake::bind(config).await?.secured(config, None)?;
    let mut followers = intake::follow(&stream, config, bound, &shutdown);
    for (name, path) in &options.follow {
        let format = stream::Format::Auto;
        let tail = stream::intake::FileTail::open(&stream, name, path, format, BACKLOG_BYTES_MAX)?;
        let (stream, shutdown, name) = (stream.clone(), shutdown.clone(), name.clone());
        followers.push(tokio::spawn(async move {
            if let Err(error) = tail.run(stream, shutdown).await {
                tracing::error!(%error, name, "the log file is no longer followed");
            }
        }));
    }
    let own = intake::own_files(config).into_iter().chain(options.follow.iter().cloned());
    let allow = settings.config.agent.may_follow.0.clone();
    let followed = Followers::new(stream.clone(), shutdown.clone(), allow, own);
    let bill_note = folder.join("sbom.made");
    let host = Arc::new(agent_host::Host::begin(folder, settings.config.watch.changes)?);
    let due = host.clone();
    let agent = edge::agent::run(edge::agent::Options {
        url: options.join.unwrap_or_default(),
        token: options.token_file,
        data: folder.to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        collect: Arc::new(move || host.collect().into_iter().chain(bill(&bill_note)).collect()),
        due: Arc::new(move || due.is_due()),
        apply: followed.into_apply(),
        state_every: edge::agent::STATE_EVERY,
        stream,
        now: Arc::new(stream::intake::now),
    });
    let outcome = tokio::select! {
        outcome = agent => outcome,
        () = crate::serve::stopped() => Ok(()),
    };
    followers.iter().for_each(tokio::task::JoinHandle::abort);
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// The bill of materials, once a day and when packages changed.
fn bill(note: &Path) -> Option<edge::agent::Collected> {
    let bill = configuration::work::bill::when_due(note, &hostname(), (store::system_clock())());
    let bill = bill.inspect_err(|error| tracing::error!(%error, "no bill of materials was made"));
    let bill = bill.ok()??;
    if bill.unread > 0 {
        tracing::warn!(
            count = bill.unread,
            "not everything could be read for the bill of materials"
        );
    }
    let payload = Some(bill.text());
    Some(edge::agent::Collected { ty: "configuration.sbom", facts: bill.facts, payload })
}

/// The centre's parts that listen; the tasks end when this is dropped.
pub struct Edges {
    pub centre: Option<SharedCentre>,
    pub about: pages::About,
    /// For the pages, if TLS ends here.
    pub config: Option<Arc<rustls::ServerConfig>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Edges {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// TLS for the pages and the listener for agents, as far as asked for.
pub async fn start(
    folder: &Path,
    options: &EdgeOptions,
    house: &Shared,
) -> Result<Edges, CliError> {
    let now = house.store.now();
    let mut edges =
        Edges { centre: None, about: pages::About(None), config: None, tasks: Vec::new() };
    if let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) {
        let identity = tls::identity_from_files(certificate, key)?;
        if identity.ends <= now {
            tracing::error!(path = %certificate.display(), "the certificate has ended");
        }
        edges.config = Some(tls::pages(tls::Served::new(identity)?)?);
    }
    if !options.tls_local_ca && options.agents.is_none() {
        return Ok(edges);
    }
    let ca = HouseCa::open(&folder.join("ca"), &hostname(), now)?;
    let fingerprint = ca.fingerprint();
    let served = tls::Served::new(ca.server(now)?)?;
    if options.tls_local_ca {
        edges.config = Some(tls::pages(served.clone())?);
        let path = folder.join("ca/ca.pem");
        println!("house CA / ハウスCA: {} SHA-256 {fingerprint}", path.display());
    }
    let config = tls::agents(served.clone(), &ca)?;
    let centre = edge::centre::Centre::new(house.clone(), ca, ACCEPTS, RULES);
    edges.tasks.push(tokio::spawn(centre.clone().watch(served)));
    if let Some(address) = options.agents {
        let listener = tokio::net::TcpListener::bind(address).await;
        let listener = listener.map_err(|e| CliError::Listen(address, e))?;
        let port = listener.local_addr().map_or(address.port(), |a| a.port());
        let (connections, limits) = (centre.connections.clone(), listen::Limits::default());
        let tls = listen::BoundedListener::new(listener, Some(config), connections, limits)
            .map_err(|e| CliError::Listen(address, e))?;
        let app = edge::centre::routes(centre.clone());
        edges.tasks.push(tokio::spawn(tls.serve(app, std::future::pending())));
        println!("agents / エージェント: port {port}, CA SHA-256 {fingerprint}");
        edges.about =
            pages::About(Some(pages::Open { port, ca: fingerprint, centre: centre.clone() }));
    }
    edges.centre = Some(centre);
    Ok(edges)
}

/// Lets agents in now that there is a stream for their lines, and writes once an hour the counts of
/// each agent's host, by what is here and what the agent says was lost.
pub async fn watch(house: Shared, stream: stream::Stream, centre: Option<SharedCentre>) {
    let Some(centre) = centre else { return };
    let _ = centre.stream.set(stream.clone());
    loop {
        tokio::time::sleep(STATUS_LOOK).await;
        if let Err(error) = write_statuses(&house, &stream, &centre).await {
            tracing::error!(%error, "counts of agents were not recorded");
        }
    }
}

async fn write_statuses(
    house: &House,
    stream: &stream::Stream,
    centre: &SharedCentre,
) -> Result<(), store::StoreError> {
    let ty = "monitoring.source_status";
    let counters = stream.counters();
    for agent in house.store.agents().await?.iter().filter(|a| a.revoked_at.is_none()) {
        if !due(house, ty, agent.asset, STATUS_EVERY_HOURS).await? {
            continue;
        }
        let progress = house.kept.get::<monitoring::work::live::Live>().shown().progress;
        let prefix = format!("{}/", agent.name);
        let mut theirs: std::collections::BTreeMap<String, stream::Counters> = counters
            .iter()
            .filter(|(source, _)| source.starts_with(&prefix))
            .map(|(source, counts)| (source.clone(), counts.clone()))
            .collect();
        let report = centre.report(agent.id).unwrap_or_default();
        // What the agent lost or refused was received by it and never came here.
        let mut far = stream::Counters::default();
        let refused: u64 = report.refused.values().sum();
        far.refused.insert("at the agent".to_owned(), refused);
        far.received += refused;
        let lost: u64 = report.lost.values().sum();
        far.lost.insert("at the agent".to_owned(), lost);
        far.received += lost;
        theirs.insert(prefix, far);
        let mut facts = monitoring::work::sums(&theirs, &progress);
        let silent = pages::standing(agent, house.store.now()) == pages::Standing::Silent;
        facts["silent"] = (silent || facts["received"] == 0).into();
        let draft = room::draft(ty, Some(agent.asset), house.store.now(), facts);
        room::write(&house.store, "system:monitoring.status", draft).await?;
        house.wake();
    }
    Ok(())
}

/// Whether the newest record of this type about the subject is so old that another is due.
async fn due(
    house: &House,
    ty: &str,
    subject: model::Id,
    hours: i64,
) -> Result<bool, store::StoreError> {
    let newest = house.store.newest_records(&[ty], Some(subject), 1).await?;
    let now = house.store.now();
    Ok(newest.first().is_none_or(|r| now.hours_since(r.observed_to) >= hours))
}
