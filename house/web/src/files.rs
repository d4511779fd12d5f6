//! Files of registers and records: received, shown, sent.
//!
//! Invariants: a file is sealed as it comes in and opened as it goes out, never held in memory; nothing of a form is read before its
//! token was; a file goes out as an attachment that no browser runs, and to those only who may see
//! a field that names it.

use std::collections::HashMap;

use axum::{
    Form, Json as JsonBody, RequestExt,
    body::Body,
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Path, Query, Request, State,
        multipart::{Field as Part, MultipartError},
    },
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::StreamExt;
use model::{Field, FieldError, FieldType, Table, Text, t};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use store::{Blob, Opening, Store, StoreError, Upload};

use crate::{
    BODY_BYTES_MAX, House, Shared,
    access::{Action, Reader},
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Refusal, User},
    route::{Access, Api, Param, Place, Route},
};

/// Parts of one form.
const PARTS_MAX: usize = 1_000;
/// What is still read behind a limit, so that the sender hears the answer instead of a broken line.
const DRAIN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Rows looked at to find a field through which someone may see a file.
const USERS_READ_MAX: usize = 50;
const NAME_HEADER_BYTES_MAX: usize = 2_000;

pub(crate) fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    let text = t("ファイルの取得", "Download a file");
    let sha = |required| Param {
        place: Place::Path,
        name: "id",
        schema: "Sha256",
        required,
        text: t("ファイルのSHA-256", "SHA-256 of the file"),
    };
    let name = Param {
        place: Place::Query,
        name: "name",
        schema: "Text",
        required: false,
        text: t("ファイル名", "Name of the file"),
    };
    vec![
        Route::get("/blobs/{id}", read, text, page_download),
        Route::get("/api/v1/blobs/{id}", read, text, api_download).api(Api {
            tag: "blobs",
            id: "blob_get".to_owned(),
            params: vec![sha(true)],
            request: None,
            response: (200, Some((OCTETS, "Binary".to_owned()))),
            refusals: &[400, 404],
        }),
        Route::post("/api/v1/blobs", Access::Action(Action::Write), ADD, api_upload).api(Api {
            tag: "blobs",
            id: "blob_create".to_owned(),
            params: vec![name],
            request: Some((OCTETS, "Binary".to_owned())),
            response: (201, Some(("application/json", "Blob".to_owned()))),
            refusals: &[400, 413, 415],
        }),
    ]
}

const OCTETS: &str = "application/octet-stream";
const ADD: Text = t(
    "ファイルの追加。24時間以内にどの行からも参照されなければ削除します",
    "Add a file; it goes after 24 hours unless something names it",
);

/// A size as people read it.
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((name, unit)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
    }
}

/// A file as a page shows it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub name: String,
    /// Size and type; empty where nothing is known of it.
    pub note: String,
    /// Empty where nothing is known of it.
    pub href: String,
}

impl Shown {
    /// What is known of a file with this hash.
    pub fn of(sha256: &str, known: &std::collections::BTreeMap<String, Blob>) -> Shown {
        match known.get(sha256) {
            None => Shown { name: sha256.to_owned(), ..Shown::default() },
            Some(blob) => Shown {
                name: blob.name.clone(),
                note: format!("{}, {}", size(blob.bytes), blob.media_type),
                href: format!("/blobs/{sha256}"),
            },
        }
    }
}

/// Hashes that the file fields of an object name.
pub(crate) fn named<'o>(
    fields: &[Field],
    object: &'o Map<String, Json>,
) -> Vec<(&'static str, &'o str)> {
    let files = fields.iter().filter(|f| matches!(f.ty, FieldType::File));
    files
        .filter_map(|f| Some((f.name, object.get(f.name)?.as_str()?)))
        .filter(|(_, sha)| !sha.is_empty())
        .collect()
}

/// Fields that name a file which was never sent. What stood there before is not asked again.
pub async fn missing(
    store: &Store,
    fields: &[Field],
    object: &Map<String, Json>,
    before: Option<&Map<String, Json>>,
) -> Result<Vec<FieldError>, StoreError> {
    let mut new = named(fields, object);
    new.retain(|(name, _)| before.and_then(|b| b.get(*name)) != object.get(*name));
    let hashes: Vec<&str> =
        new.iter().map(|(_, sha)| *sha).filter(|s| store::is_sha256(s)).collect();
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let known = store.blobs(&hashes).await?;
    let unknown =
        new.into_iter().filter(|(_, sha)| store::is_sha256(sha) && !known.contains_key(*sha));
    Ok(unknown.map(|(name, _)| FieldError::NoFile(name.to_owned())).collect())
}

/// An upload that goes on reading for a while behind its limit.
struct Receiving {
    upload: Option<Upload>,
    refused: Option<StoreError>,
    drained: u64,
}

