//! Models of others: an engine in front of a server that speaks the `OpenAI` API.
//!
//! Answers are streamed internally whatever the client wants, so that a client that leaves stops
//! the work within one chunk: its connection is dropped. Nobody waits without end: connecting, the
//! first byte, the silence between two chunks and the whole answer have deadlines
//! ([`Patience`]), and lines, events and answers have a greatest size. Who reads slowly stalls
//! nothing: pieces are put into an unbounded channel, and an answer is cut well beyond the tokens
//! that were asked for, but not at them: some send several chunks a token.
//!
//! Tokens: each chunk with something in it counts as one token as it comes, with `logprobs` as the
//! tokens it lists, and at the end the difference to the usage that the upstream reports is added.
//! That report is the truth, and what [`Piece::End`](crate::engine::Piece::End) tells; the meter
//! cannot go back, so it stands above the report, but never above what was asked for, where an
//! upstream cuts its tokens into several chunks. Without a report, as after a cancelled answer, the chunks are all there is, the prompt
//! is taken as a token for each four bytes, and the log says `estimated`. So is that of a request
//! that was sent and then left before it was answered.
//!
//! The key is in no log, and neither is anything the upstream wrote but its error's type and code.
//! Text only: there is no way for an address of an image to get into a request.

mod address;
mod answer;
mod chunk;
mod config;
mod failure;
mod request;
mod sse;
#[cfg(test)]
mod tests;
mod unanswered;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout};
use url::Url;

pub use address::Networks;
pub use config::{ConfigError, Dialect, Patience, UpstreamConfig, UpstreamModel};
pub(crate) use failure::in_words;
pub use failure::{Failure, Kind};

use crate::engine::{
    Engine, EngineError, Job, Meter, ModelCard, Prompt, Reason, TokenStream, Usage, token_stream,
};
use unanswered::Unanswered;

/// A server of others. Clones are the same.
#[derive(Debug, Clone)]
pub struct Upstream(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    client: Client,
    chat: Url,
    text: Url,
    /// Marked as sensitive, so that no log shows it.
    authorization: Option<HeaderValue>,
    models: Vec<UpstreamModel>,
    dialect: Dialect,
    patience: Patience,
    places: Arc<Semaphore>,
    room: watch::Sender<usize>,
    estimated: AtomicU64,
}

/// An upstream that has begun to answer.
#[derive(Debug)]
pub(crate) struct Begun {
    response: Response,
    place: OwnedSemaphorePermit,
    deadline: Instant,
}

impl Upstream {
    /// Checks the configuration; connects to nobody yet.
    pub fn new(config: UpstreamConfig) -> Result<Self, ConfigError> {
        config.into_inner().map(|inner| Self(Arc::new(inner)))
    }

    /// Its name, for logs and metrics.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The price entry of each of its models, by our name for it.
    pub fn prices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.models.iter().map(|model| (model.id.as_str(), model.price.as_str()))
    }

    /// How many answers ended without a usage of the upstream's until now.
    pub fn estimated(&self) -> u64 {
        self.0.estimated.load(Ordering::Relaxed)
    }

    /// What an answer used is not reported.
    fn estimates(&self, usage: Usage) {
        self.0.estimated.fetch_add(1, Ordering::Relaxed);
        tracing::info!(upstream = self.0.name, ?usage, estimated = true, "no usage reported");
    }

    /// Asks, and waits until it begins to answer or says that it will not. Dropping the future
    /// drops the connection, and tells the meter of the prompt if that was sent.
    pub(crate) async fn begin(&self, job: &Job, meter: &Meter) -> Result<Begun, Failure> {
        let Inner { name, client, patience, places, .. } = &*self.0;
        let model = self.model(&job.model)?;
        let body = Value::Object(request::body(job, model, self.0.dialect)?).to_string();
        let url = match job.prompt {
            Prompt::Chat(_) => &self.0.chat,
            Prompt::Text(_) => &self.0.text,
        };
        // Others may ask it for other models at the same time.
        let place = timeout(patience.first_byte, Arc::clone(places).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(Failure::full()) };
        let deadline = Instant::now() + patience.whole;
        let unanswered = Unanswered::new(self, job, meter);
        let mut request = client
            .post(url.clone())
            .header(ACCEPT, "text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, body.len())
            .body(unanswered.body(body.into_bytes()));
        if let Some(authorization) = &self.0.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let response = timeout(patience.first_byte, request.send()).await;
        unanswered.over();
        let response = response
            .map_err(|_| Failure::broken("it was silent before the first byte"))?
            .map_err(Failure::from)?;
        if response.status().is_success() {
            return Ok(Begun { response, place, deadline });
        }
        let failure = failure::read(response, job, model.context_tokens).await;
        tracing::warn!(upstream = name, error = %failure.error, "the upstream refused a request");
        Err(failure)
    }

    /// Hands over the answer as it comes.
    pub(crate) fn follow(&self, begun: Begun, job: &Job, meter: Meter) -> TokenStream {
        let (out, stream) = token_stream();
        tokio::spawn(answer::follow(self.clone(), begun, job.clone(), meter, out));
        stream
    }

    fn model(&self, id: &str) -> Result<&UpstreamModel, Failure> {
        let found = self.0.models.iter().find(|model| model.id == id);
        found.ok_or_else(|| Failure::refused(EngineError::UnknownModel(id.to_owned())))
    }
}

#[async_trait]
impl Engine for Upstream {
    fn models(&self) -> Vec<ModelCard> {
        let card = |model: &UpstreamModel| ModelCard {
            id: model.id.clone(),
            title: model.title.clone(),
            context_tokens: model.context_tokens,
        };
        self.0.models.iter().map(card).collect()
    }

    fn room(&self) -> watch::Receiver<usize> {
        self.0.room.subscribe()
    }

    fn prompt_at_most(&self, job: &Job) -> usize {
        request::at_most(job)
    }

    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        self.model(&job.model).map_err(|failure| failure.error)?;
        let (out, stream) = token_stream();
        let upstream = self.clone();
        // In a task: who leaves before the first byte is not kept until it comes.
        tokio::spawn(async move {
            let begun = tokio::select! {
                biased;
                () = out.cancelled() => None,
                begun = upstream.begin(&job, &meter) => Some(begun),
            };
            match begun {
                None => out.end(Reason::Cancelled, meter.usage()),
                Some(Ok(begun)) => answer::follow(upstream, begun, job, meter, out).await,
                Some(Err(failure)) => out.end(failure.into_reason(), Usage::default()),
            }
        });
        Ok(stream)
    }
}
