//! One way to ask: every request, its answer and the tries of both have bounds.
//!
//! All that is asked may be asked twice and is done once: changes name the state that was seen, what
//! is new has an idempotency key. So whatever passes by itself is waited for here.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use url::Url;

use crate::address::Address;
use crate::error::{Error, Result, Told};
use crate::keys::Key;
use crate::plain::Plain;

/// The longest answer, in bytes. A page of platforms has some hundred kilobytes.
const LONGEST: usize = 4 << 20;

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer.
    pub answer: Duration,
    /// For the next byte where news are listened to; a server says every 15 s that it is there.
    pub silence: Duration,
    /// So often something is asked, where it may pass by itself.
    pub tries: u32,
    /// Before the second try; it doubles.
    pub pause: Duration,
    /// Whoever says to come back later than that is not waited for.
    pub longest_pause: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(45),
            tries: 4,
            pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(10),
        }
    }
}

impl Bounds {
    /// How long to wait after this try, the first being 1; `None`: not at all, it was the last one.
    pub(crate) fn pause_after(&self, attempt: u32, asked: Option<u64>) -> Option<Duration> {
        if attempt >= self.tries {
            return None;
        }
        let own = self.pause.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let pause = asked.map_or(own, Duration::from_secs);
        (pause <= self.longest_pause).then_some(pause)
    }
}

/// A control plane and a key of it.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    authorization: HeaderValue,
    bounds: Bounds,
}

/// What is asked. Each of these may be asked again.
pub(crate) struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<String>,
}

/// What was answered, and well.
pub(crate) struct Answer {
    /// Which state of it this is.
    pub(crate) tag: Option<HeaderValue>,
    body: Vec<u8>,
    address: Address,
}

/// What came of one try.
enum Outcome {
    Done(Answer),
    /// It may pass by itself; after so many seconds, where the server says so.
    Passing(Error, Option<u64>),
    Failed(Error),
}

impl Ask {
    fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None }
    }

    pub(crate) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    pub(crate) fn delete(url: Url) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// Asks for what is as good as done where it was done before.
    pub(crate) fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    /// Makes something new, once for each `attempt`.
    pub(crate) fn create(url: Url, attempt: u64, yaml: String) -> Self {
        let mut ask = Self::new(Method::POST, url).with_yaml(yaml);
        ask.headers.insert("idempotency-key", attempt.into());
        ask
    }

    /// Asks what comes of a text, and changes nothing.
    pub(crate) fn look(url: Url, yaml: String) -> Self {
        Self::new(Method::POST, url).with_yaml(yaml)
    }

    /// Changes what was seen so.
    pub(crate) fn replace(url: Url, seen: HeaderValue, yaml: String) -> Self {
        let mut ask = Self::new(Method::PUT, url).with_yaml(yaml);
        ask.headers.insert(IF_MATCH, seen);
        ask
    }

    fn with_yaml(mut self, yaml: String) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
        self.body = Some(yaml);
        self
    }
}

