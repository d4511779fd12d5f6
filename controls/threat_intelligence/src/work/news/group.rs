//! Which items are about the same: one campaign, one actor, one vulnerability, one indicator.
//!
//! Pure. An item that names very many vulnerabilities (a monthly round-up) is about none of them in particular, and
//! joins nothing by them.

use std::collections::HashMap;

use indicators::extract::{Notice, What};

/// Keys of one item.
pub const KEYS_MAX: usize = 40;
/// Who names more vulnerabilities sums up.
const VULNERABILITIES_MAX: usize = 10;
/// A key that more items share says nothing of any two of them.
const SHARED_MAX: usize = 200;

/// What an item is known by among others: `CVE-…`, `actor:…`, `campaign:…`, `domain:…`.
pub fn keys(vulnerabilities: &[String], notice: &Notice) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    if vulnerabilities.len() <= VULNERABILITIES_MAX {
        keys.extend(vulnerabilities.iter().cloned());
    }
    for (what, word) in [(What::Campaign, "campaign"), (What::Actor, "actor")] {
        for value in notice.values(what) {
            let value = value.trim().to_lowercase();
            if value.chars().count() > 2 {
                keys.push(format!("{word}:{value}"));
            }
        }
    }
    for span in &notice.spans {
        if let Some(kind) = span.indicator() {
            let key = format!("{}:{}", kind.as_str(), span.value.to_lowercase());
            if keys.len() < KEYS_MAX && !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys.truncate(KEYS_MAX);
    keys
}

/// For each item the first one that it belongs with, itself if it stands alone.
pub fn groups<'k>(items: &[Vec<&'k str>]) -> Vec<usize> {
    let mut by_key: HashMap<&'k str, Vec<usize>> = HashMap::new();
    for (at, keys) in items.iter().enumerate() {
        for key in keys {
            by_key.entry(*key).or_default().push(at);
        }
    }
    let mut first: Vec<usize> = (0..items.len()).collect();
    let mut keys: Vec<&[usize]> = by_key.values().map(Vec::as_slice).collect();
    keys.retain(|members| (2..=SHARED_MAX).contains(&members.len()));
    for members in keys {
        for pair in members.windows(2) {
            join(&mut first, pair[0], pair[1]);
        }
    }
    (0..items.len()).map(|at| root(&mut first, at)).collect()
}

fn root(first: &mut [usize], at: usize) -> usize {
    let mut top = at;
    while first[top] != top {
        top = first[top];
    }
    let mut at = at;
    while first[at] != top {
        at = std::mem::replace(&mut first[at], top);
    }
    top
}

fn join(first: &mut [usize], one: usize, other: usize) {
    let (one, other) = (root(first, one), root(first, other));
    // The earlier one leads, whatever the order of keys.
    first[one.max(other)] = one.min(other);
}

#[cfg(test)]
mod tests {
    use indicators::extract::{Labels, extract};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn items_of_one_vulnerability_or_indicator_are_one_line() {
        let items = [
            vec!["CVE-2026-10001"],
            vec!["domain:a.example"],
            vec!["CVE-2026-10001", "domain:b.example"],
            vec![],
            vec!["domain:b.example"],
        ];
        assert_eq!(groups(&items), [0, 1, 0, 3, 0]);
    }

    #[test]
    fn a_round_up_of_many_vulnerabilities_joins_nothing_by_them() {
        let many: Vec<String> = (0..11).map(|n| format!("CVE-2026-1000{n}")).collect();
        let notice = extract("通信先：evil[.]example", Labels::shipped());
        assert_eq!(keys(&many, &notice), ["domain:evil.example"]);
        assert!(keys(&many[..3], &notice).contains(&many[0]));
    }

    proptest! {
        #[test]
        fn a_group_is_what_hangs_together(
            items in proptest::collection::vec(proptest::collection::vec(0_usize..8, 0..3), 0..20),
        ) {
            let texts: Vec<String> = (0..8).map(|n| n.to_string()).collect();
            let named: Vec<Vec<&str>> =
                items.iter().map(|keys| keys.iter().map(|k| texts[*k].as_str()).collect()).collect();
            let found = groups(&named);
            // By the slow way: who shares a key, until nothing changes.
            let mut slow: Vec<usize> = (0..items.len()).collect();
            loop {
                let mut next = slow.clone();
                for (a, one) in items.iter().enumerate() {
                    for (b, other) in items.iter().enumerate() {
                        if one.iter().any(|key| other.contains(key)) {
                            next[a] = next[a].min(slow[b]);
                        }
                    }
                }
                if next == slow {
                    break;
                }
                slow = next;
            }
            prop_assert_eq!(found, slow);
        }
    }
}
