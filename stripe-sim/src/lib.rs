//! A Stripe for tests and local mode.
//!
//! It has state, a clock of its own, and everything that makes Stripe hard to use well: keys that
//! replay what they did, 500s that are kept, answers that are lost, rate limits, and webhooks that
//! come late, twice, out of order or not at all. What it does not do it refuses with 501; a
//! parameter that Stripe does not know it refuses as Stripe does. `docs/adr/0051-stripe-sim.md`
//! says why it is ours, and what keeps it honest.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use stripe_sim::{Fault, Settings, Sim};
//!
//! let stripe = Sim::new(Settings::default());
//! let address = stripe.start().await?;
//! stripe.fault("PostTransfers", Fault::CutAfter); // the next one is done, and nobody hears of it
//! stripe.advance(3 * 86_400); // money of cards is available
//! stripe.deliver().await; // the webhooks that are due
//! # Ok(())
//! # }
//! ```
//!
//! Reading order: [`Settings`], [`Sim`] and what becomes of a request, then `operations`, the list
//! of all there are, and `objects`, what does them. What was never asked for is in `faults`.

#![recursion_limit = "256"]

mod agenda;
mod call;
mod chance;
mod expand;
mod faults;
mod form;
mod http;
mod keys;
mod limits;
mod lists;
mod objects;
mod operations;
mod pages;
mod parameters;
mod refusal;
mod settings;
mod sim;
mod state;
mod store;
mod time;
mod value;
mod webhooks;

pub use faults::{Fault, RequestFaults, WebhookFaults};
pub use parameters::{NoSuchOperation, excerpt};
pub use settings::{Limits, Processing, Settings};
pub use sim::{Answer, Request, Sim};
pub use state::API_VERSION;
pub use webhooks::{Tried, sign};

/// The names of all operations that there are, as Stripe's description of its API has them.
pub fn operations() -> impl Iterator<Item = &'static str> {
    operations::names()
}
