//! What is paid again and again, on test clocks.

use serde_json::{Value, json};

use crate::rig::{Stripe, delete, get, list, post};

/// 2024-01-31, so that February has its 29th.
const START: i64 = 1_706_659_200;
const DAY: i64 = 86_400;

/// Somebody on a clock of their own.
struct Life {
    stripe: Stripe,
    clock: String,
    customer: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Life {
    async fn with(card: &str) -> Self {
        let stripe = Stripe::start().await;
        let clock = json!({ "frozen_time": START, "name": "a year" });
        let clock = text(&stripe.ok(post("/v1/test_helpers/test_clocks", clock)).await["id"]);
        let given = json!({
            "email": "a@example.com", "name": "A", "test_clock": clock, "payment_method": card,
            "invoice_settings": { "default_payment_method": card },
        });
        let customer = text(&stripe.ok(post("/v1/customers", given)).await["id"]);
        Self { stripe, clock, customer }
    }

    async fn price(&self, amount: i64, interval: &str) -> String {
        let given = json!({
            "currency": "usd", "unit_amount": amount, "recurring": { "interval": interval },
            "product_data": { "name": format!("for {amount}") },
        });
        text(&self.stripe.ok(post("/v1/prices", given)).await["id"])
    }

    async fn subscribed(&self, price: &str, more: Value) -> Value {
        let mut given = json!({
            "customer": self.customer, "items": [{ "price": price }],
            "expand": ["latest_invoice.payments"],
        });
        for (name, value) in more.as_object().unwrap() {
            given[name] = value.clone();
        }
        self.stripe.ok(post("/v1/subscriptions", given)).await
    }

    async fn until(&self, time: i64) {
        let path = format!("/v1/test_helpers/test_clocks/{}", self.clock);
        let told = json!({ "frozen_time": time });
        let told = self.stripe.ok(post(format!("{path}/advance"), told)).await;
        assert_eq!(told["status"], "advancing");
        assert_eq!(self.stripe.ok(get(path)).await["status"], "ready");
    }

    async fn now(&self, subscription: &Value) -> Value {
        let path = format!("/v1/subscriptions/{}", subscription["id"].as_str().unwrap());
        self.stripe.ok(get(path)).await
    }

    async fn invoices(&self) -> Vec<Value> {
        let given = json!({ "customer": self.customer, "limit": 100 });
        let page = self.stripe.ok(list("/v1/invoices", given)).await;
        page["data"].as_array().unwrap().iter().rev().cloned().collect()
    }

    async fn change_card(&self, card: &str) {
        let attach = format!("/v1/payment_methods/{card}/attach");
        let method = self.stripe.ok(post(attach, json!({ "customer": self.customer }))).await;
        let given = json!({ "invoice_settings": { "default_payment_method": method["id"] } });
        self.stripe.ok(post(format!("/v1/customers/{}", self.customer), given)).await;
    }
}

#[tokio::test]
async fn a_month_is_paid_at_its_beginning_and_a_31st_comes_back_after_february() {
    let life = Life::with("pm_card_visa").await;
    let price = life.price(9_900, "month").await;
    let made = life.subscribed(&price, json!({})).await;
    assert_eq!(made["status"], "active");
    let first = &made["latest_invoice"];
    assert_eq!((&first["status"], &first["amount_paid"]), (&json!("paid"), &json!(9_900)));
    assert_eq!(first["payments"]["data"][0]["status"], "paid");
    let end = |subscription: &Value| {
        subscription["items"]["data"][0]["current_period_end"].as_i64().unwrap()
    };
    assert_eq!(end(&made), 1_709_164_800, "2024-02-29");
    life.until(START + 30 * DAY).await;
    life.until(START + 61 * DAY).await;
    let later = life.now(&made).await;
    assert_eq!(end(&later), 1_714_435_200, "2024-04-30");
    let invoices = life.invoices().await;
    let told: Vec<_> =
        invoices.iter().map(|i| (i["status"].clone(), i["number"].clone())).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|(status, _)| status == "paid"), "{told:?}");
    assert_eq!(invoices[1]["billing_reason"], "subscription_cycle");
    assert_eq!(life.stripe.balance(None).await, (0, 3 * (9_900 - 317)));
}

