//! `/intelligence/brief`: the one page that executives read, on paper and on the screen the same.
//!
//! Invariants: what the screen shows is what the page has room for; only executives acknowledge, each once.

use askama::Template;
use axum::{
    extract::{Form, Path, Query, State},
    http::header,
    response::{IntoResponse, Redirect},
};
use model::{Id, Lang, t};
use reports::pdf::{Entry, Sheet, fit};
use serde::Deserialize;
use store::{Record, Row};
use web::{
    House, Shared,
    access::Action,
    decide,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{
    super::{broken, may_judge},
    may_order, people, risks,
};
use crate::work::executive::{
    ACKNOWLEDGED, Horizon, ROLE,
    brief::{self, AcknowledgeError, Brief, BriefError},
    fact, sheet,
};

const PATH: &str = "/intelligence/brief";
const LISTED_MAX: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("脅威の要約", "Threat brief");
    let issue = t("要約の発行", "Issue the brief");
    let acknowledge = t("要約の確認", "Acknowledge the brief");
    let pdf = t("要約のPDF", "The brief as PDF");
    vec![
        Route::get(PATH, inspect, title, newest),
        Route::post(PATH, Access::Action(Action::Write), issue, issue_now),
        Route::get("/intelligence/brief/{id}", inspect, title, show),
        Route::get("/intelligence/brief/{id}/pdf", inspect, pdf, as_pdf),
        Route::post(
            "/intelligence/brief/{id}/acknowledge",
            Access::Action(Action::Decide),
            acknowledge,
            acknowledged,
        ),
    ]
}

struct ShownBlock {
    title: String,
    entries: Vec<Entry>,
    empty: String,
    more: String,
}

struct Listed {
    record: Record,
    is_seen: bool,
}

#[derive(Template)]
#[template(path = "intelligence_brief.html")]
struct BriefPage<'a> {
    cx: &'a Cx,
    brief: Option<&'a Brief>,
    sheet: Sheet,
    blocks: Vec<ShownBlock>,
    /// There is a brief, and its content was shredded.
    is_gone: bool,
    listed: Vec<Listed>,
    may_acknowledge: bool,
    may_issue: bool,
    sign: String,
    people: Vec<Row>,
    risks: Vec<Row>,
    today: String,
}

impl BriefPage<'_> {
    fn horizon(&self, record: &Record) -> &'static str {
        match fact(record, "horizon") {
            "long_term" => self.cx.pick(&t("中長期", "Mid and long term")),
            _ => self.cx.pick(&t("短期", "Short term")),
        }
    }

    fn horizon_word(&self, record: &Record) -> String {
        fact(record, "horizon").to_owned()
    }

    fn by(&self, record: &Record) -> String {
        record.actor.strip_prefix("account:").unwrap_or(&record.actor).to_owned()
    }

    fn hits(&self, record: &Record) -> String {
        record.facts.get("hits").map(ToString::to_string).unwrap_or_default()
    }
}

async fn newest(State(house): State<Shared>, user: User) -> Answer {
    shown(&house, &user, None).await
}

async fn show(State(house): State<Shared>, user: User, Path(id): Path<Id>) -> Answer {
    shown(&house, &user, Some(id)).await
}

async fn shown(house: &Shared, user: &User, id: Option<Id>) -> Answer {
    let (cx, store) = (&user.cx, &house.store);
    let records = brief::records(store).await?;
    let acks = brief::acknowledgements(store).await?;
    let record = match id {
        None => records.first(),
        Some(id) => Some(records.iter().find(|record| record.id == id).ok_or(Refusal::NotFound)?),
    };
    let brief = match record {
        Some(record) => Some(opened(house, record, &acks).await?),
        None => None,
    };
    let snapshot = brief.as_ref().and_then(|brief| brief.snapshot.as_ref());
    let (sheet, blocks) = match snapshot {
        Some(snapshot) => laid_out(sheet::sheet(snapshot, &snapshot.hash()?, cx.lang))?,
        None => (Sheet::default(), Vec::new()),
    };
    let is_gone = brief.is_some() && snapshot.is_none();
    let mine = |ack: &Record| ack.actor == user.actor();
    let may_acknowledge = user.session.account.role == ROLE
        && brief.as_ref().is_some_and(|b| b.snapshot.is_some() && !b.acknowledged.iter().any(mine));
    let may_sign = brief.is_some() && may_order(house, user).await?;
    let body = BriefPage {
        cx,
        sheet,
        blocks,
        is_gone,
        listed: records
            .iter()
            .take(LISTED_MAX)
            .map(|record| Listed {
                is_seen: acks.iter().any(|ack| ack.subject == Some(record.id)),
                record: record.clone(),
            })
            .collect(),
        may_acknowledge,
        may_issue: may_judge(house, user.reader()),
        sign: match may_sign {
            true => decide::part(cx, cx.t("指示に署名する", "Sign the order"))?,
            false => String::new(),
        },
        people: if may_sign { people(house).await? } else { Vec::new() },
        risks: if may_sign { risks(house).await? } else { Vec::new() },
        today: cx.today(),
        brief: brief.as_ref(),
    };
    page(cx, cx.t("脅威の要約", "Threat brief"), &body)
}

