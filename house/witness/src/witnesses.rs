//! The client's side of c2sp.org/tlog-witness: one witness, from what it has seen to what we have.

use ledger::{Cosigned, Ledger, outside::Witness};
use merkle::{AddCheckpoint, MAX_WITNESS_BYTES, SIZE_TYPE, VerifierKey, cosignature_in, size_in};
use reqwest::Client;
use tokio::sync::Mutex;

use crate::http;

const BODY_TYPE: &str = "text/plain; charset=utf-8";

/// What a witness says to one request.
enum Said {
    Cosigned(Box<Cosigned>),
    /// It has seen another size.
    Seen(u64),
    /// The proof does not lead from its tree to ours.
    NoProof,
}

/// Asks a witness to cosign the newest checkpoint, from where it says it is.
pub(crate) async fn ask(
    client: &Client,
    witness: &Witness,
    ledger: &Mutex<Ledger>,
) -> Result<Cosigned, String> {
    let key = witness.key().map_err(|e| e.to_string())?;
    let old = ledger.lock().await.cosigned_size(&key).map_err(|e| e.to_string())?;
    let seen = match once(client, witness, &key, ledger, old).await? {
        (_, Said::Cosigned(cosigned)) => return Ok(*cosigned),
        (asked, Said::Seen(size)) if size > asked.checkpoint().size() => {
            return Err(doubt(ledger, &key, size).await);
        }
        (_, Said::Seen(size)) if size == old => {
            return Err(format!("refuses to go on from {old} leaves, which it has cosigned"));
        }
        (_, Said::Seen(size)) => size,
        // What it cosigned itself is the past of this log; so it contradicts itself, or we its answer.
        (_, Said::NoProof) if old > 0 => {
            return Err(format!("refuses the proof from {old} leaves, which it has cosigned"));
        }
        (_, Said::NoProof) => return Err("refuses a first checkpoint".to_owned()),
    };
    // It was ahead of what we knew: a lost answer, or a restored backup of ours.
    match once(client, witness, &key, ledger, seen).await? {
        (_, Said::Cosigned(cosigned)) => Ok(*cosigned),
        (_, Said::NoProof) => Err(doubt(ledger, &key, seen).await),
        (asked, Said::Seen(size)) if is_other_history(&asked, size) => {
            Err(doubt(ledger, &key, size).await)
        }
        (_, Said::Seen(size)) => Err(format!("said {seen} leaves, then {size}")),
    }
}

/// A size above ours, or the same size refused: it has cosigned what this log is not.
fn is_other_history(asked: &AddCheckpoint, seen: u64) -> bool {
    let size = asked.checkpoint().size();
    seen > size || (seen == size && asked.old() == size)
}

/// Stops the ledger at a witness's word of another history.
async fn doubt(ledger: &Mutex<Ledger>, key: &VerifierKey, size: u64) -> String {
    let mut ledger = ledger.lock().await;
    let own = ledger.size();
    match ledger.doubt(key.name(), size) {
        Ok(true) => format!(
            "has cosigned {size} leaves that this log of {own} does not extend; the ledger takes nothing until this is decided"
        ),
        Ok(false) => format!("has cosigned {size} leaves of an end that was given up"),
        Err(error) => format!("has seen another history, and that could not be kept: {error}"),
    }
}

async fn once(
    client: &Client,
    witness: &Witness,
    key: &VerifierKey,
    ledger: &Mutex<Ledger>,
    old: u64,
) -> Result<(AddCheckpoint, Said), String> {
    let asked = ledger.lock().await.witness_request(old).map_err(|e| e.to_string())?;
    let body = asked.to_string().into_bytes();
    let answer = http::post(client, &witness.address(), BODY_TYPE, body, MAX_WITNESS_BYTES).await?;
    let said = match answer.status {
        200 => {
            let line =
                cosignature_in(&answer.body, asked.note(), key).map_err(|e| e.to_string())?;
            let kept = ledger.lock().await.keep_cosignature(key, &asked, &line);
            Said::Cosigned(Box::new(kept.map_err(|e| e.to_string())?))
        }
        409 if answer.content_type == SIZE_TYPE => {
            Said::Seen(size_in(&answer.body).map_err(|e| e.to_string())?)
        }
        422 => Said::NoProof,
        _ => return Err(answer.refusal()),
    };
    Ok((asked, said))
}
