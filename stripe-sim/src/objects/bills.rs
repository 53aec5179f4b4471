//! An invoice on its way: drafted, finalized, paid or not.

use serde_json::{Value, json};

use crate::agenda::Due;
use crate::call::Outcome;
use crate::objects::payment_intents::{self, How};
use crate::objects::renewals;
use crate::refusal::Refusal;
use crate::state::{PLATFORM, State};
use crate::value::{Read, list_of};

/// How long a draft waits before it is finalized by itself, in seconds.
const DRAFT: i64 = 3_600;

/// When an invoice that could not be paid is tried again, in seconds after each failure.
const AGAIN: [i64; 3] = [3 * 86_400, 2 * 86_400, 2 * 86_400];

/// What an invoice is made of.
pub(crate) struct Bill<'a> {
    pub(crate) customer: &'a str,
    pub(crate) currency: &'a str,
    pub(crate) reason: &'a str,
    /// The subscription that makes it.
    pub(crate) subscription: Option<&'a Value>,
    pub(crate) lines: Vec<Value>,
    pub(crate) period: (i64, i64),
    /// Finalized and paid by itself.
    pub(crate) advances: bool,
}

/// A draft, kept and told.
pub(crate) fn draft(state: &mut State, account: &str, bill: Bill) -> Value {
    let invoice = shape(state, account, bill);
    state.put(account, "invoice", invoice.clone());
    state.emit(account, "invoice.created", &invoice);
    if invoice.flag("auto_advance") {
        let clock = state.clock_of(account, invoice.text("customer"));
        let at = invoice.int("created") + DRAFT;
        let (account, id) = (account.to_owned(), invoice.text("id").to_owned());
        state.agenda.put(clock, at, Due::Draft { account, invoice: id });
    }
    invoice
}

/// An invoice that nobody knows of yet.
pub(crate) fn shape(state: &mut State, account: &str, bill: Bill) -> Value {
    let now = state.time_of(account, bill.customer);
    let customer = state.look(account, "customer", bill.customer).cloned().unwrap_or_default();
    let subscription = bill.subscription.cloned().unwrap_or_default();
    let seller = state.look(PLATFORM, "account", account);
    let seller = seller
        .map_or(Value::Null, |seller| seller["settings"]["dashboard"]["display_name"].clone());
    let id = state.id("in");
    let parent = bill.subscription.map(|subscription| {
        json!({
            "quote_details": null,
            "subscription_details": {
                "metadata": subscription["metadata"], "subscription": subscription["id"],
            },
            "type": "subscription_details",
        })
    });
    let method = subscription.maybe("collection_method");
    let mut invoice = json!({
        "id": id, "object": "invoice", "account_country": "US", "account_name": seller,
        "account_tax_ids": null, "amount_due": 0, "amount_overpaid": 0, "amount_paid": 0,
        "amount_paid_off_stripe": 0, "amount_remaining": 0, "amount_shipping": 0,
        "application": (account != PLATFORM).then_some("ca_simulated"), "attempt_count": 0,
        "attempted": false, "auto_advance": bill.advances,
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null,
            "status": null,
        },
        "automatically_finalizes_at": bill.advances.then_some(now + DRAFT),
        "billing_reason": bill.reason,
        "collection_method": method.unwrap_or_else(|| "charge_automatically".to_owned()),
        "created": now, "currency": bill.currency, "custom_fields": null,
        "customer": bill.customer, "customer_account": null,
        "customer_address": customer["address"],
        "customer_email": customer["email"], "customer_name": customer["name"],
        "customer_phone": customer["phone"], "customer_shipping": customer["shipping"],
        "customer_tax_exempt": "none", "customer_tax_ids": [],
        "default_payment_method": null, "default_source": null, "default_tax_rates": [],
        "description": null, "discounts": [], "due_date": null, "effective_at": null,
        "ending_balance": null, "footer": null, "from_invoice": null,
        "hosted_invoice_url": null, "invoice_pdf": null, "issuer": { "type": "self" },
        "last_finalization_error": null, "latest_revision": null, "livemode": false,
        "metadata": {}, "next_payment_attempt": null, "number": null,
        "on_behalf_of": subscription["on_behalf_of"], "parent": parent,
        "payment_settings": {
            "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
        },
        "period_end": bill.period.1, "period_start": bill.period.0,
        "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0,
        "receipt_number": null, "rendering": null, "shipping_cost": null,
        "shipping_details": null, "starting_balance": customer.int("balance"),
        "statement_descriptor": null, "status": "draft",
        "status_transitions": {
            "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null,
            "voided_at": null,
        },
        "subtotal": 0, "subtotal_excluding_tax": 0, "test_clock": customer["test_clock"],
        "total": 0, "total_discount_amounts": [], "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [], "total_taxes": [], "webhooks_delivered_at": null,
        "_days": subscription["days_until_due"], "_transfer_data": subscription["transfer_data"],
        "_fee_percent": subscription["application_fee_percent"],
        "_subscription": subscription["id"],
    });
    write_lines(&mut invoice, bill.lines);
    invoice
}

