use serde_json::{Value, json};

use super::*;
use crate::engine::{Shape, Usage};
use crate::wire::answer::{Bit, Finish};
use crate::wire::asked::Head;
use crate::wire::tools::{Call, Calls};

fn parse(body: &Value) -> Result<Asked, Refusal> {
    read(body.to_string().as_bytes(), &Bounds::default())
}

fn head() -> Head {
    Head { request_id: "r".to_owned(), model: "m".to_owned(), created: 0 }
}

fn asked(body: &Value) -> Asked {
    parse(body).unwrap_or_else(|refusal| panic!("{body}: {refusal:?}"))
}

#[test]
fn a_conversation_with_a_call_becomes_a_job() {
    let asked = asked(&json!({
        "instructions": "be short", "store": false, "truncation": "disabled", "stream": true,
        "metadata": {"a": "b"}, "reasoning": {"effort": null}, "max_output_tokens": 9,
        "text": {"format": {"type": "text"}}, "include": ["reasoning.encrypted_content"],
        "tools": [{"type": "function", "name": "f", "description": null, "strict": true,
                   "parameters": {"type": "object"}}],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "wait", "annotations": [], "logprobs": []}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "rain"},
        ],
    }));
    let Prompt::Chat(messages) = &asked.job.prompt else { panic!() };
    let roles: Vec<_> = messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
    assert!(messages[2].content.starts_with("wait\n<tool_call>"));
    assert_eq!((asked.job.max_tokens, asked.is_streamed), (9, true));
    assert!(matches!(asked.calls, Calls::Chosen(_)));
    assert_eq!(asked.job.shape, Shape::Free);
}

#[test]
fn a_whole_answer_lists_its_items_and_what_it_was_asked_with() {
    let asked = asked(&json!({"input": "hi", "temperature": 0.5, "metadata": {"a": "b"}}));
    let call = Call { id: "call_r_0".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
    let bits = vec![
        Bit::Text("one ".to_owned(), vec![]),
        Bit::Text("two".to_owned(), vec![]),
        Bit::Call(call),
    ];
    let usage = Usage { prompt_tokens: 1, cached_tokens: 0, completion_tokens: 2 };
    let whole = (asked.form)(head()).whole(bits, Finish::Calls, usage);
    assert_eq!((&whole["id"], &whole["status"]), (&json!("resp_r"), &json!("completed")));
    assert_eq!(whole["output"][0]["content"][0]["text"], "one two");
    assert_eq!(whole["output"][1]["call_id"], "call_r_0");
    assert_eq!((&whole["temperature"], &whole["metadata"]["a"]), (&json!(0.5), &json!("b")));
    assert_eq!(whole["usage"]["total_tokens"], 3);

    let asked = self::asked(&json!({"input": "hi"}));
    let whole = (asked.form)(head()).whole(vec![], Finish::Length, usage);
    assert_eq!(whole["incomplete_details"]["reason"], "max_output_tokens");
}

#[test]
fn every_refusal_names_what_it_is_about() {
    let item = |item: Value| json!({"input": [item]});
    let with = |field: &str, value: Value| json!({"input": "hi", field: value});
    for (body, param, code) in [
        (json!({}), "input", "missing-field"),
        (json!({"input": 1}), "input", "wrong-type"),
        (json!({"input": []}), "input", "out-of-range"),
        (item(json!({"type": "item_reference", "id": "x"})), "input[0].type", "unsupported-field"),
        (
            item(
                json!({"role": "user", "content": [{"type": "input_image", "image_url": "http://x/"}]}),
            ),
            "input[0].content[0]",
            "text-only",
        ),
        (
            item(json!({"role": "user", "content": [{"type": "input_file", "file_id": "x"}]})),
            "input[0].content[0]",
            "text-only",
        ),
        (
            item(json!({"type": "function_call_output", "call_id": "x", "output": "y"})),
            "input[0].call_id",
            "unknown-tool-call",
        ),
        (
            with("previous_response_id", json!("resp_1")),
            "previous_response_id",
            "unsupported-field",
        ),
        (with("conversation", json!("conv_1")), "conversation", "unsupported-field"),
        (with("prompt", json!({"id": "x"})), "prompt", "unsupported-field"),
        (with("store", json!(true)), "store", "unsupported-field"),
        (with("background", json!(true)), "background", "unsupported-field"),
        (with("truncation", json!("auto")), "truncation", "unsupported-field"),
        (with("include", json!(["web_search_call.results"])), "include", "unsupported-field"),
        (with("reasoning", json!({"effort": "high"})), "reasoning.effort", "unsupported-field"),
        (with("tools", json!([{"type": "web_search"}])), "tools[0].type", "unsupported-field"),
        (with("text", json!({"verbosity": "high"})), "text.verbosity", "unsupported-field"),
        (with("metadata", json!(1)), "metadata", "wrong-type"),
        (with("max_output_tokens", json!(0)), "max_output_tokens", "out-of-range"),
        (with("messages", json!([])), "messages", "unknown-field"),
    ] {
        let Err(refusal) = parse(&body) else { panic!("{body}") };
        assert_eq!((refusal.param.as_deref(), refusal.problem.code), (Some(param), code));
    }
}
