//! `POST /intelligence/{id}/confirm`: what of a notice is an indicator, as a person sees it; and the confirmed ones as a
//! document.
//!
//! Invariants: a value is kept in its one form, and one that is none of its kind is refused with its reason; each
//! confirmation is a file of its own, and the row names the newest.

use std::collections::{BTreeMap, HashMap};

use axum::{
    Form, Json as Document,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use indicators::{
    Direction, Kind,
    extract::{LIKELY, Notice, Period, What},
};
use model::{Id, Table, t};
use serde_json::{Value as Json, json};
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User},
    route::{Access, Api, Route},
};

use super::{item, may_judge, refusal};
use crate::work::inbox::{self, Confirmed, InboxError};

/// Values of one form.
pub(super) const VALUES_MAX: usize = 500;
/// Items whose indicators one document holds.
const ITEMS_MAX: usize = 500;

pub(super) fn routes() -> Vec<Route> {
    let write = Access::Action(Action::Write);
    let inspect = Access::Action(Action::Inspect);
    let title = t("指標の確認", "Confirm indicators");
    let api = Api {
        tag: "threat_intelligence",
        id: "threat_intelligence_indicators".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[404],
    };
    let listed = t("確認した指標", "Confirmed indicators");
    vec![
        Route::post("/intelligence/{id}/confirm", write, title, confirm),
        Route::get("/api/v1/threat_intelligence/indicators", inspect, listed, document).api(api),
    ]
}

/// A value of a notice, once, as the form shows it.
pub(super) struct Value {
    pub kind: Kind,
    pub value: String,
    pub direction: Option<Direction>,
    pub period: Option<Period>,
    pub is_likely: bool,
}

impl Value {
    pub(super) fn kind_text(&self, cx: &Cx) -> &'static str {
        kind_text(cx, self.kind)
    }

    pub(super) fn is_direction(&self, word: &str) -> bool {
        self.direction.map_or("", Direction::as_str) == word
    }

    /// When it was active, as the form carries it.
    pub(super) fn days(&self) -> String {
        let day =
            |date: Option<jiff::civil::Date>| date.map_or_else(String::new, |d| d.to_string());
        self.period.map_or_else(String::new, |p| format!("{}/{}", day(p.from), day(p.to)))
    }
}

/// The values of a notice, each once; where it stands several times, the likeliest.
pub(super) fn values(notice: &Notice) -> Vec<Value> {
    let mut places: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
    let mut all: Vec<(u16, Value)> = Vec::new();
    for span in &notice.spans {
        let What::Indicator(kind) = span.what else { continue };
        let value = Value {
            kind,
            value: span.value.clone(),
            direction: span.direction,
            period: span.period.or(notice.period),
            is_likely: span.confidence >= LIKELY,
        };
        match places.get(&(kind, span.value.as_str())) {
            Some(place) if all[*place].0 >= span.confidence => {}
            Some(place) => all[*place] = (span.confidence, value),
            None => {
                places.insert((kind, span.value.as_str()), all.len());
                all.push((span.confidence, value));
            }
        }
    }
    all.into_iter().map(|(_, value)| value).take(VALUES_MAX).collect()
}

pub(super) fn kind_text(cx: &Cx, kind: Kind) -> &'static str {
    let text = match kind {
        Kind::Ip => t("IPアドレス", "address"),
        Kind::Cidr => t("アドレス範囲", "network"),
        Kind::Domain => t("ドメイン", "domain"),
        Kind::Url => t("URL", "URL"),
        Kind::Email => t("メールアドレス", "mail address"),
        Kind::Md5 => t("MD5", "MD5"),
        Kind::Sha1 => t("SHA-1", "SHA-1"),
        Kind::Sha256 => t("SHA-256", "SHA-256"),
        Kind::Sha512 => t("SHA-512", "SHA-512"),
        Kind::Ssdeep => t("ssdeep", "ssdeep"),
        Kind::FileName => t("ファイル名", "file name"),
        Kind::Path => t("パス", "path"),
        Kind::RegistryKey => t("レジストリ", "registry key"),
        Kind::Mutex => t("ミューテックス", "mutex"),
        Kind::UserAgent => t("ユーザーエージェント", "user agent"),
        Kind::Asn => t("AS番号", "AS number"),
    };
    cx.pick(&text)
}

