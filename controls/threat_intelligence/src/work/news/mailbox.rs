//! A watched Maildir: each new mail becomes an item of the inbox once, and goes to `cur`.
//!
//! Invariants: a mail is entered before it is moved, and known by its Message-ID or its bytes, so a kill at any point
//! enters none twice and loses none; what cannot be decoded is entered all the same, with its original kept, and its
//! page asks for the encoding; nothing in `new` but plain files is touched, links are not followed.
//!
//! Limits: [`MAILS_PER_ROUND`] of a round, [`inbox::ORIGINAL_BYTES_MAX`] bytes of a mail; a larger one is moved, and
//! counted as refused.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use indicators::extract::{self, mail};
use model::{Assurance, Table};
use room::{Error, Shared};
use serde_json::{Value as Json, json};
use store::{RecordDraft, Row, Store, Write};

use crate::work::{
    inbox::{self, Handed, ITEM, InboxError, Original, RECEIVED, SOURCE},
    settings::Configured,
};

const ACTOR: &str = "system:threat_intelligence.mailbox";
pub const MAILS_PER_ROUND: usize = 50;
/// Names of attachments that an item tells.
const ATTACHMENTS_TOLD: usize = 20;
const MESSAGE_ID_CHARS_MAX: usize = 300;
/// The source of mails that no source of the register claims.
const SOURCE_NAME: &str = "監視中のメールボックス / Watched mailbox";

/// One round: what lies in `new`.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    let Some(maildir) = ctx.house.kept.get::<Configured>().settings().maildir.clone() else {
        return Ok(());
    };
    if ctx.house.demo {
        return Ok(());
    }
    let taken = take(ctx.store(), &maildir).await?;
    if taken > 0 {
        ctx.house.wake();
    }
    Ok(())
}

/// Takes what is new; how many mails were entered.
pub async fn take(store: &Store, maildir: &Path) -> Result<usize, Error> {
    let folder = maildir.to_owned();
    let waiting = room::blocking(move || list(&folder)).await??;
    let mut entered = 0;
    for name in waiting {
        let from = maildir.join("new").join(&name);
        let path = from.clone();
        let read = room::blocking(move || read(&path)).await?;
        match read {
            Ok(Some(bytes)) => entered += usize::from(enter(store, &name, &bytes).await?),
            Ok(None) => refuse(store).await?,
            // Another program took it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(Error::Io { path: from, source }),
        }
        let to = maildir.join("cur");
        room::blocking(move || shelve(&from, &to, &name)).await??;
    }
    Ok(entered)
}

/// The plain files of `new`, oldest name first.
fn list(maildir: &Path) -> Result<Vec<String>, Error> {
    let path = maildir.join("new");
    let failed = |source| Error::Io { path: path.clone(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if entry.file_type().map_err(failed)?.is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    names.truncate(MAILS_PER_ROUND);
    Ok(names)
}

/// The bytes of a mail; none if it is too large.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    use std::os::unix::fs::OpenOptionsExt;
    // A link that took its place since is not followed.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    file.take(inbox::ORIGINAL_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= inbox::ORIGINAL_BYTES_MAX).then_some(bytes))
}

/// Moves it to `cur` as seen, as readers of mail do.
fn shelve(from: &Path, folder: &Path, name: &str) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let base = name.split(":2,").next().unwrap_or(name);
    let mut to: PathBuf = folder.join(format!("{base}:2,S"));
    // Never over another mail.
    for number in 1..1_000 {
        if !to.exists() {
            break;
        }
        to = folder.join(format!("{base}.{number}:2,S"));
    }
    fs::rename(from, &to).map_err(failed(from))
}

async fn refuse(store: &Store) -> Result<(), Error> {
    let mut write = store.write(ACTOR, "work", "").await?;
    let source = source(store, &mut write, "").await?;
    let facts = json!({ "items": 0, "bytes": 0, "refused": { "too_large": 1 } });
    let draft = draft(store, &source, facts);
    write.record(draft).await?;
    write.commit().await?;
    Ok(())
}

fn draft(store: &Store, source: &Row, facts: Json) -> RecordDraft {
    let draft = room::draft(RECEIVED, Some(source.id), store.now(), facts);
    RecordDraft {
        source: "threat_intelligence.mailbox".to_owned(),
        assurance: Assurance::Machine,
        ..draft
    }
}

