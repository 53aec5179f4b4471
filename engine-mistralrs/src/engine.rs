//! One job in mistral.rs: the request, its answer drained as fast as it comes, its end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use either::Either;
use inference::engine::{PieceSender, TOO_COMPLEX, TokenChances, TokenStream, token_stream};
use inference::lanes::{Lane, Lanes};
use inference::marks::Marks;
use inference::sampling::{Sampling, Unset};
use inference::stop::{Shown, StopFilter};
use inference::turns::{Reading, Turns};
use inference::{
    Engine, EngineError, Job, Message, Meter, ModelCard, Prompt, Reason, Role, Shape, Usage,
};
use mistralrs::core::{MistralRs, TokenizationRequest};
use mistralrs::{
    Constraint, CustomLogitsProcessor, NormalRequest, Request, RequestLike, RequestMessage,
    Response, SamplingParams, TextMessageRole, TextMessages,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::drawing::{Drawing, Drawn, Limits, Verdict};
use crate::gguf::Header;
use crate::load::Opener;
use crate::vocabulary::Vocabulary;

/// A token of a prompt, of about four bytes, takes no longer to be read: a model of 1.5 billion
/// numbers reads eight a second on two cores, and text can have four times as many tokens as that.
const SLOWEST_READING: Duration = Duration::from_secs(1);

/// A loaded model. Dropping it frees the model once its last answer is done.
pub struct MistralEngine {
    lanes: Arc<Lanes<Opener>>,
    turns: Arc<Turns>,
    card: ModelCard,
    header: Header,
    unset: Unset,
}

impl MistralEngine {
    pub(crate) fn new(
        lanes: Arc<Lanes<Opener>>,
        card: ModelCard,
        header: Header,
        unset: Unset,
    ) -> Self {
        Self { lanes, turns: Turns::new(), card, header, unset }
    }
}

#[async_trait]
impl Engine for MistralEngine {
    fn models(&self) -> Vec<ModelCard> {
        vec![self.card.clone()]
    }

    fn room(&self) -> watch::Receiver<usize> {
        self.lanes.room()
    }

    /// It reads a prompt in one go and says nothing meanwhile.
    fn reads_silently(&self, job: &Job) -> Duration {
        let tokens = job.prompt.tokens_about().min(self.card.context_tokens);
        SLOWEST_READING.saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX))
    }

    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        if job.model != self.card.id {
            return Err(EngineError::UnknownModel(job.model));
        }
        let (out, stream) = token_stream();
        let limits = Limits {
            max_tokens: job.max_tokens,
            context_tokens: self.header.context_tokens,
            end_token: self.header.end_token,
            text_end: self.header.text_end,
        };
        let begin = Begin {
            lanes: Arc::clone(&self.lanes),
            turns: Arc::clone(&self.turns),
            sampling: Sampling::of(&job, self.unset),
            limits,
            longest_prompt: self.card.context_tokens,
            shape: job.shape,
            prompt: prompt(job.prompt, &self.header.marks),
            stops: job.stop,
            logprobs: job.logprobs,
            vocabulary: Arc::clone(&self.header.vocabulary),
            meter,
        };
        tokio::spawn(begin.answer(out));
        Ok(stream)
    }
}

/// A job that waits for its lane.
struct Begin {
    lanes: Arc<Lanes<Opener>>,
    turns: Arc<Turns>,
    sampling: Sampling,
    limits: Limits,
    longest_prompt: usize,
    shape: Shape,
    prompt: RequestMessage,
    stops: Vec<String>,
    logprobs: Option<usize>,
    vocabulary: Arc<Vocabulary>,
    meter: Meter,
}

impl Begin {
    async fn answer(self, out: PieceSender) {
        let taken = tokio::select! {
            taken = self.place() => taken,
            () = out.cancelled() => return out.end(Reason::Cancelled, Usage::default()),
        };
        let (lane, reading) = match taken {
            Ok(taken) => taken,
            Err(error) => return out.end(Reason::Failed(error), Usage::default()),
        };
        let Self { sampling, limits, longest_prompt, shape, prompt, stops, .. } = self;
        let Self { logprobs, vocabulary, meter, .. } = self;
        // A child: ends with the reader, or by itself at a stop sequence.
        let stop = out.cancellation().child_token();
        let drawing = Drawing::new(meter.clone(), sampling, limits, stop.clone(), reading);
        let drawing = Arc::new(match logprobs {
            Some(likeliest) => drawing.with_chances(likeliest),
            None => drawing,
        });
        let is_shaped = shape != Shape::Free;
        match ask(lane.runner(), prompt, shape, limits.max_tokens, &drawing).await {
            Ok(responses) => {
                let answer = Answer { meter, drawing, vocabulary, stop, longest_prompt, is_shaped };
                answer.follow(responses, StopFilter::new(stops), out).await;
            }
            Err(error) => out.end(Reason::Failed(error), Usage::default()),
        }
    }

