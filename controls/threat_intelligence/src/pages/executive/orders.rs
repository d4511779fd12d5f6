//! `/intelligence/orders`: what executives ordered, who carries it out, by when, and what shows that it is done.
//!
//! Invariants: an order is a signed decision; it is closed by a record or decision that is there.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Form, Path, Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use store::{Row, Within};
use web::{
    House, Shared,
    access::{Action, Reader},
    decide::{self, About, Given as Signing, Taken},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{may_order, named, people, risks};
use crate::work::executive::{
    Horizon, ISSUED, ORDER, ROLE, fact,
    orders::{self, CloseError, Given, Lacks, ORDER_CHARS_MAX, Order},
};

const PATH: &str = "/intelligence/orders";

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("経営層の指示", "Orders of executives");
    let give = t("指示を出す", "Give an order");
    let close = t("指示の完了", "Close an order");
    vec![
        Route::get(PATH, inspect, title, show),
        Route::post(PATH, Access::Action(Action::Decide), give, given),
        Route::post(
            "/intelligence/orders/{id}/close",
            Access::Action(Action::Write),
            close,
            closed,
        ),
    ]
}

/// Who writes decisions everywhere says that one was carried out.
pub(super) fn may_close(house: &House, reader: &Reader) -> bool {
    let kind = house.kind(Table::Decision, ORDER).map(|(_, kind)| kind);
    kind.is_some_and(|kind| reader.within(Action::Write, kind) == Within::All)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Prefilled {
    order: String,
    due: String,
}

#[derive(Template)]
#[template(path = "intelligence_orders.html")]
struct OrdersPage<'a> {
    cx: &'a Cx,
    orders: Vec<Given>,
    owners: HashMap<Id, String>,
    late: usize,
    open: usize,
    now: Timestamp,
    may_close: bool,
    sign: String,
    people: Vec<Row>,
    risks: Vec<Row>,
    today: String,
    prefilled: Prefilled,
}

impl OrdersPage<'_> {
    fn owner(&self, given: &Given) -> &str {
        given.owner.and_then(|id| self.owners.get(&id)).map_or("–", String::as_str)
    }

    fn proof(&self, given: &Given) -> String {
        given.closed.as_ref().map(|record| fact(record, "proof").to_owned()).unwrap_or_default()
    }

    fn was_late(&self, given: &Given) -> bool {
        let in_time = given.closed.as_ref().and_then(|record| record.facts.get("in_time"));
        in_time == Some(&serde_json::Value::Bool(false))
    }
}

async fn show(
    State(house): State<Shared>,
    user: User,
    Query(prefilled): Query<Prefilled>,
) -> Answer {
    let (cx, store, now) = (&user.cx, &house.store, house.store.now());
    let zone = house.people.local().zone.clone();
    let all = orders::all(store, &zone).await?;
    let owners = orders::owners(store, &all).await?;
    let may_sign = may_order(&house, &user).await?;
    let body = OrdersPage {
        cx,
        owners,
        late: all.iter().filter(|given| given.days_late(now).is_some()).count(),
        open: all.iter().filter(|given| given.is_open()).count(),
        now,
        may_close: may_close(&house, user.reader()),
        sign: match may_sign {
            true => decide::part(cx, cx.t("指示に署名する", "Sign the order"))?,
            false => String::new(),
        },
        people: if may_sign { people(&house).await? } else { Vec::new() },
        risks: if may_sign { risks(&house).await? } else { Vec::new() },
        today: cx.today(),
        prefilled,
        orders: all,
    };
    page(cx, cx.t("経営層の指示", "Orders of executives"), &body)
}

#[derive(Deserialize)]
struct OrderForm {
    csrf: String,
    #[serde(default)]
    order: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    due: String,
    #[serde(default)]
    horizon: String,
    #[serde(default)]
    risk: String,
    #[serde(default)]
    brief: String,
    #[serde(default)]
    reason: String,
    #[serde(flatten)]
    given: Signing,
}

