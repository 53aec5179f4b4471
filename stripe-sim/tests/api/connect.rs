//! Sales in which others have a share.

use serde_json::{Value, json};

use crate::rig::{Stripe, get, list, post};

#[tokio::test]
async fn a_seller_tells_who_they_are_and_can_sell() {
    let stripe = Stripe::start().await;
    let given =
        json!({ "type": "express", "capabilities": { "transfers": { "requested": true } } });
    let account = stripe.ok(post("/v1/accounts", given)).await;
    assert_eq!(account["charges_enabled"], false);
    let id = account["id"].as_str().unwrap();
    let early = json!({ "amount": 1, "currency": "usd", "destination": id });
    let reply = stripe.no(post("/v1/transfers", early)).await;
    assert_eq!(reply.code(), "insufficient_capabilities_for_transfer");
    let given = json!({
        "account": id, "type": "account_onboarding",
        "return_url": "https://example.com/back", "refresh_url": "https://example.com/again",
    });
    let link = stripe.ok(post("/v1/account_links", given)).await;
    let url = link["url"].as_str().unwrap();
    let page = stripe.http().get(url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Test money"), "{page}");
    let done = stripe.http().post(url).send().await.unwrap();
    assert_eq!(done.headers()["location"], "https://example.com/back");
    assert_eq!(stripe.http().get(url).send().await.unwrap().status(), 404);
    let account = stripe.ok(get(format!("/v1/accounts/{id}"))).await;
    assert_eq!(account["capabilities"]["transfers"], "active");
    assert_eq!(account["charges_enabled"], true);
}

#[tokio::test]
async fn a_charge_is_shared_by_transfers_which_never_exceed_it() {
    let stripe = Stripe::start().await;
    let (tenant, creator) = (stripe.seller().await, stripe.seller().await);
    let more = json!({ "on_behalf_of": tenant, "transfer_group": "sale_1" });
    let charge = stripe.paid(1_000, more).await;
    let transfer = |to: &str, amount: i64| {
        post(
            "/v1/transfers",
            json!({
                "amount": amount, "currency": "usd", "destination": to,
                "source_transaction": charge["id"],
            }),
        )
    };
    let first = stripe.ok(transfer(&creator, 700)).await;
    assert_eq!(first["transfer_group"], "sale_1");
    let over = stripe.no(transfer(&tenant, 301)).await;
    assert_eq!(over.param(), "amount");
    stripe.ok(transfer(&tenant, 255)).await;
    // Pending with the charge that they come from.
    assert_eq!(stripe.balance(Some(&creator)).await, (0, 700));
    assert_eq!(stripe.balance(None).await, (0, 941 - 955));
    let group = stripe.ok(list("/v1/transfers", json!({ "transfer_group": "sale_1" }))).await;
    assert_eq!(group["data"].as_array().unwrap().len(), 2);
    let payment = first["destination_payment"].as_str().unwrap();
    let seen = stripe.ok(get(format!("/v1/charges/{payment}")).of(&creator)).await;
    assert_eq!(seen["source_transfer"], first["id"]);
}

#[tokio::test]
async fn without_a_charge_only_what_is_available_is_transferred() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    stripe.paid(1_000, json!({})).await;
    let transfer =
        post("/v1/transfers", json!({ "amount": 500, "currency": "usd", "destination": seller }));
    assert_eq!(stripe.no(transfer.clone()).await.code(), "balance_insufficient");
    stripe.sim.advance(3 * 86_400);
    stripe.ok(transfer).await;
    assert_eq!(stripe.balance(Some(&seller)).await, (500, 0));
}

#[tokio::test]
async fn a_transfer_is_reversed_as_far_as_the_seller_has_money() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    let charge = stripe.paid(1_000, json!({})).await;
    let given = json!({
        "amount": 700, "currency": "usd", "destination": seller,
        "source_transaction": charge["id"],
    });
    let transfer = stripe.ok(post("/v1/transfers", given)).await;
    let path = format!("/v1/transfers/{}/reversals", transfer["id"].as_str().unwrap());
    stripe.ok(post(&path, json!({ "amount": 300 }))).await;
    assert_eq!(stripe.no(post(&path, json!({ "amount": 401 }))).await.param(), "amount");
    stripe.sim.advance(3 * 86_400);
    let payout = post("/v1/payouts", json!({ "amount": 400, "currency": "usd" })).of(&seller);
    stripe.ok(payout).await;
    assert_eq!(stripe.no(post(&path, json!({}))).await.code(), "balance_insufficient");
    let reversals = stripe.ok(get(&path)).await;
    assert_eq!(reversals["data"][0]["amount"], 300);
}

#[tokio::test]
async fn a_direct_charge_gives_the_platform_its_fee_and_takes_it_back() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    let more = json!({ "application_fee_amount": 150, "account": seller });
    let charge = stripe.paid(1_000, more).await;
    assert_eq!(stripe.balance(None).await, (0, 150));
    assert_eq!(stripe.balance(Some(&seller)).await, (0, 1_000 - 59 - 150));
    let fee = charge["application_fee"].as_str().unwrap();
    let half = json!({ "charge": charge["id"], "amount": 500, "refund_application_fee": true });
    stripe.ok(post("/v1/refunds", half).of(&seller)).await;
    let fee = stripe.ok(get(format!("/v1/application_fees/{fee}"))).await;
    assert_eq!(fee["amount_refunded"], 75);
    assert_eq!(stripe.balance(None).await, (-75, 150));
    assert_eq!(stripe.balance(Some(&seller)).await, (-425, 791));
}

#[tokio::test]
async fn a_destination_charge_transfers_by_itself() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    let more = json!({
        "transfer_data": { "destination": seller }, "application_fee_amount": 100,
    });
    let charge = stripe.paid(1_000, more).await;
    assert_eq!(stripe.balance(None).await, (0, 1_000 - 59 - 1_000 + 100));
    assert_eq!(stripe.balance(Some(&seller)).await, (0, 900));
    let given = json!({
        "charge": charge["id"], "reverse_transfer": true, "refund_application_fee": true,
    });
    let refund = stripe.ok(post("/v1/refunds", given)).await;
    assert_ne!(refund["transfer_reversal"], Value::Null);
}

#[tokio::test]
async fn a_key_sees_only_accounts_of_its_platform() {
    let stripe = Stripe::start().await;
    let reply = stripe.no(get("/v1/balance").of("acct_stranger")).await;
    assert_eq!((reply.status, reply.code()), (403, "account_invalid"));
}
