//! What changes about accounts. Each change and each sign-in leaves a record in the same
//! transaction, so none can be made without its leaf in the ledger. The records name accounts by id
//! only: a leaf holds nothing personal.

use model::{Assurance, Id, Timestamp};
use serde_json::{Value as Json, json};

use crate::{
    Account, RecordDraft, Store, StoreError, Val, Write,
    people::{ACCOUNT, decode, hash},
    random_hex,
};

const SESSIONS_SHOWN_MAX: usize = 200;
const PASSKEYS_MAX: usize = 20;
/// A sign-in begun at a provider is to be finished within this time.
const FLOW_MICROS_MAX: i64 = 10 * 60 * 1_000_000;

/// What is to change about an account.
#[derive(Clone, Copy, Debug)]
pub enum AccountChange<'a> {
    Role(&'a str),
    Disable,
    Enable,
    /// argon2id hash, and whether its owner must replace it at the next sign-in.
    Password {
        hash: &'a str,
        must_change: bool,
    },
    /// A new authenticator; `step` is the time step its first code used up.
    Totp {
        secret: &'a str,
        step: i64,
    },
    /// Takes away authenticator, passkeys and recovery codes, to be enrolled anew.
    ResetFactor,
    /// New recovery codes in place of all old ones, as hashes (see [`Store::use_recovery_code`]).
    RecoveryCodes(&'a [String]),
    PasskeyAdded {
        id: &'a str,
        name: &'a str,
        credential: &'a str,
    },
    PasskeyRemoved {
        id: &'a str,
    },
    EndSessions,
    /// Narrowed to these sites; to none if there are none.
    Sites(&'a [Id]),
    /// Bound to a subject of an OpenID provider.
    Linked {
        issuer: &'a str,
        subject: &'a str,
    },
}

impl AccountChange<'_> {
    /// The word in the record's `change` fact.
    pub fn name(&self) -> &'static str {
        match self {
            AccountChange::Role(_) => "role",
            AccountChange::Disable => "disabled",
            AccountChange::Enable => "enabled",
            AccountChange::Password { .. } => "password",
            AccountChange::Totp { .. } => "authenticator",
            AccountChange::ResetFactor => "second_factor_reset",
            AccountChange::RecoveryCodes(_) => "recovery_codes",
            AccountChange::PasskeyAdded { .. } => "passkey_added",
            AccountChange::PasskeyRemoved { .. } => "passkey_removed",
            AccountChange::EndSessions => "sessions_ended",
            AccountChange::Sites(_) => "sites",
            AccountChange::Linked { .. } => "provider_linked",
        }
    }

    /// After which every session of the account ends: whoever had one must sign in anew.
    fn ends_sessions(&self) -> bool {
        matches!(
            self,
            AccountChange::Role(_)
                | AccountChange::Disable
                | AccountChange::Password { .. }
                | AccountChange::ResetFactor
                | AccountChange::EndSessions
        )
    }
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// Hash of the token: names the session, opens nothing.
    pub id: String,
    pub state: String,
    pub method: String,
    pub address: String,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
}

/// A registered passkey.
#[derive(Clone, Debug)]
pub struct PasskeyRow {
    pub id: String,
    pub name: String,
    /// Public key and counter as JSON of the WebAuthn library.
    pub credential: String,
    pub created_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

/// A sign-in begun at a provider.
#[derive(Clone, Debug)]
pub struct OidcFlow {
    pub nonce: String,
    pub verifier: String,
    pub back: String,
}

/// The hash under which a recovery code is kept. Codes carry 80 random bits, so a plain hash cannot
/// be searched through.
fn code_hash(account: Id, code: &str) -> String {
    let kept: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    hash(&format!("ume/recovery/v1\n{account}\n{}", kept.to_ascii_uppercase()))
}

fn draft(ty: &str, at: Timestamp, facts: Json) -> RecordDraft {
    RecordDraft {
        ty: ty.to_owned(),
        subject: None,
        observed_from: at,
        observed_to: at,
        source: "ume".to_owned(),
        assurance: Assurance::Machine,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: None,
    }
}

impl Write<'_> {
    async fn account_record(&mut self, id: Id, change: &str, role: &str) -> Result<(), StoreError> {
        self.account_facts(json!({"account_id": id, "change": change, "role": role})).await
    }

