//! `/intelligence/ten-threats/{id}`: one threat: what it is, which measures are proposed and how their proofs stand,
//! and the decision, signed here. After a signature comes the next threat that is not decided.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, t};
use serde_json::{Value as Json, json};
use store::Row;
use web::{
    House, Shared,
    access::Action,
    decide::{self, About, Given, Ruling, Taken},
    frame::{Answer, Cx, Refusal, User, page},
    people::with_script,
    route::{Access, Route},
};

use super::words;
use crate::work::ten::{
    content::Audience,
    editions::{Editions, Measure, Threat},
    standing::{self, DECISION, Decisions, Facts, Ground},
};

/// A decision holds until the next edition is due.
const MONTHS: i64 = 14;
const EXPOSURE_CHARS_MAX: usize = 500;
const RULES_SHOWN_MAX: usize = 200;
/// Months that an action may take.
const DUE_DAYS_MAX: i64 = 550;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let one = t("脅威と対策", "A threat and its measures");
    let decide_title = t("脅威への対策の決定", "Decide on measures against a threat");
    let risk_title = t("脅威からリスクを登録", "Open a risk from a threat");
    let (decide, write) = (Access::Action(Action::Decide), Access::Action(Action::Write));
    vec![
        Route::get("/intelligence/ten-threats/{id}", inspect, one, show),
        Route::post("/intelligence/ten-threats/{id}/decide", decide, decide_title, sign),
        Route::post("/intelligence/ten-threats/{id}/risk", write, risk_title, risk),
    ]
}

/// A proof in words.
struct Shown {
    text: String,
    href: String,
    class: &'static str,
    said: &'static str,
}

/// A measure to choose.
struct Choice {
    id: String,
    text: String,
    maps_to: String,
    is_chosen: bool,
    grounds: Vec<Shown>,
    rule: String,
}

#[derive(Template)]
#[template(path = "ten_threat.html")]
struct OnePage<'a> {
    cx: &'a Cx,
    threat: &'a Threat,
    title: String,
    about: String,
    choices: Vec<Choice>,
    exposure: String,
    reason: String,
    /// Year of the edition whose decision is proposed again.
    carried: Option<i64>,
    is_proposal: bool,
    signed: Vec<decide::Shown>,
    holds: bool,
    hash: String,
    profile: Vec<(String, String)>,
    rules: Vec<String>,
    may_sign: bool,
    sign: String,
    may_open_risk: bool,
    risks: Vec<Row>,
    place: (usize, usize),
    verdicts_known: bool,
}

async fn found(house: &House, id: &str) -> Result<(Editions, Id), Refusal> {
    let editions = Editions::load(&house.store).await?;
    let id = editions.named(id).map(|threat| threat.row.id).ok_or(Refusal::NotFound)?;
    Ok((editions, id))
}

async fn show(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let (editions, id) = found(&house, &id).await?;
    let threat = editions.one(id).ok_or(Refusal::NotFound)?;
    let decisions = Decisions::load(store).await?;
    let facts = Facts::load(&house, &[id]).await?;
    let begin = decisions.begin_with(&editions, threat);
    let (decided, carried) = begin.map_or((None, None), |(decided, year)| (Some(decided), year));
    let signed = decisions.signed(id);
    let account = &user.session.account;
    let is_current = threat.row.status == "active" && threat.audience == Audience::Org;
    let may_sign = is_current
        && (web::access::may(account, Action::Decide)
            || decide::delegation::held(store, account).await?);
    let list = editions.of(threat.audience, threat.edition);
    let at = list.iter().position(|other| other.row.id == id).map_or(0, |at| at + 1);
    // What the list proposes first, then what else was chosen.
    let mut ids = threat.measures.clone();
    let more = decided.map(|decided| decided.measures.clone()).unwrap_or_default();
    ids.extend(more.into_iter().filter(|id| !threat.measures.contains(id)));
    let choice = |id: &String| {
        let measure = editions.measures.get(id)?;
        let chosen = decided.is_some_and(|decided| decided.measures.contains(id));
        let rules = decided.and_then(|d| d.rules.get(id)).map_or(&[][..], Vec::as_slice);
        Some(choice(cx, &house, threat, measure, &facts, chosen, rules))
    };
    let body = OnePage {
        cx,
        title: words::title(cx, threat),
        about: cx.either(&threat.about.0, &threat.about.1).to_owned(),
        choices: ids.iter().filter_map(choice).collect(),
        exposure: decided.map(|decided| decided.exposure.clone()).unwrap_or_default(),
        reason: decided.map(|decided| decided.reason.clone()).unwrap_or_default(),
        carried,
        is_proposal: decisions.proposed(id).is_some(),
        signed: signed.map(|signed| decide::shown(cx, &signed.row)).unwrap_or_default(),
        holds: signed.is_some_and(|signed| signed.holds(threat, store.now())),
        hash: threat.row.content_hash()?,
        profile: profile(&house, cx).await?,
        rules: facts.rules.keys().take(RULES_SHOWN_MAX).cloned().collect(),
        may_sign,
        sign: match may_sign {
            true => decide::part(cx, cx.t("この決定に署名する", "Sign this decision"))?,
            false => String::new(),
        },
        may_open_risk: may_open_risk(&house, &user),
        risks: risks(&house, &threat.norm_id()).await?,
        place: (at, list.len()),
        verdicts_known: facts.verdicts.is_some(),
        threat,
    };
    Ok(with_script(page(cx, &body.title.clone(), &body)?))
}