pub(super) fn direction_text(cx: &Cx, direction: Direction) -> &'static str {
    let text = match direction {
        Direction::Destination => t("内→外", "inside → outside"),
        Direction::Source => t("外→内", "outside → inside"),
        Direction::Both => t("内⇄外", "both ways"),
    };
    cx.pick(&text)
}

fn read(form: &HashMap<String, String>) -> Vec<Confirmed> {
    let text = |name: String| form.get(&name).map(|text| text.trim()).unwrap_or_default();
    let one = |at: usize| {
        form.get(&format!("keep-{at}"))?;
        let days = text(format!("days-{at}")).split_once('/');
        let period = days.map(|(from, to)| Period { from: from.parse().ok(), to: to.parse().ok() });
        Some(Confirmed {
            kind: Kind::named(text(format!("kind-{at}")))?,
            value: text(format!("value-{at}")).to_owned(),
            direction: Direction::named(text(format!("direction-{at}"))),
            period,
        })
    };
    (0..VALUES_MAX).filter_map(one).collect()
}

async fn confirm(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<HashMap<String, String>>,
) -> Answer {
    let cx = &user.cx;
    user.form(form.get("csrf").map_or("", String::as_str), Action::Write)?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let store = &house.store;
    let row = item::seen(&house, user.reader(), id).await?;
    let confirmed: Vec<Confirmed> =
        read(&form).into_iter().filter(|one| !one.value.is_empty()).collect();
    if confirmed.is_empty() {
        let said = cx.t("一つ以上の値に印を付けてください。", "Mark at least one value.");
        return Err(Refusal::Bad(said.to_owned()));
    }
    let lines = inbox::lines(&row, &confirmed, store.now()).map_err(|refused| {
        let one = |refused: &inbox::Refused| {
            format!("{}: {}", refused.value, cx.either(&refused.ja, &refused.en))
        };
        Refusal::Bad(refused.iter().map(one).collect::<Vec<_>>().join(" / "))
    })?;
    let blob = inbox::keep(store, &lines, &user.actor()).await.map_err(|e| refusal(cx, e))?;
    let mut write = user.write(&house, cx.t("指標の確認", "confirmed indicators")).await?;
    // Read behind the beginning of the change: another may have changed it meanwhile.
    let mut row = item::item(store, id).await?;
    inbox::put_into(&mut row, &lines, &blob);
    write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/intelligence/{id}")).into_response())
}

async fn document(State(house): State<Shared>, caller: Caller) -> Response {
    let lang = caller.cx.lang;
    if !may_judge(&house, &caller.reader) {
        let said = t(
            "指標を見られるのは、脅威情報を判定する役割の人だけです。",
            "Indicators are shown to those who judge intelligence.",
        );
        return Problem::new(lang, problem::NOT_FOUND, said).into_response();
    }
    match listed(&house.store, &caller).await {
        Ok(all) => Document(all).into_response(),
        Err(InboxError::Store(error)) => Problem::of_store(lang, &error).into_response(),
        Err(error) => Problem::broken(lang, &error).into_response(),
    }
}

async fn listed(store: &store::Store, caller: &Caller) -> Result<Json, InboxError> {
    let rows = store.all(Table::Asset, &[inbox::ITEM]).await?;
    let mut rows = caller.reader.seen(store, Table::Asset, rows).await?;
    rows.retain(|row| row.attributes.contains_key("indicator_rows"));
    rows.sort_by_key(|row| std::cmp::Reverse((row.updated_at, row.id)));
    let is_cut = rows.len() > ITEMS_MAX;
    let mut all = Vec::new();
    for row in rows.iter().take(ITEMS_MAX) {
        let tlp = row.attributes.get("tlp").cloned().unwrap_or_default();
        let verdict = row.attributes.get("verdict").cloned().unwrap_or_default();
        for line in inbox::confirmed(store, row).await?.unwrap_or_default() {
            let mut line = serde_json::to_value(&line)?;
            line["tlp"] = tlp.clone();
            line["verdict"] = verdict.clone();
            all.push(line);
        }
    }
    Ok(json!({ "indicators": all, "is_cut": is_cut }))
}
