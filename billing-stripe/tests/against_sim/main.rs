//! The rail as it meets Stripe: our client, intents, webhooks and ledger against `stripe-sim`, over HTTP and
//! with a real database. What moved there is what the ledger says, to the cent.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod books;
mod disputes;
mod forged;
mod processes;
mod rig;
mod sales;
mod shop;
mod storm;
mod subscriptions;
