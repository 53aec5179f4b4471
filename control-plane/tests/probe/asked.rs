//! A request, what is answered to it, and what may not be in that.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt as _;

use crate::Rig;

/// The first news of a platform come with the answer.
const SOON: Duration = Duration::from_secs(10);
/// What another answer says to the same question, whatever was asked for.
const CHANGING: [&str; 2] = ["date", "ratelimit"];
/// As long as no answer is.
const LONGEST: usize = 4 << 20;

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// All that it says, and where a page is to begin in plain words too.
    pub(crate) fn text(&self) -> String {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let after = self.path.split_once("after=").map(|(_, rest)| rest.split('&').next().unwrap());
        let after = after.and_then(|after| URL_SAFE_NO_PAD.decode(after).ok()).unwrap_or_default();
        let (headers, after) = (headers.join("\n"), String::from_utf8_lossy(&after).into_owned());
        format!("{} {}\n{headers}\n\n{}\n{after}", self.method, self.path, self.body)
    }

    /// The same with other words in place of these.
    pub(crate) fn with(&self, words: &[(String, String)]) -> Self {
        let mut other = self.clone();
        for (from, to) in words {
            other.path = other.path.replace(from, to);
            other.body = other.body.replace(from, to);
        }
        other
    }

    /// Sends it.
    pub(crate) async fn send(&self, rig: &Rig) -> Told {
        let mut request = Request::builder().method(&*self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Body::from(self.body.clone()));
        let request = request.unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let (head, body) = rig.answer(request).await.into_parts();
        let kind = head.headers.get("content-type").map(HeaderValue::as_bytes);
        let body = if kind == Some(b"text/event-stream") {
            let first = tokio::time::timeout(SOON, body.into_data_stream().next()).await;
            first.unwrap().unwrap().unwrap()
        } else {
            axum::body::to_bytes(body, LONGEST).await.unwrap()
        };
        let mut headers: Vec<_> = head
            .headers
            .iter()
            .filter(|(name, _)| !CHANGING.contains(&name.as_str()))
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        headers.sort();
        let body = String::from_utf8_lossy(&body).into_owned();
        Told { status: head.status.as_u16(), headers, body }
    }
}

impl Told {
    /// All that it says.
    pub(crate) fn text(&self) -> String {
        format!("{} {:?}\n{}", self.status, self.headers, self.body)
    }

    /// The same, but for these words.
    pub(crate) fn without(&self, words: &[&str]) -> Self {
        let masked = |text: &str| {
            words.iter().fold(text.to_owned(), |text, word| text.replace(word, "MASKED"))
        };
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), masked(value)));
        Self { status: self.status, headers: headers.collect(), body: masked(&self.body) }
    }
}
