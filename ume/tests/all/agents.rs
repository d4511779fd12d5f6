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
use model::{Table, Timestamp};
use monitoring::work::collection;
use serde_json::json;
use store::Record;
use tokio::task::JoinHandle;

use crate::{follow, rooms};

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
    meddler: Meddler,
}

/// Stands between centre and agent, inside TLS, and changes the rules on their way.
#[derive(Clone, Default)]
struct Meddler(Arc<std::sync::Mutex<(Meddling, Vec<Vec<u8>>)>>);

#[derive(Clone, Default)]
enum Meddling {
    #[default]
    None,
    /// One path becomes another.
    Tamper(&'static str, &'static str),
    /// This note, whatever is asked for.
    Replay(Vec<u8>),
}

impl Meddler {
    fn set(&self, meddling: Meddling) {
        self.0.lock().unwrap().0 = meddling;
    }

    /// The notes that went out, oldest first.
    fn seen(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().1.clone()
    }
}

async fn meddle(
    axum::extract::State(meddler): axum::extract::State<Meddler>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let rules = request.uri().path() == "/agent/v1/rules";
    let response = next.run(request).await;
    if !rules {
        return response;
    }
    let note = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec();
    let mut state = meddler.0.lock().unwrap();
    let note = match &state.0 {
        Meddling::None => note,
        Meddling::Tamper(from, to) => {
            let changed = String::from_utf8(note.clone()).unwrap().replace(from, to);
            assert_ne!(changed.as_bytes(), note, "{from} stands in the note");
            changed.into_bytes()
        }
        Meddling::Replay(old) => old.clone(),
    };
    state.1.push(note.clone());
    axum::response::Response::new(note.into())
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
        let rules = edge::rules::RuleKind { kind: collection::KIND, of: collection::signed };
        let centre = Centre::new(house, ca, &["configuration.snapshot"], rules);
        centre.stream.set(stream(&folder.path().join("stream"))).unwrap();
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", tcp.local_addr().unwrap());
        let (connections, limits) = (centre.connections.clone(), listen::Limits::default());
        let tls = listen::BoundedListener::new(tcp, Some(config), connections, limits).unwrap();
        let meddler = Meddler::default();
        let service = centre::routes(centre.clone())
            .layer(axum::middleware::from_fn_with_state(meddler.clone(), meddle));
        let service = service.into_make_service_with_connect_info::<listen::Peer>();
        tokio::spawn(async move { axum::serve(tls, service).await.unwrap() });
        tokio::spawn(centre.clone().watch(served));
        Place { folder, centre, clock, url, meddler }
    }

    fn store(&self) -> &store::Store {
        &self.centre.house.store
    }

    /// An agent that may enrol with a fresh token.
    async fn options(&self, clock: &Clock) -> agent::Options {
        let token = Token::draw(&self.centre.ca.fingerprint()).unwrap();
        let ends = self.store().now().plus_hours(1);
        self.store().add_enrolment(token.secret(), "box-1", ends, "test").await.unwrap();
        let file = self.folder.path().join("token");
        std::fs::write(&file, token.secret()).unwrap();
        let data = self.folder.path().join("agent");
        agent::Options {
            url: self.url.clone(),
            token: Some(file),
            stream: stream(&data.join("spool")),
            data,
            version: "test",
            collect: Arc::new(Vec::new),
            due: Arc::new(|| false),
            apply: Arc::new(|_| agent::Applied::default()),
            now: clock.read(),
            state_every: Duration::from_secs(1),
        }
    }

    /// Starts an agent that enrols with a fresh token, and waits until its rules are recorded.
    async fn agent(&self, clock: &Clock) -> JoinHandle<edge::Result<()>> {
        let options = self.options(clock).await;
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
    // An agent that was just aborted may still be letting go of its spool.
    for _ in 0..100 {
        match stream::Stream::open(folder, stream::Limits::default()) {
            Err(stream::Error::Busy { .. }) => std::thread::sleep(Duration::from_millis(50)),
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays locked", folder.display());
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

/// An agent that follows what rules say below `log`, and what else is needed to rule it.
struct Followed<'p> {
    place: &'p Place,
    log: std::path::PathBuf,
    running: JoinHandle<edge::Result<()>>,
    _end: tokio::sync::watch::Sender<bool>,
}

impl Followed<'_> {
    async fn start<'p>(place: &'p Place, clock: &Clock) -> Followed<'p> {
        let log = std::fs::canonicalize(place.folder.path()).unwrap().join("log");
        std::fs::create_dir_all(&log).unwrap();
        let mut options = place.options(clock).await;
        let allow = stream::intake::Allow::below(log.to_str().unwrap());
        let (_end, shutdown) = tokio::sync::watch::channel(false);
        let own = [("own".to_owned(), log.join("own.log"))];
        let followers = follow::Followers::new(options.stream.clone(), shutdown, allow, own);
        options.apply = followers.into_apply();
        let running = tokio::spawn(agent::run(options));
        Followed { place, log, running, _end }
    }

    /// Writes the rule with these files: path and source.
    async fn rule(&self, files: &[(&Path, &str)]) -> String {
        let store = self.place.store();
        let known = store.all(Table::Rule, &[collection::KIND]).await.unwrap().pop();
        let id = store.new_id().unwrap();
        let mut row =
            known.unwrap_or_else(|| store::Row::new(Table::Rule, id, collection::KIND, "r"));
        let files: Vec<_> = files
            .iter()
            .map(|(path, source)| json!({"path": path, "source": source, "format": "plain"}))
            .collect();
        row.attributes = json!({"hosts": ["box-*"], "files": files}).as_object().unwrap().clone();
        let (_, kind) = self.place.centre.house.kind(Table::Rule, collection::KIND).unwrap();
        assert!(kind.validate(&row.attributes).is_empty());
        let mut write = store.write("test", "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        let host = store::Row::new(Table::Asset, id, "host", "box-1");
        let rules = collection::signed(&[row], &host);
        edge::fingerprint(model::canonical::to_string(&rules).unwrap().as_bytes())
    }

    /// Serial and refused files of the newest record that says the rules with this root are at work.
    async fn applied(&self, root: &str) -> (u64, u64) {
        self.place
            .until("the rules are at work", async || {
                let all = self.place.records("house.rules_applied").await;
                all.last().is_some_and(|r| r.facts["root"] == root)
            })
            .await;
        let last = self.place.records("house.rules_applied").await.pop().unwrap();
        assert_eq!(last.facts["kind"], "agent_rules");
        (last.facts["serial"].as_u64().unwrap(), last.facts["denied"].as_u64().unwrap())
    }

    fn stored(&self, source: &str) -> u64 {
        let counters = self.place.centre.stream.get().unwrap().counters();
        counters.get(&format!("box-1/{source}")).map_or(0, |c| c.stored)
    }

    async fn arrives(&self, source: &str, lines: u64) {
        self.place.until("the lines are here", async || self.stored(source) == lines).await;
    }
}

