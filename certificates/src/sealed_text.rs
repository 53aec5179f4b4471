//! Keys as text: what is sealed is text, what keys are is bytes.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::acme::Trouble;

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> SecretString {
    BASE64_URL_SAFE_NO_PAD.encode(bytes).into()
}

/// Text as the bytes it was made of.
pub(crate) fn bytes(text: &SecretString) -> Result<Vec<u8>, Trouble> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text.expose_secret())
        .map_err(|error| Trouble::Ours(format!("a key that is no base64url: {error}")))
}
