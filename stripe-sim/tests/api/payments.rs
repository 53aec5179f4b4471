//! Cards, intents, charges and refunds.

use serde_json::{Value, json};

use crate::rig::{Stripe, get, list, post};

#[tokio::test]
async fn a_card_pays_and_stripe_keeps_its_fee() {
    let stripe = Stripe::start().await;
    let charge = stripe.paid(1_000, json!({})).await;
    assert_eq!(charge["status"], "succeeded");
    let id = charge["balance_transaction"].as_str().unwrap();
    let entry = stripe.ok(get(format!("/v1/balance_transactions/{id}"))).await;
    assert_eq!((&entry["fee"], &entry["net"]), (&json!(59), &json!(941)));
    assert_eq!(stripe.balance(None).await, (0, 941));
    stripe.sim.advance(3 * 86_400);
    assert_eq!(stripe.balance(None).await, (941, 0));
    let entries = stripe.ok(list("/v1/balance_transactions", json!({ "type": "charge" }))).await;
    assert_eq!(entries["data"][0]["status"], "available");
}

#[tokio::test]
async fn a_declined_card_leaves_a_failed_charge_and_an_intent_that_can_be_paid() {
    let stripe = Stripe::start().await;
    let given = json!({
        "amount": 1_000, "currency": "usd", "confirm": true,
        "payment_method": "pm_card_chargeDeclinedInsufficientFunds",
    });
    let reply = stripe.no(post("/v1/payment_intents", given)).await;
    assert_eq!((reply.status, reply.code()), (402, "card_declined"));
    assert_eq!(reply.body["error"]["decline_code"], "insufficient_funds");
    let intent = reply.body["error"]["payment_intent"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/payment_intents/{intent}");
    let kept = stripe.ok(list(&path, json!({ "expand": ["latest_charge"] }))).await;
    assert_eq!(kept["status"], "requires_payment_method");
    assert_eq!(kept["latest_charge"]["status"], "failed");
    let again = json!({ "payment_method": "pm_card_visa" });
    let paid = stripe.ok(post(format!("{path}/confirm"), again)).await;
    assert_eq!(paid["status"], "succeeded");
    let reply = stripe.no(post(format!("{path}/confirm"), json!({}))).await;
    assert_eq!(reply.code(), "payment_intent_unexpected_state");
}

#[tokio::test]
async fn what_is_authorized_is_captured_in_part_or_let_go() {
    let stripe = Stripe::start().await;
    let charge = stripe.paid(1_000, json!({ "capture_method": "manual" })).await;
    assert_eq!(charge["captured"], false);
    assert_eq!(stripe.balance(None).await, (0, 0));
    let intent = charge["payment_intent"].as_str().unwrap();
    let path = format!("/v1/payment_intents/{intent}/capture");
    let too_much = stripe.no(post(&path, json!({ "amount_to_capture": 1_001 }))).await;
    assert_eq!(too_much.code(), "amount_too_large");
    let captured = stripe.ok(post(&path, json!({ "amount_to_capture": 600 }))).await;
    assert_eq!(captured["amount_received"], 600);
    let refund = stripe.no(post("/v1/refunds", json!({ "payment_intent": intent, "amount": 601 })));
    assert_eq!(refund.await.param(), "amount");
    let other = stripe.paid(1_000, json!({ "capture_method": "manual" })).await;
    let path = format!("/v1/payment_intents/{}/cancel", other["payment_intent"].as_str().unwrap());
    assert_eq!(stripe.ok(post(path, json!({}))).await["status"], "canceled");
}

#[tokio::test]
async fn refunds_never_give_back_more_than_was_paid() {
    let stripe = Stripe::start().await;
    let charge = stripe.paid(1_000, json!({})).await;
    let charge = charge["id"].as_str().unwrap();
    let refund = |amount: i64| post("/v1/refunds", json!({ "charge": charge, "amount": amount }));
    stripe.ok(refund(400)).await;
    let reply = stripe.no(refund(601)).await;
    assert_eq!((reply.status, reply.param()), (400, "amount"));
    stripe.ok(refund(600)).await;
    assert_eq!(stripe.no(refund(1)).await.code(), "charge_already_refunded");
    let whole = list(format!("/v1/charges/{charge}"), json!({ "expand": ["refunds"] }));
    let whole = stripe.ok(whole).await;
    assert_eq!(whole["refunded"], true);
    assert_eq!(whole["refunds"]["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_card_that_asks_waits_for_its_holder() {
    let stripe = Stripe::start().await;
    let mut given = json!({
        "amount": 500, "currency": "eur", "confirm": true, "return_url": "https://example.com/back",
        "payment_method": "pm_card_authenticationRequired",
    });
    let intent = stripe.ok(post("/v1/payment_intents", given.clone())).await;
    assert_eq!(intent["status"], "requires_action");
    assert_eq!(intent["next_action"]["type"], "redirect_to_url");
    given["off_session"] = json!(true);
    let reply = stripe.no(post("/v1/payment_intents", given)).await;
    assert_eq!(reply.code(), "authentication_required");
}

#[tokio::test]
async fn customers_keep_cards_and_one_of_them_is_used_by_default() {
    let stripe = Stripe::start().await;
    let given = json!({
        "email": "ada@example.com", "name": "Ada", "metadata": { "user": "1", "gone": "x" },
        "address": { "country": "DE", "city": "Berlin" }, "payment_method": "pm_card_visa",
        "invoice_settings": { "default_payment_method": "pm_card_visa" },
    });
    let customer = stripe.ok(post("/v1/customers", given)).await;
    let id = customer["id"].as_str().unwrap();
    let path = format!("/v1/customers/{id}");
    let given = json!({ "metadata": { "gone": "", "new": "y" }, "phone": "1" });
    let changed = stripe.ok(post(&path, given)).await;
    assert_eq!(changed["metadata"], json!({ "user": "1", "new": "y" }));
    let cards = stripe.ok(get(format!("{path}/payment_methods"))).await;
    let card = cards["data"][0]["id"].as_str().unwrap();
    assert_eq!(changed["invoice_settings"]["default_payment_method"], card);
    let declined =
        post("/v1/payment_methods/pm_card_chargeDeclined/attach", json!({ "customer": id }));
    assert_eq!(stripe.no(declined).await.code(), "card_declined");
    stripe.ok(post(format!("/v1/payment_methods/{card}/detach"), json!({}))).await;
    let left = stripe.ok(get(&path)).await;
    assert_eq!(left["invoice_settings"]["default_payment_method"], Value::Null);
    let gone = stripe.ok(crate::rig::delete(&path)).await;
    assert_eq!(gone["deleted"], true);
    assert_eq!(stripe.ok(get(&path)).await["deleted"], true);
    assert_eq!(stripe.no(post(&path, json!({ "name": "B" }))).await.code(), "resource_missing");
}

#[tokio::test]
async fn an_intent_is_found_by_its_metadata() {
    let stripe = Stripe::start().await;
    stripe.paid(100, json!({ "metadata": { "outbox_id": "a" } })).await;
    let wanted = stripe.paid(200, json!({ "metadata": { "outbox_id": "b" } })).await;
    let query = json!({ "query": "metadata['outbox_id']:'b' AND status:'succeeded'" });
    let found = stripe.ok(list("/v1/payment_intents/search", query)).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(found["data"][0]["id"], wanted["payment_intent"]);
}

#[tokio::test]
async fn lists_are_read_forwards_and_backwards() {
    let stripe = Stripe::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let given = json!({ "name": format!("n{n}") });
        let product = stripe.ok(post("/v1/products", given)).await;
        ids.insert(0, product["id"].as_str().unwrap().to_owned());
    }
    let page = |given: Value| list("/v1/products", given);
    let names = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|product| product["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = stripe.ok(page(json!({ "limit": 2 }))).await;
    assert_eq!((names(&first), first["has_more"].clone()), (ids[..2].to_vec(), json!(true)));
    let rest = stripe.ok(page(json!({ "limit": 3, "starting_after": ids[1] }))).await;
    assert_eq!((names(&rest), rest["has_more"].clone()), (ids[2..].to_vec(), json!(false)));
    let back = stripe.ok(page(json!({ "limit": 2, "ending_before": ids[3] }))).await;
    assert_eq!((names(&back), back["has_more"].clone()), (ids[1..3].to_vec(), json!(true)));
    let none = stripe.no(page(json!({ "starting_after": "prod_none" }))).await;
    assert_eq!(none.code(), "resource_missing");
}

#[tokio::test]
async fn prices_belong_to_products() {
    let stripe = Stripe::start().await;
    let given = json!({
        "currency": "usd", "unit_amount": 9_900, "recurring": { "interval": "month" },
        "product_data": { "name": "Starter" }, "lookup_key": "starter",
    });
    let price = stripe.ok(post("/v1/prices", given)).await;
    assert_eq!(
        (&price["type"], &price["unit_amount_decimal"]),
        (&json!("recurring"), &json!("9900"))
    );
    let tiered = json!({
        "currency": "usd", "billing_scheme": "tiered", "tiers_mode": "graduated",
        "recurring": { "interval": "month" }, "product": price["product"],
        "tiers": [{ "up_to": 10, "unit_amount": 100 }, { "up_to": "inf", "unit_amount": 50 }],
        "expand": ["tiers", "product"],
    });
    let tiered = stripe.ok(post("/v1/prices", tiered)).await;
    assert_eq!(tiered["tiers"][1]["up_to"], Value::Null);
    assert_eq!(tiered["product"]["name"], "Starter");
    let found = stripe.ok(list("/v1/prices", json!({ "lookup_keys": ["starter"] }))).await;
    assert_eq!(found["data"][0]["id"], price["id"]);
    let product = format!("/v1/products/{}", price["product"].as_str().unwrap());
    assert_eq!(stripe.no(crate::rig::delete(product)).await.status, 400);
}
