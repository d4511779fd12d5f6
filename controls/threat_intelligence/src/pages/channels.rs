//! `/intelligence/channels`: each TAXII channel with what opens it, what was given and taken; gives items.
//!
//! Invariants: a token is shown once, to whom made it; what a peer would see is shown before it is given.

use askama::Template;
use axum::{
    extract::{Form, Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use indicators::tlp::Permit;
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::Row;
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{broken, may_judge, refusal};
use crate::work::{
    channels::{self, CHANNEL},
    inbox::ITEM,
    share::{self, ShareError, approval, given},
};

pub(super) const PATH: &str = "/intelligence/channels";
const CHANNELS_MAX: usize = 100;
const ITEMS_MAX: usize = 200;

pub(super) fn routes() -> Vec<Route> {
    let read = Access::Action(Action::Read);
    let write = Access::Action(Action::Write);
    let title = t("共有チャネル", "Sharing channels");
    let token = t("チャネルの鍵を作る", "Make the token of a channel");
    let give = t("脅威情報を渡す", "Give an item to a peer");
    let one = "/intelligence/channels/{id}";
    vec![
        Route::get(PATH, read, title, show),
        Route::get("/intelligence/channels/{id}/preview", read, give, preview),
        Route::post(&format!("{one}/token"), write, token, renew),
        Route::post(&format!("{one}/give"), write, give, given),
    ]
}

struct Shown {
    row: Row,
    is_open: bool,
    has_token: bool,
    ceiling: &'static str,
    given: u64,
    taken: u64,
}

#[derive(Template)]
#[template(path = "intelligence_channels.html")]
struct ChannelsPage<'a> {
    cx: &'a Cx,
    channels: Vec<Shown>,
    items: Vec<Row>,
    may_judge: bool,
    /// A token that was just made, and its channel.
    made: Option<(Id, String)>,
}

impl ChannelsPage<'_> {
    fn open(&self) -> usize {
        self.channels.iter().filter(|one| one.is_open && one.has_token).count()
    }
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    shown(&house, &user, None).await
}

async fn shown(house: &Shared, user: &User, made: Option<(Id, String)>) -> Answer {
    let store = &house.store;
    let objects = channels::objects(house).await.map_err(broken)?;
    let rows = store.all(Table::Asset, &[CHANNEL]).await?;
    let taxii = |row: &&Row| row.attributes.get("protocol").and_then(Json::as_str) == Some("taxii");
    let mut all = Vec::new();
    for row in rows.iter().filter(taxii).take(CHANNELS_MAX) {
        let count = |is_given| {
            let (objects, name) = (objects.clone(), channels::collection(row.id, is_given));
            async move { objects.count(&name).await }
        };
        all.push(Shown {
            is_open: channels::is_open(row),
            has_token: channels::has_token(store, row.id).await?,
            ceiling: share::ceiling(row).as_str(),
            given: count(true).await.map_err(broken)?,
            taken: count(false).await.map_err(broken)?,
            row: row.clone(),
        });
    }
    let may_judge = may_judge(house, user.reader());
    let mut items = Vec::new();
    if may_judge {
        items = store.all(Table::Asset, &[ITEM]).await?;
        items = user.reader().seen(store, Table::Asset, items).await?;
        items.retain(|row| !row.deleted && row.attributes.contains_key("indicator_rows"));
        items.sort_by_key(|row| std::cmp::Reverse(row.created_at));
        items.truncate(ITEMS_MAX);
    }
    let cx = &user.cx;
    let body = ChannelsPage { cx, channels: all, items, may_judge, made };
    page(cx, cx.t("共有チャネル", "Sharing channels"), &body)
}

pub(super) async fn channel(house: &Shared, id: Id) -> Result<Row, Refusal> {
    let row = house.store.row(Table::Asset, id).await?;
    row.filter(|row| row.kind == CHANNEL && !row.deleted).ok_or(Refusal::NotFound)
}

#[derive(Deserialize)]
struct TokenForm {
    csrf: String,
}

