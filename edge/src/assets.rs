//! Files of platforms that may be kept by anybody for ever: kept here, so that a platform need not
//! be asked, nor woken, for them; and made smaller once, for all who take them so.
//!
//! Only what the platform itself says is `public` and `immutable`, and gives to everybody alike: an
//! answer that sets a cookie, or varies with who asks, is nobody's to keep.

mod encodings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use http_body_util::{BodyExt as _, Limited};
use moka::future::Cache;
use tokio::sync::Semaphore;
use uuid::Uuid;

use encodings::{Encoding, Made};

/// All that is kept, of all platforms.
const ALL: u64 = 128 << 20;
/// One file.
const LARGEST: usize = 1 << 20;
/// Beside itself, a file costs about this.
const OVERHEAD: usize = 2 << 10;
/// What nobody asked for is not kept longer.
const UNUSED: Duration = Duration::from_hours(7 * 24);
/// A path is no longer, with what stands behind the question mark.
const PATH: usize = 512;
/// A platform that says less means no file that never changes.
const AT_LEAST: u64 = 24 * 60 * 60;
/// A file is here within this time, or it is not kept.
const ARRIVES: Duration = Duration::from_secs(30);
/// Files that are made smaller at once; others wait until somebody asks for them again.
const MADE_AT_ONCE: usize = 2;
/// Files that are gathered at once; others are handed on as they come, and not kept.
const GATHERED_AT_ONCE: usize = 64;

/// What is kept.
pub(crate) struct Assets {
    kept: Cache<Key, Arc<Kept>>,
    gathering: Semaphore,
    making: Arc<Semaphore>,
}

/// Whose file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(Uuid, Box<str>);

/// The file did not come whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

/// A file as the platform gave it, and smaller ones.
struct Kept {
    since: Instant,
    /// Nothing smaller is to be made of it any more.
    is_final: AtomicBool,
    headers: HeaderMap,
    file: Bytes,
    made: Made,
}

impl Key {
    /// What a request asks a platform for, if an answer to it might be kept.
    pub(crate) fn of(platform: Uuid, request: &Request) -> Option<Self> {
        let is_plain = matches!(*request.method(), Method::GET | Method::HEAD)
            && !request.headers().contains_key(header::AUTHORIZATION);
        // With a query one file has as many addresses as anybody likes.
        let (path, query) = (request.uri().path(), request.uri().query());
        let is_one = query.is_none() && path.len() <= PATH;
        (is_plain && is_one).then(|| Self(platform, path.into()))
    }
}

impl Assets {
    pub(crate) fn new() -> Self {
        let weight = |key: &Key, kept: &Arc<Kept>| {
            let size = key.1.len() + kept.file.len() + kept.made.size() + OVERHEAD;
            u32::try_from(size).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder().max_capacity(ALL).weigher(weight).time_to_idle(UNUSED).build();
        let making = Arc::new(Semaphore::new(MADE_AT_ONCE));
        Self { kept, gathering: Semaphore::new(GATHERED_AT_ONCE), making }
    }

    /// The answer, where it is kept.
    pub(crate) async fn find(&self, key: &Key, asked: &HeaderMap) -> Option<Response> {
        let kept = self.kept.get(key).await?;
        self.make_smaller(key, &kept);
        Some(kept.answer(asked))
    }

    /// The answer of the platform, kept where it may be.
    pub(crate) async fn keep(
        &self,
        key: Key,
        method: &Method,
        answer: Response,
    ) -> Result<Response, Cut> {
        if *method != Method::GET || !may_be_kept(&answer) {
            return Ok(answer);
        }
        let Ok(_one_of_few) = self.gathering.try_acquire() else { return Ok(answer) };
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST).collect();
        let file = tokio::time::timeout(ARRIVES, body).await.map_err(|_| Cut)?;
        let (file, headers) = (file.map_err(|_| Cut)?.to_bytes(), lasting(&head.headers));
        let kept = Kept {
            since: Instant::now(),
            is_final: AtomicBool::new(!encodings::are_worth_it(&headers, &file)),
            headers,
            file,
            made: Made::default(),
        };
        let kept = Arc::new(kept);
        self.kept.insert(key.clone(), kept.clone()).await;
        self.make_smaller(&key, &kept);
        Ok(Response::from_parts(head, Body::from(kept.file.clone())))
    }

