//! Pages over TLS, or behind proxies that are trusted by address.
//!
//! A proxy's word (`X-Forwarded-For`, `X-Forwarded-Proto`) counts only if the connection comes from a
//! trusted network, and then only the part behind which all further hops are trusted. What the proxy
//! says of others is dropped.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::listen::Peer;

/// A network: address and length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let wrong = || format!("{text:?} is no network: write for example 10.0.0.0/8 or ::1");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if prefix <= most { Ok(Network { address, prefix }) } else { Err(wrong()) }
    }
}

impl Network {
    /// Whether the address lies in it; an IPv4 address may come mapped into IPv6.
    pub fn holds(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, bits: u32| {
            let shift = bits - self.prefix;
            shift >= 128 || (a ^ b) >> shift == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

/// How pages are reached.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    /// Networks whose proxies are believed.
    pub trusted: Vec<Network>,
    /// TLS ends here.
    pub tls: bool,
    /// Browsers shall never come back without TLS: only with a certificate of one's own, since a
    /// local CA may be taken away again.
    pub hsts: bool,
}

/// Puts the transport in front of the pages.
pub fn behind(router: Router, transport: Transport) -> Router {
    router.layer(axum::middleware::from_fn_with_state(Arc::new(transport), pass))
}

const PLAIN: &str = "ume=";
const HOST: &str = "__Host-ume=";

async fn pass(
    State(transport): State<Arc<Transport>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|p| p.0.address);
    let peer = peer.or_else(|| request.extensions().get::<ConnectInfo<SocketAddr>>().map(|p| p.0));
    let mut secure = transport.tls;
    if let Some(peer) = peer {
        let (client, https) = forwarded(&transport.trusted, peer, request.headers());
        secure |= https;
        request.extensions_mut().insert(ConnectInfo(client));
    }
    // HTTP/2 names the host in the address only.
    if let (None, Some(authority)) =
        (request.headers().get(header::HOST), request.uri().authority().map(ToString::to_string))
        && let Ok(value) = HeaderValue::from_str(&authority)
    {
        request.headers_mut().insert(header::HOST, value);
    }
    let proxied = secure && !transport.tls;
    if proxied {
        take_host_cookie(request.headers_mut());
    }
    let mut response = next.run(request).await;
    if proxied {
        give_host_cookie(response.headers_mut());
    }
    if transport.hsts {
        let value = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

/// Who really asks, and whether the way to the outermost trusted proxy was HTTPS.
fn forwarded(trusted: &[Network], peer: SocketAddr, headers: &HeaderMap) -> (SocketAddr, bool) {
    let is_trusted = |address: IpAddr| trusted.iter().any(|n| n.holds(address));
    if !is_trusted(peer.ip()) {
        return (peer, false);
    }
    let texts = |name: &'static str| {
        let all = headers.get_all(HeaderName::from_static(name)).iter();
        all.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim)
    };
    let hops: Vec<&str> = texts("x-forwarded-for").collect();
    let mut client = peer;
    for hop in hops.iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        client = SocketAddr::new(address.to_canonical(), 0);
        if !is_trusted(address) {
            break;
        }
    }
    let proto = texts("x-forwarded-proto").next_back();
    let https = proto.is_some_and(|p| p.eq_ignore_ascii_case("https"));
    (client, https)
}

/// Behind HTTPS only the cookie counts that no other host of the domain can set.
fn take_host_cookie(headers: &mut HeaderMap) {
    let cookies: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .map(str::trim)
        .filter(|pair| !pair.starts_with(PLAIN))
        .map(|pair| match pair.strip_prefix(HOST) {
            Some(value) => format!("{PLAIN}{value}"),
            None => pair.to_owned(),
        })
        .collect();
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_str(&cookies.join("; "))
        && !cookies.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

fn give_host_cookie(headers: &mut HeaderMap) {
    let all: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    headers.remove(header::SET_COOKIE);
    for cookie in all {
        let text = cookie.to_str().ok().and_then(|c| c.strip_prefix(PLAIN));
        let secured = text.map(|rest| format!("{HOST}{rest}; Secure"));
        let value = secured.and_then(|text| HeaderValue::from_str(&text).ok()).unwrap_or(cookie);
        headers.append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        format!("{text}:9").parse().unwrap()
    }

    fn headers(forwarded: &str, proto: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        headers.insert("x-forwarded-proto", proto.parse().unwrap());
        headers
    }

    #[test]
    fn networks_hold_what_they_say() {
        let ten: Network = "10.0.0.0/8".parse().unwrap();
        assert!(ten.holds("10.200.0.1".parse().unwrap()));
        assert!(ten.holds("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!ten.holds("11.0.0.1".parse().unwrap()));
        let all: Network = "::/0".parse().unwrap();
        assert!(all.holds("2001:db8::1".parse().unwrap()));
        assert!(!all.holds("1.2.3.4".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "a/8", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_own_hop() {
        let trusted = ["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let sent = headers("6.6.6.6, 203.0.113.7, 10.0.0.2", "http, https");
        let (client, https) = forwarded(&trusted, peer("127.0.0.1"), &sent);
        assert_eq!((client.ip().to_string(), https), ("203.0.113.7".to_owned(), true));
        let (client, https) = forwarded(&trusted, peer("198.51.100.1"), &sent);
        assert_eq!((client, https), (peer("198.51.100.1"), false));
        let (client, _) = forwarded(&trusted, peer("127.0.0.1"), &headers("nonsense", "x"));
        assert_eq!(client, peer("127.0.0.1"));
    }

    #[test]
    fn behind_https_the_plain_cookie_is_worth_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "ume=evil; ume_lang=ja; __Host-ume=good".parse().unwrap());
        take_host_cookie(&mut headers);
        assert_eq!(headers[header::COOKIE], "ume_lang=ja; ume=good");
        headers.insert(header::SET_COOKIE, "ume=x; Path=/; HttpOnly".parse().unwrap());
        headers.append(header::SET_COOKIE, "ume_lang=ja; Path=/".parse().unwrap());
        give_host_cookie(&mut headers);
        let all: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(all, ["__Host-ume=x; Path=/; HttpOnly; Secure", "ume_lang=ja; Path=/"]);
    }
}
