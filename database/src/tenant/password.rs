//! Passwords of tenants' logins: derived from the root key and a number, never stored.
//!
//! The same root key, tenant and number give the same password, so provisioning can be repeated and a
//! lost URL rebuilt; another root key gives others, and the next provisioning changes them on
//! the server. Postgres gets the SCRAM verifier, so the password is in no statement or log.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use work::sealed::RootKey;

/// What Postgres takes; more would only slow the login, the password has 256 bits.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();

/// What the server keeps of a login's secret.
pub(super) struct Password {
    /// `SCRAM-SHA-256$...`: opens nothing.
    pub(super) verifier: String,
    /// Names the verifier where everybody may read it.
    pub(super) fingerprint: String,
}

impl Password {
    /// The password of one role that has this number.
    pub(super) fn of(role: &str, number: u32, key: &RootKey) -> Self {
        let text = Self::text_of(role, number, key);
        let salt = key.derive(&label("tenant-db salt", role, number));
        let verifier = verifier(&text, &salt[..16]);
        let fingerprint = hex::encode(&digest(&SHA256, verifier.as_bytes()).as_ref()[..8]);
        Self { verifier, fingerprint }
    }

    /// The login's secret alone: the verifier is made slowly, on purpose.
    pub(super) fn text_of(role: &str, number: u32, key: &RootKey) -> String {
        URL_SAFE_NO_PAD.encode(&key.derive(&label("tenant-db", role, number))[..])
    }
}

/// What is derived. The first passwords have no number.
fn label(what: &str, role: &str, number: u32) -> String {
    if number == 0 { format!("{what}:{role}") } else { format!("{what}:{role}:{number}") }
}

/// RFC 5802 with SHA-256, written as Postgres stores it.
pub(crate) fn verifier(password: &str, salt: &[u8]) -> String {
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client = hmac::sign(&key, b"Client Key");
    let server = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(digest(&SHA256, client.as_ref())),
        STANDARD.encode(server),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_the_one_postgres_makes() {
        // From `CREATE ROLE x PASSWORD 'secret'` on Postgres 17.
        assert_eq!(verifier(KNOWN.0, &STANDARD.decode(KNOWN.1).unwrap()), KNOWN.2);
    }

    const KNOWN: (&str, &str, &str) = (
        "secret",
        "rXLN6U2xgLq5rdn4wJ5NSQ==",
        "SCRAM-SHA-256$4096:rXLN6U2xgLq5rdn4wJ5NSQ==$PH88J4mM28lPyby+c/3UXUhTinksDqhMdNp0PXS5jlU=:hSlAEe53ZIr3WuenaViGg9++HL2iAfp1m1qqlhlzjHo=",
    );

    #[test]
    fn roles_numbers_and_keys_have_their_own() {
        let [one, two] = [1, 2].map(|byte| RootKey::from_bytes([byte; 32]));
        let password = Password::text_of;
        assert_eq!(password("t_a_app", 0, &one), password("t_a_app", 0, &one));
        assert_ne!(password("t_a_app", 0, &one), password("t_a_read", 0, &one));
        assert_ne!(password("t_a_app", 0, &one), password("t_a_app", 0, &two));
        assert_ne!(password("t_a_app", 0, &one), password("t_a_app", 2, &one));
    }
}
