//! `/intelligence/brands`: domains that look like a brand of ours, and whose removal was asked for.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Form, Json as Document,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use model::{Assurance, Id, Table, t};
use netname::{Domain, Names};
use serde_json::{Value as Json, json};
use store::{Record, RecordDraft, Store, StoreError};
use web::{
    House, Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Route},
};

use super::may_judge;
use crate::work::news::brands::{self, Found, Seen, TAKEDOWN, Watched};

const RECORDS_MAX: usize = 500;
const PASTED_CHARS_MAX: usize = 200_000;
const NOTE_CHARS_MAX: usize = 1_000;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("似たドメイン", "Lookalike domains");
    let api = Api {
        tag: "threat_intelligence",
        id: "threat_intelligence_brands".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    vec![
        Route::get("/intelligence/brands", inspect, title, show),
        Route::post("/intelligence/brands", write, t("ドメインを調べる", "Look at domains"), look),
        Route::post(
            "/intelligence/brands/takedown",
            write,
            t("削除の依頼", "Ask for a takedown"),
            ask,
        ),
        Route::get("/api/v1/threat_intelligence/brands", inspect, title, document).api(api),
    ]
}

/// A domain as the table shows it.
struct Line {
    found: Found,
    brand: String,
    contact: String,
    /// When its removal was asked for.
    asked: Option<model::Timestamp>,
}

impl Line {
    fn reason(&self, cx: &Cx) -> &'static str {
        cx.pick(&brands::text(self.found.likeness))
    }

    fn item(&self) -> Option<Id> {
        match self.found.seen {
            Seen::Item(id) => Some(id),
            _ => None,
        }
    }

    fn seen(&self, cx: &Cx) -> &'static str {
        match self.found.seen {
            Seen::Item(_) => cx.t("脅威情報", "item"),
            Seen::Set => cx.t("公開中の指標", "published set"),
            Seen::Pasted => cx.t("貼り付け", "pasted"),
        }
    }
}

#[derive(Template)]
#[template(path = "intelligence_brands.html")]
struct BrandsPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    brands: usize,
    short: Vec<String>,
    open: usize,
    pasted: String,
    may_judge: bool,
}

/// What was found, with what was asked for.
async fn lines(house: &House, pasted: &str) -> Result<(Vec<Line>, Vec<Watched>), StoreError> {
    let store = &house.store;
    let watched = brands::watched(store).await?;
    let mut domains = brands::of_items(store).await?;
    domains.extend(brands::pasted(pasted));
    let asked = asked(store).await?;
    let data = house.folder().to_owned();
    let key = house.ledger.lock().await.verifier_key();
    let searched = tokio::task::spawn_blocking(move || {
        let keys: Vec<merkle::VerifierKey> = merkle::VerifierKey::parse(&key).into_iter().collect();
        // A set that does not open is told where it is applied; here the rest speaks.
        domains.extend(brands::of_set(&data, &keys).unwrap_or_default());
        let found = brands::find(&watched, domains, &Names::shipped());
        (found, watched)
    });
    let (found, watched) = searched.await.unwrap_or_else(|error| {
        tracing::error!(%error, "looking for lookalikes ended early");
        (Vec::new(), Vec::new())
    });
    let line = |found: Found| {
        let row = watched.iter().find(|watched| watched.row.id == found.brand).map(|w| &w.row);
        let text = |name: &str| {
            row.and_then(|row| row.attributes.get(name)).and_then(Json::as_str).unwrap_or_default()
        };
        Line {
            brand: row.map(|row| row.name.clone()).unwrap_or_default(),
            contact: text("takedown_contact").to_owned(),
            asked: asked.get(&found.ascii).copied(),
            found,
        }
    };
    let lines = found.into_iter().map(line).collect();
    Ok((lines, watched))
}

/// Domains whose removal was asked for, with the last time.
async fn asked(store: &Store) -> Result<HashMap<String, model::Timestamp>, StoreError> {
    let records = store.newest_records(&[TAKEDOWN], None, RECORDS_MAX).await?;
    let mut all = HashMap::new();
    for record in records {
        if let Some(domain) = record.facts.get("domain").and_then(Json::as_str) {
            all.entry(domain.to_owned()).or_insert(record.observed_to);
        }
    }
    Ok(all)
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    shown(&house, &user, String::new()).await
}

