//! Random calls with random faults: whatever happens, no money comes from nowhere.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Value, json};
use stripe_sim::{Answer, Request, RequestFaults, Settings, Sim, WebhookFaults};

use crate::rig::form;

/// One thing that somebody does; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Charge { amount: i64, fee: i64, seller: usize, how: usize },
    Refund { charge: usize, amount: i64, with_fee: bool },
    Transfer { charge: usize, amount: i64, seller: usize },
    Reverse { transfer: usize, amount: i64 },
    Payout { amount: i64, seller: usize },
    Again { key: usize },
    Wait { minutes: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let amount = 1..2_000_i64;
    prop_oneof![
        4 => (50..2_000_i64, 0..100_i64, 0..3_usize, 0..5_usize)
            .prop_map(|(amount, fee, seller, how)| Step::Charge { amount, fee, seller, how }),
        3 => (0..40_usize, amount.clone(), any::<bool>())
            .prop_map(|(charge, amount, with_fee)| Step::Refund { charge, amount, with_fee }),
        3 => (0..40_usize, amount.clone(), 0..2_usize)
            .prop_map(|(charge, amount, seller)| Step::Transfer { charge, amount, seller }),
        2 => (0..40_usize, amount.clone())
            .prop_map(|(transfer, amount)| Step::Reverse { transfer, amount }),
        1 => (amount, 0..3_usize).prop_map(|(amount, seller)| Step::Payout { amount, seller }),
        3 => (0..100_usize).prop_map(|key| Step::Again { key }),
        1 => (1..30_i64).prop_map(|minutes| Step::Wait { minutes }),
    ]
}

