//! Invoices, as they are asked for. What becomes of them is in [`bills`].

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::lists;
use crate::objects::bills::{self, Bill};
use crate::objects::{customers, invoice_items, renewals, subscriptions};
use crate::refusal::Refusal;
use crate::state::State;
use crate::value::{Read, merge_metadata};

/// What is written as it is given, until the invoice is finalized.
const FIELDS: [&str; 10] = [
    "auto_advance",
    "collection_method",
    "custom_fields",
    "default_payment_method",
    "description",
    "due_date",
    "footer",
    "number",
    "on_behalf_of",
    "statement_descriptor",
];

pub(crate) fn create(call: &mut Call) -> Outcome {
    let customer = call.take_text("customer").unwrap_or_default();
    let known = call.state.get(&call.account, "customer", &customer, "customer")?;
    customers::check_there(&known)?;
    let currency = call.take_text("currency").or_else(|| known.maybe("currency"));
    let currency = currency.unwrap_or_else(|| "usd".to_owned());
    let pending = call.take_text("pending_invoice_items_behavior");
    let now = call.state.time_of(&call.account, &customer);
    let account = call.account.clone();
    let bill = Bill {
        customer: &customer,
        currency: &currency,
        reason: "manual",
        subscription: None,
        lines: Vec::new(),
        period: (now, now),
        advances: false,
    };
    let mut invoice = bills::shape(call.state, &account, bill);
    write(call, &mut invoice);
    call.done()?;
    if pending.as_deref() == Some("include") {
        let lines = invoice_items::take(call.state, &account, &customer, None);
        bills::write_lines(&mut invoice, lines);
    }
    call.state.put(&account, "invoice", invoice.clone());
    call.state.emit(&account, "invoice.created", &invoice);
    if invoice.flag("auto_advance") {
        let clock = call.state.clock_of(&account, &customer);
        let id = invoice.text("id").to_owned();
        let due = crate::agenda::Due::Draft { account, invoice: id };
        call.state.agenda.put(clock, now + 3_600, due);
    }
    Ok(invoice)
}

fn write(call: &mut Call, invoice: &mut Value) {
    for name in FIELDS {
        if let Some(value) = call.take(name) {
            invoice[name] = if value == "" { Value::Null } else { value };
        }
    }
    if let Some(days) = call.take_int("days_until_due") {
        invoice["_days"] = json!(days);
    }
    if let Some(fee) = call.take_int("application_fee_amount") {
        invoice["_fee"] = json!(fee);
    }
    if let Some(data) = call.take("transfer_data") {
        invoice["_transfer_data"] = data;
    }
    if let Some(given) = call.take("metadata") {
        merge_metadata(&mut invoice["metadata"], &given);
    }
}

fn is(invoice: &Value, wanted: &[&str]) -> Result<(), Refusal> {
    if wanted.contains(&invoice.text("status")) {
        return Ok(());
    }
    let status = invoice.text("status");
    let message = format!("This invoice is {status}; it would have to be {}.", wanted.join(" or "));
    Err(Refusal::invalid(message).code("invoice_not_editable"))
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut invoice = call.object("invoice", "invoice")?;
    let before = invoice.clone();
    write(call, &mut invoice);
    call.done()?;
    let differs = |name: &str| invoice[name] != before[name];
    let words = ["metadata", "auto_advance", "default_payment_method"];
    let fields = invoice.as_object().into_iter().flatten();
    if fields.map(|(name, _)| name.as_str()).any(|name| differs(name) && !words.contains(&name)) {
        is(&before, &["draft"])?;
    }
    Ok(call.save("invoice", &before, invoice))
}

pub(crate) fn delete(call: &mut Call) -> Outcome {
    call.done()?;
    let invoice = call.object("invoice", "invoice")?;
    is(&invoice, &["draft"])?;
    let account = call.account.clone();
    call.state.of(&account).shelf_mut("invoice").remove(invoice.text("id"));
    call.state.emit(&account, "invoice.deleted", &invoice);
    Ok(json!({ "id": invoice["id"], "object": "invoice", "deleted": true }))
}

pub(crate) fn lines(call: &mut Call) -> Outcome {
    let invoice = call.object("invoice", "invoice")?;
    let found = invoice["lines"]["data"].as_array().cloned().unwrap_or_default();
    lists::page(call, &found, "line_item")
}

pub(crate) fn finalize(call: &mut Call) -> Outcome {
    let mut invoice = call.object("invoice", "invoice")?;
    let advance = call.take("auto_advance");
    call.done()?;
    is(&invoice, &["draft"])?;
    if let Some(advance) = advance {
        invoice["auto_advance"] = advance;
    }
    let account = call.account.clone();
    let invoice = bills::finalize(call.state, &account, invoice);
    if invoice.flag("auto_advance") {
        bills::collect(call.state, &account, &invoice);
    }
    call.state.get(&account, "invoice", invoice.text("id"), "invoice")
}

