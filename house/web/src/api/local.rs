//! What only the administrator of the machine does: accounts, tokens, the provider, the ledger.
//!
//! The operating system vouches for who acts: whoever opens the data folder, or comes through the
//! socket in it. So there is neither token nor session, and no way here from the network: the route
//! stands behind [`Access::Local`], which the role of no account opens. The same [`Hand`] works in
//! the process of a command where no server holds the folder. Secrets cross as hashes where they can.

use axum::{Json as JsonBody, extract::State, http::Method};
use ledger::{Ledger, LedgerError, outside::Change};
use model::{Assurance, Id, Lang, Table, t};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use store::{Account, AccountChange, RecordDraft, Shredding, Store, StoreError};
use tokio::sync::Mutex;

use super::{
    Caller,
    problem::{self, Problem},
};
use crate::{
    Shared,
    access::ROLES,
    people::{oidc, rules, rules::SITES_MAX},
    route::{Access, Api, Route},
};

/// Address of the route.
pub const PATH: &str = "/api/v1/local";
const NAME_CHARS_MAX: usize = 100;
const TOKEN_DAYS_MAX: i64 = 3_650;

/// Name of the machine's user who acts; only the socket of the data folder gives a request one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalUser(pub String);

impl LocalUser {
    /// As history and records name who acts.
    pub fn actor(&self) -> String {
        format!("local:{}", self.0)
    }

    /// Stands where a request has an account: an administrator whom no account is behind.
    pub(super) fn account(&self) -> Account {
        Account {
            id: Id::nil(),
            login: self.0.clone(),
            role: "administrator".to_owned(),
            password: oidc::NO_PASSWORD.to_owned(),
            totp: None,
            totp_step: 0,
            disabled: false,
            must_change: false,
            signed_in_at: None,
            sites: Vec::new(),
        }
    }
}

/// One act.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    AccountAdd { login: String, role: String, password_hash: String },
    AccountDisable { login: String },
    AccountEnable { login: String },
    AccountRole { login: String, role: String },
    AccountSites { login: String, sites: Vec<String> },
    AccountPassword { login: String, password_hash: String, second_factor: bool },
    AccountRecovery { login: String, codes: Vec<String> },
    TokenAdd { login: String, name: String, days: i64 },
    TokenRevoke { id: String },
    AgentToken { name: String, secret: String, hours: i64 },
    AgentRevoke { agent: String },
    ProviderSet { settings: oidc::Settings, public_origin: Option<String> },
    ProviderOff {},
    Reindex {},
    LedgerPublish { to: std::path::PathBuf },
    LedgerAcceptFork { decision: Id },
    LedgerShred { records: Vec<Id>, rows: Vec<String>, decision: Id },
    LedgerOutside { what: Change },
}

impl Act {
    /// Names of all acts, for the description of the API.
    pub(crate) const NAMES: [&str; 18] = [
        "account_add",
        "account_disable",
        "account_enable",
        "account_role",
        "account_sites",
        "account_password",
        "account_recovery",
        "token_add",
        "token_revoke",
        "agent_token",
        "agent_revoke",
        "provider_set",
        "provider_off",
        "reindex",
        "ledger_publish",
        "ledger_accept_fork",
        "ledger_shred",
        "ledger_outside",
    ];

    /// Whether the ledger must be open for it.
    pub fn needs_ledger(&self) -> bool {
        use Act::{LedgerAcceptFork, LedgerOutside, LedgerPublish, LedgerShred};
        matches!(
            self,
            LedgerAcceptFork { .. }
                | LedgerOutside { .. }
                | LedgerPublish { .. }
                | LedgerShred { .. }
        )
    }
}

