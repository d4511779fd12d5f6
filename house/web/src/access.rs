//! Who may do what: one table of role × action, and what of a row a role sees.

use model::{Field, KindSpec};
use serde_json::Value as Json;
use store::{Account, Reach, Row};

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See registers, records, levels and the ledger.
    Read,
    /// Add and change rows, hand in evidence.
    Write,
    /// Approve, exclude, accept.
    Decide,
    /// Accounts, targets, settings.
    Administer,
}

/// The seven base roles, in the order of the settings page.
pub const ROLES: [&str; 7] =
    ["officer", "administrator", "risk_owner", "executive", "department", "employee", "auditor"];

/// Whether the role may do it. An unknown role may do nothing.
pub fn allowed(role: &str, action: Action) -> bool {
    use Action::{Administer, Decide, Read, Write};
    let may: &[Action] = match role {
        "officer" => &[Read, Write, Decide, Administer],
        "administrator" => &[Read, Write, Administer],
        "risk_owner" => &[Read, Write, Decide],
        "executive" => &[Read, Decide],
        "department" => &[Read, Write],
        "auditor" => &[Read],
        // An employee's home shows their own tasks; the registers stay closed.
        _ => &[],
    };
    may.contains(&action)
}

/// Whether the role sees personal fields. Who may change a row sees it whole, so that no save loses
/// what was masked.
pub fn sees_personal(role: &str) -> bool {
    allowed(role, Action::Write)
}

/// Who looks at rows: a role, or the house itself, as the command line on its own folder.
#[derive(Clone, Debug)]
pub struct Reader {
    role: Option<String>,
}

impl Reader {
    /// The house itself: sees everything.
    pub fn house() -> Reader {
        Reader { role: None }
    }

    /// The holder of an account.
    pub fn of(account: &Account) -> Reader {
        Reader { role: Some(account.role.clone()) }
    }

    /// See [`sees_personal`].
    pub fn sees_personal(&self) -> bool {
        self.role.as_deref().is_none_or(sees_personal)
    }

    /// Whether the values of a field are shown.
    pub fn sees(&self, field: &Field) -> bool {
        !field.personal || self.sees_personal()
    }

    /// How far the reader reaches in lists and searches.
    pub fn reach(&self) -> Reach {
        Reach { hides_personal: !self.sees_personal() }
    }

    /// The row as JSON without what this reader may not see. A field that no kind declares any more
    /// is of unknown nature and goes with the personal ones.
    pub fn json(&self, kind: Option<&KindSpec>, row: &Row) -> Json {
        let mut json = row.to_json();
        if self.sees_personal() {
            return json;
        }
        if let Some(attributes) = json["attributes"].as_object_mut() {
            let field = |name: &str| kind.and_then(|k| k.field(name));
            attributes.retain(|name, _| field(name).is_some_and(|f| self.sees(f)));
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_fields_show_to_those_who_write_and_to_the_house() {
        let seeing: Vec<&str> = ROLES.into_iter().filter(|r| sees_personal(r)).collect();
        assert_eq!(seeing, ["officer", "administrator", "risk_owner", "department"]);
        assert!(!sees_personal("root"));
        assert!(Reader::house().sees_personal() && !Reader::house().reach().hides_personal);
    }

    #[test]
    fn an_auditor_changes_nothing_and_an_administrator_approves_nothing() {
        assert!(allowed("auditor", Action::Read));
        for action in [Action::Write, Action::Decide, Action::Administer] {
            assert!(!allowed("auditor", action));
        }
        assert!(!allowed("administrator", Action::Decide));
        assert!(!allowed("root", Action::Read));
    }
}
