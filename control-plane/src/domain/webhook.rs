//! Webhooks after <https://www.standardwebhooks.com>: what is told, how it is signed, when it is tried again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::Value;
use standardwebhooks::{Webhook, WebhookError};

/// Everything that is told: what the audit writes down, and what becomes of platforms.
pub const KINDS: [&str; 30] = [
    "invitation.accept",
    "invitation.create",
    "invitation.revoke",
    "key.create",
    "key.revoke",
    "member.link",
    "member.remove",
    "member.role",
    "member.second-factor.forget",
    "organization.policy",
    "organization.single-sign-on",
    "organization.single-sign-on.remove",
    "platform.admin-link",
    "platform.change",
    "platform.claim",
    "platform.create",
    "platform.create.refused",
    "platform.delete",
    PHASE,
    "platform.release",
    "platform.resume",
    "platform.retry",
    "platform.suspend",
    "platform.undelete",
    "ticket.answered",
    "ticket.closed",
    "ticket.created",
    "webhook.create",
    "webhook.delete",
    "webhook.secret",
];

/// Whether these tell more than what becomes of platforms: then it is what the audit has.
pub fn tell_of_people(kinds: &[String]) -> bool {
    kinds.is_empty() || kinds.iter().any(|kind| !kind.starts_with("platform."))
}

/// A platform's phase is another one than before.
pub const PHASE: &str = "platform.phase";

/// For so long after a new secret was made both sign.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// A try that failed is followed by another one after so long: eight in a day.
const AGAIN: [SignedDuration; 7] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(4),
    SignedDuration::from_hours(7),
    SignedDuration::from_hours(10),
];
/// An endpoint that fails is left alone for this long, and for twice as long each time.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(5);
/// But for no longer.
const LONGEST_ALONE: SignedDuration = SignedDuration::from_hours(1);

/// What an endpoint is told, as it is sent.
#[derive(Clone, Debug, Serialize)]
pub struct Told<'a> {
    /// Of [`KINDS`].
    pub r#type: &'a str,
    /// When it was.
    pub timestamp: Timestamp,
    /// What there is to say.
    pub data: Value,
}

/// What deliveries to an endpoint are signed with.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// Where the system has no chance to give.
    pub fn random() -> Result<Self, rand::rand_core::OsError> {
        let mut bytes = [0; 32];
        OsRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(format!("whsec_{}", STANDARD.encode(bytes)).into()))
    }

    /// As its owner keeps it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is sealed.
    pub fn text(&self) -> &SecretString {
        &self.0
    }

    /// Signs what is sent at that moment under this id.
    ///
    /// # Errors
    /// Where this is no secret.
    pub fn sign(&self, id: &str, at: Timestamp, payload: &[u8]) -> Result<String, WebhookError> {
        Webhook::new(self.expose())?.sign(id, at.as_second(), payload)
    }
}

impl From<SecretString> for Secret {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// It was taken.
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It was tried for a day, and is tried no more by itself.
    Failed,
    /// The endpoint is there no more.
    Gone,
}

impl Became {
    /// After so many tries, of which the last one had this answer or none.
    pub fn of(status: Option<u16>, attempts: i32, now: Timestamp) -> Self {
        let next = usize::try_from(attempts - 1).ok().and_then(|before| AGAIN.get(before));
        match (status, next) {
            (Some(200..=299), _) => Self::Delivered,
            (Some(410), _) => Self::Gone,
            (_, Some(wait)) => Self::Again(now.saturating_add(*wait).unwrap_or(Timestamp::MAX)),
            (_, None) => Self::Failed,
        }
    }
}

/// Until when an endpoint is left alone that failed so often in a row.
pub fn left_alone(failures: i32, now: Timestamp) -> Timestamp {
    let doublings = u32::try_from(failures.clamp(1, 12) - 1).unwrap_or(0);
    let wait = LEFT_ALONE.saturating_mul(1 << doublings).min(LONGEST_ALONE);
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_for_a_day() {
        let begun: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let (mut now, mut tries) = (begun, 1);
        while let Became::Again(at) = Became::of(Some(500), tries, now) {
            (now, tries) = (at, tries + 1);
        }
        assert_eq!(tries, 8);
        let took = now.duration_since(begun);
        assert!((23..=24).contains(&took.as_hours()), "{took:?}");
        assert_eq!(Became::of(Some(204), 3, now), Became::Delivered);
        assert_eq!(Became::of(Some(302), 8, now), Became::Failed);
        assert_eq!(Became::of(Some(410), 1, now), Became::Gone);
        assert!(matches!(Became::of(None, 1, now), Became::Again(_)));
    }

    #[test]
    fn who_fails_is_left_alone_for_longer_each_time_and_for_an_hour_at_most() {
        let now = Timestamp::UNIX_EPOCH;
        let waits: Vec<_> = (1..=40).map(|n| left_alone(n, now).as_second()).collect();
        assert_eq!(waits[..4], [5, 10, 20, 40]);
        assert!(waits.is_sorted() && waits.last() == Some(&3_600));
    }

    #[test]
    fn a_signature_is_what_the_standard_says() {
        // The example of the standard's own libraries.
        let secret: Secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").into();
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
