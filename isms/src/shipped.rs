//! Content of the hall that this build carries as TOML.

use serde::de::DeserializeOwned;

/// Reads one file; a test of its module holds that it does.
pub(crate) fn read<T: DeserializeOwned>(file: &str, text: &str) -> Option<T> {
    toml::from_str(text)
        .inspect_err(|error| tracing::error!(file, %error, "shipped content does not read"))
        .ok()
}
