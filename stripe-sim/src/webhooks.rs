//! Events on their way to those who listen: signed, and as unreliable as asked for.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::faults::WebhookFaults;
use crate::sim::Sim;
use crate::state::{PLATFORM, State};
use crate::value::{Read, told};

/// When what was not taken comes again, in seconds after each try: three days in all.
const AGAIN: [i64; 8] = [300, 1_800, 7_200, 18_000, 36_000, 43_200, 43_200, 86_400];

/// What waits to be delivered, and the secrets it is signed with.
#[derive(Clone, Debug)]
pub(crate) struct Deliveries {
    pub(crate) faults: WebhookFaults,
    chance: Chance,
    waiting: BTreeMap<(i64, u64), Delivery>,
    numbers: u64,
    secrets: HashMap<String, Vec<Secret>>,
    /// How many were late, lost, doubled, out of order or signed wrong.
    pub(crate) went_wrong: u64,
}

/// A secret, and until when it signs.
#[derive(Clone, Debug)]
struct Secret {
    secret: String,
    until: Option<i64>,
}

#[derive(Clone, Debug)]
struct Delivery {
    endpoint: String,
    account: String,
    event: String,
    tries: usize,
    /// Lost on its way, this time.
    is_lost: bool,
    is_signed_wrong: bool,
}

/// One try that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The event.
    pub event: String,
    /// What it tells of.
    pub kind: String,
    /// The endpoint's URL.
    pub url: String,
    /// The status it was answered with; none if nobody answered, or it was lost on its way.
    pub status: Option<u16>,
}

/// What is sent.
struct Parcel {
    delivery: Delivery,
    kind: String,
    url: String,
    signature: String,
    body: String,
}

impl Deliveries {
    pub(crate) fn new(faults: WebhookFaults, seed: u64) -> Self {
        let (waiting, secrets) = (BTreeMap::new(), HashMap::new());
        Self { faults, chance: Chance::new(seed), waiting, numbers: 0, secrets, went_wrong: 0 }
    }

    pub(crate) fn keep_secret(&mut self, endpoint: &str, secret: &str) {
        let first = Secret { secret: secret.to_owned(), until: None };
        self.secrets.insert(endpoint.to_owned(), vec![first]);
    }

    fn put(&mut self, at: i64, delivery: Delivery) {
        self.numbers += 1;
        self.waiting.insert((at, self.numbers), delivery);
    }

    /// Puts a new event on its way, with whatever goes wrong on it.
    fn begin(&mut self, now: i64, endpoint: &str, account: &str, event: &str) {
        let faults = self.faults;
        let copies = if self.chance.once_in(faults.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let late = if self.chance.once_in(faults.delayed) {
                self.chance.below(3_600)
            } else if self.chance.once_in(faults.reordered) {
                self.chance.below(60)
            } else {
                0
            };
            let delivery = Delivery {
                endpoint: endpoint.to_owned(),
                account: account.to_owned(),
                event: event.to_owned(),
                tries: 0,
                is_lost: self.chance.once_in(faults.dropped),
                is_signed_wrong: self.chance.once_in(faults.old_secret),
            };
            let is_wrong = late > 0 || delivery.is_lost || delivery.is_signed_wrong;
            self.went_wrong += u64::from(is_wrong || copies > 1);
            self.put(now + late, delivery);
        }
    }

    /// `t=…,v1=…`, once for each secret that signs at the moment.
    fn signature(&mut self, delivery: &Delivery, now: i64, body: &str) -> String {
        let secrets = self.secrets.entry(delivery.endpoint.clone()).or_default();
        let is_live = |secret: &&Secret| secret.until.is_none_or(|until| now < until);
        let mut with: Vec<String> =
            secrets.iter().filter(is_live).map(|s| s.secret.clone()).collect();
        if delivery.is_signed_wrong {
            let old = secrets.iter().rev().find(|secret| secret.until.is_some());
            let nobodys = || "whsec_nobodys".to_owned();
            with = vec![old.map_or_else(nobodys, |secret| secret.secret.clone())];
        }
        sign(now, body, &with)
    }
}

/// The header `Stripe-Signature` of a body, at a time, by these secrets.
pub fn sign(at: i64, body: &str, secrets: &[String]) -> String {
    let mut header = format!("t={at}");
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
        let _ = write!(header, ",v1={}", hex::encode(tag));
    }
    header
}

