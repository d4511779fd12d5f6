//! `GET /api/v1/monitoring/findings/stream`: findings as they are written, as server-sent events.
//!
//! The id of an event is how far the ledger had been read when it was told: places in the ledger are given once and
//! in one row, so whoever comes again with the last id it heard misses nothing and hears nothing twice. Who brings
//! no id hears what is written from now on, and is told at once where that is.
//!
//! Invariants: a listener reads the store only when the ledger has grown; nothing is done where nobody listens; who
//! may not see the list any more (session ended, token revoked, role changed) hears no further finding.
//!
//! Limits: [`PER_ACCOUNT_MAX`] listeners of an account, [`LISTENERS_MAX`] in all, [`LEAVES_MAX`] leaves a step.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use model::{Id, t};
use store::StoreError;
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{BAD_REQUEST, Problem, TOO_MANY},
    },
    route::{Access, Api, Param, Place, Route},
};

use crate::{
    findings::{FINDING, with_judgements},
    work::live::Live,
};

/// Listeners of one account at once, and of all.
pub const PER_ACCOUNT_MAX: usize = 4;
pub const LISTENERS_MAX: usize = 64;
/// Leaves of the ledger that are looked at in one step.
const LEAVES_MAX: u64 = 2_000;
/// How often a listener is told that the line stands, and asked for whether it may still listen.
const BEAT: Duration = Duration::from_secs(15);
/// What is written in one moment is read in one step.
const GATHER: Duration = Duration::from_millis(200);
/// How long a listener waits before it comes again, as it is told.
const RETRY: Duration = Duration::from_secs(3);
const RETRY_AFTER_S: u32 = 60;
const LAST: HeaderName = HeaderName::from_static("last-event-id");
const PATH: &str = "/api/v1/monitoring/findings/stream";

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("検知の配信", "Findings as they come");
    let script = t("新しい検知の知らせ", "Word of new findings");
    let last = Param {
        place: Place::Header,
        name: "Last-Event-ID",
        schema: "Place",
        required: false,
        text: t(
            "最後に受け取ったid。その続きから送る。0は最初から、なければ今から",
            "The last id heard: goes on behind it. 0 is the beginning; without it, from now on",
        ),
    };
    vec![
        Route::get(PATH, inspect, title, follow).api(Api {
            tag: "monitoring",
            id: "monitoring_findings_stream".to_owned(),
            params: vec![last],
            request: None,
            response: (200, Some(("text/event-stream", "Events".to_owned()))),
            refusals: &[400],
        }),
        Route::get("/assets/findings.js", Access::Public, script, asset),
    ]
}

async fn asset() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("../../assets/findings.js")).into_response()
}

async fn follow(State(house): State<Shared>, caller: Caller, headers: HeaderMap) -> Response {
    let lang = caller.cx.lang;
    let told = headers.get(LAST).map(|id| id.to_str().ok().and_then(|id| id.parse::<u64>().ok()));
    if told == Some(None) {
        let detail = t(
            "Last-Event-IDには、受け取ったidをそのまま送ってください。",
            "Last-Event-ID is an id as it was received.",
        );
        return Problem::new(lang, BAD_REQUEST, detail).into_response();
    }
    let Some(seat) = house.kept.get::<Listeners>().seat(caller.account.id) else {
        let detail = t(
            "同時に受信できる数の上限です。不要な接続を閉じてください。",
            "Too many listen already. Close a connection that is not needed.",
        );
        let mut problem = Problem::new(lang, TOO_MANY, detail);
        problem.headers.push((header::RETRY_AFTER, RETRY_AFTER_S.to_string()));
        return problem.into_response();
    };
    // Before the place is read: what settles between the two is then seen as a change.
    let settled = house.store.settled();
    let end = match house.store.leaves().await {
        Ok(end) => end,
        Err(error) => return Problem::of_store(lang, &error).into_response(),
    };
    let at = told.flatten().map_or(end, |told| told.min(end));
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let closing = house.closing.subscribe();
    let waiting = VecDeque::from([Event::default().id(at.to_string()).retry(RETRY)]);
    let listener = Listener {
        house,
        caller,
        at,
        settled,
        closing,
        beat,
        waiting,
        is_behind: true,
        _seat: seat,
    };
    let events = futures_util::stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let mut response = Sse::new(events).into_response();
    // A proxy that gathers what it forwards would hold events back.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().insert(unbuffered.0, unbuffered.1);
    response
}

