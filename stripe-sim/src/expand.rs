//! `expand[]=data.customer`: ids become what they name.

use serde_json::Value;

use crate::refusal::Refusal;
use crate::state::State;
use crate::value::{Read, list_of};

/// How deep Stripe goes.
const DEEPEST: usize = 4;

/// Expands one path in an answer.
pub(crate) fn expand(
    state: &State,
    account: &str,
    answer: &mut Value,
    path: &str,
) -> Result<(), Refusal> {
    let names: Vec<&str> = path.split('.').collect();
    if names.len() > DEEPEST {
        let message = format!("You cannot expand more than {DEEPEST} levels of a property: {path}");
        return Err(Refusal::invalid(message).param("expand").unbegun());
    }
    walk(state, account, answer, &names).ok_or_else(|| {
        let message = format!("This property cannot be expanded ({path}).");
        Refusal::invalid(message).param("expand").unbegun()
    })
}

fn walk(state: &State, account: &str, at: &mut Value, names: &[&str]) -> Option<()> {
    if let Value::Array(items) = at {
        return items.iter_mut().try_for_each(|item| walk(state, account, item, names));
    }
    let Some((&name, rest)) = names.split_first() else { return Some(()) };
    if let Some(included) = included(state, account, at, name) {
        at[name] = included;
    }
    let inner = at.as_object_mut()?.get_mut(name)?;
    match inner {
        Value::String(id) => {
            let found = state.books.get(account).and_then(|books| books.find(id));
            let anywhere = || state.books.values().find_map(|books| books.find(id));
            let found = found.or_else(anywhere)?.clone();
            *inner = found;
        }
        // Nothing there, so nothing to expand.
        Value::Null => return Some(()),
        Value::Object(_) | Value::Array(_) => {}
        _ => return None,
    }
    walk(state, account, inner, rest)
}

/// What an object has only when it is asked for.
fn included(state: &State, account: &str, object: &Value, name: &str) -> Option<Value> {
    let books = state.books.get(account)?;
    let id = object.text("id");
    let of = |kind, field: &str, url: String| {
        let whose = |other: &&Value| other.text(field) == id;
        let found: Vec<Value> = books.all(kind).rev().filter(whose).cloned().collect();
        Some(list_of(&found, &url))
    };
    match (object.text("object"), name) {
        ("charge", "refunds") => of("refund", "charge", format!("/v1/charges/{id}/refunds")),
        ("invoice", "payments") => {
            of("invoice_payment", "invoice", format!("/v1/invoice_payments?invoice={id}"))
        }
        ("customer", "subscriptions") => {
            of("subscription", "customer", format!("/v1/customers/{id}/subscriptions"))
        }
        ("checkout.session", "line_items") => {
            let items = object["_line_items"].as_array().cloned().unwrap_or_default();
            Some(list_of(&items, &format!("/v1/checkout/sessions/{id}/line_items")))
        }
        ("price", "tiers") => Some(object["_tiers"].clone()),
        ("invoice", "confirmation_secret") => {
            let secret = &object["_confirmation_secret"];
            Some(secret.clone())
        }
        _ => None,
    }
}
