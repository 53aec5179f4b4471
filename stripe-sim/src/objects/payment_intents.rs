//! A payment on its way from "somebody wants to pay" to a charge.

use serde_json::{Value, json};

use crate::call::{Call, Outcome, positive};
use crate::objects::payment_methods::{self, Behaviour};
use crate::objects::{charges, customers, invoices};
use crate::refusal::Refusal;
use crate::state::{PLATFORM, State};
use crate::value::Read;

/// What may be changed until it is paid.
const FIELDS: [&str; 8] = [
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
    "application_fee_amount",
];

pub(crate) fn create(call: &mut Call) -> Outcome {
    let amount = positive(call.take_int("amount").unwrap_or_default(), "amount")?;
    let currency = call.take_text("currency").unwrap_or_default();
    let mut intent = blank(call.state, amount, &currency);
    if let Some(customer) = call.take_text("customer") {
        let known = call.state.get(&call.account, "customer", &customer, "customer")?;
        customers::check_there(&known)?;
        intent["customer"] = json!(customer);
    }
    for name in FIELDS.iter().chain(&["on_behalf_of"]) {
        if let Some(value) = call.take(name) {
            intent[*name] = value;
        }
    }
    if let Some(method) = call.take_text("capture_method") {
        intent["capture_method"] = json!(method);
    }
    if let Some(types) = call.take("payment_method_types") {
        intent["payment_method_types"] = types;
    } else if let Some(automatic) = call.take("automatic_payment_methods") {
        let redirects = automatic.maybe("allow_redirects").unwrap_or_else(|| "always".into());
        intent["automatic_payment_methods"] =
            json!({ "allow_redirects": redirects, "enabled": automatic["enabled"] });
    }
    if let Some(data) = call.take("transfer_data") {
        intent["transfer_data"] = data;
    }
    intent["metadata"] = call.metadata();
    let (confirm, return_url) = (call.take_flag("confirm"), call.take_text("return_url"));
    let is_strict = call.take_flag("error_on_requires_action");
    let off_session = call.take("off_session").is_some_and(|value| value != json!(false));
    let method = call.take_text("payment_method");
    call.done()?;
    check(call.state, &call.account, &intent)?;
    if let Some(method) = method {
        put_method(call, &mut intent, &method)?;
    }
    let account = call.account.clone();
    call.state.put(&account, "payment_intent", intent.clone());
    call.state.emit(&account, "payment_intent.created", &intent);
    if confirm {
        let how = How { return_url, is_strict: is_strict || off_session };
        return confirmed(call.state, &account, intent, &how);
    }
    Ok(intent)
}

/// An intent with nothing but an amount.
pub(crate) fn blank(state: &mut State, amount: i64, currency: &str) -> Value {
    let id = state.id("pi");
    let secret = format!("{id}_secret_{}", state.chance.word(24));
    json!({
        "id": id, "object": "payment_intent", "allowed_payment_method_types": null,
        "amount": amount, "amount_capturable": 0, "customer_account": null,
        "excluded_payment_method_types": null, "managed_payments": null,
        "amount_details": { "tip": {} }, "amount_received": 0, "application": null,
        "application_fee_amount": null, "automatic_payment_methods": null, "canceled_at": null,
        "cancellation_reason": null, "capture_method": "automatic_async",
        "client_secret": secret, "confirmation_method": "automatic", "created": state.now,
        "currency": currency.to_lowercase(), "customer": null, "description": null,
        "last_payment_error": null, "latest_charge": null, "livemode": false, "metadata": {},
        "next_action": null, "on_behalf_of": null, "payment_method": null,
        "payment_method_configuration_details": null,
        "payment_method_options": {
            "card": {
                "installments": null, "mandate_options": null, "network": null,
                "request_three_d_secure": "automatic",
            },
        },
        "payment_method_types": ["card"], "processing": null, "receipt_email": null,
        "review": null, "setup_future_usage": null, "shipping": null,
        "statement_descriptor": null, "statement_descriptor_suffix": null,
        "status": "requires_payment_method", "transfer_data": null, "transfer_group": null,
    })
}

