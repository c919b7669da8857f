//! The envelope of a token: a compact JWT under HMAC-SHA-256 (HS256), and no other kind of JWT.
//!
//! The signature is checked over the bytes as they were received, with the one algorithm there is.
//! The token's header has no influence on that, and is read only after the signature has been
//! verified, so there is no confusion of algorithms.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, Mac};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::TokenError;

/// The header of the tokens that this key signs.
const HEADER: &[u8] = br#"{"alg":"HS256","typ":"JWT"}"#;

/// A secret, which signs and verifies. Its memory is wiped when it is dropped.
#[derive(Clone)]
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Creates a secret from a copy of these bytes.
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(Zeroizing::new(secret.to_vec()))
    }

    /// Signs claims, and returns the token.
    pub(super) fn sign(&self, claims: &[u8]) -> String {
        let message = format!("{}.{}", BASE64.encode(HEADER), BASE64.encode(claims));
        let signature = self.hash(message.as_bytes()).finalize().into_bytes();
        format!("{message}.{}", BASE64.encode(signature))
    }

    /// Returns whether `signature` is this secret's for `message`. Compares in constant time.
    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.hash(message).verify_slice(signature).is_ok()
    }

    fn hash(&self, message: &[u8]) -> Hmac<Sha256> {
        let hash = Hmac::new_from_slice(&self.0);
        hash.expect("HMAC takes a key of any length")
            .chain_update(message)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that a reader must understand (RFC 7515, section 4.1.11). None is supported.
    crit: Option<IgnoredAny>,
}

/// Returns the claims of a token, if one of the secrets has signed it.
pub(super) fn open<C: DeserializeOwned>(token: &[u8], secrets: &[Secret]) -> Result<C, TokenError> {
    let mut parts = token.rsplitn(2, |byte| *byte == b'.');
    let (Some(signature), Some(message)) = (parts.next(), parts.next()) else {
        return Err(TokenError::Malformed);
    };
    let mut parts = message.split(|byte| *byte == b'.');
    let (Some(header), Some(claims), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(TokenError::Malformed);
    };
    let signature = decoded(signature)?;
    if !(secrets.iter()).any(|secret| secret.has_signed(message, &signature)) {
        return Err(TokenError::Forged);
    }
    let header: Header = object(&decoded(header)?)?;
    if header.alg != "HS256" {
        return Err(TokenError::Forged);
    }
    if header.crit.is_some() {
        return Err(TokenError::Malformed);
    }
    object(&decoded(claims)?)
}

fn decoded(part: &[u8]) -> Result<Vec<u8>, TokenError> {
    BASE64.decode(part).map_err(|_| TokenError::Malformed)
}

/// Parses a JSON object. serde alone would accept an array of the fields, too.
fn object<T: DeserializeOwned>(json: &[u8]) -> Result<T, TokenError> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| TokenError::Malformed)
}
