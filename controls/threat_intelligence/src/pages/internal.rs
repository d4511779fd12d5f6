//! `/intelligence/internal`: incidents, grave findings and employees' reports, judged as intelligence or not, many at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use askama::Template;
use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect},
};
use model::{Id, t};
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{broken, may_judge, reason};
use crate::work::process::{
    internal::{self, Inside},
    reports::{self, Said},
};

const SHOWN_MAX: usize = 100;
const WORDS_SHOWN: usize = 160;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let judged = t("内部情報の判定", "Judge what comes from inside");
    vec![
        Route::get("/intelligence/internal", inspect, t("内部情報", "From inside"), show),
        Route::post("/intelligence/internal", write, judged, judge),
    ]
}

struct Line {
    id: Id,
    at: String,
    input: &'static str,
    title: String,
    /// For those who judge.
    words: String,
    is_late: bool,
    verdict: Option<&'static str>,
    item: Option<Id>,
}

#[derive(Template)]
#[template(path = "intelligence_internal.html")]
struct InternalPage<'a> {
    cx: &'a Cx,
    waiting: Vec<Line>,
    judged: Vec<Line>,
    open: usize,
    late: usize,
    may_judge: bool,
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let now = store.now();
    let all = internal::all(store).await?;
    let may_judge = may_judge(&house, user.reader());
    let open = all.iter().filter(|one| one.judged.is_none()).count();
    let late = all.iter().filter(|one| one.is_late(now)).count();
    let (waiting, judged): (Vec<&Inside>, Vec<&Inside>) =
        all.iter().partition(|one| one.judged.is_none());
    let items = reports::items(store).await?;
    let ids: Vec<Id> = waiting.iter().take(SHOWN_MAX).map(|one| one.finding.id).collect();
    // What somebody wrote is shown to those who judge.
    let said = match may_judge {
        true => Said::of_all(store, &ids).await?,
        false => BTreeMap::new(),
    };
    let line = |one: &&Inside| {
        let fact = |name: &str| one.finding.facts.get(name).and_then(|value| value.as_str());
        let verdict = one.judged.as_ref().and_then(|record| record.facts.get("verdict")?.as_str());
        let words = said.get(&one.finding.id).map(|said| said.text.as_str()).unwrap_or_default();
        Line {
            id: one.finding.id,
            at: cx.time(&one.finding.received_at),
            input: cx.pick(&one.input.text()),
            title: cx
                .either(fact("title_ja").unwrap_or_default(), fact("title_en").unwrap_or_default())
                .to_owned(),
            words: words.chars().take(WORDS_SHOWN).collect(),
            is_late: one.is_late(now),
            verdict: verdict.map(|verdict| verdict_text(cx, verdict)),
            item: items.get(&one.finding.id).copied(),
        }
    };
    let waiting: Vec<Line> = waiting.iter().take(SHOWN_MAX).map(line).collect();
    let judged: Vec<Line> = judged.iter().take(SHOWN_MAX).map(line).collect();
    let body = InternalPage { cx, waiting, judged, open, late, may_judge };
    page(cx, cx.t("内部情報", "From inside"), &body)
}

fn verdict_text(cx: &Cx, verdict: &str) -> &'static str {
    let text = match verdict {
        "discard" => t("脅威情報にしない", "no intelligence"),
        "watch" => t("受信箱へ", "into the inbox"),
        "act" => t("対応", "act"),
        "brief" => t("幹部へ報告", "brief"),
        _ => t("判定済み", "judged"),
    };
    cx.pick(&text)
}

async fn judge(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<HashMap<String, String>>,
) -> Answer {
    let cx = &user.cx;
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    user.form(text("csrf"), Action::Write)?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.t(ja, en).to_owned());
    let reason = reason(cx, text("reason"))?;
    let is_taken = match text("judge") {
        "take" => true,
        "discard" => false,
        _ => return Err(bad("判定を選んでください。", "Choose a verdict.")),
    };
    let store = &house.store;
    let marked =
        |one: &Inside| one.judged.is_none() && form.contains_key(&format!("is-{}", one.finding.id));
    let mut all = internal::all(store).await?;
    all.retain(marked);
    all.truncate(SHOWN_MAX);
    if all.is_empty() {
        return Err(bad("判定するものに印を付けてください。", "Mark what is to be judged."));
    }
    // Originals are kept before the change begins.
    let mut prepared = BTreeMap::new();
    for one in all.iter().filter(|_| is_taken) {
        if reports::item_of(store, one.finding.id).await?.is_none() {
            let said = Said::of(store, &one.finding).await?;
            let made = reports::prepare(store, &user.actor(), &one.finding, &said).await;
            let made = made.map_err(broken)?;
            prepared.insert(one.finding.id, made);
        }
    }
    let said = cx.t("内部情報の判定", "judged what came from inside");
    let mut write = user.write(&house, said).await?;
    // Another may have judged meanwhile.
    let still: BTreeSet<Id> = internal::all(store)
        .await?
        .into_iter()
        .filter(|one| one.judged.is_none())
        .map(|one| one.finding.id)
        .collect();
    for one in all.iter().filter(|one| still.contains(&one.finding.id)) {
        let known = reports::item_of(store, one.finding.id).await?;
        let item = match (known, prepared.get(&one.finding.id)) {
            (None, Some(prepared)) => Some(reports::take(store, &mut write, prepared).await?),
            (known, _) => known,
        };
        let verdict = if is_taken { "watch" } else { "discard" };
        internal::judge(&mut write, one, verdict, item, reason).await?;
    }
    write.commit().await?;
    store.job_ask("threat_intelligence.internal").await?;
    house.wake();
    Ok(Redirect::to("/intelligence/internal").into_response())
}
