//! What is sent along: one question, or the items of a conversation.

use serde_json::Value;

use crate::engine::{Message, Role};
use crate::wire::asked::Bounds;
use crate::wire::conversation::{self, Called, Turn};
use crate::wire::fields::Fields;
use crate::wire::refusal::{Refusal, clipped};
use crate::wire::tools::Call;

/// Parts of a message that are text.
const TEXTS: [&str; 3] = ["input_text", "output_text", "refusal"];

/// Reads `input`.
pub(super) fn read(fields: &mut Fields, bounds: &Bounds) -> Result<Vec<Turn>, Refusal> {
    let list = match fields.take("input").ok_or_else(|| fields.missing("input"))? {
        Value::String(content) => {
            return Ok(vec![Turn::Said(Message { role: Role::User, content })]);
        }
        Value::Array(list) => list,
        other => return Err(Refusal::wrong_type("input", "a text or a list of items", &other)),
    };
    conversation::in_bounds("input", list.len(), bounds)?;
    let mut called = Called::default();
    let turn = |(at, item)| turn(Fields::of(item, format!("input[{at}]"))?, &mut called);
    list.into_iter().enumerate().map(turn).collect()
}

fn turn(mut item: Fields, called: &mut Called) -> Result<Turn, Refusal> {
    let at = item.at("type");
    let kind = item.text("type")?.unwrap_or_else(|| "message".to_owned());
    // Of an item that came from here; nothing is known of it any more.
    item.skip(&["id", "status"]);
    let turn = match kind.as_str() {
        "message" => message(&mut item)?,
        "function_call" => {
            item.skip(&["caller", "namespace", "async"]);
            let id = item.needed_text("call_id")?;
            let call = Call::read(id, &mut item)?;
            called.note(&call);
            Turn::Called(String::new(), vec![call])
        }
        "function_call_output" => {
            let id = item.needed_text("call_id")?;
            called.check(&item.at("call_id"), &id)?;
            let output = item.take("output").ok_or_else(|| item.missing("output"))?;
            Turn::Returned(conversation::text(&item.at("output"), output, &TEXTS)?)
        }
        other => {
            let detail = format!("{} is no kind of item that is read here.", clipped(other));
            return Err(Refusal::unsupported(&at, &detail));
        }
    };
    item.end()?;
    Ok(turn)
}

fn message(item: &mut Fields) -> Result<Turn, Refusal> {
    let name = item.needed_text("role")?;
    let role = conversation::role(&item.at("role"), &name)?;
    let at = item.at("content");
    let content = item.take("content").ok_or_else(|| Refusal::not_text(&at))?;
    item.skip(&["phase"]);
    Ok(Turn::Said(Message { role, content: conversation::text(&at, content, &TEXTS)? }))
}
