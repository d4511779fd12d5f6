//! The client's side of RFC 3161: one authority.

use ledger::{Ledger, Stamped, outside::Authority};
use model::Timestamp;
use reqwest::Client;
use timestamp::{ANSWER_BYTES_MAX, Anchors, Request, verify};
use tokio::sync::Mutex;

use crate::http;

/// Has the newest checkpoint stamped, verifies the stamp, keeps it.
pub(crate) async fn ask(
    client: &Client,
    authority: &Authority,
    ledger: &Mutex<Ledger>,
    now: impl Fn() -> Timestamp,
) -> Result<Stamped, String> {
    let anchors = Anchors::from_pem(&authority.anchors).map_err(|e| e.to_string())?;
    let note = ledger.lock().await.note_to_stamp().map_err(|e| e.to_string())?;
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|_| "no randomness from the operating system")?;
    let request = Request::over(note.to_string().as_bytes(), u64::from_be_bytes(nonce));
    let (kind, body) = (Request::TYPE, request.to_der());
    let answer = http::post(client, &authority.url, kind, body, ANSWER_BYTES_MAX).await?;
    if answer.status != 200 {
        return Err(answer.refusal());
    }
    let at = now().0.div_euclid(1_000_000);
    verify(&answer.body, &request, &anchors, at).map_err(|e| e.to_string())?;
    let mut ledger = ledger.lock().await;
    let kept = ledger.keep_stamp(&authority.name, &note, &answer.body, &authority.anchors);
    kept.map_err(|e| e.to_string())
}
