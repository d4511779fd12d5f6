//! Proofs that hosts can be built again, as `ume baseline prove` made them, and copies to do it from.
//!
//! Invariants: shares are computed here, never taken over; a proof says nothing of a class whose base changed after it was
//! made; names of what differed stay out of the leaf.
//!
//! Limits: [`PARTS_MAX`] residuals and losses of a proof.

use std::collections::BTreeMap;

use baseline::export::{Host, Rebuild, Target, export};
use model::{Assurance, Id, Lang, Table, Text, Timestamp, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{End, Record, RecordDraft, RecordFilter, Row, Store, StoreError, Within, Write};

use crate::{
    design::APPLIES,
    registers::{reference, text},
    work::{
        life,
        seen::{self, SNAPSHOT},
    },
};

pub(crate) const REBUILD: &str = "configuration.rebuild";
pub(crate) const COPY: &str = "configuration.recovery_copy";
const BACKUP: &str = "ict_readiness.backup_point";
const PARTS_MAX: usize = 50_000;
const PAGES_MAX: usize = 50;
const PAGE: usize = 200;
/// Backups that are looked through for an export.
const BACKUPS_MAX: usize = 500;

/// What is handed in: the document that `ume baseline prove --format json` prints, and whose proof it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Handed {
    /// Id or role of the template that stands for the class of hosts.
    pub class: String,
    pub rebuild: Rebuild,
    /// Changes of the first and of the second run.
    pub changes: [u64; 2],
    /// What the program said itself; computed again here.
    #[serde(default)]
    #[allow(dead_code)]
    pub holds: Option<bool>,
    /// When the proof was made; now if it is not said.
    #[serde(default)]
    pub proved_at: Option<String>,
}

/// Why a proof is not taken, with the member that is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{pointer}: {}", text.en)]
    Wrong { pointer: &'static str, text: Text },
    #[error(transparent)]
    Store(#[from] StoreError),
}

const fn wrong(pointer: &'static str, ja: &'static str, en: &'static str) -> Refused {
    Refused::Wrong { pointer, text: t(ja, en) }
}

impl Refused {
    /// Pointer and words.
    pub fn fault(&self, lang: Lang) -> Option<(&'static str, &'static str)> {
        match self {
            Refused::Wrong { pointer, text } => Some((pointer, text.get(lang))),
            Refused::Store(_) => None,
        }
    }
}

/// The record of a proof; nothing is written yet.
pub(crate) async fn draft(
    store: &Store,
    handed: &Handed,
    assurance: Assurance,
) -> Result<RecordDraft, Refused> {
    let rebuild = &handed.rebuild;
    let parts = rebuild.residuals.len() + rebuild.silent.len();
    if parts > PARTS_MAX {
        return Err(wrong("/rebuild", "差異が多すぎます。", "There are too many differences."));
    }
    if rebuild.managed == 0 || rebuild.equal > rebuild.managed {
        return Err(wrong(
            "/rebuild/equal",
            "一致した数は、管理する数（1以上）を超えられません。",
            "No more facts are equal than are managed, and one is managed at least.",
        ));
    }
    if rebuild.equal + (parts as u64) < rebuild.managed {
        return Err(wrong(
            "/rebuild/residuals",
            "一致しない事実のすべてが、残りか欠けとして挙がっていません。",
            "Not every fact that differs stands among the residuals or the silent losses.",
        ));
    }
    let now = store.now();
    let at = match &handed.proved_at {
        None => now,
        Some(said) => Timestamp::parse(said).filter(|at| *at <= now).ok_or(wrong(
            "/proved_at",
            "過去の時刻をRFC 3339で書いてください。",
            "Must be a time that has passed, as RFC 3339 writes it.",
        ))?,
    };
    let class = class(store, &handed.class).await?;
    let base = base_changed(store, class.id).await?;
    let mut by_reason: BTreeMap<String, u64> = BTreeMap::new();
    for residual in &rebuild.residuals {
        let reason = json!(residual.reason).as_str().unwrap_or_default().to_owned();
        *by_reason.entry(reason).or_default() += 1;
    }
    let residuals: Vec<String> =
        by_reason.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    // A second run that still changes something lost something that no fact shows.
    let silent = rebuild.silent.len() as u64 + u64::from(handed.changes[1] > 0);
    let facts = json!({
        "equal": rebuild.equal, "managed": rebuild.managed, "equal_permille": rebuild.permille(),
        "residuals": residuals, "silent_losses": silent,
        "base_current": base.is_some_and(|base| at >= base),
    });
    Ok(RecordDraft {
        ty: REBUILD.to_owned(),
        subject: Some(class.id),
        observed_from: at,
        observed_to: at,
        source: "ume baseline prove".to_owned(),
        assurance,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec(&json!({ "rebuild": rebuild, "changes": handed.changes })).ok(),
    })
}

async fn class(store: &Store, said: &str) -> Result<Row, Refused> {
    let rows = store.all(Table::Rule, &["template"]).await?;
    let is_it =
        |row: &&Row| row.id.to_string() == said || row.name == said || text(row, "role") == said;
    let mut found = rows.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(row), None) => Ok(row.clone()),
        (None, _) => Err(wrong(
            "/class",
            "このテンプレート（ホストの種類）は台帳にありません。",
            "The register has no such template (class of hosts).",
        )),
        (Some(_), Some(_)) => Err(wrong(
            "/class",
            "同じ役割のテンプレートが複数あります。IDで指定してください。",
            "Several templates have this role: name one by its id.",
        )),
    }
}

