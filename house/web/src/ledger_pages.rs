//! Records with their proofs, the ledger and its verification.

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    http::header,
    response::IntoResponse,
};
use model::{Id, Table, t};
use serde::Deserialize;
use store::{Record, RecordFilter, Within};

use crate::{
    Shared,
    access::Action,
    files::{self, Shown},
    frame::{Answer, Cx, Refusal, User, page},
    growth::Growth,
    outside::Peers,
    route::{Access, Route},
};

const RECORDS_SHOWN_MAX: usize = 50;
const TYPES_SHOWN_MAX: usize = 100;
const FAULTS_SHOWN_MAX: usize = 50;

pub(crate) fn routes() -> Vec<Route> {
    let (read, inspect) = (Access::Action(Action::Read), Access::Action(Action::Inspect));
    let proof_path = "/records/{id}/proof";
    vec![
        Route::get("/records", read, t("記録の一覧", "Records"), records),
        Route::get("/records/{id}", read, t("記録", "A record"), record),
        Route::get(proof_path, read, t("証跡に含まれる証明", "Proof of a record"), proof),
        Route::get("/ledger", inspect, t("証跡", "The ledger"), ledger),
        Route::post("/ledger", inspect, t("証跡の検証", "Verify the ledger"), verify),
        Route::get("/ledger/checkpoint", inspect, t("チェックポイント", "Checkpoint"), checkpoint),
        Route::get(
            "/ledger/cosigned",
            inspect,
            t("連署されたチェックポイント", "Cosigned checkpoint"),
            cosigned,
        ),
        Route::get("/ledger/vkey", inspect, t("検証鍵", "Verifier key"), vkey),
    ]
}

#[derive(Deserialize)]
struct RecordsQuery {
    #[serde(default, rename = "type")]
    ty: String,
    #[serde(default)]
    as_of: String,
}

struct TypeLine {
    ty: String,
    title: String,
    rows: i64,
    current: bool,
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage<'a> {
    cx: &'a Cx,
    types: Vec<TypeLine>,
    records: Vec<Record>,
    ty: &'a str,
    titles: crate::Titles<'a>,
}

async fn records(
    State(house): State<Shared>,
    mut user: User,
    Query(query): Query<RecordsQuery>,
) -> Answer {
    let as_of = user.cx.look_at(&query.as_of)?;
    let title = |ty: &str| {
        house
            .record_spec(ty)
            .map_or_else(|| ty.to_owned(), |s| s.title.get(user.cx.lang).to_owned())
    };
    let within = user.reader().sees_of(Table::Record);
    // The numbers would tell of records that the reader does not see.
    let counts = match within {
        // Nor do the numbers of today belong to a past day.
        Within::All if as_of.is_none() => house.store.count_by_type().await?,
        _ => Vec::new(),
    };
    let types = counts
        .into_iter()
        .take(TYPES_SHOWN_MAX)
        .map(|(ty, rows)| TypeLine { title: title(&ty), current: ty == query.ty, ty, rows })
        .collect();
    let ty = Some(query.ty.as_str()).filter(|t| !t.is_empty());
    let records = match within {
        Within::All => {
            let only: Vec<&str> = ty.into_iter().collect();
            let view = as_of.map_or(house.store.present(), |at| house.store.as_of(at));
            view.newest_records(&only, None, RECORDS_SHOWN_MAX).await?
        }
        within => {
            let ty = ty.map(str::to_owned);
            let filter = RecordFilter {
                ty,
                within,
                as_of,
                limit: RECORDS_SHOWN_MAX,
                ..RecordFilter::default()
            };
            house.store.list_records(&filter).await?
        }
    };
    let titles = crate::Titles { house: &house, lang: user.cx.lang };
    let body = RecordsPage { cx: &user.cx, types, records, ty: &query.ty, titles };
    page(&user.cx, user.cx.t("記録", "Records"), &body)
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage<'a> {
    cx: &'a Cx,
    title: String,
    record: &'a Record,
    facts: String,
    leaf: String,
    proof: String,
    payload: &'a str,
    proved: bool,
    files: Vec<(&'static str, Shown)>,
}

async fn find(house: &crate::House, user: &User, id: &str) -> Result<Record, Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let within = user.reader().sees_of(Table::Record);
    if !house.store.reaches(Table::Record, id, &within).await? {
        return Err(Refusal::NotFound);
    }
    house.store.record(id).await?.ok_or(Refusal::NotFound)
}

