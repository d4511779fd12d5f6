//! `/review/drop/{record}` and `/review/threat/{row}`: one printable page for the executive about a level
//! that dropped, or a threat that does not wait, and the instructions signed there.
//!
//! Invariants: what dropped and why is told as it was recorded then, risks and hours as they are now; an
//! executive instructs, or whom one lets stand in; what is signed is order, owner, date and the row.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect},
};
use model::{Id, Lang, Level, Table, t};
use serde::Deserialize;
use store::Row;
use web::{
    Shared,
    access::Action,
    decide::{self, About, Given, Taken},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{estimate, may_write, name_of, names, people, review::signs};
use crate::{
    Board, Control,
    executive::{self, Drop, Order, Why},
    hall::{Hall, RiskView, method::Estimate, text_of},
    review::{INSTRUCTION_KIND, gather},
    shared::SharedBoard,
};

/// Risks that a form offers.
const CHOICES_MAX: usize = 500;

/// What is told of a threat, by the names of its fields.
const TOLD: [&str; 9] = [
    "received",
    "field",
    "tlp",
    "credibility",
    "attack_method",
    "attack_targets",
    "conditions",
    "impact",
    "advice",
];

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let (write, decide) = (Access::Action(Action::Write), Access::Action(Action::Decide));
    let drop_title = t("レベル低下の報告", "A level dropped");
    let threat_title = t("短期の脅威の報告", "A threat that does not wait");
    let sign_title = t("指示に署名する", "Sign an instruction");
    let raise_title = t("脅威を経営層に上げる", "Bring a threat before the executives");
    let risk_title = t("脅威にリスクを結び付ける", "Link a risk to a threat");
    vec![
        Route::get("/review/drop/{id}", inspect, drop_title, drop_page),
        Route::post("/review/drop/{id}/instruct", decide, sign_title, instruct_drop),
        Route::get("/review/threat/{id}", inspect, threat_title, threat_page),
        Route::post("/review/threat/{id}/raise", write, raise_title, raise),
        Route::post("/review/threat/{id}/risk", write, risk_title, link_risk),
        Route::post("/review/threat/{id}/instruct", decide, sign_title, instruct_threat),
    ]
}

/// A criterion that is missed, in words.
struct Line<'a> {
    why: &'a Why,
    text: &'a str,
    mend: &'a str,
}

/// A risk that the control treats.
struct RiskLine<'a> {
    risk: &'a RiskView,
    before: String,
    now: String,
    rises: bool,
}

/// An instruction, given or waiting for signatures.
struct Told {
    text: String,
    owner: Option<Id>,
    due: String,
    risk: Option<Id>,
    task: Option<Id>,
    state: String,
    /// Signatures there are and it takes, while some are missing.
    begun: Option<(usize, usize)>,
}

#[derive(Template)]
#[template(path = "brief.html")]
struct BriefPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    heading: String,
    answer: (&'static str, String),
    facts: Vec<(&'a str, String)>,
    lines: Vec<Line<'a>>,
    /// The misses are those of today, for none were kept with the drop.
    of_today: bool,
    risks: Vec<RiskLine<'a>>,
    hours: Option<u64>,
    told: Vec<Told>,
    names: HashMap<Id, String>,
    people: Vec<Row>,
    /// Where an instruction is sent to; empty where nobody can instruct yet.
    action: String,
    hash: String,
    today: String,
    sign: String,
    /// Where the threat is brought before the executives.
    raise: String,
    raised: Option<Id>,
    /// Where a risk is linked to the threat; empty where that is not for this reader.
    link: String,
    /// Risks that can be named.
    choices: Vec<&'a RiskView>,
}

impl BriefPage<'_> {
    /// Risks that are not on the page yet.
    fn unlinked(&self) -> impl Iterator<Item = &RiskView> {
        let shown = |risk: &&RiskView| !self.risks.iter().any(|line| line.risk.id == risk.id);
        self.choices.iter().copied().filter(shown)
    }

    fn risk(&self, id: &Id) -> &str {
        let found = self.choices.iter().find(|risk| risk.id == *id);
        found.map_or("–", |risk| risk.name.as_str())
    }

    fn owner(&self, id: &Option<Id>) -> &str {
        name_of(&self.names, id.as_ref())
    }
}

fn say<'t>(cx: &Cx, text: &'t model::Text) -> &'t str {
    text.get(cx.lang)
}

