//! Agents and the one-time tokens they enrol with. Of a token only the hash is stored; of a
//! certificate only the fingerprint.

use model::{Assurance, Id, Timestamp};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{RecordDraft, Store, StoreError, Val, Write, parse_id};

/// A machine that delivers to this centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub id: Id,
    /// Name of its host, also the first part of its events' source.
    pub name: String,
    /// The host in the register that it speaks for, and for no other.
    pub asset: Id,
    /// SHA-256 of its newest certificate, in hex.
    pub fingerprint: String,
    /// The one before, good until the newest was used once: an answer can be lost on its way.
    pub previous: String,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// When its newest certificate ends.
    pub expires_at: Timestamp,
    pub last_seen: Option<Timestamp>,
    /// Highest sequence of a record taken from it.
    pub record_sequence: i64,
}

/// An enrolment token as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    pub name: String,
    pub created_by: String,
    pub expires_at: Timestamp,
    /// The agent that used it, and the hash of the key it used it with.
    pub used: Option<(Id, String)>,
}

/// Why a token enrols nobody.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("the token is not known here: make one with `ume agent token`, or on the page /agents")]
    Unknown,
    #[error("the token ended at {0}: make a new one")]
    Expired(String),
    #[error("the token was used by another machine already: make a new one")]
    Used,
    #[error("the agent {0} that used this token was revoked")]
    Revoked(String),
    #[error("there are {0} agents already, the most this centre takes: revoke some")]
    TooMany(i64),
    #[error(transparent)]
    Store(#[from] StoreError),
}

const AGENTS_MAX: i64 = 10_000;
const SHOWN_MAX: usize = 1_000;
const AGENT: &str = "id, name, asset, fingerprint, previous, state, created_at, expires_at, last_seen, \
                     revoked_at, record_sequence";

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

impl Store {
    /// Remembers a new token by its hash.
    pub async fn add_enrolment(
        &self,
        token: &str,
        name: &str,
        expires_at: Timestamp,
        by: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.write(by, "enrolment token made", "").await?;
        let sql = "INSERT INTO enrolment (token_hash, name, created_at, created_by, expires_at) \
                   VALUES ($1, $2, $3, $4, $5)";
        let now = self.now().0;
        let args = [hash(token).into(), name.into(), now.into(), by.into(), expires_at.0.into()];
        write.tx.execute(sql, &args).await?;
        let facts = json!({"name": name, "change": "token_made"});
        write.record(draft(None, now, now, facts)).await?;
        write.commit().await
    }

    /// Tokens that still enrol somebody, newest first.
    pub async fn open_enrolments(&self) -> Result<Vec<Enrolment>, StoreError> {
        let sql = format!(
            "SELECT name, created_by, expires_at FROM enrolment \
             WHERE used_at IS NULL AND expires_at > $1 ORDER BY created_at DESC LIMIT {SHOWN_MAX}"
        );
        let rows = self.db().fetch(&sql, &[self.now().0.into()]).await?;
        rows.iter()
            .map(|r| {
                Ok(Enrolment {
                    name: r[0].text()?.to_owned(),
                    created_by: r[1].text()?.to_owned(),
                    expires_at: Timestamp(r[2].int()?),
                    used: None,
                })
            })
            .collect()
    }

    /// The token, if it may still enrol the machine that holds the key with this hash.
    pub async fn enrolment(&self, token: &str, key: &str) -> Result<Enrolment, EnrolError> {
        let sql = "SELECT name, created_by, expires_at, agent, key_hash FROM enrolment \
                   WHERE token_hash = $1";
        let rows = self.db().fetch(sql, &[hash(token).into()]).await?;
        let Some(r) = rows.first() else { return Err(EnrolError::Unknown) };
        let expires_at = Timestamp(r[2].int()?);
        if expires_at <= self.now() {
            return Err(EnrolError::Expired(expires_at.rfc3339()));
        }
        let used = match r[3].opt_text()? {
            Some(agent) => Some((parse_id(agent)?, r[4].opt_text()?.unwrap_or("").to_owned())),
            None => None,
        };
        // The same machine asks again when the first answer did not reach it.
        if used.as_ref().is_some_and(|(_, used_by)| used_by != key) {
            return Err(EnrolError::Used);
        }
        let (name, created_by) = (r[0].text()?.to_owned(), r[1].text()?.to_owned());
        Ok(Enrolment { name, created_by, expires_at, used })
    }