    /// A lane, then the turn to read.
    async fn place(&self) -> Result<(Lane<Opener>, Reading), EngineError> {
        let gone = || EngineError::Broken("its lanes are gone".to_owned());
        let lane = self.lanes.take().await.ok_or_else(gone)?;
        let tokens = prompt_tokens(&lane, &self.prompt).await?;
        if tokens > self.longest_prompt {
            return Err(EngineError::PromptTooLong { limit: self.longest_prompt });
        }
        Ok((lane, self.turns.read(tokens).await))
    }
}

/// How long the prompt is, template included. Counted before it is read, since reading cannot be
/// stopped.
async fn prompt_tokens(lane: &Lane<Opener>, prompt: &RequestMessage) -> Result<usize, EngineError> {
    let runner = Arc::clone(lane.runner());
    let text = match prompt {
        RequestMessage::Chat { messages, .. } => Either::Left(messages.clone()),
        RequestMessage::Completion { text, .. } => Either::Right(text.clone()),
        _ => return Err(EngineError::Broken("a prompt of another kind came".to_owned())),
    };
    // A task of its own: the engine panics if nobody is there to hear the answer.
    let counted = tokio::spawn(async move {
        let (response, mut counted) = channel(1);
        let request = Request::Tokenize(TokenizationRequest {
            text,
            tools: None,
            add_generation_prompt: true,
            add_special_tokens: true,
            enable_thinking: None,
            reasoning_effort: None,
            response,
        });
        let engine = runner.get_sender(None).map_err(|error| broken(&error))?;
        engine.send(request).await.map_err(|error| broken(&error))?;
        match counted.recv().await {
            Some(Ok(tokens)) => Ok(tokens.len()),
            Some(Err(error)) => Err(EngineError::Refused(format!(
                "the model's template refuses this conversation: {}",
                format!("{error:#}").lines().next().unwrap_or_default()
            ))),
            None => Err(EngineError::Gone),
        }
    });
    counted.await.map_err(|error| broken(&error))?
}

/// Hands a request to the engine. What it answers ends when it has let go of the request.
async fn ask(
    runner: &MistralRs,
    prompt: RequestMessage,
    shape: Shape,
    max_tokens: usize,
    drawing: &Arc<Drawing>,
) -> Result<Receiver<Response>, EngineError> {
    // Room for every message it can send: the engine waits for a slow reader in the middle of
    // its step.
    let (response, responses) = channel(max_tokens + 16);
    let processor: Arc<dyn CustomLogitsProcessor> = Arc::clone(drawing) as _;
    let mut request = NormalRequest::new_simple(
        prompt,
        // Draws the likeliest; the drawing has left only one.
        SamplingParams {
            temperature: Some(0.0),
            max_len: Some(max_tokens),
            ..SamplingParams::neutral()
        },
        response,
        runner.next_request_id(),
        None,
        None,
    );
    request.is_streaming = true;
    request.constraint = match shape {
        Shape::Free => Constraint::None,
        Shape::Json => Constraint::JsonSchema(tight(json!({"type": "object"}))),
        Shape::Schema(schema) => Constraint::JsonSchema(tight(Value::clone(&schema))),
    };
    request.logits_processors = Some(vec![processor]);

    // A dead engine thread is started anew here; what ran in it has ended as broken.
    let engine = runner.get_sender(None).map_err(|error| broken(&error))?;
    let request = Request::Normal(Box::new(request));
    engine.send(request).await.map_err(|error| broken(&error))?;
    Ok(responses)
}

/// No blanks but those that are written here: they are tokens that people wait and pay for, and
/// small models make lines of them.
fn tight(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        let format = json!({
            "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": ",
        });
        schema.insert("x-guidance".to_owned(), format);
    }
    schema
}

