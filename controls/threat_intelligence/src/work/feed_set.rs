//! Rows of feeds as entries of the signed set: each is held against what is ours, people's decisions, warning lists and
//! its own period, a page of rows at a time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use indicators::{
    Ceiling, Decision, Direction, Entry, Kind, Micros, Row as Indicator, Set,
    set::Change,
    validity::{self, Context, Finding, State, Step, Verdict},
};
use intel::Map;
use netname::Names;
use room::Error;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::{
    feeds::{Feeds, Usage, rows::Kept, source},
    publish::Judged,
};

const PAGE: usize = 5_000;
/// Name of a source or list in a verdict.
const NAME_CHARS_MAX: usize = 80;

/// What rows are judged by.
pub struct Judge {
    /// A set of what is ours, and the same as text.
    pub own: Option<Vec<u8>>,
    pub own_keys: String,
    pub lists: Option<(String, Arc<Map>)>,
    pub exclusions: BTreeMap<(Kind, String), Decision>,
    /// The sources whose rows go into the set, with their names.
    pub sources: BTreeMap<String, (String, Usage)>,
    pub names: Names,
}

impl Judge {
    /// The sources of the register whose rows are used at once.
    pub async fn sources(
        store: &store::Store,
    ) -> Result<BTreeMap<String, (String, Usage)>, store::StoreError> {
        let rows = source::active(store).await?;
        let used = rows.into_iter().map(|row| {
            let usage = Usage::of(&row);
            (row.id.to_string(), (row.name, usage))
        });
        Ok(used.filter(|(_, (_, usage))| *usage != Usage::Inbox).collect())
    }

    /// Changes with whatever a verdict may depend on beside the row.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.own_keys);
        hash.update(self.lists.as_ref().map_or("", |(name, _)| name));
        for ((kind, value), decision) in &self.exclusions {
            hash.update(format!("\n{} {value} {:?}", kind.as_str(), decision));
        }
        for (id, (name, usage)) in &self.sources {
            hash.update(format!("\n{id} {name} {}", usage.as_str()));
        }
        hex::encode(&hash.finalize()[..16])
    }

    /// Judges with the sets open.
    pub fn with<T>(&self, work: impl FnOnce(&Context<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let open = |bytes| Set::open(bytes, &[]).map_err(Error::said);
        let own = self.own.as_deref().map(open).transpose()?;
        let lists = self.lists.as_ref().map(|(_, map)| open(map)).transpose()?;
        let mut context = Context::new(&self.names);
        (context.own, context.warnings) = (own.as_ref(), lists.as_ref());
        work(&context)
    }

    /// The verdicts on rows of feeds.
    pub fn rows(&self, kept: &[Kept], at: Micros) -> Result<Vec<Judged>, Error> {
        self.with(|context| {
            let mut all = Vec::new();
            for row in kept.iter().filter_map(|kept| self.row(kept)) {
                let verdict = validity::validity(&row, context, at).map_err(Error::said)?;
                let entries = validity::entries(&row, context, at).map_err(Error::said)?;
                all.push(Judged { row, verdict, entries });
            }
            Ok(all)
        })
    }

    /// Whether a row that a set holds stands now, by all but its own source.
    pub fn stands(&self, entry: &Entry, context: &Context<'_>, at: Micros) -> Result<bool, Error> {
        let mut row = Indicator::new(entry.id, entry.key.clone(), &entry.source, at);
        row.valid_until = entry.until;
        row.decision = self.exclusions.get(&(row.key.kind(), row.key.text().to_owned())).cloned();
        let verdict = validity::validity(&row, context, at).map_err(Error::said)?;
        Ok(verdict.state == State::Active)
    }

    fn row(&self, kept: &Kept) -> Option<Indicator> {
        let (name, usage) = self.sources.get(&kept.source)?;
        let key = kept.key(&self.names)?;
        let mut row = Indicator::new(number(kept.id), key, name, kept.received);
        row.direction = Direction::named(&kept.direction).unwrap_or_default();
        let allowed = Ceiling::named(&kept.ceiling).unwrap_or_default();
        row.ceiling = allowed.min(usage.ceiling());
        (row.valid_from, row.valid_until) = (kept.valid_from, kept.valid_until);
        (row.sighted, row.score, row.revoked) = (kept.sighted, kept.score, kept.revoked);
        row.decision = self.exclusions.get(&(row.key.kind(), row.key.text().to_owned())).cloned();
        Some(row)
    }
}

/// The number of a row in the set: those of confirmed values have the highest bit.
pub fn number(id: i64) -> u64 {
    id.unsigned_abs()
}

/// What became of the rows that were walked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    pub added: u64,
    pub removed: u64,
    pub expired: u64,
    pub looked_at: u64,
}

