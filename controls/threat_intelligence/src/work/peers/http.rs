//! Requests to a peer's server.
//!
//! Invariants: a login goes over TLS, or to this machine itself; redirects are not followed, so a login goes nowhere
//! else; an answer is read up to `ANSWER_BYTES_MAX`.

use std::time::Duration;

use indicators::taxii::Answer;
use reqwest::{Client, Method, Url, header};

use super::login::Login;

const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
pub const ANSWER_BYTES_MAX: usize = 8 << 20;
pub const TAXII: &str = "application/taxii+json;version=2.1";
pub const JSON: &str = "application/json";

/// A peer's server.
pub struct Peer {
    client: Client,
    base: Url,
    login: Option<Login>,
    is_misp: bool,
}

/// What came back.
pub struct Got {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    /// As the client of the engine reads it.
    pub fn with<T>(&self, then: impl FnOnce(&Answer<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        then(&Answer { status: self.status, headers: &headers, body: &self.body })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Peer {
    pub fn new(address: &str, login: Option<Login>, is_misp: bool) -> Result<Peer, String> {
        // A second installation of the process-wide provider is refused harmlessly.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut base: Url = address.trim().parse().map_err(|_| "the address is none".to_owned())?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        base.set_query(None);
        let is_here = match base.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => return Err("the address names no host".to_owned()),
        };
        if base.scheme() != "https" && !(base.scheme() == "http" && is_here) {
            return Err("the address has to begin with https://".to_owned());
        }
        let client = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("ume/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Peer { client, base, login, is_misp })
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    /// An address that the peer named: below its own host, or refused.
    pub fn named(&self, text: &str) -> Result<Url, String> {
        let url = self.base.join(text).map_err(|_| format!("{text:?} is no address"))?;
        let same = |url: &Url| {
            (
                url.scheme().to_owned(),
                url.host_str().map(str::to_owned),
                url.port_or_known_default(),
            )
        };
        match same(&url) == same(&self.base) {
            true => Ok(url),
            false => Err(format!("the peer names {url}, which is another server")),
        }
    }

    pub async fn get(&self, url: Url, accept: &str) -> Result<Got, String> {
        self.send(Method::GET, url, accept, None).await
    }

    pub async fn post(&self, url: Url, media: &str, body: Vec<u8>) -> Result<Got, String> {
        self.send(Method::POST, url, media, Some(body)).await
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        media: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Got, String> {
        let mut request = self.client.request(method, url).header(header::ACCEPT, media);
        if let Some(login) = &self.login {
            request = match self.is_misp {
                true => request.header(header::AUTHORIZATION, &login.secret),
                false => request.basic_auth(&login.user, Some(&login.secret)),
            };
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, media).body(body);
        }
        let mut response = request.send().await.map_err(|error| cause(&error))?;
        let headers = response.headers().iter();
        let headers = headers
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        let (status, mut bytes) = (response.status().as_u16(), Vec::new());
        while let Some(part) = response.chunk().await.map_err(|error| cause(&error))? {
            if bytes.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Got { status, headers, body: bytes })
    }
}

/// What failed, down to the innermost cause.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// The collection of a peer's TAXII server: the API root it lies below, its id, and what may be done.
pub struct Found {
    pub root: Url,
    pub collection: String,
    pub can_read: bool,
    pub can_write: bool,
}

/// Finds the collection that an address means: itself, or the first that serves of the root or server it names.
pub async fn collection(peer: &Peer, to_write: bool) -> Result<Found, String> {
    let base = peer.base().clone();
    if let Some((root, id)) = base.as_str().trim_end_matches('/').rsplit_once("/collections/") {
        let root = Url::parse(&format!("{root}/")).map_err(|error| error.to_string())?;
        let one = peer.get(base.clone(), TAXII).await?;
        if one.status != 200 {
            return Err(format!("the collection answers {}", one.status));
        }
        return found(&one.json(), root, Some(id))
            .ok_or_else(|| "the collection says no id".to_owned());
    }
    let about = peer.get(base.clone(), TAXII).await?;
    if about.status != 200 {
        return Err(format!("discovery answers {}", about.status));
    }
    let about = about.json();
    let named = about["default"].as_str().or_else(|| about["api_roots"][0].as_str());
    let mut root = match named {
        Some(text) => peer.named(text)?,
        None if about["versions"].is_array() => base,
        None => {
            return Err("the address answers neither as discovery nor as an API root".to_owned());
        }
    };
    if !root.path().ends_with('/') {
        root.set_path(&format!("{}/", root.path()));
    }
    let list = root.join("collections/").map_err(|error| error.to_string())?;
    let list = peer.get(list, TAXII).await?;
    if list.status != 200 {
        return Err(format!("its collections answer {}", list.status));
    }
    let list = list.json();
    let all = list["collections"].as_array().into_iter().flatten();
    let mut all = all.filter_map(|one| found(one, root.clone(), None));
    all.find(|one| if to_write { one.can_write } else { one.can_read })
        .ok_or_else(|| "no collection that we may use".to_owned())
}

fn found(one: &serde_json::Value, root: Url, asked: Option<&str>) -> Option<Found> {
    let id = one["id"].as_str().or(asked)?;
    let may = |key: &str| one[key].as_bool().unwrap_or(false);
    Some(Found {
        root,
        collection: id.to_owned(),
        can_read: may("can_read"),
        can_write: may("can_write"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_goes_over_tls_or_nowhere_else() {
        let new = |address: &str| Peer::new(address, None, false).map(|peer| peer.base.to_string());
        assert_eq!(
            new("https://peer.example/taxii2"),
            Ok("https://peer.example/taxii2/".to_owned())
        );
        assert!(new("http://127.0.0.1:80/x/").is_ok() && new("http://[::1]/x").is_ok());
        for bad in
            ["http://peer.example/", "ftp://peer.example/", "peer.example", "http://10.0.0.1/"]
        {
            assert!(new(bad).is_err(), "{bad}");
        }
        let peer = Peer::new("https://peer.example/taxii2/", None, false).expect("peer");
        assert!(peer.named("/api1/").is_ok() && peer.named("https://peer.example/api1/").is_ok());
        for bad in ["https://other.example/api1/", "http://peer.example/", "//other.example/"] {
            assert!(peer.named(bad).is_err(), "{bad}");
        }
    }
}
