//! Which node evaluates which partition. Pure; time is an argument, in milliseconds of a clock that only goes forward.
//!
//! Each node renews an entry of its own; one whose entry was not renewed for [`LEASE_MS`], by the observer's own clock,
//! is gone. A partition belongs to the node that its place in the sorted list of living nodes names. Whoever holds one
//! that belongs to another lets go of it; it is taken only from nobody or from a node that is gone, and each change is
//! bound to the revision that was seen, so of two that reach for it one gets it. While the nodes' views differ a
//! partition may lie idle for a moment, or be evaluated twice, which costs work only.

use std::collections::BTreeMap;

/// A node that was not heard for so long is gone.
pub const LEASE_MS: i64 = 6_000;
/// How often a node renews its entry.
pub const RENEW_MS: i64 = 2_000;
pub(crate) const NODE: &str = "node.";
const PARTITION: &str = "partition.";

/// What a node knows of all.
#[derive(Debug)]
pub struct Table {
    me: String,
    partitions: u32,
    /// Revision of each node's entry, and when it was seen.
    nodes: BTreeMap<String, (u64, i64)>,
    /// Who holds each partition, by which revision; an empty name is nobody.
    owners: BTreeMap<u32, (String, u64)>,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write one's own name; the revision that it replaces, if there is one.
    Take { partition: u32, revision: Option<u64> },
    /// Write nobody's name.
    Release { partition: u32, revision: u64 },
}

/// Key of a node's entry.
pub fn node_key(node: &str) -> String {
    format!("{NODE}{node}")
}

/// Key of a partition's entry.
pub fn partition_key(partition: u32) -> String {
    format!("{PARTITION}{partition}")
}

impl Table {
    pub fn new(me: &str, partitions: u32) -> Table {
        let (nodes, owners) = (BTreeMap::new(), BTreeMap::new());
        Table { me: me.to_owned(), partitions, nodes, owners }
    }

    /// An entry was written, or removed where there is no value.
    pub fn see(&mut self, key: &str, value: Option<&str>, revision: u64, now_ms: i64) {
        if let Some(node) = key.strip_prefix(NODE) {
            match value {
                Some(_) => drop(self.nodes.insert(node.to_owned(), (revision, now_ms))),
                None => drop(self.nodes.remove(node)),
            }
        } else if let Some(Ok(partition)) = key.strip_prefix(PARTITION).map(str::parse) {
            let is_older = self.owners.get(&partition).is_some_and(|(_, known)| *known > revision);
            if !is_older {
                let owner = value.unwrap_or_default().to_owned();
                self.owners.insert(partition, (owner, revision));
            }
        }
    }

    /// Nodes that were heard lately, oneself among them.
    pub fn living(&self, now_ms: i64) -> Vec<&str> {
        let heard = self.nodes.iter().filter(|(_, (_, seen))| now_ms - seen < LEASE_MS);
        let mut living: Vec<&str> = heard.map(|(node, _)| node.as_str()).collect();
        if !living.contains(&self.me.as_str()) {
            living.push(&self.me);
        }
        living.sort_unstable();
        living
    }

    /// Partitions that one holds.
    pub fn mine(&self) -> Vec<u32> {
        let mine = self.owners.iter().filter(|(p, (o, _))| *o == self.me && **p < self.partitions);
        mine.map(|(partition, _)| *partition).collect()
    }

    /// How many partitions each node holds.
    pub fn held(&self) -> BTreeMap<String, u32> {
        let mut held = BTreeMap::new();
        for (_, (owner, _)) in
            self.owners.iter().filter(|(p, (o, _))| **p < self.partitions && !o.is_empty())
        {
            *held.entry(owner.clone()).or_default() += 1;
        }
        held
    }

