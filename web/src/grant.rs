//! Grants: the control plane's leave for one thing at one platform, once, within a minute.
//!
//! ```text
//! control plane: SigningKey + Wanted -> sign -> JWT {iss, aud: NAME/UID, host, kind, jti, iat, exp}
//! platform:      Trust {issuer, audience, keys} -> verify -> Granted {id, until}: good once
//! ```
//! Only the control plane can make one: platforms have the public halves of its keys, by settings that
//! somebody else writes, and never ask where a grant says that a key is.

mod keys;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use keys::{BadKey, PublicKey, SigningKey};

/// How long a grant is good.
pub const LIFETIME_SECONDS: i64 = 60;
/// No grant is longer, in bytes.
pub const LONGEST: usize = 2_048;
/// How far two clocks may stand apart.
const LEEWAY_SECONDS: i64 = 5;
/// What its header says that it is, so that no other token of these keys passes for one.
const TYPE: &str = "soulfra-grant+jwt";
/// Random bytes of an id, and letters of it.
const ID: usize = 16;
const LETTERS_OF_ID: usize = 22;

/// What a grant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To have the platform make its one-time admin link, and be told it.
    AdminLink,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::AdminLink => "admin-link",
        }
    }
}

/// What is granted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Where the control plane is met.
    pub issuer: &'a str,
    /// Of the platform: see [`audience`].
    pub audience: &'a str,
    /// Under which name the platform is asked. Whoever has another name of it gets nothing to hand on.
    pub host: &'a str,
    /// What it is for.
    pub kind: Kind,
}

/// Whose grants a platform takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Where that control plane is met.
    pub issuer: String,
    /// Which platform this is: see [`audience`].
    pub audience: String,
    /// Its public keys.
    pub keys: Vec<PublicKey>,
}

/// A grant that is as it should be. Whoever takes it sees to it that it is taken once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// No other one has it.
    pub id: String,
    /// From then on it would be refused in any case.
    pub until: Timestamp,
}

/// Why a grant is refused: for the log, and not for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No token at all.
    #[error("it cannot be read")]
    Unreadable,
    /// Signed in a way that proves nothing, or not at all.
    #[error("it is signed by another algorithm, or by none")]
    Algorithm,
    /// A token for something else.
    #[error("it is no grant, but another token")]
    Type,
    /// By nobody that is known here.
    #[error("its key is none of those that the settings have")]
    Key,
    /// Not by that key.
    #[error("its signature is not right")]
    Signature,
    /// Another control plane's.
    #[error("it is from another control plane")]
    Issuer,
    /// Another platform's, or that of an earlier one of this name.
    #[error("it is for another platform")]
    Audience,
    /// It was brought to another name, and handed on from there.
    #[error("it is for another host")]
    Host,
    /// For something else.
    #[error("it is for something else")]
    Kind,
    /// Too old, of times to come, or good for longer than a grant is.
    #[error("it has expired, or one of both clocks is wrong")]
    Time,
    /// An id that none has.
    #[error("its id is none")]
    Id,
}

/// It could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the grant could not be signed")]
pub struct Unsignable;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    host: String,
    kind: String,
    jti: String,
    iat: i64,
    exp: i64,
}

/// How a platform is called in grants. Its name alone may be another one's by now.
pub fn audience(name: &str, uid: &str) -> String {
    format!("{name}/{uid}")
}

/// Signs a grant, good for [`LIFETIME_SECONDS`] from `now`.
///
/// # Errors
/// [`Unsignable`]
pub fn sign(
    key: &SigningKey,
    wanted: Wanted<'_>,
    now: Timestamp,
) -> Result<SecretString, Unsignable> {
    let mut id = [0; ID];
    rand::fill(&mut id).map_err(|_| Unsignable)?;
    let claims = Claims {
        iss: wanted.issuer.to_owned(),
        aud: wanted.audience.to_owned(),
        host: wanted.host.to_owned(),
        kind: wanted.kind.word().to_owned(),
        jti: URL_SAFE_NO_PAD.encode(id),
        iat: now.as_second(),
        exp: now.as_second() + LIFETIME_SECONDS,
    };
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(key.public().id().to_owned());
    let signed = jsonwebtoken::encode(&header, &claims, key.encoding());
    signed.map(SecretString::from).map_err(|_| Unsignable)
}

/// Whether a token is a grant for this, at this host and now.
///
/// # Errors
/// [`Refused`]
pub fn verify(
    trust: &Trust,
    token: &str,
    (kind, host): (Kind, &str),
    now: Timestamp,
) -> Result<Granted, Refused> {
    if token.len() > LONGEST {
        return Err(Refused::Unreadable);
    }
    // A header that names no algorithm, or "none", cannot be read as one.
    let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::Algorithm)?;
    if header.alg != Algorithm::EdDSA || header.crit.is_some() {
        return Err(Refused::Algorithm);
    }
    if header.typ.as_deref() != Some(TYPE) {
        return Err(Refused::Type);
    }
    let named = trust.keys.iter().find(|key| header.kid.as_deref() == Some(key.id()));
    let key = DecodingKey::from_ed_der(named.ok_or(Refused::Key)?.bytes());
    // Time is handed in, and all else is looked at below.
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation);
    let Claims { iss, aud, host: at, kind: of, jti, iat, exp } =
        claims.map_err(|_| Refused::Signature)?.claims;
    if iss != trust.issuer {
        return Err(Refused::Issuer);
    }
    if aud != trust.audience {
        return Err(Refused::Audience);
    }
    if at != host {
        return Err(Refused::Host);
    }
    if of != kind.word() {
        return Err(Refused::Kind);
    }
    // Whoever signs may write any number.
    let (second, until) = (now.as_second(), exp.saturating_add(LEEWAY_SECONDS));
    let is_now = second <= until && second >= iat.saturating_sub(LEEWAY_SECONDS);
    if !is_now || !(0..=LIFETIME_SECONDS).contains(&exp.saturating_sub(iat)) {
        return Err(Refused::Time);
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if jti.len() != LETTERS_OF_ID || !jti.bytes().all(is_plain) {
        return Err(Refused::Id);
    }
    let until = Timestamp::from_second(until.saturating_add(1)).map_err(|_| Refused::Time)?;
    Ok(Granted { id: jti, until })
}

#[cfg(test)]
mod tests;
