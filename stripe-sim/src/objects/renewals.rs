//! What becomes of a subscription as its periods end and its invoices are paid, or are not.

use serde_json::{Value, json};

use crate::agenda::Due;
use crate::objects::bills::{self, Bill};
use crate::objects::{invoice_items, lines, meters};
use crate::state::State;
use crate::value::Read;

/// How long a first payment may take, in seconds.
const FIRST: i64 = 23 * 3_600;

/// Puts the end of the period that is on the agenda.
pub(crate) fn plan(state: &mut State, account: &str, subscription: &Value) {
    let clock = state.clock_of(account, subscription.text("customer"));
    let at = period(subscription).1;
    let cancel_at = subscription["cancel_at"].as_i64().unwrap_or(i64::MAX);
    let (account, id) = (account.to_owned(), subscription.text("id").to_owned());
    let due = Due::Period { account, subscription: id };
    state.agenda.put(clock, at.min(cancel_at), due);
}

/// Puts on the agenda that nobody paid the first invoice.
pub(crate) fn plan_first(state: &mut State, account: &str, subscription: &Value) {
    let clock = state.clock_of(account, subscription.text("customer"));
    let at = subscription.int("created") + FIRST;
    let (account, id) = (account.to_owned(), subscription.text("id").to_owned());
    state.agenda.put(clock, at, Due::First { account, subscription: id });
}

/// The period that is, by the first item.
pub(crate) fn period(subscription: &Value) -> (i64, i64) {
    let item = &subscription["items"]["data"][0];
    (item.int("current_period_start"), item.int("current_period_end"))
}

/// The invoice of a period: what was used in the last one, and what the next one costs.
pub(crate) fn cycle_lines(
    state: &mut State,
    account: &str,
    subscription: &Value,
    last: (i64, i64),
    next: (i64, i64),
) -> Vec<Value> {
    let items = subscription["items"]["data"].as_array().cloned().unwrap_or_default();
    let customer = subscription.text("customer");
    let mut out = Vec::new();
    for item in &items {
        let recurring = &item["price"]["recurring"];
        if recurring.text("usage_type") == "metered" {
            let used = meters::used(state, account, recurring.text("meter"), customer, last);
            out.push(lines::of_item(state, account, item, used, last));
        } else {
            let quantity = item["quantity"].as_i64().unwrap_or(1);
            out.push(lines::of_item(state, account, item, quantity, next));
        }
    }
    out
}

/// A period ends: the next one begins, or the subscription is over.
pub(crate) fn end_of_period(state: &mut State, account: &str, id: &str) {
    let Some(subscription) = state.look(account, "subscription", id).cloned() else { return };
    let now = state.time_of(account, subscription.text("customer"));
    let (start, end) = period(&subscription);
    let cancel_at = subscription["cancel_at"].as_i64().unwrap_or(i64::MAX);
    // Another plan was made meanwhile, or it has ended.
    let is_live = ["active", "trialing", "past_due"].contains(&subscription.text("status"));
    if !is_live || now < end.min(cancel_at) {
        return;
    }
    if cancel_at <= now {
        let last_use = metered_only(state, account, &subscription, (start, end.min(now)));
        finish(state, account, id, "cancellation_requested");
        if !last_use.is_empty() {
            bill(state, account, &subscription, last_use, (start, end.min(now)));
        }
        return;
    }
    let periods = subscription["_periods"].as_i64().unwrap_or(1) + 1;
    let recurring = subscription["items"]["data"][0]["price"]["recurring"].clone();
    let next = (end, lines::end_of(subscription.int("billing_cycle_anchor"), &recurring, periods));
    let was_trial = subscription.text("status") == "trialing";
    let before = subscription.clone();
    let after = state.change(account, "subscription", id, |subscription| {
        subscription["_periods"] = json!(periods);
        for item in subscription["items"]["data"].as_array_mut().into_iter().flatten() {
            item["current_period_start"] = json!(next.0);
            item["current_period_end"] = json!(next.1);
        }
        if was_trial {
            subscription["status"] = json!("active");
        }
    });
    state.emit_change(account, "customer.subscription.updated", &before, &after);
    let lines = cycle_lines(state, account, &after, (start, end), next);
    bill(state, account, &after, lines, (start, end));
    plan(state, account, &after);
}

