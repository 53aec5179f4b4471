//! The control plane: one API over the whole fleet.
//!
//! ```text
//! request -> caller (key) -> http -> domain decides -> db keeps (+ a line of the audit)
//!                                 -> cluster: the blueprint, which is there and nowhere else
//! ```
//! Reading order: [`domain`] has the nouns, [`cluster`] is where platforms are, [`http`] what is asked,
//! [`mod@router`] all of it in one list.

pub mod admit;
pub mod app;
pub mod cluster;
pub mod db;
pub mod domain;
pub mod error;
pub mod http;
pub mod keeper;
pub mod router;
pub mod settings;

pub use app::{App, Parts};
pub use router::router;

/// The migrations of schema `control`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