async fn look(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<HashMap<String, String>>,
) -> Answer {
    user.form(form.get("csrf").map_or("", String::as_str), Action::Write)?;
    let pasted = form.get("domains").map_or("", String::as_str);
    let pasted: String = pasted.chars().take(PASTED_CHARS_MAX).collect();
    shown(&house, &user, pasted).await
}

async fn shown(house: &House, user: &User, pasted: String) -> Answer {
    let cx = &user.cx;
    let (lines, watched) = lines(house, &pasted).await?;
    let body = BrandsPage {
        cx,
        open: lines.iter().filter(|line| line.asked.is_none()).count(),
        lines,
        brands: watched.len(),
        short: watched.into_iter().flat_map(|watched| watched.short).collect(),
        pasted,
        may_judge: may_judge(house, user.reader()),
    };
    page(cx, cx.t("似たドメイン", "Lookalike domains"), &body)
}

async fn ask(
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
    let brand = text("brand").parse::<Id>().map_err(|_| Refusal::NotFound)?;
    let brand = house.store.row(Table::Asset, brand).await?;
    let brand = brand.filter(|row| row.kind == brands::KIND && !row.deleted);
    let brand = brand.ok_or(Refusal::NotFound)?;
    let domain = Domain::parse(text("domain"));
    let note = text("note");
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.t(ja, en).to_owned());
    let Ok(domain) = domain else {
        return Err(bad("ドメインではありません。", "This is no domain."));
    };
    if note.is_empty() || note.chars().count() > NOTE_CHARS_MAX {
        return Err(bad(
            "依頼先と方法を1000文字以内で入力してください。",
            "Say whom you asked and how, in at most 1,000 characters.",
        ));
    }
    let watched = brands::watched(&house.store).await?;
    let named = vec![(domain.as_str().to_owned(), Seen::Pasted)];
    let found = brands::find(&watched, named, &Names::shipped());
    let found = found.iter().find(|found| found.brand == brand.id);
    let Some(found) = found else {
        return Err(bad(
            "このブランドに似たドメインではありません。",
            "It does not look like this brand.",
        ));
    };
    let mut write = user.write(&house, cx.t("偽サイトの削除依頼", "asked for a takedown")).await?;
    record(&house.store, &mut write, &brand, found, note).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to("/intelligence/brands").into_response())
}

/// Whom somebody asked may be a person: it lies in the payload.
async fn record(
    store: &Store,
    write: &mut store::Write<'_>,
    brand: &store::Row,
    found: &Found,
    note: &str,
) -> Result<Record, StoreError> {
    let now = store.now();
    let facts = json!({
        "domain": found.ascii,
        "likeness": likeness(found),
        "word": found.word,
    });
    write
        .record(RecordDraft {
            ty: TAKEDOWN.to_owned(),
            subject: Some(brand.id),
            observed_from: now,
            observed_to: now,
            source: "threat_intelligence.brands".to_owned(),
            assurance: Assurance::Attested,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: serde_json::to_vec(&json!({ "note": note })).ok(),
        })
        .await
}

fn likeness(found: &Found) -> &'static str {
    use netname::Likeness;
    match found.likeness {
        Likeness::OtherSuffix => "other_suffix",
        Likeness::Confusable => "confusable",
        Likeness::Typo(_) => "typo",
        Likeness::Word => "word",
    }
}

async fn document(State(house): State<Shared>, caller: Caller) -> Response {
    match lines(&house, "").await {
        Ok((lines, _)) => {
            let one = |line: &Line| {
                json!({
                    "domain": line.found.ascii,
                    "shown": line.found.domain,
                    "brand": line.found.brand,
                    "word": line.found.word,
                    "likeness": likeness(&line.found),
                    "item": line.item(),
                    "asked_at": line.asked.map(model::Timestamp::rfc3339),
                })
            };
            let all: Vec<Json> = lines.iter().map(one).collect();
            Document(json!({ "domains": all })).into_response()
        }
        Err(error) => Problem::of_store(caller.cx.lang, &error).into_response(),
    }
}
