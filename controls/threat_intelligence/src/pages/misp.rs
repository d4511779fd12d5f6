//! `/misp/{channel}/`: a channel as MISP shows it: the folder of a feed, and the part of its REST interface by which
//! events and sightings are exchanged.
//!
//! The key of a peer is the token of its channel, in the header `Authorization` as MISP has it. Errors are JSON with
//! `name`, `message` and `url`. Without the right key nothing is told, not even which channels there are.

use axum::{
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use indicators::misp;
use model::t;
use room::Error;
use serde_json::{Value as Json, json};
use store::Row;
use web::{
    Shared,
    route::{Access, Route},
};

use super::outlets::fetch;
use crate::work::{
    channels,
    misp::{self as work, AddError, Asked, Given},
    share,
    tlp::changes,
};

const BODY_BYTES_MAX: usize = 10 << 20;
/// The edition of MISP whose answers these are.
const VERSION: &str = "2.5.0";
const EVENTS_MAX: usize = 500;
const SIGHTING: &str = "threat_intelligence.sighting";
const ACTOR: &str = "system:threat_intelligence.misp";

pub(super) fn routes() -> Vec<Route> {
    let title = t("MISPによる共有", "Sharing over MISP");
    let path = "/misp/{channel}/{*rest}";
    let one = |method| Route::new(method, path, Access::Sender, title, answer);
    [Method::GET, Method::POST].map(|method| one(method).body_max(BODY_BYTES_MAX)).into()
}

async fn answer(
    State(house): State<Shared>,
    Path((channel, rest)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let url = format!("/{rest}");
    let entered = match key(&parts.headers) {
        Some(key) => channels::enter(&house.store, &channel, &key).await,
        None => Ok(None),
    };
    let row = match entered {
        Ok(Some(row)) => row,
        Ok(None) => return fault(StatusCode::FORBIDDEN, CLOSED, &url),
        Err(error) => return broken(&error, &url),
    };
    // A body of a stranger is not read.
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return fault(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.", &url);
    };
    match answered(&house, &row, &parts.method, &rest, &body).await {
        Ok(response) => response,
        Err(error) => broken(&error, &url),
    }
}

const CLOSED: &str = "Authentication failed. Please make sure you pass the API key of an API enabled user along in the \
                      Authorization header.";

fn fault(status: StatusCode, message: &str, url: &str) -> Response {
    let body = json!({ "saved": false, "name": message, "message": message, "url": url });
    json_response(status, &body)
}

fn broken(error: &dyn std::fmt::Display, url: &str) -> Response {
    tracing::error!(%error, "MISP request failed");
    fault(StatusCode::INTERNAL_SERVER_ERROR, "An internal error has occurred.", url)
}

fn json_response(status: StatusCode, body: &Json) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, Body::from(body.to_string())).into_response()
}

/// The key as MISP sends it, alone; a feed may send it as HTTP has it.
fn key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    match value.contains(' ') {
        true => fetch::secret(headers),
        false => Some(value.to_owned()),
    }
}

async fn answered(
    house: &Shared,
    channel: &Row,
    method: &Method,
    rest: &str,
    body: &Bytes,
) -> Result<Response, Error> {
    let url = format!("/{rest}");
    let path = rest.trim_end_matches('/').trim_end_matches(".json");
    let parts: Vec<&str> = path.split('/').collect();
    let is_post = *method == Method::POST;
    let ok = |body: &Json| Ok(json_response(StatusCode::OK, body));
    match (parts.as_slice(), is_post) {
        (["servers", "getVersion"], false) => ok(&json!({
            "version": VERSION, "pymisp_recommended_version": VERSION,
            "perm_sync": true, "perm_sighting": true, "perm_galaxy_editor": false,
        })),
        (["users", "view", "me"], false) => ok(&me(channel)),
        (["events", "restSearch"], _) => search(house, channel, body, &url).await,
        (["events", "view", id] | ["events", id], false) => view(house, channel, id, &url).await,
        (["events", "view", id], true) => view(house, channel, id, &url).await,
        (["events", "add"], true) => add(house, channel, body, &url).await,
        (["sightings", "add"], true) => sighting(house, channel, None, body, &url).await,
        (["sightings", "add", id], true) => sighting(house, channel, Some(id), body, &url).await,
        (["manifest"], false) => {
            let all = all(house, channel).await?;
            let manifest = misp::manifest(all.iter().map(|given| &given.event));
            told(house, channel, &all).await?;
            ok(&manifest)
        }
        (["hashes.csv"], false) => {
            let all = all(house, channel).await?;
            let lines = all.iter().map(|given| misp::hashes(&given.event).csv());
            let text: String = lines.collect();
            Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
        }
        ([uuid], false) if uuid::Uuid::try_parse(uuid).is_ok() => {
            view(house, channel, uuid, &url).await
        }
        _ => Ok(fault(StatusCode::NOT_FOUND, "Not Found", &url)),
    }
}

/// The peer as its own program asks who it is.
fn me(channel: &Row) -> Json {
    json!({
        "User": {
            "id": "1", "org_id": "1", "email": format!("{}@channel.invalid", channel.id),
            "autoalert": false, "disabled": false, "role_id": "1",
        },
        "Role": {
            "id": "1", "name": "Sync user", "perm_add": true, "perm_sync": true,
            "perm_sighting": true, "perm_auth": true, "perm_site_admin": false,
        },
        "UserSetting": {},
    })
}