impl Receiving {
    async fn begin(store: &Store) -> Result<Receiving, StoreError> {
        Ok(Receiving { upload: Some(store.upload().await?), refused: None, drained: 0 })
    }

    /// False once nothing more is to be read.
    async fn take(&mut self, bytes: &Bytes) -> bool {
        let Some(upload) = &mut self.upload else {
            self.drained += bytes.len() as u64;
            return self.drained < DRAIN_BYTES_MAX;
        };
        if let Err(error) = upload.write(bytes).await {
            self.upload = None;
            self.refused = Some(error);
        }
        true
    }

    fn end(self) -> Result<Upload, StoreError> {
        match (self.upload, self.refused) {
            (Some(upload), _) => Ok(upload),
            (None, refused) => Err(refused.unwrap_or(StoreError::NoFiles)),
        }
    }
}

fn bad(error: MultipartError) -> Refusal {
    Refusal::Bad(error.body_text())
}

/// Reads a form, be it plain or with files: each file is kept, and its field holds its hash. `is_file`
/// says which fields may bring one.
pub async fn read_form(
    house: &House,
    user: &User,
    action: Action,
    mut request: Request,
    is_file: impl Fn(&str) -> bool,
) -> Result<HashMap<String, String>, Refusal> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        let form = Form::<HashMap<String, String>>::from_request(request, &()).await;
        let Form(form) = form.map_err(|e| Refusal::Bad(e.body_text()))?;
        user.form(form.get("csrf").map_or("", String::as_str), action)?;
        return Ok(form);
    }
    // Each part is bounded below.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut parts: Multipart = request
        .extract()
        .await
        .map_err(|e: axum::extract::multipart::MultipartRejection| Refusal::Bad(e.body_text()))?;
    let (mut sent, mut room, mut count, mut known) = (HashMap::new(), BODY_BYTES_MAX, 0, false);
    while let Some(mut part) = parts.next_field().await.map_err(bad)? {
        count += 1;
        let name = part.name().unwrap_or("").to_owned();
        if count > PARTS_MAX {
            return Err(Refusal::Bad(name));
        }
        match part.file_name().map(str::to_owned) {
            Some(file) => {
                if !known {
                    return Err(Refusal::Foreign);
                }
                // A browser sends a file field that was left empty.
                if file.is_empty() {
                    continue;
                }
                if !is_file(&name) {
                    return Err(Refusal::Bad(name));
                }
                let blob = receive(house, user, &mut part, &file).await?;
                sent.insert(name, blob.sha256);
            }
            None => {
                let text = read_text(&mut part, &mut room).await?;
                if name == "csrf" {
                    user.form(&text, action)?;
                    known = true;
                }
                sent.insert(name, text);
            }
        }
    }
    if known { Ok(sent) } else { Err(Refusal::Foreign) }
}

/// Receives a file of a form whose token was seen.
pub(crate) async fn receive(
    house: &House,
    user: &User,
    part: &mut Part<'_>,
    name: &str,
) -> Result<Blob, Refusal> {
    let mut receiving = Receiving::begin(&house.store).await?;
    while let Some(bytes) = part.chunk().await.map_err(bad)? {
        if !receiving.take(&bytes).await {
            break;
        }
    }
    Ok(house.store.keep(receiving.end()?, name, &user.actor()).await?)
}

/// A short text of a form, such as its token.
pub(crate) async fn short_text(part: &mut Part<'_>) -> Result<String, Refusal> {
    read_text(part, &mut 1_024).await
}

async fn read_text(part: &mut Part<'_>, room: &mut usize) -> Result<String, Refusal> {
    let mut text = Vec::new();
    while let Some(bytes) = part.chunk().await.map_err(bad)? {
        *room = room
            .checked_sub(bytes.len())
            .ok_or_else(|| Refusal::Bad(format!("> {}", size(BODY_BYTES_MAX as u64))))?;
        text.extend_from_slice(&bytes);
    }
    String::from_utf8(text).map_err(|_| Refusal::Bad("UTF-8".to_owned()))
}

#[derive(Deserialize)]
struct UploadQuery {
    #[serde(default)]
    name: String,
}

/// What is known of a file, as JSON.
fn blob_json(blob: &Blob) -> Json {
    json!({
        "sha256": blob.sha256,
        "bytes": blob.bytes,
        "media_type": blob.media_type,
        "name": blob.name,
        "uploaded_by": blob.uploaded_by,
        "uploaded_at": blob.uploaded_at.rfc3339(),
    })
}

