//! Passkeys, as a site has to check them: W3C Web Authentication, level 3, sections 7.1 and 7.2.
//!
//! Attestation is not asked for: which maker's device it is decides nothing here. So nothing vouches for
//! a new key but the person who adds it, and it is taken as the browser hands it over
//! (`getPublicKey()`), in the form that it is checked with. A device that signs has to have seen its
//! person (a finger, a face, a number): then it is two factors in one.
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Of what the device signs: the hash of the site, flags, and a count.
const HEADER: usize = 37;
/// Before the name of a new key: what kind of device it is, and the length of the name.
const BEFORE_NAME: usize = HEADER + 16 + 2;

/// Flags: somebody was there, and it was the device's person; a new key follows.
const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const NEW_KEY: u8 = 1 << 6;

/// Whose passkeys they are: a device uses a key for no other site.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Its host, such as `console.example`.
    pub host: &'a str,
    /// Its origin, such as `https://console.example`.
    pub origin: &'a str,
}

/// What a browser sends about a new key.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What the device was asked, as the browser saw it.
    pub client_data: Vec<u8>,
    /// What the device says.
    pub device_data: Vec<u8>,
    /// The key, as `SubjectPublicKeyInfo`.
    pub public_key: Vec<u8>,
    /// How it signs, as COSE numbers it.
    pub algorithm: i32,
}

/// What a browser sends of somebody who wants in.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which key.
    pub credential_id: Vec<u8>,
    /// What the device was asked, as the browser saw it.
    pub client_data: Vec<u8>,
    /// What the device says.
    pub device_data: Vec<u8>,
    /// By that key, over both.
    pub signature: Vec<u8>,
}

/// What the browser says that it asked the device.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

/// The challenge that these data answer, if they are of this kind and were made at this site.
fn challenge(data: &[u8], kind: &str, site: Site<'_>) -> Option<Vec<u8>> {
    let data: ClientData = serde_json::from_slice(data).ok()?;
    let is_ours = data.r#type == kind && data.origin == site.origin && !data.cross_origin;
    is_ours.then(|| URL_SAFE_NO_PAD.decode(data.challenge).ok()).flatten()
}

/// The device's count, if these are its words, for this site, with all these flags.
fn count(data: &[u8], site: Site<'_>, flags: u8) -> Option<u32> {
    let header = data.get(..HEADER)?;
    let is_ours = header[..32] == *Sha256::digest(site.host) && header[32] & flags == flags;
    is_ours.then(|| u32::from_be_bytes([header[33], header[34], header[35], header[36]]))
}

impl NewKey {
    /// The challenge that it answers, the name of the key and the device's count, if all of it is as it
    /// should be.
    pub(crate) fn read(&self, site: Site<'_>) -> Option<(Vec<u8>, Vec<u8>, u32)> {
        let challenge = challenge(&self.client_data, "webauthn.create", site)?;
        let count = count(&self.device_data, site, PRESENT | VERIFIED | NEW_KEY)?;
        let length = self.device_data.get(BEFORE_NAME - 2..BEFORE_NAME)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let name = self.device_data.get(BEFORE_NAME..BEFORE_NAME + length)?;
        ParsedPublicKey::new(algorithm(self.algorithm)?, &self.public_key).ok()?;
        (1..=1023).contains(&length).then(|| (challenge, name.to_vec(), count))
    }
}

impl Answer {
    /// The challenge that it answers and the device's count, if this key has signed it.
    pub(crate) fn read(
        &self,
        site: Site<'_>,
        (public_key, signs): (&[u8], i32),
    ) -> Option<(Vec<u8>, u32)> {
        let challenge = challenge(&self.client_data, "webauthn.get", site)?;
        let count = count(&self.device_data, site, PRESENT | VERIFIED)?;
        let mut signed = self.device_data.clone();
        signed.extend(Sha256::digest(&self.client_data));
        let key = ParsedPublicKey::new(algorithm(signs)?, public_key).ok()?;
        key.verify_sig(&signed, &self.signature).ok()?;
        Some((challenge, count))
    }
}

/// Those that devices have: ES256, `EdDSA`, and RS256 of older Windows.
fn algorithm(cose: i32) -> Option<&'static dyn VerificationAlgorithm> {
    match cose {
        -7 => Some(&ECDSA_P256_SHA256_ASN1),
        -8 => Some(&ED25519),
        -257 => Some(&RSA_PKCS1_2048_8192_SHA256),
        _ => None,
    }
}
