//! Events on their way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post as route;
use serde_json::{Value, json};
use stripe_sim::{RequestFaults, WebhookFaults, sign};
use tokio::net::TcpListener;

use crate::rig::{Stripe, delete, get, post};

/// Somebody who listens.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<(String, String)>>>,
    refuses: Arc<Mutex<bool>>,
}

async fn hear(State(ear): State<Ear>, headers: HeaderMap, body: String) -> StatusCode {
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    ear.heard.lock().unwrap().push((signature, body));
    if *ear.refuses.lock().unwrap() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

impl Ear {
    /// Listens, and is made known; its URL, its id and its secret.
    async fn listen(stripe: &Stripe, kinds: Value, connect: bool) -> (Self, String, String) {
        let ear = Self::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", route(hear)).with_state(ear.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let given = json!({ "url": url, "enabled_events": kinds, "connect": connect });
        let endpoint = stripe.ok(post("/v1/webhook_endpoints", given)).await;
        let text = |name: &str| endpoint[name].as_str().unwrap().to_owned();
        (ear, text("id"), text("secret"))
    }

    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }

    fn ids(&self) -> Vec<String> {
        let id = |body: &str| serde_json::from_str::<Value>(body).unwrap()["id"].to_string();
        self.take().iter().map(|(_, body)| id(body)).collect()
    }
}

fn is_signed_by(signature: &str, body: &str, secret: &str) -> bool {
    let at = signature.split(',').next().unwrap().trim_start_matches("t=").parse().unwrap();
    let own = sign(at, body, &[secret.to_owned()]);
    let own = own.split_once(',').unwrap().1;
    signature.split(',').any(|part| part == own)
}

async fn customers(stripe: &Stripe, number: usize) {
    for _ in 0..number {
        stripe.ok(post("/v1/customers", json!({}))).await;
    }
}

#[tokio::test]
async fn an_event_is_delivered_signed_and_only_to_those_who_want_it() {
    let stripe = Stripe::start().await;
    let (wants, _, secret) = Ear::listen(&stripe, json!(["customer.created"]), false).await;
    let (other, ..) = Ear::listen(&stripe, json!(["payout.paid"]), false).await;
    customers(&stripe, 1).await;
    assert_eq!(wants.take(), []);
    let tried = stripe.sim.deliver().await;
    assert_eq!((tried.len(), tried[0].status), (1, Some(200)));
    let heard = wants.take();
    assert!(is_signed_by(&heard[0].0, &heard[0].1, &secret));
    assert_eq!(other.take(), []);
    let event: Value = serde_json::from_str(&heard[0].1).unwrap();
    let kept = stripe.ok(get(format!("/v1/events/{}", event["id"].as_str().unwrap()))).await;
    assert_eq!((&event["pending_webhooks"], &kept["pending_webhooks"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn what_is_not_taken_comes_again_for_three_days() {
    let stripe = Stripe::start().await;
    let (ear, ..) = Ear::listen(&stripe, json!(["*"]), false).await;
    *ear.refuses.lock().unwrap() = true;
    customers(&stripe, 1).await;
    for _ in 0..100 {
        stripe.sim.deliver().await;
        stripe.sim.advance(3_600);
    }
    let tries = ear.ids();
    assert_eq!(tries.len(), 9);
    assert_eq!(tries.iter().collect::<HashSet<_>>().len(), 1);
    assert_eq!(stripe.sim.undelivered(), 0);
}

#[tokio::test]
async fn while_a_secret_rolls_both_sign() {
    let stripe = Stripe::start().await;
    let (ear, id, old) = Ear::listen(&stripe, json!(["*"]), false).await;
    let new = stripe.sim.roll_secret(&id, 3_600);
    for (seconds, by_old) in [(0, true), (3_600, false)] {
        stripe.sim.advance(seconds);
        customers(&stripe, 1).await;
        stripe.sim.deliver().await;
        let heard = ear.take();
        let (signature, body) = &heard[0];
        assert!(is_signed_by(signature, body, &new));
        assert_eq!(is_signed_by(signature, body, &old), by_old);
    }
}

#[tokio::test]
async fn events_of_sellers_go_to_those_who_listen_to_them() {
    let stripe = Stripe::start().await;
    let seller = stripe.seller().await;
    let (own, ..) = Ear::listen(&stripe, json!(["*"]), false).await;
    let (theirs, ..) = Ear::listen(&stripe, json!(["*"]), true).await;
    stripe.ok(post("/v1/customers", json!({})).of(&seller)).await;
    stripe.sim.deliver().await;
    assert_eq!(own.take(), []);
    let heard = theirs.take();
    let event: Value = serde_json::from_str(&heard[0].1).unwrap();
    assert_eq!(event["account"], seller);
}

#[tokio::test]
async fn an_endpoint_that_is_deleted_hears_nothing_more() {
    let stripe = Stripe::start().await;
    let (ear, id, _) = Ear::listen(&stripe, json!(["*"]), false).await;
    customers(&stripe, 1).await;
    stripe.ok(delete(format!("/v1/webhook_endpoints/{id}"))).await;
    customers(&stripe, 1).await;
    assert_eq!(stripe.sim.deliver_all().await, []);
    assert_eq!(ear.take(), []);
}

#[tokio::test]
async fn doubled_late_shuffled_and_lost_they_all_arrive() {
    let stripe = Stripe::start().await;
    let (ear, ..) = Ear::listen(&stripe, json!(["customer.created"]), false).await;
    let faults = WebhookFaults { delayed: 4, doubled: 3, reordered: 3, dropped: 5, old_secret: 0 };
    stripe.sim.faults(RequestFaults::default(), faults);
    customers(&stripe, 60).await;
    let at_once = stripe.sim.deliver().await;
    assert!(at_once.iter().any(|tried| tried.status.is_none()), "some are lost on their way");
    let first: Vec<_> = ear.ids();
    assert!(first.len() < 60, "some are late: {}", first.len());
    let later = stripe.sim.deliver_all().await;
    assert!(later.iter().all(|tried| tried.status.is_some()) || stripe.sim.undelivered() == 0);
    let mut all = first;
    all.extend(ear.ids());
    let different: HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), 60);
    assert!(all.len() > 60, "some come twice: {}", all.len());
    let events = stripe.ok(crate::rig::list("/v1/events", json!({ "limit": 100 }))).await;
    let made: Vec<String> =
        events["data"].as_array().unwrap().iter().rev().map(|e| e["id"].to_string()).collect();
    let mut seen = HashSet::new();
    let came: Vec<_> = all.iter().filter(|id| seen.insert((*id).clone())).collect();
    assert_ne!(came, made.iter().collect::<Vec<_>>(), "out of order");
}

#[tokio::test]
async fn what_an_old_secret_signed_comes_again_when_it_is_refused() {
    let stripe = Stripe::start().await;
    let (ear, id, old) = Ear::listen(&stripe, json!(["*"]), false).await;
    let new = stripe.sim.roll_secret(&id, 0);
    let faults = WebhookFaults { old_secret: 1, ..WebhookFaults::default() };
    stripe.sim.faults(RequestFaults::default(), faults);
    *ear.refuses.lock().unwrap() = true;
    customers(&stripe, 1).await;
    stripe.sim.deliver().await;
    let (signature, body) = ear.take().remove(0);
    assert!(is_signed_by(&signature, &body, &old) && !is_signed_by(&signature, &body, &new));
    *ear.refuses.lock().unwrap() = false;
    stripe.sim.deliver_all().await;
    let (signature, body) = ear.take().remove(0);
    assert!(is_signed_by(&signature, &body, &new));
}
