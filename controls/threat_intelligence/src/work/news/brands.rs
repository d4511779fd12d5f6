//! Domains that look like a brand of ours: where they were seen, and why they look like it.
//!
//! A likeness is a reason to look, never a verdict. Looked at are indicators of items, what the published set holds
//! (the lists of feeds among it), and what somebody pastes.
//!
//! Limits: [`DOMAINS_MAX`] domains of the set, [`PASTED_MAX`] pasted, [`FOUND_MAX`] found.

use std::{collections::BTreeMap, path::Path};

use indicators::{Ceiling, Kind, Set};
use intel::Current;
use merkle::VerifierKey;
use model::{Id, Table, Text, t};
use netname::{Brand, Domain, Likeness, Names, lookalike};
use serde_json::Value as Json;
use store::{Row, Store, StoreError};

use crate::work::inbox::ITEM;

pub const KIND: &str = "brand";
/// Somebody asked that a site be taken down.
pub const TAKEDOWN: &str = "threat_intelligence.takedown_requested";
pub const DOMAINS_MAX: usize = 500_000;
pub const PASTED_MAX: usize = 5_000;
pub const FOUND_MAX: usize = 500;

/// Where a domain was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    Item(Id),
    Set,
    Pasted,
}

/// A domain that looks like a brand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// As people read it, and as programs write it if that differs.
    pub domain: String,
    pub ascii: String,
    pub brand: Id,
    pub word: String,
    pub likeness: Likeness,
    pub seen: Seen,
}

/// A brand of the register.
pub struct Watched {
    pub row: Row,
    brands: Vec<Brand>,
    /// Words that are too short to be looked for.
    pub short: Vec<String>,
}

/// How a domain is like a brand, in words.
pub fn text(likeness: Likeness) -> Text {
    match likeness {
        Likeness::OtherSuffix => t("同じ名前で別の末尾", "same name, other suffix"),
        Likeness::Confusable => t("見た目が同じ", "looks the same"),
        Likeness::Typo(1) => t("1文字違い", "one letter differs"),
        Likeness::Typo(_) => t("2文字違い", "two letters differ"),
        Likeness::Word => t("名称を含む別のドメイン", "brand word on a foreign domain"),
    }
}

/// The nearest first.
fn rank(likeness: Likeness) -> usize {
    match likeness {
        Likeness::Confusable => 0,
        Likeness::OtherSuffix => 1,
        Likeness::Typo(far) => 1 + far,
        Likeness::Word => 9,
    }
}

/// Brands in use.
pub async fn watched(store: &Store) -> Result<Vec<Watched>, StoreError> {
    let rows = store.all(Table::Asset, &[KIND]).await?;
    let used = rows.into_iter().filter(|row| !row.deleted && row.status == "active");
    Ok(used.map(of).collect())
}

fn of(row: Row) -> Watched {
    let listed = |name: &str| -> Vec<String> {
        let all = row.attributes.get(name).and_then(Json::as_array).into_iter().flatten();
        all.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    let own: Vec<Domain> =
        listed("domains").iter().filter_map(|name| Domain::parse(name).ok()).collect();
    let (mut brands, mut short) = (Vec::new(), Vec::new());
    for word in listed("words") {
        match Brand::new(&word, own.clone()) {
            Ok(brand) => brands.push(brand),
            Err(_) => short.push(word),
        }
    }
    Watched { row, brands, short }
}

/// Domains that items name, with the item.
pub async fn of_items(store: &Store) -> Result<Vec<(String, Seen)>, StoreError> {
    let mut all = Vec::new();
    for item in store.all(Table::Asset, &[ITEM]).await?.iter().filter(|item| !item.deleted) {
        let keys = item.attributes.get("group").and_then(Json::as_array).into_iter().flatten();
        for key in keys.filter_map(Json::as_str) {
            let name = match key.split_once(':') {
                Some(("domain", name)) => Some(name),
                Some(("url", url)) => host(url),
                _ => None,
            };
            all.extend(name.map(|name| (name.to_owned(), Seen::Item(item.id))));
        }
    }
    Ok(all)
}

/// Domains that the published set holds, the hosts of its pages among them. Reading blocks; where there is no set, or
/// one that this house did not sign, there are none.
pub fn of_set(data: &Path, keys: &[VerifierKey]) -> Result<Vec<(String, Seen)>, intel::Error> {
    let current = Current::load(&data.join(intel::FOLDER), keys)?;
    let Some(current) = current else { return Ok(Vec::new()) };
    Ok(domains(current.set()))
}

fn domains(set: &Set<'_>) -> Vec<(String, Seen)> {
    let mut all = Vec::new();
    // What of a damaged file was read before the damage counts.
    let _ = set.scan(|hit| {
        if all.len() >= DOMAINS_MAX || hit.ceiling == Ceiling::Nothing {
            return;
        }
        let value = hit.value();
        let name = match hit.kind {
            Kind::Domain => Some(value),
            Kind::Url if value.contains("://") => host(&value).map(str::to_owned),
            Kind::Url => Some(value),
            _ => None,
        };
        all.extend(name.map(|name| (name, Seen::Set)));
    });
    all
}

/// Domains and addresses of pages that somebody pastes, one a line or word.
pub fn pasted(text: &str) -> Vec<(String, Seen)> {
    let words = text.split(|sign: char| sign.is_whitespace() || matches!(sign, ',' | '、' | '"'));
    let name = |word: &str| {
        let clean = word.replace("[.]", ".").replace("hxxp", "http");
        let name = host(&clean).map_or_else(|| clean.clone(), str::to_owned);
        (name, Seen::Pasted)
    };
    words.filter(|word| word.contains('.')).take(PASTED_MAX).map(name).collect()
}

fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let rest = rest.split(['/', '?', '#']).next()?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    Some(
        rest.rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(rest, |(host, _)| host),
    )
}

