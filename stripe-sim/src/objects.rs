//! The objects of the API, a file for each noun.
//!
//! Money first: [`balance`] books, [`charges`] takes from cards, [`refunds`], [`transfers`],
//! [`disputes`] and [`payouts`] move it on. What bills by the month stands on that:
//! [`subscriptions`] make [`invoices`], which are paid by [`payment_intents`].

pub(crate) mod accounts;
pub(crate) mod application_fees;
pub(crate) mod balance;
pub(crate) mod billing_portal;
pub(crate) mod bills;
pub(crate) mod charges;
pub(crate) mod checkout;
pub(crate) mod clocks;
pub(crate) mod customers;
pub(crate) mod disputes;
pub(crate) mod invoice_items;
pub(crate) mod invoices;
pub(crate) mod lines;
pub(crate) mod meters;
pub(crate) mod payment_intents;
pub(crate) mod payment_methods;
pub(crate) mod payouts;
pub(crate) mod prices;
pub(crate) mod products;
pub(crate) mod prorations;
pub(crate) mod refunds;
pub(crate) mod renewals;
pub(crate) mod subscriptions;
pub(crate) mod transfers;
pub(crate) mod webhook_endpoints;
