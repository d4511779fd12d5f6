//! What happened at the door: every sign-in, refusal and sign-out as an OCSF Authentication event
//! (class 3002) for the stream, and counts of refusals for the ledger.
//!
//! Names typed by strangers are not kept, since people type passwords into the wrong field: only an
//! existing account is named. The queue is bounded; what does not fit is counted as lost.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{Id, Timestamp};
use serde_json::json;
use store::Account;

const LINES_MAX: usize = 20_000;
const ACCOUNTS_MAX: usize = 10_000;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failure,
    Logout,
}

/// One event at the door.
#[derive(Debug)]
pub struct SignIn<'a> {
    pub outcome: Outcome,
    /// `None` if no account has the name.
    pub account: Option<&'a Account>,
    pub address: IpAddr,
    /// For example `password+totp`.
    pub method: &'a str,
    /// Why it was refused: `password`, `code`, `throttled`, `disabled`, `role`.
    pub reason: &'a str,
    pub at: Timestamp,
}

/// Refusals of one account since the last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub count: u64,
    /// Of which so many were made to wait and not tried.
    pub throttled: u64,
    pub from: Timestamp,
}

#[derive(Debug, Default)]
struct Inner {
    lines: VecDeque<String>,
    lost: u64,
    refused: HashMap<Option<Id>, Refused>,
}

/// The queue between pages and the work loop.
#[derive(Debug, Default)]
pub struct SignIns {
    inner: Mutex<Inner>,
}

impl SignIns {
    /// Notes an event.
    pub fn note(&self, event: &SignIn) {
        let mut inner = self.inner();
        if event.outcome == Outcome::Failure {
            let known = inner.refused.len() < ACCOUNTS_MAX;
            let id = event.account.map(|a| a.id).filter(|_| known);
            let entry = inner.refused.entry(id).or_insert(Refused {
                count: 0,
                throttled: 0,
                from: event.at,
            });
            entry.count += 1;
            entry.throttled += u64::from(event.reason == "throttled");
        }
        if inner.lines.len() >= LINES_MAX {
            inner.lost += 1;
            return;
        }
        inner.lines.push_back(line(event));
    }

    /// Takes the waiting lines, and how many were lost.
    pub fn take(&self) -> (Vec<String>, u64) {
        let mut inner = self.inner();
        (inner.lines.drain(..).collect(), std::mem::take(&mut inner.lost))
    }

    /// Takes the counts of refusals.
    pub fn take_refused(&self) -> HashMap<Option<Id>, Refused> {
        std::mem::take(&mut self.inner().refused)
    }

    /// Lines that wait.
    pub fn waiting(&self) -> usize {
        self.inner().lines.len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event with OCSF's names: activity 1 Logon, 2 Logoff; status 1 Success, 2 Failure.
fn line(event: &SignIn) -> String {
    let (message, outcome, activity, status, severity) = match event.outcome {
        Outcome::Success => ("signed in", "success", 1, 1, "info"),
        Outcome::Failure => ("sign-in refused", "failure", 1, 2, "warning"),
        Outcome::Logout => ("signed out", "closed", 2, 1, "info"),
    };
    let mut json = json!({
        "time": event.at.rfc3339(),
        "app": "ume",
        "severity": severity,
        "message": message,
        "class_uid": 3002,
        "activity_id": activity,
        "status_id": status,
        "outcome": outcome,
        "src_ip": event.address.to_string(),
    });
    let mut set = |name: &str, value: &str| {
        if !value.is_empty() {
            json[name] = value.into();
        }
    };
    set("method", event.method);
    set("status_detail", event.reason);
    if let Some(account) = event.account {
        set("user", &account.login);
        set("user_uid", &account.id.to_string());
    }
    json.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: SignIn = SignIn {
        outcome: Outcome::Failure,
        account: None,
        address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        method: "password",
        reason: "throttled",
        at: Timestamp(1_795_600_000_000_000),
    };

    #[test]
    fn what_does_not_fit_is_counted_and_refusals_are_counted_in_full() {
        let queue = SignIns::default();
        for _ in 0..LINES_MAX + 7 {
            queue.note(&EVENT);
        }
        let (lines, lost) = queue.take();
        assert_eq!((lines.len(), lost), (LINES_MAX, 7));
        let refused = queue.take_refused();
        let count = LINES_MAX as u64 + 7;
        assert_eq!(refused[&None], Refused { count, throttled: count, from: EVENT.at });
        assert_eq!((queue.waiting(), queue.take_refused().len()), (0, 0));
    }
}
