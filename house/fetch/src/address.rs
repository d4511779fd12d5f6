//! What is an address.

use std::path::PathBuf;

use reqwest::Url;

use crate::Fault;

const ADDRESS_BYTES_MAX: usize = 4_096;

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Http(Url),
    /// A file or a folder, from the root on.
    Path(PathBuf),
}

/// Reads an address: `https:`, `http:` of this machine itself, `file:` or a path from `/` on.
pub fn address(text: &str) -> Result<Address, Fault> {
    let text = text.trim();
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(Fault::Address("longer than 4096 bytes"));
    }
    if text.starts_with('/') {
        return Ok(Address::Path(PathBuf::from(text)));
    }
    let url: Url = text.parse().map_err(|_| Fault::Address("neither an address nor a path"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::Address("no password in the address"));
    }
    match url.scheme() {
        "https" => Ok(Address::Http(url)),
        "http" if is_here(&url) => Ok(Address::Http(url)),
        "http" => Err(Fault::Address("write https://; http:// is for this machine itself only")),
        "file" => match url.to_file_path() {
            Ok(path) => Ok(Address::Path(path)),
            Err(()) => Err(Fault::Address("a file: address names no path of this machine")),
        },
        _ => Err(Fault::Address("write https://, file: or a path from / on")),
    }
}

/// Whether an address leads to this machine itself.
pub fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_this_machine_or_a_path() {
        for good in
            ["https://a.example/x", "http://127.0.0.1:9/x", "http://[::1]/", "file:///srv/a"]
        {
            assert!(address(good).is_ok(), "{good}");
        }
        assert_eq!(address("/srv/a").ok(), Some(Address::Path("/srv/a".into())));
        for bad in [
            "http://a.example/",
            "ftp://a.example/",
            "https://u:p@a.example/",
            "x",
            "http://127.0.0.1.evil.example/",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
