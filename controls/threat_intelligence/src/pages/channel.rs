//! `/intelligence/channels/{id}`: one channel as a whole. Agreement and way, probes, what was given and accepted, what
//! came, sightings and opinions both ways.
//!
//! Invariants: a login is taken and never shown; what is said to a peer of its objects is confirmed by a person first.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Form, Path, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, Text, Timestamp, t};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Record, Row, Store};
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{
    broken,
    channels::{PATH, channel, item, said},
    may_judge,
};
use crate::work::{
    channels::{self, ACCEPTED, RECEIVED},
    inbox::ITEM,
    peers::{
        Way, login, probe, push,
        sightings::{self, Form as Said, Proposed, SIGHTING},
        way,
    },
    share::{self, SHARED},
};

const RECORDS_MAX: usize = 2_000;
const LISTED_MAX: usize = 20;
const MONTHS: usize = 12;
const MONTH_CHARS: usize = "2026-11".len();
/// Height of the drawing of a month, in its own units.
const HEIGHT: u64 = 40;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let one = "/intelligence/channels/{id}";
    let title = t("共有チャネルの詳細", "A sharing channel");
    let probed = t("疎通を確かめる", "Probe a channel");
    let ended = t("チャネルの鍵を失効させる", "End the token of a channel");
    let logged = t("相手側のログインを登録する", "Enter the login at a peer");
    let told = t("目撃・意見を送る", "Send a sighting or opinion");
    let withdrawn = t("渡した情報を取り消す", "Withdraw what was given");
    vec![
        Route::get(one, inspect, title, show),
        Route::post(&format!("{one}/probe"), write, probed, run_probe),
        Route::post(&format!("{one}/revoke"), write, ended, end_token),
        Route::post(&format!("{one}/login"), write, logged, set_login),
        Route::post(&format!("{one}/say"), write, told, say),
        Route::post(&format!("{one}/withdraw"), write, withdrawn, withdraw),
    ]
}

/// An object that was given.
struct Given {
    object: String,
    version: String,
    tlp: String,
    at: Timestamp,
    /// How it is proved that the peer has it.
    proof: Option<Text>,
}

/// What went out and came in within a month.
#[derive(Default)]
struct Month {
    name: String,
    out: u64,
    came: u64,
}

#[derive(Template)]
#[template(path = "intelligence_channel.html")]
struct ChannelPage<'a> {
    cx: &'a Cx,
    row: &'a Row,
    way: Way,
    may_judge: bool,
    probe: Option<(bool, String, Timestamp)>,
    seen: Option<Timestamp>,
    has_token: bool,
    has_login: bool,
    waiting: (usize, String),
    given: Vec<Given>,
    given_count: usize,
    accepted_count: usize,
    received: Vec<Row>,
    /// Of ours by the peer, of theirs by us.
    said: (usize, usize),
    proposed: Vec<Proposed>,
    months: Vec<Month>,
}

