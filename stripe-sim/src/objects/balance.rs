//! What every account has, and each entry that made it so.

use serde_json::{Value, json};

use crate::call::{Call, Outcome};
use crate::lists;
use crate::state::State;
use crate::value::Read;

/// What is booked.
pub(crate) struct Entry<'a> {
    /// Stripe's type, and its reporting category.
    pub(crate) kind: (&'static str, &'static str),
    pub(crate) amount: i64,
    /// Each with its type; what comes back is negative.
    pub(crate) fees: Vec<(&'static str, i64)>,
    pub(crate) currency: &'a str,
    pub(crate) source: &'a str,
    pub(crate) available_on: i64,
}

/// Books an entry at an account; it is the one way in which a balance changes.
pub(crate) fn book(state: &mut State, account: &str, entry: &Entry) -> Value {
    let Entry { kind: (kind, category), amount, fees, currency, source, available_on } = entry;
    let fee: i64 = fees.iter().map(|(_, amount)| amount).sum();
    let told = |(kind, amount): &(&str, i64)| {
        let description =
            if *kind == "stripe_fee" { "Stripe processing fees" } else { "Application fee" };
        let application = (*kind == "application_fee").then_some("ca_simulated");
        json!({
            "amount": amount, "application": application, "currency": currency,
            "description": description, "type": kind,
        })
    };
    let fees: Vec<Value> = fees.iter().filter(|(_, amount)| *amount != 0).map(told).collect();
    let now = state.now;
    let status = if *available_on <= now { "available" } else { "pending" };
    let transaction = json!({
        "id": state.id("txn"), "object": "balance_transaction", "amount": amount,
        "available_on": available_on, "balance_type": "payments", "created": now,
        "currency": currency, "description": null, "exchange_rate": null, "fee": fee,
        "fee_details": fees, "net": amount - fee, "reporting_category": category,
        "source": source, "status": status, "type": kind,
    });
    let purse = state.of(account).purse(currency);
    purse.settle(now);
    purse.add(amount - fee, *available_on, now);
    state.put(account, "balance_transaction", transaction.clone());
    transaction
}

/// What an account could spend now.
pub(crate) fn available(state: &mut State, account: &str, currency: &str) -> i64 {
    let now = state.now;
    let purse = state.of(account).purse(currency);
    purse.settle(now);
    purse.available
}

pub(crate) fn get(call: &mut Call) -> Outcome {
    call.done()?;
    let now = call.state.now;
    let account = call.account.clone();
    Ok(call.state.of(&account).balance(now))
}

pub(crate) fn transactions(call: &mut Call) -> Outcome {
    settle(call);
    let payout = call.take_text("payout");
    let wanted = ["source", "type", "currency"].map(|name| (name, call.take_text(name)));
    let created = call.take("created");
    if created.is_some() {
        let what = "balance transactions by the time at which they were made";
        return Err(crate::refusal::Refusal::not_simulated(what));
    }
    let mut found = call.state.all(&call.account, "balance_transaction");
    found.reverse();
    found.retain(|transaction| {
        let is_equal = |(name, wanted): &(&str, Option<String>)| {
            wanted.as_deref().is_none_or(|wanted| transaction.text(name) == wanted)
        };
        wanted.iter().all(is_equal)
            && payout.as_deref().is_none_or(|payout| transaction.text("_payout") == payout)
    });
    lists::page(call, &found, "balance_transaction")
}

/// What has become available by now, says so.
fn settle(call: &mut Call) {
    let now = call.state.now;
    let account = call.account.clone();
    let due: Vec<String> = {
        let pending = |t: &&Value| t.text("status") == "pending" && t.int("available_on") <= now;
        let books = call.state.of(&account);
        books.all("balance_transaction").filter(pending).map(|t| t.text("id").to_owned()).collect()
    };
    for id in due {
        call.state.change(&account, "balance_transaction", &id, |transaction| {
            transaction["status"] = json!("available");
        });
    }
}
