//! Money from the platform to the account of somebody who sells, and back.

use serde_json::{Value, json};

use crate::call::{Call, Outcome, positive};
use crate::lists;
use crate::objects::application_fees;
use crate::objects::balance::{self, Entry};
use crate::refusal::Refusal;
use crate::state::{PLATFORM, State};
use crate::value::{Read, list_of};

/// What a transfer is made of.
struct Order {
    amount: i64,
    currency: String,
    destination: String,
    source: Option<String>,
    group: Value,
    description: Value,
    metadata: Value,
    available_on: i64,
}

pub(crate) fn create(call: &mut Call) -> Outcome {
    let destination = call.take_text("destination").unwrap_or_default();
    let currency = call.take_text("currency").unwrap_or_default();
    let (amount, source) = (call.take_int("amount"), call.take_text("source_transaction"));
    let (group, description) = (call.or_null("transfer_group"), call.or_null("description"));
    let metadata = call.metadata();
    call.done()?;
    if call.account != PLATFORM {
        return Err(Refusal::not_simulated("a transfer that is not the platform's"));
    }
    let Some(amount) = amount else {
        let message = "Missing required param: amount.";
        return Err(Refusal::invalid(message).code("parameter_missing").param("amount").unbegun());
    };
    positive(amount, "amount")?;
    check_destination(call.state, &destination)?;
    let mut order = Order {
        amount,
        currency,
        destination,
        source: source.clone(),
        group,
        description,
        metadata,
        available_on: call.state.now,
    };
    match source {
        Some(source) => {
            let charge = call.state.get(PLATFORM, "charge", &source, "source_transaction")?;
            check_source(call.state, &charge, &order)?;
            let transaction = charge.text("balance_transaction");
            let transaction = call.state.look(PLATFORM, "balance_transaction", transaction);
            let available_on = transaction.map_or(0, |t| t.int("available_on"));
            order.available_on = available_on.max(call.state.now);
            if order.group.is_null() {
                order.group = charge["transfer_group"].clone();
            }
            if order.group.is_null() {
                order.group = json!(format!("group_{}", charge.text("id")));
            }
        }
        None => {
            if balance::available(call.state, PLATFORM, &order.currency) < amount {
                let message = "You have insufficient available funds in your Stripe account. Try \
                               adding funds directly to your available balance by creating \
                               Charges using the 4000000000000077 test card.";
                return Err(Refusal::invalid(message).code("balance_insufficient"));
            }
        }
    }
    Ok(make(call.state, &order))
}

fn check_destination(state: &State, destination: &str) -> Result<(), Refusal> {
    let Some(account) = state.look(PLATFORM, "account", destination) else {
        let message = format!("No such destination: '{destination}'");
        let error = Refusal::invalid(message).code("resource_missing");
        return Err(error.param("destination"));
    };
    if account["capabilities"].text("transfers") != "active" {
        let message = "Your destination account needs to have at least one of the following \
                       capabilities enabled: transfers, crypto_transfers, legacy_payments";
        return Err(Refusal::invalid(message).code("insufficient_capabilities_for_transfer"));
    }
    Ok(())
}

/// All transfers of a charge together are not more than the charge.
fn check_source(state: &State, charge: &Value, order: &Order) -> Result<(), Refusal> {
    if charge.text("currency") != order.currency {
        let message = "The currency of source_transaction's balance transaction is not the \
                       transfer's currency.";
        return Err(Refusal::invalid(message).param("currency"));
    }
    if !charge.flag("captured") || charge.text("status") != "succeeded" {
        let message = "The source_transaction has not succeeded, or was not captured.";
        return Err(Refusal::invalid(message).param("source_transaction"));
    }
    let before: i64 = state
        .all(PLATFORM, "transfer")
        .iter()
        .filter(|transfer| transfer["source_transaction"] == charge["id"])
        .map(|transfer| transfer.int("amount"))
        .sum();
    let whole = charge.int("amount_captured");
    if before + order.amount > whole {
        let message = format!(
            "Transfers using this transaction as a source must not exceed the source amount of \
             {whole}. (There is already a transfer using this source, amounting to {before}.)"
        );
        return Err(Refusal::invalid(message).param("amount"));
    }
    Ok(())
}

