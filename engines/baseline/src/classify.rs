//! What a difference is: volatile, of a package, authorised, intended, or unauthorised, in that
//! order. Nothing here becomes the new truth: a verdict names a reason and never absorbs a delta.

use std::collections::HashMap;

use serde::Serialize;

use crate::{
    bytes::Bytes,
    diff::Delta,
    fact::{Class, Value},
    glob,
    integrity::Integrity,
    upgrade::Upgrade,
};

/// Classes of drift, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftClass {
    Volatile,
    PackageManaged,
    Authorised,
    Intended,
    Unauthorised,
}

impl DriftClass {
    pub fn as_str(self) -> &'static str {
        match self {
            DriftClass::Volatile => "volatile",
            DriftClass::PackageManaged => "package_managed",
            DriftClass::Authorised => "authorised",
            DriftClass::Intended => "intended",
            DriftClass::Unauthorised => "unauthorised",
        }
    }
}

/// Which facts: a class, or any, and a shell pattern over names in which `*` goes over `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub class: Option<Class>,
    pub pattern: Bytes,
}

impl Scope {
    /// Whether it means the fact of this class and name.
    pub fn has(&self, class: Class, name: &Bytes) -> bool {
        self.class.is_none_or(|own| own == class)
            && glob::loose(self.pattern.as_slice(), name.as_slice())
    }

    fn holds(&self, delta: &Delta) -> bool {
        self.has(delta.class, &delta.name)
    }
}

/// A reviewed mask. Past its end it masks nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    pub scope: Scope,
    /// Seconds since 1970.
    pub ends_at: i64,
    pub reason: String,
}

/// A change that was approved by somebody other than who asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedChange {
    pub id: String,
    pub scopes: Vec<Scope>,
    /// Exact deltas: key and the value it is to have. When given, nothing else is covered.
    pub exact: Vec<(Class, Bytes, Option<Value>)>,
    pub from: i64,
    pub to: i64,
    /// Who may do it; empty means anybody.
    pub actors: Vec<String>,
}

/// What is known of who made a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    pub party: String,
    /// Program, session, unit: as far as known.
    pub evidence: String,
    /// When it was done, in seconds since 1970.
    pub at: i64,
}

/// What differences are judged by.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub masks: Vec<Mask>,
    /// The newer snapshot held against the manifests of its packages.
    pub integrity: Integrity,
    /// The older one; without it less of what vanished is explained.
    pub before: Integrity,
    pub changes: Vec<ApprovedChange>,
    /// Design values: key and the value it is meant to have; `None`: it is meant not to be.
    pub design: Vec<(Class, Bytes, Option<Value>)>,
    /// By class and name of a delta.
    pub actors: HashMap<(Class, Bytes), Actor>,
    /// When the difference can have come about at the earliest and at the latest.
    pub seen_from: i64,
    pub seen_to: i64,
}

/// The judgement on one delta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub class: DriftClass,
    /// Stable word: `mask`, `manifest`, `change`, `design`, `nothing`, `outside_window`, `other_actor`, `mask_expired`.
    pub reason: &'static str,
    /// Mask, package or change that decided.
    pub by: Option<String>,
    /// Never guessed: none is unknown.
    pub actor: Option<Actor>,
}

/// A verdict for each delta, in the order given.
pub fn classify(deltas: &[Delta], context: &Context) -> Vec<Verdict> {
    let upgrade = Upgrade::of(deltas, context);
    deltas.iter().map(|delta| judge(delta, context, &upgrade)).collect()
}

