//! `[bus]` of `ume.toml`: other nodes that evaluate, over NATS JetStream.

use std::path::PathBuf;

use serde::Deserialize;

const REPLICAS_MAX: usize = 5;
const NAME_CHARS_MAX: usize = 32;

/// Where the bus is and how this process takes part.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "BusKeys")]
pub struct Bus {
    pub settings: bus::Settings,
    /// Whether the main node evaluates as well.
    pub evaluate: bool,
    /// Keys by which sets of indicators of the main node are known.
    pub house_keys: Vec<merkle::VerifierKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BusKeys {
    nats: String,
    credentials: Option<PathBuf>,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default = "name")]
    name: String,
    #[serde(default = "replicas")]
    replicas: usize,
    #[serde(default = "partitions")]
    partitions: u32,
    node: Option<String>,
    #[serde(default = "evaluate")]
    evaluate: bool,
    house_key: Option<String>,
}

fn name() -> String {
    "ume".to_owned()
}

fn replicas() -> usize {
    1
}

fn partitions() -> u32 {
    8
}

fn evaluate() -> bool {
    true
}

/// What a name in NATS may be made of.
fn is_plain(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(fits)
}

impl TryFrom<BusKeys> for Bus {
    type Error = String;
    fn try_from(keys: BusKeys) -> Result<Bus, String> {
        let schemes = ["nats://", "tls://"];
        let is_address = |url: &str| schemes.iter().any(|scheme| url.trim().starts_with(scheme));
        if !keys.nats.split(',').all(is_address) {
            return Err("write nats:// or tls://, host and port; several with commas".to_owned());
        }
        if keys.nats.contains('@') {
            return Err("no password in the address: name a file with credentials".to_owned());
        }
        let identity = match (keys.certificate, keys.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("certificate and key stand together".to_owned()),
        };
        if !is_plain(&keys.name) {
            return Err(format!("name is 1 to {NAME_CHARS_MAX} letters, digits, - and _"));
        }
        if !(1..=REPLICAS_MAX).contains(&keys.replicas) {
            return Err(format!("replicas is 1 to {REPLICAS_MAX}"));
        }
        if !(1..=bus::PARTITIONS_MAX).contains(&keys.partitions) {
            return Err(format!("partitions is 1 to {}", bus::PARTITIONS_MAX));
        }
        if keys.node.as_deref().is_some_and(|node| !is_plain(node)) {
            return Err(format!("node is 1 to {NAME_CHARS_MAX} letters, digits, - and _"));
        }
        let settings = bus::Settings {
            url: keys.nats,
            credentials: keys.credentials,
            ca: keys.ca,
            identity,
            name: keys.name,
            replicas: keys.replicas,
            partitions: keys.partitions,
            node: keys.node.unwrap_or_else(own_name),
        };
        let key = |text: String| {
            merkle::VerifierKey::parse(text.trim())
                .map_err(|error| format!("house_key is the verifier key that the page /ledger of the main node shows: {error}"))
        };
        let house_keys = keys.house_key.map(key).transpose()?.into_iter().collect();
        Ok(Bus { settings, evaluate: keys.evaluate, house_keys })
    }
}

/// The machine's name as a name in NATS.
fn own_name() -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = room::host_name().chars().map(plain).take(NAME_CHARS_MAX).collect();
    if name.is_empty() { "node".to_owned() } else { name }
}