    /// Beside everything else: whoever asks meanwhile has it as it is. Where there is no room for it,
    /// it is tried again when somebody asks again.
    fn make_smaller(&self, key: &Key, kept: &Arc<Kept>) {
        if kept.is_final.load(Ordering::Relaxed) {
            return;
        }
        let Ok(one_of_few) = self.making.clone().try_acquire_owned() else { return };
        if kept.is_final.swap(true, Ordering::Relaxed) {
            return;
        }
        let (all, key, kept) = (self.kept.clone(), key.clone(), kept.clone());
        tokio::spawn(async move {
            let file = kept.file.clone();
            if let Ok(made) = tokio::task::spawn_blocking(move || Made::of(&file)).await {
                let Kept { since, headers, file, .. } = &*kept;
                let (headers, file) = (headers.clone(), file.clone());
                let is_final = AtomicBool::new(true);
                let smaller = Kept { since: *since, is_final, headers, file, made };
                all.insert(key, Arc::new(smaller)).await;
            }
            drop(one_of_few);
        });
    }
}

impl Kept {
    fn answer(&self, asked: &HeaderMap) -> Response {
        let (encoding, file) = match self.made.best(asked) {
            Some((encoding, file)) => (Some(encoding), file),
            None => (None, &self.file),
        };
        let mut answer = Response::new(Body::from(file.clone()));
        let headers = answer.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(header::AGE, HeaderValue::from(self.since.elapsed().as_secs()));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.len()));
        if self.made.size() > 0 {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Some(encoding) = encoding.map(Encoding::word) {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        answer
    }
}

/// Whether anybody may have the same for ever.
fn may_be_kept(answer: &Response) -> bool {
    let headers = answer.headers();
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    answer.status() == StatusCode::OK
        && length.is_some_and(|length: usize| length <= LARGEST)
        && !headers.contains_key(header::SET_COOKIE)
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !headers.contains_key(header::VARY)
        && is_for_all_and_ever(headers)
}

fn is_for_all_and_ever(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CACHE_CONTROL).iter();
    // Said twice, nobody knows what counts.
    let (Some(said), None) = (lines.next(), lines.next()) else { return false };
    let Ok(said) = said.to_str() else { return false };
    let words: Vec<String> = said.split(',').map(|word| word.trim().to_lowercase()).collect();
    let has = |word: &str| words.iter().any(|each| each == word);
    let age = words.iter().find_map(|word| word.strip_prefix("max-age=")?.parse::<u64>().ok());
    let against = ["private", "no-store", "no-cache", "must-revalidate", "s-maxage"];
    let is_against = |word: &String| against.iter().any(|each| word.starts_with(each));
    has("public")
        && has("immutable")
        && age.is_some_and(|age| age >= AT_LEAST)
        && !words.iter().any(is_against)
}

/// What of an answer is about the file, and not about whoever asked for it.
fn lasting(headers: &HeaderMap) -> HeaderMap {
    const OF_ONE_ANSWER: [HeaderName; 3] =
        [header::DATE, header::CONTENT_LENGTH, HeaderName::from_static("x-request-id")];
    let lasting = headers.iter().filter(|(name, _)| !OF_ONE_ANSWER.contains(name));
    let mut all = HeaderMap::new();
    for (name, value) in lasting {
        all.append(name.clone(), value.clone());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&'static str, &'static str)]) -> Response {
        let mut answer = Response::new(Body::empty());
        for (name, value) in headers {
            let value = HeaderValue::from_static(value);
            answer.headers_mut().append(HeaderName::from_static(name), value);
        }
        answer
    }

    #[test]
    fn only_what_is_everybodys_for_ever_is_kept() {
        const FOR_EVER: (&str, &str) = ("cache-control", "public, max-age=31536000, immutable");
        const LENGTH: (&str, &str) = ("content-length", "12");
        assert!(may_be_kept(&answer(&[FOR_EVER, LENGTH])));
        for other in [
            ("set-cookie", "a=b"),
            ("vary", "cookie"),
            ("vary", "*"),
            ("content-encoding", "gzip"),
            ("content-range", "bytes 0-1/2"),
            ("cache-control", "private"),
        ] {
            assert!(!may_be_kept(&answer(&[FOR_EVER, LENGTH, other])), "{other:?}");
        }
        for said in [
            "public, max-age=31536000",
            "immutable, max-age=31536000",
            "public, immutable",
            "public, immutable, max-age=3600",
            "public, immutable, max-age=31536000, no-store",
            "public, immutable, max-age=31536000, private=\"x\"",
            "no-store",
            "",
        ] {
            assert!(!may_be_kept(&answer(&[("cache-control", said), LENGTH])), "{said}");
        }
        assert!(!may_be_kept(&answer(&[FOR_EVER])), "nobody knows how long it is");
        assert!(!may_be_kept(&answer(&[FOR_EVER, ("content-length", "1048577")])));
        let mut missing = answer(&[FOR_EVER, LENGTH]);
        *missing.status_mut() = StatusCode::NOT_FOUND;
        assert!(!may_be_kept(&missing));
    }
}