/// The hosts of the systems that a template was put to, or that it applies to itself.
pub(crate) async fn hosts_of(store: &Store, template: Id) -> Result<Vec<Row>, StoreError> {
    let links = store.links(&[template], APPLIES, End::Subject).await?;
    let to: Vec<Id> = links.iter().filter_map(|link| link.object).collect();
    let mut hosts = seen::hosts(store, &Within::All).await?;
    hosts.retain(|host| {
        to.contains(&host.id) || reference(host, "system").is_some_and(|s| to.contains(&s))
    });
    Ok(hosts)
}

/// Since when all hosts of a class have the base that they have now; none if none was ever seen.
async fn base_changed(store: &Store, template: Id) -> Result<Option<Timestamp>, StoreError> {
    let mut newest = None;
    for host in hosts_of(store, template).await? {
        newest = newest.max(base_of(store, host.id).await?);
    }
    Ok(newest)
}

async fn base_of(store: &Store, host: Id) -> Result<Option<Timestamp>, StoreError> {
    let root = |record: &Record| record.facts.get("roots").map(|roots| roots["base"].clone());
    let mut filter = RecordFilter {
        ty: Some(SNAPSHOT.to_owned()),
        subject: Some(host),
        limit: PAGE,
        ..RecordFilter::default()
    };
    let (mut now, mut since) = (None, None);
    for _ in 0..PAGES_MAX {
        let page = store.list_records(&filter).await?;
        for record in &page {
            let own = root(record);
            if now.get_or_insert(own.clone()) != &own {
                return Ok(since);
            }
            since = Some(record.observed_from);
        }
        let Some(last) = page.last().filter(|_| page.len() == PAGE) else { break };
        filter.before = Some(last.id);
    }
    Ok(since)
}

/// The export of a system's hosts as they were seen last: its files as one text, and its hash.
pub(crate) async fn export_of(
    store: &Store,
    hosts: &[Row],
) -> Result<Option<(Vec<u8>, String)>, room::Error> {
    let ids: Vec<Id> = hosts.iter().map(|host| host.id).collect();
    let newest = seen::newest(store, &ids).await?;
    if newest.is_empty() || newest.len() < hosts.len() {
        return Ok(None);
    }
    let named: Vec<(String, baseline::Facts)> = hosts
        .iter()
        .filter_map(|host| Some((host.name.clone(), newest.get(&host.id)?.facts.clone())))
        .collect();
    let made = room::blocking(move || {
        let hosts: Vec<Host<'_>> =
            named.iter().map(|(name, facts)| Host { name, facts, pristine: None }).collect();
        tar_of(&export(&hosts, Target::Ansible).files)
    })
    .await?
    .map_err(room::Error::said)?;
    let hash = hex::encode(Sha256::digest(&made));
    Ok(Some((made, hash)))
}