fn check(state: &State, account: &str, intent: &Value) -> Result<(), Refusal> {
    let fee = intent["application_fee_amount"].as_i64().unwrap_or_default();
    if fee > intent.int("amount") {
        let message = "The application fee cannot exceed the amount of the payment.";
        return Err(Refusal::invalid(message).param("application_fee_amount"));
    }
    let has_seller = account != PLATFORM || intent["transfer_data"].is_object();
    if fee > 0 && !has_seller {
        let message = "Can only apply an application_fee_amount when the PaymentIntent is \
                       attempting a direct payment (using an OAuth key or Stripe-Account header) \
                       or destination payment (using `transfer_data[destination]`).";
        return Err(Refusal::invalid(message).param("application_fee_amount"));
    }
    let data = &intent["transfer_data"];
    for seller in [intent.maybe("on_behalf_of"), data.maybe("destination")].into_iter().flatten() {
        if state.look(PLATFORM, "account", &seller).is_none() {
            let message = format!("No such account: '{seller}'");
            return Err(Refusal::invalid(message).code("resource_missing"));
        }
    }
    if data["amount"].as_i64().is_some_and(|amount| amount > intent.int("amount")) {
        let message = "The transfer cannot exceed the amount of the payment.";
        return Err(Refusal::invalid(message).param("transfer_data[amount]"));
    }
    Ok(())
}

fn put_method(call: &mut Call, intent: &mut Value, method: &str) -> Result<(), Refusal> {
    let method = payment_methods::resolve(call, method)?;
    if let Some(holder) = method.maybe("customer")
        && intent.maybe("customer").as_deref() != Some(&holder)
    {
        let message = "The payment method you provided belongs to a customer. Please include the \
                       Customer in the `customer` parameter on the PaymentIntent.";
        return Err(Refusal::invalid(message).param("payment_method"));
    }
    intent["payment_method"] = method["id"].clone();
    intent["status"] = json!("requires_confirmation");
    Ok(())
}

/// How an intent is confirmed.
#[derive(Default)]
pub(crate) struct How {
    pub(crate) return_url: Option<String>,
    /// Nobody is there who could say that it is them.
    pub(crate) is_strict: bool,
}

/// Confirms an intent that has a method, keeps it, and tells.
pub(crate) fn confirmed(state: &mut State, account: &str, mut intent: Value, how: &How) -> Outcome {
    let method = intent.text("payment_method").to_owned();
    let method = state.get(account, "payment_method", &method, "payment_method")?;
    if payment_methods::behaviour(&method) == Behaviour::Asks && !intent.flag("_authenticated") {
        if how.is_strict {
            let message = "Your card was declined. This transaction requires authentication.";
            let refusal =
                Refusal::card("authentication_required", "authentication_required", message);
            return Err(failed(state, account, intent, None, &refusal));
        }
        let url = format!("{}/authenticate/{}", state.settings.pages, intent.text("id"));
        intent["status"] = json!("requires_action");
        intent["next_action"] = json!({
            "redirect_to_url": { "return_url": how.return_url, "url": url },
            "type": "redirect_to_url",
        });
        state.put(account, "payment_intent", intent.clone());
        state.emit(account, "payment_intent.requires_action", &intent);
        return Ok(intent);
    }
    let (charge, refusal) = charges::of_intent(state, account, &intent, &method);
    if let Some(refusal) = refusal {
        return Err(failed(state, account, intent, Some(&charge), &refusal));
    }
    intent["latest_charge"] = charge["id"].clone();
    intent["last_payment_error"] = Value::Null;
    intent["next_action"] = Value::Null;
    if charge.flag("captured") {
        intent["status"] = json!("succeeded");
        intent["amount_received"] = charge["amount_captured"].clone();
    } else {
        intent["status"] = json!("requires_capture");
        intent["amount_capturable"] = intent["amount"].clone();
    }
    keep_card(state, account, &intent);
    state.put(account, "payment_intent", intent.clone());
    let event = if intent.text("status") == "succeeded" {
        "payment_intent.succeeded"
    } else {
        "payment_intent.amount_capturable_updated"
    };
    state.emit(account, event, &intent);
    if intent.text("status") == "succeeded" {
        invoices::intent_succeeded(state, account, &intent);
    }
    Ok(intent)
}

