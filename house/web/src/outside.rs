//! The ledger seen from outside: the witness that Ume is for others, and the part of `/ledger` about
//! those who cosign and time-stamp ours.
//!
//! `POST /witness/add-checkpoint` is open to everyone (c2sp.org/tlog-witness): what it gives out depends on
//! the signature of a configured log alone. A request that is not of one touches no file.

use std::path::Path as FilePath;

use axum::{
    Form,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use ledger::{
    Ledger, cosigned_by_all,
    outside::{AUTHORITY_SECONDS, Change, Outside, OutsideError, Troubles, WITNESS_SECONDS},
    stamps,
};
use merkle::{MAX_WITNESS_BYTES, SIZE_TYPE};
use model::{Assurance, Lang, Timestamp, t};
use serde::Deserialize;
use serde_json::json;
use store::{RecordDraft, Store};
use tokio::sync::Mutex;

use crate::{
    Shared,
    access::Action,
    api::problem::{self, Problem},
    frame::{Answer, Cx, Refusal, User},
    route::{Access, Route},
};

/// Beyond this a peer's last word no longer carries the criterion.
const FRESH_HOURS: i64 = 24;

pub(crate) fn routes() -> Vec<Route> {
    let (inspect, administer) =
        (Access::Action(Action::Inspect), Access::Action(Action::Administer));
    let cosign = t("他組織の証跡への連署（証人）", "Cosign the log of another house (witness)");
    let change = t("証人・タイムスタンプ局の設定", "Set witnesses and authorities");
    let stamp = t("タイムスタンプのトークン", "Time-stamp token");
    vec![
        Route::post("/witness/add-checkpoint", Access::Public, cosign, add_checkpoint)
            .body_max(MAX_WITNESS_BYTES),
        Route::post("/ledger/outside", administer, change, save),
        Route::get("/ledger/timestamps/{authority}/{part}", inspect, stamp, token),
    ]
}

/// Answers a log that asks for a cosignature.
async fn add_checkpoint(State(house): State<Shared>, body: Bytes) -> Response {
    let plain = |status: StatusCode, text: String| {
        (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
    };
    match decide(&house, body).await {
        Ok(Ok(line)) => plain(StatusCode::OK, line),
        Ok(Err(refusal)) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            tracing::info!(status = refusal.status(), "not cosigned: {refusal}");
            match refusal.size() {
                Some(size) => (status, [(header::CONTENT_TYPE, SIZE_TYPE)], format!("{size}\n"))
                    .into_response(),
                None => plain(status, format!("{refusal}\n")),
            }
        }
        Err(error) => {
            tracing::error!(error, "the witness cannot work");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the witness cannot work\n".to_owned())
        }
    }
}

async fn decide(
    house: &Shared,
    body: Bytes,
) -> Result<Result<String, merkle::WitnessRefusal>, String> {
    let outside = Outside::load(&house.store).await.map_err(|e| e.to_string())?;
    let logs = outside.logs.iter().map(|log| log.witnessed()).collect::<Result<Vec<_>, _>>();
    let logs = logs.map_err(|e| e.to_string())?;
    let now = u64::try_from(house.store.now().0.div_euclid(1_000_000)).unwrap_or_default();
    let desk = house.desk.clone();
    // It waits for the disk, and one log after another.
    let decided = tokio::task::spawn_blocking(move || {
        let mut desk = desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        desk.add_checkpoint(&logs, &body, now)
    });
    decided.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
}

/// Changes who is outside, and writes that down.
pub async fn change(
    store: &Store,
    ledger: &Mutex<Ledger>,
    change: &Change,
    actor: &str,
) -> Result<String, OutsideError> {
    // Held to the end: two changes at once must not lose one.
    let ledger = ledger.lock().await;
    let own = ledger.own_keys().map_err(|e| OutsideError::Keys(e.to_string()))?;
    let mut outside = Outside::load(store).await?;
    let name = outside.apply(change, &own)?;
    let mut write = store.write(actor, change.name(), "").await?;
    let now = write.now();
    let facts = json!({"change": change.name(), "name": name});
    let draft = RecordDraft {
        ty: "house.outside_changed".to_owned(),
        subject: None,
        observed_from: now,
        observed_to: now,
        source: "ume".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    };
    write.record(draft).await?;
    write.commit().await?;
    outside.save(store).await?;
    Ok(name)
}

/// The same refusal for the API and the command line.
pub(crate) fn problem(lang: Lang, error: &OutsideError) -> Problem {
    let kind = match error {
        OutsideError::Store(error) => return Problem::of_store(lang, error),
        OutsideError::Missing(_) => problem::NOT_FOUND,
        OutsideError::There(_) | OutsideError::Many => problem::CONFLICT,
        _ => problem::INVALID,
    };
    Problem::saying(lang, kind, said(lang, error))
}

/// What to tell who set it.
fn said(lang: Lang, error: &OutsideError) -> String {
    if lang == Lang::En {
        return error.to_string();
    }
    match error {
        OutsideError::Key(error) => format!("検証鍵を読み取れません: {error}"),
        OutsideError::KeyType => {
            "鍵の種類が違います。証人には種類0x04、ログには種類0x01の検証鍵を指定してください"
                .to_owned()
        }
        OutsideError::Own(name) => {
            format!("{name}はこの証跡自身の鍵です。自分自身を証人にはできません")
        }
        OutsideError::Url(url) => format!(
            "{url}はアドレスではありません。http:// または https:// で始まり、ホスト名を含むものを指定してください"
        ),
        OutsideError::Name(name) => {
            format!("{name}は名前に使えません。a-z、0-9、-で32文字以内にしてください")
        }
        OutsideError::Anchors(error) => format!("信頼する証明書（PEM）を読み取れません: {error}"),
        OutsideError::Seconds(seconds) => {
            format!("{seconds}秒は間隔に使えません。1秒から12時間までにしてください")
        }
        OutsideError::There(name) => format!("{name}は登録済みです。先に削除してください"),
        OutsideError::Missing(name) => format!("{name}は登録されていません"),
        OutsideError::Many => {
            "これ以上登録できません。使っていないものを削除してください".to_owned()
        }
        OutsideError::Keys(error) => format!("この証跡の鍵を読み取れません: {error}"),
        OutsideError::Setting(error) => format!("設定を読み取れません: {error}"),
        OutsideError::Store(error) => error.to_string(),
    }
}

/// Fields of all its forms; `change` says which are meant.
#[derive(Deserialize)]
struct ChangeForm {
    csrf: String,
    change: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    vkey: String,
    #[serde(default)]
    anchors: String,
}

impl ChangeForm {
    fn change(self) -> Option<Change> {
        let trimmed = |text: &str| text.trim().to_owned();
        let (name, url) = (trimmed(&self.name), trimmed(&self.url));
        Some(match self.change.as_str() {
            "witness_add" => Change::WitnessAdd { url, vkey: self.vkey, every_s: WITNESS_SECONDS },
            "witness_remove" => Change::WitnessRemove { name },
            "authority_add" => Change::AuthorityAdd {
                name,
                url,
                anchors: self.anchors,
                every_s: AUTHORITY_SECONDS,
            },
            "authority_remove" => Change::AuthorityRemove { name },
            "log_add" => {
                Change::LogAdd { origin: Some(name).filter(|n| !n.is_empty()), vkey: self.vkey }
            }
            "log_remove" => Change::LogRemove { origin: name },
            _ => return None,
        })
    }
}

async fn save(State(house): State<Shared>, user: User, Form(form): Form<ChangeForm>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let unknown = || Refusal::Bad(user.cx.t("未知の変更です。", "Unknown change.").to_owned());
    let wanted = form.change().ok_or_else(unknown)?;
    match change(&house.store, &house.ledger, &wanted, &user.actor()).await {
        Ok(_) => {
            house.wake();
            Ok(Redirect::to("/ledger#outside").into_response())
        }
        Err(OutsideError::Store(error)) => Err(error.into()),
        Err(error) => Err(Refusal::Bad(said(user.cx.lang, &error))),
    }
}

/// The newest stamp of an authority: its token, the checkpoint it is over, or the anchors.
async fn token(
    State(house): State<Shared>,
    _: User,
    Path((authority, part)): Path<(String, String)>,
) -> Answer {
    let folder = house.ledger.lock().await.folder().to_owned();
    // Only names of kept authorities are looked up, so that no path can be asked for.
    let known = ledger::stampers(&folder)?.contains(&authority);
    let newest = if known { stamps(&folder, &authority, 1)?.pop() } else { None };
    let newest = newest.ok_or(Refusal::NotFound)?;
    let (path, kind) = match part.as_str() {
        "token.tsr" => (newest.token, "application/timestamp-reply"),
        "checkpoint" => (newest.data, "text/plain; charset=utf-8"),
        "anchors.pem" => (newest.anchors, "application/x-pem-file"),
        _ => return Err(Refusal::NotFound),
    };
    let bytes = std::fs::read(&path).map_err(|source| ledger::LedgerError::Io { path, source })?;
    let name = format!("attachment; filename=\"{authority}-{part}\"");
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, bytes).into_response())
}

