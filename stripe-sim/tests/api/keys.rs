//! Idempotency keys.

use serde_json::{Value, json};
use stripe_sim::Fault;

use crate::rig::{Ask, Stripe, get, post};

fn customer(name: &str) -> Ask {
    post("/v1/customers", json!({ "name": name }))
}

async fn customers(stripe: &Stripe) -> usize {
    stripe.ok(get("/v1/customers")).await["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_key_does_what_it_does_once_and_says_the_same_again() {
    let stripe = Stripe::start().await;
    let first = stripe.send(customer("Ada").key("k")).await.unwrap();
    let again = stripe.send(customer("Ada").key("k")).await.unwrap();
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("original-request"), first.header("request-id"));
    assert_ne!(again.header("request-id"), first.header("request-id"));
    assert_eq!(customers(&stripe).await, 1);
}

#[tokio::test]
async fn a_key_is_bound_to_its_parameters_and_its_endpoint() {
    let stripe = Stripe::start().await;
    stripe.ok(customer("Ada").key("k")).await;
    for other in [customer("Bob"), post("/v1/products", json!({ "name": "Ada" }))] {
        let reply = stripe.no(other.key("k")).await;
        assert_eq!((reply.status, reply.kind()), (400, "idempotency_error"));
    }
    assert_eq!(customers(&stripe).await, 1);
}

#[tokio::test]
async fn accounts_have_keys_of_their_own() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    let own = stripe.ok(customer("Ada").key("k")).await;
    let theirs = stripe.ok(customer("Ada").key("k").of(&seller)).await;
    assert_ne!(own["id"], theirs["id"]);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let stripe = Stripe::start().await;
    stripe.ok(customer("Ada").key("k")).await;
    stripe.sim.advance(24 * 3_600 - 1);
    stripe.ok(customer("Ada").key("k")).await;
    assert_eq!(customers(&stripe).await, 1);
    stripe.sim.advance(1);
    stripe.ok(customer("Ada").key("k")).await;
    assert_eq!(customers(&stripe).await, 2);
}

#[tokio::test]
async fn a_500_is_kept_whether_or_not_it_was_done() {
    let stripe = Stripe::start().await;
    for (fault, key, done) in [(Fault::ErrorBefore, "a", 0), (Fault::ErrorAfter, "b", 1)] {
        stripe.sim.fault("PostCustomers", fault);
        let first = stripe.no(customer("Ada").key(key)).await;
        let again = stripe.no(customer("Ada").key(key)).await;
        assert_eq!((first.status, again.status), (500, 500));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(customers(&stripe).await, done, "{fault:?}");
    }
}

#[tokio::test]
async fn a_decline_is_kept_and_a_mistake_is_not() {
    let stripe = Stripe::start().await;
    let intent = |method: &str, amount: Value| {
        let given = json!({
            "amount": amount, "currency": "usd", "confirm": true, "payment_method": method,
        });
        post("/v1/payment_intents", given).key("k")
    };
    stripe.no(intent("pm_card_visa", json!("much"))).await;
    let declined = stripe.no(intent("pm_card_chargeDeclined", json!(100))).await;
    assert_eq!(declined.status, 402);
    let again = stripe.no(intent("pm_card_chargeDeclined", json!(100))).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn a_key_in_use_is_a_conflict() {
    let stripe = Stripe::start().await;
    stripe.sim.fault("PostCustomers", Fault::Held);
    let first = stripe.send(customer("Ada").key("k"));
    let second = async {
        // The first one is held as soon as it has its key.
        loop {
            let reply = stripe.send(customer("Ada").key("k")).await.unwrap();
            if reply.status == 409 {
                stripe.sim.let_go();
                return reply;
            }
            tokio::task::yield_now().await;
        }
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((second.status, second.code()), (409, "idempotency_key_in_use"));
    // Whichever of the two came first and was held.
    assert_eq!(first.unwrap().status, 200);
    assert_eq!(customers(&stripe).await, 1);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_had_by_its_key() {
    let stripe = Stripe::start().await;
    stripe.sim.fault("PostCustomers", Fault::CutAfter);
    assert!(stripe.send(customer("Ada").key("k")).await.is_none());
    assert_eq!(customers(&stripe).await, 1);
    let again = stripe.send(customer("Ada").key("k")).await.unwrap();
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    stripe.sim.fault("PostCustomers", Fault::CutBefore);
    assert!(stripe.send(customer("Bob").key("l")).await.is_none());
    assert_eq!(customers(&stripe).await, 1);
}
