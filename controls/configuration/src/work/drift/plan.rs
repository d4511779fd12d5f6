//! What somebody proposes to do about drift, or about a check that fails; it takes another's signature.
//!
//! Invariants: a plan is a row, and what is signed is its content, so an edit voids it; who proposed it
//! does not sign it; one difference waits in one plan at a time.
//!
//! Limits: 200 differences a plan, an exception holds a year at most.

use model::{Id, Table, Text, Timestamp, t};
use serde_json::{Map, Value as Json, json};
use store::{Row, Store, StoreError, Write};
use web::decide::PROPOSED;

use super::{Drift, State};
use crate::work::changes::{
    logins,
    scope::typed,
    standing::{self, Signed, Standing},
};

/// The kind of the rows.
pub const PLAN: &str = "drift_plan";
pub const DRIFTS_MAX: usize = 200;
pub const REASON_CHARS_MAX: usize = 2_000;
pub const EXCEPTION_DAYS_MAX: i64 = 366;
const NAME_CHARS_MAX: usize = 200;

/// What becomes of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Adopted,
    Reverted,
    Excepted,
}

impl Outcome {
    pub const ALL: [Outcome; 3] = [Outcome::Adopted, Outcome::Reverted, Outcome::Excepted];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Adopted => "adopted",
            Outcome::Reverted => "reverted",
            Outcome::Excepted => "excepted",
        }
    }

    pub fn parse(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    pub fn text(self) -> Text {
        match self {
            Outcome::Adopted => t("採用", "Adopted"),
            Outcome::Reverted => t("復元", "Reverted"),
            Outcome::Excepted => t("例外として許可", "Excepted"),
        }
    }

    /// Kinds of decision that stand for it; the first is the one its own page makes.
    pub fn kinds(self) -> &'static [&'static str] {
        match self {
            Outcome::Adopted => &["adopted_delta", "approval"],
            Outcome::Reverted => &["approval"],
            Outcome::Excepted => &["exception", "approval"],
        }
    }
}

/// A plan with what was signed about it.
pub struct Plan {
    pub row: Row,
    pub outcome: Outcome,
    pub drifts: Vec<Id>,
    /// The check on a host that it excepts.
    pub check: Option<(Id, String)>,
    pub proposer: Option<Id>,
    pub change: String,
    /// End of an exception.
    pub expires: Option<Timestamp>,
    /// An adopted value is that of all hosts.
    pub everywhere: bool,
    pub(in crate::work) signed: Result<Signed, Standing>,
}

impl Plan {
    pub(in crate::work) fn of(
        row: Row,
        decisions: &[Row],
        askers: &[String],
    ) -> Result<Plan, StoreError> {
        let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or("");
        let outcome = Outcome::parse(text("outcome")).unwrap_or(Outcome::Reverted);
        let drifts = row.attributes.get("drifts").and_then(Json::as_array);
        let drifts: Vec<Id> = drifts
            .into_iter()
            .flatten()
            .filter_map(|id| id.as_str()?.parse().ok())
            .take(DRIFTS_MAX)
            .collect();
        let check = text("host").parse().ok().zip(Some(text("check")).filter(|c| !c.is_empty()));
        let signed = standing::judged(&row, decisions, askers, outcome.kinds())?;
        Ok(Plan {
            outcome,
            drifts,
            check: check.map(|(host, check)| (host, check.to_owned())),
            proposer: text("proposer").parse().ok(),
            change: text("change").to_owned(),
            expires: end_of(text("expires_on")),
            everywhere: text("applies") == "everywhere",
            signed,
            row,
        })
    }

    /// Whether it waits for a signature.
    pub fn waits(&self) -> bool {
        matches!(self.signed, Err(Standing::Waiting | Standing::Void | Standing::Own))
    }

    pub fn is_approved(&self) -> bool {
        self.signed.is_ok()
    }

    pub fn is_revert_agreed(&self) -> bool {
        self.outcome == Outcome::Reverted && self.signed.is_ok()
    }

    /// Whether it is a signed exception that has not ended.
    pub fn excepts(&self, now: Timestamp) -> bool {
        let until = match (&self.signed, self.expires) {
            (Ok(signed), Some(expires)) => signed.until.min(expires),
            _ => return false,
        };
        self.outcome == Outcome::Excepted && until > now
    }

    /// Where it stands, in words.
    pub fn standing(&self) -> Text {
        match &self.signed {
            Ok(_) => t("承認済み", "Approved"),
            Err(standing) => standing.text(),
        }
    }
}

