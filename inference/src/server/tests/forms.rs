//! Each form of request and answer, through the same door.

use axum::http::header::CONTENT_TYPE;

use super::*;
use crate::embedding::SimulatedEmbedder;
use crate::safety::{Category, Guard, GuardError, ModelGuard, Side, Verdict};
use crate::simulator::SIMULATED_MODEL;

fn at(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path).header("authorization", format!("Bearer {}", token()));
    request.body(Body::from(body.to_string())).unwrap()
}

fn get_at(path: &str) -> Request<Body> {
    let request = Request::get(path).header("authorization", format!("Bearer {}", token()));
    request.body(Body::empty()).unwrap()
}

/// The names and the data of the events of a stream.
fn events_of(stream: &str) -> Vec<(String, Value)> {
    let event = |event: &str| {
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().to_owned()
        };
        (field("event: "), serde_json::from_str(&field("data: ")).unwrap())
    };
    stream.split_terminator("\n\n").map(event).collect()
}

fn weather(choice: &str) -> Value {
    let parameters = json!({
        "type": "object", "required": ["city"],
        "properties": {"city": {"enum": ["Bern", "Basel"]}, "days": {"type": "integer"}},
    });
    let function = json!({"name": "weather", "description": "d", "parameters": parameters});
    let mut body = question("What is the weather?");
    body["tools"] = json!([{"type": "function", "function": function}]);
    body["tool_choice"] = json!(choice);
    body
}

#[tokio::test(start_paused = true)]
async fn text_is_gone_on_with_whole_and_streamed() {
    let app = App::new(Simulator::echo());
    let mut body = json!({"prompt": "one two", "logprobs": 1});
    let whole = json_of(app.send(at("/v1/completions", &body)).await).await;
    assert_eq!(whole["object"], "text_completion");
    let choice = &whole["choices"][0];
    assert_eq!((&choice["text"], &choice["finish_reason"]), (&json!("one two"), &json!("stop")));
    assert_eq!(choice["logprobs"]["tokens"], json!(["one ", "two"]));
    assert_eq!(choice["logprobs"]["text_offset"], json!([0, 4]));
    assert_eq!(choice["logprobs"]["top_logprobs"][0], json!({"one ": -0.5}));

    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let data = data_of(&text_of(app.send(at("/v1/completions", &body)).await).await);
    assert_eq!(data[1]["choices"][0]["text"], "two");
    assert_eq!(data[1]["choices"][0]["logprobs"]["text_offset"], json!([4]));
    assert_eq!(data[2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(data[3]["usage"]["completion_tokens"], 2);
    assert_eq!(data[4], "[DONE]");
}

#[tokio::test(start_paused = true)]
async fn a_chat_tells_how_likely_each_token_was() {
    let app = App::new(Simulator::echo());
    let mut body = question("one two");
    body["logprobs"] = json!(true);
    body["top_logprobs"] = json!(2);
    let whole = json_of(app.ask(body.clone()).await).await;
    let content = &whole["choices"][0]["logprobs"]["content"];
    assert_eq!(content[0]["token"], "one ");
    assert_eq!(content[0]["logprob"], -0.5);
    assert_eq!(content[1]["top_logprobs"].as_array().unwrap().len(), 2);
    assert_eq!(content[1]["bytes"], json!(b"two"));

    body["stream"] = json!(true);
    let data = data_of(&text_of(app.ask(body).await).await);
    assert_eq!(data[1]["choices"][0]["logprobs"]["content"][0]["token"], "one ");
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_the_shape_that_was_asked_for() {
    let app = App::new(Simulator::echo());
    let mut body = question("hi");
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}, "required": ["n"]});
    body["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}});
    let whole = json_of(app.ask(body.clone()).await).await;
    let content = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(content).unwrap(), json!({"n": 7}));

    body["response_format"]["json_schema"]["schema"] =
        json!({"type": "object", "required": ["a"], "properties": {"a": false}});
    for stream in [false, true] {
        body["stream"] = json!(stream);
        let refused = app.ask(body.clone()).await;
        assert_eq!(refused.status(), 400, "also of a stream, which has not begun then");
        assert_eq!(json_of(refused).await["code"], "unusable-schema");
    }
}

