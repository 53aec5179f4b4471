//! Postgres: the embedded server, a database and roles per tenant, export.
//!
//! [`embedded`] runs a Postgres of our own on a laptop; [`tenant`] gives each platform its own
//! database and roles on any server that an [`Admin`] reaches, [`central`] the service one of its own; [`export`] carries one tenant's
//! data into a file and back; [`follow`] is how a runtime keeps up with logins that change.

pub mod central;
pub mod embedded;
pub mod fence;
pub mod follow;
pub mod guard;

mod admin;
mod doors;
mod sql;

pub mod export;
pub mod tenant;

pub use admin::{Admin, Unreachable, fenced};
