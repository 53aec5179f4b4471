use tempfile::TempDir;

use super::*;
use crate::models::Source;
use crate::models::hostile::sound_gguf;

const DAY: Duration = Duration::from_hours(24);

/// A store with one file, fetched just now.
async fn stocked() -> (TempDir, Store, Stored) {
    let dir = TempDir::new().unwrap();
    let original = dir.path().join("original.gguf");
    std::fs::write(&original, sound_gguf()).unwrap();
    let entry = Entry {
        sha256: Some(sha256(&original).unwrap()),
        sources: vec![Source::File(original.clone())],
        ..Entry::from_path(&original).unwrap()
    };
    let store = Store::new(dir.path().join("store"));
    store.ensure(&entry, &|_| {}).await.unwrap();
    let file = store.stored().unwrap().remove(0);
    (dir, store, file)
}

fn names(store: &Store) -> Vec<String> {
    let mut names: Vec<_> = files(store.folder())
        .unwrap()
        .iter()
        .map(|file| file.file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn spoil(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn what_is_stored_is_listed_with_its_last_use() {
    let (_dir, store, file) = stocked().await;
    assert_eq!(store.stored().unwrap(), std::slice::from_ref(&file));
    assert_eq!((file.format, file.bytes), (Format::Gguf, sound_gguf().len() as u64));
    let ago = file.used.elapsed().unwrap_or_default();
    assert!(ago < Duration::from_mins(1), "{ago:?}");
    assert_eq!(Store::new(store.folder().join("none")).stored().unwrap(), []);
}

#[tokio::test]
async fn a_file_that_is_not_what_it_was_is_moved_away() {
    let (_dir, store, file) = stocked().await;
    assert_eq!(store.verify(&file).unwrap(), Verdict::Sound);
    // The stamp still says that all is well.
    spoil(&file.path);
    let Verdict::Quarantined { to, why } = store.verify(&file).unwrap() else { panic!("sound") };
    assert!(to.starts_with(store.folder().join("quarantine")) && to.exists(), "{to:?}");
    assert!(why.starts_with("its SHA-256 is "), "{why}");
    assert_eq!(store.stored().unwrap(), []);
}

#[tokio::test]
async fn a_copy_that_is_not_sound_is_removed() {
    let (_dir, store, file) = stocked().await;
    let copy = |of: &str| store.folder().join(format!("{}.{of}.gguf", file.sha256));
    std::fs::write(copy("q8_0"), sound_gguf()).unwrap();
    std::fs::write(copy("f16"), &sound_gguf()[..5000]).unwrap();
    assert_eq!(store.verify(&file).unwrap(), Verdict::Sound);
    assert!(copy("q8_0").exists() && !copy("f16").exists());
}

#[tokio::test]
async fn what_somebody_is_at_work_on_is_left_alone() {
    let (_dir, store, file) = stocked().await;
    let lock = File::create(beside(&file.path, "lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(store.verify(&file).unwrap(), Verdict::Busy);
    let later = file.used + 400 * DAY;
    assert_eq!(store.collect(&BTreeSet::new(), 30 * DAY, later).unwrap(), []);
}

#[tokio::test]
async fn what_is_used_or_was_used_lately_stays() {
    let (_dir, store, file) = stocked().await;
    let before = names(&store);
    let lately = file.used + 29 * DAY;
    assert_eq!(store.collect(&BTreeSet::new(), 30 * DAY, lately).unwrap(), []);
    let keep = BTreeSet::from([file.sha256.clone()]);
    assert_eq!(store.collect(&keep, 30 * DAY, file.used + 400 * DAY).unwrap(), []);
    assert_eq!(names(&store), before);
}

#[tokio::test]
async fn what_nobody_used_goes_with_all_that_belongs_to_it() {
    let (_dir, store, file) = stocked().await;
    let folder = store.folder();
    let start = &file.sha256[..12];
    for (name, bytes) in [
        (format!("{}.f16.gguf", file.sha256), sound_gguf()),
        (format!("{}.gguf.part", file.sha256), vec![0; 10]),
        (format!("original-{start}-1a2b3c4d.q8_0.gguf"), vec![0; 10]),
        (".tmpXyz".to_owned(), vec![0; 10]),
        ("quarantine/broken.gguf".to_owned(), vec![0; 10]),
        ("notes.txt".to_owned(), vec![0; 10]),
        ("mine.gguf".to_owned(), vec![0; 10]),
    ] {
        std::fs::create_dir_all(folder.join("quarantine")).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    // Half-made files of today may be still coming; the older version's copy is of a file that
    // has a new name.
    let removed = store.collect(&BTreeSet::new(), 30 * DAY, file.used).unwrap();
    assert_eq!(removed.len(), 1, "{removed:?}");
    let removed = store.collect(&BTreeSet::new(), 30 * DAY, file.used + 30 * DAY + DAY).unwrap();
    assert!(removed.iter().any(|gone| gone.bytes == file.bytes), "{removed:?}");
    assert_eq!(names(&store), ["mine.gguf", "notes.txt", "quarantine"]);
    assert_eq!(files(&quarantine(folder)).unwrap().len(), 0);
}