#[tokio::test]
async fn a_clock_goes_on_by_two_intervals_at_most() {
    let life = Life::with("pm_card_visa").await;
    let price = life.price(9_900, "month").await;
    life.subscribed(&price, json!({})).await;
    let path = format!("/v1/test_helpers/test_clocks/{}/advance", life.clock);
    let far = post(path, json!({ "frozen_time": START + 70 * DAY }));
    assert_eq!(life.stripe.no(far).await.param(), "frozen_time");
}

#[tokio::test]
async fn another_plan_in_mid_month_costs_exactly_what_the_preview_said() {
    let life = Life::with("pm_card_visa").await;
    let (small, large) = (life.price(9_900, "month").await, life.price(99_900, "month").await);
    let made = life.subscribed(&small, json!({})).await;
    // A fifth of the 29 days from 31 January to 29 February is left.
    let at = START + 29 * DAY - 29 * DAY / 5;
    life.until(at).await;
    let item = &made["items"]["data"][0]["id"];
    let change = json!({
        "items": [{ "id": item, "price": large }], "proration_behavior": "always_invoice",
    });
    let preview = json!({ "subscription": made["id"], "subscription_details": change });
    let preview = life.stripe.ok(post("/v1/invoices/create_preview", preview)).await;
    assert_eq!(preview["amount_due"], (99_900 - 9_900) / 5);
    assert_eq!(life.invoices().await.len(), 1, "a preview makes nothing");
    let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    life.stripe.ok(post(&path, change)).await;
    let invoices = life.invoices().await;
    assert_eq!(invoices.len(), 2);
    assert_eq!(invoices[1]["amount_paid"], preview["amount_due"]);
    let amounts: Vec<_> = invoices[1]["lines"]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["amount"].clone())
        .collect();
    assert_eq!(amounts, [-1_980, 19_980]);
}

#[tokio::test]
async fn what_is_prorated_without_an_invoice_waits_for_the_next_one() {
    let life = Life::with("pm_card_visa").await;
    let (large, small) = (life.price(99_900, "month").await, life.price(9_900, "month").await);
    let made = life.subscribed(&large, json!({})).await;
    life.until(START + 29 * DAY - 29 * DAY / 5).await;
    let change = json!({ "items": [{ "id": made["items"]["data"][0]["id"], "price": small }] });
    let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    life.stripe.ok(post(&path, change)).await;
    let pending = list("/v1/invoiceitems", json!({ "customer": life.customer }));
    assert_eq!(life.stripe.ok(pending).await["data"].as_array().unwrap().len(), 2);
    let next = post("/v1/invoices/create_preview", json!({ "subscription": made["id"] }));
    let next = life.stripe.ok(next).await;
    assert_eq!(next["total"], 9_900 - 18_000);
    life.until(START + 30 * DAY).await;
    let invoices = life.invoices().await;
    assert_eq!((&invoices[1]["total"], &invoices[1]["amount_due"]), (&next["total"], &json!(0)));
    // What is left over pays the months that come.
    let customer = life.stripe.ok(get(format!("/v1/customers/{}", life.customer))).await;
    assert_eq!(customer["balance"], 9_900 - 18_000);
    life.until(START + 61 * DAY).await;
    let invoices = life.invoices().await;
    assert_eq!(invoices[2]["amount_due"], 9_900 + (9_900 - 18_000));
}

#[tokio::test]
async fn a_year_instead_of_a_month_begins_at_once() {
    let life = Life::with("pm_card_visa").await;
    let (month, year) = (life.price(1_000, "month").await, life.price(10_000, "year").await);
    let made = life.subscribed(&month, json!({})).await;
    life.until(START + 29 * DAY / 2).await;
    let change = json!({ "items": [{ "id": made["items"]["data"][0]["id"], "price": year }] });
    let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    let after = life.stripe.ok(post(path, change)).await;
    let item = &after["items"]["data"][0];
    assert_eq!(item["current_period_start"], START + 29 * DAY / 2);
    assert_eq!(life.invoices().await[1]["amount_paid"], 10_000 - 500);
}