pub(super) fn routes() -> Vec<Route> {
    let summary = t(
        "サーバー機の管理者の操作（データフォルダーのソケットからだけ）",
        "Acts of the machine's administrator (only through the socket of the data folder)",
    );
    vec![Route::new(Method::POST, PATH, Access::Local, summary, act).api(Api {
        tag: "house",
        id: "local_act".to_owned(),
        params: Vec::new(),
        request: Some(("application/json", "Act".to_owned())),
        response: (200, Some(("application/json", "Done".to_owned()))),
        refusals: &[400, 404, 409, 413, 415, 422],
    })]
}

async fn act(
    State(house): State<Shared>,
    caller: Caller,
    JsonBody(act): JsonBody<Act>,
) -> Result<JsonBody<Json>, Problem> {
    let lang = caller.cx.lang;
    // On its own task: who hangs up must not stop a shredding half way.
    let done = tokio::spawn(async move {
        let hand = Hand {
            store: &house.store,
            ledger: Some(&house.ledger),
            lang: caller.cx.lang,
            actor: caller.actor(),
        };
        let done = hand.act(act).await;
        house.wake();
        done
    });
    done.await.map_err(|error| Problem::broken(lang, &error))?.map(JsonBody)
}

/// Who acts, and on what.
pub struct Hand<'a> {
    pub store: &'a Store,
    /// Open where [`Act::needs_ledger`] says so.
    pub ledger: Option<&'a Mutex<Ledger>>,
    pub lang: Lang,
    pub actor: String,
}

type Done = Result<Json, Problem>;