fn choice(
    cx: &Cx,
    house: &House,
    threat: &Threat,
    measure: &Measure,
    facts: &Facts,
    is_chosen: bool,
    rules: &[String],
) -> Choice {
    let ground = |proof: standing::Proof| {
        let (text, href) = match proof.ground {
            Ground::Criterion(id) => {
                let spec = house.specs().find(|spec| spec.criterion(&id).is_some());
                let text = spec.and_then(|spec| spec.criterion(&id)).map(|c| cx.pick(&c.text));
                let href = spec.map(|spec| format!("/rooms/{}", spec.id)).unwrap_or_default();
                (format!("{id} {}", text.unwrap_or_default()), href)
            }
            Ground::Rule(id) => {
                (format!("{} {id}", cx.t("検知ルール", "Rule")), "/detections".to_owned())
            }
            Ground::Task(id, name) => {
                (format!("{} {name}", cx.t("タスク", "Task")), format!("/row/task/{id}"))
            }
        };
        Shown { text, href, class: proof.live.as_str(), said: words::live(cx, proof.live) }
    };
    let controls = measure.maps_to.iter().filter_map(|id| id.strip_prefix("a."));
    Choice {
        id: measure.id.clone(),
        text: cx.either(&measure.text.0, &measure.text.1).to_owned(),
        maps_to: controls.collect::<Vec<_>>().join(cx.t("、", ", ")),
        is_chosen,
        grounds: facts.proofs(threat.row.id, measure, rules).into_iter().map(ground).collect(),
        rule: rules.first().cloned().unwrap_or_default(),
    }
}

/// What the register says of the organisation: what a threat would find here.
async fn profile(house: &House, cx: &Cx) -> Result<Vec<(String, String)>, Refusal> {
    let rows = house.store.all(Table::Asset, &["org_profile"]).await?;
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let joined = |name: &str| match row.attributes.get(name) {
        Some(Json::Array(all)) => {
            let all: Vec<&str> = all.iter().filter_map(Json::as_str).collect();
            all.join(cx.t("、", ", "))
        }
        Some(Json::String(text)) => text.clone(),
        _ => String::new(),
    };
    let all = [
        (cx.t("業種", "Sector"), "sector"),
        (cx.t("公開サービス", "Exposed services"), "exposed_services"),
        (cx.t("重要な取引先", "Key suppliers"), "key_suppliers"),
        (cx.t("狙われやすい情報", "Coveted information"), "crown_jewels"),
    ];
    let pairs = all.into_iter().map(|(label, name)| (label.to_owned(), joined(name)));
    Ok(pairs.filter(|(_, text)| !text.is_empty()).collect())
}

type Fields = HashMap<String, String>;

fn given(form: &Fields) -> Given {
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    Given {
        password: text("password"),
        code: text("code"),
        assertion: text("assertion"),
        step: text("step"),
        acting_for: text("acting_for"),
    }
}

