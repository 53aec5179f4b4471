//! What a platform's people meet: pages, agents, conversations, the admin portal.
//!
//! ```text
//! request -> router -> http (extracts, allows, answers) -> db (SQL) -> Postgres
//!                        |-> domain (decides)               view -> handlebars -> page
//! a question is stored -> speaking -> model server; listeners hear it through answers
//! ```
//! `domain` names neither SQL nor HTTP; `http` holds no SQL; `db` never begins a transaction.

pub mod admin_link;
pub mod app;
pub mod domain;
pub mod error;
pub mod site;

mod answers;
mod db;
mod echo;
mod http;
pub mod model_server;
pub mod program;
mod router;
pub mod seed;
mod speaking;
pub mod tidy;
mod view;

pub use app::{App, BlueprintOwner, ChangeRefused, Parts, WeakApp};
pub use router::router;
pub use site::{Picture, Site};

/// The migrations of schema `tenant`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// Whose tables a tenant's database has, in the order in which they are made; the version is
/// raised with each migration of any of them.
pub const SCHEMA: database::tenant::TenantSchema = database::tenant::TenantSchema {
    name: "tenant",
    version: 4,
    migrators: &[&work::MIGRATOR, &accounts::MIGRATOR, &MIGRATOR],
    readable: &["tenant"],
};
