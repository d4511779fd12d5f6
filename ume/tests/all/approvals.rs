//! Signing on the real router, with software authenticators and on both databases: what is bound, who
//! may sign, how many it takes, who stands in for whom.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Id, Table, Timestamp};
use reqwest::{Method, header};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::{Value as Json, json};
use store::{AccountChange, Row, Store};
use web::{
    access::{Action, ROLES, Scope, scope},
    decide::{self, Flaw},
};

use crate::{
    declared, rooms,
    served::{Browser, Served},
};

const ORIGIN: &str = "https://ume.example";
const RP: &str = "ume.example";
const DAY_MICROS: i64 = 24 * 3_600_000_000;

/// A server, and how far its clock is ahead.
pub(crate) struct House {
    pub(crate) served: Served,
    pub(crate) ahead: Arc<AtomicI64>,
}

/// A clock that a test moves forward.
fn clock(ahead: &Arc<AtomicI64>) -> store::Clock {
    let (ahead, system) = (ahead.clone(), store::system_clock());
    Arc::new(move || Timestamp(system().0 + ahead.load(Ordering::SeqCst)))
}

/// A server over each database there is.
pub(crate) async fn everywhere(name: &str) -> Vec<House> {
    let mut all = Vec::new();
    let (folder, ahead) = (tempfile::tempdir().unwrap(), Arc::<AtomicI64>::default());
    let store = Store::open(folder.path(), clock(&ahead)).await.unwrap();
    all.push(serve(store, folder, ahead).await);
    let Ok(server) = std::env::var("UME_TEST_POSTGRES") else {
        println!("skipped: no PostgreSQL");
        return all;
    };
    let name = format!("ume_approvals_{name}_{}", std::process::id());
    let (base, query) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = base.rsplit_once('/').unwrap();
    let admin = store::Db::postgres(&server).await.unwrap();
    for sql in
        [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")]
    {
        admin.fetch(&sql, &[]).await.unwrap();
    }
    let (folder, ahead) = (tempfile::tempdir().unwrap(), Arc::<AtomicI64>::default());
    let url = format!("{host}/{name}?{query}");
    let store = Store::connect(&url, clock(&ahead)).await.unwrap();
    all.push(serve(store.with_keys(folder.path()).await.unwrap(), folder, ahead).await);
    all
}

async fn serve(store: Store, folder: tempfile::TempDir, ahead: Arc<AtomicI64>) -> House {
    let store = declared::settled(store).await.unwrap();
    store.set_setting("public_origin", ORIGIN).await.unwrap();
    let served = Served::over(store, folder, 1_000_000).await;
    let board = isms::compute(&served.house.store, &rooms::ROOMS).await.unwrap();
    served.board.put(board);
    House { served, ahead }
}

enum Pair {
    Ecdsa(Box<EcdsaKeyPair>),
    Edwards(Box<Ed25519KeyPair>),
}

/// A software authenticator, registered for an account, and that account's browser.
pub(crate) struct Hand {
    pub(crate) who: Browser,
    pub(crate) account: Id,
    credential: [u8; 16],
    pair: Pair,
    counter: AtomicI64,
}

impl Hand {
    fn sign(&self, challenge: &[u8], flags: u8) -> String {
        let counter = self.counter.fetch_add(1, Ordering::SeqCst) as u32 + 1;
        let data =
            [digest(&SHA256, RP.as_bytes()).as_ref(), &[flags], &counter.to_be_bytes()].concat();
        let client = json!({
            "type": "webauthn.get", "challenge": URL_SAFE_NO_PAD.encode(challenge),
            "origin": ORIGIN, "crossOrigin": false,
        })
        .to_string();
        let message = [&data[..], digest(&SHA256, client.as_bytes()).as_ref()].concat();
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => {
                pair.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec()
            }
            Pair::Edwards(pair) => pair.sign(&message).as_ref().to_vec(),
        };
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "id": text(&self.credential), "rawId": text(&self.credential), "type": "public-key",
            "response": {
                "authenticatorData": text(&data), "clientDataJSON": text(client.as_bytes()),
                "signature": text(&signature), "userHandle": null,
            },
        })
        .to_string()
    }
}

const GOOD: u8 = 1 | 4;

impl House {
    pub(crate) fn store(&self) -> &Store {
        &self.served.house.store
    }

    /// An account with a passkey, as the log-in library keeps it.
    pub(crate) async fn hand(&self, login: &str, role: &str) -> Hand {
        let store = self.store();
        let account = store.add_account(login, role, "no password fits this").await.unwrap();
        let token = store.open_session(account, "full", "test").await.unwrap();
        let session = store.session(&token, 8, 168).await.unwrap().unwrap();
        let who = Browser { cookie: format!("ume={token}"), csrf: session.csrf };
        let random = SystemRandom::new();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (pair, key) = if login.starts_with("ed") {
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
            let x = text(pair.public_key().as_ref());
            (Pair::Edwards(Box::new(pair)), json!({"EC_OKP": {"curve": "ED25519", "x": x}}))
        } else {
            let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
            let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
            let key = json!({"EC_EC2": {"curve": "SECP256R1", "x": text(x), "y": y}});
            (Pair::Ecdsa(Box::new(pair)), key)
        };
        let mut credential = [0; 16];
        getrandom::fill(&mut credential).unwrap();
        let kept =
            json!({"cred": {"cred": {"type_": "any", "key": key}, "counter": 0}}).to_string();
        let account_row = store.account(login).await.unwrap().unwrap();
        let id = hex::encode(credential);
        let change = AccountChange::PasskeyAdded { id: &id, name: "test", credential: &kept };
        store.change_account("test", &account_row, change).await.unwrap();
        Hand { who, account, credential, pair, counter: AtomicI64::new(0) }
    }

