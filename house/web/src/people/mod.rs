//! Accounts, factors, sessions, passkeys, sign-in at a provider.
//!
//! Invariants: only an officer makes or changes officers, nobody their own rights (`rules`); an act
//! on accounts or factors needs a fresh proof of who acts ([`recently`]); every change leaves a
//! record (`store::accounts`) and every sign-in an event (`signins`); secrets are shown once.

mod accounts;
pub mod local;
mod me;
pub mod oidc;
mod passkey;
pub mod rules;
pub mod signins;
pub mod throttle;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::atomic::AtomicBool,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use axum::{extract::FromRequestParts, http::request::Parts, response::Response};
use store::Account;
use tokio::sync::Semaphore;

use crate::{
    House, Shared,
    frame::{Cx, Refusal, User},
    route::Route,
    secrets,
};
use local::Local;
pub(crate) use me::show_new_codes;
pub(crate) use passkey::{Ceremony, session_id};
use signins::{Outcome, SignIn, SignIns};
use throttle::{Key, Throttle};

/// A proof of who acts is good for so long.
const CONFIRMED_MINUTES_MAX: i64 = 10;
/// Password hashes at once: each works in 19 MiB, which the next one takes over.
const HASHES_MAX: usize = 2;
const HASH_WAIT: Duration = Duration::from_secs(10);
/// Recovery codes of a set.
pub const RECOVERY_CODES: usize = 10;

/// What the pages about people hold in memory; all of it bounded, none of it needed after a restart.
pub struct People {
    pub sign_ins: SignIns,
    pub throttle: Throttle,
    hashing: Semaphore,
    local: RwLock<Arc<Local>>,
    /// Set once the first hour is over: it never comes again.
    pub welcomed: AtomicBool,
    ceremonies: Mutex<HashMap<String, (passkey::Ceremony, Instant)>>,
}

impl Default for People {
    fn default() -> People {
        People {
            sign_ins: SignIns::default(),
            throttle: Throttle::default(),
            welcomed: AtomicBool::new(false),
            hashing: Semaphore::new(HASHES_MAX),
            local: RwLock::default(),
            ceremonies: Mutex::default(),
        }
    }
}

impl People {
    /// How the organisation reads time.
    pub fn local(&self) -> Arc<Local> {
        self.local.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets how the organisation reads time.
    pub fn set_local(&self, local: Local) {
        *self.local.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(local);
    }

    /// Whether the password fits; the same work is done where there is no account.
    pub(crate) async fn password_fits(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Refusal> {
        let work = move || secrets::verify_password(&password, hash.as_deref());
        self.hashing(work).await
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Refusal> {
        let hash = self.hashing(move || secrets::hash_password(&password)).await?;
        hash.ok_or_else(|| Refusal::Bad("random".to_owned()))
    }

    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = tokio::time::timeout(HASH_WAIT, self.hashing.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(Refusal::Busy) };
        tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Busy)
    }
}

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = accounts::routes();
    routes.extend(me::routes());
    routes.extend(passkey::routes());
    routes.extend(oidc::routes());
    routes
}

/// Someone fully signed in, on their own pages: every role has these, also those without registers.
pub struct Me(pub User);

impl FromRequestParts<Shared> for Me {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, house: &Shared) -> Result<Me, Refusal> {
        let cx = Cx::from_request_parts(parts, house).await?;
        let back = parts.uri.path().to_owned();
        let Some(session) = cx.session.clone() else { return Err(Refusal::SignIn(back)) };
        if session.state != "full" {
            return Err(Refusal::Enrol);
        }
        Ok(Me(User { cx, session }))
    }
}

impl Me {
    /// Guards a form about oneself: own origin, right token.
    pub fn form(&self, csrf: &str) -> Result<(), Refusal> {
        self.0.cx.own_origin()?;
        let same = subtle::ConstantTimeEq::ct_eq(csrf.as_bytes(), self.0.session.csrf.as_bytes());
        if bool::from(same) { Ok(()) } else { Err(Refusal::Foreign) }
    }
}

