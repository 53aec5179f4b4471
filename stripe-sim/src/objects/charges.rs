//! Money taken from a card, and where it goes from there.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::objects::balance::{self, Entry};
use crate::objects::payment_methods::{self, Behaviour};
use crate::objects::{application_fees, disputes, transfers};
use crate::refusal::Refusal;
use crate::state::{PLATFORM, State};
use crate::value::Read;

pub(crate) fn update(call: &mut Call) -> Outcome {
    let charge = call.object("charge", "charge")?;
    call.update("charge", charge, &["description", "receipt_email", "transfer_group"])
}

/// Charges the card of an intent: the charge, and the refusal if it failed.
pub(crate) fn of_intent(
    state: &mut State,
    account: &str,
    intent: &Value,
    method: &Value,
) -> (Value, Option<Refusal>) {
    let refusal = match payment_methods::behaviour(method) {
        Behaviour::Declines(code) => Some(payment_methods::declined(code)),
        Behaviour::DeclinesLater => Some(payment_methods::declined("generic_decline")),
        _ => None,
    };
    let mut charge = blank(state, account, intent, method);
    let is_captured = intent.text("capture_method") != "manual";
    if let Some(refusal) = &refusal {
        fail(&mut charge, &refusal.error());
        state.put(account, "charge", charge.clone());
        state.emit(account, "charge.failed", &charge);
        return (charge, Some(refusal.clone()));
    }
    if is_captured {
        charge = capture(state, account, charge, intent.int("amount"));
        state.emit(account, "charge.succeeded", &charge);
        if payment_methods::behaviour(method) == Behaviour::Disputes {
            charge = disputes::open(state, account, &charge);
        }
    } else {
        state.put(account, "charge", charge.clone());
        state.emit(account, "charge.succeeded", &charge);
    }
    (charge, None)
}

fn fail(charge: &mut Value, error: &Value) {
    charge["status"] = json!("failed");
    charge["paid"] = json!(false);
    charge["failure_code"] = error["code"].clone();
    charge["failure_message"] = error["message"].clone();
    charge["outcome"] = json!({
        "advice_code": "try_again_later", "network_advice_code": null,
        "network_decline_code": null, "network_status": "declined_by_network",
        "reason": error["decline_code"], "risk_level": "normal", "risk_score": 20,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    });
}

fn blank(state: &mut State, account: &str, intent: &Value, method: &Value) -> Value {
    let is_captured = intent.text("capture_method") != "manual";
    let card = &method["card"];
    let transfer = &intent["transfer_data"];
    let transfer_data = if transfer.is_object() {
        json!({ "amount": transfer["amount"], "destination": transfer["destination"] })
    } else {
        Value::Null
    };
    let application = (account != PLATFORM).then_some("ca_simulated");
    let id = state.id("ch");
    let receipt = format!("{}/receipts/{id}", state.settings.pages);
    let suffix = intent.maybe("statement_descriptor_suffix");
    let own = intent.maybe("on_behalf_of").unwrap_or_else(|| account.to_owned());
    let descriptor = statement_descriptor(state, &own, suffix.as_deref());
    json!({
        "id": id, "object": "charge", "amount": intent["amount"],
        "amount_captured": 0, "amount_refunded": 0,
        "application": application, "application_fee": null,
        "application_fee_amount": intent["application_fee_amount"],
        "balance_transaction": null, "billing_details": method["billing_details"],
        "calculated_statement_descriptor": descriptor, "captured": is_captured,
        "created": state.now, "currency": intent["currency"], "customer": intent["customer"],
        "description": intent["description"], "disputed": false,
        "failure_balance_transaction": null, "failure_code": null, "failure_message": null,
        "fraud_details": {}, "livemode": false, "metadata": intent["metadata"],
        "on_behalf_of": intent["on_behalf_of"],
        "outcome": {
            "advice_code": null, "network_advice_code": null, "network_decline_code": null,
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "risk_score": 20, "seller_message": "Payment complete.", "type": "authorized",
        },
        "paid": true, "payment_intent": intent["id"], "payment_method": method["id"],
        "payment_method_details": {
            "card": {
                "amount_authorized": intent["amount"], "authorization_code": "123456",
                "brand": card["brand"], "checks": card["checks"], "country": card["country"],
                "exp_month": card["exp_month"], "exp_year": card["exp_year"],
                "fingerprint": card["fingerprint"], "funding": card["funding"],
                "installments": null, "last4": card["last4"], "mandate": null,
                "network": card["brand"], "network_token": { "used": false },
                "network_transaction_id": "simulated", "regulated_status": "unregulated",
                "three_d_secure": null, "wallet": null,
            },
            "type": "card",
        },
        "receipt_email": intent["receipt_email"], "receipt_number": null, "receipt_url": receipt,
        "refunded": false, "review": null, "shipping": intent["shipping"],
        "source_transfer": null, "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": suffix, "status": "succeeded",
        "transfer_data": transfer_data, "transfer_group": intent["transfer_group"],
        "_card": method["_card"],
    })
}

/// What stands on the card's bill: the name of whoever sells.
fn statement_descriptor(state: &State, account: &str, suffix: Option<&str>) -> String {
    let seller = state.look(PLATFORM, "account", account);
    let prefix =
        seller.and_then(|seller| seller["settings"]["payments"].maybe("statement_descriptor"));
    let prefix = prefix.unwrap_or_else(|| "SIMULATED".to_owned());
    match suffix {
        Some(suffix) => format!("{prefix}* {suffix}"),
        None => prefix,
    }
}

/// Takes the money of a charge that was authorized.
pub(crate) fn capture(state: &mut State, account: &str, mut charge: Value, amount: i64) -> Value {
    let processing = state.settings.processing;
    let is_at_once = charge.text("_card") == "bypassPending";
    let days = if is_at_once { 0 } else { processing.days };
    let available_on = state.now + days * 86_400;
    let share = (amount * processing.basis_points + 5_000) / 10_000;
    let mut fees = vec![("stripe_fee", (share + processing.fixed).min(amount))];
    let is_direct = account != PLATFORM && charge["transfer_data"].is_null();
    let asked = charge["application_fee_amount"].as_i64().filter(|asked| *asked > 0);
    let fee = asked.map(|asked| asked.min(amount)).filter(|_| is_direct);
    fees.extend(fee.map(|fee| ("application_fee", fee)));
    let (id, currency) = (charge.text("id").to_owned(), charge.text("currency").to_owned());
    let entry = Entry {
        kind: ("charge", "charge"),
        amount,
        fees,
        currency: &currency,
        source: &id,
        available_on,
    };
    let transaction = balance::book(state, account, &entry);
    charge["balance_transaction"] = transaction["id"].clone();
    charge["captured"] = json!(true);
    charge["amount_captured"] = json!(amount);
    // What was authorized and not captured goes back to the card.
    charge["amount_refunded"] = json!(charge.int("amount") - amount);
    state.put(account, "charge", charge.clone());
    if let Some(fee) = fee {
        let fee = application_fees::take(state, account, &id, &currency, fee, available_on);
        charge = state.change(account, "charge", &id, |charge| {
            charge["application_fee"] = fee["id"].clone();
        });
    }
    if charge["transfer_data"].is_object() {
        charge = transfers::of_charge(state, &charge, available_on);
    }
    charge
}
