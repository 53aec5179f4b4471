//! What is paid again and again.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::lists;
use crate::objects::bills::{self, Bill};
use crate::objects::{customers, invoice_items, lines, prices, prorations, renewals};
use crate::refusal::Refusal;
use crate::state::State;
use crate::value::{Fields, Read, list_of, merge_metadata};

/// What is written as it is given.
const FIELDS: [&str; 8] = [
    "application_fee_percent",
    "cancel_at",
    "collection_method",
    "days_until_due",
    "default_payment_method",
    "description",
    "on_behalf_of",
    "transfer_data",
];

pub(crate) fn create(call: &mut Call) -> Outcome {
    let customer = call.take_text("customer").unwrap_or_default();
    let known = call.state.get(&call.account, "customer", &customer, "customer")?;
    customers::check_there(&known)?;
    let now = call.state.time_of(&call.account, &customer);
    let mut subscription = blank(call, &known, now);
    let wanted = call.take_list("items");
    let behaviour = call.take_text("payment_behavior");
    let (days, end) = (call.take_int("trial_period_days"), call.take("trial_end"));
    for name in ["off_session", "proration_behavior", "currency", "billing_mode"] {
        call.take(name);
    }
    write(call, &mut subscription)?;
    subscription["metadata"] = call.metadata();
    call.done()?;
    let trial_end = end.and_then(|end| end.as_i64()).or(days.map(|days| now + days * 86_400));
    let items = new_items(call, subscription.text("id"), &wanted)?;
    begin(&mut subscription, items, now, trial_end)?;
    let account = call.account.clone();
    call.state.put(&account, "subscription", subscription.clone());
    call.state.emit(&account, "customer.subscription.created", &subscription);
    renewals::plan(call.state, &account, &subscription);
    let first = first_invoice(call.state, &account, &subscription);
    let is_open = first.text("status") == "open";
    let is_charged = subscription.text("collection_method") == "charge_automatically";
    if is_open && is_charged {
        call.state.change(&account, "subscription", subscription.text("id"), |subscription| {
            subscription["status"] = json!("incomplete");
        });
        renewals::plan_first(call.state, &account, &subscription);
        let behaviour = behaviour.as_deref().unwrap_or("allow_incomplete");
        if behaviour != "default_incomplete" {
            let tried = bills::attempt(call.state, &account, first.text("id"), None);
            if let (Err(refusal), "error_if_incomplete") = (tried, behaviour) {
                forget(call.state, &account, &subscription, &first);
                return Err(refusal);
            }
        }
    }
    call.state.get(&account, "subscription", subscription.text("id"), "id")
}