/// Everybody who does things, and all that was asked under a key.
struct World {
    sim: Sim,
    sellers: Vec<String>,
    asked: Vec<Request>,
    answered: HashMap<usize, Answer>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let sim = Sim::new(Settings { seed, ..Settings::default() });
        let mut world =
            Self { sim, sellers: Vec::new(), asked: Vec::new(), answered: HashMap::new() };
        for _ in 0..2 {
            let capabilities = json!({ "transfers": { "requested": true } });
            let given = json!({ "type": "express", "capabilities": capabilities });
            let account = world.ask("POST", "/v1/accounts", given, None).await.body();
            let id = account["id"].as_str().unwrap().to_owned();
            world.sim.onboard(&id);
            world.sellers.push(id);
        }
        world.sim.faults(
            RequestFaults {
                error_before: 15,
                error_after: 15,
                rate_limited: 15,
                lock_timeout: 15,
                cut_before: 15,
                cut_after: 15,
            },
            WebhookFaults::default(),
        );
        world
    }

    fn request(method: &str, path: &str, given: &Value, account: Option<&String>) -> Request {
        let (query, body) = match method {
            "GET" => (form(given), Vec::new()),
            _ => (String::new(), form(given).into_bytes()),
        };
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            body,
            authorization: Some("Bearer sk_test_simulated".to_owned()),
            account: account.cloned(),
            ..Request::default()
        }
    }

    async fn ask(&self, method: &str, path: &str, given: Value, of: Option<&String>) -> Answer {
        self.sim.request(Self::request(method, path, &given, of)).await
    }

    /// Under a key of its own, as often as it takes to hear something that stays.
    async fn post(&mut self, path: &str, given: Value, of: Option<&String>) {
        let place = self.asked.len();
        let mut request = Self::request("POST", path, &given, of);
        request.key = Some(format!("key-{place}"));
        self.asked.push(request.clone());
        loop {
            let answer = self.sim.request(request.clone()).await;
            if answer != Answer::Cut && answer.status() != Some(429) {
                self.answered.insert(place, answer);
                return;
            }
        }
    }

    /// Everything of a kind that an account has, as it is told.
    async fn all(&self, path: &str, of: Option<&String>) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        loop {
            let mut given = json!({ "limit": 100 });
            if let Some(last) = found.last() {
                given["starting_after"] = last["id"].clone();
            }
            let answer = self.ask("GET", path, given, of).await;
            if answer.status() != Some(200) {
                continue;
            }
            let page = answer.body();
            found.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] == false {
                return found;
            }
        }
    }

    async fn one_of(&self, path: &str, of: Option<&String>, place: usize) -> Option<Value> {
        let all = self.all(path, of).await;
        (!all.is_empty()).then(|| all[place % all.len()].clone())
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Charge { amount, fee, seller, how } => {
                let card =
                    ["visa", "visa", "bypassPending", "chargeDeclined", "createDispute"][how];
                let mut given = json!({
                    "amount": amount, "currency": "usd", "confirm": true,
                    "payment_method": format!("pm_card_{card}"),
                });
                let seller = self.sellers.get(seller).cloned();
                if seller.is_some() {
                    given["application_fee_amount"] = json!(fee.min(amount));
                }
                self.post("/v1/payment_intents", given, seller.as_ref()).await;
            }
            Step::Refund { charge, amount, with_fee } => {
                let of = self.sellers.get(charge % 3).cloned();
                let Some(charge) = self.one_of("/v1/charges", of.as_ref(), charge).await else {
                    return;
                };
                let given = json!({
                    "charge": charge["id"], "amount": amount, "refund_application_fee": with_fee,
                });
                self.post("/v1/refunds", given, of.as_ref()).await;
            }
            Step::Transfer { charge, amount, seller } => {
                let Some(charge) = self.one_of("/v1/charges", None, charge).await else { return };
                let given = json!({
                    "amount": amount, "currency": "usd", "destination": self.sellers[seller],
                    "source_transaction": charge["id"],
                });
                self.post("/v1/transfers", given, None).await;
            }
            Step::Reverse { transfer, amount } => {
                let found = self.one_of("/v1/transfers", None, transfer).await;
                let Some(transfer) = found else { return };
                let path = format!("/v1/transfers/{}/reversals", transfer["id"].as_str().unwrap());
                self.post(&path, json!({ "amount": amount }), None).await;
            }
            Step::Payout { amount, seller } => {
                let of = self.sellers.get(seller).cloned();
                let given = json!({ "amount": amount, "currency": "usd" });
                self.post("/v1/payouts", given, of.as_ref()).await;
            }
            Step::Again { key } => self.again(key).await,
            Step::Wait { minutes } => self.sim.advance(minutes * 60),
        }
    }

    /// What was asked before is asked again: the same answer, and nothing else happens.
    async fn again(&mut self, key: usize) {
        if self.asked.is_empty() {
            return;
        }
        let place = key % self.asked.len();
        let before = self.counts().await;
        let answer = self.sim.request(self.asked[place].clone()).await;
        let first = &self.answered[&place];
        // What is not simulated had not begun, and left its key free.
        let is_kept = first.status() != Some(501) && answer.status() != Some(429);
        if is_kept && answer != Answer::Cut {
            assert_eq!((answer.status(), answer.body()), (first.status(), first.body()));
        }
        assert_eq!(self.counts().await, before, "a key did something twice");
    }

    async fn counts(&self) -> Vec<usize> {
        let mut counts = Vec::new();
        for of in [None, self.sellers.first(), self.sellers.get(1)] {
            counts.push(self.all("/v1/balance_transactions", of).await.len());
            counts.push(self.all("/v1/charges", of).await.len());
        }
        counts
    }

    async fn check(&self) {
        let int = |value: &Value, name: &str| value[name].as_i64().unwrap();
        for of in [None, self.sellers.first(), self.sellers.get(1)] {
            let entries = self.all("/v1/balance_transactions", of).await;
            let sum: i64 = entries.iter().map(|entry| int(entry, "net")).sum();
            let balance = loop {
                let answer = self.ask("GET", "/v1/balance", json!({}), of).await;
                if answer.status() == Some(200) {
                    break answer.body();
                }
            };
            let told = ["available", "pending"].map(|name| int(&balance[name][0], "amount"));
            assert_eq!(told.iter().sum::<i64>(), sum, "a balance is the sum of its entries");
            for charge in self.all("/v1/charges", of).await {
                assert!(int(&charge, "amount_refunded") <= int(&charge, "amount"));
            }
            for fee in self.all("/v1/application_fees", of).await {
                assert!(int(&fee, "amount_refunded") <= int(&fee, "amount"));
            }
            let refunds = self.all("/v1/refunds", of).await;
            for charge in self.all("/v1/charges", of).await {
                let of_it = refunds.iter().filter(|refund| refund["charge"] == charge["id"]);
                let sum: i64 = of_it.map(|refund| int(refund, "amount")).sum();
                assert_eq!(sum, int(&charge, "amount_refunded"));
            }
        }
        let transfers = self.all("/v1/transfers", None).await;
        for charge in self.all("/v1/charges", None).await {
            let of_it = transfers.iter().filter(|t| t["source_transaction"] == charge["id"]);
            let sum: i64 = of_it.map(|transfer| int(transfer, "amount")).sum();
            assert!(sum <= int(&charge, "amount_captured"), "transfers exceed their charge");
        }
        self.check_the_whole(&transfers).await;
    }

    /// All money together: what cards paid, less what went back to them, to Stripe and to banks.
    async fn check_the_whole(&self, transfers: &[Value]) {
        let int = |value: &Value, name: &str| value[name].as_i64().unwrap();
        let (mut inside, mut outside) = (0, 0);
        for of in [None, self.sellers.first(), self.sellers.get(1)] {
            for entry in self.all("/v1/balance_transactions", of).await {
                inside += int(&entry, "net");
                let fees = entry["fee_details"].as_array().unwrap().iter();
                let stripes = fees.filter(|fee| fee["type"] == "stripe_fee");
                outside -= stripes.map(|fee| int(fee, "amount")).sum::<i64>();
                if ["charge", "refund", "payout", "payout_failure", "adjustment"]
                    .contains(&entry["type"].as_str().unwrap())
                {
                    outside += int(&entry, "amount");
                }
            }
        }
        assert_eq!(inside, outside, "with {} transfers", transfers.len());
    }
}

proptest! {
    #![proptest_config(Config { cases: 24, ..Config::default() })]
    #[test]
    fn no_money_comes_from_nowhere(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(seed).await;
            for step in steps {
                world.take(step).await;
            }
            world.check().await;
        });
    }
}
