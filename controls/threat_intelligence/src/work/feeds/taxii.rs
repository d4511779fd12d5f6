//! TAXII 2.1: from an address to a collection, and a poll of it to its end.
//!
//! What is asked next is the engine's word (`indicators::taxii::Poll`); here it is sent. The cursor is saved once the
//! whole poll is entered: servers may give many objects one time, so a place between two pages is none to begin at.
//!
//! Credentials go to the host of the source and to no other, whatever discovery says.

use std::time::Duration;

use fetch::{Fault, Reply};
use indicators::taxii::{Answer, Poll, PollLimits, Step};
use reqwest::{Method, Url, header};
use serde_json::Value as Json;

use super::{BoxFuture, Desk, Extent, Reader, Received, source, stix};

const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";
/// Objects that are looked at together, so that a report meets its indicators.
const TOGETHER: usize = 50_000;
const TOGETHER_BYTES: usize = 64 << 20;
const WAITED_MAX: i64 = 30 * 1_000_000;
const SHOWN_MAX: usize = 10;

/// Servers of TAXII.
pub struct Taxii;

impl Reader for Taxii {
    fn read<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<Received, Fault>> {
        Box::pin(async move {
            let (root, collection) = found(desk).await?;
            poll(desk, &root, &collection).await
        })
    }
}

async fn ask(desk: &Desk, url: &Url) -> Result<Reply, Fault> {
    let own = desk.url()?;
    if (own.scheme(), own.host_str(), own.port_or_known_default())
        != (url.scheme(), url.host_str(), url.port_or_known_default())
    {
        return Err(Fault::said(
            "サーバーが別のホストを案内しました。そのアドレスを入手先に直接書いてください",
            "the server leads to another host: enter that address in the source itself",
        ));
    }
    desk.client().call(Method::GET, url.clone(), &[(header::ACCEPT, MEDIA_TYPE)], None).await
}

/// A resource as JSON.
async fn resource(desk: &Desk, url: &Url) -> Result<Json, Fault> {
    let reply = ask(desk, url).await?;
    if reply.status != 200 {
        return Err(reply.fault());
    }
    let ty = reply.header("content-type").unwrap_or_default();
    if !ty.contains("json") {
        return Err(Fault::said(
            format!("TAXII 2.1のサーバーではありません（応答の種類は {ty}）"),
            format!("no server of TAXII 2.1: it answers with {ty:?}"),
        ));
    }
    serde_json::from_slice(&reply.body).map_err(|error| {
        Fault::said(
            format!("応答を読めません（{error}）"),
            format!("the answer cannot be read: {error}"),
        )
    })
}

fn below(root: &Url, path: &str) -> Result<Url, Fault> {
    let mut root = root.clone();
    if !root.path().ends_with('/') {
        root.set_path(&format!("{}/", root.path()));
    }
    root.set_query(None);
    root.join(path).map_err(|_| Fault::Address("no address"))
}

/// The API root and the id of the collection.
async fn found(desk: &Desk) -> Result<(Url, String), Fault> {
    let url = desk.url()?;
    let path = url.path().to_owned();
    if let Some((root, rest)) = path.split_once("/collections/") {
        let id = rest.split('/').next().unwrap_or_default().to_owned();
        let mut base = url.clone();
        base.set_path(&format!("{root}/"));
        if !id.is_empty() {
            return Ok((base, id));
        }
        return chosen(desk, base).await;
    }
    let about = resource(desk, &below(&url, "")?).await?;
    let listed = about["api_roots"].as_array();
    let Some(listed) = listed else {
        return match about.get("versions").is_some() {
            true => chosen(desk, url).await,
            false => Err(Fault::said(
                "TAXII 2.1の案内（discovery）でもAPIルートでもありません",
                "neither discovery nor an API root of TAXII 2.1",
            )),
        };
    };
    let first = about["default"].as_str().or_else(|| listed.iter().find_map(Json::as_str));
    let first = first
        .ok_or_else(|| Fault::said("APIルートがありません", "the server names no API root"))?;
    let root = url.join(first).map_err(|_| Fault::Address("the API root is no address"))?;
    chosen(desk, root).await
}

