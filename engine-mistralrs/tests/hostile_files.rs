//! Files that were made to harm, before the engine itself: none may be loaded, and none may break
//! anything.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests, which clippy takes for something else"
)]

use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::quantized::gguf_file::Content;
use engine_mistralrs::{LoadError, MistralEngine, Options};
use inference::models::gguf::{check, check_header};
use inference::models::hostile::{Chance, files, sound_gguf};
use inference::models::{Store, find};

async fn load(folder: &Path, bytes: &[u8]) -> Result<MistralEngine, LoadError> {
    let path = folder.join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    // A cache of its own, so that nothing is taken from an earlier file of this name.
    let cache = tempfile::tempdir_in(folder).unwrap();
    let loaded = MistralEngine::load(&path, "model", Options::new("Model", cache.path()));
    tokio::time::timeout(Duration::from_mins(1), loaded).await.unwrap()
}

#[tokio::test]
async fn no_hostile_file_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    load(folder.path(), &sound_gguf()).await.unwrap();
    let (all, began) = (files(), Instant::now());
    for file in &all {
        match load(folder.path(), &file.bytes).await {
            Err(LoadError::Unusable { .. }) => {}
            Err(LoadError::Broke { what, .. }) => panic!("{}: {what}", file.name),
            Ok(_) => panic!("{} was loaded", file.name),
        }
    }
    eprintln!("{} hostile files, 0 loaded, 0 crashes, {:?}", all.len(), began.elapsed());
}

#[tokio::test]
async fn what_the_check_lets_through_is_loaded_or_refused_in_words() {
    const SEED: u64 = 44;
    const ROUNDS: usize = 3000;
    let folder = tempfile::tempdir().unwrap();
    let (sound, mut chance) = (sound_gguf(), Chance::new(SEED));
    let header =
        usize::try_from(check_header(Cursor::new(&sound), sound.len() as u64).unwrap().data_offset)
            .unwrap();
    let (mut passed, mut loaded) = (0, 0);
    for _ in 0..ROUNDS {
        let mut bytes = sound[..header].to_vec();
        chance.harm(&mut bytes);
        bytes.extend(&sound[header..]);
        if check_header(Cursor::new(&bytes), bytes.len() as u64).is_ok() {
            passed += 1;
            loaded += usize::from(load(folder.path(), &bytes).await.is_ok());
        }
    }
    eprintln!("{ROUNDS} rounds, seed {SEED}: {passed} passed the check, {loaded} loaded");
    assert!(loaded > 0);
}

#[tokio::test]
async fn a_real_header_that_was_harmed_never_breaks_the_check_or_the_reader_behind_it() {
    harm_a_real_header(1_000, 45).await;
}

#[tokio::test]
#[ignore = "two minutes of the same with more rounds"]
async fn a_real_header_that_was_harmed_never_breaks_the_check_in_20_000_rounds() {
    harm_a_real_header(20_000, 46).await;
}

async fn harm_a_real_header(rounds: usize, seed: u64) {
    let entry = find("smollm2-135m").unwrap();
    let path = Store::of_this_person().unwrap().ensure(&entry, &|_| {}).await.unwrap();
    let sound = check(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let header = usize::try_from(sound.data_offset).unwrap();
    let data = entry.size_bytes - sound.data_offset;
    let (mut chance, mut passed, mut slowest) = (Chance::new(seed), 0, Duration::ZERO);
    for _ in 0..rounds {
        let mut bytes = whole[..header].to_vec();
        chance.harm(&mut bytes);
        let began = Instant::now();
        let taken = check_header(Cursor::new(&bytes), bytes.len() as u64 + data).is_ok();
        slowest = slowest.max(began.elapsed());
        // Of those that pass, some are read by candle too.
        if taken && passed < 50 {
            Content::read(&mut Cursor::new(&bytes)).unwrap();
        }
        passed += usize::from(taken);
    }
    eprintln!("{rounds} rounds, seed {seed}: {passed} passed, 0 panics, slowest {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
