//! The same calls to Stripe's own mock: what both answer has the same fields of the same types.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use reqwest::Client;
use serde_json::{Value, json};

use crate::description::told;
use crate::rig::{self, Ask, Stripe, get, post};

/// Stripe's mock on a port, for as long as this is held.
struct Mock {
    process: Child,
    url: String,
    http: Client,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Mock {
    async fn start() -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new(told("SOULFRA_TEST_STRIPE_MOCK"));
        command.args(["-http-addr", &format!("127.0.0.1:{port}"), "-https-port", "0"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        let mock = Self { process, url: format!("http://127.0.0.1:{port}"), http };
        // It reads 8 MB before it listens.
        while rig::raw(&mock.http, &mock.url, &get("/v1/balance")).await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        mock
    }

    async fn ask(&self, ask: &Ask) -> (u16, Value) {
        let (status, body, _) = rig::raw(&self.http, &self.url, ask).await.unwrap();
        (status, body)
    }
}

/// The kind of each field, however deep, lists by their first item.
fn shape(value: &Value, at: &str, out: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            if let Some(first) = items.first() {
                shape(first, &format!("{at}[]"), out);
            }
            "list"
        }
        Value::Object(fields) => {
            for (name, inner) in fields {
                shape(inner, &format!("{at}.{name}"), out);
            }
            "object"
        }
    };
    out.insert(at.to_owned(), kind);
}

/// Fields that both have, and whose kinds differ; where one has nothing there is nothing to say.
fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
    let shapes = [ours, theirs].map(|value| {
        let mut out = BTreeMap::new();
        shape(value, "", &mut out);
        out
    });
    let [ours, theirs] = &shapes;
    let both = ours.iter().filter_map(|(at, kind)| Some((at, *kind, *theirs.get(at)?)));
    both.filter(|(_, ours, theirs)| ours != theirs && *ours != "null" && *theirs != "null")
        .map(|(at, ours, theirs)| format!("{at}: {ours} here, {theirs} there"))
        .collect()
}

/// What the mock has at the top of an object and we do not. The refunds of a charge are there only
/// for who expands them, at Stripe as here; the mock shows them to everybody.
fn missing(ours: &Value, theirs: &Value) -> Vec<String> {
    let has =
        |key: &str| ours.get(key).is_some() || (ours["object"] == "charge" && key == "refunds");
    theirs.as_object().unwrap().keys().filter(|key| !has(key)).cloned().collect()
}

#[tokio::test]
async fn both_answer_with_the_same_fields_of_the_same_types() {
    let (stripe, mock) = (Stripe::start().await, Mock::start().await);
    let seller = stripe.seller().await;
    let customer = json!({ "email": "a@example.com", "name": "A", "metadata": { "k": "v" } });
    let intent = json!({
        "amount": 1_000, "currency": "usd", "confirm": true, "payment_method": "pm_card_visa",
        "payment_method_types": ["card"],
    });
    let charge = stripe.paid(1_000, json!({})).await;
    stripe.paid(900, json!({ "payment_method": "pm_card_createDispute" })).await;
    stripe.paid(900, json!({ "application_fee_amount": 90, "account": seller })).await;
    stripe.sim.advance(3 * 86_400);
    stripe.paid(9_000, json!({ "payment_method": "pm_card_bypassPending" })).await;
    let transfer = json!({
        "amount": 500, "currency": "usd", "destination": seller,
        "source_transaction": charge["id"],
    });
    let price = json!({
        "currency": "usd", "unit_amount": 1, "recurring": { "interval": "month" },
        "product_data": { "name": "P" },
    });
    let hook = json!({ "url": "https://example.com", "enabled_events": ["*"] });
    let asks = [
        post("/v1/customers", customer),
        post("/v1/products", json!({ "name": "P" })),
        post("/v1/prices", price),
        post("/v1/payment_intents", intent),
        post("/v1/refunds", json!({ "charge": charge["id"], "amount": 1 })),
        post("/v1/transfers", transfer),
        post("/v1/payouts", json!({ "amount": 1, "currency": "usd" })),
        post("/v1/accounts", json!({ "type": "express" })),
        post("/v1/webhook_endpoints", hook),
        get(format!("/v1/charges/{}", charge["id"].as_str().unwrap())),
        get("/v1/charges"),
        get("/v1/balance"),
        get("/v1/balance_transactions"),
        get("/v1/disputes"),
        get("/v1/application_fees"),
        get("/v1/events"),
    ];
    same(&stripe, &mock, &asks).await;
}