/// The collection that the source names, or the only one that can be read.
async fn chosen(desk: &Desk, root: Url) -> Result<(Url, String), Fault> {
    let wanted = source::text(&desk.source.row, "collection").to_owned();
    let about = resource(desk, &below(&root, "collections/")?).await?;
    let all: Vec<&Json> = about["collections"].as_array().into_iter().flatten().collect();
    let readable: Vec<&Json> = all.iter().copied().filter(|one| one["can_read"] == true).collect();
    let is_it = |one: &&Json| {
        ["id", "alias", "title"].iter().any(|name| one[*name].as_str() == Some(&wanted))
    };
    let one = match wanted.is_empty() {
        true if readable.len() == 1 => Some(readable[0]),
        true => None,
        false => all.iter().copied().find(is_it),
    };
    let Some(one) = one else {
        let names: Vec<&str> =
            readable.iter().filter_map(|one| one["title"].as_str()).take(SHOWN_MAX).collect();
        let names = names.join(", ");
        return Err(Fault::said(
            format!("コレクションを選んでください（読めるもの: {names}）"),
            format!("say the collection of the source; those that can be read: {names}"),
        ));
    };
    if one["can_read"] != true {
        return Err(Fault::said(
            "このコレクションを読む権限がありません",
            "this collection may not be read with these credentials",
        ));
    }
    let id = one["id"]
        .as_str()
        .ok_or_else(|| Fault::said("コレクションにIDがありません", "the collection has no id"))?;
    Ok((root, id.to_owned()))
}

async fn poll(desk: &mut Desk, root: &Url, collection: &str) -> Result<Received, Fault> {
    let limits = PollLimits {
        page_bytes: usize::try_from(desk.client().limits().bytes_max).unwrap_or(usize::MAX),
        ..PollLimits::default()
    };
    let mut poll = Poll::new(collection, desk.cursor().map(str::to_owned), limits);
    let (mut cursor, mut items, mut all) = (None, 0, 0u64);
    let (mut objects, mut bytes) = (Vec::new(), 0);
    while let Some(asked) = poll.ask() {
        let reply = ask(desk, &below(root, &asked.path)?).await?;
        desk.count(&reply.body);
        let headers: Vec<(&str, &str)> =
            reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = Answer { status: reply.status, headers: &headers, body: &reply.body };
        match poll.receive(&answer, jiff::Timestamp::now().as_microsecond()) {
            Step::Objects { objects: new, cursor: at } => {
                cursor = at.or(cursor);
                all += new.len() as u64;
                for object in new {
                    bytes += object.len();
                    match serde_json::from_slice::<Json>(&object) {
                        Ok(object) => objects.push(object),
                        Err(error) => desk.refuse(
                            "unreadable",
                            &String::from_utf8_lossy(&object[..object.len().min(80)]),
                            (
                                format!("JSONとして読めません（{error}）"),
                                format!("no JSON: {error}"),
                            ),
                        ),
                    }
                }
                if objects.len() >= TOGETHER || bytes >= TOGETHER_BYTES {
                    items += stix::take(desk, std::mem::take(&mut objects), collection).await?;
                    bytes = 0;
                }
            }
            Step::Wait(micros) if micros <= WAITED_MAX => {
                let micros = if cfg!(test) { micros.min(20_000) } else { micros };
                tokio::time::sleep(Duration::from_micros(micros.unsigned_abs())).await;
            }
            Step::Wait(micros) => {
                return Err(Fault::Wait { status: reply.status, seconds: micros / 1_000_000 });
            }
            Step::Done => break,
            Step::Failed(failure) => return Err(said(&reply, &failure)),
        }
    }
    items += stix::take(desk, objects, collection).await?;
    Ok(Received {
        // Objects that are no indicators are of use as well: what came, came.
        items: items.max(all),
        cursor,
        extent: Extent::Part,
        unchanged: all == 0,
        ..Received::default()
    })
}

fn said(reply: &Reply, failure: &indicators::taxii::Failure) -> Fault {
    match reply.status {
        401 | 403 => reply.fault(),
        _ => Fault::said(
            format!("TAXIIの取得が途中で終わりました（{failure}）"),
            failure.to_string(),
        ),
    }
}
