//! What a provider says of itself and of people (`OpenID` Connect Core 1.0, Discovery 1.0, RFC 9207), and
//! whether it is to be believed. It is a customer's: nothing that it sends is taken for granted.

use accounts::Email;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{AlgorithmParameters, CommonParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use url::Url;

/// Ways to sign that only the provider can: with a secret that both know, we could as well.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// More keys of a provider are not looked at.
const KEYS: usize = 50;
/// So far two clocks may be apart.
const DRIFT: SignedDuration = SignedDuration::from_secs(60);
/// An older word about somebody is not taken.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// Why a provider's word is not taken; in words that people may read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistrust {
    /// Nothing came.
    #[error("it does not answer ({0})")]
    NoAnswer(String),
    /// What came is something else.
    #[error("what it sent is no {0}")]
    Unreadable(&'static str),
    /// It calls itself otherwise than its organization does.
    #[error("it calls itself {0:?}, which is not the issuer that is set here")]
    Issuer(String),
    /// It did not let them in, and says this.
    #[error("it did not let you in ({0})")]
    Refused(String),
    /// The code that came back leads to nothing there.
    #[error("it does not take the code that you came back with, or not our client secret")]
    Code,
    /// Signed by a secret that others have too, or not at all.
    #[error("its word is not signed in a way that proves anything")]
    Algorithm,
    /// Signed by a key that is none of its own.
    #[error("its word is signed by a key that it does not list")]
    Key,
    /// Not signed by that key.
    #[error("the signature of its word is not right")]
    Signature,
    /// For another client.
    #[error("its word is meant for another client")]
    Audience,
    /// In answer to something else.
    #[error("its word is about another try to sign in")]
    Nonce,
    /// Too old, or of times to come.
    #[error("its word has expired, or its clock is wrong")]
    Expired,
}

/// A provider, as it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Where people are sent.
    pub authorization: Url,
    /// Where codes are handed in.
    pub token: Url,
    /// Where its keys are.
    pub keys: Url,
    /// Whether it always says who it is when people come back.
    pub tells_issuer: bool,
    /// Whether it takes our secret in a header rather than in the form.
    pub takes_basic: bool,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<serde_json::Value>,
}

/// What its word has to be about.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Whose word.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// In answer to what.
    pub nonce: &'a str,
}

/// Somebody, as the provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it calls them, for ever.
    pub subject: String,
    /// Their address, where it has seen that it is theirs.
    pub email: Option<Email>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    azp: Option<String>,
    email: Option<String>,
    #[serde(default)]
    email_verified: Verified,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Some providers write it as a text.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Verified {
    Said(bool),
    Written(String),
    #[default]
    Unsaid,
}

/// What belongs to one try to sign in and is known to the browser alone: so nothing of it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Try<'a> {
    /// What the browser keeps.
    pub secret: &'a str,
}

impl Try<'_> {
    /// What the provider's word has to repeat.
    pub fn nonce(self) -> String {
        self.derived("nonce")
    }

    /// What shows, when the code is handed in, that it is ours (RFC 7636).
    pub fn verifier(self) -> String {
        self.derived("verifier")
    }

    /// What the provider is told of that beforehand.
    pub fn challenge(self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    fn derived(self, what: &str) -> String {
        let hash = Sha256::new().chain_update(what).chain_update([0]).chain_update(self.secret);
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }
}

/// Where a provider says what it is.
pub fn discovery(issuer: &str) -> Option<Url> {
    let issuer = issuer.trim_end_matches('/');
    format!("{issuer}/.well-known/openid-configuration").parse().ok()
}

impl Provider {
    /// From what it says of itself.
    ///
    /// # Errors
    /// [`Mistrust`]
    pub fn read(issuer: &str, said: &[u8]) -> Result<Self, Mistrust> {
        let said: Discovered = read(said, "document of an OpenID provider")?;
        if said.issuer != issuer {
            return Err(Mistrust::Issuer(said.issuer.chars().take(200).collect()));
        }
        let methods = said.token_endpoint_auth_methods_supported;
        let takes = |method: &str| {
            methods.as_ref().is_some_and(|methods| methods.iter().any(|it| it == method))
        };
        Ok(Self {
            authorization: said.authorization_endpoint,
            token: said.token_endpoint,
            keys: said.jwks_uri,
            tells_issuer: said.authorization_response_iss_parameter_supported,
            takes_basic: takes("client_secret_basic") || !takes("client_secret_post"),
        })
    }
}

