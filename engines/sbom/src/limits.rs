//! How much of foreign input is taken.

/// Limits of what is read. What is beyond them is refused with the place, never cut silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a document.
    pub bytes_max: usize,
    /// Values (JSON), elements and attributes (XML), lines (tag-value).
    pub values_max: usize,
    /// Lists, objects and elements within each other.
    pub depth_max: usize,
    /// Problems that are told of one document.
    pub problems_max: usize,
}

impl Limits {
    /// A document of 128 MiB is some 300,000 components: more than any host or product has. Three
    /// million values are the memory of a small server; depth 120 is 60 components in each other.
    pub const DEFAULT: Limits =
        Limits { bytes_max: 128 << 20, values_max: 3_000_000, depth_max: 120, problems_max: 1_000 };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
