//! Who answers the collector's questions: a root directory, or a host over SSH. Both give the same
//! capture of the same host; an agent is the first of them, running there.

mod digests;
mod live;
mod root;
mod ssh;

use baseline::{Ask, Capture, Collector, Got, Plan, Step};

pub use digests::DigestCache;
pub use root::RootDriver;
pub use ssh::SshDriver;

/// Answers questions about one host. It never fails as a whole: what it cannot answer is a fault.
pub trait Driver {
    fn answer(&mut self, asks: &[Ask]) -> Vec<Got>;
}

/// Collects to the end.
pub fn collect(driver: &mut dyn Driver, plan: Plan) -> Capture {
    let mut collector = Collector::new(plan);
    let mut got = Vec::new();
    loop {
        match collector.step(got) {
            Step::Ask(asks) => got = driver.answer(&asks),
            Step::Done(capture) => return *capture,
        }
    }
}