/// Its holder said that it is not them.
pub(crate) fn refused(state: &mut State, account: &str, intent: Value) {
    let message = "We are unable to authenticate your payment method. Please choose a different \
                   payment method and try again.";
    let refusal = Refusal::invalid(message).code("payment_intent_authentication_failure");
    failed(state, account, intent, None, &refusal);
}

/// A card that is to be used again becomes the customer's.
fn keep_card(state: &mut State, account: &str, intent: &Value) {
    let (Some(customer), false) =
        (intent.maybe("customer"), intent["setup_future_usage"].is_null())
    else {
        return;
    };
    let method = intent.text("payment_method").to_owned();
    let mut is_new = false;
    let method = state.change(account, "payment_method", &method, |method| {
        if method["customer"].is_null() {
            method["customer"] = json!(customer);
            is_new = true;
        }
    });
    if is_new {
        state.emit(account, "payment_method.attached", &method);
    }
}

/// Keeps a failure, and gives what it is told as.
fn failed(
    state: &mut State,
    account: &str,
    mut intent: Value,
    charge: Option<&Value>,
    refusal: &Refusal,
) -> Refusal {
    let mut error = refusal.error();
    let method = state.look(account, "payment_method", intent.text("payment_method"));
    error["payment_method"] = method.cloned().unwrap_or_default();
    if let Some(charge) = charge {
        error["charge"] = charge["id"].clone();
        intent["latest_charge"] = charge["id"].clone();
    }
    intent["last_payment_error"] = error.clone();
    intent["payment_method"] = Value::Null;
    intent["next_action"] = Value::Null;
    intent["status"] = json!("requires_payment_method");
    state.put(account, "payment_intent", intent.clone());
    state.emit(account, "payment_intent.payment_failed", &intent);
    let refusal = refusal.clone().with("payment_intent", intent);
    let refusal = refusal.with("payment_method", error["payment_method"].clone());
    match charge {
        Some(charge) => refusal.with("charge", charge["id"].clone()),
        None => refusal,
    }
}

fn unexpected(intent: &Value, what: &str) -> Refusal {
    let status = intent.text("status");
    let message = format!("This PaymentIntent's {what} because it has a status of {status}.");
    Refusal::invalid(message)
        .code("payment_intent_unexpected_state")
        .with("payment_intent", intent.clone())
}

fn is_open(intent: &Value) -> bool {
    let open = ["requires_payment_method", "requires_confirmation", "requires_action"];
    open.contains(&intent.text("status"))
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut intent = call.object("payment_intent", "intent")?;
    let before = intent.clone();
    let wants_only_words = |call: &mut Call, intent: &mut Value| {
        if let Some(given) = call.take("metadata") {
            crate::value::merge_metadata(&mut intent["metadata"], &given);
        }
        if let Some(description) = call.take("description") {
            intent["description"] = description;
        }
    };
    wants_only_words(call, &mut intent);
    if !is_open(&intent) {
        call.done().map_err(|_| unexpected(&before, "fields could not be updated"))?;
        return Ok(call.save("payment_intent", &before, intent));
    }
    for name in FIELDS {
        if let Some(value) = call.take(name) {
            intent[name] = value;
        }
    }
    if let Some(amount) = call.take_int("amount") {
        intent["amount"] = json!(positive(amount, "amount")?);
    }
    if let Some(customer) = call.take_text("customer") {
        call.state.get(&call.account, "customer", &customer, "customer")?;
        intent["customer"] = json!(customer);
    }
    let method = call.take_text("payment_method");
    call.done()?;
    check(call.state, &call.account, &intent)?;
    if let Some(method) = method {
        put_method(call, &mut intent, &method)?;
    }
    // No such event is sent for an intent that was changed.
    let account = call.account.clone();
    call.state.put(&account, "payment_intent", intent.clone());
    Ok(intent)
}

