//! What a simulator is started with.

use std::collections::BTreeMap;

use crate::faults::{RequestFaults, WebhookFaults};

/// How a simulator is and what it does to its callers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The same seed gives the same ids and the same faults for the same calls.
    pub seed: u64,
    /// The only secret key that is known; its account is the platform.
    pub secret_key: String,
    /// What time it is at the start, in seconds since 1970.
    pub start: i64,
    /// Where pages for people are said to be: `http://127.0.0.1:PORT`.
    pub pages: String,
    /// What Stripe keeps of a payment by card.
    pub processing: Processing,
    /// How much may be asked in a second of the simulator's clock; nothing bounds what is absent.
    pub limits: Limits,
    /// What goes wrong with requests, by chance.
    pub request_faults: RequestFaults,
    /// What goes wrong with webhooks, by chance.
    pub webhook_faults: WebhookFaults,
}

/// Stripe's own fee: a share and a fixed amount, in minor units of whatever currency.
#[derive(Clone, Copy, Debug)]
pub struct Processing {
    /// Hundredths of a percent of the amount.
    pub basis_points: i64,
    /// Minor units beside.
    pub fixed: i64,
    /// What a dispute costs whoever has it.
    pub dispute: i64,
    /// Days until money of a card is available.
    pub days: i64,
}

/// Requests in a second.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Of all.
    pub all: Option<u32>,
    /// Of one operation, by its name in Stripe's description: `PostTransfers`.
    pub operations: BTreeMap<String, u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            secret_key: "sk_test_simulated".to_owned(),
            start: 1_790_000_000,
            pages: "http://127.0.0.1".to_owned(),
            processing: Processing { basis_points: 290, fixed: 30, dispute: 1_500, days: 2 },
            limits: Limits::default(),
            request_faults: RequestFaults::default(),
            webhook_faults: WebhookFaults::default(),
        }
    }
}
