//! Who may change which account: pure rules.

use crate::access::ROLES;

/// What someone wants to do to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    Add(&'a str),
    Role(&'a str),
    Disable,
    Enable,
    ResetPassword,
    ResetFactor,
    EndSessions,
    /// To narrow to sites, or to widen again.
    Sites,
}

/// Most sites to which one account is narrowed.
pub const SITES_MAX: usize = 20;

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// One's own account is changed on one's own page, never its rights.
    Own,
    /// Only an officer touches officers or makes them: else an administrator would become one.
    OfficersOnly,
    UnknownRole,
    /// Only officers and administrators keep accounts.
    NotAllowed,
    /// Only an officer says how far others reach.
    SitesByOfficers,
    /// Who answers for the whole is not narrowed to a part.
    OfficerWhole,
}

impl No {
    /// What to tell the reader.
    pub fn text(self) -> model::Text {
        match self {
            No::Own => model::t(
                "自分のアカウントの権限や状態は変更できません。ほかの担当者に依頼してください。",
                "You cannot change the rights or state of your own account. Ask someone else.",
            ),
            No::OfficersOnly => model::t(
                "ISMS担当者のアカウントを作成・変更できるのは、ISMS担当者だけです。",
                "Only an officer can make or change an officer's account.",
            ),
            No::UnknownRole => model::t("役割が正しくありません。", "There is no such role."),
            No::NotAllowed => model::t(
                "アカウントを管理できるのは、ISMS担当者と管理者だけです。",
                "Only officers and administrators keep accounts.",
            ),
            No::SitesByOfficers => model::t(
                "アカウントの拠点を変更できるのは、ISMS担当者だけです。",
                "Only an officer narrows accounts to sites.",
            ),
            No::OfficerWhole => model::t(
                "ISMS担当者のアカウントは拠点で絞り込めません。",
                "An officer's account cannot be narrowed to sites.",
            ),
        }
    }
}

/// Holds an act against the rules. That the last officer stays is kept by the store, which alone can
/// count without a race.
pub fn judge(actor_role: &str, own: bool, target_role: &str, act: Act) -> Result<(), No> {
    if !matches!(actor_role, "officer" | "administrator") {
        return Err(No::NotAllowed);
    }
    let new_role = match act {
        Act::Add(role) | Act::Role(role) => Some(role),
        _ => None,
    };
    if new_role.is_some_and(|role| !ROLES.contains(&role)) {
        return Err(No::UnknownRole);
    }
    if own {
        return Err(No::Own);
    }
    let touches_officer = target_role == "officer" || new_role == Some("officer");
    if touches_officer && actor_role != "officer" {
        return Err(No::OfficersOnly);
    }
    if act == Act::Sites && actor_role != "officer" {
        return Err(No::SitesByOfficers);
    }
    if act == Act::Sites && touches_officer {
        return Err(No::OfficerWhole);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTS: [Act; 6] = [
        Act::Role("auditor"),
        Act::Disable,
        Act::Enable,
        Act::ResetPassword,
        Act::ResetFactor,
        Act::EndSessions,
    ];

    #[test]
    fn an_administrator_never_becomes_or_takes_over_an_officer() {
        assert_eq!(
            judge("administrator", true, "administrator", Act::Role("officer")),
            Err(No::Own)
        );
        for act in [Act::Add("officer"), Act::Role("officer")] {
            assert_eq!(judge("administrator", false, "auditor", act), Err(No::OfficersOnly));
        }
        for act in ACTS {
            assert_eq!(judge("administrator", false, "officer", act), Err(No::OfficersOnly));
            assert_eq!(judge("administrator", false, "employee", act), Ok(()));
            assert_eq!(judge("officer", false, "officer", act), Ok(()));
        }
    }

    #[test]
    fn only_an_officer_narrows_and_no_officer_is_narrowed() {
        assert_eq!(judge("officer", false, "administrator", Act::Sites), Ok(()));
        assert_eq!(judge("officer", false, "officer", Act::Sites), Err(No::OfficerWhole));
        let refused = judge("administrator", false, "auditor", Act::Sites);
        assert_eq!(refused, Err(No::SitesByOfficers));
        assert_eq!(judge("administrator", false, "officer", Act::Sites), Err(No::OfficersOnly));
        assert_eq!(judge("department", false, "employee", Act::Sites), Err(No::NotAllowed));
    }

    #[test]
    fn nobody_changes_their_own_rights() {
        for act in ACTS {
            assert_eq!(judge("officer", true, "officer", act), Err(No::Own));
        }
    }

    #[test]
    fn the_other_roles_keep_no_accounts_and_unknown_roles_are_refused() {
        for role in ROLES.iter().filter(|r| !matches!(**r, "officer" | "administrator")) {
            for act in ACTS {
                assert_eq!(judge(role, false, "employee", act), Err(No::NotAllowed));
            }
        }
        assert_eq!(judge("officer", false, "", Act::Add("root")), Err(No::UnknownRole));
    }
}
