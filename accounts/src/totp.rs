//! Codes that change every half minute, as apps on phones make them: RFC 6238, with the values that
//! all of them know (SHA-1, six digits).
use std::fmt;

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretBox, SecretString};

/// Seconds that a code stands for.
const STEP: i64 = 30;
/// Clocks differ and typing takes time: a step before and a step after.
const DRIFT: i64 = 1;
/// Six digits.
const CODES: u32 = 1_000_000;
/// As RFC 4226 recommends.
const BYTES: usize = 20;

/// What an app and we both know.
pub struct Secret(SecretBox<[u8; BYTES]>);

impl Secret {
    /// One that nobody has seen.
    pub(crate) fn random() -> Self {
        Self(SecretBox::new(Box::new(rand::random())))
    }

    /// One as [`Secret::text`] writes it.
    pub fn read(text: &SecretString) -> Option<Self> {
        let bytes = BASE32_NOPAD.decode(text.expose_secret().as_bytes()).ok()?;
        Some(Self(SecretBox::new(Box::new(bytes.try_into().ok()?))))
    }

    /// As people type it into an app that has no camera: 32 letters and digits.
    pub fn text(&self) -> SecretString {
        BASE32_NOPAD.encode(self.0.expose_secret()).into()
    }

    /// As a camera reads it.
    pub fn uri(&self, issuer: &str, account: &str) -> SecretString {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let (issuer, account) = (encoded(issuer), encoded(account));
        let secret = self.text();
        let secret = secret.expose_secret();
        format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}").into()
    }

    /// Which step this is the code of, if it is that of now or one beside it, after `last`.
    pub(crate) fn step_of(&self, code: u32, now: Timestamp, last: i64) -> Option<i64> {
        let now = now.as_second().div_euclid(STEP);
        (now - DRIFT..=now + DRIFT).find(|step| *step > last && self.code(*step) == code)
    }

    /// The code that an app shows at this time: for who plays an app, in tests.
    pub fn code_at(&self, at: Timestamp) -> String {
        format!("{:06}", self.code(at.as_second().div_euclid(STEP)))
    }

    fn code(&self, step: i64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.expose_secret());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[tag.len() - 1] & 0xf);
        let cut = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]);
        (cut & 0x7fff_ffff) % CODES
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_rfc() -> Secret {
        Secret(SecretBox::new(Box::new(*b"12345678901234567890")))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(of_the_rfc().code_at(at(second)), code);
        }
    }

    #[test]
    fn a_code_is_good_for_the_step_it_is_of_and_one_beside_it() {
        let secret = of_the_rfc();
        let code = secret.code_at(at(1_234_567_890)).parse().unwrap();
        let step = 1_234_567_890 / STEP;
        for (second, good) in [
            (step * STEP - 31, false),
            (step * STEP - 30, true),
            (step * STEP, true),
            (step * STEP + 59, true),
            (step * STEP + 60, false),
        ] {
            assert_eq!(secret.step_of(code, at(second), 0), good.then_some(step), "{second}");
        }
        assert_eq!(secret.step_of(code, at(step * STEP), step), None, "taken already");
        assert_eq!(secret.step_of(code, at(step * STEP), step - 1), Some(step));
    }

    #[test]
    fn an_app_reads_it_and_no_log_does() {
        let secret = of_the_rfc();
        assert_eq!(secret.text().expose_secret(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(Secret::read(&secret.text()).unwrap().code(7), secret.code(7));
        assert!(Secret::read(&"GEZDGNBV".into()).is_none());
        assert_eq!(
            secret.uri("Soul fra", "jane@example.com").expose_secret(),
            "otpauth://totp/Soul%20fra:jane%40example%2Ecom\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Soul%20fra"
        );
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
