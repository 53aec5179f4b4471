//! Providers that organizations trust, as they are met: what they say of themselves, their keys, and what
//! they say of people. All of it goes out by [`Egress`]: to the internet alone, bounded, without redirects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::Jwk;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::{self, byte_serialize};
use web::egress::{Answer, CallError, Egress};

use crate::domain::sign_on::{self, Expected, Known, Mistrust, Provider};

/// Nobody waits longer for one answer: who signs in waits for two of them.
const CALL: Duration = Duration::from_secs(2);
/// What a provider said of itself is good for so long.
const GOOD: SignedDuration = SignedDuration::from_mins(10);
/// Where a key is not among its keys, they are asked for again, so often at most.
const ANEW: SignedDuration = SignedDuration::from_mins(1);
/// One that did not answer is left alone for so long.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(10);
/// So many are remembered.
const REMEMBERED: usize = 1_000;

/// By issuer: when it was asked, and what came of it.
type Remembered = HashMap<String, (Timestamp, Result<Arc<Met>, Mistrust>)>;

/// Those that were met of late.
pub struct Providers {
    egress: Egress,
    met: Mutex<Remembered>,
}

/// One that was met.
#[derive(Debug)]
pub struct Met {
    /// As it says of itself.
    pub provider: Provider,
    keys: Vec<Jwk>,
}

/// Who we are there.
pub struct Client<'a> {
    /// Whose provider.
    pub issuer: &'a str,
    /// How it calls us.
    pub id: &'a str,
    /// What shows that we are it.
    pub secret: &'a SecretString,
}

/// What somebody came back with, and what belongs to it.
pub struct Code<'a> {
    /// The code.
    pub code: &'a str,
    /// Where they came back to.
    pub back: &'a str,
    /// What shows that the code is ours.
    pub verifier: &'a str,
    /// What the provider's word has to repeat.
    pub nonce: &'a str,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Providers {
    /// None yet.
    pub fn new(egress: Egress) -> Self {
        Self { egress, met: Mutex::default() }
    }

    /// This one, as it said of itself of late.
    ///
    /// # Errors
    /// [`Mistrust`]
    pub async fn meet(&self, issuer: &str, now: Timestamp) -> Result<Arc<Met>, Mistrust> {
        self.met_since(issuer, now - GOOD, now).await
    }

    async fn meet_anew(&self, issuer: &str, now: Timestamp) -> Result<Arc<Met>, Mistrust> {
        let met = self.ask(issuer).await.map(Arc::new);
        self.remember(issuer, now, met.clone());
        met
    }

    /// Whom the code is about.
    ///
    /// # Errors
    /// [`Mistrust`]
    pub async fn hand_in(
        &self,
        client: &Client<'_>,
        code: &Code<'_>,
        now: Timestamp,
    ) -> Result<Known, Mistrust> {
        let met = self.meet(client.issuer, now).await?;
        let token = self.exchanged(&met.provider, client, code).await?;
        let expected = Expected { issuer: client.issuer, client_id: client.id, nonce: code.nonce };
        match sign_on::verified(&token, &met.keys, expected, now) {
            // It may have a new key since.
            Err(Mistrust::Key) => {
                let met = self.met_since(client.issuer, now - ANEW, now).await?;
                sign_on::verified(&token, &met.keys, expected, now)
            }
            known => known,
        }
    }

    async fn met_since(
        &self,
        issuer: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Arc<Met>, Mistrust> {
        if let Some((at, met)) = self.lock().get(issuer) {
            let since = if met.is_ok() { since } else { now - LEFT_ALONE };
            if *at > since {
                return met.clone();
            }
        }
        self.meet_anew(issuer, now).await
    }

    /// It said so of itself just now.
    pub fn remember(&self, issuer: &str, now: Timestamp, met: Result<Arc<Met>, Mistrust>) {
        let mut all = self.lock();
        all.retain(|_, (at, _)| *at > now - GOOD);
        if all.len() >= REMEMBERED && !all.contains_key(issuer) {
            let oldest =
                all.iter().min_by_key(|(_, (at, _))| *at).map(|(issuer, _)| issuer.clone());
            oldest.and_then(|oldest| all.remove(&oldest));
        }
        all.insert(issuer.to_owned(), (now, met));
    }

    /// This one, as it says of itself now; it is not remembered.
    ///
    /// # Errors
    /// [`Mistrust`]
    pub async fn ask(&self, issuer: &str) -> Result<Met, Mistrust> {
        let place = sign_on::discovery(issuer).ok_or(Mistrust::Unreadable("address"))?;
        let provider = Provider::read(issuer, &self.got(&place).await?)?;
        for place in [&provider.authorization, &provider.token, &provider.keys] {
            let checked = self.egress.check(place);
            checked.map_err(|error| Mistrust::NoAnswer(error.to_string()))?;
        }
        let keys = sign_on::keys(&self.got(&provider.keys).await?)?;
        Ok(Met { provider, keys })
    }

    async fn got(&self, place: &Url) -> Result<Bytes, Mistrust> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let answer = in_time(self.egress.get(place, headers)).await?;
        if !answer.status.is_success() {
            return Err(Mistrust::NoAnswer(format!("it answers {}", answer.status.as_u16())));
        }
        Ok(answer.body)
    }

    async fn exchanged(
        &self,
        provider: &Provider,
        client: &Client<'_>,
        code: &Code<'_>,
    ) -> Result<String, Mistrust> {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if provider.takes_basic {
            headers.insert(header::AUTHORIZATION, basic(client)?);
        }
        let body = if provider.takes_basic {
            handed_in(code, None)
        } else {
            handed_in(code, Some(client))
        };
        let answer = in_time(self.egress.post(&provider.token, headers, body)).await?;
        if answer.status.is_client_error() {
            return Err(Mistrust::Code);
        }
        let tokens = serde_json::from_slice::<Tokens>(&answer.body);
        Ok(tokens.map_err(|_| Mistrust::Unreadable("token"))?.id_token)
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The form of a code, with our secret in it where the provider takes that nowhere else.
fn handed_in(code: &Code<'_>, client: Option<&Client<'_>>) -> Bytes {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code.code)
        .append_pair("redirect_uri", code.back)
        .append_pair("code_verifier", code.verifier);
    if let Some(client) = client {
        form.append_pair("client_id", client.id)
            .append_pair("client_secret", client.secret.expose_secret());
    }
    Bytes::from(form.finish())
}

/// RFC 6749, section 2.3.1: each part as in a form.
fn basic(client: &Client<'_>) -> Result<HeaderValue, Mistrust> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let both = format!("{}:{}", encoded(client.id), encoded(client.secret.expose_secret()));
    let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(both)));
    let mut value = value.map_err(|_| Mistrust::Code)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn in_time(
    call: impl Future<Output = Result<Answer, CallError>>,
) -> Result<Answer, Mistrust> {
    match tokio::time::timeout(CALL, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Mistrust::NoAnswer(error.to_string())),
        Err(_) => Err(Mistrust::NoAnswer("no answer in time".to_owned())),
    }
}