/// Walks rows of feeds in the order of their numbers and gives what the set holds of them. It waits for the database and
/// runs on a thread that may.
pub struct Walk<'w> {
    feeds: &'w Feeds,
    runtime: &'w Handle,
    judge: &'w Judge,
    context: &'w Context<'w>,
    /// Only rows changed after this mark; all of them for the lowest.
    since: i64,
    at: Micros,
    after: i64,
    ready: VecDeque<Change>,
    is_done: bool,
    pub walked: Walked,
    pub failed: Option<Error>,
}

impl<'w> Walk<'w> {
    pub fn new(
        feeds: &'w Feeds,
        runtime: &'w Handle,
        judge: &'w Judge,
        context: &'w Context<'w>,
        since: i64,
        at: Micros,
    ) -> Walk<'w> {
        Walk {
            feeds,
            runtime,
            judge,
            context,
            since,
            at,
            after: 0,
            ready: VecDeque::new(),
            is_done: false,
            walked: Walked::default(),
            failed: None,
        }
    }

    fn page(&mut self) -> Result<(), Error> {
        let page = self.feeds.page(self.after, self.since, PAGE);
        let rows = self.runtime.block_on(page).map_err(Error::said)?;
        let Some(last) = rows.last().map(|row| row.id) else {
            self.is_done = true;
            return Ok(());
        };
        let is_delta = self.since != i64::MIN;
        let mut notes = Vec::new();
        for kept in &rows {
            let (entries, verdict) = self.judged(kept)?;
            let in_set = !entries.is_empty();
            self.walked.looked_at += 1;
            self.walked.added += u64::from(in_set && !kept.in_set);
            self.walked.removed += u64::from(!in_set && kept.in_set);
            if in_set != kept.in_set || verdict != kept.verdict {
                notes.push((kept.id, in_set, verdict));
            }
            if !in_set && is_delta {
                self.ready.push_back(Change::Gone(number(kept.id)));
            }
            self.ready.extend(entries.into_iter().map(Change::Put));
        }
        self.runtime.block_on(self.feeds.note(&notes)).map_err(Error::said)?;
        self.after = last;
        Ok(())
    }

    fn judged(&mut self, kept: &Kept) -> Result<(Vec<Entry>, Option<String>), Error> {
        if !self.judge.sources.contains_key(&kept.source) {
            return Ok((Vec::new(), None));
        }
        let Some(row) = self.judge.row(kept) else {
            return Ok((Vec::new(), Some("malformed".to_owned())));
        };
        let verdict = validity::validity(&row, self.context, self.at).map_err(Error::said)?;
        let entries = validity::entries(&row, self.context, self.at).map_err(Error::said)?;
        self.walked.expired += u64::from(verdict.state == State::Expired);
        Ok((entries, word(&verdict)))
    }
}

impl Iterator for Walk<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        while self.ready.is_empty() && !self.is_done && self.failed.is_none() {
            if let Err(error) = self.page() {
                self.failed = Some(error);
            }
        }
        self.ready.pop_front()
    }
}

/// Why a row is not used as its source says; nothing where it is.
fn word(verdict: &Verdict) -> Option<String> {
    let short = |text: &str| text.chars().take(NAME_CHARS_MAX).collect::<String>();
    let listed = verdict.steps.iter().find_map(|step| match step {
        Step::Warning(Finding::Listed { list, .. }) => Some(format!("warning:{}", short(list))),
        _ => None,
    });
    match verdict.state {
        State::Active | State::NotYet => listed,
        State::Expired => Some("expired".to_owned()),
        State::Revoked => Some("revoked".to_owned()),
        State::Excluded => Some(match verdict.steps.last() {
            Some(Step::Own(Finding::Special)) => "special".to_owned(),
            Some(Step::Own(Finding::Broad { .. })) => "broad".to_owned(),
            Some(Step::Own(Finding::Suffix)) => "suffix".to_owned(),
            Some(Step::Own(_)) => "own".to_owned(),
            _ => "decision".to_owned(),
        }),
    }
}

/// A verdict in the reader's words.
pub fn words(verdict: &str) -> model::Text {
    use model::t;
    match verdict {
        "own" => t("自組織のもののため使いません", "ours, so it is not used"),
        "special" => t(
            "特定の相手を指さないアドレスのため使いません",
            "an address of nobody, so it is not used",
        ),
        "broad" => t("広すぎるため使いません", "too broad, so it is not used"),
        "suffix" => t("公開サフィックスのため使いません", "a public suffix, so it is not used"),
        "decision" => t("人の判断で外しています", "taken out by a person"),
        "expired" => t("期限切れのため使いません", "expired, so it is not used"),
        "revoked" => t("提供元が取り消しました", "taken back by its producer"),
        "malformed" => t("値として読めません", "no value that can be read"),
        _ => t("警告リストにあるため遮断しません", "on a warning list, so it is not blocked"),
    }
}
