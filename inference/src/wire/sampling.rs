//! The fields that all forms have: which model, how it draws tokens, when it stops.

use serde_json::Value;

use super::asked::Bounds;
use super::fields::{Fields, Low};
use super::refusal::Refusal;
use crate::engine::{Job, Owner, Prompt, Shape};

const MAX_STOPS: usize = 4;
const MAX_STOP_BYTES: usize = 128;

/// What was read of them.
pub(super) struct Sampling {
    pub(super) model: String,
    pub(super) max_tokens: usize,
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) seed: Option<u64>,
    pub(super) stop: Vec<String>,
    pub(super) is_streamed: bool,
}

impl Sampling {
    /// Reads them. The answer's length may be under any of the names `lengths`; the first counts.
    pub(super) fn read(
        fields: &mut Fields,
        lengths: &[&str],
        bounds: &Bounds,
    ) -> Result<Self, Refusal> {
        let mut max_tokens = None;
        for name in lengths {
            let more = fields.count(name, 1..=bounds.max_tokens)?;
            max_tokens = max_tokens.or(more);
        }
        Ok(Self {
            model: fields.text("model")?.unwrap_or_default(),
            max_tokens: max_tokens.unwrap_or(bounds.default_max_tokens),
            temperature: fields.number("temperature", Low::AtLeast(0.0), 2.0)?,
            top_p: fields.number("top_p", Low::Above(0.0), 1.0)?,
            seed: None,
            stop: Vec::new(),
            is_streamed: fields.flag("stream")?.unwrap_or(false),
        })
    }

    /// Reads what the older forms have besides, and refuses what they could ask for in vain.
    pub(super) fn read_classic(&mut self, fields: &mut Fields) -> Result<(), Refusal> {
        self.seed = seed(fields)?;
        self.stop = stops(fields)?;
        fields.neutral("n", |n| *n == 1, "only 1 answer a request is made.")?;
        let is_zero = |penalty: &Value| penalty.as_f64() == Some(0.0);
        for penalty in ["presence_penalty", "frequency_penalty"] {
            fields.neutral(penalty, is_zero, "leave it out or set it to 0.")?;
        }
        let is_empty = |bias: &Value| bias.as_object().is_some_and(serde_json::Map::is_empty);
        fields.neutral("logit_bias", is_empty, "leave it out.")
    }

    /// The job; `shape` is what the answer must look like.
    pub(super) fn job(self, prompt: Prompt, logprobs: Option<usize>, shape: Shape) -> Job {
        let Self { model, max_tokens, temperature, top_p, seed, stop, is_streamed: _ } = self;
        let owner = Owner::default();
        Job { model, prompt, max_tokens, temperature, top_p, seed, stop, logprobs, shape, owner }
    }
}

/// Whether a last event of a stream is to tell the usage.
pub(super) fn stream_usage(fields: &mut Fields) -> Result<bool, Refusal> {
    let Some(mut options) = fields.object("stream_options")? else { return Ok(false) };
    let usage = options.flag("include_usage")?;
    options.neutral("include_obfuscation", |value| *value == false, "leave it out.")?;
    options.end()?;
    Ok(usage == Some(true))
}

fn seed(fields: &mut Fields) -> Result<Option<u64>, Refusal> {
    let Some(seed) = fields.take("seed") else { return Ok(None) };
    // The sign only makes room for every number a client may send.
    let number = seed.as_u64().or_else(|| seed.as_i64().map(i64::cast_unsigned));
    number.map(Some).ok_or_else(|| Refusal::wrong_type("seed", "a whole number of 64 bits", &seed))
}

fn stops(fields: &mut Fields) -> Result<Vec<String>, Refusal> {
    let list = match fields.take("stop") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    let text = |stop| match stop {
        Value::String(stop) => Ok(stop),
        other => Err(Refusal::wrong_type("stop", "a text or a list of texts", &other)),
    };
    let stops: Vec<_> = list.into_iter().map(text).collect::<Result<_, _>>()?;
    let short = stops.iter().all(|stop| (1..=MAX_STOP_BYTES).contains(&stop.len()));
    if stops.len() <= MAX_STOPS && short {
        return Ok(stops);
    }
    let range = format!("at most {MAX_STOPS} texts of 1 to {MAX_STOP_BYTES} bytes.");
    Err(Refusal::out_of_range("stop", &range))
}