/// The same files give the same bytes: no times and no owners.
fn tar_of(files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(0);
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    tar.into_inner()
}

/// Looks for the exports that systems have kept in the manifests of backups.
pub(crate) async fn copies(ctx: room::Shared) -> Result<Json, room::Error> {
    let store = ctx.store();
    let hosts = seen::hosts(store, &Within::All).await?;
    let backups = store.newest_records(&[BACKUP], None, BACKUPS_MAX).await?;
    let ids: Vec<Id> = backups.iter().map(|record| record.id).collect();
    let manifests = store.payloads(&ids).await?;
    let (mut exported, mut written) = (0, 0);
    for system in store.all(Table::Asset, &["system"]).await? {
        let own: Vec<Row> = hosts
            .iter()
            .filter(|host| reference(host, "system") == Some(system.id))
            .cloned()
            .collect();
        if system.status != "active" || own.is_empty() {
            continue;
        }
        let Some((bytes, hash)) = export_of(store, &own).await? else { continue };
        exported += 1;
        // It lies among the files of the house, so that a backup of it, or of Ume itself, has it.
        if store.blob(&hash).await?.is_none() {
            let mut upload = store.upload().await?;
            upload.write(&bytes).await?;
            let name = format!("configuration-{}.tar", system.id);
            store.keep(upload, &name, "system:configuration.copies").await?;
        }
        let is_there = manifests.values().any(|manifest| holds(manifest, &hash));
        let mut write = store.write("system:configuration.copies", "work", "").await?;
        let facts = json!({ "export": hash, "file": hash, "in_backup": is_there });
        let draft = room::draft(COPY, Some(system.id), store.now(), facts);
        written += u64::from(life::tell(store, &mut write, draft).await?);
        write.commit().await?;
    }
    if written > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "exported": exported, "backups": backups.len(), "written": written }))
}

/// Whether a manifest names the hash as a whole word.
fn holds(manifest: &[u8], hash: &str) -> bool {
    let text = String::from_utf8_lossy(manifest);
    text.match_indices(hash).any(|(at, _)| {
        let is_hex = |c: Option<char>| c.is_some_and(|c| c.is_ascii_hexdigit());
        !is_hex(text[..at].chars().next_back()) && !is_hex(text[at + hash.len()..].chars().next())
    })
}

/// Writes a proof down.
pub(crate) async fn hand_in(
    store: &Store,
    write: &mut Write<'_>,
    handed: &Handed,
    assurance: Assurance,
) -> Result<Record, Refused> {
    let draft = draft(store, handed, assurance).await?;
    Ok(write.record(draft).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_the_same_bytes_each_time_and_found_as_a_whole_word_only() {
        let files = BTreeMap::from([("a/b.yml".to_owned(), b"x".to_vec())]);
        let (one, two) = (tar_of(&files).expect("tar"), tar_of(&files).expect("tar"));
        assert_eq!(one, two);
        let hash = hex::encode(Sha256::digest(&one));
        let manifest = format!("{{\"files\":[{{\"sha256\":\"{hash}\"}}]}}");
        assert!(holds(manifest.as_bytes(), &hash));
        assert!(!holds(format!("a{hash}").as_bytes(), &hash));
        assert!(!holds(b"", &hash));
    }

    #[test]
    fn a_document_with_a_member_that_nobody_knows_is_refused() {
        let good = json!({
            "class": "web", "changes": [3, 0], "holds": true,
            "rebuild": { "equal": 9, "managed": 10, "residuals": [], "silent": [] },
        });
        assert!(serde_json::from_value::<Handed>(good.clone()).is_ok());
        let mut bad = good;
        bad["level"] = json!("matsu");
        assert!(serde_json::from_value::<Handed>(bad).is_err());
    }
}