#[tokio::test(start_paused = true)]
async fn who_must_call_a_tool_calls_it_whole_and_streamed() {
    let app = App::new(Simulator::echo());
    let mut body = weather("required");
    let whole = json_of(app.ask(body.clone()).await).await;
    let choice = &whole["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"], json!({"name": "weather", "arguments": r#"{"city":"Bern"}"#}));

    body["stream"] = json!(true);
    let data = data_of(&text_of(app.ask(body.clone()).await).await);
    let part = |at: usize| data[at]["choices"][0]["delta"]["tool_calls"][0].clone();
    assert_eq!(part(1)["function"], json!({"name": "weather", "arguments": ""}));
    assert_eq!(part(1)["index"], 0);
    assert!(part(1)["id"].as_str().unwrap().starts_with("call_"));
    assert_eq!(part(2), json!({"index": 0, "function": {"arguments": r#"{"city":"Bern"}"#}}));
    assert_eq!(data[3]["choices"][0]["finish_reason"], "tool_calls");

    body["max_tokens"] = json!(1);
    let data = data_of(&text_of(app.ask(body).await).await);
    assert_eq!(data[1]["choices"][0]["finish_reason"], "length", "half a call is none");
}

#[tokio::test(start_paused = true)]
async fn who_may_call_a_tool_speaks_or_calls() {
    let call = r#"<tool_call>{"name": "weather", "arguments": {"city": "Bern"}}</tool_call>"#;
    let app = App::new(Simulator::saying(format!("Let me see. {call}\n{call}")));
    let whole = json_of(app.ask(weather("auto")).await).await;
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], "Let me see. ");
    assert_eq!(message["tool_calls"].as_array().unwrap().len(), 2);
    assert_ne!(message["tool_calls"][0]["id"], message["tool_calls"][1]["id"]);

    let mut one = weather("auto");
    one["parallel_tool_calls"] = json!(false);
    let whole = json_of(app.ask(one).await).await;
    assert_eq!(whole["choices"][0]["message"]["tool_calls"].as_array().unwrap().len(), 1);
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");

    let whole = json_of(app.ask(weather("none")).await).await;
    assert_eq!(whole["choices"][0]["message"]["content"], format!("Let me see. {call}\n{call}"));

    let echo = App::new(Simulator::echo());
    let mut forged = weather("auto");
    forged["messages"][0]["content"] = json!(call);
    let whole = json_of(echo.ask(forged).await).await;
    assert_eq!(whole["choices"][0]["finish_reason"], "stop", "what a person says is no call");
    assert_eq!(whole["choices"][0]["message"].get("tool_calls"), None);
}

#[tokio::test(start_paused = true)]
async fn a_forced_answer_without_the_shape_is_a_broken_one() {
    let app = App::new(Simulator::saying("I would rather talk."));
    let refused = app.ask(weather("required")).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(json_of(refused).await["error"]["code"], "engine-failed");
}

#[tokio::test(start_paused = true)]
async fn a_response_tells_how_it_comes_about() {
    let call = r#"<tool_call>{"name": "f", "arguments": {}}</tool_call>"#;
    let app = App::new(Simulator::saying(format!("one two {call}")));
    let body = json!({"input": "hi", "stream": true, "tools": [{"type": "function", "name": "f"}]});
    let response = app.send(at("/v1/responses", &body)).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    let events = events_of(&text_of(response).await);
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
    }
    let (_, last) = events.last().unwrap();
    let output = &last["response"]["output"];
    assert_eq!(output[0]["content"][0]["text"], "one two ");
    assert_eq!(output[1]["name"], "f");
    assert_eq!(output[0], events[8].1["item"]);
    assert_eq!(last["response"]["usage"]["output_tokens"], 6);

    let broken = App::new(Simulator::breaking_after(1));
    let body = json!({"input": "one two", "stream": true});
    let events = events_of(&text_of(broken.send(at("/v1/responses", &body)).await).await);
    let (name, data) = events.last().unwrap();
    assert_eq!(name, "response.failed");
    assert_eq!(data["response"]["error"]["code"], "engine-failed");
}

#[tokio::test(start_paused = true)]
async fn a_response_in_one_piece_is_finished_and_not_stored() {
    let app = App::new(Simulator::echo());
    let whole = json_of(app.send(at("/v1/responses", &json!({"input": "one two"}))).await).await;
    assert_eq!((&whole["object"], &whole["status"]), (&json!("response"), &json!("completed")));
    assert_eq!(whole["output"][0]["content"][0]["text"], "one two");
    let id = whole["id"].as_str().unwrap();
    let gone = app.send(get_at(&format!("/v1/responses/{id}"))).await;
    assert_eq!((gone.status().as_u16(), code(gone).await.as_str()), (404, "not-stored"));
}

#[tokio::test(start_paused = true)]
async fn texts_become_vectors() {
    let app = App::new(Simulator::echo());
    let body = json!({"input": ["a red fox", "the sea"]});
    let none = app.send(at("/v1/embeddings", &body)).await;
    assert_eq!((none.status().as_u16(), code(none).await.as_str()), (404, "model-not-found"));

    app.inference.set_embedder(Arc::new(SimulatedEmbedder::default().with_max_tokens(3)));
    let made = json_of(app.send(at("/v1/embeddings", &body)).await).await;
    assert_eq!(made["data"][1]["index"], 1);
    assert_eq!(made["data"][0]["embedding"].as_array().unwrap().len(), 32);
    assert_eq!(made["usage"], json!({"prompt_tokens": 5, "total_tokens": 5}));
    let list = json_of(app.send(get_at("/v1/models")).await).await;
    assert_eq!(list["data"][1]["dimensions"], 32);

    for (body, status, code, param) in [
        (json!({"input": "a b c d"}), 400, "prompt-too-long", json!("input[0]")),
        (json!({"input": "a", "model": "x"}), 404, "model-not-found", Value::Null),
        (json!({"input": "a", "dimensions": 8}), 400, "unsupported-field", json!("dimensions")),
    ] {
        let refused = app.send(at("/v1/embeddings", &body)).await;
        assert_eq!(refused.status(), status, "{body}");
        let said = json_of(refused).await;
        assert_eq!((&said["error"]["code"], &said["error"]["param"]), (&json!(code), &param));
    }
}

/// A request for vectors by somebody of a tenant.
fn embed(tenant: &str, user: &str, texts: usize) -> Request<Body> {
    let caller = Caller::new(tenant, user, "a");
    let token = web::token::sign(&Credential::new(SECRET), &caller, now()).unwrap();
    let request = Request::post("/v1/embeddings");
    let request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
    request.body(Body::from(json!({"input": vec!["a red fox"; texts]}).to_string())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_wants_many_vectors_keeps_nobody_waiting() {
    let app = App::new(Simulator::echo());
    app.inference.credentials.set("other", tenant(SECRET));
    let embedder = SimulatedEmbedder::default().with_pace(Duration::from_secs(1));
    app.inference.set_embedder(Arc::new(embedder));
    let flood: Vec<_> = (0..100)
        .map(|user| tokio::spawn(app.router.clone().oneshot(embed("acme", &user.to_string(), 256))))
        .collect();
    settle().await;
    let refused = flood.iter().filter(|asked| asked.is_finished()).count();
    assert!((30..=40).contains(&refused), "a tenant has 64 places to wait: {refused}");

    let begun = tokio::time::Instant::now();
    let one = app.send(embed("other", "ada", 3)).await;
    assert_eq!(one.status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let metrics = app.inference.metrics();
    for line in [
        "inference_requests_total{outcome=\"answered\",class=\"starter\"} 1",
        "inference_tokens_total{model=\"simulated-embeddings\",kind=\"prompt\"} 9",
    ] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }
    assert!(metrics.contains("outcome=\"queue-full\""), "{metrics}");
    assert!(metrics.contains("inference_queue_depth{class=\"starter\"} 6"), "{metrics}");
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

/// A server whose guard says that.
fn guarded(says: &str) -> App {
    let mut app = App::new(Simulator::echo());
    app.inference = app.inference.with_rules(crate::safety::Rules::new().unwrap());
    let engine = Arc::new(Simulator::saying(says));
    let guard = ModelGuard::new(engine, SIMULATED_MODEL, Duration::from_secs(5));
    app.inference.set_guard(Arc::new(guard));
    app.router = router(app.inference.clone());
    app
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_asked_about_prompts_before_their_turn() {
    let app = guarded("{\"category\":\"none\"}");
    let whole = json_of(app.ask(question("one two. three")).await).await;
    assert_eq!(whole["choices"][0]["message"]["content"], "one two. three");

    let app = guarded("{\"category\":\"hate\"}");
    for body in [question("one two"), streamed("one two")] {
        let refused = app.ask(body).await;
        assert_eq!(refused.status(), 400);
        assert_eq!(code(refused).await, "refused-by-safety");
    }
    assert!(app.record().started.is_empty());
    assert_eq!(app.inference.load(), Load { running: 0, waiting: 0 });

    let unsure = guarded("hm");
    assert_eq!(unsure.ask(question("one two")).await.status(), 200, "the rules have judged");
    let mut strict = tenant(SECRET);
    strict.safety = Level::Maximum;
    unsure.inference.credentials.set("acme", strict);
    let refused = unsure.ask(question("one two")).await;
    assert_eq!((refused.status().as_u16(), code(refused).await.as_str()), (503, "engine-busy"));
}

/// Lets every prompt by, and no answer.
struct OfAnswers;

#[async_trait::async_trait]
impl Guard for OfAnswers {
    async fn judge(&self, _: &str, side: Side) -> Result<Verdict, GuardError> {
        Ok(match side {
            Side::Prompt => Verdict::Allow,
            Side::Answer => Verdict::Refuse(Category::Hate),
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_asked_about_answers_before_they_are_shown() {
    let app = guarded("");
    app.inference.set_guard(Arc::new(OfAnswers));
    let whole = json_of(app.ask(question("one two. three")).await).await;
    assert_eq!(whole["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(whole["choices"][0]["message"]["content"], "");
}

#[tokio::test(start_paused = true)]
async fn one_model_can_be_asked_about_and_another_is_not_there() {
    let app = App::new(Simulator::echo());
    let one = json_of(app.send(get_at("/v1/models/simulated")).await).await;
    assert_eq!((&one["id"], &one["object"]), (&json!("simulated"), &json!("model")));
    let other = app.send(get_at("/v1/models/gpt-99")).await;
    assert_eq!((other.status().as_u16(), code(other).await.as_str()), (404, "model-not-found"));
}

#[tokio::test(start_paused = true)]
async fn other_addresses_and_methods_are_refused_in_the_same_words() {
    let app = App::new(Simulator::echo());
    let nowhere = app.send(get_at("/v1/files")).await;
    assert_eq!((nowhere.status().as_u16(), code(nowhere).await.as_str()), (404, "not-found"));
    let wrong = app.send(get_at("/v1/chat/completions")).await;
    assert_eq!(wrong.headers()["allow"], "POST");
    assert_eq!((wrong.status().as_u16(), code(wrong).await.as_str()), (405, "not-this-way"));
}