    pub(crate) async fn put(&self, row: Row, actor: &str) -> Row {
        let mut write = self.store().write(actor, "", "").await.unwrap();
        let row = write.put(row).await.unwrap();
        write.commit().await.unwrap();
        row
    }

    async fn asset(&self, name: &str, actor: &str) -> Row {
        let id = self.store().new_id().unwrap();
        self.put(Row::new(Table::Asset, id, "host", name), actor).await
    }

    async fn rule(&self, attributes: Json) -> Row {
        let id = self.store().new_id().unwrap();
        let mut row = Row::new(Table::Rule, id, "approval_policy", "policy");
        row.attributes = attributes.as_object().cloned().unwrap();
        self.put(row, "another").await
    }

    pub(crate) async fn send(
        &self,
        who: &Browser,
        path: &str,
        fields: &[(&str, &str)],
    ) -> (u16, String) {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &who.csrf));
        let encode = |(n, v): &(&str, &str)| format!("{n}={}", urlencoding::encode(v));
        let body = fields.iter().map(encode).collect::<Vec<_>>().join("&");
        let request = self.served.request(Method::POST, path).header(header::COOKIE, &who.cookie);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Asks for a challenge.
    async fn prepare(
        &self,
        hand: &Hand,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Vec<u8>, (u16, String)> {
        let fields = [fields, &[("step", "prepare")]].concat();
        let (status, text) = self.send(&hand.who, path, &fields).await;
        if status != 200 {
            return Err((status, text));
        }
        let json: Json = serde_json::from_str(&text).unwrap();
        let allowed = &json["publicKey"]["allowCredentials"][0]["id"];
        assert_eq!(*allowed, URL_SAFE_NO_PAD.encode(hand.credential));
        let challenge = json["publicKey"]["challenge"].as_str().unwrap();
        Ok(URL_SAFE_NO_PAD.decode(challenge).unwrap())
    }

    /// Signs by passkey, as the script does.
    pub(crate) async fn sign(
        &self,
        hand: &Hand,
        path: &str,
        fields: &[(&str, &str)],
    ) -> (u16, String) {
        let challenge = match self.prepare(hand, path, fields).await {
            Ok(challenge) => challenge,
            Err(refused) => return refused,
        };
        let assertion = hand.sign(&challenge, GOOD);
        self.send(&hand.who, path, &[fields, &[("assertion", &assertion)]].concat()).await
    }

    /// Signs an approval of the row as it is.
    async fn approve(&self, hand: &Hand, row: &Row, more: &[(&str, &str)]) -> (u16, String) {
        let hash = row.content_hash().unwrap();
        let fields = [("hash", hash.as_str()), ("outcome", "approved"), ("reason", "looked at")];
        let path = format!("/row/{}/{}/decide", row.table.name(), row.id);
        self.sign(hand, &path, &[&fields[..], more].concat()).await
    }

    async fn about(&self, row: &Row) -> Vec<Row> {
        self.store().rows_about(Table::Decision, &[row.id]).await.unwrap()
    }

    fn pass(&self, days: i64) {
        self.ahead.fetch_add(days * DAY_MICROS, Ordering::SeqCst);
    }
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or("")
}

#[tokio::test]
async fn a_passkey_signs_the_decision_itself_and_anyone_verifies_it_later() {
    for house in everywhere("passkey").await {
        for login in ["ecdsa", "edwards"] {
            let hand = house.hand(login, "executive").await;
            let row = house.asset(login, "another").await;
            assert_eq!(house.approve(&hand, &row, &[]).await.0, 303);
            let decisions = house.about(&row).await;
            let [decision] = decisions.as_slice() else { panic!("{decisions:?}") };
            assert_eq!(
                (decision.status.as_str(), text(decision, "method")),
                ("approved", "passkey")
            );
            assert_eq!(text(decision, "signer"), login);
            let content = row.content().unwrap();
            let hash = row.content_hash().unwrap();
            let subject = |wanted: &str| (wanted == hash).then_some(content.as_str());
            assert_eq!(decide::flaws(decision, subject), []);
            // What is signed is the hash of all three, so each of them shows.
            let path = format!("/row/decision/{}", decision.id);
            let (status, _) = house
                .send(
                    &hand.who,
                    &format!("{path}/decide"),
                    &[("hash", "x"), ("outcome", "approved"), ("reason", "x")],
                )
                .await;
            assert_eq!(status, 409, "what is signed is signed");
            assert_eq!(decide::flaws(decision, |_| None), [Flaw::NoSubject(1)]);
            assert_eq!(decide::flaws(decision, |_| Some("{}")), [Flaw::Hash(1)]);
            type Change = fn(&mut Row);
            let changes: [(Change, Flaw); 6] = [
                (|d| d.status = "rejected".to_owned(), Flaw::Says("its outcome")),
                (|d| d.name = "other".to_owned(), Flaw::Says("its name")),
                (|d| d.kind = "exclusion".to_owned(), Flaw::Says("its kind")),
                (
                    |d| d.ends_at = d.ends_at.map(|e| e.plus_hours(1)),
                    Flaw::Says("how long it holds"),
                ),
                (
                    |d| d.attributes["signatures"][0]["statement"]["reason"] = "other".into(),
                    Flaw::Hash(1),
                ),
                (|d| d.attributes["signatures"][0]["nonce"] = "00".into(), Flaw::Hash(1)),
            ];
            for (change, flaw) in changes {
                let mut forged = decision.clone();
                change(&mut forged);
                assert_eq!(decide::flaws(&forged, subject), [flaw]);
            }
            let mut forged = decision.clone();
            forged.attributes["signatures"][0]["assertion"]["signature"] = "AAAA".into();
            assert_eq!(
                decide::flaws(&forged, subject),
                [Flaw::Assertion(1, "the signature does not fit".to_owned())]
            );
        }
    }
}

