//! One thing that a rebuilt host must have, in the order in which such things are made.

use std::collections::BTreeMap;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// These bytes.
    Plain(Vec<u8>),
    /// A text with places of secrets in it: a part, then the secret behind it, and so on.
    Secret(Vec<(String, Option<String>)>),
    /// A secret as a whole.
    Whole(String),
}

/// Who may do what with a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rights {
    pub user: String,
    pub group: String,
    pub mode: u16,
}

/// Sorted in the order in which steps are taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Architecture(String),
    Divert {
        path: String,
        to: String,
        by: String,
    },
    Undivert {
        path: String,
    },
    Package {
        name: String,
        version: String,
    },
    /// Removed, its configuration kept.
    Removed {
        name: String,
    },
    Purged {
        name: String,
    },
    Debconf {
        question: String,
        owner: String,
        value: String,
        seen: bool,
    },
    Mark {
        name: String,
        automatic: bool,
    },
    UserGone(String),
    GroupGone(String),
    Group {
        name: String,
        gid: i64,
    },
    User {
        name: String,
        uid: i64,
        gid: i64,
        gecos: String,
        home: String,
        shell: String,
    },
    /// `fixed` is what stands in shadow, unless a hash is looked up at `secret`.
    Password {
        user: String,
        fixed: String,
        secret: Option<String>,
        locked: bool,
    },
    NoShadow(String),
    /// Fields 3 to 8 of shadow(5); none is empty.
    Ageing {
        user: String,
        days: [Option<i64>; 6],
    },
    Members {
        group: String,
        members: Vec<String>,
        admins: Vec<String>,
    },
    Gone(String),
    Override {
        path: String,
        rights: Rights,
    },
    NoOverride(String),
    Folder {
        path: String,
        rights: Rights,
    },
    File {
        path: String,
        rights: Rights,
        content: Content,
        validate: &'static str,
    },
    Link {
        path: String,
        target: String,
    },
    /// Of what a package, or another step, brings.
    Attributes {
        path: String,
        rights: Rights,
        must_be: bool,
    },
    Extra {
        path: String,
        capabilities: String,
        acl: String,
        default_acl: String,
    },
    Alternative {
        name: String,
        link: String,
        value: String,
        manual: bool,
    },
    Immutable {
        path: String,
        on: bool,
    },
    /// Made by other steps and not wanted.
    LateGone(String),
    Hold {
        name: String,
        want: String,
    },
    /// Where a system runs: units that must be started or stopped.
    Started {
        unit: String,
        on: bool,
    },
}

impl Step {
    /// The contents that the project must carry, by the name of their file.
    pub(super) fn carries(&self) -> Option<(String, Vec<u8>)> {
        let Step::File { content, .. } = self else { return None };
        let bytes = match content {
            Content::Plain(bytes) => bytes.clone(),
            _ => return None,
        };
        Some((name(&bytes), bytes))
    }
}

/// The name of a content among the files of a project.
pub(super) fn name(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(Sha256::digest(bytes))
}

/// All contents of these steps.
pub(super) fn contents<'s>(steps: impl IntoIterator<Item = &'s Step>) -> BTreeMap<String, Vec<u8>> {
    steps.into_iter().filter_map(Step::carries).collect()
}