async fn drop_page(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Path(id): Path<Id>,
) -> Answer {
    let cx = &user.cx;
    let drop = executive::drop(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let board = shared.wait().await;
    let control = board.all().find(|c| c.spec.control == drop.control);
    let control = control.ok_or(Refusal::NotFound)?;
    let name = say(cx, &control.spec.name);
    let now_missing = executive::why(control, drop.from);
    let of_today = drop.why.is_empty();
    let why = if of_today { &now_missing } else { &drop.why };
    let common = Common::load(&house, &user, drop.task.as_ref()).await?;
    let risks = risk_lines(&board.view, control, drop.from);
    let body = BriefPage {
        cx,
        here: "/review",
        heading: format!("{} {name} {} → {}", drop.control, drop.from.sign(), drop.to.sign()),
        answer: drop_answer(cx, &drop, control),
        facts: vec![
            (cx.t("下がった時刻", "Dropped at"), cx.time(&drop.record.observed_to)),
            (cx.t("前のレベル", "Level before"), drop.from.sign().to_owned()),
            (cx.t("下がった後", "Level after"), drop.to.sign().to_owned()),
            (cx.t("今のレベル", "Level now"), control.level.sign().to_owned()),
        ],
        lines: why.iter().filter_map(|why| line(cx, control, why)).collect(),
        of_today,
        choices: choices(&board, &risks),
        risks,
        hours: (control.level < drop.from).then(|| executive::hours_back(control, drop.from)),
        action: match drop.task {
            Some(_) => format!("/review/drop/{id}/instruct"),
            None => String::new(),
        },
        raise: String::new(),
        raised: None,
        link: String::new(),
        hash: common.hash,
        told: common.told,
        names: common.names,
        people: common.people,
        sign: common.sign,
        today: cx.today(),
    };
    page(cx, &body.heading, &body)
}

fn drop_answer(cx: &Cx, drop: &Drop, control: &Control) -> (&'static str, String) {
    let days = cx.now.hours_since(drop.record.observed_to).max(0) / 24;
    if control.level >= drop.from {
        let text = cx.t("元のレベルに戻っています。", "It is back where it was.");
        return ("pass", text.to_owned());
    }
    let text = match cx.lang {
        Lang::Ja => format!("{days}日前から下がったままです。指示してください。"),
        Lang::En => format!("It has been down for {days} days. Please instruct."),
    };
    ("fail", text)
}

fn line<'a>(cx: &Cx, control: &'a Control, why: &'a Why) -> Option<Line<'a>> {
    let criterion = control.spec.criterion(&why.criterion)?;
    let mend = control.spec.mends.iter().find(|m| m.criterion == criterion.id);
    Some(Line {
        why,
        text: criterion.text.get(cx.lang),
        mend: mend.map_or("", |m| m.text.get(cx.lang)),
    })
}

/// The risks that the control treats: as they would be with the level it had, and as they are.
fn risk_lines<'h>(hall: &'h Hall, control: &Control, from: Level) -> Vec<RiskLine<'h>> {
    let number = control.spec.control;
    let one = |risk: &'h RiskView| {
        let before = before(hall, risk, number, from).or(risk.current);
        let size = |e: &Option<Estimate>| e.map_or(0, Estimate::size);
        RiskLine {
            rises: size(&risk.current) > size(&before),
            before: estimate(&before),
            now: estimate(&risk.current),
            risk,
        }
    };
    executive::risks_of(hall, number).into_iter().map(one).collect()
}

fn before(hall: &Hall, risk: &RiskView, control: &str, from: Level) -> Option<Estimate> {
    let assessed = risk.assessed.as_ref()?;
    let level = |step: &crate::hall::method::Step| match step.control == control {
        true => step.level.max(from),
        false => step.level,
    };
    let treating: Vec<_> =
        assessed.steps.iter().map(|step| (step.control.clone(), level(step))).collect();
    Some(hall.method.assess(assessed.inherent, &treating).current)
}

