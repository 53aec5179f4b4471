//! A device with a key, played: what a phone or a stick does, and the browser before it.
use accounts::webauthn::{Answer, NewKey};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Somebody was there, and it was the device's person.
pub(crate) const SEEN: u8 = 0b101;

pub(crate) struct Device {
    key: EcdsaKeyPair,
    pub(crate) id: Vec<u8>,
    /// For which site it signs.
    pub(crate) host: &'static str,
    /// Where the browser is.
    pub(crate) origin: &'static str,
    pub(crate) flags: u8,
    /// Signatures up to now.
    pub(crate) count: u32,
}

impl Device {
    /// One that is used as it should be.
    pub(crate) fn new(host: &'static str, origin: &'static str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = Sha256::digest(key.public_key()).to_vec();
        Self { key, id, host, origin, flags: SEEN, count: 0 }
    }

    /// Makes its key known.
    pub(crate) fn made(&mut self, challenge: &[u8]) -> NewKey {
        self.count += 1;
        let mut device_data = self.data(self.flags | 0b100_0000);
        device_data.extend([0; 16]);
        device_data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        device_data.extend(&self.id);
        let public_key: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        NewKey {
            client_data: self.seen("webauthn.create", challenge),
            device_data,
            public_key: public_key.as_ref().to_vec(),
            algorithm: -7,
        }
    }

    /// Signs.
    pub(crate) fn signed(&mut self, challenge: &[u8]) -> Answer {
        self.count += 1;
        let client_data = self.seen("webauthn.get", challenge);
        let device_data = self.data(self.flags);
        let signed = [&device_data[..], &Sha256::digest(&client_data)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec();
        Answer { credential_id: self.id.clone(), client_data, device_data, signature }
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let hash = Sha256::digest(self.host);
        [&hash[..], &[flags], &self.count.to_be_bytes()].concat()
    }

    fn seen(&self, kind: &str, challenge: &[u8]) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let (origin, crossed) = (self.origin, false);
        let seen = serde_json::json!({
            "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": crossed,
        });
        seen.to_string().into_bytes()
    }
}
