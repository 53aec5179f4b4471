//! Keys that grants are signed with: Ed25519, shown as JWK (RFC 8037), known by their thumbprint (RFC 7638).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::Unsignable;

/// Bytes of a public key.
const BYTES: usize = 32;

/// The half of a key that everybody may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Jwk", into = "Jwk")]
pub struct PublicKey {
    id: String,
    bytes: [u8; BYTES],
}

/// The half that signs.
pub struct SigningKey {
    public: PublicKey,
    key: EncodingKey,
}

/// Why something is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// A key of another kind.
    #[error("{0}: grants are signed by kty OKP, crv Ed25519, alg EdDSA, use sig")]
    OtherKind(String),
    /// Not 32 bytes in base64url.
    #[error("x: 32 bytes, in base64url without padding")]
    Bytes,
    /// It is called otherwise.
    #[error("kid: this key is called {0}")]
    Name(String),
    /// What was sealed is no private key.
    #[error("this is no private key of Ed25519")]
    Secret,
}

/// As both are written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    kty: String,
    crv: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    used: Option<String>,
    kid: String,
    x: String,
}

impl PublicKey {
    /// Of these bytes.
    ///
    /// # Errors
    /// [`BadKey::Bytes`]
    pub fn of(bytes: &[u8]) -> Result<Self, BadKey> {
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| BadKey::Bytes)?;
        let x = URL_SAFE_NO_PAD.encode(bytes);
        let named = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, named.as_bytes()));
        Ok(Self { id, bytes })
    }

    /// What it is called: nobody can give it another name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl TryFrom<Jwk> for PublicKey {
    type Error = BadKey;

    fn try_from(Jwk { kty, crv, alg, used, kid, x }: Jwk) -> Result<Self, BadKey> {
        let is_so = |said: Option<&str>, so: &str| said.is_none_or(|said| said == so);
        let is_known = (kty.as_str(), crv.as_str()) == ("OKP", "Ed25519");
        if !is_known || !is_so(alg.as_deref(), "EdDSA") || !is_so(used.as_deref(), "sig") {
            return Err(BadKey::OtherKind(kid));
        }
        let key = Self::of(&URL_SAFE_NO_PAD.decode(x).map_err(|_| BadKey::Bytes)?)?;
        if key.id == kid { Ok(key) } else { Err(BadKey::Name(key.id)) }
    }
}

impl From<PublicKey> for Jwk {
    fn from(key: PublicKey) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            alg: Some("EdDSA".to_owned()),
            used: Some("sig".to_owned()),
            x: URL_SAFE_NO_PAD.encode(key.bytes),
            kid: key.id,
        }
    }
}

impl SigningKey {
    /// A new one, and what it is made of again: to be sealed, and shown to nobody.
    ///
    /// # Errors
    /// Where chance cannot be had.
    pub fn random() -> Result<(Self, SecretString), Unsignable> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| Unsignable)?;
        let secret = SecretString::from(URL_SAFE_NO_PAD.encode(made));
        let key = Self::read(&secret).map_err(|_| Unsignable)?;
        Ok((key, secret))
    }

    /// The one that was made of this.
    ///
    /// # Errors
    /// [`BadKey::Secret`]
    pub fn read(secret: &SecretString) -> Result<Self, BadKey> {
        let der = URL_SAFE_NO_PAD.decode(secret.expose_secret()).map_err(|_| BadKey::Secret)?;
        let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|_| BadKey::Secret)?;
        let public = PublicKey::of(pair.public_key().as_ref())?;
        Ok(Self { public, key: EncodingKey::from_ed_der(&der) })
    }

    /// What everybody may have of it.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn encoding(&self) -> &EncodingKey {
        &self.key
    }
}