/// One witness or authority as the page shows it.
pub(crate) struct Peer {
    pub name: String,
    pub url: String,
    /// Leaves of the newest checkpoint it has signed.
    pub size: Option<u64>,
    pub at: Option<Timestamp>,
    /// How old its last word is.
    pub age: String,
    pub fresh: bool,
    /// Why it does not answer, and since when.
    pub trouble: Option<(String, String)>,
}

/// A log that is cosigned here.
pub(crate) struct Cosignee {
    pub origin: String,
    pub size: Option<u64>,
    pub at: Option<Timestamp>,
}

/// The part of the page about the outside.
pub(crate) struct Peers {
    pub witnesses: Vec<Peer>,
    pub authorities: Vec<Peer>,
    pub logs: Vec<Cosignee>,
    /// Key of our own witness, for those whose logs we cosign.
    pub vkey: String,
    pub may_administer: bool,
}

/// Peers of one kind with the words around them.
pub(crate) struct Group<'a> {
    pub title: &'a str,
    pub none: &'a str,
    /// The change that removes one.
    pub kind: &'static str,
    pub peers: &'a [Peer],
}

impl Group<'_> {
    pub(crate) fn has_cosigned(&self) -> bool {
        self.kind == "witness_remove" && self.peers.iter().any(|peer| peer.at.is_some())
    }
}