async fn threat_page(
    State(house): State<Shared>,
    Extension(shared): Extension<SharedBoard>,
    user: User,
    Path(id): Path<Id>,
) -> Answer {
    let cx = &user.cx;
    let threat = executive::threat(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let board = shared.wait().await;
    let raised = house.store.row(Table::Task, executive::threat_task_id(&threat)).await?;
    let raised = raised.filter(|task| !task.deleted).map(|task| task.id);
    let common = Common::load(&house, &user, Some(&threat)).await?;
    let may_raise = raised.is_none() && may_write(&house, &user, Table::Task, "task");
    let may_link = may_write(&house, &user, Table::Risk, "risk");
    let risks = threat_risks(&board, &executive::risks_of_threat(&house.store, id).await?);
    let body = BriefPage {
        cx,
        here: "/review",
        heading: threat.name.clone(),
        answer: match common.told.iter().any(|told| told.begun.is_none()) {
            true => ("pass", cx.t("指示があります。", "It was instructed.").to_owned()),
            false => {
                ("fail", cx.t("指示を待っています。", "It waits for instructions.").to_owned())
            }
        },
        facts: threat_facts(&house, cx, &threat),
        lines: Vec::new(),
        of_today: false,
        choices: choices(&board, &risks),
        risks,
        hours: None,
        action: format!("/review/threat/{id}/instruct"),
        raise: if may_raise { format!("/review/threat/{id}/raise") } else { String::new() },
        raised,
        link: if may_link { format!("/review/threat/{id}/risk") } else { String::new() },
        hash: common.hash,
        told: common.told,
        names: common.names,
        people: common.people,
        sign: common.sign,
        today: cx.today(),
    };
    page(cx, &body.heading, &body)
}

fn threat_facts<'a>(house: &'a Shared, cx: &Cx, threat: &Row) -> Vec<(&'a str, String)> {
    let Some((_, kind)) = house.kind(Table::Asset, executive::THREAT_KIND) else {
        return Vec::new();
    };
    let told = |name: &&str| {
        let field = kind.field(name)?;
        let value = threat.attributes.get(*name)?;
        let text = match (field.ty, value) {
            (model::FieldType::Enum(choices), serde_json::Value::String(text)) => choices
                .iter()
                .find(|choice| choice.value == text)
                .map_or_else(|| text.clone(), |choice| choice.label.get(cx.lang).to_owned()),
            (_, serde_json::Value::String(text)) => text.clone(),
            (_, serde_json::Value::Array(list)) => {
                list.iter().filter_map(|v| v.as_str()).collect::<Vec<_>>().join(", ")
            }
            (_, other) => other.to_string(),
        };
        Some((field.label.get(cx.lang), text))
    };
    TOLD.iter().filter_map(told).collect()
}

/// Risks that were linked to the threat, the largest first.
fn threat_risks<'h>(board: &'h Board, linked: &[Id]) -> Vec<RiskLine<'h>> {
    let mut all: Vec<&RiskView> =
        board.view.risks.iter().filter(|risk| linked.contains(&risk.id)).collect();
    all.sort_by_key(|risk| (std::cmp::Reverse(risk.current.map(|c| c.size())), risk.id));
    let one = |risk: &'h RiskView| RiskLine {
        risk,
        before: estimate(&risk.inherent),
        now: estimate(&risk.current),
        rises: false,
    };
    all.into_iter().map(one).collect()
}

