//! The whole way with real tokens: fetch, check, re-encode, load, answer. Needs the network once.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests, which clippy takes for something else"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_mistralrs::{Encoding, LoadError, MistralEngine, Options, Precision};
use inference::engine::TOO_COMPLEX;
use inference::models::{Entry, Store, find};
use inference::{
    Engine, EngineError, Job, Message, Meter, Piece, Prompt, Reason, Role, Shape, Usage,
};
use serde_json::json;
use tokio::sync::OnceCell;

const MODEL: &str = "smollm2-135m";

/// One engine for all tests of this file, on a runtime that outlives each of them.
fn with_engine<F: Future>(test: impl FnOnce(Arc<MistralEngine>) -> F) -> F::Output {
    static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> =
        std::sync::LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
    static ENGINE: OnceCell<Arc<MistralEngine>> = OnceCell::const_new();
    RUNTIME.block_on(async {
        let engine = ENGINE.get_or_init(|| async { Arc::new(load().await) }).await;
        test(Arc::clone(engine)).await
    })
}

async fn load() -> MistralEngine {
    let (entry, path, options) = fetched().await;
    MistralEngine::load(&path, &entry.id, options).await.unwrap()
}

async fn fetched() -> (Entry, std::path::PathBuf, Options) {
    let entry = find(MODEL).unwrap();
    let store = Store::of_this_person().unwrap();
    let path = store.ensure(&entry, &|progress| eprintln!("{progress:?}")).await.unwrap();
    let options = Options::new(&entry.title, store.folder());
    (entry, path, options)
}

fn job(question: &str) -> Job {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    let prompt = Prompt::Chat(vec![
        message(Role::System, "You are a helpful assistant. Answer briefly."),
        message(Role::User, question),
    ]);
    Job { temperature: Some(0.0), ..Job::new(MODEL, prompt, 48) }
}

struct Answer {
    text: String,
    pieces: usize,
    reason: Reason,
    usage: Usage,
}

async fn answer(engine: &MistralEngine, job: Job) -> Answer {
    let meter = Meter::default();
    let mut stream = engine.generate(job, meter.clone()).await.unwrap();
    let mut answer =
        Answer { text: String::new(), pieces: 0, reason: Reason::Stop, usage: Usage::default() };
    while let Some(piece) = stream.next().await {
        match piece {
            Piece::Text(text) => {
                answer.text.push_str(&text);
                answer.pieces += 1;
            }
            Piece::Token(_) => {}
            Piece::End { reason, usage } => (answer.reason, answer.usage) = (reason, usage),
        }
    }
    assert_eq!(answer.usage, meter.usage());
    answer
}

#[test]
fn it_knows_the_capital_of_france_and_counts_its_tokens() {
    with_engine(async |engine| {
        let answer = answer(&engine, job("What is the capital of France?")).await;
        eprintln!("{:?} {:?}", answer.text, answer.usage);
        assert!(answer.text.contains("Paris"), "{}", answer.text);
        assert_eq!(answer.reason, Reason::Stop);
        // Plain English: a piece for each token, and the end token shows nothing.
        assert_eq!(answer.usage.completion_tokens, answer.pieces + 1);
        assert!((20..60).contains(&answer.usage.prompt_tokens), "{:?}", answer.usage);
    });
}

#[test]
fn an_answer_has_the_shape_that_was_asked_for() {
    with_engine(async |engine| {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["city", "people"],
            "properties": {
                "city": {"type": "string", "maxLength": 20},
                "people": {"type": "integer", "minimum": 0, "maximum": 99_999_999},
            },
        });
        let shape = Shape::Schema(Arc::new(schema));
        let answer = answer(&engine, Job { shape, ..job("Tell me about Paris.") }).await;
        eprintln!("{:?} {:?}", answer.text, answer.usage);
        let said: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        assert!(said["city"].is_string() && said["people"].is_u64(), "{said}");
        assert_eq!(answer.reason, Reason::Stop);
    });
}

#[test]
fn a_shape_that_nothing_has_is_refused_and_the_engine_lives_on() {
    with_engine(async |engine| {
        let nothing = Shape::Schema(Arc::new(json!({"type": "no such type"})));
        let refused = answer(&engine, Job { shape: nothing, ..job("Tell me about Paris.") }).await;
        let Reason::Failed(EngineError::BadShape(why)) = refused.reason else {
            panic!("{:?}", refused.reason);
        };
        eprintln!("{why}");
        assert_eq!(refused.usage, Usage::default());
        assert!(!answer(&engine, job("Hello?")).await.text.is_empty());
    });
}

