//! The room's own pages and their documents.

mod addresses;
mod advisory;
mod components;
mod hosts;
mod impact;
mod sbom;
mod sboms;
mod vex;

use web::route::Route;

/// The room's routes.
pub fn routes() -> Vec<Route> {
    let all = [
        hosts::routes(),
        addresses::routes(),
        impact::routes(),
        advisory::routes(),
        sboms::routes(),
        sbom::routes(),
        components::routes(),
        vex::routes(),
    ];
    all.into_iter().flatten().collect()
}