fn make(state: &mut State, order: &Order) -> Value {
    let id = state.id("tr");
    let entry = |kind, amount, source| Entry {
        kind,
        amount,
        fees: Vec::new(),
        currency: &order.currency,
        source,
        available_on: order.available_on,
    };
    let out = balance::book(state, PLATFORM, &entry(("transfer", "transfer"), -order.amount, &id));
    let payment = payment(state, order, &id);
    let arrived = entry(("payment", "charge"), order.amount, payment.text("id"));
    let arrived = balance::book(state, &order.destination, &arrived);
    state.change(&order.destination, "charge", payment.text("id"), |payment| {
        payment["balance_transaction"] = arrived["id"].clone();
    });
    let url = format!("/v1/transfers/{id}/reversals");
    let transfer = json!({
        "id": id, "object": "transfer", "amount": order.amount, "amount_reversed": 0,
        "balance_transaction": out["id"], "created": state.now, "currency": order.currency,
        "description": order.description, "destination": order.destination,
        "destination_payment": payment["id"], "livemode": false, "metadata": order.metadata,
        "reversals": list_of(&[], &url), "reversed": false,
        "source_transaction": order.source, "source_type": "card",
        "transfer_group": order.group,
    });
    state.put(PLATFORM, "transfer", transfer.clone());
    state.emit(PLATFORM, "transfer.created", &transfer);
    transfer
}

/// What the other account sees of it.
fn payment(state: &mut State, order: &Order, transfer: &str) -> Value {
    let payment = json!({
        "id": state.id("py"), "object": "charge", "amount": order.amount,
        "amount_captured": order.amount, "amount_refunded": 0, "application": null,
        "application_fee": null, "application_fee_amount": null, "balance_transaction": null,
        "billing_details": {
            "address": null, "email": null, "name": null, "phone": null, "tax_id": null,
        },
        "calculated_statement_descriptor": null, "captured": true, "created": state.now,
        "currency": order.currency, "customer": null, "description": order.description,
        "disputed": false, "failure_balance_transaction": null, "failure_code": null,
        "failure_message": null, "fraud_details": {}, "livemode": false, "metadata": {},
        "on_behalf_of": null, "outcome": null, "paid": true, "payment_intent": null,
        "payment_method": null,
        "payment_method_details": { "stripe_account": {}, "type": "stripe_account" },
        "receipt_email": null, "receipt_number": null, "receipt_url": null, "refunded": false,
        "review": null, "shipping": null, "source_transfer": transfer,
        "statement_descriptor": null, "statement_descriptor_suffix": null, "status": "succeeded",
        "transfer_data": null, "transfer_group": order.group,
    });
    state.put(&order.destination, "charge", payment.clone());
    payment
}

/// The transfer that a charge makes by itself, and what the platform keeps of it.
pub(crate) fn of_charge(state: &mut State, charge: &Value, available_on: i64) -> Value {
    let data = &charge["transfer_data"];
    let amount = data["amount"].as_i64().unwrap_or_else(|| charge.int("amount_captured"));
    let group = charge.maybe("transfer_group");
    let group = group.unwrap_or_else(|| format!("group_{}", charge.text("id")));
    let order = Order {
        amount: amount.min(charge.int("amount_captured")),
        currency: charge.text("currency").to_owned(),
        destination: data.text("destination").to_owned(),
        source: charge.maybe("id"),
        group: json!(group),
        description: Value::Null,
        metadata: json!({}),
        available_on,
    };
    let transfer = make(state, &order);
    let fee = charge["application_fee_amount"].as_i64().filter(|fee| *fee > 0);
    let fee = fee.map(|fee| fee.min(order.amount)).map(|fee| {
        let (account, currency) = (&order.destination, &order.currency);
        let payment = transfer.text("destination_payment");
        let taken = application_fees::take(state, account, payment, currency, fee, available_on);
        let entry = Entry {
            kind: ("stripe_fee", "fee"),
            amount: -fee,
            fees: Vec::new(),
            currency,
            source: taken.text("id"),
            available_on,
        };
        balance::book(state, account, &entry);
        taken
    });
    state.change(PLATFORM, "charge", charge.text("id"), |charge| {
        charge["transfer"] = transfer["id"].clone();
        charge["transfer_group"] = json!(group);
        if let Some(fee) = &fee {
            charge["application_fee"] = fee["id"].clone();
        }
    })
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let transfer = call.object("transfer", "transfer")?;
    call.update("transfer", transfer, &["description"])
}

