//! A form as it was sent: names may stand more than once.

use model::Id;

/// Most values of one name.
const VALUES_MAX: usize = 500;

pub(super) struct Sent(pub Vec<(String, String)>);

impl Sent {
    /// The first value of this name, without space around it; empty if there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }

    /// Every value of this name.
    pub fn every(&self, name: &str) -> Vec<&str> {
        let named = self.0.iter().filter(|(n, _)| n == name);
        named.map(|(_, value)| value.as_str()).take(VALUES_MAX).collect()
    }

    /// Every value of this name that is an id.
    pub fn ids(&self, name: &str) -> Vec<Id> {
        self.every(name).into_iter().filter_map(|id| id.parse().ok()).collect()
    }
}
