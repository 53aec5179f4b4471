//! What was sent: read whole, within bounds, and told what is wrong where it cannot be used.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use blueprint::PlatformBlueprint;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::error::{Broken, Error, Result};

/// The name of the header by which the same request is known again.
const KEY: &str = "idempotency-key";
/// The longest such key.
const LONGEST_KEY: usize = 255;

/// A body of JSON, and by what the same request is known again.
#[derive(Debug)]
pub struct Sent<T> {
    /// What it says.
    pub value: T,
    /// Of method, path and body.
    pub hash: [u8; 32],
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

impl<T: DeserializeOwned> FromRequest<App> for Sent<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (body, hash, key) = taken(request, app).await?;
        let json = &mut serde_json::Deserializer::from_slice(&body);
        let value = serde_path_to_error::deserialize(json).map_err(|error| {
            let (path, why) = (error.path().to_string(), error.inner().to_string());
            Error::Unreadable(if path == "." { why } else { format!("{path}: {why}") })
        })?;
        Ok(Self { value, hash, key })
    }
}

/// `Idempotency-Key`, where one was sent.
#[derive(Clone, Debug)]
pub struct Key(pub Option<String>);

impl FromRequestParts<App> for Key {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let mut sent = parts.headers.get_all(KEY).iter();
        let key = match (sent.next(), sent.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(key), None) => key.to_str().ok(),
            _ => None,
        };
        let fits = key.filter(|key| {
            (1..=LONGEST_KEY).contains(&key.len())
                && key.bytes().all(|each| each.is_ascii_graphic())
        });
        let wrong = || {
            Error::Unreadable(format!(
                "Idempotency-Key: one of 1 to {LONGEST_KEY} letters, digits and signs, no spaces"
            ))
        };
        Ok(Self(Some(fits.ok_or_else(wrong)?.to_owned())))
    }
}

/// A blueprint, as YAML or JSON, and by what the same request is known again.
#[derive(Debug)]
pub struct SentBlueprint {
    /// The blueprint, which breaks no rule.
    pub blueprint: PlatformBlueprint,
    /// Of method, path and body.
    pub hash: [u8; 32],
    /// `Idempotency-Key`.
    pub key: Option<String>,
}

impl FromRequest<App> for SentBlueprint {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let (body, hash, key) = taken(request, app).await?;
        let text = std::str::from_utf8(&body);
        let text = text.map_err(|_| Error::Unreadable("a blueprint is text, in UTF-8".into()))?;
        let blueprint = blueprint::read(text).map_err(|problems| broken(&problems))?;
        Ok(Self { blueprint, hash, key })
    }
}

/// Rules that are broken, as the API tells them.
pub fn broken(problems: &[blueprint::Problem]) -> Error {
    let broken = |problem: &blueprint::Problem| Broken {
        path: problem.path.clone(),
        message: format!("{} (instead: {})", problem.what, problem.instead),
    };
    Error::BreaksRules(problems.iter().map(broken).collect())
}

async fn taken(request: Request, app: &App) -> Result<(Bytes, [u8; 32], Option<String>)> {
    let (mut parts, body) = request.into_parts();
    let key = Key::from_request_parts(&mut parts, app).await?.0;
    let mut hasher = Sha256::new();
    for part in [parts.method.as_str(), parts.uri.path()] {
        hasher.update(part);
        hasher.update([0]);
    }
    let body = Bytes::from_request(Request::from_parts(parts, body), app).await;
    let body = body.map_err(|error| Error::Unreadable(error.body_text()))?;
    hasher.update(&body);
    Ok((body, hasher.finalize().into(), key))
}
