//! Indicators of the published set against what an event shows: addresses, names, URLs, hashes, paths.
//!
//! Only fields whose meaning is known are asked, each in the direction that it has, so that what attacks us from
//! outside is no alarm where our own machines go there, and the other way round. Pure.
//!
//! Limits: `ASKED_MAX` values of an event, `HITS_MAX` hits of an event.

use std::{borrow::Cow, sync::Arc};

use indicators::{Ceiling, Direction, Hit, Kind, Observable};
use intel::Current;
use model::Timestamp;
use netname::Names;
use sha2::{Digest, Sha256};
use stream::Event;

use super::evaluate::About;

/// Name of the document that findings of indicators name.
pub const DOCUMENT: &str = "indicators";
const ASKED_MAX: usize = 64;
const HITS_MAX: usize = 8;
/// A value that is longer is no indicator's.
const VALUE_BYTES_MAX: usize = 8 * 1024;
const TITLE_CHARS_MAX: usize = 120;

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

/// The set at work.
pub struct Intel {
    pub set: Arc<Current>,
    names: Names,
}

/// An indicator that an event met.
pub struct Met {
    pub about: Arc<About>,
    /// Kind and value, for the finding.
    pub kind: Kind,
    pub value: String,
}

impl Intel {
    pub fn new(set: Arc<Current>) -> Intel {
        Intel { set, names: Names::shipped() }
    }

    /// The indicators that the event meets, each once.
    pub fn meets(&self, event: &Event, at: Timestamp) -> Vec<Met> {
        let mut met: Vec<Met> = Vec::new();
        let mut hits = Vec::new();
        for seen in observables(event, &self.names).into_iter().take(ASKED_MAX) {
            hits.clear();
            // Bytes that were verified when the set came are whole; what is damaged since meets nothing.
            if self.set.set().lookup(&seen, at.0, &mut hits).is_err() {
                continue;
            }
            for hit in &hits {
                let value = hit.value();
                let is_there = met.iter().any(|one| one.kind == hit.kind && one.value == value);
                if hit.ceiling != Ceiling::Nothing && !is_there && met.len() < HITS_MAX {
                    let about = Arc::new(about(&self.set, hit, &value));
                    met.push(Met { about, kind: hit.kind, value });
                }
            }
        }
        met
    }
}

/// An indicator is a rule of its own: what is judged of one says nothing of another.
fn about(set: &Current, hit: &Hit<'_>, value: &str) -> About {
    let kind = hit.kind.as_str();
    let id = hex::encode(&Sha256::digest(format!("{kind}\n{value}"))[..16]);
    let shown: String = value.chars().take(TITLE_CHARS_MAX).collect();
    let source = hit.source;
    About {
        file: DOCUMENT.to_owned(),
        id: format!("indicator:{id}"),
        title_ja: format!("脅威の指標に一致: {shown}（{source}）"),
        title_en: format!("Threat indicator met: {shown} ({source})"),
        severity: if hit.ceiling == Ceiling::Alert { "medium" } else { "high" },
        phase: "sign",
        hash: set.manifest().root(),
        is_canary: hit.kind == Kind::Domain && is_canary(value),
    }
}

/// A name that only this house knows, by which the sets of it are tested.
fn is_canary(name: &str) -> bool {
    name.starts_with("ume-canary-") && name.ends_with(".invalid")
}

/// What an event shows, in the one form of each kind.
fn observables(event: &Event, names: &Names) -> Vec<Observable> {
    let fields = stream::logsource::fields(event);
    let mut found = Vec::new();
    let mut ask = |kind, text: &str, direction| {
        if text.len() <= VALUE_BYTES_MAX
            && let Ok(seen) = Observable::read(kind, text, direction, names)
        {
            found.push(seen);
        }
    };
    let host = fields.iter().find(|(name, _)| name == "cs-host").map(|(_, value)| value.as_ref());
    for (name, text) in &fields {
        let text = text.trim();
        if text.is_empty() || text == "-" {
            continue;
        }
        match means(name) {
            Some(Means::Value(Kind::Domain, direction)) => {
                let bare = without_port(text);
                let kind = if is_address(bare) { Kind::Ip } else { Kind::Domain };
                ask(kind, bare.trim_end_matches('.'), direction);
            }
            Some(Means::Value(kind, direction)) => ask(kind, text, direction),
            Some(Means::Hashes) => hashes(text, &mut ask),
            Some(Means::Target) => target(text, host, &mut ask),
            None => {}
        }
    }
    found
}

fn hashes(text: &str, ask: &mut impl FnMut(Kind, &str, Direction)) {
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
        if !part.trim_start().to_ascii_uppercase().starts_with("IMPHASH") {
            ask(kind, hex, Both);
        }
    }
}