/// One that listens.
struct Listener {
    house: Shared,
    caller: Caller,
    /// Up to where the ledger was read.
    at: u64,
    settled: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    beat: Interval,
    waiting: VecDeque<Event>,
    /// The ledger may hold more.
    is_behind: bool,
    _seat: Seat,
}

impl Listener {
    /// What is told next; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if *self.closing.borrow() {
                return None;
            }
            if self.is_behind {
                if let Err(error) = self.read().await {
                    // It comes again with the last id and misses nothing.
                    tracing::warn!(%error, "findings could not be read for a listener");
                    return None;
                }
                if !self.waiting.is_empty() && !self.may().await {
                    return None;
                }
                continue;
            }
            match self.waits().await? {
                Heard::More => {
                    tokio::time::sleep(GATHER).await;
                    self.is_behind = true;
                }
                Heard::Beat if self.may().await => {
                    // Without data it is no event, but the id counts: who comes again begins here.
                    return Some(Event::default().id(self.at.to_string()).comment("listening"));
                }
                Heard::Beat => return None,
            }
        }
    }

    /// Until the ledger grows or it is time for a beat; none at the end.
    async fn waits(&mut self) -> Option<Heard> {
        tokio::select! {
            changed = self.settled.changed() => changed.ok().map(|()| Heard::More),
            _ = self.beat.tick() => Some(Heard::Beat),
            _ = self.closing.wait_for(|closing| *closing) => None,
        }
    }

    async fn may(&self) -> bool {
        self.caller.still_may(&self.house, Action::Inspect).await.unwrap_or(false)
    }

    /// Reads a step of the ledger.
    async fn read(&mut self) -> Result<(), StoreError> {
        self.settled.borrow_and_update();
        let store = &self.house.store;
        let (records, next) = store.records_from_leaf(FINDING, self.at, LEAVES_MAX).await?;
        self.is_behind = next - self.at == LEAVES_MAX;
        let shown = self.house.kept.get::<Live>().shown();
        for alert in with_judgements(store, records).await? {
            // Where the next begins. Findings of one step each have the place behind their own.
            let Some(leaf) = alert.record.leaf_index else { continue };
            let data = super::findings::told(&self.house, &shown, &alert).to_string();
            let event = Event::default().id((leaf + 1).to_string()).event("finding").data(data);
            self.waiting.push_back(event);
        }
        self.at = next;
        Ok(())
    }
}

enum Heard {
    More,
    Beat,
}

/// Who listens, by account.
#[derive(Default)]
struct Listeners(Arc<Mutex<HashMap<Id, usize>>>);

impl Listeners {
    fn seat(&self, account: Id) -> Option<Seat> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.values().sum::<usize>() >= LISTENERS_MAX {
            return None;
        }
        let own = all.entry(account).or_default();
        if *own >= PER_ACCOUNT_MAX {
            return None;
        }
        *own += 1;
        Some(Seat { all: self.0.clone(), account })
    }
}

/// A place among the listeners, given back when the connection ends.
struct Seat {
    all: Arc<Mutex<HashMap<Id, usize>>>,
    account: Id,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&self.account) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_by_account_and_in_all_and_come_back() {
        let (listeners, account) =
            (Listeners::default(), |n: u8| Id::from_parts(model::Timestamp(0), &[n; 10]));
        let own: Vec<Seat> =
            (0..PER_ACCOUNT_MAX).map(|_| listeners.seat(account(0)).unwrap()).collect();
        assert!(listeners.seat(account(0)).is_none());
        let others = (1..).flat_map(|n| (0..PER_ACCOUNT_MAX).map(move |_| n));
        let others: Vec<Option<Seat>> =
            others.take(LISTENERS_MAX).map(|n| listeners.seat(account(n))).collect();
        assert_eq!(others.iter().flatten().count(), LISTENERS_MAX - PER_ACCOUNT_MAX);
        drop(own);
        assert!(listeners.seat(account(0)).is_some());
        drop(others);
        assert!(listeners.0.lock().unwrap().is_empty());
    }
}
