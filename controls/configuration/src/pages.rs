//! The room's own pages and their documents.

mod addresses;

use web::route::Route;

/// The room's routes.
pub fn routes() -> Vec<Route> {
    addresses::routes()
}