/// Open risks to choose from, by name: the ones shown on the page first.
fn choices<'h>(board: &'h Board, first: &[RiskLine<'h>]) -> Vec<&'h RiskView> {
    let shown: Vec<&RiskView> = first.iter().map(|line| line.risk).collect();
    let mut rest: Vec<&RiskView> = board.view.risks.iter().filter(|risk| risk.open).collect();
    rest.retain(|risk| !shown.iter().any(|s| s.id == risk.id));
    rest.sort_by(|a, b| a.name.cmp(&b.name));
    let mut all = shown;
    all.retain(|risk| risk.open);
    all.extend(rest);
    all.truncate(CHOICES_MAX);
    all
}

/// What both pages need beside their subject.
struct Common {
    hash: String,
    told: Vec<Told>,
    names: HashMap<Id, String>,
    people: Vec<Row>,
    sign: String,
}

impl Common {
    async fn load(house: &Shared, user: &User, about: Option<&Row>) -> Result<Common, Refusal> {
        let mut decisions = Vec::new();
        let mut hash = String::new();
        if let Some(about) = about {
            decisions = executive::instructions(&house.store, about.id).await?;
            hash = about.content_hash()?;
        }
        let tasks: Vec<Id> =
            decisions.iter().filter_map(|d| text_of(d, "task")?.parse().ok()).collect();
        let tasks = match tasks.is_empty() {
            true => Vec::new(),
            false => house.store.rows_by_id(Table::Task, &tasks).await?,
        };
        let told: Vec<Told> = decisions.iter().map(|d| told(d, &tasks)).collect();
        let may_sign = about.is_some() && signs(house, user).await?;
        let people = if may_sign { people(house).await? } else { Vec::new() };
        let names = match may_sign {
            true => people.iter().map(|row| (row.id, row.name.clone())).collect(),
            false => names(house, told.iter().filter_map(|t| t.owner).collect()).await?,
        };
        let button = user.cx.t("指示に署名する", "Sign the instruction");
        let sign = if may_sign { decide::part(&user.cx, button)? } else { String::new() };
        Ok(Common { hash, told, names, people, sign })
    }
}

fn told(decision: &Row, tasks: &[Row]) -> Told {
    let given = gather::given_instruction(decision, tasks);
    let begun = (decision.status == decide::PROPOSED).then(|| decide::progress(decision));
    Told {
        text: given.text,
        owner: given.owner,
        due: given.due,
        risk: given.risk,
        task: given.task,
        state: given.state,
        begun,
    }
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

async fn raise(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Plain>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let threat = executive::threat(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let task = executive::threat_task(&threat, house.store.now());
    if house.store.row(Table::Task, task.id).await?.is_none() {
        let reason = user.cx.t("脅威の報告", "brought a threat before the executives");
        let mut write = user.write(&house, reason).await?;
        write.put(task).await?;
        write.commit().await?;
        house.wake();
    }
    Ok(Redirect::to(&format!("/review/threat/{id}")).into_response())
}

#[derive(Deserialize)]
struct LinkForm {
    csrf: String,
    risk: Id,
}

async fn link_risk(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<LinkForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_write(&house, &user, Table::Risk, "risk") {
        return Err(Refusal::Forbidden);
    }
    let threat = executive::threat(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let risk = house.store.row(Table::Risk, form.risk).await?.filter(|row| !row.deleted);
    let risk = risk.ok_or(Refusal::NotFound)?;
    if !executive::risks_of_threat(&house.store, id).await?.contains(&risk.id) {
        let reason = user.cx.t("脅威とリスクの結び付け", "linked a risk to a threat");
        let mut write = user.write(&house, reason).await?;
        write.put(executive::threat_link(house.store.new_id()?, &risk, &threat)).await?;
        write.commit().await?;
        house.wake();
    }
    Ok(Redirect::to(&format!("/review/threat/{id}")).into_response())
}

#[derive(Deserialize)]
struct InstructForm {
    csrf: String,
    hash: String,
    order: String,
    owner: String,
    due: String,
    #[serde(default)]
    risk: String,
    reason: String,
    #[serde(flatten)]
    given: Given,
}

async fn instruct_drop(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<InstructForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let drop = executive::drop(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    let task = drop.task.ok_or(Refusal::NotFound)?;
    instruct(&house, &user, &headers, &task, form, &format!("/review/drop/{id}")).await
}

async fn instruct_threat(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<InstructForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let threat = executive::threat(&house.store, id).await?.ok_or(Refusal::NotFound)?;
    instruct(&house, &user, &headers, &threat, form, &format!("/review/threat/{id}")).await
}

async fn instruct(
    house: &Shared,
    user: &User,
    headers: &HeaderMap,
    about: &Row,
    form: InstructForm,
    back: &str,
) -> Answer {
    let cx = &user.cx;
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    let given = form.given;
    let standing = decide::standing(house, user, &given.acting_for, &[INSTRUCTION_KIND]).await?;
    if standing.account.role != super::review::SIGNS {
        return bad(
            "指示に署名できるのは経営層（またはその委任を受けた人）だけです。",
            "Only an executive, or whom one lets stand in, signs an instruction.",
        );
    }
    let owner = form.owner.parse().ok();
    let owner = match owner {
        Some(id) => house.store.row(Table::Party, id).await?.filter(|p| !p.deleted),
        None => None,
    };
    let (text, due) = (form.order.trim(), form.due.trim());
    let risk = super::named_risk(house, user, &form.risk).await?;
    let order = Order { text, owner: owner.as_ref().map_or_else(Id::nil, |o| o.id), due, risk };
    if owner.is_none() || !order.is_whole(house.store.now()) {
        return bad(
            "指示には、2000文字以内の内容、担当、今日以降の期限が必要です。",
            "An instruction needs a text of at most 2,000 characters, an owner and a date from today on.",
        );
    }
    if house.store.row(Table::Task, order.task_id(about)).await?.is_some() {
        return bad("同じ指示がすでにあります。", "The same instruction was given already.");
    }
    let reason = form.reason.trim();
    let rulings = [(order.ruling(about, &form.hash, reason), About::Row(about))];
    let signature = match decide::take(house, user, headers, &standing, &rulings, given).await? {
        Taken::Asked(answer) => return Ok(answer),
        Taken::Given(signature) => signature,
    };
    let mut write = house.store.write(&user.actor(), reason, "web").await?;
    for decision in decide::enter_all(&mut write, user, &rulings, &signature).await? {
        executive::settle(&house.store, &mut write, &decision).await?;
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(back).into_response())
}
