//! `/intelligence/ten-threats`: the ten threats of the newest edition, how ranks moved, what was decided and whether it
//! holds; and as a document.

mod ask;
mod one;
mod words;

use askama::Template;
use axum::{
    Json as Document,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Id, t};
use serde::Deserialize;
use serde_json::json;
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, page},
    route::{Access, Api, Route},
};

use crate::work::ten::{
    content::Audience,
    editions::{Editions, Moved, Threat, diff},
    standing::{Decisions, Facts, backed},
    state::age_days,
};

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("10大脅威", "Ten threats");
    let api = Api {
        tag: "threat_intelligence",
        id: "threat_intelligence_ten_threats".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    let mut all = vec![
        Route::get("/intelligence/ten-threats", inspect, title, show),
        Route::get("/api/v1/threat_intelligence/ten-threats", inspect, title, document).api(api),
    ];
    all.extend(one::routes());
    all.extend(ask::routes());
    all
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    /// Edition to compare with.
    from: Option<i64>,
    audience: Option<String>,
}

/// A threat as the list shows it.
struct Line {
    id: Id,
    rank: String,
    before: String,
    compared: String,
    moved: &'static str,
    title: String,
    /// Chosen and backed; none where nothing was decided.
    decided: Option<(usize, usize)>,
    holds: bool,
    is_gone: bool,
}

/// A line of the picture, from rank to rank.
struct Slope {
    /// Height and title on either side.
    from: Option<(i64, String)>,
    to: Option<(i64, String)>,
    path: Option<String>,
    /// Where a threat stands on one side only.
    dot: Option<(i64, i64)>,
    class: &'static str,
    said: String,
}

#[derive(Template)]
#[template(path = "ten_threats.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    audience: Audience,
    year: i64,
    from: Option<i64>,
    years: Vec<i64>,
    lines: Vec<Line>,
    slopes: Vec<Slope>,
    height: i64,
    age_days: i64,
    decided: usize,
    chosen: usize,
    backed: usize,
    total: usize,
    to_check: String,
    next: Option<Id>,
}

const STEP: i64 = 34;
const TOP: i64 = 40;
const TITLE_WIDTH: usize = 46;

async fn show(
    State(house): State<Shared>,
    user: web::frame::User,
    Query(asked): Query<Asked>,
) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let audience = asked.audience.as_deref().and_then(Audience::named).unwrap_or(Audience::Org);
    let editions = Editions::load(store).await?;
    let years = editions.years(audience);
    let newest = editions.newest(audience);
    let year = years.first().copied().unwrap_or_default();
    let from = asked.from.filter(|from| years.contains(from) && *from != year);
    let from = from.or_else(|| years.get(1).copied());
    let older = from.map_or_else(Vec::new, |from| editions.of(audience, from));
    let decisions = Decisions::load(store).await?;
    let ids: Vec<Id> = newest.iter().map(|threat| threat.row.id).collect();
    let facts = Facts::load(&house, &ids).await?;
    let (now, mut chosen, mut held, mut decided) = (store.now(), 0, 0, 0);
    let mut next = None;
    let (mut lines, mut slopes) = (Vec::new(), Vec::new());
    for change in diff(&older, &newest) {
        let Some(threat) = change.after.or(change.before) else { continue };
        let mut line = line(cx, threat, change.before, change.moved);
        line.is_gone = change.after.is_none();
        if let Some(signed) = decisions.signed(threat.row.id).filter(|_| !line.is_gone) {
            let counts = (signed.measures.len(), backed(&facts, &editions, threat.row.id, signed));
            line.holds = signed.holds(threat, now);
            chosen += counts.0;
            held += counts.1;
            decided += usize::from(line.holds);
            line.decided = Some(counts);
        }
        if !line.holds && !line.is_gone && next.is_none() {
            next = Some(threat.row.id);
        }
        slopes.push(slope(cx, change.before, change.after, change.moved));
        lines.push(line);
    }
    let body = ListPage {
        cx,
        audience,
        year,
        from,
        height: TOP + STEP * i64::try_from(newest.len().max(older.len())).unwrap_or(0) + 10,
        age_days: newest.first().map_or(0, |threat| age_days(threat, now)),
        total: newest.len(),
        to_check: newest
            .first()
            .map(|threat| threat.to_check())
            .map(|(ja, en)| cx.either(&ja, &en).to_owned())
            .unwrap_or_default(),
        next: next.filter(|_| audience == Audience::Org),
        years,
        lines,
        slopes,
        decided,
        chosen,
        backed: held,
    };
    page(cx, cx.t("10大脅威", "Ten threats"), &body)
}

fn rank(number: Option<i64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| number.to_string())
}

fn line(cx: &Cx, threat: &Threat, before: Option<&Threat>, moved: Moved) -> Line {
    Line {
        id: threat.row.id,
        rank: rank(threat.rank),
        before: rank(threat.rank_before),
        compared: before.map_or_else(|| "–".to_owned(), |before| rank(before.rank)),
        moved: words::moved(cx, moved),
        title: words::title(cx, threat),
        decided: None,
        holds: false,
        is_gone: false,
    }
}

fn slope(cx: &Cx, before: Option<&Threat>, after: Option<&Threat>, moved: Moved) -> Slope {
    let y = |threat: &Threat| TOP + STEP * (threat.number - 1);
    let label = |threat: &Threat| {
        let title = words::title(cx, threat);
        let short: String = title.chars().take(TITLE_WIDTH).collect();
        // Texts stand a little below the line that they belong to.
        let text = if short.len() < title.len() { format!("{short}…") } else { short };
        (y(threat) + 4, text)
    };
    let both = before.zip(after);
    Slope {
        from: before.map(label),
        to: after.map(label),
        path: both.map(|(from, to)| format!("M435 {}L565 {}", y(from), y(to))),
        dot: match both {
            Some(_) => None,
            None => after.map(|to| (562, y(to))).or(before.map(|from| (438, y(from)))),
        },
        class: match moved {
            Moved::Up | Moved::New => "edge up",
            Moved::Down | Moved::Gone => "edge down",
            Moved::Same | Moved::Unranked => "edge",
        },
        said: words::moved(cx, moved).to_owned(),
    }
}

async fn document(State(house): State<Shared>, caller: Caller) -> Response {
    match documents(&house).await {
        Ok(all) => Document(json!({ "threats": all })).into_response(),
        Err(error) => Problem::of_store(caller.cx.lang, &error).into_response(),
    }
}

async fn documents(house: &web::House) -> Result<Vec<serde_json::Value>, store::StoreError> {
    let store = &house.store;
    let editions = Editions::load(store).await?;
    let decisions = Decisions::load(store).await?;
    let newest = editions.newest(Audience::Org);
    let ids: Vec<Id> = newest.iter().map(|threat| threat.row.id).collect();
    let facts = Facts::load(house, &ids).await?;
    let now = store.now();
    let one = |threat: &&Threat| {
        let signed = decisions.signed(threat.row.id);
        json!({
            "id": threat.norm_id(),
            "row": threat.row.id,
            "edition": threat.edition,
            "rank": threat.rank,
            "rank_before": threat.rank_before,
            "title_ja": threat.title.0,
            "title_en": threat.title.1,
            "proposed": threat.measures,
            "measures": signed.map(|signed| &signed.measures),
            "measures_backed": signed.map(|s| backed(&facts, &editions, threat.row.id, s)),
            "holds": signed.is_some_and(|signed| signed.holds(threat, now)),
        })
    };
    Ok(newest.iter().map(one).collect())
}