    /// All agents by name; at most 1,000.
    pub async fn agents(&self) -> Result<Vec<Agent>, StoreError> {
        let sql = format!("SELECT {AGENT} FROM agent ORDER BY name, created_at LIMIT {SHOWN_MAX}");
        self.db().fetch(&sql, &[]).await?.iter().map(|r| decode(r)).collect()
    }

    /// The agent with this certificate, revoked or not.
    pub async fn agent_of(&self, fingerprint: &str) -> Result<Option<Agent>, StoreError> {
        let sql = format!("SELECT {AGENT} FROM agent WHERE fingerprint = $1 OR previous = $1");
        let rows = self.db().fetch(&sql, &[fingerprint.into()]).await?;
        rows.first().map(|r| decode(r)).transpose()
    }

    /// Fingerprints of all revoked agents' certificates that have not ended by themselves.
    pub async fn revoked_fingerprints(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT fingerprint, previous FROM agent WHERE state = 'revoked' \
                   AND expires_at > $1 LIMIT 10000";
        let rows = self.db().fetch(sql, &[self.now().0.into()]).await?;
        let mut all = Vec::new();
        for row in &rows {
            for value in row.iter().take(2) {
                all.push(value.text()?.to_owned());
            }
        }
        all.retain(|f| !f.is_empty());
        Ok(all)
    }

    /// Notes that the agent was here; the certificate before its newest ends with the newest's use.
    pub async fn agent_seen(&self, agent: &Agent, fingerprint: &str) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE agent SET last_seen = $1, \
                   previous = CASE WHEN fingerprint = $2 THEN '' ELSE previous END WHERE id = $3";
        let args = [self.now().0.into(), fingerprint.into(), agent.id.to_string().into()];
        tx.execute(sql, &args).await?;
        tx.commit().await
    }

    /// The serial of an agent's rules with this root. It rises when the root changes, and above what
    /// the agent has (`have`); of two who ask at once both get the same.
    pub async fn number_agent_rules(
        &self,
        agent: Id,
        root: &str,
        have: i64,
    ) -> Result<i64, StoreError> {
        let select = "SELECT rules_root, rules_serial FROM agent WHERE id = $1";
        let id: Val = agent.to_string().into();
        loop {
            let rows = self.db().fetch(select, std::slice::from_ref(&id)).await?;
            let Some(row) = rows.first() else {
                return Err(StoreError::Absent { table: "agent", id: agent });
            };
            let (known, serial) = (row[0].text()?, row[1].int()?);
            if known == root && serial >= have {
                return Ok(serial);
            }
            let mut tx = self.db().begin().await?;
            let sql = "UPDATE agent SET rules_root = $1, rules_serial = $2 \
                       WHERE id = $3 AND rules_serial = $4";
            let next = serial.max(have).saturating_add(1);
            let args = [root.into(), next.into(), id.clone(), serial.into()];
            tx.execute(sql, &args).await?;
            tx.commit().await?;
        }
    }

    /// Agents of which nothing was heard since `before`, by id; at most 10,000.
    pub async fn agents_unheard(&self, before: Timestamp) -> Result<Vec<Agent>, StoreError> {
        let sql = format!(
            "SELECT {AGENT} FROM agent WHERE state = 'active' \
             AND COALESCE(last_seen, created_at) < $1 ORDER BY id LIMIT {AGENTS_MAX}"
        );
        self.db().fetch(&sql, &[before.0.into()]).await?.iter().map(|r| decode(r)).collect()
    }
}