#[tokio::test]
async fn who_cannot_pay_is_past_due_and_ends_after_three_more_tries() {
    let life = Life::with("pm_card_visa").await;
    let price = life.price(9_900, "month").await;
    let made = life.subscribed(&price, json!({})).await;
    life.change_card("pm_card_chargeCustomerFail").await;
    life.until(START + 30 * DAY).await;
    let late = life.now(&made).await;
    assert_eq!(late["status"], "past_due");
    let invoice = life.invoices().await.remove(1);
    assert_eq!((&invoice["status"], &invoice["attempt_count"]), (&json!("open"), &json!(1)));
    life.until(START + 37 * DAY).await;
    let ended = life.now(&made).await;
    assert_eq!(ended["status"], "canceled");
    assert_eq!(ended["cancellation_details"]["reason"], "payment_failed");
}

#[tokio::test]
async fn who_pays_late_is_active_again() {
    let life = Life::with("pm_card_visa").await;
    let price = life.price(9_900, "month").await;
    let made = life.subscribed(&price, json!({})).await;
    life.change_card("pm_card_chargeCustomerFail").await;
    life.until(START + 30 * DAY).await;
    let invoice = text(&life.invoices().await[1]["id"]);
    let pay = format!("/v1/invoices/{invoice}/pay");
    assert_eq!(life.stripe.no(post(&pay, json!({}))).await.status, 402);
    life.change_card("pm_card_visa").await;
    assert_eq!(life.stripe.ok(post(&pay, json!({}))).await["status"], "paid");
    assert_eq!(life.now(&made).await["status"], "active");
}

#[tokio::test]
async fn a_first_payment_that_fails_leaves_nothing_or_waits_a_day() {
    let life = Life::with("pm_card_chargeCustomerFail").await;
    let price = life.price(9_900, "month").await;
    let strict = json!({
        "customer": life.customer, "items": [{ "price": price }],
        "payment_behavior": "error_if_incomplete",
    });
    assert_eq!(life.stripe.no(post("/v1/subscriptions", strict)).await.status, 402);
    let all = list("/v1/subscriptions", json!({ "status": "all" }));
    assert_eq!(life.stripe.ok(all).await["data"], json!([]));
    let made = life.subscribed(&price, json!({ "payment_behavior": "default_incomplete" })).await;
    assert_eq!(made["status"], "incomplete");
    life.until(START + DAY).await;
    assert_eq!(life.now(&made).await["status"], "incomplete_expired");
}

#[tokio::test]
async fn a_trial_costs_nothing_until_it_ends() {
    let life = Life::with("pm_card_visa").await;
    let price = life.price(9_900, "month").await;
    let made = life.subscribed(&price, json!({ "trial_period_days": 14 })).await;
    assert_eq!(
        (&made["status"], &made["latest_invoice"]["total"]),
        (&json!("trialing"), &json!(0))
    );
    life.until(START + 15 * DAY).await;
    assert_eq!(life.now(&made).await["status"], "active");
    assert_eq!(life.invoices().await[1]["amount_paid"], 9_900);
}

#[tokio::test]
async fn it_ends_at_once_or_with_its_period() {
    let life = Life::with("pm_card_visa").await;
    let price = life.price(9_900, "month").await;
    let made = life.subscribed(&price, json!({})).await;
    let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    let end = json!({ "cancel_at_period_end": true });
    assert_eq!(life.stripe.ok(post(&path, end)).await["cancel_at"], START + 29 * DAY);
    life.until(START + 30 * DAY).await;
    assert_eq!(life.now(&made).await["status"], "canceled");
    assert_eq!(life.invoices().await.len(), 1);
    let other = life.subscribed(&price, json!({})).await;
    let path = format!("/v1/subscriptions/{}", other["id"].as_str().unwrap());
    let gone = life.stripe.ok(delete(&path)).await;
    assert_eq!(gone["status"], "canceled");
    assert_eq!(life.stripe.no(delete(&path)).await.status, 404);
}

