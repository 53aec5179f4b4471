//! The pages that people are sent to, without scripts.

use serde_json::{Value, json};

use crate::rig::{Stripe, form, get, list, post};

/// Fills in a form; the status, where it leads, and the page.
async fn submit(stripe: &Stripe, url: &str, filled: Value) -> (u16, Option<String>, String) {
    let request =
        stripe.http().post(url).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form(&filled)).send().await.unwrap();
    let status = answer.status().as_u16();
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    (status, to, answer.text().await.unwrap())
}

fn session(mode: &str, recurring: Value) -> Value {
    let mut price = json!({
        "currency": "usd", "unit_amount": 1_000, "product_data": { "name": "An <agent>" },
    });
    if !recurring.is_null() {
        price["recurring"] = recurring;
    }
    json!({
        "mode": mode, "line_items": [{ "price_data": price, "quantity": 2 }],
        "success_url": "https://example.com/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://example.com/back", "client_reference_id": "order_1",
    })
}

#[tokio::test]
async fn somebody_pays_with_a_test_card_after_one_was_declined() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    let mut given = session("payment", Value::Null);
    given["payment_intent_data"] = json!({
        "on_behalf_of": seller, "transfer_group": "sale_1", "metadata": { "order": "1" },
    });
    let made = stripe.ok(post("/v1/checkout/sessions", given)).await;
    let url = made["url"].as_str().unwrap();
    let page = stripe.http().get(url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Test money") && page.contains("An &lt;agent&gt;"), "{page}");
    assert!(page.contains("2000 usd") && !page.contains("<script"), "{page}");
    let card = |number: &str| json!({ "card": number, "email": "a@example.com", "name": "A" });
    let (status, _, page) = submit(&stripe, url, card("4000 0000 0000 0002")).await;
    assert!(status == 200 && page.contains("declined"), "{page}");
    let (_, _, page) = submit(&stripe, url, card("1234")).await;
    assert!(page.contains("no test card"), "{page}");
    let (status, to, _) = submit(&stripe, url, card("4242 4242 4242 4242")).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!((status, to), (303, Some(format!("https://example.com/done?session={id}"))));
    assert_eq!(submit(&stripe, url, card("4242 4242 4242 4242")).await.1, None, "only once");
    let path = format!("/v1/checkout/sessions/{id}");
    let expand = json!({ "expand": ["payment_intent.latest_charge", "line_items"] });
    let done = stripe.ok(list(&path, expand)).await;
    assert_eq!((&done["status"], &done["payment_status"]), (&json!("complete"), &json!("paid")));
    let intent = &done["payment_intent"];
    assert_eq!(intent["metadata"]["order"], "1");
    assert_eq!(intent["latest_charge"]["on_behalf_of"], seller);
    assert_eq!(done["line_items"]["data"][0]["amount_total"], 2_000);
}

#[tokio::test]
async fn somebody_subscribes_and_ends_it_on_the_portal() {
    let stripe = Stripe::start().await;
    let given = session("subscription", json!({ "interval": "month" }));
    let made = stripe.ok(post("/v1/checkout/sessions", given)).await;
    let card = json!({ "card": "4242424242424242", "email": "a@example.com" });
    submit(&stripe, made["url"].as_str().unwrap(), card).await;
    let path = format!("/v1/checkout/sessions/{}", made["id"].as_str().unwrap());
    let done = stripe.ok(get(path)).await;
    let subscription = done["subscription"].as_str().unwrap();
    let path = format!("/v1/subscriptions/{subscription}");
    assert_eq!(stripe.ok(get(&path)).await["status"], "active");
    let given = json!({ "customer": done["customer"], "return_url": "https://example.com/back" });
    let portal = stripe.ok(post("/v1/billing_portal/sessions", given)).await;
    let url = portal["url"].as_str().unwrap();
    let page = stripe.http().get(url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(subscription), "{page}");
    for (what, ends) in [("end", true), ("go on", false)] {
        let filled = json!({ "subscription": subscription, "what": what });
        assert_eq!(submit(&stripe, url, filled).await.0, 303);
        assert_eq!(stripe.ok(get(&path)).await["cancel_at_period_end"], ends);
    }
    let other = json!({ "subscription": "sub_other", "what": "end" });
    assert_eq!(submit(&stripe, url, other).await.0, 404);
}

#[tokio::test]
async fn a_session_that_nobody_uses_expires() {
    let stripe = Stripe::start().await;
    let made = stripe.ok(post("/v1/checkout/sessions", session("payment", Value::Null))).await;
    stripe.sim.advance(24 * 3_600);
    let path = format!("/v1/checkout/sessions/{}", made["id"].as_str().unwrap());
    assert_eq!(stripe.ok(get(&path)).await["status"], "expired");
    assert_eq!(stripe.no(post(format!("{path}/expire"), json!({}))).await.status, 400);
    let url = made["url"].as_str().unwrap();
    assert_eq!(stripe.http().get(url).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_holder_of_a_card_says_that_it_is_them_or_not() {
    let stripe = Stripe::start().await;
    for (answer, status) in [("yes", "succeeded"), ("no", "requires_payment_method")] {
        let given = json!({
            "amount": 500, "currency": "usd", "confirm": true,
            "payment_method": "pm_card_authenticationRequired",
            "return_url": "https://example.com/back",
        });
        let intent = stripe.ok(post("/v1/payment_intents", given)).await;
        let url = intent["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
        let (_, to, _) = submit(&stripe, url, json!({ "is_me": answer })).await;
        assert_eq!(to.unwrap(), "https://example.com/back");
        let path = format!("/v1/payment_intents/{}", intent["id"].as_str().unwrap());
        assert_eq!(stripe.ok(get(path)).await["status"], status);
    }
}
