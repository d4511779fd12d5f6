//! The room's own pages and their documents.

mod actor;
mod addresses;
mod hosts;

use web::route::Route;

/// The room's routes.
pub fn routes() -> Vec<Route> {
    let all = [hosts::routes(), addresses::routes()];
    all.into_iter().flatten().collect()
}
