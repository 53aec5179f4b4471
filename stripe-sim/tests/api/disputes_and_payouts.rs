//! Money that is taken back, and money that goes to a bank.

use serde_json::{Value, json};

use crate::rig::{Stripe, get, list, post};

async fn disputed(stripe: &Stripe) -> Value {
    stripe.paid(1_000, json!({ "payment_method": "pm_card_createDispute" })).await;
    stripe.ok(get("/v1/disputes")).await["data"][0].clone()
}

#[tokio::test]
async fn a_dispute_takes_the_money_and_a_fee() {
    let stripe = Stripe::start().await;
    let dispute = disputed(&stripe).await;
    assert_eq!(dispute["status"], "needs_response");
    let (available, pending) = stripe.balance(None).await;
    assert_eq!(available + pending, 941 - 1_000 - 1_500);
    let refund = stripe.no(post("/v1/refunds", json!({ "charge": dispute["charge"] }))).await;
    assert_eq!(refund.code(), "charge_disputed");
}

#[tokio::test]
async fn a_dispute_that_is_won_gives_the_money_back_and_not_the_fee() {
    let stripe = Stripe::start().await;
    let dispute = disputed(&stripe).await;
    let path = format!("/v1/disputes/{}", dispute["id"].as_str().unwrap());
    let given = json!({ "evidence": { "uncategorized_text": "winning_evidence" } });
    let dispute = stripe.ok(post(&path, given)).await;
    assert_eq!(dispute["status"], "won");
    let (available, pending) = stripe.balance(None).await;
    assert_eq!(available + pending, 941 - 1_500);
    assert_eq!(stripe.no(post(format!("{path}/close"), json!({}))).await.status, 400);
}

#[tokio::test]
async fn a_dispute_that_nobody_answers_is_lost() {
    let stripe = Stripe::start().await;
    let dispute = disputed(&stripe).await;
    stripe.sim.advance(10 * 86_400);
    let path = format!("/v1/disputes/{}", dispute["id"].as_str().unwrap());
    assert_eq!(stripe.ok(get(path)).await["status"], "lost");
}

#[tokio::test]
async fn the_entries_of_a_daily_payout_sum_to_it() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    let daily = json!({ "settings": { "payouts": { "schedule": { "interval": "daily" } } } });
    stripe.ok(post(format!("/v1/accounts/{seller}"), daily)).await;
    let fee = json!({ "account": seller, "application_fee_amount": 100 });
    let charge = stripe.paid(2_000, fee.clone()).await;
    stripe.paid(3_000, fee).await;
    let refund = json!({ "charge": charge["id"], "amount": 250 });
    stripe.ok(post("/v1/refunds", refund).of(&seller)).await;
    stripe.sim.advance(3 * 86_400);
    let payouts = stripe.ok(get("/v1/payouts").of(&seller)).await;
    let payout = &payouts["data"][0];
    assert_eq!(payout["automatic"], true);
    let given = json!({ "payout": payout["id"], "limit": 100 });
    let entries = stripe.ok(list("/v1/balance_transactions", given).of(&seller)).await;
    let entries = entries["data"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    let sum: i64 = entries
        .iter()
        .filter(|entry| entry["type"] != "payout")
        .map(|entry| entry["net"].as_i64().unwrap())
        .sum();
    assert_eq!(payout["amount"], sum);
    stripe.sim.advance(3 * 86_400);
    let path = format!("/v1/payouts/{}", payout["id"].as_str().unwrap());
    assert_eq!(stripe.ok(get(path).of(&seller)).await["status"], "paid");
}

#[tokio::test]
async fn a_payout_that_the_bank_refuses_comes_back() {
    let stripe = Stripe::start().await;
    stripe.paid(1_000, json!({ "payment_method": "pm_card_bypassPending" })).await;
    let payout = json!({ "amount": 900, "currency": "usd" });
    let payout = stripe.ok(post("/v1/payouts", payout)).await;
    let id = payout["id"].as_str().unwrap();
    assert_eq!(stripe.balance(None).await, (41, 0));
    let more = json!({ "amount": 42, "currency": "usd" });
    assert_eq!(stripe.no(post("/v1/payouts", more)).await.code(), "balance_insufficient");
    stripe.sim.fail_payout(stripe.sim.platform(), id);
    stripe.sim.advance(3 * 86_400);
    let payout = stripe.ok(get(format!("/v1/payouts/{id}"))).await;
    assert_eq!(payout["status"], "failed");
    assert_eq!(stripe.balance(None).await, (941, 0));
    let given = json!({ "amount": 941, "currency": "usd" });
    let other = stripe.ok(post("/v1/payouts", given)).await;
    let path = format!("/v1/payouts/{}/cancel", other["id"].as_str().unwrap());
    assert_eq!(stripe.ok(post(path, json!({}))).await["status"], "canceled");
    assert_eq!(stripe.balance(None).await, (941, 0));
}