impl Hand<'_> {
    /// Does it; what the answer holds stands in the documentation of the command.
    pub async fn act(&self, act: Act) -> Done {
        match act {
            Act::AccountAdd { login, role, password_hash } => {
                self.account_add(&login, &role, &password_hash).await
            }
            Act::AccountDisable { login } => self.change(&login, AccountChange::Disable).await,
            Act::AccountEnable { login } => self.change(&login, AccountChange::Enable).await,
            Act::AccountRole { login, role } => {
                self.known_role(&role)?;
                self.change(&login, AccountChange::Role(&role)).await
            }
            Act::AccountSites { login, sites } => self.account_sites(&login, &sites).await,
            Act::AccountPassword { login, password_hash, second_factor } => {
                let new = AccountChange::Password { hash: &password_hash, must_change: true };
                let done = self.change(&login, new).await?;
                if second_factor {
                    self.change(&login, AccountChange::ResetFactor).await?;
                }
                Ok(done)
            }
            Act::AccountRecovery { login, codes } => {
                self.change(&login, AccountChange::RecoveryCodes(&codes)).await
            }
            Act::TokenAdd { login, name, days } => self.token_add(&login, name.trim(), days).await,
            Act::TokenRevoke { id } => self.token_revoke(&id).await,
            Act::AgentToken { name, secret, hours } => {
                let ends = self.store.now().plus_hours(hours.clamp(1, 336));
                let made = self.store.add_enrolment(&secret, &name, ends, &self.actor).await;
                self.stored(made)?;
                Ok(json!({"name": name, "expires_at": ends.rfc3339()}))
            }
            Act::AgentRevoke { agent } => self.agent_revoke(&agent).await,
            Act::ProviderSet { settings, public_origin } => {
                self.provider_set(&settings, public_origin.as_deref()).await
            }
            Act::ProviderOff {} => {
                self.stored(oidc::Settings::remove(self.store).await)?;
                self.provider_record("provider_removed").await
            }
            Act::Reindex {} => {
                let rows = self.stored(self.store.reindex().await)?;
                Ok(json!({"rows": rows}))
            }
            Act::LedgerPublish { to } => {
                let mut ledger = self.ledger()?.lock().await;
                self.drain(&mut ledger).await?;
                let size = self.kept(ledger.publish(&to))?.size();
                Ok(json!({"to": to, "size": size}))
            }
            Act::LedgerAcceptFork { decision } => self.accept_fork(decision).await,
            Act::LedgerShred { records, rows, decision } => {
                self.shred(records, &rows, decision).await
            }
            Act::LedgerOutside { what } => {
                let done = crate::outside::change(self.store, self.ledger()?, &what, &self.actor);
                let name =
                    done.await.map_err(|error| crate::outside::problem(self.lang, &error))?;
                Ok(json!({"name": name, "change": what}))
            }
        }
    }

    fn refuse(&self, kind: &'static problem::Kind, ja: String, en: String) -> Problem {
        Problem::saying(self.lang, kind, if self.lang == Lang::Ja { ja } else { en })
    }

    /// The machine's administrator gets the cause itself: nobody stands behind them to ask.
    fn stored<T>(&self, result: Result<T, StoreError>) -> Result<T, Problem> {
        result.map_err(|error| match error {
            StoreError::LastOfficer => self.refuse(
                problem::CONFLICT,
                "有効な責任者アカウントがほかにありません。先に別の人を責任者にしてください。"
                    .to_owned(),
                error.to_string(),
            ),
            StoreError::Unshreddable(..) | StoreError::Scrub(_) => {
                Problem::saying(self.lang, problem::CONFLICT, error.to_string())
            }
            error => Problem::of_store(self.lang, &error),
        })
    }

    fn kept<T>(&self, result: Result<T, LedgerError>) -> Result<T, Problem> {
        result.map_err(|error| match error {
            LedgerError::Store(error) => match self.stored::<T>(Err(error)) {
                Err(problem) => problem,
                Ok(_) => Problem::saying(self.lang, problem::BROKEN, String::new()),
            },
            error => Problem::saying(self.lang, problem::CONFLICT, error.to_string()),
        })
    }

    fn ledger(&self) -> Result<&Mutex<Ledger>, Problem> {
        self.ledger.ok_or_else(|| {
            let (ja, en) = ("証跡が開かれていません。", "The ledger is not open here.");
            self.refuse(problem::BROKEN, ja.to_owned(), en.to_owned())
        })
    }

    fn known_role(&self, role: &str) -> Result<(), Problem> {
        if ROLES.contains(&role) {
            return Ok(());
        }
        let all = ROLES.join(", ");
        let ja = format!("{role}という役割はありません。役割: {all}");
        Err(self.refuse(problem::INVALID, ja, format!("{role} names no role; they are {all}")))
    }

    async fn account(&self, login: &str) -> Result<Account, Problem> {
        self.stored(self.store.account(login).await)?.ok_or_else(|| {
            let ja = format!("アカウント{login}はありません。ume user list で確認できます。");
            let en = format!("there is no account {login}; `ume user list` shows them");
            self.refuse(problem::NOT_FOUND, ja, en)
        })
    }

    async fn account_add(&self, login: &str, role: &str, password_hash: &str) -> Done {
        self.known_role(role)?;
        let chars = login.trim().chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX || login.trim() != login {
            let ja = format!("名前は1から{NAME_CHARS_MAX}文字で、前後に空白を置けません。");
            let en = format!("a name has 1 to {NAME_CHARS_MAX} characters, no space around it");
            return Err(self.refuse(problem::INVALID, ja, en));
        }
        if self.stored(self.store.account(login).await)?.is_some() {
            let ja = format!("アカウント{login}は既にあります。別の名前にしてください。");
            let en = format!("the account {login} exists already; choose another name");
            return Err(self.refuse(problem::CONFLICT, ja, en));
        }
        let made = self.store.create_account(&self.actor, login, role, password_hash, true).await;
        let id = self.stored(made)?;
        Ok(json!({"id": id, "login": login, "role": role}))
    }

    /// Narrows an account to sites, each given by id or name.
    async fn account_sites(&self, login: &str, sites: &[String]) -> Done {
        let account = self.account(login).await?;
        if account.role == "officer" && !sites.is_empty() {
            let no = rules::No::OfficerWhole.text();
            return Err(self.refuse(problem::CONFLICT, no.ja.to_owned(), no.en.to_owned()));
        }
        if sites.len() > SITES_MAX {
            let ja = format!("拠点は{SITES_MAX}件までです。");
            return Err(self.refuse(problem::INVALID, ja, format!("at most {SITES_MAX} sites")));
        }
        let known = self.stored(self.store.all(Table::Asset, &["site"]).await)?;
        let mut found = Vec::new();
        for wanted in sites {
            let named = |row: &&store::Row| row.id.to_string() == *wanted || row.name == *wanted;
            let mut all = known.iter().filter(named);
            let (Some(site), None) = (all.next(), all.next()) else {
                let ja = format!(
                    "拠点{wanted}が見つからないか、同名の拠点が複数あります。ume asset list --kind site で確認できます。"
                );
                let en = format!(
                    "{wanted} names no site, or more than one; `ume asset list --kind site` shows them"
                );
                return Err(self.refuse(problem::NOT_FOUND, ja, en));
            };
            if !found.contains(&site.id) {
                found.push(site.id);
            }
        }
        self.change(login, AccountChange::Sites(&found)).await
    }

    async fn change(&self, login: &str, change: AccountChange<'_>) -> Done {
        let account = self.account(login).await?;
        let what = change.name();
        let changed = self.store.change_account(&self.actor, &account, change).await;
        let changed = self.stored(changed)?;
        tracing::info!(account = %account.id, change = what, "account changed");
        Ok(json!({"id": account.id, "login": login, "change": what, "changed": changed}))
    }

    async fn token_add(&self, login: &str, name: &str, days: i64) -> Done {
        let chars = name.chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX || !(1..=TOKEN_DAYS_MAX).contains(&days) {
            let ja = format!("名前は1から{NAME_CHARS_MAX}文字、日数は1から{TOKEN_DAYS_MAX}です。");
            let en =
                format!("give 1 to {NAME_CHARS_MAX} characters and 1 to {TOKEN_DAYS_MAX} days");
            return Err(self.refuse(problem::INVALID, ja, en));
        }
        let account = self.account(login).await?;
        if account.disabled {
            let ja = format!("アカウント{login}は無効です。");
            let en = format!("the account {login} is disabled and may not sign in");
            return Err(self.refuse(problem::CONFLICT, ja, en));
        }
        let (id, secret) = self.stored(self.store.add_api_token(account.id, name, days).await)?;
        Ok(json!({"id": id, "login": login, "role": account.role, "days": days, "token": secret}))
    }

    async fn token_revoke(&self, id: &str) -> Done {
        let gone = match id.parse() {
            Ok(id) => self.stored(self.store.revoke_api_token(id).await)?,
            Err(_) => false,
        };
        if gone {
            return Ok(json!({"id": id, "revoked": true}));
        }
        let ja = format!("トークン{id}はありません。ume token list で確認できます。");
        let en = format!("there is no token {id}; `ume token list` shows those there are");
        Err(self.refuse(problem::NOT_FOUND, ja, en))
    }

    async fn agent_revoke(&self, agent: &str) -> Done {
        let mut write = self.stored(self.store.write(&self.actor, "agent revoked", "").await)?;
        let count = self.stored(write.revoke_agent(agent).await)?;
        self.stored(write.commit().await)?;
        if count > 0 {
            return Ok(json!({"agent": agent, "revoked": count}));
        }
        let ja = format!("有効なエージェント{agent}はありません。ume agent list で確認できます。");
        let en = format!("no active agent is called {agent}; `ume agent list` shows them");
        Err(self.refuse(problem::NOT_FOUND, ja, en))
    }

    async fn provider_set(&self, settings: &oidc::Settings, origin: Option<&str>) -> Done {
        settings.save(self.store).await.map_err(|error| match error {
            oidc::OidcError::Store(error) => Problem::of_store(self.lang, &error),
            error => Problem::saying(self.lang, problem::INVALID, error.to_string()),
        })?;
        if let Some(origin) = origin {
            self.stored(self.store.set_setting("public_origin", origin).await)?;
        }
        self.provider_record("provider_set").await
    }

    /// Who may come in by which door is evidence too.
    async fn provider_record(&self, change: &str) -> Done {
        let facts = json!({"account_id": "all", "change": change, "role": ""});
        self.record("isms.account_changed", change, facts).await?;
        Ok(json!({"change": change}))
    }

    async fn record(&self, ty: &str, reason: &str, facts: Json) -> Result<(), Problem> {
        let mut write = self.stored(self.store.write(&self.actor, reason, "").await)?;
        let now = write.now();
        let draft = RecordDraft {
            ty: ty.to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "ume".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: None,
        };
        self.stored(write.record(draft).await)?;
        self.stored(write.commit().await)
    }

    async fn drain(&self, ledger: &mut Ledger) -> Result<(), Problem> {
        while self.kept(ledger::drain(self.store, ledger).await)? > 0 {}
        Ok(())
    }

    async fn accept_fork(&self, decision: Id) -> Done {
        let mut ledger = self.ledger()?.lock().await;
        let Some(fork) = ledger.fork().cloned() else { return Ok(json!({"fork": null})) };
        self.kept(ledger::approved_fork(self.store, decision, &fork).await)?;
        let mut facts = json!({
            "decision": decision,
            "published_size": fork.published,
            "size": fork.log,
        });
        match fork.root.as_str() {
            "" => facts["seen_by"] = json!(fork.place),
            root => facts["published_root"] = json!(root),
        }
        self.record("isms.ledger_forked", "published end of the log given up", facts).await?;
        self.kept(ledger.accept_fork(decision))?;
        Ok(json!({"fork": fork.published, "place": fork.place, "size": fork.log}))
    }

    async fn shred(&self, records: Vec<Id>, rows: &[String], decision: Id) -> Done {
        let rows = rows.iter().map(|name| self.row_name(name)).collect::<Result<_, _>>()?;
        let what = Shredding { records, rows, decision: Some(decision) };
        let receipt = self.kept(ledger::shred(self.store, &what, &self.actor).await)?;
        let (records, rows) = (receipt.records, receipt.rows);
        Ok(json!({"records": records, "rows": rows, "decision": receipt.decision}))
    }

    fn row_name(&self, name: &str) -> Result<(Table, Id), Problem> {
        row_name(name).ok_or_else(|| {
            let ja = format!("{name:?}は「表/番号」ではありません。例: party/0198…");
            let en = format!("{name:?} is not TABLE/ID, for example party/0198…");
            self.refuse(problem::INVALID, ja, en)
        })
    }
}

/// `TABLE/ID`.
pub fn row_name(text: &str) -> Option<(Table, Id)> {
    let (table, id) = text.split_once('/')?;
    let table = Table::ALL.into_iter().find(|t| t.name() == table)?;
    Some((table, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_is_read_by_its_name_and_an_unknown_member_is_refused() {
        let read = |json: Json| serde_json::from_value::<Act>(json);
        for name in Act::NAMES {
            // A name that is none says so; one that is complains of members only.
            if let Err(error) = read(json!({"act": name})) {
                assert!(error.to_string().contains("missing field"), "{name}: {error}");
            }
        }
        assert!(read(json!({"act": "account_drop"})).is_err());
        assert!(read(json!({"act": "reindex"})).is_ok());
        assert!(read(json!({"act": "account_disable", "login": "a", "x": 1})).is_err());
    }

    #[test]
    fn a_row_is_named_by_table_and_id() {
        assert_eq!(row_name(&format!("party/{}", Id::nil())), Some((Table::Party, Id::nil())));
        for bad in ["party", "party/x", "nothing/00000000-0000-0000-0000-000000000000"] {
            assert_eq!(row_name(bad), None, "{bad}");
        }
    }
}