async fn renew(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<TokenForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let row = channel(&house, id).await?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    let token = channels::renew_token(&house.store, row.id, &user.actor()).await.map_err(broken)?;
    let answer = shown(&house, &user, Some((row.id, token))).await?;
    // Shown once: neither browser nor proxy keeps it.
    Ok(([("cache-control", "no-store")], answer).into_response())
}

#[derive(Deserialize)]
struct Chosen {
    item: Id,
}

#[derive(Template)]
#[template(path = "intelligence_give.html")]
struct GivePage<'a> {
    cx: &'a Cx,
    channel: &'a Row,
    item: &'a Row,
    objects: String,
    count: usize,
    left_out: usize,
    level: &'static str,
    refused: Option<String>,
    needs_approval: bool,
    /// Somebody asked for it; another person has to give it.
    is_asked: bool,
    /// Some of it was given and can be withdrawn.
    is_given: bool,
}

async fn preview(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Query(chosen): Query<Chosen>,
) -> Answer {
    let cx = &user.cx;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    let channel = channel(&house, id).await?;
    let item = super::item::seen(&house, user.reader(), chosen.item).await?;
    let parcel = share::parcel(&house.store, &channel, &item).await.map_err(|e| said(cx, e))?;
    let objects = serde_json::to_string_pretty(&parcel.objects).unwrap_or_default();
    let given = given::all(&house.store, channel.id).await?;
    let body = GivePage {
        cx,
        needs_approval: parcel.needs_approval,
        is_asked: approval::is_asked(&house.store, &channel, &item).await?,
        is_given: parcel
            .objects
            .iter()
            .any(|o| o["id"].as_str().is_some_and(|id| given.contains_key(id))),
        channel: &channel,
        item: &item,
        count: parcel.objects.len().saturating_sub(1),
        objects,
        left_out: parcel.left_out,
        level: parcel.level.as_str(),
        refused: match &parcel.permit {
            Permit::Allow => None,
            Permit::Refuse(why) => Some(why.to_string()),
        },
    };
    page(cx, cx.t("相手に見える内容", "As the peer sees it"), &body)
}

pub(super) async fn item(house: &Shared, id: Id) -> Result<Row, Refusal> {
    let row = house.store.row(Table::Asset, id).await?;
    row.filter(|row| row.kind == ITEM && !row.deleted).ok_or(Refusal::NotFound)
}

#[derive(Deserialize)]
struct GiveForm {
    csrf: String,
    item: Id,
}

async fn given(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<GiveForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    let channel = channel(&house, id).await?;
    let item = super::item::seen(&house, user.reader(), form.item).await?;
    let objects = channels::objects(&house).await.map_err(broken)?;
    let done = share::give(&house, &objects, &channel, &item, &user.actor()).await;
    house.wake();
    done.map_err(|error| said(&user.cx, error))?;
    Ok(see(&format!("{PATH}/{}", channel.id)))
}

fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

pub(super) fn said(cx: &Cx, error: ShareError) -> Refusal {
    match error {
        ShareError::Nothing => Refusal::Bad(
            cx.t(
                "確認済みの指標がありません。先に受信箱で値を確認してください。",
                "It has no confirmed indicators: confirm its values in the inbox first.",
            )
            .to_owned(),
        ),
        ShareError::Marking(why) => Refusal::Bad(format!(
            "{} ({why})",
            cx.t("TLPの範囲を超えるため渡せません。", "Its marking does not permit it.")
        )),
        ShareError::Withdrawn => Refusal::Bad(
            cx.t(
                "この情報はこの相手から取り消し済みです。新しい情報として登録し直してください。",
                "It was withdrawn from this peer: enter it as a new item.",
            )
            .to_owned(),
        ),
        ShareError::ByHand => Refusal::Bad(
            cx.t(
                "このチャネルには機械で送れません。メールや会員サイトで手で渡してください。",
                "No machine sends on this channel: give it by mail or portal.",
            )
            .to_owned(),
        ),
        ShareError::Peer(why) => broken(why),
        ShareError::Objects(error) => broken(error),
        ShareError::Inbox(error) => refusal(cx, error),
        ShareError::Store(error) => Refusal::Store(error),
    }
}