/// Enters a mail; false if it is there already.
async fn enter(store: &Store, name: &str, bytes: &[u8]) -> Result<bool, Error> {
    let read = mail::is_mail(bytes).then(|| mail::read(bytes).ok()).flatten();
    let sender = read.as_ref().map(|mail| mail.from.clone()).unwrap_or_default();
    let id = read.as_ref().map(|mail| mail.message_id.trim().to_owned()).unwrap_or_default();
    let id: String = id.chars().take(MESSAGE_ID_CHARS_MAX).collect();
    let origin = if id.is_empty() { String::new() } else { format!("mail {id}") };
    if !origin.is_empty()
        && store.row_with(Table::Asset, ITEM, "origin_id", &origin).await?.is_some()
    {
        return Ok(false);
    }
    let mut upload = store.upload().await?;
    upload.write(bytes).await?;
    let blob = store.keep(upload, &format!("{}.eml", file_name(name)), ACTOR).await?;
    if inbox::known(store, &blob).await?.is_some() {
        return Ok(false);
    }
    let (original, is_read) = match inbox::read(bytes, None) {
        Ok(original) => (original, true),
        // Its original is kept, and its page asks for the encoding.
        Err(InboxError::Encoding | InboxError::Empty | InboxError::Mail(_)) => {
            let subject = read.as_ref().map(|mail| mail.subject.clone()).unwrap_or_default();
            (Original { subject, ..Original::default() }, false)
        }
        Err(InboxError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Error::said(error)),
    };
    let labels = inbox::labels(store).await.map_err(Error::said)?;
    let notice = extract::extract(&original.whole(), &labels);
    let mut write = store.write(ACTOR, "work", "").await?;
    let source = source(store, &mut write, &sender).await?;
    let handed = Handed { source: &source, blob: &blob, original: &original, notice: &notice };
    let mut row = inbox::row(store, &handed)?;
    let mut set = |name: &str, text: &str| {
        if !text.is_empty() {
            row.attributes.insert(name.to_owned(), json!(text));
        }
    };
    set("origin_id", &origin);
    set("sender", &sender);
    if !original.attachments.is_empty() {
        let told: Vec<&String> = original.attachments.iter().take(ATTACHMENTS_TOLD).collect();
        row.attributes.insert("attachments".to_owned(), json!(told));
    }
    let vulnerabilities = extract::ids(&original.whole());
    if !vulnerabilities.is_empty() {
        row.attributes.insert("vulnerabilities".to_owned(), json!(vulnerabilities));
    }
    if !is_read {
        row.attributes.remove("raw_encoding");
    }
    write.put(row).await?;
    let refused = if is_read { json!({}) } else { json!({ "encoding": 1 }) };
    let facts = json!({ "items": 1, "bytes": blob.bytes, "refused": refused });
    let draft = draft(store, &source, facts);
    write.record(draft).await?;
    write.commit().await?;
    Ok(true)
}

fn file_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(80).collect();
    if plain.is_empty() { "mail".to_owned() } else { plain }
}

/// The source of a sender: the one in use whose address names it or its domain, else the mailbox itself.
async fn source(store: &Store, write: &mut Write<'_>, sender: &str) -> Result<Row, Error> {
    let rows = store.all(Table::Asset, &[SOURCE]).await?;
    let active: Vec<&Row> = rows.iter().filter(|row| !row.deleted).collect();
    if let Some(row) = active.iter().filter(|row| is_used(row)).find(|row| claims(row, sender)) {
        return Ok((*row).clone());
    }
    if let Some(row) = active.iter().find(|row| row.name == SOURCE_NAME) {
        return Ok((*row).clone());
    }
    let mut row = Row::new(Table::Asset, store.new_id()?, SOURCE, SOURCE_NAME);
    row.status = "active".to_owned();
    let attributes = json!({
        "active": true, "format": "hand", "interval_min": 7 * 24 * 60, "tlp_default": "amber",
    });
    row.attributes = attributes.as_object().cloned().unwrap_or_default();
    Ok(write.put(row).await?)
}

fn is_used(row: &Row) -> bool {
    row.attributes.get("active") == Some(&Json::Bool(true))
}

