//! The control plane: one API and one console over the whole fleet.
//!
//! ```text
//! request -> caller (key, or a person in console) -> http -> domain decides -> db keeps (+ a line of the audit)
//!                                 -> cluster: the blueprint, which is there and nowhere else
//! ```
//! Reading order: [`domain`] has the nouns, [`cluster`] is where platforms are, [`http`] what is asked,
//! [`mod@router`] all of it in one list.

pub mod admit;
pub mod app;
pub mod cluster;
pub mod console;
pub mod courier;
pub mod db;
mod deadline;
pub mod domain;
pub mod error;
pub mod grants;
pub mod herald;
pub mod http;
pub mod keeper;
pub mod lost;
pub mod model_servers;
mod news;
pub mod observer;
mod openapi;
pub mod pool;
pub mod providers;
pub mod rates;
pub mod root_keys;
pub mod router;
pub mod settings;
pub mod tickets;

pub use app::{App, Parts};
pub use router::router;

/// The migrations of schema `control`. They need those of `accounts` and `work`: see [`migrate`].
static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// Brings the tables up to date: who people are, what is still to be done, and what they do here.
///
/// # Errors
/// The database, or one of a later version.
pub async fn migrate(conn: &mut sqlx::PgConnection) -> Result<(), sqlx::migrate::MigrateError> {
    accounts::MIGRATOR.run(&mut *conn).await?;
    work::MIGRATOR.run(&mut *conn).await?;
    MIGRATOR.run(conn).await
}
