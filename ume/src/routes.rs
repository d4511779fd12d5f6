//! The whole route table: house, hall, rooms, front door. There is no route beside it.

use model::t;
use web::{
    access::Action,
    route::{Access, Route},
};

use crate::{intake_http, jobs_page, rooms::AT_WORK};

/// Every route of the program.
pub fn table() -> Vec<Route> {
    let mut routes = web::routes();
    routes.extend(isms::pages::routes());
    routes.extend(edge::pages::routes());
    routes.extend(tasks::routes());
    routes.extend(notices::routes());
    routes.extend(AT_WORK.iter().flat_map(|room| room.routes()));
    let inspect = Access::Action(Action::Inspect);
    let administer = Access::Action(Action::Administer);
    let run = t("ジョブを今すぐ実行", "Run a job now");
    let take = t("イベントの受信（NDJSON）", "Take events (NDJSON)");
    routes.extend([
        Route::get("/work", inspect, t("ジョブの状態", "State of the jobs"), jobs_page::show),
        Route::post("/work", administer, run, jobs_page::ask),
        Route::post("/intake/{source}", Access::Sender, take, intake_http::take)
            .body_max(intake_http::BODY_BYTES_MAX),
    ]);
    routes
}
