//! What goes wrong when it is asked for, and limits.

use std::collections::BTreeMap;

use serde_json::json;
use stripe_sim::{Fault, Limits, RequestFaults, Settings, WebhookFaults};

use crate::rig::{Stripe, get, post};

#[tokio::test]
async fn a_lock_timeout_keeps_no_key() {
    let stripe = Stripe::start().await;
    stripe.sim.fault("PostCustomers", Fault::LockTimeout);
    let ask = post("/v1/customers", json!({})).key("k");
    let reply = stripe.no(ask.clone()).await;
    assert_eq!((reply.status, reply.code()), (429, "lock_timeout"));
    stripe.ok(ask).await;
}

#[tokio::test]
async fn limits_are_of_all_or_of_one_operation_and_say_which() {
    let operations = BTreeMap::from([("PostCustomers".to_owned(), 1)]);
    let limits = Limits { all: Some(3), operations };
    let stripe = Stripe::with(Settings { limits, ..Settings::default() }).await;
    let create = || post("/v1/customers", json!({}));
    stripe.ok(create()).await;
    let one = stripe.no(create()).await;
    assert_eq!((one.status, one.code()), (429, "rate_limit"));
    assert_eq!(one.header("stripe-rate-limited-reason"), Some("endpoint-rate"));
    stripe.ok(get("/v1/customers")).await;
    let all = stripe.no(get("/v1/customers")).await;
    assert_eq!(all.header("stripe-rate-limited-reason"), Some("global-rate"));
    stripe.sim.advance(1);
    stripe.ok(create()).await;
}

#[tokio::test]
async fn chance_is_the_same_for_the_same_seed() {
    let faults =
        RequestFaults { error_before: 5, cut_after: 5, rate_limited: 5, ..Default::default() };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let settings = Settings { seed: 7, request_faults: faults, ..Settings::default() };
        let stripe = Stripe::with(settings).await;
        let mut told = Vec::new();
        for _ in 0..40 {
            let reply = stripe.send(post("/v1/customers", json!({}))).await;
            told.push(reply.map(|reply| (reply.status, reply.body)));
        }
        stripe.sim.faults(RequestFaults::default(), WebhookFaults::default());
        let kinds: Vec<_> = told.iter().map(|told| told.as_ref().map(|told| told.0)).collect();
        for wanted in [Some(200), Some(500), Some(429), None] {
            assert!(kinds.contains(&wanted), "{wanted:?} in {kinds:?}");
        }
        runs.push(told);
    }
    assert_eq!(runs[0], runs[1]);
}
