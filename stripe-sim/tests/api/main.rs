//! The simulator over HTTP. Each request that it takes and each reply is held against Stripe's own
//! description of its API, by a validator that knows nothing of the simulator.
//!
//! `SOULFRA_TEST_STRIPE_OPENAPI` says where that description is (spec3.json), and
//! `SOULFRA_TEST_STRIPE_MOCK` where Stripe's own mock is; `cargo xtask test --suite crates` gets
//! both.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connect;
mod description;
mod disputes_and_payouts;
mod events;
mod faults;
mod invariants;
mod keys;
mod overlap;
mod pages;
mod payments;
mod rig;
mod strictness;
mod subscriptions;
mod webhooks;
