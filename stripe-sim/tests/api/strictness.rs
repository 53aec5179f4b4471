//! What Stripe would refuse is refused, and what the simulator does not do is not passed over.

use serde_json::{Value, json};

use crate::description::{DESCRIPTION, told};
use crate::rig::{Stripe, get, list, post};

#[test]
fn the_parameters_are_those_of_stripes_description() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/generated/parameters.json");
    let kept = std::fs::read_to_string(file).unwrap();
    let made = stripe_sim::excerpt(&DESCRIPTION).unwrap();
    let path = told("SOULFRA_TEST_STRIPE_OPENAPI");
    assert!(kept == made, "renew it: cargo run -p stripe-sim --example parameters -- {path}");
}

/// Every operation there is, with something in each place of its path.
fn operations() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (path, methods) in DESCRIPTION["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            let id = about["operationId"].as_str().unwrap();
            if stripe_sim::operations().any(|known| known == id) {
                let place =
                    |part: &str| if part.starts_with('{') { "x_1".into() } else { part.to_owned() };
                let path: Vec<String> = path.split('/').map(place).collect();
                found.push((id.to_owned(), method.to_uppercase(), path.join("/")));
            }
        }
    }
    assert_eq!(found.len(), stripe_sim::operations().count());
    found
}

#[tokio::test]
async fn every_operation_refuses_a_parameter_that_stripe_does_not_know() {
    let stripe = Stripe::start().await;
    for (id, method, path) in operations() {
        let given = json!({ "surely_unknown": "1" });
        let ask = match method.as_str() {
            "GET" => list(&path, given),
            "POST" => post(&path, given),
            // What deletes is asked in the query.
            _ => continue,
        };
        let reply = stripe.no(ask).await;
        assert_eq!((reply.status, reply.code()), (400, "parameter_unknown"), "{id}");
        assert_eq!(reply.param(), "surely_unknown", "{id}");
    }
}

#[tokio::test]
async fn every_operation_wants_what_stripe_wants() {
    let stripe = Stripe::start().await;
    let mut asked = 0;
    for (id, method, path) in operations().into_iter().filter(|(_, method, _)| method == "POST") {
        let operation = crate::description::operation(&method, &path).unwrap();
        if operation.request_faults(&json!({})).is_empty() {
            continue;
        }
        asked += 1;
        let reply = stripe.no(post(&path, json!({}))).await;
        assert_eq!((reply.status, reply.code()), (400, "parameter_missing"), "{id}");
    }
    assert!(asked > 5, "{asked}");
}

#[tokio::test]
async fn a_value_has_its_type() {
    let stripe = Stripe::start().await;
    let refused = |given: Value| {
        let stripe = &stripe;
        async move { stripe.no(post("/v1/transfers", given)).await }
    };
    let amount = json!({ "amount": "1.5", "currency": "usd", "destination": "acct_1" });
    assert_eq!(refused(amount).await.code(), "parameter_invalid_integer");
    let nested = json!({
        "amount": 1, "currency": "usd", "destination": "acct_1", "metadata": { "a": { "b": 1 } },
    });
    assert_eq!(refused(nested).await.param(), "metadata[a]");
    let reason = json!({ "charge": "ch_1", "reason": "whim" });
    let reply = stripe.no(post("/v1/refunds", reason)).await;
    assert_eq!(reply.param(), "reason");
    let deep = json!({ "recurring": { "interval": "month", "often": 1 }, "currency": "usd" });
    let reply = stripe.no(post("/v1/prices", deep)).await;
    assert_eq!((reply.code(), reply.param()), ("parameter_unknown", "recurring[often]"));
}

#[tokio::test]
async fn what_is_not_simulated_is_said() {
    let stripe = Stripe::start().await;
    let given = json!({ "name": "A", "tax_code": "txcd_1" });
    let reply = stripe.no(post("/v1/products", given)).await;
    assert_eq!(reply.status, 501);
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("tax_code"));
    let none = stripe.ok(get("/v1/products")).await;
    assert_eq!(none["data"], json!([]));
}

#[tokio::test]
async fn who_asks_has_the_key_and_speaks_the_version() {
    let stripe = Stripe::start().await;
    let url = format!("{}/v1/customers", stripe.url);
    let status =
        |request: reqwest::RequestBuilder| async { request.send().await.unwrap().status() };
    assert_eq!(status(stripe.http().get(&url)).await, 401);
    assert_eq!(status(stripe.http().get(&url).bearer_auth("sk_test_other")).await, 401);
    let basic = stripe.http().get(&url).basic_auth("sk_test_simulated", Some(""));
    assert_eq!(status(basic).await, 200);
    for (version, wanted) in [(stripe_sim::API_VERSION, 200), ("2019-09-09", 400)] {
        let ask = stripe.http().get(&url).bearer_auth("sk_test_simulated");
        assert_eq!(status(ask.header("Stripe-Version", version)).await, wanted, "{version}");
    }
    let elsewhere = stripe.http().get(format!("{}/v1/unheard_of", stripe.url));
    assert_eq!(status(elsewhere.bearer_auth("sk_test_simulated")).await, 404);
}

#[tokio::test]
async fn only_what_can_be_expanded_is() {
    let stripe = Stripe::start().await;
    let customer = stripe.ok(post("/v1/customers", json!({}))).await;
    let charge = stripe.paid(100, json!({ "customer": customer["id"] })).await;
    let path = format!("/v1/charges/{}", charge["id"].as_str().unwrap());
    let expand = |what: &str| list(&path, json!({ "expand": [what] }));
    let whole = stripe.ok(expand("payment_intent.customer")).await;
    assert_eq!(whole["payment_intent"]["customer"]["object"], "customer");
    for wrong in ["amount", "nothing", "a.b.c.d.e"] {
        assert_eq!(stripe.no(expand(wrong)).await.param(), "expand", "{wrong}");
    }
    let charges = list("/v1/charges", json!({ "expand": ["data.balance_transaction"] }));
    let charges = stripe.ok(charges).await;
    assert_eq!(charges["data"][0]["balance_transaction"]["object"], "balance_transaction");
}