#[tokio::test]
async fn what_was_not_signed_here_and_now_counts_for_nothing() {
    for house in everywhere("hostile").await {
        let hand = house.hand("executive", "executive").await;
        let stranger = house.hand("stranger", "executive").await;
        let (one, two) = (house.asset("one", "another").await, house.asset("two", "another").await);
        let (hash_one, hash_two) = (one.content_hash().unwrap(), two.content_hash().unwrap());
        let path = |row: &Row| format!("/row/asset/{}/decide", row.id);
        let first = [("hash", hash_one.as_str()), ("outcome", "approved"), ("reason", "looked at")];
        let second =
            [("hash", hash_two.as_str()), ("outcome", "approved"), ("reason", "looked at")];
        let finish = async |fields: &[(&str, &str)], row: &Row, assertion: &str| {
            let fields = [fields, &[("assertion", assertion)]].concat();
            house.send(&hand.who, &path(row), &fields).await.0
        };

        let old = house.prepare(&hand, &path(&one), &first).await.unwrap();
        let signed = hand.sign(&old, GOOD);
        house.prepare(&hand, &path(&two), &second).await.unwrap();
        assert_eq!(finish(&second, &two, &signed).await, 400, "replayed on another decision");
        let challenge = house.prepare(&hand, &path(&one), &first).await.unwrap();
        assert_eq!(
            finish(&first, &one, &signed).await,
            400,
            "replayed on the same, the nonce is new"
        );
        assert_eq!(finish(&first, &one, &hand.sign(&challenge, GOOD)).await, 400, "used up");

        let challenge = house.prepare(&hand, &path(&one), &first).await.unwrap();
        assert_eq!(finish(&first, &one, &stranger.sign(&challenge, GOOD)).await, 400, "not theirs");
        for flags in [0, 1, 4] {
            let challenge = house.prepare(&hand, &path(&one), &first).await.unwrap();
            assert_eq!(finish(&first, &one, &hand.sign(&challenge, flags)).await, 400, "{flags}");
        }
        // Another outcome, reason or length than what was prepared.
        for (name, value) in [("outcome", "rejected"), ("reason", "other"), ("months", "36")] {
            let challenge = house.prepare(&hand, &path(&one), &first).await.unwrap();
            let mut other: Vec<_> = first.iter().filter(|f| f.0 != name).copied().collect();
            other.push((name, value));
            assert_eq!(finish(&other, &one, &hand.sign(&challenge, GOOD)).await, 400, "{name}");
        }
        // A counter that stands still: a copy of the key.
        assert_eq!(house.approve(&hand, &two, &[]).await.0, 303);
        let challenge = house.prepare(&hand, &path(&one), &first).await.unwrap();
        hand.counter.store(0, Ordering::SeqCst);
        assert_eq!(finish(&first, &one, &hand.sign(&challenge, GOOD)).await, 400, "the counter");
        hand.counter.store(1_000, Ordering::SeqCst);
        // An edit between showing and signing.
        let challenge = house.prepare(&hand, &path(&one), &first).await.unwrap();
        let mut edited = one.clone();
        edited.name = "edited".to_owned();
        house.put(edited, "another").await;
        assert_eq!(finish(&first, &one, &hand.sign(&challenge, GOOD)).await, 400, "edited");
        // Without a password that fits, the weaker way is closed too.
        let weak = [&second[..], &[("password", "x"), ("code", "000000")]].concat();
        assert_eq!(house.send(&hand.who, &path(&two), &weak).await.0, 400);
        assert_eq!(house.about(&one).await, [], "nothing was written");
        assert_eq!(house.about(&two).await.len(), 1);
    }
}

#[tokio::test]
async fn a_quorum_counts_each_person_once_and_a_race_once() {
    for house in everywhere("quorum").await {
        let rule = json!({"decisions": ["approval"], "roles": ["executive", "officer"], "quorum": 2, "valid_days": 10});
        house.rule(rule).await;
        let hands = [
            house.hand("first", "executive").await,
            house.hand("second", "officer").await,
            house.hand("third", "executive").await,
        ];
        let owner = house.hand("owner", "risk_owner").await;
        for round in 0..4 {
            let row = house.asset(&format!("host {round}"), "another").await;
            assert_eq!(house.approve(&hands[0], &row, &[]).await.0, 303);
            let waiting = house.about(&row).await;
            assert_eq!((waiting.len(), waiting[0].status.as_str()), (1, "proposed"));
            assert_eq!(decide::progress(&waiting[0]), (1, 2));
            assert_eq!(house.approve(&hands[0], &row, &[]).await.0, 400, "the same person again");
            let edit = format!("/row/decision/{}/delete", waiting[0].id);
            let fields = [("version", "1"), ("reason", "x")];
            assert_eq!(house.send(&hands[1].who, &edit, &fields).await.0, 409, "it is sealed");

            // Two last signatures at once.
            let (a, b) = tokio::join!(
                house.approve(&hands[1], &row, &[]),
                house.approve(&hands[2], &row, &[])
            );
            let decisions = house.about(&row).await;
            let approved: Vec<_> = decisions.iter().filter(|d| d.status == "approved").collect();
            assert_eq!(approved.len(), 1, "{a:?} {b:?} {decisions:?}");
            assert_eq!(decide::signatures(approved[0]).len(), 2);
            let until = approved[0].ends_at.unwrap();
            assert!(until <= house.store().now().plus_hours(240), "no longer than the rule says");
            let content = row.content().unwrap();
            assert_eq!(decide::flaws(approved[0], |_| Some(content.as_str())), []);
        }
        // Who voids whom: an edit begins anew, and a rejection ends it.
        let row = house.asset("edited", "another").await;
        assert_eq!(house.approve(&hands[0], &row, &[]).await.0, 303);
        let mut edited = row.clone();
        edited.name = "edited since".to_owned();
        let row = house.put(edited, "another").await;
        assert_eq!(house.approve(&hands[1], &row, &[]).await.0, 303);
        let waiting = house.about(&row).await;
        assert_eq!((waiting.len(), decide::progress(&waiting[0])), (1, (1, 2)), "{waiting:?}");
        let hash = row.content_hash().unwrap();
        let no = [("hash", hash.as_str()), ("outcome", "rejected"), ("reason", "no")];
        let path = format!("/row/asset/{}/decide", row.id);
        assert_eq!(house.sign(&hands[2], &path, &no).await.0, 303);
        assert_eq!(house.about(&row).await[0].status, "rejected");
        let refused = house.approve(&owner, &house.asset("x", "another").await, &[]).await;
        assert_eq!(refused.0, 403, "risk owners decide nothing about assets");
    }
}