    /// What is to be changed now.
    pub fn changes(&self, now_ms: i64) -> Vec<Change> {
        let living = self.living(now_ms);
        let mut changes = Vec::new();
        for partition in 0..self.partitions {
            let belongs = living[partition as usize % living.len()];
            let held = self.owners.get(&partition);
            let owner = held.map_or("", |(owner, _)| owner.as_str());
            let revision = held.map(|(_, revision)| *revision);
            match revision {
                Some(revision) if owner == self.me && belongs != self.me => {
                    changes.push(Change::Release { partition, revision });
                }
                _ if belongs == self.me && owner != self.me && !living.contains(&owner) => {
                    changes.push(Change::Take { partition, revision });
                }
                _ => {}
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bucket that refuses a change of another revision, and nodes that look at it.
    struct World {
        entries: BTreeMap<String, (String, u64)>,
        revision: u64,
        tables: BTreeMap<String, Table>,
        now: i64,
    }

    impl World {
        fn new() -> World {
            World { entries: BTreeMap::new(), revision: 0, tables: BTreeMap::new(), now: 0 }
        }

        fn join(&mut self, node: &str) {
            let mut table = Table::new(node, 8);
            for (key, (value, revision)) in &self.entries {
                table.see(key, Some(value), *revision, self.now);
            }
            self.tables.insert(node.to_owned(), table);
        }

        fn put(&mut self, key: &str, value: &str, replaces: Option<Option<u64>>) -> bool {
            let there = self.entries.get(key).map(|(_, revision)| *revision);
            if replaces.is_some_and(|revision| revision != there) {
                return false;
            }
            self.revision += 1;
            self.entries.insert(key.to_owned(), (value.to_owned(), self.revision));
            for table in self.tables.values_mut() {
                table.see(key, Some(value), self.revision, self.now);
            }
            true
        }

        /// Each node renews and changes what it sees fit.
        fn step(&mut self) {
            self.now += RENEW_MS;
            let nodes: Vec<String> = self.tables.keys().cloned().collect();
            for node in &nodes {
                self.put(&node_key(node), "", None);
            }
            for node in &nodes {
                for change in self.tables[node].changes(self.now) {
                    match change {
                        Change::Take { partition, revision } => {
                            self.put(&partition_key(partition), node, Some(revision));
                        }
                        Change::Release { partition, revision } => {
                            self.put(&partition_key(partition), "", Some(Some(revision)));
                        }
                    }
                }
            }
        }

        fn held(&self) -> BTreeMap<String, u32> {
            self.tables.values().next().unwrap().held()
        }
    }

    fn held(all: &[(&str, u32)]) -> BTreeMap<String, u32> {
        all.iter().map(|(node, n)| ((*node).to_owned(), *n)).collect()
    }

    #[test]
    fn one_node_takes_all_two_share_and_the_rest_of_one_that_is_gone_is_taken_over() {
        let mut world = World::new();
        world.join("a");
        world.step();
        assert_eq!(world.held(), held(&[("a", 8)]));
        world.join("b");
        (0..3).for_each(|_| world.step());
        assert_eq!(world.held(), held(&[("a", 4), ("b", 4)]));
        world.join("c");
        (0..4).for_each(|_| world.step());
        assert_eq!(world.held(), held(&[("a", 3), ("b", 3), ("c", 2)]));
        world.tables.remove("b");
        world.step();
        assert_eq!(world.held()["b"], 3, "it may only be slow");
        (0..5).for_each(|_| world.step());
        assert_eq!(world.held(), held(&[("a", 4), ("c", 4)]));
    }

    #[test]
    fn of_two_that_reach_for_a_partition_one_gets_it() {
        let mut world = World::new();
        world.join("a");
        world.join("b");
        // Neither has heard the other yet, so both want all.
        let wanted = [world.tables["a"].changes(0), world.tables["b"].changes(0)];
        assert_eq!(wanted[0], wanted[1]);
        for node in ["a", "b"] {
            assert_eq!(world.put(&partition_key(0), node, Some(None)), node == "a");
        }
        (0..4).for_each(|_| world.step());
        assert_eq!(world.held(), held(&[("a", 4), ("b", 4)]));
    }

    #[test]
    fn a_node_that_says_good_bye_is_gone_at_once() {
        let mut world = World::new();
        world.join("a");
        world.join("b");
        (0..4).for_each(|_| world.step());
        world.tables.remove("b");
        let table = world.tables.get_mut("a").unwrap();
        table.see(&node_key("b"), None, 999, world.now);
        world.step();
        assert_eq!(world.held(), held(&[("a", 8)]));
    }
}
