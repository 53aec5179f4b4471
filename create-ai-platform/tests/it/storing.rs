//! Model files: fetched ahead, checked again, removed.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use inference::models::{find, hostile};

use crate::door::Ground;

const MODEL: &str = "smollm2-135m";

/// A cache that holds the model's file, or what pretends to be it.
fn stocked(ground: &Ground, bytes: &[u8]) -> (String, PathBuf) {
    let cache = ground.at("cache");
    let file = cache.join("models").join(format!("{}.gguf", find(MODEL).unwrap().sha256.unwrap()));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, bytes).unwrap();
    (cache.display().to_string(), file)
}

#[tokio::test]
async fn a_file_that_is_not_what_it_was_is_moved_away() {
    let ground = Ground::new();
    let (cache, file) = stocked(&ground, &hostile::sound_gguf());
    let told = ground.run(&["models", "verify", "--cache", &cache, "--json"]).await.expect(7);
    assert!(told.stderr.contains("models pull NAME"), "{told:?}");
    let row = &told.lines()[0];
    assert_eq!((&row["name"], &row["state"]), (&MODEL.into(), &"quarantined".into()));
    let moved = PathBuf::from(row["movedTo"].as_str().unwrap());
    assert!(moved.exists() && !file.exists(), "{told:?}");
    ground.run(&["models", "verify", "--cache", &cache]).await.expect(0);
}

#[tokio::test]
async fn what_nobody_uses_is_removed_and_what_answers_stays() {
    let ground = Ground::new();
    let (cache, file) = stocked(&ground, &hostile::sound_gguf());
    let digest = "0123456789abcdef".repeat(4);
    let other = file.with_file_name(format!("{digest}.gguf"));
    std::fs::write(&other, b"GGUF").unwrap();
    let long_ago = SystemTime::now() - Duration::from_hours(24 * 40);
    for path in [&file, &other] {
        std::fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let told = ground.run(&["models", "gc", "--cache", &cache, "--days", "50"]).await.expect(0);
    assert!(told.stderr.contains("Nothing to remove"), "{told:?}");
    let told = ground.run(&["models", "gc", "--cache", &cache]).await.expect(0);
    assert!(told.stdout.contains(&digest) && told.stderr.contains("1 file removed"), "{told:?}");
    assert!(file.exists() && !other.exists());
}

#[tokio::test]
async fn a_file_of_ones_own_is_checked_and_stays_where_it_is() {
    let ground = Ground::new();
    let cache = ground.at("cache").display().to_string();
    let (sound, broken) = (ground.at("sound.gguf"), ground.at("broken.gguf"));
    std::fs::write(&sound, hostile::sound_gguf()).unwrap();
    std::fs::write(&broken, b"\x80\x04cos\nsystem\n").unwrap();
    let pull = async |path: &PathBuf| {
        ground.run(&["models", "pull", path.to_str().unwrap(), "--cache", &cache]).await
    };
    let told = pull(&sound).await.expect(0);
    assert_eq!(told.stdout.trim(), sound.to_str().unwrap());
    let told = pull(&broken).await.expect(7);
    assert!(told.stderr.contains("Python pickle, which may hold code"), "{told:?}");
    pull(&ground.at("none.gguf")).await.expect(7);
}
