//! Standing in for someone: who lets whom sign which decisions, until when.
//!
//! Invariants: a delegation is a signed decision, made in one's own name only, so none is handed on.
//! It gives what its giver may do now: an account that was disabled or lost its role gives nothing. A
//! rejection about it ends it.

use model::{Id, Table};
use serde_json::Value as Json;
use store::{Account, Condition, Filter, Key, PAGE_ROWS_MAX, Row, Store, StoreError, Test};

use super::{Hand, statement};
use crate::{
    House,
    access::{self, Action},
    frame::{Refusal, User},
};

/// Kind of the decision.
pub const DELEGATION: &str = "delegation";
/// A delegation holds no longer.
pub const DELEGATION_DAYS_MAX: i64 = 366;

/// In whose name someone signs.
#[derive(Clone, Debug)]
pub struct Standing {
    pub signer: Hand,
    /// Whose rights count: the signer's own account, or that of whom they stand in for.
    pub account: Account,
    /// The decision that lets them stand in.
    pub delegation: Option<Id>,
}

impl Standing {
    /// In whose place the signer stands.
    pub fn acting_for(&self) -> Option<Hand> {
        self.delegation.map(|_| Hand::of(&self.account))
    }

    /// Actors whose changes this signature may not approve.
    pub fn actors(&self) -> [String; 2] {
        [&self.signer.login, &self.account.login].map(|login| format!("account:{login}"))
    }
}

impl Hand {
    pub(crate) fn of(account: &Account) -> Hand {
        Hand {
            account: account.id.to_string(),
            login: account.login.clone(),
            role: account.role.clone(),
        }
    }
}

/// How the user signs decisions of these kinds: for themselves, or in place of the login they named.
pub async fn standing(
    house: &House,
    user: &User,
    acting_for: &str,
    kinds: &[&str],
) -> Result<Standing, Refusal> {
    let account = &user.session.account;
    let signer = Hand::of(account);
    let acting_for = acting_for.trim();
    if acting_for.is_empty() || acting_for == account.login {
        return Ok(Standing { signer, account: account.clone(), delegation: None });
    }
    let refused = || {
        let text = user.cx.t(
            "この種類の決定について、その人からの有効な委任はありません。",
            "There is no valid delegation of such decisions from that person.",
        );
        Refusal::Bad(text.to_owned())
    };
    if kinds.contains(&DELEGATION) {
        return Err(refused());
    }
    let giver = house.store.account(acting_for).await?;
    let giver = giver.filter(|a| !a.disabled && access::allowed(&a.role, Action::Decide));
    let giver = giver.ok_or_else(refused)?;
    let given = given(&house.store, &giver.id, &account.id, kinds).await?.ok_or_else(refused)?;
    Ok(Standing { signer, account: giver, delegation: Some(given) })
}

/// The delegation that holds now, if there is one.
async fn given(
    store: &Store,
    from: &Id,
    to: &Id,
    kinds: &[&str],
) -> Result<Option<Id>, StoreError> {
    let filter = Filter {
        kind: Some(DELEGATION.to_owned()),
        status: Some("approved".to_owned()),
        conditions: vec![is("delegate_account", to), is("delegator_account", from)],
        limit: PAGE_ROWS_MAX,
        ..Filter::default()
    };
    for row in store.list(Table::Decision, &filter).await? {
        let covers = names(&row).iter().any(|k| k == "*" || kinds.contains(&k.as_str()));
        if covers && holds(store, &row).await? {
            return Ok(Some(row.id));
        }
    }
    Ok(None)
}

/// Whether someone stands in for anyone now, so that forms are shown to them.
pub async fn held(store: &Store, account: &Account) -> Result<bool, StoreError> {
    if !access::allowed(&account.role, Action::Decide) {
        return Ok(false);
    }
    let filter = Filter {
        kind: Some(DELEGATION.to_owned()),
        status: Some("approved".to_owned()),
        conditions: vec![is("delegate_account", &account.id)],
        limit: PAGE_ROWS_MAX,
        ..Filter::default()
    };
    let rows = store.list(Table::Decision, &filter).await?;
    Ok(rows.iter().any(|row| row.ends_at.is_some_and(|end| end > store.now())))
}

fn is(name: &str, id: &Id) -> Condition {
    Condition { name: name.to_owned(), test: Test::Is(Key::text(&id.to_string())) }
}

/// Kinds of decision that a delegation is for.
pub fn names(row: &Row) -> Vec<String> {
    let list = row.attributes.get("kinds").and_then(Json::as_array);
    list.into_iter().flatten().filter_map(|k| k.as_str().map(str::to_owned)).collect()
}

/// Whether a delegation holds now: signed by its giver in their own name, in time, not ended.
pub async fn holds(store: &Store, row: &Row) -> Result<bool, StoreError> {
    let from = row.attributes.get("delegator_account").and_then(Json::as_str);
    let own = statement::signatures(row).iter().any(|s| {
        s.statement.acting_for.is_none() && Some(s.statement.signer.account.as_str()) == from
    });
    let in_time = row.ends_at.is_some_and(|end| end > store.now());
    if row.deleted || row.status != "approved" || !own || !in_time {
        return Ok(false);
    }
    let ended = Filter {
        kind: Some(DELEGATION.to_owned()),
        subject: Some(row.id),
        status: Some("rejected".to_owned()),
        limit: 1,
        ..Filter::default()
    };
    Ok(store.list(Table::Decision, &ended).await?.is_empty())
}
