//! Years of organizations on a clock of the test's own: what they are billed, what happens to it, what the
//! ledger says of it.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod clock;
mod golden;
mod noticed;
mod world;
