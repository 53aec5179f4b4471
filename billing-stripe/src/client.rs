//! One request, once; and what is known where it fails.

use std::time::Duration;

use billing::rail::Trouble;
use jiff::SignedDuration;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::request::Ask;
use crate::{NoStripe, VERSION};

const CONNECT: Duration = Duration::from_secs(10);
/// Stripe itself gives up after 80 s; leases last longer than this.
const WHOLE: Duration = Duration::from_secs(85);

/// A client with a key.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: Url,
    is_sandbox: bool,
}

impl Client {
    pub(crate) fn new(url: Url, key: &SecretString) -> Result<Self, NoStripe> {
        let key = key.expose_secret();
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| NoStripe::Key)?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert("stripe-version", HeaderValue::from_static(VERSION));
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .build()?;
        // A key of real money says so; what is anything else shows that it is none.
        let is_sandbox = !(key.starts_with("sk_live_") || key.starts_with("rk_live_"));
        Ok(Self { http, url, is_sandbox })
    }

    pub(crate) const fn is_sandbox(&self) -> bool {
        self.is_sandbox
    }

    pub(crate) async fn get(&self, ask: &Ask) -> Result<Value, Trouble> {
        self.send(Method::GET, ask, None).await
    }

    /// Does it, once for each key.
    pub(crate) async fn post(&self, ask: &Ask, key: &str) -> Result<Value, Trouble> {
        self.send(Method::POST, ask, Some(key)).await
    }

    /// Does it each time: what moves nothing.
    pub(crate) async fn post_anew(&self, ask: &Ask) -> Result<Value, Trouble> {
        self.send(Method::POST, ask, None).await
    }

    async fn send(&self, method: Method, ask: &Ask, key: Option<&str>) -> Result<Value, Trouble> {
        let mut url = self.url.clone();
        url.set_path(&ask.path);
        let encoded = ask.form.encoded();
        let request = if method == Method::GET {
            url.set_query(Some(&encoded).filter(|query| !query.is_empty()).map(String::as_str));
            self.http.request(method, url)
        } else {
            let form = "application/x-www-form-urlencoded";
            self.http.request(method, url).header(CONTENT_TYPE, form).body(encoded)
        };
        let request = match &ask.on {
            Some(account) => request.header("stripe-account", account),
            None => request,
        };
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let answer = match request.send().await {
            Ok(answer) => answer,
            // Nobody was there to hear it.
            Err(error) if error.is_connect() || error.is_builder() => {
                return Err(Trouble::Again { why: plain(&error), after: None });
            }
            Err(error) => return Err(Trouble::Unknown(plain(&error))),
        };
        let status = answer.status();
        let (wait, is_to_retry) = (wait(&answer), should_retry(&answer));
        let body = answer.bytes().await.map_err(|error| Trouble::Unknown(plain(&error)))?;
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        match body {
            Some(body) if status.is_success() => Ok(body),
            None if status.is_success() => {
                Err(Trouble::Unknown("the answer cannot be read".to_owned()))
            }
            body => Err(trouble(status, &body.unwrap_or_default(), wait, is_to_retry)),
        }
    }
}

/// What a failure says of what was done.
fn trouble(
    status: StatusCode,
    body: &Value,
    after: Option<SignedDuration>,
    is_to_retry: Option<bool>,
) -> Trouble {
    let error = &body["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let why = format!("{} {} {}: {}", status.as_u16(), text("type"), text("code"), text("message"));
    match status.as_u16() {
        // The key was used for something else: whatever that was, nobody here knows.
        _ if text("type") == "idempotency_error" && status != StatusCode::CONFLICT => {
            Trouble::Unknown(why)
        }
        // Too often, an object is being worked on, or the same key is; or our own key is one that somebody has to
        // mend. Nothing was done by this request.
        401 | 403 | 409 | 423 | 425 | 429 => Trouble::Again { why, after },
        400..500 if is_to_retry == Some(true) => Trouble::Again { why, after },
        400..500 => Trouble::Refused(why),
        _ => Trouble::Unknown(why),
    }
}

fn wait(answer: &Response) -> Option<SignedDuration> {
    let seconds = answer.headers().get("retry-after")?.to_str().ok()?.parse::<u32>().ok()?;
    Some(SignedDuration::from_secs(i64::from(seconds)))
}

fn should_retry(answer: &Response) -> Option<bool> {
    match answer.headers().get("stripe-should-retry")?.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// Without the address, whose query may name people.
fn plain(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "there was no answer in time"
    } else if error.is_connect() {
        "there is no connection"
    } else {
        "the connection was lost"
    };
    what.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_failure_says_what_is_known() {
        let says = |status: u16, kind: &str, retry| {
            let body = json!({"error": {"type": kind, "code": "c", "message": "m"}});
            trouble(StatusCode::from_u16(status).unwrap(), &body, None, retry)
        };
        let again = |trouble| matches!(trouble, Trouble::Again { .. });
        let refused = |trouble| matches!(trouble, Trouble::Refused(_));
        let unknown = |trouble| matches!(trouble, Trouble::Unknown(_));
        assert!(again(says(429, "invalid_request_error", None)));
        assert!(again(says(409, "idempotency_error", None)));
        assert!(again(says(401, "invalid_request_error", None)));
        assert!(again(says(400, "api_error", Some(true))));
        assert!(refused(says(402, "card_error", Some(false))));
        assert!(refused(says(400, "invalid_request_error", None)));
        assert!(refused(says(404, "invalid_request_error", None)));
        assert!(unknown(says(400, "idempotency_error", None)));
        assert!(unknown(says(500, "api_error", Some(true))));
        assert!(unknown(says(503, "api_error", None)));
        assert!(unknown(says(302, "", None)));
        let Trouble::Refused(why) = says(402, "card_error", None) else { panic!("not refused") };
        assert_eq!(why, "402 card_error c: m");
    }
}