#[test]
fn a_shaped_answer_can_be_cancelled() {
    with_engine(async |engine| {
        let long = Shape::Schema(Arc::new(json!({
            "type": "array", "minItems": 200, "items": {"type": "integer"},
        })));
        let meter = Meter::default();
        let job = Job { shape: long, max_tokens: 400, ..job("Count.") };
        let mut stream = engine.generate(job, meter.clone()).await.unwrap();
        stream.next().await.unwrap();
        let before = meter.usage().completion_tokens;
        stream.cancel();
        while stream.next().await.is_some() {}
        assert!(!answer(&engine, job_of_one_token()).await.text.is_empty());
        assert!(meter.usage().completion_tokens <= before + 2, "{meter:?}");
    });
}

fn job_of_one_token() -> Job {
    Job { max_tokens: 1, ..job("Hello?") }
}

#[test]
fn each_token_tells_its_chances_if_asked() {
    with_engine(async |engine| {
        let job = Job { logprobs: Some(3), ..job("What is the capital of France?") };
        let mut stream = engine.generate(job, Meter::default()).await.unwrap();
        let (mut tokens, mut text) = (Vec::new(), String::new());
        let usage = loop {
            match stream.next().await.unwrap() {
                Piece::Token(token) => tokens.push(token),
                Piece::Text(more) => text.push_str(&more),
                Piece::End { usage, .. } => break usage,
            }
        };
        assert_eq!(tokens.len() + 1, usage.completion_tokens, "all but the end");
        let said: String = tokens.iter().map(|token| token.chosen.text.as_str()).collect();
        assert_eq!(said.trim_start(), text.trim_start());
        for token in tokens {
            assert_eq!((token.others.len(), &token.chosen), (3, &token.others[0]), "the likeliest");
            assert!(
                token.chosen.logprob <= 0.0 && token.others[2].logprob <= token.others[0].logprob
            );
        }
    });
}

#[test]
fn a_text_is_continued() {
    with_engine(async |engine| {
        let prompt = Prompt::Text("One, two, three, four, five,".to_owned());
        let on = Job { temperature: Some(0.0), ..Job::new(MODEL, prompt, 8) };
        let answer = answer(&engine, on).await;
        assert!(answer.text.contains("six"), "{}", answer.text);
        assert!((10..20).contains(&answer.usage.prompt_tokens), "{:?}", answer.usage);
    });
}

#[test]
fn an_answer_has_at_most_the_tokens_it_may() {
    with_engine(async |engine| {
        let one = Job { max_tokens: 1, ..job("Tell me a long story.") };
        let answer = answer(&engine, one).await;
        assert_eq!((answer.reason, answer.usage.completion_tokens), (Reason::Length, 1));
    });
}

#[test]
fn an_answer_ends_before_a_stop_sequence() {
    with_engine(async |engine| {
        let stop = Job { stop: vec!["Paris".to_owned()], ..job("What is the capital of France?") };
        let answer = answer(&engine, stop).await;
        assert_eq!(answer.reason, Reason::Stop);
        assert!(!answer.text.is_empty() && !answer.text.contains("Par"), "{}", answer.text);
    });
}

#[test]
fn a_seed_gives_the_same_answer_again_and_another_seed_another() {
    with_engine(async |engine| {
        let seeded = |seed| Job {
            temperature: Some(1.2),
            top_p: Some(0.95),
            seed: Some(seed),
            ..job("Invent a name for a cat and say why.")
        };
        let first = answer(&engine, seeded(1)).await.text;
        assert_eq!(answer(&engine, seeded(1)).await.text, first);
        assert_ne!(answer(&engine, seeded(2)).await.text, first);
    });
}

#[test]
fn a_cancelled_answer_ends_within_two_tokens_and_tells_its_usage() {
    with_engine(async |engine| {
        let long = Job { max_tokens: 400, ..job("Tell me a very long story about the sea.") };
        let mut stream = engine.generate(long, Meter::default()).await.unwrap();
        let mut pieces = 0;
        while pieces < 5 {
            assert!(matches!(stream.next().await, Some(Piece::Text(_))));
            pieces += 1;
        }
        stream.cancel();
        let usage = loop {
            match stream.next().await.unwrap() {
                Piece::Text(_) => pieces += 1,
                Piece::Token(_) => {}
                Piece::End { reason, usage } => {
                    assert_eq!(reason, Reason::Cancelled);
                    break usage;
                }
            }
        };
        assert!(usage.completion_tokens <= 5 + 2, "{usage:?} after {pieces} pieces");
    });
}