async fn given(
    State(house): State<Shared>,
    headers: HeaderMap,
    user: User,
    Form(form): Form<OrderForm>,
) -> Answer {
    user.form(&form.csrf, Action::Decide)?;
    let (cx, store) = (&user.cx, &house.store);
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    let standing = decide::standing(&house, &user, &form.given.acting_for, &[ORDER]).await?;
    if standing.account.role != ROLE {
        return bad(
            "指示に署名できるのは経営層（またはその委任を受けた人）だけです。",
            "Only an executive, or whom one lets stand in, signs an order.",
        );
    }
    let zone = house.people.local().zone.clone();
    let Some(owner) = named(&house, Table::Party, &form.owner).await? else {
        return bad("担当を選んでください。", "Choose who carries it out.");
    };
    let risk = named(&house, Table::Risk, &form.risk).await?;
    if risk.is_none() && !form.risk.is_empty() {
        return bad("そのリスクは台帳にありません。", "That risk is not in the register.");
    }
    let brief = match form.brief.parse::<Id>() {
        Ok(id) => store.record(id).await?.filter(|record| record.ty == ISSUED),
        Err(_) => None,
    };
    let (text, due) = (form.order.trim(), form.due.trim());
    let horizon = Horizon::named(&form.horizon).unwrap_or(Horizon::Short);
    let risk = risk.map(|row| row.id);
    let order = Order { text, owner: owner.id, due, horizon, risk, brief: brief.as_ref() };
    match order.lacks(store.now(), &zone) {
        Some(Lacks::Text) => {
            let said = format!("Say in at most {ORDER_CHARS_MAX} characters what is ordered.");
            let ja = format!("指示を{ORDER_CHARS_MAX}文字以内で入力してください。");
            return Err(Refusal::Bad(cx.either(&ja, &said).to_owned()));
        }
        Some(Lacks::Due) => {
            return bad("期限は今日以降の日付にしてください。", "The due date is today or later.");
        }
        None => {}
    }
    if store.row(Table::Task, order.task_id()).await?.is_some() {
        return bad("同じ指示がすでにあります。", "The same order was given already.");
    }
    let (reason, name) = (form.reason.trim(), order.name());
    let rulings = [(order.ruling(reason), About::Named(&name))];
    let signature =
        match decide::take(&house, &user, &headers, &standing, &rulings, form.given).await? {
            Taken::Asked(answer) => return Ok(answer),
            Taken::Given(signature) => signature,
        };
    let mut write = store.write(&user.actor(), reason, "web").await?;
    for decision in decide::enter_all(&mut write, &user, &rulings, &signature).await? {
        orders::settle(store, &mut write, &decision, &zone).await?;
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(PATH).into_response())
}

#[derive(Deserialize)]
struct CloseForm {
    csrf: String,
    #[serde(default)]
    proof: String,
}

async fn closed(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<CloseForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let store = &house.store;
    let zone = house.people.local().zone.clone();
    let all = orders::all(store, &zone).await?;
    let given = all.iter().find(|given| given.decision.id == id).ok_or(Refusal::NotFound)?;
    if !may_close(&house, user.reader()) {
        return Err(Refusal::Forbidden);
    }
    let proof = orders::proof(store, given, &form.proof).await.map_err(|e| said(&user.cx, e))?;
    let write = user.write(&house, user.cx.t("指示の完了", "an order is carried out")).await?;
    orders::close(store, write, given, &proof).await.map_err(|e| said(&user.cx, e))?;
    house.wake();
    Ok(Redirect::to(PATH).into_response())
}

fn said(cx: &Cx, error: CloseError) -> Refusal {
    match error {
        CloseError::Store(error) => Refusal::Store(error),
        other => Refusal::Bad(close_text(&other, cx.lang)),
    }
}

/// Why an order is not closed, in the reader's language.
pub(super) fn close_text(error: &CloseError, lang: model::Lang) -> String {
    let text = match error {
        CloseError::Closed => t("この指示は完了しています。", "This order was closed already."),
        CloseError::NoId(_) => t(
            "完了を示す記録または決定のIDを入力してください。",
            "Give the id of the record or decision that shows it.",
        ),
        CloseError::Nothing(_) => t(
            "その記録も、承認済みの決定もありません。",
            "There is no such record, and no such approved decision.",
        ),
        CloseError::Old(_) => t(
            "その記録は指示より前のものです。指示の後に行ったことの記録を指定してください。",
            "It is older than the order: name a record of what was done since.",
        ),
        CloseError::Itself(_) => t(
            "指示そのものは完了の証拠になりません。",
            "An order does not show that it was carried out.",
        ),
        CloseError::Store(_) | CloseError::Task(_) => return error.to_string(),
    };
    text.get(lang).to_owned()
}
