//! Values that an event shows, each with its kind and direction, by the names of its fields. Pure.
//!
//! Only fields whose meaning is known are asked. Values are handed over as they stand; nothing is copied but what is put
//! together of two fields.

use std::borrow::Cow;

use indicators::{Direction, Kind};
use stream::Event;

/// A value that is longer is no indicator's.
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// What a field of an event is, by its name.
enum Means {
    Value(Kind, Direction),
    /// `SHA256=…,MD5=…`, as Windows writes them.
    Hashes,
    /// A URL, or a part of one with the host in another field.
    Target,
}

use Direction::{Both, Destination, Source};

fn means(name: &str) -> Option<Means> {
    let value = |kind, direction| Some(Means::Value(kind, direction));
    match name {
        "src_ip" | "c-ip" | "SourceIp" | "IpAddress" | "ClientAddress" | "client_ip" => {
            value(Kind::Ip, Source)
        }
        "dst_ip" | "DestinationIp" | "r-ip" | "remote_ip" | "answer" => {
            value(Kind::Ip, Destination)
        }
        "query"
        | "QueryName"
        | "dst_host"
        | "DestinationHostname"
        | "r-dns"
        | "sni"
        | "server_name" => value(Kind::Domain, Destination),
        "cs-host" => value(Kind::Domain, Destination),
        "c-uri" | "cs-uri" | "url" | "Url" => Some(Means::Target),
        "Hashes" | "Hash" => Some(Means::Hashes),
        "md5" => value(Kind::Md5, Both),
        "sha1" => value(Kind::Sha1, Both),
        "sha256" => value(Kind::Sha256, Both),
        "TargetFilename" | "Image" | "ImageLoaded" | "exe" => value(Kind::Path, Both),
        "TargetObject" => value(Kind::RegistryKey, Both),
        "c-useragent" | "cs-user-agent" | "UserAgent" => value(Kind::UserAgent, Both),
        "sender" | "from" => value(Kind::Email, Source),
        "recipient" | "to" => value(Kind::Email, Destination),
        _ => None,
    }
}

/// Shows each value of an event with its kind and direction, as it stands there.
pub fn each(event: &Event, mut show: impl FnMut(Kind, &str, Direction)) {
    let host = event.fields.get("cs-host").map(String::as_str);
    let mut is_nested = false;
    for (name, text) in &event.fields {
        let name = stream::plain_name(name);
        is_nested |= text.len() > 2 && text.starts_with(['{', '[']);
        if let Some(means) = means(name) {
            one(means, text, host, &mut show);
        }
    }
    if is_nested {
        nested(event, host, &mut show);
    }
}

/// JSON inside a field is taken apart, under the names that rules know.
fn nested(event: &Event, host: Option<&str>, show: &mut impl FnMut(Kind, &str, Direction)) {
    for (name, text) in stream::logsource::fields(event) {
        // What stands there as it is was asked already.
        if event.fields.get(name.as_ref()).is_some_and(|own| own == text.as_ref()) {
            continue;
        }
        if let Some(means) = means(&name) {
            one(means, &text, host, show);
        }
    }
}

fn one(means: Means, text: &str, host: Option<&str>, show: &mut impl FnMut(Kind, &str, Direction)) {
    let text = text.trim();
    if text.is_empty() || text == "-" || text.len() > VALUE_BYTES_MAX {
        return;
    }
    match means {
        Means::Value(Kind::Domain, direction) => {
            let bare = without_port(text);
            let kind = if is_address(bare) { Kind::Ip } else { Kind::Domain };
            show(kind, bare.trim_end_matches('.'), direction);
        }
        Means::Value(kind, direction) => show(kind, text, direction),
        Means::Hashes => hashes(text, show),
        Means::Target => target(text, host, show),
    }
}

/// Each hash in a list, with its kind.
fn hashes(text: &str, show: &mut impl FnMut(Kind, &str, Direction)) {
    for part in text.split(',') {
        let hex = part.rsplit('=').next().unwrap_or(part).trim();
        let kind = match hex.len() {
            32 => Kind::Md5,
            40 => Kind::Sha1,
            64 => Kind::Sha256,
            128 => Kind::Sha512,
            _ => continue,
        };
        // The hash of imports is no hash of the file.
        let is_imports =
            part.trim_start().get(..7).is_some_and(|head| head.eq_ignore_ascii_case("IMPHASH"));
        if !is_imports {
            show(kind, hex, Both);
        }
    }
}

/// A URL as a proxy writes it: whole, a path beside its host, or what CONNECT names.
fn target(text: &str, host: Option<&str>, show: &mut impl FnMut(Kind, &str, Direction)) {
    let url: Cow<'_, str> = match (text.starts_with('/'), host) {
        _ if text.contains("://") => text.into(),
        (true, Some(host)) => format!("http://{host}{text}").into(),
        (true, None) => return,
        (false, _) => {
            let bare = without_port(text);
            let kind = if is_address(bare) { Kind::Ip } else { Kind::Domain };
            return show(kind, bare, Destination);
        }
    };
    show(Kind::Url, &url, Destination);
}

fn is_address(text: &str) -> bool {
    text.as_bytes().first().is_some_and(|b| b.is_ascii_hexdigit() || *b == b':')
        && text.parse::<std::net::IpAddr>().is_ok()
}

fn without_port(text: &str) -> &str {
    if let Some(inner) = text.strip_prefix('[') {
        return inner.split(']').next().unwrap_or(inner);
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            host
        }
        _ => text,
    }
}