fn blank(call: &mut Call, customer: &Value, now: i64) -> Value {
    let id = call.state.id("sub");
    json!({
        "id": id, "object": "subscription",
        "application": (call.account != crate::state::PLATFORM).then_some("ca_simulated"),
        "application_fee_percent": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor": now, "billing_cycle_anchor_config": null,
        "billing_mode": { "flexible": { "proration_discounts": "included" }, "type": "flexible" },
        "billing_schedules": [],
        "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": "charge_automatically", "created": now, "currency": "usd",
        "customer": customer["id"], "customer_account": null, "days_until_due": null,
        "default_payment_method": null, "managed_payments": null,
        "default_source": null, "default_tax_rates": [], "description": null, "discounts": [],
        "ended_at": null,
        "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
        "items": list_of(&[], &format!("/v1/subscription_items?subscription={id}")),
        "latest_invoice": null, "livemode": false, "metadata": {},
        "next_pending_invoice_item_invoice": null, "on_behalf_of": null,
        "pause_collection": null,
        "payment_settings": {
            "payment_method_options": null, "payment_method_types": null,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": null, "pending_setup_intent": null,
        "pending_update": null, "schedule": null, "start_date": now, "status": "active",
        "test_clock": customer["test_clock"], "transfer_data": null, "trial_end": null,
        "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
        "trial_start": null, "_periods": 1,
    })
}

/// What can be given at the beginning and later.
fn write(call: &mut Call, subscription: &mut Value) -> Result<(), Refusal> {
    for name in FIELDS {
        if let Some(value) = call.take(name) {
            subscription[name] = if value == "" { Value::Null } else { value };
        }
    }
    if let Some(at_end) = call.take("cancel_at_period_end") {
        subscription["cancel_at_period_end"] = at_end;
    }
    if let Some(settings) = call.take("payment_settings") {
        for (name, value) in settings.as_object().into_iter().flatten() {
            subscription["payment_settings"][name] = value.clone();
        }
    }
    if call.take("automatic_tax").is_some_and(|tax| tax.flag("enabled")) {
        return Err(Refusal::not_simulated("automatic tax"));
    }
    if let Some(method) = subscription.maybe("default_payment_method") {
        call.state.get(&call.account, "payment_method", &method, "default_payment_method")?;
    }
    Ok(())
}

/// Items with their prices, without periods.
fn new_items(call: &mut Call, id: &str, wanted: &[Value]) -> Result<Vec<Value>, Refusal> {
    let mut items = Vec::new();
    for (place, given) in wanted.iter().enumerate() {
        items.push(new_item(call, id, given, place)?);
    }
    if items.is_empty() {
        let message = "Missing required param: items.";
        return Err(Refusal::invalid(message).code("parameter_missing").param("items"));
    }
    Ok(items)
}

fn new_item(call: &mut Call, id: &str, given: &Value, place: usize) -> Outcome {
    for name in given.as_object().into_iter().flat_map(Fields::keys) {
        if !["id", "price", "price_data", "quantity", "metadata"].contains(&name.as_str()) {
            return Err(Refusal::not_simulated(&format!("items[{place}][{name}]")));
        }
    }
    let price = match given.maybe("price") {
        Some(price) => {
            call.state.get(&call.account, "price", &price, &format!("items[{place}][price]"))?
        }
        None => prices::from(call, &given["price_data"])?,
    };
    if price["recurring"].is_null() {
        let message = format!(
            "The price specified is set to `type=one_time` but this field only accepts prices with \
             `type=recurring`: {}",
            price.text("id")
        );
        return Err(Refusal::invalid(message).param(format!("items[{place}][price]")));
    }
    let is_metered = price["recurring"].text("usage_type") == "metered";
    let mut metadata = json!({});
    merge_metadata(&mut metadata, &given["metadata"]);
    let mut item = json!({
        "id": call.state.id("si"), "object": "subscription_item", "billing_thresholds": null,
        "created": call.state.now, "current_period_end": 0, "current_period_start": 0,
        "discounts": [], "metadata": metadata, "price": price, "subscription": id,
        "tax_rates": [],
    });
    if !is_metered {
        item["quantity"] = json!(given["quantity"].as_i64().unwrap_or(1));
    }
    Ok(item)
}

/// The first period, or the trial before it.
fn begin(
    subscription: &mut Value,
    mut items: Vec<Value>,
    now: i64,
    trial_end: Option<i64>,
) -> Result<(), Refusal> {
    let first = items[0]["price"].clone();
    let recurring = &first["recurring"];
    let is_alike = |item: &Value| {
        let other = &item["price"]["recurring"];
        item["price"]["currency"] == first["currency"]
            && other["interval"] == recurring["interval"]
            && other["interval_count"] == recurring["interval_count"]
    };
    if !items.iter().all(is_alike) {
        return Err(Refusal::not_simulated("items with different currencies or intervals"));
    }
    let trial_end = trial_end.filter(|end| *end > now);
    let (anchor, end) = match trial_end {
        Some(end) => (end, end),
        None => (now, lines::end_of(now, recurring, 1)),
    };
    for item in &mut items {
        item["current_period_start"] = json!(now);
        item["current_period_end"] = json!(end);
    }
    subscription["billing_cycle_anchor"] = json!(anchor);
    subscription["currency"] = first["currency"].clone();
    subscription["items"]["data"] = json!(items);
    if trial_end.is_some() {
        subscription["status"] = json!("trialing");
        subscription["trial_start"] = json!(now);
        subscription["trial_end"] = json!(trial_end);
        subscription["_periods"] = json!(0);
    }
    settle_end(subscription);
    Ok(())
}

/// When it ends by itself, if it does.
fn settle_end(subscription: &mut Value) {
    let end = renewals::period(subscription).1;
    if subscription.flag("cancel_at_period_end") {
        subscription["cancel_at"] = json!(end);
    }
}

/// What is owed at once; during a trial nothing.
fn first_invoice(state: &mut State, account: &str, subscription: &Value) -> Value {
    let period = renewals::period(subscription);
    let mut all = Vec::new();
    let items = subscription["items"]["data"].as_array().cloned().unwrap_or_default();
    let is_trial = subscription.text("status") == "trialing";
    for item in items.iter().filter(|item| item["quantity"].is_i64()) {
        let mut line = lines::of_item(state, account, item, item.int("quantity"), period);
        if is_trial {
            line["amount"] = json!(0);
            line["subtotal"] = json!(0);
        }
        all.push(line);
    }
    all.extend(invoice_items::take(
        state,
        account,
        subscription.text("customer"),
        Some(subscription.text("id")),
    ));
    let bill = Bill {
        customer: subscription.text("customer"),
        currency: subscription.text("currency"),
        reason: "subscription_create",
        subscription: Some(subscription),
        lines: all,
        period: (period.0, period.0),
        advances: false,
    };
    let invoice = bills::draft(state, account, bill);
    state.change(account, "subscription", subscription.text("id"), |subscription| {
        subscription["latest_invoice"] = invoice["id"].clone();
    });
    bills::finalize(state, account, invoice)
}

/// As if it had never been made.
fn forget(state: &mut State, account: &str, subscription: &Value, invoice: &Value) {
    bills::close(state, account, invoice.text("id"), "void", "voided_at");
    state.of(account).shelf_mut("subscription").remove(subscription.text("id"));
}

pub(crate) fn list(call: &mut Call) -> Outcome {
    let status = call.take_text("status");
    if status.as_deref() == Some("all") {
        return lists::list(call, "subscription", &["customer", "collection_method"]);
    }
    let customer = call.take_text("customer");
    let price = call.take_text("price");
    let mut found = call.state.all(&call.account, "subscription");
    found.reverse();
    found.retain(|subscription| {
        let has = subscription.text("status");
        let ended = ["canceled", "incomplete_expired"].contains(&has);
        let items = subscription["items"]["data"].as_array();
        let has_price = |price: &String| {
            items.is_some_and(|items| items.iter().any(|i| i["price"]["id"] == **price))
        };
        status.as_deref().map_or(!ended, |wanted| wanted == has)
            && customer.as_deref().is_none_or(|id| subscription.text("customer") == id)
            && price.as_ref().is_none_or(has_price)
    });
    lists::page(call, &found, "subscription")
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let before = call.object("subscription", "subscription_exposed_id")?;
    if ["canceled", "incomplete_expired"].contains(&before.text("status")) {
        let message = "A canceled subscription can only update its cancellation_details and \
                       metadata.";
        return Err(Refusal::invalid(message));
    }
    let mut after = before.clone();
    let wanted = call.take_list("items");
    let prorates = call.take_text("proration_behavior");
    let at = call.take_int("proration_date");
    let trial_end = call.take("trial_end");
    let was_to_end = after.flag("cancel_at_period_end");
    let is_said = after["cancel_at"].clone();
    for name in ["payment_behavior", "off_session"] {
        call.take(name);
    }
    write(call, &mut after)?;
    if let Some(given) = call.take("metadata") {
        merge_metadata(&mut after["metadata"], &given);
    }
    call.done()?;
    let now = call.state.time_of(&call.account, after.text("customer"));
    if was_to_end && !after.flag("cancel_at_period_end") && after["cancel_at"] == is_said {
        after["cancel_at"] = Value::Null;
        after["canceled_at"] = Value::Null;
    }
    settle_end(&mut after);
    if after["cancel_at"] != before["cancel_at"] && !after["cancel_at"].is_null() {
        after["canceled_at"] = json!(now);
        after["cancellation_details"]["reason"] = json!("cancellation_requested");
    }
    if trial_end.is_some() && trial_end != Some(json!("now")) {
        return Err(Refusal::not_simulated("another end of a trial than now"));
    }
    change_items(call, &mut after, &wanted)?;
    let how = Change { prorates: prorates.as_deref().unwrap_or("create_prorations"), at, now };
    let account = call.account.clone();
    Ok(carry_out(call.state, &account, &before, after, &how, trial_end.is_some()))
}

fn change_items(call: &mut Call, after: &mut Value, wanted: &[Value]) -> Result<(), Refusal> {
    let id = after.text("id").to_owned();
    let (start, end) = renewals::period(after);
    let mut items = after["items"]["data"].as_array().cloned().unwrap_or_default();
    for (place, given) in wanted.iter().enumerate() {
        let Some(known) = given.maybe("id") else {
            let mut item = new_item(call, &id, given, place)?;
            item["current_period_start"] = json!(start);
            item["current_period_end"] = json!(end);
            items.push(item);
            continue;
        };
        let Some(at) = items.iter().position(|item| item.text("id") == known) else {
            return Err(Refusal::missing("subscription_item", &known, "items"));
        };
        if given.flag("deleted") {
            items.remove(at);
            continue;
        }
        let mut given = given.clone();
        if given["price"].is_null() && given["price_data"].is_null() {
            given["price"] = items[at]["price"]["id"].clone();
        }
        if given["quantity"].is_null() {
            given["quantity"] = items[at]["quantity"].clone();
        }
        let made = new_item(call, &id, &given, place)?;
        items[at]["price"] = made["price"].clone();
        items[at]["quantity"] = made["quantity"].clone();
        if given["metadata"].is_object() {
            merge_metadata(&mut items[at]["metadata"], &given["metadata"]);
        }
    }
    if items.is_empty() {
        let message = "A subscription must have at least one active plan.";
        return Err(Refusal::invalid(message).param("items"));
    }
    after["items"]["data"] = json!(items);
    Ok(())
}

/// How a change is charged.
struct Change<'a> {
    prorates: &'a str,
    at: Option<i64>,
    now: i64,
}

