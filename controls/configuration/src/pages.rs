//! The room's own pages and their documents.

mod actor;
mod addresses;
mod advisory;
mod change_form;
mod change_typed;
mod changes;
mod components;
mod drift;
mod host_checks;
mod hosts;
mod impact;
mod lanes;
mod licences;
mod month;
mod one_drift;
mod rebuilds;
mod reviews;
mod sbom;
mod sboms;
mod sheets;
mod sheets_api;
mod system_picture;
mod system_tests;
mod systems;
mod templates;
mod vex;
mod words;

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
        impact::routes(),
        advisory::routes(),
        sboms::routes(),
        sbom::routes(),
        components::routes(),
        vex::routes(),
        host_checks::routes(),
        drift::routes(),
        one_drift::routes(),
        changes::routes(),
        reviews::routes(),
    ];
    all.into_iter().flatten().collect()
}
