//! The door under attack, through the real routes, store and ledger.

mod hall;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use store::AccountChange;
use tower::ServiceExt;
use web::{House, Shared, secrets};

const WORD: &str = "plum blossoms in march";
const EVIL: &str = "198.51.100.7:4000";
const HOME: &str = "192.0.2.1:5000";

struct Door {
    house: Shared,
    app: Router,
    _folder: tempfile::TempDir,
}

impl Door {
    async fn open() -> Door {
        let folder = tempfile::tempdir().expect("folder");
        let store = store::Store::open(folder.path(), store::system_clock()).await.expect("store");
        let ledger = ledger::Ledger::open(&folder.path().join("ledger"), "ume.local/test");
        let house = Arc::new(House {
            buckets: web::api::limit::Buckets::new(1_000_000),
            ..House::new(
                store,
                ledger.expect("ledger"),
                folder.path().join("stream"),
                Vec::new(),
                &hall::HALL,
            )
        });
        let hash = secrets::hash_password(WORD).expect("hash");
        for login in ["umeko", "takeo"] {
            house.store.add_account(login, "officer", &hash).await.expect("account");
        }
        let app = web::finish(web::routes(), house.clone());
        Door { house, app, _folder: folder }
    }

    async fn send(&self, mut request: Request<Body>, from: &str) -> (StatusCode, String) {
        let from: SocketAddr = from.parse().expect("address");
        request.extensions_mut().insert(ConnectInfo(from));
        let answer = self.app.clone().oneshot(request).await.expect("answer");
        let to = answer.headers().get(header::LOCATION).and_then(|v| v.to_str().ok());
        (answer.status(), to.unwrap_or("").to_owned())
    }

    /// Tries a password; true if it leads on.
    async fn login(&self, login: &str, word: &str, from: &str) -> bool {
        let body = format!("login={login}&password={}", urlencoding::encode(word));
        let request = Request::post("/login")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .expect("request");
        let (status, to) = self.send(request, from).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::SEE_OTHER), "{status}");
        to.starts_with("/second-factor")
    }

    async fn get(&self, path: &str, token: &str) -> (StatusCode, String) {
        let request = Request::get(path)
            .header(header::COOKIE, format!("ume={token}"))
            .body(Body::empty())
            .expect("request");
        self.send(request, HOME).await
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_failed_sign_ins_at_one_account_leave_others_and_memory_alone() {
    let door = Arc::new(Door::open().await);
    assert!(door.login("takeo", WORD, HOME).await);
    let before = resident_kib();
    const EACH: usize = 625;
    let attackers = (0..16).map(|_| {
        let door = door.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                assert!(!door.login("umeko", &format!("a wrong guess {n}"), EVIL).await);
            }
        })
    });
    let attackers: Vec<_> = attackers.collect();
    // In the thick of it, from elsewhere and from the very same address.
    assert!(door.login("takeo", WORD, HOME).await);
    assert!(door.login("takeo", WORD, EVIL).await);
    assert!(door.login("umeko", WORD, HOME).await, "the owner, from home");
    for attacker in attackers {
        attacker.await.expect("attacker");
    }
    assert!(!door.login("umeko", WORD, EVIL).await, "even the right word must wait there");
    assert!(door.login("takeo", WORD, EVIL).await);

    let refused = door.house.people.sign_ins.take_refused();
    let umeko = door.house.store.account("umeko").await.expect("store").expect("account");
    let counts = refused[&Some(umeko.id)];
    assert_eq!((refused.len(), counts.count), (1, 16 * EACH as u64 + 1));
    let tried = counts.count - counts.throttled;
    assert!((6..20).contains(&tried), "{tried} were let through");
    let (lines, lost) = door.house.people.sign_ins.take();
    assert_eq!(lines.len() as u64 + lost, counts.count);
    assert!(door.house.people.throttle.held() < 20);
    let grown = resident_kib().saturating_sub(before);
    // Two hashes at once at most, of 19 MiB each, whichever threads compute them.
    assert!(grown < 128 * 1024, "{grown} KiB");
}

#[tokio::test]
async fn a_password_alone_opens_nothing_and_a_disabled_account_is_out_at_once() {
    let door = Door::open().await;
    let account = door.house.store.account("umeko").await.expect("store").expect("account");
    let half = door.house.store.open_session(account.id, "password", "").await.expect("session");
    let full = door.house.store.sign_in(account.id, "password+totp", "").await.expect("session");
    for path in ["/people", "/people/me", "/people/me/password", "/people/confirm", "/ledger"] {
        let (status, to) = door.get(path, &half).await;
        assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "/second-factor"), "{path}");
        assert_eq!(door.get(path, &full).await.0, StatusCode::OK, "{path}");
        assert!(door.get(path, "").await.1.starts_with("/login"), "{path}");
    }
    let out = door.house.store.change_account("test", &account, AccountChange::Disable).await;
    assert!(out.expect("store"));
    assert!(door.get("/people/me", &full).await.1.starts_with("/login"));
    assert!(!door.login("umeko", WORD, HOME).await);
}

#[tokio::test]
async fn a_first_password_opens_only_the_page_that_changes_it() {
    let door = Door::open().await;
    let account = door.house.store.account("takeo").await.expect("store").expect("account");
    let hash = secrets::hash_password("another word than before").expect("hash");
    let change = AccountChange::Password { hash: &hash, must_change: true };
    door.house.store.change_account("test", &account, change).await.expect("store");
    let token = door.house.store.sign_in(account.id, "password+totp", "").await.expect("session");
    for path in ["/people", "/ledger", "/search", "/records"] {
        assert_eq!(door.get(path, &token).await.1, "/people/me/password", "{path}");
    }
    assert_eq!(door.get("/people/me/password", &token).await.0, StatusCode::OK);
}

#[tokio::test]
async fn roles_without_accounts_to_keep_see_their_own_page_only() {
    let door = Door::open().await;
    let hash = secrets::hash_password(WORD).expect("hash");
    for role in web::access::ROLES {
        let login = format!("a {role}");
        let id = door.house.store.add_account(&login, role, &hash).await.expect("account");
        let token = door.house.store.sign_in(id, "password+totp", "").await.expect("session");
        assert_eq!(door.get("/people/me", &token).await.0, StatusCode::OK, "{role}");
        let keeps = matches!(role, "officer" | "administrator");
        let want = if keeps { StatusCode::OK } else { StatusCode::FORBIDDEN };
        for path in ["/people".to_owned(), format!("/people/{id}")] {
            assert_eq!(door.get(&path, &token).await.0, want, "{role} {path}");
        }
    }
}