async fn opened(house: &House, record: &Record, acks: &[Record]) -> Result<Brief, Refusal> {
    let payload = match record.payload_commit {
        Some(_) => house.store.payload(record.id).await?,
        None => None,
    };
    Ok(Brief {
        record: record.clone(),
        snapshot: payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        acknowledged: acks
            .iter()
            .filter(|ack| ack.subject == Some(record.id) && ack.ty == ACKNOWLEDGED)
            .cloned()
            .collect(),
    })
}

fn laid_out(sheet: Sheet) -> Result<(Sheet, Vec<ShownBlock>), Refusal> {
    let fitted = fit(&sheet).map_err(broken)?;
    let block = |(block, shown): (&reports::pdf::Block, reports::pdf::Fitted)| ShownBlock {
        title: block.title.clone(),
        empty: block.empty.clone(),
        more: match shown.more {
            0 => String::new(),
            more => block.more.replace("{n}", &more.to_string()),
        },
        entries: shown.entries,
    };
    let blocks = sheet.blocks.iter().zip(fitted).map(block).collect();
    Ok((sheet, blocks))
}

fn failed(error: BriefError) -> Refusal {
    match error {
        BriefError::Store(error) => Refusal::Store(error),
        BriefError::Pdf(error) => broken(error),
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    lang: String,
}

async fn as_pdf(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Query(asked): Query<Asked>,
) -> Answer {
    let brief = brief::one(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let lang = Lang::parse(&asked.lang).unwrap_or(user.cx.lang);
    let bytes = brief.pdf(lang).map_err(failed)?.ok_or(Refusal::NotFound)?;
    let day = brief.record.received_at.rfc3339().chars().take(10).collect::<String>();
    let as_issued = if brief.is_as_issued(&bytes, lang) { "true" } else { "false" };
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"threat-brief-{day}.pdf\"")),
        (header::HeaderName::from_static("ume-as-issued"), as_issued.to_owned()),
    ];
    Ok((headers, bytes).into_response())
}

#[derive(Deserialize)]
struct IssueForm {
    csrf: String,
    #[serde(default)]
    horizon: String,
}

async fn issue_now(State(house): State<Shared>, user: User, Form(form): Form<IssueForm>) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let horizon = Horizon::named(&form.horizon).ok_or_else(|| {
        let said = user.cx.t("短期か中長期を選んでください。", "Choose short or long term.");
        Refusal::Bad(said.to_owned())
    })?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    let record = brief::issue(&house.store, horizon, &user.actor()).await.map_err(failed)?;
    house.wake();
    Ok(Redirect::to(&format!("{PATH}/{}", record.id)).into_response())
}

#[derive(Deserialize)]
struct PlainForm {
    csrf: String,
}

async fn acknowledged(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<PlainForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let brief = brief::one(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let bad = |ja: &str, en: &str| Refusal::Bad(user.cx.t(ja, en).to_owned());
    if user.session.account.role != ROLE {
        return Err(bad(
            "要約を確認できるのは経営層だけです。",
            "Only executives acknowledge a brief.",
        ));
    }
    if brief.snapshot.is_none() {
        return Err(bad("内容は消去されています。", "Its content was shredded."));
    }
    match brief::acknowledge(&house.store, &brief, &user.actor()).await {
        Ok(_) => {}
        Err(AcknowledgeError::Twice) => {
            return Err(bad("この要約は確認済みです。", "You acknowledged this brief already."));
        }
        Err(AcknowledgeError::Store(error)) => return Err(error.into()),
    }
    house.wake();
    Ok(Redirect::to(&format!("{PATH}/{id}")).into_response())
}