fn append(path: &Path, line: &str) {
    use std::io::Write;
    let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

#[tokio::test]
async fn a_changed_rule_makes_the_agent_follow_another_file_and_the_host_has_the_last_word() {
    let place = Place::open().await;
    let agent = Followed::start(&place, &Clock::default()).await;
    let (one, two, own) =
        (agent.log.join("one.log"), agent.log.join("two.log"), agent.log.join("own.log"));
    let outside = agent.log.parent().unwrap().join("secret");
    std::fs::write(&outside, "root:hash\n").unwrap();
    std::os::unix::fs::symlink(&outside, agent.log.join("link.log")).unwrap();
    append(&one, "first");
    let root = agent.rule(&[(&one, "one")]).await;
    let (first, denied) = agent.applied(&root).await;
    assert_eq!(denied, 0);
    agent.arrives("one", 1).await;

    // Another file, one that the host follows itself, and three that it does not give away.
    append(&two, "second");
    let link = agent.log.join("link.log");
    let up = agent.log.join("../secret");
    let files: [(&Path, &str); 5] =
        [(&two, "two"), (&own, "own2"), (&outside, "a"), (&link, "b"), (&up, "c")];
    let root = agent.rule(&files).await;
    let (second, denied) = agent.applied(&root).await;
    assert!(second > first, "{second} {first}");
    assert_eq!(denied, 3);
    agent.arrives("two", 1).await;
    let known = place.known().await;
    let report = place.centre.report(known.id).unwrap();
    let reasons: Vec<&str> = report.denied.values().map(String::as_str).collect();
    assert_eq!(reasons, ["path", "outside", "outside"]);

    // The first file is followed no longer; named again, it goes on where it stopped.
    append(&one, "unseen for now");
    append(&two, "third");
    agent.arrives("two", 2).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((agent.stored("one"), agent.stored("own2")), (1, 0));
    let root = agent.rule(&[(&one, "one")]).await;
    agent.applied(&root).await;
    agent.arrives("one", 2).await;
    assert!(["a", "b", "c"].iter().all(|source| agent.stored(source) == 0));

    // A link that is put in place of a followed file later is not read either.
    std::fs::remove_file(&one).unwrap();
    std::os::unix::fs::symlink(&outside, &one).unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(agent.stored("one"), 2);
    assert!(!agent.running.is_finished());
    agent.running.abort();
}

#[tokio::test]
async fn tampered_and_older_rules_are_refused_and_those_at_work_stay_over_a_restart() {
    let place = Place::open().await;
    let clock = Clock::default();
    let agent = Followed::start(&place, &clock).await;
    let (one, two) = (agent.log.join("one.log"), agent.log.join("two.log"));
    let root = agent.rule(&[(&one, "one")]).await;
    let (first, _) = agent.applied(&root).await;
    let old = place.meddler.seen().pop().unwrap();

    // Changed on the way: not taken, asked for again, and taken as it was signed.
    place.meddler.set(Meddling::Tamper("two.log", "six.log"));
    let second_root = agent.rule(&[(&two, "two")]).await;
    let before = place.meddler.seen().len();
    place.until("the changed note was sent", async || place.meddler.seen().len() > before).await;
    append(&one, "still followed");
    agent.arrives("one", 1).await;
    assert_eq!(place.records("house.rules_applied").await.last().unwrap().facts["serial"], first);
    place.meddler.set(Meddling::None);
    let (second, _) = agent.applied(&second_root).await;
    assert!(second > first);

    // The rules of before, well signed, are older.
    place.meddler.set(Meddling::Replay(old.clone()));
    agent.rule(&[(&two, "two"), (&one, "one")]).await;
    let before = place.meddler.seen().len();
    place.until("the older note was sent", async || place.meddler.seen().len() > before).await;
    append(&one, "no longer followed");
    append(&two, "followed");
    agent.arrives("two", 1).await;
    assert_eq!(agent.stored("one"), 1);
    agent.running.abort();
    let _ = agent.running.await;

    // The centre is of no use now, and somebody put the old note on the disk: the serial, noted apart,
    // keeps it from working. With the newest one back, the agent works by it without the centre.
    let note = place.folder.path().join("agent/agent/rules.note");
    let newest = std::fs::read(&note).unwrap();
    std::fs::write(&note, &old).unwrap();
    let again = Followed::start(&place, &clock).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    append(&one, "not read by the old rules");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(again.stored("one"), 1);
    again.running.abort();
    let _ = again.running.await;
    std::fs::write(&note, &newest).unwrap();
    let again = Followed::start(&place, &clock).await;
    append(&two, "read by the kept rules");
    again.arrives("two", 2).await;
    assert_eq!(again.stored("one"), 1);
    again.running.abort();
}