/// Its keys; those of kinds that are not known here are nobody's.
///
/// # Errors
/// [`Mistrust`]
pub fn keys(said: &[u8]) -> Result<Vec<Jwk>, Mistrust> {
    let said: Keys = read(said, "list of keys")?;
    let keys = said.keys.into_iter().take(KEYS);
    let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    // What is needed of them: the rest may be as long as a provider likes.
    Ok(keys
        .map(|Jwk { common, algorithm }| {
            let common = CommonParameters {
                public_key_use: common.public_key_use,
                key_algorithm: common.key_algorithm,
                key_id: common.key_id,
                ..CommonParameters::default()
            };
            Jwk { common, algorithm }
        })
        .collect())
}

/// Whether who came back says that they come from this provider.
///
/// # Errors
/// [`Mistrust`]
pub fn comes_from(issuer: &str, provider: &Provider, said: Option<&str>) -> Result<(), Mistrust> {
    match said {
        Some(said) if said != issuer => Err(Mistrust::Issuer(said.chars().take(200).collect())),
        None if provider.tells_issuer => Err(Mistrust::Issuer(String::new())),
        _ => Ok(()),
    }
}

/// Whom this token is about, if all of it is as it should be.
///
/// # Errors
/// [`Mistrust`]
pub fn verified(
    token: &str,
    keys: &[Jwk],
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<Known, Mistrust> {
    // A header that names no algorithm, or "none", cannot be read as one.
    let header = jsonwebtoken::decode_header(token).map_err(|_| Mistrust::Algorithm)?;
    if !ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
        return Err(Mistrust::Algorithm);
    }
    let fits = |key: &&Jwk| {
        let named = header.kid.is_none() || header.kid == key.common.key_id;
        let used = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let way = key.common.key_algorithm.is_none_or(|it| it == header.alg.into());
        named && used && way && is_for(&key.algorithm, header.alg)
    };
    let mut fitting = keys.iter().filter(fits);
    let (Some(key), None) = (fitting.next(), fitting.next()) else { return Err(Mistrust::Key) };
    let key = DecodingKey::from_jwk(key).map_err(|_| Mistrust::Key)?;
    // Time is handed in, and all else is looked at below, where it can be read.
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation);
    claims.map_err(|_| Mistrust::Signature)?.claims.about(expected, now)
}

impl Claims {
    fn about(self, expected: Expected<'_>, now: Timestamp) -> Result<Known, Mistrust> {
        if self.iss != expected.issuer {
            return Err(Mistrust::Issuer(self.iss.chars().take(200).collect()));
        }
        let (is_ours, is_shared) = match &self.aud {
            Audience::One(one) => (one == expected.client_id, false),
            Audience::Many(many) => {
                (many.iter().any(|it| it == expected.client_id), many.len() > 1)
            }
        };
        let party = self.azp.as_deref();
        let is_asked_by_us = party.map_or(!is_shared, |party| party == expected.client_id);
        if !is_ours || !is_asked_by_us {
            return Err(Mistrust::Audience);
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return Err(Mistrust::Nonce);
        }
        // Whoever signs may write any number.
        let (now, drift) = (now.as_second(), DRIFT.as_secs());
        let began = self.nbf.unwrap_or(self.iat).max(self.iat);
        let is_over = self.exp.saturating_add(drift) <= now;
        let is_old = self.iat.saturating_add(FRESH.as_secs() + drift) <= now;
        if is_over || is_old || began.saturating_sub(drift) > now {
            return Err(Mistrust::Expired);
        }
        if self.sub.is_empty() || self.sub.len() > 255 {
            return Err(Mistrust::Unreadable("name of somebody"));
        }
        let is_verified = match self.email_verified {
            Verified::Said(said) => said,
            Verified::Written(text) => text == "true",
            Verified::Unsaid => false,
        };
        let email = self.email.filter(|_| is_verified).and_then(|email| email.parse().ok());
        Ok(Known { subject: self.sub, email })
    }
}