async fn sign(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Fields>,
) -> Answer {
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    user.form(text("csrf"), Action::Decide)?;
    let cx = &user.cx;
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.t(ja, en).to_owned());
    let (editions, id) = found(&house, &id).await?;
    let threat = editions.one(id).ok_or(Refusal::NotFound)?;
    if threat.row.status != "active" || threat.audience != Audience::Org {
        return Err(bad(
            "最新の年版の組織向けの脅威について決定してください。",
            "Decide on a threat to organisations of the newest edition.",
        ));
    }
    if text("exposure").chars().count() > EXPOSURE_CHARS_MAX {
        return Err(bad(
            "自組織への影響は500文字以内で入力してください。",
            "Describe the exposure in at most 500 characters.",
        ));
    }
    let chosen: Vec<&Measure> = editions
        .measures
        .values()
        .filter(|measure| form.contains_key(&format!("measure-{}", measure.id)))
        .collect();
    let mut rules = Vec::new();
    let mut tasks = Vec::new();
    for measure in &chosen {
        let rule = text(&format!("rule-{}", measure.id)).to_owned();
        if !rule.is_empty() {
            rules.push(format!("{}={rule}", measure.id));
        }
        let due = text(&format!("due-{}", measure.id)).to_owned();
        if !due.is_empty() {
            tasks.push((
                *measure,
                due_date(&house, &due).ok_or_else(|| {
                    bad(
                        "タスクの期限は、明日から18か月以内の日付にしてください。",
                        "A task is due between tomorrow and 18 months from now.",
                    )
                })?,
            ));
        }
    }
    let measures: Vec<&str> = chosen.iter().map(|measure| measure.id.as_str()).collect();
    let (given, reason) = (given(&form), text("reason"));
    let standing = decide::standing(&house, &user, &given.acting_for, &[DECISION]).await?;
    let ruling = Ruling {
        hash: text("hash"),
        outcome: "approved",
        reason,
        hours: decide::months(MONTHS),
        kind: DECISION,
        notes: vec![
            ("measures", json!(measures)),
            ("rules", json!(rules)),
            ("exposure", json!(text("exposure"))),
            ("reason", json!(reason)),
        ],
    };
    let rulings = [(ruling, About::Row(&threat.row))];
    let signature = match decide::take(&house, &user, &headers, &standing, &rulings, given).await? {
        Taken::Asked(answer) => return Ok(answer),
        Taken::Given(signature) => signature,
    };
    let decisions = Decisions::load(&house.store).await?;
    let mut write = house.store.write(&user.actor(), reason, "web").await?;
    decide::enter_all(&mut write, &user, &rulings, &signature).await?;
    for (measure, due) in tasks {
        standing::task(&house.store, &mut write, threat, measure, due).await?;
    }
    // What was proposed is decided.
    if let Some(proposal) = decisions.proposed(id).filter(|p| !decide::is_sealed(&p.row)) {
        write.delete(proposal.row.clone()).await?;
    }
    write.commit().await?;
    house.store.job_ask("threat_intelligence.ten_threats").await?;
    house.wake();
    Ok(Redirect::to(&next(&house, &editions).await?).into_response())
}

fn due_date(house: &House, text: &str) -> Option<jiff::civil::Date> {
    let now = jiff::Timestamp::from_microsecond(house.store.now().0).ok()?;
    let today = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let due: jiff::civil::Date = text.parse().ok()?;
    let days = i64::from((due - today).get_days());
    (1..=DUE_DAYS_MAX).contains(&days).then_some(due)
}

/// Where the sitting goes on.
async fn next(house: &House, editions: &Editions) -> Result<String, Refusal> {
    let decisions = Decisions::load(&house.store).await?;
    let now = house.store.now();
    let list = editions.newest(Audience::Org);
    let open = list.iter().find(|threat| {
        let signed = decisions.signed(threat.row.id);
        !signed.is_some_and(|signed| signed.holds(threat, now))
    });
    let list = "/intelligence/ten-threats".to_owned();
    Ok(open.map_or(list.clone(), |threat| format!("{list}/{}", threat.row.id)))
}

fn may_open_risk(house: &House, user: &User) -> bool {
    house.kind(Table::Risk, "risk").is_some_and(|(_, kind)| user.reader().may(Action::Write, kind))
}

/// Risks that were opened from a threat.
async fn risks(house: &House, norm_id: &str) -> Result<Vec<Row>, Refusal> {
    let mut rows = house.store.all(Table::Risk, &["risk"]).await?;
    rows.retain(|row| row.attributes.get("shipped").and_then(Json::as_str) == Some(norm_id));
    Ok(rows)
}

async fn risk(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Fields>,
) -> Answer {
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    user.form(text("csrf"), Action::Write)?;
    let cx = &user.cx;
    if !may_open_risk(&house, &user) {
        return Err(Refusal::NotFound);
    }
    let (editions, id) = found(&house, &id).await?;
    let threat = editions.one(id).ok_or(Refusal::NotFound)?;
    let known = risks(&house, &threat.norm_id()).await?;
    // Opened once: the second time leads to it.
    let risk = match known.first() {
        Some(risk) => risk.id,
        None => {
            let title = words::title(cx, threat);
            let mut row = Row::new(Table::Risk, house.store.new_id()?, "risk", &title);
            let measures = threat.measures.iter().filter_map(|key| editions.measures.get(key));
            let measures: Vec<&str> =
                measures.map(|measure| cx.either(&measure.text.0, &measure.text.1)).collect();
            let attributes = json!({
                "scenario": cx.either(&threat.about.0, &threat.about.1),
                "threat": title,
                "treatment": "modify",
                "measures": measures.join("\n"),
                "shipped": threat.norm_id(),
            });
            row.attributes = attributes.as_object().cloned().unwrap_or_default();
            let said = cx.t("10大脅威からリスクを登録", "a risk from the ten threats");
            let mut write = user.write(&house, said).await?;
            let row = write.put(row).await?;
            write.commit().await?;
            house.wake();
            row.id
        }
    };
    Ok(Redirect::to(&format!("/row/risk/{risk}")).into_response())
}
