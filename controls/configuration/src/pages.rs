//! The room's own pages and their documents.

mod addresses;
mod change_form;
mod change_typed;
mod changes;
mod drift;
mod host_checks;
mod hosts;
mod lanes;
mod month;
mod one_drift;
mod reviews;
mod words;

use web::route::Route;

/// The room's routes.
pub fn routes() -> Vec<Route> {
    let all = [
        hosts::routes(),
        host_checks::routes(),
        addresses::routes(),
        drift::routes(),
        one_drift::routes(),
        changes::routes(),
        reviews::routes(),
    ];
    all.into_iter().flatten().collect()
}
