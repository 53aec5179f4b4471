//! Our engines behind the whole server, beside the same models without it.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use futures::future::join_all;

use crate::Error;
use crate::bare::{self, Bare};
use crate::person::{Heard, Person};
use crate::plain::{self, Plain};
use crate::rows::{Rows, as_f64, millis, rate};
use crate::server::{Server, copy};

/// Tokens of answers.
const ANSWER: usize = 64;
/// How often in a round what is soon over is measured.
const OFTEN: usize = 4;
/// Tokens of eight conversations.
const MIXED: [usize; 8] = [40, 90, 150, 220, 300, 420, 550, 700];

/// A rate of reading and one of making, in tokens a second.
#[derive(Clone, Copy)]
struct Speed {
    prompt: f64,
    decode: f64,
}

/// llama.cpp behind the server, and alone with the same weights.
struct Llama<'a> {
    server: &'a Server,
    bare: &'a Bare,
    rows: &'a mut Rows,
}

/// mistral.rs behind the server, and plain; and llama.cpp with the weights of our engine on it, and
/// with those of mistral.rs.
struct Mistral<'a> {
    server: &'a Server,
    plain: &'a Plain,
    bare: &'a Bare,
    bare_f16: &'a Bare,
    rows: &'a mut Rows,
}

/// So many rounds of llama.cpp; the bare one with so many threads, else one for each core.
pub(crate) async fn llama(
    rounds: usize,
    threads: Option<usize>,
    rows: &mut Rows,
) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let server = started(folder.path(), "fastest").await?;
    let bare = Bare::load(&copy("q8_0").await?, or_cores(threads)?)?;
    let mut measures = Llama { server: &server, bare: &bare, rows };
    for round in 0..rounds {
        for (tokens, times) in [(61, OFTEN), (512, 1), (1400, 1)] {
            for time in 0..times {
                measures.beside_bare(round * times + time, tokens).await?;
            }
        }
        measures.second_turn(round).await?;
        measures.shared_beginning(round).await?;
        measures.eight(round).await?;
    }
    Ok(())
}

/// The same of mistral.rs.
pub(crate) async fn mistral(
    rounds: usize,
    threads: Option<usize>,
    rows: &mut Rows,
) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let server = started(folder.path(), "mistralRs").await?;
    let threads = or_cores(threads)?;
    let bare = Bare::load(&copy("q8_0").await?, threads)?;
    let bare_f16 = Bare::load(&copy("f16").await?, threads)?;
    let plain = Plain::load(&copy("f16").await?, MIXED.len()).await?;
    let mut measures =
        Mistral { server: &server, plain: &plain, bare: &bare, bare_f16: &bare_f16, rows };
    for round in 0..rounds {
        // Its longest prompt is 1,024.
        for (tokens, times) in [(61, OFTEN), (512, 1), (1000, 1)] {
            for time in 0..times {
                measures.beside_others(round * times + time, tokens).await?;
            }
        }
        measures.eight(round).await?;
    }
    Ok(())
}

fn or_cores(threads: Option<usize>) -> Result<usize, Error> {
    let cores = || std::thread::available_parallelism().map(NonZeroUsize::get);
    Ok(threads.map_or_else(cores, Ok)?)
}

async fn started(folder: &Path, engine: &str) -> Result<Server, Error> {
    let server = Server::start(folder, engine, &["acme"]).await?;
    // The first answer of a process is slower than all others.
    server.person("acme", "nobody").go_on("Once upon a time", ANSWER).await?;
    Ok(server)
}

