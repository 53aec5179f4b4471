//! What is measured.

use std::time::{Duration, Instant};

use engine_llamacpp::LlamaEngine;
use inference::{Engine, Job, Message, Meter, Owner, Piece, Prompt, Reason, Role, Usage};

use crate::MODEL;
use crate::bare::{Bare, Took};
use crate::rows::Rows;

type Error = Box<dyn std::error::Error>;

/// Tokens of answers.
const ANSWER: usize = 64;

pub(crate) struct Measures<'a> {
    pub(crate) engine: &'a LlamaEngine,
    pub(crate) bare: &'a Bare,
    pub(crate) rows: &'a mut Rows,
}

impl Measures<'_> {
    /// Everything once. What is read differs from round to round.
    pub(crate) async fn round(&mut self, round: usize) -> Result<(), Error> {
        for tokens in [61, 512, 1400] {
            self.beside_bare(round, tokens).await?;
        }
        self.second_turn(round).await?;
        self.shared_beginning(round).await?;
        self.eight(round).await
    }

    async fn beside_bare(&mut self, round: usize, tokens: usize) -> Result<(), Error> {
        let text = self.text(&format!("{round}"), tokens);
        // Who is first changes.
        let (ours, bare) = if round.is_multiple_of(2) {
            let ours = self.ours(&text).await?;
            (ours, self.bare.answer(&text, ANSWER)?)
        } else {
            let bare = self.bare.answer(&text, ANSWER)?;
            (self.ours(&text).await?, bare)
        };
        for (what, count, of) in [
            ("prompt", tokens, (|took| took.first) as fn(&Took) -> Duration),
            ("decode", ANSWER - 1, |took| took.rest),
        ] {
            let (ours, bare) = (rate(count, of(&ours)), rate(count, of(&bare)));
            let at = format!("{what} at {tokens}");
            self.rows.note(&format!("{at}, bare"), "tokens/s", bare);
            self.rows.note(&format!("{at}, engine"), "tokens/s", ours);
            self.rows.note(&format!("{at}, engine to bare"), "x", ours / bare);
        }
        Ok(())
    }

    /// A prompt of exactly so many tokens that no other begins like.
    fn text(&self, unique: &str, tokens: usize) -> String {
        let mut text = format!("Story {unique}:");
        let count = |text: &str| self.engine.prompt_at_most(&text_job(text));
        while count(&text) < tokens {
            text.push_str([" the", " sea", " is", " wide", " and", " blue"][text.len() % 6]);
        }
        text
    }

    async fn ours(&self, text: &str) -> Result<Took, Error> {
        let (took, _, usage) = self.answer(text_job(text)).await?;
        // Where the model ends early the time for as many as asked for follows.
        let made = u32::try_from(usage.completion_tokens.max(2) - 1)?;
        Ok(Took { rest: took.rest / made * u32::try_from(ANSWER - 1)?, ..took })
    }

    async fn answer(&self, job: Job) -> Result<(Took, String, Usage), Error> {
        let begun = Instant::now();
        let mut stream = self.engine.generate(job, Meter::default()).await?;
        let (mut said, mut first) = (String::new(), None);
        loop {
            match stream.next().await {
                Some(Piece::Text(text)) => {
                    first.get_or_insert_with(|| begun.elapsed());
                    said.push_str(&text);
                }
                Some(Piece::Token(_)) => {}
                Some(Piece::End { reason: Reason::Failed(error), .. }) => return Err(error.into()),
                Some(Piece::End { usage, .. }) => {
                    let first = first.unwrap_or_else(|| begun.elapsed());
                    return Ok((
                        Took { first, rest: begun.elapsed().saturating_sub(first) },
                        said,
                        usage,
                    ));
                }
                None => return Err("no end".into()),
            }
        }
    }

    async fn second_turn(&mut self, round: usize) -> Result<(), Error> {
        let person = Owner { tenant: "turns".into(), user: round.to_string(), shared_messages: 0 };
        let mut messages = vec![
            message(Role::System, "Answer briefly."),
            message(Role::User, &self.text(&format!("of turn {round}"), 1380)),
        ];
        let (_, said, _) = self.answer(chat_job(&messages, 16, &person)).await?;
        messages.push(message(Role::Assistant, &said));
        messages.push(message(Role::User, "And why is that?"));
        let (warm, ..) = self.answer(chat_job(&messages, 2, &person)).await?;
        let (cold, ..) = self.answer(chat_job(&messages, 2, &Owner::default())).await?;
        self.first_token("second turn of 1400", &warm, &cold);
        Ok(())
    }

    async fn shared_beginning(&mut self, round: usize) -> Result<(), Error> {
        let tenant = format!("shared {round}");
        let blueprint = self.text(&format!("of blueprint {round}"), 390);
        let ask = |user: &str| {
            let messages =
                [message(Role::System, &blueprint), message(Role::User, "Good morning!")];
            let owner = Owner { tenant: tenant.clone(), user: user.into(), shared_messages: 1 };
            chat_job(&messages, 2, &owner)
        };
        let (cold, ..) = self.answer(ask("first")).await?;
        let (warm, ..) = self.answer(ask("second")).await?;
        self.first_token("first turn behind a shared 400", &warm, &cold);
        Ok(())
    }

    fn first_token(&mut self, name: &str, warm: &Took, cold: &Took) {
        let ms = |took: &Took| took.first.as_secs_f64() * 1000.0;
        self.rows.note(&format!("{name}, cold"), "ms", ms(cold));
        self.rows.note(&format!("{name}, warm"), "ms", ms(warm));
        self.rows.note(&format!("{name}, warm to cold"), "x", ms(warm) / ms(cold));
    }

    async fn eight(&mut self, round: usize) -> Result<(), Error> {
        let lengths = [40, 90, 150, 220, 300, 420, 550, 700];
        let texts = lengths.map(|tokens| self.text(&format!("of {round} and {tokens}"), tokens));
        let nobodys = texts.each_ref().map(|text| text_job(text));
        self.eight_of("8 mixed, read anew", nobodys).await?;

        let person = Owner { tenant: "eight".into(), user: round.to_string(), shared_messages: 0 };
        let jobs = texts.each_ref().map(|text| Job { owner: person.clone(), ..text_job(text) });
        for job in &jobs {
            self.answer(Job { max_tokens: 1, ..job.clone() }).await?;
        }
        self.eight_of("8 mixed, going on", jobs).await
    }

    async fn eight_of(&mut self, name: &str, jobs: [Job; 8]) -> Result<(), Error> {
        let begun = Instant::now();
        let mut alone = 0;
        for job in &jobs {
            alone += self.answer(job.clone()).await?.2.completion_tokens;
        }
        let alone = rate(alone, begun.elapsed());

        let begun = Instant::now();
        let all = futures::future::join_all(jobs.map(|job| self.answer(job)));
        let mut together = 0;
        for answer in all.await {
            together += answer?.2.completion_tokens;
        }
        let together = rate(together, begun.elapsed());
        self.rows.note(&format!("{name}, one after the other"), "tokens/s", alone);
        self.rows.note(&format!("{name}, together"), "tokens/s", together);
        self.rows.note(&format!("{name}, together to one after the other"), "x", together / alone);
        Ok(())
    }
}

fn message(role: Role, content: &str) -> Message {
    Message { role, content: content.to_owned() }
}

fn text_job(text: &str) -> Job {
    Job { temperature: Some(0.0), ..Job::new(MODEL, Prompt::Text(text.to_owned()), ANSWER) }
}

fn chat_job(messages: &[Message], max_tokens: usize, owner: &Owner) -> Job {
    let prompt = Prompt::Chat(messages.to_vec());
    Job { temperature: Some(0.0), owner: owner.clone(), ..Job::new(MODEL, prompt, max_tokens) }
}

fn rate(tokens: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)) / took.as_secs_f64()
}