fn carry_out(
    state: &mut State,
    account: &str,
    before: &Value,
    mut after: Value,
    how: &Change,
    ends_trial: bool,
) -> Value {
    let recurring =
        |subscription: &Value| subscription["items"]["data"][0]["price"]["recurring"].clone();
    let (old, new) = (recurring(before), recurring(&after));
    let is_other = |name: &str| old[name] != new[name];
    let is_trial = before.text("status") == "trialing";
    let begins_anew = ends_trial || is_other("interval") || is_other("interval_count");
    let mut owed = Vec::new();
    if how.prorates != "none" && !is_trial {
        let at = how.at.unwrap_or(how.now);
        owed = prorations::lines(state, account, before, &after, at, !begins_anew);
    }
    if begins_anew {
        let end = lines::end_of(how.now, &new, 1);
        after["billing_cycle_anchor"] = json!(how.now);
        after["_periods"] = json!(1);
        after["status"] = json!("active");
        if ends_trial {
            after["trial_end"] = json!(how.now);
        }
        for item in after["items"]["data"].as_array_mut().into_iter().flatten() {
            item["current_period_start"] = json!(how.now);
            item["current_period_end"] = json!(end);
        }
        settle_end(&mut after);
        let items = after["items"]["data"].as_array().cloned().unwrap_or_default();
        for item in items.iter().filter(|item| item["quantity"].is_i64()) {
            let period = (how.now, end);
            owed.push(lines::of_item(state, account, item, item.int("quantity"), period));
        }
    }
    let (id, customer) = (after.text("id").to_owned(), after.text("customer").to_owned());
    state.put(account, "subscription", after.clone());
    state.emit_change(account, "customer.subscription.updated", before, &after);
    renewals::plan(state, account, &after);
    if begins_anew || (how.prorates == "always_invoice" && !owed.is_empty()) {
        owed.extend(invoice_items::take(state, account, &customer, Some(&id)));
        invoice_now(state, account, &after, owed, how.now);
    } else {
        for line in &owed {
            invoice_items::keep(state, account, &customer, line);
        }
    }
    state.look(account, "subscription", &id).cloned().unwrap_or_default()
}