impl ChannelPage<'_> {
    fn fact(&self, name: &str) -> &str {
        self.row.attributes.get(name).and_then(Json::as_str).unwrap_or_default()
    }

    fn is_agreed(&self) -> bool {
        let has = |name: &str| !self.fact(name).is_empty();
        has("agreement") && has("contact") && has("tlp_ceiling")
    }

    fn passes(&self) -> bool {
        self.is_agreed() && self.probe.as_ref().is_some_and(|probe| probe.0)
    }

    fn way_said(&self) -> &'static str {
        let text = match self.way {
            Way::Comes => {
                t("相手がこちらへ取りに来る（TAXII 2.1）", "The peer comes to us (TAXII 2.1)")
            }
            Way::Taxii => t("相手のTAXII 2.1へ送る", "We go to the peer's TAXII 2.1"),
            Way::Misp => t("相手のMISPへ送る", "We go to the peer's MISP"),
            Way::ByHand => t("手で渡す（メール・会員サイト）", "By hand (mail, portal)"),
        };
        self.cx.pick(&text)
    }

    fn needs_login(&self) -> bool {
        matches!(self.way, Way::Taxii | Way::Misp)
    }

    fn ceiling(&self) -> &'static str {
        share::ceiling(self.row).as_str()
    }

    fn form(&self, form: &Said) -> &'static str {
        let text = match form {
            Said::Sighting => t("目撃（検知した）", "sighting (we met it)"),
            Said::Opinion => t("意見（誤検知と判断した）", "opinion (a false positive here)"),
        };
        self.cx.pick(&text)
    }

    fn most(&self) -> u64 {
        self.months.iter().map(|month| month.out.max(month.came)).max().unwrap_or(0).max(1)
    }

    fn height(&self, count: u64) -> u64 {
        // What is there is seen, however little it is beside the rest.
        (count * HEIGHT / self.most()).max(u64::from(count > 0))
    }

    fn top(&self, count: u64) -> u64 {
        HEIGHT - self.height(count)
    }

    fn verdict(&self, item: &Row) -> &'static str {
        let word = item.attributes.get("verdict").and_then(Json::as_str).unwrap_or_default();
        let verdict = crate::work::triage::Verdict::named(word);
        verdict.map_or(self.cx.t("判定待ち", "waits"), |verdict| self.cx.pick(&verdict.text()))
    }
}

async fn show(State(house): State<Shared>, user: User, Path(id): Path<Id>) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let row = channel(&house, id).await?;
    let may_judge = may_judge(&house, user.reader());
    let types = [SHARED, ACCEPTED, SIGHTING, RECEIVED];
    let records = store.newest_records(&types, Some(id), RECORDS_MAX).await?;
    let of = |ty: &str| records.iter().filter(|record| record.ty == ty).count();
    let side = |direction: &str| {
        let is_it = |record: &&Record| {
            record.ty == SIGHTING
                && record.facts.get("direction").and_then(Json::as_str) == Some(direction)
        };
        records.iter().filter(is_it).count()
    };
    let proposed = match may_judge {
        true => sightings::proposed(store, &row).await.map_err(broken)?,
        false => Vec::new(),
    };
    let body = ChannelPage {
        cx,
        way: way(&row),
        may_judge,
        probe: probe::newest(store, id).await.map_err(broken)?,
        seen: channels::seen(store, id).await?,
        has_token: channels::has_token(store, id).await?,
        has_login: login::is_there(store, id).await.map_err(broken)?,
        waiting: push::of_channel(store, id).await.map_err(broken)?,
        given: given(&records),
        given_count: of(SHARED),
        accepted_count: of(ACCEPTED),
        received: received(store, id).await?,
        said: (side("received"), side("sent")),
        proposed,
        months: months(&records, store.now()),
        row: &row,
    };
    page(cx, &row.name, &body)
}

fn text<'r>(record: &'r Record, name: &str) -> &'r str {
    record.facts.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn given(records: &[Record]) -> Vec<Given> {
    let proof = |object: &str| {
        let accepted = records.iter().find(|r| r.ty == ACCEPTED && text(r, "object") == object)?;
        Some(match text(accepted, "proof") {
            "taxii_success" => t("TAXIIの成功応答", "TAXII success"),
            "authenticated_get" => t("相手の認証済み取得", "peer's authenticated GET"),
            "misp_200" => t("MISPの成功応答", "MISP 200"),
            _ => t("返信の合い言葉", "reply token"),
        })
    };
    let shared = records.iter().filter(|record| record.ty == SHARED).take(LISTED_MAX);
    shared
        .map(|record| Given {
            object: text(record, "object").to_owned(),
            version: text(record, "version").to_owned(),
            tlp: format!("TLP:{}", text(record, "tlp").to_uppercase().replace('_', "+")),
            at: record.observed_to,
            proof: proof(text(record, "object")),
        })
        .collect()
}

async fn received(store: &Store, id: Id) -> Result<Vec<Row>, Refusal> {
    let mut items = store.all(Table::Asset, &[ITEM]).await?;
    let own = id.to_string();
    items.retain(|item| {
        !item.deleted && item.attributes.get("channel").and_then(Json::as_str) == Some(&own)
    });
    items.sort_by_key(|item| std::cmp::Reverse(item.created_at));
    items.truncate(LISTED_MAX);
    Ok(items)
}

