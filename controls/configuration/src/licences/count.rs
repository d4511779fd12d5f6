//! Counts use against entitlement. Pure.

use std::collections::{BTreeMap, BTreeSet};

use model::Id;

use super::policy::Said;

/// How a licence is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Device,
    Core,
    Site,
    /// People: counted only where the register says who uses it.
    User,
    /// Nothing to count against.
    Free,
}

impl Metric {
    pub fn named(name: &str) -> Option<Metric> {
        Some(match name {
            "device" | "subscription" => Metric::Device,
            "core" => Metric::Core,
            "site" => Metric::Site,
            "user" => Metric::User,
            "open_source" => Metric::Free,
            _ => return None,
        })
    }
}

/// A licence of the register.
#[derive(Clone, Debug)]
pub(crate) struct Licence {
    pub id: Id,
    pub metric: Option<Metric>,
    pub quantity: u64,
    pub is_expired: bool,
    /// What the policy says of its expression, if it has one.
    pub said: Option<Said>,
}

/// A product and where it is used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Product {
    /// Own products need no licence.
    pub is_own: bool,
    pub licence: Option<Id>,
    pub hosts: BTreeSet<Id>,
    pub people: BTreeSet<Id>,
    pub support_end: Option<String>,
    pub is_decided: bool,
}

/// What is known of a host that may count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    pub cores: Option<u64>,
    pub place: Option<String>,
}

/// Use against entitlement of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub used: u64,
    pub entitled: u64,
    pub support_end_known: bool,
    pub past_end_undecided: u64,
}

/// Why a product has no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uncounted {
    /// The licence says by what it is counted that this build does not know.
    Metric,
    /// Cores of a host are not in the register.
    Cores,
    /// Where a host stands is not in the register.
    Places,
    /// Nobody is said to use it.
    People,
    /// The expression of the licence is none, or the policy says nothing of it.
    Policy,
}

impl Uncounted {
    pub fn as_str(self) -> &'static str {
        match self {
            Uncounted::Metric => "metric",
            Uncounted::Cores => "cores",
            Uncounted::Places => "places",
            Uncounted::People => "people",
            Uncounted::Policy => "policy",
        }
    }
}

/// What is used of a licence by all products under it.
pub(crate) fn used(
    metric: Metric,
    products: &[&Product],
    machines: &BTreeMap<Id, Machine>,
) -> Result<u64, Uncounted> {
    let hosts: BTreeSet<Id> = products.iter().flat_map(|one| one.hosts.iter().copied()).collect();
    let known = |host: &Id| machines.get(host).cloned().unwrap_or_default();
    match metric {
        Metric::Device | Metric::Free => Ok(hosts.len() as u64),
        Metric::Core => {
            let cores = hosts.iter().map(|host| known(host).cores.ok_or(Uncounted::Cores));
            cores.sum()
        }
        Metric::Site => {
            let places = hosts.iter().map(|host| known(host).place.ok_or(Uncounted::Places));
            Ok(places.collect::<Result<BTreeSet<String>, _>>()?.len() as u64)
        }
        Metric::User => {
            let people: BTreeSet<Id> =
                products.iter().flat_map(|one| one.people.iter().copied()).collect();
            if people.is_empty() { Err(Uncounted::People) } else { Ok(people.len() as u64) }
        }
    }
}

