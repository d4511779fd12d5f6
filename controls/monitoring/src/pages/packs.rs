//! `/detections/packs/{id}`: what a pack of rules holds, which of it is refused and why, which can fire, what is switched off.
//!
//! Invariants: a pack is shown as it is, in force or not; a rule is switched by a change of the pack's row with a reason,
//! by whoever may change rules; the last pack that was shown is kept compiled, and no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use askama::Template;
use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, Lang, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sigma::{Env, Meta};
use store::Row;
use web::{
    House, Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{
    attack,
    rule_list::{Facts, Firing, Narrowing},
};
use crate::work::{
    live::Live,
    packs::{self, KIND, Pack, PackError},
    rules::{Loaded, id_of_bytes},
};

const LISTED_MAX: usize = 300;
const REFUSED_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 500;
/// Rules of a pack that may be switched off one by one.
const DISABLED_MAX: usize = 5_000;

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let one_path = "/detections/packs/{id}";
    vec![
        Route::get(one_path, inspect, t("ルールパック", "A rule pack"), one),
        Route::post(
            "/detections/packs/{id}/switch",
            write,
            t("ルールの切替え", "Switch a rule of a pack"),
            switch,
        ),
        Route::post(
            "/detections/packs/{id}/state",
            write,
            t("ルールパックの有効化", "Put a pack into force"),
            state,
        ),
    ]
}

/// The pack that was shown last, compiled.
#[derive(Default)]
struct Kept(Mutex<Option<(String, Arc<Open>)>>);

struct Open {
    loaded: Loaded,
    contents: packs::Contents,
}

/// The rule that is shown whole.
#[derive(Deserialize, Default)]
struct Chosen {
    /// Its path in the pack.
    #[serde(default)]
    rule: String,
}

/// A rule of the pack.
struct Line {
    path: String,
    title: String,
    level: &'static str,
    product: String,
    tactics: Vec<&'static str>,
    firing: Firing,
    is_on: bool,
}

impl Line {
    fn is_asked(&self, asked: &Narrowing) -> bool {
        asked.holds(&Facts {
            level: self.level,
            product: &self.product,
            tactics: &self.tactics,
            firing: self.firing,
            is_on: self.is_on,
            title: &self.title,
            name: &self.path,
        })
    }
}

/// The rule that is shown whole.
struct Whole {
    path: String,
    title: String,
    author: String,
    licence: String,
    text: String,
    is_on: bool,
}

struct Refused {
    place: String,
    title: String,
    why: String,
}

#[derive(Template)]
#[template(path = "pack.html")]
struct PackPage<'a> {
    cx: &'a Cx,
    row: &'a Row,
    asked: &'a Narrowing,
    broken: String,
    lines: Vec<Line>,
    found: usize,
    total: usize,
    off: usize,
    can: usize,
    left_out: usize,
    refused: Vec<Refused>,
    refused_total: usize,
    products: Vec<String>,
    whole: Option<Whole>,
    may_write: bool,
}

impl PackPage<'_> {
    fn attribute(&self, name: &str) -> &str {
        self.row.attributes.get(name).and_then(Json::as_str).unwrap_or("")
    }

    fn severity<'a>(&self, name: &'a str) -> &'a str {
        super::severity(self.cx, name)
    }

    fn is_active(&self) -> bool {
        self.row.status == "active"
    }

    fn link(&self, path: &str) -> String {
        format!("/detections/packs/{}?rule={}#rule", self.row.id, urlencoding::encode(path))
    }
}

async fn pack_of(house: &House, id: Id) -> Result<Row, Refusal> {
    let row = house.store.row(Table::Rule, id).await?;
    row.filter(|row| row.kind == KIND).ok_or(Refusal::NotFound)
}

fn may_write(house: &House, user: &User) -> bool {
    house.kind(Table::Rule, KIND).is_some_and(|(_, kind)| user.reader().may(Action::Write, kind))
}

