//! Years of organizations on a clock of the test's own: what they are billed, what happens to it, what the
//! ledger says of it.

mod clock;
mod golden;
mod world;
