//! Devices that are asked by SNMP: from the configuration to what [`stream::intake::Poll`] needs.
//!
//! Secrets are read from their files when a conversation begins, and again after each failure.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use stream::{
    intake::Poll,
    snmp::{peer::Security, usm::User},
};

use crate::config;

/// One poll a device.
pub fn polls(at: &config::Snmp) -> impl Iterator<Item = Poll> {
    let known = Known { access: at.access.clone(), made: Mutex::default() };
    let security = Arc::new(move || known.security());
    at.targets.iter().map(move |target| Poll {
        target: target.clone(),
        source: at.source.0.clone(),
        every: Duration::from_secs(at.every_seconds.into()),
        security: security.clone(),
        plan: at.plan.clone(),
    })
}

/// Who we are to the devices of an entry. A million bytes are hashed for each password, so what was made of the same
/// secrets before is kept for all of them.
struct Known {
    access: config::SnmpAccess,
    made: Mutex<Option<(Secrets, User)>>,
}

/// Passwords of authentication and privacy.
type Secrets = [Option<Vec<u8>>; 2];

impl Known {
    fn security(&self) -> Result<Security, String> {
        let user = match &self.access {
            config::SnmpAccess::Community(file) => return Ok(Security::Community(secret(file)?)),
            config::SnmpAccess::User(user) => user,
        };
        let read = |file: Option<&PathBuf>| file.map(|file| secret(file)).transpose();
        let auth = read(user.auth.as_ref().map(|(_, file)| file))?;
        let privacy = read(user.privacy.as_ref().map(|(_, file)| file))?;
        let secrets = [auth, privacy];
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = made.as_ref().filter(|(of, _)| *of == secrets) {
            return Ok(Security::User(Box::new(known.clone())));
        }
        let auth = user.auth.as_ref().map(|(auth, _)| *auth).zip(secrets[0].as_deref());
        let privacy = user.privacy.as_ref().map(|(privacy, _)| *privacy).zip(secrets[1].as_deref());
        let mut known = User::new(&user.name, auth, privacy, user.extension)?;
        known.context = user.context.as_bytes().to_vec();
        *made = Some((secrets, known.clone()));
        Ok(Security::User(Box::new(known)))
    }
}

/// What a file holds, without the end of its line.
fn secret(file: &Path) -> Result<Vec<u8>, String> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{}: the file is empty", file.display()));
    }
    Ok(secret.as_bytes().to_vec())
}
