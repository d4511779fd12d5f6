//! The room's own pages and their documents.

mod addresses;
mod hosts;
mod licences;
mod rebuilds;
mod sheets;
mod sheets_api;
mod system_picture;
mod system_tests;
mod systems;
mod templates;

use web::route::Route;

/// The room's routes.
pub fn routes() -> Vec<Route> {
    let all = [
        hosts::routes(),
        addresses::routes(),
        sheets::routes(),
        sheets_api::routes(),
        systems::routes(),
        system_tests::routes(),
        templates::routes(),
        licences::routes(),
        rebuilds::routes(),
    ];
    all.into_iter().flatten().collect()
}