/// A URL as a proxy writes it: whole, a path beside its host, or what CONNECT names.
fn target(text: &str, host: Option<&str>, ask: &mut impl FnMut(Kind, &str, Direction)) {
    let url: Cow<'_, str> = match (text.starts_with('/'), host) {
        _ if text.contains("://") => text.into(),
        (true, Some(host)) => format!("http://{host}{text}").into(),
        (true, None) => return,
        (false, _) => {
            let bare = without_port(text);
            let kind = if is_address(bare) { Kind::Ip } else { Kind::Domain };
            return ask(kind, bare, Destination);
        }
    };
    ask(Kind::Url, &url, Destination);
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
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

#[cfg(test)]
pub(super) mod tests {
    use std::{collections::BTreeMap, path::Path};

    use indicators::{
        Entry,
        set::{Limits, build},
    };
    use intel::Manifest;
    use merkle::{SignedNote, Signer};

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    /// A signed set in a folder.
    pub fn publish(folder: &Path, signer: &Signer, rows: &[(Kind, &str, Direction)]) -> Current {
        let names = Names::shipped();
        let entries = rows.iter().enumerate().map(|(id, (kind, text, direction))| {
            let key = indicators::normalise(*kind, text, &names).unwrap();
            Entry { direction: *direction, ..Entry::new(id as u64, key, "JPCERT") }
        });
        let mut bytes = Vec::new();
        build(entries, [5; 16], &Limits::DEFAULT, &mut bytes).unwrap();
        let files = vec![intel::add_file(folder, "base", &bytes).unwrap()];
        let manifest = Manifest { sequence: 1, made_at: NOW.0, rows: rows.len() as u64, files };
        let mut note = SignedNote::new(&manifest.text()).unwrap();
        note.sign(signer).unwrap();
        intel::put(folder, &manifest, &note.to_string()).unwrap();
        Current::load(folder, &[signer.verifier_key()]).unwrap().unwrap()
    }

    fn event(fields: &[(&str, &str)]) -> Event {
        let fields: BTreeMap<String, String> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Event {
            raw: Vec::new(),
            event_time: None,
            arrived: NOW,
            source: "proxy".to_owned(),
            class: 0,
            host: "pc1".to_owned(),
            app: String::new(),
            severity: 0,
            message: String::new(),
            fields,
        }
    }

    #[test]
    fn fields_meet_indicators_of_their_kind_in_their_direction() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::from_seed("ume.example", &[7; 32]).unwrap();
        let sha = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let rows = [
            (Kind::Ip, "203.0.113.7", Destination),
            (Kind::Domain, "evil.example", Both),
            (Kind::Url, "http://share.example/drop/a.exe", Both),
            (Kind::Sha256, sha, Both),
        ];
        let intel = Intel::new(Arc::new(publish(folder.path(), &signer, &rows)));
        let met = |fields: &[(&str, &str)]| -> Vec<String> {
            intel.meets(&event(fields), NOW).into_iter().map(|met| met.value).collect()
        };
        assert_eq!(met(&[("dst_ip", "203.0.113.7")]), ["203.0.113.7"]);
        assert!(met(&[("src_ip", "203.0.113.7")]).is_empty(), "we only must not go there");
        assert_eq!(met(&[("cs-host", "evil.example"), ("c-uri", "evil.example:443")]).len(), 1);
        assert_eq!(met(&[("query", "EVIL.example.")]).len(), 1);
        let path = [("cs-host", "share.example"), ("cs-uri", "/drop/a.exe")];
        assert_eq!(met(&path).len(), 1);
        assert!(met(&[("cs-host", "share.example"), ("cs-uri", "/other")]).is_empty());
        assert_eq!(met(&[("Hashes", &format!("MD5=0,SHA256={}", sha.to_uppercase()))]), [sha]);
        assert!(met(&[("Hashes", &format!("IMPHASH={sha}"))]).is_empty());
        assert!(met(&[("user", "203.0.113.7"), ("cs-uri", "\u{0}")]).is_empty());
    }

    #[test]
    fn an_indicator_is_a_rule_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::from_seed("ume.example", &[7; 32]).unwrap();
        let rows = [(Kind::Ip, "203.0.113.7", Both), (Kind::Ip, "203.0.113.8", Both)];
        let intel = Intel::new(Arc::new(publish(folder.path(), &signer, &rows)));
        let seen = event(&[("dst_ip", "203.0.113.7"), ("src_ip", "203.0.113.8")]);
        let met = intel.meets(&seen, NOW);
        assert_eq!(met.len(), 2);
        assert_ne!(met[0].about.key("pc1"), met[1].about.key("pc1"));
        assert!(met[0].about.title_ja.contains("JPCERT"));
    }
}