/// Whether a source's address (`mailto:cert@example.jp`, `example.jp`) is that of a sender.
fn claims(source: &Row, sender: &str) -> bool {
    let text = |name: &str| {
        source.attributes.get(name).and_then(Json::as_str).unwrap_or_default().trim().to_lowercase()
    };
    if text("format") != "hand" || sender.is_empty() {
        return false;
    }
    let address = text("url");
    let address = address.strip_prefix("mailto:").unwrap_or(&address);
    let sender = sender.to_lowercase();
    let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
    !address.is_empty() && (address == sender || address.trim_start_matches('@') == domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(id: &str, from: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = format!(
            "From: {from}\r\nTo: soc@us.example\r\nDate: Tue, 20 Jun 2023 09:00:00 +0900\r\nMessage-ID: <{id}@n.example>\r\n\
             Subject: notice\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    async fn place() -> (tempfile::TempDir, Store, PathBuf) {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        let maildir = folder.path().join("mail");
        for name in ["new", "cur", "tmp"] {
            fs::create_dir_all(maildir.join(name)).expect("made");
        }
        (folder, store, maildir)
    }

    fn names(maildir: &Path, folder: &str) -> Vec<String> {
        let all = fs::read_dir(maildir.join(folder)).expect("read");
        let mut names: Vec<String> = all
            .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
            .collect();
        names.sort_unstable();
        names
    }

    async fn items(store: &Store) -> Vec<Row> {
        store.all(Table::Asset, &[ITEM]).await.expect("items")
    }

    #[tokio::test]
    async fn a_mail_is_entered_once_and_moved() {
        let (_folder, store, maildir) = place().await;
        let put = |name: &str, bytes: &[u8]| {
            fs::write(maildir.join("new").join(name), bytes).expect("put")
        };
        put("1.host", &mail("a", "cert@notice.example", "CVE-2026-10001 TLP:GREEN".as_bytes()));
        std::os::unix::fs::symlink("/etc/passwd", maildir.join("new/link")).expect("linked");
        assert_eq!(take(&store, &maildir).await.expect("taken"), 1);
        assert_eq!(
            (names(&maildir, "new"), names(&maildir, "cur")),
            (vec!["link".to_owned()], vec!["1.host:2,S".to_owned()])
        );
        // It comes again over another way, and after a kill between entering and moving.
        put(
            "2.host",
            &mail("a", "cert@notice.example", "with a footer, CVE-2026-10001".as_bytes()),
        );
        assert_eq!(take(&store, &maildir).await.expect("taken"), 0);
        let items = items(&store).await;
        let [item] = &items[..] else { panic!("{items:?}") };
        assert_eq!(item.attributes["sender"], "cert@notice.example");
        assert_eq!(item.attributes["tlp"], "green");
        assert_eq!(item.attributes["vulnerabilities"], json!(["CVE-2026-10001"]));
        assert_eq!(names(&maildir, "cur").len(), 2);
    }

    #[tokio::test]
    async fn what_cannot_be_decoded_is_kept_and_asked_about() {
        let (_folder, store, maildir) = place().await;
        fs::write(maildir.join("new/1"), b"no mail \xff\xff\xfe\x81").expect("put");
        assert_eq!(take(&store, &maildir).await.expect("taken"), 1);
        let item = items(&store).await.remove(0);
        assert!(!item.attributes.contains_key("raw_encoding"));
        let raw = item.attributes["raw"].as_str().expect("a hash").to_owned();
        let bytes = store.blob_bytes(&raw).await.expect("read").expect("kept");
        assert_eq!(bytes, b"no mail \xff\xff\xfe\x81");
        let records = store.newest_records(&[RECEIVED], None, 9).await.expect("records");
        assert_eq!(records[0].facts["refused"], json!({ "encoding": 1 }));
    }

    #[tokio::test]
    async fn a_sender_belongs_to_the_source_that_names_it() {
        let (_folder, store, maildir) = place().await;
        let mut row = Row::new(Table::Asset, store.new_id().expect("id"), SOURCE, "CERT");
        let attributes = json!({ "active": true, "format": "hand", "url": "notice.example", "tlp_default": "red" });
        row.attributes = attributes.as_object().cloned().expect("attributes");
        let mut write = store.write("test", "", "").await.expect("write");
        let source = write.put(row).await.expect("put");
        write.commit().await.expect("commit");
        fs::write(maildir.join("new/1"), mail("a", "x@notice.example", b"a")).expect("put");
        fs::write(maildir.join("new/2"), mail("b", "x@other.example", b"b")).expect("put");
        assert_eq!(take(&store, &maildir).await.expect("taken"), 2);
        let of: Vec<String> = items(&store)
            .await
            .iter()
            .map(|item| format!("{} {}", item.attributes["source"], item.attributes["tlp"]))
            .collect();
        assert_eq!(
            of.iter().filter(|text| **text == format!("\"{}\" \"red\"", source.id)).count(),
            1
        );
        assert_eq!(of.iter().filter(|text| text.ends_with("\"amber\"")).count(), 1, "{of:?}");
    }
}
