//! What the platform keeps of a charge on somebody else's account.

use serde_json::{Value, json};

use crate::call::{Call, Outcome, positive};
use crate::lists;
use crate::objects::balance::{self, Entry};
use crate::refusal::Refusal;
use crate::state::{PLATFORM, State};
use crate::value::{Read, list_of};

/// The platform gets its fee of a charge.
pub(crate) fn take(
    state: &mut State,
    account: &str,
    charge: &str,
    currency: &str,
    amount: i64,
    available_on: i64,
) -> Value {
    let id = state.id("fee");
    let entry = Entry {
        kind: ("application_fee", "platform_earning"),
        amount,
        fees: Vec::new(),
        currency,
        source: &id,
        available_on,
    };
    let transaction = balance::book(state, PLATFORM, &entry);
    let url = format!("/v1/application_fees/{id}/refunds");
    let fee = json!({
        "id": id, "object": "application_fee", "account": account, "amount": amount,
        "amount_refunded": 0, "application": "ca_simulated",
        "balance_transaction": transaction["id"], "charge": charge, "created": state.now,
        "currency": currency, "fee_source": { "charge": charge, "type": "charge" },
        "livemode": false, "originating_transaction": null, "refunded": false,
        "refunds": list_of(&[], &url),
    });
    state.put(PLATFORM, "application_fee", fee.clone());
    state.emit(PLATFORM, "application_fee.created", &fee);
    fee
}

/// Gives some of a fee back. What the account gets is booked by whoever calls.
pub(crate) fn give_back(state: &mut State, fee: &str, amount: i64, metadata: &Value) -> Value {
    let kept = state.look(PLATFORM, "application_fee", fee).cloned().unwrap_or_default();
    let id = state.id("fr");
    let entry = Entry {
        kind: ("application_fee_refund", "platform_earning_refund"),
        amount: -amount,
        fees: Vec::new(),
        currency: kept.text("currency"),
        source: &id,
        available_on: state.now,
    };
    let transaction = balance::book(state, PLATFORM, &entry);
    let refund = json!({
        "id": id, "object": "fee_refund", "amount": amount,
        "balance_transaction": transaction["id"], "created": state.now,
        "currency": kept["currency"], "fee": fee, "metadata": metadata,
    });
    state.put(PLATFORM, "fee_refund", refund.clone());
    let after = state.change(PLATFORM, "application_fee", fee, |fee| {
        let refunded = fee.int("amount_refunded") + amount;
        fee["amount_refunded"] = json!(refunded);
        fee["refunded"] = json!(refunded == fee.int("amount"));
        if let Some(refunds) = fee["refunds"]["data"].as_array_mut() {
            refunds.insert(0, refund.clone());
        }
    });
    state.emit(PLATFORM, "application_fee.refunded", &after);
    refund
}

pub(crate) fn refund(call: &mut Call) -> Outcome {
    let fee = call.object("application_fee", "id")?;
    let left = fee.int("amount") - fee.int("amount_refunded");
    let amount = call.take_int("amount").unwrap_or(left);
    let metadata = call.metadata();
    call.done()?;
    if left == 0 {
        let message = format!("Application fee {} has already been refunded.", fee.text("id"));
        return Err(Refusal::invalid(message).code("application_fee_already_refunded"));
    }
    positive(amount, "amount")?;
    if amount > left {
        let message =
            format!("Refund amount ({amount}) is greater than unrefunded amount ({left})");
        return Err(Refusal::invalid(message).param("amount"));
    }
    let refund = give_back(call.state, fee.text("id"), amount, &metadata);
    // The account that had paid it has it again.
    let account = fee.text("account");
    let entry = Entry {
        kind: ("adjustment", "other_adjustment"),
        amount,
        fees: Vec::new(),
        currency: fee.text("currency"),
        source: refund.text("id"),
        available_on: call.state.now,
    };
    balance::book(call.state, account, &entry);
    Ok(refund)
}

pub(crate) fn refunds(call: &mut Call) -> Outcome {
    let fee = call.object("application_fee", "id")?;
    let found = fee["refunds"]["data"].as_array().cloned().unwrap_or_default();
    lists::page(call, &found, "fee_refund")
}
