//! A pretend engine: answers by a script, at a given pace, the same every time.
//!
//! It computes nothing. Tests use it to see what the server does with an engine, under
//! `tokio::time::pause` without real waiting. A token is a word with the space after it, and as
//! likely as it is short. Asked for JSON it makes the smallest that will do, unless it has a text
//! to say.

mod shaped;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::engine::{
    Chance, Engine, EngineError, Job, Meter, ModelCard, PieceSender, Prompt, Reason, Role, Shape,
    TokenChances, TokenStream, token_stream,
};
use crate::stop::{Shown, StopFilter};

/// The model name a [`Simulator`] answers to.
pub const SIMULATED_MODEL: &str = "simulated";

/// A pretend engine. Cloning shares the record of what it was asked.
#[derive(Debug, Clone)]
pub struct Simulator {
    model: String,
    answer: Answer,
    prefill: Duration,
    pace: Duration,
    jitter: Option<u64>,
    at_once: usize,
    context: usize,
    record: Arc<Mutex<Record>>,
}

#[derive(Debug, Clone)]
enum Answer {
    Echo,
    Script(String),
    Breaks { after: usize },
}

/// What a simulator was asked and did.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Each started job's last user message, in the order of starting.
    pub started: Vec<String>,
    /// Jobs at work now.
    pub running: usize,
    /// The most jobs that were ever at work at once.
    pub most_at_once: usize,
    /// Jobs whose reader left before the end.
    pub cancelled: usize,
    /// Tokens made in all jobs together.
    pub tokens: usize,
}

impl Simulator {
    /// Repeats the last user message.
    pub fn echo() -> Self {
        Self::answering(Answer::Echo)
    }

    /// Says `text`, whatever it is asked.
    pub fn saying(text: impl Into<String>) -> Self {
        Self::answering(Answer::Script(text.into()))
    }

    /// Echoes `after` tokens and breaks.
    pub fn breaking_after(after: usize) -> Self {
        Self::answering(Answer::Breaks { after })
    }

    fn answering(answer: Answer) -> Self {
        Self {
            model: SIMULATED_MODEL.to_owned(),
            answer,
            prefill: Duration::ZERO,
            pace: Duration::ZERO,
            jitter: None,
            at_once: 1,
            context: 8192,
            record: Arc::default(),
        }
    }

