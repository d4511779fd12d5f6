//! Ready configuration of what sends logs: for the sender and for `ume.toml`, from `content/monitoring/senders.toml`.
//!
//! Pure. What is filled in comes from whoever asks, and ends up in files that are run as root: each part is held
//! against what such a part may be made of, so that no text reaches a file that was not meant as this one part.

use std::sync::LazyLock;

use model::{Text, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

const PART_CHARS_MAX: usize = 100;

/// Everything that Ume knows how to hear.
pub static SENDERS: LazyLock<Vec<Sender>> = LazyLock::new(|| {
    let text = include_str!("../../../content/monitoring/senders.toml");
    // A test reads it.
    toml::from_str::<Content>(text).map(|content| content.sender).unwrap_or_default()
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[expect(dead_code, reason = "says which edition of the content it is")]
    version: String,
    #[expect(dead_code, reason = "says whose content it is")]
    author: String,
    sender: Vec<Sender>,
}

/// A way by which something arrives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    pub id: String,
    /// Classes of the asset kind `log_source`.
    pub classes: Vec<String>,
    pub title_ja: String,
    pub title_en: String,
    #[serde(default)]
    pub note_ja: String,
    #[serde(default)]
    pub note_en: String,
    /// Where Ume usually listens for it.
    pub port: Option<u16>,
    /// It sends to the pages' own port.
    #[serde(default)]
    pub http: bool,
    /// Ume asks it, at `{target}`.
    #[serde(default)]
    pub asks: bool,
    /// What goes into `ume.toml`.
    pub ume: Option<String>,
    #[serde(default)]
    pub step: Vec<Step>,
}

/// Something to do at the sender.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub ja: String,
    pub en: String,
    pub file: Option<String>,
    pub text: Option<String>,
    pub run: Option<String>,
}

/// What is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Ume's address as the sender sees it.
    pub host: String,
    pub port: u16,
    /// Whether that port is the pages' and speaks TLS.
    pub tls: bool,
    pub source: String,
    /// Address or network of the sender.
    pub from: String,
    /// Address of what is asked.
    pub target: String,
    /// A fresh secret, at least 16 letters, digits and `-`.
    pub token: String,
}

/// A part that cannot be filled in, by the name of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub field: &'static str,
    pub what: Text,
}

/// What to do, with everything filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    pub ume: Option<String>,
    pub steps: Vec<Done>,
}

/// A [`Step`], filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub title: (String, String),
    pub file: Option<String>,
    pub text: Option<String>,
    pub run: Option<String>,
}

/// The sender with this id.
pub fn named(id: &str) -> Option<&'static Sender> {
    SENDERS.iter().find(|sender| sender.id == id)
}

/// Every way of sending, as a document.
pub fn listed() -> Json {
    let one = |sender: &Sender| {
        json!({
            "id": sender.id, "classes": sender.classes, "port": sender.port,
            "title": { "ja": sender.title_ja, "en": sender.title_en },
        })
    };
    json!({ "senders": SENDERS.iter().map(one).collect::<Vec<_>>() })
}

/// Ready configuration, as a document.
pub fn document(sender: &Sender, ready: &Ready, token: &str) -> Json {
    let step = |step: &Done| {
        json!({
            "title": { "ja": step.title.0, "en": step.title.1 },
            "file": step.file, "text": step.text, "run": step.run,
        })
    };
    let has_token = sender.needs("token") || sender.needs("token_sha256");
    json!({
        "sender": sender.id,
        "ume_toml": ready.ume,
        "steps": ready.steps.iter().map(step).collect::<Vec<_>>(),
        "token": has_token.then_some(token),
    })
}

impl Sender {
    /// Whether its configuration has this word in it.
    pub fn needs(&self, word: &str) -> bool {
        let word = format!("{{{word}}}");
        let of = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(&word));
        of(&self.ume) || self.step.iter().any(|step| of(&step.text) || of(&step.run))
    }

    /// Everything to do, or each part that is wrong.
    pub fn ready(&self, place: &Place) -> Result<Ready, Vec<Wrong>> {
        let wrong = self.wrong(place);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let fill = |text: &String| fill(text.trim_matches('\n'), place);
        let steps = self.step.iter().map(|step| Done {
            title: (step.ja.clone(), step.en.clone()),
            file: step.file.clone(),
            text: step.text.as_ref().map(fill),
            run: step.run.as_ref().map(fill),
        });
        Ok(Ready { ume: self.ume.as_ref().map(fill), steps: steps.collect() })
    }

    fn wrong(&self, place: &Place) -> Vec<Wrong> {
        let needs = |word: &str| self.needs(word);
        let all = [
            (
                needs("host") || needs("page"),
                "host",
                is_host(&place.host),
                t(
                    "ホスト名かIPアドレスを入力してください（例 ume.example.jp）。",
                    "Enter a host name or an address, such as ume.example.jp.",
                ),
            ),
            (
                needs("source"),
                "source",
                is_source(&place.source),
                t(
                    "出所の名前は、a-z、0-9、「.」「-」「_」の64文字以内です。",
                    "A source is 1 to 64 of a-z, 0-9, '.', '-' and '_'.",
                ),
            ),
            (
                needs("from"),
                "from",
                is_network(&place.from),
                t(
                    "送り手のIPアドレスか、192.0.2.0/24のようなネットワークを入力してください。",
                    "Enter the sender's address, or a network such as 192.0.2.0/24.",
                ),
            ),
            (
                needs("target"),
                "target",
                is_target(&place.target),
                t(
                    "取りに行く相手のホスト名かIPアドレスを入力してください（ポートも書けます）。",
                    "Enter the host name or address of what Ume asks, with a port if need be.",
                ),
            ),
        ];
        let wrong = all.into_iter().filter(|(needed, _, right, _)| *needed && !right);
        wrong.map(|(_, field, _, what)| Wrong { field, what }).collect()
    }
}