async fn record(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let record = find(&house, &user, &id).await?;
    let leaf = store::record_leaf(&record)?;
    let mut proof = String::new();
    let mut proved = false;
    if let Some(index) = record.leaf_index {
        let mut ledger = house.ledger.lock().await;
        // A ledger that lacks the entry is told of as what it is, not as a page that failed.
        match ledger.proof(index) {
            Ok(found) => {
                // Proved here means: the row as it stands now hashes to a leaf under the signed root.
                let key = merkle::VerifierKey::parse(&ledger.verifier_key());
                proved = key.is_ok_and(|key| {
                    let hash = merkle::leaf_hash(leaf.as_bytes());
                    found.verify(&hash, key.name(), &key, &[]).is_ok()
                });
                proof = found.to_string();
            }
            Err(error) => proof = error.to_string(),
        }
    }
    let payload = match house.store.payload_matches(&record).await? {
        None if record.payload_commit.is_none() => user.cx.t("なし", "none"),
        None => user.cx.t("消去済み", "shredded"),
        Some(true) => user.cx.t("保存済み・証跡と一致", "kept, fits the leaf"),
        Some(false) => user.cx.t("証跡と一致しません", "does not fit the leaf"),
    };
    let facts = serde_json::to_string_pretty(&record.facts).unwrap_or_default();
    let title = house
        .record_spec(&record.ty)
        .map_or_else(|| record.ty.clone(), |s| s.title.get(user.cx.lang).to_owned());
    let heading = title.clone();
    let files = attached(&house, &user, &record).await?;
    let (cx, record) = (&user.cx, &record);
    let body = RecordPage { cx, title, record, facts, leaf, proof, payload, proved, files };
    page(&user.cx, &heading, &body)
}

/// The files a record names, with the labels of their fields.
async fn attached(
    house: &crate::House,
    user: &User,
    record: &Record,
) -> Result<Vec<(&'static str, Shown)>, Refusal> {
    let Some(spec) = house.record_spec(&record.ty) else { return Ok(Vec::new()) };
    let named = files::named(spec.fields, &record.facts);
    let hashes: Vec<&str> = named.iter().map(|f| f.1).collect();
    let known = house.store.blobs(&hashes).await?;
    let label = |name: &str| {
        let field = spec.fields.iter().find(|f| f.name == name);
        field.map_or("", |f| f.label.get(user.cx.lang))
    };
    Ok(named.into_iter().map(|(name, sha)| (label(name), Shown::of(sha, &known))).collect())
}

async fn proof(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let record = find(&house, &user, &id).await?;
    let Some(index) = record.leaf_index else { return Err(Refusal::NotFound) };
    let proof = house.ledger.lock().await.proof(index)?.to_string();
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.tlog-proof\"")),
    ];
    Ok((headers, proof).into_response())
}

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage<'a> {
    cx: &'a Cx,
    checkpoint: String,
    vkey: String,
    size: u64,
    report: Option<ledger::Report>,
    faults: Vec<ledger::Fault>,
    fork: Option<ledger::Fork>,
    growth: Option<Growth>,
    outside: Peers,
}

async fn ledger(State(house): State<Shared>, user: User) -> Answer {
    show_ledger(&house, &user, None).await
}

#[derive(Deserialize)]
struct CsrfForm {
    csrf: String,
}

async fn verify(State(house): State<Shared>, user: User, Form(form): Form<CsrfForm>) -> Answer {
    user.form(&form.csrf, Action::Inspect)?;
    let folder = house.checkpointed().await?;
    let report = ledger::verify_all(&folder, &house.store).await?;
    show_ledger(&house, &user, Some(report)).await
}

pub(crate) async fn show_ledger(
    house: &crate::House,
    user: &User,
    report: Option<ledger::Report>,
) -> Answer {
    let (checkpoint, vkey, size, fork, folder) = {
        let mut ledger = house.ledger.lock().await;
        let checkpoint = shown_checkpoint(&mut ledger)?;
        let (fork, folder) = (ledger.fork().cloned(), ledger.folder().to_owned());
        (checkpoint, ledger.verifier_key(), ledger.size(), fork, folder)
    };
    let outside = Peers::load(house, &user.cx, &folder).await?;
    let faults = report
        .as_ref()
        .map_or_else(Vec::new, |r| r.faults.iter().take(FAULTS_SHOWN_MAX).cloned().collect());
    let growth = Growth::load(&house.store, user.cx.now, size).await?;
    let body =
        LedgerPage { cx: &user.cx, checkpoint, vkey, size, report, faults, fork, growth, outside };
    page(&user.cx, user.cx.t("証跡", "Ledger"), &body)
}

/// The newest checkpoint; of a ledger that may sign nothing, the one it signed last.
fn shown_checkpoint(ledger: &mut ledger::Ledger) -> Result<String, ledger::LedgerError> {
    if ledger.fork().is_none() {
        return ledger.signed_checkpoint();
    }
    let path = ledger.folder().join("checkpoint");
    std::fs::read_to_string(&path).map_err(|source| ledger::LedgerError::Io { path, source })
}

async fn cosigned(State(house): State<Shared>, _: User) -> Answer {
    let folder = house.ledger.lock().await.folder().to_owned();
    let note = ledger::newest_cosigned(&folder)?.ok_or(Refusal::NotFound)?;
    let text = note.to_string();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn checkpoint(State(house): State<Shared>, _: User) -> Answer {
    let text = shown_checkpoint(&mut *house.ledger.lock().await)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn vkey(State(house): State<Shared>, _: User) -> Answer {
    let text = house.ledger.lock().await.verifier_key();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response())
}
