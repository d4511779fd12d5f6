//! What the organisation asks of a decision: whose signatures, how many, for how long.
//!
//! The rules are rows of kind `approval_policy`, read by the names of their fields. Several rules for
//! one kind of decision all hold: the largest quorum, the roles that every rule names, the shortest
//! time. Without a rule one signature of anyone who may decide is enough.

use model::{Id, Lang, Table};
use serde_json::Value as Json;
use store::{Filter, PAGE_ROWS_MAX, Row, Store, StoreError};

use super::{HOURS_PER_MONTH, statement};
use crate::{House, access::ROLES};

/// Kind of the rules.
pub const APPROVAL_POLICY: &str = "approval_policy";
/// A small-organisation exception holds no longer.
pub const EXCEPTION_MONTHS_MAX: i64 = 12;
/// Who may sign one.
pub const EXCEPTION_ROLES: [&str; 2] = ["executive", "officer"];
/// More signatures than that are asked of nobody.
const QUORUM_MAX: i64 = 20;

/// What holds for one kind of decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The rules that were read.
    pub rules: Vec<Id>,
    /// Roles that may sign; `None` for everyone who may decide.
    pub roles: Option<Vec<&'static str>>,
    pub quorum: usize,
    pub hours_max: Option<i64>,
    /// The rules that would admit self-approval, if an exception about them is signed.
    self_rules: Vec<Row>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            rules: Vec::new(),
            roles: None,
            quorum: 1,
            hours_max: None,
            self_rules: Vec::new(),
        }
    }
}

impl Policy {
    /// What holds for a decision that is of all these kinds at once: a confirmation is also of the kind
    /// of what it confirms.
    pub async fn of(house: &House, kinds: &[&str]) -> Result<Policy, StoreError> {
        let filter = Filter {
            kind: Some(APPROVAL_POLICY.to_owned()),
            status: Some("active".to_owned()),
            limit: PAGE_ROWS_MAX,
            ..Filter::default()
        };
        let rules = house.store.list(Table::Rule, &filter).await?;
        let names: Vec<String> = kinds.iter().flat_map(|kind| names_of(house, kind)).collect();
        Ok(Policy::from_rules(rules, &names))
    }

    fn from_rules(rules: Vec<Row>, names: &[String]) -> Policy {
        let mut policy = Policy::default();
        for rule in rules {
            let about = texts(&rule, "decisions");
            if !about.iter().any(|named| named == "*" || names.contains(named)) {
                continue;
            }
            let number = |name| rule.attributes.get(name).and_then(Json::as_i64);
            let quorum = number("quorum").unwrap_or(1).clamp(1, QUORUM_MAX) as usize;
            policy.quorum = policy.quorum.max(quorum);
            let hours = number("valid_days").map(|days| days.saturating_mul(24));
            policy.hours_max = policy.hours_max.into_iter().chain(hours).min();
            let roles: Vec<&str> = texts(&rule, "roles").iter().filter_map(|r| role(r)).collect();
            policy.roles = Some(match policy.roles.take() {
                None => roles,
                Some(all) => all.into_iter().filter(|r| roles.contains(r)).collect(),
            });
            policy.rules.push(rule.id);
            if rule.attributes.get("self_approval").and_then(Json::as_bool) == Some(true) {
                policy.self_rules.push(rule);
            }
        }
        policy
    }

    /// Whether someone in this role may sign.
    pub fn admits(&self, role: &str) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.contains(&role))
    }

    /// The signed exception that lets the one who changed a row last approve it.
    pub async fn self_approval(&self, store: &Store) -> Result<Option<Id>, StoreError> {
        for rule in &self.self_rules {
            let filter = Filter {
                kind: Some("exception".to_owned()),
                subject: Some(rule.id),
                status: Some("approved".to_owned()),
                limit: PAGE_ROWS_MAX,
                ..Filter::default()
            };
            let hash = rule.content_hash()?;
            let now = store.now();
            let holds = |exception: &&Row| {
                let ends = exception.ends_at;
                let latest =
                    exception.updated_at.plus_hours(EXCEPTION_MONTHS_MAX * HOURS_PER_MONTH);
                let officers = statement::signatures(exception).iter().all(|s| {
                    let hand = s.statement.acting_for.as_ref().unwrap_or(&s.statement.signer);
                    EXCEPTION_ROLES.contains(&hand.role.as_str())
                });
                exception.subject_hash.as_deref() == Some(&hash)
                    && ends.is_some_and(|end| end > now && end <= latest)
                    && officers
                    && statement::signed_by_any(exception)
            };
            let found = store.list(Table::Decision, &filter).await?;
            if let Some(exception) = found.iter().find(holds) {
                return Ok(Some(exception.id));
            }
        }
        Ok(None)
    }
}

/// Names under which a rule may speak of a kind of decision: its id, and its titles.
fn names_of(house: &House, kind: &str) -> Vec<String> {
    let mut names = vec![kind.to_owned()];
    if let Some((_, kind)) = house.kind(Table::Decision, kind) {
        names.extend([Lang::Ja, Lang::En].map(|lang| kind.title.get(lang).to_lowercase()));
    }
    names
}

fn texts(rule: &Row, name: &str) -> Vec<String> {
    let list = rule.attributes.get(name).and_then(Json::as_array);
    let texts = list.into_iter().flatten().filter_map(Json::as_str);
    texts.map(|text| text.trim().to_lowercase()).collect()
}

/// The role that a rule names, by its id or as the pages call it.
fn role(named: &str) -> Option<&'static str> {
    ROLES.into_iter().find(|role| {
        let text = crate::access::role_text(role);
        *role == named || [Lang::Ja, Lang::En].iter().any(|l| text.get(*l).to_lowercase() == named)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(attributes: Json) -> Row {
        let mut row = Row::new(Table::Rule, Id::nil(), APPROVAL_POLICY, "rule");
        row.attributes = attributes.as_object().cloned().unwrap();
        row
    }

    fn read(rules: &[Json]) -> Policy {
        let rules = rules.iter().cloned().map(rule).collect();
        Policy::from_rules(rules, &["approval".to_owned(), "承認".to_owned()])
    }

    #[test]
    fn without_a_rule_one_signature_of_anyone_is_enough() {
        let other =
            json!({"decisions": ["exclusion"], "roles": ["officer"], "quorum": 3, "valid_days": 1});
        let policy = read(&[other]);
        assert_eq!(policy, Policy::default());
        assert!(policy.admits("risk_owner"));
    }

    #[test]
    fn of_several_rules_the_strictest_holds() {
        let policy = read(&[
            json!({"decisions": ["承認"], "roles": ["Executive", "ISMS担当者"], "quorum": 1, "valid_days": 30}),
            json!({"decisions": ["*"], "roles": ["executive", "risk_owner"], "quorum": 2, "valid_days": 90}),
        ]);
        assert_eq!(policy.quorum, 2);
        assert_eq!(policy.hours_max, Some(30 * 24));
        assert!(policy.admits("executive"));
        assert!(!policy.admits("officer") && !policy.admits("risk_owner"));
    }

    #[test]
    fn a_rule_that_names_no_role_we_know_admits_nobody() {
        let policy = read(&[json!({"decisions": ["approval"], "roles": ["boss"], "quorum": 0})]);
        assert_eq!(policy.quorum, 1);
        assert!(ROLES.iter().all(|role| !policy.admits(role)));
    }
}