/// Puts lines on a draft, and sums them up.
pub(crate) fn write_lines(invoice: &mut Value, mut lines: Vec<Value>) {
    let id = invoice.text("id").to_owned();
    for line in &mut lines {
        line["invoice"] = json!(id);
    }
    let total: i64 = lines.iter().map(|line| line.int("amount")).sum();
    for name in ["subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"] {
        invoice[name] = json!(total);
    }
    let due = (total + invoice.int("starting_balance")).max(0);
    let due = if total <= 0 { 0 } else { due };
    invoice["amount_due"] = json!(due);
    invoice["amount_remaining"] = json!(due);
    invoice["lines"] = list_of(&lines, &format!("/v1/invoices/{id}/lines"));
}

/// A draft becomes what is owed: it has a number, and an intent to pay it by.
pub(crate) fn finalize(state: &mut State, account: &str, mut invoice: Value) -> Value {
    let customer = invoice.text("customer").to_owned();
    let now = state.time_of(account, &customer);
    let mut number = String::new();
    let (total, starting) = (invoice.int("total"), invoice.int("starting_balance"));
    let due = invoice.int("amount_due");
    let ending = starting + total - due;
    state.change(account, "customer", &customer, |customer| {
        let next = customer.int("next_invoice_sequence");
        number = format!("{}-{next:04}", customer.text("invoice_prefix"));
        customer["next_invoice_sequence"] = json!(next + 1);
        customer["balance"] = json!(ending);
        customer["currency"] = invoice["currency"].clone();
    });
    let url = format!("{}/invoices/{}", state.settings.pages, invoice.text("id"));
    invoice["number"] = json!(number);
    invoice["ending_balance"] = json!(ending);
    invoice["status"] = json!("open");
    invoice["effective_at"] = json!(now);
    invoice["hosted_invoice_url"] = json!(url);
    invoice["invoice_pdf"] = json!(format!("{url}/pdf"));
    invoice["status_transitions"]["finalized_at"] = json!(now);
    invoice["automatically_finalizes_at"] = Value::Null;
    if invoice.text("collection_method") == "send_invoice" && invoice["due_date"].is_null() {
        let days = invoice["_days"].as_i64().unwrap_or(30);
        invoice["due_date"] = json!(now + days * 86_400);
    }
    if due > 0 {
        intend(state, account, &mut invoice);
    }
    state.put(account, "invoice", invoice.clone());
    state.emit(account, "invoice.finalized", &invoice);
    if due == 0 {
        return paid(state, account, invoice.text("id"));
    }
    invoice
}

