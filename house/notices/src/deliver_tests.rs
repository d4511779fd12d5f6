use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use serde_json::json;
use store::Preference;

use super::*;
use crate::event::{Audience, Event, tell};

/// A store whose mail server and webhook are a port on which nothing listens.
async fn bench() -> (Store, Arc<AtomicI64>, tempfile::TempDir, Id) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let time = Arc::new(AtomicI64::new(Timestamp::parse("2026-11-25T03:00:00Z").unwrap().0));
    let clock = time.clone();
    let store =
        Store::open(folder.path(), Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))))
            .await
            .unwrap();
    let account = store.add_account("umeko", "officer", "-").await.unwrap();
    let settings = Settings {
        smtp_host: "127.0.0.1".to_owned(),
        smtp_port: port,
        smtp_security: settings::Security::None,
        from: "ume@example.jp".to_owned(),
        webhook_url: format!("http://127.0.0.1:{port}/"),
        webhook_private: false,
        ..Settings::default()
    };
    let secrets = Secrets { webhook_secret: "x".repeat(20), ..Secrets::default() };
    settings::save(&store, &settings, &secrets).await.unwrap();
    let preference = Preference {
        mail: "umeko@example.jp".to_owned(),
        zone: "Asia/Tokyo".to_owned(),
        ..Preference::default()
    };
    store.set_preference(account, &preference).await.unwrap();
    (store, time, folder, account)
}

async fn tell_one(store: &Store, key: &str) {
    let (settings, _) = settings::load(store).await.unwrap();
    let readers = store.readers().await.unwrap();
    let event =
        Event::new("test", key.to_owned(), Audience::roles(&["officer"]), json!({}), "/notices");
    tell(store, &settings, &readers, &event).await.unwrap();
}

#[tokio::test]
async fn while_the_servers_are_away_the_queue_waits_and_keeps_the_reason() {
    let (store, time, _folder, _) = bench().await;
    tell_one(&store, "a").await;
    let done = deliver(&store, &TimeZone::UTC).await.unwrap();
    assert_eq!(done, Delivered { mails: 0, webhooks: 0, failed: 2 });
    assert!(store.due_notices("mail", 9).await.unwrap().is_empty(), "not at once again");
    let queue = store.notice_queue().await.unwrap();
    assert!(queue.iter().all(|q| q.state == "queued" && !q.error.is_empty()), "{queue:?}");
    let hook = queue.iter().find(|q| q.channel == "webhook").unwrap();
    assert!(hook.error.contains("127.0.0.1, which is not public"), "{}", hook.error);
    time.fetch_add(20 * 1_000_000, Ordering::SeqCst);
    let again = store.due_notices("mail", 9).await.unwrap();
    assert_eq!((again.len(), again[0].attempts), (1, 1));
}

#[tokio::test]
async fn one_claim_wins_and_a_lost_claim_comes_round_again() {
    let (store, time, _folder, _) = bench().await;
    tell_one(&store, "a").await;
    let due = store.due_notices("mail", 9).await.unwrap();
    assert_eq!(claim(&store, &due).await.unwrap().len(), 1);
    assert_eq!(claim(&store, &due).await.unwrap().len(), 0, "another node has it");
    time.fetch_add((CLAIM_SECONDS + 1) * 1_000_000, Ordering::SeqCst);
    assert_eq!(store.due_notices("mail", 9).await.unwrap().len(), 1, "that node died");
}

#[tokio::test]
async fn in_quiet_hours_nothing_is_tried() {
    let (store, _, _folder, account) = bench().await;
    tell_one(&store, "a").await;
    let noon = Preference {
        quiet: Some((11 * 60, 14 * 60)),
        ..store.reader(account).await.unwrap().unwrap().preference
    };
    store.set_preference(account, &noon).await.unwrap();
    deliver(&store, &TimeZone::UTC).await.unwrap();
    let queue = store.notice_queue().await.unwrap();
    let mail = queue.iter().find(|q| q.channel == "mail").unwrap();
    assert_eq!((mail.state.as_str(), mail.error.as_str()), ("queued", ""), "12:00 in Tokyo");
}

#[tokio::test]
async fn a_reader_without_an_address_any_more_gets_nothing_and_it_shows() {
    let (store, _, _folder, account) = bench().await;
    tell_one(&store, "a").await;
    store.set_preference(account, &Preference::default()).await.unwrap();
    deliver(&store, &TimeZone::UTC).await.unwrap();
    let queue = store.notice_queue().await.unwrap();
    let mail = queue.iter().find(|q| q.channel == "mail").unwrap();
    assert_eq!((mail.state.as_str(), mail.error.as_str()), ("failed", "no address any more"));
}
