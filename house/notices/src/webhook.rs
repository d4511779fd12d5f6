//! The webhook: one JSON document per event, signed.
//!
//! `Ume-Signature: t=<Unix seconds>,v1=<hex>`, where the code is HMAC-SHA256 under the shared secret
//! over `<t>.<body>`; a receiver checks it and refuses times far off. `Ume-Notice` is the notice's
//! id, the same on each try.
//!
//! Address rule: the name is resolved first, and unless an administrator allowed private addresses,
//! every address it resolves to must be a public one; the connection then goes to exactly these
//! addresses. Redirects are not followed, and no proxy is used.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use model::{Lang, Timestamp};
use ring::hmac;
use serde_json::json;
use store::Notice;

use crate::{
    settings::{Secrets, Settings},
    text,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Whether an address is on the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (b == 18 || b == 19);
            let protocol = (a, b, c) == (192, 0, 0);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || shared
                || benchmark
                || protocol
                || a == 0
                || a >= 240)
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            // Addresses that carry an IPv4 address lead to it.
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            // Global unicast without documentation, 6to4 and Teredo.
            let global = first & 0xe000 == 0x2000;
            let special = first == 0x2002 || (first == 0x2001 && v6.segments()[1] < 0x0200);
            let documentation = first == 0x2001 && v6.segments()[1] == 0x0db8;
            global && !special && !documentation
        }
    }
}

/// The document that is sent.
pub fn document(notice: &Notice, settings: &Settings) -> String {
    let utc = jiff::tz::TimeZone::UTC;
    let say = |lang| text::sentence(&notice.kind, &notice.facts, lang, &utc);
    let path = notice.facts.get("path").and_then(|p| p.as_str()).unwrap_or("/");
    json!({
        "id": notice.id,
        "kind": notice.kind,
        "at": notice.created_at.rfc3339(),
        "text": {"ja": say(Lang::Ja), "en": say(Lang::En)},
        "facts": notice.facts,
        "link": settings.link(path),
    })
    .to_string()
}

/// The signature header of a body.
pub fn signature(secret: &str, now: Timestamp, body: &str) -> String {
    let seconds = now.0.div_euclid(1_000_000);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let code = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex::encode(code))
}

/// Sends one notice; on failure says why.
pub async fn send(
    settings: &Settings,
    secrets: &Secrets,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), String> {
    let url = reqwest::Url::parse(&settings.webhook_url).map_err(|e| e.to_string())?;
    let host = url.host_str().ok_or("the address names no host")?.to_owned();
    let port = url.port_or_known_default().ok_or("the address names no port")?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let resolved: Vec<SocketAddr> = tokio::net::lookup_host((bare.as_str(), port))
        .await
        .map_err(|e| format!("{host}: {e}"))?
        .collect();
    let private = resolved.iter().find(|a| !is_public(a.ip()));
    if let Some(address) = private.filter(|_| !settings.webhook_private) {
        return Err(format!("{host} leads to {}, which is not public", address.ip()));
    }
    let mut builder = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .resolve_to_addrs(&bare, &resolved);
    if !settings.ca_file.is_empty() {
        let pem = crate::mail::authority(&settings.ca_file)?;
        let certificates =
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| e.to_string())?;
        builder = builder.tls_certs_only(certificates);
    }
    let client = builder.build().map_err(|e| e.to_string())?;
    let body = document(notice, settings);
    let answer = client
        .post(url)
        .header("content-type", "application/json")
        .header("user-agent", concat!("ume/", env!("CARGO_PKG_VERSION")))
        .header("ume-notice", notice.id.to_string())
        .header("ume-signature", signature(&secrets.webhook_secret, now, &body))
        .body(body)
        .send()
        .await
        .map_err(|e| e.without_url().to_string())?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(format!("the receiver answered {}", answer.status().as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let public = ["93.184.216.34", "2606:2800:220:1::1"];
        let inside = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
            "64:ff9b::7f00:1",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in inside {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn the_signature_covers_time_and_body() {
        // Computed with Python: hmac.new(b"0123456789abcdef", b"1795600000.{}", "sha256").
        let now = Timestamp(1_795_600_000_999_999);
        let signed = signature("0123456789abcdef", now, "{}");
        assert_eq!(
            signed,
            "t=1795600000,v1=fc3b07f19bce05a5b19e4d55a36b7030abcbe495aa40147a0f43d2cb4e7cc746"
        );
        assert_ne!(signed, signature("0123456789abcdef", now, "{ }"));
        assert_ne!(signed, signature("0123456789abcdeg", now, "{}"));
    }
}
