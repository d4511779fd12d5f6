//! Agents against a real centre over TLS in one process, where both clocks can be moved: renewal, a
//! clock that is off, silence, revocation. What needs kills and networks is in tests/agents.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use edge::{
    EdgeError, agent, ca,
    centre::{self, Centre, SharedCentre},
    listen,
    protocol::{Report, State},
    tls,
    token::Token,
};
use model::Timestamp;
use store::Record;
use tokio::task::JoinHandle;

#[allow(dead_code)]
#[path = "../src/rooms.rs"]
mod rooms;

const WAIT: Duration = Duration::from_secs(90);
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A clock that tests set ahead.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn ahead(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }

    fn read(&self) -> store::Clock {
        let (real, ahead) = (store::system_clock(), self.0.clone());
        Arc::new(move || Timestamp(real().0 + ahead.load(Ordering::SeqCst)))
    }
}

struct Place {
    folder: tempfile::TempDir,
    centre: SharedCentre,
    clock: Clock,
    url: String,
}

impl Place {
    async fn open() -> Place {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::default());
        let store = store::Store::open(folder.path(), clock.read()).await.unwrap();
        let ledger = ledger::Ledger::open(&folder.path().join("ledger"), "ume.test/agents");
        let house = Arc::new(web::House::new(
            store,
            ledger.unwrap(),
            folder.path().join("stream"),
            rooms::ROOMS.to_vec(),
            &isms::SPEC,
        ));
        let now = house.store.now();
        let ca = ca::HouseCa::open(&folder.path().join("ca"), "centre-1", now).unwrap();
        let served = tls::Served::new(ca.server(now).unwrap()).unwrap();
        let config = tls::agents(served.clone(), &ca).unwrap();
        let centre = Centre::new(house, ca, &["configuration.snapshot"]);
        centre.stream.set(stream(&folder.path().join("stream"))).unwrap();
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", tcp.local_addr().unwrap());
        let (connections, limits) = (centre.connections.clone(), listen::Limits::default());
        let tls = listen::BoundedListener::new(tcp, Some(config), connections, limits).unwrap();
        let service = centre::routes(centre.clone());
        let service = service.into_make_service_with_connect_info::<listen::Peer>();
        tokio::spawn(async move { axum::serve(tls, service).await.unwrap() });
        tokio::spawn(centre.clone().watch(served));
        Place { folder, centre, clock, url }
    }

    fn store(&self) -> &store::Store {
        &self.centre.house.store
    }

    /// Starts an agent that enrols with a fresh token, and waits until its rules are recorded.
    async fn agent(&self, clock: &Clock) -> JoinHandle<edge::Result<()>> {
        let token = Token::draw(&self.centre.ca.fingerprint()).unwrap();
        let ends = self.store().now().plus_hours(1);
        self.store().add_enrolment(token.secret(), "box-1", ends, "test").await.unwrap();
        let file = self.folder.path().join("token");
        std::fs::write(&file, token.secret()).unwrap();
        let data = self.folder.path().join("agent");
        let options = agent::Options {
            url: self.url.clone(),
            token: Some(file),
            stream: stream(&data.join("spool")),
            data,
            version: "test",
            collect: Arc::new(Vec::new),
            now: clock.read(),
        };
        let running = tokio::spawn(agent::run(options));
        self.until("the rules are at work", async || {
            !self.records("house.rules_applied").await.is_empty()
        })
        .await;
        running
    }

    /// Records of a type, oldest first; each is as hall or platform declares it.
    async fn records(&self, ty: &str) -> Vec<Record> {
        let mut all = self.store().newest_records(&[ty], None, 100).await.unwrap();
        all.reverse();
        let declared = isms::SPEC.records.iter().chain(model::platform::RECORDS);
        let spec = declared.into_iter().find(|r| r.ty == ty).unwrap();
        for record in &all {
            assert!(spec.validate(&record.facts).is_empty(), "{:?}", record.facts);
        }
        all
    }

    async fn changes(&self) -> Vec<String> {
        let all = self.records("house.agent_changed").await;
        all.iter().map(|r| r.facts["change"].as_str().unwrap().to_owned()).collect()
    }

    async fn known(&self) -> store::Agent {
        self.store().agents().await.unwrap().remove(0)
    }

    async fn until(&self, what: &str, test: impl AsyncFn() -> bool) {
        let from = Instant::now();
        while !test().await {
            assert!(from.elapsed() < WAIT, "not so: {what}; changes: {:?}", self.changes().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A client that holds the agent's present certificate, as it lies in its folder.
    fn client(&self) -> reqwest::Client {
        let folder = self.folder.path().join("agent/agent");
        let path = folder.join("certificate.pem");
        let chain = ca::certificates(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
        let key = std::fs::read(folder.join("key.pem")).unwrap();
        use rustls::pki_types::pem::PemObject;
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(&key).unwrap();
        let identity = ca::Identity { chain, key, ends: Timestamp(i64::MAX) };
        let config = tls::agent(&self.centre.ca.fingerprint(), Some(identity)).unwrap();
        reqwest::Client::builder().tls_backend_preconfigured(config).build().unwrap()
    }

    async fn report(&self, client: &reqwest::Client, clock: Timestamp) -> reqwest::Response {
        let report = Report { clock: clock.0, ..Report::default() };
        let url = format!("{}/agent/v1/state", self.url);
        client.post(url).json(&report).send().await.unwrap()
    }
}

fn stream(folder: &Path) -> stream::Stream {
    std::fs::create_dir_all(folder).unwrap();
    stream::Stream::open(folder, stream::Limits::default()).unwrap()
}

#[tokio::test]
async fn a_certificate_is_renewed_in_time_and_the_one_before_is_then_refused() {
    let (place, clock) = (Place::open().await, Clock::default());
    let running = place.agent(&clock).await;
    let applied = place.records("house.rules_applied").await.remove(0);
    let before = place.known().await;
    assert_eq!(
        (applied.subject, &applied.facts["edge"]),
        (Some(before.asset), &before.id.to_string().into())
    );
    assert_eq!(applied.actor, format!("agent:{}", before.id));
    assert_eq!(place.changes().await, ["token_made", "enrolled"]);
    let old = place.client();
    assert_eq!(place.report(&old, place.store().now()).await.status(), 200);

    // Two thirds of the 30 days are over for the agent.
    clock.ahead(21 * DAY);
    place
        .until("the certificate was renewed and used", async || {
            let now = place.known().await;
            now.fingerprint != before.fingerprint && now.previous.is_empty()
        })
        .await;
    assert_eq!(place.report(&old, place.store().now()).await.status(), 401);
    let after = place.known().await;
    assert_eq!((after.id, after.asset), (before.id, before.asset));
    let renewed = place.records("house.agent_changed").await;
    let renewed: Vec<_> = renewed.iter().filter(|r| r.facts["change"] == "renewed").collect();
    assert_eq!(renewed[0].facts["certificate"], after.fingerprint);

    // With its clock still off it asks for no second one.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(place.known().await.fingerprint, after.fingerprint);
    assert!(!running.is_finished());
    running.abort();
}

#[tokio::test]
async fn a_clock_that_is_off_is_recorded_once_and_so_is_its_end() {
    let (place, clock) = (Place::open().await, Clock::default());
    clock.ahead(5 * 60 * SECOND);
    let running = place.agent(&clock).await;
    running.abort();
    assert_eq!(place.changes().await, ["token_made", "enrolled", "clock_off"]);
    let off = place.records("house.agent_changed").await.remove(2);
    let ahead = off.facts["clock_ahead"].as_i64().unwrap();
    assert!((290..=300).contains(&ahead), "{ahead}");
    let (client, now) = (place.client(), place.store().now());
    // Behind is off as well: no change, no record.
    place.report(&client, Timestamp(now.0 - 3_600 * SECOND)).await;
    assert_eq!(place.changes().await.len(), 3);
    let state: State = place.report(&client, now).await.json().await.unwrap();
    assert_eq!(state.records, 0);
    assert_eq!(place.changes().await[3..], ["clock_right"]);
}

#[tokio::test]
async fn silence_is_recorded_once_and_so_is_the_return() {
    let place = Place::open().await;
    let running = place.agent(&Clock::default()).await;
    running.abort();
    place.clock.ahead(11 * 60 * SECOND);
    place
        .until("silence is recorded", async || {
            place.changes().await.last().is_some_and(|c| c == "silent")
        })
        .await;
    let silent = place.records("house.agent_changed").await.pop().unwrap();
    assert!(silent.observed_to.0 - silent.observed_from.0 > 10 * 60 * SECOND);
    // The next looks find nothing new.
    tokio::time::sleep(Duration::from_secs(11)).await;
    place.report(&place.client(), place.store().now()).await;
    assert_eq!(place.changes().await[2..], ["silent", "returned"]);
}

#[tokio::test]
async fn a_revoked_agent_loses_its_open_connection_and_ends() {
    let place = Place::open().await;
    let running = place.agent(&Clock::default()).await;
    let open = async || place.centre.connections.fingerprints();
    let fingerprint = place.known().await.fingerprint;
    assert!(open().await.contains(&fingerprint), "the agent keeps its connection");
    let mut write = place.store().write("test", "revoked", "").await.unwrap();
    assert_eq!(write.revoke_agent("box-1").await.unwrap(), 1);
    write.commit().await.unwrap();
    let from = Instant::now();
    place.until("the connection was cut", async || !open().await.contains(&fingerprint)).await;
    assert!(from.elapsed() < Duration::from_secs(10), "{:?}", from.elapsed());
    let end = running.await.unwrap();
    assert!(matches!(end, Err(EdgeError::Refused { status: 403, .. })), "{end:?}");
    assert_eq!(place.changes().await[2..], ["revoked"]);
    assert_eq!(place.report(&place.client(), place.store().now()).await.status(), 403);
}
