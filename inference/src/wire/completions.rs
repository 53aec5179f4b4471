//! Completions: text that is gone on with.

use axum::response::sse::Event;
use serde_json::{Value, json};

use super::answer::{self, Bit, Finish, Form};
use super::asked::{Asked, Bounds, Head};
use super::fields::Fields;
use super::logprobs;
use super::refusal::Refusal;
use super::sampling::{self, Sampling};
use super::tools::Calls;
use crate::engine::{Prompt, Shape, Usage};

/// Reads the body of `POST /v1/completions`.
pub(crate) fn read(body: &[u8], bounds: &Bounds) -> Result<Asked, Refusal> {
    let mut fields = Fields::parse(body)?;
    let mut sampling = Sampling::read(&mut fields, &["max_tokens"], bounds)?;
    sampling.read_classic(&mut fields)?;
    let usage = sampling::stream_usage(&mut fields)?;
    let logprobs = fields.count("logprobs", 0..=logprobs::MOST_CLASSIC)?;
    let prompt = Prompt::Text(prompt(&mut fields)?);
    fields.skip(&["user"]);
    fields.neutral("best_of", |best| *best == 1, "only 1 answer a request is made.")?;
    fields.neutral("echo", |echo| *echo == false, "the prompt is not repeated.")?;
    fields.neutral("suffix", |suffix| suffix == "", "text is gone on with, not filled in.")?;
    fields.end()?;
    let is_streamed = sampling.is_streamed;
    let job = sampling.job(prompt, logprobs, Shape::Free);
    let form = move |head| -> Box<dyn Form> { Box::new(Reply::new(head, usage, logprobs)) };
    let calls = Calls::Never;
    Ok(Asked { job, is_verbatim: true, is_streamed, calls, form: Box::new(form) })
}

fn prompt(fields: &mut Fields) -> Result<String, Refusal> {
    let one = "send one text; tokens are not read.";
    let prompt = match fields.take("prompt").ok_or_else(|| fields.missing("prompt"))? {
        Value::Array(list) => match <[Value; 1]>::try_from(list) {
            Ok([prompt]) => prompt,
            Err(_) => return Err(Refusal::unsupported("prompt", one)),
        },
        prompt => prompt,
    };
    match prompt {
        Value::String(text) if text.is_empty() => {
            Err(Refusal::out_of_range("prompt", "it must not be empty."))
        }
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => Err(Refusal::unsupported("prompt", one)),
        other => Err(Refusal::wrong_type("prompt", "a text", &other)),
    }
}

struct Reply {
    head: Head,
    usage: bool,
    has_logprobs: bool,
    /// Characters of the answer until now.
    written: usize,
}

impl Reply {
    fn new(head: Head, usage: bool, logprobs: Option<usize>) -> Self {
        Self { head, usage, has_logprobs: logprobs.is_some(), written: 0 }
    }

    fn part(&self, text: &str, logprobs: &Value, finish: Option<Finish>) -> Value {
        let mut part = self.head();
        part["choices"] = json!([{
            "index": 0, "text": text, "logprobs": logprobs,
            "finish_reason": finish.map(Finish::name),
        }]);
        part
    }

    fn head(&self) -> Value {
        let Head { request_id, model, created } = &self.head;
        let id = format!("cmpl-{request_id}");
        json!({"id": id, "object": "text_completion", "created": created, "model": model})
    }
}

impl Form for Reply {
    fn opening(&mut self) -> Vec<Event> {
        Vec::new()
    }

    fn more(&mut self, bit: &Bit) -> Vec<Event> {
        let Bit::Text(text, tokens) = bit else { return Vec::new() };
        let logprobs =
            if self.has_logprobs { logprobs::classic(tokens, self.written) } else { Value::Null };
        self.written += text.chars().count();
        vec![answer::event(&self.part(text, &logprobs, None))]
    }

    fn ending(&mut self, finish: Finish, usage: Usage) -> Vec<Event> {
        let mut events = vec![answer::event(&self.part("", &Value::Null, Some(finish)))];
        if self.usage {
            let mut last = self.head();
            last["choices"] = json!([]);
            last["usage"] = answer::usage_json(usage);
            events.push(answer::event(&last));
        }
        events.push(answer::done());
        events
    }

    fn breaking(&mut self, refusal: &Refusal) -> Vec<Event> {
        vec![answer::event(&refusal.in_stream())]
    }

    fn whole(self: Box<Self>, bits: Vec<Bit>, finish: Finish, usage: Usage) -> Value {
        let (text, tokens, _) = answer::parts(bits);
        let logprobs = if self.has_logprobs { logprobs::classic(&tokens, 0) } else { Value::Null };
        let mut whole = self.part(&text, &logprobs, Some(finish));
        whole["usage"] = answer::usage_json(usage);
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_body(body: &Value) -> Result<Asked, Refusal> {
        read(body.to_string().as_bytes(), &Bounds::default())
    }

    #[test]
    fn one_text_is_gone_on_with() {
        for prompt in [json!("Once"), json!(["Once"])] {
            let body = json!({"prompt": prompt, "logprobs": 2, "echo": false, "suffix": null});
            let Ok(Asked { job, .. }) = read_body(&body) else { panic!("{body}") };
            assert_eq!(job.prompt, Prompt::Text("Once".to_owned()));
            assert_eq!(job.logprobs, Some(2));
        }
    }

    #[test]
    fn every_refusal_names_what_it_is_about() {
        for (body, param, code) in [
            (json!({}), "prompt", "missing-field"),
            (json!({"prompt": ""}), "prompt", "out-of-range"),
            (json!({"prompt": [1, 2]}), "prompt", "unsupported-field"),
            (json!({"prompt": [[1, 2]]}), "prompt", "unsupported-field"),
            (json!({"prompt": ["a", "b"]}), "prompt", "unsupported-field"),
            (json!({"prompt": {}}), "prompt", "wrong-type"),
            (json!({"prompt": "a", "logprobs": 6}), "logprobs", "out-of-range"),
            (json!({"prompt": "a", "logprobs": true}), "logprobs", "wrong-type"),
            (json!({"prompt": "a", "best_of": 2}), "best_of", "unsupported-field"),
            (json!({"prompt": "a", "echo": true}), "echo", "unsupported-field"),
            (json!({"prompt": "a", "suffix": "b"}), "suffix", "unsupported-field"),
            (json!({"prompt": "a", "messages": []}), "messages", "unknown-field"),
        ] {
            let Err(refusal) = read_body(&body) else { panic!("{body}") };
            assert_eq!((refusal.param.as_deref(), refusal.problem.code), (Some(param), code));
        }
    }
}