impl State {
    /// Sends an event to all who listen; how many they are.
    pub(crate) fn schedule(&mut self, account: &str, event: &Value) -> usize {
        let kind = event.text("type");
        let is_own = account == PLATFORM;
        let listens = |endpoint: &Value| {
            let kinds = endpoint["enabled_events"].as_array();
            let wants = kinds.is_some_and(|kinds| kinds.iter().any(|k| k == "*" || k == kind));
            wants && endpoint.text("status") == "enabled" && endpoint.flag("_connect") != is_own
        };
        // Those of the platform hear of others if they want to, each account's own of it.
        let mut listeners: Vec<Value> = self.all(PLATFORM, "webhook_endpoint");
        listeners.retain(listens);
        if !is_own {
            let own = self.all(account, "webhook_endpoint");
            listeners
                .extend(own.into_iter().filter(|endpoint| endpoint.text("status") == "enabled"));
        }
        for endpoint in &listeners {
            let (id, event) = (endpoint.text("id"), event.text("id"));
            self.deliveries.begin(self.now, id, account, event);
        }
        listeners.len()
    }

    fn endpoint(&self, id: &str) -> Option<Value> {
        self.books.values().find_map(|books| books.get("webhook_endpoint", id)).cloned()
    }

    /// What is due by then, taken out.
    fn due(&mut self, until: i64) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        while let Some(entry) = self.deliveries.waiting.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let delivery = entry.remove();
            let Some(endpoint) = self.endpoint(&delivery.endpoint) else { continue };
            let event = self.look(&delivery.account, "event", &delivery.event);
            let Some(event) = event.map(told) else { continue };
            let body = event.to_string();
            let signature = self.deliveries.signature(&delivery, self.now, &body);
            let (kind, url) = (event.text("type").to_owned(), endpoint.text("url").to_owned());
            parcels.push(Parcel { delivery, kind, url, signature, body });
        }
        parcels
    }

    /// What was not taken comes again, until three days are over.
    fn tried(&mut self, mut delivery: Delivery, is_taken: bool) {
        if is_taken {
            let (account, event) = (delivery.account.clone(), delivery.event.clone());
            self.change(&account, "event", &event, |event| {
                event["pending_webhooks"] = json!((event.int("pending_webhooks") - 1).max(0));
            });
            return;
        }
        let Some(wait) = AGAIN.get(delivery.tries) else { return };
        delivery.tries += 1;
        (delivery.is_lost, delivery.is_signed_wrong) = (false, false);
        let at = self.now + wait;
        self.deliveries.put(at, delivery);
    }
}

impl Sim {
    /// Delivers what is due by the simulator's clock, one after the other.
    pub async fn deliver(&self) -> Vec<Tried> {
        let until = self.lock().now;
        self.deliver_until(until).await
    }

    /// Delivers everything that is on its way now, however late it was to be, and what comes
    /// again of it once. The clock stays where it is.
    pub async fn deliver_all(&self) -> Vec<Tried> {
        let mut tried = self.deliver_until(i64::MAX).await;
        tried.extend(self.deliver_until(i64::MAX).await);
        tried
    }

    /// How many deliveries are on their way.
    pub fn undelivered(&self) -> usize {
        self.lock().deliveries.waiting.len()
    }

    /// A new secret for an endpoint; the old one signs beside it for so many seconds.
    pub fn roll_secret(&self, endpoint: &str, beside: i64) -> String {
        let mut state = self.lock();
        let secret = format!("whsec_{}", state.chance.word(32));
        let until = Some(state.now + beside);
        let secrets = state.deliveries.secrets.entry(endpoint.to_owned()).or_default();
        for old in secrets.iter_mut().filter(|old| old.until.is_none()) {
            old.until = until;
        }
        secrets.insert(0, Secret { secret: secret.clone(), until: None });
        secret
    }

    async fn deliver_until(&self, until: i64) -> Vec<Tried> {
        let parcels = self.lock().due(until);
        let mut tried = Vec::new();
        for Parcel { delivery, kind, url, signature, body } in parcels {
            let status =
                if delivery.is_lost { None } else { self.post(&url, signature, body).await };
            let event = delivery.event.clone();
            tried.push(Tried { event, kind, url, status });
            let is_taken = status.is_some_and(|status| (200..300).contains(&status));
            self.lock().tried(delivery, is_taken);
        }
        tried
    }

    async fn post(&self, url: &str, signature: String, body: String) -> Option<u16> {
        let request = self.client.post(url).header("Stripe-Signature", signature);
        let request = request.header("Content-Type", "application/json; charset=utf-8");
        let answer = request.body(body).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }
}

/// Calls those who listen: never twice by itself, and never for long.
pub(crate) fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let builder = builder.retry(reqwest::retry::never()).timeout(Duration::from_secs(20));
    builder.build().unwrap_or_default()
}
