//! What runs beside the server: the jobs and services of house, hall and rooms, in this order.

pub mod command;
mod house;

use isms::pages::SharedBoard;
use room::{Job, Service};

use crate::rooms::{AT_WORK, ROOMS};

/// Every job of this build. Without the board of a running server it is computed.
pub fn jobs(board: Option<SharedBoard>) -> Vec<Job> {
    let mut all = house::jobs();
    all.extend(isms::work::jobs(&ROOMS, board));
    all.extend(AT_WORK.iter().flat_map(|room| room.jobs()));
    all
}

/// Every service of this build.
pub fn services(lock: store::WriterLock, board: SharedBoard) -> Vec<Service> {
    let mut all = house::services(lock);
    all.extend(isms::work::services(&ROOMS, board));
    all.extend(AT_WORK.iter().flat_map(|room| room.services()));
    all
}
