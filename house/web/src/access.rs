//! Who may do what: one table of role × action.

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

#[cfg(test)]
mod tests {
    use super::*;

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
