//! Money: every cent explained, none lost, none twice.
//!
//! What happened to money is written as a [`Journal`](ledger::Journal): entries on accounts that sum to
//! nothing in each currency, under the name of the event that made them. The [`ledger`] takes each event
//! once, in the transaction of whoever tells it, and forgets nothing. Who gets what of a sale is reckoned in
//! [`split`], exactly; what an organization pays the factory, and until when it may, in [`rating`]; what people
//! pay a platform, and what they have for it, in [`shop`]. What is done outside, where the money is, goes by a
//! [`rail`].

pub mod amount;
pub mod ledger;
pub mod rail;
pub mod rating;
pub mod sale;
pub mod shop;
pub mod split;

/// The tables of this crate, in the schema `billing`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