impl Llama<'_> {
    async fn beside_bare(&mut self, round: usize, tokens: usize) -> Result<(), Error> {
        let text = self.bare.text(&format!("{round} of {tokens}"), tokens);
        let person = self.server.person("acme", "speed");
        // Who is first changes.
        let (ours, bare) = if round.is_multiple_of(2) {
            let ours = over_http(&person, &text, tokens).await?;
            (ours, of_bare(self.bare, &text, tokens)?)
        } else {
            let bare = of_bare(self.bare, &text, tokens)?;
            (over_http(&person, &text, tokens).await?, bare)
        };
        let ours = ("llama.cpp behind the server", ours);
        compare(self.rows, ours, ("bare llama.cpp", bare), tokens);
        Ok(())
    }

    async fn second_turn(&mut self, round: usize) -> Result<(), Error> {
        let person = self.server.person("acme", &format!("turns {round}"));
        let other = self.server.person("acme", &format!("nobody {round}"));
        let long = self.bare.text(&format!("of turn {round}"), 1380);
        let mut messages = vec![("system", "Answer briefly."), ("user", long.as_str())];
        let said = person.chat(&messages, 16).await?.text;
        messages.extend([("assistant", said.as_str()), ("user", "And why is that?")]);
        let warm = person.chat(&messages, 2).await?;
        let cold = other.chat(&messages, 2).await?;
        self.first_token("second turn of 1400", &warm, &cold);
        Ok(())
    }

    async fn shared_beginning(&mut self, round: usize) -> Result<(), Error> {
        let blueprint = self.bare.text(&format!("of blueprint {round}"), 390);
        let messages = [("system", blueprint.as_str()), ("user", "Good morning!")];
        let person = |user: &str| {
            self.server.person("acme", &format!("{user} {round}")).with_own_messages(1)
        };
        let cold = person("first").chat(&messages, 2).await?;
        let warm = person("second").chat(&messages, 2).await?;
        self.first_token("first turn behind a shared 400", &warm, &cold);
        Ok(())
    }

    fn first_token(&mut self, name: &str, warm: &Heard, cold: &Heard) {
        let (warm, cold) = (millis(warm.first), millis(cold.first));
        self.rows.note(&format!("{name}, cold"), "ms", cold);
        self.rows.note(&format!("{name}, warm"), "ms", warm);
        self.rows.note(&format!("{name}, warm to cold"), "x", warm / cold);
    }

    async fn eight(&mut self, round: usize) -> Result<(), Error> {
        let people = |name: &str| -> Vec<Person> {
            let user = |at| format!("{name} {round} {at}");
            (0..MIXED.len()).map(|at| self.server.person("acme", &user(at))).collect()
        };
        let texts = mixed(self.bare, &format!("{round}"));
        // Read by nobody before, one after the other and together.
        let alone = one_by_one(&people("alone"), &texts).await?;
        let together = at_once(&people("together"), &texts).await?;
        self.eight_of("8 mixed, read anew", alone, together);

        let people = people("on");
        for (person, text) in people.iter().zip(&texts) {
            person.go_on(text, 1).await?;
        }
        let alone = one_by_one(&people, &texts).await?;
        let together = at_once(&people, &texts).await?;
        self.eight_of("8 mixed, going on", alone, together);
        Ok(())
    }

    fn eight_of(&mut self, name: &str, alone: f64, together: f64) {
        self.rows.note(&format!("{name}, one after the other"), "tokens/s", alone);
        self.rows.note(&format!("{name}, together"), "tokens/s", together);
        self.rows.note(&format!("{name}, together to one after the other"), "x", together / alone);
    }
}