/// The last months, the newest last.
fn months(records: &[Record], now: Timestamp) -> Vec<Month> {
    let month = |at: Timestamp| at.rfc3339().chars().take(MONTH_CHARS).collect::<String>();
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for record in records {
        let count = counts.entry(month(record.observed_to)).or_default();
        match record.ty.as_str() {
            SHARED => count.0 += 1,
            RECEIVED => count.1 += record.facts.get("items").and_then(Json::as_u64).unwrap_or(0),
            _ => {}
        }
    }
    let (mut all, mut name) = (Vec::new(), month(now));
    for _ in 0..MONTHS {
        let (out, came) = counts.get(&name).copied().unwrap_or_default();
        all.push(Month { name: name.clone(), out, came });
        let number = |part: &str| part.parse::<i32>().unwrap_or(1);
        let (year, of_year) = (number(&name[..4]), number(&name[5..]));
        name = match of_year {
            1 => format!("{:04}-12", year - 1),
            _ => format!("{year:04}-{:02}", of_year - 1),
        };
    }
    all.reverse();
    all
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

/// The channel of a form, for those who may change it.
async fn guarded(house: &Shared, user: &User, id: Id, csrf: &str) -> Result<Row, Refusal> {
    user.form(csrf, Action::Write)?;
    let row = channel(house, id).await?;
    match may_judge(house, user.reader()) {
        true => Ok(row),
        false => Err(Refusal::Forbidden),
    }
}

fn back(id: Id) -> Answer {
    Ok(Redirect::to(&format!("{PATH}/{id}")).into_response())
}

async fn run_probe(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Plain>,
) -> Answer {
    let row = guarded(&house, &user, id, &form.csrf).await?;
    // The outcome stands on the page.
    let _outcome = probe::probe(&house.store, &row).await.map_err(broken)?;
    house.wake();
    back(id)
}

async fn end_token(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Plain>,
) -> Answer {
    let row = guarded(&house, &user, id, &form.csrf).await?;
    channels::revoke_token(&house.store, row.id, &user.actor()).await.map_err(broken)?;
    house.wake();
    back(id)
}

#[derive(Deserialize)]
struct LoginForm {
    csrf: String,
    #[serde(default)]
    user: String,
    secret: String,
}

async fn set_login(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<LoginForm>,
) -> Answer {
    let row = guarded(&house, &user, id, &form.csrf).await?;
    let login = login::Login { user: form.user, secret: form.secret };
    login::set(&house.store, row.id, &login, &user.actor()).await.map_err(broken)?;
    house.wake();
    back(id)
}

#[derive(Deserialize)]
struct SayForm {
    csrf: String,
    form: String,
    object: String,
}

async fn say(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<SayForm>,
) -> Answer {
    let row = guarded(&house, &user, id, &form.csrf).await?;
    let proposed = sightings::proposed(&house.store, &row).await.map_err(broken)?;
    let one = proposed
        .into_iter()
        .find(|one| one.form.as_str() == form.form && one.object == form.object)
        .ok_or(Refusal::NotFound)?;
    let objects = channels::objects(&house).await.map_err(broken)?;
    let sent = sightings::send(&house, &objects, &row, &one, &user.actor()).await;
    house.wake();
    sent.map_err(|error| said(&user.cx, error))?;
    back(id)
}

#[derive(Deserialize)]
struct ItemForm {
    csrf: String,
    item: Id,
}

async fn withdraw(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<ItemForm>,
) -> Answer {
    let row = guarded(&house, &user, id, &form.csrf).await?;
    let item = item(&house, form.item).await?;
    let objects = channels::objects(&house).await.map_err(broken)?;
    let done = share::withdraw(&house, &objects, &row, &item, &user.actor()).await;
    house.wake();
    done.map_err(|error| said(&user.cx, error))?;
    back(id)
}