fn invoice_now(state: &mut State, account: &str, of: &Value, lines: Vec<Value>, now: i64) {
    let bill = Bill {
        customer: of.text("customer"),
        currency: of.text("currency"),
        reason: "subscription_update",
        subscription: Some(of),
        lines,
        period: (now, now),
        advances: false,
    };
    let invoice = bills::draft(state, account, bill);
    let invoice = state.change(account, "invoice", invoice.text("id"), |invoice| {
        invoice["auto_advance"] = json!(true);
    });
    state.change(account, "subscription", of.text("id"), |subscription| {
        subscription["latest_invoice"] = invoice["id"].clone();
    });
    let invoice = bills::finalize(state, account, invoice);
    bills::collect(state, account, &invoice);
}

/// Ends it now.
pub(crate) fn cancel(call: &mut Call) -> Outcome {
    let before = call.object("subscription", "subscription_exposed_id")?;
    let (invoices, prorates) = (call.take_flag("invoice_now"), call.take_flag("prorate"));
    let details = call.take("cancellation_details").unwrap_or_default();
    call.done()?;
    if ["canceled", "incomplete_expired"].contains(&before.text("status")) {
        return Err(Refusal::missing("subscription", before.text("id"), "id"));
    }
    let (account, id) = (call.account.clone(), before.text("id").to_owned());
    let now = call.state.time_of(&account, before.text("customer"));
    call.state.change(&account, "subscription", &id, |subscription| {
        for (name, value) in details.as_object().into_iter().flatten() {
            subscription["cancellation_details"][name] = value.clone();
        }
    });
    let mut owed = Vec::new();
    if prorates {
        owed = prorations::lines(call.state, &account, &before, &before, now, false);
    }
    let ended = renewals::finish(call.state, &account, &id, "cancellation_requested");
    if invoices && !owed.is_empty() {
        invoice_now(call.state, &account, &ended, owed, now);
    } else {
        for line in &owed {
            invoice_items::keep(call.state, &account, before.text("customer"), line);
        }
    }
    call.state.get(&account, "subscription", &id, "id")
}

/// A customer goes, and with them what they pay.
pub(crate) fn end_all_of(state: &mut State, account: &str, customer: &str) {
    let mut all = state.all(account, "subscription");
    all.retain(|subscription| {
        subscription.text("customer") == customer && subscription["ended_at"].is_null()
    });
    for subscription in all {
        renewals::finish(state, account, subscription.text("id"), "cancellation_requested");
    }
}
