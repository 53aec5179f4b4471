//! What people buy of platforms, what becomes of it, and what everybody has of it, as the ledger says it.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod chance;
mod golden;
mod world;