fn first_line(error: &dyn std::error::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn broken(error: &dyn std::fmt::Display) -> EngineError {
    EngineError::Broken(error.to_string())
}

/// The prompt as the engine wants it. It takes what steers for what it says, whoever wrote it.
fn prompt(prompt: Prompt, marks: &Marks) -> RequestMessage {
    match prompt {
        Prompt::Chat(messages) => chat(&messages, marks).take_messages(),
        Prompt::Text(text) => RequestMessage::Completion {
            text: marks.broken_up(&text).into_owned(),
            echo_prompt: false,
            best_of: None,
        },
    }
}

fn chat(messages: &[Message], marks: &Marks) -> TextMessages {
    messages.iter().fold(TextMessages::new(), |chat, message| {
        let role = match message.role {
            Role::System => TextMessageRole::System,
            Role::User => TextMessageRole::User,
            Role::Assistant => TextMessageRole::Assistant,
        };
        chat.add_message(role, marks.broken_up(&message.content))
    })
}

/// One answer on its way.
struct Answer {
    meter: Meter,
    drawing: Arc<Drawing>,
    vocabulary: Arc<Vocabulary>,
    stop: CancellationToken,
    longest_prompt: usize,
    is_shaped: bool,
}

impl Answer {
    /// Takes all that comes, until the engine has let go of the request: only then is its place
    /// free and its usage final. The channel stays open to the end, also when nobody reads.
    async fn follow(
        self,
        mut responses: Receiver<Response>,
        mut stops: StopFilter,
        out: PieceSender,
    ) {
        let mut said = None;
        let mut stopped = false;
        loop {
            let response = tokio::select! {
                biased;
                response = responses.recv() => response,
                // A shape may not allow the end that the drawing would draw. While the prompt is
                // read nothing ends it, and the lane is taken until then.
                () = self.stop.cancelled(), if self.is_shaped && self.drawing.has_begun() => None,
            };
            let Some(response) = response else { break };
            self.show_chances(&out);
            match response {
                Response::Chunk(chunk) => {
                    for choice in chunk.choices {
                        let text = choice.delta.content.unwrap_or_default();
                        stopped = stopped || self.show(&text, &mut stops, &out);
                        said = choice.finish_reason.map(|_| Said::Finish).or(said);
                    }
                }
                Response::CompletionChunk(chunk) => {
                    for choice in chunk.choices {
                        stopped = stopped || self.show(&choice.text, &mut stops, &out);
                        said = choice.finish_reason.map(|_| Said::Finish).or(said);
                    }
                }
                Response::ModelError(error, _) => said = Some(self.error(&error)),
                Response::InternalError(error) => said = Some(self.error(&error.to_string())),
                Response::ValidationError(error) if self.is_shaped => {
                    said = Some(Said::BadShape(first_line(&*error)));
                }
                // The template is there and messages are not empty, so it is the length.
                Response::ValidationError(error) => {
                    tracing::debug!(%error, "the engine refused a prompt");
                    said = Some(Said::TooLong);
                }
                _ => said = Some(Said::Error("an answer of another kind came".to_owned())),
            }
        }
        self.show_chances(&out);
        // What was refused was never read.
        self.drawing.end_reading();
        let reason = self.reason(said, stopped, out.is_cancelled());
        if !stopped {
            out.text(stops.rest());
        }
        out.end(reason, self.meter.usage());
    }

    /// What the engine said of its failure. Only the first line: the rest can be what people wrote.
    fn error(&self, text: &str) -> Said {
        // As grammars tell that they gave up.
        if self.is_shaped && text.contains("<state>") {
            return Said::BadShape(TOO_COMPLEX.to_owned());
        }
        Said::Error(text.lines().next().unwrap_or_default().to_owned())
    }

    fn show_chances(&self, out: &PieceSender) {
        let chance = |(token, logprob)| self.vocabulary.chance(token, logprob);
        for Drawn { chosen, others, .. } in self.drawing.take_chances() {
            let others = others.into_iter().map(chance).collect();
            out.token(TokenChances { chosen: chance(chosen), others });
        }
    }

    /// Hands text on; true once a stop sequence came.
    fn show(&self, text: &str, stops: &mut StopFilter, out: &PieceSender) -> bool {
        match stops.push(text) {
            Shown::More(text) => {
                out.text(text);
                false
            }
            Shown::Last(text) => {
                out.text(text);
                self.stop.cancel();
                true
            }
        }
    }

    fn reason(&self, said: Option<Said>, stopped: bool, cancelled: bool) -> Reason {
        match (said, self.drawing.verdict()) {
            (Some(Said::Error(error)), _) => Reason::Failed(EngineError::Broken(error)),
            (Some(Said::TooLong), _) => {
                Reason::Failed(EngineError::PromptTooLong { limit: self.longest_prompt })
            }
            (Some(Said::BadShape(why)), _) => Reason::Failed(EngineError::BadShape(why)),
            (_, Verdict::Unusable) => {
                Reason::Failed(EngineError::Broken("the model gave no usable numbers".to_owned()))
            }
            _ if stopped => Reason::Stop,
            _ if cancelled => Reason::Cancelled,
            (_, Verdict::Full) => Reason::Length,
            // It sends no last chunk if the answer ends inside a character.
            (Some(Said::Finish), _) | (None, Verdict::Ended) => Reason::Stop,
            // Whoever stopped it is gone, or knows.
            (None, Verdict::Stopped) => Reason::Cancelled,
            (None, _) => Reason::Failed(EngineError::Gone),
        }
    }
}

/// The engine's last word.
enum Said {
    Finish,
    TooLong,
    BadShape(String),
    Error(String),
}
