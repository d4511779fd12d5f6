//! From a form to a signature: what is signed is prepared, the signer proves who they are, the decision
//! is written.
//!
//! Invariants: what is written is what was prepared, or nothing. Within one change nobody signs the same
//! beside it; of two who prepared the same, the later is told to look again. One person counts once,
//! in their own name or through another.

use axum::{
    Json as JsonBody,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use model::{Id, Table, Timestamp, canonical};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use store::{Row, Store, Write};

use super::{
    About, DELEGATION, Evidence, Hand, Item, PASSKEY, PROPOSED, Policy, Ruling, RulingError,
    SIGNATURES, Signature, Standing, Statement, is_signed, passkey, policy, signatures,
    signed_by_any, statement, step_up,
};
use crate::{
    House,
    access::{self, Action},
    frame::{Refusal, User},
    people::{self, Ceremony},
    registers,
};

/// What the shared part of each signing form sends.
#[derive(Default, Deserialize)]
pub struct Given {
    #[serde(default)]
    pub password: String,
    #[serde(default)]
    pub code: String,
    /// The browser's answer to a prepared challenge, as JSON; empty for password and code.
    #[serde(default)]
    pub assertion: String,
    /// `prepare` asks for a challenge; anything else signs.
    #[serde(default)]
    pub step: String,
    /// Login of whom the signer stands in for; empty for themselves.
    #[serde(default)]
    pub acting_for: String,
}

/// What a form came to.
pub enum Cast {
    /// The script is to ask the authenticator, or to say why not.
    Asked(Response),
    /// The decisions as they stand now.
    Signed(Vec<Row>),
}

/// What a form came to, before anything is written.
pub enum Taken {
    /// As [`Cast::Asked`].
    Asked(Response),
    /// A signature whose signer proved who they are; see [`enter_all`].
    Given(Box<Signature>),
}

/// What waits for its signature.
#[derive(Clone)]
pub struct Prepared {
    /// What the form asked for, to be the same when the answer comes.
    asked: Json,
    pub(super) statement: Statement,
    nonce: [u8; 32],
    pub(super) hash: [u8; 32],
}

/// Takes a signature under all of these rulings at once. Where there are several, none has a subject.
pub async fn cast(
    house: &House,
    user: &User,
    headers: &HeaderMap,
    standing: &Standing,
    rulings: &[(Ruling<'_>, About<'_>)],
    given: Given,
) -> Result<Cast, Refusal> {
    let signature = match take(house, user, headers, standing, rulings, given).await? {
        Taken::Asked(answer) => return Ok(Cast::Asked(answer)),
        Taken::Given(signature) => signature,
    };
    let reason = &signature.statement.reason;
    let mut write = house.store.write(&user.actor(), reason, "web").await?;
    let rows = enter_all(&mut write, user, rulings, &signature).await?;
    write.commit().await?;
    house.wake();
    Ok(Cast::Signed(rows))
}

/// The first half of [`cast`], for who writes more in the same change than the decisions.
pub async fn take(
    house: &House,
    user: &User,
    headers: &HeaderMap,
    standing: &Standing,
    rulings: &[(Ruling<'_>, About<'_>)],
    given: Given,
) -> Result<Taken, Refusal> {
    if given.step == "prepare" {
        let asked = ask(house, user, headers, standing, rulings).await;
        return match asked {
            Ok(challenge) => Ok(Taken::Asked(JsonBody(challenge).into_response())),
            Err(Refusal::Bad(text)) => {
                let body = JsonBody(json!({"error": text}));
                Ok(Taken::Asked((StatusCode::BAD_REQUEST, body).into_response()))
            }
            Err(other) => Err(other),
        };
    }
    let fresh = prepare(house, user, standing, rulings).await?;
    let signature = if given.assertion.is_empty() {
        let method = step_up(house, user, given.password, &given.code).await?;
        fresh.signed(method, None)
    } else {
        let kept = match house.people.take(&people::session_id(&user.cx)) {
            Some(Ceremony::Sign(kept)) if kept.is_still(&fresh) => *kept,
            _ => return Err(RulingError::Meanwhile.refusal(&user.cx)),
        };
        let evidence = passkey::verified(house, user, headers, &kept, &given.assertion).await?;
        kept.signed(PASSKEY, Some(evidence))
    };
    Ok(Taken::Given(Box::new(signature)))
}

/// The second half of [`cast`]: the decisions with this signature, in a change that the caller commits.
pub async fn enter_all(
    write: &mut Write<'_>,
    user: &User,
    rulings: &[(Ruling<'_>, About<'_>)],
    signature: &Signature,
) -> Result<Vec<Row>, Refusal> {
    let mut rows = Vec::new();
    for (ruling, about) in rulings {
        let row = enter(write, ruling, about, signature).await;
        rows.push(row.map_err(|e| e.refusal(&user.cx))?);
    }
    Ok(rows)
}

async fn ask(
    house: &House,
    user: &User,
    headers: &HeaderMap,
    standing: &Standing,
    rulings: &[(Ruling<'_>, About<'_>)],
) -> Result<Json, Refusal> {
    let prepared = prepare(house, user, standing, rulings).await?;
    let challenge = passkey::challenge(house, user, headers, &prepared).await?;
    if !house.people.begin(&people::session_id(&user.cx), Ceremony::Sign(Box::new(prepared))) {
        return Err(Refusal::Busy);
    }
    Ok(challenge)
}

impl Prepared {
    /// Whether the same was asked for, under the same rules. Ids and times differ each time.
    fn is_still(&self, fresh: &Prepared) -> bool {
        let rules = |p: &Prepared| -> Vec<_> {
            let items = p.statement.decisions.iter();
            items.map(|i| (i.quorum, i.policies.clone(), i.self_approval.clone())).collect()
        };
        let hands = |p: &Prepared| (p.statement.signer.clone(), p.statement.acting_for.clone());
        self.asked == fresh.asked && rules(self) == rules(fresh) && hands(self) == hands(fresh)
    }

    pub(super) fn signed(self, method: &str, assertion: Option<Evidence>) -> Signature {
        Signature {
            statement: self.statement,
            nonce: hex::encode(self.nonce),
            hash: hex::encode(self.hash),
            method: method.to_owned(),
            assertion,
        }
    }

    /// What someone signs in their own name.
    pub(super) fn plain(
        store: &Store,
        signer: Hand,
        ruling: &Ruling<'_>,
        about: &About<'_>,
        item: Item,
    ) -> Result<Prepared, RulingError> {
        let statement = Statement {
            r#type: statement::STATEMENT.to_owned(),
            at: store.now().rfc3339(),
            signer,
            acting_for: None,
            delegation: None,
            outcome: ruling.outcome.to_owned(),
            reason: ruling.reason.to_owned(),
            decisions: vec![item],
        };
        Prepared::under(statement, about, ruling.asked(about))
    }

    fn of(
        store: &Store,
        standing: &Standing,
        rulings: &[(Ruling<'_>, About<'_>)],
        items: Vec<Item>,
    ) -> Result<Prepared, RulingError> {
        let (first, about) = rulings.first().ok_or(RulingError::Changed)?;
        let asked = rulings.iter().map(|(ruling, about)| ruling.asked(about)).collect();
        let statement = Statement {
            r#type: statement::STATEMENT.to_owned(),
            at: store.now().rfc3339(),
            signer: standing.signer.clone(),
            acting_for: standing.acting_for(),
            delegation: standing.delegation.map(|id| id.to_string()),
            outcome: first.outcome.to_owned(),
            reason: first.reason.to_owned(),
            decisions: items,
        };
        Prepared::under(statement, about, Json::Array(asked))
    }

    fn under(
        statement: Statement,
        about: &About<'_>,
        asked: Json,
    ) -> Result<Prepared, RulingError> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|_| store::StoreError::Random)?;
        let content = match about {
            About::Row(row) => Some(row.content()?),
            About::Named(_) => None,
        };
        let hash = statement.hash(content.as_deref(), &nonce).map_err(store::StoreError::from)?;
        Ok(Prepared { asked, statement, nonce, hash })
    }
}