pub(crate) fn pay(call: &mut Call) -> Outcome {
    let mut invoice = call.object("invoice", "invoice")?;
    let method = call.take_text("payment_method");
    let elsewhere = call.take_flag("paid_out_of_band");
    call.take("off_session");
    call.done()?;
    is(&invoice, &["draft", "open", "uncollectible"])?;
    let account = call.account.clone();
    if invoice.text("status") == "draft" {
        invoice = bills::finalize(call.state, &account, invoice);
    }
    let id = invoice.text("id").to_owned();
    if invoice.text("status") == "paid" {
        return Ok(invoice);
    }
    if elsewhere {
        call.state.change(&account, "invoice", &id, |invoice| {
            invoice["amount_paid_off_stripe"] = invoice["amount_due"].clone();
        });
        return Ok(bills::paid(call.state, &account, &id));
    }
    bills::attempt(call.state, &account, &id, method)
}

pub(crate) fn send(call: &mut Call) -> Outcome {
    call.done()?;
    let mut invoice = call.object("invoice", "invoice")?;
    is(&invoice, &["draft", "open"])?;
    let account = call.account.clone();
    if invoice.text("status") == "draft" {
        invoice = bills::finalize(call.state, &account, invoice);
    }
    call.state.emit(&account, "invoice.sent", &invoice);
    Ok(invoice)
}

pub(crate) fn void(call: &mut Call) -> Outcome {
    call.done()?;
    let invoice = call.object("invoice", "invoice")?;
    is(&invoice, &["open", "uncollectible"])?;
    let account = call.account.clone();
    Ok(bills::close(call.state, &account, invoice.text("id"), "void", "voided_at"))
}

/// Nobody expects it to be paid any more.
pub(crate) fn give_up(call: &mut Call) -> Outcome {
    call.done()?;
    let invoice = call.object("invoice", "invoice")?;
    is(&invoice, &["open"])?;
    let (account, id) = (call.account.clone(), invoice.text("id"));
    Ok(bills::close(call.state, &account, id, "uncollectible", "marked_uncollectible_at"))
}

/// A payment that an invoice waited for came.
pub(crate) fn intent_succeeded(state: &mut State, account: &str, intent: &Value) {
    if let Some(invoice) = intent.maybe("_invoice") {
        bills::paid(state, account, &invoice);
    }
}

/// What an invoice would be, without making it: everything happens in a copy, which is dropped.
pub(crate) fn preview(call: &mut Call) -> Outcome {
    let subscription = call.take_text("subscription");
    let details = call.take("subscription_details").unwrap_or_default();
    call.take("customer");
    call.take("preview_mode");
    call.done()?;
    let Some(id) = subscription else {
        return Err(Refusal::not_simulated("a preview without a subscription"));
    };
    let before = call.state.get(&call.account, "subscription", &id, "subscription")?;
    let now = call.state.time_of(&call.account, before.text("customer"));
    let mut copy = call.state.clone();
    let account = call.account.clone();
    let given = details.as_object().cloned().unwrap_or_default();
    let changes = !given.is_empty();
    if changes {
        let mut inner = Call::new(&mut copy, &account, &call.url, vec![id.clone()], given);
        subscriptions::update(&mut inner)?;
    }
    let after = copy.get(&account, "subscription", &id, "subscription")?;
    if changes && after["latest_invoice"] != before["latest_invoice"] {
        let latest = after.text("latest_invoice").to_owned();
        let invoice = copy.get(&account, "invoice", &latest, "subscription")?;
        return Ok(as_preview(invoice));
    }
    let last = renewals::period(&after);
    let recurring = after["items"]["data"][0]["price"]["recurring"].clone();
    let end = super::lines::end_of(last.1, &recurring, 1);
    let mut lines = renewals::cycle_lines(&mut copy, &account, &after, last, (last.1, end));
    let customer = after.text("customer").to_owned();
    lines.extend(invoice_items::take(&mut copy, &account, &customer, Some(&id)));
    let bill = Bill {
        customer: &customer,
        currency: after.text("currency"),
        reason: "upcoming",
        subscription: Some(&after),
        lines,
        period: last,
        advances: true,
    };
    let mut invoice = bills::shape(&mut copy, &account, bill);
    invoice["created"] = json!(last.1.max(now));
    Ok(as_preview(invoice))
}

fn as_preview(mut invoice: Value) -> Value {
    let id = format!("upcoming_{}", invoice.text("id"));
    for line in invoice["lines"]["data"].as_array_mut().into_iter().flatten() {
        line["invoice"] = json!(id);
    }
    invoice["id"] = json!(id);
    invoice["status"] = json!("draft");
    invoice
}