#[tokio::test]
async fn both_bill_with_the_same_fields_of_the_same_types() {
    let (stripe, mock) = (Stripe::start().await, Mock::start().await);
    let given = json!({ "payment_method": "pm_card_visa", "email": "a@example.com" });
    let customer = stripe.ok(post("/v1/customers", given)).await;
    let cards = stripe.ok(get(format!("/v1/customers/{}/payment_methods", text(&customer)))).await;
    let price = json!({
        "currency": "usd", "unit_amount": 1_000, "recurring": { "interval": "month" },
        "product_data": { "name": "P" },
    });
    let price = stripe.ok(post("/v1/prices", price)).await;
    let subscription = json!({
        "customer": customer["id"], "items": [{ "price": price["id"] }],
        "default_payment_method": cards["data"][0]["id"],
    });
    let made = stripe.ok(post("/v1/subscriptions", subscription.clone())).await;
    let checkout = json!({
        "mode": "subscription", "line_items": [{ "price": price["id"], "quantity": 1 }],
        "success_url": "https://example.com/done", "cancel_url": "https://example.com/back",
    });
    let meter = json!({
        "display_name": "T", "event_name": "t", "default_aggregation": { "formula": "sum" },
    });
    let event = json!({
        "event_name": "t", "payload": { "stripe_customer_id": customer["id"], "value": "1" },
    });
    let item = json!({ "customer": customer["id"], "amount": 1, "currency": "usd" });
    let asks = [
        post("/v1/subscriptions", subscription),
        get(format!("/v1/invoices/{}", made["latest_invoice"].as_str().unwrap())),
        get("/v1/invoice_payments"),
        post("/v1/invoiceitems", item),
        post("/v1/invoices", json!({ "customer": customer["id"] })),
        post("/v1/invoices/create_preview", json!({ "subscription": made["id"] })),
        post("/v1/checkout/sessions", checkout),
        post("/v1/billing_portal/sessions", json!({ "customer": customer["id"] })),
        get("/v1/billing_portal/configurations"),
        post("/v1/billing/meters", meter),
        post("/v1/billing/meter_events", event),
        post("/v1/test_helpers/test_clocks", json!({ "frozen_time": 1_700_000_000 })),
        get("/v1/payment_methods"),
    ];
    same(&stripe, &mock, &asks).await;
}

fn text(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

async fn same(stripe: &Stripe, mock: &Mock, asks: &[Ask]) {
    let mut all = Vec::new();
    for ask in asks {
        let ours = stripe.ok(ask.clone()).await;
        let (status, theirs) = mock.ask(ask).await;
        assert_eq!(status, 200, "{theirs}");
        let mut wrong = differences(&ours, &theirs);
        wrong.extend(missing(&ours, &theirs).into_iter().map(|name| format!("no {name} here")));
        all.extend(wrong.into_iter().map(|wrong| format!("{ask:?}: {wrong}")));
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[tokio::test]
async fn both_refuse_the_same_requests() {
    let (stripe, mock) = (Stripe::start().await, Mock::start().await);
    let asks = [
        post("/v1/customers", json!({ "nmae": "A" })),
        post("/v1/transfers", json!({ "amount": 1, "currency": "usd" })),
        post("/v1/transfers", json!({ "amount": "x", "currency": "usd", "destination": "a" })),
        post("/v1/prices", json!({ "currency": "usd", "recurring": { "interval": "eon" } })),
        post("/v1/refunds", json!({ "amount": { "a": 1 } })),
        get("/v1/no_such_thing"),
    ];
    for ask in asks {
        let ours = stripe.no(ask.clone()).await;
        let (status, theirs) = mock.ask(&ask).await;
        assert_eq!(ours.status, status, "{ask:?}: {} / {theirs}", ours.body);
        assert_eq!(ours.kind(), theirs["error"]["type"], "{ask:?}");
    }
}