fn fill(text: &str, place: &Place) -> String {
    let scheme = if place.tls { "https" } else { "http" };
    let host = bracketed(&place.host);
    let hash = hex::encode(Sha256::digest(&place.token));
    let port = place.port.to_string();
    let page = format!("{scheme}://{host}:{port}");
    let listen = format!("0.0.0.0:{port}");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // One pass: what was filled in is not looked at again.
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let words: [(&str, &str); 10] = [
            ("{host}", &place.host),
            ("{port}", &port),
            ("{listen}", &listen),
            ("{source}", &place.source),
            ("{from}", &place.from),
            ("{target}", &place.target),
            ("{token}", &place.token),
            ("{token_sha256}", &hash),
            ("{page}", &page),
            ("{tls}", if place.tls { "On" } else { "Off" }),
        ];
        match words.into_iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, value)) => {
                out.push_str(value);
                rest = &rest[word.len()..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// An address of IP version 6 within a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn is_host(text: &str) -> bool {
    let is_name = |text: &str| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        plain && text.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    (1..=PART_CHARS_MAX).contains(&text.len())
        && (is_name(text) || text.parse::<std::net::Ipv6Addr>().is_ok())
}

fn is_target(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "1"));
    is_host(text) || (is_host(host) && port.parse::<u16>().is_ok())
}

fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
    let most = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

fn is_source(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    pub(crate) fn place() -> Place {
        Place {
            host: "ume.example.jp".into(),
            port: 2514,
            tls: true,
            source: "office".into(),
            from: "192.0.2.0/24".into(),
            target: "192.0.2.1:9100".into(),
            token: "ABCD-EFGH-IJKL-MNOP".into(),
        }
    }

    #[test]
    fn every_sender_is_whole_and_filled_in() {
        let ids: BTreeSet<&str> = SENDERS.iter().map(|sender| sender.id.as_str()).collect();
        assert!(SENDERS.len() >= 17 && ids.len() == SENDERS.len());
        let classes: BTreeSet<&str> =
            crate::kinds::SOURCE_CLASSES.iter().map(|choice| choice.value).collect();
        for sender in SENDERS.iter() {
            let unknown = sender.classes.iter().find(|class| !classes.contains(class.as_str()));
            assert_eq!(unknown, None, "{}", sender.id);
            let ready = sender.ready(&place()).unwrap();
            let all = ready.steps.iter().flat_map(|s| [&s.text, &s.run]).chain([&ready.ume]);
            for text in all.flatten() {
                for word in ["{host", "{port", "{listen", "{source", "{from", "{t", "{page"] {
                    assert!(!text.contains(word), "{}: {text}", sender.id);
                }
            }
            assert!(sender.step.iter().all(|s| !s.ja.is_empty() && !s.en.is_empty()));
            // What it is told must reach Ume somewhere.
            assert!(sender.ume.is_some() || sender.id == "agent", "{}", sender.id);
        }
    }

    #[test]
    fn each_part_is_held_against_what_it_may_be() {
        let sender = named("journal").unwrap();
        let wrong = |place: Place| -> Vec<&str> {
            sender.ready(&place).err().into_iter().flatten().map(|wrong| wrong.field).collect()
        };
        let with = |change: fn(&mut Place)| {
            let mut place = place();
            change(&mut place);
            place
        };
        assert_eq!(wrong(with(|p| p.host = "a\"\n$(reboot)".into())), ["host"]);
        assert_eq!(wrong(with(|p| p.host = "-x".into())), ["host"]);
        assert_eq!(wrong(with(|p| p.source = "Office".into())), ["source"]);
        assert_eq!(wrong(with(|p| p.from = "192.0.2.0/33".into())), ["from"]);
        assert_eq!(wrong(with(|p| p.from = "::/0".into())), [""; 0]);
        assert_eq!(
            wrong(with(|p| (p.host, p.from) = (String::new(), "x".into()))),
            ["host", "from"]
        );
        // Not asked for here.
        assert_eq!(wrong(with(|p| p.target = "?".into())), [""; 0]);
        assert!(named("snmp").unwrap().ready(&with(|p| p.target = "?".into())).is_err());
    }

    #[test]
    fn what_is_filled_in_is_not_filled_in_again() {
        let place = Place { token: "{host}".into(), ..place() };
        assert_eq!(fill("a {token} {host} {x} {", &place), "a {host} ume.example.jp {x} {");
        let six = Place { host: "2001:db8::1".into(), ..place };
        assert_eq!(fill("{page}", &six), "https://[2001:db8::1]:2514");
    }
}