/// The intent, and what binds it to the invoice.
fn intend(state: &mut State, account: &str, invoice: &mut Value) {
    let amount = invoice.int("amount_due");
    let mut intent = payment_intents::blank(state, amount, invoice.text("currency"));
    for name in ["customer", "on_behalf_of", "statement_descriptor"] {
        intent[name] = invoice[name].clone();
    }
    intent["description"] = json!(format!("Payment for Invoice {}", invoice.text("number")));
    intent["capture_method"] = json!("automatic");
    intent["_invoice"] = invoice["id"].clone();
    if invoice["_transfer_data"].is_object() {
        let data = &invoice["_transfer_data"];
        let percent = data["amount_percent"].as_f64();
        let mut told = json!({ "destination": data["destination"] });
        if let Some(percent) = percent {
            told["amount"] = json!(share(amount, percent));
        } else if data["amount"].is_i64() {
            told["amount"] = data["amount"].clone();
        }
        intent["transfer_data"] = told;
    }
    let fee = invoice["_fee"].as_i64().or_else(|| {
        invoice["_fee_percent"].as_f64().map(|percent| share(invoice.int("total"), percent))
    });
    intent["application_fee_amount"] = json!(fee.map(|fee| fee.min(amount)));
    let secret = json!({ "client_secret": intent["client_secret"], "type": "payment_intent" });
    invoice["_confirmation_secret"] = secret;
    invoice["_intent"] = intent["id"].clone();
    let payment = json!({
        "id": state.id("inpay"), "object": "invoice_payment", "amount_paid": null,
        "amount_requested": amount, "created": invoice["status_transitions"]["finalized_at"],
        "currency": invoice["currency"], "invoice": invoice["id"], "is_default": true,
        "livemode": false,
        "payment": { "payment_intent": intent["id"], "type": "payment_intent" },
        "status": "open", "status_transitions": { "canceled_at": null, "paid_at": null },
    });
    invoice["_payment"] = payment["id"].clone();
    state.put(account, "invoice_payment", payment);
    state.put(account, "payment_intent", intent.clone());
    state.emit(account, "payment_intent.created", &intent);
}

/// A share of an amount by a percent of at most two decimals.
fn share(amount: i64, percent: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a percent is small")]
    let basis_points = (percent * 100.0).round() as i64;
    (amount * basis_points + 5_000) / 10_000
}

/// The card that is charged when nobody names one.
fn default_method(state: &State, account: &str, invoice: &Value) -> Option<String> {
    let subscription = state.look(account, "subscription", invoice.text("_subscription"));
    let customer = state.look(account, "customer", invoice.text("customer"))?;
    invoice
        .maybe("default_payment_method")
        .or_else(|| subscription?.maybe("default_payment_method"))
        .or_else(|| customer["invoice_settings"].maybe("default_payment_method"))
}

/// Tries to pay an open invoice, once.
pub(crate) fn attempt(
    state: &mut State,
    account: &str,
    id: &str,
    method: Option<String>,
) -> Outcome {
    let invoice = state.get(account, "invoice", id, "invoice")?;
    let method = method.or_else(|| default_method(state, account, &invoice));
    let intent = state.get(account, "payment_intent", invoice.text("_intent"), "invoice")?;
    let outcome = if let Some(method) = method {
        let mut intent = intent;
        intent["payment_method"] = json!(method);
        let how = How { return_url: None, is_strict: false };
        payment_intents::confirmed(state, account, intent, &how)
    } else {
        let message = "There is no `default_payment_method` set on this Customer or Invoice. \
                       Please set a payment method.";
        Err(Refusal::invalid(message).code("invoice_payment_intent_requires_action"))
    };
    let (clock, now) = {
        let customer = invoice.text("customer");
        (state.clock_of(account, customer), state.time_of(account, customer))
    };
    let needs_action = matches!(&outcome, Ok(intent) if intent.text("status") == "requires_action");
    let is_paid = outcome.is_ok() && !needs_action;
    let tries = usize::try_from(invoice.int("attempt_count")).unwrap_or_default();
    let again = AGAIN.get(tries).filter(|_| !is_paid && invoice.flag("auto_advance"));
    let invoice = state.change(account, "invoice", id, |invoice| {
        invoice["attempted"] = json!(true);
        invoice["attempt_count"] = json!(tries + 1);
        invoice["next_payment_attempt"] = json!(again.map(|wait| now + wait));
    });
    if is_paid {
        return state.get(account, "invoice", id, "invoice");
    }
    if let Some(wait) = again {
        let due = Due::Retry { account: account.to_owned(), invoice: id.to_owned() };
        state.agenda.put(clock, now + wait, due);
    }
    let event =
        if needs_action { "invoice.payment_action_required" } else { "invoice.payment_failed" };
    state.emit(account, event, &invoice);
    renewals::unpaid(state, account, &invoice, again.is_some());
    outcome.map(|_| invoice)
}

