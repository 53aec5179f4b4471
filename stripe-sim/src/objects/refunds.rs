//! Money that goes back to a card.

use serde_json::{Value, json};

use crate::call::{Call, Outcome, positive};
use crate::objects::balance::{self, Entry};
use crate::objects::{application_fees, transfers};
use crate::refusal::Refusal;
use crate::state::{PLATFORM, State};
use crate::value::Read;

pub(crate) fn create(call: &mut Call) -> Outcome {
    let charge = charge(call)?;
    let left = charge.int("amount_captured") - refunded(&charge);
    let amount = call.take_int("amount").unwrap_or(left);
    let (reason, metadata) = (call.or_null("reason"), call.metadata());
    let (with_fee, with_transfer) =
        (call.take_flag("refund_application_fee"), call.take_flag("reverse_transfer"));
    call.done()?;
    check(&charge, amount, left)?;
    if with_fee && charge["application_fee"].is_null() {
        let message = format!("Charge {} does not have an application fee", charge.text("id"));
        return Err(Refusal::invalid(message).param("refund_application_fee"));
    }
    if with_transfer && charge["transfer"].is_null() {
        let message = format!("Charge {} does not have a transfer", charge.text("id"));
        return Err(Refusal::invalid(message).param("reverse_transfer"));
    }
    let account = call.account.clone();
    let refund = json!({
        "id": call.state.id("re"), "object": "refund", "amount": amount,
        "balance_transaction": null, "charge": charge["id"], "created": call.state.now,
        "currency": charge["currency"], "customer": charge["customer"], "customer_account": null,
        "destination_details": {
            "card": {
                "reference": "7932159123456789", "reference_status": "available",
                "reference_type": "acquirer_reference_number", "type": "refund",
            },
            "type": "card",
        },
        "metadata": metadata,
        "payment_intent": charge["payment_intent"], "payment_method": charge["payment_method"],
        "reason": reason, "receipt_number": null, "source_transfer_reversal": null,
        "status": "succeeded", "transfer_reversal": null,
    });
    Ok(carry_out(call.state, &account, &charge, refund, with_fee, with_transfer))
}

/// The charge that is named, or that of the intent that is.
fn charge(call: &mut Call) -> Outcome {
    let (charge, intent) = (call.take_text("charge"), call.take_text("payment_intent"));
    let account = &call.account;
    match (charge, intent) {
        (Some(charge), _) => call.state.get(account, "charge", &charge, "charge"),
        (None, Some(intent)) => {
            let intent = call.state.get(account, "payment_intent", &intent, "payment_intent")?;
            let charge =
                intent.maybe("latest_charge").filter(|_| intent.text("status") == "succeeded");
            let charge = charge.ok_or_else(|| {
                let message = format!(
                    "This PaymentIntent ({}) does not have a successful charge to refund.",
                    intent.text("id")
                );
                Refusal::invalid(message).param("payment_intent")
            })?;
            call.state.get(account, "charge", &charge, "charge")
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: \
                           payment_intent or charge.";
            Err(Refusal::invalid(message).unbegun())
        }
    }
}

/// What of the captured amount went back; what was never captured does not count.
fn refunded(charge: &Value) -> i64 {
    charge.int("amount_refunded") - (charge.int("amount") - charge.int("amount_captured"))
}

fn check(charge: &Value, amount: i64, left: i64) -> Result<(), Refusal> {
    let id = charge.text("id");
    if !charge["source_transfer"].is_null() {
        return Err(Refusal::not_simulated("a refund of what came by a transfer; reverse it"));
    }
    if charge.text("status") != "succeeded" || !charge.flag("captured") {
        let message = format!("Charge {id} was not captured, so there is nothing to refund.");
        return Err(Refusal::invalid(message));
    }
    if charge.flag("disputed") {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(Refusal::invalid(message).code("charge_disputed"));
    }
    if left == 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(Refusal::invalid(message).code("charge_already_refunded"));
    }
    positive(amount, "amount")?;
    if amount > left {
        let message = format!(
            "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        );
        return Err(Refusal::invalid(message).param("amount"));
    }
    Ok(())
}

fn carry_out(
    state: &mut State,
    account: &str,
    charge: &Value,
    mut refund: Value,
    with_fee: bool,
    with_transfer: bool,
) -> Value {
    let amount = refund.int("amount");
    let all = charge.int("amount_captured");
    let before = refunded(charge);
    // Parts of a series sum to the part of the whole.
    let part = |whole: i64| whole * (before + amount) / all - whole * before / all;
    let mut fees = Vec::new();
    if with_fee && let Some(fee) = charge.maybe("application_fee") {
        let kept = state.look(PLATFORM, "application_fee", &fee).cloned().unwrap_or_default();
        let left = kept.int("amount") - kept.int("amount_refunded");
        let back = part(kept.int("amount")).min(left);
        if back > 0 {
            application_fees::give_back(state, &fee, back, &json!({}));
            fees.push(("application_fee", -back));
        }
    }
    if with_transfer && let Some(transfer) = charge.maybe("transfer") {
        let made = state.look(account, "transfer", &transfer).cloned().unwrap_or_default();
        let left = made.int("amount") - made.int("amount_reversed");
        let back = part(made.int("amount")).min(left);
        if back > 0 {
            let refund_id = refund.text("id").to_owned();
            let reversal =
                transfers::reverse_by(state, account, &made, back, &json!({}), Some(&refund_id));
            refund["transfer_reversal"] = reversal["id"].clone();
        }
    }
    let entry = Entry {
        kind: ("refund", "refund"),
        amount: -amount,
        fees,
        currency: charge.text("currency"),
        source: refund.text("id"),
        available_on: state.now,
    };
    let transaction = balance::book(state, account, &entry);
    refund["balance_transaction"] = transaction["id"].clone();
    state.put(account, "refund", refund.clone());
    let after = state.change(account, "charge", charge.text("id"), |charge| {
        let refunded = charge.int("amount_refunded") + amount;
        charge["amount_refunded"] = json!(refunded);
        charge["refunded"] = json!(refunded == charge.int("amount"));
    });
    state.emit(account, "refund.created", &refund);
    state.emit(account, "charge.refunded", &after);
    refund
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let refund = call.object("refund", "refund")?;
    call.update("refund", refund, &[])
}