/// Judges everything but the signer's proof, and makes what is to be signed.
async fn prepare(
    house: &House,
    user: &User,
    standing: &Standing,
    rulings: &[(Ruling<'_>, About<'_>)],
) -> Result<Prepared, Refusal> {
    let refuse = |error: RulingError| error.refusal(&user.cx);
    let mut items = Vec::new();
    for (ruling, about) in rulings {
        ruling.check(about).map_err(refuse)?;
        if let About::Row(row) = about {
            reach(house, user, standing, row).await?;
        }
        let item = judged(house, standing, ruling, about).await.map_err(refuse)?;
        items.push(item);
    }
    Prepared::of(&house.store, standing, rulings, items).map_err(refuse)
}

/// Refuses a row on which those whose rights count may not decide.
async fn reach(house: &House, user: &User, standing: &Standing, row: &Row) -> Result<(), Refusal> {
    let (_, kind) = house.kind(row.table, &row.kind).ok_or(Refusal::NotFound)?;
    let may = match standing.delegation {
        None => registers::reaches(house, user, Action::Decide, row, kind).await?,
        Some(_) => {
            let role = &standing.account.role;
            access::scope(role, Action::Decide, row.table, kind.is_request())
                == Some(access::Scope::All)
        }
    };
    if may { Ok(()) } else { Err(Refusal::Forbidden) }
}