/// Those that look like a brand, each domain once for each brand, the nearest first.
pub fn find(brands: &[Watched], domains: Vec<(String, Seen)>, names: &Names) -> Vec<Found> {
    let mut found: BTreeMap<(String, Id), Found> = BTreeMap::new();
    for (name, seen) in domains {
        let Ok(domain) = Domain::parse(name.trim_end_matches('.')) else { continue };
        for watched in brands {
            for brand in &watched.brands {
                let Some(like) = lookalike::lookalike(&domain, brand, names) else { continue };
                let key = (domain.as_str().to_owned(), watched.row.id);
                let one = Found {
                    domain: domain.unicode(),
                    ascii: domain.as_str().to_owned(),
                    brand: watched.row.id,
                    word: brand.word().to_owned(),
                    likeness: like.likeness,
                    seen,
                };
                let known = found.get(&key);
                // Where an item names it, that is where one reads on.
                let better =
                    |known: &Found| (rank(one.likeness), seen) < (rank(known.likeness), known.seen);
                if known.is_none_or(better) {
                    found.insert(key, one);
                }
            }
        }
    }
    let mut all: Vec<Found> = found.into_values().collect();
    all.sort_by(|a, b| (rank(a.likeness), &a.ascii).cmp(&(rank(b.likeness), &b.ascii)));
    all.truncate(FOUND_MAX);
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn brand() -> Watched {
        let mut row = Row::new(Table::Asset, Id::nil(), KIND, "Oumeseiki");
        let attributes = json!({ "words": ["oumeseiki", "oms"], "domains": ["oumeseiki.example"] });
        row.attributes = attributes.as_object().cloned().expect("attributes");
        of(row)
    }

    #[test]
    fn lookalikes_are_found_with_their_reason_the_nearest_first() {
        let domains = pasted(
            "hxxps://oumeseiki-login[.]test/x oumeseki.test, www.oumeseiki.example\n0umeseiki.test other.test",
        );
        let found = find(&[brand()], domains, &Names::shipped());
        let all: Vec<(&str, Likeness)> =
            found.iter().map(|found| (found.ascii.as_str(), found.likeness)).collect();
        assert_eq!(
            all,
            [
                ("0umeseiki.test", Likeness::Confusable),
                ("oumeseki.test", Likeness::Typo(1)),
                ("oumeseiki-login.test", Likeness::Word),
            ]
        );
    }

    #[test]
    fn a_domain_is_told_once_and_where_an_item_names_it() {
        let name = "oumeseiki.test".to_owned();
        let domains = vec![(name.clone(), Seen::Set), (name, Seen::Item(Id::nil()))];
        let found = find(&[brand()], domains, &Names::shipped());
        assert_eq!((found.len(), found[0].seen), (1, Seen::Item(Id::nil())));
        assert_eq!(brand().short, ["oms"], "too short a word is told, not looked for");
    }

    #[test]
    fn hosts_are_read_out_of_addresses() {
        assert_eq!(host("https://u:p@a.example:8443/x"), Some("a.example"));
        assert_eq!(host("https://a.example?x"), Some("a.example"));
        assert_eq!(host("a.example"), None);
    }

    #[test]
    fn domains_of_the_set_are_read_with_the_hosts_of_its_pages() {
        let names = Names::shipped();
        let key = |kind, value: &str| indicators::normalise(kind, value, &names).expect("a value");
        let values = [
            (Kind::Domain, "oumeseiki.test"),
            (Kind::Ip, "192.0.2.1"),
            (Kind::Url, "https://oumeseiki.invalid/a"),
        ];
        let entries = (0..)
            .zip(values)
            .map(|(id, (kind, value))| indicators::Entry::new(id, key(kind, value), "feed"));
        let mut file = Vec::new();
        indicators::set::build(entries, [7; 16], &indicators::set::Limits::DEFAULT, &mut file)
            .expect("built");
        let set = Set::open(&file, &[]).expect("a set");
        let mut found: Vec<String> = domains(&set).into_iter().map(|(name, _)| name).collect();
        found.sort_unstable();
        assert_eq!(found, ["oumeseiki.invalid", "oumeseiki.test"]);
    }
}
