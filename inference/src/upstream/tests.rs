use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as Reply};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;
use crate::engine::{Piece, Shape};

const KEY: &str = "sk-Very-Secret-0123456789";

/// A pretend upstream: each request is answered by the next reply, the last one again and again.
struct Fake {
    base_url: Url,
    seen: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

async fn fake(replies: Vec<Reply>) -> Fake {
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let replies = Arc::new(Mutex::new(replies));
    let record = Arc::clone(&seen);
    let handler = async move |request: Request| {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let path = head.uri.path().to_owned();
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        body["path"] = json!(path);
        record.lock().unwrap().push((head.headers, body));
        let mut replies = replies.lock().unwrap();
        if replies.is_empty() { StatusCode::IM_A_TEAPOT.into_response() } else { replies.remove(0) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap()).parse().unwrap();
    let app = Router::new().fallback(handler);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Fake { base_url, seen }
}

fn said(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":7,\
                     \"prompt_tokens_details\":{\"cached_tokens\":5}}}\n\ndata: [DONE]\n\n";

/// An answer whose bytes the test sends.
fn fed() -> (UnboundedSender<Bytes>, Reply) {
    let (feed, bytes): (_, UnboundedReceiver<Bytes>) = unbounded_channel();
    let bytes = UnboundedReceiverStream::new(bytes).map(Ok::<_, Infallible>);
    (feed, Body::from_stream(bytes).into_response())
}

fn config(base_url: Url) -> UpstreamConfig {
    UpstreamConfig {
        name: "pretend".to_owned(),
        base_url,
        key: Some(KEY.into()),
        models: vec![UpstreamModel {
            id: "ours".to_owned(),
            title: "Ours".to_owned(),
            upstream_id: "theirs".to_owned(),
            context_tokens: 4096,
            price: "theirs".to_owned(),
        }],
        at_once: 8,
        dialect: Dialect::Common,
        networks: Networks::Public,
        patience: Patience::default(),
    }
}

fn upstream(fake: &Fake) -> Upstream {
    Upstream::new(config(fake.base_url.clone())).unwrap()
}

fn job() -> Job {
    Job::new("ours", Prompt::question("How are you?"), 20)
}

async fn whole(mut stream: TokenStream) -> (String, Reason, Usage) {
    let mut text = String::new();
    loop {
        match stream.next().await.unwrap() {
            Piece::Text(more) => text.push_str(&more),
            Piece::Token(_) => {}
            Piece::End { reason, usage } => return (text, reason, usage),
        }
    }
}

async fn answer(upstream: &Upstream, meter: &Meter) -> (String, Reason, Usage) {
    whole(upstream.generate(job(), meter.clone()).await.unwrap()).await
}

fn usage(prompt_tokens: usize, cached_tokens: usize, completion_tokens: usize) -> Usage {
    Usage { prompt_tokens, cached_tokens, completion_tokens }
}

#[tokio::test]
async fn an_answer_is_streamed_and_counts_what_the_upstream_reports() {
    let body = [": hello\n\n", &said("Fine, "), &said("thänks"), END, USAGE].concat();
    let fake = fake(vec![body.into_response()]).await;
    let (upstream, meter) = (upstream(&fake), Meter::default());
    let (text, reason, used) = answer(&upstream, &meter).await;
    assert_eq!((text.as_str(), reason), ("Fine, thänks", Reason::Stop));
    assert_eq!((used, meter.usage()), (usage(12, 5, 7), usage(12, 5, 7)));
    assert_eq!(upstream.estimated(), 0);

    let (headers, body) = fake.seen.lock().unwrap().pop().unwrap();
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!((&body["path"], &body["model"]), (&json!("/v1/chat/completions"), &json!("theirs")));
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
}

#[tokio::test]
async fn without_a_report_the_chunks_count_and_it_is_called_an_estimate() {
    let body = [&said("Fine, "), &said("thanks"), END, "data: [DONE]"].concat();
    let fake = fake(vec![body.into_response()]).await;
    let (upstream, meter) = (upstream(&fake), Meter::default());
    let (_, reason, used) = answer(&upstream, &meter).await;
    assert_eq!((reason, used), (Reason::Stop, usage(7, 0, 2)));
    assert_eq!((meter.usage(), upstream.estimated()), (used, 1));
}

#[tokio::test]
async fn each_chunk_is_counted_and_shown_as_it_comes() {
    let (feed, reply) = fed();
    let upstream = upstream(&fake(vec![reply]).await);
    let meter = Meter::default();
    let mut stream = upstream.generate(job(), meter.clone()).await.unwrap();
    for (at, text) in ["one ", "two ", "three"].into_iter().enumerate() {
        feed.send(said(text).into()).unwrap();
        assert_eq!(stream.next().await, Some(Piece::Text(text.to_owned())));
        assert_eq!(meter.usage().completion_tokens, at + 1);
    }
    feed.send([END, USAGE].concat().into()).unwrap();
    assert_eq!(whole(stream).await, (String::new(), Reason::Stop, usage(12, 5, 7)));
}

#[tokio::test]
async fn who_leaves_drops_the_connection_and_pays_what_came() {
    let (feed, reply) = fed();
    let upstream = upstream(&fake(vec![reply]).await);
    let meter = Meter::default();
    let mut stream = upstream.generate(job(), meter.clone()).await.unwrap();
    feed.send(said("one").into()).unwrap();
    stream.next().await.unwrap();
    stream.cancel();
    let (_, reason, used) = whole(stream).await;
    assert_eq!((reason, used), (Reason::Cancelled, usage(7, 0, 1)));
    assert_eq!(meter.usage(), used);
    // The upstream sees it: its half of the connection is gone.
    feed.closed().await;
    assert_eq!(upstream.0.places.available_permits(), 8);
}

#[tokio::test]
async fn an_answer_more_than_it_may_be_asked_for_waits_until_another_has_ended() {
    let (feed, first) = fed();
    let fake = fake(vec![first, [&said("two"), END, USAGE].concat().into_response()]).await;
    let config = UpstreamConfig { at_once: 1, ..config(fake.base_url.clone()) };
    let upstream = Upstream::new(config).unwrap();
    let mut first = upstream.generate(job(), Meter::default()).await.unwrap();
    feed.send(said("one").into()).unwrap();
    first.next().await.unwrap();
    let second = upstream.generate(job(), Meter::default()).await.unwrap();
    feed.send([END, USAGE].concat().into()).unwrap();
    assert_eq!(whole(first).await.1, Reason::Stop);
    assert_eq!(whole(second).await.1, Reason::Stop);
}

#[tokio::test]
async fn who_leaves_before_the_first_byte_is_not_kept_and_pays_the_prompt_that_was_sent() {
    // Over TLS nothing is sent before the upstream has said who it is.
    for (scheme, sent) in [("http", usage(7, 0, 0)), ("https", usage(0, 0, 0))] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap()).parse().unwrap();
        let (upstream, meter) = (Upstream::new(config(url)).unwrap(), Meter::default());
        let stream = upstream.generate(job(), meter.clone()).await.unwrap();
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        if scheme == "http" {
            while !heard.ends_with(b"}") {
                connection.read_buf(&mut heard).await.unwrap();
            }
        }
        stream.cancel();
        let (_, reason, used) = whole(stream).await;
        assert_eq!((reason, used, meter.usage()), (Reason::Cancelled, sent, sent), "{scheme}");
        assert_eq!(upstream.estimated(), u64::from(scheme == "http"));
        let heard = String::from_utf8(heard).unwrap().to_lowercase();
        assert!(!heard.contains("chunked"), "{heard}");
    }
}

#[tokio::test]
async fn refusals_say_what_helps_and_neither_key_nor_text_of_the_upstream() {
    let refuse = |status: StatusCode, code: &str| {
        let body = json!({"error": {"code": code, "message": format!("{KEY} <b>boo</b>")}});
        (status, [("retry-after", "7")], body.to_string()).into_response()
    };
    let replies = vec![
        refuse(StatusCode::UNAUTHORIZED, KEY),
        refuse(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
        refuse(StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        refuse(StatusCode::BAD_REQUEST, "context_length_exceeded"),
        refuse(StatusCode::NOT_FOUND, "model_not_found"),
        refuse(StatusCode::BAD_REQUEST, "content_filter"),
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "oops"),
    ];
    let upstream = upstream(&fake(replies).await);
    let mut reasons = Vec::new();
    for _ in 0..7 {
        let (text, reason, used) = answer(&upstream, &Meter::default()).await;
        assert_eq!((text.as_str(), used), ("", Usage::default()));
        let shown = format!("{reason:?}");
        assert!(!shown.contains(KEY) && !shown.contains("boo"), "{shown}");
        reasons.push(reason);
    }
    let busy = Reason::Failed(EngineError::Busy { after: Duration::from_secs(7) });
    assert!(matches!(reasons[0], Reason::Failed(EngineError::Broken(_))));
    assert_eq!(reasons[1..3], [busy.clone(), busy]);
    assert_eq!(reasons[3], Reason::Failed(EngineError::PromptTooLong { limit: 4096 }));
    assert_eq!(reasons[4], Reason::Failed(EngineError::UnknownModel("ours".to_owned())));
    assert_eq!(reasons[5], Reason::Filtered);
    assert!(matches!(reasons[6], Reason::Failed(EngineError::Broken(_))));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = fake(vec![END.into_response()]).await;
    let to = elsewhere.base_url.to_string();
    let reply = (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response();
    let (_, reason, _) = answer(&upstream(&fake(vec![reply]).await), &Meter::default()).await;
    assert!(matches!(reason, Reason::Failed(EngineError::Broken(_))), "{reason:?}");
    assert!(elsewhere.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn silence_has_an_end_before_the_first_byte_and_between_two() {
    let soon = Duration::from_millis(50);
    let (feed, reply) = fed();
    let (_silent, never) = fed();
    let server = fake(vec![reply, never]).await;
    let patience = Patience { silence: soon, ..Patience::default() };
    let slow =
        Upstream::new(UpstreamConfig { patience, ..config(server.base_url.clone()) }).unwrap();
    feed.send(said("one").into()).unwrap();
    let (text, reason, used) = answer(&slow, &Meter::default()).await;
    assert!(matches!(reason, Reason::Failed(EngineError::Broken(_))), "{reason:?}");
    assert_eq!((text.as_str(), used), ("one", usage(7, 0, 1)));
    let (_, _, used) = answer(&slow, &Meter::default()).await;
    assert_eq!(used, Usage::default(), "nothing came");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let patience = Patience { first_byte: soon, ..Patience::default() };
    let silent = Upstream::new(UpstreamConfig { patience, ..config(url) }).unwrap();
    let (_, reason, _) = answer(&silent, &Meter::default()).await;
    assert!(format!("{reason:?}").contains("first byte"), "{reason:?}");
}

#[tokio::test]
async fn an_upstream_that_trickles_is_cut_at_the_whole_time() {
    let (feed, reply) = fed();
    let patience = Patience { whole: Duration::from_millis(80), ..Patience::default() };
    let server = fake(vec![reply]).await;
    let slow = Upstream::new(UpstreamConfig { patience, ..config(server.base_url) }).unwrap();
    let trickle = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while feed.send(": wait\n\n".into()).is_ok() {
            ticks.tick().await;
        }
    });
    let (_, reason, _) = answer(&slow, &Meter::default()).await;
    assert!(format!("{reason:?}").contains("too long"), "{reason:?}");
    trickle.await.unwrap();
}

#[tokio::test]
async fn bad_streams_fail_and_what_was_said_to_the_end_does_not() {
    let broken = |body: String| async move {
        let upstream = upstream(&fake(vec![body.into_response()]).await);
        answer(&upstream, &Meter::default()).await
    };
    for bad in [
        said("half"),
        "data: {\"error\":{\"message\":\"boo\",\"code\":\"oops\"}}\n\n".to_owned(),
        "data: nonsense\n\n".to_owned(),
        "x".repeat(sse::LIMIT + 1),
        String::new(),
    ] {
        let (_, reason, _) = broken(bad.clone()).await;
        assert!(matches!(reason, Reason::Failed(_)), "{bad:.40} gave {reason:?}");
    }
    let (text, reason, _) = broken([&said("whole"), END].concat()).await;
    assert_eq!((text.as_str(), reason), ("whole", Reason::Stop), "no [DONE]");
    let (_, reason, _) = broken([&said("whole"), END, "data: {\"error\":{}}\n\n"].concat()).await;
    assert_eq!(reason, Reason::Stop, "an error after the end");
}

#[tokio::test]
async fn one_that_goes_on_and_on_or_reports_a_fortune_is_held_to_what_was_asked() {
    let fortune = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":99999999,\
                   \"completion_tokens\":99999999}}\n\n";
    let endless = said("word ").repeat(1000);
    let replies = vec![endless.into_response(), [END, fortune].concat().into_response()];
    let upstream = upstream(&fake(replies).await);
    let (text, reason, used) = answer(&upstream, &Meter::default()).await;
    // Eight chunks for each of 20 tokens.
    assert_eq!((text.len(), reason, used), (800, Reason::Length, usage(7, 0, 20)));
    let meter = Meter::default();
    let (_, _, used) = answer(&upstream, &meter).await;
    assert!(used.prompt_tokens <= upstream.prompt_at_most(&job()), "{used:?}");
    assert_eq!((used.completion_tokens, meter.usage()), (20, used));
}

#[tokio::test]
async fn one_that_sends_two_chunks_a_token_gives_its_whole_answer() {
    let body = [&said("wo").repeat(40), END, USAGE].concat();
    let upstream = upstream(&fake(vec![body.into_response()]).await);
    let meter = Meter::default();
    let (text, reason, used) = answer(&upstream, &meter).await;
    assert_eq!((text.len(), reason, used), (80, Reason::Stop, usage(12, 5, 7)));
    assert_eq!(meter.usage().completion_tokens, 20, "no more than was asked for");
}

#[tokio::test]
async fn an_upstream_is_told_four_stops_and_the_others_end_the_answer_all_the_same() {
    let body = [&said("one <"), &said("tool> two"), END, USAGE].concat();
    let fake = fake(vec![body.into_response()]).await;
    let stop = ["a|", "b|", "c|", "d|", "<tool>"].map(str::to_owned).to_vec();
    let job = Job { stop, ..job() };
    let stream = upstream(&fake).generate(job.clone(), Meter::default()).await.unwrap();
    let (text, reason, _) = whole(stream).await;
    assert_eq!((text.as_str(), reason), ("one ", Reason::Stop));
    let (_, body) = fake.seen.lock().unwrap().pop().unwrap();
    assert_eq!(body["stop"], json!(job.stop[..4]));
}

#[tokio::test]
async fn chances_come_before_their_text_and_count_the_tokens() {
    let listed = json!({"token": "ab", "logprob": -0.5, "bytes": null, "top_logprobs": []});
    let chunk = json!({"choices": [{
        "delta": {"content": "abab"}, "logprobs": {"content": [listed, listed]},
    }]});
    let body = format!("data: {chunk}\n\n{END}data: [DONE]\n\n");
    let upstream = upstream(&fake(vec![body.into_response()]).await);
    let job = Job { logprobs: Some(0), ..job() };
    let mut stream = upstream.generate(job, Meter::default()).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(stream.next().await, Some(Piece::Token(_))));
    }
    assert_eq!(whole(stream).await, ("abab".to_owned(), Reason::Stop, usage(7, 0, 2)));
}

#[tokio::test]
async fn bad_configurations_and_jobs_are_refused_in_words() {
    let good = || config("https://api.example.com/v1".parse().unwrap());
    let refused = |config: UpstreamConfig| Upstream::new(config).unwrap_err();
    assert_eq!(refused(UpstreamConfig { models: vec![], ..good() }), ConfigError::NoModels);
    assert_eq!(refused(UpstreamConfig { at_once: 0, ..good() }), ConfigError::NoRoom);
    assert_eq!(refused(UpstreamConfig { key: Some("a\nb".into()), ..good() }), ConfigError::Key);
    let mut unpriced = good();
    unpriced.models[0].price = " ".to_owned();
    assert_eq!(refused(unpriced), ConfigError::Model("ours".to_owned()));

    let upstream = Upstream::new(good()).unwrap();
    assert!(!format!("{upstream:?} {:?}", good()).contains(KEY));
    let unknown = Job { model: "other".to_owned(), ..job() };
    let error = upstream.generate(unknown, Meter::default()).await.unwrap_err();
    assert_eq!(error, EngineError::UnknownModel("other".to_owned()));
    let text = Job { shape: Shape::Json, ..Job::new("ours", Prompt::Text("x".to_owned()), 1) };
    let (_, reason, _) = whole(upstream.generate(text, Meter::default()).await.unwrap()).await;
    assert!(matches!(reason, Reason::Failed(EngineError::Unsupported(_))), "{reason:?}");
}
