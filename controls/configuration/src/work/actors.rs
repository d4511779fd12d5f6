//! Who made a difference, as far as it is known: what was seen on the host, held against its accounts and the
//! people of the register.

use std::collections::HashMap;

use baseline::{
    Actor, Bytes, Class, Delta, Facts,
    actor::{Asked, Journal, Who, assign},
};
use model::{Id, Table, Timestamp};
use room::Error;
use serde_json::Value as Json;
use store::Store;

use super::TOUCHES;

/// Records of what was seen that one snapshot is held against: the newest.
const RECORDS_MAX: usize = 200;
const MICROSECONDS: i64 = 1_000_000;

/// Actors by class and name of a difference that came about from `from` to `to`, in seconds since 1970.
pub(super) async fn of(
    store: &Store,
    host: Id,
    (from, to): (i64, i64),
    facts: &Facts,
    deltas: &[Delta],
) -> Result<HashMap<(Class, Bytes), Actor>, Error> {
    if deltas.is_empty() {
        return Ok(HashMap::new());
    }
    let journals = journals(store, host, from).await?;
    if journals.is_empty() {
        return Ok(HashMap::new());
    }
    let people = people(store).await?;
    let accounts = accounts(facts);
    let party = |who: &Who| party(who, &accounts, &people);
    Ok(assign(deltas, &Asked { journals: &journals, from, to, party: &party }))
}

async fn journals(store: &Store, host: Id, from: i64) -> Result<Vec<Journal>, Error> {
    let since = Timestamp(from.saturating_mul(MICROSECONDS));
    let mut records = store.present().records_about(TOUCHES, &[host], since).await?;
    records.sort_by_key(|record| std::cmp::Reverse(record.observed_to));
    records.truncate(RECORDS_MAX);
    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
    let mut journals = Vec::new();
    for (id, payload) in store.payloads(&ids).await? {
        match Journal::parse(&payload) {
            Ok(journal) => journals.push(journal),
            Err(error) => tracing::warn!(record = %id, %error, "what was seen is not read"),
        }
    }
    Ok(journals)
}

/// Names of the accounts of a host by their numbers; none of a number that two share.
fn accounts(facts: &Facts) -> HashMap<u32, Option<String>> {
    let mut names: HashMap<u32, Option<String>> = HashMap::new();
    for fact in facts.class(Class::User) {
        let uid = fact.value.get("uid").and_then(baseline::Value::as_int);
        let Some(uid) = uid.and_then(|uid| u32::try_from(uid).ok()) else { continue };
        let name = fact.name.to_string();
        names.entry(uid).and_modify(|other| *other = None).or_insert(Some(name));
    }
    names
}

/// People by the account that their row names; none of an account that two name.
async fn people(store: &Store) -> Result<HashMap<String, Option<Id>>, Error> {
    let mut people: HashMap<String, Option<Id>> = HashMap::new();
    for row in store.all(Table::Party, &["person"]).await? {
        let Some(account) = row.attributes.get("account").and_then(Json::as_str) else { continue };
        let account = account.trim().to_lowercase();
        if !account.is_empty() {
            people.entry(account).and_modify(|other| *other = None).or_insert(Some(row.id));
        }
    }
    Ok(people)
}

/// The person who logged in, else their account; where nobody logged in, the unit; else nobody.
fn party(
    who: &Who,
    accounts: &HashMap<u32, Option<String>>,
    people: &HashMap<String, Option<Id>>,
) -> Option<String> {
    let named = |login: u32| accounts.get(&login).cloned().flatten();
    let account = who.account.clone().or_else(|| who.login.and_then(named));
    match (account, who.login, &who.unit) {
        (Some(account), ..) => {
            let person = people.get(&account.to_lowercase()).copied().flatten();
            Some(person.map_or_else(|| format!("account:{account}"), |id| id.to_string()))
        }
        (None, Some(login), _) => Some(format!("account:#{login}")),
        (None, None, Some(unit)) => Some(format!("unit:{unit}")),
        (None, None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_go_before_accounts_accounts_before_units_and_nothing_is_guessed() {
        let id: Id = "01900000-0000-7000-8000-000000000001".parse().expect("an id");
        let accounts = HashMap::from([
            (1000, Some("ann".to_owned())),
            (1001, Some("bob".to_owned())),
            (0, None),
        ]);
        let people = HashMap::from([("ann".to_owned(), Some(id)), ("bob".to_owned(), None)]);
        let of = |login, unit: Option<&str>, account: Option<&str>| {
            let who = Who {
                login,
                unit: unit.map(str::to_owned),
                account: account.map(str::to_owned),
                ..Who::default()
            };
            party(&who, &accounts, &people)
        };
        assert_eq!(of(Some(1000), Some("session-1.scope"), None), Some(id.to_string()));
        assert_eq!(of(None, None, Some("Ann")), Some(id.to_string()));
        // Two people name the account: it is the account and neither of them.
        assert_eq!(of(Some(1001), None, None).as_deref(), Some("account:bob"));
        // Two accounts share the number.
        assert_eq!(of(Some(0), None, None).as_deref(), Some("account:#0"));
        assert_eq!(of(None, Some("cron.service"), None).as_deref(), Some("unit:cron.service"));
        assert_eq!(of(None, None, None), None);
    }
}