impl Write<'_> {
    /// Uses the token for this agent; false if somebody else was faster.
    pub async fn enrol(&mut self, token: &str, key: &str, agent: &Agent) -> Result<(), EnrolError> {
        let count = self.tx.fetch("SELECT COUNT(*) FROM agent WHERE state = 'active'", &[]).await?;
        if count[0][0].int()? >= AGENTS_MAX {
            return Err(EnrolError::TooMany(AGENTS_MAX));
        }
        let now = self.now().0;
        let sql = "UPDATE enrolment SET used_at = $1, agent = $2, key_hash = $3 \
                   WHERE token_hash = $4 AND used_at IS NULL";
        let args = [now.into(), agent.id.to_string().into(), key.into(), hash(token).into()];
        if self.tx.execute(sql, &args).await? != 1 {
            return Err(EnrolError::Used);
        }
        let sql = "INSERT INTO agent (id, name, asset, fingerprint, previous, state, created_at, \
                   expires_at, record_sequence) VALUES ($1, $2, $3, $4, '', 'active', $5, $6, 0)";
        let args = [
            agent.id.to_string().into(),
            agent.name.as_str().into(),
            agent.asset.to_string().into(),
            agent.fingerprint.as_str().into(),
            now.into(),
            agent.expires_at.0.into(),
        ];
        self.tx.execute(sql, &args).await?;
        Ok(self.agent_changed(agent, "enrolled", certificate(agent)).await?)
    }

    /// Gives a used token's agent another certificate, since the first answer was lost.
    pub async fn enrol_again(&mut self, agent: &Agent) -> Result<(), EnrolError> {
        let sql = "UPDATE agent SET fingerprint = $1, expires_at = $2 \
                   WHERE id = $3 AND state = 'active'";
        let args: [Val; 3] = [
            agent.fingerprint.as_str().into(),
            agent.expires_at.0.into(),
            agent.id.to_string().into(),
        ];
        match self.tx.execute(sql, &args).await? {
            1 => Ok(self.agent_changed(agent, "enrolled_again", certificate(agent)).await?),
            _ => Err(EnrolError::Revoked(agent.name.clone())),
        }
    }

    /// Takes the sequence of a record for good, together with the record; false if it was taken.
    pub async fn take_sequence(&mut self, agent: Id, sequence: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE agent SET record_sequence = $1 WHERE id = $2 AND record_sequence < $1 \
                   AND state = 'active'";
        Ok(self.tx.execute(sql, &[sequence.into(), agent.to_string().into()]).await? == 1)
    }

    /// Gives the agent a new certificate; the one it asked with stays good until the new one is used.
    pub async fn renew_agent(
        &mut self,
        agent: &Agent,
        asked_with: &str,
        fingerprint: &str,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE agent SET fingerprint = $1, previous = $2, expires_at = $3 WHERE id = $4";
        let id = agent.id.to_string();
        let args: [Val; 4] =
            [fingerprint.into(), asked_with.into(), expires_at.0.into(), id.into()];
        self.tx.execute(sql, &args).await?;
        self.agent_changed(agent, "renewed", json!({"certificate": fingerprint})).await
    }

    /// Revokes all agents of a name, or one by its id; returns how many.
    pub async fn revoke_agent(&mut self, name_or_id: &str) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT {AGENT} FROM agent WHERE state = 'active' AND (name = $1 OR id = $1) \
             ORDER BY id LIMIT {AGENTS_MAX}"
        );
        let rows = self.tx.fetch(&sql, &[name_or_id.into()]).await?;
        for row in &rows {
            let agent = decode(row)?;
            let sql = "UPDATE agent SET state = 'revoked', revoked_at = $1 WHERE id = $2";
            let now = self.now().0;
            self.tx.execute(sql, &[now.into(), agent.id.to_string().into()]).await?;
            self.agent_changed(&agent, "revoked", certificate(&agent)).await?;
        }
        Ok(rows.len() as u64)
    }

    /// Records what became of an agent, in the transaction that makes it so.
    pub async fn agent_changed(
        &mut self,
        agent: &Agent,
        change: &str,
        more: Json,
    ) -> Result<(), StoreError> {
        let mut facts = json!({"agent_id": agent.id, "name": agent.name, "change": change});
        if let (Some(facts), Json::Object(mut more)) = (facts.as_object_mut(), more) {
            facts.append(&mut more);
        }
        let now = self.now().0;
        // Silence began with the last sign of life.
        let from = if change == "silent" { agent.last_seen.map_or(now, |t| t.0) } else { now };
        self.record(draft(Some(agent.asset), from.min(now), now, facts)).await.map(drop)
    }
}

fn certificate(agent: &Agent) -> Json {
    json!({"certificate": agent.fingerprint})
}

fn draft(subject: Option<Id>, from: i64, to: i64, facts: Json) -> RecordDraft {
    RecordDraft {
        ty: "house.agent_changed".to_owned(),
        subject,
        observed_from: Timestamp(from),
        observed_to: Timestamp(to),
        source: "ume".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

fn decode(v: &[Val]) -> Result<Agent, StoreError> {
    Ok(Agent {
        id: parse_id(v[0].text()?)?,
        name: v[1].text()?.to_owned(),
        asset: parse_id(v[2].text()?)?,
        fingerprint: v[3].text()?.to_owned(),
        previous: v[4].text()?.to_owned(),
        // A state that nobody knows gives no rights.
        revoked_at: match v[5].text()? {
            "active" => None,
            _ => Some(Timestamp(v[9].opt_int()?.unwrap_or(0))),
        },
        created_at: Timestamp(v[6].int()?),
        expires_at: Timestamp(v[7].int()?),
        last_seen: v[8].opt_int()?.map(Timestamp),
        record_sequence: v[10].int()?,
    })
}