async fn all(house: &Shared, channel: &Row) -> Result<Vec<Given>, Error> {
    let objects = channels::objects(house).await?;
    let raised = changes::raised(house).await?;
    let org = work::org(&house.store).await?;
    work::given(&objects, channel, &share::exit(channel), &raised, &org).await
}

/// Writes down what the peer now has.
async fn told(house: &Shared, channel: &Row, given: &[Given]) -> Result<(), Error> {
    let mut entries: Vec<_> = given.iter().flat_map(|one| one.entries.clone()).collect();
    entries.sort_by_key(|entry| entry.date_added);
    Ok(channels::gave(house, channel, &entries).await?)
}

async fn search(house: &Shared, channel: &Row, body: &[u8], url: &str) -> Result<Response, Error> {
    let asked = match Asked::read(body) {
        Ok(asked) => asked,
        Err(why) => return Ok(fault(StatusCode::BAD_REQUEST, &why, url)),
    };
    let mut chosen = asked.choose(all(house, channel).await?);
    chosen.truncate(EVENTS_MAX);
    told(house, channel, &chosen).await?;
    let event = |given: &Given| {
        let mut event = misp::write_event(&given.event);
        if asked.only_metadata
            && let Some(members) = event["Event"].as_object_mut()
        {
            members.remove("Attribute");
        }
        event
    };
    let events: Vec<Json> = chosen.iter().map(event).collect();
    Ok(json_response(StatusCode::OK, &json!({ "response": events })))
}

async fn view(house: &Shared, channel: &Row, id: &str, url: &str) -> Result<Response, Error> {
    let mut all = all(house, channel).await?;
    all.retain(|given| given.event.uuid() == Some(id));
    let Some(given) = all.first() else {
        return Ok(fault(StatusCode::NOT_FOUND, "Invalid event", url));
    };
    told(house, channel, &all).await?;
    Ok(json_response(StatusCode::OK, &misp::write_event(&given.event)))
}

async fn add(house: &Shared, channel: &Row, body: &[u8], url: &str) -> Result<Response, Error> {
    let objects = channels::objects(house).await?;
    match work::add(house, &objects, channel, body, BODY_BYTES_MAX).await {
        Ok(added) => Ok(json_response(StatusCode::OK, &misp::write_event(&added.event))),
        Err(AddError::Room(error)) => Err(error),
        Err(error @ (AddError::Event(_) | AddError::Nothing)) => {
            let said = error.to_string();
            let body = json!({
                "saved": false, "name": "Could not add Event", "message": "Could not add Event",
                "url": url, "errors": said,
            });
            Ok(json_response(StatusCode::FORBIDDEN, &body))
        }
    }
}

/// A peer saw what we gave: the objects of that value, or the attribute of that id.
async fn sighting(
    house: &Shared,
    channel: &Row,
    id: Option<&str>,
    body: &[u8],
    url: &str,
) -> Result<Response, Error> {
    let said: Json = match serde_json::from_slice(body) {
        Ok(said) => said,
        Err(error) => return Ok(fault(StatusCode::BAD_REQUEST, &error.to_string(), url)),
    };
    let said = said.get("Sighting").unwrap_or(&said);
    let text = |key: &str| said[key].as_str().map(str::to_owned);
    let id = id.map(str::to_owned).or_else(|| text("uuid")).or_else(|| text("id"));
    let mut values: Vec<String> = text("value").into_iter().collect();
    values.extend(
        said["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|v| Some(v.as_str()?.to_owned())),
    );
    let form = match said["type"].as_str().or_else(|| said["type"].as_i64().map(|_| "")) {
        None | Some("0") => "sighting",
        Some("") if said["type"] == 0 => "sighting",
        _ => "opinion",
    };
    let all = all(house, channel).await?;
    let mut found: Vec<String> = Vec::new();
    for given in &all {
        let event = misp::write_event(&given.event);
        let attributes = event["Event"]["Attribute"].as_array().cloned().unwrap_or_default();
        let is_it = |attribute: &Json| {
            id.as_deref().is_some_and(|id| attribute["uuid"] == id)
                || values.iter().any(|value| attribute["value"] == value.as_str())
        };
        for attribute in attributes.iter().filter(|attribute| is_it(attribute)) {
            let value = attribute["value"].as_str().unwrap_or_default();
            let objects = given.entries.iter().filter(|entry| {
                serde_json::from_slice::<Json>(&entry.bytes)
                    .is_ok_and(|object| object["name"] == value || says(&object, value))
            });
            found.extend(objects.map(|entry| entry.id.clone()));
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        let why = "No valid attributes found that match the criteria.";
        return Ok(fault(StatusCode::NOT_FOUND, why, url));
    }
    let now = house.store.now();
    let mut write = house.store.write(ACTOR, "misp", "").await?;
    for object in &found {
        let facts = json!({
            "channel": channel.id, "object": object,
            "direction": "received", "about": "ours", "form": form,
        });
        write.record(room::draft(SIGHTING, Some(channel.id), now, facts)).await?;
    }
    write.commit().await?;
    house.wake();
    let body = json!({ "Sighting": {
        "type": said.get("type").cloned().unwrap_or_else(|| json!("0")),
        "date_sighting": (now.0 / 1_000_000).to_string(),
        "source": said.get("source").cloned().unwrap_or_default(),
    }});
    Ok(json_response(StatusCode::OK, &body))
}

/// Whether the pattern of an indicator asks for this value.
fn says(object: &Json, value: &str) -> bool {
    let items = indicators::exchange::from_stix(&[object], indicators::tlp::Level::Red).items;
    items.iter().any(|item| item.value == value)
}