#[tokio::test]
async fn a_confirmation_takes_what_the_rule_asks_of_what_it_confirms() {
    for house in everywhere("confirmed").await {
        let rule = json!({"decisions": ["shred"], "roles": ["executive", "officer"], "quorum": 2, "valid_days": 10});
        house.rule(rule).await;
        let (a, b) = (house.hand("a", "executive").await, house.hand("b", "officer").await);
        let id = house.store().new_id().unwrap();
        let mut shred = Row::new(Table::Decision, id, "shred", "old files");
        shred.status = "proposed".to_owned();
        let shred = house.put(shred, "another").await;
        for (hand, status) in [(&a, "proposed"), (&b, "approved")] {
            assert_eq!(house.approve(hand, &shred, &[]).await.0, 303);
            let confirmations = house.about(&shred).await;
            let [confirmation] = confirmations.as_slice() else { panic!("{confirmations:?}") };
            assert_eq!(
                (confirmation.kind.as_str(), confirmation.status.as_str()),
                ("confirmation", status)
            );
        }
        // A delegation may take two as well; it counts from the second on.
        house.rule(json!({"decisions": ["delegation"], "roles": ["executive", "officer"], "quorum": 2, "valid_days": 10})).await;
        let to = [("delegate", "b"), ("kinds", "approval"), ("days", "9"), ("reason", "away")];
        assert_eq!(house.sign(&a, "/delegations", &to).await.0, 303);
        let row = house.asset("host", "another").await;
        let acting = [("acting_for", "a")];
        assert_eq!(house.approve(&b, &row, &acting).await.0, 400, "one signature is not enough");
        let open = house.store().all(Table::Decision, &["delegation"]).await.unwrap();
        let join = format!("/delegations/{}/join", open[0].id);
        let yes = [("outcome", "approved"), ("reason", "fine")];
        assert_eq!(house.sign(&a, &join, &yes).await.0, 400, "the same person");
        assert_eq!(house.sign(&b, &join, &yes).await.0, 303);
        assert_eq!(house.approve(&b, &row, &acting).await.0, 303);
    }
}

#[tokio::test]
async fn the_command_verifies_from_the_folder_and_finds_what_was_forged() {
    let house = everywhere("command").await.remove(0);
    let hand = house.hand("executive", "executive").await;
    let row = house.asset("host", "another").await;
    assert_eq!(house.approve(&hand, &row, &[]).await.0, 303);
    let decision = house.about(&row).await.remove(0);
    let verify = |id: Id| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ume"));
        command
            .args(["decision", "verify", &id.to_string(), "--data"])
            .arg(house.served.folder.path());
        let output = command.env("LANG", "en_GB.UTF-8").env_remove("LC_ALL").output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = verify(decision.id);
    assert!(
        code == 0 && said.contains("1 signatures: 0 flaws") && said.contains("ES256"),
        "{said}"
    );
    let mut forged = decision.clone();
    forged.attributes["signatures"][0]["statement"]["signer"]["login"] = "someone".into();
    house.put(forged, "another").await;
    let (code, said) = verify(decision.id);
    assert!(code == 1 && said.contains("signature 1"), "{code} {said}");
    let id = house.store().new_id().unwrap();
    let old = house.put(Row::new(Table::Decision, id, "approval", "old"), "another").await;
    assert_eq!(verify(old.id).0, 3, "it holds no signatures");
}

#[tokio::test]
async fn two_first_signatures_at_once_are_one_decision() {
    for house in everywhere("race").await {
        let (a, b) = (house.hand("a", "executive").await, house.hand("b", "officer").await);
        for round in 0..4 {
            let row = house.asset(&format!("host {round}"), "another").await;
            let both = tokio::join!(house.approve(&a, &row, &[]), house.approve(&b, &row, &[]));
            let decisions = house.about(&row).await;
            // Done at once by one, or one after the other: each decision stands for itself.
            let signed: usize = decisions.iter().map(|d| decide::signatures(d).len()).sum();
            let passed = [both.0.0, both.1.0].into_iter().filter(|s| *s == 303).count();
            assert_eq!(signed, passed, "{both:?}");
            assert!(
                decisions.iter().all(|d| d.status == "approved" && passed > 0),
                "{decisions:?}"
            );
        }
    }
}

