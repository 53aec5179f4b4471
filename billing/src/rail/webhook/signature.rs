//! Whether it was the rail that told it, and just now: HMAC-SHA256 over the bytes as they came.

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};

/// What was signed longer ago than this, or is to be signed later than this, is not taken.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(300);
const LONGEST_HEADER: usize = 4_096;
/// A rail signs with two secrets while one is changed.
const MOST_SIGNATURES: usize = 8;

/// What a rail signs with: one secret, or two while it is changed.
#[derive(Debug)]
pub struct Secrets {
    now: hmac::Key,
    before: Option<hmac::Key>,
}

/// Why something is not believed. Whoever told it is told nothing of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// No time, no signature, or more of them than a rail has.
    #[error("its signature cannot be read")]
    Form,
    /// Too long ago, or in the future.
    #[error("it was signed more than {} s before or after now", WINDOW.as_secs())]
    Stale,
    /// None of the secrets made it.
    #[error("it is signed with no secret of ours")]
    Signature,
}

impl Secrets {
    /// This one; and the one before it, for as long as the rail may still sign with that.
    pub fn new(now: &str, before: Option<&str>) -> Self {
        let key = |secret: &str| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self { now: key(now), before: before.map(key) }
    }

    /// Whether `body` was signed with one of them, as a header such as `t=1,v1=00ff` says, and just now.
    ///
    /// # Errors
    /// [`Forged`]
    pub fn check(&self, header: &str, body: &[u8], now: Timestamp) -> Result<(), Forged> {
        let (at, signatures) = read(header).ok_or(Forged::Form)?;
        let signed_at: i64 = at.parse().map_err(|_| Forged::Form)?;
        let signed_at = Timestamp::from_second(signed_at).map_err(|_| Forged::Form)?;
        if signed_at.duration_since(now).abs() > WINDOW {
            return Err(Forged::Stale);
        }
        let signed = [at.as_bytes(), b".", body].concat();
        let keys = || std::iter::once(&self.now).chain(&self.before);
        // In constant time, whatever of it is right.
        let is_one =
            |signature: &Vec<u8>| keys().any(|key| hmac::verify(key, &signed, signature).is_ok());
        if signatures.iter().any(is_one) { Ok(()) } else { Err(Forged::Signature) }
    }
}

/// The one time and all signatures of the first kind.
fn read(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    if header.len() > LONGEST_HEADER {
        return None;
    }
    let (mut at, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        match part.split_once('=')? {
            ("t", time) if at.is_none() && is_number(time) => at = Some(time),
            ("t", _) => return None,
            ("v1", _) if signatures.len() == MOST_SIGNATURES => return None,
            ("v1", signature) => signatures.push(hex::decode(signature).ok()?),
            // Of kinds that we do not know, or do not trust: a rail's test signatures are `v0`.
            _ => {}
        }
    }
    Some((at?, signatures)).filter(|(_, signatures)| !signatures.is_empty())
}

/// One way to write each: digits alone.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 19 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1","type":"charge.succeeded"}"#;
    const AT: i64 = 1_790_000_000;

    fn sign(secret: &str, at: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signed = [at.to_string().as_bytes(), b".", body].concat();
        hex::encode(hmac::sign(&key, &signed))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_a_rail_signed_just_now_is_believed_also_while_its_secret_changes() {
        let (old, new) = (sign("whsec_old", AT, BODY), sign("whsec_new", AT, BODY));
        let secrets = Secrets::new("whsec_new", Some("whsec_old"));
        for header in [
            format!("t={AT},v1={new}"),
            format!("t={AT},v1={old}"),
            format!("t={AT},v1={old},v1={new},v0=00"),
            format!("v1={new},t={AT}"),
        ] {
            assert_eq!(secrets.check(&header, BODY, at(AT)), Ok(()), "{header}");
        }
        let only_new = Secrets::new("whsec_new", None);
        let header = format!("t={AT},v1={old}");
        assert_eq!(only_new.check(&header, BODY, at(AT)), Err(Forged::Signature));
    }

    #[test]
    fn what_is_older_or_newer_than_five_minutes_is_not() {
        let secrets = Secrets::new("whsec_1", None);
        let header = format!("t={AT},v1={}", sign("whsec_1", AT, BODY));
        for (now, expected) in [
            (AT + 300, Ok(())),
            (AT - 300, Ok(())),
            (AT + 301, Err(Forged::Stale)),
            (AT - 301, Err(Forged::Stale)),
        ] {
            assert_eq!(secrets.check(&header, BODY, at(now)), expected);
        }
        // Made to look new.
        let newer = header.replace(&AT.to_string(), &(AT + 301).to_string());
        assert_eq!(secrets.check(&newer, BODY, at(AT + 301)), Err(Forged::Signature));
    }

    #[test]
    fn what_cannot_be_read_is_not() {
        let secrets = Secrets::new("whsec_1", None);
        let good = sign("whsec_1", AT, BODY);
        for header in [
            String::new(),
            format!("t={AT}"),
            format!("v1={good}"),
            format!("t={AT},v0={good}"),
            format!("t={AT},t={AT},v1={good}"),
            format!("t=+{AT},v1={good}"),
            format!("t= {AT},v1={good}"),
            format!("t={AT},v1=xyz"),
            format!("t={AT},{good}"),
            format!("t={AT}{}", format!(",v1={good}").repeat(9)),
            format!("t={AT},v1={good},x={}", "y".repeat(LONGEST_HEADER)),
        ] {
            assert_eq!(secrets.check(&header, BODY, at(AT)), Err(Forged::Form), "{header:?}");
        }
        let empty = format!("t={AT},v1=");
        assert_eq!(secrets.check(&empty, BODY, at(AT)), Err(Forged::Signature));
    }

    #[test]
    fn of_100_000_mutations_none_is_taken() {
        let secrets = Secrets::new("whsec_1", Some("whsec_0"));
        let header = format!("t={AT},v1={}", sign("whsec_1", AT, BODY));
        assert_eq!(secrets.check(&header, BODY, at(AT)), Ok(()));
        let (mut seed, mut taken) = (20_261_123_u64, 0_u32);
        let mut below = |end: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % end
        };
        for round in 0..100_000 {
            let (mut told, mut body) = (header.clone().into_bytes(), BODY.to_vec());
            let changed = if round % 2 == 0 { &mut told } else { &mut body };
            let place = below(changed.len());
            match below(4) {
                0 => changed[place] ^= 1 << below(7),
                1 => drop(changed.remove(place)),
                2 => changed.insert(place, b"0af,=v1t"[below(8)]),
                _ => changed.truncate(place),
            }
            let Ok(told) = String::from_utf8(told) else { continue };
            // Hexadecimal digits are the same in capitals.
            let is_same = told.eq_ignore_ascii_case(&header) && body == BODY;
            taken += u32::from(!is_same && secrets.check(&told, &body, at(AT)).is_ok());
        }
        println!("counted: {taken} of 100,000 mutated webhooks taken");
        assert_eq!(taken, 0);
    }
}
