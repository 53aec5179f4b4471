//! Chat completions.

mod reply;
#[cfg(test)]
mod tests;

use super::answer::Form;
use super::asked::{Asked, Bounds};
use super::fields::Fields;
use super::refusal::Refusal;
use super::sampling::{self, Sampling};
use super::tools::{Applied, Nesting, Tools};
use super::{conversation, logprobs, shape};
use crate::engine::{Prompt, Shape};
use reply::Reply;

/// Says nothing that we could go by: who asks is said by the token, and nothing is kept.
const SKIPPED: [&str; 6] = [
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
];

/// Not done here.
const ABSENT: [&str; 5] = ["audio", "moderation", "prediction", "web_search_options", "functions"];

/// Reads the body of `POST /v1/chat/completions`.
pub(crate) fn read(body: &[u8], bounds: &Bounds) -> Result<Asked, Refusal> {
    let mut fields = Fields::parse(body)?;
    let lengths = ["max_completion_tokens", "max_tokens"];
    let mut sampling = Sampling::read(&mut fields, &lengths, bounds)?;
    sampling.read_classic(&mut fields)?;
    let usage = sampling::stream_usage(&mut fields)?;
    let logprobs = logprobs::of_chat(&mut fields)?;
    let shape = shape::read(fields.object("response_format")?)?;
    let tools = Tools::read(&mut fields, Nesting::Wrapped)?;
    let turns = conversation::read(&mut fields, bounds)?;
    neutral(&mut fields)?;
    fields.end()?;

    if logprobs.is_some() && tools.may_call() {
        let instead = "an answer that may call tools tells none.";
        return Err(Refusal::unsupported("logprobs", instead));
    }
    let Applied { messages, shape, calls, is_verbatim, stop } =
        tools.apply(turns, shape, "response_format")?;
    // It would end in the middle, and be nothing of that shape.
    if !sampling.stop.is_empty() && shape != Shape::Free {
        let instead = "an answer that must be JSON or a call is told whole; leave it out.";
        return Err(Refusal::unsupported("stop", instead));
    }
    sampling.stop.extend(stop);
    let is_streamed = sampling.is_streamed;
    let job = sampling.job(Prompt::Chat(messages), logprobs, shape);
    let form = move |head| -> Box<dyn Form> { Box::new(Reply::new(head, usage, logprobs)) };
    Ok(Asked { job, is_verbatim, is_streamed, calls, form: Box::new(form) })
}

fn neutral(fields: &mut Fields) -> Result<(), Refusal> {
    fields.skip(&SKIPPED);
    fields.absent(&ABSENT)?;
    fields.neutral("function_call", |call| call == "none", "use tools and tool_choice.")?;
    fields.neutral("store", |store| *store == false, "nothing is stored here.")?;
    let is_text = |modes: &serde_json::Value| *modes == serde_json::json!(["text"]);
    fields.neutral("modalities", is_text, "answers are text.")?;
    let is_usual = |tier: &serde_json::Value| tier == "auto" || tier == "default";
    fields.neutral("service_tier", is_usual, "leave it out or set it to auto.")?;
    let is_none = |effort: &serde_json::Value| effort == "none";
    fields.neutral("reasoning_effort", is_none, "models answer at once; leave it out.")?;
    fields.neutral("verbosity", |how| how == "medium", "say in a message how long it should be.")
}