/// Counts a product; `all` are the products of the house, `today` as registers write days.
pub(crate) fn count(
    product: &Product,
    all: &[Product],
    licences: &[Licence],
    machines: &BTreeMap<Id, Machine>,
    today: &str,
) -> Result<Count, Uncounted> {
    let is_past = product.support_end.as_deref().is_some_and(|end| end < today);
    let count = |used, entitled| Count {
        used,
        entitled,
        support_end_known: product.support_end.is_some(),
        past_end_undecided: u64::from(is_past && !product.is_decided),
    };
    let installed = product.hosts.len() as u64;
    if product.is_own {
        return Ok(count(installed, installed));
    }
    let licence = licences.iter().find(|licence| Some(licence.id) == product.licence);
    let Some(licence) = licence else { return Ok(count(installed, 0)) };
    let metric = licence.metric.ok_or(Uncounted::Metric)?;
    let under: Vec<&Product> =
        all.iter().filter(|other| other.licence == Some(licence.id)).collect();
    let used = used(metric, &under, machines)?;
    match &licence.said {
        // Refused: nothing of it may be used, and one use is too many even if none was seen.
        Some(Said::Refused(_)) => return Ok(count(used.max(1), 0)),
        Some(Said::Open(_) | Said::Unreadable(_)) => return Err(Uncounted::Policy),
        Some(Said::Allowed) | None => {}
    }
    let entitled = match (licence.is_expired, metric) {
        (true, _) => 0,
        (false, Metric::Free) => used,
        (false, _) => licence.quantity,
    };
    Ok(count(used, entitled))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> Id {
        format!("01936b3a-0000-7000-8000-0000000000{n:02x}").parse().expect("id")
    }

    fn licence(metric: &str, quantity: u64) -> Licence {
        Licence {
            id: id(1),
            metric: Metric::named(metric),
            quantity,
            is_expired: false,
            said: None,
        }
    }

    fn product(hosts: &[u8]) -> Product {
        Product {
            licence: Some(id(1)),
            hosts: hosts.iter().map(|n| id(*n)).collect(),
            support_end: Some("2027-01-01".into()),
            ..Product::default()
        }
    }

    fn machines() -> BTreeMap<Id, Machine> {
        let machine =
            |cores, place: Option<&str>| Machine { cores, place: place.map(str::to_owned) };
        BTreeMap::from([
            (id(10), machine(Some(4), Some("本社"))),
            (id(11), machine(Some(8), Some("本社"))),
            (id(12), machine(None, None)),
        ])
    }

    fn counted(all: &[Product], licence: Licence) -> Result<Count, Uncounted> {
        count(&all[0], all, &[licence], &machines(), "2026-11-29")
    }

    #[test]
    fn products_under_one_licence_are_counted_together() {
        let all = [product(&[10]), product(&[10, 11])];
        let one = counted(&all, licence("device", 1)).expect("counted");
        assert_eq!((one.used, one.entitled), (2, 1));
        let cores = counted(&all, licence("core", 12)).expect("counted");
        assert_eq!((cores.used, cores.entitled), (12, 12));
        let sites = counted(&all, licence("site", 1)).expect("counted");
        assert_eq!(sites.used, 1);
    }

    #[test]
    fn what_is_not_known_has_no_number() {
        let all = [product(&[12])];
        assert_eq!(counted(&all, licence("core", 99)), Err(Uncounted::Cores));
        assert_eq!(counted(&all, licence("site", 99)), Err(Uncounted::Places));
        assert_eq!(counted(&all, licence("user", 99)), Err(Uncounted::People));
        assert_eq!(counted(&all, licence("oral", 99)), Err(Uncounted::Metric));
        let open = Licence { said: Some(Said::Open(vec![])), ..licence("open_source", 0) };
        assert_eq!(counted(&all, open), Err(Uncounted::Policy));
    }

    #[test]
    fn nothing_entitles_that_has_ended_is_refused_or_was_never_bought() {
        let all = [product(&[10])];
        let expired = Licence { is_expired: true, ..licence("device", 9) };
        assert_eq!(counted(&all, expired).expect("counted").entitled, 0);
        let refused = Licence { said: Some(Said::Refused(vec![])), ..licence("open_source", 9) };
        let unused = [product(&[])];
        let one = counted(&unused, refused).expect("counted");
        assert!(one.used > one.entitled);
        let unlicensed = Product { licence: None, ..product(&[10]) };
        let one = count(&unlicensed, &[], &[], &machines(), "2026-11-29").expect("counted");
        assert_eq!((one.used, one.entitled), (1, 0));
        let own = Product { is_own: true, ..unlicensed };
        let one = count(&own, &[], &[], &machines(), "2026-11-29").expect("counted");
        assert_eq!((one.used, one.entitled), (1, 1));
    }

    #[test]
    fn an_end_that_has_passed_waits_for_a_decision_and_an_unknown_one_is_said() {
        let past = Product { support_end: Some("2026-11-28".into()), ..product(&[]) };
        let one = counted(std::slice::from_ref(&past), licence("device", 1)).expect("counted");
        assert_eq!((one.support_end_known, one.past_end_undecided), (true, 1));
        let decided = [Product { is_decided: true, ..past }];
        assert_eq!(counted(&decided, licence("device", 1)).expect("counted").past_end_undecided, 0);
        let unknown = [Product { support_end: None, ..product(&[]) }];
        assert!(!counted(&unknown, licence("device", 1)).expect("counted").support_end_known);
    }
}
