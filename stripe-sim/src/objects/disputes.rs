//! Charges whose card's holder does not want them.

use serde_json::{Value, json};

use crate::agenda::Due;
use crate::call::{Call, Outcome};
use crate::objects::balance::{self, Entry};
use crate::refusal::Refusal;
use crate::state::State;
use crate::value::{Read, merge_metadata};

/// How long evidence may be given, in seconds.
const TIME: i64 = 9 * 86_400;

const EVIDENCE: [&str; 27] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

/// A charge is disputed: its money is taken back, and a fee.
pub(crate) fn open(state: &mut State, account: &str, charge: &Value) -> Value {
    let id = state.id("du");
    let (amount, currency) = (charge.int("amount_captured"), charge.text("currency"));
    let fee = state.settings.processing.dispute;
    let entry = Entry {
        kind: ("adjustment", "dispute"),
        amount: -amount,
        fees: vec![("stripe_fee", fee)],
        currency,
        source: &id,
        available_on: state.now,
    };
    let transaction = balance::book(state, account, &entry);
    let mut evidence: Value =
        EVIDENCE.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    evidence["enhanced_evidence"] = json!({});
    let due = state.now + TIME;
    let dispute = json!({
        "id": id, "object": "dispute", "amount": amount, "balance_transactions": [transaction],
        "charge": charge["id"], "created": state.now, "currency": currency,
        "enhanced_eligibility_types": [], "evidence": evidence,
        "evidence_details": {
            "due_by": due, "enhanced_eligibility": {}, "has_evidence": false, "past_due": false,
            "submission_count": 0,
        },
        "is_charge_refundable": false, "livemode": false, "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": "visa", "case_type": "chargeback", "network": "visa",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": "fraudulent", "status": "needs_response",
    });
    state.put(account, "dispute", dispute.clone());
    state.emit(account, "charge.dispute.created", &dispute);
    state.emit(account, "charge.dispute.funds_withdrawn", &dispute);
    state.agenda.put(None, due, Due::Dispute { account: account.to_owned(), dispute: id });
    state.change(account, "charge", charge.text("id"), |charge| {
        charge["disputed"] = json!(true);
    })
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let mut dispute = call.object("dispute", "dispute")?;
    let before = dispute.clone();
    let evidence = call.take("evidence").unwrap_or_default();
    let submit = call.take("submit").is_none_or(|submit| submit == json!(true));
    if let Some(given) = call.take("metadata") {
        merge_metadata(&mut dispute["metadata"], &given);
    }
    call.done()?;
    for (name, value) in evidence.as_object().into_iter().flatten() {
        if !EVIDENCE.contains(&name.as_str()) {
            return Err(Refusal::not_simulated(&format!("evidence[{name}]")));
        }
        dispute["evidence"][name] = value.clone();
    }
    if evidence.is_null() || !submit {
        return Ok(call.save("dispute", &before, dispute));
    }
    if dispute.text("status") != "needs_response" {
        let message = "This dispute is already closed, or its evidence was submitted.";
        return Err(Refusal::invalid(message));
    }
    dispute["evidence_details"]["has_evidence"] = json!(true);
    dispute["evidence_details"]["submission_count"] = json!(1);
    dispute["status"] = json!("under_review");
    let dispute = call.save("dispute", &before, dispute);
    // In test mode these words decide, at once.
    let account = call.account.clone();
    Ok(match dispute["evidence"].text("uncategorized_text") {
        "winning_evidence" => decide(call.state, &account, &dispute, "won"),
        "losing_evidence" => decide(call.state, &account, &dispute, "lost"),
        _ => dispute,
    })
}

/// Gives up.
pub(crate) fn close(call: &mut Call) -> Outcome {
    call.done()?;
    let dispute = call.object("dispute", "dispute")?;
    if !is_open(&dispute) {
        return Err(Refusal::invalid("This dispute is already closed."));
    }
    let account = call.account.clone();
    Ok(decide(call.state, &account, &dispute, "lost"))
}

fn is_open(dispute: &Value) -> bool {
    ["needs_response", "under_review"].contains(&dispute.text("status"))
}

/// Nobody answered in time.
pub(crate) fn overdue(state: &mut State, account: &str, id: &str) {
    let dispute = state.look(account, "dispute", id).cloned();
    if let Some(dispute) = dispute.filter(|dispute| dispute.text("status") == "needs_response") {
        state.change(account, "dispute", id, |dispute| {
            dispute["evidence_details"]["past_due"] = json!(true);
        });
        decide(state, account, &dispute, "lost");
    }
}

fn decide(state: &mut State, account: &str, dispute: &Value, status: &str) -> Value {
    let id = dispute.text("id");
    let mut back = None;
    if status == "won" {
        let entry = Entry {
            kind: ("adjustment", "dispute_reversal"),
            amount: dispute.int("amount"),
            fees: Vec::new(),
            currency: dispute.text("currency"),
            source: id,
            available_on: state.now,
        };
        back = Some(balance::book(state, account, &entry));
    }
    let dispute = state.change(account, "dispute", id, |dispute| {
        dispute["status"] = json!(status);
        if let (Some(back), Some(all)) = (&back, dispute["balance_transactions"].as_array_mut()) {
            all.push(back.clone());
        }
    });
    if back.is_some() {
        state.emit(account, "charge.dispute.funds_reinstated", &dispute);
    }
    state.emit(account, "charge.dispute.closed", &dispute);
    dispute
}
