//! Kinds of indicators.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($kind:ident $text:literal,)*) => {
        /// What an indicator is a value of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $(#[serde(rename = $text)] $kind,)*
        }

        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$kind,)*];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$kind => $text,)*
                }
            }
        }
    };
}

kinds! {
    Ip "ip",
    Cidr "cidr",
    Domain "domain",
    Url "url",
    Email "email",
    Md5 "md5",
    Sha1 "sha1",
    Sha256 "sha256",
    Sha512 "sha512",
    Ssdeep "ssdeep",
    FileName "file_name",
    Path "path",
    RegistryKey "registry_key",
    Mutex "mutex",
    UserAgent "user_agent",
    Asn "asn",
}

impl Kind {
    /// The kind of a stable word.
    pub fn named(word: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}