/// Holds a ruling against the organisation's rules.
async fn judged(
    house: &House,
    standing: &Standing,
    ruling: &Ruling<'_>,
    about: &About<'_>,
) -> Result<Item, RulingError> {
    let store = &house.store;
    let kind = ruling.kind_about(about);
    let policy = Policy::of(house, &ruling.kinds_about(about)).await?;
    let role = standing.account.role.as_str();
    let excepts = kind == "exception"
        && matches!(about, About::Row(row) if row.kind == policy::APPROVAL_POLICY);
    if !policy.admits(role) || (excepts && !policy::EXCEPTION_ROLES.contains(&role)) {
        return Err(RulingError::Role);
    }
    let approves = ruling.outcome == "approved";
    let own = matches!(about, About::Row(row) if standing.actors().contains(&row.updated_by));
    let self_approval = match own && approves {
        true => Some(policy.self_approval(store).await?.ok_or(RulingError::Own)?),
        false => None,
    };
    let mut hours = ruling.hours;
    if excepts {
        hours = hours.min(policy::EXCEPTION_MONTHS_MAX * super::HOURS_PER_MONTH);
    }
    let hours = policy.hours_max.into_iter().fold(hours, i64::min);
    let id = place(store, ruling, about, standing).await?;
    Ok(ruling.item(about, id, store.now().plus_hours(hours), &policy, self_approval))
}

/// The decision that a signature would go under: one that waits for it, or a new one.
async fn place(
    store: &Store,
    ruling: &Ruling<'_>,
    about: &About<'_>,
    standing: &Standing,
) -> Result<Id, RulingError> {
    let kind = ruling.kind_about(about);
    let filter = store::Filter {
        kind: Some(kind.to_owned()),
        subject: about.subject(),
        status: Some(PROPOSED.to_owned()),
        limit: store::PAGE_ROWS_MAX,
        ..store::Filter::default()
    };
    let waiting = store.list(Table::Decision, &filter).await?;
    let same = waiting.iter().find(|d| signed_by_any(d) && ruling.is_of(about, d));
    let Some(row) = same.or_else(|| waiting.iter().find(|d| ruling.answers(about, d))) else {
        return Ok(store.new_id()?);
    };
    let accounts = [standing.signer.account.clone(), standing.account.id.to_string()];
    let stands = |hand: &Hand| accounts.contains(&hand.account);
    let twice = same.is_some()
        && signatures(row).iter().any(|s| {
            stands(&s.statement.signer) || s.statement.acting_for.as_ref().is_some_and(stands)
        });
    if twice { Err(RulingError::Twice) } else { Ok(row.id) }
}

