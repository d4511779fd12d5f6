//! Where a reader works: it asks for documents and hands over what it found.

use std::{
    io::{BufRead, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use fetch::{Address, Client, Fault, Got, Limits, Tags, Trust};
use indicators::{Kind, Reject, normalise};
use model::Timestamp;
use netname::Names;
use reqwest::{Url, header};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{
    FeedRow, Feeds, Group, Refused, Source, account::Account, local, secret::Secret, source,
};
use crate::work::settings::Configured;

/// Documents of a folder.
const DOCUMENTS_MAX: usize = 1_000;
const GROUPS_MAX: usize = 20_000;
const GROUP_TEXT_CHARS_MAX: usize = 300;
/// An original that is kept with its item.
const RAW_BYTES_MAX: usize = 8 << 20;

/// A document that came, in a file of its own.
#[derive(Clone, Debug)]
pub struct Document {
    pub name: String,
    pub path: PathBuf,
    /// As the server says; empty for a file.
    pub content_type: String,
    unpacked_max: u64,
}

impl Document {
    /// Its content, gzip unpacked. Reading blocks.
    pub fn open(&self) -> Result<Box<dyn BufRead + Send>, Fault> {
        fetch::open(&self.path, self.unpacked_max)
    }

    /// All of it in memory, at most so many bytes.
    pub fn bytes(&self, max: u64) -> Result<Vec<u8>, Fault> {
        let max = max.min(self.unpacked_max);
        let mut bytes = Vec::new();
        let read = self.open()?.take(max + 1).read_to_end(&mut bytes);
        read.map_err(Fault::of_reading)?;
        if bytes.len() as u64 > max {
            return Err(Fault::Unpacked { max });
        }
        Ok(bytes)
    }
}

/// Where a reader works.
pub struct Desk {
    pub source: Source,
    pub(super) client: Client,
    pub(super) feeds: Feeds,
    pub(super) now: Timestamp,
    pub(super) refused: Refused,
    pub(super) bytes: u64,
    pub(super) tags: Tags,
    names: Arc<Names>,
    folder: TempDir,
    files: usize,
    groups: usize,
    digest: Sha256,
    known: Known,
    store: store::Store,
    data: PathBuf,
    has_identity: bool,
}

/// What is known of the last delivery.
struct Known {
    tags: Tags,
    cursor: Option<String>,
    digest: Option<String>,
    confirmed: Option<String>,
}

impl Desk {
    pub(super) async fn new(
        house: &web::House,
        source: &Source,
        account: &Account,
        feeds: &Feeds,
        secret: Secret,
    ) -> Result<Desk, Fault> {
        let limits = Limits { bytes_max: source.bytes_max, ..limits() };
        let ca = house.kept.get::<Configured>().settings().ca.clone();
        let identity = (!secret.identity.is_empty()).then(|| secret.identity.clone().into_bytes());
        let has_identity = identity.is_some();
        let mut client = Client::new(limits, &Trust { ca, identity })?;
        if !secret.key.is_empty() {
            client = client.with_secret(header::AUTHORIZATION, &secret.key)?;
        } else if !secret.user.is_empty() {
            use base64::{Engine as _, prelude::BASE64_STANDARD};
            let pair = format!("{}:{}", secret.user, secret.password);
            let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
            client = client.with_secret(header::AUTHORIZATION, &value)?;
        }
        let failed = |error: sqlx::Error| file_fault("feeds.db", &error);
        feeds.clear(source.id).await.map_err(failed)?;
        let folder = house.folder().join(intel::FOLDER);
        let folder = tempfile::Builder::new()
            .prefix("incoming-")
            .tempdir_in(folder)
            .map_err(|error| file_fault("indicators", &error))?;
        // What was known of another address, or read otherwise, says nothing here.
        let known = match account.address == made_of(source) {
            true => Known {
                tags: account.tags.clone(),
                cursor: account.cursor.clone(),
                digest: account.digest.clone(),
                confirmed: account.confirmed.clone(),
            },
            false => Known { tags: Tags::default(), cursor: None, digest: None, confirmed: None },
        };
        Ok(Desk {
            source: source.clone(),
            client,
            feeds: feeds.clone(),
            now: house.store.now(),
            refused: Refused::default(),
            bytes: 0,
            tags: Tags::default(),
            names: Arc::new(Names::shipped()),
            folder,
            files: 0,
            groups: 0,
            digest: Sha256::new(),
            known,
            store: house.store.clone(),
            data: house.folder().to_owned(),
            has_identity,
        })
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn store(&self) -> &store::Store {
        &self.store
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn names(&self) -> Arc<Names> {
        self.names.clone()
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether this house shows a certificate of its own.
    pub fn has_identity(&self) -> bool {
        self.has_identity
    }

    /// Where the last delivery ended.
    pub fn cursor(&self) -> Option<&str> {
        self.known.cursor.as_deref()
    }

    /// Whether a person confirmed this loss of groups.
    pub fn is_confirmed(&self, loss: &str) -> bool {
        self.known.confirmed.as_deref() == Some(loss)
    }

    /// The address of the source, where it is one.
    pub fn url(&self) -> Result<Url, Fault> {
        match &self.source.address {
            Address::Http(url) => Ok(url.clone()),
            Address::Path(_) => Err(Fault::said(
                "この形式には https:// のアドレスが要ります",
                "this format needs an https:// address",
            )),
        }
    }

    /// The documents at the address of the source: one of an address or file, those of a folder that end so. None if
    /// nothing changed since the last delivery.
    pub async fn documents(&mut self, ends: &[&str]) -> Result<Option<Vec<Document>>, Fault> {
        let documents = match self.source.address.clone() {
            Address::Http(url) => match self.get_known(&url).await? {
                Some(document) => vec![document],
                None => return Ok(None),
            },
            Address::Path(path) => self.local(&path, ends).await?,
        };
        match self.known.digest.as_ref() == Some(&self.digest()) {
            true => Ok(None),
            false => Ok(Some(documents)),
        }
    }

    async fn get_known(&mut self, url: &Url) -> Result<Option<Document>, Fault> {
        let tags = self.known.tags.clone();
        match self.fetched(url, &tags).await? {
            (None, _) => {
                self.tags = tags;
                Ok(None)
            }
            (Some(document), tags) => {
                self.tags = tags;
                Ok(Some(document))
            }
        }
    }

    /// A document at any address, without conditions.
    pub async fn get(&mut self, url: &Url) -> Result<Document, Fault> {
        match self.fetched(url, &Tags::default()).await? {
            (Some(document), _) => Ok(document),
            (None, _) => Err(Fault::Status(304, String::new())),
        }
    }

    async fn fetched(&mut self, url: &Url, tags: &Tags) -> Result<(Option<Document>, Tags), Fault> {
        self.files += 1;
        let path = self.folder.path().join(self.files.to_string());
        let Got::New { tags, bytes, content_type } = self.client.file(url, tags, &path).await?
        else {
            return Ok((None, Tags::default()));
        };
        self.bytes += bytes;
        let last = url.path_segments().and_then(|mut all| all.next_back()).unwrap_or_default();
        let name = last.to_owned();
        let unpacked_max = self.source.unpacked_max;
        let document = Document { name, path, content_type, unpacked_max };
        self.take_digest(&document).await?;
        if bytes == 0 {
            return Err(empty());
        }
        Ok((Some(document), tags))
    }

    async fn local(&mut self, path: &Path, ends: &[&str]) -> Result<Vec<Document>, Fault> {
        let files = local::files(path, ends, DOCUMENTS_MAX, self.source.bytes_max)?;
        let mut documents = Vec::new();
        for (path, bytes) in files {
            self.bytes += bytes;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let unpacked_max = self.source.unpacked_max;
            let document = Document { name, path, content_type: String::new(), unpacked_max };
            self.take_digest(&document).await?;
            documents.push(document);
        }
        if self.bytes == 0 {
            return Err(empty());
        }
        Ok(documents)
    }

    async fn take_digest(&mut self, document: &Document) -> Result<(), Fault> {
        let (path, name) = (document.path.clone(), document.name.clone());
        let hash = tokio::task::spawn_blocking(move || {
            let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
            let mut file = std::fs::File::open(path)?;
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok::<_, std::io::Error>(hash.finalize()),
                    read => hash.update(&buffer[..read]),
                }
            }
        });
        let hash = hash.await.map_err(|error| file_fault(&name, &error))?;
        self.digest.update(hash.map_err(|error| file_fault(&name, &error))?);
        Ok(())
    }

    /// Counts bytes, and what they say, that came another way than by [`Desk::get`].
    pub fn count(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.digest.update(Sha256::digest(bytes));
    }

    pub(super) fn digest(&self) -> String {
        hex::encode(self.digest.clone().finalize())
    }

    /// Takes rows; they come into force with the delivery.
    pub async fn rows(&mut self, rows: &[FeedRow]) -> Result<(), Fault> {
        let staged = self.feeds.stage(self.source.id, rows).await;
        staged.map_err(|error| file_fault("feeds.db", &error))
    }

    /// Takes back what this said.
    pub async fn revoke(&mut self, said_by: &str) -> Result<(), Fault> {
        let staged = self.feeds.stage_revoked(self.source.id, said_by).await;
        staged.map_err(|error| file_fault("feeds.db", &error))
    }

    /// Names a group, whose rows a person judges together. Its original is kept where a person judges.
    pub async fn group(&mut self, mut group: Group) -> Result<(), Fault> {
        self.groups += 1;
        if self.groups > GROUPS_MAX {
            return Err(Fault::said(
                format!("1回の取得で{GROUPS_MAX}件を超えるイベントがあります"),
                format!("more than {GROUPS_MAX} groups in one delivery"),
            ));
        }
        group.title =
            group.title.replace(char::is_control, " ").chars().take(GROUP_TEXT_CHARS_MAX).collect();
        let mut raw = String::new();
        if self.source.usage == source::Usage::Inbox
            && !group.raw.is_empty()
            && group.raw.len() <= RAW_BYTES_MAX
        {
            let failed = |error: store::StoreError| file_fault("files", &error);
            let mut upload = self.store.upload().await.map_err(failed)?;
            upload.write(&group.raw).await.map_err(failed)?;
            let name =
                format!("{}.json", group.key.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
            raw = self.store.keep(upload, &name, super::ACTOR).await.map_err(failed)?.sha256;
        }
        let put = self.feeds.put_group(self.source.id, &group, &raw).await;
        put.map_err(|error| file_fault("feeds.db", &error))
    }

    /// The groups that are entered, with their stamps.
    pub async fn stamps(&self) -> Result<Vec<(String, String)>, Fault> {
        let stamps = self.feeds.stamps(self.source.id).await;
        stamps.map_err(|error| file_fault("feeds.db", &error))
    }

    /// Lets go of groups that the feed no longer names.
    pub async fn drop_groups(&mut self, keys: &[String]) -> Result<(), Fault> {
        let dropped = self.feeds.drop_groups(self.source.id, keys).await;
        dropped.map_err(|error| file_fault("feeds.db", &error))
    }

    /// Refuses a value, with its reason.
    pub fn refuse(&mut self, reason: &str, value: &str, words: (String, String)) {
        self.refused.add(reason, value, words);
    }

    /// A row of a value; refused where it is none.
    pub fn row(&mut self, kind: Kind, value: &str) -> Option<FeedRow> {
        match normalise(kind, value, &self.names) {
            Ok(key) => Some(FeedRow::new(key, self.source.level)),
            Err(reject) => {
                self.refused.add(word(&reject), value, reject.words());
                None
            }
        }
    }
}

/// What the reader's outcome depends on beside what came.
pub(super) fn made_of(source: &Source) -> String {
    let text = |name| source::text(&source.row, name);
    let columns = source.row.attributes.get("columns").map(ToString::to_string);
    let all = [
        text("url"),
        text("format"),
        text("value_kind"),
        text("encoding"),
        text("collection"),
        &columns.unwrap_or_default(),
    ];
    all.join("\n")
}

fn limits() -> Limits {
    match cfg!(test) {
        true => Limits {
            time: std::time::Duration::from_secs(1),
            wait: std::time::Duration::from_millis(5),
            tries: 2,
            ..Limits::default()
        },
        false => Limits::default(),
    }
}

pub(super) fn file_fault(what: &str, error: &dyn std::fmt::Display) -> Fault {
    Fault::File { what: what.to_owned(), error: error.to_string() }
}

pub(super) fn empty() -> Fault {
    Fault::said(
        "空です。前に受け取った内容をそのまま使います",
        "it is empty; what came before stays in use",
    )
}

/// The stable word of why a value is none.
pub(super) fn word(reject: &Reject) -> &'static str {
    match reject {
        Reject::Empty => "empty",
        Reject::TooLong { .. } => "too_long",
        Reject::Control => "control",
        Reject::Network => "network",
        Reject::Wildcard | Reject::Broad { .. } => "broad",
        Reject::Regex => "regex",
        _ => "malformed",
    }
}
