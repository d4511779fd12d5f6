//! SPDX expressions against what the house allows and refuses. Pure.

use spdx::{Expression, LicenseReq};

/// Lists of a policy: identifiers, or beginnings that end in `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub allowed: Vec<String>,
    pub refused: Vec<String>,
}

/// What a policy says of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Allowed,
    /// The licences that stand in the way.
    Refused(Vec<String>),
    /// Neither allowed nor refused: somebody has to look.
    Open(Vec<String>),
    /// Not an SPDX expression: why.
    Unreadable(String),
}

impl Said {
    pub fn as_str(&self) -> &'static str {
        match self {
            Said::Allowed => "allowed",
            Said::Refused(_) => "refused",
            Said::Open(_) => "open",
            Said::Unreadable(_) => "unreadable",
        }
    }
}

impl Policy {
    /// Whether the expression can be met without a licence that is not wanted: of `A OR B` one is enough.
    pub fn say(&self, expression: &str) -> Said {
        let parsed = match Expression::parse(expression) {
            Ok(parsed) => parsed,
            Err(error) => return Said::Unreadable(error.reason.to_string()),
        };
        let is_refused = |req: &LicenseReq| lists(&self.refused, req);
        let is_allowed = |req: &LicenseReq| lists(&self.allowed, req) && !is_refused(req);
        if parsed.evaluate(is_allowed) {
            return Said::Allowed;
        }
        let named = |wanted: &dyn Fn(&LicenseReq) -> bool| -> Vec<String> {
            let all = parsed.requirements().filter(|one| wanted(&one.req));
            all.map(|one| one.req.to_string()).collect()
        };
        match parsed.evaluate(|req| !is_refused(req)) {
            false => Said::Refused(named(&is_refused)),
            true => Said::Open(named(&|req| !is_allowed(req))),
        }
    }
}

fn lists(list: &[String], req: &LicenseReq) -> bool {
    let whole = req.to_string().to_lowercase();
    // `GPL-2.0-only WITH Classpath-exception-2.0` is another licence than the plain one, so only the whole counts.
    list.iter().map(|one| one.trim().to_lowercase()).any(|one| match one.strip_suffix('*') {
        Some(start) => !start.is_empty() && whole.starts_with(start),
        None => one == whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Policy {
            allowed: texts(&["MIT", "apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"]),
            refused: texts(&["AGPL-*", "SSPL-1.0"]),
        }
    }

    #[test]
    fn one_way_to_meet_an_expression_is_enough_and_all_parts_of_it_count() {
        let policy = policy();
        for (expression, said) in [
            ("MIT", "allowed"),
            ("MIT OR AGPL-3.0-only", "allowed"),
            ("MIT AND AGPL-3.0-only", "refused"),
            ("AGPL-3.0-or-later", "refused"),
            ("MIT AND Zlib", "open"),
            ("Zlib OR SSPL-1.0", "open"),
            ("GPL-2.0-only WITH Classpath-exception-2.0", "allowed"),
            ("GPL-2.0-only", "open"),
            ("(MIT OR Zlib) AND Apache-2.0", "allowed"),
            ("freeware", "unreadable"),
            ("", "unreadable"),
        ] {
            assert_eq!(policy.say(expression).as_str(), said, "{expression}");
        }
        let Said::Refused(named) = policy.say("MIT AND AGPL-3.0-only") else { panic!("refused") };
        assert_eq!(named, ["AGPL-3.0-only"]);
    }
}
