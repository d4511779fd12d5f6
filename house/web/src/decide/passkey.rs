//! Signing by passkey: the browser is asked for an assertion whose challenge is the hash of what is
//! signed, and our own verification judges the answer. The library that signs people in draws its own
//! challenge and cannot be given one.

use ::assertion::{Assertion, Expected, PublicKey};
use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::PasskeyRow;

use super::{Evidence, sign::Prepared};
use crate::{
    House,
    frame::{Refusal, User},
    people,
};

const ASSERTION_BYTES_MAX: usize = 16 * 1024;
const TIMEOUT_MS: u32 = 300_000;

/// What the script puts into the form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    raw_id: String,
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    #[serde(rename = "authenticatorData")]
    authenticator_data: String,
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    signature: String,
}

/// Origin and relying party of this server; `None` where browsers know no passkeys.
async fn place(house: &House, headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("");
    let Some(origin) = people::origin(house, host).await? else { return Ok(None) };
    let name = webauthn_rs::prelude::Url::parse(&origin).ok().and_then(|url| {
        // As browsers write it: a default port is not named.
        Some((url.origin().ascii_serialization(), url.domain()?.to_owned()))
    });
    Ok(name)
}

fn bad(user: &User, ja: &str, en: &str) -> Refusal {
    Refusal::Bad(user.cx.t(ja, en).to_owned())
}

fn no_name(user: &User) -> Refusal {
    bad(
        user,
        "パスキーは名前のアドレス（localhostまたは公開アドレス）でのみ使えます。",
        "Passkeys work only at a name: localhost, or the public address.",
    )
}

/// What `navigator.credentials.get` is given.
pub(super) async fn challenge(
    house: &House,
    user: &User,
    headers: &HeaderMap,
    prepared: &Prepared,
) -> Result<Json, Refusal> {
    let (_, rp_id) = place(house, headers).await?.ok_or_else(|| no_name(user))?;
    let rows = house.store.passkeys(user.session.account.id).await?;
    if rows.is_empty() {
        return Err(bad(
            user,
            "登録済みのパスキーがありません。自分のページで登録してください。",
            "You have no passkey yet: register one on your own page.",
        ));
    }
    let known = rows.iter().filter_map(|row| hex::decode(&row.id).ok());
    let allow: Vec<Json> =
        known.map(|id| json!({"type": "public-key", "id": URL_SAFE_NO_PAD.encode(id)})).collect();
    Ok(json!({"publicKey": {
        "challenge": URL_SAFE_NO_PAD.encode(prepared.hash),
        "rpId": rp_id,
        "timeout": TIMEOUT_MS,
        "userVerification": "required",
        "allowCredentials": allow,
    }}))
}

/// Verifies the answer with a passkey of this account, and counts its use.
pub(super) async fn verified(
    house: &House,
    user: &User,
    headers: &HeaderMap,
    prepared: &Prepared,
    answer: &str,
) -> Result<Evidence, Refusal> {
    let refused = || {
        bad(
            user,
            "パスキーの署名を確認できませんでした。もう一度お試しください。",
            "The passkey's signature could not be verified. Try again.",
        )
    };
    let (origin, rp_id) = place(house, headers).await?.ok_or_else(|| no_name(user))?;
    let read = Some(answer).filter(|a| a.len() <= ASSERTION_BYTES_MAX);
    let answer: Answer = read.and_then(|a| serde_json::from_str(a).ok()).ok_or_else(refused)?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| refused());
    let id = hex::encode(bytes(&answer.raw_id)?);
    // Of this account and no other: a removed passkey signs nothing any more.
    let rows = house.store.passkeys(user.session.account.id).await?;
    let row = rows.into_iter().find(|row| row.id == id).ok_or_else(refused)?;
    let mut kept: Json = serde_json::from_str(&row.credential).map_err(|_| refused())?;
    let key = public_key(&kept).ok_or_else(refused)?;
    let counter = kept.pointer(COUNTER).and_then(Json::as_u64).unwrap_or(0);
    let assertion = Assertion {
        authenticator_data: bytes(&answer.response.authenticator_data)?,
        client_data_json: bytes(&answer.response.client_data)?,
        signature: bytes(&answer.response.signature)?,
    };
    let expected = Expected {
        challenge: &prepared.hash,
        origin: &origin,
        rp_id: &rp_id,
        key: &key,
        counter: u32::try_from(counter).unwrap_or(u32::MAX),
    };
    let seen = ::assertion::verify(&assertion, &expected).map_err(|error| {
        tracing::warn!(%error, "a signature by passkey was refused");
        refused()
    })?;
    if let Some(place) = kept.pointer_mut(COUNTER) {
        *place = seen.counter.into();
    }
    used(house, &row, &kept).await?.then_some(()).ok_or_else(refused)?;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Ok(Evidence {
        credential: answer.raw_id,
        key: text(&key.to_spki()),
        algorithm: key.algorithm().to_owned(),
        origin,
        rp_id,
        authenticator_data: text(&assertion.authenticator_data),
        client_data: text(&assertion.client_data_json),
        signature: text(&assertion.signature),
    })
}

/// Counter of a credential, as the log-in library keeps it.
const COUNTER: &str = "/cred/counter";

/// False if the passkey was used or removed beside this.
async fn used(house: &House, row: &PasskeyRow, kept: &Json) -> Result<bool, Refusal> {
    Ok(house.store.used_passkey_once(row, &kept.to_string()).await?)
}

/// The public key of a credential, as the log-in library keeps it.
pub fn public_key(credential: &Json) -> Option<PublicKey> {
    let key = credential.pointer("/cred/cred/key")?;
    let part = |key: &Json, name: &str| match key.get(name)? {
        Json::String(text) => URL_SAFE_NO_PAD.decode(text).ok(),
        Json::Array(bytes) => {
            bytes.iter().map(|b| u8::try_from(b.as_u64()?).ok()).collect::<Option<Vec<u8>>>()
        }
        _ => None,
    };
    let (kind, key) = key.as_object()?.iter().next()?;
    let found = match (kind.as_str(), key.get("curve").and_then(Json::as_str)) {
        ("EC_EC2", Some("SECP256R1")) => PublicKey::es256(&part(key, "x")?, &part(key, "y")?),
        ("EC_EC2", Some("SECP384R1")) => PublicKey::es384(&part(key, "x")?, &part(key, "y")?),
        ("EC_OKP", Some("ED25519")) => PublicKey::ed25519(&part(key, "x")?),
        ("RSA", _) => PublicKey::rs256(&part(key, "n")?, &part(key, "e")?),
        _ => return None,
    };
    found.ok()
}
