//! Requests that nobody means well with: always a typed answer, and the engine hears of none.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::embedding::SimulatedEmbedder;

const PATHS: [&str; 4] =
    ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings"];

/// A good request for each path, to be spoiled.
fn good(path: &str) -> Value {
    let function = json!({"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}});
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    match path {
        "/v1/chat/completions" => json!({
            "model": "simulated",
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "hi"}]},
                {"role": "assistant", "content": null, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": "x"},
            ],
            "tools": [{"type": "function", "function": function}], "tool_choice": "auto",
            "max_tokens": 5, "temperature": 1, "top_p": 0.5, "seed": 1, "stop": ["a"],
            "stream_options": {"include_usage": true}, "n": 1, "store": false,
            "response_format": {"type": "text"},
        }),
        "/v1/completions" => {
            json!({"prompt": "hi", "max_tokens": 5, "temperature": 1, "logprobs": 1, "stop": "x"})
        }
        "/v1/responses" => json!({
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
            "instructions": "x", "max_output_tokens": 5, "text": {"format": {"type": "text"}},
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        }),
        _ => json!({"input": ["hi"], "encoding_format": "float", "dimensions": 32}),
    }
}

/// Something in place of a value that is of another type, or out of any range.
fn odd(chance: &mut StdRng) -> Value {
    match chance.random_range(0..12) {
        0 => json!(-1),
        1 => json!(1e300),
        2 => json!(u64::MAX),
        3 => json!(0.5),
        4 => json!(true),
        5 => json!([]),
        6 => json!([[[[]]]]),
        7 => json!({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}),
        8 => json!({"$ref": "http://169.254.169.254/latest"}),
        9 => json!({"\u{0}<tool_call>": null}),
        10 => (0..100).fold(json!({}), |inner, _| json!({"items": inner})),
        _ => json!("\u{0}\u{202e}".repeat(chance.random_range(1..3000))),
    }
}

/// The places of all values in it.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), all));
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(number, value)| places(value, &format!("{at}/{number}"), all));
        }
        _ => {}
    }
}

/// A body that cannot be meant.
fn hostile(path: &str, chance: &mut StdRng) -> Vec<u8> {
    let mut body = good(path);
    let text = body.to_string();
    match chance.random_range(0..10) {
        // Cut off.
        0 => text.as_bytes()[..chance.random_range(0..text.len())].to_vec(),
        // A byte that is no JSON there, or no UTF-8.
        1 => {
            let mut bytes = text.into_bytes();
            let at = chance.random_range(0..bytes.len());
            bytes[at] = *[0, 0x80, 0xff, b'\\', b'\n'].get(chance.random_range(0..5)).unwrap();
            bytes
        }
        // Numbers that are none.
        2 => {
            let none = ["NaN", "-Infinity", "1e999", "0x10", "01", "--1", "1."];
            let none = none[chance.random_range(0..none.len())];
            text.replacen('{', &format!("{{\"temperature\":{none},"), 1).into_bytes()
        }
        // Something unknown.
        3 => {
            let name: String =
                (0..chance.random_range(1..200)).map(|_| chance.random::<char>()).collect();
            body[name] = odd(chance);
            body.to_string().into_bytes()
        }
        // Deep.
        4 => {
            let depth = chance.random_range(200..50_000);
            let open = ["[", "{\"a\":"][chance.random_range(0..2)];
            text.replacen('{', &format!("{{\"metadata\":{}", open.repeat(depth)), 1).into_bytes()
        }
        // Noise.
        5 => (0..chance.random_range(0..4000)).map(|_| chance.random()).collect(),
        // A value is another one.
        _ => {
            let mut all = Vec::new();
            places(&body, "", &mut all);
            let at = &all[chance.random_range(0..all.len())];
            *body.pointer_mut(at).unwrap() = odd(chance);
            body.to_string().into_bytes()
        }
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_requests_get_a_typed_refusal_and_no_engine_hears_of_them() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let app = App::new(Simulator::echo().with_at_once(4));
    app.inference.set_embedder(Arc::new(SimulatedEmbedder::default()));
    let authorization = format!("Bearer {}", token());
    let mut refused = 0;
    let mut codes = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..4000 {
        let path = PATHS[chance.random_range(0..PATHS.len())];
        let body = hostile(path, &mut chance);
        let shown = String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned();
        let before = app.record().started.len();
        let request = Request::post(path).header("authorization", authorization.as_str());
        let response = app.send(request.body(Body::from(body)).unwrap()).await;
        let status = response.status().as_u16();
        // What was spoiled may by chance be as good as before.
        if status == 200 {
            text_of(response).await;
            continue;
        }
        let said = json_of(response).await;
        assert!((400..500).contains(&status), "seed {seed}: {status} {said} for {path} {shown}");
        assert_eq!(said["status"], status, "seed {seed}");
        assert_eq!(said["error"]["code"], said["code"], "seed {seed}");
        assert!(said["error"]["message"].as_str().is_some_and(|text| text.len() < 1000), "{said}");
        assert_eq!(app.record().started.len(), before, "seed {seed}: {said} for {path} {shown}");
        refused += 1;
        *codes.entry(said["code"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    println!("{refused} refused: {codes:?}");
    assert!(refused >= 2000, "seed {seed}: only {refused}");
    assert!(codes.len() >= 8, "seed {seed}: {codes:?}");
    let page = include_str!("../../../../docs/inference-api.md");
    for code in codes.keys() {
        assert!(page.contains(&format!("`{code}`")), "the page of the API does not name {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_is_refused_of_whoever_sends_it() {
    let app = App::new(Simulator::echo());
    let long = || Body::from(vec![b' '; 10 * 1024 * 1024]);
    let authorization = format!("Bearer {}", token());
    for path in PATHS {
        let request = Request::post(path).header("authorization", authorization.as_str());
        let response = app.send(request.body(long()).unwrap()).await;
        assert_eq!(response.status(), 413, "{path}");
        assert_eq!(json_of(response).await["error"]["code"], "request-too-large");
        let stranger = Request::post(path).body(long()).unwrap();
        assert_eq!(app.send(stranger).await.status(), 401, "{path}");
    }
}
