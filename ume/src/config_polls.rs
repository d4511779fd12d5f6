//! What is asked for measurements: devices by SNMP, databases. Secrets stand in files of their own.

use std::path::PathBuf;

use serde::Deserialize;
use stream::snmp::{
    profile::{Arcs, Group, Label, Measured, OWN_MAX, Plan, Shape},
    usm::{Auth, Extension, Privacy},
};

use super::{EVERY_SECONDS_MAX, every_seconds};
use crate::config::SourceName;

const TARGETS_MAX: usize = 1000;

/// Devices that are asked by SNMP.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "SnmpKeys")]
pub struct Snmp {
    pub source: SourceName,
    pub targets: Vec<String>,
    pub every_seconds: u32,
    pub plan: Plan,
    pub access: SnmpAccess,
}

/// How devices know us.
#[derive(Clone, Debug)]
pub enum SnmpAccess {
    /// File of the community of v2c.
    Community(PathBuf),
    User(SnmpUser),
}

/// A user of v3, whose passwords stand in files.
#[derive(Clone, Debug)]
pub struct SnmpUser {
    pub name: String,
    pub context: String,
    pub auth: Option<(Auth, PathBuf)>,
    pub privacy: Option<(Privacy, PathBuf)>,
    pub extension: Extension,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SnmpKeys {
    source: SourceName,
    targets: Vec<String>,
    #[serde(default = "every_seconds")]
    every_seconds: u32,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    version: SnmpVersion,
    community_file: Option<PathBuf>,
    user: Option<UserKeys>,
    #[serde(default)]
    values: Vec<ValueKeys>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum SnmpVersion {
    #[serde(rename = "2c")]
    Two,
    #[default]
    #[serde(rename = "3")]
    Three,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserKeys {
    name: String,
    #[serde(default)]
    context: String,
    auth: Option<AuthKey>,
    auth_file: Option<PathBuf>,
    privacy: Option<PrivacyKey>,
    privacy_file: Option<PathBuf>,
    #[serde(default)]
    key_extension: ExtensionKey,
    #[serde(default)]
    without_authentication: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AuthKey {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PrivacyKey {
    Aes128,
    Aes192,
    Aes256,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExtensionKey {
    #[default]
    Blumenthal,
    Reeder,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueKeys {
    name: String,
    oid: Arcs,
    /// Of a table: the column that names its rows.
    label: Option<Arcs>,
    over: Option<Arcs>,
    #[serde(default = "one")]
    scale: f64,
    #[serde(default)]
    kind: Shape,
}

fn one() -> f64 {
    1.0
}

impl TryFrom<SnmpKeys> for Snmp {
    type Error = String;
    fn try_from(keys: SnmpKeys) -> Result<Snmp, String> {
        if !(1..=EVERY_SECONDS_MAX).contains(&keys.every_seconds) {
            return Err(format!("every_seconds is 1 to {EVERY_SECONDS_MAX}"));
        }
        let is_target = |target: &String| {
            let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
            (1..=255).contains(&target.len()) && target.chars().all(fits)
        };
        let all = &keys.targets;
        if all.is_empty() || all.len() > TARGETS_MAX || !all.iter().all(is_target) {
            return Err("targets are 1 to 1000 names or addresses, perhaps with :port".to_owned());
        }
        if keys.values.len() > OWN_MAX {
            return Err(format!("at most {OWN_MAX} values"));
        }
        let own = keys.values.into_iter().map(ValueKeys::group).collect::<Result<_, _>>()?;
        let access = match (keys.version, keys.community_file, keys.user) {
            (SnmpVersion::Two, Some(file), _) => SnmpAccess::Community(file),
            (SnmpVersion::Two, None, _) => {
                return Err("version \"2c\" needs community_file".to_owned());
            }
            (SnmpVersion::Three, _, Some(user)) => SnmpAccess::User(user.checked()?),
            (SnmpVersion::Three, _, None) => {
                return Err("version 3 needs [intake.snmp.user]; or write version = \"2c\" and community_file"
                    .to_owned());
            }
        };
        Ok(Snmp {
            source: keys.source,
            targets: keys.targets,
            every_seconds: keys.every_seconds,
            plan: Plan::new(&keys.profiles, own)?,
            access,
        })
    }
}

impl UserKeys {
    fn checked(self) -> Result<SnmpUser, String> {
        let pair = "auth and auth_file, privacy and privacy_file stand together";
        let auth = match (self.auth, self.auth_file) {
            (Some(auth), Some(file)) => Some((auth.into(), file)),
            (None, None) => None,
            _ => return Err(pair.to_owned()),
        };
        let privacy = match (self.privacy, self.privacy_file) {
            (Some(privacy), Some(file)) => Some((privacy.into(), file)),
            (None, None) => None,
            _ => return Err(pair.to_owned()),
        };
        if auth.is_none() && (privacy.is_some() || !self.without_authentication) {
            return Err("name auth and auth_file; a user without them (noAuthNoPriv) proves nothing and is taken only \
                        with without_authentication = true, and never with privacy"
                .to_owned());
        }
        let extension = match self.key_extension {
            ExtensionKey::Blumenthal => Extension::Blumenthal,
            ExtensionKey::Reeder => Extension::Reeder,
        };
        Ok(SnmpUser { name: self.name, context: self.context, auth, privacy, extension })
    }
}

impl From<AuthKey> for Auth {
    fn from(key: AuthKey) -> Auth {
        match key {
            AuthKey::Sha1 => Auth::Sha1,
            AuthKey::Sha224 => Auth::Sha224,
            AuthKey::Sha256 => Auth::Sha256,
            AuthKey::Sha384 => Auth::Sha384,
            AuthKey::Sha512 => Auth::Sha512,
        }
    }
}

impl From<PrivacyKey> for Privacy {
    fn from(key: PrivacyKey) -> Privacy {
        match key {
            PrivacyKey::Aes128 => Privacy::Aes128,
            PrivacyKey::Aes192 => Privacy::Aes192,
            PrivacyKey::Aes256 => Privacy::Aes256,
        }
    }
}

impl ValueKeys {
    fn group(self) -> Result<Group, String> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.name.is_empty() || self.name.len() > 100 || !self.name.chars().all(fits) {
            return Err(format!(
                "the name of a value has letters a-z, digits and _: {:?}",
                self.name
            ));
        }
        if !self.scale.is_finite() {
            return Err("scale is a number".to_owned());
        }
        // One value bears the number 0 at its end; anything else is a table.
        let single = self.oid.0.last() == Some(&0);
        let labels = self.label.map(|of| Label { name: "name".to_owned(), of });
        let value = Measured {
            over: self.over,
            scale: self.scale,
            kind: self.kind,
            ..Measured::new(self.name, self.oid)
        };
        Ok(Group { single, labels: labels.into_iter().collect(), values: vec![value] })
    }
}

/// A PostgreSQL to look at.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "PostgresKeys")]
pub struct Postgres {
    pub source: SourceName,
    pub url: String,
    pub password_file: Option<PathBuf>,
    pub every_seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostgresKeys {
    source: SourceName,
    url: String,
    password_file: Option<PathBuf>,
    #[serde(default = "every_seconds")]
    every_seconds: u32,
}

impl TryFrom<PostgresKeys> for Postgres {
    type Error = String;
    fn try_from(keys: PostgresKeys) -> Result<Postgres, String> {
        let PostgresKeys { source, url, password_file, every_seconds } = keys;
        if !(5..=EVERY_SECONDS_MAX).contains(&every_seconds) {
            return Err(format!("every_seconds of a database is 5 to {EVERY_SECONDS_MAX}"));
        }
        let options = crate::intake_postgres::options(&url)?;
        if crate::intake_postgres::has_password(&url) {
            return Err(
                "no password here: put it into a file and name it as password_file".to_owned()
            );
        }
        drop(options);
        Ok(Postgres { source, url, password_file, every_seconds })
    }
}
