//! Bounds of everything that comes from outside.

/// Bounds of documents, rules, events and windows. What passes one is refused with its name, never cut.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one file
    pub file_bytes: usize,
    /// Lists and maps inside each other in a file
    pub depth: usize,
    /// YAML values of a file, what aliases stand for included
    pub nodes: usize,
    /// Bytes of one value of a rule
    pub value_bytes: usize,
    /// Predicates of one rule, what modifiers and placeholders expand to included
    pub predicates: usize,
    /// Brackets and `not` inside each other in a condition
    pub condition_depth: usize,
    /// Bytes a compiled regular expression may take
    pub regex_bytes: usize,
    /// Documents of a rule set
    pub documents: usize,
    /// Correlations that stand on each other
    pub chain: usize,
    /// Rules a temporal correlation names
    pub correlated: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            file_bytes: 4 << 20,
            depth: 32,
            nodes: 100_000,
            value_bytes: 64 << 10,
            predicates: 20_000,
            condition_depth: 64,
            regex_bytes: 10 << 20,
            documents: 100_000,
            chain: 8,
            correlated: 64,
        }
    }
}