#[tokio::test]
async fn what_is_used_is_counted_once_and_billed_with_the_month() {
    let life = Life::with("pm_card_visa").await;
    let given = json!({
        "display_name": "Tokens", "event_name": "tokens",
        "default_aggregation": { "formula": "sum" },
    });
    let meter = life.stripe.ok(post("/v1/billing/meters", given)).await;
    let given = json!({
        "currency": "usd", "unit_amount_decimal": "0.5", "product_data": { "name": "Tokens" },
        "recurring": { "interval": "month", "usage_type": "metered", "meter": meter["id"] },
    });
    let price = text(&life.stripe.ok(post("/v1/prices", given)).await["id"]);
    life.subscribed(&price, json!({})).await;
    let event = |id: &str, value: &str| {
        let payload = json!({ "stripe_customer_id": life.customer, "value": value });
        let given = json!({
            "event_name": "tokens", "identifier": id, "payload": payload, "timestamp": START + 60,
        });
        post("/v1/billing/meter_events", given)
    };
    life.stripe.ok(event("a", "1001")).await;
    let again = life.stripe.no(event("a", "1001")).await;
    assert_eq!(again.param(), "identifier");
    assert!(again.body["error"]["message"].as_str().unwrap().contains("already exists"));
    life.stripe.ok(event("b", "2000")).await;
    let path = format!("/v1/billing/meters/{}/event_summaries", meter["id"].as_str().unwrap());
    let day = json!({ "customer": life.customer, "start_time": START, "end_time": START + DAY });
    let summary = life.stripe.ok(list(path, day)).await;
    assert_eq!(summary["data"][0]["aggregated_value"], 3_001);
    life.until(START + 30 * DAY).await;
    let invoices = life.invoices().await;
    assert_eq!(invoices.last().unwrap()["amount_paid"], 1_501);
}

#[tokio::test]
async fn an_invoice_is_drafted_finalized_and_voided_by_hand() {
    let life = Life::with("pm_card_visa").await;
    let item = |amount: i64| {
        let customer = &life.customer;
        json!({ "customer": customer, "amount": amount, "currency": "usd", "description": "hours" })
    };
    life.stripe.ok(post("/v1/invoiceitems", item(50_000))).await;
    let given = json!({
        "customer": life.customer, "pending_invoice_items_behavior": "include",
        "collection_method": "send_invoice", "days_until_due": 30, "metadata": { "po": "7" },
    });
    let draft = life.stripe.ok(post("/v1/invoices", given)).await;
    let path = format!("/v1/invoices/{}", draft["id"].as_str().unwrap());
    let mut more = item(1_000);
    more["invoice"] = draft["id"].clone();
    life.stripe.ok(post("/v1/invoiceitems", more)).await;
    let open = life.stripe.ok(post(format!("{path}/finalize"), json!({}))).await;
    assert_eq!((&open["total"], &open["due_date"]), (&json!(51_000), &json!(START + 30 * DAY)));
    let late = life.stripe.no(post(&path, json!({ "footer": "x" }))).await;
    assert_eq!(late.code(), "invoice_not_editable");
    let lines = life.stripe.ok(get(format!("{path}/lines"))).await;
    assert_eq!(lines["data"].as_array().unwrap().len(), 2);
    let void = life.stripe.ok(post(format!("{path}/void"), json!({}))).await;
    assert_eq!(void["status"], "void");
    assert_eq!(life.stripe.no(post(format!("{path}/pay"), json!({}))).await.status, 400);
    let other = json!({ "customer": life.customer, "auto_advance": false });
    let other = life.stripe.ok(post("/v1/invoices", other)).await;
    let path = format!("/v1/invoices/{}", other["id"].as_str().unwrap());
    assert_eq!(life.stripe.ok(delete(path)).await["deleted"], true);
}

#[tokio::test]
async fn each_event_of_a_subscription_is_as_stripe_describes_it() {
    let life = Life::with("pm_card_visa").await;
    let price = life.price(9_900, "month").await;
    life.subscribed(&price, json!({})).await;
    life.until(START + 30 * DAY).await;
    let events = life.stripe.ok(list("/v1/events", json!({ "limit": 100 }))).await;
    let mut kinds = Vec::new();
    for event in events["data"].as_array().unwrap() {
        let wrong = crate::description::object_faults(&event["data"]["object"]);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", event["type"]);
        kinds.push(text(&event["type"]));
    }
    for wanted in ["invoice.created", "invoice.finalized", "invoice.paid"] {
        assert_eq!(kinds.iter().filter(|kind| *kind == wanted).count(), 2, "{wanted}");
    }
}