/// Writes the decision with one more signature.
pub(super) async fn enter(
    write: &mut Write<'_>,
    ruling: &Ruling<'_>,
    about: &About<'_>,
    signature: &Signature,
) -> Result<Row, RulingError> {
    let items = &signature.statement.decisions;
    let item = items.iter().find(|item| ruling.asks(about, item)).ok_or(RulingError::Changed)?;
    let subject = about.subject();
    let lock = format!("sign/{}/{}", item.kind, item.subject.as_deref().unwrap_or("-"));
    write.exclusive(&lock).await?;
    if let About::Row(row) = about {
        let now = write.hold(row.table, row.id).await?.filter(|row| !row.deleted);
        let hash = now.map(|row| row.content_hash()).transpose()?;
        if hash != item.subject_hash {
            return Err(RulingError::Changed);
        }
    }
    let others = write.decisions(&item.kind, subject).await?;
    let at = Timestamp::parse(&signature.statement.at).unwrap_or(Timestamp(0));
    let (mut decision, mut kept) = match others.iter().find(|d| d.id.to_string() == item.id) {
        Some(decided) if is_signed(decided) => return Err(RulingError::Meanwhile),
        Some(waiting) => {
            let same = ruling.is_of(about, waiting);
            (
                taken_over(waiting, ruling, about),
                if same { signatures(waiting) } else { Vec::new() },
            )
        }
        None => {
            let beside = |d: &&Row| d.status == PROPOSED || d.updated_at > at;
            let same = |d: &&Row| signed_by_any(d) && ruling.is_of(about, d);
            if others.iter().filter(beside).any(|d| same(&d)) {
                return Err(RulingError::Meanwhile);
            }
            let id = item.id.parse().map_err(|_| RulingError::Changed)?;
            (Row::new(Table::Decision, id, &item.kind, &item.name), Vec::new())
        }
    };
    if kept.iter().any(|earlier| earlier.statement.shares(&signature.statement)) {
        return Err(RulingError::Twice);
    }
    kept.push(signature.clone());
    fill(&mut decision, item, about, &kept)?;
    Ok(write.put(decision).await?)
}

/// Of a decision that waited only its place is kept: whatever else stands in it, the signer was not
/// shown.
fn taken_over(waiting: &Row, ruling: &Ruling<'_>, about: &About<'_>) -> Row {
    let (kind, name) = (ruling.kind_about(about), about.name());
    let mut decision = Row::new(Table::Decision, waiting.id, kind, &name);
    decision.version = waiting.version;
    decision.created_at = waiting.created_at;
    decision.owner = waiting.owner;
    decision
}

/// Writes what the signatures say together.
fn fill(
    decision: &mut Row,
    item: &Item,
    about: &About<'_>,
    kept: &[Signature],
) -> Result<(), RulingError> {
    let yes: Vec<&Signature> = kept.iter().filter(|s| s.statement.outcome == "approved").collect();
    decision.status = match kept.iter().any(|s| s.statement.outcome == "rejected") {
        true => "rejected",
        false if yes.len() >= item.quorum => "approved",
        false => PROPOSED,
    }
    .to_owned();
    decision.subject = about.subject();
    decision.subject_hash = item.subject_hash.clone();
    let until = |s: &Signature| Timestamp::parse(&s.statement.item(&item.id)?.valid_until);
    decision.ends_at = kept.iter().filter_map(until).min();
    let mut attributes = Map::new();
    let signers: Vec<String> = kept.iter().map(|s| s.statement.signers()).collect();
    attributes.insert("signer".into(), signers.join(", ").into());
    let weakest = kept.iter().map(|s| s.method.as_str()).find(|method| *method != PASSKEY);
    attributes.insert("method".into(), weakest.unwrap_or(PASSKEY).into());
    if let Some(table) = &item.subject_table {
        attributes.insert("subject_table".into(), table.as_str().into());
    }
    let own = |s: &Signature| s.statement.item(&item.id)?.self_approval.clone();
    if let Some(exception) = yes.iter().find_map(|s| own(s)) {
        attributes.insert("self_approval".into(), exception.into());
    }
    attributes.extend(item.notes.as_object().cloned().unwrap_or_default());
    let kept = serde_json::to_value(kept).map_err(|_| RulingError::Changed)?;
    attributes.insert(SIGNATURES.into(), kept);
    canonical::to_string(&Json::Object(attributes.clone())).map_err(store::StoreError::from)?;
    decision.attributes = attributes;
    Ok(())
}