/// The actor of account records: by id, since leaves hold nothing personal.
pub(crate) fn actor(user: &User) -> String {
    format!("account:{}", user.session.account.id)
}

/// Refuses, with the way to the confirmation, unless this person proved who they are just now.
pub(crate) fn recently(user: &User, back: &str) -> Result<(), Refusal> {
    let minutes = (user.cx.now.0 - user.session.confirmed_at.0) / 60_000_000;
    if minutes < CONFIRMED_MINUTES_MAX {
        return Ok(());
    }
    Err(Refusal::Confirm(back.to_owned()))
}

/// What a proof of identity came to.
pub(crate) enum Proof {
    /// By what.
    Good(&'static str),
    Wrong,
    Wait(u64),
}

/// Holds password and code (one-time or recovery) against the account, throttled.
pub(crate) async fn prove(
    house: &House,
    account: &Account,
    password: String,
    code: &str,
) -> Result<Proof, Refusal> {
    let id = account.id.to_string();
    let key = [Key::Factor(&id)];
    if let Some(seconds) = house.people.throttle.attempt(&key, Instant::now()) {
        return Ok(Proof::Wait(seconds));
    }
    let fits = house.people.password_fits(password, Some(account.password.clone())).await?;
    let method = if fits { use_code(house, account, code).await? } else { None };
    match method {
        Some(method) => {
            house.people.throttle.succeeded(&key, Instant::now());
            Ok(Proof::Good(method))
        }
        None => Ok(Proof::Wrong),
    }
}

/// Uses up a one-time code or a recovery code; says which it was.
pub(crate) async fn use_code(
    house: &House,
    account: &Account,
    code: &str,
) -> Result<Option<&'static str>, Refusal> {
    let seconds = (house.store.now().0 / 1_000_000).max(0) as u64;
    let secret = account.totp.clone().unwrap_or_default();
    if let Some(step) = secrets::totp_step(&secret, &account.login, code, seconds) {
        let fresh = house.store.use_totp_step(account.id, step).await?;
        return Ok(fresh.then_some("password+totp"));
    }
    const RECOVERY_CHARS: usize = 16;
    let letters = code.chars().filter(char::is_ascii_alphanumeric).count();
    if letters == RECOVERY_CHARS && house.store.use_recovery_code(account, code).await? {
        return Ok(Some("password+recovery"));
    }
    Ok(None)
}

/// A new set of recovery codes: 80 random bits each.
pub fn new_recovery_codes() -> Option<Vec<String>> {
    (0..RECOVERY_CODES).map(|_| secrets::random_words::<10>()).collect()
}

/// Notes an event at the door.
pub(crate) fn note(
    house: &House,
    outcome: Outcome,
    account: Option<&Account>,
    address: IpAddr,
    method: &str,
    reason: &str,
) {
    let at = house.store.now();
    let event = SignIn { outcome, account, address, method, reason, at };
    house.people.sign_ins.note(&event);
}

/// Where people reach this server, which passkeys and providers are bound to: the public address if
/// it is set, else `localhost`, which browsers trust without TLS. An address they typed as digits
/// cannot carry either.
pub(crate) async fn origin(house: &House, host: &str) -> Result<Option<String>, Refusal> {
    if let Some(origin) = house.store.setting("public_origin").await? {
        return Ok(Some(origin.trim_end_matches('/').to_owned()));
    }
    let scheme = if house.secure { "https" } else { "http" };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    Ok((name == "localhost").then(|| format!("{scheme}://{host}")))
}

/// Lets a page load our own script and nothing else.
pub fn with_script(mut response: Response) -> Response {
    let policy = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
                  img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    response.headers_mut().insert(
        axum::http::header::CONTENT_SECURITY_POLICY,
        axum::http::HeaderValue::from_static(policy),
    );
    response
}