pub(crate) fn reverse(call: &mut Call) -> Outcome {
    let transfer = call.object("transfer", "id")?;
    let left = transfer.int("amount") - transfer.int("amount_reversed");
    let amount = call.take_int("amount").unwrap_or(left);
    let metadata = call.metadata();
    let with_fee = call.take_flag("refund_application_fee");
    call.done()?;
    if with_fee {
        return Err(Refusal::not_simulated("a reversal that gives back an application fee"));
    }
    if left == 0 {
        let message = format!("Transfer {} is already fully reversed.", transfer.text("id"));
        return Err(Refusal::invalid(message));
    }
    positive(amount, "amount")?;
    if amount > left {
        let message =
            format!("Reversal amount ({amount}) is greater than unreversed amount ({left})");
        return Err(Refusal::invalid(message).param("amount"));
    }
    let (destination, currency) = (transfer.text("destination"), transfer.text("currency"));
    // Of a charge that is not settled yet, what is not there yet goes back.
    let is_of_charge = !transfer["source_transaction"].is_null();
    let has = balance::available(call.state, destination, currency);
    let pending = call.state.of(destination).purse(currency).pending();
    if has + if is_of_charge { pending.max(0) } else { 0 } < amount {
        let message = "Insufficient funds in the connected account to cover this reversal.";
        return Err(Refusal::invalid(message).code("balance_insufficient"));
    }
    let account = call.account.clone();
    Ok(reverse_by(call.state, &account, &transfer, amount, &metadata, None))
}

/// Takes some of a transfer back.
pub(crate) fn reverse_by(
    state: &mut State,
    account: &str,
    transfer: &Value,
    amount: i64,
    metadata: &Value,
    refund: Option<&str>,
) -> Value {
    let (id, currency) = (state.id("trr"), transfer.text("currency"));
    let (destination, payment) =
        (transfer.text("destination"), transfer.text("destination_payment"));
    let refunded = state.id("pyr");
    let now = state.now;
    let entry = |kind, amount, source| Entry {
        kind,
        amount,
        fees: Vec::new(),
        currency,
        source,
        available_on: now,
    };
    let back = entry(("transfer_refund", "transfer_reversal"), amount, &id);
    let back = balance::book(state, account, &back);
    let gone = entry(("payment_refund", "refund"), -amount, &refunded);
    let gone = balance::book(state, destination, &gone);
    let reversal = json!({
        "id": id, "object": "transfer_reversal", "amount": amount,
        "balance_transaction": back["id"], "created": now, "currency": currency,
        "destination_payment_refund": refunded, "metadata": metadata, "source_refund": refund,
        "transfer": transfer["id"],
    });
    let payment_refund = json!({
        "id": refunded, "object": "refund", "amount": amount, "balance_transaction": gone["id"],
        "charge": payment, "created": now, "currency": currency, "metadata": {},
        "payment_intent": null, "reason": null, "receipt_number": null,
        "source_transfer_reversal": id, "status": "succeeded", "transfer_reversal": null,
    });
    state.put(destination, "refund", payment_refund);
    state.change(destination, "charge", payment, |payment| {
        let refunded = payment.int("amount_refunded") + amount;
        payment["amount_refunded"] = json!(refunded);
        payment["refunded"] = json!(refunded == payment.int("amount"));
    });
    state.put(account, "transfer_reversal", reversal.clone());
    let after = state.change(account, "transfer", transfer.text("id"), |transfer| {
        let reversed = transfer.int("amount_reversed") + amount;
        transfer["amount_reversed"] = json!(reversed);
        transfer["reversed"] = json!(reversed == transfer.int("amount"));
        if let Some(reversals) = transfer["reversals"]["data"].as_array_mut() {
            reversals.insert(0, reversal.clone());
        }
    });
    state.emit(account, "transfer.reversed", &after);
    reversal
}

pub(crate) fn reversals(call: &mut Call) -> Outcome {
    let transfer = call.object("transfer", "id")?;
    let found = transfer["reversals"]["data"].as_array().cloned().unwrap_or_default();
    lists::page(call, &found, "transfer_reversal")
}
