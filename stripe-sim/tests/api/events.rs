//! What is told of what happened.

use serde_json::{Value, json};

use crate::description::object_faults;
use crate::rig::{Stripe, get, list, post};

#[tokio::test]
async fn each_event_holds_an_object_as_stripe_describes_it() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    let given = json!({ "email": "a@example.com", "payment_method": "pm_card_visa" });
    stripe.ok(post("/v1/customers", given)).await;
    let charge = stripe.paid(1_000, json!({})).await;
    let transfer = json!({
        "amount": 500, "currency": "usd", "destination": seller,
        "source_transaction": charge["id"],
    });
    stripe.ok(post("/v1/transfers", transfer)).await;
    stripe.ok(post("/v1/refunds", json!({ "charge": charge["id"], "amount": 10 }))).await;
    stripe.paid(900, json!({ "payment_method": "pm_card_createDispute" })).await;
    stripe.paid(900, json!({ "application_fee_amount": 90, "account": seller })).await;
    for account in [None, Some(&seller)] {
        let ask = list("/v1/events", json!({ "limit": 100 }));
        let ask = account.map_or(ask.clone(), |account| ask.of(account));
        let events = stripe.ok(ask).await;
        for event in events["data"].as_array().unwrap() {
            let wrong = object_faults(&event["data"]["object"]);
            assert!(wrong.is_empty(), "{}: {wrong:#?}", event["type"]);
        }
    }
}

#[tokio::test]
async fn an_event_names_its_request_its_key_and_what_was_before() {
    let stripe = Stripe::start().await;
    let made = stripe.send(post("/v1/customers", json!({ "name": "A" })).key("k")).await.unwrap();
    let event = |kind: &str| list("/v1/events", json!({ "type": kind }));
    let created = stripe.ok(event("customer.created")).await["data"][0].clone();
    assert_eq!(created["request"]["id"].as_str(), made.header("request-id"));
    assert_eq!(created["request"]["idempotency_key"], "k");
    assert_eq!(created["data"]["object"], made.body);
    let path = format!("/v1/customers/{}", made.body["id"].as_str().unwrap());
    stripe.ok(post(&path, json!({ "name": "B" }))).await;
    let updated = stripe.ok(event("customer.updated")).await["data"][0].clone();
    assert_eq!(updated["data"]["previous_attributes"], json!({ "name": "A" }));
    let one = stripe.ok(get(format!("/v1/events/{}", updated["id"].as_str().unwrap()))).await;
    assert_eq!(one, updated);
    assert_eq!(one["pending_webhooks"], Value::from(0));
}