#[tokio::test]
async fn each_role_signs_what_the_table_and_the_policy_let_it() {
    for house in everywhere("roles").await {
        let asset = house.asset("host", "another").await;
        let id = house.store().new_id().unwrap();
        let risk = house.put(Row::new(Table::Risk, id, "risk", "a risk"), "another").await;
        let policy =
            json!({"decisions": ["review"], "roles": ["officer"], "quorum": 1, "valid_days": 9});
        house.rule(policy).await;
        for role in ROLES {
            let hand = house.hand(role, role).await;
            for row in [&asset, &risk] {
                for kind in ["approval", "exclusion", "exception", "review"] {
                    let hash = row.content_hash().unwrap();
                    let fields = [
                        ("hash", hash.as_str()),
                        ("outcome", "approved"),
                        ("reason", "looked at"),
                        ("kind", kind),
                    ];
                    let path = format!("/row/{}/{}/decide", row.table.name(), row.id);
                    let got = house.prepare(&hand, &path, &fields).await;
                    let may = scope(role, Action::Decide, row.table, false) == Some(Scope::All);
                    let admits = kind != "review" || role == "officer";
                    let status = got.as_ref().err().map_or(200, |e| e.0);
                    let expected = match (may, admits) {
                        (true, true) => 200,
                        (true, false) => 400,
                        (false, _) => 403,
                    };
                    // Who sees no such row is told that there is none.
                    let fits = status == expected || (!may && status == 404);
                    assert!(fits, "{role} {kind} {}: {got:?}", row.table.name());
                }
            }
        }
    }
}

#[tokio::test]
async fn someone_stands_in_for_another_for_a_time_and_hands_nothing_on() {
    for house in everywhere("delegation").await {
        let policy = json!({"decisions": ["approval"], "roles": ["executive"], "quorum": 1, "valid_days": 90});
        house.rule(policy).await;
        let giver = house.hand("giver", "executive").await;
        let holder = house.hand("holder", "risk_owner").await;
        let third = house.hand("third", "officer").await;
        let row = house.asset("host", "another").await;
        let acting = [("acting_for", "giver")];
        assert_eq!(house.approve(&holder, &row, &acting).await.0, 400, "nothing was delegated");
        let to_holder =
            [("delegate", "holder"), ("kinds", "approval"), ("days", "10"), ("reason", "away")];
        assert_eq!(house.sign(&giver, "/delegations", &to_holder).await.0, 303);

        assert_eq!(house.approve(&holder, &row, &[]).await.0, 403, "not in their own name");
        assert_eq!(house.approve(&holder, &row, &acting).await.0, 303);
        let decisions = house.about(&row).await;
        assert_eq!(text(&decisions[0], "signer"), "holder (giver)", "it names both");
        let exclusion = [acting[0], ("kind", "exclusion")];
        assert_eq!(house.approve(&holder, &row, &exclusion).await.0, 400, "another kind");
        let own = house.asset("theirs", "account:giver").await;
        assert_eq!(house.approve(&holder, &own, &acting).await.0, 400, "the giver's own change");
        // Nothing is handed on: neither by delegating in the giver's place, nor through the holder.
        let on = [
            ("delegate", "third"),
            ("kinds", "approval"),
            ("days", "5"),
            ("reason", "on"),
            acting[0],
        ];
        assert_eq!(house.sign(&holder, "/delegations", &on).await.0, 400);
        let own = &on[..4];
        assert_eq!(house.sign(&holder, "/delegations", own).await.0, 303, "their own rights");
        let fresh = house.asset("fresh", "another").await;
        assert_eq!(house.approve(&third, &fresh, &acting).await.0, 400, "not the giver's");
        let through = [("acting_for", "holder")];
        assert_eq!(
            house.approve(&third, &fresh, &through).await.0,
            403,
            "the holder has no such right"
        );

        // Ended by its giver; and another one by time.
        let all = house.store().all(Table::Decision, &["delegation"]).await.unwrap();
        let first = all.iter().find(|d| text(d, "delegate") == "holder").unwrap();
        let end = format!("/delegations/{}/end", first.id);
        assert_eq!(house.sign(&giver, &end, &[("reason", "back")]).await.0, 303);
        assert_eq!(house.approve(&holder, &fresh, &acting).await.0, 400, "ended");
        assert_eq!(house.sign(&giver, "/delegations", &to_holder).await.0, 303);
        house.pass(9);
        let holder = house.again(holder).await;
        assert_eq!(house.approve(&holder, &fresh, &acting).await.0, 303);
        house.pass(2);
        let holder = house.again(holder).await;
        assert_eq!(house.approve(&holder, &fresh, &acting).await.0, 400, "expired");
    }
}

#[tokio::test]
async fn nobody_approves_their_own_change_unless_an_exception_is_signed() {
    for house in everywhere("own").await {
        let officer = house.hand("officer", "officer").await;
        let executive = house.hand("executive", "executive").await;
        let owner = house.hand("owner", "risk_owner").await;
        let row = house.asset("host", "account:officer").await;
        assert_eq!(house.approve(&officer, &row, &[]).await.0, 400);
        let id = house.store().new_id().unwrap();
        let mut rule = Row::new(Table::Rule, id, "approval_policy", "small");
        rule.attributes = json!({
            "decisions": ["approval"], "roles": ["officer", "executive"], "quorum": 1, "valid_days": 90,
            "self_approval": true,
        })
        .as_object()
        .cloned()
        .unwrap();
        let rule = house.put(rule, "account:officer").await;
        assert_eq!(house.approve(&officer, &row, &[]).await.0, 400, "no exception was signed");
        let exception = [("kind", "exception"), ("months", "36")];
        assert_eq!(house.approve(&officer, &rule, &exception).await.0, 400, "nor by themselves");
        assert_eq!(house.approve(&owner, &rule, &exception).await.0, 403);
        assert_eq!(house.approve(&executive, &rule, &exception).await.0, 303);
        let signed = house.about(&rule).await;
        let year = house.store().now().plus_hours(12 * 730);
        assert!(signed[0].ends_at.unwrap() <= year, "a year at most");
        assert_eq!(house.approve(&officer, &row, &[]).await.0, 303);
        let decisions = house.about(&row).await;
        assert_eq!(text(&decisions[0], "self_approval"), signed[0].id.to_string());
        let path = format!("/row/asset/{}", row.id);
        let request = house.served.request(Method::GET, &path);
        let page = request.header(header::COOKIE, &officer.who.cookie).send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("connect-src 'self'"), "{policy}");
        let page = page.text().await.unwrap();
        assert!(page.contains("self-approved") && page.contains("passkey (strong signature)"));
        house.pass(366);
        let officer = house.again(officer).await;
        let late = house.asset("late", "account:officer").await;
        assert_eq!(house.approve(&officer, &late, &[]).await.0, 400, "the exception expired");
    }
}