/// The pack, compiled alone: all of its rules, those that are switched off included.
async fn open(house: &House, row: Row) -> Result<Result<Arc<Open>, PackError>, Refusal> {
    let kept = house.kept.get::<Kept>();
    let file = row.attributes.get("file").and_then(Json::as_str).unwrap_or("").to_owned();
    let there = kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, open)) = there.filter(|(known, _)| *known == file) {
        return Ok(Ok(open));
    }
    let contents = match packs::open(&house.store, row).await?.contents {
        Ok(contents) => contents,
        Err(error) => return Ok(Err(error)),
    };
    let opened = tokio::task::spawn_blocking(move || {
        let loaded = Loaded::of(contents.documents.clone(), &Env::default());
        Arc::new(Open { loaded, contents })
    });
    let opened = opened.await.map_err(|error| Refusal::Bad(error.to_string()))?;
    *kept.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((file, opened.clone()));
    Ok(Ok(opened))
}

async fn one(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Query(asked): Query<Narrowing>,
    Query(chosen): Query<Chosen>,
) -> Answer {
    let cx = &user.cx;
    let row = pack_of(&house, id).await?;
    let opened = open(&house, row.clone()).await?;
    let disabled = Pack { row: row.clone(), contents: Err(PackError::Gone) }.disabled();
    let broken = match (&opened, cx.lang) {
        (Ok(_), _) => String::new(),
        (Err(error), Lang::Ja) => error.ja(),
        (Err(error), Lang::En) => error.en(),
    };
    let open = opened.ok();
    let mut lines = open.as_ref().map_or(Vec::new(), |open| lines(&house, open, &disabled));
    let (total, off) = (lines.len(), lines.iter().filter(|line| !line.is_on).count());
    let can = lines.iter().filter(|line| line.firing == Firing::Can).count();
    let products: BTreeSet<String> = lines.iter().map(|line| line.product.clone()).collect();
    lines.retain(|line| line.is_asked(&asked));
    let found = lines.len();
    lines.truncate(LISTED_MAX);
    let rejected = open.as_ref().map_or(&[][..], |open| open.loaded.rejected.as_slice());
    let body = PackPage {
        cx,
        row: &row,
        broken,
        lines,
        found,
        total,
        off,
        can,
        left_out: open.as_ref().map_or(0, |open| open.contents.left_out),
        refused: rejected.iter().take(REFUSED_MAX).map(|one| refused(cx, one)).collect(),
        refused_total: rejected.len(),
        products: products.into_iter().filter(|product| !product.is_empty()).collect(),
        whole: open.as_ref().and_then(|open| whole(open, &disabled, &chosen.rule)),
        may_write: may_write(&house, &user),
        asked: &asked,
    };
    page(cx, &row.name, &body)
}

fn refused(cx: &Cx, rejected: &sigma::Rejected) -> Refused {
    Refused {
        place: format!("{}:{}:{}", rejected.file, rejected.line, rejected.column),
        title: rejected.title.clone(),
        why: match cx.lang {
            Lang::Ja => rejected.reason.ja(),
            Lang::En => rejected.reason.en(),
        },
    }
}

fn is_on(disabled: &BTreeSet<String>, meta: &Meta) -> bool {
    !disabled.contains(&meta.file) && meta.id.as_ref().is_none_or(|id| !disabled.contains(id))
}

fn lines(house: &House, open: &Open, disabled: &BTreeSet<String>) -> Vec<Line> {
    let set = &open.loaded.set;
    let census = house.kept.get::<Live>().shown().census;
    let covered = set.coverage(&census);
    let line = |meta: &Meta, product: &str, firing: Firing| Line {
        path: meta.file.clone(),
        title: meta.title.clone(),
        level: meta.level.map_or("medium", sigma::Level::word),
        product: product.to_owned(),
        tactics: attack::tactics(&meta.tags),
        firing,
        is_on: is_on(disabled, meta),
    };
    let rules = set.rules().iter().zip(&covered).map(|(rule, covered)| {
        line(&rule.meta, rule.logsource.product.as_deref().unwrap_or(""), Firing::of(Some(covered)))
    });
    let over_time = set.correlations().iter().map(|c| line(&c.meta, "", Firing::Depends));
    let mut all: Vec<Line> = rules.chain(over_time).collect();
    all.sort_by(|a, b| (super::rank(a.level), &a.title).cmp(&(super::rank(b.level), &b.title)));
    all
}

