//! The whole route table: house, hall, front door. There is no route beside it.

use model::t;
use web::{
    access::Action,
    route::{Access, Route},
};

use crate::events;

/// Every route of the program.
pub fn table() -> Vec<Route> {
    let mut routes = web::routes();
    routes.extend(isms::pages::routes());
    routes.extend(tasks::routes());
    routes.extend(notices::routes());
    let read = Access::Action(Action::Read);
    routes.push(Route::get("/events", read, t("イベントの検索", "Search events"), events::page));
    routes
}
