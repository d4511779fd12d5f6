//! Signing decisions: the one way, for every page and for the demonstration.
//!
//! A decision is bound to the version of its subject that was shown and to its own content
//! ([`statement`]); the organisation's rules say whose signatures it takes ([`policy`]); someone may
//! stand in for another ([`delegation`]); a passkey signs the decision itself, password and code are
//! the weaker way.

pub mod delegation;
mod passkey;
pub mod policy;
mod sign;
pub mod statement;

use askama::Template;
use model::{Id, Table};
use serde_json::Value as Json;
use store::{Row, Store, StoreError, Write};

use crate::{
    House,
    frame::{Cx, Refusal, User},
};

pub use delegation::{DELEGATION, Standing, standing};
pub use passkey::public_key;
pub use policy::Policy;
pub use sign::{Cast, Given, Prepared, Taken, cast, enter_all, take};
pub use statement::{
    Evidence, Flaw, Hand, Item, PASSKEY, PASSWORD, SIGNATURES, Signature, Statement, flaws,
    method_text, signatures, signed_by_any,
};

/// What is decided about exactly the content that was shown.
pub struct Ruling<'a> {
    /// [`Row::content_hash`] of what the signer saw; empty where there is no row.
    pub hash: &'a str,
    /// `approved` or `rejected`.
    pub outcome: &'a str,
    pub reason: &'a str,
    /// How long it holds at most; see [`months`].
    pub hours: i64,
    /// Kind of the decision; about a decision it is always a confirmation.
    pub kind: &'a str,
    /// What else the signer was shown, as attributes of the decision.
    pub notes: Vec<(&'static str, Json)>,
}

/// What a decision is about.
pub enum About<'a> {
    Row(&'a Row),
    /// No row, but what the decision is called.
    Named(&'a str),
}

impl About<'_> {
    fn subject(&self) -> Option<Id> {
        match self {
            About::Row(row) => Some(row.id),
            About::Named(_) => None,
        }
    }

    fn name(&self) -> String {
        match self {
            About::Row(row) => named(row),
            About::Named(name) => (*name).to_owned(),
        }
    }
}

pub(crate) const HOURS_PER_MONTH: i64 = 730;
const MONTHS_MAX: i64 = 36;
const REASON_CHARS_MAX: usize = 500;

/// So many months as hours, brought into 1 to 36.
pub fn months(months: i64) -> i64 {
    months.clamp(1, MONTHS_MAX) * HOURS_PER_MONTH
}

/// Whether the row is a decision that someone signed: it is neither changed nor deleted, whichever way
/// the change comes.
pub fn is_signed(row: &Row) -> bool {
    row.table == Table::Decision && matches!(row.status.as_str(), "approved" | "rejected")
}

/// Whether the row is a decision that carries signatures, enough of them or not.
pub fn is_sealed(row: &Row) -> bool {
    is_signed(row) || (row.table == Table::Decision && signed_by_any(row))
}

/// Status of a decision that waits for a signature.
pub const PROPOSED: &str = "proposed";

/// Kind of the decision that is asked for on a row's page.
pub(crate) const ASKED_KIND: &str = "approval";

/// The name of a decision about a row: its name, but of a person the id, for a name must stay
/// shreddable.
pub(crate) fn named(row: &Row) -> String {
    match (row.table, row.kind.as_str()) {
        (Table::Party, "person") => row.id.to_string(),
        _ => row.name.clone(),
    }
}

/// Who signs without a browser, and by what they showed that they are.
pub struct Signer<'a> {
    pub login: &'a str,
    pub method: &'a str,
}

/// Why a ruling cannot stand.
#[derive(Debug, thiserror::Error)]
pub enum RulingError {
    #[error("the row changed after it was shown")]
    Changed,
    #[error("who changed a row last cannot approve it")]
    Own,
    #[error("the outcome must be approved or rejected")]
    Outcome,
    #[error("a decision needs a reason of at most {REASON_CHARS_MAX} characters")]
    NoReason,
    #[error("a rule lets other roles sign this")]
    Role,
    #[error("one person signs a decision once")]
    Twice,
    #[error("someone else signed this meanwhile")]
    Meanwhile,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RulingError {
    /// The same in the reader's language.
    pub fn refusal(self, cx: &Cx) -> Refusal {
        let text = match self {
            RulingError::Changed => cx.t(
                "画面を開いた後に内容が変わりました。最新の内容を確認してください。",
                "The row changed after you opened it. Look at the newest version.",
            ),
            RulingError::Own => cx.t(
                "自分が最後に変更した内容を自分で承認することはできません。小規模な組織では、承認のルールの自己承認を認める例外に、経営層かISMS担当者が署名すれば承認できます。",
                "You cannot approve what you changed last yourself. A small organisation can: an executive or officer signs an exception about an approval policy that admits it.",
            ),
            RulingError::Outcome => {
                cx.t("結論は承認か却下から選んでください。", "Choose approve or reject.")
            }
            RulingError::NoReason => cx.t(
                "理由を500文字以内で入力してください。",
                "Give a reason of at most 500 characters.",
            ),
            RulingError::Role => cx.t(
                "承認のルールにより、この決定に署名できるのは別の役割の人です。",
                "By the approval policy, people in other roles sign this decision.",
            ),
            RulingError::Twice => cx.t(
                "あなた（または代行する相手）は、すでに署名しています。必要な人数には一人として数えます。",
                "You, or the person you stand in for, signed already: one person counts once.",
            ),
            RulingError::Meanwhile => cx.t(
                "その間に別の人が署名したか、条件が変わりました。画面を開き直して確認してください。",
                "Someone else signed meanwhile, or the rules changed. Open the page again and look.",
            ),
            RulingError::Store(error) => return Refusal::Store(error),
        };
        Refusal::Bad(text.to_owned())
    }
}

impl Ruling<'_> {
    /// Holds the ruling against the row as it is now.
    pub fn check(&self, about: &About<'_>) -> Result<(), RulingError> {
        if let About::Row(row) = about
            && (row.deleted || row.content_hash()? != self.hash)
        {
            return Err(RulingError::Changed);
        }
        if !matches!(self.outcome, "approved" | "rejected") {
            return Err(RulingError::Outcome);
        }
        if self.reason.is_empty() || self.reason.chars().count() > REASON_CHARS_MAX {
            return Err(RulingError::NoReason);
        }
        Ok(())
    }