impl House {
    /// The same hand in a new session, the old one having ended with the time.
    async fn again(&self, hand: Hand) -> Hand {
        let token = self.store().open_session(hand.account, "full", "test").await.unwrap();
        let session = self.store().session(&token, 8, 168).await.unwrap().unwrap();
        Hand { who: Browser { cookie: format!("ume={token}"), csrf: session.csrf }, ..hand }
    }
}

/// A review with everything a signature needs, prepared by this officer.
async fn prepared_review(house: &House, officer: &Hand, owner: &Row) -> Row {
    let today = house.store().now().rfc3339().chars().take(10).collect::<String>();
    let begin = [("held_on", today.as_str())];
    assert_eq!(house.send(&officer.who, "/review/begin", &begin).await.0, 303);
    let reviews = house.store().all(Table::Plan, &["management_review"]).await.unwrap();
    let row = reviews.into_iter().max_by_key(|row| row.id).unwrap();
    let owner = owner.id.to_string();
    let mut form = vec![("text", "直す"), ("owner", owner.as_str()), ("due", "2099-01-05")];
    form.extend(
        ["reason_a", "reason_b", "reason_c", "reason_e", "reason_g"].map(|name| (name, "初回")),
    );
    let save = format!("/review/{}/save", row.id);
    assert_eq!(house.send(&officer.who, &save, &form).await.0, 303);
    house.store().row(Table::Plan, row.id).await.unwrap().unwrap()
}

impl House {
    async fn sign_review(&self, hand: &Hand, row: &Row, more: &[(&str, &str)]) -> (u16, String) {
        let hash = row.content_hash().unwrap();
        let fields = [("hash", hash.as_str()), ("reason", "looked at")];
        let path = format!("/review/{}/sign", row.id);
        self.sign(hand, &path, &[&fields[..], more].concat()).await
    }

    /// Decisions that hold, instructions, tasks and records of reviews.
    async fn review_state(&self) -> (usize, usize, usize, usize) {
        let held = self.store().all(Table::Decision, &["review_held"]).await.unwrap();
        let given = self.store().all(Table::Decision, &["review_instruction"]).await.unwrap();
        let tasks = self.store().all(Table::Task, &["task"]).await.unwrap();
        let packs = self.store().newest_records(&["isms.review_pack"], None, 9).await.unwrap();
        let held = held.iter().filter(|d| d.status == "approved").count();
        (held, given.len(), tasks.len(), packs.len())
    }
}

#[tokio::test]
async fn a_management_review_takes_the_executives_that_the_policy_asks_for_by_passkey() {
    for house in everywhere("review").await {
        let rule = json!({"decisions": ["review_held"], "roles": ["executive"], "quorum": 2, "valid_days": 100});
        house.rule(rule).await;
        let officer = house.hand("officer", "officer").await;
        let first = house.hand("first", "executive").await;
        let second = house.hand("second", "executive").await;
        let holder = house.hand("holder", "risk_owner").await;
        let owner = Row::new(Table::Party, house.store().new_id().unwrap(), "person", "担当");
        let owner = house.put(owner, "another").await;
        let row = prepared_review(&house, &officer, &owner).await;

        let (status, said) = house.sign_review(&officer, &row, &[]).await;
        assert!(status == 400 && said.contains("Only an executive"), "{said}");
        assert_eq!(house.sign_review(&first, &row, &[]).await.0, 303);
        assert_eq!(house.review_state().await, (0, 0, 0, 0), "one of two sets nothing going");
        assert_eq!(house.sign_review(&first, &row, &[]).await.0, 400, "the same person again");
        let page = house.served.request(Method::GET, &format!("/review/{}", row.id));
        let page = page.header(header::COOKIE, &second.who.cookie).send().await.unwrap();
        let page = page.text().await.unwrap();
        assert!(page.contains("Signatures: 1/2") && page.contains("data-with-passkey"), "{page}");

        // An edit voids the first signature.
        let save = format!("/review/{}/save", row.id);
        assert_eq!(house.send(&officer.who, &save, &[("conclusion", "適切")]).await.0, 303);
        let edited = house.store().row(Table::Plan, row.id).await.unwrap().unwrap();
        assert_eq!(house.sign_review(&second, &row, &[]).await.0, 400, "not what was shown");
        let row = prepared_again(&house, &officer, edited).await;
        assert_eq!(house.sign_review(&second, &row, &[]).await.0, 303);
        assert_eq!(house.review_state().await, (0, 0, 0, 0));

        // Whom an executive lets stand in signs for them, and for nobody else.
        let acting = [("acting_for", "first")];
        assert_eq!(house.sign_review(&holder, &row, &acting).await.0, 400, "nothing delegated");
        let give =
            [("delegate", "holder"), ("kinds", "review_held"), ("days", "10"), ("reason", "away")];
        assert_eq!(house.sign(&first, "/delegations", &give).await.0, 303);
        assert_eq!(house.sign_review(&holder, &row, &[]).await.0, 400, "not in their own name");
        assert_eq!(house.sign_review(&holder, &row, &acting).await.0, 303);
        assert_eq!(house.review_state().await, (1, 1, 1, 1));
        let held = house.store().all(Table::Decision, &["review_held"]).await.unwrap();
        let held = held.iter().find(|d| d.status == "approved").unwrap();
        assert_eq!(decide::progress(held), (2, 2));
        assert_eq!(text(held, "method"), decide::PASSKEY);
        assert!(
            held.ends_at.unwrap() <= house.store().now().plus_hours(2_400),
            "the policy's time"
        );
        let content = row.content().unwrap();
        assert_eq!(decide::flaws(held, |_| Some(content.as_str())), []);
        assert_eq!(house.sign_review(&first, &row, &[]).await.0, 400, "signed already");
        assert_eq!(house.review_state().await, (1, 1, 1, 1));

        // Who prepared a review does not sign it, executive or not.
        let own = prepared_review(&house, &officer, &owner).await;
        let mut changed = own.clone();
        changed.attributes.insert("conclusion".into(), json!("自分で書いた"));
        let changed = house.put(changed, "account:first").await;
        let (status, said) = house.sign_review(&first, &changed, &[]).await;
        assert!(status == 400 && said.contains("changed last yourself"), "{said}");
        assert_eq!(house.sign_review(&second, &changed, &[]).await.0, 303);
    }
}

