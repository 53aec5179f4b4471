//! Domain names and their certificates: whose a name is, and how it comes to be served over HTTPS.
//!
//! ```text
//! names    what a person typed     -> Name, one spelling, or why nobody can have it
//! claims   want -> look at the DNS -> record             whose a name is
//! orders   want -> advance, at an authority by ACME      how its certificate comes
//! pace     when orders are tried, and where; limits: what authorities allow
//! keeper   looks at what is due, and orders what is missing
//! served   what edges read: names, platforms, certificates
//! local    the authority of one machine, for names below `.localhost`
//! ```
//! Tables are in the schema `certificates` of the database `fleet`; all of it is plain functions on
//! `&mut PgConnection`, time and DNS are handed in.

pub mod acme;
pub mod claims;
pub mod dns;
pub mod keeper;
pub mod limits;
pub mod local;
pub mod names;
pub mod orders;
pub mod pace;
pub mod served;

mod chain;
mod sealed_text;

pub use chain::{Chain, Useless};
pub use local::{LocalAuthority, LocalError};
pub use names::{BadName, Name};

/// The tables of this crate, in the schema `certificates`.
///
/// What a later version added stays where an earlier one is put back: it only ever adds.
pub static MIGRATOR: sqlx::migrate::Migrator =
    sqlx::migrate::Migrator { ignore_missing: true, ..sqlx::migrate!() };
