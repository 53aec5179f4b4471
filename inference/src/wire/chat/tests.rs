use serde_json::{Value, json};

use super::*;
use crate::engine::{Job, Role, Shape};
use crate::wire::tools::Calls;

fn parse(body: &Value) -> Result<Asked, Refusal> {
    read(body.to_string().as_bytes(), &Bounds::default())
}

fn job(body: &Value) -> Job {
    parse(body).unwrap_or_else(|refusal| panic!("{body}: {refusal:?}")).job
}

fn with(field: &str, value: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
    body[field] = value;
    body
}

#[test]
fn a_whole_request_becomes_a_job() {
    let asked = parse(&json!({
        "model": "m", "stream": true, "stream_options": {"include_usage": true},
        "messages": [
            {"role": "developer", "content": "be short"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        ],
        "max_tokens": 7, "temperature": 0.5, "top_p": 1, "seed": -1, "stop": "END",
        "logprobs": true, "top_logprobs": 3, "response_format": {"type": "text"},
        "n": 1, "user": "ignored", "presence_penalty": 0, "store": false, "metadata": {"a": "b"},
        "service_tier": "auto", "parallel_tool_calls": true, "tool_choice": "none",
        "logit_bias": {}, "modalities": ["text"], "reasoning_effort": null,
    }));
    let Ok(Asked { job, is_streamed, calls, .. }) = asked else { panic!() };
    assert!(is_streamed);
    assert_eq!(calls, Calls::Never);
    let Prompt::Chat(messages) = job.prompt else { panic!("{:?}", job.prompt) };
    assert_eq!(messages[0].role, Role::System);
    assert_eq!(messages[1].content, "ab");
    assert_eq!((job.max_tokens, job.seed), (7, Some(u64::MAX)));
    assert_eq!((job.stop, job.logprobs), (vec!["END".to_owned()], Some(3)));
    assert_eq!(job.shape, Shape::Free);
}

#[test]
fn what_must_have_a_shape_cannot_be_stopped_in_the_middle() {
    let call = json!({"type": "function", "function": {"name": "f"}});
    for (field, value) in [
        ("response_format", json!({"type": "json_object"})),
        ("tool_choice", json!("required")),
        ("tool_choice", call.clone()),
    ] {
        let mut body = with("stop", json!(["}"]));
        body["tools"] = json!([call]);
        if field == "response_format" {
            body["tool_choice"] = json!("none");
        }
        body[field] = value;
        let Err(refusal) = parse(&body) else { panic!("{body}") };
        let said = (refusal.param.as_deref(), refusal.problem.code);
        assert_eq!(said, (Some("stop"), "unsupported-field"), "{body}");
    }
    let mut free = with("stop", json!(["}"]));
    free["tools"] = json!([call]);
    assert!(parse(&free).is_ok(), "who may speak may be stopped");
}

#[test]
fn what_is_left_out_has_a_default() {
    let asked = parse(&with("model", Value::Null)).ok().unwrap();
    assert_eq!((asked.job.model.as_str(), asked.job.max_tokens), ("", 512));
    assert!(!asked.is_streamed);
}

#[test]
fn an_answer_can_be_sent_back_with_the_results_of_its_calls() {
    let function = json!({"name": "f", "arguments": "{\"a\": 1}"});
    let body = json!({
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": null, "refusal": null, "audio": null,
             "annotations": [], "function_call": null,
             "tool_calls": [{"id": "c", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "rain"}]},
        ],
    });
    let Prompt::Chat(messages) = job(&body).prompt else { panic!() };
    assert_eq!(
        messages[2].content,
        "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\":1}}\n</tool_call>"
    );
    assert_eq!(messages[3].content, "<tool_response>\nrain\n</tool_response>");
    assert_eq!(messages[3].role, Role::User);
}

/// Each value of a field is refused, by the name of a place and for a reason.
fn refused<'a>(cases: impl IntoIterator<Item = (&'a str, Value, &'a str, &'static str)>) {
    for (field, value, param, code) in cases {
        let Err(refusal) = parse(&with(field, value)) else { panic!("{param} {code}") };
        assert_eq!((refusal.param.as_deref(), refusal.problem.code), (Some(param), code));
        assert_eq!(refusal.problem.status, 400);
    }
}