/// The end of a day, in UTC.
fn end_of(day: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = day.parse().ok()?;
    let end = day.tomorrow().ok()?.at(0, 0, 0, 0);
    let end = jiff::tz::TimeZone::UTC.to_timestamp(end).ok()?;
    Some(Timestamp(end.as_microsecond()))
}

/// All plans.
pub async fn all(store: &Store) -> Result<Vec<Plan>, StoreError> {
    let rows = store.all(Table::Plan, &[PLAN]).await?;
    of_rows(store, rows).await
}

pub async fn one(store: &Store, id: Id) -> Result<Option<Plan>, StoreError> {
    let row = store.row(Table::Plan, id).await?.filter(|r| r.kind == PLAN && !r.deleted);
    Ok(of_rows(store, row.into_iter().collect()).await?.pop())
}

async fn of_rows(store: &Store, rows: Vec<Row>) -> Result<Vec<Plan>, StoreError> {
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let decisions = store.rows_about(Table::Decision, &ids).await?;
    let logins = logins(store, rows.iter().filter_map(proposer)).await?;
    let plan = |row: Row| {
        let login = proposer(&row).and_then(|id| logins.get(&id).cloned());
        // Who wrote it down is taken for who proposed it, whatever the row says.
        let writer = row.updated_by.strip_prefix("account:").map(str::to_owned);
        let askers: Vec<String> = login.into_iter().chain(writer).collect();
        Plan::of(row, &decisions, &askers)
    };
    rows.into_iter().map(plan).collect()
}

fn proposer(row: &Row) -> Option<Id> {
    row.attributes.get("proposer")?.as_str()?.parse().ok()
}

/// What somebody proposes.
pub struct Proposal<'a> {
    pub outcome: Outcome,
    pub drifts: &'a [Drift],
    /// A check on a host instead of drift.
    pub check: Option<(Id, &'a str)>,
    pub reason: &'a str,
    pub proposer: Id,
    pub expires_on: &'a str,
    pub everywhere: bool,
    pub change: &'a str,
}

/// Why a proposal is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    #[error("nothing is chosen")]
    Nothing,
    #[error("more than {DRIFTS_MAX} differences")]
    Many,
    #[error("{0} waits for no decision")]
    Settled(String),
    #[error("a reason of at most {REASON_CHARS_MAX} characters is needed")]
    Reason,
    #[error("an exception needs a day within a year on which it ends")]
    Expiry,
    #[error("a failing check is mended or excepted")]
    Check,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProposeError {
    /// The field of the form at fault.
    pub fn field(&self) -> &'static str {
        match self {
            ProposeError::Nothing | ProposeError::Many | ProposeError::Settled(_) => "drifts",
            ProposeError::Reason => "reason",
            ProposeError::Expiry => "expires_on",
            ProposeError::Check => "outcome",
            ProposeError::Store(_) => "",
        }
    }

    pub fn said(&self) -> (String, String) {
        let pair = |ja: &str, en: &str| (ja.to_owned(), en.to_owned());
        match self {
            ProposeError::Nothing => {
                pair("差異を一つ以上選んでください。", "Choose at least one difference.")
            }
            ProposeError::Many => {
                pair("一度に選べる差異は200件までです。", "Choose at most 200 differences at once.")
            }
            ProposeError::Settled(key) => (
                format!("{key}は決定を待っていません（決定済みか、承認待ちか、決定不要です）。"),
                format!(
                    "{key} waits for no decision: it is decided, waits for approval, or needs none."
                ),
            ),
            ProposeError::Reason => pair(
                "理由を2000文字以内で入力してください。",
                "Give a reason of at most 2,000 characters.",
            ),
            ProposeError::Expiry => pair(
                "例外の期限を、明日から1年以内の日付で入力してください。",
                "Give the day on which the exception ends: from tomorrow to a year ahead.",
            ),
            ProposeError::Check => pair(
                "検査の不適合には例外だけを申請できます。直すときは課題にしてください。",
                "Of a failing check only an exception can be asked for; to mend it, make a task.",
            ),
            ProposeError::Store(error) => (error.to_string(), error.to_string()),
        }
    }
}

