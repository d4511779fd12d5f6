//! The job that writes down how the measures of each threat stand.

use model::{Timestamp, t};
use room::{Error, Job, Shared, Verdicts};
use serde_json::{Value as Json, json};
use store::Store;

use super::{
    content::Audience,
    editions::{Editions, Threat},
    standing::{Decisions, Facts, backed},
};

pub const STATE: &str = "threat_intelligence.ten_threat_state";
const ACTOR: &str = "system:threat_intelligence.ten_threats";
/// What did not change is told again after so long.
const AGAIN_HOURS: i64 = 24;

/// The job.
pub fn job() -> Job {
    let title = t("10大脅威の対策の裏付け", "How measures against the ten threats stand");
    Job::new("threat_intelligence.ten_threats", title, run)
        .every(std::time::Duration::from_secs(300))
}

/// One run: a record of each threat of the newest edition that somebody decided on.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let store = ctx.store();
    // Before the first judgement nothing is known, and nothing is told.
    if ctx.house.kept.get::<Verdicts>().get().is_none() {
        return Ok(json!({ "waits_for": "verdicts" }));
    }
    let editions = Editions::load(store).await?;
    let decisions = Decisions::load(store).await?;
    let threats = editions.newest(Audience::Org);
    let ids: Vec<_> = threats.iter().map(|threat| threat.row.id).collect();
    let facts = Facts::load(&ctx.house, &ids).await?;
    let now = store.now();
    let mut written = 0;
    let mut decided_on = 0;
    for threat in &threats {
        let Some(decided) = decisions.signed(threat.row.id) else { continue };
        decided_on += 1;
        let said = json!({
            "edition_age_days": age_days(threat, now),
            "measures_chosen": decided.measures.len(),
            "measures_backed": backed(&facts, &editions, threat.row.id, decided),
        });
        written += usize::from(tell(store, threat, now, said).await?);
    }
    if written > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "threats": threats.len(), "decided": decided_on, "written": written }))
}

async fn tell(store: &Store, threat: &Threat, now: Timestamp, said: Json) -> Result<bool, Error> {
    let newest = store.newest_records(&[STATE], Some(threat.row.id), 1).await?;
    let is_told = newest.first().is_some_and(|record| {
        Some(&record.facts) == said.as_object() && now.hours_since(record.observed_to) < AGAIN_HOURS
    });
    if !is_told {
        room::write(store, ACTOR, room::draft(STATE, Some(threat.row.id), now, said)).await?;
    }
    Ok(!is_told)
}

/// Days since the month of publication began; what has no such month is as old as can be.
pub fn age_days(threat: &Threat, now: Timestamp) -> i64 {
    const UNKNOWN: i64 = 36_500;
    let today = jiff::Timestamp::from_microsecond(now.0).ok();
    let today = today.map(|at| at.to_zoned_datetime(jiff::tz::TimeZone::UTC).date());
    let Some((today, published)) = today.zip(threat.published()) else { return UNKNOWN };
    i64::from((today - published).get_days()).clamp(0, UNKNOWN)
}