    /// Signs for someone who sits at no browser, one signature being enough; the caller has made sure
    /// of them and commits.
    pub async fn sign(
        &self,
        store: &Store,
        write: &mut Write<'_>,
        row: &Row,
        signer: &Signer<'_>,
    ) -> Result<Row, RulingError> {
        let about = About::Row(row);
        self.check(&about)?;
        if row.updated_by == write.actor() {
            return Err(RulingError::Own);
        }
        let hand = Hand {
            account: write.actor().to_owned(),
            login: signer.login.to_owned(),
            role: String::new(),
        };
        let asked = match self.kind_about(&about) {
            ASKED_KIND => crate::approvals::open(store, row.id).await?,
            _ => None,
        };
        let id = asked.map_or_else(|| store.new_id(), |request| Ok(request.id))?;
        let until = store.now().plus_hours(self.hours);
        let item = self.item(&about, id, until, &Policy::default(), None);
        let prepared = Prepared::plain(store, hand, self, &about, item)?;
        sign::enter(write, self, &about, &prepared.signed(signer.method, None)).await
    }
}

/// The part of each form in which one signs.
#[derive(Template)]
#[template(path = "sign.html")]
struct SignPart<'a> {
    cx: &'a Cx,
    button: &'a str,
}

/// The part of a form in which one signs, by passkey or by password and code; `button` says what.
pub fn part(cx: &Cx, button: &str) -> Result<String, Refusal> {
    Ok(SignPart { cx, button }.render()?)
}

/// One signature as pages show it.
pub struct Shown {
    pub by: String,
    pub acting_for: String,
    pub method: String,
    pub strong: bool,
    pub at: String,
    pub outcome: String,
    pub reason: String,
    /// The exception under which someone approved their own change.
    pub self_approval: String,
}

/// The signatures under a decision, in words.
pub fn shown(cx: &Cx, decision: &Row) -> Vec<Shown> {
    let id = decision.id.to_string();
    let show = |signature: Signature| {
        let Statement { signer, acting_for, at, outcome, reason, .. } = &signature.statement;
        let item = signature.statement.item(&id);
        let time = model::Timestamp::parse(at);
        Shown {
            by: format!("{}{}", signer.login, role_in(cx, &signer.role)),
            acting_for: acting_for
                .as_ref()
                .map(|giver| format!("{}{}", giver.login, role_in(cx, &giver.role)))
                .unwrap_or_default(),
            method: in_words(cx, &signature.method),
            strong: signature.method == PASSKEY,
            at: time.map_or_else(|| at.clone(), |time| cx.time(&time)),
            outcome: cx.status(outcome).to_owned(),
            reason: reason.clone(),
            self_approval: item.and_then(|i| i.self_approval.clone()).unwrap_or_default(),
        }
    };
    signatures(decision).into_iter().map(show).collect()
}

fn role_in(cx: &Cx, role: &str) -> String {
    if role.is_empty() { String::new() } else { format!(" ({})", cx.role(role)) }
}

/// How a way of signing reads.
pub fn in_words(cx: &Cx, method: &str) -> String {
    method_text(method).map_or_else(|| method.to_owned(), |text| cx.pick(&text).to_owned())
}

/// How far a decision is: signatures that approve, and how many it takes.
pub fn progress(decision: &Row) -> (usize, usize) {
    let id = decision.id.to_string();
    let kept = signatures(decision);
    let yes = kept.iter().filter(|s| s.statement.outcome == "approved").count();
    let needed = kept.iter().filter_map(|s| Some(s.statement.item(&id)?.quorum)).max();
    (yes, needed.unwrap_or(1))
}

/// Makes sure, once more, of who is about to sign: password, and a code that was not used yet. Says
/// how they showed it.
pub(crate) async fn step_up(
    house: &House,
    user: &User,
    password: String,
    code: &str,
) -> Result<&'static str, Refusal> {
    match crate::people::prove(house, &user.session.account, password, code).await? {
        crate::people::Proof::Good(method) => return Ok(method),
        crate::people::Proof::Wait(seconds) => return Err(Refusal::Bad(user.cx.wait(seconds))),
        crate::people::Proof::Wrong => {}
    }
    let text = user.cx.t(
        "パスワードまたはコードが違うか、コードが使用済みです。次のコードを待って入力してください。",
        "The password or the code is wrong, or the code was used. Wait for the next code.",
    );
    Err(Refusal::Bad(text.to_owned()))
}
