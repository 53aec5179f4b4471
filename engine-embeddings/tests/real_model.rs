//! The whole way with real vectors: fetch, check, load, embed. Needs the network once.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests, which clippy takes for something else"
)]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use engine_embeddings::{LoadError, MiniLm, on_demand};
use inference::embedding::{EmbedError, Embedder, Embedding, Turns};
use inference::models::{Store, embedding_models, hostile};
use serde_json::Value;
use tokio::sync::OnceCell;

const MODEL: &str = "all-minilm-l6-v2";

/// One model for all tests of this file, on a runtime that outlives each of them.
fn with_model<F: Future>(test: impl FnOnce(Arc<MiniLm>) -> F) -> F::Output {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> =
        LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
    static ENGINE: OnceCell<Arc<MiniLm>> = OnceCell::const_new();
    RUNTIME.block_on(async {
        let engine = ENGINE.get_or_init(|| async { Arc::new(load().await) }).await;
        test(Arc::clone(engine)).await
    })
}

async fn load() -> MiniLm {
    let model = embedding_models().remove(0);
    let store = Store::of_this_person().unwrap();
    let told = |progress| eprintln!("{progress:?}");
    let (numbers, tokenizer) = store.ensure_embeddings(&model, &told).await.unwrap();
    let title = model.numbers.title.clone();
    tokio::task::spawn_blocking(move || MiniLm::load(&numbers, &tokenizer, MODEL, &title))
        .await
        .unwrap()
        .unwrap()
}

async fn embed(model: &MiniLm, texts: &[&str]) -> Vec<Embedding> {
    let texts = texts.iter().map(|&text| text.to_owned()).collect();
    model.embed(MODEL, texts, &mut Turns::default()).await.unwrap()
}

