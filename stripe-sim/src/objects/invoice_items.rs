//! What waits for a customer's next invoice.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::objects::lines::{self, Line};
use crate::objects::{bills, customers};
use crate::refusal::Refusal;
use crate::state::State;
use crate::value::Read;

pub(crate) fn create(call: &mut Call) -> Outcome {
    let customer = call.take_text("customer").unwrap_or_default();
    let known = call.state.get(&call.account, "customer", &customer, "customer")?;
    customers::check_there(&known)?;
    let quantity = call.take_int("quantity").unwrap_or(1);
    let pricing = call.take("pricing").unwrap_or_default();
    let amount = call.take_int("amount");
    let (currency, description) = (call.take_text("currency"), call.or_null("description"));
    let (invoice, subscription) = (call.take_text("invoice"), call.take_text("subscription"));
    let (period, metadata) = (call.take("period"), call.metadata());
    call.done()?;
    let price = match pricing.maybe("price") {
        Some(price) => Some(call.state.get(&call.account, "price", &price, "pricing[price]")?),
        None => None,
    };
    let (amount, currency) = match (&price, amount, currency) {
        (Some(price), ..) => (lines::amount(price, quantity), price.text("currency").to_owned()),
        (None, Some(amount), Some(currency)) => (amount, currency),
        _ => {
            let message = "You must pass either `amount` and `currency`, or `pricing[price]`.";
            return Err(Refusal::invalid(message).code("parameter_missing").param("amount"));
        }
    };
    let account = call.account.clone();
    let draft = match &invoice {
        Some(id) => Some(draft(call.state, &account, id)?),
        None => None,
    };
    let now = call.state.time_of(&account, &customer);
    let period = period.unwrap_or_else(|| json!({ "start": now, "end": now }));
    let parent = subscription.map(|subscription| {
        json!({
            "subscription_details": { "subscription": subscription },
            "type": "subscription_details",
        })
    });
    let item = json!({
        "id": call.state.id("ii"), "object": "invoiceitem", "amount": amount,
        "currency": currency, "customer": customer, "customer_account": null, "date": now,
        "description": description,
        "discountable": true, "discounts": [], "invoice": invoice, "livemode": false,
        "metadata": metadata, "net_amount": amount, "parent": parent, "period": period,
        "pricing": price.as_ref().map(lines::pricing), "proration": false, "quantity": quantity,
        "quantity_decimal": quantity.to_string(), "tax_rates": [],
        "test_clock": known["test_clock"],
    });
    call.state.put(&account, "invoiceitem", item.clone());
    call.state.emit(&account, "invoiceitem.created", &item);
    if let Some(mut draft) = draft {
        let mut all = draft["lines"]["data"].as_array().cloned().unwrap_or_default();
        all.push(line_of(call.state, &item));
        bills::write_lines(&mut draft, all);
        call.state.put(&account, "invoice", draft);
    }
    Ok(item)
}

fn draft(state: &State, account: &str, id: &str) -> Outcome {
    let invoice = state.get(account, "invoice", id, "invoice")?;
    if invoice.text("status") != "draft" {
        let message = "Invoice items can only be added to a draft.";
        return Err(Refusal::invalid(message).code("invoice_not_editable").param("invoice"));
    }
    Ok(invoice)
}

/// Keeps a proration until the next invoice.
pub(crate) fn keep(state: &mut State, account: &str, customer: &str, line: &Value) {
    let now = state.time_of(account, customer);
    let details = &line["parent"]["subscription_item_details"];
    let item = json!({
        "id": state.id("ii"), "object": "invoiceitem", "amount": line["amount"],
        "currency": line["currency"], "customer": customer, "customer_account": null, "date": now,
        "description": line["description"], "discountable": false, "discounts": [],
        "invoice": null, "livemode": false, "metadata": {}, "net_amount": line["amount"],
        "parent": {
            "subscription_details": {
                "subscription": details["subscription"],
                "subscription_item": details["subscription_item"],
            },
            "type": "subscription_details",
        },
        "period": line["period"], "pricing": line["pricing"], "proration": true,
        "quantity": line["quantity"], "quantity_decimal": line["quantity_decimal"],
        "tax_rates": [], "test_clock": state.clock_of(account, customer),
    });
    state.put(account, "invoiceitem", item.clone());
    state.emit(account, "invoiceitem.created", &item);
}

/// What waits, as lines; it waits no more.
pub(crate) fn take(
    state: &mut State,
    account: &str,
    customer: &str,
    subscription: Option<&str>,
) -> Vec<Value> {
    let mut waiting = state.all(account, "invoiceitem");
    waiting.retain(|item| {
        let of = item["parent"]["subscription_details"].maybe("subscription");
        item.text("customer") == customer
            && item["invoice"].is_null()
            && !item.flag("_taken")
            && (of.is_none() || of.as_deref() == subscription)
    });
    let mut out = Vec::new();
    for item in waiting {
        state.change(account, "invoiceitem", item.text("id"), |item| {
            item["_taken"] = json!(true);
        });
        out.push(line_of(state, &item));
    }
    out
}

fn line_of(state: &mut State, item: &Value) -> Value {
    let subscription = item["parent"]["subscription_details"].maybe("subscription");
    let parent = json!({
        "invoice_item_details": {
            "invoice_item": item["id"], "proration": item["proration"],
            "proration_details": { "credited_items": null }, "subscription": subscription,
        },
        "subscription_item_details": null, "type": "invoice_item_details",
    });
    let line = Line {
        amount: item.int("amount"),
        currency: item.text("currency"),
        description: item.maybe("description"),
        period: (item["period"].int("start"), item["period"].int("end")),
        price: None,
        quantity: item["quantity"].as_i64(),
        parent,
        subscription: subscription.as_deref(),
        metadata: item["metadata"].clone(),
    };
    let mut line = lines::make(state, &line);
    line["pricing"] = item["pricing"].clone();
    line
}

pub(crate) fn delete(call: &mut Call) -> Outcome {
    call.done()?;
    let item = call.object("invoiceitem", "invoiceitem")?;
    if item.flag("_taken") || !item["invoice"].is_null() {
        let message = "This invoice item is on an invoice, and cannot be deleted.";
        return Err(Refusal::invalid(message).code("invoice_not_editable"));
    }
    let account = call.account.clone();
    call.state.of(&account).shelf_mut("invoiceitem").remove(item.text("id"));
    call.state.emit(&account, "invoiceitem.deleted", &item);
    Ok(json!({ "id": item["id"], "object": "invoiceitem", "deleted": true }))
}