impl Proposal<'_> {
    fn check(&self, states: &[State], now: Timestamp) -> Result<(), ProposeError> {
        if self.drifts.is_empty() && self.check.is_none() {
            return Err(ProposeError::Nothing);
        }
        if self.drifts.len() > DRIFTS_MAX {
            return Err(ProposeError::Many);
        }
        if self.check.is_some() && self.outcome != Outcome::Excepted {
            return Err(ProposeError::Check);
        }
        let settled = self.drifts.iter().zip(states).find(|(_, state)| !state.takes_a_plan());
        if let Some((drift, _)) = settled {
            return Err(ProposeError::Settled(drift.fact("key").to_owned()));
        }
        let reason = self.reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX || reason.contains('\0') {
            return Err(ProposeError::Reason);
        }
        if self.outcome == Outcome::Excepted {
            let end = end_of(self.expires_on).ok_or(ProposeError::Expiry)?;
            let hours = end.hours_since(now);
            if !(24..=(EXCEPTION_DAYS_MAX + 1) * 24).contains(&hours) {
                return Err(ProposeError::Expiry);
            }
        }
        Ok(())
    }

    fn name(&self) -> String {
        let first = match (self.drifts.first(), self.check) {
            (Some(drift), _) => drift.fact("key").to_owned(),
            (None, Some((_, check))) => check.to_owned(),
            (None, None) => String::new(),
        };
        let more = self.drifts.len().saturating_sub(1);
        let first: String = first.chars().take(NAME_CHARS_MAX).collect();
        if more == 0 { first } else { format!("{first} +{more}") }
    }
}

/// Writes the plan, and asks those who may decide for their signature.
pub async fn propose(
    store: &Store,
    write: &mut Write<'_>,
    proposal: &Proposal<'_>,
    states: &[State],
) -> Result<Row, ProposeError> {
    proposal.check(states, store.now())?;
    let mut row = Row::new(Table::Plan, store.new_id()?, PLAN, &proposal.name());
    let mut attributes = Map::from_iter([
        ("outcome".to_owned(), json!(proposal.outcome.name())),
        ("reason".to_owned(), json!(proposal.reason.trim())),
        ("proposer".to_owned(), json!(proposal.proposer)),
    ]);
    if !proposal.drifts.is_empty() {
        let ids: Vec<String> = proposal.drifts.iter().map(|d| d.record.id.to_string()).collect();
        attributes.insert("drifts".to_owned(), json!(ids));
    }
    if let Some((host, check)) = proposal.check {
        attributes.insert("host".to_owned(), json!(host));
        attributes.insert("check".to_owned(), json!(check));
    }
    if proposal.outcome == Outcome::Excepted {
        attributes.insert("expires_on".to_owned(), json!(proposal.expires_on));
    }
    if proposal.outcome == Outcome::Adopted {
        let applies = if proposal.everywhere { "everywhere" } else { "these" };
        attributes.insert("applies".to_owned(), json!(applies));
    }
    if !proposal.change.is_empty() {
        attributes.insert("change".to_owned(), json!(proposal.change));
    }
    row.attributes = attributes;
    let row = write.put(row).await?;
    write.put(request(store, &row)?).await?;
    Ok(row)
}

/// What stands among the approvals until somebody signs.
pub(crate) fn request(store: &Store, plan: &Row) -> Result<Row, StoreError> {
    let mut request = Row::new(Table::Decision, store.new_id()?, "approval", &plan.name);
    request.status = PROPOSED.to_owned();
    request.subject = Some(plan.id);
    request.subject_hash = Some(plan.content_hash()?);
    request.attributes.insert("subject_table".into(), plan.table.name().into());
    Ok(request)
}

/// What an adopting signature names beside the plan: the settings, and the values they get.
pub fn notes(plan: &Plan, drifts: &[Drift]) -> Vec<(&'static str, Json)> {
    if plan.outcome != Outcome::Adopted {
        return Vec::new();
    }
    let mut keys: Vec<String> = Vec::new();
    let mut values: Vec<String> = Vec::new();
    for item in drifts.iter().flat_map(|drift| &drift.items) {
        let (key, value) = (item.delta.path(), typed(item.delta.after.as_ref()));
        if !keys.contains(&key) {
            keys.push(key);
            values.push(value);
        }
    }
    let joined = |texts: &[String]| {
        let all = texts.join("\n").replace('\0', "\\x00");
        let cut: String = all.chars().take(REASON_CHARS_MAX).collect();
        if cut.is_empty() { "–".to_owned() } else { cut }
    };
    let mut notes = vec![("key", json!(joined(&keys))), ("after", json!(joined(&values)))];
    if !plan.change.is_empty() {
        notes.push(("change", json!(plan.change)));
    }
    notes
}