#[test]
fn a_dropped_stream_frees_the_engine() {
    with_engine(async |engine| {
        let long = Job { max_tokens: 2000, ..job("Tell me a very long story about the sea.") };
        let mut stream = engine.generate(long, Meter::default()).await.unwrap();
        stream.next().await.unwrap();
        drop(stream);
        let begun = Instant::now();
        let one = Job { max_tokens: 1, ..job("Hello?") };
        answer(&engine, one).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    });
}

#[test]
fn several_at_once_each_say_what_they_would_have_said_alone() {
    with_engine(async |engine| {
        let jobs = [
            job("What is the capital of France?"),
            job("Name three colours. Say only the three words, please."),
            job(&format!("{} What did I just say?", "The sea is wide and blue. ".repeat(20))),
            job("Count from one to ten."),
            job("Who wrote Hamlet?"),
        ];
        let mut alone = Vec::new();
        for job in &jobs {
            alone.push(answer(&engine, job.clone()).await);
        }
        let together = jobs.map(|job| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move { answer(&engine, job).await })
        });
        for (alone, together) in alone.into_iter().zip(together) {
            let together = together.await.unwrap();
            assert_eq!((together.text, together.usage), (alone.text, alone.usage));
        }
        assert!(*engine.room().borrow() > 2, "one lane was enough, or there is no memory");
    });
}

#[test]
fn a_prompt_that_does_not_fit_is_refused_and_the_engine_lives_on() {
    with_engine(async |engine| {
        let too_long = || Reason::Failed(EngineError::PromptTooLong { limit: 1024 });
        // A digit is a token: few bytes, but much to read.
        for text in ["word ".repeat(9000), "7".repeat(1024)] {
            let begun = Instant::now();
            let long = answer(&engine, job(&text)).await;
            assert_eq!((long.reason, long.usage), (too_long(), Usage::default()));
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        }
        let other = Job { model: "other".to_owned(), ..job("hi") };
        let error = engine.generate(other, Meter::default()).await.unwrap_err();
        assert_eq!(error, EngineError::UnknownModel("other".to_owned()));
        assert!(!answer(&engine, job("Hello?")).await.text.is_empty());
    });
}

#[test]
fn a_file_that_is_no_model_is_told_not_a_crash() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (_, path, _) = fetched().await;
        let half = folder.path().join("half.gguf");
        let bytes = std::fs::read(path).unwrap();
        for content in [&b"not a model"[..], &bytes[..1000], &bytes[..20_000_000]] {
            std::fs::write(&half, content).unwrap();
            let options = Options::new("Half", folder.path());
            let Err(error) = MistralEngine::load(&half, "half", options).await else {
                panic!("half a model was loaded");
            };
            assert!(matches!(error, LoadError::Unusable { .. } | LoadError::Broke { .. }));
            eprintln!("{error}");
        }
    });
}

/// Run with `--ignored --nocapture` on a quiet computer. What it said chose the defaults.
#[test]
#[ignore = "measures instead of testing"]
fn speeds() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!(
        "encoding precision | load s | first token ms, short and long prompt | tokens/s after each"
    );
    for encoding in [Encoding::Unpacked, Encoding::Quick, Encoding::Original] {
        for precision in [Precision::F32, Precision::F16] {
            runtime.block_on(async {
                let (entry, path, options) = fetched().await;
                let options = Options { encoding: Some(encoding), precision, ..options };
                MistralEngine::load(&path, &entry.id, options.clone()).await.unwrap();
                let begun = Instant::now();
                let engine = MistralEngine::load(&path, &entry.id, options).await.unwrap();
                let load = begun.elapsed().as_secs_f64();
                let story = Job { max_tokens: 64, ..job("Tell me a long story about the sea.") };
                let long = format!("{} Summarise this.", "The sea is wide and blue. ".repeat(75));
                let long = Job { max_tokens: 64, ..job(&long) };
                let short = best(&engine, story).await;
                let long = best(&engine, long).await;
                println!(
                    "{encoding:?} {precision:?} | {load:.2} | {:.0} ({}) {:.0} ({}) | {:.1} {:.1}",
                    short.0, short.2, long.0, long.2, short.1, long.1
                );
            });
        }
    }
}

