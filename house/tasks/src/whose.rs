//! Whose task it is.

use model::{Id, Timestamp};
use serde_json::Value as Json;
use store::{Reader, Row};

/// The party a task is given to.
pub fn assignee(task: &Row) -> Option<Id> {
    let named = task.attributes.get("assignee").and_then(Json::as_str);
    named.and_then(|id| id.parse().ok()).or(task.object)
}

/// The role a task is given to.
pub fn role(task: &Row) -> Option<&str> {
    task.attributes.get("role").and_then(Json::as_str).filter(|role| !role.is_empty())
}

/// Whether this reader is to do it: named in person, else by role.
pub fn is_for(task: &Row, reader: &Reader) -> bool {
    match (assignee(task), role(task)) {
        (Some(party), _) => reader.party == Some(party),
        (None, Some(role)) => reader.answers_for(role),
        (None, None) => false,
    }
}

/// Those who are to do it. A task that nobody would hear of falls to the officers.
pub fn readers<'a>(task: &Row, all: &'a [Reader]) -> Vec<&'a Reader> {
    let own: Vec<&Reader> = all.iter().filter(|r| is_for(task, r)).collect();
    if own.is_empty() { all.iter().filter(|r| r.answers_for("officer")).collect() } else { own }
}

/// Whether its time is over.
pub fn is_overdue(task: &Row, now: Timestamp) -> bool {
    task.status != "closed" && task.ends_at.is_some_and(|due| due < now)
}

#[cfg(test)]
mod tests {
    use model::Table;
    use store::Preference;

    use super::*;

    fn id(n: u8) -> Id {
        Id::from_parts(Timestamp(1_795_600_000_000_000), &[n; 10])
    }

    fn reader(n: u8, role: &str, party: Option<Id>) -> Reader {
        let preference = Preference::default();
        Reader {
            id: id(n),
            login: n.to_string(),
            role: role.to_owned(),
            party,
            narrowed: false,
            preference,
        }
    }

    #[test]
    fn a_person_goes_before_a_role_and_nobodys_task_is_the_officers() {
        let all = [
            reader(1, "officer", None),
            reader(2, "risk_owner", Some(id(9))),
            reader(3, "risk_owner", None),
        ];
        let logins = |task: &Row| -> Vec<String> {
            readers(task, &all).iter().map(|r| r.login.clone()).collect()
        };
        let mut task = Row::new(Table::Task, id(5), "task", "t");
        assert_eq!(logins(&task), ["1"]);
        task.attributes.insert("role".into(), "risk_owner".into());
        assert_eq!(logins(&task), ["2", "3"]);
        task.attributes.insert("assignee".into(), id(9).to_string().into());
        assert_eq!(logins(&task), ["2"]);
        task.attributes.insert("assignee".into(), id(8).to_string().into());
        assert_eq!(logins(&task), ["1"], "the named party has no account");
    }
}