fn judge(delta: &Delta, context: &Context, upgrade: &Upgrade<'_>) -> Verdict {
    let actor = context.actors.get(&(delta.class, delta.name.clone())).cloned();
    let verdict =
        |class, reason, by: Option<String>| Verdict { class, reason, by, actor: actor.clone() };
    let mut why = "nothing";
    for mask in context.masks.iter().filter(|mask| mask.scope.holds(delta)) {
        if context.seen_to < mask.ends_at {
            return verdict(DriftClass::Volatile, "mask", Some(mask.reason.clone()));
        }
        why = "mask_expired";
    }
    if let Some(package) = upgrade.explains(delta) {
        return verdict(DriftClass::PackageManaged, "manifest", Some(package));
    }
    for change in context.changes.iter().filter(|change| covers(change, delta)) {
        let (from, to) =
            actor.as_ref().map_or((context.seen_from, context.seen_to), |a| (a.at, a.at));
        // Without a known time the whole span in which it may have happened has to touch the window.
        if to < change.from || from > change.to {
            why = "outside_window";
            continue;
        }
        let is_named = |actor: &Actor| change.actors.contains(&actor.party);
        if !change.actors.is_empty() && actor.as_ref().is_some_and(|actor| !is_named(actor)) {
            why = "other_actor";
            continue;
        }
        return verdict(DriftClass::Authorised, "change", Some(change.id.clone()));
    }
    let designed =
        context.design.iter().find(|(class, name, _)| *class == delta.class && *name == delta.name);
    if designed.is_some_and(|(_, _, value)| *value == delta.after) {
        return verdict(DriftClass::Intended, "design", None);
    }
    verdict(DriftClass::Unauthorised, why, None)
}

fn covers(change: &ApprovedChange, delta: &Delta) -> bool {
    if !change.exact.is_empty() {
        return change.exact.iter().any(|(class, name, value)| {
            *class == delta.class && *name == delta.name && *value == delta.after
        });
    }
    change.scopes.iter().any(|scope| scope.holds(delta))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Origin;

    fn delta(class: Class, name: &str, after: Option<Value>) -> Delta {
        Delta {
            class,
            name: name.into(),
            before: Some(Value::Int(0)),
            after,
            origin: Origin::Default,
        }
    }

    fn scope(class: Class, pattern: &str) -> Scope {
        Scope { class: Some(class), pattern: pattern.into() }
    }

    #[test]
    fn the_first_class_that_fits_decides_and_nothing_is_absorbed() {
        let context = Context {
            masks: vec![
                Mask {
                    scope: scope(Class::LastLogin, "*"),
                    ends_at: 200,
                    reason: "log-ins".into(),
                },
                Mask { scope: scope(Class::Sysctl, "old"), ends_at: 50, reason: "old".into() },
            ],
            changes: vec![ApprovedChange {
                id: "C-1".into(),
                scopes: vec![scope(Class::Sshd, "*")],
                exact: Vec::new(),
                from: 10,
                to: 90,
                actors: vec!["P-1".into()],
            }],
            design: vec![(Class::Sysctl, "kernel.sysrq".into(), Some(Value::Int(1)))],
            actors: HashMap::from([(
                (Class::Sshd, Bytes::from("banner")),
                Actor { party: "P-2".into(), evidence: "vi".into(), at: 50 },
            )]),
            seen_from: 40,
            seen_to: 100,
            ..Context::default()
        };
        let one = Some(Value::Int(1));
        let deltas = [
            delta(Class::LastLogin, "root", one.clone()),
            delta(Class::Sysctl, "old", one.clone()),
            delta(Class::Sshd, "port", one.clone()),
            delta(Class::Sshd, "banner", one.clone()),
            delta(Class::Sysctl, "kernel.sysrq", one.clone()),
            delta(Class::User, "eve", one),
        ];
        let found: Vec<_> =
            classify(&deltas, &context).iter().map(|v| (v.class.as_str(), v.reason)).collect();
        assert_eq!(
            found,
            [
                ("volatile", "mask"),
                ("unauthorised", "mask_expired"),
                ("authorised", "change"),
                ("unauthorised", "other_actor"),
                ("intended", "design"),
                ("unauthorised", "nothing"),
            ]
        );
    }
}
