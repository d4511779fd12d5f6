//! Pages for executives: the brief, orders, the criteria, and how far intelligence gets.

mod api;
mod brief;
mod criteria;
mod orders;
mod overview;

use model::{Id, Table};
use store::{Filter, PAGE_ROWS_MAX, Row, StoreError};
use web::{
    House,
    access::Action,
    decide,
    frame::{Refusal, User},
    route::Route,
};

use crate::work::executive::ROLE;

/// Routes of the pages and their documents.
pub(super) fn routes() -> Vec<Route> {
    let all =
        [brief::routes(), orders::routes(), criteria::routes(), overview::routes(), api::routes()];
    all.into_iter().flatten().collect()
}

/// Whether the form in which one orders is shown: to executives, and to whom one lets stand in.
async fn may_order(house: &House, user: &User) -> Result<bool, Refusal> {
    let account = &user.session.account;
    if user.may(Action::Decide).is_err() {
        return Ok(false);
    }
    Ok(account.role == ROLE || decide::delegation::held(&house.store, account).await?)
}

async fn people(house: &House) -> Result<Vec<Row>, StoreError> {
    let filter =
        Filter { kind: Some("person".to_owned()), limit: PAGE_ROWS_MAX, ..Filter::default() };
    house.store.list(Table::Party, &filter).await
}

async fn risks(house: &House) -> Result<Vec<Row>, StoreError> {
    let filter =
        Filter { kind: Some("risk".to_owned()), limit: PAGE_ROWS_MAX, ..Filter::default() };
    house.store.list(Table::Risk, &filter).await
}

/// A row that a form names, if it names one that is there.
async fn named(house: &House, table: Table, given: &str) -> Result<Option<Row>, StoreError> {
    let Ok(id) = given.parse::<Id>() else { return Ok(None) };
    Ok(house.store.row(table, id).await?.filter(|row| !row.deleted))
}
