//! What is done with money outside: by a rail such as Stripe, or by test money on one machine.
//!
//! ```text
//! decide: journal + intent, one transaction -> runner: send under the intent's key -> settle, one transaction
//! rail tells -> webhook stored -> acknowledged -> looked at: the object as it is now -> settle, one transaction
//! rail pays out -> what moved there held against the ledger, row by row
//! ```
//! An [`Intent`](intent::Intent) says what is wished ([`Wish`]) and what the ledger is to say once it is done.
//! It is sent under a key that is made of its id, so that sending it again does nothing again. An answer that
//! is lost leaves it UNKNOWN; that is resolved under the same key for as long as the rail keeps keys, and by
//! looking after that, never by sending. Whoever learns of it first, [`runner`] or [`webhook`], settles it
//! ([`settle`]), once. [`reconcile`] holds the rail's own account of what moved against ours.

mod ids;
pub mod intent;
pub mod limits;
mod object;
mod port;
pub mod reconcile;
pub mod runner;
pub mod settle;
pub mod test_money;
pub mod webhook;
mod wish;

pub use ids::{
    CheckoutId, CustomerId, IntentId, InvoiceId, MethodId, NoId, PaymentId, PayoutId, RefundId,
    SellerId, SubscriptionId, TransferId,
};
pub use object::{Cash, Kind, Object, ObjectRef, Standing};
pub use port::{LinkTo, Movement, Order, Page, PaymentRail, Search, Trouble};
pub use wish::{Every, Merchant, NoWish, Receiver, Sale, Wish};
