//! Somebody who asks, and takes the time.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use web::token::{Caller, Credential};

use crate::{Error, MODEL};

/// What every tenant of these measures signs with.
pub(crate) const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

/// One who asks as a tenant's person.
#[derive(Clone)]
pub(crate) struct Person {
    client: reqwest::Client,
    address: String,
    caller: Caller,
}

/// An answer, and when it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// From the question to the first text.
    pub(crate) first: Duration,
    /// From the first text to the end.
    pub(crate) rest: Duration,
    /// Between each text and the one before it.
    pub(crate) gaps: Vec<Duration>,
    pub(crate) text: String,
    pub(crate) prompt_tokens: usize,
    pub(crate) completion_tokens: usize,
}

impl Person {
    pub(crate) fn new(client: reqwest::Client, address: &str, tenant: &str, user: &str) -> Self {
        Self { client, address: address.to_owned(), caller: Caller::new(tenant, user, "agent") }
    }

    /// The first so many messages are the tenant's own.
    pub(crate) fn with_own_messages(mut self, own_messages: usize) -> Self {
        self.caller.own_messages = own_messages;
        self
    }

    /// A token of now.
    pub(crate) fn token(&self) -> Result<String, Error> {
        let token = web::token::sign(&Credential::new(SECRET), &self.caller, now())?;
        Ok(token.expose_secret().to_owned())
    }

    /// A text to go on with.
    pub(crate) async fn go_on(&self, text: &str, max_tokens: usize) -> Result<Heard, Error> {
        self.ask("completions", json!({"prompt": text, "max_tokens": max_tokens})).await
    }

    /// A conversation: role and content.
    pub(crate) async fn chat(
        &self,
        messages: &[(&str, &str)],
        max_tokens: usize,
    ) -> Result<Heard, Error> {
        let message = |(role, content): &(&str, &str)| json!({"role": role, "content": content});
        let messages: Vec<_> = messages.iter().map(message).collect();
        self.ask("chat/completions", json!({"messages": messages, "max_tokens": max_tokens})).await
    }

    async fn ask(&self, what: &str, mut body: Value) -> Result<Heard, Error> {
        body["model"] = MODEL.into();
        body["temperature"] = 0.into();
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
        let url = format!("{}/v1/{what}", self.address);
        let request = self.client.post(url).bearer_auth(self.token()?).json(&body);
        let begun = Instant::now();
        let mut answer = request.send().await?;
        if !answer.status().is_success() {
            return Err(answer.text().await?.into());
        }
        let (mut heard, mut last, mut is_done) = (Heard::default(), None, false);
        let mut unread = String::new();
        while let Some(bytes) = answer.chunk().await? {
            unread.push_str(std::str::from_utf8(&bytes)?);
            while let Some((event, rest)) = unread.split_once("\n\n") {
                let data = event.strip_prefix("data: ").unwrap_or_default();
                is_done |= data == "[DONE]";
                let is_text = heard.take(data)?;
                unread = rest.to_owned();
                if is_text {
                    let now = Instant::now();
                    match last.replace(now) {
                        Some(last) => heard.gaps.push(now - last),
                        None => heard.first = now - begun,
                    }
                }
            }
        }
        if !is_done {
            return Err("the answer broke off".into());
        }
        // An answer without text has its first word when it ends.
        let first = last.map_or_else(|| begun.elapsed(), |_| heard.first);
        Ok(Heard { first, rest: begun.elapsed().saturating_sub(first), ..heard })
    }
}

impl Heard {
    /// Whether there was text in it.
    fn take(&mut self, data: &str) -> Result<bool, Error> {
        if data.is_empty() || data == "[DONE]" {
            return Ok(false);
        }
        let event: Value = serde_json::from_str(data)?;
        if let Some(error) = event.get("error") {
            return Err(error.to_string().into());
        }
        if let Some(usage) = event.get("usage").filter(|usage| usage.is_object()) {
            let tokens = |name: &str| usize::try_from(usage[name].as_u64().unwrap_or_default());
            self.prompt_tokens = tokens("prompt_tokens")?;
            self.completion_tokens = tokens("completion_tokens")?;
        }
        let choice = &event["choices"][0];
        let text = choice["text"].as_str().or(choice["delta"]["content"].as_str());
        let text = text.unwrap_or_default();
        self.text.push_str(text);
        Ok(!text.is_empty())
    }
}

#[expect(clippy::disallowed_methods, reason = "the program has the system's clock too")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