#[test]
fn every_refusal_of_a_message_names_its_place() {
    let image = json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]);
    let part = |kind: &str| json!([{"role": "user", "content": [{"type": kind, kind: {}}]}]);
    let message = |message: Value| json!([message]);
    let calling = |function: Value| {
        let call = json!({"id": "c", "type": "function", "function": function});
        json!([{"role": "assistant", "tool_calls": [call]}])
    };
    refused(
        [
            (image, "messages[0].content[0]", "text-only"),
            (part("input_audio"), "messages[0].content[0]", "text-only"),
            (part("file"), "messages[0].content[0]", "text-only"),
            (message(json!({"role": "user"})), "messages[0].content", "text-only"),
            (
                message(json!({"role": "user", "content": ["a"]})),
                "messages[0].content[0]",
                "text-only",
            ),
            (message(json!({"role": "robot", "content": "x"})), "messages[0].role", "unknown-role"),
            (message(json!({"content": "x"})), "messages[0].role", "missing-field"),
            (message(json!("x")), "messages[0]", "wrong-type"),
            (
                message(json!({"role": "user", "content": "x", "tool_calls": []})),
                "messages[0].tool_calls",
                "unknown-field",
            ),
            (
                message(json!({"role": "tool", "content": "x"})),
                "messages[0].tool_call_id",
                "missing-field",
            ),
            (
                message(json!({"role": "tool", "content": "x", "tool_call_id": "y"})),
                "messages[0].tool_call_id",
                "unknown-tool-call",
            ),
            (
                calling(json!({"name": "f", "arguments": "{"})),
                "messages[0].tool_calls[0].function.arguments",
                "unusable-tool-call",
            ),
            (
                calling(json!({"name": "f<", "arguments": "{}"})),
                "messages[0].tool_calls[0].function.name",
                "out-of-range",
            ),
            (json!([]), "messages", "out-of-range"),
            (Value::Null, "messages", "missing-field"),
            (json!(vec![json!({"role": "user", "content": "x"}); 257]), "messages", "out-of-range"),
        ]
        .map(|(value, param, code)| ("messages", value, param, code)),
    );
}

#[test]
fn every_refusal_of_a_setting_names_its_field() {
    refused([
        ("model", json!(7), "model", "wrong-type"),
        ("max_tokens", json!(0), "max_tokens", "out-of-range"),
        ("max_tokens", json!(1.5), "max_tokens", "wrong-type"),
        ("max_completion_tokens", json!(4097), "max_completion_tokens", "out-of-range"),
        ("temperature", json!(2.1), "temperature", "out-of-range"),
        ("temperature", json!("hot"), "temperature", "wrong-type"),
        ("top_p", json!(0), "top_p", "out-of-range"),
        ("seed", json!(0.5), "seed", "wrong-type"),
        ("stop", json!(["a", "b", "c", "d", "e"]), "stop", "out-of-range"),
        ("stop", json!([1]), "stop", "wrong-type"),
        ("stream", json!("yes"), "stream", "wrong-type"),
        (
            "stream_options",
            json!({"include_obfuscation": true}),
            "stream_options.include_obfuscation",
            "unsupported-field",
        ),
        ("top_logprobs", json!(2), "top_logprobs", "unsupported-field"),
        ("top_logprobs", json!(21), "top_logprobs", "out-of-range"),
        ("n", json!(2), "n", "unsupported-field"),
        ("frequency_penalty", json!(0.1), "frequency_penalty", "unsupported-field"),
        ("logit_bias", json!({"50256": -100}), "logit_bias", "unsupported-field"),
        ("store", json!(true), "store", "unsupported-field"),
        ("modalities", json!(["text", "audio"]), "modalities", "unsupported-field"),
        ("audio", json!({}), "audio", "unsupported-field"),
        ("functions", json!([]), "functions", "unsupported-field"),
        ("function_call", json!("auto"), "function_call", "unsupported-field"),
        ("service_tier", json!("priority"), "service_tier", "unsupported-field"),
        ("reasoning_effort", json!("high"), "reasoning_effort", "unsupported-field"),
        ("web_search_options", json!({}), "web_search_options", "unsupported-field"),
        ("wrong", json!(1), "wrong", "unknown-field"),
    ]);
}