impl Answer {
    /// What it says.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| Error::NotOurs {
            address: self.address.clone(),
            why: format!("its answer cannot be read: {error}").into(),
        })
    }

    /// What it says, as it stands.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// A way to ask there with this key.
    pub fn new(address: Address, key: &Key, bounds: Bounds) -> Result<Self> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(bounds.connect)
            .https_only(!address.is_here())
            // The key goes where it was meant to go, and no further.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("create-ai-platform/", env!("CARGO_PKG_VERSION")));
        if address.is_here() {
            // A proxy would see it in plain text.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| away(&address, &error))?;
        let authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
        let mut authorization = authorization.map_err(|_| Error::NotAKey)?;
        authorization.set_sensitive(true);
        Ok(Self { http, address, authorization, bounds })
    }

    /// Where it asks.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The address of something below it.
    pub(crate) fn at(&self, steps: &[&str]) -> Url {
        self.address.at(steps)
    }

    /// Asks until there is an answer, or it is no use any more.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer> {
        let mut attempt = 1;
        loop {
            let once = tokio::time::timeout(self.bounds.answer, self.once(&ask)).await;
            let (error, asked) = match once {
                Ok(Outcome::Done(answer)) => return Ok(answer),
                Ok(Outcome::Failed(error)) => return Err(error),
                Ok(Outcome::Passing(error, asked)) => (error, asked),
                Err(_) => (self.silent(self.bounds.answer), None),
            };
            let Some(pause) = self.bounds.pause_after(attempt, asked) else { return Err(error) };
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Begins to listen to news, behind what was heard last. The error says whether it may pass.
    pub(crate) async fn listen(
        &self,
        url: Url,
        heard: Option<&str>,
    ) -> std::result::Result<Response, (Error, bool)> {
        let request = self.http.get(url).header(AUTHORIZATION, self.authorization.clone());
        let mut request = request.header(ACCEPT, "text/event-stream");
        if let Some(heard) = heard.and_then(|heard| HeaderValue::from_str(heard).ok()) {
            request = request.header("last-event-id", heard);
        }
        let answered = tokio::time::timeout(self.bounds.answer, request.send()).await;
        let response = match answered {
            Err(_) => return Err((self.silent(self.bounds.answer), true)),
            Ok(Err(error)) => return Err((away(&self.address, &error), true)),
            Ok(Ok(response)) => response,
        };
        if response.status() != StatusCode::OK {
            let judged = tokio::time::timeout(self.bounds.answer, self.judge(response)).await;
            return Err(match judged {
                Ok(Outcome::Passing(error, _)) => (error, true),
                Ok(Outcome::Failed(error)) => (error, false),
                Ok(Outcome::Done(_)) => (self.not_ours("it tells no news"), false),
                Err(_) => (self.silent(self.bounds.answer), true),
            });
        }
        if !is_of_kind(&response, "text/event-stream") {
            return Err((self.not_ours("it tells no news"), false));
        }
        Ok(response)
    }

    async fn once(&self, ask: &Ask) -> Outcome {
        let request = self.http.request(ask.method.clone(), ask.url.clone());
        let request = request.header(AUTHORIZATION, self.authorization.clone());
        let mut request = request.header(ACCEPT, "application/json").headers(ask.headers.clone());
        if let Some(body) = &ask.body {
            request = request.body(body.clone());
        }
        match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(error) => Outcome::Passing(away(&self.address, &error), None),
        }
    }

    async fn judge(&self, mut response: Response) -> Outcome {
        let status = response.status();
        let header = |name| response.headers().get(name).cloned();
        let (tag, asked) = (header(ETAG), header(RETRY_AFTER));
        let asked = asked.and_then(|asked| asked.to_str().ok()?.parse().ok());
        if status.is_redirection() {
            let place = header(LOCATION);
            let place = place.as_ref().and_then(|place| place.to_str().ok()).unwrap_or("elsewhere");
            return Outcome::Failed(self.not_ours(&format!("it leads to {place}")));
        }
        let is_problem = is_of_kind(&response, "application/problem+json");
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => break,
                Ok(Some(chunk)) if body.len() + chunk.len() <= LONGEST => body.extend(chunk),
                Ok(Some(_)) => {
                    let why = format!("its answer has more than {LONGEST} bytes");
                    return Outcome::Failed(self.not_ours(&why));
                }
                Err(error) => return Outcome::Passing(away(&self.address, &error), None),
            }
        }
        if status.is_success() {
            return Outcome::Done(Answer { tag, body, address: self.address.clone() });
        }
        let told = is_problem.then(|| serde_json::from_slice::<Told>(&body).ok()).flatten();
        let error = match told {
            Some(told) => Error::Told(told.or_after(asked)),
            None if status.is_server_error() => Error::Away {
                address: self.address.clone(),
                why: format!("it says {status}").into(),
            },
            None => self.not_ours(&format!("it says {status}")),
        };
        let may_pass = asked.is_some() || passes(status);
        if may_pass { Outcome::Passing(error, asked) } else { Outcome::Failed(error) }
    }

    pub(crate) fn not_ours(&self, why: &str) -> Error {
        Error::NotOurs { address: self.address.clone(), why: why.into() }
    }

    /// Nothing came for so long.
    fn silent(&self, waited: Duration) -> Error {
        let why = format!("nothing came for {} s", waited.as_secs());
        Error::Away { address: self.address.clone(), why: why.into() }
    }
}

/// States of servers, and of what is before them, that pass by themselves.
fn passes(status: StatusCode) -> bool {
    [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ]
    .contains(&status)
}

fn is_of_kind(response: &Response, kind: &str) -> bool {
    let told = response.headers().get(CONTENT_TYPE);
    told.is_some_and(|told| told.as_bytes().starts_with(kind.as_bytes()))
}

/// Only the innermost cause says something to a person.
fn away(address: &Address, error: &reqwest::Error) -> Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::Away { address: address.clone(), why: Plain::from(cause.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_servers_word_counts_within_bounds() {
        let bounds = Bounds::default();
        let pauses: Vec<_> = (1..=4).map(|attempt| bounds.pause_after(attempt, None)).collect();
        let wanted = [250, 500, 1_000].map(|pause| Some(Duration::from_millis(pause)));
        assert_eq!(pauses, [&wanted[..], &[None]].concat());
        assert_eq!(bounds.pause_after(1, Some(5)), Some(Duration::from_secs(5)));
        assert_eq!(bounds.pause_after(1, Some(900)), None, "nobody sits before it that long");
        assert_eq!(bounds.pause_after(4, Some(0)), None);
        let longer = Bounds { tries: u32::MAX, ..bounds };
        assert_eq!(longer.pause_after(1_000, None), None);
    }
}