    async fn account_facts(&mut self, facts: Json) -> Result<(), StoreError> {
        let draft = draft("isms.account_changed", self.now(), facts);
        self.record(draft).await.map(drop)
    }

    async fn run(&mut self, sql: &str, args: &[Val]) -> Result<u64, StoreError> {
        self.tx.execute(sql, args).await
    }

    async fn apply(&mut self, id: Id, change: AccountChange<'_>) -> Result<u64, StoreError> {
        let key = id.to_string();
        let now = self.now().0;
        match change {
            AccountChange::Role(role) => {
                let sql = "UPDATE account SET role = $1, \
                           sites = CASE WHEN $1 = 'officer' THEN '' ELSE sites END WHERE id = $2";
                self.run(sql, &[role.into(), key.into()]).await
            }
            AccountChange::Disable | AccountChange::Enable => {
                let flag = i64::from(matches!(change, AccountChange::Disable));
                let sql = "UPDATE account SET disabled = $1 WHERE id = $2";
                self.run(sql, &[flag.into(), key.into()]).await
            }
            AccountChange::Password { hash, must_change } => {
                let sql = "UPDATE account SET password = $1, must_change = $2 WHERE id = $3";
                let args = [hash.into(), i64::from(must_change).into(), key.into()];
                self.run(sql, &args).await
            }
            AccountChange::Totp { secret, step } => {
                let sql = "UPDATE account SET totp = $1, totp_step = $2 WHERE id = $3";
                self.run(sql, &[secret.into(), step.into(), key.into()]).await
            }
            AccountChange::ResetFactor => {
                self.run("DELETE FROM passkey WHERE account = $1", &[key.as_str().into()]).await?;
                let sql = "DELETE FROM recovery_code WHERE account = $1";
                self.run(sql, &[key.as_str().into()]).await?;
                let sql = "UPDATE account SET totp = NULL, totp_step = 0 WHERE id = $1";
                self.run(sql, &[key.into()]).await
            }
            AccountChange::RecoveryCodes(codes) => {
                let sql = "DELETE FROM recovery_code WHERE account = $1";
                self.run(sql, &[key.as_str().into()]).await?;
                for code in codes {
                    let sql = "INSERT INTO recovery_code (account, code_hash, created_at) \
                               VALUES ($1, $2, $3)";
                    let args = [key.as_str().into(), code_hash(id, code).into(), now.into()];
                    self.run(sql, &args).await?;
                }
                Ok(1)
            }
            AccountChange::PasskeyAdded { id: passkey, name, credential } => {
                let sql = "INSERT INTO passkey (id, account, name, credential, created_at) \
                           VALUES ($1, $2, $3, $4, $5)";
                let args = [passkey.into(), key.into(), name.into(), credential.into(), now.into()];
                self.run(sql, &args).await
            }
            AccountChange::PasskeyRemoved { id: passkey } => {
                let sql = "DELETE FROM passkey WHERE id = $1 AND account = $2";
                self.run(sql, &[passkey.into(), key.into()]).await
            }
            AccountChange::EndSessions => Ok(1),
            AccountChange::Sites(sites) => {
                let sites: Vec<String> = sites.iter().map(Id::to_string).collect();
                // Whoever answers for the whole is narrowed to no part of it.
                let sql = "UPDATE account SET sites = $1 WHERE id = $2 \
                           AND (role <> 'officer' OR $1 = '')";
                self.run(sql, &[sites.join(" ").into(), key.into()]).await
            }
            AccountChange::Linked { issuer, subject } => {
                let sql = "INSERT INTO identity (issuer, subject, account, created_at) \
                           VALUES ($1, $2, $3, $4)";
                self.run(sql, &[issuer.into(), subject.into(), key.into(), now.into()]).await
            }
        }
    }
}