fn similarity(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// The largest difference of two numbers in the same place.
fn distance(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// What sentence-transformers 5 makes of the same files: the text, its tokens, its vector.
fn reference() -> Vec<(String, u64, Vec<f32>)> {
    let read: Vec<Value> = serde_json::from_str(include_str!("reference.json")).unwrap();
    let numbers = |value: &Value| serde_json::from_value(value.clone()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    read.iter()
        .map(|one| (text(&one["text"]), one["tokens"].as_u64().unwrap(), numbers(&one["vector"])))
        .collect()
}

#[test]
fn vectors_are_those_of_sentence_transformers() {
    with_model(async |model| {
        let reference = reference();
        let texts: Vec<_> = reference.iter().map(|(text, ..)| text.as_str()).collect();
        let made = embed(&model, &texts).await;
        let mut furthest = 0.0_f32;
        for ((text, tokens, expected), one) in reference.iter().zip(&made) {
            assert_eq!((one.vector.len(), one.tokens as u64), (384, *tokens), "{text}");
            assert!((similarity(&one.vector, &one.vector) - 1.0).abs() < 1e-5, "{text}");
            furthest = furthest.max(distance(&one.vector, expected));
        }
        eprintln!("furthest from sentence-transformers: {furthest}");
        assert!(furthest < 1e-4, "{furthest}");
    });
}

#[test]
fn a_text_has_the_same_vector_in_any_company() {
    with_model(async |model| {
        let long = "It rained and rained and rained. ".repeat(20);
        let texts = [
            "a cat",
            "a cat sat on the mat",
            "a",
            &long,
            "nine words are more than eight, or so",
            "",
        ];
        let together = embed(&model, &texts).await;
        for (text, one) in texts.iter().zip(&together) {
            let alone = embed(&model, &[text]).await.remove(0);
            assert_eq!(alone.tokens, one.tokens);
            assert!(distance(&alone.vector, &one.vector) < 1e-5, "{text}");
        }
    });
}

#[test]
fn it_comes_when_the_first_text_does() {
    with_model(async |model| {
        let store = Store::of_this_person().unwrap();
        let later = on_demand(embedding_models().remove(0), store);
        assert_eq!(later.models(), model.models());
        let made =
            later.embed(MODEL, vec!["a cat".to_owned()], &mut Turns::default()).await.unwrap();
        assert_eq!(made, embed(&model, &["a cat"]).await);
    });
}

#[test]
fn texts_that_mean_alike_are_near() {
    with_model(async |model| {
        let made = embed(
            &model,
            &[
                "How do I get my money back?",
                "Refunds are paid within five days.",
                "The recipe needs two eggs and some flour.",
            ],
        )
        .await;
        let near = similarity(&made[0].vector, &made[1].vector);
        let far = similarity(&made[0].vector, &made[2].vector);
        assert!(near > far + 0.2, "{near} {far}");
    });
}

#[test]
fn a_text_that_is_too_long_is_refused_by_its_place() {
    with_model(async |model| {
        let embed = async |texts: &[&str]| {
            let texts = texts.iter().map(|&text| text.to_owned()).collect();
            model.embed(MODEL, texts, &mut Turns::default()).await
        };
        // A word is a token here, and two stand around them.
        embed(&[&"cat ".repeat(254)]).await.unwrap();
        let refused = embed(&["fine", &"cat ".repeat(255)]).await.unwrap_err();
        assert_eq!(refused, EmbedError::TooLong { index: 1, tokens: 257, limit: 256 });
        let began = Instant::now();
        let refused = embed(&[&"cat ".repeat(5_000_000)]).await.unwrap_err();
        assert!(matches!(refused, EmbedError::TooLong { index: 0, .. }), "{refused}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let unknown = model.embed("other", Vec::new(), &mut Turns::default()).await.unwrap_err();
        assert_eq!(unknown, EmbedError::UnknownModel("other".to_owned()));
        assert_eq!(embed(&[]).await.unwrap(), []);
    });
}

#[test]
fn who_leaves_is_not_computed_for() {
    with_model(async |model| {
        let texts = vec!["cat ".repeat(250); 400];
        let mut turns = Turns::default();
        let left = model.embed(MODEL, texts, &mut turns);
        let left = tokio::time::timeout(Duration::from_millis(50), left).await;
        assert!(left.is_err());
        let began = Instant::now();
        embed(&model, &["a cat"]).await;
        // 400 such texts take half a minute.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}

#[test]
fn no_hostile_file_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let (mut files, began) = (hostile::files(), Instant::now());
    // A sound file that is another model's.
    let sound = hostile::sound_safetensors();
    files.push(hostile::Hostile { name: "another model's".to_owned(), bytes: sound });
    for file in &files {
        std::fs::write(&path, &file.bytes).unwrap();
        match MiniLm::load(&path, &path, MODEL, "Model") {
            Err(LoadError::Unsound { .. } | LoadError::Unusable { .. }) => {}
            Err(error) => panic!("{}: {error}", file.name),
            Ok(_) => panic!("{} was loaded", file.name),
        }
    }
    eprintln!("{} hostile files, 0 loaded, {:?}", files.len(), began.elapsed());
}

/// Run with `--ignored --nocapture` on a quiet computer.
#[test]
#[ignore = "measures instead of testing"]
fn speeds() {
    with_model(async |model| {
        for words in [6, 62, 250] {
            let texts: Vec<_> = (0..64).map(|n| format!("{n} {}", "cat ".repeat(words))).collect();
            embed(&model, &["warm up"]).await;
            for _ in 0..3 {
                let began = Instant::now();
                let made = model.embed(MODEL, texts.clone(), &mut Turns::default()).await.unwrap();
                let seconds = began.elapsed().as_secs_f64();
                let tokens: usize = made.iter().map(|one| one.tokens).sum();
                #[expect(clippy::cast_precision_loss, reason = "counts are small")]
                let (tokens, texts) = (tokens as f64, texts.len() as f64);
                eprintln!(
                    "{words} words: {:.0} texts/s, {:.0} tokens/s",
                    texts / seconds,
                    tokens / seconds
                );
            }
        }
    });
}