fn is_for(key: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA};
    match key {
        AlgorithmParameters::RSA(_) => !matches!(algorithm, ES256 | ES384 | EdDSA),
        AlgorithmParameters::EllipticCurve(_) => matches!(algorithm, ES256 | ES384),
        AlgorithmParameters::OctetKeyPair(_) => algorithm == EdDSA,
        // A secret among its public keys is known to all.
        _ => false,
    }
}

fn read<T: DeserializeOwned>(said: &[u8], what: &'static str) -> Result<T, Mistrust> {
    serde_json::from_slice(said).map_err(|_| Mistrust::Unreadable(what))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_772_366_400;

    fn about(changes: &Value) -> Result<Known, Mistrust> {
        let mut claims = json!({
            "iss": "https://idp.test", "sub": "248289761001", "aud": "ours", "exp": NOW + 300,
            "iat": NOW, "nonce": "n", "email": "Ann@Acme.test", "email_verified": true,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let claims: Claims = serde_json::from_value(claims).unwrap();
        let expected = Expected { issuer: "https://idp.test", client_id: "ours", nonce: "n" };
        claims.about(expected, Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn a_word_is_taken_that_is_for_us_now_and_about_this() {
        let known = about(&json!({})).unwrap();
        assert_eq!(known.subject, "248289761001");
        assert_eq!(known.email, Some("ann@acme.test".parse().unwrap()));
        for fine in [
            json!({"aud": ["ours"]}),
            json!({"aud": ["theirs", "ours"], "azp": "ours"}),
            json!({"exp": NOW - 59, "iat": NOW - 300}),
            json!({"iat": NOW + 59, "exp": i64::MAX}),
            json!({"email_verified": "true"}),
        ] {
            assert!(about(&fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn whatever_is_otherwise_is_not_taken() {
        let issuer = |text: &str| Mistrust::Issuer(text.to_owned());
        for (changes, why) in [
            (json!({"iss": "https://idp.test/"}), issuer("https://idp.test/")),
            (json!({"aud": "theirs"}), Mistrust::Audience),
            (json!({"aud": []}), Mistrust::Audience),
            (json!({"aud": ["theirs", "ours"]}), Mistrust::Audience),
            (json!({"azp": "theirs"}), Mistrust::Audience),
            (json!({"nonce": "m"}), Mistrust::Nonce),
            (json!({"nonce": null}), Mistrust::Nonce),
            (json!({"exp": NOW - 60}), Mistrust::Expired),
            (json!({"iat": NOW + 61}), Mistrust::Expired),
            (json!({"nbf": NOW + 61}), Mistrust::Expired),
            (json!({"iat": NOW - 660}), Mistrust::Expired),
            (json!({"iat": i64::MIN}), Mistrust::Expired),
            (json!({"sub": ""}), Mistrust::Unreadable("name of somebody")),
        ] {
            assert_eq!(about(&changes), Err(why), "{changes}");
        }
    }

    #[test]
    fn an_address_is_theirs_where_the_provider_has_seen_it() {
        for changes in [
            json!({"email_verified": false}),
            json!({"email_verified": null}),
            json!({"email_verified": "false"}),
            json!({"email": "nobody"}),
        ] {
            assert_eq!(about(&changes).unwrap().email, None, "{changes}");
        }
    }

    #[test]
    fn what_a_browser_keeps_gives_three_that_are_not_one_another() {
        let one = Try { secret: "a" };
        let (nonce, verifier, challenge) = (one.nonce(), one.verifier(), one.challenge());
        assert!(nonce != verifier && verifier != challenge && verifier.len() == 43);
        assert_ne!(Try { secret: "b" }.nonce(), nonce);
    }
}