/// Saving a form leaves out the reasons it does not send: they are given again.
async fn prepared_again(house: &House, officer: &Hand, row: Row) -> Row {
    let letters = ["reason_a", "reason_b", "reason_c", "reason_e", "reason_g"];
    let mut form = vec![("conclusion", "適切")];
    form.extend(letters.map(|name| (name, "初回")));
    let save = format!("/review/{}/save", row.id);
    assert_eq!(house.send(&officer.who, &save, &form).await.0, 303);
    house.store().row(Table::Plan, row.id).await.unwrap().unwrap()
}

impl House {
    /// The page, which may cost no more than a few statements.
    async fn page(&self, hand: &Hand, path: &str) -> String {
        let request = self.served.request(Method::GET, path);
        let response = request.header(header::COOKIE, &hand.who.cookie).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let cost = response.headers()["server-timing"].to_str().unwrap().to_owned();
        let statements = cost.split(['"', ' ']).find_map(|word| word.parse::<u64>().ok());
        assert!(statements.unwrap() <= 8, "{path}: {cost}");
        response.text().await.unwrap()
    }

    async fn open_tasks(&self) -> Vec<Row> {
        self.store().open_tasks(100).await.unwrap()
    }
}

#[tokio::test]
async fn an_executive_instructs_about_a_drop_and_about_a_threat_and_it_is_reported_back() {
    for house in everywhere("executive").await {
        let executive = house.hand("chief", "executive").await;
        let second = house.hand("second", "executive").await;
        let officer = house.hand("officer", "officer").await;
        let owner = Row::new(Table::Party, house.store().new_id().unwrap(), "person", "担当者");
        let owner = house.put(owner, "another").await.id.to_string();

        // 8.9 drops, by the hall's own hand: the board says 未達 where 竹 was recorded.
        house.store().set_setting("recorded_level:8.9", "take").await.unwrap();
        let board = isms::compute(house.store(), &rooms::ROOMS).await.unwrap();
        isms::work::record_levels(house.store(), &board).await.unwrap();
        isms::drops::answer(house.store()).await.unwrap();
        let records = house.store().newest_records(&["isms.level_changed"], None, 9).await.unwrap();
        let drop = records.iter().find(|r| r.facts["control"] == "8.9").unwrap();
        assert_eq!(drop.facts["cause"], "8.9/ume-1", "the lowest criterion that is missed");
        let spec = isms::SPEC.records.iter().find(|r| r.ty == drop.ty).unwrap();
        assert_eq!(spec.validate(&drop.facts), []);

        let path = format!("/review/drop/{}", drop.id);
        let page = house.page(&executive, &path).await;
        for told in
            ["竹 → 未達", "8.9/ume-1", "8.9/take-1", "Work to lift it back", "data-with-passkey"]
        {
            assert!(page.contains(told), "{told}: {page}");
        }
        assert!(!page.contains("No details were kept"), "they were kept");
        assert!(house.page(&officer, "/review").await.contains(&path));
        let page = house.page(&officer, &path).await;
        assert!(page.contains("An executive instructs") && !page.contains("data-with-passkey"));
        let task =
            house.store().row(Table::Task, isms::drops::task_id(drop)).await.unwrap().unwrap();
        let hash = task.content_hash().unwrap();
        let instruct = format!("{path}/instruct");
        let order = [
            ("hash", hash.as_str()),
            ("order", "台帳を今月中に直す"),
            ("owner", owner.as_str()),
            ("due", "2099-01-31"),
            ("reason", "放置できない"),
        ];
        assert_eq!(house.sign(&officer, &instruct, &order).await.0, 400, "executives only");
        for (at, wrong) in [(1, " "), (2, "nobody"), (3, "2001-01-01"), (4, " ")] {
            let mut form = order;
            form[at].1 = wrong;
            assert_eq!(house.sign(&executive, &instruct, &form).await.0, 400, "{wrong}");
        }
        let before = house.open_tasks().await.len();
        assert_eq!(house.sign(&executive, &instruct, &order).await.0, 303);
        assert_eq!(house.sign(&executive, &instruct, &order).await.0, 400, "once");
        let given = house.store().all(Table::Decision, &["review_instruction"]).await.unwrap();
        assert_eq!((given.len(), text(&given[0], "method")), (1, decide::PASSKEY));
        let content = task.content().unwrap();
        assert_eq!(decide::flaws(&given[0], |_| Some(content.as_str())), []);
        let tasks = house.open_tasks().await;
        assert_eq!(tasks.len(), before + 1);
        let made = tasks.iter().find(|t| t.subject == Some(given[0].id)).unwrap();
        assert_eq!((text(made, "assignee"), text(made, "due")), (owner.as_str(), "2099-01-31"));
        let all = isms::SPEC.others.iter().find(|k| k.id == "task").unwrap();
        assert_eq!(all.validate(&made.attributes), []);
        assert!(house.page(&executive, &path).await.contains("台帳を今月中に直す"));

        // Where the policy asks for two, the first sets nothing going.
        house.rule(json!({"decisions": ["review_instruction"], "roles": ["executive"], "quorum": 2, "valid_days": 30})).await;
        let mut more = order;
        more[1].1 = "予備も用意する";
        assert_eq!(house.sign(&executive, &instruct, &more).await.0, 303);
        assert_eq!(house.open_tasks().await.len(), before + 1);
        assert!(house.page(&second, &path).await.contains("Waits for signatures"));
        assert_eq!(house.sign(&second, &instruct, &more).await.0, 303);
        assert_eq!(house.open_tasks().await.len(), before + 2);

        // A threat is brought before the executives at once, and instructed about.
        let mut threat =
            Row::new(Table::Asset, house.store().new_id().unwrap(), "intel_item", "VPNの脆弱性");
        threat.attributes = json!({
            "received": "2026-01-02", "field": "technical", "tlp": "amber", "urgent": true,
            "impact": "社内に侵入される",
        })
        .as_object()
        .cloned()
        .unwrap();
        let threat = house.put(threat, "another").await;
        let path = format!("/review/threat/{}", threat.id);
        let page = house.page(&officer, &path).await;
        assert!(page.contains("社内に侵入される") && page.contains("It waits for instructions"));
        assert_eq!(house.send(&officer.who, &format!("{path}/raise"), &[]).await.0, 303);
        assert_eq!(house.send(&officer.who, &format!("{path}/raise"), &[]).await.0, 303);
        let raised: Vec<Row> = house.open_tasks().await;
        let raised: Vec<&Row> = raised.iter().filter(|t| t.subject == Some(threat.id)).collect();
        assert_eq!((raised.len(), text(raised[0], "role")), (1, "executive"));
        assert_eq!(all.validate(&raised[0].attributes), []);
        let zone = jiff::tz::TimeZone::UTC;
        notices::triggers::Triggers::default().run(house.store(), &zone).await.unwrap();
        let account = executive.account;
        let told = house.store().notices_of(account, 50).await.unwrap();
        assert!(told.iter().any(|n| n.facts["task"] == "VPNの脆弱性"), "told at once: {told:?}");
        // A risk is linked to it, and instructed about: it changes with the last signature.
        let id = house.store().new_id().unwrap();
        let mut risk = Row::new(Table::Risk, id, "risk", "社外からの侵入");
        risk.attributes =
            json!({"scenario": "s", "treatment": "retain"}).as_object().cloned().unwrap();
        let risk = house.put(risk, "another").await;
        let now = isms::compute(house.store(), &rooms::ROOMS).await.unwrap();
        house.served.board.put(now);
        let risk_id = risk.id.to_string();
        let named = [("risk", risk_id.as_str())];
        let link = format!("{path}/risk");
        assert_eq!(house.send(&executive.who, &link, &named).await.0, 403, "not an executive's");
        let unknown = [("risk", "01a21219-a400-7845-9dc4-64455f9804d9")];
        assert_eq!(house.send(&officer.who, &link, &unknown).await.0, 404);
        for _ in 0..2 {
            assert_eq!(house.send(&officer.who, &link, &named).await.0, 303);
        }
        let links = house.store().rows_about(Table::Link, &[threat.id]).await.unwrap();
        assert_eq!((links.len(), links[0].subject), (1, Some(risk.id)), "linked once");
        assert!(house.page(&officer, &path).await.contains(&format!("/risks/{risk_id}")));
        let hash = threat.content_hash().unwrap();
        let mut form = order.to_vec();
        form[0].1 = hash.as_str();
        form.push(named[0]);
        let instruct = format!("{path}/instruct");
        assert_eq!(house.sign(&executive, &instruct, &form).await.0, 303);
        let same = house.store().row(Table::Risk, risk.id).await.unwrap().unwrap();
        assert_eq!(same.version, risk.version, "one signature is not enough");
        assert_eq!(house.sign(&second, &instruct, &form).await.0, 303);
        assert!(house.page(&executive, &path).await.contains("It was instructed"));
        let changed = house.store().row(Table::Risk, risk.id).await.unwrap().unwrap();
        assert!(text(&changed, "measures").contains("台帳を今月中に直す"));
        let tasks = house.store().rows_about(Table::Task, &[risk.id]).await.unwrap();
        assert_eq!(tasks.len(), 1);

        // The next review reports what is open.
        let gathered = isms::review::Gathered::load(house.store(), &board).await.unwrap();
        let inputs = isms::review::draw(&gathered, house.store().now());
        let lines: Vec<&str> =
            inputs[0].sections.iter().flat_map(|s| &s.lines).map(|l| l.ja.as_str()).collect();
        for said in ["台帳を今月中に直す", "予備も用意する"] {
            assert!(lines.iter().any(|l| l.contains(said)), "{said}: {lines:?}");
        }
    }
}