fn metered_only(
    state: &mut State,
    account: &str,
    subscription: &Value,
    period: (i64, i64),
) -> Vec<Value> {
    let all = cycle_lines(state, account, subscription, period, period);
    let items = subscription["items"]["data"].as_array().cloned().unwrap_or_default();
    let metered =
        |(_, item): &(Value, &Value)| item["price"]["recurring"].text("usage_type") == "metered";
    all.into_iter().zip(&items).filter(metered).map(|(line, _)| line).collect()
}

/// A draft with these lines and whatever waits for the customer's next invoice.
fn bill(state: &mut State, account: &str, of: &Value, mut lines: Vec<Value>, period: (i64, i64)) {
    lines.extend(invoice_items::take(state, account, of.text("customer"), Some(of.text("id"))));
    let bill = Bill {
        customer: of.text("customer"),
        currency: of.text("currency"),
        reason: "subscription_cycle",
        subscription: Some(of),
        lines,
        period,
        advances: true,
    };
    let invoice = bills::draft(state, account, bill);
    state.change(account, "subscription", of.text("id"), |subscription| {
        subscription["latest_invoice"] = invoice["id"].clone();
    });
}

/// An invoice of a subscription was paid.
pub(crate) fn paid(state: &mut State, account: &str, invoice: &Value) {
    let Some(before) = state.look(account, "subscription", invoice.text("_subscription")) else {
        return;
    };
    let before = before.clone();
    let is_latest = before["latest_invoice"] == invoice["id"];
    let waits = ["incomplete", "past_due", "unpaid"].contains(&before.text("status"));
    if !is_latest || !waits {
        return;
    }
    let keeps = before["payment_settings"].text("save_default_payment_method") == "on_subscription";
    let intent = state.look(account, "payment_intent", invoice.text("_intent"));
    let method = intent.map(|intent| intent["payment_method"].clone());
    let after = state.change(account, "subscription", before.text("id"), |subscription| {
        subscription["status"] = json!("active");
        if let Some(method) = method.filter(|_| keeps) {
            subscription["default_payment_method"] = method;
        }
    });
    state.emit_change(account, "customer.subscription.updated", &before, &after);
}

/// An invoice of a subscription could not be paid.
pub(crate) fn unpaid(state: &mut State, account: &str, invoice: &Value, again: bool) {
    let Some(before) = state.look(account, "subscription", invoice.text("_subscription")) else {
        return;
    };
    let before = before.clone();
    if !["active", "past_due"].contains(&before.text("status")) {
        return;
    }
    if !again {
        finish(state, account, before.text("id"), "payment_failed");
        return;
    }
    let after = state.change(account, "subscription", before.text("id"), |subscription| {
        subscription["status"] = json!("past_due");
    });
    if before != after {
        state.emit_change(account, "customer.subscription.updated", &before, &after);
    }
}

/// Nobody paid in the first day.
pub(crate) fn first_is_over(state: &mut State, account: &str, id: &str) {
    let Some(before) = state.look(account, "subscription", id).cloned() else { return };
    if before.text("status") != "incomplete" {
        return;
    }
    bills::close(state, account, before.text("latest_invoice"), "void", "voided_at");
    let after = state.change(account, "subscription", id, |subscription| {
        subscription["status"] = json!("incomplete_expired");
    });
    state.emit_change(account, "customer.subscription.updated", &before, &after);
}

/// It is over.
pub(crate) fn finish(state: &mut State, account: &str, id: &str, why: &str) -> Value {
    let known = state.look(account, "subscription", id).cloned().unwrap_or_default();
    let now = state.time_of(account, known.text("customer"));
    let subscription = state.change(account, "subscription", id, |subscription| {
        subscription["status"] = json!("canceled");
        subscription["ended_at"] = json!(now);
        if subscription["canceled_at"].is_null() {
            subscription["canceled_at"] = json!(now);
        }
        subscription["cancellation_details"]["reason"] = json!(why);
    });
    state.emit(account, "customer.subscription.deleted", &subscription);
    subscription
}