    /// Answers to another name than [`SIMULATED_MODEL`].
    #[must_use]
    pub fn named(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// Waits this long before the first token.
    #[must_use]
    pub fn with_prefill(mut self, prefill: Duration) -> Self {
        self.prefill = prefill;
        self
    }

    /// Waits this long before each token.
    #[must_use]
    pub fn with_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Varies each wait between half and one and a half of the pace; the same seed varies it the
    /// same way again.
    #[must_use]
    pub fn with_jitter(mut self, seed: u64) -> Self {
        self.jitter = Some(seed);
        self
    }

    /// Works on so many jobs at once, instead of one.
    #[must_use]
    pub fn with_at_once(mut self, at_once: usize) -> Self {
        self.at_once = at_once;
        self
    }

    /// Refuses prompts of more than so many words, instead of 8192.
    #[must_use]
    pub fn with_context(mut self, words: usize) -> Self {
        self.context = words;
        self
    }

    /// What it was asked and did until now.
    pub fn record(&self) -> Record {
        self.with_record(|record| record.clone())
    }

    fn with_record<T>(&self, f: impl FnOnce(&mut Record) -> T) -> T {
        f(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn wait(&self, token: usize) -> Duration {
        let Some(seed) = self.jitter else { return self.pace };
        let share = mixed(seed.wrapping_add(token as u64)) % 1001;
        let share = u32::try_from(share).unwrap_or_default();
        self.pace / 2 + self.pace * share / 1000
    }

    async fn work(&self, job: &Job, out: &PieceSender, meter: &Meter) -> Reason {
        let asked = question(job);
        let (text, breaks) = match &self.answer {
            Answer::Echo => (shaped::text(&job.shape).unwrap_or(asked), None),
            Answer::Script(text) => (text.clone(), None),
            Answer::Breaks { after } => (asked, Some(*after)),
        };
        let mut stops = StopFilter::new(job.stop.clone());
        tokio::time::sleep(self.prefill).await;
        for token in text.split_inclusive(' ') {
            let made = meter.usage().completion_tokens;
            if breaks == Some(made) {
                return Reason::Failed(EngineError::Broken("as it was told to".to_owned()));
            }
            if made == job.max_tokens {
                return Reason::Length;
            }
            tokio::select! {
                biased;
                () = out.cancelled() => return Reason::Cancelled,
                () = tokio::time::sleep(self.wait(made)) => {}
            }
            meter.made(1);
            if let Some(others) = job.logprobs {
                out.token(chances(token, others));
            }
            match stops.push(token) {
                Shown::More(text) => out.text(text),
                Shown::Last(text) => {
                    out.text(text);
                    return Reason::Stop;
                }
            }
        }
        out.text(stops.rest());
        Reason::Stop
    }
}

#[async_trait]
impl Engine for Simulator {
    fn models(&self) -> Vec<ModelCard> {
        vec![ModelCard {
            id: self.model.clone(),
            title: "Simulator".to_owned(),
            context_tokens: self.context,
        }]
    }

    fn room(&self) -> watch::Receiver<usize> {
        watch::Sender::new(self.at_once).subscribe()
    }

    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        let words = words(&job.prompt);
        if words > self.context {
            return Err(EngineError::PromptTooLong { limit: self.context });
        }
        if let Shape::Schema(schema) = &job.shape
            && shaped::smallest(schema).is_none()
        {
            return Err(EngineError::BadShape("nothing has that shape".to_owned()));
        }
        let (out, stream) = token_stream();
        self.with_record(|record| {
            record.started.push(question(&job));
            record.running += 1;
            record.most_at_once = record.most_at_once.max(record.running);
        });
        let simulator = self.clone();
        tokio::spawn(async move {
            meter.read(words);
            let reason = simulator.work(&job, &out, &meter).await;
            let usage = meter.usage();
            simulator.with_record(|record| {
                record.running -= 1;
                record.tokens += usage.completion_tokens;
                record.cancelled += usize::from(reason == Reason::Cancelled);
            });
            out.end(reason, usage);
        });
        Ok(stream)
    }
}

fn question(job: &Job) -> String {
    match &job.prompt {
        Prompt::Chat(messages) => {
            let last = messages.iter().rev().find(|message| message.role == Role::User);
            last.map(|message| message.content.clone()).unwrap_or_default()
        }
        Prompt::Text(text) => text.clone(),
    }
}

fn words(prompt: &Prompt) -> usize {
    let of = |text: &str| text.split_whitespace().count();
    match prompt {
        Prompt::Chat(messages) => messages.iter().map(|message| of(&message.content)).sum(),
        Prompt::Text(text) => of(text),
    }
}

/// Beside the token, others that begin with it.
fn chances(token: &str, others: usize) -> TokenChances {
    let chance = |text: String| {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        Chance { bytes: text.clone().into_bytes(), text, logprob: -f32::from(length) / 8.0 }
    };
    let other = |number: usize| chance(format!("{token}{}", "+".repeat(number)));
    TokenChances { chosen: chance(token.to_owned()), others: (0..others).map(other).collect() }
}

/// `SplitMix64`: enough to vary a wait.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Piece, Usage};

    fn job(text: &str) -> Job {
        Job::new(SIMULATED_MODEL, Prompt::question(text), 100)
    }

    async fn answer(engine: &Simulator, job: Job) -> (String, Reason, Usage) {
        let mut stream = engine.generate(job, Meter::default()).await.unwrap();
        let mut text = String::new();
        loop {
            match stream.next().await.unwrap() {
                Piece::Text(more) => text.push_str(&more),
                Piece::Token(_) => {}
                Piece::End { reason, usage } => return (text, reason, usage),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_echoes_counts_and_ends() {
        let engine = Simulator::echo().with_pace(Duration::from_secs(1)).with_jitter(7);
        let (text, reason, usage) = answer(&engine, job("one two three")).await;
        assert_eq!((text.as_str(), reason), ("one two three", Reason::Stop));
        assert_eq!(usage, Usage { prompt_tokens: 3, cached_tokens: 0, completion_tokens: 3 });
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_at_max_tokens_at_a_stop_and_by_breaking() {
        let two = Job { max_tokens: 2, ..job("one two three") };
        let (text, reason, _) = answer(&Simulator::echo(), two).await;
        assert_eq!((text.as_str(), reason), ("one two ", Reason::Length));

        let stop = Job { stop: vec!["two".to_owned()], ..job("one two three") };
        let (text, reason, _) = answer(&Simulator::echo(), stop).await;
        assert_eq!((text.as_str(), reason), ("one ", Reason::Stop));

        let (text, reason, _) = answer(&Simulator::breaking_after(1), job("one two")).await;
        assert_eq!(text, "one ");
        assert!(matches!(reason, Reason::Failed(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_when_nobody_reads() {
        let engine = Simulator::echo().with_pace(Duration::from_secs(1));
        let mut stream = engine.generate(job(&"word ".repeat(50)), Meter::default()).await.unwrap();
        stream.next().await.unwrap();
        drop(stream);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let record = engine.record();
        assert_eq!((record.running, record.cancelled), (0, 1));
        assert!(record.tokens <= 2, "{record:?}");
    }
}