impl Store {
    /// Adds an account; the password is already hashed.
    pub async fn create_account(
        &self,
        actor: &str,
        login: &str,
        role: &str,
        password: &str,
        must_change: bool,
    ) -> Result<Id, StoreError> {
        let id = self.new_id()?;
        let mut write = self.write(actor, "account added", "").await?;
        let sql = "INSERT INTO account (id, login, party, role, password, totp, totp_step, \
                   recovery, disabled, created_at, must_change) \
                   VALUES ($1, $2, NULL, $3, $4, NULL, 0, '', 0, $5, $6)";
        let args = [
            id.to_string().into(),
            login.into(),
            role.into(),
            password.into(),
            self.now().0.into(),
            i64::from(must_change).into(),
        ];
        write.run(sql, &args).await?;
        write.bind_login(login).await?;
        write.account_record(id, "added", role).await?;
        write.commit().await?;
        Ok(id)
    }

    /// Changes an account, records the change, and ends its sessions where the change asks for it.
    /// False if there was nothing to change.
    pub async fn change_account(
        &self,
        actor: &str,
        account: &Account,
        change: AccountChange<'_>,
    ) -> Result<bool, StoreError> {
        let mut write = self.write(actor, change.name(), "").await?;
        let leaves_office = matches!(change, AccountChange::Role(_) | AccountChange::Disable)
            && account.role == "officer";
        if leaves_office {
            // Locks every officer's row, so that two who act at once cannot both take the last one.
            write.run("UPDATE account SET role = role WHERE role = 'officer'", &[]).await?;
        }
        if write.apply(account.id, change).await? == 0 {
            return Ok(false);
        }
        if change.ends_sessions() {
            let sql = "DELETE FROM session WHERE account = $1";
            write.run(sql, &[account.id.to_string().into()]).await?;
        }
        let role = match change {
            AccountChange::Role(role) => role,
            _ => &account.role,
        };
        if leaves_office {
            let sql = "SELECT COUNT(*) FROM account WHERE role = 'officer' AND disabled = 0";
            if write.tx.fetch(sql, &[]).await?[0][0].int()? == 0 {
                return Err(StoreError::LastOfficer);
            }
        }
        let mut facts = json!({"account_id": account.id, "change": change.name(), "role": role});
        if let AccountChange::Sites(sites) = change {
            facts["sites"] = json!(sites);
        }
        write.account_facts(facts).await?;
        write.commit().await?;
        Ok(true)
    }