pub(crate) fn confirm(call: &mut Call) -> Outcome {
    let mut intent = call.object("payment_intent", "intent")?;
    let how = How {
        return_url: call.take_text("return_url"),
        is_strict: call.take_flag("error_on_requires_action")
            || call.take("off_session").is_some_and(|value| value != json!(false)),
    };
    if let Some(usage) = call.take("setup_future_usage") {
        intent["setup_future_usage"] = usage;
    }
    let method = call.take_text("payment_method");
    call.done()?;
    if !is_open(&intent) {
        return Err(unexpected(&intent, "payment could not be confirmed"));
    }
    if let Some(method) = method {
        put_method(call, &mut intent, &method)?;
    }
    if intent["payment_method"].is_null() {
        let message = "You cannot confirm this PaymentIntent because it's missing a payment \
                       method.";
        return Err(Refusal::invalid(message).code("payment_intent_unexpected_state"));
    }
    let account = call.account.clone();
    confirmed(call.state, &account, intent, &how)
}

pub(crate) fn capture(call: &mut Call) -> Outcome {
    let mut intent = call.object("payment_intent", "intent")?;
    let amount = call.take_int("amount_to_capture").unwrap_or_else(|| intent.int("amount"));
    if let Some(fee) = call.take_int("application_fee_amount") {
        intent["application_fee_amount"] = json!(fee);
    }
    call.done()?;
    if intent.text("status") != "requires_capture" {
        return Err(unexpected(&intent, "payment could not be captured"));
    }
    positive(amount, "amount_to_capture")?;
    if amount > intent.int("amount_capturable") {
        let message = "The requested capture amount is greater than the authorized amount.";
        return Err(Refusal::invalid(message).code("amount_too_large").param("amount_to_capture"));
    }
    let account = call.account.clone();
    check(call.state, &account, &intent)?;
    let charge = call.state.get(&account, "charge", intent.text("latest_charge"), "charge")?;
    let charge = call.state.change(&account, "charge", charge.text("id"), |charge| {
        charge["application_fee_amount"] = intent["application_fee_amount"].clone();
    });
    let charge = charges::capture(call.state, &account, charge, amount);
    call.state.emit(&account, "charge.captured", &charge);
    intent["status"] = json!("succeeded");
    intent["amount_received"] = json!(amount);
    intent["amount_capturable"] = json!(0);
    call.state.put(&account, "payment_intent", intent.clone());
    call.state.emit(&account, "payment_intent.succeeded", &intent);
    Ok(intent)
}

pub(crate) fn cancel(call: &mut Call) -> Outcome {
    let mut intent = call.object("payment_intent", "intent")?;
    let reason = call.or_null("cancellation_reason");
    call.done()?;
    if !is_open(&intent) && intent.text("status") != "requires_capture" {
        return Err(unexpected(&intent, "payment could not be canceled"));
    }
    let account = call.account.clone();
    if intent.text("status") == "requires_capture" {
        let charge = intent.text("latest_charge").to_owned();
        let charge = call.state.change(&account, "charge", &charge, |charge| {
            charge["amount_refunded"] = charge["amount"].clone();
            charge["refunded"] = json!(true);
        });
        call.state.emit(&account, "charge.refunded", &charge);
    }
    intent["status"] = json!("canceled");
    intent["canceled_at"] = json!(call.state.now);
    intent["cancellation_reason"] = reason;
    intent["amount_capturable"] = json!(0);
    intent["next_action"] = Value::Null;
    call.state.put(&account, "payment_intent", intent.clone());
    call.state.emit(&account, "payment_intent.canceled", &intent);
    Ok(intent)
}
