//! How the model is told what it may call, what it called, and what came of it.

use serde_json::json;

use super::call::Call;
use super::declared::Function;
use crate::engine::{Message, Role};
use crate::wire::conversation::Turn;

/// The beginnings of what the model reads as tags of the form.
const TAGS: [&str; 4] = ["<tool_", "</tool_", "<tools>", "</tools>"];

/// The conversation as text. Without a word about tools, it stays as it is.
pub(super) fn messages(turns: Vec<Turn>, functions: &[Function], must_call: bool) -> Vec<Message> {
    let is_plain = |turn: &Turn| matches!(turn, Turn::Said(_));
    let has_tools = !functions.is_empty() || !turns.iter().all(is_plain);
    let mut messages: Vec<Message> = Vec::with_capacity(turns.len() + 1);
    for turn in turns {
        match turn {
            Turn::Said(Message { role, content }) if has_tools && role != Role::System => {
                messages.push(Message { role, content: broken_up(&content) });
            }
            Turn::Said(message) => messages.push(message),
            Turn::Called(text, calls) => {
                let mut content = broken_up(&text);
                for call in &calls {
                    append(&mut content, &called(call));
                }
                add(&mut messages, Role::Assistant, &content);
            }
            Turn::Returned(text) => {
                let content = format!("<tool_response>\n{}\n</tool_response>", broken_up(&text));
                add(&mut messages, Role::User, &content);
            }
        }
    }
    if !functions.is_empty() {
        let told = instructions(functions, must_call);
        match messages.first_mut().filter(|first| first.role == Role::System) {
            Some(first) => {
                first.content.push('\n');
                append(&mut first.content, &told);
            }
            None => messages.insert(0, Message { role: Role::System, content: told }),
        }
    }
    messages
}

/// Goes on with the last message if it is of the same kind: several calls are one turn.
fn add(messages: &mut Vec<Message>, role: Role, content: &str) {
    let is_of_tools = |last: &&mut Message| {
        last.role == role && (role == Role::Assistant || last.content.ends_with("</tool_response>"))
    };
    match messages.last_mut().filter(is_of_tools) {
        Some(last) => append(&mut last.content, content),
        None => messages.push(Message { role, content: content.to_owned() }),
    }
}

fn append(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

fn called(Call { name, arguments, .. }: &Call) -> String {
    let arguments = escaped(arguments);
    format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>")
}

fn instructions(functions: &[Function], must_call: bool) -> String {
    let mut text =
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n\
                    You are provided with function signatures within <tools></tools> XML tags:\n\
                    <tools>"
            .to_owned();
    for Function { name, description, parameters, .. } in functions {
        let mut function = json!({"name": name, "parameters": parameters});
        if let Some(description) = description {
            function["description"] = json!(description);
        }
        let tool = json!({"type": "function", "function": function}).to_string();
        append(&mut text, &escaped(&tool));
    }
    append(&mut text, "</tools>\n");
    append(
        &mut text,
        if must_call {
            "Answer with one function call and nothing else, as a json object with function name \
             and arguments:\n{\"name\": <function-name>, \"arguments\": <args-json-object>}"
        } else {
            "For each function call, return a json object with function name and arguments within \
             <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \
             \"arguments\": <args-json-object>}\n</tool_call>"
        },
    );
    text
}

/// Text in which nothing is a tag: each is kept readable, and is none.
fn broken_up(text: &str) -> String {
    TAGS.iter().fold(text.to_owned(), |text, tag| text.replace(tag, &format!("< {}", &tag[1..])))
}

/// JSON that says the same and holds no tag: a `<` can only be inside a text there.
fn escaped(json: &str) -> String {
    TAGS.iter()
        .fold(json.to_owned(), |json, tag| json.replace(tag, &format!("\\u003c{}", &tag[1..])))
}
