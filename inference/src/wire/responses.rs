//! Responses: one answer to what is sent along, with events of its own. Nothing is stored, so
//! there is nothing to come back to.

mod input;
mod reply;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::answer::Form;
use super::asked::{Asked, Bounds};
use super::conversation::Turn;
use super::fields::Fields;
use super::refusal::Refusal;
use super::sampling::Sampling;
use super::tools::{Applied, Nesting, Tools};
use super::{logprobs, shape};
use crate::engine::{Message, Prompt, Role};
use reply::Reply;

const SKIPPED: [&str; 5] = [
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
];

/// Each would need something that is stored, or that is not done here.
const ABSENT: [&str; 9] = [
    "previous_response_id",
    "conversation",
    "prompt",
    "context_management",
    "max_tool_calls",
    "moderation",
    "image",
    "access_programs",
    "web_search_options",
];

/// Reads the body of `POST /v1/responses`.
pub(crate) fn read(body: &[u8], bounds: &Bounds) -> Result<Asked, Refusal> {
    let mut fields = Fields::parse(body)?;
    // Told back as they came, once they are known to be good.
    let told = |name: &str, otherwise: Value| fields.peek(name).cloned().unwrap_or(otherwise);
    let settings = json!({
        "instructions": told("instructions", Value::Null),
        "max_output_tokens": told("max_output_tokens", Value::Null),
        "metadata": told("metadata", json!({})),
        "parallel_tool_calls": told("parallel_tool_calls", json!(true)),
        "temperature": told("temperature", Value::Null),
        "tool_choice": told("tool_choice", json!("auto")),
        "tools": told("tools", json!([])),
        "top_p": told("top_p", Value::Null),
        "text": told("text", json!({"format": {"type": "text"}})),
    });
    let mut sampling = Sampling::read(&mut fields, &["max_output_tokens"], bounds)?;
    let logprobs = told_logprobs(&mut fields)?;
    let shape = match fields.object("text")? {
        None => shape::read(None)?,
        Some(mut text) => {
            let shape = shape::read(text.object("format")?)?;
            let instead = "say in the instructions how long it should be.";
            text.neutral("verbosity", |how| how == "medium", instead)?;
            text.end()?;
            shape
        }
    };
    let tools = Tools::read(&mut fields, Nesting::Flat)?;
    let mut turns = Vec::new();
    if let Some(content) = fields.text("instructions")? {
        turns.push(Turn::Said(Message { role: Role::System, content }));
    }
    turns.extend(input::read(&mut fields, bounds)?);
    neutral(&mut fields)?;
    fields.end()?;

    if logprobs.is_some() && tools.may_call() {
        let instead = "an answer that may call tools tells no logprobs.";
        return Err(Refusal::unsupported("include", instead));
    }
    let Applied { messages, shape, calls, is_verbatim, stop } =
        tools.apply(turns, shape, "text.format")?;
    sampling.stop.extend(stop);
    let is_streamed = sampling.is_streamed;
    let job = sampling.job(Prompt::Chat(messages), logprobs, shape);
    let form = move |head| -> Box<dyn Form> { Box::new(Reply::new(head, settings)) };
    Ok(Asked { job, is_verbatim, is_streamed, calls, form: Box::new(form) })
}

/// Reads `include` and `top_logprobs`.
fn told_logprobs(fields: &mut Fields) -> Result<Option<usize>, Refusal> {
    let mut wanted = false;
    for what in fields.list("include")?.unwrap_or_default() {
        match what.as_str() {
            Some("message.output_text.logprobs") => wanted = true,
            // Models answer at once, so there is never any.
            Some("reasoning.encrypted_content") => {}
            _ => return Err(Refusal::unsupported("include", "there is no such thing here.")),
        }
    }
    let others = fields.count("top_logprobs", 0..=logprobs::MOST)?;
    // Asking for them is asking for the tokens too.
    Ok(others.filter(|&others| others > 0).or(wanted.then_some(0)))
}

fn neutral(fields: &mut Fields) -> Result<(), Refusal> {
    fields.skip(&SKIPPED);
    fields.absent(&ABSENT)?;
    if let Some(metadata) = fields.take("metadata") {
        Fields::of(metadata, "metadata")?;
    }
    fields.neutral("store", |store| *store == false, "nothing is stored here.")?;
    fields.neutral("background", |value| *value == false, "answers are waited for.")?;
    fields.neutral("truncation", |how| how == "disabled", "send less; nothing is cut.")?;
    let is_usual = |tier: &Value| tier == "auto" || tier == "default";
    fields.neutral("service_tier", is_usual, "leave it out or set it to auto.")?;
    if let Some(mut reasoning) = fields.object("reasoning")? {
        let instead = "models answer at once; leave it out.";
        reasoning.neutral("effort", |effort| effort == "none", instead)?;
        reasoning.absent(&["summary", "generate_summary", "context_compression"])?;
        reasoning.end()?;
    }
    if let Some(mut options) = fields.object("stream_options")? {
        options.neutral("include_obfuscation", |value| *value == false, "leave it out.")?;
        options.end()?;
    }
    Ok(())
}
