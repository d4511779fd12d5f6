//! `clientDataJSON`: what the browser says about the page that asked.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::{AssertionError, Expected};

/// Members we do not know are allowed: browsers add some on purpose. A doubled one is refused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

pub(crate) fn check(json: &[u8], expected: &Expected<'_>) -> Result<(), AssertionError> {
    let data: ClientData =
        serde_json::from_slice(json).map_err(|e| AssertionError::ClientData(e.to_string()))?;
    if data.r#type != "webauthn.get" {
        return Err(AssertionError::Type(data.r#type));
    }
    // One text for each challenge: padding and spare bits are refused by the decoder.
    let challenge = URL_SAFE_NO_PAD.decode(&data.challenge);
    if challenge.ok().as_deref() != Some(expected.challenge) {
        return Err(AssertionError::Challenge);
    }
    if data.origin != expected.origin {
        return Err(AssertionError::Origin(data.origin));
    }
    if data.cross_origin || data.top_origin.is_some() {
        return Err(AssertionError::CrossOrigin);
    }
    Ok(())
}
