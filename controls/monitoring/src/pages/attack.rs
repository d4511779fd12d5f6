//! MITRE ATT&CK as rules name it in their tags: tactics, and techniques below them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use model::{Text, t};

/// Tactics in the order of an attack: tag without `attack.`, and name.
pub const TACTICS: [(&str, Text); 14] = [
    ("reconnaissance", t("偵察", "Reconnaissance")),
    ("resource-development", t("リソース開発", "Resource development")),
    ("initial-access", t("初期アクセス", "Initial access")),
    ("execution", t("実行", "Execution")),
    ("persistence", t("永続化", "Persistence")),
    ("privilege-escalation", t("権限昇格", "Privilege escalation")),
    ("defense-evasion", t("防御の回避", "Defence evasion")),
    ("credential-access", t("認証情報アクセス", "Credential access")),
    ("discovery", t("探索", "Discovery")),
    ("lateral-movement", t("水平移動", "Lateral movement")),
    ("collection", t("収集", "Collection")),
    ("command-and-control", t("C&C（遠隔操作）", "Command and control")),
    ("exfiltration", t("持ち出し", "Exfiltration")),
    ("impact", t("影響", "Impact")),
];

/// The tactics that tags name; older rules write them with an underscore.
pub fn tactics(tags: &[String]) -> Vec<&'static str> {
    let named: BTreeSet<String> = tags
        .iter()
        .filter_map(|tag| Some(tag.strip_prefix("attack.")?.replace('_', "-")))
        .collect();
    TACTICS.iter().map(|(tag, _)| *tag).filter(|tag| named.contains(*tag)).collect()
}

/// Techniques that tags name, as `T1059.001`.
fn techniques(tags: &[String]) -> impl Iterator<Item = String> {
    tags.iter().filter_map(|tag| {
        let name = tag.strip_prefix("attack.")?;
        let digits = name.strip_prefix('t')?;
        let is_number = digits.starts_with(|c: char| c.is_ascii_digit());
        is_number.then(|| name.to_uppercase())
    })
}

/// Rules of a technique or tactic: those that can fire, and all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub can: usize,
    pub all: usize,
}

/// A tactic with its techniques, those with most rules that can fire first.
pub struct Column {
    pub tag: &'static str,
    pub name: &'static Text,
    pub count: Count,
    pub techniques: Vec<(String, Count)>,
}

/// Rules by tactic and technique, from their tags and whether they can fire.
pub fn matrix<'a>(rules: impl Iterator<Item = (&'a [String], bool)>) -> Vec<Column> {
    let mut found: BTreeMap<&str, (Count, BTreeMap<String, Count>)> = BTreeMap::new();
    for (tags, can_fire) in rules {
        for tactic in tactics(tags) {
            let (count, below) = found.entry(tactic).or_default();
            add(count, can_fire);
            techniques(tags).for_each(|name| add(below.entry(name).or_default(), can_fire));
        }
    }
    let column = |(tag, name): &'static (&'static str, Text)| {
        let (count, below) = found.remove(tag)?;
        let mut techniques: Vec<(String, Count)> = below.into_iter().collect();
        techniques.sort_by_key(|(name, count)| (std::cmp::Reverse(count.can), name.clone()));
        Some(Column { tag, name, count, techniques })
    };
    static ALL: [(&str, Text); 14] = TACTICS;
    ALL.iter().filter_map(column).collect()
}

fn add(count: &mut Count, can_fire: bool) {
    count.all += 1;
    count.can += usize::from(can_fire);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_stand_below_each_tactic_they_name() {
        let tags = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let a = tags(&["attack.execution", "attack.t1059.001", "attack.persistence", "cve.2021-1"]);
        let b = tags(&["attack.t1059.001", "attack.defense_evasion", "attack.execution"]);
        let c = tags(&["attack.t1001", "detection.threat-hunting"]);
        let rules = [(&a[..], true), (&b[..], false), (&c[..], true)];
        let columns = matrix(rules.into_iter());
        let tags: Vec<&str> = columns.iter().map(|column| column.tag).collect();
        assert_eq!(tags, ["execution", "persistence", "defense-evasion"]);
        let both = Count { can: 1, all: 2 };
        assert_eq!(columns[0].count, both);
        assert_eq!(columns[0].techniques, [("T1059.001".to_owned(), both)]);
    }
}
