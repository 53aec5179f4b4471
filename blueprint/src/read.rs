//! Text to blueprint: parse within bounds, then shape, then rules; every problem at once.

use serde_json::Value;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};

use crate::{
    PlatformBlueprint, places::Places, problem::Problem, rules, schema::file_schema, shape,
};

/// Largest text, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// Deepest nesting of lists and groups.
pub const MAX_DEPTH: usize = 32;
/// Most aliases (`*name`), and most that one anchor (`&name`) may be used.
pub const MAX_ALIASES: usize = 32;
/// Most values in a text, counting those that aliases repeat.
const MAX_NODES: usize = 20_000;

/// Reads a blueprint from YAML or JSON. A `status` in it is left aside: it is not a person's to
/// write.
pub fn read(text: &str) -> Result<PlatformBlueprint, Vec<Problem>> {
    let mut resource = parse(text).map_err(|problem| vec![problem])?;
    if let Some(fields) = resource.as_object_mut() {
        fields.remove("status");
    }
    let problems = problems(&resource);
    if !problems.is_empty() {
        return Err(placed(problems, text));
    }
    typed(resource).map_err(|problem| vec![problem])
}

/// Every problem of a blueprint that was made rather than read.
pub fn check(blueprint: &PlatformBlueprint) -> Vec<Problem> {
    match serde_json::to_value(blueprint) {
        Ok(mut resource) => {
            if let Some(fields) = resource.as_object_mut() {
                fields.remove("status");
            }
            problems(&resource)
        }
        Err(error) => vec![Problem::new("spec", error.to_string(), "plain values")],
    }
}

/// Each problem with its line, where its field can be found.
fn placed(problems: Vec<Problem>, text: &str) -> Vec<Problem> {
    let Some(places) = Places::of(text) else { return problems };
    let place = |problem: Problem| match places.find(&problem.path) {
        Some(place) => problem.at(place),
        None => problem,
    };
    problems.into_iter().map(place).collect()
}

/// A value within bounds, or why there is none.
pub(crate) fn parse(text: &str) -> Result<Value, Problem> {
    if text.len() > MAX_BYTES {
        let what = format!("the text has {} bytes", text.len());
        return Err(Problem::of_text(START, what, format!("at most {MAX_BYTES}")));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 1,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_total_scalar_bytes: MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 4,
            max_alias_expansions_per_anchor: MAX_ALIASES,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        emit_comments: false,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| unreadable(&error))
}

/// Line and column of the first letter.
const START: (usize, usize) = (1, 1);

fn unreadable(error: &serde_saphyr::Error) -> Problem {
    let place = error.location().map_or(START, |at| {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        (number(at.line()), number(at.column()))
    });
    let what = error.without_snippet().to_string();
    let instead = format!(
        "one YAML or JSON document of at most {MAX_BYTES} bytes, {MAX_DEPTH} levels and \
         {MAX_ALIASES} aliases, each field once"
    );
    Problem::of_text(place, what, instead)
}

/// Everything wrong with a whole resource, in order of path.
pub(crate) fn problems(resource: &Value) -> Vec<Problem> {
    let mut problems = shape::problems(file_schema(), resource);
    problems.extend(rules::problems(resource));
    problems.sort();
    problems.dedup_by(|a, b| a.path == b.path && a.what == b.what);
    problems
}

/// What has no problem has a type; an answer here is a rule that is missing in the table.
pub(crate) fn typed(resource: Value) -> Result<PlatformBlueprint, Problem> {
    serde_json::from_value(resource)
        .map_err(|error| Problem::new("spec", error.to_string(), "a value of the kind it names"))
}
