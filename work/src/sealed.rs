//! Secrets at rest: sealed under the root key, and bound to the place they are stored in.
//!
//! ```text
//! sealed = 0x01 | key id (8 bytes) | nonce (12) | AES-256-GCM-SIV ciphertext and tag
//! ```
//! The associated data is the header and the [`Place`]: a ciphertext copied to another tenant,
//! table or field does not open. Who must also bind it to one row puts the row's id into `field`.

mod key_ring;
mod root_key;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
pub use key_ring::KeyRing;
pub use root_key::{KeyId, RootKey, RootKeyError};
use secrecy::SecretString;

const VERSION: u8 = 1;
const KEY_ID: usize = 8;
const NONCE: usize = 12;
const HEADER: usize = 1 + KEY_ID + NONCE;

/// Where a sealed value is stored.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The blueprint's name, or `control`.
    pub tenant: &'a str,
    /// Schema and table.
    pub table: &'a str,
    /// The column, or column and row.
    pub field: &'a str,
}

/// Why a value could not be sealed or opened. Nothing here repeats the value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// No bytes that [`seal`] made.
    #[error("this is no sealed value")]
    Malformed,
    /// Sealed by a root key that is not at hand.
    #[error(
        "sealed under key {sealed_under}, but the key here is {here}: bring back the file of that key"
    )]
    OtherKey {
        /// The key that is needed.
        sealed_under: KeyId,
        /// The key that was tried.
        here: KeyId,
    },
    /// Changed since, or moved from another place.
    #[error("the sealed value was changed or belongs to another place")]
    Refused,
    /// The cryptographic module gave up, or the text inside is no UTF-8.
    #[error("the value could not be sealed or is no text")]
    Failed,
}

/// Seals `secret` for its place. Two calls give different bytes.
pub fn seal(key: &RootKey, place: Place<'_>, secret: &SecretString) -> Result<Vec<u8>, Error> {
    use secrecy::ExposeSecret as _;

    let mut nonce = [0; NONCE];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|Unspecified| Error::Failed)?;
    let mut sealed = Vec::with_capacity(HEADER + secret.expose_secret().len() + 16);
    sealed.push(VERSION);
    sealed.extend(key.id().0);
    sealed.extend(nonce);
    let associated = associated(&sealed, place);
    let mut text = secret.expose_secret().as_bytes().to_vec();
    sealer(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated),
            &mut text,
        )
        .map_err(|Unspecified| Error::Failed)?;
    sealed.append(&mut text);
    Ok(sealed)
}

/// Under which key it is sealed; whether that opens it is another matter. In the database it is
/// `substr(sealed, 2, 8)`.
pub fn sealed_under(sealed: &[u8]) -> Result<KeyId, Error> {
    let (header, _) = sealed.split_at_checked(HEADER).ok_or(Error::Malformed)?;
    let ([VERSION], rest) = header.split_at(1) else { return Err(Error::Malformed) };
    rest[..KEY_ID].try_into().map(KeyId).map_err(|_| Error::Malformed)
}

/// Opens what [`seal`] made for the same place.
pub fn open(key: &RootKey, place: Place<'_>, sealed: &[u8]) -> Result<SecretString, Error> {
    let sealed_under = sealed_under(sealed)?;
    let (header, ciphertext) = sealed.split_at_checked(HEADER).ok_or(Error::Malformed)?;
    let nonce = &header[1 + KEY_ID..];
    if sealed_under != key.id() {
        return Err(Error::OtherKey { sealed_under, here: key.id() });
    }
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Malformed)?;
    let mut text = ciphertext.to_vec();
    let length = sealer(key)?
        .open_in_place(nonce, Aad::from(associated(header, place)), &mut text)
        .map_err(|Unspecified| Error::Refused)?
        .len();
    text.truncate(length);
    String::from_utf8(text).map(SecretString::from).map_err(|_| Error::Failed)
}

fn sealer(key: &RootKey) -> Result<LessSafeKey, Error> {
    let key = key.derive("sealed values, version 1");
    UnboundKey::new(&AES_256_GCM_SIV, &key[..])
        .map(LessSafeKey::new)
        .map_err(|Unspecified| Error::Failed)
}

/// Each part with its length before it, so that no two places give the same bytes.
fn associated(header: &[u8], place: Place<'_>) -> Vec<u8> {
    let mut data = Vec::new();
    for part in [header, place.tenant.as_bytes(), place.table.as_bytes(), place.field.as_bytes()] {
        data.extend((part.len() as u64).to_be_bytes());
        data.extend(part);
    }
    data
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    const PLACE: Place<'_> = Place { tenant: "acme", table: "tenant.secret", field: "smtp" };

    fn key(byte: u8) -> RootKey {
        RootKey::from_bytes([byte; 32])
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let sealed = seal(&key(1), PLACE, &"hunter2".into()).unwrap();
        assert_eq!(open(&key(1), PLACE, &sealed).unwrap().expose_secret(), "hunter2");
        for elsewhere in [
            Place { tenant: "acm", table: "etenant.secret", ..PLACE },
            Place { tenant: "other", ..PLACE },
            Place { table: "tenant.other", ..PLACE },
            Place { field: "imap", ..PLACE },
        ] {
            assert_eq!(open(&key(1), elsewhere, &sealed).unwrap_err(), Error::Refused);
        }
    }

    #[test]
    fn another_root_key_is_named() {
        let sealed = seal(&key(1), PLACE, &"hunter2".into()).unwrap();
        let error = open(&key(2), PLACE, &sealed).unwrap_err();
        assert_eq!(error, Error::OtherKey { sealed_under: key(1).id(), here: key(2).id() });
    }

    #[test]
    fn the_same_secret_looks_different_each_time() {
        let [one, two] = [(); 2].map(|()| seal(&key(1), PLACE, &"same".into()).unwrap());
        assert_ne!(one, two);
        assert!(!one.windows(4).any(|w| w == b"same"));
    }

    proptest! {
        #[test]
        fn no_changed_byte_and_no_cut_is_accepted(at in 0_usize..64, bit in 0_u8..8, cut in 0_usize..64) {
            let sealed = seal(&key(1), PLACE, &"x".repeat(27).into()).unwrap();
            prop_assert_eq!(sealed.len(), 64);
            let mut changed = sealed.clone();
            changed[at] ^= 1_u8 << bit;
            prop_assert!(open(&key(1), PLACE, &changed).is_err());
            prop_assert!(open(&key(1), PLACE, &sealed[..cut]).is_err());
        }

        #[test]
        fn every_text_survives(text in ".{0,200}") {
            let sealed = seal(&key(1), PLACE, &text.clone().into()).unwrap();
            prop_assert_eq!(open(&key(1), PLACE, &sealed).unwrap().expose_secret().to_owned(), text);
        }
    }
}
