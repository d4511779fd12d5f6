//! Whether collection runs itself: how far heartbeats lie apart, and how long a change made for a test takes until
//! it is recorded.
//!
//! A heartbeat of an agent is its word to the centre, of the server itself a round of this service; while the server
//! is down nothing is heard, so that time counts as silence. A delivery is measured between the clock of the agent
//! and ours; a clock that is off is recorded elsewhere (`house.agent_changed`).

use std::{collections::BTreeMap, time::Duration};

use model::{Id, Timestamp};
use room::{Error, Pause, Service, Shared, draft, this_host};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Record;

use super::CANARY_CHANGE;

const EVERY: Duration = Duration::from_secs(30);
/// How often the state is written down.
const SAVE_US: i64 = 300_000_000;
const SETTING: &str = "configuration.pulse";
const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60_000_000;

/// What is known of one host since its last record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Beat {
    last: i64,
    longest: i64,
    /// The test change that was taken last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test: Option<Id>,
}

impl Beat {
    /// Heard last at `heard`; it is `now`.
    fn hear(&mut self, heard: i64, now: i64) {
        if self.last == 0 {
            self.last = heard;
        }
        self.longest = self.longest.max(heard - self.last);
        self.last = self.last.max(heard);
        self.longest = self.longest.max(now - self.last);
    }
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    saved_at: i64,
    hosts: BTreeMap<Id, Beat>,
}

/// The state between rounds.
#[derive(Default)]
struct Kept(tokio::sync::Mutex<Option<State>>);

pub(super) fn service() -> Service {
    Service::new("configuration.pulse", Pause::For(EVERY), round)
}

pub(super) async fn round(ctx: Shared) -> Result<(), Error> {
    if ctx.house.demo {
        return Ok(());
    }
    let (store, kept) = (ctx.store(), ctx.house.kept.get::<Kept>());
    let mut state = kept.0.lock().await;
    if state.is_none() {
        let text = store.setting(SETTING).await?;
        *state = Some(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default());
    }
    let Some(state) = state.as_mut() else { return Ok(()) };
    let now = store.now().0;
    let mut heard = BTreeMap::from([(this_host(&ctx).await?, now)]);
    for agent in store.agents().await?.iter().filter(|agent| agent.revoked_at.is_none()) {
        if let Some(last) = agent.last_seen {
            heard.insert(agent.asset, last.0);
        }
    }
    state.hosts.retain(|host, _| heard.contains_key(host));
    for (host, last) in heard {
        state.hosts.entry(host).or_default().hear(last, now);
    }
    let is_written = tested(&ctx, state).await?;
    if is_written || now - state.saved_at >= SAVE_US {
        state.saved_at = now;
        store.set_setting(SETTING, &serde_json::to_string(state).map_err(Error::said)?).await?;
    }
    Ok(())
}

/// Writes the pulse of each host whose test change came since.
async fn tested(ctx: &Shared, state: &mut State) -> Result<bool, Error> {
    let store = ctx.store();
    let mut is_written = false;
    for record in store.latest_per_subject(&[CANARY_CHANGE]).await? {
        let beat = record.subject.and_then(|host| state.hosts.get_mut(&host));
        let Some(beat) = beat.filter(|beat| beat.test != Some(record.id)) else { continue };
        let facts = json!({
            "heartbeat_min_max": up(beat.longest, MINUTE_US),
            "canary_s": canary_s(&record),
        });
        let at = Timestamp(store.now().0);
        let draft = draft("configuration.collector_pulse", record.subject, at, facts);
        room::write(store, "system:configuration.pulse", draft).await?;
        (beat.longest, beat.test, is_written) = (0, Some(record.id), true);
    }
    if is_written {
        ctx.house.wake();
    }
    Ok(is_written)
}

/// From the change until its record was here, rounded up.
fn canary_s(record: &Record) -> i64 {
    let after_ms = record.facts.get("after_ms").and_then(serde_json::Value::as_i64).unwrap_or(0);
    let delivery = (record.received_at.0 - record.observed_to.0).max(0);
    up(after_ms.saturating_mul(1_000).saturating_add(delivery), SECOND_US)
}

fn up(time: i64, unit: i64) -> i64 {
    (time.max(0) as u64).div_ceil(unit as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silence_counts_be_it_over_or_not() {
        let minute = |n: i64| n * MINUTE_US;
        let mut beat = Beat::default();
        beat.hear(minute(100), minute(100));
        beat.hear(minute(105), minute(106));
        assert_eq!(beat.longest, minute(5));
        // Still silent.
        beat.hear(minute(105), minute(122));
        assert_eq!(up(beat.longest, MINUTE_US), 17);
        // A clock set back makes no silence shorter.
        beat.hear(minute(90), minute(123));
        assert_eq!((beat.last, beat.longest), (minute(105), minute(18)));
        assert_eq!((up(1, MINUTE_US), up(0, MINUTE_US)), (1, 0));
    }
}