fn whole(open: &Open, disabled: &BTreeSet<String>, path: &str) -> Option<Whole> {
    let text = open.contents.documents.get(path)?;
    let set = &open.loaded.set;
    let rules = set.rules().iter().map(|rule| &rule.meta);
    let meta = rules.chain(set.correlations().iter().map(|c| &c.meta)).find(|m| m.file == path);
    let name = id_of_bytes(text).unwrap_or(path);
    let custom = |name: &str| meta.and_then(|m| m.custom.get(name)?.as_str()).unwrap_or("");
    Some(Whole {
        path: path.to_owned(),
        is_on: !disabled.contains(path) && !disabled.contains(name),
        title: meta.map_or(path, |meta| &meta.title).to_owned(),
        author: meta.and_then(|meta| meta.author.clone()).unwrap_or_default(),
        licence: meta
            .and_then(|meta| meta.license.clone())
            .unwrap_or_else(|| custom("licence").to_owned()),
        text: String::from_utf8_lossy(text).into_owned(),
    })
}

#[derive(Deserialize)]
struct SwitchForm {
    csrf: String,
    /// Path of the rule.
    rule: String,
    to: String,
    reason: String,
}

async fn switch(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<SwitchForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_write(&house, &user) {
        return Err(Refusal::Forbidden);
    }
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(user.cx.t(ja, en).to_owned()));
    let reason = form.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return bad(
            "理由を500文字以内で入力してください。",
            "Give a reason of at most 500 characters.",
        );
    }
    let row = pack_of(&house, id).await?;
    let known = match open(&house, row).await? {
        Ok(open) => open
            .contents
            .documents
            .get(&form.rule)
            .map(|text| [Some(form.rule.clone()), id_of_bytes(text).map(str::to_owned)]),
        Err(_) => None,
    };
    let Some(names) = known else { return Err(Refusal::NotFound) };
    let mut write = user.write(&house, reason).await?;
    // Read behind the beginning of the change: another may have switched something meanwhile.
    let mut row = pack_of(&house, id).await?;
    let mut disabled = Pack { row: row.clone(), contents: Err(PackError::Gone) }.disabled();
    disabled.retain(|name| !names.iter().flatten().any(|known| known == name));
    match form.to.as_str() {
        "on" => {}
        "off" => disabled.extend(names.into_iter().flatten().next_back()),
        _ => return bad("切替え先を選んでください。", "Choose on or off."),
    }
    if disabled.len() > DISABLED_MAX {
        return bad(
            "一つのパックで止められるのは5000件までです。パックを作り直してください。",
            "At most 5,000 rules of a pack can be off; make a smaller pack.",
        );
    }
    row.attributes.insert("disabled".to_owned(), json!(disabled));
    write.put(row).await?;
    write.commit().await?;
    house.wake();
    let path = urlencoding::encode(&form.rule).into_owned();
    Ok(Redirect::to(&format!("/detections/packs/{id}?rule={path}#rule")).into_response())
}

#[derive(Deserialize)]
struct StateForm {
    csrf: String,
    to: String,
}

async fn state(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<StateForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    if !may_write(&house, &user) {
        return Err(Refusal::Forbidden);
    }
    if !["active", "retired"].contains(&form.to.as_str()) {
        let text = user.cx.t("有効か廃止を選んでください。", "Choose active or retired.");
        return Err(Refusal::Bad(text.to_owned()));
    }
    let reason = user.cx.t("ルールパックの切替え", "switched a rule pack");
    let mut write = user.write(&house, reason).await?;
    let mut row = pack_of(&house, id).await?;
    row.status = form.to;
    write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/detections/packs/{id}")).into_response())
}

/// Packs of the register with how many of their rules are at work.
pub(super) async fn all(house: &House) -> Result<Vec<(Row, usize)>, Refusal> {
    let rows = house.store.all(Table::Rule, &[KIND]).await?;
    let shown = house.kept.get::<Live>().shown();
    let mut counts: BTreeMap<Id, usize> = BTreeMap::new();
    for (meta, _) in shown.loaded.iter().flat_map(|loaded| loaded.findable()) {
        if let Some(id) = crate::work::rules::row_of(&meta.file) {
            *counts.entry(id).or_default() += 1;
        }
    }
    let counted = |row: Row| {
        let count = counts.get(&row.id).copied().unwrap_or(0);
        (row, count)
    };
    Ok(rows.into_iter().map(counted).collect())
}