async fn api_upload(
    State(house): State<Shared>,
    caller: Caller,
    query: Result<Query<UploadQuery>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let lang = caller.cx.lang;
    let stored = |e: StoreError| Problem::of_store(lang, &e);
    let name = query.map(|Query(q)| q.name).unwrap_or_default();
    if name.len() > NAME_HEADER_BYTES_MAX {
        let text = t("ファイル名が長すぎます。", "The name of the file is too long.");
        return Err(Problem::new(lang, problem::BAD_REQUEST, text));
    }
    let mut receiving = Receiving::begin(&house.store).await.map_err(stored)?;
    let mut body = request.into_body().into_data_stream();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|_| {
            let text = t("送信が途中で終わりました。", "The body ended early.");
            Problem::new(lang, problem::BAD_REQUEST, text)
        })?;
        if !receiving.take(&bytes).await {
            break;
        }
    }
    let upload = receiving.end().map_err(stored)?;
    let actor = caller.actor();
    let blob = house.store.keep(upload, &name, &actor).await.map_err(stored)?;
    let at = [(header::LOCATION, format!("/api/v1/blobs/{}", blob.sha256))];
    Ok((StatusCode::CREATED, at, JsonBody(blob_json(&blob))).into_response())
}

async fn page_download(State(house): State<Shared>, user: User, Path(sha): Path<String>) -> Answer {
    let blob = visible(&house, user.reader(), &user.actor(), &sha).await?;
    send(&house, &blob.ok_or(Refusal::NotFound)?).await.ok_or(Refusal::NotFound)
}

async fn api_download(
    State(house): State<Shared>,
    caller: Caller,
    Path(sha): Path<String>,
) -> Result<Response, Problem> {
    let lang = caller.cx.lang;
    let absent = || {
        let text = t("このファイルはありません。", "There is no such file.");
        Problem::new(lang, problem::NOT_FOUND, text)
    };
    let found = visible(&house, &caller.reader, &caller.actor(), &sha).await;
    let blob = found.map_err(|e| Problem::of_store(lang, &e))?.ok_or_else(absent)?;
    send(&house, &blob).await.ok_or_else(absent)
}

/// The file, if this reader may see it: who sent it does, and who reaches a row or record that names it
/// in a field that they see.
async fn visible(
    house: &House,
    reader: &Reader,
    actor: &str,
    sha: &str,
) -> Result<Option<Blob>, StoreError> {
    if !store::is_sha256(sha) {
        return Ok(None);
    }
    let Some(blob) = house.store.blob(sha).await? else { return Ok(None) };
    if blob.uploaded_by == actor {
        return Ok(Some(blob));
    }
    for (table, id) in house.store.blob_users(sha, USERS_READ_MAX).await? {
        if house.store.reaches(table, id, &reader.sees_of(table)).await?
            && (table == Table::Record || shown_by(house, reader, table, id, sha).await?)
        {
            return Ok(Some(blob));
        }
    }
    Ok(None)
}

async fn shown_by(
    house: &House,
    reader: &Reader,
    table: Table,
    id: model::Id,
    sha: &str,
) -> Result<bool, StoreError> {
    for row in house.store.history(table, id).await? {
        let Some((_, kind)) = house.kind(table, &row.kind) else { continue };
        let mut seen = kind.fields.iter().filter(|f| reader.sees(kind, f));
        if seen.any(|f| row.attributes.get(f.name).and_then(Json::as_str) == Some(sha)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The file as an attachment; `None` if its bytes are gone. The caller has made sure that the reader may
/// have it.
pub async fn send(house: &House, blob: &Blob) -> Option<Response> {
    let reader = match house.store.open_blob(blob).await {
        Ok(Opening::Open(reader)) => reader,
        other => {
            let error = other.err().map(|e| e.to_string());
            let sha256 = &blob.sha256;
            tracing::error!(sha256, error, "a file does not open: run `ume ledger verify`");
            return None;
        }
    };
    // A piece that does not open ends the answer short of the length it promised.
    let stream = futures_util::stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.chunk().await {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some((Ok(Bytes::from(bytes)), Some(reader))),
            Err(error) => {
                tracing::error!(%error, "a file ended early");
                Some((Err(error), None))
            }
        }
    });
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &blob.media_type);
    set(header::CONTENT_LENGTH, &blob.bytes.to_string());
    set(header::CONTENT_DISPOSITION, &disposition(&blob.name));
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::ETAG, &format!("\"{}\"", blob.sha256));
    Some(response)
}

/// RFC 6266: an ASCII name for old readers, the true one as RFC 8187 writes it.
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !"\"\\%;".contains(c) || c == ' ' { c } else { '_' })
        .collect();
    let whole: String = name.bytes().map(percent).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

/// `attr-char` of RFC 8187 stays, any other byte is escaped.
fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_out_twice_and_never_breaks_the_header() {
        assert_eq!(
            disposition("点検 \"1\".pdf"),
            "attachment; filename=\"__ _1_.pdf\"; filename*=UTF-8''%E7%82%B9%E6%A4%9C%20%221%22.pdf"
        );
        assert!(HeaderValue::from_str(&disposition("a\r\nX: y")).is_ok());
    }

    #[test]
    fn a_size_reads_as_people_write_it() {
        assert_eq!(size(25 << 20), "25 MiB");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(0), "0 B");
    }
}