impl Statement {
    /// Who signed, naming both where someone stood in.
    pub fn signers(&self) -> String {
        match &self.acting_for {
            Some(giver) => format!("{} ({})", self.signer.login, giver.login),
            None => self.signer.login.clone(),
        }
    }
}

impl Ruling<'_> {
    /// What the form asked for, as far as the caller says it.
    fn asked(&self, about: &About<'_>) -> Json {
        json!([
            self.kind_about(about),
            about.name(),
            about.subject(),
            self.hash,
            self.outcome,
            self.reason,
            self.hours,
            self.noted(),
        ])
    }

    fn noted(&self) -> Json {
        let notes = self.notes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Json::Object(notes.collect())
    }

    /// The kind of the decision: about a decision it is always a confirmation, or the end of a
    /// delegation.
    pub(super) fn kind_about<'s>(&'s self, about: &About<'_>) -> &'s str {
        match about {
            About::Row(row) if row.table == Table::Decision && self.kind != DELEGATION => {
                "confirmation"
            }
            _ => self.kind,
        }
    }

    fn kinds_about<'s>(&'s self, about: &'s About<'_>) -> Vec<&'s str> {
        let kind = self.kind_about(about);
        match about {
            About::Row(row) if kind == "confirmation" => vec![kind, row.kind.as_str()],
            _ => vec![kind],
        }
    }

    pub(super) fn item(
        &self,
        about: &About<'_>,
        id: Id,
        until: Timestamp,
        policy: &Policy,
        self_approval: Option<Id>,
    ) -> Item {
        let row = match about {
            About::Row(row) => Some(row),
            About::Named(_) => None,
        };
        Item {
            id: id.to_string(),
            kind: self.kind_about(about).to_owned(),
            name: about.name(),
            subject: row.map(|row| row.id.to_string()),
            subject_table: row.map(|row| row.table.name().to_owned()),
            subject_hash: row.map(|_| self.hash.to_owned()),
            valid_until: until.rfc3339(),
            notes: self.noted(),
            quorum: policy.quorum,
            policies: policy.rules.iter().map(Id::to_string).collect(),
            self_approval: self_approval.map(|id| id.to_string()),
        }
    }

    /// Whether an item is what this ruling asks for.
    fn asks(&self, about: &About<'_>, item: &Item) -> bool {
        item.kind == self.kind_about(about)
            && item.name == about.name()
            && item.subject == about.subject().map(|id| id.to_string())
            && item.notes == self.noted()
    }

    /// Whether a decision is about the same matter: this version, and nothing else shown.
    fn is_of(&self, about: &About<'_>, decision: &Row) -> bool {
        let hash = match about {
            About::Row(_) => Some(self.hash),
            About::Named(_) => None,
        };
        decision.kind == self.kind_about(about)
            && decision.name == about.name()
            && decision.subject_hash.as_deref() == hash
            && self.notes.iter().all(|(name, value)| decision.attributes.get(*name) == Some(value))
    }

    /// Whether a waiting decision is answered by this one though it is not the same: a request for an
    /// approval, or what was begun for a version that is no more.
    fn answers(&self, about: &About<'_>, waiting: &Row) -> bool {
        let about_row = matches!(about, About::Row(_));
        let asked = waiting.kind == super::ASKED_KIND && !signed_by_any(waiting);
        let outdated = waiting.subject_hash.as_deref() != Some(self.hash);
        about_row && (asked || (signed_by_any(waiting) && outdated))
    }
}
