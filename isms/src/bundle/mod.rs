//! The audit bundle: one ZIP from which anyone can verify, away from this server and without Ume, what
//! the ISMS rests on. Statement of Applicability, the leaves of the ledger behind it, what they commit
//! to, a proof for each, the signed checkpoint, and the verifier itself.
//!
//! A bundle is known by the SHA-256 of its manifest, which names every other file by hash: so it stays
//! the same bundle when it is unpacked and packed again. The ledger's key signs that hash, and a record
//! `isms.export_run` says that it was issued.

pub mod choose;
pub mod container;
mod judge;
mod make;
pub mod manifest;
mod papers;
pub mod verdict;

use std::collections::BTreeMap;

use ledger::{Ledger, LedgerError};
use model::{Assurance, Text, t};
use serde_json::json;
use store::{RecordDraft, Store, StoreError};
use tokio::sync::Mutex;

use crate::{Board, PastError};

pub use choose::Scope;
use judge::judge;
pub use judge::{Fault, Report};
pub use make::{Draft, LEAVES_MAX, Wish, draft};

/// Type of the record that says a bundle was issued.
pub const ISSUED: &str = "isms.export_run";

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("the time asked for lies in the future")]
    Future,
    #[error("{0} is no row of the Statement of Applicability")]
    Control(String),
    #[error("more than {LEAVES_MAX} leaves; ask for one control or an earlier day")]
    Leaves,
    #[error("more than {} bytes; ask for one control, or leave payloads out", container::BYTES_MAX)]
    Bytes,
    #[error("no leaf of the ledger is as old as that")]
    Empty,
    #[error(transparent)]
    Past(#[from] PastError),
    #[error("leaf {0} does not fit the tables: run `ume ledger verify`")]
    Leaf(u64),
    #[error("the bundle did not come out whole: {0}")]
    Broken(String),
    #[error(transparent)]
    Container(#[from] container::ContainerError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Canonical(#[from] model::canonical::CanonicalError),
}

impl BundleError {
    /// Whether it lies in what was asked for.
    pub fn is_asked_wrong(&self) -> bool {
        use BundleError::{Bytes, Control, Empty, Future, Leaves, Past};
        match self {
            Past(error) => !matches!(error, PastError::Store(_)),
            other => matches!(other, Future | Control(_) | Leaves | Bytes | Empty),
        }
    }

    /// The same for a Japanese reader.
    pub fn ja(&self) -> String {
        match self {
            BundleError::Future => "未来の時点は指定できません。".to_owned(),
            BundleError::Control(control) => {
                format!("{control}は適用宣言書にありません。5.7のような番号を指定してください。")
            }
            BundleError::Leaves => format!(
                "証跡が{LEAVES_MAX}件を超えます。管理策か過去の時点を指定して小さくしてください。"
            ),
            BundleError::Bytes => {
                "1 GiBを超えます。管理策を指定するか、ペイロードを含めないでください。".to_owned()
            }
            BundleError::Empty => "その時点までの証跡はありません。".to_owned(),
            BundleError::Past(error) => error.text(|at| at.rfc3339(), model::Lang::Ja),
            BundleError::Leaf(index) => {
                format!("葉{index}が表の内容と合いません。ume ledger verify で確かめてください。")
            }
            other => format!("監査バンドルを作れませんでした: {other}"),
        }
    }
}

/// A bundle that was made and recorded.
pub struct Issued {
    pub hash: String,
    pub leaves: usize,
    pub files: usize,
    pub bytes: Vec<u8>,
}

/// Makes a bundle, signs it, and records that it was issued before it is handed out. The ledger is held
/// only to bring its checkpoint up to date and to sign.
pub async fn issue(
    store: &Store,
    ledger: &Mutex<Ledger>,
    board: &Board,
    wish: &Wish,
    actor: &str,
) -> Result<Issued, BundleError> {
    let folder = {
        let mut ledger = ledger.lock().await;
        while ledger::drain(store, &mut ledger).await? > 0 {}
        ledger.checkpoint()?;
        ledger.folder().to_owned()
    };
    let draft = draft(store, &folder, board, wish).await?;
    let hash = draft.hash().to_owned();
    let manifest = draft.manifest();
    let scope = manifest.scope.join(" ");
    let as_of: String = manifest.as_of.chars().take(10).collect();
    let leaves = manifest.files.iter().filter(|f| f.what == manifest::What::Leaf).count();
    let files = manifest.files.len() + 2;
    let note = ledger.lock().await.sign(&draft.note_text())?;
    let bytes = draft.finish(&note)?;
    let facts =
        json!({"format": manifest::FORMAT, "what": scope, "file_hash": hash, "as_of": as_of});
    let mut write = store.write(actor, "audit bundle", "").await?;
    let now = write.now();
    let record = RecordDraft {
        ty: ISSUED.to_owned(),
        subject: None,
        observed_from: now,
        observed_to: now,
        source: "ume".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    };
    write.record(record).await?;
    write.commit().await?;
    Ok(Issued { hash, leaves, files, bytes })
}

/// Judges a ZIP. What is not packed as Ume packs it is named and not looked into.
pub fn judge_zip(bytes: &[u8], pinned: Option<&str>) -> Report {
    const FORM: Text = t("Umeが書いたとおりのZIPではありません", "the ZIP is not as Ume writes it");
    match container::read(bytes) {
        Ok(files) => judge(&files, pinned),
        Err(container::ContainerError::Form { place, offset }) => {
            Report::of("container", &format!("{place} (byte {offset})"), FORM)
        }
        Err(error) => Report::of("container", &error.to_string(), FORM),
    }
}

/// Judges the files of an unpacked bundle.
pub fn judge_files(files: &BTreeMap<String, Vec<u8>>, pinned: Option<&str>) -> Report {
    let files = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    judge(&files, pinned)
}
