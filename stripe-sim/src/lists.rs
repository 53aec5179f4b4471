//! Lists page by page, and search.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::refusal::Refusal;
use crate::value::Read;

/// Pages of one kind, newest first, by fields that equal a parameter.
pub(crate) fn list(call: &mut Call, kind: &'static str, filters: &[&'static str]) -> Outcome {
    let wanted = filters_of(call, filters);
    let objects: Vec<Value> = {
        let all = call.state.books.get(&call.account);
        let all = all.into_iter().flat_map(|books| books.all(kind).rev());
        // Who was deleted can be looked at, and is in no list.
        all.filter(|object| !object.flag("deleted"))
            .filter(|object| wanted.iter().all(|filter| filter.holds(object)))
            .cloned()
            .collect()
    };
    page(call, &objects, kind)
}

/// A page of what was found, newest first.
pub(crate) fn page(call: &mut Call, found: &[Value], kind: &str) -> Outcome {
    let limit = call.take_int("limit").unwrap_or(10);
    let (after, before) = (call.take_text("starting_after"), call.take_text("ending_before"));
    call.done()?;
    if !(1..=100).contains(&limit) {
        let message = "Invalid integer: a limit is from 1 to 100";
        return Err(Refusal::invalid(message).param("limit"));
    }
    let limit = usize::try_from(limit).unwrap_or(10);
    let place = |id: &str, param: &str| {
        let place = found.iter().position(|object| object.text("id") == id);
        place.ok_or_else(|| Refusal::missing(kind, id, param))
    };
    let (from, to) = match (after, before) {
        (Some(_), Some(_)) => {
            let message = "You can only use one of starting_after and ending_before";
            return Err(Refusal::invalid(message));
        }
        (Some(after), None) => (place(&after, "starting_after")? + 1, found.len()),
        (None, Some(before)) => (0, place(&before, "ending_before")?),
        (None, None) => {
            return Ok(told(call, &found[..limit.min(found.len())], found.len() > limit));
        }
    };
    // Before something are those next to it, not the first of all.
    let is_backward = from == 0 && to < found.len();
    let whole = &found[from.min(to)..to];
    let more = whole.len() > limit;
    let data = if is_backward {
        &whole[whole.len() - limit.min(whole.len())..]
    } else {
        &whole[..limit.min(whole.len())]
    };
    Ok(told(call, data, more))
}

fn told(call: &Call, data: &[Value], more: bool) -> Value {
    json!({ "object": "list", "data": data, "has_more": more, "url": call.url })
}

struct Filter {
    name: &'static str,
    wanted: Value,
}

fn filters_of(call: &mut Call, names: &[&'static str]) -> Vec<Filter> {
    let filter = |name: &&'static str| {
        let wanted = call.take(name)?;
        Some(Filter { name, wanted })
    };
    let mut filters: Vec<Filter> = names.iter().filter_map(filter).collect();
    filters.extend(call.take("created").map(|wanted| Filter { name: "created", wanted }));
    filters
}

impl Filter {
    fn holds(&self, object: &Value) -> bool {
        let (mut has, wanted) = (&object[self.name], &self.wanted);
        let beside = &object[format!("_{}", self.name)];
        if has.is_null() && !beside.is_null() {
            has = beside;
        }
        if let Some(range) = wanted.as_object() {
            let has = has.as_i64().unwrap_or_default();
            return range.iter().all(|(bound, value)| {
                let value = value.as_i64().unwrap_or_default();
                match bound.as_str() {
                    "gt" => has > value,
                    "gte" => has >= value,
                    "lt" => has < value,
                    _ => has <= value,
                }
            });
        }
        match wanted.as_array() {
            Some(any) => any.contains(has),
            None => has == wanted,
        }
    }
}

/// `metadata['key']:'value' AND status:'succeeded'`.
pub(crate) fn search(call: &mut Call, kind: &'static str) -> Outcome {
    let query = call.take_text("query").unwrap_or_default();
    let limit = usize::try_from(call.take_int("limit").unwrap_or(10)).unwrap_or(10);
    let page = call.take_text("page");
    call.done()?;
    let terms: Vec<Term> = query.split(" AND ").map(term).collect::<Result<_, _>>()?;
    let found: Vec<Value> = {
        let books = call.state.books.get(&call.account);
        let all = books.into_iter().flat_map(|books| books.all(kind).rev());
        all.filter(|object| terms.iter().all(|term| term.holds(object))).cloned().collect()
    };
    let from = page.and_then(|page| page.parse().ok()).unwrap_or(0).min(found.len());
    let to = (from + limit).min(found.len());
    let more = to < found.len();
    let next = if more { json!(to.to_string()) } else { Value::Null };
    Ok(json!({
        "object": "search_result", "data": found[from..to], "has_more": more, "next_page": next,
        "url": call.url,
    }))
}

struct Term {
    pointer: String,
    value: String,
}

fn term(text: &str) -> Result<Term, Refusal> {
    let wrong = || {
        let message = format!("We were unable to parse your search query at: {text}");
        Refusal::invalid(message).param("query").unbegun()
    };
    let (field, value) = text.trim().split_once(':').ok_or_else(wrong)?;
    let unquoted = |text: &str| text.trim_matches(['"', '\'']).to_owned();
    let pointer = match field.split_once('[') {
        Some((field, key)) => format!("/{field}/{}", unquoted(key.trim_end_matches(']'))),
        None => format!("/{field}"),
    };
    if value.starts_with(['<', '>']) || field.starts_with('-') {
        return Err(Refusal::not_simulated("a search for anything but equal values"));
    }
    Ok(Term { pointer, value: unquoted(value) })
}

impl Term {
    fn holds(&self, object: &Value) -> bool {
        match object.pointer(&self.pointer) {
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Number(number)) => number.to_string() == self.value,
            _ => false,
        }
    }
}