impl Peers {
    pub(crate) fn groups<'a>(&'a self, cx: &'a Cx) -> [Group<'a>; 2] {
        [
            Group {
                title: cx.t("証人", "Witnesses"),
                none: cx.t("証人はまだいません。", "There is no witness yet."),
                kind: "witness_remove",
                peers: &self.witnesses,
            },
            Group {
                title: cx.t("タイムスタンプ局（RFC 3161）", "Time-stamping authorities (RFC 3161)"),
                none: cx.t("タイムスタンプ局はまだありません。", "There is no authority yet."),
                kind: "authority_remove",
                peers: &self.authorities,
            },
        ]
    }

    pub(crate) async fn load(
        house: &crate::House,
        cx: &Cx,
        folder: &FilePath,
    ) -> Result<Peers, Refusal> {
        let unreadable = |error: OutsideError| match error {
            OutsideError::Store(error) => Refusal::Store(error),
            error => Refusal::Bad(said(cx.lang, &error)),
        };
        let outside = Outside::load(&house.store).await.map_err(unreadable)?;
        let troubles = Troubles::load(&house.store).await.map_err(unreadable)?;
        let trouble = |name: String| {
            let trouble = troubles.0.get(&name)?;
            Some((trouble.said.clone(), age(cx, Timestamp(trouble.since_us))))
        };
        let kept = cosigned_by_all(folder)?;
        let mut witnesses = Vec::new();
        for witness in &outside.witnesses {
            let name = witness.key().map_err(unreadable)?.name().to_owned();
            let kept = kept.iter().find(|kept| kept.witness.to_string() == witness.vkey);
            let at = kept.map(|kept| seconds(i64::try_from(kept.time).unwrap_or(i64::MAX)));
            let size = kept.map(|kept| kept.checkpoint.size());
            let trouble = trouble(format!("witness:{name}"));
            witnesses.push(peer(cx, name, &witness.url, size, at, trouble));
        }
        let mut authorities = Vec::new();
        for authority in &outside.authorities {
            let newest = stamps(folder, &authority.name, 1)?.pop();
            let at = newest.as_ref().map(|newest| seconds(newest.stamp.time));
            let size = newest.map(|newest| newest.size);
            let trouble = trouble(format!("authority:{}", authority.name));
            authorities.push(peer(cx, authority.name.clone(), &authority.url, size, at, trouble));
        }
        let (logs, vkey) = {
            let mut desk = house.desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut logs = Vec::new();
            for log in outside.logs {
                let seen = desk.witnessed(&log.origin)?;
                logs.push(Cosignee {
                    origin: log.origin,
                    size: seen.as_ref().map(|seen| seen.size),
                    at: seen.map(|seen| seconds(i64::try_from(seen.time).unwrap_or(i64::MAX))),
                });
            }
            (logs, desk.verifier_key()?.to_string())
        };
        let role = cx.session.as_ref().map_or("", |s| s.account.role.as_str());
        let may_administer = crate::access::allowed(role, Action::Administer);
        Ok(Peers { witnesses, authorities, logs, vkey, may_administer })
    }
}

fn seconds(unix: i64) -> Timestamp {
    Timestamp(unix.saturating_mul(1_000_000))
}

fn peer(
    cx: &Cx,
    name: String,
    url: &str,
    size: Option<u64>,
    at: Option<Timestamp>,
    trouble: Option<(String, String)>,
) -> Peer {
    let fresh = at.is_some_and(|at| cx.now.hours_since(at) < FRESH_HOURS);
    let age = at.map_or_else(String::new, |at| age(cx, at));
    Peer { name, url: url.to_owned(), size, at, age, fresh, trouble }
}

/// How long ago, in the largest whole unit.
fn age(cx: &Cx, at: Timestamp) -> String {
    let minutes = ((cx.now.0 - at.0) / 60_000_000).max(0);
    let (number, ja, en) = match minutes {
        0..60 => (minutes, "分前", "min ago"),
        60..2_880 => (minutes / 60, "時間前", "h ago"),
        _ => (minutes / 1_440, "日前", "days ago"),
    };
    cx.t(&format!("{number}{ja}"), &format!("{number} {en}")).to_owned()
}