/// Milliseconds to the first token and tokens a second after it, the best of three; prompt tokens.
async fn best(engine: &MistralEngine, job: Job) -> (f64, f64, usize) {
    let (mut first_ms, mut rate, mut prompt) = (f64::MAX, 0f64, 0);
    for _ in 0..3 {
        let begun = Instant::now();
        let mut stream = engine.generate(job.clone(), Meter::default()).await.unwrap();
        let mut first = None;
        while let Some(piece) = stream.next().await {
            match piece {
                Piece::Text(_) => _ = first.get_or_insert_with(Instant::now),
                Piece::Token(_) => {}
                Piece::End { usage, .. } => {
                    let first = first.unwrap();
                    let after = f64::from(u32::try_from(usage.completion_tokens - 1).unwrap());
                    first_ms = first_ms.min((first - begun).as_secs_f64() * 1000.0);
                    rate = rate.max(after / first.elapsed().as_secs_f64());
                    prompt = usage.prompt_tokens;
                }
            }
        }
    }
    (first_ms, rate, prompt)
}

/// Run with `--ignored --nocapture` on a quiet computer: four people, each sending the next
/// message when an answer has ended.
#[test]
#[ignore = "measures instead of testing"]
fn crowd() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let engine = Arc::new(load().await);
        let people = (0..4).map(|person| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                let mut firsts = Vec::new();
                for round in 0..10 {
                    let words = "They want neither a long letter nor a list. ".repeat(9);
                    let text = format!("Letter {person}{round}. {words}Answer with one word.");
                    let begun = Instant::now();
                    let mut stream = engine.generate(job(&text), Meter::default()).await.unwrap();
                    let mut first = None;
                    while let Some(piece) = stream.next().await {
                        match piece {
                            Piece::Text(_) => _ = first.get_or_insert_with(|| begun.elapsed()),
                            Piece::Token(_) => {}
                            Piece::End { usage, .. } => eprintln!(
                                "{person} {round}: first {first:?}, whole {:?}, {usage:?}",
                                begun.elapsed()
                            ),
                        }
                    }
                    firsts.push(first.unwrap());
                }
                firsts
            })
        });
        let people: Vec<_> = people.collect();
        let mut firsts = Vec::new();
        for person in people {
            firsts.extend(person.await.unwrap());
        }
        firsts.sort_unstable();
        println!("first token p50 {:?}, p95 {:?}, max {:?}", firsts[19], firsts[37], firsts[39]);
    });
}

/// Rules that a grammar can begin to follow and must give up: first a text, then one that ends in
/// far too many ways.
fn endless_rules() -> Shape {
    let part = r"(.*[a-m].{40}|.*[n-z].{41}|.*[aeiou ].{39})(.*[tnrs].{30}|.*[ -Z].{31})";
    Shape::Schema(Arc::new(json!({
        "type": "object", "additionalProperties": false, "required": ["text", "z"],
        "properties": {
            "text": {"type": "string", "minLength": 30, "maxLength": 60},
            "z": {"type": "string", "pattern": format!("^({part}){{3,60}}$")},
        },
    })))
}

#[test]
fn rules_that_become_too_complex_are_the_askers_and_what_was_made_counts() {
    with_engine(async |engine| {
        let asked = Job { shape: endless_rules(), max_tokens: 120, ..job("Describe the sea.") };
        let answer = answer(&engine, asked).await;
        let failed = Reason::Failed(EngineError::BadShape(TOO_COMPLEX.to_owned()));
        assert_eq!(answer.reason, failed, "{}", answer.text);
        assert!(answer.usage.completion_tokens > 5, "{:?}", answer.usage);
    });
}

#[test]
fn a_prompt_that_is_being_read_counts_also_when_a_shaped_answer_is_left() {
    with_engine(async |_| {
        // Of its own: nobody else is in the lane.
        let engine = load().await;
        let asked = Job { shape: Shape::Json, ..job(&"The sea is wide and blue. ".repeat(120)) };
        let mut left = engine.generate(asked, Meter::default()).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(500), left.next()).await;
        assert!(early.is_err(), "it was to be left while it is read");
        left.cancel();
        let (reason, usage) = loop {
            match left.next().await.unwrap() {
                Piece::End { reason, usage } => break (reason, usage),
                // It may be one token further.
                Piece::Text(_) | Piece::Token(_) => {}
            }
        };
        assert_eq!(reason, Reason::Cancelled);
        assert!(usage.prompt_tokens > 700 && usage.completion_tokens <= 2, "{usage:?}");
    });
}

#[test]
fn short_shaped_answers_of_many_at_once_all_end_well() {
    with_engine(async |engine| {
        let one_or_two = Shape::Schema(Arc::new(json!({"enum": [1, 2]})));
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..24 {
            let (engine, shape) = (Arc::clone(&engine), one_or_two.clone());
            asked.spawn(async move { answer(&engine, Job { shape, ..job("One or two?") }).await });
        }
        while let Some(answer) = asked.join_next().await {
            assert_eq!(answer.unwrap().reason, Reason::Stop);
        }
    });
}