impl Mistral<'_> {
    async fn beside_others(&mut self, round: usize, tokens: usize) -> Result<(), Error> {
        let text = self.bare.text(&format!("{round} of {tokens} for mistral"), tokens);
        let person = self.server.person("acme", "speed");
        let (mut ours, mut plain) = (None, None);
        for turn in 0..2 {
            if (round + turn).is_multiple_of(2) {
                ours = Some(over_http(&person, &text, tokens).await?);
            } else {
                plain = Some(of_plain(self.plain, &text, tokens).await?);
            }
        }
        let bare = of_bare(self.bare, &text, tokens)?;
        let bare_f16 = of_bare(self.bare_f16, &text, tokens)?;
        let (ours, plain) = (ours.ok_or("not measured")?, plain.ok_or("not measured")?);
        let ours = ("mistral.rs behind the server", ours);
        compare(self.rows, ours, ("plain mistral.rs", plain), tokens);
        compare(self.rows, ours, ("bare llama.cpp in Q8_0", bare), tokens);
        compare(self.rows, ours, ("bare llama.cpp in F16", bare_f16), tokens);
        Ok(())
    }

    async fn eight(&mut self, round: usize) -> Result<(), Error> {
        let texts = mixed(self.bare, &format!("{round} for mistral"));
        let user = |at| format!("eight {round} {at}");
        let people: Vec<_> =
            (0..MIXED.len()).map(|at| self.server.person("acme", &user(at))).collect();
        // Lanes open once somebody waits, and stay.
        at_once(&people, &texts.clone().map(|text| text[..40].to_owned())).await?;
        let ours = at_once(&people, &texts).await?;
        let begun = Instant::now();
        let made = self.plain.together(&texts, ANSWER).await?;
        let plain = rate(made, begun.elapsed());
        let name = "8 mixed, mistral.rs";
        self.rows.note(&format!("{name} plain"), "tokens/s", plain);
        self.rows.note(&format!("{name} behind the server"), "tokens/s", ours);
        self.rows.note(&format!("{name} behind the server to plain"), "x", ours / plain);
        Ok(())
    }
}

fn compare(
    rows: &mut Rows,
    (name, ours): (&str, Speed),
    (other, theirs): (&str, Speed),
    tokens: usize,
) {
    for (what, ours, theirs) in
        [("prompt", ours.prompt, theirs.prompt), ("decode", ours.decode, theirs.decode)]
    {
        rows.note(&format!("{what} at {tokens}, {other}"), "tokens/s", theirs);
        rows.note(&format!("{what} at {tokens}, {name} to {other}"), "x", ours / theirs);
    }
}

fn mixed(bare: &Bare, unique: &str) -> [String; 8] {
    MIXED.map(|tokens| bare.text(&format!("{unique} of {tokens}"), tokens))
}

async fn one_by_one(people: &[Person], texts: &[String]) -> Result<f64, Error> {
    let begun = Instant::now();
    let mut made = 0;
    for (person, text) in people.iter().zip(texts) {
        made += person.go_on(text, ANSWER).await?.completion_tokens;
    }
    Ok(rate(made, begun.elapsed()))
}

async fn at_once(people: &[Person], texts: &[String]) -> Result<f64, Error> {
    let begun = Instant::now();
    let mut made = 0;
    let all = people.iter().zip(texts).map(|(person, text)| person.go_on(text, ANSWER));
    for answer in join_all(all).await {
        made += answer?.completion_tokens;
    }
    Ok(rate(made, begun.elapsed()))
}

async fn over_http(person: &Person, text: &str, tokens: usize) -> Result<Speed, Error> {
    let heard = person.go_on(text, ANSWER).await?;
    if heard.prompt_tokens != tokens {
        return Err(format!("{} tokens were read, not {tokens}", heard.prompt_tokens).into());
    }
    // Where the model ends early there are fewer, in less time.
    let made = heard.completion_tokens.max(2) - 1;
    Ok(Speed { prompt: rate(tokens, heard.first), decode: rate(made, heard.rest) })
}

fn of_bare(bare: &Bare, text: &str, tokens: usize) -> Result<Speed, Error> {
    let bare::Took { first, rest } = bare.answer(text, ANSWER)?;
    Ok(Speed { prompt: rate(tokens, first), decode: rate(ANSWER - 1, rest) })
}

async fn of_plain(plain: &Plain, text: &str, tokens: usize) -> Result<Speed, Error> {
    let plain::Took { first, rest, tokens: made } = plain.answer(text, ANSWER).await?;
    Ok(Speed { prompt: rate(tokens, first), decode: as_f64(made.max(2) - 1) / rest.as_secs_f64() })
}
