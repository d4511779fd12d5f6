//! Signing a decision about a row: the one way, for the page and for the demonstration.

use model::Table;
use serde_json::Value as Json;
use store::{Row, Store, StoreError, Write};

use crate::{
    House,
    frame::{Cx, Refusal, User},
};

/// What is decided about exactly the content that was shown.
pub struct Ruling<'a> {
    /// [`Row::content_hash`] of what the signer saw.
    pub hash: &'a str,
    /// `approved` or `rejected`.
    pub outcome: &'a str,
    pub reason: &'a str,
    /// How long it holds; brought into 1 to 36.
    pub months: i64,
    /// Kind of the decision; about a decision it is always a confirmation.
    pub kind: &'a str,
    /// What else the signer was shown, as attributes of the decision.
    pub notes: Vec<(&'static str, Json)>,
}

/// Whether the row is a decision that someone signed: it is neither changed nor deleted, whichever way
/// the change comes.
pub fn is_signed(row: &Row) -> bool {
    row.table == Table::Decision && matches!(row.status.as_str(), "approved" | "rejected")
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

/// Who signs, and by what they showed that they are.
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
    #[error("a decision needs a reason")]
    NoReason,
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
                "自分が最後に変更した内容を自分で承認することはできません。",
                "You cannot approve what you changed last yourself.",
            ),
            RulingError::Outcome => {
                cx.t("結論は承認か却下から選んでください。", "Choose approve or reject.")
            }
            RulingError::NoReason => cx.t("理由を入力してください。", "Give a reason."),
            RulingError::Store(error) => return Refusal::Store(error),
        };
        Refusal::Bad(text.to_owned())
    }
}

impl Ruling<'_> {
    /// Holds the ruling against the row as it is now and the actor who would sign.
    pub fn check(&self, row: &Row, actor: &str) -> Result<(), RulingError> {
        if row.content_hash()? != self.hash {
            return Err(RulingError::Changed);
        }
        if row.updated_by == actor {
            return Err(RulingError::Own);
        }
        if !matches!(self.outcome, "approved" | "rejected") {
            return Err(RulingError::Outcome);
        }
        if self.reason.is_empty() {
            return Err(RulingError::NoReason);
        }
        Ok(())
    }

    /// Writes the decision; the caller has made sure of the signer and commits.
    pub async fn sign(
        &self,
        store: &Store,
        write: &mut Write<'_>,
        row: &Row,
        signer: &Signer<'_>,
    ) -> Result<Row, RulingError> {
        self.check(row, write.actor())?;
        let confirms = row.table == Table::Decision;
        let kind = if confirms { "confirmation" } else { self.kind };
        let mut decision = Row::new(Table::Decision, store.new_id()?, kind, &named(row));
        // What was asked for is answered, even if the row was edited since. Of the request only its
        // place is kept: whatever else stands in it, the signer was not shown.
        if kind == ASKED_KIND
            && let Some(request) = crate::approvals::open(store, row.id).await?
        {
            decision.id = request.id;
            decision.version = request.version;
            decision.created_at = request.created_at;
            decision.owner = request.owner;
        }
        decision.status = self.outcome.to_owned();
        decision.subject = Some(row.id);
        decision.subject_hash = Some(self.hash.to_owned());
        decision.ends_at = Some(store.now().plus_hours(self.months.clamp(1, 36) * 730));
        decision.attributes.insert("signer".into(), Json::from(signer.login));
        decision.attributes.insert("method".into(), Json::from(signer.method));
        decision.attributes.insert("subject_table".into(), Json::from(row.table.name()));
        let notes = self.notes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        decision.attributes.extend(notes);
        Ok(write.put(decision).await?)
    }
}

/// Makes sure, once more, of who is about to sign: password, and a code that was not used yet.
pub async fn step_up(
    house: &House,
    user: &User,
    password: String,
    code: &str,
) -> Result<(), Refusal> {
    let account = &user.session.account;
    let hash = account.password.clone();
    let fits = tokio::task::spawn_blocking(move || {
        crate::secrets::verify_password(&password, Some(&hash))
    })
    .await
    .unwrap_or(false);
    let seconds = (house.store.now().0 / 1_000_000).max(0) as u64;
    let secret = account.totp.clone().unwrap_or_default();
    let step = crate::secrets::totp_step(&secret, &account.login, code, seconds);
    let fresh = match step.filter(|_| fits) {
        Some(step) => house.store.use_totp_step(account.id, step).await?,
        None => false,
    };
    if fresh {
        return Ok(());
    }
    let text = user.cx.t(
        "パスワードまたはコードが違うか、コードが使用済みです。次のコードを待って入力してください。",
        "The password or the code is wrong, or the code was used. Wait for the next code.",
    );
    Err(Refusal::Bad(text.to_owned()))
}
