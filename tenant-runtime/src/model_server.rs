//! The only client of the model server: the OpenAI API over HTTP, the same in local mode.

use std::sync::Arc;

use futures::StreamExt;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use web::token::{Caller, Credential};

use crate::domain::conversation::Role;

/// The longest line of the stream we accept.
const LONGEST_LINE: usize = 256 * 1024;

/// Where the model server is and how this tenant proves who it is.
#[derive(Clone)]
pub struct ModelServer(Arc<Inner>);

struct Inner {
    base: url::Url,
    credential: Credential,
    client: reqwest::Client,
}

/// What is asked of the model.
pub struct Question {
    /// Who asks, for the token.
    pub caller: Caller,
    /// The model's id.
    pub model: String,
    /// What the agent is told about itself.
    pub instructions: String,
    /// The turns so far, oldest first.
    pub turns: Vec<(Role, String)>,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
}

/// What the model server sends, bit by bit.
#[derive(Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing yet: the question waits at this place in the queue.
    Waits(usize),
    /// More text.
    Text(String),
    /// The end, with prompt and completion tokens if it told them.
    End(Option<(i32, i32)>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It cannot be reached, or the line broke.
    #[error("reach the model server: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// It refuses; the text is meant for people.
    #[error("the model server refused ({status}, {code}): {title}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable code of the problem.
        code: String,
        /// What happened, for people.
        title: String,
    },
    /// It broke off or sent what we cannot read.
    #[error("read the model server's answer: {0}")]
    Garbled(String),
    /// The token could not be made.
    #[error("sign the token: {0}")]
    Token(#[from] web::token::TokenError),
}

impl AskError {
    /// Whether less text would have been answered.
    pub fn is_too_long(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "prompt-too-long")
    }
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: String,
    #[serde(default)]
    title: String,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    dimensions: Option<u32>,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
}

#[derive(Deserialize, Default)]
struct Delta {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: i32,
    completion_tokens: i32,
}

impl ModelServer {
    /// A model server at `base`, with or without `/v1` at its end, asked with `credential`.
    pub fn new(mut base: url::Url, credential: Credential, client: reqwest::Client) -> Self {
        let path = base.path().trim_end_matches('/');
        let path = format!("{}/", path.strip_suffix("/v1").unwrap_or(path));
        base.set_path(&path);
        Self(Arc::new(Inner { base, credential, client }))
    }

    /// The models that can be asked, the default first.
    pub async fn models(&self, tenant: &str, now: Timestamp) -> Result<Vec<String>, AskError> {
        let Inner { base, credential, client } = &*self.0;
        let token = web::token::sign(credential, &Caller::new(tenant, "", ""), now)?;
        let url = base.join("v1/models").map_err(|error| AskError::Garbled(error.to_string()))?;
        let response = client.get(url).bearer_auth(token.expose_secret()).send().await?;
        let response = told(response).await?;
        let list: List =
            response.json().await.map_err(|error| AskError::Garbled(error.to_string()))?;
        // Those that make vectors answer nobody.
        let answer = list.data.into_iter().filter(|model| model.dimensions.is_none());
        Ok(answer.map(|model| model.id).collect())
    }

    /// Asks, and hands each bit of the answer to `hear` as it comes. Dropping the future stops
    /// the work at the model server.
    pub async fn ask(
        &self,
        question: &Question,
        now: Timestamp,
        mut hear: impl FnMut(Word),
    ) -> Result<(), AskError> {
        let Inner { base, credential, client } = &*self.0;
        // The first message, which holds the instructions, is the same for everybody.
        let caller = Caller { own_messages: 1, ..question.caller.clone() };
        let token = web::token::sign(credential, &caller, now)?;
        let mut messages = vec![json!({"role": "system", "content": question.instructions})];
        messages.extend(
            question
                .turns
                .iter()
                .map(|(role, text)| json!({"role": role.as_str(), "content": text})),
        );
        let body = json!({
            "model": question.model,
            "messages": messages,
            "max_tokens": question.max_tokens,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        let url = base
            .join("v1/chat/completions")
            .map_err(|error| AskError::Garbled(error.to_string()))?;
        let response =
            client.post(url).bearer_auth(token.expose_secret()).json(&body).send().await?;
        let response = told(response).await?;
        let mut lines = Lines::default();
        let mut bytes = response.bytes_stream();
        let mut usage = None;
        while let Some(part) = bytes.next().await {
            for line in lines.push(&part?)? {
                let position = line.strip_prefix(": position ").map(str::parse);
                if let Some(Ok(position)) = position {
                    hear(Word::Waits(position));
                }
                let Some(data) = line.strip_prefix("data:") else { continue };
                let data = data.trim();
                if data == "[DONE]" {
                    hear(Word::End(usage));
                    return Ok(());
                }
                let chunk: Chunk = serde_json::from_str(data)
                    .map_err(|error| AskError::Garbled(error.to_string()))?;
                if let Some(Refusal { code, title }) = chunk.error {
                    return Err(AskError::Refused { status: 500, code, title });
                }
                if let Some(told) = chunk.usage {
                    usage = Some((told.prompt_tokens, told.completion_tokens));
                }
                for choice in chunk.choices {
                    if let Some(text) = choice.delta.content.filter(|text| !text.is_empty()) {
                        hear(Word::Text(text));
                    }
                }
            }
        }
        Err(AskError::Garbled("the answer broke off".to_owned()))
    }
}

/// The answer, unless it is a refusal.
async fn told(response: reqwest::Response) -> Result<reqwest::Response, AskError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    let refusal = serde_json::from_str(&text)
        .unwrap_or(Refusal { code: "unknown".to_owned(), title: status.to_string() });
    let Refusal { code, title } = refusal;
    Err(AskError::Refused { status: status.as_u16(), code, title })
}

/// Cuts a byte stream into lines, wherever its parts begin and end.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn push(&mut self, part: &[u8]) -> Result<Vec<String>, AskError> {
        self.rest.extend_from_slice(part);
        let mut lines = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8(line)
                .map_err(|_| AskError::Garbled("the answer is not UTF-8".to_owned()))?;
            lines.push(line.trim_end().to_owned());
        }
        if self.rest.len() > LONGEST_LINE {
            return Err(AskError::Garbled("a line is too long".to_owned()));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_wherever_the_parts_are_cut() {
        let text = "data: {\"a\":\"ä\"}\r\n\r\ndata: [DONE]\n";
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            let mut seen = lines.push(&text.as_bytes()[..cut]).unwrap();
            seen.extend(lines.push(&text.as_bytes()[cut..]).unwrap());
            assert_eq!(seen, ["data: {\"a\":\"ä\"}", "", "data: [DONE]"], "cut at {cut}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut lines = Lines::default();
        let mut result = Ok(Vec::new());
        for _ in 0..=LONGEST_LINE / 1024 + 1 {
            result = lines.push(&[b'x'; 1024]);
            if result.is_err() {
                break;
            }
        }
        assert!(result.is_err());
    }
}