/// An invoice is paid, by whatever.
pub(crate) fn paid(state: &mut State, account: &str, id: &str) -> Value {
    let known = state.look(account, "invoice", id).cloned().unwrap_or_default();
    let now = state.time_of(account, known.text("customer"));
    state.change(account, "invoice_payment", known.text("_payment"), |payment| {
        payment["status"] = json!("paid");
        payment["amount_paid"] = payment["amount_requested"].clone();
        payment["status_transitions"]["paid_at"] = json!(now);
    });
    let invoice = state.change(account, "invoice", id, |invoice| {
        invoice["status"] = json!("paid");
        invoice["amount_paid"] = invoice["amount_due"].clone();
        invoice["amount_remaining"] = json!(0);
        invoice["attempted"] = json!(true);
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"]["paid_at"] = json!(now);
    });
    state.emit(account, "invoice.paid", &invoice);
    state.emit(account, "invoice.payment_succeeded", &invoice);
    renewals::paid(state, account, &invoice);
    invoice
}

/// A draft's hour is over.
pub(crate) fn advance(state: &mut State, account: &str, id: &str) {
    let Some(invoice) = state.look(account, "invoice", id).cloned() else { return };
    if invoice.text("status") != "draft" || !invoice.flag("auto_advance") {
        return;
    }
    let invoice = finalize(state, account, invoice);
    collect(state, account, &invoice);
}

/// What was finalized is charged, or sent.
pub(crate) fn collect(state: &mut State, account: &str, invoice: &Value) {
    if invoice.text("status") != "open" {
        return;
    }
    if invoice.text("collection_method") == "send_invoice" {
        state.emit(account, "invoice.sent", invoice);
    } else {
        // A failure is kept where it happened, and is tried again.
        let _ = attempt(state, account, invoice.text("id"), None);
    }
}

/// It is time to try again.
pub(crate) fn retry(state: &mut State, account: &str, id: &str) {
    let is_open = state.look(account, "invoice", id).is_some_and(|i| i.text("status") == "open");
    if is_open {
        let _ = attempt(state, account, id, None);
    }
}

/// An open invoice is not wanted any more.
pub(crate) fn close(state: &mut State, account: &str, id: &str, status: &str, at: &str) -> Value {
    let known = state.look(account, "invoice", id).cloned().unwrap_or_default();
    let now = state.time_of(account, known.text("customer"));
    let invoice = state.change(account, "invoice", id, |invoice| {
        invoice["status"] = json!(status);
        invoice["auto_advance"] = json!(false);
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"][at] = json!(now);
    });
    if status == "void" {
        state.change(account, "invoice_payment", known.text("_payment"), |payment| {
            payment["status"] = json!("canceled");
            payment["status_transitions"]["canceled_at"] = json!(now);
        });
        state.change(account, "payment_intent", known.text("_intent"), |intent| {
            intent["status"] = json!("canceled");
            intent["canceled_at"] = json!(now);
            intent["cancellation_reason"] = json!("void_invoice");
        });
    }
    let event = if status == "void" { "invoice.voided" } else { "invoice.marked_uncollectible" };
    state.emit(account, event, &invoice);
    invoice
}
