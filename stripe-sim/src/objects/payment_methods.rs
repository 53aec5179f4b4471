//! Cards, by Stripe's test tokens and test numbers.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::objects::customers;
use crate::refusal::Refusal;
use crate::value::Read;

/// What a test card does when it is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Pays,
    /// Is declined, also when it is to be attached to a customer.
    Declines(&'static str),
    /// Can be attached, and is declined when it is charged.
    DeclinesLater,
    /// Pays, and then its holder disputes it.
    Disputes,
    /// Pays, and the money is there at once.
    PaysAtOnce,
    /// Wants its holder to say that it is them.
    Asks,
}

/// A test card: its token, its number, its brand, and what it does.
struct Card(&'static str, &'static str, &'static str, Behaviour);

const CARDS: [Card; 13] = [
    Card("visa", "4242424242424242", "visa", Behaviour::Pays),
    Card("mastercard", "5555555555554444", "mastercard", Behaviour::Pays),
    Card("amex", "378282246310005", "amex", Behaviour::Pays),
    Card("visa_debit", "4000056655665556", "visa", Behaviour::Pays),
    Card("chargeDeclined", "4000000000000002", "visa", Behaviour::Declines("generic_decline")),
    Card(
        "chargeDeclinedInsufficientFunds",
        "4000000000009995",
        "visa",
        Behaviour::Declines("insufficient_funds"),
    ),
    Card(
        "chargeDeclinedExpiredCard",
        "4000000000000069",
        "visa",
        Behaviour::Declines("expired_card"),
    ),
    Card("chargeDeclinedFraudulent", "4100000000000019", "visa", Behaviour::Declines("fraudulent")),
    Card("chargeCustomerFail", "4000000000000341", "visa", Behaviour::DeclinesLater),
    Card("createDispute", "4000000000000259", "visa", Behaviour::Disputes),
    Card("bypassPending", "4000000000000077", "visa", Behaviour::PaysAtOnce),
    Card("authenticationRequired", "4000002500003155", "visa", Behaviour::Asks),
    Card("threeDSecure2Required", "4000000000003220", "visa", Behaviour::Asks),
];

/// What a payment method does.
pub(crate) fn behaviour(method: &Value) -> Behaviour {
    let token = method.text("_card");
    CARDS.iter().find(|card| card.0 == token).map_or(Behaviour::Pays, |card| card.3)
}

/// How a decline is told.
pub(crate) fn declined(code: &'static str) -> Refusal {
    match code {
        "insufficient_funds" => {
            Refusal::card("card_declined", code, "Your card has insufficient funds.")
        }
        "expired_card" => Refusal::card("expired_card", code, "Your card has expired."),
        _ => Refusal::card("card_declined", code, "Your card was declined."),
    }
}

/// A new method from a card's number; `None` for a number that is no test card's.
pub(crate) fn from_number(call: &mut Call, number: &str, billing: &Value) -> Option<Value> {
    let number: String = number.chars().filter(char::is_ascii_digit).collect();
    let card = CARDS.iter().find(|card| card.1 == number)?;
    Some(make(call, card, billing))
}

fn make(call: &mut Call, card: &Card, billing: &Value) -> Value {
    let Card(token, number, brand, _) = card;
    let last4 = &number[number.len() - 4..];
    let method = json!({
        "id": call.state.id("pm"), "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": billing_details(billing),
        "card": {
            "brand": brand, "country": "US", "display_brand": brand, "exp_month": 12,
            "exp_year": 2034, "fingerprint": format!("simulated{last4}"),
            "checks": {
                "address_line1_check": null, "address_postal_code_check": null,
                "cvc_check": "pass",
            },
            "funding": if *token == "visa_debit" { "debit" } else { "credit" },
            "generated_from": null, "last4": last4,
            "networks": { "available": [brand], "preferred": null },
            "regulated_status": "unregulated", "three_d_secure_usage": { "supported": true },
            "wallet": null,
        },
        "created": call.state.now, "customer": null, "livemode": false, "metadata": {},
        "type": "card", "_card": token,
    });
    let account = call.account.clone();
    call.state.put(&account, "payment_method", method.clone());
    method
}

fn billing_details(given: &Value) -> Value {
    json!({
        "address": customers::address(if given["address"].is_object() {
            &given["address"]
        } else {
            const NOTHING: &Value = &Value::Null;
            NOTHING
        }),
        "email": given["email"], "name": given["name"], "phone": given["phone"], "tax_id": null,
    })
}

/// The method that a parameter names; a test token makes a new one, as at Stripe.
pub(crate) fn resolve(call: &mut Call, id: &str) -> Outcome {
    if let Some(token) = id.strip_prefix("pm_card_") {
        let card = CARDS.iter().find(|card| card.0 == token);
        let card = card.ok_or_else(|| Refusal::missing("PaymentMethod", id, "payment_method"))?;
        return Ok(make(call, card, &Value::Null));
    }
    let known = call.state.look(&call.account, "payment_method", id).cloned();
    known.ok_or_else(|| Refusal::missing("PaymentMethod", id, "payment_method"))
}

pub(crate) fn create(call: &mut Call) -> Outcome {
    let kind = call.take_text("type");
    let card = call.take("card").unwrap_or_default();
    let billing = call.take("billing_details").unwrap_or_default();
    let metadata = call.metadata();
    call.done()?;
    if kind.as_deref() != Some("card") {
        return Err(Refusal::not_simulated("a payment method that is not a card"));
    }
    let token = card.text("token").trim_start_matches("tok_");
    let number = match CARDS.iter().find(|card| card.0 == token) {
        Some(card) => card.1.to_owned(),
        None => card.text("number").to_owned(),
    };
    let method = from_number(call, &number, &billing).ok_or_else(|| {
        let error =
            Refusal::card("incorrect_number", "incorrect_number", "Your card number is incorrect.");
        error.param("card[number]")
    })?;
    let account = call.account.clone();
    Ok(call.state.change(&account, "payment_method", method.text("id"), |method| {
        method["metadata"] = metadata;
    }))
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut method = call.object("payment_method", "payment_method")?;
    let before = method.clone();
    if let Some(billing) = call.take("billing_details") {
        method["billing_details"] = billing_details(&billing);
    }
    if let Some(given) = call.take("metadata") {
        crate::value::merge_metadata(&mut method["metadata"], &given);
    }
    call.done()?;
    Ok(call.save("payment_method", &before, method))
}

pub(crate) fn attach(call: &mut Call) -> Outcome {
    let id = call.place();
    let customer = call.take_text("customer").unwrap_or_default();
    call.done()?;
    attach_to(call, &id, &customer)
}

/// Gives a method to a customer.
pub(crate) fn attach_to(call: &mut Call, id: &str, customer: &str) -> Outcome {
    let owner = call.state.get(&call.account, "customer", customer, "customer")?;
    customers::check_there(&owner)?;
    let method = resolve(call, id)?;
    if let Behaviour::Declines(code) = behaviour(&method) {
        return Err(declined(code));
    }
    match method.maybe("customer") {
        Some(holder) if holder == customer => return Ok(method),
        Some(_) => {
            let message =
                "The payment method you provided has already been attached to a customer.";
            return Err(Refusal::invalid(message));
        }
        None => {}
    }
    let account = call.account.clone();
    let method = call.state.change(&account, "payment_method", method.text("id"), |method| {
        method["customer"] = json!(customer);
    });
    call.state.emit(&account, "payment_method.attached", &method);
    Ok(method)
}

pub(crate) fn detach(call: &mut Call) -> Outcome {
    let mut method = call.object("payment_method", "payment_method")?;
    call.done()?;
    let Some(customer) = method.maybe("customer") else {
        let message = "The payment method you provided is not attached to a customer so \
                       detachment is impossible.";
        return Err(Refusal::invalid(message));
    };
    method["customer"] = Value::Null;
    let (account, id) = (call.account.clone(), method.text("id").to_owned());
    call.state.put(&account, "payment_method", method.clone());
    call.state.change(&account, "customer", &customer, |customer| {
        let default = &mut customer["invoice_settings"]["default_payment_method"];
        if default.as_str() == Some(&id) {
            *default = Value::Null;
        }
    });
    call.state.emit(&account, "payment_method.detached", &method);
    Ok(method)
}
