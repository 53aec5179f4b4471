//! Who calls: a 60 second token that names tenant, person and agent.
//!
//! A tenant's runtime signs one for each call to the model server with the tenant's own
//! credential; the model server verifies it without asking anybody.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// How long a token lives. Long enough for a slow hop, too short to be worth stealing.
pub const LIFETIME_SECONDS: i64 = 60;
/// How far two clocks may stand apart.
const LEEWAY_SECONDS: i64 = 5;
const AUDIENCE: &str = "inference";
/// Bytes of each name in a token, at most: they are kept for as long as a day.
const LONGEST_NAME: usize = 128;

/// The secret a tenant signs with. At least 32 random bytes; never logged.
#[derive(Debug, Clone)]
pub struct Credential(SecretString);

impl Credential {
    /// Wraps the secret.
    pub fn new(secret: impl Into<SecretString>) -> Self {
        Self(secret.into())
    }
}

/// Who calls, as the token says and the signature proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The tenant's name.
    pub tenant: String,
    /// The person, as an opaque id.
    pub user: String,
    /// The agent that person talks to, as an opaque id.
    pub agent: String,
    /// Whether this person pays the tenant: who does is served before those who do not.
    pub paying: bool,
    /// So many of the first messages are the tenant's own, like an agent's instructions, the same
    /// for all its people: what a model has read of them may serve all of them.
    pub own_messages: usize,
}

impl Caller {
    /// A person who pays nothing, and whose messages are all their own.
    pub fn new(
        tenant: impl Into<String>,
        user: impl Into<String>,
        agent: impl Into<String>,
    ) -> Self {
        let (tenant, user, agent) = (tenant.into(), user.into(), agent.into());
        Self { tenant, user, agent, paying: false, own_messages: 0 }
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    agent: String,
    #[serde(default)]
    paying: bool,
    #[serde(default)]
    own: usize,
}

/// Why a token was refused. Says nothing about the secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Not one of our tokens at all.
    #[error("the token cannot be read")]
    Unreadable,
    /// The signature is not this tenant's.
    #[error("the token is not signed by this tenant")]
    WrongSignature,
    /// Too old, or from the future.
    #[error("the token has expired")]
    Expired,
    /// The token could not be made.
    #[error("the token could not be signed")]
    Unsignable,
}

/// Signs a token for `caller`, good for [`LIFETIME_SECONDS`] from `now`.
pub fn sign(
    credential: &Credential,
    caller: &Caller,
    now: Timestamp,
) -> Result<SecretString, TokenError> {
    let claims = Claims {
        iss: caller.tenant.clone(),
        sub: caller.user.clone(),
        aud: AUDIENCE.to_owned(),
        iat: now.as_second(),
        exp: now.as_second() + LIFETIME_SECONDS,
        agent: caller.agent.clone(),
        paying: caller.paying,
        own: caller.own_messages,
    };
    let key = EncodingKey::from_secret(credential.0.expose_secret().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map(SecretString::from)
        .map_err(|_| TokenError::Unsignable)
}

/// The tenant a token claims to be of, before anything is proven: only to find the credential.
pub fn claimed_tenant(token: &str) -> Result<String, TokenError> {
    let claims: Claims = jsonwebtoken::dangerous::insecure_decode_claims(token)
        .map_err(|_| TokenError::Unreadable)?;
    Ok(claims.iss)
}

/// Proves a token against the credential of the tenant that it names.
pub fn verify(credential: &Credential, token: &str, now: Timestamp) -> Result<Caller, TokenError> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    // Time is handed in, so that tests can move it; checked below.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(credential.0.expose_secret().as_bytes());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
        .map_err(|_| TokenError::WrongSignature)?
        .claims;
    let second = now.as_second();
    // Whoever signs may write any number.
    let fresh = second <= claims.exp.saturating_add(LEEWAY_SECONDS)
        && second >= claims.iat.saturating_sub(LEEWAY_SECONDS);
    if !fresh || claims.exp.saturating_sub(claims.iat) > LIFETIME_SECONDS {
        return Err(TokenError::Expired);
    }
    if [&claims.iss, &claims.sub, &claims.agent].iter().any(|name| name.len() > LONGEST_NAME) {
        return Err(TokenError::Unreadable);
    }
    let Claims { iss: tenant, sub: user, agent, paying, own: own_messages, .. } = claims;
    Ok(Caller { tenant, user, agent, paying, own_messages })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn caller() -> Caller {
        Caller { paying: true, own_messages: 2, ..Caller::new("acme", "u1", "a1") }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[test]
    fn a_token_names_its_caller_for_a_minute() {
        let credential = Credential::new("a-secret-of-at-least-thirty-two-bytes");
        let token = sign(&credential, &caller(), now()).unwrap();
        let token = token.expose_secret();
        assert_eq!(claimed_tenant(token).unwrap(), "acme");
        assert_eq!(verify(&credential, token, now()).unwrap(), caller());
        let late = now() + SignedDuration::from_secs(90);
        assert_eq!(verify(&credential, token, late), Err(TokenError::Expired));
        let early = now() - SignedDuration::from_secs(90);
        assert_eq!(verify(&credential, token, early), Err(TokenError::Expired));
    }

    #[test]
    fn claims_that_no_clock_has_and_names_without_end_are_refused() {
        let credential = Credential::new("a-secret-of-at-least-thirty-two-bytes");
        let key = EncodingKey::from_secret(credential.0.expose_secret().as_bytes());
        let verified = |iat: i64, exp: i64, user: &str| {
            let claims = serde_json::json!({
                "iss": "acme", "sub": user, "aud": AUDIENCE, "iat": iat, "exp": exp, "agent": "a",
            });
            let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key);
            verify(&credential, &token.unwrap(), now())
        };
        for (iat, exp) in [(i64::MIN, i64::MAX), (0, i64::MAX)] {
            assert_eq!(verified(iat, exp, "u"), Err(TokenError::Expired));
        }
        let second = now().as_second();
        assert_eq!(verified(second, second + 60, &"u".repeat(129)), Err(TokenError::Unreadable));
        assert!(verified(second, second + 60, &"u".repeat(128)).is_ok());
    }

    #[test]
    fn another_tenants_secret_proves_nothing() {
        let token = sign(&Credential::new("one".repeat(12)), &caller(), now()).unwrap();
        let other = Credential::new("two".repeat(12));
        assert_eq!(verify(&other, token.expose_secret(), now()), Err(TokenError::WrongSignature));
        assert_eq!(claimed_tenant("nonsense"), Err(TokenError::Unreadable));
    }

    #[test]
    fn a_credential_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Credential::new("hunter2hunter2")).contains("hunter2"));
    }
}
