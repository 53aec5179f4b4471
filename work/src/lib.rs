//! Durable work on Postgres: what must happen although a process may die at any instruction.
//!
//! A decision and the wish for its effects are written in one transaction ([`outbox`]); each
//! effect has a stable key under which its outcome is kept ([`effects`]); time is handed in
//! ([`Clock`]); secrets are stored sealed under the root key ([`sealed`]), and come from files that
//! settings name ([`settings`]).

mod clock;
pub mod effects;
pub mod outbox;
pub mod sealed;
pub mod settings;

pub use clock::Clock;

/// The tables of this crate, in the schema `work`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
