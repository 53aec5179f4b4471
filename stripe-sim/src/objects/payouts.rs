//! Money on its way to a bank.

use serde_json::{Value, json};

use crate::agenda::Due;
use crate::call::{Call, Outcome, positive};
use crate::objects::balance::{self, Entry};
use crate::refusal::Refusal;
use crate::sim::Sim;
use crate::state::{PLATFORM, State};
use crate::value::Read;

/// How long a bank takes, in seconds.
const TRAVEL: i64 = 2 * 86_400;

pub(crate) fn create(call: &mut Call) -> Outcome {
    let amount = positive(call.take_int("amount").unwrap_or_default(), "amount")?;
    let currency = call.take_text("currency").unwrap_or_default();
    let (description, metadata) = (call.or_null("description"), call.metadata());
    let descriptor = call.or_null("statement_descriptor");
    call.done()?;
    let account = call.account.clone();
    if balance::available(call.state, &account, &currency) < amount {
        let message = "You have insufficient funds in your Stripe account for this transfer.";
        return Err(Refusal::invalid(message).code("balance_insufficient"));
    }
    let mut payout = send(call.state, &account, amount, &currency, false);
    let id = payout.text("id").to_owned();
    payout = call.state.change(&account, "payout", &id, |payout| {
        payout["description"] = description;
        payout["metadata"] = metadata;
        payout["statement_descriptor"] = descriptor;
    });
    call.state.emit(&account, "payout.created", &payout);
    Ok(payout)
}

fn send(state: &mut State, account: &str, amount: i64, currency: &str, automatic: bool) -> Value {
    let (id, now) = (state.id("po"), state.now);
    let entry = Entry {
        kind: ("payout", "payout"),
        amount: -amount,
        fees: Vec::new(),
        currency,
        source: &id,
        available_on: now,
    };
    let transaction = balance::book(state, account, &entry);
    let status = if automatic { "completed" } else { "not_applicable" };
    let payout = json!({
        "id": id, "object": "payout", "amount": amount, "application_fee": null,
        "application_fee_amount": null, "arrival_date": now + TRAVEL, "automatic": automatic,
        "balance_transaction": transaction["id"], "created": now, "currency": currency,
        "description": null, "destination": format!("ba_simulated_{account}"),
        "failure_balance_transaction": null, "failure_code": null, "failure_message": null,
        "livemode": false, "metadata": {}, "method": "standard", "original_payout": null,
        "payout_method": null, "reconciliation_status": status, "reversed_by": null,
        "source_type": "card", "statement_descriptor": null, "status": "pending",
        "trace_id": null, "type": "bank_account",
    });
    state.put(account, "payout", payout.clone());
    let due = Due::Payout { account: account.to_owned(), payout: id };
    state.agenda.put(None, now + TRAVEL, due);
    payout
}

/// At midnight whoever is paid out daily gets what is available, and each entry of it says in
/// which payout it went.
pub(crate) fn daily(state: &mut State) {
    let is_daily = |account: &Value| {
        account["settings"]["payouts"]["schedule"].text("interval") == "daily"
            && account.flag("payouts_enabled")
    };
    let accounts = state.all(PLATFORM, "account");
    for account in accounts.iter().filter(|account| is_daily(account)) {
        let (id, now) = (account.text("id").to_owned(), state.now);
        let entries = state.all(&id, "balance_transaction");
        let is_due = |t: &&Value| t["_payout"].is_null() && t.int("available_on") <= now;
        let due: Vec<&Value> = entries.iter().filter(is_due).collect();
        let mut currencies: Vec<&str> = due.iter().map(|t| t.text("currency")).collect();
        currencies.sort_unstable();
        currencies.dedup();
        for currency in currencies {
            let of: Vec<_> = due.iter().filter(|t| t.text("currency") == currency).collect();
            let amount: i64 = of.iter().map(|t| t.int("net")).sum();
            if amount <= 0 {
                continue;
            }
            let payout = send(state, &id, amount, currency, true);
            let parts = of.iter().map(|t| t.text("id").to_owned());
            let own = payout.maybe("balance_transaction");
            for part in parts.chain(own).collect::<Vec<_>>() {
                state.change(&id, "balance_transaction", &part, |transaction| {
                    transaction["_payout"] = payout["id"].clone();
                });
            }
            state.emit(&id, "payout.created", &payout);
            state.emit(&id, "payout.reconciliation_completed", &payout);
        }
    }
}

/// It is at the bank, which takes it or does not.
pub(crate) fn arrive(state: &mut State, account: &str, id: &str) {
    let payout = state.look(account, "payout", id).cloned().unwrap_or_default();
    if !["pending", "in_transit"].contains(&payout.text("status")) {
        return;
    }
    if payout.flag("_fails") {
        fail(state, account, &payout);
        return;
    }
    let payout = state.change(account, "payout", id, |payout| {
        payout["status"] = json!("paid");
        payout["trace_id"] = json!({ "status": "supported", "value": "simulated" });
    });
    state.emit(account, "payout.paid", &payout);
}

fn back(
    state: &mut State,
    account: &str,
    payout: &Value,
    kind: (&'static str, &'static str),
) -> Value {
    let entry = Entry {
        kind,
        amount: payout.int("amount"),
        fees: Vec::new(),
        currency: payout.text("currency"),
        source: payout.text("id"),
        available_on: state.now,
    };
    balance::book(state, account, &entry)
}

fn fail(state: &mut State, account: &str, payout: &Value) {
    let transaction = back(state, account, payout, ("payout_failure", "payout_reversal"));
    let payout = state.change(account, "payout", payout.text("id"), |payout| {
        payout["status"] = json!("failed");
        payout["failure_balance_transaction"] = transaction["id"].clone();
        payout["failure_code"] = json!("account_closed");
        payout["failure_message"] = json!("The bank account has been closed");
    });
    state.emit(account, "payout.failed", &payout);
}

pub(crate) fn update(call: &mut Call) -> Outcome {
    let payout = call.object("payout", "payout")?;
    call.update("payout", payout, &[])
}

pub(crate) fn cancel(call: &mut Call) -> Outcome {
    call.done()?;
    let payout = call.object("payout", "payout")?;
    if payout.text("status") != "pending" {
        let message = "Payouts can only be canceled while they are pending.";
        return Err(Refusal::invalid(message));
    }
    let account = call.account.clone();
    let transaction = back(call.state, &account, &payout, ("payout_cancel", "payout_reversal"));
    let payout = call.state.change(&account, "payout", payout.text("id"), |payout| {
        payout["status"] = json!("canceled");
        payout["failure_balance_transaction"] = transaction["id"].clone();
    });
    call.state.emit(&account, "payout.canceled", &payout);
    Ok(payout)
}

impl Sim {
    /// The bank will not take this payout.
    pub fn fail_payout(&self, account: &str, payout: &str) {
        self.lock().change(account, "payout", payout, |payout| payout["_fails"] = json!(true));
    }
}