    /// The account with this id.
    pub async fn account_by_id(&self, id: Id) -> Result<Option<Account>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM account a WHERE a.id = $1");
        let rows = self.db().fetch(&sql, &[id.to_string().into()]).await?;
        rows.first().map(|r| decode(r)).transpose()
    }

    /// The account bound to a subject of a provider.
    pub async fn account_of(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Account>, StoreError> {
        let sql = format!(
            "SELECT {ACCOUNT} FROM account a JOIN identity i ON i.account = a.id \
             WHERE i.issuer = $1 AND i.subject = $2"
        );
        let rows = self.db().fetch(&sql, &[issuer.into(), subject.into()]).await?;
        rows.first().map(|r| decode(r)).transpose()
    }

    /// Opens a full session after both factors, and records the sign-in.
    pub async fn sign_in(
        &self,
        account: Id,
        method: &str,
        address: &str,
    ) -> Result<String, StoreError> {
        let token = random_hex::<32>()?;
        let now = self.now();
        let mut write = self.write(&format!("account:{account}"), "sign-in", "").await?;
        let sql = "INSERT INTO session (token_hash, account, csrf, state, created_at, seen_at, \
                   address, confirmed_at, method) VALUES ($1, $2, $3, 'full', $4, $4, $5, $4, $6)";
        let args = [
            hash(&token).into(),
            account.to_string().into(),
            random_hex::<16>()?.into(),
            now.0.into(),
            address.into(),
            method.into(),
        ];
        write.run(sql, &args).await?;
        let sql = "UPDATE account SET signed_in_at = $1 WHERE id = $2";
        write.run(sql, &[now.0.into(), account.to_string().into()]).await?;
        let facts = json!({"account_id": account, "method": method});
        write.record(draft("isms.signed_in", now, facts)).await?;
        write.commit().await?;
        Ok(token)
    }

    /// Records how many sign-ins were refused since `from`; `account` is `None` for names that no
    /// account has.
    pub async fn record_refused(
        &self,
        account: Option<Id>,
        count: u64,
        throttled: u64,
        from: Timestamp,
    ) -> Result<(), StoreError> {
        let mut write = self.write("system:people", "refused sign-ins", "").await?;
        let id = account.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
        let facts = json!({"account_id": id, "count": count, "throttled": throttled});
        let mut draft = draft("isms.sign_in_refused", self.now(), facts);
        draft.observed_from = from.min(draft.observed_to);
        write.record(draft).await?;
        write.commit().await
    }

    /// Notes that the person of this session has just proved again who they are.
    pub async fn confirm_session(&self, token: &str) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE session SET confirmed_at = $1 WHERE token_hash = $2";
        tx.execute(sql, &[self.now().0.into(), hash(token).into()]).await?;
        tx.commit().await
    }

    /// The sessions of an account, newest first.
    pub async fn sessions_of(&self, account: Id) -> Result<Vec<LiveSession>, StoreError> {
        let sql = format!(
            "SELECT token_hash, state, method, address, created_at, seen_at FROM session \
             WHERE account = $1 ORDER BY created_at DESC, token_hash LIMIT {SESSIONS_SHOWN_MAX}"
        );
        let rows = self.db().fetch(&sql, &[account.to_string().into()]).await?;
        rows.iter()
            .map(|r| {
                Ok(LiveSession {
                    id: r[0].text()?.to_owned(),
                    state: r[1].text()?.to_owned(),
                    method: r[2].text()?.to_owned(),
                    address: r[3].text()?.to_owned(),
                    created_at: Timestamp(r[4].int()?),
                    seen_at: Timestamp(r[5].int()?),
                })
            })
            .collect()
    }

    /// Ends one session of the account by its id; false if it has none such.
    pub async fn revoke_session(&self, account: Id, id: &str) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "DELETE FROM session WHERE token_hash = $1 AND account = $2";
        let ended = tx.execute(sql, &[id.into(), account.to_string().into()]).await?;
        tx.commit().await?;
        Ok(ended > 0)
    }

    /// The id under which the session of this token is listed.
    pub fn session_id(token: &str) -> String {
        hash(token)
    }

    /// Removes sessions older than any limit, and sign-ins at a provider that were never finished.
    pub async fn sweep_sessions(&self, age_hours_max: i64) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let sql = "DELETE FROM session WHERE created_at < $1";
        tx.execute(sql, &[now.minus_hours(age_hours_max).0.into()]).await?;
        let sql = "DELETE FROM oidc_flow WHERE created_at < $1";
        tx.execute(sql, &[(now.0 - FLOW_MICROS_MAX).into()]).await?;
        tx.commit().await
    }

    /// Uses up a recovery code and records it; true once per code.
    pub async fn use_recovery_code(
        &self,
        account: &Account,
        code: &str,
    ) -> Result<bool, StoreError> {
        let actor = format!("account:{}", account.id);
        let mut write = self.write(&actor, "recovery code", "").await?;
        let sql = "UPDATE recovery_code SET used_at = $1 \
                   WHERE account = $2 AND code_hash = $3 AND used_at IS NULL";
        let now = self.now().0;
        let hash = code_hash(account.id, code);
        let args = [now.into(), account.id.to_string().into(), hash.into()];
        if write.run(sql, &args).await? == 0 {
            return Ok(false);
        }
        write.account_record(account.id, "recovery_code_used", &account.role).await?;
        write.commit().await?;
        Ok(true)
    }

    /// How many recovery codes are left.
    pub async fn recovery_codes_left(&self, account: Id) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM recovery_code WHERE account = $1 AND used_at IS NULL";
        self.db().fetch(sql, &[account.to_string().into()]).await?[0][0].int()
    }

    /// The passkeys of an account.
    pub async fn passkeys(&self, account: Id) -> Result<Vec<PasskeyRow>, StoreError> {
        let sql = format!(
            "SELECT id, name, credential, created_at, used_at FROM passkey WHERE account = $1 \
             ORDER BY created_at, id LIMIT {PASSKEYS_MAX}"
        );
        let rows = self.db().fetch(&sql, &[account.to_string().into()]).await?;
        rows.iter()
            .map(|r| {
                Ok(PasskeyRow {
                    id: r[0].text()?.to_owned(),
                    name: r[1].text()?.to_owned(),
                    credential: r[2].text()?.to_owned(),
                    created_at: Timestamp(r[3].int()?),
                    used_at: r[4].opt_int()?.map(Timestamp),
                })
            })
            .collect()
    }

    /// Notes the use of a passkey with its new counter.
    pub async fn used_passkey(&self, id: &str, credential: &str) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE passkey SET credential = $1, used_at = $2 WHERE id = $3";
        tx.execute(sql, &[credential.into(), self.now().0.into(), id.into()]).await?;
        tx.commit().await
    }

    /// The same, if the passkey still is as it was seen; false if it was used or removed meanwhile.
    pub async fn used_passkey_once(
        &self,
        seen: &PasskeyRow,
        credential: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql =
            "UPDATE passkey SET credential = $1, used_at = $2 WHERE id = $3 AND credential = $4";
        let now = self.now().0.into();
        let args =
            [credential.into(), now, seen.id.as_str().into(), seen.credential.as_str().into()];
        let changed = tx.execute(sql, &args).await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Keeps what is needed to finish a sign-in at a provider.
    pub async fn begin_flow(&self, state: &str, flow: &OidcFlow) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "INSERT INTO oidc_flow (state_hash, nonce, verifier, back, created_at) \
                   VALUES ($1, $2, $3, $4, $5)";
        let args = [
            hash(state).into(),
            flow.nonce.as_str().into(),
            flow.verifier.as_str().into(),
            flow.back.as_str().into(),
            self.now().0.into(),
        ];
        tx.execute(sql, &args).await?;
        tx.commit().await
    }

    /// Sign-ins begun at a provider and not finished; expired ones are swept first.
    pub async fn open_flows(&self) -> Result<i64, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "DELETE FROM oidc_flow WHERE created_at < $1";
        tx.execute(sql, &[(self.now().0 - FLOW_MICROS_MAX).into()]).await?;
        tx.commit().await?;
        self.db().fetch("SELECT COUNT(*) FROM oidc_flow", &[]).await?[0][0].int()
    }

    /// Takes what [`Store::begin_flow`] kept; once, and within ten minutes.
    pub async fn take_flow(&self, state: &str) -> Result<Option<OidcFlow>, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "SELECT nonce, verifier, back FROM oidc_flow \
                   WHERE state_hash = $1 AND created_at >= $2";
        let oldest = self.now().0 - FLOW_MICROS_MAX;
        let rows = tx.fetch(sql, &[hash(state).into(), oldest.into()]).await?;
        let sql = "DELETE FROM oidc_flow WHERE state_hash = $1";
        let taken = tx.execute(sql, &[hash(state).into()]).await?;
        tx.commit().await?;
        let Some(row) = rows.first().filter(|_| taken == 1) else { return Ok(None) };
        Ok(Some(OidcFlow {
            nonce: row[0].text()?.to_owned(),
            verifier: row[1].text()?.to_owned(),
            back: row[2].text()?.to_owned(),
        }))
    }
}
